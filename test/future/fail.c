/* uvow_loop_error: why the last call failed; what sets it, and what doesn't. */
#include "support/turn.h"

#include <uvow/channel.h>
#include <uvow/loop.h>
#include <uvow/scope.h>
#include <uvow/stream.h>
#include <uvow/work.h>

static const char *told(const turn_t *turn) {
  return uvow_error_message(uvow_loop_error(turn->loop));
}

static int code_of(const turn_t *turn) {
  return uvow_error_code(uvow_loop_error(turn->loop));
}

static uvow_future_t *no_job(size_t i, void *data) {
  (void)i;
  (void)data;
  return NULL;
}

TEST_CASE(it_says_which_argument) {
  turn_t turn;
  uvow_sink_t *sink;
  uvow_channel_t channel;
  uvow_stream_options_t full = {sizeof(full), 0, 0, (uvow_full_t)77, 0};
  uvow_retry_options_t retry = {0};
  uvow_chain_options_t chain = {0};
  turn_init(&turn);
  assert_int_equal(code_of(&turn), 0);
  assert_int_equal(uvow_error_code(uvow_loop_error(NULL)), UVOW_EINVAL);
  assert_null(uvow_limit_new(turn.loop, 0));
  assert_int_equal(code_of(&turn), UVOW_EINVAL);
  assert_string_equal(told(&turn), "at_most must not be 0");
  assert_null(uvow_stream_new(turn.loop, &full, &sink));
  assert_string_equal(told(&turn),
                      "options.full is 77: it must be a uvow_full_t");
  assert_null(uvow_stream_merge(turn.loop, NULL, 2));
  assert_string_equal(told(&turn), "streams must not be NULL");
  assert_null(uvow_stream_of_futures(turn.loop, NULL, 2));
  assert_string_equal(told(&turn), "futures must not be NULL");
  assert_int_equal(uvow_channel_pair(turn.loop, &channel, NULL), UVOW_EINVAL);
  assert_string_equal(told(&turn), "ret_b must not be NULL");
  assert_null(uvow_future_retry(turn.loop, NULL, NULL, &retry));
  assert_non_null(
      strstr(told(&turn), "options must be a uvow_retry_options_t"));
  assert_null(uvow_limit_new(turn.loop, 0));
  uvow_future_t *f = uvow_future_fulfilled(turn.loop, uvow_value_none());
  assert_null(uvow_future_chain(f, &chain));
  assert_non_null(
      strstr(told(&turn), "options must be a uvow_chain_options_t"));
  f = uvow_future_fulfilled(turn.loop, uvow_value_none());
  assert_int_equal(uvow_future_done(f, NULL, NULL), UVOW_EINVAL);
  assert_string_equal(told(&turn), "cb must not be NULL");
  turn_end(&turn);
}

/* A future that is returned says it itself. */
TEST_CASE(a_future_says_which_argument) {
  turn_t turn;
  uvow_result_t result;
  turn_init(&turn);
  uvow_future_t *futures[] = {
      uvow_future_all(turn.loop, NULL, 3),
      uvow_future_race(turn.loop, NULL, 0),
      uvow_future_retry(turn.loop, NULL, NULL, NULL),
      uvow_future_map(turn.loop, 3, 0, no_job, NULL),
      uvow_future_map(turn.loop, 3, 1, NULL, NULL),
  };
  static const char *const texts[] = {
      "futures must not be NULL", "count must not be 0", "fn must not be NULL",
      "at_most must not be 0", "start must not be NULL"};
  for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
    assert_int_equal(uvow_future_peek(futures[i], &result), 0);
    assert_int_equal(uvow_error_code(result.error), UVOW_EINVAL);
    assert_string_equal(uvow_error_message(result.error), texts[i]);
    uvow_future_unref(futures[i]);
  }
  assert_int_equal(code_of(&turn), 0);
  turn_run(&turn);
  turn_expect_unhandled(&turn, "EINVAL EINVAL EINVAL EINVAL EINVAL");
  turn_end(&turn);
}

TEST_CASE(a_full_sink_says_so) {
  turn_t turn;
  uvow_sink_t *sink;
  turn_init(&turn);
  uvow_stream_t *s =
      uvow_stream_new(turn.loop, UVOW_WITH(stream, .max_items = 1), &sink);
  assert_int_equal(uvow_sink_push(sink, uvow_value_int64(1)), 1);
  assert_int_equal(code_of(&turn), 0);
  assert_int_equal(uvow_sink_push(sink, uvow_value_int64(2)), UVOW_EOVERLOAD);
  assert_string_equal(told(&turn),
                      "the stream is full: wait for uvow_sink_room");
  uvow_stream_unref(s);
  assert_int_equal(uvow_sink_push(sink, uvow_value_int64(2)), UVOW_ECANCELED);
  assert_string_equal(told(&turn), "the stream is read by nobody any more");
  uvow_sink_drop(sink);
  turn_end(&turn);
}

