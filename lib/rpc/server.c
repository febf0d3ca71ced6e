/*
 * The server: a listener whose every connection is a peer.
 *
 *   listener's on_open -> peer, open -> peer gone -> leaving -> CLOSED is told
 *   close -> no new peers, no new calls -> each is closed when its calls are
 *            answered, or close_timeout_ms is over -> closed
 *
 * 1. A peer is its own: it is counted, ends by itself, and then leaves the
 *    server. Nothing here calls the application, so the server's memory goes
 *    when it is freed, wherever that is done.
 * 2. A handshake is the listener's until it is done: there is no peer before.
 */
#include "server.h"

#include <stdio.h>

#include "future/fail.h"

static uvow_peer_t *peer_at(uvow__list_t *link) {
  return &UVOW__CONTAINER(link, uvow__visitor_t, visit.link)->peer;
}

/* Manners. */

static void free_manner(uvow_server_t *server, uvow__manner_t *manner) {
  uvow__peer_config_unref(manner->config, server->loop);
  uvow__protocol_drop(manner->protocol);
  uvow__free(uvow__loop_mem(server->loop), manner->subprotocol);
  uvow__free(uvow__loop_mem(server->loop), manner->path);
  uvow__free(uvow__loop_mem(server->loop), manner);
}

/* A copy in *ret, of what is there. */
static int copy_text(const uvow_server_t *server, const char *text,
                     char **ret) {
  if (text)
    *ret = uvow__strndup(uvow__loop_mem(server->loop), text, strlen(text));
  return text && !*ret ? UVOW_ENOMEM : 0;
}

/* Puts one before the others. Both NULL: for all. */
static int add_manner(uvow_server_t *server, const char *path,
                      const char *subprotocol,
                      const uvow_peer_options_t *options) {
  uvow__manner_t *manner = (uvow__manner_t *)uvow__calloc(
      uvow__loop_mem(server->loop), sizeof(*manner));
  if (!manner)
    return UVOW_ENOMEM;
  manner->protocol = uvow__protocol_keep(options->protocol);
  manner->config = uvow__peer_config_new(server->loop, options);
  if (!manner->config || copy_text(server, path, &manner->path) ||
      copy_text(server, subprotocol, &manner->subprotocol)) {
    free_manner(server, manner);
    return UVOW_ENOMEM;
  }
  manner->next = server->manners;
  server->manners = manner;
  return 0;
}

/* Whether a target is this path, with or without a query. */
static int is_at(const char *target, const char *path) {
  size_t len = strlen(path);
  return strncmp(target, path, len) == 0 &&
         (target[len] == '\0' || target[len] == '?');
}

/* The path goes before the subprotocol, that before all others. */
static uvow__peer_config_t *config_of(const uvow_server_t *server,
                                      const uvow_websocket_t *ws) {
  const char *agreed = uvow_websocket_subprotocol(ws);
  const char *target = uvow_websocket_target(ws);
  uvow__peer_config_t *found = NULL;
  for (const uvow__manner_t *at = server->manners; at; at = at->next) {
    if (at->path && is_at(target, at->path))
      return at->config;
    if (!found &&
        (at->subprotocol ? agreed && strcmp(at->subprotocol, agreed) == 0
                         : !at->path))
      found = at->config;
  }
  return found;
}

/* Peers. */

static int is_busy(void *ctx) {
  const uvow_peer_t *peer = (const uvow_peer_t *)ctx;
  return peer->session.callee.count || peer->dispatcher.live;
}

/* A peer with this WebSocket, which is its channel from now on. */
static uvow__visitor_t *new_visitor(uvow_server_t *server,
                                    uvow_websocket_t *ws) {
  uvow__visitor_t *visitor = (uvow__visitor_t *)uvow__calloc(
      uvow__loop_mem(server->loop), sizeof(*visitor));
  if (!visitor)
    return NULL;
  uvow_peer_t *peer = &visitor->peer;
  uvow__visit_t *visit = &visitor->visit;
  uvow__peer_config_t *config = config_of(server, ws);
  peer->kin.visit = visit;
  uvow__list_init(&visit->link);
  config->refs++;
  peer->life.is_server = 1;
  uvow__peer_init(peer, server->loop, config);
  peer->session.max_unsent = ws->config->max_unsent;
  peer->session.callee.quota = &ws->config->quota;
  if (uvow__outbox_add(peer)) {
    uvow_peer_unref(peer);
    return NULL;
  }
  return visitor;
}

