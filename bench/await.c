/*
 * What do a fiber and its awaits cost, beside a continuation?
 *
 * The same work twice: a promise is made, somebody waits for it, it's
 * fulfilled, the waiter runs and is freed. Once the waiter is a continuation,
 * once a fiber that is spawned, awaits, and returns. Then a fiber that awaits
 * again and again: futures that are pending, and futures that are settled.
 * Last, what fibers that wait cost of memory.
 *
 * How to read it: instructions hardly vary from machine to machine; of the
 * times only the ratios mean much. A fiber costs at most four continuations
 * with fcontext. ucontext asks the kernel for the signal mask at each switch,
 * which the times show and the instructions don't.
 *
 * usage: bench_await [--rounds N]
 *        bench_await --count MODE N   N turns of 200, to be counted
 */
#include <string.h>

#include <uvow/fiber.h>

#include "measure.h"

enum { CONTINUATION, SPAWN, PENDING, SETTLED, MODES };
enum { PER_TURN = 200, TURNS = 2000, COUNTED_TURNS = 100, CROWD = 10000 };

static const char *const names[MODES] = {
    "new, then, fulfill, run, free",
    "spawn, new, await, fulfill, return, free",
    "each further await: new, await, fulfill",
    "  of a future that is settled",
};

/* One that waits. */
typedef struct waiter {
  uvow_promise_t *promise; /* of what it waits for */
  long awaits;             /* how many more */
} waiter_t;

typedef struct bench {
  uv_loop_t uv;
  uvow_loop_t *loop;
  waiter_t waiters[PER_TURN];
} bench_t;

static uvow_next_t on_value(const uvow_result_t *result, void *data) {
  (void)result;
  ((waiter_t *)data)->awaits--;
  return uvow_next_none();
}

static uvow_next_t await_pending(uvow_loop_t *loop, void *data) {
  waiter_t *waiter = (waiter_t *)data;
  while (waiter->awaits > 0) {
    (void)uvow_await(uvow_promise_new(loop, &waiter->promise), NULL);
    waiter->awaits--;
  }
  return uvow_next_none();
}

static uvow_next_t await_settled(uvow_loop_t *loop, void *data) {
  waiter_t *waiter = (waiter_t *)data;
  for (; waiter->awaits > 0; waiter->awaits--)
    (void)uvow_await(uvow_future_fulfilled(loop, uvow_value_none()), NULL);
  return uvow_next_none();
}

static void begin(bench_t *bench, int mode, waiter_t *waiter, long awaits) {
  uvow_future_t *f;
  waiter->awaits = awaits;
  if (mode == CONTINUATION)
    f = uvow_future_then(uvow_promise_new(bench->loop, &waiter->promise),
                         on_value, waiter);
  else
    f = uvow_fiber_spawn(
        bench->loop, mode == SETTLED ? await_settled : await_pending, waiter);
  MEASURE_CHECK(f);
  uvow_future_detach(f);
}

static void begin_all(bench_t *bench, int mode, long awaits) {
  for (int i = 0; i < PER_TURN; i++)
    begin(bench, mode, &bench->waiters[i], awaits);
  if (mode != CONTINUATION)
    uv_run(&bench->uv, UV_RUN_NOWAIT);
}

static void fulfill_all(bench_t *bench) {
  for (int i = 0; i < PER_TURN; i++)
    uvow_promise_fulfill(bench->waiters[i].promise, uvow_value_none());
  uv_run(&bench->uv, UV_RUN_NOWAIT);
}

static void check_all(const bench_t *bench) {
  for (int i = 0; i < PER_TURN; i++)
    MEASURE_CHECK(bench->waiters[i].awaits == 0);
}

static void run(bench_t *bench, int mode, long turns) {
  if (mode == SETTLED) {
    begin_all(bench, mode, turns);
    while (bench->waiters[PER_TURN - 1].awaits)
      uv_run(&bench->uv, UV_RUN_NOWAIT);
  } else if (mode == PENDING) {
    begin_all(bench, mode, turns);
    for (long i = 0; i < turns; i++)
      fulfill_all(bench);
  } else {
    for (long i = 0; i < turns; i++) {
      begin_all(bench, mode, 1);
      fulfill_all(bench);
    }
  }
  check_all(bench);
}

static void bench_init(bench_t *bench) {
  memset(bench, 0, sizeof(*bench));
  MEASURE_CHECK(uv_loop_init(&bench->uv) == 0);
  bench->loop = uvow_loop_new(&bench->uv, NULL);
  MEASURE_CHECK(bench->loop);
}

