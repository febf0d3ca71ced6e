/*
 * Peers: the life of a session.
 *
 *   new -> CONNECTING -> opened -> OPEN --close--> CLOSING --idle--> channel's
 *                                   |                |               close
 *                                   +---- finish ----+-- on_end --> CLOSED
 *   CLOSED -> run_gone: on_state is told -> the server's reference goes
 *
 * 1. The application is told from tasks that lie in the peer, never from
 *    within what happens.
 * 2. A closing peer takes nothing new; calls and requests under way may end
 *    until close_timeout_ms is over; then the channel is closed.
 * 3. A server's peer has one reference of its own, until CLOSED was told.
 * 4. Its requests are in peer_request.c.
 */
#include "peer.h"

#define MIB ((size_t)1024 * 1024)

static uvow_peer_t *peer_of(uvow__callee_t *callee) {
  return UVOW__CONTAINER(callee, uvow_peer_t, session.callee);
}

static int is_over(const uvow_peer_t *peer) {
  return peer->state == UVOW_PEER_CLOSED;
}

/* ---- told to the application ---- */

static void tell(uvow_peer_t *peer, uvow_peer_state_t state,
                 const uvow_error_t *why) {
  uvow_peer_change_t change = {0};
  change.size = sizeof(change);
  change.state = state;
  change.why = why;
  if (peer->on_state)
    peer->on_state(peer, &change, peer->state_data);
}

void uvow__peer_tell_open(uvow__task_t *task) {
  uvow_peer_t *peer = UVOW__CONTAINER(task, uvow_peer_t, tell_open);
  uvow_peer_ref(peer);
  tell(peer, UVOW_PEER_OPEN, NULL);
  uvow_peer_unref(peer);
}

static void run_gone(uvow__task_t *task) {
  uvow_peer_t *peer = UVOW__CONTAINER(task, uvow_peer_t, tell_closed);
  int held = peer->held;
  peer->held = 0;
  uvow__list_remove(&peer->link);
  uvow_peer_ref(peer);
  if (peer->was_open)
    tell(peer, UVOW_PEER_CLOSED, peer->why);
  if (held)
    uvow_peer_unref(peer);
  uvow_peer_unref(peer);
}

/* ---- the end ---- */

/* What requests reject with. */
static void spec_of_end(const uvow_peer_t *peer, const uvow_error_t *error,
                        uvow__error_spec_t *ret) {
  memset(ret, 0, sizeof(*ret));
  ret->code = UVOW_ECLOSED;
  ret->detail = UVOW__SLICE("closed before the answer came");
  if (!error)
    return;
  const char *text = uvow_error_message(error);
  ret->code = uvow_error_code(error);
  if (ret->code == UVOW_ECLOSED && peer->state != UVOW_PEER_CLOSING)
    ret->code = UVOW_ELOST; /* closed in order, but under our requests */
  ret->status = uvow_error_status(error);
  ret->detail = (uvow__slice_t){text, strlen(text)};
  ret->cause = error;
}

void uvow__peer_finish(uvow_peer_t *peer, uvow_error_t *error) {
  uvow__channel_t *channel = peer->session.callee.channel;
  uvow__error_spec_t spec;
  if (is_over(peer)) {
    uvow_error_unref(error);
    return;
  }
  spec_of_end(peer, error, &spec);
  peer->state = UVOW_PEER_CLOSED;
  peer->why = error;
  uvow__groups_leave(peer);
  uvow__session_stop(&peer->session);
  if (channel)
    channel->ops->drop(channel);
  uvow__wheel_disarm(&peer->drain);
  uvow__task_cancel(&peer->fail);
  if (!peer->was_open)
    uvow__task_cancel(&peer->tell_open);
  uvow__dispatcher_fail_all(&peer->dispatcher, &spec);
  uvow__callee_drop_calls(&peer->session.callee);
  uvow__gate_pass(&peer->closed);
  uvow__loop_depart(peer->loop, &peer->resident);
  struct uvow_server *server = peer->server;
  peer->server = NULL;
  uvow__later(peer->loop, &peer->tell_closed);
  if (server)
    uvow__server_peer_gone(server, peer);
}

