/*
 * F5: when continuations run: enter and leave, wake, the budget, late tasks;
 * and what close does to everything that is still open.
 */
#include "support/turn.h"

TEST_CASE(f5_only_the_outermost_leave_drains) {
  turn_t turn;
  turn_init(&turn);
  turn_mark_t a = turn_mark(&turn, "a");
  uvow__runtime_enter(&turn.rt);
  uvow__runtime_enter(&turn.rt);
  uvow_future_done(uvow_future_fulfilled(turn.loop, uvow_value_none()),
                   turn_done, &a);
  uvow__runtime_leave(&turn.rt);
  turn_expect(&turn, "");
  assert_int_equal(turn.rests, 0);
  uvow__runtime_leave(&turn.rt);
  turn_expect(&turn, "a+");
  assert_int_equal(turn.rests, 1);
  assert_int_equal(turn.wakes, 0); /* nothing was left to wake for */
  turn_end(&turn);
}

static void nests(turn_mark_t *mark) {
  turn_once(mark->turn); /* a callback of uvow's below one: runs nothing */
  assert_int_equal(mark->other->calls, 0);
}

TEST_CASE(f5_a_leave_within_a_callback_runs_nothing) {
  turn_t turn;
  turn_init(&turn);
  turn_mark_t a = turn_mark(&turn, "a");
  turn_mark_t b = turn_mark(&turn, "b");
  a.act = nests;
  a.other = &b;
  uvow_future_t *f = uvow_future_fulfilled(turn.loop, uvow_value_none());
  uvow_future_done(uvow_future_ref(f), turn_done, &a);
  uvow_future_done(f, turn_done, &b);
  turn_once(&turn);
  turn_expect(&turn, "a+ b+");
  turn_end(&turn);
}

TEST_CASE(f5_what_is_ready_wakes_the_loop_once) {
  turn_t turn;
  turn_init(&turn);
  turn_mark_t a = turn_mark(&turn, "a");
  uvow_promise_t *p;
  uvow_future_t *f = uvow_promise_new(turn.loop, &p);
  uvow_future_done(uvow_future_ref(f), turn_done, &a);
  assert_int_equal(turn.wakes, 0); /* it is pending */
  uvow_promise_fulfill(p, uvow_value_none());
  assert_int_equal(turn.wakes, 1);
  uvow_future_done(uvow_future_ref(f), turn_done, &a);
  assert_int_equal(turn.wakes, 1);
  turn_run(&turn);
  turn_expect(&turn, "a+ a+");
  uvow_future_done(f, turn_done, &a); /* settled already: ready at once */
  assert_int_equal(turn.wakes, 2);
  turn_run(&turn);
  turn_expect(&turn, "a+");
  turn_end(&turn);
}

TEST_CASE(f8_a_report_wakes_the_loop_too) {
  turn_t turn;
  turn_init(&turn);
  uvow_future_detach(uvow_future_rejected(turn.loop, NULL));
  assert_int_equal(turn.wakes, 1);
  turn_once(&turn);
  turn_expect_unhandled(&turn, "EINVAL");
  assert_int_equal(turn.wakes, 1);
  turn_end(&turn);
}

typedef struct endless {
  uvow_loop_t *loop;
  unsigned runs;
  int stop;
} endless_t;

static uvow_next_t endless(const uvow_result_t *result, void *data) {
  endless_t *e = (endless_t *)data;
  (void)result;
  e->runs++;
  if (e->stop)
    return uvow_next_none();
  uvow_future_t *f = uvow_future_fulfilled(e->loop, uvow_value_none());
  return uvow_next_future(uvow_future_then(f, endless, e));
}

TEST_CASE(f5_an_endless_chain_leaves_after_its_budget) {
  turn_t turn;
  turn_init(&turn);
  endless_t e = {turn.loop, 0, 0};
  turn.rt.budget = 50;
  uvow_future_t *f = uvow_future_fulfilled(turn.loop, uvow_value_none());
  uvow_future_detach(uvow_future_then(f, endless, &e));
  uvow_future_detach(uvow_future_rejected(turn.loop, NULL));
  assert_int_equal(turn.wakes, 1);
  for (unsigned i = 1; i <= 5; i++) {
    unsigned before = e.runs;
    turn_expect_unhandled(&turn, i == 3 ? "EINVAL" : ""); /* after one more */
    turn_once(&turn);
    assert_int_equal(turn.wakes, 1 + i); /* it comes back */
    assert_int_equal(turn.rests, i);
    assert_in_range(e.runs - before, 20, 50);
  }
  e.stop = 1;
  turn_run(&turn);
  turn_end(&turn);
}

typedef struct late {
  uvow__task_t task;
  turn_mark_t *mark;
} late_t;

