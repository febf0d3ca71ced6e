/* A stream and a sink as a channel: what comes, what goes, and who leaves. */
#include "net/stream_channel.h"

#include "support/script.h"

#include <stdio.h>

#include "future/bytes.h"

typedef struct side {
  script_t s;
  uvow_sink_t *to;     /* what is pushed here comes; NULL: ended */
  uvow_stream_t *from; /* what was sent; NULL: let go of */
  uvow__channel_t *channel;
} side_t;

static void on_open(void *ctx) {
  (void)ctx;
}
static void on_message(void *ctx, int opcode, const uint8_t *bytes, size_t len,
                       uvow__buf_t *whole) {
  side_t *x = (side_t *)ctx;
  char text[64];
  assert_null(whole);
  snprintf(text, sizeof(text), "%d:%.*s", opcode, (int)len,
           (const char *)bytes);
  script_log(&x->s, text, "");
}
static void on_peer_close(void *ctx, const uvow_error_t *why) {
  (void)ctx;
  (void)why;
  fail(); /* a stream just ends */
}
static void on_end(void *ctx, uvow_error_t *error) {
  side_t *x = (side_t *)ctx;
  x->channel = NULL;
  script_log(&x->s, "end!", uvow_err_name(uvow_error_code(error)));
  uvow_error_unref(error);
}
static const uvow__channel_callbacks_t callbacks = {
    on_open, on_message, on_peer_close, on_open, on_end, NULL};

static void enter(side_t *x, const uvow_stream_options_t *in,
                  const uvow_stream_options_t *out) {
  uvow_channel_t channel;
  memset(x, 0, sizeof(*x));
  script_init(&x->s);
  script_drive_clock(&x->s);
  channel.in = uvow_stream_new(x->s.loop, in, &x->to);
  x->from = uvow_stream_new(x->s.loop, out, &channel.out);
  assert_int_equal(
      uvow__stream_channel_new(x->s.loop, channel, 100, &x->channel), 0);
  uvow__channel_tell(x->channel, &callbacks, x);
}

static void leave(side_t *x) {
  if (x->channel)
    x->channel->ops->drop(x->channel);
  if (x->to)
    uvow_sink_drop(x->to);
  uvow_stream_unref(x->from);
  script_end(&x->s);
}

static int send_splice(side_t *x, int opcode, const char *text,
                       const char *inner, size_t at) {
  uvow__splice_t message = {
      {text, strlen(text)}, {inner, strlen(inner)}, at, NULL};
  return uvow__channel_send(x->channel, opcode, &message);
}

static void on_item(const uvow_result_t *result, void *data) {
  uvow__slice_t bytes;
  char text[64];
  assert_int_equal(uvow__value_slice(&result->value, &bytes), 0);
  snprintf(text, sizeof(text), "%s%.*s",
           uvow_result_is_binary(result) ? "binary:" : "", (int)bytes.len,
           bytes.ptr);
  script_log((script_t *)data, text, "");
}

static void read_next(side_t *x) {
  assert_int_equal(uvow_future_done(uvow_stream_next(x->from), on_item, &x->s),
                   0);
  script_turns(&x->s);
}

static void push(side_t *x, uvow_value_t value) {
  (void)uvow_sink_push(x->to, value);
}

TEST_CASE(test_kinds) {
  side_t x;
  enter(&x, NULL, NULL);
  push(&x, uvow_value_text("a"));
  push(&x, uvow_value_binary(x.s.loop, "b", 1));
  push(&x, uvow_value_bytes(x.s.loop, "c", 1));
  script_turns(&x.s);
  script_expect(&x.s, "1:a 2:b 1:c");
  push(&x, uvow_value_int64(1)); /* no message */
  script_turns(&x.s);
  script_expect(&x.s, "end!UVOW_ETYPE");
  leave(&x);
}

/* A text with another one inside, wherever. */
TEST_CASE(test_splices) {
  static const struct {
    int opcode;
    const char *text, *inner;
    size_t at;
    const char *item;
  } cases[] = {{1, "ac", "b", 1, "abc"},        {1, "bc", "a", 0, "abc"},
               {1, "ab", "c", 2, "abc"},        {2, "abc", "", 0, "binary:abc"},
               {2, "ac", "b", 1, "binary:abc"}, {1, "", "", 0, ""},
               {1, "", "abc", 0, "abc"}};
  side_t x;
  enter(&x, NULL, NULL);
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    assert_int_equal(send_splice(&x, cases[i].opcode, cases[i].text,
                                 cases[i].inner, cases[i].at),
                     0);
    read_next(&x);
    script_expect(&x.s, cases[i].item);
  }
  leave(&x);
}

/* Paused it gives nothing: not what comes, nor what is on its way. */
TEST_CASE(test_pause) {
  side_t x;
  enter(&x, NULL, NULL);
  x.channel->ops->pause(x.channel, 1);
  push(&x, uvow_value_text("a"));
  script_turns(&x.s);
  script_expect(&x.s, "");
  x.channel->ops->pause(x.channel, 0); /* it is to be told now */
  x.channel->ops->pause(x.channel, 1);
  script_turns(&x.s);
  script_expect(&x.s, "");
  x.channel->ops->pause(x.channel, 0);
  x.channel->ops->pause(x.channel, 0);
  script_turns(&x.s);
  script_expect(&x.s, "1:a");
  leave(&x);
}

