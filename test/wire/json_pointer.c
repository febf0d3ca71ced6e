/* Fields found by JSON Pointer, against jansson's trees. */
#include "wire/json_pointer.h"

#include "support/support.h"

#include <stdio.h>

#include <uvow/error.h>

#include "support/json_random.h"
#include "wire/json_check.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static uvow__slice_t slice(const char *text) {
  uvow__slice_t s = {text, strlen(text)};
  return s;
}

static void finds(const char *text, const char *pointer, const char *expected) {
  uvow__slice_t found = {NULL, 0};
  int rc = uvow__json_find(slice(text), pointer, &found);
  if (rc || found.len != strlen(expected) ||
      memcmp(found.ptr, expected, found.len) != 0)
    fail_msg("%s in %s: %d, %.*s", pointer, text, rc, (int)found.len,
             rc ? "" : found.ptr);
}

static void finds_nothing(const char *text, const char *pointer, int code) {
  uvow__slice_t found = {"x", 1};
  int rc = uvow__json_find(slice(text), pointer, &found);
  if (rc != code)
    fail_msg("%s in %s: %d", pointer ? pointer : "NULL", text, rc);
  assert_int_equal(found.len, 1); /* untouched */
}

/* RFC 6901 5. */
TEST_CASE(those_of_the_rfc) {
  static const char text[] =
      "{ \"foo\": [\"bar\", \"baz\"], \"\": 0, \"a/b\": 1, \"c%d\": 2,"
      " \"e^f\": 3, \"g|h\": 4, \"i\\\\j\": 5, \"k\\\"l\": 6, \" \": 7,"
      " \"m~n\": 8 } ";
  finds("  [1] \n", "", "[1]");
  finds(text, "/foo", "[\"bar\", \"baz\"]");
  finds(text, "/foo/0", "\"bar\"");
  finds(text, "/", "0");
  finds(text, "/a~1b", "1");
  finds(text, "/c%d", "2");
  finds(text, "/e^f", "3");
  finds(text, "/g|h", "4");
  finds(text, "/i\\j", "5");
  finds(text, "/k\"l", "6");
  finds(text, "/ ", "7");
  finds(text, "/m~0n", "8");
  finds("{\"~1\":1}", "/~01", "1"); /* 4: not "/" */
}

TEST_CASE(indexes) {
  static const char *const none[] = {"/3",
                                     "/00",
                                     "/01",
                                     "/-",
                                     "/-1",
                                     "/+1",
                                     "/1 ",
                                     "/1.",
                                     "/a",
                                     "/",
                                     "/0/0",
                                     "/18446744073709551616",
                                     "/18446744073709551615"};
  finds("[10,[20],{\"a\":30}]", "/0", "10");
  finds("[10,[20],{\"a\":30}]", "/1/0", "20");
  finds("[10,[20],{\"a\":30}]", "/2/a", "30");
  finds("[1,2,3,4,5,6,7,8,9,10,11]", "/10", "11");
  for (size_t i = 0; i < COUNT(none); i++)
    finds_nothing("[10,[20],{\"a\":30}]", none[i], UVOW_ETYPE);
  finds("{\"-\":1,\"01\":2}", "/-", "1"); /* names are names */
  finds("{\"-\":1,\"01\":2}", "/01", "2");
}

TEST_CASE(nothing_there) {
  static const char *const none[] = {"a",   "a/b",     "/~",  "/~2",
                                     "/a~", "/a/~x/b", " /a", "#/a"};
  for (size_t i = 0; i < COUNT(none); i++) {
    finds_nothing("{\"a\":1}", none[i], UVOW_EINVAL);
    finds_nothing("[]", none[i], UVOW_EINVAL);
  }
  finds_nothing("{\"a\":1}", NULL, UVOW_EINVAL);
  finds_nothing("{\"a\":1}", "/b", UVOW_ETYPE);
  finds_nothing("{\"a\":1}", "/a/b", UVOW_ETYPE);
  finds_nothing("{\"a\":1}", "/A", UVOW_ETYPE);
  finds_nothing("{\"a\":1}", "/", UVOW_ETYPE);
  finds_nothing("{\"ab\":1}", "/a", UVOW_ETYPE);
  finds_nothing("{}", "/a", UVOW_ETYPE);
  finds_nothing("[]", "/0", UVOW_ETYPE);
  finds_nothing("\"a\"", "/a", UVOW_ETYPE);
  finds_nothing("", "", UVOW_ETYPE);
  finds_nothing("  ", "/a", UVOW_ETYPE);
}

