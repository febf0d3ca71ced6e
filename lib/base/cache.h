#ifndef UVOW__CACHE_H
#define UVOW__CACHE_H

#include "pool.h"

/* Sizes 64, 128, 256 ... 4096: of larger ones the loop's allocator keeps some. */
#define UVOW__CACHE_MIN 64
#define UVOW__CACHE_CLASSES 7
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
    uvow__pool_block_t *cold; /* free since the last time it was tidied */
    size_t kept;              /* blocks, of both */
    size_t most;              /* that may be */
  } classes[UVOW__CACHE_CLASSES];
  uvow__tidy_t *tidy; /* NULL: nobody asks */
  uvow__keeper_t keeper;
} uvow__cache_t;

/* Takes no memory. */
void uvow__cache_init(uvow__cache_t *cache, const uvow__mem_t *mem);
/* Frees, when it is tidied, what nobody took since the last time but one. */
void uvow__cache_shrink(uvow__cache_t *cache, uvow__tidy_t *tidy);
/* Frees what it keeps. */
void uvow__cache_done(uvow__cache_t *cache);
/* New, undefined, or NULL. size isn't 0. */
void *uvow__cache_take(uvow__cache_t *cache, size_t size);
/* Gives it back; the size as it was taken. */
void uvow__cache_give(uvow__cache_t *cache, void *ptr, size_t size);

#endif
