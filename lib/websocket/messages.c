/*
 * The messages of a WebSocket as a stream.
 *
 *   on_message -> item -> (full) the connection pauses -> resume -> it reads
 *   nobody reads any more -> let_go, a task -> one owner less; what comes from
 *                            then on is read and dropped
 *
 * 1. While its stream is full, nothing is read from the socket (S4): no message
 *    is refused but those that come behind our own close frame, which has to be
 *    answered.
 * 2. The peer's close is answered when what came before it was read, and its
 *    reader has asked for more: so that what is sent as an answer to the last
 *    message still leaves. Within close_timeout_ms.
 * 3. The stream's memory is pinned by the WebSocket, which has a handle of it
 *    only until somebody asks for it.
 */
#include "websocket.h"

#include <string.h>

#include "future/bytes.h"

static uvow_websocket_t *ws_of(const uvow_stream_t *stream) {
  return (uvow_websocket_t *)stream->source;
}

static void unpause(uvow_websocket_t *ws) {
  if (!ws->in.paused || !ws->connection)
    return;
  ws->in.paused = 0;
  ws->channel.ops->pause(&ws->channel, 0);
}

/* A late task: what was told of the last message may have been sent by now. */
static void want_answer(uvow_websocket_t *ws) {
  if (!uvow__task_queued(&ws->in.answer))
    uvow__runtime_push_late(&ws->loop->rt, &ws->in.answer, UVOW__LATE_FILL);
}

/* It has room, or, as a close is held, its reader has asked for more. */
static void resume(uvow_stream_t *stream) {
  uvow_websocket_t *ws = ws_of(stream);
  unpause(ws);
  if (ws->in.holds)
    want_answer(ws);
}

/* Whether all that came was read, and more is asked for. */
static int is_read(const uvow_websocket_t *ws) {
  const uvow_stream_t *s = ws->in.messages;
  if (s->flags & UVOW__STREAM_GONE)
    return 1;
  return s->items.count == 0 &&
         (!ws->in.taken || (s->flags & UVOW__STREAM_ASKED) ||
          !uvow__list_empty(&s->nexts));
}

static void run_answer(uvow__task_t *task) {
  uvow_websocket_t *ws = UVOW__CONTAINER(task, uvow_websocket_t, in.answer);
  if (!is_read(ws)) {
    ws->in.messages->flags |= UVOW__STREAM_PAUSED; /* resume comes again */
    return;
  }
  ws->in.holds = 0;
  uvow__connection_answer_close(ws->connection);
}

int uvow__in_holds_close(uvow_websocket_t *ws) {
  if (is_read(ws))
    return 0;
  ws->in.holds = 1;
  ws->in.messages->flags |= UVOW__STREAM_PAUSED;
  return 1;
}

static void cancel(uvow_stream_t *stream) {
  uvow_websocket_t *ws = ws_of(stream);
  uvow__websocket_pin(ws);
  uvow__stream_soon(stream->rt, &ws->in.let_go);
}

static const uvow__source_ops_t source_ops = {resume, cancel};

static void release(uvow_websocket_t *ws) {
  if (!ws->in.owns)
    return;
  ws->in.owns = 0;
  uvow_websocket_unref(ws);
}

static void run_let_go(uvow__task_t *task) {
  uvow_websocket_t *ws = UVOW__CONTAINER(task, uvow_websocket_t, in.let_go);
  if (ws->state != UVOW__WS_CLOSED) {
    uvow__stream_sink_gone(ws->in.messages);
    unpause(ws);
    if (ws->in.holds)
      want_answer(ws);
  }
  release(ws);
  uvow__websocket_unpin(ws);
}

int uvow__in_init(uvow_websocket_t *ws) {
  static const uvow_stream_options_t bounds = {
      .size = sizeof(bounds), .max_items = 64, .full = UVOW_FULL_WAIT};
  uvow_stream_t *s =
      uvow__stream_new(&ws->loop->rt, sizeof(*s), &source_ops, &bounds);
  if (!s)
    return UVOW_ENOMEM;
  s->source = ws;
  uvow__stream_pin(s);
  uvow__task_init(&ws->in.let_go, run_let_go);
  uvow__task_init(&ws->in.answer, run_answer);
  ws->in.messages = s;
  return 0;
}

/* A copy: the bytes that came are the connection's. */
static uvow__bytes_t *copy(uvow_websocket_t *ws, int opcode,
                           const uint8_t *bytes, size_t len) {
  uvow__bytes_t *item = uvow__bytes_new(&ws->loop->rt, len);
  if (!item)
    return NULL;
  item->is_binary = opcode == UVOW__OP_BINARY;
  if (len)
    memcpy(uvow__bytes_room(item), bytes, len);
  return item;
}

void uvow__in_message(uvow_websocket_t *ws, int opcode, const uint8_t *bytes,
                      size_t len) {
  uvow_stream_t *s = ws->in.messages;
  if (!(s->flags & UVOW__SINK_OUT) || (s->flags & UVOW__STREAM_GONE))
    return;
  uvow__bytes_t *item = copy(ws, opcode, bytes, len);
  if (!item) {
    uvow__websocket_end(ws, UVOW_ENOMEM, 1011, "no memory for a message");
    return;
  }
  if (uvow__stream_put_value(s, uvow__bytes_value(item)) == 1) {
    ws->in.paused = 1;
    ws->channel.ops->pause(&ws->channel, 1);
  }
}

/* Whether the messages just end: it was closed, by code 1000, 1001 or none, or
 * as we asked for it. */
static int is_orderly(const uvow_websocket_t *ws) {
  int status = uvow_error_status(ws->ended);
  return uvow_error_code(ws->ended) == UVOW_ECLOSED &&
         (ws->asked || status == 1000 || status == UVOW__CLOSE_NONE ||
          (status == 1001 && !ws->loop->closing));
}

void uvow__in_end(uvow_websocket_t *ws) {
  uvow_stream_t *s = ws->in.messages;
  if (!s)
    return;
  uvow__task_cancel(&ws->in.answer);
  if (is_orderly(ws))
    uvow__stream_end(s, uvow_value_none());
  else
    uvow__stream_fail(s, uvow_error_ref(ws->ended));
  if (s->flags & UVOW__SINK_OUT)
    uvow__stream_sink_gone(s);
  release(ws);
}

void uvow__in_done(uvow_websocket_t *ws) {
  uvow_stream_t *s = ws->in.messages;
  if (!s)
    return;
  if (!ws->in.taken)
    uvow_stream_unref(s);
  uvow__stream_unpin(s);
}

uvow_stream_t *uvow_websocket_messages(uvow_websocket_t *ws) {
  if (!ws)
    return NULL;
  if (ws->channel.callbacks)
    return uvow__stream_failed(&ws->loop->rt, UVOW_EBUSY);
  if (!ws->in.messages && uvow__in_init(ws))
    return NULL;
  if (ws->in.taken)
    return uvow_stream_ref(ws->in.messages);
  ws->in.taken = 1;
  if (ws->state != UVOW__WS_CLOSED) {
    ws->in.owns = 1;
    ws->owners++;
  }
  return ws->in.messages;
}
