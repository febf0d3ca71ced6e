/* Combinators and retries: many, deep, random, hostile, without memory. */
#include "support/turn.h"

#include <limits.h>
#include <pthread.h>

#include <uvow/combine.h>

typedef uvow_future_t *(*combine_t)(uvow_loop_t *loop,
                                    uvow_future_t *const *futures,
                                    size_t count);

static const combine_t combinators[] = {uvow_future_all,
                                        uvow_future_all_settled,
                                        uvow_future_any, uvow_future_race};

#define EACH(i) for (size_t i = 0; i < 4; i++)

/* A value's destructor cancels the group that is just taking the value. */
typedef struct evil {
  uvow_future_t *target;
  int destroyed;
} evil_t;

static void evil_ref(void *ptr) {
  (void)ptr;
}

static void evil_destroy(void *ptr) {
  evil_t *evil = (evil_t *)ptr;
  evil->destroyed++;
  uvow_future_cancel(evil->target);
}

static const uvow_type_t evil_type = {sizeof(uvow_type_t), "evil", evil_ref,
                                      evil_destroy};

TEST_CASE(a_destructor_cancels_the_group) {
  EACH(i) {
    turn_t turn;
    evil_t evil = {NULL, 0};
    uvow_promise_t *p, *q;
    turn_init(&turn);
    turn_mark_t owner = turn_mark(&turn, "owner");
    uvow_future_t *f = uvow_promise_new(turn.loop, &p);
    uvow_future_t *some[3] = {f, uvow_future_ref(f),
                              uvow_promise_new(turn.loop, &q)};
    uvow_promise_on_cancel(q, turn_cancel, &owner, NULL);
    f = combinators[i](turn.loop, some, 3);
    evil.target = f;
    uvow_promise_fulfill(p, uvow_value_ptr(&evil_type, &evil));
    turn_run(&turn);
    assert_int_equal(uvow_future_state(f),
                     i < 2 ? UVOW_PENDING : UVOW_FULFILLED);
    uvow_future_cancel(f);
    turn_run(&turn);
    turn_expect(&turn, "owner^");
    evil.target = NULL;
    uvow_future_unref(f);
    turn_run(&turn);
    assert_true(evil.destroyed > 0);
    uvow_promise_drop(q);
    turn_end(&turn);
  }
}

/* What an attempt must not give. */
typedef struct wrong {
  turn_t turn;
  turn_t other;
  uvow_future_t *f;
} wrong_t;

static uvow_future_t *its_own(uint32_t n, void *data) {
  (void)n;
  return uvow_future_ref(((wrong_t *)data)->f);
}

static uvow_future_t *own_chain(uint32_t n, void *data) {
  return uvow_future_then(its_own(n, data), NULL, NULL);
}

static uvow_future_t *of_another_loop(uint32_t n, void *data) {
  (void)n;
  return uvow_future_fulfilled(((wrong_t *)data)->other.loop,
                               uvow_value_none());
}

TEST_CASE(wrong_attempts) {
  static const uvow_retry_cb fns[] = {its_own, own_chain, of_another_loop};
  static const char *const ends[] = {"!ECYCLE", "!ECYCLE", "!EINVAL"};
  for (int i = 0; i < 3; i++) {
    wrong_t wrong;
    turn_init(&wrong.turn);
    turn_init(&wrong.other);
    wrong.f = uvow_future_retry(wrong.turn.loop, fns[i], &wrong, NULL);
    turn_run(&wrong.turn);
    assert_string_equal(turn_result(&wrong.turn, wrong.f), ends[i]);
    wrong.turn.unhandled[0] = '\0';
    uvow_future_unref(wrong.f);
    turn_end(&wrong.turn);
    turn_end(&wrong.other);
  }
}

/* The loop's own generator: anywhere between 0 and the bound, evenly. */
static uvow_future_t *lose(uint32_t n, void *data) {
  turn_t *turn = (turn_t *)data;
  if (n == 1)
    return uvow_future_rejected(turn->loop,
                                uvow_error_new(turn->loop, UVOW_EURL, NULL));
  return uvow_future_fulfilled(turn->loop, uvow_value_none());
}

TEST_CASE(jitter_is_spread) {
  turn_t turn;
  unsigned low = 0, high = 0;
  turn_init(&turn);
  turn.rt.rng = 42;
  for (int i = 0; i < 200; i++) {
    uvow_future_t *f = uvow_future_retry(turn.loop, lose, &turn, NULL);
    turn_run(&turn);
    unsigned ms = 0;
    for (; uvow_future_state(f) == UVOW_PENDING; ms++) {
      turn.now_ns += ms ? 1000000 : 0;
      uvow__runtime_enter(&turn.rt);
      uvow__runtime_expire(&turn.rt);
      uvow__runtime_leave(&turn.rt);
    }
    assert_true(ms - 1 <= 100);
    low += ms - 1 < 50;
    high += ms - 1 > 50;
    uvow_future_unref(f);
  }
  assert_true(low > 70 && high > 70);
  turn_end(&turn);
}

/* Retries of retries, deep, are canceled without recursion. */
typedef struct nest {
  uvow_loop_t *loop;
  int depth;
  int destroyed;
} nest_t;

