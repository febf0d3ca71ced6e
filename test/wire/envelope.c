#include "wire/envelope.h"

#include "support/support.h"

#include <stdio.h>

#include <uvow/error.h>

enum { ID = UVOW__CAPTURE_FIRST, RESULT, ERROR, CODE, LONG, ZERO, STATUS };

static const uvow__key_t error_keys[] = {UVOW__KEY("code", CODE, NULL)};
static const uvow__level_t error_level = UVOW__OBJECT(error_keys);
static const uvow__key_t keys[] = {
    UVOW__KEY("id", ID, NULL),
    UVOW__KEY("result", RESULT, NULL),
    UVOW__KEY("error", ERROR, &error_level),
    UVOW__KEY("a_callback_id15", LONG, NULL),
};
static const uvow__level_t object = UVOW__OBJECT(keys);

/* "/0" and "/2/status" */
static const uvow__key_t status_keys[] = {UVOW__KEY("status", STATUS, NULL)};
static const uvow__level_t status_level = UVOW__OBJECT(status_keys);
static const uvow__key_t items[] = {
    UVOW__ITEM(ZERO, NULL), UVOW__ITEM(UVOW__CAPTURE_NONE, NULL),
    UVOW__ITEM(UVOW__CAPTURE_NONE, &status_level)};
static const uvow__level_t array = UVOW__ARRAY(items);

/* Scans a copy without anything behind it, so that an over-read is seen. The
 * slices are moved to the original. */
static int scan(const uvow__level_t *root, const char *text, size_t len,
                uvow__captures_t *ret) {
  char *copy = (char *)malloc(len ? len : 1);
  assert_non_null(copy);
  memcpy(copy, text, len);
  int rc = uvow__envelope_scan(root, copy, len, ret);
  for (size_t i = 0; rc == 0 && i < 16; i++)
    if (uvow__capture_kind(ret, i) != UVOW__JSON_ABSENT)
      ret->texts[i].ptr = text + (ret->texts[i].ptr - copy);
  free(copy);
  return rc;
}

static void is_capture(const uvow__captures_t *found, size_t capture,
                       uvow__json_kind_t kind, const char *text) {
  uvow__slice_t got = uvow__capture_text(found, capture);
  assert_int_equal(uvow__capture_kind(found, capture), kind);
  if (!text) {
    assert_null(got.ptr);
    return;
  }
  assert_int_equal(got.len, strlen(text));
  assert_memory_equal(got.ptr, text, got.len);
}

TEST_CASE(captures_values) {
  uvow__captures_t found;
  const char *text =
      " { \"x\" : [1,{}] , \"id\" : 12 ,\t\"result\":{\"id\":[7]}"
      ",\"error\":{\"y\":1,\"code\":-3.5e+2,\"z\":\"\"}"
      ",\"a_callback_id15\":\"\\\"\"}\r\n";
  assert_int_equal(scan(&object, text, strlen(text), &found), 0);
  is_capture(&found, ID, UVOW__JSON_NUMBER, "12");
  is_capture(&found, RESULT, UVOW__JSON_OBJECT, "{\"id\":[7]}");
  is_capture(&found, ERROR, UVOW__JSON_OBJECT,
             "{\"y\":1,\"code\":-3.5e+2,\"z\":\"\"}");
  is_capture(&found, CODE, UVOW__JSON_NUMBER, "-3.5e+2");
  is_capture(&found, LONG, UVOW__JSON_STRING, "\"\\\"\"");
  is_capture(&found, UVOW__CAPTURE_NONE, UVOW__JSON_ABSENT, NULL);
  assert_int_equal(found.texts[UVOW__CAPTURE_ALL].len, strlen(text) - 3);
  assert_ptr_equal(found.texts[UVOW__CAPTURE_ALL].ptr, text + 1);
}

TEST_CASE(knows_every_kind) {
  static const struct {
    const char *raw;
    uvow__json_kind_t kind;
  } cases[] = {
      {"null", UVOW__JSON_NULL},
      {"true", UVOW__JSON_TRUE},
      {"false", UVOW__JSON_FALSE},
      {"0", UVOW__JSON_NUMBER},
      {"-0", UVOW__JSON_NUMBER},
      {"1e9", UVOW__JSON_NUMBER},
      {"0.5", UVOW__JSON_NUMBER},
      {"123456789012345678901234567890", UVOW__JSON_NUMBER},
      {"\"\"", UVOW__JSON_STRING},
      {"\"\\u00e9\\\\\"", UVOW__JSON_STRING},
      {"[]", UVOW__JSON_ARRAY},
      {"[[[]],{\"a\":\"]\"}]", UVOW__JSON_ARRAY},
      {"{}", UVOW__JSON_OBJECT},
      {"{\"\\\\\":\"}\\\"}\"}", UVOW__JSON_OBJECT},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    char text[100];
    uvow__captures_t found;
    uvow__json_kind_t kind;
    uvow__slice_t value;
    snprintf(text, sizeof(text), "{\"id\":%s}", cases[i].raw);
    assert_int_equal(scan(&object, text, strlen(text), &found), 0);
    is_capture(&found, ID, cases[i].kind, cases[i].raw);
    snprintf(text, sizeof(text), " %s\n", cases[i].raw);
    value = (uvow__slice_t){text, strlen(text)};
    assert_int_equal(uvow__envelope_value(value, &kind, &value), 0);
    assert_int_equal(kind, cases[i].kind);
    assert_int_equal(value.len, strlen(cases[i].raw));
    assert_ptr_equal(value.ptr, text + 1);
  }
}

