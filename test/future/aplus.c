/*
 * Promises/A+ 1.1, point by point: each test is named after what it tests. Left
 * out is 2.3.3, thenables, which C doesn't have.
 *
 * Where it makes sense a point is tried with a future that is settled before
 * the test attaches, after it in the same turn, and in a later turn.
 */
#include "support/turn.h"

enum { BEFORE, SAME_TURN, LATER, WAYS };

typedef struct trial {
  turn_t turn;
  uvow_promise_t *promise;
  int way;
  int code; /* 0: it will be fulfilled with 1 */
} trial_t;

static void settle(uvow_promise_t *promise, int code) {
  if (code)
    uvow_promise_reject_code(promise, code, NULL);
  else
    uvow_promise_fulfill(promise, uvow_value_int64(1));
}

static uvow_future_t *begin(trial_t *t, int way, int code) {
  turn_init(&t->turn);
  t->way = way;
  t->code = code;
  uvow_future_t *f = uvow_promise_new(t->turn.loop, &t->promise);
  if (way == BEFORE)
    settle(t->promise, code);
  return f;
}

/* All is attached, and nothing was called yet. Settles, and runs. */
static void finish(trial_t *t) {
  turn_expect(&t->turn, "");
  if (t->way == LATER) {
    turn_run(&t->turn);
    turn_expect(&t->turn, "");
  }
  if (t->way != BEFORE)
    settle(t->promise, t->code);
  turn_expect(&t->turn, "");
  turn_run(&t->turn);
}

TEST_CASE(aplus_2_1_1_pending_may_become_either) {
  turn_t turn;
  turn_init(&turn);
  for (int code = 0; code >= UVOW_EINVAL; code += UVOW_EINVAL) {
    uvow_promise_t *p;
    uvow_future_t *f = uvow_promise_new(turn.loop, &p);
    turn_run(&turn);
    assert_int_equal(uvow_future_state(f), UVOW_PENDING);
    settle(p, code);
    assert_int_equal(uvow_future_state(f),
                     code ? UVOW_REJECTED : UVOW_FULFILLED);
    uvow_future_unref(f);
  }
  turn_run(&turn);
  turn_expect_unhandled(&turn, "EINVAL");
  turn_end(&turn);
}

/* What is settled with `first` isn't changed by what comes next. */
static void stays(int first, const char *seen) {
  for (int second = 0; second >= UVOW_EINVAL; second += UVOW_EINVAL) {
    turn_t turn;
    turn_init(&turn);
    turn_mark_t a = turn_mark(&turn, "a");
    uvow_promise_t *p;
    uvow_future_t *f = uvow_promise_new(turn.loop, &p);
    uvow_future_done(uvow_future_ref(f), turn_done, &a);
    uvow_error_t *error = uvow_error_new(turn.loop, UVOW_EPROTO, NULL);
    if (first)
      assert_int_equal(uvow_promise_try_reject(p, error), 0);
    else
      assert_int_equal(uvow_promise_try_fulfill(p, uvow_value_int64(1)), 0);
    if (!first)
      uvow_error_unref(error);
    turn_run(&turn);
    if (second)
      uvow_promise_reject_code(p, second, NULL);
    else
      uvow_promise_fulfill(p, uvow_value_int64(2));
    turn_run(&turn);
    turn_expect(&turn, seen);
    assert_string_equal(turn_result(&turn, f), seen + 1);
    uvow_future_unref(f);
    turn_end(&turn);
  }
}

TEST_CASE(aplus_2_1_2_fulfilled_stays_with_its_value) {
  stays(0, "a+1");
}

TEST_CASE(aplus_2_1_3_rejected_stays_with_its_reason) {
  stays(UVOW_EPROTO, "a!EPROTO");
}

TEST_CASE(aplus_2_1_3_2_the_reason_is_the_same_object) {
  turn_t turn;
  turn_init(&turn);
  turn_mark_t a = turn_mark(&turn, "a");
  uvow_error_t *error = uvow_error_new(turn.loop, UVOW_EPROTO, "why");
  uvow_future_t *f = uvow_future_rejected(turn.loop, uvow_error_ref(error));
  f = uvow_future_then(f, turn_then, &a);
  f = uvow_future_then(f, NULL, NULL);
  turn_run(&turn);
  uvow_result_t result;
  assert_int_equal(uvow_future_peek(f, &result), 0);
  assert_ptr_equal(result.error, error);
  uvow_future_unref(f);
  uvow_error_unref(error);
  turn_expect_unhandled(&turn, "EPROTO");
  turn_end(&turn);
}

