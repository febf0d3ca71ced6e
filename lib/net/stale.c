/*
 * What a server that was killed leaves behind: the file of its socket.
 *
 *   a socket? --connect--> refused: nobody listens --the same file still?-->
 *   removed
 *
 * 1. Only a refusal counts. Connected, not allowed, a full queue, another type
 *    of socket: somebody may be there. A symbolic link is no socket.
 * 2. A Unix domain socket connects at once or not at all: nothing waits here,
 *    though libuv tells it by a loop, which is our own and ends here.
 * 3. Two servers that start at once over the same stale file: the second finds
 *    another file than it asked, and leaves it alone. What remains is a gap of
 *    two system calls, and a server that has bound and doesn't listen yet: it
 *    can't be told from one that is gone. Ours listen at once.
 */
#include "stale.h"

#include <uv.h>

/* Of st_mode: the same on every Unix. Windows' pipes aren't files. */
#define FILE_TYPE 0170000u
#define TYPE_SOCKET 0140000u

static int look(const char *path, uv_stat_t *ret) {
  uv_fs_t req;
  int rc = uv_fs_lstat(NULL, &req, path, NULL);
  *ret = req.statbuf;
  uv_fs_req_cleanup(&req);
  return rc;
}

static int is_socket(const uv_stat_t *file) {
  return (file->st_mode & FILE_TYPE) == TYPE_SOCKET;
}

static int is_same(const uv_stat_t *a, const uv_stat_t *b) {
  return a->st_dev == b->st_dev && a->st_ino == b->st_ino &&
         a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
         a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static void on_connected(uv_connect_t *req, int status) {
  *(int *)req->data = status;
  uv_close((uv_handle_t *)req->handle, NULL);
}

/* What a connect to it ends with. */
static int probe(const char *path) {
  uv_loop_t uv;
  uv_pipe_t pipe;
  uv_connect_t req;
  int status = uv_loop_init(&uv);
  if (status)
    return status;
  req.data = &status;
  status = uv_pipe_init(&uv, &pipe, 0);
  if (status == 0) {
    uv_pipe_connect(&req, &pipe, path, on_connected);
    uv_run(&uv, UV_RUN_DEFAULT);
  }
  uv_loop_close(&uv);
  return status;
}

int uvow__stale_remove(const char *path) {
  uv_stat_t before, after;
  uv_fs_t req;
  if (look(path, &before) || !is_socket(&before) ||
      probe(path) != UV_ECONNREFUSED)
    return 0;
  if (look(path, &after) || !is_same(&before, &after))
    return 0;
  int rc = uv_fs_unlink(NULL, &req, path, NULL);
  uv_fs_req_cleanup(&req);
  return rc == 0;
}
