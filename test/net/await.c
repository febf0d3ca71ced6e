/* uvow_loop_await: a future from outside of all callbacks. */
#include "support/loop_bed.h"

static const char *told(const loop_bed_t *bed) {
  return uvow_error_message(uvow_loop_error(bed->loop));
}

static uvow_next_t seven(const uvow_result_t *result, void *data) {
  (void)result;
  (void)data;
  return uvow_next_value(uvow_value_int64(7));
}

static uvow_next_t fails(const uvow_result_t *result, void *data) {
  (void)result;
  (void)data;
  return uvow_next_code(UVOW_EREMOTE, "it is so");
}

TEST_CASE(it_waits) {
  loop_bed_t bed;
  uvow_result_t result;
  int64_t number = 0;
  loop_bed_open(&bed);
  uvow_future_t *f = uvow_future_delay(bed.loop, 1);
  f = uvow_future_then(f, seven, NULL);
  assert_int_equal(uvow_loop_await(bed.loop, f, &result), 0);
  assert_int_equal(uvow_value_get_int64(&result.value, &number), 0);
  assert_int_equal(number, 7);
  f = uvow_future_then(uvow_future_delay(bed.loop, 0), fails, NULL);
  assert_int_equal(uvow_loop_await(bed.loop, f, &result), UVOW_EREMOTE);
  assert_string_equal(uvow_error_message(result.error), "it is so");
  assert_string_equal(told(&bed), "it is so");
  f = uvow_future_fulfilled(bed.loop, uvow_value_none());
  assert_int_equal(uvow_loop_await(bed.loop, f, NULL), 0);
  loop_bed_close(&bed, "closed");
  assert_string_equal(bed.unhandled, "");
}

TEST_CASE(what_can_never_be_is_broken) {
  loop_bed_t bed;
  uvow_promise_t *p;
  loop_bed_open(&bed);
  uvow_future_t *f = uvow_promise_new(bed.loop, &p);
  f = uvow_future_then(f, seven, NULL);
  assert_int_equal(uvow_loop_await(bed.loop, f, NULL), UVOW_EBROKEN);
  assert_non_null(strstr(told(&bed), "it waits for a promise"));
  uvow_promise_drop(p);
  loop_bed_close(&bed, "closed");
}

static uvow_next_t nested(const uvow_result_t *result, void *data) {
  loop_bed_t *bed = (loop_bed_t *)data;
  int rc = uvow_loop_await(bed->loop, uvow_future_delay(bed->loop, 0), NULL);
  assert_int_equal(rc, UVOW_EINVAL);
  assert_non_null(strstr(told(bed), "callback or fiber"));
  (void)result;
  loop_bed_log(bed, "nested");
  return uvow_next_none();
}

static uvow_next_t in_fiber(uvow_loop_t *loop, void *data) {
  int rc = uvow_loop_await(loop, uvow_future_delay(loop, 0), NULL);
  assert_int_equal(rc, UVOW_EINVAL);
  loop_bed_log((loop_bed_t *)data, "fiber");
  return uvow_next_none();
}

TEST_CASE(its_errors) {
  loop_bed_t bed, other;
  loop_bed_open(&bed);
  loop_bed_open(&other);
  assert_int_equal(uvow_loop_await(NULL, NULL, NULL), UVOW_EINVAL);
  assert_int_equal(uvow_loop_await(bed.loop, NULL, NULL), UVOW_EINVAL);
  assert_null(uvow_limit_new(bed.loop, 0));
  bed.alloc->fail_at = bed.alloc->calls + 1;
  assert_null(uvow_scope_new(bed.loop));
  assert_int_equal(uvow_loop_await(bed.loop, NULL, NULL), UVOW_ENOMEM);
  uvow_future_t *f = uvow_future_delay(other.loop, 0);
  assert_int_equal(uvow_loop_await(bed.loop, f, NULL), UVOW_EINVAL);
  assert_string_equal(told(&bed), "f must be of this loop");
  f = uvow_future_fulfilled(bed.loop, uvow_value_none());
  f = uvow_future_then(f, nested, &bed);
  assert_int_equal(uvow_loop_await(bed.loop, f, NULL), 0);
  f = uvow_fiber_spawn(bed.loop, in_fiber, &bed);
  assert_int_equal(uvow_loop_await(bed.loop, f, NULL), 0);
  loop_bed_close(&bed, "nested fiber closed");
  loop_bed_close(&other, "closed");
}

static uvow_next_t closes(const uvow_result_t *result, void *data) {
  (void)data;
  uvow_loop_close(result->loop, NULL, NULL);
  return uvow_next_none();
}

TEST_CASE(the_loop_is_closed_meanwhile) {
  loop_bed_t bed;
  loop_bed_open(&bed);
  uvow_future_t *f =
      uvow_future_then(uvow_future_delay(bed.loop, 0), closes, NULL);
  assert_int_equal(uvow_loop_await(bed.loop, f, NULL), UVOW_ECLOSED);
  bed.loop = NULL;
  loop_bed_close(&bed, "");
}

TEST_MODULE(await) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(it_waits),
      cmocka_unit_test(what_can_never_be_is_broken),
      cmocka_unit_test(its_errors),
      cmocka_unit_test(the_loop_is_closed_meanwhile),
  };
  return cmocka_run_group_tests_name("net/await", tests, NULL, NULL);
}
