/*
 * The future by itself: F1 (who owns what), F3 (what a callback may answer),
 * F7 (dropping doesn't cancel), F8 (unhandled), F10 (size and allocations).
 */
#include "support/turn.h"

#include <stdio.h>

TEST_CASE(f1_null_in_gives_null_out) {
  turn_t turn;
  turn_init(&turn);
  turn_mark_t a = turn_mark(&turn, "a");
  assert_null(uvow_future_then(NULL, turn_then, &a));
  assert_null(uvow_future_catch(NULL, turn_then, &a));
  assert_null(uvow_future_finally(NULL, turn_finally, &a));
  assert_null(turn_chain(NULL, &a));
  turn_expect(&turn, "a."); /* data isn't lost: the chain's is destroyed */
  assert_int_equal(uvow_future_done(NULL, turn_done, &a), UVOW_ENOMEM);
  assert_null(uvow_future_ref(NULL));
  assert_null(uvow_future_name(NULL, "x"));
  uvow_future_unref(NULL);
  uvow_future_detach(NULL);
  assert_int_equal(uvow_future_state(NULL), 0);
  assert_int_equal(uvow_future_cancel(NULL), UVOW_EINVAL);
  uvow_result_t result;
  assert_int_equal(uvow_future_peek(NULL, &result), UVOW_EINVAL);
  turn_end(&turn);
}

TEST_CASE(f1_chain_with_bad_options_takes_all) {
  turn_t turn;
  turn_init(&turn);
  uvow_chain_options_t options = {1, NULL, NULL, NULL, NULL};
  uvow_future_t *f = uvow_future_fulfilled(turn.loop, uvow_value_none());
  assert_null(uvow_future_chain(f, &options));
  f = uvow_future_fulfilled(turn.loop, uvow_value_none());
  assert_null(uvow_future_chain(f, NULL));
  turn_end(&turn);
}

TEST_CASE(f1_done_without_a_callback_takes_the_future) {
  turn_t turn;
  turn_init(&turn);
  uvow_future_t *f = uvow_future_fulfilled(turn.loop, uvow_value_none());
  assert_int_equal(uvow_future_done(f, NULL, NULL), UVOW_EINVAL);
  turn_end(&turn);
}

TEST_CASE(f1_a_null_loop_gives_nothing_and_takes_the_value) {
  turn_item_t item;
  uvow_promise_t *p;
  assert_null(uvow_promise_new(NULL, &p));
  assert_null(p);
  assert_null(uvow_future_fulfilled(NULL, turn_item(&turn_type_unique, &item)));
  assert_int_equal(item.destroyed, 1);
  assert_null(uvow_future_rejected(NULL, NULL));
}

TEST_CASE(f1_peek_shows_what_is_settled) {
  turn_t turn;
  turn_init(&turn);
  uvow_promise_t *p;
  uvow_future_t *f = uvow_promise_new(turn.loop, &p);
  uvow_result_t result;
  memset(&result, 0xA5, sizeof(result));
  uvow_result_t before = result;
  assert_int_equal(uvow_future_peek(f, &result), UVOW_EINVAL);
  assert_memory_equal(&result, &before, sizeof(result));
  uvow_promise_fulfill(p, uvow_value_int64(5));
  assert_int_equal(uvow_future_peek(f, &result), 0);
  assert_ptr_equal(result.loop, turn.loop);
  assert_null(result.error);
  assert_string_equal(turn_result(&turn, f), "+5");
  uvow_future_unref(f);
  turn_end(&turn);
}

TEST_CASE(f1_name_gives_its_future_back) {
  turn_t turn;
  turn_init(&turn);
  uvow_future_t *f = uvow_future_fulfilled(turn.loop, uvow_value_none());
  assert_ptr_equal(uvow_future_name(f, "name"), f);
  uvow_future_unref(f);
  turn_end(&turn);
}

