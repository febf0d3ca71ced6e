/*
 * The runtime: one turn of it.
 *
 *   enter -> (what libuv brought: bytes, a timer) -> leave
 *   leave -> drain: tasks in order, then the late ones (one write a
 *            connection), until none is left or the budget is used
 *         -> report rejections that nobody observed (F8): those of this turn
 *            if no task is left that might, and those of the turn before
 *         -> stamp the deadlines armed in this turn, with one look at the clock
 *         -> rest: the owner sets its timer, and wakes again if work is left
 *
 * 1. Only the outermost leave drains: user code runs on no other stack (F5).
 * 2. A deadline that is noticed late says nothing of the peer: the loop was
 *    blocked, or the process stopped, and what came in time has yet to be read.
 *    So all that is due waits until that is done, once, in the same turn of the
 *    loop; what becomes due meanwhile is for the next time (R4).
 * 3. A closed runtime takes no reaction and no deadline; its memory goes when
 *    the last future does.
 * 4. What is kept for the next use is looked through a second after there was
 *    more of it, and again each second until it's little. So what one burst
 *    needs is there for the next, and what a peak has left is given back. A
 *    debug build keeps all futures' blocks: misuse.c sees by them what is used
 *    after its end.
 */
#include "runtime.h"

#include <limits.h>
#include <string.h>

#include "future.h"
#include "loose.h"
#include "tell.h"

#define DRAIN_BUDGET 10000
#define TIDY_MS 1000
#define LATE_MS 5 /* a deadline that is noticed later waits for a look */

#ifndef UVOW_DEBUG
static int is_free(const void *block) {
  return ((const uvow_future_t *)block)->state == 0;
}
#endif

/* See (4). */
static void init_pools(uvow__runtime_t *rt) {
  uvow__pool_init(&rt->links, &rt->plain, sizeof(uvow_future_t));
  uvow__pool_init(&rt->blocks, &rt->plain, sizeof(uvow__block_t));
  rt->links.reason = rt->blocks.reason = &rt->reason;
#ifndef UVOW_DEBUG
  uvow__pool_shrink(&rt->links, &rt->tidy, is_free);
  uvow__pool_shrink(&rt->blocks, &rt->tidy, is_free);
#endif
}

static void on_tidy(uvow__deadline_t *deadline) {
  uvow__runtime_t *rt = UVOW__CONTAINER(deadline, uvow__runtime_t, tidying);
  uvow__tidy_run(&rt->tidy);
}

static UVOW__APART void tidy_later(uvow__runtime_t *rt) {
  rt->tidy.wanted = 0;
  if (!rt->closed && !uvow__deadline_armed(&rt->tidying))
    uvow__wheel_arm(&rt->wheel, &rt->tidying, TIDY_MS);
}

void uvow__runtime_init(uvow__runtime_t *rt, const uvow__mem_t *mem,
                        uint64_t now_ns) {
  memset(rt, 0, sizeof(*rt));
  rt->mem = rt->plain = *mem;
  rt->budget = DRAIN_BUDGET;
  uvow__queue_init(&rt->queue);
  uvow__list_init(&rt->unhandled);
  uvow__list_init(&rt->unhandled_old);
  uvow__list_init(&rt->flat);
  uvow__wheel_init(&rt->wheel, now_ns);
  uvow__tidy_init(&rt->tidy);
  uvow__deadline_init(&rt->tidying, on_tidy);
  init_pools(rt);
  uvow__cache_init(&rt->texts, &rt->mem);
  uvow__cache_shrink(&rt->texts, &rt->tidy);
}

void uvow__runtime_run_flat(uvow__runtime_t *rt, uvow__task_t *task) {
  uvow__list_append(&rt->flat, &task->link);
  if (rt->flat_runs)
    return;
  rt->flat_runs = 1;
  while (!uvow__list_empty(&rt->flat)) {
    uvow__task_t *first = UVOW__CONTAINER(rt->flat.next, uvow__task_t, link);
    uvow__list_remove(&first->link);
    first->run(first);
  }
  rt->flat_runs = 0;
  if (rt->closed)
    uvow__runtime_maybe_release(rt);
}

