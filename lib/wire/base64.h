#ifndef UVOW__BASE64_H
#define UVOW__BASE64_H

#include <stddef.h>
#include <stdint.h>

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

#endif
