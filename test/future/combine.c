/* all, all_settled, any, race; results; what is given up. */
#include "support/turn.h"

#include <stdio.h>

#include <uvow/combine.h>

typedef uvow_future_t *(*combine_t)(uvow_loop_t *loop,
                                    uvow_future_t *const *futures,
                                    size_t count);

static const combine_t combinators[] = {uvow_future_all,
                                        uvow_future_all_settled,
                                        uvow_future_any, uvow_future_race};

#define EACH(i) for (size_t i = 0; i < 4; i++)

/* Three futures and what their owners are told. */
typedef struct three {
  turn_t turn;
  uvow_future_t *f[3];
  uvow_promise_t *p[3];
  turn_mark_t mark[3];
} three_t;

static void three_init(three_t *t) {
  static const char *const names[] = {"a", "b", "c"};
  turn_init(&t->turn);
  for (int i = 0; i < 3; i++) {
    t->f[i] = uvow_promise_new(t->turn.loop, &t->p[i]);
    t->mark[i] = turn_mark(&t->turn, names[i]);
    uvow_promise_on_cancel(t->p[i], turn_cancel, &t->mark[i], NULL);
  }
}

/* The promises that nobody wants any more. */
static void three_end(three_t *t) {
  for (int i = 0; i < 3; i++)
    uvow_promise_drop(t->p[i]);
  turn_end(&t->turn);
}

static void fulfill(three_t *t, int i, int64_t number) {
  uvow_promise_fulfill(t->p[i], uvow_value_int64(number));
  t->p[i] = NULL;
  turn_run(&t->turn);
}

static void reject(three_t *t, int i, int code) {
  uvow_promise_reject_code(t->p[i], code, NULL);
  t->p[i] = NULL;
  turn_run(&t->turn);
}

static const uvow_results_t *results_of(uvow_future_t *f) {
  uvow_result_t result;
  const uvow_results_t *results = NULL;
  assert_int_equal(uvow_future_peek(f, &result), 0);
  assert_int_equal(uvow_value_get_results(&result.value, &results), 0);
  return results;
}

/* All results as text: "1 2 !UVOW_EINVAL". */
static const char *text_of(const uvow_results_t *results) {
  static char text[256];
  size_t at = 0;
  text[0] = '\0';
  for (size_t i = 0; i < uvow_results_count(results); i++) {
    uvow_result_t one;
    int64_t number = -1;
    assert_int_equal(uvow_results_get(results, i, &one), 0);
    assert_non_null(one.loop);
    const char *gap = i ? " " : "";
    if (one.error)
      at += (size_t)snprintf(text + at, sizeof(text) - at, "%s!%s", gap,
                             uvow__error_name(uvow_error_code(one.error)));
    else if (uvow_value_get_int64(&one.value, &number) == 0)
      at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%d", gap,
                             (int)number);
    else
      at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%s", gap,
                             uvow_value_type_name(&one.value));
  }
  return text;
}

static const char *codes_of(uvow_future_t *f) {
  static char text[256];
  uvow_result_t result;
  size_t at = 0;
  assert_int_equal(uvow_future_peek(f, &result), 0);
  text[0] = '\0';
  for (size_t i = 0; i < uvow_error_cause_count(result.error); i++)
    at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%s", i ? " " : "",
                           uvow__error_name(uvow_error_code(
                               uvow_error_nth_cause(result.error, i))));
  assert_null(
      uvow_error_nth_cause(result.error, uvow_error_cause_count(result.error)));
  return text;
}

TEST_CASE(all_keeps_the_order) {
  three_t t;
  three_init(&t);
  uvow_future_t *f = uvow_future_all(t.turn.loop, t.f, 3);
  fulfill(&t, 2, 3);
  fulfill(&t, 0, 1);
  assert_int_equal(uvow_future_state(f), UVOW_PENDING);
  fulfill(&t, 1, 2);
  assert_string_equal(turn_result(&t.turn, f), "+results");
  assert_string_equal(text_of(results_of(f)), "1 2 3");
  uvow_future_unref(f);
  three_end(&t);
}

