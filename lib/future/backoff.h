#ifndef UVOW__BACKOFF_H
#define UVOW__BACKOFF_H

#include <stdint.h>

/* Pauses with exponential growth and full jitter: random between 0 and a bound
 * that doubles up to a maximum. Milliseconds. */
typedef struct uvow__backoff {
  uint64_t base_ms;
  uint64_t max_ms;
  uint64_t bound_ms; /* of the next pause */
} uvow__backoff_t;

static inline void uvow__backoff_reset(uvow__backoff_t *backoff) {
  backoff->bound_ms =
      backoff->base_ms < backoff->max_ms ? backoff->base_ms : backoff->max_ms;
}

static inline void uvow__backoff_init(uvow__backoff_t *backoff,
                                      uint64_t base_ms, uint64_t max_ms) {
  backoff->base_ms = base_ms;
  backoff->max_ms = max_ms;
  uvow__backoff_reset(backoff);
}

/* The next pause. random: 64 random bits. */
static inline uint64_t uvow__backoff_next(uvow__backoff_t *backoff,
                                          uint64_t random) {
  uint64_t bound = backoff->bound_ms;
  backoff->bound_ms = bound > backoff->max_ms / 2 ? backoff->max_ms : bound * 2;
  return bound == UINT64_MAX ? random : random % (bound + 1);
}

#endif
