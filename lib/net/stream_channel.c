/*
 * A stream and a sink as a channel of messages.
 *
 *   in:  stream -> reader (a task) -> deliver (a root a message) -> on_message
 *   out: send -> the sink's stream, while it has room -> its reader
 *             -> waiting, bounded -> pump, when there is room
 *
 * 1. Nothing is called back from within a send, a pause, a close or a drop.
 * 2. A message is one root, and read when the one before is done with: what isn't
 *    read waits at the source, which so waits too.
 * 3. When the sink's reader lets go, nothing can be sent any more; what has come
 *    until then is still read, for LINGER_MS at most.
 * 4. The stream's end is the channel's. What waits for room then still leaves,
 *    unless the stream failed.
 * 5. It is freed when it has ended or was dropped, and nothing waits for room.
 */
#include "stream_channel.h"

#include <string.h>

#include "future/bytes.h"
#include "future/stream.h"

#define LINGER_MS 5000
#define OPCODE_TEXT 1
#define OPCODE_BINARY 2

typedef struct over {
  uvow__channel_t channel; /* first */
  uvow_loop_t *loop;
  uvow_stream_t *in;     /* its handle; NULL: it has left */
  uvow_stream_t *out;    /* of the sink, which it owns; NULL: used up */
  uvow__items_t waiting; /* for room */
  size_t max_unsent;
  uvow__task_t reader;  /* there is something to read */
  uvow__task_t deliver; /* the first message, or the end */
  uvow__task_t pump;    /* there's room, or the sink's reader has gone */
  uvow__deadline_t linger;
  int paused;
  int closing; /* the sink ends behind what waits */
  int unread;  /* its reader has gone */
} over_t;

static over_t *over_of(uvow__channel_t *channel) {
  return (over_t *)(void *)channel;
}

static uvow_sink_t *sink_of(uvow_stream_t *stream) {
  return (uvow_sink_t *)(void *)stream;
}

static size_t unsent(const over_t *over) {
  return over->waiting.bytes + (over->out ? over->out->items.bytes : 0);
}

/* ---- its ends ---- */

/* Gives the sink back: ended in order, or not. */
static void leave_out(over_t *over, int in_order) {
  uvow_stream_t *out = over->out;
  over->out = NULL;
  if (!out)
    return;
  out->source = NULL;
  if (in_order)
    uvow_sink_end(sink_of(out));
  else
    uvow_sink_drop(sink_of(out));
}

static void leave_in(over_t *over) {
  uvow_stream_t *in = over->in;
  over->in = NULL;
  uvow__stream_leave(in);
  uvow__task_cancel(&over->reader);
  uvow__task_cancel(&over->deliver);
  uvow__wheel_disarm(&over->linger);
}

static void free_over(over_t *over) {
  const uvow__mem_t *mem = uvow__loop_mem(over->loop);
  leave_in(over);
  leave_out(over, 0);
  uvow__task_cancel(&over->pump);
  uvow__items_done(&over->waiting, mem);
  uvow__free(mem, over);
}

/* Takes the error. */
static void end(over_t *over, uvow_error_t *error, int in_order) {
  const uvow__channel_callbacks_t *callbacks = over->channel.callbacks;
  void *ctx = over->channel.ctx;
  over->channel.callbacks = NULL;
  over->closing = 1;
  leave_in(over);
  if (in_order && over->waiting.count == 0)
    leave_out(over, 1);
  if (!in_order || over->waiting.count == 0)
    free_over(over);
  if (callbacks)
    callbacks->on_end(ctx, error);
  else
    uvow_error_unref(error);
}

static uvow_error_t *lost(const over_t *over, const uvow_error_t *cause,
                          const char *text) {
  uvow__error_spec_t spec = {0};
  spec.code = UVOW_ELOST;
  if (cause)
    spec.before = UVOW__SLICE("connection lost: ");
  spec.detail = (uvow__slice_t){text, strlen(text)};
  spec.cause = cause;
  return uvow__error_make(uvow__loop_mem(over->loop), &spec);
}

/* Whether it's another's: libuv's, the application's. */
static int is_foreign(int code) {
  return code == UVOW_EBROKEN || !uvow__error_text(code);
}

