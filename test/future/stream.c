/* Streams and sinks: ends, bounds, policies, next; who owns and who cancels. */
#include "support/turn.h"

#include <uvow/stream.h>

#include <stdio.h>

#include "future/bytes.h"
#include "future/stream.h"

static uvow_stream_t *stream_of(turn_t *turn, size_t max, uvow_full_t full,
                                int tell_gaps, uvow_sink_t **ret_sink) {
  uvow_stream_options_t options = {sizeof(options), max, 0, full, tell_gaps};
  return uvow_stream_new(turn->loop, &options, ret_sink);
}

static int push(uvow_sink_t *sink, int64_t n) {
  return uvow_sink_push(sink, uvow_value_int64(n));
}

/* Logs what a next brings: "+1", "2+3" (2 are missing before 3), "end". */
static uvow_next_t on_item(const uvow_result_t *result, void *data) {
  turn_t *turn = (turn_t *)data;
  size_t len = strlen(turn->log);
  uint64_t missed = uvow_result_missed(result);
  int64_t n = -1;
  const char *what = "";
  char text[64];
  if (uvow_result_is_end(result))
    what = "end";
  else if (result->error)
    what = uvow_err_name(uvow_error_code(result->error)) + 5;
  else
    what = "+";
  (void)uvow_value_get_int64(&result->value, &n);
  if (missed)
    (void)snprintf(text, sizeof(text), "%llu%s", (unsigned long long)missed,
                   what);
  else
    (void)snprintf(text, sizeof(text), "%s", what);
  (void)snprintf(turn->log + len, sizeof(turn->log) - len,
                 n < 0 ? "%s%s" : "%s%s%lld", len ? " " : "", text,
                 (long long)n);
  return uvow_next_none();
}

static void next(turn_t *turn, uvow_stream_t *s) {
  uvow_future_t *f = uvow_stream_next(s);
  f = uvow_future_then(f, on_item, turn);
  uvow_future_detach(uvow_future_catch(f, on_item, turn));
}

/* Logs all that waits. */
static void drain(turn_t *turn, uvow_stream_t *s) {
  while (uvow_stream_waiting(s)) {
    next(turn, s);
    turn_run(turn);
  }
}

TEST_CASE(items_come_in_order) {
  turn_t turn;
  uvow_sink_t *sink;
  turn_init(&turn);
  uvow_stream_t *s = uvow_stream_new(turn.loop, NULL, &sink);
  next(&turn, s); /* asked before */
  assert_int_equal(push(sink, 1), 0);
  assert_int_equal(uvow_stream_waiting(s), 0);
  for (int64_t i = 2; i < 20; i++)
    assert_int_equal(push(sink, i), 0);
  assert_int_equal(uvow_stream_waiting(s), 18);
  turn_expect(&turn, ""); /* never within a push */
  turn_run(&turn);
  turn_expect(&turn, "+1");
  drain(&turn, s);
  turn_expect(&turn,
              "+2 +3 +4 +5 +6 +7 +8 +9 +10 +11 +12 +13 +14 +15 +16 +17 "
              "+18 +19");
  uvow_sink_end_value(sink, uvow_value_int64(77));
  next(&turn, s);
  next(&turn, s); /* again and again */
  turn_run(&turn);
  turn_expect(&turn, "end77 end77");
  uvow_stream_unref(s);
  turn_end(&turn);
}

TEST_CASE(many_are_asked_ahead) {
  turn_t turn;
  uvow_sink_t *sink;
  turn_init(&turn);
  uvow_stream_t *s = uvow_stream_new(turn.loop, NULL, &sink);
  uvow_future_t *second;
  next(&turn, s);
  second = uvow_stream_next(s);
  next(&turn, s);
  next(&turn, s);
  assert_int_equal(uvow_future_cancel(second), 0); /* takes no item */
  push(sink, 1);
  push(sink, 2);
  uvow_sink_fail(sink, uvow_error_new(turn.loop, UVOW_EURL, NULL));
  turn_run(&turn);
  turn_expect(&turn, "+1 +2 EURL");
  assert_string_equal(turn_result(&turn, second), "!ECANCELED");
  uvow_future_unref(second);
  uvow_stream_unref(s);
  turn_end(&turn);
}

