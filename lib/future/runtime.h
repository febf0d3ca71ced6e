#ifndef UVOW__RUNTIME_H
#define UVOW__RUNTIME_H

#include <uvow/future.h>

#include "base/cache.h"
#include "base/deadline.h"
#include "base/error.h"
#include "base/reason.h"
#include "base/mem.h"
#include "base/pool.h"
#include "base/task.h"
#include "base/tidy.h"

/*
 * What futures need of a loop: memory, a queue, deadlines, a clock. The net
 * room's loop begins with one and drives it with libuv; tests drive it by hand.
 * A uvow_loop_t points to its first byte.
 */
typedef struct uvow__runtime uvow__runtime_t;

/* Told when a rejection went unobserved. */
typedef void (*uvow__unhandled_cb)(uvow__runtime_t *rt,
                                   const uvow_error_t *error);

struct uvow__runtime {
  uvow__mem_t mem;
  uvow__mem_t plain; /* below it: for what is large and stays, and threads */
  uvow__queue_t queue;
  uvow__pool_t links;         /* futures */
  uvow__pool_t blocks;        /* futures with a tail: uvow__block_t */
  uvow__cache_t texts;        /* payloads, and messages that are kept */
  uvow__list_t unhandled;     /* rejections of this turn that nobody observed */
  uvow__list_t unhandled_old; /* of the last one, which ran out of budget */
  uvow__list_t flat;          /* tasks: see uvow__runtime_run_flat */
  int flat_runs;
  uvow__wheel_t wheel;
  uint64_t rng; /* its owner seeds it; see uvow__runtime_random */
  size_t holds; /* what keeps the loop alive: armed delays and the like */
  size_t pins;  /* what else must be freed before the runtime's memory goes */
  uint64_t turn_ns; /* the clock as it was read in this turn; 0: it wasn't */
  uvow__tidy_t tidy;
  uvow__deadline_t tidying; /* when all keepers are asked */
  int looking; /* look was called: deadlines that are due wait for it */
  unsigned entered;
  unsigned budget; /* tasks a drain may run */
  int awake;       /* a drain comes: wake was called, or enter */
  int closed;      /* UVOW__RUNTIME_* */
  int unbroken;    /* closed, and not looked for cycles yet */
  /* Given by who owns the runtime. */
  uint64_t (*clock)(uvow__runtime_t *rt); /* ns, monotonic */
  void (*wake)(uvow__runtime_t *rt);      /* drain soon: something is ready */
  void (*rest)(uvow__runtime_t *rt);      /* a drain ended: set the timer */
  /* Read what there is to be read, without waiting, then call
   * uvow__runtime_looked. NULL: there's nothing to read from. */
  void (*look)(uvow__runtime_t *rt);
  void (*release)(uvow__runtime_t *rt); /* closed and empty: free it */
  uvow__unhandled_cb on_unhandled;
  uvow__reason_t reason; /* of the last call that failed: see fail.h */
#ifdef UVOW_DEBUG
  const char *asked; /* who answers on the spot now: see uvow__ask */
#endif
};

/* Around what uvow asks, and doesn't tell: an application's code that answers on
 * the spot and may not call uvow. A debug build that sees it call names it and
 * aborts. Returns what uvow__answered takes. */
#ifdef UVOW_DEBUG
/* Says so, and aborts. */
void uvow__misuse_asked(const char *asked);
static inline const char *uvow__ask(uvow__runtime_t *rt, const char *who) {
  const char *before = rt->asked;
  rt->asked = who;
  return before;
}
static inline void uvow__answered(uvow__runtime_t *rt, const char *before) {
  rt->asked = before;
}
static inline void uvow__check_asked(const uvow__runtime_t *rt) {
  if (rt->asked || uvow__mem_asks())
    uvow__misuse_asked(rt->asked ? rt->asked : "an allocator");
}
#else
static inline const char *uvow__ask(uvow__runtime_t *rt, const char *who) {
  (void)rt;
  return who;
}
static inline void uvow__answered(uvow__runtime_t *rt, const char *before) {
  (void)rt;
  (void)before;
}
static inline void uvow__check_asked(const uvow__runtime_t *rt) {
  (void)rt;
}
#endif

/* 292 years: what ms may become, as ns of a clock. */
#define UVOW__MS_MAX ((uint64_t)INT64_MAX / UVOW__NS_PER_MS)

enum { UVOW__RUNTIME_OPEN, UVOW__RUNTIME_CLOSING, UVOW__RUNTIME_DONE };

/* mem is copied. The callbacks are set by the caller, before anything else. */
void uvow__runtime_init(uvow__runtime_t *rt, const uvow__mem_t *mem,
                        uint64_t now_ns);
/* Settles all futures that wait for a promise with UVOW_ECLOSED, and takes no
 * more. What waited for them runs before it returns, or in the drain that it
 * was called from. */