TEST_CASE(all_rejects_at_once) {
  three_t t;
  three_init(&t);
  turn_mark_t end = turn_mark(&t.turn, "end");
  uvow_future_t *f = uvow_future_all(t.turn.loop, t.f, 3);
  uvow_future_done(uvow_future_ref(f), turn_done, &end);
  fulfill(&t, 0, 1);
  turn_expect(&t.turn, "");
  reject(&t, 1, UVOW_EURL);
  turn_expect(&t.turn, "end!EURL c^");
  uvow_future_unref(f);
  three_end(&t);
}

TEST_CASE(all_settled_never_rejects) {
  three_t t;
  three_init(&t);
  uvow_future_t *f = uvow_future_all_settled(t.turn.loop, t.f, 3);
  reject(&t, 2, UVOW_ELOST);
  fulfill(&t, 1, 7);
  assert_int_equal(uvow_future_state(f), UVOW_PENDING);
  reject(&t, 0, UVOW_EURL);
  assert_string_equal(text_of(results_of(f)), "!UVOW_EURL 7 !UVOW_ELOST");
  uvow_future_unref(f);
  three_end(&t);
}

TEST_CASE(any_takes_the_first_value) {
  three_t t;
  three_init(&t);
  uvow_future_t *f = uvow_future_any(t.turn.loop, t.f, 3);
  reject(&t, 0, UVOW_EURL);
  assert_int_equal(uvow_future_state(f), UVOW_PENDING);
  fulfill(&t, 2, 7);
  assert_string_equal(turn_result(&t.turn, f), "+7");
  turn_expect(&t.turn, "b^");
  uvow_future_unref(f);
  three_end(&t);
}

TEST_CASE(any_of_errors_has_them_all) {
  three_t t;
  three_init(&t);
  uvow_future_t *f = uvow_future_any(t.turn.loop, t.f, 3);
  reject(&t, 2, UVOW_ELOST);
  reject(&t, 0, UVOW_EURL);
  reject(&t, 1, UVOW_EUTF8);
  assert_string_equal(turn_result(&t.turn, f), "!EALL");
  assert_string_equal(codes_of(f), "UVOW_EURL UVOW_EUTF8 UVOW_ELOST");
  turn_expect_unhandled(&t.turn, "EALL");
  uvow_future_unref(f);
  three_end(&t);
}

TEST_CASE(race_takes_the_first) {
  three_t t;
  for (int with_error = 0; with_error < 2; with_error++) {
    three_init(&t);
    uvow_future_t *f = uvow_future_race(t.turn.loop, t.f, 3);
    if (with_error)
      reject(&t, 1, UVOW_EURL);
    else
      fulfill(&t, 1, 7);
    assert_string_equal(turn_result(&t.turn, f), with_error ? "!EURL" : "+7");
    turn_expect(&t.turn, "a^ c^");
    turn_expect_unhandled(&t.turn, with_error ? "EURL" : "");
    uvow_future_unref(f);
    three_end(&t);
  }
}

/* Two that settled before the drain: the first to settle decides, not the
 * first in the array; and of those settled before the call, the array. */
