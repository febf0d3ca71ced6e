#include "wires.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"

/* One end of a link: an io. Its handle keeps the uv loop running, as a socket
 * does, and ends it later, as libuv does. */
typedef struct end {
  uvow__io_t io; /* first */
  wires_link_t *link;
  uvow_loop_t *loop;
  uv_idle_t handle;
  int at; /* 0 or 1 */
  int paused;
  int ended; /* it was told so */
  int closing;
} end_t;

typedef struct bytes {
  uint8_t *data;
  size_t len;
  size_t at; /* read so far */
} bytes_t;

struct wires_link {
  wires_t *wires;
  wires_link_t *next;
  end_t *ends[2]; /* NULL: not yet, or no more */
  bytes_t said[2];
  int connected;
};

/* Who listens. */
typedef struct wires_doors {
  uvow__listener_t listener; /* first */
  wires_t *wires;
  uvow_loop_t *loop;
  const uvow__listener_callbacks_t *callbacks;
  void *ctx;
  uv_idle_t handle;
  int held;
} doors_t;

/* ---- an io ---- */

static end_t *end_of(uvow__io_t *io) {
  return (end_t *)(void *)io;
}

static int write_op(uvow__io_t *io, uvow__buf_t *out) {
  end_t *end = end_of(io);
  bytes_t *said = &end->link->said[end->at];
  size_t len = uvow__buf_size(out);
  if (end->closing || io->writing || !len)
    abort();
  uint8_t *data = (uint8_t *)realloc(said->data, said->len + len);
  if (!data)
    abort();
  memcpy(data + said->len, uvow__buf_front(out), len);
  said->data = data;
  said->len += len;
  io->writing = end->link->wires->block;
  uvow__loop_return_write(end->loop, out);
  return 0;
}

static void on_closed(uv_handle_t *handle) {
  end_t *end = (end_t *)handle->data;
  uvow_loop_t *loop = end->loop;
  const uvow__io_callbacks_t *callbacks = end->io.callbacks;
  void *ctx = end->io.ctx;
  uvow__runtime_enter(&loop->rt);
  uvow__free(uvow__loop_mem(loop), end);
  callbacks->on_closed(ctx);
  uvow__runtime_leave(&loop->rt);
  uvow__loop_stream_closed(loop);
}

static void close_op(uvow__io_t *io) {
  end_t *end = end_of(io);
  if (end->closing)
    return;
  end->closing = 1;
  end->link->ends[end->at] = NULL;
  uv_close((uv_handle_t *)&end->handle, on_closed);
}

static void hold_op(uvow__io_t *io, int hold) {
  uv_handle_t *handle = (uv_handle_t *)&end_of(io)->handle;
  if (hold)
    uv_ref(handle);
  else
    uv_unref(handle);
}

static void pause_op(uvow__io_t *io, int pause) {
  end_of(io)->paused = pause;
}

static size_t unsent_op(const uvow__io_t *io) {
  const end_t *end = (const end_t *)(const void *)io;
  const bytes_t *said = &end->link->said[end->at];
  return io->writing ? said->len - said->at : 0;
}

static const uvow__io_ops_t io_ops = {write_op, close_op, hold_op, pause_op,
                                      unsent_op};

static int who(const uvow__io_t *io, int what, uvow__buf_t *out) {
  (void)io;
  return what == UVOW__WHO_ADDRESS ? uvow__buf_append_text(out, "127.0.0.1:1")
                                   : 0;
}

static void on_idle(uv_idle_t *handle) {
  (void)handle;
}

static void hold_loop(uvow_loop_t *loop, uv_idle_t *handle, void *data) {
  uv_idle_init(loop->uv, handle);
  uv_idle_start(handle, on_idle);
  handle->data = data;
  uvow__loop_stream_opened(loop);
}

