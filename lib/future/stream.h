#ifndef UVOW__STREAM_H
#define UVOW__STREAM_H

#include <uvow/stream.h>

#include "gate.h"
#include "stream_items.h"

/*
 * What makes items: a sink that the application has (no ops), a stage over
 * another stream, a socket. Both calls come on the spot, from any place of the
 * stream's: they queue a task, or set a flag, and touch no stream.
 */
typedef struct uvow__source_ops {
  /* There's room again after uvow__stream_put said 1, or a lazy stream is asked
   * for its first item. May be NULL. */
  void (*resume)(uvow_stream_t *stream);
  /* Nobody can read any more, or it has failed. The source calls
   * uvow__stream_sink_gone when it has ended, now or later. */
  void (*cancel)(uvow_stream_t *stream);
} uvow__source_ops_t;

enum {
  UVOW__SINK_OUT = 1,      /* its source hasn't ended */
  UVOW__STREAM_GONE = 2,   /* nobody can read it */
  UVOW__STREAM_PAUSED = 4, /* its source waits for resume */
  UVOW__STREAM_LAZY = 8,   /* has room only for what is asked for */
  UVOW__STREAM_ASKED = 16  /* its reader wants to be told */
};

/* What the owner of a sink is told, from the task queue. */
typedef struct uvow__told {
  uvow__task_t task;
  uvow_cancel_cb cb;
  void *data;
  uvow_destroy_cb destroy;
} uvow__told_t;

struct uvow_stream {
  uvow__runtime_t *rt;
  const uvow__source_ops_t *ops; /* NULL: a sink of the application's */
  void *source;                  /* for ops */
  uvow_future_t *end;            /* pending until it has ended; a mark */
  uvow__task_t *reader;          /* of who reads it alone; NULL: nobody */
  uint32_t flags;
  uint32_t pins;  /* what may not lose its memory now */
  size_t handles; /* a reader has one of them */
  uvow_stream_options_t bounds;
  uint64_t lost; /* before the next item that comes */
  uvow__items_t items;
  uvow__list_t nexts;  /* of the tails of futures that wait */
  uvow__list_t copies; /* of the streams that uvow_stream_tee made of it */
  uvow__list_t link;   /* in the copies of the one that it is a copy of */
  uvow__gate_t room;
  uvow__gate_t flushed;
  uvow__gate_t closed;
  uvow__task_t tidy; /* releases what waited */
  uvow__told_t told;
};

/* The tail of an end, and of an item's future that says more than its value. */
typedef struct uvow__mark {
  uvow_stream_t *stream; /* of an end that is pending */
  uint64_t missed;
} uvow__mark_t;

/* Rejects all who wait at a gate. */
static inline void uvow__gate_fail_code(uvow__gate_t *gate, int code) {
  uvow_error_t *error;
  if (!uvow__gate_awaited(gate))
    return;
  error = uvow__error_code(&gate->rt->mem, code, UVOW_OUTCOME_NONE);
  uvow__gate_fail(gate, error);
  uvow_error_unref(error);
}

enum { UVOW__MARK_ITEM = 1, UVOW__MARK_END = 2 };

static inline uvow__mark_t *uvow__mark_of(const uvow_future_t *f) {
  return (uvow__mark_t *)(void *)(uintptr_t)(f + 1);
}

/* A pending future that says `missed`; one owner. NULL: no memory. */
uvow_future_t *uvow__mark_new(uvow__runtime_t *rt, unsigned flags, int mark,
                              uint64_t missed);

/* The value says that as many are missing: 0, or UVOW_ENOMEM, and it is as it
 * was. */
int uvow__mark_value(uvow__runtime_t *rt, uvow_value_t *value, uint64_t missed);

/* Settles a future, which was waiting, as a stream has ended; what is missing
 * before the end is said of it, too. */
void uvow__stream_forward_end(uvow_future_t *f, uvow_future_t *end);

/* Queues a task, or runs it where no queue runs any more. */
void uvow__stream_soon(uvow__runtime_t *rt, uvow__task_t *task);

/* Making one. `size` bytes, which begin with the stream; the rest is 0. Its
 * source is out, and it has one handle. Options NULL: lazy. NULL: no memory,
 * or the loop is closed. */
uvow_stream_t *uvow__stream_new(uvow__runtime_t *rt, size_t size,
                                const uvow__source_ops_t *ops,
                                const uvow_stream_options_t *options);
/* One that has failed. */
uvow_stream_t *uvow__stream_failed(uvow__runtime_t *rt, int code);

/* The source's side. */

/* Adds an item, which it takes. Returns 0; 1: wait for resume; or an error, as
 * uvow_sink_push. */
