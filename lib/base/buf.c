/*
 * A growable byte buffer with a limit, and slices.
 *
 * 1. off <= len <= cap; content is at most max.
 * 2. Capacity doubles; for something long that is much more than it, it becomes
 *    what is needed, and a little more. Consumed room at the front is used
 *    again once it is as large as the content: so a byte is moved at most once a
 *    byte consumed.
 * 3. A failed append changes nothing.
 */
#include "text.h"

#include <string.h>

#include <uvow/error.h>

#define BUF_MIN 256
#define BUF_LARGE 65536
#define BUF_SMALL 4096 /* capacity that the allocator keeps nothing of */

void uvow__buf_init(uvow__buf_t *buf, const uvow__mem_t *mem, size_t max) {
  memset(buf, 0, sizeof(*buf));
  buf->mem = mem;
  buf->max = max;
}

void uvow__buf_done(uvow__buf_t *buf) {
  uvow__free(buf->mem, buf->data);
  buf->data = NULL;
  buf->off = buf->len = buf->cap = 0;
}

/* To a block of its own: the allocator may have one, and there is little to
 * copy. */
static int move(uvow__buf_t *buf, size_t cap) {
  uint8_t *data = (uint8_t *)uvow__malloc(buf->mem, cap);
  if (!data)
    return UVOW_ENOMEM;
  if (buf->len)
    memcpy(data, buf->data, buf->len);
  uvow__free(buf->mem, buf->data);
  buf->data = data;
  buf->cap = cap;
  return 0;
}

static int grow(uvow__buf_t *buf, size_t need) {
  size_t cap = buf->cap ? buf->cap : BUF_MIN;
  if (need >= BUF_LARGE && need / 2 > cap) {
    cap = need > SIZE_MAX - need / 16 ? need : need + need / 16;
  } else {
    while (cap < need)
      cap = cap > SIZE_MAX / 2 ? need : cap * 2;
  }
  if (cap > buf->max && need <= buf->max)
    cap = buf->max;
  if (cap > BUF_SMALL && (buf->cap <= BUF_SMALL || cap / 2 > buf->cap))
    return move(buf, cap);
  uint8_t *data = (uint8_t *)uvow__realloc(buf->mem, buf->data, cap);
  if (!data)
    return UVOW_ENOMEM;
  buf->data = data;
  buf->cap = cap;
  return 0;
}

int uvow__buf_reserve(uvow__buf_t *buf, size_t more) {
  size_t size = uvow__buf_size(buf);
  if (more > buf->max || size > buf->max - more)
    return UVOW_EOVERLOAD;
  if (more <= buf->cap - buf->len)
    return 0;
  if (buf->off && buf->off >= size) {
    memmove(buf->data, buf->data + buf->off, size);
    buf->off = 0;
    buf->len = size;
    if (more <= buf->cap - size)
      return 0;
  }
  if (more > SIZE_MAX - buf->len)
    return UVOW_ENOMEM;
  return grow(buf, buf->len + more);
}

int uvow__buf_append(uvow__buf_t *buf, const void *bytes, size_t len) {
  int rc = uvow__buf_reserve(buf, len);
  if (rc)
    return rc;
  if (len)
    memcpy(buf->data + buf->len, bytes, len);
  buf->len += len;
  return 0;
}

int uvow__buf_append_text(uvow__buf_t *buf, const char *text) {
  return uvow__buf_append(buf, text, strlen(text));
}

static int append_number(uvow__buf_t *buf, uint64_t number, int negative) {
  char digits[21];
  size_t at = sizeof(digits);
  do {
    digits[--at] = (char)('0' + number % 10);
    number /= 10;
  } while (number);
  if (negative)
    digits[--at] = '-';
  return uvow__buf_append(buf, digits + at, sizeof(digits) - at);
}

int uvow__buf_append_u64(uvow__buf_t *buf, uint64_t number) {
  return append_number(buf, number, 0);
}

int uvow__buf_append_i64(uvow__buf_t *buf, int64_t number) {
  uint64_t absolute = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
  return append_number(buf, absolute, number < 0);
}

void uvow__buf_consume(uvow__buf_t *buf, size_t len) {
  buf->off += len;
  if (buf->off == buf->len)
    buf->off = buf->len = 0;
}

int uvow__slice_is(uvow__slice_t slice, const char *text) {
  size_t len = strlen(text);
  return slice.len == len && memcmp(slice.ptr, text, len) == 0;
}

int uvow__slice_is_nocase(uvow__slice_t slice, const char *text) {
  if (slice.len != strlen(text))
    return 0;
  for (size_t i = 0; i < slice.len; i++)
    if (uvow__lower(slice.ptr[i]) != uvow__lower(text[i]))
      return 0;
  return 1;
}

int uvow__slice_u64(uvow__slice_t slice, uint64_t max, uint64_t *ret) {
  uint64_t number = 0;
  if (slice.len == 0 || (slice.len > 1 && slice.ptr[0] == '0'))
    return UVOW_EINVAL;
  for (size_t i = 0; i < slice.len; i++) {
    unsigned digit = (unsigned)(unsigned char)slice.ptr[i] - '0';
    if (digit > 9 || number > (max - digit) / 10 || digit > max)
      return UVOW_EINVAL;
    number = number * 10 + digit;
  }
  *ret = number;
  return 0;
}
