/* Peers that we connect to: what can't work, strays, faults, groups. */
#include "rpc/peer.h"

#include "support/link.h"

#include <stdio.h>

#define ERROR_OF_NONE                                                          \
  "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32600,"               \
  "\"message\":\"m\"}}"

/* A peer is made all the same, and all that is asked of it says why. */
TEST_CASE(options_that_cannot_work_make_a_closed_peer) {
  script_t s;
  uvow_peer_options_t none = {.size = sizeof(none)};
  script_init(&s);
  script_mark_t a = script_mark(&s, "a");
  script_mark_t b = script_mark(&s, "b");
  for (int i = 0; i < 2; i++) {
    uvow_peer_t *peer = uvow_peer_connect(s.loop, "ws://h/", i ? &none : NULL);
    assert_int_equal(uvow_peer_state(peer), UVOW_PEER_CLOSED);
    assert_non_null(strstr(uvow_error_message(peer->life.why), "options"));
    script_watch(uvow_peer_ready(peer), &a);
    script_watch(uvow_peer_request(peer, "m", uvow_value_none()), &b);
    assert_int_equal(uvow_peer_notify(peer, "m", uvow_value_none()),
                     UVOW_ELOST);
    script_turns(&s);
    script_expect(&s, "a!EINVAL b!EINVAL:NOT");
    uvow_future_detach(uvow_peer_close(peer));
    uvow_peer_end(peer);
    uvow_peer_unref(peer);
  }
  script_end(&s);
}

/* With one request in flight and nothing else, it is about that one (Q4). */
TEST_CASE(an_error_without_id_rejects_the_only_request) {
  script_t s;
  script_init(&s);
  script_open_client(&s, NULL);
  script_mark_t a = script_mark(&s, "a");
  script_call(&s, "m", &a);
  script_turns(&s);
  script_text(&s, ERROR_OF_NONE);
  script_turns(&s);
  script_expect(&s, "a!EREMOTE:MAYBE");
  assert_int_equal(script_stats(&s).malformed, 0);
  script_end(&s);
}

/* Two requests, a notification, one that was given up: any may be meant. An
 * answer shows that what was sent before its request was read. */
TEST_CASE(an_error_without_id_may_mean_another) {
  for (int other = 0; other < 3; other++) {
    script_t s;
    script_init(&s);
    script_open_client(&s, NULL);
    script_mark_t a = script_mark(&s, "a");
    script_mark_t b = script_mark(&s, NULL);
    uvow_future_t *f = NULL;
    if (other == 0)
      script_call(&s, "other", &b);
    else if (other == 1)
      assert_int_equal(uvow_peer_notify(s.client, "n", uvow_value_none()), 0);
    else
      f = script_request(&s, "other", NULL);
    script_turns(&s);
    if (f)
      uvow_future_drop(f);
    script_call(&s, "m", &a);
    script_turns(&s);
    script_text(&s, ERROR_OF_NONE);
    script_turns(&s);
    script_expect(&s, "fault:" ERROR_OF_NONE);
    assert_int_equal(script_stats(&s).malformed, 1);
    uint64_t id = s.client->dispatcher.next_id - 1;
    char text[80];
    snprintf(text, sizeof(text), "{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":1}",
             (int)id);
    script_text(&s, text);
    script_turns(&s);
    script_expect(&s, "a=1");
    if (other) { /* it was read: now the next one is the only one */
      script_call(&s, "m", &a);
      script_turns(&s);
      script_text(&s, ERROR_OF_NONE);
      script_turns(&s);
      script_expect(&s, "a!EREMOTE:MAYBE");
    }
    script_end(&s);
  }
}

/* It says why, where nothing else does. */
TEST_CASE(such_an_error_is_the_cause_of_a_timeout) {
  script_t s;
  uvow_request_options_t soon = {.size = sizeof(soon), .timeout_ms = 10};
  uvow_result_t result;
  script_init(&s);
  script_drive_clock(&s);
  script_open_client(&s, NULL);
  script_mark_t b = script_mark(&s, NULL);
  uvow_future_t *f =
      uvow_peer_request_with(s.client, "m", uvow_value_none(), &soon);
  script_watch(uvow_future_ref(f), &b);
  script_call(&s, "other", &b);
  script_turns(&s);
  script_text(&s, ERROR_OF_NONE);
  script_advance(&s, 11);
  assert_int_equal(uvow_future_peek(f, &result), 0);
  assert_int_equal(uvow_error_code(result.error), UVOW_ETIMEDOUT);
  assert_int_equal(uvow_error_peer_code(uvow_error_cause(result.error)),
                   -32600);
  uvow_future_unref(f);
  s.log[0] = '\0';
  script_end(&s);
}

static int read_stray(uvow_peer_t *peer, uvow_stray_t stray,
                      uvow_slice_t message, const uvow_error_t *error,
                      void *data) {
  (void)peer;
  (void)message;
  (void)error;
  script_log((script_t *)data, "stray", "");
  return stray == UVOW_STRAY_MALFORMED;
}

