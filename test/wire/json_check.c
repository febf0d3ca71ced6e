/* JSON checked, against jansson. */
#include "wire/json_check.h"

#include "support/support.h"

#include <uvow/error.h>

#include "support/json_random.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

/* In memory of its own, so that ASan sees the smallest over-read. */
static int check(const char *text, size_t len) {
  char *bytes = (char *)malloc(len ? len : 1);
  assert_non_null(bytes);
  memcpy(bytes, text, len);
  int rc = uvow__json_check((uvow__slice_t){bytes, len});
  free(bytes);
  return rc;
}

/* What jansson says, as far as it's about JSON and not about its types. */
static int jansson(const char *text, size_t len) {
  json_error_t error;
  json_t *json =
      json_loadb(text, len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
  json_decref(json);
  if (json || json_error_code(&error) == json_error_numeric_overflow)
    return 0;
  return UVOW_EPAYLOAD;
}

/* Accepted here, and by jansson too. */
TEST_CASE(accepts_json) {
  static const char *const texts[] = {
      "null",
      "true",
      "false",
      "0",
      "-0",
      "-12.50e+3",
      "1E5",
      "\"\"",
      "[]",
      "{}",
      " [ ] ",
      "\t{\n}\r",
      "[[],[[]]]",
      "{\"a\":{\"b\":[1,2]}}",
      "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e4\\uD83D\\uDE00\"",
      "\"\\u0000\"",
      "[1 , 2]",
      "{\"a\" : 1 , \"a\" : 2}",
      "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"",
      "\"eight by\\te\""};
  for (size_t i = 0; i < COUNT(texts); i++) {
    assert_int_equal(check(texts[i], strlen(texts[i])), 0);
    assert_int_equal(jansson(texts[i], strlen(texts[i])), 0);
  }
}

/* JSON, though jansson's types can't hold it. */
TEST_CASE(accepts_more_than_a_tree_holds) {
  static const char *const texts[] = {"123456789012345678901234567890", "1e400",
                                      "\"\\ud800\"", "\"\\udc00x\""};
  for (size_t i = 0; i < COUNT(texts); i++)
    assert_int_equal(check(texts[i], strlen(texts[i])), 0);
}

static const char *const refused_texts[] = {"",
                                            " ",
                                            "nul",
                                            "nulll",
                                            "True",
                                            "01",
                                            "-",
                                            "+1",
                                            ".5",
                                            "1.",
                                            "1e",
                                            "1e+",
                                            "1.e5",
                                            "0x1",
                                            "NaN",
                                            "Infinity",
                                            "\"",
                                            "\"a",
                                            "\"\\\"",
                                            "\"\\x\"",
                                            "\"\\u12g4\"",
                                            "\"\\u123\"",
                                            "\"\n\"",
                                            "\"\x1f\"",
                                            "'a'",
                                            "[",
                                            "]",
                                            "{",
                                            "}",
                                            "[1",
                                            "[1,",
                                            "[1,]",
                                            "[,1]",
                                            "[1 2]",
                                            "[1}",
                                            "{]",
                                            "{1:2}",
                                            "{\"a\"}",
                                            "{\"a\":}",
                                            "{\"a\":1,}",
                                            "{,}",
                                            "{\"a\" 1}",
                                            "{\"a\":1 \"b\":2}",
                                            "1 2",
                                            "[]]",
                                            "//x",
                                            "\"\xff\"",
                                            "\"\xc3\"",
                                            "\"\xed\xa0\x80\"",
                                            "[\xc3\xa4]",
                                            "\xef\xbb\xbf[]"};

TEST_CASE(refuses_the_rest) {
  for (size_t i = 0; i < COUNT(refused_texts); i++) {
    if (check(refused_texts[i], strlen(refused_texts[i])) != UVOW_EPAYLOAD)
      fail_msg("accepted: %s", refused_texts[i]);
    assert_int_equal(jansson(refused_texts[i], strlen(refused_texts[i])),
                     UVOW_EPAYLOAD);
  }
  assert_int_equal(check("[\0]", 3), UVOW_EPAYLOAD);
  assert_int_equal(check("\"\0\"", 3), UVOW_EPAYLOAD);
  assert_int_equal(check("\"\\\0\"", 4), UVOW_EPAYLOAD);
}

TEST_CASE(every_cut_is_refused) {
  static const char text[] =
      "{\"a\\u00e4\":[1,-2.5e3,{\"b\":\"c\\n\"},true,null,\"a long text\"]}";
  for (size_t len = 0; len < sizeof(text) - 1; len++)
    assert_int_equal(check(text, len), UVOW_EPAYLOAD);
  assert_int_equal(check(text, sizeof(text) - 1), 0);
}

TEST_CASE(depth_is_that_of_jansson) {
  static char text[2 * (UVOW__JSON_CHECK_DEPTH + 1)];
  for (size_t depth = UVOW__JSON_CHECK_DEPTH - 1;
       depth <= UVOW__JSON_CHECK_DEPTH + 1; depth++) {
    memset(text, '[', depth);
    memset(text + depth, ']', depth);
    assert_int_equal(check(text, 2 * depth),
                     depth > UVOW__JSON_CHECK_DEPTH ? UVOW_EPAYLOAD : 0);
    assert_int_equal(check(text, 2 * depth), jansson(text, 2 * depth));
  }
}

/* Levels of both kinds, one bit each. */
TEST_CASE(each_level_has_its_bracket) {
  char text[600];
  uint32_t seed = 1;
  for (int round = 0; round < 200; round++) {
    char closing[64];
    size_t len = 0;
    unsigned depth = 1 + json_roll(&seed, 60);
    for (unsigned i = 0; i < depth; i++) {
      int is_object = (int)json_roll(&seed, 2);
      const char *opening = is_object ? "{\"a\":" : "[";
      memcpy(text + len, opening, strlen(opening));
      len += strlen(opening);
      closing[depth - 1 - i] = is_object ? '}' : ']';
    }
    text[len++] = '1';
    memcpy(text + len, closing, depth);
    assert_int_equal(check(text, len + depth), 0);
    unsigned at = json_roll(&seed, depth);
    text[len + at] = closing[at] == '}' ? ']' : '}';
    assert_int_equal(check(text, len + depth), UVOW_EPAYLOAD);
  }
}

/* Documents with a byte changed, taken away or put in: as jansson says. */
TEST_CASE(as_jansson) {
  static const char bytes[] = "{}[]\",:\\ 0123456789.eE+-tfnu\n\x01\x80\xc3";
  uint32_t seed = 7;
  int refused = 0;
  for (int round = 0; round < 3000; round++) {
    json_t *json = json_random(&seed, 4);
    char *text = json_random_text(&seed, json);
    size_t len = strlen(text);
    assert_int_equal(check(text, len), 0);
    for (int change = 0; len && change < 6; change++) {
      size_t at = json_roll(&seed, (unsigned)len);
      text[at] = bytes[json_roll(&seed, sizeof(bytes) - 1)];
      int rc = check(text, len);
      refused += rc != 0;
      /* Half a surrogate pair, or too large a number, of which jansson doesn't
       * read on. */
      if (rc != jansson(text, len) && (rc || !strstr(text, "\\u")) &&
          !strpbrk(text, "eE"))
        fail_msg("%d: %s", rc, text);
    }
    free(text);
    json_decref(json);
  }
  assert_true(refused > 3000);
}

TEST_MODULE(json_check) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(accepts_json),
      cmocka_unit_test(accepts_more_than_a_tree_holds),
      cmocka_unit_test(refuses_the_rest),
      cmocka_unit_test(every_cut_is_refused),
      cmocka_unit_test(depth_is_that_of_jansson),
      cmocka_unit_test(each_level_has_its_bracket),
      cmocka_unit_test(as_jansson),
  };
  return cmocka_run_group_tests_name("wire/json_check", tests, NULL, NULL);
}