TEST_CASE(matches_escaped_keys) {
  static const char *const same[] = {"{\"\\u0069d\":1}", "{\"i\\u0064\":1}",
                                     "{\"\\u0069\\u0064\" :1,\"x\":2}"};
  static const char *const others[] = {
      "{\"ID\":1,\"xx\":1}",    "{\"i\":1,\"xxx\":1}",
      "{\"idx\":1,\"xx\":1}",   "{\"\":1,\"xxxxxx\":1}",
      "{\"i\\u0000d\":1}",      "{\"\\ud800id\":1}",
      "{\"a_callback_id1\":1}", "{\"a_callback_id155\":1}",
      "{\"a_callback_id14\":1}"};
  uvow__captures_t found;
  for (size_t i = 0; i < sizeof(same) / sizeof(*same); i++) {
    assert_int_equal(scan(&object, same[i], strlen(same[i]), &found), 0);
    is_capture(&found, ID, UVOW__JSON_NUMBER, "1");
  }
  for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
    assert_int_equal(scan(&object, others[i], strlen(others[i]), &found), 0);
    is_capture(&found, ID, UVOW__JSON_ABSENT, NULL);
    is_capture(&found, LONG, UVOW__JSON_ABSENT, NULL);
  }
}

TEST_CASE(reads_arrays) {
  uvow__captures_t found;
  const char *text = "[ 1 ,\"j\", {\"status\":\"ok\"},{\"status\":2} ]";
  assert_int_equal(scan(&array, text, strlen(text), &found), 0);
  is_capture(&found, ZERO, UVOW__JSON_NUMBER, "1");
  is_capture(&found, STATUS, UVOW__JSON_STRING, "\"ok\"");
  is_capture(&found, UVOW__CAPTURE_ALL, UVOW__JSON_ARRAY, text);
  assert_int_equal(scan(&array, "[]", 2, &found), 0);
  assert_int_equal(scan(&array, "[null]", 6, &found), 0);
  is_capture(&found, ZERO, UVOW__JSON_NULL, "null");
  is_capture(&found, STATUS, UVOW__JSON_ABSENT, NULL);
  assert_int_equal(scan(&array, "[1,]", 4, &found), UVOW_EENVELOPE);
  assert_int_equal(scan(&array, "[,1]", 4, &found), UVOW_EENVELOPE);
  assert_int_equal(scan(&array, "[1 2]", 5, &found), UVOW_EENVELOPE);
  assert_int_equal(scan(&array, "{}", 2, &found), UVOW_EENVELOPE);
}

/* Another kind of container than the tree has there is a payload. */
TEST_CASE(other_shapes_are_payload) {
  uvow__captures_t found;
  const char *text = "{\"error\":[{\"code\":1}]}";
  assert_int_equal(scan(&object, text, strlen(text), &found), 0);
  is_capture(&found, ERROR, UVOW__JSON_ARRAY, "[{\"code\":1}]");
  is_capture(&found, CODE, UVOW__JSON_ABSENT, NULL);
}

