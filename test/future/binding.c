/*
 * F13: what a garbage-collected binding needs: a promise that is freed without
 * settling, data that a future owns, a future that is given up.
 */
#include "support/turn.h"

#include <uvow/combine.h>

static void a_freed_promise_leaves_its_future_pending(void **state) {
  (void)state;
  turn_t turn;
  uvow_promise_t *p;
  turn_init(&turn);
  turn_mark_t a = turn_mark(&turn, "a");
  uvow_future_t *f = turn_chain(uvow_promise_new(turn.loop, &p), &a);
  uvow_promise_on_cancel(p, turn_cancel, &a, turn_destroy);
  uvow_promise_free(NULL);
  uvow_promise_free(p);
  turn_expect(&turn, "");
  turn_run(&turn);
  turn_expect(&turn, "a."); /* on_cancel's data: the promise is used up */
  assert_string_equal(turn_result(&turn, f), "?");
  assert_int_equal(turn.rt.links.live, 2);
  uvow_future_unref(uvow_future_ref(f)); /* one handle of two */
  assert_int_equal(turn.rt.links.live, 2);
  uvow_future_unref(f);
  turn_run(&turn);
  turn_expect(&turn, "a."); /* no callback */
  assert_int_equal(turn.rt.unpromised, 0);
  turn_end(&turn);
}

static void it_can_be_canceled_and_closed(void **state) {
  (void)state;
  for (int close = 0; close < 2; close++) {
    turn_t turn;
    uvow_promise_t *p;
    turn_init(&turn);
    turn_mark_t a = turn_mark(&turn, "a"), b = turn_mark(&turn, "b");
    uvow_future_t *f = uvow_promise_new(turn.loop, &p);
    f = uvow_future_finally(f, turn_finally, &a);
    uvow_future_t *kept = uvow_future_ref(f);
    uvow_future_done(f, turn_done, &b);
    uvow_promise_free(p);
    turn_run(&turn);
    assert_string_equal(turn_result(&turn, kept), "?");
    if (close)
      turn_close(&turn);
    else
      assert_int_equal(uvow_future_cancel(kept), 0);
    if (!close)
      turn_run(&turn);
    turn_expect(&turn, close ? "a~ b!ECLOSED" : "a~ b!ECANCELED");
    assert_int_equal(turn.rt.unpromised, 0);
    uvow_future_unref(kept);
    if (close)
      turn_assert_released(&turn);
    else
      turn_end(&turn);
  }
}

/* A tree on one root: it lives while one handle does, whichever. */
static void all_that_hangs_on_it_goes_together(void **state) {
  (void)state;
  for (int last = 0; last < 4; last++) {
    turn_t turn;
    uvow_promise_t *p;
    turn_init(&turn);
    turn_mark_t a = turn_mark(&turn, "a"), b = turn_mark(&turn, "b");
    turn_mark_t c = turn_mark(&turn, "c"), d = turn_mark(&turn, "d");
    uvow_future_t *h[4];
    h[0] = uvow_promise_new(turn.loop, &p);
    h[1] = turn_chain(uvow_future_ref(h[0]), &a);
    h[2] = turn_chain(uvow_future_ref(h[0]), &b);
    h[3] = turn_chain(uvow_future_ref(h[1]), &c);
    uvow_future_done(uvow_future_ref(h[3]), turn_done, &d);
    uvow_promise_free(p);
    for (int i = 0; i < 4; i++)
      if (i != last)
        uvow_future_unref(h[i]);
    turn_run(&turn);
    turn_expect(&turn, "");
    assert_int_equal(turn.rt.links.live, 5);
    uvow_future_unref(h[last]);
    turn_run(&turn);
    turn_expect(&turn, "a. b. c.");
    turn_end(&turn);
  }
}

/* What may still settle a part of it keeps all: a timer, a group. */
static void what_waits_otherwise_is_a_handle(void **state) {
  (void)state;
  turn_t turn;
  uvow_promise_t *p, *q;
  turn_init(&turn);
  turn_mark_t a = turn_mark(&turn, "a"), b = turn_mark(&turn, "b");
  uvow_future_t *f = uvow_future_timeout(uvow_promise_new(turn.loop, &p), 5);
  uvow_future_done(f, turn_done, &a);
  uvow_promise_free(p);
  uvow_future_t *two[2];
  two[0] = uvow_promise_new(turn.loop, &p);
  two[1] = uvow_promise_new(turn.loop, &q);
  uvow_future_done(uvow_future_race(turn.loop, two, 2), turn_done, &b);
  uvow_promise_free(p);
  turn_run(&turn);
  uvow_promise_fulfill(q, uvow_value_int64(3));
  turn_run(&turn);
  turn_expect(&turn, "b+3");
  assert_int_equal(turn.rt.unpromised, 1);
  turn.now_ns += 6000000;
  uvow__runtime_enter(&turn.rt);
  uvow__runtime_expire(&turn.rt);
  uvow__runtime_leave(&turn.rt);
  turn_run(&turn);
  turn_expect(&turn, "a!ETIMEDOUT");
  turn_end(&turn);
}

