/*
 * Subscriptions: a request, and the events that belong to it, as a stream.
 *
 *   ASKING --answer--> ON --let go--> LEAVING --answer--> gone
 *     |  ^              |  \--- without a request for that: the protocol's
 *     |  | renew        |       cancel ------------------> gone
 *     |  +---- LOST <---+ connection lost, another follows
 *     +--error--> failed            (of ASKING too, if its request was sent)
 *
 * 1. A request that is let go of before its answer is canceled, unless it was
 *    sent and a request of its own unsubscribes it: then that follows the
 *    answer, since the peer has subscribed it.
 * 2. After a reconnect all are made again, in their order, before anything that
 *    waits; the next item then says that some may be missing.
 * 3. Those of no event's name are told by partial answers to their request, and
 *    so by its id: they belong to no family.
 * 4. What says that one is let go of, and never left (there was no room, it was
 *    too late), is said again once there's room: else the peer would go on.
 * 5. All ends come by tasks, or with the peer: so none goes while an event is
 *    given out.
 * 6. What is needed to unsubscribe is reserved before one is asked for: places
 *    in the tables, and room for the key, which is read when the answer comes,
 *    before memory is taken for that. A longer key that there's no memory for
 *    can't be said: then the connection is ended, and with it what it carried.
 */
#include "subscription.h"

#include <string.h>

#include "base/text.h"
#include "family.h"
#include "feed.h"
#include "peer.h"
#include "within.h"
#include "wire/json_check.h"
#include "wire/json_pointer.h"

void uvow__subscriptions_init(uvow__subscriptions_t *subs,
                              const uvow__mem_t *mem) {
  uvow__list_init(&subs->all);
  uvow__list_init(&subs->untold);
  uvow__table_init(&subs->by_key, mem);
  uvow__table_init(&subs->by_id, mem);
}

void uvow__subscriptions_done(uvow__subscriptions_t *subs) {
  uvow__table_done(&subs->by_key);
  uvow__table_done(&subs->by_id);
}

uvow__subscriptions_t *uvow__subs_of(const uvow__sub_t *sub) {
  return &sub->peer->session.subscriptions;
}

uvow_peer_t *uvow__sub_asked_of(const uvow__sub_t *sub) {
  return sub->within ? &sub->within->peer : sub->peer;
}

/* ---- being there ---- */

static void ready(uvow__sub_t *sub) {
  sub->is_ready = 1;
  uvow__gate_pass(&sub->ready);
}

void uvow__sub_unready(uvow__sub_t *sub) {
  const uvow_future_t *end = sub->out.end;
  if (end->state == UVOW_REJECTED)
    uvow__gate_fail(&sub->ready, end->u.error);
  else
    uvow__gate_fail_code(&sub->ready, UVOW_ECLOSED);
}

/* ---- places ---- */

/* It isn't found by its id any more: what finds it by its key takes its place. */
static void leave_ids(uvow__sub_t *sub, uvow__subscriptions_t *subs) {
  if (sub->in_ids)
    uvow__table_remove(&subs->by_id, &sub->entry);
  sub->in_ids = 0;
}

/* Events don't come to it any more. */
static void leave_places(uvow__sub_t *sub) {
  leave_ids(sub, uvow__subs_of(sub));
  if (sub->family)
    uvow__family_drop(sub->family, sub);
  if (sub->key != sub->room)
    uvow__free(&sub->out.rt->mem, sub->key);
  sub->key = NULL;
  sub->key_len = 0;
}

void uvow__sub_end(uvow__sub_t *sub) {
  uvow__family_t *family = sub->family;
  uvow__task_cancel(&sub->settled);
  uvow__task_cancel(&sub->gone);
  leave_places(sub);
  sub->family = NULL;
  if (family)
    uvow__family_leave(family);
  uvow__list_remove(&sub->member);
  uvow__list_remove(&sub->untold);
  sub->peer = NULL;
  uvow__sub_unready(sub);
  uvow__stream_sink_gone(&sub->out);
}

uvow_future_t *uvow__sub_take_asked(uvow__sub_t *sub) {
  uvow_future_t *asked = sub->asked;
  uvow__task_cancel(&sub->settled);
  sub->asked = NULL;
  return asked;
}

