#ifndef UVOW__CONNECTION_H
#define UVOW__CONNECTION_H

#include "config.h"
#include "net/loop.h"
#include "net/io.h"
#include "net/tcp.h"
#include "net/tls.h"
#include "target.h"
#include "wire/framer.h"

/*
 * A WebSocket: one end of it, from connect to the last close, on an io.
 *
 * Whoever made it owns it until on_end or until it gives it up with
 * uvow__connection_drop; after that it ends by itself.
 */
typedef struct uvow__connection uvow__connection_t;

#define UVOW__AWAIT 1         /* uvow__connection_answer will say */
#define UVOW__EARLY_MAX 65536 /* bytes that may come while it's awaited */

typedef struct uvow__connection_callbacks {
  void (*on_open)(void *ctx);
  /* A whole message. Borrowed for the call. whole: the buffer that it was put
   * together in, whose memory may be taken; NULL: it wasn't. */
  void (*on_message)(void *ctx, int opcode, const uint8_t *bytes, size_t len,
                     uvow__buf_t *whole);
  /* It closes: its close frame came, and we had sent none. No message follows;
   * on_end does, later, with this error. Borrowed for the call. */
  void (*on_peer_close)(void *ctx, const uvow_error_t *why);
  /* All that was sent has left: at once, or after a while. */
  void (*on_writable)(void *ctx);
  /* It's over. Takes the error, never NULL: UVOW_ECLOSED after an orderly
   * close, with the close code as its status. The last callback. */
  void (*on_end)(void *ctx, uvow_error_t *error);
  /* Of a server; NULL: all are accepted. A handshake that may be accepted,
   * borrowed until it's answered. Returns 0: accept it; an HTTP status to refuse
   * it with; or UVOW__AWAIT. Not to be answered within the call. */
  int (*on_request)(void *ctx, uvow__http_t *http);
  /* Of a client; or NULL. The answer that accepts the handshake, borrowed for
   * the call, and the subprotocol agreed on, of its config, or NULL. on_open
   * follows, or on_end. */
  void (*on_response)(void *ctx, uvow__http_t *http, const char *subprotocol);
  /* A pong. Borrowed for the call. NULL: nobody is told. */
  void (*on_pong)(void *ctx, const uint8_t *bytes, size_t len);
  /* The peer's close frame came. Returns 1: it isn't answered before
   * uvow__connection_answer_close, or close_ms; what is sent until then leaves.
   * NULL: it's answered at once. */
  int (*on_hold_close)(void *ctx);
  /* See uvow__channel_callbacks_t. */
  int (*on_excess)(void *ctx, uvow__slice_t beginning, const char *why);
} uvow__connection_callbacks_t;

/* A client's end, on an io of this transport as it is: see dial.h. Keeps config,
 * callbacks and ctx, borrows the rest. Returns new. Errors, and nothing is
 * called back: UVOW_EINVAL: headers or subprotocols that can't be sent,
 * UVOW_ENOMEM, libuv's. */
int uvow__connection_open(uvow__ws_config_t *config,
                          const uvow__target_t *target,
                          const uvow__transport_t *transport,
                          const uvow__connection_callbacks_t *callbacks,
                          void *ctx, uvow__connection_t **ret_connection);
/* A server's end, of a peer that waits. As uvow__connection_open. */
int uvow__connection_accept(uvow__ws_config_t *config,
                            uvow__listener_t *listener,
                            const uvow__transport_t *transport,
                            const uvow__connection_callbacks_t *callbacks,
                            void *ctx, uvow__connection_t **ret_connection);

/* Answers what on_request left open: 101, with a subprotocol (NULL: none), or
 * another status, with a text. on_open or on_end comes within. */
void uvow__connection_answer(uvow__connection_t *c, int status,
                             const char *subprotocol, const char *text);

int uvow__connection_is_open(const uvow__connection_t *c);
/* Sends a message; it leaves with all others of this turn. Errors
 * (nothing is sent): UVOW_ECLOSED: not open; UVOW_EOVERLOAD: max_unsent bytes
 * wait already; UVOW_ENOMEM. */
int uvow__connection_send(uvow__connection_t *c, int opcode, const void *bytes,
                          size_t len);
/* Begins a short text, which the caller writes: see uvow__framer_short. It
 * leaves as any other. NULL: uvow__connection_send may send it, or says why
 * not. */
uint8_t *uvow__connection_short(uvow__connection_t *c, size_t len,
                                uint32_t *ret_key);
/* As send, for a message that may have another text inside. */
int uvow__connection_send_splice(uvow__connection_t *c, int opcode,
                                 const uvow__splice_t *splice);
/* A part of one: the first with the message's opcode, the others with
 * UVOW__OP_CONTINUATION; no other message may be sent in between. */
int uvow__connection_send_part(uvow__connection_t *c, int opcode, int is_last,
                               const void *bytes, size_t len);
/* A ping, of 125 bytes at most. As uvow__connection_send. */
int uvow__connection_ping(uvow__connection_t *c, const void *bytes, size_t len);
/* Bytes that wait to be written. */
size_t uvow__connection_unsent(const uvow__connection_t *c);
/* 1: no message comes, and the peer is made to wait, until 0: from a callback
 * of on_message too. What was read already is kept. Time in between is no
 * silence. */
void uvow__connection_pause(uvow__connection_t *c, int pause);
/* The same, as too much is unsent: until the io has ended, at the latest. */
void uvow__connection_pause_unsent(uvow__connection_t *c, int pause);
/* Ends it as the peer's fault: on_end comes within, with the code and the close
 * code as its status. What was sent leaves, and then a close frame, if it can
 * within close_ms, and for as long as the peer reads. */
void uvow__connection_end_peer(uvow__connection_t *c, int code, int status,
                               const char *detail);
/* Begins the close handshake; on_end follows, within close_ms. */
void uvow__connection_close(uvow__connection_t *c, int code,
                            const char *reason);
/* Answers a close frame that on_hold_close has held: on_peer_close comes within.
 * None was: nothing. */
void uvow__connection_answer_close(uvow__connection_t *c);
/* Gives it up: no callback follows. What was sent still leaves if it can. */
void uvow__connection_drop(uvow__connection_t *c);
/* The io it is on: valid until on_end. */
const uvow__io_t *uvow__connection_io(const uvow__connection_t *c);
/* Whether it keeps the loop running. */
void uvow__connection_hold(uvow__connection_t *c, int hold);

#endif
