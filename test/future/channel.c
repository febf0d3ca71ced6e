/* Channels in memory, and messages over bytes. */
#include "support/turn.h"

#include <uvow/channel.h>

#include <stdio.h>

#include "future/bytes.h"
#include "future/channel.h"

static uvow_value_t bytes_of(turn_t *turn, const char *text, size_t len) {
  uvow__bytes_t *bytes = uvow__bytes_new(&turn->rt, len);
  if (!bytes)
    return uvow_value_none();
  memcpy(uvow__bytes_room(bytes), text, len);
  return uvow__bytes_value(bytes);
}

/* Logs the text of an item. */
static uvow_next_t on_text(const uvow_result_t *item, void *data) {
  turn_t *turn = (turn_t *)data;
  uvow__slice_t text;
  size_t len = strlen(turn->log);
  assert_int_equal(uvow__value_slice(&item->value, &text), 0);
  (void)snprintf(turn->log + len, sizeof(turn->log) - len, "[%.*s]",
                 (int)text.len, text.ptr);
  return uvow_next_none();
}

TEST_CASE(a_pair_in_memory) {
  turn_t turn;
  uvow_channel_t a, b;
  turn_init(&turn);
  turn_mark_t end = turn_mark(&turn, " end");
  assert_int_equal(uvow_channel_pair(turn.loop, &a, &b), 0);
  uvow_future_done(uvow_stream_each(a.in, on_text, &turn), turn_done, &end);
  uvow_future_done(uvow_stream_pipe(b.in, b.out), turn_done, &end);
  uvow_sink_push(a.out, uvow_value_text("one"));
  uvow_sink_push(a.out, uvow_value_text("two"));
  turn_expect(&turn, "");
  turn_run(&turn);
  turn_expect(&turn, "[one][two]");
  uvow_sink_end(a.out);
  turn_run(&turn);
  turn_expect(&turn, " end+  end+");
  assert_int_equal(uvow_channel_pair(NULL, &a, &b), UVOW_EINVAL);
  assert_null(a.in);
  turn_end(&turn);
}

/* Who reads nothing makes who writes wait, framed or not, and has all of it
 * once it reads. */
TEST_CASE(a_pair_waits) {
  for (int how = 0; how < 3; how++) {
    turn_t turn;
    uvow_channel_t a, b;
    uvow_result_t r;
    size_t sent = 0, came = 0;
    turn_init(&turn);
    assert_int_equal(uvow_channel_pair(turn.loop, &a, &b), 0);
    if (how) {
      a = how == 1 ? uvow_channel_lines(a, 100)
                   : uvow_channel_content_length(a, 100);
      b = how == 1 ? uvow_channel_lines(b, 100)
                   : uvow_channel_content_length(b, 100);
    }
    for (int still = 0; still < 2;
         still++) { /* for as long as anything moves */
      while (uvow_sink_push(a.out, bytes_of(&turn, "a number", 8)) >= 0) {
        still = 0;
        sent++;
      }
      turn_run(&turn);
    }
    assert_in_range(sent, 64, how ? 3 * 64 + 8 : 64);
    assert_in_range(uvow_stream_waiting(b.in), how ? 0 : 64, 64);
    uvow_sink_end(a.out);
    for (;; came++) {
      uvow_future_t *f = uvow_stream_next(b.in);
      turn_run(&turn);
      assert_int_equal(uvow_future_peek(f, &r), 0);
      int over = uvow_result_is_end(&r);
      uvow_future_unref(f);
      if (over)
        break;
    }
    assert_int_equal(came, sent);
    uvow_stream_unref(a.in);
    uvow_stream_unref(b.in);
    uvow_sink_drop(b.out);
    turn_end(&turn);
  }
}

static void play(int lines, const char *text, size_t piece, size_t max,
                 const char *expected) {
  turn_t turn;
  uvow_channel_t a, b;
  size_t len = strlen(text);
  turn_init(&turn);
  turn_mark_t end = turn_mark(&turn, "end");
  assert_int_equal(uvow_channel_pair(turn.loop, &a, &b), 0);
  a = lines ? uvow_channel_lines(a, max) : uvow_channel_content_length(a, max);
  uvow_future_done(uvow_stream_each(a.in, on_text, &turn), turn_done, &end);
  for (size_t at = 0; at < len; at += piece) {
    size_t n = len - at < piece ? len - at : piece;
    (void)uvow_sink_push(b.out, bytes_of(&turn, text + at, n));
    turn_run(&turn);
  }
  uvow_sink_end(b.out);
  turn_run(&turn);
  turn_expect(&turn, expected);
  uvow_sink_drop(a.out);
  uvow_stream_unref(b.in);
  turn_end(&turn);
}

