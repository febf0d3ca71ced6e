/* Heartbeats of descriptions: what is said each time, that nobody waits for
 * what comes back, and that one which can't be said keeps none from the next. */
#include "rpc/peer.h"

#include "support/script.h"

#include <stdio.h>

#include <uvow/channel.h>
#include <uvow/stream.h>

#define START                                                                  \
  "{\"name\":\"h\",\"call\":{\"id\":\"$id\",\"m\":\"$method\",\"p\":"          \
  "\"$params\"},\"rules\":[{\"when\":{\"/e\":true},\"is\":\"error\",\"id\":"   \
  "\"/id\",\"message\":\"/e\"},{\"when\":{\"/r\":true},\"is\":\"ok\",\"id\":"  \
  "\"/id\",\"value\":\"/r\"}],\"heartbeat\":{\"every_ms\":1000,"

typedef struct beats {
  script_t s;
  uvow_protocol_t *protocol;
  uvow_peer_t *peer; /* NULL: there was no memory for it */
  uvow_stream_t *heard;
  uvow_sink_t *says;
  char *text; /* NULL, or where what is heard is written */
} beats_t;

static uvow_protocol_t *parse(const char *beat) {
  char text[1000];
  int len = snprintf(text, sizeof(text), START "%s}}", beat);
  uvow_protocol_t *protocol = uvow_protocol_parse(text, (size_t)len, NULL);
  assert_non_null(protocol);
  return protocol;
}

static void start(beats_t *x, uvow_protocol_t *protocol, const char *vars,
                  size_t max_unsent) {
  uvow_channel_t ours;
  uvow_channel_t theirs;
  uvow_peer_options_t options = {.size = sizeof(options)};
  script_drive_clock(&x->s);
  options.protocol = protocol;
  options.vars = vars;
  options.max_unsent_bytes = max_unsent;
  if (uvow_channel_pair(x->s.loop, &ours, &theirs))
    return;
  x->heard = theirs.in;
  x->says = theirs.out;
  x->peer = uvow_peer_new(x->s.loop, ours, &options);
  script_turns(&x->s);
}

static void let_go(beats_t *x) {
  uvow_peer_unref(x->peer);
  uvow_stream_unref(x->heard);
  if (x->says)
    uvow_sink_drop(x->says);
  script_turns(&x->s);
}

static void begin(beats_t *x, const char *beat, const char *vars,
                  size_t max_unsent) {
  memset(x, 0, sizeof(*x));
  script_init(&x->s);
  x->protocol = parse(beat);
  start(x, x->protocol, vars, max_unsent);
  assert_non_null(x->peer);
}

static void end(beats_t *x) {
  let_go(x);
  script_advance(&x->s, 5000); /* nothing beats any more */
  uvow_protocol_unref(x->protocol);
  script_end(&x->s);
}

static void write_down(const uvow_result_t *item, void *data) {
  uvow_slice_t text = uvow_result_bytes(item);
  snprintf((char *)data, 200, "%.*s", (int)text.len, (const char *)text.bytes);
}

/* The next message that the peer says: "" if it has said none. */
static void expect_heard(beats_t *x, const char *expected) {
  char text[200] = "";
  uvow_future_t *f = uvow_stream_next(x->heard);
  uvow_result_t result;
  script_turns(&x->s);
  if (uvow_future_peek(f, &result) == 0)
    write_down(&result, text);
  else
    (void)uvow_future_cancel(f);
  uvow_future_unref(f);
  script_turns(&x->s);
  assert_string_equal(text, expected);
}

static void beat_of_time(beats_t *x) {
  script_advance(&x->s, 1001);
  script_turns(&x->s);
}

/* first, second: what is said; answer: what comes back of the first, and
 * whether a slot of the dispatcher's waits for it. */
