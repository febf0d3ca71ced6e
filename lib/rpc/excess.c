/*
 * A message over the limit: whose answer it is.
 *
 *   its beginning -> decode -> an answer, as far as it goes -> its request
 *                           -> anything else: nobody's
 *
 * 1. It is read as any message that breaks off: an id counts once it is whole,
 *    and a result or an error has begun. What may as well be a call is nobody's.
 * 2. An array may have answers to several: it is nobody's, too.
 */
#include "session.h"

#include "base/text.h"

static int is_last_answer(const uvow__msg_t *msg) {
  return msg->has_id &&
         (msg->kind == UVOW__MSG_OK || msg->kind == UVOW__MSG_ERROR ||
          msg->kind == UVOW__MSG_END ||
          (msg->kind == UVOW__MSG_MALFORMED && !msg->refusal));
}

/* What is refused of it says that it may as well be a call. */
int uvow__session_excess(uvow__session_t *session, uvow__slice_t beginning,
                         const char *why) {
  const uvow__dialect_t *dialect = &session->callee.dialect;
  uvow__dispatcher_t *d = session->dispatcher;
  uvow__error_spec_t spec = {0};
  uvow__msg_t msg;
  if (!why)
    return !uvow__session_is_opening(session) && d->live > 0;
  if (uvow__session_is_opening(session) ||
      uvow__dialect_is_many(dialect, 0, beginning) ||
      uvow__protocol_decode_like(dialect->protocol, &dialect->ids,
                                 session->like, beginning.ptr, beginning.len,
                                 &msg) ||
      !is_last_answer(&msg))
    return 0;
  uvow__request_t *request = uvow__dispatcher_find(d, msg.id);
  if (!request || !request->sent)
    return 0;
  session->excess = 1;
  spec.code = UVOW_ETOOBIG;
  spec.outcome = UVOW_ANSWERED;
  spec.detail = uvow__slice_of(why);
  uvow__dispatcher_reject(request, uvow__error_make(&d->rt->mem, &spec));
  return 0;
}
