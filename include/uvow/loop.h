#ifndef UVOW_LOOP_H
#define UVOW_LOOP_H

/**
 * @file loop.h
 * uvow's side of a libuv loop that is yours.
 *
 * The uv_loop_t stays the application's: uvow adds handles to it and never runs
 * it. Any number of uvow loops may live in a process, one per uv_loop_t.
 */

#include "future.h"

#ifdef __cplusplus
extern "C" {
#endif

struct uv_loop_s; /* uv_loop_t of <uv.h> */

/** Told, once, of a rejection that nobody observed. Borrows the error. */
typedef void (*uvow_unhandled_cb)(uvow_loop_t *loop, const uvow_error_t *error,
                                  void *data);
/** Told that a loop is closed. It's gone then. */
typedef void (*uvow_loop_closed_cb)(void *data);

/** What is known of a future that isn't settled, or that was never released. */
typedef struct uvow_future_info {
  /** The future: borrowed for the call. */
  uvow_future_t *future;
  uvow_state_t state;
  /** What uvow_future_name gave it, or where it was made (see UVOW_SITES);
   * NULL if it has none, or the library is no debug build. */
  const char *name;
  /** What it is: "promise", "request", "fiber", "system" (libuv's), "timer",
   * "then", "finally", "done", "adopted", or "settled". Static text. */
  const char *kind;
  /** How many own it. */
  unsigned owners;
} uvow_future_info_t;

/** Told of a future. Must not make, settle, release or cancel any. */
typedef void (*uvow_walk_cb)(const uvow_future_info_t *info, void *data);
/** Told of a future that is owned still when its loop is closed. */
typedef void (*uvow_leak_cb)(const uvow_future_info_t *info, void *data);

/** Options of uvow_loop_new. */
typedef struct uvow_loop_options {
  /** Required. sizeof(uvow_loop_options_t). */
  size_t size;
  /** Optional, default malloc, realloc and free. Copied. Up to 8 MiB, in
   * blocks of at least 128 KiB, are kept for what is large, until the loop is
   * closed. */
  const uvow_allocator_t *allocator;
  /** Optional, default: one line to stderr (F8). */
  uvow_unhandled_cb on_unhandled;
  /** Optional. What on_unhandled is given. */
  void *unhandled_data;
  /** Optional, default: nobody is told, or in a debug build of the library one
   * line each to stderr. Called just before the closed callback. */
  uvow_leak_cb on_leak;
  /** Optional. What on_leak is given. */
  void *leak_data;
} uvow_loop_options_t;

/**
 * Attaches uvow to a libuv loop.
 *
 * Borrows `uv` until uvow_loop_close has called back; options may be NULL.
 * Returns new in ret_loop. Errors: UVOW_EINVAL: no uv, or options of another
 * size; UVOW_ENOMEM; libuv's codes. Thread: the one that runs uv. Since 0.1.
 */
UVOW_API int uvow_loop_new(struct uv_loop_s *uv,
                           const uvow_loop_options_t *options,
                           uvow_loop_t **ret_loop);

/**
 * Closes: clients and servers first, then every promise that is still out
 * (UVOW_ECLOSED), then uvow's handles. The continuations of all these run
 * before it returns, unless it's called from one: then they run after it.
 *
 * Takes the loop. `cb` (may be NULL) is called from uv_run when the last handle
 * is closed; after that uv_loop_close finds nothing of uvow's. Futures that
 * you still own stay readable; their memory goes with them. Call it once:
 * again, from what it causes, it does nothing. Since 0.1.
 */
UVOW_API void uvow_loop_close(uvow_loop_t *loop, uvow_loop_closed_cb cb,
                              void *data);

/**
 * Calls cb for every future of the loop that isn't settled, in no order.
 *
 * Borrows the loop. Costs a look at each future that ever was alive at the same
 * time. Returns how many there are; cb may be NULL: just count. Since 0.1.
 */
UVOW_API size_t uvow_loop_walk_futures(uvow_loop_t *loop, uvow_walk_cb cb,
                                       void *data);

/** The libuv loop. Returns borrowed. */
UVOW_API struct uv_loop_s *uvow_loop_uv(const uvow_loop_t *loop);

/** Milliseconds of a monotonic clock, the one that deadlines are counted in. */
UVOW_API uint64_t uvow_loop_now(uvow_loop_t *loop);

#ifdef __cplusplus
}
#endif

#endif
