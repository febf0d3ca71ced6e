/*
 * A pool of blocks of one size.
 *
 * 1. A free block's first pointer links to the next free one.
 * 2. Slabs grow with the pool, from 4 KiB to 128 KiB, so that a million blocks
 *    take about a thousand calls of malloc and a dozen take one. Larger ones
 *    would be large blocks for spare.c, which has a table of those in use.
 * 3. Blocks are taken last in, first out: the warm one first.
 * 4. Under AddressSanitizer a free block is poisoned, all of it, and the walk
 *    skips it; elsewhere the walk shows the free ones too, and a bit map would
 *    cost more than the owner's own state field.
 */
#include "pool.h"

#include <assert.h>
#include <string.h>

#include <uvow/error.h>

#ifdef UVOW__POOL_ASAN
#include <sanitizer/asan_interface.h>
#define IS_LOCKED(ptr) __asan_address_is_poisoned(ptr)

void uvow__pool_lock(void *block, size_t size) {
  __asan_poison_memory_region(block, size);
}

void uvow__pool_unlock(void *block, size_t size) {
  __asan_unpoison_memory_region(block, size);
}
#else
#define IS_LOCKED(ptr) 0
#endif

#define SLAB_BYTES_MIN 4096
#define SLAB_BYTES_MAX (64 * 1024)

/* What blocks are aligned for. C11's max_align_t would waste half of it. */
union unit {
  void *ptr;
  int64_t i64;
  double f64;
};

struct uvow__pool_slab {
  struct uvow__pool_slab *next;
  size_t blocks;
};

void uvow__pool_init(uvow__pool_t *pool, const uvow__mem_t *mem,
                     size_t block_size) {
  size_t unit = sizeof(union unit);
  memset(pool, 0, sizeof(*pool));
  pool->mem = mem;
  pool->block_size = (block_size + unit - 1) / unit * unit;
  pool->slab_blocks =
      (SLAB_BYTES_MIN - sizeof(struct uvow__pool_slab)) / pool->block_size;
  if (pool->slab_blocks == 0)
    pool->slab_blocks = 1;
}

void uvow__pool_done(uvow__pool_t *pool) {
  assert(pool->live == 0);
  while (pool->slabs) {
    struct uvow__pool_slab *slab = pool->slabs;
    pool->slabs = slab->next;
    uvow__pool_unlock(slab + 1, slab->blocks * pool->block_size);
    uvow__free(pool->mem, slab);
  }
  pool->free = NULL;
}

int uvow__pool_grow(uvow__pool_t *pool) {
  size_t bytes = pool->slab_blocks * pool->block_size;
  if (bytes == 0)
    return UVOW_ENOMEM;
  struct uvow__pool_slab *slab =
      (struct uvow__pool_slab *)uvow__malloc(pool->mem, sizeof(*slab) + bytes);
  if (!slab)
    return UVOW_ENOMEM;
  slab->next = pool->slabs;
  slab->blocks = pool->slab_blocks;
  pool->slabs = slab;
  char *first = (char *)(slab + 1);
  memset(first, 0, bytes);
  for (size_t i = pool->slab_blocks; i-- > 0;) {
    uvow__pool_block_t *block =
        (uvow__pool_block_t *)(void *)(first + i * pool->block_size);
    block->next = pool->free;
    pool->free = block;
    uvow__pool_lock(block, pool->block_size);
  }
  if (bytes < SLAB_BYTES_MAX)
    pool->slab_blocks *= 2;
  return 0;
}

void uvow__pool_walk(uvow__pool_t *pool, uvow__pool_walk_cb cb, void *data) {
  for (struct uvow__pool_slab *slab = pool->slabs; slab; slab = slab->next) {
    char *first = (char *)(slab + 1);
    for (size_t i = 0; i < slab->blocks; i++) {
      char *block = first + i * pool->block_size;
      if (!IS_LOCKED(block))
        cb(block, data);
    }
  }
}
