/*
 * The server: listens, and keeps its peers.
 *
 *   new -> listening -> peer -> (handshake, messages: calls) -> peer gone
 *   close -> no new peers -> close handshake with each -> closed
 *
 * 1. A peer's memory goes when its connection has ended, and then its calls are
 *    given up; never while a call of it answers (see `doom`).
 * 2. Freed within one of its own methods, the server's memory goes when that
 *    method returns.
 */
#include "server.h"

#include <string.h>

#define MIB ((size_t)1024 * 1024)

static const uvow__mem_t *mem_of(const uvow_server_t *server) {
  return uvow__loop_mem(server->loop);
}

/* Peers. */

static void on_peer_open(void *ctx) {
  (void)ctx;
}

static void on_peer_message(void *ctx, int opcode, const uint8_t *bytes,
                            size_t len) {
  uvow__peer_t *peer = (uvow__peer_t *)ctx;
  const uvow_protocol_t *protocol = peer->server->protocol;
  uvow__msg_t msg;
  if (opcode != UVOW__OP_TEXT ||
      uvow__protocol_decode(protocol, (const char *)bytes, len, &msg))
    uvow__call_refuse(peer, opcode == UVOW__OP_TEXT ? &msg : NULL);
  else if (msg.kind == UVOW__MSG_BAD_CALL || msg.kind == UVOW__MSG_MALFORMED)
    uvow__call_refuse(peer, &msg);
  else if (msg.kind == UVOW__MSG_CALL || msg.kind == UVOW__MSG_EVENT)
    uvow__call_begin(peer, &msg);
  /* Answers are to calls that a server never makes: nobody's. */
}

static void on_peer_end(void *ctx, uvow_error_t *error) {
  uvow__peer_t *peer = (uvow__peer_t *)ctx;
  uvow_error_unref(error);
  peer->connection = NULL;
  uvow__peer_drop(peer);
}

static void on_peer_close(void *ctx, const uvow_error_t *why) {
  (void)ctx; /* its end follows, once the echo is out */
  (void)why;
}

static void on_peer_writable(void *ctx) {
  (void)ctx;
}

static const uvow__connection_callbacks_t peer_callbacks = {
    on_peer_open, on_peer_message, on_peer_close, on_peer_writable,
    on_peer_end};

static void run_doom(uvow__task_t *task) {
  uvow__peer_drop(UVOW__CONTAINER(task, uvow__peer_t, doom));
}

void uvow__peer_accept(uvow_server_t *server, uvow__listener_t *listener) {
  uvow__peer_t *peer =
      (uvow__peer_t *)uvow__calloc(mem_of(server), sizeof(*peer));
  if (!peer)
    return;
  peer->server = server;
  uvow__list_init(&peer->calls);
  uvow__task_init(&peer->doom, run_doom);
  uvow__task_init(&peer->ask, uvow__peer_ask);
  if (uvow__connection_accept(server->loop, listener, &server->config,
                              &peer_callbacks, peer, &peer->connection)) {
    uvow__free(mem_of(server), peer);
    return;
  }
  uvow__list_append(&server->peers, &peer->link);
  server->peer_count++;
  if (server->peer_count > server->max_peers)
    uvow__peer_drop(peer);
}

void uvow__peer_drop(uvow__peer_t *peer) {
  uvow_server_t *server = peer->server;
  uvow__connection_t *connection = peer->connection;
  server->busy++; /* who is told of a cancel may free the server */
  peer->connection = NULL;
  if (connection)
    uvow__connection_abandon(connection);
  uvow__list_remove(&peer->link);
  server->peer_count--;
  uvow__task_cancel(&peer->doom);
  uvow__task_cancel(&peer->ask);
  if (peer->asking) {
    peer->asking->peer = NULL;
    peer->asking->request = NULL;
  }
  uvow__calls_drop(peer);
  uvow__free(mem_of(server), peer);
  uvow__server_peer_gone(server);
  uvow__server_idle(server);
}

void uvow__peer_doom(uvow__peer_t *peer) {
  if (!uvow__task_queued(&peer->doom))
    uvow__runtime_push(&peer->server->loop->rt, &peer->doom);
}

void uvow__peer_send(uvow__peer_t *peer, const uvow__splice_t *splice) {
  uvow__buf_t *text = &peer->server->scratch;
  uvow__splice_t whole = {{NULL, 0}, {NULL, 0}, 0};
  if (!peer->connection)
    return;
  if (splice)
    whole = *splice;
  whole.text.ptr = (const char *)uvow__buf_front(text);
  whole.text.len = uvow__buf_size(text);
  int rc =
      uvow__connection_send_splice(peer->connection, UVOW__OP_TEXT, &whole);
  /* Closing: nobody waits for it. Else it doesn't read what it asked for. */
  if (rc && rc != UVOW_ECLOSED)
    uvow__peer_doom(peer);
}

/* The server. */

