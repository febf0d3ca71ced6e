/*
 * All of a stream at once, or into a sink: collect and pipe.
 *
 * 1. Each is a root, whose promise it is: it is settled when the stream has
 *    ended, or is rejected.
 * 2. A pipe reads only what its sink has room for: either the stream is asked,
 *    or the sink is PAUSED and will resume the pipe, never both.
 * 3. A pipe ends when what it has pushed is read: its sink's flush.
 */
#include "stream.h"

#include "fail.h"
#include "results.h"

typedef struct collect {
  uvow__task_t task;
  uvow_stream_t *stream;
  uvow_future_t *future;
  uvow__items_t items;
  size_t max;
  uint64_t missed; /* before any of them, and the end */
} collect_t;

static collect_t *collect_of(uvow_future_t *f) {
  return *(collect_t **)(void *)(f + 1);
}

/* Leaves the stream; then the future is to be settled. Returns the future, with
 * one reference. */
static uvow_future_t *collect_end(collect_t *collect) {
  uvow__runtime_t *rt = collect->stream->rt;
  uvow_stream_t *s = collect->stream;
  uvow_future_t *f = collect->future;
  uvow__item_t item;
  uvow__task_cancel(&collect->task);
  while (collect->items.count) {
    uvow__items_take(&collect->items, &item);
    uvow__value_release_later(rt, item.value);
  }
  uvow__items_done(&collect->items, &rt->mem);
  uvow__free(&rt->mem, collect);
  uvow__stream_leave(s);
  return f;
}

static void collect_fail(collect_t *collect, int code) {
  uvow_future_t *f = collect_end(collect);
  uvow__future_reject_code(f, code);
  uvow_future_unref(f);
}

static void reject_collect(uvow_future_t *f, int code) {
  collect_fail(collect_of(f), code);
}

/* The results, which say how many are missing: 0, or UVOW_ENOMEM. */
static int results_of(collect_t *collect, uvow_value_t *ret) {
  uvow__runtime_t *rt = collect->stream->rt;
  uvow_results_t *results = uvow__results_of_items(rt, &collect->items);
  if (!results)
    return UVOW_ENOMEM;
  *ret = uvow__results_value(results);
  if (collect->missed == 0 || uvow__mark_value(rt, ret, collect->missed) == 0)
    return 0;
  uvow_value_clear(ret);
  return UVOW_ENOMEM;
}

/* The stream has ended. */
static void collected(collect_t *collect) {
  uvow_future_t *end = uvow_future_ref(collect->stream->end);
  uvow_value_t value = uvow_value_none();
  int code = 0;
  uvow__stream_read(collect->stream);
  collect->missed =
      uvow__missed_add(collect->missed, uvow__mark_of(end)->missed);
  if (end->state == UVOW_FULFILLED)
    code = results_of(collect, &value);
  uint64_t missed = collect->missed;
  uvow_future_t *f = collect_end(collect);
  if (end->state == UVOW_REJECTED)
    uvow__future_reject(f, uvow__error_add_missed(&f->rt->mem,
                                                  uvow_error_ref(end->u.error),
                                                  missed));
  else if (code)
    uvow__future_reject(f, uvow__error_nomem());
  else
    uvow__future_fulfill(f, value);
  uvow_future_unref(end);
  uvow_future_unref(f);
}

/* Takes the item: 0, or an error. A gap is no result. */
static int add_item(collect_t *collect, uvow__item_t *item) {
  uvow__runtime_t *rt = collect->stream->rt;
  int code = 0;
  collect->missed = uvow__missed_add(collect->missed, item->missed);
  if (item->is_gap)
    return 0;
  if (collect->items.count >= collect->max)
    code = UVOW_ETOOBIG;
  if (code == 0)
    code = uvow__value_make_shared(rt, &item->value);
  if (code == 0)
    code = uvow__items_reserve(&collect->items, &rt->mem);
  if (code)
    uvow__value_release_later(rt, item->value);
  else
    uvow__items_append(&collect->items, item);
  return code;
}

static void run_collect(uvow__task_t *task) {
  collect_t *collect = UVOW__CONTAINER(task, collect_t, task);
  uvow__item_t item;
  int got = uvow__stream_take(collect->stream, &item);
  if (got == UVOW__STREAM_END) {
    collected(collect);
    return;
  }
  int code = got == UVOW__STREAM_ITEM ? add_item(collect, &item) : 0;
  if (code)
    collect_fail(collect, code);
  else
    uvow__stream_ask(collect->stream);
}

