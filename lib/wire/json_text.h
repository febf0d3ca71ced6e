#ifndef UVOW__JSON_TEXT_H
#define UVOW__JSON_TEXT_H

#include "base/buf.h"

/*
 * JSON strings as bytes. "Raw" is the text as it stands in a message, with its
 * quotes. No function trusts it, and none reads past its end.
 */

/* Whether the bytes are UTF-8 (RFC 3629: no surrogates, shortest forms). */
int uvow__json_utf8(uvow__slice_t text);

/* Appends text as a JSON string, quotes included, all or nothing. Returns 0,
 * UVOW_EINVAL: not UTF-8, UVOW_ENOMEM, UVOW_EOVERLOAD. */
int uvow__json_escape(uvow__buf_t *out, uvow__slice_t text);

/* Appends what a raw string means, in UTF-8, all or nothing. Half a surrogate
 * pair becomes U+FFFD; \u0000 becomes a NUL byte. Returns 0, UVOW_EENVELOPE:
 * no JSON string, UVOW_ENOMEM, UVOW_EOVERLOAD. */
int uvow__json_unescape(uvow__buf_t *out, uvow__slice_t raw);

/* Whether a raw string means exactly this text. Half a surrogate pair equals
 * nothing. */
int uvow__json_string_is(uvow__slice_t raw, uvow__slice_t text);

/* Where a raw string holds no escape, its meaning is what's between its
 * quotes: returns 1 and borrows it. Otherwise 0: unescape it. */
int uvow__json_plain(uvow__slice_t raw, uvow__slice_t *ret_text);

/* Reads the n hexadecimal digits at p: the number, or -1. n is at most 4. */
long uvow__json_hex(const char *p, size_t n);

#endif
