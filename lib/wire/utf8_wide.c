/*
 * UTF-8, 32 bytes at a time (Keiser and Lemire, 2020).
 *
 * 1. What is wrong with two bytes that follow each other shows in three halves
 *    of them: the first one's upper and lower four bits, the second one's upper
 *    four. Each half has a set of faults that it could be part of; a fault that
 *    is in all three is one. What is left are third and fourth bytes, which
 *    must be there, and only there, where the byte two or three before says so:
 *    they are two continuations in a row, a fault otherwise.
 * 2. A block of ASCII is for utf8.c too, which looks at more of them at once.
 *    A block with a fault isn't counted, nor is a character that a block ends
 *    in: utf8.c looks at both, and says which byte is wrong.
 */
#include "utf8_wide.h"

#if defined(__x86_64__) && defined(__GNUC__) && !defined(UVOW_NO_SIMD)

#include <immintrin.h>

#define STEP 64

/* Faults of two bytes. */
enum {
  TOO_SHORT = 1,  /* a lead, and no continuation */
  TOO_LONG = 2,   /* ASCII, and a continuation */
  OVERLONG_3 = 4, /* E0 80..9F */
  TOO_LARGE = 8,  /* F4 90.., F5.. 90.. */
  SURROGATE = 16, /* ED A0.. */
  OVERLONG_2 = 32,
  OVERLONG_4 = 64,    /* F0 80..8F */
  TOO_LARGE_80 = 64,  /* F5.. 80..8F: no byte can be both */
  CONTINUATIONS = 128 /* two: right where a third or fourth byte is due */
};
#define ANY_LOW (TOO_SHORT | TOO_LONG | CONTINUATIONS)
#define ABOVE (ANY_LOW | TOO_LARGE | TOO_LARGE_80)
#define SECOND (TOO_LONG | OVERLONG_2 | CONTINUATIONS)

/* A table for each half of a vector. */
#define TWICE(...)                                                             \
  { __VA_ARGS__, __VA_ARGS__ }

#define FIRST_HIGH                                                             \
  TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG,        \
      TOO_LONG, CONTINUATIONS, CONTINUATIONS, CONTINUATIONS, CONTINUATIONS,    \
      TOO_SHORT | OVERLONG_2, TOO_SHORT, TOO_SHORT | OVERLONG_3 | SURROGATE,   \
      TOO_SHORT | TOO_LARGE | TOO_LARGE_80
#define FIRST_LOW                                                              \
  ANY_LOW | OVERLONG_2 | OVERLONG_3 | OVERLONG_4, ANY_LOW | OVERLONG_2,        \
      ANY_LOW, ANY_LOW, ANY_LOW | TOO_LARGE, ABOVE, ABOVE, ABOVE, ABOVE,       \
      ABOVE, ABOVE, ABOVE, ABOVE, ABOVE | SURROGATE, ABOVE, ABOVE
#define SECOND_HIGH                                                            \
  TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, \
      TOO_SHORT, SECOND | OVERLONG_3 | OVERLONG_4,                             \
      SECOND | OVERLONG_3 | TOO_LARGE, SECOND | SURROGATE | TOO_LARGE,         \
      SECOND | SURROGATE | TOO_LARGE, TOO_SHORT, TOO_SHORT, TOO_SHORT,         \
      TOO_SHORT

static const uint8_t first_high[32] = TWICE(FIRST_HIGH);
static const uint8_t first_low[32] = TWICE(FIRST_LOW);
static const uint8_t second_high[32] = TWICE(SECOND_HIGH);

#define AVX2 __attribute__((target("avx2")))

AVX2 static inline __m256i load(const uint8_t *from) {
  return _mm256_loadu_si256((const __m256i *)(const void *)from);
}

AVX2 static inline __m256i upper(__m256i bytes) {
  return _mm256_and_si256(_mm256_srli_epi16(bytes, 4), _mm256_set1_epi8(0x0F));
}

AVX2 static inline __m256i faults(__m256i before, __m256i bytes) {
  __m256i middle = _mm256_permute2x128_si256(before, bytes, 0x21);
  __m256i first = _mm256_alignr_epi8(bytes, middle, 15);
  __m256i low = _mm256_and_si256(first, _mm256_set1_epi8(0x0F));
  __m256i pair = _mm256_and_si256(
      _mm256_and_si256(_mm256_shuffle_epi8(load(first_high), upper(first)),
                       _mm256_shuffle_epi8(load(first_low), low)),
      _mm256_shuffle_epi8(load(second_high), upper(bytes)));
  /* 128 and more where a third, a fourth byte is due. */
  __m256i third = _mm256_subs_epu8(_mm256_alignr_epi8(bytes, middle, 14),
                                   _mm256_set1_epi8((char)(0xE0 - 0x80)));
  __m256i fourth = _mm256_subs_epu8(_mm256_alignr_epi8(bytes, middle, 13),
                                    _mm256_set1_epi8((char)(0xF0 - 0x80)));
  __m256i due = _mm256_and_si256(_mm256_or_si256(third, fourth),
                                 _mm256_set1_epi8((char)CONTINUATIONS));
  return _mm256_xor_si256(pair, due);
}

/* How many bytes of the first `len`, all valid so far, are whole characters. */
static size_t whole(const uint8_t *bytes, size_t len) {
  for (size_t i = 1; i <= 3 && i <= len; i++) {
    uint8_t byte = bytes[len - i];
    size_t size = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1;
    if (byte < 0x80 || size > i)
      return byte < 0x80 ? len : len - i;
  }
  return len;
}

/* Up to a block of ASCII, or with a fault. */
AVX2 static size_t look(const uint8_t *bytes, size_t len) {
  __m256i before = _mm256_setzero_si256();
  size_t at = 0;
  for (; len - at >= STEP; at += STEP) {
    __m256i low = load(bytes + at);
    __m256i high = load(bytes + at + STEP / 2);
    if (!_mm256_movemask_epi8(_mm256_or_si256(low, high)) &&
        whole(bytes, at) == at)
      break;
    __m256i wrong = _mm256_or_si256(faults(before, low), faults(low, high));
    if (!_mm256_testz_si256(wrong, wrong))
      break;
    before = high;
  }
  return whole(bytes, at);
}

size_t uvow__utf8_wide(const uint8_t *bytes, size_t len) {
  return __builtin_cpu_supports("avx2") ? look(bytes, len) : 0;
}

#else

size_t uvow__utf8_wide(const uint8_t *bytes, size_t len) {
  (void)bytes;
  (void)len;
  return 0;
}

#endif
