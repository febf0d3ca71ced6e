/* JSON text by a format, against jansson's json_pack. */
#include "wire/json_format.h"

#include "support/support.h"

#include <math.h>

#include <jansson.h>

#include <uvow/error.h>

static int format(uvow__buf_t *out, const char *text, ...) {
  va_list args;
  va_start(args, text);
  int rc = uvow__json_format(out, text, args);
  va_end(args);
  return rc;
}

/* The text that the arguments give; NULL: they give none. */
#define WRITTEN(...)                                                           \
  (uvow__buf_clear(&buf, 0), written(format(&buf, __VA_ARGS__)))

static uvow__buf_t buf;
static char text[4096];

static const char *written(int rc) {
  size_t len = uvow__buf_size(&buf);
  if (rc) {
    assert_int_equal(len, 0);
    return uvow_err_name(rc);
  }
  memcpy(text, uvow__buf_front(&buf), len);
  text[len] = '\0';
  return text;
}

static int setup(void **state) {
  (void)state;
  uvow__buf_init(&buf, &uvow__mem_default, sizeof(text) - 1);
  return 0;
}

static int teardown(void **state) {
  (void)state;
  uvow__buf_done(&buf);
  return 0;
}

TEST_CASE(values) {
  assert_string_equal(WRITTEN("n"), "null");
  assert_string_equal(WRITTEN("b", 0), "false");
  assert_string_equal(WRITTEN("b", 2), "true");
  assert_string_equal(WRITTEN("i", -7), "-7");
  assert_string_equal(WRITTEN("I", INT64_MIN), "-9223372036854775808");
  assert_string_equal(WRITTEN("I", INT64_MAX), "9223372036854775807");
  assert_string_equal(WRITTEN("f", 0.25), "0.25");
  assert_string_equal(WRITTEN("f", 2.0), "2.0");
  assert_string_equal(WRITTEN("s", "a\"\\\n\x01\xc3\xa4"),
                      "\"a\\\"\\\\\\n\\u0001\xc3\xa4\"");
  assert_string_equal(WRITTEN("s", ""), "\"\"");
  assert_string_equal(WRITTEN("s#", "abc", 2), "\"ab\"");
  assert_string_equal(WRITTEN("s%", "a\0c", (size_t)3), "\"a\\u0000c\"");
  assert_string_equal(WRITTEN("s?", "a"), "\"a\"");
  assert_string_equal(WRITTEN("s?", NULL), "null");
  assert_string_equal(WRITTEN("r", " [1, 2] "), "[1, 2]");
  assert_string_equal(WRITTEN("r?", NULL), "null");
  assert_string_equal(WRITTEN("o", json_pack("[i]", 1)), "[1]");
  assert_string_equal(WRITTEN("o?", NULL), "null");
  json_t *json = json_pack("{s:n}", "a");
  assert_string_equal(WRITTEN("O", json), "{\"a\":null}");
  assert_int_equal(json->refcount, 1);
  json_decref(json);
}

TEST_CASE(containers) {
  assert_string_equal(WRITTEN("{}"), "{}");
  assert_string_equal(WRITTEN(" [ ] "), "[]");
  assert_string_equal(WRITTEN("[[],{}]"), "[[],{}]");
  assert_string_equal(
      WRITTEN("{s:i, s:[s,s], s:{s:b}}", "a", 1, "b", "[", "{", "c\n", "d", 1),
      "{\"a\":1,\"b\":[\"[\",\"{\"],\"c\\n\":{\"d\":true}}");
  assert_string_equal(WRITTEN("{sisi}", "a", 1, "b", 2), "{\"a\":1,\"b\":2}");
  assert_string_equal(WRITTEN("{s#:i,s%:i}", "abc", 1, 1, "xyz", (size_t)2, 2),
                      "{\"a\":1,\"xy\":2}");
  assert_string_equal(WRITTEN("[r,r,i]", "[", "{}", 1), "UVOW_EINVAL");
  assert_string_equal(WRITTEN("[r,r,i]", "[[]]", "{}", 1), "[[[]],{},1]");
}

