/*
 * The simulated network: streams without sockets.
 *
 *   client --write--> up --sim_wire_up--> rx (the server reads)
 *   client <--sim_wire_down-- down <--sim_wire_send-- server
 *
 * A stream lives in the loop's memory, as a socket would; its link lives as
 * long as the world, so that what was on its way can arrive after its end.
 */
#include "wire.h"

#include "rpc/peer.h"

struct sim_stream {
  uvow__io_t stream; /* first */
  sim_link_t *link;
  struct sim_stream *next_dead;
  int closing;
  int paused;
};

static sim_stream_t *of(uvow__io_t *stream) {
  return (sim_stream_t *)(void *)stream;
}

static int write_cb(uvow__io_t *base, uvow__buf_t *out) {
  sim_link_t *link = of(base)->link;
  sim_t *s = link->sim;
  size_t size = uvow__buf_size(out);
  if (of(base)->closing || !link->connected || base->writing || size == 0)
    sim_fail(s,
             "a write that must not be: closing %d connected %d writing %d "
             "bytes %zu",
             of(base)->closing, link->connected, base->writing, size);
  if (!s->calm && s->config.faults && sim_one_in(&s->random, 120)) {
    size_t part = sim_below(&s->random, size + 1);
    sim_trace(s, "link %d: write fails, %zu of %zu left", link->number, part,
              size);
    sim_bytes_add(&link->up, uvow__buf_front(out), part);
    return UV_EPIPE;
  }
  sim_trace(s, "link %d: client writes %zu bytes", link->number, size);
  sim_bytes_add(&link->up, uvow__buf_front(out), size);
  base->writing = link->stalled || (!s->calm && sim_one_in(&s->random, 6));
  uvow__loop_return_write(s->loop, out);
  return 0;
}

static void close_cb(uvow__io_t *base) {
  sim_stream_t *stream = of(base);
  if (stream->closing)
    return;
  sim_trace(stream->link->sim, "link %d: client closes", stream->link->number);
  stream->closing = 1;
  stream->link->stream = NULL;
  stream->next_dead = stream->link->sim->dead;
  stream->link->sim->dead = stream;
}

static void hold_cb(uvow__io_t *base, int hold) {
  if (of(base)->closing)
    sim_fail(of(base)->link->sim, "hold(%d) on a closed stream", hold);
}

static void pause_cb(uvow__io_t *base, int pause) {
  if (of(base)->closing)
    sim_fail(of(base)->link->sim, "pause(%d) on a closed stream", pause);
  of(base)->paused = pause;
}

static size_t unsent_cb(const uvow__io_t *base) {
  return base->writing ? 1 : 0;
}

static const uvow__io_ops_t ops = {write_cb, close_cb, hold_cb, pause_cb,
                                   unsent_cb};

static sim_link_t *new_link(sim_t *s) {
  sim_link_t *link = (sim_link_t *)calloc(1, sizeof(*link));
  size_t size = (s->link_count + 1) * sizeof(*s->links);
  s->links = (sim_link_t **)realloc(s->links, size);
  if (!link || !s->links)
    abort();
  s->links[s->link_count++] = link;
  link->sim = s;
  link->number = (int)s->link_count;
  link->up_open = link->down_open = 1;
  if (!s->calm && s->config.faults && sim_one_in(&s->random, 8))
    link->plan = (int)sim_below(&s->random, SIM_PLAN_BAD_ACCEPT + 1);
  return link;
}

