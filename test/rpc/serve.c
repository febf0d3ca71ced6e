/* Methods that return streams: what the caller gets, at its own pace. */
#include "rpc/serve.h"

#include "support/parts.h"

#include <uvow/combine.h>

typedef struct serve {
  script_t s;
  uvow_protocol_t *protocol;
  uvow_methods_t *methods;
  uvow_peer_t *a; /* calls */
  uvow_peer_t *b; /* serves */
  uvow_sink_t *sink;
  int canceled;
  int64_t made;
  int64_t most;
  size_t waiting; /* the most that were unsent */
} serve_t;

static void on_cancel(void *data) {
  serve_t *x = (serve_t *)data;
  x->canceled++;
  uvow_sink_drop(x->sink);
  x->sink = NULL;
}

/* A stream that the test writes. */
static uvow_next_t by_hand(uvow_call_t *call, const uvow_result_t *params,
                           void *data) {
  serve_t *x = (serve_t *)data;
  (void)params;
  uvow_stream_t *stream = uvow_stream_new(uvow_call_loop(call), NULL, &x->sink);
  uvow_sink_on_cancel(x->sink, on_cancel, x, NULL);
  return uvow_next_stream(stream);
}

static uvow_next_t none(uvow_call_t *call, const uvow_result_t *params,
                        void *data) {
  (void)call;
  (void)params;
  (void)data;
  return uvow_next_stream(NULL);
}

static uvow_next_t echo(uvow_call_t *call, const uvow_result_t *params,
                        void *data) {
  (void)call;
  (void)params;
  (void)data;
  return uvow_next_pass();
}

static void prepare(serve_t *x) {
  memset(x, 0, sizeof(*x));
  script_init(&x->s);
  script_drive_clock(&x->s);
  x->protocol = parts_protocol();
  x->methods = uvow_methods_new(x->s.loop);
  assert_int_equal(uvow_methods_add(x->methods, "hand", by_hand, x), 0);
  assert_int_equal(uvow_methods_add(x->methods, "none", none, x), 0);
  assert_int_equal(uvow_methods_add(x->methods, "echo", echo, x), 0);
}

static void connect_them(serve_t *x, const uvow_protocol_t *protocol) {
  uvow_peer_options_t options = {.size = sizeof(options)};
  options.protocol = protocol;
  options.methods = x->methods;
  uvow_peer_options_t caller = options;
  caller.methods = uvow_methods_new(x->s.loop);
  assert_int_equal(uvow_methods_add(caller.methods, "echo", echo, x), 0);
  assert_int_equal(uvow_peer_pair(x->s.loop, &caller, &options, &x->a, &x->b),
                   0);
  uvow_methods_unref(caller.methods);
}

static void start(serve_t *x) {
  prepare(x);
  connect_them(x, x->protocol);
}

static void end(serve_t *x) {
  uvow_peer_unref(x->a);
  uvow_peer_unref(x->b);
  uvow_methods_unref(x->methods);
  uvow_protocol_unref(x->protocol);
  uvow_sink_drop(x->sink);
  script_end(&x->s);
}

static uvow_stream_t *ask(serve_t *x) {
  uvow_stream_t *stream =
      uvow_peer_request_stream(x->a, "hand", uvow_value_none());
  script_turns(&x->s);
  assert_non_null(x->sink);
  return stream;
}

static void push(serve_t *x, int64_t value) {
  assert_int_equal(uvow_sink_push(x->sink, uvow_value_int64(value)), 0);
}

static void finish(serve_t *x, uvow_value_t value) {
  uvow_sink_end_value(x->sink, value);
  x->sink = NULL;
  script_turns(&x->s);
}

TEST_CASE(test_items) {
  serve_t x;
  start(&x);
  script_mark_t a = script_mark(&x.s, "a");
  parts_read(ask(&x), &a);
  push(&x, 1);
  push(&x, 2);
  script_turns(&x.s);
  script_expect(&x.s, "a:1 a:2");
  push(&x, 3);
  finish(&x, uvow_value_int64(4));
  script_expect(&x.s, "a:3 a=4");
  parts_read(ask(&x), &a);
  finish(&x, uvow_value_none());
  script_expect(&x.s, "a=null");
  assert_int_equal(x.canceled, 0);
  assert_int_equal(x.b->session.callee.count, 0);
  end(&x);
}

