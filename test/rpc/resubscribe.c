/* Subscriptions over connections that are lost: made again, or ended. */
#include "rpc/subscription.h"

#include "support/subs.h"

/* Made again in order and before anything that waits, under new keys; the next
 * item says that some may be missing. */
TEST_CASE(test_renewed) {
  script_t s;
  subs_start(&s);
  script_mark_t a = script_mark(&s, "a");
  script_mark_t b = script_mark(&s, "b");
  script_mark_t c = script_mark(&s, "c");
  parts_read(subs_make(&s), &a);
  parts_read(subs_make(&s), &b);
  subs_answer(&s, 1, "1");
  subs_answer(&s, 2, "2");
  subs_event(&s, "1", 1);
  script_hang_up(&s, UV_ECONNRESET);
  script_call(&s, "queued", &c);
  script_turns(&s);
  script_expect(&s, "a:1");
  link_again(&s);
  subs_expect_sent(&s, 4, "sub", "[\"x\"]");
  subs_expect_sent(&s, 5, "sub", "[\"x\"]");
  script_next(&s);
  assert_non_null(strstr(s.text, "queued"));
  subs_event(&s, "1", 9);  /* the old key is nobody's, as far as is known */
  subs_event(&s, "12", 2); /* before the answer */
  subs_answer(&s, 4, "11");
  subs_answer(&s, 5, "12");
  script_expect(&s,
                "b:2(+?) event?{\"jsonrpc\":\"2.0\",\"method\":\"ev\","
                "\"params\":{\"subscription\":1,\"result\":9}}");
  subs_event(&s, "11", 3);
  subs_event(&s, "11", 4);
  subs_event(&s, "12", 5);
  script_expect(&s, "a:3(+?) a:4 b:5");
  subs_end(&s);
}

/* Where gaps are items, it is told at once. */
TEST_CASE(test_gap_told) {
  script_t s;
  subs_start(&s);
  script_mark_t a = script_mark(&s, "a");
  uvow_stream_options_t bounds = {.size = sizeof(bounds), .tell_gaps = 1};
  uvow_subscription_options_t options = subs_options();
  options.stream = &bounds;
  parts_read(subs_with(&s, &options), &a);
  subs_answer(&s, 1, "1");
  script_hang_up(&s, UV_ECONNRESET);
  link_again(&s);
  script_expect(&s, "");
  subs_answer(&s, 2, "2");
  script_expect(&s, "a:(+?)");
  subs_end(&s);
}

/* Lost before its answer: it was never on, so nothing of it can be missing; what
 * came for it on the old connection is of no worth. */
TEST_CASE(test_lost_before_the_answer) {
  script_t s;
  subs_start(&s);
  script_mark_t a = script_mark(&s, "a");
  parts_read(subs_make(&s), &a);
  subs_event(&s, "1", 1);
  script_hang_up(&s, UV_ECONNRESET);
  assert_int_equal(subs_strays(&s), 1);
  link_again(&s);
  subs_expect_sent(&s, 2, "sub", "[\"x\"]");
  subs_answer(&s, 2, "1");
  subs_event(&s, "1", 2);
  script_expect(&s, "a:2");
  subs_end(&s);
}

/* Its answer and the loss come together. */
TEST_CASE(test_lost_with_the_answer) {
  script_t s;
  subs_start(&s);
  script_mark_t a = script_mark(&s, "a");
  parts_read(subs_make(&s), &a);
  uvow__runtime_enter(&s.loop->rt);
  subs_answer(&s, 1, "1");
  script_hang_up(&s, UV_ECONNRESET);
  uvow__runtime_leave(&s.loop->rt);
  link_again(&s);
  subs_expect_sent(&s, 2, "sub", "[\"x\"]");
  subs_answer(&s, 2, "1");
  subs_event(&s, "1", 2);
  script_expect(&s, "a:2(+?)");
  subs_end(&s);
}

