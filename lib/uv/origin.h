#ifndef UVOW__ORIGIN_H
#define UVOW__ORIGIN_H

#include <uv.h>

#include "future/bytes.h"
#include "future/stream.h"
#include "net/loop.h"

/*
 * Where a stream's items come from, if that isn't a flow: a signal's handle, a
 * directory's reader, a listening socket. It begins with what is common.
 */
typedef struct uvow__origin uvow__origin_t;

/* All run on the spot: they queue a task or call libuv, and touch no stream. */
typedef struct uvow__origin_ops {
  void (*resume)(uvow__origin_t *origin); /* there's room; may be NULL */
  /* Once: nobody reads, it has failed, or the loop closes. uvow__origin_gone
   * follows, later. */
  void (*stop)(uvow__origin_t *origin);
  /* The loop closes, and it was stopped before; may be NULL. */
  void (*on_loop_close)(uvow__origin_t *origin);
} uvow__origin_ops_t;

struct uvow__origin {
  uvow__resident_t resident;
  const uvow__origin_ops_t *ops;
  uvow_loop_t *loop;
  uvow_stream_t *stream;
  char *name; /* for errors; of its own */
  int stopped;
};

/* Makes one of `size` bytes, zeroed behind the common part, and its stream.
 * Options NULL: lazy. Copies name. NULL: no memory, or the loop is closed. */
uvow__origin_t *uvow__origin_new(uvow_loop_t *loop, size_t size,
                                 const uvow__origin_ops_t *ops,
                                 const uvow_stream_options_t *options,
                                 const char *name);
/* What this stream comes from, if it is of these ops; or NULL. */
uvow__origin_t *uvow__origin_of(const uvow_stream_t *stream,
                                const uvow__origin_ops_t *ops);
/* Its source has ended: frees it. */
void uvow__origin_gone(uvow__origin_t *origin);
/* The same, as libuv's callback of a handle whose data it is. */
void uvow__origin_on_closed(uv_handle_t *handle);

/* Adds an item, which it takes: as uvow__stream_put, and fails if there's no
 * memory. */
int uvow__origin_put(uvow__origin_t *origin, uvow_value_t value);
/* The same with a name, and what uvow_result_kind says of it. */
int uvow__origin_put_name(uvow__origin_t *origin, const char *name, int kind);
/* The stream ends, or fails with "what name: why"; then it stops. */
void uvow__origin_end(uvow__origin_t *origin);
void uvow__origin_fail(uvow__origin_t *origin, const char *what, int code);

/* Who reads a sink's stream leaves it, and with it its handle; code 0: as it has
 * done all; else who waits for its flush gets "what name: why". */
void uvow__origin_leave(uvow_stream_t *out, int code, const char *what,
                        const char *name);

#endif
