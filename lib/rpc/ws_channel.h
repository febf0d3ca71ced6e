#ifndef UVOW__WS_CHANNEL_H
#define UVOW__WS_CHANNEL_H

#include "net/channel.h"
#include "websocket/connection.h"

/* A WebSocket as a channel. Lives in who owns the connection. */
typedef struct uvow__ws_channel {
  uvow__channel_t channel;        /* first */
  uvow__connection_t *connection; /* NULL: none yet, or no more */
} uvow__ws_channel_t;

/* To make a connection with, whose ctx is the uvow__ws_channel_t: all of them
 * go on to the channel's callbacks. */
extern const uvow__connection_callbacks_t uvow__ws_channel_callbacks;

void uvow__ws_channel_init(uvow__ws_channel_t *ws,
                           const uvow__channel_callbacks_t *callbacks,
                           void *ctx);

#endif
