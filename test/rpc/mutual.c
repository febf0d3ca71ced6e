/*
 * Two sessions that call each other within small bounds, in worlds of many
 * seeds: whatever is asked is answered, and neither ever waits for the other to
 * read. A pause that counted calls, or did not look at what the peer owes,
 * stops both for ever.
 */
#include "rpc/peer.h"

#include "support/script.h"

#include <stdio.h>

enum { SEEDS = 300, REQUESTS = 60, AT_ONCE = 16, STEPS = 40 };
/* Bytes that may be unsent: of 16 answers; of all that two can owe and ask. */
enum { ONE_SIDED = 12000, TWO_SIDED = 40000 };

typedef struct world world_t;

typedef struct side {
  world_t *world;
  uvow_peer_t *peer;
  int quota; /* of requests */
  int asked;
  int settled;
  int in_flight;
  int failed;
  int wants_pause; /* its session does */
  int stalled;     /* the world lets nothing through to it */
} side_t;

struct world {
  script_t s;
  uint64_t random;
  side_t sides[2];
  int pauses;
  unsigned depth; /* less than that many calls back */
};

static world_t *current; /* of counted_pause */
static uvow__channel_ops_t counted_ops;
static void (*true_pause)(uvow__channel_t *channel, int on);

static void counted_pause(uvow__channel_t *channel, int on) {
  for (int i = 0; i < 2; i++) {
    side_t *side = &current->sides[i];
    if (side->peer->session.callee.channel != channel)
      continue;
    side->wants_pause = on;
    true_pause(channel, on || side->stalled);
  }
  current->pauses += on;
}

static unsigned chance(world_t *w, unsigned n) {
  w->random = w->random * UINT64_C(6364136223846793005) + 1442695040888963407u;
  return (unsigned)(w->random >> 33) % n;
}

static void ask(side_t *side);

static void on_settled(const uvow_result_t *result, void *data) {
  side_t *side = (side_t *)data;
  side->settled++;
  side->in_flight--;
  side->failed += result->error != NULL;
  ask(side);
}

static uvow_value_t make_params(world_t *w, unsigned depth) {
  char text[700];
  unsigned len = chance(w, 600);
  int head = snprintf(text, sizeof(text), "[%u,\"", depth);
  memset(text + head, 'x', len);
  memcpy(text + head + len, "\"]", 2);
  return uvow_value_bytes(w->s.loop, text, (size_t)head + len + 2);
}

static void ask(side_t *side) {
  while (side->asked < side->quota && side->in_flight < AT_ONCE) {
    world_t *w = side->world;
    uvow_future_t *f = uvow_peer_request(side->peer, "work",
                                         make_params(w, chance(w, w->depth)));
    side->asked++;
    side->in_flight++;
    assert_int_equal(uvow_future_done(f, on_settled, side), 0);
  }
}

/* Answers with as much as came, or asks its caller for what it asks in turn. */
static uvow_next_t work_cb(uvow_call_t *call, const uvow_result_t *params,
                           void *data) {
  world_t *w = (world_t *)data;
  uvow_slice_t text = uvow_result_bytes(params);
  unsigned depth = (unsigned)(text.bytes[1] - '0');
  if (depth == 0)
    return uvow_next_pass();
  return uvow_next_future(uvow_peer_request(uvow_call_peer(call), "work",
                                            make_params(w, depth - 1)));
}

static void count_pauses(side_t *side) {
  uvow__channel_t *channel = side->peer->session.callee.channel;
  if (channel->ops != &counted_ops) {
    counted_ops = *channel->ops;
    true_pause = counted_ops.pause;
    counted_ops.pause = counted_pause;
  }
  channel->ops = &counted_ops;
}

/* Now and then nothing gets through; in the end all does. */
static void stall(side_t *side, int on) {
  uvow__channel_t *channel = side->peer->session.callee.channel;
  side->stalled = on;
  if (channel)
    true_pause(channel, on || side->wants_pause);
}

/* Returns how often reading paused. */
static int run_world(unsigned seed) {
  world_t w;
  uvow_peer_options_t options = {0};
  memset(&w, 0, sizeof(w));
  w.random = seed;
  script_init(&w.s);
  script_drive_clock(&w.s); /* so no deadline saves them */
  uvow_methods_t *methods = uvow_methods_new(w.s.loop);
  assert_int_equal(uvow_methods_add(methods, "work", work_cb, &w), 0);
  options.size = sizeof(options);
  options.protocol = uvow_protocol_by_name("jsonrpc2");
  options.methods = methods;
  int both = (int)chance(&w, 2);
  w.depth = both ? 4 : 1;
  options.max_unsent_bytes = both ? TWO_SIDED : ONE_SIDED;
  current = &w;
  assert_int_equal(uvow_peer_pair(w.s.loop, &options, &options,
                                  &w.sides[0].peer, &w.sides[1].peer),
                   0);
  for (int i = 0; i < 2; i++) {
    w.sides[i].world = &w;
    w.sides[i].quota = i == 0 || both ? REQUESTS : 0;
    count_pauses(&w.sides[i]);
    ask(&w.sides[i]);
  }
  for (int step = 0; step < STEPS; step++) {
    stall(&w.sides[chance(&w, 2)], (int)chance(&w, 2));
    script_turns(&w.s);
  }
  stall(&w.sides[0], 0);
  stall(&w.sides[1], 0);
  script_turns(&w.s);
  for (int i = 0; i < 2; i++) {
    uvow_peer_stats_t stats = {.size = sizeof(stats)};
    assert_int_equal(uvow_peer_get_stats(w.sides[i].peer, &stats), 0);
    if (w.sides[i].settled != w.sides[i].quota)
      fail_msg("seed %u: side %d waits for ever, %d of %d settled", seed, i,
               w.sides[i].settled, w.sides[i].quota);
    assert_int_equal(w.sides[i].failed, 0);
    assert_int_equal(stats.calls_under_way + stats.pending, 0);
    assert_int_equal(stats.call_bytes, 0);
    uvow_peer_unref(w.sides[i].peer);
  }
  uvow_methods_unref(methods);
  script_end(&w.s);
  return w.pauses;
}

TEST_CASE(nobody_waits_for_ever) {
  int pauses = 0;
  for (unsigned seed = 1; seed <= SEEDS; seed++)
    pauses += run_world(seed);
  assert_true(pauses > 0); /* else nothing was tried */
}

TEST_MODULE(mutual) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(nobody_waits_for_ever),
  };
  return cmocka_run_group_tests_name("rpc/mutual", tests, NULL, NULL);
}
