/* What a peer may call, and how much of it: the other end is the test's own, of
 * messages as text. */
#include "rpc/peer.h"

#include "support/script.h"

#include <stdio.h>

typedef struct fixture {
  script_t s;
  uvow_methods_t *methods;
  uvow_peer_t *peer;
  uvow__channel_t *raw; /* the other end; NULL: ended */
  uvow_promise_t *promises[8];
  int waiting;
  int canceled;
} fixture_t;

static void on_raw_message(void *ctx, int opcode, const uint8_t *bytes,
                           size_t len, uvow__buf_t *whole) {
  char text[512];
  (void)opcode;
  (void)whole;
  snprintf(text, sizeof(text), "%.*s", (int)len, (const char *)bytes);
  script_log(&((fixture_t *)ctx)->s, text, "");
}

static void on_raw_writable(void *ctx) {
  (void)ctx;
}

static void on_raw_end(void *ctx, uvow_error_t *error) {
  fixture_t *x = (fixture_t *)ctx;
  char text[32];
  snprintf(text, sizeof(text), "end:%d", uvow_error_status(error));
  script_log(&x->s, text, "");
  uvow_error_unref(error);
  x->raw = NULL;
}

static const uvow__channel_callbacks_t raw_callbacks = {
    NULL, on_raw_message, NULL, on_raw_writable, on_raw_end, NULL};

static void on_cancel(void *data) {
  ((fixture_t *)data)->canceled++;
}

static uvow_next_t wait_cb(uvow_call_t *call, const uvow_result_t *params,
                           void *data) {
  fixture_t *x = (fixture_t *)data;
  uvow_promise_t **promise = &x->promises[x->waiting++];
  uvow_future_t *f = uvow_promise_new(uvow_call_loop(call), promise);
  (void)params;
  uvow_promise_on_cancel(*promise, on_cancel, x, NULL);
  return uvow_next_future(f);
}

static uvow_next_t echo_cb(uvow_call_t *call, const uvow_result_t *params,
                           void *data) {
  (void)call;
  (void)params;
  (void)data;
  return uvow_next_pass();
}

static uvow_peer_options_t default_options(void) {
  uvow_peer_options_t options = {0};
  options.size = sizeof(options);
  options.protocol = uvow_protocol_by_name("jsonrpc2");
  return options;
}

static void start(fixture_t *x, uvow_peer_options_t *options) {
  uvow__channel_t *channel;
  memset(x, 0, sizeof(*x));
  script_init(&x->s);
  script_drive_clock(&x->s);
  x->methods = uvow_methods_new(x->s.loop);
  assert_int_equal(uvow_methods_add(x->methods, "wait", wait_cb, x), 0);
  assert_int_equal(uvow_methods_add(x->methods, "echo", echo_cb, x), 0);
  options->methods = x->methods;
  x->peer =
      uvow__peer_new(x->s.loop, uvow__peer_config_new(x->s.loop, options), 0);
  assert_int_equal(uvow__channel_pair(x->s.loop, x->peer->session.max_unsent,
                                      1 << 20, &channel, &x->raw),
                   0);
  uvow__channel_tell(channel, &uvow__peer_callbacks, x->peer);
  uvow__channel_tell(x->raw, &raw_callbacks, x);
  uvow__peer_opened(x->peer, channel);
}

static void end(fixture_t *x) {
  uvow_methods_unref(x->methods);
  uvow_peer_unref(x->peer);
  script_turns(&x->s);
  for (int i = 0; i < x->waiting; i++)
    uvow_promise_drop(x->promises[i]);
  if (x->raw)
    x->raw->ops->drop(x->raw);
  x->s.log[0] = '\0';
  script_end(&x->s);
}

static void say(fixture_t *x, const char *text) {
  uvow__splice_t message = {{text, strlen(text)}, {NULL, 0}, 0, NULL};
  assert_int_equal(uvow__channel_send(x->raw, 1, &message), 0);
}

