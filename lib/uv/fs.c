/* Calls about paths: one of libuv's requests each. */
#include <string.h>

#include "op.h"

/* An op about a path. NULL: ret_future is what the call returns. */
static uvow__op_t *op_at(uvow_loop_t *loop, const char *what, const char *path,
                         void (*end)(uvow__op_t *op, int64_t result),
                         uvow_future_t **ret_future) {
  if (loop && !path) {
    *ret_future = uvow__op_invalid(loop, "path");
    return NULL;
  }
  return uvow__op_new(loop, what, end, ret_future);
}

typedef int (*path_call)(uv_loop_t *uv, uv_fs_t *req, const char *path,
                         uv_fs_cb cb);
typedef int (*mode_call)(uv_loop_t *uv, uv_fs_t *req, const char *path,
                         int mode, uv_fs_cb cb);
typedef int (*two_call)(uv_loop_t *uv, uv_fs_t *req, const char *from,
                        const char *to, uv_fs_cb cb);
typedef int (*owner_call)(uv_loop_t *uv, uv_fs_t *req, const char *path,
                          uv_uid_t uid, uv_gid_t gid, uv_fs_cb cb);
typedef int (*time_call)(uv_loop_t *uv, uv_fs_t *req, const char *path,
                         double atime, double mtime, uv_fs_cb cb);

static uvow_future_t *call_path(uvow_loop_t *loop, const char *what,
                                path_call call, const char *path,
                                void (*end)(uvow__op_t *op, int64_t result)) {
  uvow_future_t *f;
  uvow__op_t *op = op_at(loop, what, path, end, &f);
  if (op)
    uvow__op_begun(op,
                   call(uvow__op_uv(op), &op->req.fs, path, uvow__op_on_fs));
  return f;
}

static uvow_future_t *call_mode(uvow_loop_t *loop, const char *what,
                                mode_call call, const char *path, int mode) {
  uvow_future_t *f;
  uvow__op_t *op = op_at(loop, what, path, uvow__op_end_plain, &f);
  if (op)
    uvow__op_begun(
        op, call(uvow__op_uv(op), &op->req.fs, path, mode, uvow__op_on_fs));
  return f;
}

static uvow_future_t *call_two(uvow_loop_t *loop, const char *what,
                               two_call call, const char *from,
                               const char *to) {
  uvow_future_t *f;
  if (loop && (!from || !to))
    return uvow__op_invalid(loop, from ? "to" : "from");
  uvow__op_t *op = uvow__op_new(loop, what, uvow__op_end_plain, &f);
  if (op)
    uvow__op_begun(
        op, call(uvow__op_uv(op), &op->req.fs, from, to, uvow__op_on_fs));
  return f;
}

static uvow_future_t *call_owner(uvow_loop_t *loop, const char *what,
                                 owner_call call, const char *path,
                                 uv_uid_t uid, uv_gid_t gid) {
  uvow_future_t *f;
  uvow__op_t *op = op_at(loop, what, path, uvow__op_end_plain, &f);
  if (op)
    uvow__op_begun(
        op, call(uvow__op_uv(op), &op->req.fs, path, uid, gid, uvow__op_on_fs));
  return f;
}

static uvow_future_t *call_time(uvow_loop_t *loop, const char *what,
                                time_call call, const char *path, double atime,
                                double mtime) {
  uvow_future_t *f;
  uvow__op_t *op = op_at(loop, what, path, uvow__op_end_plain, &f);
  if (op)
    uvow__op_begun(op, call(uvow__op_uv(op), &op->req.fs, path, atime, mtime,
                            uvow__op_on_fs));
  return f;
}

uvow_future_t *uvow_fs_unlink(uvow_loop_t *loop, const char *path) {
  return call_path(loop, "unlink", uv_fs_unlink, path, uvow__op_end_plain);
}

uvow_future_t *uvow_fs_rmdir(uvow_loop_t *loop, const char *path) {
  return call_path(loop, "rmdir", uv_fs_rmdir, path, uvow__op_end_plain);
}

uvow_future_t *uvow_fs_mkdir(uvow_loop_t *loop, const char *path, int mode) {
  return call_mode(loop, "mkdir", uv_fs_mkdir, path, mode);
}

uvow_future_t *uvow_fs_access(uvow_loop_t *loop, const char *path, int mode) {
  return call_mode(loop, "access", uv_fs_access, path, mode);
}

uvow_future_t *uvow_fs_chmod(uvow_loop_t *loop, const char *path, int mode) {
  return call_mode(loop, "chmod", uv_fs_chmod, path, mode);
}

