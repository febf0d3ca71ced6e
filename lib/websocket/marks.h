#ifndef UVOW__MARKS_H
#define UVOW__MARKS_H

#include "future/future.h"

/*
 * Those who wait until a count has come so far, each with a future of its own,
 * as at a gate. Who comes later waits for no less. Lives in what counts.
 */
typedef struct uvow__marks {
  uvow__runtime_t *rt;
  uvow__list_t waits; /* of the futures' tails, in the order of asking */
} uvow__marks_t;

/* Where the count will be isn't known yet: see uvow__marks_fix. */
#define UVOW__MARK_LATER UINT64_MAX

void uvow__marks_init(uvow__marks_t *marks, uvow__runtime_t *rt);
static inline int uvow__marks_awaited(const uvow__marks_t *marks) {
  return !uvow__list_empty(&marks->waits);
}
/* Another who waits. Its owner needn't look at it: a rejection isn't reported.
 * Returns new; NULL: no memory, or the loop is closed. */
uvow_future_t *uvow__marks_wait(uvow__marks_t *marks, uint64_t mark);
/* Those who wait for UVOW__MARK_LATER wait for this. */
void uvow__marks_fix(uvow__marks_t *marks, uint64_t mark);
/* The count has come so far: fulfills (no value) who waited for that, in order.
 */
void uvow__marks_pass(uvow__marks_t *marks, uint64_t reached);
/* It will come no further: rejects all. Borrows the error. */
void uvow__marks_fail(uvow__marks_t *marks, const uvow_error_t *error);

#endif
