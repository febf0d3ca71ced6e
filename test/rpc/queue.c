#include "rpc/peer.h"

#include "support/link.h"

#include <stdio.h>

#define TEXT(id) "{\"jsonrpc\":\"2.0\",\"id\":" #id ",\"method\":\"m\"}"
#define NOTE "{\"jsonrpc\":\"2.0\",\"method\":\"n\"}"

static void note(script_t *s, int code) {
  assert_int_equal(uvow_peer_notify(s->client, "n", uvow_value_none()), code);
}

/* An array of n bytes, as JSON text. */
static char *array_of(char *text, size_t n) {
  memset(text, '1', n);
  text[0] = '[';
  text[n - 1] = ']';
  text[n] = '\0';
  return text;
}

/* R6: no more than max_in_flight wait for an answer; the others take their
 * turn, first come, first served, whatever gives a place up. */
TEST_CASE(test_the_cap_on_requests_in_flight_is_kept) {
  script_t s;
  script_init(&s);
  script_drive_clock(&s);
  test_connect_t options = script_options(&s);
  uvow_request_options_t soon = {.size = sizeof(soon), .timeout_ms = 10};
  options.peer.max_in_flight = 2;
  script_open_client(&s, &options);
  script_mark_t a = script_mark(&s, "a");
  uvow_future_t *f = script_request(&s, "m", NULL);
  script_watch(uvow_future_ref(f), &a);
  script_watch(uvow_peer_request_with(s.client, "m", uvow_value_none(), &soon),
               &a);
  for (int i = 3; i <= 6; i++)
    script_call(&s, "m", &a);
  script_turns(&s);
  script_expect_sent(&s, TEXT(1));
  script_expect_sent(&s, TEXT(2));
  script_expect_sent(&s, "");
  assert_int_equal(script_stats(&s).in_flight, 2);
  assert_int_equal(script_stats(&s).queued, 4);
  assert_int_equal(uvow_future_cancel(f), 0); /* a cancel */
  uvow_future_unref(f);
  script_turns(&s);
  script_expect_sent(&s, TEXT(3));
  script_expect_sent(&s, "");
  script_advance(&s, 11); /* a timeout */
  script_expect_sent(&s, TEXT(4));
  script_expect_sent(&s, "");
  link_answer(&s, 4); /* an answer */
  script_expect_sent(&s, TEXT(5));
  script_text(&s,
              "{\"jsonrpc\":\"2.0\",\"id\":3,\"error\":{\"code\":1,"
              "\"message\":\"\"}}"); /* an error */
  script_expect_sent(&s, TEXT(6));
  script_text(&s, "{\"jsonrpc\":\"2.0\",\"id\":5}"); /* no answer at all */
  link_answer(&s, 6);
  script_expect(&s,
                "a!ECANCELED:MAYBE a!ETIMEDOUT:MAYBE a=4 "
                "a!EREMOTE:ANSWERED a!EENVELOPE:ANSWERED a=6");
  link_check_stats(&s);
  script_end(&s);
}

static uvow_next_t again(const uvow_result_t *result, void *data) {
  script_t *s = (script_t *)data;
  (void)result;
  return uvow_next_future(script_request(s, "late", NULL));
}

/* A request that a continuation makes comes behind those that wait. */
TEST_CASE(test_a_message_never_overtakes_another) {
  script_t s;
  script_init(&s);
  test_connect_t options = script_options(&s);
  options.peer.max_in_flight = 1;
  script_open_client(&s, &options);
  script_mark_t a = script_mark(&s, "a");
  script_mark_t b = script_mark(&s, "b");
  script_watch(uvow_future_then(script_request(&s, "m", NULL), again, &s), &a);
  note(&s, 0); /* nothing waits: it needs no place */
  script_call(&s, "m", &b);
  note(&s, 0); /* something does */
  script_turns(&s);
  script_expect_sent(&s, TEXT(1));
  script_expect_sent(&s, NOTE);
  script_expect_sent(&s, "");
  link_answer(&s, 1);
  script_expect_sent(&s, TEXT(2));
  script_expect_sent(&s, NOTE);
  script_expect_sent(&s, "");
  link_answer(&s, 2);
  script_expect_sent(&s, "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"late\"}");
  link_answer(&s, 3);
  script_expect(&s, "b=2 a=3");
  script_end(&s);
}

