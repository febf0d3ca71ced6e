/* Several streams in one and one in several: merge, of_futures, tee; collect
 * and pipe. */
#include "support/turn.h"

#include <uvow/combine.h>
#include <uvow/stream.h>

#include "future/stream.h"

static int push(uvow_sink_t *sink, int64_t n) {
  return uvow_sink_push(sink, uvow_value_int64(n));
}

static uvow_stream_t *small(turn_t *turn, uvow_full_t full,
                            uvow_sink_t **ret_sink) {
  uvow_stream_options_t options = {sizeof(options), 2, 0, full, 0};
  return uvow_stream_new(turn->loop, &options, ret_sink);
}

TEST_CASE(merge_takes_turns) {
  turn_t turn;
  uvow_sink_t *sinks[3];
  uvow_stream_t *streams[3];
  turn_init(&turn);
  turn_mark_t m = turn_mark(&turn, ""), end = turn_mark(&turn, "end");
  for (size_t i = 0; i < 3; i++)
    streams[i] = uvow_stream_new(turn.loop, NULL, &sinks[i]);
  for (int64_t n = 1; n < 4; n++)
    push(sinks[0], n);
  push(sinks[2], 10);
  uvow_stream_t *s = uvow_stream_merge(turn.loop, streams, 3);
  turn_run(&turn);
  assert_int_equal(uvow_stream_waiting(streams[0]), 3); /* nobody asks */
  uvow_future_done(uvow_stream_next(s), turn_done, &m);
  turn_run(&turn);
  turn_expect(&turn, "+1"); /* and of each no more than was asked for */
  assert_int_equal(uvow_stream_waiting(streams[0]), 2);
  assert_int_equal(uvow_stream_waiting(streams[2]), 1);
  push(sinks[1], 15); /* the merge is told, and still isn't asked */
  turn_run(&turn);
  assert_int_equal(uvow_stream_waiting(s), 0);
  uvow_future_done(uvow_stream_each(s, turn_then, &m), turn_done, &end);
  turn_run(&turn);
  turn_expect(&turn, "+10 +15 +2 +3");
  uvow_sink_end(sinks[0]);
  push(sinks[1], 20);
  turn_run(&turn);
  uvow_sink_end(sinks[1]);
  turn_run(&turn);
  turn_expect(&turn, "+20");
  uvow_sink_end(sinks[2]);
  turn_run(&turn);
  turn_expect(&turn, "end+");
  s = uvow_stream_merge(turn.loop, NULL, 0);
  uvow_future_done(uvow_stream_each(s, turn_then, &m), turn_done, &end);
  turn_run(&turn);
  turn_expect(&turn, "end+");
  turn_end(&turn);
}

TEST_CASE(one_that_fails_ends_the_merge) {
  turn_t turn;
  uvow_sink_t *sinks[2];
  uvow_stream_t *streams[3] = {NULL, NULL, NULL};
  for (size_t count = 2; count < 4; count++) {
    turn_init(&turn);
    turn_mark_t m = turn_mark(&turn, ""), end = turn_mark(&turn, "end");
    turn_mark_t owner = turn_mark(&turn, "owner");
    for (size_t i = 0; i < 2; i++)
      streams[i] = uvow_stream_new(turn.loop, NULL, &sinks[i]);
    uvow_sink_on_cancel(sinks[1], turn_cancel, &owner, NULL);
    uvow_future_done(
        uvow_stream_each(uvow_stream_merge(turn.loop, streams, count),
                         turn_then, &m),
        turn_done, &end);
    turn_run(&turn);
    if (count == 2)
      uvow_sink_drop(sinks[0]);
    else
      uvow_sink_end(sinks[0]);
    turn_run(&turn);
    turn_expect(&turn, count == 2 ? "owner^ end!EBROKEN" : "owner^ end!ENOMEM");
    uvow_sink_end(sinks[1]);
    turn_end(&turn);
  }
}

