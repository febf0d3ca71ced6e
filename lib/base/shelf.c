/*
 * Blocks of one size, kept.
 *
 * 1. Who asks for another size has the shelf emptied for it, and what is given
 *    back of an old size is freed: so what is kept is of use.
 * 2. A size of which nothing may be kept is none of the shelf's, and so is every
 *    size once the owner has gone: `left` is 0 then.
 */
#include "shelf.h"

static void clear(uvow__shelf_t *shelf) {
  while (shelf->free) {
    uvow__pool_block_t *block = shelf->free;
    uvow__pool_unlock(block, shelf->size);
    shelf->free = block->next;
    uvow__free(&shelf->mem, block);
  }
}

static int tidy(uvow__keeper_t *keeper) {
  uvow__shelf_t *shelf = UVOW__CONTAINER(keeper, uvow__shelf_t, keeper);
  clear(shelf);
  if (shelf->size)
    shelf->left = UVOW__SHELF_KEEP / shelf->size;
  return 0;
}

uvow__shelf_t *uvow__shelf_new(const uvow__mem_t *mem, uvow__tidy_t *to) {
  uvow__shelf_t *shelf = (uvow__shelf_t *)uvow__malloc(mem, sizeof(*shelf));
  if (!shelf)
    return NULL;
  shelf->mem = *mem;
  shelf->free = NULL;
  shelf->size = shelf->left = 0;
  shelf->refs = 1;
  shelf->tidy = to;
  uvow__tidy_join(to, &shelf->keeper, tidy);
  return shelf;
}

static void unref(uvow__shelf_t *shelf) {
  uvow__mem_t mem = shelf->mem;
  if (--shelf->refs == 0)
    uvow__free(&mem, shelf);
}

void uvow__shelf_close(uvow__shelf_t *shelf) {
  clear(shelf);
  shelf->left = 0;
  uvow__list_remove(&shelf->keeper.link);
  unref(shelf);
}

void *uvow__shelf_take_slowly(uvow__shelf_t *shelf, size_t size) {
  if (size != shelf->size) {
    clear(shelf);
    shelf->size = size;
    shelf->left = UVOW__SHELF_KEEP / size;
  }
  void *ptr = uvow__malloc(&shelf->mem, size);
  if (ptr)
    shelf->refs++;
  return ptr;
}

void uvow__shelf_give_slowly(uvow__shelf_t *shelf, void *ptr) {
  uvow__free(&shelf->mem, ptr);
  unref(shelf);
}
