/*
 * A pool of blocks of one size.
 *
 * 1. A free block's first pointer links to the next free one.
 * 2. Slabs grow with the pool, from 4 KiB to 128 KiB, so that a million blocks
 *    take about a thousand calls of malloc and a dozen take one.
 * 3. Blocks are taken last in, first out: the warm one first.
 * 4. Which slab a block is of is known only by a walk over all: so slabs are
 *    given back by one, seldom, when less than a quarter of the blocks is taken,
 *    and the walk costs taking and giving nothing. What is left is linked anew,
 *    in the order of the slabs. Where that gave nothing, as blocks of each slab
 *    are taken, the next walk waits until there are half as many; with one
 *    or none taken there is no next one before the pool grows.
 * 5. Under AddressSanitizer a free block is poisoned, all of it, and the walk
 *    skips it; elsewhere the walk shows the free ones too, and a bit map would
 *    cost more than the owner's own state field.
 */
#include "pool.h"

#include <assert.h>
#include <string.h>

#include <uvow/error.h>

#ifdef UVOW__POOL_ASAN
#include <sanitizer/asan_interface.h>
#define KNOWS_LOCKED 1
#define IS_LOCKED(ptr) __asan_address_is_poisoned(ptr)

void uvow__pool_lock(void *block, size_t size) {
  __asan_poison_memory_region(block, size);
}

void uvow__pool_unlock(void *block, size_t size) {
  __asan_unpoison_memory_region(block, size);
}
#else
#define KNOWS_LOCKED 0
#define IS_LOCKED(ptr) 0
#endif

#define SLAB_BYTES_MIN 4096
#define SLAB_BYTES_MAX (64 * 1024)
#define SLACK 4 /* times what is taken, before a walk */

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

static void free_slab(uvow__pool_t *pool, struct uvow__pool_slab *slab) {
  uvow__pool_unlock(slab + 1, slab->blocks * pool->block_size);
  pool->total -= slab->blocks;
  uvow__free(pool->mem, slab);
}

void uvow__pool_done(uvow__pool_t *pool) {
  assert(pool->live == 0);
  while (pool->slabs) {
    struct uvow__pool_slab *slab = pool->slabs;
    pool->slabs = slab->next;
    free_slab(pool, slab);
  }
  pool->free = NULL;
  if (pool->is_free)
    uvow__list_remove(&pool->keeper.link);
}

static void link_free(uvow__pool_t *pool, void *ptr) {
  uvow__pool_block_t *block = (uvow__pool_block_t *)ptr;
  block->next = pool->free;
  pool->free = block;
  uvow__pool_lock(block, pool->block_size);
}

static inline void *block_of(const uvow__pool_t *pool,
                             struct uvow__pool_slab *slab, size_t i) {
  return (char *)(slab + 1) + i * pool->block_size;
}

static inline int is_given(const uvow__pool_t *pool, const void *block) {
  return KNOWS_LOCKED ? IS_LOCKED(block) : pool->is_free(block);
}

static int is_useless(const uvow__pool_t *pool, struct uvow__pool_slab *slab) {
  for (size_t i = 0; i < slab->blocks; i++)
    if (!is_given(pool, block_of(pool, slab, i)))
      return 0;
  return 1;
}

static void link_slab(uvow__pool_t *pool, struct uvow__pool_slab *slab) {
  for (size_t i = slab->blocks; i-- > 0;) {
    void *block = block_of(pool, slab, i);
    if (!is_given(pool, block))
      continue;
    uvow__pool_unlock(block, pool->block_size);
    link_free(pool, block);
  }
}

/* See (4). */
static void give_back(uvow__pool_t *pool) {
  size_t keep = UVOW__POOL_KEEP / pool->block_size;
  struct uvow__pool_slab **at = &pool->slabs;
  if (keep < 2 * pool->live)
    keep = 2 * pool->live;
  pool->free = NULL;
  while (*at) {
    struct uvow__pool_slab *slab = *at;
    if (pool->total - slab->blocks >= keep && is_useless(pool, slab)) {
      *at = slab->next;
      free_slab(pool, slab);
    } else {
      link_slab(pool, slab);
      at = &slab->next;
    }
  }
}

static int tidy(uvow__keeper_t *keeper) {
  uvow__pool_t *pool = UVOW__CONTAINER(keeper, uvow__pool_t, keeper);
  if (pool->slab_blocks == 0)
    return 0;
  if (pool->live < pool->low) {
    give_back(pool);
    pool->low = pool->total / SLACK;
    if (pool->low > pool->live / 2)
      pool->low = pool->live / 2;
  }
  return pool->low && pool->total * pool->block_size > UVOW__POOL_KEEP;
}

void uvow__pool_shrink(uvow__pool_t *pool, uvow__tidy_t *to,
                       int (*is_free)(const void *block)) {
  pool->is_free = is_free;
  pool->tidy = to;
  uvow__tidy_join(to, &pool->keeper, tidy);
}

/* There are more slabs: how few are to be taken until some are useless. */
static void note_growth(uvow__pool_t *pool) {
  if (!pool->is_free || pool->total * pool->block_size <= UVOW__POOL_KEEP)
    return;
  pool->low = pool->total / SLACK;
  pool->tidy->wanted = 1;
}

int uvow__pool_grow(uvow__pool_t *pool) {
  size_t bytes = pool->slab_blocks * pool->block_size;
  if (bytes == 0)
    return uvow__reason_note(pool->reason, UVOW_ECLOSED, "the loop is closed",
                             NULL);
  struct uvow__pool_slab *slab =
      (struct uvow__pool_slab *)uvow__malloc(pool->mem, sizeof(*slab) + bytes);
  if (!slab)
    return uvow__reason_note(pool->reason, UVOW_ENOMEM, NULL, NULL);
  slab->next = pool->slabs;
  slab->blocks = pool->slab_blocks;
  pool->slabs = slab;
  memset(slab + 1, 0, bytes);
  for (size_t i = pool->slab_blocks; i-- > 0;)
    link_free(pool, block_of(pool, slab, i));
  pool->total += pool->slab_blocks;
  note_growth(pool);
  if (bytes < SLAB_BYTES_MAX)
    pool->slab_blocks *= 2;
  return 0;
}

void uvow__pool_walk(uvow__pool_t *pool, uvow__pool_walk_cb cb, void *data) {
  for (struct uvow__pool_slab *slab = pool->slabs; slab; slab = slab->next) {
    for (size_t i = 0; i < slab->blocks; i++) {
      void *block = block_of(pool, slab, i);
      if (!IS_LOCKED(block))
        cb(block, data);
    }
  }
}
