/* What can't be: of NULL, of what is used up, of a loop that is closed, of a
 * callback that gives what it mustn't. Each is said, and what was taken goes. */
#include <uvow.h>

#include "support/turn.h"

typedef struct scene {
  turn_t turn;
  uvow_stream_t *stream;
  uvow_sink_t *sink;
  uvow_future_t *future;
  turn_item_t item;
  int calls;
} scene_t;

static void begin(scene_t *s) {
  memset(s, 0, sizeof(*s));
  turn_init(&s->turn);
  s->stream = uvow_stream_new(s->turn.loop, NULL, &s->sink);
  assert_non_null(s->stream);
}

static void end(scene_t *s) {
  uvow_stream_unref(s->stream);
  uvow_sink_drop(s->sink);
  turn_end(&s->turn);
}

static void look(const uvow_result_t *result, void *data) {
  (void)result;
  (void)data;
}

/* Takes f. */
static void expect(scene_t *s, uvow_future_t *f, const char *result) {
  assert_int_equal(uvow_future_done(uvow_future_ref(f), look, NULL), 0);
  turn_run(&s->turn);
  assert_string_equal(turn_result(&s->turn, f), result);
  uvow_future_unref(f);
}

/* The same of the next item of a stream. Takes it. */
static void expect_next(scene_t *s, uvow_stream_t *stream, const char *result) {
  assert_non_null(stream);
  expect(s, uvow_stream_next(stream), result);
  uvow_stream_unref(stream);
}

static uvow_stream_t *own(scene_t *s) {
  uvow_stream_t *stream = s->stream;
  s->stream = NULL;
  return stream;
}

static uvow_next_t ignore(const uvow_result_t *item, void *data) {
  (void)item;
  ((scene_t *)data)->calls++;
  return uvow_next_none();
}

static void count(void *data) {
  ((scene_t *)data)->calls++;
}

TEST_CASE(of_nothing) {
  scene_t s;
  uvow_result_t result = {0};
  assert_int_equal(uvow_stream_waiting(NULL), 0);
  assert_int_equal(uvow_result_is_end(NULL), 0);
  assert_int_equal(uvow_result_missed(NULL), 0);
  assert_int_equal(uvow_result_is_end(&result), 0);
  assert_null(uvow_gate_new(NULL));
  uvow_gate_set(NULL, 1);
  begin(&s);
  expect(&s, uvow_stream_each(own(&s), NULL, NULL), "!EINVAL");
  end(&s);
  begin(&s);
  expect_next(&s, uvow_stream_map(own(&s), NULL, NULL), "!EINVAL");
  end(&s);
  begin(&s);
  expect_next(&s, uvow_stream_batch(own(&s), 0, 5), "!EINVAL");
  end(&s);
  begin(&s);
  s.future = uvow_future_delay(s.turn.loop, 5);
  assert_int_equal(uvow_future_peek(s.future, NULL), UVOW_EINVAL);
  assert_int_equal(uvow_future_cancel(s.future), 0);
  uvow_future_unref(s.future);
  end(&s);
}

static uvow_next_t pass_item(const uvow_result_t *item, void *data) {
  *(int *)data += item->error != NULL;
  return uvow_next_pass();
}

static uvow_next_t nothing(const uvow_result_t *item, void *data) {
  (void)item;
  (void)data;
  return uvow_next_future(NULL);
}

/* An error may be an item: a map that passes it on, and one that fails. */
TEST_CASE(that_are_items) {
  for (int how = 0; how < 2; how++) {
    turn_t turn;
    int errors = 0;
    turn_init(&turn);
    uvow_future_t *f = uvow_future_rejected(
        turn.loop, uvow_error_new(turn.loop, UVOW_EURL, "no"));
    uvow_stream_t *s = uvow_stream_of_futures(turn.loop, &f, 1);
    s = uvow_stream_map(s, how ? nothing : pass_item, &errors);
    turn_mark_t m = turn_mark(&turn, "m"), end = turn_mark(&turn, "end");
    uvow_future_done(uvow_stream_each(s, turn_then, &m), turn_done, &end);
    turn_run(&turn);
    assert_int_equal(errors, !how);
    turn_expect(&turn, how ? "end!ENOMEM" : "m!EURL end+");
    turn_end(&turn);
  }
}

static void sweep_slices(test_alloc_t *alloc, void *data) {
  static const uvow_slice_t json = {"[1]", 3};
  turn_t turn;
  uvow_sink_t *sink = NULL;
  (void)data;
  turn_init_with(&turn, alloc);
  uvow_stream_t *s = uvow_stream_new(turn.loop, NULL, &sink);
  if (s) {
    int rc = uvow_sink_push(sink, uvow_value_slice(&json));
    assert_int_equal(rc, alloc->failed ? UVOW_ENOMEM : 0);
    assert_int_equal(uvow_stream_waiting(s), rc ? 0 : 1);
    uvow_sink_end(sink);
    uvow_stream_unref(s);
  }
  turn_end(&turn);
}

