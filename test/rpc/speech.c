/* Protocols in use: kept by who speaks them, described ones as built-in ones.
 */
#include "rpc/peer.h"

#include "support/script.h"
#include "support/serve.h"

#include <stdio.h>

#include <uvow/server.h>

#include "protocol/parse.h"

typedef struct speech {
  script_t s;
  uvow_methods_t *methods;
  uvow_peer_t *a;
  uvow_peer_t *b;
} speech_t;

static uvow_next_t echo_cb(uvow_call_t *call, const uvow_result_t *params,
                           void *data) {
  (void)call;
  (void)params;
  (void)data;
  return uvow_next_pass();
}

static void prepare(speech_t *x) {
  memset(x, 0, sizeof(*x));
  script_init(&x->s);
  x->methods = uvow_methods_new(x->s.loop);
  assert_int_equal(uvow_methods_add(x->methods, NULL, echo_cb, x), 0);
}

static void finish(speech_t *x) {
  uvow_methods_unref(x->methods);
  uvow_peer_unref(x->a);
  uvow_peer_unref(x->b);
  script_end(&x->s);
}

/* In the loop's memory, so that the script sees that it was freed. */
static uvow_protocol_t *describe(speech_t *x, const char *text) {
  uvow_error_t *error = NULL;
  uvow_protocol_t *made = uvow__protocol_parse(uvow__loop_mem(x->s.loop), text,
                                               strlen(text), &error);
  if (!made)
    fail_msg("%s", uvow_error_message(error));
  return made;
}

#define MOPIDY                                                                 \
  "{\"name\": \"mopidy\", \"base\": \"jsonrpc2\", \"rules\": ["                \
  "{\"when\": {\"/event\": true}, \"is\": \"event\", \"name\": \"/event\","    \
  " \"value\": \"\"}]}"

static void ask(speech_t *x, script_mark_t *mark) {
  script_watch(
      uvow_peer_request(x->a, "echo", uvow_value_bytes(x->s.loop, "[1]", 3)),
      mark);
}

/* The caller's own reference needn't outlive the call that makes a peer. */
TEST_CASE(test_peers_keep) {
  speech_t x;
  prepare(&x);
  uvow_peer_options_t options = {0};
  options.size = sizeof(options);
  options.protocol = describe(&x, MOPIDY);
  options.methods = x.methods;
  assert_int_equal(uvow_peer_pair(x.s.loop, &options, &options, &x.a, &x.b), 0);
  uvow__protocol_drop(options.protocol);
  script_mark_t mark = script_mark(&x.s, "a");
  ask(&x, &mark);
  script_turns(&x.s);
  script_expect(&x.s, "a=[1]");
  finish(&x);
}

TEST_CASE(test_client_keeps) {
  speech_t x;
  prepare(&x);
  test_connect_t options = script_options(&x.s);
  options.peer.protocol = describe(&x, MOPIDY);
  script_open_client(&x.s, &options);
  uvow__protocol_drop(options.peer.protocol);
  script_mark_t mark = script_mark(&x.s, "a");
  script_watch(script_request(&x.s, "m", "[]"), &mark);
  script_turns(&x.s);
  script_expect_sent(
      &x.s, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\",\"params\":[]}");
  script_text(&x.s, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":7}");
  script_text(&x.s, "{\"event\":\"volume_changed\",\"volume\":40}");
  script_turns(&x.s);
  script_expect(
      &x.s,
      "a=7 event:volume_changed({\"event\":\"volume_changed\",\"volume\":40})");
  finish(&x);
}

TEST_CASE(test_server_keeps) {
  speech_t x;
  uvow_server_t *server;
  test_serve_t options = test_serve_options();
  prepare(&x);
  options.peer.protocol = describe(&x, MOPIDY);
  assert_int_equal(test_serve(x.s.loop, &options, &server), 0);
  uvow__protocol_drop(options.peer.protocol);
  assert_int_equal(
      uvow_group_notify(uvow_server_peers(server), "m", uvow_value_raw("[]")),
      0);
  uvow_server_free(server);
  finish(&x);
}

/* ---- batches ---- */

typedef struct batch_case {
  const char *text;
  const char *sent; /* NULL: nothing */
} batch_case_t;

