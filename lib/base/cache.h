#ifndef UVOW__CACHE_H
#define UVOW__CACHE_H

#include "pool.h"

/* Sizes 64, 128, 256 ... 65536. */
#define UVOW__CACHE_MIN 64
#define UVOW__CACHE_CLASSES 11
/* Bytes that are kept of each size at most: as much as comes in a turn. */
#define UVOW__CACHE_KEEP ((size_t)128 * 1024)

/*
 * Memory for what comes and goes with every message, of any size: what is given
 * back is kept for the next use, within a limit; the rest goes back to the
 * allocator. So whoever takes as much as he gives makes no calls of malloc.
 */
typedef struct uvow__cache {
  const uvow__mem_t *mem;
  struct {
    uvow__pool_block_t *free;
    size_t left; /* blocks that may be kept yet */
  } classes[UVOW__CACHE_CLASSES];
} uvow__cache_t;

/* Takes no memory. */
void uvow__cache_init(uvow__cache_t *cache, const uvow__mem_t *mem);
/* Frees what it keeps. */
void uvow__cache_done(uvow__cache_t *cache);
/* New, undefined, or NULL. size isn't 0. */
void *uvow__cache_take(uvow__cache_t *cache, size_t size);
/* Gives it back; the size as it was taken. */
void uvow__cache_give(uvow__cache_t *cache, void *ptr, size_t size);

#endif
