/* Base64 (RFC 4648 4): its test vectors, and all that is none. */
#include "support/support.h"

#include <uvow/error.h>

#include "wire/base64.h"

static void codes_base64(void **state) {
  static const char *const pairs[][2] = {{"", ""},
                                         {"f", "Zg=="},
                                         {"fo", "Zm8="},
                                         {"foo", "Zm9v"},
                                         {"foob", "Zm9vYg=="},
                                         {"fooba", "Zm9vYmE="},
                                         {"foobar", "Zm9vYmFy"}};
  (void)state;
  for (size_t i = 0; i < 7; i++) {
    char text[16];
    uint8_t bytes[6];
    size_t len = strlen(pairs[i][0]);
    size_t got;
    assert_int_equal(
        uvow__base64_encode((const uint8_t *)pairs[i][0], len, text),
        strlen(pairs[i][1]));
    assert_string_equal(text, pairs[i][1]);
    assert_int_equal(uvow__base64_decode(text, strlen(text), bytes, len, &got),
                     0);
    assert_int_equal(got, len);
    assert_memory_equal(bytes, pairs[i][0], len);
    if (len)
      assert_int_equal(
          uvow__base64_decode(text, strlen(text), bytes, len - 1, &got),
          UVOW_EINVAL);
  }
}

static void codes_all_of_base64(void **state) {
  static const char all[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  static const char *const bad[] = {
      "A",    "AA",   "AAA",  "A===",  "====", "=AAA",  "A=AA",
      "AA=A", "AA-A", "AA A", "AA\nA", "A_AA", "AAAA=", "AAA=AAAA"};
  uint8_t bytes[48];
  char text[UVOW__BASE64_SIZE(48)];
  size_t len;
  (void)state;
  assert_int_equal(uvow__base64_decode(all, 64, bytes, 48, &len), 0);
  assert_int_equal(len, 48);
  assert_int_equal(uvow__base64_encode(bytes, 48, text), 64);
  assert_string_equal(text, all);
  for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
    assert_int_equal(
        uvow__base64_decode(bad[i], strlen(bad[i]), bytes, 48, &len),
        UVOW_EINVAL);
  for (int c = 0; c < 256; c++) {
    char quad[] = "AAAA";
    quad[1] = (char)c;
    int known = c && memchr(all, c, 64);
    assert_int_equal(uvow__base64_decode(quad, 4, bytes, 48, &len),
                     known ? 0 : UVOW_EINVAL);
  }
}

TEST_MODULE(base64) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(codes_base64),
      cmocka_unit_test(codes_all_of_base64),
  };
  return cmocka_run_group_tests_name("wire/base64", tests, NULL, NULL);
}
