/*
 * What do many connections cost, where one would do?
 *
 * First the same 1000 requests in flight over 1, 10, 100 and 1000 connections
 * of one loop, to a server of uvow's in a process of its own: with fewer on
 * each, fewer share a read and a write. In turns with that, as many bytes over
 * as many connections of libuv's TCP alone. Then connections that have nothing
 * to do: ws, ws with permessage-deflate, and wss.
 *
 * How to read it: requests/s and this process's CPU per request are medians of
 * rounds that are interleaved; "of 1" is CPU compared with one connection's,
 * the median of the rounds' own ratios. With 1000 each request has system calls
 * of its own, so that line is what these cost: there uvow should come close to
 * TCP alone, whose part its rate is in the last column. Memory is KiB for each
 * connection, client and server apart: what the loop's allocator holds, and by
 * how much the process grew, which shows OpenSSL's and libuv's too; first as
 * it was opened, then once a message of 1 KiB went both ways.
 *
 * usage: bench_connections [requests a round]
 */
#include <string.h>

#include "../test/support/certs.h"
#include "bare.h"
#include "bed.h"

enum { FLIGHT = 1000, ROUNDS = 5, IDLE = 500, MESSAGE = 1024 };

static const size_t counts[] = {1, 10, 100, 1000};
enum { COUNTS = sizeof(counts) / sizeof(*counts) };

static const char small[] = "{\"x\":123456}";

static void open_all(bed_t *bed, bed_kind_t kind, uvow_peer_t **clients,
                     size_t count) {
  for (size_t i = 0; i < count; i++) {
    clients[i] = bed_client(bed, kind);
    bed_await(bed, clients[i]);
  }
}

static void free_all(uvow_peer_t **clients, size_t count) {
  for (size_t i = 0; i < count; i++)
    uvow_peer_unref(clients[i]);
}

typedef struct way {
  measure_t rates, ns, ratios; /* of 1 connection's ns */
  measure_t of_tcp;
} way_t;

/* A round over the first so many of the connections; the others are idle. */
static double run_way(bed_t *bed, bare_t *bares, const bed_load_t *load,
                      way_t *way, double first) {
  bare_load_t bare = {BARE_REQUEST, FLIGHT, load->requests, NULL};
  double count = (double)load->requests;
  uint64_t start = uv_hrtime();
  bare_run(bares, load->client_count, &bare);
  double tcp = 1e9 / measure_ns_since(start, count);
  double cpu = bed_cpu_us();
  start = uv_hrtime();
  bed_run(bed, load);
  double rate = 1e9 / measure_ns_since(start, count);
  double cost = (bed_cpu_us() - cpu) * 1e3 / count;
  measure_add(&way->rates, rate);
  measure_add(&way->ns, cost);
  measure_add(&way->ratios, first > 0 ? cost / first : 1);
  measure_add(&way->of_tcp, rate / tcp);
  return cost;
}

static void throughput(bed_t *bed, size_t requests) {
  static uvow_peer_t *clients[FLIGHT];
  static bare_t bares[FLIGHT];
  static way_t ways[COUNTS];
  bed_load_t load = {0};
  load.clients = clients;
  load.method = "echo";
  load.params = small;
  load.len = sizeof(small) - 1;
  load.in_flight = FLIGHT;
  load.requests = requests;
  open_all(bed, BED_PLAIN, clients, FLIGHT);
  for (size_t i = 0; i < FLIGHT; i++)
    bare_connect(&bares[i], &bed->uv, bed->bare_port);
  for (int round = -1; round < ROUNDS; round++) {
    double first = 0;
    for (size_t i = 0; i < COUNTS; i++) {
      load.client_count = counts[i];
      double cost = run_way(bed, bares, &load, &ways[i], first);
      first = i ? first : cost;
    }
    if (round < 0) /* that warmed up */
      memset(ways, 0, sizeof(ways));
  }
  printf("%12s %12s %8s %8s %8s\n", "connections", "requests/s", "CPU ns",
         "of 1", "of TCP");
  for (size_t i = 0; i < COUNTS; i++)
    printf("%12zu %12.0f %8.0f %8.2f %8.2f\n", counts[i],
           measure_median(&ways[i].rates), measure_median(&ways[i].ns),
           measure_median(&ways[i].ratios), measure_median(&ways[i].of_tcp));
  free_all(clients, FLIGHT);
  for (size_t i = 0; i < FLIGHT; i++)
    bare_close(&bares[i]);
}

