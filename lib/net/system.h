#ifndef UVOW__SYSTEM_H
#define UVOW__SYSTEM_H

#include "base/mem.h"

/* What else the system tells. */

/* An environment variable: returns new in ret_value, or NULL there: it isn't
 * set, or empty. UVOW_ENOMEM, libuv's. */
int uvow__system_env(const uvow__mem_t *mem, const char *name,
                     char **ret_value);
/* The bytes of the address that text is: 4, 16, or 0: it's none. */
size_t uvow__system_ip(const char *text, uint8_t ret[16]);

#endif