TEST_CASE(futures_as_they_settle) {
  turn_t turn;
  uvow_promise_t *p[3];
  uvow_future_t *futures[4];
  turn_item_t item;
  for (int how = 0; how < 2; how++) {
    turn_init(&turn);
    turn_mark_t m = turn_mark(&turn, ""), end = turn_mark(&turn, "end");
    turn_mark_t owner = turn_mark(&turn, "owner");
    for (size_t i = 0; i < 3; i++)
      futures[i] = uvow_promise_new(turn.loop, &p[i]);
    futures[3] = NULL;
    uvow_promise_on_cancel(p[0], turn_cancel, &owner, NULL);
    uvow_future_t *f = uvow_stream_each(
        uvow_stream_of_futures(turn.loop, futures, 4), turn_then, &m);
    uvow_future_done(uvow_future_ref(f), turn_done, &end);
    uvow_promise_fulfill(p[2], turn_item(&turn_type_unique, &item));
    turn_run(&turn);
    uvow_promise_reject_code(p[1], UVOW_EURL, NULL);
    turn_run(&turn);
    turn_expect(&turn, "!ENOMEM +unique !EURL");
    assert_int_equal(item.destroyed, 1);
    if (how == 0) {
      uvow_promise_fulfill(p[0], uvow_value_int64(1));
      turn_run(&turn);
      turn_expect(&turn, "+1 end+");
    } else {
      uvow_future_cancel(f);
      turn_run(&turn);
      assert_non_null(strstr(turn.log, "owner^"));
      assert_non_null(strstr(turn.log, "end!ECANCELED"));
      turn.log[0] = '\0';
      uvow_promise_drop(p[0]);
    }
    uvow_future_unref(f);
    turn_end(&turn);
  }
}

TEST_CASE(a_tee_has_every_item_from_now_on) {
  turn_t turn;
  uvow_sink_t *sink;
  turn_item_t item;
  uvow_stream_options_t latest = {sizeof(latest), 0, 0, UVOW_FULL_LATEST, 0};
  turn_init(&turn);
  turn_mark_t a = turn_mark(&turn, "a"), b = turn_mark(&turn, "b");
  turn_mark_t c = turn_mark(&turn, "c");
  uvow_stream_t *s = uvow_stream_new(turn.loop, NULL, &sink);
  push(sink, 1);
  uvow_stream_t *copy = uvow_stream_tee(s, NULL);
  uvow_stream_t *newest = uvow_stream_tee(s, &latest);
  push(sink, 2);
  push(sink, 3);
  uvow_future_done(uvow_stream_each(copy, turn_then, &b), turn_done, &b);
  uvow_future_done(uvow_stream_each(newest, turn_then, &c), turn_done, &c);
  uvow_future_done(uvow_stream_each(s, turn_then, &a), turn_done, &a);
  turn_run(&turn);
  turn_expect(&turn, "b+2 c+3 a+1 b+3 a+2 a+3");
  uvow_sink_push(sink, turn_item(&turn_type_unique, &item));
  turn_run(&turn);
  turn_expect(&turn, "b+unique c+unique a+unique");
  assert_int_equal(item.destroyed, 1);
  uvow_sink_end_value(sink, uvow_value_int64(9));
  turn_run(&turn);
  turn_expect(&turn, "b+9 c+9 a+9");
  turn_end(&turn);
}

/* A copy that waits makes the source wait; letting go of it doesn't. */
/* A copy of a copy is one of the same stream, whatever becomes of the first. */
TEST_CASE(a_tee_of_a_tee) {
  turn_t turn;
  uvow_sink_t *sink;
  uvow_stream_options_t one = {sizeof(one), 1, 0, UVOW_FULL_FAIL, 0};
  turn_init(&turn);
  turn_mark_t a = turn_mark(&turn, "a"), b = turn_mark(&turn, "b");
  turn_mark_t c = turn_mark(&turn, "c");
  uvow_stream_t *s = uvow_stream_new(turn.loop, NULL, &sink);
  uvow_stream_t *first = uvow_stream_tee(s, &one);
  uvow_stream_t *second = uvow_stream_tee(first, NULL);
  uvow_stream_t *third = uvow_stream_tee(second, NULL);
  uvow_stream_unref(second);
  uvow_stream_unref(s);
  push(sink, 1);
  push(sink, 2); /* too much for the first */
  uvow_future_done(uvow_stream_each(first, turn_then, &a), turn_done, &a);
  uvow_future_done(uvow_stream_each(third, turn_then, &c), turn_done, &c);
  turn_run(&turn);
  turn_expect(&turn, "a+1 c+1 c+2 a!EOVERLOAD");
  uvow_future_done(uvow_sink_flushed(sink), turn_done, &b);
  uvow_sink_end(sink); /* which nobody reads but copies */
  turn_run(&turn);
  turn_expect(&turn, "b+ c+");
  turn_end(&turn);
}

