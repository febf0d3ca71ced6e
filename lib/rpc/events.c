/*
 * Events as streams.
 *
 *   EVENT -> by name -> each stream of that name, and of all
 *                    -> subscriptions: family.c
 *
 * 1. A name is found by its hash, which no peer can foresee; names that nobody
 *    listens to cost no more than that.
 * 2. Each stream gets a copy of the event's bytes, with the name behind it.
 * 3. A stream that is let go of leaves by a task: so none leaves while an event
 *    is given out.
 */
#include "events.h"

#include <string.h>

#include "family.h"
#include "feed.h"
#include "peer.h"
#include "within.h"

typedef struct listener {
  uvow_stream_t out; /* first */
  uvow__task_t gone;
  uvow__list_t link;   /* of its name's, or of those of all */
  uvow__list_t member; /* of everyone */
  uvow__events_t *events;
  uvow__event_name_t *name; /* NULL: all */
} listener_t;

void uvow__events_init(uvow__events_t *events, uvow__runtime_t *rt) {
  events->rt = rt;
  events->seed = uvow__runtime_random(rt);
  uvow__table_init(&events->names, &rt->mem);
  uvow__list_init(&events->to_all);
  uvow__list_init(&events->everyone);
}

void uvow__events_done(uvow__events_t *events) {
  uvow__table_done(&events->names);
}

/* ---- names ---- */

static uvow__event_name_t *find(const uvow__events_t *events,
                                uvow__slice_t text, uint64_t hash) {
  uvow__entry_t *at = uvow__table_find(&events->names, hash);
  for (; at; at = uvow__table_next(at)) {
    uvow__event_name_t *name = (uvow__event_name_t *)(void *)at;
    if (name->len == text.len && memcmp(name->text, text.ptr, text.len) == 0)
      return name;
  }
  return NULL;
}

static uvow__event_name_t *add_name(uvow__events_t *events, uvow__slice_t text,
                                    uint64_t hash) {
  size_t size;
  uvow__event_name_t *name = NULL;
  if (uvow__size_add(sizeof(*name) + 1, text.len, &size) == 0)
    name = (uvow__event_name_t *)uvow__calloc(&events->rt->mem, size);
  if (name && uvow__table_add(&events->names, &name->entry, hash)) {
    uvow__free(&events->rt->mem, name);
    return NULL;
  }
  if (!name)
    return NULL;
  uvow__list_init(&name->listeners);
  uvow__list_init(&name->families);
  name->len = text.len;
  memcpy(name->text, text.ptr, text.len);
  return name;
}

uvow__event_name_t *uvow__events_name(uvow__events_t *events,
                                      uvow__slice_t text) {
  uint64_t hash = uvow__hash_text(events->seed, text);
  uvow__event_name_t *name = find(events, text, hash);
  if (!name)
    name = add_name(events, text, hash);
  if (name)
    name->users++;
  return name;
}

void uvow__events_unname(uvow__events_t *events, uvow__event_name_t *name) {
  if (--name->users)
    return;
  uvow__table_remove(&events->names, &name->entry);
  uvow__free(&events->rt->mem, name);
}

/* ---- what comes ---- */

static int give_to(uvow__list_t *listeners, uvow__slice_t text,
                   uvow__slice_t name) {
  for (uvow__list_t *at = listeners->next; at != listeners; at = at->next)
    uvow__feed_put(&UVOW__CONTAINER(at, listener_t, link)->out, text, name, 0);
  return !uvow__list_empty(listeners);
}

static int give_name(uvow__event_name_t *name, uvow__slice_t message,
                     uvow__slice_t value) {
  uvow__slice_t text = {name->text, name->len};
  int taken = give_to(&name->listeners, value, text);
  for (uvow__list_t *at = name->families.next; at != &name->families;
       at = at->next)
    taken |= uvow__family_give(UVOW__CONTAINER(at, uvow__family_t, link),
                               message, value);
  return taken;
}

