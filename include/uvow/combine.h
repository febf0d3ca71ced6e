#ifndef UVOW_COMBINE_H
#define UVOW_COMBINE_H

/**
 * @file combine.h
 * Futures of several futures, and of time: all, all_settled, any, race,
 * timeout, delay, retry.
 *
 * What is no longer needed is given up at once: the combined future leaves it,
 * and it is canceled if nobody else waits for it or holds it. Canceling the
 * combined future does the same. A future may stand in an array more than once,
 * with an owner for each.
 *
 * A future that would wait for itself rejects with UVOW_ECYCLE, also where the
 * way leads through all, all_settled, any, race or retry. The look for it takes
 * at most 64 steps from either end: a longer cycle stays pending until it is
 * canceled, or the loop closed, and uvow_loop_walk shows it.
 *
 * What is given up is told later, as a cancel is: on_cancel and destructors run
 * from the loop's task queue, and so do the callbacks given here.
 *
 * Everything here is for the loop's thread.
 */

#include "future.h"

#ifdef __cplusplus
extern "C" {
#endif

/** How each future of an array ended, in the array's order. */
typedef struct uvow_results uvow_results_t;

/** The type of what all and all_settled bring. Counted. */
extern UVOW_API const uvow_type_t uvow_type_results;

/**
 * All values, in order; the first error rejects at once.
 *
 * Takes every future, also on failure; not the array. A NULL in it (no memory
 * earlier) counts as rejected with UVOW_ENOMEM, a future of another loop as
 * rejected with UVOW_EINVAL. An array of none is fulfilled with no results at
 * once; NULL as an array of some rejects with UVOW_EINVAL. Returns new: its
 * value is a uvow_results_t. NULL: no memory (what the futures do goes on), or
 * the loop is NULL or closed. Since 0.1. Source: ECMA-262, Promise.all.
 */
UVOW_NEW uvow_future_t *
uvow_future_all(uvow_loop_t *loop, uvow_future_t *const *futures, size_t count);
/**
 * All results, values and errors, in order; never rejects, unless the loop is
 * closed or it is canceled. As uvow_future_all. Since 0.1.
 * Source: ECMA-262, Promise.allSettled.
 */
UVOW_NEW uvow_future_t *uvow_future_all_settled(uvow_loop_t *loop,
                                                uvow_future_t *const *futures,
                                                size_t count);
/**
 * The first value. If there's none, rejects with UVOW_EALL, whose causes are
 * the errors in order (see uvow_error_nth_cause); so does an array of none. As
 * uvow_future_all. Since 0.1. Source: ECMA-262, Promise.any.
 */
UVOW_NEW uvow_future_t *
uvow_future_any(uvow_loop_t *loop, uvow_future_t *const *futures, size_t count);
/**
 * As the first that is settled. An array of none rejects with UVOW_EINVAL:
 * nothing could ever settle it. As uvow_future_all. Since 0.1.
 * Source: ECMA-262, Promise.race.
 */
UVOW_NEW uvow_future_t *uvow_future_race(uvow_loop_t *loop,
                                         uvow_future_t *const *futures,
                                         size_t count);

/**
 * Reads results. Errors: UVOW_ETYPE: the value is something else. What it
 * writes is borrowed (valid while the value is). Since 0.1.
 */
UVOW_API int uvow_value_get_results(const uvow_value_t *value,
                                    const uvow_results_t **ret_results);
/** How many there are. Borrows; 0 for NULL. */
UVOW_API size_t uvow_results_count(const uvow_results_t *results);
/**
 * The result of the future number i, from 0. What it writes is borrowed (valid
 * while the results are); uvow_result_keep keeps the value. Errors:
 * UVOW_EINVAL: NULL, or not so many. Since 0.1.
 */
UVOW_API int uvow_results_get(const uvow_results_t *results, size_t i,
                              uvow_result_t *ret_result);

/**
 * As f, if that settles within timeout_ms; else rejects with UVOW_ETIMEDOUT,
 * never early, and gives f up.
 *
 * Counts from the end of the current turn; 0: f must have settled by the next
 * one. Takes f. Holds the loop until it is settled. Returns new; NULL: f was,
 * or no memory (f goes on), or the loop is closed. Since 0.1.
 */
UVOW_NEW uvow_future_t *uvow_future_timeout(uvow_future_t *f,
                                            uint64_t timeout_ms);
/**
 * As f, if that settles before stop does; else f is given up and it rejects with
 * UVOW_ECANCELED, whose cause is stop's error, if any. A signal, a button, the
 * end of something. Takes both, and gives stop up when f settles. Returns new,
 * NULL as uvow_future_timeout. Since 0.2.
 */
UVOW_NEW uvow_future_t *uvow_future_until(uvow_future_t *f,
                                          uvow_future_t *stop);
/**
 * Fulfilled with no value after delay_ms; never early.
 *
 * Counts from the end of the current turn. Holds the loop until then; a cancel
 * ends it. Returns new; NULL: no memory, or the loop is NULL or closed.
 * Since 0.1.
 */
UVOW_NEW uvow_future_t *uvow_future_delay(uvow_loop_t *loop, uint64_t delay_ms);

/** As uvow_retry_options_t.max_attempts: until it succeeds. */
#define UVOW_RETRY_NO_LIMIT UINT32_MAX

/**
 * Tries. `attempt` counts from 1. Returns new; NULL is UVOW_ENOMEM, a future of
 * another loop or one that waits for this retry ends it (UVOW_EINVAL,
 * UVOW_ECYCLE).
 */
typedef uvow_future_t *(*uvow_retry_cb)(uint32_t attempt, void *data);
/** Whether to try again after this error. Borrows it. */
typedef int (*uvow_retry_if_cb)(const uvow_error_t *error, uint32_t attempt,
                                void *data);
/** A random number of 64 bits. */
typedef uint64_t (*uvow_random_cb)(void *data);

/** Options of uvow_future_retry. */
typedef struct uvow_retry_options {
  /** Required. sizeof(uvow_retry_options_t). */
  size_t size;
  /** Optional, default: after every error but UVOW_ECANCELED. */
  uvow_retry_if_cb retry_if;
  /** Optional, default 3. How often to try; UVOW_RETRY_NO_LIMIT: for ever. */
  uint32_t max_attempts;
  uint32_t reserved;
  /** Optional, default 100 ms. The bound of the first pause; it doubles. */
  uint64_t base_ms;
  /** Optional, default 10000 ms. The bound of any pause. */
  uint64_t max_ms;
  /** Optional, default none. All attempts and pauses together, in ms. */
  uint64_t deadline_ms;
  /** Optional, default: the loop's own generator. */
  uvow_random_cb random;
  /** Optional. Releases data, exactly once, on every path. */
  uvow_destroy_cb destroy;
} uvow_retry_options_t;

/**
 * Tries until an attempt succeeds, with pauses between the attempts: each is
 * random between 0 and its bound ("full jitter").
 *
 * The first attempt is made when the tasks are run, not within the call. When
 * no further attempt is made, rejects with the error of the last; when the
 * deadline has passed, with UVOW_ETIMEDOUT, whose cause is the last error (if
 * any), and the attempt under way is given up. A cancel gives up the attempt,
 * or ends the pause. Holds the loop while it pauses or has a deadline.
 *
 * Keeps fn and data (until destroy); borrows the options: NULL is all default.
 * Returns new, rejected with UVOW_EINVAL without fn. NULL: no memory, the loop
 * is NULL or closed, or the options can't be read (then destroy isn't
 * called: there's no telling what it is). Since 0.1.
 */
UVOW_NEW uvow_future_t *uvow_future_retry(uvow_loop_t *loop, uvow_retry_cb fn,
                                          void *data,
                                          const uvow_retry_options_t *options);

#ifdef __cplusplus
}
#endif

#endif