static void a_million_links_are_freed_in_a_loop(void **state) {
  enum { LINKS = 200000 };
  (void)state;
  turn_t turn;
  uvow_promise_t *p;
  turn_init(&turn);
  uvow_future_t *f = uvow_promise_new(turn.loop, &p);
  for (int i = 0; i < LINKS; i++)
    f = uvow_future_then(f, NULL, NULL);
  uvow_promise_free(p);
  uvow_future_unref(f);
  assert_int_equal(turn.rt.links.live, 0);
  turn_end(&turn);
}

static void own_destroys_after_the_last_callback(void **state) {
  (void)state;
  for (int kind = 0; kind < 4; kind++) {
    turn_t turn;
    uvow_promise_t *p;
    turn_init(&turn);
    turn_mark_t a = turn_mark(&turn, "a"), own = turn_mark(&turn, "own");
    turn_item_t item;
    uvow_future_t *f = uvow_promise_new(turn.loop, &p);
    f = uvow_future_own(f, &own, turn_destroy);
    uvow_future_done(uvow_future_ref(f), turn_done, &a);
    uvow_future_done(f, turn_done, &a);
    if (kind == 0)
      uvow_promise_fulfill(p, turn_item(&turn_type_unique, &item));
    else if (kind == 1)
      uvow_promise_drop(p);
    else if (kind == 2)
      turn_close(&turn);
    else
      uvow_promise_free(p);
    turn_expect(&turn, kind == 2 ? "a!ECLOSED a!ECLOSED own." : "");
    if (kind != 2)
      turn_run(&turn);
    turn_expect(&turn, kind == 0   ? "a+unique a+unique own."
                       : kind == 1 ? "a!EBROKEN a!EBROKEN own."
                       : kind == 2 ? ""
                                   : "own.");
    if (kind == 2) {
      uvow_promise_drop(p);
      turn_assert_released(&turn);
    } else {
      turn_end(&turn);
    }
  }
}

static void own_takes_its_data_also_on_failure(void **state) {
  (void)state;
  turn_t turn;
  turn_init(&turn);
  turn_mark_t own = turn_mark(&turn, "own");
  assert_null(uvow_future_own(NULL, &own, turn_destroy));
  turn_expect(&turn, "own.");
  uvow_future_t *f = uvow_future_fulfilled(turn.loop, uvow_value_none());
  turn_close(&turn);
  assert_null(uvow_future_own(f, &own, turn_destroy));
  turn_expect(&turn, "own.");
  turn_assert_released(&turn);
}

static void drop_cancels_what_nobody_else_wants(void **state) {
  (void)state;
  turn_t turn;
  uvow_promise_t *p;
  turn_init(&turn);
  turn_mark_t a = turn_mark(&turn, "a");
  uvow_future_drop(NULL);
  uvow_future_t *f = uvow_promise_new(turn.loop, &p);
  uvow_promise_on_cancel(p, turn_cancel, &a, NULL);
  uvow_future_drop(uvow_future_ref(f)); /* another has it */
  turn_run(&turn);
  turn_expect(&turn, "");
  uvow_future_drop(uvow_future_then(f, NULL, NULL));
  turn_run(&turn);
  turn_expect(&turn, "a^");
  uvow_promise_drop(p);
  uvow_future_drop(uvow_future_rejected(turn.loop, NULL)); /* no report */
  turn_end(&turn);
}

TEST_MODULE(binding) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_freed_promise_leaves_its_future_pending),
      cmocka_unit_test(it_can_be_canceled_and_closed),
      cmocka_unit_test(all_that_hangs_on_it_goes_together),
      cmocka_unit_test(what_waits_otherwise_is_a_handle),
      cmocka_unit_test(a_million_links_are_freed_in_a_loop),
      cmocka_unit_test(own_destroys_after_the_last_callback),
      cmocka_unit_test(own_takes_its_data_also_on_failure),
      cmocka_unit_test(drop_cancels_what_nobody_else_wants),
  };
  return cmocka_run_group_tests_name("future/binding", tests, NULL, NULL);
}
