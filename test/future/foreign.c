/* What is of another loop, or missing: it's refused, said, and let go of. */
#include <uvow/future.h>
#include <uvow/loop.h>
#include <uvow/stream.h>
#include <uvow/work.h>

#include "support/turn.h"

typedef struct two {
  turn_t here;
  turn_t there;
} two_t;

static void open_two(two_t *t) {
  turn_init(&t->here);
  turn_init(&t->there);
}

static void close_two(two_t *t) {
  turn_end(&t->here);
  turn_end(&t->there);
}

/* What is logged here until the future, "f", ends. Takes it. */
static void expect_end(two_t *t, uvow_future_t *f, const char *expected) {
  turn_mark_t mark = turn_mark(&t->here, "f");
  assert_int_equal(uvow_future_done(f, turn_done, &mark), 0);
  turn_run(&t->here);
  turn_run(&t->there);
  turn_expect(&t->here, expected);
}

/* How the stream goes on. Takes it. */
static void expect_next(two_t *t, uvow_stream_t *s, const char *expected) {
  expect_end(t, uvow_stream_next(s), expected);
  uvow_stream_unref(s);
}

/* A future of that loop, pending; what it was made with is dropped. */
static uvow_future_t *future_of(turn_t *turn) {
  uvow_promise_t *promise;
  uvow_future_t *f = uvow_promise_new(turn->loop, &promise);
  uvow_promise_fulfill(promise, uvow_value_int64(7));
  return f;
}

TEST_CASE(a_merge) {
  two_t t;
  uvow_sink_t *sink;
  open_two(&t);
  turn_mark_t gone = turn_mark(&t.there, "s");
  uvow_stream_t *s = uvow_stream_new(t.there.loop, NULL, &sink);
  uvow_sink_on_cancel(sink, turn_cancel, &gone, NULL);
  expect_next(&t, uvow_stream_merge(t.here.loop, &s, 1), "f!EINVAL");
  turn_expect(&t.there, "s^"); /* nobody reads it any more */
  uvow_sink_end(sink);
  close_two(&t);
}

TEST_CASE(a_pipe) {
  two_t t;
  uvow_sink_t *from, *to;
  open_two(&t);
  turn_mark_t gone = turn_mark(&t.here, "s");
  uvow_stream_t *s = uvow_stream_new(t.here.loop, NULL, &from);
  uvow_sink_on_cancel(from, turn_cancel, &gone, NULL);
  uvow_stream_t *there = uvow_stream_new(t.there.loop, NULL, &to);
  expect_end(&t, uvow_stream_pipe(s, to), "s^ f!EINVAL");
  uvow_future_t *next = uvow_stream_next(there);
  turn_run(&t.there);
  assert_string_equal(turn_result(&t.there, next), "!EBROKEN");
  turn_expect_unhandled(&t.there, "EBROKEN");
  uvow_future_unref(next);
  uvow_stream_unref(there);
  uvow_sink_end(from);
  close_two(&t);
}

TEST_CASE(futures_of_a_stream) {
  two_t t;
  open_two(&t);
  uvow_future_t *futures[2] = {future_of(&t.there), NULL};
  uvow_stream_t *s = uvow_stream_of_futures(t.here.loop, futures, 2);
  expect_end(&t, uvow_stream_next(s), "f!EINVAL");
  expect_end(&t, uvow_stream_next(s), "f!ENOMEM");
  uvow_stream_unref(s);
  s = uvow_stream_of_futures(t.here.loop, NULL, 0);
  uvow_future_t *end = uvow_stream_next(s);
  uvow_result_t r;
  turn_run(&t.here);
  assert_int_equal(uvow_future_peek(end, &r), 0);
  assert_true(uvow_result_is_end(&r));
  uvow_future_unref(end);
  uvow_stream_unref(s);
  assert_null(uvow_stream_of_futures(t.here.loop, NULL, 1));
  assert_int_equal(uvow_error_code(uvow_loop_error(t.here.loop)), UVOW_EINVAL);
  close_two(&t);
}

TEST_CASE(the_end_of_an_until) {
  two_t t;
  uvow_sink_t *sink;
  open_two(&t);
  uvow_stream_t *s = uvow_stream_new(t.here.loop, NULL, &sink);
  expect_next(&t, uvow_stream_until(s, future_of(&t.there)), "f!EINVAL");
  uvow_sink_end(sink);
  s = uvow_stream_new(t.here.loop, NULL, &sink);
  expect_next(&t, uvow_stream_until(s, NULL), "f!ENOMEM");
  uvow_sink_end(sink);
  close_two(&t);
}

static uvow_next_t map_there(const uvow_result_t *item, void *data) {
  two_t *t = (two_t *)data;
  (void)item;
  return uvow_next_future(future_of(&t->there));
}

TEST_CASE(what_a_map_waits_for) {
  two_t t;
  uvow_sink_t *sink;
  open_two(&t);
  uvow_stream_t *s = uvow_stream_new(t.here.loop, NULL, &sink);
  assert_int_equal(uvow_sink_push(sink, uvow_value_int64(1)), 0);
  expect_next(&t, uvow_stream_map(s, map_there, &t), "f!EINVAL");
  uvow_sink_end(sink);
  close_two(&t);
}

static uvow_future_t *start_there(size_t i, void *data) {
  two_t *t = (two_t *)data;
  (void)i;
  return future_of(&t->there);
}

static uvow_future_t *start_none(size_t i, void *data) {
  (void)i;
  (void)data;
  return NULL;
}

TEST_CASE(jobs) {
  two_t t;
  open_two(&t);
  expect_end(&t, uvow_future_map(t.here.loop, 2, 1, start_there, &t),
             "f!EINVAL");
  expect_end(&t, uvow_future_map(t.here.loop, 2, 1, start_none, &t),
             "f!ENOMEM");
  uvow_limit_t *limit = uvow_limit_new(t.here.loop, 1);
  assert_null(uvow_limit_run(limit, NULL, NULL));
  assert_int_equal(uvow_error_code(uvow_loop_error(t.here.loop)), UVOW_EINVAL);
  assert_null(uvow_limit_run(NULL, NULL, NULL));
  assert_null(uvow_limit_ref(NULL));
  uvow_limit_unref(NULL);
  uvow_limit_unref(limit);
  assert_null(uvow_limit_new(NULL, 1));
  assert_null(uvow_limit_new(t.here.loop, 0));
  close_two(&t);
}

TEST_MODULE(foreign) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_merge),
      cmocka_unit_test(a_pipe),
      cmocka_unit_test(futures_of_a_stream),
      cmocka_unit_test(the_end_of_an_until),
      cmocka_unit_test(what_a_map_waits_for),
      cmocka_unit_test(jobs),
  };
  return cmocka_run_group_tests_name("future/foreign", tests, NULL, NULL);
}
