/* Streams of streams: what is read, when, and who lets go. */
#include "support/turn.h"

#include <uvow/combine.h>
#include <uvow/stream.h>

#include <stdio.h>

#include "future/stream.h"

typedef struct scene {
  turn_t turn;
  turn_mark_t item;
  turn_mark_t end;
  turn_mark_t owner;
  uvow_sink_t *sink;
  uvow_stream_t *s;
} scene_t;

static int push(uvow_sink_t *sink, int64_t n) {
  return uvow_sink_push(sink, uvow_value_int64(n));
}

static void scene_init(scene_t *scene) {
  turn_init(&scene->turn);
  scene->item = turn_mark(&scene->turn, "");
  scene->end = turn_mark(&scene->turn, "end");
  scene->owner = turn_mark(&scene->turn, "owner");
  scene->s = uvow_stream_new(scene->turn.loop, NULL, &scene->sink);
  uvow_sink_on_cancel(scene->sink, turn_cancel, &scene->owner, NULL);
}

static void scene_each(scene_t *scene, uvow_stream_t *s) {
  uvow_future_done(uvow_stream_each(s, turn_then, &scene->item), turn_done,
                   &scene->end);
  turn_run(&scene->turn);
}

/* Time goes by, and libuv's timer calls. */
static void later(turn_t *turn, uint64_t ms) {
  turn->now_ns += ms * 1000000;
  uvow__runtime_enter(&turn->rt);
  uvow__runtime_expire(&turn->rt);
  uvow__runtime_leave(&turn->rt);
  turn_run(turn);
}

static uvow_next_t times_ten(const uvow_result_t *item, void *data) {
  int64_t n = 0;
  uvow_future_t **pending = (uvow_future_t **)data;
  if (uvow_value_get_int64(&item->value, &n))
    return uvow_next_pass();
  if (n == 3) /* as a future */
    return uvow_next_future(
        uvow_future_fulfilled(item->loop, uvow_value_int64(30)));
  if (n == 4)
    return uvow_next_end(uvow_value_int64(44));
  if (n == 5)
    return uvow_next_code(UVOW_EURL, NULL);
  if (n == 6)
    return uvow_next_future(uvow_future_ref(*pending));
  return uvow_next_value(uvow_value_int64(n * 10));
}

TEST_CASE(map_makes_items_of_items) {
  static const struct {
    int64_t third;
    const char *log;
  } cases[] = {
      {3, "+10 +20 +30"},
      {4, "+10 +20 owner^ end+44"},
      {5, "+10 +20 owner^ end!EURL"},
      {6, "+10 +20"},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    scene_t scene;
    uvow_promise_t *p;
    uvow_future_t *pending;
    scene_init(&scene);
    pending = uvow_promise_new(scene.turn.loop, &p);
    scene_each(&scene, uvow_stream_map(scene.s, times_ten, &pending));
    push(scene.sink, 1);
    push(scene.sink, 2);
    push(scene.sink, cases[i].third);
    push(scene.sink, 7);
    turn_run(&scene.turn);
    if (i == 0)
      turn_expect(&scene.turn, "+10 +20 +30 +70");
    else
      turn_expect(&scene.turn, cases[i].log);
    uvow_promise_reject_code(p, UVOW_EPROTO, NULL);
    turn_run(&scene.turn);
    if (i == 3)
      turn_expect(&scene.turn, "owner^ end!EPROTO");
    else
      turn_expect_unhandled(&scene.turn, "EPROTO");
    uvow_future_unref(pending);
    uvow_sink_end_value(scene.sink, uvow_value_int64(8));
    turn_run(&scene.turn);
    turn_expect(&scene.turn, i == 0 ? "end+8" : "");
    turn_end(&scene.turn);
  }
}

static int is_odd(const uvow_result_t *item, void *data) {
  int64_t n = 0;
  (void)data;
  (void)uvow_value_get_int64(&item->value, &n);
  return (int)(n & 1);
}

