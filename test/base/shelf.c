#include "base/shelf.h"

#include "support/support.h"

static uvow__tidy_t tidy; /* of the shelf of this test */

static int set_up(void **state) {
  (void)state;
  uvow__tidy_init(&tidy);
  return 0;
}

TEST_CASE(what_is_given_back_is_taken_again) {
  test_alloc_t alloc;
  test_alloc_init(&alloc);
  uvow__shelf_t *shelf = uvow__shelf_new(&alloc.allocator, &tidy);
  void *one = uvow__shelf_take(shelf, 4096);
  void *two = uvow__shelf_take(shelf, 4096);
  memset(one, 1, 4096);
  memset(two, 2, 4096);
  size_t calls = alloc.calls;
  for (int i = 0; i < 10; i++) {
    uvow__shelf_give(shelf, one, 4096);
    uvow__shelf_give(shelf, two, 4096);
    assert_ptr_equal(uvow__shelf_take(shelf, 4096), two);
    assert_ptr_equal(uvow__shelf_take(shelf, 4096), one);
    memset(one, 1, 4096);
  }
  assert_int_equal(alloc.calls, calls);
  uvow__shelf_give(shelf, one, 4096);
  uvow__shelf_give(shelf, two, 4096);
  uvow__shelf_close(shelf);
  assert_int_equal(alloc.live, 0);
}

/* What was kept of another size is freed, and so is what comes back of it. */
TEST_CASE(another_size) {
  test_alloc_t alloc;
  test_alloc_init(&alloc);
  uvow__shelf_t *shelf = uvow__shelf_new(&alloc.allocator, &tidy);
  void *kept = uvow__shelf_take(shelf, 100);
  void *out = uvow__shelf_take(shelf, 100);
  uvow__shelf_give(shelf, kept, 100);
  void *other = uvow__shelf_take(shelf, 200);
  assert_int_equal(alloc.live, 3); /* the shelf, out, other */
  memset(out, 1, 100);
  memset(other, 2, 200);
  uvow__shelf_give(shelf, out, 100);
  assert_int_equal(alloc.live, 2);
  uvow__shelf_give(shelf, other, 200);
  assert_int_equal(alloc.live, 2);
  uvow__shelf_close(shelf);
  assert_int_equal(alloc.live, 0);
}

TEST_CASE(no_more_is_kept_than_the_limit) {
  static void *taken[1000];
  size_t sizes[] = {1000, 65536, UVOW__SHELF_KEEP, UVOW__SHELF_KEEP + 1};
  test_alloc_t alloc;
  test_alloc_init(&alloc);
  uvow__shelf_t *shelf = uvow__shelf_new(&alloc.allocator, &tidy);
  for (size_t s = 0; s < sizeof(sizes) / sizeof(*sizes); s++) {
    size_t count = sizes[s] > 1000 ? 10 : 1000;
    size_t most = UVOW__SHELF_KEEP / sizes[s];
    for (size_t i = 0; i < count; i++)
      taken[i] = uvow__shelf_take(shelf, sizes[s]);
    assert_int_equal(alloc.live, count + 1);
    for (size_t i = 0; i < count; i++)
      uvow__shelf_give(shelf, taken[i], sizes[s]);
    assert_int_equal(alloc.live - 1, most < count ? most : count);
  }
  uvow__shelf_close(shelf);
  assert_int_equal(alloc.live, 0);
}

TEST_CASE(blocks_outlive_the_owner) {
  test_alloc_t alloc;
  test_alloc_init(&alloc);
  uvow__shelf_t *shelf = uvow__shelf_new(&alloc.allocator, &tidy);
  void *one = uvow__shelf_take(shelf, 64);
  void *two = uvow__shelf_take(shelf, 64);
  void *kept = uvow__shelf_take(shelf, 64);
  uvow__shelf_give(shelf, kept, 64);
  uvow__shelf_close(shelf);
  assert_int_equal(alloc.live, 3);
  memset(one, 1, 64);
  uvow__shelf_give(shelf, one, 64);
  assert_int_equal(alloc.live, 2);
  memset(two, 2, 64);
  uvow__shelf_give(shelf, two, 64);
  assert_int_equal(alloc.live, 0);
}

TEST_CASE(what_is_kept_goes_when_it_is_tidied) {
  test_alloc_t alloc;
  test_alloc_init(&alloc);
  uvow__shelf_t *shelf = uvow__shelf_new(&alloc.allocator, &tidy);
  void *one = uvow__shelf_take(shelf, 64);
  void *two = uvow__shelf_take(shelf, 64);
  uvow__shelf_give(shelf, one, 64);
  assert_true(tidy.wanted);
  uvow__tidy_run(&tidy);
  assert_int_equal(alloc.live, 2);
  assert_false(tidy.wanted);
  uvow__shelf_give(shelf, two, 64);
  assert_true(tidy.wanted);
  assert_ptr_equal(uvow__shelf_take(shelf, 64), two);
  uvow__shelf_give(shelf, two, 64);
  uvow__shelf_close(shelf);
  assert_int_equal(alloc.live, 0);
  uvow__tidy_run(&tidy); /* it has left */
}

static void take_some(test_alloc_t *alloc, void *data) {
  uvow__shelf_t *shelf = uvow__shelf_new(&alloc->allocator, &tidy);
  (void)data;
  if (!shelf)
    return;
  for (size_t size = 100; size < 103; size++) {
    void *ptr = uvow__shelf_take(shelf, size);
    if (ptr)
      uvow__shelf_give(shelf, ptr, size);
  }
  uvow__shelf_close(shelf);
}

TEST_CASE(every_allocation_may_fail) {
  test_alloc_sweep(take_some, NULL);
}

TEST_MODULE(shelf) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup(what_is_given_back_is_taken_again, set_up),
      cmocka_unit_test_setup(another_size, set_up),
      cmocka_unit_test_setup(no_more_is_kept_than_the_limit, set_up),
      cmocka_unit_test_setup(blocks_outlive_the_owner, set_up),
      cmocka_unit_test_setup(what_is_kept_goes_when_it_is_tidied, set_up),
      cmocka_unit_test_setup(every_allocation_may_fail, set_up),
  };
  return cmocka_run_group_tests_name("base/shelf", tests, NULL, NULL);
}
