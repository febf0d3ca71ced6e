/* A call as a line. */
#include "line.h"

#include "support/support.h"

static void expect(const char *text, const char *method, const char *params) {
  line_t line;
  assert_int_equal(line_read(&line, text, strlen(text)), 0);
  assert_string_equal(line.error, "");
  assert_string_equal(line.method, method);
  assert_int_equal(line.params_len, strlen(params));
  assert_memory_equal(line.params, params, line.params_len);
  line_done(&line);
}

TEST_CASE(test_a_method_and_its_params) {
  expect("add [1, 2]", "add", "[1, 2]");
  expect("  add\t {\"a\":1}  \r", "add", "{\"a\":1}");
  expect("add", "add", "");
  expect("add \"a b\"", "add", "\"a b\"");
  expect("x 12345678901234567890123", "x", "12345678901234567890123");
}

TEST_CASE(test_nothing_is_asked_for) {
  static const char *const lines[] = {"", "   ", "\t\r", "# add [1]", " #"};
  line_t line;
  for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
    assert_int_equal(line_read(&line, lines[i], strlen(lines[i])), 0);
    assert_null(line.method);
    line_done(&line);
  }
}

TEST_CASE(test_params_must_be_json) {
  static const char *const lines[] = {"a {", "a [1,]", "a b", "a 1 2"};
  line_t line;
  for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
    assert_int_equal(line_read(&line, lines[i], strlen(lines[i])), 0);
    assert_string_equal(line.method, "a");
    assert_int_equal(strncmp(line.error, "the params are not JSON: ", 25), 0);
    line_done(&line);
  }
}

TEST_MODULE(line) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_method_and_its_params),
      cmocka_unit_test(test_nothing_is_asked_for),
      cmocka_unit_test(test_params_must_be_json),
  };
  return cmocka_run_group_tests_name("cli/line", tests, NULL, NULL);
}
