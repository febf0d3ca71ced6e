/* F4: values are read by type, have as many owners as needed, and are destroyed
 * once. */
#include "support/turn.h"

#include "future/bytes.h"

TEST_CASE(f4_a_value_is_read_as_what_it_is) {
  int64_t i = 7;
  double d = 7;
  const char *s = "seven";
  void *ptr = &i;
  turn_item_t item;
  uvow_value_t values[5] = {uvow_value_none(), uvow_value_int64(1),
                            uvow_value_double(2.5), uvow_value_text("x"),
                            turn_item(&turn_type_unique, &item)};
  const char *names[5] = {"none", "int64", "double", "text", "unique"};
  for (int v = 0; v < 5; v++) {
    assert_string_equal(uvow_value_type_name(&values[v]), names[v]);
    assert_int_equal(uvow_value_get_int64(&values[v], &i),
                     v == 1 ? 0 : UVOW_ETYPE);
    assert_int_equal(i, v < 1 ? 7 : 1); /* a wrong type leaves it alone */
    assert_int_equal(uvow_value_get_double(&values[v], &d),
                     v == 2 ? 0 : UVOW_ETYPE);
    assert_true(v < 2 ? d > 6 : d < 3);
    assert_int_equal(uvow_value_get_text(&values[v], &s),
                     v == 3 ? 0 : UVOW_ETYPE);
    assert_string_equal(s, v < 3 ? "seven" : "x");
    assert_int_equal(uvow_value_get_ptr(&values[v], &turn_type_unique, &ptr),
                     v == 4 ? 0 : UVOW_ETYPE);
    assert_ptr_equal(ptr, v < 4 ? (void *)&i : (void *)&item);
    assert_int_equal(uvow_value_get_ptr(&values[v], &turn_type_counted, &ptr),
                     UVOW_ETYPE);
    assert_int_equal(uvow_value_get_ptr(&values[v], NULL, &ptr), UVOW_ETYPE);
  }
  assert_int_equal(uvow_value_get_int64(NULL, &i), UVOW_ETYPE);
  assert_int_equal(uvow_value_get_double(NULL, &d), UVOW_ETYPE);
  assert_int_equal(uvow_value_get_text(NULL, &s), UVOW_ETYPE);
  assert_int_equal(uvow_value_get_ptr(NULL, &turn_type_unique, &ptr),
                   UVOW_ETYPE);
  assert_string_equal(uvow_value_type_name(NULL), "none");
  uvow_value_clear(&values[4]);
  assert_int_equal(item.destroyed, 1);
  uvow_value_clear(&values[4]); /* no value any more */
  uvow_value_clear(&values[1]);
  uvow_value_clear(NULL);
  assert_int_equal(item.destroyed, 1);
}

/* Bytes of results, of values, and of none. */
TEST_CASE(bytes_are_those_of_bytes) {
  turn_t turn;
  turn_init(&turn);
  uvow_result_t result = {.value = uvow_value_text("x")};
  assert_null(uvow_result_bytes(&result).bytes);
  result.value = uvow_value_int64(1);
  assert_null(uvow_result_bytes(&result).bytes);
  assert_null(uvow_result_bytes(NULL).bytes);
  result.value = uvow_value_binary(turn.loop, "abcdef", 6);
  uvow_slice_t bytes = uvow_result_bytes(&result);
  assert_int_equal(bytes.len, 6);
  /* A part of a part is one of the whole. */
  uvow__bytes_t *whole = uvow__value_bytes(&result.value);
  uvow__bytes_t *part = uvow__bytes_slice(whole, bytes.bytes + 1, 4);
  uvow__bytes_t *inner = uvow__bytes_slice(part, bytes.bytes + 2, 2);
  assert_ptr_equal(inner->whole, whole);
  uvow__bytes_unref(part);
  uvow_value_clear(&result.value);
  assert_memory_equal(inner->ptr, "cd", 2);
  uvow__bytes_unref(inner);
  result.value = uvow_value_binary(turn.loop, NULL, 0);
  assert_int_equal(uvow_result_bytes(&result).len, 0);
  uvow_value_clear(&result.value);
  uvow_value_t bad[] = {uvow_value_binary(turn.loop, NULL, 3),
                        uvow_value_binary(NULL, "a", 1)};
  for (int i = 0; i < 2; i++) {
    uvow_error_t *error = uvow_error_new_value(turn.loop, -5, "x", bad[i]);
    assert_int_equal(uvow_error_code(error), -5);
    uvow_error_unref(error);
  }
  uvow_error_t *error =
      uvow_error_new_value(turn.loop, -5, "x", uvow_value_none());
  assert_int_equal(uvow_error_code(error), -5);
  uvow_error_unref(error);
  turn_end(&turn);
}

