/*
 * What does it cost a server to publish an event, for each peer?
 *
 * A server of uvow's, in a process of its own, publishes "tick" to all of its
 * peers as often as it's asked to, and answers behind that. The peers are here:
 * plain TCP, so that 10,000 of them are cheap, which only count bytes.
 *
 * How to read it: CPU a peer is what the server's process spent on one event to
 * one peer, user and system; most of it is the system's, as each peer is a
 * write. The event is written once for all: so it falls with the number of peers,
 * to what the system takes. With a burst of 10 events each peer's ten are one
 * write. A KiB of prices, compressed: once for all where nothing is remembered
 * (server_no_context_takeover), else once a peer, and not for 10,000 of them: each
 * history takes 256 KiB.
 *
 * usage: bench_publish [rounds]
 */
#include <string.h>

#include "bed.h"

enum { ROUNDS = 5, PEERS_MAX = 10000, EVENTS = 100000, READ_SIZE = 65536 };

static const char handshake[] =
    "GET / HTTP/1.1\r\n"
    "Host: 127.0.0.1\r\n"
    "Upgrade: websocket\r\n"
    "Connection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\n"
    "%s"
    "Sec-WebSocket-Key: "
    "dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

#define DEFLATE "Sec-WebSocket-Extensions: permessage-deflate"

typedef struct kind {
  const char *name;
  bed_kind_t bed;
  const char *method;
  const char *header;
  size_t counts; /* of peers */
} kind_t;

static const kind_t kinds[] = {
    {"plain", BED_PLAIN, "publish", "", 3},
    {"1 KiB", BED_PLAIN, "publish_long", "", 3},
    {"compressed once", BED_DEFLATE, "publish_long",
     DEFLATE "; server_no_context_takeover\r\n", 3},
    {"once a peer", BED_DEFLATE, "publish_long", DEFLATE "\r\n", 2}};

typedef struct ear {
  uv_tcp_t tcp; /* first */
  uv_connect_t connect;
  struct bench *bench;
  uint8_t head[4]; /* of a frame */
  size_t head_len;
  size_t left; /* bytes of it */
  int is_open;
} ear_t;

typedef struct bench {
  bed_t bed;
  uvow_peer_t *client;
  ear_t *ears;
  size_t ear_count;
  size_t open;
  size_t heard; /* events, of all */
  size_t wanted;
  const kind_t *kind;
  char in[READ_SIZE];
} bench_t;

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf) {
  bench_t *bench = ((ear_t *)handle)->bench;
  (void)suggested;
  *buf = uv_buf_init(bench->in, sizeof(bench->in));
}

/* Frames of a server, of less than 64 KiB. */
static size_t count_frames(ear_t *ear, const uint8_t *at, size_t len) {
  size_t count = 0;
  while (len) {
    size_t part = ear->left < len ? ear->left : len;
    int was_in = ear->left > 0;
    ear->left -= part;
    at += part;
    len -= part;
    count += was_in && ear->left == 0;
    if (len == 0 || ear->left)
      continue;
    ear->head[ear->head_len++] = *at++;
    len--;
    size_t size = ear->head_len > 1 && (ear->head[1] & 127) == 126 ? 4 : 2;
    if (ear->head_len < size)
      continue;
    ear->head_len = 0;
    ear->left =
        size == 2 ? ear->head[1] : (size_t)ear->head[2] << 8 | ear->head[3];
  }
  return count;
}

static void on_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buf) {
  ear_t *ear = (ear_t *)stream;
  bench_t *bench = ear->bench;
  MEASURE_CHECK(len >= 0);
  if (!ear->is_open) {
    MEASURE_CHECK(len > 12 && memcmp(buf->base, "HTTP/1.1 101", 12) == 0 &&
                  memcmp(buf->base + len - 4, "\r\n\r\n", 4) == 0);
    ear->is_open = 1;
    if (++bench->open == bench->ear_count)
      uv_stop(&bench->bed.uv);
    return;
  }
  bench->heard += count_frames(ear, (const uint8_t *)buf->base, (size_t)len);
  if (bench->heard == bench->wanted)
    uv_stop(&bench->bed.uv);
}

static void connect_ear(bench_t *bench, ear_t *ear);