TEST_CASE(test_errors) {
  serve_t x;
  start(&x);
  script_mark_t a = script_mark(&x.s, "a");
  parts_read(ask(&x), &a);
  push(&x, 1);
  uvow_sink_fail(x.sink, uvow_error_new_peer(x.s.loop, 7, "no", NULL, 0));
  x.sink = NULL;
  script_turns(&x.s);
  script_expect(&x.s, "a:1 a!EREMOTE:ANSWERED");
  /* An item that can't be written ends it, and lets go. */
  parts_read(ask(&x), &a);
  assert_int_equal(uvow_sink_push(x.sink, uvow_value_bytes(x.s.loop, "[1", 2)),
                   0);
  script_turns(&x.s);
  script_expect(&x.s, "a!EREMOTE:ANSWERED");
  assert_int_equal(x.canceled, 1);
  script_watch(uvow_peer_request(x.a, "none", uvow_value_none()), &a);
  script_turns(&x.s);
  script_expect(&x.s, "a!EREMOTE:ANSWERED");
  end(&x);
}

/* Of futures, as they settle: one that is rejected ends the answer with its
 * error. Another loop's stream can't be read. */
static uvow_next_t futures(uvow_call_t *call, const uvow_result_t *params,
                           void *data) {
  serve_t *x = (serve_t *)data;
  uvow_loop_t *loop = uvow_call_loop(call);
  uvow_future_t *all[] = {
      uvow_future_fulfilled(loop, uvow_value_int64(1)),
      uvow_future_rejected(loop, uvow_error_new_peer(loop, 7, "no", NULL, 0)),
      uvow_future_fulfilled(loop, uvow_value_int64(3))};
  (void)params;
  if (!x->s.extra)
    return uvow_next_stream(uvow_stream_of_futures(loop, all, 3));
  for (int i = 0; i < 3; i++)
    uvow_future_drop(all[i]);
  return uvow_next_stream(
      uvow_stream_new((uvow_loop_t *)x->s.extra, NULL, &x->sink));
}

TEST_CASE(test_other_streams) {
  serve_t x;
  script_t elsewhere;
  prepare(&x);
  script_init(&elsewhere);
  assert_int_equal(uvow_methods_add(x.methods, "futures", futures, &x), 0);
  connect_them(&x, x.protocol);
  script_mark_t a = script_mark(&x.s, "a");
  parts_read(uvow_peer_request_stream(x.a, "futures", uvow_value_none()), &a);
  script_turns(&x.s);
  script_expect(&x.s, "a:1 a!EREMOTE:ANSWERED");
  x.s.extra = elsewhere.loop;
  parts_read(uvow_peer_request_stream(x.a, "futures", uvow_value_none()), &a);
  script_turns(&x.s);
  script_expect(&x.s, "a!EREMOTE:ANSWERED");
  assert_int_equal(x.b->session.callee.count, 0);
  uvow_sink_drop(x.sink);
  x.sink = NULL;
  script_end(&elsewhere);
  end(&x);
}

/* The caller gives up, or goes: the stream is let go of. */
TEST_CASE(test_caller_goes) {
  for (int how = 0; how < 3; how++) {
    serve_t x;
    start(&x);
    script_mark_t a = script_mark(&x.s, "a");
    uvow_stream_t *stream = ask(&x);
    push(&x, 1);
    if (how == 2) {
      script_turns(&x.s);
      push(&x, 2);
    }
    if (how == 0) {
      uvow_stream_unref(stream);
    } else {
      parts_read(stream, &a);
      uvow_peer_end(how == 1 ? x.a : x.b);
    }
    script_turns(&x.s);
    assert_int_equal(x.canceled, 1);
    assert_int_equal(x.b->session.callee.count, 0);
    x.s.log[0] = '\0';
    end(&x);
  }
}

/* Where a protocol has no partial answers, items are events of that name. */
TEST_CASE(test_events) {
  serve_t x;
  prepare(&x);
  connect_them(&x, uvow_protocol_by_name("jsonrpc2"));
  script_mark_t a = script_mark(&x.s, "a");
  script_mark_t b = script_mark(&x.s, "b");
  parts_read(uvow_peer_events(x.a, "hand"), &b);
  script_watch(uvow_peer_request(x.a, "hand", uvow_value_none()), &a);
  script_turns(&x.s);
  assert_int_equal(uvow_sink_push(x.sink, uvow_value_bytes(x.s.loop, "[1]", 3)),
                   0);
  script_turns(&x.s);
  script_expect(&x.s, "b:[1]");
  finish(&x, uvow_value_int64(2));
  script_expect(&x.s, "a=2");
  uvow_peer_end(x.a);
  script_turns(&x.s);
  script_expect(&x.s, "b=");
  end(&x);
}

