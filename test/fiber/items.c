/* Items of a stream, awaited one by one. */
#include <uvow/stream.h>

#include "support/loop_bed.h"

typedef struct scene {
  loop_bed_t bed;
  uvow_stream_t *stream;
  uvow_sink_t *sink;
  int rc;
} scene_t;

static void open_scene(scene_t *s) {
  memset(s, 0, sizeof(*s));
  loop_bed_open(&s->bed);
  s->stream = uvow_stream_new(s->bed.loop, NULL, &s->sink);
  assert_non_null(s->stream);
}

static void push(scene_t *s, int64_t n) {
  assert_int_equal(uvow_sink_push(s->sink, uvow_value_int64(n)), 0);
}

static uvow_next_t reads(uvow_loop_t *loop, void *data) {
  scene_t *s = data;
  uvow_result_t r;
  int64_t n = 0;
  (void)loop;
  while ((s->rc = uvow_await_next(s->stream, &r)) > 0) {
    assert_int_equal(uvow_value_get_int64(&r.value, &n), 0);
    loop_bed_log_number(&s->bed, "", (int)n);
  }
  if (s->rc == 0 && uvow_value_get_int64(&r.value, &n) == 0)
    loop_bed_log_number(&s->bed, "end=", (int)n);
  return uvow_next_none();
}

TEST_CASE(items_and_the_end) {
  scene_t s;
  open_scene(&s);
  push(&s, 1);
  push(&s, 2);
  uvow_future_detach(uvow_fiber_spawn(s.bed.loop, reads, &s));
  loop_bed_run(&s.bed);
  loop_bed_expect(&s.bed, "1 2");
  push(&s, 3);
  uvow_sink_end_value(s.sink, uvow_value_int64(9));
  loop_bed_run(&s.bed);
  assert_int_equal(s.rc, 0);
  uvow_stream_unref(s.stream);
  loop_bed_close(&s.bed, "3 end=9 closed");
}

TEST_CASE(what_it_fails_with) {
  scene_t s;
  open_scene(&s);
  uvow_sink_fail(s.sink, uvow_error_new(s.bed.loop, UVOW_EURL, "bad"));
  uvow_future_detach(uvow_fiber_spawn(s.bed.loop, reads, &s));
  loop_bed_run(&s.bed);
  assert_int_equal(s.rc, UVOW_EURL);
  uvow_stream_unref(s.stream);
  assert_string_equal(s.bed.unhandled, "");
  loop_bed_close(&s.bed, "closed");
}

/* Another reader gets what the canceled one waited for. */
TEST_CASE(a_cancel_takes_no_item) {
  scene_t s;
  open_scene(&s);
  uvow_future_t *f = uvow_fiber_spawn(s.bed.loop, reads, &s);
  loop_bed_run(&s.bed);
  assert_int_equal(uvow_future_cancel(f), 0);
  uvow_future_unref(f);
  push(&s, 1);
  loop_bed_run(&s.bed);
  assert_int_equal(s.rc, UVOW_ECANCELED);
  loop_bed_expect(&s.bed, "");
  uvow_future_detach(uvow_fiber_spawn(s.bed.loop, reads, &s));
  uvow_sink_end(s.sink);
  loop_bed_run(&s.bed);
  uvow_stream_unref(s.stream);
  loop_bed_close(&s.bed, "1 closed");
}

TEST_CASE(bad_use) {
  scene_t s;
  open_scene(&s);
  assert_int_equal(uvow_await_next(s.stream, NULL), UVOW_EFIBER);
  assert_int_equal(uvow_await_next(NULL, NULL), UVOW_EFIBER);
  push(&s, 1); /* nobody took it */
  assert_int_equal(uvow_stream_waiting(s.stream), 1);
  uvow_stream_unref(s.stream);
  uvow_sink_drop(s.sink);
  s.stream = NULL;
  uvow_future_detach(uvow_fiber_spawn(s.bed.loop, reads, &s));
  loop_bed_run(&s.bed);
  assert_int_equal(s.rc, UVOW_ENOMEM);
  loop_bed_close(&s.bed, "closed");
}

static uvow_next_t pushes(uvow_loop_t *loop, void *data) {
  scene_t *s = data;
  (void)loop;
  for (int64_t n = 1; s->rc == 0 && n <= 200; n++)
    s->rc = uvow_await_push(s->sink, uvow_value_int64(n));
  if (s->rc == 0)
    uvow_sink_end(s->sink);
  return uvow_next_none();
}

