#ifndef UVOW_CLIENT_H
#define UVOW_CLIENT_H

/**
 * @file client.h
 * Requests over a WebSocket: each returns a future, which the answer with its
 * id settles.
 *
 * Everything here is for the loop's thread. Callbacks and continuations run
 * when the loop's task queue drains, never from within a call of yours.
 */

#include "deflate.h"
#include "future.h"
#include "loop.h"
#include "methods.h"
#include "payload.h"
#include "protocol.h"
#include "tls.h"

#ifdef __cplusplus
extern "C" {
#endif

/** One connection to a server, and the requests on it. */
typedef struct uvow_client uvow_client_t;

/** A header of the opening handshake. Copied where it's given. */
typedef struct uvow_header {
  const char *name;
  const char *value;
} uvow_header_t;

/** Something the server said that no request asked for. Borrowed. */
typedef struct uvow_event {
  /** The event's name, NUL-terminated; "" if it has none. */
  const char *name;
  /** CDP's session, or NULL. */
  const char *session;
  /** What came with it; may hold no bytes. */
  uvow_payload_t *payload;
} uvow_event_t;

/** What a message is that was delivered to nobody (contract R3). */
typedef enum uvow_stray {
  /** Its request timed out or was canceled. */
  UVOW_STRAY_LATE = 1,
  /** Its request was answered before. */
  UVOW_STRAY_DUPLICATE = 2,
  /** No request had this id. */
  UVOW_STRAY_UNKNOWN = 3,
  /** Nothing that the protocol knows, or a binary message. */
  UVOW_STRAY_MALFORMED = 4
} uvow_stray_t;

/** Told of an event. May do anything with the client, also free it. */
typedef void (*uvow_event_cb)(uvow_client_t *client, const uvow_event_t *event,
                              void *data);
/** Told of a message that was delivered to nobody, with its bytes. */
typedef void (*uvow_stray_cb)(uvow_client_t *client, uvow_stray_t stray,
                              const char *bytes, size_t len, void *data);

/** How a client's connection stands. */
typedef enum uvow_client_state {
  UVOW_CLIENT_CONNECTING = 1,
  UVOW_CLIENT_OPEN = 2,
  /** Lost; the next attempt comes after a pause. */
  UVOW_CLIENT_WAITING = 3,
  /** uvow_client_close was called. */
  UVOW_CLIENT_CLOSING = 4,
  /** It's over. */
  UVOW_CLIENT_CLOSED = 5
} uvow_client_state_t;

/** A change of state. Borrowed. */
typedef struct uvow_client_change {
  /** sizeof(uvow_client_change_t), set by uvow. */
  size_t size;
  /** What ended the connection or the attempt; NULL: it was asked for. */
  const uvow_error_t *why;
  uvow_client_state_t state;
  /** CONNECTING, WAITING: attempts so far without a proven connection. */
  uint32_t attempt;
  /** WAITING: until the next one. ms. */
  uint64_t pause_ms;
} uvow_client_change_t;

/** Called for each change of state. */
typedef void (*uvow_state_cb)(uvow_client_t *client,
                              const uvow_client_change_t *change, void *data);

/**
 * Called before each attempt to connect, the very first included (attempt 1, as
 * is the first after a proven connection), to call uvow_client_set_target: a
 * fresh token, another URL. What it returns is waited for, if it's a future. An
 * error fails the attempt, and so does a URL or header that set_target refused
 * meanwhile. After a status of 401 or 403 it is asked once more before that
 * counts as fatal. May do anything with the client, also close or free it.
 */
typedef uvow_next_t (*uvow_renew_cb)(uvow_client_t *client, uint32_t attempt,
                                     void *data);

/** What happens after a failure that can't get better: a certificate that isn't
 * accepted, a status 4xx but 408, 421, 425 and 429, close codes 1002 and 1010
 * (4000 to 4999 with fatal_4xxx). */
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
  /** What the hooks are given. */
  void *data;
  /** A request's bytes were handed to the connection. */
  void (*on_sent)(const uvow_client_t *client, uint64_t id, const char *method,
                  void *data);
  /** A request is settled; error NULL: fulfilled. */
  void (*on_settled)(const uvow_client_t *client, uint64_t id,
                     const char *method, const uvow_error_t *error, void *data);
  /** The connection's state. */
  void (*on_state)(const uvow_client_t *client, uvow_client_state_t state,
                   void *data);
  /** A message came: its bytes. */
  void (*on_message)(const uvow_client_t *client, const char *bytes, size_t len,
                     void *data);
} uvow_trace_t;

