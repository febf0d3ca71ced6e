/* Functions that other threads post. Run under ThreadSanitizer too. */
#include "support/loop_bed.h"
#include "support/faults.h"

#define THREADS 4
#define EACH 5000

typedef struct posted {
  loop_bed_t *bed;
  int runs;
  int destroyed;
  uvow_loop_t *seen;
} posted_t;

static void run(uvow_loop_t *loop, void *data) {
  posted_t *posted = (posted_t *)data;
  assert_int_equal(posted->destroyed, posted->runs);
  posted->runs++;
  posted->seen = loop;
}

static void destroy(void *data) {
  ((posted_t *)data)->destroyed++;
}

TEST_CASE(it_runs_then_is_destroyed) {
  loop_bed_t bed;
  posted_t posted = {0};
  loop_bed_open(&bed);
  uvow_thread_loop_t *door =
      uvow_thread_loop_new(bed.loop, UVOW_WITH(thread_loop, .hold_loop = 1));
  assert_int_equal(uvow_thread_loop_post(door, run, &posted, destroy), 0);
  assert_int_equal(uvow_thread_loop_post(door, run, &posted, destroy), 0);
  assert_int_equal(posted.runs, 0);
  assert_int_equal(uvow_thread_loop_post(door, NULL, &posted, destroy),
                   UVOW_EINVAL);
  assert_int_equal(posted.destroyed, 1);
  posted.destroyed = 0;
  uv_run(&bed.uv, UV_RUN_ONCE);
  assert_int_equal(posted.runs, 2);
  assert_int_equal(posted.destroyed, 2);
  assert_ptr_equal(posted.seen, bed.loop);
  assert_int_equal(uv_loop_alive(&bed.uv), 1);
  assert_ptr_equal(uvow_thread_loop_ref(door), door);
  uvow_thread_loop_unref(door);
  uvow_thread_loop_unref(door);
  loop_bed_run(&bed); /* nothing holds it any more */
  loop_bed_close(&bed, "closed");
}

TEST_CASE(it_is_bounded) {
  loop_bed_t bed;
  posted_t posted = {0};
  loop_bed_open(&bed);
  uvow_thread_loop_t *door = uvow_thread_loop_new(
      bed.loop, UVOW_WITH(thread_loop, .max_posted = 2, .hold_loop = 1));
  for (int i = 0; i < 2; i++)
    assert_int_equal(uvow_thread_loop_post(door, run, &posted, destroy), 0);
  assert_int_equal(uvow_thread_loop_post(door, run, &posted, destroy),
                   UVOW_EOVERLOAD);
  assert_int_equal(posted.destroyed, 1);
  posted.destroyed = 0;
  uv_run(&bed.uv, UV_RUN_NOWAIT);
  assert_int_equal(posted.runs, 2);
  assert_int_equal(uvow_thread_loop_post(door, run, &posted, destroy), 0);
  uvow_thread_loop_unref(door);
  loop_bed_close(&bed, "closed");
  assert_int_equal(posted.runs, 3); /* posted before the close */
  assert_int_equal(posted.destroyed, 3);
}

TEST_CASE(close_runs_what_was_posted) {
  loop_bed_t bed;
  posted_t posted = {0};
  loop_bed_open(&bed);
  uvow_thread_loop_t *door = uvow_thread_loop_new(bed.loop, NULL);
  assert_int_equal(uvow_thread_loop_post(door, run, &posted, destroy), 0);
  uvow_loop_close(bed.loop, NULL, NULL);
  assert_int_equal(posted.runs, 1);
  assert_int_equal(uvow_thread_loop_post(door, run, &posted, destroy),
                   UVOW_ECLOSED);
  assert_int_equal(posted.destroyed, 2);
  assert_null(uvow_thread_loop_new(bed.loop, NULL));
  bed.loop = NULL;
  uv_run(&bed.uv, UV_RUN_DEFAULT);
  assert_int_equal(uvow_thread_loop_post(door, run, &posted, destroy),
                   UVOW_ECLOSED);
  uvow_thread_loop_unref(door);
  loop_bed_close(&bed, "");
  assert_int_equal(posted.runs, 1);
}

typedef struct worker {
  uv_thread_t thread;
  uvow_thread_loop_t *door;
  posted_t *posted;
  int refused;
  int destroyed_here;
} worker_t;

static void destroy_here(void *data) {
  ((worker_t *)data)->destroyed_here++;
}

static void run_worker(uvow_loop_t *loop, void *data) {
  worker_t *worker = (worker_t *)data;
  (void)loop;
  worker->posted->runs++;
}

static void post_many(void *data) {
  worker_t *worker = (worker_t *)data;
  for (int i = 0; i < EACH; i++)
    worker->refused +=
        uvow_thread_loop_post(worker->door, run_worker, worker, NULL) != 0;
  uvow_thread_loop_unref(worker->door);
}

