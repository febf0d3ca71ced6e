/* What a connection reads in a turn, and when it doesn't read. */
#include "websocket/connection_private.h"

#include "support/deflate.h"
#include "support/script.h"

#include <stdio.h>

#define MIB ((size_t)1024 * 1024)

typedef struct end {
  script_t s;
  uvow__ws_config_t config; /* counted once too often to be freed */
  uvow__target_t target;
  uvow__connection_t *c;
  size_t messages;
  size_t bytes;
  size_t pause_at; /* within the message of this number */
  int for_room;    /* until what is unsent has left */
  int ended;
  int code;
  int status;
  char why[256];
  char text[4096]; /* the messages, joined */
} end_t;

static void on_open(void *ctx) {
  (void)ctx;
}

static void on_message(void *ctx, int opcode, const uint8_t *bytes, size_t len,
                       uvow__buf_t *whole) {
  end_t *x = (end_t *)ctx;
  size_t at = strlen(x->text);
  (void)opcode;
  (void)whole;
  x->messages++;
  x->bytes += len;
  if (at + len + 2 < sizeof(x->text)) {
    memcpy(x->text + at, bytes, len);
    x->text[at + len] = ' ';
    x->text[at + len + 1] = '\0';
  }
  if (x->pause_at && x->messages % x->pause_at == 0 && x->for_room)
    uvow__connection_pause_unsent(x->c, 1);
  else if (x->pause_at && x->messages % x->pause_at == 0)
    uvow__connection_pause(x->c, 1);
}

static void on_peer_close(void *ctx, const uvow_error_t *why) {
  (void)ctx;
  (void)why;
}

static void on_writable(void *ctx) {
  (void)ctx;
}

static void on_end(void *ctx, uvow_error_t *error) {
  end_t *x = (end_t *)ctx;
  x->c = NULL;
  x->ended++;
  x->code = uvow_error_code(error);
  x->status = uvow_error_status(error);
  snprintf(x->why, sizeof(x->why), "%s", uvow_error_message(error));
  uvow_error_unref(error);
}

static const uvow__connection_callbacks_t callbacks = {
    on_open, on_message, on_peer_close, on_writable, on_end,
    NULL,    NULL,       NULL,          NULL,        NULL};

static void start(end_t *x) {
  memset(x, 0, sizeof(*x));
  script_init(&x->s);
  script_drive_clock(&x->s);
  assert_int_equal(uvow__target_init(&x->target, uvow__loop_mem(x->s.loop),
                                     "ws://h/", NULL, 0),
                   0);
  x->config.loop = x->s.loop;
  x->config.refs = 1;
  x->config.max_message = 256 * MIB;
  x->config.max_unsent = 1000;
  x->config.close_ms = 5000;
}

static void open_end(end_t *x) {
  char text[512];
  assert_int_equal(uvow__connection_open(&x->config, &x->target,
                                         &x->s.transport, &callbacks, x, &x->c),
                   0);
  script_connected(&x->s);
  size_t len = script_accept_text(&x->s, text, sizeof(text));
  if (x->config.deflate.terms.on)
    len = (size_t)snprintf(text + len - 2, sizeof(text) - len,
                           "Sec-WebSocket-Extensions: permessage-deflate\r\n"
                           "\r\n") +
          len - 2;
  script_feed(&x->s, text, len);
  assert_true(uvow__connection_is_open(x->c));
  x->s.sent_at = x->s.sent_len;
}

static void finish(end_t *x) {
  if (x->c)
    uvow__connection_drop(x->c);
  uvow__target_done(&x->target, uvow__loop_mem(x->s.loop));
  script_end(&x->s);
  assert_int_equal(x->config.refs, 1);
}

static void turn(end_t *x) {
  uv_run(&x->s.uv, UV_RUN_NOWAIT);
}

/* R13, by counts: no turn has more, nothing is lost, and no read event comes in
 * between. */
