/*
 * Numbers of JSON: read and written without the locale.
 *
 *   text -> decimal -> int64
 *                   -> double   by one exact operation, mostly; else by strtod
 *   double -> text  of an integer and a power of ten, mostly; else by snprintf
 *
 * 1. A decimal is digits times a power of ten, without zeros at either end. One
 *    of more digits than fit is marked.
 * 2. Up to 2^53 and 10^22 both are doubles, and one multiplication or division
 *    rounds once, as it should (Clinger 1990): but not where a processor
 *    calculates with more bits than it stores.
 * 3. strtod is given digits and an exponent, never a point; of what snprintf
 *    writes, only digits and exponent are used. So no locale shows.
 * 4. 768 digits decide how any number is rounded: of those that follow it only
 *    matters whether there is another one than 0.
 */
#include "json_number.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uvow/error.h>

#include "base/text.h"

#define MANTISSA_MAX ((double)9007199254740992) /* 2^53 */
/* Of double, that is: an expression of float may be one of double (s390x). The
 * x87 of an i386 has more than double. */
#define EXACT_DOUBLES (FLT_EVAL_METHOD == 0 || FLT_EVAL_METHOD == 1)
#define MANTISSA_DIGITS 19 /* decimal digits that an uint64_t always holds */
#define DIGITS_MAX 800     /* given to strtod */
#define EXPONENT_MAX 1000000000

static const uint64_t powers[] = {UINT64_C(1),
                                  UINT64_C(10),
                                  UINT64_C(100),
                                  UINT64_C(1000),
                                  UINT64_C(10000),
                                  UINT64_C(100000),
                                  UINT64_C(1000000),
                                  UINT64_C(10000000),
                                  UINT64_C(100000000),
                                  UINT64_C(1000000000),
                                  UINT64_C(10000000000),
                                  UINT64_C(100000000000),
                                  UINT64_C(1000000000000),
                                  UINT64_C(10000000000000),
                                  UINT64_C(100000000000000),
                                  UINT64_C(1000000000000000),
                                  UINT64_C(10000000000000000),
                                  UINT64_C(100000000000000000),
                                  UINT64_C(1000000000000000000)};

