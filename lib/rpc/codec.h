#ifndef UVOW__RPC_CODEC_H
#define UVOW__RPC_CODEC_H

#include <uvow/base.h>

#include "protocol/dialect.h"

/* What a codec keeps for one connection. */
typedef struct uvow__codec_state uvow__codec_state_t;

/* A connection begins: gives the dialect its state. Writes a new one that is to
 * be ended, where the codec makes them. Returns 0 or UVOW_ENOMEM. */
int uvow__codec_begin(uvow_loop_t *loop, uvow__dialect_t *dialect,
                      uvow__codec_state_t **ret_state);
/* It has ended: the state is freed, later. Accepts NULL. */
void uvow__codec_end(uvow__codec_state_t *state);

#endif