TEST_CASE(aplus_2_2_1_both_callbacks_are_optional) {
  for (int way = 0; way < WAYS; way++) {
    for (int code = 0; code >= UVOW_EINVAL; code += UVOW_EINVAL) {
      trial_t t;
      uvow_future_t *f = begin(&t, way, code);
      turn_mark_t a = turn_mark(&t.turn, "a");
      uvow_chain_options_t options = {sizeof(options), NULL, NULL, NULL, NULL};
      f = uvow_future_then(f, NULL, NULL);
      f = uvow_future_catch(f, NULL, NULL);
      f = uvow_future_finally(f, NULL, NULL);
      f = uvow_future_chain(f, &options);
      uvow_future_done(f, turn_done, &a);
      finish(&t);
      turn_expect(&t.turn, code ? "a!EINVAL" : "a+1");
      turn_end(&t.turn);
    }
  }
}

TEST_CASE(aplus_2_2_2_1_on_value_is_given_the_value) {
  for (int way = 0; way < WAYS; way++) {
    trial_t t;
    uvow_future_t *f = begin(&t, way, 0);
    turn_mark_t a = turn_mark(&t.turn, "a");
    turn_mark_t no = turn_mark(&t.turn, "no");
    f = uvow_future_then(f, turn_then, &a);
    f = uvow_future_catch(f, turn_then, &no);
    uvow_future_detach(f);
    finish(&t);
    turn_expect(&t.turn, "a+1");
    turn_end(&t.turn);
  }
}

TEST_CASE(aplus_2_2_2_2_on_value_isnt_called_before) {
  turn_t turn;
  turn_init(&turn);
  turn_mark_t a = turn_mark(&turn, "a");
  uvow_promise_t *p;
  uvow_future_t *f = uvow_promise_new(turn.loop, &p);
  uvow_future_detach(uvow_future_then(f, turn_then, &a));
  for (int i = 0; i < 10; i++)
    turn_run(&turn);
  turn_expect(&turn, "");
  settle(p, 0);
  turn_run(&turn);
  turn_expect(&turn, "a+1");
  turn_end(&turn);
}

TEST_CASE(aplus_2_2_2_3_on_value_is_called_once) {
  for (int way = 0; way < WAYS; way++) {
    trial_t t;
    uvow_future_t *f = begin(&t, way, 0);
    turn_mark_t a = turn_mark(&t.turn, "a");
    uvow_future_t *held = uvow_future_ref(f);
    uvow_future_detach(uvow_future_then(f, turn_then, &a));
    finish(&t);
    uvow_promise_fulfill(way == BEFORE ? NULL : t.promise, uvow_value_none());
    turn_run(&t.turn);
    uvow_future_unref(held);
    turn_run(&t.turn);
    turn_expect(&t.turn, "a+1");
    assert_int_equal(a.calls, 1);
    turn_end(&t.turn);
  }
}

TEST_CASE(aplus_2_2_3_1_on_error_is_given_the_reason) {
  for (int way = 0; way < WAYS; way++) {
    trial_t t;
    uvow_future_t *f = begin(&t, way, UVOW_EPROTO);
    turn_mark_t a = turn_mark(&t.turn, "a");
    turn_mark_t no = turn_mark(&t.turn, "no");
    a.next = uvow_next_none();
    f = uvow_future_then(f, turn_then, &no);
    uvow_future_detach(uvow_future_catch(f, turn_then, &a));
    finish(&t);
    turn_expect(&t.turn, "a!EPROTO");
    turn_end(&t.turn);
  }
}