void uvow__sub_fail(uvow__sub_t *sub, uvow_error_t *error) {
  uvow_future_t *asked = uvow__sub_take_asked(sub);
  uvow__stream_fail(&sub->out, error);
  uvow__sub_end(sub);
  uvow__future_drop(asked);
}

static void fail_code(uvow__sub_t *sub, int code, const char *text) {
  uvow__error_spec_t spec = {0};
  spec.code = code;
  spec.detail = uvow__slice_of(text);
  uvow__sub_fail(sub, uvow__error_make(&sub->out.rt->mem, &spec));
}

/* ---- asking ---- */

static void ask_for(uvow__sub_t *sub, uvow__backlog_t *front) {
  static const uvow_request_options_t unending = {
      .size = sizeof(unending), .timeout_ms = UVOW_NO_TIMEOUT};
  uvow_peer_t *peer = sub->peer;
  int ends = !sub->family && uvow__protocol_ends(peer->session.callee.protocol);
  sub->state = UVOW__SUB_ASKING;
  sub->at_end = sub->answered = sub->is_ready = 0;
  if (sub->family)
    uvow__family_wait(sub->family, sub);
  sub->asked = uvow__peer_ask(uvow__sub_asked_of(sub), sub->method,
                              uvow__slice_of(sub->params),
                              ends ? &unending : NULL, front);
}

/* Its request is under way. Returns 0; or UVOW_ENOMEM, and it isn't. */
static int follow(uvow__sub_t *sub) {
  if (!sub->asked)
    return UVOW_ENOMEM;
  if (sub->asked->state == UVOW_PENDING) {
    uvow__request_t *request = uvow__request_of(sub->asked);
    sub->id = request->id;
    request->partials = 1; /* its answer is told */
    sub->in_ids = uvow__table_add(&uvow__subs_of(sub)->by_id, &sub->entry,
                                  uvow__hash_number(sub->id)) == 0;
  }
  uvow__future_watch(sub->asked, &sub->settled);
  return 0;
}

/* ---- answers ---- */

static int keep_key(uvow__sub_t *sub, uvow__slice_t raw) {
  const uvow__mem_t *mem = &sub->out.rt->mem;
  uvow__buf_t buf;
  uvow__slice_t key;
  uvow__buf_init(&buf, mem, SIZE_MAX);
  int rc = uvow__key_of(raw, &buf, &key);
  if (rc == 0 && key.len <= sizeof(sub->room))
    sub->key = memcpy(sub->room, key.ptr, key.len);
  else if (rc == 0)
    sub->key = uvow__strndup(mem, key.ptr, key.len);
  sub->key_len = sub->key ? key.len : 0;
  uvow__buf_done(&buf);
  return rc || sub->key ? rc : UVOW_ENOMEM;
}

/* Its key, if the answer has one. Where it is told by its id, that is it, unless
 * the application says otherwise. */
static int find_key(uvow__sub_t *sub, uvow__slice_t text) {
  uvow__slice_t raw;
  if (!sub->family && !sub->asks_key)
    return 0;
  if (!text.ptr || uvow__json_check(text) ||
      uvow__json_find(text, sub->answer_key, &raw) ||
      uvow__slice_is(raw, "null"))
    return sub->family && sub->family->has_key ? UVOW_ETYPE : 0;
  return keep_key(sub, raw);
}

/* What was held has been pushed out, or there was no memory for it. */
static void tell_overrun(uvow__sub_t *sub) {
  if (sub->out.bounds.full == UVOW_FULL_FAIL)
    uvow__feed_fail(
        &sub->out,
        uvow__error_code(&sub->out.rt->mem, UVOW_EOVERLOAD, UVOW_OUTCOME_NONE));
  else
    uvow__stream_gap(&sub->out, UVOW_MISSED_UNKNOWN);
}

/* There was no memory for its key: see (6). */
static void fail_unnamed(uvow__sub_t *sub) {
  uvow_peer_t *peer = sub->peer;
  if (sub->unsubscribe) {
    fail_code(sub, UVOW_ENOMEM, NULL);
    uvow__peer_fail(peer, UVOW_ENOMEM);
    return;
  }
  uvow__feed_fail(&sub->out, uvow__error_nomem()); /* nobody let go: see (1) */
}

