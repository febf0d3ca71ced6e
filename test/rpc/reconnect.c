#include "rpc/peer.h"

#include "base/error.h"
#include "rpc/failure.h"
#include "support/link.h"

#include <stdio.h>

#define SEEDS 40
#define PAUSES 5

/* A stream that is there, and never opens. */
static void refuse(script_t *s) {
  assert_non_null(s->stream);
  script_hang_up(s, UV_ECONNREFUSED);
}

/* Milliseconds until the client tries again. */
static unsigned measure_pause(script_t *s) {
  unsigned ms = 0;
  script_turns(s);
  for (; !s->stream; ms++) {
    assert_true(ms < 1000);
    script_advance(s, 1);
  }
  return ms;
}

static void measure_pauses(uint64_t seed, unsigned pauses[PAUSES]) {
  script_t s;
  uvow_reconnect_options_t reconnect;
  script_init(&s);
  script_drive_clock(&s);
  test_connect_t options = link_options(&s, &reconnect);
  options.peer.on_state = NULL;
  reconnect.base_ms = 10;
  reconnect.max_ms = 40;
  s.loop->rt.rng = seed;
  assert_int_equal(script_client(&s, &options), 0);
  for (int i = 0; i < PAUSES; i++) {
    refuse(&s);
    pauses[i] = measure_pause(&s);
  }
  script_end(&s);
}

/* R7: each pause is between 0 and a bound that doubles up to max_ms. */
TEST_CASE(test_pauses_grow_with_full_jitter) {
  static const unsigned bounds[PAUSES] = {10, 20, 40, 40, 40};
  unsigned least[PAUSES] = {99, 99, 99, 99, 99};
  unsigned most[PAUSES] = {0};
  unsigned pauses[PAUSES];
  unsigned again[PAUSES];
  for (uint64_t seed = 0; seed < SEEDS; seed++) {
    measure_pauses(seed, pauses);
    for (int i = 0; i < PAUSES; i++) {
      assert_in_range(pauses[i], 0, bounds[i] + 1); /* the timer rounds up */
      least[i] = pauses[i] < least[i] ? pauses[i] : least[i];
      most[i] = pauses[i] > most[i] ? pauses[i] : most[i];
    }
  }
  for (int i = 0; i < PAUSES; i++) {
    assert_true(least[i] <= bounds[i] / 4);
    assert_true(most[i] >= bounds[i] * 3 / 4);
  }
  measure_pauses(7, pauses);
  measure_pauses(7, again);
  assert_memory_equal(pauses, again, sizeof(pauses));
}

/* A good connection: the next row of attempts begins with a short pause. */
TEST_CASE(test_an_open_connection_resets_the_pauses) {
  script_t s;
  uvow_reconnect_options_t reconnect;
  script_init(&s);
  script_drive_clock(&s);
  test_connect_t options = link_options(&s, &reconnect);
  options.peer.on_state = NULL;
  reconnect.base_ms = 2;
  reconnect.max_ms = 900;
  assert_int_equal(script_client(&s, &options), 0);
  for (int i = 0; i < 20; i++) {
    if (i % 10 == 9) {
      link_up(&s);
      link_prove(&s);
    }
    refuse(&s);
    unsigned ms = measure_pause(&s);
    if (i % 10 == 9)
      assert_in_range(ms, 0, 3);
  }
  script_end(&s);
}

TEST_CASE(test_attempts_are_bounded) {
  script_t s;
  uvow_reconnect_options_t reconnect;
  script_init(&s);
  script_drive_clock(&s);
  test_connect_t options = link_options(&s, &reconnect);
  reconnect.max_attempts = 3;
  assert_int_equal(script_client(&s, &options), 0);
  refuse(&s); /* the first one counts */
  link_wait(&s);
  refuse(&s);
  link_again(&s); /* the third succeeds: from here they're counted anew */
  link_prove(&s);
  s.log[0] = '\0';
  script_mark_t a = script_mark(&s, "a");
  refuse(&s);
  script_call(&s, "m", &a);
  for (int i = 0; i < 3; i++) {
    link_wait(&s);
    refuse(&s);
  }
  script_turns(&s);
  assert_int_equal(s.connects, 6);
  script_expect(&s,
                "state:WAITING!ELOST state:CONNECTING "
                "state:WAITING!ECONNREFUSED state:CONNECTING "
                "state:WAITING!ECONNREFUSED state:CONNECTING "
                "a!ECONNREFUSED:NOT state:CLOSED!ECONNREFUSED");
  assert_int_equal(uvow_peer_state(s.client), UVOW_PEER_CLOSED);
  script_advance(&s, 100000);
  assert_int_equal(s.connects, 6);
  assert_int_equal(script_stats(&s).connected, 1);
  assert_int_equal(script_stats(&s).lost, 1);
  script_end(&s);
}

/* No attempt begins later than total_ms after the connection was lost, however
 * long a pause is drawn; and one begins then at the latest. */
