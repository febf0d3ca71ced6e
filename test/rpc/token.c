/* Progress as partial answers: what asks for it with the request's id, what
 * comes for that, and what a method's stream sends to who asked so. */
#include "rpc/token.h"

#include "rpc/peer.h"
#include "support/script.h"

#include <stdio.h>

#include <uvow/stream.h>
#include <uvow/subscription.h>

/* ---- what is written ---- */

static const struct {
  const char *path;
  const char *params;
  const char *text; /* NULL: refused */
} cases[] = {
    {"t", "", "{\"t\":7}"},
    {"t", "{}", "{\"t\":7}"},
    {"t", " { } ", "{\"t\":7}"},
    {"t", "{\"a\":[1,{}]}", "{\"t\":7,\"a\":[1,{}]}"},
    {"t", " { \"a\" : 1 } ", "{\"t\":7,\"a\" : 1}"},
    {"_meta/t", "{\"a\":1}", "{\"_meta\":{\"t\":7},\"a\":1}"},
    {"_meta/t", "", "{\"_meta\":{\"t\":7}}"},
    {"t", "{\"t\":1}", NULL},
    {"t", "{\"a\":1,\"\\u0074\":1}", NULL},
    {"_meta/t", "{\"_meta\":{}}", NULL},
    {"t", "[1]", NULL},
    {"t", "5", NULL},
    {"t", "{", NULL},
    {"", "{}", NULL},
    {"/t", "{}", NULL},
    {"t/", "{}", NULL},
    {"a\"b", "{}", NULL},
    {"a/b\\", "{}", NULL},
};

TEST_CASE(test_params) {
  uvow__ids_t ids = {UVOW__IDS_NUMBER, 0, NULL, 0};
  for (size_t i = 0; i < UVOW__COUNT(cases); i++) {
    uvow__op_t op = {.id = 7};
    uvow__buf_t out;
    op.params = (uvow__slice_t){cases[i].params, strlen(cases[i].params)};
    uvow__buf_init(&out, &uvow__mem_default, 1000);
    int rc = uvow__token_put(&out, &ids, cases[i].path, &op);
    assert_int_equal(rc, cases[i].text ? 0 : UVOW_EINVAL);
    if (cases[i].text && !uvow__slice_is(op.params, cases[i].text))
      fail_msg("%.*s", (int)op.params.len, op.params.ptr);
    uvow__buf_done(&out);
  }
  ids = (uvow__ids_t){UVOW__IDS_TEXT, 0, "p-", 2};
  uvow__op_t op = {.id = 12};
  uvow__buf_t out;
  uvow__buf_init(&out, &uvow__mem_default, 1000);
  assert_int_equal(uvow__token_put(&out, &ids, "t", &op), 0);
  assert_true(uvow__slice_is(op.params, "{\"t\":\"p-12\"}"));
  uvow__buf_done(&out);
}

/* ---- what comes ---- */

static void on_partial(const uvow_result_t *partial, void *data) {
  uvow_slice_t text;
  char copy[100];
  assert_int_equal(uvow_result_get_slice(partial, "", &text), 0);
  snprintf(copy, sizeof(copy), "%.*s", (int)text.len, text.bytes);
  script_log((script_t *)data, "part:", copy);
}

static void start(script_t *s, const char *protocol) {
  script_init(s);
  test_connect_t options = script_options(s);
  options.peer.protocol = uvow_protocol_by_name(protocol);
  script_open_client(s, &options);
}

static void ask(script_t *s, script_mark_t *mark, const char *token,
                uvow_value_t params) {
  uvow_request_options_t options = {.size = sizeof(options)};
  options.token = token;
  options.on_partial = on_partial;
  options.partial_data = s;
  *mark = script_mark(s, "a");
  script_watch(uvow_peer_request_with(s->client, "m", params, &options), mark);
}

#define PROGRESS(token, value)                                                 \
  "{\"jsonrpc\":\"2.0\",\"method\":\"$/"                                       \
  "progress\",\"params\":{\"token\":" token ",\"value\":" value "}}"

TEST_CASE(test_progress) {
  script_t s;
  script_mark_t a;
  start(&s, "jsonrpc2");
  ask(&s, &a, "partialResultToken", uvow_value_none());
  script_turns(&s);
  script_expect_sent(&s,
                     "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\","
                     "\"params\":{\"partialResultToken\":1}}");
  script_text(&s, PROGRESS("1", "[1]"));
  script_text(&s, PROGRESS("1", "{\"kind\":\"end\"}"));
  script_turns(&s);
  script_expect(&s, "part:[1] part:{\"kind\":\"end\"}");
  /* tokens of the application's own, and those of nobody, are events */
  script_text(&s, PROGRESS("2", "5"));
  script_text(&s, PROGRESS("\"1\"", "5"));
  script_text(&s, "{\"jsonrpc\":\"2.0\",\"method\":\"$/progress\"}");
  script_turns(&s);
  script_expect(&s,
                "event:$/progress({\"token\":2,\"value\":5}) "
                "event:$/progress({\"token\":\"1\",\"value\":5}) "
                "event:$/progress()");
  script_text(&s, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":null}");
  script_turns(&s);
  script_expect(&s, "a=null");
  script_text(&s, PROGRESS("1", "5"));
  script_turns(&s);
  script_expect(&s, "event:$/progress({\"token\":1,\"value\":5})");
  script_end(&s);
}

