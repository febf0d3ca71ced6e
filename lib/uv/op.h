#ifndef UVOW__OP_H
#define UVOW__OP_H

#include <uv.h>

#include <uvow/uv.h>

#include "future/bytes.h"
#include "future/future.h"
#include "net/loop.h"

/*
 * One of libuv's requests, and the future that it settles. Taken from a pool of
 * the loop's, so that a call costs no malloc once the pool is warm.
 */
typedef struct uvow__op uvow__op_t;

struct uvow__op {
  uvow__list_t link; /* of the loop's */
  uvow__task_t task; /* releases what is the application's */
  struct uvow__ops *all;
  uvow_future_t *future; /* owned; NULL: nobody waits any more */
  /* libuv is done with it: settles and frees, or goes on. Its result is
   * negative if it failed. */
  void (*end)(uvow__op_t *op, int64_t result);
  const char *what;        /* the call's name, for errors */
  uvow_file_t *file;       /* owned */
  uvow_value_t value;      /* owned: what is written, what work returned */
  uvow__bytes_t *bytes;    /* owned: what is read */
  char *path;              /* owned; where libuv doesn't keep it */
  uvow_destroy_cb destroy; /* of a work's data; NULL: none */
  union {
    struct {
      uvow_work_cb cb;
      void *data;
      int done; /* it ran */
    } work;
    struct {
      size_t at; /* how much is written */
      size_t len;
      int64_t offset;
    } write;
    struct {
      size_t max;
      size_t size;        /* of the file; known when it didn't fit */
      const char *target; /* in path, behind the temporary one's */
      const char *about;  /* in path: whom an error names */
      int64_t result;     /* of the thread's work */
    } whole;
    uvow_file_t *from; /* owned: of sendfile */
  } u;
  int refused;  /* what libuv said as it was to begin */
  int unwanted; /* under the lock: canceled */
  union {
    uv_req_t any;
    uv_fs_t fs;
    uv_work_t work;
    uv_getaddrinfo_t name;
    uv_getnameinfo_t address;
    uv_random_t random;
  } req;
};

/* The ops of a loop, from its first one to its end. */
typedef struct uvow__ops {
  uvow__resident_t resident;
  uvow_loop_t *loop;
  uvow__list_t live;  /* of uvow__op_t */
  uvow__list_t files; /* of uvow_file_t: which learn that the loop has gone */
  uvow__list_t processes;
  size_t handles; /* open ones */
  uvow__pool_t pool;
  uvow__shelf_t *reads; /* what uvow_fs_read reads into */
  uv_mutex_t lock;      /* guards each op's `unwanted` */
  int closing;          /* goes with the last of them */
} uvow__ops_t;

/* Those of the loop, found or made. NULL: no memory, or closed. */
uvow__ops_t *uvow__ops_of(uvow_loop_t *loop);
/* After something has gone: with a closing loop's last, all goes. */
void uvow__ops_maybe_close(uvow__ops_t *all);
/* An open loop's files and processes are told of its end. */
void uvow__files_detach(uvow__ops_t *all);
void uvow__processes_detach(uvow__ops_t *all);

/* A request with a future, new, in ret_future. NULL: no memory, or closed. */
uvow__op_t *uvow__op_new(uvow_loop_t *loop, const char *what,
                         void (*end)(uvow__op_t *op, int64_t result),
                         uvow_future_t **ret_future);
/* One without a future. */
uvow__op_t *uvow__op_new_silent(uvow__ops_t *all, const char *what,
                                void (*end)(uvow__op_t *op, int64_t result));
static inline uv_loop_t *uvow__op_uv(const uvow__op_t *op) {
  return op->all->loop->uv;
}
static inline uvow__runtime_t *uvow__op_rt(const uvow__op_t *op) {
  return &op->all->loop->rt;
}

/* libuv's callback of a uv_fs_t. */
void uvow__op_on_fs(uv_fs_t *req);
/* What a call to libuv returned as it began: if it failed, the op ends with
 * it, later and as if it had begun. */
void uvow__op_refuse(uvow__op_t *op, int rc);
static inline void uvow__op_begun(uvow__op_t *op, int rc) {
  if (rc)
    uvow__op_refuse(op, rc);
}

/* Each settles the future, if somebody waits, and frees the op. path: for the
 * error's message; NULL: none. */
void uvow__op_fulfill(uvow__op_t *op, uvow_value_t value);
void uvow__op_fail(uvow__op_t *op, int code, const char *path);
/* The most ordinary one: no value, or libuv's error with the request's own
 * path. */
void uvow__op_end_plain(uvow__op_t *op, int64_t result);

/* What it's about, for errors; NULL: nothing. */
const char *uvow__op_path(const uvow__op_t *op);

/* An error of libuv's, "what path: why"; path may be NULL. Returns new, never
 * NULL. */
uvow_error_t *uvow__op_error(const uvow__mem_t *mem, const char *what, int code,
                             const char *path);
/* A future that is rejected as an argument is NULL that mustn't be. */
uvow_future_t *uvow__op_invalid(uvow_loop_t *loop, const char *argument);
/* A future that is rejected with the op's error. */
uvow_future_t *uvow__op_refused(uvow_loop_t *loop, const char *what, int code);

/* file.c: NULL: it's closed, or there's no file. */
uvow_loop_t *uvow__file_loop(const uvow_file_t *file);
/* stat.c: the end of a request for a uv_stat_t, a uv_statfs_t. */
void uvow__op_end_stat(uvow__op_t *op, int64_t result);
void uvow__op_end_statfs(uvow__op_t *op, int64_t result);
/* A uv_stat_t as a value, which is copied. UVOW_ENOMEM. */
int uvow__stat_value(uvow__runtime_t *rt, const uv_stat_t *stat,
                     uvow_value_t *ret);

#endif
