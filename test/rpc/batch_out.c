/* What one turn asks leaves as arrays: which messages are in one, what comes
 * back in parts and in any order, and what an error about all of it does. */
#include "rpc/peer.h"

#include "support/link.h"

#include <stdio.h>

#define ASK(id) "{\"jsonrpc\":\"2.0\",\"id\":" #id ",\"method\":\"m\"}"
#define OK(id, value)                                                          \
  "{\"jsonrpc\":\"2.0\",\"id\":" #id ",\"result\":" value "}"
#define NOTE "{\"jsonrpc\":\"2.0\",\"method\":\"n\"}"
#define FAULT                                                                  \
  "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32600,\"message\":"   \
  "\"no batches\"}}"

static test_connect_t options_of(script_t *s, size_t max_batch) {
  test_connect_t options = script_options(s);
  options.peer.max_batch = max_batch;
  return options;
}

static void start(script_t *s, size_t max_batch) {
  script_init(s);
  script_drive_clock(s);
  test_connect_t options = options_of(s, max_batch);
  script_open_client(s, &options);
}

static void finish(script_t *s) {
  uvow_peer_unref(s->client);
  s->client = NULL;
  script_turns(s);
  s->log[0] = '\0';
  script_end(s);
}

static void ask(script_t *s, script_mark_t *marks, size_t count) {
  static const char *const names[] = {"a", "b", "c", "d", "e"};
  for (size_t i = 0; i < count; i++) {
    marks[i] = script_mark(s, names[i]);
    script_watch(script_request(s, "m", NULL), &marks[i]);
  }
}

TEST_CASE(test_one_turn_is_one_array) {
  script_t s;
  script_mark_t m[5];
  start(&s, 4);
  ask(&s, m, 2);
  assert_int_equal(uvow_peer_notify(s.client, "n", uvow_value_none()), 0);
  script_expect_sent(&s, "");
  script_turns(&s);
  script_expect_sent(&s, "[" ASK(1) "," ASK(2) "," NOTE "]");
  script_text(&s, "[" OK(2, "[2]") "," OK(1, "[1]") "]");
  script_turns(&s);
  script_expect(&s, "b=[2] a=[1]");
  ask(&s, m, 1); /* alone: as ever */
  script_turns(&s);
  script_expect_sent(&s, ASK(3));
  script_text(&s, "[" OK(3, "3") "]");
  script_turns(&s);
  script_expect(&s, "a=3");
  finish(&s);
}

/* Arrays of so many; answers one by one, and never. */
TEST_CASE(test_in_parts) {
  script_t s;
  script_mark_t m[5];
  start(&s, 2);
  ask(&s, m, 5);
  script_turns(&s);
  script_expect_sent(&s, "[" ASK(1) "," ASK(2) "]");
  script_expect_sent(&s, "[" ASK(3) "," ASK(4) "]");
  script_expect_sent(&s, ASK(5));
  script_text(&s, OK(4, "4"));
  script_text(&s, "[" OK(1, "1") "," OK(5, "5") "]");
  script_turns(&s);
  script_expect(&s, "d=4 a=1 e=5");
  script_advance(&s, 31000);
  script_turns(&s);
  script_expect(&s, "b!ETIMEDOUT:MAYBE c!ETIMEDOUT:MAYBE");
  finish(&s);
}

/* What was given up, or is past the protocol, is in none. */
TEST_CASE(test_what_is_in_none) {
  script_t s;
  script_mark_t m[5];
  start(&s, 8);
  uvow_future_t *f = script_request(&s, "m", NULL);
  ask(&s, m, 1);
  assert_int_equal(uvow_peer_send(s.client, uvow_value_text("raw")), 0);
  script_mark_t d = script_mark(&s, "d");
  script_call(&s, "m", &d);
  uvow_future_drop(f);
  script_turns(&s);
  script_expect_sent(&s, ASK(2));
  script_expect_sent(&s, "raw");
  script_expect_sent(&s, ASK(3));
  script_expect_sent(&s, "");
  finish(&s);
}

