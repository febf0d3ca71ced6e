#ifndef UVOW_LOOP_H
#define UVOW_LOOP_H

/**
 * @file loop.h
 * uvow's side of a libuv loop that is yours.
 *
 * The uv_loop_t stays the application's: uvow adds handles to it, and runs it
 * only in uvow_loop_await. Any number of uvow loops may live in a process, one
 * per uv_loop_t. As every libuv program that writes to sockets, yours must
 * ignore SIGPIPE.
 *
 * The callbacks of a loop (unhandled, closed) are called from libuv's callbacks,
 * never within a function of the library; a walk's is called on the spot.
 */

#include "future.h"

#ifdef __cplusplus
extern "C" {
#endif

struct uv_loop_s; /* uv_loop_t of <uv.h> */

/** Called once per unhandled rejection. Borrows the error. */
typedef void (*uvow_unhandled_cb)(uvow_loop_t *loop, const uvow_error_t *error,
                                  void *data);
/** Called when a loop is closed; its memory is released then. */
typedef void (*uvow_loop_closed_cb)(void *data);

/** What is known of a future that isn't settled, or that was never released. */
typedef struct uvow_future_info {
  /** sizeof(uvow_future_info_t), set by uvow. */
  size_t size;
  /** Borrowed for the call. */
  uvow_future_t *future;
  uvow_state_t state;
  uint32_t reserved;
  /** What uvow_future_name gave it, or where it was made (see UVOW_SITES);
   * NULL: neither, or the library is no debug build. */
  const char *name;
  /** What it is: "promise", "freed promise", "request", "fiber", "system"
   * (libuv's), "timer", "then", "finally", "done", "adopted", or "settled".
   * Static text. */
  const char *kind;
  /** How many own it. */
  size_t owners;
} uvow_future_info_t;

/** Called for a future, on the spot, within the walk, or within the end of its
 * loop. Must not make, settle, release or cancel any: a debug build aborts, and
 * says so. */
typedef void (*uvow_walk_cb)(const uvow_future_info_t *info, void *data);

/** Options of uvow_loop_new. */
typedef struct uvow_loop_options {
  /** Required. sizeof(uvow_loop_options_t). */
  size_t size;
  /** Optional, default malloc, realloc and free. Copied. Up to 8 MiB, in
   * blocks of at least 128 KiB, are kept for what is large, until the loop is
   * closed. */
  const uvow_allocator_t *allocator;
  /** Optional, default: one line to stderr. */
  uvow_unhandled_cb on_unhandled;
  /** Optional, default: none; in a debug build one line each to stderr. Called
   * before the closed callback for each future that is owned still. */
  uvow_walk_cb on_leak;
  /** Optional. What the callbacks are given. */
  void *data;
} uvow_loop_options_t;

/**
 * Attaches uvow to a libuv loop.
 *
 * Borrows `uv` until uvow_loop_close has called back. Returns new, or NULL: no
 * memory, no random numbers of the system, no uv, options that can't be read, or
 * an allocator that lacks a function. Thread: the one that runs uv. Since 0.1.
 */
UVOW_NEW uvow_loop_t *uvow_loop_new(struct uv_loop_s *uv,
                                    const uvow_loop_options_t *options);

/**
 * Closes: clients and servers first, then every promise that is still out
 * (UVOW_ECLOSED), then uvow's handles. The continuations of all these run
 * before it returns, unless it's called from one: then they run after it.
 *
 * Takes the loop; accepts NULL, and calls nothing then. `cb` (may be NULL) is
 * called from uv_run when the last handle is closed; after that uv_loop_close
 * finds nothing of uvow's. Futures that you still own stay readable; their
 * memory goes with them. Call it once: again, from what it causes, it does
 * nothing. Since 0.1.
 */
UVOW_API void uvow_loop_close(uvow_loop_t *loop, uvow_loop_closed_cb cb,
                              void *data);

/**
 * Why the last call on this loop failed that returned NULL or a negative code:
 * the code, and a sentence that names the argument and what was expected.
 *
 * Answers aren't failures and don't set it: what a getter doesn't find,
 * UVOW_EALREADY, an error of a future that was returned. A call that only
 * passes a NULL on (NULL in, NULL out) leaves it as it is. A call that runs out
 * of memory within sets it, also if it returns nothing. Code 0: no call has
 * failed yet; UVOW_EINVAL: the loop is NULL.
 * Returns borrowed (valid until the next call that fails), never NULL.
 * Since 0.2.
 */
UVOW_API const uvow_error_t *uvow_loop_error(const uvow_loop_t *loop);

/** Rejects with uvow_loop_error, its message, cause and outcome: for a callback
 * in which a call has just failed. Since 0.2. */
UVOW_NEW uvow_next_t uvow_next_failed(uvow_loop_t *loop);

/**
 * Runs the libuv loop until f is settled: for main(), tests and tools.
 *
 * Takes f, also on failure. Returns 0, or the code that f rejected with, which
 * uvow_loop_error then has; f is NULL: the code of uvow_loop_error. What it
 * writes to ret_result (may be NULL) is borrowed (valid until the next await on
 * this loop, or its close). Errors of its own: UVOW_EINVAL: called within a
 * callback or a fiber of uvow's, f is of another loop, or no loop;
 * UVOW_EBROKEN: the libuv loop has no active handle left and f is pending: the
 * message of uvow_loop_error says what it waits for; UVOW_ECLOSED: the loop was
 * closed meanwhile. Within a callback of libuv's that isn't uvow's it is
 * undefined, as a nested uv_run is. Since 0.2.
 */
UVOW_API int uvow_loop_await(uvow_loop_t *loop, uvow_future_t *f,
                             uvow_result_t *ret_result);

/**
 * Calls cb for every future of the loop that isn't settled, in no order.
 *
 * Borrows the loop. Costs a look at each future that ever was alive at the same
 * time. Returns how many there are, 0 for NULL; cb may be NULL: just count.
 * Since 0.1.
 */
UVOW_API size_t uvow_loop_walk(uvow_loop_t *loop, uvow_walk_cb cb, void *data);

/** The libuv loop. Returns borrowed; NULL: the loop is. */
UVOW_API struct uv_loop_s *uvow_loop_uv(const uvow_loop_t *loop);

/** Milliseconds of a monotonic clock, the one that deadlines are counted in. 0
 * for NULL. */
UVOW_API uint64_t uvow_loop_now(uvow_loop_t *loop);

/**
 * For tests: adds to the loop's clock, which stands still from the first call
 * on, at the time that it has then. What is due by then happens in uv_run, or
 * in uvow_loop_await, which no longer wait for time: with nothing else to
 * wait for, uv_run returns, and an await is UVOW_EBROKEN. The system's own work
 * (sockets, processes, uv_timer_t) takes the time that it takes.
 *
 * Borrows the loop. At any time, also from a callback. Errors: UVOW_EINVAL: no
 * loop, or more than 2^63 ns in all. Thread: the loop's. Since 0.2.
 */
UVOW_API int uvow_loop_advance(uvow_loop_t *loop, uint64_t ms);

#ifdef __cplusplus
}
#endif

#endif
