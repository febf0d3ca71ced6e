/*
 * What does permessage-deflate cost and save, per message size?
 *
 * A client asks a server in the same process, over loopback, to echo JSON of
 * some size: like records of a table, whose keys repeat and whose values don't.
 * Once without compression, once with it, with and without context takeover,
 * at three levels. Both ends are in the numbers: a message is compressed and
 * inflated twice on its way.
 *
 * How to read it: `bytes` is what is left of a message, in percent, as the
 * second of two messages (so that there is something to look back at); `time`
 * is how much longer a request takes than uncompressed in the same round,
 * medians of rounds that are interleaved. Loopback is the best case for going
 * uncompressed. The link at which both are equally fast: what is saved, divided
 * by the time it takes, is `even at`; on a slower one, compressing wins.
 *
 * usage: bench_deflate [--rounds N]
 */
#include <string.h>

#include <uvow/peer.h>
#include <uvow/server.h>
#include <zlib.h>

#include "measure.h"

#define SIZES 6
#define WAYS 6
#define POOL ((size_t)2 << 20) /* bytes of params a round, but: */
#define REQUESTS_MAX 4000
#define AT_ONCE 16

typedef struct way {
  const char *name;
  int level; /* 0: uncompressed */
  int no_takeover;
} way_t;

static const way_t ways[WAYS] = {
    {"uncompressed", 0, 0},        {"level 1", 1, 0},
    {"level 6 (default)", 6, 0},   {"level 9", 9, 0},
    {"level 1, no history", 1, 1}, {"level 6, no history", 6, 1},
};

static const size_t sizes[SIZES] = {64, 256, 1024, 4096, 65536, 1048576};

typedef struct bench {
  uv_loop_t uv;
  uvow_loop_t *loop;
  uvow_server_t *server;
  uvow_peer_t *client;
  const char *pool; /* messages one after the other, no two the same */
  size_t len;
  size_t at;    /* the next one */
  long left;    /* to be asked */
  long pending; /* of those asked */
} bench_t;

static uvow_next_t echo(uvow_call_t *call, const uvow_result_t *params,
                        void *data) {
  (void)call;
  (void)params;
  (void)data;
  return uvow_next_pass();
}

/* Messages of `len` bytes: an array of one text, which looks like records. */
static void make_pool(char *pool, size_t len) {
  static const char keys[] =
      "{'id':'        ','name':'        ','price':'"
      "        ','in_stock':true},";
  uint32_t seed = 1;
  for (size_t i = 0; i < POOL; i++) {
    seed = seed * 1664525 + 1013904223;
    char c = keys[i % len % (sizeof(keys) - 1)];
    pool[i] = c == ' ' ? (char)('0' + (seed >> 24) % 10) : c;
  }
  for (size_t i = 0; i + len <= POOL; i += len) {
    memcpy(pool + i, "[\"", 2);
    memcpy(pool + i + len - 2, "\"]", 2);
  }
}

static void ask(bench_t *bench);

static void on_reply(const uvow_result_t *result, void *data) {
  bench_t *bench = (bench_t *)data;
  uvow_slice_t got = uvow_result_bytes(result);
  MEASURE_CHECK(got.bytes && got.len == bench->len);
  MEASURE_CHECK(got.bytes[0] == '[' && got.bytes[got.len - 1] == ']');
  bench->pending--;
  if (bench->left)
    ask(bench);
  else if (bench->pending == 0)
    uv_stop(&bench->uv);
}

static void ask(bench_t *bench) {
  const char *text = bench->pool + bench->at;
  bench->left--;
  bench->pending++;
  bench->at += bench->len;
  if (bench->at + bench->len > POOL)
    bench->at = 0;
  MEASURE_CHECK(
      uvow_future_done(uvow_peer_request(
                           bench->client, "echo",
                           uvow_value_slice(&(uvow_slice_t){text, bench->len})),
                       on_reply, bench) == 0);
}

static void run(bench_t *bench, long requests) {
  bench->left = requests;
  for (int i = 0; i < AT_ONCE && bench->left; i++)
    ask(bench);
  uv_run(&bench->uv, UV_RUN_DEFAULT);
}

