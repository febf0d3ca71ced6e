/*
 * UTF-8, a vector at a time (Keiser and Lemire, 2020).
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

#include "wide.h"

#if UVOW__WIDE

#define STEP UVOW__WIDE_BLOCK

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

#define X4(faults) faults, faults, faults, faults

/* By four bits of a byte. */
/* clang-format off */
static const uint8_t first_high[16] = {
    /* 0 to 7 */ X4(TOO_LONG), X4(TOO_LONG),
    /* 8 to B */ X4(CONTINUATIONS),
    /* C, D   */ TOO_SHORT | OVERLONG_2, TOO_SHORT,
    /* E      */ TOO_SHORT | OVERLONG_3 | SURROGATE,
    /* F      */ TOO_SHORT | TOO_LARGE | TOO_LARGE_80};
static const uint8_t first_low[16] = {
    /* 0      */ ANY_LOW | OVERLONG_2 | OVERLONG_3 | OVERLONG_4,
    /* 1      */ ANY_LOW | OVERLONG_2,
    /* 2, 3   */ ANY_LOW, ANY_LOW,
    /* 4      */ ANY_LOW | TOO_LARGE,
    /* 5 to C */ X4(ABOVE), X4(ABOVE),
    /* D      */ ABOVE | SURROGATE,
    /* E, F   */ ABOVE, ABOVE};
static const uint8_t second_high[16] = {
    /* 0 to 7 */ X4(TOO_SHORT), X4(TOO_SHORT),
    /* 8      */ SECOND | OVERLONG_3 | OVERLONG_4,
    /* 9      */ SECOND | OVERLONG_3 | TOO_LARGE,
    /* A, B   */ SECOND | SURROGATE | TOO_LARGE, SECOND | SURROGATE | TOO_LARGE,
    /* C to F */ X4(TOO_SHORT)};
/* clang-format on */

UVOW__WIDE_INLINE uvow__wide_t faults(uvow__wide_t before, uvow__wide_t bytes) {
  uvow__wide_t first = uvow__wide_back1(before, bytes);
  uvow__wide_t low = uvow__wide_and(first, uvow__wide_all(0x0F));
  uvow__wide_t pair = uvow__wide_and(
      uvow__wide_and(uvow__wide_look(first_high, uvow__wide_upper(first)),
                     uvow__wide_look(first_low, low)),
      uvow__wide_look(second_high, uvow__wide_upper(bytes)));
  /* 128 and more where a third, a fourth byte is due. */
  uvow__wide_t third = uvow__wide_less(uvow__wide_back2(before, bytes),
                                       uvow__wide_all(0xE0 - 0x80));
  uvow__wide_t fourth = uvow__wide_less(uvow__wide_back3(before, bytes),
                                        uvow__wide_all(0xF0 - 0x80));
  uvow__wide_t due = uvow__wide_and(uvow__wide_or(third, fourth),
                                    uvow__wide_all(CONTINUATIONS));
  return uvow__wide_xor(pair, due);
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
UVOW__WIDE_CODE static size_t look(const uint8_t *bytes, size_t len) {
  uvow__wide_t before = uvow__wide_all(0);
  size_t at = 0;
  for (; len - at >= STEP; at += STEP) {
    uvow__wide_t part[UVOW__WIDE_PARTS];
    uvow__wide_t all = uvow__wide_all(0);
#pragma GCC unroll 4
    for (size_t i = 0; i < UVOW__WIDE_PARTS; i++) {
      part[i] = uvow__wide(bytes + at + i * UVOW__WIDE);
      all = uvow__wide_or(all, part[i]);
    }
    if (uvow__wide_is_ascii(all) && whole(bytes, at) == at)
      break;
    uvow__wide_t wrong = faults(before, part[0]);
#pragma GCC unroll 4
    for (size_t i = 1; i < UVOW__WIDE_PARTS; i++)
      wrong = uvow__wide_or(wrong, faults(part[i - 1], part[i]));
    if (!uvow__wide_is_zero(wrong))
      break;
    before = part[UVOW__WIDE_PARTS - 1];
  }
  return whole(bytes, at);
}

size_t uvow__utf8_wide(const uint8_t *bytes, size_t len) {
  return uvow__wide_is_there() ? look(bytes, len) : 0;
}

#else

size_t uvow__utf8_wide(const uint8_t *bytes, size_t len) {
  (void)bytes;
  (void)len;
  return 0;
}

#endif