/* One that waits to be sent, and what is held of the old connection. */
TEST_CASE(test_nothing_of_the_old_one) {
  script_t s;
  uvow_reconnect_options_t reconnect;
  script_init(&s);
  script_drive_clock(&s);
  test_connect_t options = link_options(&s, &reconnect);
  options.on_event = NULL;
  options.peer.on_state = NULL;
  options.peer.max_in_flight = 1;
  link_open(&s, &options);
  script_mark_t a = script_mark(&s, "a");
  script_mark_t c = script_mark(&s, "c");
  script_call(&s, "first", &c);
  parts_read(subs_make(&s), &a); /* waits for its turn */
  subs_event(&s, "1", 1);
  script_hang_up(&s, UV_ECONNRESET);
  script_expect(&s, "c!ELOST:MAYBE");
  link_again(&s);
  subs_expect_sent(&s, 2, "sub", "[\"x\"]");
  subs_answer(&s, 2, "1");
  script_expect(&s,
                "event?{\"jsonrpc\":\"2.0\",\"method\":\"ev\","
                "\"params\":{\"subscription\":1,\"result\":1}}");
  subs_event(&s, "1", 2);
  script_expect(&s, "a:2");
  subs_end(&s);
}

TEST_CASE(test_cannot_be_renewed) {
  script_t s;
  subs_start(&s);
  script_mark_t a = script_mark(&s, "a");
  script_mark_t b = script_mark(&s, "b");
  uvow_subscription_options_t options = subs_options();
  options.no_renewal = 1;
  parts_read(subs_make(&s), &a);
  parts_read(subs_with(&s, &options), &b);
  subs_answer(&s, 1, "1");
  subs_answer(&s, 2, "2");
  script_hang_up(&s, UV_ECONNRESET);
  script_expect(&s, "b!ELOST");
  link_again(&s);
  script_text(&s,
              "{\"jsonrpc\":\"2.0\",\"id\":3,\"error\":{\"code\":5,"
              "\"message\":\"no\"}}");
  script_expect(&s, "a!EREMOTE:ANSWERED");
  script_end(&s);
}

/* Lost twice, and let go of meanwhile. */
TEST_CASE(test_let_go_while_lost) {
  script_t s;
  subs_start(&s);
  uvow_stream_t *stream = subs_make(&s);
  uvow_stream_t *leaving = subs_make(&s);
  subs_answer(&s, 1, "1");
  subs_answer(&s, 2, "2");
  uvow_stream_unref(leaving); /* its request is lost: that's as good */
  script_turns(&s);
  script_hang_up(&s, UV_ECONNRESET);
  link_again(&s);
  subs_expect_sent(&s, 4, "sub", "[\"x\"]");
  script_expect_sent(&s, "");
  script_hang_up(&s, UV_ECONNRESET);
  uvow_stream_unref(stream);
  script_turns(&s);
  link_again(&s);
  script_expect_sent(&s, "");
  assert_true(uvow__list_empty(&s.client->session.subscriptions.all));
  script_end(&s);
}

/* What unsubscribes waits for its turn when the connection is lost: its key may
 * be another's on the next one. */
TEST_CASE(test_unsubscribing_while_lost) {
  script_t s;
  uvow_reconnect_options_t reconnect;
  script_init(&s);
  script_drive_clock(&s);
  test_connect_t options = link_options(&s, &reconnect);
  options.on_event = NULL;
  options.peer.on_state = NULL;
  options.peer.max_in_flight = 1;
  link_open(&s, &options);
  script_mark_t a = script_mark(&s, "a");
  script_mark_t c = script_mark(&s, "c");
  uvow_stream_t *leaving = subs_make(&s);
  subs_answer(&s, 1, "1");
  parts_read(subs_make(&s), &a);
  subs_answer(&s, 2, "2");
  script_call(&s, "long", &c);
  uvow_stream_unref(leaving);
  script_turns(&s);
  script_hang_up(&s, UV_ECONNRESET);
  script_expect(&s, "c!ELOST:MAYBE");
  link_again(&s);
  subs_expect_sent(&s, 5, "sub", "[\"x\"]");
  subs_answer(&s, 5, "1"); /* the key of the one that was let go of */
  script_turns(&s);
  script_expect_sent(&s, "");
  assert_int_equal(script_stats(&s).pending, 0);
  subs_end(&s);
}

