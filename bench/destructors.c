/*
 * What does a destructor cost?
 *
 * Chains are built, run and freed as in bench/future_chain.c, each link with
 * data of its own that a destructor gets back: the link's (uvow_chain_options_t)
 * or that of a future (uvow_future_own). Then 1,000,000 pending futures, each
 * with a destructor, are given up within one callback, and the loop's allocator
 * counts.
 *
 * How to read it: ns per link, of which only the ratios mean much; --count is
 * for instructions. A destructor waits for its turn in the memory of the future
 * that it belongs to: so the peak while 1,000,000 of them wait must be what the
 * futures took already, and the calls of malloc 0. All have run one drain of
 * 10,000 tasks after the other.
 *
 * usage: bench_destructors
 *        bench_destructors --count WHAT N   N turns of 1,000 links and nothing
 *                                           else; WHAT: none, link, own
 */
#include <string.h>

#include "counter.h"

#define LINKS 1000
#define TURNS 1000
#define ROUNDS 5
#define GIVEN_UP 1000000

typedef enum what { NONE, LINK, OWN, WHATS } what_t;

static const char *const names[WHATS] = {"none", "link", "own"};

typedef struct bench {
  uv_loop_t uv;
  uvow_loop_t *loop;
  uint64_t ended; /* chains */
  uint64_t destroyed;
} bench_t;

static void destroy(void *data) {
  ++*(uint64_t *)data;
}

static uvow_next_t pass(const uvow_result_t *result, void *data) {
  (void)result;
  (void)data;
  return uvow_next_pass();
}

static uvow_future_t *link_to(bench_t *bench, uvow_future_t *f, what_t what) {
  uvow_chain_options_t options = {0};
  if (what != LINK)
    f = uvow_future_then(f, pass, &bench->destroyed);
  if (what == OWN)
    return uvow_future_own(f, &bench->destroyed, destroy);
  if (what == NONE)
    return f;
  options.size = sizeof(options);
  options.on_value = pass;
  options.data = &bench->destroyed;
  options.destroy = destroy;
  return uvow_future_chain(f, &options);
}

static void at_end(const uvow_result_t *result, void *data) {
  (void)result;
  ++*(uint64_t *)data;
}

static void run_turns(bench_t *bench, what_t what, long turns) {
  for (long turn = 0; turn < turns; turn++) {
    uvow_promise_t *promise;
    uvow_future_t *f = uvow_promise_new(bench->loop, &promise);
    uint64_t until = bench->ended + 1;
    for (int i = 0; i < LINKS; i++)
      f = link_to(bench, f, what);
    MEASURE_CHECK(uvow_future_done(f, at_end, &bench->ended) == 0);
    uvow_promise_fulfill(promise, uvow_value_int64(1));
    while (bench->ended != until)
      uv_run(&bench->uv, UV_RUN_NOWAIT);
  }
}

static void start(bench_t *bench, counter_t *counter) {
  memset(bench, 0, sizeof(*bench));
  MEASURE_CHECK(uv_loop_init(&bench->uv) == 0);
  bench->loop = counter ? counter_loop(counter, &bench->uv)
                        : uvow_loop_new(&bench->uv, NULL);
  MEASURE_CHECK(bench->loop);
}

static void count(what_t what, long turns) {
  bench_t bench;
  start(&bench, NULL);
  run_turns(&bench, what, turns);
  measure_close(&bench.uv, bench.loop);
  MEASURE_CHECK(bench.destroyed ==
                (what == NONE ? 0 : (uint64_t)turns * LINKS));
}

static void measure_links(void) {
  measure_t ns[WHATS];
  memset(ns, 0, sizeof(ns));
  for (int round = 0; round < ROUNDS; round++) {
    for (int what = 0; what < WHATS; what++) {
      uint64_t began = uv_hrtime();
      count((what_t)what, TURNS);
      measure_add(&ns[what], measure_ns_since(began, (double)TURNS * LINKS));
    }
  }
  printf("%-24s %12s %12s\n", "a link with", "ns", "times");
  for (int what = 0; what < WHATS; what++)
    printf("%-24s %12.1f %12.2f\n",
           what == NONE   ? "no destructor"
           : what == LINK ? "one of its data"
                          : "a future that owns data",
           measure_median(&ns[what]),
           measure_median(&ns[what]) / measure_median(&ns[NONE]));
}

/* ---- many at once ---- */

typedef struct crowd {
  bench_t bench;
  counter_t counter;
  uvow_promise_t *promises[GIVEN_UP];
  uvow_future_t *futures[GIVEN_UP];
  size_t before; /* bytes, before the first was given up */
} crowd_t;

/* All of them, within one callback. */
static void give_up(const uvow_result_t *result, void *data) {
  crowd_t *crowd = (crowd_t *)data;
  (void)result;
  crowd->before = crowd->counter.most;
  crowd->counter.calls = 0;
  for (int i = 0; i < GIVEN_UP; i++) {
    uvow_future_drop(crowd->futures[i]);
    uvow_promise_drop(crowd->promises[i]);
  }
  MEASURE_CHECK(crowd->bench.destroyed == 0);
}

static void measure_giving_up(crowd_t *crowd) {
  uvow_promise_t *go;
  start(&crowd->bench, &crowd->counter);
  size_t empty = crowd->counter.live;
  uvow_future_t *f = uvow_promise_new(crowd->bench.loop, &go);
  MEASURE_CHECK(uvow_future_done(f, give_up, crowd) == 0);
  for (int i = 0; i < GIVEN_UP; i++) {
    f = uvow_promise_new(crowd->bench.loop, &crowd->promises[i]);
    crowd->futures[i] = uvow_future_own(f, &crowd->bench.destroyed, destroy);
    MEASURE_CHECK(crowd->futures[i]);
  }
  uvow_promise_fulfill(go, uvow_value_none());
  while (crowd->bench.destroyed != GIVEN_UP)
    uv_run(&crowd->bench.uv, UV_RUN_NOWAIT);
  printf("\n%d pending futures with a destructor, given up in one callback\n",
         GIVEN_UP);
  printf("%-24s %12.1f\n", "MiB before",
         (double)(crowd->before - empty) / 1048576);
  printf("%-24s %12.1f\n", "MiB at the most",
         (double)(crowd->counter.most - empty) / 1048576);
  printf("%-24s %12zu\n", "calls of malloc", crowd->counter.calls);
  measure_close(&crowd->bench.uv, crowd->bench.loop);
  MEASURE_CHECK(crowd->counter.live == 0);
}

int main(int argc, char **argv) {
  for (int what = 0; argc == 4 && what < WHATS; what++) {
    if (strcmp(argv[1], "--count") == 0 && strcmp(argv[2], names[what]) == 0) {
      count((what_t)what, atol(argv[3]));
      return 0;
    }
  }
  if (argc > 1) {
    fprintf(stderr, "usage: bench_destructors [--count none|link|own N]\n");
    return 2;
  }
  measure_links();
  crowd_t *crowd = (crowd_t *)calloc(1, sizeof(*crowd));
  MEASURE_CHECK(crowd);
  measure_giving_up(crowd);
  free(crowd);
  return 0;
}
