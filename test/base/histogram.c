/* Histograms: every value in its bucket, percentiles within the error. */
#include "support/support.h"

#include <float.h>
#include <uvow/error.h>

#include "base/histogram.h"

static int compare(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a;
  uint64_t y = *(const uint64_t *)b;
  return (x > y) - (x < y);
}

TEST_CASE(small_values_are_exact) {
  uvow__histogram_t h;
  uvow__histogram_init(&h, &uvow__mem_default, 5);
  assert_int_equal(uvow__histogram_at(&h, 0.5), 0);
  for (uint64_t v = 1; v <= 60; v++)
    assert_int_equal(uvow__histogram_add(&h, v, 1), 0);
  assert_int_equal(uvow__histogram_at(&h, 0), 1);
  assert_int_equal(uvow__histogram_at(&h, 0.5), 30);
  assert_int_equal(uvow__histogram_at(&h, 1), 60);
  assert_true(uvow__histogram_mean(&h) == 30.5);
  assert_int_equal(h.min, 1);
  assert_int_equal(h.max, 60);
  uvow__histogram_done(&h);
}

TEST_CASE(percentiles_are_within_the_error) {
  static uint64_t values[20000];
  const size_t count = sizeof(values) / sizeof(*values);
  const double shares[] = {0.01, 0.5, 0.9, 0.99, 0.999, 1};
  uint64_t seed = 88172645463325252u;
  for (unsigned bits = 1; bits <= 12; bits += 1) {
    uvow__histogram_t h;
    uvow__histogram_init(&h, &uvow__mem_default, bits);
    for (size_t i = 0; i < count; i++) {
      seed ^= seed << 13;
      seed ^= seed >> 7;
      seed ^= seed << 17;
      values[i] = seed >> (24 + seed % 40); /* all sizes up to 2^40 */
      assert_int_equal(uvow__histogram_add(&h, values[i], 1), 0);
    }
    qsort(values, count, sizeof(*values), compare);
    for (size_t i = 0; i < sizeof(shares) / sizeof(*shares); i++) {
      size_t at = (size_t)(shares[i] * (double)count);
      double exact = (double)values[at ? at - 1 : 0];
      double found = (double)uvow__histogram_at(&h, shares[i]);
      assert_true(found >= exact);
      /* An x87 may round a share of them up where we don't: the next one. */
      if (FLT_EVAL_METHOD == 2 && at < count)
        exact = (double)values[at];
      assert_true(found <= exact * (1 + 1.0 / (double)(1u << bits)) + 1);
    }
    uvow__histogram_done(&h);
  }
}

/* What goes where the last one went has a shorter way, which says the same. */
TEST_CASE(neighbours_are_counted_alike) {
  uint64_t seed = 88172645463325252u;
  for (unsigned bits = 1; bits <= 12; bits += 1) {
    uvow__histogram_t h;
    uvow__histogram_t other;
    uint64_t value = 0;
    uvow__histogram_init(&h, &uvow__mem_default, bits);
    uvow__histogram_init(&other, &uvow__mem_default, bits);
    for (size_t i = 0; i < 20000; i++) {
      seed ^= seed << 13;
      seed ^= seed >> 7;
      seed ^= seed << 17;
      if (i % 50 == 0)
        value = seed >> (16 + seed % 48); /* up to 64 times the largest */
      value += seed % (value / 64 + 2) - value / 128;
      assert_int_equal(uvow__histogram_add(&h, value, seed % 3), 0);
      assert_int_equal(uvow__histogram_add_other(&other, value, seed % 3), 0);
      assert_true(h.total == other.total && h.sum == other.sum);
      assert_true(h.min == other.min && h.max == other.max);
    }
    for (double share = 0; share <= 1; share += 1.0 / 4096)
      assert_true(uvow__histogram_at(&h, share) ==
                  uvow__histogram_at(&other, share));
    uvow__histogram_done(&h);
    uvow__histogram_done(&other);
  }
}

