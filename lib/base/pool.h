#ifndef UVOW__POOL_H
#define UVOW__POOL_H

#include "reason.h"
#include "tidy.h"

#if defined(__SANITIZE_ADDRESS__)
#define UVOW__POOL_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define UVOW__POOL_ASAN 1
#endif
#endif

/* What a free block begins with. */
typedef struct uvow__pool_block {
  struct uvow__pool_block *next;
} uvow__pool_block_t;

/*
 * Blocks of one size, kept for the next use. What is free costs nothing to take
 * again; a taken block costs no header. Blocks are handed back to the allocator
 * when the pool is done, all at once; or, of a pool that shrinks, by the slab,
 * some time after most of them were given back.
 */
typedef struct uvow__pool {
  const uvow__mem_t *mem;
  uvow__pool_block_t *free;
  struct uvow__pool_slab *slabs;
  size_t block_size;
  size_t slab_blocks; /* how many the next slab holds; 0: sealed */
  size_t live;        /* taken now */
  size_t total;       /* blocks of all slabs */
  size_t low;         /* with fewer live, slabs may be useless */
  int (*is_free)(const void *block); /* NULL: it doesn't shrink */
  uvow__tidy_t *tidy;
  uvow__keeper_t keeper;
  uvow__reason_t *reason; /* where it notes that it can't grow; or NULL */
} uvow__pool_t;

/* block_size is rounded up to whole units of 8 bytes, which blocks are aligned
 * for: pointers, int64_t and double. Takes no memory. */
void uvow__pool_init(uvow__pool_t *pool, const uvow__mem_t *mem,
                     size_t block_size);
/* Slabs in which no block is taken are given back while tidying, down to twice
 * what is taken, and UVOW__POOL_KEEP. is_free tells whether a block is free: by
 * a field behind the first pointer, which is 0 before a block's first use. */
void uvow__pool_shrink(uvow__pool_t *pool, uvow__tidy_t *tidy,
                       int (*is_free)(const void *block));
#define UVOW__POOL_KEEP ((size_t)256 * 1024) /* bytes */

/* Frees every slab. Each block must be free. */
void uvow__pool_done(uvow__pool_t *pool);

/* Gets more free blocks. Returns 0, or notes why not: UVOW_ENOMEM; UVOW_ECLOSED:
 * sealed. */
UVOW__APART int uvow__pool_grow(uvow__pool_t *pool);

/* Tells AddressSanitizer whether a block may be touched. */
#ifdef UVOW__POOL_ASAN
void uvow__pool_lock(void *block, size_t size);
void uvow__pool_unlock(void *block, size_t size);
#else
static inline void uvow__pool_lock(void *block, size_t size) {
  (void)block;
  (void)size;
}
static inline void uvow__pool_unlock(void *block, size_t size) {
  (void)block;
  (void)size;
}
#endif

/* From now on nothing can be taken. Again after each give that follows. */
static inline void uvow__pool_seal(uvow__pool_t *pool) {
  pool->free = NULL;
  pool->slab_blocks = 0;
}

/* A block, its content undefined, or NULL: no memory, or sealed. */
static inline void *uvow__pool_take(uvow__pool_t *pool) {
  if (!pool->free && uvow__pool_grow(pool))
    return NULL;
  uvow__pool_block_t *block = pool->free;
  uvow__pool_unlock(block, pool->block_size);
  pool->free = block->next;
  pool->live++;
  return block;
}

static inline void uvow__pool_give(uvow__pool_t *pool, void *ptr) {
  uvow__pool_block_t *block = (uvow__pool_block_t *)ptr;
  block->next = pool->free;
  pool->free = block;
  pool->live--;
  uvow__pool_lock(block, pool->block_size);
}

/* Calls cb for each block, free ones too (but where AddressSanitizer knows
 * them): the caller must be able to tell, by a field behind the first pointer,
 * which a free block overwrites. It is 0 before a block's first use. */
typedef void (*uvow__pool_walk_cb)(void *block, void *data);
void uvow__pool_walk(uvow__pool_t *pool, uvow__pool_walk_cb cb, void *data);

#endif
