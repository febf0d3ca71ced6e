#ifndef UVOW__SOCKET_H
#define UVOW__SOCKET_H

#include <uv.h>

#include "loop.h"

/* What libuv has of a socket: TCP, or a Unix domain socket. */
typedef union uvow__handle {
  uv_handle_t base;
  uv_stream_t stream;
  uv_tcp_t tcp;
  uv_pipe_t pipe;
} uvow__handle_t;

/* Returns 0 or libuv's error. */
int uvow__handle_init(uvow__handle_t *handle, uv_loop_t *uv, int is_pipe);

/* What is asked of libuv once at its beginning, and once at its end: the data is
 * the asker's. */
typedef union uvow__socket_request {
  uv_connect_t connect;
  uv_shutdown_t shutdown;
} uvow__socket_request_t;

/* A socket in memory of its own: libuv needs it until it's closed, and whoever
 * used it may go before. */
typedef struct uvow__socket {
  uvow__handle_t handle;
  uvow_loop_t *loop;
  uvow__closing_t closing;
  uvow__socket_request_t *request; /* of the two; NULL: neither is under way */
  void *owner; /* whose it is; NULL: nobody's, it's being closed */
  void (*on_closed)(void *owner);
} uvow__socket_t;

/* Makes one, not connected. Keeps owner. Returns new in ret_socket; release it
 * with uvow__socket_close. UVOW_ENOMEM, libuv's. */
int uvow__socket_new(uvow_loop_t *loop, int is_pipe, void *owner,
                     uvow__socket_t **ret_socket);
/* Room for a request, where there is none. UVOW_ENOMEM. */
int uvow__socket_need_request(uvow__socket_t *socket);
/* It is over; else it lives as long as the socket. Again: nothing. */
void uvow__socket_drop_request(uvow__socket_t *socket);
/* Takes it. Calls on_closed with its owner once libuv is done with it, all its
 * requests included; NULL: nobody's to be told. */
void uvow__socket_close(uvow__socket_t *socket, void (*on_closed)(void *owner));
/* The same, at once: a peer over TCP sees that it isn't in order. */
void uvow__socket_reset(uvow__socket_t *socket, void (*on_closed)(void *owner));
/* For TCP: no delay; and probes after so many seconds of silence, 0: none. Best
 * effort. */
void uvow__socket_tune(uvow__socket_t *socket, unsigned keepalive_s);

/* Appends address and port of the other end: "127.0.0.1:80", "[::1]:80";
 * nothing, where it has none. UVOW_ENOMEM. */
int uvow__socket_peer(const uvow__socket_t *socket, uvow__buf_t *out);

/* What the path of a Unix domain socket may have: libuv cuts off the rest. */
#if defined(_WIN32)
#define UVOW__SOCKET_PATH_MAX 255u /* bytes */
#elif defined(__linux__)
#define UVOW__SOCKET_PATH_MAX 107u
#else
#define UVOW__SOCKET_PATH_MAX 103u
#endif
/* Whether it can be one: 0, UVOW_EINVAL (there's none), UV_ENAMETOOLONG. */
int uvow__socket_check_path(const char *path);

#endif
