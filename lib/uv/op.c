/*
 * Requests of libuv's with a future.
 *
 *   new -> begun -> libuv -> on_* -> finish -> fulfill or fail -> freed
 *            |        |
 *            |        +-- cancel: the future rejects, uv_cancel is tried,
 * finish |            finds no future and cleans up
 *            +-- libuv refuses: finish runs from the task queue
 *
 * 1. An op lives until libuv is done with it, whoever waits: libuv has no way
 * to take a request back.
 * 2. The future is an owned root: a cancel tells us within itself.
 * 3. The loop's closed callback waits for all ops.
 */
#include "op.h"

#include <stdio.h>
#include <string.h>

void uvow__ops_maybe_close(uvow__ops_t *all) {
  uvow_loop_t *loop = all->loop;
  if (!all->closing || !uvow__list_empty(&all->live) || all->handles)
    return;
  uvow__pool_done(&all->pool);
  uv_mutex_destroy(&all->lock);
  uvow__free(&loop->rt.mem, all);
  uvow__loop_stream_closed(loop);
  uvow__loop_unpin(loop);
}

static void evict(uvow__resident_t *resident) {
  uvow__ops_t *all = UVOW__CONTAINER(resident, uvow__ops_t, resident);
  uvow__list_t *at = all->live.next;
  all->closing = 1;
  all->loop->ops = NULL;
  while (at != &all->live) {
    uvow__op_t *op = UVOW__CONTAINER(at, uvow__op_t, link);
    at = at->next; /* an op leaves the list only in a callback of its own */
    if (op->future)
      uvow__future_close(op->future);
  }
  uvow__processes_detach(all);
  uvow__files_detach(all);
  uvow__ops_maybe_close(all);
}

uvow__ops_t *uvow__ops_of(uvow_loop_t *loop) {
  if (!loop || loop->closing)
    return NULL;
  if (loop->ops)
    return loop->ops;
  uvow__ops_t *all = (uvow__ops_t *)uvow__calloc(&loop->rt.mem, sizeof(*all));
  if (!all)
    return NULL;
  if (uv_mutex_init(&all->lock)) {
    uvow__free(&loop->rt.mem, all);
    return NULL;
  }
  all->loop = loop;
  all->resident.evict = evict;
  uvow__list_init(&all->live);
  uvow__list_init(&all->files);
  uvow__list_init(&all->processes);
  uvow__pool_init(&all->pool, &loop->rt.mem, sizeof(uvow__op_t));
  uvow__loop_enroll(loop, &all->resident);
  uvow__loop_stream_opened(loop);
  loop->ops = all;
  return all;
}

/* Its future is rejected by a cancel, or as the loop closes. */
static void cut(uvow_future_t *f, int code) {
  uvow__op_t *op = (uvow__op_t *)f->data;
  op->future = NULL;
  uvow__future_reject_code(f, code);
  uvow__future_unref(f);
  uv_mutex_lock(&op->all->lock);
  op->unwanted = 1;
  uv_mutex_unlock(&op->all->lock);
  if (!op->refused)
    (void)uv_cancel(&op->req.any); /* it may be too late */
}

uvow__op_t *uvow__op_new_silent(uvow__ops_t *all, const char *what,
                                void (*finish)(uvow__op_t *op,
                                               int64_t result)) {
  uvow__op_t *op = (uvow__op_t *)uvow__pool_take(&all->pool);
  if (!op)
    return NULL;
  memset(op, 0, offsetof(uvow__op_t, req));
  op->req.any.type = UV_UNKNOWN_REQ;
  op->all = all;
  op->what = what;
  op->finish = finish;
  op->value = uvow_value_none();
  uvow__list_append(&all->live, &op->link);
  return op;
}

/* Its last act may be the end of all ops. */
static void op_free(uvow__op_t *op) {
  uvow__ops_t *all = op->all;
  uvow__free(&all->loop->rt.mem, op->path);
  uvow__bytes_unref(op->bytes);
  uvow_file_unref(op->file);
  uvow__list_remove(&op->link);
  uvow__pool_give(&all->pool, op);
  uvow__ops_maybe_close(all);
}