/* The text's escapes and the pointer's, each alone and both. */
TEST_CASE(escapes_in_names) {
  finds("{\"\\u0061\\n\":1}", "/a\n", "1");
  finds("{\"\\/\":1}", "/~1", "1");
  finds("{\"\\u002f~\\u007e\":1}", "/~1~0~0", "1");
  finds("{\"a\\uD83D\\uDE00~\":1}", "/a\xf0\x9f\x98\x80~0", "1");
  finds("{\"\\u00e4\\u20ac~\":1}", "/\xc3\xa4\xe2\x82\xac~0", "1");
  finds("{\"\xc3\xa4~\":1}", "/\xc3\xa4~0", "1");
  finds("{\"\\\\\":1}", "/\\", "1");
  finds("{\"\\\\n\":1}", "/\\n", "1");
  finds_nothing("{\"\\n\":1}", "/\\n", UVOW_ETYPE);
  finds_nothing("{\"\\ud800\":1}", "/\xef\xbf\xbd", UVOW_ETYPE);
  finds_nothing("{\"\\ud800~\":1}", "/\xef\xbf\xbd~0", UVOW_ETYPE);
  finds_nothing("{\"~\\u0000\":1}", "/~0", UVOW_ETYPE);
  finds_nothing("{\"a~\":1}", "/~0", UVOW_ETYPE);
  finds_nothing("{\"~\":1}", "/~0a", UVOW_ETYPE);
  finds_nothing("{\"~\\n\":1}", "/~0\xf0", UVOW_ETYPE);
}

TEST_CASE(the_last_one_counts) {
  finds("{\"a\":1,\"b\":2,\"a\":3}", "/a", "3");
  finds("{\"a\":{\"x\":1},\"\\u0061\":{}}", "/a", "{}");
  finds_nothing("{\"a\":{\"x\":1},\"a\":{}}", "/a/x", UVOW_ETYPE);
}

/* What looks like structure within strings is none. */
TEST_CASE(strings_are_skipped) {
  finds("{\"x\":\"}],\\\"{[:\",\"a\":[\"]\",\"\\\\\"],\"b\":1}", "/b", "1");
  finds("[\"a long text, \\\"quoted\\\", of more words\",2]", "/1", "2");
  finds("[\"\\\\\\\\\\\\\\\\\",2]", "/1", "2");
}

/* Deeper than uvow__json_skip goes. */
TEST_CASE(deep) {
  enum { DEPTH = UVOW__JSON_CHECK_DEPTH - 1 };
  static char text[2 * DEPTH + 64];
  static char pointer[2 * DEPTH + 1];
  memset(text, '[', DEPTH);
  strcpy(text + DEPTH, "\"]\\\"\"");
  memset(text + strlen(text), ']', DEPTH);
  for (size_t i = 0; i < DEPTH; i++)
    memcpy(pointer + 2 * i, "/0", 2);
  assert_int_equal(uvow__json_check(slice(text)), 0);
  finds(text, pointer, "\"]\\\"\"");
  static char member[sizeof(text) + 32];
  snprintf(member, sizeof(member), "{\"a\":%s,\"b\":1}", text);
  finds(member, "/b", "1");
}

