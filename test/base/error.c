/* Errors: what they carry, counting, causes, and no memory. */
#include "support/support.h"

#include <uvow/error.h>

#include "base/error.h"

static uvow__error_spec_t full_spec(const uvow_error_t *cause) {
  uvow__error_spec_t spec = {
      .code = UVOW_EREMOTE,
      .status = 503,
      .outcome = UVOW_ANSWERED,
      .detail = UVOW__SLICE("a detail"),
      .peer_code = -32601,
      .peer_code_text = UVOW__SLICE("unknown_command"),
      .peer_message = UVOW__SLICE("no such method"),
      .data = UVOW__SLICE("{\"a\":1}\0x"),
      .cause = cause,
  };
  return spec;
}

/* All of full_spec. */
static void expect_full(const uvow_error_t *error) {
  size_t len = 0;
  assert_int_equal(uvow_error_code(error), UVOW_EREMOTE);
  assert_int_equal(uvow_error_status(error), 503);
  assert_int_equal(uvow_error_outcome(error), UVOW_ANSWERED);
  assert_string_equal(uvow_error_message(error), "a detail");
  assert_true(uvow_error_peer_code(error) == -32601);
  assert_string_equal(uvow_error_peer_code_text(error), "unknown_command");
  assert_string_equal(uvow_error_peer_message(error), "no such method");
  assert_memory_equal(uvow_error_data(error, &len), "{\"a\":1}\0x", 10);
  assert_int_equal(len, 9);
  assert_non_null(uvow_error_data(error, NULL));
  assert_int_equal(uvow_error_code(uvow_error_cause(error)), UVOW_ELOST);
  assert_int_equal(uvow_error_outcome(uvow_error_cause(error)), UVOW_NOT_SENT);
}

TEST_CASE(carries_all_it_was_given) {
  test_alloc_t alloc;
  test_alloc_init(&alloc);
  uvow_error_t *cause =
      uvow__error_code(&alloc.allocator, UVOW_ELOST, UVOW_NOT_SENT);
  uvow__error_spec_t spec = full_spec(cause);
  uvow_error_t *error = uvow__error_make(&alloc.allocator, &spec);
  uvow_error_unref(cause); /* the error keeps it */
  memset(&spec, 0, sizeof(spec));
  assert_int_equal(alloc.live, 2);
  expect_full(error);
  uvow_error_unref(error);
  assert_int_equal(alloc.live, 0);
}

/* It is the same but for that, however often it is added, and is freed without
 * recursion; without memory it is the static one. */
TEST_CASE(says_how_many_items_are_missing_before_it) {
  test_alloc_t alloc;
  test_alloc_init(&alloc);
  uvow_error_t *cause =
      uvow__error_code(&alloc.allocator, UVOW_ELOST, UVOW_NOT_SENT);
  uvow__error_spec_t spec = full_spec(cause);
  uvow_error_t *error = uvow__error_make(&alloc.allocator, &spec);
  uvow_error_unref(cause);
  assert_ptr_equal(uvow__error_add_missed(&alloc.allocator, error, 0), error);
  assert_int_equal(uvow__error_missed(error), 0);
  for (int i = 0; i < 300000; i++)
    error = uvow__error_add_missed(&alloc.allocator, error, 2);
  assert_int_equal(uvow__error_missed(error), 600000);
  error = uvow__error_add_missed(&alloc.allocator, error, UINT64_MAX);
  assert_true(uvow__error_missed(error) == UINT64_MAX);
  expect_full(error);
  alloc.fail_at = alloc.calls + 1;
  error = uvow__error_add_missed(&alloc.allocator, error, 1);
  assert_int_equal(uvow_error_code(error), UVOW_ENOMEM);
  assert_int_equal(uvow_error_outcome(error), UVOW_ANSWERED);
  assert_int_equal(alloc.live, 0);
}

TEST_CASE(an_error_of_a_code_has_its_text) {
  size_t len = 7;
  uvow_error_t *error =
      uvow__error_code(&uvow__mem_default, UVOW_ETIMEDOUT, UVOW_MAYBE_EXECUTED);
  assert_string_equal(uvow_error_message(error), "deadline exceeded");
  assert_int_equal(uvow_error_outcome(error), UVOW_MAYBE_EXECUTED);
  assert_int_equal(uvow_error_status(error), 0);
  assert_true(uvow_error_peer_code(error) == 0);
  assert_null(uvow_error_peer_code_text(error));
  assert_null(uvow_error_peer_message(error));
  assert_null(uvow_error_data(error, &len));
  assert_int_equal(len, 0);
  assert_null(uvow_error_cause(error));
  uvow_error_unref(error);
}

