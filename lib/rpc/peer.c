/*
 * Peers: the life of a session.
 *
 *   new -> CONNECTING -> opened -> OPEN --close--> CLOSING --idle--> channel's
 *              ^ |                  | |              |               close
 *              | +------failed------+ +---- end -----+-- on_end --> CLOSED
 *              +-- WAITING <--+ see link.c, of a peer that we connect to
 *
 * 1. The application is told from tasks, never from within what happens: see
 *    notices.c.
 * 2. A closing peer takes nothing new; calls and requests under way may end
 *    until close_timeout_ms is over; then the channel is closed.
 * 3. A server's peer has one reference of its own, until CLOSED was told.
 * 4. The last owner's release settles all that is pending. The loop may close
 *    first: then the peer is over, and still to be released.
 */
#include "peer.h"

#include "future/fail.h"
#include "future/tell.h"
#include "own_step.h"
#include "within.h"

const char uvow__trace_asked[] = "a trace hook";

void uvow__peer_enter(uvow_peer_t *peer, uvow_peer_state_t state,
                      const uvow_error_t *why) {
  const uvow_trace_t *trace = &peer->config->trace;
  if (peer->life.state == state)
    return;
  if (peer->link)
    peer->link->lost +=
        peer->life.state == UVOW_PEER_OPEN && !peer->life.closing;
  peer->life.state = state;
  if (trace->on_state) {
    const char *before = uvow__ask(&peer->loop->rt, uvow__trace_asked);
    trace->on_state(peer, state, trace->data);
    uvow__answered(&peer->loop->rt, before);
  }
  if (peer->link)
    uvow__notices_state(peer, state, peer->life.closing ? NULL : why);
  else if (state == UVOW_PEER_OPEN)
    uvow__notices_open(peer);
}

size_t uvow__peer_unsent(const uvow_peer_t *peer) {
  const uvow__channel_t *channel = peer->session.callee.channel;
  size_t unsent = peer->outbox ? uvow__buf_size(&peer->outbox->backlog.buf) : 0;
  if (channel)
    unsent += uvow__channel_unsent(channel);
  return unsent;
}

void uvow__peer_maybe_room(uvow_peer_t *peer) {
  if (peer->dispatcher.unsaid ||
      !uvow__list_empty(&peer->session.subscriptions.untold))
    uvow__peer_tell(peer);
  if (uvow__gate_awaited(&peer->life.room) &&
      uvow__peer_unsent(peer) <= peer->session.max_unsent / 2)
    uvow__gate_pass(&peer->life.room);
}

/* ---- the end ---- */

void uvow__peer_spec_of_end(const uvow_peer_t *peer, const uvow_error_t *error,
                            uvow__error_spec_t *ret) {
  memset(ret, 0, sizeof(*ret));
  ret->code = UVOW_ECLOSED;
  ret->detail = UVOW__SLICE("closed before the answer came");
  if (!error)
    return;
  const char *text = uvow_error_message(error);
  if (!peer->life.closing) {
    ret->code = uvow_error_code(error);
    if (peer->life.was_open &&
        (ret->code == UVOW_ECLOSED || peer->session.excess))
      ret->code = UVOW_ELOST; /* in order, or for the sake of another one */
  }
  ret->status = uvow_error_status(error);
  ret->before = peer->life.was_open ? UVOW__SLICE("the connection has ended: ")
                                    : UVOW__SLICE("there is no connection: ");
  ret->detail = (uvow__slice_t){text, strlen(text)};
  ret->cause = error;
}

const uvow_error_t *uvow__peer_why(const uvow_peer_t *peer) {
  const uvow_error_t *why = peer->life.closing ? NULL : peer->life.why;
  return uvow_error_code(why) == UVOW_ECLOSED ? NULL : why;
}