TEST_CASE(refuses_what_is_malformed) {
  static const char *const bad[] = {
      "", " ", "null", "1", "\"{}\"", "[]", "[{\"id\":1}]", "{", "}", "{]",
      "{}{}", "{} x", "{},", "\xef\xbb{}", "{,}", "{\"id\"}", "{\"id\":}",
      "{\"id\":,}", "{\"id\":1,}", "{\"id\":1 \"x\":2}", "{\"id\":1;}",
      "{id:1}", "{'id':1}", "{\"id\" 1}", "{\"id\"::1}", "{1:1}",
      /* numbers */
      "{\"id\":01}", "{\"id\":+1}", "{\"id\":-}", "{\"id\":1.}", "{\"id\":.5}",
      "{\"id\":1e}", "{\"id\":1e+}", "{\"id\":0x1}", "{\"id\":1a}",
      "{\"id\":-01}", "{\"x\":01}", "{\"id\":NaN}", "{\"id\":1.5.5}",
      /* words */
      "{\"id\":nul}", "{\"id\":nulll}", "{\"id\":True}", "{\"x\":tru}",
      "{\"id\":fals}", "{\"id\":undefined}",
      /* strings */
      "{\"x\":\"a\nb\"}", "{\"x\":\"\\x\"}", "{\"x\":\"\\u12\"}",
      "{\"x\":\"\\u12g4zzzzzz\"}", "{\"x\":\"\\\"}", "{\"x\":\"a}",
      "{\"a\tb\":1}", "{\"a\\qb\":1}", "{\"xxxxxxxxx\1\":\"\"}",
      /* levels below */
      "{\"error\":{\"code\":01}}", "{\"error\":{\"code\":1,}}",
      "{\"error\":{code:1}}", "{\"error\":{\"x\":nil}}",
      /* payloads: brackets and strings */
      "{\"result\":[}}", "{\"result\":{]}", "{\"result\":[1,{\"a\":2]}",
      "{\"result\":[\"]}", "{\"result\":[\"\\\"]}", "{\"result\":[]]}",
      /* twice */
      "{\"id\":1,\"id\":1}", "{\"id\":1,\"\\u0069d\":2}",
      "{\"id\":null,\"id\":2}", "{\"error\":{\"code\":1,\"code\":1}}",
      "{\"a_callback_id15\":1,\"a_callback_id15\":1}"};
  uvow__captures_t found;
  for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
    if (scan(&object, bad[i], strlen(bad[i]), &found) != UVOW_EENVELOPE)
      fail_msg("accepted: %s", bad[i]);
  assert_int_equal(uvow__envelope_scan(&object, NULL, 0, &found),
                   UVOW_EENVELOPE);
  /* A NUL is no end. */
  assert_int_equal(scan(&object, "{}\0", 3, &found), UVOW_EENVELOPE);
  assert_int_equal(scan(&object, "{\"x\":\"\\\0\"}", 10, &found),
                   UVOW_EENVELOPE);
}

/* Whoever parses a payload checks the rest of it. */
TEST_CASE(accepts_sloppy_payloads) {
  static const char *const good[] = {
      "{\"result\":[01 x,,\"\n\\q\"]}", "{\"x\":1,\"x\":2}",
      "{\"result\":{\"a\" \"b\"}}", "{\"result\":{\"id\":1,\"id\":2}}"};
  uvow__captures_t found;
  for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
    assert_int_equal(scan(&object, good[i], strlen(good[i]), &found), 0);
}

static int scan_nested(size_t depth, uvow__captures_t *found) {
  size_t len = strlen("{\"result\":}") + 2 * depth;
  char *text = (char *)malloc(len);
  assert_non_null(text);
  memcpy(text, "{\"result\":", 10);
  for (size_t i = 0; i < depth; i++) {
    text[10 + i] = i % 2 ? '{' : '[';
    text[len - 2 - i] = i % 2 ? '}' : ']';
  }
  text[len - 1] = '}';
  int rc = scan(&object, text, len, found);
  free(text);
  return rc;
}

TEST_CASE(limits_depth) {
  uvow__captures_t found;
  assert_int_equal(scan_nested(UVOW__JSON_DEPTH, &found), 0);
  assert_int_equal(scan_nested(UVOW__JSON_DEPTH + 1, &found), UVOW_EENVELOPE);
  assert_int_equal(scan_nested(1000000, &found), UVOW_EENVELOPE);
}

/* Strings of every length, so that each place within a word is met. */
TEST_CASE(ends_strings_anywhere) {
  for (int len = 0; len < 40; len++) {
    char text[200];
    uvow__captures_t found;
    int n = snprintf(text, sizeof(text),
                     "{\"id\":\"%.*s\\n\",\"result\":[\"%.*s\\\"\"]}", len,
                     "0123456789012345678901234567890123456789", len,
                     "0123456789012345678901234567890123456789");
    assert_int_equal(scan(&object, text, (size_t)n, &found), 0);
    assert_int_equal(found.texts[ID].len, len + 4);
    assert_int_equal(found.texts[RESULT].len, len + 6);
    text[7 + len / 2] = '\x1f';
    assert_int_equal(scan(&object, text, (size_t)n, &found), UVOW_EENVELOPE);
    text[7 + len / 2] = '"'; /* ends it early: what follows is no envelope */
    assert_int_equal(scan(&object, text, (size_t)n, &found), UVOW_EENVELOPE);
  }
}

