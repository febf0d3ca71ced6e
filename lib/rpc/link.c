/*
 * A peer's connection: made, lost, made again, closed.
 *
 *   CONNECTING --open--> OPEN --lost--> WAITING --pause over--> CONNECTING
 *       |                  |              ^ |
 *       +------failed------+--------------+ | no attempt left, or none wanted
 *                                           v
 *   any --uvow_peer_close--> CLOSING --> CLOSED
 *
 * 1. When a connection is lost, what it carried settles at once, unless it was
 *    marked idempotent: that goes to the front of the backlog, max_resends
 *    times at most, and never if a message of ours may be why. What was never sent
 *    stays there. Nothing else is ever sent again (R2).
 * 2. Pauses grow exponentially with full jitter; attempts, pauses and time are
 *    counted from when the last proven connection was lost (R7).
 * 3. Each end is judged once: when the peer's close frame comes, or, where none
 *    does, when the connection has gone. What was found is told with the state.
 * 4. A connection that has ended calls back no more: nothing of it can reach
 *    what the next one does.
 */
#include "peer.h"

#include <string.h>

#include "accepted.h"
#include "base/options.h"
#include "failure.h"

#define PROOF_MS 5000 /* a connection that lives longer is a good one */

/* How requests are sent again, those that may be. */
typedef struct again {
  uvow__backlog_t backlog;
  uint32_t most; /* times */
} again_t;

/* An idempotent request whose connection was lost: it will be sent again. */
static int send_again(uvow__request_t *request, void *data) {
  again_t *again = (again_t *)data;
  uvow__slice_t text = {request->text->bytes, request->text->len};
  if (request->resent >= again->most)
    return UVOW_ELOST;
  return uvow__backlog_push(&again->backlog, request->id, text);
}

/* What was sent on the connection settles, or waits for the next one. */
static void requests_lost(uvow_peer_t *peer, const uvow_error_t *error) {
  uvow__error_spec_t spec;
  again_t again;
  uvow__peer_spec_of_end(peer, error, &spec);
  again.most = uvow__failure_may_be_ours(error) && !peer->session.excess
                   ? 0
                   : peer->link->reconnect.max_resends;
  uvow__backlog_init(&again.backlog, uvow__peer_mem(peer), SIZE_MAX);
  uvow__dispatcher_forgive(&peer->dispatcher);
  uvow__dispatcher_lost(&peer->dispatcher, &spec, send_again, &again);
  if (uvow__backlog_prepend(&peer->outbox->backlog, &again.backlog)) {
    /* No memory: what waits there can't be sent, and must not hang. */
    spec.code = UVOW_ENOMEM;
    uvow__dispatcher_fail_all(&peer->dispatcher, &spec);
  }
  uvow__backlog_done(&again.backlog);
  uvow__subscriptions_lost(peer, error);
  uvow__peer_maybe_room(peer);
}

/* From now on this is why there is no connection; NULL: there is one. */
static void set_last(uvow_peer_t *peer, const uvow_error_t *error) {
  uvow_error_t *before = peer->link->last;
  peer->link->last = uvow_error_ref(error);
  peer->dispatcher.cause = peer->link->last;
  uvow_error_unref(before);
}

void uvow__link_stop_pause(uvow_peer_t *peer) {
  uvow__link_t *link = peer->link;
  uvow_future_t *renewal = link->renewal;
  uvow__task_cancel(&link->attempt);
  uvow__task_cancel(&link->renewed);
  link->renewal = NULL;
  if (link->pausing)
    uvow__runtime_unhold(&peer->loop->rt, &link->pause);
  link->pausing = 0;
  uvow__wheel_disarm(&link->pause);
  uvow__future_drop(renewal);
}

/* For how long attempts may still begin, ms. */
static uint64_t time_left(const uvow_peer_t *peer) {
  uint64_t total = peer->link->reconnect.total_ms;
  uint64_t down =
      (uvow__runtime_now(&peer->loop->rt) - peer->link->down_since) /
      UVOW__NS_PER_MS;
  if (total == 0)
    return UVOW__MS_MAX;
  return down < total ? total - down : 0;
}

static void start_pause(uvow_peer_t *peer) {
  uvow__runtime_t *rt = &peer->loop->rt;
  uvow__link_t *link = peer->link;
  if (peer->link->unheld) {
    uvow__runtime_arm(rt, &link->pause, link->pause_ms);
    return;
  }
  link->pausing = 1;
  uvow__runtime_hold(rt, &link->pause, link->pause_ms);
}

/* Whether the connection that ends has proven itself: by an answer, or by a
 * life that was longer than the pause before it can have been, and than 5 s. */
static int has_proven(const uvow_peer_t *peer) {
  const uvow__link_t *link = peer->link;
  uint64_t least = link->bound_ms > PROOF_MS ? link->bound_ms : PROOF_MS;
  if (!link->open_since)
    return 0;
  if (peer->dispatcher.count.answered > link->answered)
    return 1;
  return uvow__runtime_now(&peer->loop->rt) - link->open_since >
         least * UVOW__NS_PER_MS;
}

