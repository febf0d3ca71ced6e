#ifndef UVOW__HANDSHAKE_H
#define UVOW__HANDSHAKE_H

#include "base/buf.h"
#include "extension.h"
#include "http.h"

#define UVOW__HANDSHAKE_NONCE 16 /* bytes */
#define UVOW__HANDSHAKE_KEY 24   /* characters, without a NUL */
#define UVOW__HANDSHAKE_ACCEPT 28

typedef struct uvow__handshake_header {
  const char *name;
  const char *value;
} uvow__handshake_header_t;

/* What a client asks for. All borrowed for the call, all text NUL-terminated.*/
typedef struct uvow__handshake_request {
  const char *target;    /* Required. As of uvow__url_t. */
  const char *authority; /* Required. As of uvow__url_t. */
  const char *key;       /* Required. Of uvow__handshake_key. */
  const char *user;      /* Optional: basic auth, unless in headers. */
  const char *password;  /* Optional, with user. */
  const char *bearer;    /* Optional: a token, instead of user (RFC 6750). */
  const char *origin;    /* Optional, unless in headers (RFC 6454 7). */
  const char *const *subprotocols; /* Each a token, no two the same. */
  size_t subprotocol_count;
  const char *extensions; /* Optional, "" too: of uvow__extension_offer. */
  const uvow__handshake_header_t *headers;
  size_t header_count;
} uvow__handshake_request_t;

/* What a server found. Slices are borrowed from the head. */
typedef struct uvow__handshake_accepted {
  int status;      /* 101, or what to refuse with: 400, 405 or 426 */
  const char *why; /* static text for people, NULL with 101 */
  uvow__slice_t key;
  uvow__slice_t target;
  uvow__slice_t host;
} uvow__handshake_accepted_t;

/* Sec-WebSocket-Key of 16 random bytes (RFC 6455 4.1); ret ends in a NUL. */
void uvow__handshake_key(const uint8_t nonce[UVOW__HANDSHAKE_NONCE],
                         char ret[UVOW__HANDSHAKE_KEY + 1]);
/* Sec-WebSocket-Accept of a key (RFC 6455 4.2.2); ret ends in a NUL. Errors:
 * UVOW_EINVAL: len isn't UVOW__HANDSHAKE_KEY; UVOW_ENOMEM. */
int uvow__handshake_accept(const char *key, size_t len,
                           char ret[UVOW__HANDSHAKE_ACCEPT + 1]);

/*
 * The client's side. Each write appends all or nothing.
 *
 * Errors: UVOW_EINVAL: text that isn't what its place needs, or a header that
 * is the handshake's own (Host, Upgrade, Connection, Sec-WebSocket-*,
 * Content-Length, Transfer-Encoding); UVOW_ENOMEM; UVOW_EOVERLOAD: out's limit.
 */
int uvow__handshake_write_request(uvow__buf_t *out,
                                  const uvow__handshake_request_t *request);
/* A header of this name with Basic credentials (RFC 7617 2): user without a
 * colon, password may be NULL, neither with control bytes. UVOW_ENOMEM,
 * UVOW_EOVERLOAD. */
int uvow__handshake_write_basic(uvow__buf_t *out, const char *name,
                                const char *user, const char *password);
/*
 * Checks a complete response (RFC 6455 4.1). *ret_subprotocol is of the array,
 * or NULL: the server chose none. deflate: what was offered, and then what was
 * agreed on; NULL: nothing. On error *ret_why is static text, and the others
 * are untouched.
 *
 * Errors: UVOW_EHANDSHAKE: the status isn't 101; UVOW_EHTTP: Upgrade or
 * Connection; UVOW_EACCEPT: Sec-WebSocket-Accept; UVOW_EPROTO: a subprotocol or
 * an extension that wasn't offered; and those of uvow__handshake_accept.
 */
int uvow__handshake_check_response(const uvow__http_t *http, const char *key,
                                   const char *const *subprotocols,
                                   size_t count, uvow__deflate_terms_t *deflate,
                                   const char **ret_subprotocol,
                                   const char **ret_why);

/*
 * The server's side. Checks a complete request (RFC 6455 4.2.1). *ret is
 * written in any case. Errors: UVOW_EHANDSHAKE: to refuse with ret->status.
 * What is offered: uvow__http_list_next(http, "Sec-WebSocket-Protocol", ...),
 * each known to be a token.
 */
int uvow__handshake_check_request(const uvow__http_t *http,
                                  uvow__handshake_accepted_t *ret);
/* The first subprotocol of the client's list that is among these, as it stands
 * in the array; NULL: none. */
const char *uvow__handshake_choose_subprotocol(const uvow__http_t *http,
                                               const char *const *subprotocols,
                                               size_t count);
/* Answers 101. subprotocol may be NULL, extensions (of uvow__extension_answer)
 * NULL or "". Errors as of write_request, and UVOW_EINVAL: the key isn't one.
 */
int uvow__handshake_write_accept(uvow__buf_t *out, uvow__slice_t key,
                                 const char *subprotocol,
                                 const char *extensions,
                                 const uvow__handshake_header_t *headers,
                                 size_t count);
/* Answers with a status from 300 to 599 and `why` as text, and says that the
 * connection closes. Errors: UVOW_EINVAL: another status; UVOW_ENOMEM;
 * UVOW_EOVERLOAD. */
int uvow__handshake_write_refusal(uvow__buf_t *out, int status,
                                  const char *why);

#endif
