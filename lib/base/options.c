/*
 * Reads and fills structs that begin with their size.
 *
 * 1. Nothing behind a struct's own size is touched.
 * 2. A size that no future form could have is taken for one that wasn't set: it
 *    isn't followed.
 */
#include "options.h"

#include <uvow/error.h>

/* How much longer than ours a struct can be. */
#define MOST_UNKNOWN 4096

static int is_plausible(size_t given_size, size_t size) {
  return given_size >= sizeof(size_t) && given_size <= size + MOST_UNKNOWN;
}

static int is_zero(const char *bytes, size_t len) {
  size_t i = 0;
  while (i < len && bytes[i] == 0)
    i++;
  return i == len;
}

const void *uvow__options_convert(const void *given, size_t given_size,
                                  void *own, size_t size) {
  size_t known = given_size < size ? given_size : size;
  if (given && !is_plausible(given_size, size))
    return NULL;
  if (given && !is_zero((const char *)given + known, given_size - known))
    return NULL;
  memset(own, 0, size);
  if (given)
    memcpy(own, given, known);
  memcpy(own, &size, sizeof(size));
  return own;
}

int uvow__options_fill(void *ret, const void *from, size_t size) {
  size_t ret_size = 0;
  if (ret)
    memcpy(&ret_size, ret, sizeof(ret_size));
  if (!is_plausible(ret_size, size))
    return UVOW_EINVAL;
  size_t known = ret_size < size ? ret_size : size;
  memcpy((char *)ret + sizeof(size_t), (const char *)from + sizeof(size_t),
         known - sizeof(size_t));
  memset((char *)ret + known, 0, ret_size - known);
  return 0;
}
