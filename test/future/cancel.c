/*
 * F7: a cancel goes up the chain as far as nobody else waits or holds, begins
 * there as a rejection, and tells the owner at the root: all of it later than
 * the call.
 */
#include "support/turn.h"

/* p -> a -> b -> c, with marks on each, and on the promise. */
typedef struct chain {
  turn_t turn;
  turn_mark_t root, a, b, c, end;
  uvow_promise_t *promise;
  uvow_future_t *first;
  uvow_future_t *fa, *fb, *fc; /* without a reference of their own, but fc */
} chain_t;

static void chain_init(chain_t *t) {
  turn_init(&t->turn);
  t->root = turn_mark(&t->turn, "root");
  t->a = turn_mark(&t->turn, "a");
  t->b = turn_mark(&t->turn, "b");
  t->c = turn_mark(&t->turn, "c");
  t->end = turn_mark(&t->turn, "end");
  t->first = uvow_promise_new(t->turn.loop, &t->promise);
  uvow_promise_on_cancel(t->promise, turn_cancel, &t->root, NULL);
  t->fa = turn_chain(t->first, &t->a);
  t->fb = turn_chain(t->fa, &t->b);
  t->fc = turn_chain(t->fb, &t->c);
}

TEST_CASE(cancel_a_promises_future) {
  turn_t turn;
  turn_init(&turn);
  turn_mark_t a = turn_mark(&turn, "a");
  turn_mark_t b = turn_mark(&turn, "b");
  uvow_promise_t *p;
  uvow_future_t *f = uvow_promise_new(turn.loop, &p);
  uvow_promise_on_cancel(p, turn_cancel, &a, NULL);
  uvow_future_done(uvow_future_ref(f), turn_done, &b);
  assert_int_equal(uvow_future_cancel(f), 0);
  assert_string_equal(turn_result(&turn, f), "!ECANCELED");
  turn_expect(&turn, ""); /* never within the cancel */
  turn_run(&turn);
  turn_expect(&turn, "a^ b!ECANCELED");
  uvow_promise_fulfill(p, uvow_value_none()); /* harmless */
  uvow_future_unref(f);
  turn_end(&turn);
}

TEST_CASE(cancel_goes_up_a_chain) {
  chain_t t;
  chain_init(&t);
  uvow_future_done(uvow_future_ref(t.fc), turn_done, &t.end);
  assert_int_equal(uvow_future_cancel(t.fc), 0);
  assert_string_equal(turn_result(&t.turn, t.fc), "!ECANCELED");
  turn_expect(&t.turn, "");
  uvow_future_unref(t.fc);
  turn_run(&t.turn);
  turn_expect(&t.turn, "root^ a. b. c. end!ECANCELED");
  uvow_promise_drop(t.promise);
  turn_end(&t.turn);
}

TEST_CASE(cancel_in_the_middle_rejects_what_comes_after) {
  chain_t t;
  chain_init(&t);
  assert_int_equal(uvow_future_cancel(t.fb), 0);
  turn_expect(&t.turn, "");
  turn_run(&t.turn);
  turn_expect(&t.turn, "root^ a. b. c!ECANCELED c.");
  uvow_future_unref(t.fc);
  uvow_promise_drop(t.promise);
  turn_end(&t.turn);
}

TEST_CASE(cancel_twice_is_already) {
  chain_t t;
  chain_init(&t);
  assert_int_equal(uvow_future_cancel(t.fc), 0);
  assert_int_equal(uvow_future_cancel(t.fc), UVOW_EALREADY);
  turn_run(&t.turn);
  assert_int_equal(uvow_future_cancel(t.fc), UVOW_EALREADY);
  turn_expect(&t.turn, "root^ a. b. c.");
  uvow_future_unref(t.fc);
  uvow_promise_drop(t.promise);
  turn_end(&t.turn);
}

