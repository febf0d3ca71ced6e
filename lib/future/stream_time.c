/*
 * Stages that know the time: timeout, batch, debounce, throttle; and ticks.
 *
 * 1. A stage has one deadline; while it's armed it holds the loop.
 * 2. A deadline that expires queues the stage; what up brings before the stage
 *    runs is looked at first.
 * 3. debounce and throttle read up whether or not they are asked: what they
 *    leave out must have come. They begin when they are asked first.
 */
#include "stream_stage.h"

#include <stdio.h>

#include "results.h"

typedef struct timed {
  uvow__stage_t stage;
  uvow__deadline_t deadline;
  uint64_t ms;
  int armed;
  int expired;
  int has_held;
  uvow__item_t held;   /* of debounce, throttle */
  uvow__items_t items; /* of batch */
  size_t n;
  uint64_t start_ns; /* of ticks */
  uint64_t counted;  /* ticks that have been, and of them those untold */
  uint64_t untold;
} timed_t;

static void disarm(timed_t *timed) {
  if (timed->armed)
    uvow__runtime_unhold(timed->stage.out.rt, &timed->deadline);
  timed->armed = 0;
  timed->expired = 0;
}

static void arm(timed_t *timed, uint64_t ms) {
  disarm(timed);
  timed->armed = 1;
  uvow__runtime_hold(timed->stage.out.rt, &timed->deadline, ms);
}

static void expire(uvow__deadline_t *deadline) {
  timed_t *timed = UVOW__CONTAINER(deadline, timed_t, deadline);
  disarm(timed);
  timed->expired = 1;
  uvow__stage_queue(&timed->stage);
}

static void drop_held(timed_t *timed) {
  if (timed->has_held)
    uvow__value_release_later(timed->stage.out.rt, timed->held.value);
  timed->has_held = 0;
}

static void timed_done(uvow__stage_t *stage) {
  timed_t *timed = (timed_t *)(void *)stage;
  uvow__item_t item;
  disarm(timed);
  drop_held(timed);
  while (timed->items.count) {
    uvow__items_take(&timed->items, &item);
    uvow__value_release_later(stage->out.rt, item.value);
  }
  uvow__items_done(&timed->items, &stage->out.rt->mem);
}

static timed_t *timed_init(uvow__stage_t *stage, uint64_t ms) {
  timed_t *timed = (timed_t *)(void *)stage;
  if (!timed)
    return NULL;
  stage->done = timed_done;
  uvow__deadline_init(&timed->deadline, expire);
  uvow__items_init(&timed->items);
  timed->ms = ms;
  return timed;
}

/* Takes the stream. */
static timed_t *timed_new(uvow_stream_t *up, uint64_t ms,
                          void (*step)(uvow__stage_t *stage)) {
  return timed_init(uvow__stage_new(up, sizeof(timed_t), step), ms);
}

/* timeout */

static void timed_out(timed_t *timed) {
  char text[64];
  uvow__error_spec_t spec = {0};
  int len = snprintf(text, sizeof(text), "no item within %llu ms",
                     (unsigned long long)timed->ms);
  spec.code = UVOW_ETIMEDOUT;
  spec.detail.ptr = text;
  spec.detail.len = (size_t)len;
  uvow__stage_fail(&timed->stage,
                   uvow__error_make(&timed->stage.out.rt->mem, &spec));
}

static void timeout_step(uvow__stage_t *stage) {
  timed_t *timed = (timed_t *)(void *)stage;
  uvow__item_t item;
  if (uvow__stage_pull(stage, &item)) {
    disarm(timed);
    uvow__stage_emit(stage, &item);
  } else if (!stage->stopping && timed->expired) {
    timed_out(timed);
  } else if (!stage->stopping && !timed->armed) {
    arm(timed, timed->ms);
  }
}

uvow_stream_t *uvow_stream_timeout(uvow_stream_t *s, uint64_t timeout_ms) {
  timed_t *timed = timed_new(s, timeout_ms, timeout_step);
  return timed ? &timed->stage.out : NULL;
}

/* batch */

uvow_results_t *uvow__results_of_items(uvow__runtime_t *rt,
                                       uvow__items_t *items) {
  uvow_results_t *results = uvow__results_new(rt, items->count);
  uvow__item_t item;
  size_t i = 0;
  if (!results)
    return NULL;
  while (items->count) {
    uvow__items_take(items, &item);
    uvow__results_set(results, i++, item.value);
  }
  return results;
}

static void flush(timed_t *timed) {
  uvow__stage_t *stage = &timed->stage;
  uvow__item_t item = {{NULL, {NULL}}, uvow__stage_take_gap(stage), 0};
  uvow_results_t *results =
      uvow__results_of_items(stage->out.rt, &timed->items);
  disarm(timed);
  if (!results) {
    uvow__stage_fail_code(stage, UVOW_ENOMEM);
    return;
  }
  item.value = uvow__results_value(results);
  uvow__stage_emit(stage, &item);
}

/* Takes the item. A gap is no part of a batch, which says it. */
static int add_to_batch(timed_t *timed, uvow__item_t *item) {
  uvow__runtime_t *rt = timed->stage.out.rt;
  uvow__stage_gap(&timed->stage, item->missed);
  if (item->is_gap)
    return 0;
  if (uvow__value_make_shared(rt, &item->value) ||
      uvow__items_reserve(&timed->items, &rt->mem)) {
    uvow__value_release_later(rt, item->value);
    uvow__stage_fail_code(&timed->stage, UVOW_ENOMEM);
    return UVOW_ENOMEM;
  }
  uvow__items_append(&timed->items, item);
  if (timed->items.count == 1)
    arm(timed, timed->ms);
  return 0;
}

