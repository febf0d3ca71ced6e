/*
 * Free blocks by size: powers of two, a list of each.
 *
 * 1. A block has no header: who takes it knows its size, and says it again.
 * 2. Larger sizes than the largest class go straight to the allocator.
 * 3. Tidying frees the blocks of a second list, and moves those of the first
 *    there, from where they are taken once the first is empty. So nothing is
 *    counted on the way of a message, and what is in use stays.
 * 4. Under AddressSanitizer a free block is poisoned, and so is what a taken
 *    one has more than was asked for.
 */
#include "cache.h"

#define LARGEST ((size_t)UVOW__CACHE_MIN << (UVOW__CACHE_CLASSES - 1))

static size_t size_of(size_t class) {
  return (size_t)UVOW__CACHE_MIN << class;
}

#define TWICE(class) class, class
#define TIMES4(class) TWICE(class), TWICE(class)
#define TIMES8(class) TIMES4(class), TIMES4(class)

/* By how many times CACHE_MIN a size has, rounded up. */
static size_t class_of(size_t size) {
  static const uint8_t classes[LARGEST / UVOW__CACHE_MIN] = {
      0,         1,         TWICE(2),  TIMES4(3), TIMES8(4), TIMES8(5),
      TIMES8(5), TIMES8(6), TIMES8(6), TIMES8(6), TIMES8(6)};
  return classes[(size - 1) / UVOW__CACHE_MIN];
}

void uvow__cache_init(uvow__cache_t *cache, const uvow__mem_t *mem) {
  cache->mem = mem;
  cache->tidy = NULL;
  uvow__list_init(&cache->keeper.link);
  for (size_t i = 0; i < UVOW__CACHE_CLASSES; i++) {
    cache->classes[i].free = cache->classes[i].cold = NULL;
    cache->classes[i].kept = 0;
    cache->classes[i].most = UVOW__CACHE_KEEP / size_of(i);
  }
}

static void *pop(uvow__pool_block_t **list, size_t size) {
  uvow__pool_block_t *block = *list;
  if (block) {
    uvow__pool_unlock(block, size);
    *list = block->next;
  }
  return block;
}

static void free_list(uvow__cache_t *cache, size_t class,
                      uvow__pool_block_t **list) {
  void *block;
  while ((block = pop(list, size_of(class)))) {
    cache->classes[class].kept--;
    uvow__free(cache->mem, block);
  }
}

static int tidy(uvow__keeper_t *keeper) {
  uvow__cache_t *cache = UVOW__CONTAINER(keeper, uvow__cache_t, keeper);
  size_t kept = 0;
  for (size_t i = 0; i < UVOW__CACHE_CLASSES; i++) {
    free_list(cache, i, &cache->classes[i].cold);
    cache->classes[i].cold = cache->classes[i].free;
    cache->classes[i].free = NULL;
    kept += cache->classes[i].kept;
  }
  return kept != 0;
}

void uvow__cache_shrink(uvow__cache_t *cache, uvow__tidy_t *to) {
  cache->tidy = to;
  uvow__tidy_join(to, &cache->keeper, tidy);
}

void uvow__cache_done(uvow__cache_t *cache) {
  uvow__list_remove(&cache->keeper.link);
  for (size_t i = 0; i < UVOW__CACHE_CLASSES; i++) {
    free_list(cache, i, &cache->classes[i].free);
    free_list(cache, i, &cache->classes[i].cold);
  }
  uvow__cache_init(cache, cache->mem);
}

/* None is warm: a cold one, or a new one. */
static UVOW__APART void *take_slowly(uvow__cache_t *cache, size_t class) {
  void *block = pop(&cache->classes[class].cold, size_of(class));
  if (block)
    cache->classes[class].kept--;
  else
    block = uvow__malloc(cache->mem, size_of(class));
  return block;
}

void *uvow__cache_take(uvow__cache_t *cache, size_t size) {
  if (size > LARGEST)
    return uvow__malloc(cache->mem, size);
  size_t class = class_of(size);
  void *block = pop(&cache->classes[class].free, size_of(class));
  if (block)
    cache->classes[class].kept--;
  else if (!(block = take_slowly(cache, class)))
    return NULL;
  uvow__pool_lock(block, size_of(class));
  uvow__pool_unlock(block, size);
  return block;
}

/* The first that is kept of its class, or one too many. Whether it was freed. */
static UVOW__APART int is_freed(uvow__cache_t *cache, size_t class, void *ptr) {
  if (cache->classes[class].kept) {
    uvow__free(cache->mem, ptr);
    return 1;
  }
  if (cache->tidy)
    cache->tidy->wanted = 1;
  return 0;
}

void uvow__cache_give(uvow__cache_t *cache, void *ptr, size_t size) {
  if (size > LARGEST) {
    uvow__free(cache->mem, ptr);
    return;
  }
  size_t class = class_of(size);
  size_t kept = cache->classes[class].kept;
  uvow__pool_unlock(ptr, size_of(class));
  if (kept - 1 >= cache->classes[class].most - 1 && /* 0, too */
      is_freed(cache, class, ptr))
    return;
  uvow__pool_block_t *block = (uvow__pool_block_t *)ptr;
  block->next = cache->classes[class].free;
  cache->classes[class].free = block;
  cache->classes[class].kept++;
  uvow__pool_lock(block, size_of(class));
}
