/*
 * What is sent by a WebSocket's public form, and whether it has left.
 *
 *   send, send_part -> put (the connection has it)
 *                   -> front: it isn't open yet
 *                   -> behind: a message in parts is under way
 *   open -> front is put; last part -> behind is put
 *
 * 1. All that waits, here and in the connection, is bounded by max_unsent_bytes:
 *    what is kept here has a head that is as long as a frame's, so it fits there.
 * 2. A flush is a mark in the count of bytes that were put. Who asks while
 *    something waits here gets his mark when it's put.
 * 3. Pings are numbered; a pong stands for all up to its own (RFC 6455 5.5.3).
 */
#include "websocket.h"

#include <string.h>

#include "future/bytes.h"
#include "future/fail.h"

#define FULL_AT ((size_t)1024 * 1024)
#define PING 8 /* bytes of a ping: its number */

typedef enum part { WHOLE, PART, LAST } part_t;

/* Of what is kept in front or behind; the bytes follow. */
typedef struct record {
  size_t len;
  uint32_t opcode;
  uint32_t part;
} record_t;

static int is_held(const uvow_websocket_t *ws) {
  return uvow__buf_size(&ws->out.front) || uvow__buf_size(&ws->out.behind);
}

size_t uvow__out_unsent(const uvow_websocket_t *ws) {
  size_t unsent = uvow__buf_size(&ws->out.front);
  unsent += uvow__buf_size(&ws->out.behind);
  return ws->connection ? unsent + uvow__connection_unsent(ws->connection)
                        : unsent;
}

void uvow__out_init(uvow_websocket_t *ws) {
  uvow__ws_out_t *out = &ws->out;
  size_t half = ws->config->max_unsent / 2;
  out->full_at = half < FULL_AT ? half : FULL_AT;
  uvow__buf_init(&out->front, uvow__websocket_mem(ws), SIZE_MAX);
  uvow__buf_init(&out->behind, uvow__websocket_mem(ws), SIZE_MAX);
  uvow__gate_init(&out->room, &ws->loop->rt);
  uvow__marks_init(&out->flushes, &ws->loop->rt);
  uvow__marks_init(&out->pings, &ws->loop->rt);
  uvow__list_init(&out->sinks);
}

static int keep(uvow_websocket_t *ws, uvow__buf_t *buf, int opcode, part_t part,
                uvow__slice_t bytes) {
  record_t record = {bytes.len, (uint32_t)opcode, (uint32_t)part};
  size_t size = uvow__out_unsent(ws);
  if (bytes.len > ws->config->max_unsent ||
      size + sizeof(record) > ws->config->max_unsent - bytes.len)
    return UVOW_EOVERLOAD;
  int rc = uvow__buf_reserve(buf, sizeof(record) + bytes.len);
  if (rc)
    return rc;
  (void)uvow__buf_append(buf, &record, sizeof(record)); /* there's room */
  (void)uvow__buf_append(buf, bytes.ptr, bytes.len);
  return 0;
}

static int put(uvow_websocket_t *ws, int opcode, part_t part,
               uvow__slice_t bytes) {
  size_t before = uvow__connection_unsent(ws->connection);
  int rc =
      part == WHOLE
          ? uvow__connection_send(ws->connection, opcode, bytes.ptr, bytes.len)
          : uvow__connection_send_part(ws->connection, opcode, part == LAST,
                                       bytes.ptr, bytes.len);
  ws->out.put += uvow__connection_unsent(ws->connection) - before;
  return rc;
}

/* Puts all that is kept. What can't be put was taken all the same: so that ends
 * it. */
static void put_all(uvow_websocket_t *ws, uvow__buf_t *buf) {
  record_t record;
  int rc = 0;
  while (rc == 0 && ws->connection && uvow__buf_size(buf)) {
    memcpy(&record, uvow__buf_front(buf), sizeof(record));
    uvow__slice_t bytes = {(const char *)uvow__buf_front(buf) + sizeof(record),
                           record.len};
    rc = put(ws, (int)record.opcode, (part_t)record.part, bytes);
    uvow__buf_consume(buf, sizeof(record) + record.len);
  }
  if (rc && ws->connection)
    uvow__websocket_end(ws, rc, 1011, "what was to be sent can't be");
  if (uvow__buf_size(buf) == 0)
    uvow__buf_done(buf);
}

