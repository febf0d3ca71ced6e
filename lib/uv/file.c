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

const char *uvow__file_path(const uvow_file_t *file) {
  return file->path;
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
  uvow__ops_t *all = uvow__ops_of(loop);
  uv_fs_t req;
  uvow__op_t *op =
      all ? uvow__op_new_silent(all, "close", uvow__op_finish_plain) : NULL;
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
  if (result->error ||
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

static void finish_open(uvow__op_t *op, int64_t result) {
  uvow_file_t *file = NULL;
  if (result < 0) {
    uvow__op_fail(op, (int)result, op->req.fs.path);
    return;
  }
  if (op->future)
    file = file_new(op->all, (uv_file)result, op->req.fs.path);
  if (file) {
    uvow__op_fulfill(op, uvow_value_ptr(&uvow_type_file, file));
    return;
  }
  close_fd(op->all->loop, (uv_file)result);
  uvow__op_fail(op, UVOW_ENOMEM, op->req.fs.path);
}

uvow_future_t *uvow_fs_open(uvow_loop_t *loop, const char *path, int flags,
                            int mode) {
  uvow_future_t *f;
  if (loop && !path)
    return uvow__op_refused(loop, "open", UVOW_EINVAL);
  uvow__op_t *op = uvow__op_new(loop, "open", finish_open, &f);
  if (op)
    uvow__op_begun(op, uv_fs_open(uvow__op_uv(op), &op->req.fs, path, flags,
                                  mode, uvow__op_on_fs));
  return f;
}

/* An op on a file. NULL: no memory, or closed. */
static uvow__op_t *op_of(uvow_file_t *file, const char *what,
                         void (*finish)(uvow__op_t *op, int64_t result),
                         uvow_future_t **ret_future) {
  *ret_future = NULL;
  uvow__op_t *op = file && file->loop
                       ? uvow__op_new(file->loop, what, finish, ret_future)
                       : NULL;
  if (op)
    op->file = uvow_file_ref(file);
  return op;
}

static void finish_read(uvow__op_t *op, int64_t result) {
  uvow__bytes_t *bytes = op->bytes;
  if (result < 0 || !bytes) {
    uvow__op_fail(op, result < 0 ? (int)result : UVOW_ENOMEM, op->file->path);
    return;
  }
  op->bytes = NULL;
  bytes->len = (size_t)result;
  uvow__op_fulfill(op, uvow__bytes_value(bytes));
}

uvow_future_t *uvow_fs_read(uvow_file_t *file, size_t len, int64_t offset) {
  uvow_future_t *f;
  uvow__op_t *op = op_of(file, "read", finish_read, &f);
  if (!op)
    return NULL;
  op->bytes =
      len <= UINT32_MAX / 2 ? uvow__bytes_new(uvow__op_rt(op), len) : NULL;
  if (!op->bytes) {
    uvow__op_begun(op, UVOW_ENOMEM);
    return f;
  }
  uv_buf_t buf = uv_buf_init(uvow__bytes_room(op->bytes), (unsigned)len);
  uvow__op_begun(op, uv_fs_read(uvow__op_uv(op), &op->req.fs, file->fd, &buf, 1,
                                offset, uvow__op_on_fs));
  return f;
}

static void finish_write(uvow__op_t *op, int64_t result);

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

static void finish_write(uvow__op_t *op, int64_t result) {
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
  uvow__op_t *op = op_of(file, "write", finish_write, &f);
  if (!op) {
    uvow_value_clear(&bytes);
    return NULL;
  }
  op->value = bytes;
  if (uvow__value_slice(&bytes, &slice)) {
    uvow__op_begun(op, UVOW_ETYPE);
    return f;
  }
  op->u.write.len = slice.len;
  op->u.write.offset = offset;
  uvow__op_begun(op, write_on(op));
  return f;
}

uvow_future_t *uvow_fs_fsync(uvow_file_t *file) {
  uvow_future_t *f;
  uvow__op_t *op = op_of(file, "fsync", uvow__op_finish_plain, &f);
  if (op)
    uvow__op_begun(op, uv_fs_fsync(uvow__op_uv(op), &op->req.fs, file->fd,
                                   uvow__op_on_fs));
  return f;
}
