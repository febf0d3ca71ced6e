/*
 * How many requests a second does one connection answer, with N in flight?
 *
 * A server of uvow's, in a process of its own, echoes the params of JSON-RPC
 * requests; the client keeps N of them in flight, each {"x":<its number>}, and
 * checks every answer against its own request. "bytes" leaves the payload as
 * text, "json" makes a json_t for each request and for each answer.
 *
 * How to read it: requests/s is the median of the rounds; p50 and p99 are from
 * the request's call to its continuation, of all rounds. CPU is what the
 * client's process spent on a request, user and system. "bare" is what libuv
 * alone does on this machine, in turns with the rounds: a uv_tcp that sends as
 * many bytes as a request has on the wire to a plain echo, with the same number
 * in flight, and only counts what comes back. Compare the ratio and the CPU
 * between versions and machines; requests/s itself depends on both.
 *
 * At 1 in flight all is latency of the system: the ratio should be near 1. With
 * many in flight one write carries many requests, and the ratio is what it
 * costs to frame, correlate and settle; bare TCP then moves bytes and no more.
 */
#include <string.h>

#include <jansson.h>
#include <uvow.h>

#include "bare.h"
#include "bed.h"

enum { FLIGHT_MAX = 1024, ROUNDS = 3, TEXT_MAX = 32 };

/* No further round begins after this. */
#define TIME_LIMIT_NS 12000000000u

/* What is measured: a line of the table. */
typedef struct load {
  unsigned in_flight;
  int json;
  uint32_t requests; /* a round */
} load_t;

static const load_t loads[] = {
    {1, 0, 20000}, {64, 0, 200000}, {1024, 0, 200000}, {1024, 1, 100000}};

typedef struct bench bench_t;

/* A request in flight. */
typedef struct slot {
  bench_t *bench;
  uint64_t start; /* ns */
  uint32_t number;
  uint32_t len;
  char params[TEXT_MAX];
} slot_t;

struct bench {
  bed_t bed;
  uvow_peer_t *client;
  bare_t bare;
  const load_t *load;
  uint32_t sent;
  uint32_t answered;
  uint32_t *latencies; /* ns; of all rounds of a load */
  size_t latency_count;
  slot_t slots[FLIGHT_MAX];
};

/* uvow. */

static void on_answer(const uvow_result_t *result, void *data);

static void send_request(slot_t *slot, uint64_t now) {
  bench_t *bench = slot->bench;
  uvow_future_t *f;
  slot->number = bench->sent++;
  slot->start = now;
  if (bench->load->json) {
    f = uvow_peer_request(
        bench->client, "echo",
        uvow_value_json(json_pack("{s:I}", "x", (json_int_t)slot->number)));
  } else {
    slot->len = (uint32_t)snprintf(slot->params, sizeof(slot->params),
                                   "{\"x\":%u}", (unsigned)slot->number);
    f = uvow_peer_request(
        bench->client, "echo",
        uvow_value_slice(&(uvow_slice_t){slot->params, slot->len}));
  }
  MEASURE_CHECK(uvow_future_done(f, on_answer, slot) == 0);
}

static int is_own(const slot_t *slot, const uvow_result_t *result) {
  if (slot->bench->load->json)
    return json_integer_value(json_object_get(uvow_result_json(result), "x")) ==
           (json_int_t)slot->number;
  uvow_slice_t got = uvow_result_bytes(result);
  return got.len == slot->len && memcmp(got.bytes, slot->params, got.len) == 0;
}

static void on_answer(const uvow_result_t *result, void *data) {
  slot_t *slot = (slot_t *)data;
  bench_t *bench = slot->bench;
  MEASURE_CHECK(!result->error && is_own(slot, result));
  uint64_t now = uv_hrtime();
  bench->latencies[bench->latency_count++] = (uint32_t)(now - slot->start);
  if (bench->sent < bench->load->requests)
    send_request(slot, now);
  if (++bench->answered == bench->load->requests)
    uv_stop(&bench->bed.uv);
}

