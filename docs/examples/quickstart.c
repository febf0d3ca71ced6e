/*
 * uvow in a libuv program: a request, a chain, an error.
 *
 * The loop is the application's; so that this runs anywhere, it also has a
 * server, on a port that the system chooses.
 */
#include <signal.h>
#include <stdio.h>

#include <uv.h>
#include <uvow.h>

typedef struct app {
  uvow_loop_t *loop;
  uvow_server_t *server;
  uvow_peer_t *client;
  int failed;
} app_t;

/* The server's methods. */

static uvow_next_t get_customers(uvow_call_t *call, const uvow_result_t *params,
                                 void *data) {
  (void)params;
  (void)data;
  return uvow_next_jsonf(uvow_call_loop(call), "[{s:i,s:s},{s:i,s:s}]", "id", 7,
                         "name", "Ada", "id", 8, "name", "Grace");
}

/* [method] */
static uvow_next_t get_orders(uvow_call_t *call, const uvow_result_t *params,
                              void *data) {
  uvow_loop_t *loop = uvow_call_loop(call);
  int64_t customer = 0;
  (void)data;
  if (uvow_result_get_int64(params, "/customer", &customer))
    return uvow_next_failed(loop);
  if (customer != 7)
    return uvow_next_error(
        uvow_error_new_peer(loop, 404, "no such customer", NULL, 0));
  return uvow_next_jsonf(loop, "[s,s]", "keyboard", "lamp");
}
/* [method] */

/* [quickstart] */
static uvow_next_t fetch_orders(const uvow_result_t *customers, void *data) {
  app_t *app = data;
  const char *name;
  int64_t id;
  if (uvow_result_getf(customers, "[{s:s,s:I}]", "name", &name, "id", &id))
    return uvow_next_failed(app->loop);
  printf("first customer: %s\n", name);
  return uvow_next_future(
      uvow_peer_requestf(app->client, "get_orders", "{s:I}", "customer", id));
}

static uvow_next_t report(const uvow_result_t *result, void *data) {
  (void)data;
  fprintf(stderr, "no orders: %s\n", uvow_error_message(result->error));
  return uvow_next_pass();
}

static void finished(const uvow_result_t *result, void *data);

static int ask(app_t *app) {
  uvow_future_t *f;
  f = uvow_peer_request(app->client, "get_customers", uvow_value_none());
  f = uvow_future_then(f, fetch_orders, app); /* a request for each answer */
  f = uvow_future_catch(f, report, app);      /* whatever failed above */
  return uvow_future_done(f, finished, app);  /* nothing to free by hand */
}
/* [quickstart] */

/* [end] */
static void refused(const uvow_result_t *result, void *data) {
  app_t *app = data;
  app->failed |= uvow_error_code(result->error) != UVOW_EREMOTE;
  printf("customer 9: %s (the server's code: %d)\n",
         uvow_error_message(result->error),
         (int)uvow_error_peer_code(result->error));
  uvow_peer_unref(app->client);
  uvow_server_free(app->server);
  uvow_loop_close(app->loop, NULL, NULL);
}
/* [end] */

static void finished(const uvow_result_t *result, void *data) {
  app_t *app = data;
  uvow_json_walk_t orders = uvow_result_walk(result, "");
  uvow_result_t order;
  const char *name;
  app->failed = result->error != NULL;
  while (uvow_json_walk_next(&orders, &order))
    if (uvow_result_get_text(&order, "", &name) == 0)
      printf("order: %s\n", name);
  uvow_future_done(
      uvow_peer_requestf(app->client, "get_orders", "{s:i}", "customer", 9),
      refused, app);
}

/* [start] */
static int start(app_t *app, uv_loop_t *uv) {
  char url[64];
  uvow_peer_options_t server = {.size = sizeof(server)};
  uvow_peer_options_t client = {.size = sizeof(client)};
  app->loop = uvow_loop_new(uv, NULL);
  int rc = app->loop ? 0 : UVOW_ENOMEM;
  if (rc)
    return rc;
  server.protocol = uvow_protocol_by_name("jsonrpc2");
  server.methods = uvow_methods_new(app->loop);
  uvow_methods_add(server.methods, "get_customers", get_customers, NULL);
  uvow_methods_add(server.methods, "get_orders", get_orders, NULL);
  app->server = uvow_server_new(uvow_listener_new(app->loop, NULL), &server);
  uvow_methods_unref(server.methods);
  if (!app->server)
    return uvow_error_code(uvow_loop_error(app->loop));
  snprintf(url, sizeof(url), "ws://127.0.0.1:%u/",
           (unsigned)uvow_server_port(app->server));
  client.protocol = uvow_protocol_by_name("jsonrpc2");
  app->client = uvow_peer_connect(app->loop, url, &client);
  rc = app->client ? 0 : UVOW_ENOMEM;
  return rc ? rc : ask(app);
}
/* [start] */

int main(void) {
  app_t app = {0};
  uv_loop_t *uv = uv_default_loop();
  signal(SIGPIPE, SIG_IGN); /* as every libuv program that writes to sockets */
  int rc = start(&app, uv);
  if (rc) {
    fprintf(stderr, "quickstart: %s\n", uvow_strerror(rc));
    return 1;
  }
  uv_run(uv, UV_RUN_DEFAULT);
  if (uv_loop_close(uv))
    app.failed = 1;
  return app.failed;
}
