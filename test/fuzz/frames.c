/*
 * Any bytes through the framer, whole, byte by byte and in pieces that the
 * input chooses: each way must call back the same, and end the same.
 *
 * Byte 0: bit 0 role, bit 1 RSV1 allowed, the rest the limit. Byte 1: pieces.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "wire/framer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct heard {
  uint64_t hash;
  size_t max;
} heard_t;

static void hear(heard_t *heard, int what, const uint8_t *bytes, size_t len) {
  uint64_t hash = heard->hash;
  hash = (hash ^ (uint64_t)what) * 1099511628211u;
  hash = (hash ^ len) * 1099511628211u;
  for (size_t i = 0; i < len; i++)
    hash = (hash ^ bytes[i]) * 1099511628211u;
  heard->hash = hash;
}

static void on_message(void *ctx, int opcode, int rsv1, const uint8_t *bytes,
                       size_t len, uvow__buf_t *whole) {
  (void)whole;
  heard_t *heard = (heard_t *)ctx;
  uvow__utf8_t utf8;
  uvow__utf8_init(&utf8);
  if (len > heard->max)
    abort();
  if (opcode == UVOW__OP_TEXT && !rsv1 &&
      (uvow__utf8_feed(&utf8, bytes, len) || uvow__utf8_end(&utf8)))
    abort();
  hear(heard, opcode * 2 + rsv1, bytes, len);
}

static void on_ping(void *ctx, const uint8_t *bytes, size_t len) {
  hear((heard_t *)ctx, 100, bytes, len);
}

static void on_pong(void *ctx, const uint8_t *bytes, size_t len) {
  hear((heard_t *)ctx, 101, bytes, len);
}

static void on_close(void *ctx, int code, const char *reason, size_t len) {
  if (code != UVOW__CLOSE_NONE && !uvow__close_code_ok(code))
    abort();
  hear((heard_t *)ctx, code, (const uint8_t *)reason, len);
}

static int no_random(void *ctx, uint8_t *bytes, size_t len) {
  (void)ctx;
  memset(bytes, 0, len);
  return 0;
}

/* step 0: whole; 1: byte by byte; more: up to that many bytes. */
static int run(const uint8_t *data, size_t size, unsigned flags, size_t step,
               uint64_t *ret_hash) {
  static const uvow__framer_callbacks_t callbacks = {on_message, on_ping,
                                                     on_pong, on_close};
  uvow__mask_keys_t keys = {0};
  uvow__framer_config_t config = {flags & 1,
                                  (flags & 2) != 0,
                                  (size_t)(flags >> 2) * 150 + 1,
                                  no_random,
                                  NULL,
                                  NULL,
                                  (size_t)(flags >> 2) % 3 * 40,
                                  &keys};
  heard_t heard = {14695981039346656037u, config.max_message};
  uvow__framer_t framer;
  uint32_t seed = (uint32_t)step;
  int rc = 0;
  if (uvow__framer_init(&framer, &uvow__mem_default, &config, &callbacks,
                        &heard))
    abort();
  for (size_t at = 0; at < size;) {
    size_t len = step ? 1 : size;
    seed = seed * 1664525 + 1013904223;
    if (step > 1)
      len = 1 + (seed >> 16) % step;
    if (len > size - at)
      len = size - at;
    rc = uvow__framer_feed(&framer, data + at, len);
    at += len;
  }
  if ((rc != 0) != (uvow__framer_why(&framer) != NULL))
    abort();
  uvow__framer_done(&framer);
  *ret_hash = heard.hash;
  return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  uint64_t whole;
  uint64_t bytewise;
  uint64_t pieces;
  if (size < 2)
    return 0;
  unsigned flags = data[0];
  size_t step = (size_t)data[1] + 2;
  data += 2;
  size -= 2;
  int rc = run(data, size, flags, 0, &whole);
  if (rc != run(data, size, flags, 1, &bytewise) || whole != bytewise)
    abort();
  if (rc != run(data, size, flags, step, &pieces) || whole != pieces)
    abort();
  return 0;
}
