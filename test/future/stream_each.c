/* each: one callback after the other, what it may answer, who lets go. */
#include "support/turn.h"

#include <uvow/stream.h>

static int push(uvow_sink_t *sink, int64_t n) {
  return uvow_sink_push(sink, uvow_value_int64(n));
}

TEST_CASE(a_callback_for_each) {
  turn_t turn;
  uvow_sink_t *sink;
  turn_init(&turn);
  turn_mark_t m = turn_mark(&turn, "m"), end = turn_mark(&turn, "end");
  uvow_stream_t *s = uvow_stream_new(turn.loop, NULL, &sink);
  push(sink, 1);
  uvow_future_done(uvow_stream_each(s, turn_then, &m), turn_done, &end);
  turn_expect(&turn, "");
  turn_run(&turn);
  push(sink, 2);
  push(sink, 3);
  turn_run(&turn);
  turn_expect(&turn, "m+1 m+2 m+3");
  push(sink, 4);
  uvow_sink_end_value(sink, uvow_value_int64(9));
  turn_run(&turn);
  turn_expect(&turn, "m+4 end+9");
  turn_end(&turn);
}

TEST_CASE(the_next_waits_for_the_future) {
  turn_t turn;
  uvow_sink_t *sink;
  uvow_promise_t *p;
  turn_init(&turn);
  turn_mark_t m = turn_mark(&turn, "m"), end = turn_mark(&turn, "end");
  uvow_stream_t *s = uvow_stream_new(turn.loop, NULL, &sink);
  m.next = uvow_next_future(uvow_promise_new(turn.loop, &p));
  uvow_future_done(uvow_stream_each(s, turn_then, &m), turn_done, &end);
  push(sink, 1);
  push(sink, 2);
  uvow_sink_end(sink);
  turn_run(&turn);
  turn_expect(&turn, "m+1");
  uvow_promise_fulfill(p, uvow_value_none());
  turn_expect(&turn, "");
  turn_run(&turn);
  turn_expect(&turn, "m+2 end+");
  turn_end(&turn);
}

/* What isn't about the next item is no answer. */
TEST_CASE(a_callback_may_pass) {
  turn_t turn;
  uvow_sink_t *sink;
  turn_init(&turn);
  turn_mark_t m = turn_mark(&turn, "m"), end = turn_mark(&turn, "end");
  uvow_stream_t *s = uvow_stream_new(turn.loop, NULL, &sink);
  uvow_future_done(uvow_stream_each(s, turn_then, &m), turn_done, &end);
  for (int i = 1; i < 4; i++) {
    m.next = i == 2 ? uvow_next_value(uvow_value_int64(7)) : uvow_next_pass();
    push(sink, i);
    turn_run(&turn);
  }
  uvow_sink_end(sink);
  turn_run(&turn);
  turn_expect(&turn, "m+1 m+2 m+3 end+");
  turn_end(&turn);
}

/* What the callback answers, what the end is, and whether the source is told.
 */
