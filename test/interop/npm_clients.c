/*
 * A server, for clients from npm that speak a protocol of their own: each case
 * is one of npm_clients.js, which knows what must come. test/run installs them,
 * and says where in TEST_NPM.
 */
#include "support/interop.h"
#include "support/serve.h"

#include <stdio.h>

typedef struct house {
  uvow_server_t *server;
  uvow_promise_t *held;
  int canceled;
} house_t;

static uvow_next_t echo(uvow_call_t *call, const uvow_result_t *params,
                        void *data) {
  (void)call;
  (void)params;
  (void)data;
  return uvow_next_pass();
}

static uvow_next_t fail_call(uvow_call_t *call, const uvow_result_t *params,
                             void *data) {
  (void)params;
  (void)data;
  return uvow_next_error(uvow_error_new_peer(
      uvow_call_loop(call), 404, "no such \"field\"", "{\"hint\":1}", 10));
}

static void on_cancel(void *data) {
  house_t *house = (house_t *)data;
  uvow_promise_t *promise = house->held;
  house->held = NULL;
  house->canceled++;
  uvow_promise_drop(promise);
}

/* All operations of GraphQL are one method's: the query says which. */
static uvow_next_t subscribe(uvow_call_t *call, const uvow_result_t *params,
                             void *data) {
  house_t *house = (house_t *)data;
  char text[40];
  const char *query;
  if (uvow_result_get_text(params, "/query", &query))
    return uvow_next_code(UVOW_EINVAL, "no query");
  if (strcmp(query, "{fail}") == 0)
    return fail_call(call, params, data);
  if (strcmp(query, "{hold}") == 0) {
    uvow_future_t *f = uvow_promise_new(uvow_call_loop(call), &house->held);
    uvow_promise_on_cancel(house->held, on_cancel, house, NULL);
    return uvow_next_future(f);
  }
  if (strcmp(query, "{canceled}") == 0) {
    snprintf(text, sizeof(text), "{\"count\":%d}", house->canceled);
    return uvow_next_value(
        uvow_value_bytes(uvow_call_loop(call), text, strlen(text)));
  }
  return uvow_next_pass();
}

static void run_case(interop_t *it, const char *protocol,
                     const char *subprotocol, const char *name) {
  char url[64];
  house_t house;
  test_serve_t options = test_serve_options();
  interop_need_npm();
  memset(&house, 0, sizeof(house));
  options.peer.protocol = uvow_protocol_by_name(protocol);
  options.listener.subprotocols = &subprotocol;
  options.listener.subprotocol_count = subprotocol ? 1 : 0;
  assert_int_equal(test_serve(it->loop, &options, &house.server), 0);
  assert_int_equal(test_method(house.server, "echo", echo, &house), 0);
  assert_int_equal(test_method(house.server, "fail", fail_call, &house), 0);
  assert_int_equal(test_method(house.server, "subscribe", subscribe, &house),
                   0);
  snprintf(url, sizeof(url), "ws://127.0.0.1:%d/",
           uvow_server_port(house.server));
  interop_run_npm(it, "npm_clients.js", url, name);
  free(interop_expect_line(it, "passed"));
  process_wait(&it->process);
  interop_wait(interop_watch(it, uvow_server_close(house.server)));
  assert_int_equal(test_peers(house.server), 0);
  assert_null(house.held);
  uvow_server_free(house.server);
  interop_finish(it);
}

static void graphql_ws(void **state) {
  run_case((interop_t *)*state, "graphql_transport_ws", "graphql-transport-ws",
           "graphql_ws");
}

static void rpc_websockets(void **state) {
  run_case((interop_t *)*state, "jsonrpc2", NULL, "rpc_websockets");
}

TEST_MODULE(npm_clients) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(graphql_ws, interop_setup,
                                      interop_teardown),
      cmocka_unit_test_setup_teardown(rpc_websockets, interop_setup,
                                      interop_teardown),
  };
  return cmocka_run_group_tests_name("interop/npm_clients", tests, NULL, NULL);
}