TEST_CASE(test_total_time_is_bounded) {
  for (uint64_t seed = 0; seed < 20; seed++) {
    script_t s;
    uvow_reconnect_options_t reconnect;
    script_init(&s);
    script_drive_clock(&s);
    test_connect_t options = link_options(&s, &reconnect);
    options.peer.on_state = NULL;
    reconnect.base_ms = 80;
    reconnect.max_ms = 10000;
    reconnect.total_ms = 200;
    link_open(&s, &options);
    s.loop->rt.rng = seed;
    script_advance(&s, 6000); /* while it's open no time is counted */
    script_mark_t a = script_mark(&s, "a");
    script_hang_up(&s, UV_ECONNRESET);
    script_call(&s, "m", &a);
    unsigned last = 0;
    for (unsigned ms = 0; ms < 400; ms++) {
      script_advance(&s, 1);
      if (s.stream) {
        last = ms;
        refuse(&s);
      }
    }
    assert_in_range(last, 100, 202);
    script_expect(&s, "a!ECONNREFUSED:NOT");
    assert_int_equal(uvow_peer_state(s.client), UVOW_PEER_CLOSED);
    script_end(&s);
  }
}

TEST_CASE(test_the_first_connection_may_fail) {
  script_t s;
  uvow_reconnect_options_t reconnect;
  script_init(&s);
  script_drive_clock(&s);
  test_connect_t options = link_options(&s, &reconnect);
  script_mark_t a = script_mark(&s, "a");
  script_mark_t ready = script_mark(&s, "ready");
  assert_int_equal(script_client(&s, &options), 0);
  script_watch(uvow_peer_ready(s.client), &ready);
  script_call(&s, "m", &a);
  refuse(&s);
  script_turns(&s);
  script_expect(&s, "state:CONNECTING state:WAITING!ECONNREFUSED");
  link_again(&s);
  script_expect(&s, "state:CONNECTING state:OPEN ready=");
  script_expect_sent(&s, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\"}");
  link_answer(&s, 1);
  script_expect(&s, "a=1");
  assert_int_equal(script_stats(&s).connected, 1);
  assert_int_equal(script_stats(&s).lost, 0);
  script_end(&s);
}

/* What fails at once is an attempt that failed, as any other. */
TEST_CASE(test_a_transport_may_fail_at_once) {
  script_t s;
  uvow_reconnect_options_t reconnect;
  script_init(&s);
  script_drive_clock(&s);
  test_connect_t options = link_options(&s, &reconnect);
  s.connect_error = UV_EMFILE;
  assert_int_equal(script_client(&s, &options), 0);
  script_turns(&s);
  script_expect(&s, "state:CONNECTING state:WAITING!EMFILE");
  script_advance(&s, 101);
  script_expect(&s, "state:CONNECTING state:WAITING!EMFILE");
  s.connect_error = 0;
  link_again(&s);
  script_expect(&s, "state:CONNECTING state:OPEN");
  script_end(&s);
}

/* Only an attempt to reconnect can be renewed: a bad URL stays one. */
TEST_CASE(test_a_bad_url_ends_it) {
  script_t s;
  uvow_reconnect_options_t reconnect;
  script_init(&s);
  script_drive_clock(&s);
  test_connect_t options = link_options(&s, &reconnect);
  options.url = "http://x";
  script_mark_t a = script_mark(&s, "a");
  assert_int_equal(script_client(&s, &options), 0);
  script_call(&s, "m", &a);
  script_turns(&s);
  script_expect(&s, "state:CONNECTING state:CLOSED!ESCHEME a!ESCHEME:NOT");
  script_end(&s);
}

/* A malformed handshake, an HTTP error: attempts that failed, with the cause.
 */
TEST_CASE(test_a_refused_handshake_is_tried_again) {
  static const char busy[] = "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n";
  script_t s;
  uvow_reconnect_options_t reconnect;
  script_init(&s);
  script_drive_clock(&s);
  test_connect_t options = link_options(&s, &reconnect);
  assert_int_equal(script_client(&s, &options), 0);
  script_connected(&s);
  script_feed(&s, busy, sizeof(busy) - 1);
  script_turns(&s);
  script_expect(&s, "state:CONNECTING state:WAITING!EHANDSHAKE");
  link_wait(&s);
  script_connected(&s);
  script_advance(&s, 10001); /* nobody answers */
  script_expect(&s, "state:CONNECTING state:WAITING!ETIMEDOUT");
  link_again(&s);
  script_expect(&s, "state:CONNECTING state:OPEN");
  script_end(&s);
}

TEST_CASE(test_states_are_told_with_causes) {
  script_t s;
  uvow_reconnect_options_t reconnect;
  script_init(&s);
  script_drive_clock(&s);
  test_connect_t options = link_options(&s, &reconnect);
  script_mark_t closed = script_mark(&s, "closed");
  assert_int_equal(script_client(&s, &options), 0);
  assert_int_equal(uvow_peer_state(s.client), UVOW_PEER_CONNECTING);
  script_turns(&s);
  script_expect(&s, "state:CONNECTING");
  link_up(&s);
  assert_int_equal(uvow_peer_state(s.client), UVOW_PEER_OPEN);
  script_expect(&s, "state:OPEN");
  script_hang_up(&s, UV_ECONNRESET);
  assert_int_equal(uvow_peer_state(s.client), UVOW_PEER_WAITING);
  script_expect(&s, "state:WAITING!ELOST");
  link_again(&s);
  script_expect(&s, "state:CONNECTING state:OPEN");
  script_watch(uvow_peer_close(s.client), &closed);
  script_turns(&s);
  script_expect(&s, "state:CLOSING");
  script_close_frame(&s, 1000);
  script_hang_up(&s, 0);
  script_expect(&s, "state:CLOSED closed=");
  assert_int_equal(script_stats(&s).connected, 2);
  assert_int_equal(script_stats(&s).lost, 1);
  script_end(&s);
}