TEST_CASE(four_threads_post) {
  static worker_t workers[THREADS];
  uv_loop_t uv;
  posted_t posted = {0};
  assert_int_equal(uv_loop_init(&uv), 0);
  uvow_loop_t *loop = uvow_loop_new(&uv, NULL); /* malloc: any thread */
  assert_non_null(loop);
  uvow_thread_loop_options_t options;
  UVOW_INIT(&options);
  options.hold_loop = 1;
  uvow_thread_loop_t *door = uvow_thread_loop_new(loop, &options);
  for (int t = 0; t < THREADS; t++) {
    workers[t].door = uvow_thread_loop_ref(door);
    workers[t].posted = &posted;
    assert_int_equal(
        uv_thread_create(&workers[t].thread, post_many, &workers[t]), 0);
  }
  uvow_thread_loop_unref(door);
  uv_run(&uv, UV_RUN_DEFAULT); /* ends when the last owner has gone */
  for (int t = 0; t < THREADS; t++)
    uv_thread_join(&workers[t].thread);
  int refused = 0;
  for (int t = 0; t < THREADS; t++)
    refused += workers[t].refused;
  assert_int_equal(refused, 0);
  assert_int_equal(posted.runs, THREADS * EACH);
  uvow_loop_close(loop, NULL, NULL);
  uv_run(&uv, UV_RUN_DEFAULT);
  assert_int_equal(uv_loop_close(&uv), 0);
}

/* Threads post while the loop closes: each post runs, or is refused. */
static void post_until_closed(void *data) {
  worker_t *worker = (worker_t *)data;
  for (int i = 0; i < EACH; i++) {
    int rc = uvow_thread_loop_post(worker->door, run_worker, worker, NULL);
    worker->refused += rc != 0;
    if (rc && uvow_thread_loop_post(worker->door, run_worker, worker,
                                    destroy_here) == 0)
      worker->refused += EACH; /* it can't be: it stays closed */
  }
  uvow_thread_loop_unref(worker->door);
}

TEST_CASE(threads_post_while_it_closes) {
  static worker_t workers[THREADS];
  uv_loop_t uv;
  posted_t posted = {0};
  assert_int_equal(uv_loop_init(&uv), 0);
  uvow_loop_t *loop = uvow_loop_new(&uv, NULL); /* malloc: any thread */
  assert_non_null(loop);
  uvow_thread_loop_t *door = uvow_thread_loop_new(
      loop, UVOW_WITH(thread_loop, .max_posted = THREADS * EACH));
  for (int t = 0; t < THREADS; t++) {
    memset(&workers[t], 0, sizeof(workers[t]));
    workers[t].door = uvow_thread_loop_ref(door);
    workers[t].posted = &posted;
    assert_int_equal(
        uv_thread_create(&workers[t].thread, post_until_closed, &workers[t]),
        0);
  }
  uvow_thread_loop_unref(door);
  uv_run(&uv, UV_RUN_NOWAIT);
  uvow_loop_close(loop, NULL, NULL);
  uv_run(&uv, UV_RUN_DEFAULT);
  int refused = 0;
  for (int t = 0; t < THREADS; t++) {
    uv_thread_join(&workers[t].thread);
    refused += workers[t].refused;
    assert_int_equal(workers[t].destroyed_here, workers[t].refused);
  }
  assert_int_equal(posted.runs + refused, THREADS * EACH);
  assert_int_equal(uv_loop_close(&uv), 0);
}

static void no_memory(test_alloc_t *alloc, void *data) {
  loop_bed_t bed;
  posted_t posted = {0};
  (void)data;
  if (loop_bed_open_with(&bed, alloc) == 0) {
    uvow_thread_loop_t *door = uvow_thread_loop_new(bed.loop, NULL);
    int rc = uvow_thread_loop_post(door, run, &posted, destroy);
    uvow_thread_loop_unref(door);
    loop_bed_close(&bed, "closed");
    assert_int_equal(posted.runs, rc == 0);
    assert_int_equal(posted.destroyed, 1);
    return;
  }
  assert_int_equal(uv_loop_close(&bed.uv), 0);
}

TEST_CASE(survives_every_failed_allocation) {
  test_alloc_sweep(no_memory, NULL);
}

TEST_CASE(what_libuv_refuses_is_said) {
  static const char *const calls[] = {"uv_mutex_init", "uv_async_init"};
  for (int i = 0; i < 2; i++) {
    loop_bed_t bed;
    loop_bed_open(&bed);
    faults_begin(calls[i], UV_EMFILE, 1, 1);
    assert_null(uvow_thread_loop_new(bed.loop, NULL));
    assert_int_equal(faults_end(), 1);
    assert_int_equal(uvow_error_code(uvow_loop_error(bed.loop)), UV_EMFILE);
    loop_bed_close(&bed, "closed");
  }
}

TEST_CASE(what_is_missing_is_none) {
  assert_null(uvow_thread_loop_new(NULL, NULL));
  assert_null(uvow_thread_loop_ref(NULL));
  uvow_thread_loop_unref(NULL);
  assert_int_equal(uvow_thread_loop_post(NULL, run, NULL, NULL), UVOW_EINVAL);
}

TEST_MODULE(post) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(it_runs_then_is_destroyed),
      cmocka_unit_test(it_is_bounded),
      cmocka_unit_test(close_runs_what_was_posted),
      cmocka_unit_test(four_threads_post),
      cmocka_unit_test(threads_post_while_it_closes),
      cmocka_unit_test(survives_every_failed_allocation),
      cmocka_unit_test(what_is_missing_is_none),
      cmocka_unit_test(what_libuv_refuses_is_said),
  };
  return cmocka_run_group_tests_name("net/post", tests, NULL, NULL);
}
