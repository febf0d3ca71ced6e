/*
 * Gates: one condition, a future for each who asks.
 *
 * 1. Who waits is a root with two owners, the asker and the gate, and stands in
 *    the gate's list by its tail.
 * 2. A cancel takes it out of the list and rejects it: O(1), and nobody else
 *    learns of it. The loop's close does the same to each.
 * 3. Settling queues the reactions and runs nothing: the gate can't change
 *    while it goes through its list.
 */
#include "gate.h"

#include <assert.h>

static uvow__list_t *link_of(uvow_future_t *f) {
  return (uvow__list_t *)(void *)(f + 1);
}

_Static_assert(sizeof(uvow__list_t) <= UVOW__BLOCK_TAIL, "a tail holds it");

static void on_reject(uvow_future_t *f, int code) {
  uvow__list_remove(link_of(f));
  uvow__future_reject_code(f, code);
  uvow_future_unref(f);
}

void uvow__gate_init(uvow__gate_t *gate, uvow__runtime_t *rt) {
  gate->rt = rt;
  uvow__list_init(&gate->waits);
}

uvow_future_t *uvow__gate_wait(uvow__gate_t *gate) {
  uvow_future_t *f = uvow__future_new(
      gate->rt, 2, UVOW__BLOCK | UVOW__PROMISE | UVOW__OWNED | UVOW__OBSERVED);
  if (!f)
    return NULL;
  f->cb.reject = on_reject;
  uvow__list_append(&gate->waits, link_of(f));
  return f;
}

/* The first who waits, no longer in the list; NULL: none. */
static uvow_future_t *take_first(uvow__gate_t *gate) {
  uvow__list_t *first = gate->waits.next;
  if (first == &gate->waits)
    return NULL;
  uvow__list_remove(first);
  return (uvow_future_t *)(void *)first - 1;
}

void uvow__gate_pass(uvow__gate_t *gate) {
  uvow_future_t *f;
  while ((f = take_first(gate)) != NULL) {
    uvow__future_fulfill(f, uvow_value_none());
    uvow_future_unref(f);
  }
}

void uvow__gate_fail(uvow__gate_t *gate, const uvow_error_t *error) {
  uvow_future_t *f;
  while ((f = take_first(gate)) != NULL) {
    uvow__future_reject(f, uvow_error_ref(error));
    uvow_future_unref(f);
  }
}

int uvow__gate_holds(const uvow_future_t *f) {
  return f->state == UVOW_PENDING && (f->flags & UVOW__OWNED) &&
         f->cb.reject == on_reject;
}
