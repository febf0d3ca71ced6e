/*
 * Blocks of more than 4 KiB, kept for the next one who needs one.
 *
 * A message needs several of them for a moment: where it is assembled, where it
 * is kept, where the answer is written. Of those of 128 KiB and more the C
 * library gives each back to the system and gets fresh ones from it, whose every
 * page is a fault on its first touch: that takes several times as long as to
 * fill it.
 *
 * 1. Sizes below LARGE are rounded up to a class: two for each power of two. Of
 *    them at most CLASSES_MAX bytes are kept. The last one given is lent first.
 * 2. Of large blocks at most UVOW__SPARE_MAX bytes are kept, in at most KEPT; the
 *    oldest goes first. One is lent only for a size that is at least half of its
 *    own, so what is in use is at most twice of what was asked for.
 * 3. What is lent is in a table, with its size. No memory for the table is no
 *    memory.
 * 4. What wasn't lent since the last time but one that it was tidied is freed:
 *    so a loop that is idle keeps nothing, and one that isn't keeps what it
 *    needs. All goes also when there is no memory otherwise.
 * 5. It lives as long as what was taken from it: an error may be freed after
 *    its loop.
 * 6. Under AddressSanitizer what is kept in a class is poisoned, and what a lent
 *    one has more than was asked for.
 */
#include "spare.h"

#include <string.h>

#include <uvow/error.h>

#include "pool.h"

#define KEPT 8
#define CLASSES 10 /* 6, 8, 12, 16 ... 96, 128 KiB */
#define USED_MIN 32

typedef struct block {
  void *ptr; /* NULL: none */
  size_t size;
} block_t;

typedef struct kept {
  block_t block;
  int cold; /* it was here the last time */
} kept_t;

typedef struct class {
  uvow__pool_block_t *warm;
  uvow__pool_block_t *cold;
} class_t;

typedef struct spares {
  uvow__mem_t below;
  size_t blocks;      /* in use, of any size */
  size_t bytes;       /* in `kept` */
  size_t class_bytes; /* in `classes` */
  unsigned kept_count;
  int closed;
  uvow__reason_t *reason; /* NULL: nobody is told */
  uvow__tidy_t *tidy;     /* NULL: nobody asks */
  uvow__keeper_t keeper;
  class_t classes[CLASSES];
  kept_t kept[KEPT]; /* the oldest first */
  block_t *used;     /* a hash table: what is lent; at first, `few` */
  size_t used_mask;
  size_t used_count;
  block_t few[USED_MIN];
} spares_t;

/* ---- what is lent ---- */

static size_t place_of(const spares_t *s, const void *ptr) {
  uint64_t hash = (uint64_t)(uintptr_t)ptr * UINT64_C(0x9E3779B97F4A7C15);
  return (size_t)(hash >> 32) & s->used_mask;
}

static block_t *find_used(spares_t *s, const void *ptr) {
  for (size_t i = place_of(s, ptr);; i = (i + 1) & s->used_mask) {
    if (s->used[i].ptr == ptr)
      return &s->used[i];
    if (!s->used[i].ptr)
      return NULL;
  }
}

static void put_used(spares_t *s, block_t block) {
  size_t i = place_of(s, block.ptr);
  while (s->used[i].ptr)
    i = (i + 1) & s->used_mask;
  s->used[i] = block;
  s->used_count++;
}

/* A table twice as large. Returns 0, or UVOW_ENOMEM: it stays as it is. */
static int grow_used(spares_t *s) {
  size_t old_count = s->used_mask + 1;
  size_t count = 2 * old_count;
  block_t *old = s->used;
  block_t *used = (block_t *)uvow__calloc(&s->below, count * sizeof(*used));
  if (!used)
    return UVOW_ENOMEM;
  s->used = used;
  s->used_mask = count - 1;
  s->used_count = 0;
  for (size_t i = 0; i < old_count; i++)
    if (old[i].ptr)
      put_used(s, old[i]);
  if (old != s->few)
    uvow__free(&s->below, old);
  return 0;
}

/* Whether the table has room for one more: half of it stays empty. */
static int has_place(spares_t *s) {
  return 2 * (s->used_count + 1) <= s->used_mask + 1 || grow_used(s) == 0;
}

/* Moves back what would no longer be found, as it stands behind a gap. */
static void drop_used(spares_t *s, block_t *block) {
  size_t gap = (size_t)(block - s->used);
  for (size_t i = gap;;) {
    i = (i + 1) & s->used_mask;
    if (!s->used[i].ptr)
      break;
    size_t from_home = (i - place_of(s, s->used[i].ptr)) & s->used_mask;
    if (from_home >= ((i - gap) & s->used_mask)) {
      s->used[gap] = s->used[i];
      gap = i;
    }
  }
  s->used[gap].ptr = NULL;
  s->used_count--;
}

/* ---- what is kept ---- */