/* Of a chain of calls the first one that failed is told. */
TEST_CASE(what_passes_a_null_on_leaves_it) {
  turn_t turn;
  turn_init(&turn);
  assert_null(uvow_limit_new(turn.loop, 0));
  uvow_future_t *f = uvow_limit_run(NULL, NULL, NULL);
  f = uvow_future_then(f, turn_then, NULL);
  f = uvow_future_catch(f, turn_then, NULL);
  f = uvow_future_finally(f, turn_finally, NULL);
  f = uvow_future_timeout(f, 5);
  f = uvow_scope_add(NULL, f);
  assert_int_equal(uvow_future_done(f, turn_done, NULL), UVOW_ENOMEM);
  uvow_stream_t *s = uvow_stream_take(NULL, 3);
  assert_null(uvow_stream_first(s));
  assert_string_equal(told(&turn), "at_most must not be 0");
  turn_end(&turn);
}

/* Answers, successes, and what a cleanup calls. */
TEST_CASE(what_does_not_fail_leaves_it) {
  turn_t turn;
  uvow_promise_t *p;
  uvow_sink_t *sink;
  int64_t number;
  uvow_result_t result;
  turn_init(&turn);
  uvow_scope_t *scope = uvow_scope_new(turn.loop);
  uvow_stream_t *s = uvow_stream_new(turn.loop, NULL, &sink);
  uvow_future_t *f = uvow_promise_new(turn.loop, &p);
  assert_null(uvow_limit_new(turn.loop, 0));
  uvow_value_t text = uvow_value_text("no number");
  assert_int_equal(uvow_value_get_int64(&text, &number), UVOW_ETYPE);
  assert_int_equal(uvow_future_peek(f, &result), UVOW_EINVAL);
  assert_int_equal(uvow_future_cancel(f), 0);
  assert_int_equal(uvow_future_cancel(f), UVOW_EALREADY);
  assert_int_equal(uvow_promise_try_fulfill(p, text), UVOW_EALREADY);
  uvow_promise_drop(p);
  uvow_future_unref(f);
  uvow_stream_unref(s);
  uvow_sink_drop(sink);
  uvow_scope_free(scope);
  turn_run(&turn);
  assert_string_equal(told(&turn), "at_most must not be 0");
  turn_end(&turn);
}

/* A destructor that runs within the call that fails, and fails itself. */
static void destroy_fails(void *data) {
  turn_mark_t *mark = (turn_mark_t *)data;
  assert_null(uvow_stream_merge(mark->turn->loop, NULL, 1));
  assert_string_equal(told(mark->turn), "streams must not be NULL");
}

TEST_CASE(a_destructor_that_fails_leaves_it) {
  turn_t turn;
  turn_init(&turn);
  turn_mark_t mark = turn_mark(&turn, "a");
  uvow_chain_options_t options = {sizeof(options), turn_then, turn_then, &mark,
                                  destroy_fails};
  uvow_future_t *f = uvow_future_fulfilled(turn.loop, uvow_value_none());
  turn_run(&turn);
  uvow__pool_block_t *blocks = turn.rt.links.free;
  turn.rt.links.free = NULL;
  turn.alloc->fail_at = turn.alloc->calls + 1;
  assert_null(uvow_future_chain(f, &options));
  turn.rt.links.free = blocks;
  assert_int_equal(code_of(&turn), UVOW_ENOMEM);
  turn_end(&turn);
}

static uvow_next_t fails(const uvow_result_t *result, void *data) {
  turn_mark_t *mark = (turn_mark_t *)data;
  assert_null(uvow_limit_new(result->loop, 0));
  uvow_future_drop(mark->future); /* a cleanup on the way out */
  mark->future = NULL;
  return uvow_next_failed(result->loop);
}

TEST_CASE(next_failed_passes_it_on) {
  turn_t turn;
  uvow_result_t result;
  turn_init(&turn);
  turn_mark_t mark = turn_mark(&turn, "a");
  mark.future = uvow_future_delay(turn.loop, 5);
  uvow_future_t *f = uvow_future_fulfilled(turn.loop, uvow_value_none());
  f = uvow_future_then(f, fails, &mark);
  uvow_next_t none = uvow_next_failed(turn.loop);
  assert_int_equal(none.kind, UVOW_NEXT_CODE);
  turn_run(&turn);
  assert_int_equal(uvow_future_peek(f, &result), 0);
  assert_string_equal(uvow_error_message(result.error),
                      "at_most must not be 0");
  uvow_future_unref(f);
  turn_expect_unhandled(&turn, "EINVAL");
  turn_end(&turn);
}

TEST_CASE(a_closed_loop_says_so) {
  turn_t turn;
  uvow_promise_t *p;
  turn_init(&turn);
  uvow_future_t *f = uvow_promise_new(turn.loop, &p);
  uvow_promise_drop(p);
  turn_close(&turn);
  assert_null(uvow_promise_new(turn.loop, &p));
  assert_int_equal(code_of(&turn), UVOW_ECLOSED);
  assert_null(uvow_scope_new(turn.loop));
  assert_string_equal(told(&turn), "the loop is closed");
  uvow_future_unref(f);
  turn_assert_released(&turn);
}

TEST_MODULE(fail) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(it_says_which_argument),
      cmocka_unit_test(a_future_says_which_argument),
      cmocka_unit_test(a_full_sink_says_so),
      cmocka_unit_test(what_passes_a_null_on_leaves_it),
      cmocka_unit_test(what_does_not_fail_leaves_it),
      cmocka_unit_test(a_destructor_that_fails_leaves_it),
      cmocka_unit_test(next_failed_passes_it_on),
      cmocka_unit_test(a_closed_loop_says_so),
  };
  return cmocka_run_group_tests_name("future/fail", tests, NULL, NULL);
}
