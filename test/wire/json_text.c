#include "wire/json_text.h"

#include "support/support.h"

#include <uvow/error.h>

#define S(literal)                                                             \
  { literal, sizeof(literal) - 1 }

static uvow__slice_t slice(const char *text) {
  return (uvow__slice_t){text, strlen(text)};
}

/* A copy without anything behind it, so that an over-read is seen. */
static uvow__slice_t exact(const char *text, size_t len) {
  char *copy = (char *)malloc(len ? len : 1);
  assert_non_null(copy);
  memcpy(copy, text, len);
  return (uvow__slice_t){copy, len};
}

static void release(uvow__slice_t text) {
  free((void *)(uintptr_t)text.ptr);
}

static void is_text(uvow__buf_t *buf, const char *text, size_t len) {
  assert_int_equal(uvow__buf_size(buf), len);
  if (len)
    assert_memory_equal(uvow__buf_front(buf), text, len);
}

static const struct {
  uvow__slice_t text;
  const char *raw;
} escapes[] = {
    {S(""), "\"\""},
    {S("get_customers"), "\"get_customers\""},
    {S("a\"b\\c/d"), "\"a\\\"b\\\\c/d\""},
    {S("\b\f\n\r\t"), "\"\\b\\f\\n\\r\\t\""},
    {S("\0\x01\x1f\x7f"), "\"\\u0000\\u0001\\u001f\x7f\""},
    {S("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"),
     "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\""},
};

TEST_CASE(escapes_and_back) {
  for (size_t i = 0; i < sizeof(escapes) / sizeof(*escapes); i++) {
    uvow__buf_t buf;
    uvow__slice_t raw = exact(escapes[i].raw, strlen(escapes[i].raw));
    uvow__buf_init(&buf, &uvow__mem_default, 1000);
    assert_int_equal(uvow__json_escape(&buf, escapes[i].text), 0);
    is_text(&buf, raw.ptr, raw.len);
    uvow__buf_clear(&buf, 1000);
    assert_int_equal(uvow__json_unescape(&buf, raw), 0);
    is_text(&buf, escapes[i].text.ptr, escapes[i].text.len);
    assert_true(uvow__json_string_is(raw, escapes[i].text));
    uvow__buf_done(&buf);
    release(raw);
  }
}

static const struct {
  const char *raw;
  uvow__slice_t text;
} meanings[] = {
    {"\"\\u0069d\"", S("id")},
    {"\"\\/\\u00E9\"", S("/\xc3\xa9")},
    {"\"\\ud83d\\uDE00\"", S("\xf0\x9f\x98\x80")},
    {"\"\\uDBFF\\uDFFF\"", S("\xf4\x8f\xbf\xbf")},
    {"\"\\ud83d\"", S("\xef\xbf\xbd")},
    {"\"\\ude00x\"", S("\xef\xbf\xbdx")},
    {"\"\\ud83d\\n\"", S("\xef\xbf\xbd\n")},
    {"\"\\ud83d\\ud83d\\ude00\"", S("\xef\xbf\xbd\xf0\x9f\x98\x80")},
    {"\"\\ud83d\\u0041\"", S("\xef\xbf\xbd"
                             "A")},
    {"\"\\ud83d\\ue000\"", S("\xef\xbf\xbd\xee\x80\x80")},
    {"\"\\ud83dtwelve more\"", S("\xef\xbf\xbdtwelve more")},
    {"\"\\ud83d\\n12345678\"", S("\xef\xbf\xbd\n12345678")},
};

TEST_CASE(unescapes) {
  for (size_t i = 0; i < sizeof(meanings) / sizeof(*meanings); i++) {
    uvow__buf_t buf;
    uvow__slice_t raw = exact(meanings[i].raw, strlen(meanings[i].raw));
    uvow__buf_init(&buf, &uvow__mem_default, 1000);
    assert_int_equal(uvow__json_unescape(&buf, raw), 0);
    is_text(&buf, meanings[i].text.ptr, meanings[i].text.len);
    /* Half a pair equals nothing, not even U+FFFD. */
    assert_int_equal(uvow__json_string_is(raw, meanings[i].text), i < 4);
    uvow__buf_done(&buf);
    release(raw);
  }
}

TEST_CASE(refuses_what_is_no_string) {
  static const char *const bad[] = {
      "",         "\"",       "x",       "id",          "\"id",
      "id\"",     "\"\\\"",   "\"\\x\"", "\"\\u12\"",   "\"\\u12g4\"",
      "\"a\nb\"", "\"a\"b\"", "\"\\u\"", "\"\\u+123\"", "\"\\u 123\""};
  for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
    uvow__buf_t buf;
    uvow__slice_t raw = exact(bad[i], strlen(bad[i]));
    uvow__buf_init(&buf, &uvow__mem_default, 1000);
    assert_int_equal(uvow__buf_append_text(&buf, "kept"), 0);
    assert_int_equal(uvow__json_unescape(&buf, raw), UVOW_EENVELOPE);
    assert_int_equal(uvow__json_string_begins(raw, (uvow__slice_t){"", 0}), 0);
    assert_int_equal(uvow__json_string_ends(raw, (uvow__slice_t){"", 0}), 0);
    is_text(&buf, "kept", 4);
    assert_false(uvow__json_string_is(raw, raw));
    uvow__buf_done(&buf);
    release(raw);
  }
}

