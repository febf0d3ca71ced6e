/*
 * What is looked at many bytes at a time, against the automaton, which looks at
 * short pieces byte by byte: each sequence of three bytes.
 */
#include "support/support.h"

#include "wire/blocks.h"

TEST_CASE(every_sequence_of_three) {
  uint8_t bytes[SIZE];
  fill(bytes);
  for (uint32_t i = 0; i < 1u << 24; i++) {
    size_t at = places[(i ^ i >> 9) % (sizeof(places) / sizeof(*places))];
    uvow__utf8_t utf8;
    uint8_t part[4] = {(uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i, 'a'};
    memcpy(bytes + at, part, 3);
    uvow__utf8_init(&utf8);
    int bad = uvow__utf8_feed(&utf8, part, 4) != 0;
    size_t got = uvow__utf8_wide(bytes, sizeof(bytes));
    if (has_wide() && (bad ? got > at + 2 : got != sizeof(bytes)))
      fail_msg("%06x at %zu: %zu", (unsigned)i, at, got);
    fill(bytes);
  }
}

TEST_MODULE(utf8_all) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_sequence_of_three),
  };
  return cmocka_run_group_tests_name("wire/utf8_all", tests, NULL, NULL);
}
