/*
 * What went wrong with TLS, in words: which certificate, which alert, which
 * bytes.
 *
 * 1. Text of the peer's in it is printable ASCII, and short.
 */
#include "tls_private.h"

#include <stdio.h>
#include <string.h>

#define DETAIL_MAX 1024 /* bytes */

/* Text grows by these; what doesn't fit is left out. */
static void add(uvow__buf_t *text, const char *more) {
  (void)uvow__buf_append_text(text, more);
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
  uvow_error_t *error = uvow__error_make(uvow__loop_mem(io->tls->loop), &spec);
  uvow__buf_done(text);
  uvow_error_unref(cause);
  return error;
}

/* Certificates. */

static void add_names(uvow__buf_t *text, const uvow__engine_flaw_t *flaw) {
  for (size_t i = 0; i < flaw->name_count && i < UVOW__FLAW_NAMES; i++) {
    add(text, i ? ", " : "");
    add(text, flaw->names[i]);
  }
  if (flaw->name_count > UVOW__FLAW_NAMES)
    add(text, ", ...");
  else if (flaw->name_count == 0)
    add(text, "no host at all");
}

/* The flaw, as the end of "the certificate of X ". */
static void add_flaw(uvow__buf_t *text, const uvow__tls_io_t *io,
                     const uvow__engine_flaw_t *flaw) {
  switch (flaw->kind) {
  case UVOW__FLAW_EXPIRED:
    add(text, "expired on ");
    add(text, flaw->date);
    return;
  case UVOW__FLAW_EARLY:
    add(text, "is not valid before ");
    add(text, flaw->date);
    return;
  case UVOW__FLAW_SELF_SIGNED:
    add(text, "is self-signed, and not trusted");
    return;
  case UVOW__FLAW_OTHER_CA:
    add(text, "is of a CA that is not trusted");
    return;
  case UVOW__FLAW_NO_ISSUER:
    add(text, "has an unknown issuer: ");
    add(text, flaw->issuer);
    return;
  case UVOW__FLAW_OTHER_HOST:
    add(text, "is not for ");
    add(text, io->host ? io->host : "this host");
    add(text, ", but for ");
    add_names(text, flaw);
    return;
  case UVOW__FLAW_REVOKED:
    add(text, "was revoked");
    return;
  case UVOW__FLAW_OTHER:
    add(text, "is not acceptable: ");
    add(text, flaw->text);
  }
}

void uvow__tls_flawed(uvow__tls_io_t *io, const uvow__engine_flaw_t *flaw) {
  uvow__buf_t text;
  if (io->refused)
    return; /* the first one is told */
  uvow__buf_init(&text, uvow__loop_mem(io->tls->loop), DETAIL_MAX);
  add_peer(io, &text);
  add(&text, ": the certificate of ");
  add(&text, flaw->subject[0] ? flaw->subject : "(no name)");
  add(&text, " ");
  if (flaw->subject[0])
    add_flaw(&text, io, flaw);
  else
    add(&text, flaw->text);
  io->refused = make(io, UVOW_ECERT, flaw->code, &text, NULL);
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

static void add_alert(uvow__buf_t *text, const uvow__engine_why_t *why) {
  add(text, " ended TLS with alert ");
  (void)uvow__buf_append_u64(text, (uint64_t)why->alert);
  add(text, ", ");
  add(text, why->alert_text);
}

static void add_reason(const uvow__tls_io_t *io, uvow__buf_t *text,
                       const uvow__engine_why_t *why) {
  if (why->fault == UVOW__FAULT_VERSION) {
    add(text, " speaks no version of TLS from ");
    add(text, io->tls->min_version >= UVOW_TLS_1_3 ? "1.3" : "1.2");
    add(text, " on");
    return;
  }
  add(text, io->state == UVOW__TLS_OPEN ? ": TLS failed: "
                                        : ": the TLS handshake failed: ");
  add(text, why->reason ? why->reason : "for no reason that OpenSSL tells");
}

uvow_error_t *uvow__tls_failure(uvow__tls_io_t *io) {
  const uvow__engine_why_t *why = uvow__engine_why(io->conn);
  uvow_error_t *refused = io->refused;
  int code = UVOW_ETLS;
  uvow__buf_t text;
  if (refused) {
    io->refused = NULL;
    return refused;
  }
  if (why->fault == UVOW__FAULT_NO_MEMORY)
    return uvow__error_nomem();
  uvow__buf_init(&text, uvow__loop_mem(io->tls->loop), DETAIL_MAX);
  add_peer(io, &text);
  if (why->fault == UVOW__FAULT_ALERT) {
    add_alert(&text, why);
  } else if (why->fault == UVOW__FAULT_NO_CERT) {
    code = UVOW_ECERT;
    add(&text, " sent no certificate");
  } else if (!add_foreign(io, &text)) {
    add_reason(io, &text, why);
  }
  return make(io, code, why->alert, &text, NULL);
}

uvow_error_t *uvow__tls_cut(uvow__tls_io_t *io, uvow_error_t *cause) {
  uvow__buf_t text;
  int code = io->state == UVOW__TLS_OPEN ? UVOW_ELOST : UVOW_ETLS;
  uvow__buf_init(&text, uvow__loop_mem(io->tls->loop), DETAIL_MAX);
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
