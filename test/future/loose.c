/* Promises that are let go of without settling: what stays, and what is freed
 * when. */
#include "future/loose.h"

#include "support/turn.h"

#include <uvow/combine.h>
#include <uvow/scope.h>
#include <uvow/stream.h>
#include <uvow/work.h>

static uvow_future_t *new_loose(turn_t *turn) {
  uvow_promise_t *p;
  uvow_future_t *f = uvow_promise_new(turn->loop, &p);
  uvow_promise_free(p);
  return f;
}

TEST_CASE(null_and_settled_ones_are_let_go_of) {
  turn_t turn;
  turn_init(&turn);
  uvow_promise_t *p;
  uvow_promise_free(NULL);
  uvow_future_t *f = uvow_promise_new(turn.loop, &p);
  turn_mark_t a = turn_mark(&turn, "a");
  uvow_promise_on_cancel(p, turn_cancel, &a, turn_destroy);
  uvow_future_cancel(f);
  uvow_promise_free(p);
  uvow_future_unref(f);
  turn_run(&turn);
  turn_expect(&turn, "a.");
  turn_end(&turn);
}

/* Each handle to a part of the tree keeps all of it. */
TEST_CASE(it_lives_as_long_as_one_handle_does) {
  for (int last = 0; last < 4; last++) {
    turn_t turn;
    turn_init(&turn);
    uvow_promise_t *p;
    turn_mark_t marks[5] = {turn_mark(&turn, "p"), turn_mark(&turn, "a"),
                            turn_mark(&turn, "b"), turn_mark(&turn, "c"),
                            turn_mark(&turn, "d")};
    uvow_future_t *f[4];
    f[0] = uvow_promise_new(turn.loop, &p);
    uvow_promise_on_cancel(p, turn_cancel, &marks[0], turn_destroy);
    f[1] = turn_chain(uvow_future_ref(f[0]), &marks[1]);
    f[2] = turn_chain(uvow_future_ref(f[1]), &marks[2]);
    uvow_promise_free(p);
    f[3] = turn_chain(uvow_future_ref(f[0]), &marks[3]);
    uvow_future_done(uvow_future_ref(f[2]), turn_done, &marks[4]);
    for (int i = 0; i < 4; i++)
      if (i != last)
        uvow_future_unref(f[i]);
    turn_run(&turn);
    turn_expect(&turn, "");
    assert_int_equal(uvow_future_state(f[last]), UVOW_PENDING);
    uvow_future_unref(f[last]);
    turn_run(&turn);
    turn_expect(&turn, "b. a. c. p.");
    turn_end(&turn);
  }
}

TEST_CASE(a_done_is_told_when_the_loop_closes) {
  turn_t turn;
  turn_init(&turn);
  turn_mark_t a = turn_mark(&turn, "a");
  turn_mark_t b = turn_mark(&turn, "b");
  turn_mark_t c = turn_mark(&turn, "c");
  uvow_promise_t *p;
  uvow_future_t *f = uvow_promise_new(turn.loop, &p);
  uvow_promise_on_cancel(p, turn_cancel, &c, turn_destroy);
  uvow_future_done(uvow_future_finally(uvow_future_ref(f), turn_finally, &a),
                   turn_done, &b);
  uvow_promise_free(p);
  turn_run(&turn);
  turn_expect(&turn, "");
  turn_close(&turn);
  turn_expect(&turn, "a~ c. b!ECLOSED");
  assert_int_equal(uvow_future_state(f), UVOW_REJECTED);
  uvow_future_unref(f);
  turn_assert_released(&turn);
}

/* Cleanups run, in order, as with any other. */
TEST_CASE(it_can_be_canceled) {
  for (int with_handle = 0; with_handle < 2; with_handle++) {
    turn_t turn;
    turn_init(&turn);
    turn_mark_t a = turn_mark(&turn, "a");
    turn_mark_t b = turn_mark(&turn, "b");
    uvow_future_t *f = new_loose(&turn);
    uvow_future_t *root = with_handle ? uvow_future_ref(f) : NULL;
    f = uvow_future_finally(f, turn_finally, &a);
    f = turn_chain(f, &b);
    assert_int_equal(uvow_future_cancel(f), 0);
    turn_run(&turn);
    turn_expect(&turn, "a~ b.");
    assert_int_equal(uvow_future_state(f), UVOW_REJECTED);
    uvow_future_unref(f);
    if (root)
      assert_int_equal(uvow_future_state(root), UVOW_PENDING);
    uvow_future_unref(root);
    turn_end(&turn);
  }
}

TEST_CASE(dropping_it_runs_its_cleanups) {
  turn_t turn;
  turn_init(&turn);
  turn_mark_t a = turn_mark(&turn, "a");
  uvow_future_drop(uvow_future_finally(new_loose(&turn), turn_finally, &a));
  turn_run(&turn);
  turn_expect(&turn, "a~");
  turn_end(&turn);
}

static uvow_next_t follow_it(const uvow_result_t *result, void *data) {
  (void)result;
  return uvow_next_future((uvow_future_t *)data);
}

