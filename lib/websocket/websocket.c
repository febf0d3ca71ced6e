/*
 * The WebSocket that is handed out: its life, and its two faces.
 *
 *   connection -> channel: a session's callbacks        (internal)
 *              -> messages.c: a stream of what comes    (public)
 *              -> send.c, sink.c: what goes, and whether it has left
 *
 *   CONNECTING -> OPEN -> CLOSING (one end said so) -> CLOSED
 *        +----------+------- lost, refused, dropped ----+
 *
 * 1. It outlives its connection: who owns one that has gone is told
 *    UVOW_ECLOSED. Memory goes with the last owner, once it's CLOSED.
 * 2. Readers of its messages and its sinks are owners. Without any it is ended.
 * 3. Nothing here calls the application: futures and streams do, from the queue.
 */
#include "websocket.h"

#include <string.h>

#include "future/fail.h"

static uvow_websocket_t *ws_of(uvow__channel_t *channel) {
  return (uvow_websocket_t *)(void *)channel;
}

/* Memory. */

static void free_websocket(uvow_websocket_t *ws) {
  uvow_loop_t *loop = ws->loop;
  uvow__in_done(ws);
  uvow__out_done(ws);
  uvow__says_done(ws);
  if (ws->guest)
    uvow__guest_done(ws->guest);
  uvow_error_unref(ws->ended);
  uvow__ws_config_unref(ws->config);
  uvow__free(uvow__loop_mem(loop), ws);
  uvow__loop_unpin(loop);
}

void uvow__websocket_pin(uvow_websocket_t *ws) {
  ws->pins++;
}

void uvow__websocket_unpin(uvow_websocket_t *ws) {
  if (--ws->pins == 0 && ws->owners == 0 && ws->state == UVOW__WS_CLOSED)
    free_websocket(ws);
}

uvow_websocket_t *uvow_websocket_ref(uvow_websocket_t *ws) {
  if (ws)
    ws->owners++;
  return ws;
}

void uvow_websocket_unref(uvow_websocket_t *ws) {
  if (!ws || --ws->owners)
    return;
  uvow__websocket_pin(ws);
  if (ws->state == UVOW__WS_CONNECTING || ws->state == UVOW__WS_OPEN)
    uvow__websocket_end(ws, UVOW_ECLOSED, 1001, "nobody owns it any more");
  uvow__websocket_unpin(ws);
}

static void type_ref(void *ptr) {
  uvow_websocket_t *ws = uvow_websocket_ref((uvow_websocket_t *)ptr);
  (void)ws;
}

static void type_destroy(void *ptr) {
  uvow_websocket_unref((uvow_websocket_t *)ptr);
}

const uvow_type_t uvow_type_websocket = {sizeof(uvow_type_t), "websocket",
                                         type_ref, type_destroy};

uvow_websocket_t *uvow_result_websocket(const uvow_result_t *item) {
  void *ptr;
  if (!item || item->error ||
      uvow_value_get_ptr(&item->value, &uvow_type_websocket, &ptr))
    return NULL;
  return (uvow_websocket_t *)ptr;
}

/* The end. */

/* Whether messages are missed: by who has accepted it, if idle_ms says so. */
static void watch_idle(uvow_websocket_t *ws, int on) {
  if (!ws->guest)
    return;
  if (on)
    uvow__silence_start(&ws->guest->idle);
  else
    uvow__silence_stop(&ws->guest->idle);
}

void uvow__websocket_ended(uvow_websocket_t *ws, uvow_error_t *error) {
  const uvow__channel_callbacks_t *callbacks = ws->channel.callbacks;
  if (ws->state == UVOW__WS_CLOSED) {
    uvow_error_unref(error);
    return;
  }
  uvow__websocket_pin(ws);
  ws->connection = NULL;
  ws->state = UVOW__WS_CLOSED;
  ws->ended = error;
  ws->channel.callbacks = NULL;
  uvow__loop_depart(ws->loop, &ws->resident);
  watch_idle(ws, 0);
  if (ws->guest)
    uvow__guest_left(ws);
  uvow__out_end(ws);
  uvow__in_end(ws);
  uvow__gate_fail(&ws->ready, error);
  uvow__gate_pass(&ws->closed);
  if (callbacks)
    callbacks->on_end(ws->channel.ctx, uvow_error_ref(error));
  uvow__websocket_unpin(ws);
}

static void end_code(uvow_websocket_t *ws, int code) {
  uvow__websocket_ended(
      ws, uvow__error_code(uvow__websocket_mem(ws), code, UVOW_OUTCOME_NONE));
}

