/*
 * The timing wheel, with a driven clock: against a naive model at random (the
 * seed is fixed), far jumps, ties, callbacks that arm and disarm, a million.
 */
#include "support/support.h"

#include "base/deadline.h"

#define MS UINT64_C(1000000) /* in ns */

typedef struct clocked clocked_t;

/* A deadline and what the model knows of it. */
typedef struct timer {
  uvow__deadline_t deadline;
  clocked_t *clocked;
  int armed;
  int stamped;
  uint64_t ms;
  uint64_t from_ns; /* when it was stamped */
  uint64_t due;     /* in whole ms, by the model */
  unsigned fired;
} clocked_timer_t;

struct clocked {
  uvow__wheel_t wheel;
  uint64_t now_ns;
  uint64_t random;
  clocked_timer_t *timers;
  size_t count;
  size_t fired;
  uint64_t last_due;
  int touches; /* callbacks arm and disarm at random */
};

/* xorshift64: the same on every machine. */
static uint64_t next_random(clocked_t *c) {
  c->random ^= c->random << 13;
  c->random ^= c->random >> 7;
  c->random ^= c->random << 17;
  return c->random;
}

/* Of any magnitude up to 2^max_bits, small ones as often as large ones. */
static uint64_t any_magnitude(clocked_t *c, unsigned max_bits) {
  unsigned bits = (unsigned)(next_random(c) % (max_bits + 1));
  return bits ? next_random(c) >> (64 - bits) : 0;
}

static clocked_timer_t *any_timer(clocked_t *c) {
  return &c->timers[next_random(c) % c->count];
}

static void arm(clocked_timer_t *timer, uint64_t ms) {
  uvow__wheel_disarm(&timer->deadline);
  uvow__wheel_arm(&timer->clocked->wheel, &timer->deadline, ms);
  timer->armed = 1;
  timer->stamped = 0;
  timer->ms = ms;
}

static void disarm(clocked_timer_t *timer) {
  uvow__wheel_disarm(&timer->deadline);
  timer->armed = 0;
}

static void touch(clocked_t *c) {
  clocked_timer_t *timer = any_timer(c);
  if (next_random(c) % 3 == 0)
    disarm(timer);
  else
    arm(timer, any_magnitude(c, 34));
}

static void fire(uvow__deadline_t *deadline) {
  clocked_timer_t *timer = UVOW__CONTAINER(deadline, clocked_timer_t, deadline);
  clocked_t *c = timer->clocked;
  assert_true(timer->armed && timer->stamped);
  assert_false(uvow__deadline_armed(deadline));
  /* Never early, to the nanosecond. */
  assert_true(c->now_ns - timer->from_ns >= timer->ms * MS);
  assert_true(timer->due <= c->now_ns / MS);
  timer->armed = 0;
  timer->fired++;
  c->fired++;
  c->last_due = timer->due;
  for (int i = 0; c->touches && i < 3; i++)
    touch(c);
}

static void setup(clocked_t *c, size_t count, uint64_t now_ns) {
  memset(c, 0, sizeof(*c));
  c->random = UINT64_C(0x9E3779B97F4A7C15);
  c->now_ns = now_ns;
  c->count = count;
  c->timers = (clocked_timer_t *)calloc(count, sizeof(*c->timers));
  assert_non_null(c->timers);
  uvow__wheel_init(&c->wheel, now_ns);
  for (size_t i = 0; i < count; i++) {
    c->timers[i].clocked = c;
    uvow__deadline_init(&c->timers[i].deadline, fire);
  }
}

static void teardown(clocked_t *c) {
  free(c->timers);
}

static void stamp(clocked_t *c) {
  uvow__wheel_stamp(&c->wheel, c->now_ns);
  for (size_t i = 0; i < c->count; i++) {
    clocked_timer_t *timer = &c->timers[i];
    if (!timer->armed || timer->stamped)
      continue;
    timer->stamped = 1;
    timer->from_ns = c->now_ns;
    timer->due = (c->now_ns + MS - 1) / MS + timer->ms;
  }
}

static void advance(clocked_t *c, uint64_t by_ns) {
  c->now_ns += by_ns;
  uvow__list_t due;
  uvow__list_init(&due);
  (void)uvow__wheel_collect(&c->wheel, c->now_ns);
  uvow__wheel_due(&c->wheel, &due);
  while (uvow__wheel_expire(&due))
    continue;
}

/* After an advance and a stamp: nothing that was due is still armed, and the
 * wheel wants to be called in time for the first. */
static void agrees_with_model(clocked_t *c, int all_due_fired) {
  uint64_t first = UINT64_MAX;
  uint64_t next = 0;
  size_t armed = 0;
  for (size_t i = 0; i < c->count; i++) {
    clocked_timer_t *timer = &c->timers[i];
    assert_int_equal(uvow__deadline_armed(&timer->deadline), timer->armed);
    if (!timer->armed)
      continue;
    armed++;
    first = timer->due < first ? timer->due : first;
  }
  assert_int_equal(uvow__wheel_next(&c->wheel, &next), armed > 0);
  if (!armed)
    return;
  assert_true(next <= first);
  if (all_due_fired)
    assert_true(first > c->now_ns / MS);
}

