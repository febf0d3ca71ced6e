#ifndef UVOW_FUTURE_H
#define UVOW_FUTURE_H

/**
 * @file future.h
 * Futures: what isn't known yet, and what to do when it is.
 *
 * The one ownership rule (F1): whatever transforms or ends a future takes it;
 * keep your own with uvow_future_ref. Values, errors and promises that you give
 * away are taken, also on failure. A callback's input is borrowed for the call.
 * NULL in (no memory earlier in the chain) gives NULL out.
 *
 * Every callback and destructor given here runs later, from the loop's task
 * queue, never within the call that caused it; where a call fails, the destructor
 * of what it was given runs within it.
 *
 * Everything here is for the loop's thread, unless it says otherwise.
 */

#include "error.h"

#ifdef __cplusplus
extern "C" {
#endif

/** The read side; counted. */
typedef struct uvow_future uvow_future_t;
/** The write side; one owner; settles exactly once. */
typedef struct uvow_promise uvow_promise_t;
/** Many values, one after the other: see stream.h. */
typedef struct uvow_stream uvow_stream_t;

/** How a future stands. */
typedef enum uvow_state {
  UVOW_PENDING = 1,
  UVOW_FULFILLED = 2,
  UVOW_REJECTED = 3
} uvow_state_t;

/** What a continuation is given: a value or an error. Borrowed for the call. */
typedef struct uvow_result {
  uvow_loop_t *loop;
  /** NULL: fulfilled. Borrowed. */
  const uvow_error_t *error;
  /** No value if there's an error. Borrowed. */
  uvow_value_t value;
  /** uvow's own. */
  uvow_future_t *source;
} uvow_result_t;

/** What comes next in a chain. Made with one of uvow_next_*. */
typedef struct uvow_next {
  /** uvow's own. */
  int kind;
  int code;
  union {
    uvow_value_t value;
    uvow_error_t *error;
    uvow_future_t *future;
    uvow_stream_t *stream;
    const char *text;
  } u;
} uvow_next_t;

/** The kinds of uvow_next_t; the functions below make them. */
enum uvow_next_kind {
  UVOW_NEXT_PASS = 0,
  UVOW_NEXT_VALUE = 1,
  UVOW_NEXT_ERROR = 2,
  UVOW_NEXT_CODE = 3,
  UVOW_NEXT_FUTURE = 4,
  UVOW_NEXT_STREAM = 5,
  UVOW_NEXT_END = 6
};

/** Passes the input on, value or error, as if there were no callback. */
static inline uvow_next_t uvow_next_pass(void) {
  uvow_next_t next;
  next.kind = UVOW_NEXT_PASS;
  next.code = 0;
  next.u.value = uvow_value_none();
  return next;
}

/** Fulfills with a value. Takes it. */
static inline uvow_next_t uvow_next_value(uvow_value_t value) {
  uvow_next_t next;
  next.kind = UVOW_NEXT_VALUE;
  next.code = 0;
  next.u.value = value;
  return next;
}

/** Fulfills with no value. */
static inline uvow_next_t uvow_next_none(void) {
  return uvow_next_value(uvow_value_none());
}

/** Rejects. Takes the error; NULL is UVOW_EINVAL. */
static inline uvow_next_t uvow_next_error(uvow_error_t *error) {
  uvow_next_t next;
  next.kind = UVOW_NEXT_ERROR;
  next.code = 0;
  next.u.error = error;
  return next;
}

/** Rejects with a code and static text (or NULL). Nothing to release. */
static inline uvow_next_t uvow_next_code(int code, const char *text) {
  uvow_next_t next;
  next.kind = UVOW_NEXT_CODE;
  next.code = code;
  next.u.text = text;
  return next;
}

/** Follows a future. Takes it; NULL is UVOW_ENOMEM. */
static inline uvow_next_t uvow_next_future(uvow_future_t *future) {
  uvow_next_t next;
  next.kind = UVOW_NEXT_FUTURE;
  next.code = 0;
  next.u.future = future;
  return next;
}

/** Follows a stream's end: its items are read and released. Takes it; NULL is
 * UVOW_ENOMEM. */
static inline uvow_next_t uvow_next_stream(uvow_stream_t *stream) {
  uvow_next_t next;
  next.kind = UVOW_NEXT_STREAM;
  next.code = 0;
  next.u.stream = stream;
  return next;
}

/** For a stream's callback: enough; the stream ends here with this value. Takes
 * it. Elsewhere as uvow_next_value. */
static inline uvow_next_t uvow_next_end(uvow_value_t value) {
  uvow_next_t next;
  next.kind = UVOW_NEXT_END;
  next.code = 0;
  next.u.value = value;
  return next;
}

/** A continuation. Says what comes next (F3). */
typedef uvow_next_t (*uvow_then_cb)(const uvow_result_t *result, void *data);
/**
 * A cleanup: runs once, whatever happened, also when canceled. Its answer
 * replaces the result only if it's an error, or a future that is rejected; a
 * future is waited for.
 */
typedef uvow_next_t (*uvow_finally_cb)(void *data);
/** The end of a chain. */
typedef void (*uvow_done_cb)(const uvow_result_t *result, void *data);
/** Tells a promise's owner that nobody wants the result any more. */
typedef void (*uvow_cancel_cb)(void *data);

/** Options of uvow_future_chain. */
typedef struct uvow_chain_options {
  /** Required. sizeof(uvow_chain_options_t). */
  size_t size;
  /** Optional, default: the value passes. */
  uvow_then_cb on_value;
  /** Optional, default: the error passes. */
  uvow_then_cb on_error;
  /** Optional. What the callbacks are given. */
  void *data;
  /** Optional. Releases data, exactly once, on every path. */
  uvow_destroy_cb destroy;
} uvow_chain_options_t;

/**
 * Makes a future and the promise that settles it.
 *
 * Returns new, and a new promise in ret_promise, which must not be NULL; NULL
 * (and a NULL promise): out of memory, or the loop is closed. Since 0.1.
 */
UVOW_NEW uvow_future_t *uvow_promise_new(uvow_loop_t *loop,
                                         uvow_promise_t **ret_promise);
/**
 * Fulfills. Takes the promise and the value. If the future was settled before
 * (canceled, or with a try function), the value is released and nothing else
 * happens. NULL as promise only releases the value. A type without its size, or
 * of a newer version that says more, rejects with UVOW_ETYPE. Since 0.1.
 */
UVOW_API void uvow_promise_fulfill(uvow_promise_t *promise, uvow_value_t value);
/** Rejects. Takes promise and error (NULL: UVOW_EINVAL), as fulfill. */
UVOW_API void uvow_promise_reject(uvow_promise_t *promise, uvow_error_t *error);
/** Rejects with a code and a copied detail (or NULL). Takes the promise. */
UVOW_API void uvow_promise_reject_code(uvow_promise_t *promise, int code,
                                       const char *detail);
/**
 * Settles as another future will. Takes both. A NULL future rejects with
 * UVOW_ENOMEM, one of another loop with UVOW_EINVAL, one that waits for this
 * promise with UVOW_ECYCLE. Since 0.1.
 */
UVOW_API void uvow_promise_follow(uvow_promise_t *promise,
                                  uvow_future_t *future);
/** Gives it up. Takes it. Unsettled: rejects with UVOW_EBROKEN. */
UVOW_API void uvow_promise_drop(uvow_promise_t *promise);
/**
 * Lets go of it without settling: what a garbage collector does. Takes it.
 *
 * The future stays pending. It is freed with all that was attached to it, and
 * none of that is told, once no handle to any of it is left; data is destroyed
 * then, later than the call. A future that is left rejects when the loop closes
 * (UVOW_ECLOSED). What combines it with others keeps it until then. NULL, or
 * used up: nothing. Settled: as drop. Since 0.2.
 */
UVOW_API void uvow_promise_free(uvow_promise_t *promise);
/**
 * Fulfills if nothing was first. Borrows the promise (end it with
 * uvow_promise_drop), takes the value. Errors: UVOW_EALREADY: another was
 * first; UVOW_EINVAL: NULL. Since 0.1.
 */
UVOW_API int uvow_promise_try_fulfill(uvow_promise_t *promise,
                                      uvow_value_t value);
/** Rejects if nothing was first. As uvow_promise_try_fulfill. */
UVOW_API int uvow_promise_try_reject(uvow_promise_t *promise,
                                     uvow_error_t *error);
/**
 * Sets who is told when the future is canceled. Borrows the promise, keeps data
 * until destroy (may be NULL).
 *
 * The cancel queues cb; it runs once, after the cancel has returned and before
 * any continuation of what was canceled. Set after a cancel, cb is queued now.
 * Using up the promise (fulfill, reject, follow, drop, free) withdraws a cb
 * that hasn't run. destroy runs exactly once, later too: after cb has returned,
 * or after the promise is used up (by follow: once it has followed; by free:
 * once its future is settled or freed); or within
 * this call, as its last act, for the data that was set before, and where the
 * promise is NULL or used up. The promise is still to be dropped or settled
 * (with no effect). NULL as cb: nobody. Since 0.1.
 */
UVOW_API void uvow_promise_on_cancel(uvow_promise_t *promise, uvow_cancel_cb cb,
                                     void *data, uvow_destroy_cb destroy);

/** A future that is fulfilled. Takes the value. Returns new, or NULL. */
UVOW_NEW uvow_future_t *uvow_future_fulfilled(uvow_loop_t *loop,
                                              uvow_value_t value);
/** A future that is rejected. Takes the error. Returns new, or NULL. */
UVOW_NEW uvow_future_t *uvow_future_rejected(uvow_loop_t *loop,
                                             uvow_error_t *error);

/**
 * Continues on a value; an error passes. Takes f, returns new; NULL: f was, or
 * there is no memory (then what f would bring is lost and the work goes on).
 * Since 0.1. Source: Promises/A+ 2.2.
 */
UVOW_NEW uvow_future_t *uvow_future_then(uvow_future_t *f,
                                         uvow_then_cb on_value, void *data);
/** Continues on an error; a value passes. As uvow_future_then. */
UVOW_NEW uvow_future_t *uvow_future_catch(uvow_future_t *f,
                                          uvow_then_cb on_error, void *data);
/** Cleans up, then passes the result on. As uvow_future_then. */
UVOW_NEW uvow_future_t *uvow_future_finally(uvow_future_t *f,
                                            uvow_finally_cb cb, void *data);
/**
 * The general form: both ways at once, and a destructor for data. Takes f.
 * Errors: NULL, also for options that can't be read. Since 0.1.
 */
UVOW_NEW uvow_future_t *uvow_future_chain(uvow_future_t *f,
                                          const uvow_chain_options_t *options);
/**
 * Ends a chain. Takes f. Errors, each without a call of cb: UVOW_ENOMEM: f is
 * NULL, or no memory; UVOW_ECLOSED: the loop is; UVOW_EINVAL: no cb.
 * Since 0.1.
 */
UVOW_API int uvow_future_done(uvow_future_t *f, uvow_done_cb cb, void *data);
/**
 * Gives data to a future: destroy runs exactly once, from the task queue, when
 * the future has no owner any more: so after the last callback that is attached
 * to it has returned, whatever happened; within the call, if this fails. So what
 * then, catch, finally, done are given needs no destructor of its own.
 *
 * Takes f and data. Returns new, which settles as f does; NULL as
 * uvow_future_then. Since 0.2.
 */
UVOW_NEW uvow_future_t *uvow_future_own(uvow_future_t *f, void *data,
                                        uvow_destroy_cb destroy);
/**
 * Gives it up: cancels it, unless it's settled or others own it or wait for it;
 * nothing is reported. Takes f; accepts NULL. Since 0.2.
 */
UVOW_API void uvow_future_drop(uvow_future_t *f);
/**
 * Lets it run: nobody waits for the result. It isn't canceled, and a rejection
 * is still reported. Takes f; accepts NULL.
 */
UVOW_API void uvow_future_detach(uvow_future_t *f);

/** One more owner. Returns its argument; accepts NULL. */
UVOW_NEW uvow_future_t *uvow_future_ref(uvow_future_t *f);
/** One owner less. Does not cancel (F7). Accepts NULL. */
UVOW_API void uvow_future_unref(uvow_future_t *f);

/**
 * Cancels f, and up the chain all that nobody else waits for or holds; the
 * promise at its root is told (uvow_promise_on_cancel).
 *
 * The topmost canceled link rejects with UVOW_ECANCELED, and the rejection runs
 * down to f: `then` and `catch` of canceled links don't run, each `finally`
 * runs and is waited for, callbacks attached to f run last; destructors run.
 * Without a `finally` on the way f is UVOW_REJECTED when this returns; with one
 * it is UVOW_PENDING until the last has ended. all, all_settled, any, race that
 * are canceled wait for the cleanups of what they held. Borrows. Errors:
 * UVOW_EALREADY: f is settled, or canceled already; UVOW_EINVAL: NULL. Since
 * 0.1.
 */
UVOW_API int uvow_future_cancel(uvow_future_t *f);

/** How it stands. 0 for NULL. Borrows. */
UVOW_API uvow_state_t uvow_future_state(const uvow_future_t *f);
/**
 * Looks at a settled future. What it writes is borrowed (valid while you own
 * f). Doesn't count as observing a rejection. Errors: UVOW_EINVAL: NULL, or
 * still pending. Since 0.1.
 */
UVOW_API int uvow_future_peek(uvow_future_t *f, uvow_result_t *ret_result);
/**
 * Keeps a result's value beyond the call. Returns an owned value: release it
 * with uvow_value_clear, or give it away. No value if there's an error.
 */
UVOW_NEW uvow_value_t uvow_result_keep(const uvow_result_t *result);

/** The bytes of an answer, a message, a line, a file, as they came, JSON or not:
 * borrowed (as long as the result); NULL and 0: there are none. Since 0.2. */
UVOW_API uvow_slice_t uvow_result_bytes(const uvow_result_t *result);
/** Bytes, copied, for a sink, a file, or a continuation to return; a WebSocket
 * sends them as binary. Returns an owned value of uvow_type_bytes; no memory, or
 * no loop: no value, and UVOW_ENOMEM or UVOW_EINVAL for who sends it or fulfills
 * with it. Since 0.2. */
UVOW_NEW uvow_value_t uvow_value_binary(uvow_loop_t *loop, const void *bytes,
                                        size_t len);

/** Whether a stream ended (see uvow_stream_next): then the value, if any, is the
 * one that the stream ended with. Borrows. Since 0.2. */
UVOW_API int uvow_result_is_end(const uvow_result_t *result);
/** Of uvow_result_missed: nobody knows how many. */
#define UVOW_MISSED_UNKNOWN UINT64_MAX
/**
 * How many items are missing between the one before and this one, as a stream
 * was full; UVOW_MISSED_UNKNOWN where a source was renewed. Of an end, in order or
 * with an error: before it. Borrows. Since 0.2.
 */
UVOW_API uint64_t uvow_result_missed(const uvow_result_t *result);

/**
 * Names a future for reports. `name` is static text, kept as a pointer. A debug
 * build of the library keeps it, others ignore it. Takes f and returns it.
 */
UVOW_API uvow_future_t *uvow_future_name(uvow_future_t *f, const char *name);

#ifdef __cplusplus
}
#endif

/*
 * Define UVOW_SITES before including uvow, and each future that your code makes
 * is named after the line that made it: "orders.c:42".
 */
#ifdef UVOW_SITES
#define UVOW_SITE_TEXT(line) #line
#define UVOW_SITE_LINE(line) UVOW_SITE_TEXT(line)
#define UVOW_SITE __FILE__ ":" UVOW_SITE_LINE(__LINE__)
#define uvow_promise_new(loop, ret_promise)                                    \
  uvow_future_name(uvow_promise_new((loop), (ret_promise)), UVOW_SITE)
#define uvow_future_then(f, on_value, data)                                    \
  uvow_future_name(uvow_future_then((f), (on_value), (data)), UVOW_SITE)
#define uvow_future_catch(f, on_error, data)                                   \
  uvow_future_name(uvow_future_catch((f), (on_error), (data)), UVOW_SITE)
#define uvow_future_finally(f, cb, data)                                       \
  uvow_future_name(uvow_future_finally((f), (cb), (data)), UVOW_SITE)
#define uvow_future_chain(f, options)                                          \
  uvow_future_name(uvow_future_chain((f), (options)), UVOW_SITE)
#endif

#endif
