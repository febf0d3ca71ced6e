#ifndef UVOW__LANES_H
#define UVOW__LANES_H

#include "base/word.h"

/*
 * 16 bytes at once, each in a lane of its own. Comparing gives bits: bit i is
 * of byte i.
 *
 * x86-64 has them in a register. Everywhere else, and where UVOW_NO_SIMD is
 * defined, they are two words. test/wire/lanes.c compares both with a loop.
 */

#define UVOW__LANES 16
#define UVOW__LANES_ALL UINT32_C(0xFFFF)

#if defined(__SSE2__) && !defined(UVOW_NO_SIMD)

#include <emmintrin.h>

typedef __m128i uvow__lanes_t;

static inline uvow__lanes_t uvow__lanes(const void *from) {
  return _mm_loadu_si128((const __m128i *)from);
}
static inline uvow__lanes_t uvow__lanes_of(uint64_t low, uint64_t high) {
  return _mm_set_epi64x((int64_t)high, (int64_t)low);
}
static inline void uvow__lanes_put(void *to, uvow__lanes_t lanes) {
  _mm_storeu_si128((__m128i *)to, lanes);
}
static inline uvow__lanes_t uvow__lanes_xor(uvow__lanes_t a, uvow__lanes_t b) {
  return _mm_xor_si128(a, b);
}
static inline uvow__lanes_t uvow__lanes_or(uvow__lanes_t a, uvow__lanes_t b) {
  return _mm_or_si128(a, b);
}
static inline uvow__lanes_t uvow__lanes_all(uint8_t c) {
  return _mm_set1_epi8((char)c);
}
/* The same word twice. */
static inline uvow__lanes_t uvow__lanes_both(uint64_t word) {
  return _mm_set1_epi64x((int64_t)word);
}
/* Which bytes are equal. */
static inline uint32_t uvow__lanes_equal(uvow__lanes_t a, uvow__lanes_t b) {
  return (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(a, b));
}
/* Whether any byte of four is that of `of`. */
static inline int uvow__lanes_any_equal(uvow__lanes_t a, uvow__lanes_t b,
                                        uvow__lanes_t c, uvow__lanes_t d,
                                        uvow__lanes_t of) {
  return _mm_movemask_epi8(_mm_or_si128(
             _mm_or_si128(_mm_cmpeq_epi8(a, of), _mm_cmpeq_epi8(b, of)),
             _mm_or_si128(_mm_cmpeq_epi8(c, of), _mm_cmpeq_epi8(d, of)))) != 0;
}
/* Which bytes are 128 or more. */
static inline uint32_t uvow__lanes_high(uvow__lanes_t a) {
  return (uint32_t)_mm_movemask_epi8(a);
}
/* Not 0 in each lane whose byte isn't one of low to low + span; a span is below
 * 128. */
static inline uvow__lanes_t
uvow__lanes_beyond(uvow__lanes_t a, uvow__lanes_t low, uvow__lanes_t span) {
  return _mm_subs_epu8(_mm_sub_epi8(a, low), span);
}
/* The same 4 bytes, the first lowest, four times. */
static inline uvow__lanes_t uvow__lanes_quad(uint32_t half) {
  return _mm_set1_epi32((int32_t)half);
}

#else

typedef struct uvow__lanes {
  uint64_t low;
  uint64_t high;
} uvow__lanes_t;

