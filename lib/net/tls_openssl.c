/*
 * The TLS engine: OpenSSL 3. With lib/base/hash.c the only file that knows it.
 *
 * 1. It reads from the bytes that the io below has just brought, without a copy
 *    (uvow__tls_take), and finds nothing when they are used up: it never
 *    blocks. It writes to the io's memory (uvow__tls_put), up to a limit that
 *    only a peer reaches that asks and asks and never reads.
 * 2. OpenSSL's queue of errors is the thread's, and others use it too: it's
 *    emptied before each call, and read right behind one that failed.
 * 3. A certificate's first flaw in OpenSSL's order is told: chain, then host,
 *    then revocation, then signatures and dates.
 * 4. OpenSSL reads no file: it would look up a directory's later, while it
 *    shakes hands, and ask a terminal for a key's password.
 */
#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <uv.h>

#include <uvow/error.h>

#include "base/text.h"
#include "tls_engine.h"

struct uvow__engine {
  SSL_CTX *ssl; /* first: tests look at it */
  BIO_METHOD *bio;
  const uvow__mem_t *mem;
  int is_server;
};

struct uvow__engine_conn {
  SSL *ssl;
  struct uvow__tls_io *io;
  const uvow__mem_t *mem;
  int no_memory; /* for what it wrote */
  uvow__engine_why_t why;
};

/* RFC 7301 3.1: a list of one. */
static const unsigned char alpn[] = "\x08http/1.1";
#define ALPN_LEN (sizeof(alpn) - 1)

/* Of TLS 1.2, those with forward secrecy and authenticated encryption. */
static const char default_ciphers[] =
    "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:DHE+CHACHA20:!DSS";

/* What it reads and writes: a BIO, whose data is the connection. */

static uvow__engine_conn_t *conn_of(BIO *bio) {
  return (uvow__engine_conn_t *)BIO_get_data(bio);
}

static int bio_read(BIO *bio, char *to, size_t size, size_t *ret_len) {
  *ret_len = uvow__tls_take(conn_of(bio)->io, to, size);
  BIO_clear_retry_flags(bio);
  if (*ret_len == 0)
    BIO_set_retry_read(bio);
  return *ret_len > 0;
}

static int bio_write(BIO *bio, const char *bytes, size_t len, size_t *ret_len) {
  uvow__engine_conn_t *conn = conn_of(bio);
  BIO_clear_retry_flags(bio);
  if (uvow__tls_put(conn->io, bytes, len)) {
    conn->no_memory = 1;
    return 0;
  }
  *ret_len = len;
  return 1;
}

static long bio_ctrl(BIO *bio, int command, long number, void *pointer) {
  (void)bio;
  (void)number;
  (void)pointer;
  return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *new_method(void) {
  BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "uvow");
  if (method && BIO_meth_set_read_ex(method, bio_read) &&
      BIO_meth_set_write_ex(method, bio_write) &&
      BIO_meth_set_ctrl(method, bio_ctrl))
    return method;
  BIO_meth_free(method);
  return NULL;
}

static struct uvow__tls_io *io_of(const SSL *ssl) {
  return (struct uvow__tls_io *)SSL_get_app_data(ssl);
}

/* Certificates that aren't accepted. */

static void put_subject(char to[160], const X509_NAME *name) {
  if (!name || X509_NAME_entry_count(name) == 0 ||
      !X509_NAME_oneline(name, to, 160))
    snprintf(to, 160, "(no name)");
}

