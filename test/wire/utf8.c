/*
 * UTF-8 checked as it arrives, against a decoder that works by the definition.
 */
#include "support/support.h"

#include <uvow/error.h>

#include "wire/utf8.h"

/* How many bytes of `bytes` begin some valid text: by code points, RFC 3629 3.
 * A character is possible as long as some completion of it is valid. */
static int possible(const uint8_t *bytes, size_t len) {
  static const uint32_t first_of[5] = {0, 0, 0x80, 0x800, 0x10000};
  unsigned b = bytes[0];
  size_t want = b < 0x80             ? 1
                : (b & 0xE0) == 0xC0 ? 2
                : (b & 0xF0) == 0xE0 ? 3
                : (b & 0xF8) == 0xF0 ? 4
                                     : 0;
  if (want == 0)
    return 0;
  if (want == 1)
    return len == 1;
  uint32_t low = b & (0x7Fu >> want);
  for (size_t i = 1; i < len; i++) {
    if ((bytes[i] & 0xC0) != 0x80)
      return 0;
    low = low << 6 | (bytes[i] & 0x3F);
  }
  uint32_t high = low;
  for (size_t i = len; i < want; i++) {
    low = low << 6;
    high = high << 6 | 0x3F;
  }
  if (high < first_of[want] || low > 0x10FFFF)
    return 0;
  return !(low >= 0xD800 && high <= 0xDFFF);
}

static size_t char_len(uint8_t lead) {
  return lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
}

/* Where the text first goes wrong, or len; *ret_open: it ends in a character.*/
static size_t first_bad(const uint8_t *bytes, size_t len, int *ret_open) {
  size_t start = 0;
  *ret_open = 0;
  for (size_t i = 0; i < len; i++) {
    if (!possible(bytes + start, i - start + 1))
      return i;
    *ret_open = i - start + 1 < char_len(bytes[start]);
    if (!*ret_open)
      start = i + 1;
  }
  return len;
}

/* Feeds [0, len) cut at `cut`; returns 0 or the error. */
static int run(const uint8_t *bytes, size_t len, size_t cut, int *ret_open) {
  uvow__utf8_t utf8;
  uvow__utf8_init(&utf8);
  int rc = uvow__utf8_feed(&utf8, bytes, cut);
  if (rc == 0)
    rc = uvow__utf8_feed(&utf8, bytes + cut, len - cut);
  *ret_open = uvow__utf8_end(&utf8) != 0;
  return rc;
}

/* Whole and in every two halves, and byte by byte for the exact place. */
static void check(const uint8_t *text, size_t len) {
  int open;
  int got_open;
  size_t bad = first_bad(text, len, &open);
  /* A copy of its own, so that ASan sees the smallest over-read. */
  uint8_t *bytes = (uint8_t *)malloc(len ? len : 1);
  assert_non_null(bytes);
  memcpy(bytes, text, len);
  for (size_t cut = 0; cut <= len; cut++) {
    int rc = run(bytes, len, cut, &got_open);
    assert_int_equal(rc, bad < len ? UVOW_EUTF8 : 0);
    if (rc == 0)
      assert_int_equal(got_open, open);
  }
  uvow__utf8_t utf8;
  uvow__utf8_init(&utf8);
  for (size_t i = 0; i < len; i++) {
    int rc = uvow__utf8_feed(&utf8, bytes + i, 1);
    assert_int_equal(rc, i == bad ? UVOW_EUTF8 : 0);
    if (rc)
      break;
  }
  free(bytes);
}

TEST_CASE(test_every_sequence_of_three) {
  uint8_t bytes[3];
  for (uint32_t i = 0; i < 1u << 24; i++) {
    int open;
    int got_open;
    bytes[0] = (uint8_t)(i >> 16);
    bytes[1] = (uint8_t)(i >> 8);
    bytes[2] = (uint8_t)i;
    size_t bad = first_bad(bytes, 3, &open);
    int rc = run(bytes, 3, 3, &got_open);
    if (rc != (bad < 3 ? UVOW_EUTF8 : 0) || (rc == 0 && open != got_open))
      fail_msg("%06x", (unsigned)i);
  }
}

/* Every byte that is on one side or the other of some border. */
TEST_CASE(test_borders_of_four) {
  static const uint8_t edge[] = {
      0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF,
      0xE0, 0xE1, 0xEC, 0xED, 0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF};
  size_t n = sizeof(edge);
  for (size_t i = 0; i < n * n * n * n; i++) {
    uint8_t bytes[4] = {edge[i / n / n / n], edge[i / n / n % n],
                        edge[i / n % n], edge[i % n]};
    check(bytes, 4);
  }
}

/* Each wrong byte in each place of a run of ASCII, for all the fast paths. */
TEST_CASE(test_inside_ascii) {
  static const char *const parts[] = {"\x80",         "\xC3\xA9", "\xC3",
                                      "\xED\xA0",     "\xE2\x82", "\xF4\x90",
                                      "\xE2\x82\xAC", "\xFF",     "\xC0\x80"};
  uint8_t bytes[64];
  for (size_t p = 0; p < sizeof(parts) / sizeof(parts[0]); p++) {
    size_t n = strlen(parts[p]);
    for (size_t len = n; len <= 50; len++) {
      for (size_t at = 0; at + n <= len; at++) {
        memset(bytes, 'a', len);
        memcpy(bytes + at, parts[p], n);
        check(bytes, len);
      }
    }
  }
}

