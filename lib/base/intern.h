#ifndef UVOW__INTERN_H
#define UVOW__INTERN_H

#include "buf.h"

/* Texts kept once each, and numbered: method names, which come again and again.
 */
typedef struct uvow__intern {
  const uvow__mem_t *mem;
  uvow__slice_t *names; /* number n is names[n - 1]; NUL-terminated */
  uint16_t *places;     /* a hash table of numbers; 0: a free place */
  size_t mask;          /* places - 1 */
  size_t count;
  unsigned last; /* what was asked for last */
} uvow__intern_t;

/* More texts than that aren't names: the rest is number 0, "(other)". */
#define UVOW__INTERN_MAX 4096

/* Takes no memory before the first text. */
void uvow__intern_init(uvow__intern_t *intern, const uvow__mem_t *mem);
void uvow__intern_done(uvow__intern_t *intern);
/* Whether text is the one that was asked for last. Names are short: a call
 * would take longer. */
static inline int uvow__intern_is_last(const uvow__intern_t *intern,
                                       const char *text) {
  const char *last = intern->last ? intern->names[intern->last - 1].ptr : NULL;
  if (!last)
    return 0;
  for (; *last == *text; last++, text++)
    if (!*last)
      return 1;
  return 0;
}
unsigned uvow__intern_other(uvow__intern_t *intern, const char *text);
/* The number of a text, which is copied if it's new. 0 when there are too many,
 * or no memory. */
static inline unsigned uvow__intern(uvow__intern_t *intern, const char *text) {
  return uvow__intern_is_last(intern, text) ? intern->last
                                            : uvow__intern_other(intern, text);
}
/* The text that has a number: borrowed, until done. */
static inline uvow__slice_t uvow__intern_text(const uvow__intern_t *intern,
                                              unsigned number) {
  return number ? intern->names[number - 1] : UVOW__SLICE("(other)");
}

#endif
