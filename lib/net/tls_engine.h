#ifndef UVOW__TLS_ENGINE_H
#define UVOW__TLS_ENGINE_H

#include <uvow/tls.h>

#include "base/buf.h"

/*
 * What uvow asks of a TLS library. One file knows which: tls_openssl.c. What
 * another one takes: docs/explanation/tls-engine.md.
 *
 *   a context: new -> load* -> key_fits -> (connections) -> free
 *   a connection: conn_new -> expect, resume -> shake* -> seal*, open* -> close
 *                 -> conn_free
 *
 * An engine does no I/O, keeps no user's callback, and never blocks: what came
 * from the peer it takes by uvow__tls_take, what is for the peer it gives to
 * uvow__tls_put, both within the calls below.
 */
typedef struct uvow__engine uvow__engine_t;
typedef struct uvow__engine_conn uvow__engine_conn_t;
typedef struct uvow__engine_ticket uvow__engine_ticket_t;
struct uvow__tls_io;

/* A context. */

typedef enum uvow__engine_verify {
  UVOW__VERIFY_NONE,
  UVOW__VERIFY_SOME, /* a certificate, where one is shown */
  UVOW__VERIFY_ALL   /* and there must be one */
} uvow__engine_verify_t;

/* All borrowed. */
typedef struct uvow__engine_rules {
  int is_server;
  int resume; /* sessions may be resumed: tickets */
  uvow__engine_verify_t verify;
  uvow_tls_version_t min_version;
  uvow_tls_version_t max_version; /* 0: the newest */
  const char *ciphers;            /* of TLS 1.2; NULL: AEAD, forward secrecy */
  const char *ciphersuites;       /* of TLS 1.3; NULL: the engine's own */
} uvow__engine_rules_t;

typedef enum uvow__engine_pem {
  UVOW__PEM_CAS,
  UVOW__PEM_CRLS,  /* from now on every issuer must have one */
  UVOW__PEM_CHAIN, /* our certificate, then those that lead to its CA */
  UVOW__PEM_KEY
} uvow__engine_pem_t;

/* ALPN is http/1.1; renegotiation and compression are off. Keeps mem. Returns
 * new. UVOW_ENOMEM; UVOW_ETLS: *ret_wrong names the option that it knows none
 * of. */
int uvow__engine_new(const uvow__mem_t *mem, const uvow__engine_rules_t *rules,
                     uvow__engine_t **ret_engine, const char **ret_wrong);
void uvow__engine_free(uvow__engine_t *engine);
/* Takes all that a text has of the kind. Returns how many; 0: none; negative:
 * something can't be read, and *ret_reason is static text, or NULL. */
long uvow__engine_load(uvow__engine_t *engine, uvow__engine_pem_t kind,
                       const char *text, size_t len, const char *password,
                       const char **ret_reason);
/* Whether the key is that of the chain's first certificate. */
int uvow__engine_key_fits(const uvow__engine_t *engine);
/* Where the library was built to look for the system's CAs. */
const char *uvow__engine_ca_file(void);
const char *uvow__engine_ca_dir(void);
/* Overwrites what nobody may find in freed memory. */
void uvow__engine_erase(void *bytes, size_t len);

/* A connection. */

typedef enum uvow__engine_said {
  UVOW__SAID_DONE,
  UVOW__SAID_WANTS,  /* more bytes from the peer */
  UVOW__SAID_ENDED,  /* the peer said that nothing follows */
  UVOW__SAID_FAILED, /* see uvow__engine_why; only conn_free may follow */
} uvow__engine_said_t;

typedef enum uvow__engine_fault {
  UVOW__FAULT_OTHER,
  UVOW__FAULT_NO_MEMORY,
  UVOW__FAULT_ALERT,   /* the peer sent one */
  UVOW__FAULT_NO_CERT, /* the peer sent none, and must */
  UVOW__FAULT_VERSION  /* the peer speaks none of ours */
} uvow__engine_fault_t;

/* Text is static; reason may be NULL. */
typedef struct uvow__engine_why {
  uvow__engine_fault_t fault;
  int alert; /* RFC 8446 6 */
  const char *alert_text;
  const char *reason;
} uvow__engine_why_t;

/* Keeps engine and io. Returns new, or NULL. */
uvow__engine_conn_t *uvow__engine_conn_new(uvow__engine_t *engine,
                                           struct uvow__tls_io *io);