TEST_CASE(f4_an_unknown_type_is_never_called) {
  static const uvow_type_t bad = {1, "bad", (void (*)(void *))1,
                                  (void (*)(void *))1};
  turn_t turn;
  turn_init(&turn);
  int x = 0;
  uvow_promise_t *p;
  uvow_future_t *f = uvow_promise_new(turn.loop, &p);
  assert_int_equal(uvow_promise_try_fulfill(p, uvow_value_ptr(&bad, &x)), 0);
  assert_string_equal(turn_result(&turn, f), "!ETYPE");
  assert_int_equal(uvow_promise_try_fulfill(p, uvow_value_ptr(&bad, &x)),
                   UVOW_EALREADY);
  uvow_promise_fulfill(p, uvow_value_ptr(&bad, &x));
  uvow_future_unref(f);
  turn_run(&turn);
  turn_expect_unhandled(&turn, "ETYPE");
  turn_end(&turn);
}

static const uvow_type_t *const types[2] = {&turn_type_unique,
                                            &turn_type_counted};

TEST_CASE(f4_a_value_moves_down_a_chain) {
  for (int t = 0; t < 2; t++) {
    turn_t turn;
    turn_init(&turn);
    turn_mark_t a = turn_mark(&turn, "a");
    turn_item_t item;
    uvow_future_t *f =
        uvow_future_fulfilled(turn.loop, turn_item(types[t], &item));
    for (int i = 0; i < 5; i++)
      f = uvow_future_catch(f, turn_then, &a);
    f = uvow_future_then(f, NULL, NULL);
    turn_run(&turn);
    assert_int_equal(item.owners, 1);
    assert_int_equal(turn.rt.links.live, 1); /* moved: nothing is kept */
    uvow_future_unref(f);
    turn_run(&turn);
    assert_int_equal(item.destroyed, 1);
    turn_end(&turn);
  }
}

TEST_CASE(f4_a_value_replaced_is_destroyed) {
  for (int t = 0; t < 2; t++) {
    turn_t turn;
    turn_init(&turn);
    turn_mark_t a = turn_mark(&turn, "a");
    turn_item_t item, second;
    a.next = uvow_next_value(turn_item(types[t], &second));
    uvow_future_t *f =
        uvow_future_fulfilled(turn.loop, turn_item(types[t], &item));
    f = uvow_future_then(f, turn_then, &a);
    turn_run(&turn);
    assert_int_equal(item.destroyed, 1);
    assert_int_equal(second.destroyed, 0);
    uvow_future_unref(f);
    turn_run(&turn);
    assert_int_equal(second.destroyed, 1);
    turn_expect(&turn, t ? "a+counted" : "a+unique");
    turn_end(&turn);
  }
}

/* Three branches pass one value on; all see the same thing. */
TEST_CASE(f4_branches_share_a_value) {
  for (int t = 0; t < 2; t++) {
    for (int held = 0; held < 2; held++) {
      turn_t turn;
      turn_init(&turn);
      turn_item_t item;
      uvow_promise_t *p;
      uvow_future_t *f = uvow_promise_new(turn.loop, &p);
      uvow_future_t *held_f = held ? uvow_future_ref(f) : NULL;
      uvow_future_t *branch[3];
      for (int i = 0; i < 3; i++) {
        branch[i] = uvow_future_then(uvow_future_ref(f), NULL, NULL);
        branch[i] = uvow_future_finally(branch[i], NULL, NULL);
      }
      uvow_future_unref(f);
      uvow_promise_fulfill(p, turn_item(types[t], &item));
      turn_run(&turn);
      for (int i = 0; i < 3; i++) {
        uvow_result_t result;
        void *ptr = NULL;
        assert_int_equal(uvow_future_peek(branch[i], &result), 0);
        assert_int_equal(uvow_value_get_ptr(&result.value, types[t], &ptr), 0);
        assert_ptr_equal(ptr, &item);
        assert_ptr_equal(result.value.type, types[t]); /* as it was given */
        assert_string_equal(uvow_value_type_name(&result.value),
                            types[t]->name);
        assert_int_equal(item.destroyed, 0);
        uvow_future_unref(branch[i]);
      }
      uvow_future_unref(held_f);
      turn_run(&turn);
      assert_int_equal(item.destroyed, 1);
      turn_end(&turn);
    }
  }
}

