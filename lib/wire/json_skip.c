/*
 * Payloads skipped: where a container ends.
 *
 *   uvow__json_skip -> skip_flat    one that ends within 16 bytes
 *                   -> skip_blocks  up to 64 bytes at a time
 *                   -> skip_bytes   one at a time: a block with escapes
 *
 * 1. All that matters: strings end, and an opening bracket has the one that
 *    closes it. A backslash matters inside a string only.
 * 2. All ways say the same of every text: what skip_flat isn't sure of is left
 *    to the others, a block in which a backslash stands to skip_bytes, and
 *    blocks begin where that stopped.
 * 3. A block becomes bits, one a byte: quotes, brackets. Between an odd quote
 *    and the next one is a string, which is the parity of the quotes before.
 *    That needs no branch, so there's nothing to mispredict.
 * 4. No byte outside [p, end) is read.
 */
#include "json_skip.h"

#include <string.h>

#include "json_skip_wide.h"
#include "lanes.h"

#define SHORT 8 /* strings up to so long are skipped byte by byte */
#define BLOCK 64
#define WIDE_PAYS 256 /* bytes: else wide blocks aren't tried */
#define WIDE_WAIT 16  /* before so many others */

/* Brackets, and no other but Y, _, y, DEL: those bits are equal in all. */
#define BRACKET_BITS 0x26
#define BRACKETS 0x7F

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

/* Bit i: the parity of the bits up to i. */
static inline uint32_t parities_16(uint32_t bits) {
  bits ^= bits << 1;
  bits ^= bits << 2;
  bits ^= bits << 4;
  return bits ^ bits << 8;
}
static inline uint64_t parities(uint64_t bits) {
  bits ^= bits << 1;
  bits ^= bits << 2;
  bits ^= bits << 4;
  bits ^= bits << 8;
  bits ^= bits << 16;
  return bits ^ bits << 32;
}

_Static_assert('}' - '{' == ']' - '[', "what closes is as far from what opens");
_Static_assert(('{' ^ '[') == ('}' ^ ']'), "and differs in the same bit");

/* Of what has the bits of brackets. */
static inline int is_opening(unsigned char c) {
  return (c | ('{' ^ '[')) == '{';
}
static inline int is_closing(unsigned char c) {
  return (c | ('{' ^ '[')) == '}';
}

/* What matters in a block. Bit i is of byte i. */
typedef struct block {
  uint64_t quotes;
  uint64_t brackets;
  uint64_t escapes;
} block_t;

static inline void read_lanes(block_t *block, uvow__lanes_t lanes,
                              unsigned at) {
  uint64_t quotes = uvow__lanes_equal(lanes, uvow__lanes_all('"'));
  uint64_t escapes = uvow__lanes_equal(lanes, uvow__lanes_all('\\'));
  uint64_t brackets =
      uvow__lanes_equal(uvow__lanes_or(lanes, uvow__lanes_all(BRACKET_BITS)),
                        uvow__lanes_all(BRACKETS));
  block->quotes |= quotes << at;
  block->escapes |= escapes << at;
  block->brackets |= brackets << at;
}

static inline uint64_t marks_at(uvow__lanes_t lanes, uvow__lanes_t of,
                                unsigned at) {
  return (uint64_t)uvow__lanes_equal(lanes, of) << at;
}

/* A whole block. Of escapes it only says that there are some. */
static inline block_t read_whole(const char *p) {
  const uvow__lanes_t bits = uvow__lanes_all(BRACKET_BITS);
  const uvow__lanes_t all = uvow__lanes_all(BRACKETS);
  const uvow__lanes_t quote = uvow__lanes_all('"');
  const uvow__lanes_t escape = uvow__lanes_all('\\');
  uvow__lanes_t a = uvow__lanes(p);
  uvow__lanes_t b = uvow__lanes(p + 16);
  uvow__lanes_t c = uvow__lanes(p + 32);
  uvow__lanes_t d = uvow__lanes(p + 48);
  block_t block;
  block.quotes = marks_at(a, quote, 0) | marks_at(b, quote, 16) |
                 marks_at(c, quote, 32) | marks_at(d, quote, 48);
  block.brackets = marks_at(uvow__lanes_or(a, bits), all, 0) |
                   marks_at(uvow__lanes_or(b, bits), all, 16) |
                   marks_at(uvow__lanes_or(c, bits), all, 32) |
                   marks_at(uvow__lanes_or(d, bits), all, 48);
  block.escapes = uvow__lanes_any_equal(a, b, c, d, escape) ? 1 : 0;
  return block;
}