/* Where a protocol ends without a value, the end's value is one more part. */
TEST_CASE(test_end_without_value) {
  serve_t x;
  char text[sizeof(parts_text) + 64];
  static const char reply[] = "\"reply\":{\"id\":\"$id\",\"ok\":\"$value\"},";
  const char *at = strstr(parts_text, reply);
  assert_non_null(at);
  snprintf(text, sizeof(text), "%.*s\"end\":{\"id\":\"$id\",\"end\":true},%s",
           (int)(at - parts_text), parts_text, at + sizeof(reply) - 1);
  prepare(&x);
  uvow_protocol_unref(x.protocol);
  x.protocol = uvow_protocol_parse(text, strlen(text), NULL);
  assert_non_null(x.protocol);
  connect_them(&x, x.protocol);
  script_mark_t a = script_mark(&x.s, "a");
  parts_read(ask(&x), &a);
  push(&x, 1);
  finish(&x, uvow_value_none());
  script_expect(&x.s, "a:1 a=");
  parts_read(ask(&x), &a);
  finish(&x, uvow_value_int64(2));
  script_expect(&x.s, "a:2 a=");
  end(&x);
}

/* For a notification it is read, and nothing is sent. */
TEST_CASE(test_notified) {
  serve_t x;
  start(&x);
  assert_int_equal(uvow_peer_notify(x.a, "hand", uvow_value_none()), 0);
  script_turns(&x.s);
  push(&x, 1);
  script_turns(&x.s);
  assert_int_equal(uvow_peer_walk(x.a, NULL, NULL), 0);
  finish(&x, uvow_value_none());
  assert_int_equal(x.b->session.callee.count, 0);
  end(&x);
}

/* ---- the peer's pace ---- */

#define COUNT 20000

/* An item for each that is asked for. */
static uvow_next_t make(const uvow_result_t *item, void *data) {
  serve_t *x = (serve_t *)data;
  (void)item;
  x->made++;
  size_t unsent = uvow__peer_unsent(x->b);
  if (unsent > x->waiting)
    x->waiting = unsent;
  static const char text[] =
      "[\"a text of some length, so that not too many are needed: "
      "0123456789012345678901234567890123456789012345678901234567890123\"]";
  return uvow_next_value(uvow_value_bytes(x->s.loop, text, sizeof(text) - 1));
}

static uvow_next_t source(uvow_call_t *call, const uvow_result_t *params,
                          void *data) {
  serve_t *x = (serve_t *)data;
  (void)params;
  uvow_sink_t *sink;
  uvow_stream_options_t options = {.size = sizeof(options),
                                   .max_items = COUNT + 1};
  uvow_stream_t *numbers =
      uvow_stream_new(uvow_call_loop(call), &options, &sink);
  for (int64_t i = 0; i < COUNT; i++)
    assert_int_equal(uvow_sink_push(sink, uvow_value_int64(i)), 0);
  uvow_sink_end(sink);
  return uvow_next_stream(uvow_stream_map(numbers, make, x));
}

static uvow_next_t count(const uvow_result_t *item, void *data) {
  serve_t *x = (serve_t *)data;
  assert_null(item->error);
  x->most++;
  return uvow_next_pass();
}

/* A peer that isn't read pauses the stream; meanwhile others are served, and
 * once it is read nothing is missing. */