TEST_CASE(a_stray_that_is_read_is_not_counted) {
  script_t s;
  script_init(&s);
  test_connect_t options = script_options(&s);
  options.peer.on_stray = read_stray;
  script_open_client(&s, &options);
  script_text(&s, "!");
  script_text(&s, "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":1}");
  script_turns(&s);
  script_expect(&s, "stray stray");
  assert_int_equal(script_stats(&s).malformed, 0);
  assert_int_equal(script_stats(&s).unknown, 1);
  script_end(&s);
}

/* Before it is open, what a group is told waits its turn. */
TEST_CASE(groups_take_connected_peers) {
  script_t s;
  script_init(&s);
  assert_int_equal(script_client(&s, NULL), 0);
  uvow_group_t *group = uvow_group_new(s.loop);
  assert_int_equal(uvow_group_add(group, s.client), 0);
  assert_int_equal(uvow_group_notify(group, "n", uvow_value_raw("[1]")), 0);
  script_connected(&s);
  script_accept(&s);
  script_turns(&s);
  script_expect_sent(&s,
                     "{\"jsonrpc\":\"2.0\",\"method\":\"n\",\"params\":[1]}");
  uvow_peer_end(s.client);
  assert_int_equal(uvow_group_walk(group, NULL, NULL), 0);
  assert_int_equal(uvow_group_add(group, s.client), UVOW_ECLOSED);
  uvow_group_free(group);
  script_end(&s);
}

/* What came before the connection was lost is told. */
TEST_CASE(events_outlive_their_connection) {
  script_t s;
  script_init(&s);
  script_open_client(&s, NULL);
  uvow__runtime_enter(&s.loop->rt);
  script_text(&s, "{\"jsonrpc\":\"2.0\",\"method\":\"e\"}");
  script_hang_up(&s, 0);
  script_expect(&s, "");
  uvow__runtime_leave(&s.loop->rt);
  script_expect(&s, "event:e()");
  script_end(&s);
}

/* In one place, whatever is wrong with it. */
static void use_url(const char *text, int reconnects) {
  uvow_reconnect_options_t reconnect;
  uvow__url_t url = {0};
  uvow_result_t result;
  script_t s;
  script_init(&s);
  test_connect_t options = link_options(&s, &reconnect);
  options.peer.on_state = NULL;
  options.url = text;
  if (!reconnects)
    options.peer.reconnect = NULL;
  assert_int_equal(script_client(&s, &options), 0);
  script_turns(&s);
  if (s.connects) { /* one that both take */
    assert_int_equal(
        uvow__url_parse(uvow__loop_mem(s.loop), text, strlen(text), &url), 0);
    uvow__url_done(&url);
    script_end(&s);
    return;
  }
  assert_int_equal(uvow_peer_state(s.client), UVOW_PEER_CLOSED);
  uvow_future_t *f = uvow_peer_ready(s.client);
  assert_int_equal(uvow_future_peek(f, &result), 0);
  int code = uvow_error_code(result.error);
  assert_true(code == UVOW_EURL || code == UVOW_ESCHEME);
  assert_int_equal(uvow_peer_set_target(s.client, text, NULL, 0), code);
  uvow_future_unref(f);
  script_turns(&s);
  s.unhandled[0] = '\0';
  script_end(&s);
}

TEST_CASE(a_url_that_cannot_be_used_rejects) {
  static const char *const urls[] = {
      "ws://a,b/",      "ws://u%3Av:pw@127.0.0.1:1/",
      "ws://exa mple/", "ftp://x/",
      "ws://h/%",       "",
      "ws://u%09@h/",   "ws://u:p%09w@h/",
      "ws://h:99999/",  "ws://h/#f",
  };
  for (size_t i = 0; i < sizeof(urls) / sizeof(*urls); i++) {
    use_url(urls[i], 0);
    use_url(urls[i], 1);
  }
}

TEST_CASE(states_have_names) {
  assert_string_equal(uvow_peer_state_name(UVOW_PEER_CONNECTING), "connecting");
  assert_string_equal(uvow_peer_state_name(UVOW_PEER_CLOSED), "closed");
  assert_string_equal(uvow_peer_state_name((uvow_peer_state_t)0), "unknown");
  assert_string_equal(uvow_peer_state_name((uvow_peer_state_t)99), "unknown");
}

TEST_MODULE(peer_connect) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(options_that_cannot_work_make_a_closed_peer),
      cmocka_unit_test(an_error_without_id_rejects_the_only_request),
      cmocka_unit_test(an_error_without_id_may_mean_another),
      cmocka_unit_test(such_an_error_is_the_cause_of_a_timeout),
      cmocka_unit_test(a_stray_that_is_read_is_not_counted),
      cmocka_unit_test(groups_take_connected_peers),
      cmocka_unit_test(events_outlive_their_connection),
      cmocka_unit_test(a_url_that_cannot_be_used_rejects),
      cmocka_unit_test(states_have_names),
  };
  return cmocka_run_group_tests_name("rpc/peer_connect", tests, NULL, NULL);
}
