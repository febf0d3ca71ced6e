/* Payloads to json_t and back. */
#include "support/support.h"

#include <math.h>

#include <jansson.h>

#include <uvow/error.h>

#include "wire/json.h"

static uvow__slice_t slice(const char *text) {
  uvow__slice_t s = {text, strlen(text)};
  return s;
}

TEST_CASE(parses_any_value) {
  static const char *const texts[] = {
      "null", "true", "-12", "1.5", "\"\\u0000x\"", "[1,{\"a\":[]}]", " {} "};
  for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
    json_t *json = NULL;
    assert_int_equal(uvow__json_parse(slice(texts[i]), &json), 0);
    assert_non_null(json);
    uvow__json_ref(json);
    uvow__json_unref(json);
    uvow__json_unref(json);
  }
}

TEST_CASE(refuses_what_is_none) {
  static const char *const texts[] = {
      "", " ", "{", "[1,]", "nul", "1 2", "\"\xff\"", "{\"a\":}", "'a'"};
  for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
    json_t *json = NULL;
    assert_int_equal(uvow__json_parse(slice(texts[i]), &json), UVOW_EPAYLOAD);
    assert_null(json);
  }
}

/* Also valid JSON that json_t can't hold. */
TEST_CASE(says_why) {
  static const struct {
    const char *text;
    const char *reason;
  } cases[] = {
      {"18446744073709551615", "too big integer"},
      {"[9223372036854775808]", "too big integer"},
      {"1e400", "real number overflow"},
      {"\"\\ud800\"", "invalid Unicode"},
      {"{\"a\\u0000\":1}", "NUL byte in object key"},
      {"[1,\n2,,3]", "line 2, column 3 (byte 7)"},
      {"", "there is no payload"},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    char reason[200];
    uvow__json_reason(slice(cases[i].text), reason, sizeof(reason));
    if (!strstr(reason, cases[i].reason))
      fail_msg("%s: %s", cases[i].text, reason);
    uvow__json_reason(slice(cases[i].text), reason, 5);
    assert_true(strlen(reason) < 5);
  }
}

/* No byte beyond the slice is looked at, and none before its end is left. */
TEST_CASE(every_cut_is_refused) {
  static const char text[] = "{\"a\":[1,2,{\"b\":\"c\"}]}";
  for (size_t len = 0; len < sizeof(text) - 1; len++) {
    char *exact = malloc(len + 1);
    json_t *json = NULL;
    memcpy(exact, text, len);
    uvow__slice_t cut = {exact, len};
    assert_int_equal(uvow__json_parse(cut, &json), UVOW_EPAYLOAD);
    free(exact);
  }
}

TEST_CASE(dumps_all_or_nothing) {
  uvow__buf_t out;
  uvow__buf_init(&out, &uvow__mem_default, 12);
  assert_int_equal(uvow__buf_append_text(&out, "x"), 0);
  json_t *json = json_pack("{s:i}", "a", 1);
  assert_int_equal(uvow__json_dump(json, &out), 0);
  assert_int_equal(uvow__buf_size(&out), 8);
  assert_memory_equal(uvow__buf_front(&out), "x{\"a\":1}", 8);
  assert_int_equal(uvow__json_dump(json, &out), UVOW_EOVERLOAD);
  assert_int_equal(uvow__buf_size(&out), 8);
  assert_int_equal(uvow__json_dump(NULL, &out), UVOW_EINVAL);
  uvow__json_unref(json);
  uvow__buf_done(&out);
}

TEST_CASE(dumps_finite_numbers) {
  uvow__buf_t out;
  uvow__buf_init(&out, &uvow__mem_default, 100);
  assert_int_equal(uvow__json_dump_double(1.5, &out), 0);
  assert_memory_equal(uvow__buf_front(&out), "1.5", 3);
  assert_int_equal(uvow__json_dump_double(HUGE_VAL, &out), UVOW_EINVAL);
  assert_int_equal(uvow__buf_size(&out), 3);
  uvow__buf_done(&out);
}

TEST_MODULE(json) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(parses_any_value),
      cmocka_unit_test(refuses_what_is_none),
      cmocka_unit_test(says_why),
      cmocka_unit_test(every_cut_is_refused),
      cmocka_unit_test(dumps_all_or_nothing),
      cmocka_unit_test(dumps_finite_numbers),
  };
  return cmocka_run_group_tests_name("wire/json", tests, NULL, NULL);
}
