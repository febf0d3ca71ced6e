#ifndef UVOW__JSON_TEXT_H
#define UVOW__JSON_TEXT_H

#include "base/buf.h"
#include "base/word.h"

/*
 * JSON strings as bytes. "Raw" is the text as it stands in a message, with its
 * quotes. No function trusts it, and none reads past its end.
 */

/* Whether the bytes are UTF-8 (RFC 3629: no surrogates, shortest forms). */
int uvow__json_utf8(uvow__slice_t text);

/* Marks characters that can't stand in a JSON string, or aren't ASCII. */
static inline uint64_t uvow__json_mark(uint64_t word) {
  return uvow__word_special(word) | (word & UVOW__WORD_HIGH);
}

/* Whether the bytes are ASCII without anything that must be escaped, so that
 * they are a JSON string once they have quotes. Names mostly are: it stands
 * here to be inlined. */
static inline int uvow__json_stands(uvow__slice_t text) {
  const char *p = text.ptr;
  size_t len = text.len;
  uint64_t marks = 0;
  if (len >= 8) {
    for (size_t i = 0; i < len - 8; i += 8)
      marks |= uvow__json_mark(uvow__word(p + i));
    marks |= uvow__json_mark(uvow__word(p + len - 8));
  } else if (len >= 4) {
    marks = uvow__json_mark(uvow__word_half(p) | uvow__word_half(p + len - 4)
                                                     << 32);
  } else {
    for (size_t i = 0; i < len; i++)
      marks |= uvow__json_mark((unsigned char)p[i] | UVOW__WORD_SPACES << 8);
  }
  return !marks;
}

/* Appends text as a JSON string, quotes included, all or nothing. Returns 0,
 * UVOW_EINVAL: not UTF-8, UVOW_ENOMEM, UVOW_EOVERLOAD. */
int uvow__json_escape(uvow__buf_t *out, uvow__slice_t text);

/* Appends what a raw string means, in UTF-8, all or nothing. Half a surrogate
 * pair becomes U+FFFD; \u0000 becomes a NUL byte. Returns 0, UVOW_EENVELOPE:
 * no JSON string, UVOW_ENOMEM, UVOW_EOVERLOAD. */
int uvow__json_unescape(uvow__buf_t *out, uvow__slice_t raw);

/* Whether a raw string means exactly this text. Half a surrogate pair equals
 * nothing. */
int uvow__json_string_is(uvow__slice_t raw, uvow__slice_t text);

/* Whether what it means begins, or ends, with this text. */
int uvow__json_string_begins(uvow__slice_t raw, uvow__slice_t text);
int uvow__json_string_ends(uvow__slice_t raw, uvow__slice_t text);

/* Whether a NUL character is in what it means. */
int uvow__json_string_has_nul(uvow__slice_t raw);

/* Where a raw string holds no escape, its meaning is what's between its
 * quotes: returns 1 and borrows it. Otherwise 0: unescape it. */
int uvow__json_plain(uvow__slice_t raw, uvow__slice_t *ret_text);

/* Reads the n hexadecimal digits at p: the number, or -1. n is at most 4. */
long uvow__json_hex(const char *p, size_t n);

#endif