static void on_connect(uv_connect_t *req, int status) {
  ear_t *ear = (ear_t *)req->data;
  bench_t *bench = ear->bench;
  char text[512];
  int len = snprintf(text, sizeof(text), handshake, bench->kind->header);
  uv_buf_t buf = uv_buf_init(text, (unsigned)len);
  MEASURE_CHECK(status == 0);
  MEASURE_CHECK(uv_try_write((uv_stream_t *)&ear->tcp, &buf, 1) ==
                (int)buf.len);
  MEASURE_CHECK(uv_read_start((uv_stream_t *)&ear->tcp, on_alloc, on_read) ==
                0);
  if (ear + 1 < bench->ears + bench->ear_count)
    connect_ear(bench, ear + 1);
}

static void connect_ear(bench_t *bench, ear_t *ear) {
  struct sockaddr_in address;
  ear->bench = bench;
  ear->connect.data = ear;
  uv_ip4_addr("127.0.0.1", (int)bench->bed.ports[bench->kind->bed], &address);
  MEASURE_CHECK(uv_tcp_init(&bench->bed.uv, &ear->tcp) == 0);
  MEASURE_CHECK(uv_tcp_connect(&ear->connect, &ear->tcp,
                               (const struct sockaddr *)&address,
                               on_connect) == 0);
}

static void on_closed(uv_handle_t *handle) {
  bench_t *bench = ((ear_t *)handle)->bench;
  if (--bench->open == 0)
    uv_stop(&bench->bed.uv);
}

/* The client hears them too: it has no use for them. */
static void publish(bench_t *bench, unsigned burst) {
  char params[16];
  bed_load_t load = {0};
  snprintf(params, sizeof(params), "[%u]", burst);
  load.clients = &bench->client;
  load.client_count = 1;
  load.method = bench->kind->method;
  load.params = params;
  load.len = strlen(params);
  load.in_flight = 1;
  load.requests = 1;
  bench->wanted += burst * bench->ear_count;
  bed_run(&bench->bed, &load);
  if (bench->heard < bench->wanted)
    uv_run(&bench->bed.uv, UV_RUN_DEFAULT);
  MEASURE_CHECK(bench->heard == bench->wanted);
}

/* Returns us of the server's CPU, for an event to one peer. */
static double run_round(bench_t *bench, unsigned burst) {
  size_t events = 0;
  bed_stats_t before = bed_stats(&bench->bed, bench->client);
  size_t most = bench->ear_count == 1 ? EVENTS / 5 : EVENTS;
  for (; events < most; events += burst * bench->ear_count)
    publish(bench, burst);
  bed_stats_t after = bed_stats(&bench->bed, bench->client);
  return (double)(after.cpu_us - before.cpu_us) / (double)events;
}

static void measure_peers(bench_t *bench, size_t count, int rounds) {
  measure_t single = {0};
  measure_t burst = {0};
  bench->ear_count = count;
  bench->ears = (ear_t *)calloc(count, sizeof(*bench->ears));
  MEASURE_CHECK(bench->ears);
  bench->heard = bench->wanted = 0;
  connect_ear(bench, bench->ears);
  uv_run(&bench->bed.uv, UV_RUN_DEFAULT);
  publish(bench, 1);
  for (int i = 0; i < rounds; i++) {
    measure_add(&single, run_round(bench, 1));
    measure_add(&burst, run_round(bench, 10));
  }
  printf("%-16s %8zu %12.3f %12.3f\n", bench->kind->name, count,
         measure_median(&single), measure_median(&burst));
  fflush(stdout);
  for (size_t i = 0; i < count; i++)
    uv_close((uv_handle_t *)&bench->ears[i].tcp, on_closed);
  uv_run(&bench->bed.uv, UV_RUN_DEFAULT);
  free(bench->ears);
}

int main(int argc, char **argv) {
  static const bed_serve_options_t options = {NULL, NULL, NULL};
  static const size_t counts[] = {1, 1000, PEERS_MAX};
  static bench_t bench;
  if (bed_is_server(argc, argv))
    return bed_serve(&options);
  int rounds = argc > 1 ? atoi(argv[1]) : ROUNDS;
  MEASURE_CHECK(rounds > 0 && rounds <= MEASURE_ROUNDS_MAX);
  bed_start(&bench.bed);
  printf("%-16s %8s %25s\n%-16s %8s %12s %12s\n", "", "",
         "CPU us, an event a peer", "", "peers", "one", "burst of 10");
  for (size_t k = 0; k < sizeof(kinds) / sizeof(*kinds); k++) {
    bench.kind = &kinds[k];
    bench.client = bed_client(&bench.bed, kinds[k].bed);
    bed_await(&bench.bed, bench.client);
    for (size_t i = 0; i < kinds[k].counts; i++)
      measure_peers(&bench, counts[i], rounds);
    uvow_peer_unref(bench.client);
  }
  bed_stop(&bench.bed);
  return 0;
}
