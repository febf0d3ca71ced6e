#include "ends.h"

#include <stdlib.h>

#include "rpc/peer.h"
#include "websocket/listener.h"

#define HOUR_MS 3600000 /* the test's time is no matter of the handshake's */

uvow_peer_t *ends_make(ends_t *ends, uvow_loop_t *loop,
                       const uvow_peer_options_t *options, int with_deflate) {
  uvow_deflate_options_t deflate = {.size = sizeof(deflate)};
  uvow_websocket_options_t connects = {.size = sizeof(connects)};
  uvow_listener_options_t listens = {.size = sizeof(listens)};
  uvow_peer_options_t client = *options;
  uvow_listener_t *listener;
  wires_init(&ends->wires);
  connects.connect_timeout_ms = listens.handshake_timeout_ms = HOUR_MS;
  connects.max_unsent_bytes = listens.max_unsent_bytes =
      options->max_unsent_bytes;
  if (with_deflate)
    connects.deflate = listens.deflate = &deflate;
  if (uvow__listener_new(loop, &listens, &ends->wires.transport, &listener))
    abort();
  ends->server = uvow_server_new(listener, options);
  client.on_state = NULL;
  client.websocket = &connects;
  uvow_peer_t *peer = uvow__peer_connect(loop, "ws://127.0.0.1:1/", &client,
                                         &ends->wires.transport);
  if (!ends->server || !peer)
    abort();
  return peer;
}

size_t ends_move(ends_t *ends, int from, size_t most) {
  wires_connect(&ends->wires);
  return wires_move(wires_last(&ends->wires), from, most);
}

void ends_free(ends_t *ends) {
  uvow_server_free(ends->server);
  ends->server = NULL;
}
