/*
 * The session: what is done about a message, whichever side one stands on.
 *
 *   channel -> message -> decode -> OK, ERROR -> dispatcher -> future
 *                                -> CALL      -> callee -> method
 *                                -> EVENT     -> callee, if a method has its
 *                                                name, or else on_event
 *                                -> neither   -> counted, on_stray
 *
 * 1. Nothing here calls the application.
 * 2. A message that can't be read, or is nobody's, is counted and shown; it
 *    ends nothing (R3).
 * 3. An answer counts only if this connection has carried its request: what was
 *    sent on an earlier one, or not at all, is no request that it can know.
 * 4. Reading pauses only for what the peer makes less by reading (unsent
 *    answers), and not while it owes us an answer: so two ends that call each
 *    other never wait for each other.
 */
#include "session.h"

#include <string.h>

#include "wire/json_text.h"
#include "wire/message.h"

static void on_stall(uvow__deadline_t *deadline) {
  uvow__session_t *session = UVOW__CONTAINER(deadline, uvow__session_t, stall);
  session->callee.hooks->on_failed(&session->callee, UVOW_EOVERLOAD);
}

void uvow__session_init(uvow__session_t *session,
                        uvow__dispatcher_t *dispatcher,
                        const uvow__session_hooks_t *hooks) {
  session->dispatcher = dispatcher;
  session->hooks = hooks;
  uvow__deadline_init(&session->stall, on_stall);
}

static void stray(uvow__session_t *session, uvow__stray_t kind,
                  uvow__slice_t bytes) {
  session->strays[kind]++;
  if (session->hooks->on_stray)
    session->hooks->on_stray(session, kind, bytes);
}

int uvow__session_text(uvow__slice_t raw, uvow__buf_t *buf,
                       uvow__slice_t *ret_text) {
  *ret_text = raw;
  if (raw.len == 0 || raw.ptr[0] != '"' || uvow__json_plain(raw, ret_text))
    return 0;
  int rc = uvow__json_unescape(buf, raw);
  if (rc)
    return rc;
  ret_text->ptr = (const char *)uvow__buf_front(buf);
  ret_text->len = uvow__buf_size(buf);
  return 0;
}

/* ---- answers ---- */

/* The peer's own error, as an error. */
static uvow_error_t *remote_error(const uvow__mem_t *mem,
                                  const uvow__msg_t *msg) {
  uvow__error_spec_t spec = {0};
  uvow__buf_t message;
  uvow__buf_t code;
  uvow__buf_init(&message, mem, SIZE_MAX);
  uvow__buf_init(&code, mem, SIZE_MAX);
  spec.code = UVOW_EREMOTE;
  spec.outcome = UVOW_ANSWERED;
  spec.peer_code = msg->has_error_code ? msg->error_code : 0;
  spec.data = msg->error_data;
  int rc = uvow__session_text(msg->error_message, &message, &spec.peer_message);
  if (rc == 0 && !msg->has_error_code)
    rc = uvow__session_text(msg->error_code_text, &code, &spec.peer_code_text);
  spec.detail = spec.peer_message;
  uvow_error_t *error = rc ? uvow__error_code(mem, rc, UVOW_ANSWERED)
                           : uvow__error_make(mem, &spec);
  uvow__buf_done(&message);
  uvow__buf_done(&code);
  return error;
}

static uvow_error_t *malformed_error(const uvow__mem_t *mem,
                                     const uvow__msg_t *msg,
                                     uvow__slice_t bytes) {
  const char *why = uvow__fault_text((uvow__fault_t)msg->fault);
  uvow__error_spec_t spec = {0};
  spec.code = UVOW_EENVELOPE;
  spec.detail = (uvow__slice_t){why, strlen(why)};
  spec.outcome = UVOW_ANSWERED;
  spec.data = bytes;
  return uvow__error_make(mem, &spec);
}

/* A message that can't be read, if it may be a call. */
static void refuse(uvow__session_t *session, const uvow__msg_t *msg) {
  if (msg->refusal)
    uvow__callee_refuse(&session->callee,
                        msg->raw_id.ptr ? msg->raw_id : UVOW__SLICE("null"),
                        msg->refusal_code, msg->refusal);
}

/* No request waits for it. */
static void stray_answer(uvow__session_t *session, const uvow__msg_t *msg,
                         uvow__slice_t bytes, int unknown) {
  uvow__dispatcher_t *d = session->dispatcher;
  if (!unknown && uvow__dispatcher_paid(d, msg->id) && session->hooks->on_paid)
    session->hooks->on_paid(session);
  stray(session,
        unknown ? UVOW__STRAY_UNKNOWN : uvow__dispatcher_classify(d, msg->id),
        bytes);
  if (msg->kind == UVOW__MSG_MALFORMED && session->answers_faults)
    refuse(session, msg);
}

static void answer(uvow__session_t *session, const uvow__msg_t *msg,
                   uvow__slice_t bytes, uvow__buf_t *whole) {
  static uvow__buf_t none;
  uvow__dispatcher_t *d = session->dispatcher;
  const uvow__mem_t *mem = &d->rt->mem;
  if (!msg->has_id) {
    stray(session, UVOW__STRAY_MALFORMED, bytes);
    if (msg->kind == UVOW__MSG_MALFORMED && session->answers_faults)
      refuse(session, msg);
    return;
  }
  uvow__request_t *request = uvow__dispatcher_find(d, msg->id);
  if (!request || !request->sent) {
    stray_answer(session, msg, bytes, request != NULL);
    return;
  }
  if (session->rtt)
    uvow__histogram_add(session->rtt,
                        uvow__runtime_now(d->rt) - request->sent_ns, 1);
  if (msg->kind == UVOW__MSG_OK) {
    uvow__dispatcher_fulfill(request, msg->value, whole ? whole : &none);
  } else if (msg->kind == UVOW__MSG_ERROR) {
    uvow__dispatcher_reject(request, remote_error(mem, msg));
  } else {
    session->strays[UVOW__STRAY_MALFORMED]++;
    uvow__dispatcher_reject(request, malformed_error(mem, msg, bytes));
  }
  if (d->sent == 0) /* the peer owes us nothing any more */
    uvow__session_pace(session);
}

