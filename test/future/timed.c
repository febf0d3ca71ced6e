/* timeout and delay. */
#include "support/turn.h"

#include <uvow/combine.h>

#define MS 1000000u

/* Time goes by, and libuv's timer calls. */
static void later(turn_t *turn, uint64_t ns) {
  turn->now_ns += ns;
  uvow__runtime_enter(&turn->rt);
  uvow__runtime_expire(&turn->rt);
  uvow__runtime_leave(&turn->rt);
  turn_run(turn);
}

TEST_CASE(a_delay_is_never_early) {
  turn_t turn;
  turn_init(&turn);
  turn.now_ns += 400000; /* between two ticks */
  uvow_future_t *f = uvow_future_delay(turn.loop, 10);
  assert_int_equal(turn.rt.holds, 1);
  turn_run(&turn);
  later(&turn, 10 * MS - 1);
  assert_int_equal(uvow_future_state(f), UVOW_PENDING);
  assert_int_equal(turn.rt.holds, 1);
  later(&turn, MS);
  assert_string_equal(turn_result(&turn, f), "+");
  assert_int_equal(turn.rt.holds, 0);
  uvow_future_unref(f);
  turn_end(&turn);
}

/* A delay counts from the end of the turn that began it. */
TEST_CASE(a_delay_counts_from_the_turns_end) {
  turn_t turn;
  turn_init(&turn);
  uvow_future_t *f = uvow_future_delay(turn.loop, 10);
  turn.now_ns += 5 * MS; /* the callback took its time */
  turn_run(&turn);
  later(&turn, 9 * MS);
  assert_int_equal(uvow_future_state(f), UVOW_PENDING);
  later(&turn, MS);
  assert_int_equal(uvow_future_state(f), UVOW_FULFILLED);
  uvow_future_unref(f);
  turn_end(&turn);
}

TEST_CASE(a_delay_of_nothing) {
  turn_t turn;
  turn_init(&turn);
  uvow_future_t *f = uvow_future_delay(turn.loop, 0);
  turn_run(&turn);
  assert_int_equal(uvow_future_state(f), UVOW_PENDING);
  later(&turn, 0);
  assert_int_equal(uvow_future_state(f), UVOW_FULFILLED);
  uvow_future_unref(f);
  assert_null(uvow_future_delay(NULL, 1));
  turn_end(&turn);
}

TEST_CASE(a_delay_is_canceled) {
  turn_t turn;
  for (int stamped = 0; stamped < 2; stamped++) {
    turn_init(&turn);
    uvow_future_t *f = uvow_future_delay(turn.loop, 10);
    if (stamped)
      turn_run(&turn);
    unsigned wakes = turn.wakes;
    assert_int_equal(uvow_future_cancel(f), 0);
    assert_int_equal(turn.rt.holds, 0);
    assert_true(!stamped || turn.wakes > wakes); /* the timer is set anew */
    assert_string_equal(turn_result(&turn, f), "!ECANCELED");
    later(&turn, 20 * MS);
    assert_string_equal(turn_result(&turn, f), "!ECANCELED");
    uvow_future_unref(f);
    turn_end(&turn);
  }
}

/* Dropped without a continuation it holds the loop still (F7). */
TEST_CASE(a_delay_is_dropped) {
  turn_t turn;
  turn_init(&turn);
  uvow_future_detach(uvow_future_delay(turn.loop, 10));
  turn_run(&turn);
  assert_int_equal(turn.rt.blocks.live, 1);
  assert_int_equal(turn.rt.holds, 1);
  later(&turn, 10 * MS);
  assert_int_equal(turn.rt.blocks.live, 0);
  turn_end(&turn);
}

TEST_CASE(a_chain_of_delays) {
  turn_t turn;
  turn_init(&turn);
  turn_mark_t a = turn_mark(&turn, "a"), b = turn_mark(&turn, "b");
  uvow_future_t *f = uvow_future_delay(turn.loop, 5);
  a.next = uvow_next_future(uvow_future_delay(turn.loop, 8));
  f = uvow_future_then(f, turn_then, &a);
  uvow_future_done(f, turn_done, &b);
  turn_run(&turn);
  later(&turn, 5 * MS);
  turn_expect(&turn, "a+");
  later(&turn, 3 * MS);
  turn_expect(&turn, "b+");
  turn_end(&turn);
}

