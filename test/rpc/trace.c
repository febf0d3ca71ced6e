#include "rpc/client.h"

#include "support/link.h"

#include <stdio.h>

#include <uvow/server.h>

static void on_sent(const uvow_client_t *client, uint64_t id,
                    const char *method, void *data) {
  char text[64];
  assert_non_null(client);
  snprintf(text, sizeof(text), "%d:%s", (int)id, method);
  script_log((script_t *)data, "sent:", text);
}

static void on_settled(const uvow_client_t *client, uint64_t id,
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

static void on_state(const uvow_client_t *client, uvow_client_state_t state,
                     void *data) {
  char text[16];
  assert_non_null(client);
  snprintf(text, sizeof(text), "%d", (int)state);
  script_log((script_t *)data, "now:", text);
}

static void on_message(const uvow_client_t *client, const char *bytes,
                       size_t len, void *data) {
  char text[16];
  assert_non_null(client);
  assert_true(bytes[0] == '{' || bytes[0] == '!');
  snprintf(text, sizeof(text), "%d", (int)len);
  script_log((script_t *)data, "message:", text);
}

static uvow_trace_t trace_of(script_t *s) {
  uvow_trace_t trace = {s, on_sent, on_settled, on_state, on_message};
  return trace;
}

/* Each hook is called on the spot, before any continuation. */
static void test_hooks_are_called_in_order(void **state) {
  script_t s;
  uvow_reconnect_options_t reconnect;
  (void)state;
  script_init(&s);
  script_drive_clock(&s);
  uvow_trace_t trace = trace_of(&s);
  uvow_client_options_t options = link_options(&s, &reconnect);
  uvow_request_options_t soon = {.size = sizeof(soon), .timeout_ms = 10};
  options.trace = &trace;
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
  script_expect(&s, "now:2 sent:1:one sent:2:two state:OPEN");
  link_answer(&s, 1);
  script_expect(&s, "message:35 settled:1:one:ok a=1");
  script_frame(&s, 0x81, "!", 1);
  script_expect(&s, "message:1 malformed:!");
  script_hang_up(&s, 0);
  script_expect(&s, "now:3 state:WAITING!ELOST");
  link_again(&s);
  script_expect(&s, "now:1 state:CONNECTING now:2 sent:2:two state:OPEN");
  script_text(&s,
              "{\"jsonrpc\":\"2.0\",\"id\":2,\"error\":{\"code\":1,"
              "\"message\":\"\"}}");
  script_expect(&s,
                "message:56 settled:2:two:EREMOTE:ANSWERED "
                "b!EREMOTE:ANSWERED");
  script_watch(uvow_client_request_bytes(s.client, "three", NULL, 0, &soon),
               &a);
  script_turns(&s);
  script_advance(&s, 11);
  script_expect(&s,
                "sent:3:three settled:3:three:ETIMEDOUT:MAYBE "
                "a!ETIMEDOUT:MAYBE");
  script_watch(script_request(&s, "four", "5"), &a);
  script_turns(&s);
  script_expect(&s, "settled:4:four:EINVAL:NOT a!EINVAL:NOT");
  script_call(&s, "five", &a);
  uvow_client_free(s.client);
  s.client = NULL;
  script_turns(&s);
  script_expect(&s,
                "sent:5:five settled:5:five:ECLOSED:MAYBE now:5 "
                "a!ECLOSED:MAYBE");
  script_end(&s);
}

/* Each hook may be missing. */
static void test_hooks_are_optional(void **state) {
  (void)state;
  for (int i = 0; i < 5; i++) {
    script_t s;
    script_init(&s);
    uvow_trace_t trace = trace_of(&s);
    uvow_client_options_t options = script_options(&s);
    options.trace = &trace;
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
                      : i == 3 ? "now:1 now:2"
                               : "message:35");
    uvow_client_free(s.client);
    s.client = NULL;
    s.log[0] = '\0';
    script_end(&s);
  }
}

/* R5: the server is told of what was given up on the wire, if that's wanted
 * and the protocol knows how; of nothing else. */