/* Each wrong byte in each place of a text without ASCII that is longer than a
 * block of the automaton, cut everywhere. */
TEST_CASE(test_inside_blocks) {
  static const char *const texts[] = {"\xC3\xA9", "\xE6\x97\xA5",
                                      "\xF0\x9F\x98\x80",
                                      "a\xC3\xA9\xE6\x97\xA5\xF0\x9F\x98\x80"};
  static const uint8_t wrong[] = {'a',  0x80, 0xBF, 0xC1,
                                  0xE0, 0xED, 0xF4, 0xFF};
  uint8_t bytes[600];
  for (size_t t = 0; t < sizeof(texts) / sizeof(texts[0]); t++) {
    size_t n = strlen(texts[t]);
    for (size_t i = 0; i < sizeof(bytes); i++)
      bytes[i] = (uint8_t)texts[t][i % n];
    for (size_t len = 60; len <= sizeof(bytes); len += 23)
      check(bytes, len);
    for (size_t at = 0; at < sizeof(bytes); at += at % 64 < 8 ? 1 : 7) {
      uint8_t right = bytes[at];
      bytes[at] = wrong[at % sizeof(wrong)];
      check(bytes, sizeof(bytes));
      bytes[at] = right;
    }
  }
}

/* Cut in three, around the ends of blocks: where a call ends, another begins
 * inside a character. */
TEST_CASE(test_three_pieces) {
  static const char part[] = "\xE6\x97\xA5z\xF0\x9F\x98\x80\xC3\xA9";
  uint8_t bytes[600];
  for (size_t i = 0; i < sizeof(bytes); i++)
    bytes[i] = (uint8_t)part[i % (sizeof(part) - 1)];
  for (size_t bad = 0; bad <= sizeof(bytes); bad += 29) {
    int open;
    uint8_t right = bad < sizeof(bytes) ? bytes[bad] : 0;
    if (bad < sizeof(bytes))
      bytes[bad] = 0xFE;
    size_t first = first_bad(bytes, sizeof(bytes), &open);
    for (size_t a = 0; a < sizeof(bytes); a += 13) {
      for (size_t b = a; b <= sizeof(bytes); b += 1 + b % 3) {
        size_t cuts[] = {0, a, b, sizeof(bytes)};
        uvow__utf8_t utf8;
        uvow__utf8_init(&utf8);
        for (size_t i = 0; i < 3; i++) {
          int rc =
              uvow__utf8_feed(&utf8, bytes + cuts[i], cuts[i + 1] - cuts[i]);
          assert_int_equal(rc, first < cuts[i + 1] ? UVOW_EUTF8 : 0);
          if (rc)
            break;
        }
      }
    }
    if (bad < sizeof(bytes))
      bytes[bad] = right;
  }
}

/* The look that is inlined: one high byte, in each place of each length. */
TEST_CASE(test_is_ascii) {
  for (size_t len = 0; len <= 130; len++) {
    uint8_t *bytes = (uint8_t *)malloc(len ? len : 1);
    assert_non_null(bytes);
    memset(bytes, 0x7F, len);
    assert_true(uvow__utf8_is_ascii(bytes, len));
    for (size_t at = 0; at < len; at++) {
      bytes[at] = 0x80;
      assert_false(uvow__utf8_is_ascii(bytes, len));
      bytes[at] = 0;
    }
    free(bytes);
  }
}

TEST_CASE(test_random) {
  static const char *const parts[] = {"a",
                                      "{\"id\": 1, \"ok\": true}",
                                      "\xC3\xA9",
                                      "\xE2\x82\xAC",
                                      "\xF0\x9F\x98\x80",
                                      "\xEF\xBF\xBF",
                                      "\xED\x9F\xBF",
                                      "\xF4\x8F\xBF\xBF"};
  uint32_t seed = 1;
  for (int round = 0; round < 2000; round++) {
    uint8_t bytes[160];
    size_t len = 0;
    while (len < 120) {
      seed = seed * 1664525 + 1013904223;
      const char *part = parts[seed >> 29];
      memcpy(bytes + len, part, strlen(part));
      len += strlen(part);
    }
    seed = seed * 1664525 + 1013904223;
    if (seed & 0x10000) /* half of them get a random byte somewhere */
      bytes[(seed >> 20) % len] = (uint8_t)(seed >> 8);
    check(bytes, len);
  }
}

TEST_MODULE(utf8) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_every_sequence_of_three),
      cmocka_unit_test(test_borders_of_four),
      cmocka_unit_test(test_inside_ascii),
      cmocka_unit_test(test_inside_blocks),
      cmocka_unit_test(test_three_pieces),
      cmocka_unit_test(test_is_ascii),
      cmocka_unit_test(test_random),
  };
  return cmocka_run_group_tests_name("wire/utf8", tests, NULL, NULL);
}