static void fix_flushes(uvow_websocket_t *ws) {
  if (!is_held(ws))
    uvow__marks_fix(&ws->out.flushes, ws->out.put);
}

static int send_ping(uvow_websocket_t *ws) {
  uint8_t number[PING];
  for (int i = 0; i < PING; i++)
    number[i] = (uint8_t)(ws->out.pinged >> (8 * (PING - 1 - i)));
  return uvow__connection_ping(ws->connection, number, sizeof(number));
}

void uvow__out_open(uvow_websocket_t *ws) {
  put_all(ws, &ws->out.front);
  if (!ws->connection)
    return;
  if (uvow__marks_awaited(&ws->out.pings))
    (void)send_ping(ws);
  fix_flushes(ws);
  uvow__out_writable(ws);
}

/* Where a message goes. */
static int place(uvow_websocket_t *ws, int opcode, part_t part,
                 uvow__slice_t bytes) {
  uvow__ws_out_t *out = &ws->out;
  if (ws->state > UVOW__WS_OPEN)
    return UVOW_ECLOSED;
  if (part == WHOLE && out->in_parts)
    return keep(ws, &out->behind, opcode, part, bytes);
  if (ws->state == UVOW__WS_CONNECTING)
    return keep(ws, &out->front, opcode, part, bytes);
  return put(ws, opcode, part, bytes);
}

/* The last part is placed: what waited for that goes behind it. */
static void release_behind(uvow_websocket_t *ws) {
  uvow__ws_out_t *out = &ws->out;
  size_t size = uvow__buf_size(&out->behind);
  out->in_parts = 0;
  if (ws->state == UVOW__WS_CONNECTING && size) {
    if (uvow__buf_append(&out->front, uvow__buf_front(&out->behind), size))
      uvow__websocket_end(ws, UVOW_ENOMEM, 1011, "no memory to send");
    uvow__buf_done(&out->behind);
  } else {
    put_all(ws, &out->behind);
    fix_flushes(ws);
  }
}

/* RFC 6455 5.6: text is UTF-8. A part may end within a character. */
static int check_text(int opcode, part_t part, uvow__slice_t text) {
  const uint8_t *bytes = (const uint8_t *)text.ptr;
  uvow__utf8_t utf8;
  if (opcode != UVOW__OP_TEXT || part != WHOLE ||
      uvow__utf8_is_ascii(bytes, text.len))
    return 0;
  uvow__utf8_init(&utf8);
  int rc = uvow__utf8_feed(&utf8, bytes, text.len);
  return rc ? rc : uvow__utf8_end(&utf8);
}

static int send_value(uvow_websocket_t *ws, const uvow_value_t *value,
                      part_t part) {
  const uvow__bytes_t *own = uvow__value_bytes(value);
  int opcode = own && own->is_binary ? UVOW__OP_BINARY : UVOW__OP_TEXT;
  uvow__slice_t bytes;
  int rc = uvow__value_slice(value, &bytes);
  if (rc == 0)
    rc = check_text(opcode, part, bytes);
  if (part != WHOLE && ws->out.in_parts)
    opcode = UVOW__OP_CONTINUATION;
  if (rc == 0)
    rc = place(ws, opcode, part, bytes);
  if (rc == 0 && part == PART)
    ws->out.in_parts = 1;
  else if (rc == 0 && part == LAST)
    release_behind(ws);
  return rc;
}

static int push(uvow_websocket_t *ws, uvow_value_t value, part_t part) {
  if (!ws) {
    uvow_value_clear(&value);
    return UVOW_EINVAL;
  }
  uvow__websocket_pin(ws);
  int rc = send_value(ws, &value, part);
  if (rc == UVOW_EUTF8 || rc == UVOW_ETYPE)
    uvow__fail(ws->loop, rc, "the message", "must be bytes, or text in UTF-8");
  if (rc == 0)
    rc = uvow__out_is_full(ws);
  uvow__value_release_later(&ws->loop->rt, value);
  uvow__websocket_unpin(ws);
  return rc;
}

