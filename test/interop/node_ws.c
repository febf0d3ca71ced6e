/*
 * A client of a node-ws server that answers as badly as it's asked to: every
 * future gets its own answer or its own error, once. The defects are those of
 * the article that the callback_id protocol comes from.
 */
#include "support/interop.h"

#include <stdio.h>

static interop_t *node_ws(void **state) {
  interop_t *it = (interop_t *)*state;
  char path[1024];
  const char *args[] = {
      "node", process_script("node_ws_server.js", path, sizeof(path)), NULL};
  char url[64];
  interop_run(it, args);
  interop_check_script(it);
  char *port = interop_expect_line(it, "port ");
  snprintf(url, sizeof(url), "ws://127.0.0.1:%s/", port);
  free(port);
  interop_connect(it, url, uvow_protocol_by_name("callback_id"));
  return it;
}

static answer_t *ask_number(interop_t *it, const char *method, int number) {
  return interop_ask(it, method, json_pack("{s:i}", "value", number));
}

/* Lets the server say these messages, and then answer. */
static answer_t *ask_to_say(interop_t *it, const char *const *messages,
                            size_t count) {
  json_t *array = json_array();
  for (size_t i = 0; i < count; i++)
    json_array_append_new(array, json_string(messages[i]));
  return interop_ask(it, "say", json_pack("{s:o}", "messages", array));
}

static void answers_come_in_any_order(void **state) {
  enum { COUNT = 100 };
  interop_t *it = node_ws(state);
  answer_t *held[COUNT];
  for (int i = 0; i < COUNT; i++)
    held[i] = ask_number(it, "hold", 1000 + i);
  answer_t *first = ask_number(it, "echo", 5);
  answer_t *last = ask_number(it, "release", 6);
  assert_number(first, 5);
  for (int i = 0; i < COUNT; i++)
    assert_number(held[i], 1000 + i);
  assert_number(last, 6);
  assert_int_equal(first->turn, 1);
  for (int i = 0; i < COUNT; i++)
    assert_int_equal(held[i]->turn, 1 + COUNT - i);
  assert_int_equal(last->turn, COUNT + 2);
  assert_int_equal(interop_stats(it).answered, COUNT + 2);
  assert_int_equal(it->heard_count, 0);
  interop_finish(it);
}

/* Defects 1 to 3: ids come round, and meet one that is still taken. */
static void an_old_request_keeps_its_answer(void **state) {
  enum { ROUNDS = 100, BURST = 150 };
  interop_t *it = node_ws(state);
  answer_t *old = ask_number(it, "hold", 42);
  for (int round = 0; round < ROUNDS; round++) {
    answer_t *answer = NULL;
    for (int i = 0; i < BURST; i++)
      answer = ask_number(it, "echo", round * BURST + i);
    interop_wait(answer);
  }
  assert_int_equal(old->calls, 0);
  ask_number(it, "release", 0);
  assert_number(old, 42);
  interop_wait_all(it);
  int expected = ROUNDS * BURST;
  for (answer_t *at = it->answers->next; at != old; at = at->next)
    assert_number(at, --expected);
  assert_int_equal(expected, 0);
  interop_finish(it);
}

/* Defect 13. */
static void a_second_answer_is_a_duplicate(void **state) {
  interop_t *it = node_ws(state);
  answer_t *first = ask_number(it, "twice", 1);
  answer_t *second = ask_number(it, "twice", 2);
  answer_t *third = ask_number(it, "echo", 3);
  assert_number(first, 1);
  assert_number(second, 2);
  assert_number(third, 3);
  assert_int_equal(interop_stats(it).duplicate, 2);
  assert_string_equal(it->heard->text,
                      "{\"result\":true,\"callback_id\":2,\"data\":\"again\"}");
  interop_finish(it);
}