static const double exact[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                               1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                               1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
#define EXACT_MAX 22

/* mantissa * 10^low * 10^exponent. */
typedef struct decimal {
  uint64_t mantissa; /* its last digit isn't 0, unless it is 0 */
  int64_t low;       /* the place of its last digit: 0 is that of ones */
  int64_t exponent;
  int64_t digits;
  int negative;
  int more; /* digits that mantissa has no room for */
} decimal_t;

static inline void add_digit(decimal_t *d, char c, int64_t place) {
  int64_t gap = d->low - place;
  if (c == '0')
    return;
  if (d->mantissa == 0) {
    d->mantissa = (uint64_t)(c - '0');
    d->digits = 1;
    d->low = place;
  } else if (d->digits + gap <= MANTISSA_DIGITS) {
    d->mantissa = d->mantissa * powers[gap] + (uint64_t)(c - '0');
    d->digits += gap;
    d->low = place;
  } else {
    d->more = 1;
  }
}

static int64_t read_exponent(const char *p, const char *end) {
  int64_t exponent = 0;
  int negative = p < end && *p == '-';
  if (p < end && (*p == '-' || *p == '+'))
    p++;
  for (; p < end && uvow__is_digit(*p) && exponent < EXPONENT_MAX; p++)
    exponent = exponent * 10 + (*p - '0');
  return negative ? -exponent : exponent;
}

/* Returns 0: it doesn't begin as a number does. */
static int read_decimal(uvow__slice_t text, decimal_t *ret) {
  const char *p = text.ptr;
  const char *end = text.ptr + text.len;
  decimal_t d = {0};
  d.negative = p < end && *p == '-';
  p += d.negative;
  const char *point = p;
  while (point < end && uvow__is_digit(*point))
    point++;
  if (point == p)
    return 0;
  for (; p < point; p++)
    add_digit(&d, *p, point - p - 1);
  if (p < end && *p == '.')
    for (p++; p < end && uvow__is_digit(*p); p++)
      add_digit(&d, *p, point - p);
  if (p < end)
    d.exponent = read_exponent(p + 1, end);
  *ret = d;
  return 1;
}

/* What most integers are: a few digits. Returns 0: not this one. */
static inline int read_plain(uvow__slice_t text, int64_t *ret_i64) {
  const char *p = text.ptr;
  const char *end = text.ptr + text.len;
  int negative = p < end && *p == '-';
  int64_t number = 0;
  p += negative;
  if (p == end || end - p > MANTISSA_DIGITS - 1)
    return 0;
  for (; p < end; p++) {
    if (!uvow__is_digit(*p))
      return 0;
    number = number * 10 + (*p - '0');
  }
  *ret_i64 = negative ? -number : number;
  return 1;
}

int uvow__json_to_i64(uvow__slice_t text, int64_t *ret_i64) {
  decimal_t d;
  if (read_plain(text, ret_i64))
    return 0;
  if (!read_decimal(text, &d))
    return UVOW_ETYPE;
  int64_t zeros = d.mantissa ? d.low + d.exponent : 0;
  if (d.more || zeros < 0 || d.digits + zeros > MANTISSA_DIGITS)
    return UVOW_ETYPE;
  uint64_t number = zeros ? d.mantissa * powers[zeros] : d.mantissa;
  if (number > (uint64_t)INT64_MAX + (d.negative ? 1 : 0))
    return UVOW_ETYPE;
  if (!d.negative)
    *ret_i64 = (int64_t)number;
  else
    *ret_i64 = number ? -(int64_t)(number - 1) - 1 : 0;
  return 0;
}

/* By one operation that is exact but for its rounding. Returns 0: not this one.
 */
static int by_one_operation(const decimal_t *d, double *ret) {
  int64_t exponent = d->low + d->exponent;
  double mantissa = (double)d->mantissa;
  if (!EXACT_DOUBLES || d->more || mantissa > MANTISSA_MAX ||
      exponent < -EXACT_MAX || exponent > EXACT_MAX)
    return 0;
  *ret =
      exponent < 0 ? mantissa / exact[-exponent] : mantissa * exact[exponent];
  return 1;
}

/* The digits of a number other than 0, as an integer, and its exponent. */
static double by_strtod(uvow__slice_t text, int64_t exponent) {
  char digits[DIGITS_MAX + 32];
  size_t len = 0;
  int64_t place = 0; /* of the last digit taken */
  int fraction = 0;
  int sticky = 0;
  for (size_t i = 0; i < text.len; i++) {
    char c = text.ptr[i];
    if (c == '.')
      fraction = 1;
    if (!uvow__is_digit(c))
      continue;
    if (len == DIGITS_MAX) {
      sticky |= c != '0';
      place += !fraction;
      continue;
    }
    place -= fraction;
    if (len || c != '0')
      digits[len++] = c;
  }
  if (sticky) {
    digits[len++] = '1';
    place--;
  }
  exponent += place;
  if (exponent > EXPONENT_MAX)
    exponent = EXPONENT_MAX;
  if (exponent < -EXPONENT_MAX)
    exponent = -EXPONENT_MAX;
  snprintf(digits + len, sizeof(digits) - len, "e%ld", (long)exponent);
  return strtod(digits, NULL);
}

int uvow__json_to_double(uvow__slice_t text, double *ret_f64) {
  decimal_t d;
  double number = 0;
  if (!read_decimal(text, &d))
    return UVOW_ETYPE;
  if (d.mantissa && !by_one_operation(&d, &number)) {
    const char *stop = text.ptr;
    while (stop < text.ptr + text.len && *stop != 'e' && *stop != 'E')
      stop++;
    uvow__slice_t digits = {text.ptr, (size_t)(stop - text.ptr)};
    number = by_strtod(digits, d.exponent);
  }
  if (number > DBL_MAX)
    return UVOW_ETYPE;
  *ret_f64 = d.negative ? -number : number;
  return 0;
}

/* number / 10^places, with a point. */
static int put_decimal(uvow__buf_t *out, uint64_t number, size_t places) {
  char text[48];
  size_t at = sizeof(text);
  size_t left = places;
  if (places == 0)
    text[--at] = '0';
  for (; left; left--, number /= 10)
    text[--at] = (char)('0' + number % 10);
  text[--at] = '.';
  do {
    text[--at] = (char)('0' + number % 10);
    number /= 10;
  } while (number);
  return uvow__buf_append(out, text + at, sizeof(text) - at);
}

/* d.ddde-dd as snprintf has it, without its point, and without zeros behind. */
static size_t lay_out(const char *printed, char *ret) {
  char digits[32];
  size_t count = 0;
  size_t len = 0;
  for (; *printed != 'e'; printed++)
    if (uvow__is_digit(*printed) && count < sizeof(digits))
      digits[count++] = *printed;
  while (count > 1 && digits[count - 1] == '0')
    count--;
  ret[len++] = digits[0];
  if (count > 1) {
    ret[len++] = '.';
    memcpy(ret + len, digits + 1, count - 1);
    len += count - 1;
  }
  ret[len++] = 'e';
  printed++;
  if (*printed == '-')
    ret[len++] = '-';
  for (printed++; *printed == '0' && printed[1]; printed++)
    ;
  size_t rest = strlen(printed);
  memcpy(ret + len, printed, rest);
  return len + rest;
}

/* With as many digits as it takes: 15 are always enough to be told from others
 * of 15, 17 from all; of the smallest numbers, which have less bits, fewer. */
static uvow__slice_t shortest(double number, char text[64]) {
  char printed[64];
  uvow__slice_t made = {text, 0};
  double again;
  for (int precision = number < DBL_MIN ? 0 : 14; precision <= 16;
       precision++) {
    snprintf(printed, sizeof(printed), "%.*e", precision, number);
    made.len = lay_out(printed, text);
    if (uvow__json_to_double(made, &again) == 0 && again == number)
      break;
  }
  return made;
}

#if !EXACT_DOUBLES
/* decimals_of without arithmetic of doubles; the number is one that it takes. */
static int decimals_printed(double number, uint64_t *ret_digits) {
  char text[64];
  uvow__slice_t made = shortest(number, text);
  uint64_t digits = 0;
  size_t at = 0;
  int places = 0;
  for (int after = 0; text[at] != 'e'; at++) {
    if (text[at] == '.') {
      after = 1;
      continue;
    }
    digits = digits * 10 + (uint64_t)(text[at] - '0');
    places += after;
  }
  int negative = text[++at] == '-';
  int exponent = 0;
  for (at += (size_t)negative; at < made.len; at++)
    exponent = exponent * 10 + (text[at] - '0');
  for (places -= negative ? -exponent : exponent; places < 0; places++)
    digits *= 10;
  if (digits >= (uint64_t)MANTISSA_MAX || places > EXACT_MAX)
    return -1;
  *ret_digits = digits;
  return places;
}
#endif

/* How many decimals a number has, if they are few; or -1. */
static int decimals_of(double number, uint64_t *ret_digits) {
  if (number >= MANTISSA_MAX || number < 1e-5)
    return -1;
#if !EXACT_DOUBLES
  return decimals_printed(number, ret_digits);
#else
  for (int places = 0; places <= EXACT_MAX; places++) {
    double shifted = number * exact[places] + 0.5;
    if (shifted >= MANTISSA_MAX)
      break;
    uint64_t digits = (uint64_t)shifted;
    if ((double)digits / exact[places] == number) {
      *ret_digits = digits;
      return places;
    }
  }
  return -1;
#endif
}

static int put_scientific(uvow__buf_t *out, double number) {
  char text[64];
  uvow__slice_t made = shortest(number, text);
  return uvow__buf_append(out, made.ptr, made.len);
}

int uvow__json_put_double(uvow__buf_t *out, double number) {
  size_t size = uvow__buf_size(out);
  uint64_t digits = 0;
  int rc = 0;
  if (!isfinite(number))
    return UVOW_EINVAL;
  if (signbit(number)) {
    rc = uvow__buf_append(out, "-", 1);
    number = -number;
  }
  int places = number == 0 ? 0 : decimals_of(number, &digits);
  if (rc == 0)
    rc = places < 0 ? put_scientific(out, number)
                    : put_decimal(out, digits, (size_t)places);
  if (rc)
    out->len = out->off + size;
  return rc;
}
