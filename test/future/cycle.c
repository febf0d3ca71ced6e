/*
 * F3: what would wait for itself, through however many links and adoptions,
 * rejects with UVOW_ECYCLE; and a loop written as a chain doesn't grow.
 */
#include "support/turn.h"

#include <uvow/combine.h>

TEST_CASE(follow_its_own_future_is_a_cycle) {
  turn_t turn;
  turn_init(&turn);
  turn_mark_t a = turn_mark(&turn, "a");
  uvow_promise_t *p;
  uvow_future_t *f = uvow_promise_new(turn.loop, &p);
  uvow_future_done(uvow_future_ref(f), turn_done, &a);
  uvow_promise_follow(p, f);
  turn_run(&turn);
  turn_expect(&turn, "a!ECYCLE");
  turn_end(&turn);
}

TEST_CASE(follow_its_own_future_with_no_other_owner) {
  turn_t turn;
  turn_init(&turn);
  uvow_promise_t *p;
  uvow_future_t *f = uvow_promise_new(turn.loop, &p);
  uvow_promise_follow(p, f);
  turn_run(&turn);
  turn_expect_unhandled(&turn, "ECYCLE");
  turn_end(&turn);
}

/* A ring of n promises, each following the next; held: by a handle each. */
static void ring(size_t n, int held) {
  turn_t turn;
  turn_init(&turn);
  uvow_promise_t *p[8];
  uvow_future_t *f[8];
  turn_mark_t a = turn_mark(&turn, "a");
  for (size_t i = 0; i < n; i++)
    f[i] = uvow_promise_new(turn.loop, &p[i]);
  uvow_future_t *first = uvow_future_ref(f[0]);
  uvow_future_done(uvow_future_ref(f[0]), turn_done, &a);
  for (size_t i = 0; i < n; i++) {
    size_t to = (i + 1) % n;
    uvow_promise_follow(p[i], held ? uvow_future_ref(f[to]) : f[to]);
  }
  turn_run(&turn);
  turn_expect(&turn, "a!ECYCLE");
  for (size_t i = 0; held && i < n; i++)
    uvow_future_unref(f[i]);
  uvow_future_unref(first);
  turn_end(&turn);
}

TEST_CASE(promises_in_a_ring_are_a_cycle) {
  for (size_t n = 2; n <= 8; n++) {
    ring(n, 0);
    ring(n, 1);
  }
}

TEST_CASE(a_cycle_through_links) {
  turn_t turn;
  turn_init(&turn);
  turn_mark_t a = turn_mark(&turn, "a");
  turn_mark_t b = turn_mark(&turn, "b");
  uvow_promise_t *p;
  uvow_future_t *f = uvow_promise_new(turn.loop, &p);
  f = uvow_future_then(f, NULL, NULL);
  f = uvow_future_catch(f, turn_then, &a);
  f = uvow_future_finally(f, turn_finally, &b);
  uvow_promise_follow(p, f);
  turn_run(&turn);
  turn_expect(&turn, "a!ECYCLE b~");
  turn_expect_unhandled(&turn, "ECYCLE");
  turn_end(&turn);
}

TEST_CASE(a_callback_that_returns_what_waits_for_it) {
  for (int links = 1; links < 4; links++) {
    turn_t turn;
    turn_init(&turn);
    turn_mark_t a = turn_mark(&turn, "a");
    turn_mark_t b = turn_mark(&turn, "b");
    uvow_future_t *f = uvow_future_fulfilled(turn.loop, uvow_value_none());
    f = uvow_future_then(f, turn_then, &a);
    for (int i = 0; i < links; i++)
      f = uvow_future_then(f, NULL, NULL);
    a.next = uvow_next_future(uvow_future_ref(f));
    uvow_future_done(f, turn_done, &b);
    turn_run(&turn);
    turn_expect(&turn, "a+ b!ECYCLE");
    turn_end(&turn);
  }
}

TEST_CASE(a_cleanup_that_returns_what_waits_for_it) {
  for (int links = 0; links < 3; links++) {
    turn_t turn;
    turn_init(&turn);
    turn_mark_t a = turn_mark(&turn, "a");
    turn_mark_t b = turn_mark(&turn, "b");
    uvow_future_t *f = uvow_future_fulfilled(turn.loop, uvow_value_none());
    f = uvow_future_finally(f, turn_finally, &a);
    for (int i = 0; i < links; i++)
      f = uvow_future_then(f, NULL, NULL);
    a.next = uvow_next_future(uvow_future_ref(f));
    uvow_future_done(f, turn_done, &b);
    turn_run(&turn);
    turn_expect(&turn, "a~ b!ECYCLE");
    turn_end(&turn);
  }
}