TEST_CASE(cancel_after_settling_is_already) {
  chain_t t;
  chain_init(&t);
  uvow_promise_fulfill(t.promise, uvow_value_int64(1));
  turn_run(&t.turn);
  assert_int_equal(uvow_future_cancel(t.fc), UVOW_EALREADY);
  assert_string_equal(turn_result(&t.turn, t.fc), "+1");
  uvow_future_unref(t.fc);
  turn_expect(&t.turn, "a+1 a. b+1 b. c+1 c.");
  turn_end(&t.turn);
}

TEST_CASE(cancel_what_stands_in_the_queue) {
  chain_t t;
  chain_init(&t);
  uvow_promise_fulfill(t.promise, uvow_value_int64(1));
  assert_int_equal(uvow_future_cancel(t.fc), 0);
  turn_run(&t.turn);
  turn_expect(&t.turn, "a. b. c."); /* the root is settled: it isn't told */
  uvow_future_unref(t.fc);
  turn_end(&t.turn);
}

TEST_CASE(cancel_one_branch_of_two_leaves_the_other) {
  chain_t t;
  chain_init(&t);
  turn_mark_t d = turn_mark(&t.turn, "d");
  uvow_future_t *other = turn_chain(uvow_future_ref(t.fb), &d);
  assert_int_equal(uvow_future_cancel(t.fc), 0);
  turn_run(&t.turn);
  turn_expect(&t.turn, "c.");
  assert_string_equal(turn_result(&t.turn, t.fb), "?");
  uvow_promise_fulfill(t.promise, uvow_value_int64(1));
  turn_run(&t.turn);
  turn_expect(&t.turn, "a+1 a. b+1 b. d+1 d.");
  uvow_future_unref(other);
  uvow_future_unref(t.fc);
  turn_end(&t.turn);
}

TEST_CASE(cancel_both_branches_reaches_the_root) {
  chain_t t;
  chain_init(&t);
  turn_mark_t d = turn_mark(&t.turn, "d");
  uvow_future_t *other = turn_chain(uvow_future_ref(t.fb), &d);
  assert_int_equal(uvow_future_cancel(t.fc), 0);
  assert_int_equal(uvow_future_cancel(other), 0);
  turn_run(&t.turn);
  turn_expect(&t.turn, "c. root^ a. b. d.");
  uvow_future_unref(other);
  uvow_future_unref(t.fc);
  uvow_promise_drop(t.promise);
  turn_end(&t.turn);
}

TEST_CASE(cancel_leaves_a_source_that_is_held) {
  chain_t t;
  chain_init(&t);
  uvow_future_t *held = uvow_future_ref(t.fa);
  assert_int_equal(uvow_future_cancel(t.fc), 0);
  turn_run(&t.turn);
  turn_expect(&t.turn, "b. c.");
  assert_string_equal(turn_result(&t.turn, held), "?");
  uvow_promise_fulfill(t.promise, uvow_value_int64(1));
  turn_run(&t.turn);
  turn_expect(&t.turn, "a+1 a.");
  assert_string_equal(turn_result(&t.turn, held), "+1");
  uvow_future_unref(held);
  uvow_future_unref(t.fc);
  turn_end(&t.turn);
}

TEST_CASE(cancel_goes_through_adoption) {
  chain_t t;
  chain_init(&t);
  uvow_promise_t *inner;
  turn_mark_t in = turn_mark(&t.turn, "in");
  turn_mark_t x = turn_mark(&t.turn, "x");
  uvow_future_t *f = uvow_promise_new(t.turn.loop, &inner);
  uvow_promise_on_cancel(inner, turn_cancel, &in, NULL);
  t.b.next = uvow_next_future(turn_chain(f, &x));
  uvow_promise_fulfill(t.promise, uvow_value_int64(1));
  turn_run(&t.turn);
  turn_expect(&t.turn, "a+1 a. b+1 b.");
  assert_int_equal(uvow_future_cancel(t.fc), 0);
  turn_run(&t.turn);
  turn_expect(&t.turn, "in^ x. c.");
  uvow_future_unref(t.fc);
  uvow_promise_drop(inner);
  turn_end(&t.turn);
}

