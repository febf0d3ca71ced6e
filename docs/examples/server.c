/*
 * A server that doesn't let everybody in: it looks at the path, a token, the
 * origin and the subprotocol, and has methods that answer, refuse, and answer
 * later.
 *
 * So that this runs anywhere, its visitors are clients on the same loop, one
 * after the other.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>
#include <uv.h>
#include <uvow.h>

typedef struct app {
  uvow_loop_t *loop;
  uvow_server_t *server;
  uvow_peer_t *client; /* the visitor that is there now */
  size_t visit;
} app_t;

/* [methods] */
/* A value is the answer. */
static uvow_next_t add(uvow_call_t *call, const uvow_result_t *params,
                       void *data) {
  json_t *args = uvow_result_json(params);
  (void)data;
  if (!json_is_array(args) || json_array_size(args) != 2)
    return uvow_next_error(uvow_error_new_peer(uvow_call_loop(call), -32602,
                                               "add wants [a, b]", NULL, 0));
  return uvow_next_value(
      uvow_value_int64(json_integer_value(json_array_get(args, 0)) +
                       json_integer_value(json_array_get(args, 1))));
}

/* So is what a future will have: the connection answers others meanwhile. */
static uvow_next_t report(uvow_call_t *call, const uvow_result_t *params,
                          void *data) {
  (void)params;
  (void)data;
  return uvow_next_future(uvow_future_delay(uvow_call_loop(call), 10));
}
/* [methods] */

/* [handshake] */
/* Called from the loop, before the peer has its 101. */
static uvow_next_t on_handshake(uvow_websocket_t *ws, void *data) {
  const char *target = uvow_websocket_target(ws); /* path and query */
  const char *token = uvow_websocket_header(ws, "Authorization");
  (void)data;
  if (strcmp(target, "/rpc") != 0)
    uvow_websocket_refuse(ws, 404, "only /rpc is here");
  else if (!token || strcmp(token, "Bearer s3cret") != 0)
    uvow_websocket_refuse(ws, 401, "who are you?");
  else /* or a future of it: then the answer waits */
    return uvow_next_none();
  return uvow_next_code(UVOW_EINVAL, NULL);
}
/* [handshake] */

/* [server] */
static int start_server(app_t *app) {
  static const char *const origins[] = {"https://app.example.org"};
  static const char *const subprotocols[] = {"rpc.v1"};
  uvow_listener_options_t listener = {.size = sizeof(listener)};
  uvow_peer_options_t options = {.size = sizeof(options)};
  listener.host = "127.0.0.1"; /* "::" or "0.0.0.0": every interface */
  listener.origins = origins;  /* beside its own; others: 403 */
  listener.origin_count = 1;
  listener.subprotocols = subprotocols;
  listener.subprotocol_count = 1;
  listener.on_handshake = on_handshake;
  listener.max_peers = 1000;              /* one more: 503 (wss: closed) */
  listener.max_message_bytes = 64 * 1024; /* a longer one: closed, 1009 */
  listener.max_unsent_bytes = 1 << 20;    /* who doesn't read is dropped */
  listener.handshake_timeout_ms = 3000;
  options.protocol = uvow_protocol_by_name("jsonrpc2");
  options.max_calls = 100; /* of one peer, at once */
  options.methods = uvow_methods_new(app->loop);
  uvow_methods_add(options.methods, "add", add, NULL);
  uvow_methods_add(options.methods, "report", report, NULL);
  app->server =
      uvow_server_new(uvow_listener_new(app->loop, &listener), &options);
  uvow_methods_unref(options.methods);
  return app->server ? 0 : uvow_error_code(uvow_loop_error(app->loop));
}
/* [server] */

static const struct {
  const char *path;
  const char *bearer;
  const char *origin;
  const char *method;
  const char *params;
} visits[] = {
    {"/rpc", "s3cret", "https://app.example.org", "add", "[2,3]"},
    {"/rpc", "s3cret", "https://app.example.org", "add", "[2]"},
    {"/rpc", "s3cret", "https://app.example.org", "report", "[]"},
    {"/rpc", "guess", "https://app.example.org", "add", "[2,3]"},
    {"/other", "s3cret", "https://app.example.org", "add", "[2,3]"},
    {"/rpc", "s3cret", "https://evil.example", "add", "[2,3]"},
};

static int visit(app_t *app);

/* [refused] */
static void print(const uvow_result_t *result) {
  const uvow_error_t *error = result->error;
  uvow_slice_t text = uvow_result_bytes(result);
  if (error && uvow_error_code(error) == UVOW_EHANDSHAKE) {
    text.bytes =
        uvow_error_data(uvow_error_cause(error), &text.len); /* the body */
    printf("HTTP %d: %.*s\n", uvow_error_status(error),
           (int)strcspn(text.bytes, "\r\n"), text.bytes);
  } else if (error) {
    printf("error %d: %s\n", (int)uvow_error_peer_code(error),
           uvow_error_peer_message(error));
  } else {
    printf("%.*s\n", (int)text.len, text.bytes);
  }
}
/* [refused] */

static void answered(const uvow_result_t *result, void *data) {
  app_t *app = data;
  printf("%s %s: ", visits[app->visit].path, visits[app->visit].method);
  print(result);
  uvow_peer_unref(app->client);
  app->client = NULL;
  app->visit++;
  if (app->visit < sizeof(visits) / sizeof(*visits) && visit(app) == 0)
    return;
  uvow_server_free(app->server);
  uvow_loop_close(app->loop, NULL, NULL);
}

static int visit(app_t *app) {
  static const char *const subprotocols[] = {"rpc.v2", "rpc.v1"};
  const char *params = visits[app->visit].params;
  char url[64];
  uvow_peer_options_t options = {.size = sizeof(options)};
  uvow_websocket_options_t websocket = {.size = sizeof(websocket)};
  snprintf(url, sizeof(url), "ws://127.0.0.1:%u%s",
           (unsigned)uvow_server_port(app->server), visits[app->visit].path);
  options.websocket = &websocket;
  options.protocol = uvow_protocol_by_name("jsonrpc2");
  websocket.subprotocols = subprotocols;
  websocket.subprotocol_count = 2;
  websocket.bearer = visits[app->visit].bearer;
  websocket.origin = visits[app->visit].origin;
  app->client = uvow_peer_connect(app->loop, url, &options);
  int rc = app->client ? 0 : UVOW_ENOMEM;
  if (rc)
    return rc;
  return uvow_future_done(uvow_peer_request(app->client,
                                            visits[app->visit].method,
                                            uvow_value_raw(params)),
                          answered, app);
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
    rc = visit(&app);
  if (rc) {
    fprintf(stderr, "server: %s\n", uvow_strerror(rc));
    return 1;
  }
  uv_run(uv, UV_RUN_DEFAULT);
  return uv_loop_close(uv) != 0;
}
