/* What is sent, in whole and in parts, and when it has left. */
#include "support/ws_end.h"

#include <stdio.h>
#include <stdlib.h>

TEST_CASE(test_text_and_binary) {
  script_t s;
  script_init(&s);
  uvow_websocket_t *ws = ws_open(&s, NULL);
  assert_int_equal(uvow_websocket_send(ws, uvow_value_text("\xC3\xA9")), 0);
  assert_int_equal(uvow_websocket_send(ws, ws_binary(&s, "\xFF")), 0);
  assert_int_equal(uvow_websocket_send(ws, uvow_value_bytes(s.loop, "text", 4)),
                   0);
  assert_int_equal(uvow_websocket_send(ws, uvow_value_raw("[1]")), 0);
  assert_int_equal(uvow_websocket_send(ws, uvow_value_text("")), 0);
  int writes = s.writes;
  script_turns(&s);
  assert_int_equal(s.writes, writes + 1); /* P1 */
  script_expect_sent(&s, "\xC3\xA9");
  script_expect_sent(&s, "binary:\xFF");
  script_expect_sent(&s, "text");
  script_expect_sent(&s, "[1]");
  script_expect_sent(&s, "");
  uvow_websocket_unref(ws);
  script_end(&s);
}

/* What can't be sent is refused, and released. */
TEST_CASE(test_what_is_wrong) {
  script_t s;
  script_init(&s);
  uvow_websocket_t *ws = ws_open(&s, NULL);
  assert_int_equal(uvow_websocket_send(ws, uvow_value_text("\xC3")),
                   UVOW_EUTF8);
  assert_int_equal(uvow_websocket_send(ws, uvow_value_bytes(s.loop, "\xFF", 1)),
                   UVOW_EUTF8);
  assert_int_equal(uvow_websocket_send(ws, uvow_value_int64(1)), UVOW_ETYPE);
  assert_int_equal(uvow_websocket_send(ws, uvow_value_none()), UVOW_ETYPE);
  uvow_websocket_unref(ws);
  script_end(&s);
}

/* Before it is open: in order, once it is. */
TEST_CASE(test_before_it_is_open) {
  script_t s;
  script_init(&s);
  uvow_websocket_t *ws = ws_connect(&s, NULL);
  assert_int_equal(uvow_websocket_send(ws, uvow_value_text("a")), 0);
  assert_int_equal(uvow_websocket_send_part(ws, uvow_value_text("b1"), 0), 0);
  assert_int_equal(uvow_websocket_send(ws, ws_binary(&s, "c")), 0);
  assert_int_equal(uvow_websocket_send_part(ws, uvow_value_text("b2"), 1), 0);
  assert_int_equal(uvow_websocket_send(ws, uvow_value_text("d")), 0);
  WS_WATCH(&s, flushed, uvow_websocket_flushed(ws));
  WS_WATCH(&s, pong, uvow_websocket_ping(ws));
  script_connected(&s);
  script_turns(&s);
  script_expect(&s, "");
  script_accept(&s);
  script_turns(&s);
  script_expect(&s, "flushed=");
  script_expect_sent(&s, "a");
  script_expect_sent(&s, "b1");
  script_expect_sent(&s, "more:b2");
  script_expect_sent(&s, "binary:c");
  script_expect_sent(&s, "d");
  assert_memory_equal(script_next(&s), "ping:", 5);
  uvow_websocket_unref(ws);
  script_turns(&s);
  script_expect(&s, "pong!ECLOSED");
  script_end(&s);
}

/* The first byte of each frame that was sent, from now on. */
static void expect_heads(script_t *s, const char *hex) {
  char text[64] = "";
  size_t at = s->sent_at;
  while (at + 6 <= s->sent_len) { /* masked, short */
    size_t len = strlen(text);
    snprintf(text + len, sizeof(text) - len, "%s%02x", len ? " " : "",
             s->sent[at]);
    at += 6 + (s->sent[at + 1] & 0x7f);
  }
  s->sent_at = s->sent_len;
  assert_string_equal(text, hex);
}