TEST_CASE(cancel_goes_through_a_followed_promise) {
  chain_t t;
  chain_init(&t);
  uvow_promise_t *p;
  uvow_future_t *f = uvow_promise_new(t.turn.loop, &p);
  uvow_promise_on_cancel(p, turn_cancel, &t.end,
                         NULL); /* gone with the promise */
  uvow_promise_follow(p, t.fc);
  assert_int_equal(uvow_future_cancel(f), 0);
  turn_run(&t.turn);
  turn_expect(&t.turn, "root^ a. b. c.");
  uvow_future_unref(f);
  uvow_promise_drop(t.promise);
  turn_end(&t.turn);
}

static void cancels_future(turn_mark_t *mark) {
  assert_int_equal(uvow_future_cancel(mark->future), 0);
}

/* The callback cancels its own link, and answers in one of all ways. */
TEST_CASE(cancel_within_its_own_callback) {
  for (int kind = 0; kind < 5; kind++) {
    chain_t t;
    chain_init(&t);
    turn_item_t item = {0, 1};
    uvow_promise_t *q = NULL;
    t.b.act = cancels_future;
    t.b.future = t.fb;
    if (kind == 1)
      t.b.next = uvow_next_value(turn_item(&turn_type_unique, &item));
    else if (kind == 2)
      t.b.next = uvow_next_error(uvow_error_new(t.turn.loop, UVOW_EURL, NULL));
    else if (kind == 3)
      t.b.next = uvow_next_future(uvow_promise_new(t.turn.loop, &q));
    else if (kind == 4)
      t.b.next = uvow_next_code(UVOW_EURL, "text");
    if (q)
      uvow_promise_on_cancel(q, turn_cancel, &t.root, NULL);
    uvow_promise_fulfill(t.promise, uvow_value_int64(1));
    turn_run(&t.turn);
    /* A future that nobody will wait for is canceled with it. */
    turn_expect(&t.turn, q ? "a+1 a. b+1 b. c!ECANCELED c. root^"
                           : "a+1 a. b+1 b. c!ECANCELED c.");
    assert_int_equal(item.destroyed, 1);
    uvow_future_unref(t.fc);
    uvow_promise_drop(q);
    turn_end(&t.turn);
  }
}

TEST_CASE(cancel_from_downstream_within_a_callback) {
  chain_t t;
  chain_init(&t);
  t.b.act = cancels_future; /* b runs; c, that only waits for b, is canceled */
  t.b.future = t.fc;
  t.b.next = uvow_next_value(uvow_value_int64(2));
  uvow_promise_fulfill(t.promise, uvow_value_int64(1));
  turn_run(&t.turn);
  turn_expect(&t.turn, "a+1 a. b+1 b. c.");
  assert_string_equal(turn_result(&t.turn, t.fc), "!ECANCELED");
  uvow_future_unref(t.fc);
  turn_end(&t.turn);
}

TEST_CASE(cancel_within_anothers_callback) {
  chain_t t;
  chain_init(&t);
  turn_mark_t d = turn_mark(&t.turn, "d");
  uvow_future_t *other = uvow_future_fulfilled(t.turn.loop, uvow_value_none());
  d.act = cancels_future;
  d.future = t.fc;
  uvow_future_done(other, turn_done, &d);
  uvow_promise_fulfill(t.promise, uvow_value_int64(1)); /* a is queued after */
  turn_run(&t.turn);
  turn_expect(&t.turn, "d+ a. b. c.");
  uvow_future_unref(t.fc);
  turn_end(&t.turn);
}

