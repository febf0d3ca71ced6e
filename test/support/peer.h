#ifndef UVOW_TEST_PEER_H
#define UVOW_TEST_PEER_H

#include "support.h"

#include <openssl/ssl.h>
#include <uv.h>

/*
 * A WebSocket end that knows RFC 6455 by itself, nothing of lib/wire, and obeys
 * no rule: it sends the frames it is told to, and takes down those that come.
 *
 * Frames are written as text, both ways, with a space between two:
 *
 *   81'Hello'     the first byte in hex, then the payload
 *   82<00ff>'a'*9 pieces of it: bytes in hex, text, as many asterisks
 *   81/16'a'      the length in 16 bits (or 64), though it's short
 *   81+5'a'       five bytes more are announced than come
 *   81!'a'        masked where it must not be, or the other way round
 *   =<ff00>       these bytes, as they are
 *
 * What comes is written the one way that doesn't depend on how it was cut: the
 * code of a close frame in hex, then 'text' if it is printable, <hex>, or *N if
 * it's nothing but asterisks; #N:hash for what is long.
 */
typedef struct peer_frame {
  unsigned first;
  size_t off; /* of its payload in `in` */
  size_t len;
} peer_frame_t;

typedef struct peer {
  uv_loop_t *uv;
  int is_client;
  const char *extensions; /* what it offers, or answers; NULL: nothing */
  SSL_CTX *tls;           /* taken; NULL: it's plain */
  SSL *ssl;               /* on two memory BIOs */
  uv_tcp_t listener;
  uv_tcp_t tcp;
  uv_connect_t connect;
  int handles;
  int listening;
  int connected;
  int open;  /* the handshake is done */
  int ended; /* the other end closed */
  char head[4096];
  size_t head_len;
  uint8_t *in; /* all that came after the handshake */
  size_t in_len;
  size_t in_cap;
  size_t at; /* of the next frame in it */
  peer_frame_t *frames;
  size_t frame_count;
  uint8_t *out; /* waits to be sent */
  size_t out_len;
  size_t out_cap;
  uint32_t mask;
} peer_t;

/* Listens: a server. Returns its port. */
int peer_listen(peer_t *peer, uv_loop_t *uv);
/* Connects: a client. */
void peer_connect(peer_t *peer, uv_loop_t *uv, int port);
/* Closes its socket, as it may at any time. */
void peer_close(peer_t *peer);
/* The end: its socket is closed, and its memory freed. */
void peer_done(peer_t *peer);

/* Adds frames to what is to be sent. */
void peer_put(peer_t *peer, const char *frames);
/* Adds one whole frame. */
void peer_put_frame(peer_t *peer, unsigned first, const void *bytes,
                    size_t len);
/* Sends all that was put, as far as the other end takes it. cut 0: whole, 1:
 * byte by byte, else: in random pieces of at most `piece` bytes, this is the
 * seed. With TLS each piece is a record. */
void peer_send(peer_t *peer, unsigned cut, size_t piece);
/* Whether a close frame came. */
int peer_got_close(const peer_t *peer);

/* What came, as text: to be freed. */
char *peer_text(const peer_t *peer);
/* Adds a frame to text: what is there at `at` of `cap`. Returns the new at. */
size_t peer_describe(char *text, size_t at, size_t cap, unsigned first,
                     const uint8_t *bytes, size_t len);

#endif
