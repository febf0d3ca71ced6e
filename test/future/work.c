/* Bounded work: map, limits, gates; and until. */
#include "support/turn.h"

#include <uvow/combine.h>
#include <uvow/work.h>

#define JOBS 8

typedef struct jobs {
  turn_t turn;
  uvow_promise_t *promises[JOBS];
  size_t started;
  size_t canceled;
  size_t fails_at;   /* start gives NULL; JOBS: never */
  size_t cancels_at; /* start cancels the whole */
  uvow_future_t *whole;
} jobs_t;

static void on_cancel(void *data) {
  ((jobs_t *)data)->canceled++;
}

static uvow_future_t *start_job(size_t i, void *data) {
  jobs_t *jobs = (jobs_t *)data;
  assert_int_equal(i, jobs->started);
  jobs->started++;
  if (i == jobs->fails_at)
    return NULL;
  if (i == jobs->cancels_at)
    (void)uvow_future_cancel(jobs->whole);
  uvow_future_t *f = uvow_promise_new(jobs->turn.loop, &jobs->promises[i]);
  uvow_promise_on_cancel(jobs->promises[i], on_cancel, jobs, NULL);
  return f;
}

static uvow_future_t *start_one(void *data) {
  jobs_t *jobs = (jobs_t *)data;
  return start_job(jobs->started, data);
}

static void jobs_init(jobs_t *jobs) {
  memset(jobs, 0, sizeof(*jobs));
  turn_init(&jobs->turn);
  jobs->fails_at = jobs->cancels_at = JOBS;
}

static void settle(jobs_t *jobs, size_t i, int code) {
  if (code)
    uvow_promise_reject_code(jobs->promises[i], code, NULL);
  else
    uvow_promise_fulfill(jobs->promises[i], uvow_value_int64((int64_t)i * 10));
  turn_run(&jobs->turn);
}

/* Values that nobody destroys, that have owners, and that have one. */
typedef struct values {
  turn_t turn;
  turn_item_t counted, unique;
} values_t;

static uvow_future_t *start_value(size_t i, void *data) {
  values_t *x = (values_t *)data;
  uvow_value_t value = uvow_value_none();
  if (i == 1)
    value = uvow_value_text("text");
  else if (i == 2)
    value = turn_item(&turn_type_counted, &x->counted);
  else if (i == 3)
    value = turn_item(&turn_type_unique, &x->unique);
  return uvow_future_fulfilled(x->turn.loop, value);
}

TEST_CASE(jobs_bring_any_value) {
  values_t x;
  turn_init(&x.turn);
  uvow_future_t *f = uvow_future_map(x.turn.loop, 4, 2, start_value, &x);
  turn_run(&x.turn);
  assert_int_equal(uvow_future_state(f), UVOW_FULFILLED);
  uvow_future_unref(f);
  turn_run(&x.turn);
  assert_int_equal(x.counted.destroyed, 1);
  assert_int_equal(x.unique.destroyed, 1);
  turn_end(&x.turn);
}

/* Who is to stop it isn't there, or is on another loop. */
TEST_CASE(until_needs_its_stop) {
  turn_t turn, other;
  turn_init(&turn);
  turn_init(&other);
  turn_mark_t a = turn_mark(&turn, "a");
  for (int elsewhere = 0; elsewhere < 2; elsewhere++) {
    uvow_promise_t *p, *q = NULL;
    uvow_future_t *f = uvow_promise_new(turn.loop, &p);
    uvow_future_t *stop = elsewhere ? uvow_promise_new(other.loop, &q) : NULL;
    uvow_future_done(uvow_future_until(f, stop), turn_done, &a);
    uvow_promise_free(p);
    uvow_promise_free(q);
    turn_run(&turn);
    turn_run(&other);
    turn_expect(&turn, elsewhere ? "a!EINVAL" : "a!ENOMEM");
  }
  turn_end(&turn);
  turn_end(&other);
}