/* One link whose callback answers `next`; how it ends. */
static void answers(uvow_next_t next, const char *result) {
  turn_t turn;
  turn_init(&turn);
  turn_mark_t a = turn_mark(&turn, "a");
  a.next = next;
  uvow_future_t *f = uvow_future_fulfilled(turn.loop, uvow_value_int64(1));
  f = uvow_future_catch(uvow_future_then(f, turn_then, &a), NULL, NULL);
  turn_run(&turn);
  assert_string_equal(turn_result(&turn, f), result);
  uvow_future_unref(f);
  turn_expect(&turn, "a+1");
  turn.unhandled[0] = '\0';
  turn_end(&turn);
}

TEST_CASE(f3_a_callback_says_what_comes_next) {
  uvow_next_t unknown = uvow_next_none();
  unknown.kind = 77;
  answers(uvow_next_pass(), "+1");
  answers(uvow_next_none(), "+");
  answers(uvow_next_value(uvow_value_int64(9)), "+9");
  answers(uvow_next_code(UVOW_EURL, NULL), "!EURL");
  answers(uvow_next_code(0, NULL), "!EINVAL");
  answers(uvow_next_code(5, "positive"), "!EINVAL");
  answers(uvow_next_error(NULL), "!EINVAL");
  answers(uvow_next_future(NULL), "!ENOMEM");
  answers(unknown, "!EINVAL");
}

TEST_CASE(f3_a_code_with_text_becomes_an_error_that_says_it) {
  turn_t turn;
  turn_init(&turn);
  turn_mark_t a = turn_mark(&turn, "a");
  a.next = uvow_next_code(UVOW_EURL, "no host");
  uvow_future_t *f = uvow_future_fulfilled(turn.loop, uvow_value_none());
  f = uvow_future_then(f, turn_then, &a);
  turn_run(&turn);
  uvow_result_t result;
  assert_int_equal(uvow_future_peek(f, &result), 0);
  assert_int_equal(uvow_error_code(result.error), UVOW_EURL);
  assert_string_equal(uvow_error_message(result.error), "no host");
  uvow_future_unref(f);
  turn_expect(&turn, "a+");
  turn_expect_unhandled(&turn, "EURL");
  turn_end(&turn);
}

TEST_CASE(f3_the_error_of_a_callback_is_the_very_one) {
  turn_t turn;
  turn_init(&turn);
  turn_mark_t a = turn_mark(&turn, "a");
  uvow_error_t *cause = uvow_error_new(turn.loop, UVOW_ELOST, "wire");
  uvow__error_spec_t spec = {0};
  spec.code = UVOW_EPROTO;
  spec.cause = cause;
  uvow_error_t *error = uvow__error_make(&turn.rt.mem, &spec);
  uvow_error_unref(cause);
  a.next = uvow_next_error(uvow_error_ref(error));
  uvow_future_t *f = uvow_future_fulfilled(turn.loop, uvow_value_none());
  f = uvow_future_then(f, turn_then, &a);
  f = uvow_future_finally(f, NULL, NULL);
  turn_run(&turn);
  uvow_result_t result;
  assert_int_equal(uvow_future_peek(f, &result), 0);
  assert_ptr_equal(result.error, error);
  uvow_error_unref(error);
  assert_int_equal(uvow_error_code(uvow_error_cause(result.error)), UVOW_ELOST);
  assert_string_equal(uvow_error_message(uvow_error_cause(result.error)),
                      "wire");
  uvow_future_unref(f);
  turn_expect(&turn, "a+");
  turn_expect_unhandled(&turn, "EPROTO");
  turn_end(&turn);
}

TEST_CASE(f7_dropping_handles_does_not_cancel) {
  turn_t turn;
  turn_init(&turn);
  turn_mark_t a = turn_mark(&turn, "a");
  turn_mark_t b = turn_mark(&turn, "b");
  uvow_promise_t *p;
  uvow_future_t *f = uvow_promise_new(turn.loop, &p);
  uvow_promise_on_cancel(p, turn_cancel, &b, NULL);
  uvow_future_t *link = uvow_future_then(f, turn_then, &a);
  uvow_future_unref(link);
  turn_run(&turn);
  uvow_promise_fulfill(p, uvow_value_int64(3));
  turn_run(&turn);
  turn_expect(&turn, "a+3");
  turn_end(&turn);
}

