#ifndef UVOW_WORK_H
#define UVOW_WORK_H

/**
 * @file work.h
 * Bounded work: at most so many at a time. Jobs are started later, from the
 * loop's task queue. Everything here is for the loop's thread.
 */

#include "combine.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Starts job number i. Returns new; NULL is UVOW_ENOMEM. */
typedef uvow_future_t *(*uvow_map_cb)(size_t i, void *data);
/** Starts a job. Returns new; NULL is UVOW_ENOMEM. */
typedef uvow_future_t *(*uvow_start_cb)(void *data);

/**
 * Starts n jobs, at most so many at a time, in order; a future of their results
 * in order (uvow_results_t). The first error rejects it: no other job starts,
 * those under way are canceled, as a cancel does. at_most 0: UVOW_EINVAL.
 * Returns new. Since 0.2.
 */
UVOW_NEW uvow_future_t *uvow_future_map(uvow_loop_t *loop, size_t n,
                                        size_t at_most, uvow_map_cb start,
                                        void *data);
/** As uvow_future_map, values and errors: it never rejects for one of them. */
UVOW_NEW uvow_future_t *uvow_future_map_settled(uvow_loop_t *loop, size_t n,
                                                size_t at_most,
                                                uvow_map_cb start, void *data);

/** A semaphore: how many jobs run at once, whoever starts them. Counted. */
typedef struct uvow_limit uvow_limit_t;

/** Makes a limit. Returns new, or NULL. Since 0.2. */
UVOW_NEW uvow_limit_t *uvow_limit_new(uvow_loop_t *loop, size_t at_most);
/** Starts a job when its turn comes; the turn ends when the job's future is
 * settled. Canceled while it waits, start isn't called. Returns a new future of
 * the job. Borrows the limit. Since 0.2. */
UVOW_NEW uvow_future_t *uvow_limit_run(uvow_limit_t *limit, uvow_start_cb start,
                                       void *data);
/** One more owner. */
UVOW_NEW uvow_limit_t *uvow_limit_ref(uvow_limit_t *limit);
/** One owner less. Who waits still gets a turn. Accepts NULL. */
UVOW_API void uvow_limit_unref(uvow_limit_t *limit);

/** A condition that many wait for, each with a future of its own. One owner. */
typedef struct uvow_gate uvow_gate_t;

/** Makes a gate that isn't open. Returns new, or NULL. Since 0.2. */
UVOW_NEW uvow_gate_t *uvow_gate_new(uvow_loop_t *loop);
/** A future that's fulfilled (no value) when the gate is open. Returns new. */
UVOW_NEW uvow_future_t *uvow_gate_wait(uvow_gate_t *gate);
/** Opens it (1): all who wait go on, in order; or not (0). Borrows. */
UVOW_API void uvow_gate_set(uvow_gate_t *gate, int open);
/** Frees it: who waits rejects with UVOW_EBROKEN. Takes it; accepts NULL. */
UVOW_API void uvow_gate_free(uvow_gate_t *gate);

#ifdef __cplusplus
}
#endif

#endif
