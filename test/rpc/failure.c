/* What a connection's failure says of the next attempt (R7), for each code and
 * status. */
#include "rpc/failure.h"

#include "support/support.h"

#include <stdio.h>

#include "base/error.h"

enum { FATAL = 1, FATAL_4XXX = 2, DENIAL = 4, OURS = 8 };

typedef struct row {
  int code;
  int status;
  unsigned is;
} row_t;

static const row_t rows[] = {
    {UVOW_EHANDSHAKE, 301, 0},
    {UVOW_EHANDSHAKE, 399, 0},
    {UVOW_EHANDSHAKE, 400, FATAL | FATAL_4XXX},
    {UVOW_EHANDSHAKE, 401, FATAL | FATAL_4XXX | DENIAL},
    {UVOW_EHANDSHAKE, 403, FATAL | FATAL_4XXX | DENIAL},
    {UVOW_EHANDSHAKE, 404, FATAL | FATAL_4XXX},
    {UVOW_EHANDSHAKE, 408, 0},
    {UVOW_EHANDSHAKE, 421, 0},
    {UVOW_EHANDSHAKE, 425, 0},
    {UVOW_EHANDSHAKE, 429, 0},
    {UVOW_EHANDSHAKE, 499, FATAL | FATAL_4XXX},
    {UVOW_EHANDSHAKE, 500, 0},
    {UVOW_EHANDSHAKE, 1009, 0},
    {UVOW_EPROXY, 407, FATAL | FATAL_4XXX},
    {UVOW_EPROXY, 403, FATAL | FATAL_4XXX},
    {UVOW_EPROXY, 1009, 0},
    {UVOW_EPROXY, 502, 0},
    {UVOW_ECERT, 0, FATAL | FATAL_4XXX},
    {UVOW_EPROTOCOL, 0, FATAL | FATAL_4XXX},
    {UVOW_ETLS, 0, 0},
    {UVOW_ETLS, 41, 0},
    {UVOW_ETLS, 42, FATAL | FATAL_4XXX},
    {UVOW_ETLS, 46, FATAL | FATAL_4XXX},
    {UVOW_ETLS, 47, 0},
    {UVOW_ETLS, 48, FATAL | FATAL_4XXX},
    {UVOW_ETLS, 116, FATAL | FATAL_4XXX},
    {UVOW_ECLOSED, 0, 0},
    {UVOW_ECLOSED, 1000, 0},
    {UVOW_ECLOSED, 1002, FATAL | FATAL_4XXX},
    {UVOW_ECLOSED, 1003, OURS},
    {UVOW_ECLOSED, 1006, 0},
    {UVOW_ECLOSED, 1007, OURS},
    {UVOW_ECLOSED, 1008, OURS},
    {UVOW_ECLOSED, 1009, OURS},
    {UVOW_ECLOSED, 1010, FATAL | FATAL_4XXX},
    {UVOW_ECLOSED, 3999, 0},
    {UVOW_ECLOSED, 4000, FATAL_4XXX},
    {UVOW_ECLOSED, 4403, FATAL_4XXX},
    {UVOW_ECLOSED, 4999, FATAL_4XXX},
    {UVOW_ELOST, 401, 0},
    {UVOW_ELOST, 4403, 0},
    {UVOW_EREMOTE, 0, FATAL | FATAL_4XXX},
    {UVOW_ETIMEDOUT, 0, 0},
};

static uvow_error_t *make(const test_alloc_t *alloc, int code, int status,
                          const char *head) {
  uvow__error_spec_t spec = {0};
  spec.code = code;
  spec.status = status;
  if (head)
    spec.head = (uvow__slice_t){head, strlen(head)};
  return uvow__error_make(&alloc->allocator, &spec);
}

static void expect(const row_t *row, const char *what, int got, unsigned bit) {
  if (got != ((row->is & bit) != 0))
    print_error("%s with %d: %s\n", uvow_err_name(row->code), row->status,
                what);
  assert_int_equal(got, (row->is & bit) != 0);
}

TEST_CASE(each_kind) {
  test_alloc_t alloc;
  test_alloc_init(&alloc);
  for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
    const row_t *row = &rows[i];
    uvow_error_t *error = make(&alloc, row->code, row->status, NULL);
    expect(row, "fatal", uvow__failure_is_fatal(error, 0), FATAL);
    expect(row, "fatal, with 4xxx", uvow__failure_is_fatal(error, 1),
           FATAL_4XXX);
    expect(row, "a denial", uvow__failure_is_denial(error), DENIAL);
    expect(row, "ours", uvow__failure_may_be_ours(error), OURS);
    uvow_error_unref(error);
  }
  assert_int_equal(alloc.live, 0);
}

/* As many as a protocol can name: each of them, and only of a close. */
TEST_CASE(final_ones) {
  test_alloc_t alloc;
  uvow__closes_t closes;
  test_alloc_init(&alloc);
  for (int full = 0; full < 2; full++) {
    int count = full ? UVOW__FINAL_MAX : UVOW__FINAL_MAX - 1;
    memset(&closes, 0, sizeof(closes));
    for (int i = 0; i < count; i++)
      closes.final[i] = (uint16_t)(4000 + i);
    for (int i = 0; i < UVOW__FINAL_MAX + 1; i++) {
      uvow_error_t *closed = make(&alloc, UVOW_ECLOSED, 4000 + i, NULL);
      uvow_error_t *lost = make(&alloc, UVOW_ELOST, 4000 + i, NULL);
      assert_int_equal(uvow__failure_is_final(closed, &closes), i < count);
      assert_int_equal(uvow__failure_is_final(lost, &closes), 0);
      uvow_error_unref(closed);
      uvow_error_unref(lost);
    }
  }
  assert_int_equal(alloc.live, 0);
}

TEST_CASE(retry_after) {
  static const struct {
    const char *value;
    uint64_t ms;
  } cases[] = {
      {"0", 0},   {"7", 7000}, {"120", 120000},
      {"-1", 0},  {"1.5", 0},  {"Wed, 21 Oct 2026 07:28:00 GMT", 0},
      {"12:", 0},
  };
  test_alloc_t alloc;
  char head[128];
  test_alloc_init(&alloc);
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    (void)snprintf(head, sizeof(head),
                   "HTTP/1.1 503 Busy\r\nRetry-After: %s\r\n\r\n",
                   cases[i].value);
    uvow_error_t *error = make(&alloc, UVOW_EHANDSHAKE, 503, head);
    assert_int_equal(uvow__failure_retry_after_ms(error), cases[i].ms);
    uvow_error_unref(error);
    error = make(&alloc, UVOW_EPROXY, 503, head);
    assert_int_equal(uvow__failure_retry_after_ms(error), 0);
    uvow_error_unref(error);
  }
  (void)snprintf(head, sizeof(head),
                 "HTTP/1.1 503 Busy\r\nRetry-After: %s\r\n\r\n",
                 "99999999999999999999999999999999999999999999");
  uvow_error_t *error = make(&alloc, UVOW_EHANDSHAKE, 503, head);
  assert_true(uvow__failure_retry_after_ms(error) / 1000 >= UINT32_MAX);
  uvow_error_unref(error);
  assert_int_equal(alloc.live, 0);
}

TEST_MODULE(failure) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_kind),
      cmocka_unit_test(final_ones),
      cmocka_unit_test(retry_after),
  };
  return cmocka_run_group_tests_name("rpc/failure", tests, NULL, NULL);
}
