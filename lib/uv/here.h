#ifndef UVOW__HERE_H
#define UVOW__HERE_H

#include <uv.h>

/* libuv's calls for files on the calling thread: no loop, no callback. Each
 * returns what the call does: negative: libuv's error. */
int64_t uvow__here_open(const char *path, int flags, int mode);
int64_t uvow__here_close(uv_file fd);
int64_t uvow__here_fsync(uv_file fd);
int64_t uvow__here_read(uv_file fd, char *room, size_t len);
int64_t uvow__here_write(uv_file fd, const char *ptr, size_t len);
int64_t uvow__here_rename(const char *from, const char *to);
int64_t uvow__here_unlink(const char *path);
/* Its size; 0: nobody knows. */
size_t uvow__here_size(uv_file fd);
/* The mode of what is at the path, if anything is, becomes the file's. */
int64_t uvow__here_keep_mode(uv_file fd, const char *path);

#endif
