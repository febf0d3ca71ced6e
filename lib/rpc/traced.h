#ifndef UVOW__TRACED_H
#define UVOW__TRACED_H

#include "net/channel.h"

typedef struct uvow_peer uvow_peer_t;

/* A channel whose messages the trace hook on_message is told of. */
typedef struct uvow__traced {
  uvow__channel_ops_t ops;
  const uvow__channel_ops_t *plain; /* the channel's own */
} uvow__traced_t;

/* Where there is such a hook: what goes through this channel of the peer's is
 * told, from now on. Without memory it isn't. */
void uvow__traced_begin(uvow_peer_t *peer, uvow__channel_t *channel);
/* A message has left past the channel. */
void uvow__traced_tell(const uvow_peer_t *peer, const uvow__splice_t *message);

#endif
