#include "rpc/peer.h"

#include "support/link.h"

#include <stdio.h>

#define TEXT(id, method)                                                       \
  "{\"jsonrpc\":\"2.0\",\"id\":" #id ",\"method\":\"" method "\"}"

/* R2: what was sent settles as it must, at once; what was not stays; what may
 * be done twice is sent again, before all that waits, in its order. */
TEST_CASE(test_what_was_lost_is_sent_again_if_idempotent) {
  script_t s;
  uvow_reconnect_options_t reconnect;
  script_init(&s);
  script_drive_clock(&s);
  test_connect_t options = link_options(&s, &reconnect);
  options.peer.on_state = NULL;
  link_open(&s, &options);
  script_mark_t a = script_mark(&s, "a");
  script_mark_t b = script_mark(&s, "b");
  script_mark_t c = script_mark(&s, "c");
  script_mark_t d = script_mark(&s, "d");
  script_mark_t e = script_mark(&s, "e");
  script_call(&s, "a", &a);
  link_call_idempotent(&s, "b", &b);
  script_call(&s, "c", &c);
  link_call_idempotent(&s, "d", &d);
  script_turns(&s);
  script_hang_up(&s, UV_ECONNRESET);
  script_expect(&s, "a!ELOST:MAYBE c!ELOST:MAYBE");
  script_call(&s, "e", &e);
  assert_int_equal(uvow_peer_notify(s.client, "n", uvow_value_none()), 0);
  assert_int_equal(script_stats(&s).in_flight, 0);
  assert_int_equal(script_stats(&s).queued, 3);
  link_again(&s);
  script_expect_sent(&s, TEXT(2, "b"));
  script_expect_sent(&s, TEXT(4, "d"));
  script_expect_sent(&s, TEXT(5, "e"));
  script_expect_sent(&s, "{\"jsonrpc\":\"2.0\",\"method\":\"n\"}");
  script_expect_sent(&s, "");
  assert_int_equal(script_stats(&s).in_flight, 3);
  assert_int_equal(script_stats(&s).resent, 2);
  link_answer(&s, 4);
  link_answer(&s, 2);
  link_answer(&s, 5);
  link_answer(&s, 2); /* of this connection: a duplicate, as ever */
  script_expect(&s,
                "d=4 b=2 e=5 "
                "duplicate:{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":2}");
  link_check_stats(&s);
  script_end(&s);
}

/* A request is sent again for each loss, max_resends times. */
TEST_CASE(test_each_loss_sends_again) {
  script_t s;
  uvow_reconnect_options_t reconnect;
  script_init(&s);
  script_drive_clock(&s);
  test_connect_t options = link_options(&s, &reconnect);
  options.peer.on_state = NULL;
  reconnect.max_resends = 3;
  link_open(&s, &options);
  script_mark_t a = script_mark(&s, "a");
  script_mark_t b = script_mark(&s, "b");
  link_call_idempotent(&s, "a", &a);
  link_call_idempotent(&s, "b", &b);
  script_turns(&s);
  for (int i = 0; i < 3; i++) {
    script_hang_up(&s, 0);
    link_wait(&s);
    script_hang_up(&s, UV_ECONNREFUSED); /* an attempt that fails: no matter */
    link_again(&s);
    if (i < 2)
      script_expect_sent(&s, TEXT(1, "a"));
    script_expect_sent(&s, TEXT(2, "b"));
    script_expect_sent(&s, "");
    if (i == 1)
      link_answer(&s, 1);
  }
  assert_int_equal(script_stats(&s).resent, 5);
  link_answer(&s, 2);
  script_expect(&s, "a=1 b=2");
  script_end(&s);
}

/* Without another connection there's nothing to send on, idempotent or not. */
TEST_CASE(test_nothing_is_sent_again_without_reconnect) {
  script_t s;
  script_init(&s);
  script_open_client(&s, NULL);
  script_mark_t a = script_mark(&s, "a");
  link_call_idempotent(&s, "a", &a);
  script_turns(&s);
  script_hang_up(&s, 0);
  script_turns(&s);
  script_expect(&s, "a!ELOST:MAYBE");
  assert_int_equal(script_stats(&s).lost, 1);
  script_end(&s);
}

