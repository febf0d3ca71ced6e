/* What a subscription is told to be: options that can't work say so, and all
 * that is given is copied. */
#include "support/subs.h"

static void expect_refused(script_t *s,
                           const uvow_subscription_options_t *options) {
  script_mark_t a = script_mark(s, "a");
  parts_read(uvow_peer_subscribe(s->client, "sub", uvow_value_none(), options),
             &a);
  script_turns(s);
  script_expect(s, "a!EINVAL");
  script_expect_sent(s, "");
}

TEST_CASE(test_wrong_options) {
  script_t s;
  subs_start(&s);
  uvow_stream_options_t bounds = {.size = sizeof(bounds)};
  uvow_subscription_options_t options = subs_options();
  options.size = 3;
  expect_refused(&s, &options);
  options = subs_options();
  options.key = "a";
  expect_refused(&s, &options);
  options = subs_options();
  options.answer_key = "a";
  expect_refused(&s, &options);
  options = subs_options();
  options.item = "a";
  expect_refused(&s, &options);
  options = subs_options();
  options.event = NULL;
  expect_refused(&s, &options);
  options = subs_options();
  options.unsubscribe_params = "[$key";
  expect_refused(&s, &options);
  options = subs_options();
  options.stream = &bounds;
  bounds.full = UVOW_FULL_WAIT;
  expect_refused(&s, &options);
  bounds.full = UVOW_FULL_DEFAULT;
  bounds.size = 1;
  expect_refused(&s, &options);
  options.item = "a"; /* nor with both */
  expect_refused(&s, &options);
  assert_true(uvow__list_empty(&s.client->session.subscriptions.all));
  script_end(&s);
}

TEST_CASE(test_wrong_call) {
  script_t s;
  subs_start(&s);
  script_mark_t a = script_mark(&s, "a");
  uvow_subscription_options_t options = subs_options();
  assert_null(uvow_peer_subscribe(NULL, "sub", uvow_value_none(), &options));
  parts_read(uvow_peer_subscribe(s.client, NULL, uvow_value_none(), &options),
             &a);
  script_turns(&s);
  script_expect(&s, "a!EINVAL");
  parts_read(
      uvow_peer_subscribe(s.client, "sub", uvow_value_raw("[1"), &options), &a);
  script_turns(&s);
  script_expect(&s, "a!EINVAL:NOT");
  parts_read(uvow_peer_subscribe(s.client, "sub", uvow_value_jsonf(s.loop, "{"),
                                 &options),
             &a);
  script_turns(&s);
  script_expect(&s, "a!EINVAL");
  script_expect_sent(&s, "");
  script_end(&s);
}

/* Everything is copied: also what is asked for again, much later. */
TEST_CASE(test_copied) {
  script_t s;
  subs_start(&s);
  script_mark_t a = script_mark(&s, "a");
  char texts[8][32] = {"sub",     "ev",    "/subscription", "/id",
                       "/result", "unsub", "[$key]",        "[\"x\"]"};
  uvow_stream_options_t bounds = {.size = sizeof(bounds)};
  uvow_subscription_options_t options = {.size = sizeof(options),
                                         .event = texts[1],
                                         .key = texts[2],
                                         .answer_key = texts[3],
                                         .item = texts[4],
                                         .unsubscribe = texts[5],
                                         .unsubscribe_params = texts[6],
                                         .stream = &bounds};
  uvow_stream_t *stream = uvow_peer_subscribe(
      s.client, texts[0], uvow_value_raw(texts[7]), &options);
  memset(texts, 'z', sizeof(texts));
  memset(&options, 'z', sizeof(options));
  memset(&bounds, 'z', sizeof(bounds));
  script_turns(&s);
  subs_answer(&s, 1, "{\"id\":1}");
  script_hang_up(&s, UV_ECONNRESET);
  link_again(&s);
  subs_expect_sent(&s, 2, "sub", "[\"x\"]");
  subs_answer(&s, 2, "{\"id\":2}");
  subs_event(&s, "2", 5);
  script_watch(uvow_stream_next(stream), &a);
  script_turns(&s);
  script_expect(&s, "a=5");
  uvow_stream_unref(stream);
  script_turns(&s);
  subs_expect_sent(&s, 3, "unsub", "[2]");
  subs_end(&s);
}

static void watch_ready(uvow_stream_t *stream, script_mark_t *mark) {
  script_watch(uvow_subscription_ready(stream), mark);
}

/* It is there once its request is answered; after a loss, once that is made
 * again and answered. */
