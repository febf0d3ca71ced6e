/* Those who wait for a count. */
#include "websocket/marks.h"

#include "support/turn.h"

static void watch(uvow_future_t *f, turn_mark_t *mark) {
  assert_int_equal(uvow_future_done(f, turn_done, mark), 0);
}

TEST_CASE(test_in_order) {
  turn_t turn;
  uvow__marks_t marks;
  turn_init(&turn);
  uvow__marks_init(&marks, &turn.rt);
  turn_mark_t a = turn_mark(&turn, "a");
  turn_mark_t b = turn_mark(&turn, "b");
  turn_mark_t c = turn_mark(&turn, "c");
  turn_mark_t d = turn_mark(&turn, "d");
  watch(uvow__marks_wait(&marks, 5), &a);
  watch(uvow__marks_wait(&marks, 9), &b);
  watch(uvow__marks_wait(&marks, UVOW__MARK_LATER), &c);
  uvow_future_drop(uvow__marks_wait(&marks, UVOW__MARK_LATER));
  watch(uvow__marks_wait(&marks, UVOW__MARK_LATER), &d);
  uvow__marks_pass(&marks, 4);
  turn_run(&turn);
  turn_expect(&turn, "");
  uvow__marks_pass(&marks, 5);
  turn_run(&turn);
  turn_expect(&turn, "a+");
  uvow__marks_fix(&marks, 20);
  uvow__marks_fix(&marks, 30); /* nobody waits for that any more */
  uvow__marks_pass(&marks, 20);
  turn_run(&turn);
  turn_expect(&turn, "b+ c+ d+");
  assert_false(uvow__marks_awaited(&marks));
  turn_end(&turn);
}

TEST_CASE(test_fails) {
  turn_t turn;
  uvow__marks_t marks;
  turn_init(&turn);
  uvow__marks_init(&marks, &turn.rt);
  turn_mark_t a = turn_mark(&turn, "a");
  turn_mark_t b = turn_mark(&turn, "b");
  watch(uvow__marks_wait(&marks, 1), &a);
  watch(uvow__marks_wait(&marks, 2), &b);
  uvow_future_unref(uvow__marks_wait(&marks, 3)); /* isn't reported */
  uvow_error_t *error = uvow_error_new(turn.loop, UVOW_ELOST, NULL);
  uvow__marks_fail(&marks, error);
  uvow_error_unref(error);
  turn_run(&turn);
  turn_expect(&turn, "a!ELOST b!ELOST");
  turn_end(&turn);
}

TEST_MODULE(marks) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_in_order),
      cmocka_unit_test(test_fails),
  };
  return cmocka_run_group_tests_name("websocket/marks", tests, NULL, NULL);
}
