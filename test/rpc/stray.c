#include "rpc/peer.h"

#include "support/script.h"

#include <jansson.h>
#include <stdio.h>

#define ANSWER(id, result)                                                     \
  "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"result\":" result "}"

static void expect_counts(const script_t *s, unsigned late, unsigned duplicate,
                          unsigned unknown, unsigned malformed) {
  uvow_peer_stats_t stats = script_stats(s);
  assert_int_equal(stats.late, late);
  assert_int_equal(stats.duplicate, duplicate);
  assert_int_equal(stats.unknown, unknown);
  assert_int_equal(stats.malformed, malformed);
}

/* R3: each kind is counted apart and shown with its bytes; none is fatal. */
TEST_CASE(test_kinds) {
  script_t s;
  script_init(&s);
  script_open_client(&s, NULL);
  script_mark_t a = script_mark(&s, "a");
  script_mark_t b = script_mark(&s, "b");
  script_call(&s, "m", &a);
  uvow_future_t *f = script_request(&s, "m", NULL);
  script_call(&s, "m", &b);
  assert_int_equal(uvow_future_cancel(f), 0);
  uvow_future_unref(f);
  script_text(&s, ANSWER("1", "1"));
  script_expect(&s, "a=1");
  script_text(&s, ANSWER("1", "2"));
  script_expect(&s, "duplicate:" ANSWER("1", "2"));
  expect_counts(&s, 0, 1, 0, 0);
  script_text(&s, ANSWER("2", "3"));
  script_expect(&s, "late:" ANSWER("2", "3"));
  expect_counts(&s, 1, 1, 0, 0);
  script_text(&s, ANSWER("4", "4"));
  script_expect(&s, "unknown:" ANSWER("4", "4"));
  expect_counts(&s, 1, 1, 1, 0);
  script_text(&s, "{\"jsonrpc\":\"2.0\",\"id\":9007199254740991,\"error\":{}}");
  script_expect(&s,
                "unknown:{\"jsonrpc\":\"2.0\",\"id\":9007199254740991,"
                "\"error\":{}}");
  script_text(&s, "{");
  script_expect(&s, "malformed:{");
  script_text(&s, "");
  script_expect(&s, "malformed:");
  script_text(&s, "[]");
  script_text(&s, "null");
  script_expect(&s, "malformed:[] malformed:null");
  script_frame(&s, 0x82, ANSWER("3", "1"), strlen(ANSWER("3", "1")));
  script_expect(&s, "malformed:" ANSWER("3", "1"));
  expect_counts(&s, 1, 1, 2, 5);
  script_text(&s, ANSWER("3", "\"mine\""));
  script_expect(&s, "b=\"mine\"");
  script_expect_sent(&s, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\"}");
  script_end(&s);
}

/* Ids that are none of ours are never taken for one of ours. */
TEST_CASE(test_ids) {
  static const char *const ids[] = {"\"1\"",  "[1]",
                                    "1.0",    "1e0",
                                    "0",      "-1",
                                    "-0",     "9007199254740992",
                                    "true",   "18446744073709551617",
                                    "null",   "{\"id\":1}",
                                    "1.0000", "4294967297.0"};
  script_t s;
  script_init(&s);
  script_open_client(&s, NULL);
  script_mark_t a = script_mark(&s, "a");
  script_call(&s, "m", &a);
  for (size_t i = 0; i < sizeof(ids) / sizeof(*ids); i++) {
    char text[128];
    char expected[160];
    snprintf(text, sizeof(text), "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":1}",
             ids[i]);
    snprintf(expected, sizeof(expected), "malformed:%s", text);
    script_text(&s, text);
    script_expect(&s, expected);
    expect_counts(&s, 0, 0, 0, (unsigned)i + 1);
  }
  script_text(&s, "{\"jsonrpc\":\"2.0\",\"result\":1}");
  script_expect(&s, "malformed:{\"jsonrpc\":\"2.0\",\"result\":1}");
  script_text(&s, "{\"jsonrpc\":\"2.0\",\"id\":01,\"result\":1}");
  script_expect(&s, "malformed:{\"jsonrpc\":\"2.0\",\"id\":01,\"result\":1}");
  assert_int_equal(script_stats(&s).pending, 1);
  script_text(&s, ANSWER("1", "1"));
  script_expect(&s, "a=1");
  script_end(&s);
}

/* An answer with a live id that is no answer rejects that request, with the
 * bytes; it isn't shown as a stray: it was delivered. */
