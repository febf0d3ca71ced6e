/*
 * The simulation: a client, its connection and its dispatcher, whole, against a
 * model server on a network without sockets and a clock that is driven.
 *
 *   sim [--seeds A-B] [--seed N] [--million]
 *
 * One seed is one world: its configuration, every step, every fault. --seed
 * replays one and prints all that happens. A violation prints the seed, the
 * step and the last lines of the trace, and ends the program.
 */
#include "streams.h"

#include <signal.h>
#include <stdio.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#define HAS_ASAN 1
#endif

/* For what ends the process without passing through sim_fail. */
static sim_t *current;
static int replaying;
static int verbose;

static void run_world(uint64_t seed, int tracing);

void sim_note(sim_t *s, const char *format, ...) {
  va_list args;
  char *line = s->traces[s->trace_count++ % SIM_TRACES];
  int at = snprintf(line, sizeof(s->traces[0]), "%4u %8llu.%03u  ", s->step,
                    (unsigned long long)(s->now_ns / SIM_NS_PER_MS),
                    (unsigned)(s->now_ns / 1000 % 1000));
  va_start(args, format);
  vsnprintf(line + at, sizeof(s->traces[0]) - (size_t)at, format, args);
  va_end(args);
  if (verbose)
    fprintf(stderr, "# %s\n", line);
}

static void print_traces(const sim_t *s) {
  uint32_t first =
      s->trace_count > SIM_TRACES ? s->trace_count - SIM_TRACES : 0;
  for (uint32_t i = first; !verbose && i < s->trace_count; i++)
    printf("# %s\n", s->traces[i % SIM_TRACES]);
}

void sim_fail(sim_t *s, const char *format, ...) {
  va_list args;
  char why[400];
  va_start(args, format);
  vsnprintf(why, sizeof(why), format, args);
  va_end(args);
  if (!s->tracing) {
    uint64_t seed = s->seed;
    run_world(seed, 1);
    printf("# seed %llu does not fail when it is replayed\n",
           (unsigned long long)seed);
  }
  print_traces(s);
  printf("not ok 1 - seed %llu, step %u: %s\n", (unsigned long long)s->seed,
         s->step, why);
  fflush(stdout);
  _Exit(1);
}

static void on_abort(int number) {
  (void)number;
  signal(SIGABRT, replaying ? SIG_DFL : on_abort);
  if (current)
    sim_fail(current, "an assertion failed");
}

#ifdef HAS_ASAN
static void on_death(void) {
  printf("not ok 1 - seed %llu, step %u: the sanitizer says no\n",
         (unsigned long long)(current ? current->seed : 0),
         current ? current->step : 0);
  fflush(stdout);
}
#endif

/* The loop, without libuv. */

static uint64_t clock_cb(uvow__runtime_t *rt) {
  const uvow_loop_t *loop = (const uvow_loop_t *)(void *)rt;
  return ((const sim_t *)loop->user_data)->now_ns;
}

static void wake_cb(uvow__runtime_t *rt) {
  uvow_loop_t *loop = (uvow_loop_t *)(void *)rt;
  ((sim_t *)loop->user_data)->wanted = 1;
}

void sim_enter(sim_t *s) {
  uvow__runtime_enter(&s->loop->rt);
}

void sim_leave(sim_t *s) {
  uvow__runtime_leave(&s->loop->rt);
}

void sim_turn(sim_t *s) {
  while (!s->loop_closed &&
         (s->wanted || !uvow__list_empty(&s->loop->next_turn))) {
    s->wanted = 0;
    uvow__loop_turn(s->loop);
  }
  sim_wire_free_closed(s);
}

static void unhandled_cb(uvow_loop_t *loop, const uvow_error_t *error,
                         void *data) {
  (void)loop;
  (void)error;
  (void)data;
}

static void fill_random(sim_t *s) {
  for (size_t i = 0; i < sizeof(s->loop->random.block); i++)
    s->loop->random.block[i] = (unsigned char)sim_next(&s->random);
  s->loop->random.left = sizeof(s->loop->random.block);
}

static void look_cb(uvow__runtime_t *rt) {
  const uvow_loop_t *loop = (const uvow_loop_t *)(void *)rt;
  ((sim_t *)loop->user_data)->looking = 1;
}

static void make_loop(sim_t *s, uv_loop_t *uv) {
  uvow_loop_options_t options;
  memset(&options, 0, sizeof(options));
  options.size = sizeof(options);
  options.allocator = &s->alloc.allocator;
  options.on_unhandled = unhandled_cb;
  options.data = s;
  s->uv = uv;
  s->loop = uvow_loop_new(uv, &options);
  if (!s->loop)
    abort();
  s->now_ns = (uint64_t)1000 * SIM_NS_PER_MS;
  s->loop->rt.clock = clock_cb;
  s->loop->rt.wake = wake_cb;
  s->loop->rt.look = look_cb;
  s->loop->rt.rng = sim_next(&s->random);
  uvow__wheel_init(&s->loop->rt.wheel, s->now_ns);
  fill_random(s);
}