TEST_CASE(f4_a_callback_sees_the_value_where_it_is_shared) {
  turn_t turn;
  turn_init(&turn);
  turn_mark_t a = turn_mark(&turn, "a");
  turn_item_t item;
  uvow_future_t *f =
      uvow_future_fulfilled(turn.loop, turn_item(&turn_type_unique, &item));
  uvow_future_t *held = uvow_future_ref(f);
  f = uvow_future_then(f, NULL, NULL);
  uvow_future_done(f, turn_done, &a);
  turn_run(&turn);
  turn_expect(&turn, "a+unique");
  uvow_future_unref(held);
  turn_run(&turn);
  assert_int_equal(item.destroyed, 1);
  turn_end(&turn);
}

TEST_CASE(f4_a_kept_value_outlives_its_future) {
  for (int t = 0; t < 2; t++) {
    for (int branches = 0; branches < 2; branches++) {
      turn_t turn;
      turn_init(&turn);
      turn_mark_t a = turn_mark(&turn, "a");
      turn_item_t item;
      a.keep = 1;
      uvow_future_t *f =
          uvow_future_fulfilled(turn.loop, turn_item(types[t], &item));
      uvow_future_t *other = branches ? uvow_future_ref(f) : NULL;
      uvow_future_unref(uvow_future_then(f, turn_then, &a));
      turn_run(&turn);
      uvow_future_unref(other);
      assert_int_equal(item.destroyed, 0);
      void *ptr = NULL;
      int64_t n;
      assert_int_equal(uvow_value_get_ptr(&a.kept, types[t], &ptr), 0);
      assert_ptr_equal(ptr, &item);
      assert_int_equal(uvow_value_get_int64(&a.kept, &n), UVOW_ETYPE);
      assert_string_equal(uvow_value_type_name(&a.kept), types[t]->name);
      uvow_value_clear(&a.kept);
      turn_run(&turn);
      assert_int_equal(item.destroyed, 1);
      turn.log[0] = '\0';
      turn_end(&turn);
    }
  }
}

static uvow_next_t keep_and_return(const uvow_result_t *result, void *data) {
  (void)data;
  return uvow_next_value(uvow_result_keep(result));
}

TEST_CASE(f4_a_kept_value_can_be_given_away) {
  for (int t = 0; t < 2; t++) {
    turn_t turn;
    turn_init(&turn);
    turn_mark_t a = turn_mark(&turn, "a");
    turn_item_t item;
    uvow_future_t *f =
        uvow_future_fulfilled(turn.loop, turn_item(types[t], &item));
    for (int i = 0; i < 10; i++)
      f = uvow_future_then(f, keep_and_return, NULL);
    uvow_future_t *held = uvow_future_ref(f);
    uvow_future_done(f, turn_done, &a);
    turn_run(&turn);
    turn_expect(&turn, t ? "a+counted" : "a+unique");
    assert_true(turn.rt.links.live <= 2);
    uvow_future_unref(held);
    turn_run(&turn);
    assert_int_equal(item.destroyed, 1);
    turn_end(&turn);
  }
}

