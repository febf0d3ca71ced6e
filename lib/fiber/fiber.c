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

#include "future/fail.h"
#include "future/stream.h"

#define STACK_BYTES ((size_t)256 * 1024)
#define STRAIGHT_MAX 10000
#define REFUSED_MAX 100000

/* An await of f that isn't within a fiber. */
static int outside(const uvow_future_t *f) {
  return uvow__fail(f ? uvow__runtime_loop(f->rt) : NULL, UVOW_EFIBER,
                    "uvow_await",
                    "must be called within a fiber: a continuation, a cleanup "
                    "and a destructor are none");
}

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

static void on_loop_close(uvow__resident_t *resident) {
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
  if (loop->rt.closed)
    return (uvow__fibers_t *)uvow__refuse(loop, UVOW_ECLOSED, uvow__fail_closed,
                                          NULL);
  if (all)
    return all;
  all = (uvow__fibers_t *)uvow__calloc(&loop->rt.mem, sizeof(*all));
  if (!all)
    return NULL;
  all->loop = loop;
  all->resident.on_loop_close = on_loop_close;
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
  uvow__future_drop(awaited);
  fiber->task.run = run;
  uvow__runtime_push(runtime_of(fiber), &fiber->task);
}

/* Its future is rejected by a cancel, or as the loop closes. */
static void reject(uvow_future_t *f, int code) {
  uvow__fiber_t *fiber = (uvow__fiber_t *)f->data;
  fiber->future = NULL;
  uvow__future_reject_code(f, code);
  uvow__future_unref(f);
  if (fiber->awaited && fiber->awaited->state == UVOW_PENDING) {
    uvow__task_cancel(&fiber->task);
    fiber->task.run = give_up;
    uvow__runtime_run_flat(runtime_of(fiber), &fiber->task);
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
  if (bytes < UVOW__STACK_MIN || bytes > UVOW__STACK_MAX)
    return (uvow_future_t *)uvow__refuse(loop, UVOW_EINVAL, "stack_bytes",
                                         "must be from 16 KiB to 1 GiB");
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
    return (uvow_future_t *)uvow__refuse(loop, UVOW_ENOMEM, NULL, NULL);
  }
  init(fiber, all);
  fiber->fn = fn;
  fiber->data = data;
  fiber->name = options->name;
  fiber->site = NULL;
  fiber->future = f;
  f->data = fiber;
  f->cb.reject = reject;
  uvow__future_set_kind(f, UVOW__KIND_FIBER);
  uvow__runtime_push(&loop->rt, &fiber->task);
  return options->name ? uvow_future_name(f, options->name) : f;
}

/* Somebody doesn't notice its cancel. */
static void complain(uvow__fiber_t *fiber) {
  uvow__runtime_t *rt = runtime_of(fiber);
  uvow__error_spec_t spec = {0};
  char text[320];
  int len = snprintf(text, sizeof(text),
                     "the fiber %.60s%s%.160s was canceled and awaits again "
                     "and again: it must return",
                     fiber->name ? fiber->name : "(no name)",
                     fiber->site ? ", spawned at " : "",
                     fiber->site ? fiber->site : "");
  spec.code = UVOW_ECANCELED;
  spec.detail = (uvow__slice_t){text, (size_t)len};
  uvow_error_t *error = uvow__error_make(&rt->mem, &spec);
  rt->on_unhandled(rt, error);
  uvow_error_unref(error);
}

static int refuse(uvow__fiber_t *fiber, uvow_future_t *f) {
  uvow__future_drop(f);
  if (++fiber->refused == REFUSED_MAX)
    complain(fiber);
  return UVOW_ECANCELED;
}

/* Whether this fiber may wait for f: 0, or the await's own error, noted. */
static int check(const uvow__fiber_t *fiber, const uvow_future_t *f) {
  if (!fiber)
    return outside(f);
  if (!fiber->future)
    return 0; /* it's canceled: whatever it waits for */
  if (!f)
    return UVOW_ENOMEM; /* whoever made it has noted why */
  uvow_loop_t *loop = fiber->all->loop;
  if (f->rt != &loop->rt)
    return uvow__fail(loop, UVOW_EINVAL, "f",
                      "must be a future of the fiber's own loop");
  if (f == fiber->future)
    return uvow__fail(loop, UVOW_ECYCLE, "f",
                      "must not be the fiber's own future");
  return 0;
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
    uvow__future_drop(f); /* nobody will ever see what it brings */
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

/* Whether this is a fiber that isn't canceled. */
static int goes_on(void) {
  return running && running->future;
}

#else

static int goes_on(void) {
  return 0;
}

static uvow_future_t *spawn(uvow_loop_t *loop, uvow_fiber_cb fn, void *data,
                            const uvow_fiber_options_t *options) {
  (void)fn;
  (void)data;
  (void)options;
  return (uvow_future_t *)uvow__refuse(
      loop, UVOW_EFIBER, "the library was built without fibers", NULL);
}

int uvow_await(uvow_future_t *f, uvow_result_t *ret_result) {
  int code = outside(f);
  (void)ret_result;
  uvow__future_drop(f);
  return code;
}

#endif

uvow_future_t *uvow_fiber_spawn(uvow_loop_t *loop, uvow_fiber_cb fn,
                                void *data) {
  return uvow_fiber_spawn_with(loop, fn, data, NULL);
}

uvow_future_t *uvow_fiber_spawn_with(uvow_loop_t *loop, uvow_fiber_cb fn,
                                     void *data,
                                     const uvow_fiber_options_t *options) {
  uvow_fiber_options_t own;
  options = UVOW__OPTIONS(loop, options, &own, uvow_fiber_options_t);
  if (!loop || !options)
    return NULL;
  if (!fn)
    return (uvow_future_t *)uvow__refuse(loop, UVOW_EINVAL, "fn",
                                         uvow__fail_null);
  return spawn(loop, fn, data, options);
}

uvow_future_t *uvow_fiber_spawn_at(uvow_loop_t *loop, uvow_fiber_cb fn,
                                   void *data,
                                   const uvow_fiber_options_t *options,
                                   const char *site) {
  uvow_future_t *f = uvow_fiber_spawn_with(loop, fn, data, options);
#if UVOW__FIBERS
  if (f)
    ((uvow__fiber_t *)f->data)->site = site;
#endif
  return f && !uvow__future_name(f) ? uvow_future_name(f, site) : f;
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

int uvow_await_push(uvow_sink_t *sink, uvow_value_t value) {
  const uvow_stream_t *stream = (const uvow_stream_t *)(const void *)sink;
  while (!sink || !goes_on() || !uvow__stream_has_room(stream)) {
    int rc = uvow_await(uvow_sink_room(sink), NULL);
    if (rc) {
      uvow_value_clear(&value);
      return rc;
    }
  }
  int rc = uvow_sink_push(sink, value);
  return rc > 0 ? 0 : rc;
}