int uvow__events_give(uvow__events_t *events, const uvow__msg_t *msg,
                      uvow__slice_t message) {
  uvow__buf_t buf;
  uvow__slice_t text = {"", 0};
  int taken = 0;
  if (events->names.count == 0 && uvow__list_empty(&events->to_all))
    return 0;
  uvow__buf_init(&buf, &events->rt->mem, SIZE_MAX);
  if (!msg->name.ptr || uvow__session_text(msg->name, &buf, &text) == 0) {
    uvow__event_name_t *name =
        find(events, text, uvow__hash_text(events->seed, text));
    if (name)
      taken = give_name(name, message, msg->value);
    taken |= give_to(&events->to_all, msg->value, text);
  }
  uvow__buf_done(&buf);
  return taken;
}

/* ---- streams ---- */

/* Out of all lists. */
static void leave(listener_t *listener) {
  uvow__list_remove(&listener->link);
  uvow__list_remove(&listener->member);
  if (listener->name)
    uvow__events_unname(listener->events, listener->name);
}

static void run_gone(uvow__task_t *task) {
  listener_t *listener = UVOW__CONTAINER(task, listener_t, gone);
  leave(listener);
  uvow__stream_sink_gone(&listener->out);
}

static void on_cancel(uvow_stream_t *s) {
  uvow__feed_soon(s, &((listener_t *)(void *)s)->gone);
}

static const uvow__source_ops_t listener_ops = {NULL, on_cancel};

void uvow__events_end(uvow__events_t *events, const uvow_error_t *error) {
  while (!uvow__list_empty(&events->everyone)) {
    listener_t *listener =
        UVOW__CONTAINER(events->everyone.next, listener_t, member);
    leave(listener);
    uvow__feed_end(&listener->out, error, &listener->gone);
  }
}

/* Returns 0, or UVOW_ENOMEM. */
static int listen_to(listener_t *listener, uvow__events_t *events,
                     const char *name) {
  uvow__list_t *list = &events->to_all;
  if (name) {
    listener->name =
        uvow__events_name(events, (uvow__slice_t){name, strlen(name)});
    if (!listener->name)
      return UVOW_ENOMEM;
    list = &listener->name->listeners;
  }
  listener->events = events;
  uvow__list_append(list, &listener->link);
  uvow__list_append(&events->everyone, &listener->member);
  return 0;
}

static uvow__events_t *listeners_of(uvow_peer_t *peer) {
  if (uvow__within_is_first(peer))
    peer = peer->kin.within->whole;
  return peer->kin.within ? &peer->kin.within->listeners
                          : &peer->session.listeners;
}

uvow_stream_t *uvow_peer_events_with(uvow_peer_t *peer, const char *name,
                                     const uvow_stream_options_t *options) {
  uvow_stream_options_t bounds;
  if (!peer)
    return NULL;
  uvow__runtime_t *rt = &peer->loop->rt;
  uvow_error_t *error = uvow__feed_bounds(rt, options, &bounds);
  listener_t *listener = (listener_t *)(void *)uvow__stream_new(
      rt, sizeof(*listener), &listener_ops, &bounds);
  if (!listener) {
    uvow_error_unref(error);
    return NULL;
  }
  uvow__task_init(&listener->gone, run_gone);
  uvow__list_init(&listener->link);
  uvow__list_init(&listener->member);
  if (error || uvow__peer_is_over(peer))
    uvow__feed_end(&listener->out, error ? error : uvow__peer_why(peer),
                   &listener->gone);
  else if (listen_to(listener, listeners_of(peer), name))
    uvow__feed_end(&listener->out, uvow__error_nomem(), &listener->gone);
  uvow_error_unref(error);
  return &listener->out;
}

uvow_stream_t *uvow_peer_events(uvow_peer_t *peer, const char *name) {
  return uvow_peer_events_with(peer, name, NULL);
}

const char *uvow_result_event(const uvow_result_t *item) {
  void *payload;
  if (!item || item->error ||
      uvow_value_get_ptr(&item->value, &uvow__type_payload, &payload))
    return NULL;
  return uvow__payload_name((const uvow__payload_t *)payload);
}
