/*
 * The stream: what waits, who makes it, who reads it, and its end.
 *
 *   source --put--> [ items | gap | items ] --take--> reader (one, by a task)
 *      ^               |                    --------> nexts  (futures)
 *      |               +--put--> copies (tee)
 *      +--resume, cancel (on the spot: they queue a task)
 *
 * 1. A stream lives as long as it has a handle, a next that waits, a copy, a
 *    source, or a queued task. Who reads it alone has one of the handles.
 * 2. Its end is a future of its own, made with it, so that ending takes no
 *    memory; it is pending until then, so that closing the loop ends the stream
 *    as it ends a promise's future.
 * 3. A lazy stream has room for what is asked for and no more: a stage pulls
 *    upstream only when somebody reads it.
 * 4. PAUSED: the source was told that there's no room; whatever makes room says
 *    so to it once (resume).
 * 5. Nothing here calls a user's function: sinks' owners, releases of values,
 *    items go through the task queue.
 * 6. What is missing before an end that is an error, the error says: so it
 *    passes through whatever passes the error on.
 * 7. No handle, next or copy: it's let go. What waits is dropped, its source is
 *    canceled, and a later put is refused.
 */
#include "stream.h"

#include <assert.h>
#include <string.h>

#define DEFAULT_ITEMS 64
#define DEFAULT_BYTES ((size_t)1024 * 1024)

void uvow__stream_soon(uvow__runtime_t *rt, uvow__task_t *task) {
  if (rt->closed == UVOW__RUNTIME_DONE && rt->entered == 0)
    task->run(task);
  else
    uvow__runtime_push(rt, task);
}

uvow_future_t *uvow__mark_new(uvow__runtime_t *rt, unsigned flags, int mark,
                              uint64_t missed) {
  uvow_future_t *f =
      uvow__future_new(rt, 1, flags | UVOW__BLOCK | UVOW__OBSERVED);
  if (!f)
    return NULL;
  uvow__future_set_kind(f, UVOW__KIND_STREAM);
  f->spare = (uint8_t)mark;
  uvow__mark_of(f)->stream = NULL;
  uvow__mark_of(f)->missed = missed;
  return f;
}

_Static_assert(sizeof(uvow__mark_t) <= UVOW__BLOCK_TAIL, "a tail holds it");

void uvow__stream_pin(uvow_stream_t *s) {
  s->pins++;
}

static void stream_free(uvow_stream_t *s) {
  uvow__runtime_t *rt = s->rt;
  uvow_future_t *end = s->end;
  assert(end->state != UVOW_PENDING);
  uvow__items_done(&s->items, &rt->mem);
  uvow__free(&rt->mem, s);
  uvow_future_unref(end);
  rt->pins--;
  if (rt->closed)
    uvow__runtime_maybe_release(rt);
}

void uvow__stream_unpin(uvow_stream_t *s) {
  if (--s->pins || s->handles || (s->flags & UVOW__SINK_OUT) ||
      !uvow__list_empty(&s->nexts) || !uvow__list_empty(&s->copies) ||
      uvow__task_queued(&s->tidy) || uvow__task_queued(&s->told.task))
    return;
  stream_free(s);
}

static void run_tidy(uvow__task_t *task) {
  uvow_stream_t *s = UVOW__CONTAINER(task, uvow_stream_t, tidy);
  uvow__stream_pin(s);
  uvow__items_done(&s->items, &s->rt->mem);
  uvow__stream_resume(s);
  uvow__stream_unpin(s);
}

/* The loop closes. */
static void on_reject(uvow_future_t *end, int code) {
  uvow__stream_let_go(uvow__mark_of(end)->stream, code);
}

static void set_bounds(uvow_stream_t *s, const uvow_stream_options_t *options) {
  if (options)
    s->bounds = *options;
  else
    s->flags |= UVOW__STREAM_LAZY | UVOW__STREAM_PAUSED;
  if (s->bounds.full == UVOW_FULL_DEFAULT)
    s->bounds.full = UVOW_FULL_WAIT;
  if (s->bounds.max_items == 0)
    s->bounds.max_items = DEFAULT_ITEMS;
  if (s->bounds.max_bytes == 0)
    s->bounds.max_bytes = DEFAULT_BYTES;
  if (s->bounds.full == UVOW_FULL_LATEST) {
    s->bounds.full = UVOW_FULL_DROP_OLDEST;
    s->bounds.max_items = 1;
  }
}