/* What was given up while it waited never leaves, and frees its place. */
TEST_CASE(test_what_is_given_up_never_leaves) {
  script_t s;
  script_init(&s);
  script_drive_clock(&s);
  test_connect_t options = script_options(&s);
  uvow_request_options_t soon = {.size = sizeof(soon), .timeout_ms = 10};
  options.peer.max_in_flight = 1;
  options.peer.max_queued = 2;
  script_open_client(&s, &options);
  script_mark_t a = script_mark(&s, "a");
  script_call(&s, "m", &a);
  script_watch(uvow_peer_request_with(s.client, "m", uvow_value_none(), &soon),
               &a);
  script_watch(uvow_peer_request_with(s.client, "m", uvow_value_none(), &soon),
               &a);
  script_call(&s, "m", &a);
  script_turns(&s);
  script_expect(&s, "a!EOVERLOAD:NOT");
  script_advance(&s, 11);
  script_expect(&s, "a!ETIMEDOUT:NOT a!ETIMEDOUT:NOT");
  script_call(&s, "m", &a);
  script_call(&s, "m", &a);
  script_turns(&s);
  script_expect_sent(&s, TEXT(1));
  script_expect_sent(&s, "");
  link_answer(&s, 1);
  script_expect_sent(&s, TEXT(5));
  link_answer(&s, 5);
  script_expect_sent(&s, TEXT(6));
  link_answer(&s, 6);
  script_expect(&s, "a=1 a=5 a=6");
  script_end(&s);
}

/* R6: one more than max_queued is refused at once, notifications are counted;
 * what is refused was never sent. */
TEST_CASE(test_the_queue_is_bounded) {
  script_t s;
  script_init(&s);
  test_connect_t options = script_options(&s);
  options.peer.max_queued = 3;
  assert_int_equal(script_client(&s, &options), 0);
  script_mark_t a = script_mark(&s, "a");
  script_call(&s, "m", &a);
  note(&s, 0);
  script_call(&s, "m", &a);
  note(&s, UVOW_EOVERLOAD);
  uvow_future_t *f = script_request(&s, "m", NULL);
  assert_int_equal(uvow_future_state(f), UVOW_REJECTED); /* at once */
  script_watch(f, &a);
  script_turns(&s);
  script_expect(&s, "a!EOVERLOAD:NOT");
  script_connected(&s);
  script_accept(&s);
  script_expect_sent(&s, TEXT(1));
  script_expect_sent(&s, NOTE);
  script_expect_sent(&s, TEXT(2));
  script_expect_sent(&s, "");
  script_call(&s, "m", &a); /* there's room again */
  link_answer(&s, 1);
  link_answer(&s, 2);
  link_answer(&s, 4);
  script_expect(&s, "a=1 a=2 a=4");
  link_check_stats(&s);
  script_end(&s);
}

TEST_CASE(test_pending_requests_are_bounded) {
  script_t s;
  script_init(&s);
  test_connect_t options = script_options(&s);
  options.peer.max_pending = 3;
  options.peer.max_in_flight = 2;
  script_open_client(&s, &options);
  script_mark_t a = script_mark(&s, "a");
  for (int i = 0; i < 4; i++)
    script_call(&s, "m", &a);
  script_turns(&s);
  script_expect(&s, "a!EOVERLOAD:NOT");
  link_answer(&s, 1);
  link_answer(&s, 2);
  script_call(&s, "m", &a);
  script_turns(&s);
  link_answer(&s, 3);
  link_answer(&s, 4);
  script_expect(&s, "a=1 a=2 a=3 a=4");
  script_end(&s);
}

