#ifndef UVOW__BYTES_H
#define UVOW__BYTES_H

#include "future.h"

#include "base/buf.h"
#include "base/shelf.h"

/*
 * Bytes as a value: counted and immutable. Its own are behind it; those of a
 * slice lie in another, which it owns.
 */
typedef struct uvow__bytes {
  const char *ptr; /* it and len: a uvow__slice_t, as of all types of bytes */
  size_t len;
  uvow__mem_t mem; /* its own copy: bytes may outlive their loop */
  size_t refs;
  uvow__shelf_t *shelf; /* where they came from; NULL: the allocator */
  size_t size;          /* as they were taken from there */
  struct uvow__bytes *whole;
  void *view; /* what JSON was read in them, or NULL */
  uvow_destroy_cb view_free;
  int is_binary; /* a WebSocket's binary message */
} uvow__bytes_t;

/* Of `len` bytes, undefined: for who fills them at once. NULL: no memory. */
uvow__bytes_t *uvow__bytes_new(uvow__runtime_t *rt, size_t len);
/* The same from a shelf: for reads in parts of one size. */
uvow__bytes_t *uvow__bytes_on(uvow__shelf_t *shelf, size_t len);
/* A copy of what is there. NULL: no memory. */
uvow__bytes_t *uvow__bytes_copy(uvow__runtime_t *rt, const char *ptr,
                                size_t len);
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
/* These bytes in a value: borrowed, or NULL: none, or bytes of another kind. */
uvow__bytes_t *uvow__value_bytes(const uvow_value_t *value);
/* The bytes in a value, of whatever kind: 0, or UVOW_ETYPE. Borrowed. */
int uvow__value_bytes_in(const uvow_value_t *value, uvow__slice_t *ret_slice);
/* A slice, which is borrowed for a call, becomes bytes that last; other values
 * stay as they are. Returns 0, or UVOW_ENOMEM. */
int uvow__value_hold(uvow__runtime_t *rt, uvow_value_t *value);
/* A value as bytes: those in it, JSON text, or text. 0; UVOW_ETYPE: it has none;
 * or what uvow__type_failed says. Borrowed. */
int uvow__value_slice(const uvow_value_t *value, uvow__slice_t *ret_slice);
/* Whether there are so many bytes; else notes it. */
int uvow__bytes_fit(uvow_loop_t *loop, const void *bytes, size_t len);
/* An item of a walk over JSON (rpc/fields.c): it points to two slices, of which
 * the second is its bytes. */
extern const uvow_type_t uvow__type_item;

#endif
