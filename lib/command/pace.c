/*
 * The schedule of --rate.
 *
 * It knows nothing of answers: that a request starts late changes neither when
 * it should have started nor when the next should. Latency counted from there
 * is free of coordinated omission.
 */
#include "pace.h"

#include <math.h>

/* While it grows, rate * t / ramp a second, rate * t * t / (2 * ramp) have
 * started by t; then as many more in each second as the rate says. */
static double seconds_to(const pace_t *pace, double k) {
  double growing = pace->rate * pace->ramp / 2;
  if (k < growing)
    return sqrt(2 * k * pace->ramp / pace->rate);
  return pace->ramp / 2 + k / pace->rate;
}

uint64_t pace_at(const pace_t *pace, uint64_t k) {
  return pace->start + (uint64_t)(seconds_to(pace, (double)k) * 1e9);
}

int pace_take(pace_t *pace, uint64_t now, uint64_t *ret_start) {
  uint64_t at = pace_at(pace, pace->next);
  if (at > now)
    return 0;
  pace->next++;
  *ret_start = at;
  return 1;
}

uint64_t pace_wait(const pace_t *pace, uint64_t now) {
  uint64_t at = pace_at(pace, pace->next);
  return at > now ? at - now : 0;
}

uint64_t pace_missing(const pace_t *pace, uint64_t end) {
  if (end <= pace->start)
    return 0;
  /* The estimate is at most one off, for it's rounded as pace_at is. */
  double t = (double)(end - pace->start) / 1e9;
  double started = t < pace->ramp ? pace->rate * t * t / (2 * pace->ramp)
                                  : pace->rate * (t - pace->ramp / 2);
  uint64_t k = (uint64_t)started;
  while (k && pace_at(pace, k - 1) >= end)
    k--;
  while (pace_at(pace, k) < end)
    k++;
  return k > pace->next ? k - pace->next : 0;
}
