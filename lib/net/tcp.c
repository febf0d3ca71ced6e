/*
 * A TCP stream on libuv.
 *
 *   connect: resolve -> on_resolved -> try_next -> on_connected -> open
 *                            ^            |  (refused: the next address)
 *                            +------------+  (none left: on_end)
 *   accept:  open
 *   open:    on_data..., write -> (all left) | uv_write -> on_written
 *   close:   uv_close -> on_handle_closed -> freed
 *
 * 1. After close, nothing but on_closed is called back.
 * 2. A handle whose connect failed can't be used again: it's closed, and the
 *    next address gets a new one in the same place.
 * 3. One read buffer serves all streams of a loop: it's taken in on_alloc and
 *    given back in on_data (on Windows, where reads may overlap, each takes
 *    its own).
 * 4. Reads and resolves that were asked for before a close come back as
 *    canceled: they touch only this struct, which lives until both are back.
 */
#include "tcp.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "listener.h"
#include "loop.h"

typedef struct tcp {
  uvow__stream_t stream; /* first */
  uvow_loop_t *loop;
  uv_tcp_t handle;
  int handle_open; /* initialised and not closed */
  int closing;
  int resolving;
  int open;
  uvow__task_t gone; /* frees it, when no callback of libuv's is to come */
  uv_getaddrinfo_t resolve;
  uv_connect_t connect;
  uv_write_t write;
  uvow__buf_t sending; /* what uv_write is at */
  struct addrinfo *addresses;
  struct addrinfo *next;
  uvow_error_t *failed; /* the last address that failed; cause: the one before*/
  char *host;
  uint16_t port;
} tcp_t;

static void try_next(tcp_t *tcp);

static const uvow__mem_t *mem_of(const tcp_t *tcp) {
  return uvow__loop_mem(tcp->loop);
}

static void free_tcp(tcp_t *tcp) {
  uv_freeaddrinfo(tcp->addresses);
  uvow_error_unref(tcp->failed);
  uvow__buf_done(&tcp->sending);
  uvow__free(mem_of(tcp), tcp->host);
  uvow__free(mem_of(tcp), tcp);
}

/* Closed, and nothing of libuv's is under way. */
static void maybe_free(tcp_t *tcp) {
  if (!tcp->closing || tcp->handle_open || tcp->resolving)
    return;
  uvow_loop_t *loop = tcp->loop;
  const uvow__stream_callbacks_t *callbacks = tcp->stream.callbacks;
  void *ctx = tcp->stream.ctx;
  uvow__runtime_enter(&loop->rt);
  free_tcp(tcp);
  callbacks->on_closed(ctx);
  uvow__runtime_leave(&loop->rt);
  uvow__loop_stream_closed(loop);
}

/* Takes the error; NULL: in order. */
static void end(tcp_t *tcp, uvow_error_t *error) {
  if (tcp->closing)
    uvow_error_unref(error);
  else
    tcp->stream.callbacks->on_end(tcp->stream.ctx, error);
}

static uvow_error_t *error_of(tcp_t *tcp, int code) {
  return uvow__error_code(mem_of(tcp), code, UVOW_OUTCOME_NONE);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf) {
  tcp_t *tcp = (tcp_t *)handle->data;
  (void)suggested;
  buf->base = uvow__loop_take_read(tcp->loop);
  buf->len = buf->base ? UVOW__READ_SIZE : 0;
}

static void on_data(uv_stream_t *handle, ssize_t len, const uv_buf_t *buf) {
  tcp_t *tcp = (tcp_t *)handle->data;
  uvow_loop_t *loop = tcp->loop;
  uvow__runtime_enter(&loop->rt);
  if (len > 0 && !tcp->closing) {
    tcp->stream.callbacks->on_read(tcp->stream.ctx, (const uint8_t *)buf->base,
                                   (size_t)len);
  } else if (len < 0) {
    uv_read_stop(handle);
    end(tcp, len == UV_EOF
                 ? NULL
                 : error_of(tcp, len == UV_ENOBUFS ? UVOW_ENOMEM : (int)len));
  }
  if (buf->base)
    uvow__loop_give_read(loop, buf->base);
  uvow__runtime_leave(&loop->rt);
}

static void on_written(uv_write_t *req, int status) {
  tcp_t *tcp = (tcp_t *)req->data;
  uvow_loop_t *loop = tcp->loop;
  if (tcp->closing)
    return;
  uvow__runtime_enter(&loop->rt);
  tcp->stream.writing = 0;
  uvow__loop_return_write(loop, &tcp->sending);
  if (status)
    end(tcp, error_of(tcp, status));
  else
    tcp->stream.callbacks->on_drained(tcp->stream.ctx);
  uvow__runtime_leave(&loop->rt);
}