static void run_late(uvow__task_t *task) {
  turn_destroy(UVOW__CONTAINER(task, late_t, task)->mark); /* logs */
}

TEST_CASE(p1_late_tasks_run_when_nothing_else_is_ready) {
  turn_t turn;
  turn_init(&turn);
  turn_mark_t a = turn_mark(&turn, "a");
  turn_mark_t b = turn_mark(&turn, "b");
  turn_mark_t l = turn_mark(&turn, "late");
  late_t late;
  late.mark = &l;
  uvow__task_init(&late.task, run_late);
  uvow__runtime_push_late(&turn.rt, &late.task, UVOW__LATE_WRITE);
  assert_int_equal(turn.wakes, 1);
  uvow_future_t *f = uvow_future_fulfilled(turn.loop, uvow_value_none());
  f = uvow_future_then(f, turn_then, &a);
  uvow_future_done(f, turn_done, &b);
  turn_run(&turn);
  turn_expect(&turn, "a+ b+ late.");
  turn_end(&turn);
}

/* What leaves at the end of a turn does, also of one that never gets done. */
TEST_CASE(f5_an_endless_chain_does_not_starve_late_tasks) {
  turn_t turn;
  turn_init(&turn);
  endless_t e = {turn.loop, 0, 0};
  turn_mark_t l = turn_mark(&turn, "late");
  late_t late[2];
  turn.rt.budget = 50;
  uvow_future_t *f = uvow_future_fulfilled(turn.loop, uvow_value_none());
  uvow_future_detach(uvow_future_then(f, endless, &e));
  for (int i = 0; i < 2; i++) {
    late[i].mark = &l;
    uvow__task_init(&late[i].task, run_late);
    uvow__runtime_push_late(&turn.rt, &late[i].task, UVOW__LATE_WRITE);
  }
  turn_once(&turn);
  turn_expect(&turn, "late. late.");
  e.stop = 1;
  turn_run(&turn);
  turn_end(&turn);
}

static void on_expire(uvow__deadline_t *deadline) {
  (void)deadline;
}

TEST_CASE(a_deadline_counts_from_the_end_of_its_turn) {
  turn_t turn;
  turn_init(&turn);
  uvow__deadline_t deadline;
  uint64_t due = 0;
  uvow__deadline_init(&deadline, on_expire);
  uvow__runtime_arm(&turn.rt, &deadline, 5);
  assert_int_equal(turn.wakes, 1);
  turn.now_ns = UINT64_C(3000000000);
  turn_once(&turn);
  assert_int_equal(deadline.due, 3005);
  assert_int_equal(uvow__wheel_next(&turn.rt.wheel, &due), 1);
  assert_true(due <= 3005);
  turn.now_ns += 4999999;
  uvow__runtime_enter(&turn.rt);
  uvow__runtime_expire(&turn.rt);
  assert_true(uvow__deadline_armed(&deadline));
  turn.now_ns += 1;
  uvow__runtime_expire(&turn.rt);
  assert_false(uvow__deadline_armed(&deadline));
  uvow__runtime_leave(&turn.rt);
  turn_end(&turn);
}

/* ---- close ------------------------------------------------------------- */

TEST_CASE(close_rejects_what_is_pending) {
  turn_t turn;
  turn_init(&turn);
  turn_mark_t a = turn_mark(&turn, "a");
  turn_mark_t b = turn_mark(&turn, "b");
  turn_mark_t c = turn_mark(&turn, "c");
  turn_mark_t d = turn_mark(&turn, "d");
  uvow_promise_t *p, *q;
  uvow_future_t *f = uvow_promise_new(turn.loop, &p);
  uvow_promise_on_cancel(p, turn_cancel, &c, NULL);
  f = turn_chain(f, &a);
  f = uvow_future_finally(f, turn_finally, &b);
  uvow_future_done(f, turn_done, &d);
  uvow_future_done(uvow_promise_new(turn.loop, &q), turn_done, &d);
  uvow__runtime_close(&turn.rt);
  assert_non_null(strstr(turn.log, "c^")); /* the roots in any order */
  assert_non_null(strstr(turn.log, "a!ECLOSED a."));
  assert_non_null(strstr(turn.log, "b~ d!ECLOSED"));
  assert_int_equal(d.calls, 2);
  assert_int_equal(a.calls + b.calls + c.calls, 3);
  turn.log[0] = '\0';
  uvow__runtime_done(&turn.rt);
  assert_int_equal(turn.releases, 0);
  uvow_promise_fulfill(p, uvow_value_none()); /* harmless */
  assert_int_equal(turn.releases, 0);
  uvow_promise_drop(q);
  turn_assert_released(&turn);
  turn_expect(&turn, "");
}

