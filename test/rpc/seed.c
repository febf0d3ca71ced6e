/*
 * The defects of the article that this project was created from, numbered as
 * in the notes on it (1 to 18): each a test that ours doesn't have it. The
 * protocol is the article's own.
 */
#include "rpc/peer.h"

#include "support/link.h"

#include <stdio.h>
#include <unistd.h>

#include <jansson.h>

#define ASK(id) "{\"type\":\"get\",\"callback_id\":" #id "}"

static test_connect_t article(script_t *s) {
  test_connect_t options = script_options(s);
  options.peer.protocol = uvow_protocol_by_name("callback_id");
  return options;
}

static void begin(script_t *s) {
  script_init(s);
  script_drive_clock(s);
  test_connect_t options = article(s);
  script_open_client(s, &options);
}

static void answer(script_t *s, int id) {
  char text[80];
  snprintf(text, sizeof(text),
           "{\"result\":true,\"callback_id\":%d,\"data\":%d}", id, id);
  script_text(s, text);
}

/* `delete ...callbackID` deleted nothing: 100 answers left 100 entries. */
TEST_CASE(seed_1_entries_are_deleted_after_their_answer) {
  script_t s;
  size_t live = 0;
  begin(&s);
  script_mark_t quiet = script_mark(&s, NULL);
  for (int id = 1; id <= 1000; id++) {
    script_call(&s, "get", &quiet);
    script_turns(&s);
    answer(&s, id);
    assert_int_equal(script_stats(&s).pending, 0);
    assert_int_equal(s.client->dispatcher.live, 0);
    if (id == 100)
      live = s.alloc->live;
    s.sent_len = s.sent_at = 0;
  }
  assert_int_equal(quiet.calls, 1000);
  assert_int_equal(s.alloc->live, live);
  assert_int_equal(s.client->dispatcher.mask + 1, 64);
  script_end(&s);
}

/* A wrap overwrote live entries: the old one's answer resolved the new one. */
TEST_CASE(seed_2_no_live_request_loses_its_id) {
  script_t s;
  begin(&s);
  script_mark_t old = script_mark(&s, "old");
  script_mark_t quiet = script_mark(&s, NULL);
  script_call(&s, "get", &old);
  for (int id = 2; id <= 200; id += (id + 1) % 64 == 1 ? 2 : 1) {
    script_call(&s, "get", &quiet); /* past its slot, thrice */
    script_turns(&s);
    answer(&s, id);
  }
  assert_int_equal(script_stats(&s).pending, 1);
  answer(&s, 1);
  script_expect(&s, "old=1");
  script_end(&s);
}

/* Ids went 10000, 0, though the first was 1. */
TEST_CASE(seed_3_ids_begin_at_1_and_never_come_again) {
  script_t s;
  begin(&s);
  script_mark_t a = script_mark(&s, "a");
  script_call(&s, "get", &a);
  script_turns(&s);
  script_expect_sent(&s, ASK(1));
  answer(&s, 1);
  s.client->dispatcher.next_id = 10000;
  script_call(&s, "get", &a);
  script_call(&s, "get", &a);
  script_turns(&s);
  script_expect_sent(&s, ASK(10000));
  script_expect_sent(&s, ASK(10001));
  answer(&s, 10000);
  answer(&s, 10001);
  s.client->dispatcher.next_id = UVOW__ID_MAX; /* the last that JSON can bear */
  script_call(&s, "get", &a);
  script_call(&s, "get", &a);
  script_turns(&s);
  script_expect_sent(&s, ASK(9007199254740991));
  script_expect_sent(&s, "");
  script_text(&s, "{\"result\":true,\"callback_id\":9007199254740991}");
  script_expect(&s, "a=1 a=10000 a=10001 a!ECLOSED:NOT a=");
  script_end(&s);
}

/* `result: false` resolved, with undefined. */
TEST_CASE(seed_4_a_refusal_rejects) {
  script_t s;
  begin(&s);
  script_mark_t a = script_mark(&s, "a");
  script_call(&s, "get", &a);
  script_text(&s, "{\"result\":false,\"callback_id\":1,\"data\":\"no table\"}");
  script_expect(&s, "a!EREMOTE:ANSWERED");
  script_end(&s);
}

/* To send before open threw, and left an entry; what can't be serialised too.
 */
