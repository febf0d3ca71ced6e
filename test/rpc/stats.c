#include "rpc/peer.h"

#include "support/link.h"

#include <stdio.h>

/* After all that the next test does. */
static void expect_counts(const script_t *s) {
  uvow_peer_stats_t stats = script_stats(s);
  assert_int_equal(stats.requests, 7);
  assert_int_equal(stats.answered, 2);
  assert_int_equal(stats.timed_out, 1);
  assert_int_equal(stats.canceled, 1);
  assert_int_equal(stats.failed, 2);
  assert_int_equal(stats.resent, 1);
  assert_int_equal(stats.pending, 1);
  assert_int_equal(stats.events, 1);
  assert_int_equal(stats.late, 2);
  assert_int_equal(stats.duplicate, 1);
  assert_int_equal(stats.unknown, 1);
  assert_int_equal(stats.malformed, 2);
  assert_int_equal(stats.connected, 2);
  assert_int_equal(stats.lost, 1);
}

/* R10: at every step all counts add up, and each request is counted once. */
TEST_CASE(test_counts_add_up_at_every_step) {
  script_t s;
  uvow_reconnect_options_t reconnect;
  uvow_request_options_t soon = {.size = sizeof(soon), .timeout_ms = 10};
  script_init(&s);
  script_drive_clock(&s);
  test_connect_t options = link_options(&s, &reconnect);
  options.peer.on_state = NULL;
  options.peer.max_in_flight = 4;
  options.peer.on_stray = NULL;
  options.on_event = NULL;
  script_mark_t quiet = script_mark(&s, NULL);
  assert_int_equal(script_client(&s, &options), 0);
  for (int i = 0; i < 3; i++) {
    script_call(&s, "m", &quiet);
    link_check_stats(&s);
  }
  assert_int_equal(script_stats(&s).queued, 3);
  link_up(&s);
  link_check_stats(&s);
  assert_int_equal(script_stats(&s).in_flight, 3);
  link_answer(&s, 1);
  link_answer(&s, 1);                                        /* duplicate */
  link_answer(&s, 99);                                       /* unknown */
  script_text(&s, "{");                                      /* malformed */
  script_text(&s, "{\"jsonrpc\":\"2.0\",\"method\":\"e\"}"); /* event */
  link_check_stats(&s);
  script_text(&s, "{\"jsonrpc\":\"2.0\",\"id\":2}"); /* answered by nonsense */
  link_check_stats(&s);
  script_watch(uvow_peer_request_with(s.client, "m", uvow_value_none(), &soon),
               &quiet);                             /* 4 */
  uvow_future_t *f = script_request(&s, "m", NULL); /* 5 */
  script_watch(uvow_future_ref(f), &quiet);
  script_turns(&s);
  assert_int_equal(uvow_future_cancel(f), 0);
  uvow_future_unref(f);
  script_advance(&s, 11);
  link_check_stats(&s);
  link_answer(&s, 4);                    /* late */
  link_answer(&s, 5);                    /* late */
  link_call_idempotent(&s, "m", &quiet); /* 6 */
  script_turns(&s);
  script_hang_up(&s, 0); /* 3 fails, 6 waits */
  link_check_stats(&s);
  link_again(&s);
  link_check_stats(&s);
  script_watch(script_request(&s, "m", "5"), &quiet); /* 7 can't be sent */
  link_check_stats(&s);
  expect_counts(&s);
  link_answer(&s, 6);
  script_hang_up(&s, 0);
  uvow_future_detach(uvow_peer_close(s.client));
  script_turns(&s);
  link_check_stats(&s);
  assert_int_equal(script_stats(&s).pending, 0);
  assert_int_equal(script_stats(&s).lost, 2);
  script_end(&s);
}

/* A connection that ends as it was asked to isn't lost. */
TEST_CASE(test_a_closed_connection_is_not_lost) {
  script_t s;
  script_init(&s);
  script_open_client(&s, NULL);
  uvow_future_detach(uvow_peer_close(s.client));
  script_turns(&s);
  script_close_frame(&s, 1000);
  script_hang_up(&s, 0);
  script_turns(&s);
  assert_int_equal(script_stats(&s).connected, 1);
  assert_int_equal(script_stats(&s).lost, 0);
  script_end(&s);
}

/* One request that takes so long. */
static void round_trip(script_t *s, script_mark_t *mark, uint64_t us) {
  script_call(s, "m", mark);
  script_turns(s);
  s->now_ns += us * 1000;
  link_answer(s, (int)script_stats(s).requests);
}

/* Percentiles of the time from sending to answer, within 3 %. */
TEST_CASE(test_round_trips_are_measured) {
  script_t s;
  script_init(&s);
  script_drive_clock(&s);
  script_open_client(&s, NULL);
  script_mark_t quiet = script_mark(&s, NULL);
  assert_int_equal(script_stats(&s).rtt_p50_us, 0);
  for (uint64_t i = 1; i <= 100; i++)
    round_trip(&s, &quiet, i * 100);
  uvow_peer_stats_t stats = script_stats(&s);
  assert_in_range(stats.rtt_p50_us, 5000, 5200);
  assert_in_range(stats.rtt_p90_us, 9000, 9300);
  assert_in_range(stats.rtt_p99_us, 9900, 10200);
  assert_int_equal(stats.rtt_max_us, 10000);
  script_end(&s);
}

