/*
 * Worlds of two real sessions that call each other: in memory, or over bytes
 * that the world moves, as many at a time as it says: framed ones, or those of
 * a WebSocket, whose client and server are the library's own.
 *
 *   side 0 -- session -- channel --+-- in memory ------------+-- session -- 1
 *                                  +-- frames -- bytes moved +
 *            peer_connect -- WebSocket -- bytes moved -- WebSocket -- server
 *
 * What must be true of each, whatever is asked, given up, closed or refused:
 * 1. A request settles once; its answer is its own; no error without a reason.
 * 2. A method runs at most once for a call, and never for a request that is
 *    said not to have been sent. Notifications arrive in order.
 * 3. What a call has begun is told when nobody waits for it any more.
 * 4. Items of a stream that a method returns come in order, none twice, none
 *    behind the end; an end in order has all that were made before it.
 * 5. In the end nothing is pending, nothing is under way, no byte is left.
 *
 * usage: sim_pair [--seeds A-B] [--seed N]
 */
#include "pair.h"

#include <stdio.h>

static const char *const names[METHODS] = {"echo", "later", "refuse",
                                           "back", "never", "many"};

static struct {
  unsigned long answered, refused, timed_out, canceled, lost, notes, moved;
  unsigned long items, streams, opened, cut;
} totals;

static void wrong(const world_t *w, const char *what, unsigned number,
                  int code) {
  printf("not ok 1 - world %llu: %s: %u, %s\n", (unsigned long long)w->seed,
         what, number, code ? uvow_err_name(code) : "none");
  fflush(stdout); /* before a sanitizer says what a world left */
  exit(1);
}

static uint64_t now_ms(const world_t *w) {
  return w->s.now_ns / 1000000;
}

static unsigned number_of(const uvow_result_t *result) {
  int64_t number = 0;
  if (uvow_result_get_int64(result, "/0", &number))
    return ASKS_MAX;
  return (unsigned)number;
}

static uvow_value_t params_of(world_t *w, unsigned number) {
  char text[400];
  unsigned pad = w->bounds && !w->floods ? sim_below(&w->random, 300) : 3;
  int len = snprintf(text, sizeof(text), "[%u,\"%0*u\"]", number, (int)pad, 0);
  return uvow_value_bytes(w->s.loop, text, (size_t)len);
}

/* ---- who answers ---- */

static void on_unwanted(void *data) {
  ask_t *ask = (ask_t *)data;
  uvow_promise_drop(ask->promise);
  ask->promise = NULL;
}

static uvow_next_t wait_for(ask_t *ask) {
  uvow_future_t *f = uvow_promise_new(ask->world->s.loop, &ask->promise);
  uvow_promise_on_cancel(ask->promise, on_unwanted, ask, NULL);
  return uvow_next_future(f);
}

static void on_unread(void *data) {
  ask_t *ask = (ask_t *)data;
  uvow_sink_drop(ask->sink);
  ask->sink = NULL;
}

static uvow_next_t make_many(ask_t *ask) {
  uvow_stream_t *stream = uvow_stream_new(ask->world->s.loop, NULL, &ask->sink);
  uvow_sink_on_cancel(ask->sink, on_unread, ask, NULL);
  return uvow_next_stream(stream);
}

static uvow_next_t work(uvow_call_t *call, const uvow_result_t *params,
                        void *data) {
  world_t *w = (world_t *)data;
  unsigned number = number_of(params);
  const char *name = uvow_call_method(call);
  if (number >= w->count)
    wrong(w, "a call that nobody made", number, 0);
  ask_t *ask = &w->asks[number];
  if (strcmp(name, "from back") == 0)
    return uvow_next_pass();
  if (ask->seen++ || strcmp(name, names[ask->method]) != 0)
    wrong(w, "a call runs twice, or another method", number, 0);
  switch (ask->method) {
  case AT_ONCE:
    return uvow_next_pass();
  case REFUSE:
    return uvow_next_code(UVOW_EINVAL, "no");
  case MANY:
    return make_many(ask);
  case BACK: /* the answer is what the caller says */
    return uvow_next_future(uvow_peer_request(uvow_call_peer(call), "from back",
                                              params_of(w, number)));
  default:
    return wait_for(ask);
  }
}

