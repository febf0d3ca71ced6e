#ifndef UVOW__ALIKE_H
#define UVOW__ALIKE_H

#include <stddef.h>

#include "lanes.h"

#define UVOW__ALIKE_MAX 96 /* bytes of the longest text */

/*
 * What a text looks like: which bytes may stand at each place. What was found
 * out of one is known of all that look the same, without another look at them.
 * All zero: none does.
 */
typedef struct uvow__alike {
  uint8_t len;
  /* How many others pass before one is noted again, and then how many. */
  uint8_t rest;
  uint8_t patience;
  uint8_t low[UVOW__ALIKE_MAX];  /* this byte, */
  uint8_t span[UVOW__ALIKE_MAX]; /* or one of so many behind it */
} uvow__alike_t;

/* A text has come that isn't alike: whether it's to be noted. Where each has a
 * look of its own that would be in vain: so, each time it is noted, about twice
 * as many others pass before the next one is. */
static inline int uvow__alike_due(uvow__alike_t *alike) {
  if (alike->rest) {
    alike->rest--;
    return 0;
  }
  alike->rest = alike->patience;
  alike->patience = (uint8_t)(alike->patience << 1 | 1);
  return 1;
}
/* One was alike: it wasn't in vain. */
static inline void uvow__alike_pays(uvow__alike_t *alike) {
  alike->patience = (uint8_t)(alike->patience - (alike->patience != 0));
}

/* This text and no other; too long, or empty: none. */
void uvow__alike_set(uvow__alike_t *alike, const char *text, size_t len);

/* In [at, at + len) is a JSON value as a payload is checked: any digits may stand
 * where it has digits, so long as it remains one of its kind. */
void uvow__alike_free_value(uvow__alike_t *alike, size_t at, size_t len);

/* 16 bytes of a text from a place on: all zero if they may stand there. */
static inline uvow__lanes_t uvow__alike_lanes(const uvow__alike_t *alike,
                                              size_t at, uvow__lanes_t lanes) {
  return uvow__lanes_beyond(lanes, uvow__lanes(alike->low + at),
                            uvow__lanes(alike->span + at));
}

/* Whether a text of this length is one of them. */
static inline int uvow__alike_is(const uvow__alike_t *alike, const char *text,
                                 size_t len) {
  if (len != alike->len || len == 0)
    return 0;
  if (len < UVOW__LANES)
    return uvow__lanes_none(
        uvow__alike_lanes(alike, 0, uvow__lanes_part(text, len)));
  size_t last = len - UVOW__LANES;
  uvow__lanes_t beyond =
      uvow__alike_lanes(alike, last, uvow__lanes(text + last));
  for (size_t i = 0; i < last; i += UVOW__LANES)
    beyond = uvow__lanes_or(beyond,
                            uvow__alike_lanes(alike, i, uvow__lanes(text + i)));
  return uvow__lanes_none(beyond);
}

#endif