static int tcp_write(uvow__stream_t *stream, uvow__buf_t *out) {
  tcp_t *tcp = (tcp_t *)(void *)stream;
  uv_stream_t *handle = (uv_stream_t *)&tcp->handle;
  size_t size = uvow__buf_size(out);
  uv_buf_t bytes = uv_buf_init((char *)uvow__buf_front(out), (unsigned)size);
  int sent = uv_try_write(handle, &bytes, 1);
  if (sent < 0 && sent != UV_EAGAIN)
    return sent;
  if (sent > 0)
    uvow__buf_consume(out, (size_t)sent);
  if (sent >= 0 && (size_t)sent == size) {
    uvow__loop_return_write(tcp->loop, out);
    return 0;
  }
  uvow__buf_t rest = *out;
  out->data = NULL;
  out->off = out->len = out->cap = 0;
  rest.max = tcp->sending.max;
  tcp->sending = rest;
  bytes = uv_buf_init((char *)uvow__buf_front(&rest),
                      (unsigned)uvow__buf_size(&rest));
  stream->writing = 1;
  return uv_write(&tcp->write, handle, &bytes, 1, on_written);
}

static void on_handle_closed(uv_handle_t *handle) {
  tcp_t *tcp = (tcp_t *)handle->data;
  tcp->handle_open = 0;
  if (tcp->closing)
    maybe_free(tcp);
  else
    try_next(tcp);
}

static void tcp_close(uvow__stream_t *stream) {
  tcp_t *tcp = (tcp_t *)(void *)stream;
  if (tcp->closing)
    return;
  tcp->closing = 1;
  if (tcp->resolving)
    uv_cancel((uv_req_t *)&tcp->resolve);
  if (tcp->handle_open && !uv_is_closing((uv_handle_t *)&tcp->handle))
    uv_close((uv_handle_t *)&tcp->handle, on_handle_closed);
  else if (!tcp->handle_open && !tcp->resolving)
    uvow__runtime_push(&tcp->loop->rt, &tcp->gone);
}

static void run_gone(uvow__task_t *task) {
  maybe_free(UVOW__CONTAINER(task, tcp_t, gone));
}

static void tcp_hold(uvow__stream_t *stream, int hold) {
  tcp_t *tcp = (tcp_t *)(void *)stream;
  if (!tcp->handle_open)
    return;
  if (hold)
    uv_ref((uv_handle_t *)&tcp->handle);
  else
    uv_unref((uv_handle_t *)&tcp->handle);
}

static const uvow__stream_ops_t tcp_ops = {tcp_write, tcp_close, tcp_hold};

/* Reads from now on. Returns 0 or libuv's error. */
static int start(tcp_t *tcp) {
  tcp->open = 1;
  uv_tcp_nodelay(&tcp->handle, 1); /* best effort: slower without, not wrong */
  return uv_read_start((uv_stream_t *)&tcp->handle, on_alloc, on_data);
}

/* Remembers why an address failed; takes the one before as its cause. */
static void note_failure(tcp_t *tcp, const struct addrinfo *address, int code) {
  char name[64] = "?";
  char detail[400];
  uvow__error_spec_t spec = {0};
  if (address)
    uv_ip_name(address->ai_addr, name, sizeof(name));
  int len =
      snprintf(detail, sizeof(detail), "connect to %.200s (%s) port %u: %s",
               tcp->host, name, (unsigned)tcp->port, uvow_strerror(code));
  spec.code = code;
  spec.outcome = UVOW_NOT_SENT;
  spec.detail.ptr = detail;
  spec.detail.len = (size_t)len;
  spec.cause = tcp->failed;
  uvow_error_t *error = uvow__error_make(mem_of(tcp), &spec);
  uvow_error_unref(tcp->failed);
  tcp->failed = error;
}

static void on_connected(uv_connect_t *req, int status) {
  tcp_t *tcp = (tcp_t *)req->data;
  uvow_loop_t *loop = tcp->loop;
  if (tcp->closing)
    return;
  uvow__runtime_enter(&loop->rt);
  if (status == 0)
    status = start(tcp);
  if (status) {
    note_failure(tcp, tcp->next, status);
    tcp->next = tcp->next->ai_next;
    uv_close((uv_handle_t *)&tcp->handle, on_handle_closed);
  } else {
    tcp->stream.callbacks->on_open(tcp->stream.ctx);
  }
  uvow__runtime_leave(&loop->rt);
}

