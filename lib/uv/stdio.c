/*
 * This process's own input, output and errors, whatever they are: a terminal, a pipe, a
 * file. Each half is its own, and neither descriptor is ever closed.
 */
#include "file_io.h"
#include "flow.h"
#include "op.h"

static const char *const names[] = {"stdin", "stdout", "stderr"};

/* A socket of this descriptor. Errors: libuv's, UVOW_ENOMEM. */
static int open_pipe(uvow__flow_t *flow, uv_file fd) {
  uvow__socket_t *socket;
  int rc = uvow__socket_new(flow->loop, 1, NULL, &socket);
  if (rc)
    return rc;
  rc = uv_pipe_open(&socket->handle.pipe, fd);
  if (rc)
    uvow__socket_close(socket, NULL);
  else
    uvow__flow_open(flow, socket);
  return rc;
}

/* One half: the other in ret_half is NULL. */
static void open_half(uvow_loop_t *loop, uv_file fd, uvow_channel_t *ret_half) {
  uv_handle_type type = uv_guess_handle(fd);
  if (type == UV_FILE) {
    ret_half->in = fd == 0 ? uvow__file_in(loop, fd, names[fd]) : NULL;
    ret_half->out = fd == 0 ? NULL : uvow__file_out(loop, fd, names[fd]);
    return;
  }
  uvow__flow_t *flow = uvow__flow_new(
      loop, fd == 0 ? UVOW__FLOW_IN : UVOW__FLOW_OUT, names[fd], ret_half);
  if (!flow)
    return;
  int rc = UV_EBADF;
  if (type == UV_TTY)
    rc = uvow__flow_open_tty(flow, fd, fd == 0);
  else if (type == UV_NAMED_PIPE)
    rc = open_pipe(flow, fd);
  if (rc)
    uvow__flow_fail(flow, "open", rc);
}

uvow_stream_t *uvow_stdin(uvow_loop_t *loop) {
  uvow_channel_t in = {NULL, NULL};
  open_half(loop, 0, &in);
  return in.in;
}

uvow_channel_t uvow_stdio(uvow_loop_t *loop) {
  uvow_channel_t in = {NULL, NULL}, out = {NULL, NULL};
  open_half(loop, 0, &in);
  open_half(loop, 1, &out);
  in.out = out.out;
  if (in.in && in.out)
    return in;
  uvow_stream_unref(in.in);
  uvow_sink_drop(in.out);
  in.in = NULL;
  in.out = NULL;
  return in;
}

uvow_sink_t *uvow_stderr(uvow_loop_t *loop) {
  uvow_channel_t out = {NULL, NULL};
  open_half(loop, 2, &out);
  return out.out;
}
