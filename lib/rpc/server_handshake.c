/*
 * What a server says to a handshake: its origins, and whom the user refuses.
 *
 *   on_request --origin isn't welcome--> 403
 *              --nobody to ask--> accepted
 *              --> uvow__server_ask, a task --on_handshake--> answered
 *
 * 1. The user is asked from the task queue, never from within the socket's
 *    read. The server, or the connection, may go meanwhile: then there is no
 *    answer.
 * 2. Text is shown NUL-terminated, where it stands in the request's head: the
 *    byte behind each is one that nobody reads again.
 * 3. A peer keeps a copy of it, as the request's memory goes with the
 * handshake.
 */
#include "server.h"

#include <string.h>

static const uvow__mem_t *mem_of(const uvow_server_t *server) {
  return uvow__loop_mem(server->loop);
}

static int is_listed(const uvow_server_t *server, uvow__slice_t origin) {
  for (size_t i = 0; i < server->origin_count; i++)
    if (uvow__slice_is_nocase(origin, server->origins[i]))
      return 1;
  return 0;
}

/* RFC 6455 10.2. */
static int is_welcome(const uvow_server_t *server, const uvow__http_t *http) {
  uvow__slice_t origin = {"", 0};
  if (server->origin_count == 0)
    return 1;
  if (uvow__http_header(http, "Origin", &origin) > 1)
    return 0;
  return is_listed(server, origin);
}

static void put(char **at, uvow__slice_t text) {
  if (text.len)
    memcpy(*at, text.ptr, text.len);
  (*at)[text.len] = '\0';
  *at += text.len + 1;
}

/* Target and headers, for the peer: see its `handshake`. */
static int keep_head(uvow_peer_t *peer, const uvow__http_t *http) {
  uvow__slice_t target = uvow__http_target(http);
  uvow__slice_t key, value;
  size_t size = target.len + 2; /* a head's bytes are bounded */
  for (size_t i = 0; i < uvow__http_count(http); i++) {
    uvow__http_field(http, i, &key, &value);
    size += key.len + value.len + 2;
  }
  char *at = (char *)uvow__malloc(uvow__loop_mem(peer->loop), size);
  if (!at)
    return UVOW_ENOMEM;
  peer->handshake = at;
  put(&at, target);
  for (size_t i = 0; i < uvow__http_count(http); i++) {
    uvow__http_field(http, i, &key, &value);
    put(&at, key);
    put(&at, value);
  }
  *at = '\0';
  return 0;
}

int uvow__server_requested(void *ctx, uvow__http_t *http) {
  uvow_peer_t *peer = (uvow_peer_t *)((uvow__ws_channel_t *)ctx)->channel.ctx;
  uvow_server_t *server = peer->server;
  if (!is_welcome(server, http))
    return 403;
  if (keep_head(peer, http))
    return 503;
  if (!server->on_handshake) {
    peer->tell_open.run = uvow__peer_tell_open;
    return 0;
  }
  peer->request = http;
  uvow__runtime_push(&server->loop->rt, &peer->tell_open);
  return UVOW__AWAIT;
}

/* What the options lead to. */
static int choose_default(uvow_handshake_t *handshake) {
  const uvow_server_t *server = handshake->peer->server;
  const char *chosen = uvow__handshake_choose_subprotocol(
      handshake->request, server->config.subprotocols,
      server->config.subprotocol_count);
  return uvow_handshake_choose(handshake, chosen);
}

static void answer(const uvow_handshake_t *handshake) {
  const char *text = handshake->text ? handshake->text : "refused";
  uvow__connection_t *connection = handshake->peer->ws.connection;
  if (connection)
    uvow__connection_answer(connection, handshake->status,
                            handshake->subprotocol, text);
}

void uvow__server_ask(uvow__task_t *task) {
  uvow_peer_t *peer = UVOW__CONTAINER(task, uvow_peer_t, tell_open);
  const uvow_server_t *server = peer->server;
  uvow_handshake_t handshake = {0};
  handshake.peer = peer;
  handshake.mem = mem_of(server);
  handshake.request = peer->request;
  handshake.status = 101;
  peer->tell_open.run = uvow__peer_tell_open;
  if (choose_default(&handshake)) {
    uvow__connection_answer(peer->ws.connection, 503, NULL, "no memory");
    return;
  }
  uvow_peer_ref(peer);
  server->on_handshake(&handshake, server->handshake_data);
  answer(&handshake);
  uvow__free(handshake.mem, handshake.subprotocol);
  uvow__free(handshake.mem, handshake.text);
  uvow_peer_unref(peer);
}

/* NULL: its connection went meanwhile. */
static uvow__http_t *request_of(const uvow_handshake_t *handshake) {
  return handshake && handshake->peer->ws.connection ? handshake->request
                                                     : NULL;
}

/* Ends a piece of the head, which is followed by a blank or a CR. */
static const char *terminated(uvow__slice_t text) {
  char *end = (char *)(uintptr_t)text.ptr + text.len;
  *end = '\0';
  return text.ptr;
}

const char *uvow_handshake_target(const uvow_handshake_t *handshake) {
  uvow__http_t *request = request_of(handshake);
  return request ? terminated(uvow__http_target(request)) : "";
}

const char *uvow_handshake_header(const uvow_handshake_t *handshake,
                                  const char *name) {
  uvow__http_t *request = request_of(handshake);
  if (!request || !name)
    return NULL;
  for (size_t i = 0; i < uvow__http_count(request); i++) {
    uvow__slice_t key, value;
    uvow__http_field(request, i, &key, &value);
    if (uvow__slice_is_nocase(key, name))
      return terminated(value);
  }
  return NULL;
}

int uvow_handshake_offers(const uvow_handshake_t *handshake,
                          const char *subprotocol) {
  uvow__http_t *request = request_of(handshake);
  if (!request || !subprotocol)
    return 0;
  return uvow__handshake_choose_subprotocol(request, &subprotocol, 1) != NULL;
}

int uvow_handshake_choose(uvow_handshake_t *handshake,
                          const char *subprotocol) {
  char *copy = NULL;
  if (!handshake ||
      (subprotocol && !uvow_handshake_offers(handshake, subprotocol)))
    return UVOW_EINVAL;
  if (subprotocol) {
    copy = uvow__strndup(handshake->mem, subprotocol, strlen(subprotocol));
    if (!copy)
      return UVOW_ENOMEM;
  }
  uvow__free(handshake->mem, handshake->subprotocol);
  handshake->subprotocol = copy;
  return 0;
}

int uvow_handshake_refuse(uvow_handshake_t *handshake, int status,
                          const char *text) {
  int ok = status >= 300 && status <= 599;
  if (!handshake)
    return UVOW_EINVAL;
  handshake->status = ok ? status : 403;
  uvow__free(handshake->mem, handshake->text);
  handshake->text = NULL;
  if (text) {
    handshake->text = uvow__strndup(handshake->mem, text, strlen(text));
    if (!handshake->text)
      return UVOW_ENOMEM;
  }
  return ok ? 0 : UVOW_EINVAL;
}