/** Options of uvow_client_new. Everything is copied. */
typedef struct uvow_client_options {
  /** Required. sizeof(uvow_client_options_t). */
  size_t size;
  /** Required. ws://host[:port]/path?query or wss://..., RFC 6455 3; or
   * ws+unix:///path/to/socket[:/path?query], a Unix domain socket: a colon or
   * question mark of its path is escaped there (%3A, %3F). A name's addresses
   * are tried as in RFC 8305: IPv6 first, the next one 250 ms later. */
  const char *url;
  /** Required. See protocol.h. */
  const uvow_protocol_t *protocol;
  /** Optional. Kept. For wss: whom to trust, and more; a client's context of
   * this loop. Default: one with all defaults, which trusts the system's CAs,
   * and which the clients of the loop share. */
  uvow_tls_t *tls;
  /** Optional, default: none. http://[user:password@]host[:port]: ws and wss go
   * through this proxy, by HTTP CONNECT. "" is none, whatever the environment
   * says. What isn't such a URL: UVOW_EINVAL. */
  const char *proxy;
  /** Optional, default 0. 1: without `proxy`, the environment is read, now:
   * https_proxy for wss, http_proxy for ws, all_proxy, and no_proxy: whom to
   * reach without (names, which stand for their subdomains too, addresses,
   * nets as 10.0.0.0/8, each with a port or not; or "*"). In upper case too,
   * but for HTTP_PROXY where REQUEST_METHOD is set. */
  int proxy_from_environment;
  /** Optional, default 0: off. After so many seconds of silence TCP probes the
   * peer: 1 to 32767. See also ping_ms, which works through proxies. */
  uint32_t tcp_keepalive_s;
  /** Optional. Offered in the handshake, in this order. */
  const char *const *subprotocols;
  size_t subprotocol_count;
  /** Optional. Sent with the handshake. */
  const uvow_header_t *headers;
  size_t header_count;
  /** Optional. A token, sent as "Authorization: Bearer ..." (RFC 6750 2.1)
   * instead of the URL's user. A header Authorization goes before it. Visible
   * ASCII, or UVOW_EINVAL. */
  const char *bearer;
  /** Optional. Sent as Origin (RFC 6455 4.1), unless the headers have one.
   * Visible ASCII, or UVOW_EINVAL. */
  const char *origin;
  /** Optional, default 30000 ms: from the request to its answer. */
  uint32_t timeout_ms;
  /** Optional, default 10000 ms: for connecting and the handshake. */
  uint32_t connect_timeout_ms;
  /** Optional, default 5000 ms: for requests and calls under way, and then for
   * the close handshake, at uvow_client_close. */
  uint32_t close_timeout_ms;
  /** Optional, default 16 MiB: bytes of a message from the server. */
  size_t max_message_bytes;
  /** Optional, default 64 MiB: bytes that wait to be written, or for the
   * connection to open. Above it a request is refused: UVOW_EOVERLOAD. */
  size_t max_unsent_bytes;
  /** Optional, default NULL: no compression. Else permessage-deflate is offered
   * to the server, on these terms. A value out of its range: UVOW_EINVAL. */
  const uvow_deflate_options_t *deflate;
  /** Optional, default 4194304: requests that aren't settled. One more is
   * refused: UVOW_EOVERLOAD. */
  size_t max_pending;
  /** Optional, default: max_pending. Requests that were sent and not settled;
   * more wait, first come, first served. One given up while it waits was never
   * sent (UVOW_NOT_SENT). One that was sent and is given up (a timeout, a
   * cancel) makes room for another, though the server may still work on it: see
   * count_unanswered. */
  size_t max_in_flight;
  /** Optional, default: max_pending. Messages that wait for their turn, or for
   * the connection. One more is refused: UVOW_EOVERLOAD. */
  size_t max_queued;
  /** Optional, default 30000 ms. When nothing came from the server for this long,
   * it's pinged. UVOW_NO_TIMEOUT: never. */
  uint32_t ping_ms;
  /** Optional, default 75000 ms. When nothing came from the server for this long,
   * the connection is lost (UVOW_ELOST), however much was sent.
   * UVOW_NO_TIMEOUT: never. */
  uint32_t dead_ms;
  /** Optional, default 0. 1: a request that is canceled or has timed out is
   * canceled at the server too, if the protocol knows how (jsonrpc2:
   * $/cancelRequest). */
  int send_cancel;
  /** Optional, default 0. 1: max_in_flight counts a request that was given up
   * until the server has answered it, or the connection is lost: so the server
   * never has more of them to work on. For servers that answer all. */
  int count_unanswered;
  /** Optional, default: the first connection is the only one. */
  const uvow_reconnect_options_t *reconnect;
  /** Optional. */
  uvow_renew_cb renew;
  /** Optional. */
  const uvow_trace_t *trace;
  /** Optional. */
  uvow_event_cb on_event;
  /** Optional. */
  uvow_stray_cb on_stray;
  /** Optional. */
  uvow_state_cb on_state;
  /** Optional. What the callbacks are given. */
  void *data;
  /** Optional, default: calls are refused. Kept. What the server may call, and
   * the events that are a method's instead of on_event's. */
  uvow_methods_t *methods;
  /** Optional, default 65536: calls of the server that are being answered. More
   * are answered with an error, code -32000. */
  size_t max_calls;
  /** Optional, default 32 MiB: their bytes; the same. */
  size_t max_call_bytes;
} uvow_client_options_t;

