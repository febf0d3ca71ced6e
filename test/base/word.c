#include "base/word.h"

#include "support/support.h"

/* Every byte at every place, behind bytes that aren't marked and before bytes
 * that are. */
static void check(uint64_t (*mark)(uint64_t word), int (*is)(unsigned c),
                  char plain, char marked) {
  char text[8];
  for (size_t at = 0; at < 8; at++) {
    for (unsigned c = 0; c < 256; c++) {
      memset(text, plain, at);
      text[at] = (char)(unsigned char)c;
      memset(text + at + 1, plain, 7 - at);
      uint64_t marks = mark(uvow__word(text));
      assert_int_equal(marks != 0, is(c));
      assert_int_equal(marks & ~UVOW__WORD_HIGH, 0);
      if (marks)
        assert_int_equal(uvow__word_lowest(marks), at);
      memset(text + at + 1, marked, 7 - at);
      marks = mark(uvow__word(text));
      if (is(c) || at < 7)
        assert_int_equal(uvow__word_lowest(marks), is(c) ? at : at + 1);
    }
  }
}

static uint64_t mark_below(uint64_t word) {
  return uvow__word_below(word, ' ');
}
static int is_below(unsigned c) {
  return c < ' ';
}
static uint64_t mark_high(uint64_t word) {
  return uvow__word_below(word, 128);
}
static int is_high(unsigned c) {
  return c < 128;
}
static int is_no_digit(unsigned c) {
  return c < '0' || c > '9';
}
static uint64_t mark_quote(uint64_t word) {
  return uvow__word_equal(word, '"');
}
static int is_quote(unsigned c) {
  return c == '"';
}
static int is_special(unsigned c) {
  return c < ' ' || c == '"' || c == '\\';
}

TEST_CASE(marks_every_byte_at_every_place) {
  check(mark_below, is_below, 'x', '\0');
  check(mark_below, is_below, '\xff', '\x1f');
  check(mark_high, is_high, '\x80', '\x7f');
  check(mark_quote, is_quote, '#', '"');
  check(mark_quote, is_quote, '!', '"');
  check(mark_quote, is_quote, '\xa2', '"');
  check(uvow__word_special, is_special, ' ', '\\');
  check(uvow__word_special, is_special, '\xdc', '"');
  check(uvow__word_not_digit, is_no_digit, '9', '/');
  check(uvow__word_not_digit, is_no_digit, '0', '\xff');
  check(uvow__word_not_digit, is_no_digit, '5', ':');
}

TEST_CASE(reads_the_first_byte_lowest) {
  assert_true(uvow__word("\1\2\3\4\5\6\7\xff") == UINT64_C(0xFF07060504030201));
  assert_true(uvow__word_half("\1\2\3\xff") == UINT64_C(0xFF030201));
}

TEST_MODULE(word) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(marks_every_byte_at_every_place),
      cmocka_unit_test(reads_the_first_byte_lowest),
  };
  return cmocka_run_group_tests_name("base/word", tests, NULL, NULL);
}