TEST_CASE(at_most_so_many) {
  jobs_t jobs;
  const uvow_results_t *results;
  uvow_result_t result, one;
  int64_t n;
  jobs_init(&jobs);
  uvow_future_t *f = uvow_future_map(jobs.turn.loop, 5, 2, start_job, &jobs);
  assert_int_equal(jobs.started, 0); /* never within */
  turn_run(&jobs.turn);
  assert_int_equal(jobs.started, 2);
  settle(&jobs, 1, 0);
  assert_int_equal(jobs.started, 3);
  settle(&jobs, 2, 0);
  settle(&jobs, 0, 0);
  assert_int_equal(jobs.started, 5);
  settle(&jobs, 4, 0);
  assert_int_equal(uvow_future_state(f), UVOW_PENDING);
  settle(&jobs, 3, 0);
  assert_int_equal(uvow_future_peek(f, &result), 0);
  assert_int_equal(uvow_value_get_results(&result.value, &results), 0);
  for (size_t i = 0; i < 5; i++) {
    assert_int_equal(uvow_results_get(results, i, &one), 0);
    assert_int_equal(uvow_value_get_int64(&one.value, &n), 0);
    assert_int_equal(n, i * 10);
  }
  uvow_future_unref(f);
  f = uvow_future_map(jobs.turn.loop, 0, 1, start_job, &jobs);
  assert_string_equal(turn_result(&jobs.turn, f), "+results");
  uvow_future_unref(f);
  f = uvow_future_map(jobs.turn.loop, 1, 0, start_job, &jobs);
  assert_string_equal(turn_result(&jobs.turn, f), "!EINVAL");
  uvow_future_unref(f);
  assert_null(uvow_future_map(NULL, 1, 1, start_job, &jobs));
  turn_run(&jobs.turn);
  turn_expect_unhandled(&jobs.turn, "EINVAL");
  turn_end(&jobs.turn);
}

TEST_CASE(the_first_error_ends_a_map) {
  for (int how = 0; how < 4; how++) {
    static const char *const expected[] = {"!EURL", "!ENOMEM", "!ECANCELED",
                                           "!ECANCELED"};
    jobs_t jobs;
    jobs_init(&jobs);
    turn_mark_t end = turn_mark(&jobs.turn, "");
    if (how == 1)
      jobs.fails_at = 2;
    if (how == 3)
      jobs.cancels_at = 2;
    jobs.whole = uvow_future_map(jobs.turn.loop, 6, 3, start_job, &jobs);
    uvow_future_done(uvow_future_ref(jobs.whole), turn_done, &end);
    turn_run(&jobs.turn);
    assert_int_equal(jobs.started, 3);
    if (how == 0)
      settle(&jobs, 1, UVOW_EURL);
    else if (how == 2)
      assert_int_equal(uvow_future_cancel(jobs.whole), 0);
    turn_run(&jobs.turn);
    turn_expect(&jobs.turn, expected[how]);
    assert_int_equal(jobs.started, 3);
    assert_int_equal(jobs.canceled, how < 2 ? 2 : 3);
    for (size_t i = 0; i < 3; i++) {
      if (!(how == 0 && i == 1))
        uvow_promise_drop(jobs.promises[i]);
    }
    uvow_future_unref(jobs.whole);
    turn_end(&jobs.turn);
  }
}

TEST_CASE(settled_takes_errors) {
  jobs_t jobs;
  const uvow_results_t *results;
  uvow_result_t result, one;
  jobs_init(&jobs);
  jobs.fails_at = 1;
  uvow_future_t *f =
      uvow_future_map_settled(jobs.turn.loop, 3, 3, start_job, &jobs);
  turn_run(&jobs.turn);
  settle(&jobs, 0, UVOW_EURL);
  settle(&jobs, 2, 0);
  assert_int_equal(uvow_future_peek(f, &result), 0);
  assert_int_equal(uvow_value_get_results(&result.value, &results), 0);
  assert_int_equal(uvow_results_get(results, 0, &one), 0);
  assert_int_equal(uvow_error_code(one.error), UVOW_EURL);
  assert_int_equal(uvow_results_get(results, 1, &one), 0);
  assert_int_equal(uvow_error_code(one.error), UVOW_ENOMEM);
  assert_int_equal(uvow_results_get(results, 2, &one), 0);
  assert_null(one.error);
  uvow_future_unref(f);
  turn_end(&jobs.turn);
}