static void batch_step(uvow__stage_t *stage) {
  timed_t *timed = (timed_t *)(void *)stage;
  uvow__item_t item;
  int got = 1;
  if (timed->items.count == 0 && !uvow__stage_is_asked(stage))
    return;
  while (got > 0 && timed->items.count < timed->n) {
    got = uvow__stage_try_pull(stage, &item);
    if (got > 0 && add_to_batch(timed, &item))
      return;
  }
  if (timed->items.count && (got != 0 || timed->expired))
    flush(timed);
  else if (got < 0)
    uvow__stage_end_as_up(stage);
}

uvow_stream_t *uvow_stream_batch(uvow_stream_t *s, size_t n, uint64_t wait_ms) {
  timed_t *timed = timed_new(s, wait_ms, batch_step);
  if (!timed)
    return NULL;
  timed->n = n;
  if (n == 0 && !timed->stage.stopping)
    uvow__stage_fail_code(&timed->stage, UVOW_EINVAL);
  return &timed->stage.out;
}

/* debounce and throttle */

/* Takes what up has: 1: an item, which is held now. What is missing before one
 * that is left out is missing before the one that is held. */
static int hold_newest(timed_t *timed) {
  uvow__item_t item;
  do {
    int got = uvow__stage_try_pull(&timed->stage, &item);
    if (got <= 0)
      return got;
    uvow__stage_gap(&timed->stage, item.missed);
  } while (item.is_gap);
  if (timed->has_held)
    uvow__stage_gap(&timed->stage, timed->held.missed);
  drop_held(timed);
  timed->held = item;
  timed->held.missed = uvow__stage_take_gap(&timed->stage);
  timed->has_held = 1;
  return 1;
}

static void emit_held(timed_t *timed) {
  timed->has_held = 0;
  uvow__stage_emit(&timed->stage, &timed->held);
}

static void debounce_step(uvow__stage_t *stage) {
  timed_t *timed = (timed_t *)(void *)stage;
  int got = hold_newest(timed);
  if (got > 0) {
    arm(timed, timed->ms);
    uvow__stage_queue(stage);
  } else if (got < 0 && !timed->has_held) {
    uvow__stage_end_as_up(stage);
  } else if (timed->has_held && (got < 0 || timed->expired) &&
             uvow__stage_is_asked(stage)) {
    disarm(timed);
    emit_held(timed);
  }
}

uvow_stream_t *uvow_stream_debounce(uvow_stream_t *s, uint64_t quiet_ms) {
  timed_t *timed = timed_new(s, quiet_ms, debounce_step);
  return timed ? &timed->stage.out : NULL;
}

static void throttle_step(uvow__stage_t *stage) {
  timed_t *timed = (timed_t *)(void *)stage;
  int got = hold_newest(timed);
  if (got < 0 && !timed->has_held) {
    uvow__stage_end_as_up(stage);
  } else if (timed->has_held && (got < 0 || !timed->armed) &&
             uvow__stage_is_asked(stage)) {
    arm(timed, timed->ms);
    emit_held(timed);
  }
  if (got > 0)
    uvow__stage_queue(stage);
}

uvow_stream_t *uvow_stream_throttle(uvow_stream_t *s, uint64_t interval_ms) {
  timed_t *timed = timed_new(s, interval_ms, throttle_step);
  return timed ? &timed->stage.out : NULL;
}

/* ticks */

static void arm_tick(timed_t *timed, uint64_t elapsed_ns) {
  uint64_t due = timed->counted + 1;
  uint64_t ns = timed->ms * UVOW__NS_PER_MS;
  uint64_t left = due > UINT64_MAX / ns ? UINT64_MAX : due * ns;
  left = left > elapsed_ns ? left - elapsed_ns : 1;
  arm(timed, (left + UVOW__NS_PER_MS - 1) / UVOW__NS_PER_MS);
}

static void ticks_step(uvow__stage_t *stage) {
  timed_t *timed = (timed_t *)(void *)stage;
  if (timed->untold && uvow__stage_is_asked(stage)) {
    uvow__item_t item = {uvow_value_int64((int64_t)timed->untold), 0, 0};
    timed->untold = 0;
    uvow__stage_emit(stage, &item);
  }
}

static void expire_tick(uvow__deadline_t *deadline) {
  timed_t *timed = UVOW__CONTAINER(deadline, timed_t, deadline);
  uvow__runtime_t *rt = timed->stage.out.rt;
  uint64_t elapsed = rt->clock(rt) - timed->start_ns;
  uint64_t ticks = elapsed / (timed->ms * UVOW__NS_PER_MS);
  disarm(timed);
  timed->untold += ticks - timed->counted;
  timed->counted = ticks;
  arm_tick(timed, elapsed);
  uvow__stage_queue(&timed->stage);
}

uvow_stream_t *uvow_stream_ticks(uvow_loop_t *loop, uint64_t interval_ms) {
  if (!loop)
    return NULL;
  uvow__runtime_t *rt = uvow__runtime_of(loop);
  timed_t *timed =
      timed_init(uvow__stage_new_source(rt, sizeof(timed_t), NULL, ticks_step),
                 interval_ms < UVOW__MS_MAX ? interval_ms : UVOW__MS_MAX);
  if (!timed)
    return NULL;
  if (interval_ms == 0) {
    uvow__stage_fail_code(&timed->stage, UVOW_EINVAL);
    return &timed->stage.out;
  }
  uvow__deadline_init(&timed->deadline, expire_tick);
  timed->start_ns = rt->clock(rt);
  arm_tick(timed, 0);
  return &timed->stage.out;
}
