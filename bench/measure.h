#ifndef UVOW_BENCH_MEASURE_H
#define UVOW_BENCH_MEASURE_H

/*
 * What the benchmarks share. Times are medians of rounds that are interleaved
 * with the rounds of whatever they're compared with: a machine that is busy for
 * a while is so for all. Only ratios within one run mean much.
 */
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

#include <uvow/loop.h>
#include <uvow/combine.h>

/* A benchmark whose work goes wrong measures nothing. */
#define MEASURE_CHECK(condition)                                               \
  do {                                                                         \
    if (!(condition)) {                                                        \
      fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__,             \
              #condition);                                                     \
      exit(1);                                                                 \
    }                                                                          \
  } while (0)

enum { MEASURE_ROUNDS_MAX = 32 };

/* What was measured, once a round. */
typedef struct measure {
  int count;
  double values[MEASURE_ROUNDS_MAX];
} measure_t;

static inline void measure_add(measure_t *m, double value) {
  MEASURE_CHECK(m->count < MEASURE_ROUNDS_MAX);
  m->values[m->count++] = value;
}

static inline int measure_order(const void *a, const void *b) {
  double x = *(const double *)a;
  double y = *(const double *)b;
  return (x > y) - (x < y);
}

/* 0: nothing was measured. */
static inline double measure_median(measure_t *m) {
  if (m->count == 0)
    return 0;
  qsort(m->values, (size_t)m->count, sizeof(*m->values), measure_order);
  return (m->values[(m->count - 1) / 2] + m->values[m->count / 2]) / 2;
}

static inline double measure_ns_since(uint64_t start, double operations) {
  return (double)(uv_hrtime() - start) / operations;
}

static inline void measure_close(uv_loop_t *uv, uvow_loop_t *loop) {
  uvow_loop_close(loop, NULL, NULL);
  uv_run(uv, UV_RUN_DEFAULT);
  MEASURE_CHECK(uv_loop_close(uv) == 0);
}

#endif