TEST_CASE(race_goes_by_time) {
  three_t t;
  three_init(&t);
  uvow_future_t *f = uvow_future_race(t.turn.loop, t.f, 3);
  uvow_promise_fulfill(t.p[2], uvow_value_int64(3));
  uvow_promise_fulfill(t.p[0], uvow_value_int64(1));
  t.p[2] = t.p[0] = NULL;
  assert_int_equal(uvow_future_state(f), UVOW_PENDING);
  turn_run(&t.turn);
  assert_string_equal(turn_result(&t.turn, f), "+3");
  turn_expect(&t.turn, "b^");
  uvow_future_unref(f);
  uvow_future_t *settled[3] = {
      NULL, uvow_future_fulfilled(t.turn.loop, uvow_value_int64(5)),
      uvow_future_fulfilled(t.turn.loop, uvow_value_int64(6))};
  f = uvow_future_race(t.turn.loop, settled + 1, 2);
  assert_int_equal(uvow_future_state(f), UVOW_PENDING);
  turn_run(&t.turn);
  assert_string_equal(turn_result(&t.turn, f), "+5");
  uvow_future_unref(f);
  settled[1] = uvow_future_fulfilled(t.turn.loop, uvow_value_int64(5));
  f = uvow_future_race(t.turn.loop, settled, 2);
  turn_run(&t.turn);
  assert_string_equal(turn_result(&t.turn, f), "!ENOMEM");
  turn_expect_unhandled(&t.turn, "ENOMEM");
  uvow_future_unref(f);
  three_end(&t);
}

TEST_CASE(of_none) {
  turn_t turn;
  turn_init(&turn);
  EACH(i) {
    static const char *const ends[] = {"+results", "+results", "!EALL",
                                       "!EINVAL"};
    uvow_future_t *f = combinators[i](turn.loop, NULL, 0);
    assert_string_equal(turn_result(&turn, f), ends[i]);
    if (i < 2)
      assert_int_equal(uvow_results_count(results_of(f)), 0);
    else
      assert_string_equal(codes_of(f), "");
    uvow_future_detach(f);
  }
  turn_run(&turn);
  turn_expect_unhandled(&turn, "EALL EINVAL");
  turn_end(&turn);
}

TEST_CASE(bad_arguments) {
  turn_t turn;
  turn_init(&turn);
  EACH(i) {
    uvow_future_t *f = combinators[i](turn.loop, NULL, 2);
    assert_string_equal(turn_result(&turn, f), "!EINVAL");
    uvow_future_detach(f);
    turn_run(&turn);
    turn_expect_unhandled(&turn, "EINVAL");
    f = uvow_future_fulfilled(turn.loop, uvow_value_none());
    assert_null(combinators[i](NULL, &f, 1));
  }
  uvow_result_t result;
  const uvow_results_t *results;
  uvow_value_t number = uvow_value_int64(1);
  assert_int_equal(uvow_value_get_results(&number, &results), UVOW_ETYPE);
  assert_int_equal(uvow_results_get(NULL, 0, &result), UVOW_EINVAL);
  assert_int_equal(uvow_results_count(NULL), 0);
  turn_end(&turn);
}

TEST_CASE(get_checks_the_index) {
  three_t t;
  uvow_result_t one;
  three_init(&t);
  uvow_future_t *f = uvow_future_all(t.turn.loop, t.f, 1);
  uvow_future_t *g = uvow_future_all(t.turn.loop, t.f + 1, 2);
  fulfill(&t, 0, 1);
  fulfill(&t, 1, 1);
  fulfill(&t, 2, 1);
  assert_int_equal(uvow_results_get(results_of(f), 0, &one), 0);
  assert_int_equal(uvow_results_get(results_of(f), 1, &one), UVOW_EINVAL);
  assert_int_equal(uvow_results_get(results_of(g), 2, &one), UVOW_EINVAL);
  uvow_future_unref(f);
  uvow_future_unref(g);
  three_end(&t);
}

TEST_CASE(null_and_foreign_entries) {
  turn_t turn, other;
  turn_init(&turn);
  turn_init(&other);
  EACH(i) {
    static const char *const ends[] = {"!ENOMEM", "+results", "!EALL",
                                       "!ENOMEM"};
    uvow_future_t *futures[2] = {
        NULL, uvow_future_fulfilled(other.loop, uvow_value_none())};
    uvow_future_t *f = combinators[i](turn.loop, futures, 2);
    assert_int_equal(uvow_future_state(f), UVOW_PENDING);
    turn_run(&turn);
    assert_string_equal(turn_result(&turn, f), ends[i]);
    if (i == 1)
      assert_string_equal(text_of(results_of(f)), "!UVOW_ENOMEM !UVOW_EINVAL");
    else
      turn_expect_unhandled(&turn, ends[i] + 1);
    if (i == 2)
      assert_string_equal(codes_of(f), "UVOW_ENOMEM UVOW_EINVAL");
    uvow_future_unref(f);
  }
  turn_end(&turn);
  turn_end(&other);
}

