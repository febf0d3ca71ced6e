/*
 * each: a callback for each item, one after the other.
 *
 *   WAITING --an item--> run_each --cb--> asks for the next: WAITING
 *                           |        |
 *                           |        +-- a future: INNER --settled--> run_each
 *                           +--end--> settled
 *
 * 1. All of it lies in the tail of the future that it returns, and its task is
 *    in one list at most: so an item takes no memory.
 * 2. A callback's item lies in a future of its own (the cell), used again for
 *    the next item unless the callback kept it. While the callback runs, only
 *    run_item has the cell.
 * 3. One item a task: other tasks have their turn in between.
 */
#include "stream_cell.h"

#include <string.h>

#include "fail.h"
#include "misuse.h"

typedef struct each {
  uvow__task_t task;
  uvow_stream_t *stream; /* its handle; NULL: it has left */
  uvow_then_cb cb;       /* NULL: items are released */
  void *data;
  uvow_future_t *cell;  /* NULL: to be made */
  uvow_future_t *inner; /* what the callback has answered; NULL: none */
} each_t;

_Static_assert(sizeof(each_t) <= UVOW__BLOCK_TAIL, "a tail holds it");

static each_t *each_of(uvow_future_t *f) {
  return (each_t *)(void *)(f + 1);
}

static uvow_future_t *future_of(each_t *each) {
  return (uvow_future_t *)(void *)each - 1;
}

/* Leaves the stream: its source is told before anybody is whom the future's end
 * tells. The future is to be settled, and one reference of it released. */
static void leave(each_t *each) {
  uvow_stream_t *s = each->stream;
  uvow__task_cancel(&each->task);
  each->stream = NULL;
  uvow_future_unref(each->cell);
  each->cell = NULL;
  uvow__stream_leave(s);
}

/* Takes the error. */
static void fail(each_t *each, uvow_error_t *error) {
  uvow_future_t *f = future_of(each);
  leave(each);
  uvow__future_reject(f, error);
  uvow_future_unref(f);
}

static void reject_each(uvow_future_t *f, int code) {
  uvow_future_t *inner = each_of(f)->inner;
  leave(each_of(f));
  uvow__future_reject_code(f, code);
  uvow__future_drop(inner);
  uvow_future_unref(f);
}

uvow_future_t *uvow__cell_clear(uvow_future_t *cell) {
  if (cell->refs > 1) {
    uvow_future_unref(cell);
    return NULL;
  }
  if (cell->state == UVOW_REJECTED) {
    uvow_error_unref(cell->u.error);
    cell->state = UVOW_FULFILLED;
  } else {
    uvow__value_release_later(cell->rt, cell->u.value);
  }
  cell->u.value = uvow_value_none();
  return cell;
}

/* Waits for a future that the callback has answered, which it takes. */
static void wait_for(each_t *each, uvow_future_t *inner) {
  uvow_future_t *f = future_of(each);
  int code = uvow__future_adoptable(f, inner);
  if (code) {
    uvow_future_unref(inner);
    fail(each, uvow__error_code(&f->rt->mem, code, UVOW_OUTCOME_NONE));
    return;
  }
  each->inner = inner;
  uvow__future_watch(inner, &each->task);
}

/* What the callback has answered, but for passing. */
static UVOW__APART void go_on(each_t *each, uvow_next_t *next) {
  uvow_future_t *f = future_of(each);
  uvow__next_plain(next);
  switch (next->kind) {
  case UVOW_NEXT_VALUE:
    if (next->u.value.type)
      uvow__value_release_later(each->stream->rt, next->u.value);
    break;
  case UVOW_NEXT_FUTURE:
    wait_for(each, next->u.future);
    return;
  case UVOW_NEXT_END:
    leave(each);
    uvow__future_fulfill_checked(f, next->u.value);
    uvow_future_unref(f);
    return;
  default:
    fail(each, uvow__next_error(f, next));
    return;
  }
  uvow__stream_ask(each->stream);
}

