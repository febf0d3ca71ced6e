#include "base/spare.h"

#include "support/support.h"

#include <uvow/error.h>

#define LARGE UVOW__SPARE_MIN

typedef struct fixture {
  test_alloc_t alloc;
  uvow__mem_t mem;
} fixture_t;

static void begin(fixture_t *f) {
  test_alloc_init(&f->alloc);
  assert_int_equal(uvow__spares_new(&f->alloc.allocator, &f->mem), 0);
}

static void end(fixture_t *f) {
  uvow__spares_close(&f->mem);
  assert_int_equal(f->alloc.live, 0);
}

static void a_large_block_is_used_again(void **state) {
  (void)state;
  fixture_t f;
  begin(&f);
  void *first = uvow__malloc(&f.mem, 2 * LARGE);
  uvow__free(&f.mem, first);
  size_t count = f.alloc.calls;
  void *second = uvow__malloc(&f.mem, 2 * LARGE - 5);
  assert_ptr_equal(first, second);
  assert_int_equal(f.alloc.calls, count);
  uvow__free(&f.mem, second);
  end(&f);
}

static void a_small_block_is_not_kept(void **state) {
  (void)state;
  fixture_t f;
  begin(&f);
  size_t live = f.alloc.live;
  uvow__free(&f.mem, uvow__malloc(&f.mem, LARGE - 1));
  assert_int_equal(f.alloc.live, live);
  uvow__free(&f.mem, uvow__malloc(&f.mem, LARGE));
  assert_int_equal(f.alloc.live, live + 1);
  end(&f);
}

static void a_much_larger_block_is_not_lent(void **state) {
  (void)state;
  fixture_t f;
  begin(&f);
  void *large = uvow__malloc(&f.mem, 4 * LARGE);
  uvow__free(&f.mem, large);
  void *small = uvow__malloc(&f.mem, LARGE);
  assert_ptr_not_equal(large, small);
  uvow__free(&f.mem, small);
  end(&f);
}

static void the_smallest_that_fits_is_lent(void **state) {
  (void)state;
  fixture_t f;
  begin(&f);
  void *blocks[3];
  for (size_t i = 0; i < 3; i++)
    blocks[i] = uvow__malloc(&f.mem, (6 - i) * LARGE);
  for (size_t i = 0; i < 3; i++)
    uvow__free(&f.mem, blocks[i]);
  void *again = uvow__malloc(&f.mem, 4 * LARGE + 1);
  assert_ptr_equal(again, blocks[1]);
  uvow__free(&f.mem, again);
  end(&f);
}

static void what_is_kept_has_a_limit(void **state) {
  (void)state;
  fixture_t f;
  begin(&f);
  size_t live = f.alloc.live;
  void *blocks[40];
  for (size_t i = 0; i < 40; i++)
    blocks[i] = uvow__malloc(&f.mem, LARGE);
  for (size_t i = 0; i < 40; i++)
    uvow__free(&f.mem, blocks[i]);
  assert_int_equal(f.alloc.live, live + 8);
  for (size_t i = 0; i < 3; i++)
    blocks[i] = uvow__malloc(&f.mem, UVOW__SPARE_MAX / 2);
  for (size_t i = 0; i < 3; i++)
    uvow__free(&f.mem, blocks[i]);
  assert_int_equal(f.alloc.live, live + 2);
  uvow__free(&f.mem, uvow__malloc(&f.mem, UVOW__SPARE_MAX + 1));
  assert_int_equal(f.alloc.live, live + 2);
  end(&f);
}

/* In the block itself, in one that is kept, in one from below. */
static void realloc_keeps_the_content(void **state) {
  (void)state;
  fixture_t f;
  begin(&f);
  void *kept = uvow__malloc(&f.mem, 3 * LARGE);
  uint8_t *bytes = (uint8_t *)uvow__malloc(&f.mem, 1000);
  memset(bytes, 1, 1000);
  bytes = (uint8_t *)uvow__realloc(&f.mem, bytes, 2 * LARGE);
  memset(bytes + 1000, 2, 2 * LARGE - 1000);
  assert_ptr_equal(uvow__realloc(&f.mem, bytes, LARGE), bytes);
  uvow__free(&f.mem, kept);
  void *before = bytes;
  bytes = (uint8_t *)uvow__realloc(&f.mem, bytes, 3 * LARGE);
  assert_ptr_equal(bytes, kept);
  assert_int_equal(bytes[999], 1);
  assert_int_equal(bytes[1000], 2);
  assert_int_equal(bytes[2 * LARGE - 1], 2);
  bytes = (uint8_t *)uvow__realloc(&f.mem, bytes, 9 * LARGE);
  assert_int_equal(bytes[999], 1);
  assert_int_equal(bytes[2 * LARGE - 1], 2);
  uvow__free(&f.mem, bytes);
  bytes = (uint8_t *)uvow__malloc(&f.mem, 2 * LARGE);
  assert_ptr_equal(bytes, before);
  uvow__free(&f.mem, bytes);
  bytes = (uint8_t *)uvow__realloc(&f.mem, NULL, 8 * LARGE);
  memset(bytes, 3, 9 * LARGE); /* it is the one of that size */
  uvow__free(&f.mem, bytes);
  end(&f);
}

