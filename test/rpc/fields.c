/*
 * Fields of results, and values by a format.
 */
#include "rpc/fields.h"

#include "support/script.h"

#include <jansson.h>

static script_t s;
static uvow_future_t *held;
static uvow_result_t result;

static int setup(void **state) {
  (void)state;
  script_init(&s);
  return 0;
}

static int teardown(void **state) {
  (void)state;
  uvow_future_unref(held);
  held = NULL;
  script_end(&s);
  return 0;
}

/* `result` is this value, until the next one. */
static void hold(uvow_value_t value) {
  uvow_future_unref(held);
  held = uvow_future_fulfilled(s.loop, value);
  assert_non_null(held);
  assert_int_equal(uvow_future_peek(held, &result), 0);
}

static void hold_text(const char *text) {
  hold(uvow_value_bytes(s.loop, text, strlen(text)));
}

TEST_CASE(reads_numbers) {
  int64_t i64 = 42;
  double f64 = 42;
  hold_text("{\"a\":[1,-2.50,1e2,9223372036854775808,1e400,\"1\",true]}");
  assert_int_equal(uvow_result_get_int64(&result, "/a/0", &i64), 0);
  assert_int_equal(i64, 1);
  assert_int_equal(uvow_result_get_int64(&result, "/a/2", &i64), 0);
  assert_int_equal(i64, 100);
  assert_int_equal(uvow_result_get_int64(&result, "/a/1", &i64), UVOW_ETYPE);
  assert_int_equal(uvow_result_get_int64(&result, "/a/3", &i64), UVOW_ETYPE);
  assert_int_equal(uvow_result_get_int64(&result, "/a/5", &i64), UVOW_ETYPE);
  assert_int_equal(uvow_result_get_int64(&result, "/a/6", &i64), UVOW_ETYPE);
  assert_int_equal(uvow_result_get_int64(&result, "/a", &i64), UVOW_ETYPE);
  assert_int_equal(i64, 100);
  assert_int_equal(uvow_result_get_double(&result, "/a/1", &f64), 0);
  assert_true(f64 == -2.5);
  assert_int_equal(uvow_result_get_double(&result, "/a/3", &f64), 0);
  assert_true(f64 == 9223372036854775808.0);
  assert_int_equal(uvow_result_get_double(&result, "/a/4", &f64), UVOW_ETYPE);
  assert_int_equal(uvow_result_get_double(&result, "/a/5", &f64), UVOW_ETYPE);
  assert_true(f64 == 9223372036854775808.0);
}

TEST_CASE(reads_bools_and_slices) {
  int flag = 42;
  uvow_slice_t slice = {"x", 1};
  hold_text(" {\"a\": true, \"b\" : false , \"c\": [ 1, {} ] } ");
  assert_int_equal(uvow_result_get_bool(&result, "/b", &flag), 0);
  assert_int_equal(flag, 0);
  assert_int_equal(uvow_result_get_bool(&result, "/a", &flag), 0);
  assert_int_equal(flag, 1);
  assert_int_equal(uvow_result_get_bool(&result, "/c", &flag), UVOW_ETYPE);
  assert_int_equal(uvow_result_get_bool(&result, "/c/0", &flag), UVOW_ETYPE);
  assert_int_equal(uvow_result_get_slice(&result, "/d", &slice), UVOW_ETYPE);
  assert_int_equal(flag, 1);
  assert_int_equal(slice.len, 1);
  assert_int_equal(uvow_result_get_slice(&result, "/c", &slice), 0);
  assert_int_equal(slice.len, 9);
  assert_memory_equal(slice.bytes, "[ 1, {} ]", 9);
  assert_int_equal(uvow_result_get_slice(&result, "", &slice), 0);
  assert_int_equal(slice.bytes[0], '{');
  assert_int_equal(slice.bytes[slice.len - 1], '}');
}

