#ifndef UVOW_THREAD_H
#define UVOW_THREAD_H

/**
 * @file thread.h
 * What another thread may do: settle one promise, or run a function on the
 * loop's thread.
 *
 * Told later, on the loop's thread and from its task queue: functions that are
 * posted, and what a promise that is settled here causes.
 */

#include "loop.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A promise for one other thread: whoever has it, uses it up. */
typedef struct uvow_thread_promise uvow_thread_promise_t;
/** A loop as other threads hold it; counted; outlives the loop. */
typedef struct uvow_thread_loop uvow_thread_loop_t;

/**
 * Makes a future and a promise that any thread may settle.
 *
 * Loop thread. It holds the loop until it's settled or the future canceled.
 * Returns new, and a new promise in ret_promise; NULL (and a NULL promise): no
 * memory, the system has no handle for uv_async_t, or the loop is closed.
 *
 * If the loop is closed first, the future rejects with UVOW_ECLOSED, and the
 * promise stays valid: settling it then only releases it, on the settling
 * thread, with the loop's allocator, which must allow that. Since 0.1.
 */
UVOW_NEW uvow_future_t *
uvow_thread_promise_new(uvow_loop_t *loop, uvow_thread_promise_t **ret_promise);

/**
 * Fulfills. Takes promise and value: nobody else may use what it points to. Its
 * type's destroy runs on the loop's thread, or here if the loop is closed.
 * NULL as promise releases the value. Any thread. Since 0.1.
 */
UVOW_API void uvow_thread_promise_fulfill(uvow_thread_promise_t *promise,
                                          uvow_value_t value);
/**
 * Rejects with a code and a detail (or NULL), of which the first 119 bytes are
 * copied. Takes the promise; accepts NULL. Any thread. Since 0.1.
 */
UVOW_API void uvow_thread_promise_reject(uvow_thread_promise_t *promise,
                                         int code, const char *detail);
/** Gives it up: rejects with UVOW_EBROKEN. As uvow_thread_promise_reject. */
UVOW_API void uvow_thread_promise_drop(uvow_thread_promise_t *promise);
/**
 * Whether nobody wants the result any more: canceled, or the loop is closed.
 * Borrows; accepts NULL. Any thread, that of whoever has the promise.
 */
UVOW_API int uvow_thread_promise_canceled(uvow_thread_promise_t *promise);

/** Runs on the loop's thread, from its task queue. A loop that is closing runs
 * all that was posted before; new futures are NULL then. */
typedef void (*uvow_post_cb)(uvow_loop_t *loop, void *data);

/** Options of uvow_thread_loop_new. */
typedef struct uvow_thread_loop_options {
  /** Required. sizeof(uvow_thread_loop_options_t). */
  size_t size;
  /** Optional, default 65536. Functions that wait; one more is refused. */
  size_t max_posted;
  /** Optional, default 0. 1: holds the libuv loop until it is released. */
  int hold_loop;
  uint32_t reserved;
} uvow_thread_loop_options_t;

/** The loop for other threads. Loop thread. Borrows options. Returns new, or
 * NULL: see uvow_loop_error: no memory, no handle, the loop is closed.
 * Since 0.2. */
UVOW_NEW uvow_thread_loop_t *
uvow_thread_loop_new(uvow_loop_t *loop,
                     const uvow_thread_loop_options_t *options);
/**
 * Runs cb on the loop's thread, first come, first served. Borrows the handle,
 * takes data, also on failure.
 *
 * cb runs exactly once if this returns 0, else never. destroy (may be NULL) runs
 * exactly once: on the loop's thread after cb, or, on failure, on the calling
 * thread before this returns. Errors: UVOW_ECLOSED: the loop is; UVOW_EOVERLOAD:
 * max_posted wait; UVOW_ENOMEM; UVOW_EINVAL: no cb. Any thread. Since 0.2.
 */
UVOW_API int uvow_thread_loop_post(uvow_thread_loop_t *loop, uvow_post_cb cb,
                                   void *data, uvow_destroy_cb destroy);
/** One more owner. Accepts NULL. Returns its argument. Any thread. */
UVOW_NEW uvow_thread_loop_t *uvow_thread_loop_ref(uvow_thread_loop_t *loop);
/** One owner less. Accepts NULL. Any thread. */
UVOW_API void uvow_thread_loop_unref(uvow_thread_loop_t *loop);

#ifdef __cplusplus
}
#endif

#endif
