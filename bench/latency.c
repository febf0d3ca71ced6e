/*
 * How much later than TCP alone does an answer come, with one in flight?
 *
 * A request is sent when the last one's answer has come: through the public
 * API, a future and a continuation each, to a server of uvow's in a process of
 * its own; and, in turns with that, as many bytes through libuv's TCP alone to
 * a plain echo in the same process.
 *
 * How to read it: us, each percentile the median of what the rounds say. The
 * ratio is the median of the rounds' own ratios, its extremes beside it; it
 * should be near 1, and its p50 is what uvow adds on both sides. What is far
 * out (p99.9) is the system's: on a machine that does other things it says
 * what these are.
 *
 * usage: bench_latency [requests a round]
 */
#include <string.h>

#include "bare.h"
#include "bed.h"

enum { ROUNDS = 9, SHARES = 3 };

static const char params[] = "{\"x\":123456}";

static const double shares[SHARES] = {0.5, 0.99, 0.999};

static int order(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a;
  uint32_t y = *(const uint32_t *)b;
  return (x > y) - (x < y);
}

/* Sorts them. */
static void percentiles(uint32_t *latencies, size_t count, double *ret_us) {
  qsort(latencies, count, sizeof(*latencies), order);
  for (int i = 0; i < SHARES; i++)
    ret_us[i] = latencies[(size_t)(shares[i] * (double)(count - 1))] / 1e3;
}

static void print(measure_t *uvow, measure_t *bare, measure_t *ratios) {
  printf("%8s %10s %10s %8s %8s %8s\n", "", "uvow, us", "TCP, us", "ratio",
         "least", "most");
  for (int i = 0; i < SHARES; i++) {
    double ratio = measure_median(&ratios[i]); /* and now they're sorted */
    printf("p%-7g %10.1f %10.1f %8.2f %8.2f %8.2f\n", shares[i] * 100,
           measure_median(&uvow[i]), measure_median(&bare[i]), ratio,
           ratios[i].values[0], ratios[i].values[ratios[i].count - 1]);
  }
}

int main(int argc, char **argv) {
  static const bed_serve_options_t options = {0};
  static bed_t bed;
  static bare_t bare;
  measure_t both[2][SHARES] = {0};
  measure_t ratios[SHARES] = {0};
  bed_load_t load = {0};
  bare_load_t bare_load = {0};
  if (bed_is_server(argc, argv))
    return bed_serve(&options);
  size_t count = argc > 1 ? strtoul(argv[1], NULL, 10) : 10000;
  MEASURE_CHECK(count > 0);
  bed_start(&bed);
  uvow_peer_t *client = bed_client(&bed, BED_PLAIN);
  bed_await(&bed, client);
  bare_connect(&bare, &bed.uv, bed.bare_port);
  load.clients = &client;
  load.client_count = load.in_flight = bare_load.in_flight = 1;
  load.method = "echo";
  load.params = params;
  load.len = sizeof(params) - 1;
  load.requests = bare_load.messages = count;
  load.latencies = (uint32_t *)malloc(count * sizeof(uint32_t));
  MEASURE_CHECK(load.latencies);
  bare_load.latencies = load.latencies;
  bare_load.unit = BARE_REQUEST;
  for (int round = -1; round < ROUNDS; round++) { /* the first warms up */
    double us[2][SHARES];
    bed_run(&bed, &load);
    percentiles(load.latencies, count, us[0]);
    bare_run(&bare, 1, &bare_load);
    percentiles(load.latencies, count, us[1]);
    for (int i = 0; round >= 0 && i < SHARES; i++) {
      measure_add(&both[0][i], us[0][i]);
      measure_add(&both[1][i], us[1][i]);
      measure_add(&ratios[i], us[0][i] / us[1][i]);
    }
  }
  print(both[0], both[1], ratios);
  free(load.latencies);
  bare_close(&bare);
  uvow_peer_unref(client);
  bed_stop(&bed);
  return 0;
}