uvow_stream_t *uvow__stream_new(uvow__runtime_t *rt, size_t size,
                                const uvow__source_ops_t *ops,
                                const uvow_stream_options_t *options) {
  uvow_stream_t *s = (uvow_stream_t *)uvow__calloc(&rt->mem, size);
  if (!s)
    return NULL;
  s->end = uvow__mark_new(rt, UVOW__PROMISE | UVOW__OWNED, UVOW__MARK_END, 0);
  if (!s->end) {
    uvow__free(&rt->mem, s);
    return NULL;
  }
  s->end->cb.reject = on_reject;
  uvow__mark_of(s->end)->stream = s;
  s->rt = rt;
  rt->pins++;
  s->ops = ops;
  s->handles = 1;
  s->flags = UVOW__SINK_OUT;
  set_bounds(s, options);
  uvow__items_init(&s->items);
  uvow__list_init(&s->nexts);
  uvow__list_init(&s->copies);
  uvow__list_init(&s->link);
  uvow__gate_init(&s->room, rt);
  uvow__gate_init(&s->flushed, rt);
  uvow__gate_init(&s->closed, rt);
  uvow__task_init(&s->tidy, run_tidy);
  uvow__told_init(s);
  return s;
}

uvow_stream_t *uvow__stream_failed(uvow__runtime_t *rt, int code) {
  uvow_stream_t *s = uvow__stream_new(rt, sizeof(*s), NULL, NULL);
  if (s) {
    uvow__stream_fail_code(s, code);
    uvow__stream_sink_gone(s);
  }
  return s;
}

static int is_asked(const uvow_stream_t *s) {
  return (s->flags & UVOW__STREAM_ASKED) || !uvow__list_empty(&s->nexts);
}

/* Whether its own items are read, not only its copies. */
static int reads_itself(const uvow_stream_t *s) {
  return s->handles || !uvow__list_empty(&s->nexts);
}

static int is_full(const uvow_stream_t *s) {
  return s->items.count - s->items.gaps >= s->bounds.max_items ||
         s->items.bytes >= s->bounds.max_bytes;
}

/* Whether a copy that doesn't drop anything is full. */
static int copies_wait(const uvow_stream_t *s) {
  for (uvow__list_t *at = s->copies.next; at != &s->copies; at = at->next) {
    const uvow_stream_t *copy = UVOW__CONTAINER(at, uvow_stream_t, link);
    if (copy->bounds.full == UVOW_FULL_WAIT && is_full(copy))
      return 1;
  }
  return 0;
}

int uvow__stream_has_room(const uvow_stream_t *s) {
  if (uvow__stream_ended(s))
    return 0;
  if (s->flags & UVOW__STREAM_LAZY)
    return s->items.count == 0 && is_asked(s);
  if (s->bounds.full == UVOW_FULL_WAIT && is_full(s) && reads_itself(s))
    return 0;
  return uvow__list_empty(&s->copies) || !copies_wait(s);
}

void uvow__stream_resume(uvow_stream_t *s) {
  if (!(s->flags & UVOW__STREAM_PAUSED) || !uvow__stream_has_room(s))
    return;
  s->flags &= ~(uint32_t)UVOW__STREAM_PAUSED;
  if (s->ops && s->ops->resume)
    s->ops->resume(s);
  uvow__gate_pass(&s->room);
}

void uvow__stream_wake(uvow_stream_t *s) {
  if ((s->flags & UVOW__STREAM_ASKED) && uvow__stream_ready(s)) {
    uvow__stream_unask(s);
    uvow__stream_push_reader(s);
  } else if (!uvow__list_empty(&s->nexts)) {
    uvow__stream_settle_nexts(s);
  }
}