TEST_CASE(a_cycle_through_a_waiting_cleanup) {
  turn_t turn;
  turn_init(&turn);
  turn_mark_t a = turn_mark(&turn, "a");
  turn_mark_t b = turn_mark(&turn, "b");
  uvow_promise_t *p;
  uvow_future_t *inner = uvow_promise_new(turn.loop, &p);
  uvow_future_t *f = uvow_future_fulfilled(turn.loop, uvow_value_none());
  f = uvow_future_finally(f, turn_finally, &a);
  a.next = uvow_next_future(inner);
  uvow_future_done(uvow_future_ref(f), turn_done, &b);
  turn_run(&turn);
  turn_expect(&turn, "a~");
  uvow_promise_follow(p, f); /* f waits for p's future */
  turn_run(&turn);
  turn_expect(&turn, "b!ECYCLE");
  turn_end(&turn);
}

TEST_CASE(no_cycle_where_a_source_is_shared) {
  turn_t turn;
  turn_init(&turn);
  turn_mark_t a = turn_mark(&turn, "a");
  turn_mark_t b = turn_mark(&turn, "b");
  uvow_promise_t *p;
  uvow_future_t *f = uvow_promise_new(turn.loop, &p);
  uvow_future_t *sibling = uvow_future_then(uvow_future_ref(f), NULL, NULL);
  a.next = uvow_next_future(sibling);
  f = uvow_future_then(f, turn_then, &a);
  uvow_future_done(f, turn_done, &b);
  uvow_promise_fulfill(p, uvow_value_int64(3));
  turn_run(&turn);
  turn_expect(&turn, "a+3 b+3");
  turn_end(&turn);
}

/* "Try again": each round answers with a later round. */
typedef struct loop {
  turn_t *turn;
  long rounds;
  size_t most;
} loop_t;

static uvow_next_t again(const uvow_result_t *result, void *data) {
  loop_t *loop = (loop_t *)data;
  if (loop->turn->rt.links.live > loop->most)
    loop->most = loop->turn->rt.links.live;
  if (--loop->rounds == 0)
    return uvow_next_value(uvow_value_int64(42));
  uvow_future_t *f = uvow_future_fulfilled(result->loop, uvow_value_none());
  return uvow_next_future(uvow_future_then(f, again, loop));
}

static uvow_next_t again_as_cleanup(void *data) {
  loop_t *loop = (loop_t *)data;
  uvow_future_t *f = uvow_future_fulfilled(loop->turn->loop, uvow_value_none());
  return uvow_next_future(uvow_future_then(f, again, loop));
}

static size_t run_loop(long rounds, int with_finally) {
  turn_t turn;
  turn_init(&turn);
  turn_mark_t a = turn_mark(&turn, "a");
  loop_t loop = {&turn, rounds, 0};
  uvow_future_t *f = uvow_future_fulfilled(turn.loop, uvow_value_int64(42));
  f = with_finally ? uvow_future_finally(f, again_as_cleanup, &loop)
                   : uvow_future_then(f, again, &loop);
  uvow_future_done(f, turn_done, &a);
  turn_run(&turn);
  turn_expect(&turn, "a+42");
  assert_int_equal(loop.rounds, 0);
  turn_end(&turn);
  return loop.most;
}

TEST_CASE(f6_an_endless_loop_of_links_does_not_grow) {
  for (int with_finally = 0; with_finally < 2; with_finally++) {
    size_t few = run_loop(10, with_finally);
    assert_int_equal(run_loop(1000000, with_finally), few);
    assert_true(few < 10);
  }
}

static uvow_next_t again_held(const uvow_result_t *result, void *data) {
  turn_mark_t *mark = (turn_mark_t *)data;
  uvow_promise_t *p;
  if (mark->calls++ == 3)
    return uvow_next_value(uvow_value_int64(1));
  uvow_future_t *f = uvow_promise_new(result->loop, &p);
  f = uvow_future_then(f, again_held, mark);
  uvow_promise_fulfill(p, uvow_value_none());
  uvow_future_done(uvow_future_ref(f), turn_done, mark->other);
  return uvow_next_future(f);
}

TEST_CASE(a_round_that_others_watch_is_not_shortened_away) {
  turn_t turn;
  turn_init(&turn);
  turn_mark_t a = turn_mark(&turn, "a");
  turn_mark_t b = turn_mark(&turn, "b");
  a.other = &b;
  uvow_future_t *f = uvow_future_fulfilled(turn.loop, uvow_value_none());
  f = uvow_future_then(f, again_held, &a);
  uvow_future_done(f, turn_done, &b);
  turn_run(&turn);
  turn_expect(&turn, "b+1 b+1 b+1 b+1");
  turn_end(&turn);
}

TEST_CASE(a_round_that_is_held_is_not_shortened_away) {
  turn_t turn;
  turn_init(&turn);
  turn_mark_t a = turn_mark(&turn, "a");
  uvow_promise_t *outer, *p1, *p2;
  uvow_future_done(uvow_promise_new(turn.loop, &outer), turn_done, &a);
  uvow_future_t *held = uvow_promise_new(turn.loop, &p1);
  uvow_promise_follow(outer, uvow_future_ref(held));
  uvow_promise_follow(p1, uvow_promise_new(turn.loop, &p2));
  assert_string_equal(turn_result(&turn, held), "?");
  uvow_promise_fulfill(p2, uvow_value_int64(5));
  turn_run(&turn);
  assert_string_equal(turn_result(&turn, held), "+5");
  turn_expect(&turn, "a+5");
  uvow_future_unref(held);
  turn_end(&turn);
}

