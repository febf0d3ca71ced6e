/*
 * UTF-8, checked as it arrives (RFC 3629 4).
 *
 * 1. The first impossible byte is refused, not the end of its character:
 *    overlong forms at C0, C1, E0 80..9F and F0 80..8F, surrogates at ED A0,
 *    what lies above U+10FFFF at F4 90 and F5.
 * 2. Runs of ASCII are looked at 16 bytes at a time.
 */
#include "utf8.h"

#include <uvow/error.h>

/* A prefix that is all ASCII: everything, or up to a word that isn't. */
static size_t skip_ascii(const uint8_t *bytes, size_t len) {
  size_t at = 0;
  while (len - at >= 16) {
    if ((uvow__utf8_word(bytes + at) | uvow__utf8_word(bytes + at + 8)) &
        UVOW__UTF8_HIGH)
      return at;
    at += 16;
  }
  if (len < 8)
    return at;
  if (len - at >= 8 && (uvow__utf8_word(bytes + at) & UVOW__UTF8_HIGH))
    return at;
  /* The last word, over bytes already seen: they are ASCII too. */
  return uvow__utf8_word(bytes + len - 8) & UVOW__UTF8_HIGH ? at : len;
}

/* The first byte of a character that isn't ASCII. */
static int lead(uvow__utf8_t *utf8, unsigned byte) {
  if (byte < 0xC2 || byte > 0xF4)
    return UVOW_EUTF8;
  utf8->low = 0x80;
  utf8->high = 0xBF;
  utf8->left = byte < 0xE0 ? 1 : byte < 0xF0 ? 2 : 3;
  if (byte == 0xE0)
    utf8->low = 0xA0;
  else if (byte == 0xED)
    utf8->high = 0x9F;
  else if (byte == 0xF0)
    utf8->low = 0x90;
  else if (byte == 0xF4)
    utf8->high = 0x8F;
  return 0;
}

static int step(uvow__utf8_t *utf8, unsigned byte) {
  if (utf8->left == 0)
    return byte < 0x80 ? 0 : lead(utf8, byte);
  if (byte < utf8->low || byte > utf8->high)
    return UVOW_EUTF8;
  utf8->low = 0x80;
  utf8->high = 0xBF;
  utf8->left--;
  return 0;
}

int uvow__utf8_feed(uvow__utf8_t *utf8, const uint8_t *bytes, size_t len) {
  size_t at = utf8->left == 0 ? skip_ascii(bytes, len) : 0;
  while (at < len) {
    /* Between characters, another run of ASCII may begin. */
    if (utf8->left == 0 && len - at >= 8 && bytes[at] < 0x80) {
      size_t run = skip_ascii(bytes + at, len - at);
      at += run;
      if (run)
        continue;
    }
    int rc = step(utf8, bytes[at++]);
    if (rc)
      return rc;
  }
  return 0;
}

int uvow__utf8_end(const uvow__utf8_t *utf8) {
  return utf8->left == 0 ? 0 : UVOW_EUTF8;
}
