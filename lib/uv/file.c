/*
 * Open files.
 *
 * 1. A file is closed once: by its last owner, on another thread while the loop
 *    is open, else on the spot.
 * 2. It knows its loop as long as that is open; its memory is its own.
 */
#include <string.h>

#include "op.h"
#include "base/own.h"

struct uvow_file {
  uvow__list_t link; /* of the loop's */
  uvow_loop_t *loop; /* NULL: closed */
  uvow__mem_t mem;
  size_t refs;
  uv_file fd;
  char path[]; /* NUL-terminated */
};

static void file_ref(void *ptr) {
  ((uvow_file_t *)ptr)->refs++;
}

static void file_destroy(void *ptr) {
  uvow_file_unref((uvow_file_t *)ptr);
}

const uvow_type_t uvow_type_file = {sizeof(uvow_type_t), uvow__own_names.file,
                                    file_ref, file_destroy};

const char *uvow_file_path(const uvow_file_t *file) {
  return file ? file->path : NULL;
}

uvow_loop_t *uvow__file_loop(const uvow_file_t *file) {
  return file ? file->loop : NULL;
}

uv_file uvow_file_fd(const uvow_file_t *file) {
  return file ? file->fd : -1;
}

void uvow__files_detach(uvow__ops_t *all) {
  while (!uvow__list_empty(&all->files)) {
    uvow_file_t *file = UVOW__CONTAINER(all->files.next, uvow_file_t, link);
    uvow__list_remove(&file->link);
    file->loop = NULL;
  }
}

/* loop NULL: on the spot. */
static void close_fd(uvow_loop_t *loop, uv_file fd) {
  uvow__ops_t *all = loop ? loop->ops : NULL;
  uv_fs_t req;
  uvow__op_t *op =
      all ? uvow__op_new_silent(all, "close", uvow__op_end_plain) : NULL;
  if (op) {
    uvow__op_begun(
        op, uv_fs_close(uvow__op_uv(op), &op->req.fs, fd, uvow__op_on_fs));
    return;
  }
  (void)uv_fs_close(NULL, &req, fd, NULL);
  uv_fs_req_cleanup(&req);
}

uvow_file_t *uvow_file_ref(uvow_file_t *file) {
  if (file)
    file->refs++;
  return file;
}

void uvow_file_unref(uvow_file_t *file) {
  if (!file || --file->refs)
    return;
  uvow__mem_t mem = file->mem;
  uvow__list_remove(&file->link);
  close_fd(file->loop, file->fd);
  uvow__free(&mem, file);
}

uvow_file_t *uvow_result_file(const uvow_result_t *result) {
  void *ptr = NULL;
  if (!result || result->error ||
      uvow_value_get_ptr(&result->value, &uvow_type_file, &ptr))
    return NULL;
  return (uvow_file_t *)ptr;
}

/* NULL: no memory. */
static uvow_file_t *file_new(uvow__ops_t *all, uv_file fd, const char *path) {
  uvow_loop_t *loop = all->loop;
  size_t len = strlen(path);
  uvow_file_t *file =
      (uvow_file_t *)uvow__malloc(&loop->rt.mem, sizeof(*file) + len + 1);
  if (!file)
    return NULL;
  file->loop = loop;
  file->mem = loop->rt.mem;
  file->refs = 1;
  file->fd = fd;
  memcpy(file->path, path, len + 1);
  uvow__list_append(&all->files, &file->link);
  return file;
}

/* A temporary file that nobody gets is removed again. */
static void remove_file(uvow__ops_t *all, const char *path) {
  uvow__op_t *op = uvow__op_new_silent(all, "unlink", uvow__op_end_plain);
  if (op)
    uvow__op_begun(
        op, uv_fs_unlink(uvow__op_uv(op), &op->req.fs, path, uvow__op_on_fs));
}

static void end_open(uvow__op_t *op, int64_t result) {
  uvow_file_t *file = NULL;
  if (result < 0) {
    uvow__op_fail(op, (int)result, uvow__op_path(op));
    return;
  }
  if (op->future)
    file = file_new(op->all, (uv_file)result, op->req.fs.path);
  if (file) {
    uvow__op_fulfill(op, uvow_value_ptr(&uvow_type_file, file));
    return;
  }
  close_fd(op->all->loop, (uv_file)result);
  if (op->req.fs.fs_type == UV_FS_MKSTEMP)
    remove_file(op->all, op->req.fs.path);
  uvow__op_fail(op, UVOW_ENOMEM, op->req.fs.path);
}

