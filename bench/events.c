/*
 * How many events a second does one connection carry, and what does each cost?
 *
 * A server of uvow's, in a process of its own, tells its peer "tick" a thousand
 * times when it is asked to, and answers behind that; a client reads them as a
 * stream with `each`. Two such requests are under way, so that neither end waits
 * while the other is at a thousand. In turns with that the client makes requests of the same
 * params, a thousand at once: each is answered by a message of the same size.
 *
 * How to read it: events/s as part of answers/s; an event should come at 0.8 of
 * an answer's rate or more, as nothing has to be asked for it. CPU is this
 * process's, user and system. "mallocs" are the calls of malloc in this process
 * once all is warm, per event: 0.
 *
 * usage: bench_events [--rounds N]
 *        bench_events --count N   N events and nothing else, to be counted
 */
#include <string.h>

#include "bed.h"
#include "mallocs.h"

enum { ROUNDS = 5, AT_ONCE = 1000, TURNS = 200 };

typedef struct bench {
  bed_t bed;
  uvow_peer_t *client;
  uvow_future_t *end; /* of the stream */
  size_t seen;
} bench_t;

static uvow_next_t on_tick(const uvow_result_t *item, void *data) {
  bench_t *bench = (bench_t *)data;
  MEASURE_CHECK(uvow_result_missed(item) == 0);
  bench->seen++;
  return uvow_next_none();
}

/* So many events, a thousand at once. */
static void run_events(bench_t *bench, size_t turns) {
  char params[16];
  bed_load_t load = {0};
  size_t before = bench->seen;
  snprintf(params, sizeof(params), "[%d]", AT_ONCE);
  load.clients = &bench->client;
  load.client_count = 1;
  load.method = "tell";
  load.params = params;
  load.len = strlen(params);
  load.in_flight = 2;
  load.requests = turns;
  bed_run(&bench->bed, &load);
  MEASURE_CHECK(bench->seen == before + turns * AT_ONCE);
}

static void run_answers(bench_t *bench, size_t turns) {
  bed_load_t load = {0};
  load.clients = &bench->client;
  load.client_count = 1;
  load.method = "echo";
  load.params = BED_TICK;
  load.len = strlen(BED_TICK);
  load.in_flight = AT_ONCE;
  load.requests = turns * AT_ONCE;
  bed_run(&bench->bed, &load);
}

typedef struct cost {
  measure_t rate;
  measure_t cpu_us;
} cost_t;

static void add_round(bench_t *bench, cost_t *cost,
                      void (*run)(bench_t *bench, size_t turns)) {
  double count = (double)TURNS * AT_ONCE;
  double cpu = bed_cpu_us();
  uint64_t start = uv_hrtime();
  run(bench, TURNS);
  measure_add(&cost->rate, 1e9 / measure_ns_since(start, count));
  measure_add(&cost->cpu_us, (bed_cpu_us() - cpu) / count);
}

static void print_costs(cost_t *events, cost_t *answers, double mallocs,
                        double calls) {
  double per_event = measure_median(&events->rate);
  double per_answer = measure_median(&answers->rate);
  printf("%-10s %12s %10s\n", "", "a second", "CPU us");
  printf("%-10s %12.0f %10.3f\n", "answers", per_answer,
         measure_median(&answers->cpu_us));
  printf("%-10s %12.0f %10.3f\n", "events", per_event,
         measure_median(&events->cpu_us));
  printf(
      "events are %.2f of answers; an event asks uvow's allocator %.4f times",
      per_event / per_answer, calls);
  if (OWN_MALLOC)
    printf(", calls malloc %.4f times", mallocs);
  printf("\n");
}

static void compare(bench_t *bench, int rounds) {
  cost_t events = {0};
  cost_t answers = {0};
  run_events(bench, 20);
  run_answers(bench, 20);
  size_t calls = bench->bed.counter.calls;
  size_t mallocs = malloc_count();
  run_events(bench, TURNS);
  double count = (double)TURNS * AT_ONCE;
  double each_malloc = (double)(malloc_count() - mallocs) / count;
  double each_call = (double)(bench->bed.counter.calls - calls) / count;
  for (int i = 0; i < rounds; i++) {
    add_round(bench, &answers, run_answers);
    add_round(bench, &events, run_events);
  }
  print_costs(&events, &answers, each_malloc, each_call);
}

int main(int argc, char **argv) {
  static const bed_serve_options_t options = {NULL, NULL, NULL};
  static bench_t bench;
  int rounds = ROUNDS;
  if (bed_is_server(argc, argv))
    return bed_serve(&options);
  if (argc == 3 && strcmp(argv[1], "--rounds") == 0)
    rounds = atoi(argv[2]);
  MEASURE_CHECK(rounds > 0 && rounds <= MEASURE_ROUNDS_MAX);
  bed_start(&bench.bed);
  bench.client = bed_client(&bench.bed, BED_PLAIN);
  uvow_stream_options_t bounds = {.size = sizeof(bounds)};
  bounds.max_items = 4 * AT_ONCE;
  uvow_stream_t *ticks = uvow_peer_events_with(bench.client, "tick", &bounds);
  bench.end = uvow_stream_each(ticks, on_tick, &bench);
  MEASURE_CHECK(bench.end);
  bed_await(&bench.bed, bench.client);
  if (argc == 3 && strcmp(argv[1], "--count") == 0)
    run_events(&bench, (size_t)atoi(argv[2]) / AT_ONCE);
  else
    compare(&bench, rounds);
  uvow_future_detach(bench.end);
  uvow_peer_unref(bench.client);
  bed_stop(&bench.bed);
  return 0;
}
