#ifndef UVOW_METHODS_H
#define UVOW_METHODS_H

/**
 * @file methods.h
 * Methods: what the other end may call, and what it may tell.
 *
 * One table serves any number of clients, servers and peers of its loop.
 * Methods and destructors run later, from the loop's task queue. Everything
 * here is for the loop's thread.
 */

#include "json.h"
#include "loop.h"
#include "stream.h"

#ifdef __cplusplus
extern "C" {
#endif

/** The other end of a conversation, see peer.h. */
typedef struct uvow_peer uvow_peer_t;
/** Names, and what runs for them. Counted. */
typedef struct uvow_methods uvow_methods_t;
/** A call that is being answered. Borrowed for the method's call. */
typedef struct uvow_call uvow_call_t;

/**
 * A method. What it returns is the answer: a value (see below), an error, a
 * future of either, or a stream; uvow_next_pass() answers with the params.
 * Borrows call and params (for the call): the getters of json.h read them;
 * uvow_result_keep keeps them.
 *
 * Values are written as JSON, see json.h; no value is null. An error of
 * uvow_error_new_peer is sent with its code, message and data; any other as
 * code -32603 with its message.
 *
 * For an event or notification it runs too; then what it returns is waited for,
 * and nothing is sent. When the caller cancels the call or goes away, the
 * returned future is canceled, and the stream let go of.
 *
 * Of a stream each item is a partial answer, where the protocol has those, else
 * an event of the method's name; its end's value, or its error, is the answer.
 * Its reader's pace is the peer's: while too much is unsent, nothing is read.
 *
 * It does not run for a call above max_calls or max_call_bytes, which is
 * refused with code -32000.
 */
typedef uvow_next_t (*uvow_method_cb)(uvow_call_t *call,
                                      const uvow_result_t *params, void *data);

/** Makes an empty table. Returns new, release it with uvow_methods_unref; NULL:
 * no memory, or the loop is closed. Since 0.2. */
UVOW_NEW uvow_methods_t *uvow_methods_new(uvow_loop_t *loop);

/**
 * Adds a method, or replaces the one of this name; NULL as name: for all names
 * that no other method has.
 *
 * Copies name, keeps data. Errors: UVOW_EINVAL: no methods or cb; UVOW_ENOMEM.
 * Since 0.2.
 */
UVOW_API int uvow_methods_add(uvow_methods_t *methods, const char *name,
                              uvow_method_cb cb, void *data);

/**
 * Gives data to the table: destroy runs once, later, when the table is freed
 * and no method of it runs any more; at once if this fails.
 *
 * Takes data. Errors: UVOW_EINVAL: no methods or destroy; UVOW_ENOMEM. Since
 * 0.2.
 */
UVOW_API int uvow_methods_own(uvow_methods_t *methods, void *data,
                              uvow_destroy_cb destroy);

/** One more owner. Returns its argument; accepts NULL. Since 0.2. */
UVOW_NEW uvow_methods_t *uvow_methods_ref(uvow_methods_t *methods);
/** One owner less. Calls that are being answered keep it. Accepts NULL. Since
 * 0.2. */
UVOW_API void uvow_methods_unref(uvow_methods_t *methods);

/** The method's name, NUL-terminated. Borrowed. */
UVOW_API const char *uvow_call_method(const uvow_call_t *call);
/**
 * The W3C trace context that came with the call, or NULL: none, or none that is
 * valid (https://www.w3.org/TR/trace-context/). Borrowed. Since 0.1.
 */
UVOW_API const char *uvow_call_traceparent(const uvow_call_t *call);
/** The session that it is in: its text, or, of a description whose sessions have
 * two names, an object of them; NULL: it's in none. Borrowed. Since 0.2. */
UVOW_API const char *uvow_call_session(const uvow_call_t *call);
/** The loop, for making errors and futures. Borrowed. */
UVOW_API uvow_loop_t *uvow_call_loop(const uvow_call_t *call);
/** Whether the peer waits for an answer: 0 for a notification. */
UVOW_API int uvow_call_wants_answer(const uvow_call_t *call);
/**
 * Who calls: to request of it, notify it, keep data with it.
 *
 * Returns borrowed (valid until the method returns, or releases the last owner;
 * uvow_peer_ref keeps it), or NULL: no memory. Since 0.2.
 */
UVOW_API uvow_peer_t *uvow_call_peer(const uvow_call_t *call);

#ifdef __cplusplus
}
#endif

#endif
