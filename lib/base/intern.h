#ifndef UVOW__INTERN_H
#define UVOW__INTERN_H

#include "mem.h"

/* Texts kept once each: method names, which come again and again. */
typedef struct uvow__intern {
  const uvow__mem_t *mem;
  char **texts; /* NULL: a free place */
  size_t mask;
  size_t count;
  const char *last; /* what was asked for last */
} uvow__intern_t;

/* More texts than that aren't names: the rest is one, "(other)". */
#define UVOW__INTERN_MAX 4096

/* Takes no memory before the first text. */
void uvow__intern_init(uvow__intern_t *intern, const uvow__mem_t *mem);
void uvow__intern_done(uvow__intern_t *intern);
/* The kept copy of a text: borrowed, until done. "(other)" when there are too
 * many, or no memory. */
const char *uvow__intern(uvow__intern_t *intern, const char *text);

#endif
