/* What a run measures: the schedule, the latencies counted from it, points,
 * failures. Time is made up. */
#include "support/support.h"

#include <stdio.h>

#include <measure.h>
#include <pace.h>

#define MS UINT64_C(1000000)
#define S (1000 * MS)

TEST_CASE(a_schedule_is_even_and_exact) {
  pace_t pace = {7, 3, 0, 0};
  assert_int_equal(pace_at(&pace, 0), 7);
  assert_int_equal(pace_at(&pace, 1), 7 + 333333333);
  assert_int_equal(pace_at(&pace, 3), 7 + S);
  /* A day later nothing has added up. */
  assert_int_equal(pace_at(&pace, 3 * 86400), 7 + 86400 * S);
}

TEST_CASE(what_is_due_is_taken_once) {
  pace_t pace = {10 * S, 1000, 0, 0};
  uint64_t start = 0;
  assert_int_equal(pace_take(&pace, 10 * S - 1, &start), 0);
  assert_int_equal(pace_wait(&pace, 10 * S - 1), 1);
  assert_int_equal(pace_take(&pace, 10 * S, &start), 1);
  assert_int_equal(start, 10 * S);
  assert_int_equal(pace_take(&pace, 10 * S, &start), 0);
  assert_int_equal(pace_wait(&pace, 10 * S), MS);
  /* Three are due now: each is told when it should have started. */
  uint64_t late = 10 * S + 3 * MS + MS / 2;
  assert_int_equal(pace_wait(&pace, late), 0);
  for (uint64_t i = 1; i <= 3; i++) {
    assert_int_equal(pace_take(&pace, late, &start), 1);
    assert_int_equal(start, 10 * S + i * MS);
  }
  assert_int_equal(pace_take(&pace, late, &start), 0);
  assert_int_equal(pace_wait(&pace, late), MS / 2);
}

TEST_CASE(what_is_missing_is_counted) {
  pace_t pace = {S, 1000, 0, 0};
  assert_int_equal(pace_missing(&pace, 0), 0);
  assert_int_equal(pace_missing(&pace, S), 0); /* at the end: not before it */
  assert_int_equal(pace_missing(&pace, S + 1), 1);
  assert_int_equal(pace_missing(&pace, 2 * S), 1000);
  pace.next = 400;
  assert_int_equal(pace_missing(&pace, 2 * S), 600);
  pace.next = 1001;
  assert_int_equal(pace_missing(&pace, 2 * S), 0);
  for (double rate = 1; rate < 1e8; rate *= 3.7) {
    pace_t any = {123456789, rate, 0, 0};
    uint64_t missing = pace_missing(&any, S);
    assert_true(pace_at(&any, missing - 1) < S);
    assert_true(pace_at(&any, missing) >= S);
  }
}

/*
 * A service that answers in half a millisecond, stands still from 5 s to 7 s,
 * and is asked a thousand times a second, one at a time, for 10 s.
 */
static uint64_t answered_at(uint64_t asked) {
  return asked >= 5 * S && asked < 7 * S ? 7 * S + MS : asked + MS / 2;
}

static void drive(measure_t *m, int from_schedule) {
  pace_t pace = {0, 1000, 0, 0};
  uint64_t now = 0;
  uint64_t start;
  measure_init(m);
  while (pace.next < 10000) {
    if (!pace_take(&pace, now, &start)) {
      now += pace_wait(&pace, now);
      continue;
    }
    uint64_t asked = now;
    now = answered_at(asked);
    measure_add(m, now - (from_schedule ? start : asked));
  }
  measure_merge(m);
}

TEST_CASE(a_stall_shows_in_all_that_it_delayed) {
  measure_t from_schedule;
  measure_t from_asking;
  drive(&from_schedule, 1);
  drive(&from_asking, 0);
  assert_int_equal(from_schedule.latency.total, 10000);
  assert_int_equal(from_asking.latency.total, 10000);
  /* Omitted: one of ten thousand was slow. */
  assert_true(measure_us(&from_asking, 0.9998) < 502);
  /* Not omitted: 2000 were due in the stall, and as many again came late while
   * the queue was worked off, at twice the rate at which it grew. */
  assert_true(measure_us(&from_schedule, 0.59) < 502);
  assert_true(measure_us(&from_schedule, 0.62) > 2000);
  assert_in_range((uint64_t)measure_us(&from_schedule, 0.80), 990000, 1010000);
  assert_in_range((uint64_t)measure_us(&from_schedule, 0.90), 1490000, 1510000);
  assert_int_equal(measure_us(&from_schedule, 1), 2001000);
  measure_done(&from_schedule);
  measure_done(&from_asking);
}

