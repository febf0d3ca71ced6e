/*
 * Failures: noted cheaply, told on demand.
 *
 * 1. A note is a few stores and releases the error of the one before; the error
 *    of this one is made when somebody asks, and kept until the next note.
 * 2. Asking never fails: without memory the answer is the static error of the
 *    code, or of UVOW_ENOMEM.
 */
#include "reason.h"

#include <stdio.h>
#include <string.h>

#include "error.h"

int uvow__reason_note(uvow__reason_t *reason, int code, const char *argument,
                      const char *expected) {
  if (!reason)
    return code;
  uvow__reason_done(reason);
  reason->code = code;
  reason->has_number = 0;
  reason->argument = argument;
  reason->expected = expected;
  return code;
}

int uvow__reason_note_number(uvow__reason_t *reason, int code,
                             const char *argument, uint64_t number,
                             const char *expected) {
  uvow__reason_note(reason, code, argument, expected);
  if (reason) {
    reason->number = number;
    reason->has_number = 1;
  }
  return code;
}

int uvow__reason_note_error(uvow__reason_t *reason, uvow_error_t *error) {
  int code = uvow_error_code(error);
  if (!error || !reason) {
    uvow_error_unref(error);
    return code;
  }
  uvow__reason_note(reason, code, NULL, NULL);
  reason->error = error;
  return code;
}

/* Returns its length; 0: there's nothing to say but the code. */
static int sentence(const uvow__reason_t *reason, char *text, size_t size) {
  if (reason->has_number)
    return snprintf(text, size, "%s is %llu: %s", reason->argument,
                    (unsigned long long)reason->number, reason->expected);
  if (reason->argument && reason->expected)
    return snprintf(text, size, "%s %s", reason->argument, reason->expected);
  const char *only = reason->argument ? reason->argument : reason->expected;
  return only ? snprintf(text, size, "%s", only) : 0;
}

const uvow_error_t *uvow__reason_error(uvow__reason_t *reason,
                                       const uvow__mem_t *mem) {
  char text[256];
  uvow__error_spec_t spec = {0};
  if (reason->error)
    return reason->error;
  if (reason->code == 0)
    return uvow__error_none();
  int len = sentence(reason, text, sizeof(text));
  if (len <= 0) {
    reason->error = uvow__error_code(mem, reason->code, UVOW_OUTCOME_NONE);
    return reason->error;
  }
  spec.code = reason->code;
  spec.detail.ptr = text;
  spec.detail.len = (size_t)len < sizeof(text) ? (size_t)len : sizeof(text) - 1;
  reason->error = uvow__error_make(mem, &spec);
  return reason->error;
}

void uvow__reason_done(uvow__reason_t *reason) {
  uvow_error_t *error = reason->error;
  reason->error = NULL;
  uvow_error_unref(error);
}
