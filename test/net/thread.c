/* Promises that other threads settle (F11). Run under ThreadSanitizer too. */
#include <stdio.h>

#include <uv.h>

#include <uvow.h>

#include "support/support.h"
#include "support/faults.h"

#define THREADS 4
#define EACH 25000

typedef struct world {
  test_alloc_t alloc;
  uv_loop_t uv;
  uvow_loop_t *loop;
  int closed;
} world_t;

static void on_closed(void *data) {
  ((world_t *)data)->closed++;
}

static void ignore(uvow_loop_t *loop, const uvow_error_t *error, void *data) {
  (void)loop;
  (void)error;
  (void)data;
}

static void open_world(world_t *w, int counted) {
  uvow_loop_options_t options = {.size = sizeof(options)};
  memset(w, 0, sizeof(*w));
  test_alloc_init(&w->alloc);
  if (counted)
    options.allocator = &w->alloc.allocator;
  options.on_unhandled = ignore;
  assert_int_equal(uv_loop_init(&w->uv), 0);
  w->loop = uvow_loop_new(&w->uv, &options);
  assert_non_null(w->loop);
}

static void close_world(world_t *w) {
  if (w->loop)
    uvow_loop_close(w->loop, on_closed, w);
  uv_run(&w->uv, UV_RUN_DEFAULT);
  assert_int_equal(w->closed, 1);
  assert_int_equal(uv_loop_close(&w->uv), 0);
  assert_int_equal(w->alloc.live, 0);
}

typedef struct sum {
  int64_t total;
  int fulfilled;
  int rejected;
  int code;
  char detail[200];
} sum_t;

static void add(const uvow_result_t *result, void *data) {
  sum_t *sum = data;
  int64_t i64 = 0;
  if (result->error) {
    sum->rejected++;
    sum->code = uvow_error_code(result->error);
    snprintf(sum->detail, sizeof(sum->detail), "%s",
             uvow_error_message(result->error));
    return;
  }
  assert_int_equal(uvow_value_get_int64(&result->value, &i64), 0);
  sum->fulfilled++;
  sum->total += i64;
}

typedef struct worker {
  uv_thread_t thread;
  uvow_thread_promise_t *promises[EACH];
  int start;
} worker_t;

static void settle_all(void *data) {
  worker_t *worker = data;
  for (int i = 0; i < EACH; i++) {
    if (i % 10 == 9)
      uvow_thread_promise_reject(worker->promises[i], UVOW_EREMOTE, "tenth");
    else
      uvow_thread_promise_fulfill(worker->promises[i],
                                  uvow_value_int64(worker->start + i));
  }
}

TEST_CASE(four_threads_settle_100000) {
  static worker_t workers[THREADS];
  world_t w;
  sum_t sum = {0};
  int64_t expected = 0;
  open_world(&w, 0);
  for (int t = 0; t < THREADS; t++) {
    workers[t].start = t * EACH;
    for (int i = 0; i < EACH; i++) {
      uvow_future_t *f =
          uvow_thread_promise_new(w.loop, &workers[t].promises[i]);
      assert_int_equal(uvow_future_done(f, add, &sum), 0);
      expected += i % 10 == 9 ? 0 : workers[t].start + i;
    }
  }
  for (int t = 0; t < THREADS; t++)
    uv_thread_create(&workers[t].thread, settle_all, &workers[t]);
  uv_run(&w.uv, UV_RUN_DEFAULT); /* ends when nothing is out any more */
  assert_int_equal(sum.fulfilled, THREADS * EACH / 10 * 9);
  assert_int_equal(sum.rejected, THREADS * EACH / 10);
  assert_int_equal(sum.total, expected);
  for (int t = 0; t < THREADS; t++)
    uv_thread_join(&workers[t].thread);
  close_world(&w);
}

static void settle_here(void *data) {
  uvow_thread_promise_fulfill(data, uvow_value_int64(7));
}

