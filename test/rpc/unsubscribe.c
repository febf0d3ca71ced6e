/* A subscription that is let go of is unsubscribed, or its connection ends,
 * whatever memory there is. */
#include "rpc/subscription.h"

#include "support/subs.h"

/* How the answer has the key. */
typedef struct answer {
  const char *text; /* the result */
  const char *key;
  const char *answer_key;
  int ends; /* the connection may end: a key that takes memory of its own, or a
               message that does */
} answer_t;

#define TEN "0123456789"
#define FIFTY TEN TEN TEN TEN TEN

static const answer_t answers[] = {
    {"7", "7", NULL, 0},
    {"\"0xcd0c3e8af590364c09d0fa6a1210faf5\"",
     "\"0xcd0c3e8af590364c09d0fa6a1210faf5\"", NULL, 0},
    /* more than a payload keeps without memory */
    {"{\"more\":\"" FIFTY FIFTY FIFTY "\",\"id\":\"k\"}", "\"k\"", "/id", 1},
    {"\"" FIFTY "\"", "\"" FIFTY "\"", NULL, 1},
    {"\"" FIFTY FIFTY FIFTY FIFTY "\"", "\"" FIFTY FIFTY FIFTY FIFTY "\"", NULL,
     1},
};

static uvow_stream_t *subscribe(script_t *s, const answer_t *answer) {
  uvow_subscription_options_t options = subs_options();
  options.answer_key = answer->answer_key;
  uvow_stream_t *stream = subs_with(s, &options);
  subs_expect_sent(s, 1, "sub", "[\"x\"]");
  return stream;
}

/* The answer comes while the n-th allocation fails, and all behind it. Whether
 * any did. */
static int answer_without_memory(script_t *s, const answer_t *answer,
                                 size_t n) {
  size_t failed = s->alloc->failed;
  s->alloc->fail_at = s->alloc->calls + n;
  s->alloc->fail_all_after = 1;
  subs_answer(s, 1, answer->text);
  s->alloc->fail_at = 0;
  s->alloc->fail_all_after = 0;
  return s->alloc->failed > failed;
}

static void expect_unsubscribed(script_t *s, const answer_t *answer) {
  char text[512];
  (void)snprintf(text, sizeof(text), "\"method\":\"unsub\",\"params\":[%s]}",
                 answer->key);
  script_text(s, "{\"jsonrpc\":\"2.0\",\"method\":\"any\"}");
  script_turns(s);
  const char *sent = script_next(s);
  if (!strstr(sent, text))
    print_error("%s: %s\n", answer->key, sent);
  assert_non_null(strstr(sent, text));
  script_expect_sent(s, "");
}

static void let_go_before(const answer_t *answer) {
  int ended = 0;
  int failed = 1;
  for (size_t n = 1; failed; n++) {
    script_t s;
    subs_start(&s);
    uvow_stream_unref(subscribe(&s, answer));
    script_turns(&s);
    failed = answer_without_memory(&s, answer, n);
    script_turns(&s);
    if (script_gone(&s))
      ended++;
    else
      expect_unsubscribed(&s, answer);
    assert_true(failed || !script_gone(&s));
    subs_end(&s);
  }
  assert_int_equal(ended > 0, answer->ends);
}

/* Its key is read when the answer comes, into room that it has. */
TEST_CASE(test_let_go_before_an_answer_without_memory) {
  for (size_t i = 0; i < sizeof(answers) / sizeof(*answers); i++)
    let_go_before(&answers[i]);
}

static void goes_on(const answer_t *answer) {
  int failed = 1;
  for (size_t n = 1; failed; n++) {
    script_t s;
    subs_start(&s);
    script_mark_t a = script_mark(&s, "a");
    uvow_stream_t *stream = subscribe(&s, answer);
    parts_read(uvow_stream_ref(stream), &a);
    failed = answer_without_memory(&s, answer, n);
    subs_event(&s, answer->key, 5);
    if (!script_gone(&s))
      script_expect(&s, "a:5");
    else if (s.log[0]) /* else it is to be made again */
      script_expect(&s, "a!ENOMEM");
    assert_true(answer->ends || !script_gone(&s));
    assert_true(failed || !script_gone(&s));
    uvow_stream_unref(stream);
    subs_end(&s);
  }
}

/* One that is read goes on, without memory for its answer. */
TEST_CASE(test_answered_without_memory) {
  for (size_t i = 0; i < sizeof(answers) / sizeof(*answers); i++)
    goes_on(&answers[i]);
}

/* The end of a connection whose subscription can't be named says why, and the
 * others are made again. */
TEST_CASE(test_cannot_be_named) {
  script_t s;
  subs_start(&s);
  script_mark_t b = script_mark(&s, "b");
  uvow_stream_unref(subscribe(&s, &answers[4]));
  parts_read(subs_make(&s), &b);
  subs_answer(&s, 2, "2");
  (void)answer_without_memory(&s, &answers[4], 1);
  script_turns(&s);
  assert_true(script_gone(&s));
  link_again(&s);
  subs_expect_sent(&s, 3, "sub", "[\"x\"]");
  subs_answer(&s, 3, "2");
  subs_event(&s, "2", 1);
  script_expect(&s, "b:1(+?)");
  script_expect_sent(&s, "");
  subs_end(&s);
}

/* One that has no more memory when it is let go of is unsubscribed once there
 * is. */
TEST_CASE(test_let_go_without_memory) {
  int failed = 1;
  for (size_t n = 1; failed; n++) {
    script_t s;
    subs_start(&s);
    uvow_stream_t *stream = subscribe(&s, &answers[1]);
    subs_answer(&s, 1, answers[1].text);
    size_t before = s.alloc->failed;
    s.alloc->fail_at = s.alloc->calls + n;
    s.alloc->fail_all_after = 1;
    uvow_stream_unref(stream);
    script_turns(&s);
    s.alloc->fail_at = 0;
    s.alloc->fail_all_after = 0;
    failed = s.alloc->failed > before;
    expect_unsubscribed(&s, &answers[1]);
    subs_end(&s);
  }
}

TEST_MODULE(unsubscribe) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_let_go_before_an_answer_without_memory),
      cmocka_unit_test(test_answered_without_memory),
      cmocka_unit_test(test_cannot_be_named),
      cmocka_unit_test(test_let_go_without_memory),
  };
  return cmocka_run_group_tests_name("rpc/unsubscribe", tests, NULL, NULL);
}
