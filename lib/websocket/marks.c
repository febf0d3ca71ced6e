/*
 * Marks: who waits for a count.
 *
 * 1. Who waits is a root with two owners, the asker and the marks, and stands in
 *    the list by its tail; a cancel takes it out, in O(1).
 * 2. Marks only grow, so those who are to be told stand in front.
 */
#include "marks.h"

typedef struct wait {
  uvow__list_t link;
  uint64_t mark;
} wait_t;

_Static_assert(sizeof(wait_t) <= UVOW__BLOCK_TAIL, "a tail holds it");

static wait_t *wait_of(uvow_future_t *f) {
  return (wait_t *)(void *)(f + 1);
}

static uvow_future_t *future_of(wait_t *wait) {
  return (uvow_future_t *)(void *)wait - 1;
}

static wait_t *wait_at(uvow__list_t *link) {
  return UVOW__CONTAINER(link, wait_t, link);
}

static void on_reject(uvow_future_t *f, int code) {
  uvow__list_remove(&wait_of(f)->link);
  uvow__future_reject_code(f, code);
  uvow_future_unref(f);
}

void uvow__marks_init(uvow__marks_t *marks, uvow__runtime_t *rt) {
  marks->rt = rt;
  uvow__list_init(&marks->waits);
}

uvow_future_t *uvow__marks_wait(uvow__marks_t *marks, uint64_t mark) {
  uvow_future_t *f = uvow__future_new(
      marks->rt, 2, UVOW__BLOCK | UVOW__PROMISE | UVOW__OWNED | UVOW__OBSERVED);
  if (!f)
    return NULL;
  f->cb.reject = on_reject;
  wait_of(f)->mark = mark;
  uvow__list_append(&marks->waits, &wait_of(f)->link);
  return f;
}

void uvow__marks_fix(uvow__marks_t *marks, uint64_t mark) {
  for (uvow__list_t *at = marks->waits.prev; at != &marks->waits;
       at = at->prev) {
    if (wait_at(at)->mark != UVOW__MARK_LATER)
      return;
    wait_at(at)->mark = mark;
  }
}

void uvow__marks_pass(uvow__marks_t *marks, uint64_t reached) {
  while (!uvow__list_empty(&marks->waits)) {
    wait_t *wait = wait_at(marks->waits.next);
    if (wait->mark > reached)
      return;
    uvow__list_remove(&wait->link);
    uvow__future_fulfill(future_of(wait), uvow_value_none());
    uvow_future_unref(future_of(wait));
  }
}

void uvow__marks_fail(uvow__marks_t *marks, const uvow_error_t *error) {
  while (!uvow__list_empty(&marks->waits)) {
    wait_t *wait = wait_at(marks->waits.next);
    uvow__list_remove(&wait->link);
    uvow__future_reject(future_of(wait), uvow_error_ref(error));
    uvow_future_unref(future_of(wait));
  }
}