/* The queue isn't part of a round trip, nor what was lost with a connection. */
TEST_CASE(test_waiting_is_no_round_trip) {
  script_t s;
  uvow_reconnect_options_t reconnect;
  script_init(&s);
  script_drive_clock(&s);
  test_connect_t options = link_options(&s, &reconnect);
  options.peer.on_state = NULL;
  options.websocket.connect_timeout_ms = 10000;
  script_mark_t quiet = script_mark(&s, NULL);
  assert_int_equal(script_client(&s, &options), 0);
  link_call_idempotent(&s, "m", &quiet);
  script_advance(&s, 5000);
  link_up(&s);
  script_advance(&s, 3000);
  script_hang_up(&s, 0);
  link_again(&s);
  s.now_ns += 2000000;
  link_answer(&s, 1);
  assert_in_range(script_stats(&s).rtt_max_us, 2000, 2001);
  script_end(&s);
}

static void write_pending(const uvow_pending_t *pending, void *data) {
  static const char *const outcomes[] = {"", "NOT", "MAYBE", "ANSWERED"};
  char text[96];
  assert_int_equal(pending->size, sizeof(*pending));
  snprintf(text, sizeof(text), "%d(%s,%dus%s%s,%s)", (int)pending->id,
           pending->method, (int)pending->age_us,
           pending->in_flight ? ",out" : "", pending->idempotent ? ",idem" : "",
           outcomes[pending->outcome]);
  script_log((script_t *)data, "", text);
}

/* R10: all that isn't settled, the oldest first, with what would be said. */
TEST_CASE(test_pending_requests_can_be_walked) {
  script_t s;
  uvow_reconnect_options_t reconnect;
  script_init(&s);
  script_drive_clock(&s);
  test_connect_t options = link_options(&s, &reconnect);
  options.peer.on_state = NULL;
  options.peer.max_in_flight = 2;
  script_mark_t quiet = script_mark(&s, NULL);
  link_open(&s, &options);
  assert_int_equal(uvow_peer_walk(s.client, write_pending, &s), 0);
  assert_int_equal(uvow_peer_walk(NULL, write_pending, &s), 0);
  link_call_idempotent(&s, "a", &quiet);
  script_turns(&s);
  s.now_ns += 7000;
  script_call(&s, "b", &quiet);
  script_call(&s, "c", &quiet);
  script_turns(&s);
  s.now_ns += 3000;
  assert_int_equal(uvow_peer_walk(s.client, write_pending, &s), 3);
  script_expect(&s,
                "1(a,10us,out,idem,MAYBE) 2(b,3us,out,MAYBE) "
                "3(c,0us,NOT)");
  script_hang_up(&s, 0);
  assert_int_equal(uvow_peer_walk(s.client, write_pending, &s), 2);
  script_expect(&s, "1(a,0us,idem,MAYBE) 3(c,0us,NOT)");
  link_again(&s);
  link_answer(&s, 3);
  for (int id = 4; id < 70; id += id == 64 ? 2 : 1) {
    script_call(&s, "x", &quiet);
    script_turns(&s);
    link_answer(&s, id);
  }
  script_call(&s, "last", &quiet); /* 1 has been passed by the ring */
  script_turns(&s);
  s.now_ns = s.loop->rt.clock(&s.loop->rt);
  assert_int_equal(uvow_peer_walk(s.client, NULL, NULL), 2);
  assert_int_equal(uvow_peer_walk(s.client, write_pending, &s), 2);
  assert_int_equal(strncmp(s.log, "1(a,", 4), 0);
  assert_non_null(strstr(s.log, " 70(last,"));
  s.log[0] = '\0';
  script_end(&s);
}

/* More names than are kept share one, and nothing else changes. */
TEST_CASE(test_too_many_methods_share_a_name) {
  script_t s;
  char name[32];
  script_init(&s);
  script_open_client(&s, NULL);
  script_mark_t quiet = script_mark(&s, NULL);
  for (int i = 1; i <= UVOW__INTERN_MAX + 1; i++) {
    snprintf(name, sizeof(name), "m%d", i);
    script_call(&s, name, &quiet);
    script_turns(&s);
    if (i <= UVOW__INTERN_MAX)
      link_answer(&s, i);
  }
  assert_int_equal(uvow_peer_walk(s.client, write_pending, &s), 1);
  assert_non_null(strstr(s.log, "4097((other),"));
  s.log[0] = '\0';
  link_answer(&s, UVOW__INTERN_MAX + 1);
  assert_int_equal(quiet.calls, UVOW__INTERN_MAX + 1);
  script_end(&s);
}

TEST_MODULE(stats) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_counts_add_up_at_every_step),
      cmocka_unit_test(test_a_closed_connection_is_not_lost),
      cmocka_unit_test(test_round_trips_are_measured),
      cmocka_unit_test(test_waiting_is_no_round_trip),
      cmocka_unit_test(test_pending_requests_can_be_walked),
      cmocka_unit_test(test_too_many_methods_share_a_name),
  };
  return cmocka_run_group_tests_name("rpc/stats", tests, NULL, NULL);
}
