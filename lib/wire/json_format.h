#ifndef UVOW__JSON_FORMAT_H
#define UVOW__JSON_FORMAT_H

#include <stdarg.h>

#include "base/buf.h"

/*
 * Appends JSON text by a format, that of jansson's json_pack, without a tree:
 *
 *   { } [ ]    an object, whose members are a key and a value; an array
 *   s s# s%    const char *; with an int, with a size_t: its length
 *   i I f b n  int, int64_t, double, int (true unless 0), null
 *   o O        struct json_t *: taken, borrowed
 *   r          const char *: JSON text, as it is
 *   ? *        behind s, o, O, r: NULL is null; NULL is left out
 *
 * Spaces, commas and colons may stand anywhere. All or nothing; what `o` has is
 * taken in any case, unless it stands behind what makes the format wrong.
 * Returns 0, UVOW_EINVAL: the format is wrong, or what it should write can't
 * be written: NULL, no UTF-8, not finite, no JSON; UVOW_ENOMEM,
 * UVOW_EOVERLOAD.
 */
int uvow__json_format(uvow__buf_t *out, const char *format, va_list args);

#endif
