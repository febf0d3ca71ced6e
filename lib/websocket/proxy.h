#ifndef UVOW__PROXY_H
#define UVOW__PROXY_H

#include "wire/url.h"

/* Which proxy leads to a server, if any. */

/* A proxy that was named: in the options, or by the environment. */
typedef struct uvow__proxy {
  int set;         /* it was, if only as "": none */
  int code;        /* what is wrong with its URL, or 0 */
  uvow__url_t url; /* all zero: none. Target is "/". */
} uvow__proxy_t;

typedef struct uvow__proxies {
  uvow__proxy_t given;  /* goes before the others */
  uvow__proxy_t secure; /* of the environment: for wss */
  uvow__proxy_t plain;  /* for ws */
  uvow__proxy_t any;    /* for both, where there's none */
  char *bypass;         /* whom to reach without: NO_PROXY; or NULL */
} uvow__proxies_t;

/* Takes them from the options: text (NULL: isn't given), and whether the
 * environment is read. Begins as all zero; to be done, also on error:
 * UVOW_EINVAL: text isn't a proxy's URL; UVOW_ENOMEM, libuv's. */
int uvow__proxies_init(uvow__proxies_t *proxies, const uvow__mem_t *mem,
                       const char *text, int from_environment);
void uvow__proxies_done(uvow__proxies_t *proxies, const uvow__mem_t *mem);
/* The same of some in memory of their own, which goes too. Accepts NULL. */
void uvow__proxies_free(uvow__proxies_t *proxies, const uvow__mem_t *mem);
/* The one for this URL: borrowed; NULL: none. Its code is to be looked at.
 * Accepts NULL. */
const uvow__proxy_t *uvow__proxies_choose(const uvow__proxies_t *proxies,
                                          const uvow__url_t *url);

#endif
