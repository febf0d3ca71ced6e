/*
 * Requests of libuv's with a future.
 *
 *   new -> begun -> libuv -> on_* -> end -> fulfill or fail -> freed
 *            |        |
 *            |        +-- cancel: the future rejects, uv_cancel is tried,
 *    end |            finds no future and cleans up
 *            +-- libuv refuses: end runs from the task queue
 *
 * 1. An op lives until libuv is done with it, whoever waits: libuv has no way
 * to take a request back.
 * 2. The future is an owned root: a cancel tells us within itself.
 * 3. The loop's closed callback waits for all ops.
 */
#include "op.h"

#include <stdio.h>
#include <string.h>

#include "future/fail.h"
#include "future/tell.h"

void uvow__ops_maybe_close(uvow__ops_t *all) {
  uvow_loop_t *loop = all->loop;
  if (!all->closing || !uvow__list_empty(&all->live) || all->handles)
    return;
  uvow__pool_done(&all->pool);
  uvow__shelf_close(all->reads);
  uv_mutex_destroy(&all->lock);
  uvow__free(&loop->rt.mem, all);
  uvow__loop_stream_closed(loop);
  uvow__loop_unpin(loop);
}

static void on_loop_close(uvow__resident_t *resident) {
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

static int is_free(const void *block) {
  return !((const uvow__op_t *)block)->what;
}

uvow__ops_t *uvow__ops_of(uvow_loop_t *loop) {
  if (!loop || loop->closing)
    return (uvow__ops_t *)uvow__refuse(loop, UVOW_ECLOSED, uvow__fail_closed,
                                       NULL);
  if (loop->ops)
    return loop->ops;
  uvow__ops_t *all = (uvow__ops_t *)uvow__calloc(&loop->rt.mem, sizeof(*all));
  if (!all)
    return NULL;
  all->reads = uvow__shelf_new(&loop->rt.mem, &loop->rt.tidy);
  int rc = all->reads ? uv_mutex_init(&all->lock) : UVOW_ENOMEM;
  if (rc) {
    if (all->reads)
      uvow__shelf_close(all->reads);
    uvow__free(&loop->rt.mem, all);
    return (uvow__ops_t *)uvow__refuse(loop, rc, NULL, NULL);
  }
  all->loop = loop;
  all->resident.on_loop_close = on_loop_close;
  uvow__list_init(&all->live);
  uvow__list_init(&all->files);
  uvow__list_init(&all->processes);
  uvow__pool_init(&all->pool, &loop->rt.mem, sizeof(uvow__op_t));
  uvow__pool_shrink(&all->pool, &loop->rt.tidy, is_free);
  uvow__loop_enroll(loop, &all->resident);
  uvow__loop_stream_opened(loop);
  loop->ops = all;
  return all;
}

/* Its future is rejected by a cancel, or as the loop closes. */
static void reject(uvow_future_t *f, int code) {
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

/* Inline, as what else is here: it's the way of each call. */
static inline uvow__op_t *take(uvow__ops_t *all, const char *what,
                               void (*end)(uvow__op_t *op, int64_t result)) {
  uvow__op_t *op = (uvow__op_t *)uvow__pool_take(&all->pool);
  if (!op)
    return NULL;
  /* u is for whoever begins it: a memset of all costs more than the rest. */
  op->req.any.type = UV_UNKNOWN_REQ;
  op->all = all;
  op->future = NULL;
  op->end = end;
  op->what = what;
  op->file = NULL;
  op->value = uvow_value_none();
  op->bytes = NULL;
  op->path = NULL;
  op->destroy = NULL;
  op->refused = op->unwanted = 0;
  uvow__list_append(&all->live, &op->link);
  return op;
}

uvow__op_t *uvow__op_new_silent(uvow__ops_t *all, const char *what,
                                void (*end)(uvow__op_t *op, int64_t result)) {
  return take(all, what, end);
}

/* Its last act may be the end of all ops. */
static inline void op_free(uvow__op_t *op) {
  uvow__ops_t *all = op->all;
  if (op->path)
    uvow__free(&all->loop->rt.mem, op->path);
  if (op->bytes)
    uvow__bytes_unref(op->bytes);
  if (op->file)
    uvow_file_unref(op->file);
  uvow__list_remove(&op->link);
  op->what = NULL;
  uvow__pool_give(&all->pool, op);
  if (all->closing)
    uvow__ops_maybe_close(all);
}

uvow__op_t *uvow__op_new(uvow_loop_t *loop, const char *what,
                         void (*end)(uvow__op_t *op, int64_t result),
                         uvow_future_t **ret_future) {
  uvow__ops_t *all = loop ? loop->ops : NULL; /* none while it closes */
  if (!all)
    all = uvow__ops_of(loop);
  uvow__op_t *op = all ? take(all, what, end) : NULL;
  uvow_future_t *f = op ? uvow__future_new(&loop->rt, 2, UVOW__OWNED) : NULL;
  *ret_future = f;
  if (!f) {
    if (op)
      op_free(op);
    return NULL;
  }
  f->cb.reject = reject;
  uvow__future_set_kind(f, UVOW__KIND_SYSTEM);
  f->data = op;
  op->future = f;
  return op;
}

void uvow__op_on_fs(uv_fs_t *req) {
  uvow__op_t *op = UVOW__CONTAINER(req, uvow__op_t, req.fs);
  uvow__runtime_t *rt = uvow__op_rt(op);
  uvow__runtime_enter(rt);
  op->end(op, req->result);
  uvow__runtime_leave(rt);
}

static void run_refused(uvow__task_t *task) {
  uvow__op_t *op = UVOW__CONTAINER(task, uvow__op_t, task);
  op->end(op, op->refused);
}

void uvow__op_refuse(uvow__op_t *op, int rc) {
  op->refused = rc;
  op->task.run = run_refused;
  uvow__runtime_push(uvow__op_rt(op), &op->task);
}

/* Destructors run from the queue, as all of a user's code. */
static void run_release(uvow__task_t *task) {
  uvow__op_t *op = UVOW__CONTAINER(task, uvow__op_t, task);
  uvow_value_t value = op->value;
  uvow_destroy_cb destroy = op->destroy;
  void *data = destroy ? op->u.work.data : NULL;
  op_free(op);
  uvow__tell_rest(value, destroy, data);
}

static inline void clean_fs(uvow__op_t *op) {
  if (op->req.any.type == UV_FS)
    uv_fs_req_cleanup(&op->req.fs);
}

/* Frees it; a value that it still owns, later, unless it's of our own. */
static inline void release(uvow__op_t *op) {
  clean_fs(op);
  if (!op->value.type && !op->destroy) {
    op_free(op);
    return;
  }
  if (op->value.type == &uvow_type_bytes)
    uvow_value_clear(&op->value);
  if (op->destroy || (op->value.type && op->value.type->destroy)) {
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
  release(op);
}

uvow_error_t *uvow__op_error(const uvow__mem_t *mem, const char *what, int code,
                             const char *path) {
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
        f, uvow__op_error(&uvow__op_rt(op)->mem, op->what, code, path));
    uvow__future_unref(f);
  }
  release(op);
}

const char *uvow__op_path(const uvow__op_t *op) {
  if (op->file)
    return uvow_file_path(op->file);
  if (op->path || op->req.any.type != UV_FS) /* libuv wasn't called */
    return op->path;
  return op->req.fs.path;
}

void uvow__op_end_plain(uvow__op_t *op, int64_t result) {
  if (result < 0)
    uvow__op_fail(op, (int)result, uvow__op_path(op));
  else
    uvow__op_fulfill(op, uvow_value_none());
}

uvow_future_t *uvow__op_invalid(uvow_loop_t *loop, const char *argument) {
  return uvow_future_rejected(
      loop, uvow__invalid(&loop->rt, argument, uvow__fail_null));
}

uvow_future_t *uvow__op_refused(uvow_loop_t *loop, const char *what, int code) {
  return uvow_future_rejected(loop,
                              uvow__op_error(&loop->rt.mem, what, code, NULL));
}
