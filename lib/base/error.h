#ifndef UVOW__ERROR_H
#define UVOW__ERROR_H

#include <uvow/error.h>

#include <uvow/value.h>

#include "buf.h"

/* What an error may carry. All zero but code is fine; slices are copied. */
typedef struct uvow__error_spec {
  int code;
  int status;
  uvow_outcome_t outcome;
  uvow__slice_t before; /* of detail: where that is the cause's text */
  uvow__slice_t detail;
  int64_t peer_code;
  uvow__slice_t peer_code_text;
  uvow__slice_t peer_message;
  uvow__slice_t data;
  uvow__slice_t head; /* of a refused handshake: its status line and fields */
  const uvow_error_t *cause;         /* kept; shorthand for one in causes */
  const uvow_error_t *const *causes; /* each kept; none may be NULL */
  size_t cause_count;                /* of causes; then `cause` is ignored */
  const uvow_value_t *value;         /* borrowed while `keeper` is; or NULL */
  void *keeper;                      /* what `release` is given, last of all */
  void (*release)(void *keeper);     /* NULL: nothing is kept */
  uint64_t missed;                   /* items of a stream before it */
} uvow__error_spec_t;

/* Returns new, never NULL: without memory, a static error (UVOW_ENOMEM). */
uvow_error_t *uvow__error_make(const uvow__mem_t *mem,
                               const uvow__error_spec_t *spec);
/* An error of just a code: returns new, never NULL. One of uvow's codes without
 * an outcome takes no memory. */
uvow_error_t *uvow__error_code(const uvow__mem_t *mem, int code,
                               uvow_outcome_t outcome);
/* The same error, before which so many more items of a stream are missing. Takes
 * it; returns new, as uvow__error_make. */
uvow_error_t *uvow__error_add_missed(const uvow__mem_t *mem,
                                     uvow_error_t *error, uint64_t missed);
/* How many are. */
uint64_t uvow__error_missed(const uvow_error_t *error);
/* A static error of code 0: nothing has failed. */
const uvow_error_t *uvow__error_none(void);
/* The static UVOW_ENOMEM. */
uvow_error_t *uvow__error_nomem(void);

/* Text and name of uvow's own codes; NULL for any other. */
const char *uvow__error_text(int code);
const char *uvow__error_name(int code);

#endif