TEST_CASE(test_messages_of_a_turn) {
  enum { COUNT = 8000 };
  end_t x;
  uint8_t *bytes = (uint8_t *)malloc(COUNT * 3);
  assert_non_null(bytes);
  for (int i = 0; i < COUNT; i++)
    script_put_frame(bytes + 3 * i, 0x81, "m", 1);
  start(&x);
  open_end(&x);
  script_feed(&x.s, bytes, COUNT * 3);
  assert_true(x.messages > 0 && x.messages <= 1024);
  assert_int_equal(x.s.paused, 1);
  for (int i = 0; i < 100 && x.messages < COUNT; i++) {
    size_t before = x.messages;
    turn(&x);
    assert_true(x.messages - before <= 1024);
  }
  assert_int_equal(x.messages, COUNT);
  turn(&x);
  assert_int_equal(x.s.paused, 0);
  free(bytes);
  finish(&x);
}

/* Empty fragments are work too. */
TEST_CASE(test_fragments_of_a_turn) {
  enum { COUNT = 5000 };
  end_t x;
  uint8_t bytes[2 * COUNT + 8];
  script_put_frame(bytes, 0x01, NULL, 0);
  for (int i = 1; i < COUNT; i++)
    script_put_frame(bytes + 2 * i, 0x00, NULL, 0);
  size_t len = 2 * COUNT + script_put_frame(bytes + 2 * COUNT, 0x80, "x", 1);
  start(&x);
  open_end(&x);
  script_feed(&x.s, bytes, len);
  int turns = 0;
  for (; turns < 100 && x.messages == 0; turns++)
    turn(&x);
  assert_in_range(turns, 4, 7);
  assert_string_equal(x.text, "x ");
  finish(&x);
}

TEST_CASE(test_bytes_of_a_turn) {
  enum { COUNT = 80, SIZE = 60000 };
  end_t x;
  uint8_t *bytes = (uint8_t *)malloc((size_t)COUNT * (SIZE + 4));
  uint8_t *zeros = (uint8_t *)calloc(1, SIZE);
  size_t len = 0;
  assert_true(bytes && zeros);
  for (int i = 0; i < COUNT; i++)
    len += script_put_frame(bytes + len, 0x82, zeros, SIZE);
  start(&x);
  open_end(&x);
  script_feed(&x.s, bytes, len);
  assert_true(x.bytes <= MIB + SIZE);
  for (int i = 0; i < 100 && x.messages < COUNT; i++) {
    size_t before = x.bytes;
    turn(&x);
    assert_true(x.bytes - before <= MIB + SIZE);
  }
  assert_int_equal(x.messages, COUNT);
  free(zeros);
  free(bytes);
  finish(&x);
}

/* In the midst of a message, and of a piece of 4 KiB that inflates to 4 MiB. */
TEST_CASE(test_inflated_bytes_of_a_turn) {
  end_t x;
  uvow__deflate_t packer;
  uvow__buf_t out;
  size_t size = 40 * MIB;
  uint8_t *zeros = (uint8_t *)calloc(1, size);
  uint8_t *bytes = (uint8_t *)malloc(65536);
  uvow_deflate_options_t options = {0};
  assert_true(zeros && bytes);
  options.size = sizeof(options);
  start(&x);
  assert_int_equal(uvow__deflate_configure(&x.config.deflate, &options, 0), 0);
  open_end(&x);
  uvow__connection_t *c = x.c;
  uvow__deflate_init(&packer, uvow__loop_mem(x.s.loop), &x.config.deflate);
  uvow__buf_init(&out, uvow__loop_mem(x.s.loop), SIZE_MAX);
  assert_int_equal(uvow__deflate_compress(&packer, zeros, size, &out), 0);
  assert_true(uvow__buf_size(&out) < 60000);
  size_t len = script_put_frame(bytes, 0xC2, uvow__buf_front(&out),
                                uvow__buf_size(&out));
  script_feed(&x.s, bytes, len);
  int turns = 0;
  for (; turns < 1000 && x.messages == 0; turns++) {
    size_t before = uvow__buf_size(&c->framer.message.parts);
    turn(&x);
    size_t after = uvow__buf_size(&c->framer.message.parts);
    assert_true(after <= before + MIB + 32768);
  }
  assert_int_equal(x.bytes, size);
  assert_in_range(turns, 38, 42);
  uvow__buf_done(&out);
  uvow__deflate_done(&packer);
  free(zeros);
  free(bytes);
  finish(&x);
}