TEST_CASE(a_limit_gives_turns) {
  jobs_t jobs;
  uvow_future_t *f[4];
  jobs_init(&jobs);
  assert_null(uvow_limit_new(jobs.turn.loop, 0));
  uvow_limit_t *limit = uvow_limit_new(jobs.turn.loop, 2);
  for (size_t i = 0; i < 4; i++)
    f[i] = uvow_limit_run(limit, start_one, &jobs);
  uvow_limit_unref(limit); /* who waits still gets a turn */
  turn_run(&jobs.turn);
  assert_int_equal(jobs.started, 2);
  assert_int_equal(uvow_future_cancel(f[2]), 0); /* it isn't started */
  settle(&jobs, 0, UVOW_EURL);
  assert_int_equal(jobs.started, 3);
  assert_string_equal(turn_result(&jobs.turn, f[0]), "!EURL");
  assert_string_equal(turn_result(&jobs.turn, f[1]), "?");
  assert_int_equal(uvow_future_cancel(f[1]), 0);
  turn_run(&jobs.turn);
  assert_int_equal(jobs.canceled, 1);
  uvow_promise_drop(jobs.promises[1]);
  settle(&jobs, 2, 0);
  assert_string_equal(turn_result(&jobs.turn, f[3]), "+20");
  for (size_t i = 0; i < 4; i++)
    uvow_future_unref(f[i]);
  turn_expect_unhandled(&jobs.turn, "EURL");
  turn_end(&jobs.turn);
}

TEST_CASE(a_gate_opens_for_all) {
  turn_t turn;
  turn_init(&turn);
  turn_mark_t a = turn_mark(&turn, "a"), b = turn_mark(&turn, "b");
  uvow_gate_t *gate = uvow_gate_new(turn.loop);
  uvow_future_t *f = uvow_gate_wait(gate);
  uvow_future_done(uvow_gate_wait(gate), turn_done, &a);
  uvow_future_done(uvow_gate_wait(gate), turn_done, &b);
  uvow_future_cancel(f); /* nobody else's */
  uvow_future_unref(f);
  uvow_gate_set(gate, 1);
  turn_expect(&turn, "");
  turn_run(&turn);
  turn_expect(&turn, "a+ b+");
  uvow_future_done(uvow_gate_wait(gate), turn_done, &a);
  uvow_gate_set(gate, 0);
  uvow_future_done(uvow_gate_wait(gate), turn_done, &b);
  turn_run(&turn);
  turn_expect(&turn, "a+");
  uvow_gate_free(gate);
  turn_run(&turn);
  turn_expect(&turn, "b!EBROKEN");
  uvow_gate_free(NULL);
  assert_null(uvow_gate_wait(NULL));
  turn_end(&turn);
}

TEST_CASE(until_something_else) {
  for (int how = 0; how < 4; how++) {
    static const char *const expected[] = {"+1", "!ECANCELED", "!ECANCELED",
                                           "!ECANCELED"};
    jobs_t jobs;
    jobs_init(&jobs);
    turn_mark_t end = turn_mark(&jobs.turn, "");
    uvow_promise_t *p, *stop;
    uvow_future_t *f = uvow_promise_new(jobs.turn.loop, &p);
    uvow_future_t *s = uvow_promise_new(jobs.turn.loop, &stop);
    uvow_promise_on_cancel(p, on_cancel, &jobs, NULL);
    uvow_promise_on_cancel(stop, on_cancel, &jobs, NULL);
    f = uvow_future_until(f, s);
    uvow_future_done(uvow_future_ref(f), turn_done, &end);
    if (how == 0)
      uvow_promise_fulfill(p, uvow_value_int64(1));
    else if (how == 1)
      uvow_promise_fulfill(stop, uvow_value_none());
    else if (how == 2)
      uvow_promise_reject_code(stop, UVOW_EURL, NULL);
    else
      uvow_future_cancel(f);
    turn_run(&jobs.turn);
    turn_expect(&jobs.turn, expected[how]);
    assert_int_equal(jobs.canceled, how == 3 ? 2 : 1);
    uvow_result_t result;
    assert_int_equal(uvow_future_peek(f, &result), 0);
    assert_int_equal(uvow_error_code(uvow_error_cause(result.error)),
                     how == 2 ? UVOW_EURL : 0);
    if (how != 0)
      uvow_promise_drop(p);
    if (how == 0 || how == 3)
      uvow_promise_drop(stop);
    uvow_future_unref(f);
    turn_end(&jobs.turn);
  }
}

