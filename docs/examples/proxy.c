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
  uvow_client_t *client;
  char url[64];
  char proxy[64];
} app_t;

static uvow_next_t echo(const uvow_call_t *call, void *data) {
  (void)call;
  (void)data;
  return uvow_next_pass();
}

static int start_server(app_t *app) {
  uvow_server_options_t options = {.size = sizeof(options)};
  options.protocol = uvow_protocol_jsonrpc2();
  int rc = uvow_server_new(app->loop, &options, &app->server);
  if (rc)
    return rc;
  unsigned port = uvow_server_port(app->server);
  snprintf(app->url, sizeof(app->url), "ws://127.0.0.1:%u/", port);
  snprintf(app->proxy, sizeof(app->proxy), "http://user:pa55@127.0.0.1:%u",
           port);
  return uvow_server_method(app->server, "echo", echo, NULL, NULL);
}

/* [given] */
static int start_with_proxy(app_t *app) {
  uvow_client_options_t options = {.size = sizeof(options)};
  options.url = app->url;     /* ws or wss: by CONNECT for both */
  options.proxy = app->proxy; /* http://user:password@proxy.example.org:3128 */
  options.protocol = uvow_protocol_jsonrpc2();
  return uvow_client_new(app->loop, &options, &app->client);
}
/* [given] */

/* [environment] */
static int start_as_environment_says(app_t *app) {
  uvow_client_options_t options = {.size = sizeof(options)};
  options.url = app->url;
  options.proxy_from_environment = 1; /* https_proxy, http_proxy, ... */
  options.protocol = uvow_protocol_jsonrpc2();
  return uvow_client_new(app->loop, &options, &app->client);
}
/* [environment] */

static void finished(const uvow_result_t *result, void *data) {
  app_t *app = data;
  size_t len = 0;
  const char *text = uvow_result_bytes(result, &len);
  printf("around it: %.*s\n", (int)len, text ? text : "");
  uvow_client_free(app->client);
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
  uvow_client_free(app->client);
  app->client = NULL;
  uv_os_setenv("http_proxy", app->proxy);
  uv_os_setenv("no_proxy", ".example.org,127.0.0.0/8"); /* so: around it */
  if (start_as_environment_says(app) == 0)
    uvow_future_done(
        uvow_client_request_bytes(app->client, "echo", "[1]", 3, NULL),
        finished, app);
}

int main(void) {
  app_t app = {0};
  uv_loop_t *uv = uv_default_loop();
  signal(SIGPIPE, SIG_IGN); /* as every libuv program that writes to sockets */
  int rc = uvow_loop_new(uv, NULL, &app.loop);
  if (rc == 0)
    rc = start_server(&app);
  if (rc == 0)
    rc = start_with_proxy(&app);
  if (rc == 0)
    rc = uvow_future_done(
        uvow_client_request_bytes(app.client, "echo", "[1]", 3, NULL), refused,
        &app);
  if (rc) {
    fprintf(stderr, "proxy: %s\n", uvow_strerror(rc));
    return 1;
  }
  uv_run(uv, UV_RUN_DEFAULT);
  return uv_loop_close(uv) != 0;
}
