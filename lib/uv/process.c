/*
 * Children, and their pipes.
 *
 *   spawn -> runs --exits--> ended: the status is known, all who wait are told
 *              |
 *              +-- close: SIGTERM, after grace_ms SIGKILL
 *
 * 1. The process lives until its handle is closed and nobody owns it. The
 * handle is one of its owners, and is closed as soon as the child has ended.
 * 2. A loop that closes lets the child run: its handle is closed, and nobody
 *    learns of its end.
 * 3. Each who waits has a future of its own.
 * 4. A child's pipes are flows (see flow.h) with a life of their own: what it
 *    has written is read to its end after the child's. Those that nobody has
 *    asked for are dropped with the process's last owner.
 */
#include <string.h>

#include "flow.h"
#include "future/fail.h"
#include "future/gate.h"
#include "op.h"

#define GRACE_MS 2000

struct uvow_process {
  uv_process_t handle; /* first: see on_closed */
  uvow__closing_t closing;
  uvow__list_t link; /* of the loop's */
  uvow_loop_t *loop; /* NULL: it has gone */
  uvow__ops_t *all;  /* until the handle is closed */
  uvow__mem_t mem;
  size_t refs;   /* owners, the handle, those who wait */
  size_t owners; /* of the application's */
  uvow__gate_t exits;
  uvow__deadline_t grace;
  uint32_t grace_ms;
  int armed;
  int ended;
  int64_t status;       /* once it has ended */
  uvow_channel_t stdio; /* not asked for yet; or NULL, NULL */
  uvow_stream_t *errors;
};

/* A child's pipe as it is made. */
typedef struct end {
  uvow__flow_t *flow;
  uvow__socket_t *socket; /* NULL: it isn't one */
} end_t;

static void unref(uvow_process_t *process) {
  if (--process->refs)
    return;
  uvow__mem_t mem = process->mem;
  uvow__list_remove(&process->link);
  uvow__free(&mem, process);
}

static void on_closed(uv_handle_t *handle) {
  uvow_process_t *process = (uvow_process_t *)(void *)handle;
  uvow__ops_t *all = process->all;
  unref(process);
  all->handles--;
  uvow__ops_maybe_close(all);
}

static void disarm(uvow_process_t *process) {
  if (process->armed)
    uvow__runtime_unhold(&process->loop->rt, &process->grace);
  process->armed = 0;
}

static void close_handle(uvow_process_t *process) {
  disarm(process);
  uvow__loop_close_handle(process->loop, (uv_handle_t *)&process->handle,
                          on_closed, &process->closing);
}

static void drop_pipes(uvow_process_t *process) {
  uvow_stream_unref(process->stdio.in);
  uvow_sink_drop(process->stdio.out);
  uvow_stream_unref(process->errors);
  process->stdio.in = process->errors = NULL;
  process->stdio.out = NULL;
}

void uvow__processes_detach(uvow__ops_t *all) {
  while (!uvow__list_empty(&all->processes)) {
    uvow_process_t *process =
        UVOW__CONTAINER(all->processes.next, uvow_process_t, link);
    drop_pipes(process);
    close_handle(process);
    uvow__list_remove(&process->link);
    process->loop = NULL;
  }
}

static void on_exit_cb(uv_process_t *handle, int64_t status, int signum) {
  uvow_process_t *process = (uvow_process_t *)(void *)handle;
  uvow__runtime_t *rt = &process->loop->rt;
  uvow__runtime_enter(rt);
  process->ended = 1;
  process->status = signum ? 128 + signum : status;
  close_handle(process);
  uvow__gate_pass(&process->exits);
  uvow__runtime_leave(rt);
}

static void on_grace(uvow__deadline_t *deadline) {
  uvow_process_t *process = UVOW__CONTAINER(deadline, uvow_process_t, grace);
  disarm(process);
  (void)uv_process_kill(&process->handle, SIGKILL);
}