static void call(fixture_t *x, const char *id, const char *method,
                 const char *params) {
  char text[512];
  snprintf(text, sizeof(text),
           "{\"jsonrpc\":\"2.0\",\"id\":%s,\"method\":\"%s\",\"params\":%s}",
           id, method, params);
  say(x, text);
}

#define REPLY(id, result)                                                      \
  "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"result\":" result "}"
#define REFUSAL(id, code, message)                                             \
  "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"error\":{\"code\":" code               \
  ",\"message\":\"" message "\"}}"

static void cancel(fixture_t *x, const char *id) {
  char text[128];
  snprintf(text, sizeof(text),
           "{\"jsonrpc\":\"2.0\",\"method\":\"$/cancelRequest\",\"params\":{"
           "\"id\":%s}}",
           id);
  say(x, text);
}

/* In number: one more is refused at once, and what ends makes room. */
TEST_CASE(test_number) {
  fixture_t x;
  uvow_peer_options_t options = default_options();
  options.max_calls = 2;
  start(&x, &options);
  call(&x, "1", "wait", "[]");
  call(&x, "2", "wait", "[]");
  call(&x, "3", "echo", "[]");
  script_turns(&x.s);
  script_expect(&x.s, REFUSAL("3", "-32000", "a limit is reached"));
  uvow_promise_fulfill(x.promises[0], uvow_value_none());
  x.promises[0] = NULL;
  script_turns(&x.s);
  call(&x, "4", "echo", "[4]");
  script_turns(&x.s);
  script_expect(&x.s, REPLY("1", "null") " " REPLY("4", "[4]"));
  end(&x);
}

/* In bytes: of all calls together, and of one. */
TEST_CASE(test_bytes) {
  fixture_t x;
  char large[400];
  uvow_peer_options_t options = default_options();
  options.max_call_bytes = 2 * sizeof(uvow_call_t) + 300;
  start(&x, &options);
  memset(large, 'x', sizeof(large));
  memcpy(large, "[\"", 2);
  memcpy(large + 197, "\"]", 3);
  call(&x, "1", "wait", large); /* 199 bytes */
  script_turns(&x.s);
  uvow_peer_stats_t stats = {.size = sizeof(stats)};
  assert_int_equal(uvow_peer_get_stats(x.peer, &stats), 0);
  assert_int_equal(stats.call_bytes, sizeof(uvow_call_t) + 199);
  call(&x, "2", "echo", large);
  call(&x, "3", "echo", "[]");
  script_turns(&x.s);
  script_expect(
      &x.s, REFUSAL("2", "-32000", "a limit is reached") " " REPLY("3", "[]"));
  uvow_promise_fulfill(x.promises[0], uvow_value_none());
  x.promises[0] = NULL;
  script_turns(&x.s);
  assert_int_equal(uvow_peer_get_stats(x.peer, &stats), 0);
  assert_int_equal(stats.call_bytes, 0);
  script_expect(&x.s, REPLY("1", "null"));
  end(&x);

  options.max_call_bytes = sizeof(uvow_call_t) + 100;
  start(&x, &options);
  call(&x, "1", "echo", large);
  call(&x, "2", "echo", "[]");
  script_turns(&x.s);
  script_expect(
      &x.s, REFUSAL("1", "-32000", "a limit is reached") " " REPLY("2", "[]"));
  end(&x);
}

/* A call is canceled whether its method waits, or hasn't run; ids are compared
 * as they stand; what is answered, or was never called, isn't. */
TEST_CASE(test_cancel) {
  fixture_t x;
  uvow_peer_options_t options = default_options();
  start(&x, &options);
  call(&x, "1", "wait", "[]");
  call(&x, "\"1\"", "wait", "[]");
  script_turns(&x.s);
  assert_int_equal(x.waiting, 2);
  cancel(&x, "\"1\"");
  cancel(&x, "\"1\"");
  cancel(&x, "7");
  cancel(&x, "null");
  script_turns(&x.s);
  script_expect(&x.s, REFUSAL("\"1\"", "-32800", "Request canceled"));
  assert_int_equal(x.canceled, 1);
  uvow_promise_fulfill(x.promises[0], uvow_value_none());
  x.promises[0] = NULL;
  cancel(&x, "1"); /* too late */
  script_turns(&x.s);
  script_expect(&x.s, REPLY("1", "null"));
  assert_int_equal(x.canceled, 1);
  say(&x, "{\"jsonrpc\":\"2.0\",\"method\":\"$/cancelRequest\"}");
  say(&x,
      "{\"jsonrpc\":\"2.0\",\"method\":\"$/cancelRequest\",\"params\":[1]}");
  script_turns(&x.s);
  script_expect(&x.s, "");
  end(&x);
}

