/*
 * Messages past the protocol: what it has no words for.
 *
 * 1. They take their turn among all others, and are bounded with them.
 */
#include "peer.h"

#include "future/bytes.h"
#include "within.h"

static int send_on_channel(uvow_peer_t *peer, int opcode, uvow__slice_t text) {
  uvow__callee_t *callee = &peer->session.callee;
  uvow__splice_t message = {text, {NULL, 0}, 0, NULL};
  int rc = callee->channel
               ? uvow__channel_send(callee->channel, opcode, &message)
               : UVOW_ECLOSED;
  if (rc == 0)
    callee->hooks->on_sent(callee, UVOW__OP_NOTIFY);
  return rc;
}

static int send_message(uvow_peer_t *peer, int opcode, uvow__slice_t text) {
  int rc = uvow__peer_unusable(peer);
  if (rc)
    return rc;
  int is_first = uvow__within_is_first(peer);
  if (peer->kin.within)
    peer = peer->kin.within->whole;
  if (!peer->outbox || is_first)
    return send_on_channel(peer, opcode, text);
  return uvow__outbox_send_raw(peer, opcode, text);
}

int uvow_peer_send(uvow_peer_t *peer, uvow_value_t message) {
  const uvow__bytes_t *bytes = uvow__value_bytes(&message);
  int opcode = bytes && bytes->is_binary ? UVOW__OP_BINARY : UVOW__OP_TEXT;
  uvow__slice_t text;
  if (!peer) {
    uvow_value_clear(&message);
    return UVOW_EINVAL;
  }
  uvow_loop_t *loop = peer->loop;
  int rc = message.type == &uvow_type_json
               ? uvow__params_text(loop, &message, &text)
               : uvow__value_slice(&message, &text);
  if (rc == 0)
    rc = send_message(peer, opcode, text);
  uvow__params_done(loop, &message);
  return rc;
}
