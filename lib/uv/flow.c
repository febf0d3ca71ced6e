/*
 * Streams of bytes as channels: a flow's life, and what comes.
 *
 *   new -> (connects) -> open -> reads, writes
 *                         |  end of the peer's: in ends; out goes on
 *                         |  out's end: shut down; in goes on
 *                         |  both: closed; a deaf one lingers first
 *                         +-- an error, a drop, the loop's close: end
 *   end -> the socket closes -> freed
 *
 * 1. A flow lives until its handle is closed; what libuv calls back after the
 *    end touches only the flow.
 * 2. in full: it doesn't read. in let go: it never reads again, but for the
 *    peer's end once out is at its own (see 3).
 * 3. A socket that closes while bytes wait in it is reset, and what was sent
 *    last may be lost. So a flow that nobody reads shuts down its side, and
 *    reads and drops until the peer's end, for LINGER_MS at most and without
 *    holding the loop.
 * 4. One that is dropped, or fails to write all, is reset where it can be: the
 *    peer must not take what came for all there is.
 */
#include "flow.h"

#include <string.h>

#include "future/fail.h"
#include "op.h"

#define LINGER_MS 2000
#define PROBE_AFTER_S 60

/* A terminal; a socket has memory of its own. */
typedef struct tty {
  uv_tty_t handle; /* first */
  uvow__closing_t closing;
  uvow__flow_t *flow;
} tty_t;

static uvow__flow_t *flow_of(const uv_handle_t *handle) {
  if (handle->type == UV_TTY)
    return ((const tty_t *)(const void *)handle)->flow;
  return (uvow__flow_t *)((uvow__socket_t *)handle->data)->owner;
}

/* The end. */

static void gone(uvow__flow_t *flow) {
  uvow_loop_t *loop = flow->loop;
  uvow__flow_release(flow);
  if (flow->in)
    uvow__stream_sink_gone(flow->in);
  uvow__loop_depart(loop, &flow->resident);
  uvow__free(&flow->loop->rt.mem, flow->name);
  uvow__free(&flow->loop->rt.mem, flow);
  uvow__loop_stream_closed(loop);
  uvow__loop_unpin(loop);
}

static void on_socket_closed(void *owner) {
  gone((uvow__flow_t *)owner);
}

static void on_tty_closed(uv_handle_t *handle) {
  uvow__flow_t *flow = flow_of(handle);
  uvow_loop_t *loop = flow->loop;
  uvow__free(&loop->rt.mem, handle);
  uvow__runtime_enter(&loop->rt);
  gone(flow);
  uvow__runtime_leave(&loop->rt);
}

static void run_gone(uvow__task_t *task) {
  gone(UVOW__CONTAINER(task, uvow__flow_t, task));
}

static void close_handle(uvow__flow_t *flow) {
  uvow__task_cancel(&flow->task);
  if (!uvow__list_empty(&flow->lingerer.link)) {
    uvow__loop_unlinger(flow->loop, &flow->lingerer);
    uvow__wheel_disarm(&flow->patience);
  }
  if (flow->connector)
    uvow__connect_cancel(flow->connector);
  flow->connector = NULL;
  if (flow->socket && flow->broken) {
    uvow__socket_reset(flow->socket, on_socket_closed);
  } else if (flow->socket) {
    uvow__socket_close(flow->socket, on_socket_closed);
  } else if (flow->stream) {
    uvow__loop_close_handle(flow->loop, (uv_handle_t *)flow->stream,
                            on_tty_closed,
                            &((tty_t *)(void *)flow->stream)->closing);
  } else {
    flow->task.run = run_gone;
    uvow__runtime_push(&flow->loop->rt, &flow->task);
  }
}

void uvow__flow_end(uvow__flow_t *flow, uvow_error_t *error, int code) {
  if (flow->over) {
    uvow_error_unref(error);
    return;
  }
  flow->over = 1;
  if (flow->out)
    flow->broken = 1;
  if (flow->in && !flow->deaf)
    uvow__stream_fail(flow->in, error);
  else
    uvow_error_unref(error);
  uvow__flow_leave_out(flow, code);
  close_handle(flow);
}

void uvow__flow_fail(uvow__flow_t *flow, const char *what, int code) {
  uvow__flow_end(
      flow, uvow__op_error(&flow->loop->rt.mem, what, code, flow->name), code);
}

