/*
 * Any bytes inflated, as messages that are given whole, byte by byte and in
 * pieces that the input chooses: each way must give the same messages, and fail
 * at the same one, and never pass the limit. What is wrong with that one in
 * several ways may be refused for either, and a distance past an agreed window
 * that is smaller than 32 KiB in some of them only (deflate.c, 6). Then the
 * same messages compressed: they must come out again at a peer.
 *
 * Byte 0: bits 0 to 2 the windows, 3 text, 4 and 5 no context takeover, the
 * rest the level. Byte 1: the limit. Byte 2: pieces. Then messages: their
 * length, one byte (from 200 on, times 100), and their bytes.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <uvow/error.h>

#include "base/mem.h"
#include "wire/deflate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct input {
  uvow__deflate_config_t config;
  int text;
  size_t max;
  size_t step;
  const uint8_t *at;
  const uint8_t *end;
} input_t;

static void must(int ok) {
  if (!ok)
    abort();
}

static int next_message(input_t *in, const uint8_t **ret, size_t *ret_len) {
  if (in->at == in->end)
    return 0;
  size_t len = *in->at++;
  len = len < 200 ? len : (len - 199) * 100;
  if (len > (size_t)(in->end - in->at))
    len = (size_t)(in->end - in->at);
  *ret = in->at;
  *ret_len = len;
  in->at += len;
  return 1;
}

static uint64_t hash_of(uint64_t hash, const uint8_t *bytes, size_t len) {
  hash = (hash ^ len) * 1099511628211u;
  for (size_t i = 0; i < len; i++)
    hash = (hash ^ bytes[i]) * 1099511628211u;
  return hash;
}

/* One message in pieces of `step` bytes, 0: whole. */
static int inflate_one(uvow__deflate_t *deflate, const uint8_t *bytes,
                       size_t len, size_t step, uvow__deflate_sink_t *sink) {
  int rc = 0;
  size_t at = 0;
  do {
    size_t n = step ? step : len;
    if (n > len - at)
      n = len - at;
    rc = uvow__deflate_inflate(deflate, bytes + at, n, at + n == len, sink);
    at += n;
    must(uvow__buf_size(sink->out) <= sink->out->max);
    must((rc != 0) == (sink->why != NULL));
  } while (rc == 0 && at < len);
  return rc;
}

static int inflate_all(input_t in, size_t step, uint64_t *ret_hash) {
  uvow__deflate_t deflate;
  const uint8_t *bytes;
  size_t len;
  int rc = 0;
  *ret_hash = 14695981039346656037u;
  uvow__deflate_init(&deflate, &uvow__mem_default, &in.config);
  while (rc == 0 && next_message(&in, &bytes, &len)) {
    uvow__buf_t out;
    uvow__utf8_t utf8;
    uvow__deflate_sink_t sink = {.out = &out, .utf8 = in.text ? &utf8 : NULL};
    uvow__utf8_init(&utf8);
    uvow__buf_init(&out, &uvow__mem_default, in.max);
    rc = inflate_one(&deflate, bytes, len, step, &sink);
    must(rc == 0 || rc == UVOW_EPROTO || rc == UVOW_ETOOBIG ||
         rc == UVOW_EUTF8);
    uvow__utf8_init(&utf8);
    if (rc == 0 && uvow__buf_size(&out)) {
      *ret_hash =
          hash_of(*ret_hash, uvow__buf_front(&out), uvow__buf_size(&out));
      must(!in.text || (!uvow__utf8_feed(&utf8, uvow__buf_front(&out),
                                         uvow__buf_size(&out)) &&
                        !uvow__utf8_end(&utf8)));
    }
    uvow__buf_done(&out);
  }
  uvow__deflate_done(&deflate);
  return rc;
}

static void check_round_trip(uvow__deflate_t *from, uvow__deflate_t *to,
                             const uint8_t *bytes, size_t len) {
  uvow__buf_t packed, out;
  uvow__deflate_sink_t sink = {.out = &out};
  uvow__buf_init(&packed, &uvow__mem_default, SIZE_MAX);
  uvow__buf_init(&out, &uvow__mem_default, len);
  int rc = uvow__deflate_compress(from, bytes, len, &packed);
  must(rc == 0 || rc == UVOW__DEFLATE_AS_IS);
  must(rc == 0 || uvow__buf_size(&packed) == 0);
  if (rc == 0) {
    must(uvow__deflate_inflate(to, uvow__buf_front(&packed),
                               uvow__buf_size(&packed), 1, &sink) == 0);
    must(uvow__buf_size(&out) == len);
    must(memcmp(uvow__buf_front(&out), bytes, len) == 0);
  }
  uvow__buf_done(&packed);
  uvow__buf_done(&out);
}

static void round_trip(input_t in) {
  uvow__deflate_t ends[2];
  const uint8_t *bytes;
  size_t len;
  for (int i = 0; i < 2; i++) {
    in.config.is_server = (uint8_t)i;
    uvow__deflate_init(&ends[i], &uvow__mem_default, &in.config);
  }
  for (int i = 0; next_message(&in, &bytes, &len); i = !i)
    check_round_trip(&ends[i], &ends[!i], bytes, len);
  uvow__deflate_done(&ends[0]);
  uvow__deflate_done(&ends[1]);
}

/* The client of the input reads what a server packed. */
static void must_agree(const input_t *in, int rc, uint64_t hash, int other_rc,
                       uint64_t other_hash) {
  int far_back = rc == UVOW_EPROTO || other_rc == UVOW_EPROTO;
  if (far_back && in->config.terms.server_max_window_bits < 15)
    return;
  must(!rc == !other_rc && hash == other_hash);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  uint64_t whole, bytewise, pieces;
  input_t in;
  if (size < 3)
    return 0;
  memset(&in, 0, sizeof(in));
  in.config.terms.on = 1;
  in.config.terms.server_max_window_bits = (uint8_t)(8 + (data[0] & 7));
  in.config.terms.client_max_window_bits = (uint8_t)(15 - (data[0] & 7));
  in.config.terms.server_no_context_takeover = (data[0] >> 4) & 1;
  in.config.terms.client_no_context_takeover = (data[0] >> 5) & 1;
  in.config.level = (uint8_t)(1 + (data[0] >> 6) * 2);
  in.text = (data[0] >> 3) & 1;
  in.max = 1 + (size_t)data[1] * 257;
  in.step = (size_t)data[2] % 64 + 2;
  in.at = data + 3;
  in.end = data + size;
  int rc = inflate_all(in, 0, &whole);
  int bytewise_rc = inflate_all(in, 1, &bytewise);
  int pieces_rc = inflate_all(in, in.step, &pieces);
  must_agree(&in, rc, whole, bytewise_rc, bytewise);
  must_agree(&in, rc, whole, pieces_rc, pieces);
  round_trip(in);
  return 0;
}
