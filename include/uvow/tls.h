#ifndef UVOW_TLS_H
#define UVOW_TLS_H

/**
 * @file tls.h
 * wss: what a client trusts, what a server shows.
 *
 * One context serves any number of clients, or of servers, of its loop. All of
 * its files are read when it's made, none later. Everything here is for the
 * loop's thread.
 */

#include "loop.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Certificates, keys and rules for TLS connections. Counted. */
typedef struct uvow_tls uvow_tls_t;

/** A version of TLS. Older ones aren't spoken. */
typedef enum uvow_tls_version {
  UVOW_TLS_1_2 = 0x0303,
  UVOW_TLS_1_3 = 0x0304
} uvow_tls_version_t;

/** Whether a server asks its peers for certificates. */
typedef enum uvow_tls_client_certs {
  UVOW_TLS_CLIENT_CERT_NONE = 0,
  /** Asks for one; one that is sent must be good. */
  UVOW_TLS_CLIENT_CERT_OPTIONAL = 1,
  /** Who has none is refused. */
  UVOW_TLS_CLIENT_CERT_REQUIRED = 2
} uvow_tls_client_certs_t;

/**
 * Options of uvow_tls_new. Everything is copied. Files and texts are PEM, at
 * most 16 MiB each; a file and a text of the same purpose exclude each other,
 * but for CAs, which add up.
 */
typedef struct uvow_tls_options {
  /** Required. sizeof(uvow_tls_options_t). */
  size_t size;
  /** Optional. 1: for servers. Then a certificate and its key are required. */
  int is_server;
  /** Optional, default 0. 1: SSL_CERT_FILE and SSL_CERT_DIR aren't read, as a
   * program that runs with more rights than its user has should have it. */
  int no_environment;
  /** Optional, default, for a client: what the environment's SSL_CERT_FILE and
   * SSL_CERT_DIR (directories, as OpenSSL separates them) name, where one of
   * them is set, else the system's CAs. With any of these three, only what
   * they hold is trusted. A directory is read whole, not by hashed names. */
  const char *ca_file;
  const char *ca_dir;
  const char *ca_pem;
  /** Optional. 1: the system's CAs as well. */
  int add_system_cas;
  uint32_t reserved;
  /** Optional. Revoked certificates: then every issuer must have a list. */
  const char *crl_file;
  const char *crl_pem;
  /** Optional. Our own certificate, the chain to its CA behind it. */
  const char *cert_file;
  const char *cert_pem;
  /** Required with a certificate: its private key. */
  const char *key_file;
  const char *key_pem;
  /** Optional. For a key that is encrypted; nobody is ever asked for it. */
  const char *key_password;
  /** Optional. 1: any certificate will do, for any host: the connection is
   * secret to whoever it is with, and that may be anybody. */
  int insecure_no_verify;
  /** Optional. 1: a certificate of a trusted CA will do, for any host. */
  int insecure_no_host_check;
  /** Optional, default UVOW_TLS_1_2. */
  uvow_tls_version_t min_version;
  /** Optional, default the newest. */
  uvow_tls_version_t max_version;
  /** Optional. In OpenSSL's words: for TLS 1.2, default those with forward
   * secrecy and authenticated encryption (what it has beyond them: "DEFAULT");
   * for TLS 1.3, default OpenSSL's. */
  const char *ciphers;
  const char *ciphersuites;
  /** Optional. 1: every connection has a whole handshake. */
  int no_resumption;
  /** Optional, for servers. With it, CAs as above are whose certificates are
   * accepted; the system's only by add_system_cas. */
  uvow_tls_client_certs_t client_certs;
} uvow_tls_options_t;

/** What happened with a context. */
typedef struct uvow_tls_stats {
  /** Required. sizeof(uvow_tls_stats_t): set it before the call. */
  size_t size;
  size_t reserved;
  /** Handshakes that were finished. */
  uint64_t handshakes;
  /** Of those, the ones that resumed an earlier session. */
  uint64_t resumed;
  /** Handshakes that failed: on both sides' account. */
  uint64_t failed;
} uvow_tls_stats_t;

/**
 * Makes a context, and reads its files.
 *
 * Borrows loop and options (NULL: a client's, with all defaults). Returns new
 * in ret_tls; release it with uvow_tls_unref: until then the loop's memory
 * stays. On every failure ret_error (may be NULL) gets a new error of the code
 * that is returned; where an option is wrong it says which, and how. It's
 * untouched on success. Blocks while it reads: some ms for the system's CAs, so
 * share a context where you can.
 *
 * Errors: UVOW_EINVAL: options that can't be read, or that exclude each other;
 * UVOW_ETLS: no PEM, no certificate in it, a key that isn't the certificate's,
 * unknown ciphers; UVOW_ETOOBIG: a file of more than 16 MiB; UVOW_ENOMEM;
 * libuv's, for files; UVOW_ECLOSED: the loop is. Since 0.1.
 */
UVOW_API int uvow_tls_new(uvow_loop_t *loop, const uvow_tls_options_t *options,
                          uvow_tls_t **ret_tls, uvow_error_t **ret_error);

/** One more owner. Accepts NULL. Returns its argument. Since 0.1. */
UVOW_NEW uvow_tls_t *uvow_tls_ref(uvow_tls_t *tls);
/** One owner less; the last one frees it: clients, servers and connections own
 * it too. Accepts NULL. Since 0.1. */
UVOW_API void uvow_tls_unref(uvow_tls_t *tls);

/** Fills in *ret; its size must be set. Errors: UVOW_EINVAL. Since 0.1. */
UVOW_API int uvow_tls_get_stats(const uvow_tls_t *tls, uvow_tls_stats_t *ret);

#ifdef __cplusplus
}
#endif

#endif