TEST_CASE(aplus_2_2_3_2_on_error_isnt_called_before) {
  turn_t turn;
  turn_init(&turn);
  turn_mark_t a = turn_mark(&turn, "a");
  a.next = uvow_next_none();
  uvow_promise_t *p;
  uvow_future_t *f = uvow_promise_new(turn.loop, &p);
  uvow_future_detach(uvow_future_catch(f, turn_then, &a));
  for (int i = 0; i < 10; i++)
    turn_run(&turn);
  turn_expect(&turn, "");
  settle(p, UVOW_EPROTO);
  turn_run(&turn);
  turn_expect(&turn, "a!EPROTO");
  turn_end(&turn);
}

TEST_CASE(aplus_2_2_3_3_on_error_is_called_once) {
  turn_t turn;
  turn_init(&turn);
  turn_mark_t a = turn_mark(&turn, "a");
  a.next = uvow_next_none();
  uvow_promise_t *p;
  uvow_future_t *f = uvow_promise_new(turn.loop, &p);
  uvow_future_detach(uvow_future_catch(f, turn_then, &a));
  uvow_error_t *error = uvow_error_new(turn.loop, UVOW_EPROTO, NULL);
  assert_int_equal(uvow_promise_try_reject(p, uvow_error_ref(error)), 0);
  assert_int_equal(uvow_promise_try_reject(p, error), UVOW_EALREADY);
  turn_run(&turn);
  uvow_promise_drop(p);
  turn_run(&turn);
  turn_expect(&turn, "a!EPROTO");
  assert_int_equal(a.calls, 1);
  turn_end(&turn);
}

static void settles_other(turn_mark_t *mark) {
  settle(mark->promise, 0);
  uvow_future_detach(uvow_future_then(mark->future, turn_then, mark->other));
  mark->turn->log[0] = '\0'; /* what was called so far */
}

TEST_CASE(aplus_2_2_4_no_callback_on_the_stack_of_another) {
  turn_t turn;
  turn_init(&turn);
  turn_mark_t a = turn_mark(&turn, "a");
  turn_mark_t b = turn_mark(&turn, "b");
  a.act = settles_other;
  a.other = &b;
  a.future = uvow_promise_new(turn.loop, &a.promise);
  uvow_future_t *f = uvow_future_fulfilled(turn.loop, uvow_value_none());
  uvow_future_detach(uvow_future_then(f, turn_then, &a));
  turn_run(&turn);
  turn_expect(&turn, "b+1"); /* not yet there when a's callback ended */
  turn_end(&turn);
}

TEST_CASE(aplus_2_2_4_not_within_the_call_that_settles) {
  trial_t t;
  uvow_future_t *f = begin(&t, SAME_TURN, 0);
  turn_mark_t a = turn_mark(&t.turn, "a");
  uvow_future_detach(uvow_future_then(f, turn_then, &a));
  finish(&t); /* expects nothing in the log right after the settling */
  turn_expect(&t.turn, "a+1");
  turn_end(&t.turn);
}

TEST_CASE(aplus_2_2_4_not_within_the_call_that_attaches) {
  trial_t t;
  uvow_future_t *f = begin(&t, BEFORE, 0);
  turn_mark_t a = turn_mark(&t.turn, "a");
  uvow__runtime_enter(&t.turn.rt); /* nor while anything of uvow's is below */
  uvow_future_detach(uvow_future_then(f, turn_then, &a));
  turn_once(&t.turn);
  turn_expect(&t.turn, "");
  uvow__runtime_leave(&t.turn.rt);
  turn_expect(&t.turn, "a+1");
  turn_end(&t.turn);
}

TEST_CASE(aplus_2_2_5_a_callback_is_given_its_own_data) {
  for (int way = 0; way < WAYS; way++) {
    trial_t t;
    uvow_future_t *f = begin(&t, way, 0);
    turn_mark_t a = turn_mark(&t.turn, "a");
    turn_mark_t b = turn_mark(&t.turn, "b");
    turn_mark_t c = turn_mark(&t.turn, "c");
    f = uvow_future_then(f, turn_then, &a);
    f = uvow_future_finally(f, turn_finally, &b);
    uvow_future_done(f, turn_done, &c);
    finish(&t);
    turn_expect(&t.turn, "a+1 b~ c+1");
    turn_end(&t.turn);
  }
}

static void attaches_more(turn_mark_t *mark) {
  uvow_future_done(mark->future, turn_done, mark->other);
}