/* A root with its owner's tail, or NULL. */
static uvow_future_t *root_new(uvow__runtime_t *rt,
                               void (*reject)(uvow_future_t *f, int code)) {
  uvow_future_t *f =
      uvow__future_new(rt, 2, UVOW__BLOCK | UVOW__PROMISE | UVOW__OWNED);
  if (f)
    f->cb.reject = reject;
  return f;
}

uvow_future_t *uvow_stream_collect(uvow_stream_t *s, size_t max_items) {
  if (!s)
    return NULL;
  uvow__runtime_t *rt = s->rt;
  collect_t *collect = (collect_t *)uvow__calloc(&rt->mem, sizeof(*collect));
  uvow_future_t *f = collect ? root_new(rt, reject_collect) : NULL;
  if (!f) {
    uvow__free(&rt->mem, collect);
    uvow_stream_unref(s);
    return NULL;
  }
  *(collect_t **)(void *)(f + 1) = collect;
  uvow__task_init(&collect->task, run_collect);
  uvow__items_init(&collect->items);
  collect->future = f;
  collect->max = max_items;
  if (uvow__stream_claim(s, &collect->task)) {
    uvow__free(&rt->mem, collect);
    uvow_stream_unref(s);
    uvow__future_reject_code(f, UVOW_EBUSY);
    uvow_future_unref(f);
    return f;
  }
  collect->stream = s;
  uvow__stream_ask(s);
  return f;
}

/* pipe */

typedef struct pipe {
  uvow__task_t task;
  uvow_stream_t *from; /* its handle; NULL: it has ended */
  uvow_stream_t *to;   /* its sink; NULL: it's used up */
  uvow_future_t *end;  /* of `from`, once that is known */
  uvow_future_t *flushed;
} pipe_t;

_Static_assert(sizeof(pipe_t) <= UVOW__BLOCK_TAIL, "a tail holds it");

static pipe_t *pipe_of(uvow_future_t *f) {
  return (pipe_t *)(void *)(f + 1);
}

/* Leaves both; then the future is to be settled. Returns it, with one
 * reference. */
static uvow_future_t *pipe_end(pipe_t *pipe, int code) {
  uvow_future_t *f = (uvow_future_t *)(void *)pipe - 1;
  uvow_future_t *flushed = pipe->flushed;
  uvow_stream_t *from = pipe->from, *to = pipe->to;
  uvow__task_cancel(&pipe->task);
  pipe->from = pipe->to = NULL;
  pipe->flushed = NULL;
  uvow__stream_leave(from);
  if (to) {
    uvow__stream_pin(to);
    uvow__stream_fail_code(to, code);
    uvow__stream_sink_gone(to);
    uvow__stream_unpin(to);
  }
  uvow__future_drop(flushed);
  uvow_future_unref(pipe->end);
  pipe->end = NULL;
  return f;
}

static void reject_pipe(uvow_future_t *f, int code) {
  (void)pipe_end(pipe_of(f), UVOW_EBROKEN);
  uvow__future_reject_code(f, code);
  uvow_future_unref(f);
}

static void pipe_fail(pipe_t *pipe, int code) {
  uvow_future_t *f = pipe_end(pipe, UVOW_EBROKEN);
  uvow__future_reject_code(f, code);
  uvow_future_unref(f);
}

/* All is pushed, and read. */
static void pipe_flushed(pipe_t *pipe) {
  uvow_future_t *flushed = uvow_future_ref(pipe->flushed);
  uvow_future_t *end = uvow_future_ref(pipe->end);
  uvow_future_t *f = pipe_end(pipe, 0);
  if (flushed->state == UVOW_REJECTED)
    uvow__future_forward(f, flushed);
  else
    uvow__stream_forward_end(f, end);
  uvow_future_unref(flushed);
  uvow_future_unref(end);
  uvow_future_unref(f);
}