static void set_options(uv_process_options_t *to,
                        const uvow_process_options_t *from,
                        uv_stdio_container_t stdio[3], const end_t ends[3]) {
  memset(to, 0, sizeof(*to));
  memset(stdio, 0, 3 * sizeof(*stdio));
  stdio[0].flags = UV_IGNORE;
  for (int fd = 1; fd <= 2; fd++) {
    stdio[fd].flags = UV_INHERIT_FD;
    stdio[fd].data.fd = fd;
  }
  for (int fd = 0; fd <= 2; fd++) {
    if (!ends[fd].socket)
      continue;
    stdio[fd].flags =
        (uv_stdio_flags)(UV_CREATE_PIPE |
                         (fd == 0 ? UV_READABLE_PIPE : UV_WRITABLE_PIPE));
    stdio[fd].data.stream = &ends[fd].socket->handle.stream;
  }
  to->file = from->args[0];
  to->args = (char **)(uintptr_t)from->args;
  to->env = (char **)(uintptr_t)from->env;
  to->cwd = from->cwd;
  to->stdio = stdio;
  to->stdio_count = 3;
  to->exit_cb = on_exit_cb;
  to->flags = from->flags;
  to->uid = (uv_uid_t)from->uid;
  to->gid = (uv_gid_t)from->gid;
}

static uvow_process_t *process_new(uvow__ops_t *all) {
  uvow_loop_t *loop = all->loop;
  uvow_process_t *process =
      (uvow_process_t *)uvow__calloc(&loop->rt.mem, sizeof(*process));
  if (!process)
    return NULL;
  process->loop = loop;
  process->all = all;
  process->mem = loop->rt.mem;
  process->owners = 1;
  process->refs = 2; /* the caller's, and the handle's */
  uvow__gate_init(&process->exits, &loop->rt);
  uvow__deadline_init(&process->grace, on_grace);
  uvow__list_append(&all->processes, &process->link);
  all->handles++;
  return process;
}

/* A pipe for each that is asked for. UVOW_ENOMEM, libuv's. */
static int make_ends(uvow_process_t *process, uint32_t pipes, end_t ends[3]) {
  static const char *const names[] = {"a child's stdin", "a child's stdout",
                                      "a child's stderr"};
  uvow_loop_t *loop = process->loop;
  for (int fd = 0; fd <= 2; fd++) {
    uvow_channel_t made;
    if (!(pipes & (1u << fd)))
      continue;
    ends[fd].flow = uvow__flow_new(loop, fd ? UVOW__FLOW_IN : UVOW__FLOW_OUT,
                                   names[fd], &made);
    if (!ends[fd].flow)
      return UVOW_ENOMEM;
    if (fd == 0)
      process->stdio.out = made.out;
    else if (fd == 1)
      process->stdio.in = made.in;
    else
      process->errors = made.in;
    int rc = uvow__socket_new(loop, 1, NULL, &ends[fd].socket);
    if (rc)
      return rc;
  }
  return 0;
}

static void open_ends(end_t ends[3], int rc) {
  for (int fd = 0; fd <= 2; fd++) {
    if (ends[fd].flow && rc == 0)
      uvow__flow_open(ends[fd].flow, ends[fd].socket);
    else if (ends[fd].socket)
      uvow__socket_close(ends[fd].socket, NULL);
    if (ends[fd].flow && rc)
      uvow__flow_fail(ends[fd].flow, "spawn", rc);
  }
}

/* It never had a handle. */
static void unborn(uvow_process_t *process) {
  uvow__ops_t *all = process->all;
  unref(process);
  all->handles--;
}

/* What can't be: noted, and 1. */
static int is_invalid(uvow_loop_t *loop,
                      const uvow_process_options_t *options) {
  if (!options->args || !options->args[0])
    return uvow__fail(loop, UVOW_EINVAL, "args", "must name a program") != 0;
  if (options->pipes > (UVOW_STDIN | UVOW_STDOUT | UVOW_STDERR))
    return uvow__fail(loop, UVOW_EINVAL, "pipes",
                      "must be of UVOW_STDIN, UVOW_STDOUT, UVOW_STDERR") != 0;
  if (loop->closing)
    return uvow__fail(loop, UVOW_ECLOSED, "", uvow__fail_closed) != 0;
  return 0;
}

