/*
 * A sink into a file.
 *
 *   (open a temporary one) -> write -> write ... -> the sink's end -> commit
 *                                       |
 *                                       +-- dropped, failed -> give up
 *   commit:  fsync, mode, close, rename     (one piece of work on a thread)
 *   give up: close, unlink                  (the same)
 *
 * 1. One request is under way at a time; an end of any kind waits for it.
 * 2. Whoever waits for the sink's flush is told when it's renamed, or why not.
 * 3. A file that was open before (this process's own output) is only written:
 *    it has no path, and there's nothing to commit.
 */
#include <stdio.h>
#include <string.h>

#include "file_io.h"
#include "future/fail.h"
#include "here.h"
#include "op.h"
#include "origin.h"

#define PART_MAX ((size_t)1024 * 1024 * 1024)

typedef struct target {
  uvow__resident_t resident;
  uvow_loop_t *loop;
  uvow_stream_t *out; /* NULL: it has left */
  uvow__task_t task;  /* reads out; at last, frees it */
  union {
    uv_fs_t fs;
    uv_work_t work;
  } req;
  uv_file fd;     /* negative: not open */
  int64_t opened; /* by the thread: its descriptor, or why not */
  int busy;       /* a request is under way */
  int over;       /* the last piece of work is */
  int code;       /* of what has failed */
  const char *what;
  uvow_value_t value; /* owned: it's being written */
  uvow__slice_t rest; /* of it */
  uvow_file_t *file;  /* owned: whose descriptor it is; NULL: nobody's */
  char *path;         /* a temporary one; NULL: it isn't ours */
  char *name;         /* what it's to be; or for errors only */
} target_t;

static void gone(target_t *t) {
  uvow_loop_t *loop = t->loop;
  uvow__runtime_enter(&loop->rt);
  if (t->out)
    uvow__origin_leave(t->out, t->code, t->what, t->name);
  uvow__loop_depart(loop, &t->resident);
  uvow_file_unref(t->file);
  uvow__free(&loop->rt.mem, t->path);
  uvow__free(&loop->rt.mem, t->name);
  uvow__free(&loop->rt.mem, t);
  uvow__runtime_leave(&loop->rt);
  uvow__loop_stream_closed(loop);
  uvow__loop_unpin(loop);
}

static void run_gone(uvow__task_t *task) {
  gone(UVOW__CONTAINER(task, target_t, task));
}

static int64_t commit(target_t *t) {
  t->what = "fsync";
  int64_t rc = uvow__here_fsync(t->fd);
  if (rc == 0) {
    t->what = "chmod";
    rc = uvow__here_keep_mode(t->fd, t->name);
  }
  int64_t closed = uvow__here_close(t->fd);
  if (rc == 0) {
    t->what = closed < 0 ? "close" : "rename";
    rc = closed < 0 ? closed : uvow__here_rename(t->path, t->name);
  }
  return rc;
}

static void work_cb(uv_work_t *work) {
  target_t *t = UVOW__CONTAINER(work, target_t, req.work);
  if (t->code)
    (void)uvow__here_close(t->fd);
  else
    t->code = (int)commit(t);
  if (t->code)
    (void)uvow__here_unlink(t->path);
}

static void on_worked(uv_work_t *work, int status) {
  (void)status; /* it isn't canceled */
  gone(UVOW__CONTAINER(work, target_t, req.work));
}

/* Nothing is under way: commits it, or gives it up. */
static void end(target_t *t) {
  uvow__value_release_later(&t->loop->rt, t->value);
  t->value = uvow_value_none();
  t->over = 1;
  uvow__task_cancel(&t->task);
  if (t->code && t->out) { /* nobody need wait for the rest */
    uvow__origin_leave(t->out, t->code, t->what, t->name);
    t->out = NULL;
  }
  if (t->path && t->fd >= 0 &&
      uv_queue_work(t->loop->uv, &t->req.work, work_cb, on_worked) == 0)
    return;
  t->task.run = run_gone;
  uvow__runtime_push(&t->loop->rt, &t->task);
}

static void fail(target_t *t, const char *what, int code) {
  if (t->code)
    return;
  t->what = what;
  t->code = code;
}

static void step(target_t *t);

/* A request has this result. */
static void arrive(target_t *t, int64_t result) {
  uvow__runtime_t *rt = &t->loop->rt;
  uvow__runtime_enter(rt);
  t->busy = 0;
  if (result < 0) {
    fail(t, t->fd < 0 ? "open" : "write", (int)result);
  } else if (t->fd < 0) {
    t->fd = (uv_file)result;
  } else {
    t->rest.ptr += result;
    t->rest.len -= (size_t)result;
  }
  step(t);
  uvow__runtime_leave(rt);
}

static void on_fs(uv_fs_t *req) {
  int64_t result = req->result;
  uv_fs_req_cleanup(req);
  arrive(UVOW__CONTAINER(req, target_t, req.fs), result);
}

/* Nobody may read it meanwhile who mayn't read what it becomes. */
static void open_cb(uv_work_t *work) {
  target_t *t = UVOW__CONTAINER(work, target_t, req.work);
  t->opened =
      uvow__here_open(t->path, UV_FS_O_WRONLY | UV_FS_O_CREAT | UV_FS_O_EXCL,
                      uvow__here_mode(t->name));
}