uvow__op_t *uvow__op_new(uvow_loop_t *loop, const char *what,
                         void (*finish)(uvow__op_t *op, int64_t result),
                         uvow_future_t **ret_future) {
  uvow__ops_t *all = uvow__ops_of(loop);
  uvow__op_t *op = all ? uvow__op_new_silent(all, what, finish) : NULL;
  uvow_future_t *f = op ? uvow__future_new(&loop->rt, 2, UVOW__OWNED) : NULL;
  *ret_future = f;
  if (!f) {
    if (op)
      op_free(op);
    return NULL;
  }
  f->cb.cut = cut;
  uvow__future_set_kind(f, UVOW__KIND_SYSTEM);
  f->data = op;
  op->future = f;
  return op;
}

void uvow__op_on_fs(uv_fs_t *req) {
  uvow__op_t *op = UVOW__CONTAINER(req, uvow__op_t, req.fs);
  uvow__runtime_t *rt = uvow__op_rt(op);
  uvow__runtime_enter(rt);
  op->finish(op, req->result);
  uvow__runtime_leave(rt);
}

static void run_refused(uvow__task_t *task) {
  uvow__op_t *op = UVOW__CONTAINER(task, uvow__op_t, task);
  op->finish(op, op->refused);
}

void uvow__op_begun(uvow__op_t *op, int rc) {
  if (rc == 0)
    return;
  op->refused = rc;
  op->task.run = run_refused;
  uvow__runtime_push(uvow__op_rt(op), &op->task);
}

/* The value's own destructor runs from the queue, as all of a user's code. */
static void run_release(uvow__task_t *task) {
  uvow__op_t *op = UVOW__CONTAINER(task, uvow__op_t, task);
  uvow_value_t value = op->value;
  op_free(op);
  uvow_value_clear(&value);
}

static void finish_fs(uvow__op_t *op) {
  if (op->req.any.type == UV_FS)
    uv_fs_req_cleanup(&op->req.fs);
}

/* Frees it; a value that it still owns, later, unless it's of our own. */
static void end(uvow__op_t *op) {
  finish_fs(op);
  if (op->value.type == &uvow_type_bytes)
    uvow_value_clear(&op->value);
  if (op->value.type && op->value.type->destroy) {
    op->task.run = run_release;
    uvow__runtime_push(uvow__op_rt(op), &op->task);
  } else {
    op_free(op);
  }
}

void uvow__op_fulfill(uvow__op_t *op, uvow_value_t value) {
  uvow_future_t *f = op->future;
  op->future = NULL;
  if (f) {
    uvow__future_fulfill_checked(f, value);
    uvow__future_unref(f);
  } else if (value.type) {
    op->value = value; /* only an op that owns none brings one */
  }
  end(op);
}

static uvow_error_t *make_error(const uvow__mem_t *mem, const char *what,
                                int code, const char *path) {
  char text[512];
  uvow__error_spec_t spec = {0};
  int len = snprintf(text, sizeof(text), "%s%s%.400s: %s", what,
                     path ? " " : "", path ? path : "", uvow_strerror(code));
  spec.code = code;
  spec.detail = (uvow__slice_t){text, (size_t)len};
  return uvow__error_make(mem, &spec);
}

void uvow__op_fail(uvow__op_t *op, int code, const char *path) {
  uvow_future_t *f = op->future;
  op->future = NULL;
  if (f) {
    uvow__future_reject(
        f, make_error(&uvow__op_rt(op)->mem, op->what, code, path));
    uvow__future_unref(f);
  }
  end(op);
}

void uvow__op_finish_plain(uvow__op_t *op, int64_t result) {
  if (result < 0)
    uvow__op_fail(op, (int)result,
                  op->file ? uvow__file_path(op->file) : op->req.fs.path);
  else
    uvow__op_fulfill(op, uvow_value_none());
}

uvow_future_t *uvow__op_refused(uvow_loop_t *loop, const char *what, int code) {
  return uvow_future_rejected(loop,
                              make_error(&loop->rt.mem, what, code, NULL));
}
