/*
 * A client of npm's rpc-websockets: JSON-RPC 2.0, whose events are of another
 * shape, which one rule more reads. Its server is killed, and comes again.
 */
#include "support/interop.h"

static uvow_protocol_t *rpc_websockets(void) {
  static const char description[] =
      "{\"name\":\"rpc_websockets\",\"base\":\"jsonrpc2\",\"rules\":["
      "{\"when\":{\"/notification\":true},\"is\":\"event\","
      "\"name\":\"/notification\",\"value\":\"/params\"}]}";
  uvow_error_t *error = NULL;
  uvow_protocol_t *protocol =
      uvow_protocol_parse(description, strlen(description), &error);
  if (!protocol)
    fail_msg("%s", uvow_error_message(error));
  return protocol;
}

static void run_server(interop_t *it, char *url, size_t size) {
  interop_run_npm(it, "npm_servers.js", "rpc_websockets", NULL);
  interop_listening(it, "/", url, size);
}

static interop_t *connect_to_server(void **state) {
  interop_t *it = (interop_t *)*state;
  char url[64];
  interop_need_npm();
  uvow_protocol_t *protocol = rpc_websockets();
  run_server(it, url, sizeof(url));
  interop_connect_again(it, url, protocol);
  uvow_protocol_unref(protocol);
  return it;
}

/* rpc.on names the event, and so does rpc.off. */
static uvow_stream_t *ticks(interop_t *it) {
  uvow_stream_t *stream = uvow_peer_subscribe(
      it->client, "rpc.on", uvow_value_raw("[\"tick\"]"),
      UVOW_WITH(subscription, .event = "tick", .unsubscribe = "rpc.off",
                .unsubscribe_params = "[\"tick\"]"));
  assert_non_null(stream);
  return stream;
}

static void assert_tick(answer_t *item, const char *text, uint64_t missed) {
  interop_wait(item);
  assert_int_equal(item->code, 0);
  char *got = json_dumps(item->json, JSON_COMPACT);
  assert_string_equal(got, text);
  free(got);
  assert_true(item->missed == missed);
}

static void it_calls(void **state) {
  interop_t *it = connect_to_server(state);
  assert_number(interop_ask(it, "sum", json_pack("[iii]", 1, 2, 3)), 6);
  answer_t *unknown = interop_ask(it, "none", NULL);
  assert_rejected(unknown, UVOW_EREMOTE, UVOW_ANSWERED);
  assert_int_equal(uvow_error_peer_code(unknown->error), -32601);
  interop_finish(it);
}

static void subscriptions_come_back(void **state) {
  interop_t *it = connect_to_server(state);
  uvow_stream_t *stream = ticks(it);
  char url[64];
  interop_ask(it, "tick", json_pack("[i]", 2));
  assert_tick(interop_next(it, stream), "[1,\"of 2\"]", 0);
  assert_tick(interop_next(it, stream), "[2,\"of 2\"]", 0);
  for (int i = 0; i < 3; i++) {
    interop_down(it);
    /* Waits for the connection, behind the subscription. */
    answer_t *again = interop_ask(it, "tick", json_pack("[i]", 2));
    run_server(it, url, sizeof(url));
    interop_up(it, url);
    assert_tick(interop_next(it, stream), "[1,\"of 2\"]", UVOW_MISSED_UNKNOWN);
    assert_tick(interop_next(it, stream), "[2,\"of 2\"]", 0);
    interop_wait(again);
    assert_int_equal(again->code, 0);
  }
  assert_int_equal(interop_stats(it).connected, 4);
  assert_int_equal(interop_stats(it).events, 8);
  uvow_stream_unref(stream);
  interop_finish(it);
}

static void letting_go_unsubscribes(void **state) {
  interop_t *it = connect_to_server(state);
  uvow_stream_t *stream = ticks(it);
  interop_ask(it, "tick", json_pack("[i]", 1));
  assert_tick(interop_next(it, stream), "[1,\"of 1\"]", 0);
  answer_t *closed = interop_watch(it, uvow_stream_close(stream));
  interop_wait(closed);
  assert_int_equal(closed->code, 0);
  interop_wait(interop_ask(it, "tick", json_pack("[i]", 1)));
  assert_int_equal(interop_stats(it).events, 1);
  interop_finish(it);
}

#define TEST(name)                                                             \
  cmocka_unit_test_setup_teardown(name, interop_setup, interop_teardown)

TEST_MODULE(rpc_websockets) {
  const struct CMUnitTest tests[] = {
      TEST(it_calls),
      TEST(subscriptions_come_back),
      TEST(letting_go_unsubscribes),
  };
  return cmocka_run_group_tests_name("interop/rpc_websockets", tests, NULL,
                                     NULL);
}
