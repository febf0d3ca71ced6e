/* What the room's functions say to NULL, to a loop that is closed, and to what
 * is another's: an error or nothing, and whatever they take is given back. */
#include "rpc/peer.h"

#include "support/script.h"

#include <stdio.h>

#include <uvow/channel.h>
#include <uvow/group.h>
#include <uvow/server.h>
#include <uvow/stream.h>
#include <uvow/subscription.h>

static uvow_peer_options_t plain_options(void) {
  uvow_peer_options_t options = {.size = sizeof(options)};
  options.protocol = uvow_protocol_by_name("jsonrpc2");
  return options;
}

static void count_cb(void *data) {
  ++*(int *)data;
}

TEST_CASE(no_call) {
  assert_null(uvow_call_method(NULL));
  assert_null(uvow_call_traceparent(NULL));
  assert_null(uvow_call_session(NULL));
  assert_null(uvow_call_loop(NULL));
  assert_null(uvow_call_peer(NULL));
  assert_int_equal(uvow_call_wants_answer(NULL), 0);
}

TEST_CASE(no_peer) {
  uvow_peer_options_t options = plain_options();
  uvow_peer_stats_t stats = {.size = sizeof(stats)};
  uvow_peer_t *a = NULL;
  uvow_peer_t *b = NULL;
  script_t s;
  script_init(&s);
  assert_int_equal(uvow_peer_pair(NULL, &options, &options, &a, &b),
                   UVOW_EINVAL);
  assert_int_equal(uvow_peer_pair(s.loop, NULL, &options, &a, &b), UVOW_EINVAL);
  assert_int_equal(uvow_peer_pair(s.loop, &options, NULL, &a, &b), UVOW_EINVAL);
  assert_int_equal(uvow_peer_pair(s.loop, &options, &options, NULL, &b),
                   UVOW_EINVAL);
  assert_int_equal(uvow_peer_pair(s.loop, &options, &options, &a, NULL),
                   UVOW_EINVAL);
  assert_null(a);
  assert_null(b);
  assert_int_equal(uvow_peer_get_stats(NULL, &stats), UVOW_EINVAL);
  assert_int_equal(uvow_peer_set_target(NULL, "ws://h/", NULL, 0), UVOW_EINVAL);
  assert_int_equal(uvow_peer_state(NULL), UVOW_PEER_CLOSED);
  assert_null(uvow_peer_connect(NULL, "ws://h/", &options));
  assert_null(uvow_peer_request(NULL, "m", uvow_value_raw("[1]")));
  assert_null(uvow_peer_requestf(NULL, "m", NULL));
  assert_null(uvow_subscription_ready(NULL));
  uvow_peer_hold_loop(NULL, 0);
  script_end(&s);
}

/* What isn't there of a peer that is: a method, a place for what it says, a
 * connection of its own. */
TEST_CASE(of_a_peer) {
  uvow_peer_options_t options = plain_options();
  uvow_peer_t *other;
  script_t s;
  script_init(&s);
  assert_int_equal(
      uvow_peer_pair(s.loop, &options, &options, &s.client, &other), 0);
  assert_int_equal(uvow_peer_get_stats(s.client, NULL), UVOW_EINVAL);
  assert_int_equal(uvow_peer_set_target(s.client, "ws://h/", NULL, 0),
                   UVOW_EINVAL);
  script_mark_t a = script_mark(&s, "a");
  script_watch(uvow_peer_request(s.client, NULL, uvow_value_none()), &a);
  script_watch(uvow_stream_each(
                   uvow_peer_subscribe(s.client, NULL, uvow_value_none(), NULL),
                   NULL, NULL),
               &a);
  script_watch(uvow_peer_request(s.client, "m", uvow_value_bytes(NULL, "1", 1)),
               &a);
  script_watch(
      uvow_peer_request(s.client, "m", uvow_value_bytes(s.loop, NULL, 1)), &a);
  script_turns(&s);
  script_expect(&s, "a!EINVAL:NOT a!EINVAL a!EINVAL:NOT a!EINVAL:NOT");
  uvow_request_options_t late = {.size = sizeof(late), .deadline_at_ms = 1};
  script_watch(uvow_peer_request_with(s.client, NULL, uvow_value_none(), &late),
               &a);
  script_watch(uvow_peer_request_with(s.client, "m", uvow_value_none(), &late),
               &a);
  script_turns(&s);
  script_expect(&s, "a!EINVAL:NOT a!ETIMEDOUT:NOT");
  uvow_peer_end(s.client);
  script_watch(uvow_peer_request_with(s.client, "m", uvow_value_none(), &late),
               &a);
  script_turns(&s);
  script_expect(&s, "a!ECLOSED:NOT");
  uvow_peer_unref(other);
  uvow_peer_unref(s.client);
  s.client = NULL;
  script_end(&s);
}

