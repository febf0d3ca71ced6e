#ifndef UVOW__CONNECT_H
#define UVOW__CONNECT_H

#include "socket.h"
#include "io.h"

/*
 * Connecting: to the addresses of a name, raced as in RFC 8305, or to a Unix
 * domain socket.
 */
typedef struct uvow__connector uvow__connector_t;

/* One of the two is called, once; then the connector is gone. */
typedef struct uvow__connector_callbacks {
  /* Takes socket, which is connected. */
  void (*on_connected)(void *ctx, uvow__socket_t *socket);
  /* Takes error: its causes are the attempts, in their order. */
  void (*on_failed)(void *ctx, uvow_error_t *error);
} uvow__connector_callbacks_t;

/* What it asks of libuv; a test gives the loop another. */
typedef struct uvow__network {
  int (*resolve)(uv_loop_t *uv, uv_getaddrinfo_t *req, uv_getaddrinfo_cb cb,
                 const char *host, const char *port,
                 const struct addrinfo *hints);
  void (*free_addresses)(struct addrinfo *addresses);
  int (*connect)(uv_connect_t *req, uv_tcp_t *handle,
                 const struct sockaddr *address, uv_connect_cb cb);
} uvow__network_t;

/* The loop's: libuv's own, unless a test has given it another. */
const uvow__network_t *uvow__network_of(const uvow_loop_t *loop);

#define UVOW__CONNECT_PAUSE 250    /* ms: RFC 8305 5 */
#define UVOW__CONNECT_ADDRESSES 64 /* no more are tried */

/* Begins. Keeps callbacks and ctx; borrows the rest. Returns new in
 * ret_connector. On error (UVOW_ENOMEM, libuv's) nothing is called back. */
int uvow__connect_begin(uvow_loop_t *loop, const uvow__endpoint_t *endpoint,
                        const uvow__connector_callbacks_t *callbacks, void *ctx,
                        uvow__connector_t **ret_connector);
/* Takes it: nothing is called back any more. */
void uvow__connect_cancel(uvow__connector_t *connector);
/* What was tried so far, and how it failed or that it has no answer yet: as the
 * error of on_failed. Returns new, never NULL. */
uvow_error_t *uvow__connect_trouble(const uvow__connector_t *connector);

#endif
