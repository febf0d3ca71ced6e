/* What a terminal gets of a peer's bytes. */
#include "screen.h"

#include "support/support.h"

typedef void (*put_fn)(const screen_t *screen, const char *bytes, size_t len);

/* What is written of these bytes. */
static void expect_of(put_fn put, int filters, const char *bytes, size_t len,
                      const char *expected) {
  char got[256] = "";
  screen_t screen = {tmpfile(), 1, filters, 0};
  assert_non_null(screen.file);
  put(&screen, bytes, len);
  rewind(screen.file);
  size_t size = fread(got, 1, sizeof(got) - 1, screen.file);
  assert_int_equal(fclose(screen.file), 0);
  assert_int_equal(size, strlen(expected));
  assert_memory_equal(got, expected, size);
}

#define EXPECT(put, bytes, expected)                                           \
  expect_of((put), 1, (bytes), sizeof(bytes) - 1, (expected))

TEST_CASE(test_controls_are_escaped) {
  EXPECT(screen_peer, "a\033[2Jb", "a\\u001b[2Jb");
  EXPECT(screen_peer, "\r\n\t\b\177", "\\u000d\\u000a\\u0009\\u0008\\u007f");
  EXPECT(screen_peer, "\0x", "\\u0000x");
  EXPECT(screen_peer,
         "\xc2\x9b"
         "31m",
         "\\u009b31m"); /* CSI as C1 */
}

TEST_CASE(test_json_keeps_its_lines) {
  EXPECT(screen_json, "{\n\t\"a\": 1}\n", "{\n\t\"a\": 1}\n");
  EXPECT(screen_json, "\"\033]0;x\007\"\0", "\"\\u001b]0;x\\u0007\"\\u0000");
}

TEST_CASE(test_what_turns_text_around_is_escaped) {
  EXPECT(screen_peer,
         "a\xe2\x80\xae"
         "b",
         "a\\u202eb");
  EXPECT(screen_peer, "\xe2\x81\xa6\xe2\x80\xa8\xef\xbb\xbf",
         "\\u2066\\u2028\\ufeff");
}

TEST_CASE(test_other_text_passes) {
  EXPECT(screen_peer, "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80",
         "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80");
}

/* Each kind of what isn't UTF-8: byte by byte, and what follows is read. */
TEST_CASE(test_bytes_that_are_no_text) {
  EXPECT(screen_peer, "\xff", "\\xff");
  EXPECT(screen_peer, "\x9b", "\\x9b");
  EXPECT(screen_peer, "\xc0\x9b", "\\xc0\\x9b"); /* overlong ESC */
  EXPECT(screen_peer, "\xe0\x80\x9b", "\\xe0\\x80\\x9b");
  EXPECT(screen_peer, "\xf0\x80\x80\x9b", "\\xf0\\x80\\x80\\x9b");
  EXPECT(screen_peer, "\xed\xa0\x80", "\\xed\\xa0\\x80"); /* a surrogate */
  EXPECT(screen_peer, "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80");
  EXPECT(screen_peer, "\xe2\x82", "\\xe2\\x82"); /* cut */
  EXPECT(screen_peer, "\xe2\x82(", "\\xe2\\x82(");
}

TEST_CASE(test_elsewhere_bytes_are_as_they_came) {
  expect_of(screen_peer, 0, "\033[2J\xff", 5, "\033[2J\xff");
  expect_of(screen_json, 0, "\033\r", 2, "\033\r");
}

TEST_CASE(test_no_colours_without_a_terminal) {
  char got[64] = "";
  screen_t screen = {tmpfile(), 1, 1, 0};
  screen_put(&screen, INK_RED, "a");
  screen.colours = 1;
  screen_put(&screen, INK_RED, "b");
  rewind(screen.file);
  got[fread(got, 1, sizeof(got) - 1, screen.file)] = '\0';
  assert_string_equal(got, "a\033[31mb\033[0m");
  assert_int_equal(fclose(screen.file), 0);
}

TEST_MODULE(screen) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_controls_are_escaped),
      cmocka_unit_test(test_json_keeps_its_lines),
      cmocka_unit_test(test_what_turns_text_around_is_escaped),
      cmocka_unit_test(test_other_text_passes),
      cmocka_unit_test(test_bytes_that_are_no_text),
      cmocka_unit_test(test_elsewhere_bytes_are_as_they_came),
      cmocka_unit_test(test_no_colours_without_a_terminal),
  };
  return cmocka_run_group_tests_name("cli/screen", tests, NULL, NULL);
}
