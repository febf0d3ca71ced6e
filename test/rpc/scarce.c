/* A day of two peers, in each protocol: steps, requests, parts, subscriptions,
 * events, sessions, groups, heartbeats, and what can't be read. It is lived with
 * each allocation failing, with little room for what is unsent, and with an end
 * at each of its hours: whatever was promised is settled once, by an error of
 * the library's own or of the peer's, and nothing is left. */
#include "rpc/peer.h"

#include "support/script.h"

#include <stdio.h>

#include <uvow/group.h>
#include <uvow/stream.h>
#include <uvow/subscription.h>

#define BEATS                                                                  \
  "{\"name\":\"beats\",\"ids\":\"random\",\"batches\":true,\"open\":["         \
  "{\"send\":{\"hello\":\"$name\"}},{\"expect\":{\"/hi\":true},\"pick\":{"     \
  "\"it\":\"/hi\"}},{\"send\":{\"it\":\"$it\"}}],\"accept\":[{\"expect\":{"    \
  "\"/hello\":true}},{\"send\":{\"hi\":\"$name\"}},{\"expect\":{\"/it\":"      \
  "true}}],\"call\":{\"id\":\"$id\",\"m\":\"$method\",\"p\":\"$params\"},"     \
  "\"notify\":{\"m\":\"$method\",\"p\":\"$params\"},\"cancel\":{\"stop\":"     \
  "\"$id\"},\"reply\":{\"id\":\"$id\",\"r\":\"$value\"},\"reply_error\":{"     \
  "\"id\":\"$id\",\"e\":\"$error\"},\"partial\":{\"id\":\"$id\",\"part\":"     \
  "\"$value\"},\"event\":{\"ev\":\"$method\",\"p\":\"$params\"},\"rules\":["   \
  "{\"when\":{\"/stop\":true},\"is\":\"cancel\",\"id\":\"/stop\"},{\"when\":"  \
  "{\"/part\":true},\"is\":\"partial\",\"id\":\"/id\",\"value\":\"/part\"},"   \
  "{\"when\":{\"/r\":true},\"is\":\"ok\",\"id\":\"/id\",\"value\":\"/r\"},"    \
  "{\"when\":{\"/e\":true},\"is\":\"error\",\"id\":\"/id\",\"code\":"          \
  "\"/e/code\",\"message\":\"/e/message\",\"data\":\"/e/data\"},{\"when\":{"   \
  "\"/ev\":true},\"is\":\"event\",\"name\":\"/ev\",\"value\":\"/p\"},{"        \
  "\"when\":{\"/ping\":true},\"is\":\"control\",\"reply\":{\"pong\":1}},{"     \
  "\"when\":{\"/pong\":true},\"is\":\"ignore\"},{\"when\":{\"/m\":true},"      \
  "\"is\":\"call\",\"id\":\"/id\",\"name\":\"/m\",\"value\":\"/p\"}],"         \
  "\"heartbeat\":{\"every_ms\":1000,\"call\":\"echo\"}}"

#define LONG 70000

/* within: of a session of its own; method: of what is asked; batch: max_batch.
 * much: also what is long. */
typedef struct kind {
  const char *name; /* NULL: text */
  const char *text;
  const char *client_vars;
  const char *server_vars;
  const char *within;
  size_t batch;
  int much;
} kind_t;

static const kind_t kinds[] = {
    {"jsonrpc2", NULL, NULL, NULL, NULL, 0, 0},
    {"jsonrpc2", NULL, NULL, NULL, NULL, 4, 0},
    {"callback_id", NULL, NULL, NULL, NULL, 0, 0},
    {"cdp", NULL, NULL, NULL, "S1", 0, 1},
    {"lsp", NULL, "{\"initialize\":{}}", NULL, NULL, 0, 0},
    {"mcp", NULL, "{\"initialize\":{}}", NULL, NULL, 0, 0},
    {"home_assistant", NULL, "{\"token\":\"T\"}",
     "{\"token\":\"T\",\"ha_version\":\"1\"}", NULL, 3, 0},
    {"obs5", NULL, "{\"password\":\"p\"}", "{\"password\":\"p\"}", NULL, 0, 0},
    {"graphql_transport_ws", NULL, "{\"secret\":\"T\"}", "{\"secret\":\"T\"}",
     NULL, 0, 0},
    {"phoenix2", NULL, NULL, NULL, "{\"topic\":\"r\",\"join_ref\":\"1\"}", 0,
     0},
    {NULL, BEATS, "{\"name\":\"a\"}", "{\"name\":\"b\"}", NULL, 5, 1},
};

