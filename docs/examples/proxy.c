/*
 * A client that goes through a proxy, or around it.
 *
 * So that this runs anywhere, there is no real proxy: a WebSocket server stands
 * in for one, and refuses, as proxies do that don't want to.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <uv.h>
#include <uvow.h>

typedef struct app {
  uvow_loop_t *loop;
  uvow_server_t *server;
  uvow_peer_t *client;
  char url[64];
  char proxy[64];
} app_t;

static uvow_next_t echo(uvow_call_t *call, const uvow_result_t *params,
                        void *data) {
  (void)call;
  (void)params;
  (void)data;
  return uvow_next_pass();
}

static int start_server(app_t *app) {
  uvow_peer_options_t options = {.size = sizeof(options)};
  options.protocol = uvow_protocol_by_name("jsonrpc2");
  options.methods = uvow_methods_new(app->loop);
  uvow_methods_add(options.methods, "echo", echo, NULL);
  app->server = uvow_server_new(uvow_listener_new(app->loop, NULL), &options);
  uvow_methods_unref(options.methods);
  if (!app->server)
    return uvow_error_code(uvow_loop_error(app->loop));
  unsigned port = uvow_server_port(app->server);
  snprintf(app->url, sizeof(app->url), "ws://127.0.0.1:%u/", port);
  snprintf(app->proxy, sizeof(app->proxy), "http://user:pa55@127.0.0.1:%u",
           port);
  return 0;
}

/* [given] */
static int start_with_proxy(app_t *app) {
  uvow_peer_options_t options = {.size = sizeof(options)};
  uvow_websocket_options_t websocket = {.size = sizeof(websocket)};
  websocket.proxy =
      app->proxy; /* http://user:password@proxy.example.org:3128 */
  options.websocket = &websocket;
  options.protocol = uvow_protocol_by_name("jsonrpc2");
  app->client = uvow_peer_connect(app->loop, app->url, &options);
  return app->client ? 0 : UVOW_ENOMEM;
}
/* [given] */

/* [environment] */
static int start_as_environment_says(app_t *app) {
  uvow_peer_options_t options = {.size = sizeof(options)};
  uvow_websocket_options_t websocket = {.size = sizeof(websocket)};
  websocket.proxy_from_environment = 1; /* https_proxy, http_proxy, ... */
  options.websocket = &websocket;
  options.protocol = uvow_protocol_by_name("jsonrpc2");
  app->client = uvow_peer_connect(app->loop, app->url, &options);
  return app->client ? 0 : UVOW_ENOMEM;
}
/* [environment] */

static void finished(const uvow_result_t *result, void *data) {
  app_t *app = data;
  uvow_slice_t text = uvow_result_bytes(result);
  printf("around it: %.*s\n", (int)text.len, text.bytes ? text.bytes : "");
  uvow_peer_unref(app->client);
  uvow_server_free(app->server);
  uvow_loop_close(app->loop, NULL, NULL);
}

/* [refused] */
static void tell(const uvow_error_t *error) {
  if (uvow_error_code(error) == UVOW_EPROXY)
    printf("the proxy's answer: HTTP %d\n", uvow_error_status(error));
  if (uvow_error_outcome(error) == UVOW_NOT_SENT)
    printf("no byte of the request left\n");
}
/* [refused] */

static void refused(const uvow_result_t *result, void *data) {
  app_t *app = data;
  tell(result->error);
  uvow_peer_unref(app->client);
  app->client = NULL;
  uv_os_setenv("http_proxy", app->proxy);
  uv_os_setenv("no_proxy", ".example.org,127.0.0.0/8"); /* so: around it */
  if (start_as_environment_says(app) == 0)
    uvow_future_done(
        uvow_peer_request(app->client, "echo", uvow_value_raw("[1]")), finished,
        app);
}

int main(void) {
  app_t app = {0};
  uv_loop_t *uv = uv_default_loop();
  signal(SIGPIPE, SIG_IGN); /* as every libuv program that writes to sockets */
  app.loop = uvow_loop_new(uv, NULL);
  int rc = app.loop ? 0 : UVOW_ENOMEM;
  if (rc == 0)
    rc = start_server(&app);
  if (rc == 0)
    rc = start_with_proxy(&app);
  if (rc == 0)
    rc = uvow_future_done(
        uvow_peer_request(app.client, "echo", uvow_value_raw("[1]")), refused,
        &app);
  if (rc) {
    fprintf(stderr, "proxy: %s\n", uvow_strerror(rc));
    return 1;
  }
  uv_run(uv, UV_RUN_DEFAULT);
  return uv_loop_close(uv) != 0;
}