/* However it's cut, and wherever the owner pauses: the same messages, then the
 * same violation. */
TEST_CASE(test_pauses_change_nothing) {
  static const char expected[] = "a bb ccc dddd eeeee ";
  uint8_t bytes[256];
  size_t len = 0;
  len += script_put_frame(bytes + len, 0x81, "a", 1);
  len += script_put_frame(bytes + len, 0x01, "b", 1);
  len += script_put_frame(bytes + len, 0x89, "ping", 4);
  len += script_put_frame(bytes + len, 0x80, "b", 1);
  len += script_put_frame(bytes + len, 0x81, "ccc", 3);
  len += script_put_frame(bytes + len, 0x81, "dddd", 4);
  len += script_put_frame(bytes + len, 0x81, "eeeee", 5);
  bytes[len++] = 0x81;
  bytes[len++] = 126; /* a length that isn't in its shortest form */
  bytes[len++] = 0;
  bytes[len++] = 1;
  for (size_t pause_at = 0; pause_at < 4; pause_at++)
    for (unsigned cut = 0; cut < 40; cut++) {
      end_t x;
      start(&x);
      x.pause_at = pause_at;
      open_end(&x);
      x.s.cut = cut < 2 ? cut : cut * 7919u;
      for (size_t at = 0; at < len; at++) {
        size_t part = x.s.cut ? 1 : len;
        script_feed(&x.s, bytes + at, part);
        at += part - 1;
        for (int i = 0; i < 10 && x.c; i++) {
          uvow__connection_pause(x.c, 0);
          turn(&x);
        }
      }
      assert_string_equal(x.text, expected);
      assert_int_equal(x.code, UVOW_EPROTO);
      assert_string_equal(x.why, "frame length not in its shortest form");
      finish(&x);
    }
}

/* What was read before the end comes before the end. */
TEST_CASE(test_the_end_waits) {
  end_t x;
  uint8_t bytes[16];
  start(&x);
  x.pause_at = 1;
  open_end(&x);
  size_t len = script_put_frame(bytes, 0x81, "a", 1);
  len += script_put_frame(bytes + len, 0x81, "b", 1);
  script_feed(&x.s, bytes, len);
  assert_string_equal(x.text, "a ");
  script_hang_up(&x.s, UV_ECONNRESET);
  script_turns(&x.s);
  assert_int_equal(x.ended, 0);
  uvow__connection_pause(x.c, 0);
  script_turns(&x.s);
  assert_string_equal(x.text, "a b ");
  uvow__connection_pause(x.c, 0);
  script_turns(&x.s);
  assert_int_equal(x.code, UVOW_ELOST);
  finish(&x);
}

/* What is unsent never leaves then: nobody waits for that. */
TEST_CASE(test_the_end_ends_a_pause_for_what_is_unsent) {
  end_t x;
  uint8_t bytes[16];
  start(&x);
  x.pause_at = 1;
  x.for_room = 1;
  open_end(&x);
  size_t len = script_put_frame(bytes, 0x81, "a", 1);
  len += script_put_frame(bytes + len, 0x81, "b", 1);
  script_feed(&x.s, bytes, len);
  script_turns(&x.s);
  assert_string_equal(x.text, "a ");
  script_hang_up(&x.s, UV_ECONNRESET);
  script_turns(&x.s);
  assert_string_equal(x.text, "a b ");
  assert_int_equal(x.code, UVOW_ELOST);
  finish(&x);
}