/* first: of the stream. */
static inline void run_item(each_t *each, const uvow__item_t *first) {
  uvow_future_t *f = future_of(each);
  uvow_future_t *cell = each->cell;
  uvow_result_t result;
  each->cell = NULL;
  uvow__cell_fill(cell, first, &result);
  uvow__items_pop(&each->stream->items, first);
  if (each->stream->flags & UVOW__STREAM_PAUSED)
    uvow__stream_resume(each->stream);
  f->refs++;
  uvow__lend(&result);
  uvow_next_t next = each->cb(&result, each->data);
  uvow__check_lent(&result, &next);
  cell = uvow__cell_empty(cell);
  if (f->state == UVOW_PENDING) {
    each->cell = cell;
    if (next.kind == UVOW_NEXT_PASS)
      uvow__stream_ask(each->stream);
    else
      go_on(each, &next);
  } else { /* canceled from within its callback */
    uvow_future_unref(cell);
    uvow__next_drop(&next);
  }
  uvow__future_unref(f);
}

/* What the callback has answered is settled. Whether it goes on. */
static int inner_settled(each_t *each) {
  uvow_future_t *inner = each->inner;
  int failed = inner->state == UVOW_REJECTED;
  each->inner = NULL;
  if (failed)
    fail(each, uvow_error_ref(inner->u.error));
  uvow_future_unref(inner);
  return !failed;
}

static void settle(each_t *each) {
  uvow_future_t *f = future_of(each);
  uvow_future_t *end = uvow_future_ref(each->stream->end);
  uvow__stream_read(each->stream);
  leave(each);
  uvow__stream_forward_end(f, end);
  uvow_future_unref(end);
  uvow_future_unref(f);
}

static void run_each(uvow__task_t *task) {
  each_t *each = UVOW__CONTAINER(task, each_t, task);
  uvow__item_t item;
  if (each->inner && !inner_settled(each))
    return;
  if (each->cb && uvow__cell_make(each->stream->rt, &each->cell)) {
    fail(each, uvow__error_nomem());
    return;
  }
  uvow_stream_t *s = each->stream;
  if (each->cb && s->items.count && !(s->flags & UVOW__STREAM_GONE)) {
    run_item(each, uvow__items_at(&s->items, 0));
    return;
  }
  int got = uvow__stream_take(s, &item);
  if (got == UVOW__STREAM_END) {
    settle(each);
    return;
  }
  if (got == UVOW__STREAM_ITEM)
    uvow__value_release_later(each->stream->rt, item.value);
  uvow__stream_ask(each->stream);
}

/* Takes the stream. */
static uvow_future_t *each_new(uvow_stream_t *s, uvow_then_cb cb, void *data) {
  uvow_future_t *f =
      uvow__future_new(s->rt, 2, UVOW__BLOCK | UVOW__PROMISE | UVOW__OWNED);
  if (!f) {
    uvow_stream_unref(s);
    return NULL;
  }
  each_t *each = each_of(f);
  f->cb.reject = reject_each;
  uvow__task_init(&each->task, run_each);
  each->stream = s;
  each->cb = cb;
  each->data = data;
  each->cell = NULL;
  each->inner = NULL;
  if (uvow__stream_claim(s, &each->task)) {
    uvow_stream_unref(s);
    uvow__future_reject_code(f, UVOW_EBUSY);
    uvow_future_unref(f);
    return f;
  }
  uvow__stream_ask(s);
  return f;
}

uvow_future_t *uvow_stream_each(uvow_stream_t *s, uvow_then_cb cb, void *data) {
  if (!s)
    return NULL;
  if (cb)
    return each_new(s, cb, data);
  uvow_loop_t *loop = uvow__runtime_loop(s->rt);
  uvow_stream_unref(s);
  return uvow_future_rejected(
      loop, uvow__invalid(uvow__runtime_of(loop), "cb", uvow__fail_null));
}

uvow_future_t *uvow__stream_drain(uvow_stream_t *s) {
  return s ? each_new(s, NULL, NULL) : NULL;
}

void uvow__next_plain(uvow_next_t *next) {
  if (next->kind != UVOW_NEXT_STREAM)
    return;
  next->kind = UVOW_NEXT_FUTURE;
  next->u.future = uvow__stream_drain(next->u.stream);
}