TEST_CASE(what_was_never_sent_counts_with_its_age) {
  measure_t m;
  measure_init(&m);
  measure_add_overdue(&m, 4, 4 * S);
  measure_merge(&m);
  assert_int_equal(m.overdue, 4);
  assert_int_equal(m.answered, 0);
  assert_int_equal(m.latency.total, 4);
  assert_int_equal(m.latency.min, S); /* 1, 2, 3 and 4 s */
  assert_int_equal(m.latency.max, 4 * S);
  assert_true(uvow__histogram_mean(&m.latency) == 2.5 * (double)S);
  measure_done(&m);
  measure_init(&m);
  measure_add_overdue(&m, 12345678, 10 * S); /* in bundles */
  measure_merge(&m);
  assert_int_equal(m.latency.total, 12345678);
  assert_int_equal(m.latency.max, 10 * S);
  assert_in_range((uint64_t)measure_us(&m, 0.5), 4980000, 5020000);
  assert_in_range((uint64_t)measure_us(&m, 0.99), 9860000, 9940000);
  measure_done(&m);
}

TEST_CASE(percentiles_are_those_of_all_parts) {
  measure_t m;
  measure_init(&m);
  assert_true(measure_us(&m, 0.5) == 0);
  for (uint64_t i = 1; i <= 1000; i++) {
    measure_add(&m, i * 1000);
    if (i % 300 == 0)
      measure_merge(&m);
  }
  measure_merge(&m);
  m.seconds = 0.5;
  assert_int_equal(m.answered, 1000);
  assert_true(measure_rps(&m) == 2000);
  assert_in_range((uint64_t)measure_us(&m, 0.5), 500, 502);
  assert_in_range((uint64_t)measure_us(&m, 0.99), 990, 994);
  assert_int_equal(measure_us(&m, 1), 1000);
  measure_done(&m);
}

TEST_CASE(points_have_what_came_in_each) {
  measure_t m;
  measure_init(&m);
  for (int i = 0; i < 30; i++)
    measure_add(&m, 1);
  measure_tick(&m, 100 * MS);
  measure_fail(&m, UVOW_ETIMEDOUT, 0, "late");
  measure_tick(&m, 300 * MS);
  for (int i = 0; i < 5; i++)
    measure_add(&m, 1);
  measure_last_tick(&m, 310 * MS); /* too short for a point of its own */
  assert_int_equal(m.point_count, 2);
  assert_true(measure_point_rps(&m, 0) == 300);
  assert_int_equal(m.points[1].answered, 5);
  assert_int_equal(m.points[1].failed, 1);
  assert_int_equal(m.points[1].end_ns, 310 * MS);
  measure_done(&m);
}

TEST_CASE(a_long_run_has_longer_points) {
  measure_t m;
  uint64_t answered = 0;
  uint64_t before = 0;
  measure_init(&m);
  for (uint64_t i = 1; i <= 5000; i++) {
    measure_add(&m, i);
    measure_tick(&m, i * 100 * MS);
  }
  assert_in_range(m.point_count, MEASURE_POINTS / 2, MEASURE_POINTS);
  for (size_t i = 0; i < m.point_count; i++) {
    answered += m.points[i].answered;
    assert_true(m.points[i].end_ns > before);
    assert_true(measure_point_rps(&m, i) == 10);
    if (i < m.point_count - 1) /* all but the last are as long as the first */
      assert_int_equal(m.points[i].end_ns - before, m.points[0].end_ns);
    before = m.points[i].end_ns;
  }
  assert_int_equal(answered, 5000);
  assert_int_equal(before, 500 * S);
  measure_done(&m);
}