/* The system wouldn't. */
static uvow_process_t *refused(uvow_process_t *process, int rc, int begun,
                               const char *program) {
  uvow_loop_t *loop = process->loop;
  process->ended = 1;
  if (begun) /* libuv has begun with it */
    close_handle(process);
  else
    unborn(process);
  uvow_process_unref(process);
  (void)uvow__fail_error(loop,
                         uvow__op_error(&loop->rt.mem, "spawn", rc, program));
  return NULL;
}

uvow_process_t *uvow_spawn(uvow_loop_t *loop,
                           const uvow_process_options_t *options) {
  uv_process_options_t uv_options;
  uv_stdio_container_t stdio[3];
  end_t ends[3] = {{NULL, NULL}, {NULL, NULL}, {NULL, NULL}};
  uvow_process_options_t own;
  if (options)
    options = UVOW__OPTIONS(loop, options, &own, uvow_process_options_t);
  else
    uvow__fail(loop, UVOW_EINVAL, "options", uvow__fail_null);
  if (!loop || !options || is_invalid(loop, options))
    return NULL;
  uvow__ops_t *all = uvow__ops_of(loop);
  uvow_process_t *process = all ? process_new(all) : NULL;
  if (!process)
    return NULL;
  process->grace_ms = options->grace_ms ? options->grace_ms : GRACE_MS;
  int rc = make_ends(process, options->pipes, ends);
  int begun = rc == 0;
  if (begun) {
    set_options(&uv_options, options, stdio, ends);
    rc = uv_spawn(loop->uv, &process->handle, &uv_options);
  }
  open_ends(ends, rc);
  return rc ? refused(process, rc, begun, options->args[0]) : process;
}

uvow_channel_t uvow_process_stdio(uvow_process_t *process) {
  uvow_channel_t stdio = {NULL, NULL};
  if (process) {
    stdio = process->stdio;
    process->stdio.in = NULL;
    process->stdio.out = NULL;
  }
  return stdio;
}

uvow_stream_t *uvow_process_errors(uvow_process_t *process) {
  uvow_stream_t *errors = process ? process->errors : NULL;
  if (process)
    process->errors = NULL;
  return errors;
}

int uvow_process_pid(const uvow_process_t *process) {
  return process && !process->ended ? (int)process->handle.pid : 0;
}

static void release(void *data) {
  unref((uvow_process_t *)data);
}

static uvow_next_t status_of(const uvow_result_t *result, void *data) {
  const uvow_process_t *process = (const uvow_process_t *)data;
  (void)result;
  return uvow_next_value(uvow_value_int64(process->status));
}

uvow_future_t *uvow_process_exit(uvow_process_t *process) {
  uvow_chain_options_t options = {sizeof(options), status_of, NULL, process,
                                  release};
  if (!process || !process->loop)
    return NULL;
  if (process->ended)
    return uvow_future_fulfilled(process->loop,
                                 uvow_value_int64(process->status));
  process->refs++;
  return uvow_future_chain(uvow__gate_wait(&process->exits), &options);
}

uvow_future_t *uvow_process_close(uvow_process_t *process) {
  uvow_future_t *f = uvow_process_exit(process);
  if (!f || process->ended || process->armed)
    return f;
  (void)uv_process_kill(&process->handle, SIGTERM);
  process->armed = 1;
  uvow__runtime_hold(&process->loop->rt, &process->grace, process->grace_ms);
  return f;
}

int uvow_process_kill(uvow_process_t *process, int signum) {
  if (!process)
    return UVOW_EINVAL;
  if (process->ended || !process->loop)
    return UV_ESRCH;
  return uv_process_kill(&process->handle, signum);
}

uvow_process_t *uvow_process_ref(uvow_process_t *process) {
  if (process) {
    process->owners++;
    process->refs++;
  }
  return process;
}

void uvow_process_unref(uvow_process_t *process) {
  if (!process)
    return;
  if (--process->owners == 0)
    drop_pipes(process);
  unref(process);
}
