#include "rpc/peer.h"

#include "support/link.h"
#include "support/serve.h"

#include <stdio.h>

#include <uvow/server.h>

static void on_sent(const uvow_peer_t *client, uint64_t id, const char *method,
                    void *data) {
  char text[64];
  assert_non_null(client);
  snprintf(text, sizeof(text), "%d:%s", (int)id, method);
  script_log((script_t *)data, "sent:", text);
}

static void on_settled(const uvow_peer_t *client, uint64_t id,
                       const char *method, const uvow_error_t *error,
                       void *data) {
  char why[64] = "ok";
  char text[160];
  assert_non_null(client);
  if (error)
    script_describe(error, why, sizeof(why));
  snprintf(text, sizeof(text), "%d:%s:%s", (int)id, method, why);
  script_log((script_t *)data, "settled:", text);
}

static void on_state(const uvow_peer_t *client, uvow_peer_state_t state,
                     void *data) {
  char text[16];
  assert_non_null(client);
  snprintf(text, sizeof(text), "%d", (int)state);
  script_log((script_t *)data, "now:", text);
}

static void on_message(const uvow_peer_t *client, uvow_slice_t message,
                       int is_outgoing, void *data) {
  char text[16];
  assert_non_null(client);
  assert_true(message.bytes[0] == '{' || message.bytes[0] == '!');
  if (is_outgoing)
    return;
  snprintf(text, sizeof(text), "%d", (int)message.len);
  script_log((script_t *)data, "message:", text);
}

static uvow_trace_t trace_of(script_t *s) {
  uvow_trace_t trace = {
      sizeof(uvow_trace_t), s, on_sent, on_settled, on_state, on_message, NULL};
  return trace;
}

/* Each hook is called on the spot, before any continuation. */
TEST_CASE(test_hooks_are_called_in_order) {
  script_t s;
  uvow_reconnect_options_t reconnect;
  script_init(&s);
  script_drive_clock(&s);
  uvow_trace_t trace = trace_of(&s);
  test_connect_t options = link_options(&s, &reconnect);
  uvow_request_options_t soon = {.size = sizeof(soon), .timeout_ms = 10};
  options.peer.trace = &trace;
  assert_int_equal(script_client(&s, &options), 0);
  memset(&trace, 0, sizeof(trace)); /* it was copied */
  script_mark_t a = script_mark(&s, "a");
  script_mark_t b = script_mark(&s, "b");
  script_expect(&s, "now:1"); /* at once */
  script_call(&s, "one", &a);
  link_call_idempotent(&s, "two", &b);
  script_turns(&s);
  script_expect(&s, "state:CONNECTING");
  link_up(&s);
  script_expect(&s, "now:3 sent:1:one sent:2:two state:OPEN");
  link_answer(&s, 1);
  script_expect(&s, "message:35 settled:1:one:ok a=1");
  script_frame(&s, 0x81, "!", 1);
  script_expect(&s, "message:1 malformed:!");
  script_hang_up(&s, 0);
  script_expect(&s, "now:4 state:WAITING!ELOST");
  link_again(&s);
  script_expect(&s, "now:1 state:CONNECTING now:3 sent:2:two state:OPEN");
  script_text(&s,
              "{\"jsonrpc\":\"2.0\",\"id\":2,\"error\":{\"code\":1,"
              "\"message\":\"\"}}");
  script_expect(&s,
                "message:56 settled:2:two:EREMOTE:ANSWERED "
                "b!EREMOTE:ANSWERED");
  script_watch(
      uvow_peer_request_with(s.client, "three", uvow_value_none(), &soon), &a);
  script_turns(&s);
  script_advance(&s, 11);
  script_expect(&s,
                "sent:3:three settled:3:three:ETIMEDOUT:MAYBE "
                "a!ETIMEDOUT:MAYBE");
  script_watch(script_request(&s, "four", "5"), &a);
  script_turns(&s);
  script_expect(&s, "settled:4:four:EINVAL:NOT a!EINVAL:NOT");
  script_call(&s, "five", &a);
  uvow_peer_unref(s.client);
  s.client = NULL;
  script_turns(&s);
  script_expect(&s,
                "sent:5:five settled:5:five:ECLOSED:MAYBE now:6 "
                "a!ECLOSED:MAYBE");
  script_end(&s);
}

/* Each hook may be missing. */
TEST_CASE(test_hooks_are_optional) {
  for (int i = 0; i < 5; i++) {
    script_t s;
    script_init(&s);
    uvow_trace_t trace = trace_of(&s);
    test_connect_t options = script_options(&s);
    options.peer.trace = &trace;
    if (i != 1)
      trace.on_sent = NULL;
    if (i != 2)
      trace.on_settled = NULL;
    if (i != 3)
      trace.on_state = NULL;
    if (i != 4)
      trace.on_message = NULL;
    script_open_client(&s, &options);
    script_mark_t a = script_mark(&s, NULL);
    script_call(&s, "m", &a);
    script_turns(&s);
    link_answer(&s, 1);
    script_turns(&s);
    script_expect(&s, i == 0   ? ""
                      : i == 1 ? "sent:1:m"
                      : i == 2 ? "settled:1:m:ok"
                      : i == 3 ? "now:1 now:3"
                               : "message:35");
    uvow_peer_unref(s.client);
    s.client = NULL;
    s.log[0] = '\0';
    script_end(&s);
  }
}

