/*
 * The server: listens, and keeps its peers.
 *
 *   new -> listening -> peer -> (handshake) -> open -> peer gone
 *   close -> no new peers, no new calls -> each is closed when its calls are
 *            answered, or close_timeout_ms is over -> closed
 *
 * 1. A peer is its own: it is counted, ends by itself, and then leaves the
 *    server. Nothing here calls the application, so the server's memory goes
 *    when it is freed, wherever that is done.
 * 2. Above max_peers a newcomer is a surplus peer: it gets as far as its
 *    handshake, which is refused (503), and is counted apart. With TLS, or
 *    above SURPLUS_MAX of them, it is closed before a byte is read.
 */
#include "server.h"

#include <string.h>

#define MIB ((size_t)1024 * 1024)
#define SURPLUS_MAX 64 /* peers that are being refused */

static const uvow__mem_t *mem_of(const uvow_server_t *server) {
  return uvow__loop_mem(server->loop);
}

static uvow_peer_t *peer_at(uvow__list_t *link) {
  return UVOW__CONTAINER(link, uvow_peer_t, link);
}

/* Peers. */

/* Whether one more may come, if only to be told that it can't stay: what says
 * so is small, but a handshake of TLS isn't. */
static int has_room(const uvow_server_t *server) {
  size_t surplus = server->surplus;
  return server->peer_count - surplus < server->max_peers ||
         (!server->tls && surplus < SURPLUS_MAX);
}

static void accept_peer(uvow_server_t *server, uvow__listener_t *listener) {
  if (!has_room(server))
    return; /* the listener closes it */
  uvow_peer_t *peer = uvow__peer_new(server->loop, &server->peer_options);
  if (!peer)
    return;
  uvow__ws_channel_init(&peer->ws, &uvow__peer_callbacks, peer);
  uvow__task_init(&peer->tell_open, uvow__server_ask);
  if (uvow__connection_accept(server->loop, listener, &server->config,
                              &uvow__ws_channel_callbacks, &peer->ws,
                              &peer->ws.connection)) {
    uvow_peer_unref(peer);
    return;
  }
  peer->held = peer->is_server = 1;
  peer->server = server;
  peer->session.callee.channel = &peer->ws.channel;
  peer->is_surplus = server->peer_count - server->surplus >= server->max_peers;
  server->surplus += (size_t)peer->is_surplus;
  uvow__list_append(&server->peers, &peer->link);
  server->peer_count++;
}

static void maybe_closed(uvow_server_t *server) {
  if (server->closing && server->peer_count == 0)
    uvow__gate_pass(&server->closed);
}

void uvow__server_peer_gone(uvow_server_t *server, uvow_peer_t *peer) {
  uvow__list_remove(&peer->link);
  uvow__list_append(&server->leaving, &peer->link);
  server->peer_count--;
  server->surplus -= (size_t)peer->is_surplus;
  maybe_closed(server);
}

/* The server. */

static void on_incoming(void *ctx, uvow__listener_t *listener) {
  accept_peer((uvow_server_t *)ctx, listener);
}

static void on_listener_closed(void *ctx) {
  (void)ctx; /* the server may be gone */
}

static const uvow__listener_callbacks_t listener_callbacks = {
    on_incoming, on_listener_closed};

static void free_texts(const uvow_server_t *server, char **texts,
                       size_t count) {
  for (size_t i = 0; i < count; i++)
    uvow__free(mem_of(server), texts[i]);
  uvow__free(mem_of(server), texts);
}

static void free_server(uvow_server_t *server) {
  free_texts(server, server->subprotocols, server->subprotocol_count);
  free_texts(server, server->origins, server->origin_count);
  uvow_methods_unref(server->peer_options.methods);
  free_texts(server, server->hosts, server->host_count);
  uvow__buf_done(&server->scratch);
  uvow_tls_unref(server->tls);
  uvow__free(mem_of(server), server);
}

static void unlisten(uvow_server_t *server) {
  if (server->listener)
    uvow__tcp_unlisten(server->listener);
  server->listener = NULL;
  server->port = 0;
}

/* Everything ends now; the struct stays. */
static void shut(uvow_server_t *server) {
  server->closing = 1;
  unlisten(server);
  while (!uvow__list_empty(&server->peers))
    uvow__peer_finish(peer_at(server->peers.next), NULL);
  maybe_closed(server);
}

static void evict(uvow__resident_t *resident) {
  shut(UVOW__CONTAINER(resident, uvow_server_t, resident));
}

