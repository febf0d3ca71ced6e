/*
 * What is sent, for the trace hook on_message.
 *
 * A channel of a traced peer has operations of its own, whose send tells; those
 * of others are as they were, and cost nothing. What the outbox sends past the
 * channel, it tells itself.
 */
#include "traced.h"

#include "peer.h"

void uvow__traced_tell(const uvow_peer_t *peer, const uvow__splice_t *message) {
  const uvow_trace_t *trace = &peer->config->trace;
  uvow_slice_t whole = {message->text.ptr, message->text.len};
  uvow__buf_t both;
  uvow__buf_init(&both, uvow__peer_mem(peer), SIZE_MAX);
  if (message->inner.len) {
    size_t rest = message->text.len - message->at;
    int rc = uvow__buf_append(&both, message->text.ptr, message->at);
    if (rc == 0)
      rc = uvow__buf_append(&both, message->inner.ptr, message->inner.len);
    if (rc == 0)
      rc = uvow__buf_append(&both, message->text.ptr + message->at, rest);
    if (rc) {
      uvow__buf_done(&both);
      return;
    }
    whole.bytes = (const char *)uvow__buf_front(&both);
    whole.len = uvow__buf_size(&both);
  }
  const char *before = uvow__ask(&peer->loop->rt, uvow__trace_asked);
  trace->on_message(peer, whole, 1, trace->data);
  uvow__answered(&peer->loop->rt, before);
  uvow__buf_done(&both);
}

static int send_op(uvow__channel_t *channel, int opcode,
                   const uvow__splice_t *message) {
  const uvow_peer_t *peer = (const uvow_peer_t *)channel->ctx;
  int rc = peer->notices.traced->plain->send(channel, opcode, message);
  if (rc == 0)
    uvow__traced_tell(peer, message);
  return rc;
}

void uvow__traced_begin(uvow_peer_t *peer, uvow__channel_t *channel) {
  if (!peer->config->trace.on_message || peer->notices.traced)
    return;
  uvow__traced_t *traced =
      (uvow__traced_t *)uvow__malloc(uvow__peer_mem(peer), sizeof(*traced));
  if (!traced)
    return;
  traced->plain = channel->ops;
  traced->ops = *channel->ops;
  traced->ops.send = send_op;
  peer->notices.traced = traced;
  channel->ops = &traced->ops;
}