void uvow__websocket_end(uvow_websocket_t *ws, int code, int status,
                         const char *detail) {
  if (ws->connection)
    uvow__connection_end_peer(ws->connection, code, status, detail);
  else
    end_code(ws, code);
}

/* Gives the connection up: nobody is told of its end. */
static void drop(uvow_websocket_t *ws) {
  uvow__connection_t *connection = ws->connection;
  ws->connection = NULL;
  ws->channel.callbacks = NULL;
  if (connection)
    uvow__connection_drop(connection);
  end_code(ws, UVOW_ECLOSED);
}

static void on_loop_close(uvow__resident_t *resident) {
  uvow_websocket_t *ws = UVOW__CONTAINER(resident, uvow_websocket_t, resident);
  uvow__connection_t *connection = ws->connection;
  ws->connection = NULL;
  uvow__connection_drop(connection);
  end_code(ws, UVOW_ECLOSED);
}

void uvow__guest_idle(uvow__silence_t *idle, int dead) {
  uvow_websocket_t *ws = &UVOW__CONTAINER(idle, uvow__guest_t, idle)->ws;
  (void)dead; /* it pings nobody */
  if (ws->state != UVOW__WS_OPEN)
    return;
  if (ws->channel.callbacks && ws->is_busy && ws->is_busy(ws->channel.ctx))
    uvow__silence_start(idle);
  else
    uvow__websocket_end(ws, UVOW_ETIMEDOUT, 1001,
                        "no message came for idle_ms");
}

/* The channel. */

static int send_op(uvow__channel_t *channel, int opcode,
                   const uvow__splice_t *message) {
  return uvow__connection_send_splice(ws_of(channel)->connection, opcode,
                                      message);
}

static size_t unsent_op(const uvow__channel_t *channel) {
  const uvow_websocket_t *ws = (const uvow_websocket_t *)(const void *)channel;
  return ws->connection ? uvow__connection_unsent(ws->connection) : 0;
}

static void pause_op(uvow__channel_t *channel, int on) {
  uvow_websocket_t *ws = ws_of(channel);
  if (ws->channel.callbacks)
    uvow__connection_pause_unsent(ws->connection, on);
  else
    uvow__connection_pause(ws->connection, on);
  if (on || ws->state == UVOW__WS_OPEN)
    watch_idle(ws, !on);
}

static void close_op(uvow__channel_t *channel, int code, const char *reason) {
  uvow_websocket_t *ws = ws_of(channel);
  ws->asked = 1;
  if (ws->state == UVOW__WS_OPEN)
    ws->state = UVOW__WS_CLOSING;
  uvow__connection_close(ws->connection, code, reason);
}

static void drop_op(uvow__channel_t *channel) {
  uvow_websocket_t *ws = ws_of(channel);
  uvow__websocket_pin(ws);
  drop(ws);
  uvow__websocket_unpin(ws);
}

static void hold_op(uvow__channel_t *channel, int on) {
  uvow__connection_hold(ws_of(channel)->connection, on);
}

static const uvow__channel_ops_t ops = {send_op,  unsent_op, pause_op,
                                        close_op, drop_op,   hold_op};

/* The connection's. */

static int on_request(void *ctx, uvow__http_t *http) {
  return uvow__guest_requested((uvow_websocket_t *)ctx, http);
}

/* Without memory for it, less of it can be asked for. */
static void on_response(void *ctx, uvow__http_t *http,
                        const char *subprotocol) {
  uvow_websocket_t *ws = (uvow_websocket_t *)ctx;
  int rc = uvow__says_head(ws, NULL, http);
  rc |= uvow__says_subprotocol(ws, subprotocol);
  rc |= uvow__says_who(ws, UVOW__WHO_ADDRESS);
  rc |= uvow__says_who(ws, UVOW__WHO_CERTIFICATE);
  ws->says.is_whole = rc == 0;
}

static void on_open(void *ctx) {
  uvow_websocket_t *ws = (uvow_websocket_t *)ctx;
  ws->state = UVOW__WS_OPEN;
  watch_idle(ws, 1);
  uvow__websocket_pin(ws);
  if (ws->guest && ws->guest->listener)
    uvow__guest_opened(ws);
  else if (ws->channel.callbacks)
    ws->channel.callbacks->on_open(ws->channel.ctx);
  if (ws->state == UVOW__WS_OPEN) {
    uvow__gate_pass(&ws->ready);
    uvow__out_open(ws);
  }
  uvow__websocket_unpin(ws);
}

