/*
 * Hashes and random bytes, from OpenSSL's libcrypto. With lib/net/tls_openssl.c
 * the only file that knows it.
 *
 * 1. Nothing of the library calls this but what is linked with a WebSocket: so
 *    whoever links the futures alone needs no OpenSSL.
 * 2. OpenSSL's generator is seeded from the system, again after a fork. The
 *    system's bytes take 2.7 ns each here, a mask key as long as a frame's
 *    header; these, a block at a time, take 0.3.
 */
#include "hash.h"

#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <uvow/error.h>

static int digest(const EVP_MD *kind, const uvow__slice_t *pieces, size_t count,
                  uint8_t *ret) {
  EVP_MD_CTX *ctx = EVP_MD_CTX_new();
  int ok = ctx && EVP_DigestInit_ex(ctx, kind, NULL);
  for (size_t i = 0; ok && i < count; i++)
    ok = EVP_DigestUpdate(ctx, pieces[i].ptr, pieces[i].len);
  ok = ok && EVP_DigestFinal_ex(ctx, ret, NULL);
  EVP_MD_CTX_free(ctx);
  if (ok)
    return 0;
  ERR_clear_error();
  return UVOW_ENOMEM;
}

int uvow__sha1(const uvow__slice_t *pieces, size_t count,
               uint8_t ret[UVOW__SHA1]) {
  return digest(EVP_sha1(), pieces, count, ret);
}

int uvow__sha256(const uvow__slice_t *pieces, size_t count,
                 uint8_t ret[UVOW__SHA256]) {
  return digest(EVP_sha256(), pieces, count, ret);
}

/* OpenSSL counts a key in int: RFC 2104 2 hashes one that is so long. */
int uvow__hmac_sha256(uvow__slice_t key, uvow__slice_t text,
                      uint8_t ret[UVOW__SHA256]) {
  uint8_t hashed[UVOW__SHA256];
  if (key.len > 64) {
    int rc = uvow__sha256(&key, 1, hashed);
    if (rc)
      return rc;
    key.ptr = (const char *)hashed;
    key.len = sizeof(hashed);
  }
  if (HMAC(EVP_sha256(), key.ptr, (int)key.len, (const unsigned char *)text.ptr,
           text.len, ret, NULL))
    return 0;
  ERR_clear_error();
  return UVOW_ENOMEM;
}

static int refill(uvow__random_t *random) {
  if (RAND_bytes(random->block, sizeof(random->block)) != 1) {
    ERR_clear_error();
    return UVOW_ETLS;
  }
  random->left = sizeof(random->block);
  return 0;
}

int uvow__random(uvow__random_t *random, uint8_t *bytes, size_t len) {
  while (len) {
    int rc = random->left ? 0 : refill(random);
    if (rc)
      return rc;
    size_t part = len < random->left ? len : random->left;
    uint8_t *from = random->block + sizeof(random->block) - random->left;
    memcpy(bytes, from, part);
    memset(from, 0, part); /* what was given isn't kept */
    random->left -= part;
    bytes += part;
    len -= part;
  }
  return 0;
}