static const struct {
  const char *beat;
  const char *vars;
  const char *first;
  const char *answer;
  const char *second;
  size_t live;
} cases[] = {
    {"\"call\":\"ping\"", NULL, "{\"id\":1,\"m\":\"ping\"}",
     "{\"id\":1,\"r\":5}", "{\"id\":2,\"m\":\"ping\"}", 1},
    {"\"call\":\"ping\"", "{\"unused\":1}", "{\"id\":1,\"m\":\"ping\"}",
     "{\"id\":1,\"e\":\"not today\"}", "{\"id\":2,\"m\":\"ping\"}", 1},
    {"\"send\":{\"t\":\"b\",\"id\":\"$id\"}", NULL, "{\"t\":\"b\",\"id\":1}",
     "{\"id\":1,\"r\":null}", "{\"t\":\"b\",\"id\":2}", 1},
    {"\"send\":{\"id\":\"$id\",\"k\":\"$key\"}", "{\"key\":[7]}",
     "{\"id\":1,\"k\":[7]}", "{\"id\":1,\"r\":null}", "{\"id\":2,\"k\":[7]}",
     1},
    {"\"send\":{\"t\":\"b\"}", NULL, "{\"t\":\"b\"}", NULL, "{\"t\":\"b\"}", 0},
    {"\"send\":{\"k\":\"$key\"}", "{\"key\":\"x\"}", "{\"k\":\"x\"}", NULL,
     "{\"k\":\"x\"}", 0},
    /* What isn't set can't be said. */
    {"\"send\":{\"k\":\"$key\"}", NULL, "", NULL, "", 0},
    {"\"send\":{\"id\":\"$id\",\"k\":\"$key\"}", "{\"other\":1}", "", NULL, "",
     0},
};

TEST_CASE(test_what_is_said) {
  for (size_t i = 0; i < UVOW__COUNT(cases); i++) {
    beats_t x;
    begin(&x, cases[i].beat, cases[i].vars, 0);
    expect_heard(&x, "");
    beat_of_time(&x);
    expect_heard(&x, cases[i].first);
    assert_int_equal(x.peer->dispatcher.live, cases[i].live);
    if (cases[i].answer)
      assert_int_equal(uvow_sink_push(x.says, uvow_value_text(cases[i].answer)),
                       0);
    script_turns(&x.s);
    assert_int_equal(x.peer->dispatcher.live, 0);
    beat_of_time(&x);
    expect_heard(&x, cases[i].second);
    end(&x);
  }
}

/* One without an answer is given up when the next is due; it rejects, and that
 * is nobody's matter. */
TEST_CASE(test_no_answer) {
  beats_t x;
  begin(&x, "\"call\":\"ping\"", NULL, 0);
  for (int i = 1; i < 4; i++) {
    char text[40];
    snprintf(text, sizeof(text), "{\"id\":%d,\"m\":\"ping\"}", i);
    beat_of_time(&x);
    expect_heard(&x, text);
    assert_int_equal(x.peer->dispatcher.live, 1);
  }
  assert_string_equal(x.s.unhandled, "");
  end(&x);
}

/* To a peer that doesn't read: no slot stays taken, and once there is room the
 * next one leaves. */
TEST_CASE(test_no_room) {
  beats_t x;
  static const char large[] =
      "[\"01234567890123456789012345678901234567890123456789\"]";
  begin(&x, "\"call\":\"ping\"", NULL, 64);
  assert_int_equal(uvow_peer_send(x.peer, uvow_value_raw(large)), 0);
  beat_of_time(&x);
  assert_int_equal(x.peer->dispatcher.live, 0);
  expect_heard(&x, large);
  expect_heard(&x, "");
  beat_of_time(&x);
  expect_heard(&x, "{\"id\":2,\"m\":\"ping\"}");
  end(&x);
}

static void sweep(test_alloc_t *alloc, void *data) {
  beats_t x;
  memset(&x, 0, sizeof(x));
  script_init_with(&x.s, alloc);
  if (x.s.loop)
    start(&x, (uvow_protocol_t *)data, "{\"key\":[7]}", 0);
  for (int i = 0; x.peer && i < 3; i++)
    beat_of_time(&x);
  let_go(&x);
  script_quit(&x.s);
}

TEST_CASE(survives_no_memory) {
  for (size_t i = 0; i < 4; i++) {
    uvow_protocol_t *protocol = parse(cases[i].beat);
    test_alloc_sweep(sweep, protocol);
    uvow_protocol_unref(protocol);
  }
}

TEST_MODULE(heartbeat) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_what_is_said),
      cmocka_unit_test(test_no_answer),
      cmocka_unit_test(test_no_room),
      cmocka_unit_test(survives_no_memory),
  };
  return cmocka_run_group_tests_name("rpc/heartbeat", tests, NULL, NULL);
}
