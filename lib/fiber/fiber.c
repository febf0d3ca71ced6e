/*
 * Fibers: spawn, await, cancel, end.
 *
 *   spawn -> queued --task--> runs --await--> suspended --settled--> queued
 *                              |                  |
 *                              |                  +--cancel--> queued
 *                              +--fn returns--> ended: settles its future
 *
 * 1. A fiber runs only from its own task, so between two awaits it is what a
 *    callback is: nothing else runs, and no function of the library is below
 *    it but the queue's.
 * 2. A fiber that is canceled never waits again. So one turn of the queue ends
 *    it, and the loop that closes waits for no more than that.
 * 3. Its future is an owned root: the cancel tells us within itself. `future`
 *    is NULL from then on; the fiber itself lives until fn has returned.
 * 4. What it awaits is owned by it, and by its `result` until the next await. A
 *    cancel gives it up at once, not only when the fiber continues; through any
 *    number of fibers that wait for each other without recursion.
 * 5. `running` is the fiber whose code this thread runs: an await without one
 *    is UVOW_EFIBER. It's saved around each switch, as a fiber may run another
 *    loop. There is no other way to tell which stack a function stands on.
 */
#include "fiber.h"

#include <stdio.h>
#include <string.h>

#include <uvow/combine.h>
#include <uvow/stream.h>

#define STACK_BYTES ((size_t)256 * 1024)
#define STRAIGHT_MAX 10000
#define REFUSED_MAX 100000

#if UVOW__FIBERS

static _Thread_local uvow__fiber_t *running;

static uvow__runtime_t *runtime_of(const uvow__fiber_t *fiber) {
  return &fiber->all->loop->rt;
}

/* The loop closes and the last fiber has gone. */
static void close_fibers(uvow__fibers_t *all) {
  uvow_loop_t *loop = all->loop;
  uvow__stacks_done(&all->stacks);
  loop->fibers = NULL;
  uvow__free(&loop->rt.mem, all);
  uvow__loop_stream_closed(loop);
  uvow__loop_unpin(loop);
}

static void evict(uvow__resident_t *resident) {
  uvow__fibers_t *all = UVOW__CONTAINER(resident, uvow__fibers_t, resident);
  uvow__list_t *at = all->live.next;
  all->closing = 1;
  while (at != &all->live) {
    uvow__fiber_t *fiber = UVOW__CONTAINER(at, uvow__fiber_t, link);
    at = at->next; /* a fiber leaves the list only from its own task */
    if (fiber->future)
      uvow__future_close(fiber->future);
  }
  if (uvow__list_empty(&all->live))
    close_fibers(all);
}

static uvow__fibers_t *fibers_of(uvow_loop_t *loop) {
  uvow__fibers_t *all = loop->fibers;
  if (all || loop->rt.closed)
    return all;
  all = (uvow__fibers_t *)uvow__calloc(&loop->rt.mem, sizeof(*all));
  if (!all)
    return NULL;
  all->loop = loop;
  all->resident.evict = evict;
  uvow__list_init(&all->live);
  uvow__stacks_init(&all->stacks, &loop->rt.mem, sizeof(uvow__fiber_t));
  uvow__loop_enroll(loop, &all->resident);
  uvow__loop_stream_opened(loop);
  loop->fibers = all;
  return all;
}

static void settle(uvow__fiber_t *fiber) {
  uvow_future_t *f = fiber->future;
  if (!f) {
    uvow__next_drop(&fiber->next);
    return;
  }
  fiber->future = NULL;
  f->flags &= (uint16_t)~UVOW__OWNED;
  f->data = NULL;
  if (fiber->next.kind == UVOW_NEXT_PASS)
    fiber->next = uvow_next_none();
  uvow__future_next(f, &fiber->next, NULL);
}

static void end(uvow__fiber_t *fiber) {
  uvow__fibers_t *all = fiber->all;
  uvow__switch_done(&fiber->sw);
  uvow__list_remove(&fiber->link);
  if (fiber->result)
    uvow__future_unref(fiber->result);
  settle(fiber);
  uvow__stack_give(&fiber->stack);
  if (all->closing && uvow__list_empty(&all->live))
    close_fibers(all);
}