/* One item is missing that stood before the first. */
static void drop_first(uvow_stream_t *s) {
  uvow__item_t item = {{NULL, {NULL}}, 0, 0};
  uint64_t missed = 0;
  do {
    uvow__items_take(&s->items, &item);
    missed = uvow__missed_add(missed, item.missed);
  } while (item.is_gap);
  missed = uvow__missed_add(missed, 1);
  if (s->bounds.tell_gaps) {
    uvow__item_t *gap;
    s->items.head = (s->items.head + s->items.cap - 1) & (s->items.cap - 1);
    s->items.count++;
    s->items.gaps++;
    gap = uvow__items_at(&s->items, 0);
    gap->value = uvow_value_none();
    gap->missed = missed;
    gap->is_gap = 1;
  } else if (s->items.count) {
    uvow__item_t *first = uvow__items_at(&s->items, 0);
    first->missed = uvow__missed_add(first->missed, missed);
  } else {
    s->lost = uvow__missed_add(s->lost, missed);
  }
  uvow__value_release_later(s->rt, item.value);
}

/* As many are missing behind the last. */
static void add_gap(uvow_stream_t *s, uint64_t missed) {
  uvow__item_t *last =
      s->items.count ? uvow__items_at(&s->items, s->items.count - 1) : NULL;
  if (s->bounds.tell_gaps && last && last->is_gap) {
    last->missed = uvow__missed_add(last->missed, missed);
  } else if (s->bounds.tell_gaps &&
             uvow__items_reserve(&s->items, &s->rt->mem) == 0) {
    uvow__item_t gap = {{NULL, {NULL}}, uvow__missed_add(s->lost, missed), 1};
    s->lost = 0;
    uvow__items_append(&s->items, &gap);
    uvow__stream_wake(s);
  } else {
    s->lost = uvow__missed_add(s->lost, missed);
  }
}

void uvow__stream_gap(uvow_stream_t *s, uint64_t missed) {
  if (!missed || uvow__stream_ended(s))
    return;
  uvow__stream_pin(s);
  for (uvow__list_t *at = s->copies.next; at != &s->copies; at = at->next)
    add_gap(UVOW__CONTAINER(at, uvow_stream_t, link), missed);
  add_gap(s, missed);
  uvow__stream_unpin(s);
}

/* The stream is full. Whether the item is still to be taken: 0, or an error. */
static int make_room(uvow_stream_t *s) {
  switch (s->bounds.full) {
  case UVOW_FULL_DROP_OLDEST:
    while (is_full(s))
      drop_first(s);
    return 0;
  case UVOW_FULL_DROP_NEWEST:
    add_gap(s, 1);
    return 1;
  case UVOW_FULL_FAIL:
    uvow__stream_fail_code(s, UVOW_EOVERLOAD);
    if (s->ops)
      s->ops->cancel(s);
    else
      uvow__told_cancel(s);
    return UVOW_EOVERLOAD;
  default:
    return UVOW_EOVERLOAD;
  }
}

/* Takes the item, but for an error. */
static int store(uvow_stream_t *s, const uvow__item_t *item) {
  int rc = 0;
  if (!(s->flags & UVOW__STREAM_LAZY) && is_full(s))
    rc = make_room(s);
  if (rc == 0)
    rc = uvow__items_reserve(&s->items, &s->rt->mem);
  if (rc)
    return rc;
  uvow__items_append(&s->items, item);
  if (s->lost) {
    uvow__item_t *last = uvow__items_at(&s->items, s->items.count - 1);
    last->missed = uvow__missed_add(last->missed, s->lost);
    s->lost = 0;
  }
  uvow__stream_wake(s);
  return 0;
}

/* Each copy's own owner of the value. */
static int spread(uvow_stream_t *s, uvow__item_t *item) {
  int rc = 0;
  uvow__list_t *after;
  for (uvow__list_t *at = s->copies.next; rc == 0 && at != &s->copies;
       at = after) {
    after = at->next; /* one that fails leaves the list */
    uvow_stream_t *copy = UVOW__CONTAINER(at, uvow_stream_t, link);
    uvow__item_t own = *item;
    rc = uvow__value_split(s->rt, &item->value, &own.value);
    int refused = rc ? 0 : store(copy, &own);
    if (refused < 0 && !uvow__stream_ended(copy))
      add_gap(copy, 1);
    if (refused)
      uvow__value_release_later(s->rt, own.value);
  }
  return rc;
}

