/*
 * Listening on TCP.
 *
 *   uvow__tcp_listen -> on_waiting -> on_incoming -> uvow__tcp_accept (tcp.c)
 *                                  -> refuse (accepted and closed)
 *   uvow__tcp_unlisten -> uv_close -> on_listener_closed -> freed
 *
 * A peer that nobody accepts must be taken from libuv all the same: until then
 * it listens no more.
 */
#include "tcp.h"

#include <string.h>

#include "listener.h"
#include "loop.h"

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
  if (!uv_is_closing((uv_handle_t *)&listener->handle)) {
    if (waiting)
      refuse(listener);
  } else if (waiting) {
    on_listener_closed((uv_handle_t *)&listener->handle);
  }
}

static void refuse(uvow__listener_t *listener) {
  uv_stream_t *refused = (uv_stream_t *)&listener->refused;
  if (listener->refusing) {
    listener->waiting = 1;
    return;
  }
  if (uv_tcp_init(listener->loop->uv, &listener->refused))
    return;
  listener->refused.data = listener;
  listener->refusing = 1;
  (void)uv_accept((uv_stream_t *)&listener->handle, refused);
  uv_close((uv_handle_t *)refused, on_refused_closed);
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

int uvow__tcp_listen(uvow_loop_t *loop, const char *host, uint16_t port,
                     const uvow__listener_callbacks_t *callbacks, void *ctx,
                     uvow__listener_t **ret_listener) {
  struct sockaddr_storage address;
  int rc = to_address(host, port, &address);
  if (rc)
    return rc;
  uvow__listener_t *listener =
      (uvow__listener_t *)uvow__calloc(uvow__loop_mem(loop), sizeof(*listener));
  if (!listener)
    return UVOW_ENOMEM;
  listener->loop = loop;
  listener->callbacks = callbacks;
  listener->ctx = ctx;
  rc = uv_tcp_init(loop->uv, &listener->handle);
  if (rc) {
    uvow__free(uvow__loop_mem(loop), listener);
    return rc;
  }
  listener->handle.data = listener;
  uvow__loop_stream_opened(loop);
  rc = uv_tcp_bind(&listener->handle, (struct sockaddr *)&address, 0);
  if (rc == 0)
    rc = uv_listen((uv_stream_t *)&listener->handle, BACKLOG, on_waiting);
  if (rc) {
    uv_close((uv_handle_t *)&listener->handle, on_stillborn);
    return rc;
  }
  *ret_listener = listener;
  return 0;
}

int uvow__tcp_port(uvow__listener_t *listener, uint16_t *ret_port) {
  struct sockaddr_storage address;
  int len = (int)sizeof(address);
  int rc =
      uv_tcp_getsockname(&listener->handle, (struct sockaddr *)&address, &len);
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
  if (uv_is_closing((uv_handle_t *)&listener->handle))
    return;
  listener->waiting = 0;
  uv_close((uv_handle_t *)&listener->handle, on_listener_closed);
}
