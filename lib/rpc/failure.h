#ifndef UVOW__FAILURE_H
#define UVOW__FAILURE_H

#include <stdint.h>

#include <uvow/error.h>

#include "protocol/protocol.h"

/* What the failure of a connection, or of an attempt at one, says of the next
 * attempt (R7). */

/* It can't get better: a certificate that isn't accepted, by us or by the peer;
 * a status 4xx of the server or the proxy, but 408, 421, 425 and 429; an opening
 * step that the peer refuses; its close codes 1002 and 1010, and, if asked for,
 * 4000 to 4999. */
int uvow__failure_is_fatal(const uvow_error_t *error, int fatal_4xxx);
/* It's a close code of the peer's that its protocol says so of. */
int uvow__failure_is_final(const uvow_error_t *error,
                           const uvow__closes_t *closes);
/* It's about who asks: 401 or 403. */
int uvow__failure_is_denial(const uvow_error_t *error);
/* It may be due to a message of ours: close codes 1003, 1007, 1008 and 1009. */
int uvow__failure_may_be_ours(const uvow_error_t *error);
/* What the server's Retry-After asks for, in ms; 0: nothing, or a date. */
uint64_t uvow__failure_retry_after_ms(const uvow_error_t *error);

#endif
