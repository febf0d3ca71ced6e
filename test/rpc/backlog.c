#include "rpc/backlog.h"

#include "support/support.h"

#include <stdio.h>

#include <uvow/error.h>

#define HEAD 16 /* bytes that a message takes beside its text */

static int push(uvow__backlog_t *backlog, uint64_t id, const char *text) {
  return uvow__backlog_push(backlog, id, (uvow__slice_t){text, strlen(text)});
}

static void expect_first(uvow__backlog_t *backlog, uint64_t id,
                         const char *text) {
  uvow__slice_t slice;
  assert_false(uvow__backlog_empty(backlog));
  assert_int_equal(uvow__backlog_first(backlog, &slice), id);
  assert_int_equal(slice.len, strlen(text));
  assert_memory_equal(slice.ptr, text, slice.len);
  uvow__backlog_pop(backlog);
}

TEST_CASE(test_messages_come_out_in_order) {
  uvow__backlog_t backlog;
  char text[64];
  uint64_t out = 0;
  uvow__backlog_init(&backlog, &uvow__mem_default, SIZE_MAX);
  assert_true(uvow__backlog_empty(&backlog));
  for (uint64_t in = 0; in < 1000; in++) {
    snprintf(text, sizeof(text), "%.*s", (int)(in % 50),
             "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz");
    assert_int_equal(push(&backlog, in, text), 0);
    if (in % 3 == 0)
      continue;
    snprintf(text, sizeof(text), "%.*s", (int)(out % 50),
             "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz");
    expect_first(&backlog, out++, text);
  }
  while (!uvow__backlog_empty(&backlog)) {
    snprintf(text, sizeof(text), "%.*s", (int)(out % 50),
             "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz");
    expect_first(&backlog, out++, text);
  }
  assert_int_equal(out, 1000);
  uvow__backlog_done(&backlog);
}

TEST_CASE(test_it_is_bounded_by_bytes) {
  uvow__backlog_t backlog;
  uvow__backlog_init(&backlog, &uvow__mem_default, 2 * HEAD + 5);
  assert_int_equal(push(&backlog, 1, "abc"), 0);
  assert_int_equal(push(&backlog, 2, "def"), UVOW_EOVERLOAD);
  assert_int_equal(push(&backlog, 3, "de"), 0);
  assert_int_equal(push(&backlog, 4, ""), UVOW_EOVERLOAD);
  expect_first(&backlog, 1, "abc");
  assert_int_equal(push(&backlog, 5, "fgh"), 0);
  expect_first(&backlog, 3, "de");
  expect_first(&backlog, 5, "fgh");
  assert_true(uvow__backlog_empty(&backlog));
  uvow__backlog_done(&backlog);
}

TEST_CASE(test_one_goes_before_another) {
  uvow__backlog_t backlog;
  uvow__backlog_t front;
  for (int i = 0; i < 4; i++) { /* either may be empty */
    uvow__backlog_init(&backlog, &uvow__mem_default, 100);
    uvow__backlog_init(&front, &uvow__mem_default, SIZE_MAX);
    if (i & 1) {
      assert_int_equal(push(&backlog, 9, "gone"), 0);
      assert_int_equal(push(&backlog, 3, "c"), 0);
      expect_first(&backlog, 9, "gone");
      assert_int_equal(push(&backlog, 4, "d"), 0);
    }
    if (i & 2) {
      assert_int_equal(push(&front, 1, "a"), 0);
      assert_int_equal(push(&front, 2, "b"), 0);
    }
    assert_int_equal(uvow__backlog_prepend(&backlog, &front), 0);
    assert_true(uvow__backlog_empty(&front));
    uvow__backlog_done(&front);
    if (i & 2) {
      expect_first(&backlog, 1, "a");
      expect_first(&backlog, 2, "b");
    }
    if (i & 1) {
      expect_first(&backlog, 3, "c");
      expect_first(&backlog, 4, "d");
    }
    assert_true(uvow__backlog_empty(&backlog));
    assert_int_equal(backlog.buf.max, 100); /* its own bound is kept */
    uvow__backlog_done(&backlog);
  }
}