int uvow_websocket_send(uvow_websocket_t *ws, uvow_value_t message) {
  return push(ws, message, WHOLE);
}

int uvow_websocket_send_part(uvow_websocket_t *ws, uvow_value_t part,
                             int is_last) {
  return push(ws, part, is_last ? LAST : PART);
}

/* Whether it has left. */

void uvow__out_writable(uvow_websocket_t *ws) {
  uvow__ws_out_t *out = &ws->out;
  if (uvow__marks_awaited(&out->flushes)) {
    size_t unsent = uvow__connection_unsent(ws->connection);
    uvow__marks_pass(&out->flushes, unsent < out->put ? out->put - unsent : 0);
  }
  if (uvow__gate_awaited(&out->room) && !uvow__out_is_full(ws))
    uvow__gate_pass(&out->room);
  if (!uvow__list_empty(&out->sinks))
    uvow__sinks_wake(ws);
}

/* A future that nobody needs to look at. */
static uvow_future_t *refused(uvow_websocket_t *ws, int code) {
  uvow_error_t *error =
      uvow__error_code(uvow__websocket_mem(ws), code, UVOW_OUTCOME_NONE);
  uvow_future_t *f = uvow_future_rejected(ws->loop, error);
  if (f)
    f->flags |= UVOW__OBSERVED;
  return f;
}

uvow_future_t *uvow_websocket_room(uvow_websocket_t *ws) {
  if (!ws)
    return NULL;
  if (ws->state > UVOW__WS_OPEN)
    return refused(ws, UVOW_ECLOSED);
  uvow_future_t *f = uvow__gate_wait(&ws->out.room);
  if (!uvow__out_is_full(ws))
    uvow__gate_pass(&ws->out.room);
  return f;
}

uvow_future_t *uvow_websocket_flushed(uvow_websocket_t *ws) {
  if (!ws)
    return NULL;
  if (ws->state == UVOW__WS_CLOSED)
    return refused(ws, uvow_error_code(ws->ended));
  uvow_future_t *f = uvow__marks_wait(
      &ws->out.flushes, is_held(ws) ? UVOW__MARK_LATER : ws->out.put);
  if (uvow__out_unsent(ws) == 0)
    uvow__marks_pass(&ws->out.flushes, ws->out.put);
  return f;
}

uvow_future_t *uvow_websocket_ping(uvow_websocket_t *ws) {
  if (!ws)
    return NULL;
  if (ws->state > UVOW__WS_OPEN)
    return refused(ws, UVOW_ECLOSED);
  ws->out.pinged++;
  int rc = ws->state == UVOW__WS_OPEN ? send_ping(ws) : 0;
  if (rc)
    return refused(ws, rc);
  return uvow__marks_wait(&ws->out.pings, ws->out.pinged);
}

void uvow__out_pong(uvow_websocket_t *ws, const uint8_t *bytes, size_t len) {
  uint64_t number = 0;
  if (len != PING || !uvow__marks_awaited(&ws->out.pings))
    return;
  for (size_t i = 0; i < len; i++)
    number = number << 8 | bytes[i];
  if (number <= ws->out.pinged)
    uvow__marks_pass(&ws->out.pings, number);
}

void uvow__out_end(uvow_websocket_t *ws) {
  uvow__ws_out_t *out = &ws->out;
  uvow__buf_done(&out->front);
  uvow__buf_done(&out->behind);
  uvow__gate_fail(&out->room, ws->ended);
  uvow__marks_fail(&out->flushes, ws->ended);
  uvow__marks_fail(&out->pings, ws->ended);
  uvow__sinks_wake(ws);
}

void uvow__out_done(uvow_websocket_t *ws) {
  uvow__buf_done(&ws->out.front);
  uvow__buf_done(&ws->out.behind);
}
