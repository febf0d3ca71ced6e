#include "websocket/silence.h"

#include "support/link.h"

#include <stdio.h>

static void open_client(script_t *s, uint32_t ping_ms, uint32_t dead_ms) {
  script_init(s);
  script_drive_clock(s);
  test_connect_t options = script_options(s);
  options.websocket.ping_ms = ping_ms ? ping_ms : UVOW_NO_TIMEOUT;
  options.websocket.dead_ms = dead_ms ? dead_ms : UVOW_NO_TIMEOUT;
  script_open_client(s, &options);
}

/* R9: a ping for each ping_ms of silence, and none while something comes. */
TEST_CASE(test_silence_is_pinged) {
  script_t s;
  open_client(&s, 1000, 0);
  for (int i = 0; i < 2; i++) { /* the clock is rounded up */
    script_advance(&s, 995);
    script_expect_sent(&s, "");
    script_advance(&s, 7);
    script_expect_sent(&s, "ping:");
  }
  for (int i = 0; i < 50; i++) { /* 5 s in which something comes */
    script_advance(&s, 100);
    script_text(&s, "{\"jsonrpc\":\"2.0\",\"method\":\"e\"}");
  }
  script_expect_sent(&s, "");
  script_advance(&s, 995); /* exactly so long after the last of it */
  script_expect_sent(&s, "");
  script_advance(&s, 10);
  script_expect_sent(&s, "ping:");
  s.log[0] = '\0';
  script_end(&s);
}

/* A peer of which nothing came is lost, on time, with all that waits for it. */
TEST_CASE(test_a_silent_peer_is_lost) {
  script_t s;
  open_client(&s, 0, 3000);
  script_mark_t a = script_mark(&s, "a");
  script_call(&s, "m", &a);
  script_advance(&s, 2997);
  script_expect(&s, "");
  script_advance(&s, 4);
  script_advance(&s, 2); /* it looks twice */
  script_expect(&s, "a!ELOST:MAYBE");
  assert_true(script_gone(&s));
  script_end(&s);
}

/* Any byte counts: a pong, an event, half a frame, a ping of the peer's own. */
TEST_CASE(test_any_byte_is_a_sign_of_life) {
  static const uint8_t part[] = {0x81, 100, '{'};
  script_t s;
  open_client(&s, 1000, 3000);
  for (int i = 0; i < 4; i++) {
    for (int second = 0; second < 2; second++) {
      script_advance(&s, 1004);
      script_expect_sent(&s, "ping:");
    }
    script_advance(&s, 900); /* 92 ms before it'd be lost */
    assert_false(script_gone(&s));
    if (i == 0)
      script_frame(&s, 0x8A, "", 0);
    else if (i == 1)
      script_frame(&s, 0x89, "p", 1);
    else if (i == 2)
      script_frame(&s, 0x8A, "unasked", 7);
    else
      script_feed(&s, part, sizeof(part));
    if (i == 1)
      script_expect_sent(&s, "pong:p");
  }
  script_advance(&s, 2990);
  assert_false(script_gone(&s));
  script_advance(&s, 15);
  script_advance(&s, 2);
  assert_true(script_gone(&s));
  script_end(&s);
}

/* What we send is no sign of life, however much it is. */
TEST_CASE(test_a_dead_peer_is_noticed_while_we_send) {
  script_t s;
  open_client(&s, 0, 1000);
  script_mark_t quiet = script_mark(&s, NULL);
  for (int ms = 0; ms < 1020; ms += 10) {
    assert_false(script_gone(&s));
    script_call(&s, "m", &quiet);
    script_advance(&s, 10);
  }
  assert_true(script_gone(&s));
  assert_int_equal(quiet.calls, 102);
  script_end(&s);
}

/* The same where nothing leaves any more: pings wait with all else. */
TEST_CASE(test_a_peer_that_reads_nothing_is_noticed) {
  script_t s;
  open_client(&s, 300, 1000);
  s.block = 1;
  script_mark_t a = script_mark(&s, "a");
  script_call(&s, "m", &a);
  script_turns(&s);
  for (int ms = 0; ms < 1100; ms += 10)
    script_advance(&s, 10);
  script_expect(&s, "a!ELOST:MAYBE");
  script_end(&s);
}

/* Bytes that come move no timer: they only leave a note. */
TEST_CASE(test_bytes_move_no_timer) {
  script_t s;
  open_client(&s, 1000, 3000);
  script_turns(&s);
  for (int i = 0; i < 100; i++) {
    s.now_ns += 1000000;
    script_frame(&s, 0x8A, "", 0);
    /* Whatever is armed goes through the intake, until the turn's end. */
    assert_true(uvow__list_empty(&s.loop->rt.wheel.intake));
  }
  script_end(&s);
}

typedef struct peer {
  uvow__runtime_t *rt;
  uvow__silence_t silence;
  int pings;
  int deaths;
} peer_t;

static void on_silence(uvow__silence_t *silence, int dead) {
  peer_t *peer = UVOW__CONTAINER(silence, peer_t, silence);
  peer->pings += !dead;
  peer->deaths += dead;
}

/* A loop that was blocked sees its timers first, and what came only then: it
 * must look again before it calls the peer dead. */