/* All at once: each stays what it is, asked again or not, and the bytes too. */
TEST_CASE(reads_texts) {
  static const char text[] =
      "{\"a\":\"plain\",\"b\":\"\\u00e4\\n\\\"\",\"c\":"
      "\"\",\"d\":\"\\ud83d\\ude00\",\"e\":\"x\\u0000\",\"f\":1}";
  const char *a = "default", *b = a, *c = a, *d = a, *e = a, *again = a;
  hold_text(text);
  assert_int_equal(uvow_result_get_text(&result, "/a", &a), 0);
  assert_int_equal(uvow_result_get_text(&result, "/b", &b), 0);
  assert_int_equal(uvow_result_get_text(&result, "/c", &c), 0);
  assert_int_equal(uvow_result_get_text(&result, "/d", &d), 0);
  assert_int_equal(uvow_result_get_text(&result, "/e", &e), UVOW_ETYPE);
  assert_int_equal(uvow_result_get_text(&result, "/f", &e), UVOW_ETYPE);
  assert_int_equal(uvow_result_get_text(&result, "/b", &again), 0);
  assert_non_null(uvow_result_json(&result)); /* beside it */
  assert_string_equal(a, "plain");
  assert_string_equal(b, "\xc3\xa4\n\"");
  assert_ptr_equal(again, b);
  assert_string_equal(c, "");
  assert_string_equal(d, "\xf0\x9f\x98\x80");
  assert_string_equal(e, "default");
  uvow_slice_t whole = uvow_result_bytes(&result);
  assert_int_equal(whole.len, strlen(text));
  assert_memory_equal(whole.bytes, text, whole.len);
  hold_text("\"\\ud800\""); /* no tree holds it */
  assert_null(uvow_result_json(&result));
  assert_int_equal(uvow_result_get_text(&result, "", &a), 0);
  assert_string_equal(a, "\xef\xbf\xbd");
  hold_text("[\"x\"]");
  assert_non_null(uvow_result_json(&result)); /* before it */
  assert_int_equal(uvow_result_get_text(&result, "/0", &a), 0);
  assert_string_equal(a, "x");
}

/* Bytes of a value, as a user sees them. */
static uvow_slice_t bytes_of(const uvow_value_t *value) {
  uvow_result_t of_value = {0};
  void *ptr;
  assert_int_equal(uvow_value_get_ptr(value, &uvow_type_bytes, &ptr), 0);
  of_value.value = *value;
  return uvow_result_bytes(&of_value);
}

TEST_CASE(reads_base64) {
  uvow_value_t value = uvow_value_int64(42);
  hold_text(
      "[\"aGVsbG8=\",\"\",\"aGV\\u0073bA==\",\"aGVsbG8\",\"a===\",\"?\"]");
  static const char *const expected[] = {"hello", "", "hell"};
  for (size_t i = 0; i < 3; i++) {
    char pointer[] = "/0";
    pointer[1] = (char)('0' + i);
    assert_int_equal(uvow_result_get_base64(&result, pointer, &value), 0);
    uvow_slice_t got = bytes_of(&value);
    assert_int_equal(got.len, strlen(expected[i]));
    assert_memory_equal(got.bytes, expected[i], got.len);
    uvow_value_clear(&value);
  }
  value = uvow_value_int64(42);
  assert_int_equal(uvow_result_get_base64(&result, "/3", &value), UVOW_ETYPE);
  assert_int_equal(uvow_result_get_base64(&result, "/4", &value), UVOW_ETYPE);
  assert_int_equal(uvow_result_get_base64(&result, "/5", &value), UVOW_ETYPE);
  assert_int_equal(uvow_result_get_base64(&result, "", &value), UVOW_ETYPE);
  assert_int_equal(value.as.i64, 42);
}

/* Each getter's code; none writes. */
static void expect_code(const char *pointer, int code) {
  int64_t i64 = 42;
  double f64 = 42;
  int flag = 42;
  const char *text = NULL;
  uvow_slice_t slice = {NULL, 42};
  uvow_value_t value = uvow_value_int64(42);
  assert_int_equal(uvow_result_get_int64(&result, pointer, &i64), code);
  assert_int_equal(uvow_result_get_double(&result, pointer, &f64), code);
  assert_int_equal(uvow_result_get_bool(&result, pointer, &flag), code);
  assert_int_equal(uvow_result_get_text(&result, pointer, &text), code);
  assert_int_equal(uvow_result_get_slice(&result, pointer, &slice), code);
  assert_int_equal(uvow_result_get_base64(&result, pointer, &value), code);
  assert_true(i64 == 42 && f64 == 42 && flag == 42 && !text);
  assert_true(slice.len == 42 && value.as.i64 == 42);
  uvow_json_walk_t walk = uvow_result_walk(&result, pointer);
  uvow_result_t item;
  assert_int_equal(uvow_json_walk_next(&walk, &item), 0);
  assert_int_equal(uvow_json_walk_next(&walk, &item), 0);
}