static end_t *new_end(wires_link_t *link, int at, uvow_loop_t *loop,
                      const uvow__io_callbacks_t *callbacks, void *ctx) {
  end_t *end = (end_t *)uvow__calloc(uvow__loop_mem(loop), sizeof(*end));
  if (!end)
    return NULL;
  end->io.ops = &io_ops;
  end->io.callbacks = callbacks;
  end->io.ctx = ctx;
  end->io.who = who;
  end->link = link;
  end->loop = loop;
  end->at = at;
  hold_loop(loop, &end->handle, end);
  return link->ends[at] = end;
}

/* ---- the transport ---- */

static int connect_op(const uvow__transport_t *transport, uvow_loop_t *loop,
                      const uvow__endpoint_t *endpoint,
                      const uvow__io_callbacks_t *callbacks, void *ctx,
                      uvow__io_t **ret_io) {
  wires_t *wires = UVOW__CONTAINER(transport, wires_t, transport);
  wires_link_t *link = (wires_link_t *)calloc(1, sizeof(*link));
  (void)endpoint;
  if (!link)
    abort();
  link->wires = wires;
  end_t *end = new_end(link, 0, loop, callbacks, ctx);
  if (!end) {
    free(link);
    return UVOW_ENOMEM;
  }
  link->next = wires->links;
  wires->links = link;
  *ret_io = &end->io;
  return 0;
}

static int accept_op(const uvow__transport_t *transport,
                     uvow__listener_t *listener,
                     const uvow__io_callbacks_t *callbacks, void *ctx,
                     uvow__io_t **ret_io) {
  wires_t *wires = UVOW__CONTAINER(transport, wires_t, transport);
  const doors_t *doors = (const doors_t *)(const void *)listener;
  end_t *end = new_end(wires->incoming, 1, doors->loop, callbacks, ctx);
  if (!end)
    return UVOW_ENOMEM;
  end->io.is_open = 1;
  *ret_io = &end->io;
  return 0;
}

static int port_op(const uvow__listener_t *listener, uint16_t *ret_port) {
  (void)listener;
  *ret_port = 1;
  return 0;
}

static void wait_op(uvow__listener_t *listener) {
  ((doors_t *)(void *)listener)->held = 1;
}

static void resume_op(uvow__listener_t *listener) {
  ((doors_t *)(void *)listener)->held = 0; /* wires_connect asks again */
}

static void on_doors_closed(uv_handle_t *handle) {
  doors_t *doors = (doors_t *)handle->data;
  uvow_loop_t *loop = doors->loop;
  const uvow__listener_callbacks_t *callbacks = doors->callbacks;
  void *ctx = doors->ctx;
  uvow__runtime_enter(&loop->rt);
  uvow__free(uvow__loop_mem(loop), doors);
  callbacks->on_closed(ctx);
  uvow__runtime_leave(&loop->rt);
  uvow__loop_stream_closed(loop);
}

static void unlisten_op(uvow__listener_t *listener) {
  doors_t *doors = (doors_t *)(void *)listener;
  if (doors->wires->doors != doors)
    return;
  doors->wires->doors = NULL;
  uv_close((uv_handle_t *)&doors->handle, on_doors_closed);
}

static const uvow__listener_ops_t listener_ops = {port_op, wait_op, resume_op,
                                                  unlisten_op};

static int listen_op(const uvow__transport_t *transport, uvow_loop_t *loop,
                     const uvow__endpoint_t *endpoint,
                     const uvow__listener_callbacks_t *callbacks, void *ctx,
                     uvow__listener_t **ret_listener) {
  wires_t *wires = UVOW__CONTAINER(transport, wires_t, transport);
  (void)endpoint;
  if (wires->doors)
    return UV_EADDRINUSE;
  doors_t *doors =
      (doors_t *)uvow__calloc(uvow__loop_mem(loop), sizeof(*doors));
  if (!doors)
    return UVOW_ENOMEM;
  doors->listener.ops = &listener_ops;
  doors->wires = wires;
  doors->loop = loop;
  doors->callbacks = callbacks;
  doors->ctx = ctx;
  hold_loop(loop, &doors->handle, doors);
  wires->doors = doors;
  *ret_listener = &doors->listener;
  return 0;
}