TEST_CASE(filter_and_take) {
  scene_t scene;
  scene_init(&scene);
  scene_each(&scene,
             uvow_stream_take(uvow_stream_filter(scene.s, is_odd, NULL), 3));
  for (int64_t n = 1; n < 10; n++)
    push(scene.sink, n);
  turn_run(&scene.turn);
  turn_expect(&scene.turn, "+1 +3 +5 owner^ end+");
  assert_int_equal(push(scene.sink, 1), UVOW_ECANCELED);
  uvow_sink_end(scene.sink);
  turn_end(&scene.turn);
  scene_init(&scene);
  scene_each(&scene, uvow_stream_take(scene.s, 0));
  turn_expect(&scene.turn, "owner^ end+");
  uvow_sink_end(scene.sink);
  turn_end(&scene.turn);
}

/* A pipeline reads nothing that nobody asks for. */
TEST_CASE(stages_pull) {
  scene_t scene;
  scene_init(&scene);
  uvow_stream_t *up = scene.s;
  uvow_stream_t *s = uvow_stream_take(
      uvow_stream_filter(uvow_stream_map(up, times_ten, NULL), is_odd, NULL),
      9);
  push(scene.sink, 1);
  push(scene.sink, 2);
  turn_run(&scene.turn);
  assert_int_equal(uvow_stream_waiting(up), 2);
  uvow_future_t *f = uvow_stream_next(s);
  turn_run(&scene.turn);
  assert_int_equal(uvow_stream_waiting(up), 0); /* both are even */
  uvow_future_cancel(f);
  uvow_future_unref(f);
  push(scene.sink, 3);
  push(scene.sink, 1);
  turn_run(&scene.turn);
  assert_int_equal(uvow_stream_waiting(up), 0);
  uvow_stream_unref(s);
  turn_expect(&scene.turn, "");
  turn_run(&scene.turn);
  turn_expect(&scene.turn, "owner^");
  uvow_sink_drop(scene.sink);
  turn_end(&scene.turn);
}

TEST_CASE(until_a_future_is_settled) {
  for (int how = 0; how < 4; how++) {
    static const char *const expected[] = {
        "+1 owner^ end+9", "+1 owner^ end!EURL", "+1 stop^ end+", "+1"};
    scene_t scene;
    uvow_promise_t *p;
    scene_init(&scene);
    turn_mark_t stop = turn_mark(&scene.turn, "stop");
    uvow_future_t *f = uvow_promise_new(scene.turn.loop, &p);
    uvow_promise_on_cancel(p, turn_cancel, &stop, NULL);
    scene_each(&scene, uvow_stream_until(scene.s, f));
    push(scene.sink, 1);
    turn_run(&scene.turn);
    if (how == 0)
      uvow_promise_fulfill(p, uvow_value_int64(9));
    else if (how == 1)
      uvow_promise_reject_code(p, UVOW_EURL, NULL);
    else if (how == 2)
      uvow_sink_end(scene.sink);
    turn_run(&scene.turn);
    turn_expect(&scene.turn, expected[how]);
    if (how == 3) { /* both at once: what comes first */
      uvow_sink_fail(scene.sink,
                     uvow_error_new(scene.turn.loop, UVOW_EPROTO, NULL));
      turn_run(&scene.turn);
      turn_expect(&scene.turn, "stop^ end!EPROTO");
    } else if (how != 2) {
      uvow_sink_end(scene.sink);
    }
    if (how >= 2)
      uvow_promise_drop(p);
    turn_end(&scene.turn);
  }
}

TEST_CASE(timeout_between_items) {
  scene_t scene;
  scene_init(&scene);
  uvow_stream_t *s = uvow_stream_timeout(scene.s, 10);
  later(&scene.turn, 100); /* nobody asks */
  assert_int_equal(scene.turn.rt.holds, 0);
  scene_each(&scene, s);
  assert_int_equal(scene.turn.rt.holds, 1);
  for (int64_t n = 1; n < 4; n++) {
    later(&scene.turn, 9);
    push(scene.sink, n);
    turn_run(&scene.turn);
  }
  turn_expect(&scene.turn, "+1 +2 +3");
  scene.turn.now_ns += 20000000; /* late, but an item is there */
  push(scene.sink, 4);
  later(&scene.turn, 0);
  turn_expect(&scene.turn, "+4");
  later(&scene.turn, 11);
  turn_expect(&scene.turn, "owner^ end!ETIMEDOUT");
  assert_int_equal(scene.turn.rt.holds, 0);
  uvow_sink_end(scene.sink);
  turn_end(&scene.turn);
}