/* A peer that can't tell its own calls apart gives up all of them. */
TEST_CASE(test_cancel_of_an_id_used_twice) {
  fixture_t x;
  uvow_peer_options_t options = default_options();
  start(&x, &options);
  call(&x, "1", "wait", "[]");
  call(&x, "2", "wait", "[]");
  call(&x, "1", "wait", "[]");
  script_turns(&x.s);
  cancel(&x, "1");
  script_turns(&x.s);
  script_expect(&x.s, REFUSAL("1", "-32800", "Request canceled") " " REFUSAL(
                          "1", "-32800", "Request canceled"));
  assert_int_equal(x.canceled, 2);
  end(&x);
}

static uvow_next_t keep_cb(uvow_call_t *made, const uvow_result_t *params,
                           void *data) {
  int64_t i64 = 0;
  (void)made;
  *(uvow_value_t *)data = uvow_result_keep(params);
  assert_int_equal(uvow_result_get_int64(params, "/0", &i64), 0);
  return uvow_next_value(uvow_value_int64(i64));
}

/* Params that a method keeps are there when call and peer have gone. */
TEST_CASE(test_kept_params) {
  fixture_t x;
  uvow_result_t result = {0};
  int64_t i64 = 0;
  uvow_peer_options_t options = default_options();
  start(&x, &options);
  uvow_methods_add(x.methods, "keep", keep_cb, &result.value);
  call(&x, "1", "keep", "[5]");
  script_turns(&x.s);
  script_expect(&x.s, REPLY("1", "5"));
  uvow_peer_end(x.peer);
  script_turns(&x.s);
  assert_string_equal(uvow_value_type_name(&result.value), "bytes");
  assert_int_equal(uvow_result_get_int64(&result, "/0", &i64), 0);
  assert_int_equal(i64, 5);
  uvow_value_clear(&result.value);
  end(&x);
}

static uvow_next_t count_cb(uvow_call_t *made, const uvow_result_t *params,
                            void *data) {
  (void)made;
  (void)params;
  ++*(int *)data;
  return uvow_next_none();
}

/* One whose task is still queued never runs. */
TEST_CASE(test_cancel_queued) {
  fixture_t x;
  int ran = 0;
  uvow__msg_t msg;
  static const char text[] =
      "{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"count\"}";
  uvow_peer_options_t options = default_options();
  start(&x, &options);
  uvow_methods_add(x.methods, "count", count_cb, &ran);
  uvow__callee_t *callee = &x.peer->session.callee;
  assert_int_equal(
      uvow__protocol_decode(callee->protocol, text, sizeof(text) - 1, &msg), 0);
  uvow__callee_begin(callee, &msg, NULL);
  uvow__callee_cancel(callee, UVOW__SLICE("5"));
  script_turns(&x.s);
  script_expect(&x.s, REFUSAL("5", "-32800", "Request canceled"));
  assert_int_equal(ran, 0);
  end(&x);
}

/* Twice, before it has run: it is refused once. */
TEST_CASE(test_cancel_twice) {
  fixture_t x;
  uvow_peer_options_t options = default_options();
  start(&x, &options);
  call(&x, "5", "wait", "[]");
  script_turns(&x.s);
  for (int i = 0; i < 2; i++)
    uvow__callee_cancel(&x.peer->session.callee, UVOW__SLICE("5"));
  script_turns(&x.s);
  script_expect(&x.s, REFUSAL("5", "-32800", "Request canceled"));
  assert_int_equal(x.canceled, 1);
  end(&x);
}

