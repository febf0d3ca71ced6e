/*
 * What do many subscriptions on one client cost: to hold, and to find the one
 * that an event is for?
 *
 * Two ends in memory, so that no socket hides it. One subscribes, as
 * eth_subscribe does: events of one name, told apart by a key in their params.
 * The other tells random keys of those that there are, in bursts of 1000.
 *
 * How to read it: ns an event is both ends, from uvow_peer_notifyf to the
 * callback of `each`; it may rise with what no cache holds, and not with the
 * number. Bytes a subscription are uvow's, of both ends, with its stream and
 * `each`. The last lines are 1000 readers of one event by its name: ns for each
 * of their items.
 *
 * usage: bench_subscriptions [--rounds N]
 *        bench_subscriptions --count SUBSCRIPTIONS TURNS
 */
#include <string.h>

#include <uvow/subscription.h>

#include "counter.h"

enum { ROUNDS = 5, PER_TURN = 1000, TURNS = 100, READERS = 1000 };

typedef struct bench {
  uv_loop_t uv;
  counter_t counter;
  uvow_loop_t *loop;
  uvow_peer_t *client;
  uvow_peer_t *server;
  int64_t keys;
  size_t seen;
  uint32_t random;
} bench_t;

static uvow_next_t on_subscribe(uvow_call_t *call, const uvow_result_t *params,
                                void *data) {
  (void)call;
  (void)params;
  return uvow_next_value(uvow_value_int64(++((bench_t *)data)->keys));
}

static uvow_next_t on_item(const uvow_result_t *item, void *data) {
  MEASURE_CHECK(uvow_result_missed(item) == 0);
  ((bench_t *)data)->seen++;
  return uvow_next_none();
}

static void start(bench_t *bench) {
  uvow_peer_options_t ours = {.size = sizeof(ours)};
  uvow_peer_options_t theirs = {.size = sizeof(theirs)};
  memset(bench, 0, sizeof(*bench));
  MEASURE_CHECK(uv_loop_init(&bench->uv) == 0);
  bench->loop = counter_loop(&bench->counter, &bench->uv);
  bench->random = 1;
  ours.protocol = theirs.protocol = uvow_protocol_by_name("jsonrpc2");
  theirs.methods = uvow_methods_new(bench->loop);
  MEASURE_CHECK(
      uvow_methods_add(theirs.methods, "subscribe", on_subscribe, bench) == 0);
  MEASURE_CHECK(uvow_peer_pair(bench->loop, &ours, &theirs, &bench->client,
                               &bench->server) == 0);
  uvow_methods_unref(theirs.methods);
}

static void run_loop(bench_t *bench) {
  uv_run(&bench->uv, UV_RUN_NOWAIT);
}

static void stop(bench_t *bench) {
  uvow_peer_unref(bench->client);
  uvow_peer_unref(bench->server);
  measure_close(&bench->uv, bench->loop);
}

static void read_all(bench_t *bench, uvow_stream_t *stream) {
  uvow_future_t *end = uvow_stream_each(stream, on_item, bench);
  MEASURE_CHECK(end);
  uvow_future_detach(end);
}

static void subscribe(bench_t *bench, int64_t count) {
  uvow_subscription_options_t options = {.size = sizeof(options)};
  options.event = "tick";
  options.key = "/subscription";
  options.item = "/result";
  options.unsubscribe = "unsubscribe";
  while (bench->keys < count) {
    for (int i = 0; i < PER_TURN && bench->keys + i < count; i++)
      read_all(bench,
               uvow_peer_subscribe(bench->client, "subscribe",
                                   uvow_value_raw("[\"heads\"]"), &options));
    run_loop(bench);
  }
}

/* Of one key at random, or of none. */
static void tell(bench_t *bench, size_t each) {
  size_t wanted = bench->seen + PER_TURN * each;
  for (int i = 0; i < PER_TURN; i++) {
    bench->random = bench->random * 1664525u + 1013904223u;
    int64_t key = bench->keys ? (bench->random >> 8) % bench->keys + 1 : 0;
    MEASURE_CHECK(uvow_peer_notifyf(bench->server, "tick", "{s:I,s:i}",
                                    "subscription", (long long)key, "result",
                                    i) == 0);
  }
  while (bench->seen < wanted)
    run_loop(bench);
}

static double time_turns(bench_t *bench, int turns, size_t each) {
  tell(bench, each);
  uint64_t since = uv_hrtime();
  for (int i = 0; i < turns; i++)
    tell(bench, each);
  return measure_ns_since(since, (double)turns * PER_TURN * (double)each);
}

static void measure_subscriptions(int64_t count, int rounds) {
  static bench_t bench;
  measure_t ns = {0};
  start(&bench);
  run_loop(&bench);
  size_t before = bench.counter.live;
  subscribe(&bench, count);
  double bytes = (double)(bench.counter.live - before) / (double)count;
  for (int i = 0; i < rounds; i++)
    measure_add(&ns, time_turns(&bench, TURNS, 1));
  printf("%10lld subscriptions %10.1f ns an event %8.0f bytes each\n",
         (long long)count, measure_median(&ns), bytes);
  fflush(stdout);
  stop(&bench);
}

static void measure_readers(size_t count, int rounds) {
  static bench_t bench;
  measure_t ns = {0};
  uvow_stream_options_t bounds = {.size = sizeof(bounds)};
  start(&bench);
  bounds.max_items = 2 * PER_TURN;
  for (size_t i = 0; i < count; i++)
    read_all(&bench, uvow_peer_events_with(bench.client, "tick", &bounds));
  for (int i = 0; i < rounds; i++)
    measure_add(&ns, time_turns(&bench, (int)(TURNS / count) + 1, count));
  printf("%10zu readers of one name %6.1f ns an item\n", count,
         measure_median(&ns));
  stop(&bench);
}

static int count_turns(int64_t subscriptions, int turns) {
  static bench_t bench;
  start(&bench);
  subscribe(&bench, subscriptions);
  for (int i = 0; i < turns; i++)
    tell(&bench, 1);
  stop(&bench);
  return 0;
}

int main(int argc, char **argv) {
  int rounds = ROUNDS;
  if (argc == 4 && strcmp(argv[1], "--count") == 0)
    return count_turns(atol(argv[2]), atoi(argv[3]));
  if (argc == 3 && strcmp(argv[1], "--rounds") == 0)
    rounds = atoi(argv[2]);
  MEASURE_CHECK(rounds > 0 && rounds <= MEASURE_ROUNDS_MAX);
  measure_subscriptions(1, rounds);
  measure_subscriptions(1000, rounds);
  measure_subscriptions(100000, rounds);
  measure_readers(1, rounds);
  measure_readers(READERS, rounds);
  return 0;
}
