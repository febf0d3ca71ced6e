#ifndef UVOW__LOOP_H
#define UVOW__LOOP_H

#include <uv.h>

#include <uvow/loop.h>

#include "base/buf.h"
#include "future/runtime.h"

#define UVOW__READ_SIZE 65536
#define UVOW__LINGER_MAX 256 /* streams: each holds a descriptor */
#define UVOW__RANDOM_BLOCK 4096

/* What must be closed before the loop: clients and servers. Lives in them. */
typedef struct uvow__resident {
  uvow__list_t link;
  /* The loop goes away: settle what is pending, now, and let go of it. */
  void (*evict)(struct uvow__resident *resident);
} uvow__resident_t;

/* A stream that is closed, and waits for its peer to end it too. */
typedef struct uvow__lingerer {
  uvow__list_t link;
  void (*stop)(struct uvow__lingerer *lingerer); /* don't: takes it off */
} uvow__lingerer_t;

struct uvow_loop {
  uvow__runtime_t rt; /* first: see uvow__runtime_of */
  uv_loop_t *uv;
  uv_timer_t timer; /* the next deadline */
  uv_idle_t idle;   /* active while a drain is wanted: polls without waiting */
  unsigned looks;   /* idle calls until all that had come was read; 0: none */
  uint64_t timer_due;     /* ms; valid while the timer is active */
  int closing;            /* uvow_loop_close was called */
  unsigned handles;       /* open ones of its own */
  size_t streams;         /* open ones of the net room */
  uvow__list_t next_turn; /* tasks: see uvow__loop_next_turn */
  uvow__list_t residents;
  uvow__list_t lingerers;
  size_t lingering;              /* how many */
  struct uvow__mailbox *mailbox; /* NULL: no thread promise was made yet */
  struct uvow__fibers *fibers;   /* NULL: none was spawned yet */
  struct uvow__ops *ops;         /* NULL: nothing of lib/uv was used yet */
  uvow_unhandled_cb on_unhandled;
  void *unhandled_data;
  uvow_leak_cb on_leak;
  void *leak_data;
  uvow_loop_closed_cb on_closed;
  void *closed_data;
  struct uvow_tls *default_tls;        /* of tls_context.c; borrowed, or NULL */
  const struct uvow__network *network; /* a test's, of connect.h; or NULL */
  char *spare_read; /* a read buffer of UVOW__READ_SIZE that nobody uses */
  uvow__buf_t spare_write; /* capacity that nobody uses, for a turn's output */
  uvow__buf_t scratch;     /* a client's message, while it's made; else empty */
  uvow__buf_t params;      /* its json_t as text, the same */
  size_t random_left;
  unsigned char random[UVOW__RANDOM_BLOCK];
};

static inline const uvow__mem_t *uvow__loop_mem(const uvow_loop_t *loop) {
  return &loop->rt.mem;
}

/* A read buffer: new or NULL. Given back after the read. */
char *uvow__loop_take_read(uvow_loop_t *loop);
void uvow__loop_give_read(uvow_loop_t *loop, char *buffer);
/* Lends capacity to an empty buffer, and takes it back from one. */
void uvow__loop_lend_write(uvow_loop_t *loop, uvow__buf_t *buf);
void uvow__loop_return_write(uvow_loop_t *loop, uvow__buf_t *buf);
/* tls_random.c: random bytes that nobody can guess, in small pieces. Returns 0,
 * or libuv's error. */
int uvow__loop_random(uvow_loop_t *loop, uint8_t *bytes, size_t len);

/* Runs the task in the next turn of the uv loop: once timers and other sockets
 * had theirs. It may be canceled, as any. */
void uvow__loop_next_turn(uvow_loop_t *loop, uvow__task_t *task);
/* One turn: what waits for it, and what is queued. */
void uvow__loop_turn(uvow_loop_t *loop);

/* A stream begins to linger. Of too many, the one that came first stops. */
void uvow__loop_linger(uvow_loop_t *loop, uvow__lingerer_t *lingerer);
/* It stops. */
void uvow__loop_unlinger(uvow_loop_t *loop, uvow__lingerer_t *lingerer);

/* A client or server comes. The loop's memory stays until it has gone. */
void uvow__loop_enroll(uvow_loop_t *loop, uvow__resident_t *resident);
/* It won't be evicted any more. */
void uvow__loop_depart(uvow_loop_t *loop, uvow__resident_t *resident);
/* Its memory is freed: the last that it does with the loop. */
void uvow__loop_unpin(uvow_loop_t *loop);
/* A stream comes and goes: the loop is closed only when the last has gone. */
void uvow__loop_stream_opened(uvow_loop_t *loop);
void uvow__loop_stream_closed(uvow_loop_t *loop);

#endif
