/* Peers over a channel: two of them, one against an end that the test plays,
 * full both ways, and how they end. */
#include <uvow/channel.h>

#include "support/script.h"

#include <stdio.h>

typedef struct over {
  script_t s;
  uvow_methods_t *methods;
  uvow_peer_t *peer;
  uvow_channel_t other;    /* the end that the test plays */
  uvow_promise_t *promise; /* of `wait` */
  const char *free_in;     /* where the peer is released */
} over_t;

static void free_here(over_t *x, const char *where) {
  uvow_peer_t *peer = x->peer;
  if (!x->free_in || strcmp(where, x->free_in) != 0)
    return;
  x->free_in = NULL;
  x->peer = NULL;
  uvow_peer_unref(peer);
}

static uvow_next_t echo_cb(uvow_call_t *call, const uvow_result_t *params,
                           void *data) {
  over_t *x = (over_t *)data;
  (void)params;
  if (!uvow_call_wants_answer(call))
    script_log(&x->s, "told:", uvow_call_method(call));
  free_here(x, "method");
  return uvow_next_pass();
}

static uvow_next_t wait_cb(uvow_call_t *call, const uvow_result_t *params,
                           void *data) {
  over_t *x = (over_t *)data;
  (void)params;
  return uvow_next_future(uvow_promise_new(uvow_call_loop(call), &x->promise));
}

static void on_state(uvow_peer_t *peer, const uvow_peer_change_t *change,
                     void *data) {
  over_t *x = (over_t *)data;
  (void)peer;
  script_log(&x->s, uvow_peer_state_name(change->state),
             change->why ? uvow_err_name(uvow_error_code(change->why)) : "");
  free_here(x, uvow_peer_state_name(change->state));
}

static int on_stray(uvow_peer_t *peer, uvow_stray_t stray, uvow_slice_t message,
                    const uvow_error_t *error, void *data) {
  over_t *x = (over_t *)data;
  (void)peer, (void)stray, (void)error;
  char text[64];
  snprintf(text, sizeof(text), "%.*s", (int)message.len, message.bytes);
  script_log(&x->s, "stray:", text);
  free_here(x, "stray");
  return 0;
}

static uvow_peer_options_t default_options(over_t *x) {
  uvow_peer_options_t options = {0};
  options.size = sizeof(options);
  options.protocol = uvow_protocol_by_name("jsonrpc2");
  options.methods = x->methods;
  options.data = x;
  return options;
}

static void prepare(over_t *x) {
  memset(x, 0, sizeof(*x));
  script_init(&x->s);
  script_drive_clock(&x->s);
  x->methods = uvow_methods_new(x->s.loop);
  assert_int_equal(uvow_methods_add(x->methods, "wait", wait_cb, x), 0);
  assert_int_equal(uvow_methods_add(x->methods, NULL, echo_cb, x), 0);
}

/* One end as a peer. */
static void start_with(over_t *x, const uvow_peer_options_t *options) {
  uvow_channel_t a;
  assert_int_equal(uvow_channel_pair(x->s.loop, &a, &x->other), 0);
  x->peer = uvow_peer_new(x->s.loop, a, options);
  assert_non_null(x->peer);
}

static void start(over_t *x) {
  prepare(x);
  uvow_peer_options_t options = default_options(x);
  start_with(x, &options);
}

static void end(over_t *x) {
  uvow_methods_unref(x->methods);
  uvow_peer_unref(x->peer);
  uvow_stream_unref(x->other.in);
  uvow_sink_drop(x->other.out);
  script_end(&x->s);
}

static uvow_future_t *ask(over_t *x, const char *method) {
  return uvow_peer_request(x->peer, method,
                           uvow_value_bytes(x->s.loop, "[1]", 3));
}

static void say_bytes(over_t *x, const char *bytes, size_t len) {
  int rc =
      uvow_sink_push(x->other.out, uvow_value_bytes(x->s.loop, bytes, len));
  assert_true(rc == 0 || rc == 1);
}

static void say(over_t *x, const char *text) {
  say_bytes(x, text, strlen(text));
  script_turns(&x->s);
}

static size_t count_of(const uvow_result_t *result) {
  const uvow_results_t *results;
  assert_int_equal(uvow_value_get_results(&result->value, &results), 0);
  return uvow_results_count(results);
}

