#ifndef UVOW__READER_H
#define UVOW__READER_H

#include "origin.h"

/*
 * An origin whose items come by libuv's requests for files, one after another: a
 * file's bytes, a directory's entries.
 */
typedef struct uvow__reader uvow__reader_t;

typedef struct uvow__reader_ops {
  const char *open_call; /* for errors */
  const char *read_call;
  /* It's open: keeps what req brought. */
  void (*opened)(uvow__reader_t *reader, const uv_fs_t *req);
  /* Begins the next request, with uvow__reader_on_read. Returns libuv's. */
  int (*read)(uvow__reader_t *reader);
  /* A request is done: cleans it up and puts what it brought, or ends the
   * stream. Returns whether another is wanted. */
  int (*take)(uvow__reader_t *reader, int64_t result);
  /* There's room again: puts the rest. Returns as take. May be NULL: there's
   * never a rest. */
  int (*put_rest)(uvow__reader_t *reader);
  /* Lets go of what it holds, and begins to close it, with
   * uvow__reader_on_closed. Returns 0; else there's nothing to close. */
  int (*close)(uvow__reader_t *reader);
} uvow__reader_ops_t;

struct uvow__reader {
  uvow__origin_t origin; /* first */
  const uvow__reader_ops_t *ops;
  uv_fs_t req;
  uvow__task_t task;
  int is_open;
  int busy;   /* a request is under way */
  int giving; /* what one brought is being put */
};

/* One of `size` bytes, zeroed behind the common part, and its stream. Copies
 * name. NULL: no memory, or the loop is closed. */
uvow__reader_t *uvow__reader_new(uvow_loop_t *loop, size_t size,
                                 const uvow__reader_ops_t *ops,
                                 const uvow_stream_options_t *bounds,
                                 const char *name);
/* What the call that opens it returned, with uvow__reader_on_opened as its
 * callback: an error fails the stream. Returns the stream. */
uvow_stream_t *uvow__reader_begun(uvow__reader_t *reader, int rc);
/* It's open as it is: reads. Returns the stream. */
uvow_stream_t *uvow__reader_is_open(uvow__reader_t *reader);

/* libuv's callbacks. */
void uvow__reader_on_opened(uv_fs_t *req);
void uvow__reader_on_read(uv_fs_t *req);
void uvow__reader_on_closed(uv_fs_t *req);

#endif
