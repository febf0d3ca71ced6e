/* Subscriptions that are told by partial answers, and so by their request's id:
 * which key they have, what an item is, and how they end; what comes for one that
 * is let go of. */
#include "rpc/subscription.h"

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

static uvow_subscription_options_t keyed(void) {
  uvow_subscription_options_t options = {.size = sizeof(options)};
  options.answer_key = "/k";
  options.unsubscribe = "unsub";
  return options;
}

/* What unsubscribes says the answer's key; the id, where it has none that can be
 * read. */
TEST_CASE(its_key) {
  static const struct {
    const char *answer;
    const char *key;
  } cases[] = {
      {"{\"k\":\"x\"}", "\"x\""},
      {"{\"k\":\"\\u0078\"}", "\"x\""},
      {"{\"k\":-0}", "0"},
      {"{\"k\":[1]}", "[1]"},
      {"{\"k\":null}", "1"},
      {"{}", "1"},
      {"5", "1"},
      {"{\"k\":x}", "1"},
      {"null", "1"},
  };
  for (size_t i = 0; i < UVOW__COUNT(cases); i++)
    for (int asks = 0; asks < 2; asks++) {
      script_t s;
      char text[128];
      uvow_subscription_options_t options = keyed();
      start(&s, 0);
      if (!asks)
        options.answer_key = NULL;
      uvow_stream_t *stream = subs_with(&s, &options);
      script_next(&s);
      snprintf(text, sizeof(text), "{\"id\":1,\"ok\":%s}", cases[i].answer);
      script_text(&s, text);
      uvow_stream_unref(stream);
      script_turns(&s);
      snprintf(text, sizeof(text),
               "{\"id\":2,\"call\":\"unsub\",\"params\":[%s]}",
               asks ? cases[i].key : "1");
      script_expect_sent(&s, text);
      subs_end(&s);
    }
}

/* What a place in an event finds; nothing, where there's nothing, or no JSON. */
TEST_CASE(its_items) {
  static const struct {
    const char *part;
    const char *item;
  } cases[] = {
      {"{\"v\":1}", "a:1"}, {"{\"v\":{\"v\":2}}", "a:{\"v\":2}"},
      {"{}", "a:"},         {"3", "a:"},
      {"{\"v\":x}", "a:"},
  };
  script_t s;
  uvow_subscription_options_t options = keyed();
  start(&s, 0);
  options.item = "/v";
  script_mark_t a = script_mark(&s, "a");
  parts_read(subs_with(&s, &options), &a);
  for (size_t i = 0; i < UVOW__COUNT(cases); i++) {
    char text[128];
    snprintf(text, sizeof(text), "{\"id\":1,\"part\":%s}", cases[i].part);
    script_text(&s, text);
    script_expect(&s, cases[i].item);
  }
  script_text(&s, "{\"id\":1,\"end\":true}");
  script_expect(&s, "a=");
  subs_end(&s);
}

/* It is let go of: what still comes of it is nobody's stray, up to its end. */
TEST_CASE(let_go) {
  script_t s;
  uvow_subscription_options_t options = keyed();
  start(&s, 0);
  uvow_stream_t *stream = subs_with(&s, &options);
  script_next(&s);
  uvow_stream_unref(stream); /* its answer is waited for */
  script_turns(&s);
  script_expect_sent(&s, "");
  script_text(&s, "{\"id\":1,\"part\":1}");
  script_text(&s, "{\"id\":1,\"ok\":{\"k\":7}}");
  script_expect_sent(&s, "{\"id\":2,\"call\":\"unsub\",\"params\":[7]}");
  script_text(&s, "{\"id\":1,\"part\":2}");
  script_expect(&s, "");
  script_text(&s, "{\"id\":2,\"ok\":true}");
  assert_true(uvow__list_empty(&s.client->session.subscriptions.all));
  subs_end(&s);
}

/* Its request is refused in the same read that lets go of it: nothing is there
 * to unsubscribe. */
TEST_CASE(refused_meanwhile) {
  script_t s;
  uint8_t bytes[256];
  uvow_subscription_options_t options = keyed();
  static const char event[] = "{\"event\":\"e\",\"params\":1}";
  static const char no[] =
      "{\"id\":1,\"error\":{\"code\":1,\"message\":\"m\"}}";
  start(&s, 0);
  uvow_stream_t *stream = subs_with(&s, &options);
  script_mark_t a = script_mark(&s, "a");
  script_next(&s);
  parts_read(uvow_stream_take(uvow_peer_events(s.client, "e"), 1), &a);
  script_turns(&s);
  size_t len = script_put_frame(bytes, 0x81, event, sizeof(event) - 1);
  len += script_put_frame(bytes + len, 0x81, no, sizeof(no) - 1);
  uvow_stream_unref(stream);
  script_feed(&s, bytes, len);
  script_turns(&s);
  script_expect_sent(&s, "");
  assert_true(uvow__list_empty(&s.client->session.subscriptions.all));
  subs_end(&s);
}

