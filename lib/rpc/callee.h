#ifndef UVOW__CALLEE_H
#define UVOW__CALLEE_H

#include "base/table.h"
#include "batch.h"
#include "call.h"
#include "codec.h"
#include "net/channel.h"
#include "websocket/config.h"

/* JSON-RPC 2.0, section 5.1, and what it leaves to implementations; LSP for
 * a call that was canceled. */
enum {
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
  void (*on_sent)(uvow__callee_t *callee, uvow__op_kind_t kind);
  /* An answer can't be sent (UVOW_EOVERLOAD, UVOW_ENOMEM): the peer would wait
   * in vain. Or the connection is to end, see close_code (UVOW_EPROTOCOL). Not to
   * be freed within. */
  void (*on_failed)(uvow__callee_t *callee, int code);
  /* uvow_call_peer. */
  uvow_peer_t *(*peer)(uvow__callee_t *callee);
} uvow__callee_hooks_t;

/* The half of a session that answers. */
struct uvow__callee {
  uvow_loop_t *loop;
  const uvow_protocol_t *protocol; /* the dialect's */
  uvow__dialect_t dialect;
  uvow__codec_state_t *codec_state; /* of this connection; or NULL */
  const uvow__callee_hooks_t *hooks;
  uvow__channel_t *channel; /* NULL: none now */
  uvow_methods_t *methods;  /* kept; NULL: none */
  uvow__list_t calls;       /* under way, the oldest first */
  size_t count;
  size_t bytes;
  size_t max_calls;
  size_t max_bytes;
  uvow__quota_t *quota; /* what all peers of a server hold; or NULL */
  uvow__table_t index;  /* by id; without places: none was ever canceled */
  uint64_t seed;        /* of its hashes */
  uvow__list_t stalled; /* tasks of calls whose streams wait: see serve.h */
  uvow__batch_t *batch; /* the array that is being read, or NULL */
  int closing;          /* no new calls */
  int unopened;         /* nor any, of who isn't let in yet: */
  uint16_t early;       /* the close code of who calls all the same; 0: none */
  uint16_t close_code; /* with which it ends, if it was told to; 0: the usual */
  const char *close_why; /* static text */
};

/* The limits are to be set; protocol and methods are kept. */
void uvow__callee_init(uvow__callee_t *callee, uvow_loop_t *loop,
                       const uvow_protocol_t *protocol, uvow_methods_t *methods,
                       const uvow__callee_hooks_t *hooks);
/* No call may be under way. */
void uvow__callee_done(uvow__callee_t *callee);
/* A call, or an event for a method: queued, or refused. whole: see
 * uvow__payload_take; or NULL. Returns why it was refused, or 0. */
int uvow__callee_begin(uvow__callee_t *callee, const uvow__msg_t *msg,
                       uvow__buf_t *whole);
/* The peer gives up the call with this id: raw JSON. */
void uvow__callee_cancel(uvow__callee_t *callee, uvow__slice_t raw_id);
/* The same for one that wants to hear nothing of it any more. */
void uvow__callee_drop_call(uvow__callee_t *callee, uvow__slice_t raw_id);
/* The connection is to end, with this close code. why: static text, for the peer
 * too. The first one counts; no call begins from here on. */
void uvow__callee_close(uvow__callee_t *callee, uint16_t code, const char *why);
/* Answers a message that is none; raw_id: of it, or null. */
void uvow__callee_refuse(uvow__callee_t *callee, uvow__slice_t raw_id,
                         int64_t code, const char *message);
/* What serves a call that is under way. Answers, if anyone waits: with a value,
 * or an error. */
void uvow__callee_answer(uvow_call_t *call, const uvow_value_t *value,
                         const uvow_error_t *error);
/* Sends another message of it, with the value as params. Returns why it can't be
 * written, or 0: it was sent, or never will be. */
int uvow__callee_send_value(uvow_call_t *call, uvow__op_t *op,
                            const uvow_value_t *value);
/* Says that its partial answers were all, where the protocol says that without a
 * value. Returns 0: it doesn't. */
int uvow__callee_end_parts(uvow_call_t *call);
/* It is over: out of its callee, and released. */
void uvow__callee_end_call(uvow_call_t *call);
/* Ends all calls without answers: the connection has gone. Events that came on
 * it are told all the same, unless all go. */
void uvow__callee_drop_calls(uvow__callee_t *callee, int all);
/* Writes a message in the connection's dialect. Errors as those of
 * uvow__dialect_write. */
int uvow__callee_write(uvow__callee_t *callee, uvow__op_t *op, uvow__buf_t *out,
                       int *ret_binary);
/* Before its first message: a codec's state is made. Without memory nothing is
 * read or written. */
void uvow__callee_speak(uvow__callee_t *callee);
/* The connection has gone, and what a codec kept for it. */
void uvow__callee_end_codec(uvow__callee_t *callee);
/* Sends a message of the session: into loop->scratch, and out. */
int uvow__callee_send(uvow__callee_t *callee, uvow__op_t *op);
/* The same for a text. A peer for which too much is unsent is ended. */
void uvow__callee_send_text(uvow__callee_t *callee, const uvow__splice_t *text);

static inline uvow_peer_t *uvow__callee_peer(uvow__callee_t *callee) {
  return callee->hooks->peer(callee);
}

#endif
