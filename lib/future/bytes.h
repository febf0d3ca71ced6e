#ifndef UVOW__BYTES_H
#define UVOW__BYTES_H

#include "future.h"

#include "base/buf.h"

/*
 * Bytes as a value: counted and immutable. Its own are behind it; those of a
 * slice lie in another, which it owns.
 */
typedef struct uvow__bytes {
  uvow__mem_t mem; /* its own copy: bytes may outlive their loop */
  size_t refs;
  struct uvow__bytes *whole;
  const char *ptr;
  size_t len;
} uvow__bytes_t;

/* Of `len` bytes, undefined: for who fills them at once. NULL: no memory. */
uvow__bytes_t *uvow__bytes_new(uvow__runtime_t *rt, size_t len);
/* Where to fill them. */
static inline char *uvow__bytes_room(uvow__bytes_t *bytes) {
  return (char *)(bytes + 1);
}
/* A part of others, which it keeps. NULL: no memory. */
uvow__bytes_t *uvow__bytes_slice(uvow__bytes_t *whole, const char *ptr,
                                 size_t len);
void uvow__bytes_unref(uvow__bytes_t *bytes);

static inline uvow_value_t uvow__bytes_value(uvow__bytes_t *bytes) {
  return uvow_value_ptr(&uvow_type_bytes, bytes);
}
/* The bytes in a value of uvow_type_bytes: borrowed, or NULL. */
uvow__bytes_t *uvow__value_bytes(const uvow_value_t *value);
/* The bytes or text of a value: 0, or UVOW_ETYPE. Borrowed. */
int uvow__value_slice(const uvow_value_t *value, uvow__slice_t *ret_slice);

#endif