/* Partial answers are of those without an event's name only. */
TEST_CASE(of_an_events_name) {
  script_t s;
  uvow_subscription_options_t options = keyed();
  start(&s, 0);
  options.event = "ev";
  options.answer_key = NULL;
  script_mark_t a = script_mark(&s, "a");
  parts_read(subs_with(&s, &options), &a);
  script_text(&s, "{\"id\":1,\"part\":1}");
  script_text(&s, "{\"id\":1,\"end\":true}"); /* that answers it */
  script_text(&s, "{\"event\":\"ev\",\"params\":2}");
  s.log[0] = '\0';
  script_text(&s, "{\"event\":\"ev\",\"params\":3}");
  script_expect(&s, "a:3");
  subs_end(&s);
}

/* The connection is lost at each point of its life. Made again, or over. */
TEST_CASE(lost) {
  for (int at = 0; at < 5; at++) {
    script_t s;
    uvow_subscription_options_t options = keyed();
    start(&s, 0);
    uvow_stream_t *stream = subs_with(&s, &options);
    if (at >= 1)
      script_text(&s, "{\"id\":1,\"part\":1}");
    if (at >= 2)
      script_text(&s, "{\"id\":1,\"ok\":{\"k\":7}}");
    if (at >= 3)
      uvow_stream_unref(stream);
    script_turns(&s);
    if (at == 4)
      script_text(&s, "{\"id\":2,\"ok\":true}");
    s.sent_at = s.sent_len;
    script_hang_up(&s, UV_ECONNRESET);
    link_again(&s);
    script_expect_sent(&s, at >= 3 ? ""
                                   : "{\"id\":2,\"call\":\"sub\",\"params\":["
                                     "\"x\"]}");
    assert_int_equal(uvow__list_empty(&s.client->session.subscriptions.all),
                     at >= 3);
    if (at < 3)
      uvow_stream_unref(stream);
    script_turns(&s);
    subs_end(&s);
  }
}

/* A peer that closes in order makes none again. */
TEST_CASE(closing) {
  script_t s;
  uvow_subscription_options_t options = keyed();
  start(&s, 0);
  script_mark_t a = script_mark(&s, "a");
  script_mark_t c = script_mark(&s, "c");
  script_mark_t m = script_mark(&s, "m");
  script_mark_t r = script_mark(&s, "r");
  uvow_stream_t *stream = subs_with(&s, &options);
  parts_read(uvow_stream_ref(stream), &a);
  script_text(&s, "{\"id\":1,\"ok\":{\"k\":7}}");
  script_call(&s, "m", &m);
  script_turns(&s);
  script_watch(uvow_peer_close(s.client), &c);
  script_turns(&s);
  script_hang_up(&s, UV_ECONNRESET);
  script_turns(&s);
  script_expect(&s, "m!ECLOSED:MAYBE c= a=");
  script_watch(uvow_subscription_ready(stream), &r);
  script_turns(&s);
  script_expect(&s, "r!ECLOSED");
  uvow_stream_unref(stream);
  script_end(&s);
}

TEST_MODULE(sub_by_id) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_item_is_part_of_a_part),
      cmocka_unit_test(what_comes_while_it_leaves_is_dropped),
      cmocka_unit_test(let_go_of_before_it_is_sent),
      cmocka_unit_test(of_an_event_no_part_is_an_item),
      cmocka_unit_test(in_words_of_its_own),
      cmocka_unit_test(refused_and_let_go_at_once),
      cmocka_unit_test(late_and_lost_at_once),
      cmocka_unit_test(a_close_ends_each),
      cmocka_unit_test(its_key),
      cmocka_unit_test(its_items),
      cmocka_unit_test(let_go),
      cmocka_unit_test(refused_meanwhile),
      cmocka_unit_test(of_an_events_name),
      cmocka_unit_test(lost),
      cmocka_unit_test(closing),
  };
  return cmocka_run_group_tests_name("rpc/sub_by_id", tests, NULL, NULL);
}
