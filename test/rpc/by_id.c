/* Subscriptions that are told by the id of their request: what an item is, by
 * what they are unsubscribed, and what comes for one that is let go of. */
#include "support/subs.h"

static void start(script_t *s, uint32_t max_in_flight) {
  uvow_reconnect_options_t reconnect;
  uvow_protocol_t *protocol = parts_protocol();
  script_init(s);
  script_drive_clock(s);
  test_connect_t options = link_options(s, &reconnect);
  options.peer.protocol = protocol;
  options.peer.on_state = NULL;
  options.peer.no_cancel = 0;
  options.peer.max_in_flight = max_in_flight;
  options.on_event = NULL;
  link_open(s, &options);
  uvow_protocol_unref(protocol);
}

static uvow_subscription_options_t by_id(void) {
  uvow_subscription_options_t options = {.size = sizeof(options)};
  return options;
}

static void expect_first(script_t *s) {
  script_expect_sent(s, "{\"id\":1,\"call\":\"sub\",\"params\":[\"x\"]}");
}

/* Where `item` points to nothing, it has no value; what is no JSON has none. */
TEST_CASE(an_item_is_part_of_a_part) {
  script_t s;
  start(&s, 0);
  script_mark_t a = script_mark(&s, "a");
  uvow_subscription_options_t options = by_id();
  options.item = "/b";
  parts_read(subs_with(&s, &options), &a);
  expect_first(&s);
  script_text(&s, "{\"id\":1,\"part\":{\"b\":{\"c\":[1, 2]}}}");
  script_text(&s, "{\"id\":1,\"part\":{\"a\":3}}");
  script_text(&s, "{\"id\":1,\"part\":{\"b\":nul}}");
  script_text(&s, "{\"id\":1,\"part\":{\"b\":4}}");
  script_expect(&s, "a:{\"c\":[1, 2]} a: a: a:4");
  subs_end(&s);
}

typedef struct leaving {
  const char *answer;
  const char *answer_key;
  const char *params; /* of what unsubscribes it */
} leaving_t;

/* By its id, or by what the answer has at answer_key: if it has nothing there,
 * by its id again. */
TEST_CASE(it_is_unsubscribed_by_id_or_key) {
  static const leaving_t all[] = {
      {"{\"k\":\"K\"}", NULL, "[1]"},
      {"{\"k\":\"K\"}", "/k", "[\"K\"]"},
      {"{\"k\":\"\\u004B\"}", "/k", "[\"K\"]"},
      {"{\"k\":7}", "/k", "[7]"},
      {"{\"k\":null}", "/k", "[1]"},
      {"{\"l\":1}", "/k", "[1]"},
  };
  for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
    script_t s;
    char text[100];
    start(&s, 0);
    uvow_subscription_options_t options = by_id();
    options.answer_key = all[i].answer_key;
    options.unsubscribe = "unsub";
    uvow_stream_t *stream = subs_with(&s, &options);
    expect_first(&s);
    snprintf(text, sizeof(text), "{\"id\":1,\"ok\":%s}", all[i].answer);
    script_text(&s, text);
    uvow_stream_unref(stream);
    script_turns(&s);
    snprintf(text, sizeof(text), "{\"id\":2,\"call\":\"unsub\",\"params\":%s}",
             all[i].params);
    script_expect_sent(&s, text);
    subs_end(&s);
  }
}

/* What comes until that is answered is nobody's item, and no stray. */
TEST_CASE(what_comes_while_it_leaves_is_dropped) {
  script_t s;
  start(&s, 0);
  uvow_subscription_options_t options = by_id();
  options.unsubscribe = "unsub";
  uvow_stream_t *stream = subs_with(&s, &options);
  script_text(&s, "{\"id\":1,\"ok\":1}");
  uvow_stream_unref(stream);
  script_turns(&s);
  script_text(&s, "{\"id\":1,\"part\":1}");
  script_expect(&s, "");
  script_text(&s, "{\"id\":2,\"ok\":1}");
  script_text(&s, "{\"id\":1,\"part\":2}");
  script_turns(&s);
  assert_int_equal(script_stats(&s).unknown, 0);
  subs_end(&s);
}

/* One that waits behind another request was never subscribed: nothing of it is
 * sent. One that was sent waits for its answer, to be unsubscribed. */
TEST_CASE(let_go_of_before_it_is_sent) {
  for (int is_sent = 0; is_sent < 2; is_sent++) {
    script_t s;
    start(&s, is_sent ? 2 : 1);
    script_mark_t c = script_mark(&s, "c");
    uvow_subscription_options_t options = by_id();
    options.unsubscribe = "unsub";
    script_call(&s, "first", &c);
    uvow_stream_t *stream = subs_with(&s, &options);
    uvow_stream_unref(stream);
    script_turns(&s);
    script_expect_sent(&s, "{\"id\":1,\"call\":\"first\"}");
    if (is_sent) {
      script_expect_sent(&s, "{\"id\":2,\"call\":\"sub\",\"params\":[\"x\"]}");
      script_text(&s, "{\"id\":2,\"ok\":1}");
    }
    script_text(&s, "{\"id\":1,\"ok\":1}");
    script_turns(&s);
    script_expect(&s, "c=1");
    script_expect_sent(
        &s, is_sent ? "{\"id\":3,\"call\":\"unsub\",\"params\":[2]}" : "");
    script_expect_sent(&s, "");
    subs_end(&s);
  }
}

/* One of an event's is told by events: a partial answer to its request is none
 * of its items, and its end is that request's only. */
