/* What a protocol is spoken in is offered by itself, and must be agreed on; a
 * server agrees on what its protocols are spoken in. */
#include "rpc/peer.h"

#include "support/serve.h"
#include "support/script.h"

#include <stdio.h>

#define OFFERED "\r\nSec-WebSocket-Protocol: "

typedef struct asked {
  script_t s;
  char why[300];
} asked_t;

static void note(const uvow_result_t *result, void *data) {
  asked_t *x = (asked_t *)data;
  if (!result->error)
    return;
  assert_int_equal(uvow_error_outcome(result->error), UVOW_NOT_SENT);
  snprintf(x->why, sizeof(x->why), "%s: %s",
           uvow_err_name(uvow_error_code(result->error)),
           uvow_error_message(result->error));
}

/* Up to its handshake. */
static void start(asked_t *x, const char *const *subprotocols, size_t count) {
  memset(x, 0, sizeof(*x));
  script_init(&x->s);
  test_connect_t options = script_options(&x->s);
  options.peer.protocol = uvow_protocol_by_name("graphql_transport_ws");
  options.websocket.subprotocols = subprotocols;
  options.websocket.subprotocol_count = count;
  assert_int_equal(script_client(&x->s, &options), 0);
  uvow_future_t *f = uvow_peer_request(x->s.client, "m", uvow_value_none());
  assert_int_equal(uvow_future_done(f, note, x), 0);
  script_connected(&x->s);
  script_turns(&x->s);
}

/* Answers with this header, or none. */
static void answer(asked_t *x, const char *header) {
  char text[600];
  size_t len = script_accept_text(&x->s, text, sizeof(text) - 100);
  char *own = strstr(text, "\r\nSec-WebSocket-Protocol");
  len = own ? (size_t)(own - text) : len - 4;
  len += (size_t)snprintf(text + len, sizeof(text) - len, "%s\r\n\r\n", header);
  script_feed(&x->s, text, len);
  script_turns(&x->s);
}

static void finish(asked_t *x) {
  uvow_peer_unref(x->s.client);
  x->s.client = NULL;
  x->s.log[0] = '\0';
  script_end(&x->s);
}

/* What is offered, and what comes of an answer. why: "": it's open. */
static void expect(const char *const *subprotocols, size_t count,
                   const char *offered, const char *header, const char *why) {
  asked_t x;
  char line[100];
  start(&x, subprotocols, count);
  char sent[1000];
  snprintf(sent, sizeof(sent), "%.*s", (int)x.s.sent_len,
           (const char *)x.s.sent);
  const char *found = strstr(sent, OFFERED);
  snprintf(line, sizeof(line), OFFERED "%s\r\n", offered ? offered : "");
  if (offered)
    assert_memory_equal(found, line, strlen(line));
  else
    assert_null(found);
  answer(&x, header);
  assert_string_equal(x.why, why);
  if (*why == '\0')
    assert_int_equal(uvow_peer_state(x.s.client), UVOW_PEER_OPENING);
  finish(&x);
}

TEST_CASE(test_the_protocols_own) {
  expect(NULL, 0, "graphql-transport-ws", OFFERED "graphql-transport-ws", "");
  expect(NULL, 0, "graphql-transport-ws", "",
         "UVOW_EPROTOCOL: there is no connection: the server agreed on no "
         "subprotocol, where "
         "graphql-transport-ws was offered");
  expect(NULL, 0, "graphql-transport-ws", OFFERED "graphql-ws",
         "UVOW_EPROTOCOL: there is no connection: the server agreed on the "
         "subprotocol graphql-ws, "
         "where graphql-transport-ws was offered");
}

/* What the application offers instead is its own matter. */
TEST_CASE(test_the_applications) {
  static const char *const own[] = {"x", "y"};
  expect(own, 2, "x, y", OFFERED "y", "");
  expect(own, 2, "x, y", "", "");
  expect(own, 0, NULL, "", "");
  expect(
      own, 1, "x", OFFERED "z",
      "UVOW_EPROTO: there is no connection: a subprotocol that wasn't offered");
}

/* It doesn't get better. */
TEST_CASE(test_it_is_fatal) {
  uvow_reconnect_options_t reconnect = {.size = sizeof(reconnect)};
  asked_t x;
  memset(&x, 0, sizeof(x));
  script_init(&x.s);
  test_connect_t options = script_options(&x.s);
  options.peer.protocol = uvow_protocol_by_name("graphql_transport_ws");
  options.peer.reconnect = &reconnect;
  assert_int_equal(script_client(&x.s, &options), 0);
  script_connected(&x.s);
  script_turns(&x.s);
  answer(&x, "");
  assert_int_equal(uvow_peer_state(x.s.client), UVOW_PEER_CLOSED);
  finish(&x);
}

/* ---- a server ---- */

static uvow_next_t say_cb(uvow_call_t *call, const uvow_result_t *params,
                          void *data) {
  (void)params;
  return uvow_next_value(
      uvow_value_jsonf(uvow_call_loop(call), "[s]", (const char *)data));
}

static uvow_methods_t *methods_of(script_t *s, const char *says) {
  uvow_methods_t *methods = uvow_methods_new(s->loop);
  assert_int_equal(
      uvow_methods_add(methods, "who", say_cb, (void *)(uintptr_t)says), 0);
  assert_int_equal(
      uvow_methods_add(methods, "initialize", say_cb, (void *)(uintptr_t)says),
      0);
  return methods;
}

