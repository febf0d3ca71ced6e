/*
 * A client that connects again: with a fresh token and another URL, within
 * limits, and without doing anything twice that must not be.
 *
 * So that this runs anywhere, it has two servers of its own; the first one goes
 * away with two requests unanswered.
 */
#include <signal.h>
#include <stdio.h>

#include <uv.h>
#include <uvow.h>

typedef struct app {
  uvow_loop_t *loop;
  uvow_server_t *server; /* the one that is there now */
  uvow_peer_t *client;
  char url[64];
  char token[32];
  int asked;
  int left; /* requests that aren't settled */
} app_t;

static int start_server(app_t *app);

/* The first server gets both requests and is gone. */
static uvow_next_t get_stock(uvow_call_t *call, const uvow_result_t *params,
                             void *data) {
  app_t *app = data;
  (void)call;
  (void)params;
  if (++app->asked > 2)
    return uvow_next_value(uvow_value_int64(42));
  if (app->asked == 2) {
    uvow_server_free(app->server);
    if (start_server(app))
      app->server = NULL;
  }
  return uvow_next_future(uvow_future_delay(uvow_call_loop(call), 60000));
}

static int start_server(app_t *app) {
  uvow_peer_options_t options = {.size = sizeof(options)};
  options.protocol = uvow_protocol_by_name("jsonrpc2");
  options.methods = uvow_methods_new(app->loop);
  uvow_methods_add(options.methods, "get_stock", get_stock, app);
  uvow_methods_add(options.methods, "order", get_stock, app);
  app->server = uvow_server_new(uvow_listener_new(app->loop, NULL), &options);
  uvow_methods_unref(options.methods);
  if (!app->server)
    return uvow_error_code(uvow_loop_error(app->loop));
  snprintf(app->url, sizeof(app->url), "ws://127.0.0.1:%u/",
           (unsigned)uvow_server_port(app->server));
  return 0;
}

/* [renew] */
/* Before each attempt to connect. */
static uvow_next_t renew(uvow_peer_t *client, uint32_t attempt, void *data) {
  app_t *app = data;
  uvow_header_t header = {sizeof(uvow_header_t), "Authorization", app->token};
  snprintf(app->token, sizeof(app->token), "Bearer fresh-%u",
           (unsigned)attempt);
  /* Copied. What it refuses fails this attempt. */
  uvow_peer_set_target(client, app->url, &header, 1);
  return uvow_next_none(); /* or an error, or a future to be waited for */
}
/* [renew] */

/* [state] */
static void on_state(uvow_peer_t *client, const uvow_peer_change_t *change,
                     void *data) {
  const uvow_error_t *why = change->why;
  (void)client;
  (void)data;
  printf("%s%s%s\n", uvow_peer_state_name(change->state), why ? ": " : "",
         why ? uvow_err_name(uvow_error_code(why)) : "");
}
/* [state] */

/* [outcome] */
static void settled(app_t *app, const char *name, const uvow_result_t *result) {
  uvow_slice_t text = uvow_result_bytes(result);
  if (!result->error)
    printf("%s: %.*s\n", name, (int)text.len, text.bytes);
  else if (uvow_error_outcome(result->error) == UVOW_NOT_SENT)
    printf("%s: failed, and safe to try again\n", name);
  else /* UVOW_MAYBE_EXECUTED: find out before you order twice */
    printf("%s: %s, and it may have been done\n", name,
           uvow_err_name(uvow_error_code(result->error)));
  if (--app->left == 0)
    uvow_loop_close(app->loop, NULL, NULL);
}
/* [outcome] */

static void stock_settled(const uvow_result_t *result, void *data) {
  settled(data, "get_stock", result);
}

static void order_settled(const uvow_result_t *result, void *data) {
  settled(data, "order", result);
}

/* [client] */
static int start_client(app_t *app) {
  uvow_reconnect_options_t reconnect = {.size = sizeof(reconnect)};
  uvow_peer_options_t options = {.size = sizeof(options)};
  uvow_websocket_options_t websocket = {.size = sizeof(websocket)};
  reconnect.base_ms = 10;     /* pauses between 0 and 10, 20, 40 ... ms */
  reconnect.max_ms = 5000;    /* and no longer than this */
  reconnect.total_ms = 60000; /* then it gives up */
  options.websocket = &websocket;
  options.protocol = uvow_protocol_by_name("jsonrpc2");
  options.reconnect = &reconnect;
  options.renew = renew;
  options.max_in_flight = 1000; /* more wait for their turn */
  options.max_queued = 10000;   /* one more: UVOW_EOVERLOAD */
  websocket.ping_ms = 10000;    /* is it still there? */
  websocket.dead_ms = 30000;    /* then it's lost */
  options.on_state = on_state;
  options.data = app;
  app->client = uvow_peer_connect(app->loop, app->url, &options);
  return app->client ? 0 : UVOW_ENOMEM;
}
/* [client] */

/* [request] */
static int ask(app_t *app) {
  uvow_request_options_t again = {.size = sizeof(again), .idempotent = 1};
  uvow_future_t *stock = uvow_peer_request_with(app->client, "get_stock",
                                                uvow_value_none(), &again);
  uvow_future_t *order =
      uvow_peer_request(app->client, "order", uvow_value_none());
  app->left = 2;
  int rc = uvow_future_done(stock, stock_settled, app);
  return rc ? rc : uvow_future_done(order, order_settled, app);
}
/* [request] */

int main(void) {
  app_t app = {0};
  uv_loop_t *uv = uv_default_loop();
  signal(SIGPIPE, SIG_IGN); /* as every libuv program that writes to sockets */
  app.loop = uvow_loop_new(uv, NULL);
  int rc = app.loop ? 0 : UVOW_ENOMEM;
  if (rc == 0)
    rc = start_server(&app);
  if (rc == 0)
    rc = start_client(&app);
  if (rc == 0)
    rc = ask(&app);
  if (rc) {
    fprintf(stderr, "reconnect: %s\n", uvow_strerror(rc));
    return 1;
  }
  uv_run(uv, UV_RUN_DEFAULT);
  uvow_peer_unref(app.client);
  uvow_server_free(app.server);
  uv_run(uv, UV_RUN_DEFAULT);
  return uv_loop_close(uv) != 0;
}