static int connect_cb(const uvow__transport_t *transport, uvow_loop_t *loop,
                      const uvow__endpoint_t *endpoint,
                      const uvow__io_callbacks_t *callbacks, void *ctx,
                      uvow__io_t **ret_io) {
  sim_t *s = UVOW__CONTAINER(transport, sim_t, transport);
  (void)endpoint;
  if (sim_wire_alive(s->link))
    sim_fail(s, "a second connection while link %d is there", s->link->number);
  if (!s->calm && s->config.faults && sim_one_in(&s->random, 15)) {
    sim_trace(s, "connect fails at once");
    return UV_EMFILE;
  }
  sim_stream_t *stream =
      (sim_stream_t *)uvow__calloc(uvow__loop_mem(loop), sizeof(*stream));
  if (!stream)
    return UVOW_ENOMEM;
  stream->stream.ops = &ops;
  stream->stream.callbacks = callbacks;
  stream->stream.ctx = ctx;
  stream->link = s->link = new_link(s);
  stream->link->stream = stream;
  s->in_flight = s->owed = 0;
  sim_trace(s, "link %d: connecting, plan %d", s->link->number, s->link->plan);
  uvow__loop_stream_opened(loop);
  *ret_io = &stream->stream;
  return 0;
}

void sim_wire_init(sim_t *s) {
  s->transport.connect = connect_cb;
}

static void free_link(sim_link_t *link) {
  for (size_t i = 0; i < link->message_count; i++)
    free(link->messages[i].text);
  free(link->messages);
  free(link->todo);
  sim_bytes_done(&link->up);
  sim_bytes_done(&link->rx);
  sim_bytes_done(&link->down);
  free(link);
}

void sim_wire_done(sim_t *s) {
  for (size_t i = 0; i < s->link_count; i++)
    free_link(s->links[i]);
  free(s->links);
}

void sim_wire_free_closed(sim_t *s) {
  while (s->dead) {
    sim_stream_t *stream = s->dead;
    const uvow__io_callbacks_t *callbacks = stream->stream.callbacks;
    void *ctx = stream->stream.ctx;
    uvow_loop_t *loop = s->loop;
    s->dead = stream->next_dead;
    uvow__runtime_enter(&loop->rt);
    uvow__free(uvow__loop_mem(loop), stream);
    callbacks->on_closed(ctx);
    uvow__runtime_leave(&loop->rt);
    uvow__loop_stream_closed(loop);
  }
}

void sim_wire_connect(sim_link_t *link) {
  sim_t *s = link->sim;
  if (link->connected || !link->stream || link->plan == SIM_PLAN_SILENT)
    return;
  if (link->plan == SIM_PLAN_REFUSE_CONNECT) {
    sim_wire_end(link, UV_ECONNREFUSED);
    return;
  }
  uvow__io_t *stream = &link->stream->stream;
  sim_trace(s, "link %d: connected", link->number);
  link->connected = 1;
  sim_enter(s);
  stream->callbacks->on_open(stream->ctx);
  sim_leave(s);
}

/* A close has its time anew when the server reads. */
static void note_read(sim_t *s) {
  for (sim_watch_t *watch = s->watches; watch; watch = watch->next)
    if (watch->left_ms > 0)
      watch->left_ms = watch->most_ms;
}

void sim_wire_up(sim_link_t *link, size_t max) {
  size_t left = sim_bytes_left(&link->up);
  size_t part = left < max ? left : max;
  if (!link->up_open || part == 0)
    return;
  sim_trace(link->sim, "link %d: %zu of %zu bytes up", link->number, part,
            left);
  sim_bytes_add(&link->rx, link->up.data + link->up.pos, part);
  link->up.pos += part;
  note_read(link->sim);
  sim_server_read(link);
}

/* Whether each message that came whole was seen, while the client reads. */
static void check_read(sim_link_t *link) {
  sim_t *s = link->sim;
  size_t pos = link->down.pos;
  if (link->poison && pos >= link->poison && s->link == link &&
      s->state == UVOW_PEER_OPEN)
    sim_fail(s, "link %d: the client goes on after a violation", link->number);
  if (!sim_wire_alive(link) || (link->farewell && pos >= link->farewell))
    return;
  if (link->stream && link->stream->paused) /* the rest waits within it */
    return;
  if (link->message_read < link->message_count &&
      link->messages[link->message_read].end <= pos)
    sim_fail(s, "link %d: message %zu came whole and wasn't seen", link->number,
             link->message_read);
}

