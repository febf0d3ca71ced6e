/*
 * The write side. A sink is its stream's address; the flag says that it is out.
 *
 * 1. Its owner is told of a cancel from the task queue, once, and no more once
 *    the sink is used up; data is released by the same task.
 * 2. A sink that is given away (to a pipe, a framing) gets another source; its
 *    former owner isn't told any more.
 */
#include "stream.h"

#include "bytes.h"
#include "fail.h"

static uvow_stream_t *stream_of(uvow_sink_t *sink) {
  uvow_stream_t *s = (uvow_stream_t *)(void *)sink;
  return s && (s->flags & UVOW__SINK_OUT) ? s : NULL;
}

static void run_told(uvow__task_t *task) {
  uvow_stream_t *s = UVOW__CONTAINER(task, uvow_stream_t, told.task);
  uvow_cancel_cb cb = s->told.cb;
  uvow_destroy_cb destroy = s->told.destroy;
  void *data = s->told.data;
  s->told.cb = NULL;
  s->told.destroy = NULL;
  uvow__stream_pin(s);
  if (cb)
    cb(data);
  if (destroy)
    destroy(data);
  uvow__stream_unpin(s);
}

void uvow__told_init(uvow_stream_t *s) {
  uvow__task_init(&s->told.task, run_told);
}

static void queue_told(uvow_stream_t *s) {
  if (!uvow__task_queued(&s->told.task))
    uvow__stream_soon(s->rt, &s->told.task);
}

void uvow__told_cancel(uvow_stream_t *s) {
  if (s->told.cb)
    queue_told(s);
}

void uvow__told_withdraw(uvow_stream_t *s) {
  s->told.cb = NULL;
  if (s->told.destroy)
    queue_told(s);
  else
    uvow__task_cancel(&s->told.task);
}

uvow_stream_t *uvow_stream_new(uvow_loop_t *loop,
                               const uvow_stream_options_t *options,
                               uvow_sink_t **ret_sink) {
  uvow_stream_options_t own;
  uvow_stream_t *s = NULL;
  if (!ret_sink)
    return (uvow_stream_t *)uvow__refuse(loop, UVOW_EINVAL, "ret_sink",
                                         uvow__fail_null);
  options = UVOW__OPTIONS(loop, options, &own, uvow_stream_options_t);
  if (options && (unsigned)options->full > (unsigned)UVOW_FULL_FAIL)
    uvow__fail_number(loop, UVOW_EINVAL, "options.full",
                      (unsigned)options->full, "it must be a uvow_full_t");
  else if (options && loop)
    s = uvow__stream_new(uvow__runtime_of(loop), sizeof(*s), NULL, options);
  *ret_sink = (uvow_sink_t *)(void *)s;
  return s;
}

/* Whether an item only has to be appended: most are. */
static inline int is_simple(const uvow_stream_t *s, const uvow_value_t *value) {
  size_t count = s->items.count;
  return count < s->items.cap && count + 1 < s->bounds.max_items &&
         s->items.bytes < s->bounds.max_bytes &&
         (s->flags & (UVOW__SINK_OUT | UVOW__STREAM_LAZY)) == UVOW__SINK_OUT &&
         s->handles && !s->lost && uvow__list_empty(&s->nexts) &&
         uvow__list_empty(&s->copies) && !uvow__stream_ended(s) &&
         (!value->type ||
          (!value->type->destroy && value->type->size == sizeof(uvow_type_t) &&
           value->type != &uvow_type_slice));
}

static const char *refusal(int code) {
  switch (code) {
  case UVOW_EOVERLOAD:
    return "is full: wait for uvow_sink_room";
  case UVOW_ECANCELED:
    return "is read by nobody any more";
  case UVOW_ECLOSED:
    return "has ended";
  default:
    return NULL;
  }
}