/* Payload strings: escapes at every place, far apart and close together. */
TEST_CASE(skips_long_strings) {
  char text[200];
  uvow__captures_t found;
  for (size_t len = 2; len < 120; len++) {
    size_t size = 0;
    text[size++] = '[';
    text[size++] = '"';
    memset(text + size, 'x', len);
    size += len;
    memcpy(text + size, "\",\"]\"]", 6);
    size += 6;
    uvow__slice_t all = {text, size};
    for (size_t at = 0; at + 1 < len; at++) {
      char *copy = (char *)malloc(size);
      uvow__json_kind_t kind;
      assert_non_null(copy);
      text[2 + at] = '\\';
      text[3 + at] = at % 2 ? '"' : '\\';
      memcpy(copy, text, size);
      all.ptr = copy;
      assert_int_equal(uvow__envelope_value(all, &kind, &all), 0);
      assert_int_equal(all.len, size);
      /* Without its escape, a quote ends the string: another one opens. */
      text[2 + at] = 'x';
      memcpy(copy, text, size);
      all.ptr = copy;
      if (at % 2)
        assert_int_equal(uvow__envelope_value(all, &kind, &all),
                         UVOW_EENVELOPE);
      text[3 + at] = 'x';
      free(copy);
    }
    /* Without an end: a lone backslash, or nothing. */
    text[size - 2] = '\\';
    assert_int_equal(scan(&array, text, size, &found), UVOW_EENVELOPE);
    assert_int_equal(scan(&array, text, 2 + len, &found), UVOW_EENVELOPE);
  }
}

/* Members in any order, with others between them. */
TEST_CASE(order_does_not_matter) {
  static const char *const members[] = {
      "\"id\":1", "\"result\":[2]", "\"error\":{\"z\":0,\"code\":3}",
      "\"a_callback_id15\":4", "\"unknown\":5"};
  uvow__captures_t found;
  for (size_t order = 0; order < 5 * 5 * 5 * 5 * 5; order++) {
    char text[200] = "{";
    unsigned seen = 0;
    for (size_t rest = order, i = 0; i < 5; i++, rest /= 5) {
      seen |= 1u << rest % 5;
      strcat(text, i ? "," : "");
      strcat(text, members[rest % 5]);
    }
    strcat(text, "}");
    if (seen != 31)
      continue;
    assert_int_equal(scan(&object, text, strlen(text), &found), 0);
    is_capture(&found, ID, UVOW__JSON_NUMBER, "1");
    is_capture(&found, RESULT, UVOW__JSON_ARRAY, "[2]");
    is_capture(&found, CODE, UVOW__JSON_NUMBER, "3");
    is_capture(&found, LONG, UVOW__JSON_NUMBER, "4");
  }
}

TEST_CASE(no_prefix_is_a_message) {
  static const char *const texts[] = {
      "{\"jsonrpc\":\"2.0\",\"id\":123,\"result\":{\"x\":[81,\"\\\"\"]}}",
      "{\"error\":{\"code\":-1.5e3,\"m\":\"\\u00e9\"},\"id\":null}",
      "{\"a_callback_id15\":true,\"x\":false,\"\\u0069d\":\"\\\\\"}"};
  uvow__captures_t found;
  for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
    size_t len = strlen(texts[i]);
    assert_int_equal(scan(&object, texts[i], len, &found), 0);
    while (len-- > 0)
      assert_int_equal(scan(&object, texts[i], len, &found), UVOW_EENVELOPE);
  }
}

TEST_CASE(values_are_whole) {
  static const char *const bad[] = {"",           " ",     "1 2",         "{}}",
                                    "1,\"id\":2", "[]]",   "{},\"id\":7", "x",
                                    "\"a\"b",     "nullx", "[\"]",        "01"};
  for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
    uvow__json_kind_t kind;
    uvow__slice_t text = {bad[i], strlen(bad[i])};
    assert_int_equal(uvow__envelope_value(text, &kind, &text), UVOW_EENVELOPE);
  }
}

TEST_MODULE(envelope) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(captures_values),
      cmocka_unit_test(knows_every_kind),
      cmocka_unit_test(matches_escaped_keys),
      cmocka_unit_test(reads_arrays),
      cmocka_unit_test(other_shapes_are_payload),
      cmocka_unit_test(refuses_what_is_malformed),
      cmocka_unit_test(accepts_sloppy_payloads),
      cmocka_unit_test(limits_depth),
      cmocka_unit_test(ends_strings_anywhere),
      cmocka_unit_test(skips_long_strings),
      cmocka_unit_test(order_does_not_matter),
      cmocka_unit_test(no_prefix_is_a_message),
      cmocka_unit_test(values_are_whole),
  };
  return cmocka_run_group_tests_name("wire/envelope", tests, NULL, NULL);
}
