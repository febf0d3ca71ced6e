/* Fibers: what an await gives, in which order, and how one ends. */
#include "support/loop_bed.h"

typedef struct scene {
  loop_bed_t bed;
  uvow_promise_t *promise;
  uvow_future_t *future; /* of the promise, or the fiber's */
  uvow_next_t next;
  int code;
  int turns;
  const char *name;
} scene_t;

static void open_scene(scene_t *s) {
  memset(s, 0, sizeof(*s));
  loop_bed_open(&s->bed);
  s->next = uvow_next_pass();
}

static void log_done(const uvow_result_t *result, void *data) {
  scene_t *s = data;
  int64_t n = -1;
  if (result->error)
    loop_bed_log(&s->bed, uvow_err_name(uvow_error_code(result->error)) + 5);
  else if (uvow_value_get_int64(&result->value, &n) == 0)
    loop_bed_log_number(&s->bed, "=", (int)n);
  else
    loop_bed_log(&s->bed, "=none");
}

static uvow_next_t adds(uvow_loop_t *loop, void *data) {
  scene_t *s = data;
  uvow_result_t r;
  int64_t a = 0, b = 0;
  assert_int_equal(uvow_await(s->future, &r), 0);
  assert_ptr_equal(r.loop, loop);
  assert_int_equal(uvow_value_get_int64(&r.value, &a), 0);
  assert_int_equal(uvow_await_delay(loop, 1), 0);
  assert_int_equal(
      uvow_await(uvow_future_fulfilled(loop, uvow_value_int64(2)), &r), 0);
  assert_int_equal(uvow_value_get_int64(&r.value, &b), 0);
  return uvow_next_value(uvow_value_int64(a + b));
}

TEST_CASE(an_await_gives_the_value) {
  scene_t s;
  open_scene(&s);
  s.future = uvow_promise_new(s.bed.loop, &s.promise);
  uvow_future_t *f = uvow_fiber_spawn(s.bed.loop, adds, &s);
  assert_int_equal(uvow_future_done(f, log_done, &s), 0);
  loop_bed_run(&s.bed);
  loop_bed_expect(&s.bed, "");
  uvow_promise_fulfill(s.promise, uvow_value_int64(40));
  loop_bed_run(&s.bed);
  loop_bed_close(&s.bed, "=42 closed");
}

static uvow_next_t fails(uvow_loop_t *loop, void *data) {
  scene_t *s = data;
  uvow_result_t r;
  uvow_error_t *error = uvow_error_new(loop, UVOW_EURL, "no URL at all");
  int rc = uvow_await(uvow_future_rejected(loop, error), &r);
  assert_int_equal(rc, UVOW_EURL);
  assert_string_equal(uvow_error_message(r.error), "no URL at all");
  loop_bed_log(&s->bed, "seen");
  assert_int_equal(uvow_await_delay(loop, 0), 0);
  assert_string_equal(s->bed.unhandled, ""); /* it was observed */
  return uvow_next_code(UVOW_EPROTO, "not observed");
}

TEST_CASE(an_await_gives_the_error) {
  scene_t s;
  open_scene(&s);
  uvow_future_detach(uvow_fiber_spawn(s.bed.loop, fails, &s));
  loop_bed_run(&s.bed);
  assert_string_equal(s.bed.unhandled, "not observed");
  loop_bed_close(&s.bed, "seen closed");
}

static uvow_next_t log_then(const uvow_result_t *result, void *data) {
  (void)result;
  loop_bed_log(data, "then");
  return uvow_next_pass();
}

static uvow_next_t goes_straight(uvow_loop_t *loop, void *data) {
  scene_t *s = data;
  uvow_future_t *f = uvow_future_fulfilled(loop, uvow_value_none());
  uvow_future_detach(uvow_future_then(uvow_future_ref(f), log_then, &s->bed));
  loop_bed_log(&s->bed, "a");
  assert_int_equal(uvow_await(f, NULL), 0);
  loop_bed_log(&s->bed, "b"); /* before the continuation that was first */
  assert_int_equal(uvow_await_delay(loop, 0), 0);
  loop_bed_log(&s->bed, "c");
  return uvow_next_pass();
}

