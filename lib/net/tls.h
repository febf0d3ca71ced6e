#ifndef UVOW__TLS_H
#define UVOW__TLS_H

#include <uvow/tls.h>

#include "io.h"
#include "tcp.h"

/* TLS on the ios of another transport, both ways. */
typedef struct uvow__tls_transport {
  uvow__transport_t transport; /* first */
  const uvow__transport_t *lower;
  uvow_tls_t *tls; /* borrowed: each io owns it too */
} uvow__tls_transport_t;

/* Borrows all, while connections are begun with it; tls is a client's, or a
 * server's for accept. */
void uvow__tls_transport_init(uvow__tls_transport_t *transport,
                              const uvow__transport_t *lower, uvow_tls_t *tls);

/* The client's context with all defaults that a loop's clients share: returns
 * new, as uvow_tls_new. */
int uvow__tls_default(uvow_loop_t *loop, uvow_tls_t **ret_tls,
                      uvow_error_t **ret_error);

/* Whether it's one of that loop, for that role. */
int uvow__tls_fits(const uvow_tls_t *tls, const uvow_loop_t *loop,
                   int is_server);

#endif
