#ifndef UVOW__BATCH_H
#define UVOW__BATCH_H

#include "protocol/dialect.h"

struct uvow__callee;

/* The answers to an array of calls: they go back as one array. */
typedef struct uvow__batch {
  struct uvow__callee *callee;
  size_t owners; /* calls under way, and who reads the array */
  uvow__buf_t text;
} uvow__batch_t;

/* With one owner. Returns new, or NULL: no memory. */
uvow__batch_t *uvow__batch_new(struct uvow__callee *callee);
/* Adds an answer. Errors as those of uvow__callee_write. */
int uvow__batch_add(uvow__batch_t *batch, uvow__op_t *op);
/* One owner less; after the last one the answers are sent, if there are any.
 * Accepts NULL. */
void uvow__batch_leave(uvow__batch_t *batch);

#endif
