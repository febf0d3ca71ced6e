/*
 * Listening on TCP, or on a Unix domain socket.
 *
 *   listen -> on_waiting -> on_incoming -> accept (tcp.c)
 *                        -> refuse (accepted and closed)
 *                        -> wait -> resume -> on_incoming
 *             -> (this turn has had enough of them) -> next turn: on_incoming
 *   close -> uv_close -> on_listener_closed -> freed
 *
 * A peer that nobody accepts must be taken from libuv all the same: until then
 * it listens no more; which is how one waits, and all behind it. Else it accepts
 * as long as somebody connects, and nobody else has a turn.
 */
#include "tcp.h"

#include <string.h>

#include "listener.h"
#include "loop.h"
#include "stale.h"

#define BACKLOG 511

static void on_listener_closed(uv_handle_t *handle) {
  uvow__doors_t *doors = (uvow__doors_t *)handle->data;
  if (doors->refusing) {
    doors->waiting = 1; /* it comes back here */
    return;
  }
  uvow_loop_t *loop = doors->loop;
  const uvow__listener_callbacks_t *callbacks = doors->callbacks;
  void *ctx = doors->ctx;
  uvow__runtime_enter(&loop->rt);
  uvow__free(uvow__loop_mem(loop), doors);
  callbacks->on_closed(ctx);
  uvow__runtime_leave(&loop->rt);
  uvow__loop_stream_closed(loop);
}

/* Never opened: nobody is told. */
static void on_stillborn(uv_handle_t *handle) {
  uvow__doors_t *doors = (uvow__doors_t *)handle->data;
  uvow_loop_t *loop = doors->loop;
  uvow__free(uvow__loop_mem(loop), doors);
  uvow__loop_stream_closed(loop);
}

static void on_refused_closed(uv_handle_t *handle) {
  uvow__doors_t *doors = (uvow__doors_t *)handle->data;
  int waiting = doors->waiting;
  doors->refusing = doors->waiting = 0;
  if (!doors->closing.handle) {
    if (waiting)
      uvow__doors_refuse(doors);
  } else if (waiting) {
    on_listener_closed(&doors->handle.base);
  }
}

void uvow__doors_refuse(uvow__doors_t *doors) {
  if (doors->refusing) {
    doors->waiting = 1;
    return;
  }
  if (uvow__handle_init(&doors->refused, doors->loop->uv, doors->is_pipe))
    return;
  doors->refused.base.data = doors;
  doors->refusing = 1;
  (void)uv_accept(&doors->handle.stream, &doors->refused.stream);
  uv_close(&doors->refused.base, on_refused_closed);
}

static void announce(uvow__doors_t *doors) {
  doors->accepted = doors->held = 0;
  doors->callbacks->on_incoming(doors->ctx, &doors->listener);
  if (!doors->accepted && !doors->held && !doors->patient &&
      !uv_is_closing(&doors->handle.base))
    uvow__doors_refuse(doors);
}

static void run_go_on(uvow__task_t *task) {
  uvow__doors_t *doors = UVOW__CONTAINER(task, uvow__doors_t, go_on);
  *uvow__loop_spent(doors->loop) += UVOW__TURN_NEWCOMER;
  announce(doors);
}

static void on_waiting(uv_stream_t *handle, int status) {
  uvow__doors_t *doors = (uvow__doors_t *)handle->data;
  uvow_loop_t *loop = doors->loop;
  if (status || uv_is_closing((uv_handle_t *)handle))
    return; /* the system's trouble with one peer; others go on */
  size_t *spent = uvow__loop_spent(loop);
  if (*spent >= UVOW__TURN_ALL) {
    uvow__loop_next_turn(loop, &doors->go_on);
    return;
  }
  *spent += UVOW__TURN_NEWCOMER;
  uvow__runtime_enter(&loop->rt);
  announce(doors);
  uvow__runtime_leave(&loop->rt);
}

static int to_address(const char *host, uint16_t port,
                      struct sockaddr_storage *ret) {
  memset(ret, 0, sizeof(*ret));
  if (uv_ip4_addr(host, port, (struct sockaddr_in *)ret) == 0)
    return 0;
  if (uv_ip6_addr(host, port, (struct sockaddr_in6 *)ret) == 0)
    return 0;
  return UVOW_EINVAL;
}

