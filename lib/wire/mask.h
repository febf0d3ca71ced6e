#ifndef UVOW__MASK_H
#define UVOW__MASK_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define UVOW__HEAD_MAX 14 /* bytes of the longest frame header */
#define UVOW__MASK_KEY 4
#define UVOW__MASK_LONG 256 /* bytes that are masked in larger steps */

static inline void uvow__mask_word(uint8_t *to, const uint8_t *from,
                                   uint64_t key) {
  uint64_t word;
  memcpy(&word, from, sizeof(word));
  word ^= key;
  memcpy(to, &word, sizeof(word));
}

/* As uvow__mask, in larger steps: at least UVOW__MASK_LONG bytes. */
void uvow__mask_long(uint8_t *to, const uint8_t *from, size_t len,
                     const uint8_t *key);

/* Masks or unmasks a copy (RFC 6455 5.3). The two don't overlap. */
static inline void uvow__mask(uint8_t *to, const uint8_t *from, size_t len,
                              const uint8_t *key) {
  uint8_t keys[3 * UVOW__MASK_KEY];
  uint64_t word;
  memcpy(keys, key, UVOW__MASK_KEY);
  memcpy(keys + UVOW__MASK_KEY, key, UVOW__MASK_KEY);
  memcpy(keys + 2 * UVOW__MASK_KEY, key, UVOW__MASK_KEY);
  if (len < 8) {
    for (size_t i = 0; i < len; i++)
      to[i] = from[i] ^ keys[i];
    return;
  }
  memcpy(&word, keys, sizeof(word));
  const uint8_t *last = from + len - 8;
  uint8_t *last_to = to + len - 8;
  if (len >= UVOW__MASK_LONG) {
    uvow__mask_long(to, from, len, key);
    return;
  }
  for (; last - from >= 16; from += 16, to += 16) {
    uvow__mask_word(to, from, word);
    uvow__mask_word(to + 8, from + 8, word);
  }
  for (; from < last; from += 8, to += 8)
    uvow__mask_word(to, from, word);
  /* The last word, over bytes already written, the key turned to fit. */
  memcpy(&word, keys + (len & 3), sizeof(word));
  uvow__mask_word(last_to, last, word);
}

enum { UVOW__UNMASK_BETWEEN, UVOW__UNMASK_HEAD, UVOW__UNMASK_PAYLOAD };

/* A stream of masked frames, on its way to one who wants them unmasked. All
 * zero: at its start. */
typedef struct uvow__unmask {
  uint64_t left;   /* of this frame's payload */
  size_t head_len; /* of this frame's header, what there is of it */
  uint8_t state;   /* between two frames, in a header, or in a payload */
  uint8_t head[UVOW__HEAD_MAX];
  uint8_t key[UVOW__MASK_KEY]; /* turned to the next byte */
} uvow__unmask_t;

/*
 * Takes bytes off the front of `in`, writes them without masks to `to`, and
 * returns how many it wrote. `room` is at least UVOW__HEAD_MAX.
 *
 * Writes of one frame only: the next call goes on with the next one. A header
 * comes only when it's whole; that of an unmasked frame never, nor anything
 * behind it. `head` keeps the header as the peer sent it, until the next one
 * begins.
 */
size_t uvow__unmask(uvow__unmask_t *unmask, uint8_t *to, size_t room,
                    const uint8_t **in, size_t *in_left);

/* Inside a payload: takes bytes of it off the front of `in` as they are, at
 * most max, and returns how many. Writes the key that unmasks them. */
size_t uvow__unmask_skip(uvow__unmask_t *unmask, size_t max, const uint8_t **in,
                         size_t *in_left, uint8_t *ret_key);

#endif