static void evict(uvow__resident_t *resident) {
  uvow__peer_finish(UVOW__CONTAINER(resident, uvow_peer_t, resident), NULL);
}

/* It can't be served any more: it is told so if that's possible. */
static void run_fail(uvow__task_t *task) {
  uvow_peer_t *peer = UVOW__CONTAINER(task, uvow_peer_t, fail);
  uvow__channel_t *channel = peer->session.callee.channel;
  if (channel)
    channel->ops->close(channel, 1013, "");
  uvow__error_spec_t spec = {0};
  spec.code = UVOW_EOVERLOAD;
  spec.status = 1013;
  spec.detail = UVOW__SLICE("the peer does not read its answers");
  uvow__peer_finish(peer, uvow__error_make(uvow__loop_mem(peer->loop), &spec));
}

/* ---- closing ---- */

/* Nothing is under way: the close handshake, which has its time too. */
static void maybe_close(uvow_peer_t *peer) {
  uvow__channel_t *channel = peer->session.callee.channel;
  if (peer->state != UVOW_PEER_CLOSING || peer->asked || !channel ||
      peer->session.callee.count || peer->dispatcher.live)
    return;
  peer->asked = 1;
  uvow__wheel_disarm(&peer->drain);
  uvow__runtime_arm(&peer->loop->rt, &peer->drain, peer->close_ms);
  channel->ops->close(channel, peer->close_code, "");
}

static void on_drain_deadline(uvow__deadline_t *deadline) {
  uvow_peer_t *peer = UVOW__CONTAINER(deadline, uvow_peer_t, drain);
  uvow__error_spec_t spec;
  if (peer->asked) {
    uvow__peer_finish(peer, NULL);
    return;
  }
  spec_of_end(peer, NULL, &spec);
  uvow__dispatcher_fail_all(&peer->dispatcher, &spec);
  uvow__callee_drop_calls(&peer->session.callee);
  maybe_close(peer);
}

void uvow__peer_drain(uvow_peer_t *peer, int close_code) {
  if (is_over(peer) || peer->state == UVOW_PEER_CLOSING)
    return;
  int open = peer->state == UVOW_PEER_OPEN;
  peer->state = UVOW_PEER_CLOSING;
  peer->close_code = close_code;
  peer->session.callee.closing = 1;
  if (open)
    uvow__runtime_arm(&peer->loop->rt, &peer->drain, peer->close_ms);
  maybe_close(peer);
}

/* ---- the channel's and the callee's ---- */

static void on_open(void *ctx) {
  uvow_peer_t *peer = (uvow_peer_t *)ctx;
  uvow__peer_opened(peer, &peer->ws.channel);
}

static void on_message(void *ctx, int opcode, const uint8_t *bytes, size_t len,
                       uvow__buf_t *whole) {
  uvow_peer_t *peer = (uvow_peer_t *)ctx;
  uvow__session_message(&peer->session, opcode, bytes, len, whole);
  maybe_close(peer);
}

/* No answer follows, though the stream may take its time to end (R2). */
static void on_peer_close(void *ctx, const uvow_error_t *why) {
  uvow_peer_t *peer = (uvow_peer_t *)ctx;
  uvow__error_spec_t spec;
  spec_of_end(peer, why, &spec);
  uvow__dispatcher_fail_all(&peer->dispatcher, &spec);
}

static void on_writable(void *ctx) {
  uvow__session_writable(&((uvow_peer_t *)ctx)->session);
}

