#ifndef UVOW__WITHIN_H
#define UVOW__WITHIN_H

#include "peer.h"

/* A peer within a session: what is handed out, with no connection of its own. */
struct uvow__within {
  uvow_peer_t peer;     /* first */
  uvow_peer_t *whole;   /* whose connection it is; while it isn't over */
  uvow__within_t *next; /* of the whole's */
  char *text;           /* what the protocol calls the session; NULL: it's in
                           none, and goes before all that waits */
  uvow__vars_t vars;    /* the same, of a session with names; or none */
  unsigned number;      /* of that, among the whole's; 0: they are too many */
  uvow__events_t listeners;
};

/* The first within this session that isn't over, or NULL. */
uvow__within_t *uvow__within_find(const uvow_peer_t *whole,
                                  uvow__slice_t session);
/* The same of what a call says of a session with names. */
uvow__within_t *uvow__within_find_vars(const uvow_peer_t *whole,
                                       const uvow__session_vars_t *vars);
/* What is asked or told in it says so. */
void uvow__within_set_session(const uvow__within_t *within, uvow__op_t *op);
/* An event came: those who listen within its session have it. Returns whether
 * anybody does. */
int uvow__within_give(uvow_peer_t *whole, const uvow__msg_t *msg,
                      uvow__slice_t bytes);
/* It's over, and what is pending in it. error: why; NULL: it was asked for.
 * Borrowed. Again: nothing. */
void uvow__within_end(uvow__within_t *within, const uvow_error_t *error);
/* Of all within this session. */
void uvow__within_end_session(uvow_peer_t *whole, uvow__slice_t session);
/* The whole is over: so are all. */
void uvow__within_end_all(uvow_peer_t *whole, const uvow_error_t *error);
/* One for an opening step: the same peer, in no session; what is asked of it
 * leaves at once. Returns new, or NULL: no memory. */
uvow__within_t *uvow__within_first(uvow_peer_t *whole);
/* Whether a peer is such a one. */
static inline int uvow__within_is_first(const uvow_peer_t *peer) {
  return peer->kin.within && !peer->kin.within->text;
}
/* Frees one that is over. */
void uvow__within_free(uvow__within_t *within);

#endif