static void put_date(char to[80], const ASN1_TIME *time) {
  struct tm tm;
  if (!time || !ASN1_TIME_to_tm(time, &tm))
    snprintf(to, 80, "(a date that can't be read)");
  else
    snprintf(to, 80, "%04d-%02d-%02d %02d:%02d:%02d UTC", tm.tm_year + 1900,
             tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

/* A host name or address that the certificate is for. */
static void put_name(uvow__engine_flaw_t *flaw, const GENERAL_NAME *name) {
  char address[64];
  int type;
  const ASN1_STRING *value =
      (const ASN1_STRING *)GENERAL_NAME_get0_value(name, &type);
  if (type != GEN_DNS && type != GEN_IPADD)
    return;
  uvow__slice_t text = {(const char *)ASN1_STRING_get0_data(value),
                        (size_t)ASN1_STRING_length(value)};
  if (type == GEN_IPADD) {
    if ((text.len != 4 && text.len != 16) ||
        uv_inet_ntop(text.len == 4 ? AF_INET : AF_INET6, text.ptr, address,
                     sizeof(address)))
      return;
    text = uvow__slice_of(address);
  }
  if (flaw->name_count < UVOW__FLAW_NAMES) {
    char *to = flaw->names[flaw->name_count];
    uvow__text_shown(to, sizeof(flaw->names[0]), text);
    while ((to = strchr(to, ' ')))
      *to = '?'; /* one name doesn't look like two */
  }
  flaw->name_count++;
}

static void put_names(uvow__engine_flaw_t *flaw, X509 *cert) {
  GENERAL_NAMES *names =
      (GENERAL_NAMES *)X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
  int count = names ? sk_GENERAL_NAME_num(names) : 0;
  for (int i = 0; i < count; i++)
    put_name(flaw, sk_GENERAL_NAME_value(names, i));
  GENERAL_NAMES_free(names);
}

static uvow__engine_flaw_kind_t kind_of(int code) {
  switch (code) {
  case X509_V_ERR_CERT_HAS_EXPIRED:
    return UVOW__FLAW_EXPIRED;
  case X509_V_ERR_CERT_NOT_YET_VALID:
    return UVOW__FLAW_EARLY;
  case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    return UVOW__FLAW_SELF_SIGNED;
  case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    return UVOW__FLAW_OTHER_CA;
  case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
  case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
  case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    return UVOW__FLAW_NO_ISSUER;
  case X509_V_ERR_HOSTNAME_MISMATCH:
  case X509_V_ERR_IP_ADDRESS_MISMATCH:
    return UVOW__FLAW_OTHER_HOST;
  case X509_V_ERR_CERT_REVOKED:
    return UVOW__FLAW_REVOKED;
  default:
    return UVOW__FLAW_OTHER;
  }
}

static int on_verify(int ok, X509_STORE_CTX *store) {
  uvow__engine_flaw_t flaw;
  const SSL *ssl = (const SSL *)X509_STORE_CTX_get_ex_data(
      store, SSL_get_ex_data_X509_STORE_CTX_idx());
  X509 *cert = X509_STORE_CTX_get_current_cert(store);
  if (ok)
    return ok;
  memset(&flaw, 0, sizeof(flaw));
  flaw.code = X509_STORE_CTX_get_error(store);
  flaw.text = X509_verify_cert_error_string(flaw.code);
  if (cert) {
    flaw.kind = kind_of(flaw.code);
    put_subject(flaw.subject, X509_get_subject_name(cert));
    put_subject(flaw.issuer, X509_get_issuer_name(cert));
    put_date(flaw.date, flaw.kind == UVOW__FLAW_EARLY
                            ? X509_get0_notBefore(cert)
                            : X509_get0_notAfter(cert));
    put_names(&flaw, cert);
  }
  uvow__tls_flawed(io_of(ssl), &flaw);
  return 0;
}

/* Contexts. */

/* RFC 7301 3.2: a peer that offers none of ours gets an alert. */
static int choose_alpn(SSL *ssl, const unsigned char **ret, unsigned char *len,
                       const unsigned char *offered, unsigned offered_len,
                       void *data) {
  unsigned char *chosen;
  (void)ssl;
  (void)data;
  if (SSL_select_next_proto(&chosen, len, alpn, ALPN_LEN, offered,
                            offered_len) != OPENSSL_NPN_NEGOTIATED)
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  *ret = chosen;
  return SSL_TLSEXT_ERR_OK;
}

/* The server let us resume this. Taken if the answer is 1. */
static int on_new_session(SSL *ssl, SSL_SESSION *session) {
  return uvow__tls_keep_ticket(io_of(ssl),
                               (uvow__engine_ticket_t *)(void *)session);
}

static void set_sessions(SSL_CTX *ssl, const uvow__engine_rules_t *rules) {
  /* A server's are in its tickets; nothing is kept here. */
  SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
  if (!rules->resume) {
    SSL_CTX_set_options(ssl, SSL_OP_NO_TICKET);
    SSL_CTX_set_num_tickets(ssl, 0);
  } else if (!rules->is_server) {
    SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_CLIENT |
                                            SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ssl, on_new_session);
  }
}

static void set_verification(SSL_CTX *ssl, uvow__engine_verify_t verify) {
  int mode = SSL_VERIFY_PEER;
  if (verify == UVOW__VERIFY_NONE)
    return; /* which is OpenSSL's default */
  if (verify == UVOW__VERIFY_ALL)
    mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
  SSL_CTX_set_verify(ssl, mode, on_verify);
  /* What the user names is trusted, be it a root or not. */
  X509_STORE_set_flags(SSL_CTX_get_cert_store(ssl), X509_V_FLAG_PARTIAL_CHAIN);
}

static int set_rules(SSL_CTX *ssl, const uvow__engine_rules_t *rules) {
  static const unsigned char name[] = "uvow";
  SSL_CTX_set_min_proto_version(ssl, (int)rules->min_version);
  SSL_CTX_set_max_proto_version(ssl, (int)rules->max_version);
  SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS);
  if (!SSL_CTX_set_session_id_context(ssl, name, sizeof(name) - 1))
    return UVOW_ENOMEM;
  if (rules->is_server)
    SSL_CTX_set_alpn_select_cb(ssl, choose_alpn, NULL);
  else if (SSL_CTX_set_alpn_protos(ssl, alpn, ALPN_LEN))
    return UVOW_ENOMEM; /* its 0 is success */
  set_sessions(ssl, rules);
  set_verification(ssl, rules->verify);
  return 0;
}

