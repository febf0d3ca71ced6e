#ifndef UVOW__ACCEPTED_H
#define UVOW__ACCEPTED_H

#include "peer.h"

/* Calls the trace hook on_handshake, where there is one, with what the answer
 * that has opened the WebSocket says. */
void uvow__accepted_tell(const uvow_peer_t *peer);

#endif
