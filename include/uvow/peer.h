#ifndef UVOW_PEER_H
#define UVOW_PEER_H

/**
 * @file peer.h
 * Peers: the other end of a conversation, to request of, to notify, to answer.
 *
 * A server's connections are peers; so is each end of a pair in memory, and who
 * calls a method, on both sides. A peer is counted: one whose connection has
 * gone answers UVOW_ECLOSED.
 *
 * Callbacks and destructors run later, from the loop's task queue. Everything
 * here is for the loop's thread.
 */

#include "client.h"
#include "methods.h"

#ifdef __cplusplus
extern "C" {
#endif

/** How a peer stands. */
typedef enum uvow_peer_state {
  UVOW_PEER_CONNECTING = 1,
  UVOW_PEER_OPENING = 2,
  UVOW_PEER_OPEN = 3,
  /** Lost; the next attempt comes after a pause. */
  UVOW_PEER_WAITING = 4,
  UVOW_PEER_CLOSING = 5,
  /** It is over. */
  UVOW_PEER_CLOSED = 6
} uvow_peer_state_t;

/** A change of state. Borrowed. */
typedef struct uvow_peer_change {
  /** sizeof(uvow_peer_change_t), set by uvow. */
  size_t size;
  /** What ended the connection; NULL: it was asked for. */
  const uvow_error_t *why;
  uvow_peer_state_t state;
  uint32_t reserved;
} uvow_peer_change_t;

/** Called with UVOW_PEER_OPEN before a peer's first call, and once with
 * UVOW_PEER_CLOSED, after its last. May do anything, also free the server. */
typedef void (*uvow_peer_state_cb)(uvow_peer_t *peer,
                                   const uvow_peer_change_t *change,
                                   void *data);

/** What a conversation is like. Everything is copied. */
typedef struct uvow_peer_options {
  /** Required. sizeof(uvow_peer_options_t). */
  size_t size;
  /** Required. See protocol.h. */
  const uvow_protocol_t *protocol;
  /** Optional, default: calls are refused. Kept. */
  uvow_methods_t *methods;
  /** Optional. */
  uvow_peer_state_cb on_state;
  /** Optional. What on_state is given. */
  void *data;
  /** Optional, default 30000 ms, UVOW_NO_TIMEOUT: none. From a request to its
   * answer. */
  uint32_t timeout_ms;
  /** Optional, default 5000 ms: for what is in flight, at a close. */
  uint32_t close_timeout_ms;
  /** Optional, default 30000 ms: a peer that isn't read, since more than half
   * of max_unsent_bytes is unsent, and to which nothing could be written for so
   * long, is ended. It is read all the same while it owes us an answer. */
  uint32_t stall_ms;
  /** Optional, default 0. 1: a request that is given up isn't canceled at the
   * peer; 0: it is, where the protocol can. */
  int no_cancel;
  /** Optional, default 4194304: requests that aren't settled. One more is
   * refused: UVOW_EOVERLOAD. */
  size_t max_pending;
  /** Optional, default 65536. Calls of the peer's under way; one more is
   * refused with code -32000. */
  size_t max_calls;
  /** Optional, default 32 MiB. Bytes of calls of the peer's under way; a call
   * above it is refused with code -32000. */
  size_t max_call_bytes;
  /** Optional, default 64 MiB: bytes that wait for the peer to take them. Above
   * it the peer is ended. */
  size_t max_unsent_bytes;
} uvow_peer_options_t;

/**
 * Makes two peers in memory, each the other end of the other: what one
 * requests, the methods of the other answer, in later tasks and never within a
 * call. For tests, and for parts of a program that may be apart one day.
 *
 * Borrows all. Returns new, both. Errors: UVOW_EINVAL: a required option is
 * missing; UVOW_ENOMEM; UVOW_ECLOSED: the loop is. Since 0.2.
 */
UVOW_API int uvow_peer_pair(uvow_loop_t *loop, const uvow_peer_options_t *a,
                            const uvow_peer_options_t *b, uvow_peer_t **ret_a,
                            uvow_peer_t **ret_b);

/** One more owner. Returns its argument; accepts NULL. Since 0.2. */
UVOW_API uvow_peer_t *uvow_peer_ref(uvow_peer_t *peer);
/** One owner less; the last one ends it at once (a server owns those that it
 * has accepted). At any time. Accepts NULL. Since 0.2. */
UVOW_API void uvow_peer_unref(uvow_peer_t *peer);

/**
 * Asks. Takes params (none, a payload, json, text, a number), borrows the rest.
 * Returns a new future of the answer, NULL: no memory, or no peer. It rejects
 * as that of uvow_client_request_bytes does, and with UVOW_ETYPE: params that
 * are no JSON. Since 0.2.
 */
UVOW_API uvow_future_t *uvow_peer_request(uvow_peer_t *peer, const char *method,
                                          uvow_value_t params);
/** The same, with options (NULL: all defaults). Since 0.2. */
UVOW_API uvow_future_t *
uvow_peer_request_with(uvow_peer_t *peer, const char *method,
                       uvow_value_t params,
                       const uvow_request_options_t *options);
/** Tells: no answer comes. Takes params. Errors: UVOW_ECLOSED, UVOW_EOVERLOAD,
 * UVOW_EINVAL, UVOW_ETYPE, UVOW_ENOMEM. Since 0.2. */
UVOW_API int uvow_peer_notify(uvow_peer_t *peer, const char *method,
                              uvow_value_t params);

/**
 * Closes: nothing new is taken; what is in flight, both ways, may end within
 * close_timeout_ms; then the close handshake. Borrows. Returns a new future (no
 * value) of its being gone: each asker's own. NULL: no memory (it closes all
 * the same), or no peer. Since 0.2.
 */
UVOW_API uvow_future_t *uvow_peer_close(uvow_peer_t *peer);
/** Ends at once: what is pending rejects with UVOW_ECLOSED. Borrows; accepts
 * NULL. Since 0.2. */
UVOW_API void uvow_peer_end(uvow_peer_t *peer);
/** How it stands; UVOW_PEER_CLOSED for NULL. Since 0.2. */
UVOW_API uvow_peer_state_t uvow_peer_state(const uvow_peer_t *peer);
/** "connecting", "open", ... Static text. Any thread. Since 0.2. */
UVOW_API const char *uvow_peer_state_name(uvow_peer_state_t state);

/** Gives data to the peer, for uvow_peer_data: destroy (may be NULL) runs once,
 * later, when the peer is freed; or now, as the last act, when it is given
 * other data. Takes data. Since 0.2. */
UVOW_API void uvow_peer_set_data(uvow_peer_t *peer, void *data,
                                 uvow_destroy_cb destroy);
/** What uvow_peer_set_data gave it, or NULL. Borrowed. Since 0.2. */
UVOW_API void *uvow_peer_data(const uvow_peer_t *peer);

/** Path and query that it asked for, as "/chat?room=1"; "" where it's not a
 * server's peer. Borrowed (valid as the peer). Since 0.2. */
UVOW_API const char *uvow_peer_target(const uvow_peer_t *peer);
/** A header of its handshake: the first of this name, which compares without
 * case. Borrowed (valid as the peer), or NULL: there is none. Since 0.2. */
UVOW_API const char *uvow_peer_header(const uvow_peer_t *peer,
                                      const char *name);

/** What a peer counted since it was made. */
typedef struct uvow_peer_stats {
  /** Required. sizeof(uvow_peer_stats_t): set it before the call. */
  size_t size;
  size_t reserved;
  uint64_t requests;
  uint64_t answered;
  uint64_t timed_out;
  uint64_t canceled;
  uint64_t failed;
  uint64_t calls;
  uint64_t events;
  uint64_t late;
  uint64_t duplicate;
  uint64_t unknown;
  uint64_t malformed;
  /** Now. */
  uint64_t pending;
  uint64_t calls_under_way;
  uint64_t call_bytes;
  uint64_t unsent_bytes;
} uvow_peer_stats_t;

/** Fills in *ret; its size must be set. Errors: UVOW_EINVAL. Since 0.2. */
UVOW_API int uvow_peer_get_stats(const uvow_peer_t *peer,
                                 uvow_peer_stats_t *ret);

/** Calls cb (may be NULL) for each request that isn't settled, the oldest
 * first. Returns how many there are. Since 0.2. */
UVOW_API size_t uvow_peer_walk(const uvow_peer_t *peer, uvow_pending_cb cb,
                               void *data);

/* Several at once. */

/** Peers that are told the same. One owner; a peer that ends leaves it. */
typedef struct uvow_group uvow_group_t;
/** Called for a peer, on the spot, within the walk; may call everything.
 * Borrows it. */
typedef void (*uvow_group_cb)(uvow_peer_t *peer, void *data);

/** Makes an empty group. Returns new, or NULL: no memory, or the loop is
 * closed. Since 0.2. */
UVOW_API uvow_group_t *uvow_group_new(uvow_loop_t *loop);
/** Adds a peer (once). Doesn't own it. Errors: UVOW_EINVAL: no group or peer,
 * or a client's; UVOW_ECLOSED, UVOW_ENOMEM. Since 0.2. */
UVOW_API int uvow_group_add(uvow_group_t *group, uvow_peer_t *peer);
/** Removes a peer. Errors: UVOW_EINVAL: it isn't in there. Since 0.2. */
UVOW_API int uvow_group_remove(uvow_group_t *group, uvow_peer_t *peer);
/** Notifies all: the message is written once for peers of one protocol. A peer
 * for which too much is unsent is ended. Takes params. Errors: UVOW_EINVAL,
 * UVOW_ETYPE, UVOW_ENOMEM. Since 0.2. */
UVOW_API int uvow_group_notify(uvow_group_t *group, const char *method,
                               uvow_value_t params);
/** Calls cb (may be NULL) for each; it may add, remove and end peers, and free
 * the group. Returns how many there were; without memory for the walk, 0. Since
 * 0.2. */
UVOW_API size_t uvow_group_walk(uvow_group_t *group, uvow_group_cb cb,
                                void *data);
/** Frees it; its peers go on. Takes it; accepts NULL. Since 0.2. */
UVOW_API void uvow_group_free(uvow_group_t *group);

#ifdef __cplusplus
}
#endif

#endif
