#ifndef UVOW__POOL_H
#define UVOW__POOL_H

#include "mem.h"

/*
 * Blocks of one size, kept for the next use. What is free costs nothing to take
 * again; a taken block costs no header. Blocks are handed back to the allocator
 * when the pool is done, all at once.
 */
typedef struct uvow__pool {
  const uvow__mem_t *mem;
  struct uvow__pool_block *free;
  struct uvow__pool_slab *slabs;
  size_t block_size;
  size_t slab_blocks; /* how many the next slab holds */
  size_t live;        /* taken now */
} uvow__pool_t;

/* block_size is rounded up to whole units of 8 bytes, which blocks are aligned
 * for: pointers, int64_t and double. Takes no memory. */
void uvow__pool_init(uvow__pool_t *pool, const uvow__mem_t *mem,
                     size_t block_size);
/* Frees every slab. Each block must be free. */
void uvow__pool_done(uvow__pool_t *pool);

/* A block, its content undefined, or NULL: no memory. */
void *uvow__pool_take(uvow__pool_t *pool);
void uvow__pool_give(uvow__pool_t *pool, void *block);

/* Calls cb for each block, free ones too (but where AddressSanitizer knows
 * them): the caller must be able to tell, by a field behind the first pointer,
 * which a free block overwrites. It is 0 before a block's first use. */
typedef void (*uvow__pool_walk_cb)(void *block, void *data);
void uvow__pool_walk(uvow__pool_t *pool, uvow__pool_walk_cb cb, void *data);

#endif