/* ---- the test's ---- */

void wires_init(wires_t *wires) {
  memset(wires, 0, sizeof(*wires));
  wires->transport.connect = connect_op;
  wires->transport.listen = listen_op;
  wires->transport.accept = accept_op;
}

void wires_done(wires_t *wires) {
  while (wires->links) {
    wires_link_t *link = wires->links;
    wires->links = link->next;
    if (link->ends[0] || link->ends[1])
      abort();
    free(link->said[0].data);
    free(link->said[1].data);
    free(link);
  }
}

wires_link_t *wires_last(const wires_t *wires) {
  return wires->links;
}

int wires_is_there(const wires_link_t *link, int end) {
  return link && link->ends[end];
}

/* It is over: code 0: in order. */
static void tell_end(end_t *end, int code) {
  uvow_loop_t *loop = end->loop;
  uvow_error_t *error = NULL;
  if (end->ended)
    return;
  end->ended = 1;
  if (code)
    error = uvow__error_code(uvow__loop_mem(loop), code, UVOW_OUTCOME_NONE);
  uvow__runtime_enter(&loop->rt);
  end->io.callbacks->on_end(end->io.ctx, error);
  uvow__runtime_leave(&loop->rt);
}

static void let_in(wires_t *wires, wires_link_t *link) {
  end_t *end = link->ends[0];
  doors_t *doors = wires->doors;
  uvow_loop_t *loop = end->loop;
  wires->incoming = link;
  uvow__runtime_enter(&loop->rt);
  if (doors && !doors->held)
    doors->callbacks->on_incoming(doors->ctx, &doors->listener);
  uvow__runtime_leave(&loop->rt);
  wires->incoming = NULL;
  if (doors && wires->doors == doors && doors->held)
    return; /* it waits */
  link->connected = 1;
  if (!link->ends[1]) {
    tell_end(end, UV_ECONNREFUSED);
    return;
  }
  uvow__runtime_enter(&loop->rt);
  end->io.callbacks->on_open(end->io.ctx);
  uvow__runtime_leave(&loop->rt);
}

void wires_connect(wires_t *wires) {
  for (wires_link_t *link = wires->links; link; link = link->next)
    if (!link->connected && link->ends[0])
      let_in(wires, link);
}

size_t wires_move(wires_link_t *link, int from, size_t most) {
  if (!link || !link->connected)
    return 0;
  bytes_t *said = &link->said[from];
  end_t *to = link->ends[!from];
  size_t len = said->len - said->at;
  len = len < most ? len : most;
  if (!to || to->ended) {
    said->at = said->len;
    return 0;
  }
  if (to->paused)
    return 0;
  if (len == 0) {
    if (!link->ends[from])
      tell_end(to, 0);
    return 0;
  }
  /* A copy with nothing behind it: an over-read is seen. */
  uint8_t *copy = (uint8_t *)malloc(len);
  if (!copy)
    abort();
  memcpy(copy, said->data + said->at, len);
  said->at += len;
  uvow_loop_t *loop = to->loop;
  uvow__runtime_enter(&loop->rt);
  to->io.callbacks->on_read(to->io.ctx, copy, len);
  uvow__runtime_leave(&loop->rt);
  free(copy);
  return len;
}

void wires_drain(wires_link_t *link, int at) {
  end_t *end = link ? link->ends[at] : NULL;
  if (!end || !end->io.writing)
    return;
  uvow_loop_t *loop = end->loop;
  end->io.writing = 0;
  uvow__runtime_enter(&loop->rt);
  end->io.callbacks->on_drained(end->io.ctx);
  uvow__runtime_leave(&loop->rt);
}

void wires_cut(wires_link_t *link, int code) {
  for (int at = 0; link && at < 2; at++) {
    link->said[at].at = link->said[at].len;
    if (link->ends[at])
      tell_end(link->ends[at], code);
  }
}