/* Three on one future, one of which attaches a fourth. */
static void many(int way, int code, const char *seen) {
  trial_t t;
  uvow_future_t *f = begin(&t, way, code);
  turn_mark_t a = turn_mark(&t.turn, "a");
  turn_mark_t b = turn_mark(&t.turn, "b");
  turn_mark_t c = turn_mark(&t.turn, "c");
  turn_mark_t d = turn_mark(&t.turn, "d");
  a.act = attaches_more;
  a.other = &d;
  a.future = uvow_future_ref(f);
  b.next = uvow_next_code(UVOW_EURL, NULL);
  uvow_future_done(uvow_future_ref(f), turn_done, &a);
  uvow_future_t *second = turn_chain(uvow_future_ref(f), &b);
  uvow_future_done(f, turn_done, &c);
  finish(&t);
  turn_expect(&t.turn, seen);
  turn_expect_unhandled(&t.turn, "EURL");
  assert_string_equal(turn_result(&t.turn, second), "!EURL");
  uvow_future_unref(second);
  turn_end(&t.turn);
}

TEST_CASE(aplus_2_2_6_1_values_come_in_order_of_attachment) {
  for (int way = 0; way < WAYS; way++)
    many(way, 0, "a+1 b+1 b. c+1 d+1");
}

TEST_CASE(aplus_2_2_6_2_errors_come_in_order_of_attachment) {
  for (int way = 0; way < WAYS; way++)
    many(way, UVOW_EPROTO, "a!EPROTO b!EPROTO b. c!EPROTO d!EPROTO");
}

TEST_CASE(aplus_2_2_6_order_holds_across_the_settling) {
  turn_t turn;
  turn_init(&turn);
  turn_mark_t a = turn_mark(&turn, "a");
  turn_mark_t b = turn_mark(&turn, "b");
  uvow_promise_t *p;
  uvow_future_t *f = uvow_promise_new(turn.loop, &p);
  uvow_future_done(uvow_future_ref(f), turn_done, &a);
  settle(p, 0);
  uvow_future_done(f, turn_done, &b);
  turn_run(&turn);
  turn_expect(&turn, "a+1 b+1");
  turn_end(&turn);
}

TEST_CASE(aplus_2_2_7_then_returns_another_future) {
  turn_t turn;
  turn_init(&turn);
  uvow_future_t *f = uvow_future_fulfilled(turn.loop, uvow_value_none());
  uvow_future_t *link = uvow_future_then(uvow_future_ref(f), NULL, NULL);
  assert_non_null(link);
  assert_ptr_not_equal(f, link);
  assert_int_equal(uvow_future_state(link), UVOW_PENDING);
  uvow_future_unref(f);
  uvow_future_unref(link);
  turn_end(&turn);
}

/* A link whose callback answers `next`. */
static void answer(int code, uvow_next_t next, const char *seen) {
  for (int way = 0; way < WAYS; way++) {
    trial_t t;
    uvow_future_t *f = begin(&t, way, code);
    turn_mark_t a = turn_mark(&t.turn, "a");
    turn_mark_t b = turn_mark(&t.turn, "b");
    a.next = next;
    f = code ? uvow_future_catch(f, turn_then, &a)
             : uvow_future_then(f, turn_then, &a);
    uvow_future_done(f, turn_done, &b);
    finish(&t);
    turn_expect(&t.turn, seen);
    turn_end(&t.turn);
  }
}

TEST_CASE(aplus_2_2_7_1_what_on_value_returns_is_the_result) {
  answer(0, uvow_next_value(uvow_value_int64(7)), "a+1 b+7");
  answer(0, uvow_next_none(), "a+1 b+");
}

TEST_CASE(aplus_2_2_7_1_what_on_error_returns_is_the_result) {
  answer(UVOW_EURL, uvow_next_value(uvow_value_int64(7)), "a!EURL b+7");
  answer(UVOW_EURL, uvow_next_none(), "a!EURL b+");
}

TEST_CASE(aplus_2_2_7_2_an_error_from_on_value_rejects) {
  answer(0, uvow_next_code(UVOW_EURL, "text"), "a+1 b!EURL");
  answer(0, uvow_next_error(NULL), "a+1 b!EINVAL");
}