/** Options of a request; NULL: all defaults. */
typedef struct uvow_request_options {
  /** Required. sizeof(uvow_request_options_t). */
  size_t size;
  /** Optional, default the client's; none with deadline_at_ms. UVOW_NO_TIMEOUT:
   * none. ms from now. A deadline that is noticed late, as the loop was
   * blocked, expires only after what had come by then was read. */
  uint32_t timeout_ms;
  /** Optional. CDP: the session it is for. Copied. */
  const char *session;
  /** Optional, default 0. 1: doing it twice is as good as once, so it may be
   * sent again after a reconnect. */
  int idempotent;
  /** Optional. W3C trace context of version 00, sent along where the protocol
   * has a place for it (jsonrpc2: a member "traceparent"). Copied. One that
   * isn't valid: UVOW_EINVAL. */
  const char *traceparent;
  /** Optional. The deadline as a point in time of uvow_loop_now, to be handed
   * down a call tree; of this and timeout_ms the earlier one holds. One that
   * has passed rejects with UVOW_ETIMEDOUT, UVOW_NOT_SENT. ms. */
  uint64_t deadline_at_ms;
} uvow_request_options_t;

/** What a client counted since it was made. */
typedef struct uvow_client_stats {
  /** Required. sizeof(uvow_client_stats_t): set it before the call. */
  size_t size;
  uint64_t requests;
  uint64_t answered;
  uint64_t timed_out;
  uint64_t canceled;
  /** Rejected for another reason than an answer. */
  uint64_t failed;
  uint64_t events;
  uint64_t late;
  uint64_t duplicate;
  uint64_t unknown;
  uint64_t malformed;
  /** Sent again after a reconnect. */
  uint64_t resent;
  /** Connections that were opened, and open ones that were lost. */
  uint64_t connected;
  uint64_t lost;
  /** Now not settled: those in flight and those queued. */
  uint64_t pending;
  uint64_t in_flight;
  uint64_t queued;
  /** Now waiting to be written. */
  uint64_t unsent_bytes;
  /** From a request's sending to its answer, within 3 %. */
  uint64_t rtt_p50_us;
  uint64_t rtt_p90_us;
  uint64_t rtt_p99_us;
  uint64_t rtt_max_us;
} uvow_client_stats_t;

