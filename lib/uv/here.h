#ifndef UVOW__HERE_H
#define UVOW__HERE_H

#include <uv.h>

#include "base/buf.h"

/* libuv's calls for files on the calling thread: no loop, no callback. Each
 * returns what the call does: negative: libuv's error. */
int64_t uvow__here_open(const char *path, int flags, int mode);
int64_t uvow__here_close(uv_file fd);
int64_t uvow__here_fsync(uv_file fd);
/* at -1: where the file stands. */
int64_t uvow__here_read(uv_file fd, char *room, size_t len, int64_t at);
int64_t uvow__here_write(uv_file fd, const char *ptr, size_t len);
/* All of it: 0, or an error. */
int64_t uvow__here_write_all(uv_file fd, uvow__slice_t slice);
/* From one to the other, as the system does it fastest. */
int64_t uvow__here_send(uv_file to, uv_file from, int64_t at, size_t len);
int64_t uvow__here_rename(const char *from, const char *to);
int64_t uvow__here_unlink(const char *path);
/* Where the file system has no permissions, 0: the file stays as it was made. */
int64_t uvow__here_chmod(uv_file fd, int mode);
int64_t uvow__here_stat(uv_file fd, uv_stat_t *ret);
/* The same of what is at a path. */
int64_t uvow__here_look(const char *path, uv_stat_t *ret);
/* The permissions of what is at the path; 0666: nothing is. */
int uvow__here_mode(const char *path);
/* The mode of what is at the path, if anything is, becomes the file's. */
int64_t uvow__here_keep_mode(uv_file fd, const char *path);

#endif
