/*
 * JSON strings: escaping, unescaping, comparing.
 *
 * 1. No byte behind the given length is read.
 * 2. What is appended is UTF-8 if what was given is.
 * 3. Unescaping never makes text longer, so room is reserved once.
 *
 * It doesn't check the UTF-8 of raw strings: the framer did that for the whole
 * message.
 */
#include "base/text.h"
#include "json_text.h"

#include <string.h>

#include <uvow/error.h>

#include "utf8.h"
#include "base/word.h"

#define BAD_CHAR 0xFFFDu
#define HALF_PAIR 0x110000u /* no code point: half of a surrogate pair */

int uvow__json_utf8(uvow__slice_t text) {
  uvow__utf8_t utf8;
  uvow__utf8_init(&utf8);
  return text.len == 0 ||
         (uvow__utf8_feed(&utf8, (const uint8_t *)text.ptr, text.len) == 0 &&
          uvow__utf8_end(&utf8) == 0);
}

/* The escape of c in `out`, its length, or 0: c stands for itself. */
static size_t escape_of(unsigned char c, char out[6]) {
  static const char plain[] = "\"\\\b\f\n\r\t";
  static const char names[] = "\"\\bfnrt";
  if (c >= 0x20 && c != '"' && c != '\\')
    return 0;
  out[0] = '\\';
  for (size_t i = 0; i < sizeof(plain) - 1; i++) {
    if ((unsigned char)plain[i] == c) {
      out[1] = names[i];
      return 2;
    }
  }
  out[1] = 'u';
  out[2] = out[3] = '0';
  out[4] = uvow__hex_digit(c >> 4u);
  out[5] = uvow__hex_digit(c);
  return 6;
}

static int put_escaped(uvow__buf_t *out, uvow__slice_t text) {
  char escape[6];
  size_t from = 0;
  int rc = uvow__buf_append(out, "\"", 1);
  for (size_t i = 0; rc == 0 && i < text.len; i++) {
    size_t len = escape_of((unsigned char)text.ptr[i], escape);
    if (len == 0)
      continue;
    if (i > from)
      rc = uvow__buf_append(out, text.ptr + from, i - from);
    if (rc == 0)
      rc = uvow__buf_append(out, escape, len);
    from = i + 1;
  }
  if (rc == 0 && text.len > from)
    rc = uvow__buf_append(out, text.ptr + from, text.len - from);
  return rc ? rc : uvow__buf_append(out, "\"", 1);
}

int uvow__json_escape(uvow__buf_t *out, uvow__slice_t text) {
  size_t size = uvow__buf_size(out);
  if ((!text.ptr && text.len) || !uvow__json_utf8(text))
    return UVOW_EINVAL;
  int rc = put_escaped(out, text);
  if (rc)
    out->len = out->off + size;
  return rc;
}

long uvow__json_hex(const char *p, size_t n) {
  long number = 0;
  for (size_t i = 0; i < n; i++) {
    int digit = uvow__hex_value((unsigned char)p[i]);
    if (digit < 0)
      return -1;
    number = number * 16 + digit;
  }
  return number;
}

/* \uXXXX at p, or a pair of them: bytes read, or 0. */
static size_t read_unicode(const char *p, size_t left, uint32_t *ret_code) {
  long first = left < 6 ? -1 : uvow__json_hex(p + 2, 4);
  if (first < 0)
    return 0;
  *ret_code = (uint32_t)first;
  if (first < 0xD800 || first > 0xDFFF)
    return 6;
  *ret_code = HALF_PAIR;
  if (first > 0xDBFF || left < 12 || p[6] != '\\' || p[7] != 'u')
    return 6;
  long second = uvow__json_hex(p + 8, 4);
  if (second < 0xDC00 || second > 0xDFFF)
    return 6; /* what follows is looked at again by itself */
  *ret_code = 0x10000u + ((uint32_t)(first - 0xD800) << 10) +
              (uint32_t)(second - 0xDC00);
  return 12;
}

/* The escape at p, a backslash: bytes read, or 0: there's no such escape. */
static size_t read_escape(const char *p, size_t left, uint32_t *ret_code) {
  static const char names[] = "\"\\/bfnrt";
  static const char plain[] = "\"\\/\b\f\n\r\t";
  if (left < 2)
    return 0;
  if (p[1] == 'u')
    return read_unicode(p, left, ret_code);
  const char *name = (const char *)memchr(names, p[1], sizeof(names) - 1);
  if (!name)
    return 0;
  *ret_code = (uint32_t)plain[name - names];
  return 2;
}

