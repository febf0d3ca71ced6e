#ifndef UVOW__WIDE_H
#define UVOW__WIDE_H

#include <stddef.h>
#include <stdint.h>

/*
 * Blocks of 64 bytes in as few vectors as a processor has for them: AVX2 on
 * x86-64, which is asked for as it runs, NEON on AArch64, which always has it.
 * Elsewhere, and where UVOW_NO_SIMD is defined, UVOW__WIDE is 0, and there is
 * nothing else here.
 *
 * Functions that use it are marked UVOW__WIDE_CODE, and are called only if
 * uvow__wide_is_there.
 */

#define UVOW__WIDE_BLOCK 64

#if defined(__x86_64__) && defined(__GNUC__) && !defined(UVOW_NO_SIMD)

#include <immintrin.h>

#define UVOW__WIDE 32 /* bytes of a vector */
#define UVOW__WIDE_CODE __attribute__((target("avx2")))
#define UVOW__WIDE_INLINE UVOW__WIDE_CODE static inline

typedef __m256i uvow__wide_t;

static inline int uvow__wide_is_there(void) {
  return __builtin_cpu_supports("avx2");
}
UVOW__WIDE_INLINE uvow__wide_t uvow__wide(const void *from) {
  return _mm256_loadu_si256((const __m256i *)from);
}
UVOW__WIDE_INLINE uvow__wide_t uvow__wide_all(uint8_t c) {
  return _mm256_set1_epi8((char)c);
}
UVOW__WIDE_INLINE uvow__wide_t uvow__wide_and(uvow__wide_t a, uvow__wide_t b) {
  return _mm256_and_si256(a, b);
}
UVOW__WIDE_INLINE uvow__wide_t uvow__wide_or(uvow__wide_t a, uvow__wide_t b) {
  return _mm256_or_si256(a, b);
}
UVOW__WIDE_INLINE uvow__wide_t uvow__wide_xor(uvow__wide_t a, uvow__wide_t b) {
  return _mm256_xor_si256(a, b);
}
/* a - b, but not below 0. */
UVOW__WIDE_INLINE uvow__wide_t uvow__wide_less(uvow__wide_t a, uvow__wide_t b) {
  return _mm256_subs_epu8(a, b);
}
/* 255 where they are equal, else 0. */
UVOW__WIDE_INLINE uvow__wide_t uvow__wide_equal(uvow__wide_t a,
                                                uvow__wide_t b) {
  return _mm256_cmpeq_epi8(a, b);
}
/* The upper four bits of each byte. */
UVOW__WIDE_INLINE uvow__wide_t uvow__wide_upper(uvow__wide_t a) {
  return uvow__wide_and(_mm256_srli_epi16(a, 4), uvow__wide_all(0x0F));
}
/* What a table of 16 has for each byte, which is below 16. */
UVOW__WIDE_INLINE uvow__wide_t uvow__wide_look(const uint8_t *table,
                                               uvow__wide_t a) {
  __m128i half = _mm_loadu_si128((const __m128i *)(const void *)table);
  return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(half), a);
}
/* The bytes that stand one, two, three places before each of a. */
UVOW__WIDE_INLINE uvow__wide_t uvow__wide_seam(uvow__wide_t before,
                                               uvow__wide_t a) {
  return _mm256_permute2x128_si256(before, a, 0x21);
}
UVOW__WIDE_INLINE uvow__wide_t uvow__wide_back1(uvow__wide_t before,
                                                uvow__wide_t a) {
  return _mm256_alignr_epi8(a, uvow__wide_seam(before, a), 15);
}
UVOW__WIDE_INLINE uvow__wide_t uvow__wide_back2(uvow__wide_t before,
                                                uvow__wide_t a) {
  return _mm256_alignr_epi8(a, uvow__wide_seam(before, a), 14);
}
UVOW__WIDE_INLINE uvow__wide_t uvow__wide_back3(uvow__wide_t before,
                                                uvow__wide_t a) {
  return _mm256_alignr_epi8(a, uvow__wide_seam(before, a), 13);
}
UVOW__WIDE_INLINE int uvow__wide_is_zero(uvow__wide_t a) {
  return _mm256_testz_si256(a, a);
}
UVOW__WIDE_INLINE int uvow__wide_is_ascii(uvow__wide_t a) {
  return _mm256_movemask_epi8(a) == 0;
}
/* A bit for each byte of a block whose bytes are 255 or 0. */
UVOW__WIDE_INLINE uint64_t uvow__wide_bits(const uvow__wide_t *a) {
  uint32_t low = (uint32_t)_mm256_movemask_epi8(a[0]);
  uint32_t high = (uint32_t)_mm256_movemask_epi8(a[1]);
  return low | (uint64_t)high << 32;
}