static inline uvow__lanes_t uvow__lanes_of(uint64_t low, uint64_t high) {
  return (uvow__lanes_t){low, high};
}
static inline uvow__lanes_t uvow__lanes(const void *from) {
  const char *p = (const char *)from;
  return uvow__lanes_of(uvow__word(p), uvow__word(p + 8));
}
static inline void uvow__lanes_put(void *to, uvow__lanes_t lanes) {
  uint8_t *p = (uint8_t *)to;
  for (unsigned i = 0; i < 8; i++) {
    p[i] = (uint8_t)(lanes.low >> (8 * i));
    p[i + 8] = (uint8_t)(lanes.high >> (8 * i));
  }
}
static inline uvow__lanes_t uvow__lanes_xor(uvow__lanes_t a, uvow__lanes_t b) {
  return uvow__lanes_of(a.low ^ b.low, a.high ^ b.high);
}
static inline uvow__lanes_t uvow__lanes_or(uvow__lanes_t a, uvow__lanes_t b) {
  return uvow__lanes_of(a.low | b.low, a.high | b.high);
}
static inline uvow__lanes_t uvow__lanes_all(uint8_t c) {
  return uvow__lanes_of(UVOW__WORD_ONES * c, UVOW__WORD_ONES * c);
}
static inline uvow__lanes_t uvow__lanes_both(uint64_t word) {
  return uvow__lanes_of(word, word);
}
/* Bit i: byte i of the word is marked. */
static inline uint32_t uvow__lanes_gather(uint64_t marks) {
  return (uint32_t)((((marks & UVOW__WORD_HIGH) >> 7) *
                     UINT64_C(0x0102040810204080)) >>
                    56);
}
static inline uint32_t uvow__lanes_zero(uint64_t word) {
  uint64_t seven = UINT64_C(0x7F7F7F7F7F7F7F7F);
  return uvow__lanes_gather(~(((word & seven) + seven) | word));
}
static inline uint32_t uvow__lanes_equal(uvow__lanes_t a, uvow__lanes_t b) {
  return uvow__lanes_zero(a.low ^ b.low) | uvow__lanes_zero(a.high ^ b.high)
                                               << 8;
}
static inline int uvow__lanes_any_equal(uvow__lanes_t a, uvow__lanes_t b,
                                        uvow__lanes_t c, uvow__lanes_t d,
                                        uvow__lanes_t of) {
  return (uvow__lanes_equal(a, of) | uvow__lanes_equal(b, of) |
          uvow__lanes_equal(c, of) | uvow__lanes_equal(d, of)) != 0;
}
static inline uint32_t uvow__lanes_high(uvow__lanes_t a) {
  return uvow__lanes_gather(a.low) | uvow__lanes_gather(a.high) << 8;
}
/* Marks the lanes: a - low in each, without a borrow from the next, and whether
 * that is above the span. */
static inline uint64_t uvow__lanes_over(uint64_t a, uint64_t low,
                                        uint64_t span) {
  uint64_t high = UVOW__WORD_HIGH;
  uint64_t less = ((a | high) - (low & ~high)) ^ ((a ^ ~low) & high);
  return (((less & ~high) + (~high - span)) | less) & high;
}
static inline uvow__lanes_t
uvow__lanes_beyond(uvow__lanes_t a, uvow__lanes_t low, uvow__lanes_t span) {
  return uvow__lanes_of(uvow__lanes_over(a.low, low.low, span.low),
                        uvow__lanes_over(a.high, low.high, span.high));
}
static inline uvow__lanes_t uvow__lanes_quad(uint32_t half) {
  return uvow__lanes_both(half | (uint64_t)half << 32);
}

#endif

/* Whether every lane is 0. */
static inline int uvow__lanes_none(uvow__lanes_t a) {
  return uvow__lanes_equal(a, uvow__lanes_all(0)) == UVOW__LANES_ALL;
}

/* Up to 7 bytes, zeros behind them. */
static inline uint64_t uvow__lanes_few(const char *p, size_t len) {
  uint64_t word = 0;
  if (len >= 4)
    return uvow__word_half(p) | uvow__word_half(p + len - 4) << (8 * (len - 4));
  for (size_t i = 0; i < len; i++)
    word |= (uint64_t)(unsigned char)p[i] << (8 * i);
  return word;
}

/* The first bytes of fewer than 16, zeros behind them: none is read that isn't
 * among them. */
static inline uvow__lanes_t uvow__lanes_part(const char *p, size_t len) {
  if (len < 8)
    return uvow__lanes_of(uvow__lanes_few(p, len), 0);
  return uvow__lanes_of(uvow__word(p),
                        len == 8 ? 0
                                 : uvow__word(p + len - 8) >> (8 * (16 - len)));
}

/* The index of the only bit that is set (a de Bruijn sequence). */
static inline unsigned uvow__bit_index(uint64_t bit) {
  static const uint8_t index[64] = {
      0,  1,  48, 2,  57, 49, 28, 3,  61, 58, 50, 42, 38, 29, 17, 4,
      62, 55, 59, 36, 53, 51, 43, 22, 45, 39, 33, 30, 24, 18, 12, 5,
      63, 47, 56, 27, 60, 41, 37, 16, 54, 35, 52, 21, 44, 32, 23, 11,
      46, 26, 40, 15, 34, 20, 31, 10, 25, 14, 19, 9,  13, 8,  7,  6};
  return index[(bit * UINT64_C(0x03F79D71B4CB0A89)) >> 58];
}
/* The index of the lowest bit; there is one. */
static inline unsigned uvow__bit_lowest(uint64_t bits) {
#if defined(__GNUC__)
  return (unsigned)__builtin_ctzll(bits);
#else
  return uvow__bit_index(bits & (0 - bits));
#endif
}

#endif
