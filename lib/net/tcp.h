#ifndef UVOW__TCP_H
#define UVOW__TCP_H

#include <uvow/loop.h>

#include "io.h"

/* Bytes that are given to the system at once, at most. */
#define UVOW__WRITE_PIECE ((size_t)1024 * 1024)

/* TCP on libuv, and Unix domain sockets: see connect.h. What it accepts is open
 * at once. */
extern const uvow__transport_t uvow__tcp_transport;

/* Listens on a numeric address; port 0: the system chooses. Keeps callbacks and
 * ctx. Returns new in ret_listener. Errors: UVOW_EINVAL: no address;
 * UVOW_ENOMEM; libuv's. */
int uvow__tcp_listen(uvow_loop_t *loop, const char *host, uint16_t port,
                     const uvow__listener_callbacks_t *callbacks, void *ctx,
                     uvow__listener_t **ret_listener);
/* The same on the path of a Unix domain socket, which may not be there yet, and
 * is removed when it is closed. Errors: UVOW_EINVAL: no path; UV_ENAMETOOLONG;
 * UVOW_ENOMEM; libuv's. */
int uvow__pipe_listen(uvow_loop_t *loop, const char *path,
                      const uvow__listener_callbacks_t *callbacks, void *ctx,
                      uvow__listener_t **ret_listener);

#endif
