/*
 * What one says, all hear: raw WebSockets, a token in the handshake that takes a
 * while to look up, and an end for who doesn't keep up.
 *
 * So that this runs anywhere, its guests are WebSockets on the same loop.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>
#include <uvow.h>

#define GUESTS 2

typedef struct app {
  uvow_loop_t *loop;
  uvow_listener_t *listener;
  struct member *members;
  uvow_websocket_t *guests[GUESTS];
  int here;
} app_t;

typedef struct member {
  app_t *app;
  uvow_websocket_t *ws; /* owned */
  struct member *next;
} member_t;

/* [all] */
static void tell_all(app_t *app, const uvow_result_t *message) {
  for (member_t *at = app->members; at; at = at->next) {
    int rc = uvow_websocket_send(at->ws, uvow_result_keep(message));
    if (rc) /* a megabyte waits for it, or it's closing */
      uvow_future_detach(uvow_websocket_close(at->ws, 4008, "too slow"));
  }
}

static uvow_next_t on_message(const uvow_result_t *message, void *data) {
  tell_all(((member_t *)data)->app, message);
  return uvow_next_none();
}
/* [all] */

static void on_gone(const uvow_result_t *result, void *data) {
  member_t *member = data;
  member_t **at = &member->app->members;
  (void)result;
  while (*at != member)
    at = &(*at)->next;
  *at = member->next;
  uvow_websocket_unref(member->ws);
  free(member);
}

static uvow_next_t on_member(const uvow_result_t *item, void *data) {
  app_t *app = data;
  member_t *member = calloc(1, sizeof(*member));
  if (!member)
    return uvow_next_none(); /* nobody owns it: it's ended */
  member->app = app;
  member->ws = uvow_websocket_ref(uvow_result_websocket(item));
  member->next = app->members;
  app->members = member;
  uvow_future_done(
      uvow_stream_each(uvow_websocket_messages(member->ws), on_message, member),
      on_gone, member);
  if (++app->here == GUESTS) /* the guests can begin */
    uvow_websocket_send(app->guests[0], uvow_value_text("hello, all"));
  return uvow_next_none();
}

/* [handshake] */
static uvow_next_t check(const uvow_result_t *result, void *data) {
  uvow_websocket_t *ws = data;
  const char *token = uvow_websocket_header(ws, "Authorization");
  (void)result;
  if (token && strcmp(token, "Bearer 42") == 0)
    return uvow_next_none();
  uvow_websocket_refuse(ws, 401, "no token, no seat");
  return uvow_next_code(UVOW_EINVAL, "no token");
}

static uvow_next_t on_handshake(uvow_websocket_t *ws, void *data) {
  app_t *app = data;
  uvow_future_t *looked_up = uvow_future_delay(app->loop, 1);
  return uvow_next_future(uvow_future_then(looked_up, check, ws));
}
/* [handshake] */

/* The guests. */

static uvow_next_t on_heard(const uvow_result_t *message, void *data) {
  app_t *app = data;
  uvow_slice_t text = uvow_result_bytes(message);
  printf("heard: %.*s\n", (int)text.len, text.bytes);
  if (--app->here == 0) { /* all have heard it */
    uvow_listener_free(app->listener);
    for (int i = 0; i < GUESTS; i++)
      uvow_future_detach(uvow_websocket_close(app->guests[i], 1000, "bye"));
  }
  return uvow_next_none();
}

static void on_end(const uvow_result_t *result, void *data) {
  (void)data;
  printf("%s\n", result->error ? uvow_error_message(result->error) : "bye");
}

static void join(app_t *app, int i, const char *url) {
  app->guests[i] = uvow_websocket_connect(app->loop, url,
                                          UVOW_WITH(websocket, .bearer = "42"));
  uvow_future_done(
      uvow_stream_each(uvow_websocket_messages(app->guests[i]), on_heard, app),
      on_end, NULL);
}

static void on_refused(const uvow_result_t *result, void *data) {
  app_t *app = data;
  char url[32];
  printf("without a token: %d\n", uvow_error_status(result->error));
  snprintf(url, sizeof(url), "ws://127.0.0.1:%u/",
           uvow_listener_port(app->listener));
  for (int i = 0; i < GUESTS; i++)
    join(app, i, url);
}

int main(void) {
  app_t app = {0};
  char url[32];
  app.loop = uvow_loop_new(uv_default_loop(), NULL);
  app.listener = uvow_listener_new(
      app.loop,
      UVOW_WITH(listener, .on_handshake = on_handshake, .data = &app));
  if (!app.listener)
    return 1;
  uvow_future_detach(
      uvow_stream_each(uvow_listener_accept(app.listener), on_member, &app));
  snprintf(url, sizeof(url), "ws://127.0.0.1:%u/",
           uvow_listener_port(app.listener));
  uvow_websocket_t *stranger = uvow_websocket_connect(app.loop, url, NULL);
  uvow_future_done(uvow_websocket_ready(stranger), on_refused, &app);
  uv_run(uv_default_loop(), UV_RUN_DEFAULT);
  uvow_websocket_unref(stranger);
  for (int i = 0; i < GUESTS; i++)
    uvow_websocket_unref(app.guests[i]);
  uvow_loop_close(app.loop, NULL, NULL);
  return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
