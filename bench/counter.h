#ifndef UVOW_BENCH_COUNTER_H
#define UVOW_BENCH_COUNTER_H

/*
 * An allocator of uvow's loops that counts. Where the C library says how large a
 * block is (glibc), that's what is counted, and a block takes no more than it
 * does without; elsewhere it begins with its size.
 */
#include <stddef.h>
#include <stdlib.h>

#include "measure.h"

#if defined(__GLIBC__)
#include <malloc.h>
#endif

typedef struct counter {
  size_t calls; /* of malloc and realloc */
  size_t live;  /* bytes */
  size_t most;
} counter_t;

#if defined(__GLIBC__)

typedef char counter_header_t; /* there's none */

static inline size_t counter_size(void *block) {
  return malloc_usable_size(block);
}

#define COUNTER_HEADER 0

#else

typedef union counter_header {
  size_t size;
  max_align_t align;
} counter_header_t;

static inline size_t counter_size(void *block) {
  return ((counter_header_t *)block)->size;
}

#define COUNTER_HEADER 1

#endif

static inline void *counter_realloc(void *ptr, size_t size, void *data) {
  counter_t *counter = (counter_t *)data;
  counter_header_t *old = ptr ? (counter_header_t *)ptr - COUNTER_HEADER : NULL;
  size_t old_size = old ? counter_size(old) : 0;
  counter_header_t *header =
      (counter_header_t *)realloc(old, COUNTER_HEADER * sizeof(*header) + size);
  MEASURE_CHECK(header);
#if COUNTER_HEADER
  header->size = size;
#endif
  counter->calls++;
  counter->live += counter_size(header) - old_size;
  if (counter->live > counter->most)
    counter->most = counter->live;
  return header + COUNTER_HEADER;
}

static inline void *counter_malloc(size_t size, void *data) {
  return counter_realloc(NULL, size, data);
}

static inline void counter_free(void *ptr, void *data) {
  counter_t *counter = (counter_t *)data;
  if (!ptr)
    return;
  counter_header_t *header = (counter_header_t *)ptr - COUNTER_HEADER;
  counter->live -= counter_size(header);
  free(header);
}

/* A loop whose memory is counted. */
static inline uvow_loop_t *counter_loop(counter_t *counter, uv_loop_t *uv) {
  uvow_allocator_t allocator = {sizeof(allocator), counter_malloc,
                                counter_realloc, counter_free, counter};
  uvow_loop_options_t options = {0};
  uvow_loop_t *loop;
  options.size = sizeof(options);
  options.allocator = &allocator;
  loop = uvow_loop_new(uv, &options);
  MEASURE_CHECK(loop);
  return loop;
}

#endif