TEST_CASE(f8_a_chain_is_reported_once) {
  turn_t turn;
  turn_init(&turn);
  uvow_promise_t *p;
  uvow_future_t *f = uvow_promise_new(turn.loop, &p);
  for (int i = 0; i < 5; i++)
    f = uvow_future_then(f, NULL, NULL);
  uvow_promise_reject_code(p, UVOW_EPROTO, NULL);
  turn_expect_unhandled(&turn, ""); /* not before the end of the drain */
  turn_run(&turn);
  turn_expect_unhandled(&turn, "EPROTO"); /* holding it hides nothing */
  turn_run(&turn);
  uvow_future_unref(f);
  turn_end(&turn);
}

TEST_CASE(f8_each_branch_is_a_chain_of_its_own) {
  turn_t turn;
  turn_init(&turn);
  turn_mark_t a = turn_mark(&turn, "a");
  uvow_future_t *f = uvow_future_rejected(
      turn.loop, uvow_error_new(turn.loop, UVOW_EURL, NULL));
  uvow_future_detach(uvow_future_then(uvow_future_ref(f), NULL, NULL));
  uvow_future_detach(uvow_future_then(uvow_future_ref(f), NULL, NULL));
  uvow_future_done(f, turn_done, &a);
  turn_run(&turn);
  turn_expect(&turn, "a!EURL");
  turn_expect_unhandled(&turn, "EURL EURL");
  turn_end(&turn);
}

TEST_CASE(f8_what_is_dropped_is_reported) {
  turn_t turn;
  turn_init(&turn);
  uvow_future_detach(uvow_future_rejected(turn.loop, NULL));
  uvow_promise_t *p;
  uvow_future_unref(uvow_promise_new(turn.loop, &p));
  uvow_promise_reject_code(p, UVOW_EURL, NULL);
  uvow_future_unref(uvow_promise_new(turn.loop, &p));
  uvow_promise_drop(p);
  turn_run(&turn);
  turn_expect_unhandled(&turn, "EINVAL EURL EBROKEN");
  turn_end(&turn);
}

TEST_CASE(f8_cancellations_are_exempt) {
  turn_t turn;
  turn_init(&turn);
  uvow_promise_t *p;
  uvow_future_t *f = uvow_promise_new(turn.loop, &p);
  uvow_future_t *link = uvow_future_then(uvow_future_ref(f), NULL, NULL);
  uvow_future_detach(uvow_future_then(uvow_future_ref(link), NULL, NULL));
  assert_int_equal(uvow_future_cancel(link), 0);
  uvow_future_unref(link);
  uvow_promise_reject_code(p, UVOW_ECANCELED, "by its owner");
  uvow_future_unref(f);
  turn_run(&turn);
  turn_expect_unhandled(&turn, "");
  turn_end(&turn);
}

static void attach_late(turn_mark_t *mark) {
  uvow_future_done(mark->future, turn_done, mark->other);
}

TEST_CASE(f8_observed_within_the_drain_is_not_reported) {
  turn_t turn;
  turn_init(&turn);
  turn_mark_t a = turn_mark(&turn, "a");
  turn_mark_t b = turn_mark(&turn, "b");
  a.act = attach_late;
  a.other = &b;
  uvow_future_t *ok = uvow_future_fulfilled(turn.loop, uvow_value_none());
  for (int i = 0; i < 3; i++)
    ok = uvow_future_then(ok, NULL, NULL);
  uvow_future_done(ok, turn_done, &a);
  a.future = uvow_future_rejected(turn.loop, NULL);
  turn_run(&turn);
  turn_expect(&turn, "a+ b!EINVAL");
  turn_expect_unhandled(&turn, "");
  turn_end(&turn);
}

TEST_CASE(f8_looking_is_not_observing) {
  turn_t turn;
  turn_init(&turn);
  uvow_future_t *f = uvow_future_rejected(turn.loop, NULL);
  assert_string_equal(turn_result(&turn, f), "!EINVAL");
  turn_run(&turn);
  turn_expect_unhandled(&turn, "EINVAL");
  uvow_future_unref(f);
  turn_end(&turn);
}

