/*
 * Listening for WebSockets.
 *
 *   socket -> accepted -> guest -> (greeting.c: its handshake) -> open
 *          -> a server's on_open, or: waiting -> the stream `accepted`
 *   nobody takes them -> the socket waits, and all behind it
 *
 * 1. The listener owns a guest until it's delivered, and counts it until it has
 *    gone. Guests outlive it.
 * 2. Above max_peers a newcomer is surplus: it gets as far as its handshake,
 *    which is refused (503). With TLS, or above SURPLUS_MAX of them, it is closed
 *    before a byte is read.
 * 3. Its memory goes when it is freed and its socket is closed.
 */
#include "listener.h"

#include <string.h>

#include "base/table.h"
#include "future/fail.h"

#define SURPLUS_MAX 64 /* peers that are being refused */

static uvow_websocket_t *guest_at(uvow__list_t *link) {
  return &UVOW__CONTAINER(link, uvow__guest_t, link)->ws;
}

static uvow_websocket_t *waiting_at(uvow__list_t *link) {
  return &UVOW__CONTAINER(link, uvow__guest_t, waiting)->ws;
}

/* Memory. */

static void unpin(uvow_listener_t *listener) {
  if (--listener->pins)
    return;
  uvow_loop_t *loop = listener->loop;
  if (listener->accepted)
    uvow__stream_unpin(listener->accepted);
  uvow__ws_config_unref(listener->config);
  uvow__free(uvow__loop_mem(loop), listener);
  uvow__loop_unpin(loop);
}

static void unlisten(uvow_listener_t *listener) {
  if (listener->socket)
    uvow__unlisten(listener->socket);
  listener->socket = NULL;
  listener->port = 0;
}

/* Delivering. */

static int has_stream(const uvow_listener_t *listener) {
  return listener->accepted && (listener->accepted->flags & UVOW__SINK_OUT) &&
         !(listener->accepted->flags & UVOW__STREAM_GONE);
}

/* Whether somebody takes what is accepted. */
static int is_wanted(const uvow_listener_t *listener) {
  return listener->on_open ||
         (has_stream(listener) && uvow__list_empty(&listener->waiting) &&
          uvow__stream_has_room(listener->accepted));
}

static void deliver(uvow_listener_t *listener) {
  while (!uvow__list_empty(&listener->waiting) && has_stream(listener) &&
         uvow__stream_has_room(listener->accepted)) {
    uvow_websocket_t *ws = waiting_at(listener->waiting.next);
    uvow__list_remove(&ws->guest->waiting);
    ws->guest->is_ours = 0;
    (void)uvow__stream_put_value(listener->accepted,
                                 uvow_value_ptr(&uvow_type_websocket, ws));
  }
}

/* The stream ends behind the last that waits. */
static void end_stream(uvow_listener_t *listener) {
  if (!has_stream(listener) || !uvow__list_empty(&listener->waiting))
    return;
  uvow__stream_end(listener->accepted, uvow_value_none());
  uvow__stream_sink_gone(listener->accepted);
}

/* Whoever has it now, it isn't the listener. */
static void release(uvow_websocket_t *ws) {
  uvow__list_remove(&ws->guest->waiting);
  if (!ws->guest->is_ours)
    return;
  ws->guest->is_ours = 0;
  uvow_websocket_unref(ws);
}

/* Ends those that aren't open. */
static void end_handshakes(uvow_listener_t *listener) {
  uvow__list_t *after;
  for (uvow__list_t *at = listener->guests.next; at != &listener->guests;
       at = after) {
    uvow_websocket_t *ws = guest_at(at);
    after = at->next;
    if (ws->state == UVOW__WS_CONNECTING)
      uvow__websocket_end(ws, UVOW_ECLOSED, 1001, "the listener was closed");
  }
}

void uvow__listener_end(uvow_listener_t *listener) {
  if (listener->closing)
    return;
  listener->closing = 1;
  unlisten(listener);
  end_handshakes(listener);
  end_stream(listener);
}