typedef struct day {
  script_t s; /* first */
  const kind_t *kind;
  const uvow_protocol_t *protocol;
  size_t max_unsent; /* of both; 0: as ever */
  int ends_at;       /* the hour at which a connection ends; 0: none */
  int hour;
  uvow_peer_t *theirs;
  uvow_peer_t *within;
  uvow_group_t *group;
  int promised;
  int settled;
  int parts; /* heard, of one request */
} day_t;

/* ---- what the peers can do ---- */

static uvow_next_t echo(uvow_call_t *call, const uvow_result_t *params,
                        void *data) {
  (void)call, (void)params, (void)data;
  return uvow_next_pass();
}

static uvow_next_t no(uvow_call_t *call, const uvow_result_t *params,
                      void *data) {
  (void)params, (void)data;
  return uvow_next_error(
      uvow_error_new_peer(uvow_call_loop(call), 204, "n\xC3\xB6", "[1]", 3));
}

static uvow_next_t count(uvow_call_t *call, const uvow_result_t *params,
                         void *data) {
  uvow_sink_t *sink;
  uvow_stream_t *stream = uvow_stream_new(uvow_call_loop(call), NULL, &sink);
  int rc = 0;
  (void)params, (void)data;
  if (!stream)
    return uvow_next_stream(NULL);
  for (int i = 0; rc >= 0 && i < 3; i++)
    rc = uvow_sink_push(sink, uvow_value_int64(i));
  if (rc < 0)
    uvow_sink_fail(sink, uvow_error_new(uvow_call_loop(call), rc, NULL));
  else
    uvow_sink_end_value(sink, uvow_value_int64(3));
  return uvow_next_stream(stream);
}

/* Never answers by itself. */
static uvow_next_t wait_for(uvow_call_t *call, const uvow_result_t *params,
                            void *data) {
  (void)params, (void)data;
  return uvow_next_future(uvow_future_delay(uvow_call_loop(call), 600000));
}

static uvow_methods_t *make_methods(uvow_loop_t *loop) {
  uvow_methods_t *methods = uvow_methods_new(loop);
  if (methods && (uvow_methods_add(methods, "echo", echo, NULL) ||
                  uvow_methods_add(methods, "no", no, NULL) ||
                  uvow_methods_add(methods, "count", count, NULL) ||
                  uvow_methods_add(methods, "wait", wait_for, NULL))) {
    uvow_methods_unref(methods);
    methods = NULL;
  }
  return methods;
}

/* ---- what comes of it ---- */

/* Its own time is too short. */
static void on_late(const uvow_result_t *result, void *data) {
  day_t *x = (day_t *)data;
  x->settled++;
  if (!result->error)
    return;
  assert_true(uvow_error_code(result->error) < 0);
  assert_string_not_equal(uvow_error_message(result->error), "");
}

/* Nobody waits in vain: what can't be said ends what it is about, or the
 * connection. */
static void on_done(const uvow_result_t *result, void *data) {
  assert_int_not_equal(uvow_error_code(result->error), UVOW_ETIMEDOUT);
  on_late(result, data);
}

static void expect_by(day_t *x, uvow_future_t *f, uvow_done_cb on_end) {
  if (f && uvow_future_done(f, on_end, x) == 0)
    x->promised++;
}

static void expect(day_t *x, uvow_future_t *f) {
  expect_by(x, f, on_done);
}

static uvow_next_t pass(const uvow_result_t *item, void *data) {
  (void)item, (void)data;
  return uvow_next_pass();
}

static void expect_items(day_t *x, uvow_stream_t *stream) {
  expect(x, uvow_stream_each(stream, pass, NULL));
}

static void on_part(const uvow_result_t *part, void *data) {
  (void)part;
  ((day_t *)data)->parts++;
}

/* Whoever has the answer has heard all that came before it, where the protocol
 * can say that. */
static void on_counted(const uvow_result_t *result, void *data) {
  day_t *x = (day_t *)data;
  if (!result->error && x->parts)
    assert_int_equal(x->parts, 3);
  on_done(result, data);
}

static int on_stray(uvow_peer_t *peer, uvow_stray_t stray, uvow_slice_t message,
                    const uvow_error_t *error, void *data) {
  (void)peer, (void)stray, (void)message, (void)error, (void)data;
  return 0;
}

static void on_traced(const uvow_peer_t *peer, uvow_slice_t message,
                      int is_outgoing, void *data) {
  (void)peer, (void)message, (void)is_outgoing, (void)data;
}

/* An hour passes; at one of them the connection ends. */
static void pass_time(day_t *x) {
  if (++x->hour == x->ends_at)
    uvow_peer_end(x->hour % 2 ? x->s.client : x->theirs);
  script_turns(&x->s);
}

/* ---- the day ---- */

