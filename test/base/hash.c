/* Hashes, against the published vectors; random bytes. */
#include "base/hash.h"

#include "support/faults.h"

#include <stdio.h>

#include <uvow/error.h>

#include "base/text.h"

static void expect_hex(const uint8_t *bytes, size_t len, const char *hex) {
  char text[2 * UVOW__SHA256 + 1];
  for (size_t i = 0; i < len; i++)
    snprintf(text + 2 * i, 3, "%02x", bytes[i]);
  assert_string_equal(text, hex);
}

/* FIPS 180-2 A.1, A.2, B.1, B.2, and of nothing: cut anywhere. */
TEST_CASE(texts_are_hashed) {
  static const struct {
    const char *text;
    const char *sha1;
    const char *sha256;
  } cases[] = {
      {"", "da39a3ee5e6b4b0d3255bfef95601890afd80709",
       "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
      {"abc", "a9993e364706816aba3e25717850c26c9cd0d89d",
       "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
      {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
       "84983e441c3bd26ebaae4aa1f95129e5e54670f1",
       "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"}};
  uint8_t hash[UVOW__SHA256];
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    size_t len = strlen(cases[i].text);
    for (size_t at = 0; at <= len; at++) {
      const uvow__slice_t pieces[] = {{cases[i].text, at},
                                      {cases[i].text + at, len - at}};
      assert_int_equal(uvow__sha1(pieces, 2, hash), 0);
      expect_hex(hash, UVOW__SHA1, cases[i].sha1);
      assert_int_equal(uvow__sha256(pieces, 2, hash), 0);
      expect_hex(hash, UVOW__SHA256, cases[i].sha256);
    }
  }
  assert_int_equal(uvow__sha256(NULL, 0, hash), 0);
  expect_hex(hash, UVOW__SHA256, cases[0].sha256);
}

/* RFC 4231 4.2, 4.3, 4.7, 4.8. */
TEST_CASE(keys_are_hashed_with_texts) {
  static char same[131];
  uint8_t hash[UVOW__SHA256];
  uvow__slice_t key = {same, 20};
  memset(same, 0x0b, sizeof(same));
  assert_int_equal(uvow__hmac_sha256(key, uvow__slice_of("Hi There"), hash), 0);
  expect_hex(
      hash, sizeof(hash),
      "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  assert_int_equal(
      uvow__hmac_sha256(uvow__slice_of("Jefe"),
                        uvow__slice_of("what do ya want for nothing?"), hash),
      0);
  expect_hex(
      hash, sizeof(hash),
      "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  memset(same, 0xaa, sizeof(same));
  key.len = sizeof(same);
  assert_int_equal(
      uvow__hmac_sha256(key,
                        uvow__slice_of("Test Using Larger Than Block-Size Key "
                                       "- Hash Key First"),
                        hash),
      0);
  expect_hex(
      hash, sizeof(hash),
      "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
  assert_int_equal(
      uvow__hmac_sha256(key,
                        uvow__slice_of("This is a test using a larger than "
                                       "block-size key and a larger than "
                                       "block-size data. The key needs to be "
                                       "hashed before being used by the HMAC "
                                       "algorithm."),
                        hash),
      0);
  expect_hex(
      hash, sizeof(hash),
      "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2");
}

/* They come in blocks; no two are the same, and what was given isn't kept. */
TEST_CASE(random_bytes_are_never_the_same) {
  uvow__random_t random = {0};
  uint8_t a[3000];
  uint8_t b[3000];
  uint8_t one;
  memset(a, 0, sizeof(a));
  memset(b, 0, sizeof(b));
  assert_int_equal(uvow__random(&random, a, sizeof(a)), 0);
  assert_memory_not_equal(random.block, a, sizeof(a));
  assert_int_equal(random.block[0] | random.block[sizeof(a) - 1], 0);
  assert_int_equal(uvow__random(&random, b, sizeof(b)), 0);
  assert_memory_not_equal(a, b, sizeof(a));
  assert_memory_not_equal(a, a + 1024, 1024);
  for (size_t i = 0; i + 16 <= sizeof(a); i += 16)
    assert_memory_not_equal(a + i, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16);
  for (int i = 0; i < 2000; i++)
    assert_int_equal(uvow__random(&random, &one, 1), 0);
  assert_int_equal(uvow__random(&random, NULL, 0), 0);
}

/* OpenSSL has no memory, or no random bytes: it's said, and then it goes on. */
TEST_CASE(what_openssl_refuses_is_said) {
  static const char *const calls[] = {"EVP_DigestInit_ex", "EVP_DigestUpdate",
                                      "EVP_DigestFinal_ex"};
  uvow__slice_t text = uvow__slice_of("abc");
  uvow__random_t random = {0};
  char long_key[65] = "";
  uint8_t ret[UVOW__SHA256];
  for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
    faults_begin(calls[i], 0, 1, 3);
    assert_int_equal(uvow__sha1(&text, 1, ret), UVOW_ENOMEM);
    assert_int_equal(uvow__sha256(&text, 1, ret), UVOW_ENOMEM);
    uvow__slice_t key = {long_key, sizeof(long_key)};
    assert_int_equal(uvow__hmac_sha256(key, text, ret), UVOW_ENOMEM);
    assert_int_equal(uvow__sha1(&text, 1, ret), 0);
    assert_int_equal(faults_end(), 3);
  }
  faults_begin("HMAC", 0, 1, 1);
  assert_int_equal(uvow__hmac_sha256(text, text, ret), UVOW_ENOMEM);
  assert_int_equal(faults_end(), 1);
  faults_begin("RAND_bytes", 0, 1, 1);
  assert_int_equal(uvow__random(&random, ret, 1), UVOW_ETLS);
  assert_int_equal(uvow__random(&random, ret, 1), 0);
  assert_int_equal(faults_end(), 1);
}

TEST_MODULE(hash) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(texts_are_hashed),
      cmocka_unit_test(keys_are_hashed_with_texts),
      cmocka_unit_test(random_bytes_are_never_the_same),
      cmocka_unit_test(what_openssl_refuses_is_said),
  };
  return cmocka_run_group_tests_name("base/hash", tests, NULL, NULL);
}