static void on_message(void *ctx, int opcode, const uint8_t *bytes, size_t len,
                       uvow__buf_t *whole) {
  uvow_websocket_t *ws = (uvow_websocket_t *)ctx;
  if (ws->channel.callbacks)
    ws->channel.callbacks->on_message(ws->channel.ctx, opcode, bytes, len,
                                      whole);
  else
    uvow__in_message(ws, opcode, bytes, len);
}

/* Where idle_ms is kept. */
static void on_message_heard(void *ctx, int opcode, const uint8_t *bytes,
                             size_t len, uvow__buf_t *whole) {
  uvow__silence_heard(&((uvow_websocket_t *)ctx)->guest->idle);
  on_message(ctx, opcode, bytes, len, whole);
}

static void on_peer_close(void *ctx, const uvow_error_t *why) {
  uvow_websocket_t *ws = (uvow_websocket_t *)ctx;
  ws->state = UVOW__WS_CLOSING;
  if (ws->channel.callbacks)
    ws->channel.callbacks->on_peer_close(ws->channel.ctx, why);
}

static void on_writable(void *ctx) {
  uvow_websocket_t *ws = (uvow_websocket_t *)ctx;
  uvow__out_writable(ws);
  if (ws->channel.callbacks)
    ws->channel.callbacks->on_writable(ws->channel.ctx);
}

static void on_end(void *ctx, uvow_error_t *error) {
  uvow__websocket_ended((uvow_websocket_t *)ctx, error);
}

static void on_pong(void *ctx, const uint8_t *bytes, size_t len) {
  uvow__out_pong((uvow_websocket_t *)ctx, bytes, len);
}

static int on_excess(void *ctx, uvow__slice_t beginning, const char *why) {
  uvow_websocket_t *ws = (uvow_websocket_t *)ctx;
  const uvow__channel_callbacks_t *callbacks = ws->channel.callbacks;
  return callbacks && callbacks->on_excess &&
         callbacks->on_excess(ws->channel.ctx, beginning, why);
}

static int on_hold_close(void *ctx) {
  uvow_websocket_t *ws = (uvow_websocket_t *)ctx;
  return !ws->channel.callbacks && uvow__in_holds_close(ws);
}

static const uvow__connection_callbacks_t plain = {
    on_open,    on_message,  on_peer_close, on_writable,   on_end,
    on_request, on_response, on_pong,       on_hold_close, on_excess};
static const uvow__connection_callbacks_t watched = {
    on_open,    on_message_heard, on_peer_close, on_writable,   on_end,
    on_request, on_response,      on_pong,       on_hold_close, on_excess};

const uvow__connection_callbacks_t *
uvow__websocket_callbacks(const uvow_websocket_t *ws) {
  return ws->guest && ws->guest->idle.dead_ms ? &watched : &plain;
}

/* Making one. */

void uvow__websocket_init(uvow_websocket_t *ws, uvow__ws_config_t *config) {
  uvow_loop_t *loop = config->loop;
  ws->channel.ops = &ops;
  ws->resident.on_loop_close = on_loop_close;
  ws->loop = loop;
  ws->owners = 1;
  ws->config = uvow__ws_config_ref(config);
  uvow__gate_init(&ws->ready, &loop->rt);
  uvow__gate_init(&ws->closed, &loop->rt);
  uvow__out_init(ws);
  uvow__loop_enroll(loop, &ws->resident);
}

/* One that connects; NULL: no memory. */
static uvow_websocket_t *new_client(uvow__ws_config_t *config) {
  uvow_websocket_t *ws = (uvow_websocket_t *)uvow__calloc(
      uvow__loop_mem(config->loop), sizeof(*ws));
  if (ws)
    uvow__websocket_init(ws, config);
  return ws;
}

int uvow__websocket_dial(uvow__ws_config_t *config,
                         const uvow__target_t *target,
                         const uvow__transport_t *transport,
                         const uvow__channel_callbacks_t *callbacks, void *ctx,
                         uvow_websocket_t **ret_ws, uvow_error_t **ret_error) {
  uvow_websocket_t *ws = new_client(config);
  if (!ws)
    return UVOW_ENOMEM;
  int rc = target->url_code ? 0 : uvow__says_head(ws, target->url.target, NULL);
  if (rc == 0)
    rc = uvow__dial(config, target, transport, uvow__websocket_callbacks(ws),
                    ws, &ws->connection, ret_error);
  if (rc) {
    uvow_websocket_unref(ws);
    return rc;
  }
  uvow__channel_tell(&ws->channel, callbacks, ctx);
  *ret_ws = ws;
  return 0;
}

