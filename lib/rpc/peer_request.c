/*
 * What is asked of a peer, and what it is told.
 *
 *   request -> slot -> outbox, of a peer that we connect to -> channel
 *                   -> channel
 *
 * 1. A request has its slot before its bytes go anywhere (R1).
 * 2. Params written here are in the loop's buffer for them, which is empty
 *    between any two calls; all others are read where they are.
 */
#include "peer.h"
#include "future/fail.h"
#include "within.h"

#include "base/apart.h"
#include "base/options.h"
#include "base/text.h"
#include "protocol/why.h"
#include "token.h"
#include "wire/json_format.h"
#include "wire/traceparent.h"

/* ---- params ---- */

int uvow__params_text(uvow_loop_t *loop, const uvow_value_t *params,
                      uvow__slice_t *ret_text) {
  loop->params.max = SIZE_MAX;
  return uvow__value_text(params, &loop->params, ret_text);
}

void uvow__params_done(uvow_loop_t *loop, uvow_value_t *params) {
  uvow__buf_clear(&loop->params, UVOW__READ_SIZE);
  uvow_value_clear(params);
}

int uvow__params_format(uvow_loop_t *loop, const char *format, va_list args,
                        uvow__slice_t *ret_text) {
  uvow__buf_t none;
  uvow__buf_t *text = loop ? &loop->params : &none;
  *ret_text = (uvow__slice_t){NULL, 0};
  if (!format)
    return 0;
  uvow__buf_init(&none, &uvow__mem_default, 0);
  text->max = loop ? SIZE_MAX : 0;
  int rc = uvow__json_format(text, format, args);
  ret_text->ptr = (const char *)uvow__buf_front(text);
  ret_text->len = uvow__buf_size(text);
  if (!loop)
    uvow__buf_done(&none);
  return rc;
}

/* ---- requests ---- */

int uvow__peer_unusable(const uvow_peer_t *peer) {
  if (peer->life.closing)
    return UVOW_ECLOSED;
  if (peer->kin.within)
    return uvow__peer_is_over(peer)
               ? UVOW_ECLOSED
               : uvow__peer_unusable(peer->kin.within->whole);
  if (peer->link)
    return uvow__peer_is_over(peer) ? UVOW_ELOST : 0;
  if (peer->outbox)
    return uvow__peer_is_over(peer) ? UVOW_ECLOSED : 0;
  return peer->life.state == UVOW_PEER_OPEN ? 0 : UVOW_ECLOSED;
}

static uvow_future_t *rejected(uvow_peer_t *peer, int code) {
  const uvow_error_t *why = peer->life.why;
  uvow__error_spec_t spec = {0};
  if (!uvow__peer_is_over(peer))
    return uvow_future_rejected(
        peer->loop,
        uvow__dispatcher_error(&peer->dispatcher, code, UVOW_NOT_SENT));
  spec.code = code;
  spec.outcome = UVOW_NOT_SENT;
  if (why && !peer->life.closing && !peer->life.was_open)
    spec.code = uvow_error_code(why);
  if (why) {
    spec.before = UVOW__SLICE("the peer is closed: ");
    spec.detail = uvow__slice_of(uvow_error_message(why));
  }
  spec.cause = why;
  return uvow_future_rejected(peer->loop,
                              uvow__error_make(uvow__peer_mem(peer), &spec));
}

/* Which part of it can't be written, and what is expected. */
static uvow_error_t *unwritable(uvow_peer_t *peer, const uvow__op_t *op) {
  char text[400];
  uvow__error_spec_t spec = {0};
  uvow__dialect_why(&peer->session.callee.dialect, op, text, sizeof(text));
  spec.code = UVOW_EINVAL;
  spec.outcome = UVOW_NOT_SENT;
  spec.detail = uvow__slice_of(text);
  return uvow__error_make(uvow__peer_mem(peer), &spec);
}

static int check_options(const uvow_peer_t *peer, const char *method,
                         const uvow_request_options_t *options,
                         uint32_t *ret_ms) {
  uint32_t ms = peer->config->options.timeout_ms;
  if (!method)
    return UVOW_EINVAL;
  if (options && options->traceparent &&
      !uvow__traceparent_valid(uvow__slice_of(options->traceparent)))
    return UVOW_EINVAL;
  if (options && (options->timeout_ms || options->deadline_at_ms))
    ms = options->timeout_ms ? options->timeout_ms : UVOW_NO_TIMEOUT;
  if (options && options->deadline_at_ms) {
    uint64_t now = uvow_loop_now(peer->loop);
    uint64_t left = options->deadline_at_ms - now;
    if (options->deadline_at_ms <= now)
      return uvow__peer_unusable(peer) ? uvow__peer_unusable(peer)
                                       : UVOW_ETIMEDOUT;
    ms = left < ms ? (uint32_t)left : ms;
  }
  *ret_ms = ms == UVOW_NO_TIMEOUT ? 0 : ms;
  return uvow__peer_unusable(peer);
}

