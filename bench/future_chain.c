/*
 * What does a continuation cost?
 *
 * A promise is made, `then` attached, the promise fulfilled, the continuation
 * run by the loop, all of it freed: first once, then in chains of 1 to
 * 1,000,000 links, then once per turn of the loop. Everything goes through the
 * public API, the callback reads its value and answers with another, and uv_run
 * runs it. Beside it, Node's native promises do the same (future_chain.js).
 *
 * How to read it: of the times only the ratios mean much; x is how many times
 * uvow is faster. In the table, ns per link should be the same in each line
 * (what is added at the end are the misses of the caches). Instructions hardly
 * vary from machine to machine; they contain the caller's own loop, its calls
 * and a callback that does nothing but pass its value on.
 *
 * usage: bench_future_chain [--rounds N]
 *        bench_future_chain --count LINKS N   N turns of 1,000 chains and
 *                                             nothing else, to be counted
 */
#include <string.h>

#include "measure.h"

#define LINKS_MAX 1000000
#define LENGTHS 7 /* 1, 10, ... 1,000,000 */
#define PER_TURN 1000
#define SINGLE_TURNS 50000
#define COUNTED_TURNS 20

typedef struct bench {
  uv_loop_t uv;
  uvow_loop_t *loop;
  int64_t sum;
  int64_t expected;
} bench_t;

typedef struct times {
  measure_t link[LENGTHS]; /* ns per link, by length */
  measure_t turn;          /* ns of one chain per turn */
  measure_t bare_turn;     /* ns of a turn that does nothing */
} times_t;

static void bench_init(bench_t *bench) {
  MEASURE_CHECK(uv_loop_init(&bench->uv) == 0);
  bench->loop = uvow_loop_new(&bench->uv, NULL);
  MEASURE_CHECK(bench->loop);
  bench->sum = bench->expected = 0;
}

static void bench_done(bench_t *bench) {
  MEASURE_CHECK(bench->sum == bench->expected);
  measure_close(&bench->uv, bench->loop);
}

static uvow_next_t plus_one(const uvow_result_t *result, void *data) {
  int64_t n = 0;
  (void)data;
  (void)uvow_value_get_int64(&result->value, &n);
  return uvow_next_value(uvow_value_int64(n + 1));
}

/* The same, and adds up what comes out of the chains. */
static uvow_next_t end(const uvow_result_t *result, void *data) {
  int64_t n = 0;
  (void)uvow_value_get_int64(&result->value, &n);
  *(int64_t *)data += n;
  return uvow_next_value(uvow_value_int64(n + 1));
}

static void chain(bench_t *bench, long length) {
  uvow_promise_t *promise;
  uvow_future_t *f = uvow_promise_new(bench->loop, &promise);
  for (long i = 1; i < length; i++)
    f = uvow_future_then(f, plus_one, NULL);
  uvow_future_detach(uvow_future_then(f, end, &bench->sum));
  uvow_promise_fulfill(promise, uvow_value_int64(1));
}

/* Returns ns per chain. */
static double run(bench_t *bench, long chains, long length, long per_turn) {
  uint64_t start = uv_hrtime();
  for (long made = 0; made < chains; made += per_turn) {
    for (long i = 0; i < per_turn; i++)
      chain(bench, length);
    bench->expected += length * per_turn;
    while (bench->sum != bench->expected)
      uv_run(&bench->uv, UV_RUN_NOWAIT);
  }
  return measure_ns_since(start, (double)chains);
}

static void do_nothing(uv_idle_t *idle) {
  (void)idle;
}

/* Returns ns per turn of a loop that has something to do in each. */
static double run_bare(bench_t *bench) {
  uv_idle_t idle;
  uv_idle_init(&bench->uv, &idle);
  uv_idle_start(&idle, do_nothing);
  uint64_t start = uv_hrtime();
  for (long i = 0; i < SINGLE_TURNS; i++)
    uv_run(&bench->uv, UV_RUN_NOWAIT);
  double ns = measure_ns_since(start, SINGLE_TURNS);
  uv_close((uv_handle_t *)&idle, NULL);
  uv_run(&bench->uv, UV_RUN_NOWAIT);
  return ns;
}

static void uvow_round(bench_t *bench, times_t *times) {
  long length = 1;
  for (int i = 0; i < LENGTHS; i++, length *= 10) {
    long per_turn = length < PER_TURN ? PER_TURN / length : 1;
    double ns = run(bench, LINKS_MAX / length, length, per_turn);
    measure_add(&times->link[i], ns / (double)length);
  }
  measure_add(&times->turn, run(bench, SINGLE_TURNS, 1, 1));
  measure_add(&times->bare_turn, run_bare(bench));
}

static void node_round(times_t *times) {
  char line[128];
  double ns;
  long length;
  FILE *node = popen(
      "node \"$UVOW_BENCH_DIR/future_chain.js\" 1000000 "
      "2>/dev/null",
      "r");
  while (node && fgets(line, sizeof(line), node)) {
    if (sscanf(line, "%ld %lf", &length, &ns) != 2)
      continue;
    if (length == 0)
      measure_add(&times->turn, ns);
    int i = 0;
    for (long l = 1; l < length; l *= 10)
      i++;
    if (length && i < LENGTHS)
      measure_add(&times->link[i], ns);
  }
  if (node)
    pclose(node);
}

