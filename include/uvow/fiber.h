#ifndef UVOW_FIBER_H
#define UVOW_FIBER_H

/**
 * @file fiber.h
 * Sequential C: functions that wait.
 *
 * A fiber is a function with a stack of its own. It runs as any callback does,
 * from the loop's task queue, until it awaits a future that is pending; then
 * the loop goes on, and the fiber continues there when the future is settled.
 * Nothing runs at the same time: between two awaits nobody else runs.
 *
 * Fibers are a choice of the build (-Dfibers); there are none on Windows.
 * Everything here is for the loop's thread.
 */

#include "loop.h"
#include "stream.h"

#ifdef __cplusplus
extern "C" {
#endif

/** What a fiber runs. What it returns settles its future, as a continuation's
 * does; uvow_next_pass() is no value. */
typedef uvow_next_t (*uvow_fiber_cb)(uvow_loop_t *loop, void *data);

/** Options of uvow_fiber_spawn_with. */
typedef struct uvow_fiber_options {
  /** Required. sizeof(uvow_fiber_options_t). */
  size_t size;
  /** Optional, default 256 KiB of address space, from 16 KiB to 1 GiB; the
   * guard isn't counted. What is used of it is what it costs. */
  size_t stack_bytes;
  /** Optional. For reports and debuggers. Static text. */
  const char *name;
  /** Optional, default 0. 1: no guard: stacks are cut from one map, for more of
   * them than the system has maps (Linux: two of 65,530 for each guarded
   * stack). Whoever uses more than stack_bytes then overwrites another stack.
   */
  int no_guard;
  uint32_t reserved;
} uvow_fiber_options_t;

/**
 * Runs fn on a stack of its own, from the task queue: a future of what it
 * returns.
 *
 * Canceling that has the fiber's awaits return UVOW_ECANCELED, the current one
 * and all later ones, until fn returns: it cleans up as plain C does. So does
 * closing the loop, which waits for fn to return. A fiber that is canceled
 * before it began runs too. Whoever releases the future lets the fiber go on.
 *
 * A fiber that awaits 100,000 times after its cancel doesn't return: that is
 * told, once, as an unhandled rejection that has its name, and with UVOW_SITES
 * (see future.h) the line that spawned it.
 *
 * Keeps fn and data. Returns new; NULL: the loop is, or see uvow_loop_error:
 * UVOW_EINVAL: no fn; UVOW_ECLOSED; UVOW_ENOMEM; UVOW_EFIBER: the library was
 * built without fibers. fn doesn't run then. Since 0.2.
 */
UVOW_NEW uvow_future_t *uvow_fiber_spawn(uvow_loop_t *loop, uvow_fiber_cb fn,
                                         void *data);
/** The same, with options. UVOW_EINVAL also for options that can't be read, and
 * for a stack out of range. Since 0.2. */
UVOW_NEW uvow_future_t *
uvow_fiber_spawn_with(uvow_loop_t *loop, uvow_fiber_cb fn, void *data,
                      const uvow_fiber_options_t *options);
/** The same, and where: "fetch.c:42", for reports; what the other two are with
 * UVOW_SITES. Options may be NULL. site is static text. Since 0.2. */
UVOW_NEW uvow_future_t *uvow_fiber_spawn_at(uvow_loop_t *loop, uvow_fiber_cb fn,
                                            void *data,
                                            const uvow_fiber_options_t *options,
                                            const char *site);

/**
 * Waits for a future. Takes it; on a failure of its own, it gives it up. One
 * that is settled doesn't switch stacks, but every 10,000th time in a row, so
 * that others run too.
 *
 * Returns 0, or the code that it rejected with. What it writes to ret_result
 * (may be NULL; untouched by an error of its own) is borrowed (valid until this
 * fiber's next await, or its end). Errors of its own, with a sentence in
 * uvow_loop_error: UVOW_EFIBER: not within a fiber (a continuation, a cleanup, a
 * destructor aren't); UVOW_EINVAL: f is of another loop; UVOW_ECYCLE: f is this
 * fiber's own. Without one: UVOW_ENOMEM: f is NULL; UVOW_ECANCELED: the fiber is
 * canceled, and f is given up. Since 0.2.
 */
UVOW_API int uvow_await(uvow_future_t *f, uvow_result_t *ret_result);
/** Waits for a stream's next item. Borrows it. Returns 1: an item; 0: the end
 * (ret_result has its value, if any); negative: as uvow_await, or what the stream
 * failed with. A cancel takes no item. Since 0.2. */
UVOW_API int uvow_await_next(uvow_stream_t *stream, uvow_result_t *ret_result);
/** Waits for room, and adds an item. Takes the value, also on failure; borrows
 * the sink, which others may end meanwhile. Returns 0; errors as uvow_sink_push
 * and uvow_await. Since 0.2. */
UVOW_API int uvow_await_push(uvow_sink_t *sink, uvow_value_t value);
/** Waits some time. Returns 0, or as uvow_await. Since 0.2. */
UVOW_API int uvow_await_delay(uvow_loop_t *loop, uint64_t delay_ms);
/**
 * A whole program: makes a uv_loop_t and uvow's, runs fn in a fiber, closes
 * both when it has returned.
 *
 * Returns 0, or 1: it was rejected (which is reported as unhandled), it waited
 * for what can't come any more as the libuv loop had nothing left to do, or
 * there was no memory. For programs without a loop of their own. Since 0.2.
 */
UVOW_API int uvow_fiber_main(uvow_fiber_cb fn, void *data);

#ifdef __cplusplus
}
#endif

/* See future.h. */
#ifdef UVOW_SITES
#define uvow_fiber_spawn(loop, fn, data)                                       \
  uvow_fiber_spawn_at((loop), (fn), (data), NULL, UVOW_SITE)
#define uvow_fiber_spawn_with(loop, fn, data, options)                         \
  uvow_fiber_spawn_at((loop), (fn), (data), (options), UVOW_SITE)
#endif

#endif
