/*
 * What a connection has yet to send, and what it holds in all.
 *
 * 1. What it holds, read or to be sent, counts against the quota that it shares
 *    with all of its config. When to pause for what is unsent, its owner knows.
 */
#include "intake.h"

void uvow__connection_count(uvow__connection_t *c) {
  size_t size = 0;
  uvow__quota_t *quota = &c->config->quota;
  if (!quota->max)
    return;
  if (c->state >= OPEN && c->state < DONE)
    size = uvow__intake_size(c) + uvow__buf_size(&c->out) + c->writing;
  quota->used += size;
  quota->used -= c->counted;
  c->counted = size;
  if (quota->used > quota->max && c->state == OPEN)
    uvow__connection_end_peer(c, UVOW_EOVERLOAD, 1013,
                              "all connections together hold too much");
}

int uvow__outflow_moved(uvow__connection_t *c) {
  size_t unsent = c->io->ops->unsent(c->io);
  int moved = c->drains != c->seen_drains || unsent < c->seen_unsent;
  c->seen_drains = c->drains;
  c->seen_unsent = unsent;
  return moved;
}

void uvow__connection_pause(uvow__connection_t *c, int pause) {
  if (pause)
    uvow__intake_pause(c, UVOW__PAUSE_OWNER);
  else
    uvow__intake_resume(c, UVOW__PAUSE_OWNER);
}

void uvow__connection_pause_unsent(uvow__connection_t *c, int pause) {
  if (pause)
    uvow__intake_pause(c, UVOW__PAUSE_UNSENT);
  else
    uvow__intake_resume(c, UVOW__PAUSE_UNSENT);
}
