/* What futures are, for a walk; what callbacks answer, where nobody takes it. */
#include "support/turn.h"

#include <uvow/combine.h>

/* What a link is, for who asks what a future waits for. */
TEST_CASE(kinds_are_named) {
  turn_t turn;
  turn_init(&turn);
  turn_mark_t a = turn_mark(&turn, "a");
  uvow_promise_t *p, *q;
  uvow_future_t *root = uvow_promise_new(turn.loop, &p);
  uvow_future_t *followed = uvow_promise_new(turn.loop, &q);
  uvow_future_t *then = uvow_future_then(uvow_future_ref(root), turn_then, &a);
  uvow_future_t *last =
      uvow_future_finally(uvow_future_ref(then), turn_finally, &a);
  uvow_promise_follow(q, uvow_future_ref(root));
  assert_string_equal(uvow__future_kind(root), "promise");
  assert_string_equal(uvow__future_kind(then), "then");
  assert_string_equal(uvow__future_kind(last), "finally");
  assert_string_equal(uvow__future_kind(followed), "adopted");
  uvow_promise_fulfill(p, uvow_value_int64(1));
  turn_run(&turn);
  turn_expect(&turn, "a+1 a~");
  assert_string_equal(uvow__future_kind(last), "settled");
  uvow_future_unref(root);
  uvow_future_unref(then);
  uvow_future_unref(last);
  uvow_future_unref(followed);
  turn_end(&turn);
}

static void name_kind(uvow_future_t *f, void *data) {
  char *text = (char *)data;
  strcat(strcat(text, uvow__future_kind(f)), " ");
}

/* What the walk names: not what is gone, though its destructor is still to run.
 */
TEST_CASE(what_is_there_is_walked) {
  turn_t turn;
  uvow_promise_t *p, *q;
  char text[200] = "";
  turn_init(&turn);
  turn_mark_t a = turn_mark(&turn, "a"), b = turn_mark(&turn, "b");
  uvow_future_t *f = uvow_promise_new(turn.loop, &p);
  a.next = uvow_next_future(uvow_promise_new(turn.loop, &q));
  f = uvow_future_finally(f, turn_finally, &a);
  uvow_future_done(uvow_future_ref(f), turn_done, &b);
  uvow__future_walk(&turn.rt, name_kind, text);
  assert_string_equal(text, "promise promise finally done ");
  uvow_promise_fulfill(p, uvow_value_none());
  turn_run(&turn);
  text[0] = '\0';
  uvow__future_walk(&turn.rt, name_kind, text);
  assert_non_null(strstr(text, "finally "));
  assert_non_null(strstr(text, "done "));
  uvow_promise_free(q);
  text[0] = '\0';
  uvow__future_walk(&turn.rt, name_kind, text);
  assert_non_null(strstr(text, "freed promise "));
  turn_expect(&turn, "a~");
  uvow_future_unref(f); /* and with it all that hangs on it */
  turn_end(&turn);
}

TEST_CASE(what_is_gone_is_not_walked) {
  turn_t turn;
  char text[200] = "";
  turn_init(&turn);
  turn_mark_t a = turn_mark(&turn, "a");
  uvow_future_t *f = uvow_future_own(
      uvow_future_fulfilled(turn.loop, uvow_value_int64(1)), &a, turn_destroy);
  turn_run(&turn);
  turn_expect(&turn, "");
  uvow_future_unref(f);
  uvow__future_walk(&turn.rt, name_kind, text);
  assert_string_equal(text, "");
  turn_run(&turn);
  turn_expect(&turn, "a.");
  turn_end(&turn);
}

static void cancel_own(turn_mark_t *mark) {
  (void)uvow_future_cancel(mark->future);
}

/* What a callback answers that canceled its own future is nobody's: an end too.
 * Nor is what an event lends. */
TEST_CASE(what_nobody_takes_is_destroyed) {
  turn_t turn;
  turn_item_t item, lent;
  turn_init(&turn);
  turn_mark_t a = turn_mark(&turn, "a");
  a.next = uvow_next_end(turn_item(&turn_type_unique, &item));
  a.act = cancel_own;
  a.future = uvow_future_then(
      uvow_future_fulfilled(turn.loop, uvow_value_none()), turn_then, &a);
  turn_run(&turn);
  turn_expect(&turn, "a+");
  assert_int_equal(item.destroyed, 1);
  uvow_future_unref(a.future);
  uvow_result_t event = {.value = turn_item(&turn_type_unique, &lent)};
  uvow_value_t kept = uvow_result_keep(&event);
  assert_null(kept.type);
  uvow_value_clear(&event.value);
  assert_int_equal(lent.destroyed, 1);
  turn_end(&turn);
}

/* Without a destructor, or a loop, there's nothing to do but to say no. */
TEST_CASE(of_nothing_comes_nothing) {
  assert_null(uvow_future_own(NULL, NULL, NULL));
  assert_null(uvow_future_chain(NULL, UVOW_WITH(chain, .data = NULL)));
}

/* Outside of a stream, the end of one is a value; a cleanup's is nobody's. */
TEST_CASE(an_end_is_a_value) {
  turn_t turn;
  turn_item_t item;
  turn_init(&turn);
  turn_mark_t a = turn_mark(&turn, "a"), b = turn_mark(&turn, "b");
  turn_mark_t c = turn_mark(&turn, "c");
  a.next = uvow_next_end(uvow_value_int64(5));
  b.next = uvow_next_end(turn_item(&turn_type_unique, &item));
  uvow_future_t *f = uvow_future_fulfilled(turn.loop, uvow_value_none());
  f = uvow_future_finally(uvow_future_then(f, turn_then, &a), turn_finally, &b);
  uvow_future_done(f, turn_done, &c);
  turn_run(&turn);
  turn_expect(&turn, "a+ b~ c+5");
  assert_int_equal(item.destroyed, 1);
  turn_end(&turn);
}

TEST_MODULE(kinds) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(kinds_are_named),
      cmocka_unit_test(what_is_there_is_walked),
      cmocka_unit_test(what_is_gone_is_not_walked),
      cmocka_unit_test(what_nobody_takes_is_destroyed),
      cmocka_unit_test(of_nothing_comes_nothing),
      cmocka_unit_test(an_end_is_a_value),
  };
  return cmocka_run_group_tests_name("future/kinds", tests, NULL, NULL);
}