TEST_CASE(what_is_left_out) {
  assert_string_equal(WRITTEN("{s:s*,s:i}", "a", NULL, "b", 2), "{\"b\":2}");
  assert_string_equal(WRITTEN("{s:i,s:s*}", "b", 2, "a", NULL), "{\"b\":2}");
  assert_string_equal(WRITTEN("{s:o*,s:r*}", "a", NULL, "b", NULL), "{}");
  assert_string_equal(WRITTEN("[s*,s*,s*]", "a", NULL, "c"), "[\"a\",\"c\"]");
  assert_string_equal(WRITTEN("s*", NULL), "UVOW_EINVAL");
}

TEST_CASE(what_cannot_be_written) {
  assert_string_equal(WRITTEN("s", NULL), "UVOW_EINVAL");
  assert_string_equal(WRITTEN("o", NULL), "UVOW_EINVAL");
  assert_string_equal(WRITTEN("O", NULL), "UVOW_EINVAL");
  assert_string_equal(WRITTEN("r", NULL), "UVOW_EINVAL");
  assert_string_equal(WRITTEN("r", ""), "UVOW_EINVAL");
  assert_string_equal(WRITTEN("{s:r}", "a", "1,\"b\":2"), "UVOW_EINVAL");
  assert_string_equal(WRITTEN("{s:r}", "a", "1}"), "UVOW_EINVAL");
  assert_string_equal(WRITTEN("{s:i}", NULL, 1), "UVOW_EINVAL");
  assert_string_equal(WRITTEN("s#", "abc", -1), "UVOW_EINVAL");
  assert_string_equal(WRITTEN("s", "\xff"), "UVOW_EINVAL");
  assert_string_equal(WRITTEN("{s:i}", "\xc3", 1), "UVOW_EINVAL");
  assert_string_equal(WRITTEN("[f]", HUGE_VAL), "UVOW_EINVAL");
  assert_string_equal(WRITTEN("[f]", nan("")), "UVOW_EINVAL");
}

TEST_CASE(wrong_formats) {
  static const char *const wrong[] = {
      "",    " ",   "x",    "{",  "[",  "}",    "]", "[}", "{]",  "{i",
      "{n}", "[]]", "{}{}", "[n", "nn", "[n]n", "+", "?",  "[?]", "*"};
  for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
    assert_string_equal(WRITTEN(wrong[i], 1, 2), "UVOW_EINVAL");
  assert_string_equal(WRITTEN("{s}", "a"), "UVOW_EINVAL");
  assert_string_equal(WRITTEN("{s:}", "a"), "UVOW_EINVAL");
  assert_string_equal(WRITTEN("{s:i", "a", 1), "UVOW_EINVAL");
  assert_string_equal(WRITTEN("s??", "a"), "UVOW_EINVAL");
  assert_string_equal(WRITTEN(NULL), "UVOW_EINVAL");
}

/* json_t that is given away is freed, whatever fails before or behind it. */
TEST_CASE(o_is_taken_in_any_case) {
  json_t *json = json_array();
  for (int i = 0; i < 5; i++)
    json_incref(json);
  assert_string_equal(WRITTEN("[s,o]", NULL, json), "UVOW_EINVAL");
  assert_string_equal(WRITTEN("[o,s]", json, "\xff"), "UVOW_EINVAL");
  assert_string_equal(WRITTEN("[f,{s:o}]", HUGE_VAL, "a", json), "UVOW_EINVAL");
  assert_string_equal(WRITTEN("{s:o}", NULL, json), "UVOW_EINVAL");
  assert_string_equal(WRITTEN("[o]]", json), "UVOW_EINVAL");
  assert_int_equal(json->refcount, 1);
  json_decref(json);
}