/* The client. */

static uvow_next_t on_event(uvow_call_t *call, const uvow_result_t *params,
                            void *data) {
  sim_t *s = (sim_t *)data;
  unsigned number = 0;
  char text[64] = "";
  uvow_slice_t got = uvow_result_bytes(params);
  const char *name = uvow_call_method(call);
  if (uvow_call_wants_answer(call))
    return test_event_end(call);
  if (strcmp(name, "tick") == 0)
    return sim_streams_told(s, got);
  if (got.bytes && got.len < sizeof(text))
    memcpy(text, got.bytes, got.len);
  if (strcmp(name, "ev") || sscanf(text, "{\"n\":%u}", &number) != 1)
    sim_fail(s, "an event %s: %s", name, text);
  sim_took_notice(s, 1, number);
  return uvow_next_none();
}

static int on_stray(uvow_peer_t *client, uvow_stray_t stray,
                    uvow_slice_t message, const uvow_error_t *error,
                    void *data) {
  (void)client;
  (void)error;
  if (stray == UVOW_STRAY_EVENT && sim_streams_stray((sim_t *)data, message))
    return 0;
  sim_took_notice((sim_t *)data, 2, (uint32_t)stray);
  return 0;
}

static void on_state(uvow_peer_t *client, const uvow_peer_change_t *change,
                     void *data) {
  (void)client;
  sim_took_notice((sim_t *)data, 3, (uint32_t)change->state);
}

static void make_client(sim_t *s) {
  static const char *const protocols[] = {"jsonrpc2", "callback_id", "cdp",
                                          NULL};
  test_connect_t options = test_connect_options(NULL);
  uvow_reconnect_options_t reconnect;
  uvow_trace_t trace;
  const sim_config_t *c = &s->config;
  memset(&reconnect, 0, sizeof(reconnect));
  memset(&trace, 0, sizeof(trace));
  sim_trace_hooks(s, &trace);
  reconnect.size = sizeof(reconnect);
  reconnect.base_ms = c->base_ms;
  reconnect.max_ms = c->max_ms;
  reconnect.max_attempts = c->max_attempts;
  reconnect.max_resends = c->max_resends;
  reconnect.after_fatal = UVOW_AFTER_FATAL_GO_ON;
  options.url = "ws://sim.example/sim";
  if (c->protocol == SIM_PARTS)
    s->described = sim_text_protocol();
  options.peer.protocol = s->described
                              ? s->described
                              : uvow_protocol_by_name(protocols[c->protocol]);
  options.peer.timeout_ms = c->timeout_ms;
  options.websocket.connect_timeout_ms = c->connect_ms;
  options.peer.close_timeout_ms = options.websocket.close_timeout_ms =
      c->close_ms;
  options.websocket.max_message_bytes = c->max_message;
  options.websocket.max_unsent_bytes = c->max_unsent;
  options.peer.max_pending = c->max_pending;
  options.peer.max_in_flight = c->max_in_flight;
  options.peer.max_queued = c->max_queued;
  options.websocket.ping_ms = c->ping_ms;
  options.websocket.dead_ms = c->dead_ms;
  options.peer.no_cancel = !c->send_cancel;
  options.peer.count_unanswered = c->count_unanswered;
  options.peer.reconnect = c->reconnect ? &reconnect : NULL;
  options.peer.trace = &trace;
  options.on_event = on_event;
  options.peer.on_stray = on_stray;
  options.peer.on_state = on_state;
  options.peer.data = s;
  /* The state hook is called before there is a client to speak of. */
  s->client = (uvow_peer_t *)(void *)s;
  int rc = test_connect_on(s->loop, &options, &s->transport, &s->client);
  if (rc)
    sim_fail(s, "no client: %s", uvow_err_name(rc));
  sim_streams_name(s);
  if (c->protocol == SIM_CDP)
    s->in_session = uvow_peer_within(s->client, "{s:s}", "sessionId", "S");
}

/* A world, from its seed to its end. */

static void finish(sim_t *s) {
  s->calm = 1;
  s->alloc.fail_at = 0;
  if (s->client && !s->loop_closing && sim_one_in(&s->random, 2)) {
    sim_calm(s);
    if (sim_one_in(&s->random, 2)) {
      sim_user_close(s);
      sim_calm(s);
    }
  }
  if (sim_one_in(&s->random, 2))
    sim_user_release(s);
  if (sim_one_in(&s->random, 2))
    sim_user_free(s);
  sim_user_close_loop(s);
  sim_turn(s);
  while (!s->loop_closed)
    if (!uv_run(s->uv, UV_RUN_NOWAIT) && !s->loop_closed)
      sim_fail(s, "the loop doesn't close");
  if (sim_one_in(&s->random, 2))
    sim_user_release(s);
  sim_user_free(s);
  sim_user_release(s);
  sim_streams_release(s);
  uvow_protocol_unref(s->described);
  sim_check_end(s);
}