TEST_CASE(items) {
  uvow__slice_t key, value;
  uvow__json_items_t items =
      uvow__json_items(slice("{ \"a\" : 1 ,\"b\":[\"c\", {}]}"));
  assert_int_equal(uvow__json_items_next(&items, &key, &value), 1);
  assert_memory_equal(key.ptr, "\"a\"", key.len);
  assert_memory_equal(value.ptr, "1", value.len);
  assert_int_equal(uvow__json_items_next(&items, &key, &value), 1);
  assert_memory_equal(key.ptr, "\"b\"", key.len);
  assert_int_equal(value.len, 9);
  assert_int_equal(uvow__json_items_next(&items, &key, &key), 0);
  items = uvow__json_items(value);
  assert_int_equal(uvow__json_items_next(&items, &key, &value), 1);
  assert_null(key.ptr);
  assert_memory_equal(value.ptr, "\"c\"", value.len);
  assert_int_equal(uvow__json_items_next(&items, &key, &value), 1);
  assert_int_equal(uvow__json_items_next(&items, &key, &key), 0);
  items = uvow__json_items(slice("1"));
  assert_int_equal(uvow__json_items_next(&items, &key, &value), 0);
  items = uvow__json_items(slice(""));
  assert_int_equal(uvow__json_items_next(&items, &key, &value), 0);
}

/* A pointer grows by a name, escaped. */
static size_t append(char *pointer, size_t len, const char *name) {
  pointer[len++] = '/';
  for (; *name; name++) {
    if (*name == '~' || *name == '/')
      pointer[len++] = '~';
    pointer[len++] = *name == '~' ? '0' : *name == '/' ? '1' : *name;
  }
  pointer[len] = '\0';
  return len;
}

static char path[16384];

/* Each place of the tree is found in the text, and is the same there. */
static int compare(const char *text, json_t *json, size_t len) {
  uvow__slice_t found;
  const char *key;
  json_t *value;
  size_t index;
  int places = 1;
  assert_int_equal(uvow__json_find(slice(text), path, &found), 0);
  json_t *same =
      json_loadb(found.ptr, found.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
  if (!json_equal(json, same))
    fail_msg("%s in %s: %.*s", path, text, (int)found.len, found.ptr);
  json_decref(same);
  json_object_foreach(json, key, value) places +=
      compare(text, value, append(path, len, key));
  json_array_foreach(json, index, value) {
    char number[24];
    snprintf(number, sizeof(number), "%zu", index);
    places += compare(text, value, append(path, len, number));
  }
  path[len] = '\0';
  return places;
}

TEST_CASE(as_in_the_tree) {
  uint32_t seed = 5;
  int places = 0;
  for (int round = 0; round < 2000; round++) {
    json_t *json = json_random(&seed, 4);
    char *text = json_random_text(&seed, json);
    path[0] = '\0';
    places += compare(text, json, 0);
    free(text);
    json_decref(json);
  }
  assert_true(places > 5000);
}

/* Whatever stands there, nothing outside of it is read. */
TEST_CASE(cut_and_changed) {
  static const char text[] =
      "{\"a\\u00e4~\":[1,{\"b\":\"c\\n\",\"d\":[]}],\"e\":2}";
  static const char *const pointers[] = {"", "/a\xc3\xa4~0/1/b", "/e", "/x/y"};
  static const char bytes[] = "{}[]\",:\\ 0u~";
  uint32_t seed = 2;
  for (int round = 0; round < 5000; round++) {
    size_t len = json_roll(&seed, sizeof(text));
    char *cut = (char *)malloc(len ? len : 1);
    assert_non_null(cut);
    memcpy(cut, text, len);
    for (int i = 0; len && i < round % 4; i++)
      cut[json_roll(&seed, (unsigned)len)] =
          bytes[json_roll(&seed, sizeof(bytes) - 1)];
    for (size_t i = 0; i < COUNT(pointers); i++) {
      uvow__slice_t found;
      uvow__slice_t all = {cut, len};
      if (uvow__json_find(all, pointers[i], &found) == 0)
        assert_true(found.ptr >= cut && found.ptr + found.len <= cut + len);
    }
    free(cut);
  }
}

TEST_MODULE(json_pointer) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(those_of_the_rfc),
      cmocka_unit_test(indexes),
      cmocka_unit_test(nothing_there),
      cmocka_unit_test(escapes_in_names),
      cmocka_unit_test(the_last_one_counts),
      cmocka_unit_test(strings_are_skipped),
      cmocka_unit_test(deep),
      cmocka_unit_test(items),
      cmocka_unit_test(as_in_the_tree),
      cmocka_unit_test(cut_and_changed),
  };
  return cmocka_run_group_tests_name("wire/json_pointer", tests, NULL, NULL);
}
