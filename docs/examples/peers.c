/*
 * Two equal ends: each has methods, and each calls the other. Here both are in
 * memory, in one program; over a WebSocket the methods would be the same.
 *
 * The worker does the work, and asks whoever gave it for what it lacks.
 */
#include <stdio.h>
#include <string.h>

#include <jansson.h>
#include <uv.h>
#include <uvow.h>

typedef struct app {
  uvow_loop_t *loop;
  uvow_methods_t *office_methods;
  uvow_methods_t *worker_methods;
  uvow_peer_t *worker; /* as the office sees it */
  uvow_peer_t *office; /* as the worker sees it */
} app_t;

/* [worker] */
/* The price came: it is the answer to "invoice". */
static uvow_next_t write_invoice(const uvow_result_t *price, void *data) {
  char text[64];
  (void)data;
  snprintf(text, sizeof(text), "{\"total\":%lld}",
           (long long)json_integer_value(uvow_result_json(price)) * 3);
  return uvow_next_value(uvow_value_bytes(price->loop, text, strlen(text)));
}

/* The worker is asked for an invoice, and asks its caller for the price. */
static uvow_next_t invoice(uvow_call_t *call, const uvow_result_t *params,
                           void *data) {
  uvow_loop_t *loop = uvow_call_loop(call);
  uvow_future_t *f = uvow_peer_request(uvow_call_peer(call), "price",
                                       uvow_value_bytes(loop, "[\"tea\"]", 7));
  (void)params;
  (void)data;
  printf("worker: an invoice, and what is the price?\n");
  return uvow_next_future(uvow_future_then(f, write_invoice, NULL));
}
/* [worker] */

/* [office] */
static uvow_next_t price(uvow_call_t *call, const uvow_result_t *params,
                         void *data) {
  json_t *args = uvow_result_json(params);
  (void)call;
  (void)data;
  printf("office: the price of %s is 4\n",
         json_string_value(json_array_get(args, 0)));
  return uvow_next_value(uvow_value_int64(4));
}

static void on_closed(const uvow_result_t *result, void *data) {
  app_t *app = (app_t *)data;
  (void)result;
  printf("office: closed\n");
  uvow_peer_unref(app->worker);
  uvow_peer_unref(app->office);
  uvow_methods_unref(app->office_methods);
  uvow_methods_unref(app->worker_methods);
  uvow_loop_close(app->loop, NULL, NULL);
}

static void on_invoice(const uvow_result_t *result, void *data) {
  app_t *app = (app_t *)data;
  uvow_slice_t text = uvow_result_bytes(result);
  printf("office: %.*s\n", (int)text.len, text.bytes ? text.bytes : "");
  uvow_future_done(uvow_peer_close(app->worker), on_closed, app);
}

static int start(app_t *app) {
  uvow_peer_options_t office = {.size = sizeof(office)};
  uvow_peer_options_t worker = {.size = sizeof(worker)};
  app->office_methods = uvow_methods_new(app->loop);
  app->worker_methods = uvow_methods_new(app->loop);
  uvow_methods_add(app->office_methods, "price", price, app);
  uvow_methods_add(app->worker_methods, "invoice", invoice, app);
  office.protocol = worker.protocol = uvow_protocol_by_name("jsonrpc2");
  office.methods = app->office_methods;
  worker.methods = app->worker_methods;
  /* What the office holds is the worker, and the other way round. */
  return uvow_peer_pair(app->loop, &office, &worker, &app->worker,
                        &app->office);
}
/* [office] */

int main(void) {
  app_t app = {0};
  uv_loop_t *uv = uv_default_loop();
  app.loop = uvow_loop_new(uv, NULL);
  if (!app.loop || start(&app))
    return 1;
  uvow_future_done(uvow_peer_request(app.worker, "invoice", uvow_value_none()),
                   on_invoice, &app);
  uv_run(uv, UV_RUN_DEFAULT);
  return uv_loop_close(uv) ? 1 : 0;
}