/* What has happened in all worlds: a simulation in which nothing happens proves
 * nothing. */
static uvow_peer_stats_t totals;
static sim_tally_t tally;

static void add_totals(const sim_t *s) {
  const uvow_peer_stats_t *e = &s->expect;
  totals.requests += e->requests;
  totals.answered += e->answered;
  totals.timed_out += e->timed_out;
  totals.canceled += e->canceled;
  totals.failed += e->failed;
  totals.events += e->events;
  totals.late += e->late;
  totals.duplicate += e->duplicate;
  totals.unknown += e->unknown;
  totals.malformed += e->malformed;
  totals.resent += e->resent;
  totals.connected += e->connected;
  totals.lost += e->lost;
  tally.streams += s->tally.streams;
  tally.items += s->tally.items;
  tally.gaps += s->tally.gaps;
  tally.renewed += s->tally.renewed;
}

#define SHOW_OF(what, name)                                                    \
  printf("# %12llu " #name "\n", (unsigned long long)(what).name)
#define SHOW(name) SHOW_OF(totals, name)

static void print_totals(void) {
  SHOW(requests);
  SHOW(answered);
  SHOW(timed_out);
  SHOW(canceled);
  SHOW(failed);
  SHOW(resent);
  SHOW(late);
  SHOW(duplicate);
  SHOW(unknown);
  SHOW(malformed);
  SHOW(events);
  SHOW(connected);
  SHOW(lost);
  SHOW_OF(tally, streams);
  SHOW_OF(tally, items);
  SHOW_OF(tally, gaps);
  SHOW_OF(tally, renewed);
}

static void free_world(sim_t *s) {
  add_totals(s);
  sim_wire_done(s);
  for (size_t i = 0; i < s->request_count; i++)
    free(s->requests[i]);
  free(s->requests);
  sim_streams_done(s);
  while (s->watches) {
    sim_watch_t *watch = s->watches;
    s->watches = watch->next;
    free(watch);
  }
  free(s);
}

static uv_loop_t *uv_of_replay(uv_loop_t *shared) {
  static uv_loop_t own;
  if (!replaying)
    return shared;
  uv_loop_init(&own);
  return &own;
}

static void run_world(uint64_t seed, int tracing) {
  static uv_loop_t shared;
  static int ready;
  sim_t *s = (sim_t *)calloc(1, sizeof(*s));
  if (!s || (!ready && uv_loop_init(&shared)))
    abort();
  ready = 1;
  replaying = tracing;
  current = s;
  s->seed = seed;
  s->tracing = tracing;
  s->random.state = seed * UINT64_C(0xD1342543DE82EF95) + 1;
  sim_draw_config(s);
  test_alloc_init(&s->alloc);
  sim_wire_init(s);
  make_loop(s, uv_of_replay(&shared));
  make_client(s);
  sim_turn(s);
  while (s->step < s->config.steps && !s->loop_closing) {
    s->step++;
    sim_step(s);
    sim_check(s);
    if (!s->loop_closing)
      fill_random(s);
    if (s->state == UVOW_PEER_CLOSED && s->config.steps > s->step + 10)
      s->config.steps = s->step + 10; /* little happens any more */
  }
  finish(s);
  current = NULL;
  free_world(s);
}

typedef struct range {
  uint64_t first;
  uint64_t last;
} range_t;

static int usage(void) {
  fprintf(stderr, "usage: sim [--seeds A-B] [--seed N] [--million]\n");
  return 2;
}

static int parse(int argc, char **argv, range_t *ret) {
  unsigned long long first = 1;
  unsigned long long last = 10000;
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--million") == 0)
      last = 1000000;
    else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc &&
             sscanf(argv[i + 1], "%llu", &first) == 1)
      verbose = 1, last = first, i++;
    else if (strcmp(argv[i], "--seeds") == 0 && i + 1 < argc &&
             sscanf(argv[i + 1], "%llu-%llu", &first, &last) == 2)
      i++;
    else
      return -1;
  }
  ret->first = first;
  ret->last = last;
  return 0;
}

int main(int argc, char **argv) {
  range_t range;
  if (parse(argc, argv, &range))
    return usage();
  signal(SIGABRT, on_abort);
#ifdef HAS_ASAN
  __sanitizer_set_death_callback(on_death);
#endif
  printf("1..1\n");
  fflush(stdout);
  for (uint64_t seed = range.first; seed <= range.last; seed++)
    run_world(seed, verbose);
  print_totals();
  printf("ok 1 - every promise is kept in the worlds %llu to %llu\n",
         (unsigned long long)range.first, (unsigned long long)range.last);
  return 0;
}