/* The end is told behind a timeout too; one that is late takes no item. */
TEST_CASE(a_next_in_time) {
  turn_t turn;
  uvow_sink_t *sink;
  turn_init(&turn);
  uvow_stream_t *s = stream_of(&turn, 1, UVOW_FULL_DROP_OLDEST, 0, &sink);
  uvow_future_t *f = uvow_future_timeout(uvow_stream_next(s), 10);
  uvow_future_detach(uvow_future_catch(f, on_item, &turn));
  turn_run(&turn);
  turn.now_ns += 20000000;
  uvow__runtime_enter(&turn.rt);
  uvow__runtime_expire(&turn.rt);
  uvow__runtime_leave(&turn.rt);
  turn_run(&turn);
  turn_expect(&turn, "ETIMEDOUT");
  for (int64_t i = 1; i < 4; i++)
    push(sink, i);
  f = uvow_future_timeout(uvow_stream_next(s), 10);
  f = uvow_future_then(f, NULL, NULL);
  uvow_future_detach(uvow_future_then(f, on_item, &turn));
  turn_run(&turn);
  turn_expect(&turn, "2+3");
  uvow_sink_end(sink);
  f = uvow_future_timeout(uvow_stream_next(s), 10);
  uvow_future_detach(uvow_future_then(f, on_item, &turn));
  turn_run(&turn);
  turn_expect(&turn, "end");
  uvow_stream_unref(s);
  turn_end(&turn);
}

TEST_CASE(a_full_one_waits) {
  turn_t turn;
  uvow_sink_t *sink;
  turn_init(&turn);
  turn_mark_t room = turn_mark(&turn, "room");
  uvow_stream_t *s = stream_of(&turn, 2, UVOW_FULL_WAIT, 0, &sink);
  uvow_future_done(uvow_sink_room(sink), turn_done, &room);
  turn_run(&turn);
  turn_expect(&turn, "room+"); /* there is some */
  assert_int_equal(push(sink, 1), 0);
  assert_int_equal(push(sink, 2), 1);
  assert_int_equal(push(sink, 3), UVOW_EOVERLOAD);
  uvow_future_done(uvow_sink_room(sink), turn_done, &room);
  turn_run(&turn);
  turn_expect(&turn, "");
  next(&turn, s);
  turn_run(&turn);
  turn_expect(&turn, "room+ +1");
  assert_int_equal(push(sink, 4), 1);
  uvow_future_done(uvow_sink_room(sink), turn_done, &room);
  uvow_stream_unref(s); /* what waits is dropped */
  assert_int_equal(push(sink, 5), UVOW_ECANCELED);
  uvow_future_done(uvow_sink_room(sink), turn_done, &room);
  turn_run(&turn);
  turn_expect(&turn, "room!ECANCELED room!ECANCELED");
  uvow_sink_end(sink);
  turn_end(&turn);
}

/* policy, told in gaps, what comes out of 1 to 5 where two have room, and an
 * end. */
TEST_CASE(what_is_dropped_is_counted) {
  static const struct {
    uvow_full_t full;
    int tell_gaps;
    const char *before; /* the end */
    const char *end;
  } cases[] = {
      {UVOW_FULL_DROP_OLDEST, 0, "3+4 +5", "end"},
      {UVOW_FULL_DROP_OLDEST, 1, "3+ +4 +5", "end"},
      {UVOW_FULL_DROP_NEWEST, 0, "+1 +2", "3end"},
      {UVOW_FULL_DROP_NEWEST, 1, "+1 +2 3+", "end"},
      {UVOW_FULL_LATEST, 0, "4+5", "end"},
      {UVOW_FULL_LATEST, 1, "4+ +5", "end"},
      {UVOW_FULL_FAIL, 0, "+1 +2", "EOVERLOAD"},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    turn_t turn;
    uvow_sink_t *sink;
    turn_init(&turn);
    turn_mark_t owner = turn_mark(&turn, "owner");
    uvow_stream_t *s =
        stream_of(&turn, 2, cases[i].full, cases[i].tell_gaps, &sink);
    int fails = cases[i].full == UVOW_FULL_FAIL;
    if (fails)
      uvow_sink_on_cancel(sink, turn_cancel, &owner, turn_destroy);
    for (int64_t n = 1; n < 6; n++)
      assert_int_equal(push(sink, n), !fails || n < 3 ? 0
                                      : n == 3        ? UVOW_EOVERLOAD
                                                      : UVOW_ECLOSED);
    turn_run(&turn);
    turn_expect(&turn, fails ? "owner^ owner." : "");
    drain(&turn, s);
    turn_expect(&turn, cases[i].before);
    uvow_sink_end(sink);
    next(&turn, s);
    turn_run(&turn);
    turn_expect(&turn, cases[i].end);
    uvow_stream_unref(s);
    turn_end(&turn);
  }
}

