/* Several fields by a format, against jansson's json_unpack. */
#include "wire/json_unpack.h"

#include "support/support.h"

#include <jansson.h>

#include <uvow/error.h>

#include "support/json_random.h"
#include "wire/json_check.h"

static uvow__json_plan_t plan;

static uvow__slice_t slice(const char *text) {
  uvow__slice_t s = {text, strlen(text)};
  return s;
}

static int read_plan(const char *format, ...) {
  va_list args;
  va_start(args, format);
  int rc = uvow__json_plan_read(&plan, format, args);
  va_end(args);
  return rc;
}

static int match(const char *text) {
  for (size_t i = 0; i < plan.count; i++)
    plan.wants[i].raw = (uvow__slice_t){NULL, 0};
  return uvow__json_plan_match(&plan, slice(text));
}

static void found(size_t want, const char *expected) {
  uvow__slice_t raw = plan.wants[want].raw;
  assert_non_null(raw.ptr);
  assert_int_equal(raw.len, strlen(expected));
  assert_memory_equal(raw.ptr, expected, raw.len);
}

static int number;
static int64_t large;
static double real;
static const char *text_at;
static void *slice_at = &number;

TEST_CASE(plans) {
  assert_int_equal(read_plan("{s:i, s?{s:I}, s:[f,F], s:s}", "a", &number, "b",
                             "c", &large, "d", &real, &real, "e", &text_at),
                   0);
  assert_int_equal(plan.count, 8);
  static const struct {
    char type;
    unsigned parent;
    unsigned next;
  } expected[] = {{'{', 0, 0}, {'i', 0, 2}, {'{', 0, 4}, {'I', 2, 0},
                  {'[', 0, 7}, {'f', 4, 6}, {'f', 4, 0}, {'s', 0, 0}};
  for (size_t i = 0; i < 8; i++) {
    assert_int_equal(plan.wants[i].type, expected[i].type);
    assert_int_equal(plan.wants[i].parent, expected[i].parent);
    assert_int_equal(plan.wants[i].next, expected[i].next);
    assert_int_equal(plan.wants[i].optional, i == 2);
  }
  assert_ptr_equal(plan.wants[7].ret, &text_at);
}

TEST_CASE(wrong_plans) {
  static const char *const wrong[] = {
      "",   "x",    "{",    "[",     "}", "[}", "{]", "{i}", "ii",
      "[i", "[i]i", "[!i]", "[i!!]", "!", "*",  "s#", "{s!}"};
  char many[UVOW__JSON_WANTS_MAX + 2];
  for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
    assert_int_equal(read_plan(wrong[i], &number, &number), UVOW_EINVAL);
  assert_int_equal(read_plan(NULL), UVOW_EINVAL);
  assert_int_equal(read_plan("i", NULL), UVOW_EINVAL);
  assert_int_equal(read_plan("{s:i}", NULL, &number), UVOW_EINVAL);
  assert_int_equal(read_plan("{s:i}", "a", NULL), UVOW_EINVAL);
  memset(many, 'n', sizeof(many));
  many[0] = '[';
  many[UVOW__JSON_WANTS_MAX] = ']';
  many[UVOW__JSON_WANTS_MAX + 1] = '\0';
  assert_int_equal(read_plan(many), 0);
  many[UVOW__JSON_WANTS_MAX] = 'n';
  assert_int_equal(read_plan(many), UVOW_EINVAL);
}

TEST_CASE(members) {
  assert_int_equal(
      read_plan("{s:i,s:o,s?s}", "a", &number, "b", slice_at, "c", &text_at),
      0);
  assert_int_equal(match(" {\"a\":1,\"b\":[2]} "), 0);
  found(1, "1");
  found(2, "[2]");
  assert_null(plan.wants[3].raw.ptr);
  assert_int_equal(match("{\"c\":\"x\",\"b\":{},\"z\":9,\"\\u0061\":3}"), 0);
  found(1, "3");
  found(2, "{}");
  found(3, "\"x\"");
  assert_int_equal(match("{\"a\":1,\"b\":2,\"a\":3,\"b\":4}"), 0);
  found(1, "3");
  found(2, "4");
  assert_int_equal(match("{\"a\":1}"), UVOW_ETYPE);
  assert_int_equal(match("{}"), UVOW_ETYPE);
  assert_int_equal(match("[1,2]"), UVOW_ETYPE);
  assert_int_equal(match("1"), UVOW_ETYPE);
}