/* keep: the session may be resumed. Accepts NULL. */
void uvow__engine_conn_free(uvow__engine_conn_t *conn, int keep);
/* Whom a client talks to: SNI for a name (address_len 0); check: the
 * certificate must be for it. UVOW_EINVAL: no host has that name; UVOW_ENOMEM.
 */
int uvow__engine_expect(uvow__engine_conn_t *conn, const char *host,
                        const uint8_t *address, size_t address_len, int check);
/* Offers to resume. Returns whether the ticket is used up (RFC 8446 C.4). */
int uvow__engine_resume(uvow__engine_conn_t *conn,
                        uvow__engine_ticket_t *ticket);
void uvow__engine_ticket_free(uvow__engine_ticket_t *ticket);

uvow__engine_said_t uvow__engine_shake(uvow__engine_conn_t *conn);
/* Seals the first *ret_done of len bytes; WANTS: none, until the peer's message
 * is whole. */
uvow__engine_said_t uvow__engine_seal(uvow__engine_conn_t *conn,
                                      const void *bytes, size_t len,
                                      size_t *ret_done);
/* Opens *ret_len bytes, at most size, into `to`. */
uvow__engine_said_t uvow__engine_open(uvow__engine_conn_t *conn, void *to,
                                      size_t size, size_t *ret_len);
/* Of the call that failed last; valid until the next one. */
const uvow__engine_why_t *uvow__engine_why(const uvow__engine_conn_t *conn);
/* Says that nothing follows (close_notify). The answer isn't waited for. */
void uvow__engine_close(uvow__engine_conn_t *conn);
/* Appends the subject of the peer's certificate, in the words of RFC 2253;
 * nothing: it showed none. UVOW_ENOMEM. */
int uvow__engine_subject(const uvow__engine_conn_t *conn, uvow__buf_t *out);
/* Appends the version and the cipher agreed on, with a blank between them.
 * UVOW_ENOMEM. */
int uvow__engine_session(const uvow__engine_conn_t *conn, uvow__buf_t *out);
int uvow__engine_is_shaken(const uvow__engine_conn_t *conn);
int uvow__engine_is_resumed(const uvow__engine_conn_t *conn);

/* What an engine calls. */

#define UVOW__FLAW_NAMES 8 /* of a certificate, that are listed */
#define UVOW__FLAW_NAME 64 /* bytes of one */

typedef enum uvow__engine_flaw_kind {
  UVOW__FLAW_OTHER,
  UVOW__FLAW_EXPIRED, /* on `date` */
  UVOW__FLAW_EARLY,   /* not valid before `date` */
  UVOW__FLAW_SELF_SIGNED,
  UVOW__FLAW_OTHER_CA,   /* a root that isn't trusted */
  UVOW__FLAW_NO_ISSUER,  /* `issuer` is unknown */
  UVOW__FLAW_OTHER_HOST, /* it's for `names` */
  UVOW__FLAW_REVOKED
} uvow__engine_flaw_kind_t;

/* What is wrong with a certificate. */
typedef struct uvow__engine_flaw {
  uvow__engine_flaw_kind_t kind;
  int code;          /* the engine's own number */
  const char *text;  /* static, the engine's own words */
  char subject[160]; /* "": there's no certificate */
  char issuer[160];
  char date[80];
  size_t
      name_count; /* hosts and addresses; above the maximum: there are more */
  char names[UVOW__FLAW_NAMES][UVOW__FLAW_NAME + 4]; /* printable */
} uvow__engine_flaw_t;

/* Bytes from the peer: moves at most size of them. Returns how many. */
size_t uvow__tls_take(struct uvow__tls_io *io, void *to, size_t size);
/* Bytes for the peer. UVOW_ENOMEM: the connection is to fail. */
int uvow__tls_put(struct uvow__tls_io *io, const void *bytes, size_t len);
/* The peer's certificate isn't accepted: the first flaw that was found. */
void uvow__tls_flawed(struct uvow__tls_io *io, const uvow__engine_flaw_t *flaw);
/* A client's session may be resumed. Returns 1: the ticket is taken. */
int uvow__tls_keep_ticket(struct uvow__tls_io *io,
                          uvow__engine_ticket_t *ticket);

#endif