#define ENDED "{\"method\":\"Target.detachedFromTarget\""

/* What a peer within says of its connection is the whole's; once it is over,
 * nothing. The end of no session, or of another one, isn't its own. */
TEST_CASE(of_a_peer_within) {
  uvow_peer_stats_t stats = {.size = sizeof(stats)};
  script_t s;
  script_init(&s);
  test_connect_t options = script_options(&s);
  options.peer.protocol = uvow_protocol_by_name("cdp");
  script_open_client(&s, &options);
  uvow_peer_t *a = uvow_peer_within(s.client, "{s:s}", "sessionId", "a");
  script_mark_t m = script_mark(&s, "m");
  script_watch(uvow_peer_ready(a), &m);
  script_watch(uvow_peer_room(a), &m);
  script_turns(&s);
  script_expect(&s, "m= m=");
  script_text(&s, ENDED "}");
  script_text(&s, ENDED ",\"params\":{}}");
  script_text(&s, ENDED ",\"params\":[]}");
  script_text(&s, ENDED ",\"params\":{\"sessionId\":\"b\"}}");
  script_turns(&s);
  s.log[0] = '\0';
  assert_int_equal(uvow_peer_state(a), UVOW_PEER_OPEN);
  assert_int_equal(uvow_peer_get_stats(a, &stats), 0);
  assert_int_equal(stats.connected, 1);
  assert_null(uvow_peer_var(a, "v").bytes);
  uvow_peer_end(a);
  assert_int_equal(uvow_peer_get_stats(a, &stats), 0);
  assert_int_equal(stats.connected, 0);
  assert_null(uvow_peer_var(a, "v").bytes);
  uvow_peer_unref(a);
  script_end(&s);
}

static void on_rejected(const uvow_result_t *result, void *data) {
  assert_int_equal(uvow_error_code(result->error), *(int *)data);
}

/* What a peer has no more, or never had: no variables, nothing within. */
TEST_CASE(of_a_part) {
  uvow_peer_options_t options = plain_options();
  uvow_peer_stats_t stats = {.size = sizeof(stats)};
  int invalid = UVOW_EINVAL;
  uvow_peer_t *other;
  script_t s;
  script_init(&s);
  options.protocol = uvow_protocol_by_name("cdp");
  assert_int_equal(
      uvow_peer_pair(s.loop, &options, &options, &s.client, &other), 0);
  uvow_peer_t *part = uvow_peer_within(s.client, "s", "a");
  assert_null(part);
  part = uvow_peer_within(s.client, "{s:s}", "sessionId", "a");
  assert_null(uvow_peer_var(NULL, "v").bytes);
  assert_null(uvow_peer_var(part, NULL).bytes);
  assert_null(uvow_peer_var(part, "v").bytes);
  uvow_request_options_t of_request = {.size = sizeof(of_request)};
  assert_int_equal(
      uvow_future_done(
          uvow_peer_request_with(part, NULL, uvow_value_none(), &of_request),
          on_rejected, &invalid),
      0);
  uvow_stream_t *events = uvow_peer_events(part, "e");
  assert_int_equal(
      uvow_future_done(uvow_subscription_ready(events), on_rejected, &invalid),
      0);
  uvow_stream_unref(events);
  uvow_peer_end(part);
  assert_null(uvow_peer_var(part, "v").bytes);
  stats.requests = 9;
  assert_int_equal(uvow_peer_get_stats(part, &stats), 0);
  assert_int_equal(stats.requests, 0);
  script_turns(&s);
  uvow_peer_unref(part);
  uvow_peer_unref(other);
  uvow_peer_unref(s.client);
  s.client = NULL;
  script_end(&s);
}

