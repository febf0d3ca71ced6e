#ifndef UVOW_SERVER_H
#define UVOW_SERVER_H

/**
 * @file server.h
 * A server of methods that return futures.
 *
 * Everything here is for the loop's thread.
 */

#include "peer.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Listens, and answers what its peers call. */
typedef struct uvow_server uvow_server_t;
/** A peer that asks for a WebSocket. Borrowed for the callback's call. */
typedef struct uvow_handshake uvow_handshake_t;

/**
 * Decides on a handshake, which is accepted unless it calls
 * uvow_handshake_refuse. May do anything with the server, also free it.
 */
typedef void (*uvow_handshake_cb)(uvow_handshake_t *handshake, void *data);

/** Options of uvow_server_new. Everything is copied. */
typedef struct uvow_server_options {
  /** Required. sizeof(uvow_server_options_t). */
  size_t size;
  /** Required. See protocol.h. */
  const uvow_protocol_t *protocol;
  /** Optional, default "127.0.0.1". A numeric address, IPv4 or IPv6. */
  const char *host;
  /** Optional, default: the system chooses, see uvow_server_port. */
  uint16_t port;
  /** Optional. The path of a Unix domain socket to listen on, instead of host
   * and port, which are not to be set then. It is removed when the server
   * closes. One that is there: UV_EADDRINUSE, unless it's a socket that refuses
   * connections, as its server was killed: it's replaced. */
  const char *socket_path;
  /** Optional, default 0: off. After so many seconds of silence TCP probes the
   * peer: 1 to 32767. */
  uint32_t tcp_keepalive_s;
  /** Optional. Kept. With it the server speaks wss: a server's context of this
   * loop. */
  uvow_tls_t *tls;
  /** Optional. The first that a client offers of these is agreed on. */
  const char *const *subprotocols;
  size_t subprotocol_count;
  /** Optional, default 10000 ms: for a peer's opening handshake. */
  uint32_t handshake_timeout_ms;
  /** Optional, default 5000 ms: for calls and requests under way, and then for
   * the close handshake. */
  uint32_t close_timeout_ms;
  /** Optional, default 16 MiB: bytes of a message from a peer. */
  size_t max_message_bytes;
  /** Optional, default 64 MiB: bytes that wait for a peer to read them. Above
   * it the peer is dropped. */
  size_t max_unsent_bytes;
  /** Optional, default NULL: no compression. Else it's agreed to where a client
   * offers it, on these terms. A value out of its range: UVOW_EINVAL. */
  const uvow_deflate_options_t *deflate;
  /** Optional, default 10000: peers at once. One more is refused: 503, with
   * a Retry-After of 5 s. Over TLS it is closed before its handshake. */
  size_t max_peers;
  /** Optional, default 65536: calls of one peer that are being answered. More
   * are answered with an error, code -32000. */
  size_t max_calls;
  /** Optional, default: the server's own pages. A handshake without an Origin,
   * which no browser sends, is welcome; one whose Origin has another host or
   * port than its Host, or is "null", is refused: 403. With a list, one whose
   * Origin is none of these (scheme and host compare without case) is refused;
   * "*" welcomes any, "" one without an Origin. RFC 6455 10.2. */
  const char *const *origins;
  size_t origin_count;
  /** Optional. Asked about each handshake that is well-formed and of a welcome
   * origin. Meanwhile handshake_timeout_ms goes on. */
  uvow_handshake_cb on_handshake;
  /** Optional. What on_handshake and on_state are given. */
  void *data;
  /** Optional, default: a table of its own, for uvow_server_method. Kept. What
   * its peers may call. */
  uvow_methods_t *methods;
  /** Optional. Called when a peer is open, before its first call, and once it
   * has gone, after its last: see peer.h. */
  uvow_peer_state_cb on_state;
  /** Optional, default 32 MiB. Bytes of calls of one peer that are being
   * answered. A call above it is answered with an error, code -32000. */
  size_t max_call_bytes;
  /** Optional, default 4194304: requests to one peer that aren't settled. */
  size_t max_pending;
  /** Optional, default 30000 ms, UVOW_NO_TIMEOUT: none. From a request to a
   * peer to its answer. */
  uint32_t timeout_ms;
  /** Optional, default 30000 ms: see uvow_peer_options_t. */
  uint32_t stall_ms;
  /** Optional, default 0. 1: a request to a peer that is given up isn't
   * canceled there. */
  int no_cancel;
  /** Optional, default: any; on a loopback address: localhost and addresses. A
   * handshake whose Host (without its port) is none of these is refused: 403,
   * since a page of any site may have its own name lead to this machine (DNS
   * rebinding). Behind a proxy that passes its own name on, name that. "*": any.
   */
  const char *const *hosts;
  size_t host_count;
  /** Optional, default 30000 ms. When nothing came from a peer for this long,
   * it's pinged. UVOW_NO_TIMEOUT: never. */
  uint32_t ping_ms;
  /** Optional, default 75000 ms. When nothing came from a peer for this long, it
   * is dropped. UVOW_NO_TIMEOUT: never. */
  uint32_t dead_ms;
  /** Optional, default 30000 ms, and a second more for each 64 KiB: for a
   * message of a peer, from its first byte to its last. Then it is closed: 1013.
   * UVOW_NO_TIMEOUT: no limit. */
  uint32_t message_timeout_ms;
  /** Optional, default 1 GiB: bytes that all peers together may hold, in
   * messages that aren't whole yet and in what waits for them to read. A peer
   * that goes above it is closed: 1013. */
  size_t server_max_bytes;
} uvow_server_options_t;