/* More than has room: it waits for the reader. */
TEST_CASE(a_push_waits_for_room) {
  uvow_result_t r;
  scene_t s;
  int64_t n = 0, sum = 0;
  open_scene(&s);
  uvow_future_detach(uvow_fiber_spawn(s.bed.loop, pushes, &s));
  loop_bed_run(&s.bed);
  assert_int_equal(uvow_stream_waiting(s.stream), 64);
  while (loop_bed_wait(&s.bed, uvow_stream_next(s.stream), &r) == 0 &&
         !uvow_result_is_end(&r)) {
    assert_int_equal(uvow_value_get_int64(&r.value, &n), 0);
    assert_true(uvow_stream_waiting(s.stream) <= 64);
    sum += n;
  }
  assert_int_equal(sum, 200 * 201 / 2);
  uvow_stream_unref(s.stream);
  loop_bed_close(&s.bed, "closed");
}

/* The sink is ended, or nobody reads, while it waits; or it's canceled. */
TEST_CASE(a_push_that_waits_in_vain) {
  scene_t s;
  open_scene(&s);
  uvow_future_detach(uvow_fiber_spawn(s.bed.loop, pushes, &s));
  loop_bed_run(&s.bed);
  uvow_sink_end(s.sink);
  loop_bed_run(&s.bed);
  assert_int_equal(s.rc, UVOW_ECLOSED);
  uvow_stream_unref(s.stream);
  loop_bed_close(&s.bed, "closed");
  open_scene(&s);
  uvow_future_detach(uvow_fiber_spawn(s.bed.loop, pushes, &s));
  loop_bed_run(&s.bed);
  uvow_stream_unref(s.stream);
  loop_bed_run(&s.bed);
  assert_int_equal(s.rc, UVOW_ECANCELED);
  uvow_sink_drop(s.sink);
  loop_bed_close(&s.bed, "closed");
  open_scene(&s);
  uvow_future_t *f = uvow_fiber_spawn(s.bed.loop, pushes, &s);
  loop_bed_run(&s.bed);
  assert_int_equal(uvow_future_cancel(f), 0);
  uvow_future_unref(f);
  loop_bed_run(&s.bed);
  assert_int_equal(s.rc, UVOW_ECANCELED);
  assert_int_equal(uvow_await_push(s.sink, uvow_value_none()), UVOW_EFIBER);
  assert_int_equal(uvow_await_push(NULL, uvow_value_none()), UVOW_EFIBER);
  uvow_sink_drop(s.sink);
  uvow_stream_unref(s.stream);
  loop_bed_close(&s.bed, "closed");
}

static uvow_next_t pushes_when_canceled(uvow_loop_t *loop, void *data) {
  scene_t *s = data;
  (void)loop;
  s->rc = uvow_await_push(s->sink, uvow_value_int64(1));
  return uvow_next_none();
}

/* There is room, but not for one that is canceled: no item gets there. */
TEST_CASE(a_push_of_the_canceled) {
  scene_t s;
  open_scene(&s);
  uvow_future_t *f = uvow_fiber_spawn(s.bed.loop, pushes_when_canceled, &s);
  assert_int_equal(uvow_future_cancel(f), 0);
  uvow_future_unref(f);
  loop_bed_run(&s.bed);
  assert_int_equal(s.rc, UVOW_ECANCELED);
  assert_int_equal(uvow_stream_waiting(s.stream), 0);
  uvow_sink_drop(s.sink);
  uvow_stream_unref(s.stream);
  loop_bed_close(&s.bed, "closed");
}

static uvow_next_t counts(uvow_loop_t *loop, void *data) {
  scene_t *s = data;
  (void)loop;
  while (uvow_await_next(s->stream, NULL) > 0)
    s->rc++;
  return uvow_next_none();
}

/* Items that nobody looks at. */
TEST_CASE(items_may_be_counted_only) {
  scene_t s;
  open_scene(&s);
  push(&s, 1);
  push(&s, 2);
  uvow_sink_end(s.sink);
  uvow_future_detach(uvow_fiber_spawn(s.bed.loop, counts, &s));
  loop_bed_run(&s.bed);
  assert_int_equal(s.rc, 2);
  uvow_stream_unref(s.stream);
  loop_bed_close(&s.bed, "closed");
}

TEST_MODULE(items) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(items_and_the_end),
      cmocka_unit_test(what_it_fails_with),
      cmocka_unit_test(a_cancel_takes_no_item),
      cmocka_unit_test(bad_use),
      cmocka_unit_test(a_push_waits_for_room),
      cmocka_unit_test(a_push_that_waits_in_vain),
      cmocka_unit_test(a_push_of_the_canceled),
      cmocka_unit_test(items_may_be_counted_only),
  };
  return cmocka_run_group_tests_name("fiber/items", tests, NULL, NULL);
}
