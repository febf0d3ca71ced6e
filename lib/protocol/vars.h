#ifndef UVOW__VARS_H
#define UVOW__VARS_H

#include "opening.h"

/*
 * What templates' variables stand for in one conversation: those of the
 * application, and those that opening steps have picked or made since.
 */
typedef struct uvow__vars {
  const uvow__mem_t *mem;
  uvow__var_t *list; /* names and texts are copies */
  size_t count;
  size_t own; /* of them, the application's */
} uvow__vars_t;

/* json: an object, or NULL: none. Borrows it. Errors, and nothing is to be done
 * away with: UVOW_EINVAL: it isn't one; UVOW_ENOMEM. */
int uvow__vars_init(uvow__vars_t *vars, const uvow__mem_t *mem,
                    const char *json);
void uvow__vars_done(uvow__vars_t *vars);

/* Sets one, in the place of one that is there. json is copied. UVOW_ENOMEM. */
int uvow__vars_set(uvow__vars_t *vars, uvow__slice_t name, uvow__slice_t json);
/* Its JSON text, or NULL. Borrowed until it's set. */
uvow__slice_t uvow__vars_get(const uvow__vars_t *vars, const char *name);
/* Another connection begins: what was picked is forgotten. */
void uvow__vars_reset(uvow__vars_t *vars);

/* A variable that one of these steps needs and that nobody sets: its name, or
 * NULL. ret_step: which step. */
const char *uvow__vars_missing(const uvow__vars_t *vars,
                               const uvow__step_t *steps, size_t count,
                               size_t *ret_step);

#endif