TEST_CASE(a_settled_future_does_not_switch) {
  scene_t s;
  open_scene(&s);
  uvow_future_done(uvow_fiber_spawn(s.bed.loop, goes_straight, &s), log_done,
                   &s);
  loop_bed_expect(&s.bed, ""); /* spawn runs nothing */
  loop_bed_run(&s.bed);
  loop_bed_close(&s.bed, "a b then c =none closed");
}

static uvow_next_t yields(uvow_loop_t *loop, void *data) {
  scene_t *s = data;
  uvow_future_detach(uvow_future_then(
      uvow_future_fulfilled(loop, uvow_value_none()), log_then, &s->bed));
  for (int i = 0; !s->bed.log[0]; i++) {
    assert_true(i <= 10000);
    assert_int_equal(
        uvow_await(uvow_future_fulfilled(loop, uvow_value_none()), NULL), 0);
  }
  return uvow_next_pass();
}

TEST_CASE(settled_futures_without_end_starve_nobody) {
  scene_t s;
  open_scene(&s);
  uvow_future_detach(uvow_fiber_spawn(s.bed.loop, yields, &s));
  loop_bed_run(&s.bed);
  loop_bed_close(&s.bed, "then closed");
}

static uvow_next_t takes_turns(uvow_loop_t *loop, void *data) {
  scene_t *s = data;
  for (int i = 0; i < 3; i++) {
    loop_bed_log_number(&s->bed, s->name, i);
    assert_int_equal(uvow_await_delay(loop, 0), 0);
  }
  return uvow_next_pass();
}

TEST_CASE(fibers_take_turns) {
  scene_t s;
  scene_t other;
  open_scene(&s);
  s.name = "a";
  uvow_future_detach(uvow_fiber_spawn(s.bed.loop, takes_turns, &s));
  loop_bed_run(&s.bed);
  loop_bed_expect(&s.bed, "a0 a1 a2");
  open_scene(&other);
  uvow_future_detach(uvow_fiber_spawn(other.bed.loop, takes_turns, &s));
  uvow_future_detach(uvow_fiber_spawn(s.bed.loop, takes_turns, &s));
  loop_bed_run(&other.bed);
  loop_bed_close(&other.bed, "closed");
  loop_bed_expect(&s.bed, "a0 a1 a2");
  loop_bed_run(&s.bed);
  loop_bed_close(&s.bed, "a0 a1 a2 closed");
}

static uvow_next_t returns(uvow_loop_t *loop, void *data) {
  (void)loop;
  return ((scene_t *)data)->next;
}

static uvow_next_t returns_itself(uvow_loop_t *loop, void *data) {
  scene_t *s = data;
  (void)loop;
  return uvow_next_future(uvow_future_ref(s->future));
}

TEST_CASE(what_is_returned_settles_it) {
  scene_t s;
  open_scene(&s);
  uvow_next_t nexts[] = {
      uvow_next_none(),
      uvow_next_value(uvow_value_int64(1)),
      uvow_next_code(UVOW_EPROTO, "text"),
      uvow_next_future(uvow_promise_new(s.bed.loop, &s.promise)),
      uvow_next_error(NULL),
      uvow_next_future(NULL)};
  const char *logs[] = {"=none", "=1", "EPROTO", "", "EINVAL", "ENOMEM"};
  for (size_t i = 0; i < sizeof(nexts) / sizeof(*nexts); i++) {
    s.next = nexts[i];
    uvow_future_done(uvow_fiber_spawn(s.bed.loop, returns, &s), log_done, &s);
    loop_bed_run(&s.bed);
    loop_bed_expect(&s.bed, logs[i]);
  }
  uvow_promise_fulfill(s.promise, uvow_value_int64(7));
  loop_bed_run(&s.bed);
  loop_bed_expect(&s.bed, "=7");
  s.future = uvow_fiber_spawn(s.bed.loop, returns_itself, &s);
  uvow_future_done(uvow_future_ref(s.future), log_done, &s);
  loop_bed_run(&s.bed);
  uvow_future_unref(s.future);
  loop_bed_close(&s.bed, "ECYCLE closed");
}

static void log_cancel(void *data) {
  loop_bed_log(data, "on_cancel");
}

