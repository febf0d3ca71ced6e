/*
 * The one module that calls malloc.
 *
 * A loop carries its allocator; everything that belongs to the loop is taken
 * from it and given back to it. There's no global allocator to set.
 */
#include "mem.h"

#include <stdlib.h>
#include <string.h>

#include <uvow/error.h>

static void *default_malloc(size_t size, void *data) {
  (void)data;
  return malloc(size);
}

static void *default_realloc(void *ptr, size_t size, void *data) {
  (void)data;
  return realloc(ptr, size);
}

static void default_free(void *ptr, void *data) {
  (void)data;
  free(ptr);
}

const uvow_allocator_t uvow__mem_default = {sizeof(uvow_allocator_t),
                                            default_malloc, default_realloc,
                                            default_free, NULL};

void *uvow__malloc(const uvow__mem_t *mem, size_t size) {
  return mem->malloc_cb(size ? size : 1, mem->data);
}

void *uvow__calloc(const uvow__mem_t *mem, size_t size) {
  void *ptr = uvow__malloc(mem, size);
  if (ptr)
    memset(ptr, 0, size);
  return ptr;
}

void *uvow__realloc(const uvow__mem_t *mem, void *ptr, size_t size) {
  return mem->realloc_cb(ptr, size ? size : 1, mem->data);
}

void uvow__free(const uvow__mem_t *mem, void *ptr) {
  if (ptr)
    mem->free_cb(ptr, mem->data);
}

char *uvow__strndup(const uvow__mem_t *mem, const char *text, size_t len) {
  size_t size;
  if (uvow__size_add(len, 1, &size))
    return NULL;
  char *copy = (char *)uvow__malloc(mem, size);
  if (copy) {
    if (len)
      memcpy(copy, text, len);
    copy[len] = '\0';
  }
  return copy;
}

char *uvow__strdup(const uvow__mem_t *mem, const char *text) {
  return uvow__strndup(mem, text, strlen(text));
}

int uvow__size_add(size_t a, size_t b, size_t *ret) {
  if (b > SIZE_MAX - a)
    return UVOW_ETOOBIG;
  *ret = a + b;
  return 0;
}

int uvow__size_mul(size_t a, size_t b, size_t *ret) {
  if (b && a > SIZE_MAX / b)
    return UVOW_ETOOBIG;
  *ret = a * b;
  return 0;
}