/* An empty name is one, which no method has. */
TEST_CASE(test_no_name) {
  fixture_t x;
  uvow_peer_options_t options = default_options();
  start(&x, &options);
  call(&x, "5", "", "[]");
  script_turns(&x.s);
  script_expect(&x.s, REFUSAL("5", "-32601", "Method not found"));
  end(&x);
}

/* Many, canceled in any order: the index grows with them. */
TEST_CASE(test_cancel_many) {
  enum { MANY = 150 };
  fixture_t x;
  char id[16];
  uvow_peer_options_t options = default_options();
  start(&x, &options);
  uvow_peer_t *peer = x.peer;
  for (int round = 0; round < 2; round++) {
    for (int i = 0; i < MANY; i++) {
      uvow__msg_t msg = {0};
      snprintf(id, sizeof(id), "%d", i);
      msg.kind = UVOW__MSG_CALL;
      msg.name = UVOW__SLICE("\"echo\"");
      msg.raw_id = (uvow__slice_t){id, strlen(id)};
      uvow__callee_begin(&peer->session.callee, &msg, NULL);
    }
    for (int i = 0; i < MANY; i++) {
      snprintf(id, sizeof(id), "%d", i * 7 % MANY);
      uvow__callee_cancel(&peer->session.callee,
                          (uvow__slice_t){id, strlen(id)});
    }
    for (uvow__list_t *at = peer->session.callee.calls.next;
         at != &peer->session.callee.calls; at = at->next)
      assert_true(UVOW__CONTAINER(at, uvow_call_t, link)->task.run != NULL);
    script_turns(&x.s);
    assert_int_equal(peer->session.callee.count, 0);
    x.s.log[0] = '\0';
  }
  assert_true(peer->session.callee.index.mask + 1 >= MANY);
  end(&x);
}

/* Ids that would share one place, had the hash no seed: here they don't. */
TEST_CASE(test_chosen_ids) {
  enum { MANY = 200, LONGEST = 16 };
  fixture_t x;
  char id[16];
  uvow_peer_options_t options = default_options();
  start(&x, &options);
  uvow__callee_t *callee = &x.peer->session.callee;
  for (unsigned i = 0, chosen = 0; chosen < MANY; i++) {
    uvow__slice_t text = {id, (size_t)snprintf(id, sizeof(id), "%u", i)};
    if (uvow__hash_text(0, text) % 256)
      continue;
    uvow__msg_t msg = {0};
    msg.kind = UVOW__MSG_CALL;
    msg.name = UVOW__SLICE("\"wait\"");
    msg.raw_id = text;
    assert_int_equal(uvow__callee_begin(callee, &msg, NULL), 0);
    chosen++;
  }
  uvow__callee_cancel(callee, UVOW__SLICE("none"));
  assert_int_equal(callee->index.count, MANY);
  for (size_t i = 0; i <= callee->index.mask; i++) {
    int length = 0;
    for (uvow__entry_t *at = callee->index.places[i]; at; at = at->next)
      length++;
    assert_in_range(length, 0, LONGEST);
  }
  uvow_peer_end(x.peer);
  end(&x);
}

/* A name with U+0000 is none that C could show. */
TEST_CASE(test_nul) {
  fixture_t x;
  uvow_peer_options_t options = default_options();
  start(&x, &options);
  call(&x, "1", "a\\u0000b", "[]");
  call(&x, "2", "ech\\u006f", "[]");
  script_turns(&x.s);
  script_expect(&x.s,
                REFUSAL("1", "-32600", "Invalid Request") " " REPLY("2", "[]"));
  end(&x);
}

/* Unsent answers, above half of the bound: the peer isn't read until it has
 * read; above the whole, or for too long, it is ended. */
