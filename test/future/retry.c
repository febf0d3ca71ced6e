/* retry: attempts, pauses, the deadline, and every way out. */
#include "support/turn.h"

#include <uvow/combine.h>

#define MS 1000000u

/* Time goes by, and libuv's timer calls. */
static void later(turn_t *turn, uint64_t ns) {
  turn->now_ns += ns;
  uvow__runtime_enter(&turn->rt);
  uvow__runtime_expire(&turn->rt);
  uvow__runtime_leave(&turn->rt);
  turn_run(turn);
}

/* retry_if and random may not call uvow, and a debug build aborts where they do;
 * in others it does no harm. */
#ifdef UVOW_DEBUG
#define LAST_PLACE 1
#else
#define LAST_PLACE 3
#endif

/* What the attempts do. */
typedef struct work {
  turn_t turn;
  uvow_future_t *f; /* the retry */
  uvow_promise_t *promise;
  turn_mark_t owner;
  uvow_retry_options_t options;
  uint64_t random;
  uint32_t attempts;
  uint32_t asked;
  uint32_t drawn;
  int destroyed;
  int cancel_in; /* 1: cancel within fn, 2: within retry_if, 3: random */
  int close_in;  /* as cancel_in */
  int no_future;
  int answer; /* of retry_if */
} work_t;

static void act(work_t *work, int where) {
  if (work->cancel_in == where)
    uvow_future_cancel(work->f);
  if (work->close_in == where)
    uvow__runtime_close(&work->turn.rt);
}

static uvow_future_t *attempt(uint32_t n, void *data) {
  work_t *work = (work_t *)data;
  assert_int_equal(n, ++work->attempts);
  uvow_promise_drop(work->promise);
  work->promise = NULL;
  if (work->no_future)
    return NULL;
  uvow_future_t *f = uvow_promise_new(work->turn.loop, &work->promise);
  uvow_promise_on_cancel(work->promise, turn_cancel, &work->owner, NULL);
  act(work, 1);
  return f;
}

static int ask(const uvow_error_t *error, uint32_t n, void *data) {
  work_t *work = (work_t *)data;
  assert_int_equal(n, work->attempts);
  work->asked++;
  assert_true(uvow_error_code(error) < 0);
  act(work, 2);
  return work->answer;
}

static uint64_t chance(void *data) {
  work_t *work = (work_t *)data;
  work->drawn++;
  act(work, 3);
  return work->random;
}

static void destroy(void *data) {
  ((work_t *)data)->destroyed++;
}

static void work_init(work_t *work) {
  memset(work, 0, sizeof(*work));
  turn_init(&work->turn);
  work->owner = turn_mark(&work->turn, "owner");
  work->options.size = sizeof(work->options);
  work->options.random = chance;
  work->options.destroy = destroy;
  work->random = 0;
  work->answer = 1;
}

static void work_start(work_t *work) {
  work->f = uvow_future_retry(work->turn.loop, attempt, work, &work->options);
  turn_run(&work->turn);
}

static void work_end(work_t *work) {
  uvow_promise_drop(work->promise);
  uvow_future_unref(work->f);
  turn_run(&work->turn);
  assert_int_equal(work->destroyed, 1);
  assert_int_equal(work->turn.rt.holds, 0);
  turn_end(&work->turn);
}

static void lose(work_t *work, int code) {
  uvow_promise_t *promise = work->promise;
  work->promise = NULL;
  uvow_promise_reject_code(promise, code, NULL);
  turn_run(&work->turn);
}

static void win(work_t *work) {
  uvow_promise_t *promise = work->promise;
  work->promise = NULL;
  uvow_promise_fulfill(promise, uvow_value_int64(7));
  turn_run(&work->turn);
}

#define expect(work, text)                                                     \
  assert_string_equal(turn_result(&(work)->turn, (work)->f), text)

TEST_CASE(the_first_succeeds) {
  work_t work;
  work_init(&work);
  work.f = uvow_future_retry(work.turn.loop, attempt, &work, &work.options);
  assert_int_equal(work.attempts, 0); /* not within the call */
  turn_run(&work.turn);
  assert_int_equal(work.attempts, 1);
  assert_int_equal(work.turn.rt.holds, 0);
  win(&work);
  expect(&work, "+7");
  assert_int_equal(work.destroyed, 1);
  work_end(&work);
}

