/* Buffers: growth, limits, consuming; numbers; slices. */
#include "support/support.h"

#include <stdio.h>

#include <uvow/error.h>

#include "base/buf.h"

#define MAX ((size_t)1 << 20)

static void content_is(uvow__buf_t *buf, const char *text) {
  assert_int_equal(uvow__buf_size(buf), strlen(text));
  if (*text)
    assert_memory_equal(uvow__buf_front(buf), text, strlen(text));
}

TEST_CASE(takes_no_memory_before_the_first_byte) {
  test_alloc_t alloc;
  uvow__buf_t buf;
  test_alloc_init(&alloc);
  uvow__buf_init(&buf, &alloc.allocator, MAX);
  assert_int_equal(uvow__buf_size(&buf), 0);
  assert_int_equal(uvow__buf_append(&buf, NULL, 0), 0);
  uvow__buf_clear(&buf, 0);
  assert_int_equal(alloc.calls, 0);
  uvow__buf_done(&buf);
  assert_int_equal(alloc.live, 0);
}

TEST_CASE(appends_and_consumes) {
  uvow__buf_t buf;
  uvow__buf_init(&buf, &uvow__mem_default, MAX);
  assert_int_equal(uvow__buf_append_text(&buf, "hello "), 0);
  assert_int_equal(uvow__buf_append(&buf, "world", 5), 0);
  content_is(&buf, "hello world");
  uvow__buf_consume(&buf, 6);
  content_is(&buf, "world");
  uvow__buf_consume(&buf, 0);
  assert_int_equal(uvow__buf_append_text(&buf, "!"), 0);
  content_is(&buf, "world!");
  uvow__buf_consume(&buf, 6);
  content_is(&buf, "");
  assert_int_equal(buf.off, 0);
  uvow__buf_done(&buf);
  uvow__buf_done(&buf);
}

/* A few bytes always on their way: the room is used again, not grown. */
TEST_CASE(a_queue_does_not_grow) {
  test_alloc_t alloc;
  uvow__buf_t buf;
  test_alloc_init(&alloc);
  uvow__buf_init(&buf, &alloc.allocator, MAX);
  uint8_t in = 0;
  uint8_t out = 0;
  for (int i = 0; i < 10000; i++) {
    for (int j = 0; j < 7; j++, in++)
      assert_int_equal(uvow__buf_append(&buf, &in, 1), 0);
    while (uvow__buf_size(&buf) > 3) {
      assert_int_equal(*uvow__buf_front(&buf), out++);
      uvow__buf_consume(&buf, 1);
    }
  }
  assert_int_equal(alloc.calls, 1);
  uvow__buf_done(&buf);
}

/* One byte out, one byte in, with a long content: moving all of it each time
 * would be quadratic. */
TEST_CASE(moves_no_more_than_was_consumed) {
  enum { LEN = 4096, TURNS = 20000 };
  uvow__buf_t buf;
  size_t moved = 0;
  uvow__buf_init(&buf, &uvow__mem_default, MAX);
  for (int i = 0; i < LEN; i++)
    assert_int_equal(uvow__buf_append(&buf, "x", 1), 0);
  for (int i = 0; i < TURNS; i++) {
    size_t off = buf.off;
    uvow__buf_consume(&buf, 1);
    assert_int_equal(uvow__buf_append(&buf, "x", 1), 0);
    if (buf.off < off)
      moved += uvow__buf_size(&buf);
  }
  assert_true(moved > 0);
  assert_true(moved <= TURNS);
  assert_true(buf.cap <= 4 * LEN);
  uvow__buf_done(&buf);
}

TEST_CASE(grows_by_doubling) {
  test_alloc_t alloc;
  uvow__buf_t buf;
  test_alloc_init(&alloc);
  uvow__buf_init(&buf, &alloc.allocator, MAX);
  for (size_t i = 0; i < MAX; i++)
    assert_int_equal(uvow__buf_append(&buf, "x", 1), 0);
  assert_true(alloc.calls <= 13);
  assert_int_equal(uvow__buf_size(&buf), MAX);
  uvow__buf_done(&buf);
  assert_int_equal(alloc.live, 0);
}

TEST_CASE(never_passes_its_limit) {
  uvow__buf_t buf;
  uvow__buf_init(&buf, &uvow__mem_default, 10);
  assert_int_equal(uvow__buf_append(&buf, "0123456789A", 11), UVOW_EOVERLOAD);
  content_is(&buf, "");
  assert_int_equal(uvow__buf_append(&buf, "01234567", 8), 0);
  assert_int_equal(uvow__buf_append(&buf, "89A", 3), UVOW_EOVERLOAD);
  content_is(&buf, "01234567");
  assert_int_equal(uvow__buf_append(&buf, "89", 2), 0);
  assert_int_equal(uvow__buf_reserve(&buf, 1), UVOW_EOVERLOAD);
  assert_int_equal(uvow__buf_reserve(&buf, SIZE_MAX), UVOW_EOVERLOAD);
  assert_int_equal(uvow__buf_reserve(&buf, 0), 0);
  uvow__buf_consume(&buf, 4);
  assert_int_equal(uvow__buf_append(&buf, "ABCD", 4), 0);
  content_is(&buf, "456789ABCD");
  uvow__buf_done(&buf);
}

