/* The cleanup: once, whatever happened, and the result goes past it. */
#include "support/turn.h"

/* A finally whose callback answers `next`, on a future that is settled so. */
static void cleanup(int code, uvow_next_t next, const char *seen) {
  turn_t turn;
  turn_init(&turn);
  turn_mark_t a = turn_mark(&turn, "a");
  turn_mark_t b = turn_mark(&turn, "b");
  uvow_promise_t *p;
  uvow_future_t *f = uvow_promise_new(turn.loop, &p);
  a.next = next;
  uvow_future_done(uvow_future_finally(f, turn_finally, &a), turn_done, &b);
  if (code)
    uvow_promise_reject_code(p, code, NULL);
  else
    uvow_promise_fulfill(p, uvow_value_int64(1));
  turn_run(&turn);
  turn_expect(&turn, seen);
  turn_end(&turn);
}

TEST_CASE(f3_finally_passes_the_result_on) {
  cleanup(0, uvow_next_pass(), "a~ b+1");
  cleanup(UVOW_EURL, uvow_next_pass(), "a~ b!EURL");
  cleanup(0, uvow_next_none(), "a~ b+1");
  cleanup(UVOW_EURL, uvow_next_none(), "a~ b!EURL");
  cleanup(0, uvow_next_value(uvow_value_int64(9)), "a~ b+1");
}

TEST_CASE(f3_an_error_of_finally_replaces_the_result) {
  cleanup(0, uvow_next_code(UVOW_EPROTO, NULL), "a~ b!EPROTO");
  cleanup(UVOW_EURL, uvow_next_code(UVOW_EPROTO, NULL), "a~ b!EPROTO");
  cleanup(0, uvow_next_error(NULL), "a~ b!EINVAL");
  cleanup(0, uvow_next_future(NULL), "a~ b!ENOMEM");
}

TEST_CASE(f3_a_value_of_finally_is_released) {
  turn_item_t item;
  cleanup(0, uvow_next_value(turn_item(&turn_type_unique, &item)), "a~ b+1");
  assert_int_equal(item.destroyed, 1);
}

/* A finally that waits for a future. */
typedef struct waiting {
  turn_t turn;
  turn_mark_t a;
  turn_mark_t b;
  uvow_promise_t *source;
  uvow_promise_t *inner;
  uvow_future_t *link;
} waiting_t;

static void waiting_init(waiting_t *w) {
  turn_init(&w->turn);
  w->a = turn_mark(&w->turn, "a");
  w->b = turn_mark(&w->turn, "b");
  w->a.next = uvow_next_future(uvow_promise_new(w->turn.loop, &w->inner));
  uvow_future_t *f = uvow_promise_new(w->turn.loop, &w->source);
  w->link = uvow_future_finally(f, turn_finally, &w->a);
  uvow_future_done(uvow_future_ref(w->link), turn_done, &w->b);
}

TEST_CASE(f3_finally_waits_for_a_future) {
  for (int reject = 0; reject < 2; reject++) {
    waiting_t w;
    turn_item_t item;
    waiting_init(&w);
    if (reject)
      uvow_promise_reject_code(w.source, UVOW_EURL, NULL);
    else
      uvow_promise_fulfill(w.source, uvow_value_int64(1));
    turn_run(&w.turn);
    turn_expect(&w.turn, "a~");
    uvow_promise_fulfill(w.inner, turn_item(&turn_type_unique, &item));
    turn_run(&w.turn);
    assert_int_equal(item.destroyed, 1);
    turn_expect(&w.turn, reject ? "b!EURL" : "b+1");
    uvow_future_unref(w.link);
    turn_end(&w.turn);
  }
}

TEST_CASE(f3_a_rejected_future_of_finally_replaces) {
  for (int reject = 0; reject < 2; reject++) {
    waiting_t w;
    turn_item_t item;
    waiting_init(&w);
    if (reject)
      uvow_promise_drop(w.source);
    else
      uvow_promise_fulfill(w.source, turn_item(&turn_type_unique, &item));
    turn_run(&w.turn);
    uvow_promise_reject_code(w.inner, UVOW_EURL, NULL);
    turn_run(&w.turn);
    turn_expect(&w.turn, "a~ b!EURL");
    if (!reject)
      assert_int_equal(item.destroyed, 1);
    uvow_future_unref(w.link);
    turn_end(&w.turn);
  }
}

TEST_CASE(f4_a_unique_value_waits_with_the_cleanup) {
  waiting_t w;
  turn_item_t item;
  waiting_init(&w);
  uvow_promise_fulfill(w.source, turn_item(&turn_type_unique, &item));
  turn_run(&w.turn);
  assert_int_equal(item.destroyed, 0);
  uvow_promise_fulfill(w.inner, uvow_value_none());
  turn_run(&w.turn);
  turn_expect(&w.turn, "a~ b+unique");
  assert_int_equal(item.destroyed, 0);
  uvow_future_unref(w.link);
  turn_run(&w.turn);
  assert_int_equal(item.destroyed, 1);
  turn_end(&w.turn);
}

