/*
 * What does an item of a stream cost?
 *
 * Items are pushed into a sink and read by an armed `each`, whose callback
 * passes; beside it, in the same run, the same number of continuations: a
 * promise's future with `then` after `then`. Everything goes through the public
 * API, and uv_run runs it. Then the same items through a map, read one by one
 * with `next`, and through a pipe.
 *
 * How to read it: of the times only the ratios mean much. An item through each
 * should cost at most 1.5 times a further continuation, in instructions, and
 * call malloc never.
 *
 * usage: bench_stream [--rounds N]
 *        bench_stream --count WHAT N   N turns of 1,000 items (WHAT: each,
 * then, none) and nothing else, to be counted
 */
#include <string.h>

#include <uvow/stream.h>

#include "measure.h"

#include <uvow/stream.h>

#define ITEMS 1000000
#define PER_TURN 50
#define COUNTED_TURNS 20
#define COUNTED_ITEMS 1000

typedef struct bench {
  uv_loop_t uv;
  uvow_loop_t *loop;
  long seen;
} bench_t;

static uvow_next_t pass(const uvow_result_t *result, void *data) {
  (void)result;
  (void)data;
  return uvow_next_pass();
}

static uvow_next_t see(const uvow_result_t *result, void *data) {
  (void)result;
  ++*(long *)data;
  return uvow_next_pass();
}

static uvow_next_t read_on(const uvow_result_t *result, void *data);

typedef struct reader {
  uvow_stream_t *stream;
  long *seen;
} reader_t;

static void ask(reader_t *reader) {
  uvow_future_detach(
      uvow_future_then(uvow_stream_next(reader->stream), read_on, reader));
}

static uvow_next_t read_on(const uvow_result_t *result, void *data) {
  reader_t *reader = (reader_t *)data;
  if (uvow_result_is_end(result)) {
    uvow_stream_unref(reader->stream);
    return uvow_next_none();
  }
  ++*reader->seen;
  ask(reader);
  return uvow_next_none();
}

static void run_turns(bench_t *bench, uvow_sink_t *sink, long items,
                      long per_turn) {
  bench->seen = 0;
  for (long made = 0; made < items; made += per_turn) {
    for (long i = 0; i < per_turn; i++)
      (void)uvow_sink_push(sink, uvow_value_int64(i));
    while (bench->seen < made + per_turn)
      uv_run(&bench->uv, UV_RUN_NOWAIT);
  }
  uvow_sink_end(sink);
  uv_run(&bench->uv, UV_RUN_NOWAIT);
}

enum way { EACH, MAPPED, NEXTS, PIPED };

/* Returns ns per item. */
static double run(bench_t *bench, enum way way) {
  uvow_stream_options_t options = {sizeof(options), 2 * PER_TURN, 0,
                                   UVOW_FULL_WAIT, 0};
  uvow_sink_t *sink, *far;
  reader_t reader;
  uvow_stream_t *s = uvow_stream_new(bench->loop, &options, &sink);
  uint64_t start = uv_hrtime();
  if (way == NEXTS) {
    reader.stream = s;
    reader.seen = &bench->seen;
    ask(&reader);
  } else {
    if (way == MAPPED)
      s = uvow_stream_map(s, pass, NULL);
    if (way == PIPED) {
      uvow_stream_t *out = uvow_stream_new(bench->loop, &options, &far);
      uvow_future_detach(uvow_stream_pipe(s, far));
      s = out;
    }
    uvow_future_detach(uvow_stream_each(s, see, &bench->seen));
  }
  run_turns(bench, sink, ITEMS, PER_TURN);
  return measure_ns_since(start, ITEMS);
}

/* Returns ns per further then. */
static double run_then(bench_t *bench) {
  uvow_promise_t *promise;
  uint64_t start = uv_hrtime();
  for (long made = 0; made < ITEMS; made += PER_TURN) {
    uvow_future_t *f = uvow_promise_new(bench->loop, &promise);
    for (long i = 0; i < PER_TURN; i++)
      f = uvow_future_then(f, pass, NULL);
    uvow_future_detach(f);
    uvow_promise_fulfill(promise, uvow_value_int64(1));
    uv_run(&bench->uv, UV_RUN_NOWAIT);
  }
  return measure_ns_since(start, ITEMS);
}