/* Options that can't be read, one within the other. */
TEST_CASE(no_reconnect) {
  script_t s;
  uvow_reconnect_options_t reconnect = {.size = 1};
  script_init(&s);
  test_connect_t options = script_options(&s);
  options.peer.reconnect = &reconnect;
  assert_int_equal(script_client(&s, &options), UVOW_EINVAL);
  assert_int_equal(s.connects, 0);
  script_end(&s);
}

/* Neither end of a pair keeps a loop alive, whatever is asked of it. */
TEST_CASE(no_hold) {
  uvow_peer_options_t options = plain_options();
  uvow_peer_t *other;
  script_t s;
  script_init(&s);
  assert_int_equal(
      uvow_peer_pair(s.loop, &options, &options, &s.client, &other), 0);
  script_turns(&s);
  int alive = uv_loop_alive(&s.uv);
  uvow_peer_hold_loop(s.client, 1);
  assert_int_equal(uv_loop_alive(&s.uv), alive);
  uvow_peer_hold_loop(s.client, 0);
  assert_int_equal(uv_loop_alive(&s.uv), alive);
  uvow_peer_end(s.client);
  uvow_peer_hold_loop(s.client, 1);
  script_turns(&s);
  uvow_peer_unref(other);
  uvow_peer_unref(s.client);
  s.client = NULL;
  script_end(&s);
}

TEST_CASE(no_result) {
  uvow_result_t failed = {0};
  script_t s;
  script_init(&s);
  failed.error = uvow_error_new(s.loop, UVOW_EPROTO, NULL);
  assert_int_equal(uvow_result_is_binary(NULL), 0);
  assert_int_equal(uvow_result_is_binary(&failed), 0);
  assert_null(uvow_result_json(NULL));
  assert_null(uvow_result_json(&failed));
  assert_null(uvow_result_event(NULL));
  assert_null(uvow_result_event(&failed));
  uvow_error_unref((uvow_error_t *)(uintptr_t)failed.error);
  script_end(&s);
}

/* A channel without both its ends, and one of another loop. */
TEST_CASE(no_channel) {
  uvow_peer_options_t options = plain_options();
  script_t s;
  script_t elsewhere;
  script_init(&s);
  script_init(&elsewhere);
  for (int which = 0; which < 3; which++) {
    uvow_loop_t *loop = which == 2 ? elsewhere.loop : s.loop;
    uvow_channel_t channel = {NULL, NULL};
    uvow_sink_t *theirs = NULL;
    uvow_stream_t *ours = NULL;
    if (which != 0)
      channel.in = uvow_stream_new(loop, NULL, &theirs);
    if (which != 1)
      ours = uvow_stream_new(loop, NULL, &channel.out);
    uvow_peer_t *peer = uvow_peer_new(s.loop, channel, &options);
    assert_int_equal(peer != NULL, which == 2);
    assert_int_equal(uvow_peer_state(peer), UVOW_PEER_CLOSED);
    uvow_peer_unref(peer);
    uvow_stream_unref(ours);
    uvow_sink_drop(theirs);
    script_turns(&s);
    script_turns(&elsewhere);
  }
  script_end(&elsewhere);
  script_end(&s);
}

