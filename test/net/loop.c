#include "net/loop.h"

#include "support/loop_bed.h"
#include "support/script.h"

#include <stdio.h>
#include <unistd.h>

#include <uvow/combine.h>

static void on_done_count(const uvow_result_t *result, void *data) {
  (void)result;
  ++*(int *)data;
}

/* E1: loops of their own, each on its uv loop; neither sees the other. */
TEST_CASE(test_two_loops) {
  script_t a;
  script_t b;
  uvow_promise_t *promise;
  uvow_promise_t *of_b;
  int done = 0;
  script_init(&a);
  script_init(&b);
  assert_ptr_equal(uvow_loop_uv(a.loop), &a.uv);
  uvow_future_t *f = uvow_promise_new(a.loop, &promise);
  uvow_future_t *g = uvow_promise_new(b.loop, &of_b);

  assert_int_equal(uvow_future_done(f, on_done_count, &done), 0);
  uvow_promise_fulfill(of_b, uvow_value_none());
  script_turns(&a);
  script_turns(&b);
  assert_int_equal(done, 0);
  uvow_future_unref(g);
  script_end(&b);
  script_quit(&a); /* settles what nobody did */
  assert_int_equal(done, 1);
  uvow_promise_drop(promise);
  assert_int_equal(a.alloc->live, 0);
  free(a.own_alloc.allocator.data);
}

TEST_CASE(test_new_errors) {
  uv_loop_t uv;
  uvow_loop_options_t options;
  test_alloc_t alloc;
  memset(&options, 0, sizeof(options));
  test_alloc_init(&alloc);
  assert_int_equal(uv_loop_init(&uv), 0);
  assert_null(uvow_loop_new(NULL, NULL));
  assert_null(uvow_loop_new(&uv, &options));
  UVOW_INIT(&options);
  options.allocator = &alloc.allocator;
  alloc.fail_at = 1;
  assert_null(uvow_loop_new(&uv, &options));
  alloc.fail_at = alloc.calls + 1;
  assert_null(
      uvow_loop_new(&uv, UVOW_WITH(loop, .allocator = &alloc.allocator)));
  assert_int_equal(UVOW_DEFAULTS(loop)->size, sizeof(options));
  assert_null(UVOW_DEFAULTS(loop)->allocator);
  for (int missing = 0; missing < 3; missing++) {
    uvow_allocator_t part = alloc.allocator;
    if (missing == 0)
      part.malloc_cb = NULL;
    else if (missing == 1)
      part.realloc_cb = NULL;
    else
      part.free_cb = NULL;
    options.allocator = &part;
    assert_null(uvow_loop_new(&uv, &options));
  }
  assert_int_equal(uv_loop_close(&uv), 0);
}

TEST_CASE(test_no_loop) {
  uvow_result_t result;
  uvow_loop_close(NULL, NULL, NULL);
  assert_int_equal(uvow_loop_walk(NULL, NULL, NULL), 0);
  assert_int_equal(uvow_loop_now(NULL), 0);
  assert_null(uvow_loop_uv(NULL));
  assert_int_equal(uvow_error_code(uvow_loop_error(NULL)), UVOW_EINVAL);
  uvow_error_unref(uvow_next_failed(NULL).u.error);
  assert_int_equal(uvow_loop_await(NULL, NULL, &result), UVOW_EINVAL);
}

/* Whatever runs out of memory, the loop knows it. */
TEST_CASE(test_no_memory_is_told) {
  loop_bed_t bed;
  loop_bed_open(&bed);
  bed.alloc->fail_at = bed.alloc->calls + 1;
  assert_null(uvow_scope_new(bed.loop));
  assert_int_equal(uvow_error_code(uvow_loop_error(bed.loop)), UVOW_ENOMEM);
  loop_bed_close(&bed, "closed");
}