/* Waits for the promise, and cleans up. */
static uvow_next_t is_canceled(uvow_loop_t *loop, void *data) {
  scene_t *s = data;
  uvow_result_t untouched = {0};
  loop_bed_log(&s->bed, "begins");
  uvow_promise_t *promise;
  uvow_future_t *f = uvow_promise_new(loop, &promise);
  s->promise = promise;
  s->code = uvow_await(f, &untouched);
  uvow_promise_drop(promise);
  assert_null(untouched.loop);
  loop_bed_log(&s->bed, "cleans");
  assert_int_equal(uvow_await_delay(loop, 100000), UVOW_ECANCELED);
  assert_int_equal(
      uvow_await(uvow_future_fulfilled(loop, uvow_value_none()), NULL),
      UVOW_ECANCELED);
  return uvow_next_value(uvow_value_int64(3)); /* too late: nobody gets it */
}

TEST_CASE(a_cancel_ends_all_awaits) {
  scene_t s;
  open_scene(&s);
  uvow_future_t *f = uvow_fiber_spawn(s.bed.loop, is_canceled, &s);
  loop_bed_run(&s.bed);
  loop_bed_expect(&s.bed, "begins");
  uvow_promise_on_cancel(s.promise, log_cancel, &s.bed, NULL);
  assert_int_equal(uvow_future_cancel(f), 0);
  assert_int_equal(uvow_future_state(f), UVOW_REJECTED);
  /* What it waits for is canceled with it, not when it continues. */
  assert_int_equal(uvow_promise_try_fulfill(s.promise, uvow_value_none()),
                   UVOW_EALREADY);
  assert_int_equal(uvow_future_cancel(f), UVOW_EALREADY);
  loop_bed_run(&s.bed);
  assert_int_equal(s.code, UVOW_ECANCELED);
  loop_bed_expect(&s.bed, "on_cancel cleans");
  uvow_future_unref(f);
  loop_bed_close(&s.bed, "closed");
}

TEST_CASE(a_cancel_before_the_start_runs_it) {
  scene_t s;
  open_scene(&s);
  uvow_future_t *f = uvow_fiber_spawn(s.bed.loop, is_canceled, &s);
  assert_int_equal(uvow_future_cancel(f), 0);
  uvow_future_unref(f);
  loop_bed_run(&s.bed);
  assert_int_equal(s.code, UVOW_ECANCELED);
  loop_bed_close(&s.bed, "begins cleans closed");
}

static uvow_next_t cancels_itself(uvow_loop_t *loop, void *data) {
  scene_t *s = data;
  assert_int_equal(uvow_future_cancel(s->future), 0);
  assert_int_equal(uvow_await_delay(loop, 0), UVOW_ECANCELED);
  loop_bed_log(&s->bed, "self");
  return uvow_next_code(UVOW_EPROTO, NULL);
}

TEST_CASE(a_fiber_may_cancel_itself) {
  scene_t s;
  open_scene(&s);
  s.future = uvow_fiber_spawn(s.bed.loop, cancels_itself, &s);
  loop_bed_run(&s.bed);
  uvow_future_unref(s.future);
  loop_bed_close(&s.bed, "self closed");
}

/* It's settled, and its fiber is queued, when the cancel comes. */
TEST_CASE(a_cancel_after_the_settling_counts) {
  scene_t s;
  open_scene(&s);
  uvow_future_t *f = uvow_fiber_spawn(s.bed.loop, is_canceled, &s);
  loop_bed_run(&s.bed);
  uvow_promise_try_fulfill(s.promise, uvow_value_int64(1));
  assert_int_equal(uvow_future_cancel(f), 0);
  loop_bed_run(&s.bed);
  assert_int_equal(s.code, UVOW_ECANCELED);
  uvow_future_unref(f);
  loop_bed_close(&s.bed, "begins cleans closed");
}

TEST_CASE(a_future_that_others_wait_for_goes_on) {
  scene_t s;
  open_scene(&s);
  s.future = uvow_promise_new(s.bed.loop, &s.promise);
  uvow_future_t *kept = uvow_future_ref(s.future);
  uvow_future_t *f = uvow_fiber_spawn(s.bed.loop, adds, &s);
  loop_bed_run(&s.bed);
  uvow_future_unref(f); /* lets it go on */
  loop_bed_run(&s.bed);
  assert_int_equal(uvow_future_state(kept), UVOW_PENDING);
  uvow_promise_fulfill(s.promise, uvow_value_int64(1));
  loop_bed_run(&s.bed);
  uvow_future_unref(kept);
  loop_bed_close(&s.bed, "closed");
}

