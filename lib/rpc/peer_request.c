/*
 * What is asked of a peer, and what it can tell of itself.
 *
 * 1. A request has its slot before its bytes go anywhere (R1).
 * 2. A client's face passes on what is asked of it.
 */
#include "client.h"
#include "peer.h"
#include "wire/traceparent.h"

#define NS_PER_US 1000u

static uvow__slice_t slice_of(const char *text) {
  uvow__slice_t slice = {text, text ? strlen(text) : 0};
  return slice;
}

int uvow__params_text(uvow_loop_t *loop, const uvow_value_t *params,
                      uvow__slice_t *ret_text) {
  uvow__buf_t *text = &loop->params;
  *ret_text = (uvow__slice_t){NULL, 0};
  if (!params->type)
    return 0;
  text->max = SIZE_MAX;
  int rc = uvow__value_to_json(params, text);
  if (rc == 0) {
    ret_text->ptr = (const char *)uvow__buf_front(text);
    ret_text->len = uvow__buf_size(text);
  }
  return rc;
}

static void params_done(uvow_loop_t *loop, uvow_value_t *params) {
  uvow__buf_clear(&loop->params, UVOW__READ_SIZE);
  uvow_value_clear(params);
}

static uvow_future_t *rejected(const uvow_peer_t *peer, int code) {
  uvow__error_spec_t spec = {0};
  spec.code = code;
  spec.outcome = UVOW_NOT_SENT;
  spec.cause = peer->why;
  return uvow_future_rejected(
      peer->loop, uvow__error_make(uvow__loop_mem(peer->loop), &spec));
}

static int check(const uvow_peer_t *peer, const char *method,
                 const uvow_request_options_t *options, uint32_t *ret_ms) {
  uint32_t ms = peer->timeout_ms;
  if (!method || (options && options->size != sizeof(*options)))
    return UVOW_EINVAL;
  if (options && options->traceparent &&
      !uvow__traceparent_valid(slice_of(options->traceparent)))
    return UVOW_EINVAL;
  if (options && options->timeout_ms)
    ms = options->timeout_ms;
  *ret_ms = ms == UVOW_NO_TIMEOUT ? 0 : ms;
  return peer->state == UVOW_PEER_OPEN ? 0 : UVOW_ECLOSED;
}

static uvow_future_t *request(uvow_peer_t *peer, const char *method,
                              uvow__slice_t params,
                              const uvow_request_options_t *options) {
  uvow_future_t *f;
  uvow__request_t *registered;
  uvow__op_t op = {0};
  uint32_t ms = 0;
  int rc = check(peer, method, options, &ms);
  if (rc == 0)
    rc = uvow__dispatcher_register(&peer->dispatcher, ms, &f, &registered);
  if (rc)
    return rejected(peer, rc);
  registered->method = (uint16_t)uvow__intern(&peer->methods, method);
  op.kind = UVOW__OP_CALL;
  op.id = registered->id;
  op.method = slice_of(method);
  op.params = params;
  if (options) {
    op.session = slice_of(options->session);
    op.traceparent = slice_of(options->traceparent);
  }
  rc = uvow__callee_send(&peer->session.callee, &op);
  if (rc) {
    uvow__dispatcher_fail(registered, rc);
    return f;
  }
  uvow__dispatcher_mark_sent(registered, uvow__runtime_now(&peer->loop->rt));
  uvow__session_pace(&peer->session);
  return f;
}

uvow_future_t *uvow_peer_request_with(uvow_peer_t *peer, const char *method,
                                      uvow_value_t params,
                                      const uvow_request_options_t *options) {
  uvow__slice_t text;
  uvow_future_t *f;
  if (!peer) {
    uvow_value_clear(&params);
    return NULL;
  }
  uvow_loop_t *loop = peer->loop;
  int rc = uvow__params_text(loop, &params, &text);
  if (rc)
    f = rejected(peer, rc);
  else if (peer->client)
    f = uvow_client_request_bytes(peer->client, method, text.ptr, text.len,
                                  options);
  else
    f = request(peer, method, text, options);
  params_done(loop, &params);
  return f;
}

uvow_future_t *uvow_peer_request(uvow_peer_t *peer, const char *method,
                                 uvow_value_t params) {
  return uvow_peer_request_with(peer, method, params, NULL);
}

uvow__op_kind_t uvow__peer_tells(const uvow_peer_t *peer) {
  const uvow_protocol_t *protocol = peer->session.callee.protocol;
  return peer->is_server && uvow__protocol_can(protocol, UVOW__OP_EVENT)
             ? UVOW__OP_EVENT
             : UVOW__OP_NOTIFY;
}

static int notify(uvow_peer_t *peer, const char *method, uvow__slice_t params) {
  uvow__op_t op = {0};
  if (!method)
    return UVOW_EINVAL;
  if (peer->state != UVOW_PEER_OPEN)
    return UVOW_ECLOSED;
  op.kind = uvow__peer_tells(peer);
  op.method = slice_of(method);
  op.params = params;
  return uvow__callee_send(&peer->session.callee, &op);
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
  if (rc == 0 && peer->client)
    rc = uvow_client_notify_bytes(peer->client, method, text.ptr, text.len);
  else if (rc == 0)
    rc = notify(peer, method, text);
  params_done(loop, &params);
  return rc;
}