/* R14: a message may take 30 s, and a second more for each 64 KiB of it. */
TEST_CASE(test_a_slow_message_ends) {
  end_t x;
  start(&x);
  x.config.message_ms = 30000;
  open_end(&x);
  for (int i = 0; i < 3; i++) { /* each its own */
    script_frame(&x.s, 0x01, "a", 1);
    script_advance(&x.s, 20000);
    script_frame(&x.s, 0x80, "b", 1);
  }
  assert_int_equal(x.ended, 0);
  script_frame(&x.s, 0x01, "a", 1);
  script_advance(&x.s, 20000);
  /* Time in which we don't read is none of the message's. */
  uvow__connection_pause(x.c, 1);
  script_advance(&x.s, 100000);
  uvow__connection_pause(x.c, 0);
  script_turns(&x.s);
  script_advance(&x.s, 9000);
  assert_int_equal(x.ended, 0);
  script_frame(&x.s, 0x00, "a", 1);
  for (int i = 0; i < 31 && !x.ended; i++)
    script_advance(&x.s, 1000);
  assert_int_equal(x.ended, 1);
  assert_int_equal(x.status, 1013);
  finish(&x);
}

/* A pause within the message's time moves its end. */
TEST_CASE(test_a_pause_is_no_delay) {
  end_t x;
  start(&x);
  x.config.message_ms = 30000;
  open_end(&x);
  script_frame(&x.s, 0x01, "a", 1);
  script_advance(&x.s, 10000);
  uvow__connection_pause(x.c, 1);
  script_advance(&x.s, 15000);
  uvow__connection_pause(x.c, 0);
  script_turns(&x.s);
  script_advance(&x.s, 19000);
  assert_int_equal(x.ended, 0);
  script_advance(&x.s, 2000);
  assert_int_equal(x.ended, 1);
  assert_int_equal(x.code, UVOW_ETIMEDOUT);
  finish(&x);
}

/* Six fragments, of more than five times 64 KiB. */
TEST_CASE(test_a_long_message_has_longer) {
  static uint8_t bytes[60016];
  static char part[60000];
  end_t x;
  start(&x);
  x.config.message_ms = 30000;
  open_end(&x);
  for (int i = 0; i < 6; i++)
    script_feed(&x.s, bytes,
                script_put_frame(bytes, i ? 0x00 : 0x02, part, sizeof(part)));
  script_advance(&x.s, 31000);
  script_advance(&x.s, 3500);
  assert_int_equal(x.ended, 0);
  script_advance(&x.s, 1000);
  assert_int_equal(x.ended, 1);
  assert_int_equal(x.status, 1013);
  finish(&x);
}

/* The last byte of one and the first of the next, in one read. */
TEST_CASE(test_each_message_has_its_own_time) {
  static const uint8_t bytes[] = {0x80, 1, 'b', 0x01, 1, 'c'};
  end_t x;
  start(&x);
  x.config.message_ms = 30000;
  open_end(&x);
  script_frame(&x.s, 0x01, "a", 1);
  script_advance(&x.s, 20000);
  script_feed(&x.s, bytes, sizeof(bytes));
  script_advance(&x.s, 20000);
  assert_int_equal(x.ended, 0);
  script_advance(&x.s, 11000);
  assert_int_equal(x.ended, 1);
  assert_string_equal(x.text, "ab ");
  finish(&x);
}

/* (4): who doesn't read hears nothing, and doesn't hold it against the peer. */
TEST_CASE(test_a_pause_is_no_silence) {
  end_t x;
  start(&x);
  x.config.ping_ms = 1000;
  x.config.dead_ms = 3000;
  open_end(&x);
  uvow__connection_pause(x.c, 1);
  for (int i = 0; i < 20; i++)
    script_advance(&x.s, 1000);
  assert_int_equal(x.ended, 0);
  uvow__connection_pause(x.c, 0);
  script_turns(&x.s);
  script_advance(&x.s, 2000);
  assert_int_equal(x.ended, 0);
  for (int i = 0; i < 5 && !x.ended; i++)
    script_advance(&x.s, 1000);
  assert_int_equal(x.ended, 1);
  assert_int_equal(x.code, UVOW_ELOST);
  finish(&x);
}

