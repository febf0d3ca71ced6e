#ifndef UVOW__TEXT_H
#define UVOW__TEXT_H

#include <string.h>

#include "buf.h"

/* ASCII, whatever the locale says. */
static inline int uvow__is_digit(int c) {
  return c >= '0' && c <= '9';
}
static inline int uvow__lower(int c) {
  return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
}
static inline int uvow__is_alpha(int c) {
  int low = uvow__lower(c);
  return low >= 'a' && low <= 'z';
}
/* A hexadecimal digit's value; -1: it's none. */
static inline int uvow__hex_value(int c) {
  int low = uvow__lower(c);
  if (uvow__is_digit(c))
    return c - '0';
  return low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
}

static inline char uvow__hex_digit(unsigned value) {
  return "0123456789abcdef"[value & 15];
}

/* A text, or NULL, as a slice; borrowed. */
static inline uvow__slice_t uvow__slice_of(const char *text) {
  uvow__slice_t slice = {text, text ? strlen(text) : 0};
  return slice;
}

/* FNV-1a, for tables whose keys no attacker chooses. */
static inline uint32_t uvow__text_hash(const char *text, size_t len) {
  uint32_t hash = UINT32_C(2166136261);
  for (size_t i = 0; i < len; i++)
    hash = (hash ^ (unsigned char)text[i]) * UINT32_C(16777619);
  return hash;
}

/* A peer's text for a message that people read: into `to`, of `size` bytes (at
 * least 4) with its NUL. What isn't visible ASCII or a space becomes '?'; what
 * doesn't fit is "...". Returns `to`. */
const char *uvow__text_shown(char *to, size_t size, uvow__slice_t text);

#endif
