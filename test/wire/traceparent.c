#include "wire/traceparent.h"

#include "support/support.h"

static int is_valid(const char *text) {
  size_t len = strlen(text);
  char *copy = (char *)malloc(len ? len : 1); /* an over-read is seen */
  assert_non_null(copy);
  memcpy(copy, text, len);
  int valid = uvow__traceparent_valid((uvow__slice_t){copy, len});
  free(copy);
  return valid;
}

#define GOOD "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

TEST_CASE(what_the_specification_shows_is_valid) {
  assert_true(is_valid(GOOD));
  assert_true(
      is_valid("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"));
  assert_true(
      is_valid("00-00000000000000000000000000000001-1000000000000000-ff"));
}

TEST_CASE(ids_of_zeros_are_not) {
  assert_false(
      is_valid("00-00000000000000000000000000000000-b7ad6b7169203331-01"));
  assert_false(
      is_valid("00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01"));
}

/* Each character out of its place, and each length but one. */
TEST_CASE(anything_else_is_not) {
  static const char wrong[] = "-gFG /:`@A\x7f\xc3";
  char text[] = GOOD "0";
  assert_false(is_valid(text));
  text[sizeof(GOOD) - 1] = '\0';
  for (size_t i = 0; i < sizeof(GOOD) - 1; i++) {
    char kept = text[i];
    for (size_t k = 0; k < sizeof(wrong) - 1; k++) {
      text[i] = wrong[k];
      assert_int_equal(is_valid(text), wrong[k] == kept);
    }
    text[i] = '\0';
    assert_false(is_valid(text));
    text[i] = kept;
  }
  assert_false(
      is_valid("01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"));
  assert_false(
      is_valid("ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"));
}

TEST_MODULE(traceparent) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_the_specification_shows_is_valid),
      cmocka_unit_test(ids_of_zeros_are_not),
      cmocka_unit_test(anything_else_is_not),
  };
  return cmocka_run_group_tests_name("wire/traceparent", tests, NULL, NULL);
}