static void on_open(void *ctx, uvow_websocket_t *ws) {
  uvow_server_t *server = (uvow_server_t *)ctx;
  uvow__visitor_t *visitor = new_visitor(server, ws);
  if (!visitor || uvow_group_add(server->group, &visitor->peer)) {
    uvow_peer_unref(visitor ? &visitor->peer : NULL);
    uvow__websocket_end(ws, UVOW_ENOMEM, 1013, "no memory for a peer");
    return;
  }
  visitor->peer.kin.ws = uvow_websocket_ref(ws);
  visitor->visit.held = 1;
  visitor->visit.server = server;
  uvow__list_append(&server->peers, &visitor->visit.link);
  server->peer_count++;
  ws->is_busy = is_busy;
  uvow__channel_tell(&ws->channel, &uvow__peer_callbacks, &visitor->peer);
  uvow__peer_opened(&visitor->peer, &ws->channel);
}

static void maybe_closed(uvow_server_t *server) {
  if (server->closing && server->peer_count == 0)
    uvow__gate_pass(&server->closed);
}

void uvow__server_peer_gone(uvow__visit_t *visit) {
  uvow_server_t *server = visit->server;
  visit->server = NULL;
  uvow__list_remove(&visit->link);
  uvow__list_append(&server->leaving, &visit->link);
  server->peer_count--;
  maybe_closed(server);
}

/* The server. */

static void free_server(uvow_server_t *server) {
  uvow_listener_free(server->listener);
  uvow__group_names_done(&server->groups);
  if (server->group)
    uvow__group_end(server->group);
  while (server->manners) {
    uvow__manner_t *manner = server->manners;
    server->manners = manner->next;
    free_manner(server, manner);
  }
  uvow__free(uvow__loop_mem(server->loop), server);
}

/* Everything ends now; the struct stays. */
static void end(uvow_server_t *server) {
  server->closing = 1;
  uvow__listener_end(server->listener);
  while (!uvow__list_empty(&server->peers))
    uvow__peer_ended(peer_at(server->peers.next), NULL);
  maybe_closed(server);
}

static void on_loop_close(uvow__resident_t *resident) {
  end(UVOW__CONTAINER(resident, uvow_server_t, resident));
}

/* Reads options, see uvow__peer_options_fault. Notes why they can't work, and
 * returns the code; or 0. */
static int read_options(uvow_loop_t *loop, const uvow_peer_options_t **options,
                        uvow_peer_options_t *own) {
  uvow__peer_fault_t fault;
  if (uvow__peer_options_fault(options, own, 1, &fault))
    return uvow__peer_options_fail(loop, &fault);
  const char *lacks = uvow__protocol_lacks((*options)->protocol);
  if (!lacks)
    return 0;
  snprintf(fault.text, sizeof(fault.text),
           "options.protocol: %.60s can't be a server's, it lacks %s",
           (*options)->protocol->name, lacks);
  fault.why = fault.text;
  return uvow__peer_options_fail(loop, &fault);
}

/* Takes the listener. NULL: no memory. */
static uvow_server_t *make(uvow_listener_t *listener,
                           const uvow_peer_options_t *options) {
  uvow_loop_t *loop = listener->loop;
  uvow_server_t *server =
      (uvow_server_t *)uvow__calloc(uvow__loop_mem(loop), sizeof(*server));
  if (!server) {
    uvow_listener_free(listener);
    return NULL;
  }
  server->loop = loop;
  server->resident.on_loop_close = on_loop_close;
  server->listener = listener;
  uvow__list_init(&server->peers);
  uvow__list_init(&server->leaving);
  uvow__group_names_init(&server->groups, loop);
  uvow__gate_init(&server->closed, &loop->rt);
  server->group = uvow_group_new(loop);
  const char *own = options->protocol->subprotocol;
  if (!server->group || add_manner(server, NULL, NULL, options) ||
      (own && uvow__listener_offer(listener, own))) {
    free_server(server);
    return NULL;
  }
  server->group->is_lent = 1;
  return server;
}

