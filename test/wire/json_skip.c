/*
 * Payloads skipped, against a loop that looks at one byte after the other.
 */
#include "wire/json_skip.h"

#include "support/support.h"

#include <stdio.h>

static uint32_t seed = 1;

static unsigned roll(unsigned n) {
  seed = seed * 1664525 + 1013904223;
  return (seed >> 16) % n;
}

/* How many bytes the container at the start has; 0: it's not one. */
static size_t skip_slowly(const char *text, size_t len) {
  char closing[UVOW__JSON_DEPTH];
  size_t depth = 0;
  int in_string = 0;
  for (size_t i = 0; i < len; i++) {
    char c = text[i];
    if (in_string) {
      i += c == '\\';
      in_string = c != '"';
    } else if (c == '"') {
      in_string = 1;
    } else if (c == '{' || c == '[') {
      if (depth == UVOW__JSON_DEPTH)
        return 0;
      closing[depth++] = c == '{' ? '}' : ']';
    } else if (c == '}' || c == ']') {
      if (closing[--depth] != c)
        return 0;
      if (depth == 0)
        return i + 1;
    }
  }
  return 0;
}

/* In memory of its own, so that ASan sees the smallest over-read. */
static void check(const char *text, size_t len) {
  char *bytes = (char *)malloc(len);
  assert_non_null(bytes);
  memcpy(bytes, text, len);
  const char *stop = uvow__json_skip(bytes, bytes + len);
  size_t expected = skip_slowly(text, len);
  if ((stop ? (size_t)(stop - bytes) : 0) != expected)
    fail_msg("%zu, not %zu: %.*s", stop ? (size_t)(stop - bytes) : 0, expected,
             (int)len, text);
  free(bytes);
}

