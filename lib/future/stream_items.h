#ifndef UVOW__STREAM_ITEMS_H
#define UVOW__STREAM_ITEMS_H

#include "future.h"

/* What waits in a stream. A gap is an item without value that counts in no
 * bound. */
typedef struct uvow__item {
  uvow_value_t value; /* of uvow__type_error: an item with an error */
  uint64_t missed;    /* before it */
  int is_gap;
} uvow__item_t;

/* Items in order: a ring, which begins with room for one in itself. */
typedef struct uvow__items {
  uvow__item_t *ring; /* NULL: own */
  uvow__item_t own;
  size_t head;
  size_t count;
  size_t cap; /* a power of two */
  size_t gaps;
  size_t bytes; /* of values that are bytes */
} uvow__items_t;

void uvow__items_init(uvow__items_t *items);
/* Makes room for one more: 0, or UVOW_ENOMEM. */
int uvow__items_reserve(uvow__items_t *items, const uvow__mem_t *mem);
/* Makes room for `count`. */
int uvow__items_reserve_all(uvow__items_t *items, const uvow__mem_t *mem,
                            size_t count);
/* Releases all, one after the other, and its memory. */
void uvow__items_done(uvow__items_t *items, const uvow__mem_t *mem);

/* An error as a value. */
extern const uvow_type_t uvow__type_error;

/* How much of a bound of bytes a value takes. */
size_t uvow__value_weight(const uvow_value_t *value);
/* Releases a value that a user may have made, from the task queue. */
void uvow__value_release_later(uvow__runtime_t *rt, uvow_value_t value);
/* Moves a value without `ref` into a future of its own, so that it may have
 * several owners: 0, or UVOW_ENOMEM. */
int uvow__value_make_shared(uvow__runtime_t *rt, uvow_value_t *value);
/* One more owner of a value, in ret: 0, or UVOW_ENOMEM. One without `ref` is
 * moved into a future of its own first. */
int uvow__value_split(uvow__runtime_t *rt, uvow_value_t *value,
                      uvow_value_t *ret);

static inline uvow__item_t *uvow__items_at(uvow__items_t *items, size_t i) {
  uvow__item_t *ring = items->ring ? items->ring : &items->own;
  return &ring[(items->head + i) & (items->cap - 1)];
}

/* There is room. Takes the value. */
static inline void uvow__items_append(uvow__items_t *items,
                                      const uvow__item_t *item) {
  uvow__item_t *at = uvow__items_at(items, items->count++);
  uvow__value_copy(&at->value, &item->value);
  at->missed = item->missed;
  at->is_gap = item->is_gap;
  items->gaps += (size_t)item->is_gap;
  if (at->value.type && at->value.type->destroy)
    items->bytes += uvow__value_weight(&at->value);
}

/* The first has been copied, from where it is: it's the caller's now. */
static inline void uvow__items_pop(uvow__items_t *items,
                                   const uvow__item_t *first) {
  items->head = (items->head + 1) & (items->cap - 1);
  items->count--;
  if (first->is_gap)
    items->gaps--;
  if (first->value.type && first->value.type->destroy)
    items->bytes -= uvow__value_weight(&first->value);
}

/* The first, which is the caller's now. There is one. */
static inline void uvow__items_take(uvow__items_t *items, uvow__item_t *ret) {
  uvow__item_t *at = uvow__items_at(items, 0);
  uvow__value_copy(&ret->value, &at->value);
  ret->missed = at->missed;
  ret->is_gap = at->is_gap;
  uvow__items_pop(items, at);
}

/* Two counts of what is missing, together. */
static inline uint64_t uvow__missed_add(uint64_t a, uint64_t b) {
  return a > UVOW_MISSED_UNKNOWN - b ? UVOW_MISSED_UNKNOWN : a + b;
}

#endif