TEST_CASE(seed_5_a_request_may_come_before_open) {
  script_t s;
  script_init(&s);
  test_connect_t options = article(&s);
  assert_int_equal(script_client(&s, &options), 0);
  script_mark_t a = script_mark(&s, "a");
  script_call(&s, "get", &a);
  json_t *endless = json_pack("{sf}", "x", 1.0);
  json_object_set_new(endless, "self", json_array());
  json_array_append(json_object_get(endless, "self"), endless);
  json_incref(endless); /* to take the circle apart */
  script_watch(uvow_peer_request(s.client, "get", uvow_value_json(endless)),
               &a);
  script_turns(&s);
  assert_int_equal(script_stats(&s).pending, 1);
  json_array_clear(json_object_get(endless, "self"));
  json_decref(endless);
  script_connected(&s);
  script_accept(&s);
  script_expect_sent(&s, ASK(1));
  answer(&s, 1);
  script_expect(&s, "a!EINVAL:NOT a=1");
  script_end(&s);
}

/* A null frame was a TypeError, malformed JSON an uncaught SyntaxError. */
TEST_CASE(seed_6_nonsense_hurts_nobody) {
  static const char *const nonsense[] = {
      "null", "{", "", "[]", "5", "\"x\"", "{}", "{\"result\":true}"};
  script_t s;
  begin(&s);
  script_mark_t a = script_mark(&s, "a");
  script_call(&s, "get", &a);
  script_turns(&s);
  for (size_t i = 0; i < UVOW__COUNT(nonsense); i++)
    script_text(&s, nonsense[i]);
  assert_int_equal(script_stats(&s).malformed, UVOW__COUNT(nonsense));
  s.log[0] = '\0';
  answer(&s, 1);
  script_expect(&s, "a=1");
  script_end(&s);
}

/* "1" and [1] were as good as 1. */
TEST_CASE(seed_7_an_id_is_not_coerced) {
  static const char *const ids[] = {"\"1\"", "[1]", "1.0", "1e0", "true", "01"};
  script_t s;
  char text[80];
  begin(&s);
  script_mark_t a = script_mark(&s, "a");
  script_call(&s, "get", &a);
  script_turns(&s);
  for (size_t i = 0; i < UVOW__COUNT(ids); i++) {
    snprintf(text, sizeof(text), "{\"result\":true,\"callback_id\":%s}",
             ids[i]);
    script_text(&s, text);
    assert_int_equal(a.calls, 0);
  }
  s.log[0] = '\0';
  answer(&s, 1);
  script_expect(&s, "a=1");
  script_end(&s);
}

/* The caller's object got the id: sent again, its first entry was lost. */
TEST_CASE(seed_8_the_callers_request_is_left_alone) {
  script_t s;
  begin(&s);
  script_mark_t a = script_mark(&s, "a");
  script_mark_t b = script_mark(&s, "b");
  json_t *params = json_pack("{si}", "limit", 5);
  json_t *before = json_deep_copy(params);
  script_watch(
      uvow_peer_request(s.client, "get", uvow_value_json(json_incref(params))),
      &a);
  script_watch(
      uvow_peer_request(s.client, "get", uvow_value_json(json_incref(params))),
      &b);
  script_turns(&s);
  assert_true(json_equal(params, before));
  json_decref(before);
  json_decref(params);
  script_expect_sent(&s, "{\"type\":\"get\",\"limit\":5,\"callback_id\":1}");
  script_expect_sent(&s, "{\"type\":\"get\",\"limit\":5,\"callback_id\":2}");
  answer(&s, 2);
  answer(&s, 1);
  script_expect(&s, "b=2 a=1");
  script_end(&s);
}

static uvow_next_t fail_next(const uvow_result_t *result, void *data) {
  (void)result;
  (void)data;
  return uvow_next_code(UVOW_EINVAL, "the continuation failed");
}

/* `$apply` was given undefined: resolution ran outside its error handling. */
TEST_CASE(seed_9_a_continuations_error_is_handled) {
  script_t s;
  begin(&s);
  script_mark_t a = script_mark(&s, "a");
  script_mark_t b = script_mark(&s, "b");
  script_watch(
      uvow_future_then(script_request(&s, "get", NULL), fail_next, NULL), &a);
  script_call(&s, "get", &b);
  answer(&s, 1);
  answer(&s, 2);
  script_expect(&s, "a!EINVAL b=2");
  script_end(&s);
}

/* No onclose, no onerror: pending forever. */
TEST_CASE(seed_10_a_lost_connection_settles_all) {
  static const int codes[] = {0, UV_ECONNRESET};
  for (size_t i = 0; i < 2; i++) {
    script_t s;
    begin(&s);
    script_mark_t a = script_mark(&s, "a");
    script_call(&s, "get", &a);
    script_turns(&s);
    script_hang_up(&s, codes[i]);
    script_expect(&s, "a!ELOST:MAYBE");
    script_end(&s);
  }
}

