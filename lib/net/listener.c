/*
 * Listening on TCP, or on a Unix domain socket.
 *
 *   listen -> on_waiting -> on_incoming -> accept (tcp.c)
 *                        -> refuse (accepted and closed)
 *   uvow__tcp_unlisten -> uv_close -> on_listener_closed -> freed
 *
 * A peer that nobody accepts must be taken from libuv all the same: until then
 * it listens no more.
 */
#include "tcp.h"

#include <string.h>

#include "listener.h"
#include "loop.h"
#include "stale.h"

#define BACKLOG 511

static void on_listener_closed(uv_handle_t *handle) {
  uvow__listener_t *listener = (uvow__listener_t *)handle->data;
  if (listener->refusing) {
    listener->waiting = 1; /* it comes back here */
    return;
  }
  uvow_loop_t *loop = listener->loop;
  const uvow__listener_callbacks_t *callbacks = listener->callbacks;
  void *ctx = listener->ctx;
  uvow__runtime_enter(&loop->rt);
  uvow__free(uvow__loop_mem(loop), listener);
  callbacks->on_closed(ctx);
  uvow__runtime_leave(&loop->rt);
  uvow__loop_stream_closed(loop);
}

/* Never opened: nobody is told. */
static void on_stillborn(uv_handle_t *handle) {
  uvow__listener_t *listener = (uvow__listener_t *)handle->data;
  uvow_loop_t *loop = listener->loop;
  uvow__free(uvow__loop_mem(loop), listener);
  uvow__loop_stream_closed(loop);
}

static void refuse(uvow__listener_t *listener);

static void on_refused_closed(uv_handle_t *handle) {
  uvow__listener_t *listener = (uvow__listener_t *)handle->data;
  int waiting = listener->waiting;
  listener->refusing = listener->waiting = 0;
  if (!uv_is_closing(&listener->handle.base)) {
    if (waiting)
      refuse(listener);
  } else if (waiting) {
    on_listener_closed(&listener->handle.base);
  }
}

static void refuse(uvow__listener_t *listener) {
  if (listener->refusing) {
    listener->waiting = 1;
    return;
  }
  if (uvow__handle_init(&listener->refused, listener->loop->uv,
                        listener->is_pipe))
    return;
  listener->refused.base.data = listener;
  listener->refusing = 1;
  (void)uv_accept(&listener->handle.stream, &listener->refused.stream);
  uv_close(&listener->refused.base, on_refused_closed);
}

static void on_waiting(uv_stream_t *handle, int status) {
  uvow__listener_t *listener = (uvow__listener_t *)handle->data;
  uvow_loop_t *loop = listener->loop;
  if (status || uv_is_closing((uv_handle_t *)handle))
    return; /* the system's trouble with one peer; others go on */
  uvow__runtime_enter(&loop->rt);
  listener->accepted = 0;
  listener->callbacks->on_incoming(listener->ctx, listener);
  if (!listener->accepted && !uv_is_closing((uv_handle_t *)handle))
    refuse(listener);
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
static int bind_path(uvow__listener_t *listener, const char *path) {
  int rc = uv_pipe_bind(&listener->handle.pipe, path);
  if (rc == UV_EADDRINUSE && uvow__stale_remove(path))
    rc = uv_pipe_bind(&listener->handle.pipe, path);
  return rc;
}

/* Binds with the address, or to the path where that's NULL, and listens. */
static int open_listener(uvow__listener_t *listener,
                         const struct sockaddr *address, const char *path) {
  int rc = address ? uv_tcp_bind(&listener->handle.tcp, address, 0)
                   : bind_path(listener, path);
  return rc ? rc : uv_listen(&listener->handle.stream, BACKLOG, on_waiting);
}

static int listen_on(uvow_loop_t *loop, const struct sockaddr *address,
                     const char *path,
                     const uvow__listener_callbacks_t *callbacks, void *ctx,
                     uvow__listener_t **ret_listener) {
  uvow__listener_t *listener =
      (uvow__listener_t *)uvow__calloc(uvow__loop_mem(loop), sizeof(*listener));
  if (!listener)
    return UVOW_ENOMEM;
  listener->loop = loop;
  listener->callbacks = callbacks;
  listener->ctx = ctx;
  listener->is_pipe = path != NULL;
  int rc = uvow__handle_init(&listener->handle, loop->uv, listener->is_pipe);
  if (rc) {
    uvow__free(uvow__loop_mem(loop), listener);
    return rc;
  }
  listener->handle.base.data = listener;
  uvow__loop_stream_opened(loop);
  rc = open_listener(listener, address, path);
  if (rc) {
    uv_close(&listener->handle.base, on_stillborn);
    return rc;
  }
  *ret_listener = listener;
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

int uvow__tcp_port(uvow__listener_t *listener, uint16_t *ret_port) {
  struct sockaddr_storage address;
  int len = (int)sizeof(address);
  if (listener->is_pipe) {
    *ret_port = 0;
    return 0;
  }
  int rc = uv_tcp_getsockname(&listener->handle.tcp,
                              (struct sockaddr *)&address, &len);
  if (rc)
    return rc;
  const uint8_t *bytes = (const uint8_t *)&address;
  size_t at = address.ss_family == AF_INET6
                  ? offsetof(struct sockaddr_in6, sin6_port)
                  : offsetof(struct sockaddr_in, sin_port);
  *ret_port = (uint16_t)(bytes[at] << 8 | bytes[at + 1]);
  return 0;
}

void uvow__tcp_unlisten(uvow__listener_t *listener) {
  if (uv_is_closing(&listener->handle.base))
    return;
  listener->waiting = 0;
  uv_close(&listener->handle.base, on_listener_closed);
}