static uvow_next_t sum_cb(uvow_call_t *call, const uvow_result_t *params,
                          void *data) {
  (void)params;
  (void)call;
  (void)data;
  return uvow_next_value(uvow_value_int64(19));
}

static uvow_next_t later_cb(uvow_call_t *call, const uvow_result_t *params,
                            void *data) {
  (void)params;
  uvow_promise_t **promise = (uvow_promise_t **)data;
  return uvow_next_future(uvow_promise_new(uvow_call_loop(call), promise));
}

#define CALL(id, method)                                                       \
  "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"method\":\"" method "\"}"
#define NOTE(method) "{\"jsonrpc\":\"2.0\",\"method\":\"" method "\"}"
#define ANSWER(id, value)                                                      \
  "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"result\":" value "}"
#define ERROR(id, code, message)                                               \
  "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"error\":{\"code\":" code               \
  ",\"message\":\"" message "\"}}"
#define INVALID ERROR("null", "-32600", "Invalid Request")
#define UNREAD ERROR("null", "-32700", "Parse error")

/* The examples of JSON-RPC 2.0, section 7. */
static const batch_case_t batch_cases[] = {
    {"{\"jsonrpc\": \"2.0\", \"method\": \"subtract\", \"params\": [42, 23], "
     "\"id\": 1}",
     ANSWER("1", "19")},
    {"{\"jsonrpc\": \"2.0\", \"method\": \"subtract\", \"params\": "
     "{\"subtrahend\": 23, \"minuend\": 42}, \"id\": 3}",
     ANSWER("3", "19")},
    {"{\"jsonrpc\": \"2.0\", \"method\": \"update\", \"params\": [1,2,3,4,5]}",
     NULL},
    {"{\"jsonrpc\": \"2.0\", \"method\": \"foobar\", \"id\": \"1\"}",
     ERROR("\"1\"", "-32601", "Method not found")},
    {"{\"jsonrpc\": \"2.0\", \"method\": \"foobar, \"params\": \"bar\", \"baz]",
     UNREAD},
    {"{\"jsonrpc\": \"2.0\", \"method\": 1, \"params\": \"bar\"}", INVALID},
    {"[{\"jsonrpc\": \"2.0\", \"method\": \"sum\", \"params\": [1,2,4], "
     "\"id\": \"1\"},{\"jsonrpc\": \"2.0\", \"method\"]",
     UNREAD},
    {"[]", INVALID},
    {"[1]", "[" INVALID "]"},
    {"[1,2,3]", "[" INVALID "," INVALID "," INVALID "]"},
    {"[" CALL("\"1\"", "sum") "," NOTE("notify_hello") "," CALL(
         "\"2\"",
         "subtract") ",{\"foo\": \"boo\"}," CALL("\"5\"",
                                                 "foo.get") "," CALL("\"9\"",
                                                                     "sum") "]",
     "[" INVALID "," ANSWER("\"1\"", "19") "," ANSWER("\"2\"", "19") "," ERROR(
         "\"5\"", "-32601", "Method not found") "," ANSWER("\"9\"", "19") "]"},
    {"[" NOTE("notify_sum") "," NOTE("notify_hello") "]", NULL},
};

/* One end is a session, the other one notes what it's told. */
typedef struct ear {
  speech_t x;
  uvow__channel_t *channel;
  char heard[4000];
  uvow_promise_t *promise;
} ear_t;

static void ear_open(void *ctx) {
  (void)ctx;
}
static void ear_message(void *ctx, int opcode, const uint8_t *bytes, size_t len,
                        uvow__buf_t *whole) {
  ear_t *ear = (ear_t *)ctx;
  size_t at = strlen(ear->heard);
  (void)whole;
  assert_int_equal(opcode, 1);
  snprintf(ear->heard + at, sizeof(ear->heard) - at, "%s%.*s", at ? " " : "",
           (int)len, (const char *)bytes);
}
static void ear_peer_close(void *ctx, const uvow_error_t *why) {
  (void)ctx;
  (void)why;
}
static void ear_writable(void *ctx) {
  (void)ctx;
}
static void ear_end(void *ctx, uvow_error_t *error) {
  ((ear_t *)ctx)->channel = NULL;
  uvow_error_unref(error);
}
static const uvow__channel_callbacks_t ear_callbacks = {
    ear_open, ear_message, ear_peer_close, ear_writable, ear_end, NULL};

