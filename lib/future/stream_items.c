/*
 * The items that wait in a stream.
 *
 * 1. The ring's memory grows with what waits, and stays: a stream that is warm
 *    calls no malloc.
 * 2. A value that a user made is released from the task queue: in a link, which
 *    is its place in it. Where there is no memory for that, at once: whoever
 *    drops a value does it last.
 */
#include "stream_items.h"

#include <string.h>

#include "bytes.h"
#include "base/own.h"

static void error_ref(void *ptr) {
  const uvow_error_t *error = uvow_error_ref((const uvow_error_t *)ptr);
  (void)error;
}

static void error_destroy(void *ptr) {
  uvow_error_unref((uvow_error_t *)ptr);
}

const uvow_type_t uvow__type_error = {
    sizeof(uvow_type_t), uvow__own_names.error, error_ref, error_destroy};

void uvow__items_init(uvow__items_t *items) {
  memset(items, 0, sizeof(*items));
  items->cap = 1;
}

static int grow(uvow__items_t *items, const uvow__mem_t *mem, size_t cap) {
  size_t size;
  if (uvow__size_mul(cap, sizeof(uvow__item_t), &size))
    return UVOW_ENOMEM;
  uvow__item_t *ring = (uvow__item_t *)uvow__malloc(mem, size);
  if (!ring)
    return UVOW_ENOMEM;
  for (size_t i = 0; i < items->count; i++)
    ring[i] = *uvow__items_at(items, i);
  uvow__free(mem, items->ring);
  items->ring = ring;
  items->head = 0;
  items->cap = cap;
  return 0;
}

int uvow__items_reserve(uvow__items_t *items, const uvow__mem_t *mem) {
  if (items->count < items->cap)
    return 0;
  return grow(items, mem, items->cap < 8 ? 8 : items->cap * 2);
}

int uvow__items_reserve_all(uvow__items_t *items, const uvow__mem_t *mem,
                            size_t count) {
  size_t cap = items->cap;
  while (cap < count) /* which somebody has pointers to */
    cap *= 2;
  return cap == items->cap ? 0 : grow(items, mem, cap);
}

void uvow__items_done(uvow__items_t *items, const uvow__mem_t *mem) {
  uvow__item_t item;
  while (items->count) {
    uvow__items_take(items, &item);
    uvow__value_drop(&item.value);
  }
  uvow__free(mem, items->ring);
  items->ring = NULL;
  items->head = 0;
  items->cap = 1;
}

size_t uvow__value_weight(const uvow_value_t *value) {
  uvow__slice_t bytes;
  return uvow__value_bytes_in(value, &bytes) ? 0 : bytes.len;
}

static void run_release(uvow__task_t *task) {
  uvow_future_unref(UVOW__CONTAINER(task, uvow_future_t, task));
}

void uvow__value_release_later(uvow__runtime_t *rt, uvow_value_t value) {
  if (!value.type || !value.type->destroy)
    return;
  uvow_future_t *f = NULL;
  if (value.type != &uvow_type_bytes && value.type != &uvow__type_error)
    f = uvow__future_new(rt, 1, UVOW__OBSERVED);
  if (!f) {
    value.type->destroy(value.as.ptr);
    return;
  }
  uvow__future_fulfill(f, value);
  f->task.run = run_release;
  uvow__runtime_push(rt, &f->task);
}

int uvow__value_make_shared(uvow__runtime_t *rt, uvow_value_t *value) {
  if (!value->type || !value->type->destroy || value->type->ref)
    return 0;
  uvow_future_t *f = uvow__future_new(rt, 1, UVOW__OBSERVED);
  if (!f)
    return UVOW_ENOMEM;
  uvow__future_fulfill(f, *value);
  *value = uvow_value_ptr(&uvow__type_shared, f);
  return 0;
}

int uvow__value_split(uvow__runtime_t *rt, uvow_value_t *value,
                      uvow_value_t *ret) {
  if (uvow__value_make_shared(rt, value))
    return UVOW_ENOMEM;
  *ret = *value;
  if (value->type && value->type->destroy)
    value->type->ref(value->as.ptr);
  return 0;
}