static void random_walk(uint64_t seed, unsigned bits, int touches) {
  clocked_t c;
  setup(&c, 60, seed * 12345677);
  c.random ^= seed << 20;
  c.touches = touches;
  for (int turn = 0; turn < 3000; turn++) {
    for (uint64_t n = next_random(&c) % 4; n; n--)
      touch(&c);
    stamp(&c);
    advance(&c, any_magnitude(&c, bits));
    stamp(&c);
    /* What a callback armed with 0 ms is due and waits for the next turn. */
    agrees_with_model(&c, !touches);
  }
  assert_true(c.fired > 50);
  teardown(&c);
}

TEST_CASE(agrees_with_a_naive_model) {
  for (uint64_t seed = 1; seed <= 8; seed++)
    for (unsigned bits = 24; bits <= 54; bits += 10)
      random_walk(seed, bits, 0);
}

TEST_CASE(agrees_when_callbacks_arm_and_disarm) {
  for (uint64_t seed = 1; seed <= 8; seed++)
    for (unsigned bits = 24; bits <= 54; bits += 10)
      random_walk(seed, bits, 1);
}

/* A loop that sleeps until wheel_next: everything fires within its own ms. */
TEST_CASE(is_on_time_for_who_follows_next) {
  clocked_t c;
  uint64_t next;
  setup(&c, 500, 999999999);
  for (size_t i = 0; i < c.count; i++)
    arm(&c.timers[i], any_magnitude(&c, 40));
  stamp(&c);
  unsigned wakes = 0;
  while (uvow__wheel_next(&c.wheel, &next)) {
    size_t before = c.fired;
    advance(&c, next * MS > c.now_ns ? next * MS - c.now_ns : 0);
    if (c.fired > before)
      assert_true(c.last_due == c.now_ns / MS);
    assert_true(++wakes < 500 * UVOW__WHEEL_LEVELS);
  }
  assert_int_equal(c.fired, 500);
  teardown(&c);
}

TEST_CASE(is_never_early_by_a_nanosecond) {
  for (uint64_t fraction = 0; fraction < MS; fraction += MS / 7) {
    clocked_t c;
    setup(&c, 1, 5 * MS + fraction);
    arm(&c.timers[0], 10);
    stamp(&c);
    advance(&c, 10 * MS - 1);
    assert_int_equal(c.fired, 0);
    advance(&c, MS);
    assert_int_equal(c.fired, 1);
    advance(&c, 1000 * MS);
    assert_int_equal(c.fired, 1);
    teardown(&c);
  }
}

TEST_CASE(each_edge_of_a_level_is_right) {
  for (unsigned bits = 1; bits <= 43; bits++)
    for (unsigned off = 0; off < 3; off++) {
      clocked_t c;
      uint64_t ms = (UINT64_C(1) << bits) - 1 + off;
      setup(&c, 1, (bits * 37 % 64) * MS);
      arm(&c.timers[0], ms);
      stamp(&c);
      advance(&c, (ms - 1) * MS);
      assert_int_equal(c.fired, 0);
      advance(&c, MS);
      assert_int_equal(c.fired, 1);
      teardown(&c);
    }
}

TEST_CASE(the_longest_deadline_never_comes) {
  clocked_t c;
  uint64_t next = 0;
  setup(&c, 2, 3 * MS);
  arm(&c.timers[0], UINT64_MAX);
  arm(&c.timers[1], UINT64_MAX - 1);
  uvow__wheel_stamp(&c.wheel, c.now_ns);
  assert_int_equal(uvow__wheel_next(&c.wheel, &next), 1);
  c.now_ns = UINT64_MAX;
  advance(&c, 0);
  assert_int_equal(c.fired, 0);
  disarm(&c.timers[0]);
  disarm(&c.timers[1]);
  assert_int_equal(uvow__wheel_next(&c.wheel, &next), 0);
  teardown(&c);
}

TEST_CASE(a_clock_that_goes_back_is_harmless) {
  clocked_t c;
  setup(&c, 1, 1000 * MS);
  arm(&c.timers[0], 10);
  stamp(&c);
  c.now_ns = 500 * MS;
  advance(&c, 0);
  assert_int_equal(c.fired, 0);
  assert_int_equal(c.wheel.now, 1000);
  c.now_ns = 1000 * MS;
  advance(&c, 10 * MS);
  assert_int_equal(c.fired, 1);
  teardown(&c);
}

