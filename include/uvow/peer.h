#ifndef UVOW_PEER_H
#define UVOW_PEER_H

/**
 * @file peer.h
 * Peers: the other end of a conversation, to request of, to notify, to answer.
 * The same on both sides: one that we connect to, one that a server has
 * accepted, one over a channel, as a child's stdio, one end of a pair in memory.
 *
 * A peer that we connect to is kept: it outlives its connections. Nothing needs
 * to be waited for: what is asked of it before it is open waits its turn. A
 * peer is counted; one whose connection has gone answers UVOW_ECLOSED.
 *
 * Callbacks and destructors run later, from the loop's task queue; trace hooks
 * run on the spot. Everything here is for the loop's thread.
 */

#include "future.h"
#include "group.h"
#include "loop.h"
#include "methods.h"
#include "json.h"
#include "protocol.h"
#include "websocket.h"

#ifdef __cplusplus
extern "C" {
#endif

/** How a peer stands. */
typedef enum uvow_peer_state {
  UVOW_PEER_CONNECTING = 1,
  /** Connected; opening steps are under way. */
  UVOW_PEER_OPENING = 2,
  UVOW_PEER_OPEN = 3,
  /** Lost; the next attempt comes after a pause. */
  UVOW_PEER_WAITING = 4,
  /** uvow_peer_close was called. */
  UVOW_PEER_CLOSING = 5,
  /** It is over. */
  UVOW_PEER_CLOSED = 6
} uvow_peer_state_t;

/** A change of state. Borrowed. */
typedef struct uvow_peer_change {
  /** sizeof(uvow_peer_change_t), set by uvow. */
  size_t size;
  /** What ended the connection or the attempt; NULL: it was asked for. */
  const uvow_error_t *why;
  uvow_peer_state_t state;
  /** CONNECTING, WAITING: attempts so far without a proven connection. */
  uint32_t attempt;
  /** WAITING: until the next one. ms. */
  uint64_t pause_ms;
} uvow_peer_change_t;

/** What a message is that matched no request and no method. */
typedef enum uvow_stray {
  /** Its request timed out or was canceled. */
  UVOW_STRAY_LATE = 1,
  /** Its request was answered before. */
  UVOW_STRAY_DUPLICATE = 2,
  /** No request had this id. */
  UVOW_STRAY_UNKNOWN = 3,
  /** Nothing that the protocol knows, or a binary message. */
  UVOW_STRAY_MALFORMED = 4,
  /** An error of the peer's without an id, where more than one message of ours,
   * or none, can be meant. It is the cause of a later timeout. */
  UVOW_STRAY_FAULT = 5,
  /** An event for which there is neither method nor stream, or no room: see
   * max_calls. */
  UVOW_STRAY_EVENT = 6
} uvow_stray_t;

/** Called for each change of state of a peer that we connect to. For others:
 * with UVOW_PEER_OPEN before the peer's first call, and once with
 * UVOW_PEER_CLOSED, after its last. May do anything. */
typedef void (*uvow_state_cb)(uvow_peer_t *peer,
                              const uvow_peer_change_t *change, void *data);
/** Called for each stray message, with its bytes. error: for UVOW_STRAY_FAULT,
 * the peer's code and message; else NULL. Returns 0; 1: it was read, don't
 * count it. Borrows all. May do anything. */
typedef int (*uvow_stray_cb)(uvow_peer_t *peer, uvow_stray_t stray,
                             uvow_slice_t message, const uvow_error_t *error,
                             void *data);
/**
 * Called before each attempt to connect, the very first included (attempt 1, as
 * is the first after a proven connection), to call uvow_peer_set_target: a
 * fresh token, another URL. What it returns is waited for, if it's a future. An
 * error fails the attempt, and so does a URL or header that set_target refused
 * meanwhile. After a status of 401 or 403 it is asked once more before that
 * counts as fatal. May do anything with the peer, also close or release it.
 */
typedef uvow_next_t (*uvow_renew_cb)(uvow_peer_t *peer, uint32_t attempt,
                                     void *data);

/**
 * An opening step of the application's, after the protocol's own (but where it
 * says "ask": of a server of graphql_transport_ws before the acknowledgement,
 * with the payload in uvow_peer_var): between the handshake and OPEN, on each
 * connection. What is asked of `first`, notified and sent on it leaves at once,
 * before all that waits; its events are the peer's, and it doesn't subscribe.
 * What it returns is waited for, if it's a future: when that is fulfilled the
 * peer is open. An error, and opening_timeout_ms, end the connection; what fails
 * by that says which step it was. Borrows `first` (until the step has ended).
 */
typedef uvow_next_t (*uvow_opening_cb)(uvow_peer_t *first, void *data);

/** What happens after a failure that can't get better: a certificate that isn't
 * accepted, a subprotocol that the server doesn't speak, a status 4xx but 408,
 * 421, 425 and 429, UVOW_EREMOTE in an opening step, close codes 1002 and 1010,
 * the protocol's (graphql_transport_ws: 4400, 4401, 4406, 4409, 4429, 4500; obs5:
 * 4002 to 4012; a description: "closes"), and 4000 to 4999 with fatal_4xxx. */
typedef enum uvow_after_fatal {
  /** A client that was never proven is closed; one that was goes on with the
   * longest pause. */
  UVOW_AFTER_FATAL_DEFAULT = 0,
  /** The client is closed. */
  UVOW_AFTER_FATAL_END = 1,
  /** It goes on with the longest pause. */
  UVOW_AFTER_FATAL_GO_ON = 2
} uvow_after_fatal_t;

/**
 * How to reconnect: exponential backoff with full jitter.
 *
 * Attempts and pauses begin anew only after a connection that has proven
 * itself: by an answer to a request, or by living longer than the last pause's
 * bound and 5 s. After close codes 1003, 1007, 1008 and 1009 nothing that was
 * in flight is sent again. The last failure is the cause of every request that
 * fails meanwhile.
 */
typedef struct uvow_reconnect_options {
  /** Required. sizeof(uvow_reconnect_options_t). */
  size_t size;
  size_t reserved;
  /** Optional, default 500 ms: the first pause is between 0 and this. */
  uint64_t base_ms;
  /** Optional, default 30000 ms: no pause is longer, but for Retry-After. */
  uint64_t max_ms;
  /** Optional, default: no limit. After so long without a proven connection no
   * further attempt begins. ms. */
  uint64_t total_ms;
  /** Optional, default 300000 ms: a Retry-After of the server's, in seconds, is
   * followed up to this, and the pause comes on top. */
  uint64_t max_retry_after_ms;
  /** Optional, default: no limit. Attempts without a proven connection, the
   * first one included. */
  uint32_t max_attempts;
  /** Optional, default 1: how often one idempotent request is sent again; then
   * it rejects with the loss as its cause. */
  uint32_t max_resends;
  /** Optional, default UVOW_AFTER_FATAL_DEFAULT. */
  uvow_after_fatal_t after_fatal;
  /** Optional, default 0. 1: close codes 4000 to 4999 can't get better. */
  int fatal_4xxx;
} uvow_reconnect_options_t;

/**
 * Trace hooks, for logs and metrics. They are called on the spot, within uvow:
 * they must not call it back. Each is optional.
 */
typedef struct uvow_trace {
  /** Required. sizeof(uvow_trace_t). */
  size_t size;
  /** What the hooks are given. */
  void *data;
  /** A request's bytes were handed to the connection. */
  void (*on_sent)(const uvow_peer_t *peer, uint64_t id, const char *method,
                  void *data);
  /** A request is settled; error NULL: fulfilled. */
  void (*on_settled)(const uvow_peer_t *peer, uint64_t id, const char *method,
                     const uvow_error_t *error, void *data);
  /** The peer's state. */
  void (*on_state)(const uvow_peer_t *peer, uvow_peer_state_t state,
                   void *data);
  /** A message came, or is sent: its bytes. */
  void (*on_message)(const uvow_peer_t *peer, uvow_slice_t message,
                     int is_outgoing, void *data);
  /** A server has accepted our handshake; of a peer that we connect to. Without
   * memory for what it said, it isn't called. */
  void (*on_handshake)(const uvow_peer_t *peer,
                       const uvow_handshake_t *handshake, void *data);
} uvow_trace_t;

/** What a conversation is like. Everything is copied. */
typedef struct uvow_peer_options {
  /** Required. sizeof(uvow_peer_options_t). */
  size_t size;
  /** Required. Kept. See protocol.h. */
  const uvow_protocol_t *protocol;
  /** Optional, default: calls are refused. Kept. What the peer may call, and
   * the events that are told by name. */
  uvow_methods_t *methods;
  /** Optional. Copied. Values for what the protocol's opening steps and messages
   * name: a JSON object, as {"secret":"..."}. One that an opening step needs and
   * that isn't there: UVOW_EINVAL. */
  const char *vars;
  /** Optional. WAITING and CLOSED are told after the requests that the lost
   * connection rejects, however it was lost. */
  uvow_state_cb on_state;
  /** Optional. */
  uvow_stray_cb on_stray;
  /** Optional. What the callbacks are given. */
  void *data;
  /** Optional, default 30000 ms, UVOW_NO_TIMEOUT: none. From a request to its
   * answer: queueing, connecting and the wire. */
  uint32_t timeout_ms;
  /** Optional, default 5000 ms: for what is in flight, at a close. */
  uint32_t close_timeout_ms;
  /** Optional, default 30000 ms: a peer that isn't read, since more than half
   * of max_unsent_bytes is unsent, and to which nothing could be written for so
   * long, is ended. It is read all the same while it owes us an answer. */
  uint32_t stall_ms;
  /** Optional, default 0. 1: a request that is given up isn't canceled at the
   * peer; 0: it is, where the protocol can: at once, or as soon as
   * max_unsent_bytes has room for that. */
  int no_cancel;
  /** Optional, default 4194304: requests that aren't settled. One more is
   * refused: UVOW_EOVERLOAD. */
  size_t max_pending;
  /** Optional, default: max_pending. Requests that were sent and not settled;
   * more wait, first come, first served. One given up while it waits was never
   * sent (UVOW_NOT_SENT). One that was sent and is given up (a timeout, a
   * cancel) makes room for another, though the peer may still work on it: see
   * count_unanswered. Of a peer that we connect to. */
  size_t max_in_flight;
  /** Optional, default: max_pending. Messages that wait for their turn, or for
   * the connection. One more is refused: UVOW_EOVERLOAD. Of a peer that we
   * connect to. */
  size_t max_queued;
  /** Optional, default 65536. Calls of the peer's under way; one more is
   * refused with code -32000. */
  size_t max_calls;
  /** Optional, default 32 MiB. Bytes of calls of the peer's under way; a call
   * above it is refused with code -32000. */
  size_t max_call_bytes;
  /** Optional, default 64 MiB: bytes that wait for a peer in memory to read
   * them, as max_unsent_bytes of uvow_websocket_options_t. */
  size_t max_unsent_bytes;
  /** Optional, default 0. 1: max_in_flight counts a request that was given up
   * until the peer has answered it, or the connection is lost: so it never has
   * more of them to work on. For peers that answer all. */
  int count_unanswered;
  /** Optional, default 10000 ms: for each opening step. */
  uint32_t opening_timeout_ms;
  /** Optional. */
  const uvow_trace_t *trace;
  /** Optional, for uvow_peer_connect: how to connect. Where it names no
   * subprotocols, the protocol's own is offered, if it has one, and must be
   * agreed on (else UVOW_EPROTOCOL); subprotocols that aren't NULL, of which
   * there are 0: none is. */
  const uvow_websocket_options_t *websocket;
  /** Optional, for uvow_peer_connect. Default: the first connection is the only
   * one. */
  const uvow_reconnect_options_t *reconnect;
  /** Optional, for uvow_peer_connect. */
  uvow_renew_cb renew;
  /** Optional. A step of yours between the handshake and OPEN. A server's peer
   * that isn't open yet is refused its calls, with code -32000. */
  uvow_opening_cb opening;
  /** Optional, default 0: each message leaves by itself. Otherwise what one turn
   * asks and notifies leaves at its end as arrays of up to so many messages (at
   * most 1024) and 1 MiB each, for protocols that have batches (jsonrpc2,
   * home_assistant, descriptions with "batches"); UVOW_EINVAL for others. Each
   * request is answered, timed out and canceled by itself; the answers may come
   * in any order, in one array, in several or in none. An error about an array
   * as a whole rejects each request of it. */
  size_t max_batch;
} uvow_peer_options_t;

/** Options of a request; NULL: all defaults. */
typedef struct uvow_request_options {
  /** Required. sizeof(uvow_request_options_t). */
  size_t size;
  size_t reserved;
  /** Optional, default the peer's; none with deadline_at_ms. UVOW_NO_TIMEOUT:
   * none. ms from now. A deadline that is noticed late, as the loop was
   * blocked, expires only after what had come by then was read. */
  uint32_t timeout_ms;
  /** Optional, default 0. 1: doing it twice is as good as once, so it may be
   * sent again after a reconnect. */
  int idempotent;
  size_t reserved3;
  /** Optional. W3C trace context of version 00, sent along where the protocol
   * has a place for it (jsonrpc2: a member "traceparent"). Copied. One that
   * isn't valid: UVOW_EINVAL. */
  const char *traceparent;
  /** Optional. Called for each partial answer before the last; not any more once
   * the request was rejected, but for an error that is the answer. Getters of
   * json.h. */
  void (*on_partial)(const uvow_result_t *partial, void *data);
  /** Optional. What on_partial is given. */
  void *partial_data;
  /** Optional, default 0. 1: each partial answer begins timeout_ms anew. */
  int partial_moves_deadline;
  /** Optional, default 0. 1: a partial answer is the answer: no other comes, as
   * of services that only acknowledge. */
  int first_is_last;
  /** Optional. The deadline as a point in time of uvow_loop_now, to be handed
   * down a call tree; of this and timeout_ms the earlier one holds. One that
   * has passed rejects with UVOW_ETIMEDOUT, UVOW_NOT_SENT. ms. */
  uint64_t deadline_at_ms;
  /** Optional. A member of params that is to have the request's id, so that
   * notifications of progress with it are partial answers: "partialResultToken"
   * or "workDoneToken" (jsonrpc2, lsp: $/progress), "_meta/progressToken" (mcp:
   * notifications/progress). Params are an object without it then, or none;
   * else UVOW_EINVAL. */
  const char *token;
  size_t reserved2;
} uvow_request_options_t;

/**
 * Connects to a server by WebSocket, and again, with options.reconnect.
 *
 * url: ws://host[:port]/path?query or wss://..., RFC 6455 3; or
 * ws+unix:///path/to/socket[:/path?query], a Unix domain socket: a colon or
 * question mark of its path is escaped there (%3A, %3F). A name's addresses are
 * tried as in RFC 8305: IPv6 first, the next one 250 ms later.
 *
 * Borrows all. Returns new, release it with uvow_peer_unref; NULL: no memory,
 * or the loop is closed. Options or a URL that can't work make a peer that is
 * closed, and every future says why. Since 0.2.
 */
UVOW_NEW uvow_peer_t *uvow_peer_connect(uvow_loop_t *loop, const char *url,
                                        const uvow_peer_options_t *options);
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

/**
 * Makes a peer over a channel of messages, each an item of bytes or text: a
 * child's stdio behind uvow_channel_lines or uvow_channel_content_length, a pair
 * in memory, a stream and a sink of your own. It is open at once.
 *
 * The end of the stream is the peer's, and so is its failure, whose error every
 * future then has or has as its cause (a dropped sink, and libuv's errors:
 * UVOW_ELOST). Closing ends the sink in order, behind what was sent, and waits
 * for the stream's end. While more than half of options.max_unsent_bytes waits
 * for the sink to have room, the stream isn't read, unless an answer is owed to
 * us; more than that is refused (UVOW_EOVERLOAD).
 *
 * Takes both members of the channel, also on failure; borrows options. Returns
 * new, release it with uvow_peer_unref; NULL: no memory, the loop is closed, or
 * the channel has no members. Options that can't work, a stream that is read by
 * another (UVOW_EBUSY), or a channel of another loop make a peer that is closed,
 * and every future says why. Since 0.2.
 */
UVOW_NEW uvow_peer_t *uvow_peer_new(uvow_loop_t *loop, uvow_channel_t channel,
                                    const uvow_peer_options_t *options);
/**
 * Makes a peer over a WebSocket that is yours, connected or accepted: its
 * messages are the peer's from now on, those that wait to be read included. What
 * is sent before it is open waits. Closing the peer closes it with code 1000,
 * ending the peer at once; to say another code, call uvow_websocket_close.
 *
 * Borrows ws, which the peer owns too while it isn't closed. As uvow_peer_new
 * for the rest. Since 0.2.
 */
UVOW_NEW uvow_peer_t *uvow_peer_over(uvow_websocket_t *ws,
                                     const uvow_peer_options_t *options);

/**
 * Makes a peer within a session of the protocol's: the same peer, of whose
 * session this is. format: of an object. CDP: with one member, whose text goes
 * into each envelope and is compared in each event, as
 * uvow_peer_within(chrome, "{s:s}", "sessionId", id). Of a protocol whose
 * sessions have names (phoenix2, janus): with values for these, and for any
 * other variable of its messages, as uvow_peer_within(socket, "{s:s,s:s}",
 * "topic", "room:1", "join_ref", "1"); what it doesn't name may be anything.
 *
 * What is asked of it is in that session; uvow_peer_events has the events of
 * that session only; uvow_call_peer is it, in that session's calls. Its end is
 * uvow_peer_end or uvow_peer_close, the protocol's own
 * (Target.detachedFromTarget), or its peer's: what is pending in it rejects with
 * UVOW_ECLOSED, its streams end, and nothing is sent. Its peer goes on. It
 * subscribes in that session, and again after a reconnect. Stats, state and room
 * are the peer's. It can't be in a group. Of the first 4096 sessions of a peer;
 * requests in later ones wait for their deadlines.
 *
 * Borrows the peer. Returns new, release it with uvow_peer_unref; NULL: see
 * uvow_loop_error: UVOW_EINVAL: another format, or the peer is within a session
 * already; UVOW_ECLOSED: it is over; UVOW_ENOMEM. A protocol without sessions
 * rejects each request with UVOW_EINVAL. Since 0.2.
 */
UVOW_FORMATTED uvow_peer_t *uvow_peer_within(uvow_peer_t *peer,
                                             const char *format, ...);

/** One more owner. Returns its argument; accepts NULL. Since 0.2. */
UVOW_NEW uvow_peer_t *uvow_peer_ref(uvow_peer_t *peer);
/**
 * One owner less; the last one ends it at once (a server owns those that it has
 * accepted): what is pending rejects with UVOW_ECLOSED, and no callback of its
 * options follows. At any time, also from its own callbacks. Accepts NULL.
 * Since 0.2.
 */
UVOW_API void uvow_peer_unref(uvow_peer_t *peer);

/* Talking. */

/**
 * Asks. Takes params (json.h says how values are written), borrows the rest.
 * Returns a new future of the answer; NULL: no memory, or no peer. It rejects
 * with:
 *
 * UVOW_EREMOTE    the peer's own error (uvow_error_peer_code, ...);
 * UVOW_EPAYLOAD   the answer isn't JSON (uvow_error_data has the bytes): looked
 *                 at here if params are a json_t, which the answer then is too;
 *                 else the first getter says it;
 * UVOW_EENVELOPE  the answer is none that the protocol allows;
 * UVOW_ETIMEDOUT  no answer in time; the cause is the connection's last
 *                 failure, while there is none, or an error of the peer's that
 *                 named no request;
 * UVOW_ELOST      the connection was lost, or closed by the peer (its message
 *                 then has the close code and reason);
 * UVOW_ECLOSED    the peer is closed; UVOW_EOVERLOAD: a limit is reached;
 * UVOW_EINVAL     the method or params can't be sent by this protocol;
 * UVOW_EPROTOCOL  the server agreed on another subprotocol than the protocol's;
 * UVOW_ETYPE      params can't be written as JSON;
 *
 * or with the cause why it never opened. Of a peer that we connect to, it waits
 * while that isn't open, or max_in_flight requests are in flight: its deadline
 * runs from now on. When the connection is lost while it is in flight, it
 * rejects with UVOW_ELOST, or, if it's marked idempotent and the peer
 * reconnects, it's sent again.
 *
 * uvow_error_outcome: whether the peer may have acted on it. Since 0.2.
 */
UVOW_NEW uvow_future_t *uvow_peer_request(uvow_peer_t *peer, const char *method,
                                          uvow_value_t params);
/** The same, with options (NULL: all defaults). Since 0.2. */
UVOW_NEW uvow_future_t *
uvow_peer_request_with(uvow_peer_t *peer, const char *method,
                       uvow_value_t params,
                       const uvow_request_options_t *options);
/**
 * The same, with params by a format, as those of uvow_value_jsonf:
 * uvow_peer_requestf(peer, "add", "{s:i}", "x", 1). NULL: no params. Rejects
 * with UVOW_EINVAL: a wrong format, or what can't be written. Since 0.2.
 */
UVOW_NEW uvow_future_t *uvow_peer_requestf(uvow_peer_t *peer,
                                           const char *method,
                                           const char *format, ...);
/** Tells: no answer comes. Takes params. Errors: UVOW_ECLOSED, UVOW_EOVERLOAD,
 * UVOW_EINVAL, UVOW_ETYPE, UVOW_ENOMEM, as for a request. Since 0.2. */
UVOW_API int uvow_peer_notify(uvow_peer_t *peer, const char *method,
                              uvow_value_t params);
/** The same, with params by a format. Since 0.2. */
UVOW_API int uvow_peer_notifyf(uvow_peer_t *peer, const char *method,
                               const char *format, ...);
/**
 * Sends a message as it is, past the protocol: bytes, text, or JSON
 * (uvow_value_json, uvow_value_jsonf). It takes its turn among all that is sent;
 * what comes back is told to on_stray, which says that it was read by returning
 * 1.
 *
 * Takes message. Errors, and nothing is sent: as of uvow_peer_notify;
 * UVOW_ETYPE: it has no bytes. Since 0.2.
 */
UVOW_API int uvow_peer_send(uvow_peer_t *peer, uvow_value_t message);

/* Its life. */

/** A future of its being open (no value), or why it never will be: each asker's
 * own. Nobody needs to wait for it. Returns new; NULL: no memory, or no peer.
 * Since 0.2. */
UVOW_NEW uvow_future_t *uvow_peer_ready(uvow_peer_t *peer);
/** A future of room: fulfilled (no value) when no more than half of
 * max_unsent_bytes waits to be written; rejected when the peer ends. Returns
 * new, as uvow_peer_ready. Since 0.2. */
UVOW_NEW uvow_future_t *uvow_peer_room(uvow_peer_t *peer);
/**
 * Closes: nothing new is taken; what waits or is in flight, both ways, may end
 * within close_timeout_ms; then the close handshake. Borrows. Returns a new
 * future (no value) of its being gone: each asker's own. NULL: no memory (it
 * closes all the same), or no peer. Since 0.2.
 */
UVOW_NEW uvow_future_t *uvow_peer_close(uvow_peer_t *peer);
/** Ends at once: what is pending rejects with UVOW_ECLOSED. Borrows; accepts
 * NULL. Since 0.2. */
UVOW_API void uvow_peer_end(uvow_peer_t *peer);
/** How it stands; UVOW_PEER_CLOSED for NULL. Since 0.2. */
UVOW_API uvow_peer_state_t uvow_peer_state(const uvow_peer_t *peer);
/** The JSON text of a variable: of options.vars, or what opening steps of this
 * connection have picked or made, as "payload" of who has connected to a server
 * of graphql_transport_ws. bytes NULL: there's none. Also of the `first` of an
 * opening step. Returns borrowed (valid until another opening step, or the
 * connection's end). Since 0.2. */
UVOW_API uvow_slice_t uvow_peer_var(const uvow_peer_t *peer, const char *name);
/** "connecting", "opening", "open", "waiting", "closing", "closed"; "unknown"
 * for any other number. Static text. Any thread. Since 0.2. */
UVOW_API const char *uvow_peer_state_name(uvow_peer_state_t state);
/**
 * Sets the URL (NULL: as it is) and headers (NULL: as they are) of the next
 * attempt to connect. Copies them. Errors, and nothing is changed: UVOW_EURL,
 * UVOW_ESCHEME: no URL that can be used; UVOW_EINVAL: a header without name or
 * value, or a peer that we don't connect to; UVOW_ENOMEM. Since 0.2.
 */
UVOW_API int uvow_peer_set_target(uvow_peer_t *peer, const char *url,
                                  const uvow_header_t *headers,
                                  size_t header_count);
/** Whether it keeps the libuv loop running: 1, as it does, or 0, as uv_unref.
 * Accepts NULL. Since 0.2. */
UVOW_API void uvow_peer_hold_loop(uvow_peer_t *peer, int hold);

/** Gives data to the peer, for uvow_peer_data: destroy (may be NULL) runs once,
 * later, when the peer is freed; or now, as the last act, when it is given
 * other data. Takes data. Since 0.2. */
UVOW_API void uvow_peer_set_data(uvow_peer_t *peer, void *data,
                                 uvow_destroy_cb destroy);
/** What uvow_peer_set_data gave it, or NULL. Borrowed. Since 0.2. */
UVOW_API void *uvow_peer_data(const uvow_peer_t *peer);

/** The WebSocket of a peer: what was asked for (uvow_websocket_target), what the
 * other end said (_header), what was agreed on, its address and certificate.
 * Returns borrowed: of a server's peer valid as the peer; of one that we connect
 * to it is the last attempt's, valid until the next attempt begins. NULL: there
 * was no attempt, or the peer has no WebSocket of its own. Since 0.2. */
UVOW_API uvow_websocket_t *uvow_peer_websocket(const uvow_peer_t *peer);

/** What a peer counted since it was made. */
typedef struct uvow_peer_stats {
  /** Required. sizeof(uvow_peer_stats_t): set it before the call. */
  size_t size;
  size_t reserved;
  uint64_t requests;
  uint64_t answered;
  uint64_t timed_out;
  uint64_t canceled;
  /** Rejected for another reason than an answer. */
  uint64_t failed;
  /** Sent again after a reconnect. */
  uint64_t resent;
  /** The peer's. */
  uint64_t calls;
  uint64_t events;
  uint64_t late;
  uint64_t duplicate;
  uint64_t unknown;
  uint64_t malformed;
  /** Connections that were opened, and open ones that were lost. */
  uint64_t connected;
  uint64_t lost;
  /** Now not settled: those in flight and those queued. */
  uint64_t pending;
  uint64_t in_flight;
  uint64_t queued;
  /** Now. */
  uint64_t unsent_bytes;
  uint64_t calls_under_way;
  uint64_t call_bytes;
  /** From a request's sending to its answer, within 3 %. */
  uint64_t rtt_p50_us;
  uint64_t rtt_p90_us;
  uint64_t rtt_p99_us;
  uint64_t rtt_max_us;
} uvow_peer_stats_t;

/** Fills in *ret; its size must be set. Errors: UVOW_EINVAL. Since 0.2. */
UVOW_API int uvow_peer_get_stats(const uvow_peer_t *peer,
                                 uvow_peer_stats_t *ret);

/** A request that isn't settled. Borrowed for the call. */
typedef struct uvow_pending {
  /** sizeof(uvow_pending_t), set by uvow. */
  size_t size;
  const char *method;
  uint64_t id;
  /** Since it was sent; 0 if it's queued. */
  uint64_t age_us;
  /** Sent, and not answered; else it's queued. */
  int in_flight;
  int idempotent;
  /** What its error would say if it failed now. */
  uvow_outcome_t outcome;
  uint32_t reserved;
} uvow_pending_t;

/** Told of a request. It must not call uvow: a debug build aborts, and says so.
 */
typedef void (*uvow_pending_cb)(const uvow_pending_t *pending, void *data);

/** Calls cb (may be NULL) for each request that isn't settled, the oldest
 * first. Returns how many there are. Since 0.2. */
UVOW_API size_t uvow_peer_walk(const uvow_peer_t *peer, uvow_pending_cb cb,
                               void *data);

#ifdef __cplusplus
}
#endif

#endif
