/*
 * Payloads skipped: where a container ends.
 *
 *   uvow__json_skip -> skip_blocks  64 bytes at a time, while there are many
 *                   -> skip_bytes   one at a time: the rest, or a block with
 *                                   escapes
 *
 * 1. All that matters: strings end, and an opening bracket has the one that
 *    closes it. A backslash matters inside a string only.
 * 2. Both ways say the same of every text: a block in which a backslash stands
 *    is left to skip_bytes, and blocks begin where that stopped.
 * 3. A block becomes bits, one a byte: quotes, brackets. Between an odd quote
 *    and the next one is a string, which is the parity of the quotes before.
 *    That needs no branch, so there's nothing to mispredict.
 * 4. No byte outside [p, end) is read.
 */
#include "json_skip.h"

#include <string.h>

#include "word.h"

#define SHORT 8 /* strings up to so long are skipped byte by byte */
#define BLOCK 64
#define BLOCKS_MIN 128 /* bytes of a text that is worth it */

/* Brackets, and no other but Y, _, y, DEL: those bits are equal in all. */
#define BRACKET_BITS UINT64_C(0x2626262626262626)
#define BRACKETS UINT64_C(0x7F7F7F7F7F7F7F7F)
#define SEVEN_BITS UINT64_C(0x7F7F7F7F7F7F7F7F)
#define QUOTES (UVOW__WORD_ONES * '"')

typedef struct skipper {
  size_t depth;
  uint8_t closing[UVOW__JSON_DEPTH]; /* the brackets that are still to come */
} skipper_t;

/* From inside a string to behind its closing quote: a few words, then by the C
 * library, which is faster once it runs. */
static const char *skip_long(const char *p, const char *end) {
  for (int words = 4; words > 0 && end - p >= 8; words--) {
    uint64_t word = uvow__word(p);
    uint64_t marks = uvow__word_equal(word, '"') | uvow__word_equal(word, '\\');
    if (marks && p[uvow__word_lowest(marks)] == '"')
      return p + uvow__word_lowest(marks) + 1;
    if (marks)
      break;
    p += 8;
  }
  const char *quote = NULL;
  while (p < end) {
    if (!quote || quote < p)
      quote = (const char *)memchr(p, '"', (size_t)(end - p));
    if (!quote)
      return NULL;
    const char *escape = (const char *)memchr(p, '\\', (size_t)(quote - p));
    if (!escape)
      return quote + 1;
    p = escape + 2; /* at most behind the quote */
  }
  return NULL;
}

/* The same for a short one, inline. */
static inline const char *skip_short(const char *p, const char *end) {
  const char *stop = end - p > SHORT ? p + SHORT : end;
  for (; p < stop && *p != '\\'; p++)
    if (*p == '"')
      return p + 1;
  return skip_long(p, end);
}

/* What matters in a payload: an opening bracket has the one that closes it. */
enum { PLAIN, QUOTE, CLOSING };
static const uint8_t marks_payload[256] = {
    ['"'] = QUOTE, ['{'] = '}', ['['] = ']', ['}'] = CLOSING, [']'] = CLOSING};

/* Until the outermost bracket is closed, or at least up to `stop`. */
static inline const char *skip_bytes(skipper_t *s, const char *p,
                                     const char *stop, const char *end) {
  size_t depth = s->depth;
  while (p && p < stop && depth) {
    while (p < stop && marks_payload[(unsigned char)*p] == PLAIN)
      p++;
    if (p == stop)
      break;
    unsigned mark = marks_payload[(unsigned char)*p++];
    if (mark == QUOTE) {
      p = skip_short(p, end);
    } else if (mark == CLOSING) {
      if (s->closing[--depth] != (unsigned char)p[-1])
        return NULL;
    } else {
      if (depth == UVOW__JSON_DEPTH)
        return NULL;
      s->closing[depth++] = (uint8_t)mark;
    }
  }
  s->depth = depth;
  return p;
}

/* Bit i: byte i is zero. */
static inline uint64_t zero_bytes(uint64_t word) {
  uint64_t marks = ~(((word & SEVEN_BITS) + SEVEN_BITS) | word) >> 7;
  return ((marks & UVOW__WORD_ONES) * UINT64_C(0x0102040810204080)) >> 56;
}