/** A request that isn't settled. Borrowed for the call. */
typedef struct uvow_pending {
  /** sizeof(uvow_pending_t), set by uvow. */
  size_t size;
  uint64_t id;
  const char *method;
  /** Since it was sent; 0 if it's queued. */
  uint64_t age_us;
  /** Sent, and not answered; else it's queued. */
  int in_flight;
  int idempotent;
  /** What its error would say if it failed now. */
  uvow_outcome_t outcome;
} uvow_pending_t;

/** Told of a request. Must not make, settle or cancel any. */
typedef void (*uvow_pending_cb)(const uvow_pending_t *pending, void *data);

/**
 * Makes a client, which connects at once.
 *
 * With options.reconnect it connects again whenever the connection is lost or
 * an attempt fails, until that's given up or the client is closed: see
 * uvow_reconnect_options_t. What is more than max_in_flight or comes while it
 * isn't open waits; what is more than max_pending, max_queued or
 * max_unsent_bytes is refused at once.
 *
 * Borrows loop and options. Returns new in ret_client; release it with
 * uvow_client_free. Whatever is wrong with the connection, the URL included,
 * rejects the future of uvow_client_ready and every request, by its cause.
 * Errors: UVOW_EINVAL: a required option is missing, a subprotocol or header
 * can't be sent; UVOW_ENOMEM; UVOW_ECLOSED: the loop is. Since 0.1.
 */
UVOW_API int uvow_client_new(uvow_loop_t *loop,
                             const uvow_client_options_t *options,
                             uvow_client_t **ret_client);

/**
 * A future of the connection: fulfilled (no value) when it's open, rejected
 * when that fails: by its cause, whose outcome is UVOW_OUTCOME_NONE, as this is
 * no request.
 *
 * Returns new: each asker's own, so that its cancel or timeout is nobody
 * else's; the same for uvow_client_drained and uvow_client_close. NULL: no
 * memory. Nobody needs to wait for it: a request may be made before, and waits.
 * Since 0.1.
 */
UVOW_API uvow_future_t *uvow_client_ready(uvow_client_t *client);

/**
 * Sends a request with json parameters.
 *
 * Takes params (NULL: none). Borrows the rest. Returns a new future of a
 * payload whose JSON has been checked: uvow_result_json shows it. NULL: no
 * memory. It rejects with:
 *
 * UVOW_EREMOTE    the server's own error (uvow_error_peer_code, ...);
 * UVOW_EPAYLOAD   the result isn't JSON (uvow_error_data has the bytes);
 * UVOW_EENVELOPE  the answer is none that the protocol allows;
 * UVOW_ETIMEDOUT  no answer in time; the cause is the connection's last
 * failure, while there's none; UVOW_ELOST      the connection was lost, or
 * closed by the server (its message then has the close code and reason); or the
 * cause that it never opened; UVOW_ECLOSED    the client is closed;
 * UVOW_EOVERLOAD: a limit is reached; UVOW_EINVAL     the method or params
 * can't be sent by this protocol.
 *
 * It waits while the connection isn't open, or max_in_flight requests are in
 * flight: its deadline runs from now on. When the connection is lost while it's
 * in flight, it rejects with UVOW_ELOST, or, if it's marked idempotent and the
 * client reconnects, it's sent again.
 *
 * uvow_error_outcome tells whether the server may have acted on it. Since 0.1.
 */
UVOW_API uvow_future_t *
uvow_client_request(uvow_client_t *client, const char *method,
                    struct json_t *params,
                    const uvow_request_options_t *options);

/**
 * Sends a request with parameters as JSON text of `len` bytes (NULL: none).
 *
 * Borrows all. As uvow_client_request, but that the text's inside isn't parsed,
 * nor is that of the payload: uvow_result_bytes shows it. Since 0.1.
 */
UVOW_API uvow_future_t *
uvow_client_request_bytes(uvow_client_t *client, const char *method,
                          const char *params, size_t len,
                          const uvow_request_options_t *options);

/**
 * Sends a notification: no answer comes.
 *
 * Takes params (NULL: none). Errors: UVOW_ECLOSED, UVOW_EOVERLOAD, UVOW_EINVAL,
 * UVOW_ENOMEM, as for a request. Since 0.1.
 */