/* The clock only goes forward. */
TEST_CASE(test_now) {
  script_t s;
  script_init(&s);
  uint64_t before = uvow_loop_now(s.loop);
  assert_true(uvow_loop_now(s.loop) >= before);
  script_drive_clock(&s);
  before = uvow_loop_now(s.loop);
  script_advance(&s, 5);
  assert_int_equal(uvow_loop_now(s.loop) - before, 5);
  script_end(&s);
}

/* A clock that the application drives: nothing waits for time. */
typedef struct driven {
  loop_bed_t bed;
  int done;
} driven_t;

static void driven_after(driven_t *x, uint64_t ms) {
  assert_int_equal(uvow_future_done(uvow_future_delay(x->bed.loop, ms),
                                    on_done_count, &x->done),
                   0);
}

static void driven_go(driven_t *x, uint64_t ms, int done) {
  assert_int_equal(uvow_loop_advance(x->bed.loop, ms), 0);
  assert_true(x->done <= done); /* never within the call (F2) */
  uv_run(&x->bed.uv, UV_RUN_DEFAULT);
  assert_int_equal(x->done, done);
}

TEST_CASE(test_advance) {
  driven_t x = {.done = 0};
  loop_bed_open(&x.bed);
  driven_after(&x, 60000); /* its timer was to be libuv's */
  uv_run(&x.bed.uv, UV_RUN_NOWAIT);
  driven_go(&x, 0, 0);
  uint64_t before = uvow_loop_now(x.bed.loop);
  driven_after(&x, 1000); /* counts from before the clock is moved */
  driven_go(&x, 999, 0);
  driven_go(&x, 1, 1);
  assert_int_equal(uvow_loop_now(x.bed.loop) - before, 1000);
  driven_go(&x, 70000, 2); /* later than due by more than a look at sockets */
  driven_after(&x, 0);
  driven_go(&x, 0, 3);
  assert_int_equal(
      uvow_loop_await(x.bed.loop, uvow_future_delay(x.bed.loop, 1), NULL),
      UVOW_EBROKEN);
  driven_after(&x, 5); /* never comes: the close gives it up */
  loop_bed_close(&x.bed, "closed");
  assert_int_equal(x.done, 4);
}

static uvow_next_t advance_more(const uvow_result_t *result, void *data) {
  driven_t *x = data;
  (void)result;
  driven_after(x, 10);
  assert_int_equal(uvow_loop_advance(x->bed.loop, 10), 0);
  return uvow_next_none();
}

/* From a callback, too, whose turn has read the clock already. */
TEST_CASE(test_advance_in_a_callback) {
  driven_t x = {.done = 0};
  loop_bed_open(&x.bed);
  uvow_future_t *f = uvow_future_delay(x.bed.loop, 10);
  f = uvow_future_then(f, advance_more, &x);
  assert_int_equal(uvow_future_done(f, on_done_count, &x.done), 0);
  driven_go(&x, 10, 2);
  loop_bed_close(&x.bed, "closed");
}

TEST_CASE(test_advance_errors) {
  loop_bed_t bed;
  loop_bed_open(&bed);
  assert_int_equal(uvow_loop_advance(NULL, 1), UVOW_EINVAL);
  assert_int_equal(uvow_loop_advance(bed.loop, INT64_MAX), UVOW_EINVAL);
  assert_string_equal(uvow_error_message(uvow_loop_error(bed.loop)),
                      "ms is more than the clock holds");
  uint64_t now = uvow_loop_now(bed.loop); /* it's the system's still */
  assert_int_equal(uvow_loop_advance(bed.loop, INT64_MAX / 1000000 / 2), 0);
  assert_int_equal(uvow_loop_advance(bed.loop, INT64_MAX / 1000000 / 2),
                   UVOW_EINVAL);
  assert_true(uvow_loop_now(bed.loop) - now >= INT64_MAX / 1000000 / 2);
  loop_bed_close(&bed, "closed");
}

