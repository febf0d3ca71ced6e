#ifndef UVOW__PEER_H
#define UVOW__PEER_H

#include <stdarg.h>
#include <string.h>

#include <uvow/peer.h>

#include "base/intern.h"
#include "future/gate.h"
#include "visit.h"
#include "link.h"
#include "notices.h"
#include "outbox.h"
#include "peer_config.h"
#include "protocol/form.h"
#include "session.h"
#include "websocket/websocket.h"

/* See within.h. */
typedef struct uvow__within uvow__within_t;

/* What it asks with: each text once. */
typedef struct uvow__peer_names {
  uvow__intern_t methods;  /* names of requests */
  uvow__forms_t forms;     /* how they're written */
  uvow__intern_t sessions; /* CDP's */
} uvow__peer_names_t;

/* What it belongs to, and what belongs to it. */
typedef struct uvow__kin {
  uvow_websocket_t *ws;   /* its WebSocket, the last one, owned; or NULL */
  uvow__visit_t *visit;   /* of a server's; else NULL */
  uvow__within_t *within; /* itself, if it is a part of another; else NULL */
  uvow__within_t *parts;  /* of it, that aren't over */
  uvow__list_t groups;    /* of memberships, by their peer_link */
  /* The application's opening step, under way; or NULL. */
  struct uvow__own_step *own_step;
} uvow__kin_t;

/* How it stands, and how it ends, if it has not. */
typedef struct uvow__life {
  uvow_peer_state_t state;
  int is_server;  /* the other end has connected to it: set before its init */
  int closing;    /* it was asked to close, or to end */
  int was_open;   /* at least once */
  int asked;      /* the channel was asked to close, */
  int close_code; /* in order, with this */
  uvow_error_t *why;      /* it is over; NULL: it isn't, or nobody knows */
  uvow__deadline_t drain; /* for what is in flight, at a close */
  uvow__task_t fail;      /* ends it, or its connection: it can't be served */
  int fail_code;          /* why */
  uvow__gate_t ready;     /* it is open */
  uvow__gate_t closed;    /* it is over */
  uvow__gate_t room;      /* little is unsent */
} uvow__life_t;

/* The handle for the other end: a session with a life. */
struct uvow_peer {
  uvow__resident_t resident;
  uvow_loop_t *loop;
  size_t refs;
  uvow__peer_config_t *config;
  uvow__session_t session;
  uvow__dispatcher_t dispatcher;
  uvow__peer_names_t names;
  uvow__link_t *link;     /* of one that we connect to; else NULL */
  uvow__outbox_t *outbox; /* the same, and where something can wait */
  uvow__kin_t kin;
  uvow__life_t life;
  uvow__notices_t notices;
};

/* One that we connect to. */
typedef struct uvow__linked {
  uvow_peer_t peer; /* first */
  uvow__link_t link;
  uvow__outbox_t outbox;
} uvow__linked_t;

static inline const uvow__mem_t *uvow__peer_mem(const uvow_peer_t *peer) {
  return uvow__loop_mem(peer->loop);
}
/* Its WebSocket's connection; NULL: there's none, or none any more. */
static inline uvow__connection_t *
uvow__peer_connection(const uvow_peer_t *peer) {
  return peer->kin.ws ? peer->kin.ws->connection : NULL;
}
static inline int uvow__peer_is_over(const uvow_peer_t *peer) {
  return peer->life.state == UVOW_PEER_CLOSED;
}

/* peer.c: a peer without a channel, with one owner. Takes one of the config's,
 * also on failure; NULL as config, or no memory: NULL. */
uvow_peer_t *uvow__peer_new(uvow_loop_t *loop, uvow__peer_config_t *config,
                            int is_server);
/* The same in memory that begins with a peer and is all zero. */
void uvow__peer_init(uvow_peer_t *peer, uvow_loop_t *loop,
                     uvow__peer_config_t *config);
/* What its channel is made with; ctx is the peer. */
extern const uvow__channel_callbacks_t uvow__peer_callbacks;
/* Its channel is there: opening steps begin, if there are any; then it is open,
 * and tells so. */
void uvow__peer_opened(uvow_peer_t *peer, uvow__channel_t *channel);
/* The steps are done, of one that we don't connect to. */
void uvow__peer_open(uvow_peer_t *peer);
/* Another state: told. why: NULL, or kept. */
void uvow__peer_enter(uvow_peer_t *peer, uvow_peer_state_t state,
                      const uvow_error_t *why);
/* Ends it: drops the channel, without asking. Takes the error, NULL: it was
 * asked for. Again: nothing. */
void uvow__peer_ended(uvow_peer_t *peer, uvow_error_t *error);
/* What requests reject with when their connection ends so. */
void uvow__peer_spec_of_end(const uvow_peer_t *peer, const uvow_error_t *error,
                            uvow__error_spec_t *ret);