static void run_go_on(uvow__task_t *task) {
  uvow_listener_t *listener = UVOW__CONTAINER(task, uvow_listener_t, go_on);
  if (listener->accepted && (listener->accepted->flags & UVOW__STREAM_GONE) &&
      (listener->accepted->flags & UVOW__SINK_OUT)) {
    while (!uvow__list_empty(&listener->waiting))
      release(waiting_at(listener->waiting.next));
    uvow__stream_sink_gone(listener->accepted);
    if (!listener->on_open)
      uvow__listener_end(listener);
  }
  deliver(listener);
  if (listener->closing)
    end_stream(listener);
  else if (listener->held && is_wanted(listener)) {
    listener->held = 0;
    listener->socket->ops->resume(listener->socket);
  }
  unpin(listener);
}

static void go_on(uvow_listener_t *listener) {
  if (uvow__task_queued(&listener->go_on))
    return;
  listener->pins++;
  uvow__stream_soon(&listener->loop->rt, &listener->go_on);
}

static void on_stream(uvow_stream_t *stream) {
  go_on((uvow_listener_t *)stream->source);
}

static const uvow__source_ops_t source_ops = {on_stream, on_stream};

void uvow__guest_opened(uvow_websocket_t *ws) {
  uvow_listener_t *listener = ws->guest->listener;
  if (listener->on_open) {
    listener->on_open(listener->ctx, ws);
    if (ws->in.messages) /* asked for in its handshake */
      uvow__stream_fail_code(ws->in.messages, UVOW_EBUSY);
    release(ws);
  } else if (!ws->in.messages && uvow__in_init(ws)) {
    uvow__websocket_end(ws, UVOW_ENOMEM, 1013, "no memory for its messages");
  } else {
    uvow__list_append(&listener->waiting, &ws->guest->waiting);
    deliver(listener);
  }
}

/* Accepting. */

/* The host of an address: what stands before its port. */
static size_t host_len(const char *address) {
  const char *colon = strrchr(address, ':');
  return colon ? (size_t)(colon - address) : 0;
}

static uvow__list_t *list_of(uvow_listener_t *listener, const char *address,
                             size_t len) {
  uint64_t hash =
      uvow__hash_text(listener->seed, (uvow__slice_t){address, len});
  return &listener->addresses[hash % UVOW__ADDRESSES];
}

/* Counts the guest to its address. Whether there is room for it. */
static int fits_address(uvow_listener_t *listener, uvow_websocket_t *ws) {
  const uvow__listen_config_t *config = listener->config->listen;
  const char *address = uvow_websocket_address(ws);
  size_t len = host_len(address);
  size_t count = 0;
  if (len == 0 || config->max_peers_per_address >= config->max_peers)
    return 1;
  uvow__list_t *list = list_of(listener, address, len);
  for (uvow__list_t *at = list->next; at != list; at = at->next) {
    const char *other = uvow_websocket_address(
        &UVOW__CONTAINER(at, uvow__guest_t, by_address)->ws);
    count += host_len(other) == len && memcmp(other, address, len) == 0;
  }
  if (count >= config->max_peers_per_address)
    return 0;
  uvow__list_append(list, &ws->guest->by_address);
  return 1;
}

/* Whether one more may come, if only to be told that it can't stay: what says
 * so is small, but a handshake of TLS isn't. */
static int has_room(const uvow_listener_t *listener) {
  return uvow__listener_count(listener) < listener->config->listen->max_peers ||
         (!listener->config->tls && listener->surplus < SURPLUS_MAX);
}