TEST_CASE(the_loop_waits_for_what_is_out) {
  world_t w;
  sum_t sum = {0};
  uv_thread_t thread;
  uvow_thread_promise_t *p;
  open_world(&w, 1);
  uvow_future_done(uvow_thread_promise_new(w.loop, &p), add, &sum);
  assert_int_not_equal(uv_loop_alive(&w.uv), 0);
  uv_thread_create(&thread, settle_here, p);
  uv_run(&w.uv, UV_RUN_DEFAULT);
  assert_int_equal(sum.total, 7);
  uv_thread_join(&thread);
  close_world(&w);
}

TEST_CASE(a_canceled_one_does_not_hold_the_loop) {
  world_t w;
  uvow_thread_promise_t *p;
  open_world(&w, 1);
  uvow_future_t *f = uvow_thread_promise_new(w.loop, &p);
  assert_int_equal(uvow_thread_promise_canceled(p), 0);
  assert_int_equal(uvow_future_cancel(f), 0);
  assert_int_equal(uvow_thread_promise_canceled(p), 1);
  uv_run(&w.uv, UV_RUN_DEFAULT);
  assert_int_equal(uv_loop_alive(&w.uv), 0);
  uvow_future_unref(f);
  uvow_thread_promise_fulfill(p, uvow_value_int64(1)); /* no effect */
  close_world(&w);
}

TEST_CASE(dropping_rejects_and_details_are_bounded) {
  world_t w;
  sum_t dropped = {0};
  sum_t rejected = {0};
  uvow_thread_promise_t *p;
  char detail[300];
  memset(detail, 'x', sizeof(detail));
  detail[sizeof(detail) - 1] = '\0';
  open_world(&w, 1);
  uvow_future_done(uvow_thread_promise_new(w.loop, &p), add, &dropped);
  uvow_thread_promise_drop(p);
  uvow_future_done(uvow_thread_promise_new(w.loop, &p), add, &rejected);
  uvow_thread_promise_reject(p, 5, detail); /* no code: UVOW_EINVAL */
  uv_run(&w.uv, UV_RUN_DEFAULT);
  assert_int_equal(dropped.code, UVOW_EBROKEN);
  assert_int_equal(rejected.code, UVOW_EINVAL);
  assert_int_equal(strlen(rejected.detail), 119);
  uvow_thread_promise_reject(NULL, UVOW_EINVAL, NULL);
  uvow_thread_promise_drop(NULL);
  assert_int_equal(uvow_thread_promise_canceled(NULL), 1);
  close_world(&w);
}

static int destroyed;

static void count_destroy(void *ptr) {
  assert_ptr_equal(ptr, &destroyed);
  destroyed++;
}

static const uvow_type_t counted = {sizeof(counted), "counted", NULL,
                                    count_destroy};

TEST_CASE(the_loop_closes_first) {
  world_t w;
  sum_t sums[3] = {{0}};
  uvow_thread_promise_t *p[3];
  uv_thread_t thread;
  destroyed = 0;
  open_world(&w, 1);
  for (int i = 0; i < 3; i++)
    uvow_future_done(uvow_thread_promise_new(w.loop, &p[i]), add, &sums[i]);
  uvow_thread_promise_fulfill(p[0], uvow_value_int64(3)); /* posted: arrives */
  uvow_loop_close(w.loop, on_closed, &w);
  w.loop = NULL;
  assert_int_equal(sums[0].total, 3);
  assert_int_equal(sums[1].code, UVOW_ECLOSED);
  assert_int_equal(sums[2].code, UVOW_ECLOSED);
  assert_int_equal(uvow_thread_promise_canceled(p[1]), 1);
  uvow_thread_promise_fulfill(p[1], uvow_value_ptr(&counted, &destroyed));
  assert_int_equal(destroyed, 1);
  uv_run(&w.uv, UV_RUN_DEFAULT);
  uv_thread_create(&thread, settle_here, p[2]); /* after all is closed */
  uv_thread_join(&thread);
  close_world(&w);
}