static size_t encode(uint32_t code, char out[4]) {
  if (code < 0x80) {
    out[0] = (char)code;
    return 1;
  }
  size_t len = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  static const unsigned char marks[] = {0, 0, 0xC0, 0xE0, 0xF0};
  for (size_t i = len - 1; i > 0; i--) {
    out[i] = (char)(unsigned char)(0x80 | (code & 0x3F));
    code >>= 6;
  }
  out[0] = (char)(unsigned char)(marks[len] | code);
  return len;
}

/* What's between the quotes; 0: there are none. */
static int inside(uvow__slice_t raw, uvow__slice_t *ret_text) {
  if (raw.len < 2 || raw.ptr[0] != '"' || raw.ptr[raw.len - 1] != '"')
    return 0;
  ret_text->ptr = raw.ptr + 1;
  ret_text->len = raw.len - 2;
  return 1;
}

/* One character at p: bytes read, or 0; its bytes are in out. `code` is that of
 * an escape, 0 where the byte stands for itself. */
static size_t read_char(const char *p, size_t left, char out[4],
                        size_t *ret_len, uint32_t *ret_code) {
  unsigned char c = (unsigned char)p[0];
  *ret_code = 0;
  if (c == '\\') {
    size_t used = read_escape(p, left, ret_code);
    if (used)
      *ret_len = encode(*ret_code == HALF_PAIR ? BAD_CHAR : *ret_code, out);
    return used;
  }
  if (c < 0x20 || c == '"')
    return 0;
  out[0] = p[0];
  *ret_len = 1;
  return 1;
}

int uvow__json_unescape(uvow__buf_t *out, uvow__slice_t raw) {
  uvow__slice_t text;
  if (!inside(raw, &text))
    return UVOW_EENVELOPE;
  int rc = uvow__buf_reserve(out, text.len);
  if (rc)
    return rc;
  size_t end = out->len;
  for (size_t at = 0; at < text.len;) {
    char bytes[4];
    size_t len = 0;
    uint32_t code;
    size_t used = read_char(text.ptr + at, text.len - at, bytes, &len, &code);
    if (used == 0)
      return UVOW_EENVELOPE;
    memcpy(out->data + end, bytes, len);
    end += len;
    at += used;
  }
  out->len = end;
  return 0;
}

/* Compares what a raw string means with a text: the bytes from `from` on, as
 * many as the text has. Writes how many bytes the string has in all. Half a
 * surrogate pair equals nothing. */
static int compare(uvow__slice_t raw, uvow__slice_t text, size_t from,
                   size_t *ret_len) {
  uvow__slice_t in;
  size_t done = 0;
  int same = 1;
  if (!inside(raw, &in))
    return 0;
  for (size_t at = 0; at < in.len;) {
    char bytes[4];
    size_t len = 0;
    uint32_t code;
    size_t used = read_char(in.ptr + at, in.len - at, bytes, &len, &code);
    if (used == 0)
      return 0;
    for (size_t i = 0; i < len; i++, done++)
      if (done >= from && done - from < text.len &&
          (code == HALF_PAIR || bytes[i] != text.ptr[done - from]))
        same = 0;
    at += used;
  }
  *ret_len = done;
  return same;
}

int uvow__json_string_is(uvow__slice_t raw, uvow__slice_t text) {
  uvow__slice_t in;
  size_t done = 0;
  if (raw.len < text.len + 2) /* an escape is longer than what it means */
    return 0;
  if (!inside(raw, &in))
    return 0;
  for (size_t at = 0; at < in.len;) {
    char bytes[4];
    size_t len = 0;
    uint32_t code;
    size_t used = read_char(in.ptr + at, in.len - at, bytes, &len, &code);
    if (used == 0 || code == HALF_PAIR || len > text.len - done ||
        memcmp(bytes, text.ptr + done, len) != 0)
      return 0;
    done += len;
    at += used;
  }
  return done == text.len;
}

int uvow__json_string_begins(uvow__slice_t raw, uvow__slice_t text) {
  size_t len;
  return compare(raw, text, 0, &len) && len >= text.len;
}

int uvow__json_string_ends(uvow__slice_t raw, uvow__slice_t text) {
  size_t len;
  if (!compare(raw, (uvow__slice_t){NULL, 0}, 0, &len) || len < text.len)
    return 0;
  return compare(raw, text, len - text.len, &len);
}

int uvow__json_string_has_nul(uvow__slice_t raw) {
  for (size_t i = 0; i + 6 <= raw.len; i++) {
    if (raw.ptr[i] != '\\')
      continue;
    if (memcmp(raw.ptr + i + 1, "u0000", 5) == 0)
      return 1;
    i++; /* what is escaped: a backslash, mostly */
  }
  return 0;
}

int uvow__json_plain(uvow__slice_t raw, uvow__slice_t *ret_text) {
  uvow__slice_t in;
  if (!inside(raw, &in) || (in.len && memchr(in.ptr, '\\', in.len)))
    return 0;
  *ret_text = in;
  return 1;
}