static void run(uvow__task_t *task) {
  uvow__fiber_t *fiber = UVOW__CONTAINER(task, uvow__fiber_t, task);
  uvow__fiber_t *outer = running;
  running = fiber;
  uvow__switch_in(&fiber->sw);
  running = outer;
  if (fiber->ended)
    end(fiber);
}

/* Canceled while it waits: so is what it waits for, which may be another fiber;
 * then it's continued. */
static void give_up(uvow__task_t *task) {
  uvow__fiber_t *fiber = UVOW__CONTAINER(task, uvow__fiber_t, task);
  uvow_future_t *awaited = fiber->awaited;
  fiber->awaited = NULL;
  uvow__future_abandon(awaited);
  fiber->task.run = run;
  uvow__runtime_push(runtime_of(fiber), &fiber->task);
}

/* Its future is rejected by a cancel, or as the loop closes. */
static void cut(uvow_future_t *f, int code) {
  uvow__fiber_t *fiber = (uvow__fiber_t *)f->data;
  fiber->future = NULL;
  uvow__future_reject_code(f, code);
  uvow__future_unref(f);
  if (fiber->awaited && fiber->awaited->state == UVOW_PENDING) {
    uvow__task_cancel(&fiber->task);
    fiber->task.run = give_up;
    uvow__runtime_reap(runtime_of(fiber), &fiber->task);
  }
}

/* The first function on the fiber's stack. */
static void entry(void *data) {
  uvow__fiber_t *fiber = (uvow__fiber_t *)data;
  fiber->next = fiber->fn(fiber->all->loop, fiber->data);
  fiber->ended = 1;
  uvow__switch_end(&fiber->sw);
}

static void init(uvow__fiber_t *fiber, uvow__fibers_t *all) {
  fiber->all = all;
  fiber->awaited = fiber->result = NULL;
  fiber->straight = fiber->refused = 0;
  fiber->ended = 0;
  uvow__task_init(&fiber->task, run);
  uvow__list_append(&all->live, &fiber->link);
  fiber->sw.entry = entry;
  fiber->sw.data = fiber;
  fiber->sw.low = fiber->stack.low;
  fiber->sw.size = fiber->stack.size;
  uvow__switch_init(&fiber->sw);
}

static uvow_future_t *spawn(uvow_loop_t *loop, uvow_fiber_cb fn, void *data,
                            const uvow_fiber_options_t *options) {
  size_t bytes = options->stack_bytes ? options->stack_bytes : STACK_BYTES;
  uvow__fibers_t *all = fibers_of(loop);
  uvow_future_t *f = all ? uvow__future_new(&loop->rt, 2, UVOW__OWNED) : NULL;
  if (!f)
    return NULL;
  uvow__fiber_t *fiber = (uvow__fiber_t *)(void *)uvow__stack_take(
      &all->stacks, bytes, !options->no_guard);
  if (!fiber) {
    uvow__future_fulfill(f, uvow_value_none()); /* settled before it's freed */
    uvow__future_unref(f);
    uvow__future_unref(f);
    return NULL;
  }
  init(fiber, all);
  fiber->fn = fn;
  fiber->data = data;
  fiber->name = options->name;
  fiber->future = f;
  f->data = fiber;
  f->cb.cut = cut;
  uvow__future_set_kind(f, UVOW__KIND_FIBER);
  uvow__runtime_push(&loop->rt, &fiber->task);
  return options->name ? uvow_future_name(f, options->name) : f;
}

/* Somebody doesn't notice its cancel. */
static void complain(uvow__fiber_t *fiber) {
  uvow__runtime_t *rt = runtime_of(fiber);
  uvow__error_spec_t spec = {0};
  char text[160];
  int len = snprintf(text, sizeof(text),
                     "the fiber %.60s was canceled and awaits again and again: "
                     "it must return",
                     fiber->name ? fiber->name : "(no name)");
  spec.code = UVOW_ECANCELED;
  spec.detail = (uvow__slice_t){text, (size_t)len};
  uvow_error_t *error = uvow__error_make(&rt->mem, &spec);
  if (rt->on_unhandled)
    rt->on_unhandled(rt, error);
  uvow_error_unref(error);
}