/* Its channel, open or not yet; or NULL. */
static uvow__channel_t *channel_of(const uvow_peer_t *peer) {
  uvow__channel_t *channel = peer->session.callee.channel;
  return channel || !uvow__peer_connection(peer)
             ? channel
             : uvow__websocket_channel(peer->kin.ws);
}

void uvow__peer_drop_channel(uvow_peer_t *peer) {
  uvow__channel_t *channel = channel_of(peer);
  uvow__task_cancel(&peer->life.fail);
  uvow__own_step_stop(peer);
  uvow__session_stop(&peer->session);
  if (channel)
    channel->ops->drop(channel);
  uvow__callee_drop_calls(&peer->session.callee, 0);
}

static void tell_end(uvow_peer_t *peer, const uvow_error_t *error) {
  uvow_error_t *why = uvow_error_ref(error);
  if (!why)
    why =
        uvow__error_code(uvow__peer_mem(peer), UVOW_ECLOSED, UVOW_OUTCOME_NONE);
  uvow__gate_fail(&peer->life.ready, why);
  uvow__gate_fail(&peer->life.room, why);
  uvow__gate_pass(&peer->life.closed);
  uvow_error_unref(why);
}

void uvow__peer_ended(uvow_peer_t *peer, uvow_error_t *error) {
  uvow__error_spec_t spec;
  if (uvow__peer_is_over(peer)) {
    uvow_error_unref(error);
    return;
  }
  peer->life.closing |= error == NULL;
  uvow__peer_spec_of_end(peer, error, &spec);
  peer->life.why = error;
  uvow__groups_leave(peer);
  uvow__peer_drop_channel(peer);
  uvow__wheel_disarm(&peer->life.drain);
  if (peer->link)
    uvow__link_stop_pause(peer);
  uvow__dispatcher_fail_all(&peer->dispatcher, &spec);
  uvow__within_end_all(peer, error);
  if (peer->outbox)
    uvow__outbox_clear(peer);
  uvow__peer_enter(peer, UVOW_PEER_CLOSED, error);
  uvow__events_end(&peer->session.listeners, uvow__peer_why(peer));
  uvow__subscriptions_end(peer);
  tell_end(peer, error);
  uvow__loop_depart(peer->loop, &peer->resident);
  if (!peer->link)
    uvow__notices_closed(peer);
  if (peer->kin.visit && peer->kin.visit->server)
    uvow__server_peer_gone(peer->kin.visit);
}

static void on_loop_close(uvow__resident_t *resident) {
  uvow__peer_ended(UVOW__CONTAINER(resident, uvow_peer_t, resident), NULL);
}

/* ---- closing ---- */

/* Nothing is under way: the close handshake, which has its time too. */
void uvow__peer_maybe_close(uvow_peer_t *peer) {
  uvow__channel_t *channel = channel_of(peer);
  if (peer->life.state != UVOW_PEER_CLOSING || peer->life.asked)
    return;
  if (peer->link && !uvow__peer_connection(peer)) { /* between two attempts */
    uvow__peer_ended(peer, NULL);
    return;
  }
  if (peer->session.callee.count || peer->dispatcher.live ||
      (peer->outbox && peer->outbox->notes))
    return;
  peer->life.asked = 1;
  uvow__wheel_disarm(&peer->life.drain);
  if (!peer->link)
    uvow__runtime_arm(&peer->loop->rt, &peer->life.drain,
                      peer->config->options.close_timeout_ms);
  channel->ops->close(channel, peer->life.close_code, "");
}

static void on_drain_deadline(uvow__deadline_t *deadline) {
  uvow_peer_t *peer = UVOW__CONTAINER(deadline, uvow_peer_t, life.drain);
  uvow__error_spec_t spec;
  if (peer->life.asked) {
    uvow__peer_ended(peer, NULL);
    return;
  }
  uvow__peer_spec_of_end(peer, NULL, &spec);
  spec.cause = peer->dispatcher.cause;
  uvow__dispatcher_fail_all(&peer->dispatcher, &spec);
  uvow__callee_drop_calls(&peer->session.callee, 0);
  if (peer->outbox)
    peer->outbox->notes = 0;
  uvow__peer_maybe_close(peer);
}