TEST_CASE(f8_attaching_after_the_report_reports_no_more) {
  turn_t turn;
  turn_init(&turn);
  turn_mark_t a = turn_mark(&turn, "a");
  uvow_future_t *f = uvow_future_rejected(turn.loop, NULL);
  turn_run(&turn);
  turn_expect_unhandled(&turn, "EINVAL");
  uvow_future_done(f, turn_done, &a);
  turn_run(&turn);
  turn_expect(&turn, "a!EINVAL");
  turn_end(&turn);
}

TEST_CASE(f8_adopting_observes) {
  turn_t turn;
  turn_init(&turn);
  turn_mark_t a = turn_mark(&turn, "a");
  uvow_promise_t *p;
  uvow_future_done(uvow_promise_new(turn.loop, &p), turn_done, &a);
  uvow_promise_follow(p, uvow_future_rejected(turn.loop, NULL));
  turn_run(&turn);
  turn_expect(&turn, "a!EINVAL");
  turn_expect_unhandled(&turn, "");
  turn_end(&turn);
}

TEST_CASE(f8_no_hook_is_no_harm) {
  turn_t turn;
  turn_init(&turn);
  turn.rt.on_unhandled = NULL;
  uvow_future_detach(uvow_future_rejected(turn.loop, NULL));
  turn_end(&turn);
}

TEST_CASE(f10_a_link_takes_at_most_96_bytes) {
#ifdef UVOW_DEBUG
  printf("# skip: a debug build has names\n");
  skip();
#else
  assert_true(sizeof(struct uvow_future) <= 96);
#endif
}

static uvow_next_t plus_one(const uvow_result_t *result, void *data) {
  int64_t n;
  (void)data;
  assert_int_equal(uvow_value_get_int64(&result->value, &n), 0);
  return uvow_next_value(uvow_value_int64(n + 1));
}

static uvow_next_t follow_new(const uvow_result_t *result, void *data) {
  return uvow_next_future(
      uvow_future_fulfilled((uvow_loop_t *)data, uvow_result_keep(result)));
}

static uvow_next_t clean(void *data) {
  (void)data;
  return uvow_next_pass();
}

static void save(const uvow_result_t *result, void *data) {
  assert_int_equal(uvow_value_get_int64(&result->value, (int64_t *)data), 0);
}

static void one_of_each(turn_t *turn) {
  int64_t n = 0;
  uvow_promise_t *p;
  uvow_future_t *f = uvow_promise_new(turn->loop, &p);
  f = uvow_future_then(f, plus_one, NULL);
  f = uvow_future_then(f, follow_new, turn->loop);
  f = uvow_future_catch(f, plus_one, NULL);
  f = uvow_future_finally(f, clean, NULL);
  assert_int_equal(uvow_future_done(f, save, &n), 0);
  uvow_promise_fulfill(p, uvow_value_int64(1));
  turn_run(turn);
  assert_int_equal(n, 2);
}

TEST_CASE(f10_no_malloc_once_the_pool_is_warm) {
  turn_t turn;
  turn_init(&turn);
  one_of_each(&turn);
  size_t calls = turn.alloc->calls;
  assert_int_equal(calls, 1);
  for (int i = 0; i < 1000; i++)
    one_of_each(&turn);
  assert_int_equal(turn.alloc->calls, calls);
  turn_end(&turn);
}

TEST_CASE(f10_a_rejection_passes_links_without_malloc) {
  turn_t turn;
  turn_init(&turn);
  turn_mark_t a = turn_mark(&turn, "a");
  for (int i = 0; i < 2; i++) {
    uvow_promise_t *p;
    uvow_future_t *f = uvow_promise_new(turn.loop, &p);
    for (int k = 0; k < 100; k++)
      f = uvow_future_then(f, plus_one, NULL);
    uvow_future_done(f, turn_done, &a);
    size_t calls = turn.alloc->calls;
    uvow_promise_reject_code(p, UVOW_EURL, NULL);
    turn_run(&turn);
    turn_expect(&turn, "a!EURL");
    assert_int_equal(turn.alloc->calls, calls + 1); /* the error itself */
  }
  turn_end(&turn);
}

static void attach_other(turn_mark_t *mark) {
  uvow_future_detach(uvow_future_then(mark->future, turn_then, mark->other));
}

/* a's root runs first, and attaches c to what b waits for: in whose root it
 * runs then, before d. */