TEST_CASE(what_ends_it) {
  for (int how = 0; how < 7; how++) {
    turn_t turn;
    uvow_sink_t *sink, *other = NULL;
    uvow_promise_t *p = NULL;
    static const char *const expected[] = {"m+1 owner^ end+5",
                                           "m+1 owner^ end!EURL",
                                           "m+1 owner^ end!EPROTO",
                                           "m+1 owner^ end!ENOMEM",
                                           "m+1 x owner^ end!EBROKEN",
                                           "m+1 m+2 x end!ECLOSED",
                                           "m+1 x m+2"};
    turn_init(&turn);
    turn_mark_t m = turn_mark(&turn, "m"), end = turn_mark(&turn, "end");
    turn_mark_t owner = turn_mark(&turn, "owner");
    uvow_stream_t *s = uvow_stream_new(turn.loop, NULL, &sink);
    uvow_sink_on_cancel(sink, turn_cancel, &owner, NULL);
    uvow_future_done(uvow_stream_each(s, turn_then, &m), turn_done, &end);
    if (how == 0)
      m.next = uvow_next_end(uvow_value_int64(5));
    else if (how == 1)
      m.next = uvow_next_code(UVOW_EURL, NULL);
    else if (how == 2)
      m.next = uvow_next_error(uvow_error_new(turn.loop, UVOW_EPROTO, NULL));
    else if (how == 3)
      m.next = uvow_next_future(NULL);
    else if (how == 4)
      m.next = uvow_next_future(uvow_promise_new(turn.loop, &p));
    else if (how == 6)
      m.next = uvow_next_stream(uvow_stream_new(turn.loop, NULL, &other));
    push(sink, 1);
    push(sink, 2);
    turn_run(&turn);
    if (how >= 4) {
      size_t len = strlen(turn.log);
      memcpy(turn.log + len, " x", 3);
    }
    uvow_promise_drop(p);
    if (other) {
      push(other, 7); /* released unread */
      uvow_sink_end(other);
    }
    if (how == 5) {
      uvow_sink_on_cancel(sink, NULL, NULL, NULL);
      uvow__runtime_close(&turn.rt);
    }
    turn_run(&turn);
    turn_expect(&turn, expected[how]);
    uvow_sink_end(sink);
    turn_run(&turn);
    if (how == 6)
      turn_expect(&turn, "end+");
    if (how != 5)
      turn_end(&turn);
    else
      uvow__runtime_done(&turn.rt);
  }
}

TEST_CASE(only_one_reads) {
  turn_t turn;
  uvow_sink_t *sink;
  turn_init(&turn);
  turn_mark_t m = turn_mark(&turn, "m"), end = turn_mark(&turn, "end");
  uvow_stream_t *s = uvow_stream_new(turn.loop, NULL, &sink);
  uvow_future_done(uvow_stream_each(uvow_stream_ref(s), turn_then, &m),
                   turn_done, &m);
  uvow_future_done(uvow_stream_each(uvow_stream_ref(s), turn_then, &end),
                   turn_done, &end);
  uvow_future_done(uvow_stream_next(s), turn_done, &end);
  turn_run(&turn);
  turn_expect(&turn, "end!EBUSY end!EBUSY");
  m.next = uvow_next_end(uvow_value_none());
  push(sink, 1);
  push(sink, 2);
  turn_run(&turn);
  turn_expect(&turn, "m+1 m+");
  /* The other owner reads on. */
  uvow_future_done(uvow_stream_next(s), turn_done, &end);
  uvow_future_t *next = uvow_stream_next(s);
  uvow_future_done(uvow_stream_each(uvow_stream_ref(s), turn_then, &m),
                   turn_done, &m);
  turn_run(&turn);
  turn_expect(&turn, "end+2 m!EBUSY");
  uvow_future_cancel(next);
  uvow_future_unref(next);
  uvow_stream_unref(s);
  uvow_sink_end(sink);
  turn_end(&turn);
}

static void cancel_within(turn_mark_t *mark) {
  uvow_future_cancel(mark->future);
}

TEST_CASE(canceled_from_its_callback) {
  turn_t turn;
  uvow_sink_t *sink;
  turn_item_t items[2];
  turn_init(&turn);
  turn_mark_t m = turn_mark(&turn, "m"), owner = turn_mark(&turn, "owner");
  uvow_stream_t *s = uvow_stream_new(turn.loop, NULL, &sink);
  uvow_sink_on_cancel(sink, turn_cancel, &owner, turn_destroy);
  m.act = cancel_within;
  m.keep = 1;
  m.future = uvow_stream_each(s, turn_then, &m);
  uvow_sink_push(sink, turn_item(&turn_type_unique, &items[0]));
  uvow_sink_push(sink, turn_item(&turn_type_unique, &items[1]));
  turn_run(&turn);
  turn_expect(&turn, "m+unique owner^ owner.");
  assert_string_equal(turn_result(&turn, m.future), "!ECANCELED");
  assert_int_equal(items[0].owners, 1);
  assert_int_equal(items[1].destroyed, 1);
  uvow_value_clear(&m.kept);
  turn_run(&turn);
  assert_int_equal(items[0].destroyed, 1);
  uvow_future_unref(m.future);
  uvow_sink_drop(sink);
  turn_end(&turn);
}

