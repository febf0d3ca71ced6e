/* Structs that begin with their size: shorter and longer ones. */
#include "base/options.h"

#include "support/support.h"

#include <uvow/error.h>

typedef struct today {
  size_t size;
  void *ptr;
  uint32_t a;
  uint32_t b;
} today_t;

typedef struct tomorrow {
  today_t known;
  uint64_t more[4];
} tomorrow_t;

static const today_t *read_as(const void *given, today_t *own) {
  memset(own, 0xAA, sizeof(*own));
  return (const today_t *)uvow__options(given, own, sizeof(*own));
}

TEST_CASE(one_of_the_same_size_is_not_copied) {
  today_t given = {sizeof(given), &given, 1, 2};
  today_t own;
  assert_ptr_equal(read_as(&given, &own), &given);
}

TEST_CASE(what_is_not_given_is_the_default) {
  today_t given = {0, &given, 1, 2};
  today_t own;
  assert_ptr_equal(read_as(NULL, &own), &own);
  assert_int_equal(own.size, sizeof(own));
  assert_true(!own.ptr && !own.a && !own.b);
  for (size_t size = sizeof(size_t); size < sizeof(own); size += 4) {
    given.size = size;
    assert_ptr_equal(read_as(&given, &own), &own);
    assert_int_equal(own.size, sizeof(own));
    if (size >= offsetof(today_t, a))
      assert_ptr_equal(own.ptr, &given);
    assert_int_equal(own.a, size >= offsetof(today_t, b));
    assert_int_equal(own.b, 0);
  }
}

TEST_CASE(what_is_unknown_must_be_zero) {
  tomorrow_t given = {{sizeof(given), &given, 1, 2}, {0, 0, 0, 0}};
  today_t own;
  assert_ptr_equal(read_as(&given, &own), &own);
  assert_int_equal(own.size, sizeof(own));
  assert_ptr_equal(own.ptr, &given);
  assert_int_equal(own.b, 2);
  for (size_t i = sizeof(own); i < sizeof(given); i++) {
    ((char *)&given)[i] = 1;
    assert_null(read_as(&given, &own));
    ((char *)&given)[i] = 0;
  }
}

TEST_CASE(a_size_that_was_not_set_is_not_followed) {
  today_t given = {0, &given, 1, 2};
  today_t own;
  assert_null(read_as(&given, &own));
  given.size = sizeof(size_t) - 1;
  assert_null(read_as(&given, &own));
  given.size = sizeof(given) + 4097;
  assert_null(read_as(&given, &own));
  given.size = SIZE_MAX;
  assert_null(read_as(&given, &own));
  assert_int_equal(uvow__options_fill(&given, &own, sizeof(own)), UVOW_EINVAL);
  given.size = 0;
  assert_int_equal(uvow__options_fill(&given, &own, sizeof(own)), UVOW_EINVAL);
  assert_int_equal(uvow__options_fill(NULL, &own, sizeof(own)), UVOW_EINVAL);
  assert_int_equal(given.b, 2);
}

TEST_CASE(an_array_steps_by_the_size_of_its_first) {
  tomorrow_t given[3] = {{{sizeof(given[0]), given, 1, 2}, {0}},
                         {{0, given + 1, 3, 4}, {0}},
                         {{0, given + 2, 5, 6}, {0, 0, 0, 7}}};
  today_t own;
  assert_ptr_equal(uvow__options_nth(given, 1, &own, sizeof(own)), &own);
  assert_int_equal(own.a, 3);
  assert_int_equal(own.size, sizeof(own));
  assert_null(uvow__options_nth(given, 2, &own, sizeof(own)));
}

TEST_CASE(a_struct_is_filled_as_far_as_it_goes) {
  today_t from = {0, &from, 1, 2};
  tomorrow_t ret;
  for (size_t size = sizeof(size_t); size <= sizeof(ret); size++) {
    memset(&ret, 0xAA, sizeof(ret));
    ret.known.size = size;
    assert_int_equal(uvow__options_fill(&ret, &from, sizeof(from)), 0);
    assert_int_equal(ret.known.size, size);
    if (size >= offsetof(today_t, b))
      assert_int_equal(ret.known.a, 1);
    for (size_t i = sizeof(from); i < sizeof(ret); i++)
      assert_int_equal(((unsigned char *)&ret)[i], i < size ? 0 : 0xAA);
    for (size_t i = size; i < sizeof(from); i++)
      assert_int_equal(((unsigned char *)&ret)[i], 0xAA);
  }
}

TEST_MODULE(options) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(one_of_the_same_size_is_not_copied),
      cmocka_unit_test(what_is_not_given_is_the_default),
      cmocka_unit_test(what_is_unknown_must_be_zero),
      cmocka_unit_test(a_size_that_was_not_set_is_not_followed),
      cmocka_unit_test(an_array_steps_by_the_size_of_its_first),
      cmocka_unit_test(a_struct_is_filled_as_far_as_it_goes),
  };
  return cmocka_run_group_tests_name("base/options", tests, NULL, NULL);
}
