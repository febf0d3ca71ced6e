/* R4: a deadline that is noticed late expires only after what had come by then
 * was read. The clock jumps; bytes wait in the socket. */
#include "rpc/peer.h"

#include "support/link.h"

#include <stdio.h>

#include <uvow/combine.h>

#define ANSWER(id) "{\"jsonrpc\":\"2.0\",\"id\":" #id ",\"result\":" #id "}"

static void begin(script_t *s, test_connect_t *options) {
  script_init(s);
  script_drive_clock(s);
  *options = script_options(s);
  options->peer.timeout_ms = 300;
  options->websocket.connect_timeout_ms = 300;
}

/* The answer came in time, however late the deadline is noticed. */
TEST_CASE(an_answer_that_is_there_counts) {
  static const uint64_t jumps[] = {301, 305, 307, 400, 5000, 100000000};
  for (size_t i = 0; i < sizeof(jumps) / sizeof(*jumps); i++) {
    script_t s;
    test_connect_t options;
    begin(&s, &options);
    script_open_client(&s, &options);
    script_mark_t a = script_mark(&s, "a");
    script_mark_t b = script_mark(&s, "b");
    script_call(&s, "m", &a);
    script_call(&s, "m", &b);
    script_turns(&s);
    script_wait_text(&s, ANSWER(1));
    script_advance(&s, jumps[i]);
    /* To within 5 ms a deadline is in time, and the answer isn't. */
    if (jumps[i] < 306) {
      assert_non_null(strstr(s.log, "a!ETIMEDOUT:MAYBE b!ETIMEDOUT:MAYBE"));
      s.log[0] = '\0';
    } else {
      script_expect(&s, "a=1 b!ETIMEDOUT:MAYBE");
    }
    link_check_stats(&s);
    script_end(&s);
  }
}

/* So do the futures that hang on it, with deadlines of their own. */
TEST_CASE(a_timeout_of_a_future_waits_too) {
  script_t s;
  test_connect_t options;
  begin(&s, &options);
  options.peer.timeout_ms = UVOW_NO_TIMEOUT;
  script_open_client(&s, &options);
  script_mark_t a = script_mark(&s, "a");
  script_watch(uvow_future_timeout(script_request(&s, "m", NULL), 50), &a);
  script_turns(&s);
  script_wait_text(&s, ANSWER(1));
  script_advance(&s, 10000);
  script_expect(&s, "a=1");
  script_end(&s);
}

/* What becomes due while the rest is looked for isn't late: it waits for its
 * own time, and its own look. */
TEST_CASE(one_look_is_for_what_was_due) {
  script_t s;
  test_connect_t options;
  uvow_request_options_t later = {.size = sizeof(later), .timeout_ms = 1000};
  begin(&s, &options);
  script_open_client(&s, &options);
  script_mark_t a = script_mark(&s, "a");
  script_mark_t b = script_mark(&s, "b");
  script_call(&s, "m", &a);
  script_watch(uvow_peer_request_with(s.client, "m", uvow_value_none(), &later),
               &b);
  script_turns(&s);
  s.now_ns += UINT64_C(600) * 1000000;
  uvow__runtime_enter(&s.loop->rt);
  uvow__runtime_expire(&s.loop->rt); /* a is late */
  uvow__runtime_leave(&s.loop->rt);
  s.now_ns += UINT64_C(600) * 1000000;
  script_turns(&s);
  script_expect(&s, "a!ETIMEDOUT:MAYBE");
  script_wait_text(&s, ANSWER(2));
  script_advance(&s, 1);
  script_expect(&s, "b=2");
  script_end(&s);
}

/* The handshake's answer was there too. */
TEST_CASE(connecting_looks_once_more) {
  for (int there = 0; there < 2; there++) {
    script_t s;
    test_connect_t options;
    char text[512];
    begin(&s, &options);
    script_mark_t ready = script_mark(&s, "ready");
    assert_int_equal(script_client(&s, &options), 0);
    script_watch(uvow_peer_ready(s.client), &ready);
    script_connected(&s);
    script_turns(&s);
    size_t len = script_accept_text(&s, text, sizeof(text));
    if (there)
      script_wait(&s, text, len);
    script_advance(&s, 20000);
    script_expect(&s, there ? "ready=" : "ready!ETIMEDOUT");
    script_end(&s);
  }
}

