/*
 * Base64, RFC 4648 section 4: for the handshake's key and for basic auth.
 *
 * 1. Padding is required, and stands at the end only.
 * 2. The unused bits before padding may be anything: RFC 4648 3.5 leaves that
 *    to the decoder, and there are clients that draw their key as text.
 */
#include "base/text.h"
#include "base64.h"

#include <uvow/error.h>

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t uvow__base64_encode(const uint8_t *bytes, size_t len, char *ret) {
  size_t at = 0;
  for (size_t i = 0; i < len; i += 3) {
    size_t left = len - i;
    uint32_t group = (uint32_t)bytes[i] << 16;
    if (left > 1)
      group |= (uint32_t)bytes[i + 1] << 8;
    if (left > 2)
      group |= bytes[i + 2];
    ret[at++] = alphabet[group >> 18];
    ret[at++] = alphabet[group >> 12 & 63];
    ret[at++] = left > 1 ? alphabet[group >> 6 & 63] : '=';
    ret[at++] = left > 2 ? alphabet[group & 63] : '=';
  }
  ret[at] = '\0';
  return at;
}

/* 0 to 63, or -1. */
static int value_of(char c) {
  if (c >= 'A' && c <= 'Z')
    return c - 'A';
  if (c >= 'a' && c <= 'z')
    return c - 'a' + 26;
  if (uvow__is_digit(c))
    return c - '0' + 52;
  return c == '+' ? 62 : c == '/' ? 63 : -1;
}

int uvow__base64_decode(const char *text, size_t len, uint8_t *ret, size_t size,
                        size_t *ret_len) {
  size_t pad = 0;
  size_t at = 0;
  uint32_t bits = 0;
  unsigned count = 0;
  if (len % 4 != 0)
    return UVOW_EINVAL;
  while (pad < 2 && pad < len && text[len - 1 - pad] == '=')
    pad++;
  for (size_t i = 0; i < len - pad; i++) {
    int value = value_of(text[i]);
    if (value < 0)
      return UVOW_EINVAL;
    bits = (bits << 6 | (uint32_t)value) & 0xffffu;
    count += 6;
    if (count < 8)
      continue;
    if (at == size)
      return UVOW_EINVAL;
    count -= 8;
    ret[at++] = (uint8_t)(bits >> count);
  }
  *ret_len = at;
  return 0;
}

int uvow__base64_sha256(const uvow__slice_t *pieces, size_t count, char *ret) {
  uint8_t hash[UVOW__SHA256];
  int rc = uvow__sha256(pieces, count, hash);
  if (rc == 0)
    uvow__base64_encode(hash, sizeof(hash), ret);
  return rc;
}