int uvow__stream_ended_code(const uvow_stream_t *s) {
  int code = UVOW_ECLOSED;
  if (s->end->state == UVOW_REJECTED)
    code = uvow_error_code(s->end->u.error);
  return code == UVOW_ECANCELED ? code : UVOW_ECLOSED;
}

static int refusal(const uvow_stream_t *s, const uvow_value_t *value) {
  if (uvow__stream_ended(s))
    return uvow__stream_ended_code(s);
  int fault = value->type && value->type->size != sizeof(uvow_type_t)
                  ? uvow__value_fault(value)
                  : 0;
  if (fault)
    return fault;
  if (!(s->flags & UVOW__STREAM_LAZY) && s->bounds.full == UVOW_FULL_WAIT &&
      !uvow__stream_has_room(s))
    return UVOW_EOVERLOAD;
  return 0;
}

int uvow__stream_put(uvow_stream_t *s, const uvow__item_t *item) {
  uvow__item_t own = *item;
  int rc = refusal(s, &item->value);
  uvow__stream_pin(s);
  if (rc == 0 && !uvow__list_empty(&s->copies))
    rc = spread(s, &own);
  if (rc == 0 && !reads_itself(s))
    uvow__value_release_later(s->rt, own.value);
  else if (rc == 0)
    rc = store(s, &own);
  if (rc) {
    if (rc != UVOW_ETYPE)
      uvow__value_release_later(s->rt, own.value);
    rc = rc > 0 ? 0 : rc;
  } else if (!uvow__stream_has_room(s) && !uvow__stream_ended(s)) {
    s->flags |= UVOW__STREAM_PAUSED;
    rc = 1;
  }
  uvow__stream_unpin(s);
  return rc;
}

/* Its end is settled, before which as many are missing: tells who reads, its
 * copies, which were told of their own gaps, and who waits for room. error: of
 * a failure; or NULL. */
static void announce_end(uvow_stream_t *s, const uvow_error_t *error,
                         uint64_t lost) {
  uvow__stream_pin(s);
  uvow__gate_fail_code(&s->room, uvow__stream_ended_code(s));
  while (!uvow__list_empty(&s->copies)) {
    uvow_stream_t *copy = UVOW__CONTAINER(s->copies.next, uvow_stream_t, link);
    uvow__list_remove(&copy->link);
    if (error)
      uvow__stream_fail(copy, uvow_error_ref(error));
    else
      uvow__stream_end_as(copy, s->end);
    uvow__stream_sink_gone(copy);
  }
  if (!error)
    uvow__mark_of(s->end)->missed = lost;
  if (!reads_itself(s)) /* its copies have all of it */
    uvow__gate_pass(&s->flushed);
  uvow__stream_wake(s);
  uvow__stream_unpin(s);
}

/* How many are missing before the end. */
static uint64_t take_lost(uvow_stream_t *s) {
  uint64_t lost = s->lost;
  s->lost = 0;
  return lost;
}

void uvow__stream_end(uvow_stream_t *s, uvow_value_t value) {
  if (uvow__stream_ended(s)) {
    uvow__value_release_later(s->rt, value);
    return;
  }
  uvow__future_fulfill_checked(s->end, value);
  announce_end(s, NULL, take_lost(s));
}

void uvow__stream_fail(uvow_stream_t *s, uvow_error_t *error) {
  if (uvow__stream_ended(s)) {
    uvow_error_unref(error);
    return;
  }
  const uvow__mem_t *mem = &s->rt->mem;
  if (!error)
    error = uvow__error_code(mem, UVOW_EINVAL, UVOW_OUTCOME_NONE);
  uvow__future_reject(
      s->end, uvow__error_add_missed(mem, uvow_error_ref(error), take_lost(s)));
  announce_end(s, error, 0);
  uvow_error_unref(error);
}