static uvow_next_t add_missed(const uvow_result_t *result, void *missed) {
  *(uint64_t *)missed += uvow_result_missed(result);
  return uvow_next_none();
}

/* Reads it to its end, also one that is an error; takes it. */
static void count_missed(uvow_stream_t *s, uint64_t *missed) {
  *missed = 0;
  uvow_future_t *f = uvow_stream_each(s, add_missed, missed);
  f = uvow_future_then(f, add_missed, missed);
  uvow_future_detach(uvow_future_catch(f, add_missed, missed));
}

/* Also at its end: what another dropped was no item of its own. */
TEST_CASE(a_copy_tells_its_own_gaps) {
  for (int fails = 0; fails < 2; fails++) {
    turn_t turn;
    uvow_sink_t *sink;
    uvow_stream_options_t one = {sizeof(one), 1, 0, UVOW_FULL_DROP_NEWEST, 0};
    uint64_t missed[3];
    turn_init(&turn);
    uvow_stream_t *s = uvow_stream_new(turn.loop, &one, &sink);
    uvow_stream_t *all = uvow_stream_tee(s, NULL);
    uvow_stream_t *some = uvow_stream_tee(s, &one);
    push(sink, 1);
    push(sink, 2);
    push(sink, 3);
    uvow__stream_gap(s, 10);
    if (fails)
      uvow_sink_drop(sink);
    else
      uvow_sink_end(sink);
    count_missed(s, &missed[0]);
    count_missed(all, &missed[1]);
    count_missed(some, &missed[2]);
    turn_run(&turn);
    assert_int_equal(missed[0], 12);
    assert_int_equal(missed[1], 10);
    assert_int_equal(missed[2], 12);
    turn_end(&turn);
  }
}

/* An item that is an error, behind others that are missing. */
TEST_CASE(an_error_tells_a_gap_as_an_item) {
  turn_t turn;
  uvow_promise_t *promises[3];
  uvow_future_t *futures[3];
  uvow_stream_options_t one = {sizeof(one), 1, 0, UVOW_FULL_DROP_OLDEST, 0};
  uint64_t missed = 0;
  turn_init(&turn);
  for (size_t i = 0; i < 3; i++)
    futures[i] = uvow_promise_new(turn.loop, &promises[i]);
  uvow_stream_t *s = uvow_stream_of_futures(turn.loop, futures, 3);
  uvow_stream_t *copy = uvow_stream_tee(s, &one);
  uvow_stream_unref(s);
  for (size_t i = 0; i < 3; i++)
    uvow_promise_drop(promises[i]);
  turn_run(&turn);
  uvow_future_t *f = uvow_stream_next(copy);
  uvow_future_detach(uvow_future_catch(f, add_missed, &missed));
  uvow_stream_unref(copy);
  turn_run(&turn);
  assert_int_equal(missed, 2);
  turn_end(&turn);
}

TEST_CASE(the_slowest_copy_decides) {
  turn_t turn;
  uvow_sink_t *sink;
  uvow_stream_options_t one = {sizeof(one), 1, 0, UVOW_FULL_WAIT, 0};
  turn_init(&turn);
  turn_mark_t a = turn_mark(&turn, "a"), room = turn_mark(&turn, "room");
  turn_mark_t owner = turn_mark(&turn, "owner");
  uvow_stream_t *s = uvow_stream_new(turn.loop, NULL, &sink);
  uvow_sink_on_cancel(sink, turn_cancel, &owner, NULL);
  uvow_stream_t *copy = uvow_stream_tee(s, &one);
  assert_int_equal(push(sink, 1), 1);
  assert_int_equal(push(sink, 2), UVOW_EOVERLOAD);
  uvow_future_done(uvow_sink_room(sink), turn_done, &room);
  turn_run(&turn);
  turn_expect(&turn, "");
  uvow_future_done(uvow_stream_next(copy), turn_done, &a);
  turn_run(&turn);
  turn_expect(&turn, "room+ a+1");
  assert_int_equal(push(sink, 3), 1);
  uvow_stream_unref(copy);
  assert_int_equal(push(sink, 4), 0);
  copy = uvow_stream_tee(s, NULL);
  uvow_stream_unref(s); /* read by the copy alone */
  assert_int_equal(push(sink, 5), 0);
  uvow_future_done(uvow_stream_next(copy), turn_done, &a);
  turn_run(&turn);
  turn_expect(&turn, "a+5");
  uvow_stream_unref(copy);
  turn_run(&turn);
  turn_expect(&turn, "owner^");
  uvow_sink_end(sink);
  turn_end(&turn);
}