/* R5: the server is told of what was given up on the wire, if that's wanted
 * and the protocol knows how; of nothing else. */
TEST_CASE(test_the_server_is_told_of_a_cancel) {
  static const char cancel[] =
      "{\"jsonrpc\":\"2.0\",\"method\":\"$/cancelRequest\",\"params\":{\"id\":"
      "%d}}";
  char text[128];
  for (int wanted = 0; wanted < 2; wanted++) {
    script_t s;
    uvow_request_options_t soon = {.size = sizeof(soon), .timeout_ms = 10};
    script_init(&s);
    script_drive_clock(&s);
    test_connect_t options = script_options(&s);
    options.peer.no_cancel = !wanted;
    options.peer.max_in_flight = 2;
    script_open_client(&s, &options);
    script_mark_t a = script_mark(&s, "a");
    uvow_future_t *f = script_request(&s, "m", NULL);
    script_watch(uvow_future_ref(f), &a);
    script_watch(
        uvow_peer_request_with(s.client, "m", uvow_value_none(), &soon), &a);
    uvow_future_t *g = script_request(&s, "m", NULL); /* waits for its turn */
    script_watch(uvow_future_ref(g), &a);
    script_turns(&s);
    script_next(&s);
    script_next(&s);
    uvow_future_cancel(g); /* never sent: there is nothing to tell */
    uvow_future_cancel(f);
    uvow_future_unref(f);
    uvow_future_unref(g);
    script_turns(&s);
    snprintf(text, sizeof(text), cancel, 1);
    script_expect_sent(&s, wanted ? text : "");
    script_advance(&s, 11);
    snprintf(text, sizeof(text), cancel, 2);
    script_expect_sent(&s, wanted ? text : "");
    script_expect_sent(&s, "");
    script_expect(&s, "a!ECANCELED:NOT a!ECANCELED:MAYBE a!ETIMEDOUT:MAYBE");
    link_answer(&s, 1);
    script_expect(&s, "late:{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":1}");
    script_end(&s);
  }
}

/* A protocol without a cancel is asked for none. */
TEST_CASE(test_not_every_protocol_can_cancel) {
  script_t s;
  script_init(&s);
  test_connect_t options = script_options(&s);
  options.peer.protocol = uvow_protocol_by_name("cdp");
  options.peer.no_cancel = 0;
  script_open_client(&s, &options);
  script_mark_t a = script_mark(&s, "a");
  uvow_future_t *f = script_request(&s, "m", NULL);
  script_watch(uvow_future_ref(f), &a);
  script_turns(&s);
  script_next(&s);
  uvow_future_cancel(f);
  uvow_future_unref(f);
  script_turns(&s);
  script_expect_sent(&s, "");
  script_expect(&s, "a!ECANCELED:MAYBE");
  script_end(&s);
}

/* W3C trace context goes along with its request, and again with a resend. */
TEST_CASE(test_a_traceparent_is_sent_along) {
  static const char parent[] =
      "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  static const char sent[] =
      "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\",\"params\":[1],"
      "\"traceparent\":"
      "\"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\"}";
  script_t s;
  uvow_reconnect_options_t reconnect;
  uvow_request_options_t traced = {
      .size = sizeof(traced), .idempotent = 1, .traceparent = parent};
  uvow_request_options_t bad = {.size = sizeof(bad), .traceparent = "00-0-0-0"};
  script_init(&s);
  script_drive_clock(&s);
  test_connect_t options = link_options(&s, &reconnect);
  options.peer.on_state = NULL;
  link_open(&s, &options);
  script_mark_t a = script_mark(&s, "a");
  script_watch(
      uvow_peer_request_with(s.client, "m", uvow_value_raw("[1]"), &traced),
      &a);
  script_watch(
      uvow_peer_request_with(s.client, "m", uvow_value_raw("[1]"), &bad), &a);
  script_turns(&s);
  script_expect_sent(&s, sent);
  script_expect_sent(&s, "");
  script_expect(&s, "a!EINVAL:NOT");
  script_hang_up(&s, 0);
  link_again(&s);
  script_expect_sent(&s, sent);
  link_answer(&s, 1);
  script_expect(&s, "a=1");
  script_end(&s);
}

static uvow_next_t tell_parent(uvow_call_t *call, const uvow_result_t *params,
                               void *data) {
  const char *parent = uvow_call_traceparent(call);
  (void)params;
  script_log((script_t *)data, uvow_call_wants_answer(call) ? "call:" : "note:",
             parent ? parent : "none");
  return uvow_next_none();
}

