/*
 * A histogram with buckets of constant relative width (as HdrHistogram's).
 *
 * Values below 2^bits have a bucket each. Above, each power of two has 2^bits
 * buckets, of which a value's highest bits choose one.
 */
#include "histogram.h"

#include <float.h>
#include <string.h>

#include <uvow/error.h>

#define MAX_SHIFT 42

void uvow__histogram_init(uvow__histogram_t *h, const uvow__mem_t *mem,
                          unsigned bits) {
  memset(h, 0, sizeof(*h));
  h->mem = mem;
  h->bits = bits;
}

void uvow__histogram_done(uvow__histogram_t *h) {
  uvow__free(h->mem, h->counts);
  uvow__histogram_init(h, h->mem, h->bits);
}

static size_t bucket_count(const uvow__histogram_t *h) {
  return (size_t)(MAX_SHIFT - h->bits + 2) << h->bits;
}

_Static_assert(DBL_MANT_DIG == 53 && DBL_MAX_EXP == 1024 &&
                   sizeof(double) == sizeof(uint64_t),
               "a double is one of IEEE 754");

/* How many bits of a value of less than 2^53 are above the lowest `bits` + 1:
 * its highest bit is the exponent of the double. */
static inline unsigned excess(uint64_t value, unsigned bits) {
  double number = (double)(int64_t)value;
  uint64_t fields;
  memcpy(&fields, &number, sizeof(fields));
  unsigned exponent = (unsigned)(fields >> 52); /* 0: of 0 */
  return exponent > 1023 + bits ? exponent - 1023 - bits : 0;
}

static inline size_t bucket_of(const uvow__histogram_t *h, uint64_t value) {
  if (value > UVOW__HISTOGRAM_MAX)
    value = UVOW__HISTOGRAM_MAX;
  unsigned shift = excess(value, h->bits);
  return ((size_t)shift << h->bits) + (size_t)(value >> shift);
}

/* The highest value that belongs to a bucket. */
static uint64_t bucket_end(const uvow__histogram_t *h, size_t bucket) {
  size_t in_octave = (size_t)1 << h->bits;
  size_t shift = bucket < 2 * in_octave ? 0 : (bucket >> h->bits) - 1;
  uint64_t top = bucket - (shift << h->bits);
  return ((top + 1) << shift) - 1;
}

static int need_counts(uvow__histogram_t *h) {
  if (!h->counts)
    h->counts =
        (uint64_t *)uvow__calloc(h->mem, bucket_count(h) * sizeof(uint64_t));
  return h->counts ? 0 : UVOW_ENOMEM;
}

static inline void note(uvow__histogram_t *h, uint64_t min, uint64_t max,
                        uint64_t times, double sum) {
  if (h->total == 0 || min < h->min)
    h->min = min;
  if (max > h->max)
    h->max = max;
  h->total += times;
  h->sum += sum;
}

int uvow__histogram_add(uvow__histogram_t *h, uint64_t value, uint64_t times) {
  int rc = h->counts ? 0 : need_counts(h);
  if (rc || times == 0)
    return rc;
  h->counts[bucket_of(h, value)] += times;
  note(h, value, value, times, (double)value * (double)times);
  return 0;
}

int uvow__histogram_merge(uvow__histogram_t *h,
                          const uvow__histogram_t *other) {
  if (other->total == 0)
    return 0;
  int rc = need_counts(h);
  if (rc)
    return rc;
  for (size_t i = 0; i < bucket_count(h); i++)
    h->counts[i] += other->counts[i];
  note(h, other->min, other->max, other->total, other->sum);
  return 0;
}

uint64_t uvow__histogram_at(const uvow__histogram_t *h, double share) {
  if (h->total == 0)
    return 0;
  double wanted = share * (double)h->total;
  uint64_t seen = 0;
  for (size_t i = 0; i < bucket_count(h); i++) {
    seen += h->counts[i];
    if (h->counts[i] && (double)seen >= wanted) {
      uint64_t end = bucket_end(h, i);
      return end < h->max ? end : h->max;
    }
  }
  return h->max;
}

double uvow__histogram_mean(const uvow__histogram_t *h) {
  return h->total ? h->sum / (double)h->total : 0;
}