void uvow__peer_drain(uvow_peer_t *peer, int close_code) {
  if (peer->life.state == UVOW_PEER_CLOSING)
    return;
  peer->life.closing = 1;
  peer->life.close_code = close_code;
  peer->session.callee.closing = 1;
  uvow__peer_enter(peer, UVOW_PEER_CLOSING, NULL);
  uvow__subscriptions_close(peer);
  uvow__runtime_arm(&peer->loop->rt, &peer->life.drain,
                    peer->config->options.close_timeout_ms);
  uvow__peer_maybe_close(peer);
}

/* ---- the channel's ---- */

static void on_message(void *ctx, int opcode, const uint8_t *bytes, size_t len,
                       uvow__buf_t *whole) {
  uvow_peer_t *peer = (uvow_peer_t *)ctx;
  uvow__peer_message(peer, opcode, bytes, len, whole);
  if (peer->outbox)
    uvow__outbox_pump_late(peer);
  else if (peer->life.closing)
    uvow__peer_maybe_close(peer);
}

/* No answer follows, though the stream may take its time to end (R2). */
static void on_peer_close(void *ctx, const uvow_error_t *why) {
  uvow_peer_t *peer = (uvow_peer_t *)ctx;
  uvow__error_spec_t spec;
  uvow__peer_spec_of_end(peer, why, &spec);
  uvow__dispatcher_fail_all(&peer->dispatcher, &spec);
}

static void on_writable(void *ctx) {
  uvow_peer_t *peer = (uvow_peer_t *)ctx;
  if (peer->outbox && !peer->link)
    uvow__outbox_pump(peer);
  uvow__session_writable(&peer->session);
  uvow__peer_maybe_room(peer);
}

static int on_excess(void *ctx, uvow__slice_t beginning, const char *why) {
  return uvow__session_excess(&((uvow_peer_t *)ctx)->session, beginning, why);
}

static void on_end(void *ctx, uvow_error_t *error) {
  uvow_peer_t *peer = (uvow_peer_t *)ctx;
  peer->session.callee.channel = NULL;
  if (peer->life.state == UVOW_PEER_CLOSING) {
    uvow_error_unref(error);
    error = NULL; /* that was asked for */
  }
  uvow__peer_ended(peer, error);
}

const uvow__channel_callbacks_t uvow__peer_callbacks = {
    NULL, on_message, on_peer_close, on_writable, on_end, on_excess};

void uvow__peer_opened(uvow_peer_t *peer, uvow__channel_t *channel) {
  peer->session.callee.channel = channel;
  uvow__traced_begin(peer, channel);
  if (uvow__session_has_steps(&peer->session))
    uvow__peer_enter(peer, UVOW_PEER_OPENING, NULL);
  uvow__session_open(&peer->session);
}

void uvow__peer_open(uvow_peer_t *peer) {
  peer->life.was_open = 1;
  if (peer->life.state != UVOW_PEER_CLOSING) {
    uvow__peer_enter(peer, UVOW_PEER_OPEN, NULL);
    uvow__gate_pass(&peer->life.ready);
  }
  if (peer->outbox)
    uvow__outbox_pump(peer);
  uvow__peer_maybe_close(peer);
}

/* ---- made and freed ---- */

void uvow__peer_init(uvow_peer_t *peer, uvow_loop_t *loop,
                     uvow__peer_config_t *config) {
  const uvow__mem_t *mem = uvow__loop_mem(loop);
  peer->loop = loop;
  peer->refs = 1;
  peer->config = config;
  if (!peer->link) /* else that is told */
    peer->life.state = UVOW_PEER_CONNECTING;
  peer->resident.on_loop_close = on_loop_close;
  uvow__list_init(&peer->kin.groups);
  uvow__notices_init(peer);
  uvow__deadline_init(&peer->life.drain, on_drain_deadline);
  uvow__intern_init(&peer->names.methods, mem);
  uvow__forms_init(&peer->names.forms, mem);
  uvow__intern_init(&peer->names.sessions, mem);
  uvow__gate_init(&peer->life.ready, &loop->rt);
  uvow__gate_init(&peer->life.closed, &loop->rt);
  uvow__gate_init(&peer->life.room, &loop->rt);
  uvow__peer_session_init(peer);
  uvow__loop_enroll(loop, &peer->resident);
}

