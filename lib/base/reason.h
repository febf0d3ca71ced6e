#ifndef UVOW__REASON_H
#define UVOW__REASON_H

#include <uvow/error.h>

#include "apart.h"
#include "mem.h"

/*
 * Why the last call on a loop failed. Noting it takes no memory and formats
 * nothing, so that what nobody asks for costs nothing; the sentence is made
 * when it is asked for.
 */
typedef struct uvow__reason {
  int code;             /* 0: nothing has failed yet */
  int has_number;       /* `number` is what was given */
  const char *argument; /* static text: what it is about; NULL: nothing */
  const char *expected; /* static text: "must be ..."; NULL: the code says it */
  uint64_t number;
  uvow_error_t *error; /* owned: as it was given, or was made; NULL: neither */
} uvow__reason_t;

/* Notes a failure. Both texts are static. Accepts NULL as failure. Returns the
 * code. */
UVOW__APART int uvow__reason_note(uvow__reason_t *reason, int code,
                                  const char *argument, const char *expected);
/* The same for a number that can't be. */
UVOW__APART int uvow__reason_note_number(uvow__reason_t *reason, int code,
                                         const char *argument, uint64_t number,
                                         const char *expected);
/* The same for an error that there is. Takes it; accepts NULL: then nothing is
 * noted. Returns its code. */
int uvow__reason_note_error(uvow__reason_t *reason, uvow_error_t *error);
/* The failure as an error: borrowed until the next one is noted, never NULL. */
const uvow_error_t *uvow__reason_error(uvow__reason_t *reason,
                                       const uvow__mem_t *mem);
/* Releases what it holds. */
void uvow__reason_done(uvow__reason_t *reason);

#endif