/* Whether the failure ends the peer: it can't get better. */
static int is_fatal(uvow_peer_t *peer, const uvow_error_t *error) {
  const uvow_reconnect_options_t *options = &peer->link->reconnect;
  const uvow__closes_t *closes = &peer->session.callee.protocol->closes;
  uvow__link_t *link = peer->link;
  if (!uvow__failure_is_fatal(error, options->fatal_4xxx) &&
      !uvow__failure_is_final(error, closes))
    return 0;
  if (peer->config->options.renew && !link->denied &&
      uvow__failure_is_denial(error)) {
    link->denied = 1;
    return 0;
  }
  link->backoff.bound_ms = link->backoff.max_ms;
  link->bound_ms = link->pause_ms = link->backoff.max_ms;
  return options->after_fatal == UVOW_AFTER_FATAL_END ||
         (options->after_fatal == UVOW_AFTER_FATAL_DEFAULT && !link->proven);
}

/* Draws the pause before the next attempt. */
static void draw_pause(uvow_peer_t *peer, const uvow_error_t *error) {
  const uvow_reconnect_options_t *options = &peer->link->reconnect;
  uvow__link_t *link = peer->link;
  uint64_t asked = uvow__failure_retry_after_ms(error);
  uint64_t left = time_left(peer);
  uint64_t bound = link->backoff.bound_ms;
  if (link->pause_ms == 0) { /* it isn't the longest */
    link->bound_ms = bound;
    link->pause_ms = uvow__backoff_next(&link->backoff,
                                        uvow__runtime_random(&peer->loop->rt));
  }
  /* And the jitter, or all who were told so would come at once. */
  link->pause_ms +=
      asked < options->max_retry_after_ms ? asked : options->max_retry_after_ms;
  if (link->pause_ms > left)
    link->pause_ms = left; /* the last attempt begins when the time is over */
}

/* What comes after this end, once for each. */
static void judge(uvow_peer_t *peer, const uvow_error_t *error) {
  const uvow_reconnect_options_t *options = &peer->link->reconnect;
  uvow__link_t *link = peer->link;
  if (link->judged)
    return;
  link->judged = 1;
  if (has_proven(peer)) {
    link->proven = 1;
    link->denied = 0;
    link->attempts = 0;
    link->down_since = uvow__runtime_now(&peer->loop->rt);
    uvow__backoff_reset(&link->backoff);
  }
  set_last(peer, error);
  link->pause_ms = 0;
  link->over =
      options->size == 0 || is_fatal(peer, error) ||
      (options->max_attempts && link->attempts >= options->max_attempts) ||
      time_left(peer) == 0;
  if (!link->over)
    draw_pause(peer, error);
}

/* Whether another attempt follows. */
static int goes_on(const uvow_peer_t *peer) {
  return !peer->link->over && !peer->life.closing && !peer->loop->rt.closed;
}

void uvow__link_lost(uvow_peer_t *peer, uvow_error_t *error) {
  uvow__peer_drop_channel(peer);
  judge(peer, error);
  if (!goes_on(peer)) {
    uvow__peer_ended(peer, error);
    return;
  }
  requests_lost(peer, error);
  uvow__peer_enter(peer, UVOW_PEER_WAITING, error);
  start_pause(peer);
  uvow_error_unref(error);
}

/* ---- the channel's callbacks ---- */

void uvow__link_opened(uvow_peer_t *peer) {
  uvow__link_t *link = peer->link;
  peer->life.was_open = 1;
  link->open_since = uvow__runtime_now(&peer->loop->rt);
  link->answered = peer->dispatcher.count.answered;
  link->connected++;
  set_last(peer, NULL);
  if (!peer->life.closing)
    uvow__peer_enter(peer, UVOW_PEER_OPEN, NULL);
  uvow__subscriptions_renew(peer);
  uvow__outbox_pump(peer);
  if (uvow__backlog_empty(&peer->outbox->backlog)) /* its memory isn't kept */
    uvow__backlog_clear(&peer->outbox->backlog);
  uvow__gate_pass(&peer->life.ready);
  uvow__peer_maybe_close(peer);
}

/* Connected: opening steps come before anything else. */
static void on_open(void *ctx) {
  uvow_peer_t *peer = (uvow_peer_t *)ctx;
  uvow__channel_t *channel = uvow__websocket_channel(peer->kin.ws);
  uvow__accepted_tell(peer);
  peer->session.callee.channel = channel;
  uvow__traced_begin(peer, channel);
  if (peer->link->unheld)
    channel->ops->hold(channel, 0);
  if (uvow__session_has_steps(&peer->session) && !peer->life.closing)
    uvow__peer_enter(peer, UVOW_PEER_OPENING, NULL);
  uvow__session_open(&peer->session);
}

