/* uvow_fiber_main: a whole program. */
#include "support/faults.h"
#include "support/loop_bed.h"

static uvow_next_t succeeds(uvow_loop_t *loop, void *data) {
  *(int *)data += uvow_await_delay(loop, 1) == 0;
  return uvow_next_pass();
}

static uvow_next_t cleans_up(uvow_loop_t *loop, void *data) {
  if (uvow_await_delay(loop, 100000) == UVOW_ECANCELED)
    *(int *)data += 10;
  return uvow_next_pass();
}

static uvow_next_t leaves_one_behind(uvow_loop_t *loop, void *data) {
  uvow_future_detach(uvow_fiber_spawn(loop, cleans_up, data));
  return succeeds(loop, data);
}

static uvow_next_t is_canceled(uvow_loop_t *loop, void *data) {
  (void)loop;
  (void)data;
  return uvow_next_code(UVOW_ECANCELED, NULL); /* not reported */
}

static uvow_next_t waits_for_nothing(uvow_loop_t *loop, void *data) {
  uvow_promise_t *promise;
  int rc = uvow_await(uvow_promise_new(loop, &promise), NULL);
  uvow_promise_drop(promise);
  *(int *)data = rc;
  return uvow_next_pass();
}

TEST_CASE(a_program_is_one_call) {
  int done = 0;
  assert_int_equal(uvow_fiber_main(succeeds, &done), 0);
  assert_int_equal(done, 1);
}

TEST_CASE(what_is_left_is_canceled) {
  int done = 0;
  assert_int_equal(uvow_fiber_main(leaves_one_behind, &done), 0);
  assert_int_equal(done, 11);
}

TEST_CASE(failing_is_1) {
  int code = 0;
  assert_int_equal(uvow_fiber_main(is_canceled, NULL), 1);
  assert_int_equal(uvow_fiber_main(NULL, NULL), 1);
  /* A promise that nobody settles: it doesn't hang. */
  assert_int_equal(uvow_fiber_main(waits_for_nothing, &code), 1);
  assert_int_equal(code, UVOW_ECANCELED);
}

/* Without a loop the function isn't called. */
TEST_CASE(without_a_loop_it_is_1) {
  int done = 0;
  faults_begin("uv_loop_init", UV_EMFILE, 1, 1);
  assert_int_equal(uvow_fiber_main(succeeds, &done), 1);
  assert_int_equal(faults_end(), 1);
  assert_int_equal(done, 0);
}

TEST_MODULE(main) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_program_is_one_call),
      cmocka_unit_test(what_is_left_is_canceled),
      cmocka_unit_test(failing_is_1),
      cmocka_unit_test(without_a_loop_it_is_1),
  };
  return cmocka_run_group_tests_name("fiber/main", tests, NULL, NULL);
}