static void ear_start(ear_t *ear, const char *protocol) {
  uvow_peer_options_t options = {0};
  uvow__channel_t *channel;
  memset(ear, 0, sizeof(*ear));
  script_init(&ear->x.s);
  script_drive_clock(&ear->x.s);
  ear->x.methods = uvow_methods_new(ear->x.s.loop);
  uvow_methods_add(ear->x.methods, "sum", sum_cb, NULL);
  uvow_methods_add(ear->x.methods, "subtract", sum_cb, NULL);
  uvow_methods_add(ear->x.methods, "later", later_cb, &ear->promise);
  options.size = sizeof(options);
  options.protocol = uvow_protocol_by_name(protocol);
  options.methods = ear->x.methods;
  options.max_call_bytes = 2300;
  ear->x.a = uvow__peer_new(ear->x.s.loop,
                            uvow__peer_config_new(ear->x.s.loop, &options), 1);
  assert_non_null(ear->x.a);
  assert_int_equal(uvow__channel_pair(ear->x.s.loop, 1u << 20, 1u << 20,
                                      &channel, &ear->channel),
                   0);
  uvow__channel_tell(channel, &uvow__peer_callbacks, ear->x.a);
  uvow__channel_tell(ear->channel, &ear_callbacks, ear);
  uvow__peer_opened(ear->x.a, channel);
}

static void say(ear_t *ear, const char *text) {
  uvow__splice_t message = {{text, strlen(text)}, {NULL, 0}, 0, NULL};
  ear->heard[0] = '\0';
  assert_int_equal(uvow__channel_send(ear->channel, 1, &message), 0);
  script_turns(&ear->x.s);
}

static void ear_finish(ear_t *ear) {
  if (ear->channel)
    ear->channel->ops->drop(ear->channel);
  finish(&ear->x);
}

TEST_CASE(test_batches) {
  ear_t ear;
  ear_start(&ear, "jsonrpc2");
  for (size_t i = 0; i < UVOW__COUNT(batch_cases); i++) {
    say(&ear, batch_cases[i].text);
    assert_string_equal(ear.heard,
                        batch_cases[i].sent ? batch_cases[i].sent : "");
  }
  assert_int_equal(ear.x.a->session.callee.bytes, 0);
  ear_finish(&ear);
}

/* The array goes when the last answer is there, whenever that is; what was
 * canceled is answered too. */
TEST_CASE(test_batch_waits) {
  ear_t ear;
  ear_start(&ear, "jsonrpc2");
  say(&ear, "[" CALL("1", "later") "," CALL("2", "sum") "]");
  assert_string_equal(ear.heard, "");
  say(&ear, CALL("3", "sum")); /* isn't held up */
  assert_string_equal(ear.heard, ANSWER("3", "19"));
  ear.heard[0] = '\0';
  uvow_promise_fulfill(ear.promise, uvow_value_int64(4));
  script_turns(&ear.x.s);
  assert_string_equal(ear.heard,
                      "[" ANSWER("2", "19") "," ANSWER("1", "4") "]");
  say(&ear, "[" CALL("1", "later") "," CALL("2", "sum") "]");
  say(&ear,
      "{\"jsonrpc\":\"2.0\",\"method\":\"$/cancelRequest\",\"params\":{"
      "\"id\":1}}");
  assert_string_equal(ear.heard, "[" ANSWER("2", "19") "," ERROR(
                                     "1", "-32800", "Request canceled") "]");
  uvow_promise_drop(ear.promise);
  ear_finish(&ear);
}

/* Answers of an array that can't be sent yet are bounded. */
TEST_CASE(test_batch_bounds) {
  static char text[12 * 700];
  ear_t ear;
  ear_start(&ear, "jsonrpc2");
  strcpy(text, "[" CALL("1", "later"));
  for (int i = 0; i < 60; i++)
    strcat(text, ",1");
  strcat(text, "]");
  say(&ear, text);
  assert_int_equal(ear.x.a->life.state, UVOW_PEER_CLOSED);
  assert_int_equal(uvow_error_status(ear.x.a->life.why), 1013);
  uvow_promise_drop(ear.promise);
  ear_finish(&ear);
}

