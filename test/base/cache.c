#include "base/cache.h"

#include "support/support.h"

TEST_CASE(what_is_given_back_is_taken_again) {
  uvow__cache_t cache;
  test_alloc_t alloc;
  test_alloc_init(&alloc);
  uvow__cache_init(&cache, &alloc.allocator);
  for (size_t size = 1; size <= 4096; size = size * 2 + 1) {
    void *first = uvow__cache_take(&cache, size);
    memset(first, 'x', size);
    uvow__cache_give(&cache, first, size);
    size_t calls = alloc.calls;
    for (int i = 0; i < 10; i++) {
      char *again = (char *)uvow__cache_take(&cache, size);
      assert_ptr_equal(again, first);
      memset(again, 'y', size);
      uvow__cache_give(&cache, again, size);
    }
    assert_int_equal(alloc.calls, calls);
  }
  uvow__cache_done(&cache);
  assert_int_equal(alloc.live, 0);
}

/* A burst leaves no more behind than the limit says. */
TEST_CASE(no_more_is_kept_than_the_limit) {
  static void *taken[10000];
  size_t sizes[] = {1, 64, 65, 1000, 4096, 4097, 1 << 20};
  for (size_t s = 0; s < sizeof(sizes) / sizeof(*sizes); s++) {
    uvow__cache_t cache;
    test_alloc_t alloc;
    size_t count = sizes[s] > 1000 ? 100 : 10000;
    test_alloc_init(&alloc);
    uvow__cache_init(&cache, &alloc.allocator);
    for (size_t i = 0; i < count; i++) {
      taken[i] = uvow__cache_take(&cache, sizes[s]);
      memset(taken[i], (int)i, sizes[s]);
    }
    assert_int_equal(alloc.live, count);
    for (size_t i = 0; i < count; i++)
      uvow__cache_give(&cache, taken[i], sizes[s]);
    assert_true(alloc.live * sizes[s] <= UVOW__CACHE_KEEP);
    if (sizes[s] <= 4096)
      assert_true(alloc.live * 2 * (sizes[s] < 64 ? 64 : sizes[s]) >=
                  UVOW__CACHE_KEEP);
    else
      assert_int_equal(alloc.live, 0);
    uvow__cache_done(&cache);
    assert_int_equal(alloc.live, 0);
  }
}

/* Blocks that are out at once are different ones. */
TEST_CASE(blocks_do_not_overlap) {
  uvow__cache_t cache;
  unsigned char *taken[100];
  uvow__cache_init(&cache, &uvow__mem_default);
  for (int round = 0; round < 3; round++) {
    for (int i = 0; i < 100; i++) {
      taken[i] = (unsigned char *)uvow__cache_take(&cache, (size_t)i + 1);
      memset(taken[i], i, (size_t)i + 1);
    }
    for (int i = 0; i < 100; i++) {
      for (int k = 0; k <= i; k++)
        assert_int_equal(taken[i][k], i);
      uvow__cache_give(&cache, taken[i], (size_t)i + 1);
    }
  }
  uvow__cache_done(&cache);
}

TEST_CASE(what_nobody_takes_is_given_back) {
  uvow__cache_t cache;
  uvow__tidy_t tidy;
  test_alloc_t alloc;
  void *blocks[10];
  test_alloc_init(&alloc);
  uvow__tidy_init(&tidy);
  uvow__cache_init(&cache, &alloc.allocator);
  uvow__cache_shrink(&cache, &tidy);
  for (int i = 0; i < 10; i++)
    blocks[i] = uvow__cache_take(&cache, 500);
  for (int i = 0; i < 10; i++)
    uvow__cache_give(&cache, blocks[i], 500);
  assert_true(tidy.wanted);
  uvow__tidy_run(&tidy);
  assert_int_equal(alloc.live, 10);
  for (int round = 0; round < 3; round++) {
    for (int i = 0; i < 3; i++)
      blocks[i] = uvow__cache_take(&cache, 500);
    for (int i = 0; i < 3; i++)
      uvow__cache_give(&cache, blocks[i], 500);
    assert_true(tidy.wanted);
    uvow__tidy_run(&tidy);
    assert_int_equal(alloc.live, 3);
  }
  assert_int_equal(alloc.calls, 10);
  uvow__tidy_run(&tidy);
  assert_int_equal(alloc.live, 0);
  assert_false(tidy.wanted);
  uvow__cache_done(&cache);
}

/* What comes back when all was looked through already is looked through again.
 */
TEST_CASE(a_late_block_wants_tidying) {
  uvow__cache_t cache;
  uvow__tidy_t tidy;
  uvow__tidy_init(&tidy);
  uvow__cache_init(&cache, &uvow__mem_default);
  uvow__cache_shrink(&cache, &tidy);
  void *late = uvow__cache_take(&cache, 500);
  assert_false(tidy.wanted);
  uvow__cache_give(&cache, late, 500);
  assert_true(tidy.wanted);
  uvow__cache_done(&cache);
}

static void take_some(test_alloc_t *alloc, void *data) {
  uvow__cache_t cache;
  (void)data;
  uvow__cache_init(&cache, &alloc->allocator);
  for (size_t size = 1; size < 200000; size *= 3) {
    void *block = uvow__cache_take(&cache, size);
    if (block)
      uvow__cache_give(&cache, block, size);
  }
  uvow__cache_done(&cache);
}

TEST_CASE(without_memory_there_is_none) {
  test_alloc_sweep(take_some, NULL);
}

TEST_MODULE(cache) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_is_given_back_is_taken_again),
      cmocka_unit_test(no_more_is_kept_than_the_limit),
      cmocka_unit_test(blocks_do_not_overlap),
      cmocka_unit_test(what_nobody_takes_is_given_back),
      cmocka_unit_test(a_late_block_wants_tidying),
      cmocka_unit_test(without_memory_there_is_none),
  };
  return cmocka_run_group_tests_name("base/cache", tests, NULL, NULL);
}
