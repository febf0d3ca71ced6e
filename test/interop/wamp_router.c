/*
 * A caller and subscriber at fox-wamp, a WAMP router of npm's, where autobahn
 * has registered procedures. The router is killed, and comes again.
 */
#include "support/interop.h"

static void run_router(interop_t *it, char *url, size_t size) {
  interop_run_npm(it, "npm_servers.js", "fox_wamp", NULL);
  interop_listening(it, "/", url, size);
}

static interop_t *start(void **state) {
  static const char *const subprotocol = "wamp.2.json";
  interop_t *it = (interop_t *)*state;
  uvow_reconnect_options_t reconnect = {0};
  char url[64];
  run_router(it, url, sizeof(url));
  test_connect_t options =
      interop_options(it, url, uvow_protocol_by_name("wamp2"));
  options.websocket.subprotocols = &subprotocol;
  options.websocket.subprotocol_count = 1;
  reconnect.size = sizeof(reconnect);
  reconnect.base_ms = 1;
  options.peer.reconnect = &reconnect;
  options.peer.renew = interop_renew;
  options.peer.vars = "{\"realm\":\"realm1\"}";
  interop_connect_with(it, &options);
  return it;
}

/* The only one of the args that an answer has. Borrowed. */
static json_t *only_arg(answer_t *answer) {
  interop_wait(answer);
  if (answer->error)
    fail_msg("%s", uvow_error_message(answer->error));
  assert_int_equal(json_array_size(answer->json), 1);
  return json_array_get(answer->json, 0);
}

static void procedures_are_called(void **state) {
  enum { COUNT = 200 };
  interop_t *it = start(state);
  answer_t *sums[COUNT];
  for (int i = 0; i < COUNT; i++)
    sums[i] = interop_ask(it, "com.add", json_pack("[ii]", i, i));
  for (int i = 0; i < COUNT; i++)
    assert_int_equal(json_integer_value(only_arg(sums[i])), 2 * i);
  answer_t *failed = interop_ask(it, "com.fail", NULL);
  answer_t *unknown = interop_ask(it, "com.none", NULL);
  assert_rejected(failed, UVOW_EREMOTE, UVOW_ANSWERED);
  assert_rejected(unknown, UVOW_EREMOTE, UVOW_ANSWERED);
  assert_string_equal(uvow_error_peer_code_text(unknown->error),
                      "wamp.error.no_such_procedure");
  interop_finish(it);
}

/* Of an event of ours the key is its second element, its args the fifth. */
static uvow_stream_t *news(interop_t *it) {
  uvow_stream_t *stream = uvow_peer_subscribe(
      it->client, "com.news", uvow_value_none(),
      UVOW_WITH(subscription, .event = "event", .key = "/1", .item = "/4/0"));
  assert_non_null(stream);
  return stream;
}

static void topics_come_back(void **state) {
  interop_t *it = start(state);
  uvow_stream_t *stream = news(it);
  char url[64];
  interop_ask(it, "com.shout", json_pack("[s]", "one"));
  assert_text(interop_next(it, stream), "one");
  interop_down(it);
  run_router(it, url, sizeof(url));
  interop_up(it, url);
  interop_ask(it, "com.shout", json_pack("[s]", "two"));
  answer_t *again = interop_next(it, stream);
  assert_text(again, "two");
  assert_true(again->missed == UVOW_MISSED_UNKNOWN);
  interop_wait_all(it);
  assert_int_equal(interop_stats(it).connected, 2);
  uvow_stream_unref(stream);
  interop_finish(it);
}

#define TEST(name)                                                             \
  cmocka_unit_test_setup_teardown(name, interop_setup, interop_teardown)

TEST_MODULE(wamp_router) {
  const struct CMUnitTest tests[] = {
      TEST(procedures_are_called),
      TEST(topics_come_back),
  };
  return cmocka_run_group_tests_name("interop/wamp_router", tests, NULL, NULL);
}