/* On error, what was copied is to be freed all the same. */
static int copy_texts(const uvow_server_t *server, const char *const *texts,
                      size_t count, char ***ret, size_t *ret_count) {
  size_t size;
  if (count == 0)
    return 0;
  if (!texts || uvow__size_mul(count, sizeof(char *), &size))
    return UVOW_EINVAL;
  *ret = (char **)uvow__calloc(mem_of(server), size);
  if (!*ret)
    return UVOW_ENOMEM;
  *ret_count = count;
  for (size_t i = 0; i < count; i++) {
    if (!texts[i])
      return UVOW_EINVAL;
    (*ret)[i] = uvow__strndup(mem_of(server), texts[i], strlen(texts[i]));
    if (!(*ret)[i])
      return UVOW_ENOMEM;
  }
  return 0;
}

static int copy_lists(uvow_server_t *server,
                      const uvow_server_options_t *options) {
  int rc = copy_texts(server, options->subprotocols, options->subprotocol_count,
                      &server->subprotocols, &server->subprotocol_count);
  server->config.subprotocols = (const char *const *)server->subprotocols;
  server->config.subprotocol_count = server->subprotocol_count;
  if (rc == 0)
    rc = copy_texts(server, options->origins, options->origin_count,
                    &server->origins, &server->origin_count);
  if (rc == 0)
    rc = copy_texts(server, options->hosts, options->host_count, &server->hosts,
                    &server->host_count);
  return rc;
}

static uint64_t or_ms(uint32_t ms, uint64_t otherwise) {
  return ms == UVOW_NO_TIMEOUT ? 0 : ms ? ms : otherwise;
}

static void set_limits(uvow_server_t *server,
                       const uvow_server_options_t *options) {
  uvow__connection_config_t *config = &server->config;
  config->ping_ms = or_ms(options->ping_ms, 30000);
  config->dead_ms = or_ms(options->dead_ms, 75000);
  config->message_ms = or_ms(options->message_timeout_ms, 30000);
  config->quota = &server->quota;
  server->quota.max =
      options->server_max_bytes ? options->server_max_bytes : 1024 * MIB;
}

static void set_options(uvow_server_t *server,
                        const uvow_server_options_t *options) {
  uvow__connection_config_t *config = &server->config;
  config->open_ms =
      options->handshake_timeout_ms ? options->handshake_timeout_ms : 10000;
  config->close_ms =
      options->close_timeout_ms ? options->close_timeout_ms : 5000;
  config->max_message =
      options->max_message_bytes ? options->max_message_bytes : 16 * MIB;
  config->max_unsent =
      options->max_unsent_bytes ? options->max_unsent_bytes : 64 * MIB;
  config->transport = &uvow__tcp_transport;
  server->tls = uvow_tls_ref(options->tls);
  if (server->tls) {
    uvow__tls_transport_init(&server->tls_transport, config->transport,
                             server->tls);
    config->transport = &server->tls_transport.transport;
  }
  set_limits(server, options);
  config->on_request = uvow__server_requested;
  server->on_handshake = options->on_handshake;
  server->handshake_data = options->data;
  server->max_peers = options->max_peers ? options->max_peers : 10000;
}

static void set_peer_options(uvow_server_t *server,
                             const uvow_server_options_t *options) {
  uvow_peer_options_t *peer = &server->peer_options;
  peer->size = sizeof(*peer);
  peer->protocol = options->protocol;
  peer->on_state = options->on_state;
  peer->data = options->data;
  peer->timeout_ms = options->timeout_ms;
  peer->close_timeout_ms = options->close_timeout_ms;
  peer->stall_ms = options->stall_ms;
  peer->no_cancel = options->no_cancel;
  peer->max_pending = options->max_pending;
  peer->max_calls = options->max_calls;
  peer->max_call_bytes = options->max_call_bytes;
  peer->max_unsent_bytes = server->config.max_unsent;
}

static int listen_on(uvow_server_t *server,
                     const uvow_server_options_t *options) {
  const char *host = options->host ? options->host : "127.0.0.1";
  if (options->tcp_keepalive_s > UVOW__KEEPALIVE_MAX_S ||
      (options->socket_path && (options->host || options->port)))
    return UVOW_EINVAL;
  const uvow__transport_t *transport = server->config.transport;
  uvow__endpoint_t endpoint = {0};
  server->is_loopback =
      !options->socket_path &&
      (strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0);
  endpoint.host = host;
  endpoint.port = options->port;
  endpoint.path = options->socket_path;
  endpoint.keepalive_s = options->tcp_keepalive_s;
  int rc = transport->listen(transport, server->loop, &endpoint,
                             &listener_callbacks, server, &server->listener);
  if (rc)
    return rc;
  return uvow__tcp_port(server->listener, &server->port);
}