int uvow__stream_put(uvow_stream_t *stream, const uvow__item_t *item);
static inline int uvow__stream_put_value(uvow_stream_t *stream,
                                         uvow_value_t value) {
  uvow__item_t item = {value, 0, 0};
  return uvow__stream_put(stream, &item);
}
/* As many are missing before what comes next. */
void uvow__stream_gap(uvow_stream_t *stream, uint64_t missed);
/* Whether a put would be taken and is wanted. */
int uvow__stream_has_room(const uvow_stream_t *stream);
/* Ends it behind what waits; only the first end counts. Takes what it's given.
 */
void uvow__stream_end(uvow_stream_t *stream, uvow_value_t value);
void uvow__stream_fail(uvow_stream_t *stream, uvow_error_t *error);
void uvow__stream_fail_code(uvow_stream_t *stream, int code);
/* As another ended. Borrows its end. */
void uvow__stream_end_as(uvow_stream_t *stream, uvow_future_t *end);
/* The source has ended; it touches the stream no more. */
void uvow__stream_sink_gone(uvow_stream_t *stream);
/* Another source: that of a sink which is given away. */
void uvow__sink_take(uvow_stream_t *stream, const uvow__source_ops_t *ops);

/* The reader's side: one that reads alone. */

enum { UVOW__STREAM_NONE, UVOW__STREAM_ITEM, UVOW__STREAM_END };

/* The task becomes the reader: 0, or UVOW_EBUSY. The handle is its own then. */
int uvow__stream_claim(uvow_stream_t *stream, uvow__task_t *task);
/* The reader has read all, and what it did with it is done. */
void uvow__stream_read(uvow_stream_t *stream);
/* The reader leaves, and with it its handle. Accepts NULL. */
void uvow__stream_leave(uvow_stream_t *stream);
/* As leave; 0: the source ends later, which the task is told then, and then
 * it leaves; 1: it has left. */
int uvow__stream_leave_slowly(uvow_stream_t *stream);

/* The reader doesn't want to be told any more. */
static inline void uvow__stream_unask(uvow_stream_t *stream) {
  stream->flags &= ~(uint32_t)UVOW__STREAM_ASKED;
}

/* A future of the end; items are released. Takes the stream. */
uvow_future_t *uvow__stream_drain(uvow_stream_t *stream);

/* A callback's answer "follow this stream" becomes "follow this future". */
void uvow__next_plain(uvow_next_t *next);

/* For other files of the stream's. */
void uvow__stream_pin(uvow_stream_t *stream);
void uvow__stream_unpin(uvow_stream_t *stream);
void uvow__stream_wake(uvow_stream_t *stream);
void uvow__stream_resume(uvow_stream_t *stream);
/* What a push says once it has ended. */
int uvow__stream_ended_code(const uvow_stream_t *stream);
/* Lets go if nobody can read it. */
void uvow__stream_check(uvow_stream_t *stream);
/* Lets go, whoever reads it. */
void uvow__stream_let_go(uvow_stream_t *stream, int code);
/* Gives items and the end to those who wait for a next. */
void uvow__stream_settle_nexts(uvow_stream_t *stream);
/* Tells the owner of a sink that nobody reads; or nothing, as it is used up. */
void uvow__told_cancel(uvow_stream_t *stream);
void uvow__told_withdraw(uvow_stream_t *stream);
void uvow__told_init(uvow_stream_t *stream);

static inline int uvow__stream_ended(const uvow_stream_t *stream) {
  return stream->end->state != UVOW_PENDING;
}
/* Whether a read brings something at once. */
static inline int uvow__stream_ready(const uvow_stream_t *stream) {
  if (stream->items.count && !(stream->flags & UVOW__STREAM_GONE))
    return 1;
  return uvow__stream_ended(stream);
}

/* The reader's task may be queued for another reason. */
static inline void uvow__stream_push_reader(uvow_stream_t *stream) {
  if (!uvow__task_queued(stream->reader))
    uvow__runtime_push(stream->rt, stream->reader);
}

/* The reader's task will run when there's an item or the end. Inline, as what
 * follows: they are an item's way. */
static inline void uvow__stream_ask(uvow_stream_t *stream) {
  if (uvow__stream_ready(stream)) {
    uvow__stream_push_reader(stream);
    return;
  }
  stream->flags |= UVOW__STREAM_ASKED;
  if (stream->flags & UVOW__STREAM_PAUSED)
    uvow__stream_resume(stream);
}

/* Takes the first item: its value is the caller's. At the end: see
 * stream->end. */
static inline int uvow__stream_take(uvow_stream_t *stream, uvow__item_t *ret) {
  if (stream->items.count && !(stream->flags & UVOW__STREAM_GONE)) {
    uvow__items_take(&stream->items, ret);
    if (stream->flags & UVOW__STREAM_PAUSED)
      uvow__stream_resume(stream);
    return UVOW__STREAM_ITEM;
  }
  return uvow__stream_ended(stream) ? UVOW__STREAM_END : UVOW__STREAM_NONE;
}

#endif
