/*
 * What a server says to a handshake: its origins, and whom the user refuses.
 *
 *   on_request --max_peers are there--> 503
 *              --neither host nor origin is welcome--> 403
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

static int is_listed(char *const *texts, size_t count, uvow__slice_t text) {
  for (size_t i = 0; i < count; i++)
    if (strcmp(texts[i], "*") == 0 || uvow__slice_is_nocase(text, texts[i]))
      return 1;
  return 0;
}

/* Without its port: the port of a Host is ours, whatever a proxy made of it. */
static uvow__slice_t name_of(uvow__slice_t host) {
  size_t len = host.len;
  while (len && host.ptr[len - 1] >= '0' && host.ptr[len - 1] <= '9')
    len--;
  if (len && host.ptr[len - 1] == ':')
    host.len = len - 1;
  return host;
}

/* An address can't be another's name: only a name can be made to lead here. */
static int is_address(uvow__slice_t name) {
  size_t digits = 0;
  if (name.len && name.ptr[0] == '[')
    return 1;
  for (size_t i = 0; i < name.len; i++)
    digits += (name.ptr[i] >= '0' && name.ptr[i] <= '9') || name.ptr[i] == '.';
  return name.len && digits == name.len;
}

static int is_our_host(const uvow_server_t *server, uvow__slice_t host) {
  uvow__slice_t name = name_of(host);
  if (server->host_count)
    return is_listed(server->hosts, server->host_count, name);
  return !server->is_loopback || is_address(name) ||
         uvow__slice_is_nocase(name, "localhost");
}

/* The host and port of an origin, "scheme://host:port"; "": it has none. */
static uvow__slice_t authority_of(uvow__slice_t origin) {
  uvow__slice_t none = {"", 0};
  for (size_t i = 0; i + 2 < origin.len; i++)
    if (memcmp(origin.ptr + i, "://", 3) == 0)
      return (uvow__slice_t){origin.ptr + i + 3, origin.len - i - 3};
  return none;
}

static char lower(char c) {
  return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static int is_same_nocase(uvow__slice_t a, uvow__slice_t b) {
  if (a.len == 0 || a.len != b.len)
    return 0;
  for (size_t i = 0; i < a.len; i++)
    if (lower(a.ptr[i]) != lower(b.ptr[i]))
      return 0;
  return 1;
}

/* RFC 6455 10.2. */
static int is_welcome(const uvow_server_t *server, const uvow__http_t *http) {
  uvow__slice_t origin = {"", 0};
  uvow__slice_t host = {"", 0};
  size_t count = uvow__http_header(http, "Origin", &origin);
  (void)uvow__http_header(http, "Host", &host);
  if (count > 1 || !is_our_host(server, host))
    return 0;
  if (server->origin_count)
    return is_listed(server->origins, server->origin_count, origin);
  return count == 0 || is_same_nocase(authority_of(origin), host);
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
  if (peer->is_surplus)
    return 503;
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