uvow_future_t *uvow_fs_open(uvow_loop_t *loop, const char *path, int flags,
                            int mode) {
  uvow_future_t *f;
  if (loop && !path)
    return uvow__op_invalid(loop, "path");
  uvow__op_t *op = uvow__op_new(loop, "open", end_open, &f);
  if (op)
    uvow__op_begun(op, uv_fs_open(uvow__op_uv(op), &op->req.fs, path, flags,
                                  mode, uvow__op_on_fs));
  return f;
}

uvow_future_t *uvow_fs_mkstemp(uvow_loop_t *loop, const char *path) {
  uvow_future_t *f;
  if (loop && !path)
    return uvow__op_invalid(loop, "path");
  uvow__op_t *op = uvow__op_new(loop, "mkstemp", end_open, &f);
  if (!op)
    return f;
  /* For errors: what fails leaves nothing in libuv's. */
  op->path = uvow__strndup(&loop->rt.mem, path, strlen(path));
  uvow__op_begun(op, op->path ? uv_fs_mkstemp(uvow__op_uv(op), &op->req.fs,
                                              path, uvow__op_on_fs)
                              : UVOW_ENOMEM);
  return f;
}

/* An op on a file. NULL: no memory, or closed. */
static uvow__op_t *op_of(uvow_file_t *file, const char *what,
                         void (*end)(uvow__op_t *op, int64_t result),
                         uvow_future_t **ret_future) {
  *ret_future = NULL;
  uvow__op_t *op = file && file->loop
                       ? uvow__op_new(file->loop, what, end, ret_future)
                       : NULL;
  if (op)
    op->file = uvow_file_ref(file);
  return op;
}

static void end_read(uvow__op_t *op, int64_t result) {
  uvow__bytes_t *bytes = op->bytes;
  if (result < 0) {
    uvow__op_fail(op, (int)result, op->file->path);
    return;
  }
  op->bytes = NULL;
  bytes->len = (size_t)result;
  uvow__op_fulfill(op, uvow__bytes_value(bytes));
}

uvow_future_t *uvow_fs_read(uvow_file_t *file, size_t len, int64_t offset) {
  uvow_future_t *f;
  uvow__op_t *op = op_of(file, "read", end_read, &f);
  if (!op)
    return NULL;
  op->bytes =
      len <= UINT32_MAX / 2 ? uvow__bytes_on(op->all->reads, len) : NULL;
  if (!op->bytes) {
    uvow__op_begun(op, UVOW_ENOMEM);
    return f;
  }
  uv_buf_t buf = uv_buf_init(uvow__bytes_room(op->bytes), (unsigned)len);
  uvow__op_begun(op, uv_fs_read(uvow__op_uv(op), &op->req.fs, file->fd, &buf, 1,
                                offset, uvow__op_on_fs));
  return f;
}

static void end_write(uvow__op_t *op, int64_t result);

/* The next part of it. */
static int write_on(uvow__op_t *op) {
  uvow__slice_t slice;
  (void)uvow__value_slice(&op->value, &slice); /* it was looked at */
  size_t len = op->u.write.len - op->u.write.at;
  if (len > UINT32_MAX / 2)
    len = UINT32_MAX / 2;
  uv_buf_t buf =
      uv_buf_init((char *)(uintptr_t)slice.ptr + op->u.write.at, (unsigned)len);
  int64_t offset = op->u.write.offset;
  if (offset >= 0)
    offset += (int64_t)op->u.write.at;
  return uv_fs_write(uvow__op_uv(op), &op->req.fs, op->file->fd, &buf, 1,
                     offset, uvow__op_on_fs);
}

static void end_write(uvow__op_t *op, int64_t result) {
  if (result < 0) {
    uvow__op_fail(op, (int)result, op->file->path);
    return;
  }
  op->u.write.at += (size_t)result;
  if (!op->future || op->u.write.at >= op->u.write.len) {
    uvow__op_fulfill(op, uvow_value_none());
    return;
  }
  uv_fs_req_cleanup(&op->req.fs);
  uvow__op_begun(op, write_on(op));
}

