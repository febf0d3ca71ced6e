/*
 * What a peer's session tells it.
 *
 * 1. Nothing here calls the application: what it is to learn is told later.
 * 2. Calls are answered on the connection that they came on; when that is lost
 *    they are given up.
 */
#include "own_step.h"
#include "base/text.h"
#include "future/fail.h"
#include "peer.h"
#include "within.h"

#include "wire/message.h"

static uvow_peer_t *peer_of(uvow__callee_t *callee) {
  return UVOW__CONTAINER(callee, uvow_peer_t, session.callee);
}

/* ---- the session's ---- */

static void on_stray(uvow__session_t *session, uvow_stray_t stray,
                     uvow__slice_t bytes, const uvow_error_t *error) {
  uvow__notices_stray(peer_of(&session->callee), stray, bytes, error);
}

static int wants_strays(uvow__session_t *session) {
  return peer_of(&session->callee)->config->options.on_stray != NULL;
}

static void on_paid(uvow__session_t *session) {
  uvow_peer_t *peer = peer_of(&session->callee);
  if (peer->outbox)
    uvow__outbox_pump_late(peer);
}

/* Without memory its requests wait for their deadlines. */
static void on_session_end(uvow__session_t *session, uvow__slice_t raw_id) {
  uvow_peer_t *peer = peer_of(&session->callee);
  uvow__buf_t buf;
  uvow__slice_t text;
  if (!raw_id.ptr)
    return;
  uvow__buf_init(&buf, uvow__peer_mem(peer), SIZE_MAX);
  if (uvow__session_text(raw_id, &buf, &text) == 0)
    uvow__within_end_session(peer, text);
  uvow__buf_done(&buf);
}

static int on_session_event(uvow__session_t *session, const uvow__msg_t *msg,
                            uvow__slice_t bytes) {
  return uvow__within_give(peer_of(&session->callee), msg, bytes);
}

static void on_session_open(uvow__session_t *session) {
  uvow_peer_t *peer = peer_of(&session->callee);
  if (peer->link)
    uvow__link_opened(peer);
  else
    uvow__peer_open(peer);
}

static void on_ask(uvow__session_t *session) {
  uvow__own_step_begin(peer_of(&session->callee));
}

/* Who couldn't be let in is told so if that's possible. */
static void on_unopened(uvow__session_t *session, uvow_error_t *error) {
  uvow_peer_t *peer = peer_of(&session->callee);
  uvow__channel_t *channel = session->callee.channel;
  if (peer->link) {
    uvow__link_lost(peer, error);
    return;
  }
  int code = session->opening->close_code;
  channel->ops->close(channel,
                      code                   ? code
                      : peer->life.is_server ? 1008
                                             : 1002,
                      "");
  uvow__peer_ended(peer, error);
}

static const uvow__session_hooks_t session_hooks = {
    on_stray,         wants_strays,    on_paid, on_session_end,
    on_session_event, on_session_open, on_ask,  on_unopened};

/* ---- the callee's ---- */

static void on_idle(uvow__callee_t *callee) {
  uvow__peer_maybe_close(peer_of(callee));
}

static void on_sent(uvow__callee_t *callee, uvow__op_kind_t kind) {
  uvow__session_t *session = &peer_of(callee)->session;
  if (kind != UVOW__OP_CALL)
    uvow__session_told(session);
  uvow__session_pace(session);
}

/* It can't be served any more, and would wait in vain, or isn't to be: it is told
 * so if that's possible. One that we connect to is connected to again. */
static void run_fail(uvow__task_t *task) {
  uvow_peer_t *peer = UVOW__CONTAINER(task, uvow_peer_t, life.fail);
  const uvow__callee_t *callee = &peer->session.callee;
  uvow__channel_t *channel = callee->channel;
  uvow__error_spec_t spec = {0};
  int overload = peer->life.fail_code == UVOW_EOVERLOAD;
  const char *why = callee->close_code ? callee->close_why
                    : overload         ? "the peer does not read its answers"
                                       : "there is no memory to go on";
  spec.code = peer->link ? UVOW_ELOST : peer->life.fail_code;
  spec.status = callee->close_code ? callee->close_code
                : overload         ? 1013
                                   : 1011;
  spec.detail = uvow__slice_of(why);
  uvow_error_t *error = uvow__error_make(uvow__peer_mem(peer), &spec);
  if (peer->link) {
    uvow__link_lost(peer, error);
    return;
  }
  channel->ops->close(channel, spec.status,
                      callee->close_code ? callee->close_why : "");
  uvow__peer_ended(peer, error);
}

void uvow__peer_fail(uvow_peer_t *peer, int code) {
  if (!peer->session.callee.channel || uvow__task_queued(&peer->life.fail))
    return;
  peer->life.fail_code = code;
  uvow__runtime_push(&peer->loop->rt, &peer->life.fail);
}

/* Of a peer that we connect to and that may call nothing, it was a refusal that
 * could not be sent, no more. */
static void on_failed(uvow__callee_t *callee, int code) {
  uvow_peer_t *peer = peer_of(callee);
  if (callee->methods || !peer->link)
    uvow__peer_fail(peer, code);
}