static void read_one(const uvow_result_t *result, void *data) {
  on_partial(result, data);
}

/* Of a request that asked for none, that waits to be sent, or without a value,
 * it is an event as any other; of a subscription by its id, an item; the first
 * may be the last. */
TEST_CASE(test_whose_progress) {
  script_t s;
  uvow_request_options_t first = {.size = sizeof(first), .first_is_last = 1};
  uvow_stream_t *stream;
  script_mark_t a;
  script_init(&s);
  test_connect_t options = script_options(&s);
  options.peer.max_in_flight = 2;
  script_open_client(&s, &options);
  a = script_mark(&s, "a");
  script_call(&s, "m", &a);
  stream = uvow_peer_subscribe(s.client, "s", uvow_value_none(), NULL);
  script_watch(
      uvow_peer_request_with(s.client, "waits", uvow_value_none(), &first), &a);
  script_turns(&s);
  script_text(&s, PROGRESS("1", "5"));
  script_text(&s, PROGRESS("3", "6"));
  script_text(&s,
              "{\"jsonrpc\":\"2.0\",\"method\":\"$/progress\","
              "\"params\":{\"token\":2}}");
  script_turns(&s);
  script_expect(&s,
                "event:$/progress({\"token\":1,\"value\":5}) "
                "event:$/progress({\"token\":3,\"value\":6}) "
                "event:$/progress({\"token\":2})");
  script_text(&s, PROGRESS("2", "7"));
  assert_int_equal(uvow_future_done(uvow_stream_next(stream), read_one, &s), 0);
  script_turns(&s);
  script_expect(&s, "part:7");
  uvow_stream_unref(stream);
  script_text(&s, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":1}");
  script_turns(&s);
  script_text(&s, "{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":3}");
  script_turns(&s);
  script_expect(&s, "a=1 a=3");
  first.token = "partialResultToken";
  script_watch(uvow_peer_request_with(s.client, "m", uvow_value_none(), &first),
               &a);
  script_turns(&s);
  script_text(&s, PROGRESS("4", "8"));
  script_turns(&s);
  script_expect(&s, "a=8");
  assert_int_equal(script_stats(&s).pending, 0);
  script_end(&s);
}

/* Names and text of any length, and no memory for them: all or nothing. */
TEST_CASE(test_written_without_memory) {
  static char path[600], params[900];
  uvow__ids_t ids = {UVOW__IDS_TEXT, 0, "p-", 2};
  memset(path, 'n', sizeof(path) - 1);
  path[300] = '/';
  snprintf(params, sizeof(params), "{\"a\":\"%0*d\"}", 700, 1);
  size_t whole = 300 + 298 + strlen(params) + strlen("{'':{'':'p-12'},}") - 2;
  for (size_t max = 0; max < 1400; max++) {
    uvow__op_t op = {.id = 12};
    uvow__buf_t out;
    op.params = (uvow__slice_t){params, strlen(params)};
    uvow__buf_init(&out, &uvow__mem_default, max);
    int rc = uvow__token_put(&out, &ids, path, &op);
    assert_int_equal(rc == 0, max >= whole);
    assert_true(rc == 0 ? op.params.len == whole : op.params.ptr == params);
    uvow__buf_done(&out);
  }
}

TEST_CASE(test_refused) {
  script_t s;
  script_mark_t a;
  start(&s, "jsonrpc2");
  ask(&s, &a, "t", uvow_value_raw("[1]"));
  script_turns(&s);
  script_expect(&s, "a!EINVAL:NOT");
  ask(&s, &a, "t", uvow_value_raw("{\"a\":1},\"id\":2,\"b\":{}"));
  script_turns(&s);
  script_expect(&s, "a!EINVAL:NOT");
  script_expect_sent(&s, "");
  script_end(&s);
}

/* ---- both ends ---- */

