/*
 * Notifications that are about a call, or about a session of the protocol's.
 *
 *   $/cancelRequest, notifications/cancelled  -> the callee
 *   $/progress, notifications/progress        -> a partial answer, if its token
 *                                                is the id of a request that
 *                                                wants to hear of it
 *   Target.detachedFromTarget                 -> the session's requests end
 *
 * 1. Tokens may also be the application's own: what is for no request of ours
 *    stays an event.
 */
#include "notes.h"

#include <string.h>

#include "wire/json_text.h"

static const uvow__key_t session_keys[] = {
    UVOW__KEY("sessionId", UVOW__CAPTURE_FIRST, NULL)};
static const uvow__level_t session_level = UVOW__OBJECT(session_keys);

/* The one member of params that a level names: raw, or NULL. */
static uvow__slice_t member(uvow__slice_t params, const uvow__level_t *level) {
  uvow__captures_t found;
  uvow__slice_t none = {NULL, 0};
  if (!params.ptr || uvow__envelope_scan(level, params.ptr, params.len, &found))
    return none;
  return uvow__capture_text(&found, UVOW__CAPTURE_FIRST);
}

static int is_named(const uvow__msg_t *msg, const char *name) {
  return msg->name.ptr &&
         uvow__json_string_is(msg->name, (uvow__slice_t){name, strlen(name)});
}

/* A notification of progress, if it's about a request that wants to hear of it.
 * Tokens may also be the application's own. */
static int is_progress(uvow__session_t *session, const uvow__notes_t *notes,
                       const uvow__msg_t *msg) {
  uvow__slice_t token = member(msg->value, notes->progress_token);
  uvow__slice_t value = msg->value;
  uint64_t id;
  if (!token.ptr || !uvow__ids_read(&session->callee.dialect.ids, token, &id))
    return 0;
  if (notes->progress_value)
    value = member(msg->value, notes->progress_value);
  if (!value.ptr)
    return 0;
  uvow__request_t *request = uvow__dispatcher_find(session->dispatcher, id);
  if ((!request || request->sent) &&
      uvow__subscriptions_part(&session->subscriptions, id, value))
    return 1;
  if (!request || !request->sent || !request->partials)
    return 0;
  uvow__partials_came(&session->partials, request, value);
  if (session->dispatcher->sent == 0)
    uvow__session_all_answered(session);
  return 1;
}

/* CDP: {"method":"Target.detachedFromTarget","params":{"sessionId":"S"}}. */
static void look_for_end(uvow__session_t *session, const uvow__msg_t *msg) {
  const char *name = session->callee.protocol->session_end;
  if (name && is_named(msg, name))
    session->hooks->on_session_end(session, member(msg->value, &session_level));
}

int uvow__notes_take(uvow__session_t *session, const uvow__msg_t *msg) {
  const uvow__notes_t *notes = session->callee.protocol->notes;
  look_for_end(session, msg);
  if (!notes)
    return 0;
  if (is_named(msg, notes->progress))
    return is_progress(session, notes, msg);
  if (!is_named(msg, notes->cancel))
    return 0;
  uvow__callee_cancel(&session->callee, member(msg->value, notes->cancel_id));
  return 1;
}