int uvow_server_new(uvow_loop_t *loop, const uvow_server_options_t *options,
                    uvow_server_t **ret_server) {
  if (!loop || !options || options->size != sizeof(*options) ||
      !options->protocol || !ret_server ||
      (options->tls && !uvow__tls_fits(options->tls, loop, 1)))
    return UVOW_EINVAL;
  if (loop->rt.closed)
    return UVOW_ECLOSED;
  uvow_server_t *server =
      (uvow_server_t *)uvow__calloc(uvow__loop_mem(loop), sizeof(*server));
  if (!server)
    return UVOW_ENOMEM;
  server->loop = loop;
  server->resident.evict = evict;
  server->protocol = options->protocol;
  uvow__list_init(&server->peers);
  uvow__list_init(&server->leaving);
  uvow__gate_init(&server->closed, &loop->rt);
  uvow__buf_init(&server->scratch, mem_of(server), SIZE_MAX);
  set_options(server, options);
  set_peer_options(server, options);
  server->peer_options.methods = options->methods
                                     ? uvow_methods_ref(options->methods)
                                     : uvow_methods_new(loop);
  int rc = server->peer_options.methods ? 0 : UVOW_ENOMEM;
  if (rc == 0)
    rc = uvow__deflate_configure(&server->config.deflate, options->deflate, 1);
  if (rc == 0)
    rc = copy_lists(server, options);
  if (rc == 0)
    rc = listen_on(server, options);
  if (rc) {
    unlisten(server);
    free_server(server);
    return rc;
  }
  uvow__loop_enroll(loop, &server->resident);
  *ret_server = server;
  return 0;
}

uint16_t uvow_server_port(const uvow_server_t *server) {
  return server ? server->port : 0;
}

size_t uvow_server_peers(const uvow_server_t *server) {
  return server ? server->peer_count - server->surplus : 0;
}

int uvow_server_method(uvow_server_t *server, const char *name,
                       uvow_method_cb cb, void *data, uvow_destroy_cb destroy) {
  if (!server || !name || !cb) {
    if (destroy)
      destroy(data);
    return UVOW_EINVAL;
  }
  return uvow__methods_set(server->peer_options.methods, name, cb, data,
                           destroy);
}

int uvow_server_publish(uvow_server_t *server, const char *name,
                        const char *params, size_t len) {
  uvow__op_t op = {0};
  uvow__splice_t text = {{NULL, 0}, {NULL, 0}, 0};
  if (!server || !name)
    return UVOW_EINVAL;
  op.kind = UVOW__OP_EVENT;
  op.method.ptr = name;
  op.method.len = strlen(name);
  op.params.ptr = params;
  op.params.len = params ? len : 0;
  int rc = uvow__protocol_encode(server->protocol, &op, &server->scratch);
  text.text.ptr = (const char *)uvow__buf_front(&server->scratch);
  text.text.len = uvow__buf_size(&server->scratch);
  for (uvow__list_t *at = server->peers.next; rc == 0 && at != &server->peers;
       at = at->next)
    uvow__callee_send_text(&peer_at(at)->session.callee, &text);
  uvow__buf_clear(&server->scratch, UVOW__READ_SIZE);
  return rc;
}

uvow_future_t *uvow_server_close(uvow_server_t *server) {
  if (!server)
    return NULL;
  uvow_future_t *f = uvow__gate_wait(&server->closed);
  if (!server->closing) {
    server->closing = 1;
    unlisten(server);
    /* Each once round: one that isn't open yet ends at once. */
    for (size_t n = server->peer_count; n; n--) {
      uvow_peer_t *peer = peer_at(server->peers.next);
      uvow__list_remove(&peer->link);
      uvow__list_append(&server->peers, &peer->link);
      uvow__peer_drain(peer, 1001);
    }
  }
  maybe_closed(server);
  return f;
}

void uvow_server_free(uvow_server_t *server) {
  if (!server)
    return;
  uvow_loop_t *loop = server->loop;
  uvow__loop_depart(loop, &server->resident);
  shut(server);
  while (!uvow__list_empty(&server->leaving)) {
    uvow_peer_t *peer = peer_at(server->leaving.next);
    uvow__list_remove(&peer->link);
    peer->on_state = NULL; /* its data may go with the server */
  }
  free_server(server);
  uvow__loop_unpin(loop);
}
