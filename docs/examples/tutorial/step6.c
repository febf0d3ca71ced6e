/* The tutorial, step 6: a shutdown in order. */
#include <signal.h>
#include <stdio.h>

#include <uv.h>
#include <uvow.h>
#include <uvow/uv.h>

typedef struct app {
  uvow_loop_t *loop;
  uvow_server_t *server;
  uvow_peer_t *client;
  int guests;
  int arrived;
} app_t;

static uvow_next_t sign(uvow_call_t *call, const uvow_result_t *params,
                        void *data) {
  app_t *app = data;
  uvow_loop_t *loop = uvow_call_loop(call);
  const char *name;
  if (uvow_result_get_text(params, "/name", &name))
    return uvow_next_error(
        uvow_error_new_peer(loop, 400, "what is your name?", NULL, 0));
  app->guests++;
  uvow_group_notifyf(uvow_server_peers(app->server), "arrived", "{s:s}", "name",
                     name);
  return uvow_next_jsonf(loop, "{s:s,s:i}", "name", name, "number",
                         app->guests);
}

static int start(app_t *app, uv_loop_t *uv) {
  char url[64];
  const uvow_protocol_t *jsonrpc2 = uvow_protocol_by_name("jsonrpc2");
  app->loop = uvow_loop_new(uv, NULL);
  uvow_methods_t *methods = uvow_methods_new(app->loop);
  uvow_methods_add(methods, "sign", sign, app);
  app->server = uvow_server_new(
      uvow_listener_new(app->loop, NULL),
      UVOW_WITH(peer, .protocol = jsonrpc2, .methods = methods));
  uvow_methods_unref(methods);
  if (!app->server)
    return uvow_error_code(uvow_loop_error(app->loop));
  snprintf(url, sizeof(url), "ws://127.0.0.1:%u/",
           (unsigned)uvow_server_port(app->server));
  app->client =
      uvow_peer_connect(app->loop, url, UVOW_WITH(peer, .protocol = jsonrpc2));
  return app->client ? 0 : UVOW_ENOMEM;
}

static uvow_next_t on_arrived(const uvow_result_t *event, void *data) {
  app_t *app = data;
  const char *name = "somebody";
  uvow_result_get_text(event, "/name", &name);
  printf("%s has arrived\n", name);
  if (++app->arrived == 3)
    uv_kill(uv_os_getpid(), SIGINT); /* as if you had pressed Ctrl-C */
  return uvow_next_pass();
}

static void on_end(const uvow_result_t *result, void *data) {
  (void)data;
  printf("no more events%s\n", result->error ? ", and that's an error" : "");
}

static int follow(app_t *app) {
  uvow_stream_t *events = uvow_peer_events(app->client, "arrived");
  return uvow_future_done(uvow_stream_each(events, on_arrived, app), on_end,
                          app);
}

static int ask(app_t *app) {
  static const char *const names[] = {"Ada", "Grace", "Joan"};
  for (size_t i = 0; i < 3; i++)
    uvow_future_detach(
        uvow_peer_requestf(app->client, "sign", "{s:s}", "name", names[i]));
  return 0;
}

/* [shutdown] */
static void all_gone(const uvow_result_t *result, void *data) {
  app_t *app = data;
  (void)result;
  printf("all answered, all closed\n");
  uvow_peer_unref(app->client);
  uvow_server_free(app->server);
  uvow_loop_close(app->loop, NULL, NULL);
}

static void on_signal(const uvow_result_t *result, void *data) {
  app_t *app = data;
  uvow_future_t *closed[2];
  (void)result;
  printf("closing\n");
  closed[0] = uvow_peer_close(app->client); /* what is in flight may end */
  closed[1] = uvow_server_close(app->server);
  uvow_future_done(uvow_future_all_settled(app->loop, closed, 2), all_gone,
                   app);
}

static int await_signal(app_t *app) {
  uvow_future_t *either[2];
  either[0] = uvow_stream_first(uvow_signal(app->loop, SIGINT));
  either[1] = uvow_stream_first(uvow_signal(app->loop, SIGTERM));
  return uvow_future_done(uvow_future_race(app->loop, either, 2), on_signal,
                          app);
}
/* [shutdown] */

int main(void) {
  app_t app = {0};
  uv_loop_t uv;
  if (uv_loop_init(&uv))
    return 1;
  signal(SIGPIPE, SIG_IGN); /* as every libuv program that writes to sockets */
  int rc = start(&app, &uv);
  if (rc) {
    fprintf(stderr, "%s\n", uvow_strerror(rc));
    return 1;
  }
  await_signal(&app);
  follow(&app);
  ask(&app);
  uv_run(&uv, UV_RUN_DEFAULT);
  return uv_loop_close(&uv) ? 1 : 0;
}
