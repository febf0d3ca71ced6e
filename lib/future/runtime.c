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
 */
#include "runtime.h"

#include <limits.h>
#include <string.h>

#include "future.h"
#include "tell.h"

#define DRAIN_BUDGET 10000
#define LATE_MS 5 /* a deadline that is noticed later waits for a look */

void uvow__runtime_init(uvow__runtime_t *rt, const uvow__mem_t *mem,
                        uint64_t now_ns) {
  memset(rt, 0, sizeof(*rt));
  rt->mem = rt->plain = *mem;
  rt->budget = DRAIN_BUDGET;
  uvow__queue_init(&rt->queue);
  uvow__list_init(&rt->unhandled);
  uvow__list_init(&rt->unhandled_old);
  uvow__list_init(&rt->dying);
  uvow__wheel_init(&rt->wheel, now_ns);
  uvow__pool_init(&rt->links, &rt->mem, sizeof(uvow_future_t));
  uvow__pool_init(&rt->blocks, &rt->mem, sizeof(uvow__block_t));
  uvow__cache_init(&rt->texts, &rt->mem);
}

void uvow__runtime_reap(uvow__runtime_t *rt, uvow__task_t *task) {
  uvow__list_append(&rt->dying, &task->link);
  if (rt->reaping)
    return;
  rt->reaping = 1;
  while (!uvow__list_empty(&rt->dying)) {
    uvow__task_t *first = UVOW__CONTAINER(rt->dying.next, uvow__task_t, link);
    uvow__list_remove(&first->link);
    first->run(first);
  }
  rt->reaping = 0;
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
static void report_unhandled(uvow__runtime_t *rt, int drained) {
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

static void break_cycles(uvow__runtime_t *rt) {
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

void uvow__runtime_leave(uvow__runtime_t *rt) {
  if (rt->entered > 1) {
    rt->entered--;
    return;
  }
  do {
    /* Nothing new can be made once it is closed: what is left is finite. */
    unsigned budget = rt->closed ? UINT_MAX : rt->budget;
    report_unhandled(rt, uvow__queue_drain(&rt->queue, budget) > 0);
    if (rt->closed && !uvow__runtime_busy(rt))
      break_cycles(rt);
  } while (rt->closed && uvow__runtime_busy(rt));
  if (!uvow__list_empty(&rt->wheel.intake))
    uvow__wheel_stamp(&rt->wheel, rt->clock(rt));
  rt->entered = 0;
  rt->turn_ns = 0;
  rt->awake = 0;
  if (uvow__runtime_busy(rt))
    uvow__runtime_poke(rt);
  rt->rest(rt);
}

static void mark_last(void *block, void *data) {
  uvow_future_t *f = (uvow_future_t *)block;
  (void)data;
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
      rt->reaping || rt->pins || rt->entered)
    return;
  uvow__pool_done(&rt->links);
  uvow__pool_done(&rt->blocks);
  uvow__cache_done(&rt->texts);
  rt->release(rt);
}

typedef struct walk {
  uvow__future_cb cb;
  void *data;
} walk_t;

static void walk_block(void *block, void *data) {
  walk_t *walk = (walk_t *)data;
  uvow_future_t *f = (uvow_future_t *)block;
  if (f->state && f->refs)
    walk->cb(f, walk->data);
}

void uvow__future_walk(uvow__runtime_t *rt, uvow__future_cb cb, void *data) {
  walk_t walk = {cb, data};
  uvow__pool_walk(&rt->links, walk_block, &walk);
  uvow__pool_walk(&rt->blocks, walk_block, &walk);
}