/* Connects one that is there. On error, ret_error may say more. */
static int connect_to(uvow_websocket_t *ws, const char *url,
                      const uvow_websocket_options_t *options,
                      const uvow__transport_t *transport,
                      uvow_error_t **ret_error) {
  const uvow__mem_t *mem = uvow__websocket_mem(ws);
  uvow__target_t target;
  int rc = uvow__target_init(&target, mem, url, options->headers,
                             options->header_count);
  if (rc == UVOW_EINVAL)
    uvow__fail(ws->loop, rc, "options.headers",
               "must be of uvow_header_t, with size, name and value");
  if (rc == 0)
    rc = target.url_code;
  if (rc == 0)
    rc = uvow__says_head(ws, target.url.target, NULL);
  if (rc == 0)
    rc = uvow__dial(ws->config, &target, transport,
                    uvow__websocket_callbacks(ws), ws, &ws->connection,
                    ret_error);
  uvow__target_done(&target, mem);
  return rc;
}

/* A configuration, if only one with all defaults: then code says why. */
static uvow__ws_config_t *configure(uvow_loop_t *loop,
                                    const uvow_websocket_options_t *options,
                                    int *ret_code) {
  uvow__ws_config_t *config = NULL;
  *ret_code = uvow__ws_config_connect(loop, options, &config);
  if (*ret_code && uvow__ws_config_connect(loop, NULL, &config))
    return NULL;
  return config;
}

uvow_websocket_t *
uvow__websocket_connect(uvow_loop_t *loop, const char *url,
                        const uvow_websocket_options_t *options,
                        const uvow__transport_t *transport) {
  uvow_websocket_options_t own;
  uvow_error_t *error = NULL;
  int rc = 0;
  if (!loop || loop->rt.closed)
    return NULL;
  uvow__ws_config_t *config = configure(loop, options, &rc);
  options = (const uvow_websocket_options_t *)uvow__options(options, &own,
                                                            sizeof(own));
  uvow_websocket_t *ws = config ? new_client(config) : NULL;
  uvow__ws_config_unref(config);
  if (!ws || rc == UVOW_ENOMEM || uvow__in_init(ws)) {
    uvow_websocket_unref(ws);
    return NULL;
  }
  if (rc == 0)
    rc = url ? connect_to(ws, url, options, transport, &error)
             : uvow__fail(loop, UVOW_EINVAL, "url", uvow__fail_null);
  if (rc == UVOW_ENOMEM) {
    uvow_error_unref(error);
    uvow_websocket_unref(ws);
    return NULL;
  }
  if (rc == UVOW_EINVAL && !error)
    error = uvow_error_ref(uvow__failed(loop)); /* says which argument */
  if (error)
    uvow__websocket_ended(ws, error);
  else if (rc)
    end_code(ws, rc);
  return ws;
}

uvow_websocket_t *
uvow_websocket_connect(uvow_loop_t *loop, const char *url,
                       const uvow_websocket_options_t *options) {
  return uvow__websocket_connect(loop, url, options, &uvow__tcp_transport);
}

/* Its life, asked. */

uvow_future_t *uvow_websocket_ready(uvow_websocket_t *ws) {
  if (!ws)
    return NULL;
  uvow_future_t *f = uvow__gate_wait(&ws->ready);
  if (ws->state == UVOW__WS_CLOSED)
    uvow__gate_fail(&ws->ready, ws->ended);
  else if (ws->state != UVOW__WS_CONNECTING)
    uvow__gate_pass(&ws->ready);
  return f;
}

/* RFC 6455 7.4: what an application may say. */
static int is_close(int code, const char *reason) {
  uvow__utf8_t utf8;
  size_t len = reason ? strlen(reason) : 0;
  uvow__utf8_init(&utf8);
  return (code == 1000 || code == 1001 || (code >= 3000 && code <= 4999)) &&
         len <= UVOW__CONTROL_MAX - 2 &&
         (len == 0 ||
          uvow__utf8_feed(&utf8, (const uint8_t *)reason, len) == 0) &&
         uvow__utf8_end(&utf8) == 0;
}

uvow_future_t *uvow_websocket_close(uvow_websocket_t *ws, int code,
                                    const char *reason) {
  if (!ws)
    return NULL;
  if (!is_close(code, reason))
    return uvow_future_rejected(ws->loop,
                                uvow_error_new(ws->loop, UVOW_EINVAL, NULL));
  uvow_future_t *f = uvow__gate_wait(&ws->closed);
  uvow__websocket_pin(ws);
  if (ws->state == UVOW__WS_CLOSED)
    uvow__gate_pass(&ws->closed);
  else
    close_op(&ws->channel, code, reason ? reason : "");
  uvow__websocket_unpin(ws);
  return f;
}
