#ifndef UVOW_SERVER_H
#define UVOW_SERVER_H

/**
 * @file server.h
 * Servers: a listener whose every connection is a peer.
 *
 * Who may connect, and how: uvow_listener_options_t, in websocket.h, with the
 * limits of a connection. What a peer may call, and the limits of that:
 * uvow_peer_options_t, in peer.h. Peers come and go by its on_state:
 * UVOW_PEER_OPEN before a peer's first call, UVOW_PEER_CLOSED once, after its
 * last.
 *
 * Callbacks and destructors run later, from the loop's task queue. Everything
 * here is for the loop's thread.
 */

#include "peer.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Listens, and answers what its peers call. One owner. */
typedef struct uvow_server uvow_server_t;

/**
 * Makes a server of a listener, whose handshakes, limits and port it has.
 *
 * The subprotocol of options.protocol is agreed on where a peer offers it, after
 * those of the listener's options.
 *
 * Takes listener, also on failure (NULL: nothing is noted, as uvow_listener_new
 * has said why), copies options, and keeps their protocol and methods. Its
 * websocket, reconnect and renew aren't read, and of unsent bytes the listener's
 * limit holds. Returns new, release it with uvow_server_free; or NULL, see
 * uvow_loop_error: UVOW_EINVAL: a required option is missing, or the listener is
 * in use; UVOW_ENOMEM; UVOW_ECLOSED: the loop is. Since 0.2.
 */
UVOW_NEW uvow_server_t *uvow_server_new(uvow_listener_t *listener,
                                        const uvow_peer_options_t *options);
/**
 * Has peers that agree on this subprotocol be as these options say, from now on.
 * It is agreed on where a peer offers it, after those of the listener's options.
 *
 * Copies all, as uvow_server_new. NULL as subprotocol: the protocol's own.
 * Errors: UVOW_EINVAL: no server, or no subprotocol, or a required option is
 * missing; UVOW_ENOMEM. Since 0.2.
 */
UVOW_API int uvow_server_add(uvow_server_t *server, const char *subprotocol,
                             const uvow_peer_options_t *options);

/**
 * Has peers that come to this path, "/rpc", be as these options say, from now on.
 * It is compared as it was asked for, without its query, and goes before
 * subprotocols; of two that are the same, the later one counts. The protocol's
 * subprotocol is agreed on, as with uvow_server_add; who has agreed on that, at
 * a path that nobody added, is such a peer, too.
 *
 * Copies all, as uvow_server_new. Errors: UVOW_EINVAL: no server, path doesn't
 * begin with a slash, or has a query, or a required option is missing;
 * UVOW_ENOMEM. Since 0.2.
 */
UVOW_API int uvow_server_add_path(uvow_server_t *server, const char *path,
                                  const uvow_peer_options_t *options);

/** The port that it listens on; 0 once it's closed, and for a socket_path. */
UVOW_API uint16_t uvow_server_port(const uvow_server_t *server);

/** All its peers, from their opening to their end: to notify, to walk, and to
 * count by a walk. Returns borrowed (valid as the server; uvow_group_free leaves
 * it). Since 0.2. */
UVOW_API uvow_group_t *uvow_server_peers(const uvow_server_t *server);
/**
 * The group of this name, as "room 7": it's made where there is none, and goes
 * when it's empty.
 *
 * Copies name. Returns borrowed (valid while a peer is in it, and until the
 * callback returns; uvow_group_free leaves it), or NULL: no memory, no name, or
 * the loop is closed. Since 0.2.
 */
UVOW_API uvow_group_t *uvow_server_group(uvow_server_t *server,
                                         const char *name);

/**
 * Closes: no new peers, no new calls (refused, code -32000); those under way
 * may be answered within close_timeout_ms; then each connection is closed with
 * code 1001.
 *
 * Borrows the server, which is still to be freed. Returns a new future,
 * fulfilled (no value) when all are gone: each asker's own. NULL: no memory (it
 * closes all the same). Since 0.1.
 */
UVOW_NEW uvow_future_t *uvow_server_close(uvow_server_t *server);

/**
 * Frees a server at any time. Takes it; accepts NULL. Its peers are ended: the
 * futures of their calls are canceled where nobody else waits for them. No
 * callback of the options follows; destructors of its peers' data do. Since 0.1.
 */
UVOW_API void uvow_server_free(uvow_server_t *server);

#ifdef __cplusplus
}
#endif

#endif
