/* Gates: each who asks has a future of its own. */
#include "support/turn.h"

#include "future/gate.h"

#include <uvow/combine.h>

#include <stdio.h>

#define MANY 5

typedef struct bench {
  turn_t turn;
  uvow__gate_t gate;
  turn_mark_t a, b, c;
} bench_t;

static void open_bench(bench_t *x) {
  turn_init(&x->turn);
  uvow__gate_init(&x->gate, &x->turn.rt);
  x->a = turn_mark(&x->turn, "a");
  x->b = turn_mark(&x->turn, "b");
  x->c = turn_mark(&x->turn, "c");
}

static void ask(bench_t *x, turn_mark_t *mark) {
  assert_int_equal(uvow_future_done(uvow__gate_wait(&x->gate), turn_done, mark),
                   0);
}

TEST_CASE(all_pass_in_order) {
  bench_t x;
  open_bench(&x);
  assert_false(uvow__gate_awaited(&x.gate));
  ask(&x, &x.a);
  ask(&x, &x.b);
  ask(&x, &x.c);
  assert_true(uvow__gate_awaited(&x.gate));
  uvow__gate_pass(&x.gate);
  turn_expect(&x.turn, ""); /* nothing runs within */
  turn_run(&x.turn);
  turn_expect(&x.turn, "a+ b+ c+");
  assert_false(uvow__gate_awaited(&x.gate));
  turn_end(&x.turn);
}

/* Who asks after it has let all through waits for the next time. */
TEST_CASE(it_passes_again) {
  bench_t x;
  open_bench(&x);
  uvow__gate_pass(&x.gate);
  ask(&x, &x.a);
  turn_run(&x.turn);
  turn_expect(&x.turn, "");
  uvow__gate_pass(&x.gate);
  ask(&x, &x.b);
  turn_run(&x.turn);
  turn_expect(&x.turn, "a+");
  uvow__gate_pass(&x.gate);
  turn_run(&x.turn);
  turn_expect(&x.turn, "b+");
  turn_end(&x.turn);
}

TEST_CASE(all_fail_by_one_error) {
  bench_t x;
  open_bench(&x);
  ask(&x, &x.a);
  uvow_future_unref(uvow__gate_wait(&x.gate)); /* nobody looks at it */
  ask(&x, &x.b);
  uvow_error_t *error = uvow_error_new(x.turn.loop, UVOW_ELOST, "why");
  uvow__gate_fail(&x.gate, error);
  uvow_error_unref(error);
  turn_run(&x.turn);
  turn_expect(&x.turn, "a!ELOST b!ELOST");
  turn_end(&x.turn);
}

/* F15, in every order of asking and canceling: only the one that was canceled
 * rejects. */
TEST_CASE(a_cancel_is_ones_own) {
  for (unsigned canceled = 0; canceled < 1u << MANY; canceled++) {
    bench_t x;
    turn_mark_t marks[MANY];
    uvow_future_t *f[MANY];
    open_bench(&x);
    for (int i = 0; i < MANY; i++) {
      marks[i] = turn_mark(&x.turn, canceled >> i & 1 ? "x" : "o");
      f[i] = uvow__gate_wait(&x.gate);
      uvow_future_done(uvow_future_ref(f[i]), turn_done, &marks[i]);
    }
    for (int i = MANY; i--;)
      if (canceled >> i & 1)
        assert_int_equal(uvow_future_cancel(f[i]), 0);
    uvow__gate_pass(&x.gate);
    for (int i = 0; i < MANY; i++) {
      assert_string_equal(turn_result(&x.turn, f[i]),
                          canceled >> i & 1 ? "!ECANCELED" : "+");
      uvow_future_unref(f[i]);
    }
    turn_run(&x.turn);
    x.turn.log[0] = '\0';
    turn_end(&x.turn);
  }
}

TEST_CASE(a_timeout_is_ones_own) {
  bench_t x;
  open_bench(&x);
  uvow_future_done(uvow_future_timeout(uvow__gate_wait(&x.gate), 10), turn_done,
                   &x.a);
  ask(&x, &x.b);
  turn_run(&x.turn);
  x.turn.now_ns += 20000000;
  uvow__runtime_enter(&x.turn.rt);
  uvow__runtime_expire(&x.turn.rt);
  uvow__runtime_leave(&x.turn.rt);
  turn_expect(&x.turn, "a!ETIMEDOUT");
  ask(&x, &x.c);
  uvow__gate_pass(&x.gate);
  turn_run(&x.turn);
  turn_expect(&x.turn, "b+ c+");
  turn_end(&x.turn);
}

/* A loop that closes settles them; the gate then has nobody, and lets nobody
 * wait. */
TEST_CASE(the_loop_closes) {
  bench_t x;
  open_bench(&x);
  ask(&x, &x.a);
  ask(&x, &x.b);
  turn_close(&x.turn);
  turn_expect(&x.turn, "a!ECLOSED b!ECLOSED");
  assert_false(uvow__gate_awaited(&x.gate));
  turn_assert_released(&x.turn);
}

TEST_CASE(no_memory_gives_null) {
  bench_t x;
  open_bench(&x);
  x.turn.alloc->fail_at = x.turn.alloc->calls + 1;
  x.turn.alloc->fail_all_after = 1;
  assert_null(uvow__gate_wait(&x.gate));
  assert_false(uvow__gate_awaited(&x.gate));
  x.turn.alloc->fail_at = 0;
  x.turn.alloc->fail_all_after = 0;
  ask(&x, &x.a);
  uvow__gate_pass(&x.gate);
  turn_run(&x.turn);
  turn_expect(&x.turn, "a+");
  turn_end(&x.turn);
}

/* Who waits for it is named in the walk. */
TEST_CASE(it_can_be_told_from_a_request) {
  bench_t x;
  open_bench(&x);
  uvow_future_t *f = uvow__gate_wait(&x.gate);
  assert_true(uvow__gate_holds(f));
  assert_string_equal(uvow__future_kind(f), "gate");
  uvow__gate_pass(&x.gate);
  assert_false(uvow__gate_holds(f));
  uvow_future_unref(f);
  turn_end(&x.turn);
}

TEST_MODULE(gate) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(all_pass_in_order),
      cmocka_unit_test(it_passes_again),
      cmocka_unit_test(all_fail_by_one_error),
      cmocka_unit_test(a_cancel_is_ones_own),
      cmocka_unit_test(a_timeout_is_ones_own),
      cmocka_unit_test(the_loop_closes),
      cmocka_unit_test(no_memory_gives_null),
      cmocka_unit_test(it_can_be_told_from_a_request),
  };
  return cmocka_run_group_tests_name("future/gate", tests, NULL, NULL);
}
