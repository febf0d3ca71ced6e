#ifndef UVOW__OUTBOX_H
#define UVOW__OUTBOX_H

#include <uvow/peer.h>

#include "backlog.h"
#include "dispatcher.h"
#include "protocol/protocol.h"

/* What waits to be sent to a peer: for the connection, for opening steps, for its
 * turn, for room, for the end of this turn. One that we connect to has it, and
 * others where something can wait. */
typedef struct uvow__outbox {
  uvow_peer_t *peer;
  uvow__backlog_t backlog;
  uvow__task_t pump; /* late: what has its turn leaves */
  size_t notes;      /* in the backlog: how many no request waits for */
  size_t dead;       /* in it: how many are of requests that were given up */
  size_t max_queued;
  size_t max_in_flight;
  size_t max_unsent;
  size_t max_batch;  /* messages in one array; 0: each leaves by itself */
  uint8_t is_coded;  /* what is written: its protocol is code, */
  uint8_t is_plain;  /* or says nothing of its own: ids, vars */
  uint8_t is_direct; /* plain, and nobody sees or gathers it before it leaves */
} uvow__outbox_t;

/* Bits beside the id of what waits: it isn't the protocol's, and never part of
 * an array; it's binary. */
#define UVOW__NOTE_RAW (UINT64_C(1) << 63)
#define UVOW__NOTE_BINARY (UINT64_C(1) << 62)
#define UVOW__NOTE_ID (UVOW__NOTE_BINARY - 1)

/* Of a peer that has its options: an outbox in memory that is all zero. */
void uvow__outbox_init(uvow_peer_t *peer, uvow__outbox_t *outbox);
/* Of a peer that we don't connect to, if it needs one. UVOW_ENOMEM. */
int uvow__outbox_add(uvow_peer_t *peer);
/* Frees such a one. */
void uvow__outbox_remove(uvow_peer_t *peer);
/* Nothing of it will ever be sent. Frees its memory. */
void uvow__outbox_clear(uvow_peer_t *peer);
/* Encodes and sends, or puts it into the backlog. request: NULL for a message
 * without a future. */
int uvow__outbox_transmit(uvow_peer_t *peer, const uvow__op_t *op,
                          uvow__request_t *request);
/* Sends a call that has a form, if it can leave now, in the short way. Returns
 * 0; or 1: nothing is done, transmit will say. */
int uvow__outbox_call(uvow_peer_t *peer, struct uvow__form *form,
                      uvow__slice_t params, uvow__request_t *request);
/* As transmit, for a message that is written already. */
int uvow__outbox_send_text(uvow_peer_t *peer, uvow__request_t *request,
                           uvow__slice_t text);
/* The same for one past the protocol, text or binary. */
int uvow__outbox_send_raw(uvow_peer_t *peer, int opcode, uvow__slice_t text);
/* Puts a request's message behind others that will be sent before all that
 * waits. */
int uvow__outbox_write(uvow_peer_t *peer, const uvow__op_t *op,
                       uvow__backlog_t *front);
/* Sends what an opening step says: now, before all that waits. Errors as those of
 * a channel's send; UVOW_ELOST: there's no connection. */
int uvow__outbox_send_first(uvow_peer_t *peer, const uvow__op_t *op,
                            uvow__request_t *request);
/* Sends what concerns this connection only: now, before all that waits, or, if
 * that can't be, not at all. Returns why it isn't now, where it could be later.
 */
int uvow__outbox_send_aside(uvow_peer_t *peer, const uvow__op_t *op);
/* Sends what the backlog holds, as far as the caps allow. */
void uvow__outbox_pump(uvow_peer_t *peer);
/* The same, and the close that may follow, once all that this turn has caused
 * is over: so what is given up together never leaves (R6). */
void uvow__outbox_pump_late(uvow_peer_t *peer);
/* A request was given up before it was sent: one more message of the backlog is
 * nobody's. They go when they are most of it: so fewer are moved for that than
 * go. */
void uvow__outbox_given_up(uvow_peer_t *peer);

/* For batch_out.c. Hands a message to the connection. Errors as those of a
 * channel's send. */
int uvow__outbox_hand(uvow_peer_t *peer, int opcode, uvow__slice_t text);
/* Whether so many requests more are too many in flight. */
int uvow__outbox_at_cap(const uvow_peer_t *peer, size_t more);
/* Keeps what may have to be sent again. UVOW_ENOMEM. */
int uvow__outbox_keep_text(const uvow_peer_t *peer, uvow__request_t *request,
                           uvow__slice_t text);
/* What comes of handing it over: 1: it has left, or never will; 0: it waits for
 * room, or for the connection's end. */
int uvow__outbox_is_over(const uvow_peer_t *peer, int rc);
/* Takes the first one away. is_dead: no request has its id. */
void uvow__outbox_pop(uvow__outbox_t *outbox, uint64_t id, int is_dead);
/* Sends one message of what waits. Returns 0: the rest has to wait. */
int uvow__outbox_pump_one(uvow_peer_t *peer);

/* batch_out.c: sends an array of what waits, or one message. As
 * uvow__outbox_pump_one. */
int uvow__batch_out_pump(uvow_peer_t *peer);

#endif
