/*
 * Does a request cost more when many others are pending, and what does each of
 * those weigh?
 *
 * Byte payloads through the public API, a future and a continuation each, to a
 * server of uvow's in a process of its own. With 1024, 100,000 and 1,000,000 in
 * flight on one connection; with 1024 beside 100,000 old ones that are never
 * answered; with a deadline for each request (30 s, the default) and with none.
 * Then so many requests that are never answered, and the bytes that the
 * client's allocator holds for them.
 *
 * How to read it: CPU is what this process spent on a request, user and system;
 * "of 1024" is that compared with the first line, the median of the rounds' own
 * ratios. All should be near 1: what is in flight is looked up in a table, and
 * deadlines cost the same however many there are. A million don't fit a cache,
 * which costs something for any table. requests/s depends on the server too,
 * which has as many calls to answer.
 *
 * usage: bench_pending [rounds]
 */
#include <string.h>

#include "bed.h"

enum { ROUNDS = 3, OLD = 100000, STEP = 1000 };

static const char params[] = "{\"x\":123456}";

typedef struct row {
  size_t in_flight;
  size_t old;
  int no_deadline;
  size_t requests;
} row_t;

static const row_t rows[] = {
    {1024, 0, 0, 500000},     {1024, 0, 1, 500000},     {1024, OLD, 0, 500000},
    {1024, OLD, 1, 500000},   {100000, 0, 0, 500000},   {100000, 0, 1, 500000},
    {1000000, 0, 0, 2000000}, {1000000, 0, 1, 2000000},
};
enum { ROWS = sizeof(rows) / sizeof(*rows) };

typedef struct bench {
  bed_t bed;
  uvow_peer_t *clients[ROWS]; /* each one's table and pools stay its own */
  uvow_request_options_t options;
} bench_t;

/* The connection was closed first. */
static void on_end(const uvow_result_t *result, void *data) {
  (void)data;
  MEASURE_CHECK(result->error &&
                uvow_error_code(result->error) == UVOW_ECLOSED);
}

/* In steps, so that it isn't the bytes to be sent that take the memory. */
static void leave_pending(bench_t *bench, uvow_peer_t *client, size_t count) {
  for (size_t i = 0; i < count; i++) {
    uvow_future_t *f = uvow_peer_request_with(
        client, "never",
        uvow_value_slice(&(uvow_slice_t){params, sizeof(params) - 1}),
        &bench->options);
    MEASURE_CHECK(uvow_future_done(f, on_end, NULL) == 0);
    if (i % STEP == STEP - 1)
      bed_stats(&bench->bed, client); /* so it has them all */
  }
  bed_stats(&bench->bed, client);
}

static double ns_of(bench_t *bench, size_t i, double *ret_rate) {
  const row_t *row = &rows[i];
  bed_load_t load = {0};
  load.clients = &bench->clients[i];
  load.client_count = 1;
  load.method = "echo";
  load.params = params;
  load.len = sizeof(params) - 1;
  load.options = row->no_deadline ? &bench->options : NULL;
  load.in_flight = row->in_flight;
  load.requests = row->requests;
  double cpu = bed_cpu_us();
  uint64_t start = uv_hrtime();
  bed_run(&bench->bed, &load);
  *ret_rate = 1e9 / measure_ns_since(start, (double)load.requests);
  return (bed_cpu_us() - cpu) * 1e3 / (double)load.requests;
}

static void costs(bench_t *bench, int rounds) {
  static measure_t ns[ROWS], rates[ROWS], ratios[ROWS];
  for (size_t i = 0; i < ROWS; i++) {
    bench->clients[i] = bed_client(&bench->bed, BED_PLAIN);
    bed_await(&bench->bed, bench->clients[i]);
    leave_pending(bench, bench->clients[i], rows[i].old);
  }
  for (int round = -1; round < rounds; round++) {
    double first = 0;
    for (size_t i = 0; i < ROWS; i++) {
      double rate;
      double cost = ns_of(bench, i, &rate);
      first = i ? first : cost;
      if (round < 0) /* the first warms up */
        continue;
      measure_add(&ns[i], cost);
      measure_add(&rates[i], rate);
      measure_add(&ratios[i], cost / first);
    }
  }
  printf("%10s %10s  %-8s %12s %8s %8s\n", "in flight", "old", "deadline",
         "requests/s", "CPU ns", "of 1024");
  for (size_t i = 0; i < ROWS; i++) {
    printf("%10zu %10zu  %-8s %12.0f %8.0f %8.2f\n", rows[i].in_flight,
           rows[i].old, rows[i].no_deadline ? "none" : "30 s",
           measure_median(&rates[i]), measure_median(&ns[i]),
           measure_median(&ratios[i]));
    uvow_peer_unref(bench->clients[i]);
  }
}

static void weigh(bench_t *bench, size_t count) {
  uvow_peer_t *client = bed_client(&bench->bed, BED_PLAIN);
  bed_await(&bench->bed, client);
  bed_stats_t before = bed_own_stats(&bench->bed);
  leave_pending(bench, client, count);
  bed_stats_t after = bed_own_stats(&bench->bed);
  printf(
      "%10zu pending: %6.1f bytes each, with their share of the tables; "
      "the process grew by %.1f each\n",
      count, (double)(after.live_bytes - before.live_bytes) / (double)count,
      (double)(after.rss - before.rss) / (double)count);
  uvow_peer_unref(client);
}

int main(int argc, char **argv) {
  static const bed_serve_options_t options = {0};
  static bench_t bench;
  if (bed_is_server(argc, argv))
    return bed_serve(&options);
  int rounds = argc > 1 ? atoi(argv[1]) : ROUNDS;
  MEASURE_CHECK(rounds > 0 && rounds <= MEASURE_ROUNDS_MAX);
  bench.options.size = sizeof(bench.options);
  bench.options.timeout_ms = UVOW_NO_TIMEOUT;
  static const size_t counts[] = {1024, 100000, 1000000};
  for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
    bed_start(&bench.bed); /* a loop whose pools are empty */
    weigh(&bench, counts[i]);
    bed_stop(&bench.bed);
  }
  bed_start(&bench.bed);
  costs(&bench, rounds);
  bed_stop(&bench.bed);
  return 0;
}
