#ifndef UVOW__GOODBYE_H
#define UVOW__GOODBYE_H

#include "base/error.h"

/* The error of a connection that the peer closed in order, UVOW_ECLOSED with
 * its code as status, in words: "closed by the peer: 1001 going away". The
 * reason is valid UTF-8 (RFC 6455 5.5.1). Returns new, never NULL. */
uvow_error_t *uvow__goodbye(const uvow__mem_t *mem, int code,
                            const char *reason, size_t len);

#endif
