/* Failures: cheap notes, sentences on demand. */
#include "support/support.h"

#include "base/error.h"
#include "base/reason.h"

static const char *told(uvow__reason_t *reason) {
  return uvow_error_message(uvow__reason_error(reason, &uvow__mem_default));
}

TEST_CASE(nothing_has_failed) {
  uvow__reason_t reason = {0};
  assert_int_equal(
      uvow_error_code(uvow__reason_error(&reason, &uvow__mem_default)), 0);
  uvow__reason_done(&reason);
}

TEST_CASE(a_sentence_says_what_was_expected) {
  uvow__reason_t reason = {0};
  assert_int_equal(
      uvow__reason_note(&reason, UVOW_EINVAL, "url", "must not be NULL"),
      UVOW_EINVAL);
  assert_string_equal(told(&reason), "url must not be NULL");
  uvow__reason_note_number(&reason, UVOW_EINVAL, "level", 12,
                           "it must be 1 to 9");
  assert_string_equal(told(&reason), "level is 12: it must be 1 to 9");
  uvow__reason_note(&reason, UVOW_ECLOSED, "the loop is closed", NULL);
  assert_string_equal(told(&reason), "the loop is closed");
  uvow__reason_note(&reason, UVOW_ENOMEM, NULL, NULL);
  assert_string_equal(told(&reason), "out of memory");
  assert_int_equal(uvow__reason_note(NULL, UVOW_ENOMEM, NULL, NULL),
                   UVOW_ENOMEM);
  uvow__reason_done(&reason);
}

TEST_CASE(a_note_takes_no_memory) {
  uvow__reason_t reason = {0};
  test_alloc_t alloc;
  test_alloc_init(&alloc);
  uvow__reason_note(&reason, UVOW_EINVAL, "x", "must be y");
  assert_int_equal(alloc.calls, 0);
  const uvow_error_t *error = uvow__reason_error(&reason, &alloc.allocator);
  assert_int_equal(alloc.calls, 1);
  assert_ptr_equal(uvow__reason_error(&reason, &alloc.allocator), error);
  assert_int_equal(alloc.calls, 1);
  uvow__reason_note(&reason, UVOW_EINVAL, "z", "must be y");
  assert_int_equal(alloc.live, 0);
  alloc.fail_at = alloc.calls + 1;
  error = uvow__reason_error(&reason, &alloc.allocator);
  assert_int_equal(uvow_error_code(error), UVOW_ENOMEM);
  uvow__reason_done(&reason);
}

TEST_CASE(an_error_is_kept_as_it_is) {
  uvow__reason_t reason = {0};
  uvow__error_spec_t spec = {0};
  spec.code = UVOW_ELOST;
  spec.outcome = UVOW_MAYBE_EXECUTED;
  spec.cause = uvow__error_nomem();
  uvow_error_t *error = uvow__error_make(&uvow__mem_default, &spec);
  assert_int_equal(uvow__reason_note_error(&reason, error), UVOW_ELOST);
  assert_ptr_equal(uvow__reason_error(&reason, &uvow__mem_default), error);
  assert_int_equal(uvow__reason_note_error(&reason, NULL), 0);
  assert_ptr_equal(uvow__reason_error(&reason, &uvow__mem_default), error);
  assert_int_equal(uvow__reason_note_error(
                       NULL, uvow__error_make(&uvow__mem_default, &spec)),
                   UVOW_ELOST);
  uvow__reason_done(&reason);
}

TEST_MODULE(reason) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(nothing_has_failed),
      cmocka_unit_test(a_sentence_says_what_was_expected),
      cmocka_unit_test(a_note_takes_no_memory),
      cmocka_unit_test(an_error_is_kept_as_it_is),
  };
  return cmocka_run_group_tests_name("base/reason", tests, NULL, NULL);
}