/* Whole, one byte at a time, and in pieces of any size. */
TEST_CASE(messages_in_pieces) {
  static const struct {
    int lines;
    size_t max;
    const char *text;
    const char *expected;
  } cases[] = {
      {1, 100, "one\ntwo\r\n\n\r\nfour", "[one][two][][][four] end+"},
      {1, 3, "one\ntwo\n", "[one][two] end+"},
      {1, 3, "one\nfour\n", "[one] end!ETOOBIG"},
      {1, 3, "one\nfour", "[one] end!ETOOBIG"},
      {1, 3, "", "end+"},
      {0, 100, "Content-Length: 3\r\n\r\noneContent-Length: 0\r\n\r\n",
       "[one][] end+"},
      {0, 100,
       "Content-Type: x; charset=utf-8\r\ncontent-length:  5 \r\n\r\n\r\n\r\n{",
       "[\r\n\r\n{] end+"},
      {0, 100,
       "Content-Type:\t x \r\nCONTENT-LENGTH:\t 3 \t\r\n\r\none"
       "content-length:3\r\n\r\ntwo",
       "[one][two] end+"},
      {0, 100, "Content-Length: \r\n\r\nhello", "end!EPROTO"},
      {0, 100, "Content-Length\r\n\r\nhello", "end!EPROTO"},
      {0, 4, "Content-Length: 5\r\n\r\nhello", "end!ETOOBIG"},
      {0, 100, "Content-Length: 5\r\n\r\nhell", "end!EPROTO"},
      {0, 100, "Content-Length: 5\r\n", "end!EPROTO"},
      {0, 100, "Content-Length: -5\r\n\r\n", "end!EPROTO"},
      {0, 100, "Content-Length: 99999999999999999999\r\n\r\n", "end!EPROTO"},
      {0, 100, "Content-Type: x\r\n\r\n", "end!EPROTO"},
      {0, 100, "no colon\r\n\r\n", "end!EPROTO"},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    for (size_t piece = 1; piece < 60; piece++)
      play(cases[i].lines, cases[i].text, piece, cases[i].max,
           cases[i].expected);
  }
}

TEST_CASE(messages_go_out) {
  for (int lines = 0; lines < 2; lines++) {
    turn_t turn;
    uvow_channel_t a, b;
    turn_init(&turn);
    turn_mark_t end = turn_mark(&turn, "end");
    uvow_channel_pair(turn.loop, &a, &b);
    a = lines ? uvow_channel_lines(a, 9) : uvow_channel_content_length(a, 9);
    uvow_sink_push(a.out, uvow_value_text("{}"));
    uvow_sink_push(a.out, bytes_of(&turn, "", 0));
    uvow_sink_end(a.out);
    uvow_future_done(uvow_stream_each(b.in, on_text, &turn), turn_done, &end);
    turn_run(&turn);
    turn_expect(&turn, lines ? "[{}\n][\n] end+"
                             : "[Content-Length: 2\r\n\r\n{}][Content-Length: "
                               "0\r\n\r\n] end+");
    uvow_stream_unref(a.in);
    uvow_sink_drop(b.out);
    turn_end(&turn);
  }
}

/* Lines of a head, each ended by \n alone, with space around the length. */
TEST_CASE(heads) {
  static const struct {
    const char *text, *expected;
  } rows[] = {
      {"A: b\nContent-Length: \t1 \t\nC: d\r\n\r\nx", "[x] end+"},
      {"Content-Length: 1\nC: d\r\n\r\nx", "[x] end+"},
      {"\r\nContent-Length: 1\r\n\r\nx", "end!EPROTO"},
      {"\nContent-Length: 1\r\n\r\nx", "end!EPROTO"},
      {"A: b\r\nC\r\n\r\nx", "end!EPROTO"},
      {"Content-Length:\r\n\r\nx", "end!EPROTO"},
      {"Content-Length: \t\r\n\r\nx", "end!EPROTO"},
  };
  for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
    for (size_t piece = 1; piece < 50; piece += 7)
      play(0, rows[i].text, piece, 100, rows[i].expected);
}

