#ifndef UVOW_TEST_BED_H
#define UVOW_TEST_BED_H

#include "peer.h"
#include "tls_peer.h"

#include "websocket/listener.h"

/*
 * One end of uvow's, on loopback, that sends back every message: a connection,
 * or the public form of one. Against it, a peer that plays by a script.
 */
typedef struct bed {
  uv_loop_t uv;
  uvow_loop_t *loop;
  test_alloc_t alloc;
  peer_t peer;
  uvow__target_t target;
  uvow__ws_config_t config; /* counted once too often to be freed */
  const uvow__transport_t *transport;
  uvow_tls_t *tls; /* NULL: it's plain */
  uvow__tls_transport_t tls_transport;
  uvow__listener_t *listener;
  uvow__connection_t *connection; /* NULL: ended */
  int is_public; /* the end is a uvow_websocket_t, what it has is in ws */
  uvow_websocket_t *ws;
  uvow_listener_t *doors; /* of a public server */
  int is_client;          /* uvow's role */
  int quiet;              /* it sends nothing back */
  int ended;
  int code;   /* of the end */
  int status; /* the close code that it had */
  size_t messages;
} bed_t;

/* Ready to begin, with defaults in `config` and `peer`. */
void bed_init(bed_t *bed, int is_client);
/* The same, and bed->alloc counts bytes. */
void bed_init_sized(bed_t *bed, int is_client);
/* It will be wss, with the certificates of tls_setup. Returns the peer's
 * context, borrowed, for more. */
SSL_CTX *bed_use_tls(bed_t *bed);
/* Both ends are connected, and the handshake is done. */
void bed_open(bed_t *bed);
/* Sends what the peer has put; then until the connection is over. */
void bed_play(bed_t *bed, unsigned cut, size_t piece);
/* Nothing is left; all memory is back. */
void bed_done(bed_t *bed);

/* What is sent, what must come, and how uvow's end ends: its error's code and
 * status. */
typedef struct bed_case {
  const char *name;
  const char *send;
  const char *expect;
  int code;
  int status;
} bed_case_t;

/* The same with a close handshake behind it. */
#define BED_OK(name, send, expect)                                             \
  { name, send " 88<03e8>", expect " 88<03e8>", UVOW_ECLOSED, 1000 }
/* A violation, and the close code that tells of it. */
#define BED_BAD(name, send, expect)                                            \
  { name, send, expect " 88<03ea>", UVOW_EPROTO, 1002 }
#define BED_BAD_TEXT(name, send, expect)                                       \
  { name, send, expect " 88<03ef>", UVOW_EUTF8, 1007 }

/* Each case in both roles: whole, byte by byte and in random pieces; and once
 * each over the public form. */
void bed_run(const bed_case_t *cases, size_t count);
#define BED_RUN(cases) bed_run((cases), sizeof(cases) / sizeof(*(cases)))
/* One case, one way. */
void bed_run_one(const bed_case_t *one, int is_client, unsigned cut,
                 size_t piece);
/* The same over TLS, where each piece is a record: needs tls_setup. */
void bed_run_tls(const bed_case_t *cases, size_t count);
#define BED_RUN_TLS(cases)                                                     \
  bed_run_tls((cases), sizeof(cases) / sizeof(*(cases)))
void bed_run_one_tls(const bed_case_t *one, int is_client, unsigned cut,
                     size_t piece);

#endif