/* Without options; of no session of the protocol's. */
static inline int check_call(const uvow_peer_t *peer, const char *method,
                             uint32_t *ret_ms) {
  uint32_t ms = peer->config->options.timeout_ms;
  *ret_ms = ms == UVOW_NO_TIMEOUT ? 0 : ms;
  if (!method)
    return UVOW_EINVAL;
  return peer->life.state == UVOW_PEER_OPEN ? 0 : uvow__peer_unusable(peer);
}

/* is_first: for an opening step. */
static inline int transmit(uvow_peer_t *peer, uvow__op_t *op,
                           uvow__request_t *request, int is_first) {
  if (is_first)
    return uvow__outbox_send_first(peer, op, request);
  if (peer->outbox)
    return uvow__outbox_transmit(peer, op, request);
  int rc = uvow__callee_send(&peer->session.callee, op);
  if (rc == 0 && request) {
    uvow__peer_sent(peer, request);
    uvow__session_pace(&peer->session);
  }
  return rc;
}

static int transmit_with_token(uvow_peer_t *peer, uvow__op_t *op,
                               uvow__request_t *request, const char *token,
                               int is_first) {
  uvow__buf_t params;
  uvow__buf_init(&params, uvow__peer_mem(peer), SIZE_MAX);
  int rc =
      uvow__token_put(&params, &peer->session.callee.dialect.ids, token, op);
  if (rc == 0)
    rc = transmit(peer, op, request, is_first);
  uvow__buf_done(&params);
  return rc;
}

static void set_options(uvow__request_t *request,
                        const uvow_request_options_t *options, uvow__op_t *op) {
  request->idempotent = options->idempotent != 0;
  op->traceparent = uvow__slice_of(options->traceparent);
}

/* What a request differs in. */
typedef struct asked {
  int json; /* the answer is parsed before the future is fulfilled */
  uvow__op_kind_t kind;
  uvow__backlog_t *front; /* where it waits, before all that waits; or NULL */
} asked_t;

static const asked_t plain = {0, UVOW__OP_CALL, NULL};

/* What an opening step asks is of this connection only. */
static void set_session(uvow__request_t *request, const uvow__within_t *within,
                        uvow__op_t *op) {
  if (!within->text) {
    request->idempotent = 0;
    return;
  }
  request->session = within->number & 0x1FFF;
  uvow__within_set_session(within, op);
}

/* What a request is handed over with, but for those without any options. */
typedef struct handing {
  uint32_t ms;
  int is_first;
  uvow__backlog_t *front;
} handing_t;

static int hand_over(uvow_peer_t *peer, uvow__op_t *op,
                     uvow__request_t *request,
                     const uvow_request_options_t *options,
                     const handing_t *how) {
  int rc = 0;
  if (uvow__partials_wanted(options))
    rc = uvow__partials_watch(&peer->session.partials, request, options,
                              how->ms);
  if (rc)
    return rc;
  if (how->front)
    return uvow__outbox_write(peer, op, how->front);
  if (options && options->token)
    return transmit_with_token(peer, op, request, options->token,
                               how->is_first);
  return transmit(peer, op, request, how->is_first);
}

static void fail_request(uvow_peer_t *peer, uvow__request_t *request,
                         const uvow__op_t *op, int rc) {
  if (rc == UVOW_EINVAL)
    uvow__dispatcher_reject(request, unwritable(peer, op));
  else
    uvow__dispatcher_fail(request, rc);
}

/* What the long way needs to know of a request that has its slot. */
typedef struct sending {
  const char *method;
  uvow__slice_t params;
  const uvow_request_options_t *options; /* or NULL */
  const uvow__within_t *within;          /* or NULL */
  uvow__form_t *form;                    /* or NULL */
  uint32_t ms;
} sending_t;