TEST_CASE(faults) {
  static const char *const bad[] = {"",
                                    " ",
                                    "{",
                                    "{\"a\":1",
                                    "{\"a\":1}x",
                                    "{\"a\":1,\"b\":tru}",
                                    "{\"a\":\"\xff\"}"};
  for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
    hold_text(bad[i]);
    expect_code("/a", UVOW_EPAYLOAD);
    expect_code("/a", UVOW_EPAYLOAD);
    expect_code("a", UVOW_EINVAL);
  }
  hold_text("{\"a\":null}");
  expect_code("/b", UVOW_ETYPE);
  expect_code("/a/b", UVOW_ETYPE);
  expect_code("a", UVOW_EINVAL);
  expect_code("/~", UVOW_EINVAL);
  expect_code(NULL, UVOW_EINVAL);
  assert_int_equal(uvow_result_get_int64(&result, "/a", NULL), UVOW_EINVAL);
  assert_int_equal(uvow_result_get_int64(NULL, "/a", &(int64_t){0}),
                   UVOW_EINVAL);
  hold(uvow_value_int64(1));
  expect_code("", UVOW_ETYPE);
  hold(uvow_value_none());
  expect_code("", UVOW_ETYPE);
  hold(uvow_value_text("1"));
  expect_code("", UVOW_ETYPE);
  uvow_future_t *f =
      uvow_future_rejected(s.loop, uvow_error_new(s.loop, UVOW_ELOST, NULL));
  assert_int_equal(uvow_future_peek(f, &result), 0);
  expect_code("", UVOW_ETYPE);
  uvow_future_detach(f);
  script_turns(&s);
  script_expect_unhandled(&s, "UVOW_ELOST");
}

/* What a walk shows: its items' numbers, or the texts of their names. */
TEST_CASE(walks) {
  uvow_result_t item;
  int64_t i64 = 0;
  int64_t sum = 0;
  const char *first = NULL;
  const char *name;
  hold_text(
      "{\"a\":[{\"n\":1,\"t\":\"x\\n\"},{\"n\":2,\"t\":\"y\"}],\"\\n\":5}");
  uvow_json_walk_t walk = uvow_result_walk(&result, "/a");
  while (uvow_json_walk_next(&walk, &item)) {
    assert_int_equal(uvow_result_get_int64(&item, "/n", &i64), 0);
    assert_int_equal(uvow_result_get_text(&item, "/t", &name), 0);
    assert_int_equal(walk.key.len, 0);
    assert_int_equal(uvow_result_getf(&item, "{s:I}", "n", &i64), 0);
    assert_memory_equal(uvow_result_bytes(&item).bytes, "{\"n\":", 5);
    assert_null(uvow_result_json(&item));
    first = first ? first : name;
    sum += i64;
  }
  assert_int_equal(sum, 3);
  assert_string_equal(first, "x\n"); /* as long as the result */
  walk = uvow_result_walk(&result, "");
  assert_int_equal(uvow_json_walk_next(&walk, &item), 1);
  assert_memory_equal(walk.key.bytes, "a", walk.key.len);
  uvow_json_walk_t inner = uvow_result_walk(&item, "/1");
  assert_int_equal(uvow_json_walk_next(&walk, &item), 1);
  assert_memory_equal(walk.key.bytes, "\\n", 2);
  assert_int_equal(walk.key.len, 2);
  assert_int_equal(uvow_result_get_int64(&item, "", &i64), 0);
  assert_int_equal(i64, 5);
  assert_int_equal(uvow_json_walk_next(&walk, &item), 0);
  assert_int_equal(uvow_json_walk_next(&walk, &item), 0);
  assert_int_equal(uvow_json_walk_next(&inner, &item), 1);
  assert_int_equal(uvow_result_get_int64(&item, "", &i64), 0);
  assert_int_equal(i64, 2);
  walk = uvow_result_walk(&result, "/\n"); /* neither array nor object */
  assert_int_equal(uvow_json_walk_next(&walk, &item), 0);
  assert_int_equal(uvow_json_walk_next(NULL, &item), 0);
  assert_int_equal(uvow_json_walk_next(&walk, NULL), 0);
}

