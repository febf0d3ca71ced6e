#ifndef UVOW_WEBSOCKET_H
#define UVOW_WEBSOCKET_H

/**
 * @file websocket.h
 * WebSockets (RFC 6455, 7692): messages in, messages out. What clients and
 * servers of requests are built on, and all options for connecting and
 * listening.
 *
 * In one turn of the loop at most 1 MiB (inflated) or 1024 messages of one
 * connection are read; the rest goes on in the next turn. Callbacks and
 * destructors run later, from the loop's task queue.
 *
 * Everything here is for the loop's thread.
 */

#include "channel.h"
#include "deflate.h"
#include "tls.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A connection, or one that is being made. Counted; one that has gone answers
 * UVOW_ECLOSED. */
typedef struct uvow_websocket uvow_websocket_t;
/** Listens and accepts. One owner. */
typedef struct uvow_listener uvow_listener_t;

/** A uvow_websocket_t: an item of uvow_listener_accept. */
extern UVOW_API const uvow_type_t uvow_type_websocket;

/** A header of the opening handshake. Copied where it's given. An array steps by
 * the size of its first element. */
typedef struct uvow_header {
  /** Required. sizeof(uvow_header_t). */
  size_t size;
  const char *name;
  const char *value;
} uvow_header_t;

/** What a server's answer to our handshake said, for uvow_trace_t. Borrowed for
 * the call. */
typedef struct uvow_handshake {
  /** sizeof(uvow_handshake_t), set by uvow. */
  size_t size;
  /** The server's address and port as text; "": it has none, as on a Unix domain
   * socket. */
  const char *address;
  /** TLS's version and cipher, as "TLSv1.3 TLS_AES_256_GCM_SHA384"; NULL: there
   * is none. */
  const char *tls;
  /** The subject of the server's certificate (RFC 4514), or NULL. */
  const char *certificate;
  /** The subprotocol agreed on, or NULL. */
  const char *subprotocol;
  /** The answer's headers, in order. */
  const uvow_header_t *headers;
  size_t header_count;
  size_t reserved;
} uvow_handshake_t;

/** How to connect. Everything is copied. */
typedef struct uvow_websocket_options {
  /** Required. sizeof(uvow_websocket_options_t). */
  size_t size;
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
  /** Optional, default 10000 ms: for connecting and the handshake. */
  uint32_t connect_timeout_ms;
  /** Optional, default 5000 ms: for the close handshake. */
  uint32_t close_timeout_ms;
  /** Optional, default 16 MiB: bytes of a message that comes, inflated. A longer
   * one ends the connection (1009, UVOW_ETOOBIG). Of a peer with requests in
   * flight, the one whose answer it is rejects with that, and all others with
   * UVOW_ELOST, where the answer's id is in its first 512 bytes, or in what came
   * before it was over the limit. Else, as from a server that writes the id
   * last, nobody knows whose it was: all reject with UVOW_ETOOBIG and
   * UVOW_MAYBE_EXECUTED, and none is sent again. */
  size_t max_message_bytes;
  /** Optional, default 64 MiB: bytes that wait to be written. Above half of it a
   * peer whose calls we answer isn't read (see stall_ms in
   * uvow_peer_options_t); above it a send of ours is refused (UVOW_EOVERLOAD),
   * and a peer with so many unsent answers is ended with 1013. */
  size_t max_unsent_bytes;
  /** Optional, default: no compression. Else it is offered, on these terms. */
  const uvow_deflate_options_t *deflate;
  /** Optional, default 30000 ms, UVOW_NO_TIMEOUT: never. After so long without a
   * byte from the peer, a ping. Time in which we don't read doesn't count, here
   * and below. */
  uint32_t ping_ms;
  /** Optional, default 75000 ms, UVOW_NO_TIMEOUT: never. After so long without a
   * byte from the peer, however busy our own sending is, the connection is lost
   * (UVOW_ELOST). */
  uint32_t dead_ms;
  /** Optional, default 30000 ms, and 1 s more for each 64 KiB of it: from the
   * first byte of a message that comes to its last. A slower message ends the
   * connection with 1013. UVOW_NO_TIMEOUT: never. */
  uint32_t message_timeout_ms;
  uint32_t reserved;
} uvow_websocket_options_t;

