#ifndef UVOW__SHELF_H
#define UVOW__SHELF_H

#include "pool.h"

#define UVOW__SHELF_KEEP ((size_t)512 * 1024) /* bytes that are kept at most */

/*
 * Blocks of one size, that of the last one that was asked for, kept for who
 * reads in parts of a size of its own. Counted: it lives as long as its owner,
 * and each block that was taken.
 */
typedef struct uvow__shelf {
  uvow__mem_t mem; /* its own copy: blocks may outlive their loop */
  uvow__pool_block_t *free;
  size_t size; /* of each block */
  size_t left; /* blocks that may be kept yet; 0 at its owner's end */
  size_t refs;
  uvow__tidy_t *tidy; /* as long as there's its owner */
  uvow__keeper_t keeper;
} uvow__shelf_t;

/* Copies mem. What is kept is freed whenever tidy asks; its owner, who goes
 * before that does. Returns new, or NULL. */
uvow__shelf_t *uvow__shelf_new(const uvow__mem_t *mem, uvow__tidy_t *tidy);
/* Its owner goes: frees what is kept. */
void uvow__shelf_close(uvow__shelf_t *shelf);

/* A shelf of that size, and the block: see uvow__shelf_take. */
UVOW__APART void *uvow__shelf_take_slowly(uvow__shelf_t *shelf, size_t size);
/* Frees the block; with its last one and without its owner, the shelf too. */
UVOW__APART void uvow__shelf_give_slowly(uvow__shelf_t *shelf, void *ptr);

/* New, undefined, or NULL. At least a pointer. */
static inline void *uvow__shelf_take(uvow__shelf_t *shelf, size_t size) {
  uvow__pool_block_t *block = shelf->free;
  if (size != shelf->size || !block)
    return uvow__shelf_take_slowly(shelf, size);
  uvow__pool_unlock(block, size);
  shelf->free = block->next;
  shelf->left++;
  shelf->refs++;
  return block;
}

/* Gives it back; the size as it was taken. */
static inline void uvow__shelf_give(uvow__shelf_t *shelf, void *ptr,
                                    size_t size) {
  uvow__pool_block_t *block = (uvow__pool_block_t *)ptr;
  if (size != shelf->size || !shelf->left) {
    uvow__shelf_give_slowly(shelf, ptr);
    return;
  }
  if (!shelf->free)
    shelf->tidy->wanted = 1;
  block->next = shelf->free;
  shelf->free = block;
  shelf->left--;
  shelf->refs--;
  uvow__pool_lock(block, size);
}

#endif
