#ifndef UVOW__NOTICES_H
#define UVOW__NOTICES_H

#include <uvow/peer.h>

#include "base/list.h"
#include "dispatcher.h"
#include "traced.h"

/* What the application is told of a peer: states and strays, when the tasks
 * run. Lives in it. */
typedef struct uvow__notices {
  uvow__list_t list;      /* notices, each a task of its own, in order */
  uvow__task_t open;      /* of a peer that isn't connected by us: it is open */
  uvow__task_t closed;    /* it is over; then: its data is destroyed */
  int muted;              /* nobody is left to be told */
  uvow__traced_t *traced; /* owned; NULL: nobody is told of what is sent */
  void *data;             /* the application's own */
  uvow_destroy_cb destroy;
} uvow__notices_t;

void uvow__notices_init(uvow_peer_t *peer);
/* A change of state of a peer that we connect to. why may be NULL; kept.
 * Without memory it isn't told. */
void uvow__notices_state(uvow_peer_t *peer, uvow_peer_state_t state,
                         const uvow_error_t *why);
/* A stray message: copied; error may be NULL; kept. Without memory it isn't
 * told. */
void uvow__notices_stray(uvow_peer_t *peer, uvow_stray_t stray,
                         uvow__slice_t message, const uvow_error_t *error);
/* Any other peer is open; is over: which gives back what its server has. */
void uvow__notices_open(uvow_peer_t *peer);
void uvow__notices_closed(uvow_peer_t *peer);
/* Nothing is told any more. */
void uvow__notices_mute(uvow_peer_t *peer);

#endif