TEST_CASE(getf) {
  const char *name = NULL;
  const char *nick = "none";
  int age = 0, flag = 0;
  int64_t big = 0;
  double f = 0, g = 0;
  uvow_slice_t raw;
  hold_text(
      "{\"name\":\"a\\tb\",\"age\":7,\"big\":9007199254740993,\"ok\":true,"
      "\"at\":[1,2.5],\"raw\":{\"x\":[]},\"no\":null}");
  assert_int_equal(
      uvow_result_getf(&result, "{s:s,s?s,s:i,s:I,s:b,s:[f,F],s:o,s:n}", "name",
                       &name, "nick", &nick, "age", &age, "big", &big, "ok",
                       &flag, "at", &f, &g, "raw", &raw, "no"),
      0);
  assert_string_equal(name, "a\tb");
  assert_string_equal(nick, "none");
  assert_int_equal(age, 7);
  assert_int_equal(big, INT64_C(9007199254740993));
  assert_int_equal(flag, 1);
  assert_true(f == 1 && g == 2.5);
  assert_int_equal(raw.len, 8);
  assert_int_equal(uvow_result_getf(&result, "{s:i}", "big", &age), UVOW_ETYPE);
  assert_int_equal(uvow_result_getf(&result, "{s:i}", "x", &age), UVOW_ETYPE);
  assert_int_equal(uvow_result_getf(&result, "{s:i}", "name", &age),
                   UVOW_ETYPE);
  assert_int_equal(uvow_result_getf(&result, "{s:n}", "age"), UVOW_ETYPE);
  assert_int_equal(uvow_result_getf(&result, "{s:i", "age", &age), UVOW_EINVAL);
  assert_int_equal(uvow_result_getf(NULL, "i", &age), UVOW_EINVAL);
  assert_int_equal(age, 7);
  hold_text("{\"age\":");
  assert_int_equal(uvow_result_getf(&result, "{s:i}", "age", &age),
                   UVOW_EPAYLOAD);
  hold(uvow_value_none());
  assert_int_equal(uvow_result_getf(&result, "{s:i}", "age", &age), UVOW_ETYPE);
}

TEST_CASE(values_by_a_format) {
  uvow__buf_t out;
  uvow__slice_t text;
  int64_t i64;
  hold(uvow_value_jsonf(s.loop, "{s:i,s:[s,o]}", "a", 1, "b", "x",
                        json_pack("[i]", 2)));
  assert_int_equal(uvow_result_get_int64(&result, "/b/1/0", &i64), 0);
  assert_int_equal(i64, 2);
  uvow_value_t none = uvow_value_jsonf(s.loop, "{s:i", "a", 1);
  assert_string_equal(uvow_value_type_name(&none), "no value");
  uvow__buf_init(&out, &uvow__mem_default, 100);
  assert_int_equal(uvow__value_text(&none, &out, &text), UVOW_EINVAL);
  uvow__buf_done(&out);
  uvow_promise_t *promise;
  uvow_future_t *f = uvow_promise_new(s.loop, &promise);
  uvow_promise_fulfill(promise, none);
  assert_int_equal(uvow_future_peek(f, &result), 0);
  assert_int_equal(uvow_error_code(result.error), UVOW_EINVAL);
  uvow_value_clear(&none);
  uvow_future_detach(f);
  script_turns(&s);
  script_expect_unhandled(&s, "UVOW_EINVAL");
}

/* Without a loop there's no value, but what it takes is taken. */
TEST_CASE(no_value_without_a_loop) {
  uvow_value_t none = uvow_value_jsonf(NULL, "{s:o}", "a", json_pack("[i]", 2));
  assert_string_equal(uvow_value_type_name(&none), "no value");
  assert_int_equal(uvow_next_jsonf(NULL, "{}").code, UVOW_EINVAL);
  none = uvow_value_bytes(NULL, "1", 1);
  assert_string_equal(uvow_value_type_name(&none), "no value");
  uvow_value_clear(&none);
}

/* What a stream of bytes brings is read as an answer is: its fields, its tree,
 * and once for all who have it. */
