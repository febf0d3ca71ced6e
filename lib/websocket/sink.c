/*
 * A WebSocket as a channel: its messages, and a sink that sends.
 *
 *   the application's sink -> stream -> run, a task, its only reader -> send
 *
 * 1. It reads while the WebSocket isn't full; so a sink is full when its stream
 *    is, and what waits is bounded by both (S4).
 * 2. The sink's end closes in order, a dropped or failed one at once. What can't
 *    be sent ends the WebSocket: whoever pushed it was told that it was taken.
 * 3. Each sink owns the WebSocket until its reader has left.
 */
#include "websocket.h"

#include "future/bytes.h"

typedef struct sink {
  uvow__list_t link;
  uvow__task_t task;
  uvow_websocket_t *ws;
  uvow_stream_t *stream; /* the reader's handle */
} sink_t;

static sink_t *sink_at(uvow__list_t *link) {
  return UVOW__CONTAINER(link, sink_t, link);
}

static void free_sink(sink_t *sink) {
  uvow_websocket_t *ws = sink->ws;
  uvow__list_remove(&sink->link);
  uvow__stream_leave(sink->stream);
  uvow__task_cancel(&sink->task); /* the end of ws may have queued it again */
  uvow__free(uvow__websocket_mem(ws), sink);
  uvow_websocket_unref(ws);
}

/* Its stream has ended: so does the WebSocket. */
static void end(sink_t *sink) {
  uvow_websocket_t *ws = sink->ws;
  if (sink->stream->end->state == UVOW_FULFILLED)
    ws->channel.ops->close(&ws->channel, 1000, "");
  else
    uvow__websocket_end(ws, UVOW_ECLOSED, 1001, "its sink was dropped");
}

/* Sends an item, which it takes. Whether there may be another. */
static int send_item(uvow_websocket_t *ws, uvow__item_t *item) {
  int rc = uvow_websocket_send(ws, item->value);
  if (rc < 0 && ws->state <= UVOW__WS_OPEN)
    uvow__websocket_end(ws, rc, 1011, "what was pushed can't be sent");
  return rc == 0;
}

static void run(uvow__task_t *task) {
  sink_t *sink = UVOW__CONTAINER(task, sink_t, task);
  uvow_websocket_t *ws = sink->ws;
  uvow__item_t item;
  int got = UVOW__STREAM_ITEM;
  while (ws->state <= UVOW__WS_OPEN && !uvow__out_is_full(ws)) {
    got = uvow__stream_take(sink->stream, &item);
    if (got != UVOW__STREAM_ITEM || !send_item(ws, &item))
      break;
  }
  if (got == UVOW__STREAM_END)
    end(sink);
  if (got == UVOW__STREAM_END || ws->state > UVOW__WS_OPEN) {
    free_sink(sink);
    return;
  }
  if (got == UVOW__STREAM_NONE)
    uvow__stream_ask(sink->stream);
  if (uvow__out_unsent(ws) == 0 && uvow_stream_waiting(sink->stream) == 0)
    uvow__stream_read(sink->stream);
}

void uvow__sinks_wake(uvow_websocket_t *ws) {
  uvow__list_t *after;
  for (uvow__list_t *at = ws->out.sinks.next; at != &ws->out.sinks;
       at = after) {
    after = at->next;
    sink_t *sink = sink_at(at);
    if (!uvow__task_queued(&sink->task))
      uvow__stream_soon(&ws->loop->rt, &sink->task);
  }
}

/* A sink that sends. NULL: no memory. */
static uvow_sink_t *make_sink(uvow_websocket_t *ws) {
  uvow_sink_t *ret;
  uvow_stream_t *stream = uvow_stream_new(ws->loop, NULL, &ret);
  sink_t *sink = (sink_t *)uvow__calloc(uvow__websocket_mem(ws), sizeof(*sink));
  if (!stream || !sink) {
    uvow__free(uvow__websocket_mem(ws), sink);
    uvow_stream_unref(stream);
    uvow_sink_drop(ret);
    return NULL;
  }
  sink->ws = uvow_websocket_ref(ws);
  sink->stream = stream;
  uvow__task_init(&sink->task, run);
  uvow__list_append(&ws->out.sinks, &sink->link);
  (void)uvow__stream_claim(stream, &sink->task); /* nobody else has it */
  uvow__stream_ask(stream);
  if (ws->state > UVOW__WS_OPEN && !uvow__task_queued(&sink->task))
    uvow__stream_soon(&ws->loop->rt, &sink->task);
  return ret;
}

uvow_channel_t uvow_websocket_channel(uvow_websocket_t *ws) {
  uvow_channel_t channel = {NULL, NULL};
  if (!ws)
    return channel;
  channel.in = uvow_websocket_messages(ws);
  channel.out = channel.in ? make_sink(ws) : NULL;
  if (!channel.out) {
    uvow_stream_unref(channel.in);
    channel.in = NULL;
  }
  return channel;
}