static uvow_next_t note(uvow_call_t *call, const uvow_result_t *params,
                        void *data) {
  world_t *w = (world_t *)data;
  side_t *side =
      uvow_call_peer(call) == w->sides[0].peer ? &w->sides[0] : &w->sides[1];
  unsigned number = number_of(params);
  if (number <= side->heard || number > w->sides[side == w->sides].noted)
    wrong(w, "a notification out of order", number, 0);
  side->heard = number;
  totals.notes++;
  return uvow_next_none();
}

/* ---- who asks ---- */

static uvow_next_t on_many(const uvow_result_t *item, void *data) {
  ask_t *ask = (ask_t *)data;
  world_t *w = ask->world;
  int64_t n = 0;
  (void)uvow_result_get_int64(item, "/1", &n);
  if (number_of(item) != (unsigned)(ask - w->asks) ||
      n != (int64_t)ask->got + 1 || ask->got >= ask->made ||
      uvow_result_missed(item))
    wrong(w, "an item out of order", ask->got, 0);
  if (ask->settled || ask->canceled)
    wrong(w, "an item behind the end", ask->got, 0);
  ask->got++;
  totals.items++;
  if (!sim_one_in(&w->random, 3))
    return uvow_next_none();
  return uvow_next_future(
      uvow_future_delay(w->s.loop, sim_below(&w->random, 50)));
}

static void check_error(world_t *w, const ask_t *ask, unsigned number,
                        const uvow_error_t *error) {
  int code = uvow_error_code(error);
  int status = uvow_error_status(error);
  if (status == 1002 || status == 1003 || status == 1007)
    wrong(w, "one end says that the other broke a rule", number, status);
  if (uvow_error_outcome(error) == UVOW_NOT_SENT && ask->seen)
    wrong(w, "it was sent", number, code);
  totals.timed_out += code == UVOW_ETIMEDOUT;
  totals.canceled += code == UVOW_ECANCELED;
  int lost =
      code == UVOW_ECLOSED || code == UVOW_ELOST || code == UV_ECONNRESET;
  /* Who can't be told an answer loses its connection. */
  int may_be_lost = w->ended || w->bounds;
  totals.lost += (unsigned)lost;
  totals.refused += code == UVOW_EREMOTE || code == UVOW_EOVERLOAD;
  if ((code == UVOW_ETIMEDOUT && now_ms(w) >= ask->made_ms + ask->timeout_ms) ||
      (code == UVOW_ECANCELED && ask->canceled) || (lost && may_be_lost) ||
      (code == UVOW_EREMOTE && (ask->method == REFUSE || ask->method == BACK ||
                                ask->failed || w->bounds || w->ended)) ||
      (code == UVOW_EOVERLOAD && w->bounds))
    return;
  wrong(w, "an error without a reason", number, code);
}

static void on_settled(const uvow_result_t *result, void *data) {
  ask_t *ask = (ask_t *)data;
  world_t *w = ask->world;
  unsigned number = (unsigned)(ask - w->asks);
  if (ask->settled++)
    wrong(w, "settled twice", number, 0);
  if (result->error) {
    check_error(w, ask, number, result->error);
    return;
  }
  totals.answered++;
  if (number_of(result) != number || !ask->seen)
    wrong(w, "another's answer", number, 0);
  if (ask->method == MANY && (ask->got != ask->made || ask->failed))
    wrong(w, "the end, and items are missing", ask->got, 0);
  totals.streams += ask->method == MANY;
}

/* Its end settles it. */
static uvow_future_t *ask_for_many(ask_t *ask, unsigned number,
                                   const uvow_request_options_t *options) {
  world_t *w = ask->world;
  return uvow_stream_each(
      uvow_peer_request_stream_with(w->sides[ask->side].peer, names[MANY],
                                    params_of(w, number), options),
      on_many, ask);
}

