#ifndef UVOW__EVENTS_H
#define UVOW__EVENTS_H

#include <uvow/subscription.h>

#include "base/list.h"
#include "base/table.h"
#include "future/runtime.h"
#include "protocol/protocol.h"

/* Who listens to the events of a session. */
typedef struct uvow__events {
  uvow__runtime_t *rt;
  uint64_t seed;
  uvow__table_t names;   /* of uvow__event_name_t */
  uvow__list_t to_all;   /* streams of every name */
  uvow__list_t everyone; /* all streams, of every name or one */
} uvow__events_t;

/* A name that somebody listens to. */
typedef struct uvow__event_name {
  uvow__entry_t entry; /* first */
  uvow__list_t listeners;
  uvow__list_t families; /* of subscriptions: see family.h */
  size_t users;          /* of this struct */
  size_t len;
  char text[]; /* with a NUL */
} uvow__event_name_t;

void uvow__events_init(uvow__events_t *events, uvow__runtime_t *rt);
/* Nobody may listen any more: see end. */
void uvow__events_done(uvow__events_t *events);
/* The struct of a name, with one more user; NULL: no memory. */
uvow__event_name_t *uvow__events_name(uvow__events_t *events,
                                      uvow__slice_t name);
/* One user less. */
void uvow__events_unname(uvow__events_t *events, uvow__event_name_t *name);
/* An event came; message: all of it. Returns whether anybody has it now. */
int uvow__events_give(uvow__events_t *events, const uvow__msg_t *msg,
                      uvow__slice_t message);
/* The peer is over: all streams end. error: why, or NULL. Borrowed. */
void uvow__events_end(uvow__events_t *events, const uvow_error_t *error);

#endif