static void on_incoming(void *ctx, uvow__listener_t *listener) {
  uvow__peer_accept((uvow_server_t *)ctx, listener);
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

void uvow__server_release(uvow_server_t *server) {
  uvow_loop_t *loop = server->loop;
  free_texts(server, server->subprotocols, server->subprotocol_count);
  free_texts(server, server->origins, server->origin_count);
  uvow__methods_done(&server->methods);
  uvow__buf_done(&server->scratch);
  uvow__buf_done(&server->result);
  uvow__pool_done(&server->calls);
  uvow_future_unref(server->closed);
  uvow_tls_unref(server->config.tls);
  int enrolled = server->freed; /* one that failed to start never was */
  uvow__free(uvow__loop_mem(loop), server);
  if (enrolled)
    uvow__loop_unpin(loop);
}

void uvow__server_idle(uvow_server_t *server) {
  if (--server->busy == 0 && server->freed)
    uvow__server_release(server);
}

void uvow__server_peer_gone(uvow_server_t *server) {
  uvow_future_t *closed = server->closed;
  if (!closed || server->peer_count)
    return;
  if (closed->state == UVOW_PENDING)
    uvow__future_fulfill(closed, uvow_value_none());
}

static void unlisten(uvow_server_t *server) {
  if (server->listener)
    uvow__tcp_unlisten(server->listener);
  server->listener = NULL;
  server->port = 0;
}

static void shut(uvow_server_t *server) {
  server->closing = 1;
  unlisten(server);
  while (!uvow__list_empty(&server->peers))
    uvow__peer_drop(UVOW__CONTAINER(server->peers.next, uvow__peer_t, link));
  uvow__server_peer_gone(server);
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
  return rc;
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
  config->tls = uvow_tls_ref(options->tls);
  config->on_request = uvow__peer_requested;
  server->on_handshake = options->on_handshake;
  server->handshake_data = options->data;
  server->max_peers = options->max_peers ? options->max_peers : 10000;
  server->max_calls = options->max_calls ? options->max_calls : 65536;
}

static int listen_on(uvow_server_t *server,
                     const uvow_server_options_t *options) {
  const char *host = options->host ? options->host : "127.0.0.1";
  if (options->tcp_keepalive_s > UVOW__KEEPALIVE_MAX_S ||
      (options->socket_path && (options->host || options->port)))
    return UVOW_EINVAL;
  int rc =
      options->socket_path
          ? uvow__pipe_listen(server->loop, options->socket_path,
                              &listener_callbacks, server, &server->listener)
          : uvow__tcp_listen(server->loop, host, options->port,
                             &listener_callbacks, server, &server->listener);
  if (rc)
    return rc;
  uvow__tcp_set_keepalive(server->listener, options->tcp_keepalive_s);
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
  uvow__methods_init(&server->methods, mem_of(server));
  uvow__pool_init(&server->calls, mem_of(server), sizeof(uvow_call_t));
  uvow__buf_init(&server->scratch, mem_of(server), SIZE_MAX);
  uvow__buf_init(&server->result, mem_of(server), SIZE_MAX);
  set_options(server, options);
  int rc =
      uvow__deflate_configure(&server->config.deflate, options->deflate, 1);
  if (rc == 0)
    rc = copy_lists(server, options);
  if (rc == 0)
    rc = listen_on(server, options);
  if (rc) {
    unlisten(server);
    uvow__server_release(server);
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
  return server ? server->peer_count : 0;
}

int uvow_server_method(uvow_server_t *server, const char *name,
                       uvow_method_cb cb, void *data, uvow_destroy_cb destroy) {
  if (!server || !name || !cb) {
    if (destroy)
      destroy(data);
    return UVOW_EINVAL;
  }
  return uvow__methods_set(&server->methods, name, cb, data, destroy);
}

int uvow_server_publish(uvow_server_t *server, const char *name,
                        const char *params, size_t len) {
  uvow__op_t op = {0};
  if (!server || !name)
    return UVOW_EINVAL;
  op.kind = UVOW__OP_EVENT;
  op.method.ptr = name;
  op.method.len = strlen(name);
  op.params.ptr = params;
  op.params.len = params ? len : 0;
  int rc = uvow__protocol_encode(server->protocol, &op, &server->scratch);
  for (uvow__list_t *at = server->peers.next; rc == 0 && at != &server->peers;
       at = at->next)
    uvow__peer_send(UVOW__CONTAINER(at, uvow__peer_t, link), NULL);
  uvow__buf_clear(&server->scratch, UVOW__READ_SIZE);
  return rc;
}

uvow_future_t *uvow_server_close(uvow_server_t *server) {
  if (!server)
    return NULL;
  if (server->closed)
    return uvow_future_ref(server->closed);
  server->closing = 1;
  unlisten(server);
  server->closed = uvow__future_new(&server->loop->rt, 1, UVOW__OBSERVED);
  uvow_future_t *f = uvow_future_ref(server->closed);
  server->busy++;
  /* Each once round: closing one that isn't open drops it. */
  for (size_t n = server->peer_count; n && server->peer_count; n--) {
    uvow__peer_t *peer =
        UVOW__CONTAINER(server->peers.next, uvow__peer_t, link);
    uvow__list_remove(&peer->link);
    uvow__list_append(&server->peers, &peer->link);
    uvow__connection_close(peer->connection, 1001, "");
  }
  uvow__server_peer_gone(server);
  uvow__server_idle(server);
  return f;
}

void uvow_server_free(uvow_server_t *server) {
  if (!server)
    return;
  uvow_loop_t *loop = server->loop;
  uvow__loop_depart(loop, &server->resident);
  server->busy++;
  shut(server);
  server->freed = 1;
  uvow__server_idle(server);
}