/* ---- calls and events ---- */

static const uvow__key_t id_keys[] = {
    UVOW__KEY("id", UVOW__CAPTURE_FIRST, NULL)};
static const uvow__level_t id_level = UVOW__OBJECT(id_keys);
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

/* The Language Server Protocol's cancel, and its followers'. */
static int is_cancel(const uvow__session_t *session, const uvow__msg_t *msg) {
  return uvow__protocol_can(session->callee.protocol, UVOW__OP_CANCEL) &&
         msg->name.ptr &&
         uvow__json_string_is(msg->name, UVOW__SLICE("$/cancelRequest"));
}

/* Whether a method takes events of this name. */
static int has_method(const uvow__session_t *session, const uvow__msg_t *msg) {
  const uvow__callee_t *callee = &session->callee;
  uvow__slice_t name = {"", 0};
  uvow__buf_t buf;
  int has = callee->methods != NULL;
  if (!has || !session->hooks->on_event)
    return has; /* nobody else is to be told */
  uvow__buf_init(&buf, uvow__loop_mem(callee->loop), SIZE_MAX);
  has = uvow__session_text(msg->name, &buf, &name) == 0 &&
        uvow__methods_find(callee->methods, name) != NULL;
  uvow__buf_done(&buf);
  return has;
}

/* CDP: {"method":"Target.detachedFromTarget","params":{"sessionId":"S"}}. */
static void look_for_end(uvow__session_t *session, const uvow__msg_t *msg) {
  const char *name = session->callee.protocol->session_end;
  if (name && session->hooks->on_session_end && msg->name.ptr &&
      uvow__json_string_is(msg->name, (uvow__slice_t){name, strlen(name)}))
    session->hooks->on_session_end(session, member(msg->value, &session_level));
}

static void event(uvow__session_t *session, const uvow__msg_t *msg,
                  uvow__buf_t *whole) {
  session->events++;
  look_for_end(session, msg);
  if (is_cancel(session, msg))
    uvow__callee_cancel(&session->callee, member(msg->value, &id_level));
  else if (has_method(session, msg))
    uvow__callee_begin(&session->callee, msg, whole);
  else if (session->hooks->on_event)
    session->hooks->on_event(session, msg);
}

static int decode(const uvow__session_t *session, int opcode,
                  uvow__slice_t text, uvow__msg_t *ret) {
  if (opcode == UVOW__OP_TEXT)
    return uvow__protocol_decode(session->callee.protocol, text.ptr, text.len,
                                 ret);
  memset(ret, 0, sizeof(*ret));
  ret->refusal = "Parse error";
  ret->refusal_code = UVOW__PARSE_ERROR;
  return UVOW_EENVELOPE;
}

void uvow__session_message(uvow__session_t *session, int opcode,
                           const uint8_t *bytes, size_t len,
                           uvow__buf_t *whole) {
  uvow__slice_t text = {(const char *)bytes, len};
  uvow__msg_t msg;
  if (decode(session, opcode, text, &msg)) {
    stray(session, UVOW__STRAY_MALFORMED, text);
    if (session->answers_faults)
      refuse(session, &msg);
    return;
  }
  switch (msg.kind) {
  case UVOW__MSG_OK:
  case UVOW__MSG_ERROR:
  case UVOW__MSG_MALFORMED:
    answer(session, &msg, text, whole);
    break;
  case UVOW__MSG_EVENT:
    event(session, &msg, whole);
    break;
  case UVOW__MSG_CALL:
    session->calls++;
    uvow__callee_begin(&session->callee, &msg, whole);
    break;
  case UVOW__MSG_CANCEL:
    uvow__callee_cancel(&session->callee, msg.raw_id);
    break;
  case UVOW__MSG_FAULT:
    stray(session, UVOW__STRAY_MALFORMED, text);
    break;
  case UVOW__MSG_BAD_CALL:
    stray(session, UVOW__STRAY_MALFORMED, text);
    refuse(session, &msg);
    break;
  default: /* control messages, what is to be ignored, progress */
    break;
  }
}

/* ---- pauses ---- */

static void set_paused(uvow__session_t *session, int on) {
  uvow__channel_t *channel = session->callee.channel;
  uvow__wheel_disarm(&session->stall);
  if (on)
    uvow__runtime_arm(&session->callee.loop->rt, &session->stall,
                      session->stall_ms);
  if (session->paused == on)
    return;
  session->paused = on;
  channel->ops->pause(channel, on);
}

void uvow__session_pace(uvow__session_t *session) {
  const uvow__channel_t *channel = session->callee.channel;
  if (!channel || !session->max_unsent || !channel->ops->pause)
    return;
  int on = session->dispatcher->sent == 0 &&
           uvow__channel_unsent(channel) > session->max_unsent / 2;
  if (on != session->paused)
    set_paused(session, on);
}

void uvow__session_writable(uvow__session_t *session) {
  if (session->paused)
    uvow__session_pace(session);
  if (session->paused) /* something has left: the time begins anew */
    set_paused(session, 1);
}

void uvow__session_stop(uvow__session_t *session) {
  session->callee.channel = NULL;
  session->paused = 0;
  uvow__wheel_disarm(&session->stall);
}