static void on_loop_close(uvow__resident_t *resident) {
  uvow__flow_t *flow = UVOW__CONTAINER(resident, uvow__flow_t, resident);
  uvow__flow_end(
      flow,
      uvow__error_code(&flow->loop->rt.mem, UVOW_ECLOSED, UVOW_OUTCOME_NONE),
      UVOW_ECLOSED);
}

static void close_now(uvow__flow_t *flow) {
  if (!flow->over) {
    flow->over = 1;
    close_handle(flow);
  }
}

/* What comes. */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf) {
  uvow__flow_t *flow = flow_of(handle);
  (void)suggested;
  buf->base = uvow__loop_take_read(flow->loop);
  buf->len = buf->base ? UVOW__READ_SIZE : 0;
}

static void take(uvow__flow_t *flow, const char *ptr, size_t len) {
  uvow__bytes_t *bytes;
  if (flow->deaf)
    return;
  bytes = uvow__bytes_copy(&flow->loop->rt, ptr, len);
  int rc = bytes ? 0 : UVOW_ENOMEM;
  if (bytes)
    rc = uvow__stream_put_value(flow->in, uvow__bytes_value(bytes));
  if (rc > 0)
    (void)uv_read_stop(flow->stream);
  else if (rc < 0 && !flow->deaf)
    uvow__flow_fail(flow, "read from", rc);
}

static void at_end(uvow__flow_t *flow) {
  uvow_stream_t *in = flow->in;
  (void)uv_read_stop(flow->stream);
  flow->at_eof = 1;
  if (!flow->deaf) {
    flow->in = NULL;
    uvow__stream_end(in, uvow_value_none());
    uvow__stream_sink_gone(in);
  }
  uvow__flow_half(flow);
}

static void on_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buf) {
  uvow__flow_t *flow = flow_of((uv_handle_t *)stream);
  uvow_loop_t *loop = flow->loop;
  uvow__runtime_enter(&loop->rt);
  if (len > 0)
    take(flow, buf->base, (size_t)len);
  else if (len == UV_EOF)
    at_end(flow);
  else if (len < 0)
    uvow__flow_fail(flow, "read from",
                    len == UV_ENOBUFS ? UVOW_ENOMEM : (int)len);
  if (buf->base)
    uvow__loop_give_read(loop, buf->base);
  uvow__runtime_leave(&loop->rt);
}

/* There's room again. It fails only where it would fail at once, too. */
static void on_resume(uvow_stream_t *in) {
  uvow__flow_t *flow = (uvow__flow_t *)in->source;
  if (flow->stream && !flow->over)
    (void)uv_read_start(flow->stream, on_alloc, on_read);
}

static void on_let_go(uvow_stream_t *in) {
  uvow__flow_t *flow = (uvow__flow_t *)in->source;
  flow->deaf = 1;
  if (flow->over || !flow->in) /* or it's at its end anyway */
    return;
  if (flow->stream)
    (void)uv_read_stop(flow->stream);
  if (flow->out) {
    flow->in = NULL;
    uvow__stream_sink_gone(in);
  }
  uvow__flow_half(flow);
}

static const uvow__source_ops_t in_ops = {on_resume, on_let_go};

/* Both halves. */

static void on_stop(uvow__lingerer_t *lingerer) {
  close_now(UVOW__CONTAINER(lingerer, uvow__flow_t, lingerer));
}

static void on_patience(uvow__deadline_t *deadline) {
  close_now(UVOW__CONTAINER(deadline, uvow__flow_t, patience));
}

/* See (3). */
static void linger(uvow__flow_t *flow) {
  if (!uvow__loop_may_linger(flow->loop) ||
      uv_read_start(flow->stream, on_alloc, on_read)) {
    close_now(flow);
    return;
  }
  uv_unref((uv_handle_t *)flow->stream);
  uvow__runtime_arm(&flow->loop->rt, &flow->patience, LINGER_MS);
  uvow__loop_linger(flow->loop, &flow->lingerer);
}

void uvow__flow_half(uvow__flow_t *flow) {
  if (flow->over || flow->out || (flow->in && !flow->deaf))
    return;
  if (flow->deaf && flow->two_way && flow->stream && !flow->at_eof &&
      !flow->broken && uvow__list_empty(&flow->lingerer.link))
    linger(flow);
  else
    close_now(flow);
}

/* The beginning. */