static const uvow__callee_hooks_t callee_hooks = {on_idle, on_sent, on_failed,
                                                  peer_of};

/* ---- what is given up ---- */

int uvow__peer_send_cancel(uvow_peer_t *peer, uint64_t id) {
  uvow__callee_t *callee = &peer->session.callee;
  uvow__op_t op = {0};
  op.kind = UVOW__OP_CANCEL;
  op.id = id;
  int rc = 0;
  if (peer->outbox)
    rc = uvow__outbox_send_aside(peer, &op);
  else if (uvow__protocol_can(callee->protocol, op.kind))
    rc = uvow__callee_send(callee, &op);
  return rc == UVOW_EOVERLOAD || rc == UVOW_ENOMEM ? rc : 0;
}

/* As soon as there's room; if that is memory, as soon as a message has come. */
static void cancel_later(uvow_peer_t *peer, int why) {
  if (why == UVOW_ENOMEM)
    peer->session.subscriptions.untold_at = SIZE_MAX;
}

static void say_canceled(uvow_peer_t *peer) {
  uvow__dispatcher_t *d = &peer->dispatcher;
  uint64_t id;
  while ((id = uvow__dispatcher_to_say(d)) != 0) {
    int rc = uvow__peer_send_cancel(peer, id);
    if (rc) {
      cancel_later(peer, rc);
      return;
    }
    uvow__dispatcher_said(d, id);
  }
}

void uvow__peer_tell(uvow_peer_t *peer) {
  uvow__subscriptions_tell(peer);
  say_canceled(peer);
}

static void cancel(uvow_peer_t *peer, uint64_t id) {
  int rc = uvow__peer_send_cancel(peer, id);
  if (rc == 0)
    return;
  uvow__dispatcher_unsaid(&peer->dispatcher, id);
  cancel_later(peer, rc);
}

/* ---- the dispatcher's ---- */

static void on_given_up(uvow__dispatcher_t *dispatcher,
                        const uvow__request_t *request) {
  uvow_peer_t *peer = (uvow_peer_t *)dispatcher->data;
  uvow__session_t *session = &peer->session;
  if (request->sent) {
    uvow__session_told(session);
    if (!peer->config->options.no_cancel)
      cancel(peer, request->id);
    uvow__session_pace(session);
  } else if (peer->outbox) {
    uvow__outbox_given_up(peer);
  }
  if (peer->outbox)
    uvow__outbox_pump_late(peer);
  else
    uvow__peer_maybe_close(peer);
}

static void on_left(uvow__dispatcher_t *dispatcher,
                    const uvow__request_t *request, int is_answered,
                    const uvow__slice_t *value) {
  uvow_peer_t *peer = (uvow_peer_t *)dispatcher->data;
  uvow__partials_left(&peer->session.partials, request, is_answered);
  uvow__subscriptions_answered(&peer->session.subscriptions, request->id,
                               value);
}

static void on_settled(uvow__dispatcher_t *dispatcher,
                       const uvow__request_t *request,
                       const uvow_error_t *error) {
  uvow_peer_t *peer = (uvow_peer_t *)dispatcher->data;
  const uvow_trace_t *trace = &peer->config->trace;
  const char *before = uvow__ask(&peer->loop->rt, uvow__trace_asked);
  trace->on_settled(
      peer, request->id,
      uvow__intern_text(&peer->names.methods, request->method).ptr, error,
      trace->data);
  uvow__answered(&peer->loop->rt, before);
}

/* Opening steps, and variables. The options were looked at before; without
 * memory it fails where they'd begin. */
static void prepare(uvow_peer_t *peer) {
  const uvow_peer_options_t *options = &peer->config->options;
  uvow__opening_plan_t plan = {options->vars, options->opening_timeout_ms,
                               peer->life.is_server, options->opening != NULL};
  const char *missing;
  (void)uvow__session_prepare(&peer->session, &plan, &missing);
}

void uvow__peer_session_init(uvow_peer_t *peer) {
  const uvow_peer_options_t *options = &peer->config->options;
  uvow__session_t *session = &peer->session;
  uvow__dispatcher_t *dispatcher = &peer->dispatcher;
  uvow__callee_init(&session->callee, peer->loop, options->protocol,
                    options->methods, &callee_hooks);
  session->callee.max_calls = options->max_calls;
  session->callee.max_bytes = options->max_call_bytes;
  uvow__dispatcher_init(dispatcher, &peer->loop->rt, options->max_pending);
  dispatcher->data = peer;
  dispatcher->on_given_up = on_given_up;
  dispatcher->on_left = on_left;
  dispatcher->keep_owed = options->count_unanswered;
  if (peer->config->trace.on_settled)
    dispatcher->on_settled = on_settled;
  uvow__session_init(session, dispatcher, &session_hooks);
  session->max_unsent = options->max_unsent_bytes;
  session->stall_ms = options->stall_ms;
  session->answers_faults = peer->link == NULL;
  prepare(peer);
  uvow__task_init(&peer->life.fail, run_fail);
}
