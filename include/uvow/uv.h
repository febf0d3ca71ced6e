#ifndef UVOW_UV_H
#define UVOW_UV_H

/**
 * @file uv.h
 * What libuv does, as futures: files, work on other threads, names, processes.
 * Asked for by name: uvow.h doesn't include it, as it needs <uv.h>.
 *
 * Each call returns a new future, or NULL: no memory, or the loop is NULL or
 * closed. What fails is the future's error: libuv's code, and the call and the
 * path or name in its message ("open /etc/motd: no such file or directory").
 * Arguments that can't be are UVOW_EINVAL. A cancel is uv_cancel: what still
 * waits for a thread isn't done, what is done already has no effect on the
 * future, and what comes too late (an open file) is closed.
 *
 * Everything here is for the loop's thread. As libuv, it holds the loop while
 * something is under way.
 */

#include <uv.h>

#include "loop.h"

#ifdef __cplusplus
extern "C" {
#endif

/** An open file, counted: closed with its last owner. */
typedef struct uvow_file uvow_file_t;
/** A uvow_file_t. */
extern UVOW_API const uvow_type_t uvow_type_file;
/** A uv_stat_t. */
extern UVOW_API const uvow_type_t uvow_type_stat;

/* Files, whole. Paths are copied. */

/**
 * A future of a file's bytes (uvow_result_bytes). Larger than max_bytes:
 * UVOW_ETOOBIG; SIZE_MAX: what memory allows. Since 0.2.
 */
UVOW_API uvow_future_t *uvow_fs_read_file(uvow_loop_t *loop, const char *path,
                                          size_t max_bytes);
/**
 * Writes a file at once or not at all: a temporary one beside it, which is
 * written, synchronized with the disk, given the mode of what was there, and
 * renamed. A symbolic link is replaced. What fails, or is canceled before the
 * rename, leaves nothing behind.
 *
 * Takes the value: bytes or text, else UVOW_ETYPE. A future (no value).
 * Since 0.2.
 */
UVOW_API uvow_future_t *uvow_fs_write_file(uvow_loop_t *loop, const char *path,
                                           uvow_value_t bytes);
/** Copies a file, as uv_fs_copyfile; replaces what is there. A future (no
 * value). Since 0.2. */
UVOW_API uvow_future_t *uvow_fs_copy(uvow_loop_t *loop, const char *from,
                                     const char *to);

/* Files, call by call: uv_fs_* of that name. */

/** A future of a uvow_file_t. Since 0.2. */
UVOW_API uvow_future_t *uvow_fs_open(uvow_loop_t *loop, const char *path,
                                     int flags, int mode);
/** The file in a result: borrowed (uvow_file_ref keeps it), or NULL. */
UVOW_API uvow_file_t *uvow_result_file(const uvow_result_t *result);
/** One more owner. Returns its argument; accepts NULL. */
UVOW_API uvow_file_t *uvow_file_ref(uvow_file_t *file);
/** One owner less; the last one closes it, on another thread while the loop is
 * open. Accepts NULL. */
UVOW_API void uvow_file_unref(uvow_file_t *file);
/** A future of bytes; fewer than len, or none, at the end. offset -1: the
 * file's own. Keeps the file; NULL is NULL. Since 0.2. */
UVOW_API uvow_future_t *uvow_fs_read(uvow_file_t *file, size_t len,
                                     int64_t offset);
/** Writes all of the value's bytes, in as many calls as that takes. Takes the
 * value (bytes or text, else UVOW_ETYPE), keeps the file. A future (no value).
 * Since 0.2. */
UVOW_API uvow_future_t *uvow_fs_write(uvow_file_t *file, uvow_value_t bytes,
                                      int64_t offset);
/** A future (no value) of the file being on the disk. Keeps the file. */
UVOW_API uvow_future_t *uvow_fs_fsync(uvow_file_t *file);
/** A future of a uv_stat_t (uvow_type_stat: uvow_value_get_ptr). */
UVOW_API uvow_future_t *uvow_fs_stat(uvow_loop_t *loop, const char *path);
/** Removes a file. A future (no value). */
UVOW_API uvow_future_t *uvow_fs_unlink(uvow_loop_t *loop, const char *path);
/** Renames, replacing what is there. A future (no value). */
UVOW_API uvow_future_t *uvow_fs_rename(uvow_loop_t *loop, const char *from,
                                       const char *to);
/** Makes a directory. A future (no value). */
UVOW_API uvow_future_t *uvow_fs_mkdir(uvow_loop_t *loop, const char *path,
                                      int mode);
/** Removes an empty directory. A future (no value). */
UVOW_API uvow_future_t *uvow_fs_rmdir(uvow_loop_t *loop, const char *path);

/* Threads. */

/** Runs on libuv's pool: touches nothing of uvow's but values that own nothing,
 * or types of its own. */
typedef uvow_value_t (*uvow_work_cb)(void *data);
/**
 * A future of what work returns, run on another thread. Keeps work and data.
 *
 * Canceled while it waits, it isn't run; while it runs, its value is released
 * when it comes, from the task queue. The loop that closes waits for it.
 * Since 0.2. Source: uv_queue_work.
 */
UVOW_API uvow_future_t *uvow_work(uvow_loop_t *loop, uvow_work_cb work,
                                  void *data);

/* Names. */

/** A future of a host's addresses, each once, in the system's order:
 * uvow_results_t (see combine.h) of bytes, as "127.0.0.1" (uvow_result_bytes).
 * Since 0.2. Source: uv_getaddrinfo. */
UVOW_API uvow_future_t *uvow_resolve(uvow_loop_t *loop, const char *host);

/* Processes. */

/** A child, counted. */
typedef struct uvow_process uvow_process_t;

/** What to run. Everything is copied. */
typedef struct uvow_process_options {
  /** Required. sizeof(uvow_process_options_t). */
  size_t size;
  /** Required. args[0] is looked up in PATH; NULL-terminated. */
  const char *const *args;
  /** Optional, default: ours. NULL-terminated. */
  const char *const *env;
  /** Optional, default: ours. */
  const char *cwd;
  /** Optional, default 2000 ms: between SIGTERM and SIGKILL. */
  uint32_t grace_ms;
  uint32_t reserved;
} uvow_process_options_t;

/**
 * Runs a program. Its stdin is empty; stdout and stderr are ours. It runs on
 * whoever owns it, and whatever is canceled, also when the loop is closed.
 *
 * Returns new in ret_process. Errors: UVOW_EINVAL: no args, or options of
 * another size; UVOW_ECLOSED; UVOW_ENOMEM; libuv's codes (UV_ENOENT: no such
 * program). Since 0.2.
 */
UVOW_API int uvow_spawn(uvow_loop_t *loop,
                        const uvow_process_options_t *options,
                        uvow_process_t **ret_process);
/** Its number, as long as it hasn't ended. Borrows. */
UVOW_API int uvow_process_pid(const uvow_process_t *process);
/** A future of its exit status (an int64; 128 + signal), also if it has ended.
 * Each is its own: canceled, nothing happens to the child. Borrows.
 * Since 0.2. */
UVOW_API uvow_future_t *uvow_process_exit(uvow_process_t *process);
/** Asks it to go: SIGTERM, and SIGKILL after grace_ms. As uvow_process_exit: a
 * cancel withdraws nothing. Since 0.2. */
UVOW_API uvow_future_t *uvow_process_close(uvow_process_t *process);
/** Sends a signal. Errors: libuv's; UV_ESRCH: it has ended. Since 0.2. */
UVOW_API int uvow_process_kill(uvow_process_t *process, int signum);
/** One more owner. Returns its argument; accepts NULL. */
UVOW_API uvow_process_t *uvow_process_ref(uvow_process_t *process);
/** One owner less; the last one lets it run. Accepts NULL. */
UVOW_API void uvow_process_unref(uvow_process_t *process);

#ifdef __cplusplus
}
#endif

#endif