TEST_CASE(closing_cancels_and_waits) {
  scene_t s;
  open_scene(&s);
  uvow_future_done(uvow_fiber_spawn(s.bed.loop, is_canceled, &s), log_done, &s);
  loop_bed_run(&s.bed);
  uvow_future_done(uvow_fiber_spawn(s.bed.loop, is_canceled, &s), log_done, &s);
  loop_bed_close(&s.bed, "begins begins cleans ECLOSED cleans ECLOSED closed");
  assert_int_equal(s.code, UVOW_ECANCELED);
}

/* The loop closes as one that is canceled has yet to be continued. */
TEST_CASE(closing_waits_for_the_canceled) {
  scene_t s;
  open_scene(&s);
  uvow_future_t *f = uvow_fiber_spawn(s.bed.loop, is_canceled, &s);
  loop_bed_run(&s.bed);
  assert_int_equal(uvow_future_cancel(f), 0);
  uvow_future_unref(f);
  loop_bed_close(&s.bed, "begins cleans closed");
  assert_int_equal(s.code, UVOW_ECANCELED);
}

static uvow_next_t closes_the_loop(uvow_loop_t *loop, void *data) {
  scene_t *s = data;
  assert_int_equal(uvow_await_delay(loop, 0), 0);
  uvow_loop_close(loop, log_cancel, &s->bed);
  s->bed.loop = NULL;
  loop_bed_log(&s->bed, "asked");
  assert_int_equal(uvow_await_delay(loop, 0), UVOW_ECANCELED);
  assert_null(uvow_fiber_spawn(loop, closes_the_loop, s));
  loop_bed_log(&s->bed, "returns");
  return uvow_next_pass();
}

TEST_CASE(a_fiber_may_close_its_loop) {
  scene_t s;
  open_scene(&s);
  uvow_future_done(uvow_fiber_spawn(s.bed.loop, closes_the_loop, &s), log_done,
                   &s);
  loop_bed_run(&s.bed);
  loop_bed_close(&s.bed, "asked returns ECLOSED on_cancel");
}

typedef struct nest {
  uvow_promise_t *promise;
  int depth;
  int unwound;
} nest_t;

static uvow_next_t goes_deeper(uvow_loop_t *loop, void *data) {
  nest_t *nest = data;
  uvow_future_t *f = nest->depth-- > 0
                         ? uvow_fiber_spawn(loop, goes_deeper, nest)
                         : uvow_promise_new(loop, &nest->promise);
  int rc = uvow_await(f, NULL);
  nest->unwound++;
  return uvow_next_code(rc, NULL);
}

/* F6: fibers that wait for each other are canceled without recursion. */
TEST_CASE(a_cancel_goes_through_many_fibers) {
  scene_t s;
  nest_t nest = {.depth = loop_bed_many(3000)};
  int depth = nest.depth;
  open_scene(&s);
  uvow_future_t *f = uvow_fiber_spawn(s.bed.loop, goes_deeper, &nest);
  loop_bed_run(&s.bed);
  uvow_promise_on_cancel(nest.promise, log_cancel, &s.bed, NULL);
  assert_int_equal(uvow_future_cancel(f), 0);
  loop_bed_run(&s.bed);
  assert_int_equal(nest.unwound, depth + 1);
  uvow_future_unref(f);
  uvow_promise_drop(nest.promise);
  loop_bed_close(&s.bed, "on_cancel closed");
}

static void look(const uvow_future_info_t *info, void *data) {
  loop_bed_log(data, info->kind);
}

TEST_CASE(the_walk_names_fibers) {
  scene_t s;
  open_scene(&s);
  uvow_future_t *f = uvow_fiber_spawn(s.bed.loop, is_canceled, &s);
  assert_int_equal(uvow_loop_walk(s.bed.loop, look, &s.bed), 1);
  loop_bed_expect(&s.bed, "fiber");
  uvow_future_cancel(f);
  uvow_future_unref(f);
  loop_bed_run(&s.bed);
  loop_bed_close(&s.bed, "begins cleans closed");
}

static uvow_next_t counts_turns(uvow_loop_t *loop, void *data) {
  scene_t *s = data;
  uvow_future_t *f = s->future;
  s->future = NULL;
  s->code = uvow_await(f, NULL);
  s->turns++;
  s->turns += uvow_await_delay(loop, 0) == UVOW_ECANCELED ? 0 : 100;
  return uvow_next_pass();
}