uint64_t uvow__runtime_random(uvow__runtime_t *rt) {
  uint64_t z = rt->rng += UINT64_C(0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
  return z ^ (z >> 31);
}

/* Each a root. What one of them arms waits for the next call. */
static void expire_found(uvow__runtime_t *rt) {
  uvow__list_t due;
  uvow__list_init(&due);
  uvow__wheel_due(&rt->wheel, &due);
  do
    uvow__runtime_root(rt);
  while (uvow__wheel_expire(&due));
}

int uvow__runtime_busy(const uvow__runtime_t *rt) {
  return !uvow__queue_empty(&rt->queue) || !uvow__list_empty(&rt->unhandled) ||
         !uvow__list_empty(&rt->unhandled_old);
}

/* Reports those of the last turn, or of this one too: whoever was to observe
 * them has run. The rest has one turn more. */
static UVOW__APART void report_unhandled(uvow__runtime_t *rt, int drained) {
  uvow__list_t due; /* what the hook makes is for the next drain */
  uvow__list_init(&due);
  uvow__list_splice(&due, &rt->unhandled_old);
  uvow__list_splice(drained ? &due : &rt->unhandled_old, &rt->unhandled);
  while (!uvow__list_empty(&due)) {
    uvow_future_t *f = UVOW__CONTAINER(due.next, uvow_future_t, task.link);
    int code = uvow_error_code(f->u.error);
    /* A loop that closes takes all with it: that is no news. */
    int expected =
        code == UVOW_ECANCELED || (rt->closed && code == UVOW_ECLOSED);
    uvow__list_remove(&f->task.link);
    f->flags &= (uint16_t)~UVOW__REPORTS;
    if (!(f->flags & UVOW__OBSERVED)) {
      f->flags |= UVOW__OBSERVED;
      if (rt->on_unhandled && !expected)
        rt->on_unhandled(rt, f->u.error);
    }
    if (f->flags & UVOW__PROMISE) /* its data lives on */
      uvow__future_unref(f);
    else
      uvow__tell_end(f);
  }
}

/* Every root is closed, and all that this caused has run: who follows another
 * still is in a cycle that was too long to be found. */
static void break_cycle(void *block, void *data) {
  uvow_future_t *f = (uvow_future_t *)block;
  (void)data;
  if (f->state == UVOW_PENDING && (f->flags & UVOW__WAITS) &&
      uvow__task_is_adopt(&f->task))
    uvow__future_leave(f, UVOW_ECLOSED);
}

static UVOW__APART void break_cycles(uvow__runtime_t *rt) {
  if (rt->unbroken) {
    rt->unbroken = 0;
    uvow__pool_walk(&rt->links, break_cycle, NULL);
    uvow__pool_walk(&rt->blocks, break_cycle, NULL);
  }
}

void uvow__runtime_expire(uvow__runtime_t *rt) {
  if (rt->looking)
    return;
  if (uvow__wheel_collect(&rt->wheel, rt->clock(rt)) > LATE_MS && rt->look) {
    rt->looking = 1;
    rt->look(rt);
    return;
  }
  expire_found(rt);
}

void uvow__runtime_looked(uvow__runtime_t *rt) {
  if (!rt->looking)
    return;
  rt->looking = 0;
  expire_found(rt);
}

/* Runs what is queued, and reports. Whether there may be more to do: mostly
 * not, and that is known without a look. */
static inline int drain(uvow__runtime_t *rt, unsigned budget) {
  unsigned left = uvow__queue_drain(&rt->queue, budget);
  if (left && uvow__list_empty(&rt->unhandled) &&
      uvow__list_empty(&rt->unhandled_old))
    return 0;
  report_unhandled(rt, left > 0);
  return 1;
}

void uvow__runtime_leave(uvow__runtime_t *rt) {
  int busy;
  if (rt->entered > 1) {
    rt->entered--;
    return;
  }
  do {
    /* Nothing new can be made once it is closed: what is left is finite. */
    unsigned budget = rt->closed ? UINT_MAX : rt->budget;
    busy = drain(rt, budget);
    if (rt->closed && !uvow__runtime_busy(rt))
      break_cycles(rt);
  } while (rt->closed && uvow__runtime_busy(rt));
  if (rt->tidy.wanted)
    tidy_later(rt);
  if (!uvow__list_empty(&rt->wheel.intake))
    uvow__wheel_stamp(&rt->wheel, rt->clock(rt));
  rt->entered = 0;
  rt->turn_ns = 0;
  rt->awake = 0;
  if (busy && uvow__runtime_busy(rt))
    uvow__runtime_poke(rt);
  rt->rest(rt);
}

/* Loose links first: all is as if their promise were out still. */
static void mark_last(void *block, void *data) {
  uvow_future_t *f = (uvow_future_t *)block;
  (void)data;
  if (f->state == UVOW_PENDING && (f->flags & UVOW__LOOSE) &&
      (f->flags & UVOW__WAITS))
    uvow__loose_tighten(f);
  if (f->state)
    f->flags |= UVOW__LAST;
}

/* A promise that is still open: its future is settled, its owner is told. */
static void close_future(void *block, void *data) {
  uvow_future_t *f = (uvow_future_t *)block;
  (void)data;
  if (f->state == UVOW_PENDING)
    uvow__future_close(f);
}

void uvow__runtime_close(uvow__runtime_t *rt) {
  uvow__runtime_enter(rt);
  rt->closed = UVOW__RUNTIME_CLOSING;
  rt->unbroken = 1;
  uvow__wheel_disarm(&rt->tidying);
  uvow__pool_seal(&rt->links);
  uvow__pool_seal(&rt->blocks);
  uvow__pool_walk(&rt->links, mark_last, NULL);
  uvow__pool_walk(&rt->blocks, mark_last, NULL);
  uvow__pool_walk(&rt->links, close_future, NULL);
  uvow__pool_walk(&rt->blocks, close_future, NULL);
  uvow__runtime_leave(rt);
}

void uvow__runtime_done(uvow__runtime_t *rt) {
  rt->closed = UVOW__RUNTIME_DONE;
  rt->awake = 1; /* nobody is to be woken any more */
  uvow__runtime_maybe_release(rt);
}

void uvow__runtime_drain_closed(uvow__runtime_t *rt) {
  if (rt->entered)
    return;
  uvow__runtime_enter(rt);
  while (!uvow__queue_empty(&rt->queue))
    (void)uvow__queue_drain(&rt->queue, UINT_MAX);
  rt->entered = 0;
  uvow__runtime_maybe_release(rt);
}

void uvow__runtime_maybe_release(uvow__runtime_t *rt) {
  if (rt->closed != UVOW__RUNTIME_DONE || rt->links.live || rt->blocks.live ||
      rt->flat_runs || rt->pins || rt->entered)
    return;
  uvow__pool_done(&rt->links);
  uvow__pool_done(&rt->blocks);
  uvow__cache_done(&rt->texts);
  uvow__reason_done(&rt->reason);
  rt->release(rt);
}

typedef struct walk {
  uvow__future_cb cb;
  void *data;
} walk_t;

static void walk_block(void *block, void *data) {
  walk_t *walk = (walk_t *)data;
  uvow_future_t *f = (uvow_future_t *)block;
  if (f->state && (f->refs || f->state == UVOW_PENDING))
    walk->cb(f, walk->data);
}

void uvow__future_walk(uvow__runtime_t *rt, uvow__future_cb cb, void *data) {
  walk_t walk = {cb, data};
  uvow__pool_walk(&rt->links, walk_block, &walk);
  uvow__pool_walk(&rt->blocks, walk_block, &walk);
}
