/*
 * Files as a whole: what takes several calls runs as one piece of work on
 * another thread, which calls libuv's functions there.
 *
 *   read_file:  work: open, read until the end or the room is full, close
 *               it was full: more room, and again from the start
 *   write_file: work: open the temporary one, write, fsync, chmod, close;
 *               unless it's canceled: rename; else unlink
 *
 * 1. No file is open between two pieces of work: so nothing is left to close.
 * 2. Memory is taken on the loop's thread only. The thread touches the op,
 * whose fields the loop leaves alone meanwhile, but for `unwanted`, under the
 * lock.
 */
#include <stdio.h>
#include <string.h>

#include "here.h"
#include "op.h"

#define ROOM_FIRST ((size_t)64 * 1024)
#define PART_MAX ((size_t)1024 * 1024 * 1024)

static int is_unwanted(uvow__op_t *op) {
  uv_mutex_lock(&op->all->lock);
  int unwanted = op->unwanted;
  uv_mutex_unlock(&op->all->lock);
  return unwanted;
}

/* Until the end, or the room is full. Returns how much, or an error. */
static int64_t read_here(uvow__op_t *op, uv_file fd) {
  size_t at = 0;
  while (at < op->bytes->len && !is_unwanted(op)) {
    size_t len = op->bytes->len - at;
    int64_t got = uvow__here_read(fd, uvow__bytes_room(op->bytes) + at,
                                  len < PART_MAX ? len : PART_MAX);
    if (got < 0)
      return got;
    if (got == 0)
      break;
    at += (size_t)got;
  }
  return (int64_t)at;
}

static void read_work(uv_work_t *work) {
  uvow__op_t *op = UVOW__CONTAINER(work, uvow__op_t, req.work);
  int64_t fd = uvow__here_open(op->path, UV_FS_O_RDONLY, 0);
  op->what = "open";
  op->u.whole.result = fd;
  if (fd < 0)
    return;
  op->what = "read";
  op->u.whole.result = read_here(op, (uv_file)fd);
  if (op->u.whole.result == (int64_t)op->bytes->len)
    op->u.whole.size = uvow__here_size((uv_file)fd);
  (void)uvow__here_close((uv_file)fd);
}

static void on_worked(uv_work_t *work, int status) {
  uvow__op_t *op = UVOW__CONTAINER(work, uvow__op_t, req.work);
  uvow__runtime_t *rt = uvow__op_rt(op);
  uvow__runtime_enter(rt);
  op->end(op, status ? status : op->u.whole.result);
  uvow__runtime_leave(rt);
}

/* Room for so much, and one more: so that a file of just that size ends. */
static void read_again(uvow__op_t *op, size_t size) {
  size_t max = op->u.whole.max;
  size = size < max ? size : max;
  uvow__bytes_unref(op->bytes);
  op->bytes =
      size < SIZE_MAX ? uvow__bytes_new(uvow__op_rt(op), size + 1) : NULL;
  uvow__op_begun(op, op->bytes ? uv_queue_work(uvow__op_uv(op), &op->req.work,
                                               read_work, on_worked)
                               : UVOW_ENOMEM);
}

/* A small file doesn't keep the room of a large one. */
static uvow__bytes_t *fitted(uvow__op_t *op, size_t len) {
  uvow__bytes_t *bytes = NULL;
  if (len < op->bytes->len / 2)
    bytes = uvow__bytes_copy(uvow__op_rt(op), op->bytes->ptr, len);
  if (bytes)
    return bytes;
  bytes = op->bytes;
  op->bytes = NULL;
  bytes->len = len;
  return bytes;
}

static void end_read_file(uvow__op_t *op, int64_t result) {
  size_t room = op->bytes ? op->bytes->len : 0;
  if (result >= 0 && !op->future)
    result = UVOW_ECANCELED;
  if (result < 0)
    uvow__op_fail(op, (int)result, op->path);
  else if ((size_t)result < room)
    uvow__op_fulfill(op, uvow__bytes_value(fitted(op, (size_t)result)));
  else if (room > op->u.whole.max)
    uvow__op_fail(op, UVOW_ETOOBIG, op->path);
  else
    read_again(op, op->u.whole.size >= room ? op->u.whole.size : 2 * room);
}

