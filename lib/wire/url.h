#ifndef UVOW__URL_H
#define UVOW__URL_H

#include "base/mem.h"

#define UVOW__URL_MAX 8192 /* bytes */

/* Where to connect, and what to ask for. All text is owned, and ends in NUL. */
typedef struct uvow__url {
  const uvow__mem_t *mem;
  int secure;      /* wss */
  char *host;      /* to resolve: lower case, IPv6 without its brackets */
  uint16_t port;   /* 80 or 443 where the URL has none */
  char *authority; /* for Host: brackets, and the port unless the default */
  char *target;    /* path and query, as written; at least "/" */
  char *user;      /* percent-decoded, no control bytes or colon; NULL: none */
  char *password;  /* the same; NULL: none */
  char *path;      /* of ws+unix: the socket's, decoded; else NULL */
} uvow__url_t;

/*
 * Parses a ws or wss URL (RFC 6455 3, RFC 3986 3), or that of a Unix domain
 * socket: ws+unix:///path/to/socket[:/request/path], without a host, but for
 * "localhost" as host and authority. A colon or question mark that is part of
 * the socket's path is escaped there. Borrows text; ret is to be done, and is
 * untouched on error.
 *
 * What it takes, the handshake can ask for: there's no second check.
 *
 * Errors: UVOW_EURL: no URL, longer than UVOW__URL_MAX, with a fragment, or with
 * a host that can't be one (over 253 bytes, a label over 63 or empty, a zone);
 * UVOW_ESCHEME: a URL of another scheme; UVOW_ENOMEM.
 */
int uvow__url_parse(const uvow__mem_t *mem, const char *text, size_t len,
                    uvow__url_t *ret);
/* Frees what it holds. Harmless on one that is done, or all zero. */
void uvow__url_done(uvow__url_t *url);

#endif