/**
 * Makes a server, which listens at once.
 *
 * Borrows loop and options. Returns new in ret_server; release it with
 * uvow_server_free. Errors: UVOW_EINVAL: a required option is missing, or host
 * is no address; UVOW_ENOMEM; UVOW_ECLOSED: the loop is; libuv's:
 * UV_EADDRINUSE, UV_ENAMETOOLONG (socket_path) ... Since 0.1.
 */
UVOW_API int uvow_server_new(uvow_loop_t *loop,
                             const uvow_server_options_t *options,
                             uvow_server_t **ret_server);

/** The port that it listens on; 0 once it's closed, and for a socket_path. */
UVOW_API uint16_t uvow_server_port(const uvow_server_t *server);

/**
 * Adds a method, or replaces the one of this name.
 *
 * Copies name. `destroy` (may be NULL) releases data, later: when the method is
 * replaced or its table freed; on error, at once. Errors: UVOW_EINVAL: no name
 * or cb; UVOW_ENOMEM. Since 0.1.
 */
UVOW_API int uvow_server_method(uvow_server_t *server, const char *name,
                                uvow_method_cb cb, void *data,
                                uvow_destroy_cb destroy);

/**
 * Path and query that are asked for, as they were sent ("/chat?room=1").
 *
 * Returns borrowed text (valid for the call). Since 0.1.
 */
UVOW_API const char *uvow_handshake_target(const uvow_handshake_t *handshake);
/**
 * A header of the request: the first of this name, which compares without case.
 * Returns borrowed text (valid for the call), or NULL: there is none. Since
 * 0.1.
 */
UVOW_API const char *uvow_handshake_header(const uvow_handshake_t *handshake,
                                           const char *name);
/**
 * Whether the peer offers this subprotocol. Borrows all. Since 0.1.
 */
UVOW_API int uvow_handshake_offers(const uvow_handshake_t *handshake,
                                   const char *subprotocol);
/**
 * Agrees on a subprotocol, instead of the one that the server's options lead
 * to; NULL: on none. Copies it. Errors (nothing is changed): UVOW_EINVAL: the
 * peer doesn't offer it; UVOW_ENOMEM. Since 0.1.
 */
UVOW_API int uvow_handshake_choose(uvow_handshake_t *handshake,
                                   const char *subprotocol);
/**
 * Refuses, with an HTTP status from 300 to 599 (401, 403, 404, ...) and a text
 * for people (NULL: none), which is copied. Errors (it's refused all the same):
 * UVOW_EINVAL: another status, then it's 403; UVOW_ENOMEM: then there is no
 * text. Since 0.1.
 */
UVOW_API int uvow_handshake_refuse(uvow_handshake_t *handshake, int status,
                                   const char *text);

/**
 * Sends an event to every peer. Borrows all; `params` is JSON text of `len`
 * bytes, or NULL. Errors: UVOW_EINVAL: this protocol has no events, or can't
 * send this; UVOW_ENOMEM. Since 0.1.
 */
UVOW_API int uvow_server_publish(uvow_server_t *server, const char *name,
                                 const char *params, size_t len);

/** How many peers are connected. */
UVOW_API size_t uvow_server_peers(const uvow_server_t *server);

/**
 * Closes: no new peers, no new calls (refused, code -32000); those under way
 * may be answered within close_timeout_ms; then each connection is closed with
 * code 1001.
 *
 * Borrows the server, which is still to be freed. Returns a new future,
 * fulfilled (no value) when all are gone: each asker's own. NULL: no memory (it
 * closes all the same). Since 0.1.
 */
UVOW_API uvow_future_t *uvow_server_close(uvow_server_t *server);

/**
 * Frees a server at any time. Takes it; accepts NULL. Its peers are ended: the
 * futures of their calls are canceled where nobody else waits for them. No
 * callback of the server's options follows; destructors of its peers' data do.
 * Since 0.1.
 */
UVOW_API void uvow_server_free(uvow_server_t *server);

#ifdef __cplusplus
}
#endif

#endif