static void ask_at(script_t *s, const char *protocol, uint16_t port,
                   const char *target, const char *expected) {
  char url[100];
  uvow_peer_t *client;
  script_mark_t m = script_mark(s, target);
  test_connect_t options =
      test_connect_options(uvow_protocol_by_name(protocol));
  snprintf(url, sizeof(url), "ws://127.0.0.1:%u%s", (unsigned)port, target);
  options.url = url;
  options.peer.vars = "{\"initialize\":{}}";
  assert_int_equal(test_connect(s->loop, &options, &client), 0);
  script_watch(uvow_peer_request(client, "who", uvow_value_none()), &m);
  script_until(s, &m.done);
  script_expect(s, expected);
  uvow_peer_unref(client);
}

/* Two protocols on one port: each peer has the one that it asked for. */
TEST_CASE(test_a_server) {
  script_t s;
  uvow_server_t *server;
  script_init(&s);
  test_serve_t options = test_serve_options();
  uvow_peer_options_t mcp = options.peer;
  options.peer.methods = methods_of(&s, "jsonrpc2");
  assert_int_equal(test_serve(s.loop, &options, &server), 0);
  mcp.protocol = uvow_protocol_by_name("mcp");
  mcp.methods = methods_of(&s, "mcp");
  assert_int_equal(uvow_server_add(server, NULL, &mcp), 0);
  uvow_methods_unref(mcp.methods);
  uvow_methods_unref(options.peer.methods);
  ask_at(&s, "mcp", uvow_server_port(server), "/", "/=[\"mcp\"]");
  ask_at(&s, "jsonrpc2", uvow_server_port(server), "/", "/=[\"jsonrpc2\"]");
  uvow_server_free(server);
  script_end(&s);
}

/* ---- by path ---- */

static void add_at(script_t *s, uvow_server_t *server, const char *path,
                   const char *protocol, const char *says) {
  test_serve_t options = test_serve_options();
  options.peer.protocol = uvow_protocol_by_name(protocol);
  options.peer.methods = methods_of(s, says);
  assert_int_equal(uvow_server_add_path(server, path, &options.peer), 0);
  uvow_methods_unref(options.peer.methods);
}

/* A path goes before a subprotocol, which some of them have. */
TEST_CASE(test_paths) {
  script_t s;
  uvow_server_t *server;
  script_init(&s);
  test_serve_t options = test_serve_options();
  options.peer.methods = methods_of(&s, "rest");
  assert_int_equal(test_serve(s.loop, &options, &server), 0);
  uvow_methods_unref(options.peer.methods);
  uint16_t port = uvow_server_port(server);
  add_at(&s, server, "/cb", "callback_id", "cb");
  add_at(&s, server, "/old", "jsonrpc2", "old");
  add_at(&s, server, "/mcp", "mcp", "mcp");
  add_at(&s, server, "/old/mcp", "mcp", "old mcp");
  ask_at(&s, "callback_id", port, "/cb", "/cb=[\"cb\"]");
  ask_at(&s, "callback_id", port, "/cb?a=/", "/cb?a=/=[\"cb\"]");
  ask_at(&s, "jsonrpc2", port, "/", "/=[\"rest\"]");
  ask_at(&s, "jsonrpc2", port, "/cbx", "/cbx=[\"rest\"]");
  ask_at(&s, "jsonrpc2", port, "/c", "/c=[\"rest\"]");
  ask_at(&s, "jsonrpc2", port, "/old", "/old=[\"old\"]");
  ask_at(&s, "mcp", port, "/mcp", "/mcp=[\"mcp\"]");
  ask_at(&s, "mcp", port, "/old/mcp", "/old/mcp=[\"old mcp\"]");
  /* Whose subprotocol it is, the later one; the path goes before it. */
  ask_at(&s, "mcp", port, "/else", "/else=[\"old mcp\"]");
  add_at(&s, server, "/old", "jsonrpc2", "new");
  ask_at(&s, "jsonrpc2", port, "/old", "/old=[\"new\"]");
  uvow_server_free(server);
  script_end(&s);
}

TEST_CASE(test_no_path) {
  static const char *const wrong[] = {NULL, "", "cb", "/cb?a=1"};
  script_t s;
  uvow_server_t *server;
  script_init(&s);
  test_serve_t options = test_serve_options();
  assert_int_equal(test_serve(s.loop, &options, &server), 0);
  for (size_t i = 0; i < UVOW__COUNT(wrong); i++) {
    assert_int_equal(uvow_server_add_path(server, wrong[i], &options.peer),
                     UVOW_EINVAL);
    assert_string_equal(uvow_error_message(uvow_loop_error(s.loop)),
                        "path begins with /, and has no query");
  }
  assert_int_equal(uvow_server_add_path(NULL, "/", &options.peer), UVOW_EINVAL);
  assert_int_equal(uvow_server_add_path(server, "/", NULL), UVOW_EINVAL);
  uvow_server_free(server);
  script_end(&s);
}

/* A protocol that a server can't speak, and what it lacks. */
TEST_CASE(test_what_a_server_lacks) {
  uvow_listener_options_t listener = {.size = sizeof(listener)};
  script_t s;
  script_init(&s);
  uvow_peer_options_t options = {.size = sizeof(options)};
  options.protocol = uvow_protocol_by_name("webdriver_bidi");
  assert_null(uvow_server_new(uvow_listener_new(s.loop, &listener), &options));
  assert_string_equal(
      uvow_error_message(uvow_loop_error(s.loop)),
      "options.protocol: webdriver_bidi can't be a server's, it "
      "lacks reply, or partial and end");
  script_end(&s);
}

TEST_MODULE(subprotocols) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_the_protocols_own),
      cmocka_unit_test(test_the_applications),
      cmocka_unit_test(test_it_is_fatal),
      cmocka_unit_test(test_a_server),
      cmocka_unit_test(test_paths),
      cmocka_unit_test(test_no_path),
      cmocka_unit_test(test_what_a_server_lacks),
  };
  return cmocka_run_group_tests_name("rpc/subprotocols", tests, NULL, NULL);
}
