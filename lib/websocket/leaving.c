/*
 * A connection that is left: closed in order, dropped, or because of its peer.
 * That one still gets what was sent, then a close frame that says why, and
 * nobody is told any more.
 *
 * 1. The owner was told when it began; nothing more is read.
 * 2. It takes close_ms at most, and longer only while the peer reads. What came
 *    of a message goes at once, in the flush: it may be too much as it is.
 */
#include "connection_private.h"

#include <string.h>

#include "intake.h"

void uvow__connection_leave_stopped(uvow__lingerer_t *lingerer) {
  uvow__connection_t *c =
      UVOW__CONTAINER(lingerer, uvow__connection_t, lingerer);
  uvow__connection_fail(c, UVOW_ECLOSED, 0, NULL, NULL);
}

int uvow__connection_put_close(uvow__connection_t *c, int code,
                               const char *reason) {
  c->out.max = SIZE_MAX - c->writing;
  return uvow__framer_send_close(&c->framer, &c->out, code, reason,
                                 strlen(reason));
}

/* What was sent is to leave, then a close frame, and nothing more is read. */
static void leave(uvow__connection_t *c, int status) {
  uvow__framer_stop(&c->framer);
  uvow__intake_stop(c);
  uvow__silence_stop(&c->silence);
  uvow__connection_put_pong(c);
  c->state = LEAVING;
  (void)uvow__connection_put_close(c, status, "");
  (void)uvow__outflow_moved(c);
  uvow__connection_limit(c, c->config->close_ms);
  c->io->ops->hold(c->io, 0);
  uvow__loop_linger(c->loop, &c->lingerer);
  uvow__connection_write_late(c);
}

void uvow__connection_end_peer(uvow__connection_t *c, int code, int status,
                               const char *detail) {
  const uvow__connection_callbacks_t *callbacks = c->callbacks;
  uvow__error_spec_t spec = {0};
  if (c->state != OPEN) {
    uvow__connection_fail(c, code, status, detail, NULL);
    return;
  }
  spec.code = code;
  spec.status = status;
  spec.detail = (uvow__slice_t){detail, detail ? strlen(detail) : 0};
  leave(c, status);
  c->callbacks = NULL;
  callbacks->on_end(c->ctx, uvow__error_make(uvow__connection_mem(c), &spec));
}

void uvow__connection_close(uvow__connection_t *c, int code,
                            const char *reason) {
  if (c->state < OPEN) {
    uvow__connection_fail(c, UVOW_ECLOSED, 0, "closed before it was open",
                          NULL);
    return;
  }
  if (c->state != OPEN)
    return;
  c->state = CLOSING;
  c->close_held = 0;
  c->close_code = code;
  /* Its close frame is awaited. */
  uvow__intake_resume(c, UVOW__PAUSE_OWNER | UVOW__PAUSE_UNSENT);
  (void)uvow__outflow_moved(c);
  uvow__connection_limit(c, c->config->close_ms);
  if (uvow__connection_put_close(c, code, reason))
    uvow__connection_fail(c, UVOW_ECLOSED, code,
                          "closed; no memory for a close frame", NULL);
  else
    uvow__connection_write_late(c);
}

void uvow__connection_drop(uvow__connection_t *c) {
  c->callbacks = NULL;
  if (c->state == OPEN)
    (void)uvow__connection_put_close(c, 1001, "");
  if (c->state == OPEN || c->state == CLOSING)
    uvow__connection_write_last(c);
  uvow__connection_fail(c, UVOW_ECLOSED, 0, NULL, NULL);
}
