/* A WebSocket as a channel: its connection's functions and callbacks, passed
 * on. */
#include "ws_channel.h"

static uvow__ws_channel_t *ws_of(uvow__channel_t *channel) {
  return (uvow__ws_channel_t *)(void *)channel;
}

static int send_op(uvow__channel_t *channel, int opcode,
                   const uvow__splice_t *message) {
  uvow__connection_t *connection = ws_of(channel)->connection;
  if (!connection)
    return UVOW_ECLOSED;
  return uvow__connection_send_splice(connection, opcode, message);
}

static size_t unsent_op(const uvow__channel_t *channel) {
  const uvow__ws_channel_t *ws =
      (const uvow__ws_channel_t *)(const void *)channel;
  return ws->connection ? uvow__connection_unsent(ws->connection) : 0;
}

static void close_op(uvow__channel_t *channel, int code, const char *reason) {
  if (ws_of(channel)->connection)
    uvow__connection_close(ws_of(channel)->connection, code, reason);
}

static void drop_op(uvow__channel_t *channel) {
  uvow__connection_t *connection = ws_of(channel)->connection;
  ws_of(channel)->connection = NULL;
  if (connection)
    uvow__connection_abandon(connection);
}

static void hold_op(uvow__channel_t *channel, int on) {
  if (ws_of(channel)->connection)
    uvow__connection_hold(ws_of(channel)->connection, on);
}

static void pause_op(uvow__channel_t *channel, int on) {
  if (ws_of(channel)->connection)
    uvow__connection_pause(ws_of(channel)->connection, on);
}

static const uvow__channel_ops_t ops = {send_op,  unsent_op, pause_op,
                                        close_op, drop_op,   hold_op};

static void on_open(void *ctx) {
  const uvow__channel_t *channel = &((uvow__ws_channel_t *)ctx)->channel;
  channel->callbacks->on_open(channel->ctx);
}

static void on_message(void *ctx, int opcode, const uint8_t *bytes, size_t len,
                       uvow__buf_t *whole) {
  uvow__ws_channel_t *ws = (uvow__ws_channel_t *)ctx;
  ws->channel.callbacks->on_message(ws->channel.ctx, opcode, bytes, len, whole);
}

static void on_peer_close(void *ctx, const uvow_error_t *why) {
  const uvow__channel_t *channel = &((uvow__ws_channel_t *)ctx)->channel;
  channel->callbacks->on_peer_close(channel->ctx, why);
}

static void on_writable(void *ctx) {
  const uvow__channel_t *channel = &((uvow__ws_channel_t *)ctx)->channel;
  channel->callbacks->on_writable(channel->ctx);
}

static void on_end(void *ctx, uvow_error_t *error) {
  uvow__ws_channel_t *ws = (uvow__ws_channel_t *)ctx;
  ws->connection = NULL;
  ws->channel.callbacks->on_end(ws->channel.ctx, error);
}

const uvow__connection_callbacks_t uvow__ws_channel_callbacks = {
    on_open, on_message, on_peer_close, on_writable, on_end};

void uvow__ws_channel_init(uvow__ws_channel_t *ws,
                           const uvow__channel_callbacks_t *callbacks,
                           void *ctx) {
  ws->channel.ops = &ops;
  ws->connection = NULL;
  uvow__channel_tell(&ws->channel, callbacks, ctx);
}
