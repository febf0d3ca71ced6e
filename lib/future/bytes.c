/*
 * Bytes as a value.
 *
 * 1. What is cut out of bytes keeps the allocation they lie in, never another
 *    slice: freeing goes one step deep.
 */
#include "bytes.h"
#include "base/own.h"

#include <string.h>

static void bytes_ref(void *ptr) {
  ((uvow__bytes_t *)ptr)->refs++;
}

static void bytes_destroy(void *ptr) {
  uvow__bytes_unref((uvow__bytes_t *)ptr);
}

const uvow_type_t uvow_type_bytes = {sizeof(uvow_type_t), uvow__own_names.bytes,
                                     bytes_ref, bytes_destroy};

static uvow__bytes_t *bytes_new(const uvow__mem_t *mem, size_t len) {
  size_t size;
  if (uvow__size_add(sizeof(uvow__bytes_t), len, &size))
    return NULL;
  uvow__bytes_t *bytes = (uvow__bytes_t *)uvow__malloc(mem, size);
  if (!bytes)
    return NULL;
  bytes->mem = *mem;
  bytes->refs = 1;
  bytes->whole = NULL;
  bytes->ptr = uvow__bytes_room(bytes);
  bytes->len = len;
  return bytes;
}

uvow__bytes_t *uvow__bytes_new(uvow__runtime_t *rt, size_t len) {
  return bytes_new(&rt->mem, len);
}

uvow__bytes_t *uvow__bytes_slice(uvow__bytes_t *whole, const char *ptr,
                                 size_t len) {
  uvow__bytes_t *bytes = bytes_new(&whole->mem, 0);
  if (!bytes)
    return NULL;
  bytes->whole = whole->whole ? whole->whole : whole;
  bytes->whole->refs++;
  bytes->ptr = ptr;
  bytes->len = len;
  return bytes;
}

void uvow__bytes_unref(uvow__bytes_t *bytes) {
  while (bytes && --bytes->refs == 0) {
    uvow__bytes_t *whole = bytes->whole;
    uvow__mem_t mem = bytes->mem;
    uvow__free(&mem, bytes);
    bytes = whole;
  }
}

uvow__bytes_t *uvow__value_bytes(const uvow_value_t *value) {
  void *ptr;
  if (uvow_value_get_ptr(value, &uvow_type_bytes, &ptr))
    return NULL;
  return (uvow__bytes_t *)ptr;
}

int uvow__value_slice(const uvow_value_t *value, uvow__slice_t *ret_slice) {
  const uvow__bytes_t *bytes = uvow__value_bytes(value);
  const char *text;
  if (bytes) {
    ret_slice->ptr = bytes->ptr;
    ret_slice->len = bytes->len;
    return 0;
  }
  if (uvow_value_get_text(value, &text))
    return UVOW_ETYPE;
  ret_slice->ptr = text;
  ret_slice->len = strlen(text);
  return 0;
}