TEST_CASE(the_same_twice) {
  three_t t;
  three_init(&t);
  uvow_future_t *twice[3] = {t.f[0], t.f[1], uvow_future_ref(t.f[0])};
  uvow_future_t *f = uvow_future_all(t.turn.loop, twice, 3);
  fulfill(&t, 0, 4);
  fulfill(&t, 1, 5);
  assert_string_equal(text_of(results_of(f)), "4 5 4");
  uvow_future_unref(f);
  uvow_future_t *lost[2] = {t.f[2], uvow_future_ref(t.f[2])};
  f = uvow_future_all(t.turn.loop, lost, 2);
  assert_int_equal(uvow_future_cancel(f), 0);
  turn_run(&t.turn);
  turn_expect(&t.turn, "c^"); /* once */
  uvow_future_unref(f);
  three_end(&t);
}

TEST_CASE(a_cancel_gives_all_up) {
  EACH(i) {
    three_t t;
    three_init(&t);
    uvow_future_t *f = combinators[i](t.turn.loop, t.f, 3);
    turn_mark_t end = turn_mark(&t.turn, "end");
    f = uvow_future_then(f, turn_then, NULL);
    uvow_future_t *g = uvow_future_ref(f);
    uvow_future_done(f, turn_done, &end);
    assert_int_equal(uvow_future_cancel(g), 0);
    assert_int_equal(uvow_future_cancel(g), UVOW_EALREADY);
    turn_run(&t.turn);
    turn_expect(&t.turn, "a^ b^ c^ end!ECANCELED");
    uvow_future_unref(g);
    three_end(&t);
  }
}

/* A future that somebody else holds, or waits for, goes on. */
TEST_CASE(others_keep_a_loser) {
  three_t t;
  three_init(&t);
  turn_mark_t end = turn_mark(&t.turn, "end");
  uvow_future_t *held = uvow_future_ref(t.f[1]);
  uvow_future_done(uvow_future_ref(t.f[2]), turn_done, &end);
  uvow_future_detach(uvow_future_race(t.turn.loop, t.f, 3));
  fulfill(&t, 0, 1);
  turn_expect(&t.turn, "");
  assert_int_equal(uvow_future_state(held), UVOW_PENDING);
  assert_true(uvow__list_empty(&held->reactions));
  fulfill(&t, 2, 3);
  turn_expect(&t.turn, "end+3");
  uvow_future_unref(held);
  three_end(&t);
}

/* Dropping the handle leaves the work alone (F7). */
TEST_CASE(a_drop_is_no_cancel) {
  EACH(i) {
    three_t t;
    three_init(&t);
    uvow_future_detach(combinators[i](t.turn.loop, t.f, 3));
    turn_expect(&t.turn, "");
    fulfill(&t, 0, 1);
    turn_expect(&t.turn, i < 2 ? "" : "b^ c^");
    if (i < 2) {
      fulfill(&t, 1, 2);
      fulfill(&t, 2, 3);
    }
    three_end(&t);
  }
}

/* A loser that rejects later has been observed. */
TEST_CASE(a_loser_is_not_reported) {
  three_t t;
  three_init(&t);
  uvow_future_t *held = uvow_future_ref(t.f[1]);
  uvow_future_detach(uvow_future_race(t.turn.loop, t.f, 3));
  fulfill(&t, 0, 1);
  reject(&t, 1, UVOW_EURL);
  turn_expect_unhandled(&t.turn, "");
  turn_expect(&t.turn, "c^");
  uvow_future_unref(held);
  three_end(&t);
}