static int is_odd(uint64_t id, void *data) {
  ++*(int *)data;
  return id % 2 == 1;
}

TEST_CASE(test_some_can_be_taken_away) {
  uvow__backlog_t backlog;
  char text[16];
  int seen = 0;
  uvow__backlog_init(&backlog, &uvow__mem_default, SIZE_MAX);
  uvow__backlog_sift(&backlog, is_odd, &seen);
  assert_int_equal(seen, 0);
  assert_int_equal(push(&backlog, 9, "gone"), 0);
  for (uint64_t id = 0; id < 20; id++) {
    snprintf(text, sizeof(text), "m%d", (int)(id * id * id));
    assert_int_equal(push(&backlog, id, text), 0);
  }
  expect_first(&backlog, 9, "gone");
  uvow__backlog_sift(&backlog, is_odd, &seen);
  assert_int_equal(seen, 20);
  assert_int_equal(push(&backlog, 21, "last"), 0);
  for (uint64_t id = 1; id < 20; id += 2) {
    snprintf(text, sizeof(text), "m%d", (int)(id * id * id));
    expect_first(&backlog, id, text);
  }
  uvow__backlog_sift(&backlog, is_odd, &seen);
  expect_first(&backlog, 21, "last");
  assert_true(uvow__backlog_empty(&backlog));
  assert_int_equal(push(&backlog, 2, "x"), 0);
  uvow__backlog_sift(&backlog, is_odd, &seen);
  assert_true(uvow__backlog_empty(&backlog));
  uvow__backlog_done(&backlog);
}

TEST_CASE(test_an_empty_one_keeps_little_memory) {
  uvow__backlog_t backlog;
  static char text[100001];
  memset(text, 'x', sizeof(text) - 1);
  uvow__backlog_init(&backlog, &uvow__mem_default, SIZE_MAX);
  assert_int_equal(push(&backlog, 1, text), 0);
  uvow__backlog_pop(&backlog);
  assert_true(backlog.buf.cap <= 65536);
  assert_int_equal(push(&backlog, 1, "x"), 0);
  uvow__backlog_pop(&backlog);
  assert_true(backlog.buf.cap > 0); /* a little is kept */
  uvow__backlog_clear(&backlog);
  assert_int_equal(backlog.buf.cap, 0);
  uvow__backlog_done(&backlog);
}

static void sweep(test_alloc_t *alloc, void *data) {
  uvow__backlog_t backlog;
  uvow__backlog_t front;
  int pushed = 0;
  (void)data;
  uvow__backlog_init(&backlog, &alloc->allocator, SIZE_MAX);
  uvow__backlog_init(&front, &alloc->allocator, SIZE_MAX);
  for (uint64_t id = 1; id <= 40; id++)
    pushed += push(&backlog, id, "0123456789") == 0;
  for (uint64_t id = 41; id <= 80; id++)
    push(&front, id, "0123456789");
  if (uvow__backlog_prepend(&backlog, &front))
    for (; pushed; pushed--) /* nothing has changed */
      uvow__backlog_pop(&backlog);
  else
    uvow__backlog_clear(&backlog);
  assert_true(uvow__backlog_empty(&backlog));
  uvow__backlog_done(&backlog);
  uvow__backlog_done(&front);
}

TEST_CASE(test_memory_may_fail) {
  test_alloc_sweep(sweep, NULL);
}

TEST_MODULE(backlog) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_messages_come_out_in_order),
      cmocka_unit_test(test_it_is_bounded_by_bytes),
      cmocka_unit_test(test_one_goes_before_another),
      cmocka_unit_test(test_some_can_be_taken_away),
      cmocka_unit_test(test_an_empty_one_keeps_little_memory),
      cmocka_unit_test(test_memory_may_fail),
  };
  return cmocka_run_group_tests_name("rpc/backlog", tests, NULL, NULL);
}