void uvow__runtime_close(uvow__runtime_t *rt);
/* After close: calls release now, or when the last future is freed. */
void uvow__runtime_done(uvow__runtime_t *rt);
void uvow__runtime_maybe_release(uvow__runtime_t *rt);
/* After done: runs what was told, unless that is going on already. */
UVOW__APART void uvow__runtime_drain_closed(uvow__runtime_t *rt);

static inline uvow__runtime_t *uvow__runtime_of(uvow_loop_t *loop) {
  return (uvow__runtime_t *)(void *)loop;
}
static inline uvow_loop_t *uvow__runtime_loop(uvow__runtime_t *rt) {
  return (uvow_loop_t *)(void *)rt;
}

/* A message, a deadline, a posted function begins: what is pushed from now on
 * runs, with all that it causes, after all that was pushed before. */
static inline void uvow__runtime_root(uvow__runtime_t *rt) {
  uvow__queue_root(&rt->queue);
}

/* Around everything that libuv calls: the outermost leave drains. */
static inline void uvow__runtime_enter(uvow__runtime_t *rt) {
  uvow__check_asked(rt);
  if (rt->entered++ == 0)
    uvow__runtime_root(rt);
  rt->awake = 1;
}
void uvow__runtime_leave(uvow__runtime_t *rt);

/* Runs the task, which gives up what a fiber waits for, now; or, if it's a
 * consequence of such a task, as soon as that one is over: so a cancel that goes
 * up through fibers doesn't recurse. */
void uvow__runtime_run_flat(uvow__runtime_t *rt, uvow__task_t *task);

/* A random number, good for jitter and nothing else (splitmix64). */
uint64_t uvow__runtime_random(uvow__runtime_t *rt);

/* Something was queued or armed: make sure that a drain comes. */
static inline void uvow__runtime_poke(uvow__runtime_t *rt) {
  uvow__check_asked(rt);
  if (!rt->awake) {
    rt->awake = 1;
    rt->wake(rt);
  }
}

static inline void uvow__runtime_push(uvow__runtime_t *rt, uvow__task_t *task) {
  uvow__queue_push(&rt->queue, task);
  uvow__runtime_poke(rt);
}
/* As a root of its own, also within a drain: a message that comes from within
 * the loop. */
static inline void uvow__runtime_push_root(uvow__runtime_t *rt,
                                           uvow__task_t *task) {
  uvow__list_t *in = uvow__queue_step_out(&rt->queue);
  uvow__queue_push(&rt->queue, task);
  uvow__queue_root(&rt->queue);
  uvow__queue_rejoin(&rt->queue, in);
  uvow__runtime_poke(rt);
}
static inline void uvow__runtime_push_first(uvow__runtime_t *rt,
                                            uvow__task_t *task) {
  uvow__queue_push_first(&rt->queue, task);
  uvow__runtime_poke(rt);
}
/* rank: UVOW__LATE_*. */
static inline void uvow__runtime_push_late(uvow__runtime_t *rt,
                                           uvow__task_t *task, int rank) {
  uvow__queue_push_late(&rt->queue, task, rank);
  uvow__runtime_poke(rt);
}
static inline void uvow__runtime_arm(uvow__runtime_t *rt,
                                     uvow__deadline_t *deadline, uint64_t ms) {
  uvow__wheel_arm(&rt->wheel, deadline, ms);
  uvow__runtime_poke(rt);
}
/* As arm, and holds the loop until unhold, also once it has expired. */
static inline void uvow__runtime_hold(uvow__runtime_t *rt,
                                      uvow__deadline_t *deadline, uint64_t ms) {
  rt->holds++;
  uvow__runtime_arm(rt, deadline, ms < UVOW__MS_MAX ? ms : UVOW__MS_MAX);
}
static inline void uvow__runtime_unhold(uvow__runtime_t *rt,
                                        uvow__deadline_t *deadline) {
  uvow__wheel_disarm(deadline);
  rt->holds--;
  uvow__runtime_poke(rt); /* the timer may let the loop go */
}
/* The clock, ns: read at most once a turn, so a little behind within one. */
static inline uint64_t uvow__runtime_now(uvow__runtime_t *rt) {
  if (rt->entered == 0)
    return rt->clock(rt);
  if (rt->turn_ns == 0)
    rt->turn_ns = rt->clock(rt);
  return rt->turn_ns;
}
/* Calls what is due, each a root; if that is late, what there is to be read is
 * read first (R4). Within enter and leave. */
void uvow__runtime_expire(uvow__runtime_t *rt);
/* All that had come was read: what was due then, and still is, expires. */
void uvow__runtime_looked(uvow__runtime_t *rt);
/* Whether a drain has something to do. */
int uvow__runtime_busy(const uvow__runtime_t *rt);

#endif
