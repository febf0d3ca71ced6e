#ifndef UVOW_TEST_ENDS_H
#define UVOW_TEST_ENDS_H

#include <uvow/peer.h>
#include <uvow/server.h>

#include "wires.h"

/* The two ends of one WebSocket, both the library's own: a peer that connects,
 * and a server, over wires. */
typedef struct ends {
  wires_t wires;
  uvow_server_t *server;
} ends_t;

/* Both are made with these options; the server's peer is told by their on_state
 * as soon as it is open, the client's by nobody. max_unsent_bytes is that of each
 * end. Returns the client: new. */
uvow_peer_t *ends_make(ends_t *ends, uvow_loop_t *loop,
                       const uvow_peer_options_t *options, int with_deflate);
/* As wires_move, once it is connected. */
size_t ends_move(ends_t *ends, int from, size_t most);
/* Frees the server; the client is its owner's. */
void ends_free(ends_t *ends);

#endif
