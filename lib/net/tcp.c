/*
 * A TCP io on libuv, or one of a Unix domain socket.
 *
 *   connect: uvow__connect_begin -> on_connected -> open
 *                                -> on_failed: on_end
 *   accept:  open
 *   open:    on_data..., write -> (all left) | uv_write -> on_written
 *   close:   linger -> (the peer ends it, or time is up) -> close_now
 *            close_now -> uvow__socket_close -> on_socket_closed -> freed
 *            (no socket: freed when the tasks run)
 *
 * 1. After close, nothing but on_closed is called back.
 * 2. One read buffer serves all streams of a loop: it's taken in on_alloc and
 *    given back in on_data (on Windows, where reads may overlap, each takes
 *    its own).
 * 3. Reads and writes that were asked for before a close come back as canceled:
 *    they touch only this struct and its write, which live until the socket is
 *    closed.
 * 4. A socket that is closed while bytes of the peer's wait in it is reset, and
 *    what was sent last may be lost with that: a close frame, an alert. So ours
 *    is only shut down at first, and what the peer still sends is read and
 *    dropped until it ends its side (RFC 6455 7.1.1), for LINGER_MS at most,
 *    and by UVOW__LINGER_MAX streams at most. That ends with the loop, and
 *    doesn't hold it, but for bytes of ours that have yet to leave.
 */
#include "tcp.h"

#include <string.h>

#include "base/error.h"
#include "connect.h"
#include "listener.h"
#include "loop.h"

#define LINGER_MS 2000

typedef struct tcp {
  uvow__io_t io; /* first */
  uvow_loop_t *loop;
  uvow__lingerer_t lingerer;
  uvow__deadline_t patience;    /* of a lingerer */
  uvow__connector_t *connector; /* NULL: not connecting */
  uvow__socket_t *socket;       /* NULL: not connected */
  int closing;
  int ended; /* the peer has ended its side, or the connection is lost */
  unsigned keepalive_s;
  uvow__task_t gone;   /* frees it, when there's no socket to wait for */
  uv_write_t *write;   /* NULL: nothing has yet to be written */
  uvow__buf_t sending; /* what uv_write is at */
  size_t piece;        /* of it, the first so many bytes */
} tcp_t;

static void drop_write(tcp_t *tcp) {
  if (tcp->write)
    uvow__cache_give(&tcp->loop->rt.texts, tcp->write, sizeof(*tcp->write));
  tcp->write = NULL;
}

static void free_tcp(tcp_t *tcp) {
  uvow_loop_t *loop = tcp->loop;
  drop_write(tcp);
  uvow__buf_done(&tcp->sending);
  uvow__free(uvow__loop_mem(tcp->loop), tcp);
  uvow__loop_stream_closed(loop);
}

/* Closed, and nothing of libuv's is under way. */
static void gone(tcp_t *tcp) {
  const uvow__io_callbacks_t *callbacks = tcp->io.callbacks;
  void *ctx = tcp->io.ctx;
  free_tcp(tcp);
  callbacks->on_closed(ctx);
}

/* Takes the error; NULL: in order. */
static void end(tcp_t *tcp, uvow_error_t *error) {
  if (tcp->closing)
    uvow_error_unref(error);
  else
    tcp->io.callbacks->on_end(tcp->io.ctx, error);
}

static uvow_error_t *error_of(tcp_t *tcp, int code) {
  return uvow__error_code(uvow__loop_mem(tcp->loop), code, UVOW_OUTCOME_NONE);
}

static tcp_t *tcp_of(void *socket) {
  return (tcp_t *)((uvow__socket_t *)socket)->owner;
}

static void on_socket_closed(void *owner) {
  gone((tcp_t *)owner);
}

/* Enough is enough. More than once, if the peer and time say so at once. */
static void stop_lingering(tcp_t *tcp) {
  if (uvow__list_empty(&tcp->lingerer.link))
    return;
  uvow__loop_unlinger(tcp->loop, &tcp->lingerer);
  uvow__wheel_disarm(&tcp->patience);
  uvow__socket_close(tcp->socket, on_socket_closed);
}

static void on_lingerer_stopped(uvow__lingerer_t *lingerer) {
  stop_lingering(UVOW__CONTAINER(lingerer, tcp_t, lingerer));
}

