/*
 * One stream of several, and several of one: merge, of_futures, tee.
 *
 * 1. Of what merge reads, each is idle (nobody has asked it), asked (it will
 *    tell), or ready (it has told). When merge is asked, it asks those that are
 *    idle, and takes from one that is ready: O(1) for an item, whose turn comes
 *    round.
 * 2. of_futures has room for all its futures from the start: settling takes no
 *    memory.
 * 3. A copy (tee) stands in the list of what it copies, which puts each item
 *    into it. It is the source of its copies, and lives as long as they. The
 *    last reader, if that is a copy, ends with the source, for which it waits.
 */
#include "stream_stage.h"

#include <string.h>

#include "fail.h"

struct merge;

typedef struct arm {
  uvow__task_t task; /* its stream's reader */
  uvow__list_t link; /* in idle or ready */
  struct merge *merge;
  uvow_stream_t *up; /* its handle; NULL: it has ended */
} arm_t;

typedef struct merge {
  uvow__stage_t stage;
  uvow__list_t idle;
  uvow__list_t ready;
  size_t live;
  size_t count;
  arm_t arms[];
} merge_t;

static void run_arm(uvow__task_t *task) {
  arm_t *arm = UVOW__CONTAINER(task, arm_t, task);
  merge_t *merge = arm->merge;
  if (!merge->stage.stopping) {
    uvow__list_append(&merge->ready, &arm->link);
    uvow__stage_queue(&merge->stage);
    return;
  }
  uvow__stream_leave(arm->up);
  arm->up = NULL;
  if (--merge->stage.waiting == 0)
    uvow__stage_queue(&merge->stage);
}

static void merge_done(uvow__stage_t *stage) {
  merge_t *merge = (merge_t *)(void *)stage;
  for (size_t i = 0; i < merge->count; i++) {
    arm_t *arm = &merge->arms[i];
    uvow__list_remove(&arm->link);
    uvow__task_cancel(&arm->task);
    if (!arm->up)
      continue;
    if (uvow__stream_leave_slowly(arm->up))
      arm->up = NULL;
    else
      stage->waiting++;
  }
}

/* The stream of one has ended. Whether merge goes on. */
static int arm_ended(merge_t *merge, arm_t *arm) {
  uvow_stream_t *up = arm->up;
  uvow_future_t *end = up->end;
  uvow__stream_read(up);
  uvow__stream_gap(&merge->stage.out, uvow__mark_of(end)->missed);
  if (end->state == UVOW_REJECTED) {
    uvow__stage_fail(&merge->stage, uvow_error_ref(end->u.error));
    return 0;
  }
  arm->up = NULL;
  uvow__stream_leave(up);
  if (--merge->live)
    return 1;
  uvow__stage_end(&merge->stage, uvow_value_none());
  return 0;
}

static void merge_step(uvow__stage_t *stage) {
  merge_t *merge = (merge_t *)(void *)stage;
  uvow__item_t item;
  if (!uvow__stage_is_asked(stage))
    return;
  while (!uvow__list_empty(&merge->idle)) {
    arm_t *arm = UVOW__CONTAINER(merge->idle.next, arm_t, link);
    uvow__list_remove(&arm->link);
    uvow__stream_ask(arm->up);
  }
  while (!uvow__list_empty(&merge->ready)) {
    arm_t *arm = UVOW__CONTAINER(merge->ready.next, arm_t, link);
    int got = uvow__stream_take(arm->up, &item);
    uvow__list_remove(&arm->link);
    if (got == UVOW__STREAM_ITEM) {
      uvow__list_append(&merge->idle, &arm->link);
      uvow__stage_emit(stage, &item);
      return;
    }
    if (got == UVOW__STREAM_NONE)
      uvow__stream_ask(arm->up);
    else if (!arm_ended(merge, arm))
      return;
  }
}

