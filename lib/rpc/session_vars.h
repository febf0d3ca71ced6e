#ifndef UVOW__SESSION_VARS_H
#define UVOW__SESSION_VARS_H

#include "protocol/vars.h"

/* What a message says of its session, by the names that its protocol gives to
 * it: what an answer repeats. */
typedef struct uvow__session_vars {
  size_t count;
  uvow__var_t list[UVOW__SESSIONS_MAX]; /* names are the protocol's; texts are
                                           behind it */
} uvow__session_vars_t;

/* Whether a protocol's sessions have names. */
static inline int uvow__session_is_named(const uvow_protocol_t *protocol) {
  return protocol->sessions[0] != NULL;
}
/* Those of a message; freed with mem. NULL: no memory. */
uvow__session_vars_t *uvow__session_vars_new(const uvow__mem_t *mem,
                                             const uvow_protocol_t *protocol,
                                             const uvow__msg_t *msg);
/* Whether a message is in a session: what that says of it, the message says
 * too. */
int uvow__session_vars_match(const uvow__vars_t *wanted,
                             const uvow_protocol_t *protocol,
                             uvow__slice_t first, uvow__slice_t second);
/* The values as text: one alone as it is, more as an object. */
int uvow__session_vars_text(const uvow__session_vars_t *vars, uvow__buf_t *out);

#endif
