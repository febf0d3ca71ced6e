#ifndef UVOW__JSON_SKIP_WIDE_H
#define UVOW__JSON_SKIP_WIDE_H

#include <stdint.h>

/*
 * Objects without others in them, one behind the other, skipped 64 bytes at a
 * time where the processor can: see wide.h. Elsewhere nothing is skipped, and
 * all is left to json_skip.c.
 */

/* A shorter text is of no use. */
#define UVOW__JSON_SKIP_WIDE_MIN 128

/* Where one stands: all bits, or none. */
typedef struct uvow__json_at {
  uint64_t in_string;
  uint64_t in_object; /* in one of those: else between two */
} uvow__json_at_t;

/* Skips as much as it can in whole blocks, and says where that ends. What it
 * skips has nothing but strings that end, and brackets that match. */
const char *uvow__json_skip_wide(const char *p, const char *end,
                                 uvow__json_at_t *at);

#endif
