#ifndef UVOW__SERVER_H
#define UVOW__SERVER_H

#include <uvow/server.h>

#include "peer.h"

struct uvow_server {
  uvow__resident_t resident;
  uvow_loop_t *loop;
  const uvow_protocol_t *protocol;
  uvow__listener_t *listener; /* NULL: closed */
  char **subprotocols;
  size_t subprotocol_count;
  char **origins; /* NULL: the one of its Host */
  size_t origin_count;
  char **hosts; /* NULL: any, or those of a loopback address */
  size_t host_count;
  int is_loopback;
  uvow__quota_t quota;
  uvow_handshake_cb on_handshake; /* NULL: all are welcome */
  void *handshake_data;
  uvow__connection_config_t config; /* for every peer */
  uvow_tls_t *tls;                  /* NULL: none */
  uvow__tls_transport_t tls_transport;
  uvow_peer_options_t peer_options; /* the same; its methods are kept */
  size_t max_peers;
  uint16_t port;
  uvow__list_t peers;   /* by link */
  uvow__list_t leaving; /* the same: CLOSED is yet to be told */
  size_t peer_count;    /* all in peers */
  size_t surplus;       /* of those, the ones that will be refused */
  uvow__buf_t scratch;  /* the event being written */
  uvow__gate_t closed;
  int closing;
};

/* What the user sees of a handshake, and says to it. */
struct uvow_handshake {
  uvow_peer_t *peer; /* kept */
  const uvow__mem_t *mem;
  uvow__http_t *request; /* valid while the peer is there */
  int status;            /* 101, or what to refuse it with */
  char *subprotocol;     /* chosen; NULL: none */
  char *text;            /* of a refusal */
};

/* server_handshake.c: the connection's on_request, whose ctx is the channel. */
int uvow__server_requested(void *ctx, uvow__http_t *http);
/* The task after it. */
void uvow__server_ask(uvow__task_t *task);

#endif