/* Why the streams of one that is over end; NULL: in order, on either side. */
const uvow_error_t *uvow__peer_why(const uvow_peer_t *peer);
/* Drops the channel, open or not: no callback of it follows. Calls on it are
 * given up. */
void uvow__peer_drop_channel(uvow_peer_t *peer);
/* As uvow_peer_close, with this code, without a future, of one that isn't over.
 */
void uvow__peer_drain(uvow_peer_t *peer, int close_code);
/* At close, when nothing is under way any more: the close handshake. */
void uvow__peer_maybe_close(uvow_peer_t *peer);
/* Settles what waits for little to be unsent. */
void uvow__peer_maybe_room(uvow_peer_t *peer);
/* Bytes that wait to be written, or to be sent. */
size_t uvow__peer_unsent(const uvow_peer_t *peer);

/* peer_session.c: its session, and what that tells it. */
void uvow__peer_session_init(uvow_peer_t *peer);
/* The peer is told that a request is canceled. Returns 0: it is, or needn't be;
 * UVOW_EOVERLOAD, UVOW_ENOMEM: not now. */
int uvow__peer_send_cancel(uvow_peer_t *peer, uint64_t id);
/* There may be room: it's told what there was none for: of requests that were
 * given up, of subscriptions that were let go of. */
void uvow__peer_tell(uvow_peer_t *peer);
/* What a debug build calls the trace hooks. */
extern const char uvow__trace_asked[];
/* A request's bytes were handed to the channel. */
UVOW__WITHIN void uvow__peer_sent(uvow_peer_t *peer, uvow__request_t *request) {
  const uvow_trace_t *trace = &peer->config->trace;
  uvow__dispatcher_mark_sent(request, uvow__runtime_now(&peer->loop->rt));
  if (peer->session.paused) /* it owes us an answer now */
    uvow__session_pace(&peer->session);
  if (trace->on_sent) {
    const char *before = uvow__ask(&peer->loop->rt, uvow__trace_asked);
    trace->on_sent(peer, request->id,
                   uvow__intern_text(&peer->names.methods, request->method).ptr,
                   trace->data);
    uvow__answered(&peer->loop->rt, before);
  }
}
/* A message came. */
static inline void uvow__peer_message(uvow_peer_t *peer, int opcode,
                                      const uint8_t *bytes, size_t len,
                                      uvow__buf_t *whole) {
  const uvow_trace_t *trace = &peer->config->trace;
  if (trace->on_message) {
    uvow_slice_t message = {(const char *)bytes, len};
    const char *before = uvow__ask(&peer->loop->rt, uvow__trace_asked);
    trace->on_message(peer, message, 0, trace->data);
    uvow__answered(&peer->loop->rt, before);
  }
  uvow__session_message(&peer->session, opcode, bytes, len, whole);
  if (peer->dispatcher.live < peer->session.subscriptions.untold_at)
    uvow__peer_tell(peer);
}

/* peer_connect.c: as uvow_peer_connect, on a transport that outlives it. */
uvow_peer_t *uvow__peer_connect(uvow_loop_t *loop, const char *url,
                                const uvow_peer_options_t *options,
                                const uvow__transport_t *transport);
/* It can't work: every future says why. fault: static text, or NULL. */
void uvow__peer_ended_because(uvow_peer_t *peer, int code, const char *fault);

/* peer_request.c: a request that subscribes. front: where it waits, to be sent
 * before all that waits; NULL: in its turn. */
uvow_future_t *uvow__peer_ask(uvow_peer_t *peer, const char *method,
                              uvow__slice_t params,
                              const uvow_request_options_t *options,
                              uvow__backlog_t *front);
/* Its connection is ended soon: UVOW_EOVERLOAD: it doesn't read its answers;
 * UVOW_ENOMEM. */
void uvow__peer_fail(uvow_peer_t *peer, int code);
/* Why nothing can be sent, or 0. */
int uvow__peer_unusable(const uvow_peer_t *peer);
/* What tells a peer: an event of a server's peer. */
uvow__op_kind_t uvow__peer_tells(const uvow_peer_t *peer);
/* Params as text: borrowed as long as they are, or until loop->params is
 * cleared. */
int uvow__params_text(uvow_loop_t *loop, const uvow_value_t *params,
                      uvow__slice_t *ret_text);
/* The same by a format; NULL: none. Without a loop: takes what there is to take.
 */
int uvow__params_format(uvow_loop_t *loop, const char *format, va_list args,
                        uvow__slice_t *ret_text);
/* Clears it. Takes params. */
void uvow__params_done(uvow_loop_t *loop, uvow_value_t *params);

/* group.c: out of all groups. */
void uvow__groups_leave(uvow_peer_t *peer);

#endif