/* R6: what waits in the queue, in the connection and in the stream's own hands
 * is within max_unsent_bytes, all of it together. */
TEST_CASE(test_unsent_bytes_are_bounded) {
  script_t s;
  char text[512];
  script_init(&s);
  test_connect_t options = script_options(&s);
  options.websocket.max_unsent_bytes = 1000;
  options.peer.max_in_flight = 8;
  script_open_client(&s, &options);
  script_mark_t a = script_mark(&s, "a");
  s.block = 1;
  script_watch(script_request(&s, "m", array_of(text, 300)), &a);
  script_turns(&s); /* the stream has it, and can't write it */
  assert_in_range(script_stats(&s).unsent_bytes, 300, 400);
  script_watch(script_request(&s, "m", array_of(text, 300)), &a);
  script_turns(&s);
  assert_in_range(script_stats(&s).unsent_bytes, 600, 800);
  script_watch(script_request(&s, "m", array_of(text, 300)), &a);
  script_watch(script_request(&s, "m", array_of(text, 100)), &a);
  script_turns(&s);
  script_expect(&s, "a!EOVERLOAD:NOT");
  assert_true(script_stats(&s).unsent_bytes <= 1000);
  assert_true(script_stats(&s).unsent_bytes > 700);
  s.block = 0;
  script_unblock(&s);
  script_turns(&s);
  assert_int_equal(script_stats(&s).unsent_bytes, 0);
  script_watch(script_request(&s, "m", array_of(text, 300)), &a);
  script_turns(&s);
  script_call(&s, "m", &a);
  script_hang_up(&s, 0);
  script_expect(&s,
                "a!ELOST:MAYBE a!ELOST:MAYBE a!ELOST:MAYBE a!ELOST:MAYBE "
                "a!ELOST:MAYBE");
  script_end(&s);
}

/* Half of it in the connection, half in the queue: it's one bound. */
TEST_CASE(test_the_queue_and_the_connection_share_a_bound) {
  script_t s;
  char text[601];
  script_init(&s);
  test_connect_t options = script_options(&s);
  options.websocket.max_unsent_bytes = 1000;
  options.peer.max_in_flight = 1;
  script_open_client(&s, &options);
  script_mark_t a = script_mark(&s, "a");
  s.block = 1;
  script_watch(script_request(&s, "m", array_of(text, 600)), &a);
  script_turns(&s);
  script_watch(script_request(&s, "m", array_of(text, 400)), &a);
  script_turns(&s);
  script_expect(&s, "a!EOVERLOAD:NOT");
  script_watch(script_request(&s, "m", array_of(text, 200)), &a);
  script_turns(&s);
  assert_int_equal(script_stats(&s).queued, 1);
  assert_in_range(script_stats(&s).unsent_bytes, 800, 1000);
  s.block = 0;
  script_unblock(&s);
  link_answer(&s, 1);
  link_answer(&s, 3);
  script_expect(&s, "a=1 a=3");
  script_end(&s);
}

/* Nor can the peer make us keep more, with pings whose pongs it doesn't read.
 */
TEST_CASE(test_pongs_are_bounded_too) {
  script_t s;
  char text[901];
  script_init(&s);
  test_connect_t options = script_options(&s);
  options.websocket.max_unsent_bytes = 1000;
  script_open_client(&s, &options);
  script_mark_t a = script_mark(&s, "a");
  s.block = 1;
  script_watch(script_request(&s, "m", array_of(text, 500)), &a);
  script_turns(&s);
  for (int i = 0; i < 20; i++) {
    script_frame(&s, 0x89, text, 100);
    assert_true(script_stats(&s).unsent_bytes <= 1000);
  }
  assert_true(script_stats(&s).unsent_bytes < 600); /* none but the last */
  script_unblock(&s);
  script_unblock(&s);
  s.block = 0;
  script_turns(&s);
  script_watch(script_request(&s, "m", array_of(text, 900)), &a);
  script_turns(&s); /* the whole room is there again */
  link_answer(&s, 1);
  link_answer(&s, 2);
  script_expect(&s, "a=1 a=2");
  script_end(&s);
}