TEST_CASE(close_ends_a_cleanup_that_waits) {
  turn_t turn;
  turn_init(&turn);
  turn_mark_t a = turn_mark(&turn, "a");
  turn_mark_t b = turn_mark(&turn, "b");
  turn_item_t item;
  uvow_promise_t *p;
  a.next = uvow_next_future(uvow_promise_new(turn.loop, &p));
  uvow_future_t *f =
      uvow_future_fulfilled(turn.loop, turn_item(&turn_type_unique, &item));
  f = uvow_future_finally(f, turn_finally, &a);
  uvow_future_done(f, turn_done, &b);
  turn_run(&turn);
  turn_expect(&turn, "a~");
  turn_close(&turn);
  turn_expect(&turn, "b!ECLOSED");
  assert_int_equal(item.destroyed, 1);
  uvow_promise_drop(p);
  turn_assert_released(&turn);
}

TEST_CASE(close_runs_what_was_queued) {
  turn_t turn;
  turn_init(&turn);
  turn_mark_t a = turn_mark(&turn, "a");
  turn.rt.budget = 3; /* no budget holds back a close */
  uvow_future_t *f = uvow_future_fulfilled(turn.loop, uvow_value_int64(1));
  for (int i = 0; i < 20; i++)
    f = uvow_future_then(f, NULL, NULL);
  uvow_future_done(f, turn_done, &a);
  turn_close(&turn);
  turn_expect(&turn, "a+1");
  turn_assert_released(&turn);
}

TEST_CASE(after_close_nothing_is_made) {
  turn_t turn;
  turn_init(&turn);
  turn_mark_t a = turn_mark(&turn, "a");
  turn_item_t item;
  uvow_promise_t *p;
  uvow_future_t *held = uvow_future_fulfilled(turn.loop, uvow_value_int64(1));
  turn_close(&turn);
  turn_close(&turn); /* twice is harmless */
  assert_null(uvow_promise_new(turn.loop, &p));
  assert_null(p);
  assert_null(
      uvow_future_fulfilled(turn.loop, turn_item(&turn_type_unique, &item)));
  assert_int_equal(item.destroyed, 1);
  assert_null(uvow_future_then(uvow_future_ref(held), turn_then, &a));
  assert_null(uvow_future_finally(uvow_future_ref(held), turn_finally, &a));
  assert_null(turn_chain(uvow_future_ref(held), &a));
  turn_expect(&turn, "a.");
  assert_int_equal(uvow_future_done(uvow_future_ref(held), turn_done, &a),
                   UVOW_ECLOSED);
  assert_int_equal(uvow_future_cancel(held), UVOW_EALREADY);
  assert_string_equal(turn_result(&turn, held), "+1"); /* still readable */
  assert_int_equal(turn.releases, 0);
  uvow_future_unref(held);
  turn_assert_released(&turn);
  turn_expect(&turn, "");
}

static void attaches_late(turn_mark_t *mark) {
  assert_null(uvow_future_then(uvow_future_ref(mark->future), turn_then, mark));
  assert_int_equal(
      uvow_future_done(uvow_future_ref(mark->future), turn_done, mark),
      UVOW_ECLOSED);
  mark->next = uvow_next_future(NULL);
}

TEST_CASE(callbacks_of_a_close_can_make_nothing) {
  turn_t turn;
  turn_init(&turn);
  turn_mark_t a = turn_mark(&turn, "a");
  turn_mark_t b = turn_mark(&turn, "b");
  uvow_promise_t *p;
  uvow_future_t *f = uvow_promise_new(turn.loop, &p);
  a.act = attaches_late;
  a.future = uvow_future_ref(f);
  uvow_future_done(turn_chain(f, &a), turn_done, &b);
  turn_close(&turn);
  turn_expect(&turn, "a!ECLOSED a. b!ECLOSED"); /* not ENOMEM: it says why */
  uvow_future_unref(a.future);
  uvow_promise_drop(p);
  turn_assert_released(&turn);
}

static void closes(turn_mark_t *mark) {
  uvow__runtime_close(&mark->turn->rt);
}