/* An op with room for a text of so many bytes. NULL: as uvow__op_new. */
static uvow__op_t *op_with_path(uvow_loop_t *loop, const char *what,
                                size_t size,
                                void (*end)(uvow__op_t *op, int64_t result),
                                uvow_future_t **ret_future) {
  uvow__op_t *op = uvow__op_new(loop, what, end, ret_future);
  if (!op)
    return NULL;
  op->path = (char *)uvow__malloc(&loop->rt.mem, size);
  op->path_size = size;
  op->u.whole.size = 0;
  op->u.whole.target = NULL;
  op->u.whole.result = 0;
  if (!op->path)
    uvow__op_begun(op, UVOW_ENOMEM);
  return op;
}

uvow_future_t *uvow_fs_read_file(uvow_loop_t *loop, const char *path,
                                 size_t max_bytes) {
  uvow_future_t *f;
  if (loop && !path)
    return uvow__op_invalid(loop, "path");
  size_t size = path ? strlen(path) + 1 : 1;
  uvow__op_t *op = op_with_path(loop, "read", size, end_read_file, &f);
  if (!op || !op->path)
    return f;
  memcpy(op->path, path, size);
  op->u.whole.max = max_bytes;
  read_again(op, ROOM_FIRST - 1);
  return f;
}

static int64_t write_here(uv_file fd, uvow__slice_t slice) {
  while (slice.len) {
    size_t len = slice.len < PART_MAX ? slice.len : PART_MAX;
    int64_t done = uvow__here_write(fd, slice.ptr, len);
    if (done < 0)
      return done;
    slice.ptr += done;
    slice.len -= (size_t)done;
  }
  return 0;
}

/* Writes the open temporary file, and closes it. */
static int64_t fill(uvow__op_t *op, uv_file fd) {
  uvow__slice_t slice;
  (void)uvow__value_slice(&op->value, &slice); /* it was looked at */
  op->what = "write";
  int64_t rc = write_here(fd, slice);
  if (rc == 0) {
    op->what = "fsync";
    rc = uvow__here_fsync(fd);
  }
  if (rc == 0) {
    op->what = "chmod";
    rc = uvow__here_keep_mode(fd, op->u.whole.target);
  }
  int64_t closed = uvow__here_close(fd);
  if (rc == 0 && closed < 0) {
    op->what = "close";
    rc = closed;
  }
  return rc;
}

static void write_work(uv_work_t *work) {
  uvow__op_t *op = UVOW__CONTAINER(work, uvow__op_t, req.work);
  op->what = "open";
  int64_t rc = uvow__here_open(
      op->path, UV_FS_O_WRONLY | UV_FS_O_CREAT | UV_FS_O_EXCL, 0666);
  op->u.whole.result = rc;
  if (rc < 0)
    return;
  rc = fill(op, (uv_file)rc);
  if (rc == 0 && is_unwanted(op))
    rc = UVOW_ECANCELED;
  if (rc == 0) {
    op->what = "rename";
    rc = uvow__here_rename(op->path, op->u.whole.target);
  }
  if (rc < 0)
    (void)uvow__here_unlink(op->path);
  op->u.whole.result = rc;
}

static void end_write_file(uvow__op_t *op, int64_t result) {
  if (result < 0)
    uvow__op_fail(op, (int)result, op->u.whole.target);
  else
    uvow__op_fulfill(op, uvow_value_none());
}

uvow_future_t *uvow_fs_write_file(uvow_loop_t *loop, const char *path,
                                  uvow_value_t bytes) {
  static const char suffix[] = ".0123456789abcdef.tmp";
  uvow__slice_t slice;
  uvow_future_t *f = NULL;
  uvow__op_t *op = NULL;
  size_t len = path ? strlen(path) : 0;
  int code = uvow__value_slice(&bytes, &slice);
  if (loop && code == 0)
    code = uvow__value_hold(&loop->rt, &bytes);
  if (loop && !path)
    f = uvow__op_invalid(loop, "path");
  else if (loop && code)
    f = uvow__op_refused(loop, "write", code);
  else
    op = op_with_path(loop, "write", 2 * len + 1 + sizeof(suffix),
                      end_write_file, &f);
  if (!op) {
    uvow_value_clear(&bytes);
    return f;
  }
  op->value = bytes;
  if (!op->path)
    return f;
  (void)snprintf(op->path, op->path_size, "%s.%016llx.tmp", path,
                 (unsigned long long)uvow__runtime_random(&loop->rt));
  op->u.whole.target = op->path + len + sizeof(suffix);
  memcpy(op->path + len + sizeof(suffix), path, len + 1);
  uvow__op_begun(
      op, uv_queue_work(uvow__op_uv(op), &op->req.work, write_work, on_worked));
  return f;
}
