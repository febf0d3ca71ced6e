#ifndef UVOW__UTF8_H
#define UVOW__UTF8_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/word.h"

#define UVOW__UTF8_HIGH UINT64_C(0x8080808080808080)

/* Where a validator stands inside a character. All zero: between two. */
typedef struct uvow__utf8 {
  uint8_t state; /* of the automaton in utf8.c */
} uvow__utf8_t;

static inline void uvow__utf8_init(uvow__utf8_t *utf8) {
  utf8->state = 0;
}

/* Whether all of it is ASCII, and so a whole text. Short texts mostly are: it
 * stands here to be inlined. */
UVOW__WITHIN int uvow__utf8_is_ascii(const uint8_t *bytes, size_t len) {
  uint64_t seen = 0;
  if (len >= 16) {
    const uint8_t *last = bytes + len - 16;
    for (; bytes < last; bytes += 16)
      seen |= uvow__word_raw(bytes) | uvow__word_raw(bytes + 8);
    /* The last words, over bytes already seen. */
    seen |= uvow__word_raw(last) | uvow__word_raw(last + 8);
  } else if (len >= 8) {
    seen = uvow__word_raw(bytes) | uvow__word_raw(bytes + len - 8);
  } else {
    for (size_t i = 0; i < len; i++)
      seen |= bytes[i];
  }
  return (seen & UVOW__UTF8_HIGH) == 0;
}

/* Looks at the next bytes of a text, however it is cut. Returns 0, or
 * UVOW_EUTF8 at the first byte that no valid text has there; after that only
 * init may follow. */
int uvow__utf8_feed(uvow__utf8_t *utf8, const uint8_t *bytes, size_t len);

/* Whether a text may end here: 0, or UVOW_EUTF8. */
int uvow__utf8_end(const uvow__utf8_t *utf8);

#endif
