/*
 * What went wrong with TLS, in words: which certificate, which alert, which
 * bytes.
 *
 * 1. Text of the peer's in it is printable ASCII, and short.
 * 2. A certificate's first flaw in OpenSSL's order is told: chain, then host,
 *    then revocation, then signatures and dates.
 */
#include "tls_private.h"

#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#define DETAIL_MAX 1024 /* bytes */
#define NAMES_MAX 8     /* of a certificate, that are listed */
#define NAME_MAX_LEN 64 /* bytes of one */

static const uvow__mem_t *mem_of(const uvow__tls_io_t *io) {
  return uvow__loop_mem(io->tls->loop);
}

/* Text grows by these; what doesn't fit is left out. */
static void add(uvow__buf_t *text, const char *more) {
  (void)uvow__buf_append_text(text, more);
}

static void add_printable(uvow__buf_t *text, const void *bytes, size_t len) {
  char name[NAME_MAX_LEN + 4];
  size_t shown = len < NAME_MAX_LEN ? len : NAME_MAX_LEN;
  for (size_t i = 0; i < shown; i++) {
    char c = ((const char *)bytes)[i];
    name[i] = c > ' ' && c <= '~' ? c : '?';
  }
  memcpy(name + shown, shown < len ? "..." : "", shown < len ? 4 : 1);
  add(text, name);
}

/* "the server example.org port 443", or "the peer". */
static void add_peer(const uvow__tls_io_t *io, uvow__buf_t *text) {
  if (!io->host) {
    add(text, "the peer");
    return;
  }
  add(text, "the server ");
  add(text, io->host);
  add(text, " port ");
  (void)uvow__buf_append_u64(text, io->port);
}

/* Takes text and cause. */
static uvow_error_t *make(const uvow__tls_io_t *io, int code, int status,
                          uvow__buf_t *text, uvow_error_t *cause) {
  uvow__error_spec_t spec = {0};
  spec.code = code;
  spec.status = status;
  spec.cause = cause;
  spec.detail.len = uvow__buf_size(text);
  if (spec.detail.len)
    spec.detail.ptr = (const char *)uvow__buf_front(text);
  uvow_error_t *error = uvow__error_make(mem_of(io), &spec);
  uvow__buf_done(text);
  uvow_error_unref(cause);
  return error;
}

/* Certificates. */

static void add_subject(uvow__buf_t *text, const X509_NAME *name) {
  char line[160];
  if (!name || X509_NAME_entry_count(name) == 0 ||
      !X509_NAME_oneline(name, line, sizeof(line)))
    snprintf(line, sizeof(line), "(no name)");
  add(text, line);
}

static void add_time(uvow__buf_t *text, const ASN1_TIME *time) {
  struct tm tm;
  char line[80];
  if (!time || !ASN1_TIME_to_tm(time, &tm))
    snprintf(line, sizeof(line), "(a date that can't be read)");
  else
    snprintf(line, sizeof(line), "%04d-%02d-%02d %02d:%02d:%02d UTC",
             tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
             tm.tm_min, tm.tm_sec);
  add(text, line);
}

/* A host name or address that the certificate is for; 0: neither. */
static int add_name(uvow__buf_t *text, const GENERAL_NAME *name, int first) {
  char address[64];
  int type;
  const ASN1_STRING *value =
      (const ASN1_STRING *)GENERAL_NAME_get0_value(name, &type);
  const unsigned char *bytes = ASN1_STRING_get0_data(value);
  size_t len = (size_t)ASN1_STRING_length(value);
  if (type == GEN_IPADD && (len == 4 || len == 16) &&
      uv_inet_ntop(len == 4 ? AF_INET : AF_INET6, bytes, address,
                   sizeof(address)) == 0) {
    bytes = (const unsigned char *)address;
    len = strlen(address);
  } else if (type != GEN_DNS) {
    return 0;
  }
  if (!first)
    add(text, ", ");
  add_printable(text, bytes, len);
  return 1;
}

static int is_host_name(const GENERAL_NAME *name) {
  int type;
  (void)GENERAL_NAME_get0_value(name, &type);
  return type == GEN_DNS || type == GEN_IPADD;
}

static void add_names(uvow__buf_t *text, X509 *cert) {
  GENERAL_NAMES *names =
      (GENERAL_NAMES *)X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
  int count = names ? sk_GENERAL_NAME_num(names) : 0;
  int shown = 0;
  for (int i = 0; i < count; i++) {
    const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
    if (!is_host_name(name))
      continue;
    if (shown == NAMES_MAX) {
      add(text, ", ...");
      break;
    }
    shown += add_name(text, name, shown == 0);
  }
  if (shown == 0)
    add(text, "no host at all");
  GENERAL_NAMES_free(names);
}

/* The flaw, as the end of "the certificate of X ". */
static void add_flaw(uvow__buf_t *text, const uvow__tls_io_t *io, int code,
                     X509 *cert) {
  switch (code) {
  case X509_V_ERR_CERT_HAS_EXPIRED:
    add(text, "expired on ");
    add_time(text, X509_get0_notAfter(cert));
    return;
  case X509_V_ERR_CERT_NOT_YET_VALID:
    add(text, "is not valid before ");
    add_time(text, X509_get0_notBefore(cert));
    return;
  case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    add(text, "is self-signed, and not trusted");
    return;
  case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    add(text, "is of a CA that is not trusted");
    return;
  case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
  case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
  case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    add(text, "has an unknown issuer: ");
    add_subject(text, X509_get_issuer_name(cert));
    return;
  case X509_V_ERR_HOSTNAME_MISMATCH:
  case X509_V_ERR_IP_ADDRESS_MISMATCH:
    add(text, "is not for ");
    add(text, io->host ? io->host : "this host");
    add(text, ", but for ");
    add_names(text, cert);
    return;
  case X509_V_ERR_CERT_REVOKED:
    add(text, "was revoked");
    return;
  default:
    add(text, "is not acceptable: ");
    add(text, X509_verify_cert_error_string(code));
  }
}