TEST_CASE(aplus_2_2_7_2_an_error_from_on_error_rejects) {
  answer(UVOW_EURL, uvow_next_code(UVOW_EPROTO, NULL), "a!EURL b!EPROTO");
}

TEST_CASE(aplus_2_2_7_3_no_on_value_passes_the_value) {
  for (int way = 0; way < WAYS; way++) {
    trial_t t;
    uvow_future_t *f = begin(&t, way, 0);
    turn_mark_t no = turn_mark(&t.turn, "no");
    turn_mark_t b = turn_mark(&t.turn, "b");
    f = uvow_future_catch(f, turn_then, &no);
    uvow_future_done(f, turn_done, &b);
    finish(&t);
    turn_expect(&t.turn, "b+1");
    turn_end(&t.turn);
  }
}

TEST_CASE(aplus_2_2_7_4_no_on_error_passes_the_reason) {
  for (int way = 0; way < WAYS; way++) {
    trial_t t;
    uvow_future_t *f = begin(&t, way, UVOW_EPROTO);
    turn_mark_t no = turn_mark(&t.turn, "no");
    turn_mark_t b = turn_mark(&t.turn, "b");
    f = uvow_future_then(f, turn_then, &no);
    uvow_future_done(f, turn_done, &b);
    finish(&t);
    turn_expect(&t.turn, "b!EPROTO");
    turn_end(&t.turn);
  }
}

TEST_CASE(aplus_2_3_1_own_future_is_a_cycle) {
  for (int way = 0; way < WAYS; way++) {
    for (int code = 0; code >= UVOW_EURL; code += UVOW_EURL) {
      trial_t t;
      uvow_future_t *f = begin(&t, way, code);
      turn_mark_t a = turn_mark(&t.turn, "a");
      turn_mark_t b = turn_mark(&t.turn, "b");
      f = turn_chain(f, &a);
      a.next = uvow_next_future(uvow_future_ref(f));
      uvow_future_done(f, turn_done, &b);
      finish(&t);
      turn_expect(&t.turn, code ? "a!EURL a. b!ECYCLE" : "a+1 a. b!ECYCLE");
      turn_end(&t.turn);
    }
  }
}

/* The callback returns a future that is settled before, while or after. */
static void adopt(int way, int inner_way, int inner_code, const char *seen) {
  trial_t t;
  uvow_future_t *f = begin(&t, way, 0);
  turn_mark_t a = turn_mark(&t.turn, "a");
  turn_mark_t b = turn_mark(&t.turn, "b");
  uvow_promise_t *p;
  uvow_future_t *inner = uvow_promise_new(t.turn.loop, &p);
  a.next = uvow_next_future(inner);
  f = uvow_future_then(f, turn_then, &a);
  uvow_future_done(uvow_future_ref(f), turn_done, &b);
  if (inner_way == BEFORE)
    settle(p, inner_code);
  finish(&t);
  if (inner_way != BEFORE) {
    assert_string_equal(turn_result(&t.turn, f), "?");
    turn_expect(&t.turn, "a+1");
    settle(p, inner_code);
    assert_string_equal(turn_result(&t.turn, f), "?");
    turn_run(&t.turn);
  } else {
    assert_memory_equal(t.turn.log, "a+1 ", 4);
    memmove(t.turn.log, t.turn.log + 4, strlen(t.turn.log + 3));
  }
  turn_expect(&t.turn, seen);
  assert_string_equal(turn_result(&t.turn, f), seen + 1);
  uvow_future_unref(f);
  turn_end(&t.turn);
}

TEST_CASE(aplus_2_3_2_1_a_pending_future_is_waited_for) {
  for (int way = 0; way < WAYS; way++) {
    adopt(way, LATER, 0, "b+1");
    adopt(way, LATER, UVOW_EURL, "b!EURL");
  }
}

TEST_CASE(aplus_2_3_2_2_a_fulfilled_future_gives_its_value) {
  for (int way = 0; way < WAYS; way++)
    adopt(way, BEFORE, 0, "b+1");
}

