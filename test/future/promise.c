/* The write side: settling once, trying, dropping, following, being told. */
#include "support/turn.h"

TEST_CASE(f2_settling_again_only_releases) {
  turn_t turn;
  turn_init(&turn);
  turn_item_t item;
  uvow_promise_t *p;
  uvow_future_t *f = uvow_promise_new(turn.loop, &p);
  uvow_promise_fulfill(p, uvow_value_int64(1));
  /* The handle keeps the promise recognisable: all of these do nothing. */
  uvow_promise_fulfill(p, turn_item(&turn_type_unique, &item));
  assert_int_equal(item.destroyed, 1);
  uvow_promise_reject(p, uvow_error_new(turn.loop, UVOW_EURL, NULL));
  uvow_promise_reject_code(p, UVOW_EURL, "no");
  uvow_promise_follow(p, uvow_future_fulfilled(turn.loop, uvow_value_none()));
  uvow_promise_drop(p);
  assert_int_equal(uvow_promise_try_reject(p, NULL), UVOW_EINVAL);
  assert_string_equal(turn_result(&turn, f), "+1");
  uvow_future_unref(f);
  turn_end(&turn);
}

TEST_CASE(f2_a_null_promise_only_releases) {
  turn_t turn;
  turn_init(&turn);
  turn_item_t a, b;
  uvow_promise_fulfill(NULL, turn_item(&turn_type_unique, &a));
  assert_int_equal(
      uvow_promise_try_fulfill(NULL, turn_item(&turn_type_counted, &b)),
      UVOW_EINVAL);
  assert_int_equal(a.destroyed + b.destroyed, 2);
  uvow_promise_reject(NULL, uvow_error_new(turn.loop, UVOW_EURL, NULL));
  uvow_promise_reject_code(NULL, UVOW_EURL, NULL);
  assert_int_equal(
      uvow_promise_try_reject(NULL, uvow_error_new(turn.loop, UVOW_EURL, NULL)),
      UVOW_EINVAL);
  uvow_promise_follow(NULL,
                      uvow_future_fulfilled(turn.loop, uvow_value_none()));
  uvow_promise_follow(NULL, NULL);
  uvow_promise_on_cancel(NULL, turn_cancel, NULL, NULL);
  uvow_promise_drop(NULL);
  turn_end(&turn);
}

TEST_CASE(try_fulfill_borrows_the_promise) {
  turn_t turn;
  turn_init(&turn);
  turn_item_t item;
  turn_mark_t a = turn_mark(&turn, "a");
  uvow_promise_t *p;
  uvow_future_done(uvow_promise_new(turn.loop, &p), turn_done, &a);
  assert_int_equal(uvow_promise_try_fulfill(p, uvow_value_int64(1)), 0);
  turn_run(&turn);
  turn_expect(&turn, "a+1");
  assert_int_equal(
      uvow_promise_try_fulfill(p, turn_item(&turn_type_unique, &item)),
      UVOW_EALREADY);
  assert_int_equal(item.destroyed, 1);
  assert_int_equal(
      uvow_promise_try_reject(p, uvow_error_new(turn.loop, UVOW_EURL, NULL)),
      UVOW_EALREADY);
  uvow_promise_drop(p); /* settled: no EBROKEN */
  turn_end(&turn);
}

TEST_CASE(try_reject_borrows_the_promise) {
  turn_t turn;
  turn_init(&turn);
  turn_mark_t a = turn_mark(&turn, "a");
  uvow_promise_t *p;
  uvow_future_done(uvow_promise_new(turn.loop, &p), turn_done, &a);
  assert_int_equal(uvow_promise_try_reject(p, NULL), 0);
  assert_int_equal(uvow_promise_try_fulfill(p, uvow_value_none()),
                   UVOW_EALREADY);
  uvow_promise_fulfill(p, uvow_value_none());
  turn_run(&turn);
  turn_expect(&turn, "a!EINVAL");
  turn_end(&turn);
}

TEST_CASE(drop_rejects_broken) {
  turn_t turn;
  turn_init(&turn);
  turn_mark_t a = turn_mark(&turn, "a");
  uvow_promise_t *p;
  uvow_future_done(uvow_promise_new(turn.loop, &p), turn_done, &a);
  uvow_promise_drop(p);
  turn_run(&turn);
  turn_expect(&turn, "a!EBROKEN");
  turn_end(&turn);
}