/**
 * Decides on a handshake that is well-formed and of a welcome origin: an error
 * refuses (403, or as uvow_websocket_refuse said), a future is waited for within
 * handshake_timeout_ms (what the peer sends meanwhile waits, bounded), all else
 * accepts. The WebSocket is borrowed.
 */
typedef uvow_next_t (*uvow_handshake_cb)(uvow_websocket_t *ws, void *data);

/** How to listen. Everything is copied. */
typedef struct uvow_listener_options {
  /** Required. sizeof(uvow_listener_options_t). */
  size_t size;
  /** Optional, default "127.0.0.1". A numeric address, IPv4 or IPv6. */
  const char *host;
  /** Optional, default: the system chooses, see uvow_listener_port. */
  uint16_t port;
  uint16_t reserved;
  /** Optional, default 0: off. After so many seconds of silence TCP probes the
   * peer: 1 to 32767. */
  uint32_t tcp_keepalive_s;
  /** Optional. The path of a Unix domain socket to listen on, instead of host
   * and port, which are not to be set then. It is removed when the listener
   * closes. One that is there: UV_EADDRINUSE, unless it's a socket that refuses
   * connections, as its listener was killed: it's replaced. */
  const char *socket_path;
  /** Optional. Kept. With it the listener speaks wss: a server's context of this
   * loop. */
  uvow_tls_t *tls;
  /** Optional. The first that a client offers of these is agreed on. */
  const char *const *subprotocols;
  size_t subprotocol_count;
  /** Optional, default: none. Origins that are welcome beside that of the Host
   * asked for (host and port): a host, with its port if it isn't the scheme's,
   * or scheme://host[:port]; "*": any. Others are refused, "null" too; no Origin
   * is welcome. RFC 6455 10.2. */
  const char *const *origins;
  size_t origin_count;
  /** Optional, default: any Host; on a loopback address, localhost and IP
   * literals. Hosts that may be asked for: the name of another site may be made
   * to lead here (DNS rebinding). Without port; "*": any. Behind a proxy that
   * passes its own name on, name that. Others: 403. */
  const char *const *hosts;
  size_t host_count;
  /** Optional, default 10000: connections at once. More get 503 with
   * Retry-After; of wss they are closed before any TLS work. */
  size_t max_peers;
  /** Optional, default: max_peers. Of one address. */
  size_t max_peers_per_address;
  /** Optional, default 16 MiB, 64 MiB, none: as in uvow_websocket_options_t, for
   * each peer. A longer message: 1009. */
  size_t max_message_bytes;
  size_t max_unsent_bytes;
  const uvow_deflate_options_t *deflate;
  /** Optional, default 1 GiB. Bytes of all peers together: calls under way,
   * messages that aren't whole yet, what is unsent. Calls above it are refused;
   * a peer that goes on above it is ended: 1013, or 1009 for one message. */
  size_t server_max_bytes;
  /** Optional, default 10000 ms: for a peer's opening handshake, TLS and
   * on_handshake included. */
  uint32_t handshake_timeout_ms;
  /** Optional, default 5000 ms, 30000 ms, 75000 ms, 30000 ms: as in
   * uvow_websocket_options_t, for each peer. */
  uint32_t close_timeout_ms;
  uint32_t ping_ms;
  uint32_t dead_ms;
  uint32_t message_timeout_ms;
  /** Optional, default: never. A peer that has sent no message for so long, and
   * has no call under way and no request of ours in flight, is ended with
   * 1001. ms. */
  uint32_t idle_ms;
  /** Optional. */
  uvow_handshake_cb on_handshake;
  /** Optional. What on_handshake is given. */
  void *data;
} uvow_listener_options_t;

/**
 * Connects: ws://host[:port]/path?query, wss://..., or
 * ws+unix:///path/to/socket[:/path?query].
 *
 * Borrows all. Returns new; NULL: no memory, or the loop is closed. Whatever is
 * wrong, URL and options included, rejects uvow_websocket_ready and is the end
 * of its messages. Messages may be sent before it is open. Since 0.2.
 */