TEST_CASE(test_a_cap_ends_an_array) {
  script_t s;
  script_mark_t m[5];
  script_init(&s);
  test_connect_t options = options_of(&s, 8);
  options.peer.max_in_flight = 2;
  script_open_client(&s, &options);
  ask(&s, m, 4);
  script_turns(&s);
  script_expect_sent(&s, "[" ASK(1) "," ASK(2) "]");
  script_expect_sent(&s, "");
  script_text(&s, "[" OK(1, "1") "," OK(2, "2") "]");
  script_turns(&s);
  script_expect_sent(&s, "[" ASK(3) "," ASK(4) "]");
  script_expect(&s, "a=1 b=2");
  finish(&s);
}

/* Above 1 MiB another one begins; one message alone may be longer. */
TEST_CASE(test_an_array_is_bounded) {
  size_t size = 600u * 1024;
  script_t s;
  char *text = (char *)malloc(size + 1);
  assert_non_null(text);
  memset(text, '1', size);
  text[0] = '[';
  text[size - 1] = ']';
  text[size] = '\0';
  start(&s, 8);
  for (int i = 0; i < 3; i++)
    assert_int_equal(uvow_peer_notify(s.client, "n", uvow_value_raw(text)), 0);
  uvow_peer_stats_t before = script_stats(&s);
  assert_true(before.unsent_bytes > 3 * size);
  int writes = s.writes;
  script_turns(&s);
  assert_true(s.writes > writes);
  assert_int_equal(s.sent[s.sent_at + 14] ^ s.sent[s.sent_at + 10],
                   '{'); /* it's no array: each is alone */
  free(text);
  finish(&s);
}

/* An error about the whole array is one about each request of it; what was asked
 * before or after it isn't meant. */
TEST_CASE(test_an_error_for_all) {
  script_t s;
  script_mark_t m[5];
  start(&s, 8);
  ask(&s, m, 3);
  assert_int_equal(uvow_peer_notify(s.client, "n", uvow_value_none()), 0);
  script_turns(&s);
  (void)script_next(&s);
  script_text(&s, FAULT);
  script_turns(&s);
  script_expect(&s, "a!EREMOTE:MAYBE b!EREMOTE:MAYBE c!EREMOTE:MAYBE");
  assert_int_equal(script_stats(&s).malformed, 0);
  ask(&s, m, 2);
  script_turns(&s);
  (void)script_next(&s);
  script_mark_t c = script_mark(&s, "c");
  script_call(&s, "m", &c); /* a message of its own: either may be meant */
  script_turns(&s);
  (void)script_next(&s);
  script_text(&s, FAULT);
  script_turns(&s);
  script_expect(&s, "fault:" FAULT);
  finish(&s);
}

/* In an array of answers it's about one message: it isn't known which. */
TEST_CASE(test_an_error_for_one) {
  script_t s;
  script_mark_t m[5];
  start(&s, 8);
  ask(&s, m, 3);
  script_turns(&s);
  (void)script_next(&s);
  script_text(&s, "[" OK(1, "1") "," FAULT "]");
  script_turns(&s);
  script_expect(&s, "a=1 fault:" FAULT);
  script_text(&s, "[" OK(2, "2") "," FAULT "]");
  script_turns(&s);
  script_expect(&s, "b=2 c!EREMOTE:MAYBE");
  finish(&s);
}

/* What is sent again is in arrays too, and before what waits. */
TEST_CASE(test_again) {
  script_t s;
  uvow_reconnect_options_t reconnect;
  script_init(&s);
  script_drive_clock(&s);
  test_connect_t options = link_options(&s, &reconnect);
  options.peer.on_state = NULL;
  options.peer.max_batch = 8;
  link_open(&s, &options);
  script_mark_t a = script_mark(&s, "a");
  script_mark_t b = script_mark(&s, "b");
  script_mark_t c = script_mark(&s, "c");
  link_call_idempotent(&s, "m", &a);
  link_call_idempotent(&s, "m", &b);
  script_turns(&s);
  script_expect_sent(&s, "[" ASK(1) "," ASK(2) "]");
  script_hang_up(&s, UV_ECONNRESET);
  script_call(&s, "m", &c);
  link_again(&s);
  script_expect_sent(&s, "[" ASK(1) "," ASK(2) "," ASK(3) "]");
  script_text(&s, FAULT); /* older ids: it isn't known what is in it */
  script_turns(&s);
  script_expect(&s, "fault:" FAULT);
  finish(&s);
}

