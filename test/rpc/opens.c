/* A peer that we connect to, whose protocol has opening steps: what waits
 * leaves after them, and a step that fails ends the connection. */
#include "rpc/peer.h"

#include "support/link.h"

#include <stdio.h>

static test_connect_t options_of(script_t *s, const char *protocol,
                                 const char *vars) {
  test_connect_t options = script_options(s);
  options.peer.protocol = uvow_protocol_by_name(protocol);
  options.peer.vars = vars;
  return options;
}

static void prepare(script_t *s, const char *protocol, const char *vars) {
  script_init(s);
  script_drive_clock(s);
  test_connect_t options = options_of(s, protocol, vars);
  assert_int_equal(script_client(s, &options), 0);
  script_connected(s);
  script_turns(s);
  script_accept(s);
}

TEST_CASE(test_what_waits) {
  script_t s;
  prepare(&s, "graphql_transport_ws", "{\"secret\":{\"token\":\"T\"}}");
  script_expect_sent(&s,
                     "{\"type\":\"connection_init\",\"payload\":{\"token\":"
                     "\"T\"}}");
  assert_int_equal(uvow_peer_state(s.client), UVOW_PEER_OPENING);
  script_mark_t a = script_mark(&s, "a");
  script_watch(script_request(&s, "m", "{\"query\":\"{a}\"}"), &a);
  script_turns(&s);
  script_expect_sent(&s, "");
  script_text(&s, "{\"type\":\"ping\"}");
  script_expect_sent(&s, "{\"type\":\"pong\"}");
  script_text(&s, "{\"type\":\"connection_ack\"}");
  script_turns(&s);
  assert_int_equal(uvow_peer_state(s.client), UVOW_PEER_OPEN);
  script_expect_sent(&s,
                     "{\"id\":\"1\",\"type\":\"subscribe\",\"payload\":{"
                     "\"query\":\"{a}\"}}");
  script_text(&s, "{\"id\":\"1\",\"type\":\"complete\"}");
  script_turns(&s);
  script_expect(&s, "a=");
  script_end(&s);
}

/* What is no text answers no step; and a request that waits is answered by
 * nothing yet, however much of it there is. */
TEST_CASE(test_what_comes_meanwhile) {
  static const char answer[] =
      "{\"jsonrpc\":\"2.0\",\"id\":\"uvow-initialize\",\"result\":{}}";
  static char text[2000];
  script_t s;
  script_init(&s);
  test_connect_t options = options_of(&s, "lsp", "{\"initialize\":{}}");
  options.websocket.max_message_bytes = 1000;
  assert_int_equal(script_client(&s, &options), 0);
  script_connected(&s);
  script_turns(&s);
  script_accept(&s);
  script_mark_t a = script_mark(&s, "a");
  script_call(&s, "m", &a);
  (void)script_next(&s);
  script_frame(&s, 0x82, answer, sizeof(answer) - 1);
  script_turns(&s);
  assert_int_equal(uvow_peer_state(s.client), UVOW_PEER_OPENING);
  script_expect_sent(&s, "");
  s.log[0] = '\0';
  snprintf(text, sizeof(text),
           "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":\"%01500d\"}", 1);
  script_text(&s, text);
  script_turns(&s);
  script_expect(&s, "a!ETOOBIG:NOT");
  script_expect_sent(&s, "close:1009");
  script_end(&s);
}

/* Closed before it is connected, it takes its steps: what waits is asked, and
 * then it closes. */
TEST_CASE(test_closed_before) {
  script_t s;
  script_init(&s);
  test_connect_t options = options_of(&s, "lsp", "{\"initialize\":{}}");
  assert_int_equal(script_client(&s, &options), 0);
  script_mark_t a = script_mark(&s, "a"), z = script_mark(&s, "z");
  script_call(&s, "m", &a);
  script_watch(uvow_peer_close(s.client), &z);
  script_connected(&s);
  script_turns(&s);
  script_accept(&s);
  script_turns(&s);
  assert_int_equal(uvow_peer_state(s.client), UVOW_PEER_CLOSING);
  assert_non_null(strstr(script_next(&s), "uvow-initialize"));
  script_expect_sent(&s, "");
  script_text(&s,
              "{\"jsonrpc\":\"2.0\",\"id\":\"uvow-initialize\",\"result\":{}}");
  script_turns(&s);
  assert_non_null(strstr(script_next(&s), "initialized"));
  script_expect_sent(&s, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\"}");
  link_answer(&s, 1);
  script_turns(&s);
  script_expect(&s, "a=1");
  script_expect_sent(&s, "close:1000");
  script_close_frame(&s, 1000);
  script_hang_up(&s, 0);
  script_turns(&s);
  script_expect(&s, "z=");
  script_end(&s);
}

/* Refused, late, and closed: what waits says why. */
TEST_CASE(test_failures) {
  script_t s;
  prepare(&s, "home_assistant", "{\"token\":\"T\"}");
  script_mark_t a = script_mark(&s, "a");
  script_call(&s, "m", &a);
  script_text(&s, "{\"type\":\"auth_required\"}");
  script_expect_sent(&s, "{\"type\":\"auth\",\"access_token\":\"T\"}");
  script_text(&s, "{\"type\":\"auth_invalid\",\"message\":\"no\"}");
  script_turns(&s);
  script_expect(&s, "a!EREMOTE:NOT");
  assert_true(script_gone(&s));
  script_end(&s);
  prepare(&s, "home_assistant", "{\"token\":\"T\"}");
  a = script_mark(&s, "a");
  script_call(&s, "m", &a);
  script_advance(&s, 10001);
  script_turns(&s);
  script_expect(&s, "a!ETIMEDOUT:NOT");
  script_end(&s);
}

TEST_CASE(test_vars) {
  static const char *const bad[] = {NULL, "{}", "[]", "{\"Token\":1}"};
  static const char lacks[] =
      "options.vars lacks \"token\", which opening step 2 of home_assistant "
      "needs";
  script_t s;
  for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
    script_init(&s);
    test_connect_t options = options_of(&s, "home_assistant", bad[i]);
    assert_int_equal(script_client(&s, &options), UVOW_EINVAL);
    const uvow_peer_options_t *given = &options.peer;
    uvow_peer_options_t own;
    uvow__peer_fault_t fault;
    const char *why = uvow__peer_options_fault(&given, &own, 0, &fault);
    assert_string_equal(why,
                        i == 2 ? "options.vars is not a JSON object" : lacks);
    script_end(&s);
  }
}

TEST_MODULE(opens) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_what_waits),
      cmocka_unit_test(test_failures),
      cmocka_unit_test(test_what_comes_meanwhile),
      cmocka_unit_test(test_closed_before),
      cmocka_unit_test(test_vars),
  };
  return cmocka_run_group_tests_name("rpc/opens", tests, NULL, NULL);
}