TEST_CASE(test_parts) {
  script_t s;
  script_init(&s);
  uvow_websocket_t *ws = ws_open(&s, NULL);
  assert_int_equal(uvow_websocket_send_part(ws, ws_binary(&s, "1"), 0), 0);
  assert_int_equal(uvow_websocket_send_part(ws, uvow_value_text("2"), 0), 0);
  assert_int_equal(uvow_websocket_send(ws, uvow_value_text("whole")), 0);
  WS_WATCH(&s, flushed, uvow_websocket_flushed(ws));
  script_turns(&s);
  script_expect(&s, "");          /* the whole one waits */
  script_frame(&s, 0x89, "x", 1); /* but no pong does */
  script_turns(&s);
  expect_heads(&s, "02 00 8a");
  assert_int_equal(uvow_websocket_send_part(ws, uvow_value_text("3"), 1), 0);
  script_turns(&s);
  script_expect(&s, "flushed=");
  expect_heads(&s, "80 81");
  /* One that is the first and the last part is a message. */
  assert_int_equal(uvow_websocket_send_part(ws, uvow_value_text("4"), 1), 0);
  assert_int_equal(uvow_websocket_send_part(ws, uvow_value_text("\xC3"), 0), 0);
  assert_int_equal(uvow_websocket_send_part(ws, uvow_value_text("\xA9"), 1), 0);
  script_turns(&s);
  expect_heads(&s, "81 01 80");
  uvow_websocket_unref(ws);
  script_end(&s);
}

/* Above the mark it says 1; above max_unsent_bytes it refuses; room comes when
 * the peer has read. */
TEST_CASE(test_room) {
  char text[601];
  uvow_websocket_options_t options = {.size = sizeof(options),
                                      .max_unsent_bytes = 2000};
  script_t s;
  script_init(&s);
  uvow_websocket_t *ws = ws_open(&s, &options);
  memset(text, 'x', sizeof(text) - 1);
  text[600] = '\0';
  s.block = 1;
  assert_int_equal(uvow_websocket_send(ws, uvow_value_text(text)), 0);
  WS_WATCH(&s, now, uvow_websocket_room(ws));
  assert_int_equal(uvow_websocket_send(ws, uvow_value_text(text)), 1);
  WS_WATCH(&s, room, uvow_websocket_room(ws));
  WS_WATCH(&s, flushed, uvow_websocket_flushed(ws));
  script_turns(&s);
  script_expect(&s, "now=");
  assert_int_equal(uvow_websocket_send(ws, uvow_value_text(text)), 1);
  assert_int_equal(uvow_websocket_send(ws, uvow_value_text(text)),
                   UVOW_EOVERLOAD);
  script_turns(&s);
  script_expect(&s, "");
  script_unblock(&s);
  script_turns(&s);
  script_expect(&s, "flushed= room=");
  s.block = 0;
  script_unblock(&s);
  WS_WATCH(&s, done, uvow_websocket_flushed(ws));
  script_turns(&s);
  script_expect(&s, "done=");
  uvow_websocket_unref(ws);
  script_end(&s);
}

/* ---- a close frame always has room ---- */

static void close_it(script_t *s, uvow_websocket_t *ws) {
  (void)s;
  uvow_future_detach(uvow_websocket_close(ws, 1000, ""));
}

static void peer_closes(script_t *s, uvow_websocket_t *ws) {
  (void)ws;
  script_close_frame(s, 1001);
}

static void peer_breaks_a_rule(script_t *s, uvow_websocket_t *ws) {
  (void)ws;
  script_frame(s, 0x81, "\xFF", 1);
}

static void ends(script_t *s, uvow_websocket_t *ws) {
  (void)s;
  uvow__websocket_end(ws, UVOW_EOVERLOAD, 1013, "too much");
}

/* Not a byte more may be sent; then it closes: what was sent leaves, and the
 * close frame behind it. */
