/* Descriptors of the application's own. */
#include <unistd.h>

#include <sys/socket.h>

#include <uvow/uv.h>

#include "support/loop_bed.h"

typedef struct scene {
  loop_bed_t bed;
  int fds[2];
} scene_t;

static void open_scene(scene_t *s) {
  memset(s, 0, sizeof(*s));
  loop_bed_open(&s->bed);
  assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, s->fds), 0);
}

static void close_scene(scene_t *s) {
  loop_bed_close(&s->bed, "closed");
  close(s->fds[0]);
  if (s->fds[1] >= 0)
    close(s->fds[1]);
}

static int64_t next(scene_t *s, uvow_stream_t *events) {
  uvow_result_t r;
  int64_t what = 0;
  assert_int_equal(loop_bed_wait(&s->bed, uvow_stream_next(events), &r), 0);
  assert_int_equal(uvow_value_get_int64(&r.value, &what), 0);
  return what;
}

/* One for each that is asked for, though there'd be more. */
TEST_CASE(what_can_be_done) {
  scene_t s;
  char c;
  open_scene(&s);
  uvow_stream_t *events =
      uvow_poll(s.bed.loop, s.fds[0], UV_READABLE | UV_DISCONNECT);
  loop_bed_run(&s.bed); /* nobody asks: it doesn't hold the loop */
  uvow_future_t *f = uvow_stream_next(events);
  uv_run(&s.bed.uv, UV_RUN_NOWAIT);
  assert_int_equal(uvow_future_state(f), UVOW_PENDING);
  assert_int_equal(write(s.fds[1], "ab", 2), 2);
  assert_int_equal(loop_bed_wait(&s.bed, f, NULL), 0);
  loop_bed_run(&s.bed);
  assert_int_equal(next(&s, events), UV_READABLE); /* still */
  uvow_future_t *two[] = {uvow_stream_next(events), uvow_stream_next(events)};
  assert_int_equal(loop_bed_wait(&s.bed, two[0], NULL), 0);
  assert_int_equal(loop_bed_wait(&s.bed, two[1], NULL), 0);
  assert_int_equal(read(s.fds[0], &c, 1), 1);
  assert_int_equal(next(&s, events), UV_READABLE);
  close(s.fds[1]);
  s.fds[1] = -1;
  assert_true(next(&s, events) & UV_DISCONNECT);
  assert_int_equal(loop_bed_wait(&s.bed, uvow_stream_close(events), NULL), 0);
  assert_int_equal(read(s.fds[0], &c, 1), 1); /* it's open still */
  close_scene(&s);
}

TEST_CASE(canceled_or_closed) {
  scene_t s;
  open_scene(&s);
  uvow_stream_t *events = uvow_poll(s.bed.loop, s.fds[0], UV_READABLE);
  uvow_future_drop(uvow_stream_next(events));
  assert_int_equal(write(s.fds[1], "ab", 2), 2);
  loop_bed_run(&s.bed); /* it holds the loop until there's an event, */
  assert_int_equal(uvow_stream_waiting(events), 0); /* that nobody gets */
  assert_int_equal(next(&s, events), UV_READABLE);
  uvow_stream_unref(events);
  uvow_future_detach(
      uvow_stream_collect(uvow_poll(s.bed.loop, s.fds[0], UV_READABLE), 10));
  close_scene(&s);
}

TEST_CASE(what_cannot_be_polled) {
  uvow_result_t r;
  scene_t s;
  open_scene(&s);
  const int events[] = {0, 1 << 20};
  for (int i = 0; i < 2; i++) {
    uvow_stream_t *none = uvow_poll(s.bed.loop, s.fds[0], events[i]);
    assert_int_equal(loop_bed_wait(&s.bed, uvow_stream_next(none), &r),
                     UVOW_EINVAL);
    uvow_stream_unref(none);
  }
  uvow_stream_t *none = uvow_poll(s.bed.loop, 10000, UV_READABLE);
  assert_int_equal(loop_bed_wait(&s.bed, uvow_stream_next(none), &r), UV_EBADF);
  assert_string_equal(uvow_error_message(r.error),
                      "poll a descriptor: bad file descriptor");
  uvow_stream_unref(none);
  assert_null(uvow_poll(NULL, s.fds[0], UV_READABLE));
  close_scene(&s);
}

static void sweep(test_alloc_t *alloc, void *data) {
  scene_t *s = data;
  uvow_result_t r;
  if (loop_bed_open_with(&s->bed, alloc)) {
    assert_int_equal(uv_loop_close(&s->bed.uv), 0);
    return;
  }
  uvow_stream_t *events = uvow_poll(s->bed.loop, s->fds[0], UV_WRITABLE);
  uvow_future_t *f = uvow_stream_next(events);
  if (f)
    (void)loop_bed_wait(&s->bed, f, &r);
  uvow_stream_unref(events);
  loop_bed_close(&s->bed, "closed");
}

TEST_CASE(every_allocation_may_fail) {
  scene_t s;
  int fds[2];
  open_scene(&s);
  fds[0] = s.fds[0];
  fds[1] = s.fds[1];
  loop_bed_close(&s.bed, "closed");
  test_alloc_sweep(sweep, &s);
  close(fds[0]);
  close(fds[1]);
}

TEST_MODULE(poll) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_can_be_done),
      cmocka_unit_test(canceled_or_closed),
      cmocka_unit_test(what_cannot_be_polled),
      cmocka_unit_test(every_allocation_may_fail),
  };
  return cmocka_run_group_tests_name("uv/poll", tests, NULL, NULL);
}