/* A gap in the middle: the newest are dropped, then there's room again. */
TEST_CASE(a_gap_between) {
  for (int tell_gaps = 0; tell_gaps < 2; tell_gaps++) {
    turn_t turn;
    uvow_sink_t *sink;
    turn_init(&turn);
    uvow_stream_t *s =
        stream_of(&turn, 2, UVOW_FULL_DROP_NEWEST, tell_gaps, &sink);
    for (int64_t n = 1; n < 5; n++)
      push(sink, n);
    next(&turn, s);
    turn_run(&turn);
    push(sink, 5);
    push(sink, 6);
    drain(&turn, s);
    turn_expect(&turn, tell_gaps ? "+1 +2 2+ +5 1+" : "+1 +2 2+5");
    next(&turn, s);
    push(sink, 7);
    turn_run(&turn);
    turn_expect(&turn, tell_gaps ? "+7" : "1+7");
    uvow_stream_unref(s);
    uvow_sink_drop(sink);
    turn_end(&turn);
  }
}

static uvow_value_t bytes_of(turn_t *turn, size_t len) {
  uvow__bytes_t *bytes = uvow__bytes_new(&turn->rt, len);
  memset(uvow__bytes_room(bytes), 'x', len);
  return uvow__bytes_value(bytes);
}

TEST_CASE(bytes_are_bounded) {
  turn_t turn;
  uvow_sink_t *sink;
  uvow_stream_options_t options = {sizeof(options), 64, 1000, UVOW_FULL_WAIT,
                                   0};
  turn_init(&turn);
  uvow_stream_t *s = uvow_stream_new(turn.loop, &options, &sink);
  assert_int_equal(uvow_sink_push(sink, bytes_of(&turn, 999)), 0);
  assert_int_equal(uvow_sink_push(sink, bytes_of(&turn, 5000)), 1);
  assert_int_equal(uvow_sink_push(sink, bytes_of(&turn, 1)), UVOW_EOVERLOAD);
  next(&turn, s);
  turn_run(&turn);
  assert_int_equal(uvow_sink_push(sink, bytes_of(&turn, 1)), UVOW_EOVERLOAD);
  next(&turn, s);
  turn_run(&turn);
  assert_int_equal(uvow_sink_push(sink, bytes_of(&turn, 5000)), 1);
  turn_expect(&turn, "+ +");
  uvow_stream_unref(s);
  uvow_sink_end(sink);
  turn_end(&turn);
}

/* Each way that nobody can read any more. */
TEST_CASE(letting_go_tells_the_owner) {
  for (int how = 0; how < 5; how++) {
    turn_t turn;
    uvow_sink_t *sink;
    turn_item_t item;
    turn_init(&turn);
    turn_mark_t owner = turn_mark(&turn, "owner");
    uvow_stream_t *s = uvow_stream_new(turn.loop, NULL, &sink);
    uvow_future_t *f = NULL;
    uvow_sink_on_cancel(sink, turn_cancel, &owner, turn_destroy);
    if (how < 2)
      uvow_sink_push(sink, turn_item(&turn_type_unique, &item));
    if (how == 0) {
      uvow_stream_unref(s);
    } else if (how == 1) {
      uvow_future_detach(uvow_stream_close(s));
    } else if (how == 2) { /* a next that waits is a reader */
      f = uvow_stream_next(s);
      uvow_stream_unref(s);
      turn_run(&turn);
      turn_expect(&turn, "");
      uvow_future_cancel(f);
    } else if (how == 3) {
      f = uvow_stream_each(s, turn_then, &owner);
      uvow_future_cancel(f);
    } else {
      f = uvow_stream_first(s);
      push(sink, 1);
    }
    turn_expect(&turn, ""); /* never within */
    if (how < 2)
      assert_int_equal(item.owners, 1);
    turn_run(&turn);
    turn_expect(&turn, "owner^ owner.");
    if (how < 2)
      assert_int_equal(item.destroyed, 1);
    assert_int_equal(push(sink, 1), UVOW_ECANCELED);
    uvow_future_unref(f);
    uvow_sink_drop(sink);
    turn_end(&turn);
  }
}

TEST_CASE(used_up_withdraws_the_cancel) {
  turn_t turn;
  uvow_sink_t *sink;
  turn_init(&turn);
  turn_mark_t a = turn_mark(&turn, "a"), b = turn_mark(&turn, "b");
  uvow_stream_t *s = uvow_stream_new(turn.loop, NULL, &sink);
  uvow_sink_on_cancel(sink, turn_cancel, &a, turn_destroy);
  uvow_sink_on_cancel(sink, turn_cancel, &b, turn_destroy);
  turn_expect(&turn, "a.");
  uvow_stream_unref(s);
  uvow_sink_end(sink); /* before b was told */
  turn_expect(&turn, "");
  turn_run(&turn);
  turn_expect(&turn, "b.");
  s = uvow_stream_new(turn.loop, NULL, &sink);
  uvow_stream_unref(s);
  uvow_sink_on_cancel(sink, turn_cancel, &a, turn_destroy); /* after it */
  turn_run(&turn);
  turn_expect(&turn, "a^ a.");
  uvow_sink_drop(sink);
  turn_end(&turn);
}

