/*
 * Stages: streams of a stream. What they have in common; map, filter, take,
 * until.
 *
 *   asked --resume--> task: step --pull--> an item --> emit --> out
 *                       ^          |
 *                       +-- up is asked; its item or end queues the task
 *
 * 1. Every way into a stage goes through its task: asking and letting go, up a
 *    pipeline of any length, don't recurse.
 * 2. A stage has the sink of `out` and a handle of `up`. It has ended when up's
 *    source has: so uvow_stream_close waits for what is behind all stages.
 * 3. `out` lives until the stage calls sink_gone, which is the last it does.
 * 4. What is missing before an item that isn't passed on is missing before the
 *    next one, or the end. An item that is a gap passes by callbacks and counts.
 */
#include "stream_stage.h"

#include <string.h>

#include "misuse.h"

static void stop(uvow__stage_t *stage) {
  if (!stage->stopping) {
    stage->stopping = 1;
    if (stage->done)
      stage->done(stage);
    if (stage->up && !uvow__stream_leave_slowly(stage->up))
      return;
  } else if (stage->up) {
    uvow__stream_leave(stage->up);
  }
  stage->up = NULL;
  if (stage->waiting)
    return;
  uvow__task_cancel(&stage->task); /* emit may have queued it */
  uvow__stream_sink_gone(&stage->out);
}

static void run_stage(uvow__task_t *task) {
  uvow__stage_t *stage = UVOW__CONTAINER(task, uvow__stage_t, task);
  uvow__stream_pin(&stage->out);
  if (stage->stopping || (stage->out.flags & UVOW__STREAM_GONE))
    stop(stage);
  else
    stage->step(stage);
  uvow__stream_unpin(&stage->out);
}

void uvow__stage_queue(uvow__stage_t *stage) {
  if (!uvow__task_queued(&stage->task))
    uvow__stream_soon(stage->out.rt, &stage->task);
}

static void on_resume(uvow_stream_t *out) {
  uvow__stage_queue((uvow__stage_t *)(void *)out);
}

static void on_cancel(uvow_stream_t *out) {
  uvow__stage_t *stage = (uvow__stage_t *)(void *)out;
  if (stage->stopping)
    return;
  if (stage->up)
    uvow__stream_unask(stage->up);
  uvow__stage_queue(stage);
}

static const uvow__source_ops_t stage_ops = {on_resume, on_cancel};

uvow__stage_t *uvow__stage_new_source(uvow__runtime_t *rt, size_t size,
                                      const uvow_stream_options_t *options,
                                      void (*step)(uvow__stage_t *stage)) {
  uvow__stage_t *stage =
      (uvow__stage_t *)(void *)uvow__stream_new(rt, size, &stage_ops, options);
  if (!stage)
    return NULL;
  uvow__task_init(&stage->task, run_stage);
  stage->step = step;
  return stage;
}

uvow__stage_t *uvow__stage_new(uvow_stream_t *up, size_t size,
                               void (*step)(uvow__stage_t *stage)) {
  uvow__stage_t *stage =
      up ? uvow__stage_new_source(up->rt, size, NULL, step) : NULL;
  if (!stage) {
    uvow_stream_unref(up);
    return NULL;
  }
  if (uvow__stream_claim(up, &stage->task)) {
    uvow_stream_unref(up);
    uvow__stage_fail_code(stage, UVOW_EBUSY);
  } else {
    stage->up = up;
  }
  return stage;
}

int uvow__stage_try_pull(uvow__stage_t *stage, uvow__item_t *ret) {
  switch (uvow__stream_take(stage->up, ret)) {
  case UVOW__STREAM_ITEM:
    return 1;
  case UVOW__STREAM_END:
    return -1;
  default:
    uvow__stream_ask(stage->up);
    return 0;
  }
}

int uvow__stage_pull(uvow__stage_t *stage, uvow__item_t *ret) {
  int got = uvow__stage_try_pull(stage, ret);
  if (got < 0)
    uvow__stage_end_as_up(stage);
  return got > 0;
}

void uvow__stage_emit(uvow__stage_t *stage, const uvow__item_t *item) {
  int rc = uvow__stream_put(&stage->out, item);
  if (rc == 0)
    uvow__stage_queue(stage);
  else if (rc < 0 && !uvow__stream_ended(&stage->out))
    uvow__stage_fail_code(stage, rc);
}

void uvow__stage_end(uvow__stage_t *stage, uvow_value_t value) {
  uvow__stream_gap(&stage->out, uvow__stage_take_gap(stage));
  uvow__stream_end(&stage->out, value);
  stop(stage);
}

