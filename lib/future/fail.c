/*
 * Why the last call on a loop failed: see base/reason.h.
 *
 * 1. A destructor that runs within a call that fails may fail itself: it doesn't
 *    replace the call's own failure.
 * 2. What passes a NULL on notes nothing: the first failure of a chain of calls
 *    is the one that is told.
 * 3. Memory that runs out is noted where it does: by the allocator of the loop,
 *    and by a pool that can't grow, or is sealed as the loop is closed.
 */
#include "fail.h"

const char uvow__fail_null[] = "must not be NULL";
const char uvow__fail_zero[] = "must not be 0";
const char uvow__fail_closed[] = "the loop is closed";

static uvow__reason_t *reason_of(uvow_loop_t *loop) {
  return loop ? &uvow__runtime_of(loop)->reason : NULL;
}

int uvow__fail(uvow_loop_t *loop, int code, const char *argument,
               const char *expected) {
  return uvow__reason_note(reason_of(loop), code, argument, expected);
}

void *uvow__refuse(uvow_loop_t *loop, int code, const char *argument,
                   const char *expected) {
  uvow__reason_note(reason_of(loop), code, argument, expected);
  return NULL;
}

int uvow__fail_number(uvow_loop_t *loop, int code, const char *argument,
                      uint64_t number, const char *expected) {
  return uvow__reason_note_number(reason_of(loop), code, argument, number,
                                  expected);
}

int uvow__fail_error(uvow_loop_t *loop, uvow_error_t *error) {
  return uvow__reason_note_error(reason_of(loop), error);
}

void uvow__fail_destroy(uvow_loop_t *loop, uvow_destroy_cb destroy,
                        void *data) {
  if (!loop) {
    destroy(data);
    return;
  }
  uvow__runtime_t *rt = uvow__runtime_of(loop);
  uvow__reason_t kept = rt->reason;
  rt->reason.error = NULL;
  rt->pins++; /* it may close the loop */
  destroy(data);
  uvow__reason_done(&rt->reason);
  rt->reason = kept;
  rt->pins--;
  uvow__runtime_maybe_release(rt);
}

uvow_error_t *uvow__invalid(uvow__runtime_t *rt, const char *argument,
                            const char *expected) {
  uvow__reason_t reason = {0};
  uvow__reason_note(&reason, UVOW_EINVAL, argument, expected);
  (void)uvow__reason_error(&reason, &rt->mem);
  return reason.error;
}

const uvow_error_t *uvow__failed(uvow_loop_t *loop) {
  if (!loop)
    return uvow__error_code(&uvow__mem_default, UVOW_EINVAL, UVOW_OUTCOME_NONE);
  return uvow__reason_error(reason_of(loop), &uvow__runtime_of(loop)->mem);
}
