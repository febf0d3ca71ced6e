#ifndef UVOW_BENCH_BARE_H
#define UVOW_BENCH_BARE_H

/*
 * What libuv alone does on this machine: a uv_tcp that sends messages to a
 * plain echo, keeps some of them in flight, and only counts what comes back.
 */
#include "measure.h"

enum { BARE_READ = 65536 };

/* What a run sends. */
typedef struct bare_load {
  size_t unit; /* bytes of a message */
  size_t in_flight;
  size_t messages;
  uint32_t *latencies; /* NULL, or room for all, with 1 in flight; ns */
} bare_load_t;

typedef struct bare {
  uv_tcp_t tcp;
  uv_connect_t connect;
  const bare_load_t *load;
  char *batch; /* in_flight messages */
  size_t sent;
  size_t answered;
  size_t odd;     /* bytes of a message that isn't whole yet */
  uint64_t start; /* of the one in flight, ns */
  char in[BARE_READ];
} bare_t;

/* Echoes to all that connect, as long as the loop runs. Returns its port. */
unsigned bare_listen(uv_loop_t *uv, uv_tcp_t *listener);
void bare_connect(bare_t *bare, uv_loop_t *uv, unsigned port);
void bare_run(bare_t *bare, const bare_load_t *load);
void bare_close(bare_t *bare);

#endif