static int refuse(uvow__fiber_t *fiber, uvow_future_t *f) {
  uvow__future_abandon(f);
  if (++fiber->refused == REFUSED_MAX)
    complain(fiber);
  return UVOW_ECANCELED;
}

/* Whether this fiber may wait for f: 0, or the await's own error. */
static int check(const uvow__fiber_t *fiber, const uvow_future_t *f) {
  if (!fiber)
    return UVOW_EFIBER;
  if (!fiber->future)
    return 0; /* it's canceled: whatever it waits for */
  if (!f)
    return UVOW_ENOMEM;
  if (f->rt != runtime_of(fiber))
    return UVOW_EINVAL;
  return f == fiber->future ? UVOW_ECYCLE : 0;
}

/* Lets the loop go on until f is settled, or the fiber canceled. */
static void suspend(uvow__fiber_t *fiber, uvow_future_t *f) {
  fiber->awaited = f;
  fiber->straight = 0;
  uvow__future_watch(f, &fiber->task);
  uvow__switch_out(&fiber->sw);
}

int uvow_await(uvow_future_t *f, uvow_result_t *ret_result) {
  uvow__fiber_t *fiber = running;
  int code = check(fiber, f);
  if (code == UVOW_ECYCLE) {
    uvow_future_unref(f); /* giving it up would be the fiber's own cancel */
    return code;
  }
  if (code) {
    uvow__future_abandon(f); /* nobody will ever see what it brings */
    return code;
  }
  if (fiber->result) {
    uvow__future_unref(fiber->result);
    fiber->result = NULL;
  }
  if (!fiber->future)
    return refuse(fiber, f);
  if (f->state == UVOW_PENDING || ++fiber->straight == STRAIGHT_MAX) {
    suspend(fiber, f);
    f = fiber->awaited;
    fiber->awaited = NULL;
    if (!fiber->future)
      return refuse(fiber, f);
  }
  f->flags |= UVOW__OBSERVED;
  fiber->result = f;
  if (ret_result)
    uvow__future_result(f, ret_result);
  return f->state == UVOW_FULFILLED ? 0 : uvow_error_code(f->u.error);
}

#else

static uvow_future_t *spawn(uvow_loop_t *loop, uvow_fiber_cb fn, void *data,
                            const uvow_fiber_options_t *options) {
  (void)loop;
  (void)fn;
  (void)data;
  (void)options;
  return NULL;
}

int uvow_await(uvow_future_t *f, uvow_result_t *ret_result) {
  (void)ret_result;
  uvow__future_abandon(f);
  return UVOW_EFIBER;
}

#endif

uvow_future_t *uvow_fiber_spawn(uvow_loop_t *loop, uvow_fiber_cb fn,
                                void *data) {
  static const uvow_fiber_options_t defaults = {sizeof(uvow_fiber_options_t),
                                                STACK_BYTES, NULL, 0, 0};
  return loop && fn ? spawn(loop, fn, data, &defaults) : NULL;
}

uvow_future_t *uvow_fiber_spawn_with(uvow_loop_t *loop, uvow_fiber_cb fn,
                                     void *data,
                                     const uvow_fiber_options_t *options) {
  if (!options)
    return uvow_fiber_spawn(loop, fn, data);
  if (!loop || !fn || options->size != sizeof(*options))
    return NULL;
  return spawn(loop, fn, data, options);
}

int uvow_await_delay(uvow_loop_t *loop, uint64_t delay_ms) {
  return uvow_await(uvow_future_delay(loop, delay_ms), NULL);
}

int uvow_await_next(uvow_stream_t *stream, uvow_result_t *ret_result) {
  uvow_result_t result;
  int rc = uvow_await(uvow_stream_next(stream), &result);
  if (rc)
    return rc;
  if (ret_result)
    *ret_result = result;
  return !uvow_result_is_end(&result);
}