static void run_uvow(bench_t *bench) {
  bench->sent = bench->answered = 0;
  for (unsigned i = 0; i < bench->load->in_flight; i++)
    send_request(&bench->slots[i], uv_hrtime());
  uv_run(&bench->bed.uv, UV_RUN_DEFAULT);
}

/* libuv alone. */

static void run_bare(bench_t *bench) {
  bare_load_t load = {0};
  load.unit = BARE_REQUEST;
  load.in_flight = bench->load->in_flight;
  load.messages = bench->load->requests;
  bare_run(&bench->bare, 1, &load);
}

/* Measuring. */

typedef struct rates {
  measure_t per_second;
  measure_t cpu_us;
} rates_t;

static void run_round(bench_t *bench, void (*run)(bench_t *bench),
                      rates_t *rates) {
  double cpu = bed_cpu_us();
  uint64_t start = uv_hrtime();
  double count = bench->load->requests;
  run(bench);
  measure_add(&rates->per_second, 1e9 / measure_ns_since(start, count));
  measure_add(&rates->cpu_us, (bed_cpu_us() - cpu) / count);
}

static int order(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a;
  uint32_t y = *(const uint32_t *)b;
  return (x > y) - (x < y);
}

static double percentile_us(const bench_t *bench, double share) {
  size_t at = (size_t)(share * (double)(bench->latency_count - 1));
  return bench->latencies[at] / 1e3;
}

static void run_load(bench_t *bench, const load_t *load, uint64_t began) {
  rates_t uvow = {0};
  rates_t bare = {0};
  load_t warm = {load->in_flight, load->json, load->requests / 20};
  bench->load = &warm;
  bench->latencies =
      (uint32_t *)malloc(sizeof(uint32_t) * ROUNDS * load->requests);
  MEASURE_CHECK(bench->latencies);
  bench->latency_count = 0;
  run_uvow(bench);
  run_bare(bench);
  bench->load = load;
  bench->latency_count = 0;
  for (int i = 0; i < ROUNDS; i++) {
    if (i && uv_hrtime() - began > TIME_LIMIT_NS)
      break;
    run_round(bench, run_uvow, &uvow);
    run_round(bench, run_bare, &bare);
  }
  qsort(bench->latencies, bench->latency_count, sizeof(uint32_t), order);
  double rate = measure_median(&uvow.per_second);
  double bare_rate = measure_median(&bare.per_second);
  printf("%9u  %-7s %10.0f %8.1f %8.1f %8.2f  %11.0f %8.2f  %6.2f\n",
         load->in_flight, load->json ? "json" : "bytes", rate,
         percentile_us(bench, 0.5), percentile_us(bench, 0.99),
         measure_median(&uvow.cpu_us), bare_rate, measure_median(&bare.cpu_us),
         rate / bare_rate);
  fflush(stdout);
  free(bench->latencies);
}

int main(int argc, char **argv) {
  static bench_t bench;
  static const bed_serve_options_t options = {0};
  uint64_t began = uv_hrtime();
  if (bed_is_server(argc, argv))
    return bed_serve(&options);
  for (unsigned i = 0; i < FLIGHT_MAX; i++)
    bench.slots[i].bench = &bench;
  bed_start(&bench.bed);
  bench.client = bed_client(&bench.bed, BED_PLAIN);
  bed_await(&bench.bed, bench.client);
  bare_connect(&bench.bare, &bench.bed.uv, bench.bed.bare_port);
  printf(
      "How many requests a second does one connection answer?\n"
      "                       uvow                               "
      "bare TCP              ratio\n"
      "in flight  payload requests/s   p50 us   p99 us   CPU us  "
      " messages/s   CPU us   of rates\n");
  for (size_t i = 0; i < sizeof(loads) / sizeof(*loads); i++)
    run_load(&bench, &loads[i], began);
  printf("Every answer was checked against its own request.\n");
  uvow_peer_unref(bench.client);
  bare_close(&bench.bare);
  bed_stop(&bench.bed);
  return 0;
}