/* The request is answered. */
static void admit(uvow__sub_t *sub) {
  int rc = sub->fault;
  uvow_future_unref(uvow__sub_take_asked(sub));
  sub->state = UVOW__SUB_ON;
  if (rc == 0 && !sub->let_go && !sub->at_end)
    ready(sub);
  if (rc == 0 && sub->was_on)
    uvow__stream_gap(&sub->out, UVOW_MISSED_UNKNOWN);
  if (rc == 0 && sub->overrun)
    tell_overrun(sub);
  if (rc == 0 && sub->family)
    uvow__family_admit(sub->family, sub);
  sub->was_on = 1;
  if (rc == UVOW_ETYPE)
    fail_code(sub, rc, "the answer has nothing at answer_key");
  else if (rc)
    fail_unnamed(sub);
  else if (sub->at_end) {
    uvow__stream_end(&sub->out, uvow_value_none());
    uvow__sub_end(sub);
  } else if (sub->let_go)
    (void)uvow__sub_leave(sub);
}

static void run_settled(uvow__task_t *task) {
  uvow__sub_t *sub = UVOW__CONTAINER(task, uvow__sub_t, settled);
  if (sub->state == UVOW__SUB_ASKING && sub->answered) {
    admit(sub);
    return;
  }
  uvow_future_t *asked = uvow__sub_take_asked(sub);
  if (sub->state == UVOW__SUB_ASKING)
    uvow__sub_fail(sub, uvow_error_ref(asked->u.error));
  else if (uvow__sub_is_untold(asked))
    (void)uvow__sub_leave(sub);
  else
    uvow__sub_end(sub);
  uvow_future_unref(asked);
}

/* ---- letting go ---- */

/* See (1). */
static int waits_for_answer(const uvow__sub_t *sub) {
  return sub->unsubscribe && (sub->asked->state != UVOW_PENDING ||
                              uvow__request_of(sub->asked)->was_sent);
}

static void run_gone(uvow__task_t *task) {
  uvow__sub_t *sub = UVOW__CONTAINER(task, uvow__sub_t, gone);
  sub->let_go = 1;
  uvow__sub_unready(sub);
  if (sub->state == UVOW__SUB_ON) {
    (void)uvow__sub_leave(sub);
  } else if (sub->state == UVOW__SUB_LOST) {
    uvow__sub_end(sub);
  } else if (sub->state == UVOW__SUB_ASKING && !waits_for_answer(sub)) {
    uvow__future_drop(uvow__sub_take_asked(sub));
    uvow__sub_end(sub);
  }
}

static void on_cancel(uvow_stream_t *s) {
  uvow__feed_soon(s, &((uvow__sub_t *)(void *)s)->gone);
}

const uvow__source_ops_t uvow__sub_ops = {NULL, on_cancel};

void uvow__sub_init(uvow__sub_t *sub, uvow_peer_t *peer) {
  sub->within = peer->kin.within;
  sub->peer = peer->kin.within ? peer->kin.within->whole : peer;
  uvow__list_init(&sub->member);
  uvow__list_init(&sub->link);
  uvow__list_init(&sub->untold);
  uvow__gate_init(&sub->ready, sub->out.rt);
  uvow__task_init(&sub->settled, run_settled);
  uvow__task_init(&sub->gone, run_gone);
}

int uvow__sub_begin(uvow__sub_t *sub, const char *event, const char *key) {
  uvow_peer_t *peer = sub->peer;
  uvow__list_append(&uvow__subs_of(sub)->all, &sub->member);
  if (uvow__table_reserve(&uvow__subs_of(sub)->by_id) ||
      (key && uvow__table_reserve(&uvow__subs_of(sub)->by_key)))
    return UVOW_ENOMEM;
  if (event) {
    uvow__events_t *events =
        sub->within ? &sub->within->listeners : &peer->session.listeners;
    sub->family = uvow__family_join(events, uvow__subs_of(sub),
                                    uvow__slice_of(event), key);
    if (!sub->family)
      return UVOW_ENOMEM;
  }
  ask_for(sub, NULL);
  if (!sub->asked || sub->asked->state == UVOW_PENDING)
    return follow(sub);
  sub->asked->flags |= UVOW__OBSERVED;
  uvow__sub_fail(sub, uvow_error_ref(sub->asked->u.error));
  return 0;
}

