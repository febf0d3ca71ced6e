/*
 * Sockets: libuv's handles in memory of their own.
 *
 * Each counts as one of the loop's streams: the loop is closed only when libuv
 * has let go of the last.
 */
#include "socket.h"

#include <string.h>

int uvow__handle_init(uvow__handle_t *handle, uv_loop_t *uv, int is_pipe) {
  return is_pipe ? uv_pipe_init(uv, &handle->pipe, 0)
                 : uv_tcp_init(uv, &handle->tcp);
}

int uvow__socket_new(uvow_loop_t *loop, int is_pipe, void *owner,
                     uvow__socket_t **ret_socket) {
  uvow__socket_t *socket =
      (uvow__socket_t *)uvow__calloc(uvow__loop_mem(loop), sizeof(*socket));
  if (!socket)
    return UVOW_ENOMEM;
  int rc = uvow__handle_init(&socket->handle, loop->uv, is_pipe);
  if (rc) {
    uvow__free(uvow__loop_mem(loop), socket);
    return rc;
  }
  socket->loop = loop;
  socket->owner = owner;
  socket->handle.base.data = socket;
  uvow__loop_stream_opened(loop);
  *ret_socket = socket;
  return 0;
}

int uvow__socket_need_request(uvow__socket_t *socket) {
  if (!socket->request)
    socket->request = (uvow__socket_request_t *)uvow__calloc(
        uvow__loop_mem(socket->loop), sizeof(*socket->request));
  return socket->request ? 0 : UVOW_ENOMEM;
}

void uvow__socket_drop_request(uvow__socket_t *socket) {
  uvow__free(uvow__loop_mem(socket->loop), socket->request);
  socket->request = NULL;
}

static void on_handle_closed(uv_handle_t *handle) {
  uvow__socket_t *socket = (uvow__socket_t *)handle->data;
  uvow_loop_t *loop = socket->loop;
  void (*on_closed)(void *owner) = socket->on_closed;
  void *owner = socket->owner;
  uvow__socket_drop_request(socket);
  uvow__free(uvow__loop_mem(loop), socket);
  if (on_closed) {
    uvow__runtime_enter(&loop->rt);
    on_closed(owner);
    uvow__runtime_leave(&loop->rt);
  }
  uvow__loop_stream_closed(loop);
}

void uvow__socket_close(uvow__socket_t *socket,
                        void (*on_closed)(void *owner)) {
  socket->on_closed = on_closed;
  if (!on_closed)
    socket->owner = NULL;
  uvow__loop_close_handle(socket->loop, &socket->handle.base, on_handle_closed,
                          &socket->closing);
}

void uvow__socket_reset(uvow__socket_t *socket,
                        void (*on_closed)(void *owner)) {
  socket->on_closed = on_closed;
  if (socket->handle.base.type != UV_TCP ||
      uv_is_closing(&socket->handle.base) ||
      uv_tcp_close_reset(&socket->handle.tcp, on_handle_closed))
    uvow__loop_close_handle(socket->loop, &socket->handle.base,
                            on_handle_closed, &socket->closing);
}

void uvow__socket_tune(uvow__socket_t *socket, unsigned keepalive_s) {
  if (socket->handle.base.type != UV_TCP)
    return;
  (void)uv_tcp_nodelay(&socket->handle.tcp, 1); /* slower without, not wrong */
  if (keepalive_s)
    (void)uv_tcp_keepalive(&socket->handle.tcp, 1, keepalive_s);
}

int uvow__socket_check_path(const char *path) {
  size_t len = strlen(path);
  if (len == 0)
    return UVOW_EINVAL;
  return len > UVOW__SOCKET_PATH_MAX ? UV_ENAMETOOLONG : 0;
}

/* In the order of the network, wherever that lies. */
static unsigned port_of(const struct sockaddr_storage *address) {
  const uint8_t *bytes = (const uint8_t *)address;
  size_t at = address->ss_family == AF_INET6
                  ? offsetof(struct sockaddr_in6, sin6_port)
                  : offsetof(struct sockaddr_in, sin_port);
  return (unsigned)bytes[at] << 8 | bytes[at + 1];
}

int uvow__socket_peer(const uvow__socket_t *socket, uvow__buf_t *out) {
  struct sockaddr_storage address;
  int len = (int)sizeof(address);
  char name[64];
  memset(&address, 0, sizeof(address));
  if (socket->handle.base.type != UV_TCP ||
      uv_tcp_getpeername(&socket->handle.tcp, (struct sockaddr *)&address,
                         &len) ||
      uv_ip_name((const struct sockaddr *)&address, name, sizeof(name)))
    return 0;
  int is_ipv6 = address.ss_family == AF_INET6;
  int rc = is_ipv6 ? uvow__buf_append_text(out, "[") : 0;
  if (rc == 0)
    rc = uvow__buf_append_text(out, name);
  if (rc == 0)
    rc = uvow__buf_append_text(out, is_ipv6 ? "]:" : ":");
  return rc ? rc : uvow__buf_append_u64(out, port_of(&address));
}