TEST_CASE(three_by_default) {
  work_t work;
  work_init(&work);
  work_start(&work);
  lose(&work, UVOW_EURL);
  assert_int_equal(work.attempts, 1);
  assert_int_equal(work.turn.rt.holds, 1); /* the pause */
  later(&work.turn, 0);
  assert_int_equal(work.attempts, 2);
  assert_int_equal(work.turn.rt.holds, 0);
  lose(&work, UVOW_EUTF8);
  later(&work.turn, 0);
  assert_int_equal(work.attempts, 3);
  lose(&work, UVOW_ELOST);
  expect(&work, "!ELOST"); /* the last error itself */
  turn_expect_unhandled(&work.turn, "ELOST");
  work_end(&work);
}

/* The bound of a pause doubles up to max_ms; the pause is anywhere below. */
TEST_CASE(pauses_grow) {
  static const uint64_t bounds[] = {100, 200, 400, 800, 1000, 1000, 1000};
  work_t work;
  for (int highest = 0; highest < 2; highest++) {
    work_init(&work);
    work.options.max_attempts = UVOW_RETRY_NO_LIMIT;
    work.options.max_ms = 1000;
    work_start(&work);
    for (uint32_t i = 0; i < 7; i++) {
      work.random = highest ? bounds[i] : bounds[i] + 1 + 3;
      uint64_t ms = highest ? bounds[i] : 3;
      lose(&work, UVOW_EURL);
      later(&work.turn, ms * MS - 1);
      assert_int_equal(work.attempts, i + 1);
      later(&work.turn, 1);
      assert_int_equal(work.attempts, i + 2);
    }
    win(&work);
    expect(&work, "+7");
    work_end(&work);
  }
}

TEST_CASE(defaults_of_pauses) {
  work_t work;
  uint64_t bound = 100;
  work_init(&work);
  work.options.max_attempts = UVOW_RETRY_NO_LIMIT;
  work_start(&work);
  for (uint32_t i = 1; i < 12; i++) {
    work.random = bound;
    lose(&work, UVOW_EURL);
    later(&work.turn, bound * MS - 1);
    assert_int_equal(work.attempts, i);
    later(&work.turn, 1);
    assert_int_equal(work.attempts, i + 1);
    bound = bound * 2 > 10000 ? 10000 : bound * 2;
  }
  uvow_future_cancel(work.f);
  turn_run(&work.turn);
  turn_expect(&work.turn, "owner^");
  work_end(&work);
}

TEST_CASE(extreme_options) {
  work_t work;
  work_init(&work);
  work.options.max_attempts = 5;
  work.options.base_ms = UINT64_MAX;
  work.options.max_ms = UINT64_MAX;
  work.options.deadline_ms = UINT64_MAX;
  work.random = UINT64_MAX;
  work_start(&work);
  lose(&work, UVOW_EURL);
  later(&work.turn, UINT64_C(1000000000) * MS);
  assert_int_equal(work.attempts, 1);
  assert_int_equal(uvow_future_cancel(work.f), 0);
  work_end(&work);
  work_init(&work);
  work.options.base_ms = 50;
  work.options.max_ms = 20; /* the lower counts */
  work.random = 20;
  work_start(&work);
  lose(&work, UVOW_EURL);
  later(&work.turn, 20 * MS - 1);
  assert_int_equal(work.attempts, 1);
  later(&work.turn, 1);
  assert_int_equal(work.attempts, 2);
  win(&work);
  work_end(&work);
}

TEST_CASE(the_predicate_decides) {
  work_t work;
  work_init(&work);
  work.options.retry_if = ask;
  work_start(&work);
  lose(&work, UVOW_ECANCELED); /* asked in place of the default */
  assert_int_equal(work.asked, 1);
  later(&work.turn, 0);
  assert_int_equal(work.attempts, 2);
  work.answer = 0;
  lose(&work, UVOW_EURL);
  expect(&work, "!EURL");
  turn_expect_unhandled(&work.turn, "EURL");
  assert_int_equal(work.asked, 2);
  work_end(&work);
}

TEST_CASE(the_last_is_not_asked_about) {
  work_t work;
  work_init(&work);
  work.options.max_attempts = 1;
  work.options.retry_if = ask;
  work_start(&work);
  lose(&work, UVOW_EURL);
  expect(&work, "!EURL");
  turn_expect_unhandled(&work.turn, "EURL");
  assert_int_equal(work.asked, 0);
  work_end(&work);
}

