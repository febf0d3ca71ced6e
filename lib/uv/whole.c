/*
 * Files as a whole: what takes several calls runs as one piece of work on
 * another thread, which calls libuv's functions there.
 *
 *   read_file:  work: open, read until the end or the room is full, close
 *               it was full: more room, and again from the start
 *   write_file: work: open the temporary one, write, chmod, fsync, close;
 *               unless it's canceled: rename; else unlink
 *
 * 1. No file is open between two pieces of work: so nothing is left to close.
 * 2. Memory is taken on the loop's thread only. The thread touches the op,
 * whose fields the loop leaves alone meanwhile, but for `unwanted`, under the
 * lock.
 * 3. Nobody may read the temporary file who mayn't read the one it becomes.
 */
#include "whole.h"

#include <stdio.h>
#include <string.h>

#include "here.h"

#define ROOM_FIRST ((size_t)64 * 1024)
#define PART_MAX ((size_t)1024 * 1024 * 1024)

int uvow__whole_is_unwanted(uvow__op_t *op) {
  uv_mutex_lock(&op->all->lock);
  int unwanted = op->unwanted;
  uv_mutex_unlock(&op->all->lock);
  return unwanted;
}

/* Until the end, or the room is full. Returns how much, or an error. */
static int64_t read_here(uvow__op_t *op, uv_file fd) {
  size_t at = 0;
  while (at < op->bytes->len && !uvow__whole_is_unwanted(op)) {
    size_t len = op->bytes->len - at;
    int64_t got = uvow__here_read(fd, uvow__bytes_room(op->bytes) + at,
                                  len < PART_MAX ? len : PART_MAX, -1);
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
  uv_stat_t stat;
  if (op->u.whole.result == (int64_t)op->bytes->len &&
      uvow__here_stat((uv_file)fd, &stat) == 0)
    op->u.whole.size = (size_t)stat.st_size;
  (void)uvow__here_close((uv_file)fd);
}

static void on_worked(uv_work_t *work, int status) {
  uvow__op_t *op = UVOW__CONTAINER(work, uvow__op_t, req.work);
  uvow__runtime_t *rt = uvow__op_rt(op);
  uvow__runtime_enter(rt);
  op->end(op, status ? status : op->u.whole.result);
  uvow__runtime_leave(rt);
}

void uvow__whole_begin(uvow__op_t *op, uv_work_cb work) {
  uvow__op_begun(
      op, uv_queue_work(uvow__op_uv(op), &op->req.work, work, on_worked));
}

/* Room for so much, and one more: so that a file of just that size ends. */
static void read_again(uvow__op_t *op, size_t size) {
  size_t max = op->u.whole.max;
  size = size < max ? size : max;
  uvow__bytes_unref(op->bytes);
  op->bytes =
      size < SIZE_MAX ? uvow__bytes_new(uvow__op_rt(op), size + 1) : NULL;
  if (op->bytes)
    uvow__whole_begin(op, read_work);
  else
    uvow__op_begun(op, UVOW_ENOMEM);
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

uvow__op_t *uvow__whole_new(uvow_loop_t *loop, const char *what, size_t size,
                            void (*end)(uvow__op_t *op, int64_t result),
                            uvow_future_t **ret_future) {
  uvow__op_t *op = uvow__op_new(loop, what, end, ret_future);
  if (!op)
    return NULL;
  op->path = (char *)uvow__malloc(&loop->rt.mem, size);
  op->u.whole.size = 0;
  op->u.whole.target = op->u.whole.about = NULL;
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
  uvow__op_t *op = uvow__whole_new(loop, "read", size, end_read_file, &f);
  if (!op || !op->path)
    return f;
  memcpy(op->path, path, size);
  op->u.whole.max = max_bytes;
  read_again(op, ROOM_FIRST - 1);
  return f;
}

static int64_t finish(uvow__op_t *op, uv_file fd) {
  op->what = "fsync";
  int64_t rc = uvow__here_fsync(fd);
  int64_t closed = uvow__here_close(fd);
  if (rc == 0 && closed < 0) {
    op->what = "close";
    rc = closed;
  }
  return rc;
}

int64_t uvow__whole_place(uvow__op_t *op, int mode,
                          int64_t (*fill)(uvow__op_t *op, uv_file fd,
                                          const void *from),
                          const void *from) {
  op->what = "open";
  int64_t fd = uvow__here_open(
      op->path, UV_FS_O_WRONLY | UV_FS_O_CREAT | UV_FS_O_EXCL, mode);
  if (fd < 0)
    return fd;
  int64_t rc = fill(op, (uv_file)fd, from);
  if (rc < 0)
    (void)uvow__here_close((uv_file)fd);
  else
    rc = finish(op, (uv_file)fd);
  if (rc == 0 && uvow__whole_is_unwanted(op))
    rc = UVOW_ECANCELED;
  if (rc == 0) {
    op->what = "rename";
    rc = uvow__here_rename(op->path, op->u.whole.target);
  }
  if (rc < 0)
    (void)uvow__here_unlink(op->path);
  return rc;
}

static void end_replace(uvow__op_t *op, int64_t result) {
  if (result < 0)
    uvow__op_fail(op, (int)result, op->u.whole.about);
  else
    uvow__op_fulfill(op, uvow_value_none());
}

uvow__op_t *uvow__whole_replace(uvow_loop_t *loop, const char *what,
                                const char *path, size_t more,
                                uvow_future_t **ret_future) {
  static const char suffix[] = ".0123456789abcdef.tmp";
  size_t len = strlen(path);
  size_t size = len + sizeof(suffix);
  uvow__op_t *op = uvow__whole_new(loop, what, size + len + 1 + more,
                                   end_replace, ret_future);
  if (!op || !op->path)
    return op;
  (void)snprintf(op->path, size, "%s.%016llx.tmp", path,
                 (unsigned long long)uvow__runtime_random(&loop->rt));
  memcpy(op->path + size, path, len + 1);
  op->u.whole.target = op->u.whole.about = op->path + size;
  return op;
}

static int64_t fill(uvow__op_t *op, uv_file fd, const void *from) {
  uvow__slice_t slice;
  (void)from;
  (void)uvow__value_slice(&op->value, &slice); /* it was looked at */
  op->what = "write";
  int64_t rc = uvow__here_write_all(fd, slice);
  if (rc == 0) {
    op->what = "chmod";
    rc = uvow__here_keep_mode(fd, op->u.whole.target);
  }
  return rc;
}

static void write_work(uv_work_t *work) {
  uvow__op_t *op = UVOW__CONTAINER(work, uvow__op_t, req.work);
  op->u.whole.result =
      uvow__whole_place(op, uvow__here_mode(op->u.whole.target), fill, NULL);
}

uvow_future_t *uvow_fs_write_file(uvow_loop_t *loop, const char *path,
                                  uvow_value_t bytes) {
  uvow__slice_t slice;
  uvow_future_t *f = NULL;
  uvow__op_t *op = NULL;
  int code = uvow__value_slice(&bytes, &slice);
  if (loop && code == 0)
    code = uvow__value_hold(&loop->rt, &bytes);
  if (loop && !path)
    f = uvow__op_invalid(loop, "path");
  else if (loop && code)
    f = uvow__op_refused(loop, "write", code);
  else
    op = uvow__whole_replace(loop, "write", path ? path : "", 0, &f);
  if (!op) {
    uvow_value_clear(&bytes);
    return f;
  }
  op->value = bytes;
  if (op->path)
    uvow__whole_begin(op, write_work);
  return f;
}
