/*
 * Peers over a channel that is there: any stream and sink of messages, or a
 * WebSocket that is the application's.
 *
 * 1. Options that can't work make a peer that is over before it began, as those
 *    of a peer that we connect to.
 */
#include "peer.h"

#include "net/stream_channel.h"
#include "websocket/websocket.h"

static void release(uvow_channel_t channel) {
  uvow_stream_unref(channel.in);
  uvow_sink_drop(channel.out);
}

static const char *reading_fault(int rc) {
  return rc == UVOW_EBUSY ? "the channel's stream is read by another"
                          : "the channel is another loop's";
}

static uvow_peer_t *peer_over(uvow_loop_t *loop, uvow_channel_t channel,
                              const uvow_peer_options_t *options,
                              int is_server) {
  uvow_peer_options_t none = {0};
  uvow_peer_options_t given;
  uvow__peer_fault_t of_options;
  const char *fault =
      uvow__peer_options_fault(&options, &given, is_server, &of_options);
  uvow_peer_t *peer = NULL;
  uvow__channel_t *own;
  if (fault) {
    none.protocol = &uvow__protocol_jsonrpc2;
    options = &none;
  }
  if (loop && !loop->rt.closed && channel.in && channel.out)
    peer =
        uvow__peer_new(loop, uvow__peer_config_new(loop, options), is_server);
  if (!peer || fault) {
    release(channel);
    if (peer)
      uvow__peer_ended_because(peer, UVOW_EINVAL, fault);
    return peer;
  }
  int rc =
      uvow__stream_channel_new(loop, channel, peer->session.max_unsent, &own);
  if (rc == UVOW_ENOMEM) {
    uvow_peer_unref(peer);
    return NULL;
  }
  if (rc) {
    uvow__peer_ended_because(peer, rc, reading_fault(rc));
    return peer;
  }
  uvow__channel_tell(own, &uvow__peer_callbacks, peer);
  uvow__peer_opened(peer, own);
  return peer;
}

uvow_peer_t *uvow_peer_new(uvow_loop_t *loop, uvow_channel_t channel,
                           const uvow_peer_options_t *options) {
  return peer_over(loop, channel, options, 0);
}

uvow_peer_t *uvow_peer_over(uvow_websocket_t *ws,
                            const uvow_peer_options_t *options) {
  uvow_channel_t none = {NULL, NULL};
  uvow_channel_t channel = ws ? uvow_websocket_channel(ws) : none;
  return channel.in ? peer_over(ws->loop, channel, options,
                                uvow__websocket_is_server(ws))
                    : NULL;
}