static int begin(day_t *x) {
  uvow_trace_t trace = {.size = sizeof(trace), .on_message = on_traced};
  uvow_peer_options_t ours = {.size = sizeof(ours)};
  ours.protocol = x->protocol;
  ours.methods = make_methods(x->s.loop);
  ours.on_stray = on_stray;
  ours.max_unsent_bytes = x->max_unsent;
  ours.max_batch = x->kind->batch;
  ours.trace = &trace;
  ours.vars = x->kind->client_vars;
  uvow_peer_options_t theirs = ours;
  theirs.vars = x->kind->server_vars;
  int rc = ours.methods ? uvow_peer_pair(x->s.loop, &ours, &theirs,
                                         &x->s.client, &x->theirs)
                        : UVOW_ENOMEM;
  uvow_methods_unref(ours.methods);
  if (rc)
    return rc;
  expect(x, uvow_peer_ready(x->s.client));
  x->group = uvow_group_new(x->s.loop);
  (void)uvow_group_add(x->group, x->theirs);
  pass_time(x);
  return 0;
}

static void ask(day_t *x, uvow_peer_t *peer) {
  uvow_request_options_t options = {.size = sizeof(options)};
  options.on_partial = on_part;
  options.partial_data = x;
  options.timeout_ms = 500;
  options.partial_moves_deadline = 1;
  expect(x, uvow_peer_requestf(peer, "echo", "{s:s}", "a", "\"\\\n"));
  expect(x, uvow_peer_request(peer, "no", uvow_value_raw("{}")));
  expect(x, uvow_peer_request(peer, "o\"dd", uvow_value_none()));
  x->parts = 0;
  expect_by(x,
            uvow_peer_request_with(peer, "count", uvow_value_none(), &options),
            on_counted);
  pass_time(x); /* what waits long has an array of its own */
  expect_by(x,
            uvow_peer_request_with(peer, "wait", uvow_value_none(), &options),
            on_late);
  pass_time(x);
  expect_items(x, uvow_peer_request_stream(peer, "count", uvow_value_none()));
  pass_time(x);
  uvow_future_t *f = uvow_peer_request(peer, "wait", uvow_value_none());
  pass_time(x);
  if (f)
    (void)uvow_future_cancel(f);
  uvow_future_unref(f);
  pass_time(x);
}

static void follow(day_t *x) {
  uvow_subscription_options_t options = {.size = sizeof(options)};
  uvow_peer_t *peer = x->s.client;
  expect_items(x, uvow_peer_subscribe(peer, "count", uvow_value_none(), NULL));
  options.event = "changed";
  options.key = "/a";
  options.answer_key = "/a";
  options.item = "/b";
  options.unsubscribe = "echo";
  for (int i = 0; i < 2; i++) {
    uvow_stream_t *stream = uvow_peer_subscribe(
        peer, "echo", uvow_value_raw("{\"a\":1}"), &options);
    expect(x, uvow_subscription_ready(stream));
    expect_items(x, i ? stream : uvow_stream_take(stream, 1));
  }
  expect_items(x, uvow_stream_take(uvow_peer_events(peer, "changed"), 2));
  pass_time(x);
  for (int i = 0; i < 2; i++) {
    (void)uvow_peer_notifyf(x->theirs, "changed", "{s:i,s:i}", "a", 1, "b", i);
    (void)uvow_group_notify(x->group, "changed",
                            uvow_value_raw("{\"a\":1,\"b\":{\"c\":2}}"));
    (void)uvow_peer_notify(peer, "echo", uvow_value_raw("{}"));
    pass_time(x);
  }
}

/* What needs more memory than is kept between two messages. */
static void say_much(day_t *x) {
  static char text[LONG + 20];
  snprintf(text, sizeof(text), "{\"a\":\"\\n%0*d\"}", LONG, 1);
  uvow_peer_t *const peers[] = {x->s.client, x->theirs};
  for (size_t i = 0; i < UVOW__COUNT(peers); i++) {
    expect(x, uvow_peer_request(peers[i], "echo", uvow_value_raw(text)));
    (void)uvow_peer_notify(peers[i], "echo", uvow_value_raw(text));
    pass_time(x);
  }
  (void)uvow_group_notify(x->group, "changed", uvow_value_raw(text));
  expect(x, uvow_peer_request(x->s.client, text, uvow_value_none()));
  pass_time(x);
}