static void ask_something(side_t *side) {
  world_t *w = side->world;
  uvow_request_options_t options = {.size = sizeof(options)};
  if (!side->peer || w->count == ASKS_MAX)
    return;
  ask_t *ask = &w->asks[w->count];
  ask->world = w;
  ask->side = side != w->sides;
  ask->method = (int)sim_below(&w->random, METHODS - !w->parts);
  ask->made_ms = now_ms(w);
  ask->timeout_ms = options.timeout_ms = 1 + sim_below(&w->random, TIMEOUT_MS);
  unsigned number = w->count++;
  uvow_future_t *f =
      ask->method == MANY
          ? ask_for_many(ask, number, &options)
          : uvow_peer_request_with(side->peer, names[ask->method],
                                   params_of(w, number), &options);
  if (sim_one_in(&w->random, 3))
    ask->kept = uvow_future_ref(f);
  if (!f || uvow_future_done(f, on_settled, ask))
    wrong(w, "no future", number, 0);
}

static void ask_some(side_t *side) {
  world_t *w = side->world;
  unsigned times = w->floods ? sim_below(&w->random, 8) : 1;
  for (unsigned i = 0; i < times; i++)
    ask_something(w->floods ? &w->sides[0] : side);
}

static void notify(side_t *side) {
  if (side->peer &&
      uvow_peer_notify(side->peer, "note",
                       params_of(side->world, side->noted + 1)) == 0)
    side->noted++;
}

static void cancel_something(world_t *w) {
  ask_t *ask = &w->asks[sim_below(&w->random, w->count)];
  if (!ask->kept)
    return;
  ask->canceled = 1;
  uvow_future_cancel(ask->kept);
  uvow_future_unref(ask->kept);
  ask->kept = NULL;
}

static void push_one(ask_t *ask) {
  world_t *w = ask->world;
  char text[400];
  unsigned pad = w->bounds ? sim_below(&w->random, 300) : 3;
  int len = snprintf(text, sizeof(text), "[%u,%u,\"%0*u\"]",
                     (unsigned)(ask - w->asks), ask->made + 1, (int)pad, 0);
  int rc =
      uvow_sink_push(ask->sink, uvow_value_bytes(w->s.loop, text, (size_t)len));
  if (rc < 0 && rc != UVOW_EOVERLOAD && rc != UVOW_ECANCELED)
    wrong(w, "a push is refused", ask->made, rc);
  ask->made += rc >= 0;
  w->made += rc >= 0;
}

/* A stream gets some items, or its end. */
static void push_something(world_t *w) {
  unsigned at = sim_below(&w->random, w->count);
  ask_t *ask = &w->asks[at];
  for (unsigned n = sim_below(&w->random, 6); ask->sink && n; n--)
    push_one(ask);
  if (!ask->sink || !sim_one_in(&w->random, 4))
    return;
  uvow_sink_t *sink = ask->sink;
  ask->sink = NULL;
  ask->failed = sim_one_in(&w->random, 4);
  if (ask->failed)
    uvow_sink_fail(sink, uvow_error_new(w->s.loop, UVOW_EINVAL, "no more"));
  else
    uvow_sink_end_value(sink, params_of(w, at));
}

static void settle_something(world_t *w) {
  unsigned at = sim_below(&w->random, w->count);
  ask_t *ask = &w->asks[at];
  if (!ask->promise || (ask->method == NEVER && !w->calm))
    return;
  uvow_promise_fulfill(ask->promise, params_of(w, at));
  ask->promise = NULL;
}

static void end_side(side_t *side, int how) {
  if (!side->peer)
    return;
  side->world->ended = 1;
  if (how == 0) {
    uvow_future_detach(uvow_peer_close(side->peer));
    return;
  }
  if (how == 1)
    uvow_peer_end(side->peer);
  uvow_peer_unref(side->peer);
  side->peer = NULL;
}