TEST_CASE(sizes_do_not_overflow) {
  test_alloc_t alloc;
  uvow__buf_t buf;
  test_alloc_init(&alloc);
  uvow__buf_init(&buf, &alloc.allocator, SIZE_MAX);
  assert_int_equal(uvow__buf_append_text(&buf, "abc"), 0);
  uvow__buf_consume(&buf, 1);
  assert_int_equal(uvow__buf_reserve(&buf, SIZE_MAX - 1), UVOW_EOVERLOAD);
  assert_int_equal(uvow__buf_reserve(&buf, SIZE_MAX - 2), UVOW_ENOMEM);
  alloc.fail_at = alloc.calls + 1;
  assert_int_equal(uvow__buf_reserve(&buf, SIZE_MAX / 2 + 2), UVOW_ENOMEM);
  content_is(&buf, "bc");
  uvow__buf_done(&buf);
  assert_int_equal(alloc.live, 0);
}

TEST_CASE(a_failed_append_changes_nothing) {
  test_alloc_t alloc;
  uvow__buf_t buf;
  char big[1000];
  memset(big, 'x', sizeof(big));
  test_alloc_init(&alloc);
  uvow__buf_init(&buf, &alloc.allocator, MAX);
  assert_int_equal(uvow__buf_append_text(&buf, "abc"), 0);
  alloc.fail_at = alloc.calls + 1;
  assert_int_equal(uvow__buf_append(&buf, big, sizeof(big)), UVOW_ENOMEM);
  content_is(&buf, "abc");
  assert_int_equal(uvow__buf_append(&buf, big, sizeof(big)), 0);
  assert_int_equal(uvow__buf_size(&buf), 1003);
  uvow__buf_done(&buf);
  assert_int_equal(alloc.live, 0);
}

TEST_CASE(clear_keeps_what_it_is_told) {
  test_alloc_t alloc;
  uvow__buf_t buf;
  test_alloc_init(&alloc);
  uvow__buf_init(&buf, &alloc.allocator, MAX);
  assert_int_equal(uvow__buf_append_text(&buf, "abc"), 0);
  uvow__buf_consume(&buf, 1);
  uvow__buf_clear(&buf, buf.cap);
  content_is(&buf, "");
  assert_int_equal(alloc.live, 1);
  assert_int_equal(uvow__buf_append_text(&buf, "abc"), 0);
  uvow__buf_clear(&buf, buf.cap - 1);
  content_is(&buf, "");
  assert_int_equal(alloc.live, 0);
  assert_int_equal(uvow__buf_append_text(&buf, "abc"), 0);
  content_is(&buf, "abc");
  uvow__buf_done(&buf);
}

static void number_is(int64_t i64, uint64_t u64, int is_signed) {
  char expected[32];
  uvow__buf_t buf;
  if (is_signed)
    snprintf(expected, sizeof(expected), "%lld", (long long)i64);
  else
    snprintf(expected, sizeof(expected), "%llu", (unsigned long long)u64);
  /* Exactly its length fits, one byte less doesn't. */
  uvow__buf_init(&buf, &uvow__mem_default, strlen(expected));
  assert_int_equal(is_signed ? uvow__buf_append_i64(&buf, i64)
                             : uvow__buf_append_u64(&buf, u64),
                   0);
  content_is(&buf, expected);
  uvow__buf_clear(&buf, MAX);
  buf.max--;
  assert_int_equal(is_signed ? uvow__buf_append_i64(&buf, i64)
                             : uvow__buf_append_u64(&buf, u64),
                   UVOW_EOVERLOAD);
  content_is(&buf, "");
  uvow__buf_done(&buf);
}

TEST_CASE(writes_numbers) {
  for (uint64_t n = 1; n < UINT64_MAX / 10; n *= 10) {
    number_is(0, n, 0);
    number_is(0, n - 1, 0);
    number_is((int64_t)n, 0, 1);
    number_is(-(int64_t)n, 0, 1);
  }
  number_is(0, UINT64_MAX, 0);
  number_is(0, 0, 1);
  number_is(INT64_MAX, 0, 1);
  number_is(INT64_MIN, 0, 1);
}

static uvow__slice_t slice(const char *text) {
  uvow__slice_t s = {text, strlen(text)};
  return s;
}

