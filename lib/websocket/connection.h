#ifndef UVOW__CONNECTION_H
#define UVOW__CONNECTION_H

#include "net/loop.h"
#include "net/io.h"
#include "net/tcp.h"
#include "net/tls.h"
#include "wire/framer.h"
#include "wire/handshake.h"
#include "wire/url.h"

/*
 * A WebSocket: one end of it, from connect to the last close, on an io.
 *
 * Whoever made it owns it until on_end or until it gives it up with
 * uvow__connection_abandon; after that it ends by itself.
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
} uvow__connection_callbacks_t;

/* Bytes that several connections may hold, together: messages that aren't whole
 * yet, and what is unsent. */
typedef struct uvow__quota {
  size_t used;
  size_t max;
} uvow__quota_t;

/* Borrowed for the call, but for the transport. */
typedef struct uvow__connection_config {
  const uvow__url_t *url; /* of a client */
  const uvow__transport_t *transport;
  /* Of a server; optional. A handshake that may be accepted, borrowed until
   * it's answered. Returns 0: accept it; an HTTP status to refuse it with; or
   * UVOW__AWAIT. Not to be answered within the call. */
  int (*on_request)(void *ctx, uvow__http_t *http);
  const char *const *subprotocols; /* kept */
  size_t subprotocol_count;
  const uvow__handshake_header_t *headers;
  size_t header_count;
  const char *bearer;             /* NULL: none */
  const char *origin;             /* NULL: none */
  size_t max_message;             /* bytes */
  size_t max_unsent;              /* bytes */
  uvow__deflate_config_t deflate; /* what is wanted of it */
  uint64_t open_ms;    /* for connecting and the handshake; 0: no limit */
  uint64_t close_ms;   /* for the close handshake */
  uint64_t ping_ms;    /* of silence, then a ping; 0: none */
  uint64_t dead_ms;    /* of silence, then it's lost; 0: never */
  uint64_t idle_ms;    /* without a message, then it's closed; 0: never */
  uint64_t message_ms; /* for a message, and a second more for each 64 KiB of
                          it; 0: no limit */
  uint64_t stall_ms;   /* of a pause in which nothing is written; 0: no limit */
  int answers;         /* what is sent are answers: see connection.c */
  uvow__quota_t *quota; /* kept; NULL: none */
  unsigned keepalive_s; /* of a client: see uvow__endpoint_t */
} uvow__connection_config_t;

/* A client's end. Keeps callbacks and ctx. Returns new. Errors, and nothing is
 * called back: UVOW_EINVAL: headers or subprotocols that can't be sent,
 * UVOW_ENOMEM, libuv's. */
int uvow__connection_open(uvow_loop_t *loop,
                          const uvow__connection_config_t *config,
                          const uvow__connection_callbacks_t *callbacks,
                          void *ctx, uvow__connection_t **ret_connection);
/* A server's end, of a peer that waits. As uvow__connection_open. */
int uvow__connection_accept(uvow_loop_t *loop, uvow__listener_t *listener,
                            const uvow__connection_config_t *config,
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
/* The same for a message that may have another text inside. */
int uvow__connection_send_splice(uvow__connection_t *c, int opcode,
                                 const uvow__splice_t *splice);
/* Bytes that wait to be written. */
size_t uvow__connection_unsent(const uvow__connection_t *c);
/* 1: no message comes, and the peer is made to wait, until 0: from a callback
 * of on_message too. What was read already is kept. Time in between is no
 * silence. */
void uvow__connection_pause(uvow__connection_t *c, int pause);
/* Whether we wait for the peer: then unsent answers don't pause reading. */
void uvow__connection_expect(uvow__connection_t *c, int expects);
/* Ends it as the peer's fault: on_end comes within, with the code and the close
 * code as its status. What was sent leaves, and then a close frame, if it can
 * within close_ms, and for as long as the peer reads. */
void uvow__connection_end_peer(uvow__connection_t *c, int code, int status,
                               const char *detail);
/* Begins the close handshake; on_end follows, within close_ms. */
void uvow__connection_close(uvow__connection_t *c, int code,
                            const char *reason);
/* Gives it up: no callback follows. What was sent still leaves if it can. */
void uvow__connection_abandon(uvow__connection_t *c);
/* Whether it keeps the loop running. */
void uvow__connection_hold(uvow__connection_t *c, int hold);

#endif