/* Two of them, one on each end. */
TEST_CASE(test_both_ways) {
  over_t x;
  uvow_channel_t a, b;
  prepare(&x);
  uvow_peer_options_t options = default_options(&x);
  options.on_state = on_state;
  assert_int_equal(uvow_channel_pair(x.s.loop, &a, &b), 0);
  x.peer = uvow_peer_new(x.s.loop, a, &options);
  options.on_state = NULL;
  uvow_peer_t *other = uvow_peer_new(x.s.loop, b, &options);
  assert_int_equal(uvow_peer_state(x.peer), UVOW_PEER_OPEN);
  script_mark_t m = script_mark(&x.s, "a");
  script_mark_t n = script_mark(&x.s, "b");
  script_watch(ask(&x, "echo"), &m);
  script_watch(uvow_peer_requestf(other, "echo", "[i]", 2), &n);
  assert_int_equal(uvow_peer_notifyf(x.peer, "tick", "[i]", 3), 0);
  script_expect(&x.s, "");
  script_turns(&x.s);
  script_expect(&x.s, "open told:tick a=[1] b=[2]");
  script_watch(uvow_peer_close(x.peer), &m);
  script_turns(&x.s);
  script_expect(&x.s, "a= closed");
  assert_int_equal(uvow_peer_state(other), UVOW_PEER_CLOSED);
  script_watch(uvow_peer_requestf(other, "echo", NULL), &n);
  script_turns(&x.s);
  script_expect(&x.s, "b!ECLOSED:NOT");
  uvow_peer_unref(other);
  end(&x);
}

/* A peer that doesn't read: what was sent waits, up to a bound; then all of it
 * comes, in order. */
TEST_CASE(test_full_sink) {
  over_t x;
  int sent = 0, rc;
  prepare(&x);
  uvow_peer_options_t options = default_options(&x);
  options.max_unsent_bytes = 10000;
  start_with(&x, &options);
  while ((rc = uvow_peer_notifyf(x.peer, "n", "[i]", sent)) == 0)
    sent++;
  assert_int_equal(rc, UVOW_EOVERLOAD);
  assert_true(sent > 150 && sent < 300);
  script_mark_t room = script_mark(&x.s, "room");
  script_mark_t late = script_mark(&x.s, "late");
  script_watch(uvow_peer_room(x.peer), &room);
  script_watch(ask(&x, "m"), &late);
  script_turns(&x.s);
  script_expect(&x.s, "late!EOVERLOAD:NOT");
  for (int i = 0; i < sent; i++) {
    char text[80];
    int had_room = room.calls;
    script_mark_t mark = script_mark(&x.s, "");
    script_watch(uvow_stream_next(x.other.in), &mark);
    script_turns(&x.s);
    int len =
        snprintf(text, sizeof(text),
                 "={\"jsonrpc\":\"2.0\",\"method\":\"n\",\"params\":[%d]}", i);
    if (room.calls > had_room) { /* when half of it has left */
      assert_in_range(i, sent / 2 - 5, sent / 2 + 5);
      snprintf(text + len, sizeof(text) - (size_t)len, " room=");
    }
    script_expect(&x.s, text);
  }
  assert_int_equal(room.calls, 1);
  uvow_peer_stats_t stats = {.size = sizeof(stats)};
  assert_int_equal(uvow_peer_get_stats(x.peer, &stats), 0);
  assert_int_equal(stats.unsent_bytes, 0);
  end(&x);
}

/* A peer that reads no answers isn't read; once it reads, all goes on. */
TEST_CASE(test_unread_peer) {
  enum { CALLS = 1000 };
  over_t x;
  int pushed = 0, heard = 0;
  prepare(&x);
  uvow_peer_options_t options = default_options(&x);
  options.max_unsent_bytes = 4000;
  start_with(&x, &options);
  for (int still = 0; still < 3 && pushed < CALLS;) {
    char text[80];
    int len =
        snprintf(text, sizeof(text),
                 "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"e\"}", pushed);
    int rc = uvow_sink_push(x.other.out,
                            uvow_value_bytes(x.s.loop, text, (size_t)len));
    pushed += rc >= 0;
    still += rc == UVOW_EOVERLOAD;
    if (rc)
      script_turns(&x.s);
  }
  /* Half of 4000 bytes of answers, and the pair's 64 items. */
  assert_in_range(pushed, 64 + 40, 64 + 130);
  uvow_peer_stats_t stats = {.size = sizeof(stats)};
  assert_int_equal(uvow_peer_get_stats(x.peer, &stats), 0);
  assert_in_range(stats.unsent_bytes, 2001, 2040); /* and no answer more */
  script_mark_t mark = script_mark(&x.s, "");
  for (; heard < pushed; heard++) {
    char text[80];
    script_watch(uvow_stream_next(x.other.in), &mark);
    script_turns(&x.s);
    snprintf(text, sizeof(text),
             "={\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":null}", heard);
    script_expect(&x.s, text);
  }
  end(&x);
}

