/* Characters, and a peer's text in a message. */
#include "base/text.h"

#include "support/support.h"

#include <ctype.h>

static void expect_shown(const char *text, size_t len, size_t size,
                         const char *shown) {
  char *to = (char *)malloc(size);
  uvow__slice_t slice = {text, len};
  assert_non_null(to);
  assert_ptr_equal(uvow__text_shown(to, size, slice), to);
  assert_string_equal(to, shown);
  free(to);
}

TEST_CASE(what_a_terminal_could_obey_is_not_shown) {
  expect_shown("", 0, 4, "");
  expect_shown("Not Found", 9, 32, "Not Found");
  expect_shown("a\x1b[2Jb\tc\0d\x7f", 11, 32, "a?[2Jb?c?d?");
  expect_shown(
      "\xc2\x9b"
      "31m \xe2\x80\xae",
      9, 32, "??31m ???");
}

TEST_CASE(what_does_not_fit_is_cut) {
  expect_shown("abc", 3, 4, "abc");
  expect_shown("abcd", 4, 4, "...");
  expect_shown("abcd", 4, 5, "abcd");
  expect_shown("abcde", 5, 5, "a...");
}

/* Against the C library's, in its own locale. */
TEST_CASE(characters_are_ascii) {
  for (int c = -128; c < 256; c++) {
    int ascii = c >= 0 && c < 128;
    assert_int_equal(uvow__is_digit(c), ascii && isdigit(c));
    assert_int_equal(uvow__is_alpha(c), ascii && isalpha(c));
    assert_int_equal(uvow__lower(c), ascii ? tolower(c) : c);
    assert_int_equal(uvow__hex_value(c) >= 0, ascii && isxdigit(c));
  }
  assert_int_equal(uvow__hex_value('9'), 9);
  assert_int_equal(uvow__hex_value('a'), 10);
  assert_int_equal(uvow__hex_value('F'), 15);
}

/* The published values of FNV-1a, 32 bits. */
TEST_CASE(texts_are_hashed) {
  assert_int_equal(uvow__text_hash("", 0), 0x811c9dc5);
  assert_int_equal(uvow__text_hash("a", 1), 0xe40c292c);
  assert_int_equal(uvow__text_hash("foobar", 6), 0xbf9cf968);
}

TEST_MODULE(text) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_a_terminal_could_obey_is_not_shown),
      cmocka_unit_test(what_does_not_fit_is_cut),
      cmocka_unit_test(characters_are_ascii),
      cmocka_unit_test(texts_are_hashed),
  };
  return cmocka_run_group_tests_name("base/text", tests, NULL, NULL);
}