static void close_when_full(void (*close)(script_t *s, uvow_websocket_t *ws),
                            const char *frame) {
  uvow_websocket_options_t options = {.size = sizeof(options),
                                      .max_unsent_bytes = 400};
  script_t s;
  int sent = 0;
  script_init(&s);
  uvow_websocket_t *ws = ws_open(&s, &options);
  s.block = 1;
  while (uvow_websocket_send(ws, uvow_value_text("x")) >= 0)
    sent += 1;
  script_turns(&s);
  assert_int_equal(uvow_websocket_send(ws, uvow_value_text("x")),
                   UVOW_EOVERLOAD);
  WS_WATCH(&s, pong, uvow_websocket_ping(ws));
  script_turns(&s);
  script_expect(&s, "pong!EOVERLOAD");
  close(&s, ws);
  script_turns(&s);
  s.block = 0;
  script_unblock(&s);
  for (int i = 0; i < sent; i++)
    script_expect_sent(&s, "x");
  script_expect_sent(&s, frame);
  script_expect_sent(&s, "");
  uvow_websocket_unref(ws);
  script_end(&s);
}

TEST_CASE(test_close_when_full) {
  close_when_full(close_it, "close:1000");
  close_when_full(peer_closes, "close:1001");
  close_when_full(peer_breaks_a_rule, "close:1007");
  close_when_full(ends, "close:1013");
}

/* The same before it is open. */
TEST_CASE(test_room_before_it_is_open) {
  char text[601];
  uvow_websocket_options_t options = {.size = sizeof(options),
                                      .max_unsent_bytes = 2000};
  script_t s;
  script_init(&s);
  memset(text, 'x', sizeof(text) - 1);
  text[600] = '\0';
  uvow_websocket_t *ws = ws_connect(&s, &options);
  assert_int_equal(uvow_websocket_send(ws, uvow_value_text(text)), 0);
  assert_int_equal(uvow_websocket_send(ws, uvow_value_text(text)), 1);
  assert_int_equal(uvow_websocket_send(ws, uvow_value_text(text)), 1);
  assert_int_equal(uvow_websocket_send(ws, uvow_value_text(text)),
                   UVOW_EOVERLOAD);
  WS_WATCH(&s, room, uvow_websocket_room(ws));
  script_turns(&s);
  script_expect(&s, "");
  script_connected(&s);
  script_accept(&s);
  script_turns(&s);
  script_expect(&s, "room=");
  uvow_websocket_unref(ws);
  script_end(&s);
}

/* A pong stands for its ping and all before; one that nobody asked for, or that
 * no ping of ours had, for none. */
TEST_CASE(test_pings) {
  static const uint8_t second[8] = {0, 0, 0, 0, 0, 0, 0, 2};
  static const uint8_t ninth[8] = {0, 0, 0, 0, 0, 0, 0, 9};
  script_t s;
  script_init(&s);
  uvow_websocket_t *ws = ws_open(&s, NULL);
  WS_WATCH(&s, a, uvow_websocket_ping(ws));
  WS_WATCH(&s, b, uvow_websocket_ping(ws));
  WS_WATCH(&s, c, uvow_websocket_ping(ws));
  uvow_future_drop(uvow_websocket_ping(ws));
  script_turns(&s);
  script_frame(&s, 0x8A, NULL, 0);
  script_frame(&s, 0x8A, ninth, sizeof(ninth));
  script_frame(&s, 0x8A, "2", 1);
  script_expect(&s, "");
  script_frame(&s, 0x8A, second, sizeof(second));
  script_expect(&s, "a= b=");
  script_hang_up(&s, UV_ECONNRESET);
  script_expect(&s, "c!ELOST");
  WS_WATCH(&s, d, uvow_websocket_ping(ws));
  WS_WATCH(&s, e, uvow_websocket_room(ws));
  WS_WATCH(&s, f, uvow_websocket_flushed(ws));
  script_turns(&s);
  script_expect(&s, "d!ECLOSED e!ECLOSED f!ELOST");
  uvow_websocket_unref(ws);
  script_end(&s);
}

