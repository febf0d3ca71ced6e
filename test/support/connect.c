/* Peers that tests connect. */
#include "connect.h"

#include <string.h>

#include "rpc/peer.h"

test_connect_t test_connect_options(const uvow_protocol_t *protocol) {
  test_connect_t options;
  memset(&options, 0, sizeof(options));
  options.peer.size = sizeof(options.peer);
  options.peer.protocol = protocol;
  options.peer.no_cancel = 1;
  options.websocket.size = sizeof(options.websocket);
  return options;
}

uvow_next_t test_event_end(const uvow_call_t *call) {
  if (!uvow_call_wants_answer(call))
    return uvow_next_none();
  return uvow_next_error(uvow_error_new_peer(uvow_call_loop(call), -32601,
                                             "Method not found", NULL, 0));
}

int test_connect_on(uvow_loop_t *loop, const test_connect_t *options,
                    const uvow__transport_t *transport, uvow_peer_t **ret) {
  uvow_peer_options_t own = options->peer;
  uvow_methods_t *events = NULL;
  own.websocket = &options->websocket;
  if (options->on_event && !own.methods) {
    events = uvow_methods_new(loop);
    if (!events)
      return UVOW_ENOMEM;
    if (uvow_methods_add(events, NULL, options->on_event, own.data)) {
      uvow_methods_unref(events);
      return UVOW_ENOMEM;
    }
    own.methods = events;
  }
  uvow_peer_t *peer = uvow__peer_connect(loop, options->url, &own, transport);
  uvow_methods_unref(events);
  if (!peer)
    return UVOW_ENOMEM;
  if (uvow__peer_is_over(peer) &&
      uvow_error_code(peer->life.why) == UVOW_EINVAL) {
    uvow_peer_unref(peer);
    return UVOW_EINVAL;
  }
  *ret = peer;
  return 0;
}

int test_connect(uvow_loop_t *loop, const test_connect_t *options,
                 uvow_peer_t **ret) {
  return test_connect_on(loop, options, &uvow__tcp_transport, ret);
}