uvow_peer_t *uvow__peer_new(uvow_loop_t *loop, uvow__peer_config_t *config,
                            int is_server) {
  uvow_peer_t *peer = NULL;
  if (config)
    peer = (uvow_peer_t *)uvow__calloc(uvow__loop_mem(loop), sizeof(*peer));
  if (!peer) {
    uvow__peer_config_unref(config, loop);
    return NULL;
  }
  peer->life.is_server = is_server;
  uvow__peer_init(peer, loop, config);
  if (uvow__outbox_add(peer)) {
    uvow_peer_unref(peer);
    return NULL;
  }
  return peer;
}

static void free_peer(uvow_peer_t *peer) {
  uvow_loop_t *loop = peer->loop;
  if (peer->kin.within) {
    uvow__within_free(peer->kin.within);
    return;
  }
  if (peer->link)
    uvow__link_done(peer);
  if (peer->outbox)
    uvow__outbox_clear(peer);
  uvow__outbox_remove(peer);
  uvow__session_done(&peer->session);
  uvow__callee_done(&peer->session.callee);
  uvow__dispatcher_done(&peer->dispatcher);
  uvow__intern_done(&peer->names.methods);
  uvow__forms_done(&peer->names.forms);
  uvow__intern_done(&peer->names.sessions);
  uvow_error_unref(peer->life.why);
  uvow__free(uvow__loop_mem(loop), peer->notices.traced);
  uvow__peer_config_unref(peer->config, loop);
  uvow_websocket_unref(peer->kin.ws); /* the quota, too, is its config's */
  uvow__free(uvow__loop_mem(loop), peer);
  uvow__loop_unpin(loop);
}

/* The entry gives back all that it holds before it calls. */
static void run_release(uvow__task_t *task) {
  uvow_peer_t *peer = UVOW__CONTAINER(task, uvow_peer_t, notices.closed);
  uvow_destroy_cb destroy = peer->notices.destroy;
  void *data = peer->notices.data;
  free_peer(peer);
  destroy(data);
}

uvow_peer_t *uvow_peer_ref(uvow_peer_t *peer) {
  if (peer)
    peer->refs++;
  return peer;
}

static void end_unowned(uvow_peer_t *peer) {
  uvow__notices_mute(peer);
  peer->refs++;
  uvow__peer_ended(peer, NULL);
  peer->refs--;
  uvow__callee_drop_calls(&peer->session.callee, 1);
  uvow__task_cancel(&peer->notices.open);
}

void uvow_peer_unref(uvow_peer_t *peer) {
  if (!peer || --peer->refs)
    return;
  if (peer->kin.within)
    uvow__within_end(peer->kin.within, NULL);
  else
    end_unowned(peer);
  uvow__task_cancel(&peer->notices.closed);
  if (!peer->notices.destroy) {
    free_peer(peer);
    return;
  }
  peer->notices.closed.run = run_release;
  uvow__tell(&peer->loop->rt, &peer->notices.closed);
}

/* ---- a pair ---- */

