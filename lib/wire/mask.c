/*
 * Masked frames made unmasked ones, as they arrive (RFC 6455 5.2, 5.3).
 *
 *   uvow__unmask -> read_head   until a header is whole
 *                -> write_head  without its mask bit and its key
 *                -> uvow__mask  the payload, however it is cut
 *
 * 1. A call stays within one frame, so a reader that asks for more only when it
 *    has used up all is looking at the frame whose header is in `head`.
 * 2. What a length says is believed, and not judged.
 * 3. Frames that come without masks are only taken apart.
 *
 * Not here: what headers may say (message.c).
 */
#include "mask.h"

#include <assert.h>

#define STEP 64 /* bytes that are masked at once; a multiple of the key */

void uvow__mask_short(uint8_t *to, const uint8_t *from, size_t len,
                      const uint8_t *key) {
  uint8_t keys[3 * UVOW__MASK_KEY];
  memcpy(keys, key, UVOW__MASK_KEY);
  memcpy(keys + UVOW__MASK_KEY, key, UVOW__MASK_KEY);
  memcpy(keys + 2 * UVOW__MASK_KEY, key, UVOW__MASK_KEY);
  if (len < 8) {
    for (size_t i = 0; i < len; i++)
      to[i] = from[i] ^ keys[i];
    return;
  }
  uvow__mask_word(to, from, uvow__word_raw(keys));
  /* The last word, over bytes already written, the key turned to fit. */
  uvow__mask_word(to + len - 8, from + len - 8,
                  uvow__word_raw(keys + (len & 3)));
}

void uvow__mask_long(uint8_t *to, const uint8_t *from, size_t len,
                     const uint8_t *key) {
  uint8_t keys[2 * UVOW__MASK_KEY];
  memcpy(keys, key, UVOW__MASK_KEY);
  memcpy(keys + UVOW__MASK_KEY, key, UVOW__MASK_KEY);
  uint64_t word = uvow__word_raw(keys);
  for (; len >= STEP; to += STEP, from += STEP, len -= STEP) {
    uint64_t words[STEP / 8]; /* all read before any is written: vectors */
    memcpy(words, from, STEP);
    for (size_t i = 0; i < STEP / 8; i++)
      words[i] ^= word;
    memcpy(to, words, STEP);
  }
  for (size_t i = 0; i < len; i++)
    to[i] = from[i] ^ key[i & 3];
}

/* Bytes of the length behind the first two bytes. */
static size_t length_size(const uint8_t *head) {
  unsigned length = head[1] & 0x7F;
  return length < 126 ? 0 : length == 126 ? 2 : 8;
}

static size_t head_size(const uvow__unmask_t *unmask) {
  size_t size = 2 + length_size(unmask->head);
  return unmask->plain ? size : size + UVOW__MASK_KEY;
}

/* Returns whether the header is whole. Most often it's there at once. */
static int read_head(uvow__unmask_t *unmask, const uint8_t **in,
                     size_t *in_left) {
  if (unmask->head_len == 0 && *in_left >= UVOW__HEAD_MAX) {
    memcpy(unmask->head, *in, UVOW__HEAD_MAX);
    unmask->head_len = head_size(unmask);
    *in += unmask->head_len;
    *in_left -= unmask->head_len;
    return 1;
  }
  while (unmask->head_len < 2 || unmask->head_len < head_size(unmask)) {
    if (*in_left == 0)
      return 0;
    unmask->head[unmask->head_len++] = *(*in)++;
    --*in_left;
  }
  return 1;
}

/* Writes the header, and takes up its length and key. */
static size_t write_head(uvow__unmask_t *unmask, uint8_t *to) {
  const uint8_t *head = unmask->head;
  size_t size = 2 + length_size(head);
  uint64_t length = size == 2 ? head[1] & 0x7F : 0;
  to[0] = head[0];
  to[1] = head[1] & 0x7F;
  for (size_t i = 2; i < size; i++) {
    to[i] = head[i];
    length = length << 8 | head[i];
  }
  if (!unmask->plain)
    memcpy(unmask->key, head + size, UVOW__MASK_KEY);
  unmask->left = length;
  unmask->state = length ? UVOW__UNMASK_PAYLOAD : UVOW__UNMASK_BETWEEN;
  return size;
}

/* So many bytes of the payload are done. */
static void advance(uvow__unmask_t *unmask, size_t len) {
  uint8_t keys[2 * UVOW__MASK_KEY];
  unmask->left -= len;
  if (unmask->left == 0) {
    unmask->state = UVOW__UNMASK_BETWEEN;
    return;
  }
  memcpy(keys, unmask->key, UVOW__MASK_KEY);
  memcpy(keys + UVOW__MASK_KEY, unmask->key, UVOW__MASK_KEY);
  memcpy(unmask->key, keys + (len & 3), UVOW__MASK_KEY);
}

size_t uvow__unmask(uvow__unmask_t *unmask, uint8_t *to, size_t room,
                    const uint8_t **in, size_t *in_left) {
  size_t written = 0;
  assert(room >= UVOW__HEAD_MAX);
  if (unmask->state == UVOW__UNMASK_BETWEEN && *in_left) {
    unmask->state = UVOW__UNMASK_HEAD;
    unmask->head_len = 0;
  }
  if (unmask->state == UVOW__UNMASK_HEAD) {
    if (!read_head(unmask, in, in_left) ||
        unmask->head[1] >> 7 == unmask->plain)
      return 0;
    written = write_head(unmask, to);
  }
  size_t len = room - written;
  if (len > *in_left)
    len = *in_left;
  if (len > unmask->left)
    len = (size_t)unmask->left;
  if (len) {
    if (unmask->plain)
      memcpy(to + written, *in, len);
    else
      uvow__mask(to + written, *in, len, unmask->key);
    advance(unmask, len);
    *in += len;
    *in_left -= len;
  }
  return written + len;
}

size_t uvow__unmask_skip(uvow__unmask_t *unmask, size_t max, const uint8_t **in,
                         size_t *in_left, uint8_t *ret_key) {
  size_t len = *in_left < max ? *in_left : max;
  assert(unmask->state == UVOW__UNMASK_PAYLOAD);
  if (len > unmask->left)
    len = (size_t)unmask->left;
  memcpy(ret_key, unmask->key, UVOW__MASK_KEY);
  advance(unmask, len);
  *in += len;
  *in_left -= len;
  return len;
}
