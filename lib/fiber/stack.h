#ifndef UVOW__STACK_H
#define UVOW__STACK_H

#include "base/mem.h"

#define UVOW__STACK_MIN ((size_t)16 * 1024)
#define UVOW__STACK_MAX ((size_t)1024 * 1024 * 1024)

/*
 * A stack. This stands at its upper end, above the first frame, and is what the
 * owner's own struct begins with.
 */
typedef struct uvow__stack {
  struct uvow__stack *next; /* while it's free */
  struct uvow__stack_kind *kind;
  char *low;         /* what can be used: from here ... */
  size_t size;       /* ... up to this struct */
  unsigned valgrind; /* its number there */
} uvow__stack_t;

/* The stacks of a loop, kept for the next use. */
typedef struct uvow__stacks {
  const uvow__mem_t *mem;
  size_t head; /* bytes of the owner's struct */
  size_t page;
  struct uvow__stack_kind *kinds;
} uvow__stacks_t;

void uvow__stacks_init(uvow__stacks_t *stacks, const uvow__mem_t *mem,
                       size_t head);
/* Unmaps all. Each must have been given back. */
void uvow__stacks_done(uvow__stacks_t *stacks);
/* A stack of so many bytes, STACK_MIN to STACK_MAX, rounded up to whole pages,
 * head included. The head behind uvow__stack_t is undefined. NULL: no memory. */
uvow__stack_t *uvow__stack_take(uvow__stacks_t *stacks, size_t bytes,
                                int guarded);
void uvow__stack_give(uvow__stack_t *stack);

#endif