TEST_CASE(collects_all) {
  turn_t turn;
  uvow_sink_t *sink;
  turn_item_t item;
  const uvow_results_t *results;
  uvow_result_t result, one;
  int64_t n;
  for (size_t max = 2; max < 4; max++) {
    turn_init(&turn);
    turn_mark_t owner = turn_mark(&turn, "owner");
    uvow_stream_t *s = uvow_stream_new(turn.loop, NULL, &sink);
    uvow_sink_on_cancel(sink, turn_cancel, &owner, NULL);
    push(sink, 1);
    uvow_sink_push(sink, turn_item(&turn_type_unique, &item));
    push(sink, 3);
    uvow_future_t *f = uvow_stream_collect(s, max);
    turn_run(&turn);
    uvow_sink_end(sink);
    turn_run(&turn);
    if (max == 2) {
      assert_string_equal(turn_result(&turn, f), "!ETOOBIG");
      turn_expect(&turn, "owner^");
      turn_expect_unhandled(&turn, "ETOOBIG");
    } else {
      assert_int_equal(uvow_future_peek(f, &result), 0);
      assert_int_equal(uvow_value_get_results(&result.value, &results), 0);
      assert_int_equal(uvow_results_count(results), 3);
      assert_int_equal(uvow_results_get(results, 2, &one), 0);
      assert_int_equal(uvow_value_get_int64(&one.value, &n), 0);
      assert_int_equal(n, 3);
      assert_int_equal(uvow_results_get(results, 1, &one), 0);
      assert_string_equal(uvow_value_type_name(&one.value), "unique");
      assert_int_equal(item.destroyed, 0);
    }
    uvow_future_unref(f);
    turn_run(&turn);
    assert_int_equal(item.destroyed, 1);
    turn_end(&turn);
  }
}

/* A fast source, a sink with room for two, a reader. */
TEST_CASE(a_pipe_goes_no_faster_than_its_sink) {
  turn_t turn;
  uvow_sink_t *near_sink, *far_sink;
  turn_init(&turn);
  turn_mark_t m = turn_mark(&turn, ""), end = turn_mark(&turn, "end");
  turn_mark_t piped = turn_mark(&turn, "piped");
  uvow_stream_t *from = uvow_stream_new(turn.loop, NULL, &near_sink);
  uvow_stream_t *to = small(&turn, UVOW_FULL_WAIT, &far_sink);
  uvow_future_done(uvow_stream_pipe(from, far_sink), turn_done, &piped);
  for (int64_t n = 1; n < 7; n++)
    push(near_sink, n);
  uvow_sink_end_value(near_sink, uvow_value_int64(9));
  turn_run(&turn);
  assert_int_equal(uvow_stream_waiting(from), 4);
  assert_int_equal(uvow_stream_waiting(to), 2);
  uvow_future_done(uvow_stream_each(to, turn_then, &m), turn_done, &end);
  turn_run(&turn);
  turn_expect(&turn, "+1 +2 +3 +4 +5 +6 end+9 piped+9");
  turn_end(&turn);
}