/* What has only one end, or none, and what no item holds. */
TEST_CASE(halves) {
  turn_t turn;
  uvow_channel_t a, b, none = {NULL, NULL};
  uvow_value_t value;
  uint16_t port = 7;
  turn_init(&turn);
  assert_int_equal(uvow_channel_pair(turn.loop, &a, &b), 0);
  assert_null(uvow_channel_lines(none, 9).in);
  assert_null(uvow_channel_lines((uvow_channel_t){a.in, NULL}, 9).in);
  assert_null(uvow_channel_content_length((uvow_channel_t){NULL, a.out}, 9).in);
  turn_run(&turn);
  assert_null(uvow_result_channel(NULL).in);
  uvow_result_t result = {.value = uvow_value_int64(1)};
  assert_null(uvow_result_channel(&result).in);
  result.error = uvow_error_new(turn.loop, UVOW_EPROTO, NULL);
  assert_null(uvow_result_channel(&result).in);
  uvow_error_unref((uvow_error_t *)(uintptr_t)result.error);
  result.error = NULL;
  assert_int_equal(uvow__channel_box(&turn.rt, b, "", 5, &value), 0);
  assert_null(uvow__channel_from(&value, &port));
  assert_int_equal(port, 7);
  result.value = value;
  b = uvow_result_channel(&result);
  assert_non_null(b.in);
  assert_null(uvow_result_channel(&result).in);
  uvow_value_clear(&value);
  assert_int_equal(uvow__channel_box(&turn.rt, b, "there", 5, &value), 0);
  assert_string_equal(uvow__channel_from(&value, NULL), "there");
  assert_string_equal(uvow__channel_from(&value, &port), "there");
  assert_int_equal(port, 5);
  uvow_value_clear(&value);
  turn_run(&turn);
  turn_end(&turn);
}

TEST_CASE(what_is_no_message_fails) {
  for (int how = 0; how < 2; how++) {
    turn_t turn;
    uvow_channel_t a, b;
    turn_init(&turn);
    turn_mark_t end = turn_mark(&turn, "end");
    uvow_channel_pair(turn.loop, &a, &b);
    a = uvow_channel_lines(a, 9);
    uvow_future_done(uvow_stream_each(b.in, on_text, &turn), turn_done, &end);
    uvow_sink_push(a.out, how ? uvow_value_int64(1) : uvow_value_text("a\nb"));
    turn_run(&turn);
    turn_expect(&turn, how ? "end!ETYPE" : "end!EINVAL");
    assert_int_equal(uvow_sink_push(a.out, uvow_value_text("c")),
                     UVOW_ECANCELED);
    uvow_sink_drop(a.out);
    uvow_stream_unref(a.in);
    uvow_sink_drop(b.out);
    turn_end(&turn);
  }
}

static void sweep(test_alloc_t *alloc, void *data) {
  for (int lines = 0; lines < 2; lines++) {
    turn_t turn;
    uvow_channel_t a, b;
    turn_init_with(&turn, alloc);
    (void)uvow_channel_pair(turn.loop, &a, &b);
    a = lines ? uvow_channel_lines(a, 9) : uvow_channel_content_length(a, 9);
    b = lines ? uvow_channel_lines(b, 9) : uvow_channel_content_length(b, 9);
    uvow_sink_push(a.out, uvow_value_text("one"));
    uvow_future_detach(uvow_stream_pipe(b.in, b.out));
    uvow_future_detach(uvow_stream_each(a.in, on_text, &turn));
    turn_run(&turn);
    uvow_sink_end(a.out);
    turn_run(&turn);
    turn.log[0] = turn.unhandled[0] = '\0';
    turn_end(&turn);
  }
  (void)data;
}

TEST_CASE(every_allocation_fails) {
  test_alloc_sweep(sweep, NULL);
}

TEST_MODULE(channel) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_pair_in_memory),
      cmocka_unit_test(a_pair_waits),
      cmocka_unit_test(messages_in_pieces),
      cmocka_unit_test(messages_go_out),
      cmocka_unit_test(heads),
      cmocka_unit_test(halves),
      cmocka_unit_test(what_is_no_message_fails),
      cmocka_unit_test(every_allocation_fails),
  };
  return cmocka_run_group_tests_name("future/channel", tests, NULL, NULL);
}