/* At most a block, and so many bytes. */
static inline block_t read_block(const char *p, size_t len) {
  block_t block = {0, 0, 0};
  unsigned at = 0;
  if (len >= BLOCK)
    return read_whole(p);
  for (; len - at >= UVOW__LANES && at < BLOCK; at += UVOW__LANES)
    read_lanes(&block, uvow__lanes(p + at), at);
  if (at < BLOCK && at < len)
    read_lanes(&block, uvow__lanes_part(p + at, len - at), at);
  return block;
}

/* A bracket, or what looks like one. Returns 0: it can't be there. */
static inline int take_bracket(skipper_t *s, unsigned char c) {
  if (is_closing(c))
    return s->closing[--s->depth] == c;
  if (!is_opening(c))
    return 1;
  if (s->depth == UVOW__JSON_DEPTH)
    return 0;
  s->closing[s->depth++] = (uint8_t)(c + ('}' - '{'));
  return 1;
}

/* The brackets of a block: what is behind the last one that matters, `stop` if
 * that's not the end, NULL: they don't match. */
static inline const char *take_brackets(skipper_t *s, uint64_t brackets,
                                        const char *p, const char *stop) {
  for (; brackets; brackets &= brackets - 1) {
    unsigned at = uvow__bit_lowest(brackets);
    if (!take_bracket(s, (unsigned char)p[at]))
      return NULL;
    if (s->depth == 0)
      return p + at + 1;
  }
  return stop;
}

/* Objects that lie in the present container, or in the one around it. Returns
 * how far: p, where they can't be skipped so. */
static const char *skip_wide(skipper_t *s, const char *p, const char *end,
                             uint64_t *in_string) {
  int in_object = s->depth > 1 && s->closing[s->depth - 1] == '}';
  size_t around = in_object ? s->depth - 1 : s->depth;
  uvow__json_at_t at = {*in_string, in_object ? UINT64_MAX : 0};
  if (end - p < UVOW__JSON_SKIP_WIDE_MIN || around == UVOW__JSON_DEPTH)
    return p;
  p = uvow__json_skip_wide(p, end, &at);
  s->closing[around] = '}';
  s->depth = at.in_object ? around + 1 : around;
  *in_string = at.in_string;
  return p;
}

/* Goes on for as long as a block at a time will do. What follows is for
 * skip_bytes, up to *ret_stop. */
static inline const char *skip_blocks(skipper_t *s, const char *p,
                                      const char *end, const char **ret_stop) {
  uint64_t in_string = 0; /* between two blocks: all bits, or none */
  unsigned wait = 0;      /* blocks until wide ones are tried again */
  *ret_stop = end;
  while (p && s->depth && p < end) {
    if (wait-- == 0) {
      const char *from = p;
      p = skip_wide(s, p, end, &in_string);
      wait = p - from >= WIDE_PAYS ? 0 : WIDE_WAIT;
      if (p == end)
        break;
    }
    size_t len = end - p < BLOCK ? (size_t)(end - p) : BLOCK;
    block_t block = read_block(p, len);
    if (in_string && (block.escapes || !block.quotes)) {
      p = skip_long(p, end);
      in_string = 0;
    } else if (block.escapes) {
      *ret_stop = p + len;
      return p;
    } else {
      uint64_t strings = parities(block.quotes) ^ in_string;
      in_string = 0 - (strings >> 63);
      p = take_brackets(s, block.brackets & ~strings, p, p + len);
    }
  }
  return p;
}

/* One that ends within these bytes, 16 at most, with no other in it. NULL: it
 * may be another. */
static inline const char *skip_flat(const char *p, size_t len) {
  block_t block = {0, 0, 0};
  read_lanes(&block,
             len < UVOW__LANES ? uvow__lanes_part(p, len) : uvow__lanes(p), 0);
  uint32_t strings = parities_16((uint32_t)block.quotes);
  uint32_t brackets = (uint32_t)block.brackets & ~strings & ~UINT32_C(1);
  if (block.escapes || !brackets)
    return NULL;
  const char *last = p + uvow__bit_lowest(brackets);
  return *last == *p + ('}' - '{') ? last + 1 : NULL;
}

/* All others. */
static const char *skip_any(const char *p, const char *end) {
  skipper_t s;
  s.closing[0] = marks_payload[(unsigned char)*p++];
  s.depth = 1;
  do {
    const char *stop;
    p = skip_blocks(&s, p, end, &stop);
    if (p && s.depth)
      p = skip_bytes(&s, p, stop, end);
  } while (p && s.depth && p < end);
  return s.depth == 0 ? p : NULL;
}

const char *uvow__json_skip(const char *p, const char *end) {
  const char *behind =
      end - p <= UVOW__LANES ? skip_flat(p, (size_t)(end - p)) : NULL;
  return behind ? behind : skip_any(p, end);
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