TEST_CASE(test_envelope) {
  static const char *const texts[] = {
      "{\"jsonrpc\":\"2.0\",\"id\":%d}",
      "{\"jsonrpc\":\"1.0\",\"id\":%d,\"result\":1}",
      "{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":1,\"error\":{}}",
      "{\"jsonrpc\":\"2.0\",\"id\":%d,\"error\":5}",
      "{\"jsonrpc\":\"2.0\",\"id\":%d,\"id\":1,\"result\":1}",
      "{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":1,\"result\":2}",
      "{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":[}",
  };
  script_t s;
  uvow_result_t result;
  script_init(&s);
  script_open_client(&s, NULL);
  for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
    char text[128];
    size_t len;
    script_mark_t a = script_mark(&s, "a");
    uvow_future_t *f = script_request(&s, "m", NULL);
    script_watch(uvow_future_ref(f), &a);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(text, sizeof(text), texts[i], (int)i + 1);
#pragma GCC diagnostic pop
    script_turns(&s);
    script_text(&s, text);
    script_expect(&s, "a!EENVELOPE:ANSWERED");
    assert_int_equal(uvow_future_peek(f, &result), 0);
    const char *data = uvow_error_data(result.error, &len);
    assert_int_equal(len, strlen(text));
    assert_memory_equal(data, text, len);
    uvow_future_unref(f);
    expect_counts(&s, 0, 0, 0, (unsigned)i + 1);
  }
  script_end(&s);
}

/* A result that isn't JSON: refused, with its bytes, where json was asked for;
 * else delivered as it is. */
TEST_CASE(test_payload) {
  script_t s;
  uvow_result_t result;
  size_t len;
  script_init(&s);
  script_open_client(&s, NULL);
  script_mark_t a = script_mark(&s, "a");
  uvow_future_t *f =
      uvow_peer_request(s.client, "m", uvow_value_json(json_array()));
  script_watch(uvow_future_ref(f), &a);
  script_call(&s, "m", &a);
  script_turns(&s);
  script_text(&s, ANSWER("1", "[1,,2]"));
  script_text(&s, ANSWER("2", "[1,,2]"));
  script_expect(&s, "a!EPAYLOAD:ANSWERED a=[1,,2]");
  assert_int_equal(uvow_future_peek(f, &result), 0);
  assert_memory_equal(uvow_error_data(result.error, &len), "[1,,2]", 6);
  assert_int_equal(len, 6);
  uvow_future_unref(f);
  script_text(&s, ANSWER("1", "1"));
  script_expect(&s, "duplicate:" ANSWER("1", "1"));
  expect_counts(&s, 0, 1, 0, 0);
  script_end(&s);
}

/* What wasn't sent can't be answered: the server guesses. */
TEST_CASE(test_guessed) {
  script_t s;
  char text[512 + 128];
  uint8_t bytes[512 + 128];
  script_init(&s);
  assert_int_equal(script_client(&s, NULL), 0);
  script_connected(&s);
  size_t len = script_accept_text(&s, text, sizeof(text));
  memcpy(bytes, text, len);
  /* In the same burst as the 101, before any request is made. */
  len += script_put_frame(bytes + len, 0x81, ANSWER("1", "1"),
                          strlen(ANSWER("1", "1")));
  script_feed(&s, bytes, len);
  script_expect(&s, "unknown:" ANSWER("1", "1"));
  script_mark_t a = script_mark(&s, "a");
  script_call(&s, "m", &a);
  script_turns(&s);
  script_text(&s, ANSWER("1", "2"));
  script_expect(&s, "a=2");
  script_end(&s);
}

/* Nor can what still waits for its turn; and an id that shares the slot of a
 * live one isn't that one. */
TEST_CASE(test_not_its_own) {
  script_t s;
  script_init(&s);
  test_connect_t options = script_options(&s);
  options.peer.max_in_flight = 1;
  script_open_client(&s, &options);
  script_mark_t a = script_mark(&s, "a");
  script_mark_t b = script_mark(&s, "b");
  script_call(&s, "m", &a);
  script_call(&s, "m", &b);
  script_turns(&s);
  script_text(&s, ANSWER("2", "1"));
  script_expect(&s, "unknown:" ANSWER("2", "1"));
  script_text(&s, ANSWER("65", "1"));
  script_text(&s, ANSWER("4294967297", "1"));
  script_expect(
      &s, "unknown:" ANSWER("65", "1") " unknown:" ANSWER("4294967297", "1"));
  script_text(&s, ANSWER("1", "1"));
  script_text(&s, ANSWER("2", "2"));
  script_expect(&s, "a=1 b=2");
  expect_counts(&s, 0, 0, 3, 0);
  script_end(&s);
}

/* Without a hook they are counted all the same. */
TEST_CASE(test_no_hook) {
  script_t s;
  script_init(&s);
  test_connect_t options = script_options(&s);
  options.peer.on_stray = NULL;
  options.on_event = NULL;
  script_open_client(&s, &options);
  script_text(&s, "x");
  script_text(&s, ANSWER("1", "1"));
  script_text(&s, "{\"jsonrpc\":\"2.0\",\"method\":\"e\"}");
  expect_counts(&s, 0, 0, 1, 1);
  assert_int_equal(script_stats(&s).events, 1);
  script_end(&s);
}

TEST_MODULE(stray) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_kinds),    cmocka_unit_test(test_ids),
      cmocka_unit_test(test_envelope), cmocka_unit_test(test_payload),
      cmocka_unit_test(test_guessed),  cmocka_unit_test(test_not_its_own),
      cmocka_unit_test(test_no_hook),
  };
  return cmocka_run_group_tests_name("rpc/stray", tests, NULL, NULL);
}