void uvow__stage_fail(uvow__stage_t *stage, uvow_error_t *error) {
  uvow__stream_gap(&stage->out, uvow__stage_take_gap(stage));
  uvow__stream_fail(&stage->out, error);
  stop(stage);
}

void uvow__stage_fail_code(uvow__stage_t *stage, int code) {
  uvow__stage_fail(
      stage, uvow__error_code(&stage->out.rt->mem, code, UVOW_OUTCOME_NONE));
}

void uvow__stage_end_as_up(uvow__stage_t *stage) {
  uvow__stream_read(stage->up);
  uvow__stream_gap(&stage->out, uvow__stage_take_gap(stage));
  uvow__stream_end_as(&stage->out, stage->up->end);
  stop(stage);
}

/* map and filter. */

typedef struct map {
  uvow__stage_t stage;
  uvow_then_cb cb;
  uvow_filter_cb filter;
  uvow_future_t *cell;
  uvow_future_t *inner; /* what cb has answered; NULL: none */
  uvow__task_t settled; /* its reaction */
} map_t;

static void map_done(uvow__stage_t *stage) {
  map_t *map = (map_t *)(void *)stage;
  uvow_future_t *inner = map->inner;
  uvow__task_cancel(&map->settled);
  map->inner = NULL;
  uvow_future_unref(map->cell);
  map->cell = NULL;
  uvow__future_drop(inner);
}

/* What a settled future brings becomes an item. */
static void emit_future(map_t *map, uvow_future_t *f) {
  uvow__item_t item = {{NULL, {NULL}}, uvow__stage_take_gap(&map->stage), 0};
  if (f->state == UVOW_FULFILLED)
    item.value = uvow__future_share(f);
  else
    item.value = uvow_value_ptr(&uvow__type_error, uvow_error_ref(f->u.error));
  uvow__stage_emit(&map->stage, &item);
}

static void run_settled(uvow__task_t *task) {
  map_t *map = UVOW__CONTAINER(task, map_t, settled);
  uvow_future_t *inner = map->inner;
  map->inner = NULL;
  if (inner->state == UVOW_REJECTED)
    uvow__stage_fail(&map->stage, uvow_error_ref(inner->u.error));
  else
    emit_future(map, inner);
  uvow_future_unref(inner);
}

/* Takes the future. */
static void wait_for(map_t *map, uvow_future_t *inner) {
  int code = UVOW_ENOMEM;
  if (inner)
    code = inner->rt == map->stage.out.rt ? 0 : UVOW_EINVAL;
  if (code) {
    uvow_future_unref(inner);
    uvow__stage_fail_code(&map->stage, code);
    return;
  }
  map->inner = inner;
  uvow__future_watch(inner, &map->settled);
}

/* What cb has answered to what lies in the cell. */
static void mapped(map_t *map, uvow_next_t *next, uvow_future_t *cell) {
  uvow__item_t item = {{NULL, {NULL}}, 0, 0};
  uvow__next_plain(next);
  switch (next->kind) {
  case UVOW_NEXT_PASS:
    emit_future(map, cell);
    return;
  case UVOW_NEXT_VALUE:
    item.value = next->u.value;
    item.missed = uvow__stage_take_gap(&map->stage);
    uvow__stage_emit(&map->stage, &item);
    return;
  case UVOW_NEXT_FUTURE:
    wait_for(map, next->u.future);
    return;
  case UVOW_NEXT_END:
    uvow__stage_end(&map->stage, next->u.value);
    return;
  default:
    uvow__stage_fail(&map->stage, uvow__next_error(cell, next));
    return;
  }
}

/* The callback has its item. */
static void map_item(map_t *map, const uvow__item_t *item) {
  uvow__stage_t *stage = &map->stage;
  uvow_future_t *cell = map->cell;
  uvow_next_t next = uvow_next_pass();
  uvow_result_t result;
  int stays = 1;
  map->cell = NULL;
  uvow__cell_fill(cell, item, &result);
  uvow__lend(&result);
  if (map->filter)
    stays = map->filter(&result, stage->data);
  else
    next = map->cb(&result, stage->data);
  uvow__check_lent(&result, &next);
  uvow__stage_gap(stage, item->missed);
  if (uvow__stream_ended(&stage->out))
    uvow__next_drop(&next); /* let go of, from within the callback */
  else if (stays)
    mapped(map, &next, cell);
  else
    uvow__stage_queue(stage);
  cell = uvow__cell_empty(cell);
  if (stage->stopping)
    uvow_future_unref(cell);
  else
    map->cell = cell;
}