TEST_CASE(aplus_2_3_2_3_a_rejected_future_gives_its_reason) {
  turn_t turn;
  turn_init(&turn);
  turn_mark_t a = turn_mark(&turn, "a");
  turn_mark_t b = turn_mark(&turn, "b");
  uvow_error_t *error = uvow_error_new(turn.loop, UVOW_EURL, NULL);
  uvow_future_t *f = uvow_future_fulfilled(turn.loop, uvow_value_none());
  a.next =
      uvow_next_future(uvow_future_rejected(turn.loop, uvow_error_ref(error)));
  f = uvow_future_then(f, turn_then, &a);
  uvow_future_done(uvow_future_ref(f), turn_done, &b);
  turn_run(&turn);
  turn_expect(&turn, "a+ b!EURL");
  uvow_result_t result;
  assert_int_equal(uvow_future_peek(f, &result), 0);
  assert_ptr_equal(result.error, error);
  uvow_future_unref(f);
  uvow_error_unref(error);
  turn_end(&turn);
}

TEST_CASE(aplus_2_3_4_any_other_value_fulfills) {
  answer(0, uvow_next_value(uvow_value_double(0.5)), "a+1 b+double");
  answer(0, uvow_next_value(uvow_value_text("x")), "a+1 b+text");
  answer(0, uvow_next_value(uvow_value_ptr(&uvow_type_text, NULL)),
         "a+1 b+text");
}

TEST_MODULE(aplus) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(aplus_2_1_1_pending_may_become_either),
      cmocka_unit_test(aplus_2_1_2_fulfilled_stays_with_its_value),
      cmocka_unit_test(aplus_2_1_3_rejected_stays_with_its_reason),
      cmocka_unit_test(aplus_2_1_3_2_the_reason_is_the_same_object),
      cmocka_unit_test(aplus_2_2_1_both_callbacks_are_optional),
      cmocka_unit_test(aplus_2_2_2_1_on_value_is_given_the_value),
      cmocka_unit_test(aplus_2_2_2_2_on_value_isnt_called_before),
      cmocka_unit_test(aplus_2_2_2_3_on_value_is_called_once),
      cmocka_unit_test(aplus_2_2_3_1_on_error_is_given_the_reason),
      cmocka_unit_test(aplus_2_2_3_2_on_error_isnt_called_before),
      cmocka_unit_test(aplus_2_2_3_3_on_error_is_called_once),
      cmocka_unit_test(aplus_2_2_4_no_callback_on_the_stack_of_another),
      cmocka_unit_test(aplus_2_2_4_not_within_the_call_that_settles),
      cmocka_unit_test(aplus_2_2_4_not_within_the_call_that_attaches),
      cmocka_unit_test(aplus_2_2_5_a_callback_is_given_its_own_data),
      cmocka_unit_test(aplus_2_2_6_1_values_come_in_order_of_attachment),
      cmocka_unit_test(aplus_2_2_6_2_errors_come_in_order_of_attachment),
      cmocka_unit_test(aplus_2_2_6_order_holds_across_the_settling),
      cmocka_unit_test(aplus_2_2_7_then_returns_another_future),
      cmocka_unit_test(aplus_2_2_7_1_what_on_value_returns_is_the_result),
      cmocka_unit_test(aplus_2_2_7_1_what_on_error_returns_is_the_result),
      cmocka_unit_test(aplus_2_2_7_2_an_error_from_on_value_rejects),
      cmocka_unit_test(aplus_2_2_7_2_an_error_from_on_error_rejects),
      cmocka_unit_test(aplus_2_2_7_3_no_on_value_passes_the_value),
      cmocka_unit_test(aplus_2_2_7_4_no_on_error_passes_the_reason),
      cmocka_unit_test(aplus_2_3_1_own_future_is_a_cycle),
      cmocka_unit_test(aplus_2_3_2_1_a_pending_future_is_waited_for),
      cmocka_unit_test(aplus_2_3_2_2_a_fulfilled_future_gives_its_value),
      cmocka_unit_test(aplus_2_3_2_3_a_rejected_future_gives_its_reason),
      cmocka_unit_test(aplus_2_3_4_any_other_value_fulfills),
  };
  return cmocka_run_group_tests_name("future/aplus", tests, NULL, NULL);
}