#elif defined(__AARCH64EL__) && defined(__GNUC__) && !defined(UVOW_NO_SIMD)

#include <arm_neon.h>

#define UVOW__WIDE 16
#define UVOW__WIDE_CODE
#define UVOW__WIDE_INLINE static inline

typedef uint8x16_t uvow__wide_t;

static inline int uvow__wide_is_there(void) {
  return 1;
}
static inline uvow__wide_t uvow__wide(const void *from) {
  return vld1q_u8((const uint8_t *)from);
}
static inline uvow__wide_t uvow__wide_all(uint8_t c) {
  return vdupq_n_u8(c);
}
static inline uvow__wide_t uvow__wide_and(uvow__wide_t a, uvow__wide_t b) {
  return vandq_u8(a, b);
}
static inline uvow__wide_t uvow__wide_or(uvow__wide_t a, uvow__wide_t b) {
  return vorrq_u8(a, b);
}
static inline uvow__wide_t uvow__wide_xor(uvow__wide_t a, uvow__wide_t b) {
  return veorq_u8(a, b);
}
static inline uvow__wide_t uvow__wide_less(uvow__wide_t a, uvow__wide_t b) {
  return vqsubq_u8(a, b);
}
static inline uvow__wide_t uvow__wide_equal(uvow__wide_t a, uvow__wide_t b) {
  return vceqq_u8(a, b);
}
static inline uvow__wide_t uvow__wide_upper(uvow__wide_t a) {
  return vshrq_n_u8(a, 4);
}
static inline uvow__wide_t uvow__wide_look(const uint8_t *table,
                                           uvow__wide_t a) {
  return vqtbl1q_u8(vld1q_u8(table), a);
}
static inline uvow__wide_t uvow__wide_back1(uvow__wide_t before,
                                            uvow__wide_t a) {
  return vextq_u8(before, a, 15);
}
static inline uvow__wide_t uvow__wide_back2(uvow__wide_t before,
                                            uvow__wide_t a) {
  return vextq_u8(before, a, 14);
}
static inline uvow__wide_t uvow__wide_back3(uvow__wide_t before,
                                            uvow__wide_t a) {
  return vextq_u8(before, a, 13);
}
static inline int uvow__wide_is_zero(uvow__wide_t a) {
  return vmaxvq_u8(a) == 0;
}
static inline int uvow__wide_is_ascii(uvow__wide_t a) {
  return vmaxvq_u8(a) < 128;
}
static inline uint64_t uvow__wide_bits(const uvow__wide_t *a) {
  static const uint8_t places[16] = {1, 2, 4, 8, 16, 32, 64, 128,
                                     1, 2, 4, 8, 16, 32, 64, 128};
  uint8x16_t bit = vld1q_u8(places);
  uint8x16_t low = vpaddq_u8(vandq_u8(a[0], bit), vandq_u8(a[1], bit));
  uint8x16_t high = vpaddq_u8(vandq_u8(a[2], bit), vandq_u8(a[3], bit));
  uint8x16_t all = vpaddq_u8(low, high);
  return vgetq_lane_u64(vreinterpretq_u64_u8(vpaddq_u8(all, all)), 0);
}

#else
#define UVOW__WIDE 0
#endif

#if UVOW__WIDE
/* Vectors of a block; loops over them are unrolled. */
#define UVOW__WIDE_PARTS (UVOW__WIDE_BLOCK / UVOW__WIDE)
#endif

#endif