TEST_CASE(closing_the_loop_ends_all) {
  jobs_t jobs;
  jobs_init(&jobs);
  turn_mark_t end = turn_mark(&jobs.turn, "");
  uvow_limit_t *limit = uvow_limit_new(jobs.turn.loop, 1);
  uvow_gate_t *gate = uvow_gate_new(jobs.turn.loop);
  uvow_future_done(uvow_future_map(jobs.turn.loop, 3, 1, start_job, &jobs),
                   turn_done, &end);
  uvow_future_done(uvow_limit_run(limit, start_one, &jobs), turn_done, &end);
  uvow_future_done(uvow_limit_run(limit, start_one, &jobs), turn_done, &end);
  uvow_future_done(uvow_gate_wait(gate), turn_done, &end);
  turn_run(&jobs.turn);
  turn_close(&jobs.turn);
  turn_expect(&jobs.turn, "!ECLOSED !ECLOSED !ECLOSED !ECLOSED");
  uvow_promise_drop(jobs.promises[0]);
  uvow_promise_drop(jobs.promises[1]);
  uvow_limit_unref(limit);
  assert_int_equal(jobs.turn.releases, 0);
  uvow_gate_free(gate);
  turn_assert_released(&jobs.turn);
}

static uvow_future_t *start_delay(size_t i, void *data) {
  return uvow_future_fulfilled(((turn_t *)data)->loop,
                               uvow_value_int64((int64_t)i));
}

static uvow_future_t *start_turn(void *data) {
  return start_delay(1, data);
}

static void sweep(test_alloc_t *alloc, void *data) {
  turn_t turn;
  (void)data;
  turn_init_with(&turn, alloc);
  uvow_future_t *f = uvow_future_map(turn.loop, 5, 2, start_delay, &turn);
  uvow_limit_t *limit = uvow_limit_new(turn.loop, 1);
  uvow_future_detach(uvow_limit_run(limit, start_turn, &turn));
  uvow_future_detach(uvow_limit_run(limit, start_turn, &turn));
  uvow_gate_t *gate = uvow_gate_new(turn.loop);
  f = uvow_future_until(f, uvow_gate_wait(gate));
  turn_run(&turn);
  uvow_future_unref(f);
  uvow_limit_unref(limit);
  uvow_gate_free(gate);
  turn_run(&turn);
  turn.unhandled[0] = '\0';
  turn_end(&turn);
}

TEST_CASE(every_allocation_fails) {
  test_alloc_sweep(sweep, NULL);
}

TEST_MODULE(work) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(jobs_bring_any_value),
      cmocka_unit_test(until_needs_its_stop),
      cmocka_unit_test(at_most_so_many),
      cmocka_unit_test(the_first_error_ends_a_map),
      cmocka_unit_test(settled_takes_errors),
      cmocka_unit_test(a_limit_gives_turns),
      cmocka_unit_test(a_gate_opens_for_all),
      cmocka_unit_test(until_something_else),
      cmocka_unit_test(closing_the_loop_ends_all),
      cmocka_unit_test(every_allocation_fails),
  };
  return cmocka_run_group_tests_name("future/work", tests, NULL, NULL);
}
