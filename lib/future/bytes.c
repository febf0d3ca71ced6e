/*
 * Bytes as a value.
 *
 * 1. What is cut out of bytes keeps the allocation they lie in, never another
 *    slice: freeing goes one step deep.
 */
#include "bytes.h"
#include "base/own.h"
#include "fail.h"

#include <string.h>

static void bytes_ref(void *ptr) {
  ((uvow__bytes_t *)ptr)->refs++;
}

static void bytes_destroy(void *ptr) {
  uvow__bytes_unref((uvow__bytes_t *)ptr);
}

const uvow_type_t uvow_type_bytes = {sizeof(uvow_type_t), uvow__own_names.bytes,
                                     bytes_ref, bytes_destroy};

static inline uvow__bytes_t *init(uvow__bytes_t *bytes, const uvow__mem_t *mem,
                                  size_t len) {
  bytes->mem = *mem;
  bytes->refs = 1;
  bytes->shelf = NULL;
  bytes->whole = NULL;
  bytes->view = NULL;
  bytes->is_binary = 0;
  bytes->ptr = uvow__bytes_room(bytes);
  bytes->len = len;
  return bytes;
}

static uvow__bytes_t *bytes_new(const uvow__mem_t *mem, size_t len) {
  size_t size;
  if (uvow__size_add(sizeof(uvow__bytes_t), len, &size))
    return NULL;
  uvow__bytes_t *bytes = (uvow__bytes_t *)uvow__malloc(mem, size);
  return bytes ? init(bytes, mem, len) : NULL;
}

uvow__bytes_t *uvow__bytes_on(uvow__shelf_t *shelf, size_t len) {
  size_t size;
  if (uvow__size_add(sizeof(uvow__bytes_t), len, &size))
    return NULL;
  uvow__bytes_t *bytes = (uvow__bytes_t *)uvow__shelf_take(shelf, size);
  if (!bytes)
    return NULL;
  init(bytes, &shelf->mem, len);
  bytes->shelf = shelf;
  bytes->size = size;
  return bytes;
}

uvow__bytes_t *uvow__bytes_new(uvow__runtime_t *rt, size_t len) {
  return bytes_new(&rt->mem, len);
}

uvow__bytes_t *uvow__bytes_copy(uvow__runtime_t *rt, const char *ptr,
                                size_t len) {
  uvow__bytes_t *bytes = bytes_new(&rt->mem, len);
  if (bytes && len)
    memcpy(uvow__bytes_room(bytes), ptr, len);
  return bytes;
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
    if (bytes->view)
      bytes->view_free(bytes->view);
    if (bytes->shelf)
      uvow__shelf_give(bytes->shelf, bytes, bytes->size);
    else
      uvow__free(&mem, bytes);
    bytes = whole;
  }
}

uvow__bytes_t *uvow__value_bytes(const uvow_value_t *value) {
  return value->type == &uvow_type_bytes ? (uvow__bytes_t *)value->as.ptr
                                         : NULL;
}

int uvow__value_bytes_in(const uvow_value_t *value, uvow__slice_t *ret_slice) {
  void *ptr;
  int rc = uvow_value_get_ptr(value, &uvow_type_bytes, &ptr);
  if (rc == 0)
    memcpy(ret_slice, ptr, sizeof(*ret_slice));
  return rc;
}

int uvow__value_slice(const uvow_value_t *value, uvow__slice_t *ret_slice) {
  const uvow_slice_t *slice = (const uvow_slice_t *)value->as.ptr;
  const char *text = (const char *)value->as.ptr;
  if (uvow__value_bytes_in(value, ret_slice) == 0)
    return 0;
  if (value->type == &uvow_type_slice && slice)
    *ret_slice = (uvow__slice_t){slice->bytes, slice->len};
  else if ((value->type == &uvow_type_text || value->type == &uvow_type_raw) &&
           text)
    *ret_slice = (uvow__slice_t){text, strlen(text)};
  else
    return uvow__value_fault(value) ? uvow__value_fault(value) : UVOW_ETYPE;
  return 0;
}

int uvow__value_hold(uvow__runtime_t *rt, uvow_value_t *value) {
  uvow__slice_t slice = {NULL, 0};
  if (value->type != &uvow_type_slice || uvow__value_slice(value, &slice))
    return 0;
  uvow__bytes_t *bytes = uvow__bytes_copy(rt, slice.ptr, slice.len);
  if (!bytes)
    return UVOW_ENOMEM;
  *value = uvow__bytes_value(bytes);
  return 0;
}

const uvow_type_t uvow__type_item = {sizeof(uvow_type_t), "json item", NULL,
                                     NULL};

uvow_slice_t uvow_result_bytes(const uvow_result_t *result) {
  uvow_slice_t none = {NULL, 0};
  uvow__slice_t bytes;
  if (!result || result->error)
    return none;
  if (result->value.type == &uvow__type_item)
    return ((const uvow_slice_t *)result->value.as.ptr)[1];
  if (result->value.type == &uvow_type_text ||
      uvow__value_slice(&result->value, &bytes))
    return none;
  return (uvow_slice_t){bytes.ptr, bytes.len};
}

int uvow__bytes_fit(uvow_loop_t *loop, const void *bytes, size_t len) {
  return bytes || len == 0 ||
         !uvow__fail(loop, UVOW_EINVAL, "bytes", uvow__fail_null);
}

uvow_value_t uvow_value_binary(uvow_loop_t *loop, const void *bytes,
                               size_t len) {
  uvow__bytes_t *own =
      loop && uvow__bytes_fit(loop, bytes, len)
          ? uvow__bytes_copy(uvow__runtime_of(loop), (const char *)bytes, len)
          : NULL;
  if (!own)
    return uvow__value_failed(loop && (bytes || !len) ? UVOW_ENOMEM
                                                      : UVOW_EINVAL);
  own->is_binary = 1;
  return uvow__bytes_value(own);
}
