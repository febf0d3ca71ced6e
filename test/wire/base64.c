/* Base64 (RFC 4648 4): its test vectors, and all that is none. */
#include "support/support.h"

#include <uvow/error.h>

#include "wire/base64.h"

TEST_CASE(codes_base64) {
  static const char *const pairs[][2] = {{"", ""},
                                         {"f", "Zg=="},
                                         {"fo", "Zm8="},
                                         {"foo", "Zm9v"},
                                         {"foob", "Zm9vYg=="},
                                         {"fooba", "Zm9vYmE="},
                                         {"foobar", "Zm9vYmFy"}};
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

TEST_CASE(codes_all_of_base64) {
  static const char all[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  static const char *const bad[] = {
      "A",    "AA",   "AAA",  "A===",  "====", "=AAA",  "A=AA",
      "AA=A", "AA-A", "AA A", "AA\nA", "A_AA", "AAAA=", "AAA=AAAA"};
  uint8_t bytes[48];
  char text[UVOW__BASE64_SIZE(48)];
  size_t len;
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

/* The example of obs-websocket's documentation of its protocol. */
TEST_CASE(hashes_a_secret) {
  char secret[UVOW__BASE64_SIZE(UVOW__SHA256)];
  char answer[UVOW__BASE64_SIZE(UVOW__SHA256)];
  const uvow__slice_t first[] = {
      UVOW__SLICE("supersecretpassword"),
      UVOW__SLICE("lM1GncleQOaCu9lT1yeUZhFYnqhsLLP1G5lAGo3ixaI=")};
  uvow__slice_t second[] = {
      {secret, sizeof(secret) - 1},
      UVOW__SLICE("+IxH4CnCiqpX1rM9scsNynZzbOe4KhDeYcTNS3PDaeY=")};
  assert_int_equal(uvow__base64_sha256(first, 2, secret), 0);
  assert_int_equal(uvow__base64_sha256(second, 2, answer), 0);
  assert_string_equal(answer, "1Ct943GAT+6YQUUX47Ia/ncufilbe6+oD6lY+5kaCu4=");
}

TEST_MODULE(base64) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(codes_base64),
      cmocka_unit_test(codes_all_of_base64),
      cmocka_unit_test(hashes_a_secret),
  };
  return cmocka_run_group_tests_name("wire/base64", tests, NULL, NULL);
}