/* F5: what user code settles outside of uvow runs in the next turn, without
 * waiting for I/O. */
typedef struct outside {
  script_t s;
  uvow_promise_t *promise;
  int done;
} outside_t;

static void on_user_timer(uv_timer_t *timer) {
  outside_t *x = (outside_t *)timer->data;
  uvow_promise_fulfill(x->promise, uvow_value_none());
  assert_int_equal(x->done, 0); /* never within the call (F2) */
}

TEST_CASE(test_settled_outside) {
  outside_t x;
  uv_timer_t soon;
  uv_timer_t never;
  memset(&x, 0, sizeof(x));
  script_init(&x.s);
  uv_timer_init(&x.s.uv, &soon);
  uv_timer_init(&x.s.uv, &never);
  soon.data = &x;
  uv_timer_start(&soon, on_user_timer, 0, 0);
  uv_timer_start(&never, on_user_timer, 3600 * 1000, 0);
  assert_int_equal(uvow_future_done(uvow_promise_new(x.s.loop, &x.promise),
                                    on_done_count, &x.done),
                   0);
  for (int turns = 0; !x.done && turns < 3; turns++)
    uv_run(&x.s.uv, UV_RUN_ONCE); /* would wait an hour */
  assert_int_equal(x.done, 1);
  uv_run(&x.s.uv, UV_RUN_NOWAIT);
  assert_false(uv_is_active((uv_handle_t *)&x.s.loop->idle));
  uv_close((uv_handle_t *)&soon, NULL);
  uv_close((uv_handle_t *)&never, NULL);
  script_end(&x.s);
}

/* F5: a chain without end doesn't keep the loop from its I/O. */
typedef struct endless {
  script_t s;
  long rounds;
  int checks;
  int stop;
} endless_t;

static void on_round(const uvow_result_t *result, void *data) {
  endless_t *x = (endless_t *)data;
  (void)result;
  assert_true(++x->rounds < 1000000);
  if (!x->stop)
    assert_int_equal(
        uvow_future_done(uvow_future_fulfilled(x->s.loop, uvow_value_none()),
                         on_round, x),
        0);
}

static void on_check(uv_check_t *check) {
  endless_t *x = (endless_t *)check->data;
  x->stop = ++x->checks >= 3;
}

TEST_CASE(test_budget) {
  endless_t x;
  uv_check_t check;
  memset(&x, 0, sizeof(x));
  script_init(&x.s);
  uv_check_init(&x.s.uv, &check);
  check.data = &x;
  uv_check_start(&check, on_check);
  uv_unref((uv_handle_t *)&check);
  assert_int_equal(
      uvow_future_done(uvow_future_fulfilled(x.s.loop, uvow_value_none()),
                       on_round, &x),
      0);
  uv_run(&x.s.uv, UV_RUN_DEFAULT);
  assert_int_equal(x.stop, 1);
  assert_true(x.rounds > 1000);
  uv_close((uv_handle_t *)&check, NULL);
  script_end(&x.s);
}

/* E2: a deadline doesn't hold the uv loop, a delay does, and no longer than it
 * lasts. */
static void on_expire(uvow__deadline_t *deadline) {
  (void)deadline;
}

TEST_CASE(test_holds) {
  script_t s;
  uvow__deadline_t deadline;
  int done = 0;
  script_init(&s);
  assert_int_equal(uv_run(&s.uv, UV_RUN_DEFAULT), 0); /* holds nothing */
  uvow__deadline_init(&deadline, on_expire);
  uvow__runtime_arm(&s.loop->rt, &deadline, 3600 * 1000);
  assert_int_equal(uv_run(&s.uv, UV_RUN_DEFAULT), 0);
  assert_true(uvow__deadline_armed(&deadline));
  /* An earlier one moves the timer. */
  assert_int_equal(
      uvow_future_done(uvow_future_delay(s.loop, 2), on_done_count, &done), 0);
  assert_int_equal(uv_run(&s.uv, UV_RUN_DEFAULT), 0);
  assert_int_equal(done, 1);
  uvow_future_t *f = uvow_future_delay(s.loop, 3600 * 1000);
  script_turns(&s);
  assert_int_equal(uv_loop_alive(&s.uv), 1);
  assert_int_equal(uvow_future_cancel(f), 0);
  uvow_future_unref(f);
  assert_int_equal(uv_run(&s.uv, UV_RUN_DEFAULT), 0);
  uvow__wheel_disarm(&deadline);
  script_end(&s);
}