void sim_wire_down(sim_link_t *link, size_t max) {
  sim_t *s = link->sim;
  size_t left = sim_bytes_left(&link->down);
  size_t part = left < max ? left : max;
  if (!link->stream || !link->connected || link->ended || part == 0 ||
      link->stream->paused)
    return;
  uvow__io_t *stream = &link->stream->stream;
  /* A copy with nothing behind it: an over-read is seen. */
  uint8_t *copy = (uint8_t *)malloc(part);
  if (!copy)
    abort();
  memcpy(copy, link->down.data + link->down.pos, part);
  sim_trace(s, "link %d: %zu of %zu bytes down", link->number, part, left);
  link->down.pos += part;
  link->silent_ms = 0;
  sim_enter(s);
  stream->callbacks->on_read(stream->ctx, copy, part);
  free(copy);
  if (!s->client || !uvow__peer_connection(s->client))
    link->leaving = 1;
  if (s->answering)
    sim_fail(s, "an answer to request %u did not settle it",
             s->answering->nonce);
  sim_leave(s);
  check_read(link);
}

void sim_wire_drain(sim_link_t *link) {
  sim_t *s = link->sim;
  if (!link->stream || !link->stream->stream.writing || link->stalled)
    return;
  uvow__io_t *stream = &link->stream->stream;
  sim_trace(s, "link %d: drained", link->number);
  note_read(s);
  sim_enter(s);
  stream->writing = 0;
  stream->callbacks->on_drained(stream->ctx);
  sim_leave(s);
}

void sim_wire_end(sim_link_t *link, int code) {
  sim_t *s = link->sim;
  if (!link->stream || link->ended)
    return;
  uvow__io_t *stream = &link->stream->stream;
  link->ended = 1;
  sim_trace(s, "link %d: ends, %d", link->number, code);
  sim_enter(s);
  stream->callbacks->on_end(
      stream->ctx,
      code ? uvow__error_code(uvow__loop_mem(s->loop), code, UVOW_OUTCOME_NONE)
           : NULL);
  sim_leave(s);
  if (link->stream) /* it has yet to read on, in its next turn */
    sim_turn(s);
  if (link->stream)
    sim_fail(s, "link %d has ended, and is not closed", link->number);
}

void sim_wire_cut(sim_link_t *link) {
  link->up_open = link->down_open = 0;
}

static void keep_message(sim_link_t *link, const sim_message_t *message,
                         const void *bytes, size_t len) {
  if (link->message_count == link->message_cap) {
    link->message_cap = link->message_cap ? link->message_cap * 2 : 32;
    link->messages = (sim_message_t *)realloc(
        link->messages, link->message_cap * sizeof(*link->messages));
  }
  sim_message_t *own = &link->messages[link->message_count++];
  *own = *message;
  own->end = link->down.len;
  own->len = len;
  own->text = (char *)malloc(len + 1);
  memcpy(own->text, bytes, len);
  own->text[len] = '\0';
}

void sim_wire_send(sim_link_t *link, unsigned first, const void *bytes,
                   size_t len, const sim_message_t *message) {
  sim_random_t *random = &link->sim->random;
  const uint8_t *at = (const uint8_t *)bytes;
  unsigned opcode = first;
  size_t left = len;
  if (!link->down_open || link->poison || link->farewell)
    return;
  /* In fragments, now and then, with a ping between them. */
  while (message && sim_one_in(random, 8)) {
    size_t part = sim_below(random, left + 1);
    sim_frame_put(&link->down, opcode & 0x0F, at, part, 0);
    at += part;
    left -= part;
    opcode = 0x80;
    if (sim_one_in(random, 3))
      sim_frame_put(&link->down, 0x89, "between", 7, 0);
  }
  sim_frame_put(&link->down, opcode, at, left, 0);
  if (message)
    keep_message(link, message, bytes, len);
}
