/* Worlds of two sessions: their bytes move. See pair.c. */
#include "pair.h"

static uvow_next_t on_bytes(const uvow_result_t *item, void *data) {
  side_t *side = (side_t *)data;
  uvow_slice_t bytes = uvow_result_bytes(item);
  wire_t *wire = &side->said;
  if (bytes.len > sizeof(wire->bytes) - wire->len)
    abort();
  memcpy(wire->bytes + wire->len, bytes.bytes, bytes.len);
  wire->len += bytes.len;
  return uvow_next_none();
}

/* What one side said: the end of that is the other one's end too. */
static void on_silence(const uvow_result_t *result, void *data) {
  side_t *side = (side_t *)data;
  world_t *w = side->world;
  side_t *other = &w->sides[side == w->sides];
  (void)result;
  uvow_sink_drop(other->far.out);
  other->far.out = NULL;
}

static size_t move(side_t *from, size_t most) {
  world_t *w = from->world;
  side_t *to = &w->sides[from == w->sides];
  wire_t *wire = &from->said;
  size_t len = wire->len - wire->at;
  if (len > most)
    len = most;
  if (!len || !to->far.out)
    return 0;
  int rc = uvow_sink_push(
      to->far.out,
      uvow_value_bytes(w->s.loop, (const char *)wire->bytes + wire->at, len));
  if (rc != 0 && rc != 1)
    return 0; /* it has no room, or nobody reads it any more */
  wire->at += len;
  if (wire->at == wire->len)
    wire->at = wire->len = 0;
  return len;
}

/* A WebSocket's bytes: more than one connection there never is. */
static size_t move_frames(world_t *w, int from, size_t most) {
  size_t moved = ends_move(&w->ends, from, most);
  if (w->calm || sim_one_in(&w->random, w->floods ? 8 : 3))
    wires_drain(wires_last(&w->ends.wires), from);
  w->ends.wires.block = !w->calm && sim_one_in(&w->random, 4);
  return moved;
}

size_t pair_move(side_t *side, size_t most) {
  world_t *w = side->world;
  return w->kind == WEBSOCKET ? move_frames(w, side != w->sides, most)
                              : move(side, most);
}

void pair_make_framed(world_t *w, const uvow_peer_options_t *options) {
  for (int i = 0; i < 2; i++) {
    side_t *side = &w->sides[i];
    uvow_channel_t own;
    assert_int_equal(uvow_channel_pair(w->s.loop, &own, &side->far), 0);
    own = w->kind == LINES ? uvow_channel_lines(own, 1 << 16)
                           : uvow_channel_content_length(own, 1 << 16);
    side->peer = uvow_peer_new(w->s.loop, own, options);
    uvow_future_t *end = uvow_stream_each(side->far.in, on_bytes, side);
    assert_int_equal(uvow_future_done(end, on_silence, side), 0);
  }
}