/* ---- by ids ---- */

/* No two numbers have one hash. */
static uvow__sub_t *with_id(const uvow__subscriptions_t *subs, uint64_t id) {
  uvow__entry_t *at = uvow__table_find(&subs->by_id, uvow__hash_number(id));
  return at ? UVOW__CONTAINER(at, uvow__sub_t, entry) : NULL;
}

void uvow__subscriptions_answered(uvow__subscriptions_t *subs, uint64_t id,
                                  const uvow__slice_t *value) {
  uvow__sub_t *sub = with_id(subs, id);
  if (!sub)
    return;
  if (sub->family)
    leave_ids(sub, subs);
  if (!value)
    return;
  sub->answered = 1;
  sub->fault = find_key(sub, *value);
}

int uvow__subscriptions_part(uvow__subscriptions_t *subs, uint64_t id,
                             uvow__slice_t text) {
  uvow__slice_t none = {NULL, 0};
  uvow__slice_t item = text;
  uvow__sub_t *sub = with_id(subs, id);
  if (!sub || sub->family)
    return 0;
  if (sub->let_go)
    return 1;
  if (!sub->is_ready)
    ready(sub);
  if (sub->asked && sub->was_on) { /* made again, and nothing answers that */
    uvow__stream_gap(&sub->out, UVOW_MISSED_UNKNOWN);
    sub->was_on = 0;
  }
  if (sub->item && text.ptr &&
      (uvow__json_check(text) || uvow__json_find(text, sub->item, &item)))
    item = none;
  uvow__feed_put(&sub->out, item, none, sub->item && item.ptr);
  return 1;
}

int uvow__subscriptions_part_end(uvow__subscriptions_t *subs, uint64_t id) {
  uvow__sub_t *sub = with_id(subs, id);
  if (!sub || sub->family)
    return 0;
  sub->at_end = 1;
  if (sub->asked)
    return 0; /* which this answers */
  uvow__stream_end(&sub->out, uvow_value_none());
  uvow__sub_end(sub);
  return 1;
}

/* ---- connections ---- */

/* Whether its request is under way still, or settled otherwise than by the loss
 * of its connection. */
static int is_unharmed(const uvow__sub_t *sub) {
  const uvow_future_t *asked = sub->asked;
  if (sub->state != UVOW__SUB_ASKING || sub->answered)
    return 0;
  if (asked->state == UVOW_PENDING)
    return 1;
  return uvow_error_outcome(asked->u.error) != UVOW_MAYBE_EXECUTED ||
         uvow_error_code(asked->u.error) == UVOW_ETIMEDOUT;
}

/* Whether the peer may have told it, before it was lost. One that nothing but
 * its end answers is on once it was sent. */
static int may_be_on(const uvow__sub_t *sub) {
  return sub->answered ||
         (!sub->family && sub->asked->state == UVOW_REJECTED &&
          uvow__protocol_ends(sub->peer->session.callee.protocol) &&
          uvow_error_outcome(sub->asked->u.error) == UVOW_MAYBE_EXECUTED);
}

static void lose(uvow__sub_t *sub, const uvow_error_t *error) {
  if (sub->state == UVOW__SUB_LOST)
    return;
  if (may_be_on(sub))
    sub->was_on = 1;
  /* Another connection has other keys. */
  uvow__future_drop(uvow__sub_take_asked(sub));
  if (sub->let_go || sub->state == UVOW__SUB_LEAVING) {
    uvow__sub_end(sub);
    return;
  }
  leave_places(sub);
  sub->state = UVOW__SUB_LOST;
  sub->is_ready = 0;
  if (!sub->renews)
    uvow__sub_fail(sub, uvow_error_ref(error));
}

