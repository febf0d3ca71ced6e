#ifndef UVOW__OWN_STEP_H
#define UVOW__OWN_STEP_H

#include <uvow/peer.h>

/* The application's own opening step, while it's under way. */
typedef struct uvow__own_step uvow__own_step_t;

/* It begins: options.opening is called from a task. The session is told how it
 * ended, also without memory. */
void uvow__own_step_begin(uvow_peer_t *peer);
/* Nobody waits for it any more: the connection has gone, or it's too late. */
void uvow__own_step_stop(uvow_peer_t *peer);

#endif