int uvow_peer_pair(uvow_loop_t *loop, const uvow_peer_options_t *a,
                   const uvow_peer_options_t *b, uvow_peer_t **ret_a,
                   uvow_peer_t **ret_b) {
  uvow__channel_t *channels[2];
  uvow_peer_options_t own_a;
  uvow_peer_options_t own_b;
  uvow__peer_fault_t of_a;
  const char *fault = uvow__peer_options_fault(&a, &own_a, 0, &of_a);
  if (!fault)
    fault = uvow__peer_options_fault(&b, &own_b, 1, &of_a);
  if (!loop || fault || !ret_a || !ret_b)
    return uvow__peer_options_fail(loop, &of_a);
  if (loop->rt.closed)
    return UVOW_ECLOSED;
  uvow_peer_t *one = uvow__peer_new(loop, uvow__peer_config_new(loop, a), 0);
  uvow_peer_t *two = uvow__peer_new(loop, uvow__peer_config_new(loop, b), 1);
  if (!one || !two ||
      uvow__channel_pair(loop, one->session.max_unsent, two->session.max_unsent,
                         &channels[0], &channels[1])) {
    uvow_peer_unref(one);
    uvow_peer_unref(two);
    return UVOW_ENOMEM;
  }
  uvow__channel_tell(channels[0], &uvow__peer_callbacks, one);
  uvow__channel_tell(channels[1], &uvow__peer_callbacks, two);
  uvow__peer_opened(one, channels[0]);
  uvow__peer_opened(two, channels[1]);
  *ret_a = one;
  *ret_b = two;
  return 0;
}

/* ---- asked by the application ---- */

/* Whose connection it is; itself, if that is over. */
static uvow_peer_t *whole_of(uvow_peer_t *peer) {
  return peer->kin.within && peer->kin.within->whole ? peer->kin.within->whole
                                                     : peer;
}

static uvow_future_t *wait_for(uvow_peer_t *peer, uvow__gate_t *gate) {
  if (!uvow__peer_is_over(peer))
    return uvow__gate_wait(gate);
  uvow_error_t *why = uvow_error_ref(peer->life.why);
  if (!why)
    why =
        uvow__error_code(uvow__peer_mem(peer), UVOW_ECLOSED, UVOW_OUTCOME_NONE);
  return uvow_future_rejected(peer->loop, why);
}

uvow_future_t *uvow_peer_ready(uvow_peer_t *peer) {
  if (!peer)
    return NULL;
  peer = whole_of(peer);
  if (peer->life.state == UVOW_PEER_OPEN)
    return uvow_future_fulfilled(peer->loop, uvow_value_none());
  return wait_for(peer, &peer->life.ready);
}

uvow_future_t *uvow_peer_room(uvow_peer_t *peer) {
  if (!peer)
    return NULL;
  peer = whole_of(peer);
  uvow_future_t *f = wait_for(peer, &peer->life.room);
  if (!uvow__peer_is_over(peer))
    uvow__peer_maybe_room(peer);
  return f;
}

uvow_future_t *uvow_peer_close(uvow_peer_t *peer) {
  if (!peer)
    return NULL;
  if (peer->kin.within)
    uvow__within_end(peer->kin.within, NULL);
  if (uvow__peer_is_over(peer))
    return uvow_future_fulfilled(peer->loop, uvow_value_none());
  uvow_future_t *f = uvow__gate_wait(&peer->life.closed);
  uvow__peer_drain(peer, 1000);
  return f;
}

void uvow_peer_end(uvow_peer_t *peer) {
  if (peer && peer->kin.within)
    uvow__within_end(peer->kin.within, NULL);
  else if (peer)
    uvow__peer_ended(peer, NULL);
}

uvow_peer_state_t uvow_peer_state(const uvow_peer_t *peer) {
  const uvow__within_t *within = peer ? peer->kin.within : NULL;
  if (within && within->whole)
    return within->whole->life.state;
  return peer ? peer->life.state : UVOW_PEER_CLOSED;
}

void uvow_peer_hold_loop(uvow_peer_t *peer, int hold) {
  if (!peer)
    return;
  uvow__channel_t *channel = peer->session.callee.channel;
  if (peer->link)
    uvow__link_hold(peer, hold != 0);
  else if (channel)
    channel->ops->hold(channel, hold != 0);
}