/* A pong that nobody waits for, however much it looks like ours. */
TEST_CASE(test_a_stray_pong) {
  static const uint8_t first[8] = {0, 0, 0, 0, 0, 0, 0, 1};
  script_t s;
  script_init(&s);
  uvow_websocket_t *ws = ws_open(&s, NULL);
  script_frame(&s, 0x8A, first, sizeof(first));
  WS_WATCH(&s, a, uvow_websocket_ping(ws));
  script_turns(&s);
  script_expect(&s, "");
  script_frame(&s, 0x8A, first, sizeof(first));
  script_expect(&s, "a=");
  uvow_websocket_unref(ws);
  script_end(&s);
}

/* More than may ever wait is refused at once, open or not. */
TEST_CASE(test_more_than_may_wait) {
  char text[501];
  uvow_websocket_options_t options = {.size = sizeof(options),
                                      .max_unsent_bytes = 400};
  script_t s;
  script_init(&s);
  memset(text, 'x', sizeof(text) - 1);
  text[500] = '\0';
  uvow_websocket_t *ws = ws_connect(&s, &options);
  assert_int_equal(uvow_websocket_send(ws, uvow_value_text(text)),
                   UVOW_EOVERLOAD);
  script_connected(&s);
  script_accept(&s);
  s.sent_at = s.sent_len;
  assert_int_equal(uvow_websocket_send(ws, uvow_value_text(text)),
                   UVOW_EOVERLOAD);
  assert_int_equal(uvow_websocket_send(ws, uvow_value_text("fits")), 0);
  script_turns(&s);
  script_expect_sent(&s, "fits");
  uvow_websocket_unref(ws);
  script_end(&s);
}

/* What waited for the last part was taken: without memory for it, it ends. */
static int end_without_memory(int open, size_t fails, char *text) {
  script_t s;
  script_init(&s);
  uvow_websocket_t *ws = open ? ws_open(&s, NULL) : ws_connect(&s, NULL);
  assert_int_equal(uvow_websocket_send_part(ws, uvow_value_text("1"), 0), 0);
  script_turns(&s);
  assert_int_equal(uvow_websocket_send(ws, uvow_value_text(text)), 0);
  script_turns(&s);
  s.alloc->fail_at = s.alloc->calls + fails;
  s.alloc->fail_all_after = 1;
  int rc = uvow_websocket_send_part(ws, uvow_value_text("2"), 1);
  s.alloc->fail_at = 0;
  s.alloc->fail_all_after = 0;
  script_turns(&s);
  int ended = ws->state == UVOW__WS_CLOSED;
  if (rc == UVOW_ENOMEM) /* it may be sent again */
    assert_int_equal(uvow_websocket_send_part(ws, uvow_value_text("2"), 1), 0);
  uvow_websocket_unref(ws);
  script_end(&s);
  return ended;
}

TEST_CASE(test_no_memory_for_what_waits) {
  enum { SIZE = 200000 };
  char *text = (char *)malloc(SIZE + 1);
  assert_non_null(text);
  memset(text, 'x', SIZE);
  text[SIZE] = '\0';
  for (int open = 0; open < 2; open++) {
    int ended = 0;
    for (size_t fails = 1; fails < 6; fails++)
      ended += end_without_memory(open, fails, text);
    assert_true(ended > 0 && ended < 5);
  }
  free(text);
}