/* Messages in pieces, with pauses between: all of them, or an end that says
 * why. */
static void read_with(test_alloc_t *alloc, void *data) {
  end_t x;
  uint8_t bytes[8192];
  char text[512];
  char part[3000]; /* two are more than the framer holds */
  size_t len = 0;
  (void)data;
  memset(&x, 0, sizeof(x));
  memset(part, 'p', sizeof(part));
  len += script_put_frame(bytes + len, 0x81, "a", 1);
  len += script_put_frame(bytes + len, 0x01, part, sizeof(part));
  len += script_put_frame(bytes + len, 0x80, part, sizeof(part));
  len += script_put_frame(bytes + len, 0x81, "b", 1);
  script_init_with(&x.s, alloc);
  x.pause_at = 1;
  int rc = x.s.loop ? uvow__target_init(&x.target, uvow__loop_mem(x.s.loop),
                                        "ws://h/", NULL, 0)
                    : UVOW_ENOMEM;
  x.config.loop = x.s.loop;
  x.config.refs = 1;
  x.config.max_message = MIB;
  x.config.max_unsent = 100000;
  if (rc == 0)
    rc = uvow__connection_open(&x.config, &x.target, &x.s.transport, &callbacks,
                               &x, &x.c);
  if (rc == 0)
    script_connected(&x.s);
  if (x.c) {
    size_t head = script_accept_text(&x.s, text, sizeof(text));
    script_feed(&x.s, text, head);
  }
  if (x.c)
    script_feed(&x.s, bytes, len);
  for (int i = 0; i < 20 && x.c; i++) {
    uvow__connection_pause(x.c, 0);
    turn(&x);
  }
  assert_int_equal(rc, rc ? UVOW_ENOMEM : 0);
  if (!alloc->failed)
    assert_int_equal(x.messages, 3);
  if (rc == 0 && x.messages < 3)
    assert_int_equal(x.code, UVOW_ENOMEM);
  if (x.messages == 3)
    assert_int_equal(x.bytes, 2 + 2 * sizeof(part));
  if (x.c)
    uvow__connection_drop(x.c);
  if (x.s.loop)
    uvow__target_done(&x.target, uvow__loop_mem(x.s.loop));
  script_quit(&x.s);
}

TEST_CASE(test_every_allocation_may_fail) {
  test_alloc_sweep(read_with, NULL);
}

/* R14: what all hold together. */
TEST_CASE(test_the_quota) {
  char text[600];
  end_t x;
  start(&x);
  x.config.max_unsent = MIB;
  x.config.quota.max = 5000;
  open_end(&x);
  memset(text, 'x', sizeof(text));
  x.s.block = 1;
  for (int i = 0; i < 20 && !x.ended; i++) {
    assert_int_equal(uvow__connection_send(x.c, UVOW__OP_TEXT, text, 600), 0);
    script_turns(&x.s);
    assert_true(x.config.quota.used <= 6000);
  }
  assert_int_equal(x.status, 1013);
  finish(&x);
  assert_int_equal(x.config.quota.used, 0);
}

/* What came of a message is let go of as its peer is ended, not when that one has
 * read why. */
TEST_CASE(test_the_quota_is_for_others) {
  static char text[4000];
  uint8_t frame[4016];
  end_t x;
  start(&x);
  x.config.quota.max = 20000;
  open_end(&x);
  x.s.block = 1;
  size_t len = script_put_frame(frame, 0x01, text, sizeof(text));
  for (int i = 0; i < 20 && !x.ended; i++) {
    script_feed(&x.s, frame, len);
    script_turns(&x.s);
    len = script_put_frame(frame, 0x00, text, sizeof(text));
  }
  assert_int_equal(x.status, 1013);
  assert_false(script_gone(&x.s));
  assert_true(x.config.quota.used < 100);
  finish(&x);
}

