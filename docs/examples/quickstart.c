/*
 * uvow in a libuv program: a request, a chain, an error.
 *
 * The loop is the application's; so that this runs anywhere, it also has a
 * server, on a port that the system chooses.
 */
#include <signal.h>
#include <stdio.h>

#include <jansson.h>
#include <uv.h>
#include <uvow.h>

typedef struct app {
  uvow_loop_t *loop;
  uvow_server_t *server;
  uvow_client_t *client;
  int failed;
} app_t;

/* The server's methods. */

static uvow_next_t get_customers(const uvow_call_t *call, void *data) {
  (void)call;
  (void)data;
  return uvow_next_json(json_pack("[{s:i, s:s}, {s:i, s:s}]", "id", 7, "name",
                                  "Ada", "id", 8, "name", "Grace"));
}

/* [method] */
static uvow_next_t get_orders(const uvow_call_t *call, void *data) {
  json_t *customer = json_object_get(uvow_call_json(call), "customer");
  (void)data;
  if (json_integer_value(customer) != 7)
    return uvow_next_error(uvow_error_new_peer(uvow_call_loop(call), 404,
                                               "no such customer", NULL, 0));
  return uvow_next_json(json_pack("[s, s]", "keyboard", "lamp"));
}
/* [method] */

/* [quickstart] */
static uvow_next_t fetch_orders(const uvow_result_t *result, void *data) {
  app_t *app = data;
  json_t *first = json_array_get(uvow_result_json(result), 0);
  printf("first customer: %s\n",
         json_string_value(json_object_get(first, "name")));
  return uvow_next_future(uvow_client_request(
      app->client, "get_orders",
      json_pack("{s:O}", "customer", json_object_get(first, "id")), NULL));
}

static uvow_next_t report(const uvow_result_t *result, void *data) {
  (void)data;
  fprintf(stderr, "no orders: %s\n", uvow_error_message(result->error));
  return uvow_next_pass();
}

static void finished(const uvow_result_t *result, void *data);

static int ask(app_t *app) {
  uvow_future_t *f;
  f = uvow_client_request(app->client, "get_customers", NULL, NULL);
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
  uvow_client_free(app->client);
  uvow_server_free(app->server);
  uvow_loop_close(app->loop, NULL, NULL);
}
/* [end] */

static void finished(const uvow_result_t *result, void *data) {
  app_t *app = data;
  size_t index;
  json_t *order;
  app->failed = result->error != NULL;
  json_array_foreach(uvow_result_json(result), index, order)
      printf("order: %s\n", json_string_value(order));
  uvow_future_done(uvow_client_request(app->client, "get_orders",
                                       json_pack("{s:i}", "customer", 9), NULL),
                   refused, app);
}

/* [start] */
static int start(app_t *app, uv_loop_t *uv) {
  char url[64];
  uvow_server_options_t server = {.size = sizeof(server)};
  uvow_client_options_t client = {.size = sizeof(client)};
  int rc = uvow_loop_new(uv, NULL, &app->loop);
  if (rc)
    return rc;
  server.protocol = uvow_protocol_jsonrpc2();
  rc = uvow_server_new(app->loop, &server, &app->server);
  if (rc)
    return rc;
  uvow_server_method(app->server, "get_customers", get_customers, NULL, NULL);
  uvow_server_method(app->server, "get_orders", get_orders, NULL, NULL);
  snprintf(url, sizeof(url), "ws://127.0.0.1:%u/",
           (unsigned)uvow_server_port(app->server));
  client.url = url;
  client.protocol = uvow_protocol_jsonrpc2();
  rc = uvow_client_new(app->loop, &client, &app->client);
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