/* The sink of a channel: paced by what has left, and closes at its end. */
TEST_CASE(test_sink) {
  char text[601];
  uvow_websocket_options_t options = {.size = sizeof(options),
                                      .max_unsent_bytes = 2000};
  script_t s;
  script_init(&s);
  uvow_websocket_t *ws = ws_open(&s, &options);
  uvow_channel_t channel = uvow_websocket_channel(ws);
  memset(text, 'x', sizeof(text) - 1);
  text[600] = '\0';
  s.block = 1;
  int pushed = 0;
  for (int rc = 0; rc == 0; pushed++) {
    rc = uvow_sink_push(channel.out, uvow_value_text(text));
    script_turns(&s);
    assert_true(rc >= 0 && pushed < 200);
  }
  /* 64 wait in the sink, and what the mark lets through. */
  assert_true(pushed >= 64 && pushed <= 68);
  assert_true(uvow__out_unsent(ws) <= 2000);
  WS_WATCH(&s, room, uvow_sink_room(channel.out));
  WS_WATCH(&s, flushed, uvow_sink_flushed(channel.out));
  script_turns(&s);
  script_expect(&s, "");
  s.block = 0;
  script_unblock(&s);
  script_turns(&s);
  script_expect(&s, "room= flushed=");
  for (int i = 0; i < pushed; i++)
    script_expect_sent(&s, text);
  uvow_sink_end(channel.out);
  script_turns(&s);
  script_expect_sent(&s, "close:1000");
  uvow_stream_unref(channel.in);
  uvow_websocket_unref(ws);
  script_end(&s);
}

TEST_CASE(test_sink_dropped) {
  script_t s;
  script_init(&s);
  uvow_websocket_t *ws = ws_open(&s, NULL);
  uvow_channel_t channel = uvow_websocket_channel(ws);
  ws_log_all(&s, channel.in);
  uvow_sink_drop(channel.out);
  script_turns(&s);
  script_expect_sent(&s, "close:1001");
  script_expect(&s, "end");
  uvow_websocket_unref(ws);
  script_end(&s);
}

/* Whoever pushed what can't be sent was told that it was taken: so it ends. */
TEST_CASE(test_sink_of_no_message) {
  script_t s;
  script_init(&s);
  uvow_websocket_t *ws = ws_open(&s, NULL);
  uvow_channel_t channel = uvow_websocket_channel(ws);
  ws_log_all(&s, channel.in);
  assert_int_equal(uvow_sink_push(channel.out, uvow_value_int64(1)), 0);
  script_turns(&s);
  script_expect_sent(&s, "close:1011");
  script_expect(&s, "end!ETYPE");
  assert_int_equal(uvow_sink_push(channel.out, uvow_value_text("x")),
                   UVOW_ECANCELED);
  uvow_sink_drop(channel.out);
  uvow_websocket_unref(ws);
  script_end(&s);
}

/* The other end goes: who pushes learns of it. */
TEST_CASE(test_sink_of_one_that_has_gone) {
  script_t s;
  script_init(&s);
  uvow_websocket_t *ws = ws_open(&s, NULL);
  uvow_channel_t channel = uvow_websocket_channel(ws);
  script_hang_up(&s, UV_ECONNRESET);
  script_turns(&s);
  assert_int_equal(uvow_sink_push(channel.out, uvow_value_text("x")),
                   UVOW_ECANCELED);
  uvow_channel_t late = uvow_websocket_channel(ws);
  script_turns(&s);
  assert_int_equal(uvow_sink_push(late.out, uvow_value_text("x")),
                   UVOW_ECANCELED);
  uvow_sink_drop(channel.out);
  uvow_sink_drop(late.out);
  uvow_stream_unref(channel.in);
  uvow_stream_unref(late.in);
  uvow_websocket_unref(ws);
  script_end(&s);
}

TEST_MODULE(send) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_text_and_binary),
      cmocka_unit_test(test_what_is_wrong),
      cmocka_unit_test(test_before_it_is_open),
      cmocka_unit_test(test_parts),
      cmocka_unit_test(test_room),
      cmocka_unit_test(test_close_when_full),
      cmocka_unit_test(test_room_before_it_is_open),
      cmocka_unit_test(test_pings),
      cmocka_unit_test(test_a_stray_pong),
      cmocka_unit_test(test_more_than_may_wait),
      cmocka_unit_test(test_no_memory_for_what_waits),
      cmocka_unit_test(test_sink),
      cmocka_unit_test(test_sink_dropped),
      cmocka_unit_test(test_sink_of_no_message),
      cmocka_unit_test(test_sink_of_one_that_has_gone),
  };
  return cmocka_run_group_tests_name("websocket/send", tests, NULL, NULL);
}
