#ifndef UVOW__WORD_H
#define UVOW__WORD_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "apart.h"

/* 8 characters at once, the first one in the lowest byte. Marks are the high
 * bits of bytes. */

#define UVOW__WORD_ONES UINT64_C(0x0101010101010101)
#define UVOW__WORD_HIGH UINT64_C(0x8080808080808080)
#define UVOW__WORD_SPACES UINT64_C(0x2020202020202020)

/* Compilers make it one load. */
UVOW__WITHIN uint64_t uvow__word(const char *p) {
  const unsigned char *u = (const unsigned char *)p;
  return (uint64_t)u[0] | (uint64_t)u[1] << 8 | (uint64_t)u[2] << 16 |
         (uint64_t)u[3] << 24 | (uint64_t)u[4] << 32 | (uint64_t)u[5] << 40 |
         (uint64_t)u[6] << 48 | (uint64_t)u[7] << 56;
}

/* 8 bytes as they lie in memory, and back. */
static inline uint64_t uvow__word_raw(const uint8_t *from) {
  uint64_t word;
  memcpy(&word, from, sizeof(word));
  return word;
}
static inline void uvow__word_put(uint8_t *to, uint64_t word) {
  memcpy(to, &word, sizeof(word));
}

/* A copy of what mostly is short. */
static inline void uvow__copy(uint8_t *to, const char *from, size_t len) {
  if (len > 16) {
    memcpy(to, from, len);
  } else if (len >= 8) {
    memcpy(to, from, 8);
    memcpy(to + len - 8, from + len - 8, 8);
  } else if (len >= 4) {
    memcpy(to, from, 4);
    memcpy(to + len - 4, from + len - 4, 4);
  } else {
    for (size_t i = 0; i < len; i++)
      to[i] = (uint8_t)from[i];
  }
}

/* 4 characters, the upper half zero. */
static inline uint64_t uvow__word_half(const char *p) {
  const unsigned char *u = (const unsigned char *)p;
  return (uint32_t)u[0] | (uint32_t)u[1] << 8 | (uint32_t)u[2] << 16 |
         (uint32_t)u[3] << 24;
}

/* Marks each byte below n (at most 128). Bytes above such a one may be marked
 * by mistake: whether there's a mark, and the lowest one, are right. */
static inline uint64_t uvow__word_below(uint64_t word, uint64_t n) {
  return (word - UVOW__WORD_ONES * n) & ~word & UVOW__WORD_HIGH;
}

/* The same for bytes that are c. */
static inline uint64_t uvow__word_equal(uint64_t word, uint64_t c) {
  return uvow__word_below(word ^ (UVOW__WORD_ONES * c), 1);
}

/* The same for what ends a run of characters of a JSON string that stand for
 * themselves: a quote, a backslash, a control character. */
static inline uint64_t uvow__word_special(uint64_t word) {
  return uvow__word_equal(word, '"') | uvow__word_equal(word, '\\') |
         uvow__word_below(word, ' ');
}

/* The same for what is no decimal digit. */
static inline uint64_t uvow__word_not_digit(uint64_t word) {
  uint64_t digits = word ^ (UVOW__WORD_ONES * '0');
  return (digits | (digits + UVOW__WORD_ONES * (128 - 10))) & UVOW__WORD_HIGH;
}

/* How many bytes are under the lowest mark; there is one. Under it, marks - 1
 * has all bits set: counts the lowest bit of each byte, up to its own. */
static inline size_t uvow__word_lowest(uint64_t marks) {
  uint64_t bytes = (marks - 1) & UVOW__WORD_ONES;
  return (size_t)((bytes * UVOW__WORD_ONES) >> 56) - 1;
}

/* 1 to 8 digits at the start of a word, `len` of them: the number. They become
 * the last ones of eight, then pairs, fours, and all are added. */
static inline uint64_t uvow__word_number(uint64_t word, size_t len) {
  word = (word - UVOW__WORD_ONES * '0') << (8 * (8 - len));
  word = (word * 10 + (word >> 8)) & UINT64_C(0x00FF00FF00FF00FF);
  word = (word * 100 + (word >> 16)) & UINT64_C(0x0000FFFF0000FFFF);
  return (word * 10000 + (word >> 32)) & UINT32_MAX;
}

#endif