TEST_CASE(closing_waits_for_the_source) {
  turn_t turn;
  uvow_sink_t *sink;
  turn_init(&turn);
  turn_mark_t closed = turn_mark(&turn, "closed");
  turn_mark_t end = turn_mark(&turn, "end"), owner = turn_mark(&turn, "owner");
  uvow_stream_t *s = uvow_stream_new(turn.loop, NULL, &sink);
  uvow_sink_on_cancel(sink, turn_cancel, &owner, NULL);
  uvow_stream_t *reader = uvow_stream_ref(s);
  uvow_future_done(uvow_stream_each(reader, turn_then, &end), turn_done, &end);
  uvow_future_done(uvow_stream_close(s), turn_done, &closed);
  turn_run(&turn);
  turn_expect(&turn, "owner^ end!ECANCELED");
  uvow_sink_end(sink);
  turn_run(&turn);
  turn_expect(&turn, "closed+");
  turn_end(&turn);
}

TEST_CASE(flushed_is_the_end_of_reading) {
  turn_t turn;
  uvow_sink_t *sink;
  for (int lets_go = 0; lets_go < 2; lets_go++) {
    turn_init(&turn);
    turn_mark_t flushed = turn_mark(&turn, "flushed");
    uvow_stream_t *s = uvow_stream_new(turn.loop, NULL, &sink);
    uvow_future_done(uvow_sink_flushed(sink), turn_done, &flushed);
    push(sink, 1);
    uvow_sink_end(sink);
    next(&turn, s);
    turn_run(&turn);
    turn_expect(&turn, "+1");
    if (!lets_go)
      next(&turn, s);
    uvow_stream_unref(s);
    turn_run(&turn);
    turn_expect(&turn, lets_go ? "flushed!ECANCELED" : "flushed+ end");
    turn_end(&turn);
  }
}

TEST_CASE(a_dropped_sink_is_broken) {
  turn_t turn;
  uvow_sink_t *sink;
  static const uvow_type_t bad = {1, "bad", NULL, NULL};
  turn_init(&turn);
  uvow_stream_t *s = uvow_stream_new(turn.loop, NULL, &sink);
  assert_int_equal(uvow_sink_push(sink, uvow_value_ptr(&bad, NULL)),
                   UVOW_ETYPE);
  push(sink, 1);
  uvow_sink_drop(sink);
  next(&turn, s);
  next(&turn, s);
  turn_run(&turn);
  turn_expect(&turn, "+1 EBROKEN");
  uvow_stream_unref(s);
  assert_null(uvow_stream_next(NULL));
  assert_null(uvow_stream_first(NULL));
  assert_null(uvow_stream_close(NULL));
  assert_null(uvow_stream_each(NULL, turn_then, NULL));
  uvow_sink_end(NULL);
  uvow_sink_drop(NULL);
  turn_end(&turn);
}

TEST_CASE(the_first_of_none) {
  turn_t turn;
  uvow_sink_t *sink;
  turn_init(&turn);
  uvow_future_t *f = uvow_stream_first(uvow_stream_new(turn.loop, NULL, &sink));
  uvow_sink_end(sink);
  turn_run(&turn);
  assert_string_equal(turn_result(&turn, f), "!ECLOSED");
  uvow_future_unref(f);
  turn_expect_unhandled(&turn, "ECLOSED");
  turn_end(&turn);
}

/* Values with one owner and with several, kept and not. */
TEST_CASE(values_are_owned_once) {
  turn_t turn;
  uvow_sink_t *sink;
  turn_init(&turn);
  for (int i = 0; i < 4; i++) {
    turn_item_t item;
    turn_mark_t mark = turn_mark(&turn, "m");
    const uvow_type_t *type = i & 1 ? &turn_type_counted : &turn_type_unique;
    uvow_stream_t *s = uvow_stream_new(turn.loop, NULL, &sink);
    mark.keep = 1;
    uvow_sink_push(sink, turn_item(type, &item));
    uvow_sink_end(sink);
    if (i < 2) {
      uvow_future_detach(
          uvow_future_then(uvow_stream_next(s), turn_then, &mark));
      uvow_stream_unref(s);
    } else {
      uvow_future_detach(uvow_stream_each(s, turn_then, &mark));
    }
    turn_run(&turn);
    turn_expect(&turn, i & 1 ? "m+counted" : "m+unique");
    assert_int_equal(item.destroyed, 0);
    assert_string_equal(uvow_value_type_name(&mark.kept),
                        i & 1 ? "counted" : "unique");
    uvow_value_clear(&mark.kept);
    turn_run(&turn);
    assert_int_equal(item.destroyed, 1);
  }
  turn_end(&turn);
}

