/*
 * Copies of files, as one piece of work on another thread.
 *
 *   open the file -> a temporary one beside the target -> send in parts
 *     -> read and write what is left -> chmod, fsync, rename
 *
 * 1. The end is where there is nothing more to read, whatever the file's size
 * says: uv_fs_copyfile trusts the size, and goes round for ever where a file
 * holds less (libuv 1.44).
 * 2. libuv's sendfile is copy_file_range where the system has it, which shares
 * the blocks where the file system can.
 * 3. A cancel is seen between two parts.
 */
#include <string.h>

#include "here.h"
#include "whole.h"

#define PART ((size_t)16 * 1024 * 1024)
#define ROOM 8192

typedef struct source {
  uv_file fd;
  const char *path;
  uv_stat_t stat;
} source_t;

static int is_regular(const uv_stat_t *stat) {
  return (stat->st_mode & S_IFMT) == S_IFREG;
}

static int is_same(const uv_stat_t *a, const uv_stat_t *b) {
  return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* Returns how far it came: to the end, or to what reading has to explain. */
static int64_t send_parts(uvow__op_t *op, uv_file to, uv_file from) {
  int64_t at = 0;
  while (!uvow__whole_is_unwanted(op)) {
    int64_t sent = uvow__here_send(to, from, at, PART);
    if (sent <= 0)
      break;
    at += sent;
  }
  return at;
}

static int64_t read_and_write(uvow__op_t *op, uv_file to, const source_t *from,
                              int64_t at) {
  char room[ROOM];
  while (!uvow__whole_is_unwanted(op)) {
    op->what = "read";
    op->u.whole.about = from->path;
    int64_t got = uvow__here_read(from->fd, room, sizeof(room), at);
    if (got <= 0)
      return got;
    op->what = "write";
    op->u.whole.about = op->u.whole.target;
    int64_t rc = uvow__here_write_all(to, (uvow__slice_t){room, (size_t)got});
    if (rc < 0)
      return rc;
    if (at >= 0)
      at += got;
  }
  return UVOW_ECANCELED;
}

/* What isn't a regular file has no places in it. */
static int64_t copy_bytes(uvow__op_t *op, uv_file to, const source_t *from) {
  int64_t at = is_regular(&from->stat) ? send_parts(op, to, from->fd) : -1;
  int64_t rc = read_and_write(op, to, from, at);
  if (rc == 0)
    op->u.whole.about = op->u.whole.target;
  return rc;
}

static int64_t fill(uvow__op_t *op, uv_file fd, const void *data) {
  const source_t *from = (const source_t *)data;
  int64_t rc = copy_bytes(op, fd, from);
  if (rc == 0) {
    op->what = "chmod";
    rc = uvow__here_chmod(fd, (int)from->stat.st_mode & 07777);
  }
  return rc;
}

/* A device, a pipe: it can't be replaced. */
static int64_t write_into(uvow__op_t *op, const source_t *from) {
  int64_t fd = uvow__here_open(op->u.whole.target, UV_FS_O_WRONLY, 0);
  if (fd < 0)
    return fd;
  int64_t rc = copy_bytes(op, (uv_file)fd, from);
  (void)uvow__here_close((uv_file)fd);
  return rc;
}

static int64_t copy_to_target(uvow__op_t *op, const source_t *from) {
  uv_stat_t there;
  op->what = "open";
  op->u.whole.about = op->u.whole.target;
  int is_there = uvow__here_look(op->u.whole.target, &there) == 0;
  if (is_there && is_same(&there, &from->stat))
    return 0;
  if (is_there && !is_regular(&there))
    return write_into(op, from);
  return uvow__whole_place(op, (int)from->stat.st_mode & 0777, fill, from);
}

static void copy_work(uv_work_t *work) {
  uvow__op_t *op = UVOW__CONTAINER(work, uvow__op_t, req.work);
  source_t from = {0};
  from.path = op->u.whole.about;
  op->what = "open";
  int64_t rc = uvow__here_open(from.path, UV_FS_O_RDONLY, 0);
  if (rc >= 0) {
    from.fd = (uv_file)rc;
    op->what = "stat";
    rc = uvow__here_stat(from.fd, &from.stat);
    if (rc == 0)
      rc = copy_to_target(op, &from);
    (void)uvow__here_close(from.fd);
  }
  op->u.whole.result = rc;
}

uvow_future_t *uvow_fs_copy(uvow_loop_t *loop, const char *from,
                            const char *to) {
  uvow_future_t *f;
  if (loop && (!from || !to))
    return uvow__op_invalid(loop, from ? "to" : "from");
  const char *target = to ? to : "";
  size_t size = loop ? strlen(from) + 1 : 0;
  uvow__op_t *op = uvow__whole_replace(loop, "copy", target, size, &f);
  if (!op || !op->path)
    return f;
  char *place = op->path + strlen(op->path) + 1 + strlen(target) + 1;
  memcpy(place, from, size);
  op->u.whole.about = place;
  uvow__whole_begin(op, copy_work);
  return f;
}