typedef struct again {
  uvow_loop_t *loop;
  uvow_future_t *own;
} again_t;

static uvow_future_t *own_future(uint32_t n, void *data) {
  (void)n;
  return uvow_future_ref(((again_t *)data)->own);
}

TEST_CASE(f18_through_combinators_and_retry) {
  uvow_future_t *(*const groups[])(uvow_loop_t *, uvow_future_t *const *,
                                   size_t) = {
      uvow_future_all, uvow_future_all_settled, uvow_future_any,
      uvow_future_race};
  turn_t turn;
  turn_init(&turn);
  turn_mark_t a = turn_mark(&turn, "a");
  for (size_t i = 0; i < 4; i++) {
    uvow_promise_t *p;
    uvow_future_t *f = uvow_promise_new(turn.loop, &p);
    uvow_future_t *some[1] = {uvow_future_then(uvow_future_ref(f), NULL, NULL)};
    uvow_future_done(f, turn_done, &a);
    uvow_promise_follow(p, groups[i](turn.loop, some, 1));
    turn_run(&turn);
    turn_expect(&turn, "a!ECYCLE");
  }
  turn_expect_unhandled(&turn, "ECYCLE EALL ECYCLE"); /* of the groups */
  again_t again = {turn.loop, NULL};
  uvow_future_t *f = uvow_future_retry(turn.loop, own_future, &again, NULL);
  f = uvow_future_then(f, NULL, NULL);
  again.own = uvow_future_ref(f);
  uvow_future_done(f, turn_done, &a);
  turn_run(&turn);
  turn_expect(&turn, "a!ECYCLE");
  uvow_future_unref(again.own);
  turn_end(&turn);
}

/* Each job's continuation follows the one before it: nothing is looked through
 * to its end. */
TEST_CASE(f18_a_serial_queue_takes_no_longer_for_its_length) {
  enum { JOBS = 300000 };
  turn_t turn;
  turn_init(&turn);
  turn_mark_t a = turn_mark(&turn, "a");
  uvow_promise_t *first, *p;
  uvow_future_t **jobs = (uvow_future_t **)calloc(JOBS, sizeof(*jobs));
  assert_non_null(jobs);
  uvow_future_t *tail = uvow_promise_new(turn.loop, &first);
  for (size_t i = 0; i < JOBS; i++) {
    uvow_future_t *job = uvow_promise_new(turn.loop, &p);
    uvow_promise_follow(p, tail);
    tail = uvow_future_then(uvow_future_ref(job), NULL, NULL);
    jobs[i] = job;
  }
  uvow_future_detach(tail);
  uvow_future_done(uvow_future_all(turn.loop, jobs, JOBS), turn_done, &a);
  free(jobs);
  uvow_promise_fulfill(first, uvow_value_none());
  turn_run(&turn);
  turn_expect(&turn, "a+results");
  turn_end(&turn);
}

/* Longer than the look: pending, until the loop is closed. */
TEST_CASE(f18_a_long_cycle_ends_with_the_loop) {
  turn_t turn;
  turn_init(&turn);
  turn_mark_t a = turn_mark(&turn, "a");
  uvow_promise_t *p;
  uvow_future_t *f = uvow_promise_new(turn.loop, &p);
  for (int i = 0; i < 1000; i++)
    f = uvow_future_then(f, NULL, NULL);
  uvow_future_done(uvow_future_ref(f), turn_done, &a);
  uvow_promise_follow(p, f);
  turn_run(&turn);
  turn_expect(&turn, "");
  turn_close(&turn);
  turn_expect(&turn, "a!ECLOSED");
  turn_assert_released(&turn);
}

TEST_MODULE(cycle) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(follow_its_own_future_is_a_cycle),
      cmocka_unit_test(follow_its_own_future_with_no_other_owner),
      cmocka_unit_test(promises_in_a_ring_are_a_cycle),
      cmocka_unit_test(a_cycle_through_links),
      cmocka_unit_test(a_callback_that_returns_what_waits_for_it),
      cmocka_unit_test(a_cleanup_that_returns_what_waits_for_it),
      cmocka_unit_test(a_cycle_through_a_waiting_cleanup),
      cmocka_unit_test(no_cycle_where_a_source_is_shared),
      cmocka_unit_test(f6_an_endless_loop_of_links_does_not_grow),
      cmocka_unit_test(a_round_that_is_held_is_not_shortened_away),
      cmocka_unit_test(a_round_that_others_watch_is_not_shortened_away),
      cmocka_unit_test(f18_through_combinators_and_retry),
      cmocka_unit_test(f18_a_serial_queue_takes_no_longer_for_its_length),
      cmocka_unit_test(f18_a_long_cycle_ends_with_the_loop),
  };
  return cmocka_run_group_tests_name("future/cycle", tests, NULL, NULL);
}