TEST_CASE(test_pace) {
  serve_t x;
  start(&x);
  assert_int_equal(uvow_methods_add(x.methods, "source", source, &x), 0);
  script_mark_t a = script_mark(&x.s, "a");
  script_mark_t b = script_mark(&x.s, "b");
  uvow__channel_t *channel = x.a->session.callee.channel;
  script_watch(uvow_stream_each(
                   uvow_peer_request_stream(x.a, "source", uvow_value_none()),
                   count, &x),
               &a);
  channel->ops->pause(channel, 1);
  for (int i = 0; i < 50; i++)
    script_turns(&x.s);
  int64_t made = x.made;
  assert_true(made > 100 && made < COUNT / 10);
  assert_true(x.waiting < 65536 + 1024);
  assert_int_equal(x.b->session.paused, 0); /* calls are read all the same */
  script_watch(uvow_peer_request(x.b, "echo", uvow_value_none()), &b);
  for (int i = 0; i < 10; i++)
    script_turns(&x.s);
  assert_int_equal(x.made, made);
  channel->ops->pause(channel, 0);
  for (int i = 0; i < 5000 && !a.done; i++)
    script_turns(&x.s);
  script_expect(&x.s, "b=null a=null");
  assert_int_equal(x.most, COUNT);
  assert_int_equal(x.made, COUNT);
  end(&x);
}

/* A stalled one is let go of as any other. */
TEST_CASE(test_stalled_goes) {
  for (int how = 0; how < 2; how++) {
    serve_t x;
    start(&x);
    assert_int_equal(uvow_methods_add(x.methods, "source", source, &x), 0);
    uvow__channel_t *channel = x.a->session.callee.channel;
    uvow_stream_t *stream =
        uvow_peer_request_stream(x.a, "source", uvow_value_none());
    channel->ops->pause(channel, 1);
    for (int i = 0; i < 50; i++)
      script_turns(&x.s);
    assert_false(uvow__list_empty(&x.b->session.callee.stalled));
    if (how)
      uvow_peer_end(x.b);
    uvow_stream_unref(stream);
    for (int i = 0; i < 10; i++)
      script_turns(&x.s);
    assert_int_equal(x.b->session.callee.count, 0);
    assert_true(uvow__list_empty(&x.b->session.callee.stalled));
    end(&x);
  }
}

/* ---- what a stream may be ---- */

typedef struct odd {
  const char *name;
  uvow_stream_t *(*make)(uvow_loop_t *loop);
  const char *told; /* of it, to who calls */
} odd_t;

/* An item that is an error is the answer. */
static uvow_stream_t *failing_item(uvow_loop_t *loop) {
  uvow_future_t *both[2];
  both[0] = uvow_future_fulfilled(loop, uvow_value_int64(1));
  both[1] = uvow_future_rejected(loop, uvow_error_new(loop, UVOW_EPROTO, NULL));
  return uvow_stream_of_futures(loop, both, 2);
}

/* Items that are missing aren't told of. */
static uvow_stream_t *with_gaps(uvow_loop_t *loop) {
  uvow_sink_t *sink;
  uvow_stream_options_t bounds = {.size = sizeof(bounds)};
  bounds.max_items = 2;
  bounds.full = UVOW_FULL_DROP_OLDEST;
  bounds.tell_gaps = 1;
  uvow_stream_t *stream = uvow_stream_new(loop, &bounds, &sink);
  for (int i = 1; i < 6; i++)
    (void)uvow_sink_push(sink, uvow_value_int64(i));
  uvow_sink_end_value(sink, uvow_value_int64(9));
  return stream;
}

static uvow_next_t oddly(uvow_call_t *call, const uvow_result_t *params,
                         void *data) {
  (void)params;
  return uvow_next_stream(((odd_t *)data)->make(uvow_call_loop(call)));
}

TEST_CASE(test_odd_ones) {
  static const odd_t odd[] = {
      {"failing", failing_item, "a:1 a!EREMOTE:ANSWERED"},
      {"gaps", with_gaps, "a:4 a:5 a=9"},
  };
  for (size_t i = 0; i < UVOW__COUNT(odd); i++) {
    serve_t x;
    prepare(&x);
    assert_int_equal(uvow_methods_add(x.methods, odd[i].name, oddly,
                                      (void *)(uintptr_t)&odd[i]),
                     0);
    connect_them(&x, x.protocol);
    script_mark_t a = script_mark(&x.s, "a");
    parts_read(uvow_peer_request_stream(x.a, odd[i].name, uvow_value_none()),
               &a);
    for (int k = 0; k < 5; k++)
      script_turns(&x.s);
    script_expect(&x.s, odd[i].told);
    assert_int_equal(x.b->session.callee.count, 0);
    end(&x);
  }
}

/* By which token items are told: one that is an id is, anything else is none,
 * and items are events of the method's name. */