/* Defect 11. */
static void a_late_answer_is_nobodys(void **state) {
  interop_t *it = node_ws(state);
  uvow_request_options_t soon = {.size = sizeof(soon), .timeout_ms = 1};
  interop_wait(interop_watch(it, uvow_peer_ready(it->client)));
  answer_t *late[3];
  for (int i = 0; i < 3; i++)
    late[i] =
        interop_ask_with(it, "hold", json_pack("{s:i}", "value", i), &soon);
  answer_t *patient = ask_number(it, "hold", 7);
  for (int i = 0; i < 3; i++)
    assert_rejected(late[i], UVOW_ETIMEDOUT, UVOW_MAYBE_EXECUTED);
  answer_t *release = ask_number(it, "release", 8);
  assert_number(patient, 7);
  assert_number(release, 8);
  uvow_peer_stats_t stats = interop_stats(it);
  assert_int_equal(stats.timed_out, 3);
  assert_int_equal(stats.late, 3);
  assert_int_equal(stats.answered, 2);
  interop_finish(it);
}

static void a_canceled_request_is_late_too(void **state) {
  interop_t *it = node_ws(state);
  interop_wait(interop_watch(it, uvow_peer_ready(it->client)));
  uvow_future_t *f = uvow_peer_request(it->client, "hold", uvow_value_none());
  answer_t *canceled = interop_watch(it, uvow_future_ref(f));
  assert_int_equal(uvow_future_cancel(f), 0);
  uvow_future_unref(f);
  assert_rejected(canceled, UVOW_ECANCELED, UVOW_MAYBE_EXECUTED);
  assert_number(ask_number(it, "release", 8), 8);
  uvow_peer_stats_t stats = interop_stats(it);
  assert_int_equal(stats.canceled, 1);
  assert_int_equal(stats.late, 1);
  interop_finish(it);
}

/* Defects 7 and 12: the one that waits has id 1. */
static void ids_of_no_request_are_strays(void **state) {
  static const char *const unknown[] = {
      "{\"result\":true,\"callback_id\":2,\"data\":\"wrong\"}",
      "{\"result\":false,\"callback_id\":10001,\"data\":\"wrong\"}",
      /* Of the same slot, in a ring of 64 or more. */
      "{\"result\":true,\"callback_id\":65,\"data\":\"wrong\"}",
      "{\"result\":true,\"callback_id\":4097,\"data\":\"wrong\"}",
      "{\"result\":true,\"callback_id\":9007199254740991,\"data\":\"wrong\"}",
  };
  enum { COUNT = sizeof(unknown) / sizeof(*unknown) };
  interop_t *it = node_ws(state);
  assert_text(ask_to_say(it, unknown, COUNT), "said");
  assert_int_equal(interop_stats(it).unknown, COUNT);
  interop_finish(it);
}

static void ids_of_another_type_match_nothing(void **state) {
  static const char *const wrong[] = {
      "{\"result\":true,\"callback_id\":0,\"data\":\"wrong\"}",
      "{\"result\":true,\"callback_id\":\"1\",\"data\":\"wrong\"}",
      "{\"result\":true,\"callback_id\":[1],\"data\":\"wrong\"}",
      "{\"result\":true,\"callback_id\":true,\"data\":\"wrong\"}",
      "{\"result\":true,\"callback_id\":1.5,\"data\":\"wrong\"}",
      "{\"result\":true,\"callback_id\":-1,\"data\":\"wrong\"}",
      "{\"result\":true,\"callback_id\":9007199254740993,\"data\":\"wrong\"}",
      "{\"result\":true,\"callback_id\":18446744073709551617,\"data\":0}",
      "{\"result\":true,\"callback_id\":null,\"data\":\"wrong\"}",
      "{\"result\":true,\"data\":\"wrong\"}",
  };
  enum { COUNT = sizeof(wrong) / sizeof(*wrong) };
  interop_t *it = node_ws(state);
  assert_text(ask_to_say(it, wrong, COUNT), "said");
  assert_int_equal(interop_stats(it).malformed, COUNT);
  interop_finish(it);
}