static uvow_next_t returns_itself(const uvow_result_t *result, void *data) {
  uvow_future_t **each = (uvow_future_t **)data;
  (void)result;
  return uvow_next_future(uvow_future_ref(*each));
}

TEST_CASE(its_own_future_is_a_cycle) {
  turn_t turn;
  uvow_sink_t *sink;
  uvow_future_t *each;
  turn_init(&turn);
  uvow_stream_t *s = uvow_stream_new(turn.loop, NULL, &sink);
  each = uvow_stream_each(s, returns_itself, &each);
  push(sink, 1);
  turn_run(&turn);
  assert_string_equal(turn_result(&turn, each), "!ECYCLE");
  turn_expect_unhandled(&turn, "ECYCLE");
  uvow_future_unref(each);
  uvow_sink_end(sink);
  turn_end(&turn);
}

/* A callback that releases, detaches and pushes. */
static void push_more(turn_mark_t *mark) {
  if (mark->calls < 5)
    push((uvow_sink_t *)(void *)mark->promise, mark->calls + 1);
  else
    uvow_sink_end((uvow_sink_t *)(void *)mark->promise);
}

TEST_CASE(the_callback_pushes) {
  turn_t turn;
  uvow_sink_t *sink;
  uvow_stream_options_t one = {sizeof(one), 1, 0, UVOW_FULL_WAIT, 0};
  turn_init(&turn);
  turn_mark_t m = turn_mark(&turn, "m");
  uvow_stream_t *s = uvow_stream_new(turn.loop, &one, &sink);
  m.act = push_more;
  m.promise = (uvow_promise_t *)(void *)sink;
  uvow_future_detach(uvow_stream_each(s, turn_then, &m));
  push(sink, 1);
  turn_run(&turn);
  turn_expect(&turn, "m+1 m+2 m+3 m+4 m+5");
  turn_end(&turn);
}

/* None for an item. */
TEST_CASE(no_malloc_once_warm) {
  turn_t turn;
  uvow_sink_t *sink;
  uvow_promise_t *p;
  turn_init(&turn);
  turn_mark_t m = turn_mark(&turn, "");
  uvow_stream_t *s = uvow_stream_new(turn.loop, NULL, &sink);
  uvow_future_detach(uvow_stream_each(s, turn_then, &m));
  size_t calls = 0;
  for (int i = 0; i < 1000; i++) {
    for (int64_t n = 0; n < 8; n++)
      push(sink, n);
    m.next = uvow_next_future(uvow_promise_new(turn.loop, &p));
    uvow_promise_fulfill(p, uvow_value_none());
    turn_run(&turn);
    turn.log[0] = '\0';
    if (i == 1)
      calls = turn.alloc->calls;
  }
  assert_int_equal(turn.alloc->calls, calls);
  uvow_sink_end(sink);
  turn_end(&turn);
}

TEST_MODULE(stream_each) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_callback_for_each),
      cmocka_unit_test(the_next_waits_for_the_future),
      cmocka_unit_test(a_callback_may_pass),
      cmocka_unit_test(what_ends_it),
      cmocka_unit_test(only_one_reads),
      cmocka_unit_test(canceled_from_its_callback),
      cmocka_unit_test(its_own_future_is_a_cycle),
      cmocka_unit_test(the_callback_pushes),
      cmocka_unit_test(no_malloc_once_warm),
  };
  return cmocka_run_group_tests_name("future/stream_each", tests, NULL, NULL);
}