TEST_CASE(every_prefix_is_no_string) {
  const char *raw = "\"a\\n\\u00e9\\ud83d\\ude00\"";
  for (size_t len = 0; len < strlen(raw); len++) {
    uvow__slice_t cut = exact(raw, len);
    uvow__buf_t buf;
    uvow__buf_init(&buf, &uvow__mem_default, 1000);
    assert_int_equal(uvow__json_unescape(&buf, cut), UVOW_EENVELOPE);
    uvow__buf_done(&buf);
    release(cut);
  }
}

TEST_CASE(compares) {
  assert_true(uvow__json_string_is(slice("\"id\""), slice("id")));
  assert_false(uvow__json_string_is(slice("\"id\""), slice("i")));
  assert_false(uvow__json_string_is(slice("\"id\""), slice("idx")));
  assert_false(uvow__json_string_is(slice("\"iD\""), slice("id")));
  assert_false(uvow__json_string_is(slice("\"\""), slice("id")));
}

TEST_CASE(plain_text_is_borrowed) {
  uvow__slice_t text = {NULL, 0};
  const char *raw = "\"abc\"";
  assert_true(uvow__json_plain(slice(raw), &text));
  assert_ptr_equal(text.ptr, raw + 1);
  assert_int_equal(text.len, 3);
  assert_false(uvow__json_plain(slice("\"a\\n\""), &text));
  assert_false(uvow__json_plain(slice("12"), &text));
  assert_false(uvow__json_plain((uvow__slice_t){NULL, 0}, &text));
  assert_ptr_equal(text.ptr, raw + 1);
  assert_true(uvow__json_plain(slice("\"\""), &text));
  assert_int_equal(text.len, 0);
}

TEST_CASE(only_utf8_is_escaped) {
  static const char *const bad[] = {"\x80", "\xc0\x80", "\xed\xa0\x80",
                                    "\xf4\x90\x80\x80", "abcdefgh\xe2\x82"};
  uvow__buf_t buf;
  uvow__buf_init(&buf, &uvow__mem_default, 1000);
  for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
    assert_int_equal(uvow__json_escape(&buf, slice(bad[i])), UVOW_EINVAL);
  assert_int_equal(uvow__json_escape(&buf, (uvow__slice_t){NULL, 1}),
                   UVOW_EINVAL);
  assert_int_equal(uvow__json_escape(&buf, (uvow__slice_t){NULL, 0}), 0);
  is_text(&buf, "\"\"", 2);
  uvow__buf_done(&buf);
}

TEST_CASE(a_limit_changes_nothing) {
  for (size_t max = 4; max < 4 + 10; max++) {
    uvow__buf_t buf;
    uvow__buf_init(&buf, &uvow__mem_default, max);
    assert_int_equal(uvow__buf_append_text(&buf, "kept"), 0);
    assert_int_equal(uvow__json_escape(&buf, slice("ab\ncd\1")),
                     UVOW_EOVERLOAD);
    is_text(&buf, "kept", 4);
    uvow__buf_done(&buf);
  }
}

static void without_memory(test_alloc_t *alloc, void *data) {
  char text[600];
  uvow__buf_t buf;
  (void)data;
  memset(text, '\n', sizeof(text));
  uvow__buf_init(&buf, &alloc->allocator, 10000);
  int rc = uvow__json_escape(&buf, (uvow__slice_t){text, sizeof(text)});
  assert_int_equal(rc, alloc->failed ? UVOW_ENOMEM : 0);
  assert_int_equal(uvow__buf_size(&buf), rc ? 0 : 1202);
  rc = uvow__json_unescape(&buf, slice("\"abc\""));
  assert_true(rc == 0 || rc == UVOW_ENOMEM);
  uvow__buf_done(&buf);
}

TEST_CASE(survives_no_memory) {
  test_alloc_sweep(without_memory, NULL);
}

TEST_CASE(knows_what_stands_for_itself) {
  for (size_t len = 0; len < 20; len++) {
    char *text = (char *)malloc(len ? len : 1);
    assert_non_null(text);
    memset(text, 'a', len);
    assert_true(uvow__json_stands((uvow__slice_t){text, len}));
    for (size_t at = 0; at < len; at++) {
      for (int c = 0; c < 256; c++) {
        text[at] = (char)(unsigned char)c;
        assert_int_equal(uvow__json_stands((uvow__slice_t){text, len}),
                         c >= ' ' && c < 128 && c != '"' && c != '\\');
      }
      text[at] = 'a';
    }
    free(text);
  }
}

TEST_MODULE(json_text) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(escapes_and_back),
      cmocka_unit_test(unescapes),
      cmocka_unit_test(refuses_what_is_no_string),
      cmocka_unit_test(every_prefix_is_no_string),
      cmocka_unit_test(compares),
      cmocka_unit_test(knows_what_stands_for_itself),
      cmocka_unit_test(plain_text_is_borrowed),
      cmocka_unit_test(only_utf8_is_escaped),
      cmocka_unit_test(a_limit_changes_nothing),
      cmocka_unit_test(survives_no_memory),
  };
  return cmocka_run_group_tests_name("wire/json_text", tests, NULL, NULL);
}
