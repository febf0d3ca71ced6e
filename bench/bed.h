#ifndef UVOW_BENCH_BED_H
#define UVOW_BENCH_BED_H

/*
 * What a benchmark lies on: servers of uvow's in a process of their own, and
 * clients of them here, all through the public API. The process is this program
 * again, with an argument: main begins with
 *
 *   if (bed_is_server(argc, argv))
 *     return bed_serve(&options);
 *
 * Its methods: "echo" answers with the params, "now" with null, at once;
 * "never" never does; "stats" with what its process has used, for bed_stats.
 * "tell" and "publish" with params [N] answer with those, behind N events "tick"
 * to who calls, or to every peer, whose params are BED_TICK.
 */
#include <uvow.h>

#include "counter.h"
#include "measure.h"

#define BED_TICK "{\"x\":81}"

/* Three servers, each on a port of its own. */
typedef enum bed_kind {
  BED_PLAIN = 0,
  BED_DEFLATE = 1,
  BED_SECURE = 2,
  BED_KINDS = 3
} bed_kind_t;

/* What the server's process may have. */
typedef struct bed_serve_options {
  const char *cert_pem; /* NULL: no wss */
  const char *key_pem;
  size_t (*mallocs)(void); /* NULL: nobody counts them */
} bed_serve_options_t;

typedef struct bed {
  uv_loop_t uv;
  uvow_loop_t *loop;
  counter_t counter; /* of loop's memory */
  uv_process_t server;
  uv_pipe_t to_server;
  uv_pipe_t from_server;
  char line[64];
  size_t line_len;
  unsigned ports[BED_KINDS]; /* 0: it isn't there */
  unsigned bare_port;        /* a plain echo, see bare.h */
  uvow_tls_t *tls;           /* NULL before the first wss */
} bed_t;

/* What a process has used until now. */
typedef struct bed_stats {
  long long live_bytes; /* by the loop's allocator, as calls */
  long long calls;
  long long mallocs; /* 0: nobody counts them */
  long long rss;
  long long cpu_us;
} bed_stats_t;

/* The same request, again and again. */
typedef struct bed_load {
  uvow_peer_t *const *clients; /* by turns */
  size_t client_count;
  const char *method;
  const char *params; /* JSON; every answer must be the same */
  size_t len;
  struct json_t *json;                   /* NULL, or sent instead of params */
  const uvow_request_options_t *options; /* may be NULL */
  size_t in_flight;
  size_t requests;
  uint32_t *latencies; /* NULL, or room for all, with 1 in flight; ns */
} bed_load_t;

int bed_is_server(int argc, char **argv);
/* Until stdin ends. What main is to return. */
int bed_serve(const bed_serve_options_t *options);

/* Starts the server's process. */
void bed_start(bed_t *bed);
/* Begins to connect; has connected. */
uvow_peer_t *bed_client(bed_t *bed, bed_kind_t kind);
void bed_await(bed_t *bed, uvow_peer_t *client);
/* Runs a load to its end. */
void bed_run(bed_t *bed, const bed_load_t *load);
/* Of the server's process; of this one, but for mallocs. */
bed_stats_t bed_stats(bed_t *bed, uvow_peer_t *client);
bed_stats_t bed_own_stats(const bed_t *bed);
/* Its clients are freed already. */
void bed_stop(bed_t *bed);

/* User and system, of this process. */
double bed_cpu_us(void);

#endif
