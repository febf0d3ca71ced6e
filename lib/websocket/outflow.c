/*
 * What a connection has yet to send: how much may wait, and for how long.
 *
 * 1. Where it answers, more than half of max_unsent pauses reading (R14),
 * unless we wait for the peer ourselves: both ends could wait for each other.
 * 2. A pause in which the peer has read nothing for stall_ms ends it.
 * 3. What it holds, read or to be sent, counts against a quota that it shares.
 */
#include "intake.h"

void uvow__connection_count(uvow__connection_t *c) {
  size_t size = 0;
  if (!c->quota)
    return;
  if (c->state >= OPEN && c->state < DONE)
    size = uvow__intake_size(c) + uvow__buf_size(&c->out) + c->writing;
  c->quota->used += size;
  c->quota->used -= c->counted;
  c->counted = size;
  if (c->quota->used > c->quota->max && c->state == OPEN)
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

void uvow__outflow_watch(uvow__connection_t *c) {
  int full = c->state == OPEN && c->answers && !c->expects &&
             uvow__connection_unsent(c) > c->max_unsent / 2;
  int paused = (c->intake.pauses & UVOW__PAUSE_UNSENT) != 0;
  if (full == paused)
    return;
  uvow__wheel_disarm(&c->stall);
  if (!full) {
    uvow__intake_resume(c, UVOW__PAUSE_UNSENT);
    return;
  }
  uvow__intake_pause(c, UVOW__PAUSE_UNSENT);
  (void)uvow__outflow_moved(c);
  if (c->stall_ms)
    uvow__runtime_arm(&c->loop->rt, &c->stall, c->stall_ms);
}

static void on_stall(uvow__deadline_t *deadline) {
  uvow__connection_t *c = UVOW__CONTAINER(deadline, uvow__connection_t, stall);
  if (c->state != OPEN)
    return;
  if (uvow__outflow_moved(c))
    uvow__runtime_arm(&c->loop->rt, &c->stall, c->stall_ms);
  else
    uvow__connection_end_peer(c, UVOW_EOVERLOAD, 1013,
                              "the peer does not read its answers");
}

void uvow__connection_expect(uvow__connection_t *c, int expects) {
  c->expects = expects;
  uvow__outflow_watch(c);
}

void uvow__connection_pause(uvow__connection_t *c, int pause) {
  if (pause)
    uvow__intake_pause(c, UVOW__PAUSE_OWNER);
  else
    uvow__intake_resume(c, UVOW__PAUSE_OWNER);
}

void uvow__outflow_init(uvow__connection_t *c) {
  uvow__deadline_init(&c->stall, on_stall);
}
