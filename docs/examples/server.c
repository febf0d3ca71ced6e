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
  uvow_client_t *client; /* the visitor that is there now */
  size_t visit;
} app_t;

/* [methods] */
/* A value is the answer. */
static uvow_next_t add(const uvow_call_t *call, void *data) {
  json_t *params = uvow_call_json(call);
  (void)data;
  if (!json_is_array(params) || json_array_size(params) != 2)
    return uvow_next_error(uvow_error_new_peer(uvow_call_loop(call), -32602,
                                               "add wants [a, b]", NULL, 0));
  return uvow_next_value(
      uvow_value_int64(json_integer_value(json_array_get(params, 0)) +
                       json_integer_value(json_array_get(params, 1))));
}

/* So is what a future will have: the connection answers others meanwhile. */
static uvow_next_t report(const uvow_call_t *call, void *data) {
  (void)data;
  return uvow_next_future(uvow_future_delay(uvow_call_loop(call), 10));
}
/* [methods] */

/* [handshake] */
/* Called from the loop, before the peer has its 101. */
static void on_handshake(uvow_handshake_t *handshake, void *data) {
  const char *target = uvow_handshake_target(handshake); /* path and query */
  const char *token = uvow_handshake_header(handshake, "Authorization");
  (void)data;
  if (strcmp(target, "/rpc") != 0)
    uvow_handshake_refuse(handshake, 404, "only /rpc is here");
  else if (!token || strcmp(token, "Bearer s3cret") != 0)
    uvow_handshake_refuse(handshake, 401, "who are you?");
  else if (uvow_handshake_offers(handshake, "rpc.v2"))
    uvow_handshake_choose(handshake, "rpc.v2"); /* or the options' choice */
}
/* [handshake] */

/* [server] */
static int start_server(app_t *app) {
  static const char *const origins[] = {"https://app.example.org"};
  static const char *const subprotocols[] = {"rpc.v1"};
  uvow_server_options_t options = {.size = sizeof(options)};
  options.protocol = uvow_protocol_jsonrpc2();
  options.host = "127.0.0.1"; /* "::" or "0.0.0.0": every interface */
  options.origins = origins;  /* an Origin that is none of these: 403 */
  options.origin_count = 1;
  options.subprotocols = subprotocols;
  options.subprotocol_count = 1;
  options.on_handshake = on_handshake;
  options.max_peers = 1000;              /* one more: 503 (wss: closed) */
  options.max_calls = 100;               /* of one peer, at once */
  options.max_message_bytes = 64 * 1024; /* a longer one: closed, 1009 */
  options.max_unsent_bytes = 1 << 20;    /* who doesn't read is dropped */
  options.handshake_timeout_ms = 3000;
  int rc = uvow_server_new(app->loop, &options, &app->server);
  if (rc == 0)
    rc = uvow_server_method(app->server, "add", add, NULL, NULL);
  if (rc == 0)
    rc = uvow_server_method(app->server, "report", report, NULL, NULL);
  return rc;
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
  size_t len = 0;
  const char *text = uvow_result_bytes(result, &len);
  if (error && uvow_error_code(error) == UVOW_EHANDSHAKE) {
    text = uvow_error_data(uvow_error_cause(error), &len); /* the body */
    printf("HTTP %d: %.*s\n", uvow_error_status(error),
           (int)strcspn(text, "\r\n"), text);
  } else if (error) {
    printf("error %d: %s\n", (int)uvow_error_peer_code(error),
           uvow_error_peer_message(error));
  } else {
    printf("%.*s\n", (int)len, text);
  }
}
/* [refused] */

static void answered(const uvow_result_t *result, void *data) {
  app_t *app = data;
  printf("%s %s: ", visits[app->visit].path, visits[app->visit].method);
  print(result);
  uvow_client_free(app->client);
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
  uvow_client_options_t options = {.size = sizeof(options)};
  snprintf(url, sizeof(url), "ws://127.0.0.1:%u%s",
           (unsigned)uvow_server_port(app->server), visits[app->visit].path);
  options.url = url;
  options.protocol = uvow_protocol_jsonrpc2();
  options.subprotocols = subprotocols;
  options.subprotocol_count = 2;
  options.bearer = visits[app->visit].bearer;
  options.origin = visits[app->visit].origin;
  int rc = uvow_client_new(app->loop, &options, &app->client);
  if (rc)
    return rc;
  return uvow_future_done(
      uvow_client_request_bytes(app->client, visits[app->visit].method, params,
                                strlen(params), NULL),
      answered, app);
}

int main(void) {
  app_t app = {0};
  uv_loop_t *uv = uv_default_loop();
  signal(SIGPIPE, SIG_IGN); /* as every libuv program that writes to sockets */
  int rc = uvow_loop_new(uv, NULL, &app.loop);
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
