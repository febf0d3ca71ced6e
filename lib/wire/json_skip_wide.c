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

#include "wide.h"

#if UVOW__WIDE

#define BLOCK UVOW__WIDE_BLOCK
#define SQUARE_BITS 0x06 /* which make both brackets the same, */
#define SQUARE 0x5F      /* and nothing else that JSON has outside of strings */

typedef struct block {
  uvow__wide_t part[UVOW__WIDE_PARTS];
} block_t;

UVOW__WIDE_INLINE block_t block_at(const char *p) {
  block_t block;
#pragma GCC unroll 4
  for (size_t i = 0; i < UVOW__WIDE_PARTS; i++)
    block.part[i] = uvow__wide(p + i * UVOW__WIDE);
  return block;
}

UVOW__WIDE_INLINE uint64_t equal(block_t block, char c) {
  uvow__wide_t all = uvow__wide_all((uint8_t)c);
#pragma GCC unroll 4
  for (size_t i = 0; i < UVOW__WIDE_PARTS; i++)
    block.part[i] = uvow__wide_equal(block.part[i], all);
  return uvow__wide_bits(block.part);
}

/* Whether a byte is a backslash or a square bracket, or may be. */
UVOW__WIDE_INLINE int has_others(block_t block) {
  const uvow__wide_t bits = uvow__wide_all(SQUARE_BITS);
  const uvow__wide_t square = uvow__wide_all(SQUARE);
  const uvow__wide_t escape = uvow__wide_all('\\');
  uvow__wide_t seen = uvow__wide_all(0);
#pragma GCC unroll 4
  for (size_t i = 0; i < UVOW__WIDE_PARTS; i++) {
    uvow__wide_t others =
        uvow__wide_equal(uvow__wide_or(block.part[i], bits), square);
    uvow__wide_t escapes = uvow__wide_equal(block.part[i], escape);
    seen = uvow__wide_or(seen, uvow__wide_or(others, escapes));
  }
  return !uvow__wide_is_zero(seen);
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

UVOW__WIDE_CODE static const char *skip(const char *p, const char *end,
                                        uvow__json_at_t *at) {
  uint64_t in_string = at->in_string;
  uint64_t in_object = at->in_object;
  for (; end - p >= BLOCK; p += BLOCK) {
    block_t block = block_at(p);
    uint64_t strings = parities(equal(block, '"')) ^ in_string;
    uint64_t opening = equal(block, '{') & ~strings;
    uint64_t brackets = opening | (equal(block, '}') & ~strings);
    uint64_t objects = parities(brackets) ^ in_object;
    if (has_others(block) || (brackets & objects) != opening)
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
  return uvow__wide_is_there() ? skip(p, end, at) : p;
}

#else

const char *uvow__json_skip_wide(const char *p, const char *end,
                                 uvow__json_at_t *at) {
  (void)end;
  (void)at;
  return p;
}

#endif
