/* A runtime that gives back what a peak has left. */
#include "support/turn.h"

enum { MILLION = 1000000 };

typedef struct peak {
  turn_t turn;
  test_alloc_t alloc;
  uvow_promise_t **promises;
} peak_t;

static peak_t *peak_new(void) {
  peak_t *p = (peak_t *)calloc(1, sizeof(*p));
  assert_non_null(p);
  test_alloc_init_sized(&p->alloc);
  turn_init_with(&p->turn, &p->alloc);
  p->promises = (uvow_promise_t **)calloc(MILLION, sizeof(*p->promises));
  assert_non_null(p->promises);
  return p;
}

static void pend(peak_t *p, size_t count) {
  for (size_t i = 0; i < count; i++)
    uvow_future_unref(uvow_promise_new(p->turn.loop, &p->promises[i]));
}

static void settle(peak_t *p, size_t count) {
  for (size_t i = 0; i < count; i++)
    uvow_promise_fulfill(p->promises[i], uvow_value_none());
  turn_run(&p->turn);
}

static void pass_ms(peak_t *p, uint64_t ms) {
  p->turn.now_ns += ms * UVOW__NS_PER_MS;
  uvow__runtime_enter(&p->turn.rt);
  uvow__runtime_expire(&p->turn.rt);
  uvow__runtime_leave(&p->turn.rt);
}

static void peak_end(peak_t *p) {
  turn_end(&p->turn);
  free(p->promises);
  free(p);
}

TEST_CASE(a_million_futures_give_their_memory_back) {
  peak_t *p = peak_new();
  pend(p, MILLION);
  settle(p, MILLION);
  size_t peak = p->alloc.peak;
  assert_true(peak > MILLION * sizeof(uvow_future_t));
  assert_int_equal(p->alloc.bytes, peak);
#ifndef UVOW_DEBUG
  for (int i = 0; i < 3; i++)
    pass_ms(p, 1001);
  assert_true(p->alloc.bytes < peak / 100);
  /* Then nothing is looked at any more: the loop may sleep. */
  assert_false(uvow__deadline_armed(&p->turn.rt.tidying));
#endif
  peak_end(p);
}

/* Bursts, one after the other and with pauses shorter than a second. */
TEST_CASE(bursts_find_what_the_last_one_left) {
  enum { BURST = 20000 };
  peak_t *p = peak_new();
  pend(p, BURST);
  settle(p, BURST);
  size_t calls = p->alloc.calls;
  for (int i = 0; i < 9; i++) {
    pass_ms(p, 100);
    pend(p, BURST);
    settle(p, BURST);
  }
  assert_int_equal(p->alloc.calls, calls);
  peak_end(p);
}

/* Once a second at the most, whatever comes and goes. */
TEST_CASE(an_oscillating_load_takes_few_calls) {
  enum { BURST = 20000, ROUNDS = 50 };
  peak_t *p = peak_new();
  for (int i = 0; i < ROUNDS; i++) {
    pend(p, BURST);
    settle(p, BURST);
    pass_ms(p, 1001);
  }
  assert_true(p->alloc.calls < ROUNDS * BURST / 1000);
  peak_end(p);
}

TEST_CASE(few_futures_arm_nothing) {
  peak_t *p = peak_new();
  pend(p, 1000);
  settle(p, 1000);
  assert_false(uvow__deadline_armed(&p->turn.rt.tidying));
  peak_end(p);
}

TEST_MODULE(tidy) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_million_futures_give_their_memory_back),
      cmocka_unit_test(bursts_find_what_the_last_one_left),
      cmocka_unit_test(an_oscillating_load_takes_few_calls),
      cmocka_unit_test(few_futures_arm_nothing),
  };
  return cmocka_run_group_tests_name("future/tidy", tests, NULL, NULL);
}