static uvow_next_t count_cb(uvow_call_t *call, const uvow_result_t *params,
                            void *data) {
  uvow_sink_t *sink;
  uvow_stream_t *stream = uvow_stream_new(uvow_call_loop(call), NULL, &sink);
  (void)params;
  for (int i = 1; i <= 3; i++)
    (void)uvow_sink_push(
        sink, uvow_value_jsonf(uvow_call_loop(call), "{s:i}", "progress", i));
  uvow_sink_end(sink);
  script_log((script_t *)data, uvow_call_method(call), "");
  return uvow_next_stream(stream);
}

static void both_ends(const char *protocol, const char *token,
                      const char *expected) {
  uvow_peer_options_t client = {.size = sizeof(client)};
  uvow_peer_options_t options = {.size = sizeof(options)};
  uvow_request_options_t how = {.size = sizeof(how), .token = token};
  uvow_peer_t *server;
  script_t s;
  script_init(&s);
  client.protocol = options.protocol = uvow_protocol_by_name(protocol);
  options.methods = uvow_methods_new(s.loop);
  assert_int_equal(uvow_methods_add(options.methods, "count", count_cb, &s), 0);
  assert_int_equal(
      uvow_peer_pair(s.loop, &client, &options, &s.client, &server), 0);
  uvow_methods_unref(options.methods);
  uvow_stream_t *parts = uvow_peer_request_stream_with(
      s.client, "count", uvow_value_raw("{\"a\":1}"), &how);
  script_mark_t m = script_mark(&s, "");
  for (int i = 0; i < 3; i++)
    script_watch(uvow_stream_next(parts), &m);
  script_turns(&s);
  script_expect(&s, expected);
  uvow_stream_unref(parts);
  uvow_peer_unref(server);
  script_end(&s);
}

TEST_CASE(test_both_ends) {
  both_ends("jsonrpc2", "partialResultToken",
            "count ={\"progress\":1} ={\"progress\":2} ={\"progress\":3}");
}

/* A method that is told no token sends events, as ever. */
TEST_CASE(test_without_a_token) {
  both_ends("jsonrpc2", NULL, "count =null =null =null");
}

/* The client of MCP, whose messages are its own. */
TEST_CASE(test_mcp) {
  script_t s;
  script_mark_t a;
  script_init(&s);
  test_connect_t options = script_options(&s);
  options.peer.protocol = uvow_protocol_by_name("mcp");
  options.peer.vars = "{\"initialize\":{}}";
  options.peer.on_stray = NULL;
  assert_int_equal(script_client(&s, &options), 0);
  script_connected(&s);
  script_accept(&s);
  script_text(&s,
              "{\"jsonrpc\":\"2.0\",\"id\":\"uvow-initialize\",\"result\":{}}");
  script_turns(&s);
  s.sent_at = s.sent_len;
  ask(&s, &a, "_meta/progressToken", uvow_value_raw("{\"x\":1}"));
  script_turns(&s);
  script_expect_sent(&s,
                     "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\","
                     "\"params\":{\"_meta\":{\"progressToken\":1},\"x\":1}}");
  script_text(&s,
              "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\","
              "\"params\":{\"progressToken\":1,\"progress\":5}}");
  script_turns(&s);
  script_expect(&s, "part:{\"progressToken\":1,\"progress\":5}");
  uvow_peer_unref(s.client);
  s.client = NULL;
  script_turns(&s);
  script_expect(&s, "a!ECLOSED:MAYBE");
  script_end(&s);
}

static void sweep(test_alloc_t *alloc, void *data) {
  script_t s;
  script_mark_t a;
  uvow_peer_options_t options = {.size = sizeof(options)};
  uvow_peer_t *server = NULL;
  (void)data;
  script_init_with(&s, alloc);
  options.protocol = uvow_protocol_by_name("jsonrpc2");
  if (s.loop &&
      uvow_peer_pair(s.loop, &options, &options, &s.client, &server) == 0) {
    uvow_request_options_t how = {.size = sizeof(how), .token = "t"};
    uvow_future_t *f = uvow_peer_request_with(
        s.client, "m", uvow_value_raw("{\"long\":\"0123456789\"}"), &how);
    a = script_mark(&s, "a");
    if (f)
      (void)uvow_future_done(f, script_done, &a);
  }
  script_turns(&s);
  uvow_peer_unref(server);
  script_quit(&s);
}

TEST_CASE(survives_no_memory) {
  test_alloc_sweep(sweep, NULL);
}

TEST_MODULE(token) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_params),
      cmocka_unit_test(test_whose_progress),
      cmocka_unit_test(test_written_without_memory),
      cmocka_unit_test(test_progress),
      cmocka_unit_test(test_refused),
      cmocka_unit_test(test_both_ends),
      cmocka_unit_test(test_without_a_token),
      cmocka_unit_test(test_mcp),
      cmocka_unit_test(survives_no_memory),
  };
  return cmocka_run_group_tests_name("rpc/token", tests, NULL, NULL);
}