static uvow_next_t passes(const uvow_result_t *result, void *data) {
  (void)result;
  (void)data;
  return uvow_next_pass();
}

/* One callback cancels the fiber, and fulfills what it waits for: 1: in this
 * order; links: behind so many continuations. */
static void cancel_and_fulfill(int cancels_first, int links) {
  scene_t s;
  open_scene(&s);
  s.future = uvow_promise_new(s.bed.loop, &s.promise);
  for (int i = 0; i < links; i++)
    s.future = uvow_future_then(s.future, passes, NULL);
  uvow_future_t *f = uvow_fiber_spawn(s.bed.loop, counts_turns, &s);
  uv_run(&s.bed.uv, UV_RUN_NOWAIT);
  assert_null(s.future); /* it waits */
  if (cancels_first)
    assert_int_equal(uvow_future_cancel(f), 0);
  uvow_promise_fulfill(s.promise, uvow_value_none());
  if (!cancels_first)
    assert_int_equal(uvow_future_cancel(f), 0);
  uvow_future_unref(f);
  loop_bed_run(&s.bed);
  assert_int_equal(s.turns, 1);
  assert_int_equal(s.code, UVOW_ECANCELED);
  loop_bed_close(&s.bed, "closed");
}

TEST_CASE(canceled_and_fulfilled_at_once) {
  for (int links = 0; links < 3; links++) {
    cancel_and_fulfill(0, links);
    cancel_and_fulfill(1, links);
  }
}

typedef struct both {
  scene_t *s;
  uvow_future_t *fiber;
  int cancels_first;
} both_t;

static uvow_next_t do_both(const uvow_result_t *result, void *data) {
  both_t *both = data;
  (void)result;
  if (both->cancels_first)
    assert_int_equal(uvow_future_cancel(both->fiber), 0);
  uvow_promise_fulfill(both->s->promise, uvow_value_none());
  if (!both->cancels_first)
    assert_int_equal(uvow_future_cancel(both->fiber), 0);
  return uvow_next_none();
}

/* The same within a drain. */
TEST_CASE(the_same_in_a_callback) {
  for (int cancels_first = 0; cancels_first < 2; cancels_first++) {
    scene_t s;
    open_scene(&s);
    both_t both = {&s, NULL, cancels_first};
    s.future = uvow_promise_new(s.bed.loop, &s.promise);
    both.fiber = uvow_fiber_spawn(s.bed.loop, counts_turns, &s);
    uv_run(&s.bed.uv, UV_RUN_NOWAIT);
    uvow_future_detach(
        uvow_future_then(uvow_future_delay(s.bed.loop, 0), do_both, &both));
    loop_bed_run(&s.bed);
    uvow_future_unref(both.fiber);
    assert_int_equal(s.turns, 1);
    assert_int_equal(s.code, UVOW_ECANCELED);
    loop_bed_close(&s.bed, "closed");
  }
}

TEST_MODULE(fiber) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_await_gives_the_value),
      cmocka_unit_test(an_await_gives_the_error),
      cmocka_unit_test(a_settled_future_does_not_switch),
      cmocka_unit_test(settled_futures_without_end_starve_nobody),
      cmocka_unit_test(fibers_take_turns),
      cmocka_unit_test(what_is_returned_settles_it),
      cmocka_unit_test(a_cancel_ends_all_awaits),
      cmocka_unit_test(a_cancel_before_the_start_runs_it),
      cmocka_unit_test(a_fiber_may_cancel_itself),
      cmocka_unit_test(a_cancel_after_the_settling_counts),
      cmocka_unit_test(a_future_that_others_wait_for_goes_on),
      cmocka_unit_test(closing_cancels_and_waits),
      cmocka_unit_test(closing_waits_for_the_canceled),
      cmocka_unit_test(a_fiber_may_close_its_loop),
      cmocka_unit_test(a_cancel_goes_through_many_fibers),
      cmocka_unit_test(canceled_and_fulfilled_at_once),
      cmocka_unit_test(the_same_in_a_callback),
      cmocka_unit_test(the_walk_names_fibers),
  };
  return cmocka_run_group_tests_name("fiber/fiber", tests, NULL, NULL);
}