/* `time` was stored, and never looked at. */
TEST_CASE(seed_11_a_request_times_out) {
  script_t s;
  begin(&s);
  script_mark_t a = script_mark(&s, "a");
  script_call(&s, "get", &a);
  script_turns(&s);
  script_advance(&s, 29000);
  script_expect(&s, "");
  script_advance(&s, 1001);
  script_expect(&s, "a!ETIMEDOUT:MAYBE");
  script_end(&s);
}

/* Unknown answers, duplicates, events vanished without a word. */
TEST_CASE(seed_12_nothing_vanishes) {
  script_t s;
  begin(&s);
  script_mark_t a = script_mark(&s, "a");
  script_call(&s, "get", &a);
  answer(&s, 1);
  answer(&s, 1);
  answer(&s, 7);
  script_text(&s, "{\"type\":\"news\",\"data\":[1]}");
  script_expect(&s,
                "a=1 "
                "duplicate:{\"result\":true,\"callback_id\":1,\"data\":1} "
                "unknown:{\"result\":true,\"callback_id\":7,\"data\":7} "
                "event:news([1])");
  script_end(&s);
}

/* An entry was found again after its answer, so a duplicate resolved again. */
TEST_CASE(seed_13_a_duplicate_resolves_nothing) {
  script_t s;
  begin(&s);
  script_mark_t a = script_mark(&s, NULL);
  script_call(&s, "get", &a);
  for (int i = 0; i < 5; i++)
    answer(&s, 1);
  script_text(&s, "{\"result\":false,\"callback_id\":1}");
  assert_int_equal(a.calls, 1);
  assert_int_equal(script_stats(&s).duplicate, 5);
  s.log[0] = '\0';
  script_end(&s);
}

static void on_message(const uvow_peer_t *client, uvow_slice_t message,
                       int is_outgoing, void *data) {
  char text[128];
  (void)client;
  if (is_outgoing)
    return;
  snprintf(text, sizeof(text), "%.*s", (int)message.len, message.bytes);
  script_log((script_t *)data, "whole:", text);
}

/* Only `data` survived: a refusal's reason didn't, nor what else there was. */
TEST_CASE(seed_14_the_rest_of_the_envelope_is_kept) {
  script_t s;
  uvow_result_t result;
  size_t len;
  script_init(&s);
  uvow_trace_t trace = {
      .size = sizeof(trace), .data = &s, .on_message = on_message};
  test_connect_t options = article(&s);
  options.peer.trace = &trace;
  script_open_client(&s, &options);
  uvow_future_t *f = script_request(&s, "get", NULL);
  uvow_future_t *g = uvow_future_ref(f);
  script_mark_t a = script_mark(&s, NULL);
  script_watch(f, &a);
  script_text(&s,
              "{\"result\":false,\"callback_id\":1,\"data\":{\"code\":5},"
              "\"took\":3}");
  script_expect(&s,
                "whole:{\"result\":false,\"callback_id\":1,\"data\":"
                "{\"code\":5},\"took\":3}");
  assert_int_equal(uvow_future_peek(g, &result), 0);
  const char *data = uvow_error_data(result.error, &len);
  assert_int_equal(len, strlen("{\"code\":5}"));
  assert_memory_equal(data, "{\"code\":5}", len);
  uvow_future_unref(g);
  script_end(&s);
}

/* No cancel, no limit, no close, no reconnect. */
TEST_CASE(seed_15_there_is_a_way_out) {
  script_t s;
  uvow_reconnect_options_t reconnect;
  script_init(&s);
  script_drive_clock(&s);
  test_connect_t options = link_options(&s, &reconnect);
  options.peer.protocol = uvow_protocol_by_name("callback_id");
  options.peer.on_state = NULL;
  options.peer.max_pending = 2;
  link_open(&s, &options);
  script_mark_t a = script_mark(&s, "a");
  uvow_future_t *f = script_request(&s, "get", NULL);
  script_watch(uvow_future_ref(f), &a);
  script_call(&s, "get", &a);
  script_call(&s, "get", &a);
  uvow_future_cancel(f);
  uvow_future_unref(f);
  script_turns(&s);
  script_expect(&s, "a!EOVERLOAD:NOT a!ECANCELED:MAYBE");
  script_hang_up(&s, 0);
  link_again(&s);
  script_expect(&s, "a!ELOST:MAYBE");
  script_watch(uvow_peer_close(s.client), &a);
  script_turns(&s);
  script_expect_sent(&s, "close:1000");
  script_close_frame(&s, 1000);
  script_hang_up(&s, 0);
  script_expect(&s, "a=");
  script_end(&s);
}

