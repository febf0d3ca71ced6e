/*
 * Peers that we connect to.
 *
 * 1. Options that can't work make a peer that is over before it began; why is
 *    said by all that is asked of it.
 */
#include "peer.h"

void uvow__peer_ended_because(uvow_peer_t *peer, int code, const char *fault) {
  uvow__error_spec_t spec = {0};
  spec.code = code;
  if (fault)
    spec.detail = (uvow__slice_t){fault, strlen(fault)};
  uvow__peer_ended(peer, uvow__error_make(uvow__peer_mem(peer), &spec));
}

static uvow__linked_t *new_linked(uvow_loop_t *loop,
                                  const uvow_peer_options_t *options) {
  uvow__peer_config_t *config = uvow__peer_config_new(loop, options);
  if (!config)
    return NULL;
  uvow__linked_t *linked =
      (uvow__linked_t *)uvow__calloc(uvow__loop_mem(loop), sizeof(*linked));
  if (!linked) {
    uvow__peer_config_unref(config, loop);
    return NULL;
  }
  linked->peer.link = &linked->link;
  uvow__peer_init(&linked->peer, loop, config);
  uvow__outbox_init(&linked->peer, &linked->outbox);
  return linked;
}

static int begin(uvow__linked_t *linked) {
  size_t max_unsent = linked->link.config->max_unsent;
  linked->peer.session.max_unsent = max_unsent;
  linked->outbox.max_unsent = max_unsent;
  return uvow__link_connect(&linked->peer);
}

uvow_peer_t *uvow__peer_connect(uvow_loop_t *loop, const char *url,
                                const uvow_peer_options_t *options,
                                const uvow__transport_t *transport) {
  uvow_peer_options_t none = {0};
  uvow_peer_options_t own;
  uvow__peer_fault_t of_options;
  const char *fault = uvow__peer_options_fault(&options, &own, 0, &of_options);
  if (!loop || loop->rt.closed)
    return NULL;
  if (fault) {
    none.protocol = &uvow__protocol_jsonrpc2;
    options = &none;
  }
  uvow__linked_t *linked = new_linked(loop, options);
  if (!linked)
    return NULL;
  uvow_peer_t *peer = &linked->peer;
  int rc = uvow__link_init(peer, url, options, transport);
  if (fault && rc != UVOW_ENOMEM)
    rc = UVOW_EINVAL;
  if (rc == 0)
    rc = begin(linked);
  if (rc == UVOW_ENOMEM) {
    uvow_peer_unref(peer);
    return NULL;
  }
  if (rc)
    uvow__peer_ended_because(peer, rc, fault);
  return peer;
}

uvow_peer_t *uvow_peer_connect(uvow_loop_t *loop, const char *url,
                               const uvow_peer_options_t *options) {
  return uvow__peer_connect(loop, url, options, &uvow__tcp_transport);
}

int uvow_peer_set_target(uvow_peer_t *peer, const char *url,
                         const uvow_header_t *headers, size_t header_count) {
  if (!peer || !peer->link)
    return UVOW_EINVAL;
  peer->link->refused = uvow__target_set(
      &peer->link->target, uvow__peer_mem(peer), url, headers, header_count);
  return peer->link->refused;
}
