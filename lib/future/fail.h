#ifndef UVOW__FAIL_H
#define UVOW__FAIL_H

#include "base/options.h"
#include "runtime.h"

/*
 * How a call says why it fails: for uvow_loop_error. Each accepts a NULL loop,
 * and costs a few stores; texts are static. The sentence is made when somebody
 * asks: "<argument> <expected>", as in "url must not be NULL".
 *
 * A call that runs out of memory needn't say so: the loop's allocator does.
 */

/* Notes why. Returns the code. */
UVOW__APART int uvow__fail(uvow_loop_t *loop, int code, const char *argument,
                           const char *expected);
/* The same for a constructor. Returns NULL. */
UVOW__APART void *uvow__refuse(uvow_loop_t *loop, int code,
                               const char *argument, const char *expected);
/* "<argument> is <number>: <expected>". Returns the code. */
UVOW__APART int uvow__fail_number(uvow_loop_t *loop, int code,
                                  const char *argument, uint64_t number,
                                  const char *expected);
/* The reason is an error. Takes it; accepts NULL: then nothing is noted, and 0
 * returned. Returns its code. */
UVOW__APART int uvow__fail_error(uvow_loop_t *loop, uvow_error_t *error);
/* Destroys what a call was given that fails, and has noted why: what destroy
 * calls may fail in its turn, and this failure is the last one still. */
UVOW__APART void uvow__fail_destroy(uvow_loop_t *loop, uvow_destroy_cb destroy,
                                    void *data);

/* The options that a call was given, as uvow__options; noted where they can't be
 * read. `given` is the argument's name. */
static inline const void *uvow__options_of(uvow_loop_t *loop, const void *given,
                                           void *own, size_t size,
                                           const char *argument,
                                           const char *expected) {
  const void *options = uvow__options(given, own, size);
  return options ? options
                 : uvow__refuse(loop, UVOW_EINVAL, argument, expected);
}

#define UVOW__OPTIONS(loop, given, own, type)                                  \
  ((const type *)uvow__options_of(loop, given, own, sizeof(type), #given,      \
                                  UVOW__OPTIONS_TEXT(type)))

/* The last failure as an error, as uvow_loop_error. */
const uvow_error_t *uvow__failed(uvow_loop_t *loop);

/* An error of UVOW_EINVAL, for a future that is returned: "<argument>
 * <expected>". Returns new. */
UVOW__APART uvow_error_t *
uvow__invalid(uvow__runtime_t *rt, const char *argument, const char *expected);

/* What is said more than once. */
extern const char uvow__fail_null[];   /* must not be NULL */
extern const char uvow__fail_zero[];   /* must not be 0 */
extern const char uvow__fail_closed[]; /* the loop is closed */

#endif
