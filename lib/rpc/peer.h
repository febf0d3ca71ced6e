#ifndef UVOW__PEER_H
#define UVOW__PEER_H

#include <string.h>

#include <uvow/peer.h>

#include "base/intern.h"
#include "future/gate.h"
#include "session.h"
#include "ws_channel.h"

/*
 * A peer: a session with a life. One of a server's, one of a pair, or the face
 * of a client, which has its session itself.
 */
struct uvow_peer {
  uvow__resident_t resident;
  uvow_loop_t *loop;
  size_t refs;
  uvow__list_t link;          /* of its server's peers */
  uvow__list_t groups;        /* of memberships, by their peer_link */
  struct uvow_server *server; /* NULL: none, or gone */
  uvow_client_t *client;      /* whose face it is; NULL: none, or gone */
  uvow__ws_channel_t ws;      /* of a server's; else unused */
  uvow__session_t session;
  uvow__dispatcher_t dispatcher;
  uvow__intern_t methods; /* names of requests */
  uvow_peer_state_t state;
  int is_server;  /* on our side */
  int is_surplus; /* above its server's max_peers: it will be refused */
  int was_open;
  int held;       /* one reference is its server's, until CLOSED was told */
  int asked;      /* the channel was asked to close */
  int close_code; /* of a close in order */
  int no_cancel;
  uint32_t timeout_ms;
  uint32_t close_ms;
  uvow__deadline_t drain; /* for what is in flight, at a close */
  uvow__gate_t closed;
  uvow_peer_state_cb on_state; /* NULL: nobody is told */
  void *state_data;
  uvow__task_t
      tell_open;         /* of a server's, before: to ask about its handshake */
  uvow__http_t *request; /* what that is about */
  uvow__task_t tell_closed;
  uvow__task_t fail; /* ends it, once nothing of it is on the stack */
  uvow_error_t *why; /* it is over; NULL: that was asked for */
  char *handshake;   /* target, then names and values, each with its NUL; a
                        name of no bytes ends it; or NULL */
  void *data;
  uvow_destroy_cb destroy;
};

/* A peer without a channel, with one owner, in no list. Methods are kept.
 * Returns new, or NULL: no memory. */
uvow_peer_t *uvow__peer_new(uvow_loop_t *loop,
                            const uvow_peer_options_t *options);
/* What its channel is made with; ctx is the peer. */
extern const uvow__channel_callbacks_t uvow__peer_callbacks;
/* Its channel is there; it is open, and tells so. */
void uvow__peer_opened(uvow_peer_t *peer, uvow__channel_t *channel);
/* Ends it: drops the channel, without asking. Takes the error, NULL: it was
 * asked for. Again: nothing. */
void uvow__peer_finish(uvow_peer_t *peer, uvow_error_t *error);
/* As uvow_peer_close, with this code, without a future. */
void uvow__peer_drain(uvow_peer_t *peer, int close_code);
/* What tell_open is once it's open. */
void uvow__peer_tell_open(uvow__task_t *task);
/* The session: a client's face has its client's. */
const uvow__session_t *uvow__peer_session(const uvow_peer_t *peer);
/* Params as text in loop->params, borrowed until it is cleared. */
int uvow__params_text(uvow_loop_t *loop, const uvow_value_t *params,
                      uvow__slice_t *ret_text);

/* peer_request.c: what tells a peer: an event of a server's peer. */
uvow__op_kind_t uvow__peer_tells(const uvow_peer_t *peer);
/* group.c: out of all groups. */
void uvow__groups_leave(uvow_peer_t *peer);
/* The face of a client: new, or NULL: no memory. */
uvow_peer_t *uvow__peer_of_client(uvow_client_t *client, uvow_loop_t *loop,
                                  const uvow_protocol_t *protocol);
/* Its client is freed, and with it one reference. Accepts NULL. */
void uvow__peer_client_gone(uvow_peer_t *peer);

/* server.c: a peer of it has gone. */
void uvow__server_peer_gone(struct uvow_server *server, uvow_peer_t *peer);

#endif
