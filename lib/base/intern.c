/* A set of texts: open addressing, at most half full, FNV-1a. */
#include "intern.h"

#include <string.h>

#include <uvow/error.h>

#define PLACES_MIN 16

void uvow__intern_init(uvow__intern_t *intern, const uvow__mem_t *mem) {
  memset(intern, 0, sizeof(*intern));
  intern->mem = mem;
}

void uvow__intern_done(uvow__intern_t *intern) {
  for (size_t i = 0; intern->texts && i <= intern->mask; i++)
    uvow__free(intern->mem, intern->texts[i]);
  uvow__free(intern->mem, intern->texts);
  uvow__intern_init(intern, intern->mem);
}

static char **place_of(char **texts, size_t mask, const char *text) {
  uint32_t hash = UINT32_C(2166136261);
  for (const char *at = text; *at; at++)
    hash = (hash ^ (unsigned char)*at) * UINT32_C(16777619);
  size_t place = hash & mask;
  while (texts[place] && strcmp(texts[place], text) != 0)
    place = (place + 1) & mask;
  return &texts[place];
}

static int grow(uvow__intern_t *intern) {
  size_t count = intern->texts ? (intern->mask + 1) * 2 : PLACES_MIN;
  char **texts = (char **)uvow__calloc(intern->mem, count * sizeof(*texts));
  if (!texts)
    return UVOW_ENOMEM;
  for (size_t i = 0; intern->texts && i <= intern->mask; i++)
    if (intern->texts[i])
      *place_of(texts, count - 1, intern->texts[i]) = intern->texts[i];
  uvow__free(intern->mem, intern->texts);
  intern->texts = texts;
  intern->mask = count - 1;
  return 0;
}

const char *uvow__intern(uvow__intern_t *intern, const char *text) {
  if (intern->last && strcmp(intern->last, text) == 0)
    return intern->last;
  if ((!intern->texts || (intern->count + 1) * 2 > intern->mask + 1) &&
      intern->count < UVOW__INTERN_MAX && grow(intern))
    return "(other)";
  char **place = place_of(intern->texts, intern->mask, text);
  if (!*place && intern->count < UVOW__INTERN_MAX) {
    *place = uvow__strndup(intern->mem, text, strlen(text));
    intern->count += *place != NULL;
  }
  if (*place)
    intern->last = *place;
  return *place ? *place : "(other)";
}