static void start(bench_t *bench, const way_t *way) {
  uvow_deflate_options_t deflate = {0};
  uvow_listener_options_t listener = {.size = sizeof(listener)};
  uvow_peer_options_t server = {.size = sizeof(server)};
  uvow_peer_options_t client = {.size = sizeof(client)};
  uvow_websocket_options_t websocket = {.size = sizeof(websocket)};
  char url[64];
  deflate.size = sizeof(deflate);
  deflate.level = way->level;
  deflate.threshold_bytes = 1;
  deflate.server_no_context_takeover = way->no_takeover;
  deflate.client_no_context_takeover = way->no_takeover;
  client.websocket = &websocket;
  server.protocol = client.protocol = uvow_protocol_by_name("jsonrpc2");
  listener.deflate = websocket.deflate = way->level ? &deflate : NULL;
  MEASURE_CHECK(uv_loop_init(&bench->uv) == 0);
  bench->loop = uvow_loop_new(&bench->uv, NULL);
  MEASURE_CHECK(bench->loop);
  server.methods = uvow_methods_new(bench->loop);
  MEASURE_CHECK(uvow_methods_add(server.methods, "echo", echo, NULL) == 0);
  bench->server =
      uvow_server_new(uvow_listener_new(bench->loop, &listener), &server);
  MEASURE_CHECK(bench->server);
  uvow_methods_unref(server.methods);
  snprintf(url, sizeof(url), "ws://127.0.0.1:%u/",
           (unsigned)uvow_server_port(bench->server));
  bench->client = uvow_peer_connect(bench->loop, url, &client);
  MEASURE_CHECK(bench->client);
}

static void stop(bench_t *bench) {
  uvow_peer_unref(bench->client);
  uvow_server_free(bench->server);
  measure_close(&bench->uv, bench->loop);
}

/* ns per request. */
static double time_way(const way_t *way, const char *pool, size_t len) {
  bench_t bench = {0};
  long requests = (long)(POOL / len);
  if (requests > REQUESTS_MAX)
    requests = REQUESTS_MAX;
  bench.pool = pool;
  bench.len = len;
  start(&bench, way);
  run(&bench, 2);
  uint64_t begin = uv_hrtime();
  run(&bench, requests);
  double ns = measure_ns_since(begin, (double)requests);
  stop(&bench);
  return ns;
}

/* Bytes of the second of two messages, as zlib makes them. */
static size_t packed_size(const way_t *way, char *pool, size_t len) {
  z_stream z;
  size_t room = len + len / 100 + 1000;
  Bytef *out = (Bytef *)malloc(room);
  size_t size = 0;
  if (way->level == 0) {
    free(out);
    return len;
  }
  memset(&z, 0, sizeof(z));
  MEASURE_CHECK(out && deflateInit2(&z, way->level, Z_DEFLATED, -15, 8,
                                    Z_DEFAULT_STRATEGY) == Z_OK);
  for (int i = 0; i < 2; i++) {
    z.next_in = (Bytef *)pool + (size_t)i * len;
    z.avail_in = (uInt)len;
    z.next_out = out;
    z.avail_out = (uInt)room;
    MEASURE_CHECK(deflate(&z, Z_SYNC_FLUSH) == Z_OK && z.avail_out);
    size = room - z.avail_out - 4;
    if (way->no_takeover)
      deflateReset(&z);
  }
  deflateEnd(&z);
  free(out);
  return size;
}

static void print_size(char *pool, size_t len, int rounds) {
  measure_t times[WAYS];
  memset(times, 0, sizeof(times));
  make_pool(pool, len);
  for (int round = 0; round < rounds; round++)
    for (int i = 0; i < WAYS; i++)
      measure_add(&times[i], time_way(&ways[i], pool, len));
  double plain = measure_median(&times[0]);
  printf("\n%zu bytes: %.1f us per request uncompressed\n", len, plain / 1000);
  for (int i = 1; i < WAYS; i++) {
    double more = measure_median(&times[i]) - plain;
    size_t size = packed_size(&ways[i], pool, len);
    double saved = 2 * ((double)len - (double)size) * 8; /* bits, both ways */
    printf("  %-18s %6.1f %%  %+9.1f us  x%-6.2f", ways[i].name,
           100 * (double)size / (double)len, more / 1000,
           (plain + more) / plain);
    if (saved > 0 && more > 0)
      printf("  even at %.0f Mbit/s", saved * 1000 / more);
    printf("\n");
  }
}

int main(int argc, char **argv) {
  int rounds = 5;
  if (argc == 3 && strcmp(argv[1], "--rounds") == 0)
    rounds = atoi(argv[2]);
  MEASURE_CHECK(rounds > 0 && rounds <= MEASURE_ROUNDS_MAX);
  char *pool = (char *)malloc(POOL);
  MEASURE_CHECK(pool != NULL);
  printf("%-20s %8s  %12s\n", "", "bytes", "time");
  for (int i = 0; i < SIZES; i++)
    print_size(pool, sizes[i], rounds);
  free(pool);
  return 0;
}