/* Settled in one turn, but canceled before the news came down. */
TEST_CASE(canceled_with_news_under_way) {
  EACH(i) {
    three_t t;
    three_init(&t);
    uvow_future_t *f = combinators[i](t.turn.loop, t.f, 3);
    uvow_promise_fulfill(t.p[0], uvow_value_int64(1));
    t.p[0] = NULL;
    uvow_future_cancel(f);
    turn_run(&t.turn);
    assert_string_equal(turn_result(&t.turn, f), "!ECANCELED");
    turn_expect(&t.turn, "b^ c^");
    uvow_future_unref(f);
    three_end(&t);
  }
}

/* Told of its own end, an owner settles the next one and runs a turn. */
static void settle_another(turn_mark_t *mark) {
  uvow_promise_t *promise = mark->promise;
  mark->promise = NULL;
  uvow_promise_fulfill(promise, uvow_value_int64(9));
  uvow_future_cancel(mark->future);
  turn_once(mark->turn);
}

TEST_CASE(told_owners_may_do_anything) {
  EACH(i) {
    three_t t;
    three_init(&t);
    uvow_future_t *f = combinators[i](t.turn.loop, t.f, 3);
    t.mark[0].act = settle_another;
    t.mark[0].promise = t.p[1];
    t.mark[0].future = f;
    t.p[1] = NULL;
    uvow_future_cancel(f);
    turn_run(&t.turn);
    assert_string_equal(turn_result(&t.turn, f), "!ECANCELED");
    turn_expect(&t.turn, "a^ c^");
    uvow_future_unref(f);
    three_end(&t);
  }
}

/* Each value is destroyed once, kept or not, whether it has `ref` or not. */
TEST_CASE(values_are_owned_once) {
  const uvow_type_t *const types[] = {&turn_type_counted, &turn_type_unique};
  for (int k = 0; k < 2; k++) {
    three_t t;
    turn_item_t item[3];
    uvow_result_t one;
    three_init(&t);
    uvow_future_t *held = uvow_future_ref(t.f[1]);
    uvow_future_t *f = uvow_future_all(t.turn.loop, t.f, 3);
    for (int i = 0; i < 3; i++) {
      uvow_promise_fulfill(t.p[i], turn_item(types[k], &item[i]));
      t.p[i] = NULL;
    }
    turn_run(&t.turn);
    assert_int_equal(uvow_results_get(results_of(f), 0, &one), 0);
    assert_ptr_equal(one.value.as.ptr, &item[0]);
    uvow_value_t kept = uvow_result_keep(&one);
    assert_int_equal(uvow_results_get(results_of(f), 1, &one), 0);
    uvow_value_t other = uvow_result_keep(&one);
    uvow_future_unref(held);
    uvow_future_unref(f);
    turn_run(&t.turn);
    assert_int_equal(item[0].destroyed, 0);
    assert_int_equal(item[1].destroyed, 0);
    assert_int_equal(item[2].destroyed, 1);
    void *ptr = NULL;
    assert_int_equal(uvow_value_get_ptr(&kept, types[k], &ptr), 0);
    assert_ptr_equal(ptr, &item[0]);
    uvow_value_clear(&kept);
    uvow_value_clear(&other);
    turn_run(&t.turn);
    assert_int_equal(item[0].destroyed, 1);
    assert_int_equal(item[1].destroyed, 1);
    three_end(&t);
  }
}

/* all gives up values that it had: they are released at once. */
TEST_CASE(a_failed_all_releases_values) {
  three_t t;
  turn_item_t item;
  three_init(&t);
  uvow_future_t *f = uvow_future_all(t.turn.loop, t.f, 3);
  uvow_promise_fulfill(t.p[0], turn_item(&turn_type_unique, &item));
  t.p[0] = NULL;
  turn_run(&t.turn);
  assert_int_equal(item.destroyed, 0);
  reject(&t, 2, UVOW_EURL);
  assert_int_equal(item.destroyed, 1);
  turn_expect(&t.turn, "b^");
  turn_expect_unhandled(&t.turn, "EURL");
  uvow_future_unref(f);
  three_end(&t);
}

