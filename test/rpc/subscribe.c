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

TEST_MODULE(subscribe) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_wrong_options),
      cmocka_unit_test(test_wrong_call),
      cmocka_unit_test(test_copied),
  };
  return cmocka_run_group_tests_name("rpc/subscribe", tests, NULL, NULL);
}
