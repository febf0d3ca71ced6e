/*
 * Does a deadline cost more when many others are pending?
 *
 * With 0, 1,000 and 1,000,000 deadlines pending, 1,000 more are armed in one
 * turn of the loop and disarmed in the next: as timeouts that are met in time,
 * and as delays that are canceled, through the public API. Beside them
 * uv_timer_start and uv_timer_stop, which libuv keeps in a heap.
 *
 * How to read it: ns per deadline, armed and disarmed, with the future that it
 * belongs to (the last line is a future without one, continued as often). The
 * three columns should be the same. "spread" deadlines are due at any time in
 * the next quarter of an hour, as the pending ones are; "same" are all due
 * after 30 s, as requests with one default timeout are.
 */
#include "measure.h"

#define BATCH 1000
#define BATCHES 50
#define ROUNDS 21
#define PENDING_MOST 1000000

typedef struct bench {
  uv_loop_t uv;
  uvow_loop_t *loop;
  uint32_t random;
  int spread;
  uvow_future_t *futures[BATCH];
  uvow_promise_t *promises[BATCH];
  uv_timer_t timers[BATCH];
} bench_t;

static const long pendings[] = {0, 1000, PENDING_MOST};
enum { PENDINGS = sizeof(pendings) / sizeof(*pendings) };

static void turn(bench_t *bench) {
  uv_run(&bench->uv, UV_RUN_NOWAIT);
}

/* Between 100 s and 1000 s. */
static uint64_t any_ms(bench_t *bench) {
  bench->random = bench->random * 1664525u + 1013904223u;
  return 100000 + (uint64_t)(bench->random >> 8) % 900000;
}

static uint64_t ms_of(bench_t *bench) {
  return bench->spread ? any_ms(bench) : 30000;
}

static void timeouts(bench_t *bench) {
  for (int i = 0; i < BATCH; i++) {
    uvow_future_t *f = uvow_promise_new(bench->loop, &bench->promises[i]);
    uvow_future_detach(uvow_future_timeout(f, ms_of(bench)));
  }
  turn(bench);
  for (int i = 0; i < BATCH; i++)
    uvow_promise_fulfill(bench->promises[i], uvow_value_none());
  turn(bench);
}

static void delays(bench_t *bench) {
  for (int i = 0; i < BATCH; i++)
    bench->futures[i] = uvow_future_delay(bench->loop, ms_of(bench));
  turn(bench);
  for (int i = 0; i < BATCH; i++) {
    MEASURE_CHECK(uvow_future_cancel(bench->futures[i]) == 0);
    uvow_future_unref(bench->futures[i]);
  }
  turn(bench);
}

/* What the timeouts would cost without a deadline. */
static void thens(bench_t *bench) {
  for (int i = 0; i < BATCH; i++) {
    uvow_future_t *f = uvow_promise_new(bench->loop, &bench->promises[i]);
    uvow_future_detach(uvow_future_then(f, NULL, NULL));
  }
  turn(bench);
  for (int i = 0; i < BATCH; i++)
    uvow_promise_fulfill(bench->promises[i], uvow_value_none());
  turn(bench);
}

static void never(uv_timer_t *timer) {
  (void)timer;
  MEASURE_CHECK(0);
}

static void uv_timers(bench_t *bench) {
  for (int i = 0; i < BATCH; i++)
    uv_timer_start(&bench->timers[i], never, ms_of(bench), 0);
  turn(bench);
  for (int i = 0; i < BATCH; i++)
    uv_timer_stop(&bench->timers[i]);
  turn(bench);
}

typedef struct work {
  const char *name;
  void (*run)(bench_t *bench);
  int spread;
  int is_uv; /* among pending uv_timers */
} work_t;

static const work_t works[] = {
    {"timeout, met; same", timeouts, 0, 0},
    {"timeout, met; spread", timeouts, 1, 0},
    {"delay, canceled; same", delays, 0, 0},
    {"delay, canceled; spread", delays, 1, 0},
    {"uv_timer; same", uv_timers, 0, 1},
    {"uv_timer; spread", uv_timers, 1, 1},
    {"a future without a deadline", thens, 0, 0},
};
enum { WORKS = sizeof(works) / sizeof(*works) };

/* Medians of the rounds, in ns per deadline. */
static void measure_works(bench_t *bench, int is_uv, measure_t *measures) {
  for (int round = 0; round <= ROUNDS; round++) {
    for (int w = 0; w < WORKS; w++) {
      if (works[w].is_uv != is_uv)
        continue;
      bench->spread = works[w].spread;
      uint64_t start = uv_hrtime();
      for (int i = 0; i < BATCHES; i++)
        works[w].run(bench);
      if (round) /* the first one warms up */
        measure_add(&measures[w], measure_ns_since(start, BATCH * BATCHES));
    }
  }
}

static void init(bench_t *bench) {
  MEASURE_CHECK(uv_loop_init(&bench->uv) == 0);
  bench->loop = uvow_loop_new(&bench->uv, NULL);
  MEASURE_CHECK(bench->loop);
  for (int i = 0; i < BATCH; i++)
    uv_timer_init(&bench->uv, &bench->timers[i]);
  bench->random = 1;
}

static void done(bench_t *bench) {
  for (int i = 0; i < BATCH; i++)
    uv_close((uv_handle_t *)&bench->timers[i], NULL);
  measure_close(&bench->uv, bench->loop);
}

static void among_deadlines(bench_t *bench, long pending, measure_t *measures) {
  init(bench);
  for (long i = 0; i < pending; i++)
    uvow_future_detach(uvow_future_delay(bench->loop, any_ms(bench)));
  turn(bench);
  measure_works(bench, 0, measures);
  done(bench); /* settles them all */
}

static void among_timers(bench_t *bench, long pending, measure_t *measures) {
  uv_timer_t *timers = (uv_timer_t *)calloc(PENDING_MOST, sizeof(*timers));
  MEASURE_CHECK(timers);
  init(bench);
  for (long i = 0; i < pending; i++) {
    uv_timer_init(&bench->uv, &timers[i]);
    uv_timer_start(&timers[i], never, any_ms(bench), 0);
  }
  measure_works(bench, 1, measures);
  for (long i = 0; i < pending; i++)
    uv_close((uv_handle_t *)&timers[i], NULL);
  done(bench);
  free(timers);
}

int main(void) {
  static bench_t bench;
  static measure_t measures[PENDINGS][WORKS];
  printf("%-30s", "ns; pending:");
  for (int p = 0; p < PENDINGS; p++) {
    among_deadlines(&bench, pendings[p], measures[p]);
    among_timers(&bench, pendings[p], measures[p]);
    printf(" %10ld", pendings[p]);
  }
  printf("\n");
  for (int w = 0; w < WORKS; w++) {
    printf("%-30s", works[w].name);
    for (int p = 0; p < PENDINGS; p++)
      printf(" %10.1f", measure_median(&measures[p][w]));
    printf("\n");
  }
  return 0;
}