static void test_the_server_is_told_of_a_cancel(void **state) {
  static const char cancel[] =
      "{\"jsonrpc\":\"2.0\",\"method\":\"$/cancelRequest\",\"params\":{\"id\":"
      "%d}}";
  char text[128];
  (void)state;
  for (int wanted = 0; wanted < 2; wanted++) {
    script_t s;
    uvow_request_options_t soon = {.size = sizeof(soon), .timeout_ms = 10};
    script_init(&s);
    script_drive_clock(&s);
    uvow_client_options_t options = script_options(&s);
    options.send_cancel = wanted;
    options.max_in_flight = 2;
    script_open_client(&s, &options);
    script_mark_t a = script_mark(&s, "a");
    uvow_future_t *f = script_request(&s, "m", NULL);
    script_watch(uvow_future_ref(f), &a);
    script_watch(uvow_client_request_bytes(s.client, "m", NULL, 0, &soon), &a);
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
static void test_not_every_protocol_can_cancel(void **state) {
  script_t s;
  (void)state;
  script_init(&s);
  uvow_client_options_t options = script_options(&s);
  options.protocol = uvow_protocol_cdp();
  options.send_cancel = 1;
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
static void test_a_traceparent_is_sent_along(void **state) {
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
  (void)state;
  script_init(&s);
  script_drive_clock(&s);
  uvow_client_options_t options = link_options(&s, &reconnect);
  options.on_state = NULL;
  link_open(&s, &options);
  script_mark_t a = script_mark(&s, "a");
  script_watch(uvow_client_request_bytes(s.client, "m", "[1]", 3, &traced), &a);
  script_watch(uvow_client_request_bytes(s.client, "m", "[1]", 3, &bad), &a);
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

static uvow_next_t tell_parent(const uvow_call_t *call, void *data) {
  const char *parent = uvow_call_traceparent(call);
  script_log((script_t *)data, uvow_call_wants_answer(call) ? "call:" : "note:",
             parent ? parent : "none");
  return uvow_next_none();
}

/* The server's method sees it: only one that is valid. */
static void test_a_method_sees_its_traceparent(void **state) {
  static const char parent[] =
      "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  script_t s;
  char url[64];
  uvow_server_t *server;
  uvow_server_options_t options = {.size = sizeof(options)};
  uvow_request_options_t traced = {.size = sizeof(traced),
                                   .traceparent = parent};
  (void)state;
  script_init(&s);
  options.protocol = uvow_protocol_jsonrpc2();
  assert_int_equal(uvow_server_new(s.loop, &options, &server), 0);
  assert_int_equal(uvow_server_method(server, "m", tell_parent, &s, NULL), 0);
  snprintf(url, sizeof(url), "ws://127.0.0.1:%u/",
           (unsigned)uvow_server_port(server));
  uvow_client_options_t client = script_options(&s);
  client.url = url;
  assert_int_equal(uvow_client_new(s.loop, &client, &s.client), 0);
  script_mark_t quiet = script_mark(&s, NULL);
  script_watch(uvow_client_request_bytes(s.client, "m", NULL, 0, &traced),
               &quiet);
  uvow_client_notify_bytes(s.client, "m", NULL, 0);
  script_call(&s, "m", &quiet);
  while (quiet.calls < 2)
    assert_true(uv_run(&s.uv, UV_RUN_ONCE));
  script_expect(&s,
                "call:00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331"
                "-01 note:none call:none");
  uvow_server_free(server);
  uvow_client_free(s.client);
  s.client = NULL;
  script_end(&s);
}

TEST_MODULE(trace) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_hooks_are_called_in_order),
      cmocka_unit_test(test_hooks_are_optional),
      cmocka_unit_test(test_the_server_is_told_of_a_cancel),
      cmocka_unit_test(test_not_every_protocol_can_cancel),
      cmocka_unit_test(test_a_traceparent_is_sent_along),
      cmocka_unit_test(test_a_method_sees_its_traceparent),
  };
  return cmocka_run_group_tests_name("rpc/trace", tests, NULL, NULL);
}