TEST_CASE(a_pipe_ends) {
  for (int how = 0; how < 3; how++) {
    static const char *const expected[] = {"owner^ piped!ECANCELED",
                                           "owner^ piped!ECANCELED m!EBROKEN",
                                           "piped!EURL m!EURL"};
    turn_t turn;
    uvow_sink_t *near_sink, *far_sink;
    turn_init(&turn);
    turn_mark_t m = turn_mark(&turn, "m"), owner = turn_mark(&turn, "owner");
    turn_mark_t piped = turn_mark(&turn, "piped");
    uvow_stream_t *from = uvow_stream_new(turn.loop, NULL, &near_sink);
    uvow_stream_t *to = small(&turn, UVOW_FULL_WAIT, &far_sink);
    uvow_sink_on_cancel(near_sink, turn_cancel, &owner, NULL);
    uvow_future_t *f = uvow_stream_pipe(from, far_sink);
    uvow_future_done(uvow_future_ref(f), turn_done, &piped);
    turn_run(&turn);
    if (how) {
      uvow_future_done(uvow_stream_next(to), turn_done, &m);
      to = uvow_stream_ref(to);
    }
    if (how == 1)
      uvow_future_cancel(f);
    if (how == 2)
      uvow_sink_fail(near_sink, uvow_error_new(turn.loop, UVOW_EURL, NULL));
    else if (how == 0)
      uvow_stream_unref(to);
    turn_run(&turn);
    if (how == 2)
      assert_non_null(strstr(turn.log, "m!EURL"));
    else if (how == 1)
      assert_non_null(strstr(turn.log, "m!EBROKEN"));
    else
      turn_expect(&turn, expected[how]);
    assert_non_null(strstr(turn.log, how ? "piped!" : ""));
    turn.log[0] = '\0';
    uvow_future_unref(f);
    if (how) {
      uvow_stream_unref(to);
      uvow_stream_unref(to);
    }
    if (how < 2)
      uvow_sink_end(near_sink);
    turn_end(&turn);
  }
}

static void sweep(test_alloc_t *alloc, void *data) {
  turn_t turn;
  uvow_sink_t *sinks[2], *far_sink;
  uvow_stream_t *streams[2];
  uvow_future_t *futures[2];
  turn_item_t item;
  (void)data;
  turn_init_with(&turn, alloc);
  turn_mark_t m = turn_mark(&turn, "");
  for (size_t i = 0; i < 2; i++) {
    streams[i] = uvow_stream_new(turn.loop, NULL, &sinks[i]);
    futures[i] = uvow_future_fulfilled(turn.loop, uvow_value_int64(1));
  }
  uvow_stream_t *copy = uvow_stream_tee(streams[0], NULL);
  uvow_stream_t *s = uvow_stream_merge(turn.loop, streams, 2);
  uvow_stream_t *to = small(&turn, UVOW_FULL_DROP_OLDEST, &far_sink);
  uvow_future_detach(uvow_stream_pipe(s, far_sink));
  uvow_future_detach(uvow_stream_collect(to, 10));
  uvow_future_detach(uvow_stream_each(copy, turn_then, &m));
  uvow_future_detach(
      uvow_stream_collect(uvow_stream_of_futures(turn.loop, futures, 2), 2));
  for (int64_t n = 0; n < 5; n++)
    push(sinks[0], n);
  uvow_sink_push(sinks[0], turn_item(&turn_type_unique, &item));
  turn_run(&turn);
  uvow_sink_end(sinks[0]);
  uvow_sink_end(sinks[1]);
  turn_run(&turn);
  assert_int_equal(item.destroyed, 1);
  turn.log[0] = turn.unhandled[0] = '\0';
  turn_end(&turn);
}

TEST_CASE(every_allocation_fails) {
  test_alloc_sweep(sweep, NULL);
}

TEST_MODULE(stream_join) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(merge_takes_turns),
      cmocka_unit_test(one_that_fails_ends_the_merge),
      cmocka_unit_test(futures_as_they_settle),
      cmocka_unit_test(a_tee_has_every_item_from_now_on),
      cmocka_unit_test(a_tee_of_a_tee),
      cmocka_unit_test(a_copy_tells_its_own_gaps),
      cmocka_unit_test(an_error_tells_a_gap_as_an_item),
      cmocka_unit_test(the_slowest_copy_decides),
      cmocka_unit_test(collects_all),
      cmocka_unit_test(a_pipe_goes_no_faster_than_its_sink),
      cmocka_unit_test(a_pipe_ends),
      cmocka_unit_test(every_allocation_fails),
  };
  return cmocka_run_group_tests_name("future/stream_join", tests, NULL, NULL);
}
