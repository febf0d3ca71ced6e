/*
 * Flat objects, 64 bytes at a time.
 *
 * 1. A block becomes bits, one a byte. Between an odd quote and the next one is
 *    a string: the parity of the quotes before. In the same way each other
 *    bracket opens an object, and the ones between close them: the parity of
 *    the brackets before says which of them must. If that's what they do, the
 *    block is right, and where it ends is the parity of all.
 * 2. A block with a backslash or a square bracket, in a string too, or with
 *    brackets that aren't so, is left to json_skip.c.
 */
#include "json_skip_wide.h"

#if defined(__x86_64__) && defined(__GNUC__) && !defined(UVOW_NO_SIMD)

#include <immintrin.h>

#define BLOCK 64
#define SQUARE_BITS 0x06 /* which make both brackets the same, */
#define SQUARE 0x5F      /* and nothing else that JSON has outside of strings */

#define AVX2 __attribute__((target("avx2")))

AVX2 static inline uint64_t equal(__m256i low, __m256i high, char c) {
  __m256i all = _mm256_set1_epi8(c);
  uint32_t first = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(low, all));
  uint32_t second =
      (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(high, all));
  return first | (uint64_t)second << 32;
}

/* Whether a byte is a backslash or a square bracket, or may be. */
AVX2 static inline int has_others(__m256i low, __m256i high) {
  const __m256i bits = _mm256_set1_epi8(SQUARE_BITS);
  const __m256i square = _mm256_set1_epi8(SQUARE);
  const __m256i escape = _mm256_set1_epi8('\\');
  __m256i escapes = _mm256_or_si256(_mm256_cmpeq_epi8(low, escape),
                                    _mm256_cmpeq_epi8(high, escape));
  __m256i squares =
      _mm256_or_si256(_mm256_cmpeq_epi8(_mm256_or_si256(low, bits), square),
                      _mm256_cmpeq_epi8(_mm256_or_si256(high, bits), square));
  return _mm256_movemask_epi8(_mm256_or_si256(escapes, squares)) != 0;
}

/* Bit i: the parity of the bits up to i. */
static inline uint64_t parities(uint64_t bits) {
  bits ^= bits << 1;
  bits ^= bits << 2;
  bits ^= bits << 4;
  bits ^= bits << 8;
  bits ^= bits << 16;
  return bits ^ bits << 32;
}

AVX2 static const char *skip(const char *p, const char *end,
                             uvow__json_at_t *at) {
  uint64_t in_string = at->in_string;
  uint64_t in_object = at->in_object;
  for (; end - p >= BLOCK; p += BLOCK) {
    __m256i low = _mm256_loadu_si256((const __m256i *)(const void *)p);
    __m256i high =
        _mm256_loadu_si256((const __m256i *)(const void *)(p + BLOCK / 2));
    uint64_t strings = parities(equal(low, high, '"')) ^ in_string;
    uint64_t opening = equal(low, high, '{') & ~strings;
    uint64_t brackets = opening | (equal(low, high, '}') & ~strings);
    uint64_t objects = parities(brackets) ^ in_object;
    if (has_others(low, high) || (brackets & objects) != opening)
      break;
    in_string = 0 - (strings >> 63);
    in_object = 0 - (objects >> 63);
  }
  at->in_string = in_string;
  at->in_object = in_object;
  return p;
}

const char *uvow__json_skip_wide(const char *p, const char *end,
                                 uvow__json_at_t *at) {
  return __builtin_cpu_supports("avx2") ? skip(p, end, at) : p;
}

#else

const char *uvow__json_skip_wide(const char *p, const char *end,
                                 uvow__json_at_t *at) {
  (void)end;
  (void)at;
  return p;
}

#endif