UVOW_API int uvow_client_notify(uvow_client_t *client, const char *method,
                                struct json_t *params);
/** Sends a notification with JSON text. Borrows all. */
UVOW_API int uvow_client_notify_bytes(uvow_client_t *client, const char *method,
                                      const char *params, size_t len);

/**
 * Sends a request with parameters written by a format, as those of
 * uvow_value_jsonf: uvow_client_requestf(client, "add", "{s:i}", "x", 1).
 *
 * As uvow_client_request_bytes, with all defaults. Rejects with UVOW_EINVAL if
 * the format is wrong or what it is given can't be written. Since 0.2.
 */
UVOW_API uvow_future_t *uvow_client_requestf(uvow_client_t *client,
                                             const char *method,
                                             const char *format, ...);
/** Sends a notification with parameters written by a format. Since 0.2. */
UVOW_API int uvow_client_notifyf(uvow_client_t *client, const char *method,
                                 const char *format, ...);

/**
 * Ends a session of CDP: its requests that aren't settled reject with
 * UVOW_ECLOSED. Nothing is sent. Done by itself when the peer says
 * Target.detachedFromTarget. Of the first 4096 sessions of a client; requests in
 * later ones wait for their deadlines. Borrows all. Errors: UVOW_EINVAL. Since
 * 0.2.
 */
UVOW_API int uvow_client_end_session(uvow_client_t *client,
                                     const char *session);

/** How the connection stands; UVOW_CLIENT_CLOSED for NULL. */
UVOW_API uvow_client_state_t uvow_client_state(const uvow_client_t *client);
/** "connecting", "open", "waiting", "closing", "closed"; "unknown" for any
 * other number. Static text. Any thread. */
UVOW_API const char *uvow_client_state_name(uvow_client_state_t state);

/**
 * Sets the URL (NULL: as it is) and headers (NULL: as they are) of the next
 * attempt to connect. Copies them. Errors, and nothing is changed: UVOW_EURL,
 * UVOW_ESCHEME: no URL that can be used; UVOW_EINVAL: a header without name or
 * value; UVOW_ENOMEM. Since 0.1.
 */
UVOW_API int uvow_client_set_target(uvow_client_t *client, const char *url,
                                    const uvow_header_t *headers,
                                    size_t header_count);

/**
 * A future of room: fulfilled (no value) when no more than half of
 * max_unsent_bytes waits to be written; rejected when the client ends. Returns
 * new, or NULL: no memory. Since 0.1.
 */
UVOW_API uvow_future_t *uvow_client_drained(uvow_client_t *client);

/**
 * Calls cb (may be NULL) for every request that isn't settled, the oldest
 * first. Returns how many there are. Since 0.1.
 */
UVOW_API size_t uvow_client_walk_pending(const uvow_client_t *client,
                                         uvow_pending_cb cb, void *data);

/** Microseconds that this share (0 to 1) of all round trips took at most. */
UVOW_API uint64_t uvow_client_rtt_us(const uvow_client_t *client, double share);

/** Fills in *ret; its size must be set. Errors: UVOW_EINVAL. */
UVOW_API int uvow_client_stats(const uvow_client_t *client,
                               uvow_client_stats_t *ret);

/**
 * Closes in order: no new requests; those in flight may finish, for
 * close_timeout_ms; then the close handshake.
 *
 * Borrows the client, which is still to be freed. Returns a new future,
 * fulfilled (no value) when the connection is gone; NULL: no memory (it closes
 * all the same). Since 0.1.
 */
UVOW_API uvow_future_t *uvow_client_close(uvow_client_t *client);

/**
 * Frees a client at any time, also from its own callbacks. Takes it; accepts
 * NULL. What is pending rejects with UVOW_ECLOSED; no callback of the client
 * follows. Since 0.1.
 */
UVOW_API void uvow_client_free(uvow_client_t *client);

/** The open connection doesn't keep the libuv loop running, as uv_unref. */
UVOW_API void uvow_client_unref(uvow_client_t *client);
/** It does again. */
UVOW_API void uvow_client_ref(uvow_client_t *client);

#ifdef __cplusplus
}
#endif

#endif