static size_t class_size(size_t class) {
  size_t step = UVOW__SPARE_MIN << (class / 2);
  return class % 2 ? 2 * step : step + step / 2;
}

static size_t class_of(size_t size) {
  size_t class = 0;
  while (class_size(class) < size)
    class ++;
  return class;
}

static inline int is_spare(size_t size) {
  return size > UVOW__SPARE_MIN;
}

static inline int is_large(size_t size) {
  return size > UVOW__SPARE_LARGE;
}

/* What is taken for a size. */
static size_t round_up(size_t size) {
  return is_spare(size) && !is_large(size) ? class_size(class_of(size)) : size;
}

static block_t take_kept(spares_t *s, unsigned at) {
  block_t block = s->kept[at].block;
  s->bytes -= block.size;
  s->kept_count--;
  memmove(&s->kept[at], &s->kept[at + 1],
          (s->kept_count - at) * sizeof(kept_t));
  return block;
}

static void drop_oldest(spares_t *s) {
  block_t block = take_kept(s, 0);
  uvow__free(&s->below, block.ptr);
}

static void *pop(uvow__pool_block_t **list, size_t size) {
  uvow__pool_block_t *block = *list;
  if (block) {
    uvow__pool_unlock(block, size);
    *list = block->next;
  }
  return block;
}

static void push(uvow__pool_block_t **list, void *ptr, size_t size) {
  uvow__pool_block_t *block = (uvow__pool_block_t *)ptr;
  block->next = *list;
  *list = block;
  uvow__pool_lock(block, size);
}

static void drop_list(spares_t *s, uvow__pool_block_t **list, size_t size) {
  void *ptr;
  while ((ptr = pop(list, size))) {
    s->class_bytes -= size;
    uvow__free(&s->below, ptr);
  }
}

static void drop_cold(spares_t *s) {
  for (size_t i = 0; i < CLASSES; i++)
    drop_list(s, &s->classes[i].cold, class_size(i));
}

static void make_cold(spares_t *s) {
  for (size_t i = 0; i < CLASSES; i++) {
    s->classes[i].cold = s->classes[i].warm;
    s->classes[i].warm = NULL;
  }
}

/* All that is kept goes. Returns whether there was some. */
static int drop_all(spares_t *s) {
  if (!s->kept_count && !s->class_bytes)
    return 0;
  while (s->kept_count)
    drop_oldest(s);
  drop_cold(s);
  make_cold(s);
  drop_cold(s);
  return 1;
}

static void keep_large(spares_t *s, block_t block) {
  while (s->kept_count == KEPT || s->bytes > UVOW__SPARE_MAX - block.size)
    drop_oldest(s);
  s->kept[s->kept_count].cold = 0;
  s->kept[s->kept_count++].block = block;
  s->bytes += block.size;
}

static void want_tidying(spares_t *s) {
  if (s->tidy)
    s->tidy->wanted = 1;
}

static int may_keep(const spares_t *s, size_t size) {
  if (s->closed)
    return 0;
  return is_large(size) ? size <= UVOW__SPARE_MAX
                        : size <= UVOW__SPARE_CLASSES_MAX - s->class_bytes;
}

/* A block that was lent comes back. */
static void keep(spares_t *s, block_t block) {
  uvow__pool_unlock(block.ptr, block.size);
  if (!may_keep(s, block.size)) {
    uvow__free(&s->below, block.ptr);
    return;
  }
  want_tidying(s);
  if (is_large(block.size)) {
    keep_large(s, block);
    return;
  }
  push(&s->classes[class_of(block.size)].warm, block.ptr, block.size);
  s->class_bytes += block.size;
}

/* ---- the allocator ---- */

/* The smallest that fits, or NULL. */
static void *reuse_large(spares_t *s, size_t size, size_t *ret_size) {
  unsigned best = KEPT;
  for (unsigned i = 0; i < s->kept_count; i++) {
    size_t has = s->kept[i].block.size;
    if (has >= size && has / 2 <= size &&
        (best == KEPT || has < s->kept[best].block.size))
      best = i;
  }
  if (best == KEPT)
    return NULL;
  block_t block = take_kept(s, best);
  *ret_size = block.size;
  return block.ptr;
}

static void *reuse_class(spares_t *s, size_t size) {
  class_t *class = &s->classes[class_of(size)];
  void *ptr = pop(&class->warm, size);
  if (!ptr)
    ptr = pop(&class->cold, size);
  if (ptr)
    s->class_bytes -= size;
  return ptr;
}

/* Lends what is kept, or returns NULL. size is rounded up. */
static void *reuse(spares_t *s, size_t size) {
  void *ptr =
      is_large(size) ? reuse_large(s, size, &size) : reuse_class(s, size);
  if (ptr)
    put_used(s, (block_t){ptr, size});
  return ptr;
}

