/*
 * How often is memory asked for, per request, once all is warm?
 *
 * A client echoes payloads through a server in a process of its own. Counted
 * are, on both sides, the calls of the allocator that a uvow loop was given,
 * and all of malloc, calloc and realloc in the process, whoever called: uvow,
 * wslay, jansson, libuv. For that this program has a malloc of its own, which
 * counts and calls glibc's; elsewhere the columns of malloc are missing.
 *
 * How to read it: calls per request in the steady state, with 64 in flight. For
 * byte payloads all should be 0 as long as a message fits uvow's pools; with
 * json_t the calls of malloc are jansson's. The client's last column counts one
 * json_t more than a user's: the load generator copies its params for each
 * request. The server never looks into the params, whatever the client does.
 */
#include <string.h>

#include <jansson.h>

#include "bed.h"
#include "mallocs.h"

enum {
  IN_FLIGHT = 64,
  LEN_MAX = 65536,
  BYTES = 64 << 20,
  REQUESTS_MAX = 50000
};

typedef struct row {
  const char *name;
  size_t len; /* of the params, as bytes */
  int json;
} row_t;

static const row_t rows[] = {
    {"bytes, 8 B", 8, 0},        {"bytes, 64 B", 64, 0},
    {"bytes, 256 B", 256, 0},    {"bytes, 1 KiB", 1024, 0},
    {"bytes, 4 KiB", 4096, 0},   {"bytes, 16 KiB", 16384, 0},
    {"bytes, 64 KiB", 65536, 0}, {"json_t, {\"x\":81}", 8, 1},
};

static double each(long long after, long long before, size_t requests) {
  return (double)(after - before) / (double)requests;
}

static void print_head(void) {
  if (OWN_MALLOC)
    printf("%-18s %21s %21s\n%-18s %10s %10s %10s %10s\n", "calls per request",
           "client", "server", "payload", "uvow's", "malloc", "uvow's",
           "malloc");
  else
    printf("%-18s %10s %10s\n%-18s %10s %10s\n", "calls per request", "client",
           "server", "payload", "uvow's", "uvow's");
}

static void print_row(bed_t *bed, uvow_peer_t *client, const row_t *row) {
  static char params[LEN_MAX];
  bed_load_t load = {0};
  memset(params, 'x', row->len);
  memcpy(params, "[\"", 2);
  memcpy(params + row->len - 2, "\"]", 2);
  load.clients = &client;
  load.client_count = 1;
  load.method = "echo";
  load.params = params;
  load.len = row->len;
  load.json = row->json ? json_pack("{s:i}", "x", 81) : NULL;
  load.in_flight = IN_FLIGHT;
  load.requests = BYTES / row->len;
  if (load.requests > REQUESTS_MAX)
    load.requests = REQUESTS_MAX;
  bed_run(bed, &load); /* warms up */
  bed_stats_t server = bed_stats(bed, client);
  bed_stats_t own = bed_own_stats(bed);
  size_t before = malloc_count();
  bed_run(bed, &load);
  size_t after = malloc_count();
  bed_stats_t own_after = bed_own_stats(bed);
  bed_stats_t server_after = bed_stats(bed, client);
  json_decref(load.json);
  printf("%-18s %10.4f", row->name,
         each(own_after.calls, own.calls, load.requests));
  if (OWN_MALLOC)
    printf(" %10.4f", each((long long)after, (long long)before, load.requests));
  printf(" %10.4f", each(server_after.calls, server.calls, load.requests));
  if (OWN_MALLOC)
    printf(" %10.4f",
           each(server_after.mallocs, server.mallocs, load.requests));
  printf("\n");
  fflush(stdout);
}

int main(int argc, char **argv) {
  static const bed_serve_options_t options = {NULL, NULL, malloc_count};
  static bed_t bed;
  if (bed_is_server(argc, argv))
    return bed_serve(&options);
  bed_start(&bed);
  uvow_peer_t *client = bed_client(&bed, BED_PLAIN);
  bed_await(&bed, client);
  print_head();
  for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
    print_row(&bed, client, &rows[i]);
  uvow_peer_unref(client);
  bed_stop(&bed);
  return 0;
}
