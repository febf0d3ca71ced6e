#ifndef UVOW_THREAD_H
#define UVOW_THREAD_H

/**
 * @file thread.h
 * Promises that another thread settles.
 *
 * The future is the loop thread's, as every future; its continuations run
 * there. Only the promise travels.
 */

#include "loop.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A promise for one other thread: whoever has it, uses it up. */
typedef struct uvow_thread_promise uvow_thread_promise_t;

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
UVOW_API uvow_future_t *
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

#ifdef __cplusplus
}
#endif

#endif
