#ifndef UVOW__BASE64_H
#define UVOW__BASE64_H

#include "base/hash.h"

/* What the text of len bytes takes, its NUL counted. */
#define UVOW__BASE64_SIZE(len) (((len) + 2) / 3 * 4 + 1)

/* Writes padded base64 (RFC 4648 4) and a NUL: UVOW__BASE64_SIZE(len) chars.
 * Borrows bytes. Returns the length of the text. */
size_t uvow__base64_encode(const uint8_t *bytes, size_t len, char *ret);

/* Reads padded base64 without line breaks; ret has room for `size` bytes.
 * Returns 0, or UVOW_EINVAL: it isn't base64, or is longer than that (then ret
 * is undefined, *ret_len untouched). */
int uvow__base64_decode(const char *text, size_t len, uint8_t *ret, size_t size,
                        size_t *ret_len);

/* SHA-256 of a text in pieces, as base64: UVOW__BASE64_SIZE(UVOW__SHA256) chars.
 * 0, or UVOW_ENOMEM. */
int uvow__base64_sha256(const uvow__slice_t *pieces, size_t count, char *ret);

#endif