/* ---- the world ---- */

static void cut(world_t *w) {
  if (w->kind != WEBSOCKET)
    return;
  w->ended = 1;
  totals.cut++;
  wires_cut(wires_last(&w->ends.wires), UV_ECONNRESET);
}

static void step(world_t *w) {
  side_t *side = &w->sides[sim_below(&w->random, 2)];
  switch (sim_below(&w->random, 10)) {
  case 0:
  case 1:
  case 2:
    ask_some(side);
    break;
  case 3:
    notify(side);
    break;
  case 4:
    if (w->count)
      cancel_something(w);
    break;
  case 5:
    if (w->count)
      settle_something(w);
    for (int i = 0; w->parts && w->count && i < 12; i++)
      push_something(w);
    break;
  case 6:
    script_advance(&w->s, sim_below(&w->random, 500));
    break;
  case 7:
    script_turns(&w->s);
    break;
  default:
    totals.moved += pair_move(
        side, 1 + sim_below(&w->random, sim_one_in(&w->random, 3) ? 8 : 2000));
  }
  if (sim_one_in(&w->random, 300))
    end_side(side, (int)sim_below(&w->random, 3));
  if (sim_one_in(&w->random, 600))
    cut(w);
}

static void on_sent(const uvow_peer_t *peer, uint64_t id, const char *method,
                    void *data) {
  world_t *w = (world_t *)data;
  (void)id, (void)method;
  w->sides[peer != w->sides[0].peer].sent++;
}

/* The server's peer is side 1's, as soon as it is open. */
static void on_state(uvow_peer_t *peer, const uvow_peer_change_t *change,
                     void *data) {
  world_t *w = (world_t *)data;
  if (change->state != UVOW_PEER_OPEN)
    return;
  if (w->sides[1].peer)
    wrong(w, "a second peer", 1, 0);
  w->sides[1].peer = uvow_peer_ref(peer);
  totals.opened++;
}

static void make_websocket(world_t *w, uvow_peer_options_t *options) {
  options->on_state = on_state;
  options->data = w;
  w->sides[0].peer =
      ends_make(&w->ends, w->s.loop, options, sim_one_in(&w->random, 3));
}

static void make(world_t *w, uvow_methods_t *methods) {
  uvow_peer_options_t options = {.size = sizeof(options)};
  uvow_trace_t trace = {.size = sizeof(trace), .on_sent = on_sent, .data = w};
  uvow_protocol_t *parts = w->parts ? parts_protocol() : NULL;
  options.protocol = parts ? parts : uvow_protocol_by_name("jsonrpc2");
  options.methods = methods;
  options.trace = &trace;
  w->bounds = w->floods || sim_one_in(&w->random, 2);
  if (w->bounds) {
    options.max_calls = 1 + sim_below(&w->random, 8);
    options.max_pending = 1 + sim_below(&w->random, 16);
    options.max_unsent_bytes = 2000 + sim_below(&w->random, 20000);
  }
  if (w->floods) {
    options.max_calls = 1;
    options.max_pending = 1000;
    options.max_unsent_bytes = 1000 + sim_below(&w->random, 1000);
  }
  assert_int_equal(uvow_methods_add(methods, NULL, work, w), 0);
  assert_int_equal(uvow_methods_add(methods, "note", note, w), 0);
  if (w->kind == IN_MEMORY)
    assert_int_equal(uvow_peer_pair(w->s.loop, &options, &options,
                                    &w->sides[0].peer, &w->sides[1].peer),
                     0);
  else if (w->kind == WEBSOCKET)
    make_websocket(w, &options);
  else
    pair_make_framed(w, &options);
  uvow_protocol_unref(parts);
}

/* Nothing of what was said can be lost. */
static int is_whole(const world_t *w) {
  for (int i = 0; i < 2; i++)
    if (uvow_peer_state(w->sides[i].peer) != UVOW_PEER_OPEN)
      return 0;
  return !w->ended;
}

