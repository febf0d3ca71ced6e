/*
 * Texts that look the same.
 *
 * 1. Of a payload strings must end, and brackets match: no digit has a part in
 *    that, and a \u escape is one with any four of them. So within containers
 *    and strings each digit is as good as another.
 * 2. A number begins with no 0 that has a digit behind it. One that begins with
 *    a 0 stays as it is; the first digit of another is none.
 */
#include "alike.h"

#include "base/text.h"

void uvow__alike_set(uvow__alike_t *alike, const char *text, size_t len) {
  alike->len = 0;
  if (len == 0 || len > UVOW__ALIKE_MAX)
    return;
  memset(alike->low, 0, sizeof(alike->low));
  memset(alike->span, 0, sizeof(alike->span));
  alike->len = (uint8_t)len;
  memcpy(alike->low, text, len);
}

/* From this digit up to 9. */
static void free_digit(uvow__alike_t *alike, size_t at, uint8_t from) {
  alike->low[at] = from;
  alike->span[at] = (uint8_t)('9' - from);
}

void uvow__alike_free_value(uvow__alike_t *alike, size_t at, size_t len) {
  size_t end = at + len;
  if (end > alike->len)
    return;
  if (at < end && alike->low[at] == '-')
    at++;
  if (at < end && alike->low[at] == '0')
    return;
  if (at < end && uvow__is_digit((char)alike->low[at]))
    free_digit(alike, at++, '1');
  for (; at < end; at++)
    if (uvow__is_digit((char)alike->low[at]))
      free_digit(alike, at, '0');
}