TEST_CASE(reads_counted_bytes) {
  static const char text[] = "{\"n\":7,\"t\":\"a\\nb\",\"o\":[1]}";
  const char *name = NULL;
  const char *again = NULL;
  int64_t i64 = 0;
  uvow__bytes_t *bytes =
      uvow__bytes_new(uvow__runtime_of(s.loop), sizeof(text) - 1);
  assert_non_null(bytes);
  memcpy(uvow__bytes_room(bytes), text, sizeof(text) - 1);
  hold(uvow__bytes_value(bytes));
  assert_int_equal(uvow_result_get_int64(&result, "/n", &i64), 0);
  assert_int_equal(i64, 7);
  assert_int_equal(uvow_result_get_text(&result, "/t", &name), 0);
  assert_string_equal(name, "a\nb");
  assert_int_equal(uvow_result_get_text(&result, "/t", &again), 0);
  assert_ptr_equal(name, again);
  assert_int_equal(json_object_size(uvow_result_json(&result)), 3);
  assert_int_equal(uvow_result_get_int64(&result, "/t", &i64), UVOW_ETYPE);
  bytes = uvow__bytes_new(uvow__runtime_of(s.loop), 1);
  assert_non_null(bytes);
  *uvow__bytes_room(bytes) = '[';
  hold(uvow__bytes_value(bytes));
  assert_int_equal(uvow_result_get_int64(&result, "/0", &i64), UVOW_EPAYLOAD);
  assert_null(uvow_result_json(&result));
}

static uvow_next_t twice(const uvow_result_t *r, void *data) {
  int64_t n = 0;
  (void)data;
  assert_int_equal(uvow_result_get_int64(r, "/n", &n), 0);
  return n < 100 ? uvow_next_jsonf(r->loop, "{s:I}", "n", 2 * n)
                 : uvow_next_jsonf(r->loop, "{s:I", "n", n);
}

TEST_CASE(next_by_a_format) {
  script_mark_t a = script_mark(&s, "a");
  script_mark_t b = script_mark(&s, "b");
  uvow_future_t *f =
      uvow_future_fulfilled(s.loop, uvow_value_jsonf(s.loop, "{s:i}", "n", 21));
  script_watch(uvow_future_then(f, twice, NULL), &a);
  f = uvow_future_fulfilled(s.loop,
                            uvow_value_jsonf(s.loop, "{s:i}", "n", 100));
  script_watch(uvow_future_then(f, twice, NULL), &b);
  script_turns(&s);
  script_expect(&s, "a={\"n\":42} b!EINVAL");
}

TEST_CASE(requests_by_a_format) {
  script_mark_t a = script_mark(&s, "a");
  script_mark_t b = script_mark(&s, "b");
  script_open_client(&s, NULL);
  script_watch(
      uvow_peer_requestf(s.client, "add", "{s:i,s:s}", "x", 1, "y", "\n"), &a);
  script_watch(
      uvow_peer_requestf(s.client, "add", "[f,o]", 1e300 * 1e300, json_array()),
      &b);
  assert_int_equal(uvow_peer_notifyf(s.client, "note", "[b,n]", 1), 0);
  assert_int_equal(uvow_peer_notifyf(s.client, "note", "[", 1), UVOW_EINVAL);
  script_turns(&s);
  script_expect_sent(&s,
                     "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"add\","
                     "\"params\":{\"x\":1,\"y\":\"\\n\"}}");
  script_expect_sent(&s,
                     "{\"jsonrpc\":\"2.0\",\"method\":\"note\",\"params\":"
                     "[true,null]}");
  script_expect_sent(&s, "");
  script_text(&s, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"n\":3}}");
  script_expect(&s, "b!EINVAL:NOT a={\"n\":3}");
  assert_null(uvow_peer_requestf(NULL, "m", "[o]", json_array()));
  assert_int_equal(uvow_peer_notifyf(NULL, "m", "[o]", json_array()),
                   UVOW_EINVAL);
  uvow_peer_unref(s.client);
  s.client = NULL;
}