UVOW_NEW uvow_websocket_t *
uvow_websocket_connect(uvow_loop_t *loop, const char *url,
                       const uvow_websocket_options_t *options);
/** A future of its being open (no value), or why not. Borrows. Returns new. */
UVOW_NEW uvow_future_t *uvow_websocket_ready(uvow_websocket_t *ws);

/**
 * Its messages: items hold bytes (json.h: uvow_result_bytes,
 * uvow_result_is_binary). When as many wait as the stream takes, the socket isn't
 * read (nor is a ping answered, or a close seen). Ends when the peer closes
 * (1000, 1001, or without a code), or as uvow_websocket_close was asked to; else
 * it fails; uvow_error_status is the close code.
 *
 * The peer's close is answered when what came before it was read and more is
 * asked for, or close_timeout_ms later: so what answers the last message still
 * leaves. Messages that come behind a close of ours and find no room are lost.
 *
 * Returns a new owner of the one stream there is: 64 items, UVOW_FULL_WAIT; it
 * owns the WebSocket, too. What comes once it's let go is read and dropped. Of
 * one that a peer of requests has: fails with UVOW_EBUSY. NULL: no memory.
 * Since 0.2.
 */
UVOW_NEW uvow_stream_t *uvow_websocket_messages(uvow_websocket_t *ws);

/**
 * Sends a message: bytes or text as a text message, or what uvow_value_binary
 * holds as binary. Takes the value, also on failure; borrows ws.
 *
 * Returns 0; 1: taken, and more than half of max_unsent_bytes, or 1 MiB, waits:
 * wait for uvow_websocket_room. Errors: UVOW_EOVERLOAD: max_unsent_bytes would
 * wait; UVOW_ECLOSED: it closes, or has gone; UVOW_EUTF8: text that isn't UTF-8;
 * UVOW_ETYPE: neither bytes nor text; UVOW_ENOMEM; UVOW_EINVAL: NULL. Since 0.2.
 */
UVOW_API int uvow_websocket_send(uvow_websocket_t *ws, uvow_value_t message);
/** Sends a part of a message; the last part has is_last 1, and the first says
 * whether all is text or binary. Whole messages that are sent meanwhile wait
 * until then. As uvow_websocket_send, but that nobody checks the text. Since
 * 0.2. */
UVOW_API int uvow_websocket_send_part(uvow_websocket_t *ws, uvow_value_t part,
                                      int is_last);
/** A future of room: fulfilled (no value) when no more waits than
 * uvow_websocket_send says 1 for. Rejected when it closes. Borrows. Returns new.
 */
UVOW_NEW uvow_future_t *uvow_websocket_room(uvow_websocket_t *ws);
/** A future of all that was sent so far having left: it is the system's. Borrows.
 * Returns new. */
UVOW_NEW uvow_future_t *uvow_websocket_flushed(uvow_websocket_t *ws);
/** Pings; a future of the pong. Errors: UVOW_ECLOSED, UVOW_ELOST,
 * UVOW_EOVERLOAD. Borrows. Returns new. */
UVOW_NEW uvow_future_t *uvow_websocket_ping(uvow_websocket_t *ws);
/** Both directions, for what takes a channel: messages, and a sink that sends.
 * Ending the sink closes with code 1000, dropping it at once; what is pushed and
 * can't be sent ends it with 1011. Borrows ws; each member is a new owner of it.
 * Since 0.2. */
UVOW_NEW uvow_channel_t uvow_websocket_channel(uvow_websocket_t *ws);
/**
 * Closes: what was sent leaves, then the close frame with this code (1000, 1001,
 * 3000 to 4999) and reason (NULL: none; 123 bytes), then the peer's is waited
 * for. Borrows. Returns a new future (no value) of its being gone, which rejects
 * with UVOW_EINVAL for another code or reason; then it goes on. Since 0.2.
 */
UVOW_NEW uvow_future_t *uvow_websocket_close(uvow_websocket_t *ws, int code,
                                             const char *reason);

/** Path and query, as they were asked for; "": not yet. Borrowed (valid as
 * ws). */
UVOW_API const char *uvow_websocket_target(const uvow_websocket_t *ws);
/** A header that the peer sent with the handshake: the first of this name, which
 * compares without case; or NULL. Borrowed (valid as ws). */
