/*
 * A subscription that outlives its connection: the client asks for it again, and
 * says where something may be missing.
 *
 * So that this runs anywhere, it has a server of its own, which sends two heads
 * of a chain to each subscriber and then goes away with the connection once.
 */
#include <signal.h>
#include <stdio.h>

#include <uv.h>
#include <uvow.h>

typedef struct app {
  uvow_loop_t *loop;
  uvow_server_t *server;
  uvow_peer_t *client;
  int subscribed;
  int seen;
} app_t;

/* ---- the server ---- */

/* Events may well come before the answer that says whose they are. */
static uvow_next_t subscribe(uvow_call_t *call, const uvow_result_t *params,
                             void *data) {
  app_t *app = data;
  int id = ++app->subscribed;
  (void)params;
  for (int i = 1; i <= 2; i++)
    uvow_peer_notifyf(uvow_call_peer(call), "head", "{s:i,s:{s:i}}",
                      "subscription", id, "result", "number", 10 * id + i);
  return uvow_next_value(uvow_value_int64(id));
}

static uvow_next_t go_away(uvow_call_t *call, const uvow_result_t *params,
                           void *data) {
  (void)params;
  (void)data;
  printf("server: goes away\n");
  uvow_peer_end(uvow_call_peer(call));
  return uvow_next_none();
}

static void finish(app_t *app) {
  uvow_peer_unref(app->client);
  uvow_server_free(app->server);
  uvow_loop_close(app->loop, NULL, NULL);
}

static uvow_next_t unsubscribe(uvow_call_t *call, const uvow_result_t *params,
                               void *data) {
  uvow_slice_t which = uvow_result_bytes(params);
  (void)call;
  printf("server: unsubscribed %.*s\n", (int)which.len, which.bytes);
  finish(data);
  return uvow_next_none();
}

static int start_server(app_t *app) {
  uvow_listener_options_t listener = {.size = sizeof(listener)};
  uvow_peer_options_t options = {.size = sizeof(options)};
  options.protocol = uvow_protocol_by_name("jsonrpc2");
  options.methods = uvow_methods_new(app->loop);
  uvow_methods_add(options.methods, "subscribe", subscribe, app);
  uvow_methods_add(options.methods, "unsubscribe", unsubscribe, app);
  uvow_methods_add(options.methods, "go", go_away, app);
  app->server =
      uvow_server_new(uvow_listener_new(app->loop, &listener), &options);
  uvow_methods_unref(options.methods);
  return app->server ? 0 : uvow_error_code(uvow_loop_error(app->loop));
}

/* ---- the client ---- */

/* [item] */
static uvow_next_t on_head(const uvow_result_t *head, void *data) {
  app_t *app = data;
  int64_t number = 0;
  uvow_result_get_int64(head, "/number", &number);
  printf("head %d%s\n", (int)number,
         uvow_result_missed(head) ? ", and some may be missing before it" : "");
  if (++app->seen == 2)
    uvow_peer_notify(app->client, "go", uvow_value_none());
  return app->seen < 4 ? uvow_next_pass() : uvow_next_end(uvow_value_none());
}
/* [item] */

static void on_end(const uvow_result_t *result, void *data) {
  (void)data;
  if (result->error)
    printf("ended: %s\n", uvow_error_message(result->error));
}

/* [subscribe] */
static int follow(app_t *app) {
  uvow_subscription_options_t heads = {.size = sizeof(heads)};
  heads.event = "head";              /* events of this name, ... */
  heads.key = "/subscription";       /* which say here whose they are, as */
  heads.answer_key = "";             /* the answer does; of them, */
  heads.item = "/result";            /* this is what we want */
  heads.unsubscribe = "unsubscribe"; /* with [id], when we let go */
  uvow_stream_t *stream =
      uvow_peer_subscribe(app->client, "subscribe", uvow_value_none(), &heads);
  return uvow_future_done(uvow_stream_each(stream, on_head, app), on_end, app);
}
/* [subscribe] */

static int start_client(app_t *app) {
  char url[64];
  uvow_reconnect_options_t reconnect = {.size = sizeof(reconnect)};
  uvow_peer_options_t options = {.size = sizeof(options)};
  snprintf(url, sizeof(url), "ws://127.0.0.1:%u/",
           (unsigned)uvow_server_port(app->server));
  reconnect.base_ms = 10;
  options.protocol = uvow_protocol_by_name("jsonrpc2");
  options.reconnect = &reconnect;
  app->client = uvow_peer_connect(app->loop, url, &options);
  return app->client ? 0 : UVOW_ENOMEM;
}

int main(void) {
  app_t app = {0};
  uv_loop_t *uv = uv_default_loop();
  signal(SIGPIPE, SIG_IGN);
  app.loop = uvow_loop_new(uv, NULL);
  int rc = app.loop ? 0 : UVOW_ENOMEM;
  if (rc == 0)
    rc = start_server(&app);
  if (rc == 0)
    rc = start_client(&app);
  if (rc == 0)
    rc = follow(&app);
  if (rc) {
    fprintf(stderr, "subscriptions: %s\n", uvow_strerror(rc));
    return 1;
  }
  uv_run(uv, UV_RUN_DEFAULT);
  return uv_loop_close(uv) != 0;
}
