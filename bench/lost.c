/*
 * How long does losing the connection take, when long-lived requests wait on
 * it?
 *
 * All that is pending rejects, the oldest first. Requests that came one behind
 * the other stand in the table in this order; long-lived ones, with thousands
 * of others between that were answered, don't. Looked at from inside: ids are
 * moved on as ordinary traffic would, with a dispatcher of its own.
 *
 * How to read it: ns is the time from the loss to when the last request has
 * rejected, for each of them, without what the application makes of it: the
 * median of the rounds; "far" is compared with "near" in the same round. Far
 * costs a sort, so the ratio may grow with the logarithm of their number; it
 * must not grow with their number.
 *
 * usage: bench_lost [rounds]
 */
#include "measure.h"

#include "net/loop.h"
#include "rpc/dispatcher.h"

enum { ROUNDS = 5, GAP = 19937 };

static const size_t counts[] = {1000, 10000, 100000, 1000000};
enum { COUNTS = sizeof(counts) / sizeof(*counts) };

/* ns for each of n requests, `gap` ids apart. */
static double lose(uvow_loop_t *loop, size_t n, uint64_t gap) {
  uvow__dispatcher_t d;
  uvow__error_spec_t spec = {0};
  uvow__request_t *request;
  uvow_future_t **f = (uvow_future_t **)malloc(n * sizeof(*f));
  MEASURE_CHECK(f);
  uvow__dispatcher_init(&d, &loop->rt, n);
  for (size_t i = 0; i < n; i++) {
    MEASURE_CHECK(uvow__dispatcher_register(&d, 0, &f[i], &request) == 0);
    f[i]->flags |= UVOW__OBSERVED; /* the rejection is no news */
    d.next_id += gap - 1;
  }
  spec.code = UVOW_ELOST;
  uint64_t start = uv_hrtime();
  uvow__dispatcher_fail_all(&d, &spec);
  double ns = measure_ns_since(start, (double)n);
  MEASURE_CHECK(d.live == 0);
  uvow__dispatcher_done(&d);
  for (size_t i = 0; i < n; i++)
    uvow_future_unref(f[i]);
  free(f);
  return ns;
}

int main(int argc, char **argv) {
  int rounds = argc > 1 ? atoi(argv[1]) : ROUNDS;
  uv_loop_t uv;
  uvow_loop_t *loop;
  MEASURE_CHECK(uv_loop_init(&uv) == 0);
  loop = uvow_loop_new(&uv, NULL);
  MEASURE_CHECK(loop);
  printf("%-10s %12s %12s %12s\n", "pending", "near ns", "far ns", "far/near");
  for (int i = 0; i < COUNTS; i++) {
    measure_t near_ns = {0};
    measure_t far_ns = {0};
    measure_t ratio = {0};
    for (int round = 0; round < rounds; round++) {
      double near_one = lose(loop, counts[i], 1);
      double far_one = lose(loop, counts[i], GAP);
      measure_add(&near_ns, near_one);
      measure_add(&far_ns, far_one);
      measure_add(&ratio, far_one / near_one);
    }
    printf("%-10zu %12.0f %12.0f %12.1f\n", counts[i], measure_median(&near_ns),
           measure_median(&far_ns), measure_median(&ratio));
  }
  measure_close(&uv, loop);
  return 0;
}
