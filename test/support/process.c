#include "process.h"

#include <signal.h>
#include <stdio.h>

static void on_closed(uv_handle_t *handle) {
  process_t *process = (process_t *)handle->data;
  process->handles--;
}

static void close_handle(uv_handle_t *handle) {
  if (!uv_is_closing(handle))
    uv_close(handle, on_closed);
}

static void end_line(process_pipe_t *pipe) {
  process_t *process = pipe->process;
  pipe->line[pipe->len] = '\0';
  pipe->len = 0;
  if (process->on_line)
    process->on_line(pipe->line, process->data);
}

static void take(process_pipe_t *pipe, const char *bytes, size_t len) {
  for (size_t i = 0; i < len; i++)
    if (bytes[i] == '\n')
      end_line(pipe);
    else if (pipe->len < PROCESS_LINE - 1)
      pipe->line[pipe->len++] = bytes[i];
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf) {
  (void)handle;
  *buf = uv_buf_init((char *)malloc(suggested), (unsigned)suggested);
}

static void on_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buf) {
  process_t *process = (process_t *)stream->data;
  process_pipe_t *pipe = stream == (uv_stream_t *)&process->out.handle
                             ? &process->out
                             : &process->err;
  if (len > 0)
    take(pipe, buf->base, (size_t)len);
  free(buf->base);
  if (len >= 0)
    return;
  if (pipe->len)
    end_line(pipe);
  close_handle((uv_handle_t *)stream);
}

static void on_exit_cb(uv_process_t *handle, int64_t status, int term_signal) {
  process_t *process = (process_t *)handle->data;
  process->exited = 1;
  process->status = status;
  process->term_signal = term_signal;
  close_handle((uv_handle_t *)handle);
  close_handle((uv_handle_t *)&process->in);
}

static void open_pipe(process_t *process, uv_pipe_t *pipe) {
  assert_int_equal(uv_pipe_init(process->uv, pipe, 0), 0);
  pipe->data = process;
  process->handles++;
}

static uv_stdio_container_t stdio_of(uv_pipe_t *pipe, uv_stdio_flags flags) {
  uv_stdio_container_t container;
  container.flags = flags;
  container.data.stream = (uv_stream_t *)pipe;
  return container;
}

static void wait_for_handles(process_t *process) {
  while (process->handles)
    uv_run(process->uv, UV_RUN_ONCE);
}

static int spawn(process_t *process, const char *const *args,
                 uv_tcp_t *socket) {
  uv_process_options_t options;
  uv_stdio_container_t stdio[4];
  memset(&options, 0, sizeof(options));
  stdio[0] = stdio_of(&process->in, UV_CREATE_PIPE | UV_READABLE_PIPE);
  stdio[1] = stdio_of(&process->out.handle, UV_CREATE_PIPE | UV_WRITABLE_PIPE);
  stdio[2] = stdio_of(&process->err.handle, UV_CREATE_PIPE | UV_WRITABLE_PIPE);
  stdio[3].flags = UV_INHERIT_STREAM;
  stdio[3].data.stream = (uv_stream_t *)socket;
  options.file = args[0];
  options.args = (char **)(uintptr_t)args;
  options.exit_cb = on_exit_cb;
  options.stdio = stdio;
  options.stdio_count = socket ? 4 : 3;
  process->handle.data = process;
  process->handles++;
  return uv_spawn(process->uv, &process->handle, &options);
}

void process_start(process_t *process, uv_loop_t *uv, const char *const *args,
                   process_line_cb on_line, void *data) {
  process_start_with(process, uv, args, NULL, on_line, data);
}

void process_start_with(process_t *process, uv_loop_t *uv,
                        const char *const *args, uv_tcp_t *socket,
                        process_line_cb on_line, void *data) {
  memset(process, 0, sizeof(*process));
  process->uv = uv;
  process->on_line = on_line;
  process->data = data;
  process->out.process = process->err.process = process;
  open_pipe(process, &process->in);
  open_pipe(process, &process->out.handle);
  open_pipe(process, &process->err.handle);
  int rc = spawn(process, args, socket);
  if (rc == 0) {
    uv_read_start((uv_stream_t *)&process->out.handle, on_alloc, on_read);
    uv_read_start((uv_stream_t *)&process->err.handle, on_alloc, on_read);
    return;
  }
  process->exited = 1;
  close_handle((uv_handle_t *)&process->handle);
  close_handle((uv_handle_t *)&process->in);
  close_handle((uv_handle_t *)&process->out.handle);
  close_handle((uv_handle_t *)&process->err.handle);
  wait_for_handles(process);
  if (rc == UV_ENOENT)
    process_skip(args[0]);
  fail_msg("%s can't be started: %s", args[0], uv_strerror(rc));
}

void process_say(process_t *process, const char *text) {
  uv_buf_t buf = uv_buf_init((char *)(uintptr_t)text, (unsigned)strlen(text));
  assert_int_equal(uv_try_write((uv_stream_t *)&process->in, &buf, 1),
                   (int)strlen(text));
}

void process_end_input(process_t *process) {
  close_handle((uv_handle_t *)&process->in);
}

void process_wait(process_t *process) {
  wait_for_handles(process);
}

void process_kill(process_t *process) {
  if (process->handles == 0)
    return;
  if (!process->exited)
    uv_process_kill(&process->handle, SIGKILL);
  wait_for_handles(process);
}

void process_skip(const char *missing) {
  printf("# skip: %s is not installed\n", missing);
  fflush(stdout);
  skip();
}

const char *process_script(const char *name, char *path, size_t size) {
  const char *root = getenv("TEST_ROOT");
  int len = snprintf(path, size, "%s/test/interop/%s", root ? root : ".", name);
  assert_true(len > 0 && (size_t)len < size);
  return path;
}