/* Whatever can't be had: nothing leaks, and a getter says so. */
/* What uvow_loop_error says of a getter that failed. */
TEST_CASE(says_why) {
  static const struct {
    const char *text, *pointer, *says;
    int rc;
  } rows[] = {
      {"{\"a\":true}", "/a", "pointer leads to no integer", UVOW_ETYPE},
      {"{\"a\":true}", "/b", "pointer leads to no integer", UVOW_ETYPE},
      {"{\"a\":true}", "a", "pointer is no JSON Pointer", UVOW_EINVAL},
      {"{\"a\":tru}", "/a", "the result isn't JSON: ", UVOW_EPAYLOAD},
      {"{\n\"a\":1,,}", "/a", "line 2, column 7 (byte 9)", UVOW_EPAYLOAD},
      {"[\"\xff\"]", "/0", "unable to decode byte 0xff", UVOW_EPAYLOAD}};
  int64_t i64 = 0;
  const char *text = NULL;
  for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
    hold_text(rows[i].text);
    int rc = uvow_result_get_int64(&result, rows[i].pointer, &i64);
    assert_int_equal(rc, rows[i].rc);
    const uvow_error_t *why = uvow_loop_error(s.loop);
    assert_int_equal(uvow_error_code(why), rc);
    assert_non_null(strstr(uvow_error_message(why), rows[i].says));
  }
  hold_text("[1,2");
  assert_int_equal(uvow_result_getf(&result, "[i]", &i64), UVOW_EPAYLOAD);
  assert_non_null(
      strstr(uvow_error_message(uvow_loop_error(s.loop)), "near end of file"));
  hold_text("[1]");
  assert_int_equal(uvow_result_getf(&result, "{s:s}", "a", &text), UVOW_ETYPE);
  assert_non_null(strstr(uvow_error_message(uvow_loop_error(s.loop)),
                         "the result isn't as the format says"));
  assert_int_equal(uvow_result_getf(&result, "[q]", &text), UVOW_EINVAL);
  assert_non_null(
      strstr(uvow_error_message(uvow_loop_error(s.loop)), "format is wrong"));
}

static void body(test_alloc_t *alloc, void *data) {
  static const char text[] =
      "{\"a\":\"a text that is longer than a block\\n\",\"b\":\"aGVsbG8=\"}";
  script_t own;
  uvow_result_t r;
  const char *a = NULL;
  uvow_value_t value = uvow_value_none();
  (void)data;
  script_init_with(&own, alloc);
  uvow_future_t *f =
      own.loop ? uvow_future_fulfilled(own.loop,
                                       uvow_value_jsonf(own.loop, "r", text))
               : NULL;
  if (f && uvow_future_peek(f, &r) == 0 && !r.error) {
    int rc = uvow_result_get_text(&r, "/a", &a);
    assert_int_equal(rc, alloc->failed && !a ? UVOW_ENOMEM : 0);
    rc = uvow_result_get_base64(&r, "/b", &value);
    assert_int_equal(rc, alloc->failed && !value.type ? UVOW_ENOMEM : 0);
    assert_non_null(uvow_result_json(&r));
    uvow_value_clear(&value);
  }
  uvow_future_detach(f);
  script_quit(&own);
}

TEST_CASE(each_allocation_may_fail) {
  test_alloc_sweep(body, NULL);
}

TEST_CASE(no_value_has_no_bytes) {
  uvow_result_t empty = {0};
  uvow_slice_t bytes = uvow_result_bytes(&empty);
  assert_null(bytes.bytes);
  assert_int_equal(bytes.len, 0);
  assert_null(uvow_result_bytes(NULL).bytes);
  assert_null(uvow_result_json(NULL));
  assert_null(uvow_result_keep(NULL).type);
}

TEST_MODULE(fields) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
  const struct CMUnitTest tests[] = {
      TEST(reads_numbers),
      TEST(no_value_has_no_bytes),
      TEST(reads_bools_and_slices),
      TEST(reads_texts),
      TEST(reads_base64),
      TEST(faults),
      TEST(walks),
      TEST(getf),
      TEST(says_why),
      TEST(values_by_a_format),
      TEST(no_value_without_a_loop),
      TEST(reads_counted_bytes),
      TEST(next_by_a_format),
      TEST(requests_by_a_format),
      cmocka_unit_test(each_allocation_may_fail),
  };
  return cmocka_run_group_tests_name("rpc/fields", tests, NULL, NULL);
}
