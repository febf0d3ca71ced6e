#ifndef UVOW_SUBSCRIPTION_H
#define UVOW_SUBSCRIPTION_H

/**
 * @file subscription.h
 * What comes from a peer more than once: partial answers, events,
 * subscriptions, as streams.
 *
 * They share a connection with requests, and never pause it: no answer waits
 * behind an item. So UVOW_FULL_WAIT is refused, and the default is 1024 items and
 * UVOW_FULL_FAIL: nothing is lost unsaid.
 *
 * Told later, from the loop's task queue: items, ends and destructors, as of
 * every stream. Everything here is for the loop's thread.
 */

#include "peer.h"
#include "stream.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A subscription: how its events are told from others. Everything is copied. */
typedef struct uvow_subscription_options {
  /** Required. sizeof(uvow_subscription_options_t). */
  size_t size;
  /** Optional: the events' name. Default: partial answers to the request, which
   * has no deadline then, where the protocol says when they end. */
  const char *event;
  /** Optional, default: all events of that name. JSON Pointer into the event's
   * value, to what says which subscription it is for. */
  const char *key;
  /** Optional, default "": JSON Pointer into the answer, to what `key` must be
   * equal to (1 is 1.0, not "1"; arrays and objects: the same text). Nothing
   * there, or null: UVOW_ETYPE. */
  const char *answer_key;
  /** Optional, default "": JSON Pointer into the event's value: the item. */
  const char *item;
  /** Optional, default: the protocol's cancel, if it has one. A request, made
   * when the stream is let go of, with `unsubscribe_params`. */
  const char *unsubscribe;
  /** Optional, default "[$key]": JSON in which $key stands for what the answer
   * had at answer_key; without event and answer_key, for the request's id. */
  const char *unsubscribe_params;
  /** Optional, default 0. 1: it ends with its connection (UVOW_ELOST); 0: it is
   * made again, where the peer reconnects. */
  int no_renewal;
  uint32_t reserved;
  /** Optional, default 1024 items, UVOW_FULL_FAIL: a slow reader ends it with
   * UVOW_EOVERLOAD, and it is unsubscribed. UVOW_FULL_WAIT: UVOW_EINVAL, as
   * answers would wait behind events. What comes before the answer, too. */
  const uvow_stream_options_t *stream;
} uvow_subscription_options_t;

/**
 * Asks for many: a stream of partial answers; its end's value is the answer.
 * 1024 items, UVOW_FULL_FAIL: who reads too slowly has UVOW_EOVERLOAD. Letting go
 * cancels the request, as that does. Fails with the request's error. Takes
 * params. Returns new; NULL: no memory, or no peer. Since 0.2.
 */
UVOW_NEW uvow_stream_t *uvow_peer_request_stream(uvow_peer_t *peer,
                                                 const char *method,
                                                 uvow_value_t params);
/** The same, with options (NULL: all defaults; on_partial and first_is_last
 * aren't read). Since 0.2. */
UVOW_NEW uvow_stream_t *
uvow_peer_request_stream_with(uvow_peer_t *peer, const char *method,
                              uvow_value_t params,
                              const uvow_request_options_t *options);
/**
 * Events of this name (NULL: of all) from now on: a stream of their params, that
 * nothing is sent for. Each of several has all; methods of that name still run.
 * It goes on over reconnects, and ends with the peer: in order where that was
 * closed in order, on either side; else it fails with why. 1024 items,
 * UVOW_FULL_FAIL. Borrows name. Returns new; NULL: no memory, or no peer. Since
 * 0.2.
 */
UVOW_NEW uvow_stream_t *uvow_peer_events(uvow_peer_t *peer, const char *name);
/** The same, with options (NULL: those above). UVOW_FULL_WAIT: it fails with
 * UVOW_EINVAL, as answers would wait behind events. Since 0.2. */
UVOW_NEW uvow_stream_t *
uvow_peer_events_with(uvow_peer_t *peer, const char *name,
                      const uvow_stream_options_t *options);
/**
 * Subscribes: requests method, and gives a stream of the events that belong to
 * it, those that come before the answer included.
 *
 * After a reconnect it is made again, before all that waits: the next item then
 * says UVOW_MISSED_UNKNOWN (uvow_result_missed). What can't be made again fails
 * with the cause. Letting go unsubscribes; uvow_stream_close waits for that. It
 * fails with the request's error, or with UVOW_EINVAL: options that can't work;
 * it ends in order when the peer is closed on our side.
 *
 * Takes params; borrows the rest (NULL as options: all defaults). Returns new;
 * NULL: no memory, or no peer. Since 0.2.
 */
UVOW_NEW uvow_stream_t *
uvow_peer_subscribe(uvow_peer_t *peer, const char *method, uvow_value_t params,
                    const uvow_subscription_options_t *options);
/**
 * A future of a subscription's being there: fulfilled (no value) once the peer
 * has answered the request that subscribes, or has sent the first item where
 * nothing else answers; at once if it has. While the connection is lost: once it
 * is made again. Rejected as the stream fails; UVOW_ECLOSED: the stream has ended;
 * UVOW_EINVAL: it is none that uvow_peer_subscribe has made. Borrows. Returns
 * new; NULL: no memory, or no stream. Since 0.2.
 */
UVOW_NEW uvow_future_t *uvow_subscription_ready(uvow_stream_t *stream);
/** The name of an event that came as an item. Borrowed (as long as the item), or
 * NULL: it is none. Since 0.2. */
UVOW_API const char *uvow_result_event(const uvow_result_t *item);

#ifdef __cplusplus
}
#endif

#endif