static double kib(long long after, long long before) {
  return (double)(after - before) / IDLE / 1024;
}

static void print_weight(const char *name, const char *when,
                         const bed_stats_t before[2],
                         const bed_stats_t after[2]) {
  printf("%-8s %-15s %9.1f %9.1f %9.1f %9.1f\n", name, when,
         kib(after[0].live_bytes, before[0].live_bytes),
         kib(after[0].rss, before[0].rss),
         kib(after[1].live_bytes, before[1].live_bytes),
         kib(after[1].rss, before[1].rss));
  fflush(stdout);
}

/* In processes of their own, so that nothing was freed there before. */
static void weigh(bed_kind_t kind, const char *name) {
  static bed_t bed;
  static uvow_peer_t *clients[IDLE];
  static char params[MESSAGE];
  bed_stats_t before[2], after[2];
  bed_load_t load = {0};
  memset(params, 'x', sizeof(params));
  memcpy(params, "[\"", 2);
  memcpy(params + MESSAGE - 2, "\"]", 2);
  bed_start(&bed);
  uvow_peer_t *one = bed_client(&bed, kind); /* what all share is there */
  bed_await(&bed, one);
  load.clients = &one;
  load.client_count = load.in_flight = load.requests = 1;
  load.method = "echo";
  load.params = params;
  load.len = MESSAGE;
  bed_run(&bed, &load);
  before[1] = bed_stats(&bed, one);
  before[0] = bed_own_stats(&bed);
  open_all(&bed, kind, clients, IDLE);
  after[1] = bed_stats(&bed, one);
  after[0] = bed_own_stats(&bed);
  print_weight(name, "just opened", before, after);
  load.clients = clients;
  load.client_count = load.in_flight = load.requests = IDLE;
  bed_run(&bed, &load);
  after[1] = bed_stats(&bed, one);
  after[0] = bed_own_stats(&bed);
  print_weight("", "after a message", before, after);
  free_all(clients, IDLE);
  uvow_peer_unref(one);
  bed_stop(&bed);
}

/* Each process makes a certificate; the clients' isn't needed. */
static int serve(void) {
  bed_serve_options_t options = {0};
  cert_t *cert = cert_new_localhost(NULL);
  options.cert_pem = cert->pem;
  options.key_pem = cert->key_pem;
  int status = bed_serve(&options);
  cert_free(cert);
  return status;
}

/* This program again, with the kind's number. */
static void weigh_apart(bed_kind_t kind) {
  char path[4096];
  char command[4200];
  size_t size = sizeof(path);
  MEASURE_CHECK(uv_exepath(path, &size) == 0);
  snprintf(command, sizeof(command), "\"%s\" weigh %d", path, (int)kind);
  fflush(stdout);
  MEASURE_CHECK(system(command) == 0);
}

int main(int argc, char **argv) {
  static const char *const names[BED_KINDS] = {"ws", "deflate", "wss"};
  static bed_t bed;
  if (bed_is_server(argc, argv))
    return serve();
  if (argc == 3 && strcmp(argv[1], "weigh") == 0) {
    int kind = atoi(argv[2]);
    MEASURE_CHECK(kind >= 0 && kind < BED_KINDS);
    weigh((bed_kind_t)kind, names[kind]);
    return 0;
  }
  size_t requests = argc > 1 ? strtoul(argv[1], NULL, 10) : 50000;
  MEASURE_CHECK(requests > 0);
  bed_start(&bed);
  throughput(&bed, requests);
  bed_stop(&bed);
  printf("\n%-24s %19s %19s\n%-24s %9s %9s %9s %9s\n", "KiB a connection",
         "client", "server", "", "uvow's", "process", "uvow's", "process");
  for (int kind = 0; kind < BED_KINDS; kind++)
    weigh_apart((bed_kind_t)kind);
  return 0;
}