TEST_CASE(in_time) {
  turn_t turn;
  uvow_promise_t *p;
  for (int with_error = 0; with_error < 2; with_error++) {
    turn_init(&turn);
    uvow_future_t *f = uvow_promise_new(turn.loop, &p);
    f = uvow_future_timeout(f, 10);
    assert_int_equal(turn.rt.holds, 1);
    turn_run(&turn);
    later(&turn, 10 * MS - 1);
    if (with_error)
      uvow_promise_reject_code(p, UVOW_EURL, NULL);
    else
      uvow_promise_fulfill(p, uvow_value_int64(7));
    turn_run(&turn);
    assert_int_equal(turn.rt.holds, 0);
    later(&turn, 10 * MS);
    assert_string_equal(turn_result(&turn, f), with_error ? "!EURL" : "+7");
    turn_expect_unhandled(&turn, with_error ? "EURL" : "");
    uvow_future_unref(f);
    turn_end(&turn);
  }
}

TEST_CASE(too_late) {
  turn_t turn;
  uvow_promise_t *p;
  uvow_result_t result;
  turn_init(&turn);
  turn_mark_t owner = turn_mark(&turn, "owner"), end = turn_mark(&turn, "end");
  turn_mark_t never = turn_mark(&turn, "never");
  uvow_future_t *f = uvow_promise_new(turn.loop, &p);
  uvow_promise_on_cancel(p, turn_cancel, &owner, NULL);
  f = uvow_future_timeout(turn_chain(f, &never), 1234);
  uvow_future_done(uvow_future_ref(f), turn_done, &end);
  turn_run(&turn);
  later(&turn, 1234 * (uint64_t)MS);
  turn_expect(&turn, "end!ETIMEDOUT owner^ never.");
  assert_int_equal(turn.rt.holds, 0);
  assert_int_equal(uvow_future_peek(f, &result), 0);
  assert_string_equal(uvow_error_message(result.error),
                      "not settled within 1234 ms");
  uvow_promise_fulfill(p, uvow_value_int64(7));
  uvow_future_unref(f);
  turn_end(&turn);
}

/* What another waits for, or holds, is left alone, and keeps no trace. */
TEST_CASE(a_shared_one_goes_on) {
  turn_t turn;
  uvow_promise_t *p;
  turn_init(&turn);
  uvow_future_t *shared = uvow_promise_new(turn.loop, &p);
  for (int i = 0; i < 1000; i++) {
    uvow_future_t *f = uvow_future_timeout(uvow_future_ref(shared), 1);
    turn_run(&turn);
    later(&turn, MS);
    assert_string_equal(turn_result(&turn, f), "!ETIMEDOUT");
    turn_expect_unhandled(&turn, "ETIMEDOUT");
    uvow_future_unref(f);
    assert_true(uvow__list_empty(&shared->reactions));
    assert_int_equal(turn.rt.blocks.live, 0);
    assert_int_equal(turn.rt.links.live, 1);
  }
  assert_int_equal(uvow_future_state(shared), UVOW_PENDING);
  uvow_promise_fulfill(p, uvow_value_int64(7));
  assert_string_equal(turn_result(&turn, shared), "+7");
  uvow_future_unref(shared);
  turn_end(&turn);
}

/* The answer came, and the deadline passed, in one turn: the answer counts. */
TEST_CASE(the_answer_wins) {
  turn_t turn;
  turn_item_t item;
  uvow_promise_t *p;
  turn_init(&turn);
  uvow_future_t *f = uvow_promise_new(turn.loop, &p);
  f = uvow_future_timeout(f, 10);
  turn_run(&turn);
  turn.now_ns += 10 * MS;
  uvow__runtime_enter(&turn.rt);
  uvow_promise_fulfill(p, turn_item(&turn_type_unique, &item));
  uvow__runtime_expire(&turn.rt);
  uvow__runtime_leave(&turn.rt);
  assert_string_equal(turn_result(&turn, f), "+unique");
  assert_int_equal(turn.rt.holds, 0);
  uvow_future_unref(f);
  turn_run(&turn);
  assert_int_equal(item.destroyed, 1);
  turn_end(&turn);
}

TEST_CASE(of_a_settled_one) {
  turn_t turn;
  turn_init(&turn);
  uvow_future_t *f = uvow_future_timeout(
      uvow_future_fulfilled(turn.loop, uvow_value_int64(7)), 0);
  assert_string_equal(turn_result(&turn, f), "+7");
  assert_int_equal(turn.rt.holds, 0);
  later(&turn, MS);
  uvow_future_unref(f);
  assert_null(uvow_future_timeout(NULL, 1));
  turn_end(&turn);
}