static void end_as_in(over_t *over) {
  const uvow__mem_t *mem = uvow__loop_mem(over->loop);
  const uvow_future_t *source = over->in->end;
  if (source->state != UVOW_REJECTED) {
    end(over, uvow__error_code(mem, UVOW_ECLOSED, UVOW_OUTCOME_NONE), 1);
    return;
  }
  uvow_error_t *error = uvow_error_ref(source->u.error);
  if (is_foreign(uvow_error_code(error))) {
    uvow_error_t *wrapped = lost(over, error, uvow_error_message(error));
    uvow_error_unref(error);
    error = wrapped;
  }
  end(over, error, 0);
}

/* ---- what comes ---- */

/* Invariant 2. */
static void wake(over_t *over) {
  if (!uvow__task_queued(&over->deliver))
    uvow__runtime_push_root(&over->loop->rt, &over->deliver);
}

static void look(over_t *over) {
  if (over->paused)
    return;
  if (uvow__stream_ready(over->in))
    wake(over);
  else
    uvow__stream_ask(over->in);
}

static void run_reader(uvow__task_t *task) {
  wake(UVOW__CONTAINER(task, over_t, reader));
}

/* The channel may be gone when it returns. Takes the value. */
static void give(over_t *over, uvow_value_t value) {
  uvow__runtime_t *rt = &over->loop->rt;
  const uvow__bytes_t *bytes = uvow__value_bytes(&value);
  uvow__slice_t message;
  int rc = uvow__value_slice(&value, &message);
  if (rc) {
    end(over, uvow__error_code(&rt->mem, rc, UVOW_OUTCOME_NONE), 0);
  } else {
    look(over);
    over->channel.callbacks->on_message(
        over->channel.ctx,
        bytes && bytes->is_binary ? OPCODE_BINARY : OPCODE_TEXT,
        (const uint8_t *)message.ptr, message.len, NULL);
  }
  uvow__value_release_later(rt, value);
}

static void run_deliver(uvow__task_t *task) {
  over_t *over = UVOW__CONTAINER(task, over_t, deliver);
  uvow__item_t item;
  if (over->paused)
    return;
  int got = uvow__stream_take(over->in, &item);
  if (got == UVOW__STREAM_END)
    end_as_in(over);
  else if (got == UVOW__STREAM_ITEM && !item.is_gap)
    give(over, item.value);
  else
    look(over);
}

static void pause_op(uvow__channel_t *channel, int on) {
  over_of(channel)->paused = on;
  look(over_of(channel));
}

/* ---- what goes ---- */

/* Tells us of room when an item is taken, if that makes a difference. */
static void watch(over_t *over) {
  if (over->out && (over->waiting.count || unsent(over) > over->max_unsent / 2))
    over->out->flags |= UVOW__STREAM_PAUSED;
}

static void on_resume(uvow_stream_t *stream) {
  over_t *over = (over_t *)stream->source;
  if (over && !uvow__task_queued(&over->pump))
    uvow__stream_soon(stream->rt, &over->pump);
}

static void on_cancel(uvow_stream_t *stream) {
  over_t *over = (over_t *)stream->source;
  if (over)
    over->unread = 1;
  on_resume(stream);
}

static const uvow__source_ops_t source_ops = {on_resume, on_cancel};

/* Invariant 3. */
static void on_unread(over_t *over) {
  leave_out(over, 0);
  uvow__items_done(&over->waiting, uvow__loop_mem(over->loop));
  if (!over->in) {
    free_over(over);
    return;
  }
  uvow__runtime_arm(&over->loop->rt, &over->linger, LINGER_MS);
}

static void on_linger_over(uvow__deadline_t *deadline) {
  over_t *over = UVOW__CONTAINER(deadline, over_t, linger);
  end(over, lost(over, NULL, "what is sent is read by nobody any more"), 0);
}

/* Gives the sink what waits, as far as it takes it. */
static int push_waiting(over_t *over) {
  uvow__item_t item;
  int rc = 0;
  while (rc >= 0 && over->waiting.count && uvow__stream_has_room(over->out)) {
    uvow__items_take(&over->waiting, &item);
    rc = uvow_sink_push(sink_of(over->out), item.value);
  }
  return rc < 0 ? rc : 0;
}

static void run_pump(uvow__task_t *task) {
  over_t *over = UVOW__CONTAINER(task, over_t, pump);
  int rc = over->unread || !over->out ? 0 : push_waiting(over);
  if (rc) {
    end(over,
        uvow__error_code(uvow__loop_mem(over->loop), rc, UVOW_OUTCOME_NONE), 0);
    return;
  }
  if (over->unread) {
    int is_over = !over->in;
    on_unread(over);
    if (is_over)
      return;
  } else if (over->closing && over->waiting.count == 0) {
    leave_out(over, 1);
    if (!over->in) {
      free_over(over);
      return;
    }
  }
  watch(over);
  if (over->channel.callbacks)
    over->channel.callbacks->on_writable(over->channel.ctx);
}