/* Whoever asks while there's no connection gets a future of the next one. */
TEST_CASE(test_ready_is_of_the_next_connection) {
  script_t s;
  uvow_reconnect_options_t reconnect;
  script_init(&s);
  script_drive_clock(&s);
  test_connect_t options = link_options(&s, &reconnect);
  options.peer.on_state = NULL;
  script_mark_t a = script_mark(&s, "a");
  script_mark_t b = script_mark(&s, "b");
  script_mark_t c = script_mark(&s, "c");
  link_open(&s, &options);
  script_watch(uvow_peer_ready(s.client), &a);
  script_turns(&s);
  script_expect(&s, "a=");
  script_hang_up(&s, 0);
  script_watch(uvow_peer_ready(s.client), &b);
  link_wait(&s);
  refuse(&s);
  script_turns(&s);
  script_expect(&s, "");
  link_again(&s);
  script_expect(&s, "b=");
  script_hang_up(&s, 0);
  script_watch(uvow_peer_ready(s.client), &c);
  uvow_future_detach(uvow_peer_close(s.client));
  script_turns(&s);
  script_expect(&s, "c!ECLOSED");
  script_end(&s);
}

/* 1001 going away, 1012 restart: in order for the connection, but what was in
 * flight gets no answer; it settles when the close frame comes. */
TEST_CASE(test_the_server_goes_away) {
  static const int codes[] = {1001, 1012, 0};
  for (size_t i = 0; i < 3; i++) {
    script_t s;
    uvow_reconnect_options_t reconnect;
    script_init(&s);
    script_drive_clock(&s);
    test_connect_t options = link_options(&s, &reconnect);
    script_mark_t a = script_mark(&s, "a");
    script_mark_t b = script_mark(&s, "b");
    script_mark_t c = script_mark(&s, "c");
    link_open(&s, &options);
    script_call(&s, "a", &a);
    link_call_idempotent(&s, "b", &b);
    script_turns(&s);
    script_close_frame(&s, codes[i]);
    script_expect(&s, "a!ELOST:MAYBE state:WAITING!ECLOSED");
    script_call(&s, "c", &c); /* between its close frame and its end */
    script_turns(&s);
    assert_non_null(s.stream);
    script_hang_up(&s, 0);
    link_again(&s);
    script_expect(&s, "state:CONNECTING state:OPEN");
    script_expect_sent(&s, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"b\"}");
    script_expect_sent(&s, "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"c\"}");
    /* The old connection's time to close passes: nothing happens. */
    script_advance(&s, 6000);
    link_answer(&s, 2);
    link_answer(&s, 3);
    script_expect(&s, "b=2 c=3");
    assert_int_equal(script_stats(&s).lost, 1);
    assert_int_equal(script_stats(&s).resent, 1);
    link_check_stats(&s);
    script_end(&s);
  }
}

/* RFC 8446 6.2: alerts that say that our certificate isn't accepted. */
TEST_CASE(test_alerts_that_are_fatal) {
  static const int fatal[] = {42, 43, 44, 45, 46, 48, 116};
  for (int alert = 0; alert < 256; alert++) {
    uvow__error_spec_t spec = {.code = UVOW_ETLS, .status = alert};
    uvow_error_t *error = uvow__error_make(&uvow__mem_default, &spec);
    int is_fatal = 0;
    for (size_t i = 0; i < UVOW__COUNT(fatal); i++)
      is_fatal |= alert == fatal[i];
    assert_int_equal(uvow__failure_is_fatal(error, 0), is_fatal);
    uvow_error_unref(error);
  }
}

TEST_MODULE(reconnect) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_alerts_that_are_fatal),
      cmocka_unit_test(test_pauses_grow_with_full_jitter),
      cmocka_unit_test(test_an_open_connection_resets_the_pauses),
      cmocka_unit_test(test_attempts_are_bounded),
      cmocka_unit_test(test_total_time_is_bounded),
      cmocka_unit_test(test_the_first_connection_may_fail),
      cmocka_unit_test(test_a_transport_may_fail_at_once),
      cmocka_unit_test(test_a_bad_url_ends_it),
      cmocka_unit_test(test_a_refused_handshake_is_tried_again),
      cmocka_unit_test(test_states_are_told_with_causes),
      cmocka_unit_test(test_ready_is_of_the_next_connection),
      cmocka_unit_test(test_the_server_goes_away),
  };
  return cmocka_run_group_tests_name("rpc/reconnect", tests, NULL, NULL);
}
