#ifndef UVOW__HISTOGRAM_H
#define UVOW__HISTOGRAM_H

#include "mem.h"

/*
 * How often values of each size came, within a relative error of 2^-bits: 5
 * bits (3 %), 8 bits (0.4 %). Each power of two that has a value takes
 * 2^(bits + 3) bytes, 256 or 2048, and all together 8 bytes for each that might
 * have: at most 10 KiB, or 70 KiB.
 */
typedef struct uvow__histogram {
  const uvow__mem_t *mem;
  uint64_t **rows; /* of counts: one for each power of two; NULL: none yet */
  uint64_t from;   /* of the bucket of what was added last, */
  uint64_t span;   /* how much larger its last value is, */
  uint64_t *count; /* and where it's counted; NULL: nothing was */
  unsigned bits;
  uint64_t total;
  uint64_t min;
  uint64_t max;
  double sum;
} uvow__histogram_t;

/* What is above counts as it. */
#define UVOW__HISTOGRAM_MAX (UINT64_C(1) << 42)

/* bits: 1 to 12. Takes no memory before the first value. */
void uvow__histogram_init(uvow__histogram_t *h, const uvow__mem_t *mem,
                          unsigned bits);
void uvow__histogram_done(uvow__histogram_t *h);
int uvow__histogram_add_other(uvow__histogram_t *h, uint64_t value,
                              uint64_t times);
/* Adds a value `times` times. Without memory it isn't counted: UVOW_ENOMEM.
 * Most go where the last one went: answers of one burst took about as long. */
static inline int uvow__histogram_add(uvow__histogram_t *h, uint64_t value,
                                      uint64_t times) {
  if (value - h->from > h->span || !h->count || times == 0)
    return uvow__histogram_add_other(h, value, times);
  *h->count += times;
  h->total += times;
  if (value < h->min)
    h->min = value;
  if (value > h->max)
    h->max = value;
  h->sum += (double)value * (double)times;
  return 0;
}
/* Adds what another with the same bits has. UVOW_ENOMEM. */
int uvow__histogram_merge(uvow__histogram_t *h, const uvow__histogram_t *other);
/* The least value that a share of all values is at or below, rounded up to its
 * bucket's end; share 0 to 1. 0 while it's empty. */
uint64_t uvow__histogram_at(const uvow__histogram_t *h, double share);
double uvow__histogram_mean(const uvow__histogram_t *h);

#endif