TEST_CASE(test_tokens) {
  static const struct {
    const char *params;
    const char *told;
  } cases[] = {
      {"{\"partialResultToken\":\"t\"}", "$/progress"},
      {"{\"partialResultToken\":7}", "$/progress"},
      {"{\"partialResultToken\":-7}", "$/progress"},
      {"{\"partialResultToken\":true}", "hand"},
      {"{\"partialResultToken\":{}}", "hand"},
      {"{\"partialResultToken\":null}", "hand"},
      {"{\"partialResultToken\":[7]}", "hand"},
      {"{}", "hand"},
  };
  for (size_t i = 0; i < UVOW__COUNT(cases); i++) {
    serve_t x;
    prepare(&x);
    connect_them(&x, uvow_protocol_by_name("jsonrpc2"));
    script_mark_t a = script_mark(&x.s, "a");
    uvow_stream_t *events = uvow_peer_events(x.a, cases[i].told);
    script_watch(
        uvow_peer_request(x.a, "hand", uvow_value_raw(cases[i].params)), &a);
    script_turns(&x.s);
    assert_non_null(x.sink);
    for (int k = 0; k < 2; k++)
      assert_int_equal(
          uvow_sink_push(x.sink, uvow_value_bytes(x.s.loop, "[1]", 3)), 0);
    finish(&x, uvow_value_int64(9));
    if (uvow_stream_waiting(events) != 2)
      print_error("%s\n", cases[i].params);
    assert_int_equal(uvow_stream_waiting(events), 2);
    script_expect(&x.s, "a=9");
    uvow_stream_unref(events);
    script_turns(&x.s);
    end(&x);
  }
}

/* ---- memory ---- */

static void on_end(const uvow_result_t *result, void *data) {
  (void)result;
  ++*(int *)data;
}

static uvow_next_t few(uvow_call_t *call, const uvow_result_t *params,
                       void *data) {
  uvow_sink_t *sink;
  (void)params;
  (void)data;
  uvow_stream_t *stream = uvow_stream_new(uvow_call_loop(call), NULL, &sink);
  if (!stream)
    return uvow_next_stream(NULL);
  for (int i = 0; i < 10; i++)
    (void)uvow_sink_push(sink, uvow_value_int64(i));
  uvow_sink_end_value(sink, uvow_value_int64(1));
  return uvow_next_stream(stream);
}

static uvow_next_t pass(const uvow_result_t *item, void *data) {
  (void)item;
  (void)data;
  return uvow_next_pass();
}

static void serve_few(test_alloc_t *alloc, void *data) {
  script_t s;
  uvow_peer_options_t options = {.size = sizeof(options)};
  uvow_peer_t *a = NULL;
  uvow_peer_t *b = NULL;
  int promised = 0;
  int ended = 0;
  script_init_with(&s, alloc);
  options.protocol = (uvow_protocol_t *)data;
  options.methods = uvow_methods_new(s.loop);
  if (options.methods &&
      uvow_methods_add(options.methods, "few", few, NULL) == 0 &&
      uvow_peer_pair(s.loop, &options, &options, &a, &b) == 0) {
    uvow_future_t *f = uvow_stream_each(
        uvow_peer_request_stream(a, "few", uvow_value_none()), pass, NULL);
    promised = f && uvow_future_done(f, on_end, &ended) == 0;
    for (int i = 0; i < 20; i++)
      script_turns(&s);
  }
  uvow_methods_unref(options.methods);
  uvow_peer_unref(a);
  uvow_peer_unref(b);
  script_turns(&s);
  assert_int_equal(ended, promised);
  script_quit(&s);
}

TEST_CASE(test_without_memory) {
  uvow_protocol_t *protocol = parts_protocol();
  test_alloc_sweep(serve_few, protocol);
  uvow_protocol_unref(protocol);
}

TEST_MODULE(serve) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_items),
      cmocka_unit_test(test_errors),
      cmocka_unit_test(test_other_streams),
      cmocka_unit_test(test_caller_goes),
      cmocka_unit_test(test_events),
      cmocka_unit_test(test_end_without_value),
      cmocka_unit_test(test_notified),
      cmocka_unit_test(test_pace),
      cmocka_unit_test(test_stalled_goes),
      cmocka_unit_test(test_odd_ones),
      cmocka_unit_test(test_tokens),
      cmocka_unit_test(test_without_memory),
  };
  return cmocka_run_group_tests_name("rpc/serve", tests, NULL, NULL);
}
