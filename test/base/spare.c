#include "base/spare.h"

#include "support/support.h"

#include <uvow/error.h>

#define LARGE (UVOW__SPARE_LARGE + 4096)

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

TEST_CASE(a_large_block_is_used_again) {
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

TEST_CASE(a_small_block_is_not_kept) {
  fixture_t f;
  begin(&f);
  size_t live = f.alloc.live;
  uvow__free(&f.mem, uvow__malloc(&f.mem, UVOW__SPARE_MIN));
  assert_int_equal(f.alloc.live, live);
  uvow__free(&f.mem, uvow__malloc(&f.mem, UVOW__SPARE_MIN + 1));
  assert_int_equal(f.alloc.live, live + 1);
  end(&f);
}

TEST_CASE(a_much_larger_block_is_not_lent) {
  fixture_t f;
  begin(&f);
  void *large = uvow__malloc(&f.mem, 4 * LARGE);
  uvow__free(&f.mem, large);
  void *small = uvow__malloc(&f.mem, LARGE);
  assert_ptr_not_equal(large, small);
  uvow__free(&f.mem, small);
  end(&f);
}

TEST_CASE(the_smallest_that_fits_is_lent) {
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

TEST_CASE(what_is_kept_has_a_limit) {
  fixture_t f;
  begin(&f);
  void *blocks[40];
  for (size_t i = 0; i < 40; i++)
    blocks[i] = uvow__malloc(&f.mem, LARGE);
  size_t live = f.alloc.live - 40;
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
TEST_CASE(realloc_keeps_the_content) {
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

TEST_CASE(what_is_kept_goes_before_memory_runs_out) {
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

TEST_CASE(a_realloc_that_fails_changes_nothing) {
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

TEST_CASE(it_lives_as_long_as_its_blocks) {
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

/* Blocks of all kinds, in any order; each knows whose it is. `fail`: from time
 * to time there is no memory. */
static void use_many(uint32_t seed, int fail) {
  static const size_t sizes[] = {100, 5000, 40000, LARGE};
  fixture_t f;
  begin(&f);
  uint8_t *blocks[200] = {NULL};
  for (int i = 0; i < 20000; i++) {
    seed = seed * 1664525 + 1013904223;
    size_t at = (seed >> 24) % 200;
    size_t size = sizes[seed >> 8 & 3] + (seed >> 10 & 0x3FFF);
    uint8_t *block = blocks[at];
    f.alloc.fail_at = fail && (seed & 0x80) ? f.alloc.calls + 1 : 0;
    if (block)
      assert_int_equal(block[99], at);
    if (block && (seed & 0x40)) {
      uint8_t *to = (uint8_t *)uvow__realloc(&f.mem, block, size);
      assert_true(to || fail);
      blocks[at] = to ? to : block;
      assert_int_equal(blocks[at][99], at);
    } else if (block) {
      uvow__free(&f.mem, block);
      blocks[at] = NULL;
    } else if ((block = (uint8_t *)uvow__malloc(&f.mem, size))) {
      memset(block, (int)at, size);
      blocks[at] = block;
    }
  }
  f.alloc.fail_at = 0;
  for (size_t i = 0; i < 200; i++)
    uvow__free(&f.mem, blocks[i]);
  end(&f);
}

TEST_CASE(many_are_in_use_at_once) {
  use_many(1, 0);
}

TEST_CASE(many_are_in_use_and_memory_is_short) {
  use_many(2, 1);
}

/* From 4 KiB on: whoever needs about as much gets the one that came back. */
TEST_CASE(each_size_has_a_class) {
  fixture_t f;
  begin(&f);
  for (size_t size = UVOW__SPARE_MIN + 1; size <= UVOW__SPARE_LARGE;
       size += 997) {
    void *first = uvow__malloc(&f.mem, size);
    memset(first, 1, size);
    uvow__free(&f.mem, first);
    size_t calls = f.alloc.calls;
    void *second = uvow__malloc(&f.mem, size - size / 5000);
    assert_ptr_equal(first, second);
    assert_int_equal(f.alloc.calls, calls);
    uvow__free(&f.mem, second);
  }
  assert_int_equal(f.alloc.live, 1 + 10); /* one of each class */
  end(&f);
}

TEST_CASE(classes_have_a_limit_together) {
  enum { BLOCK = 64 * 1024, COUNT = 2 * UVOW__SPARE_CLASSES_MAX / BLOCK };
  fixture_t f;
  void *blocks[COUNT];
  begin(&f);
  for (size_t i = 0; i < COUNT; i++)
    blocks[i] = uvow__malloc(&f.mem, BLOCK);
  size_t live = f.alloc.live - COUNT;
  for (size_t i = 0; i < COUNT; i++)
    uvow__free(&f.mem, blocks[i]);
  assert_int_equal(f.alloc.live, live + COUNT / 2);
  end(&f);
}

/* It is asked twice: what nobody took in between goes. */
TEST_CASE(what_nobody_takes_is_given_back) {
  fixture_t f;
  uvow__tidy_t tidy;
  begin(&f);
  uvow__tidy_init(&tidy);
  uvow__spares_tell(&f.mem, NULL, &tidy);
  void *used = uvow__malloc(&f.mem, 10000);
  void *idle = uvow__malloc(&f.mem, 20000);
  void *large = uvow__malloc(&f.mem, LARGE);
  uvow__free(&f.mem, used);
  uvow__free(&f.mem, idle);
  uvow__free(&f.mem, large);
  for (int i = 0; i < 5; i++) {
    assert_true(tidy.wanted);
    uvow__tidy_run(&tidy);
    assert_int_equal(f.alloc.live, i == 0 ? 4 : 2);
    assert_ptr_equal(uvow__malloc(&f.mem, 10000), used);
    uvow__free(&f.mem, used);
  }
  uvow__tidy_run(&tidy);
  uvow__tidy_run(&tidy);
  assert_int_equal(f.alloc.live, 1);
  assert_false(tidy.wanted);
  end(&f);
}

TEST_CASE(no_memory_for_it_is_an_error) {
  test_alloc_t alloc;
  uvow__mem_t mem;
  test_alloc_init(&alloc);
  alloc.fail_at = 1;
  assert_int_equal(uvow__spares_new(&alloc.allocator, &mem), UVOW_ENOMEM);
  assert_int_equal(alloc.live, 0);
}

/* What is kept goes, if there is no other memory, before a realloc fails. */
TEST_CASE(a_realloc_takes_what_is_kept) {
  fixture_t f;
  uvow__reason_t reason = {0};
  begin(&f);
  uvow__spares_tell(&f.mem, &reason, NULL);
  uvow__free(&f.mem, uvow__malloc(&f.mem, 4 * LARGE));
  void *ptr = uvow__malloc(&f.mem, 64);
  f.alloc.fail_at = f.alloc.calls + 1;
  void *larger = uvow__realloc(&f.mem, ptr, 128);
  assert_non_null(larger);
  assert_int_equal(reason.code, 0);
  f.alloc.fail_at = f.alloc.calls + 1;
  assert_null(uvow__realloc(&f.mem, larger, 256));
  assert_int_equal(reason.code, UVOW_ENOMEM);
  uvow__free(&f.mem, larger);
  end(&f);
}

TEST_MODULE(spare) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_realloc_takes_what_is_kept),
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
      cmocka_unit_test(many_are_in_use_and_memory_is_short),
      cmocka_unit_test(each_size_has_a_class),
      cmocka_unit_test(classes_have_a_limit_together),
      cmocka_unit_test(what_nobody_takes_is_given_back),
      cmocka_unit_test(no_memory_for_it_is_an_error),
  };
  return cmocka_run_group_tests_name("base/spare", tests, NULL, NULL);
}