/* A peer that is there: whether it may stay, or is told that it can't. */
static void seat(uvow_listener_t *listener, uvow_websocket_t *ws) {
  int full =
      uvow__listener_count(listener) >= listener->config->listen->max_peers;
  ws->guest->listener = listener;
  ws->guest->is_ours = 1;
  uvow__list_append(&listener->guests, &ws->guest->link);
  listener->count++;
  if (!full && fits_address(listener, ws))
    return;
  ws->guest->is_surplus = 1;
  if (++listener->surplus > SURPLUS_MAX || listener->config->tls)
    ws->channel.ops->drop(&ws->channel);
}

static void on_incoming(void *ctx, uvow__listener_t *socket) {
  uvow_listener_t *listener = (uvow_listener_t *)ctx;
  if (!is_wanted(listener)) {
    listener->held = 1;
    socket->ops->wait(socket);
    return;
  }
  if (!has_room(listener))
    return; /* the socket closes it */
  uvow__guest_t *guest = (uvow__guest_t *)uvow__calloc(
      uvow__loop_mem(listener->loop), sizeof(*guest));
  if (!guest)
    return;
  uvow_websocket_t *ws = &guest->ws;
  uvow__websocket_init(ws, listener->config);
  uvow__guest_init(guest);
  uvow__websocket_pin(ws);
  if (uvow__connection_accept(listener->config, socket, listener->transport,
                              uvow__websocket_callbacks(ws), ws,
                              &ws->connection) ||
      uvow__says_who(ws, UVOW__WHO_ADDRESS))
    uvow_websocket_unref(ws);
  else
    seat(listener, ws);
  uvow__websocket_unpin(ws);
}

static void on_socket_closed(void *ctx) {
  uvow_listener_t *listener = (uvow_listener_t *)ctx;
  listener->is_open = 0;
  uvow__gate_pass(&listener->closed);
  unpin(listener);
}

static const uvow__listener_callbacks_t socket_callbacks = {on_incoming,
                                                            on_socket_closed};

void uvow__guest_left(uvow_websocket_t *ws) {
  uvow_listener_t *listener = ws->guest->listener;
  uvow__guest_undecided(ws->guest);
  if (!listener)
    return;
  ws->guest->listener = NULL;
  uvow__list_remove(&ws->guest->link);
  uvow__list_remove(&ws->guest->by_address);
  listener->count--;
  listener->surplus -= (size_t)ws->guest->is_surplus;
  if (uvow__list_empty(&ws->guest->waiting))
    release(ws);
}

/* Its life. */

static void on_loop_close(uvow__resident_t *resident) {
  uvow__listener_end(UVOW__CONTAINER(resident, uvow_listener_t, resident));
}

static int listen_on(uvow_listener_t *listener,
                     const uvow_listener_options_t *options) {
  uvow__endpoint_t endpoint = {0};
  endpoint.host = options->host ? options->host : "127.0.0.1";
  endpoint.port = options->port;
  endpoint.path = options->socket_path;
  endpoint.keepalive_s = options->tcp_keepalive_s;
  int rc = listener->transport->listen(listener->transport, listener->loop,
                                       &endpoint, &socket_callbacks, listener,
                                       &listener->socket);
  if (rc == UVOW_EINVAL)
    return uvow__fail(listener->loop, rc, "options.host",
                      "must be a numeric address");
  if (rc == 0) {
    listener->pins++;
    listener->is_open = 1;
    rc = uvow__listens_at(listener->socket, &listener->port);
  }
  return rc ? uvow__fail(listener->loop, rc, NULL, NULL) : 0;
}

static void init(uvow_listener_t *listener, uvow_loop_t *loop,
                 const uvow_listener_options_t *options,
                 const uvow__transport_t *transport) {
  listener->loop = loop;
  listener->resident.on_loop_close = on_loop_close;
  listener->pins = 1; /* its owner's */
  listener->on_handshake = options->on_handshake;
  listener->data = options->data;
  listener->transport = transport;
  listener->seed = uvow__runtime_random(&loop->rt);
  uvow__list_init(&listener->guests);
  uvow__list_init(&listener->waiting);
  for (size_t i = 0; i < UVOW__ADDRESSES; i++)
    uvow__list_init(&listener->addresses[i]);
  uvow__task_init(&listener->go_on, run_go_on);
  uvow__gate_init(&listener->closed, &loop->rt);
  uvow__loop_enroll(loop, &listener->resident);
}