/* All that can happen does: what waits is answered, or its time is over. */
static void calm(world_t *w) {
  w->calm = 1;
  for (int round = 0; round < 200; round++) {
    for (int i = 0; i < 2; i++)
      totals.moved += pair_move(&w->sides[i], sizeof(w->sides[i].said.bytes));
    script_turns(&w->s);
    script_advance(&w->s, 500);
  }
  for (unsigned i = 0; i < w->count; i++) {
    if (!w->asks[i].settled)
      wrong(w, "pending for ever", i, 0);
    if (w->asks[i].promise || w->asks[i].sink)
      wrong(w, "goes on though nobody waits", i, 0);
    uvow_future_unref(w->asks[i].kept);
  }
  for (int i = 0; i < 2; i++) {
    uvow_peer_stats_t stats = {.size = sizeof(stats)};
    if (!w->sides[i].peer)
      continue;
    assert_int_equal(uvow_peer_get_stats(w->sides[i].peer, &stats), 0);
    if (stats.pending || stats.calls_under_way || stats.call_bytes ||
        stats.late > stats.timed_out + stats.canceled + w->made ||
        stats.unknown || stats.malformed || stats.duplicate)
      wrong(w, "the counts are wrong", (unsigned)stats.pending, 0);
    if (!w->ended && !w->bounds && w->sides[i].heard != w->sides[!i].noted)
      wrong(w, "a notification is lost", w->sides[i].heard, 0);
    if (is_whole(w) && stats.calls != w->sides[!i].sent)
      wrong(w, "a request is lost", (unsigned)stats.calls, 0);
  }
}

static void run_world(uint64_t seed) {
  world_t *w = (world_t *)calloc(1, sizeof(*w));
  if (!w)
    abort();
  w->seed = seed;
  w->random.state = seed * UINT64_C(0xD1342543DE82EF95) + 1;
  script_init(&w->s);
  script_drive_clock(&w->s);
  w->kind = (int)sim_below(&w->random, KINDS);
  w->floods = w->kind == WEBSOCKET && sim_one_in(&w->random, 2);
  w->parts = (int)sim_below(&w->random, 2);
  w->sides[0].world = w->sides[1].world = w;
  uvow_methods_t *methods = uvow_methods_new(w->s.loop);
  make(w, methods);
  for (unsigned left = 20 + sim_below(&w->random, STEPS_MAX); left; left--)
    step(w);
  calm(w);
  for (int i = 0; i < 2; i++) {
    end_side(&w->sides[i], 1);
    uvow_sink_drop(w->sides[i].far.out);
    w->sides[i].far.out = NULL;
  }
  uvow_methods_unref(methods);
  ends_free(&w->ends);
  script_end(&w->s); /* no block is left */
  wires_done(&w->ends.wires);
  free(w);
}

int main(int argc, char **argv) {
  unsigned long long first = 1;
  unsigned long long last = 2000;
  if (argc == 3 && strcmp(argv[1], "--seed") == 0 &&
      sscanf(argv[2], "%llu", &first) == 1)
    last = first;
  else if (argc != 1 && (argc != 3 || strcmp(argv[1], "--seeds") != 0 ||
                         sscanf(argv[2], "%llu-%llu", &first, &last) != 2)) {
    fprintf(stderr, "usage: sim_pair [--seeds A-B] [--seed N]\n");
    return 2;
  }
  printf("1..1\n");
  for (unsigned long long seed = first; seed <= last; seed++)
    run_world(seed);
  printf(
      "# %lu answered, %lu refused, %lu timed out, %lu canceled, %lu lost, "
      "%lu notifications, %lu bytes moved, %lu items, %lu streams to their "
      "end, %lu WebSockets, %lu of them cut\n",
      totals.answered, totals.refused, totals.timed_out, totals.canceled,
      totals.lost, totals.notes, totals.moved, totals.items, totals.streams,
      totals.opened, totals.cut);
  printf("ok 1 - two sessions keep their promises in the worlds %llu to %llu\n",
         first, last);
  return 0;
}