/* Results go down a chain and may be kept; then they outlive loop and chain. */
TEST_CASE(results_outlive_the_loop) {
  three_t t;
  three_init(&t);
  turn_mark_t end = turn_mark(&t.turn, "end");
  end.keep = 1;
  uvow_future_t *f = uvow_future_all(t.turn.loop, t.f, 3);
  f = uvow_future_then(f, NULL, NULL);
  uvow_future_done(f, turn_done, &end);
  for (int i = 0; i < 3; i++)
    fulfill(&t, i, i);
  turn_expect(&t.turn, "end+results");
  turn_close(&t.turn);
  assert_int_equal(t.turn.releases, 0); /* results keep its memory */
  const uvow_results_t *results = NULL;
  assert_int_equal(uvow_value_get_results(&end.kept, &results), 0);
  assert_string_equal(text_of(results), "0 1 2");
  uvow_result_t one;
  assert_int_equal(uvow_results_get(results, 0, &one), 0);
  uvow_promise_t *promise;
  assert_null(uvow_promise_new(one.loop, &promise)); /* closed, not dangling */
  uvow_value_clear(&end.kept);
  turn_assert_released(&t.turn);
}

TEST_CASE(closing_ends_groups) {
  for (size_t i = 0; i < 8; i++) {
    three_t t;
    uvow_future_t *f;
    three_init(&t);
    turn_mark_t end = turn_mark(&t.turn, "end");
    if (i < 4) {
      f = combinators[i](t.turn.loop, t.f, 3);
    } else { /* the group's block comes before its sources' */
      uvow_future_t *gap[2] = {
          uvow_future_fulfilled(t.turn.loop, uvow_value_none()), t.f[2]};
      uvow_future_unref(gap[0]);
      gap[0] = t.f[0];
      f = combinators[i % 4](t.turn.loop, gap, 2);
      uvow_future_unref(t.f[1]);
    }
    uvow_future_t *late = uvow_future_ref(f);
    uvow_future_done(f, turn_done, &end);
    turn_close(&t.turn);
    /* ECLOSED, or (settled first) of what its sources were closed with. */
    assert_non_null(strstr(t.turn.log, "end"));
    assert_true(uvow_future_state(late) != UVOW_PENDING);
    uvow_future_t *more[2] = {uvow_future_ref(late), NULL};
    assert_null(combinators[i % 4](t.turn.loop, more, 2));
    uvow_future_unref(late);
    for (int k = 0; k < 3; k++)
      uvow_promise_drop(t.p[k]);
    turn_assert_released(&t.turn);
  }
}

TEST_MODULE(combine) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(all_keeps_the_order),
      cmocka_unit_test(all_rejects_at_once),
      cmocka_unit_test(all_settled_never_rejects),
      cmocka_unit_test(any_takes_the_first_value),
      cmocka_unit_test(any_of_errors_has_them_all),
      cmocka_unit_test(race_takes_the_first),
      cmocka_unit_test(race_goes_by_time),
      cmocka_unit_test(of_none),
      cmocka_unit_test(bad_arguments),
      cmocka_unit_test(get_checks_the_index),
      cmocka_unit_test(null_and_foreign_entries),
      cmocka_unit_test(the_same_twice),
      cmocka_unit_test(a_cancel_gives_all_up),
      cmocka_unit_test(others_keep_a_loser),
      cmocka_unit_test(a_drop_is_no_cancel),
      cmocka_unit_test(a_loser_is_not_reported),
      cmocka_unit_test(canceled_with_news_under_way),
      cmocka_unit_test(told_owners_may_do_anything),
      cmocka_unit_test(values_are_owned_once),
      cmocka_unit_test(a_failed_all_releases_values),
      cmocka_unit_test(results_outlive_the_loop),
      cmocka_unit_test(closing_ends_groups),
  };
  return cmocka_run_group_tests_name("future/combine", tests, NULL, NULL);
}
