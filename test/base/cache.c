#include "base/cache.h"

#include "support/support.h"

static void what_is_given_back_is_taken_again(void **state) {
  uvow__cache_t cache;
  test_alloc_t alloc;
  (void)state;
  test_alloc_init(&alloc);
  uvow__cache_init(&cache, &alloc.allocator);
  for (size_t size = 1; size <= 65536; size = size * 2 + 1) {
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
static void no_more_is_kept_than_the_limit(void **state) {
  static void *taken[10000];
  size_t sizes[] = {1, 64, 65, 1000, 65536, 65537, 1 << 20};
  (void)state;
  for (size_t s = 0; s < sizeof(sizes) / sizeof(*sizes); s++) {
    uvow__cache_t cache;
    test_alloc_t alloc;
    size_t count = sizes[s] > 1000 ? 20 : 10000;
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
    if (sizes[s] <= 65536)
      assert_true(alloc.live * 2 * (sizes[s] < 64 ? 64 : sizes[s]) >=
                  UVOW__CACHE_KEEP);
    else
      assert_int_equal(alloc.live, 0);
    uvow__cache_done(&cache);
    assert_int_equal(alloc.live, 0);
  }
}

/* Blocks that are out at once are different ones. */
static void blocks_do_not_overlap(void **state) {
  uvow__cache_t cache;
  unsigned char *taken[100];
  (void)state;
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

static void without_memory_there_is_none(void **state) {
  (void)state;
  test_alloc_sweep(take_some, NULL);
}

TEST_MODULE(cache) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_is_given_back_is_taken_again),
      cmocka_unit_test(no_more_is_kept_than_the_limit),
      cmocka_unit_test(blocks_do_not_overlap),
      cmocka_unit_test(without_memory_there_is_none),
  };
  return cmocka_run_group_tests_name("base/cache", tests, NULL, NULL);
}
