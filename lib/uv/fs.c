/* Calls about paths: one of libuv's requests each. */
#include <string.h>

#include "op.h"
#include "base/own.h"

typedef int (*path_call)(uv_loop_t *uv, uv_fs_t *req, const char *path,
                         uv_fs_cb cb);
typedef int (*two_call)(uv_loop_t *uv, uv_fs_t *req, const char *from,
                        const char *to, uv_fs_cb cb);

static uvow_future_t *call_path(uvow_loop_t *loop, const char *what,
                                path_call call, const char *path) {
  uvow_future_t *f;
  if (loop && !path)
    return uvow__op_refused(loop, what, UVOW_EINVAL);
  uvow__op_t *op = uvow__op_new(loop, what, uvow__op_finish_plain, &f);
  if (op)
    uvow__op_begun(op,
                   call(uvow__op_uv(op), &op->req.fs, path, uvow__op_on_fs));
  return f;
}

static uvow_future_t *call_two(uvow_loop_t *loop, const char *what,
                               two_call call, const char *from,
                               const char *to) {
  uvow_future_t *f;
  if (loop && (!from || !to))
    return uvow__op_refused(loop, what, UVOW_EINVAL);
  uvow__op_t *op = uvow__op_new(loop, what, uvow__op_finish_plain, &f);
  if (op)
    uvow__op_begun(
        op, call(uvow__op_uv(op), &op->req.fs, from, to, uvow__op_on_fs));
  return f;
}

uvow_future_t *uvow_fs_unlink(uvow_loop_t *loop, const char *path) {
  return call_path(loop, "unlink", uv_fs_unlink, path);
}

uvow_future_t *uvow_fs_rmdir(uvow_loop_t *loop, const char *path) {
  return call_path(loop, "rmdir", uv_fs_rmdir, path);
}

uvow_future_t *uvow_fs_rename(uvow_loop_t *loop, const char *from,
                              const char *to) {
  return call_two(loop, "rename", uv_fs_rename, from, to);
}

static int copy(uv_loop_t *uv, uv_fs_t *req, const char *from, const char *to,
                uv_fs_cb cb) {
  return uv_fs_copyfile(uv, req, from, to, UV_FS_COPYFILE_FICLONE, cb);
}

uvow_future_t *uvow_fs_copy(uvow_loop_t *loop, const char *from,
                            const char *to) {
  return call_two(loop, "copy", copy, from, to);
}

uvow_future_t *uvow_fs_mkdir(uvow_loop_t *loop, const char *path, int mode) {
  uvow_future_t *f;
  if (loop && !path)
    return uvow__op_refused(loop, "mkdir", UVOW_EINVAL);
  uvow__op_t *op = uvow__op_new(loop, "mkdir", uvow__op_finish_plain, &f);
  if (op)
    uvow__op_begun(op, uv_fs_mkdir(uvow__op_uv(op), &op->req.fs, path, mode,
                                   uvow__op_on_fs));
  return f;
}

/* A uv_stat_t, counted. */
typedef struct stat_box {
  uv_stat_t stat;  /* first */
  uvow__mem_t mem; /* its own copy: it may outlive its loop */
  size_t refs;
} stat_box_t;

static void stat_ref(void *ptr) {
  ((stat_box_t *)ptr)->refs++;
}

static void stat_destroy(void *ptr) {
  stat_box_t *box = (stat_box_t *)ptr;
  uvow__mem_t mem = box->mem;
  if (--box->refs == 0)
    uvow__free(&mem, box);
}

const uvow_type_t uvow_type_stat = {sizeof(uvow_type_t), uvow__own_names.stat,
                                    stat_ref, stat_destroy};

static void finish_stat(uvow__op_t *op, int64_t result) {
  const uvow__mem_t *mem = &uvow__op_rt(op)->mem;
  stat_box_t *box = NULL;
  if (result >= 0)
    box = (stat_box_t *)uvow__malloc(mem, sizeof(*box));
  if (!box) {
    uvow__op_fail(op, result < 0 ? (int)result : UVOW_ENOMEM, op->req.fs.path);
    return;
  }
  box->stat = op->req.fs.statbuf;
  box->mem = *mem;
  box->refs = 1;
  uvow__op_fulfill(op, uvow_value_ptr(&uvow_type_stat, box));
}

uvow_future_t *uvow_fs_stat(uvow_loop_t *loop, const char *path) {
  uvow_future_t *f;
  if (loop && !path)
    return uvow__op_refused(loop, "stat", UVOW_EINVAL);
  uvow__op_t *op = uvow__op_new(loop, "stat", finish_stat, &f);
  if (op)
    uvow__op_begun(
        op, uv_fs_stat(uvow__op_uv(op), &op->req.fs, path, uvow__op_on_fs));
  return f;
}