TEST_CASE(f3_finally_may_give_a_settled_future) {
  for (int reject = 0; reject < 2; reject++) {
    turn_t turn;
    turn_init(&turn);
    turn_mark_t a = turn_mark(&turn, "a");
    turn_mark_t b = turn_mark(&turn, "b");
    uvow_future_t *f = uvow_future_fulfilled(turn.loop, uvow_value_int64(1));
    uvow_future_t *inner =
        reject ? uvow_future_rejected(turn.loop, NULL)
               : uvow_future_fulfilled(turn.loop, uvow_value_int64(2));
    a.next = uvow_next_future(inner);
    f = uvow_future_finally(f, turn_finally, &a);
    uvow_future_done(f, turn_done, &b);
    turn_run(&turn);
    turn_expect(&turn, reject ? "a~ b!EINVAL" : "a~ b+1");
    turn_end(&turn);
  }
}

TEST_CASE(finally_with_another_loops_future_is_invalid) {
  turn_t other;
  turn_init(&other);
  cleanup(
      0, uvow_next_future(uvow_future_fulfilled(other.loop, uvow_value_none())),
      "a~ b!EINVAL");
  turn_end(&other);
}

TEST_CASE(f7_canceled_before_its_turn_it_still_cleans_up) {
  turn_t turn;
  turn_init(&turn);
  turn_mark_t a = turn_mark(&turn, "a");
  turn_mark_t b = turn_mark(&turn, "b");
  turn_mark_t c = turn_mark(&turn, "c");
  turn_mark_t d = turn_mark(&turn, "d");
  uvow_promise_t *p;
  uvow_future_t *f = uvow_promise_new(turn.loop, &p);
  uvow_promise_on_cancel(p, turn_cancel, &c, NULL);
  f = turn_chain(f, &a);
  f = uvow_future_finally(f, turn_finally, &b);
  f = turn_chain(f, &d);
  assert_int_equal(uvow_future_cancel(f), 0);
  assert_string_equal(turn_result(&turn, f), "?"); /* until it has */
  assert_int_equal(uvow_future_cancel(f), UVOW_EALREADY);
  turn_run(&turn);
  assert_string_equal(turn_result(&turn, f), "!ECANCELED");
  turn_expect(&turn, "c^ a. b~ d.");
  uvow_future_unref(f);
  uvow_promise_drop(p);
  turn_end(&turn);
}

TEST_CASE(f7_canceled_itself_before_its_turn) {
  for (int settled = 0; settled < 2; settled++) {
    turn_t turn;
    turn_init(&turn);
    turn_mark_t a = turn_mark(&turn, "a");
    turn_mark_t b = turn_mark(&turn, "b");
    uvow_promise_t *p;
    uvow_future_t *f = uvow_promise_new(turn.loop, &p);
    f = uvow_future_finally(f, turn_finally, &a);
    uvow_future_done(uvow_future_ref(f), turn_done, &b);
    if (settled)
      uvow_promise_fulfill(p, uvow_value_none());
    assert_int_equal(uvow_future_cancel(f), 0);
    assert_int_equal(uvow_future_cancel(f), UVOW_EALREADY);
    uvow_future_unref(f);
    turn_expect(&turn, ""); /* not on the canceler's stack */
    turn_run(&turn);
    turn_expect(&turn, "a~ b!ECANCELED");
    if (!settled)
      uvow_promise_drop(p);
    turn_end(&turn);
  }
}

TEST_CASE(what_a_canceled_cleanup_answers_is_released) {
  turn_t turn;
  turn_item_t item;
  turn_init(&turn);
  uvow_promise_t *p;
  turn_mark_t c = turn_mark(&turn, "c");
  uvow_future_t *inner = uvow_promise_new(turn.loop, &p);
  uvow_promise_on_cancel(p, turn_cancel, &c, NULL);
  uvow_next_t nexts[4];
  nexts[0] = uvow_next_value(turn_item(&turn_type_unique, &item));
  nexts[1] = uvow_next_error(uvow_error_new(turn.loop, UVOW_EURL, NULL));
  nexts[2] = uvow_next_code(UVOW_EURL, NULL);
  nexts[3] = uvow_next_future(inner);
  for (int i = 0; i < 4; i++) {
    uvow_promise_t *q;
    turn_mark_t a = turn_mark(&turn, "a");
    a.next = nexts[i];
    uvow_future_t *f = uvow_promise_new(turn.loop, &q);
    f = uvow_future_finally(f, turn_finally, &a);
    uvow_future_cancel(f);
    uvow_future_unref(f);
    uvow_promise_drop(q);
    turn_run(&turn);
    turn_expect(&turn, "a~");
    /* An error of a cleanup is none of the cancel's. */
    turn_expect_unhandled(&turn, i == 1 || i == 2 ? "EURL" : "");
  }
  assert_int_equal(item.destroyed, 1);
  uvow_promise_fulfill(p, uvow_value_none()); /* it was waited for */
  turn_end(&turn);
}

