#ifndef UVOW_BENCH_MALLOCS_H
#define UVOW_BENCH_MALLOCS_H

/*
 * A malloc of the program's own that counts, where there can be one (glibc, no
 * sanitizer): then OWN_MALLOC is 1. For one source file of a program.
 */
#include <stddef.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||     \
    __has_feature(memory_sanitizer)
#define OWN_MALLOC 0
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) ||           \
    !defined(__GLIBC__)
#undef OWN_MALLOC
#define OWN_MALLOC 0
#endif

#ifndef OWN_MALLOC
#define OWN_MALLOC 1
static size_t malloc_calls;

/* glibc exports its own under these names. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *ptr, size_t size);

void *malloc(size_t size) {
  malloc_calls++;
  return __libc_malloc(size);
}

void *calloc(size_t count, size_t size) {
  malloc_calls++;
  return __libc_calloc(count, size);
}

void *realloc(void *ptr, size_t size) {
  malloc_calls++;
  return __libc_realloc(ptr, size);
}

static size_t malloc_count(void) {
  return malloc_calls;
}
#else
static size_t malloc_count(void) {
  return 0;
}
#endif

#endif