/* The stream's end is the peer's. */
TEST_CASE(test_ends) {
  static const char *const logs[] = {
      "open a!ELOST:MAYBE closedUVOW_ECLOSED",
      "open a!ELOST:MAYBE closedUVOW_ELOST",
      "open a!EPROXY:MAYBE closedUVOW_EPROXY",
      "open a!ELOST:MAYBE closedUVOW_ELOST",
      "open a!ETYPE:MAYBE closedUVOW_ETYPE",
  };
  for (int how = 0; how < 5; how++) {
    over_t x;
    prepare(&x);
    uvow_peer_options_t options = default_options(&x);
    options.on_state = on_state;
    start_with(&x, &options);
    script_mark_t a = script_mark(&x.s, "a");
    uvow_future_t *f = ask(&x, "m");
    script_watch(uvow_future_ref(f), &a);
    if (how == 4) {
      static const uvow_type_t odd = {sizeof(odd), "odd", NULL, NULL};
      assert_int_equal(uvow_sink_push(x.other.out, uvow_value_ptr(&odd, &x)),
                       0);
    } else if (how == 0) {
      uvow_sink_end(x.other.out);
    } else if (how == 1) {
      uvow_sink_drop(x.other.out);
    } else {
      uvow_sink_fail(
          x.other.out,
          uvow_error_new(x.s.loop, how == 2 ? UVOW_EPROXY : -17, "mine"));
    }
    if (how != 4)
      x.other.out = NULL;
    script_turns(&x.s);
    script_expect(&x.s, logs[how]);
    uvow_result_t r;
    assert_int_equal(uvow_future_peek(f, &r), 0);
    if (how == 3)
      assert_non_null(strstr(uvow_error_message(r.error), "mine"));
    uvow_future_unref(f);
    /* The other way has ended too: in order if this one did. */
    script_watch(uvow_stream_collect(x.other.in, 5), &a);
    x.other.in = NULL;
    script_turns(&x.s);
    script_expect(&x.s, how == 0 ? "a=" : "a!EBROKEN");
    end(&x);
  }
}

/* Closing: the sink ends behind all that was sent, and the stream's end is
 * waited for. */
TEST_CASE(test_close) {
  over_t x;
  start(&x);
  script_mark_t closed = script_mark(&x.s, "closed");
  script_mark_t heard = script_mark(&x.s, "heard");
  for (int i = 0; i < 200; i++)
    assert_int_equal(uvow_peer_notifyf(x.peer, "n", "[i]", i), 0);
  script_watch(uvow_peer_close(x.peer), &closed);
  script_turns(&x.s);
  script_expect(&x.s, "");
  uvow_future_t *all = uvow_stream_collect(x.other.in, 1000);
  x.other.in = NULL;
  script_watch(uvow_future_ref(all), &heard);
  script_turns(&x.s);
  script_expect(&x.s, "heard=");
  uvow_result_t r;
  assert_int_equal(uvow_future_peek(all, &r), 0);
  assert_int_equal(count_of(&r), 200);
  uvow_future_unref(all);
  uvow_sink_end(x.other.out);
  x.other.out = NULL;
  script_turns(&x.s);
  script_expect(&x.s, "closed=");
  end(&x);
}

/* One that doesn't end its side is waited for, but not for ever. */
TEST_CASE(test_close_late) {
  over_t x;
  start(&x);
  script_mark_t closed = script_mark(&x.s, "closed");
  script_watch(uvow_peer_close(x.peer), &closed);
  script_turns(&x.s);
  script_advance(&x.s, 4990);
  script_turns(&x.s);
  script_expect(&x.s, "");
  script_advance(&x.s, 20);
  script_turns(&x.s);
  script_expect(&x.s, "closed=");
  end(&x);
}