/* Before a detail that is the cause's, what this error says of it. */
TEST_CASE(a_detail_has_words_before_it) {
  uvow__error_spec_t spec = {0};
  spec.code = UVOW_ELOST;
  spec.before = UVOW__SLICE("the connection has ended: ");
  spec.detail = UVOW__SLICE("refused");
  spec.data = UVOW__SLICE("{}");
  uvow_error_t *error = uvow__error_make(&uvow__mem_default, &spec);
  assert_string_equal(uvow_error_message(error),
                      "the connection has ended: refused");
  assert_string_equal(uvow_error_data(error, NULL), "{}");
  uvow_error_unref(error);
}

TEST_CASE(empty_text_is_not_no_text) {
  uvow__error_spec_t spec = {
      .code = UVOW_EHTTP, .detail = UVOW__SLICE(""), .data = UVOW__SLICE("")};
  size_t len = 7;
  uvow_error_t *error = uvow__error_make(&uvow__mem_default, &spec);
  assert_string_equal(uvow_error_message(error), "");
  assert_string_equal(uvow_error_data(error, &len), "");
  assert_int_equal(len, 0);
  assert_null(uvow_error_peer_message(error));
  uvow_error_unref(error);
}

TEST_CASE(is_counted) {
  test_alloc_t alloc;
  test_alloc_init(&alloc);
  uvow_error_t *error =
      uvow__error_code(&alloc.allocator, UVOW_ECLOSED, UVOW_NOT_SENT);
  assert_ptr_equal(uvow_error_ref(error), error);
  uvow_error_unref(error);
  assert_int_equal(alloc.live, 1);
  assert_int_equal(uvow_error_code(error), UVOW_ECLOSED);
  uvow_error_unref(error);
  assert_int_equal(alloc.live, 0);
}

TEST_CASE(a_bare_code_takes_no_memory) {
  test_alloc_t alloc;
  test_alloc_init(&alloc);
#define XX(name, number, text)                                                 \
  {                                                                            \
    uvow_error_t *error =                                                      \
        uvow__error_code(&alloc.allocator, number, UVOW_OUTCOME_NONE);         \
    assert_int_equal(uvow_error_code(error), number);                          \
    assert_string_equal(uvow_error_message(error), text);                      \
    uvow_error_unref(error);                                                   \
    assert_int_equal(uvow_error_code(error), number);                          \
  }
  UVOW_ERROR_MAP(XX)
#undef XX
  assert_int_equal(alloc.calls, 0);
  /* Codes that are none of uvow's have an error of their own. */
  static const int others[] = {-1, -5000, UVOW_ERROR_LAST, -2147483647};
  for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
    uvow_error_t *error =
        uvow__error_code(&alloc.allocator, others[i], UVOW_OUTCOME_NONE);
    assert_int_equal(uvow_error_code(error), others[i]);
    assert_int_equal(alloc.live, 1);
    uvow_error_unref(error);
    assert_int_equal(alloc.live, 0);
  }
}

TEST_CASE(null_is_no_error) {
  size_t len = 7;
  assert_null(uvow_error_ref(NULL));
  uvow_error_unref(NULL);
  assert_int_equal(uvow_error_code(NULL), 0);
  assert_int_equal(uvow_error_outcome(NULL), UVOW_OUTCOME_NONE);
  assert_int_equal(uvow_error_status(NULL), 0);
  assert_true(uvow_error_peer_code(NULL) == 0);
  assert_string_equal(uvow_error_message(NULL), "no error");
  assert_null(uvow_error_cause(NULL));
  assert_null(uvow_error_peer_code_text(NULL));
  assert_null(uvow_error_peer_message(NULL));
  assert_null(uvow_error_data(NULL, &len));
  assert_int_equal(len, 0);
}