static void on_message(void *ctx, int opcode, const uint8_t *bytes, size_t len,
                       uvow__buf_t *whole) {
  uvow_peer_t *peer = (uvow_peer_t *)ctx;
  uvow__peer_message(peer, opcode, bytes, len, whole);
  if (peer->life.closing || !uvow__backlog_empty(&peer->outbox->backlog))
    uvow__outbox_pump_late(peer);
}

/* No answer follows, though the stream may take its time to end (R2). */
static void on_peer_close(void *ctx, const uvow_error_t *why) {
  uvow_peer_t *peer = (uvow_peer_t *)ctx;
  judge(peer, why);
  if (!goes_on(peer)) {
    uvow__peer_callbacks.on_peer_close(peer, why);
    return;
  }
  requests_lost(peer, why); /* told before the state, as always */
  uvow__peer_enter(peer, UVOW_PEER_WAITING, why);
}

static void on_writable(void *ctx) {
  uvow_peer_t *peer = (uvow_peer_t *)ctx;
  uvow__outbox_pump(peer);
  uvow__peer_callbacks.on_writable(peer);
}

static int on_excess(void *ctx, uvow__slice_t beginning, const char *why) {
  return uvow__peer_callbacks.on_excess(ctx, beginning, why);
}

static void on_end(void *ctx, uvow_error_t *error) {
  uvow__link_lost((uvow_peer_t *)ctx, error);
}

const uvow__channel_callbacks_t uvow__link_callbacks = {
    on_open, on_message, on_peer_close, on_writable, on_end, on_excess};

/* ---- made and freed ---- */

static void on_pause_over(uvow__deadline_t *deadline) {
  uvow__link_t *link = UVOW__CONTAINER(deadline, uvow__link_t, pause);
  uvow_peer_t *peer = &UVOW__CONTAINER(link, uvow__linked_t, link)->peer;
  uvow__link_stop_pause(peer);
  uvow__runtime_push(&peer->loop->rt, &link->attempt);
}

/* They were looked at before. */
static void set_reconnect(uvow_reconnect_options_t *own,
                          const uvow_reconnect_options_t *given) {
  if (!given)
    return;
  given =
      (const uvow_reconnect_options_t *)uvow__options(given, own, sizeof(*own));
  memmove(own, given, sizeof(*own));
  if (own->base_ms == 0)
    own->base_ms = 500;
  if (own->max_ms == 0)
    own->max_ms = 30000;
  if (own->max_retry_after_ms == 0)
    own->max_retry_after_ms = 300000;
  if (own->max_resends == 0)
    own->max_resends = 1;
}

/* The protocol's own subprotocol. */
static int offer(uvow_peer_t *peer) {
  const char *own = peer->session.callee.protocol->subprotocol;
  uvow__ws_config_t *config = peer->link->config;
  if (!own)
    return 0;
  config->must_agree = 1;
  return uvow__texts_add(&config->subprotocols, uvow__peer_mem(peer), own);
}

static int set_target(uvow_peer_t *peer, const char *url,
                      const uvow_websocket_options_t *options) {
  uvow_websocket_options_t own;
  uvow__link_t *link = peer->link;
  int rc = uvow__ws_config_connect(peer->loop, options, &link->config);
  options = (const uvow_websocket_options_t *)uvow__options(options, &own,
                                                            sizeof(own));
  if (rc == 0 && !options->subprotocols)
    rc = offer(peer);
  return rc ? rc
            : uvow__target_init(&link->target, uvow__peer_mem(peer), url,
                                options->headers, options->header_count);
}

int uvow__link_init(uvow_peer_t *peer, const char *url,
                    const uvow_peer_options_t *options,
                    const uvow__transport_t *transport) {
  uvow__link_t *link = peer->link;
  link->transport = transport;
  set_reconnect(&link->reconnect, options->reconnect);
  link->down_since = uvow__runtime_now(&peer->loop->rt);
  uvow__deadline_init(&link->pause, on_pause_over);
  uvow__link_attempt_init(link);
  uvow__backoff_init(&link->backoff, link->reconnect.base_ms,
                     link->reconnect.max_ms);
  return url ? set_target(peer, url, options->websocket) : UVOW_EINVAL;
}

void uvow__link_done(uvow_peer_t *peer) {
  uvow__link_stop_pause(peer);
  uvow_error_unref(peer->link->last);
  uvow__target_done(&peer->link->target, uvow__peer_mem(peer));
  uvow__ws_config_unref(peer->link->config);
}

void uvow__link_hold(uvow_peer_t *peer, int on) {
  uvow__link_t *link = peer->link;
  uvow__connection_t *connection = uvow__peer_connection(peer);
  link->unheld = !on;
  if (connection && peer->life.state != UVOW_PEER_CONNECTING)
    uvow__connection_hold(connection, on);
  if (link->pausing == on || !uvow__deadline_armed(&link->pause))
    return;
  peer->loop->rt.holds += on ? 1 : (size_t)-1;
  link->pausing = on != 0;
  uvow__runtime_poke(&peer->loop->rt);
}
