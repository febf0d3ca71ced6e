#ifndef UVOW__GATE_H
#define UVOW__GATE_H

#include "future.h"

/*
 * A condition that many wait for, each with a future of its own: so that one
 * reader's cancel or timeout is nobody else's. Lives in what knows the
 * condition, which asks it no more once the condition holds.
 */
typedef struct uvow__gate {
  uvow__runtime_t *rt;
  uvow__list_t waits; /* of the futures' tails, in the order of asking */
} uvow__gate_t;

void uvow__gate_init(uvow__gate_t *gate, uvow__runtime_t *rt);
/* Another future of the condition. Its owner needn't look at it: a rejection
 * isn't reported. Returns new; NULL: no memory, or the loop is closed. */
uvow_future_t *uvow__gate_wait(uvow__gate_t *gate);
/* Whether somebody waits. */
static inline int uvow__gate_awaited(const uvow__gate_t *gate) {
  return !uvow__list_empty(&gate->waits);
}
/* The condition holds: fulfills (no value) all who wait, in order. Who asks
 * later waits for the next time. */
void uvow__gate_pass(uvow__gate_t *gate);
/* It never will: rejects all who wait. Borrows the error. */
void uvow__gate_fail(uvow__gate_t *gate, const uvow_error_t *error);

/* Whether a future waits at a gate. */
int uvow__gate_holds(const uvow_future_t *f);

#endif