static void on_patience(uvow__deadline_t *deadline) {
  stop_lingering(UVOW__CONTAINER(deadline, tcp_t, patience));
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf) {
  tcp_t *tcp = tcp_of(handle->data);
  (void)suggested;
  buf->base = uvow__loop_take_read(tcp->loop);
  buf->len = buf->base ? UVOW__READ_SIZE : 0;
}

static void on_data(uv_stream_t *handle, ssize_t len, const uv_buf_t *buf) {
  tcp_t *tcp = tcp_of(handle->data);
  uvow_loop_t *loop = tcp->loop;
  uvow__runtime_enter(&loop->rt);
  if (len > 0 && !tcp->closing) {
    tcp->io.callbacks->on_read(tcp->io.ctx, (const uint8_t *)buf->base,
                               (size_t)len);
  } else if (len < 0 && tcp->closing) {
    stop_lingering(tcp);
  } else if (len < 0) {
    uv_read_stop(handle);
    tcp->ended = 1;
    end(tcp, len == UV_EOF
                 ? NULL
                 : error_of(tcp, len == UV_ENOBUFS ? UVOW_ENOMEM : (int)len));
  }
  if (buf->base)
    uvow__loop_give_read(loop, buf->base);
  uvow__runtime_leave(&loop->rt);
}

/* One piece at a time: libuv counts in unsigned and answers in int. */
static uv_buf_t piece_of(uvow__buf_t *buf) {
  size_t size = uvow__buf_size(buf);
  if (size > UVOW__WRITE_PIECE)
    size = UVOW__WRITE_PIECE;
  return uv_buf_init((char *)uvow__buf_front(buf), (unsigned)size);
}

/* Sends what can leave at once: it's consumed. Returns libuv's error, or 0. */
static int send_now(tcp_t *tcp, uvow__buf_t *buf) {
  while (uvow__buf_size(buf)) {
    uv_buf_t piece = piece_of(buf);
    int sent = uv_try_write(&tcp->socket->handle.stream, &piece, 1);
    if (sent < 0)
      return sent == UV_EAGAIN ? 0 : sent;
    uvow__buf_consume(buf, (size_t)sent);
    if ((size_t)sent < piece.len)
      return 0;
  }
  return 0;
}

static void on_written(uv_write_t *req, int status);

/* Sends the next piece of `sending` when it can leave. */
static int send_later(tcp_t *tcp) {
  uv_buf_t piece = piece_of(&tcp->sending);
  if (!tcp->write)
    tcp->write = (uv_write_t *)uvow__cache_take(&tcp->loop->rt.texts,
                                                sizeof(*tcp->write));
  if (!tcp->write)
    return UVOW_ENOMEM;
  tcp->write->data = tcp;
  tcp->piece = piece.len;
  tcp->io.writing = 1;
  return uv_write(tcp->write, &tcp->socket->handle.stream, &piece, 1,
                  on_written);
}

/* A piece has left: and the others? */
static int send_on(tcp_t *tcp) {
  uvow__buf_consume(&tcp->sending, tcp->piece);
  int rc = send_now(tcp, &tcp->sending);
  if (rc || uvow__buf_size(&tcp->sending) == 0)
    return rc;
  return send_later(tcp);
}

static void on_written(uv_write_t *req, int status) {
  tcp_t *tcp = (tcp_t *)req->data;
  uvow_loop_t *loop = tcp->loop;
  if (tcp->closing)
    return;
  uvow__runtime_enter(&loop->rt);
  tcp->io.writing = 0;
  if (status == 0)
    status = send_on(tcp);
  if (status || !tcp->io.writing) {
    uvow__loop_return_write(loop, &tcp->sending);
    drop_write(tcp);
  }
  if (status) {
    tcp->ended = 1;
    end(tcp, error_of(tcp, status));
  } else if (!tcp->io.writing)
    tcp->io.callbacks->on_drained(tcp->io.ctx);
  uvow__runtime_leave(&loop->rt);
}

