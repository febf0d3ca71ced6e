/* Which subscription an event is for: keys, and what comes before they are
 * known. */
#include "rpc/family.h"

#include "support/subs.h"

#include <stdio.h>

static void expect_key(const char *raw, const char *expected) {
  uvow__buf_t buf;
  uvow__slice_t key;
  uvow__buf_init(&buf, &uvow__mem_default, SIZE_MAX);
  assert_int_equal(uvow__key_of((uvow__slice_t){raw, strlen(raw)}, &buf, &key),
                   0);
  assert_int_equal(key.len, strlen(expected));
  assert_memory_equal(key.ptr, expected, key.len);
  uvow__buf_done(&buf);
}

/* Equal values have equal texts, and others haven't. */
TEST_CASE(test_keys) {
  expect_key("1", "1");
  expect_key("1.0", "1");
  expect_key("1e2", "100");
  expect_key("-0", "0");
  expect_key("1.5", "1.5");
  expect_key("\"1\"", "\"1\"");
  expect_key("\"\\u0031\"", "\"1\"");
  expect_key("\"a\\/b\"", "\"a/b\"");
  expect_key("\"\\\"\"", "\"\\\"\"");
  expect_key("\"\\u00e9\"", "\"\xC3\xA9\"");
  expect_key("\"\xC3\xA9\"", "\"\xC3\xA9\"");
  expect_key("\"\"", "\"\"");
  expect_key("true", "true");
  expect_key("{\"a\":1}", "{\"a\":1}");
  expect_key("123456789012345678901234567890",
             "123456789012345678901234567890");
}

TEST_CASE(test_equal_as_json) {
  static const struct {
    const char *answer;
    const char *event;
    int is_equal;
  } cases[] = {
      {"1", "1", 1},       {"1", "\"1\"", 0},           {"1", "1.0", 1},
      {"\"1\"", "1", 0},   {"\"a\"", "\"\\u0061\"", 1}, {"\"a\"", "\"b\"", 0},
      {"[1]", "[1]", 1},   {"[1]", "[2]", 0},           {"true", "true", 1},
      {"\"\"", "\"\"", 1}, {"\"ab\"", "\"a\"", 0},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    script_t s;
    subs_start(&s);
    script_mark_t a = script_mark(&s, "a");
    parts_read(subs_make(&s), &a);
    subs_answer(&s, 1, cases[i].answer);
    subs_event(&s, cases[i].event, 1);
    if (cases[i].is_equal)
      script_expect(&s, "a:1");
    else
      assert_int_equal(subs_strays(&s), 1);
    subs_end(&s);
  }
}

static void event(script_t *s, const char *params) {
  char text[512];
  snprintf(text, sizeof(text),
           "{\"jsonrpc\":\"2.0\",\"method\":\"ev\",\"params\":%s}", params);
  script_text(s, text);
}

/* Events that have no such key, or no such item. */
TEST_CASE(test_odd_events) {
  script_t s;
  subs_start(&s);
  script_mark_t a = script_mark(&s, "a");
  parts_read(subs_make(&s), &a);
  subs_answer(&s, 1, "1");
  event(&s, "{\"result\":1}");
  event(&s, "[1]");
  event(&s, "{\"subscription\":[1],\"result\":1}");
  event(&s, "{\"subscription\":null}");
  script_text(&s, "{\"jsonrpc\":\"2.0\",\"method\":\"ev\"}");
  assert_int_equal(subs_strays(&s), 5);
  event(&s, "{\"subscription\":1}");
  event(&s, "{\"subscription\":1,\"result\":{\"x\":[]}}");
  event(&s, "{\"subscription\":2,\"subscription\":1,\"result\":2}");
  script_expect(&s, "a: a:{\"x\":[]} a:2");
  event(&s, "{\"subscription\":1,\"result\":01}"); /* no JSON */
  assert_int_equal(subs_strays(&s), 1);
  subs_end(&s);
}

/* Answers that have no key. */
TEST_CASE(test_answer_without_key) {
  static const char *const answers[] = {"null", "{}", "[]", "{\"id\":null}",
                                        "{\"id\":01}"};
  for (size_t i = 0; i < sizeof(answers) / sizeof(*answers); i++) {
    script_t s;
    subs_start(&s);
    script_mark_t a = script_mark(&s, "a");
    uvow_subscription_options_t options = subs_options();
    options.answer_key = "/id";
    parts_read(subs_with(&s, &options), &a);
    subs_event(&s, "1", 1);
    subs_answer(&s, 1, answers[i]);
    assert_non_null(strstr(s.log, "a!ETYPE"));
    assert_int_equal(subs_strays(&s), 1);
    script_next(&s);
    script_expect_sent(&s, "");
    subs_end(&s);
  }
}

TEST_CASE(test_answer_key) {
  script_t s;
  subs_start(&s);
  script_mark_t a = script_mark(&s, "a");
  uvow_subscription_options_t options = subs_options();
  options.answer_key = "/id/0";
  options.item = NULL;
  options.unsubscribe_params = "{\"of\":[$key,$key]}";
  uvow_stream_t *stream = subs_with(&s, &options);
  script_next(&s);
  script_watch(uvow_stream_next(stream), &a);
  subs_answer(&s, 1, "{\"id\":[\"\\u006b\"]}");
  event(&s, "{\"subscription\":\"k\"}");
  script_expect(&s, "a={\"subscription\":\"k\"}");
  uvow_stream_unref(stream);
  script_turns(&s);
  subs_expect_sent(&s, 2, "unsub", "{\"of\":[\"k\",\"k\"]}");
  subs_end(&s);
}