TEST_CASE(close_within_each_kind_of_callback) {
  for (int kind = 0; kind < 4; kind++) {
    turn_t turn;
    turn_init(&turn);
    turn_mark_t a = turn_mark(&turn, "a");
    turn_mark_t b = turn_mark(&turn, "b");
    uvow_promise_t *p, *q = NULL;
    a.act = closes;
    uvow_future_done(uvow_promise_new(turn.loop, &p), turn_done, &b);
    uvow_future_t *f = uvow_future_fulfilled(turn.loop, uvow_value_none());
    if (kind == 0) {
      uvow_future_done(f, turn_done, &a);
    } else if (kind == 1) {
      f = uvow_future_then(f, turn_then, &a);
      uvow_future_detach(uvow_future_catch(f, NULL, NULL));
    } else if (kind == 2) {
      uvow_future_detach(uvow_future_finally(f, turn_finally, &a));
    } else {
      uvow_future_unref(f);
      f = uvow_promise_new(turn.loop, &q);
      uvow_promise_on_cancel(q, turn_cancel, &a, NULL);
      uvow_future_cancel(f);
      uvow_future_unref(f);
    }
    turn_once(&turn);
    assert_int_equal(a.calls, 1);
    assert_int_equal(b.calls, 1);
    assert_non_null(strstr(turn.log, "b!ECLOSED"));
    turn.log[0] = turn.unhandled[0] = '\0';
    uvow_promise_drop(p);
    uvow_promise_drop(q);
    turn_close(&turn);
    turn_assert_released(&turn);
  }
}

TEST_CASE(close_in_a_done_reports_nothing_of_its_own) {
  turn_t turn;
  turn_init(&turn);
  turn_mark_t a = turn_mark(&turn, "a");
  a.act = closes;
  uvow_future_done(uvow_future_fulfilled(turn.loop, uvow_value_none()),
                   turn_done, &a);
  turn_once(&turn);
  turn_expect(&turn, "a+");
  turn_expect_unhandled(&turn, "");
  uvow__runtime_done(&turn.rt);
  turn_assert_released(&turn);
}

TEST_CASE(close_of_an_idle_runtime) {
  turn_t turn;
  turn_init(&turn);
  turn_close(&turn);
  turn_assert_released(&turn);
}

/* What dies with the loop is no news, whoever watched it or didn't. */
TEST_CASE(close_reports_nothing_that_it_closed) {
  turn_t turn;
  uvow_promise_t *promise;
  turn_init(&turn);
  uvow_future_t *f = uvow_promise_new(turn.loop, &promise);
  uvow_future_detach(uvow_future_then(f, NULL, NULL));
  turn_close(&turn);
  turn_expect_unhandled(&turn, "");
  uvow_promise_drop(promise);
  turn_assert_released(&turn);
}

static void rejects_again(uvow__runtime_t *rt, const uvow_error_t *error) {
  turn_t *turn = (turn_t *)rt;
  (void)error;
  turn->wakes += 1000; /* a mark of the hook's: how often it was called */
  uvow_future_unref(uvow_future_rejected(turn->loop, NULL));
}

/* A hook that makes what it's told of must not keep the loop from turning. */
TEST_CASE(a_hook_that_rejects_leaves_after_each_report) {
  turn_t turn;
  turn_init(&turn);
  turn.rt.on_unhandled = rejects_again;
  uvow_future_unref(uvow_future_rejected(turn.loop, NULL));
  for (unsigned i = 1; i <= 3; i++) {
    turn_once(&turn);
    assert_int_equal(turn.wakes / 1000, i);
    assert_int_equal(turn.rt.awake, 1); /* and asks for the next turn */
  }
  turn.rt.on_unhandled = NULL;
  turn_end(&turn);
}

TEST_MODULE(runtime) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(close_reports_nothing_that_it_closed),
      cmocka_unit_test(a_hook_that_rejects_leaves_after_each_report),
      cmocka_unit_test(f5_only_the_outermost_leave_drains),
      cmocka_unit_test(f5_a_leave_within_a_callback_runs_nothing),
      cmocka_unit_test(f5_what_is_ready_wakes_the_loop_once),
      cmocka_unit_test(f8_a_report_wakes_the_loop_too),
      cmocka_unit_test(f5_an_endless_chain_leaves_after_its_budget),
      cmocka_unit_test(p1_late_tasks_run_when_nothing_else_is_ready),
      cmocka_unit_test(f5_an_endless_chain_does_not_starve_late_tasks),
      cmocka_unit_test(a_deadline_counts_from_the_end_of_its_turn),
      cmocka_unit_test(close_rejects_what_is_pending),
      cmocka_unit_test(close_ends_a_cleanup_that_waits),
      cmocka_unit_test(close_runs_what_was_queued),
      cmocka_unit_test(after_close_nothing_is_made),
      cmocka_unit_test(callbacks_of_a_close_can_make_nothing),
      cmocka_unit_test(close_within_each_kind_of_callback),
      cmocka_unit_test(close_in_a_done_reports_nothing_of_its_own),
      cmocka_unit_test(close_of_an_idle_runtime),
  };
  return cmocka_run_group_tests_name("future/runtime", tests, NULL, NULL);
}