/* The queue's share is within it too, before the connection is open. */
TEST_CASE(test_queued_bytes_are_bounded) {
  script_t s;
  char text[512];
  script_init(&s);
  test_connect_t options = script_options(&s);
  options.websocket.max_unsent_bytes = 1000;
  assert_int_equal(script_client(&s, &options), 0);
  script_mark_t a = script_mark(&s, "a");
  for (int i = 0; i < 4; i++)
    script_watch(script_request(&s, "m", array_of(text, 200)), &a);
  script_turns(&s);
  script_expect(&s, "a!EOVERLOAD:NOT"); /* 3 of them with their heads fit */
  assert_true(script_stats(&s).unsent_bytes <= 1000);
  script_connected(&s);
  script_accept(&s);
  for (int i = 1; i <= 3; i++)
    assert_int_not_equal(strlen(script_next(&s)), 0);
  assert_int_equal(script_stats(&s).unsent_bytes, 0);
  for (int i = 1; i <= 3; i++)
    link_answer(&s, i);
  script_expect(&s, "a=1 a=2 a=3");
  script_end(&s);
}

/* Requests that ended while nothing could leave take no room any more. */
TEST_CASE(test_the_dead_take_no_room) {
  script_t s;
  char text[512];
  script_init(&s);
  script_drive_clock(&s);
  test_connect_t options = script_options(&s);
  uvow_request_options_t soon = {.size = sizeof(soon), .timeout_ms = 10};
  options.websocket.max_unsent_bytes = 2000;
  options.websocket.connect_timeout_ms = 100000;
  assert_int_equal(script_client(&s, &options), 0);
  script_mark_t a = script_mark(&s, "a");
  script_mark_t quiet = script_mark(&s, NULL);
  array_of(text, 200);
  script_call(&s, "m", &a); /* it lives, in front of all of them */
  note(&s, 0);
  for (int i = 0; i < 20; i++) {
    script_watch(
        uvow_peer_request_with(
            s.client, "m", uvow_value_slice(&(uvow_slice_t){text, 200}), &soon),
        &quiet);
    script_watch(
        uvow_peer_request_with(
            s.client, "m", uvow_value_slice(&(uvow_slice_t){text, 200}), &soon),
        &quiet);
    script_turns(&s);
    assert_int_equal(quiet.calls, 2 * i);
    script_advance(&s, 11);
  }
  script_connected(&s);
  script_accept(&s);
  script_expect_sent(&s, TEXT(1));
  script_expect_sent(&s, NOTE);
  script_expect_sent(&s, "");
  link_answer(&s, 1);
  script_expect(&s, "a=1");
  assert_int_equal(script_stats(&s).timed_out, 40);
  script_end(&s);
}