TEST_CASE(of_nothing_and_of_everything) {
  turn_t turn;
  uvow_promise_t *p, *q;
  turn_init(&turn);
  uvow_future_t *f =
      uvow_future_timeout(uvow_promise_new(turn.loop, &p), UINT64_MAX);
  uvow_future_t *g = uvow_future_timeout(uvow_promise_new(turn.loop, &q), 0);
  turn_run(&turn);
  assert_int_equal(uvow_future_state(g), UVOW_PENDING);
  later(&turn, 0);
  assert_string_equal(turn_result(&turn, g), "!ETIMEDOUT");
  turn_expect_unhandled(&turn, "ETIMEDOUT");
  uint64_t next = 0;
  assert_int_equal(uvow__wheel_next(&turn.rt.wheel, &next), 1);
  assert_true(next <= turn.now_ns / MS + UVOW__MS_MAX);
  later(&turn, UINT64_C(1000000000) * MS);
  assert_int_equal(uvow_future_state(f), UVOW_PENDING);
  uvow_promise_fulfill(p, uvow_value_none());
  uvow_promise_drop(q);
  turn_run(&turn);
  uvow_future_unref(f);
  uvow_future_unref(g);
  turn_end(&turn);
}

TEST_CASE(a_cancel_goes_through) {
  turn_t turn;
  uvow_promise_t *p;
  turn_init(&turn);
  turn_mark_t owner = turn_mark(&turn, "owner");
  uvow_future_t *f = uvow_promise_new(turn.loop, &p);
  uvow_promise_on_cancel(p, turn_cancel, &owner, NULL);
  f = uvow_future_timeout(uvow_future_timeout(f, 10), 20);
  turn_run(&turn);
  assert_int_equal(turn.rt.holds, 2);
  uvow_future_cancel(f);
  turn_run(&turn);
  turn_expect(&turn, "owner^");
  assert_int_equal(turn.rt.holds, 0);
  uvow_promise_drop(p);
  uvow_future_unref(f);
  turn_end(&turn);
}

/* A chain's end is adopted in place of the link: the deadline stays. */
TEST_CASE(a_timeout_of_an_adopting_link) {
  turn_t turn;
  uvow_promise_t *p, *q;
  turn_init(&turn);
  turn_mark_t a = turn_mark(&turn, "a"), owner = turn_mark(&turn, "owner");
  uvow_future_t *f = uvow_promise_new(turn.loop, &p);
  a.next = uvow_next_future(uvow_promise_new(turn.loop, &q));
  uvow_promise_on_cancel(q, turn_cancel, &owner, NULL);
  f = uvow_future_timeout(uvow_future_then(f, turn_then, &a), 10);
  turn_run(&turn);
  uvow_promise_fulfill(p, uvow_value_none());
  turn_run(&turn);
  turn_expect(&turn, "a+");
  later(&turn, 10 * MS);
  turn_expect(&turn, "owner^");
  assert_string_equal(turn_result(&turn, f), "!ETIMEDOUT");
  turn_expect_unhandled(&turn, "ETIMEDOUT");
  uvow_promise_drop(q);
  uvow_future_unref(f);
  turn_end(&turn);
}

TEST_CASE(closing_ends_them) {
  turn_t turn;
  uvow_promise_t *p;
  turn_init(&turn);
  turn_mark_t a = turn_mark(&turn, "a"), b = turn_mark(&turn, "b");
  uvow_future_done(uvow_future_timeout(uvow_promise_new(turn.loop, &p), 10),
                   turn_done, &a);
  uvow_future_done(uvow_future_delay(turn.loop, 10), turn_done, &b);
  turn_run(&turn);
  turn_close(&turn);
  turn_expect(&turn, "b!ECLOSED a!ECLOSED");
  assert_int_equal(turn.rt.holds, 0);
  assert_null(uvow_future_delay(turn.loop, 1));
  uvow_promise_drop(p);
  turn_assert_released(&turn);
}

/* Once warm, neither takes memory. */
TEST_CASE(no_malloc_once_warm) {
  turn_t turn;
  size_t calls = 0;
  turn_init(&turn);
  for (int i = 0; i < 100; i++) {
    uvow_future_t *f = uvow_future_delay(turn.loop, 5);
    f = uvow_future_timeout(f, 10);
    turn_run(&turn);
    later(&turn, 5 * MS);
    assert_string_equal(turn_result(&turn, f), "+");
    uvow_future_unref(f);
    if (i == 0)
      calls = turn.alloc->calls;
  }
  assert_int_equal(turn.alloc->calls, calls);
  turn_end(&turn);
}

