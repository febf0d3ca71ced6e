/*
 * Reading by futures: next, first, close; and what a result says of its item.
 *
 * 1. Who waits for a next is a root with two owners, the asker and the stream,
 *    and stands in the stream's list by its tail. It is settled when an item is
 *    there; so one that is canceled has taken none.
 * 2. The end, and an item before which some are missing, are values of futures
 *    of their own (marks), which every link down a chain keeps: so
 *    uvow_result_is_end and uvow_result_missed hold behind a timeout as well.
 *    Errors say it themselves.
 * 3. An item for which there is no mark stays; the one who asked is rejected.
 */
#include "stream.h"

typedef struct next {
  uvow__list_t link;
  uvow_stream_t *stream;
} next_t;

_Static_assert(sizeof(next_t) <= UVOW__BLOCK_TAIL, "a tail holds it");

static next_t *next_of(uvow_future_t *f) {
  return (next_t *)(void *)(f + 1);
}

static void reject_next(uvow_future_t *f, int code) {
  uvow_stream_t *s = next_of(f)->stream;
  uvow__list_remove(&next_of(f)->link);
  uvow__future_reject_code(f, code);
  uvow_future_unref(f);
  uvow__stream_pin(s);
  uvow__stream_check(s);
  uvow__stream_unpin(s);
}

int uvow__mark_value(uvow__runtime_t *rt, uvow_value_t *value,
                     uint64_t missed) {
  uvow_future_t *mark = uvow__mark_new(rt, 0, UVOW__MARK_ITEM, missed);
  if (!mark)
    return UVOW_ENOMEM;
  uvow__future_fulfill(mark, *value);
  *value = uvow_value_ptr(&uvow__type_shared, mark);
  return 0;
}

void uvow__stream_forward_end(uvow_future_t *f, uvow_future_t *end) {
  uint64_t missed = uvow__mark_of(end)->missed;
  if (!missed || end->state == UVOW_REJECTED) {
    uvow__future_forward(f, end);
    return;
  }
  uvow_value_t value = uvow__future_share(end);
  if (uvow__mark_value(f->rt, &value, missed) == 0) {
    uvow__future_fulfill(f, value);
    return;
  }
  uvow__value_release_later(f->rt, value);
  uvow__future_reject(f, uvow__error_nomem());
}

static void settle_with_item(uvow_stream_t *s, uvow_future_t *f) {
  uvow__item_t *first = uvow__items_at(&s->items, 0);
  uvow__item_t item;
  if (first->missed && first->value.type != &uvow__type_error &&
      uvow__mark_value(s->rt, &first->value, first->missed)) {
    uvow__future_reject(f, uvow__error_nomem());
    return;
  }
  uvow__items_take(&s->items, &item);
  if (item.value.type == &uvow__type_error)
    uvow__future_reject(
        f, uvow__error_add_missed(
               &s->rt->mem, (uvow_error_t *)item.value.as.ptr, item.missed));
  else
    uvow__future_fulfill(f, item.value);
}

static void settle_with_end(uvow_stream_t *s, uvow_future_t *f) {
  if (s->end->state == UVOW_REJECTED)
    uvow__future_reject(f, uvow_error_ref(s->end->u.error));
  else
    uvow__future_fulfill(
        f, uvow_value_ptr(&uvow__type_shared, uvow_future_ref(s->end)));
  uvow__stream_read(s);
}

void uvow__stream_settle_nexts(uvow_stream_t *s) {
  uvow__stream_pin(s);
  while (!uvow__list_empty(&s->nexts) && uvow__stream_ready(s)) {
    next_t *next = UVOW__CONTAINER(s->nexts.next, next_t, link);
    uvow_future_t *f = (uvow_future_t *)(void *)next - 1;
    uvow__list_remove(&next->link);
    if (s->items.count && !(s->flags & UVOW__STREAM_GONE))
      settle_with_item(s, f);
    else
      settle_with_end(s, f);
    uvow_future_unref(f);
  }
  uvow__stream_resume(s);
  uvow__stream_check(s);
  uvow__stream_unpin(s);
}

uvow_future_t *uvow_stream_next(uvow_stream_t *s) {
  if (!s)
    return NULL;
  uvow_future_t *f =
      uvow__future_new(s->rt, 2, UVOW__BLOCK | UVOW__PROMISE | UVOW__OWNED);
  if (!f)
    return NULL;
  if (s->reader) {
    uvow__future_reject_code(f, UVOW_EBUSY);
    uvow_future_unref(f);
    return f;
  }
  f->cb.reject = reject_next;
  next_of(f)->stream = s;
  uvow__list_append(&s->nexts, &next_of(f)->link);
  uvow__stream_settle_nexts(s);
  return f;
}

static uvow_next_t on_first(const uvow_result_t *result, void *data) {
  (void)data;
  if (uvow_result_is_end(result))
    return uvow_next_code(UVOW_ECLOSED, "the stream ended without an item");
  return uvow_next_pass();
}

uvow_future_t *uvow_stream_first(uvow_stream_t *s) {
  uvow_future_t *f = uvow_stream_next(s);
  uvow_stream_unref(s);
  return uvow_future_then(f, on_first, NULL);
}

uvow_future_t *uvow_stream_close(uvow_stream_t *s) {
  if (!s)
    return NULL;
  uvow_future_t *f = uvow__gate_wait(&s->closed);
  uvow__stream_pin(s);
  s->handles--;
  uvow__stream_let_go(s, UVOW_ECANCELED);
  if (!(s->flags & UVOW__SINK_OUT))
    uvow__gate_pass(&s->closed);
  uvow__stream_unpin(s);
  return f;
}

size_t uvow_stream_waiting(const uvow_stream_t *s) {
  return s && !(s->flags & UVOW__STREAM_GONE) ? s->items.count : 0;
}

/* The mark that the result comes from, or NULL. */
static const uvow_future_t *mark_of(const uvow_result_t *result) {
  const uvow_future_t *f = result ? result->source : NULL;
  return f && (f->flags & UVOW__BLOCK) && f->spare ? f : NULL;
}

int uvow_result_is_end(const uvow_result_t *result) {
  const uvow_future_t *mark = mark_of(result);
  return mark && !result->error && mark->spare == UVOW__MARK_END;
}

uint64_t uvow_result_missed(const uvow_result_t *result) {
  const uvow_future_t *mark = mark_of(result);
  uint64_t of_error = result ? uvow__error_missed(result->error) : 0;
  return uvow__missed_add(mark ? uvow__mark_of(mark)->missed : 0, of_error);
}