/* What is lent is copied, or it isn't taken. */
TEST_CASE(of_what_can_not_be_copied) {
  test_alloc_sweep(sweep_slices, NULL);
}

TEST_CASE(of_a_sink_that_is_used_up) {
  scene_t s;
  begin(&s);
  uvow_sink_end(s.sink);
  uvow_sink_fail(s.sink, uvow_error_new(s.turn.loop, UVOW_EPROTO, "late"));
  uvow_sink_on_cancel(s.sink, NULL, &s, count);
  uvow_sink_on_cancel(s.sink, NULL, &s, NULL);
  assert_int_equal(s.calls, 1);
  uvow_stream_t *more = uvow_stream_ref(s.stream);
  assert_null(uvow_stream_pipe(more, s.sink));
  assert_int_equal(uvow_error_code(uvow_loop_error(s.turn.loop)), UVOW_EINVAL);
  s.sink = NULL;
  end(&s);
}

TEST_CASE(of_a_stream_that_is_read) {
  uvow_stream_options_t options = {.size = 0};
  scene_t s;
  begin(&s);
  uvow_future_t *each = uvow_stream_each(uvow_stream_ref(s.stream), ignore, &s);
  expect(&s, uvow_stream_collect(uvow_stream_ref(s.stream), 5), "!EBUSY");
  assert_null(uvow_stream_tee(s.stream, &options));
  expect_next(&s, uvow_stream_map(uvow_stream_ref(s.stream), NULL, NULL),
              "!EBUSY"); /* it's the first reason */
  expect_next(&s, uvow_stream_batch(uvow_stream_ref(s.stream), 0, 5), "!EBUSY");
  expect_next(&s, uvow_stream_take(uvow_stream_ref(s.stream), 0), "!EBUSY");
  uvow_sink_end(s.sink);
  s.sink = NULL;
  expect(&s, each, "+");
  end(&s);
}

TEST_CASE(of_a_loop_that_is_closed) {
  turn_t turn;
  turn_init(&turn);
  turn_close(&turn);
  assert_null(uvow_limit_new(turn.loop, 1));
  assert_null(uvow_gate_new(turn.loop));
  turn_assert_released(&turn);
}

TEST_CASE(of_values_and_channels) {
  uvow_channel_t a, b;
  scene_t s;
  begin(&s);
  assert_int_equal(uvow_channel_pair(s.turn.loop, NULL, &b), UVOW_EINVAL);
  assert_int_equal(uvow_channel_pair(s.turn.loop, &a, NULL), UVOW_EINVAL);
  assert_null(uvow_stream_new(s.turn.loop, NULL, NULL));
  expect(&s,
         uvow_future_fulfilled(s.turn.loop,
                               uvow_value_binary(s.turn.loop, NULL, 5)),
         "!EINVAL");
  expect(&s,
         uvow_future_fulfilled(s.turn.loop, uvow_value_binary(NULL, "a", 1)),
         "!EINVAL");
  uvow_sink_fail(s.sink, NULL);
  s.sink = NULL;
  expect_next(&s, own(&s), "!EINVAL");
  assert_int_equal(uvow_channel_pair(s.turn.loop, &a, &b), 0);
  a = uvow_channel_content_length(a, 100);
  assert_int_equal(uvow_sink_push(b.out, uvow_value_int64(5)), 0);
  expect_next(&s, a.in, "!ETYPE");
  uvow_sink_drop(a.out);
  uvow_sink_drop(b.out);
  uvow_stream_unref(b.in);
  end(&s);
}

/* An item that is an error isn't a line: it's the end of them. */
TEST_CASE(of_lines_of_no_bytes) {
  scene_t s;
  begin(&s);
  uvow_future_t *f = uvow_future_rejected(
      s.turn.loop, uvow_error_new(s.turn.loop, UVOW_EPROTO, "no"));
  expect_next(
      &s, uvow_stream_lines(uvow_stream_of_futures(s.turn.loop, &f, 1), 100),
      "!EPROTO");
  assert_int_equal(uvow_sink_push(s.sink, uvow_value_int64(1)), 0);
  expect_next(&s, uvow_stream_lines(own(&s), 100), "!ETYPE");
  end(&s);
}

static uvow_next_t pass(const uvow_result_t *item, void *data) {
  (void)ignore(item, data);
  return uvow_next_pass();
}

TEST_CASE(each_that_passes) {
  scene_t s;
  begin(&s);
  uvow_future_t *each = uvow_stream_each(own(&s), pass, &s);
  for (int i = 0; i < 3; i++)
    assert_int_equal(uvow_sink_push(s.sink, uvow_value_int64(i)), 0);
  uvow_sink_end(s.sink);
  s.sink = NULL;
  expect(&s, each, "+");
  assert_int_equal(s.calls, 3);
  end(&s);
}