int uvow__tls_verify(int ok, X509_STORE_CTX *store) {
  if (ok)
    return ok;
  SSL *ssl = (SSL *)X509_STORE_CTX_get_ex_data(
      store, SSL_get_ex_data_X509_STORE_CTX_idx());
  uvow__tls_io_t *io = (uvow__tls_io_t *)SSL_get_app_data(ssl);
  X509 *cert = X509_STORE_CTX_get_current_cert(store);
  int code = X509_STORE_CTX_get_error(store);
  uvow__buf_t text;
  if (io->refused)
    return 0;
  uvow__buf_init(&text, mem_of(io), DETAIL_MAX);
  add_peer(io, &text);
  add(&text, ": the certificate of ");
  add_subject(&text, cert ? X509_get_subject_name(cert) : NULL);
  add(&text, " ");
  if (cert)
    add_flaw(&text, io, code, cert);
  else
    add(&text, X509_verify_cert_error_string(code));
  io->refused = make(io, UVOW_ECERT, code, &text, NULL);
  return 0;
}

/* Everything else. */

static int begins(const uvow__tls_io_t *io, const char *text) {
  size_t len = strlen(text);
  return io->first_len >= len && memcmp(io->first, text, len) == 0;
}

/* The first bytes are none of TLS: says which. 0: they are, or there are none.
 */
static int add_foreign(const uvow__tls_io_t *io, uvow__buf_t *text) {
  char hex[4];
  if (io->state != UVOW__TLS_SHAKING || io->first_len == 0)
    return 0;
  /* A record: an alert or a handshake, version 3.x (RFC 8446 5.1). */
  if ((io->first[0] == 0x15 || io->first[0] == 0x16) &&
      (io->first_len < 2 || io->first[1] == 3))
    return 0;
  if (begins(io, "HTTP/") || begins(io, "GET ") || begins(io, "POST ") ||
      begins(io, "HEAD ")) {
    add(text, " speaks plain HTTP on this port, not TLS");
    return 1;
  }
  add(text, " does not speak TLS: its first bytes are");
  for (size_t i = 0; i < io->first_len; i++) {
    snprintf(hex, sizeof(hex), " %02x", io->first[i]);
    add(text, hex);
  }
  return 1;
}

static void add_alert(uvow__buf_t *text, int alert) {
  add(text, " ended TLS with alert ");
  (void)uvow__buf_append_u64(text, (uint64_t)alert);
  add(text, ", ");
  add(text, SSL_alert_desc_string_long(alert));
}

static const char *version_name(int version) {
  return version >= UVOW_TLS_1_3 ? "1.3" : "1.2";
}

static int is_reason(unsigned long why, int reason) {
  return ERR_GET_LIB(why) == ERR_LIB_SSL && ERR_GET_REASON(why) == reason;
}

/* The alert that the peer sent, or 0. */
static int alert_in(unsigned long why) {
  int alert = ERR_GET_REASON(why) - SSL_AD_REASON_OFFSET;
  return ERR_GET_LIB(why) == ERR_LIB_SSL && alert > 0 && alert < 256 ? alert
                                                                     : 0;
}

static void add_reason(const uvow__tls_io_t *io, uvow__buf_t *text,
                       unsigned long why) {
  const char *reason = ERR_reason_error_string(why);
  if (is_reason(why, SSL_R_UNSUPPORTED_PROTOCOL)) {
    add(text, " speaks no version of TLS from ");
    add(text, version_name(io->tls->min_version));
    add(text, " on");
    return;
  }
  add(text, io->state == UVOW__TLS_OPEN ? ": TLS failed: "
                                        : ": the TLS handshake failed: ");
  add(text, reason ? reason : "for no reason that OpenSSL tells");
}

uvow_error_t *uvow__tls_failure(uvow__tls_io_t *io) {
  unsigned long why = ERR_peek_error();
  uvow_error_t *refused = io->refused;
  int code = UVOW_ETLS;
  int alert = alert_in(why);
  uvow__buf_t text;
  ERR_clear_error();
  if (refused) {
    io->refused = NULL;
    return refused;
  }
  if (io->no_memory || ERR_GET_REASON(why) == ERR_R_MALLOC_FAILURE)
    return uvow__error_nomem();
  uvow__buf_init(&text, mem_of(io), DETAIL_MAX);
  add_peer(io, &text);
  if (alert) {
    add_alert(&text, alert);
  } else if (is_reason(why, SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE)) {
    code = UVOW_ECERT;
    add(&text, " sent no certificate");
  } else if (!add_foreign(io, &text)) {
    add_reason(io, &text, why);
  }
  return make(io, code, alert, &text, NULL);
}

uvow_error_t *uvow__tls_cut(uvow__tls_io_t *io, uvow_error_t *cause) {
  uvow__buf_t text;
  int code = io->state == UVOW__TLS_OPEN ? UVOW_ELOST : UVOW_ETLS;
  uvow__buf_init(&text, mem_of(io), DETAIL_MAX);
  add_peer(io, &text);
  if (code == UVOW_ETLS && !cause && add_foreign(io, &text))
    return make(io, code, 0, &text, cause);
  if (code == UVOW_ELOST)
    add(&text,
        " ended the connection without a TLS close: bytes may be"
        " missing");
  else if (cause)
    add(&text, ": the connection was lost in the TLS handshake: ");
  else
    add(&text, " ended the connection in the TLS handshake");
  if (cause)
    add(&text, uvow_error_message(cause));
  return make(io, code, 0, &text, cause);
}