/* A thread that settles while the loop closes: whoever is first, once. */
TEST_CASE(closing_races_settling) {
  for (int round = 0; round < 200; round++) {
    world_t w;
    sum_t sum = {0};
    uv_thread_t thread;
    uvow_thread_promise_t *p;
    open_world(&w, 0); /* malloc: the thread may free */
    uvow_future_done(uvow_thread_promise_new(w.loop, &p), add, &sum);
    uv_thread_create(&thread, settle_here, p);
    uvow_loop_close(w.loop, on_closed, &w);
    w.loop = NULL;
    assert_int_equal(sum.fulfilled + sum.rejected, 1);
    uv_thread_join(&thread);
    close_world(&w);
  }
}

static void body_oom(test_alloc_t *alloc, void *data) {
  uvow_loop_options_t options = {.size = sizeof(options)};
  uv_loop_t uv;
  uvow_loop_t *loop;
  uvow_thread_promise_t *p = NULL;
  sum_t sum = {0};
  int closed = 0;
  (void)data;
  options.allocator = &alloc->allocator;
  options.on_unhandled = ignore;
  assert_int_equal(uv_loop_init(&uv), 0);
  loop = uvow_loop_new(&uv, &options);
  if (loop) {
    uvow_future_t *f = uvow_thread_promise_new(loop, &p);
    assert_int_equal(f == NULL, p == NULL);
    int rc = uvow_future_done(f, add, &sum);
    uvow_thread_promise_fulfill(p, uvow_value_int64(1));
    uv_run(&uv, UV_RUN_DEFAULT);
    assert_int_equal(sum.fulfilled, rc == 0);
    uvow_loop_close(loop, NULL, &closed);
    uv_run(&uv, UV_RUN_DEFAULT);
  }
  assert_int_equal(uv_loop_close(&uv), 0);
}

TEST_CASE(every_allocation_fails_once) {
  test_alloc_sweep(body_oom, NULL);
}

TEST_CASE(what_libuv_refuses_is_said) {
  static const char *const calls[] = {"uv_mutex_init", "uv_async_init"};
  for (int i = 0; i < 2; i++) {
    world_t w;
    uvow_thread_promise_t *p;
    open_world(&w, 1);
    faults_begin(calls[i], UV_EMFILE, 1, 1);
    assert_null(uvow_thread_promise_new(w.loop, &p));
    assert_null(p);
    assert_int_equal(faults_end(), 1);
    assert_int_equal(uvow_error_code(uvow_loop_error(w.loop)), UV_EMFILE);
    uvow_future_detach(uvow_thread_promise_new(w.loop, &p)); /* now it can */
    uvow_thread_promise_fulfill(p, uvow_value_int64(1));
    close_world(&w);
  }
}

TEST_CASE(what_is_missing_is_said) {
  world_t w;
  uvow_thread_promise_t *p;
  open_world(&w, 1);
  assert_null(uvow_thread_promise_new(w.loop, NULL));
  assert_int_equal(uvow_error_code(uvow_loop_error(w.loop)), UVOW_EINVAL);
  assert_null(uvow_thread_promise_new(NULL, &p));
  assert_null(p);
  uvow_loop_t *loop = w.loop;
  uvow_loop_close(loop, on_closed, &w);
  w.loop = NULL;
  assert_null(uvow_thread_promise_new(loop, &p)); /* its memory is there */
  assert_int_equal(uvow_error_code(uvow_loop_error(loop)), UVOW_ECLOSED);
  close_world(&w);
}

TEST_MODULE(thread) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(four_threads_settle_100000),
      cmocka_unit_test(the_loop_waits_for_what_is_out),
      cmocka_unit_test(a_canceled_one_does_not_hold_the_loop),
      cmocka_unit_test(dropping_rejects_and_details_are_bounded),
      cmocka_unit_test(the_loop_closes_first),
      cmocka_unit_test(closing_races_settling),
      cmocka_unit_test(every_allocation_fails_once),
      cmocka_unit_test(what_libuv_refuses_is_said),
      cmocka_unit_test(what_is_missing_is_said),
  };
  return cmocka_run_group_tests_name("net/thread", tests, NULL, NULL);
}