TEST_CASE(without_memory_it_is_the_static_one) {
  test_alloc_t alloc;
  test_alloc_init(&alloc);
  alloc.fail_at = 1;
  alloc.fail_all_after = 1;
  uvow__error_spec_t spec = full_spec(NULL);
  uvow_error_t *error = uvow__error_make(&alloc.allocator, &spec);
  assert_int_equal(uvow_error_code(error), UVOW_ENOMEM);
  assert_int_equal(uvow_error_outcome(error), spec.outcome); /* R2 */
  assert_string_equal(uvow_error_message(error), "out of memory");
  assert_null(uvow_error_cause(error));
  assert_ptr_equal(uvow_error_ref(error), error);
  for (int i = 0; i < 10; i++) /* nothing is counted */
    uvow_error_unref(error);
  assert_int_equal(uvow_error_code(uvow__error_nomem()), UVOW_ENOMEM);
}

TEST_CASE(a_size_that_overflows_is_no_memory) {
  test_alloc_t alloc;
  test_alloc_init(&alloc);
  uvow__error_spec_t spec = {.code = UVOW_EHTTP};
  spec.detail.ptr = "x";
  spec.detail.len = SIZE_MAX - 8;
  assert_ptr_equal(uvow__error_make(&alloc.allocator, &spec),
                   uvow__error_nomem());
  spec.detail.len = SIZE_MAX / 2;
  spec.data = spec.detail;
  assert_ptr_equal(uvow__error_make(&alloc.allocator, &spec),
                   uvow__error_nomem());
  spec.detail.len = spec.data.len = 0;
  spec.cause_count = SIZE_MAX / sizeof(void *) + 1;
  assert_ptr_equal(uvow__error_make(&alloc.allocator, &spec),
                   uvow__error_nomem());
  assert_int_equal(alloc.calls, 0);
}

/* The static error as a cause is neither counted nor freed. */
TEST_CASE(the_static_one_may_be_a_cause) {
  uvow__error_spec_t spec = {.code = UVOW_ELOST, .cause = uvow__error_nomem()};
  uvow_error_t *error = uvow__error_make(&uvow__mem_default, &spec);
  assert_ptr_equal(uvow_error_cause(error), uvow__error_nomem());
  uvow_error_unref(error);
}

TEST_CASE(a_long_chain_of_causes_is_freed_without_recursion) {
  test_alloc_t alloc;
  test_alloc_init(&alloc);
  uvow__error_spec_t spec = {.code = UVOW_ELOST};
  uvow_error_t *kept = NULL;
  for (int i = 0; i < 1000000; i++) {
    uvow_error_t *error = uvow__error_make(&alloc.allocator, &spec);
    uvow_error_unref((uvow_error_t *)(uintptr_t)spec.cause);
    spec.cause = error;
    if (i == 499999)
      kept = uvow_error_ref(error);
  }
  uvow_error_unref((uvow_error_t *)(uintptr_t)spec.cause);
  assert_int_equal(alloc.live, 500000);
  uvow_error_unref(kept);
  assert_int_equal(alloc.live, 0);
}

TEST_CASE(has_all_the_causes_it_was_given) {
  test_alloc_t alloc;
  uvow_error_t *causes[4];
  test_alloc_init(&alloc);
  for (int i = 0; i < 3; i++)
    causes[i] =
        uvow__error_code(&alloc.allocator, UVOW_EINVAL - i, UVOW_ANSWERED);
  causes[3] = uvow__error_nomem();
  uvow__error_spec_t spec = full_spec(causes[2]); /* ignored: `causes` is */
  spec.causes = (const uvow_error_t *const *)causes;
  spec.cause_count = 4;
  uvow_error_t *error = uvow__error_make(&alloc.allocator, &spec);
  for (int i = 0; i < 3; i++)
    uvow_error_unref(causes[i]);
  assert_int_equal(alloc.live, 4);
  assert_int_equal(uvow_error_cause_count(error), 4);
  for (size_t i = 0; i < 4; i++)
    assert_ptr_equal(uvow_error_nth_cause(error, i), causes[i]);
  assert_ptr_equal(uvow_error_cause(error), causes[0]);
  assert_null(uvow_error_nth_cause(error, 4));
  assert_null(uvow_error_nth_cause(error, SIZE_MAX));
  assert_string_equal(uvow_error_message(error), "a detail");
  assert_string_equal(uvow_error_peer_message(error), "no such method");
  uvow_error_unref(error);
  assert_int_equal(alloc.live, 0);
}