/* The peer closes for good, in order or not: that's no end of it. On our side it
 * is. */
TEST_CASE(test_peer_ends) {
  for (int how = 0; how < 3; how++) {
    script_t s;
    script_init(&s);
    script_drive_clock(&s);
    test_connect_t options = script_options(&s);
    options.on_event = NULL;
    script_open_client(&s, &options);
    script_mark_t a = script_mark(&s, "a");
    script_mark_t b = script_mark(&s, "b");
    parts_read(subs_make(&s), &a);
    subs_answer(&s, 1, "1");
    parts_read(subs_make(&s), &b);
    if (how == 0) {
      script_close_frame(&s, 1000);
      script_hang_up(&s, 0);
    } else if (how == 1) {
      script_hang_up(&s, UV_ECONNRESET);
    } else {
      uvow_peer_end(s.client);
    }
    script_turns(&s);
    static const char *const ends[] = {
        "b!ELOST:MAYBE a!ELOST", "a!ELOST b!ELOST:MAYBE", "a= b!ECLOSED:MAYBE"};
    script_expect(&s, ends[how]);
    parts_read(subs_make(&s), &a);
    script_turns(&s);
    script_expect(&s, how == 2 ? "a!ECLOSED:NOT" : "a!ELOST:NOT");
    script_end(&s);
  }
}

/* ---- memory ---- */

static uvow_next_t pass(const uvow_result_t *item, void *data) {
  (void)item;
  (void)data;
  return uvow_next_pass();
}

static void on_end(const uvow_result_t *result, void *data) {
  (void)result;
  ++*(int *)data;
}

static void renew_in_memory(test_alloc_t *alloc, void *data) {
  script_t s;
  uvow_reconnect_options_t reconnect;
  int promised = 0;
  int ended = 0;
  (void)data;
  script_init_with(&s, alloc);
  if (s.loop)
    script_drive_clock(&s);
  test_connect_t options = link_options(&s, &reconnect);
  options.on_event = NULL;
  options.peer.on_state = NULL;
  if (script_client(&s, &options) == 0) {
    script_turns(&s);
    if (s.stream)
      link_up(&s);
    uvow_subscription_options_t how = subs_options();
    uvow_future_t *f = uvow_stream_each(
        uvow_peer_subscribe(s.client, "sub", uvow_value_raw("[]"), &how), pass,
        NULL);
    promised += f && uvow_future_done(f, on_end, &ended) == 0;
    script_turns(&s);
    if (s.stream) {
      subs_event(&s, "1", 1);
      subs_answer(&s, 1, "1");
      script_hang_up(&s, UV_ECONNRESET);
    }
    for (int ms = 0; ms < 101 && !s.stream; ms++)
      script_advance(&s, 1);
    if (s.stream) {
      link_up(&s);
      subs_event(&s, "\"k\"", 1);
      subs_answer(&s, 2, "\"k\"");
    }
    uvow_peer_unref(s.client);
    s.client = NULL;
    script_turns(&s);
  }
  assert_int_equal(ended, promised);
  script_quit(&s);
}

TEST_CASE(test_without_memory) {
  test_alloc_sweep(renew_in_memory, NULL);
}

TEST_MODULE(resubscribe) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_renewed),
      cmocka_unit_test(test_gap_told),
      cmocka_unit_test(test_lost_before_the_answer),
      cmocka_unit_test(test_lost_with_the_answer),
      cmocka_unit_test(test_nothing_of_the_old_one),
      cmocka_unit_test(test_cannot_be_renewed),
      cmocka_unit_test(test_let_go_while_lost),
      cmocka_unit_test(test_unsubscribing_while_lost),
      cmocka_unit_test(test_peer_ends),
      cmocka_unit_test(test_without_memory),
  };
  return cmocka_run_group_tests_name("rpc/resubscribe", tests, NULL, NULL);
}
