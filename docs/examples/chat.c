/*
 * A chat: each peer of a server has a name, a room of peers is told what one of
 * them says, and who comes and goes.
 *
 * So that this runs anywhere, its guests are clients on the same loop.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <uv.h>
#include <uvow.h>

typedef struct app {
  uvow_loop_t *loop;
  uvow_server_t *server;
  uvow_methods_t *methods; /* of the guests: what they are told */
  uvow_peer_t *ann;
  uvow_peer_t *bob;
} app_t;

/* [room] */
static uvow_group_t *room(app_t *app) {
  return uvow_server_group(app->server, "room");
}

static void tell_room(app_t *app, const char *name, const char *what) {
  uvow_group_notifyf(room(app), "line", "[s, s]", name, what);
}

/* A peer's name is data of its own: it goes with the peer. */
static uvow_next_t join(uvow_call_t *call, const uvow_result_t *params,
                        void *data) {
  app_t *app = (app_t *)data;
  uvow_peer_t *peer = uvow_call_peer(call);
  const char *name =
      json_string_value(json_array_get(uvow_result_json(params), 0));
  char *copy = name ? malloc(strlen(name) + 1) : NULL;
  if (!copy)
    return uvow_next_error(uvow_error_new_peer(uvow_call_loop(call), -32602,
                                               "join wants [name]", NULL, 0));
  uvow_peer_set_data(peer, memcpy(copy, name, strlen(name) + 1), free);
  uvow_group_add(room(app), peer);
  tell_room(app, copy, "is here");
  return uvow_next_none();
}

static uvow_next_t say(uvow_call_t *call, const uvow_result_t *params,
                       void *data) {
  const char *name = (const char *)uvow_peer_data(uvow_call_peer(call));
  const char *text =
      json_string_value(json_array_get(uvow_result_json(params), 0));
  if (!name || !text)
    return uvow_next_error(uvow_error_new_peer(uvow_call_loop(call), -32000,
                                               "join first", NULL, 0));
  tell_room((app_t *)data, name, text);
  return uvow_next_none();
}

/* Who has gone has left the room by itself. */
static void on_state(uvow_peer_t *peer, const uvow_peer_change_t *change,
                     void *data) {
  const char *name = (const char *)uvow_peer_data(peer);
  if (change->state == UVOW_PEER_CLOSED && name)
    tell_room((app_t *)data, name, "has left");
}

static int start_server(app_t *app) {
  uvow_peer_options_t options = {.size = sizeof(options)};
  options.protocol = uvow_protocol_by_name("jsonrpc2");
  options.on_state = on_state;
  options.data = app;
  options.methods = uvow_methods_new(app->loop);
  uvow_methods_add(options.methods, "join", join, app);
  uvow_methods_add(options.methods, "say", say, app);
  app->server = uvow_server_new(uvow_listener_new(app->loop, NULL), &options);
  uvow_methods_unref(options.methods);
  return app->server ? 0 : uvow_error_code(uvow_loop_error(app->loop));
}
/* [room] */

static void stop(app_t *app) {
  uvow_peer_unref(app->ann);
  uvow_peer_unref(app->bob);
  uvow_server_free(app->server);
  uvow_methods_unref(app->methods);
  uvow_loop_close(app->loop, NULL, NULL);
}

/* [guest] */
/* What Ann hears; Bob only speaks. */
static uvow_next_t line(uvow_call_t *call, const uvow_result_t *params,
                        void *data) {
  app_t *app = (app_t *)data;
  json_t *args = uvow_result_json(params);
  (void)call;
  const char *what = json_string_value(json_array_get(args, 1));
  printf("%s %s\n", json_string_value(json_array_get(args, 0)), what);
  if (strcmp(what, "hello") == 0)
    uvow_future_detach(uvow_peer_close(app->bob));
  else if (strcmp(what, "has left") == 0)
    stop(app);
  return uvow_next_none();
}

static int new_guest(app_t *app, uvow_methods_t *methods,
                     uvow_peer_t **ret_client) {
  char url[64];
  uvow_peer_options_t options = {.size = sizeof(options)};
  snprintf(url, sizeof(url), "ws://127.0.0.1:%u/",
           (unsigned)uvow_server_port(app->server));
  options.protocol = uvow_protocol_by_name("jsonrpc2");
  options.methods = methods;
  *ret_client = uvow_peer_connect(app->loop, url, &options);
  return *ret_client ? 0 : UVOW_ENOMEM;
}
/* [guest] */

static void bob_joined(const uvow_result_t *result, void *data) {
  app_t *app = (app_t *)data;
  (void)result;
  uvow_future_detach(uvow_peer_request(
      app->bob, "say", uvow_value_json(json_pack("[s]", "hello"))));
}

static void ann_joined(const uvow_result_t *result, void *data) {
  app_t *app = (app_t *)data;
  (void)result;
  if (new_guest(app, NULL, &app->bob))
    return;
  uvow_future_done(uvow_peer_request(app->bob, "join",
                                     uvow_value_json(json_pack("[s]", "Bob"))),
                   bob_joined, app);
}

int main(void) {
  app_t app = {0};
  uv_loop_t *uv = uv_default_loop();
  signal(SIGPIPE, SIG_IGN);
  app.loop = uvow_loop_new(uv, NULL);
  if (!app.loop || start_server(&app))
    return 1;
  app.methods = uvow_methods_new(app.loop);
  if (uvow_methods_add(app.methods, "line", line, &app) ||
      new_guest(&app, app.methods, &app.ann))
    return 1;
  uvow_future_done(uvow_peer_request(app.ann, "join",
                                     uvow_value_json(json_pack("[s]", "Ann"))),
                   ann_joined, &app);
  uv_run(uv, UV_RUN_DEFAULT);
  return uv_loop_close(uv) ? 1 : 0;
}