uvow_future_t *uvow_fs_chown(uvow_loop_t *loop, const char *path, uv_uid_t uid,
                             uv_gid_t gid) {
  return call_owner(loop, "chown", uv_fs_chown, path, uid, gid);
}

uvow_future_t *uvow_fs_lchown(uvow_loop_t *loop, const char *path, uv_uid_t uid,
                              uv_gid_t gid) {
  return call_owner(loop, "lchown", uv_fs_lchown, path, uid, gid);
}

uvow_future_t *uvow_fs_utime(uvow_loop_t *loop, const char *path, double atime,
                             double mtime) {
  return call_time(loop, "utime", uv_fs_utime, path, atime, mtime);
}

uvow_future_t *uvow_fs_lutime(uvow_loop_t *loop, const char *path, double atime,
                              double mtime) {
  return call_time(loop, "lutime", uv_fs_lutime, path, atime, mtime);
}

uvow_future_t *uvow_fs_rename(uvow_loop_t *loop, const char *from,
                              const char *to) {
  return call_two(loop, "rename", uv_fs_rename, from, to);
}

uvow_future_t *uvow_fs_link(uvow_loop_t *loop, const char *from,
                            const char *to) {
  return call_two(loop, "link", uv_fs_link, from, to);
}

/* Its errors are about the second path. */
uvow_future_t *uvow_fs_symlink(uvow_loop_t *loop, const char *target,
                               const char *path) {
  uvow_future_t *f;
  if (loop && !target)
    return uvow__op_invalid(loop, "target");
  uvow__op_t *op = op_at(loop, "symlink", path, uvow__op_end_plain, &f);
  if (!op)
    return f;
  op->path = uvow__strndup(&loop->rt.mem, path, strlen(path));
  uvow__op_begun(op, op->path ? uv_fs_symlink(uvow__op_uv(op), &op->req.fs,
                                              target, path, 0, uvow__op_on_fs)
                              : UVOW_ENOMEM);
  return f;
}

/* What brings a path. */

static void fulfill_path(uvow__op_t *op, const char *path) {
  uvow__bytes_t *bytes = uvow__bytes_copy(uvow__op_rt(op), path, strlen(path));
  if (bytes)
    uvow__op_fulfill(op, uvow__bytes_value(bytes));
  else
    uvow__op_fail(op, UVOW_ENOMEM, op->req.fs.path);
}

static void end_link(uvow__op_t *op, int64_t result) {
  if (result < 0)
    uvow__op_fail(op, (int)result, op->req.fs.path);
  else
    fulfill_path(op, (const char *)op->req.fs.ptr);
}

uvow_future_t *uvow_fs_readlink(uvow_loop_t *loop, const char *path) {
  return call_path(loop, "readlink", uv_fs_readlink, path, end_link);
}

uvow_future_t *uvow_fs_realpath(uvow_loop_t *loop, const char *path) {
  return call_path(loop, "realpath", uv_fs_realpath, path, end_link);
}

/* A folder that nobody gets is removed again. */
static void end_mkdtemp(uvow__op_t *op, int64_t result) {
  uvow__op_t *removal = NULL;
  if (result < 0) {
    uvow__op_fail(op, (int)result, op->req.fs.path);
    return;
  }
  if (!op->future)
    removal = uvow__op_new_silent(op->all, "rmdir", uvow__op_end_plain);
  if (removal)
    uvow__op_begun(removal, uv_fs_rmdir(uvow__op_uv(op), &removal->req.fs,
                                        op->req.fs.path, uvow__op_on_fs));
  fulfill_path(op, op->req.fs.path);
}

uvow_future_t *uvow_fs_mkdtemp(uvow_loop_t *loop, const char *path) {
  return call_path(loop, "mkdtemp", uv_fs_mkdtemp, path, end_mkdtemp);
}

uvow_future_t *uvow_fs_stat(uvow_loop_t *loop, const char *path) {
  return call_path(loop, "stat", uv_fs_stat, path, uvow__op_end_stat);
}

uvow_future_t *uvow_fs_lstat(uvow_loop_t *loop, const char *path) {
  return call_path(loop, "lstat", uv_fs_lstat, path, uvow__op_end_stat);
}

uvow_future_t *uvow_fs_statfs(uvow_loop_t *loop, const char *path) {
  return call_path(loop, "statfs", uv_fs_statfs, path, uvow__op_end_statfs);
}