static void scene_count(turn_mark_t *mark) {
  mark->next = uvow_next_pass();
}

/* Logs how many a batch has. */
static uvow_next_t on_batch(const uvow_result_t *item, void *data) {
  scene_t *scene = (scene_t *)data;
  const uvow_results_t *results;
  uvow_result_t first;
  int64_t n = 0;
  char text[64];
  size_t len = strlen(scene->turn.log);
  assert_int_equal(uvow_value_get_results(&item->value, &results), 0);
  assert_int_equal(uvow_results_get(results, 0, &first), 0);
  (void)uvow_value_get_int64(&first.value, &n);
  (void)snprintf(text, sizeof(text), "%s%d@%d", len ? " " : "",
                 (int)uvow_results_count(results), (int)n);
  memcpy(scene->turn.log + len, text, strlen(text) + 1);
  return uvow_next_none();
}

TEST_CASE(batches) {
  scene_t scene;
  scene_init(&scene);
  scene.item.act = scene_count;
  uvow_future_done(
      uvow_stream_each(uvow_stream_batch(scene.s, 3, 10), on_batch, &scene),
      turn_done, &scene.end);
  for (int64_t n = 1; n < 8; n++)
    push(scene.sink, n);
  turn_run(&scene.turn);
  turn_expect(&scene.turn, "3@1 3@4");
  later(&scene.turn, 9);
  push(scene.sink, 8);
  turn_run(&scene.turn);
  turn_expect(&scene.turn, "");
  later(&scene.turn, 1);
  turn_expect(&scene.turn, "2@7");
  push(scene.sink, 9);
  uvow_sink_end_value(scene.sink, uvow_value_int64(5));
  turn_run(&scene.turn);
  turn_expect(&scene.turn, "1@9 end+5");
  turn_end(&scene.turn);
}

TEST_CASE(debounce_waits_for_quiet) {
  scene_t scene;
  scene_init(&scene);
  scene_each(&scene, uvow_stream_debounce(scene.s, 10));
  for (int64_t n = 1; n < 5; n++) {
    push(scene.sink, n);
    turn_run(&scene.turn);
    later(&scene.turn, 6);
  }
  turn_expect(&scene.turn, "");
  later(&scene.turn, 4);
  turn_expect(&scene.turn, "+4");
  push(scene.sink, 5);
  push(scene.sink, 6);
  uvow_sink_end(scene.sink);
  turn_run(&scene.turn);
  turn_expect(&scene.turn, "+6 end+");
  turn_end(&scene.turn);
}

TEST_CASE(throttle_lets_the_newest_pass) {
  scene_t scene;
  scene_init(&scene);
  scene_each(&scene, uvow_stream_throttle(scene.s, 10));
  push(scene.sink, 1);
  turn_run(&scene.turn);
  turn_expect(&scene.turn, "+1");
  push(scene.sink, 2);
  push(scene.sink, 3);
  turn_run(&scene.turn);
  later(&scene.turn, 9);
  turn_expect(&scene.turn, "");
  later(&scene.turn, 1);
  turn_expect(&scene.turn, "+3");
  later(&scene.turn, 10);
  push(scene.sink, 4);
  turn_run(&scene.turn);
  turn_expect(&scene.turn, "+4");
  push(scene.sink, 5);
  uvow_sink_end(scene.sink);
  turn_run(&scene.turn);
  turn_expect(&scene.turn, "+5 end+");
  turn_end(&scene.turn);
}

static uvow_stream_t *last_of(int which, uvow_stream_t *s) {
  switch (which) {
  case 0:
    return uvow_stream_batch(s, 2, 1000);
  case 1:
    return uvow_stream_debounce(s, 1000);
  case 2:
    return uvow_stream_throttle(s, 1000);
  case 3:
    return uvow_stream_take(s, 1);
  default:
    return uvow_stream_timeout(s, 1000);
  }
}