static uvow__bytes_t *join(over_t *over, int opcode,
                           const uvow__splice_t *message, size_t size) {
  uvow__bytes_t *bytes = uvow__bytes_new(&over->loop->rt, size);
  size_t at = message->inner.len ? message->at : message->text.len;
  if (!bytes)
    return NULL;
  char *room = uvow__bytes_room(bytes);
  if (at)
    memcpy(room, message->text.ptr, at);
  if (message->inner.len)
    memcpy(room + at, message->inner.ptr, message->inner.len);
  if (at < message->text.len)
    memcpy(room + at + message->inner.len, message->text.ptr + at,
           message->text.len - at);
  bytes->is_binary = opcode == OPCODE_BINARY;
  return bytes;
}

static int send_op(uvow__channel_t *channel, int opcode,
                   const uvow__splice_t *message) {
  over_t *over = over_of(channel);
  size_t size;
  if (over->closing || over->unread) /* else there is an `out` */
    return UVOW_ECLOSED;
  if (uvow__size_add(message->text.len, message->inner.len, &size) ||
      size > over->max_unsent || unsent(over) > over->max_unsent - size)
    return UVOW_EOVERLOAD;
  if (uvow__items_reserve(&over->waiting, uvow__loop_mem(over->loop)))
    return UVOW_ENOMEM;
  uvow__bytes_t *bytes = join(over, opcode, message, size);
  if (!bytes)
    return UVOW_ENOMEM;
  uvow__item_t item = {uvow__bytes_value(bytes), 0, 0};
  int rc = 0;
  if (over->waiting.count == 0 && uvow__stream_has_room(over->out))
    rc = uvow_sink_push(sink_of(over->out), item.value);
  else
    uvow__items_append(&over->waiting, &item);
  watch(over);
  return rc < 0 ? rc : 0;
}

static size_t unsent_op(const uvow__channel_t *channel) {
  return unsent((const over_t *)(const void *)channel);
}

static void close_op(uvow__channel_t *channel, int code, const char *reason) {
  over_t *over = over_of(channel);
  (void)code; /* a stream has no place for them */
  (void)reason;
  over->closing = 1;
  over->paused = 0;
  if (over->waiting.count == 0)
    leave_out(over, 1);
  look(over);
}

static void drop_op(uvow__channel_t *channel) {
  free_over(over_of(channel));
}

static void hold_op(uvow__channel_t *channel, int on) {
  (void)channel; /* what is behind the stream does */
  (void)on;
}

static const uvow__channel_ops_t ops = {send_op,  unsent_op, pause_op,
                                        close_op, drop_op,   hold_op};

/* ---- made ---- */

int uvow__stream_channel_new(uvow_loop_t *loop, uvow_channel_t channel,
                             size_t max_unsent, uvow__channel_t **ret) {
  uvow_stream_t *out = (uvow_stream_t *)(void *)channel.out;
  over_t *over = NULL;
  int rc = 0;
  if (!channel.in || !out || channel.in->rt != &loop->rt ||
      out->rt != &loop->rt)
    rc = UVOW_EINVAL;
  if (rc == 0)
    over = (over_t *)uvow__calloc(uvow__loop_mem(loop), sizeof(*over));
  if (rc == 0 && !over)
    rc = UVOW_ENOMEM;
  if (rc == 0) {
    uvow__task_init(&over->reader, run_reader);
    rc = uvow__stream_claim(channel.in, &over->reader);
  }
  if (rc) {
    uvow__free(uvow__loop_mem(loop), over);
    uvow_stream_unref(channel.in);
    uvow_sink_drop(channel.out);
    return rc;
  }
  over->channel.ops = &ops;
  over->loop = loop;
  over->in = channel.in;
  over->out = out;
  over->max_unsent = max_unsent;
  uvow__items_init(&over->waiting);
  uvow__task_init(&over->deliver, run_deliver);
  uvow__task_init(&over->pump, run_pump);
  uvow__deadline_init(&over->linger, on_linger_over);
  uvow__sink_take(out, &source_ops);
  out->source = over;
  if (out->flags & UVOW__STREAM_GONE)
    on_cancel(out);
  look(over);
  *ret = &over->channel;
  return 0;
}