/* What callgrind counts in so many turns, or -1. */
static long long collected(const char *program, int length, int turns) {
  char line[512];
  long long found = -1;
  setenv("UVOW_BENCH_PROGRAM", program, 1);
  snprintf(line, sizeof(line),
           "valgrind --tool=callgrind --callgrind-out-file=/dev/null "
           "\"$UVOW_BENCH_PROGRAM\" --count %d %d 2>&1",
           length, turns);
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

/* Instructions per chain: what starting and ending cost is taken out. */
static double instructions(const char *program, int length) {
  long long once = collected(program, length, COUNTED_TURNS);
  long long twice = collected(program, length, 2 * COUNTED_TURNS);
  if (once < 0 || twice < 0)
    return -1;
  return (double)(twice - once) / (COUNTED_TURNS * PER_TURN);
}

static void print_instructions(const char *what, const char *program) {
  double first = instructions(program, 1);
  double further = instructions(program, 2) - first;
  if (first < 0) {
    printf("%-44s not counted: needs valgrind, and the program\n", what);
    return;
  }
  printf("%-44s %8.0f\n", what, first);
  printf("%-44s %8.0f\n", "  each further then", further);
}

static void print_times(times_t *uvow, times_t *node) {
  double first = measure_median(&uvow->link[0]);
  double ten = measure_median(&uvow->link[1]) * 10;
  double node_first = measure_median(&node->link[0]);
  double node_ten = measure_median(&node->link[1]) * 10;
  int has_node = node->turn.count > 0;
  if (!has_node)
    printf("Node isn't here: nothing to compare with.\n");
  printf("%-32s %10s %10s %6s\n", "ns", "uvow", "Node", "x");
  printf("%-32s %10.1f %10.1f %6.1f\n", "new, then, fulfill, run, free", first,
         node_first, node_first / first);
  printf("%-32s %10.1f %10.1f %6.1f\n", "each further then", (ten - first) / 9,
         (node_ten - node_first) / 9, (node_ten - node_first) / (ten - first));
  double turn = measure_median(&uvow->turn);
  double node_turn = measure_median(&node->turn);
  printf("%-32s %10.1f %10.1f %6.1f\n", "the first, one per turn", turn,
         node_turn, node_turn / turn);
  printf("%-32s %10.1f\n\n", "  a turn of uv_run alone",
         measure_median(&uvow->bare_turn));
  printf("%-32s %10s %10s %6s\n", "links in a chain: ns per link", "uvow",
         "Node", "x");
  long length = 1;
  for (int i = 0; i < LENGTHS; i++, length *= 10) {
    double a = measure_median(&uvow->link[i]);
    double b = measure_median(&node->link[i]);
    printf("%-32ld %10.1f %10.1f %6.1f\n", length, a, b, b / a);
  }
}

/* The least that a callback does: what is counted is uvow. */
static uvow_next_t pass(const uvow_result_t *result, void *data) {
  (void)result;
  (void)data;
  return uvow_next_pass();
}

/* For callgrind: plain code, as a user would write it. */
static int count(long length, long turns) {
  uvow_promise_t *promise;
  bench_t bench;
  bench_init(&bench);
  for (; turns; turns--) {
    for (int i = 0; i < PER_TURN; i++) {
      uvow_future_t *f = uvow_promise_new(bench.loop, &promise);
      for (long l = 0; l < length; l++)
        f = uvow_future_then(f, pass, NULL);
      uvow_future_detach(f);
      uvow_promise_fulfill(promise, uvow_value_int64(1));
    }
    uv_run(&bench.uv, UV_RUN_NOWAIT);
  }
  bench_done(&bench);
  return 0;
}

int main(int argc, char **argv) {
  static times_t uvow, node;
  char program[4096];
  size_t size = sizeof(program) - sizeof("_static");
  int rounds = 5;
  bench_t bench;
  if (argc == 4 && strcmp(argv[1], "--count") == 0)
    return count(atol(argv[2]), atol(argv[3]));
  if (argc == 3 && strcmp(argv[1], "--rounds") == 0)
    rounds = atoi(argv[2]);
  MEASURE_CHECK(rounds > 0 && rounds <= MEASURE_ROUNDS_MAX);
  MEASURE_CHECK(uv_exepath(program, &size) == 0);
  setenv("UVOW_BENCH_DIR", BENCH_DIR, 0);
  bench_init(&bench);
  run(&bench, LINKS_MAX, 1, PER_TURN);
  for (int i = 0; i < rounds; i++) {
    uvow_round(&bench, &uvow);
    node_round(&node);
  }
  bench_done(&bench);
  print_times(&uvow, &node);
  printf("\nInstructions, the caller's own among them\n");
  print_instructions("new, then, fulfill, run, free; shared library", program);
  strcat(program, "_static");
  print_instructions("the same; static library", program);
  return 0;
}