static void nest_destroy(void *data) {
  ((nest_t *)data)->destroyed++;
}

static uvow_future_t *nested(uint32_t n, void *data) {
  nest_t *nest = (nest_t *)data;
  uvow_retry_options_t options = {0};
  (void)n;
  options.size = sizeof(options);
  options.destroy = nest_destroy;
  if (nest->depth-- == 0)
    return uvow_future_delay(nest->loop, 1000);
  return uvow_future_retry(nest->loop, nested, nest, &options);
}

TEST_CASE(retries_of_retries) {
  enum { DEPTH = 200000 };
  turn_t turn;
  turn_init(&turn);
  nest_t nest = {turn.loop, DEPTH, 0};
  uvow_future_t *f = uvow_future_retry(turn.loop, nested, &nest, NULL);
  turn_run(&turn);
  assert_int_equal(turn.rt.holds, 1);
  uvow_future_cancel(f);
  turn_run(&turn);
  assert_int_equal(nest.destroyed, DEPTH);
  assert_int_equal(turn.rt.holds, 0);
  uvow_future_unref(f);
  turn_end(&turn);
}

/* A long-lived future, raced again and again, collects nothing. */
TEST_CASE(a_long_lived_future_collects_nothing) {
  turn_t turn;
  uvow_promise_t *promise;
  size_t blocks = 0;
  turn_init(&turn);
  uvow_future_t *shared = uvow_promise_new(turn.loop, &promise);
  for (int i = 0; i < 100000; i++) {
    uvow_future_t *both[2] = {
        uvow_future_ref(shared),
        uvow_future_fulfilled(turn.loop, uvow_value_int64(i))};
    uvow_future_t *f = combinators[2 + i % 2](turn.loop, both, 2);
    turn_once(&turn);
    assert_int_equal(uvow_future_state(f), UVOW_FULFILLED);
    uvow_future_unref(f);
    assert_true(uvow__list_empty(&shared->reactions));
    assert_int_equal(turn.rt.links.live, 1);
    assert_int_equal(shared->refs, 2);
    if (i == 0)
      blocks = turn.alloc->live;
  }
  assert_int_equal(turn.alloc->live, blocks);
  uvow_future_unref(shared);
  uvow_promise_fulfill(promise, uvow_value_none());
  turn_end(&turn);
}

/* Deep groups: settled, canceled, freed on a stack of 64 KiB (F6). */
#define DEPTH 100000

static uvow_future_t *deep(turn_t *turn, combine_t combine,
                           uvow_promise_t **ret_promise) {
  uvow_future_t *f = uvow_promise_new(turn->loop, ret_promise);
  for (int i = 0; i < DEPTH; i++)
    f = combine(turn->loop, &f, 1);
  return f;
}

static void *deep_groups(void *data) {
  (void)data;
  for (size_t i = 0; i < 12; i++) {
    turn_t *turn = (turn_t *)malloc(sizeof(*turn));
    uvow_promise_t *promise;
    turn_init(turn);
    uvow_future_t *f = deep(turn, combinators[i % 4], &promise);
    if (i < 4)
      uvow_promise_fulfill(promise, uvow_value_int64(1));
    else if (i < 8)
      uvow_promise_reject_code(promise, UVOW_EURL, NULL);
    else
      uvow_future_cancel(f);
    turn_run(turn);
    assert_true(uvow_future_state(f) != UVOW_PENDING);
    uvow_future_unref(f);
    if (i >= 8)
      uvow_promise_drop(promise);
    turn->unhandled[0] = '\0';
    turn_end(turn);
    free(turn);
  }
  return NULL;
}

TEST_CASE(groups_of_groups_do_not_recurse) {
  pthread_t thread;
  pthread_attr_t attr;
  size_t stack = 64 * 1024;
  if (stack < (size_t)PTHREAD_STACK_MIN) /* arm64: 128 KiB */
    stack = (size_t)PTHREAD_STACK_MIN;
  assert_int_equal(pthread_attr_init(&attr), 0);
  assert_int_equal(pthread_attr_setstacksize(&attr, stack), 0);
  assert_int_equal(pthread_create(&thread, &attr, deep_groups, NULL), 0);
  assert_int_equal(pthread_join(thread, NULL), 0);
  pthread_attr_destroy(&attr);
}

/* Random trees of combinators, settled and canceled at random. */
static uint64_t seed;

static unsigned rnd(unsigned below) {
  seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  return (unsigned)(seed >> 33) % below;
}