/* R2: it waits, but it was sent once: however it ends, it says so. */
TEST_CASE(test_what_waits_again_may_have_been_executed) {
  script_t s;
  uvow_reconnect_options_t reconnect;
  uvow_request_options_t soon = {
      .size = sizeof(soon), .idempotent = 1, .timeout_ms = 10};
  script_init(&s);
  script_drive_clock(&s);
  test_connect_t options = link_options(&s, &reconnect);
  options.peer.on_state = NULL;
  reconnect.max_attempts = 2;
  link_open(&s, &options);
  script_mark_t a = script_mark(&s, "a");
  script_mark_t b = script_mark(&s, "b");
  script_mark_t c = script_mark(&s, "c");
  script_mark_t d = script_mark(&s, "d");
  uvow_future_t *f =
      uvow_peer_request_with(s.client, "a", uvow_value_none(), &soon);
  script_watch(uvow_future_ref(f), &a);
  script_watch(uvow_peer_request_with(s.client, "b", uvow_value_none(), &soon),
               &b);
  link_call_idempotent(&s, "c", &c);
  script_turns(&s);
  script_hang_up(&s, 0);
  link_call_idempotent(&s, "d", &d);
  assert_int_equal(uvow_future_cancel(f), 0);
  uvow_future_unref(f);
  link_wait(&s);
  script_advance(&s, 20);
  script_hang_up(&s, UV_ECONNREFUSED); /* the last attempt */
  script_turns(&s);
  script_expect(&s,
                "a!ECANCELED:MAYBE b!ETIMEDOUT:MAYBE "
                "c!ECONNREFUSED:MAYBE d!ECONNREFUSED:NOT");
  link_check_stats(&s);
  script_end(&s);
}

/* R3: what comes late on the old connection touches nothing of the new one,
 * nor does an answer to what this connection never carried. */
