/*
 * A histogram with buckets of constant relative width (as HdrHistogram's).
 *
 * Values below 2^bits have a bucket each. Above, each power of two has 2^bits
 * buckets, of which a value's highest bits choose one. So do the values between
 * the two: 2^bits buckets are a row, which takes its memory with its first
 * value. What is measured is mostly of a few sizes, and so are the rows.
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

static size_t row_count(const uvow__histogram_t *h) {
  return MAX_SHIFT - h->bits + 2;
}

static size_t row_size(const uvow__histogram_t *h) {
  return (size_t)1 << h->bits;
}

void uvow__histogram_done(uvow__histogram_t *h) {
  for (size_t i = 0; h->rows && i < row_count(h); i++)
    uvow__free(h->mem, h->rows[i]);
  uvow__free(h->mem, h->rows);
  uvow__histogram_init(h, h->mem, h->bits);
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

/* Writes how many of a value's lowest bits its bucket leaves out. */
static inline size_t bucket_of(const uvow__histogram_t *h, uint64_t value,
                               unsigned *ret_shift) {
  if (value > UVOW__HISTOGRAM_MAX)
    value = UVOW__HISTOGRAM_MAX;
  unsigned shift = excess(value, h->bits);
  *ret_shift = shift;
  return ((size_t)shift << h->bits) + (size_t)(value >> shift);
}

/* The highest value that belongs to a bucket. */
static uint64_t bucket_end(const uvow__histogram_t *h, size_t bucket) {
  size_t in_octave = (size_t)1 << h->bits;
  size_t shift = bucket < 2 * in_octave ? 0 : (bucket >> h->bits) - 1;
  uint64_t top = bucket - (shift << h->bits);
  return ((top + 1) << shift) - 1;
}

/* The row, made if need be; NULL: no memory. */
static uint64_t *need_row(uvow__histogram_t *h, size_t row) {
  if (!h->rows)
    h->rows =
        (uint64_t **)uvow__calloc(h->mem, row_count(h) * sizeof(*h->rows));
  if (h->rows && !h->rows[row])
    h->rows[row] =
        (uint64_t *)uvow__calloc(h->mem, row_size(h) * sizeof(**h->rows));
  return h->rows ? h->rows[row] : NULL;
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

int uvow__histogram_add_other(uvow__histogram_t *h, uint64_t value,
                              uint64_t times) {
  unsigned shift;
  size_t bucket = bucket_of(h, value, &shift);
  size_t at = bucket >> h->bits;
  if (times == 0)
    return 0;
  uint64_t *row = h->rows ? h->rows[at] : NULL;
  if (!row)
    row = need_row(h, at);
  if (!row)
    return UVOW_ENOMEM;
  if (value >= UVOW__HISTOGRAM_MAX)
    shift = 0;
  h->from = value >> shift << shift;
  h->span = (UINT64_C(1) << shift) - 1;
  h->count = &row[bucket & (row_size(h) - 1)];
  *h->count += times;
  note(h, value, value, times, (double)value * (double)times);
  return 0;
}

int uvow__histogram_merge(uvow__histogram_t *h,
                          const uvow__histogram_t *other) {
  if (other->total == 0)
    return 0;
  for (size_t i = 0; i < row_count(h); i++)
    if (other->rows[i] && !need_row(h, i))
      return UVOW_ENOMEM;
  for (size_t i = 0; i < row_count(h); i++)
    for (size_t n = 0; other->rows[i] && n < row_size(h); n++)
      h->rows[i][n] += other->rows[i][n];
  note(h, other->min, other->max, other->total, other->sum);
  return 0;
}

/* The first bucket of a row with which `wanted` values are seen; the row's end:
 * there is none. */
static size_t find_in_row(const uvow__histogram_t *h, size_t row, double wanted,
                          uint64_t *seen) {
  size_t n = 0;
  for (; n < row_size(h); n++) {
    *seen += h->rows[row][n];
    if (h->rows[row][n] && (double)*seen >= wanted)
      break;
  }
  return n;
}

uint64_t uvow__histogram_at(const uvow__histogram_t *h, double share) {
  double wanted = share * (double)h->total;
  uint64_t seen = 0;
  for (size_t i = 0; h->total && i < row_count(h); i++) {
    size_t n = h->rows[i] ? find_in_row(h, i, wanted, &seen) : row_size(h);
    if (n < row_size(h)) {
      uint64_t end = bucket_end(h, (i << h->bits) + n);
      return end < h->max ? end : h->max;
    }
  }
  return h->max;
}

double uvow__histogram_mean(const uvow__histogram_t *h) {
  return h->total ? h->sum / (double)h->total : 0;
}