TEST_CASE(test_pause) {
  fixture_t x;
  uvow_peer_options_t options = default_options();
  options.max_unsent_bytes = 200;
  options.stall_ms = 100;
  start(&x, &options);
  x.raw->ops->pause(x.raw, 1);
  call(&x, "1", "echo", "[1]");
  call(&x, "2", "echo", "[2]");
  call(&x, "3", "echo", "[3]");
  script_turns(&x.s);
  call(&x, "4", "wait", "[4]");
  script_turns(&x.s);
  assert_int_equal(x.peer->session.paused, 1);
  assert_int_equal(x.waiting, 0);
  x.raw->ops->pause(x.raw, 0);
  script_turns(&x.s);
  assert_int_equal(x.peer->session.paused, 0);
  assert_int_equal(x.waiting, 1);
  script_expect(&x.s,
                REPLY("1", "[1]") " " REPLY("2", "[2]") " " REPLY("3", "[3]"));

  /* Not while it owes an answer: else both might wait for each other. */
  x.raw->ops->pause(x.raw, 1);
  uvow_future_t *f = uvow_peer_request(x.peer, "m", uvow_value_none());
  uvow_promise_fulfill(x.promises[0], uvow_value_none());
  x.promises[0] = NULL;
  script_turns(&x.s);
  call(&x, "5", "echo", "[5]");
  script_turns(&x.s);
  assert_int_equal(x.peer->session.paused, 0);
  say(&x, REPLY("1", "true"));
  script_turns(&x.s);
  assert_int_equal(uvow_future_state(f), UVOW_FULFILLED);
  uvow_future_unref(f);
  assert_int_equal(x.peer->session.paused, 1);
  script_advance(&x.s, 99);
  script_turns(&x.s);
  assert_int_equal(uvow_peer_state(x.peer), UVOW_PEER_OPEN);
  script_advance(&x.s, 2);
  script_turns(&x.s);
  assert_int_equal(uvow_peer_state(x.peer), UVOW_PEER_CLOSED);
  assert_int_equal(uvow_error_code(x.peer->life.why), UVOW_EOVERLOAD);
  x.raw->ops->pause(x.raw, 0);
  script_turns(&x.s);
  assert_non_null(strstr(x.s.log, "end:1013"));
  end(&x);
}

TEST_CASE(test_too_much) {
  fixture_t x;
  uvow_peer_options_t options = default_options();
  options.max_unsent_bytes = 60;
  start(&x, &options);
  x.raw->ops->pause(x.raw, 1);
  call(&x, "1", "wait", "[]");
  call(&x, "2", "wait", "[]");
  script_turns(&x.s);
  for (int i = 0; i < 2; i++) {
    uvow_promise_fulfill(x.promises[i], uvow_value_none());
    x.promises[i] = NULL;
  }
  script_turns(&x.s);
  assert_int_equal(uvow_peer_state(x.peer), UVOW_PEER_CLOSED);
  x.raw->ops->pause(x.raw, 0);
  script_turns(&x.s);
  script_expect(&x.s, REPLY("1", "null") " end:1013");
  end(&x);
}

/* What is no message is counted, and answered. */
TEST_CASE(test_faults) {
  fixture_t x;
  uvow_peer_options_t options = default_options();
  start(&x, &options);
  say(&x, "{");
  say(&x, REPLY("99", "1"));
  script_turns(&x.s);
  script_expect(&x.s, REFUSAL("null", "-32700", "Parse error"));
  uvow_peer_stats_t stats = {.size = sizeof(stats)};
  assert_int_equal(uvow_peer_get_stats(x.peer, &stats), 0);
  assert_int_equal(stats.malformed, 1);
  assert_int_equal(stats.unknown, 1);
  end(&x);
}

TEST_MODULE(callee) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_number),
      cmocka_unit_test(test_bytes),
      cmocka_unit_test(test_cancel_of_an_id_used_twice),
      cmocka_unit_test(test_cancel),
      cmocka_unit_test(test_kept_params),
      cmocka_unit_test(test_cancel_queued),
      cmocka_unit_test(test_cancel_twice),
      cmocka_unit_test(test_no_name),
      cmocka_unit_test(test_cancel_many),
      cmocka_unit_test(test_chosen_ids),
      cmocka_unit_test(test_nul),
      cmocka_unit_test(test_pause),
      cmocka_unit_test(test_too_much),
      cmocka_unit_test(test_faults),
  };
  return cmocka_run_group_tests_name("rpc/callee", tests, NULL, NULL);
}