UVOW__APART static void send_request(uvow_peer_t *peer,
                                     uvow__request_t *registered,
                                     const sending_t *sending,
                                     const asked_t *asked) {
  unsigned number = registered->method;
  uvow__op_t op;
  uvow__op_init(&op);
  op.kind = asked->kind;
  op.id = registered->id;
  op.method = number ? uvow__intern_text(&peer->names.methods, number)
                     : uvow__slice_of(sending->method);
  op.params = sending->params;
  op.form = sending->form;
  if (sending->options)
    set_options(registered, sending->options, &op);
  if (sending->within)
    set_session(registered, sending->within, &op);
  handing_t how = {sending->ms, sending->within && !sending->within->text,
                   asked->front};
  int rc = op.form && peer->outbox && !asked->front
               ? uvow__outbox_transmit(peer, &op, registered)
               : hand_over(peer, &op, registered, sending->options, &how);
  op.params = sending->params;
  if (rc)
    fail_request(peer, registered, &op, rc);
}

static uvow_future_t *request(uvow_peer_t *peer, const char *method,
                              uvow__slice_t params,
                              const uvow_request_options_t *options,
                              asked_t asked) {
  uvow_future_t *f;
  uvow__request_t *registered;
  sending_t sending = {method, params, options, peer->kin.within, NULL, 0};
  if (sending.within && uvow__peer_is_over(peer))
    return rejected(peer, UVOW_ECLOSED);
  if (sending.within)
    peer = sending.within->whole;
  int rc = check_options(peer, method, options, &sending.ms);
  if (rc == 0)
    rc = uvow__dispatcher_register(&peer->dispatcher, sending.ms, &f,
                                   &registered);
  if (rc)
    return rejected(peer, rc);
  registered->json = asked.json != 0;
  registered->method = (uint16_t)uvow__intern(&peer->names.methods, method);
  send_request(peer, registered, &sending, &asked);
  return f;
}

/* Notes the method, and has the form of its calls; NULL: there is none. */
static inline uvow__form_t *note_method(uvow_peer_t *peer,
                                        uvow__request_t *registered,
                                        const char *method) {
  uvow__peer_names_t *names = &peer->names;
  unsigned number = uvow__intern(&names->methods, method);
  registered->method = (uint16_t)number;
  return number ? uvow__forms_get(&names->forms, &peer->session.callee.dialect,
                                  number,
                                  uvow__intern_text(&names->methods, number))
                : NULL;
}

/* The same for most: without options, of no session of the protocol's. */
static uvow_future_t *call(uvow_peer_t *peer, const char *method,
                           uvow__slice_t params, int json) {
  uvow_future_t *f;
  uvow__request_t *registered;
  uint32_t ms;
  int rc = check_call(peer, method, &ms);
  if (rc == 0)
    rc = uvow__dispatcher_register(&peer->dispatcher, ms, &f, &registered);
  if (rc)
    return rejected(peer, rc);
  if (json)
    registered->json = 1;
  uvow__form_t *form = note_method(peer, registered, method);
  if (!form || !peer->outbox ||
      uvow__outbox_call(peer, form, params, registered)) {
    sending_t sending = {method, params, NULL, NULL, form, ms};
    send_request(peer, registered, &sending, &plain);
  }
  return f;
}

/* A call, with options or without. */
static inline uvow_future_t *call_with(uvow_peer_t *peer, const char *method,
                                       uvow__slice_t params,
                                       const uvow_request_options_t *options,
                                       int json) {
  asked_t asked = {json, UVOW__OP_CALL, NULL};
  return options || peer->kin.within
             ? request(peer, method, params, options, asked)
             : call(peer, method, params, json);
}

static uvow_future_t *request_value(uvow_peer_t *peer, const char *method,
                                    uvow_value_t params,
                                    const uvow_request_options_t *options) {
  uvow__slice_t text;
  if (!peer) {
    uvow_value_clear(&params);
    return NULL;
  }
  uvow_loop_t *loop = peer->loop;
  int json = params.type == &uvow_type_json;
  int rc = uvow__params_text(loop, &params, &text);
  uvow_future_t *f =
      rc ? rejected(peer, rc) : call_with(peer, method, text, options, json);
  uvow__params_done(loop, &params);
  return f;
}

/* Text goes the short way: nothing is written, nothing released. */
static inline uvow_future_t *ask(uvow_peer_t *peer, const char *method,
                                 uvow_value_t params,
                                 const uvow_request_options_t *options) {
  const uvow_slice_t *slice = (const uvow_slice_t *)params.as.ptr;
  if (!peer || params.type != &uvow_type_slice || !slice)
    return request_value(peer, method, params, options);
  uvow__slice_t text = {slice->bytes, slice->len};
  return call_with(peer, method, text, options, 0);
}