int uvow__listener_new(uvow_loop_t *loop,
                       const uvow_listener_options_t *options,
                       const uvow__transport_t *transport,
                       uvow_listener_t **ret_listener) {
  uvow_listener_options_t own;
  options = UVOW__OPTIONS(loop, options, &own, uvow_listener_options_t);
  if (!loop || !options)
    return UVOW_EINVAL;
  if (loop->rt.closed)
    return uvow__fail(loop, UVOW_ECLOSED, "the loop", uvow__fail_closed);
  uvow_listener_t *listener =
      (uvow_listener_t *)uvow__calloc(uvow__loop_mem(loop), sizeof(*listener));
  if (!listener)
    return UVOW_ENOMEM;
  init(listener, loop, options, transport);
  int rc = uvow__ws_config_listen(loop, options, &listener->config);
  if (rc == 0 && listener->config->tls) {
    uvow__tls_transport_init(&listener->tls, transport, listener->config->tls);
    listener->transport = &listener->tls.transport;
  }
  if (rc == 0)
    rc = listen_on(listener, options);
  if (rc)
    uvow_listener_free(listener);
  else
    *ret_listener = listener;
  return rc;
}

uvow_listener_t *uvow_listener_new(uvow_loop_t *loop,
                                   const uvow_listener_options_t *options) {
  uvow_listener_t *listener = NULL;
  (void)uvow__listener_new(loop, options, &uvow__tcp_transport, &listener);
  return listener;
}

void uvow__listener_claim(uvow_listener_t *listener,
                          void (*on_open)(void *ctx, uvow_websocket_t *ws),
                          void *ctx) {
  listener->on_open = on_open;
  listener->ctx = ctx;
  go_on(listener);
}

int uvow__listener_offer(uvow_listener_t *listener, const char *subprotocol) {
  return uvow__texts_add(&listener->config->subprotocols,
                         uvow__loop_mem(listener->loop), subprotocol);
}

uint16_t uvow_listener_port(const uvow_listener_t *listener) {
  return listener ? listener->port : 0;
}

uvow_stream_t *uvow_listener_accept(uvow_listener_t *listener) {
  static const uvow_stream_options_t bounds = {
      .size = sizeof(bounds), .max_items = 64, .full = UVOW_FULL_WAIT};
  if (!listener)
    return NULL;
  if (listener->on_open)
    return uvow__stream_failed(&listener->loop->rt, UVOW_EBUSY);
  if (listener->accepted)
    return uvow_stream_ref(listener->accepted);
  uvow_stream_t *s =
      uvow__stream_new(&listener->loop->rt, sizeof(*s), &source_ops, &bounds);
  if (!s)
    return NULL;
  s->source = listener;
  uvow__stream_pin(s);
  listener->accepted = s;
  if (listener->closing)
    end_stream(listener);
  else
    go_on(listener);
  return s;
}

uvow_future_t *uvow_listener_close(uvow_listener_t *listener) {
  if (!listener)
    return NULL;
  uvow_future_t *f = uvow__gate_wait(&listener->closed);
  if (!listener->is_open)
    uvow__gate_pass(&listener->closed);
  uvow__listener_end(listener);
  return f;
}

void uvow_listener_free(uvow_listener_t *listener) {
  if (!listener)
    return;
  uvow__listener_end(listener);
  while (!uvow__list_empty(&listener->waiting))
    release(waiting_at(listener->waiting.next));
  end_stream(listener);
  while (!uvow__list_empty(&listener->guests))
    uvow__guest_left(guest_at(listener->guests.next));
  uvow__loop_depart(listener->loop, &listener->resident);
  unpin(listener);
}