uvow_future_t *uvow_peer_close(uvow_peer_t *peer) {
  if (!peer)
    return NULL;
  if (peer->client)
    return uvow_client_close(peer->client);
  if (peer->state == UVOW_PEER_CLOSED)
    return uvow_future_fulfilled(peer->loop, uvow_value_none());
  uvow_future_t *f = uvow__gate_wait(&peer->closed);
  uvow__peer_drain(peer, 1000);
  return f;
}

void uvow_peer_end(uvow_peer_t *peer) {
  if (peer && peer->client)
    uvow__client_shut(peer->client);
  else if (peer)
    uvow__peer_finish(peer, NULL);
}

uvow_peer_state_t uvow_peer_state(const uvow_peer_t *peer) {
  static const uvow_peer_state_t of_client[] = {
      [UVOW_CLIENT_CONNECTING] = UVOW_PEER_CONNECTING,
      [UVOW_CLIENT_OPEN] = UVOW_PEER_OPEN,
      [UVOW_CLIENT_WAITING] = UVOW_PEER_WAITING,
      [UVOW_CLIENT_CLOSING] = UVOW_PEER_CLOSING,
      [UVOW_CLIENT_CLOSED] = UVOW_PEER_CLOSED,
  };
  if (!peer)
    return UVOW_PEER_CLOSED;
  return peer->client ? of_client[uvow_client_state(peer->client)]
                      : peer->state;
}

const char *uvow_peer_state_name(uvow_peer_state_t state) {
  static const char *const names[] = {"unknown", "connecting", "opening",
                                      "open",    "waiting",    "closing",
                                      "closed"};
  unsigned at = (unsigned)state;
  return at < sizeof(names) / sizeof(*names) ? names[at] : names[0];
}

void uvow_peer_set_data(uvow_peer_t *peer, void *data,
                        uvow_destroy_cb destroy) {
  uvow_destroy_cb old_destroy = destroy;
  void *old = data;
  if (peer) {
    old_destroy = peer->destroy;
    old = peer->data;
    peer->data = data;
    peer->destroy = destroy;
  }
  if (old_destroy)
    old_destroy(old);
}

void *uvow_peer_data(const uvow_peer_t *peer) {
  return peer ? peer->data : NULL;
}

const char *uvow_peer_target(const uvow_peer_t *peer) {
  return peer && peer->handshake ? peer->handshake : "";
}

const char *uvow_peer_header(const uvow_peer_t *peer, const char *name) {
  if (!peer || !peer->handshake || !name)
    return NULL;
  const char *at = peer->handshake + strlen(peer->handshake) + 1;
  while (*at) {
    const char *value = at + strlen(at) + 1;
    if (uvow__slice_is_nocase(slice_of(at), name))
      return value;
    at = value + strlen(value) + 1;
  }
  return NULL;
}

int uvow_peer_get_stats(const uvow_peer_t *peer, uvow_peer_stats_t *ret) {
  if (!peer || !ret || ret->size != sizeof(*ret))
    return UVOW_EINVAL;
  const uvow__session_t *session = uvow__peer_session(peer);
  const uvow__dispatcher_t *d = session->dispatcher;
  memset(ret, 0, sizeof(*ret));
  ret->size = sizeof(*ret);
  ret->requests = d->count.requests;
  ret->answered = d->count.answered;
  ret->timed_out = d->count.timed_out;
  ret->canceled = d->count.canceled;
  ret->failed = d->count.failed;
  ret->calls = session->calls;
  ret->events = session->events;
  ret->late = session->strays[UVOW__STRAY_LATE];
  ret->duplicate = session->strays[UVOW__STRAY_DUPLICATE];
  ret->unknown = session->strays[UVOW__STRAY_UNKNOWN];
  ret->malformed = session->strays[UVOW__STRAY_MALFORMED];
  ret->pending = d->live;
  ret->calls_under_way = session->callee.count;
  ret->call_bytes = session->callee.bytes;
  if (session->callee.channel)
    ret->unsent_bytes = uvow__channel_unsent(session->callee.channel);
  return 0;
}

typedef struct walk {
  const uvow__intern_t *methods;
  uvow_pending_cb cb;
  void *data;
  uint64_t now_ns;
} walk_t;

static void visit(const uvow__request_t *request, void *data) {
  walk_t *walk = (walk_t *)data;
  uvow_pending_t pending;
  memset(&pending, 0, sizeof(pending));
  pending.size = sizeof(pending);
  pending.id = request->id;
  pending.method = uvow__intern_text(walk->methods, request->method).ptr;
  pending.in_flight = request->sent;
  pending.outcome = request->was_sent ? UVOW_MAYBE_EXECUTED : UVOW_NOT_SENT;
  if (request->sent && walk->now_ns > request->sent_ns)
    pending.age_us = (walk->now_ns - request->sent_ns) / NS_PER_US;
  walk->cb(&pending, walk->data);
}

size_t uvow_peer_walk(const uvow_peer_t *peer, uvow_pending_cb cb, void *data) {
  walk_t walk = {NULL, cb, data, 0};
  if (!peer)
    return 0;
  if (peer->client)
    return uvow_client_walk_pending(peer->client, cb, data);
  walk.methods = &peer->methods;
  walk.now_ns = uvow__runtime_now(&peer->loop->rt);
  if (cb)
    uvow__dispatcher_walk(&peer->dispatcher, visit, &walk);
  return peer->dispatcher.live;
}