TEST_CASE(of_an_event_no_part_is_an_item) {
  script_t s;
  start(&s, 0);
  script_mark_t a = script_mark(&s, "a");
  uvow_subscription_options_t options = by_id();
  options.event = "ev";
  parts_read(subs_with(&s, &options), &a);
  expect_first(&s);
  script_text(&s, "{\"id\":1,\"part\":1}");
  script_text(&s, "{\"event\":\"ev\",\"params\":2}"); /* before the answer */
  script_expect(&s, "");
  script_text(&s, "{\"id\":1,\"end\":true}");
  script_text(&s, "{\"event\":\"ev\",\"params\":3}");
  script_turns(&s);
  script_expect(&s, "a:2 a:3");
  subs_end(&s);
}

/* Where subscribing has words of its own, those are said. */
TEST_CASE(in_words_of_its_own) {
  static const char text[] =
      "{\"name\":\"own\",\"call\":{\"id\":\"$id\",\"call\":\"$method\"},"
      "\"subscribe\":{\"id\":\"$id\",\"follow\":\"$method\"},\"rules\":["
      "{\"when\":{\"/part\":true},\"is\":\"partial\",\"id\":\"/id\","
      "\"value\":\"/part\"},{\"is\":\"ok\",\"id\":\"/id\"}]}";
  script_t s;
  uvow_protocol_t *protocol = uvow_protocol_parse(text, strlen(text), NULL);
  assert_non_null(protocol);
  script_init(&s);
  test_connect_t options = script_options(&s);
  options.peer.protocol = protocol;
  options.on_event = NULL;
  script_open_client(&s, &options);
  uvow_protocol_unref(protocol);
  script_mark_t a = script_mark(&s, "a");
  parts_read(uvow_peer_subscribe(s.client, "x", uvow_value_none(), NULL), &a);
  script_call(&s, "y", &a);
  script_turns(&s);
  script_expect_sent(&s, "{\"id\":1,\"follow\":\"x\"}");
  script_expect_sent(&s, "{\"id\":2,\"call\":\"y\"}");
  script_text(&s, "{\"id\":1,\"part\":5}");
  script_turns(&s);
  script_expect(&s, "a:5");
  uvow_peer_end(s.client);
  script_turns(&s);
  s.log[0] = '\0';
  script_end(&s);
}

/* Refused, and let go of before that was seen: there is nothing to unsubscribe. */
TEST_CASE(refused_and_let_go_at_once) {
  script_t s;
  start(&s, 0);
  uvow_subscription_options_t options = by_id();
  options.unsubscribe = "unsub";
  uvow_stream_t *stream = subs_with(&s, &options);
  expect_first(&s);
  uvow__runtime_enter(&s.loop->rt);
  uvow_stream_unref(stream);
  script_text(&s, "{\"id\":1,\"error\":{\"code\":1,\"message\":\"no\"}}");
  uvow__runtime_leave(&s.loop->rt);
  script_turns(&s);
  script_expect_sent(&s, "");
  assert_true(uvow__list_empty(&s.client->session.subscriptions.all));
  subs_end(&s);
}

/* Its request ran out of time, and the connection ends in the same turn: that is
 * why it ended, and it isn't asked for again. */
TEST_CASE(late_and_lost_at_once) {
  script_t s;
  start(&s, 0);
  script_mark_t a = script_mark(&s, "a");
  uvow_subscription_options_t options = by_id();
  options.event = "ev";
  parts_read(subs_with(&s, &options), &a);
  expect_first(&s);
  uvow__runtime_enter(&s.loop->rt);
  script_advance(&s, 600000);
  script_hang_up(&s, UV_ECONNRESET);
  uvow__runtime_leave(&s.loop->rt);
  script_turns(&s);
  script_expect(&s, "a!ETIMEDOUT:MAYBE");
  link_again(&s);
  script_expect_sent(&s, "");
  subs_end(&s);
}

/* Closing ends what is on; one that leaves already, and one that waits for its
 * connection, end with the peer. */
TEST_CASE(a_close_ends_each) {
  script_t s;
  start(&s, 0);
  script_mark_t a = script_mark(&s, "a"), b = script_mark(&s, "b");
  script_mark_t z = script_mark(&s, "z");
  uvow_subscription_options_t options = by_id();
  parts_read(subs_with(&s, NULL), &a);
  parts_read(subs_with(&s, NULL), &b);
  options.unsubscribe = "unsub";
  uvow_stream_t *stream = subs_with(&s, &options);
  script_text(&s, "{\"id\":3,\"ok\":1}");
  uvow_stream_unref(stream);
  script_turns(&s); /* its unsub is under way */
  script_text(&s, "{\"id\":2,\"ok\":1}");
  script_watch(uvow_peer_close(s.client), &z);
  script_turns(&s);
  script_expect(&s, "a=");
  script_text(&s, "{\"id\":4,\"ok\":1}");
  script_turns(&s);
  script_close_frame(&s, 1000);
  script_hang_up(&s, 0);
  script_turns(&s);
  script_expect(&s, "z= b=");
  script_end(&s);
}

TEST_MODULE(by_id) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_item_is_part_of_a_part),
      cmocka_unit_test(it_is_unsubscribed_by_id_or_key),
      cmocka_unit_test(what_comes_while_it_leaves_is_dropped),
      cmocka_unit_test(let_go_of_before_it_is_sent),
      cmocka_unit_test(of_an_event_no_part_is_an_item),
      cmocka_unit_test(in_words_of_its_own),
      cmocka_unit_test(refused_and_let_go_at_once),
      cmocka_unit_test(late_and_lost_at_once),
      cmocka_unit_test(a_close_ends_each),
  };
  return cmocka_run_group_tests_name("rpc/by_id", tests, NULL, NULL);
}