void uvow__subscriptions_lost(uvow_peer_t *peer, const uvow_error_t *error) {
  uvow__list_t *all = &peer->session.subscriptions.all;
  uvow__error_spec_t spec;
  uvow__list_t *next;
  if (uvow__list_empty(all))
    return;
  uvow__peer_spec_of_end(peer, error, &spec);
  uvow_error_t *lost = uvow__error_make(uvow__peer_mem(peer), &spec);
  for (uvow__list_t *at = all->next; at != all; at = next) {
    uvow__sub_t *sub = UVOW__CONTAINER(at, uvow__sub_t, member);
    next = at->next;
    if (!is_unharmed(sub))
      lose(sub, lost);
    else if (sub->family) /* what is held came on the old connection */
      sub->from = sub->family->next;
  }
  uvow_error_unref(lost);
}

void uvow__subscriptions_renew(uvow_peer_t *peer) {
  uvow__list_t *all = &peer->session.subscriptions.all;
  uvow__backlog_t front;
  uvow__list_t *next;
  if (uvow__list_empty(all) || peer->life.closing)
    return;
  uvow__backlog_init(&front, uvow__peer_mem(peer), SIZE_MAX);
  for (uvow__list_t *at = all->next; at != all; at = next) {
    uvow__sub_t *sub = UVOW__CONTAINER(at, uvow__sub_t, member);
    next = at->next;
    if (sub->state != UVOW__SUB_LOST)
      continue;
    ask_for(sub, &front);
    if (follow(sub))
      uvow__sub_fail(sub, uvow__error_nomem());
  }
  if (uvow__backlog_prepend(&peer->outbox->backlog, &front))
    uvow__subscriptions_end(peer);
  uvow__backlog_done(&front);
}

/* ---- the peer's end ---- */

void uvow__subscriptions_close(uvow_peer_t *peer) {
  uvow__list_t *all = &peer->session.subscriptions.all;
  uvow__list_t *next;
  for (uvow__list_t *at = all->next; at != all; at = next) {
    uvow__sub_t *sub = UVOW__CONTAINER(at, uvow__sub_t, member);
    next = at->next;
    if (sub->family || !sub->asked || sub->asked->state != UVOW_PENDING ||
        sub->state != UVOW__SUB_ASKING)
      continue;
    uvow__stream_end(&sub->out, uvow_value_none());
    uvow__future_drop(uvow__sub_take_asked(sub));
    uvow__sub_end(sub);
  }
}

static void end_one(uvow__sub_t *sub, const uvow_error_t *error) {
  uvow_future_t *asked = uvow__sub_take_asked(sub);
  if (sub->state == UVOW__SUB_ASKING && !sub->answered &&
      asked->state == UVOW_REJECTED)
    error = asked->u.error;
  if (error)
    uvow__stream_fail(&sub->out, uvow_error_ref(error));
  else
    uvow__stream_end(&sub->out, uvow_value_none());
  uvow__sub_end(sub);
  uvow__future_drop(asked);
}

void uvow__subscriptions_end_within(uvow_peer_t *peer,
                                    const uvow__within_t *within) {
  uvow__list_t *all = &peer->session.subscriptions.all;
  uvow__list_t *next;
  for (uvow__list_t *at = all->next; at != all; at = next) {
    uvow__sub_t *sub = UVOW__CONTAINER(at, uvow__sub_t, member);
    next = at->next;
    if (sub->within == within)
      end_one(sub, uvow__peer_why(&within->peer));
  }
}

void uvow__subscriptions_end(uvow_peer_t *peer) {
  uvow__list_t *all = &peer->session.subscriptions.all;
  uvow__error_spec_t spec;
  uvow_error_t *error = NULL;
  if (uvow__list_empty(all))
    return;
  uvow__peer_spec_of_end(peer, peer->life.why, &spec);
  if (!uvow__peer_is_over(peer))
    error = uvow__error_nomem(); /* they can't be made again */
  else if (!peer->life.closing)
    error = uvow__error_make(uvow__peer_mem(peer), &spec);
  while (!uvow__list_empty(all))
    end_one(UVOW__CONTAINER(all->next, uvow__sub_t, member), error);
  uvow_error_unref(error);
}