TEST_CASE(reject_code_says_code_and_detail) {
  turn_t turn;
  turn_init(&turn);
  char detail[] = "copied";
  uvow_promise_t *p;
  uvow_future_t *f = uvow_promise_new(turn.loop, &p);
  uvow_promise_reject_code(p, -77, detail);
  detail[0] = 'x';
  uvow_result_t result;
  assert_int_equal(uvow_future_peek(f, &result), 0);
  assert_int_equal(uvow_error_code(result.error), -77);
  assert_string_equal(uvow_error_message(result.error), "copied");
  uvow_future_unref(uvow_future_catch(f, NULL, NULL));
  f = uvow_promise_new(turn.loop, &p);
  uvow_promise_reject_code(p, 3, NULL); /* no error code */
  assert_string_equal(turn_result(&turn, f), "!EINVAL");
  uvow_future_unref(f);
  turn_run(&turn);
  turn_expect_unhandled(&turn, "EINVAL UNKNOWN");
  turn_end(&turn);
}

TEST_CASE(f4_an_unknown_type_rejects) {
  static const uvow_type_t bad = {3, "bad", NULL, NULL};
  turn_t turn;
  turn_init(&turn);
  turn_mark_t a = turn_mark(&turn, "a");
  int x = 0;
  uvow_promise_t *p;
  uvow_future_done(uvow_promise_new(turn.loop, &p), turn_done, &a);
  uvow_promise_fulfill(p, uvow_value_ptr(&bad, &x));
  turn_run(&turn);
  turn_expect(&turn, "a!ETYPE");
  uvow_future_done(uvow_future_fulfilled(turn.loop, uvow_value_ptr(&bad, &x)),
                   turn_done, &a);
  turn_run(&turn);
  turn_expect(&turn, "a!ETYPE");
  a.next = uvow_next_value(uvow_value_ptr(&bad, &x));
  uvow_future_t *f = uvow_future_fulfilled(turn.loop, uvow_value_none());
  f = uvow_future_then(f, turn_then, &a);
  uvow_future_done(f, turn_done, &a);
  turn_run(&turn);
  turn_expect(&turn, "a+ a!ETYPE");
  turn_end(&turn);
}

TEST_CASE(follow_settles_as_the_other) {
  turn_t turn;
  turn_init(&turn);
  turn_mark_t a = turn_mark(&turn, "a");
  uvow_promise_t *outer, *inner;
  for (int reject = 0; reject < 2; reject++) {
    uvow_future_done(uvow_promise_new(turn.loop, &outer), turn_done, &a);
    uvow_promise_follow(outer, uvow_promise_new(turn.loop, &inner));
    turn_run(&turn);
    turn_expect(&turn, "");
    if (reject)
      uvow_promise_drop(inner);
    else
      uvow_promise_fulfill(inner, uvow_value_int64(4));
    turn_run(&turn);
    turn_expect(&turn, reject ? "a!EBROKEN" : "a+4");
  }
  turn_end(&turn);
}

TEST_CASE(follow_a_settled_future) {
  turn_t turn;
  turn_init(&turn);
  turn_mark_t a = turn_mark(&turn, "a");
  turn_item_t item;
  uvow_promise_t *p;
  uvow_future_done(uvow_promise_new(turn.loop, &p), turn_done, &a);
  uvow_promise_follow(
      p, uvow_future_fulfilled(turn.loop, turn_item(&turn_type_unique, &item)));
  turn_expect(&turn, "");
  turn_run(&turn);
  turn_expect(&turn, "a+unique");
  assert_int_equal(item.destroyed, 1);
  turn_end(&turn);
}

TEST_CASE(follow_nothing_is_no_memory) {
  turn_t turn;
  turn_init(&turn);
  turn_mark_t a = turn_mark(&turn, "a");
  uvow_promise_t *p;
  uvow_future_done(uvow_promise_new(turn.loop, &p), turn_done, &a);
  uvow_promise_follow(p, NULL);
  turn_run(&turn);
  turn_expect(&turn, "a!ENOMEM");
  turn_end(&turn);
}

TEST_CASE(follow_another_loops_future_is_invalid) {
  turn_t turn, other;
  turn_init(&turn);
  turn_init(&other);
  turn_mark_t a = turn_mark(&turn, "a");
  uvow_promise_t *p, *foreign;
  uvow_future_done(uvow_promise_new(turn.loop, &p), turn_done, &a);
  uvow_promise_follow(p, uvow_promise_new(other.loop, &foreign));
  turn_run(&turn);
  turn_expect(&turn, "a!EINVAL");
  uvow_promise_fulfill(foreign, uvow_value_none());
  turn_end(&other);
  turn_end(&turn);
}