TEST_CASE(huge_values_count_as_the_largest) {
  uvow__histogram_t h;
  uvow__histogram_init(&h, &uvow__mem_default, 5);
  assert_int_equal(uvow__histogram_add(&h, UINT64_MAX, 1), 0);
  assert_int_equal(uvow__histogram_add(&h, UINT64_MAX, 2), 0); /* the same */
  assert_true(uvow__histogram_mean(&h) > 0);
  assert_int_equal(uvow__histogram_add(&h, UVOW__HISTOGRAM_MAX, 1), 0);
  assert_int_equal(uvow__histogram_add(&h, 7, 0), 0); /* nothing */
  assert_int_equal(h.total, 4);
  assert_true(uvow__histogram_at(&h, 0.5) >= UVOW__HISTOGRAM_MAX);
  assert_int_equal(h.max, UINT64_MAX);
  uvow__histogram_done(&h);
}

TEST_CASE(two_become_one) {
  uvow__histogram_t a;
  uvow__histogram_t b;
  uvow__histogram_init(&a, &uvow__mem_default, 5);
  uvow__histogram_init(&b, &uvow__mem_default, 5);
  assert_int_equal(uvow__histogram_merge(&a, &b), 0);
  assert_null(a.rows);
  uvow__histogram_add(&b, 5, 1);
  uvow__histogram_add(&b, 50, 1);
  assert_int_equal(uvow__histogram_merge(&a, &b), 0);
  uvow__histogram_add(&a, 1, 2);
  assert_int_equal(a.total, 4);
  assert_int_equal(a.min, 1);
  assert_int_equal(a.max, 50);
  assert_int_equal(uvow__histogram_at(&a, 0.5), 1);
  assert_int_equal(uvow__histogram_at(&a, 0.75), 5);
  uvow__histogram_done(&a);
  uvow__histogram_done(&b);
}

TEST_CASE(without_memory_nothing_is_counted) {
  for (size_t fail_at = 1; fail_at <= 3; fail_at++) {
    uvow__histogram_t h;
    uvow__histogram_t other;
    test_alloc_t alloc;
    test_alloc_init(&alloc);
    alloc.fail_at = fail_at;
    uvow__histogram_init(&h, &alloc.allocator, 5);
    uvow__histogram_init(&other, &uvow__mem_default, 5);
    uvow__histogram_add(&other, 1, 1);
    uvow__histogram_add(&other, 1000, 1);
    assert_int_equal(uvow__histogram_merge(&h, &other), UVOW_ENOMEM);
    assert_int_equal(h.total, 0);
    assert_int_equal(uvow__histogram_at(&h, 1), 0);
    alloc.fail_at = alloc.calls + 1;
    assert_int_equal(uvow__histogram_add(&h, 1000, 1), UVOW_ENOMEM);
    assert_int_equal(h.total, 0);
    assert_int_equal(uvow__histogram_add(&h, 1000, 1), 0);
    assert_int_equal(h.total, 1);
    assert_int_equal(uvow__histogram_at(&h, 1), 1000);
    uvow__histogram_done(&h);
    uvow__histogram_done(&other);
    assert_int_equal(alloc.live, 0);
  }
}

TEST_CASE(values_of_one_size_take_little_memory) {
  uvow__histogram_t h;
  test_alloc_t alloc;
  test_alloc_init_sized(&alloc);
  uvow__histogram_init(&h, &alloc.allocator, 5);
  assert_int_equal(uvow__histogram_add(&h, 7, 0), 0); /* nothing */
  assert_int_equal(alloc.bytes, 0);
  for (uint64_t v = 1024; v < 4096; v++) /* two powers of two */
    assert_int_equal(uvow__histogram_add(&h, v, 1), 0);
  assert_int_equal(alloc.bytes, 39 * sizeof(void *) + 2 * 256);
  for (uint64_t v = 1; v <= UVOW__HISTOGRAM_MAX; v *= 2)
    assert_int_equal(uvow__histogram_add(&h, v, 1), 0);
  assert_true(alloc.bytes < 10 * 1024 + 512);
  uvow__histogram_done(&h);
  assert_int_equal(alloc.bytes, 0);
}

TEST_MODULE(histogram) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(small_values_are_exact),
      cmocka_unit_test(percentiles_are_within_the_error),
      cmocka_unit_test(neighbours_are_counted_alike),
      cmocka_unit_test(huge_values_count_as_the_largest),
      cmocka_unit_test(two_become_one),
      cmocka_unit_test(without_memory_nothing_is_counted),
      cmocka_unit_test(values_of_one_size_take_little_memory),
  };
  return cmocka_run_group_tests_name("base/histogram", tests, NULL, NULL);
}
