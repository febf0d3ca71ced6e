#ifndef UVOW__SERVER_H
#define UVOW__SERVER_H

#include <uvow/server.h>

#include "group_names.h"
#include "peer.h"
#include "websocket/listener.h"

/* A peer of a server. */
typedef struct uvow__visitor {
  uvow_peer_t peer; /* first */
  uvow__visit_t visit;
} uvow__visitor_t;

/* How peers are that came to a path, or agreed on a subprotocol. */
typedef struct uvow__manner {
  struct uvow__manner *next;
  uvow__peer_config_t *config;
  const uvow_protocol_t *protocol; /* kept: the config borrows it */
  char *subprotocol;               /* NULL: whatever it is */
  char *path;                      /* before that; NULL: any */
} uvow__manner_t;

struct uvow_server {
  uvow__resident_t resident;
  uvow_loop_t *loop;
  uvow_listener_t *listener;
  uvow__manner_t *manners; /* the last one is for all others */
  uvow__list_t peers;      /* by link */
  uvow__list_t leaving;    /* the same: CLOSED is yet to be told */
  size_t peer_count;       /* all in peers */
  uvow_group_t *group;     /* the same peers */
  uvow__group_names_t groups;
  uvow__gate_t closed;
  int closing;
};

#endif