/* A continuation may end in a stream: it's read to its end. */
static uvow_next_t to_a_stream(const uvow_result_t *result, void *data) {
  scene_t *s = (scene_t *)data;
  (void)result;
  if (s->future)
    (void)uvow_future_cancel(s->future);
  return uvow_next_stream(own(s));
}

TEST_CASE(a_stream_that_nobody_takes) {
  for (int canceled = 0; canceled < 2; canceled++) {
    scene_t s;
    begin(&s);
    uvow_sink_on_cancel(s.sink, count, &s, NULL);
    uvow_future_t *f = uvow_future_then(
        uvow_future_fulfilled(s.turn.loop, uvow_value_none()), to_a_stream, &s);
    s.future = canceled ? f : NULL;
    turn_run(&s.turn);
    if (!canceled) {
      assert_int_equal(uvow_sink_push(s.sink, uvow_value_int64(1)), 0);
      uvow_sink_end(s.sink);
      s.sink = NULL;
    }
    expect(&s, f, canceled ? "!ECANCELED" : "+");
    assert_int_equal(s.calls, canceled);
    end(&s);
  }
}

/* A scope takes what is given to it, whatever becomes of it. */
TEST_CASE(of_a_scope) {
  turn_t other;
  scene_t s;
  begin(&s);
  turn_init(&other);
  assert_null(uvow_scope_new(NULL));
  assert_null(uvow_scope_idle(NULL));
  assert_int_equal(uvow_scope_timeout(NULL, 5), UVOW_EINVAL);
  uvow_scope_t *scope = uvow_scope_new(s.turn.loop);
  uvow_future_t *foreign = uvow_future_fulfilled(other.loop, uvow_value_none());
  expect(&s, uvow_scope_add(scope, uvow_future_ref(foreign)), "!EINVAL");
  expect(&s, uvow_scope_close(scope), "+");
  assert_int_equal(uvow_scope_timeout(scope, 5), 0);
  expect(&s,
         uvow_scope_add(scope,
                        uvow_future_fulfilled(s.turn.loop, uvow_value_none())),
         "!ECANCELED");
  expect(&s, uvow_scope_add(scope, uvow_future_ref(foreign)), "!EINVAL");
  uvow_scope_free(scope);
  uvow_future_unref(foreign);
  turn_end(&other);
  end(&s);
}

static uvow_future_t *start_itself(size_t i, void *data) {
  (void)i;
  return uvow_future_ref(((scene_t *)data)->future);
}

static uvow_future_t *start_unique(size_t i, void *data) {
  scene_t *s = (scene_t *)data;
  (void)i;
  return uvow_future_fulfilled(s->turn.loop,
                               turn_item(&turn_type_unique, &s->item));
}

TEST_CASE(jobs_of_a_map) {
  scene_t s;
  begin(&s);
  s.future = uvow_future_map(s.turn.loop, 1, 1, start_itself, &s);
  expect(&s, s.future, "!ECYCLE");
  s.future = uvow_future_map_settled(s.turn.loop, 1, 1, start_unique, &s);
  turn_run(&s.turn);
  assert_int_equal(s.item.destroyed, 0); /* the result shares it */
  uvow_future_unref(s.future);
  turn_run(&s.turn);
  assert_int_equal(s.item.destroyed, 1);
  end(&s);
}

static uvow_future_t *start_and_cancel(void *data) {
  scene_t *s = (scene_t *)data;
  s->calls++;
  assert_int_equal(uvow_future_cancel(s->future), 0);
  return uvow_future_delay(s->turn.loop, 1000);
}

TEST_CASE(a_turn_that_cancels_itself) {
  scene_t s;
  begin(&s);
  uvow_limit_t *limit = uvow_limit_new(s.turn.loop, 1);
  s.future = uvow_limit_run(limit, start_and_cancel, &s);
  turn_run(&s.turn);
  expect(&s, s.future, "!ECANCELED");
  assert_int_equal(s.calls, 1);
  uvow_limit_unref(limit);
  end(&s);
}

TEST_MODULE(refusals) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(of_nothing),
      cmocka_unit_test(that_are_items),
      cmocka_unit_test(of_what_can_not_be_copied),
      cmocka_unit_test(of_a_sink_that_is_used_up),
      cmocka_unit_test(of_a_stream_that_is_read),
      cmocka_unit_test(of_a_loop_that_is_closed),
      cmocka_unit_test(a_stream_that_nobody_takes),
      cmocka_unit_test(of_values_and_channels),
      cmocka_unit_test(of_lines_of_no_bytes),
      cmocka_unit_test(each_that_passes),
      cmocka_unit_test(of_a_scope),
      cmocka_unit_test(jobs_of_a_map),
      cmocka_unit_test(a_turn_that_cancels_itself),
  };
  return cmocka_run_group_tests_name("future/refusals", tests, NULL, NULL);
}
