/*
 * How many bytes a second do messages of each size carry?
 *
 * A client echoes a JSON text through a server of uvow's in a process of its
 * own: JSON-RPC with byte payloads, through the public API, without
 * compression. So every byte is framed, masked, sent, unmasked, checked for
 * UTF-8 and JSON's ends, copied, and goes the same way back without a mask. In
 * turns with that as many bytes go through libuv's TCP alone to a plain echo,
 * which gives back what it has before a message is whole.
 *
 * How to read it: MB/s counts a message once, though it goes both ways. The
 * ratio is uvow's rate as part of TCP's, the median of the rounds' own ratios
 * and their extremes. They differ in the text only: "ASCII", "mixed" (every third
 * character is from beyond ASCII) and "Chinese" are one string, "objects" are
 * small ones, 31,000 in 1 MiB. "mallocs" are the calls of uvow's allocator per
 * message, on both sides together.
 *
 * usage: bench_framing [rounds]
 */
#include <string.h>

#include "bare.h"
#include "bed.h"

enum { ROUNDS = 5, LEN_MAX = 1048576, ENVELOPE = 60 };

typedef enum text { ASCII, MIXED, CHINESE, OBJECTS } text_t;

static const char *const names[] = {"ASCII", "mixed", "Chinese", "objects"};

typedef struct row {
  size_t len; /* of the params */
  text_t text;
  size_t in_flight;
  size_t messages;
} row_t;

static const row_t rows[] = {
    {64, ASCII, 1, 2000},       {64, ASCII, 256, 100000},
    {1024, ASCII, 1, 2000},     {1024, ASCII, 64, 50000},
    {65536, ASCII, 1, 500},     {65536, ASCII, 16, 1000},
    {65536, MIXED, 16, 1000},   {1048576, ASCII, 1, 100},
    {1048576, ASCII, 4, 200},   {1048576, MIXED, 4, 200},
    {1048576, CHINESE, 4, 200}, {1048576, OBJECTS, 4, 200},
};

/* Again and again, as often as it fits behind what is there. */
static void repeat(char *text, size_t len, const char *unit) {
  size_t size = strlen(unit);
  for (size_t i = 2; i + size <= len - 2; i += size)
    memcpy(text + i, unit, size);
}

/* A JSON array of one text, or of objects, of exactly so many bytes. */
static void make_text(char *text, size_t len, text_t kind) {
  memset(text, kind == OBJECTS ? ' ' : 'x', len);
  if (kind == MIXED)
    repeat(text, len, "ab\xc3\xa9\x63\x64\xe6\x97\xa5");
  else if (kind == CHINESE)
    repeat(text, len, "\xe4\xb8\xad\xe6\x96\x87");
  else if (kind == OBJECTS)
    repeat(text, len, "{\"id\":12345,\"name\":\"item 12345\"},");
  memcpy(text, kind == OBJECTS ? "[ " : "[\"", 2);
  memcpy(text + len - 2, kind == OBJECTS ? "0]" : "\"]", 2);
}

typedef struct bench {
  bed_t bed;
  bare_t bare;
  uvow_peer_t *client;
} bench_t;

static double mb_per_s(const row_t *row, uint64_t start) {
  return (double)row->len * 1e3 /
         measure_ns_since(start, (double)row->messages);
}

static long long calls(bench_t *bench) {
  return bed_own_stats(&bench->bed).calls +
         bed_stats(&bench->bed, bench->client).calls;
}

static void print_row(bench_t *bench, const row_t *row, int rounds) {
  static char text[LEN_MAX];
  measure_t uvow = {0}, tcp = {0}, ratios = {0};
  bed_load_t load = {0};
  bare_load_t bare = {0};
  long long before = 0;
  make_text(text, row->len, row->text);
  load.clients = &bench->client;
  load.client_count = 1;
  load.method = "echo";
  load.params = text;
  load.len = row->len;
  load.in_flight = bare.in_flight = row->in_flight;
  load.requests = bare.messages = row->messages;
  bare.unit = row->len + ENVELOPE;
  for (int round = -1; round < rounds; round++) { /* the first warms up */
    if (round == 0)
      before = calls(bench);
    uint64_t start = uv_hrtime();
    bed_run(&bench->bed, &load);
    double own = mb_per_s(row, start);
    start = uv_hrtime();
    bare_run(&bench->bare, 1, &bare);
    double alone = mb_per_s(row, start);
    if (round < 0)
      continue;
    measure_add(&uvow, own);
    measure_add(&tcp, alone);
    measure_add(&ratios, own / alone);
  }
  double mallocs = (double)(calls(bench) - before) /
                   ((double)rounds * (double)row->messages);
  double ratio = measure_median(&ratios); /* and now they're sorted */
  double rate = measure_median(&uvow);
  printf("%8zu %-7s %9zu %9.0f %9.1f %9.1f %6.2f %6.2f %6.2f %8.2f\n", row->len,
         names[row->text], row->in_flight, rate * 1e6 / (double)row->len, rate,
         measure_median(&tcp), ratio, ratios.values[0],
         ratios.values[ratios.count - 1], mallocs);
  fflush(stdout);
}

int main(int argc, char **argv) {
  static const bed_serve_options_t options = {0};
  static bench_t bench;
  if (bed_is_server(argc, argv))
    return bed_serve(&options);
  int rounds = argc > 1 ? atoi(argv[1]) : ROUNDS;
  MEASURE_CHECK(rounds > 0 && rounds <= MEASURE_ROUNDS_MAX);
  bed_start(&bench.bed);
  bench.client = bed_client(&bench.bed, BED_PLAIN);
  bed_await(&bench.bed, bench.client);
  bare_connect(&bench.bare, &bench.bed.uv, bench.bed.bare_port);
  printf("%8s %-7s %9s %9s %9s %9s %6s %6s %6s %8s\n", "bytes", "text",
         "in flight", "messages", "MB/s", "TCP, MB/s", "ratio", "least", "most",
         "mallocs");
  for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
    print_row(&bench, &rows[i], rounds);
  bare_close(&bench.bare);
  uvow_peer_unref(bench.client);
  bed_stop(&bench.bed);
  return 0;
}