TEST_CASE(cancel_within_a_sibling_that_runs_first) {
  turn_t turn;
  turn_init(&turn);
  turn_mark_t a = turn_mark(&turn, "a");
  turn_mark_t b = turn_mark(&turn, "b");
  uvow_promise_t *p;
  uvow_future_t *f = uvow_promise_new(turn.loop, &p);
  uvow_future_t *fa = turn_chain(uvow_future_ref(f), &a);
  uvow_future_t *fb = turn_chain(f, &b);
  a.act = cancels_future;
  a.future = fb;
  uvow_promise_fulfill(p, uvow_value_int64(1));
  turn_run(&turn);
  turn_expect(&turn, "a+1 a. b.");
  uvow_future_unref(fa);
  uvow_future_unref(fb);
  turn_end(&turn);
}

static void drops_promise(turn_mark_t *mark) {
  uvow_promise_drop(mark->promise);
}

static void fulfills_promise(turn_mark_t *mark) {
  uvow_promise_fulfill(mark->promise, uvow_value_int64(9));
}

static void tries_promise(turn_mark_t *mark) {
  assert_int_equal(uvow_promise_try_fulfill(mark->promise, uvow_value_int64(9)),
                   UVOW_EALREADY);
  uvow_promise_follow(mark->promise, NULL);
}

TEST_CASE(on_cancel_may_end_the_promise) {
  void (*const acts[])(turn_mark_t *) = {drops_promise, fulfills_promise,
                                         tries_promise};
  for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++) {
    chain_t t;
    chain_init(&t);
    t.root.act = acts[i];
    t.root.promise = t.promise;
    assert_int_equal(uvow_future_cancel(t.fc), 0);
    turn_run(&t.turn);
    turn_expect(&t.turn, "root^ a. b. c.");
    assert_string_equal(turn_result(&t.turn, t.fc), "!ECANCELED");
    uvow_future_unref(t.fc);
    turn_end(&t.turn);
  }
}

static void drops_both(turn_mark_t *mark) {
  uvow_promise_drop(mark->promise);
  uvow_future_unref(mark->future);
}

TEST_CASE(on_cancel_may_let_go_of_all) {
  turn_t turn;
  turn_init(&turn);
  turn_mark_t a = turn_mark(&turn, "a");
  uvow_future_t *f = uvow_promise_new(turn.loop, &a.promise);
  uvow_promise_on_cancel(a.promise, turn_cancel, &a, NULL);
  a.act = drops_both;
  a.future = f;
  assert_int_equal(uvow_future_cancel(f), 0);
  turn_run(&turn);
  turn_expect(&turn, "a^");
  turn_end(&turn);
}

TEST_CASE(on_cancel_may_cancel_others) {
  chain_t t, u;
  chain_init(&t);
  chain_init(&u);
  t.root.act = cancels_future;
  t.root.future = u.fc;
  assert_int_equal(uvow_future_cancel(t.fc), 0);
  turn_run(&t.turn);
  turn_run(&u.turn);
  turn_expect(&t.turn, "root^ a. b. c.");
  turn_expect(&u.turn, "root^ a. b. c.");
  uvow_future_unref(t.fc);
  uvow_future_unref(u.fc);
  uvow_promise_drop(t.promise);
  uvow_promise_drop(u.promise);
  turn_end(&t.turn);
  turn_end(&u.turn);
}

static void attaches(turn_mark_t *mark) {
  uvow_future_done(mark->future, turn_done, mark->other);
}

TEST_CASE(on_cancel_may_attach) {
  chain_t t;
  chain_init(&t);
  t.root.act = attaches;
  t.root.future = uvow_future_ref(t.fc);
  t.root.other = &t.end;
  assert_int_equal(uvow_future_cancel(t.fc), 0);
  turn_run(&t.turn);
  turn_expect(&t.turn, "root^ a. b. c. end!ECANCELED");
  uvow_future_unref(t.fc);
  uvow_promise_drop(t.promise);
  turn_end(&t.turn);
}

