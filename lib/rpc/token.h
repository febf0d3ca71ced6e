#ifndef UVOW__TOKEN_H
#define UVOW__TOKEN_H

#include "protocol/protocol.h"

/* Writes the params of an operation into an empty buffer, with its id as the
 * value of a member more, and sets them; path: a member's name, or two with a
 * slash between. Returns 0; UVOW_EINVAL: the params are no object, or have such
 * a member; UVOW_ENOMEM. */
int uvow__token_put(uvow__buf_t *out, const uvow__ids_t *ids, const char *path,
                    uvow__op_t *op);

#endif
