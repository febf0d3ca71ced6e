/* libuv's calls for files, each on the thread that calls: for pieces of work
 * that are several of them. */
#include "here.h"

#define PART_MAX ((size_t)1024 * 1024 * 1024)

static int64_t end_call(uv_fs_t *req) {
  int64_t result = req->result;
  uv_fs_req_cleanup(req);
  return result;
}

int64_t uvow__here_open(const char *path, int flags, int mode) {
  uv_fs_t req;
  (void)uv_fs_open(NULL, &req, path, flags, mode, NULL);
  return end_call(&req);
}

int64_t uvow__here_close(uv_file fd) {
  uv_fs_t req;
  (void)uv_fs_close(NULL, &req, fd, NULL);
  return end_call(&req);
}

int64_t uvow__here_fsync(uv_file fd) {
  uv_fs_t req;
  (void)uv_fs_fsync(NULL, &req, fd, NULL);
  return end_call(&req);
}

int64_t uvow__here_read(uv_file fd, char *room, size_t len, int64_t at) {
  uv_buf_t buf = uv_buf_init(room, (unsigned)len);
  uv_fs_t req;
  (void)uv_fs_read(NULL, &req, fd, &buf, 1, at, NULL);
  return end_call(&req);
}

int64_t uvow__here_write(uv_file fd, const char *ptr, size_t len) {
  uv_buf_t buf = uv_buf_init((char *)(uintptr_t)ptr, (unsigned)len);
  uv_fs_t req;
  (void)uv_fs_write(NULL, &req, fd, &buf, 1, -1, NULL);
  return end_call(&req);
}

int64_t uvow__here_write_all(uv_file fd, uvow__slice_t slice) {
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

int64_t uvow__here_send(uv_file to, uv_file from, int64_t at, size_t len) {
  uv_fs_t req;
  (void)uv_fs_sendfile(NULL, &req, to, from, at, len, NULL);
  return end_call(&req);
}

int64_t uvow__here_rename(const char *from, const char *to) {
  uv_fs_t req;
  (void)uv_fs_rename(NULL, &req, from, to, NULL);
  return end_call(&req);
}

int64_t uvow__here_unlink(const char *path) {
  uv_fs_t req;
  (void)uv_fs_unlink(NULL, &req, path, NULL);
  return end_call(&req);
}

/* A file system without permissions (vfat, many of FUSE's) refuses it so. */
int64_t uvow__here_chmod(uv_file fd, int mode) {
  uv_fs_t req;
  (void)uv_fs_fchmod(NULL, &req, fd, mode, NULL);
  int64_t rc = end_call(&req);
  return rc == UV_EPERM || rc == UV_ENOTSUP || rc == UV_ENOSYS ? 0 : rc;
}

int64_t uvow__here_stat(uv_file fd, uv_stat_t *ret) {
  uv_fs_t req;
  (void)uv_fs_fstat(NULL, &req, fd, NULL);
  *ret = req.statbuf;
  return end_call(&req);
}

int64_t uvow__here_look(const char *path, uv_stat_t *ret) {
  uv_fs_t req;
  (void)uv_fs_stat(NULL, &req, path, NULL);
  *ret = req.statbuf;
  return end_call(&req);
}

int uvow__here_mode(const char *path) {
  uv_stat_t stat;
  return uvow__here_look(path, &stat) ? 0666 : (int)stat.st_mode & 0777;
}

int64_t uvow__here_keep_mode(uv_file fd, const char *path) {
  uv_stat_t stat;
  if (uvow__here_look(path, &stat))
    return 0;
  return uvow__here_chmod(fd, (int)stat.st_mode & 07777);
}
