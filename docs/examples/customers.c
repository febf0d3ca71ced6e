/*
 * The example of the article that uvow began with: a page asks for its
 * customers over a WebSocket, each request carries a callback_id, and whatever
 * answer comes is matched with its request by that.
 *
 *   -> {"type":"get_customers","callback_id":1}
 *   -> {"type":"get_time","callback_id":2}
 *   <- {"result":true,"callback_id":2,"data":"12:00"}
 *   <- {"result":true,"callback_id":1,"data":[{...},{...}]}
 *
 * The server answers the second request first; each future gets its own answer.
 */
#include <stdio.h>

#include <jansson.h>
#include <uv.h>
#include <uvow.h>

typedef struct app {
  uvow_loop_t *loop;
  uvow_server_t *server;
  uvow_peer_t *client;
  uvow_promise_t *customers; /* the answer that the server owes */
  int failed;
} app_t;

/* The server. */

/* Not known yet: the answer is a future, and the server keeps its promise. */
static uvow_next_t get_customers(uvow_call_t *call, const uvow_result_t *params,
                                 void *data) {
  app_t *app = data;
  (void)params;
  return uvow_next_future(
      uvow_promise_new(uvow_call_loop(call), &app->customers));
}

static uvow_next_t get_time(uvow_call_t *call, const uvow_result_t *params,
                            void *data) {
  (void)call;
  (void)params;
  (void)data;
  return uvow_next_value(uvow_value_text("12:00"));
}

/* By now the customers are known. */
static uvow_next_t open_shop(uvow_call_t *call, const uvow_result_t *params,
                             void *data) {
  app_t *app = data;
  json_t *customers = json_pack("[{s:i, s:s}, {s:i, s:s}]", "id", 1, "name",
                                "John Doe", "id", 2, "name", "Jane Doe");
  (void)call;
  (void)params;
  uvow_promise_fulfill(app->customers, uvow_value_json(customers));
  app->customers = NULL;
  return uvow_next_none();
}

/* The client. */

static uvow_next_t show_customers(const uvow_result_t *result, void *data) {
  size_t index;
  json_t *customer;
  (void)data;
  json_array_foreach(uvow_result_json(result), index, customer)
      printf("customer %d: %s\n",
             (int)json_integer_value(json_object_get(customer, "id")),
             json_string_value(json_object_get(customer, "name")));
  return uvow_next_none();
}

/* It was asked for later, and is here first: now the others may come. */
static uvow_next_t show_time(const uvow_result_t *result, void *data) {
  app_t *app = data;
  printf("time: %s\n", json_string_value(uvow_result_json(result)));
  return uvow_next_future(
      uvow_peer_request(app->client, "open_shop", uvow_value_none()));
}

static void finished(const uvow_result_t *result, void *data) {
  app_t *app = data;
  if (result->error) {
    fprintf(stderr, "customers: %s\n", uvow_error_message(result->error));
    app->failed = 1;
  }
  uvow_promise_drop(app->customers); /* NULL, unless something went wrong */
  uvow_peer_unref(app->client);
  uvow_server_free(app->server);
  uvow_loop_close(app->loop, NULL, NULL);
}

/* Both requests leave at once; `all` waits for both. */
static int ask(app_t *app) {
  uvow_future_t *both[2];
  both[0] = uvow_peer_request(app->client, "get_customers", uvow_value_none());
  both[1] = uvow_peer_request(app->client, "get_time", uvow_value_none());
  both[0] = uvow_future_then(both[0], show_customers, NULL);
  both[1] = uvow_future_then(both[1], show_time, app);
  return uvow_future_done(uvow_future_all(app->loop, both, 2), finished, app);
}

static int start(app_t *app, uv_loop_t *uv) {
  char url[64];
  uvow_peer_options_t server = {.size = sizeof(server)};
  uvow_peer_options_t client = {.size = sizeof(client)};
  app->loop = uvow_loop_new(uv, NULL);
  int rc = app->loop ? 0 : UVOW_ENOMEM;
  if (rc)
    return rc;
  server.protocol = client.protocol = uvow_protocol_by_name("callback_id");
  server.methods = uvow_methods_new(app->loop);
  uvow_methods_add(server.methods, "get_customers", get_customers, app);
  uvow_methods_add(server.methods, "get_time", get_time, app);
  uvow_methods_add(server.methods, "open_shop", open_shop, app);
  app->server = uvow_server_new(uvow_listener_new(app->loop, NULL), &server);
  uvow_methods_unref(server.methods);
  if (!app->server)
    return uvow_error_code(uvow_loop_error(app->loop));
  snprintf(url, sizeof(url), "ws://127.0.0.1:%u/",
           (unsigned)uvow_server_port(app->server));
  app->client = uvow_peer_connect(app->loop, url, &client);
  rc = app->client ? 0 : UVOW_ENOMEM;
  return rc ? rc : ask(app);
}

int main(void) {
  app_t app = {0};
  uv_loop_t *uv = uv_default_loop();
  int rc = start(&app, uv);
  if (rc) {
    fprintf(stderr, "customers: %s\n", uvow_strerror(rc));
    return 1;
  }
  uv_run(uv, UV_RUN_DEFAULT);
  if (uv_loop_close(uv))
    app.failed = 1;
  return app.failed;
}