void uvow__stream_fail_code(uvow_stream_t *s, int code) {
  uvow__stream_fail(s, uvow__error_code(&s->rt->mem, code, UVOW_OUTCOME_NONE));
}

void uvow__stream_end_as(uvow_stream_t *s, uvow_future_t *end) {
  if (end->state == UVOW_REJECTED) {
    uvow__stream_fail(s, uvow_error_ref(end->u.error));
    return;
  }
  uvow__stream_gap(s, uvow__mark_of(end)->missed);
  uvow__stream_end(s, uvow__future_share(end));
}

void uvow__stream_let_go(uvow_stream_t *s, int code) {
  if (s->flags & UVOW__STREAM_GONE)
    return;
  uvow__stream_pin(s);
  s->flags |= UVOW__STREAM_GONE;
  if (s->flags & UVOW__SINK_OUT) {
    if (s->ops)
      s->ops->cancel(s);
    else
      uvow__told_cancel(s);
  }
  if (s->items.count && !uvow__task_queued(&s->tidy))
    uvow__stream_soon(s->rt, &s->tidy);
  uvow__gate_fail_code(&s->flushed, code);
  if (uvow__stream_ended(s))
    uvow__stream_wake(s);
  else
    uvow__stream_fail_code(s, code);
  uvow__stream_unpin(s);
}

void uvow__stream_check(uvow_stream_t *s) {
  if (reads_itself(s))
    return;
  if (uvow__list_empty(&s->copies)) {
    uvow__stream_let_go(s, UVOW_ECANCELED);
    return;
  }
  if (s->items.count && !uvow__task_queued(&s->tidy))
    uvow__stream_soon(s->rt, &s->tidy);
}

void uvow__stream_sink_gone(uvow_stream_t *s) {
  uvow__stream_pin(s);
  s->flags &= ~(uint32_t)UVOW__SINK_OUT;
  if (s->reader && (s->flags & UVOW__STREAM_GONE) &&
      (s->flags & UVOW__STREAM_ASKED)) {
    uvow__stream_unask(s);
    if (!uvow__task_queued(s->reader))
      uvow__stream_soon(s->rt, s->reader);
  }
  uvow__gate_pass(&s->closed);
  uvow__told_withdraw(s);
  while (!uvow__list_empty(&s->copies)) { /* see tee_cancel */
    uvow_stream_t *copy = UVOW__CONTAINER(s->copies.next, uvow_stream_t, link);
    uvow__list_remove(&copy->link);
    uvow__stream_sink_gone(copy);
  }
  uvow__stream_unpin(s);
}

int uvow__stream_claim(uvow_stream_t *s, uvow__task_t *task) {
  if (s->reader || !uvow__list_empty(&s->nexts))
    return UVOW_EBUSY;
  s->reader = task;
  return 0;
}

void uvow__stream_read(uvow_stream_t *s) {
  uvow__gate_pass(&s->flushed);
}

void uvow__stream_leave(uvow_stream_t *s) {
  if (!s)
    return;
  s->reader = NULL;
  uvow__stream_unask(s);
  uvow_stream_unref(s);
}

int uvow__stream_leave_slowly(uvow_stream_t *s) {
  uvow__stream_unask(s);
  if (s->handles == 1 && uvow__list_empty(&s->copies))
    uvow__stream_let_go(s, UVOW_ECANCELED);
  if ((s->flags & (UVOW__SINK_OUT | UVOW__STREAM_GONE)) ==
      (UVOW__SINK_OUT | UVOW__STREAM_GONE)) {
    s->flags |= UVOW__STREAM_ASKED;
    return 0;
  }
  uvow__stream_leave(s);
  return 1;
}

uvow_stream_t *uvow_stream_ref(uvow_stream_t *s) {
  if (s)
    s->handles++;
  return s;
}

void uvow_stream_unref(uvow_stream_t *s) {
  if (!s)
    return;
  uvow__stream_pin(s);
  if (--s->handles == 0)
    uvow__stream_check(s);
  uvow__stream_unpin(s);
}
