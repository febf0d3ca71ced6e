#ifndef UVOW__TUNNEL_H
#define UVOW__TUNNEL_H

#include "net/io.h"
#include "wire/url.h"

/* Streams through a proxy: HTTP CONNECT (RFC 9110 9.3.6) on those of another
 * transport. */
typedef struct uvow__tunnel_transport {
  uvow__transport_t transport; /* first */
  const uvow__transport_t *lower;
  const uvow__url_t *proxy;
} uvow__tunnel_transport_t;

/* Borrows all, while connections are begun with it. */
void uvow__tunnel_transport_init(uvow__tunnel_transport_t *transport,
                                 const uvow__transport_t *lower,
                                 const uvow__url_t *proxy);

#endif
