/*
 * Children.
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
 */
#include <string.h>

#include "future/gate.h"
#include "op.h"

#define GRACE_MS 2000

struct uvow_process {
  uv_process_t handle; /* first: see on_closed */
  uvow__list_t link;   /* of the loop's */
  uvow_loop_t *loop;   /* NULL: it has gone */
  uvow__ops_t *all;    /* until the handle is closed */
  uvow__mem_t mem;
  size_t refs;
  uvow__gate_t exits;
  uvow__deadline_t grace;
  uint32_t grace_ms;
  int armed;
  int ended;
  int64_t status; /* once it has ended */
};

static void on_closed(uv_handle_t *handle) {
  uvow_process_t *process = (uvow_process_t *)(void *)handle;
  uvow__ops_t *all = process->all;
  uvow_process_unref(process);
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
  if (!uv_is_closing((uv_handle_t *)&process->handle))
    uv_close((uv_handle_t *)&process->handle, on_closed);
}

void uvow__processes_detach(uvow__ops_t *all) {
  while (!uvow__list_empty(&all->processes)) {
    uvow_process_t *process =
        UVOW__CONTAINER(all->processes.next, uvow_process_t, link);
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
                        uv_stdio_container_t stdio[3]) {
  memset(to, 0, sizeof(*to));
  memset(stdio, 0, 3 * sizeof(*stdio));
  stdio[0].flags = UV_IGNORE;
  for (int fd = 1; fd <= 2; fd++) {
    stdio[fd].flags = UV_INHERIT_FD;
    stdio[fd].data.fd = fd;
  }
  to->file = from->args[0];
  to->args = (char **)(uintptr_t)from->args;
  to->env = (char **)(uintptr_t)from->env;
  to->cwd = from->cwd;
  to->stdio = stdio;
  to->stdio_count = 3;
  to->exit_cb = on_exit_cb;
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
  process->refs = 2; /* the caller's, and the handle's */
  uvow__gate_init(&process->exits, &loop->rt);
  uvow__deadline_init(&process->grace, on_grace);
  uvow__list_append(&all->processes, &process->link);
  all->handles++;
  return process;
}

int uvow_spawn(uvow_loop_t *loop, const uvow_process_options_t *options,
               uvow_process_t **ret_process) {
  uv_process_options_t uv_options;
  uv_stdio_container_t stdio[3];
  if (!loop || !options || options->size != sizeof(*options) ||
      !options->args || !options->args[0] || !ret_process)
    return UVOW_EINVAL;
  if (loop->closing)
    return UVOW_ECLOSED;
  uvow__ops_t *all = uvow__ops_of(loop);
  uvow_process_t *process = all ? process_new(all) : NULL;
  if (!process)
    return UVOW_ENOMEM;
  process->grace_ms = options->grace_ms ? options->grace_ms : GRACE_MS;
  set_options(&uv_options, options, stdio);
  int rc = uv_spawn(loop->uv, &process->handle, &uv_options);
  if (rc) {
    process->ended = 1;
    close_handle(process); /* libuv has begun with it */
    uvow_process_unref(process);
    return rc;
  }
  *ret_process = process;
  return 0;
}

int uvow_process_pid(const uvow_process_t *process) {
  return process && !process->ended ? (int)process->handle.pid : 0;
}

static void release(void *data) {
  uvow_process_unref((uvow_process_t *)data);
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
  (void)uvow_process_ref(process);
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
  if (process)
    process->refs++;
  return process;
}

void uvow_process_unref(uvow_process_t *process) {
  if (!process || --process->refs)
    return;
  uvow__mem_t mem = process->mem;
  uvow__list_remove(&process->link);
  uvow__free(&mem, process);
}