static int count(int mode, long turns) {
  static bench_t bench;
  MEASURE_CHECK(mode >= 0 && mode < MODES && turns > 0);
  bench_init(&bench);
  run(&bench, mode, turns);
  measure_close(&bench.uv, bench.loop);
  return 0;
}

/* What callgrind counts in so many turns, or -1. */
static long long collected(int mode, int turns) {
  char line[512];
  long long found = -1;
  snprintf(line, sizeof(line),
           "valgrind --tool=callgrind --callgrind-out-file=/dev/null "
           "\"$UVOW_BENCH_PROGRAM\" --count %d %d 2>&1",
           mode, turns);
  FILE *valgrind = popen(line, "r");
  while (valgrind && fgets(line, sizeof(line), valgrind)) {
    const char *at = strstr(line, "Collected : ");
    if (at)
      (void)sscanf(at, "Collected : %lld", &found);
  }
  if (valgrind)
    pclose(valgrind);
  return found;
}

/* Each; what starting and ending cost is taken out. -1: not counted. */
static double instructions(int mode) {
  long long once = collected(mode, COUNTED_TURNS);
  long long twice = collected(mode, 2 * COUNTED_TURNS);
  if (once < 0 || twice < 0)
    return -1;
  return (double)(twice - once) / (COUNTED_TURNS * PER_TURN);
}

static void measure_memory(int no_guard) {
  uvow_fiber_options_t options = {0};
  static waiter_t waiters[CROWD];
  static bench_t bench;
  size_t before, after;
  options.size = sizeof(options);
  options.no_guard = no_guard;
  bench_init(&bench);
  MEASURE_CHECK(uv_resident_set_memory(&before) == 0);
  for (int i = 0; i < CROWD; i++) {
    waiters[i].awaits = 1;
    uvow_future_t *f =
        uvow_fiber_spawn_with(bench.loop, await_pending, &waiters[i], &options);
    MEASURE_CHECK(f);
    uvow_future_detach(f);
  }
  uv_run(&bench.uv, UV_RUN_NOWAIT);
  MEASURE_CHECK(uv_resident_set_memory(&after) == 0);
  printf("bytes of a fiber that waits, %s a guard: %.0f\n",
         no_guard ? "without" : "with", (double)(after - before) / CROWD);
  for (int i = 0; i < CROWD; i++)
    uvow_promise_fulfill(waiters[i].promise, uvow_value_none());
  measure_close(&bench.uv, bench.loop);
}

static void print(measure_t *times) {
  double one = measure_median(&times[CONTINUATION]);
  double counted = instructions(CONTINUATION);
  printf("%-44s %8s %6s %13s %6s\n", "each", "ns", "x", "instructions", "x");
  for (int mode = 0; mode < MODES; mode++) {
    double ns = measure_median(&times[mode]);
    double n = mode == CONTINUATION ? counted : instructions(mode);
    printf("%-44s %8.1f %6.2f", names[mode], ns, ns / one);
    if (n > 0)
      printf(" %13.0f %6.2f\n", n, n / counted);
    else
      printf("   not counted: needs valgrind\n");
  }
}

int main(int argc, char **argv) {
  static measure_t times[MODES];
  static bench_t bench;
  char program[4096];
  size_t size = sizeof(program);
  int rounds = 5;
  if (argc == 4 && strcmp(argv[1], "--count") == 0)
    return count(atoi(argv[2]), atol(argv[3]));
  if (argc == 3 && strcmp(argv[1], "--rounds") == 0)
    rounds = atoi(argv[2]);
  MEASURE_CHECK(rounds > 0 && rounds <= MEASURE_ROUNDS_MAX);
  MEASURE_CHECK(uv_exepath(program, &size) == 0);
  setenv("UVOW_BENCH_PROGRAM", program, 1);
  bench_init(&bench);
  for (int i = 0; i <= rounds; i++) {
    for (int mode = 0; mode < MODES; mode++) {
      uint64_t start = uv_hrtime();
      run(&bench, mode, TURNS);
      if (i > 0) /* the first is to warm up */
        measure_add(&times[mode],
                    measure_ns_since(start, (double)TURNS * PER_TURN));
    }
  }
  measure_close(&bench.uv, bench.loop);
  print(times);
  measure_memory(0);
  measure_memory(1);
  return 0;
}
