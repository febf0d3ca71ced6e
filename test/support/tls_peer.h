#ifndef UVOW_TEST_TLS_PEER_H
#define UVOW_TEST_TLS_PEER_H

#include "script.h"

#include <openssl/ssl.h>

#include "certs.h"
#include "net/tls.h"

/*
 * A TLS stream of ours on a script's stream, and OpenSSL as its peer, driven
 * by hand:
 *
 *   tls_pair_init -> (pair->peer_ctx, peer made to the test's taste)
 *   -> tls_pair_start -> tls_pair_run -> ... -> tls_pair_end
 */
typedef struct tls_pair {
  script_t s;
  uvow_tls_t *tls;    /* ours */
  uvow__io_t *stream; /* NULL: none, or closed */
  int is_server;      /* our role */
  int act;            /* close it in: 1 on_open, 2 on_read, 3 on_end; 4: pause
                         it in on_read */
  const char *host;   /* of the server, for a client: "localhost" */
  uint16_t port;
  /* What was called back. */
  int opened;
  int drained;
  int ended;
  int closed;
  uvow_error_t *error; /* of on_end */
  uint8_t *got;        /* plain bytes that we read */
  size_t got_len;
  size_t reads; /* calls of on_read */
  size_t heard; /* those without a byte */
  /* The peer. */
  SSL_CTX *peer_ctx;
  SSL *peer; /* made by tls_pair_start */
  int peer_shaken;
  int peer_error; /* SSL_ERROR_*, when it isn't WANT_READ */
  uint8_t *peer_got;
  size_t peer_got_len;
  size_t split_at; /* feed: cut behind so many bytes; 0: see s.cut */
  size_t fed;
} tls_pair_t;

/* The certificates of all tests of a group: cmocka's group setup and teardown
 * make and free them. */
typedef struct tls_certs {
  cert_t *ca;
  cert_t *good; /* localhost's, of the CA */
  cert_t *user; /* a client's, of the CA */
} tls_certs_t;
int tls_setup(void **state);
int tls_teardown(void **state);
const tls_certs_t *tls_certs(void);

/* Ours, when nothing is wrong with it. */
uvow_tls_options_t tls_options(int is_server);

void tls_pair_init(tls_pair_t *pair);
void tls_pair_init_with(tls_pair_t *pair, test_alloc_t *alloc);
/* Makes pair->tls. */
void tls_pair_ours(tls_pair_t *pair, const uvow_tls_options_t *options);
/* Makes pair->peer_ctx: it shows cert (NULL: none), trusts ca (NULL: all). */
void tls_pair_peer(tls_pair_t *pair, const cert_t *cert, const cert_t *ca);
/* All three, when nothing is wrong; max: 0 or the highest version. */
void tls_pair_make(tls_pair_t *pair, int is_server, uvow_tls_version_t max);
/* The same, and the handshake. */
void tls_pair_open(tls_pair_t *pair, int is_server, uvow_tls_version_t max);
/* Our stream, and a peer for it. Returns connect's, or accept's, code. */
int tls_pair_start(tls_pair_t *pair);
/* Bytes go to and fro until none is left. */
void tls_pair_run(tls_pair_t *pair);
/* From us to the peer, from the peer to us: 0 if there was nothing. */
int tls_pair_to_peer(tls_pair_t *pair);
int tls_pair_to_us(tls_pair_t *pair);
/* Moves what the peer has to say into text, to be freed. */
uint8_t *tls_pair_take(tls_pair_t *pair, size_t *ret_len);
/* Our writes, and the peer's. */
int tls_pair_write(tls_pair_t *pair, const void *bytes, size_t len);
void tls_pair_say(tls_pair_t *pair, const void *bytes, size_t len);
/* Our close, with all that follows. */
void tls_pair_close(tls_pair_t *pair);
/* What was called back, forgotten; the peer too: for the next stream. */
void tls_pair_reset(tls_pair_t *pair);
/* Closes what is open; nothing may be left. */
void tls_pair_end(tls_pair_t *pair);
/* The same for sweeps. */
void tls_pair_quit(tls_pair_t *pair);

/* How it ended: 0 in order. The error says each of these words. */
#define tls_pair_expect_end(pair, code, ...)                                   \
  tls_pair_expect_end_at((pair), (code), (const char *[]){__VA_ARGS__, NULL},  \
                         __FILE__, __LINE__)
void tls_pair_expect_end_at(tls_pair_t *pair, int code,
                            const char *const *words, const char *file,
                            int line);

#endif