static void on_end(void *ctx, uvow_error_t *error) {
  uvow_peer_t *peer = (uvow_peer_t *)ctx;
  peer->session.callee.channel = NULL;
  if (peer->state == UVOW_PEER_CLOSING) {
    uvow_error_unref(error);
    error = NULL; /* that was asked for */
  }
  uvow__peer_finish(peer, error);
}

const uvow__channel_callbacks_t uvow__peer_callbacks = {
    on_open, on_message, on_peer_close, on_writable, on_end};

static void on_idle(uvow__callee_t *callee) {
  maybe_close(peer_of(callee));
}

static void on_sent(uvow__callee_t *callee) {
  uvow__session_pace(&peer_of(callee)->session);
}

static void on_failed(uvow__callee_t *callee, int code) {
  uvow_peer_t *peer = peer_of(callee);
  (void)code;
  if (!is_over(peer) && !uvow__task_queued(&peer->fail))
    uvow__runtime_push(&peer->loop->rt, &peer->fail);
}

static const uvow__callee_hooks_t callee_hooks = {on_idle, on_sent, on_failed,
                                                  peer_of};
static const uvow__session_hooks_t session_hooks = {NULL, NULL, NULL, NULL};

static void on_given_up(uvow__dispatcher_t *dispatcher,
                        const uvow__request_t *request) {
  uvow_peer_t *peer = (uvow_peer_t *)dispatcher->data;
  uvow__op_t op = {0};
  op.kind = UVOW__OP_CANCEL;
  op.id = request->id;
  if (request->sent && !peer->no_cancel &&
      uvow__protocol_can(peer->session.callee.protocol, op.kind))
    (void)uvow__callee_send(&peer->session.callee, &op);
  uvow__session_pace(&peer->session);
  maybe_close(peer);
}

/* ---- made and freed ---- */

static uint32_t or_ms(uint32_t value, uint32_t otherwise) {
  return value ? value : otherwise;
}

static size_t or_size(size_t value, size_t otherwise) {
  return value ? value : otherwise;
}

static void init(uvow_peer_t *peer, uvow_loop_t *loop,
                 const uvow_peer_options_t *options) {
  uvow__callee_t *callee = &peer->session.callee;
  peer->loop = loop;
  peer->refs = 1;
  peer->state = UVOW_PEER_CONNECTING;
  peer->resident.evict = evict;
  uvow__list_init(&peer->link);
  uvow__list_init(&peer->groups);
  uvow__list_init(&peer->resident.link);
  uvow__deadline_init(&peer->drain, on_drain_deadline);
  uvow__task_init(&peer->tell_open, uvow__peer_tell_open);
  uvow__task_init(&peer->tell_closed, run_gone);
  uvow__task_init(&peer->fail, run_fail);
  uvow__intern_init(&peer->methods, uvow__loop_mem(loop));
  uvow__gate_init(&peer->closed, &loop->rt);
  uvow__callee_init(callee, loop, options->protocol, options->methods,
                    &callee_hooks);
  uvow__dispatcher_init(&peer->dispatcher, &loop->rt,
                        or_size(options->max_pending, 4194304));
  peer->dispatcher.data = peer;
  peer->dispatcher.on_given_up = on_given_up;
  uvow__session_init(&peer->session, &peer->dispatcher, &session_hooks);
}

static void set_options(uvow_peer_t *peer, const uvow_peer_options_t *options) {
  uvow__session_t *session = &peer->session;
  session->answers_faults = 1;
  session->callee.max_calls = or_size(options->max_calls, 65536);
  session->callee.max_bytes = or_size(options->max_call_bytes, 32 * MIB);
  session->max_unsent = or_size(options->max_unsent_bytes, 64 * MIB);
  session->stall_ms = or_ms(options->stall_ms, 30000);
  peer->timeout_ms = or_ms(options->timeout_ms, 30000);
  peer->close_ms = or_ms(options->close_timeout_ms, 5000);
  peer->no_cancel = options->no_cancel;
  peer->on_state = options->on_state;
  peer->state_data = options->data;
}