/* E4: closed with everything pending, from outside and from a continuation;
 * what the user still owns stays readable. */
typedef struct closing {
  script_t s;
  uvow_promise_t *kept;
  int closed;
  int within; /* done within uvow_loop_close */
} closing_t;

static void on_closed(void *data) {
  ((closing_t *)data)->closed++;
}

static void close_loop(const uvow_result_t *result, void *data) {
  closing_t *x = (closing_t *)data;
  uvow_loop_t *loop = x->s.loop;
  (void)result;
  x->s.loop = NULL;
  uvow_loop_close(loop, on_closed, x);
}

static void on_end_of(const uvow_result_t *result, void *data) {
  closing_t *x = (closing_t *)data;
  assert_int_equal(uvow_error_code(result->error), UVOW_ECLOSED);
  x->within++;
  /* Nothing can begin any more. */
  assert_null(uvow_future_fulfilled(result->loop, uvow_value_none()));
  assert_null(uvow_future_delay(result->loop, 1));
}

TEST_CASE(test_close) {
  for (int inside = 0; inside < 2; inside++) {
    closing_t x;
    memset(&x, 0, sizeof(x));
    script_init(&x.s);
    uvow_loop_t *loop = x.s.loop;
    uvow_future_t *mine = uvow_promise_new(loop, &x.kept);
    uvow_future_t *delay = uvow_future_delay(loop, 1000000);
    uvow_future_t *chain = uvow_future_timeout(
        uvow_future_then(uvow_future_ref(mine), NULL, NULL), 1000000);
    assert_int_equal(uvow_future_done(uvow_future_ref(mine), on_end_of, &x), 0);
    assert_int_equal(uvow_future_done(uvow_future_ref(delay), on_end_of, &x),
                     0);
    assert_int_equal(uvow_future_done(chain, on_end_of, &x), 0);
    if (inside) {
      assert_int_equal(
          uvow_future_done(uvow_future_fulfilled(loop, uvow_value_none()),
                           close_loop, &x),
          0);
      script_turns(&x.s);
    } else {
      x.s.loop = NULL;
      uvow_loop_close(loop, on_closed, &x);
      assert_int_equal(x.closed, 0); /* that comes from uv_run */
    }
    assert_int_equal(x.within, 3);
    assert_int_equal(uv_run(&x.s.uv, UV_RUN_DEFAULT), 0);
    assert_int_equal(x.closed, 1);
    assert_int_equal(uvow_future_state(mine), UVOW_REJECTED);
    uvow_promise_fulfill(x.kept, uvow_value_none());
    uvow_future_unref(mine);
    assert_true(x.s.alloc->live > 0);
    uvow_future_unref(delay); /* the last: the memory goes */
    script_end(&x.s);
  }
}

