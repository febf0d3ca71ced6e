/* R6: what is given up before it left is NOT_SENT, and never leaves; and what
 * the server still works on may count. */
#include "rpc/peer.h"

#include "support/link.h"

#include <uvow/combine.h>

#include <stdio.h>

#define CAP 3
#define COUNT 20

typedef struct fan {
  script_t s;
  script_mark_t marks[COUNT + 1];
  uvow_future_t *parts[COUNT]; /* one more owner of each */
  uvow_future_t *all;
} fan_t;

static void fan_out(fan_t *x, const test_connect_t *options,
                    uint32_t timeout_ms) {
  uvow_request_options_t own = {.size = sizeof(own), .timeout_ms = timeout_ms};
  uvow_future_t *parts[COUNT];
  script_open_client(&x->s, options);
  for (int i = 0; i < COUNT; i++) {
    parts[i] =
        uvow_peer_request_with(x->s.client, "m", uvow_value_none(), &own);
    x->parts[i] = uvow_future_ref(parts[i]);
  }
  x->all = uvow_future_all(x->s.loop, parts, COUNT);
}

static test_connect_t begin(fan_t *x) {
  memset(x, 0, sizeof(*x));
  script_init(&x->s);
  script_drive_clock(&x->s);
  test_connect_t options = script_options(&x->s);
  options.peer.max_in_flight = CAP;
  x->marks[COUNT] = script_mark(&x->s, "all");
  return options;
}

static void expect_sent(fan_t *x, int first, int last) {
  char text[64];
  for (int id = first; id <= last; id++) {
    snprintf(text, sizeof(text),
             "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"m\"}", id);
    script_expect_sent(&x->s, text);
  }
  script_expect_sent(&x->s, "");
}

/* The first `sent` may have been executed; no other was sent, now or later. */
static void finish(fan_t *x, int sent) {
  script_turns(&x->s);
  script_expect_sent(&x->s, "");
  for (int i = 0; i < COUNT; i++) {
    uvow_result_t result;
    assert_int_equal(uvow_future_peek(x->parts[i], &result), 0);
    if (result.error && uvow_error_outcome(result.error) != UVOW_ANSWERED)
      assert_int_equal(uvow_error_outcome(result.error),
                       i < sent ? UVOW_MAYBE_EXECUTED : UVOW_NOT_SENT);
    uvow_future_unref(x->parts[i]);
  }
  assert_int_equal(script_stats(&x->s).pending, 0);
  link_check_stats(&x->s);
  script_end(&x->s);
}

/* Handles that the test holds keep a part from being given up: those go. */
static void let_go_of_parts(fan_t *x) {
  for (int i = 0; i < COUNT; i++) {
    uvow_future_unref(x->parts[i]);
    x->parts[i] = NULL;
  }
}

static void finish_blind(fan_t *x) {
  script_turns(&x->s);
  script_expect_sent(&x->s, "");
  assert_int_equal(script_stats(&x->s).pending, 0);
  link_check_stats(&x->s);
  script_end(&x->s);
}

/* Each of them, the latest first, the oldest first. */
TEST_CASE(test_each_is_canceled) {
  for (int backwards = 0; backwards < 2; backwards++) {
    fan_t x;
    test_connect_t options = begin(&x);
    fan_out(&x, &options, 0);
    script_turns(&x.s);
    expect_sent(&x, 1, CAP);
    for (int i = 0; i < COUNT; i++)
      uvow_future_cancel(x.parts[backwards ? COUNT - 1 - i : i]);
    script_watch(x.all, &x.marks[COUNT]);
    script_turns(&x.s);
    script_expect(&x.s,
                  backwards ? "all!ECANCELED:NOT" : "all!ECANCELED:MAYBE");
    finish(&x, CAP);
  }
}

TEST_CASE(test_a_gathering_is_canceled) {
  fan_t x;
  test_connect_t options = begin(&x);
  fan_out(&x, &options, 0);
  let_go_of_parts(&x);
  script_turns(&x.s);
  expect_sent(&x, 1, CAP);
  uvow_future_cancel(x.all);
  script_watch(x.all, &x.marks[COUNT]);
  script_turns(&x.s);
  script_expect(&x.s, "all!ECANCELED");
  finish_blind(&x);
}

TEST_CASE(test_a_gathering_times_out) {
  fan_t x;
  test_connect_t options = begin(&x);
  fan_out(&x, &options, 0);
  let_go_of_parts(&x);
  script_watch(uvow_future_timeout(x.all, 100), &x.marks[COUNT]);
  script_turns(&x.s);
  expect_sent(&x, 1, CAP);
  script_advance(&x.s, 101);
  script_expect(&x.s, "all!ETIMEDOUT");
  finish_blind(&x);
}

/* One fails, so that `all` gives up the others: the answer's own slot isn't
 * filled either, as all that it causes comes first. */
TEST_CASE(test_one_fails) {
  fan_t x;
  test_connect_t options = begin(&x);
  fan_out(&x, &options, 0);
  let_go_of_parts(&x);
  script_watch(x.all, &x.marks[COUNT]);
  script_turns(&x.s);
  expect_sent(&x, 1, CAP);
  script_text(&x.s,
              "{\"jsonrpc\":\"2.0\",\"id\":2,\"error\":{\"code\":1,"
              "\"message\":\"no\"}}");
  script_turns(&x.s);
  script_expect(&x.s, "all!EREMOTE:ANSWERED");
  finish_blind(&x);
}