/* Nobody reads `to` any more: as it says, where it says why. */
static void pipe_refused(pipe_t *pipe) {
  if (pipe->flushed->state != UVOW_REJECTED) {
    pipe_fail(pipe, uvow__stream_ended_code(pipe->to));
    return;
  }
  uvow_future_t *flushed = uvow_future_ref(pipe->flushed);
  uvow_future_t *f = pipe_end(pipe, UVOW_EBROKEN);
  uvow__future_forward(f, flushed);
  uvow_future_unref(flushed);
  uvow_future_unref(f);
}

static void from_ended(pipe_t *pipe) {
  uvow_stream_t *to = pipe->to;
  pipe->end = uvow_future_ref(pipe->from->end);
  pipe->to = NULL;
  uvow__stream_read(pipe->from);
  uvow__stream_leave(pipe->from);
  pipe->from = NULL;
  uvow__future_watch(pipe->flushed, &pipe->task);
  uvow__stream_pin(to);
  uvow__stream_end_as(to, pipe->end);
  uvow__stream_sink_gone(to);
  uvow__stream_unpin(to);
}

static void run_pipe(uvow__task_t *task) {
  pipe_t *pipe = UVOW__CONTAINER(task, pipe_t, task);
  uvow__item_t item;
  if (!pipe->to) {
    pipe_flushed(pipe);
    return;
  }
  if (uvow__stream_ended(pipe->to)) {
    pipe_refused(pipe);
    return;
  }
  if (!uvow__stream_has_room(pipe->to)) {
    pipe->to->flags |= UVOW__STREAM_PAUSED;
    return;
  }
  int got = uvow__stream_take(pipe->from, &item);
  if (got == UVOW__STREAM_END) {
    from_ended(pipe);
    return;
  }
  int rc = 0;
  if (got == UVOW__STREAM_ITEM)
    rc = uvow__stream_put(pipe->to, &item);
  if (rc == 0)
    uvow__stream_ask(pipe->from);
  else if (rc < 0)
    pipe_fail(pipe, rc);
}

static void queue_pipe(uvow_stream_t *to) {
  pipe_t *pipe = pipe_of((uvow_future_t *)to->source);
  if (!uvow__task_queued(&pipe->task))
    uvow__stream_soon(to->rt, &pipe->task);
}

static void cancel_pipe(uvow_stream_t *to) {
  pipe_t *pipe = pipe_of((uvow_future_t *)to->source);
  if (!pipe->to)
    return; /* it has ended it */
  uvow__stream_unask(pipe->from);
  queue_pipe(to);
}

static const uvow__source_ops_t pipe_ops = {queue_pipe, cancel_pipe};

/* Takes both, and settles the future: they can't be piped. */
static uvow_future_t *pipe_refuse(uvow_future_t *f, uvow_stream_t *from,
                                  uvow_sink_t *sink, int code) {
  uvow_stream_unref(from);
  uvow_sink_drop(sink);
  if (!f)
    return NULL;
  uvow__future_reject_code(f, code);
  uvow_future_unref(f);
  return f;
}

uvow_future_t *uvow_stream_pipe(uvow_stream_t *from, uvow_sink_t *sink) {
  uvow_stream_t *to = (uvow_stream_t *)(void *)sink;
  if (!from || !to || !(to->flags & UVOW__SINK_OUT)) {
    if (from && to)
      uvow__fail(uvow__runtime_loop(from->rt), UVOW_EINVAL, "sink",
                 "must not be used up");
    return pipe_refuse(NULL, from, sink, 0);
  }
  uvow_future_t *flushed = uvow_sink_flushed(sink);
  uvow_future_t *f = flushed ? root_new(from->rt, reject_pipe) : NULL;
  if (!f) {
    uvow__future_drop(flushed);
    return pipe_refuse(NULL, from, sink, 0);
  }
  pipe_t *pipe = pipe_of(f);
  uvow__task_init(&pipe->task, run_pipe);
  int code = from->rt == to->rt ? 0 : UVOW_EINVAL;
  if (code == 0)
    code = uvow__stream_claim(from, &pipe->task);
  if (code) {
    uvow__future_drop(flushed);
    return pipe_refuse(f, from, sink, code);
  }
  pipe->from = from;
  pipe->to = to;
  pipe->end = NULL;
  pipe->flushed = flushed;
  uvow__sink_take(to, &pipe_ops);
  to->source = f;
  uvow__runtime_push(from->rt, &pipe->task);
  return f;
}