/* The peer goes while its calls are under way. */
TEST_CASE(test_batch_dropped) {
  ear_t ear;
  ear_start(&ear, "jsonrpc2");
  say(&ear, "[" CALL("1", "later") "," CALL("2", "sum") "]");
  uvow__peer_ended(ear.x.a, NULL);
  script_turns(&ear.x.s);
  assert_string_equal(ear.heard, "");
  uvow_promise_drop(ear.promise);
  ear_finish(&ear);
}

/* Answers to us in one array, in any order, some missing. */
TEST_CASE(test_batch_of_answers) {
  speech_t x;
  prepare(&x);
  script_open_client(&x.s, NULL);
  script_mark_t a = script_mark(&x.s, "a");
  script_mark_t b = script_mark(&x.s, "b");
  script_mark_t c = script_mark(&x.s, "c");
  script_call(&x.s, "m", &a);
  script_call(&x.s, "m", &b);
  script_call(&x.s, "m", &c);
  script_turns(&x.s);
  script_text(&x.s, "[" ANSWER("3", "33") "," ERROR("1", "5", "no") ",7]");
  script_turns(&x.s);
  script_expect(&x.s, "c=33 a!EREMOTE:ANSWERED malformed:7");
  script_text(&x.s, "[" ANSWER("2", "[22]") "]");
  script_turns(&x.s);
  script_expect(&x.s, "b=[22]");
  finish(&x);
}

/* ---- control messages ---- */

TEST_CASE(test_control) {
  speech_t x;
  prepare(&x);
  test_connect_t options = script_options(&x.s);
  options.peer.protocol = uvow_protocol_by_name("graphql_transport_ws");
  script_open_client(&x.s, &options);
  script_text(&x.s, "{\"type\":\"ping\",\"payload\":{\"a\":1}}");
  script_turns(&x.s);
  script_expect_sent(&x.s, "{\"type\":\"pong\",\"payload\":{\"a\":1}}");
  script_text(&x.s, "{\"type\":\"pong\"}");
  script_turns(&x.s);
  script_expect_sent(&x.s, "");
  finish(&x);
}

/* A server of GraphQL: one result and its end; a complete is a cancel that
 * nobody answers. */
TEST_CASE(test_graphql) {
  ear_t ear;
  ear_start(&ear, "graphql_transport_ws");
  uvow_methods_add(ear.x.methods, "subscribe", later_cb, &ear.promise);
  say(&ear, "{\"type\":\"connection_init\"}");
  assert_string_equal(ear.heard, "{\"type\":\"connection_ack\"}");
  say(&ear, "{\"id\":\"x\",\"type\":\"subscribe\",\"payload\":{}}");
  ear.heard[0] = '\0';
  uvow_promise_fulfill(ear.promise, uvow_value_int64(4));
  script_turns(&ear.x.s);
  assert_string_equal(ear.heard,
                      "{\"id\":\"x\",\"type\":\"next\",\"payload\":4} "
                      "{\"id\":\"x\",\"type\":\"complete\"}");
  say(&ear, "{\"id\":\"y\",\"type\":\"subscribe\",\"payload\":{}}");
  say(&ear, "{\"id\":\"z\",\"type\":\"complete\"}"); /* nobody's */
  assert_int_equal(ear.x.a->session.callee.count, 1);
  say(&ear, "{\"id\":\"y\",\"type\":\"complete\"}");
  assert_string_equal(ear.heard, "");
  assert_int_equal(ear.x.a->session.callee.count, 0);
  uvow_promise_drop(ear.promise);
  ear_finish(&ear);
}

TEST_MODULE(speech) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_peers_keep),
      cmocka_unit_test(test_client_keeps),
      cmocka_unit_test(test_server_keeps),
      cmocka_unit_test(test_batches),
      cmocka_unit_test(test_batch_waits),
      cmocka_unit_test(test_batch_bounds),
      cmocka_unit_test(test_batch_dropped),
      cmocka_unit_test(test_batch_of_answers),
      cmocka_unit_test(test_control),
      cmocka_unit_test(test_graphql),
  };
  return cmocka_run_group_tests_name("rpc/speech", tests, NULL, NULL);
}
