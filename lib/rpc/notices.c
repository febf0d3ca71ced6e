/*
 * What the application is told of a peer: states and strays, in the order in
 * which they came, with the futures that settled in between.
 *
 *   state, stray -> copied into a notice -> a task -> on_state, on_stray
 *   open, closed -> a task in the peer             -> on_state
 *   the last owner goes -> the same task           -> its data's destroy
 *
 * 1. After a call only the notice is looked at: it stays in the list while it
 *    calls, and a peer that goes takes itself out of it. So the callback may
 *    end, release and close anything.
 * 2. Muted, nothing is told any more, but for the data's destroy.
 */
#include "notices.h"

#include "future/tell.h"
#include "peer.h"

typedef struct notice {
  uvow__task_t task;
  uvow__list_t link;
  uvow_peer_t *peer;
  uvow_error_t *error; /* why, or what is wrong; or NULL */
  uvow_stray_t stray;  /* 0: a change of state */
  uvow_peer_change_t change;
  size_t len; /* of the message that is behind it */
} notice_t;

static char *message_of(notice_t *notice) {
  return (char *)(notice + 1);
}

static void free_notice(notice_t *notice, uvow_loop_t *loop) {
  uvow_error_unref(notice->error);
  uvow__free(uvow__loop_mem(loop), notice);
}

/* Changes of state are told in their own order, though one that the application
 * causes in a root may be due before one that waits for its root. Returns the
 * notice to tell now. */
static notice_t *in_order(notice_t *notice) {
  uvow_peer_t *peer = notice->peer;
  notice_t *first = UVOW__CONTAINER(peer->notices.list.next, notice_t, link);
  while (first != notice && first->stray)
    first = UVOW__CONTAINER(first->link.next, notice_t, link);
  if (first == notice || notice->stray)
    return notice;
  uvow__task_cancel(&first->task);
  uvow__runtime_push_first(&peer->loop->rt, &notice->task);
  return first;
}

static int tell_stray(uvow_peer_t *peer, notice_t *notice) {
  const uvow_peer_options_t *options = &peer->config->options;
  uvow_slice_t message = {message_of(notice), notice->len};
  return options->on_stray(peer, notice->stray, message, notice->error,
                           options->data);
}

static void run_notice(uvow__task_t *task) {
  notice_t *notice = in_order(UVOW__CONTAINER(task, notice_t, task));
  uvow_peer_t *peer = notice->peer;
  const uvow_peer_options_t *options = &peer->config->options;
  uvow_loop_t *loop = peer->loop;
  int was_read = 0;
  if (notice->stray)
    was_read = tell_stray(peer, notice);
  else
    options->on_state(peer, &notice->change, options->data);
  if (was_read && notice->peer)
    uvow__session_unstray(&notice->peer->session, notice->stray);
  uvow__list_remove(&notice->link);
  free_notice(notice, loop);
}

/* NULL without memory. */
static notice_t *new_notice(uvow_peer_t *peer, const uvow_error_t *error,
                            uvow__slice_t message) {
  size_t size;
  if (uvow__size_add(sizeof(notice_t), message.len, &size))
    return NULL;
  notice_t *notice = (notice_t *)uvow__calloc(uvow__peer_mem(peer), size);
  if (!notice)
    return NULL;
  uvow__task_init(&notice->task, run_notice);
  uvow__list_init(&notice->link);
  notice->peer = peer;
  notice->error = uvow_error_ref(error);
  notice->len = message.len;
  if (message.len)
    memcpy(message_of(notice), message.ptr, message.len);
  return notice;
}

static void tell(notice_t *notice) {
  uvow_peer_t *peer = notice->peer;
  uvow__list_append(&peer->notices.list, &notice->link);
  uvow__tell(&peer->loop->rt, &notice->task);
}

void uvow__notices_stray(uvow_peer_t *peer, uvow_stray_t stray,
                         uvow__slice_t message, const uvow_error_t *error) {
  if (!peer->config->options.on_stray || peer->notices.muted)
    return;
  notice_t *notice = new_notice(peer, error, message);
  if (!notice)
    return;
  notice->stray = stray;
  tell(notice);
}

void uvow__notices_state(uvow_peer_t *peer, uvow_peer_state_t state,
                         const uvow_error_t *why) {
  uvow__slice_t none = {NULL, 0};
  const uvow__link_t *link = peer->link;
  if (!peer->config->options.on_state || peer->notices.muted)
    return;
  notice_t *notice = new_notice(peer, why, none);
  if (!notice)
    return;
  notice->change.size = sizeof(notice->change);
  notice->change.why = why;
  notice->change.state = state;
  if (state == UVOW_PEER_CONNECTING || state == UVOW_PEER_WAITING)
    notice->change.attempt = link->attempts;
  if (state == UVOW_PEER_WAITING)
    notice->change.pause_ms = link->pause_ms;
  tell(notice);
}

/* ---- peers that aren't connected by us ---- */

static void tell_change(uvow_peer_t *peer, uvow_peer_state_t state,
                        const uvow_error_t *why) {
  const uvow_peer_options_t *options = &peer->config->options;
  uvow_peer_change_t change = {0};
  change.size = sizeof(change);
  change.state = state;
  change.why = why;
  if (options->on_state && !peer->notices.muted)
    options->on_state(peer, &change, options->data);
}

static uvow_peer_t *peer_of(uvow__notices_t *notices) {
  return UVOW__CONTAINER(notices, uvow_peer_t, notices);
}

static void run_open(uvow__task_t *task) {
  tell_change(peer_of(UVOW__CONTAINER(task, uvow__notices_t, open)),
              UVOW_PEER_OPEN, NULL);
}

static void run_closed(uvow__task_t *task) {
  uvow_peer_t *peer = peer_of(UVOW__CONTAINER(task, uvow__notices_t, closed));
  int held = 0;
  if (peer->kin.visit) {
    held = peer->kin.visit->held;
    peer->kin.visit->held = 0;
    uvow__list_remove(&peer->kin.visit->link);
  }
  peer->refs++;
  if (peer->life.was_open)
    tell_change(peer, UVOW_PEER_CLOSED, peer->life.why);
  if (held)
    uvow_peer_unref(peer);
  uvow_peer_unref(peer);
}

void uvow__notices_open(uvow_peer_t *peer) {
  if (peer->config->options.on_state && !peer->notices.muted)
    uvow__tell(&peer->loop->rt, &peer->notices.open);
}

void uvow__notices_closed(uvow_peer_t *peer) {
  if (!peer->life.was_open)
    uvow__task_cancel(&peer->notices.open);
  uvow__tell(&peer->loop->rt, &peer->notices.closed);
}

void uvow__notices_mute(uvow_peer_t *peer) {
  uvow__notices_t *notices = &peer->notices;
  notices->muted = 1;
  while (!uvow__list_empty(&notices->list)) {
    notice_t *notice = UVOW__CONTAINER(notices->list.next, notice_t, link);
    int waits = uvow__task_queued(&notice->task);
    uvow__task_cancel(&notice->task);
    uvow__list_remove(&notice->link);
    notice->peer = NULL;
    if (waits) /* else it is calling */
      free_notice(notice, peer->loop);
  }
}

void uvow__notices_init(uvow_peer_t *peer) {
  uvow__list_init(&peer->notices.list);
  uvow__task_init(&peer->notices.open, run_open);
  uvow__task_init(&peer->notices.closed, run_closed);
}
