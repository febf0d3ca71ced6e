/* Many fibers that wait at once: with guards, and without. */
#include "support/loop_bed.h"

typedef struct crowd {
  loop_bed_t bed;
  uvow_future_t *gate;
  int waiting;
  int through;
  int canceled;
} crowd_t;

static uvow_next_t waits(uvow_loop_t *loop, void *data) {
  crowd_t *c = data;
  c->waiting++;
  int rc = uvow_await(c->gate ? uvow_future_ref(c->gate)
                              : uvow_future_delay(loop, 1000000),
                      NULL);
  assert_true(rc == 0 || rc == UVOW_ECANCELED);
  c->through += rc == 0;
  c->canceled += rc != 0;
  return uvow_next_pass();
}

/* Until all of them wait. */
static void spawn_crowd(crowd_t *c, int count,
                        const uvow_fiber_options_t *options) {
  c->waiting = 0;
  for (int i = 0; i < count; i++) {
    uvow_future_t *f = uvow_fiber_spawn_with(c->bed.loop, waits, c, options);
    assert_non_null(f);
    uvow_future_detach(f);
  }
  while (c->waiting < count)
    uv_run(&c->bed.uv, UV_RUN_NOWAIT);
}

static void run_crowd(int count, int no_guard) {
  uvow_fiber_options_t options = {.size = sizeof(options),
                                  .no_guard = no_guard};
  uvow_promise_t *promise;
  crowd_t c;
  memset(&c, 0, sizeof(c));
  loop_bed_open(&c.bed);
  c.gate = uvow_promise_new(c.bed.loop, &promise);
  spawn_crowd(&c, count, &options);
  uvow_promise_fulfill(promise, uvow_value_none());
  uvow_future_unref(c.gate);
  c.gate = NULL;
  loop_bed_run(&c.bed);
  assert_int_equal(c.through, count);
  spawn_crowd(&c, count, &options); /* on stacks that were used */
  assert_int_equal(c.through, count);
  loop_bed_close(&c.bed, "closed");
  assert_int_equal(c.canceled, count);
}

TEST_CASE(thirty_thousand_with_guards) {
  run_crowd(loop_bed_many(30000), 0);
}

TEST_CASE(a_hundred_thousand_without) {
  run_crowd(loop_bed_many(100000), 1);
}

TEST_MODULE(many) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(thirty_thousand_with_guards),
      cmocka_unit_test(a_hundred_thousand_without),
  };
  return cmocka_run_group_tests_name("fiber/many", tests, NULL, NULL);
}
