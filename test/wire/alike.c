/* Texts that look the same: against a loop, and against the scanner. */
#include "wire/alike.h"

#include "support/support.h"
#include "wire/envelope.h"

#include <stdlib.h>

static uint32_t seed = 7;

static unsigned roll(unsigned n) {
  seed = seed * 1664525 + 1013904223;
  return (seed >> 16) % n;
}

static const char *const values[] = {
    "0",
    "7",
    "10",
    "-0",
    "-45",
    "0.50",
    "90.05e-10",
    "true",
    "null",
    "\"\"",
    "\"a1\"",
    "\"\\u00e9\"",
    "\"12 \\\\ 34\"",
    "{}",
    "[]",
    "{\"x\":81}",
    "[0,01,\"0\\\"1\",[2]]",
    "{\"a\":\"0123456789\",\"b\":[1234567890,{\"c\":\"]1\"}]}",
    "{\"a\":\"0123456789012345678901234567890123456789012345678901234567890\"}",
};

/* In memory of its own, so that ASan sees the smallest over-read. */
static char *own(const char *text, size_t len) {
  char *bytes = (char *)malloc(len + !len);
  assert_non_null(bytes);
  memcpy(bytes, text, len);
  return bytes;
}

static int is_alike(const uvow__alike_t *alike, const char *text, size_t len) {
  int same = len == alike->len && len > 0;
  for (size_t i = 0; same && i < len; i++)
    same = (uint8_t)((uint8_t)text[i] - alike->low[i]) <= alike->span[i];
  return same;
}

/* Other digits, mostly; sometimes any byte. */
static void change(char *text, size_t len) {
  for (size_t i = 0; i < len; i++)
    if (text[i] >= '0' && text[i] <= '9' && roll(2))
      text[i] = (char)('0' + roll(10));
  if (len && roll(4) == 0)
    text[roll((unsigned)len)] = (char)roll(256);
}

/* Returns whether it was alike. */
static int compare(const uvow__alike_t *alike, const char *text, size_t len,
                   uvow__json_kind_t kind) {
  uvow__json_kind_t found;
  uvow__slice_t value;
  char *other = own(text, len);
  change(other, len);
  int same = uvow__alike_is(alike, other, len);
  assert_int_equal(same, is_alike(alike, other, len));
  if (same) {
    assert_int_equal(
        uvow__envelope_value((uvow__slice_t){other, len}, &found, &value), 0);
    assert_int_equal(found, kind);
    assert_ptr_equal(value.ptr, other);
    assert_int_equal(value.len, len);
  }
  free(other);
  return same;
}

/* What looks as a value does is one. */
TEST_CASE(as_the_scanner) {
  uvow__alike_t alike;
  uvow__json_kind_t kind;
  uvow__slice_t value;
  for (size_t v = 0; v < sizeof(values) / sizeof(*values); v++) {
    size_t len = strlen(values[v]);
    unsigned count = 0;
    assert_int_equal(
        uvow__envelope_value((uvow__slice_t){values[v], len}, &kind, &value),
        0);
    uvow__alike_set(&alike, values[v], len);
    uvow__alike_free_value(&alike, 0, len);
    assert_true(uvow__alike_is(&alike, values[v], len));
    for (int round = 0; round < 2000; round++)
      count += (unsigned)compare(&alike, values[v], len, kind);
    assert_true(count > 0);
  }
}

/* Each length up to the longest, and one more. */
TEST_CASE(lengths) {
  uvow__alike_t alike = {0};
  assert_false(uvow__alike_is(&alike, "", 0));
  for (size_t len = 0; len <= UVOW__ALIKE_MAX + 1; len++) {
    char *text = (char *)malloc(len + 1);
    assert_non_null(text);
    memset(text, 'x', len + 1);
    uvow__alike_set(&alike, text, len);
    assert_int_equal(uvow__alike_is(&alike, text, len),
                     len > 0 && len <= UVOW__ALIKE_MAX);
    assert_false(uvow__alike_is(&alike, text, len + 1));
    for (size_t i = 0; i < len; i++) {
      text[i] = 'y';
      assert_false(uvow__alike_is(&alike, text, len));
      text[i] = 'x';
    }
    free(text);
  }
}

/* A number has no 0 in front. */
TEST_CASE(leading_zeros) {
  uvow__alike_t alike;
  uvow__alike_set(&alike, "12", 2);
  uvow__alike_free_value(&alike, 0, 2);
  assert_true(uvow__alike_is(&alike, "90", 2));
  assert_false(uvow__alike_is(&alike, "09", 2));
  assert_false(uvow__alike_is(&alike, "-9", 2));
  uvow__alike_set(&alike, "0.5", 3);
  uvow__alike_free_value(&alike, 0, 3);
  assert_false(uvow__alike_is(&alike, "1.5", 3));
  assert_true(uvow__alike_is(&alike, "0.5", 3));
}

TEST_MODULE(alike) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(as_the_scanner),
      cmocka_unit_test(lengths),
      cmocka_unit_test(leading_zeros),
  };
  return cmocka_run_group_tests_name("wire/alike", tests, NULL, NULL);
}