static int set_ciphers(SSL_CTX *ssl, const uvow__engine_rules_t *rules,
                       const char **ret_wrong) {
  const char *list = rules->ciphers ? rules->ciphers : default_ciphers;
  *ret_wrong = NULL;
  if (!SSL_CTX_set_cipher_list(ssl, list))
    *ret_wrong = "ciphers";
  else if (rules->ciphersuites &&
           !SSL_CTX_set_ciphersuites(ssl, rules->ciphersuites))
    *ret_wrong = "ciphersuites";
  return *ret_wrong ? UVOW_ETLS : 0;
}

int uvow__engine_new(const uvow__mem_t *mem, const uvow__engine_rules_t *rules,
                     uvow__engine_t **ret_engine, const char **ret_wrong) {
  uvow__engine_t *engine = (uvow__engine_t *)uvow__calloc(mem, sizeof(*engine));
  int rc = UVOW_ENOMEM;
  if (!engine)
    return rc;
  ERR_clear_error();
  engine->mem = mem;
  engine->is_server = rules->is_server;
  engine->bio = new_method();
  engine->ssl =
      SSL_CTX_new(rules->is_server ? TLS_server_method() : TLS_client_method());
  if (engine->bio && engine->ssl)
    rc = set_ciphers(engine->ssl, rules, ret_wrong);
  if (rc == 0)
    rc = set_rules(engine->ssl, rules);
  ERR_clear_error();
  if (rc)
    uvow__engine_free(engine);
  else
    *ret_engine = engine;
  return rc;
}

void uvow__engine_free(uvow__engine_t *engine) {
  SSL_CTX_free(engine->ssl);
  BIO_meth_free(engine->bio);
  uvow__free(engine->mem, engine);
}

/* What a context is given as text. */

/* Without a password, an encrypted key is an error; nobody is asked. */
static int give_password(char *to, int size, int writing, void *data) {
  const char *password = (const char *)data;
  size_t len = password ? strlen(password) : 0;
  (void)writing;
  if (len == 0 || len > (size_t)size)
    return -1;
  memcpy(to, password, len);
  return (int)len;
}

static int take_ca(uvow__engine_t *engine, X509 *cert) {
  return X509_STORE_add_cert(SSL_CTX_get_cert_store(engine->ssl), cert) &&
         (!engine->is_server || SSL_CTX_add_client_CA(engine->ssl, cert));
}

/* The first is ours, the others lead to its CA. */
static int take_link(uvow__engine_t *engine, X509 *cert, long before) {
  return before == 0 ? SSL_CTX_use_certificate(engine->ssl, cert)
                     : (int)SSL_CTX_add1_chain_cert(engine->ssl, cert);
}

static int take_crl(uvow__engine_t *engine, X509_CRL *crl) {
  X509_STORE *store = SSL_CTX_get_cert_store(engine->ssl);
  X509_STORE_set_flags(store,
                       X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
  return X509_STORE_add_crl(store, crl);
}

/* Takes the next of its kind: 1; 0: there's none, or it can't be read; -1: it
 * can't be taken. */
static int take_next(uvow__engine_t *engine, uvow__engine_pem_t kind, BIO *bio,
                     const char *password, long before) {
  int ok;
  if (kind == UVOW__PEM_CRLS) {
    X509_CRL *crl = PEM_read_bio_X509_CRL(bio, NULL, give_password, NULL);
    if (!crl)
      return 0;
    ok = take_crl(engine, crl);
    X509_CRL_free(crl);
  } else if (kind == UVOW__PEM_KEY) {
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, give_password,
                                            (void *)(uintptr_t)password);
    if (!key)
      return 0;
    ok = SSL_CTX_use_PrivateKey(engine->ssl, key);
    EVP_PKEY_free(key);
  } else {
    X509 *cert = PEM_read_bio_X509_AUX(bio, NULL, give_password, NULL);
    if (!cert)
      return 0;
    ok = kind == UVOW__PEM_CAS ? take_ca(engine, cert)
                               : take_link(engine, cert, before);
    X509_free(cert);
  }
  return ok ? 1 : -1;
}