/* With room for each number of bytes: all of it, or nothing. */
TEST_CASE(all_or_nothing) {
  static const char expected[] =
      "x{\"a\\n\":-12,\"b\":[\"c\",1.5,{\"d\":[1]},null,true]}";
  for (size_t max = 1; max < sizeof(expected) + 5; max++) {
    uvow__buf_t out;
    json_t *json = json_pack("{s:[i]}", "d", 1);
    uvow__buf_init(&out, &uvow__mem_default, max);
    assert_int_equal(uvow__buf_append_text(&out, "x"), 0);
    int rc =
        format(&out, "{s:i,s:[s,f,O,n,b]}", "a\n", -12, "b", "c", 1.5, json, 1);
    int fits = max >= sizeof(expected) - 1;
    assert_int_equal(rc, fits ? 0 : UVOW_EOVERLOAD);
    assert_int_equal(uvow__buf_size(&out), fits ? sizeof(expected) - 1 : 1);
    assert_memory_equal(uvow__buf_front(&out), expected, uvow__buf_size(&out));
    json_decref(json);
    uvow__buf_done(&out);
  }
}

static void sweep(test_alloc_t *alloc, void *data) {
  uvow__buf_t out;
  (void)data;
  uvow__buf_init(&out, &alloc->allocator, SIZE_MAX);
  int rc = format(&out, "[s,o,s]", "a", json_pack("[i]", 1), "text\n");
  assert_int_equal(rc, alloc->failed ? UVOW_ENOMEM : 0);
  uvow__buf_done(&out);
}

TEST_CASE(each_allocation_may_fail) {
  test_alloc_sweep(sweep, NULL);
}

TEST_CASE(deep) {
  static char brackets[2 * 2049 + 1];
  for (size_t depth = 2048; depth <= 2049; depth++) {
    uvow__buf_t out;
    memset(brackets, '[', depth);
    memset(brackets + depth, ']', depth);
    brackets[2 * depth] = '\0';
    uvow__buf_init(&out, &uvow__mem_default, SIZE_MAX);
    assert_int_equal(format(&out, brackets), depth > 2048 ? UVOW_EINVAL : 0);
    assert_int_equal(uvow__buf_size(&out), depth > 2048 ? 0 : 2 * depth);
    uvow__buf_done(&out);
  }
}

/* The same format and arguments, packed and written, mean the same. */
#define SAME(...)                                                              \
  do {                                                                         \
    json_t *tree = json_pack(__VA_ARGS__);                                     \
    json_t *again = json_loads(WRITTEN(__VA_ARGS__),                           \
                               JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);        \
    assert_non_null(tree);                                                     \
    assert_true(json_equal(tree, again));                                      \
    json_decref(tree);                                                         \
    json_decref(again);                                                        \
  } while (0)

TEST_CASE(as_json_pack) {
  static const double numbers[] = {0, -0.1, 1e300, 123456789.125, 1e-9, 7};
  static const char *const texts[] = {"",
                                      "a",
                                      "\"\\/\b\f\n\r\t",
                                      "\x7f",
                                      "\xe2\x82\xac",
                                      "a text of many words"};
  for (size_t i = 0; i < 6; i++) {
    const char *s = texts[i];
    double f = numbers[i];
    int n = (int)f % 1000;
    SAME("{s:i,s:I,s:f,s:b,s:n,s:s}", "a", n, "b", (json_int_t)n * 1000000007,
         s, f, "d", n, "e", "f", s);
    SAME("[{s:[s,s#,s%],s:{}},[],s?,s?]", s, s, "abc", n % 2, s, strlen(s), "z",
         s, NULL);
    SAME(" { s : o , s : [ O ] } ", "x", json_pack("[f]", f), "y", json_true());
    SAME("[s*,i,s*]", NULL, n, s);
    SAME("{s:s*,s:i,s:o?}", "a", NULL, "b", n, "c", NULL);
  }
}

TEST_MODULE(json_format) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(values),
      cmocka_unit_test(containers),
      cmocka_unit_test(what_is_left_out),
      cmocka_unit_test(what_cannot_be_written),
      cmocka_unit_test(wrong_formats),
      cmocka_unit_test(o_is_taken_in_any_case),
      cmocka_unit_test(all_or_nothing),
      cmocka_unit_test(each_allocation_may_fail),
      cmocka_unit_test(deep),
      cmocka_unit_test(as_json_pack),
  };
  return cmocka_run_group_tests_name("wire/json_format", tests, setup,
                                     teardown);
}
