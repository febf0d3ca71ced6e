#ifndef UVOW__MASK_H
#define UVOW__MASK_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "lanes.h"

#define UVOW__HEAD_MAX 14 /* bytes of the longest frame header */
#define UVOW__MASK_KEY 4
#define UVOW__MASK_LONG 256 /* bytes that are masked in larger steps */

static inline void uvow__mask_word(uint8_t *to, const uint8_t *from,
                                   uint64_t key) {
  uvow__word_put(to, uvow__word_raw(from) ^ key);
}

/* As uvow__mask, in larger steps: at least UVOW__MASK_LONG bytes. */
void uvow__mask_long(uint8_t *to, const uint8_t *from, size_t len,
                     const uint8_t *key);

/* The same for at most 15 bytes. */
void uvow__mask_short(uint8_t *to, const uint8_t *from, size_t len,
                      const uint8_t *key);

/* Masks or unmasks a copy (RFC 6455 5.3). The two don't overlap. */
static inline void uvow__mask(uint8_t *to, const uint8_t *from, size_t len,
                              const uint8_t *key) {
  if (len < UVOW__LANES) {
    uvow__mask_short(to, from, len, key);
    return;
  }
  if (len >= UVOW__MASK_LONG) {
    uvow__mask_long(to, from, len, key);
    return;
  }
  uint64_t half = uvow__word_half((const char *)key);
  uint64_t word = half | half << 32;
  uvow__lanes_t lanes = uvow__lanes_both(word);
  size_t last = len - UVOW__LANES;
  unsigned turn = 8 * (len & 3);
  for (size_t i = 0; i < last; i += UVOW__LANES)
    uvow__lanes_put(to + i, uvow__lanes_xor(uvow__lanes(from + i), lanes));
  /* The last bytes, over some already written, the key turned to fit. */
  lanes = uvow__lanes_both(word >> turn | word << (32 - turn));
  uvow__lanes_put(to + last, uvow__lanes_xor(uvow__lanes(from + last), lanes));
}

enum { UVOW__UNMASK_BETWEEN, UVOW__UNMASK_HEAD, UVOW__UNMASK_PAYLOAD };

/* A stream of masked frames, on its way to one who wants them unmasked, and one
 * by one. All zero: at its start. */
typedef struct uvow__unmask {
  uint64_t left;   /* of this frame's payload */
  size_t head_len; /* of this frame's header, what there is of it */
  uint8_t state;   /* between two frames, in a header, or in a payload */
  uint8_t plain;   /* set at its start: they come without masks */
  uint8_t head[UVOW__HEAD_MAX];
  uint8_t key[UVOW__MASK_KEY]; /* turned to the next byte */
} uvow__unmask_t;

/*
 * Takes bytes off the front of `in`, writes them without masks to `to`, and
 * returns how many it wrote. `room` is at least UVOW__HEAD_MAX.
 *
 * Writes of one frame only: the next call goes on with the next one. A header
 * comes only when it's whole; that of a frame with a mask where there's to be
 * none, or without, never, nor anything behind it. `head` keeps the header as the peer sent it, until the next one
 * begins.
 */
size_t uvow__unmask(uvow__unmask_t *unmask, uint8_t *to, size_t room,
                    const uint8_t **in, size_t *in_left);

/* Inside a payload: takes bytes of it off the front of `in` as they are, at
 * most max, and returns how many. Writes the key that unmasks them. */
size_t uvow__unmask_skip(uvow__unmask_t *unmask, size_t max, const uint8_t **in,
                         size_t *in_left, uint8_t *ret_key);

#endif