static void run_write(uvow__task_t *task) {
  uvow__flow_write(UVOW__CONTAINER(task, uvow__flow_t, task));
}

/* Reads out, from now on. Takes it. */
static void listen_to(uvow__flow_t *flow, uvow_stream_t *out) {
  flow->out = out;
  (void)uvow__stream_claim(out, &flow->task);
  out->flags |= UVOW__STREAM_ASKED;
}

static int make_halves(uvow__flow_t *flow, int halves,
                       uvow_channel_t *ret_channel) {
  static const uvow_stream_options_t bounds = {sizeof(bounds), 0, 0,
                                               UVOW_FULL_WAIT, 0};
  uvow_stream_t *out = NULL;
  ret_channel->in = NULL;
  ret_channel->out = NULL;
  if (halves & UVOW__FLOW_IN)
    ret_channel->in = uvow__stream_new(&flow->loop->rt, sizeof(uvow_stream_t),
                                       &in_ops, &bounds);
  if (halves & UVOW__FLOW_OUT)
    out = uvow_stream_new(flow->loop, &bounds, &ret_channel->out);
  if (!ret_channel->in == !(halves & UVOW__FLOW_IN) &&
      !out == !(halves & UVOW__FLOW_OUT)) {
    flow->in = ret_channel->in;
    if (flow->in)
      flow->in->source = flow;
    if (out)
      listen_to(flow, out);
    return 0;
  }
  if (ret_channel->in) {
    ret_channel->in->ops = NULL;
    uvow__stream_sink_gone(ret_channel->in);
  }
  uvow_stream_unref(ret_channel->in);
  uvow_sink_drop(ret_channel->out);
  uvow_stream_unref(out);
  ret_channel->in = NULL;
  ret_channel->out = NULL;
  return UVOW_ENOMEM;
}

uvow__flow_t *uvow__flow_new(uvow_loop_t *loop, int halves, const char *name,
                             uvow_channel_t *ret_channel) {
  ret_channel->in = NULL;
  ret_channel->out = NULL;
  if (!loop || loop->closing)
    return (uvow__flow_t *)uvow__refuse(loop, UVOW_ECLOSED, uvow__fail_closed,
                                        NULL);
  uvow__flow_t *flow =
      (uvow__flow_t *)uvow__calloc(&loop->rt.mem, sizeof(*flow));
  if (!flow)
    return NULL;
  flow->loop = loop;
  flow->name = uvow__strndup(&loop->rt.mem, name, strlen(name));
  if (!flow->name || make_halves(flow, halves, ret_channel)) {
    uvow__free(&loop->rt.mem, flow->name);
    uvow__free(&loop->rt.mem, flow);
    return NULL;
  }
  flow->two_way = halves == UVOW__FLOW_BOTH;
  flow->resident.on_loop_close = on_loop_close;
  flow->write.data = flow->shutdown.data = flow;
  flow->lingerer.stop = on_stop;
  uvow__list_init(&flow->lingerer.link);
  uvow__deadline_init(&flow->patience, on_patience);
  uvow__task_init(&flow->task, run_write);
  uvow__loop_enroll(loop, &flow->resident);
  uvow__loop_stream_opened(loop);
  return flow;
}

static void start(uvow__flow_t *flow) {
  int rc = 0;
  if (flow->in && !flow->deaf)
    rc = uv_read_start(flow->stream, on_alloc, on_read);
  if (rc)
    uvow__flow_fail(flow, "read from", rc);
  else
    uvow__flow_write(flow);
}

void uvow__flow_open(uvow__flow_t *flow, uvow__socket_t *socket) {
  flow->socket = socket;
  flow->stream = &socket->handle.stream;
  socket->owner = flow;
  uvow__socket_tune(socket, PROBE_AFTER_S);
  start(flow);
}

int uvow__flow_open_tty(uvow__flow_t *flow, uv_file fd, int readable) {
  tty_t *tty = (tty_t *)uvow__calloc(&flow->loop->rt.mem, sizeof(*tty));
  if (!tty)
    return UVOW_ENOMEM;
  int rc = uv_tty_init(flow->loop->uv, &tty->handle, fd, readable);
  if (rc) {
    uvow__free(&flow->loop->rt.mem, tty);
    return rc;
  }
  tty->flow = flow;
  flow->stream = (uv_stream_t *)(void *)&tty->handle;
  start(flow);
  return 0;
}