/* Takes the stream. Returns 0, or why it can't be read. */
static int arm_init(arm_t *arm, merge_t *merge, uvow_stream_t *up) {
  int code = up ? 0 : UVOW_ENOMEM;
  arm->merge = merge;
  uvow__task_init(&arm->task, run_arm);
  uvow__list_init(&arm->link);
  if (up && up->rt != merge->stage.out.rt)
    code = UVOW_EINVAL;
  if (code == 0)
    code = uvow__stream_claim(up, &arm->task);
  if (code) {
    uvow_stream_unref(up);
    return code;
  }
  arm->up = up;
  merge->live++;
  uvow__list_append(&merge->idle, &arm->link);
  return 0;
}

static void unref_all(uvow_stream_t *const *streams, size_t count) {
  for (size_t i = 0; i < count; i++)
    uvow_stream_unref(streams[i]);
}

uvow_stream_t *uvow_stream_merge(uvow_loop_t *loop,
                                 uvow_stream_t *const *streams, size_t count) {
  merge_t *merge = NULL;
  size_t size;
  int code = 0;
  if (!streams && count)
    return (uvow_stream_t *)uvow__refuse(loop, UVOW_EINVAL, "streams",
                                         uvow__fail_null);
  if (loop && uvow__size_mul(count, sizeof(arm_t), &size) == 0 &&
      uvow__size_add(size, sizeof(merge_t), &size) == 0)
    merge = (merge_t *)(void *)uvow__stage_new_source(uvow__runtime_of(loop),
                                                      size, NULL, merge_step);
  if (!merge) {
    unref_all(streams, count);
    return NULL;
  }
  merge->stage.done = merge_done;
  merge->count = count;
  uvow__list_init(&merge->idle);
  uvow__list_init(&merge->ready);
  for (size_t i = 0; i < count; i++) {
    int one = arm_init(&merge->arms[i], merge, streams[i]);
    code = code ? code : one;
  }
  if (code)
    uvow__stage_fail_code(&merge->stage, code);
  else if (count == 0)
    uvow__stage_end(&merge->stage, uvow_value_none());
  return &merge->stage.out;
}

/* of_futures */

struct settling;

typedef struct child {
  uvow__task_t task;
  struct settling *settling;
  uvow_future_t *future; /* NULL: it is an item */
} child_t;

typedef struct settling {
  uvow__stage_t stage;
  size_t left;
  size_t count;
  child_t children[];
} settling_t;

/* All are unlinked before any is given up. */
static void settling_done(uvow__stage_t *stage) {
  settling_t *settling = (settling_t *)(void *)stage;
  for (size_t i = 0; i < settling->count; i++)
    uvow__task_cancel(&settling->children[i].task);
  for (size_t i = 0; i < settling->count; i++) {
    uvow_future_t *f = settling->children[i].future;
    settling->children[i].future = NULL;
    uvow__future_drop(f);
  }
}

static void settling_step(uvow__stage_t *stage) {
  (void)stage; /* it doesn't pull: its futures tell it */
}

static void add_settled(settling_t *settling, uvow_value_t value) {
  (void)uvow__stream_put_value(&settling->stage.out, value);
  if (--settling->left == 0 && !uvow__stream_ended(&settling->stage.out))
    uvow__stage_end(&settling->stage, uvow_value_none());
}

static uvow_value_t error_value(uvow_error_t *error) {
  return uvow_value_ptr(&uvow__type_error, error);
}

static void run_child(uvow__task_t *task) {
  child_t *child = UVOW__CONTAINER(task, child_t, task);
  uvow_future_t *f = child->future;
  child->future = NULL;
  if (f->state == UVOW_REJECTED)
    add_settled(child->settling, error_value(uvow_error_ref(f->u.error)));
  else
    add_settled(child->settling, uvow__future_share(f));
  uvow_future_unref(f);
}

/* Takes the future. */
static void child_init(child_t *child, settling_t *settling, uvow_future_t *f) {
  uvow__runtime_t *rt = settling->stage.out.rt;
  child->settling = settling;
  uvow__task_init(&child->task, run_child);
  if (f && f->rt == rt) {
    child->future = f;
    uvow__future_watch(f, &child->task);
    return;
  }
  add_settled(settling,
              error_value(uvow__error_code(
                  &rt->mem, f ? UVOW_EINVAL : UVOW_ENOMEM, UVOW_OUTCOME_NONE)));
  uvow_future_unref(f);
}