static void what_is_kept_goes_before_memory_runs_out(void **state) {
  (void)state;
  fixture_t f;
  begin(&f);
  uvow__free(&f.mem, uvow__malloc(&f.mem, LARGE));
  f.alloc.fail_at = f.alloc.calls + 1;
  void *ptr = uvow__malloc(&f.mem, 10);
  assert_non_null(ptr);
  uvow__free(&f.mem, ptr);
  f.alloc.fail_at = f.alloc.calls + 1;
  assert_null(uvow__malloc(&f.mem, 10));
  end(&f);
}

static void a_realloc_that_fails_changes_nothing(void **state) {
  (void)state;
  fixture_t f;
  begin(&f);
  uint8_t *bytes = (uint8_t *)uvow__malloc(&f.mem, LARGE);
  bytes[LARGE - 1] = 7;
  f.alloc.fail_at = f.alloc.calls + 1;
  assert_null(uvow__realloc(&f.mem, bytes, 2 * LARGE));
  assert_int_equal(bytes[LARGE - 1], 7);
  assert_ptr_equal(uvow__realloc(&f.mem, bytes, LARGE), bytes);
  uvow__free(&f.mem, bytes);
  end(&f);
}

static void it_lives_as_long_as_its_blocks(void **state) {
  (void)state;
  fixture_t f;
  begin(&f);
  void *small = uvow__malloc(&f.mem, 10);
  void *large = uvow__malloc(&f.mem, LARGE);
  uvow__free(&f.mem, uvow__malloc(&f.mem, 3 * LARGE));
  uvow__mem_t copy = f.mem;
  uvow__spares_close(&f.mem);
  uvow__free(&copy, large);
  assert_int_equal(f.alloc.live, 2); /* it, and the small one */
  uvow__free(&copy, small);
  assert_int_equal(f.alloc.live, 0);
}

/* More large blocks than the table holds, in any order. */
static void many_are_in_use_at_once(void **state) {
  (void)state;
  fixture_t f;
  begin(&f);
  uint8_t *blocks[50] = {NULL};
  uint32_t seed = 1;
  for (int i = 0; i < 5000; i++) {
    seed = seed * 1664525 + 1013904223;
    size_t at = (seed >> 24) % 50;
    size_t size = (seed >> 8 & 3) ? LARGE + (seed >> 10 & 0xFFFF) : 100;
    if (blocks[at] && (seed & 0x40)) {
      assert_int_equal(blocks[at][99], at);
      blocks[at] = (uint8_t *)uvow__realloc(&f.mem, blocks[at], size);
      assert_int_equal(blocks[at][99], at);
    } else if (blocks[at]) {
      assert_int_equal(blocks[at][99], at);
      uvow__free(&f.mem, blocks[at]);
      blocks[at] = NULL;
    } else {
      blocks[at] = (uint8_t *)uvow__malloc(&f.mem, size);
      blocks[at][99] = (uint8_t)at;
      blocks[at][size - 1] = (uint8_t)at;
    }
  }
  for (size_t i = 0; i < 50; i++)
    uvow__free(&f.mem, blocks[i]);
  end(&f);
}

static void no_memory_for_it_is_an_error(void **state) {
  (void)state;
  test_alloc_t alloc;
  uvow__mem_t mem;
  test_alloc_init(&alloc);
  alloc.fail_at = 1;
  assert_int_equal(uvow__spares_new(&alloc.allocator, &mem), UVOW_ENOMEM);
  assert_int_equal(alloc.live, 0);
}

TEST_MODULE(spare) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_large_block_is_used_again),
      cmocka_unit_test(a_small_block_is_not_kept),
      cmocka_unit_test(a_much_larger_block_is_not_lent),
      cmocka_unit_test(the_smallest_that_fits_is_lent),
      cmocka_unit_test(what_is_kept_has_a_limit),
      cmocka_unit_test(realloc_keeps_the_content),
      cmocka_unit_test(what_is_kept_goes_before_memory_runs_out),
      cmocka_unit_test(a_realloc_that_fails_changes_nothing),
      cmocka_unit_test(it_lives_as_long_as_its_blocks),
      cmocka_unit_test(many_are_in_use_at_once),
      cmocka_unit_test(no_memory_for_it_is_an_error),
  };
  return cmocka_run_group_tests_name("base/spare", tests, NULL, NULL);
}