/* Whether a text was read to its end: there's no more PEM. */
static int is_at_end(void) {
  unsigned long why = ERR_peek_last_error();
  return why == 0 || (ERR_GET_LIB(why) == ERR_LIB_PEM &&
                      ERR_GET_REASON(why) == PEM_R_NO_START_LINE);
}

long uvow__engine_load(uvow__engine_t *engine, uvow__engine_pem_t kind,
                       const char *text, size_t len, const char *password,
                       const char **ret_reason) {
  BIO *bio = BIO_new_mem_buf(len ? text : "", (int)len);
  long count = 0;
  int rc = bio ? 1 : -1;
  ERR_clear_error();
  while (rc > 0) {
    rc = take_next(engine, kind, bio, password, count);
    count += rc > 0;
    if (kind == UVOW__PEM_KEY)
      break; /* others may follow, of others */
  }
  if (rc < 0 || (rc == 0 && !is_at_end()))
    count = -1;
  *ret_reason = ERR_reason_error_string(ERR_peek_error());
  ERR_clear_error();
  BIO_free(bio);
  return count;
}

int uvow__engine_key_fits(const uvow__engine_t *engine) {
  int fits = SSL_CTX_check_private_key(engine->ssl);
  ERR_clear_error();
  return fits;
}

const char *uvow__engine_ca_file(void) {
  return X509_get_default_cert_file();
}

const char *uvow__engine_ca_dir(void) {
  return X509_get_default_cert_dir();
}

void uvow__engine_erase(void *bytes, size_t len) {
  OPENSSL_cleanse(bytes, len);
}

/* Connections. */

static int attach_bio(uvow__engine_conn_t *conn, BIO_METHOD *method) {
  BIO *bio = BIO_new(method);
  if (!bio)
    return 0;
  BIO_set_data(bio, conn);
  BIO_set_init(bio, 1);
  SSL_set_bio(conn->ssl, bio, bio);
  return 1;
}

uvow__engine_conn_t *uvow__engine_conn_new(uvow__engine_t *engine,
                                           struct uvow__tls_io *io) {
  uvow__engine_conn_t *conn =
      (uvow__engine_conn_t *)uvow__calloc(engine->mem, sizeof(*conn));
  if (!conn)
    return NULL;
  ERR_clear_error();
  conn->mem = engine->mem;
  conn->io = io;
  conn->ssl = SSL_new(engine->ssl);
  if (conn->ssl && SSL_set_app_data(conn->ssl, io) &&
      attach_bio(conn, engine->bio)) {
    if (engine->is_server)
      SSL_set_accept_state(conn->ssl);
    else
      SSL_set_connect_state(conn->ssl);
    return conn;
  }
  ERR_clear_error();
  uvow__engine_conn_free(conn, 0);
  return NULL;
}

