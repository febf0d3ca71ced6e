/*
 * One attempt at a connection.
 *
 *   run_attempt --renew--> its future --settled--> open
 *                        --no renew------------------------> open
 *   any of them fails --> uvow__link_lost
 *
 * 1. The user's renew callback runs as a task, like all user code; while its
 *    future is pending there's no connection, and a close, an end or the loop's
 *    close gives it up: also within the callback, after which only the future
 *    says whether the peer still waits for it.
 * 2. A URL or header that set_target refuses meanwhile fails the attempt, as an
 *    error of renew does. A peer without any URL that can be read is over.
 */
#include "peer.h"

/* The WebSocket before it is kept until then. */
static int dial(uvow_peer_t *peer, uvow_error_t **ret_error) {
  const uvow__link_t *link = peer->link;
  uvow_websocket_t *ws;
  int rc = uvow__websocket_dial(link->config, &link->target, link->transport,
                                &uvow__link_callbacks, peer, &ws, ret_error);
  if (rc)
    return rc;
  uvow_websocket_unref(peer->kin.ws);
  peer->kin.ws = ws;
  return 0;
}

/* Opens the connection. UVOW_ENOMEM, UVOW_EINVAL: nothing has begun. */
static int open_now(uvow_peer_t *peer) {
  uvow__link_t *link = peer->link;
  const uvow__mem_t *mem = uvow__peer_mem(peer);
  int code = link->target.url_code;
  uvow_error_t *error = NULL;
  if (code) { /* no attempt makes it better */
    uvow__peer_ended(peer, uvow__error_code(mem, code, UVOW_OUTCOME_NONE));
    return 0;
  }
  code = dial(peer, &error);
  if (code == 0 || code == UVOW_ENOMEM || code == UVOW_EINVAL) {
    uvow_error_unref(error);
    return code;
  }
  uvow__link_lost(peer, error ? error
                              : uvow__error_code(mem, code, UVOW_OUTCOME_NONE));
  return 0;
}

static void fail_code(uvow_peer_t *peer, int code) {
  uvow__link_lost(
      peer, uvow__error_code(uvow__peer_mem(peer), code, UVOW_OUTCOME_NONE));
}

static void open_or_fail(uvow_peer_t *peer) {
  int rc = open_now(peer);
  if (rc)
    fail_code(peer, rc);
}

static void begin(uvow_peer_t *peer) {
  uvow__link_t *link = peer->link;
  link->attempts += link->attempts < UINT32_MAX;
  link->open_since = 0;
  link->judged = 0;
  uvow__peer_enter(peer, UVOW_PEER_CONNECTING, NULL);
}

static uvow_peer_t *peer_of(uvow__link_t *link) {
  return &UVOW__CONTAINER(link, uvow__linked_t, link)->peer;
}

/* renew's answer is settled. */
static void run_renewed(uvow__task_t *task) {
  uvow__link_t *link = UVOW__CONTAINER(task, uvow__link_t, renewed);
  uvow_peer_t *peer = peer_of(link);
  uvow_future_t *renewal = link->renewal;
  link->renewal = NULL;
  if (renewal->state == UVOW_REJECTED)
    uvow__link_lost(peer, uvow_error_ref(renewal->u.error));
  else if (link->refused)
    fail_code(peer, link->refused);
  else
    open_or_fail(peer);
  uvow_future_unref(renewal);
}

/* Asks the application for a new URL and headers. What it answers settles a
 * future, which three own: the link, whoever settles it, and this call. */
static void ask_renew(uvow_peer_t *peer) {
  uvow__link_t *link = peer->link;
  const uvow_peer_options_t *options = &peer->config->options;
  uvow_future_t *f = uvow__future_new(&peer->loop->rt, 3, UVOW__OBSERVED);
  if (!f) {
    fail_code(peer, UVOW_ENOMEM);
    return;
  }
  link->refused = 0;
  link->renewal = f;
  uvow_next_t next = options->renew(peer, link->attempts, options->data);
  int wanted = f->refs == 3;
  uvow_future_unref(f);
  if (!wanted) { /* the peer has given it up, and may be gone */
    if (f->state == UVOW_PENDING) /* the loop's close settles it, too */
      uvow__future_reject_code(f, UVOW_ECANCELED);
    uvow_future_unref(f);
    uvow__next_drop(&next);
    return;
  }
  if (next.kind == UVOW_NEXT_PASS)
    next = uvow_next_none();
  uvow__future_watch(f, &link->renewed);
  uvow__future_next(f, &next, NULL);
}

static void run_attempt(uvow__task_t *task) {
  uvow_peer_t *peer = peer_of(UVOW__CONTAINER(task, uvow__link_t, attempt));
  if (peer->life.state != UVOW_PEER_CONNECTING) /* the first one has begun */
    begin(peer);
  if (peer->config->options.renew)
    ask_renew(peer);
  else
    open_or_fail(peer);
}

void uvow__link_attempt_init(uvow__link_t *link) {
  uvow__task_init(&link->attempt, run_attempt);
  uvow__task_init(&link->renewed, run_renewed);
}

int uvow__link_connect(uvow_peer_t *peer) {
  begin(peer);
  if (!peer->config->options.renew)
    return open_now(peer);
  uvow__runtime_push(&peer->loop->rt, &peer->link->attempt);
  return 0;
}
