#ifndef UVOW_TEST_SIM_RANDOM_H
#define UVOW_TEST_SIM_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* splitmix64: the one source of chance of a world. */
typedef struct sim_random {
  uint64_t state;
} sim_random_t;

static inline uint64_t sim_next(sim_random_t *random) {
  uint64_t z = random->state += UINT64_C(0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
  return z ^ (z >> 31);
}

/* 0 to bound - 1; 0 for a bound of 0. */
static inline uint32_t sim_below(sim_random_t *random, size_t bound) {
  return bound ? (uint32_t)(sim_next(random) % bound) : 0;
}

/* True once in so many times; never for 0. */
static inline int sim_one_in(sim_random_t *random, uint32_t times) {
  return times && sim_next(random) % times == 0;
}

#endif