/* F8: the default prints one line, once. */
TEST_CASE(test_default_unhandled) {
  uv_loop_t uv;
  uvow_loop_t *loop;
  char text[512];
  FILE *file = tmpfile();
  assert_non_null(file);
  assert_int_equal(uv_loop_init(&uv), 0);
  loop = uvow_loop_new(&uv, NULL);
  assert_non_null(loop);
  fflush(stderr);
  int kept = dup(2);
  assert_true(kept >= 0);
  assert_true(dup2(fileno(file), 2) >= 0);
  uvow_future_unref(
      uvow_future_rejected(loop, uvow_error_new(loop, UVOW_EBROKEN, "why")));
  uvow_future_unref(
      uvow_future_rejected(loop, uvow_error_new(loop, UVOW_ECANCELED, NULL)));
  for (int i = 0; i < 5; i++)
    uv_run(&uv, UV_RUN_NOWAIT);
  uvow_loop_close(loop, NULL, NULL);
  uv_run(&uv, UV_RUN_DEFAULT);
  fflush(stderr);
  assert_true(dup2(kept, 2) >= 0);
  close(kept);
  rewind(file);
  size_t len = fread(text, 1, sizeof(text) - 1, file);
  text[len] = '\0';
  fclose(file);
  assert_string_equal(text, "uvow: unhandled rejection: UVOW_EBROKEN: why\n");
  assert_int_equal(uv_loop_close(&uv), 0);
}

/* Buffers go round; what is too large isn't kept. */
TEST_CASE(test_buffers) {
  script_t s;
  uvow__buf_t buf;
  script_init(&s);
  char *first = uvow__loop_take_read(s.loop);
  char *second = uvow__loop_take_read(s.loop);
  assert_non_null(first);
  assert_non_null(second);
  assert_ptr_not_equal(first, second);
  uvow__loop_give_read(s.loop, first);
  uvow__loop_give_read(s.loop, second);
  assert_ptr_equal(uvow__loop_take_read(s.loop), first);
  uvow__loop_give_read(s.loop, first);
  uvow__buf_init(&buf, uvow__loop_mem(s.loop), SIZE_MAX);
  assert_int_equal(uvow__buf_append(&buf, "abc", 3), 0);
  uint8_t *data = buf.data;
  uvow__loop_return_write(s.loop, &buf);
  assert_int_equal(uvow__buf_size(&buf), 0);
  assert_null(buf.data);
  uvow__loop_lend_write(s.loop, &buf);
  assert_ptr_equal(buf.data, data);
  assert_int_equal(uvow__buf_reserve(&buf, 4 * 1024 * 1024), 0);
  uvow__loop_return_write(s.loop, &buf);
  assert_null(buf.data);
  assert_int_equal(s.loop->spare_write.cap, 0);
  script_end(&s);
}

/* The timer waits for the first deadline, also where that was set last, and
 * where another one has gone. With the system's clock: else this hangs. */
TEST_CASE(test_the_first_deadline) {
  loop_bed_t bed;
  uvow_result_t result;
  loop_bed_open(&bed);
  uvow_future_t *late = uvow_future_delay(bed.loop, 3600 * 1000);
  (void)uv_run(&bed.uv, UV_RUN_NOWAIT); /* the timer waits for that */
  for (int i = 0; i < 3; i++)
    assert_int_equal(
        loop_bed_wait(&bed, uvow_future_delay(bed.loop, 1), &result), 0);
  uvow_future_unref(late);
  assert_int_equal(loop_bed_wait(&bed, uvow_future_delay(bed.loop, 1), &result),
                   0);
  loop_bed_close(&bed, "closed");
}

TEST_MODULE(loop) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_two_loops),
      cmocka_unit_test(test_new_errors),
      cmocka_unit_test(test_no_loop),
      cmocka_unit_test(test_no_memory_is_told),
      cmocka_unit_test(test_now),
      cmocka_unit_test(test_advance),
      cmocka_unit_test(test_advance_in_a_callback),
      cmocka_unit_test(test_advance_errors),
      cmocka_unit_test(test_settled_outside),
      cmocka_unit_test(test_budget),
      cmocka_unit_test(test_holds),
      cmocka_unit_test(test_close),
      cmocka_unit_test(test_default_unhandled),
      cmocka_unit_test(test_buffers),
      cmocka_unit_test(test_the_first_deadline),
  };
  return cmocka_run_group_tests_name("net/loop", tests, NULL, NULL);
}
