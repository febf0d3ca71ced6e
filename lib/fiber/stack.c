/*
 * Stacks: cut from large maps, kept when they are given back.
 *
 *   [ guard | ............... stack | head ] [ guard | ...
 *
 * 1. A map of guarded stacks is reserved without access; each stack is opened
 *    when it's first taken. It costs two of the kernel's areas (Linux allows
 *    65,530 in a process); the guard below it is never opened.
 * 2. Stacks without a guard lie side by side in an open map: one area for all,
 *    and none of it in huge pages, or each stack would cost one.
 * 3. What is free is taken again last in, first out: warm. Above WARM_MAX, a
 *    stack that is given back gives its pages back too, but for the head's.
 *
 * For POSIX. What Windows has (VirtualAlloc with PAGE_GUARD, fibers of its own)
 * isn't used: the library is built without fibers there.
 */
#define _DEFAULT_SOURCE /* for MAP_ANONYMOUS and madvise */

#include "stack.h"

#include "switch.h"

#if UVOW__FIBERS

#include <assert.h>
#include <stdint.h>

#include <sys/mman.h>
#include <unistd.h>

#ifdef UVOW_HAS_VALGRIND
#include <valgrind/valgrind.h>
#endif

#define GUARD ((size_t)64 * 1024) /* a multiple of every system's page */
#define MAP_BYTES ((size_t)16 * 1024 * 1024)
#define WARM_MAX 256
#define COLORS 8
#define COLOR_BYTES ((size_t)384)

#ifndef MAP_NORESERVE
#define MAP_NORESERVE 0
#endif

typedef struct map {
  struct map *next;
  char *base;
  size_t count; /* of stacks that it has room for */
  size_t cut;   /* of them */
} map_t;

/* The stacks of one size. */
typedef struct uvow__stack_kind {
  struct uvow__stack_kind *next;
  uvow__stacks_t *stacks;
  size_t bytes; /* head included */
  size_t step;  /* from one to the next: the guard too */
  int guarded;
  uvow__stack_t *free;
  size_t n_free;
  map_t *maps; /* the newest first: only that one may have room */
} kind_t;

static size_t round_up(size_t n, size_t unit) {
  return (n + unit - 1) / unit * unit;
}

void uvow__stacks_init(uvow__stacks_t *stacks, const uvow__mem_t *mem,
                       size_t head) {
  stacks->mem = mem;
  stacks->head = round_up(head, 64);
  stacks->page = (size_t)sysconf(_SC_PAGESIZE); /* POSIX: it can't fail */
  stacks->kinds = NULL;
}

static kind_t *find_kind(uvow__stacks_t *stacks, size_t bytes, int guarded) {
  kind_t *kind = stacks->kinds;
  while (kind && (kind->bytes != bytes || kind->guarded != guarded))
    kind = kind->next;
  return kind;
}

/* The one of this size, found or made; NULL: no memory. */
static kind_t *kind_of(uvow__stacks_t *stacks, size_t bytes, int guarded) {
  kind_t *kind = find_kind(stacks, bytes, guarded);
  if (kind)
    return kind;
  kind = (kind_t *)uvow__calloc(stacks->mem, sizeof(*kind));
  if (!kind)
    return NULL;
  kind->stacks = stacks;
  kind->bytes = bytes;
  kind->step = bytes + (guarded ? GUARD : 0);
  kind->guarded = guarded;
  kind->next = stacks->kinds;
  stacks->kinds = kind;
  return kind;
}

static size_t map_bytes(const kind_t *kind, const map_t *map) {
  return map->count * kind->step;
}

/* A new map in front of the others. Returns it, or NULL. */
static map_t *grow(kind_t *kind) {
  const uvow__mem_t *mem = kind->stacks->mem;
  map_t *map = (map_t *)uvow__malloc(mem, sizeof(*map));
  if (!map)
    return NULL;
  map->count = kind->step < MAP_BYTES ? MAP_BYTES / kind->step : 1;
  map->cut = 0;
  void *base = mmap(NULL, map_bytes(kind, map),
                    kind->guarded ? PROT_NONE : PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (base == MAP_FAILED) {
    uvow__free(mem, map);
    return NULL;
  }
#ifdef MADV_NOHUGEPAGE
  if (!kind->guarded)
    (void)madvise(base, map_bytes(kind, map), MADV_NOHUGEPAGE);
#endif
  map->base = (char *)base;
  map->next = kind->maps;
  kind->maps = map;
  return map;
}

/* Where the head of the stack number i is. Not all at the same place of a page:
 * they would share a few lines of the processor's cache. */
static char *head_of(const kind_t *kind, const map_t *map, size_t i) {
  return map->base + (i + 1) * kind->step - kind->stacks->head -
         i % COLORS * COLOR_BYTES;
}

/* A stack that never was used; NULL: no memory. */
static uvow__stack_t *cut(kind_t *kind) {
  map_t *map = kind->maps;
  if (!map || map->cut == map->count)
    map = grow(kind);
  if (!map)
    return NULL;
  char *low = map->base + map->cut * kind->step + (kind->step - kind->bytes);
  if (kind->guarded && mprotect(low, kind->bytes, PROT_READ | PROT_WRITE))
    return NULL;
  char *head = head_of(kind, map, map->cut++);
  size_t size = (size_t)(head - low);
  uvow__stack_t *stack = (uvow__stack_t *)(void *)head;
  stack->next = NULL;
  stack->kind = kind;
  stack->low = low;
  stack->size = size;
#ifdef UVOW_HAS_VALGRIND
  stack->valgrind = VALGRIND_STACK_REGISTER(low, low + size - 1);
#endif
  return stack;
}

uvow__stack_t *uvow__stack_take(uvow__stacks_t *stacks, size_t bytes,
                                int guarded) {
  assert(bytes >= UVOW__STACK_MIN && bytes <= UVOW__STACK_MAX);
  bytes = round_up(bytes, stacks->page);
  kind_t *kind = kind_of(stacks, bytes, guarded != 0);
  if (!kind)
    return NULL;
  uvow__stack_t *stack = kind->free;
  if (!stack)
    return cut(kind);
  kind->free = stack->next;
  kind->n_free--;
  return stack;
}

/* See (3). */
static void cool(uvow__stack_t *stack) {
  size_t page = stack->kind->stacks->page;
  uintptr_t head = (uintptr_t)stack / page * page;
  (void)madvise(stack->low, head - (uintptr_t)stack->low, MADV_DONTNEED);
}

void uvow__stack_give(uvow__stack_t *stack) {
  kind_t *kind = stack->kind;
  stack->next = kind->free;
  kind->free = stack;
  if (++kind->n_free > WARM_MAX)
    cool(stack);
}

/* Unmaps it; each of its stacks is free, so their heads are whole. */
static void free_map(const kind_t *kind, map_t *map) {
#ifdef UVOW_HAS_VALGRIND
  for (size_t i = 0; i < map->cut; i++) {
    void *head = head_of(kind, map, i);
    VALGRIND_STACK_DEREGISTER(((uvow__stack_t *)head)->valgrind);
  }
#endif
  (void)munmap(map->base, map_bytes(kind, map));
  uvow__free(kind->stacks->mem, map);
}

static void free_kind(kind_t *kind) {
  while (kind->maps) {
    map_t *map = kind->maps;
    kind->maps = map->next;
    free_map(kind, map);
  }
  uvow__free(kind->stacks->mem, kind);
}

void uvow__stacks_done(uvow__stacks_t *stacks) {
  while (stacks->kinds) {
    kind_t *kind = stacks->kinds;
    stacks->kinds = kind->next;
    free_kind(kind);
  }
}

#endif