/* All deadlines come at once. */
TEST_CASE(test_all_time_out) {
  fan_t x;
  test_connect_t options = begin(&x);
  fan_out(&x, &options, 50);
  script_watch(x.all, &x.marks[COUNT]);
  script_turns(&x.s);
  expect_sent(&x, 1, CAP);
  script_advance(&x.s, 51);
  script_expect(&x.s, "all!ETIMEDOUT:MAYBE");
  finish(&x, CAP);
}

/* What wasn't given up has its turn, in the same turn of the loop. */
TEST_CASE(test_the_others_go_on) {
  fan_t x;
  script_mark_t other;
  test_connect_t options = begin(&x);
  fan_out(&x, &options, 0);
  let_go_of_parts(&x);
  other = script_mark(&x.s, "other");
  script_call(&x.s, "m", &other);
  script_turns(&x.s);
  expect_sent(&x, 1, CAP);
  script_watch(x.all, &x.marks[COUNT]);
  script_text(&x.s,
              "{\"jsonrpc\":\"2.0\",\"id\":2,\"error\":{\"code\":1,"
              "\"message\":\"no\"}}");
  expect_sent(&x, COUNT + 1, COUNT + 1);
  link_answer(&x.s, COUNT + 1);
  script_expect(&x.s, "all!EREMOTE:ANSWERED other=21");
  finish_blind(&x);
}

/* count_unanswered: a slot is free when the server has answered. */
TEST_CASE(test_unanswered_requests_count) {
  fan_t x;
  test_connect_t options = begin(&x);
  options.peer.count_unanswered = 1;
  fan_out(&x, &options, 0);
  uvow_future_detach(x.all);
  script_turns(&x.s);
  expect_sent(&x, 1, CAP);
  assert_int_equal(uvow_future_cancel(x.parts[1]), 0);
  assert_int_equal(uvow_future_cancel(x.parts[5]), 0);
  script_turns(&x.s);
  expect_sent(&x, 0, -1);
  link_answer(&x.s, 1); /* a slot as ever */
  expect_sent(&x, 4, 4);
  link_answer(&x.s, 2); /* the late one's */
  expect_sent(&x, 5, 5);
  link_answer(&x.s, 2); /* it has paid */
  link_answer(&x.s, 6); /* and this one never owed */
  link_answer(&x.s, 99);
  expect_sent(&x, 0, -1);
  assert_int_equal(script_stats(&x.s).late, 3);
  assert_int_equal(script_stats(&x.s).unknown, 1);
  for (int i = 0; i < COUNT; i++)
    uvow_future_cancel(x.parts[i]);
  x.s.log[0] = '\0';
  finish(&x, 5);
}

/* A new connection owes nothing. */
TEST_CASE(test_a_lost_connection_owes_nothing) {
  fan_t x;
  uvow_reconnect_options_t reconnect;
  (void)begin(&x);
  test_connect_t options = link_options(&x.s, &reconnect);
  options.peer.on_state = NULL;
  options.peer.max_in_flight = CAP;
  options.peer.count_unanswered = 1;
  fan_out(&x, &options, 0);
  uvow_future_detach(x.all);
  script_turns(&x.s);
  expect_sent(&x, 1, CAP);
  for (int i = 0; i < CAP; i++)
    uvow_future_cancel(x.parts[i]);
  script_turns(&x.s);
  expect_sent(&x, 0, -1);
  script_hang_up(&x.s, UV_ECONNRESET);
  link_again(&x.s);
  expect_sent(&x, CAP + 1, 2 * CAP);
  for (int i = 0; i < COUNT; i++)
    uvow_future_cancel(x.parts[i]);
  finish(&x, 2 * CAP);
}

/* As many as the ring has slots for, and more: an id that is owed for keeps its
 * slot, whatever comes and goes meanwhile. */
TEST_CASE(test_many_are_owed) {
  script_t s;
  char text[80];
  script_init(&s);
  test_connect_t options = script_options(&s);
  options.peer.max_in_flight = 200;
  options.peer.on_stray = NULL;
  options.peer.count_unanswered = 1;
  script_open_client(&s, &options);
  for (int i = 0; i < 199; i++) {
    uvow_future_t *f = script_request(&s, "m", NULL);
    uvow_future_cancel(f);
    uvow_future_unref(f);
  }
  for (int i = 200; i < 800; i++) { /* the one slot that is left */
    script_mark_t a = script_mark(&s, "a");
    script_call(&s, "m", &a);
    script_turns(&s);
    uint64_t id = s.client->dispatcher.next_id - 1;
    assert_int_equal(script_stats(&s).in_flight, 1);
    link_answer(&s, (int)id);
    snprintf(text, sizeof(text), "a=%d", (int)id);
    script_expect(&s, text);
  }
  assert_int_equal(s.client->dispatcher.owed, 199);
  for (int id = 1; id < 200; id++)
    link_answer(&s, id);
  assert_int_equal(s.client->dispatcher.owed, 0);
  assert_int_equal(script_stats(&s).late, 199);
  script_end(&s);
}

TEST_MODULE(giveup) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_each_is_canceled),
      cmocka_unit_test(test_a_gathering_is_canceled),
      cmocka_unit_test(test_a_gathering_times_out),
      cmocka_unit_test(test_one_fails),
      cmocka_unit_test(test_all_time_out),
      cmocka_unit_test(test_the_others_go_on),
      cmocka_unit_test(test_unanswered_requests_count),
      cmocka_unit_test(test_a_lost_connection_owes_nothing),
      cmocka_unit_test(test_many_are_owed),
  };
  return cmocka_run_group_tests_name("rpc/giveup", tests, NULL, NULL);
}
