#ifndef UVOW__VISIT_H
#define UVOW__VISIT_H

#include "base/list.h"

/* What a server has of each of its peers: follows the peer in its memory. */
typedef struct uvow__visit {
  uvow__list_t link;          /* of the server's peers, or of those leaving */
  struct uvow_server *server; /* NULL: gone */
  int held; /* one reference is the server's, until CLOSED was told */
} uvow__visit_t;

/* server.c: a peer of it has gone, which has a server still. */
void uvow__server_peer_gone(uvow__visit_t *visit);

#endif