/* Of a peer over a channel, and one that a server has accepted. */
TEST_CASE(test_over_a_channel) {
  script_t s;
  script_mark_t m[5];
  uvow_channel_t a, b;
  uvow_peer_options_t options = {.size = sizeof(options)};
  script_init(&s);
  options.protocol = uvow_protocol_by_name("jsonrpc2");
  options.max_batch = 8;
  assert_int_equal(uvow_channel_pair(s.loop, &a, &b), 0);
  s.client = uvow_peer_new(s.loop, a, &options);
  ask(&s, m, 2);
  uvow_future_t *f = uvow_stream_next(b.in);
  script_turns(&s);
  script_mark_t heard = script_mark(&s, "heard");
  script_watch(f, &heard);
  script_turns(&s);
  script_expect(&s, "heard=[" ASK(1) "," ASK(2) "]");
  assert_int_equal(
      uvow_sink_push(b.out, uvow_value_text("[" OK(2, "2") "," OK(1, "1") "]")),
      0);
  script_turns(&s);
  script_expect(&s, "b=2 a=1");
  uvow_stream_unref(b.in);
  uvow_sink_drop(b.out);
  finish(&s);
}

/* A protocol without batches has none; neither has one that is code. */
TEST_CASE(test_where_there_are_none) {
  script_t s;
  script_init(&s);
  test_connect_t options = options_of(&s, 8);
  options.peer.protocol = uvow_protocol_by_name("cdp");
  assert_int_equal(script_client(&s, &options), UVOW_EINVAL);
  script_end(&s);
}

static uvow_next_t echo_cb(uvow_call_t *call, const uvow_result_t *params,
                           void *data) {
  (void)call, (void)params, (void)data;
  return uvow_next_pass();
}

static void count_cb(const uvow_result_t *result, void *data) {
  (void)result;
  ++*(int *)data;
}

/* Whatever was promised is settled. */
static void sweep(test_alloc_t *alloc, void *data) {
  uvow_peer_options_t options = {.size = sizeof(options)};
  uvow_peer_t *a = NULL;
  uvow_peer_t *b = NULL;
  int promised = 0;
  int settled = 0;
  script_t s;
  (void)data;
  script_init_with(&s, alloc);
  options.protocol = uvow_protocol_by_name("jsonrpc2");
  options.max_batch = 8;
  options.methods = s.loop ? uvow_methods_new(s.loop) : NULL;
  (void)uvow_methods_add(options.methods, "m", echo_cb, NULL);
  if (s.loop && uvow_peer_pair(s.loop, &options, &options, &a, &b) == 0) {
    for (int i = 0; i < 3; i++) {
      uvow_future_t *f = uvow_peer_request(a, "m", uvow_value_raw("[1]"));
      if (f && uvow_future_done(f, count_cb, &settled) == 0)
        promised++;
    }
    (void)uvow_peer_send(a, uvow_value_text("x"));
    script_turns(&s);
  }
  uvow_peer_unref(a);
  uvow_peer_unref(b);
  uvow_methods_unref(options.methods);
  script_quit(&s);
  assert_int_equal(settled, promised);
}

TEST_CASE(survives_no_memory) {
  test_alloc_sweep(sweep, NULL);
}

TEST_MODULE(batch_out) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_one_turn_is_one_array),
      cmocka_unit_test(test_in_parts),
      cmocka_unit_test(test_what_is_in_none),
      cmocka_unit_test(test_a_cap_ends_an_array),
      cmocka_unit_test(test_an_array_is_bounded),
      cmocka_unit_test(test_an_error_for_all),
      cmocka_unit_test(test_an_error_for_one),
      cmocka_unit_test(test_again),
      cmocka_unit_test(test_over_a_channel),
      cmocka_unit_test(test_where_there_are_none),
      cmocka_unit_test(survives_no_memory),
  };
  return cmocka_run_group_tests_name("rpc/batch_out", tests, NULL, NULL);
}