/* Defects 6 and 17. */
static void what_is_no_message_harms_nobody(void **state) {
  static const char *const garbage[] = {
      "",
      "null",
      "42",
      "\"text\"",
      "[]",
      "[1]",
      "{}",
      "{",
      "{\"result\":true,\"callback_id\":0,\"data\":[1,2}",
      "{\"result\":true,\"callback_id\":0,\"data\":\"wrong\"",
      "{\"result\":true \"callback_id\":0,\"data\":\"wrong\"}",
      "{'result':true,'callback_id':0}",
      "{\"result\":true,\"callback_id\":0,\"callback_id\":0}",
      "{\"result\":true,\"callback_id\":0}{}",
      "hello \xF0\x9F\x91\x8B",
  };
  enum { COUNT = sizeof(garbage) / sizeof(*garbage) };
  interop_t *it = node_ws(state);
  answer_t *answer = ask_to_say(it, garbage, COUNT);
  assert_text(answer, "said");
  assert_number(ask_number(it, "echo", 4), 4);
  assert_int_equal(interop_stats(it).malformed, COUNT);
  size_t i = COUNT;
  for (const heard_t *at = it->heard; at; at = at->next)
    assert_string_equal(at->text, garbage[--i]);
  interop_finish(it);
}

static void binary_messages_are_strays(void **state) {
  interop_t *it = node_ws(state);
  assert_text(interop_ask(it, "binary", NULL), "text");
  assert_int_equal(interop_stats(it).malformed, 2);
  interop_finish(it);
}

/* Defects 4 and 14. */
static void a_false_result_rejects(void **state) {
  interop_t *it = node_ws(state);
  answer_t *text =
      interop_ask(it, "refuse", json_pack("{s:s}", "value", "no such table"));
  answer_t *object =
      interop_ask(it, "refuse", json_pack("{s:{s:i}}", "value", "code", 7));
  answer_t *nothing = interop_ask(it, "refuse", NULL);
  size_t len;
  assert_rejected(text, UVOW_EREMOTE, UVOW_ANSWERED);
  assert_string_equal(uvow_error_message(text->error), "no such table");
  assert_rejected(object, UVOW_EREMOTE, UVOW_ANSWERED);
  const char *data = uvow_error_data(object->error, &len);
  assert_int_equal(len, 10);
  assert_memory_equal(data, "{\"code\":7}", 10);
  assert_rejected(nothing, UVOW_EREMOTE, UVOW_ANSWERED);
  assert_int_equal(interop_stats(it).answered, 3);
  interop_finish(it);
}

static void a_result_that_is_neither_rejects(void **state) {
  interop_t *it = node_ws(state);
  answer_t *answers[] = {
      interop_ask(it, "waver", json_pack("{s:s}", "value", "true")),
      interop_ask(it, "waver", json_pack("{s:n}", "value")),
      interop_ask(it, "waver", json_pack("{s:i}", "value", 1)),
      interop_ask(it, "waver", NULL),
  };
  for (size_t i = 0; i < 4; i++)
    assert_rejected(answers[i], UVOW_EENVELOPE, UVOW_ANSWERED);
  assert_number(ask_number(it, "echo", 4), 4);
  interop_finish(it);
}

static void a_payload_that_is_no_json_rejects(void **state) {
  static const char *const wrong[] = {
      "{\"result\":true,\"callback_id\":1,\"data\":[1,,2]}"};
  interop_t *it = node_ws(state);
  answer_t *answer = ask_to_say(it, wrong, 1);
  size_t len;
  assert_rejected(answer, UVOW_EPAYLOAD, UVOW_ANSWERED);
  const char *data = uvow_error_data(answer->error, &len);
  assert_int_equal(len, 6);
  assert_memory_equal(data, "[1,,2]", 6);
  assert_number(ask_number(it, "echo", 4), 4);
  assert_int_equal(interop_stats(it).duplicate, 1); /* "said" */
  interop_finish(it);
}