static void on_open(uv_work_t *work, int status) {
  target_t *t = UVOW__CONTAINER(work, target_t, req.work);
  (void)status; /* it isn't canceled */
  arrive(t, t->opened);
}

static void write_on(target_t *t) {
  size_t len = t->rest.len < PART_MAX ? t->rest.len : PART_MAX;
  uv_buf_t buf = uv_buf_init((char *)(uintptr_t)t->rest.ptr, (unsigned)len);
  int rc = uv_fs_write(t->loop->uv, &t->req.fs, t->fd, &buf, 1, -1, on_fs);
  t->busy = rc == 0;
  if (rc)
    fail(t, "write", rc);
}

/* The next item to be written: 1. 0: there's none; ended: it was the last. */
static int next_item(target_t *t, int *ret_ended) {
  uvow__item_t item;
  uvow__value_release_later(&t->loop->rt, t->value);
  t->value = uvow_value_none();
  int got = uvow__stream_take(t->out, &item);
  *ret_ended = got == UVOW__STREAM_END;
  if (got != UVOW__STREAM_ITEM)
    return 0;
  t->value = item.value;
  int rc = uvow__value_slice(&t->value, &t->rest);
  if (rc) {
    t->rest.len = 0;
    fail(t, "write", rc);
  }
  return 1;
}

/* Nothing is under way: what next? */
static void step(target_t *t) {
  int ended = 0;
  if (t->busy || t->over)
    return;
  if (!t->code && t->out->end->state == UVOW_REJECTED)
    fail(t, "write", uvow_error_code(t->out->end->u.error));
  while (!t->code && t->rest.len == 0 && next_item(t, &ended)) {
  }
  if (!t->code && t->rest.len)
    write_on(t);
  if (t->code || ended)
    end(t);
  else if (!t->busy)
    uvow__stream_ask(t->out);
}

static void run_step(uvow__task_t *task) {
  step(UVOW__CONTAINER(task, target_t, task));
}

static void on_loop_close(uvow__resident_t *resident) {
  target_t *t = UVOW__CONTAINER(resident, target_t, resident);
  if (t->out)
    uvow__origin_leave(t->out, UVOW_ECLOSED, "write", t->name);
  t->out = NULL;
  if (t->over)
    return; /* the thread has it */
  fail(t, "write", UVOW_ECLOSED);
  step(t);
}

static target_t *target_new(uvow_loop_t *loop, const char *name,
                            uvow_sink_t **ret_sink) {
  *ret_sink = NULL;
  if (!loop || loop->closing)
    return (target_t *)uvow__refuse(loop, UVOW_ECLOSED, uvow__fail_closed,
                                    NULL);
  target_t *t = (target_t *)uvow__calloc(&loop->rt.mem, sizeof(*t));
  if (!t)
    return NULL;
  t->name = uvow__strndup(&loop->rt.mem, name, strlen(name));
  if (t->name)
    t->out = uvow_stream_new(loop, NULL, ret_sink);
  if (!t->out) {
    uvow__free(&loop->rt.mem, t->name);
    uvow__free(&loop->rt.mem, t);
    return NULL;
  }
  t->loop = loop;
  t->fd = -1;
  t->resident.on_loop_close = on_loop_close;
  uvow__task_init(&t->task, run_step);
  (void)uvow__stream_claim(t->out, &t->task);
  uvow__loop_enroll(loop, &t->resident);
  uvow__loop_stream_opened(loop);
  return t;
}

/* A temporary path beside the file's. UVOW_ENOMEM. */
static int make_path(target_t *t) {
  size_t size = strlen(t->name) + sizeof(".0123456789abcdef.tmp");
  t->path = (char *)uvow__malloc(&t->loop->rt.mem, size);
  if (!t->path)
    return UVOW_ENOMEM;
  (void)snprintf(t->path, size, "%s.%016llx.tmp", t->name,
                 (unsigned long long)uvow__runtime_random(&t->loop->rt));
  return 0;
}

uvow_sink_t *uvow_fs_write_sink(uvow_loop_t *loop, const char *path) {
  uvow_sink_t *sink;
  target_t *t = target_new(loop, path ? path : "NULL", &sink);
  if (!t)
    return NULL;
  int rc = path ? make_path(t) : UVOW_EINVAL;
  if (rc == 0)
    rc = uv_queue_work(loop->uv, &t->req.work, open_cb, on_open);
  t->busy = rc == 0;
  if (rc) {
    fail(t, "open", rc);
    step(t);
  }
  return sink;
}

uvow_sink_t *uvow__file_out(uvow_loop_t *loop, uv_file fd, const char *name) {
  uvow_sink_t *sink;
  target_t *t = target_new(loop, name, &sink);
  if (!t)
    return NULL;
  t->fd = fd;
  step(t);
  return sink;
}

uvow_sink_t *uvow_file_sink(uvow_file_t *file) {
  uvow_loop_t *loop = uvow__file_loop(file);
  uvow_sink_t *sink;
  target_t *t = loop ? target_new(loop, uvow_file_path(file), &sink) : NULL;
  if (!t)
    return NULL;
  t->file = uvow_file_ref(file);
  t->fd = uvow_file_fd(file);
  step(t);
  return sink;
}