TEST_CASE(random_trees) {
  for (uint64_t round = 1; round <= 1500; round++) {
    enum { N = 24 };
    turn_t turn;
    turn_item_t item[N] = {{0, 0}};
    uvow_promise_t *p[N] = {NULL};
    uvow_future_t *f[2 * N] = {NULL};
    int used[N] = {0};
    unsigned count = 0;
    seed = round;
    turn_init(&turn);
    turn.rt.on_unhandled = NULL;
    for (unsigned i = 0; i < N; i++)
      f[count++] = uvow_promise_new(turn.loop, &p[i]);
    for (unsigned step = 0; step < 60; step++) {
      unsigned i = rnd(N);
      unsigned what = rnd(6);
      if (what < 2 && count < 2 * N) {
        uvow_future_t *some[4];
        unsigned n = rnd(5);
        for (unsigned k = 0; k < n; k++)
          some[k] = rnd(9) ? uvow_future_ref(f[rnd(count)]) : NULL;
        f[count++] = combinators[rnd(4)](turn.loop, some, n);
      } else if (what == 2 && p[i]) {
        used[i] = 1;
        uvow_promise_fulfill(
            p[i], turn_item(rnd(2) ? &turn_type_unique : &turn_type_counted,
                            &item[i]));
        p[i] = NULL;
      } else if (what == 3 && p[i]) {
        uvow_promise_reject_code(p[i], UVOW_EURL, NULL);
        p[i] = NULL;
      } else if (what == 4 && rnd(3) == 0) {
        uvow_future_cancel(f[rnd(count)]);
      } else if (what == 5) {
        turn_once(&turn);
      }
    }
    if (rnd(2))
      turn_close(&turn);
    while (count)
      uvow_future_unref(f[--count]);
    for (unsigned i = 0; i < N; i++)
      uvow_promise_drop(p[i]);
    if (!turn.rt.closed)
      turn_end(&turn);
    turn_assert_released(&turn);
    for (unsigned i = 0; i < N; i++)
      assert_int_equal(item[i].destroyed, used[i]);
  }
}

static void sweep_body(test_alloc_t *alloc, void *data) {
  size_t i = *(size_t *)data;
  turn_t turn;
  turn_item_t item = {0, 0};
  uvow_promise_t *p[2];
  turn_init_with(&turn, alloc);
  uvow_future_t *f[2] = {uvow_promise_new(turn.loop, &p[0]),
                         uvow_promise_new(turn.loop, &p[1])};
  int made = p[0] != NULL;
  f[0] = uvow_future_then(combinators[i % 4](turn.loop, f, 2), NULL, NULL);
  f[1] = uvow_future_rejected(turn.loop, uvow_error_new(turn.loop, -1, "x"));
  f[0] = combinators[i % 4](turn.loop, f, 2);
  if (i < 4)
    uvow_promise_fulfill(p[0], turn_item(&turn_type_unique, &item));
  else if (i < 8)
    uvow_promise_reject_code(p[0], UVOW_EURL, NULL);
  else
    uvow_future_cancel(f[0]);
  turn_run(&turn);
  uvow_future_unref(f[0]);
  if (i >= 8)
    uvow_promise_drop(p[0]);
  uvow_promise_drop(p[1]);
  turn_run(&turn);
  turn.unhandled[0] = '\0';
  turn_end(&turn);
  assert_int_equal(item.owners, 0);
  if (i < 4 && made)
    assert_int_equal(item.destroyed, 1);
}

TEST_CASE(every_allocation_fails) {
  for (size_t i = 0; i < 12; i++)
    test_alloc_sweep(sweep_body, &i);
}

/* A tree of causes, deep and wide, freed without recursion. */
TEST_CASE(causes_are_freed_in_a_loop) {
  test_alloc_t alloc;
  test_alloc_init(&alloc);
  uvow_error_t *error = NULL;
  for (int i = 0; i < 200000; i++) {
    uvow__error_spec_t spec = {0};
    const uvow_error_t *causes[3];
    causes[0] = uvow__error_code(&alloc.allocator, -1, UVOW_OUTCOME_NONE);
    causes[1] = error ? error : uvow__error_nomem();
    causes[2] = causes[0];
    spec.code = UVOW_EALL;
    spec.detail = UVOW__SLICE("detail");
    spec.causes = causes;
    spec.cause_count = 3;
    uvow_error_t *next = uvow__error_make(&alloc.allocator, &spec);
    uvow_error_unref((uvow_error_t *)(uintptr_t)causes[0]);
    uvow_error_unref(error);
    error = next;
  }
  assert_string_equal(uvow_error_message(error), "detail");
  assert_int_equal(uvow_error_cause_count(error), 3);
  assert_int_equal(uvow_error_code(uvow_error_cause(error)), -1);
  assert_int_equal(uvow_error_code(uvow_error_nth_cause(error, 1)), UVOW_EALL);
  assert_null(uvow_error_nth_cause(error, 3));
  assert_int_equal(uvow_error_cause_count(NULL), 0);
  uvow_error_unref(error);
  assert_int_equal(alloc.live, 0);
}

TEST_MODULE(combine_many) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_destructor_cancels_the_group),
      cmocka_unit_test(wrong_attempts),
      cmocka_unit_test(jitter_is_spread),
      cmocka_unit_test(retries_of_retries),
      cmocka_unit_test(a_long_lived_future_collects_nothing),
      cmocka_unit_test(groups_of_groups_do_not_recurse),
      cmocka_unit_test(random_trees),
      cmocka_unit_test(every_allocation_fails),
      cmocka_unit_test(causes_are_freed_in_a_loop),
  };
  return cmocka_run_group_tests_name("future/combine_many", tests, NULL, NULL);
}
