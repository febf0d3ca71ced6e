#ifndef UVOW_COMMAND_FEED_H
#define UVOW_COMMAND_FEED_H

#include <uvow.h>

/* Numbers from 1 to `items`, `ms` apart: as a stream. Returns new, or NULL. */
uvow_stream_t *feed_stream(uvow_loop_t *loop, int64_t items, uint64_t ms);
/* The same as events of this name to a peer, which is kept meanwhile; name is
 * copied. The first one comes later. UVOW_ENOMEM. */
int feed_events(uvow_loop_t *loop, uvow_peer_t *peer, const char *name,
                int64_t items, uint64_t ms);

#endif
