#ifndef UVOW__JSON_NUMBER_H
#define UVOW__JSON_NUMBER_H

#include "base/buf.h"

/* Numbers of JSON, whatever the locale. A text is a number of JSON, which the
 * caller has checked; anything else is UVOW_ETYPE, too. */

/* An integer, also as a real without a fraction: 1.0, 1e2. Returns 0, or
 * UVOW_ETYPE: none, or out of range. */
int uvow__json_to_i64(uvow__slice_t text, int64_t *ret_i64);
/* The double next to it. Returns 0, or UVOW_ETYPE: none, or too large. */
int uvow__json_to_double(uvow__slice_t text, double *ret_f64);

/* Appends the shortest text that is read as this number; it has a point or an
 * exponent, so that it stays a real. Returns 0, UVOW_EINVAL: not finite;
 * UVOW_ENOMEM, UVOW_EOVERLOAD. */
int uvow__json_put_double(uvow__buf_t *out, double number);

#endif
