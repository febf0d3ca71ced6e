#ifndef UVOW_COMMAND_MEASURE_H
#define UVOW_COMMAND_MEASURE_H

#include <uvow.h>

#include "base/histogram.h"

#define MEASURE_TICK_MS 100
#define MEASURE_POINTS 1200
#define MEASURE_FAULTS 32
#define MEASURE_MISMATCH (-1) /* as a fault's code: no code of uvow's */

/* One stretch of time. */
typedef struct measure_point {
  uint64_t end_ns; /* since counting began */
  uint64_t answered;
  uint64_t failed;
  uint64_t p50_ns; /* of the answers; the larger ones, where two became one */
  uint64_t p99_ns;
  uint64_t max_ns;
} measure_point_t;

/* One kind of failure. */
typedef struct measure_fault {
  int code;
  int64_t peer_code;
  uint64_t count;
  char text[160]; /* of the first */
} measure_fault_t;

/* What was measured. */
typedef struct measure {
  uvow__histogram_t latency;  /* ns; all but what `recent` has */
  uvow__histogram_t second;   /* since measure_merge, but for: */
  uvow__histogram_t recent;   /* since the last tick */
  uvow__histogram_t failures; /* how long what failed took */
  uint64_t answered;
  uint64_t failed;  /* also before and after the counted time */
  uint64_t overdue; /* with --rate: due, and not sent when time was up */
  measure_point_t points[MEASURE_POINTS];
  size_t point_count;
  unsigned ticks_per_point; /* a power of two */
  unsigned ticks;           /* of the last point */
  uint64_t answered_before; /* the last tick */
  uint64_t failed_before;
  measure_fault_t faults[MEASURE_FAULTS]; /* the last one: all others */
  size_t fault_count;
  double seconds; /* that were counted */
  double cpu_s;   /* of this process in them, user and system */
  uint64_t maxrss_kb;
} measure_t;

void measure_init(measure_t *m);
void measure_done(measure_t *m);
/* An answer in the counted time. */
void measure_add(measure_t *m, uint64_t latency_ns);
/* With --rate: `count` requests, the first of which was due `age_ns` ago and
 * the last now, that were never sent. Counts each with its age: how long it
 * would have taken is unknown, but it's more. */
void measure_add_overdue(measure_t *m, uint64_t count, uint64_t age_ns);
/* A failure, at any time. */
void measure_fail(measure_t *m, int code, int64_t peer_code, const char *text);
/* How long it took, of one that was sent. */
void measure_fail_took(measure_t *m, uint64_t latency_ns);
/* Ends a stretch of time. */
void measure_tick(measure_t *m, uint64_t end_ns);
/* Ends the last one. If it's short it belongs to the one before. */
void measure_last_tick(measure_t *m, uint64_t end_ns);
/* Adds what is recent to all. */
void measure_merge(measure_t *m);

/* Once it's merged: a percentile's latency, in us. */
double measure_us(const measure_t *m, double share);
double measure_rps(const measure_t *m);
/* A point's answers a second. */
double measure_point_rps(const measure_t *m, size_t i);

/* "950 ns", "25.3 us", "1.23 ms", "2.50 s". Returns text. */
const char *measure_format_ns(double ns, char *text, size_t size);
/* A fault's code and peer code, as "UVOW_EREMOTE -32601". Returns text. */
const char *measure_fault_name(const measure_fault_t *fault, char *text,
                               size_t size);

#endif