UVOW_API const char *uvow_websocket_header(const uvow_websocket_t *ws,
                                           const char *name);
/** The header number i that the peer sent with the handshake, from 0, in order.
 * Writes what is borrowed (valid as ws). Errors: UVOW_EINVAL: NULL, or not so
 * many. Since 0.2. */
UVOW_API int uvow_websocket_header_at(const uvow_websocket_t *ws, size_t i,
                                      const char **ret_name,
                                      const char **ret_value);
/** The subprotocol agreed on, or NULL. Borrowed (valid as ws). */
UVOW_API const char *uvow_websocket_subprotocol(const uvow_websocket_t *ws);
/** The peer's address and port as text: "127.0.0.1:4711", "[::1]:4711"; "": it
 * has none, as on a Unix domain socket, or isn't known yet. Borrowed (valid as
 * ws). */
UVOW_API const char *uvow_websocket_address(const uvow_websocket_t *ws);
/** The subject of the peer's certificate (RFC 4514), or NULL. Borrowed (valid as
 * ws). */
UVOW_API const char *uvow_websocket_certificate(const uvow_websocket_t *ws);
/** Writes TLS's version and cipher, as "TLSv1.3 TLS_AES_256_GCM_SHA384", cut to
 * size bytes with their NUL. Borrows. Returns how many bytes it has without the
 * NUL; 0 and "": there is none, or it isn't open. Errors: UVOW_ENOMEM. Since
 * 0.2. */
UVOW_API int uvow_websocket_tls(const uvow_websocket_t *ws, char *ret_text,
                                size_t size);
/** Within on_handshake, or until the future that it returned is settled: agrees
 * on this subprotocol (NULL: none), which is copied, instead of the one that the
 * options lead to. Errors: UVOW_EINVAL: not offered, or too late; UVOW_ENOMEM. */
UVOW_API int uvow_websocket_choose(uvow_websocket_t *ws,
                                   const char *subprotocol);
/** The same: what an error refuses with: 300 to 599, and a text for people,
 * copied. Errors: UVOW_EINVAL: another status, or too late; UVOW_ENOMEM. */
UVOW_API int uvow_websocket_refuse(uvow_websocket_t *ws, int status,
                                   const char *text);
/** The WebSocket in an item: borrowed (as long as the item), or NULL. */
UVOW_API uvow_websocket_t *uvow_result_websocket(const uvow_result_t *item);
/** One more owner. Returns its argument; accepts NULL. */
UVOW_NEW uvow_websocket_t *uvow_websocket_ref(uvow_websocket_t *ws);
/** One owner less; when ws, its messages and its sinks have none left, it's
 * ended with 1001: what was sent still leaves. Accepts NULL. */
UVOW_API void uvow_websocket_unref(uvow_websocket_t *ws);

/**
 * Listens at once. Borrows all. Returns new, or NULL: see uvow_loop_error:
 * UVOW_EINVAL, UVOW_ENOMEM, UVOW_ECLOSED, libuv's (UV_EADDRINUSE ...). Since
 * 0.2.
 */
UVOW_NEW uvow_listener_t *
uvow_listener_new(uvow_loop_t *loop, const uvow_listener_options_t *options);
/** The port that it listens on; 0: closed, or a socket_path. */
UVOW_API uint16_t uvow_listener_port(const uvow_listener_t *listener);
/** Open WebSockets, as they are accepted; before it is asked for, and while 64
 * wait to be read, no further one is accepted: the system has them wait. Letting
 * go of it closes the listener. Ends when it's closed.
 *
 * Returns a new owner of the one stream there is; NULL: no memory. */
UVOW_NEW uvow_stream_t *uvow_listener_accept(uvow_listener_t *listener);
/** Stops listening; connections that are open go on, those in their handshake
 * are ended. Borrows. Returns a new future (no value). */
UVOW_NEW uvow_future_t *uvow_listener_close(uvow_listener_t *listener);
/** Frees it at any time, as uvow_listener_close; open WebSockets that nobody has
 * read are ended. Takes it; accepts NULL. */
UVOW_API void uvow_listener_free(uvow_listener_t *listener);

#ifdef __cplusplus
}
#endif

#endif
