#include "net/channel.h"

#include "support/script.h"

#include <stdio.h>

#include <uvow/error.h>

/* One end, and what it was told: "<text" a message, "w" writable, "!" the end.
 */
typedef struct side {
  uvow__channel_t *channel; /* NULL: ended */
  script_t *s;
  const char *name;
  int in_send;
  int echo; /* answers each message so often */
  int drop; /* drops itself at the next message */
} side_t;

static int send_text(side_t *side, const char *text) {
  uvow__splice_t message = {{text, strlen(text)}, {NULL, 0}, 0, NULL};
  side->in_send = 1;
  int rc = uvow__channel_send(side->channel, 1, &message);
  side->in_send = 0;
  return rc;
}

static void say(side_t *side, const char *what, const char *text) {
  char line[128];
  snprintf(line, sizeof(line), "%s%s%s", side->name, what, text);
  script_log(side->s, line, "");
}

static void on_message(void *ctx, int opcode, const uint8_t *bytes, size_t len,
                       uvow__buf_t *whole) {
  side_t *side = (side_t *)ctx;
  char text[64];
  assert_int_equal(opcode, 1);
  assert_int_equal(side->in_send, 0);
  assert_int_equal(uvow__buf_size(whole), len);
  assert_ptr_equal(uvow__buf_front(whole), bytes);
  snprintf(text, sizeof(text), "%.*s", (int)len, (const char *)bytes);
  say(side, "<", text);
  if (side->echo && side->echo--)
    assert_int_equal(send_text(side, text), 0);
  if (side->drop) {
    side->channel->ops->drop(side->channel);
    side->channel = NULL;
  }
}

static void on_writable(void *ctx) {
  say((side_t *)ctx, "w", "");
}

static void on_end(void *ctx, uvow_error_t *error) {
  side_t *side = (side_t *)ctx;
  char text[64];
  snprintf(text, sizeof(text), "%s:%d:%s",
           uvow_error_code(error) == UVOW_ECLOSED ? "ECLOSED" : "ELOST",
           uvow_error_status(error), uvow_error_message(error));
  say(side, "!", text);
  uvow_error_unref(error);
  side->channel = NULL;
}

static void never(void *ctx) {
  (void)ctx;
  fail();
}

static const uvow__channel_callbacks_t callbacks = {
    never, on_message, NULL, on_writable, on_end, NULL};

typedef struct pair {
  script_t s;
  side_t a;
  side_t b;
} pair_t;

static void start(pair_t *x, size_t max) {
  memset(x, 0, sizeof(*x));
  script_init(&x->s);
  assert_int_equal(
      uvow__channel_pair(x->s.loop, max, max, &x->a.channel, &x->b.channel), 0);
  x->a.s = x->b.s = &x->s;
  x->a.name = "a";
  x->b.name = "b";
  uvow__channel_tell(x->a.channel, &callbacks, &x->a);
  uvow__channel_tell(x->b.channel, &callbacks, &x->b);
}

static void end(pair_t *x) {
  if (x->a.channel)
    x->a.channel->ops->drop(x->a.channel);
  if (x->b.channel)
    x->b.channel->ops->drop(x->b.channel);
  script_end(&x->s);
}

/* In order, both ways, never within a send; a message in two parts is one. */
TEST_CASE(test_messages) {
  pair_t x;
  uvow__splice_t parts = {{"[]", 2}, {"1,2", 3}, 1, NULL};
  start(&x, 100);
  x.b.echo = 1;
  assert_int_equal(send_text(&x.a, "one"), 0);
  assert_int_equal(send_text(&x.a, "two"), 0);
  assert_int_equal(send_text(&x.b, "three"), 0);
  assert_int_equal(uvow__channel_unsent(x.a.channel), 6);
  script_expect(&x.s, "");
  script_turns(&x.s);
  script_expect(&x.s, "b<one a<three b<two a<one aw bw");
  assert_int_equal(uvow__channel_unsent(x.a.channel), 0);
  assert_int_equal(uvow__channel_send(x.a.channel, 1, &parts), 0);
  script_turns(&x.s);
  script_expect(&x.s, "b<[1,2] aw");
  end(&x);
}

TEST_CASE(test_bound) {
  pair_t x;
  start(&x, 5);
  assert_int_equal(send_text(&x.a, "123456"), UVOW_EOVERLOAD);
  assert_int_equal(send_text(&x.a, "1234"), 0);
  assert_int_equal(send_text(&x.a, "12"), UVOW_EOVERLOAD);
  assert_int_equal(send_text(&x.a, "5"), 0);
  script_turns(&x.s);
  script_expect(&x.s, "b<1234 b<5 aw");
  assert_int_equal(send_text(&x.a, "12345"), 0);
  script_turns(&x.s);
  script_expect(&x.s, "b<12345 aw");
  end(&x);
}