static settling_t *settling_new(uvow_loop_t *loop, size_t count) {
  uvow_stream_options_t options = {sizeof(options), 0, SIZE_MAX, UVOW_FULL_WAIT,
                                   0};
  size_t size;
  if (!loop || uvow__size_mul(count, sizeof(child_t), &size) ||
      uvow__size_add(size, sizeof(settling_t), &size))
    return NULL;
  options.max_items = count + 1;
  settling_t *settling = (settling_t *)(void *)uvow__stage_new_source(
      uvow__runtime_of(loop), size, &options, settling_step);
  if (!settling)
    return NULL;
  settling->stage.done = settling_done;
  if (uvow__items_reserve_all(&settling->stage.out.items,
                              &settling->stage.out.rt->mem, count)) {
    uvow__stage_fail_code(&settling->stage, UVOW_ENOMEM);
    uvow_stream_unref(&settling->stage.out);
    return NULL;
  }
  settling->count = settling->left = count;
  return settling;
}

uvow_stream_t *uvow_stream_of_futures(uvow_loop_t *loop,
                                      uvow_future_t *const *futures,
                                      size_t count) {
  if (!futures && count)
    return (uvow_stream_t *)uvow__refuse(loop, UVOW_EINVAL, "futures",
                                         uvow__fail_null);
  settling_t *settling = settling_new(loop, count);
  if (!settling) {
    for (size_t i = 0; i < count; i++)
      uvow_future_unref(futures[i]);
    return NULL;
  }
  uvow_stream_t *out = &settling->stage.out;
  for (size_t i = 0; i < count; i++)
    child_init(&settling->children[i], settling, futures[i]);
  if (count == 0)
    uvow__stage_end(&settling->stage, uvow_value_none());
  return out;
}

/* tee */

static void tee_resume(uvow_stream_t *copy) {
  copy->flags |= UVOW__STREAM_PAUSED;
  uvow__stream_resume((uvow_stream_t *)copy->source);
}

static void tee_cancel(uvow_stream_t *copy) {
  uvow_stream_t *s = (uvow_stream_t *)copy->source;
  if (uvow__list_empty(&copy->link))
    return; /* it ends with what it copies */
  uvow__list_remove(&copy->link);
  uvow__stream_pin(s);
  uvow__stream_resume(s);
  uvow__stream_check(s);
  if ((s->flags & UVOW__STREAM_GONE) && (s->flags & UVOW__SINK_OUT))
    uvow__list_append(&s->copies, &copy->link);
  else
    uvow__stream_sink_gone(copy);
  uvow__stream_unpin(s);
}

static const uvow__source_ops_t tee_ops = {tee_resume, tee_cancel};

uvow_stream_t *uvow_stream_tee(uvow_stream_t *s,
                               const uvow_stream_options_t *options) {
  uvow_stream_options_t own;
  if (!s)
    return NULL;
  options = UVOW__OPTIONS(uvow__runtime_loop(s->rt), options, &own,
                          uvow_stream_options_t);
  if (!options)
    return NULL;
  while (s->ops == &tee_ops && !uvow__stream_ended(s)) /* as it is one, too */
    s = (uvow_stream_t *)s->source;
  uvow_stream_t *copy =
      uvow__stream_new(s->rt, sizeof(*copy), &tee_ops, options);
  if (!copy)
    return NULL;
  copy->source = s;
  if (uvow__stream_ended(s)) {
    uvow__stream_end_as(copy, s->end);
    uvow__stream_sink_gone(copy);
    return copy;
  }
  copy->flags |= UVOW__STREAM_PAUSED;
  s->flags &= ~(uint32_t)UVOW__STREAM_LAZY;
  uvow__list_append(&s->copies, &copy->link);
  uvow__stream_resume(s);
  return copy;
}