TEST_CASE(on_cancel_is_told_after_the_rejection) {
  turn_t turn;
  turn_init(&turn);
  turn_mark_t a = turn_mark(&turn, "a");
  uvow_future_t *f = uvow_promise_new(turn.loop, &a.promise);
  uvow_promise_on_cancel(a.promise, turn_cancel, &a, NULL);
  a.act = tries_promise; /* it is settled by now */
  assert_int_equal(uvow_future_cancel(f), 0);
  turn_run(&turn);
  turn_expect(&turn, "a^");
  uvow_future_unref(f);
  turn_end(&turn);
}

/* F10: also a cancel, all the way up. */
/* Set once the cancel was told, or when nobody was there to be told. */
TEST_CASE(on_cancel_that_is_set_late_is_told_at_once) {
  turn_t turn;
  turn_init(&turn);
  turn_mark_t a = turn_mark(&turn, "a");
  turn_mark_t b = turn_mark(&turn, "b");
  uvow_promise_t *p;
  uvow_future_t *f = uvow_promise_new(turn.loop, &p);
  uvow_future_cancel(f);
  turn_run(&turn);
  uvow_promise_on_cancel(p, turn_cancel, &a, turn_destroy);
  turn_expect(&turn, ""); /* not within the call */
  turn_run(&turn);
  turn_expect(&turn, "a^ a.");
  uvow_promise_on_cancel(p, turn_cancel, &b, turn_destroy);
  turn_run(&turn);
  turn_expect(&turn, "b^ b.");
  uvow_promise_drop(p);
  uvow_future_unref(f);
  turn_end(&turn);
}

TEST_CASE(cancel_takes_no_memory) {
  turn_t turn;
  turn_init(&turn);
  for (int round = 0; round < 2; round++) {
    size_t calls = turn.alloc->calls;
    uvow_promise_t *promise;
    uvow_future_t *f = uvow_promise_new(turn.loop, &promise);
    for (int i = 0; i < 100; i++)
      f = uvow_future_then(f, NULL, NULL);
    assert_int_equal(uvow_future_cancel(f), 0);
    uvow_future_unref(f);
    uvow_promise_drop(promise);
    turn_run(&turn);
    if (round == 1) /* warm */
      assert_int_equal(turn.alloc->calls, calls);
  }
  turn_end(&turn);
}

TEST_MODULE(cancel) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(on_cancel_that_is_set_late_is_told_at_once),
      cmocka_unit_test(cancel_takes_no_memory),
      cmocka_unit_test(cancel_a_promises_future),
      cmocka_unit_test(cancel_goes_up_a_chain),
      cmocka_unit_test(cancel_in_the_middle_rejects_what_comes_after),
      cmocka_unit_test(cancel_twice_is_already),
      cmocka_unit_test(cancel_after_settling_is_already),
      cmocka_unit_test(cancel_what_stands_in_the_queue),
      cmocka_unit_test(cancel_one_branch_of_two_leaves_the_other),
      cmocka_unit_test(cancel_both_branches_reaches_the_root),
      cmocka_unit_test(cancel_leaves_a_source_that_is_held),
      cmocka_unit_test(cancel_goes_through_adoption),
      cmocka_unit_test(cancel_goes_through_a_followed_promise),
      cmocka_unit_test(cancel_within_its_own_callback),
      cmocka_unit_test(cancel_from_downstream_within_a_callback),
      cmocka_unit_test(cancel_within_anothers_callback),
      cmocka_unit_test(cancel_within_a_sibling_that_runs_first),
      cmocka_unit_test(on_cancel_may_end_the_promise),
      cmocka_unit_test(on_cancel_may_let_go_of_all),
      cmocka_unit_test(on_cancel_may_cancel_others),
      cmocka_unit_test(on_cancel_may_attach),
      cmocka_unit_test(on_cancel_is_told_after_the_rejection),
  };
  return cmocka_run_group_tests_name("future/cancel", tests, NULL, NULL);
}