/* Without a key it has all of that name, from its request on. */
TEST_CASE(test_no_key) {
  script_t s;
  subs_start(&s);
  script_mark_t a = script_mark(&s, "a");
  script_mark_t b = script_mark(&s, "b");
  uvow_subscription_options_t options = subs_options();
  options.key = NULL;
  options.item = NULL;
  parts_read(subs_with(&s, &options), &a);
  event(&s, "[1]");
  parts_read(subs_with(&s, &options), &b);
  event(&s, "[2]");
  script_text(&s, "{\"jsonrpc\":\"2.0\",\"method\":\"ev\"}");
  script_expect(&s, "");
  subs_answer(&s, 2, "7");
  script_expect(&s, "b:[2] b:");
  event(&s, "[3]");
  script_expect(&s, "b:[3]");
  subs_answer(&s, 1, "null");
  script_expect(&s, "a:[1] a:[2] a: a:[3]");
  event(&s, "[4]");
  script_expect(&s, "b:[4] a:[4]");
  subs_end(&s);
}

/* A flood before the answer takes no more memory than the stream may hold, and
 * what went is said: the subscription fails, or has a gap. */
TEST_CASE(test_flood) {
  for (int drops = 0; drops < 2; drops++) {
    script_t s;
    subs_start(&s);
    script_mark_t a = script_mark(&s, "a");
    uvow_stream_options_t bounds = {.size = sizeof(bounds), .max_items = 8};
    uvow_subscription_options_t options = subs_options();
    if (drops)
      bounds.full = UVOW_FULL_DROP_OLDEST;
    options.stream = &bounds;
    parts_read(subs_with(&s, &options), &a);
    script_next(&s);
    subs_event(&s, "1", 0);
    for (int i = 0; i < 1000; i++)
      subs_event(&s, i == 997 ? "1" : "\"another\"", i);
    uvow__family_t *family =
        UVOW__CONTAINER(s.client->session.subscriptions.all.next, uvow__sub_t,
                        member)
            ->family;
    assert_int_equal(family->held_count, 8);
    script_expect(&s, "");
    subs_answer(&s, 1, "1");

    assert_non_null(strstr(s.log, drops ? "a:997(+?)" : "a!EOVERLOAD"));
    assert_int_equal(subs_strays(&s), 7);
    if (!drops)
      subs_expect_sent(&s, 2, "unsub", "[1]");
    subs_end(&s);
  }
}

/* By bytes, too: but for one. */
TEST_CASE(test_flood_of_bytes) {
  script_t s;
  static char big[70000];
  subs_start(&s);
  uvow_stream_options_t bounds = {.size = sizeof(bounds), .max_bytes = 100000};
  uvow_subscription_options_t options = subs_options();
  options.stream = &bounds;
  uvow_stream_t *stream = subs_with(&s, &options);
  uvow__family_t *family = ((uvow__sub_t *)(void *)stream)->family;
  int len = snprintf(big, sizeof(big),
                     "{\"jsonrpc\":\"2.0\",\"method\":\"ev\",\"params\":"
                     "{\"subscription\":1,\"result\":\"%060000d\"}}",
                     1);
  for (int i = 0; i < 5; i++) {
    uint8_t frame[16];
    size_t head = script_put_frame(frame, 0x81, "", 0);
    (void)head;
    script_frame(&s, 0x81, big, (size_t)len);
    assert_int_equal(family->held_count, 1);
  }
  uvow_stream_unref(stream);
  script_turns(&s);
  subs_end(&s);
}

#define MANY 20000

/* Any number of them: finding one looks at few. */
TEST_CASE(test_many) {
  script_t s;
  char key[32];
  subs_start(&s);
  script_mark_t a = script_mark(&s, "a");
  uvow_subscription_options_t options = subs_options();
  options.unsubscribe = NULL;
  uvow_stream_t **streams = (uvow_stream_t **)malloc(MANY * sizeof(*streams));
  assert_non_null(streams);
  for (int i = 0; i < MANY; i++)
    streams[i] =
        uvow_peer_subscribe(s.client, "s", uvow_value_none(), &options);
  script_turns(&s);
  for (int i = 0; i < MANY; i++) {
    snprintf(key, sizeof(key), "\"0x%x\"", i);
    subs_answer(&s, i + 1, key);
  }
  const uvow__table_t *table = &s.client->session.subscriptions.by_key;
  assert_int_equal(table->count, MANY);
  size_t longest = 0;
  for (size_t i = 0; i <= table->mask; i++) {
    size_t length = 0;
    for (uvow__entry_t *at = table->places[i]; at; at = at->next)
      length++;
    longest = length > longest ? length : longest;
  }
  assert_true(longest < 16);
  snprintf(key, sizeof(key), "\"0x%x\"", MANY / 2);
  subs_event(&s, key, 5);
  script_watch(uvow_stream_next(streams[MANY / 2]), &a);
  script_turns(&s);
  script_expect(&s, "a=5");
  for (int i = 0; i < MANY; i++)
    uvow_stream_unref(streams[i]);
  free(streams);
  subs_end(&s);
}

TEST_MODULE(family) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_keys),
      cmocka_unit_test(test_equal_as_json),
      cmocka_unit_test(test_odd_events),
      cmocka_unit_test(test_answer_without_key),
      cmocka_unit_test(test_answer_key),
      cmocka_unit_test(test_no_key),
      cmocka_unit_test(test_flood),
      cmocka_unit_test(test_flood_of_bytes),
      cmocka_unit_test(test_many),
  };
  return cmocka_run_group_tests_name("rpc/family", tests, NULL, NULL);
}
