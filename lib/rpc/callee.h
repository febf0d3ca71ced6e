#ifndef UVOW__CALLEE_H
#define UVOW__CALLEE_H

#include "call.h"
#include "net/channel.h"

/* JSON-RPC 2.0, section 5.1, and what it leaves to implementations; LSP for
 * a call that was canceled. */
enum {
  UVOW__PARSE_ERROR = -32700,
  UVOW__INVALID_REQUEST = -32600,
  UVOW__METHOD_NOT_FOUND = -32601,
  UVOW__INTERNAL_ERROR = -32603,
  UVOW__OVERLOADED = -32000,
  UVOW__CALL_CANCELED = -32800
};

typedef struct uvow__callee uvow__callee_t;

typedef struct uvow__callee_hooks {
  /* The last call under way has ended. */
  void (*on_idle)(uvow__callee_t *callee);
  /* Something was sent. */
  void (*on_sent)(uvow__callee_t *callee);
  /* An answer can't be sent (UVOW_EOVERLOAD, UVOW_ENOMEM): the peer would wait
   * in vain. Not to be freed within. */
  void (*on_failed)(uvow__callee_t *callee, int code);
  /* uvow_call_peer. */
  uvow_peer_t *(*peer)(uvow__callee_t *callee);
} uvow__callee_hooks_t;

/* The half of a session that answers. */
struct uvow__callee {
  uvow_loop_t *loop;
  const uvow_protocol_t *protocol;
  const uvow__callee_hooks_t *hooks;
  uvow__channel_t *channel; /* NULL: none now */
  uvow_methods_t *methods;  /* kept; NULL: none */
  uvow__list_t calls;       /* under way, the oldest first */
  size_t count;
  size_t bytes;
  size_t max_calls;
  size_t max_bytes;
  uvow_call_t **index; /* by id; NULL: none was ever canceled */
  size_t index_mask;
  int closing; /* no new calls */
};

/* The limits are to be set; methods is kept. */
void uvow__callee_init(uvow__callee_t *callee, uvow_loop_t *loop,
                       const uvow_protocol_t *protocol, uvow_methods_t *methods,
                       const uvow__callee_hooks_t *hooks);
/* No call may be under way. */
void uvow__callee_done(uvow__callee_t *callee);
/* A call, or an event for a method: queued, or refused. whole: see
 * uvow__payload_take; or NULL. */
void uvow__callee_begin(uvow__callee_t *callee, const uvow__msg_t *msg,
                        uvow__buf_t *whole);
/* The peer gives up the call with this id: raw JSON. */
void uvow__callee_cancel(uvow__callee_t *callee, uvow__slice_t raw_id);
/* Answers a message that is none; raw_id: of it, or null. */
void uvow__callee_refuse(uvow__callee_t *callee, uvow__slice_t raw_id,
                         int64_t code, const char *message);
/* Ends all calls without answers: the connection has gone. */
void uvow__callee_drop_calls(uvow__callee_t *callee);
/* Sends a message of the session: into loop->scratch, and out. */
int uvow__callee_send(uvow__callee_t *callee, uvow__op_t *op);
/* The same for a text. A peer for which too much is unsent is ended. */
void uvow__callee_send_text(uvow__callee_t *callee, const uvow__splice_t *text);

static inline uvow_peer_t *uvow__callee_peer(uvow__callee_t *callee) {
  return callee->hooks->peer(callee);
}

#endif