TEST_CASE(a_canceled_attempt_ends_it) {
  work_t work;
  work_init(&work);
  work_start(&work);
  lose(&work, UVOW_ECANCELED);
  expect(&work, "!ECANCELED");
  work_end(&work);
}

TEST_CASE(the_deadline_during_an_attempt) {
  work_t work;
  uvow_result_t result;
  work_init(&work);
  work.options.deadline_ms = 50;
  work_start(&work);
  assert_int_equal(work.turn.rt.holds, 1);
  lose(&work, UVOW_EURL);
  later(&work.turn, 0);
  later(&work.turn, 50 * MS - 1);
  expect(&work, "?");
  later(&work.turn, 1);
  expect(&work, "!ETIMEDOUT");
  turn_expect(&work.turn, "owner^");
  turn_expect_unhandled(&work.turn, "ETIMEDOUT");
  assert_int_equal(uvow_future_peek(work.f, &result), 0);
  assert_int_equal(uvow_error_code(uvow_error_cause(result.error)), UVOW_EURL);
  assert_string_equal(uvow_error_message(result.error),
                      "no success within 50 ms (2 attempts)");
  work_end(&work);
}

TEST_CASE(the_deadline_during_a_pause) {
  work_t work;
  work_init(&work);
  work.options.deadline_ms = 50;
  work.random = 100;
  work_start(&work);
  lose(&work, UVOW_EURL);
  assert_int_equal(work.turn.rt.holds, 2);
  later(&work.turn, 50 * MS);
  expect(&work, "!ETIMEDOUT");
  turn_expect_unhandled(&work.turn, "ETIMEDOUT");
  later(&work.turn, 100 * MS);
  assert_int_equal(work.attempts, 1);
  work_end(&work);
}

/* No attempt has failed yet: no cause. The first hasn't even begun. */
TEST_CASE(the_deadline_without_a_cause) {
  work_t work;
  uvow_result_t result;
  work_init(&work);
  work.options.deadline_ms = 50;
  work_start(&work);
  later(&work.turn, 50 * MS);
  turn_expect(&work.turn, "owner^");
  turn_expect_unhandled(&work.turn, "ETIMEDOUT");
  assert_int_equal(uvow_future_peek(work.f, &result), 0);
  assert_null(uvow_error_cause(result.error));
  work_end(&work);
}

/* The attempt's end and the deadline in one turn. */
TEST_CASE(the_deadline_and_the_answer) {
  work_t work;
  uvow_result_t result;
  for (int good = 0; good < 2; good++) {
    work_init(&work);
    work.options.deadline_ms = 50;
    work_start(&work);
    work.turn.now_ns += 50 * MS;
    uvow__runtime_enter(&work.turn.rt);
    if (good)
      uvow_promise_fulfill(work.promise, uvow_value_int64(7));
    else
      uvow_promise_reject_code(work.promise, UVOW_EURL, NULL);
    work.promise = NULL;
    uvow__runtime_expire(&work.turn.rt);
    uvow__runtime_leave(&work.turn.rt);
    expect(&work, good ? "+7" : "!ETIMEDOUT");
    assert_int_equal(uvow_future_peek(work.f, &result), 0);
    if (!good) {
      assert_int_equal(uvow_error_code(uvow_error_cause(result.error)),
                       UVOW_EURL);
      turn_expect_unhandled(&work.turn, "ETIMEDOUT");
    }
    work_end(&work);
  }
}

TEST_CASE(a_cancel_at_any_point) {
  work_t work;
  for (int point = 0; point < 4; point++) {
    work_init(&work);
    work.options.deadline_ms = 1000;
    work.f = uvow_future_retry(work.turn.loop, attempt, &work, &work.options);
    if (point > 0) /* 0: before the first attempt */
      turn_run(&work.turn);
    if (point > 1) /* 1: during it */
      lose(&work, UVOW_EURL);
    if (point > 2) { /* 2: in the pause; 3: it is over, the task is queued */
      uvow__runtime_enter(&work.turn.rt);
      uvow__runtime_expire(&work.turn.rt);
    }
    assert_int_equal(uvow_future_cancel(work.f), 0);
    assert_int_equal(work.destroyed, 0); /* never within the cancel */
    if (point > 2)
      uvow__runtime_leave(&work.turn.rt);
    turn_run(&work.turn);
    assert_int_equal(work.destroyed, 1);
    turn_expect(&work.turn, point == 1 ? "owner^" : "");
    assert_int_equal(work.turn.rt.holds, 0);
    later(&work.turn, 2000 * (uint64_t)MS);
    assert_int_equal(work.attempts, point > 0);
    expect(&work, "!ECANCELED");
    work_end(&work);
  }
}

