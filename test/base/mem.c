/* The allocator's front: sizes of 0, copies, checked sizes. */
#include "support/support.h"

#include <uvow/error.h>

#include "base/mem.h"

/* An allocator that notes the size it is asked for, and has nothing. */
static size_t asked;

static void *no_malloc(size_t size, void *data) {
  (void)data;
  asked = size;
  return NULL;
}

static void *no_realloc(void *ptr, size_t size, void *data) {
  (void)ptr;
  return no_malloc(size, data);
}

static void no_free(void *ptr, void *data) {
  (void)ptr;
  (void)data;
  fail();
}

static const uvow_allocator_t nothing = {sizeof(nothing), no_malloc, no_realloc,
                                         no_free, NULL};

TEST_CASE(a_size_of_0_is_taken_for_1) {
  assert_null(uvow__malloc(&nothing, 0));
  assert_int_equal(asked, 1);
  asked = 0;
  assert_null(uvow__realloc(&nothing, NULL, 0));
  assert_int_equal(asked, 1);
  asked = 0;
  assert_null(uvow__calloc(&nothing, 0));
  assert_int_equal(asked, 1);
}

TEST_CASE(free_of_null_is_nothing) {
  uvow__free(&nothing, NULL);
}

TEST_CASE(no_memory_is_null) {
  assert_null(uvow__calloc(&nothing, 16));
  assert_null(uvow__strndup(&nothing, "abc", 3));
  asked = 0;
  assert_null(uvow__strndup(&nothing, "", SIZE_MAX));
  assert_int_equal(asked, 0);
}

TEST_CASE(the_default_is_the_c_library) {
  char *ptr = (char *)uvow__calloc(&uvow__mem_default, 100);
  assert_non_null(ptr);
  for (int i = 0; i < 100; i++)
    assert_int_equal(ptr[i], 0);
  memset(ptr, 'x', 100);
  ptr = (char *)uvow__realloc(&uvow__mem_default, ptr, 1000);
  assert_non_null(ptr);
  assert_int_equal(ptr[99], 'x');
  uvow__free(&uvow__mem_default, ptr);
}

TEST_CASE(calls_the_allocator_it_is_given) {
  test_alloc_t alloc;
  test_alloc_init(&alloc);
  void *ptr = uvow__malloc(&alloc.allocator, 1);
  assert_int_equal(alloc.live, 1);
  ptr = uvow__realloc(&alloc.allocator, ptr, 100);
  assert_int_equal(alloc.live, 1);
  assert_int_equal(alloc.calls, 2);
  uvow__free(&alloc.allocator, ptr);
  assert_int_equal(alloc.live, 0);
}

TEST_CASE(copies_text) {
  char *copy = uvow__strndup(&uvow__mem_default, "abcdef", 3);
  assert_string_equal(copy, "abc");
  uvow__free(&uvow__mem_default, copy);
  copy = uvow__strndup(&uvow__mem_default, NULL, 0);
  assert_string_equal(copy, "");
  uvow__free(&uvow__mem_default, copy);
  copy = uvow__strndup(&uvow__mem_default, "a\0b", 3);
  assert_memory_equal(copy, "a\0b", 4);
  uvow__free(&uvow__mem_default, copy);
}

TEST_CASE(sizes_are_checked) {
  size_t size = 7;
  assert_int_equal(uvow__size_add(SIZE_MAX, 1, &size), UVOW_ETOOBIG);
  assert_int_equal(uvow__size_add(1, SIZE_MAX, &size), UVOW_ETOOBIG);
  assert_int_equal(uvow__size_mul(SIZE_MAX, 2, &size), UVOW_ETOOBIG);
  assert_int_equal(uvow__size_mul(SIZE_MAX / 2 + 1, 2, &size), UVOW_ETOOBIG);
  assert_int_equal(size, 7);
  assert_int_equal(uvow__size_add(SIZE_MAX - 1, 1, &size), 0);
  assert_true(size == SIZE_MAX);
  assert_int_equal(uvow__size_mul(SIZE_MAX / 2, 2, &size), 0);
  assert_true(size == SIZE_MAX - 1);
  assert_int_equal(uvow__size_mul(SIZE_MAX, 0, &size), 0);
  assert_int_equal(size, 0);
  assert_int_equal(uvow__size_mul(0, SIZE_MAX, &size), 0);
  assert_int_equal(size, 0);
}

TEST_MODULE(mem) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_size_of_0_is_taken_for_1),
      cmocka_unit_test(free_of_null_is_nothing),
      cmocka_unit_test(no_memory_is_null),
      cmocka_unit_test(the_default_is_the_c_library),
      cmocka_unit_test(calls_the_allocator_it_is_given),
      cmocka_unit_test(copies_text),
      cmocka_unit_test(sizes_are_checked),
  };
  return cmocka_run_group_tests_name("base/mem", tests, NULL, NULL);
}