static int push_slowly(uvow_stream_t *s, uvow_value_t value) {
  if (uvow__value_hold(s->rt, &value))
    return UVOW_ENOMEM;
  uvow__runtime_t *rt = s->rt;
  uvow__stream_pin(s);
  int code = uvow__stream_put_value(s, value);
  if (code < 0)
    uvow__fail(uvow__runtime_loop(rt), code, "the stream", refusal(code));
  uvow__stream_unpin(s);
  return code;
}

int uvow_sink_push(uvow_sink_t *sink, uvow_value_t value) {
  uvow_stream_t *s = stream_of(sink);
  if (s && is_simple(s, &value)) {
    uvow__item_t *at = uvow__items_at(&s->items, s->items.count++);
    uvow__value_copy(&at->value, &value);
    at->missed = 0;
    at->is_gap = 0;
    if (s->flags & UVOW__STREAM_ASKED) {
      uvow__stream_unask(s);
      uvow__stream_push_reader(s);
    }
    return 0;
  }
  if (s)
    return push_slowly(s, value);
  uvow_value_clear(&value);
  return UVOW_EINVAL;
}

uvow_future_t *uvow_sink_room(uvow_sink_t *sink) {
  uvow_stream_t *s = stream_of(sink);
  if (!s)
    return NULL;
  uvow_future_t *f = uvow__gate_wait(&s->room);
  if (f && uvow__stream_ended(s)) {
    int code = uvow__stream_ended_code(s);
    uvow__gate_fail_code(&s->room, code);
  } else if (f && uvow__stream_has_room(s)) {
    uvow__gate_pass(&s->room);
  } else {
    s->flags |= UVOW__STREAM_PAUSED;
  }
  return f;
}

void uvow_sink_end_value(uvow_sink_t *sink, uvow_value_t value) {
  uvow_stream_t *s = stream_of(sink);
  if (!s) {
    uvow_value_clear(&value);
    return;
  }
  uvow__stream_pin(s);
  uvow__stream_end(s, value);
  uvow__stream_sink_gone(s);
  uvow__stream_unpin(s);
}

void uvow_sink_end(uvow_sink_t *sink) {
  uvow_sink_end_value(sink, uvow_value_none());
}

void uvow_sink_fail(uvow_sink_t *sink, uvow_error_t *error) {
  uvow_stream_t *s = stream_of(sink);
  if (!s) {
    uvow_error_unref(error);
    return;
  }
  uvow__stream_pin(s);
  uvow__stream_fail(s, error);
  uvow__stream_sink_gone(s);
  uvow__stream_unpin(s);
}

void uvow_sink_drop(uvow_sink_t *sink) {
  uvow_stream_t *s = stream_of(sink);
  if (s)
    uvow_sink_fail(
        sink, uvow__error_code(&s->rt->mem, UVOW_EBROKEN, UVOW_OUTCOME_NONE));
}

void uvow_sink_on_cancel(uvow_sink_t *sink, uvow_cancel_cb cb, void *data,
                         uvow_destroy_cb destroy) {
  uvow_stream_t *s = stream_of(sink);
  if (!s) {
    if (destroy)
      destroy(data);
    return;
  }
  uvow_destroy_cb former = s->told.destroy;
  void *former_data = s->told.data;
  uvow__task_cancel(&s->told.task);
  s->told.cb = cb;
  s->told.data = data;
  s->told.destroy = destroy;
  if (s->flags & UVOW__STREAM_GONE)
    uvow__told_cancel(s);
  if (former) /* last: it may do anything */
    former(former_data);
}

uvow_future_t *uvow_sink_flushed(uvow_sink_t *sink) {
  uvow_stream_t *s = stream_of(sink);
  if (!s)
    return NULL;
  uvow_future_t *f = uvow__gate_wait(&s->flushed);
  if (f && (s->flags & UVOW__STREAM_GONE))
    uvow__gate_fail_code(&s->flushed, uvow__stream_ended_code(s));
  return f;
}

void uvow__sink_take(uvow_stream_t *s, const uvow__source_ops_t *ops) {
  uvow__told_withdraw(s);
  s->ops = ops;
}
