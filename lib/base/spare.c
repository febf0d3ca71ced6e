/*
 * Large blocks, kept for the next one who needs one.
 *
 * A message of 1 MiB needs several of them for a moment: where it is assembled,
 * where it is kept, where the answer is written. The C library gives such
 * blocks back to the system and gets fresh ones from it, whose every page is a
 * fault on its first touch: that takes several times as long as to fill it.
 *
 * 1. At most UVOW__SPARE_MAX bytes are kept, in at most KEPT blocks; the oldest
 *    goes first. They go also when there is no memory otherwise.
 * 2. A block is lent only for a size that is at least half of its own, so what
 *    is in use is at most twice of what was asked for.
 * 3. What is large is in a table, with its size; `filter` tells most other
 *    pointers apart at a glance. What the table has no room for is freed as
 *    any other block.
 * 4. It lives as long as what was taken from it: an error may be freed after
 *    its loop.
 */
#include "spare.h"

#include <string.h>

#include <uvow/error.h>

#define KEPT 8
#define USED 32

typedef struct block {
  void *ptr;
  size_t size;
} block_t;

typedef struct spares {
  uvow__mem_t below;
  size_t blocks; /* in use, large or not */
  size_t bytes;  /* in `kept` */
  uint64_t filter;
  unsigned kept_count;
  unsigned used_count;
  int closed;
  block_t kept[KEPT]; /* the oldest first */
  block_t used[USED];
} spares_t;

static uint64_t filter_of(const void *ptr) {
  return UINT64_C(1) << ((uintptr_t)ptr >> 16 & 63);
}

static void note_used(spares_t *s, void *ptr, size_t size) {
  if (s->used_count == USED)
    return;
  s->used[s->used_count].ptr = ptr;
  s->used[s->used_count++].size = size;
  s->filter |= filter_of(ptr);
}

static block_t *find_used(spares_t *s, const void *ptr) {
  if (!(s->filter & filter_of(ptr)))
    return NULL;
  for (unsigned i = 0; i < s->used_count; i++)
    if (s->used[i].ptr == ptr)
      return &s->used[i];
  return NULL;
}

static void forget_used(spares_t *s, block_t *block) {
  *block = s->used[--s->used_count];
  s->filter = 0;
  for (unsigned i = 0; i < s->used_count; i++)
    s->filter |= filter_of(s->used[i].ptr);
}

static block_t take_kept(spares_t *s, unsigned at) {
  block_t block = s->kept[at];
  s->bytes -= block.size;
  s->kept_count--;
  memmove(&s->kept[at], &s->kept[at + 1],
          (s->kept_count - at) * sizeof(block_t));
  return block;
}

static void drop_oldest(spares_t *s) {
  block_t block = take_kept(s, 0);
  uvow__free(&s->below, block.ptr);
}

static void keep(spares_t *s, block_t block) {
  if (s->closed || block.size > UVOW__SPARE_MAX) {
    uvow__free(&s->below, block.ptr);
    return;
  }
  while (s->kept_count == KEPT || s->bytes > UVOW__SPARE_MAX - block.size)
    drop_oldest(s);
  s->kept[s->kept_count++] = block;
  s->bytes += block.size;
}

/* The smallest that fits, or NULL. */
static void *reuse(spares_t *s, size_t size) {
  unsigned best = KEPT;
  for (unsigned i = 0; i < s->kept_count; i++)
    if (s->kept[i].size >= size && s->kept[i].size / 2 <= size &&
        (best == KEPT || s->kept[i].size < s->kept[best].size))
      best = i;
  if (best == KEPT || s->used_count == USED)
    return NULL;
  block_t block = take_kept(s, best);
  note_used(s, block.ptr, block.size);
  return block.ptr;
}

static void *spare_malloc(size_t size, void *data) {
  spares_t *s = (spares_t *)data;
  void *ptr = size >= UVOW__SPARE_MIN ? reuse(s, size) : NULL;
  if (!ptr) {
    ptr = uvow__malloc(&s->below, size);
    while (!ptr && s->kept_count) {
      drop_oldest(s);
      ptr = uvow__malloc(&s->below, size);
    }
    if (ptr && size >= UVOW__SPARE_MIN)
      note_used(s, ptr, size);
  }
  s->blocks += ptr != NULL;
  return ptr;
}

/* Makes a large block larger, in another one that is kept. */
static void *move(spares_t *s, void *ptr, size_t size) {
  void *to = reuse(s, size);
  if (!to)
    return NULL;
  block_t *old = find_used(s, ptr);
  block_t block = *old;
  memcpy(to, ptr, block.size);
  forget_used(s, old);
  keep(s, block);
  return to;
}

static void *spare_realloc(void *ptr, size_t size, void *data) {
  spares_t *s = (spares_t *)data;
  if (!ptr)
    return spare_malloc(size, data);
  block_t *old = find_used(s, ptr);
  if (old && size <= old->size)
    return ptr;
  void *to = old ? move(s, ptr, size) : NULL;
  if (to)
    return to;
  to = uvow__realloc(&s->below, ptr, size);
  if (!to)
    return NULL;
  if (old)
    forget_used(s, old);
  if (size >= UVOW__SPARE_MIN)
    note_used(s, to, size);
  return to;
}

static void maybe_gone(spares_t *s) {
  uvow__mem_t below = s->below;
  if (s->closed && s->blocks == 0)
    uvow__free(&below, s);
}

static void spare_free(void *ptr, void *data) {
  spares_t *s = (spares_t *)data;
  block_t *old = find_used(s, ptr);
  if (old) {
    block_t block = *old;
    forget_used(s, old);
    keep(s, block);
  } else {
    uvow__free(&s->below, ptr);
  }
  s->blocks--;
  maybe_gone(s);
}

int uvow__spares_new(const uvow__mem_t *mem, uvow__mem_t *ret) {
  spares_t *s = (spares_t *)uvow__calloc(mem, sizeof(*s));
  if (!s)
    return UVOW_ENOMEM;
  s->below = *mem;
  ret->malloc_cb = spare_malloc;
  ret->realloc_cb = spare_realloc;
  ret->free_cb = spare_free;
  ret->data = s;
  return 0;
}

void uvow__spares_close(const uvow__mem_t *spares) {
  spares_t *s = (spares_t *)spares->data;
  while (s->kept_count)
    drop_oldest(s);
  s->closed = 1;
  maybe_gone(s);
}