TEST_CASE(one_cause_or_none_is_counted_too) {
  uvow__error_spec_t spec = {.code = UVOW_ELOST};
  uvow_error_t *plain = uvow__error_make(&uvow__mem_default, &spec);
  spec.cause = plain;
  uvow_error_t *error = uvow__error_make(&uvow__mem_default, &spec);
  assert_int_equal(uvow_error_cause_count(NULL), 0);
  assert_null(uvow_error_nth_cause(NULL, 0));
  assert_int_equal(uvow_error_cause_count(plain), 0);
  assert_null(uvow_error_nth_cause(plain, 0));
  assert_int_equal(uvow_error_cause_count(error), 1);
  assert_ptr_equal(uvow_error_nth_cause(error, 0), plain);
  uvow_error_unref(plain);
  uvow_error_unref(error);
}

/* Each error is twice the cause of the next: 2^20 ways lead to the first. */
TEST_CASE(shared_causes_are_freed_once) {
  test_alloc_t alloc;
  test_alloc_init(&alloc);
  uvow__error_spec_t spec = {.code = UVOW_EALL};
  uvow_error_t *error = uvow__error_make(&alloc.allocator, &spec);
  for (int i = 0; i < 20; i++) {
    const uvow_error_t *twice[2] = {error, error};
    spec.causes = twice;
    spec.cause_count = 2;
    uvow_error_t *next = uvow__error_make(&alloc.allocator, &spec);
    uvow_error_unref(error);
    error = next;
  }
  assert_int_equal(alloc.live, 21);
  uvow_error_unref(error);
  assert_int_equal(alloc.live, 0);
}

TEST_CASE(outlives_the_allocator_it_was_given) {
  test_alloc_t alloc;
  test_alloc_init(&alloc);
  uvow__mem_t mem = alloc.allocator;
  uvow_error_t *error = uvow__error_code(&mem, UVOW_ELOST, UVOW_NOT_SENT);
  memset(&mem, 0, sizeof(mem));
  uvow_error_unref(error);
  assert_int_equal(alloc.live, 0);
}

TEST_CASE(every_code_has_a_name_and_a_text) {
  int codes = 0;
#define XX(name, number, text)                                                 \
  assert_int_equal(UVOW_##name, number);                                       \
  assert_int_equal(number, -5001 - codes++);                                   \
  assert_string_equal(uvow__error_name(number), "UVOW_" #name);                \
  assert_string_equal(uvow__error_text(number), text);
  UVOW_ERROR_MAP(XX)
#undef XX
  assert_int_equal(UVOW_ERROR_LAST, -5001 - codes);
  assert_null(uvow__error_text(UVOW_ERROR_LAST));
  assert_null(uvow__error_name(UVOW_ERROR_LAST));
  assert_null(uvow__error_text(0));
  assert_null(uvow__error_name(-1));
}

static void sweep_body(test_alloc_t *alloc, void *data) {
  (void)data;
  uvow_error_t *cause =
      uvow__error_code(&alloc->allocator, UVOW_ELOST, UVOW_NOT_SENT);
  uvow__error_spec_t spec = full_spec(cause);
  uvow_error_t *error = uvow__error_make(&alloc->allocator, &spec);
  assert_non_null(cause);
  assert_non_null(error);
  uvow_error_unref(cause);
  uvow_error_unref(error);
}

TEST_CASE(survives_every_failed_allocation) {
  test_alloc_sweep(sweep_body, NULL);
}

TEST_MODULE(error) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(carries_all_it_was_given),
      cmocka_unit_test(says_how_many_items_are_missing_before_it),
      cmocka_unit_test(an_error_of_a_code_has_its_text),
      cmocka_unit_test(a_detail_has_words_before_it),
      cmocka_unit_test(empty_text_is_not_no_text),
      cmocka_unit_test(is_counted),
      cmocka_unit_test(a_bare_code_takes_no_memory),
      cmocka_unit_test(null_is_no_error),
      cmocka_unit_test(without_memory_it_is_the_static_one),
      cmocka_unit_test(a_size_that_overflows_is_no_memory),
      cmocka_unit_test(the_static_one_may_be_a_cause),
      cmocka_unit_test(a_long_chain_of_causes_is_freed_without_recursion),
      cmocka_unit_test(has_all_the_causes_it_was_given),
      cmocka_unit_test(one_cause_or_none_is_counted_too),
      cmocka_unit_test(shared_causes_are_freed_once),
      cmocka_unit_test(outlives_the_allocator_it_was_given),
      cmocka_unit_test(every_code_has_a_name_and_a_text),
      cmocka_unit_test(survives_every_failed_allocation),
  };
  return cmocka_run_group_tests_name("base/error", tests, NULL, NULL);
}