/* The last item comes with the end, and nobody has a handle of the stage. */
TEST_CASE(ends_with_an_item) {
  for (int which = 0; which < 5; which++) {
    turn_t turn;
    uvow_sink_t *sink;
    turn_init(&turn);
    turn_mark_t a = turn_mark(&turn, "a"), b = turn_mark(&turn, "b");
    uvow_stream_t *s = uvow_stream_new(turn.loop, NULL, &sink);
    uvow_stream_t *last = last_of(which, s);
    uvow_future_done(uvow_stream_next(last), turn_done, &a);
    uvow_future_done(uvow_stream_next(last), turn_done, &b);
    uvow_stream_unref(last);
    (void)uvow_sink_push(sink, uvow_value_int64(1));
    if (which < 2)
      uvow_sink_end(sink);
    turn_run(&turn);
    assert_int_equal(a.calls, 1);
    if (which >= 2)
      uvow_sink_end(sink);
    turn_run(&turn);
    assert_int_equal(b.calls, 1);
    turn.log[0] = '\0';
    turn_end(&turn);
  }
}

TEST_CASE(ticks_come_in_time) {
  turn_t turn;
  turn_init(&turn);
  turn_mark_t m = turn_mark(&turn, "");
  uvow_stream_t *s = uvow_stream_ticks(turn.loop, 10);
  assert_int_equal(turn.rt.holds, 1);
  turn_run(&turn);
  later(&turn, 35); /* nobody asked: late ones are one */
  uvow_future_t *f = uvow_stream_each(uvow_stream_take(s, 4), turn_then, &m);
  turn_run(&turn);
  turn_expect(&turn, "+3");
  later(&turn, 4);
  turn_expect(&turn, "");
  later(&turn, 1);
  turn_expect(&turn, "+1");
  later(&turn, 9);
  later(&turn, 1);
  later(&turn, 10);
  turn_expect(&turn, "+1 +1");
  assert_string_equal(turn_result(&turn, f), "+");
  assert_int_equal(turn.rt.holds, 0);
  uvow_future_unref(f);
  s = uvow_stream_ticks(turn.loop, 0);
  f = uvow_stream_next(s);
  uvow_stream_unref(s);
  turn_run(&turn);
  assert_string_equal(turn_result(&turn, f), "!EINVAL");
  uvow_future_unref(f);
  turn_expect_unhandled(&turn, "EINVAL");
  assert_null(uvow_stream_ticks(NULL, 10));
  turn_end(&turn);
}

/* Every stage: a stream that another reads, none, a cancel, a close. */
static uvow_stream_t *make(int which, uvow_stream_t *s, turn_t *turn) {
  uvow_stream_t *one[1];
  switch (which) {
  case 0:
    return uvow_stream_map(s, times_ten, NULL);
  case 1:
    return uvow_stream_filter(s, is_odd, NULL);
  case 2:
    return uvow_stream_take(s, 5);
  case 3:
    return uvow_stream_until(s, uvow_future_delay(turn->loop, 1000));
  case 4:
    return uvow_stream_timeout(s, 5);
  case 5:
    return uvow_stream_batch(s, 5, 5);
  case 6:
    return uvow_stream_debounce(s, 5);
  case 7:
    return uvow_stream_throttle(s, 5);
  case 8:
    return uvow_stream_lines(s, 100);
  default:
    one[0] = s;
    return s ? uvow_stream_merge(turn->loop, one, 1) : NULL;
  }
}

TEST_CASE(all_stages_let_go) {
  for (int which = 0; which < 10; which++) {
    for (int how = 0; how < 4; how++) {
      scene_t scene;
      scene_init(&scene);
      uvow_stream_t *s = make(which, scene.s, &scene.turn);
      uvow_future_t *f = NULL;
      if (which != 8)
        push(scene.sink, 1);
      if (how == 1)
        f = uvow_stream_each(s, turn_then, &scene.item);
      else if (how == 2)
        f = uvow_stream_close(s);
      else if (how == 3)
        f = uvow_stream_next(s);
      turn_run(&scene.turn);
      scene.turn.log[0] = '\0';
      if (how == 0 || how == 3)
        uvow_stream_unref(s);
      if (how == 1)
        assert_int_equal(uvow_future_cancel(f), 0);
      if (how == 3)
        (void)uvow_future_cancel(f);
      turn_run(&scene.turn);
      if (how != 2)
        turn_expect(&scene.turn, "owner^");
      else
        assert_string_equal(turn_result(&scene.turn, f), "?");
      uvow_sink_end(scene.sink);
      turn_run(&scene.turn);
      if (how == 2)
        assert_string_equal(turn_result(&scene.turn, f), "+");
      uvow_future_unref(f);
      assert_int_equal(scene.turn.rt.holds, 0);
      turn_end(&scene.turn);
    }
  }
}

