#ifndef UVOW__MEM_H
#define UVOW__MEM_H

#include <uvow/base.h>

/* The allocator of a loop. Shared by everything that belongs to the loop. */
typedef uvow_allocator_t uvow__mem_t;

/* malloc, realloc and free of the C library. */
extern const uvow_allocator_t uvow__mem_default;

#ifdef UVOW_DEBUG
/* Whether an allocator's function runs on this thread: it may not call uvow. */
int uvow__mem_asks(void);
#endif

/* Each returns new or NULL; a size of 0 is taken for 1. */
void *uvow__malloc(const uvow__mem_t *mem, size_t size);
void *uvow__calloc(const uvow__mem_t *mem, size_t size);
void *uvow__realloc(const uvow__mem_t *mem, void *ptr, size_t size);
void uvow__free(const uvow__mem_t *mem, void *ptr);

/* Copies len bytes and ends them with a NUL. Returns new or NULL. */
char *uvow__strndup(const uvow__mem_t *mem, const char *text, size_t len);
/* Copies a whole text. The same. */
char *uvow__strdup(const uvow__mem_t *mem, const char *text);

/* Sizes from elsewhere are added and multiplied with these only: 0, or
 * UVOW_ETOOBIG and *ret is untouched. */
int uvow__size_add(size_t a, size_t b, size_t *ret);
int uvow__size_mul(size_t a, size_t b, size_t *ret);

#endif