/* Where a server was killed, its file is in the way. */
static int bind_path(uvow__doors_t *doors, const char *path) {
  int rc = uv_pipe_bind(&doors->handle.pipe, path);
  if (rc == UV_EADDRINUSE && uvow__stale_remove(path))
    rc = uv_pipe_bind(&doors->handle.pipe, path);
  return rc;
}

/* Binds with the address, or to the path where that's NULL, and listens. */
static int open_listener(uvow__doors_t *doors, const struct sockaddr *address,
                         const char *path) {
  int rc = address ? uv_tcp_bind(&doors->handle.tcp, address, 0)
                   : bind_path(doors, path);
  return rc ? rc : uv_listen(&doors->handle.stream, BACKLOG, on_waiting);
}

static int port_op(const uvow__listener_t *listener, uint16_t *ret_port) {
  const uvow__doors_t *doors = (const uvow__doors_t *)(const void *)listener;
  struct sockaddr_storage address;
  int len = (int)sizeof(address);
  if (doors->is_pipe) {
    *ret_port = 0;
    return 0;
  }
  int rc =
      uv_tcp_getsockname(&doors->handle.tcp, (struct sockaddr *)&address, &len);
  if (rc)
    return rc;
  const uint8_t *bytes = (const uint8_t *)&address;
  size_t at = address.ss_family == AF_INET6
                  ? offsetof(struct sockaddr_in6, sin6_port)
                  : offsetof(struct sockaddr_in, sin_port);
  *ret_port = (uint16_t)(bytes[at] << 8 | bytes[at + 1]);
  return 0;
}

static void wait_op(uvow__listener_t *listener) {
  uvow__doors_of(listener)->held = 1;
}

static void resume_op(uvow__listener_t *listener) {
  uvow__doors_t *doors = uvow__doors_of(listener);
  if (doors->held && !uv_is_closing(&doors->handle.base))
    announce(doors);
}

static void close_op(uvow__listener_t *listener) {
  uvow__doors_t *doors = uvow__doors_of(listener);
  if (doors->closing.handle)
    return;
  doors->waiting = 0;
  uvow__task_cancel(&doors->go_on);
  uvow__loop_close_handle(doors->loop, &doors->handle.base, on_listener_closed,
                          &doors->closing);
}

static const uvow__listener_ops_t ops = {port_op, wait_op, resume_op, close_op};

static int listen_on(uvow_loop_t *loop, const struct sockaddr *address,
                     const char *path,
                     const uvow__listener_callbacks_t *callbacks, void *ctx,
                     uvow__listener_t **ret_listener) {
  uvow__doors_t *doors =
      (uvow__doors_t *)uvow__calloc(uvow__loop_mem(loop), sizeof(*doors));
  if (!doors)
    return UVOW_ENOMEM;
  doors->listener.ops = &ops;
  doors->loop = loop;
  doors->callbacks = callbacks;
  doors->ctx = ctx;
  doors->is_pipe = path != NULL;
  uvow__task_init(&doors->go_on, run_go_on);
  int rc = uvow__handle_init(&doors->handle, loop->uv, doors->is_pipe);
  if (rc) {
    uvow__free(uvow__loop_mem(loop), doors);
    return rc;
  }
  doors->handle.base.data = doors;
  uvow__loop_stream_opened(loop);
  rc = open_listener(doors, address, path);
  if (rc) {
    uvow__loop_close_handle(loop, &doors->handle.base, on_stillborn,
                            &doors->closing);
    return rc;
  }
  *ret_listener = &doors->listener;
  return 0;
}

int uvow__tcp_listen(uvow_loop_t *loop, const char *host, uint16_t port,
                     const uvow__listener_callbacks_t *callbacks, void *ctx,
                     uvow__listener_t **ret_listener) {
  struct sockaddr_storage address;
  int rc = to_address(host, port, &address);
  return rc ? rc
            : listen_on(loop, (const struct sockaddr *)&address, NULL,
                        callbacks, ctx, ret_listener);
}

int uvow__pipe_listen(uvow_loop_t *loop, const char *path,
                      const uvow__listener_callbacks_t *callbacks, void *ctx,
                      uvow__listener_t **ret_listener) {
  int rc = uvow__socket_check_path(path);
  return rc ? rc : listen_on(loop, NULL, path, callbacks, ctx, ret_listener);
}