uvow_peer_t *uvow__peer_new(uvow_loop_t *loop,
                            const uvow_peer_options_t *options) {
  uvow_peer_t *peer =
      (uvow_peer_t *)uvow__calloc(uvow__loop_mem(loop), sizeof(*peer));
  if (!peer)
    return NULL;
  init(peer, loop, options);
  set_options(peer, options);
  uvow__loop_enroll(loop, &peer->resident);
  return peer;
}

void uvow__peer_opened(uvow_peer_t *peer, uvow__channel_t *channel) {
  peer->session.callee.channel = channel;
  peer->was_open = 1;
  if (peer->state == UVOW_PEER_CLOSING) {
    maybe_close(peer);
    return;
  }
  peer->state = UVOW_PEER_OPEN;
  if (peer->on_state)
    uvow__runtime_push(&peer->loop->rt, &peer->tell_open);
}

static void free_peer(uvow_peer_t *peer) {
  uvow_loop_t *loop = peer->loop;
  uvow__callee_done(&peer->session.callee);
  uvow__dispatcher_done(&peer->dispatcher);
  uvow__intern_done(&peer->methods);
  uvow_error_unref(peer->why);
  uvow__free(uvow__loop_mem(loop), peer->handshake);
  uvow__free(uvow__loop_mem(loop), peer);
  uvow__loop_unpin(loop);
}

static void run_release(uvow__task_t *task) {
  uvow_peer_t *peer = UVOW__CONTAINER(task, uvow_peer_t, tell_closed);
  uvow_destroy_cb destroy = peer->destroy;
  void *data = peer->data;
  free_peer(peer);
  destroy(data);
}

uvow_peer_t *uvow_peer_ref(uvow_peer_t *peer) {
  if (peer)
    peer->refs++;
  return peer;
}

void uvow_peer_unref(uvow_peer_t *peer) {
  if (!peer || --peer->refs)
    return;
  peer->on_state = NULL; /* nobody is left to be told */
  peer->refs++;
  uvow__peer_finish(peer, NULL);
  peer->refs--;
  uvow__task_cancel(&peer->tell_open);
  uvow__task_cancel(&peer->tell_closed);
  if (!peer->destroy) {
    free_peer(peer);
    return;
  }
  peer->tell_closed.run = run_release;
  uvow__later(peer->loop, &peer->tell_closed);
}

/* ---- a client's face ---- */

static void evict_face(uvow__resident_t *resident) {
  (void)resident; /* its client is evicted itself */
}

uvow_peer_t *uvow__peer_of_client(uvow_client_t *client, uvow_loop_t *loop,
                                  const uvow_protocol_t *protocol) {
  uvow_peer_options_t options = {0};
  options.protocol = protocol;
  uvow_peer_t *peer = uvow__peer_new(loop, &options);
  if (!peer)
    return NULL;
  peer->resident.evict = evict_face;
  peer->client = client;
  return peer;
}

void uvow__peer_client_gone(uvow_peer_t *peer) {
  if (!peer)
    return;
  peer->client = NULL;
  uvow__peer_finish(peer, NULL);
  uvow_peer_unref(peer);
}

/* ---- a pair ---- */

static int is_valid(const uvow_peer_options_t *options) {
  return options && options->size == sizeof(*options) && options->protocol;
}

int uvow_peer_pair(uvow_loop_t *loop, const uvow_peer_options_t *a,
                   const uvow_peer_options_t *b, uvow_peer_t **ret_a,
                   uvow_peer_t **ret_b) {
  uvow__channel_t *channels[2];
  if (!loop || !is_valid(a) || !is_valid(b) || !ret_a || !ret_b)
    return UVOW_EINVAL;
  if (loop->rt.closed)
    return UVOW_ECLOSED;
  uvow_peer_t *one = uvow__peer_new(loop, a);
  uvow_peer_t *two = uvow__peer_new(loop, b);
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