TEST_CASE(closing_the_loop_ends_it) {
  turn_t turn;
  uvow_sink_t *sink;
  turn_item_t item;
  for (int how = 0; how < 3; how++) {
    turn_init(&turn);
    turn_mark_t owner = turn_mark(&turn, "owner"), m = turn_mark(&turn, "m");
    uvow_stream_t *s = uvow_stream_new(turn.loop, NULL, &sink);
    uvow_sink_on_cancel(sink, turn_cancel, &owner, turn_destroy);
    if (how == 0)
      uvow_sink_push(sink, turn_item(&turn_type_unique, &item));
    else if (how == 1)
      uvow_future_done(uvow_stream_next(s), turn_done, &m);
    else
      uvow_future_done(uvow_stream_each(uvow_stream_ref(s), turn_then, &m),
                       turn_done, &m);
    turn_close(&turn);
    if (how == 0)
      turn_expect(&turn, "owner^ owner.");
    else
      assert_non_null(strstr(turn.log, "m!ECLOSED"));
    assert_non_null(strstr(turn.log, how ? "owner^ owner." : ""));
    turn.log[0] = '\0';
    if (how == 0)
      assert_int_equal(item.destroyed, 1);
    assert_int_equal(push(sink, 1), UVOW_ECLOSED);
    assert_null(uvow_stream_next(s));
    uvow_stream_unref(s);
    assert_int_equal(turn.releases, 0);
    uvow_sink_end(sink);
    turn_assert_released(&turn);
    assert_null(uvow_stream_new(NULL, NULL, &sink));
  }
}

static void scene(test_alloc_t *alloc, void *data) {
  turn_t turn;
  uvow_sink_t *sink;
  turn_item_t items[12];
  (void)data;
  turn_init_with(&turn, alloc);
  uvow_stream_t *s = stream_of(&turn, 8, UVOW_FULL_DROP_OLDEST, 1, &sink);
  for (size_t i = 0; i < 12; i++) {
    items[i].destroyed = 0;
    int rc = uvow_sink_push(
        sink,
        turn_item(i & 1 ? &turn_type_counted : &turn_type_unique, &items[i]));
    assert_true(rc == 0 || (rc == UVOW_ENOMEM && alloc->failed) ||
                (rc == UVOW_EINVAL && !s));
    if (i == 5) {
      next(&turn, s);
      next(&turn, s);
    }
  }
  uvow_future_detach(uvow_sink_room(sink));
  uvow_future_detach(uvow_sink_flushed(sink));
  next(&turn, s);
  uvow_future_t *each = uvow_stream_each(s, on_item, &turn);
  turn_run(&turn);
  uvow_sink_end(sink);
  turn_run(&turn);
  uvow_future_unref(each);
  turn_run(&turn);
  for (size_t i = 0; i < 12; i++)
    assert_int_equal(items[i].destroyed, 1);
  turn.log[0] = turn.unhandled[0] = '\0';
  turn_end(&turn);
}

TEST_CASE(every_allocation_fails) {
  test_alloc_sweep(scene, NULL);
}

TEST_MODULE(stream) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(items_come_in_order),
      cmocka_unit_test(many_are_asked_ahead),
      cmocka_unit_test(a_next_in_time),
      cmocka_unit_test(a_full_one_waits),
      cmocka_unit_test(what_is_dropped_is_counted),
      cmocka_unit_test(a_gap_between),
      cmocka_unit_test(bytes_are_bounded),
      cmocka_unit_test(letting_go_tells_the_owner),
      cmocka_unit_test(used_up_withdraws_the_cancel),
      cmocka_unit_test(closing_waits_for_the_source),
      cmocka_unit_test(flushed_is_the_end_of_reading),
      cmocka_unit_test(a_dropped_sink_is_broken),
      cmocka_unit_test(the_first_of_none),
      cmocka_unit_test(values_are_owned_once),
      cmocka_unit_test(closing_the_loop_ends_it),
      cmocka_unit_test(every_allocation_fails),
  };
  return cmocka_run_group_tests_name("future/stream", tests, NULL, NULL);
}