static int tcp_write(uvow__io_t *io, uvow__buf_t *out) {
  tcp_t *tcp = (tcp_t *)(void *)io;
  if (!tcp->socket)
    return UV_ENOTCONN;
  int rc = send_now(tcp, out);
  if (rc)
    return rc;
  if (uvow__buf_size(out) == 0) {
    uvow__loop_return_write(tcp->loop, out);
    return 0;
  }
  uvow__buf_t rest = *out;
  out->data = NULL;
  out->off = out->len = out->cap = 0;
  rest.max = tcp->sending.max;
  tcp->sending = rest;
  return send_later(tcp);
}

static void run_gone(uvow__task_t *task) {
  gone(UVOW__CONTAINER(task, tcp_t, gone));
}

static void on_shut(uv_shutdown_t *req, int status) {
  tcp_t *tcp = (tcp_t *)req->data;
  if (status && status != UV_ECANCELED)
    stop_lingering(tcp);
}

/* See (4). Returns 0, or why there's nothing to wait for. */
static int linger(tcp_t *tcp) {
  if (tcp->ended || !uvow__loop_may_linger(tcp->loop))
    return UV_ENOTCONN;
  int rc = uvow__socket_need_request(tcp->socket);
  if (rc)
    return rc;
  uv_shutdown_t *shutdown = &tcp->socket->request->shutdown;
  shutdown->data = tcp;
  rc = uv_shutdown(shutdown, &tcp->socket->handle.stream, on_shut);
  if (rc)
    return rc;
  /* It may have been paused; else this fails, as it reads already. */
  (void)uv_read_start(&tcp->socket->handle.stream, on_alloc, on_data);
  uv_unref(&tcp->socket->handle.base);
  uvow__runtime_arm(&tcp->loop->rt, &tcp->patience, LINGER_MS);
  uvow__loop_linger(tcp->loop, &tcp->lingerer);
  return 0;
}

static void tcp_close(uvow__io_t *io) {
  tcp_t *tcp = (tcp_t *)(void *)io;
  if (tcp->closing)
    return;
  tcp->closing = 1;
  if (tcp->connector)
    uvow__connect_cancel(tcp->connector);
  if (!tcp->socket)
    uvow__runtime_push(&tcp->loop->rt, &tcp->gone);
  else if (linger(tcp))
    uvow__socket_close(tcp->socket, on_socket_closed);
}

static void tcp_hold(uvow__io_t *io, int hold) {
  tcp_t *tcp = (tcp_t *)(void *)io;
  if (!tcp->socket)
    return;
  if (hold)
    uv_ref(&tcp->socket->handle.base);
  else
    uv_unref(&tcp->socket->handle.base);
}

static void tcp_pause(uvow__io_t *io, int pause) {
  tcp_t *tcp = (tcp_t *)(void *)io;
  if (!tcp->socket || tcp->closing || tcp->ended)
    return;
  if (pause)
    uv_read_stop(&tcp->socket->handle.stream);
  else /* fails only on a socket that can't be read */
    (void)uv_read_start(&tcp->socket->handle.stream, on_alloc, on_data);
}

static size_t tcp_unsent(const uvow__io_t *io) {
  const tcp_t *tcp = (const tcp_t *)(const void *)io;
  if (!io->writing)
    return 0;
  return tcp->sending.len - tcp->sending.off - tcp->piece +
         uv_stream_get_write_queue_size(&tcp->socket->handle.stream);
}

static uvow_error_t *tcp_trouble(const uvow__io_t *io) {
  const tcp_t *tcp = (const tcp_t *)(const void *)io;
  return tcp->connector ? uvow__connect_trouble(tcp->connector) : NULL;
}

static int tcp_who(const uvow__io_t *io, int what, uvow__buf_t *out) {
  const tcp_t *tcp = (const tcp_t *)(const void *)io;
  if (what != UVOW__WHO_ADDRESS || !tcp->socket)
    return 0;
  return uvow__socket_peer(tcp->socket, out);
}

static const uvow__io_ops_t tcp_ops = {tcp_write, tcp_close, tcp_hold,
                                       tcp_pause, tcp_unsent};

/* Reads from now on. Returns 0 or libuv's error. */
static int start(tcp_t *tcp) {
  uvow__socket_tune(tcp->socket, tcp->keepalive_s);
  return uv_read_start(&tcp->socket->handle.stream, on_alloc, on_data);
}