TEST_CASE(test_ready) {
  script_t s;
  subs_start(&s);
  script_mark_t a = script_mark(&s, "a"), b = script_mark(&s, "b");
  uvow_stream_t *stream = subs_make(&s);
  watch_ready(stream, &a);
  uvow_future_drop(uvow_subscription_ready(stream));
  script_turns(&s);
  script_expect(&s, "");
  subs_answer(&s, 1, "1");
  script_expect(&s, "a=");
  watch_ready(stream, &b);
  script_turns(&s);
  script_expect(&s, "b=");
  script_hang_up(&s, UV_ECONNRESET);
  watch_ready(stream, &a);
  link_again(&s);
  script_expect(&s, "");
  subs_answer(&s, 2, "1");
  script_expect(&s, "a=");
  uvow_stream_unref(stream);
  subs_end(&s);
}

/* Or it never is, as the stream ends. */
TEST_CASE(test_never_ready) {
  static const char refusal[] =
      "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":"
      "{\"code\":5,\"message\":\"no\"}}";
  static const char *const ends[] = {"a!EREMOTE:ANSWERED", "a!ECANCELED",
                                     "a!ECLOSED:MAYBE"};
  for (int how = 0; how < 3; how++) {
    script_t s;
    subs_start(&s);
    script_mark_t a = script_mark(&s, "a"), b = script_mark(&s, "b");
    uvow_stream_t *stream = subs_make(&s);
    watch_ready(stream, &a);
    if (how == 0)
      script_text(&s, refusal);
    else if (how == 1)
      uvow_future_detach(uvow_stream_close(uvow_stream_ref(stream)));
    else
      uvow_peer_end(s.client);
    script_turns(&s);
    script_expect(&s, ends[how]);
    if (how == 1)
      subs_answer(&s, 1, "1"); /* too late */
    watch_ready(stream, &b);
    script_turns(&s);
    assert_memory_equal(s.log, "b!", 2);
    uvow_stream_unref(stream);
    subs_end(&s);
  }
}

/* One that has ended in order isn't there any more. */
TEST_CASE(test_ready_too_late) {
  script_t s;
  subs_start(&s);
  script_mark_t a = script_mark(&s, "a");
  uvow_stream_t *stream = subs_make(&s);
  subs_answer(&s, 1, "1");
  uvow_peer_end(s.client);
  script_turns(&s);
  watch_ready(stream, &a);
  script_turns(&s);
  script_expect(&s, "a!ECLOSED");
  uvow_stream_unref(stream);
  subs_end(&s);
}

TEST_CASE(test_ready_of_what) {
  script_t s;
  subs_start(&s);
  script_mark_t a = script_mark(&s, "a");
  uvow_stream_t *events = uvow_peer_events(s.client, "ev");
  assert_null(uvow_subscription_ready(NULL));
  watch_ready(events, &a);
  script_turns(&s);
  script_expect(&s, "a!EINVAL");
  uvow_stream_unref(events);
  subs_end(&s);
}

/* Where nothing but its end answers, the first item says so. */
TEST_CASE(test_ready_by_an_item) {
  script_t s;
  uvow_reconnect_options_t reconnect;
  uvow_protocol_t *protocol = parts_protocol();
  script_init(&s);
  script_drive_clock(&s);
  test_connect_t options = link_options(&s, &reconnect);
  options.peer.protocol = protocol;
  options.peer.on_state = NULL;
  options.on_event = NULL;
  link_open(&s, &options);
  uvow_protocol_unref(protocol);
  script_mark_t a = script_mark(&s, "a"), b = script_mark(&s, "b");
  uvow_stream_t *stream = subs_with(&s, NULL);
  watch_ready(stream, &a);
  script_text(&s, "{\"id\":1,\"part\":1}");
  script_expect(&s, "a=");
  script_hang_up(&s, UV_ECONNRESET);
  link_again(&s);
  watch_ready(stream, &b);
  script_turns(&s);
  script_expect(&s, "");
  script_text(&s, "{\"id\":2,\"end\":true}");
  script_expect(&s, "b!ECLOSED");
  uvow_stream_unref(stream);
  subs_end(&s);
}

TEST_MODULE(subscribe) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_wrong_options),
      cmocka_unit_test(test_wrong_call),
      cmocka_unit_test(test_copied),
      cmocka_unit_test(test_ready),
      cmocka_unit_test(test_never_ready),
      cmocka_unit_test(test_ready_too_late),
      cmocka_unit_test(test_ready_of_what),
      cmocka_unit_test(test_ready_by_an_item),
  };
  return cmocka_run_group_tests_name("rpc/subscribe", tests, NULL, NULL);
}