TEST_CASE(follow_when_settled_lets_go_of_the_other) {
  turn_t turn;
  turn_init(&turn);
  turn_mark_t c = turn_mark(&turn, "c");
  uvow_promise_t *p, *q;
  uvow_future_t *f = uvow_promise_new(turn.loop, &p);
  assert_int_equal(uvow_promise_try_fulfill(p, uvow_value_none()), 0);
  uvow_future_t *other = uvow_promise_new(turn.loop, &q);
  uvow_promise_on_cancel(q, turn_cancel, &c, NULL);
  uvow_promise_follow(p, other); /* nobody waits for it: canceled */
  turn_run(&turn);
  turn_expect(&turn, "c^");
  uvow_promise_drop(q);
  uvow_future_unref(f);
  turn_end(&turn);
}

TEST_CASE(a_followers_promise_is_used_up) {
  turn_t turn;
  turn_init(&turn);
  turn_mark_t c = turn_mark(&turn, "c");
  uvow_promise_t *p, *q;
  uvow_future_t *f = uvow_promise_new(turn.loop, &p);
  uvow_promise_on_cancel(p, turn_cancel, &c, NULL);
  uvow_promise_follow(p, uvow_promise_new(turn.loop, &q));
  uvow_promise_fulfill(p, uvow_value_int64(1)); /* ignored */
  uvow_promise_drop(p);
  assert_int_equal(uvow_promise_try_fulfill(p, uvow_value_none()), UVOW_EINVAL);
  assert_string_equal(turn_result(&turn, f), "?");
  uvow_promise_fulfill(q, uvow_value_int64(2));
  turn_run(&turn);
  assert_string_equal(turn_result(&turn, f), "+2");
  uvow_future_unref(f);
  turn_end(&turn);
}

TEST_CASE(on_cancel_is_told_by_nothing_else) {
  turn_t turn;
  turn_init(&turn);
  turn_mark_t c = turn_mark(&turn, "c");
  uvow_promise_t *p;
  uvow_future_t *f = uvow_promise_new(turn.loop, &p);
  uvow_promise_on_cancel(p, turn_cancel, &c, NULL);
  uvow_future_unref(f); /* F7 */
  uvow_promise_fulfill(p, uvow_value_none());
  f = uvow_promise_new(turn.loop, &p);
  uvow_promise_on_cancel(p, turn_cancel, &c, NULL);
  uvow_promise_on_cancel(p, NULL, NULL, NULL); /* nobody */
  assert_int_equal(uvow_future_cancel(f), 0);
  uvow_future_unref(f);
  uvow_promise_drop(p);
  turn_expect(&turn, "");
  turn_end(&turn);
}

/* The operation was over before it could be told of the cancel. */
TEST_CASE(on_cancel_that_waits_is_withdrawn_at_the_end) {
  turn_t turn;
  turn_init(&turn);
  for (int how = 0; how < 3; how++) {
    turn_mark_t c = turn_mark(&turn, "c");
    uvow_promise_t *p;
    uvow_future_t *f = uvow_promise_new(turn.loop, &p);
    uvow_promise_on_cancel(p, turn_cancel, &c, how == 0 ? NULL : turn_destroy);
    assert_int_equal(uvow_future_cancel(f), 0);
    if (how == 2)
      uvow_promise_drop(p);
    else
      uvow_promise_fulfill(p, uvow_value_none());
    uvow_future_unref(f);
    turn_run(&turn);
    turn_expect(&turn, how == 0 ? "" : "c.");
  }
  turn_end(&turn);
}

TEST_MODULE(promise) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(f2_settling_again_only_releases),
      cmocka_unit_test(f2_a_null_promise_only_releases),
      cmocka_unit_test(try_fulfill_borrows_the_promise),
      cmocka_unit_test(try_reject_borrows_the_promise),
      cmocka_unit_test(drop_rejects_broken),
      cmocka_unit_test(reject_code_says_code_and_detail),
      cmocka_unit_test(f4_an_unknown_type_rejects),
      cmocka_unit_test(follow_settles_as_the_other),
      cmocka_unit_test(follow_a_settled_future),
      cmocka_unit_test(follow_nothing_is_no_memory),
      cmocka_unit_test(follow_another_loops_future_is_invalid),
      cmocka_unit_test(follow_when_settled_lets_go_of_the_other),
      cmocka_unit_test(a_followers_promise_is_used_up),
      cmocka_unit_test(on_cancel_is_told_by_nothing_else),
      cmocka_unit_test(on_cancel_that_waits_is_withdrawn_at_the_end),
  };
  return cmocka_run_group_tests_name("future/promise", tests, NULL, NULL);
}