uvow_future_t *uvow_fs_write(uvow_file_t *file, uvow_value_t bytes,
                             int64_t offset) {
  uvow__slice_t slice;
  uvow_future_t *f;
  uvow__op_t *op = op_of(file, "write", end_write, &f);
  if (!op) {
    uvow_value_clear(&bytes);
    return NULL;
  }
  int rc = uvow__value_hold(uvow__op_rt(op), &bytes);
  op->value = bytes;
  if (rc == 0)
    rc = uvow__value_slice(&bytes, &slice);
  if (rc) {
    uvow__op_begun(op, rc);
    return f;
  }
  op->u.write.at = 0;
  op->u.write.len = slice.len;
  op->u.write.offset = offset;
  uvow__op_begun(op, write_on(op));
  return f;
}

uvow_future_t *uvow_fs_fsync(uvow_file_t *file) {
  uvow_future_t *f;
  uvow__op_t *op = op_of(file, "fsync", uvow__op_end_plain, &f);
  if (op)
    uvow__op_begun(op, uv_fs_fsync(uvow__op_uv(op), &op->req.fs, file->fd,
                                   uvow__op_on_fs));
  return f;
}

uvow_future_t *uvow_fs_fdatasync(uvow_file_t *file) {
  uvow_future_t *f;
  uvow__op_t *op = op_of(file, "fdatasync", uvow__op_end_plain, &f);
  if (op)
    uvow__op_begun(op, uv_fs_fdatasync(uvow__op_uv(op), &op->req.fs, file->fd,
                                       uvow__op_on_fs));
  return f;
}

uvow_future_t *uvow_fs_ftruncate(uvow_file_t *file, int64_t len) {
  uvow_future_t *f;
  uvow__op_t *op = op_of(file, "ftruncate", uvow__op_end_plain, &f);
  if (op)
    uvow__op_begun(op, uv_fs_ftruncate(uvow__op_uv(op), &op->req.fs, file->fd,
                                       len, uvow__op_on_fs));
  return f;
}

uvow_future_t *uvow_fs_fstat(uvow_file_t *file) {
  uvow_future_t *f;
  uvow__op_t *op = op_of(file, "fstat", uvow__op_end_stat, &f);
  if (op)
    uvow__op_begun(op, uv_fs_fstat(uvow__op_uv(op), &op->req.fs, file->fd,
                                   uvow__op_on_fs));
  return f;
}

uvow_future_t *uvow_fs_fchmod(uvow_file_t *file, int mode) {
  uvow_future_t *f;
  uvow__op_t *op = op_of(file, "fchmod", uvow__op_end_plain, &f);
  if (op)
    uvow__op_begun(op, uv_fs_fchmod(uvow__op_uv(op), &op->req.fs, file->fd,
                                    mode, uvow__op_on_fs));
  return f;
}

uvow_future_t *uvow_fs_fchown(uvow_file_t *file, uv_uid_t uid, uv_gid_t gid) {
  uvow_future_t *f;
  uvow__op_t *op = op_of(file, "fchown", uvow__op_end_plain, &f);
  if (op)
    uvow__op_begun(op, uv_fs_fchown(uvow__op_uv(op), &op->req.fs, file->fd, uid,
                                    gid, uvow__op_on_fs));
  return f;
}

uvow_future_t *uvow_fs_futime(uvow_file_t *file, double atime, double mtime) {
  uvow_future_t *f;
  uvow__op_t *op = op_of(file, "futime", uvow__op_end_plain, &f);
  if (op)
    uvow__op_begun(op, uv_fs_futime(uvow__op_uv(op), &op->req.fs, file->fd,
                                    atime, mtime, uvow__op_on_fs));
  return f;
}

static void end_sendfile(uvow__op_t *op, int64_t result) {
  uvow_file_t *from = op->u.from;
  if (result < 0)
    uvow__op_fail(op, (int)result, uvow__op_path(op));
  else
    uvow__op_fulfill(op, uvow_value_int64(result));
  uvow_file_unref(from);
}

uvow_future_t *uvow_fs_sendfile(uvow_file_t *to, uvow_file_t *from,
                                int64_t offset, size_t len) {
  uvow_future_t *f;
  if (to && to->loop && !from)
    return uvow__op_invalid(to->loop, "from");
  if (!to && from && from->loop)
    return uvow__op_invalid(from->loop, "to");
  uvow__op_t *op = op_of(to, "sendfile", end_sendfile, &f);
  if (!op)
    return f;
  op->u.from = uvow_file_ref(from);
  uvow__op_begun(op, uv_fs_sendfile(uvow__op_uv(op), &op->req.fs, to->fd,
                                    from->fd, offset, len, uvow__op_on_fs));
  return f;
}
