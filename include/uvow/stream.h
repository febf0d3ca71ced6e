#ifndef UVOW_STREAM_H
#define UVOW_STREAM_H

/**
 * @file stream.h
 * Streams: what comes more than once. A stream is to a sink what a future is to
 * a promise.
 *
 * What is missing, as a stream was full or its source was renewed, is never
 * unsaid: uvow_result_missed counts it on the next item, or on the end, also if
 * that is an error.
 *
 * Ownership is that of futures: whatever reads a stream to its end, or makes
 * another of it, takes it; keep your own with uvow_stream_ref. NULL in gives
 * NULL out, and NULL as a future is UVOW_ENOMEM to whoever waits.
 *
 * A stream that nobody can read any more (no owner, no uvow_stream_next pending,
 * no each or pipe) cancels its source: what waits is dropped, the sink's owner is
 * told, a subscription is unsubscribed, a request canceled. That is what "lets
 * go" means below. A callback that runs for each item holds the stream: canceling
 * its future lets go, releasing or detaching that future doesn't.
 *
 * Callbacks and destructors run later, from the loop's task queue.
 *
 * Everything here is for the loop's thread.
 */

#include "combine.h"

#ifdef __cplusplus
extern "C" {
#endif

/** The write side; one owner; ends exactly once. */
typedef struct uvow_sink uvow_sink_t;

/** What happens to an item that finds its stream full. */
typedef enum uvow_full {
  /** UVOW_FULL_WAIT; for what shares a connection with requests (subscriptions,
   * events, partial answers): UVOW_FULL_FAIL. */
  UVOW_FULL_DEFAULT = 0,
  /** The source waits: it isn't read, or its owner waits for room. Refused
   * (UVOW_EINVAL) for what shares a connection with requests. */
  UVOW_FULL_WAIT = 1,
  UVOW_FULL_DROP_OLDEST = 2,
  UVOW_FULL_DROP_NEWEST = 3,
  /** Only the newest is kept, whatever max_items says. */
  UVOW_FULL_LATEST = 4,
  /** The stream fails behind what waits (UVOW_EOVERLOAD), and its source is
   * canceled. */
  UVOW_FULL_FAIL = 5
} uvow_full_t;

/** How much of a stream may wait for its reader. */
typedef struct uvow_stream_options {
  /** Required. sizeof(uvow_stream_options_t). */
  size_t size;
  /** Optional, default 64; for subscriptions, events and partial answers 1024.
   * Items that wait. */
  size_t max_items;
  /** Optional, default 1 MiB, where items are bytes. One item is let pass. */
  size_t max_bytes;
  /** Optional, default UVOW_FULL_DEFAULT. What was dropped is counted: see
   * uvow_result_missed. */
  uvow_full_t full;
  /** Optional, default 0. 1: each gap is an item of its own, at once, without
   * value (see uvow_result_missed); 0: the next item says it. */
  int tell_gaps;
} uvow_stream_options_t;

/** Whether an item stays. */
typedef int (*uvow_filter_cb)(const uvow_result_t *item, void *data);

/* Write. */

/** Makes a stream and its sink. Returns new, and a new sink in ret_sink; NULL
 * (and a NULL sink): no memory, or the loop is closed. Since 0.2. */
UVOW_NEW uvow_stream_t *uvow_stream_new(uvow_loop_t *loop,
                                        const uvow_stream_options_t *options,
                                        uvow_sink_t **ret_sink);
/**
 * Adds an item. Takes the value, also on failure; borrows the sink.
 *
 * Returns 0; 1: taken, and now it's full: wait for uvow_sink_room, as another
 * push is refused (other policies than UVOW_FULL_WAIT never return 1). Errors:
 * UVOW_EOVERLOAD: it was full (UVOW_FULL_WAIT, UVOW_FULL_FAIL); UVOW_ECANCELED:
 * nobody reads any more; UVOW_ECLOSED: it has failed; UVOW_ETYPE: not what this
 * sink takes; UVOW_ENOMEM. Since 0.2.
 */
UVOW_API int uvow_sink_push(uvow_sink_t *sink, uvow_value_t value);
/** A future of room: fulfilled (no value) when a push would be taken, rejected
 * as uvow_sink_push. Borrows. Returns new. Since 0.2. */
UVOW_NEW uvow_future_t *uvow_sink_room(uvow_sink_t *sink);
/** Ends the stream behind what waits. Takes the sink; accepts NULL. */
UVOW_API void uvow_sink_end(uvow_sink_t *sink);
/** Ends it with a value, which each, collect and pipe bring. Takes both. */
UVOW_API void uvow_sink_end_value(uvow_sink_t *sink, uvow_value_t value);
/** Ends it with an error, behind what waits. Takes both. */
UVOW_API void uvow_sink_fail(uvow_sink_t *sink, uvow_error_t *error);
/** Gives it up: the stream fails with UVOW_EBROKEN. Takes it; accepts NULL. */
UVOW_API void uvow_sink_drop(uvow_sink_t *sink);
/** Sets who is told, once, that nobody reads any more; queued now if so already.
 * Ending, failing or dropping the sink withdraws a cb that hasn't run; destroy
 * (may be NULL) runs exactly once, as that of uvow_promise_on_cancel. The sink is
 * still to be ended or dropped. Borrows. Since 0.2. */
UVOW_API void uvow_sink_on_cancel(uvow_sink_t *sink, uvow_cancel_cb cb,
                                  void *data, uvow_destroy_cb destroy);
/** A future of the end of the other side's reading: fulfilled (no value) when
 * all has been read or written, rejected when it was let go of. Borrows. Since
 * 0.2. */
UVOW_NEW uvow_future_t *uvow_sink_flushed(uvow_sink_t *sink);

/* Read. */

/**
 * A future of the next item. Many may be asked for ahead, also by several
 * readers: each item goes to one, first come, first served.
 *
 * At the end it is fulfilled, and uvow_result_is_end says so; it rejects if the
 * stream fails, or with UVOW_EBUSY if each, map, pipe or the like reads it.
 * Canceling it, also by a timeout, takes no item. Borrows. Returns new.
 * Since 0.2.
 */
UVOW_NEW uvow_future_t *uvow_stream_next(uvow_stream_t *stream);
/** A future of the next item; then lets go. A stream that ends without one:
 * UVOW_ECLOSED. Takes it. Returns new. Since 0.2. */
UVOW_NEW uvow_future_t *uvow_stream_first(uvow_stream_t *stream);
/**
 * Calls cb for each item. The next one waits for the future that cb returns;
 * uvow_next_end ends it early, an error too: both let go of the stream.
 *
 * Takes it. Returns a new future of the end: its value, or its error;
 * UVOW_EBUSY: a next is pending, or another each reads it. Since 0.2.
 */
UVOW_NEW uvow_future_t *uvow_stream_each(uvow_stream_t *stream, uvow_then_cb cb,
                                         void *data);
/** A future of all items (uvow_results_t, see combine.h), whose
 * uvow_result_missed counts all that are missing; more than max_items:
 * UVOW_ETOOBIG. Takes it. Returns new. Since 0.2. */
UVOW_NEW uvow_future_t *uvow_stream_collect(uvow_stream_t *stream,
                                            size_t max_items);
/** Pushes each item into a sink, no faster than it takes them, and ends or fails
 * it as the stream ends. Takes both. Returns a new future of the stream's end
 * and the sink's flush; canceling it lets go of the stream and drops the sink.
 * Since 0.2. */
UVOW_NEW uvow_future_t *uvow_stream_pipe(uvow_stream_t *stream,
                                         uvow_sink_t *sink);

/** One more owner. Returns its argument; accepts NULL. */
UVOW_NEW uvow_stream_t *uvow_stream_ref(uvow_stream_t *stream);
/** One owner less; the last one lets go, unless a next is pending or each reads
 * it. Accepts NULL. */
UVOW_API void uvow_stream_unref(uvow_stream_t *stream);
/** Lets go, whoever else owns it (their reads end), and waits until the source
 * has ended: unsubscribed, closed. Takes it. Returns a new future. Since 0.2. */
UVOW_NEW uvow_future_t *uvow_stream_close(uvow_stream_t *stream);
/** How many items wait. Borrows; 0 for NULL. */
UVOW_API size_t uvow_stream_waiting(const uvow_stream_t *stream);

/* Streams of streams. Each takes what it reads and returns new; they pull: what
 * isn't asked for waits at the source. What is missing before an item that one
 * leaves out is missing before the next item or the end; a gap (tell_gaps) is
 * given to no callback of theirs, and counts as no item. */

/** What cb makes of each item: a value, an error (which ends it), or a future.
 * Since 0.2. */
UVOW_NEW uvow_stream_t *uvow_stream_map(uvow_stream_t *stream, uvow_then_cb cb,
                                        void *data);
/** The items that cb says yes to. Since 0.2. */
UVOW_NEW uvow_stream_t *uvow_stream_filter(uvow_stream_t *stream,
                                           uvow_filter_cb cb, void *data);
/** The first n. Since 0.2. */
UVOW_NEW uvow_stream_t *uvow_stream_take(uvow_stream_t *stream, size_t n);
/** Until a future is settled: takes both; its rejection is the end's. */
UVOW_NEW uvow_stream_t *uvow_stream_until(uvow_stream_t *stream,
                                          uvow_future_t *f);
/** Fails with UVOW_ETIMEDOUT if an item is asked for and none comes in time. */
UVOW_NEW uvow_stream_t *uvow_stream_timeout(uvow_stream_t *stream,
                                            uint64_t timeout_ms);
/** Items of several (uvow_results_t): n of them, or what came within wait_ms. */
UVOW_NEW uvow_stream_t *uvow_stream_batch(uvow_stream_t *stream, size_t n,
                                          uint64_t wait_ms);
/** An item only when none follows it for quiet_ms. */
UVOW_NEW uvow_stream_t *uvow_stream_debounce(uvow_stream_t *stream,
                                             uint64_t quiet_ms);
/** At most one item every interval_ms: the newest. */
UVOW_NEW uvow_stream_t *uvow_stream_throttle(uvow_stream_t *stream,
                                             uint64_t interval_ms);
/** Lines of a stream of bytes, without their end; a longer one than max_bytes:
 * UVOW_ETOOBIG. */
UVOW_NEW uvow_stream_t *uvow_stream_lines(uvow_stream_t *bytes,
                                          size_t max_bytes);
/** Another reader that gets every item from now on, with a buffer of its own:
 * the only one that borrows the stream. */
UVOW_NEW uvow_stream_t *uvow_stream_tee(uvow_stream_t *stream,
                                        const uvow_stream_options_t *options);
/** Items of several, as they come; ends with the last. Takes each, not the
 * array. */
UVOW_NEW uvow_stream_t *uvow_stream_merge(uvow_loop_t *loop,
                                          uvow_stream_t *const *streams,
                                          size_t count);
/** Results of futures, as they settle; a rejected one is an item with an error.
 * Takes each, not the array; letting go cancels them. */
UVOW_NEW uvow_stream_t *uvow_stream_of_futures(uvow_loop_t *loop,
                                               uvow_future_t *const *futures,
                                               size_t count);
/** An item (an int64: how many intervals have passed) every interval_ms; late
 * ones are one. Holds the loop. */
UVOW_NEW uvow_stream_t *uvow_stream_ticks(uvow_loop_t *loop,
                                          uint64_t interval_ms);

#ifdef __cplusplus
}
#endif

#endif