void uvow__engine_conn_free(uvow__engine_conn_t *conn, int keep) {
  if (!conn)
    return;
  if (keep && conn->ssl) /* else the session could not be resumed */
    SSL_set_shutdown(conn->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
  SSL_free(conn->ssl);
  uvow__free(conn->mem, conn);
}

/* SNI: RFC 6066 3, names only. */
int uvow__engine_expect(uvow__engine_conn_t *conn, const char *host,
                        const uint8_t *address, size_t address_len, int check) {
  X509_VERIFY_PARAM *param = SSL_get0_param(conn->ssl);
  if (!address_len && !SSL_set_tlsext_host_name(conn->ssl, host))
    return UVOW_EINVAL;
  if (!check)
    return 0;
  X509_VERIFY_PARAM_set_hostflags(param,
                                  X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
                                      X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
  int ok = address_len ? X509_VERIFY_PARAM_set1_ip(param, address, address_len)
                       : X509_VERIFY_PARAM_set1_host(param, host, 0);
  return ok ? 0 : UVOW_ENOMEM;
}

int uvow__engine_resume(uvow__engine_conn_t *conn,
                        uvow__engine_ticket_t *ticket) {
  SSL_SESSION *session = (SSL_SESSION *)(void *)ticket;
  /* Without it there's a whole handshake. */
  (void)SSL_set_session(conn->ssl, session);
  return SSL_SESSION_get_protocol_version(session) >= TLS1_3_VERSION ||
         !SSL_SESSION_is_resumable(session);
}

void uvow__engine_ticket_free(uvow__engine_ticket_t *ticket) {
  SSL_SESSION_free((SSL_SESSION *)(void *)ticket);
}

static int is_reason(unsigned long why, int reason) {
  return ERR_GET_LIB(why) == ERR_LIB_SSL && ERR_GET_REASON(why) == reason;
}

/* Notes why a call failed, from OpenSSL's queue, which it empties. */
static void note_why(uvow__engine_conn_t *conn) {
  unsigned long why = ERR_peek_error();
  uvow__engine_why_t *to = &conn->why;
  int alert = ERR_GET_REASON(why) - SSL_AD_REASON_OFFSET;
  memset(to, 0, sizeof(*to));
  if (conn->no_memory || ERR_GET_REASON(why) == ERR_R_MALLOC_FAILURE) {
    to->fault = UVOW__FAULT_NO_MEMORY;
  } else if (ERR_GET_LIB(why) == ERR_LIB_SSL && alert > 0 && alert < 256) {
    to->fault = UVOW__FAULT_ALERT;
    to->alert = alert;
    to->alert_text = SSL_alert_desc_string_long(alert);
  } else if (is_reason(why, SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE)) {
    to->fault = UVOW__FAULT_NO_CERT;
  } else if (is_reason(why, SSL_R_UNSUPPORTED_PROTOCOL)) {
    to->fault = UVOW__FAULT_VERSION;
  }
  to->reason = ERR_reason_error_string(why);
  ERR_clear_error();
}

/* What a call that returned rc has to say. */
static uvow__engine_said_t judge(uvow__engine_conn_t *conn, int rc) {
  int said = rc > 0 ? SSL_ERROR_NONE : SSL_get_error(conn->ssl, rc);
  if (said == SSL_ERROR_NONE)
    return UVOW__SAID_DONE;
  if (said == SSL_ERROR_WANT_READ)
    return UVOW__SAID_WANTS;
  if (said == SSL_ERROR_ZERO_RETURN)
    return UVOW__SAID_ENDED;
  note_why(conn);
  return UVOW__SAID_FAILED;
}

uvow__engine_said_t uvow__engine_shake(uvow__engine_conn_t *conn) {
  ERR_clear_error();
  return judge(conn, SSL_do_handshake(conn->ssl));
}

uvow__engine_said_t uvow__engine_seal(uvow__engine_conn_t *conn,
                                      const void *bytes, size_t len,
                                      size_t *ret_done) {
  ERR_clear_error();
  *ret_done = 0;
  return judge(conn, SSL_write_ex(conn->ssl, bytes, len, ret_done));
}

uvow__engine_said_t uvow__engine_open(uvow__engine_conn_t *conn, void *to,
                                      size_t size, size_t *ret_len) {
  ERR_clear_error();
  *ret_len = 0;
  return judge(conn, SSL_read_ex(conn->ssl, to, size, ret_len));
}

const uvow__engine_why_t *uvow__engine_why(const uvow__engine_conn_t *conn) {
  return &conn->why;
}

void uvow__engine_close(uvow__engine_conn_t *conn) {
  ERR_clear_error();
  (void)SSL_shutdown(conn->ssl);
}

int uvow__engine_is_shaken(const uvow__engine_conn_t *conn) {
  return SSL_is_init_finished(conn->ssl);
}

int uvow__engine_is_resumed(const uvow__engine_conn_t *conn) {
  return SSL_session_reused(conn->ssl);
}

int uvow__engine_subject(const uvow__engine_conn_t *conn, uvow__buf_t *out) {
  X509 *cert = SSL_get1_peer_certificate(conn->ssl);
  BIO *bio = cert ? BIO_new(BIO_s_mem()) : NULL;
  char *text = NULL;
  int rc = cert && !bio ? UVOW_ENOMEM : 0;
  if (bio && X509_NAME_print_ex(bio, X509_get_subject_name(cert), 0,
                                XN_FLAG_RFC2253) >= 0) {
    long len = BIO_get_mem_data(bio, &text);
    rc = uvow__buf_append(out, text, len > 0 ? (size_t)len : 0);
  }
  BIO_free(bio);
  X509_free(cert);
  ERR_clear_error();
  return rc;
}

int uvow__engine_session(const uvow__engine_conn_t *conn, uvow__buf_t *out) {
  const char *version = SSL_get_version(conn->ssl);
  const char *cipher = SSL_get_cipher_name(conn->ssl);
  int rc = uvow__buf_append(out, version, strlen(version));
  if (rc == 0)
    rc = uvow__buf_append(out, " ", 1);
  return rc ? rc : uvow__buf_append(out, cipher, strlen(cipher));
}