/* A client that serves nothing, and has no room to say so, goes on. */
TEST_CASE(no_methods) {
  script_t s;
  script_init(&s);
  test_connect_t options = script_options(&s);
  options.websocket.max_unsent_bytes = 500;
  options.on_event = NULL;
  script_open_client(&s, &options);
  char text[450];
  snprintf(text, sizeof(text), "[\"%0430d\"]", 1);
  s.block = 1;
  assert_int_equal(uvow_peer_notify(s.client, "n", uvow_value_raw(text)), 0);
  script_turns(&s);
  script_text(&s, "{\"jsonrpc\":\"2.0\",\"id\":\"q\",\"method\":\"m\"}");
  script_turns(&s);
  assert_int_equal(uvow_peer_state(s.client), UVOW_PEER_OPEN);
  s.block = 0;
  script_unblock(&s);
  script_text(&s, "{\"jsonrpc\":\"2.0\",\"id\":\"r\",\"method\":\"m\"}");
  script_turns(&s);
  assert_non_null(strstr(script_next(&s), "\"n\""));
  assert_non_null(strstr(script_next(&s), "\"id\":\"r\""));
  script_end(&s);
}

TEST_CASE(no_group) {
  uvow_peer_options_t options = plain_options();
  uvow_peer_t *other;
  script_t s;
  script_t elsewhere;
  script_init(&s);
  script_init(&elsewhere);
  assert_int_equal(
      uvow_peer_pair(s.loop, &options, &options, &s.client, &other), 0);
  uvow_group_t *group = uvow_group_new(s.loop);
  uvow_group_t *theirs = uvow_group_new(elsewhere.loop);
  assert_null(uvow_group_new(NULL));
  assert_int_equal(uvow_group_add(NULL, NULL), UVOW_EINVAL);
  assert_int_equal(uvow_group_add(NULL, s.client), UVOW_EINVAL);
  assert_int_equal(uvow_group_add(group, NULL), UVOW_EINVAL);
  assert_int_equal(uvow_group_add(theirs, s.client), UVOW_EINVAL);
  assert_int_equal(uvow_group_remove(NULL, NULL), UVOW_EINVAL);
  assert_int_equal(uvow_group_remove(NULL, s.client), UVOW_EINVAL);
  assert_int_equal(uvow_group_remove(group, NULL), UVOW_EINVAL);
  assert_int_equal(uvow_group_remove(group, s.client), UVOW_EINVAL);
  uvow_group_free(group);
  uvow_group_free(theirs);
  uvow_peer_unref(other);
  uvow_peer_unref(s.client);
  s.client = NULL;
  script_end(&elsewhere);
  script_end(&s);
}

/* Nothing is made of it, and what it was given is given back. */
TEST_CASE(a_closed_loop) {
  uvow_peer_options_t options = plain_options();
  uvow_listener_options_t listening = {.size = sizeof(listening),
                                       .host = "127.0.0.1"};
  uvow_codec_t codec = {.size = sizeof(codec)};
  uvow_channel_t none = {NULL, NULL};
  uvow_peer_t *a;
  uvow_peer_t *b;
  int destroyed = 0;
  script_t s;
  script_init(&s);
  uvow_group_t *group = uvow_group_new(s.loop); /* it holds the loop */
  uvow_listener_t *listener = uvow_listener_new(s.loop, &listening);
  uvow_loop_close(s.loop, NULL, NULL);
  assert_int_equal(uvow_peer_pair(s.loop, &options, &options, &a, &b),
                   UVOW_ECLOSED);
  assert_null(uvow_peer_connect(s.loop, "ws://h/", &options));
  assert_null(uvow_peer_new(s.loop, none, &options));
  assert_null(uvow_group_new(s.loop));
  assert_null(uvow_server_new(listener, &options));
  codec.destroy = count_cb;
  codec.data = &destroyed;
  assert_null(uvow_protocol_new(s.loop, &codec));
  assert_int_equal(destroyed, 1);
  uvow_group_free(group);
  s.loop = NULL;
  script_end(&s);
}

TEST_MODULE(nothing) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(no_call),          cmocka_unit_test(no_channel),
      cmocka_unit_test(no_methods),       cmocka_unit_test(no_peer),
      cmocka_unit_test(of_a_peer),        cmocka_unit_test(of_a_part),
      cmocka_unit_test(no_reconnect),     cmocka_unit_test(no_hold),
      cmocka_unit_test(no_result),        cmocka_unit_test(no_group),
      cmocka_unit_test(of_a_peer_within), cmocka_unit_test(a_closed_loop),
  };
  return cmocka_run_group_tests_name("rpc/nothing", tests, NULL, NULL);
}