/* What all connections may have in a turn: once it's used up, each has less. */
TEST_CASE(test_a_crowd) {
  enum { COUNT = 200, EACH = 16 };
  end_t x;
  uint8_t bytes[COUNT * 3];
  for (int i = 0; i < COUNT; i++)
    script_put_frame(bytes + 3 * i, 0x81, "m", 1);
  start(&x);
  open_end(&x);
  size_t before = *uvow__loop_spent(x.s.loop);
  script_feed(&x.s, bytes, sizeof(bytes));
  assert_int_equal(x.messages, COUNT);
  assert_int_equal(*uvow__loop_spent(x.s.loop) - before, COUNT);
  *uvow__loop_spent(x.s.loop) = UVOW__TURN_ALL; /* the others */
  script_feed(&x.s, bytes, sizeof(bytes));
  assert_int_equal(x.messages, COUNT + EACH);
  turn(&x); /* nobody else */
  assert_int_equal(x.messages, 2 * COUNT);
  finish(&x);
}

TEST_CASE(test_a_crowd_of_bytes) {
  static char text[60000];
  end_t x;
  start(&x);
  open_end(&x);
  *uvow__loop_spent(x.s.loop) = UVOW__TURN_ALL;
  script_frame(&x.s, 0x81, text, sizeof(text));
  assert_int_equal(x.s.paused, 1);
  finish(&x);
}

/* What was queued leaves, then the close frame: for as long as the peer reads,
 * and close_ms. */
TEST_CASE(test_queued_answers_leave_first) {
  end_t x;
  start(&x);
  open_end(&x);
  x.s.block = 1;
  x.s.unsent = 100;
  assert_int_equal(uvow__connection_send(x.c, UVOW__OP_TEXT, "1", 1), 0);
  script_turns(&x.s);
  assert_int_equal(uvow__connection_send(x.c, UVOW__OP_TEXT, "2", 1), 0);
  script_feed(&x.s, "\xFF", 1);
  assert_int_equal(x.ended, 1);
  assert_int_equal(x.status, 1002);
  for (int i = 0; i < 10; i++) {
    x.s.unsent--; /* it reads */
    script_advance(&x.s, 4990);
    script_advance(&x.s, 20);
    assert_false(script_gone(&x.s));
  }
  script_unblock(&x.s);
  script_turns(&x.s);
  script_expect_sent(&x.s, "1");
  script_expect_sent(&x.s, "2");
  script_expect_sent(&x.s, "close:1002");
  for (int i = 0; i < 20 && !script_gone(&x.s); i++)
    script_advance(&x.s, 1000); /* it reads no more */
  assert_true(script_gone(&x.s));
  finish(&x);
}

TEST_MODULE(intake) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_messages_of_a_turn),
      cmocka_unit_test(test_fragments_of_a_turn),
      cmocka_unit_test(test_bytes_of_a_turn),
      cmocka_unit_test(test_inflated_bytes_of_a_turn),
      cmocka_unit_test(test_pauses_change_nothing),
      cmocka_unit_test(test_the_end_waits),
      cmocka_unit_test(test_the_end_ends_a_pause_for_what_is_unsent),
      cmocka_unit_test(test_a_slow_message_ends),
      cmocka_unit_test(test_a_pause_is_no_delay),
      cmocka_unit_test(test_a_long_message_has_longer),
      cmocka_unit_test(test_each_message_has_its_own_time),
      cmocka_unit_test(test_a_pause_is_no_silence),
      cmocka_unit_test(test_every_allocation_may_fail),
      cmocka_unit_test(test_the_quota),
      cmocka_unit_test(test_the_quota_is_for_others),
      cmocka_unit_test(test_a_crowd),
      cmocka_unit_test(test_a_crowd_of_bytes),
      cmocka_unit_test(test_queued_answers_leave_first),
  };
  return cmocka_run_group_tests_name("websocket/intake", tests, NULL, NULL);
}
