#ifndef TEST_WIRE_BLOCKS_H
#define TEST_WIRE_BLOCKS_H

/* Texts of blocks that uvow__utf8_wide looks at whole. */
#include "support/support.h"

#include "wire/utf8.h"
#include "wire/utf8_wide.h"

#define SIZE 192
#define STEP 64 /* bytes that are looked at, or not */

/* In the midst of a block, between the halves of a vector, two vectors, two
 * blocks, and at the end. */
static const size_t places[] = {3, 14, 15, 30, 31, 61, 62, 63, 126};

static inline int has_wide(void) {
  static const uint8_t text[STEP] = {0xC3, 0xA9};
  return uvow__utf8_wide(text, STEP) != 0;
}

/* No block of it is ASCII. */
static inline void fill(uint8_t *bytes) {
  memset(bytes, 'a', SIZE);
  for (size_t at = 20; at < SIZE; at += STEP)
    memcpy(bytes + at, "\xC3\xA9", 2);
}

#endif
