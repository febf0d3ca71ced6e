#ifndef UVOW__TCP_H
#define UVOW__TCP_H

#include <uvow/loop.h>

#include "stream.h"

/* Bytes that are given to the system at once, at most. */
#define UVOW__WRITE_PIECE ((size_t)1024 * 1024)

/* TCP on libuv, and Unix domain sockets: see connect.h. */
extern const uvow__transport_t uvow__tcp_transport;

typedef struct uvow__listener uvow__listener_t;

typedef struct uvow__listener_callbacks {
  /* A peer waits: accept it now, or it's refused. */
  void (*on_incoming)(void *ctx, uvow__listener_t *listener);
  /* After close: the last callback. */
  void (*on_closed)(void *ctx);
} uvow__listener_callbacks_t;

/* Listens on a numeric address; port 0: the system chooses. Keeps callbacks and
 * ctx. Returns new in ret_listener. Errors: UVOW_EINVAL: no address;
 * UVOW_ENOMEM; libuv's. */
int uvow__tcp_listen(uvow_loop_t *loop, const char *host, uint16_t port,
                     const uvow__listener_callbacks_t *callbacks, void *ctx,
                     uvow__listener_t **ret_listener);
/* The same on the path of a Unix domain socket, which may not be there yet, and
 * is removed at unlisten. Errors: UVOW_EINVAL: no path; UV_ENAMETOOLONG;
 * UVOW_ENOMEM; libuv's. */
int uvow__pipe_listen(uvow_loop_t *loop, const char *path,
                      const uvow__listener_callbacks_t *callbacks, void *ctx,
                      uvow__listener_t **ret_listener);
/* For the streams it makes: see uvow__endpoint_t. */
void uvow__tcp_set_keepalive(uvow__listener_t *listener, unsigned keepalive_s);
/* From on_incoming: a stream that is open; on_open isn't called. Returns new in
 * ret_stream. On error nothing is called back. */
int uvow__tcp_accept(uvow__listener_t *listener,
                     const uvow__stream_callbacks_t *callbacks, void *ctx,
                     uvow__stream_t **ret_stream);
/* The port that it listens on; 0: on a path. */
int uvow__tcp_port(uvow__listener_t *listener, uint16_t *ret_port);
void uvow__tcp_unlisten(uvow__listener_t *listener);

#endif
