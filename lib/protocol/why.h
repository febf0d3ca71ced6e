#ifndef UVOW__WHY_H
#define UVOW__WHY_H

#include "dialect.h"

/* Why an operation can't be written (UVOW_EINVAL), as a sentence: which part of
 * it, and what is expected. Slow. */
void uvow__dialect_why(const uvow__dialect_t *dialect, const uvow__op_t *op,
                       char *text, size_t cap);

#endif