/* Where a stream drops, a gap is no message. */
TEST_CASE(test_gaps) {
  uvow_stream_options_t drops = {
      .size = sizeof(drops), .max_items = 1, .full = UVOW_FULL_DROP_NEWEST};
  side_t x;
  enter(&x, &drops, NULL);
  x.channel->ops->pause(x.channel, 1);
  push(&x, uvow_value_text("a"));
  push(&x, uvow_value_text("lost"));
  x.channel->ops->pause(x.channel, 0);
  script_turns(&x.s);
  push(&x, uvow_value_text("b"));
  script_turns(&x.s);
  script_expect(&x.s, "1:a 1:b");
  leave(&x);
}

/* What waits is bounded, leaves in order, and is lost with its reader. */
TEST_CASE(test_full) {
  uvow_stream_options_t one = {
      .size = sizeof(one), .max_items = 1, .full = UVOW_FULL_WAIT};
  side_t x;
  enter(&x, NULL, &one);
  assert_int_equal(send_splice(&x, 1, "1", "", 0), 0);
  assert_int_equal(send_splice(&x, 1, "2", "", 0), 0);
  assert_int_equal(send_splice(&x, 1, "3", "", 0), 0);
  assert_int_equal(x.channel->ops->unsent(x.channel), 3);
  char big[101];
  memset(big, 'x', sizeof(big) - 1);
  big[100] = '\0';
  assert_int_equal(send_splice(&x, 1, big, "", 0), UVOW_EOVERLOAD);
  assert_int_equal(send_splice(&x, 1, big, "y", 0), UVOW_EOVERLOAD);
  read_next(&x);
  read_next(&x);
  script_expect(&x.s, "1 2");
  uvow_stream_unref(x.from);
  x.from = NULL;
  script_turns(&x.s);
  assert_int_equal(send_splice(&x, 1, "4", "", 0), UVOW_ECLOSED);
  script_advance(&x.s, 100000); /* it lingers, and is over */
  script_turns(&x.s);
  script_expect(&x.s, "end!UVOW_ELOST");
  leave(&x);
}

/* Nobody reads what it would send, from the start. */
TEST_CASE(test_unread_from_the_start) {
  uvow_channel_t channel;
  side_t x;
  memset(&x, 0, sizeof(x));
  script_init(&x.s);
  script_drive_clock(&x.s);
  channel.in = uvow_stream_new(x.s.loop, NULL, &x.to);
  uvow_stream_unref(uvow_stream_new(x.s.loop, NULL, &channel.out));
  assert_int_equal(uvow__stream_channel_new(x.s.loop, channel, 100, &x.channel),
                   0);
  uvow__channel_tell(x.channel, &callbacks, &x);
  assert_int_equal(send_splice(&x, 1, "a", "", 0), UVOW_ECLOSED);
  push(&x, uvow_value_text("last"));
  script_turns(&x.s);
  script_expect(&x.s, "1:last");
  script_advance(&x.s, 100000);
  script_turns(&x.s);
  script_expect(&x.s, "end!UVOW_ELOST");
  leave(&x);
}

/* What isn't a stream and a sink of this loop is let go of. */
TEST_CASE(test_what_is_wrong) {
  for (int how = 0; how < 6; how++) {
    script_t s, other;
    uvow__channel_t *none;
    uvow_channel_t channel = {NULL, NULL};
    uvow_sink_t *to = NULL;
    uvow_stream_t *from = NULL;
    uvow_future_t *next = NULL;
    script_init(&s);
    script_init(&other);
    if (how != 0 && how != 5)
      channel.in = uvow_stream_new(how == 2 ? other.loop : s.loop, NULL, &to);
    if (how != 1 && how != 5)
      from =
          uvow_stream_new(how == 3 ? other.loop : s.loop, NULL, &channel.out);
    if (how == 4) { /* it has a reader */
      channel.in = uvow_stream_ref(channel.in);
      next = uvow_stream_next(channel.in);
    }
    int rc = uvow__stream_channel_new(s.loop, channel, 100, &none);
    assert_int_equal(rc, how == 4 ? UVOW_EBUSY : UVOW_EINVAL);
    uvow_future_drop(next);
    if (how == 4)
      uvow_stream_unref(channel.in);
    if (to)
      uvow_sink_drop(to);
    uvow_stream_unref(from);
    script_end(&s);
    script_end(&other);
  }
}

/* Memory holds no loop, and lets none go. */
TEST_CASE(test_hold) {
  uvow__channel_t *a, *b;
  side_t x;
  enter(&x, NULL, NULL);
  int alive = uv_loop_alive(&x.s.uv);
  for (int on = 0; on < 2; on++) {
    x.channel->ops->hold(x.channel, on);
    assert_int_equal(uv_loop_alive(&x.s.uv), alive);
  }
  assert_int_equal(uvow__channel_pair(x.s.loop, 100, 100, &a, &b), 0);
  for (int on = 0; on < 2; on++) {
    a->ops->hold(a, on);
    assert_int_equal(uv_loop_alive(&x.s.uv), alive);
  }
  a->ops->drop(a);
  b->ops->drop(b);
  leave(&x);
}

TEST_MODULE(stream_channel) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_kinds),
      cmocka_unit_test(test_splices),
      cmocka_unit_test(test_pause),
      cmocka_unit_test(test_gaps),
      cmocka_unit_test(test_full),
      cmocka_unit_test(test_unread_from_the_start),
      cmocka_unit_test(test_what_is_wrong),
      cmocka_unit_test(test_hold),
  };
  return cmocka_run_group_tests_name("net/stream_channel", tests, NULL, NULL);
}