TEST_CASE(test_a_blocked_loop_looks_twice) {
  script_t s;
  peer_t peer;
  memset(&peer, 0, sizeof(peer));
  script_init(&s);
  script_drive_clock(&s);
  uvow__silence_init(&peer.silence, &s.loop->rt, 0, 1000, on_silence);
  uvow__silence_start(&peer.silence);
  script_turns(&s);
  script_advance(&s, 60000); /* a minute in a debugger */
  assert_int_equal(peer.deaths, 0);
  uvow__silence_heard(&peer.silence); /* now it's read */
  script_advance(&s, 2);
  script_advance(&s, 990);
  assert_int_equal(peer.deaths, 0);
  script_advance(&s, 12);
  script_advance(&s, 2);
  assert_int_equal(peer.deaths, 1);
  script_advance(&s, 10000);
  assert_int_equal(peer.deaths, 1);
  assert_int_equal(peer.pings, 0);
  script_end(&s);
}

/* A limit is kept to, whenever in a period the last byte came. */
TEST_CASE(test_limits_count_from_the_last_byte) {
  script_t s;
  script_init(&s);
  script_drive_clock(&s);
  for (uint64_t last = 100; last < 2000; last += 300) {
    peer_t peer;
    uint64_t ms = 0;
    memset(&peer, 0, sizeof(peer));
    uvow__silence_init(&peer.silence, &s.loop->rt, 400, 1000, on_silence);
    uvow__silence_start(&peer.silence);
    script_turns(&s);
    for (; ms < last; ms += 50) {
      script_advance(&s, 50);
      uvow__silence_heard(&peer.silence);
    }
    assert_int_equal(peer.pings, 0);
    for (ms = 0; !peer.deaths; ms++) {
      assert_true(ms < 1100);
      script_advance(&s, 1);
    }
    assert_in_range(ms, 1000, 1006);
    assert_int_equal(peer.pings, 2);
  }
  script_end(&s);
}

/* Without an option there's neither ping nor end. */
TEST_CASE(test_nothing_happens_unasked) {
  script_t s;
  open_client(&s, 0, 0);
  script_advance(&s, 1000000);
  script_expect_sent(&s, "");
  assert_false(script_gone(&s));
  assert_int_equal(s.writes, 1);
  script_end(&s);
}

/* Nothing is sent before the handshake, nor after the close frame. */
TEST_CASE(test_nothing_before_open_or_after_close) {
  script_t s;
  script_init(&s);
  script_drive_clock(&s);
  test_connect_t options = script_options(&s);
  options.websocket.ping_ms = 100;
  options.websocket.dead_ms = 100000;
  options.peer.close_timeout_ms = 2000;
  assert_int_equal(script_client(&s, &options), 0);
  script_mark_t closed = script_mark(&s, "closed");
  script_advance(&s, 1000);
  script_connected(&s);
  script_advance(&s, 1000);
  script_accept(&s);
  script_expect_sent(&s, "");
  script_advance(&s, 101);
  script_expect_sent(&s, "ping:");
  script_watch(uvow_peer_close(s.client), &closed);
  script_turns(&s);
  script_expect_sent(&s, "close:1000");
  script_advance(&s, 1000);
  script_expect_sent(&s, "");
  script_close_frame(&s, 1000);
  script_hang_up(&s, 0);
  script_advance(&s, 100000);
  script_expect_sent(&s, "");
  script_expect(&s, "closed=");
  script_end(&s);
}

/* No room for a ping: none is sent, and the peer is lost in time all the same. */
TEST_CASE(test_no_room_for_a_ping) {
  script_t s;
  script_init(&s);
  script_drive_clock(&s);
  test_connect_t options = script_options(&s);
  options.websocket.ping_ms = 1000;
  options.websocket.dead_ms = 3000;
  options.websocket.max_unsent_bytes = 400;
  script_open_client(&s, &options);
  s.block = 1;
  while (uvow_peer_notify(s.client, "n", uvow_value_none()) == 0)
    ;
  script_turns(&s);
  while (uvow_peer_notify(s.client, "n", uvow_value_none()) == 0)
    ;
  size_t sent = s.sent_len;
  script_advance(&s, 1010);
  script_advance(&s, 1010);
  assert_int_equal(s.sent_len, sent);
  assert_false(script_gone(&s));
  script_advance(&s, 1010);
  script_advance(&s, 2);
  assert_true(script_gone(&s));
  script_end(&s);
}

TEST_MODULE(keepalive) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_silence_is_pinged),
      cmocka_unit_test(test_a_silent_peer_is_lost),
      cmocka_unit_test(test_any_byte_is_a_sign_of_life),
      cmocka_unit_test(test_a_dead_peer_is_noticed_while_we_send),
      cmocka_unit_test(test_a_peer_that_reads_nothing_is_noticed),
      cmocka_unit_test(test_bytes_move_no_timer),
      cmocka_unit_test(test_a_blocked_loop_looks_twice),
      cmocka_unit_test(test_limits_count_from_the_last_byte),
      cmocka_unit_test(test_nothing_happens_unasked),
      cmocka_unit_test(test_nothing_before_open_or_after_close),
      cmocka_unit_test(test_no_room_for_a_ping),
  };
  return cmocka_run_group_tests_name("websocket/keepalive", tests, NULL, NULL);
}
