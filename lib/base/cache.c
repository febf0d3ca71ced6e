/*
 * Free blocks by size: powers of two, a list of each.
 *
 * 1. A block has no header: who takes it knows its size, and says it again.
 * 2. Larger sizes than the largest class go straight to the allocator.
 * 3. Under AddressSanitizer a free block is poisoned, and so is what a taken
 *    one has more than was asked for.
 */
#include "cache.h"

#define LARGEST ((size_t)UVOW__CACHE_MIN << (UVOW__CACHE_CLASSES - 1))

static size_t size_of(size_t class) {
  return (size_t)UVOW__CACHE_MIN << class;
}

static size_t class_of(size_t size) {
  size_t class = 0;
  while (size_of(class) < size)
    class ++;
  return class;
}

void uvow__cache_init(uvow__cache_t *cache, const uvow__mem_t *mem) {
  cache->mem = mem;
  for (size_t i = 0; i < UVOW__CACHE_CLASSES; i++) {
    cache->classes[i].free = NULL;
    cache->classes[i].left = UVOW__CACHE_KEEP / size_of(i);
  }
}

void uvow__cache_done(uvow__cache_t *cache) {
  for (size_t i = 0; i < UVOW__CACHE_CLASSES; i++) {
    while (cache->classes[i].free) {
      uvow__pool_block_t *block = cache->classes[i].free;
      uvow__pool_unlock(block, size_of(i));
      cache->classes[i].free = block->next;
      uvow__free(cache->mem, block);
    }
  }
  uvow__cache_init(cache, cache->mem);
}

void *uvow__cache_take(uvow__cache_t *cache, size_t size) {
  if (size > LARGEST)
    return uvow__malloc(cache->mem, size);
  size_t class = class_of(size);
  uvow__pool_block_t *block = cache->classes[class].free;
  if (block) {
    uvow__pool_unlock(block, size_of(class));
    cache->classes[class].free = block->next;
    cache->classes[class].left++;
  } else {
    block = (uvow__pool_block_t *)uvow__malloc(cache->mem, size_of(class));
    if (!block)
      return NULL;
  }
  uvow__pool_lock(block, size_of(class));
  uvow__pool_unlock(block, size);
  return block;
}

void uvow__cache_give(uvow__cache_t *cache, void *ptr, size_t size) {
  size_t class = size > LARGEST ? 0 : class_of(size);
  uvow__pool_unlock(ptr, size > LARGEST ? size : size_of(class));
  if (size > LARGEST || cache->classes[class].left == 0) {
    uvow__free(cache->mem, ptr);
    return;
  }
  uvow__pool_block_t *block = (uvow__pool_block_t *)ptr;
  block->next = cache->classes[class].free;
  cache->classes[class].free = block;
  cache->classes[class].left--;
  uvow__pool_lock(block, size_of(class));
}