/* It logged all that came and went. */
TEST_CASE(seed_16_nothing_is_printed) {
  script_t s;
  begin(&s);
  fflush(NULL);
  FILE *file = tmpfile();
  int out = dup(1);
  int err = dup(2);
  assert_non_null(file);
  assert_true(out >= 0 && err >= 0);
  assert_true(dup2(fileno(file), 1) == 1 && dup2(fileno(file), 2) == 2);
  script_mark_t a = script_mark(&s, NULL);
  script_call(&s, "get", &a);
  script_turns(&s);
  answer(&s, 1);
  answer(&s, 1);
  script_text(&s, "{");
  script_call(&s, "get", &a);
  script_hang_up(&s, UV_ECONNRESET);
  fflush(NULL);
  dup2(out, 1);
  dup2(err, 2);
  close(out);
  close(err);
  fseek(file, 0, SEEK_END);
  assert_int_equal(ftell(file), 0);
  fclose(file);
  s.log[0] = '\0';
  script_end(&s);
}

static uvow_next_t take_name(const uvow_result_t *result, void *data) {
  json_t *first = json_array_get(uvow_result_json(result), 0);
  script_log((script_t *)data,
             "name:", json_string_value(json_object_get(first, "name")));
  return uvow_next_pass();
}

/* The handler got the event, not its JSON; and the article's own sample of an
 * answer was none. */
TEST_CASE(seed_17_a_continuation_gets_the_data) {
  script_t s;
  begin(&s);
  script_mark_t a = script_mark(&s, NULL);
  script_watch(
      uvow_future_then(uvow_peer_request(s.client, "get", uvow_value_none()),
                       take_name, &s),
      &a);
  script_text(&s, "{'result': true, callback_id: 1, data: []}");
  script_expect(&s, "malformed:{'result': true, callback_id: 1, data: []}");
  script_text(&s,
              "{\"result\":true,\"callback_id\":1,\"data\":"
              "[{\"name\":\"Ada\"}]}");
  script_expect(&s, "name:Ada");
  assert_int_equal(a.calls, 1);
  script_end(&s);
}

/* `$scope.customers = promise` relied on being unwrapped. */
TEST_CASE(seed_18_a_future_is_not_its_value) {
  script_t s;
  uvow_result_t result;
  begin(&s);
  uvow_future_t *f = script_request(&s, "get", NULL);
  script_turns(&s);
  assert_int_equal(uvow_future_state(f), UVOW_PENDING);
  assert_int_not_equal(uvow_future_peek(f, &result), 0);
  answer(&s, 1);
  assert_int_equal(uvow_future_state(f), UVOW_FULFILLED);
  assert_int_equal(uvow_future_peek(f, &result), 0);
  assert_memory_equal(uvow_result_bytes(&result).bytes, "1", 1);
  uvow_future_unref(f);
  script_end(&s);
}

TEST_MODULE(seed) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(seed_1_entries_are_deleted_after_their_answer),
      cmocka_unit_test(seed_2_no_live_request_loses_its_id),
      cmocka_unit_test(seed_3_ids_begin_at_1_and_never_come_again),
      cmocka_unit_test(seed_4_a_refusal_rejects),
      cmocka_unit_test(seed_5_a_request_may_come_before_open),
      cmocka_unit_test(seed_6_nonsense_hurts_nobody),
      cmocka_unit_test(seed_7_an_id_is_not_coerced),
      cmocka_unit_test(seed_8_the_callers_request_is_left_alone),
      cmocka_unit_test(seed_9_a_continuations_error_is_handled),
      cmocka_unit_test(seed_10_a_lost_connection_settles_all),
      cmocka_unit_test(seed_11_a_request_times_out),
      cmocka_unit_test(seed_12_nothing_vanishes),
      cmocka_unit_test(seed_13_a_duplicate_resolves_nothing),
      cmocka_unit_test(seed_14_the_rest_of_the_envelope_is_kept),
      cmocka_unit_test(seed_15_there_is_a_way_out),
      cmocka_unit_test(seed_16_nothing_is_printed),
      cmocka_unit_test(seed_17_a_continuation_gets_the_data),
      cmocka_unit_test(seed_18_a_future_is_not_its_value),
  };
  return cmocka_run_group_tests_name("rpc/seed", tests, NULL, NULL);
}