TEST_CASE(compares_slices) {
  assert_true(uvow__slice_is(UVOW__SLICE("abc"), "abc"));
  assert_false(uvow__slice_is(UVOW__SLICE("abc"), "abd"));
  assert_false(uvow__slice_is(UVOW__SLICE("abc"), "ab"));
  assert_false(uvow__slice_is(UVOW__SLICE("ab"), "abc"));
  assert_false(uvow__slice_is(UVOW__SLICE("abc"), "ABC"));
  assert_false(uvow__slice_is(UVOW__SLICE("a\0c"), "a"));
  assert_true(uvow__slice_is(UVOW__SLICE(""), ""));
  assert_true(uvow__slice_is_nocase(UVOW__SLICE("WebSocket"), "webSOCKET"));
  assert_true(uvow__slice_is_nocase(UVOW__SLICE("az-AZ"), "AZ-az"));
  assert_false(uvow__slice_is_nocase(UVOW__SLICE("abc"), "abd"));
  assert_false(uvow__slice_is_nocase(UVOW__SLICE("abc"), "abcd"));
  /* Only letters: these differ by the same bit. */
  assert_false(uvow__slice_is_nocase(UVOW__SLICE("["), "{"));
  assert_false(uvow__slice_is_nocase(UVOW__SLICE("@"), "`"));
  assert_false(uvow__slice_is_nocase(UVOW__SLICE("\xC3"), "\xE3"));
}

TEST_CASE(reads_decimal) {
  static const char *const bad[] = {"",   "-1", "+1",  " 1", "1 ",
                                    "01", "00", "0x1", "1a", "1.0",
                                    ":",  "/",  "1/",  "1e3"};
  uint64_t n = 7;
  for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
    assert_int_equal(uvow__slice_u64(slice(bad[i]), UINT64_MAX, &n),
                     UVOW_EINVAL);
  assert_int_equal(n, 7);
  assert_int_equal(uvow__slice_u64(slice("0"), 0, &n), 0);
  assert_int_equal(n, 0);
  assert_int_equal(uvow__slice_u64(slice("65535"), 65535, &n), 0);
  assert_int_equal(n, 65535);
  assert_int_equal(uvow__slice_u64(slice("65536"), 65535, &n), UVOW_EINVAL);
  assert_int_equal(uvow__slice_u64(slice("655350"), 65535, &n), UVOW_EINVAL);
  assert_int_equal(uvow__slice_u64(slice("5"), 4, &n), UVOW_EINVAL);
  assert_int_equal(
      uvow__slice_u64(slice("18446744073709551615"), UINT64_MAX, &n), 0);
  assert_true(n == UINT64_MAX);
  assert_int_equal(
      uvow__slice_u64(slice("18446744073709551616"), UINT64_MAX, &n),
      UVOW_EINVAL);
  assert_int_equal(
      uvow__slice_u64(slice("99999999999999999999"), UINT64_MAX, &n),
      UVOW_EINVAL);
}

/* Each number against each limit, where all of them are small. */
TEST_CASE(reads_decimal_up_to_its_limit) {
  for (unsigned number = 0; number <= 130; number++)
    for (unsigned max = 0; max <= 130; max++) {
      char text[8];
      uint64_t n = 999;
      snprintf(text, sizeof(text), "%u", number);
      int rc = uvow__slice_u64(slice(text), max, &n);
      assert_int_equal(rc, number <= max ? 0 : UVOW_EINVAL);
      assert_int_equal(n, number <= max ? number : 999);
    }
}

static void sweep_body(test_alloc_t *alloc, void *data) {
  uvow__buf_t buf;
  size_t size = 0;
  (void)data;
  uvow__buf_init(&buf, &alloc->allocator, MAX);
  for (int i = 0; i < 3000; i++) {
    size += uvow__buf_append(&buf, "x", 1) == 0;
    assert_int_equal(uvow__buf_size(&buf), size);
  }
  uvow__buf_done(&buf);
}

TEST_CASE(survives_every_failed_allocation) {
  test_alloc_sweep(sweep_body, NULL);
}

TEST_MODULE(buf) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(takes_no_memory_before_the_first_byte),
      cmocka_unit_test(appends_and_consumes),
      cmocka_unit_test(a_queue_does_not_grow),
      cmocka_unit_test(moves_no_more_than_was_consumed),
      cmocka_unit_test(grows_by_doubling),
      cmocka_unit_test(never_passes_its_limit),
      cmocka_unit_test(sizes_do_not_overflow),
      cmocka_unit_test(a_failed_append_changes_nothing),
      cmocka_unit_test(clear_keeps_what_it_is_told),
      cmocka_unit_test(writes_numbers),
      cmocka_unit_test(compares_slices),
      cmocka_unit_test(reads_decimal),
      cmocka_unit_test(reads_decimal_up_to_its_limit),
      cmocka_unit_test(survives_every_failed_allocation),
  };
  return cmocka_run_group_tests_name("base/buf", tests, NULL, NULL);
}
