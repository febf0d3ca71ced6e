/* A set of texts: open addressing, at most half full, FNV-1a. */
#include "intern.h"

#include <string.h>

#include <uvow/error.h>

#include "text.h"

#define PLACES_MIN 16

_Static_assert(UVOW__INTERN_MAX < UINT16_MAX, "places hold every number");

void uvow__intern_init(uvow__intern_t *intern, const uvow__mem_t *mem) {
  memset(intern, 0, sizeof(*intern));
  intern->mem = mem;
}

void uvow__intern_done(uvow__intern_t *intern) {
  for (size_t i = 0; i < intern->count; i++)
    uvow__free(intern->mem, (char *)(uintptr_t)intern->names[i].ptr);
  uvow__free(intern->mem, intern->names);
  uvow__free(intern->mem, intern->places);
  uvow__intern_init(intern, intern->mem);
}

/* Where the text is, or would be. */
static uint16_t *place_of(const uvow__intern_t *intern, const char *text) {
  size_t place = uvow__text_hash(text, strlen(text)) & intern->mask;
  while (intern->places[place] &&
         strcmp(intern->names[intern->places[place] - 1].ptr, text) != 0)
    place = (place + 1) & intern->mask;
  return &intern->places[place];
}

/* Twice as many places, and names for half of them. */
static int grow(uvow__intern_t *intern) {
  size_t count = intern->places ? (intern->mask + 1) * 2 : PLACES_MIN;
  uvow__slice_t *names = (uvow__slice_t *)uvow__realloc(
      intern->mem, intern->names, count / 2 * sizeof(*names));
  if (!names)
    return UVOW_ENOMEM;
  intern->names = names;
  uint16_t *places =
      (uint16_t *)uvow__calloc(intern->mem, count * sizeof(*places));
  if (!places)
    return UVOW_ENOMEM;
  uvow__free(intern->mem, intern->places);
  intern->places = places;
  intern->mask = count - 1;
  for (size_t i = 0; i < intern->count; i++)
    *place_of(intern, names[i].ptr) = (uint16_t)(i + 1);
  return 0;
}

static unsigned add(uvow__intern_t *intern, const char *text) {
  uvow__slice_t name;
  if (intern->count == UVOW__INTERN_MAX)
    return 0;
  name.len = strlen(text);
  name.ptr = uvow__strndup(intern->mem, text, name.len);
  if (!name.ptr)
    return 0;
  intern->names[intern->count++] = name;
  return (unsigned)intern->count;
}

unsigned uvow__intern_other(uvow__intern_t *intern, const char *text) {
  if ((!intern->places || (intern->count + 1) * 2 > intern->mask + 1) &&
      intern->count < UVOW__INTERN_MAX && grow(intern))
    return 0;
  uint16_t *place = place_of(intern, text);
  if (!*place)
    *place = (uint16_t)add(intern, text);
  if (*place)
    intern->last = *place;
  return *place;
}
