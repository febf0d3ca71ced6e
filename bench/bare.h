#ifndef UVOW_BENCH_BARE_H
#define UVOW_BENCH_BARE_H

/*
 * What libuv alone does on this machine: a uv_tcp that sends messages to a
 * plain echo, keeps some of them in flight, and only counts what comes back. Or
 * some uv_tcps, with as many in flight on all together.
 */
#include "measure.h"

/* What a small request has on the wire: a header with its mask, and a text. */
#define BARE_REQUEST                                                           \
  (6 +                                                                         \
   sizeof("{\"jsonrpc\":\"2.0\",\"id\":123456,\"method\":\"echo\","            \
          "\"params\":{\"x\":123456}}") -                                      \
   1)

/* What a run sends. */
typedef struct bare_load {
  size_t unit; /* bytes of a message */
  size_t in_flight;
  size_t messages;
  uint32_t *latencies; /* NULL, or room for all, with 1 in flight; ns */
} bare_load_t;

typedef struct bare_run bare_run_t;

/* A connection. */
typedef struct bare {
  uv_tcp_t tcp;
  uv_connect_t connect;
  bare_run_t *run; /* the one that goes on */
  size_t odd;      /* bytes of a message that isn't whole yet */
} bare_t;

/* Echoes to all that connect, as long as the loop runs. Returns its port. */
unsigned bare_listen(uv_loop_t *uv, uv_tcp_t *listener);
void bare_connect(bare_t *bare, uv_loop_t *uv, unsigned port);
/* Over so many connections. */
void bare_run(bare_t *bares, size_t count, const bare_load_t *load);
void bare_close(bare_t *bare);

#endif