TEST_CASE(canceled_by_its_own_functions) {
  work_t work;
  for (int where = 1; where <= LAST_PLACE; where++) {
    work_init(&work);
    work.cancel_in = where;
    work.options.retry_if = ask;
    work.options.deadline_ms = 1000;
    work_start(&work);
    if (where > 1)
      lose(&work, UVOW_EURL);
    expect(&work, "!ECANCELED");
    turn_expect(&work.turn, where == 1 ? "owner^" : "");
    assert_int_equal(work.destroyed, 1);
    assert_int_equal(work.drawn, where == 3); /* no call after the end */
    later(&work.turn, 2000 * (uint64_t)MS);
    work_end(&work);
  }
}

TEST_CASE(closed_at_any_point) {
  work_t work;
  for (int point = 0; point < 3 + LAST_PLACE; point++) {
    work_init(&work);
    work.options.retry_if = ask;
    work.options.deadline_ms = 1000;
    work.close_in = point > 2 ? point - 2 : 0;
    work.f = uvow_future_retry(work.turn.loop, attempt, &work, &work.options);
    if (point > 0)
      turn_run(&work.turn);
    if (point > 1 && point != 3)
      lose(&work, UVOW_EURL);
    if (point < 3)
      uvow__runtime_close(&work.turn.rt);
    assert_string_equal(turn_result(&work.turn, work.f), "!ECLOSED");
    assert_int_equal(work.destroyed, 1);
    assert_int_equal(work.turn.rt.holds, 0);
    uvow__runtime_done(&work.turn.rt);
    uvow_future_unref(work.f);
    uvow_promise_drop(work.promise);
    turn_assert_released(&work.turn);
  }
}

TEST_CASE(a_drop_is_no_cancel) {
  work_t work;
  work_init(&work);
  work_start(&work);
  uvow_future_detach(work.f);
  work.f = NULL;
  lose(&work, UVOW_EURL);
  later(&work.turn, 0);
  assert_int_equal(work.attempts, 2);
  win(&work);
  work_end(&work);
}

TEST_CASE(no_future_is_a_failure) {
  work_t work;
  work_init(&work);
  work.no_future = 1;
  work_start(&work);
  later(&work.turn, 0);
  later(&work.turn, 0);
  assert_int_equal(work.attempts, 3);
  expect(&work, "!ENOMEM");
  turn_expect_unhandled(&work.turn, "ENOMEM");
  work_end(&work);
}

TEST_CASE(bad_arguments) {
  work_t work;
  work_init(&work);
  assert_null(uvow_future_retry(NULL, attempt, &work, &work.options));
  assert_int_equal(work.destroyed, 1);
  work.options.size = 0;
  assert_null(uvow_future_retry(work.turn.loop, attempt, &work, &work.options));
  assert_int_equal(work.destroyed, 1);
  work.options.size = sizeof(work.options);
  work.destroyed = 0;
  work.options.deadline_ms = 10;
  work.f = uvow_future_retry(work.turn.loop, NULL, &work, &work.options);
  expect(&work, "!EINVAL");
  turn_run(&work.turn);
  turn_expect_unhandled(&work.turn, "EINVAL");
  work_end(&work);
  work_init(&work);
  work.f = uvow_future_retry(work.turn.loop, attempt, &work, NULL);
  turn_run(&work.turn);
  win(&work);
  expect(&work, "+7");
  work.destroyed++; /* without options: no destructor */
  work_end(&work);
}

static unsigned rnd(uint64_t *seed, unsigned below) {
  *seed = *seed * UINT64_C(6364136223846793005) + 1;
  return (unsigned)(*seed >> 33) % below;
}

/* Anything, at any time, from fixed seeds. */
static int one_of_places(unsigned drawn) {
  return drawn <= LAST_PLACE ? (int)drawn : 0;
}

