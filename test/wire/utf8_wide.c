/*
 * What is looked at many bytes at a time, against the automaton, which looks at
 * short pieces byte by byte.
 */
#include "support/support.h"

#include "wire/blocks.h"

/* How many bytes begin a text. */
static size_t valid(const uint8_t *bytes, size_t len, size_t *ret_whole) {
  uvow__utf8_t utf8;
  uvow__utf8_init(&utf8);
  *ret_whole = 0;
  for (size_t i = 0; i < len; i++) {
    if (uvow__utf8_feed(&utf8, bytes + i, 1))
      return i;
    if (uvow__utf8_end(&utf8) == 0)
      *ret_whole = i + 1;
  }
  return len;
}

static int is_ascii(const uint8_t *bytes) {
  return uvow__utf8_is_ascii(bytes, STEP);
}

/* Whole characters, at least as many as there are in blocks without a fault. A
 * byte that is none at the end of a block is for the next one to tell. */
static void check(const uint8_t *bytes, size_t len) {
  size_t whole;
  size_t good = valid(bytes, len, &whole);
  size_t blocks = 0;
  size_t least;
  size_t got = uvow__utf8_wide(bytes, len);
  (void)valid(bytes, got, &whole);
  assert_int_equal(whole, got);
  while (good - blocks >= STEP && !is_ascii(bytes + blocks))
    blocks += STEP;
  (void)valid(bytes, blocks, &least);
  assert_true(got <= good && (got >= least || !has_wide()));
}

TEST_CASE(borders_of_four) {
  static const uint8_t edge[] = {
      0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF,
      0xE0, 0xE1, 0xEC, 0xED, 0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF};
  size_t n = sizeof(edge);
  uint8_t bytes[SIZE];
  for (size_t i = 0; i < n * n * n * n; i++) {
    size_t at = places[i % (sizeof(places) / sizeof(*places))];
    fill(bytes);
    bytes[at] = edge[i / n / n / n];
    bytes[at + 1] = edge[i / n / n % n];
    bytes[at + 2] = edge[i / n % n];
    bytes[at + 3] = edge[i % n];
    check(bytes, 64 + i % 128);
  }
}

/* Texts of characters of all lengths, with one byte changed or none. */
TEST_CASE(random_texts) {
  static const char *const parts[] = {"a", "\xC3\xA9", "\xE6\x97\xA5",
                                      "\xF0\x9F\x98\x80"};
  uint64_t seed = 88172645463325252u;
  for (int round = 0; round < 20000; round++) {
    uint8_t text[SIZE + 4];
    size_t len = 0;
    while (len < SIZE) {
      seed = seed * 6364136223846793005u + 1442695040888963407u;
      const char *part = parts[seed >> 62];
      memcpy(text + len, part, strlen(part));
      len += strlen(part);
    }
    if (round % 4)
      text[(seed >> 20) % SIZE] = (uint8_t)(seed >> 40);
    len = (seed >> 32) % (SIZE + 1);
    uint8_t *bytes = (uint8_t *)malloc(len ? len : 1);
    assert_non_null(bytes);
    memcpy(bytes, text, len);
    check(bytes, len);
    free(bytes);
  }
}

TEST_MODULE(utf8_wide) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(borders_of_four),
      cmocka_unit_test(random_texts),
  };
  return cmocka_run_group_tests_name("wire/utf8_wide", tests, NULL, NULL);
}