/* One that isn't read, as it reads no answers, is heard when it ends. */
TEST_CASE(test_close_unread) {
  over_t x;
  prepare(&x);
  uvow_peer_options_t options = default_options(&x);
  options.max_unsent_bytes = 100;
  start_with(&x, &options);
  script_mark_t closed = script_mark(&x.s, "closed");
  for (int i = 0; i < 4; i++)
    say(&x, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"e\"}");
  assert_int_equal(uvow_stream_waiting(x.other.in), 2);
  script_watch(uvow_peer_close(x.peer), &closed);
  uvow_sink_end(x.other.out);
  x.other.out = NULL;
  script_turns(&x.s);
  script_expect(&x.s, "closed=");
  end(&x);
}

/* The peer ends its reading: what was sent before still comes. */
TEST_CASE(test_unread_sink) {
  over_t x;
  start(&x);
  script_mark_t a = script_mark(&x.s, "a");
  script_mark_t b = script_mark(&x.s, "b");
  script_watch(ask(&x, "m"), &a);
  script_watch(ask(&x, "m"), &b);
  uvow_stream_unref(x.other.in);
  x.other.in = NULL;
  script_turns(&x.s);
  assert_int_equal(uvow_peer_notify(x.peer, "n", uvow_value_none()),
                   UVOW_ECLOSED);
  say(&x, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":[7]}");
  script_expect(&x.s, "a=[7]");
  script_advance(&x.s, 5010);
  script_turns(&x.s);
  script_expect(&x.s, "b!ELOST:MAYBE");
  end(&x);
}

/* The end comes while what was sent waits for room: it still leaves. */
TEST_CASE(test_end_before_room) {
  over_t x;
  start(&x);
  for (int i = 0; i < 200; i++)
    assert_int_equal(uvow_peer_notifyf(x.peer, "n", "[i]", i), 0);
  uvow_sink_end(x.other.out);
  x.other.out = NULL;
  script_turns(&x.s);
  assert_int_equal(uvow_peer_state(x.peer), UVOW_PEER_CLOSED);
  uvow_peer_unref(x.peer);
  x.peer = NULL;
  uvow_future_t *all = uvow_stream_collect(x.other.in, 1000);
  x.other.in = NULL;
  script_turns(&x.s);
  uvow_result_t r;
  assert_int_equal(uvow_future_peek(all, &r), 0);
  assert_null(r.error);
  assert_int_equal(count_of(&r), 200);
  uvow_future_unref(all);
  end(&x);
}

/* The same, and nobody reads that any more; and the loop closes meanwhile. */
TEST_CASE(test_end_and_nobody) {
  for (int how = 0; how < 2; how++) {
    over_t x;
    start(&x);
    for (int i = 0; i < 200; i++)
      assert_int_equal(uvow_peer_notifyf(x.peer, "n", "[i]", i), 0);
    uvow_sink_end(x.other.out);
    x.other.out = NULL;
    script_turns(&x.s);
    if (how == 0) {
      uvow_stream_unref(x.other.in);
      x.other.in = NULL;
      script_turns(&x.s);
    }
    end(&x);
  }
}

/* Released in each callback. */
static void on_answer(script_mark_t *mark) {
  free_here((over_t *)mark->data, "answer");
}

TEST_CASE(test_freed_in_callbacks) {
  static const char *const places[] = {"open", "method", "stray", "answer",
                                       "closed"};
  for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
    over_t x;
    prepare(&x);
    uvow_peer_options_t options = default_options(&x);
    options.on_state = on_state;
    options.on_stray = on_stray;
    start_with(&x, &options);
    x.free_in = places[i];
    script_mark_t a = script_mark(&x.s, "a");
    a.act = on_answer;
    a.data = &x;
    script_watch(ask(&x, "m"), &a);
    say_bytes(&x, "{\"jsonrpc\":\"2.0\",\"method\":\"e\"}", 30);
    say_bytes(&x, "{\"jsonrpc\":\"2.0\",\"id\":77,\"result\":1}", 36);
    say_bytes(&x, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":1}", 35);
    uvow_sink_end(x.other.out);
    x.other.out = NULL;
    script_turns(&x.s);
    assert_null(x.peer);
    assert_int_equal(a.calls, 1);
    x.s.log[0] = '\0';
    end(&x);
  }
}