TEST_CASE(f7_canceled_while_it_waits_for_a_future) {
  waiting_t w;
  turn_item_t item;
  waiting_init(&w);
  turn_mark_t c = turn_mark(&w.turn, "c");
  uvow_promise_on_cancel(w.inner, turn_cancel, &c, NULL);
  uvow_promise_fulfill(w.source, turn_item(&turn_type_unique, &item));
  turn_run(&w.turn);
  turn_expect(&w.turn, "a~");
  assert_int_equal(uvow_future_cancel(w.link), 0);
  assert_int_equal(uvow_future_cancel(w.link), UVOW_EALREADY);
  turn_run(&w.turn);
  turn_expect(&w.turn, ""); /* the cleanup under way goes on: no c^ */
  uvow_promise_fulfill(w.inner, uvow_value_none());
  turn_run(&w.turn);
  turn_expect(&w.turn, "b!ECANCELED");
  assert_int_equal(item.destroyed, 1); /* what it held back */
  uvow_future_unref(w.link);
  turn_end(&w.turn);
}

static void cancels_future(turn_mark_t *mark) {
  assert_int_equal(uvow_future_cancel(mark->future), 0);
}

TEST_CASE(f7_canceled_within_its_own_cleanup) {
  for (int kind = 0; kind < 3; kind++) {
    turn_t turn;
    turn_item_t item;
    turn_init(&turn);
    turn_mark_t a = turn_mark(&turn, "a");
    turn_mark_t b = turn_mark(&turn, "b");
    uvow_promise_t *q = NULL;
    uvow_future_t *f =
        uvow_future_fulfilled(turn.loop, turn_item(&turn_type_unique, &item));
    f = uvow_future_finally(f, turn_finally, &a);
    a.act = cancels_future;
    a.future = f;
    if (kind == 1)
      a.next = uvow_next_error(uvow_error_new(turn.loop, UVOW_EURL, NULL));
    if (kind == 2)
      a.next = uvow_next_future(uvow_promise_new(turn.loop, &q));
    uvow_future_done(uvow_future_ref(f), turn_done, &b);
    turn_run(&turn);
    uvow_promise_fulfill(q, uvow_value_none());
    turn_run(&turn);
    turn_expect(&turn, kind == 1 ? "a~ b!EURL" : "a~ b!ECANCELED"); /* once */
    assert_int_equal(item.destroyed, 1);
    uvow_future_unref(f);
    turn_end(&turn);
  }
}

TEST_CASE(finally_on_an_endless_chain_waits_for_its_end) {
  waiting_t w;
  waiting_init(&w);
  uvow_promise_fulfill(w.source, uvow_value_int64(1));
  uvow_promise_t *p = w.inner;
  turn_run(&w.turn);
  size_t live = w.turn.rt.links.live;
  for (int i = 0; i < 10; i++) { /* each follows the next: one link is kept */
    uvow_promise_t *next;
    uvow_promise_follow(p, uvow_promise_new(w.turn.loop, &next));
    p = next;
    turn_run(&w.turn);
  }
  assert_true(w.turn.rt.links.live <= live + 1);
  turn_expect(&w.turn, "a~");
  uvow_promise_drop(p);
  turn_run(&w.turn);
  turn_expect(&w.turn, "b!EBROKEN");
  uvow_future_unref(w.link);
  turn_end(&w.turn);
}

TEST_MODULE(finally) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(f3_finally_passes_the_result_on),
      cmocka_unit_test(f3_an_error_of_finally_replaces_the_result),
      cmocka_unit_test(f3_a_value_of_finally_is_released),
      cmocka_unit_test(f3_finally_waits_for_a_future),
      cmocka_unit_test(f3_a_rejected_future_of_finally_replaces),
      cmocka_unit_test(f4_a_unique_value_waits_with_the_cleanup),
      cmocka_unit_test(f3_finally_may_give_a_settled_future),
      cmocka_unit_test(finally_with_another_loops_future_is_invalid),
      cmocka_unit_test(f7_canceled_before_its_turn_it_still_cleans_up),
      cmocka_unit_test(f7_canceled_itself_before_its_turn),
      cmocka_unit_test(what_a_canceled_cleanup_answers_is_released),
      cmocka_unit_test(f7_canceled_while_it_waits_for_a_future),
      cmocka_unit_test(f7_canceled_within_its_own_cleanup),
      cmocka_unit_test(finally_on_an_endless_chain_waits_for_its_end),
  };
  return cmocka_run_group_tests_name("future/finally", tests, NULL, NULL);
}