TEST_CASE(f2_what_is_attached_in_a_drain_goes_behind) {
  for (int settled_first = 0; settled_first < 2; settled_first++) {
    turn_t turn;
    turn_init(&turn);
    turn_mark_t a = turn_mark(&turn, "a");
    turn_mark_t b = turn_mark(&turn, "b");
    turn_mark_t c = turn_mark(&turn, "c");
    turn_mark_t d = turn_mark(&turn, "d");
    uvow_promise_t *p;
    uvow_future_t *f = uvow_promise_new(turn.loop, &p);
    a.act = attach_other;
    a.future = uvow_future_ref(f);
    a.other = &c;
    uvow_future_done(uvow_future_fulfilled(turn.loop, uvow_value_none()),
                     turn_done, &a);
    uvow__runtime_root(&turn.rt);
    if (settled_first)
      uvow_promise_fulfill(p, uvow_value_none());
    uvow_future_detach(uvow_future_then(uvow_future_ref(f), turn_then, &b));
    if (!settled_first)
      uvow_promise_fulfill(p, uvow_value_none());
    uvow__runtime_root(&turn.rt);
    uvow_future_done(uvow_future_fulfilled(turn.loop, uvow_value_none()),
                     turn_done, &d);
    turn_run(&turn);
    turn_expect(&turn, "a+ b+ c+ d+");
    uvow_future_unref(f);
    turn_end(&turn);
  }
}

/* The mark of one that is freed while others wait in the queue. */
TEST_CASE(f2_a_canceled_reaction_frees_its_source) {
  turn_t turn;
  turn_init(&turn);
  turn_mark_t a = turn_mark(&turn, "a");
  uvow_promise_t *p;
  uvow_future_t *f = uvow_promise_new(turn.loop, &p);
  uvow_future_t *link = uvow_future_then(uvow_future_ref(f), turn_then, &a);
  uvow_promise_fulfill(p, uvow_value_none());
  uvow_future_unref(f);
  uvow_future_drop(link);
  uvow_future_done(uvow_future_fulfilled(turn.loop, uvow_value_none()),
                   turn_done, &a);
  turn_run(&turn);
  turn_expect(&turn, "a+");
  turn_end(&turn);
}

TEST_MODULE(future) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(f1_null_in_gives_null_out),
      cmocka_unit_test(f1_chain_with_bad_options_takes_all),
      cmocka_unit_test(f1_done_without_a_callback_takes_the_future),
      cmocka_unit_test(f1_a_null_loop_gives_nothing_and_takes_the_value),
      cmocka_unit_test(f1_peek_shows_what_is_settled),
      cmocka_unit_test(f1_name_gives_its_future_back),
      cmocka_unit_test(f2_what_is_attached_in_a_drain_goes_behind),
      cmocka_unit_test(f2_a_canceled_reaction_frees_its_source),
      cmocka_unit_test(f3_a_callback_says_what_comes_next),
      cmocka_unit_test(f3_a_code_with_text_becomes_an_error_that_says_it),
      cmocka_unit_test(f3_the_error_of_a_callback_is_the_very_one),
      cmocka_unit_test(f7_dropping_handles_does_not_cancel),
      cmocka_unit_test(f8_a_chain_is_reported_once),
      cmocka_unit_test(f8_each_branch_is_a_chain_of_its_own),
      cmocka_unit_test(f8_what_is_dropped_is_reported),
      cmocka_unit_test(f8_cancellations_are_exempt),
      cmocka_unit_test(f8_observed_within_the_drain_is_not_reported),
      cmocka_unit_test(f8_looking_is_not_observing),
      cmocka_unit_test(f8_attaching_after_the_report_reports_no_more),
      cmocka_unit_test(f8_adopting_observes),
      cmocka_unit_test(f8_no_hook_is_no_harm),
      cmocka_unit_test(f10_a_link_takes_at_most_96_bytes),
      cmocka_unit_test(f10_no_malloc_once_the_pool_is_warm),
      cmocka_unit_test(f10_a_rejection_passes_links_without_malloc),
  };
  return cmocka_run_group_tests_name("future/future", tests, NULL, NULL);
}