static void be_rude(day_t *x) {
  static const char *const texts[] = {
      "nonsense",
      "{}",
      "[]",
      "[1,{}]",
      "{\"id\":1}",
      "{\"ping\":1}",
      "{\"jsonrpc\":\"2.0\",\"method\":\"n\\u00e9\",\"params\":[1]}",
      "{\"method\":\"Target.detachedFromTarget\",\"params\":{"
      "\"sessionId\":\"S\\u0031\"}}",
      "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":1,\"message\":\"m\"},"
      "\"id\":null}",
      "[{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"method\":\"echo\"},"
      "{\"jsonrpc\":\"2.0\",\"id\":\"y\",\"method\":\"n\\u00e9\"}]"};
  for (size_t i = 0; i < UVOW__COUNT(texts); i++) {
    (void)uvow_peer_send(x->s.client, uvow_value_raw(texts[i]));
    (void)uvow_peer_send(x->theirs, uvow_value_raw(texts[i]));
  }
  pass_time(x);
}

static void live(day_t *x) {
  ask(x, x->s.client);
  ask(x, x->theirs);
  follow(x);
  if (x->kind->within) {
    x->within = *x->kind->within == '{'
                    ? uvow_peer_within(x->s.client, "{s:s,s:s}", "topic", "r",
                                       "join_ref", "1")
                    : uvow_peer_within(x->s.client, "{s:s}", "sessionId",
                                       x->kind->within);
    expect_items(x, uvow_peer_events(x->within, "changed"));
    ask(x, x->within);
  }
  script_advance(&x->s, 1100);
  pass_time(x);
  if (x->kind->much)
    say_much(x);
  be_rude(x);
  script_advance(&x->s, 60000); /* no time of a request is longer */
  expect(x, uvow_peer_close(x->s.client));
  expect(x, uvow_peer_close(x->theirs));
  pass_time(x);
}

/* Returns how many hours it had. */
static int live_through(day_t *x, test_alloc_t *alloc) {
  script_init_with(&x->s, alloc);
  if (x->s.loop)
    script_drive_clock(&x->s);
  if (x->s.loop && begin(x) == 0)
    live(x);
  uvow_group_free(x->group);
  uvow_peer_unref(x->within);
  uvow_peer_unref(x->theirs);
  uvow_peer_unref(x->s.client);
  x->s.client = NULL;
  for (int i = 0; x->s.loop && i < 5; i++)
    script_turns(&x->s);
  assert_int_equal(x->settled, x->promised);
  script_quit(&x->s);
  return x->hour;
}

/* ---- its sweeps ---- */

static const uvow_protocol_t *protocol_of(const kind_t *kind) {
  const uvow_protocol_t *protocol =
      kind->name ? uvow_protocol_by_name(kind->name)
                 : uvow_protocol_parse(kind->text, strlen(kind->text), NULL);
  assert_non_null(protocol);
  return protocol;
}

static day_t day_of(const day_t *plan) {
  day_t x;
  memset(&x, 0, sizeof(x));
  x.kind = plan->kind;
  x.protocol = plan->protocol;
  return x;
}

static void body(test_alloc_t *alloc, void *data) {
  day_t x = day_of((const day_t *)data);
  (void)live_through(&x, alloc);
}

static void without_memory(const day_t *plan) {
  test_alloc_sweep(body, (void *)(uintptr_t)plan);
}

/* With all the memory that it wants. */
static int live_plainly(day_t *x) {
  test_alloc_t alloc;
  test_alloc_init(&alloc);
  int hours = live_through(x, &alloc);
  assert_int_equal(alloc.live, 0);
  return hours;
}

static void without_room(const day_t *plan) {
  for (size_t max = 1; max < 1000; max += 1 + max / 8) {
    day_t x = day_of(plan);
    x.max_unsent = max;
    (void)live_plainly(&x);
  }
}

static void with_ends(const day_t *plan) {
  day_t whole = day_of(plan);
  int hours = live_plainly(&whole);
  assert_true(hours > 10);
  for (int at = 1; at <= hours; at++) {
    day_t x = day_of(plan);
    x.ends_at = at;
    (void)live_plainly(&x);
  }
}

static void each_kind(void (*sweep)(const day_t *plan)) {
  for (size_t i = 0; i < UVOW__COUNT(kinds); i++) {
    day_t plan = {.kind = &kinds[i], .protocol = protocol_of(&kinds[i])};
    sweep(&plan);
    if (kinds[i].text)
      uvow_protocol_unref((uvow_protocol_t *)(uintptr_t)plan.protocol);
  }
}

TEST_CASE(memory_is_scarce) {
  each_kind(without_memory);
}

TEST_CASE(room_is_scarce) {
  each_kind(without_room);
}

TEST_CASE(connections_end) {
  each_kind(with_ends);
}

TEST_MODULE(scarce) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(connections_end),
      cmocka_unit_test(room_is_scarce),
      cmocka_unit_test(memory_is_scarce),
  };
  return cmocka_run_group_tests_name("rpc/scarce", tests, NULL, NULL);
}
