/* libuv's calls for files, each on the thread that calls: for pieces of work
 * that are several of them. */
#include "here.h"

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

int64_t uvow__here_read(uv_file fd, char *room, size_t len) {
  uv_buf_t buf = uv_buf_init(room, (unsigned)len);
  uv_fs_t req;
  (void)uv_fs_read(NULL, &req, fd, &buf, 1, -1, NULL);
  return end_call(&req);
}

int64_t uvow__here_write(uv_file fd, const char *ptr, size_t len) {
  uv_buf_t buf = uv_buf_init((char *)(uintptr_t)ptr, (unsigned)len);
  uv_fs_t req;
  (void)uv_fs_write(NULL, &req, fd, &buf, 1, -1, NULL);
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

size_t uvow__here_size(uv_file fd) {
  uv_fs_t req;
  (void)uv_fs_fstat(NULL, &req, fd, NULL);
  size_t size = req.result == 0 ? (size_t)req.statbuf.st_size : 0;
  (void)end_call(&req);
  return size;
}

int64_t uvow__here_keep_mode(uv_file fd, const char *path) {
  uv_fs_t req;
  (void)uv_fs_stat(NULL, &req, path, NULL);
  int mode = (int)req.statbuf.st_mode & 07777;
  if (end_call(&req) < 0)
    return 0;
  (void)uv_fs_fchmod(NULL, &req, fd, mode, NULL);
  return end_call(&req);
}