TEST_CASE(test_bad_arguments) {
  over_t x;
  uvow_channel_t none = {NULL, NULL}, a, b;
  prepare(&x);
  uvow_loop_t *loop = x.s.loop;
  uvow_peer_options_t options = default_options(&x);
  script_mark_t m = script_mark(&x.s, "m");
  assert_null(uvow_peer_new(loop, none, &options));
  assert_null(uvow_peer_over(NULL, &options));
  assert_int_equal(uvow_channel_pair(loop, &a, &b), 0);
  assert_null(uvow_peer_new(NULL, a, &options));
  x.peer = uvow_peer_new(loop, b, NULL);
  script_watch(ask(&x, "m"), &m);
  uvow_peer_unref(x.peer);
  assert_int_equal(uvow_channel_pair(loop, &a, &x.other), 0);
  uvow_future_t *reading = uvow_stream_next(uvow_stream_ref(a.in));
  x.peer = uvow_peer_new(loop, a, &options);
  script_watch(ask(&x, "m"), &m);
  uvow_result_t r;
  uvow_future_t *f = uvow_peer_ready(x.peer);
  script_watch(uvow_future_ref(f), &m);
  assert_int_equal(uvow_future_peek(f, &r), 0);
  assert_non_null(strstr(uvow_error_message(r.error), "read by another"));
  uvow_future_unref(f);
  uvow_stream_unref(a.in);
  uvow_future_drop(reading);
  script_turns(&x.s);
  script_expect(&x.s, "m!EINVAL:NOT m!EBUSY:NOT m!EBUSY");
  end(&x);
}

/* The loop closes: the peer outlives it. */
TEST_CASE(test_loop_close) {
  over_t x;
  start(&x);
  script_mark_t a = script_mark(&x.s, "a");
  script_watch(ask(&x, "m"), &a);
  uvow_methods_unref(x.methods);
  uvow_loop_close(x.s.loop, NULL, NULL);
  script_turns(&x.s);
  script_expect(&x.s, "a!ECLOSED:MAYBE");
  uvow_peer_unref(x.peer);
  uvow_stream_unref(x.other.in);
  uvow_sink_drop(x.other.out);
  x.s.loop = NULL;
  script_end(&x.s);
}

/* Every allocation fails once: each request is settled, nothing is left. */
static void body(test_alloc_t *alloc, void *data) {
  over_t x;
  uvow_channel_t a = {NULL, NULL}, b = {NULL, NULL};
  uvow_peer_t *other = NULL;
  int promised = 0;
  (void)data;
  memset(&x, 0, sizeof(x));
  script_init_with(&x.s, alloc);
  script_mark_t m = script_mark(&x.s, NULL);
  x.methods = x.s.loop ? uvow_methods_new(x.s.loop) : NULL;
  uvow_peer_options_t options = default_options(&x);
  if (x.methods && uvow_methods_add(x.methods, "echo", echo_cb, &x) == 0 &&
      uvow_channel_pair(x.s.loop, &a, &b) == 0) {
    x.peer = uvow_peer_new(x.s.loop, uvow_channel_lines(a, 1000), &options);
    other = uvow_peer_new(x.s.loop, uvow_channel_lines(b, 1000), &options);
  }
  for (int i = 0; x.peer && other && i < 3; i++) {
    uvow_future_t *f =
        uvow_peer_requestf(i % 2 ? x.peer : other, "echo", "[i]", i);
    promised += f && uvow_future_done(f, script_done, &m) == 0;
  }
  if (x.s.loop)
    script_turns(&x.s);
  uvow_future_t *f = uvow_peer_close(x.peer);
  promised += f && uvow_future_done(f, script_done, &m) == 0;
  if (x.s.loop)
    script_turns(&x.s);
  uvow_methods_unref(x.methods);
  uvow_peer_unref(x.peer);
  uvow_peer_unref(other);
  script_quit(&x.s);
  assert_int_equal(m.calls, promised);
}

TEST_CASE(test_no_memory) {
  test_alloc_sweep(body, NULL);
}

TEST_MODULE(peer_over) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_both_ways),
      cmocka_unit_test(test_full_sink),
      cmocka_unit_test(test_unread_peer),
      cmocka_unit_test(test_ends),
      cmocka_unit_test(test_close),
      cmocka_unit_test(test_close_late),
      cmocka_unit_test(test_close_unread),
      cmocka_unit_test(test_unread_sink),
      cmocka_unit_test(test_end_before_room),
      cmocka_unit_test(test_end_and_nobody),
      cmocka_unit_test(test_freed_in_callbacks),
      cmocka_unit_test(test_bad_arguments),
      cmocka_unit_test(test_loop_close),
      cmocka_unit_test(test_no_memory),
  };
  return cmocka_run_group_tests_name("rpc/peer_over", tests, NULL, NULL);
}