/* What follows a loose one is loose too, with what hangs on it. */
TEST_CASE(followers_are_freed_with_it) {
  turn_t turn;
  turn_init(&turn);
  turn_mark_t a = turn_mark(&turn, "a");
  uvow_future_t *f = uvow_future_fulfilled(turn.loop, uvow_value_none());
  f = uvow_future_then(f, follow_it, new_loose(&turn));
  f = turn_chain(f, &a);
  turn_run(&turn);
  turn_expect(&turn, "");
  uvow_future_unref(f);
  turn_run(&turn);
  turn_expect(&turn, "a.");
  uvow_promise_t *p;
  f = uvow_promise_new(turn.loop, &p);
  uvow_promise_follow(p, new_loose(&turn));
  uvow_future_unref(f);
  turn_end(&turn);
}

/* A timeout settles, and lets go. */
TEST_CASE(a_timeout_ends_the_wait) {
  turn_t turn;
  turn_init(&turn);
  turn_mark_t a = turn_mark(&turn, "a");
  uvow_future_done(uvow_future_timeout(new_loose(&turn), 10), turn_done, &a);
  turn_run(&turn);
  turn.now_ns += 20 * 1000000;
  uvow__runtime_enter(&turn.rt);
  uvow__runtime_expire(&turn.rt);
  uvow__runtime_leave(&turn.rt);
  turn_expect(&turn, "a!ETIMEDOUT");
  turn_end(&turn);
}

/* Groups keep what they wait for until the loop closes. */
TEST_CASE(a_group_keeps_it_until_the_close) {
  turn_t turn;
  turn_init(&turn);
  turn_mark_t a = turn_mark(&turn, "a");
  uvow_future_t *f[2] = {turn_chain(new_loose(&turn), &a), new_loose(&turn)};
  uvow_future_unref(uvow_future_all_settled(turn.loop, f, 2));
  turn_run(&turn);
  turn_expect(&turn, "");
  turn_close(&turn);
  turn_expect(&turn, "a.");
  turn_assert_released(&turn);
}

static uvow_future_t *give(void *data) {
  return new_loose((turn_t *)data);
}

static uvow_future_t *give_one(size_t i, void *data) {
  (void)i;
  return new_loose((turn_t *)data);
}

static uvow_next_t answer(const uvow_result_t *item, void *data) {
  (void)item;
  return uvow_next_future(new_loose((turn_t *)data));
}

/* An item, and its stream's end. */
static uvow_stream_t *one_item(turn_t *turn) {
  uvow_sink_t *sink;
  uvow_stream_t *s = uvow_stream_new(turn->loop, NULL, &sink);
  uvow_sink_push(sink, uvow_value_int64(1));
  uvow_sink_end(sink);
  return s;
}

/* Whatever waits for one waits until it is given up; then both are freed. */
TEST_CASE(each_that_waits_can_be_given_up) {
  for (int how = 0; how < 8; how++) {
    turn_t turn;
    uvow_promise_t *p = NULL;
    uvow_future_t *f = NULL;
    turn_init(&turn);
    uvow_scope_t *scope = how == 2 ? uvow_scope_new(turn.loop) : NULL;
    uvow_limit_t *limit = how == 3 ? uvow_limit_new(turn.loop, 1) : NULL;
    if (how == 0)
      f = uvow_future_until(new_loose(&turn), uvow_promise_new(turn.loop, &p));
    else if (how == 1)
      f = uvow_future_until(uvow_promise_new(turn.loop, &p), new_loose(&turn));
    else if (how == 2)
      f = uvow_scope_add(scope, new_loose(&turn));
    else if (how == 3)
      f = uvow_limit_run(limit, give, &turn);
    else if (how == 4)
      f = uvow_future_map(turn.loop, 2, 1, give_one, &turn);
    else if (how == 5)
      f = uvow_stream_each(one_item(&turn), answer, &turn);
    else if (how == 6)
      f = uvow_stream_collect(uvow_stream_map(one_item(&turn), answer, &turn),
                              10);
    else
      f = uvow_future_own(new_loose(&turn), NULL, NULL);
    turn_run(&turn);
    assert_int_equal(uvow_future_state(f), UVOW_PENDING);
    uvow_future_drop(f);
    turn_run(&turn);
    uvow_promise_free(p);
    uvow_scope_free(scope);
    uvow_limit_unref(limit);
    turn_end(&turn);
  }
}

TEST_CASE(a_long_chain_is_freed_without_recursion) {
  turn_t turn;
  turn_init(&turn);
  uvow_promise_t *p;
  uvow_future_t *f = uvow_promise_new(turn.loop, &p);
  for (int i = 0; i < 200000; i++)
    f = uvow_future_then(f, NULL, NULL);
  uvow_promise_free(p);
  uvow_future_unref(f);
  turn_end(&turn);
}

TEST_MODULE(loose) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(null_and_settled_ones_are_let_go_of),
      cmocka_unit_test(it_lives_as_long_as_one_handle_does),
      cmocka_unit_test(a_done_is_told_when_the_loop_closes),
      cmocka_unit_test(it_can_be_canceled),
      cmocka_unit_test(dropping_it_runs_its_cleanups),
      cmocka_unit_test(followers_are_freed_with_it),
      cmocka_unit_test(a_timeout_ends_the_wait),
      cmocka_unit_test(a_group_keeps_it_until_the_close),
      cmocka_unit_test(each_that_waits_can_be_given_up),
      cmocka_unit_test(a_long_chain_is_freed_without_recursion),
  };
  return cmocka_run_group_tests_name("future/loose", tests, NULL, NULL);
}