/* A block from below, of a size that is rounded up. */
static void note_new(spares_t *s, void *ptr, size_t size) {
  if (is_spare(size)) {
    put_used(s, (block_t){ptr, size});
    want_tidying(s);
  }
}

/* There is no memory. Returns NULL. */
static void *fail(spares_t *s) {
  uvow__reason_note(s->reason, UVOW_ENOMEM, NULL, NULL);
  return NULL;
}

/* Of what is lent, nobody touches more than was asked for. */
static void *lend(void *ptr, size_t size, size_t full) {
  if (full > size)
    uvow__pool_lock((char *)ptr + size, full - size);
  return ptr;
}

static void *spare_malloc(size_t size, void *data) {
  spares_t *s = (spares_t *)data;
  size_t full = round_up(size);
  if (is_spare(full) && !has_place(s))
    return fail(s);
  void *ptr = is_spare(full) ? reuse(s, full) : NULL;
  if (!ptr) {
    do
      ptr = uvow__malloc(&s->below, full);
    while (!ptr && drop_all(s));
    if (!ptr)
      return fail(s);
    note_new(s, ptr, full);
  }
  s->blocks++;
  return lend(ptr, size, full);
}

/* Makes a block that is lent larger, in another one that is kept. */
static void *move(spares_t *s, void *ptr, size_t full) {
  void *to = reuse(s, full);
  if (!to)
    return NULL;
  block_t *old = find_used(s, ptr);
  block_t block = *old;
  memcpy(to, ptr, block.size);
  drop_used(s, old);
  keep(s, block);
  return to;
}

/* The same from below, of any block. NULL: no memory, and it is as it was. */
static void *resize(spares_t *s, void *ptr, size_t full) {
  block_t *old = find_used(s, ptr);
  void *to;
  do
    to = uvow__realloc(&s->below, ptr, full);
  while (!to && drop_all(s));
  if (!to)
    return fail(s);
  if (old)
    drop_used(s, old);
  note_new(s, to, full);
  return to;
}

static void *spare_realloc(void *ptr, size_t size, void *data) {
  spares_t *s = (spares_t *)data;
  if (!ptr)
    return spare_malloc(size, data);
  size_t full = round_up(size);
  void *to = NULL;
  if (is_spare(full) && !has_place(s))
    return fail(s);
  block_t *old = find_used(s, ptr);
  if (old) {
    uvow__pool_unlock(ptr, old->size);
    if (size <= old->size)
      return lend(ptr, size, old->size);
    to = move(s, ptr, full);
  }
  if (!to)
    to = resize(s, ptr, full);
  return to ? lend(to, size, full) : NULL;
}

static void maybe_gone(spares_t *s) {
  uvow__mem_t below = s->below;
  if (!s->closed || s->blocks)
    return;
  if (s->used != s->few)
    uvow__free(&below, s->used);
  uvow__free(&below, s);
}

static void spare_free(void *ptr, void *data) {
  spares_t *s = (spares_t *)data;
  block_t *old = find_used(s, ptr);
  if (old) {
    block_t block = *old;
    drop_used(s, old);
    keep(s, block);
  } else {
    uvow__free(&s->below, ptr);
  }
  s->blocks--;
  maybe_gone(s);
}

/* See (4). */
static int tidy(uvow__keeper_t *keeper) {
  spares_t *s = UVOW__CONTAINER(keeper, spares_t, keeper);
  while (s->kept_count && s->kept[0].cold)
    drop_oldest(s);
  for (unsigned i = 0; i < s->kept_count; i++)
    s->kept[i].cold = 1;
  drop_cold(s);
  make_cold(s);
  return s->kept_count || s->class_bytes;
}

int uvow__spares_new(const uvow__mem_t *mem, uvow__mem_t *ret) {
  spares_t *s = (spares_t *)uvow__calloc(mem, sizeof(*s));
  if (!s)
    return UVOW_ENOMEM;
  s->below = *mem;
  s->used = s->few;
  s->used_mask = USED_MIN - 1;
  uvow__list_init(&s->keeper.link);
  ret->size = sizeof(*ret);
  ret->malloc_cb = spare_malloc;
  ret->realloc_cb = spare_realloc;
  ret->free_cb = spare_free;
  ret->data = s;
  return 0;
}

void uvow__spares_tell(const uvow__mem_t *spares, uvow__reason_t *reason,
                       uvow__tidy_t *to) {
  spares_t *s = (spares_t *)spares->data;
  s->reason = reason;
  s->tidy = to;
  uvow__list_remove(&s->keeper.link);
  if (to)
    uvow__tidy_join(to, &s->keeper, tidy);
}

void uvow__spares_close(const uvow__mem_t *spares) {
  spares_t *s = (spares_t *)spares->data;
  uvow__spares_tell(spares, NULL, NULL);
  (void)drop_all(s);
  s->closed = 1;
  maybe_gone(s);
}