uvow_future_t *uvow__peer_ask(uvow_peer_t *peer, const char *method,
                              uvow__slice_t params,
                              const uvow_request_options_t *options,
                              uvow__backlog_t *front) {
  const uvow_peer_t *whole = peer->kin.within ? peer->kin.within->whole : peer;
  const uvow_protocol_t *protocol = whole->session.callee.protocol;
  asked_t asked = plain;
  if (uvow__protocol_can(protocol, UVOW__OP_SUBSCRIBE))
    asked.kind = UVOW__OP_SUBSCRIBE;
  asked.front = front;
  return request(peer, method, params, options, asked);
}

/* Its options are. */
static uvow_future_t *unreadable(uvow_peer_t *peer) {
  uvow__error_spec_t spec = {0};
  spec.code = UVOW_EINVAL;
  spec.outcome = UVOW_NOT_SENT;
  spec.detail =
      uvow__slice_of("options " UVOW__OPTIONS_TEXT(uvow_request_options_t));
  return uvow_future_rejected(peer->loop,
                              uvow__error_make(uvow__peer_mem(peer), &spec));
}

uvow_future_t *uvow_peer_request_with(uvow_peer_t *peer, const char *method,
                                      uvow_value_t params,
                                      const uvow_request_options_t *options) {
  uvow_request_options_t own;
  const void *known = uvow__options(options, &own, sizeof(own));
  if (peer && !known) {
    uvow_value_clear(&params);
    return unreadable(peer);
  }
  return ask(peer, method, params, (const uvow_request_options_t *)known);
}

uvow_future_t *uvow_peer_request(uvow_peer_t *peer, const char *method,
                                 uvow_value_t params) {
  return ask(peer, method, params, NULL);
}

uvow_future_t *uvow_peer_requestf(uvow_peer_t *peer, const char *method,
                                  const char *format, ...) {
  uvow_loop_t *loop = peer ? peer->loop : NULL;
  uvow_future_t *f = NULL;
  uvow__slice_t text;
  va_list args;
  va_start(args, format);
  int rc = uvow__params_format(loop, format, args, &text);
  va_end(args);
  if (peer) {
    f = rc ? rejected(peer, rc) : call_with(peer, method, text, NULL, 0);
    uvow__buf_clear(&loop->params, UVOW__READ_SIZE);
  }
  return f;
}

/* ---- notifications ---- */

uvow__op_kind_t uvow__peer_tells(const uvow_peer_t *peer) {
  const uvow_protocol_t *protocol = peer->session.callee.protocol;
  return peer->life.is_server && uvow__protocol_can(protocol, UVOW__OP_EVENT)
             ? UVOW__OP_EVENT
             : UVOW__OP_NOTIFY;
}

static int notify(uvow_peer_t *peer, const char *method, uvow__slice_t params) {
  uvow__op_t op;
  int rc = method
               ? uvow__peer_unusable(peer)
               : uvow__fail(peer->loop, UVOW_EINVAL, "method", uvow__fail_null);
  if (rc)
    return rc;
  uvow__op_init(&op);
  int is_first = uvow__within_is_first(peer);
  if (peer->kin.within) {
    uvow__within_set_session(peer->kin.within, &op);
    peer = peer->kin.within->whole;
  }
  op.kind = uvow__peer_tells(peer);
  op.method = uvow__slice_of(method);
  op.params = params;
  rc = transmit(peer, &op, NULL, is_first);
  return rc == UVOW_EINVAL ? uvow__fail_error(peer->loop, unwritable(peer, &op))
                           : rc;
}

int uvow_peer_notify(uvow_peer_t *peer, const char *method,
                     uvow_value_t params) {
  uvow__slice_t text;
  if (!peer) {
    uvow_value_clear(&params);
    return UVOW_EINVAL;
  }
  uvow_loop_t *loop = peer->loop;
  int rc = uvow__params_text(loop, &params, &text);
  if (rc == 0)
    rc = notify(peer, method, text);
  uvow__params_done(loop, &params);
  return rc;
}

int uvow_peer_notifyf(uvow_peer_t *peer, const char *method, const char *format,
                      ...) {
  uvow_loop_t *loop = peer ? peer->loop : NULL;
  uvow__slice_t text;
  va_list args;
  va_start(args, format);
  int rc = uvow__params_format(loop, format, args, &text);
  va_end(args);
  if (!peer)
    return UVOW_EINVAL;
  if (rc == 0)
    rc = notify(peer, method, text);
  uvow__buf_clear(&loop->params, UVOW__READ_SIZE);
  return rc;
}