/* For callgrind. */
static int count(const char *what, long turns) {
  bench_t bench;
  uvow_promise_t *promise;
  uvow_sink_t *sink;
  uvow_stream_options_t options = {sizeof(options), COUNTED_ITEMS + 1, 0,
                                   UVOW_FULL_WAIT, 0};
  MEASURE_CHECK(uv_loop_init(&bench.uv) == 0);
  bench.loop = uvow_loop_new(&bench.uv, NULL);
  MEASURE_CHECK(bench.loop);
  uvow_stream_t *s = uvow_stream_new(bench.loop, &options, &sink);
  int pushes = strcmp(what, "each") == 0, chains = strcmp(what, "then") == 0;
  uvow_future_detach(uvow_stream_each(s, pass, NULL));
  for (; turns; turns--) {
    uvow_future_t *f = uvow_promise_new(bench.loop, &promise);
    for (int i = 0; i < COUNTED_ITEMS; i++) {
      if (pushes)
        (void)uvow_sink_push(sink, uvow_value_int64(i));
      else if (chains)
        f = uvow_future_then(f, pass, NULL);
    }
    uvow_future_detach(f);
    uvow_promise_fulfill(promise, uvow_value_int64(1));
    uv_run(&bench.uv, UV_RUN_NOWAIT);
  }
  uvow_sink_end(sink);
  measure_close(&bench.uv, bench.loop);
  return 0;
}

/* What callgrind counts in so many turns, or -1. */
static long long collected(const char *program, const char *what, int turns) {
  char line[512];
  long long found = -1;
  setenv("UVOW_BENCH_PROGRAM", program, 1);
  snprintf(line, sizeof(line),
           "valgrind --tool=callgrind --callgrind-out-file=/dev/null "
           "\"$UVOW_BENCH_PROGRAM\" --count %s %d 2>&1",
           what, turns);
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

/* Instructions per item, without the turns themselves. */
static double instructions(const char *program, const char *what) {
  long long base = collected(program, "none", 2 * COUNTED_TURNS) -
                   collected(program, "none", COUNTED_TURNS);
  long long once = collected(program, what, COUNTED_TURNS);
  long long twice = collected(program, what, 2 * COUNTED_TURNS);
  if (once < 0 || twice < 0)
    return -1;
  return (double)(twice - once - base) / (COUNTED_TURNS * COUNTED_ITEMS);
}

static void print_instructions(const char *what, const char *program) {
  double then = instructions(program, "then");
  double each = instructions(program, "each");
  if (then < 0)
    printf("%-44s not counted: needs valgrind, and the program\n", what);
  else
    printf("%-32s %8.0f %8.0f %6.2f\n", what, each, then, each / then);
}

int main(int argc, char **argv) {
  static measure_t ns[PIPED + 1], then;
  static const char *const names[] = {"each", "map, each", "next, then",
                                      "pipe, each"};
  char program[4096];
  size_t size = sizeof(program) - sizeof("_static");
  int rounds = 5;
  bench_t bench;
  if (argc == 4 && strcmp(argv[1], "--count") == 0)
    return count(argv[2], atol(argv[3]));
  if (argc == 3 && strcmp(argv[1], "--rounds") == 0)
    rounds = atoi(argv[2]);
  MEASURE_CHECK(rounds > 0 && rounds <= MEASURE_ROUNDS_MAX);
  MEASURE_CHECK(uv_exepath(program, &size) == 0);
  MEASURE_CHECK(uv_loop_init(&bench.uv) == 0);
  bench.loop = uvow_loop_new(&bench.uv, NULL);
  MEASURE_CHECK(bench.loop);
  for (int i = 0; i < rounds; i++) {
    measure_add(&then, run_then(&bench));
    for (int way = EACH; way <= PIPED; way++)
      measure_add(&ns[way], run(&bench, (enum way)way));
  }
  measure_close(&bench.uv, bench.loop);
  double further = measure_median(&then);
  printf("%-32s %10s %6s\n", "an item", "ns", "x then");
  printf("%-32s %10.1f\n", "a further then", further);
  for (int way = EACH; way <= PIPED; way++)
    printf("%-32s %10.1f %6.2f\n", names[way], measure_median(&ns[way]),
           measure_median(&ns[way]) / further);
  printf("\n%-32s %8s %8s %6s\n", "Instructions an item", "each", "then", "x");
  print_instructions("shared library", program);
  strcat(program, "_static");
  print_instructions("static library", program);
  return 0;
}
