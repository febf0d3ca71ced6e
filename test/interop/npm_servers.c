/*
 * Servers from npm that speak a protocol of their own, for our client: see
 * npm_servers.js. They are there as npm_clients.c says.
 */
#include "support/interop.h"

static void start(interop_t *it, const char *name, char *url, size_t size) {
  interop_run_npm(it, "npm_servers.js", name, NULL);
  interop_listening(it, "/", url, size);
}

/* connection_init with what is in vars, then what waited; an error of the
 * server's is one request's. */
static void graphql_ws(void **state) {
  static const char *const subprotocol = "graphql-transport-ws";
  interop_t *it = (interop_t *)*state;
  char url[64];
  start(it, "graphql_ws", url, sizeof(url));
  test_connect_t options =
      interop_options(it, url, uvow_protocol_by_name("graphql_transport_ws"));
  options.peer.vars = "{\"secret\":{\"token\":\"T\"}}";
  options.websocket.subprotocols = &subprotocol;
  options.websocket.subprotocol_count = 1;
  interop_connect_with(it, &options);
  answer_t *good =
      interop_ask(it, "hello", json_pack("{s:s}", "query", "{hello}"));
  answer_t *bad = interop_ask(it, "nope", json_pack("{s:s}", "query", "{no}"));
  interop_wait_all(it);
  assert_int_equal(good->code, 0);
  assert_rejected(bad, UVOW_EREMOTE, UVOW_ANSWERED);
  free(interop_expect_line(it, "completed"));
  interop_finish(it);
}

/* Without the token the server closes: what waits was never sent. */
static void graphql_ws_refuses(void **state) {
  static const char *const subprotocol = "graphql-transport-ws";
  interop_t *it = (interop_t *)*state;
  char url[64];
  start(it, "graphql_ws", url, sizeof(url));
  test_connect_t options =
      interop_options(it, url, uvow_protocol_by_name("graphql_transport_ws"));
  options.websocket.subprotocols = &subprotocol;
  options.websocket.subprotocol_count = 1;
  interop_connect_with(it, &options);
  answer_t *answer =
      interop_ask(it, "hello", json_pack("{s:s}", "query", "{hello}"));
  interop_wait_all(it);
  assert_int_not_equal(answer->code, 0);
  assert_int_equal(uvow_error_outcome(answer->error), UVOW_NOT_SENT);
  assert_int_equal(uvow_error_status(answer->error), 4403);
  interop_finish(it);
}

TEST_MODULE(npm_servers) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(graphql_ws, interop_setup,
                                      interop_teardown),
      cmocka_unit_test_setup_teardown(graphql_ws_refuses, interop_setup,
                                      interop_teardown),
  };
  return cmocka_run_group_tests_name("interop/npm_servers", tests, NULL, NULL);
}
