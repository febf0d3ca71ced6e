#ifndef UVOW__OPTIONS_H
#define UVOW__OPTIONS_H

#include <stddef.h>
#include <string.h>

/*
 * Structs that begin with their size, across the border: a program may have been
 * built with an older or a newer form of one than the library. Fields come only
 * at the end, and zero is the default of each.
 */

/* What is wrong with one that can't be read. */
#define UVOW__OPTIONS_TEXT(type)                                               \
  "must be a " #type                                                           \
  " with its size set (see UVOW_INIT), and zero in what "                      \
  "this library doesn't know"

/* As uvow__options, where the sizes differ, or nothing is given. */
const void *uvow__options_convert(const void *given, size_t given_size,
                                  void *own, size_t size);

/* What was given, as the library knows it, of `size` bytes: `given` itself where
 * it is as long; else `own`, with what a shorter one lacks zero, as for NULL.
 * NULL: it has no size, or one too large, or isn't zero in what is unknown. */
static inline const void *uvow__options(const void *given, void *own,
                                        size_t size) {
  size_t given_size = 0;
  if (given)
    memcpy(&given_size, given, sizeof(given_size));
  return given_size == size
             ? given
             : uvow__options_convert(given, given_size, own, size);
}

/* An element of an array, which steps by the size of its first. The same. */
static inline const void *uvow__options_nth(const void *first, size_t i,
                                            void *own, size_t size) {
  size_t step;
  memcpy(&step, first, sizeof(step));
  return uvow__options_convert((const char *)first + i * step, step, own, size);
}

/* Fills a caller's struct, as far as its size goes, with what `from` has behind
 * its size; what is unknown becomes zero. 0, or UVOW_EINVAL: NULL, no size, or
 * one too large. */
int uvow__options_fill(void *ret, const void *from, size_t size);

#endif