uvow_server_t *uvow_server_new(uvow_listener_t *listener,
                               const uvow_peer_options_t *options) {
  if (!listener)
    return NULL;
  uvow_loop_t *loop = listener->loop;
  uvow_peer_options_t own;
  int rc = read_options(loop, &options, &own);
  if (loop->rt.closed)
    rc = uvow__fail(loop, UVOW_ECLOSED, "the loop", uvow__fail_closed);
  else if (rc == 0 && (listener->on_open || listener->accepted))
    rc = uvow__fail(loop, UVOW_EINVAL, "listener",
                    "must not be in use: it is a server's, or accepts");
  if (rc) {
    uvow_listener_free(listener);
    return NULL;
  }
  uvow_server_t *server = make(listener, options);
  if (!server)
    return NULL;
  uvow__loop_enroll(loop, &server->resident);
  uvow__listener_claim(listener, on_open, server);
  return server;
}

int uvow_server_add(uvow_server_t *server, const char *subprotocol,
                    const uvow_peer_options_t *options) {
  if (!server)
    return UVOW_EINVAL;
  uvow_peer_options_t own;
  int rc = read_options(server->loop, &options, &own);
  if (rc == 0 && !subprotocol)
    subprotocol = options->protocol->subprotocol;
  if (rc == 0 && !subprotocol)
    rc = uvow__fail(server->loop, UVOW_EINVAL, "subprotocol",
                    "must not be NULL, where the protocol has none");
  if (rc == 0)
    rc = uvow__listener_offer(server->listener, subprotocol);
  return rc ? rc : add_manner(server, NULL, subprotocol, options);
}

int uvow_server_add_path(uvow_server_t *server, const char *path,
                         const uvow_peer_options_t *options) {
  if (!server)
    return UVOW_EINVAL;
  uvow_peer_options_t own;
  int rc = read_options(server->loop, &options, &own);
  if (rc == 0 && (!path || *path != '/' || strchr(path, '?')))
    rc = uvow__fail(server->loop, UVOW_EINVAL, "path",
                    "begins with /, and has no query");
  const char *subprotocol = rc == 0 ? options->protocol->subprotocol : NULL;
  if (subprotocol)
    rc = uvow__listener_offer(server->listener, subprotocol);
  return rc ? rc : add_manner(server, path, subprotocol, options);
}

uint16_t uvow_server_port(const uvow_server_t *server) {
  return server ? uvow_listener_port(server->listener) : 0;
}

uvow_group_t *uvow_server_peers(const uvow_server_t *server) {
  return server ? server->group : NULL;
}

uvow_group_t *uvow_server_group(uvow_server_t *server, const char *name) {
  if (!server)
    return NULL;
  if (!name)
    return (uvow_group_t *)uvow__refuse(server->loop, UVOW_EINVAL, "name",
                                        uvow__fail_null);
  return uvow__group_names_get(&server->groups, name);
}

uvow_future_t *uvow_server_close(uvow_server_t *server) {
  if (!server)
    return NULL;
  uvow_future_t *f = uvow__gate_wait(&server->closed);
  if (!server->closing) {
    server->closing = 1;
    uvow__listener_end(server->listener);
    for (size_t n = server->peer_count; n; n--) { /* each once round */
      uvow__list_t *first = server->peers.next;
      uvow__list_remove(first);
      uvow__list_append(&server->peers, first);
      uvow__peer_drain(peer_at(first), 1001);
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
  end(server);
  while (!uvow__list_empty(&server->leaving)) {
    uvow__list_t *first = server->leaving.next;
    uvow__list_remove(first);
    uvow__notices_mute(peer_at(first)); /* its data may go with the server */
  }
  free_server(server);
  uvow__loop_unpin(loop);
}
