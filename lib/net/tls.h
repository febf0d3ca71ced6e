#ifndef UVOW__TLS_H
#define UVOW__TLS_H

#include <uvow/tls.h>

#include "stream.h"
#include "tcp.h"

/* A client's streams: TLS on those of another transport. */
typedef struct uvow__tls_transport {
  uvow__transport_t transport; /* first */
  const uvow__transport_t *lower;
  uvow_tls_t *tls; /* borrowed: each stream owns it too */
} uvow__tls_transport_t;

/* Borrows all, while connections are begun with it. */
void uvow__tls_transport_init(uvow__tls_transport_t *transport,
                              const uvow__transport_t *lower, uvow_tls_t *tls);

/* How a stream of a peer that waits is had: uvow__tcp_accept, or a test's. */
typedef int (*uvow__accept_cb)(uvow__listener_t *listener,
                               const uvow__stream_callbacks_t *callbacks,
                               void *ctx, uvow__stream_t **ret_stream);

/* A server's stream, on one of `accept`: it isn't open before on_open, other
 * than that one. Keeps tls, callbacks and ctx. Returns new in ret_stream; on
 * error nothing is called back. */
int uvow__tls_accept(uvow_tls_t *tls, uvow__accept_cb accept,
                     uvow__listener_t *listener,
                     const uvow__stream_callbacks_t *callbacks, void *ctx,
                     uvow__stream_t **ret_stream);

/* The client's context with all defaults that a loop's clients share: returns
 * new, as uvow_tls_new. */
int uvow__tls_default(uvow_loop_t *loop, uvow_tls_t **ret_tls,
                      uvow_error_t **ret_error);

/* Whether it's one of that loop, for that role. */
int uvow__tls_fits(const uvow_tls_t *tls, const uvow_loop_t *loop,
                   int is_server);

#endif