static void map_step(uvow__stage_t *stage) {
  map_t *map = (map_t *)(void *)stage;
  uvow__item_t item;
  if (map->inner)
    return;
  if (uvow__cell_make(stage->out.rt, &map->cell)) {
    uvow__stage_fail_code(stage, UVOW_ENOMEM);
    return;
  }
  if (!uvow__stage_pull(stage, &item))
    return;
  if (item.is_gap)
    uvow__stage_emit(stage, &item);
  else
    map_item(map, &item);
}

/* Takes the stream; one of cb and filter. */
static uvow_stream_t *map_new(uvow_stream_t *up, uvow_then_cb cb,
                              uvow_filter_cb filter, void *data) {
  map_t *map = (map_t *)(void *)uvow__stage_new(up, sizeof(map_t), map_step);
  if (!map)
    return NULL;
  map->stage.data = data;
  map->stage.done = map_done;
  map->cb = cb;
  map->filter = filter;
  uvow__task_init(&map->settled, run_settled);
  if (!cb && !filter && !map->stage.stopping)
    uvow__stage_fail_code(&map->stage, UVOW_EINVAL);
  return &map->stage.out;
}

uvow_stream_t *uvow_stream_map(uvow_stream_t *s, uvow_then_cb cb, void *data) {
  return map_new(s, cb, NULL, data);
}

uvow_stream_t *uvow_stream_filter(uvow_stream_t *s, uvow_filter_cb cb,
                                  void *data) {
  return map_new(s, NULL, cb, data);
}

/* take */

typedef struct take {
  uvow__stage_t stage;
  size_t left;
} take_t;

static void take_step(uvow__stage_t *stage) {
  take_t *take = (take_t *)(void *)stage;
  uvow__item_t item;
  if (!uvow__stage_pull(stage, &item))
    return;
  take->left -= !item.is_gap;
  uvow__stage_emit(stage, &item);
  if (take->left == 0 && !stage->stopping)
    uvow__stage_end(stage, uvow_value_none());
}

uvow_stream_t *uvow_stream_take(uvow_stream_t *s, size_t n) {
  take_t *take =
      (take_t *)(void *)uvow__stage_new(s, sizeof(take_t), take_step);
  if (!take)
    return NULL;
  take->left = n;
  if (n == 0 && !take->stage.stopping)
    uvow__stage_end(&take->stage, uvow_value_none());
  return &take->stage.out;
}

/* until */

typedef struct until {
  uvow__stage_t stage;
  uvow_future_t *stop; /* NULL: it's over */
  uvow__task_t stopped;
} until_t;

static void until_done(uvow__stage_t *stage) {
  until_t *until = (until_t *)(void *)stage;
  uvow_future_t *f = until->stop;
  uvow__task_cancel(&until->stopped);
  until->stop = NULL;
  uvow__future_drop(f);
}

static void until_step(uvow__stage_t *stage) {
  uvow__item_t item;
  if (uvow__stage_pull(stage, &item))
    uvow__stage_emit(stage, &item);
}

static void run_stopped(uvow__task_t *task) {
  until_t *until = UVOW__CONTAINER(task, until_t, stopped);
  uvow_future_t *f = until->stop;
  until->stop = NULL;
  if (f->state == UVOW_REJECTED)
    uvow__stage_fail(&until->stage, uvow_error_ref(f->u.error));
  else
    uvow__stage_end(&until->stage, uvow__future_share(f));
  uvow_future_unref(f);
}

uvow_stream_t *uvow_stream_until(uvow_stream_t *s, uvow_future_t *f) {
  until_t *until =
      (until_t *)(void *)uvow__stage_new(s, sizeof(until_t), until_step);
  if (!until) {
    uvow_future_unref(f);
    return NULL;
  }
  uvow__stage_t *stage = &until->stage;
  int code = f ? 0 : UVOW_ENOMEM;
  uvow__task_init(&until->stopped, run_stopped);
  if (f && f->rt != stage->out.rt)
    code = UVOW_EINVAL;
  if (stage->stopping || code) {
    uvow_future_unref(f);
    if (!stage->stopping)
      uvow__stage_fail_code(stage, code);
    return &stage->out;
  }
  stage->done = until_done;
  until->stop = f;
  uvow__future_watch(f, &until->stopped);
  return &stage->out;
}
