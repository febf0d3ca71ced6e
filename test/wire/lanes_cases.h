#ifndef TEST_WIRE_LANES_CASES_H
#define TEST_WIRE_LANES_CASES_H

/* What is asked of 16 bytes at once, against a loop: for the processor's and
 * for the plain ones (lanes.c, lanes_plain.c). */

#include "wire/lanes.h"

#include "support/support.h"

#include <stdlib.h>

static uint32_t seed = 1;

static unsigned roll(unsigned n) {
  seed = seed * 1664525 + 1013904223;
  return (seed >> 16) % n;
}

/* Mostly of few values, so that many are equal. */
static void fill(uint8_t *bytes, size_t len) {
  unsigned values = roll(3) ? 3 : 256;
  uint8_t first = (uint8_t)roll(256);
  for (size_t i = 0; i < len; i++)
    bytes[i] = (uint8_t)(first + roll(values));
}

TEST_CASE(compares) {
  uint8_t a[UVOW__LANES];
  uint8_t b[UVOW__LANES];
  for (int round = 0; round < 20000; round++) {
    uint32_t equal = 0;
    uint32_t same = 0;
    uint32_t high = 0;
    fill(a, sizeof(a));
    memcpy(b, a, sizeof(b));
    for (unsigned n = roll(16); n > 0; n--)
      b[roll(16)] = (uint8_t)roll(256);
    for (unsigned i = 0; i < UVOW__LANES; i++) {
      equal |= (uint32_t)(a[i] == a[3]) << i;
      same |= (uint32_t)(a[i] == b[i]) << i;
      high |= (uint32_t)(a[i] >= 128) << i;
    }
    uvow__lanes_t lanes = uvow__lanes(a);
    assert_int_equal(uvow__lanes_equal(lanes, uvow__lanes_all(a[3])), equal);
    assert_int_equal(uvow__lanes_equal(lanes, uvow__lanes(b)), same);
    assert_int_equal(uvow__lanes_high(lanes), high);
  }
}

TEST_CASE(combines) {
  uint8_t a[UVOW__LANES];
  uint8_t b[UVOW__LANES];
  uint8_t c[UVOW__LANES];
  for (int round = 0; round < 1000; round++) {
    fill(a, sizeof(a));
    fill(b, sizeof(b));
    uvow__lanes_put(c, uvow__lanes_xor(uvow__lanes(a), uvow__lanes(b)));
    for (unsigned i = 0; i < UVOW__LANES; i++)
      assert_int_equal(c[i], a[i] ^ b[i]);
    uvow__lanes_put(c, uvow__lanes_or(uvow__lanes(a), uvow__lanes(b)));
    for (unsigned i = 0; i < UVOW__LANES; i++)
      assert_int_equal(c[i], a[i] | b[i]);
  }
}

TEST_CASE(ranges) {
  uint8_t a[UVOW__LANES];
  uint8_t low[UVOW__LANES];
  uint8_t span[UVOW__LANES];
  uint8_t got[UVOW__LANES];
  for (int round = 0; round < 20000; round++) {
    int none = 1;
    for (unsigned i = 0; i < UVOW__LANES; i++) {
      low[i] = (uint8_t)roll(256);
      span[i] = (uint8_t)roll(roll(3) ? 10 : 128);
      a[i] = (uint8_t)(roll(40) ? low[i] + roll(span[i] + 1u) : roll(256));
    }
    uvow__lanes_t beyond =
        uvow__lanes_beyond(uvow__lanes(a), uvow__lanes(low), uvow__lanes(span));
    uvow__lanes_put(got, beyond);
    for (unsigned i = 0; i < UVOW__LANES; i++) {
      int is_in = (uint8_t)(a[i] - low[i]) <= span[i];
      assert_int_equal(got[i] == 0, is_in);
      none &= is_in;
    }
    assert_int_equal(uvow__lanes_none(beyond), none);
  }
}

TEST_CASE(quads) {
  uint8_t got[UVOW__LANES];
  uvow__lanes_put(got, uvow__lanes_quad(UINT32_C(0x84030201)));
  for (unsigned i = 0; i < UVOW__LANES; i++)
    assert_int_equal(got[i], i % 4 == 3 ? 0x84 : i % 4 + 1);
}

/* In memory of its own, so that ASan sees the smallest over-read. */
TEST_CASE(parts) {
  uint8_t got[UVOW__LANES];
  for (size_t len = 0; len < UVOW__LANES; len++) {
    uint8_t *bytes = (uint8_t *)malloc(len + !len);
    assert_non_null(bytes);
    for (int round = 0; round < 100; round++) {
      fill(bytes, len);
      uvow__lanes_put(got, uvow__lanes_part((const char *)bytes, len));
      for (size_t i = 0; i < UVOW__LANES; i++)
        assert_int_equal(got[i], i < len ? bytes[i] : 0);
    }
    free(bytes);
  }
}

TEST_CASE(lowest_bit) {
  for (unsigned i = 0; i < 64; i++) {
    assert_int_equal(uvow__bit_lowest(UINT64_C(1) << i), i);
    assert_int_equal(uvow__bit_lowest(UINT64_MAX << i), i);
  }
}

#define LANES_CASES                                                            \
  cmocka_unit_test(compares), cmocka_unit_test(combines),                      \
      cmocka_unit_test(ranges), cmocka_unit_test(quads),                       \
      cmocka_unit_test(parts), cmocka_unit_test(lowest_bit)

#endif