static void events_are_told_in_order(void **state) {
  enum { COUNT = 50 };
  interop_t *it = node_ws(state);
  answer_t *answer =
      interop_ask(it, "events", json_pack("{s:i}", "count", COUNT));
  assert_number(answer, COUNT);
  assert_int_equal(interop_stats(it).events, COUNT);
  int i = COUNT;
  char text[16];
  for (const heard_t *at = it->heard; at; at = at->next) {
    snprintf(text, sizeof(text), "%d", --i);
    assert_string_equal(at->name, "news");
    assert_string_equal(at->text, text);
    assert_int_equal(at->turn, 0);
  }
  interop_finish(it);
}

static void fragments_and_pings_are_put_together(void **state) {
  static const char text[] =
      "\xF0\x9F\x91\x8B gr\xC3\xBC\xC3\x9F"
      "e, \xE2\x82\xAC 5";
  interop_t *it = node_ws(state);
  answer_t *answers[8];
  for (int size = 1; size <= 8; size++)
    answers[size - 1] = interop_ask(
        it, "fragments", json_pack("{s:s, s:i}", "value", text, "size", size));
  for (int i = 0; i < 8; i++)
    assert_text(answers[i], text);
  answer_t *ping =
      interop_ask(it, "ping", json_pack("{s:s}", "value", "are you there"));
  assert_text(ping, "are you there");
  assert_int_equal(interop_stats(it).answered, 9);
  interop_finish(it);
}

static void a_mebibyte_goes_both_ways(void **state) {
  enum { LEN = 1024 * 1024 };
  interop_t *it = node_ws(state);
  char *text = (char *)malloc(LEN + 1);
  assert_non_null(text);
  memset(text, 'y', LEN);
  text[LEN] = '\0';
  answer_t *up = interop_ask(it, "measure", json_pack("{s:s}", "value", text));
  answer_t *echo = interop_ask(it, "echo", json_pack("{s:s}", "value", text));
  answer_t *down = interop_ask(it, "big", json_pack("{s:i}", "size", LEN));
  assert_number(up, LEN);
  assert_text(echo, text);
  memset(text, 'x', LEN);
  assert_text(down, text);
  free(text);
  interop_finish(it);
}

/* Defects 5 and 8. */
static void the_callers_parameters_stay_as_they_were(void **state) {
  interop_t *it = node_ws(state);
  json_t *params = json_pack("{s:s}", "value", "mine");
  json_t *before = json_deep_copy(params);
  answer_t *first = interop_ask(it, "echo", json_incref(params));
  answer_t *second = interop_ask(it, "echo", json_incref(params));
  answer_t *array = interop_ask(it, "echo", json_pack("[i]", 1));
  answer_t *taken =
      interop_ask(it, "echo", json_pack("{s:i}", "callback_id", 2));
  assert_text(first, "mine");
  assert_text(second, "mine");
  assert_rejected(array, UVOW_EINVAL, UVOW_NOT_SENT);
  assert_rejected(taken, UVOW_EINVAL, UVOW_NOT_SENT);
  assert_true(json_equal(params, before));
  json_decref(params);
  json_decref(before);
  interop_finish(it);
}

#define TEST(name)                                                             \
  cmocka_unit_test_setup_teardown(name, interop_setup, interop_teardown)

TEST_MODULE(node_ws) {
  const struct CMUnitTest tests[] = {
      TEST(answers_come_in_any_order),
      TEST(an_old_request_keeps_its_answer),
      TEST(a_second_answer_is_a_duplicate),
      TEST(a_late_answer_is_nobodys),
      TEST(a_canceled_request_is_late_too),
      TEST(ids_of_no_request_are_strays),
      TEST(ids_of_another_type_match_nothing),
      TEST(what_is_no_message_harms_nobody),
      TEST(binary_messages_are_strays),
      TEST(a_false_result_rejects),
      TEST(a_result_that_is_neither_rejects),
      TEST(a_payload_that_is_no_json_rejects),
      TEST(events_are_told_in_order),
      TEST(fragments_and_pings_are_put_together),
      TEST(a_mebibyte_goes_both_ways),
      TEST(the_callers_parameters_stay_as_they_were),
  };
  return cmocka_run_group_tests_name("interop/node_ws", tests, NULL, NULL);
}
