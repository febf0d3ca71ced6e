/*
 * What a run measures: latencies, answers over time, failures by their code.
 *
 * 1. Nothing here allocates per answer: the histograms take their memory with
 *    the first value, all else is in the struct.
 * 2. When the points are full, each two become one and a point lasts twice as
 *    long: a run of any length has between 600 and 1200.
 */
#include "base/deadline.h"
#include "measure.h"

#include <stdio.h>
#include <string.h>

#define BITS 8

void measure_init(measure_t *m) {
  memset(m, 0, sizeof(*m));
  uvow__histogram_init(&m->latency, &uvow__mem_default, BITS);
  uvow__histogram_init(&m->second, &uvow__mem_default, BITS);
  uvow__histogram_init(&m->recent, &uvow__mem_default, BITS);
  uvow__histogram_init(&m->failures, &uvow__mem_default, BITS);
  m->ticks_per_point = 1;
}

void measure_done(measure_t *m) {
  uvow__histogram_done(&m->latency);
  uvow__histogram_done(&m->second);
  uvow__histogram_done(&m->recent);
  uvow__histogram_done(&m->failures);
}

void measure_fail_took(measure_t *m, uint64_t latency_ns) {
  uvow__histogram_add(&m->failures, latency_ns, 1);
}

void measure_add(measure_t *m, uint64_t latency_ns) {
  m->answered++;
  uvow__histogram_add(&m->recent, latency_ns, 1);
}

void measure_add_overdue(measure_t *m, uint64_t count, uint64_t age_ns) {
  enum { STEPS = 100000 };
  m->overdue += count;
  if (count <= STEPS) {
    for (uint64_t i = 0; i < count; i++)
      uvow__histogram_add(
          &m->recent,
          (uint64_t)((double)age_ns * (double)(count - i) / (double)count), 1);
    return;
  }
  for (uint64_t i = 0; i < STEPS; i++)
    uvow__histogram_add(
        &m->recent, (uint64_t)((double)age_ns * (double)(STEPS - i) / STEPS),
        count * (i + 1) / STEPS - count * i / STEPS);
}

void measure_fail(measure_t *m, int code, int64_t peer_code, const char *text) {
  measure_fault_t *fault = m->faults;
  measure_fault_t *end = m->faults + m->fault_count;
  m->failed++;
  while (fault < end && (fault->code != code || fault->peer_code != peer_code))
    fault++;
  if (fault == m->faults + MEASURE_FAULTS)
    fault--; /* too many kinds: the last one stands for the rest */
  else if (fault == end) {
    m->fault_count++;
    fault->code = code;
    fault->peer_code = peer_code;
    snprintf(fault->text, sizeof(fault->text), "%s", text);
  }
  fault->count++;
}

static uint64_t larger(uint64_t a, uint64_t b) {
  return a > b ? a : b;
}

static void add_latency(measure_point_t *point, uint64_t p50, uint64_t p99,
                        uint64_t max) {
  point->p50_ns = larger(point->p50_ns, p50);
  point->p99_ns = larger(point->p99_ns, p99);
  point->max_ns = larger(point->max_ns, max);
}

static void fold(measure_t *m) {
  for (size_t i = 0; i < MEASURE_POINTS / 2; i++) {
    const measure_point_t *a = &m->points[2 * i];
    measure_point_t both = a[1];
    both.answered += a->answered;
    both.failed += a->failed;
    add_latency(&both, a->p50_ns, a->p99_ns, a->max_ns);
    m->points[i] = both;
  }
  m->point_count = MEASURE_POINTS / 2;
  m->ticks_per_point *= 2;
}

void measure_tick(measure_t *m, uint64_t end_ns) {
  if (m->ticks == 0) {
    if (m->point_count == MEASURE_POINTS)
      fold(m);
    memset(&m->points[m->point_count++], 0, sizeof(measure_point_t));
  }
  measure_point_t *point = &m->points[m->point_count - 1];
  point->end_ns = end_ns;
  point->answered += m->answered - m->answered_before;
  point->failed += m->failed - m->failed_before;
  if (m->recent.total)
    add_latency(point, uvow__histogram_at(&m->recent, 0.5),
                uvow__histogram_at(&m->recent, 0.99),
                uvow__histogram_at(&m->recent, 1));
  uvow__histogram_merge(&m->second, &m->recent);
  uvow__histogram_done(&m->recent);
  m->answered_before = m->answered;
  m->failed_before = m->failed;
  m->ticks = (m->ticks + 1) % m->ticks_per_point;
}

void measure_last_tick(measure_t *m, uint64_t end_ns) {
  const uint64_t tick_ns = MEASURE_TICK_MS * UVOW__NS_PER_MS;
  uint64_t before = m->point_count ? m->points[m->point_count - 1].end_ns : 0;
  if (m->point_count && end_ns < before + tick_ns / 2)
    m->ticks = 1; /* not 0: no new point */
  measure_tick(m, end_ns > before ? end_ns : before);
}

void measure_merge(measure_t *m) {
  uvow__histogram_merge(&m->second, &m->recent);
  uvow__histogram_done(&m->recent);
  uvow__histogram_merge(&m->latency, &m->second);
  uvow__histogram_done(&m->second);
}

double measure_us(const measure_t *m, double share) {
  return (double)uvow__histogram_at(&m->latency, share) / 1e3;
}

double measure_rps(const measure_t *m) {
  return m->seconds > 0 ? (double)m->answered / m->seconds : 0;
}

double measure_point_rps(const measure_t *m, size_t i) {
  uint64_t begin = i ? m->points[i - 1].end_ns : 0;
  uint64_t end = m->points[i].end_ns;
  return end > begin
             ? (double)m->points[i].answered * 1e9 / (double)(end - begin)
             : 0;
}

const char *measure_format_ns(double ns, char *text, size_t size) {
  static const char *const units[] = {"ns", "us", "ms", "s"};
  size_t i = 0;
  while (i < 3 && ns >= 999.5) {
    ns /= 1000;
    i++;
  }
  int decimals = i == 0 || ns >= 99.95 ? 0 : ns >= 9.995 ? 1 : 2;
  snprintf(text, size, "%.*f %s", decimals, ns, units[i]);
  return text;
}

const char *measure_fault_name(const measure_fault_t *fault, char *text,
                               size_t size) {
  if (fault->code == MEASURE_MISMATCH)
    snprintf(text, size, "mismatch");
  else if (fault->code == UVOW_EREMOTE)
    snprintf(text, size, "UVOW_EREMOTE %lld", (long long)fault->peer_code);
  else
    snprintf(text, size, "%s", uvow_err_name(fault->code));
  return text;
}