static int begin_connect(tcp_t *tcp, const struct addrinfo *address) {
  int rc = uv_tcp_init(tcp->loop->uv, &tcp->handle);
  if (rc)
    return rc;
  tcp->handle_open = 1;
  tcp->handle.data = tcp;
  return uv_tcp_connect(&tcp->connect, &tcp->handle, address->ai_addr,
                        on_connected);
}

static void try_next(tcp_t *tcp) {
  while (tcp->next) {
    int rc = begin_connect(tcp, tcp->next);
    if (rc == 0)
      return;
    note_failure(tcp, tcp->next, rc);
    tcp->next = tcp->next->ai_next;
    if (tcp->handle_open) {
      uv_close((uv_handle_t *)&tcp->handle, on_handle_closed);
      return; /* which comes back here */
    }
  }
  uvow_error_t *failed = tcp->failed;
  tcp->failed = NULL;
  uvow__runtime_enter(&tcp->loop->rt);
  end(tcp, failed ? failed : error_of(tcp, UV_EAI_NODATA));
  uvow__runtime_leave(&tcp->loop->rt);
}

static void on_resolved(uv_getaddrinfo_t *req, int status,
                        struct addrinfo *addresses) {
  tcp_t *tcp = (tcp_t *)req->data;
  tcp->resolving = 0;
  tcp->addresses = tcp->next = addresses;
  if (tcp->closing) {
    maybe_free(tcp);
    return;
  }
  if (status)
    note_failure(tcp, NULL, status);
  try_next(tcp);
}

static tcp_t *new_tcp(uvow_loop_t *loop,
                      const uvow__stream_callbacks_t *callbacks, void *ctx) {
  tcp_t *tcp = (tcp_t *)uvow__calloc(uvow__loop_mem(loop), sizeof(*tcp));
  if (!tcp)
    return NULL;
  tcp->stream.ops = &tcp_ops;
  tcp->stream.callbacks = callbacks;
  tcp->stream.ctx = ctx;
  tcp->loop = loop;
  uvow__task_init(&tcp->gone, run_gone);
  tcp->handle.data = tcp->resolve.data = tcp;
  tcp->connect.data = tcp->write.data = tcp;
  uvow__buf_init(&tcp->sending, uvow__loop_mem(loop), SIZE_MAX);
  return tcp;
}

static int tcp_connect(const uvow__transport_t *transport, uvow_loop_t *loop,
                       const uvow__endpoint_t *endpoint,
                       const uvow__stream_callbacks_t *callbacks, void *ctx,
                       uvow__stream_t **ret_stream) {
  struct addrinfo hints;
  char port[8];
  (void)transport;
  tcp_t *tcp = new_tcp(loop, callbacks, ctx);
  if (!tcp)
    return UVOW_ENOMEM;
  int rc = UVOW_ENOMEM;
  tcp->port = endpoint->port;
  tcp->host = uvow__strndup(uvow__loop_mem(loop), endpoint->host,
                            strlen(endpoint->host));
  if (!tcp->host)
    goto done;
  memset(&hints, 0, sizeof(hints));
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  snprintf(port, sizeof(port), "%u", (unsigned)endpoint->port);
  rc = uv_getaddrinfo(loop->uv, &tcp->resolve, on_resolved, tcp->host, port,
                      &hints);
done:
  if (rc) {
    free_tcp(tcp);
    return rc;
  }
  tcp->resolving = 1;
  uvow__loop_stream_opened(loop);
  *ret_stream = &tcp->stream;
  return 0;
}

static void on_unaccepted_closed(uv_handle_t *handle) {
  tcp_t *tcp = (tcp_t *)handle->data;
  uvow_loop_t *loop = tcp->loop;
  free_tcp(tcp);
  uvow__loop_stream_closed(loop);
}

int uvow__tcp_accept(uvow__listener_t *listener,
                     const uvow__stream_callbacks_t *callbacks, void *ctx,
                     uvow__stream_t **ret_stream) {
  uvow_loop_t *loop = listener->loop;
  tcp_t *tcp = new_tcp(loop, callbacks, ctx);
  if (!tcp)
    return UVOW_ENOMEM;
  int rc = uv_tcp_init(loop->uv, &tcp->handle);
  if (rc) {
    free_tcp(tcp);
    return rc;
  }
  tcp->handle_open = 1;
  uvow__loop_stream_opened(loop);
  listener->accepted = 1;
  rc = uv_accept((uv_stream_t *)&listener->handle, (uv_stream_t *)&tcp->handle);
  if (rc == 0)
    rc = start(tcp);
  if (rc) {
    uv_close((uv_handle_t *)&tcp->handle, on_unaccepted_closed);
    return rc;
  }
  *ret_stream = &tcp->stream;
  return 0;
}

const uvow__transport_t uvow__tcp_transport = {tcp_connect};