/* Whatever stands there, in texts of all lengths around those of blocks. */
TEST_CASE(random_bytes) {
  static const char *const alphabets[] = {
      "\"\"\"aaaaaaaaa{}[]:,", "\"\"\\\\aaaaaaaa{}[]",
      "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
      "Yy_\x7F[]{}\"\xDB\xFB\xDD\xA2\x22 \x5C",
      "\"\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
  char text[400];
  for (int round = 0; round < 60000; round++) {
    const char *alphabet = alphabets[roll(5)];
    size_t len = 1 + roll(sizeof(text) - 1);
    for (size_t i = 0; i < len; i++)
      text[i] = alphabet[roll((unsigned)strlen(alphabet))];
    text[0] = roll(2) ? '{' : '[';
    check(text, len);
  }
}

/* Appends one value. */
static size_t put_value(char *to, int depth) {
  size_t len = 0;
  unsigned kind = depth > 0 ? roll(5) : 2 + roll(3);
  if (kind < 2) {
    to[len++] = kind ? '{' : '[';
    for (unsigned n = roll(5); n > 0; n--) {
      if (kind)
        len += (size_t)sprintf(to + len, "\"k%u\":", roll(100));
      len += put_value(to + len, depth - 1);
      if (n > 1)
        to[len++] = ',';
    }
    to[len++] = kind ? '}' : ']';
    return len;
  }
  if (kind == 2)
    return (size_t)sprintf(to, "%u", roll(10000));
  static const char *const parts[] = {
      "a",   "]",          "}", "\\\"", "\\\\", "[{", "\xE6\x97\xA5",
      "\\n", "plain text "};
  to[len++] = '"';
  for (unsigned n = roll(kind == 3 ? 4 : 30); n > 0; n--) {
    const char *part = parts[roll(9)];
    memcpy(to + len, part, strlen(part));
    len += strlen(part);
  }
  to[len++] = '"';
  return len;
}

/* Valid texts, whole, cut off, with something behind, with one byte changed. */
TEST_CASE(random_json) {
  static char text[1 << 20];
  for (int round = 0; round < 6000; round++) {
    size_t len = 1;
    text[0] = '[';
    for (unsigned n = 1 + roll(6); n > 0; n--) {
      len += put_value(text + len, 3);
      text[len++] = n > 1 ? ',' : ']';
    }
    assert_int_equal(skip_slowly(text, len), len);
    check(text, len);
    memcpy(text + len, ",\"more\":[1,2,3]}", 17);
    check(text, len + 17);
    check(text, 1 + roll((unsigned)len));
    text[1 + roll((unsigned)len - 1)] = "\"\\[]{}a"[roll(7)];
    check(text, len);
  }
}

/* A bracket, a quote, an escape in each place of two blocks. */
TEST_CASE(each_byte_of_a_block) {
  char text[280];
  for (size_t at = 1; at < 200; at++) {
    for (size_t gap = 1; gap < 70; gap += 3) {
      memset(text, ' ', sizeof(text));
      text[0] = '[';
      text[at] = '"';
      memset(text + at + 1, 'x', gap);
      text[at + gap / 2 + 1] = gap & 1 ? ']' : '\\';
      text[at + gap + 1 < 278 ? at + gap + 1 : 278] = '"';
      text[279] = ']';
      check(text, sizeof(text));
    }
    memset(text, ' ', sizeof(text));
    text[0] = '[';
    text[at] = ']';
    check(text, sizeof(text));
    text[at] = '}';
    check(text, sizeof(text));
  }
}

TEST_CASE(depth_has_a_limit) {
  char text[2 * UVOW__JSON_DEPTH + 2];
  for (size_t depth = UVOW__JSON_DEPTH - 2; depth <= UVOW__JSON_DEPTH + 1;
       depth++) {
    memset(text, '[', depth);
    memset(text + depth, ']', depth);
    check(text, 2 * depth);
    const char *stop = uvow__json_skip(text, text + 2 * depth);
    assert_ptr_equal(stop, depth <= UVOW__JSON_DEPTH ? text + 2 * depth : NULL);
  }
}

/* Brackets of so many levels, with texts before each, and others within the
 * first; objects, or nothing, in the innermost. Those begin at the same byte
 * for all levels. */
static void check_depth(size_t levels, size_t others, const char *before,
                        const char *inside) {
  static char text[65536];
  size_t brackets = *inside == '{' ? levels - 1 : levels;
  size_t len = 0;
  for (size_t i = 0; i < brackets; i++) {
    len += (size_t)sprintf(text + len, "[%s", before);
    if (i == 0)
      len += (size_t)sprintf(text + len, "%*s", (int)(2050 - levels), "");
    for (size_t k = 0; i == 0 && k < others; k++)
      len += (size_t)sprintf(text + len, "[],");
  }
  for (size_t i = 0; i < 60; i++)
    len += (size_t)sprintf(text + len, "%s", inside);
  text[len++] = '0';
  memset(text + len, ']', brackets);
  len += brackets;
  check(text, len);
  const char *stop = uvow__json_skip(text, text + len);
  assert_ptr_equal(stop, levels <= 2048 ? text + len : NULL);
}

/* The same where the brackets are read otherwise: an escape is in their block;
 * and where objects begin in the innermost container with a block of their own,
 * which may be one of those that are tried as wide ones, and end with one. */
TEST_CASE(depth_has_a_limit_everywhere) {
  for (size_t levels = 2046; levels <= 2050; levels++) {
    check_depth(levels, 0, "\"\\\"\",", "");
    check_depth(levels, 0, "\"\\\"\",", "1,");
    for (size_t others = 0; others <= 17 * 64; others += 64)
      check_depth(levels, others, "", "{\"a\":\"0123456\"},");
  }
}

/* Many small objects, some of them not flat, or with a byte that is another. */
TEST_CASE(flat_objects) {
  static const char *const objects[] = {
      "{}",
      "{\"id\":12345,\"name\":\"item 12345\"}",
      "{\"a\":\"} {\",\"b\":\"{\"}",
      "{\"text\":\"a text that is longer than a block of sixty-four bytes, "
      "yes\"}",
      "{\"a\":[1,2]}",
      "{\"a\":{\"b\":{}}}",
      "{\"a\":\"\\\"}\"}",
      "7"};
  static char text[6000];
  for (int round = 0; round < 4000; round++) {
    size_t len = roll(40);
    unsigned kinds = 1 + roll(8);
    unsigned depth = roll(3);
    memset(text, ' ', len);
    for (unsigned i = 0; i <= depth; i++)
      text[len++] = roll(8) ? '[' : '{';
    text[0] = '[';
    for (unsigned n = roll(120); n > 0; n--)
      len += (size_t)sprintf(text + len, "%s,", objects[roll(kinds)]);
    for (unsigned i = 0; i <= depth; i++)
      text[len++] = roll(60) ? ']' : '}';
    if (roll(3) == 0)
      text[1 + roll((unsigned)len - 1)] = "{}[]\"\\ayY_"[roll(10)];
    check(text, len - roll(3) / 2);
  }
}

TEST_MODULE(json_skip) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(flat_objects),
      cmocka_unit_test(random_bytes),
      cmocka_unit_test(random_json),
      cmocka_unit_test(each_byte_of_a_block),
      cmocka_unit_test(depth_has_a_limit),
      cmocka_unit_test(depth_has_a_limit_everywhere),
  };
  return cmocka_run_group_tests_name("wire/json_skip", tests, NULL, NULL);
}
