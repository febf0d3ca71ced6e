#ifndef UVOW__UTF8_WIDE_H
#define UVOW__UTF8_WIDE_H

#include <stddef.h>
#include <stdint.h>

/*
 * UTF-8 looked at many bytes at a time, where the processor can: see wide.h.
 * Elsewhere nothing is looked at, and all is left to utf8.c.
 */

/* Looks at less than that is of no use. */
#define UVOW__UTF8_WIDE_MIN 128

/* Returns how many of the first bytes of a text are valid, whole characters, as
 * far as it looked: it may stop anywhere, and stops before the first character
 * that isn't one. `bytes` is between two characters. */
size_t uvow__utf8_wide(const uint8_t *bytes, size_t len);

#endif
