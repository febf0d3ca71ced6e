#ifndef UVOW__LOOP_H
#define UVOW__LOOP_H

#include <uv.h>

#include <uvow/loop.h>

#include "base/buf.h"
#include "base/hash.h"
#include "future/runtime.h"

#define UVOW__READ_SIZE 65536
#define UVOW__LINGER_MAX 256 /* streams: each holds a descriptor */

/* What must be closed before the loop: clients and servers. Lives in them. */
typedef struct uvow__resident {
  uvow__list_t link;
  /* The loop goes away: settle what is pending, now, and let go of it. */
  void (*on_loop_close)(struct uvow__resident *resident);
} uvow__resident_t;

/* A stream that is closed, and waits for its peer to end it too. */
typedef struct uvow__lingerer {
  uvow__list_t link;
  void (*stop)(struct uvow__lingerer *lingerer); /* don't: takes it off */
} uvow__lingerer_t;

/* A handle that is closed. Lives in whatever it belongs to; zeroed before. */
typedef struct uvow__closing {
  uvow__list_t link;
  uv_handle_t *handle; /* NULL: nobody has asked for it */
  uv_close_cb cb;
} uvow__closing_t;

struct uvow_loop {
  uvow__runtime_t rt; /* first: see uvow__runtime_of */
  uv_loop_t *uv;
  uv_timer_t timer; /* the next deadline */
  uv_idle_t idle;   /* active while a drain is wanted: polls without waiting */
  int idles;        /* it was started, and not stopped since */
  uvow__closing_t timer_closing;
  uvow__closing_t idle_closing;
  uv_idle_t stand_in;     /* closed for handles that the application closed */
  unsigned rounds;        /* of the stand-in that are to come; 0: it's unused */
  uvow__list_t strangers; /* uvow__closing_t, of such handles */
  unsigned looks;     /* idle calls until all that had come was read; 0: none */
  uint64_t timer_due; /* ms, when it runs; 0: it doesn't */
  int timer_holds;    /* it keeps the uv loop running */
  uint64_t driven_ns; /* of a clock that stands still; 0: it's the system's */
  int closing;        /* uvow_loop_close was called */
  unsigned handles;   /* open ones of its own */
  size_t streams;     /* open ones of the net room */
  uvow__list_t next_turn; /* tasks: see uvow__loop_next_turn */
  uint64_t spent_at;      /* of `spent`: uv_now */
  size_t spent;           /* see uvow__loop_spent */
  uvow__list_t residents;
  uvow__list_t lingerers;
  size_t lingering;  /* how many, */
  size_t linger_max; /* at most: UVOW__LINGER_MAX, or a test's, >= 1 */
  int crowded;       /* one stops, as they are too many */
  struct uvow__mailbox *mailbox; /* NULL: no thread promise was made yet */
  struct uvow__fibers *fibers;   /* NULL: none was spawned yet */
  struct uvow__ops *ops;         /* NULL: nothing of lib/uv was used yet */
  uvow_unhandled_cb on_unhandled;
  uvow_walk_cb on_leak;
  uvow_future_t *awaited; /* by the last await; owned, or NULL */
  void *user_data;        /* what the two are given */
  uvow_loop_closed_cb on_closed;
  void *closed_data;
  struct uvow_tls *default_tls;        /* of tls_context.c; borrowed, or NULL */
  const struct uvow__network *network; /* a test's, of connect.h; or NULL */
  struct uvow__lookup *lookups;        /* of lookup.c, that run for nobody */
  /* Of the room of WebSockets: see uvow__framer_config_t's keys and spare. */
  uvow__mask_keys_t mask_keys;
  struct uvow__wslay *spare_wslay;
  void (*free_spare_wslay)(const uvow__mem_t *mem, struct uvow__wslay *wslay);
  uvow__keeper_t keeper; /* of what follows: see loop.c */
  char *spare_read;      /* a read buffer of UVOW__READ_SIZE that nobody uses */
  uvow__buf_t spare_write; /* capacity that nobody uses, for a turn's output */
  uvow__buf_t scratch;     /* a client's message, while it's made; else empty */
  uvow__buf_t params;      /* its json_t as text, the same */
  uvow__random_t random;
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

/* Random bytes that nobody can guess. Errors as uvow__random. */
static inline int uvow__loop_random(uvow_loop_t *loop, uint8_t *bytes,
                                    size_t len) {
  return uvow__random(&loop->random, bytes, len);
}

/* await.c: the last result goes. */
void uvow__loop_drop_awaited(uvow_loop_t *loop);

/* What a turn of libuv's may take, all connections together, in messages and KiB
 * that are read (R13); and what else it takes, in these. Above it each has little,
 * or waits for the next turn. */
#define UVOW__TURN_ALL 4096
#define UVOW__TURN_NEWCOMER 32   /* a connection that is accepted */
#define UVOW__TURN_HANDSHAKE 512 /* a step of TLS's, at either end */

/* What all have taken in this turn: to be added to. */
static inline size_t *uvow__loop_spent(uvow_loop_t *loop) {
  uint64_t now = uv_now(loop->uv);
  if (loop->spent_at != now)
    loop->spent = 0;
  loop->spent_at = now;
  return &loop->spent;
}
/* Runs the task in the next turn of the uv loop: once timers and other sockets
 * had theirs. It may be canceled, as any. */
void uvow__loop_next_turn(uvow_loop_t *loop, uvow__task_t *task);
/* One turn: what waits for it, and what is queued. */
void uvow__loop_turn(uvow_loop_t *loop);

/* A stream begins to linger. Of too many, the one that came first stops, and what
 * it closes with that is closed at once. */
void uvow__loop_linger(uvow_loop_t *loop, uvow__lingerer_t *lingerer);
/* Whether one may; else it's closed at once. */
int uvow__loop_may_linger(const uvow_loop_t *loop);
/* It stops. */
void uvow__loop_unlinger(uvow_loop_t *loop, uvow__lingerer_t *lingerer);

/* Closes a handle, once; cb is called when libuv is done with it, also where the
 * application has closed it already, as by an uv_walk over all. */
void uvow__loop_close_handle(uvow_loop_t *loop, uv_handle_t *handle,
                             uv_close_cb cb, uvow__closing_t *closing);

/* A client or server comes. The loop's memory stays until it has gone. */
void uvow__loop_enroll(uvow_loop_t *loop, uvow__resident_t *resident);
/* The loop's close doesn't end it any more. */
void uvow__loop_depart(uvow_loop_t *loop, uvow__resident_t *resident);
/* Its memory is freed: the last that it does with the loop. */
void uvow__loop_unpin(uvow_loop_t *loop);
/* A stream comes and goes: the loop is closed only when the last has gone. */
void uvow__loop_stream_opened(uvow_loop_t *loop);
void uvow__loop_stream_closed(uvow_loop_t *loop);

#endif
