/*
 * A client of npm's ganache, a chain for tests: eth_subscribe, whose events say
 * whose they are. It is killed, and comes again as another chain.
 */
#include "support/interop.h"

static void run_chain(interop_t *it, char *url, size_t size) {
  interop_run_npm(it, "npm_servers.js", "ganache", NULL);
  interop_listening(it, "/", url, size);
}

static interop_t *connect_to_chain(void **state) {
  interop_t *it = (interop_t *)*state;
  char url[64];
  run_chain(it, url, sizeof(url));
  interop_connect_again(it, url, uvow_protocol_by_name("jsonrpc2"));
  return it;
}

static uvow_stream_t *heads(interop_t *it) {
  uvow_stream_t *stream = uvow_peer_subscribe(
      it->client, "eth_subscribe", uvow_value_raw("[\"newHeads\"]"),
      UVOW_WITH(subscription, .event = "eth_subscription",
                .key = "/subscription", .item = "/result",
                .unsubscribe = "eth_unsubscribe"));
  assert_non_null(stream);
  return stream;
}

static void assert_head(answer_t *item, const char *number, uint64_t missed) {
  interop_wait(item);
  assert_int_equal(item->code, 0);
  assert_string_equal(json_string_value(json_object_get(item->json, "number")),
                      number);
  assert_true(item->missed == missed);
}

static void mine(interop_t *it) {
  interop_wait(interop_ask(it, "evm_mine", NULL));
}

static void heads_come_back(void **state) {
  interop_t *it = connect_to_chain(state);
  uvow_stream_t *first = heads(it);
  uvow_stream_t *second = heads(it);
  char url[64];
  mine(it);
  assert_head(interop_next(it, first), "0x1", 0);
  assert_head(interop_next(it, second), "0x1", 0);
  mine(it);
  assert_head(interop_next(it, first), "0x2", 0);
  interop_wait_heard(it, 4);
  interop_down(it);
  run_chain(it, url, sizeof(url));
  interop_up(it, url);
  mine(it);
  /* What came before is not lost. */
  assert_head(interop_next(it, second), "0x2", 0);
  assert_head(interop_next(it, second), "0x1", UVOW_MISSED_UNKNOWN);
  assert_head(interop_next(it, first), "0x1", UVOW_MISSED_UNKNOWN);
  /* One is let go of: the other one goes on. */
  interop_wait(interop_watch(it, uvow_stream_close(first)));
  mine(it);
  assert_head(interop_next(it, second), "0x2", 0);
  assert_int_equal(interop_stats(it).events, 4 + 2 + 1);
  assert_int_equal(interop_stats(it).connected, 2);
  uvow_stream_unref(second);
  interop_finish(it);
}

/* Beside code, message and data its errors have a stack. */
static void errors_are_kept_whole(void **state) {
  interop_t *it = connect_to_chain(state);
  answer_t *answer = interop_ask(it, "eth_none", NULL);
  size_t len;
  assert_rejected(answer, UVOW_EREMOTE, UVOW_ANSWERED);
  assert_int_equal(uvow_error_peer_code(answer->error), -32700);
  const char *data = uvow_error_data(answer->error, &len);
  assert_non_null(data);
  assert_non_null(strstr(data, "stack"));
  interop_finish(it);
}

#define TEST(name)                                                             \
  cmocka_unit_test_setup_teardown(name, interop_setup, interop_teardown)

TEST_MODULE(ganache) {
  const struct CMUnitTest tests[] = {
      TEST(heads_come_back),
      TEST(errors_are_kept_whole),
  };
  return cmocka_run_group_tests_name("interop/ganache", tests, NULL, NULL);
}
