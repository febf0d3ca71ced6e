/*
 * How often is memory asked for, per request, once all is warm?
 *
 * A client echoes payloads through a server in a process of its own. Counted
 * are, on both sides, the calls of the allocator that a uvow loop was given,
 * and all of malloc, calloc and realloc in the process, whoever called: uvow,
 * wslay, jansson, libuv, OpenSSL. For that this program has a malloc of its own, which
 * counts and calls glibc's; elsewhere the columns of malloc are missing.
 *
 * How to read it: calls per request in the steady state, with 64 in flight. For
 * byte payloads all should be 0 as long as a message fits uvow's pools; with
 * json_t the calls of malloc are jansson's, over wss OpenSSL's. The client's last column counts one
 * json_t more than a user's: the load generator copies its params for each
 * request. The server never looks into the params, whatever the client does.
 */
#include <string.h>

#include <jansson.h>

#include "../test/support/certs.h"
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
  bed_kind_t kind;
} row_t;

static const row_t rows[] = {
    {"bytes, 8 B", 8, 0, BED_PLAIN},
    {"bytes, 64 B", 64, 0, BED_PLAIN},
    {"bytes, 256 B", 256, 0, BED_PLAIN},
    {"bytes, 1 KiB", 1024, 0, BED_PLAIN},
    {"bytes, 4 KiB", 4096, 0, BED_PLAIN},
    {"bytes, 16 KiB", 16384, 0, BED_PLAIN},
    {"bytes, 64 KiB", 65536, 0, BED_PLAIN},
    {"json_t, {\"x\":81}", 8, 1, BED_PLAIN},
    {"wss, 64 B", 64, 0, BED_SECURE},
    {"wss, 4 KiB", 4096, 0, BED_SECURE},
    {"wss, 16 KiB", 16384, 0, BED_SECURE},
    {"wss, 64 KiB", 65536, 0, BED_SECURE},
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

static int serve(void) {
  bed_serve_options_t options = {0};
  cert_t *cert = cert_new_localhost(NULL);
  options.cert_pem = cert->pem;
  options.key_pem = cert->key_pem;
  options.mallocs = malloc_count;
  int status = bed_serve(&options);
  cert_free(cert);
  return status;
}

int main(int argc, char **argv) {
  static bed_t bed;
  uvow_peer_t *clients[BED_KINDS] = {NULL};
  if (bed_is_server(argc, argv))
    return serve();
  bed_start(&bed);
  print_head();
  for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
    uvow_peer_t **client = &clients[rows[i].kind];
    if (!*client) {
      *client = bed_client(&bed, rows[i].kind);
      bed_await(&bed, *client);
    }
    print_row(&bed, *client, &rows[i]);
  }
  for (int kind = 0; kind < BED_KINDS; kind++)
    uvow_peer_unref(clients[kind]);
  bed_stop(&bed);
  return 0;
}