/* The server's method sees it: only one that is valid. */
TEST_CASE(test_a_method_sees_its_traceparent) {
  static const char parent[] =
      "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  script_t s;
  char url[64];
  uvow_server_t *server;
  test_serve_t options = test_serve_options();
  uvow_request_options_t traced = {.size = sizeof(traced),
                                   .traceparent = parent};
  script_init(&s);
  assert_int_equal(test_serve(s.loop, &options, &server), 0);
  assert_int_equal(test_method(server, "m", tell_parent, &s), 0);
  snprintf(url, sizeof(url), "ws://127.0.0.1:%u/",
           (unsigned)uvow_server_port(server));
  test_connect_t client = script_options(&s);
  client.url = url;
  assert_int_equal(test_connect(s.loop, &client, &s.client), 0);
  script_mark_t quiet = script_mark(&s, NULL);
  script_watch(
      uvow_peer_request_with(s.client, "m", uvow_value_none(), &traced),
      &quiet);
  uvow_peer_notify(s.client, "m", uvow_value_none());
  script_call(&s, "m", &quiet);
  while (quiet.calls < 2)
    assert_true(uv_run(&s.uv, UV_RUN_ONCE));
  script_expect(&s,
                "call:00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331"
                "-01 note:none call:none");
  uvow_server_free(server);
  uvow_peer_unref(s.client);
  s.client = NULL;
  script_end(&s);
}

static void on_any_message(const uvow_peer_t *peer, uvow_slice_t message,
                           int is_outgoing, void *data) {
  char text[512];
  assert_non_null(peer);
  snprintf(text, sizeof(text), "%.*s", (int)message.len, message.bytes);
  script_log((script_t *)data, is_outgoing ? ">" : "<", text);
}

/* What is sent is told, too: requests, notifications, answers to calls. */
TEST_CASE(test_each_message_is_told) {
  script_t s;
  script_init(&s);
  uvow_trace_t trace = {.size = sizeof(trace)};
  trace.data = &s;
  trace.on_message = on_any_message;
  test_connect_t options = script_options(&s);
  options.peer.trace = &trace;
  script_open_client(&s, &options);
  script_mark_t a = script_mark(&s, "a");
  script_call(&s, "one", &a);
  script_expect(&s, ">{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"one\"}");
  script_text(&s, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":2}");
  script_expect(&s, "<{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":2} a=2");
  assert_int_equal(uvow_peer_notify(s.client, "n", uvow_value_none()), 0);
  script_expect(&s, ">{\"jsonrpc\":\"2.0\",\"method\":\"n\"}");
  script_text(&s, "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"x\"}");
  script_expect(&s,
                "<{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"x\"} "
                ">{\"jsonrpc\":\"2.0\",\"id\":7,\"error\":{\"code\":-32601,"
                "\"message\":\"Method not found\"}}");
  script_end(&s);
}

/* Large params are spliced into the message; the hook has all of it. */
static void on_large(const uvow_peer_t *peer, uvow_slice_t message,
                     int is_outgoing, void *data) {
  size_t *len = (size_t *)data;
  assert_non_null(peer);
  assert_true(is_outgoing);
  assert_int_equal(message.bytes[0], '{');
  assert_int_equal(message.bytes[message.len - 1], '}');
  *len = message.len;
}

TEST_CASE(test_large_params_are_whole) {
  static char params[100003];
  script_t s;
  size_t len = 0;
  memset(params, 'x', sizeof(params) - 1);
  memcpy(params, "[\"", 2);
  memcpy(params + sizeof(params) - 3, "\"]", 3);
  script_init(&s);
  uvow_trace_t trace = {.size = sizeof(trace)};
  trace.data = &len;
  trace.on_message = on_large;
  test_connect_t options = script_options(&s);
  options.peer.trace = &trace;
  script_open_client(&s, &options);
  script_mark_t a = script_mark(&s, "a");
  script_watch(uvow_peer_request(s.client, "one", uvow_value_raw(params)), &a);
  assert_true(len > sizeof(params));
  uvow_peer_unref(s.client);
  s.client = NULL;
  script_turns(&s);
  script_expect(&s, "a!ECLOSED:MAYBE");
  script_end(&s);
}

TEST_MODULE(trace) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_each_message_is_told),
      cmocka_unit_test(test_large_params_are_whole),
      cmocka_unit_test(test_hooks_are_called_in_order),
      cmocka_unit_test(test_hooks_are_optional),
      cmocka_unit_test(test_the_server_is_told_of_a_cancel),
      cmocka_unit_test(test_not_every_protocol_can_cancel),
      cmocka_unit_test(test_a_traceparent_is_sent_along),
      cmocka_unit_test(test_a_method_sees_its_traceparent),
  };
  return cmocka_run_group_tests_name("rpc/trace", tests, NULL, NULL);
}