/* A drain future is fulfilled when half of the room is free. */
TEST_CASE(test_drained_waits_for_half_of_the_room) {
  script_t s;
  char text[512];
  script_init(&s);
  test_connect_t options = script_options(&s);
  options.websocket.max_unsent_bytes = 1000;
  script_open_client(&s, &options);
  script_mark_t a = script_mark(&s, "a");
  script_mark_t d = script_mark(&s, "drained");
  script_watch(uvow_peer_room(s.client), &d);
  script_turns(&s);
  script_expect(&s, "drained="); /* nothing waits */
  s.block = 1;
  script_watch(script_request(&s, "m", array_of(text, 400)), &a);
  script_turns(&s);
  script_watch(script_request(&s, "m", array_of(text, 300)), &a);
  script_watch(uvow_peer_room(s.client), &d);
  script_watch(uvow_peer_room(s.client), &d); /* both are told */
  script_turns(&s);
  script_expect(&s, "");
  script_unblock(&s); /* the first has left, the second is being written */
  script_turns(&s);
  script_expect(&s, "drained= drained=");
  script_unblock(&s);
  script_turns(&s);
  s.block = 0;
  /* All at once, in one turn: it was too much, and has left at once. */
  script_watch(script_request(&s, "m", array_of(text, 300)), &a);
  script_watch(script_request(&s, "m", array_of(text, 300)), &a);
  script_watch(uvow_peer_room(s.client), &d);
  assert_true(script_stats(&s).unsent_bytes > 500);
  script_turns(&s);
  script_expect(&s, "drained=");
  for (int i = 1; i <= 4; i++)
    link_answer(&s, i);
  script_expect(&s, "a=1 a=2 a=3 a=4");
  assert_null(uvow_peer_room(NULL));
  script_end(&s);
}

TEST_CASE(test_drained_rejects_when_the_client_ends) {
  script_t s;
  char text[512];
  script_init(&s);
  test_connect_t options = script_options(&s);
  options.websocket.max_unsent_bytes = 500;
  script_open_client(&s, &options);
  script_mark_t a = script_mark(&s, "a");
  script_mark_t d = script_mark(&s, "drained");
  s.block = 1;
  script_watch(script_request(&s, "m", array_of(text, 400)), &a);
  script_turns(&s);
  script_watch(uvow_peer_room(s.client), &d);
  script_hang_up(&s, UV_ECONNRESET);
  script_expect(&s, "a!ELOST:MAYBE drained!ELOST");
  script_watch(uvow_peer_room(s.client), &d);
  script_turns(&s);
  script_expect(&s, "drained!ELOST");
  script_end(&s);
}

/* R8: close lets what waits for its turn have it. */
TEST_CASE(test_close_drains_the_queue) {
  script_t s;
  script_init(&s);
  test_connect_t options = script_options(&s);
  options.peer.max_in_flight = 1;
  script_open_client(&s, &options);
  script_mark_t a = script_mark(&s, "a");
  script_mark_t closed = script_mark(&s, "closed");
  script_call(&s, "m", &a);
  script_call(&s, "m", &a);
  note(&s, 0);
  script_watch(uvow_peer_close(s.client), &closed);
  note(&s, UVOW_ECLOSED);
  script_turns(&s);
  script_expect_sent(&s, TEXT(1));
  script_expect_sent(&s, "");
  link_answer(&s, 1);
  script_expect_sent(&s, TEXT(2));
  script_expect_sent(&s, NOTE);
  script_expect_sent(&s, "");
  link_answer(&s, 2);
  script_expect_sent(&s, "close:1000");
  script_close_frame(&s, 1000);
  script_hang_up(&s, 0);
  script_expect(&s, "a=1 a=2 closed=");
  script_end(&s);
}

TEST_MODULE(queue) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_the_cap_on_requests_in_flight_is_kept),
      cmocka_unit_test(test_a_message_never_overtakes_another),
      cmocka_unit_test(test_what_is_given_up_never_leaves),
      cmocka_unit_test(test_the_queue_is_bounded),
      cmocka_unit_test(test_pending_requests_are_bounded),
      cmocka_unit_test(test_unsent_bytes_are_bounded),
      cmocka_unit_test(test_the_queue_and_the_connection_share_a_bound),
      cmocka_unit_test(test_pongs_are_bounded_too),
      cmocka_unit_test(test_queued_bytes_are_bounded),
      cmocka_unit_test(test_the_dead_take_no_room),
      cmocka_unit_test(test_drained_waits_for_half_of_the_room),
      cmocka_unit_test(test_drained_rejects_when_the_client_ends),
      cmocka_unit_test(test_close_drains_the_queue),
  };
  return cmocka_run_group_tests_name("rpc/queue", tests, NULL, NULL);
}
