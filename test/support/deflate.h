#ifndef UVOW_TEST_DEFLATE_H
#define UVOW_TEST_DEFLATE_H

#include "support.h"

#include "wire/deflate.h"

/* Two ends that agreed on the same. */
typedef struct deflate_pair {
  uvow__deflate_t client;
  uvow__deflate_t server;
} deflate_pair_t;

static inline uvow__deflate_config_t deflate_agreed(int bits, int no_takeover,
                                                    int level) {
  uvow__deflate_config_t config;
  memset(&config, 0, sizeof(config));
  config.terms.on = 1;
  config.terms.server_max_window_bits = (uint8_t)bits;
  config.terms.client_max_window_bits = (uint8_t)bits;
  config.terms.server_no_context_takeover = (uint8_t)no_takeover;
  config.terms.client_no_context_takeover = (uint8_t)no_takeover;
  config.level = (uint8_t)level;
  config.threshold = 1;
  return config;
}

static inline void deflate_start(deflate_pair_t *pair, const uvow__mem_t *mem,
                                 int bits, int no_takeover, int level) {
  uvow__deflate_config_t config = deflate_agreed(bits, no_takeover, level);
  uvow__deflate_init(&pair->client, mem, &config);
  config.is_server = 1;
  uvow__deflate_init(&pair->server, mem, &config);
}

static inline void deflate_stop(deflate_pair_t *pair) {
  uvow__deflate_done(&pair->client);
  uvow__deflate_done(&pair->server);
}

/* Reproducible bytes that don't shrink. */
static inline void deflate_noise(uint8_t *bytes, size_t len, uint32_t seed) {
  for (size_t i = 0; i < len; i++) {
    seed = seed * 1664525 + 1013904223;
    bytes[i] = (uint8_t)(seed >> 24);
  }
}

/* Bytes that do. */
static inline void deflate_prose(uint8_t *bytes, size_t len, uint32_t seed) {
  static const char words[] = "future promise fulfill reject settle then ";
  for (size_t i = 0; i < len; i++) {
    if (i % 7 == 0)
      seed = seed * 1664525 + 1013904223;
    bytes[i] = (uint8_t)words[((seed >> 24) % 6 * 7 + i % 7) % 41];
  }
}

/* Inflates a message, cut before `cut` and then every `step` bytes. */
static inline int deflate_inflate_cut(uvow__deflate_t *deflate,
                                      const uint8_t *bytes, size_t len,
                                      size_t cut, size_t step,
                                      uvow__deflate_sink_t *sink) {
  int rc = uvow__deflate_inflate(deflate, bytes, cut, cut == len, sink);
  while (rc == 0 && cut < len) {
    size_t n = step && step < len - cut ? step : len - cut;
    rc = uvow__deflate_inflate(deflate, bytes + cut, n, cut + n == len, sink);
    cut += n;
  }
  assert_int_equal(rc != 0, sink->why != NULL);
  return rc;
}

#endif