TEST_CASE(all_stages_close_with_the_loop) {
  for (int which = 0; which < 10; which++) {
    for (int how = 0; how < 2; how++) {
      scene_t scene;
      scene_init(&scene);
      uvow_stream_t *s = make(which, scene.s, &scene.turn);
      if (which != 8)
        push(scene.sink, 1);
      if (how)
        scene_each(&scene, s);
      scene.turn.log[0] = '\0';
      turn_close(&scene.turn);
      assert_int_equal(scene.turn.rt.holds, 0);
      assert_non_null(strstr(scene.turn.log, how ? "end!ECLOSED" : ""));
      assert_non_null(strstr(scene.turn.log, "owner^"));
      if (!how)
        uvow_stream_unref(s);
      assert_int_equal(scene.turn.releases, 0);
      uvow_sink_end(scene.sink);
      turn_assert_released(&scene.turn);
    }
  }
}

TEST_CASE(all_stages_of_what_cannot_be_read) {
  for (int which = 0; which < 10; which++) {
    scene_t scene;
    scene_init(&scene);
    assert_null(make(which, NULL, &scene.turn));
    later(&scene.turn, 1000);
    uvow_future_t *f =
        uvow_stream_each(uvow_stream_ref(scene.s), turn_then, &scene.item);
    uvow_stream_t *s = make(which, uvow_stream_ref(scene.s), &scene.turn);
    uvow_future_t *next = uvow_stream_next(s);
    uvow_stream_unref(s);
    turn_run(&scene.turn);
    assert_string_equal(turn_result(&scene.turn, next), "!EBUSY");
    uvow_future_unref(next);
    scene.turn.unhandled[0] = '\0';
    uvow_future_unref(f);
    uvow_stream_unref(scene.s);
    uvow_sink_end(scene.sink);
    later(&scene.turn, 1000);
    turn_end(&scene.turn);
  }
}

static void sweep(test_alloc_t *alloc, void *data) {
  for (int which = 0; which < 10; which++) {
    scene_t scene;
    turn_item_t item;
    memset(&scene, 0, sizeof(scene));
    turn_init_with(&scene.turn, alloc);
    scene.item = turn_mark(&scene.turn, "");
    scene.s = uvow_stream_new(scene.turn.loop, NULL, &scene.sink);
    uvow_stream_t *s = make(which, scene.s, &scene.turn);
    uvow_sink_push(scene.sink, uvow_value_int64(1));
    uvow_sink_push(scene.sink, turn_item(&turn_type_unique, &item));
    uvow_future_detach(uvow_stream_each(s, turn_then, &scene.item));
    turn_run(&scene.turn);
    later(&scene.turn, 6);
    uvow_sink_end(scene.sink);
    turn_run(&scene.turn);
    later(&scene.turn, 1000);
    assert_int_equal(item.destroyed, 1);
    scene.turn.log[0] = scene.turn.unhandled[0] = '\0';
    turn_end(&scene.turn);
  }
  (void)data;
}

TEST_CASE(every_allocation_fails) {
  test_alloc_sweep(sweep, NULL);
}

TEST_MODULE(stream_stage) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(map_makes_items_of_items),
      cmocka_unit_test(filter_and_take),
      cmocka_unit_test(stages_pull),
      cmocka_unit_test(until_a_future_is_settled),
      cmocka_unit_test(timeout_between_items),
      cmocka_unit_test(batches),
      cmocka_unit_test(debounce_waits_for_quiet),
      cmocka_unit_test(throttle_lets_the_newest_pass),
      cmocka_unit_test(ends_with_an_item),
      cmocka_unit_test(ticks_come_in_time),
      cmocka_unit_test(all_stages_let_go),
      cmocka_unit_test(all_stages_close_with_the_loop),
      cmocka_unit_test(all_stages_of_what_cannot_be_read),
      cmocka_unit_test(every_allocation_fails),
  };
  return cmocka_run_group_tests_name("future/stream_stage", tests, NULL, NULL);
}
