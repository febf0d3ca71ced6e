/*
 * What a server's answer to the handshake said, for the trace hook.
 *
 * 1. All of it is borrowed for the call: the WebSocket has it, but for the name
 *    of the TLS session and the array of headers, released when the hook has
 *    returned.
 * 2. A trace that can't be written is none: the connection opens all the same.
 */
#include "accepted.h"

static void tell(const uvow_peer_t *peer, const uvow_handshake_t *handshake) {
  const uvow_trace_t *trace = &peer->config->trace;
  const char *before = uvow__ask(&peer->loop->rt, uvow__trace_asked);
  trace->on_handshake(peer, handshake, trace->data);
  uvow__answered(&peer->loop->rt, before);
}

void uvow__accepted_tell(const uvow_peer_t *peer) {
  const uvow__mem_t *mem = uvow__peer_mem(peer);
  const uvow_websocket_t *ws = peer->kin.ws;
  uvow_handshake_t handshake = {.size = sizeof(handshake)};
  uvow__buf_t tls;
  if (!peer->config->trace.on_handshake || !ws->says.is_whole)
    return;
  size_t count = uvow__says_headers(ws, NULL); /* a head's fields are bounded */
  uvow_header_t *headers =
      (uvow_header_t *)uvow__malloc(mem, (count + 1) * sizeof(*headers));
  uvow__buf_init(&tls, mem, SIZE_MAX);
  if (headers &&
      uvow__io_who(uvow__connection_io(ws->connection), UVOW__WHO_TLS, &tls) ==
          0 &&
      uvow__buf_append(&tls, "", 1) == 0) {
    const char *name = (const char *)uvow__buf_front(&tls);
    handshake.address = uvow_websocket_address(ws);
    handshake.tls = *name ? name : NULL;
    handshake.certificate = uvow_websocket_certificate(ws);
    handshake.subprotocol = uvow_websocket_subprotocol(ws);
    handshake.header_count = uvow__says_headers(ws, headers);
    handshake.headers = headers;
    tell(peer, &handshake);
  }
  uvow__buf_done(&tls);
  uvow__free(mem, headers);
}
