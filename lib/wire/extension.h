#ifndef UVOW__EXTENSION_H
#define UVOW__EXTENSION_H

#include "deflate.h"
#include "http.h"

#define UVOW__EXTENSION_TEXT 160 /* bytes of an offer, with its NUL */

/* Whether all Sec-WebSocket-Extensions of a head are a list as of RFC 6455 9.1:
 * 0, or UVOW_EPROTO. None at all is fine, and so is an empty one. */
int uvow__extension_check(const uvow__http_t *http);

/* The client's side. What to offer, as the value of Sec-WebSocket-Extensions;
 * "" if the terms are not on. */
void uvow__extension_offer(const uvow__deflate_terms_t *terms,
                           char ret[UVOW__EXTENSION_TEXT]);
/*
 * Reads the answer to an offer of *terms, and makes of them what was agreed on;
 * not on: the server declined.
 *
 * Errors (nothing is changed but *ret_why, static text): UVOW_EPROTO: malformed
 * (RFC 6455 9.1), another extension than the one offered, or not what was
 * offered of it (RFC 7692 7.1).
 */
int uvow__extension_read_answer(const uvow__http_t *http,
                                uvow__deflate_terms_t *terms,
                                const char **ret_why);

/* The server's side. Finds the first offer that can be had (RFC 7692 7.1), and
 * makes of the server's own terms what is agreed on; not on: there is none. */
void uvow__extension_choose(const uvow__http_t *http,
                            uvow__deflate_terms_t *terms);
/* What to answer when this was agreed on; "" if it is not on. */
void uvow__extension_answer(const uvow__deflate_terms_t *terms,
                            char ret[UVOW__EXTENSION_TEXT]);

#endif