TEST_CASE(nested) {
  assert_int_equal(read_plan("{s:{s:i,s?[i,i]},s?{s:i}}", "a", "b", &number,
                             "c", &number, &number, "d", "e", &number),
                   0);
  assert_int_equal(match("{\"a\":{\"c\":[1,2,3],\"b\":4}}"), 0);
  found(2, "4");
  found(4, "1");
  found(5, "2");
  assert_null(plan.wants[7].raw.ptr);
  assert_int_equal(match("{\"d\":{\"e\":5},\"a\":{\"b\":4}}"), 0);
  found(7, "5");
  assert_null(plan.wants[4].raw.ptr);
  /* The last of the same name, with all that is in it. */
  assert_int_equal(match("{\"a\":{\"b\":1,\"c\":[1,2]},\"a\":{\"b\":2}}"), 0);
  found(2, "2");
  assert_null(plan.wants[4].raw.ptr);
  assert_int_equal(match("{\"a\":{\"b\":4},\"d\":{}}"), UVOW_ETYPE);
  assert_int_equal(match("{\"a\":{\"b\":4},\"d\":null}"), UVOW_ETYPE);
  assert_int_equal(match("{\"a\":{\"b\":4,\"c\":[1]}}"), UVOW_ETYPE);
  assert_int_equal(match("{\"a\":[4]}"), UVOW_ETYPE);
}

TEST_CASE(nothing_else) {
  assert_int_equal(read_plan("{s:i,s?i!}", "a", &number, "b", &number), 0);
  assert_int_equal(match("{\"a\":1}"), 0);
  assert_int_equal(match("{\"b\":1,\"a\":1}"), 0);
  assert_int_equal(match("{\"a\":1,\"c\":1}"), UVOW_ETYPE);
  assert_int_equal(read_plan("[i!]", &number), 0);
  assert_int_equal(match("[1]"), 0);
  assert_int_equal(match("[1,2]"), UVOW_ETYPE);
  assert_int_equal(match("[]"), UVOW_ETYPE);
  assert_int_equal(read_plan("[i*]", &number), 0);
  assert_int_equal(match("[1,2]"), 0);
  assert_int_equal(read_plan("{!}"), 0);
  assert_int_equal(match("{}"), 0);
  assert_int_equal(match("{\"a\":1}"), UVOW_ETYPE);
}

TEST_CASE(a_value_alone) {
  assert_int_equal(read_plan(" i ", &number), 0);
  assert_int_equal(match(" 12 "), 0);
  found(0, "12");
}

/* Whether jansson finds what a plan finds, in documents of any shape. */
TEST_CASE(as_json_unpack) {
  static const char format[] = "{s?o,s?o,s?{s?o,s?o},s?o}";
  uint32_t seed = 11;
  int hits = 0;
  for (int round = 0; round < 5000; round++) {
    json_t *json = json_random(&seed, 3);
    json_t *trees[5] = {NULL, NULL, NULL, NULL, NULL};
    static const size_t wants[5] = {1, 2, 4, 5, 6};
    char *text = json_random_text(&seed, json);
    const char *n = round % 2 ? "name" : "0";
    assert_int_equal(uvow__json_check(slice(text)), 0);
    int rc = json_unpack(json, format, "a", &trees[0], "", &trees[1], n, "a",
                         &trees[2], "/", &trees[3], "~", &trees[4]);
    assert_int_equal(read_plan(format, "a", slice_at, "", slice_at, n, "a",
                               slice_at, "/", slice_at, "~", slice_at),
                     0);
    assert_int_equal(match(text), rc ? UVOW_ETYPE : 0);
    for (size_t i = 0; rc == 0 && i < 5; i++) {
      uvow__slice_t raw = plan.wants[wants[i]].raw;
      assert_int_equal(raw.ptr != NULL, trees[i] != NULL);
      if (!raw.ptr)
        continue;
      json_t *same =
          json_loadb(raw.ptr, raw.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
      assert_true(json_equal(same, trees[i]));
      json_decref(same);
      hits++;
    }
    free(text);
    json_decref(json);
  }
  assert_true(hits > 500);
}

TEST_MODULE(json_unpack) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(plans),          cmocka_unit_test(wrong_plans),
      cmocka_unit_test(members),        cmocka_unit_test(nested),
      cmocka_unit_test(nothing_else),   cmocka_unit_test(a_value_alone),
      cmocka_unit_test(as_json_unpack),
  };
  return cmocka_run_group_tests_name("wire/json_unpack", tests, NULL, NULL);
}
