#ifndef UVOW__HEARTBEAT_H
#define UVOW__HEARTBEAT_H

#include "future/runtime.h"
#include "protocol/opening.h"

struct uvow__callee;
struct uvow__dispatcher;

/* What a protocol says again and again while it's open. Lives in the session.
 */
typedef struct uvow__pulse {
  struct uvow__callee *callee;
  struct uvow__dispatcher *dispatcher;
  uvow__deadline_t deadline; /* of the next one */
} uvow__pulse_t;

void uvow__pulse_init(uvow__pulse_t *pulse, struct uvow__callee *callee,
                      struct uvow__dispatcher *dispatcher);
/* From now on, if the protocol has one; until the stop. */
void uvow__pulse_start(uvow__pulse_t *pulse);
void uvow__pulse_stop(uvow__pulse_t *pulse);

#endif