static void disarm_others(uvow__deadline_t *deadline) {
  clocked_timer_t *timer = UVOW__CONTAINER(deadline, clocked_timer_t, deadline);
  clocked_t *c = timer->clocked;
  c->fired++;
  for (size_t i = 0; i < c->count; i++)
    uvow__wheel_disarm(&c->timers[i].deadline);
}

TEST_CASE(one_due_at_the_same_time_can_be_disarmed) {
  clocked_t c;
  setup(&c, 10, 0);
  for (size_t i = 0; i < c.count; i++) {
    uvow__deadline_init(&c.timers[i].deadline, disarm_others);
    arm(&c.timers[i], 5 + i / 5);
  }
  stamp(&c);
  advance(&c, 100 * MS);
  assert_int_equal(c.fired, 1);
  teardown(&c);
}

static void arm_again(uvow__deadline_t *deadline) {
  clocked_timer_t *timer = UVOW__CONTAINER(deadline, clocked_timer_t, deadline);
  timer->clocked->fired++;
  uvow__wheel_arm(&timer->clocked->wheel, deadline, 0);
  uvow__wheel_stamp(&timer->clocked->wheel, timer->clocked->now_ns);
}

TEST_CASE(one_armed_by_its_callback_waits_for_the_next_call) {
  clocked_t c;
  uint64_t next = 0;
  setup(&c, 1, 0);
  uvow__deadline_init(&c.timers[0].deadline, arm_again);
  arm(&c.timers[0], 5);
  stamp(&c);
  advance(&c, 5 * MS);
  assert_int_equal(c.fired, 1);
  assert_int_equal(uvow__wheel_next(&c.wheel, &next), 1);
  assert_int_equal(next, 5);
  advance(&c, 0);
  assert_int_equal(c.fired, 2);
  teardown(&c);
}

TEST_CASE(disarming_is_allowed_at_any_time) {
  clocked_t c;
  uint64_t next = 0;
  setup(&c, 1, 0);
  assert_int_equal(uvow__wheel_next(&c.wheel, &next), 0);
  disarm(&c.timers[0]); /* never armed */
  arm(&c.timers[0], 3);
  disarm(&c.timers[0]); /* not stamped yet */
  stamp(&c);
  assert_int_equal(uvow__wheel_next(&c.wheel, &next), 0);
  arm(&c.timers[0], 300);
  stamp(&c);
  disarm(&c.timers[0]); /* in a slot */
  disarm(&c.timers[0]);
  assert_int_equal(uvow__wheel_next(&c.wheel, &next), 0);
  advance(&c, 1000 * MS);
  assert_int_equal(c.fired, 0);
  teardown(&c);
}

static void fire_in_order(uvow__deadline_t *deadline) {
  clocked_timer_t *timer = UVOW__CONTAINER(deadline, clocked_timer_t, deadline);
  clocked_t *c = timer->clocked;
  assert_true(deadline->due >= c->last_due);
  c->last_due = deadline->due;
  c->fired++;
}

/* A million, half of them disarmed, in one jump: in order, none forgotten. */
TEST_CASE(a_million_are_armed) {
  enum { MILLION = 1000000 };
  clocked_t c;
  uint64_t next = 0;
  setup(&c, MILLION, 77 * MS + 1);
  for (size_t i = 0; i < c.count; i++) {
    uvow__deadline_init(&c.timers[i].deadline, fire_in_order);
    uvow__wheel_arm(&c.wheel, &c.timers[i].deadline,
                    1 + next_random(&c) % 3600000);
  }
  uvow__wheel_stamp(&c.wheel, c.now_ns);
  for (size_t i = 0; i < c.count; i += 2)
    uvow__wheel_disarm(&c.timers[i].deadline);
  advance(&c, 1800000 * MS);
  assert_in_range(c.fired, MILLION / 4 - 5000, MILLION / 4 + 5000);
  advance(&c, 1800000 * MS);
  assert_int_equal(c.fired, MILLION / 2);
  assert_int_equal(uvow__wheel_next(&c.wheel, &next), 0);
  teardown(&c);
}

TEST_MODULE(deadline) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(agrees_with_a_naive_model),
      cmocka_unit_test(agrees_when_callbacks_arm_and_disarm),
      cmocka_unit_test(is_on_time_for_who_follows_next),
      cmocka_unit_test(is_never_early_by_a_nanosecond),
      cmocka_unit_test(each_edge_of_a_level_is_right),
      cmocka_unit_test(the_longest_deadline_never_comes),
      cmocka_unit_test(a_clock_that_goes_back_is_harmless),
      cmocka_unit_test(one_due_at_the_same_time_can_be_disarmed),
      cmocka_unit_test(one_armed_by_its_callback_waits_for_the_next_call),
      cmocka_unit_test(disarming_is_allowed_at_any_time),
      cmocka_unit_test(a_million_are_armed),
  };
  return cmocka_run_group_tests_name("base/deadline", tests, NULL, NULL);
}