static void on_connected(void *ctx, uvow__socket_t *socket) {
  tcp_t *tcp = (tcp_t *)ctx;
  tcp->connector = NULL;
  tcp->socket = socket;
  socket->owner = tcp;
  int rc = start(tcp);
  if (rc)
    end(tcp, error_of(tcp, rc));
  else
    tcp->io.callbacks->on_open(tcp->io.ctx);
}

static void on_failed(void *ctx, uvow_error_t *error) {
  tcp_t *tcp = (tcp_t *)ctx;
  tcp->connector = NULL;
  end(tcp, error);
}

static const uvow__connector_callbacks_t connector_callbacks = {on_connected,
                                                                on_failed};

static tcp_t *new_tcp(uvow_loop_t *loop, const uvow__io_callbacks_t *callbacks,
                      void *ctx) {
  tcp_t *tcp = (tcp_t *)uvow__calloc(uvow__loop_mem(loop), sizeof(*tcp));
  if (!tcp)
    return NULL;
  tcp->io.ops = &tcp_ops;
  tcp->io.callbacks = callbacks;
  tcp->io.ctx = ctx;
  tcp->io.trouble = tcp_trouble;
  tcp->io.who = tcp_who;
  tcp->loop = loop;
  uvow__list_init(&tcp->lingerer.link);
  tcp->lingerer.stop = on_lingerer_stopped;
  uvow__deadline_init(&tcp->patience, on_patience);
  uvow__task_init(&tcp->gone, run_gone);
  uvow__buf_init(&tcp->sending, uvow__loop_mem(loop), SIZE_MAX);
  uvow__loop_stream_opened(loop);
  return tcp;
}

static int tcp_connect(const uvow__transport_t *transport, uvow_loop_t *loop,
                       const uvow__endpoint_t *endpoint,
                       const uvow__io_callbacks_t *callbacks, void *ctx,
                       uvow__io_t **ret_io) {
  (void)transport;
  tcp_t *tcp = new_tcp(loop, callbacks, ctx);
  if (!tcp)
    return UVOW_ENOMEM;
  tcp->keepalive_s = endpoint->keepalive_s;
  int rc = uvow__connect_begin(loop, endpoint, &connector_callbacks, tcp,
                               &tcp->connector);
  if (rc)
    free_tcp(tcp);
  else
    *ret_io = &tcp->io;
  return rc;
}

static int tcp_listen(const uvow__transport_t *transport, uvow_loop_t *loop,
                      const uvow__endpoint_t *endpoint,
                      const uvow__listener_callbacks_t *callbacks, void *ctx,
                      uvow__listener_t **ret_listener) {
  (void)transport;
  int rc = endpoint->path
               ? uvow__pipe_listen(loop, endpoint->path, callbacks, ctx,
                                   ret_listener)
               : uvow__tcp_listen(loop, endpoint->host, endpoint->port,
                                  callbacks, ctx, ret_listener);
  if (rc == 0)
    uvow__doors_of(*ret_listener)->keepalive_s = endpoint->keepalive_s;
  return rc;
}

static int tcp_accept(const uvow__transport_t *transport,
                      uvow__listener_t *listener,
                      const uvow__io_callbacks_t *callbacks, void *ctx,
                      uvow__io_t **ret_io) {
  uvow__doors_t *doors = uvow__doors_of(listener);
  uvow_loop_t *loop = doors->loop;
  (void)transport;
  tcp_t *tcp = new_tcp(loop, callbacks, ctx);
  if (!tcp)
    return UVOW_ENOMEM;
  int rc = uvow__socket_new(loop, doors->is_pipe, tcp, &tcp->socket);
  if (rc) {
    free_tcp(tcp);
    return rc;
  }
  tcp->keepalive_s = doors->keepalive_s;
  doors->accepted = 1;
  rc = uv_accept(&doors->handle.stream, &tcp->socket->handle.stream);
  if (rc == 0)
    rc = start(tcp);
  if (rc) {
    uvow__socket_close(tcp->socket, NULL);
    free_tcp(tcp);
    return rc;
  }
  tcp->io.is_open = 1;
  *ret_io = &tcp->io;
  return 0;
}

const uvow__transport_t uvow__tcp_transport = {tcp_connect, tcp_listen,
                                               tcp_accept};
