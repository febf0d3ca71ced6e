/*
 * The one module that calls malloc.
 *
 * A loop carries its allocator; everything that belongs to the loop is taken
 * from it and given back to it. There's no global allocator to set.
 *
 * A debug build counts, for each thread, which of its functions run: who is asked
 * for memory has no loop at hand that could know it.
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

#ifdef UVOW_DEBUG
static _Thread_local unsigned asking;

int uvow__mem_asks(void) {
  return asking != 0;
}

static void ask(void) {
  asking++;
}

static void answered(void) {
  asking--;
}
#else
static inline void ask(void) {
}

static inline void answered(void) {
}
#endif

void *uvow__malloc(const uvow__mem_t *mem, size_t size) {
  ask();
  void *ptr = mem->malloc_cb(size ? size : 1, mem->data);
  answered();
  return ptr;
}

void *uvow__calloc(const uvow__mem_t *mem, size_t size) {
  void *ptr = uvow__malloc(mem, size);
  if (ptr)
    memset(ptr, 0, size);
  return ptr;
}

void *uvow__realloc(const uvow__mem_t *mem, void *ptr, size_t size) {
  ask();
  ptr = mem->realloc_cb(ptr, size ? size : 1, mem->data);
  answered();
  return ptr;
}

void uvow__free(const uvow__mem_t *mem, void *ptr) {
  if (!ptr)
    return;
  ask();
  mem->free_cb(ptr, mem->data);
  answered();
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