/* The index of the only bit that is set (a de Bruijn sequence). */
static inline unsigned index_of(uint64_t bit) {
  static const uint8_t index[64] = {
      0,  1,  48, 2,  57, 49, 28, 3,  61, 58, 50, 42, 38, 29, 17, 4,
      62, 55, 59, 36, 53, 51, 43, 22, 45, 39, 33, 30, 24, 18, 12, 5,
      63, 47, 56, 27, 60, 41, 37, 16, 54, 35, 52, 21, 44, 32, 23, 11,
      46, 26, 40, 15, 34, 20, 31, 10, 25, 14, 19, 9,  13, 8,  7,  6};
  return index[(bit * UINT64_C(0x03F79D71B4CB0A89)) >> 58];
}

/* Bit i: the parity of the bits up to i. */
static inline uint64_t parities(uint64_t bits) {
  for (unsigned shift = 1; shift < 64; shift *= 2)
    bits ^= bits << shift;
  return bits;
}

/* Quotes and brackets of a block. Returns 0: there's a backslash. */
static inline int read_block(const char *p, uint64_t *ret_quotes,
                             uint64_t *ret_brackets) {
  uint64_t quotes = 0;
  uint64_t brackets = 0;
  uint64_t escapes = 0;
  for (unsigned i = 0; i < BLOCK; i += 8) {
    uint64_t word = uvow__word(p + i);
    quotes |= zero_bytes(word ^ QUOTES) << i;
    brackets |= zero_bytes((word | BRACKET_BITS) ^ BRACKETS) << i;
    escapes |= uvow__word_equal(word, '\\');
  }
  *ret_quotes = quotes;
  *ret_brackets = brackets;
  return !escapes;
}

/* A bracket, or what looks like one. Returns 0: it can't be there. */
static inline int take_bracket(skipper_t *s, unsigned char c) {
  unsigned mark = marks_payload[c];
  if (mark == CLOSING)
    return s->closing[--s->depth] == c;
  if (mark == PLAIN)
    return 1;
  if (s->depth == UVOW__JSON_DEPTH)
    return 0;
  s->closing[s->depth++] = (uint8_t)mark;
  return 1;
}

/* The brackets of a block: what is behind the last one that matters, `stop` if
 * that's not the end, NULL: they don't match. */
static inline const char *take_brackets(skipper_t *s, uint64_t brackets,
                                        const char *p, const char *stop) {
  for (; brackets; brackets &= brackets - 1) {
    unsigned at = index_of(brackets & (0 - brackets));
    if (!take_bracket(s, (unsigned char)p[at]))
      return NULL;
    if (s->depth == 0)
      return p + at + 1;
  }
  return stop;
}

/* Goes on for as long as a block at a time will do. What follows is for
 * skip_bytes, up to *ret_stop. */
static const char *skip_blocks(skipper_t *s, const char *p, const char *end,
                               const char **ret_stop) {
  uint64_t quotes;
  uint64_t brackets;
  uint64_t in_string = 0; /* between two blocks: all bits, or none */
  while (p && s->depth && end - p >= BLOCK) {
    int plain = read_block(p, &quotes, &brackets);
    if (in_string && (!plain || !quotes)) {
      p = skip_long(p, end);
      in_string = 0;
    } else if (!plain) {
      *ret_stop = p + BLOCK;
      return p;
    } else {
      uint64_t strings = parities(quotes) ^ in_string;
      in_string = 0 - (strings >> 63);
      p = take_brackets(s, brackets & ~strings, p, p + BLOCK);
    }
  }
  *ret_stop = end;
  return p && in_string && s->depth ? skip_long(p, end) : p;
}

const char *uvow__json_skip(const char *p, const char *end) {
  skipper_t s;
  s.closing[0] = marks_payload[(unsigned char)*p++];
  s.depth = 1;
  do {
    const char *stop = end;
    if (end - p >= BLOCKS_MIN)
      p = skip_blocks(&s, p, end, &stop);
    p = skip_bytes(&s, p, stop, end);
  } while (p && s.depth && p < end);
  return s.depth == 0 ? p : NULL;
}

int uvow__json_too_deep(const char *p, const char *end) {
  size_t depth = 0;
  while (p && p < end) {
    unsigned mark = marks_payload[(unsigned char)*p++];
    if (mark == QUOTE)
      p = skip_short(p, end);
    else if (mark == CLOSING && depth-- <= 1)
      return 0;
    else if (mark > CLOSING && depth++ == UVOW__JSON_DEPTH)
      return 1;
  }
  return 0;
}