static unsigned rnd(uint64_t *seed, unsigned below) {
  *seed = *seed * UINT64_C(6364136223846793005) + 1;
  return (unsigned)(*seed >> 33) % below;
}

TEST_CASE(random_times) {
  for (unsigned round = 1; round <= 500; round++) {
    enum { N = 16 };
    turn_t turn;
    turn_item_t item[N] = {{0, 0}};
    uvow_promise_t *p[N];
    uvow_future_t *f[N];
    uint64_t due[N], began;
    uint64_t seed = round;
    turn_init(&turn);
    turn.rt.on_unhandled = NULL;
    turn.now_ns += rnd(&seed, 2 * MS);
    began = turn.now_ns;
    for (unsigned i = 0; i < N; i++) {
      uint64_t ms = rnd(&seed, 200);
      due[i] = began + ms * MS;
      f[i] = uvow_future_timeout(uvow_promise_new(turn.loop, &p[i]), ms);
    }
    turn_run(&turn);
    for (unsigned step = 0; step < 300; step++) {
      unsigned i = rnd(&seed, N);
      later(&turn, rnd(&seed, MS));
      if (rnd(&seed, 20) == 0)
        uvow_future_cancel(f[i]);
      if (rnd(&seed, 20) == 0 && p[i]) {
        uvow_promise_fulfill(p[i], turn_item(&turn_type_unique, &item[i]));
        p[i] = NULL;
      }
      for (unsigned k = 0; k < N; k++) {
        if (strcmp(turn_result(&turn, f[k]), "!ETIMEDOUT") == 0)
          assert_true(turn.now_ns >= due[k]);
        else if (strcmp(turn_result(&turn, f[k]), "?") == 0)
          assert_true(turn.now_ns < due[k] + 2 * MS);
      }
    }
    for (unsigned i = 0; i < N; i++) {
      uvow_promise_drop(p[i]);
      turn_run(&turn);
      uvow_future_unref(f[i]);
      turn_run(&turn);
      assert_int_equal(item[i].owners, 0);
      assert_int_equal(item[i].destroyed, p[i] == NULL);
    }
    assert_int_equal(turn.rt.holds, 0);
    turn_end(&turn);
  }
}

static void sweep_body(test_alloc_t *alloc, void *data) {
  turn_t turn;
  uvow_promise_t *p;
  (void)data;
  turn_init_with(&turn, alloc);
  turn.rt.on_unhandled = NULL;
  uvow_future_t *f = uvow_future_timeout(uvow_promise_new(turn.loop, &p), 5);
  uvow_future_t *g = uvow_future_timeout(uvow_future_delay(turn.loop, 9), 7);
  turn_run(&turn);
  later(&turn, 8 * MS);
  later(&turn, 8 * MS);
  if (f)
    assert_int_equal(uvow_future_state(f), UVOW_REJECTED);
  uvow_promise_drop(p);
  turn_run(&turn);
  uvow_future_unref(f);
  uvow_future_unref(g);
  assert_int_equal(turn.rt.holds, 0);
  turn_end(&turn);
}

TEST_CASE(every_allocation_fails) {
  test_alloc_sweep(sweep_body, NULL);
}

TEST_MODULE(timed) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_delay_is_never_early),
      cmocka_unit_test(a_delay_counts_from_the_turns_end),
      cmocka_unit_test(a_delay_of_nothing),
      cmocka_unit_test(a_delay_is_canceled),
      cmocka_unit_test(a_delay_is_dropped),
      cmocka_unit_test(a_chain_of_delays),
      cmocka_unit_test(in_time),
      cmocka_unit_test(too_late),
      cmocka_unit_test(a_shared_one_goes_on),
      cmocka_unit_test(the_answer_wins),
      cmocka_unit_test(of_a_settled_one),
      cmocka_unit_test(of_nothing_and_of_everything),
      cmocka_unit_test(a_cancel_goes_through),
      cmocka_unit_test(a_timeout_of_an_adopting_link),
      cmocka_unit_test(closing_ends_them),
      cmocka_unit_test(no_malloc_once_warm),
      cmocka_unit_test(random_times),
      cmocka_unit_test(every_allocation_fails),
  };
  return cmocka_run_group_tests_name("future/timed", tests, NULL, NULL);
}