TEST_CASE(random_ends) {
  for (unsigned round = 1; round <= 2000; round++) {
    work_t work;
    uint64_t seed = round;
    work_init(&work);
    work.turn.rt.on_unhandled = NULL;
    work.options.max_attempts = 1 + rnd(&seed, 5);
    work.options.base_ms = 1 + rnd(&seed, 20);
    work.options.deadline_ms = rnd(&seed, 3) ? rnd(&seed, 60) : 0;
    work.options.retry_if = rnd(&seed, 2) ? ask : NULL;
    work.cancel_in = one_of_places(rnd(&seed, 8));
    work.close_in = one_of_places(rnd(&seed, 12));
    work.f = uvow_future_retry(work.turn.loop, attempt, &work, &work.options);
    uvow_future_t *f = uvow_future_ref(work.f);
    if (rnd(&seed, 2))
      f = uvow_future_timeout(uvow_future_then(f, NULL, NULL), rnd(&seed, 50));
    for (unsigned step = 0; step < 40; step++) {
      unsigned what = rnd(&seed, 12);
      work.random = rnd(&seed, 1000);
      work.answer = (int)(rnd(&seed, 5) > 0);
      if (what == 0)
        uvow_future_cancel(rnd(&seed, 2) ? f : work.f);
      else if (what < 3 && work.promise)
        lose(&work, UVOW_EURL);
      else if (what == 3 && work.promise)
        win(&work);
      else
        later(&work.turn, rnd(&seed, 3 * MS));
      if (work.promise == NULL && work.turn.rt.closed)
        break;
    }
    uvow_future_cancel(f);
    uvow_future_cancel(work.f);
    uvow_future_unref(f);
    uvow_future_unref(work.f);
    uvow_promise_drop(work.promise);
    turn_run(&work.turn);
    assert_int_equal(work.destroyed, 1);
    assert_int_equal(work.turn.rt.holds, 0);
    work.turn.log[0] = '\0';
    if (work.turn.rt.closed)
      uvow__runtime_done(&work.turn.rt);
    else
      turn_close(&work.turn);
    turn_assert_released(&work.turn);
  }
}

static void sweep_body(test_alloc_t *alloc, void *data) {
  work_t work;
  memset(&work, 0, sizeof(work));
  turn_init_with(&work.turn, alloc);
  work.turn.rt.on_unhandled = NULL;
  work.owner = turn_mark(&work.turn, "owner");
  work.options.size = sizeof(work.options);
  work.options.destroy = destroy;
  work.options.base_ms = 1;
  work.options.deadline_ms = *(int *)data ? 10 : 0;
  work_start(&work);
  for (int i = 0; i < 2; i++) {
    lose(&work, UVOW_EURL);
    later(&work.turn, 2 * MS);
    later(&work.turn, 2 * MS);
  }
  if (*(int *)data)
    later(&work.turn, 20 * MS);
  else
    win(&work);
  if (work.f)
    assert_true(uvow_future_state(work.f) != UVOW_PENDING || work.attempts > 1);
  uvow_future_cancel(work.f);
  work.turn.log[0] = '\0';
  work_end(&work);
}

TEST_CASE(every_allocation_fails) {
  for (int i = 0; i < 2; i++)
    test_alloc_sweep(sweep_body, &i);
}

TEST_MODULE(retry) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_first_succeeds),
      cmocka_unit_test(three_by_default),
      cmocka_unit_test(pauses_grow),
      cmocka_unit_test(defaults_of_pauses),
      cmocka_unit_test(extreme_options),
      cmocka_unit_test(the_predicate_decides),
      cmocka_unit_test(the_last_is_not_asked_about),
      cmocka_unit_test(a_canceled_attempt_ends_it),
      cmocka_unit_test(the_deadline_during_an_attempt),
      cmocka_unit_test(the_deadline_during_a_pause),
      cmocka_unit_test(the_deadline_without_a_cause),
      cmocka_unit_test(the_deadline_and_the_answer),
      cmocka_unit_test(a_cancel_at_any_point),
      cmocka_unit_test(canceled_by_its_own_functions),
      cmocka_unit_test(closed_at_any_point),
      cmocka_unit_test(a_drop_is_no_cancel),
      cmocka_unit_test(no_future_is_a_failure),
      cmocka_unit_test(bad_arguments),
      cmocka_unit_test(random_ends),
      cmocka_unit_test(every_allocation_fails),
  };
  return cmocka_run_group_tests_name("future/retry", tests, NULL, NULL);
}
