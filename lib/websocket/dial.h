#ifndef UVOW__DIAL_H
#define UVOW__DIAL_H

#include "connection.h"

/* As uvow__connection_open, but on what leads there: through a proxy, if config
 * names one for this URL, and with TLS for wss; transport is what is below
 * those. Errors: as uvow__connection_open; UVOW_EURL, UVOW_ESCHEME: the target
 * has no URL; UVOW_EPROXY; those of uvow_tls_new, which may be the loop's
 * default. Where the code doesn't say enough, ret_error is a new error; else it
 * isn't touched. */
int uvow__dial(uvow__ws_config_t *config, const uvow__target_t *target,
               const uvow__transport_t *transport,
               const uvow__connection_callbacks_t *callbacks, void *ctx,
               uvow__connection_t **ret_connection, uvow_error_t **ret_error);

#endif