/* What comes in a pause waits, the end too. */
TEST_CASE(test_pause) {
  pair_t x;
  start(&x, 100);
  x.b.channel->ops->pause(x.b.channel, 1);
  assert_int_equal(send_text(&x.a, "1"), 0);
  assert_int_equal(send_text(&x.b, "2"), 0);
  x.a.channel->ops->close(x.a.channel, 1000, "done");
  assert_int_equal(send_text(&x.a, "3"), UVOW_ECLOSED);
  script_turns(&x.s);
  script_expect(&x.s, "a<2 bw");
  x.b.channel->ops->pause(x.b.channel, 0);
  script_turns(&x.s);
  script_expect(&x.s, "b<1 b!ECLOSED:1000:done a!ECLOSED:1000:done");
  end(&x);
}

/* Both at once; and what is sent to one that closes still comes. */
TEST_CASE(test_close) {
  pair_t x;
  start(&x, 100);
  x.a.channel->ops->close(x.a.channel, 1001, "");
  x.a.channel->ops->close(x.a.channel, 1002, "");
  assert_int_equal(send_text(&x.b, "late"), 0);
  x.b.channel->ops->close(x.b.channel, 1000, "");
  script_turns(&x.s);
  script_expect(&x.s, "b!ECLOSED:1001:closed a<late a!ECLOSED:1001:closed");
  end(&x);
}

TEST_CASE(test_drop) {
  pair_t x;
  for (int within = 0; within < 2; within++) {
    start(&x, 100);
    assert_int_equal(send_text(&x.a, "1"), 0);
    assert_int_equal(send_text(&x.b, "2"), 0);
    x.b.drop = within;
    if (!within) {
      x.a.channel->ops->drop(x.a.channel);
      x.a.channel = NULL;
      assert_int_equal(send_text(&x.b, "3"), UVOW_ECLOSED);
      assert_int_equal(uvow__channel_unsent(x.b.channel), 0);
    }
    script_turns(&x.s);
    script_expect(&x.s, within
                            ? "b<1 a<2 a!ELOST:1006:the other end was dropped"
                            : "b<1 b!ELOST:1006:the other end was dropped");
    end(&x);
  }
}

/* Closed after the other has gone: it ends all the same. */
TEST_CASE(test_close_alone) {
  pair_t x;
  start(&x, 100);
  x.a.channel->ops->pause(x.a.channel, 1);
  x.b.channel->ops->close(x.b.channel, 1000, "");
  x.b.channel->ops->drop(x.b.channel);
  x.b.channel = NULL;
  x.a.channel->ops->close(x.a.channel, 1001, "");
  script_turns(&x.s);
  script_expect(&x.s, "");
  x.a.channel->ops->pause(x.a.channel, 0);
  script_turns(&x.s);
  script_expect(&x.s, "a!ECLOSED:1000:closed");
  end(&x);
}

static void body(test_alloc_t *alloc, void *data) {
  script_t s;
  side_t a = {0}, b = {0};
  (void)data;
  script_init_with(&s, alloc);
  if (s.loop &&
      uvow__channel_pair(s.loop, 100, 100, &a.channel, &b.channel) == 0) {
    a.s = b.s = &s;
    a.name = b.name = "";
    uvow__channel_tell(a.channel, &callbacks, &a);
    uvow__channel_tell(b.channel, &callbacks, &b);
    int rc = send_text(&a, "1");
    assert_true(rc == 0 || rc == UVOW_ENOMEM);
    assert_int_equal(uvow__channel_unsent(a.channel), rc == 0);
    a.channel->ops->close(a.channel, 1000, "");
    script_turns(&s);
    assert_null(a.channel);
    assert_null(b.channel);
  }
  script_quit(&s);
}

TEST_CASE(test_no_memory) {
  test_alloc_sweep(body, NULL);
}

TEST_MODULE(channel) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_messages),  cmocka_unit_test(test_bound),
      cmocka_unit_test(test_pause),     cmocka_unit_test(test_close),
      cmocka_unit_test(test_drop),      cmocka_unit_test(test_close_alone),
      cmocka_unit_test(test_no_memory),
  };
  return cmocka_run_group_tests_name("net/channel", tests, NULL, NULL);
}