TEST_CASE(f4_keeping_what_owns_nothing) {
  turn_t turn;
  turn_init(&turn);
  turn_mark_t a = turn_mark(&turn, "a");
  a.keep = 1;
  uvow_future_done(uvow_future_fulfilled(turn.loop, uvow_value_int64(5)),
                   turn_done, &a);
  turn_run(&turn);
  int64_t n = 0;
  assert_int_equal(uvow_value_get_int64(&a.kept, &n), 0);
  assert_int_equal(n, 5);
  uvow_future_done(uvow_future_rejected(turn.loop, NULL), turn_done, &a);
  turn_run(&turn);
  assert_null(a.kept.type); /* an error has no value */
  turn_expect(&turn, "a+5 a!EINVAL");
  turn_end(&turn);
}

TEST_CASE(f4_adoption_moves_or_shares) {
  for (int held = 0; held < 2; held++) {
    for (int later = 0; later < 2; later++) {
      turn_t turn;
      turn_init(&turn);
      turn_item_t item;
      uvow_promise_t *outer, *p;
      uvow_future_t *f = uvow_promise_new(turn.loop, &outer);
      uvow_future_t *inner = uvow_promise_new(turn.loop, &p);
      uvow_future_t *held_f = held ? uvow_future_ref(inner) : NULL;
      if (!later)
        uvow_promise_fulfill(p, turn_item(&turn_type_unique, &item));
      uvow_promise_follow(outer, inner);
      if (later)
        uvow_promise_fulfill(p, turn_item(&turn_type_unique, &item));
      turn_run(&turn);
      uvow_future_unref(held_f);
      assert_string_equal(turn_result(&turn, f), "+unique");
      assert_int_equal(item.destroyed, 0);
      uvow_future_unref(f);
      turn_run(&turn);
      assert_int_equal(item.destroyed, 1);
      turn_end(&turn);
    }
  }
}

TEST_CASE(f4_errors_for_no_loop_and_odd_codes) {
  turn_t turn;
  turn_init(&turn);
  uvow_error_t *error = uvow_error_new(turn.loop, 5, NULL);
  assert_int_equal(uvow_error_code(error), UVOW_EINVAL);
  uvow_error_unref(error);
  error = uvow_error_new(NULL, UVOW_EURL, "text");
  assert_true(uvow_error_code(error) < 0);
  uvow_error_unref(error);
  error = uvow_error_new_peer(NULL, 1, "text", NULL, 0);
  assert_true(uvow_error_code(error) < 0);
  uvow_error_unref(error);
  turn_end(&turn);
}

TEST_CASE(f4_a_peers_error_says_what_it_was_made_of) {
  turn_t turn;
  turn_init(&turn);
  size_t len = 0;
  uvow_error_t *error =
      uvow_error_new_peer(turn.loop, -32601, "no such", "[1]x", 3);
  assert_int_equal(uvow_error_code(error), UVOW_EREMOTE);
  assert_int_equal(uvow_error_peer_code(error), -32601);
  assert_string_equal(uvow_error_peer_message(error), "no such");
  assert_string_equal(uvow_error_data(error, &len), "[1]");
  assert_int_equal(len, 3);
  uvow_error_unref(error);
  error = uvow_error_new_peer(turn.loop, 0, NULL, NULL, 7);
  assert_null(uvow_error_data(error, &len));
  assert_int_equal(len, 0);
  assert_null(uvow_error_peer_message(error));
  uvow_error_unref(error);
  turn_end(&turn);
}

TEST_MODULE(value) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(f4_a_value_is_read_as_what_it_is),
      cmocka_unit_test(bytes_are_those_of_bytes),
      cmocka_unit_test(f4_an_unknown_type_is_never_called),
      cmocka_unit_test(f4_a_value_moves_down_a_chain),
      cmocka_unit_test(f4_a_value_replaced_is_destroyed),
      cmocka_unit_test(f4_branches_share_a_value),
      cmocka_unit_test(f4_a_callback_sees_the_value_where_it_is_shared),
      cmocka_unit_test(f4_a_kept_value_outlives_its_future),
      cmocka_unit_test(f4_a_kept_value_can_be_given_away),
      cmocka_unit_test(f4_keeping_what_owns_nothing),
      cmocka_unit_test(f4_adoption_moves_or_shares),
      cmocka_unit_test(f4_errors_for_no_loop_and_odd_codes),
      cmocka_unit_test(f4_a_peers_error_says_what_it_was_made_of),
  };
  return cmocka_run_group_tests_name("future/value", tests, NULL, NULL);
}