TEST_CASE(failures_are_counted_by_their_code) {
  measure_t m;
  char name[48];
  measure_init(&m);
  measure_fail(&m, UVOW_EREMOTE, -32601, "the first text");
  measure_fail(&m, UVOW_EREMOTE, -32000, "another");
  measure_fail(&m, UVOW_EREMOTE, -32601, "not kept");
  measure_fail(&m, MEASURE_MISMATCH, 0, "sent 1, got 2");
  assert_int_equal(m.failed, 4);
  assert_int_equal(m.fault_count, 3);
  assert_int_equal(m.faults[0].count, 2);
  assert_string_equal(m.faults[0].text, "the first text");
  assert_string_equal(measure_fault_name(&m.faults[1], name, sizeof(name)),
                      "UVOW_EREMOTE -32000");
  assert_string_equal(measure_fault_name(&m.faults[2], name, sizeof(name)),
                      "mismatch");
  for (int64_t i = 0; i < 1000; i++)
    measure_fail(&m, UVOW_EREMOTE, i, "x");
  uint64_t sum = 0;
  for (size_t i = 0; i < m.fault_count; i++)
    sum += m.faults[i].count;
  assert_int_equal(m.fault_count, MEASURE_FAULTS);
  assert_int_equal(sum, 1004);
  assert_int_equal(m.faults[MEASURE_FAULTS - 1].count, 1004 - 2 - 30);
  measure_done(&m);
}

static void assert_formatted(double ns, const char *expected) {
  char text[24];
  assert_string_equal(measure_format_ns(ns, text, sizeof(text)), expected);
}

TEST_CASE(times_are_written_with_three_digits) {
  assert_formatted(0, "0 ns");
  assert_formatted(999.4, "999 ns");
  assert_formatted(999.6, "1.00 us");
  assert_formatted(9994, "9.99 us");
  assert_formatted(9996, "10.0 us");
  assert_formatted(99960, "100 us");
  assert_formatted(1234567, "1.23 ms");
  assert_formatted(2.5e9, "2.50 s");
  assert_formatted(12345e9, "12345 s");
}

/* 100 a second after 4 s: 200 by then, half of what it would have been. */
TEST_CASE(a_rate_may_grow) {
  pace_t pace = {5 * S, 100, 0, 4};
  assert_int_equal(pace_at(&pace, 0), 5 * S);
  assert_int_equal(pace_at(&pace, 50), 7 * S); /* a quarter, in half the time */
  assert_int_equal(pace_at(&pace, 200), 9 * S);
  assert_int_equal(pace_at(&pace, 300), 10 * S);
  assert_int_equal(pace_missing(&pace, 7 * S), 50);
  assert_int_equal(pace_missing(&pace, 9 * S), 200);
  assert_int_equal(pace_missing(&pace, 10 * S), 300);
  pace.next = 10;
  assert_int_equal(pace_missing(&pace, 10 * S), 290);
}

TEST_CASE(points_have_latencies) {
  static measure_t m;
  measure_init(&m);
  for (uint64_t i = 1; i <= 100; i++)
    measure_add(&m, i);
  measure_tick(&m, 100);
  measure_add(&m, 7);
  measure_tick(&m, 200);
  measure_tick(&m, 300);
  assert_int_equal(m.points[0].p50_ns, 50);
  assert_int_equal(m.points[0].p99_ns, 99);
  assert_int_equal(m.points[0].max_ns, 100);
  assert_int_equal(m.points[1].max_ns, 7);
  assert_int_equal(m.points[2].max_ns, 0);
  measure_fail_took(&m, 1000);
  measure_merge(&m);
  assert_int_equal(m.latency.total, 101);
  assert_int_equal(m.failures.total, 1);
  measure_done(&m);
}

TEST_MODULE(measure) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_rate_may_grow),
      cmocka_unit_test(points_have_latencies),
      cmocka_unit_test(a_schedule_is_even_and_exact),
      cmocka_unit_test(what_is_due_is_taken_once),
      cmocka_unit_test(what_is_missing_is_counted),
      cmocka_unit_test(a_stall_shows_in_all_that_it_delayed),
      cmocka_unit_test(what_was_never_sent_counts_with_its_age),
      cmocka_unit_test(percentiles_are_those_of_all_parts),
      cmocka_unit_test(points_have_what_came_in_each),
      cmocka_unit_test(a_long_run_has_longer_points),
      cmocka_unit_test(failures_are_counted_by_their_code),
      cmocka_unit_test(times_are_written_with_three_digits),
  };
  return cmocka_run_group_tests_name("cli/measure", tests, NULL, NULL);
}
