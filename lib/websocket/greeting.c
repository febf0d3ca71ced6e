/*
 * What a listener says to a handshake.
 *
 *   on_request --no room--> 503
 *              --neither host nor origin is welcome--> 403
 *              --nobody to ask--> accepted
 *              --> run_ask, a task --on_handshake--> a future
 *   the future is settled -> run_answer: accepted, or refused
 *   the connection, or the listener, goes meanwhile -> the future is given up
 *
 * 1. The application is asked from the task queue, never from within the
 *    socket's read. What the peer sends meanwhile is kept by the connection, up
 *    to UVOW__EARLY_MAX bytes, and handshake_timeout_ms goes on.
 * 2. The request is there until it's answered; what is kept of it, in says.c.
 */
#include "listener.h"

#include <string.h>

#include "base/text.h"

/* Without its port: the port of a Host is ours, whatever a proxy made of it. */
static uvow__slice_t name_of(uvow__slice_t host) {
  size_t len = host.len;
  while (len && uvow__is_digit(host.ptr[len - 1]))
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
    digits += uvow__is_digit(name.ptr[i]) || name.ptr[i] == '.';
  return name.len && digits == name.len;
}

static int is_our_host(const uvow__listen_config_t *config,
                       uvow__slice_t host) {
  uvow__slice_t name = name_of(host);
  if (config->hosts.count)
    return uvow__texts_have(&config->hosts, name);
  return !config->is_loopback || is_address(name) ||
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

static int is_same_nocase(uvow__slice_t a, uvow__slice_t b) {
  if (a.len == 0 || a.len != b.len)
    return 0;
  for (size_t i = 0; i < a.len; i++)
    if (uvow__lower(a.ptr[i]) != uvow__lower(b.ptr[i]))
      return 0;
  return 1;
}

/* RFC 6455 10.2. */
static int is_welcome(const uvow__listen_config_t *config,
                      const uvow__http_t *http) {
  uvow__slice_t origin = {"", 0};
  uvow__slice_t host = {"", 0};
  size_t count = uvow__http_header(http, "Origin", &origin);
  (void)uvow__http_header(http, "Host", &host);
  if (count > 1 || !is_our_host(config, host))
    return 0;
  uvow__slice_t authority = authority_of(origin);
  return count == 0 || is_same_nocase(authority, host) ||
         uvow__texts_have(&config->origins, origin) ||
         uvow__texts_have(&config->origins, authority);
}

/* What the options lead to. */
static int choose_default(uvow_websocket_t *ws, uvow__http_t *http) {
  const uvow__texts_t *texts = &ws->config->subprotocols;
  return uvow__says_subprotocol(
      ws, uvow__handshake_choose_subprotocol(
              http, (const char *const *)texts->at, texts->count));
}

int uvow__guest_requested(uvow_websocket_t *ws, uvow__http_t *http) {
  uvow_listener_t *listener = ws->guest->listener;
  if (ws->guest->is_surplus)
    return 503;
  if (!is_welcome(listener->config->listen, http))
    return 403;
  if (uvow__says_head(ws, NULL, http) || choose_default(ws, http) ||
      uvow__says_who(ws, UVOW__WHO_CERTIFICATE))
    return 503;
  if (!listener->on_handshake)
    return 0;
  ws->guest->request = http;
  uvow__websocket_pin(ws);
  uvow__runtime_push(&ws->loop->rt, &ws->guest->task);
  return UVOW__AWAIT;
}

static void answer(uvow_websocket_t *ws, int status) {
  const char *text = ws->guest->text ? ws->guest->text : "refused";
  ws->guest->request = NULL;
  uvow__connection_answer(ws->connection, status, ws->says.subprotocol, text);
}

static void run_answer(uvow__task_t *task) {
  uvow__guest_t *guest = UVOW__CONTAINER(task, uvow__guest_t, task);
  uvow_websocket_t *ws = &guest->ws;
  uvow_future_t *f = guest->answer;
  int status = 101;
  guest->answer = NULL;
  if (f->state == UVOW_REJECTED)
    status = guest->status ? guest->status : 403;
  uvow_future_unref(f);
  answer(ws, status);
  uvow__websocket_unpin(ws);
}

/* Waits for what on_handshake answered. Takes what next owns. */
static void await(uvow_websocket_t *ws, uvow_next_t *next) {
  uvow_future_t *f = uvow__future_new(&ws->loop->rt, 2, UVOW__OBSERVED);
  if (!f) {
    answer(ws, 503);
    uvow__websocket_unpin(ws);
    uvow__next_drop(next);
    return;
  }
  if (next->kind == UVOW_NEXT_PASS)
    *next = uvow_next_none();
  ws->guest->answer = f;
  ws->guest->task.run = run_answer;
  uvow__future_next(f, next, NULL);
  uvow__future_watch(f, &ws->guest->task);
}

static void run_ask(uvow__task_t *task) {
  uvow__guest_t *guest = UVOW__CONTAINER(task, uvow__guest_t, task);
  uvow_websocket_t *ws = &guest->ws;
  uvow_listener_t *listener = guest->listener;
  if (!listener) {
    uvow__websocket_unpin(ws);
    return;
  }
  uvow_next_t next = listener->on_handshake(ws, listener->data);
  if (guest->request) {
    await(ws, &next);
    return;
  }
  uvow__websocket_unpin(ws);
  uvow__next_drop(&next);
}

void uvow__guest_undecided(uvow__guest_t *guest) {
  uvow_future_t *f = guest->answer;
  guest->request = NULL;
  if (!f)
    return;
  guest->answer = NULL;
  uvow__task_cancel(&guest->task);
  uvow__future_drop(f);
  uvow__websocket_unpin(&guest->ws);
}

void uvow__guest_init(uvow__guest_t *guest) {
  uvow_websocket_t *ws = &guest->ws;
  ws->guest = guest;
  uvow__list_init(&guest->link);
  uvow__list_init(&guest->waiting);
  uvow__list_init(&guest->by_address);
  uvow__task_init(&guest->task, run_ask);
  uvow__silence_init(&guest->idle, &ws->loop->rt, 0,
                     ws->config->listen->idle_ms, uvow__guest_idle);
}

void uvow__guest_done(uvow__guest_t *guest) {
  uvow__free(uvow__websocket_mem(&guest->ws), guest->text);
}

/* Whether it may still be said what becomes of a handshake. */
static int is_asked(const uvow_websocket_t *ws) {
  return ws && ws->guest && ws->guest->request;
}

int uvow_websocket_choose(uvow_websocket_t *ws, const char *subprotocol) {
  if (!is_asked(ws) ||
      (subprotocol && !uvow__handshake_choose_subprotocol(ws->guest->request,
                                                          &subprotocol, 1)))
    return UVOW_EINVAL;
  return uvow__says_subprotocol(ws, subprotocol);
}

int uvow_websocket_refuse(uvow_websocket_t *ws, int status, const char *text) {
  char *copy = NULL;
  if (!is_asked(ws) || status < 300 || status > 599)
    return UVOW_EINVAL;
  ws->guest->status = status;
  if (text) {
    copy = uvow__strdup(uvow__websocket_mem(ws), text);
    if (!copy)
      return UVOW_ENOMEM;
  }
  uvow__free(uvow__websocket_mem(ws), ws->guest->text);
  ws->guest->text = copy;
  return 0;
}