TEST_CASE(test_a_late_answer_settles_nothing) {
  static const char answers[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":0}";
  script_t s;
  uvow_reconnect_options_t reconnect;
  uint8_t burst[128] = {0x88, 0};
  script_init(&s);
  script_drive_clock(&s);
  test_connect_t options = link_options(&s, &reconnect);
  options.peer.on_state = NULL;
  options.peer.max_in_flight = 1;
  link_open(&s, &options);
  script_mark_t a = script_mark(&s, "a");
  script_mark_t b = script_mark(&s, "b");
  link_call_idempotent(&s, "a", &a);
  link_call_idempotent(&s, "b", &b);
  script_turns(&s);
  size_t len =
      2 + script_put_frame(burst + 2, 0x81, answers, sizeof(answers) - 1);
  script_feed(&s, burst, len); /* closed, and then an answer */
  script_feed(&s, burst + 2, len - 2);
  script_expect(&s, "");
  assert_int_equal(script_stats(&s).pending, 2);
  script_hang_up(&s, 0);
  link_again(&s);
  script_expect_sent(&s, TEXT(1, "a"));
  link_answer(&s, 2); /* waits for its turn: nobody can answer it */
  script_expect(&s, "unknown:{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":2}");
  link_answer(&s, 1);
  link_answer(&s, 2);
  script_expect(&s, "a=1 b=2");
  assert_int_equal(script_stats(&s).unknown, 1);
  link_check_stats(&s);
  script_end(&s);
}

/* The old connection's timers have gone with it. */
TEST_CASE(test_old_timers_are_gone) {
  script_t s;
  uvow_reconnect_options_t reconnect;
  script_init(&s);
  script_drive_clock(&s);
  test_connect_t options = link_options(&s, &reconnect);
  options.peer.on_state = NULL;
  options.websocket.dead_ms = 3000;
  options.websocket.connect_timeout_ms = 500;
  link_open(&s, &options);
  script_advance(&s, 2900);
  script_close_frame(&s, 1012);
  script_hang_up(&s, 0);
  link_again(&s);
  script_advance(&s, 2800); /* each of the old ones is due */
  assert_int_equal(uvow_peer_state(s.client), UVOW_PEER_OPEN);
  assert_false(script_gone(&s));
  script_end(&s);
}

/* The oldest first, also if it has outlived a turn of the ring. */
TEST_CASE(test_they_are_sent_again_in_order) {
  script_t s;
  uvow_reconnect_options_t reconnect;
  script_init(&s);
  script_drive_clock(&s);
  test_connect_t options = link_options(&s, &reconnect);
  options.peer.on_state = NULL;
  link_open(&s, &options);
  script_mark_t a = script_mark(&s, "a");
  script_mark_t quiet = script_mark(&s, NULL);
  link_call_idempotent(&s, "1", &a); /* id 1: 65 is skipped, its slot taken */
  for (int id = 2; id <= 90; id += id == 64 ? 2 : 1) {
    script_call(&s, "x", &quiet);
    script_turns(&s);
    link_answer(&s, id);
  }
  for (int id = 91; id <= 93; id++)
    link_call_idempotent(&s, "y", &a);
  script_turns(&s);
  script_hang_up(&s, 0);
  link_again(&s);
  script_expect_sent(&s, TEXT(1, "1"));
  script_expect_sent(&s, TEXT(91, "y"));
  script_expect_sent(&s, TEXT(92, "y"));
  script_expect_sent(&s, TEXT(93, "y"));
  script_expect_sent(&s, "");
  link_answer(&s, 1);
  for (int id = 91; id <= 93; id++)
    link_answer(&s, id);
  script_expect(&s, "a=1 a=91 a=92 a=93");
  script_end(&s);
}

/* R6: what is sent again keeps to the cap on requests in flight too. */
TEST_CASE(test_the_cap_holds_for_what_is_sent_again) {
  script_t s;
  uvow_reconnect_options_t reconnect;
  script_init(&s);
  script_drive_clock(&s);
  test_connect_t options = link_options(&s, &reconnect);
  options.peer.on_state = NULL;
  options.peer.max_in_flight = 2;
  link_open(&s, &options);
  script_mark_t a = script_mark(&s, "a");
  for (int i = 0; i < 4; i++)
    link_call_idempotent(&s, "m", &a);
  script_turns(&s);
  assert_int_equal(script_stats(&s).in_flight, 2);
  script_hang_up(&s, 0);
  link_again(&s);
  script_expect_sent(&s, TEXT(1, "m"));
  script_expect_sent(&s, TEXT(2, "m"));
  script_expect_sent(&s, "");
  link_answer(&s, 1);
  script_expect_sent(&s, TEXT(3, "m"));
  link_answer(&s, 3);
  script_expect_sent(&s, TEXT(4, "m"));
  link_answer(&s, 4);
  link_answer(&s, 2);
  script_expect(&s, "a=1 a=3 a=4 a=2");
  script_end(&s);
}

/* More than may wait to be written waits to be sent again: it leaves in pieces,
 * without an answer in between. */
TEST_CASE(test_more_than_may_be_unsent_is_sent_again) {
  script_t s;
  uvow_reconnect_options_t reconnect;
  char big[200];
  uvow_request_options_t again = {.size = sizeof(again), .idempotent = 1};
  memset(big, '1', sizeof(big));
  big[0] = '[';
  big[sizeof(big) - 1] = ']';
  script_init(&s);
  script_drive_clock(&s);
  test_connect_t options = link_options(&s, &reconnect);
  options.peer.on_state = NULL;
  options.websocket.max_unsent_bytes = 600;
  link_open(&s, &options);
  script_mark_t a = script_mark(&s, "a");
  for (int i = 0; i < 8; i++) {
    script_watch(uvow_peer_request_with(
                     s.client, "m",
                     uvow_value_slice(&(uvow_slice_t){big, sizeof(big)}),
                     &again),
                 &a);
    script_turns(&s);
  }
  script_hang_up(&s, 0);
  assert_true(script_stats(&s).unsent_bytes > 600);
  assert_int_equal(uvow_peer_notify(s.client, "n", uvow_value_none()),
                   UVOW_EOVERLOAD);
  link_again(&s);
  script_turns(&s);
  for (int i = 0; i < 8; i++)
    assert_int_not_equal(strlen(script_next(&s)), 0);
  script_expect_sent(&s, "");
  assert_int_equal(script_stats(&s).unsent_bytes, 0);
  assert_int_equal(script_stats(&s).in_flight, 8);
  for (int i = 1; i <= 8; i++)
    link_answer(&s, i);
  script_expect(&s, "a=1 a=2 a=3 a=4 a=5 a=6 a=7 a=8");
  script_end(&s);
}

/* F12: whatever allocation fails, each future settles once, and nothing is
 * left. */
static void body(test_alloc_t *alloc, void *data) {
  script_t s;
  uvow_reconnect_options_t reconnect;
  (void)data;
  script_init_with(&s, alloc);
  if (s.loop) {
    script_drive_clock(&s);
    test_connect_t options = link_options(&s, &reconnect);
    uvow_request_options_t again = {.size = sizeof(again), .idempotent = 1};
    int made = 0;
    script_mark_t a = script_mark(&s, NULL);
    if (script_client(&s, &options) == 0) {
      for (int i = 0; i < 3; i++)
        made += uvow_future_done(uvow_peer_request_with(s.client, "m",
                                                        uvow_value_none(),
                                                        i ? &again : NULL),
                                 script_done, &a) == 0;
      script_connected(&s);
      if (s.stream && s.sent)
        script_accept(&s);
      script_turns(&s);
      script_hang_up(&s, 0);
      uvow_peer_notify(s.client, "n", uvow_value_none());
      script_advance(&s, 101);
      s.sent_len = s.sent_at = 0;
      script_connected(&s);
      if (s.stream && s.sent_len)
        script_accept(&s);
      link_check_stats(&s);
      uvow_peer_unref(s.client);
      s.client = NULL;
      script_turns(&s);
    }
    assert_int_equal(a.calls, made);
  }
  script_quit(&s);
}

TEST_CASE(test_memory_may_fail) {
  test_alloc_sweep(body, NULL);
}

/* Without memory for what was sent and what waits, they say so: none hangs. */
TEST_CASE(test_lost_without_memory) {
  static char much[9000]; /* it isn't beside the other one without memory */
  int failed = 1;
  int told = 0;
  snprintf(much, sizeof(much), "[\"%08000d\"]", 1);
  for (size_t n = 1; failed; n++) {
    uvow_reconnect_options_t reconnect;
    script_t s;
    script_init(&s);
    script_drive_clock(&s);
    test_connect_t options = link_options(&s, &reconnect);
    options.peer.on_state = NULL;
    options.peer.max_in_flight = 1;
    link_open(&s, &options);
    script_mark_t a = script_mark(&s, "a"), b = script_mark(&s, "b");
    link_call_idempotent(&s, "m", &a);
    script_watch(script_request(&s, "n", much), &b);
    script_turns(&s);
    s.alloc->fail_at = s.alloc->calls + n;
    s.alloc->fail_all_after = 1;
    script_hang_up(&s, UV_ECONNRESET);
    s.alloc->fail_at = 0;
    s.alloc->fail_all_after = 0;
    failed = s.alloc->failed > 0;
    link_again(&s);
    link_answer(&s, 1);
    script_turns(&s);
    link_answer(&s, 2);
    script_turns(&s);
    assert_int_equal(a.calls, 1);
    assert_int_equal(b.calls, 1);
    assert_int_equal(script_stats(&s).pending, 0);
    told += strstr(s.log, "ENOMEM") != NULL;
    assert_true(failed || strstr(s.log, "a=1 b=2"));
    s.log[0] = '\0';
    script_end(&s);
  }
  assert_true(told > 0);
}

TEST_MODULE(resend) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_lost_without_memory),
      cmocka_unit_test(test_what_was_lost_is_sent_again_if_idempotent),
      cmocka_unit_test(test_each_loss_sends_again),
      cmocka_unit_test(test_nothing_is_sent_again_without_reconnect),
      cmocka_unit_test(test_what_waits_again_may_have_been_executed),
      cmocka_unit_test(test_a_late_answer_settles_nothing),
      cmocka_unit_test(test_old_timers_are_gone),
      cmocka_unit_test(test_they_are_sent_again_in_order),
      cmocka_unit_test(test_the_cap_holds_for_what_is_sent_again),
      cmocka_unit_test(test_more_than_may_be_unsent_is_sent_again),
      cmocka_unit_test(test_memory_may_fail),
  };
  return cmocka_run_group_tests_name("rpc/resend", tests, NULL, NULL);
}