/* And a peer that has said something isn't dead. */
TEST_CASE(keep_alive_looks_once_more) {
  for (int there = 0; there < 2; there++) {
    script_t s;
    test_connect_t options;
    begin(&s, &options);
    options.websocket.dead_ms = 1000;
    script_open_client(&s, &options);
    script_turns(&s);
    if (there)
      script_wait_text(&s, ANSWER(99));
    script_advance(&s, 50000);
    script_advance(&s, 2);
    s.log[0] = '\0';
    assert_int_equal(uvow_peer_state(s.client),
                     there ? UVOW_PEER_OPEN : UVOW_PEER_CLOSED);
    script_end(&s);
  }
}

/* The client may be freed, and the loop closed, between. */
TEST_CASE(what_waits_for_a_look_can_go) {
  for (int i = 0; i < 2; i++) {
    script_t s;
    test_connect_t options;
    begin(&s, &options);
    script_open_client(&s, &options);
    script_mark_t a = script_mark(&s, "a");
    script_call(&s, "m", &a);
    script_turns(&s);
    s.now_ns += UINT64_C(600) * 1000000;
    uvow__runtime_enter(&s.loop->rt);
    uvow__runtime_expire(&s.loop->rt);
    uvow__runtime_leave(&s.loop->rt);
    if (i == 0) {
      uvow_peer_unref(s.client);
      s.client = NULL;
      script_turns(&s);
      script_expect(&s, "a!ECLOSED:MAYBE");
      script_end(&s);
    } else {
      script_quit(&s);
      assert_string_equal(s.log, "a!ECLOSED:MAYBE");
      assert_int_equal(s.alloc->live, 0);
      free(s.own_alloc.allocator.data);
    }
  }
}

/* A deadline as a point in time: the earlier one holds; one that has passed
 * sends nothing. */
TEST_CASE(a_deadline_may_be_a_point_in_time) {
  static const struct {
    uint32_t timeout_ms;
    int64_t left_ms;
    unsigned due; /* after so long; 0: at once; 1000000: never */
  } rows[] = {
      {0, 100, 100}, {0, 5000, 5000}, /* the client's own default doesn't count
                                       */
      {50, 100, 50}, {100, 50, 50},     {UVOW_NO_TIMEOUT, 70, 70},
      {100, 0, 0},   {100, -100000, 0}, {0, INT64_MAX / 2, 1000000},
  };
  for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
    script_t s;
    test_connect_t options;
    begin(&s, &options);
    script_open_client(&s, &options);
    script_mark_t a = script_mark(&s, "a");
    uvow_request_options_t own = {.size = sizeof(own)};
    own.timeout_ms = rows[i].timeout_ms;
    own.deadline_at_ms =
        (uint64_t)((int64_t)uvow_loop_now(s.loop) + rows[i].left_ms);
    script_watch(uvow_peer_request_with(s.client, "m", uvow_value_none(), &own),
                 &a);
    script_turns(&s);
    if (rows[i].due == 0) {
      script_expect(&s, "a!ETIMEDOUT:NOT");
      script_expect_sent(&s, "");
    } else if (rows[i].due == 1000000) {
      script_advance(&s, 1000000);
      script_expect(&s, "");
      link_answer(&s, 1);
      script_expect(&s, "a=1");
    } else {
      script_advance(&s, rows[i].due - 2);
      script_expect(&s, "");
      script_advance(&s, 4);
      script_expect(&s, "a!ETIMEDOUT:MAYBE");
    }
    script_end(&s);
  }
}

TEST_MODULE(late) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_answer_that_is_there_counts),
      cmocka_unit_test(a_timeout_of_a_future_waits_too),
      cmocka_unit_test(one_look_is_for_what_was_due),
      cmocka_unit_test(connecting_looks_once_more),
      cmocka_unit_test(keep_alive_looks_once_more),
      cmocka_unit_test(what_waits_for_a_look_can_go),
      cmocka_unit_test(a_deadline_may_be_a_point_in_time),
  };
  return cmocka_run_group_tests_name("rpc/late", tests, NULL, NULL);
}
