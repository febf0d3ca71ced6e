/* Methods by name: open addressing, at most half full, FNV-1a. */
#include "methods.h"

#include <string.h>

#define PLACES_MIN 16

static size_t hash(const char *name, size_t len) {
  uint32_t h = UINT32_C(2166136261);
  for (size_t i = 0; i < len; i++)
    h = (h ^ (unsigned char)name[i]) * UINT32_C(16777619);
  return h;
}

/* Where a name is, or would be. */
static uvow__method_t *place_of(uvow__method_t *places, size_t mask,
                                const char *name, size_t len) {
  size_t at = hash(name, len) & mask;
  while (places[at].name &&
         (places[at].len != len || memcmp(places[at].name, name, len) != 0))
    at = (at + 1) & mask;
  return &places[at];
}

void uvow__methods_init(uvow__methods_t *methods, const uvow__mem_t *mem) {
  memset(methods, 0, sizeof(*methods));
  methods->mem = mem;
}

static void drop_data(uvow__method_t *method) {
  if (method->destroy)
    method->destroy(method->data);
}

void uvow__methods_done(uvow__methods_t *methods) {
  for (size_t i = 0; methods->places && i <= methods->mask; i++) {
    if (!methods->places[i].name)
      continue;
    drop_data(&methods->places[i]);
    uvow__free(methods->mem, methods->places[i].name);
  }
  uvow__free(methods->mem, methods->places);
  uvow__methods_init(methods, methods->mem);
}

static int grow(uvow__methods_t *methods) {
  size_t count = methods->places ? (methods->mask + 1) * 2 : PLACES_MIN;
  size_t size;
  if (uvow__size_mul(count, sizeof(uvow__method_t), &size))
    return UVOW_ENOMEM;
  uvow__method_t *places = (uvow__method_t *)uvow__calloc(methods->mem, size);
  if (!places)
    return UVOW_ENOMEM;
  for (size_t i = 0; methods->places && i <= methods->mask; i++) {
    const uvow__method_t *old = &methods->places[i];
    if (old->name)
      *place_of(places, count - 1, old->name, old->len) = *old;
  }
  uvow__free(methods->mem, methods->places);
  methods->places = places;
  methods->mask = count - 1;
  return 0;
}

int uvow__methods_set(uvow__methods_t *methods, const char *name,
                      uvow_method_cb cb, void *data, uvow_destroy_cb destroy) {
  uvow__method_t method = {NULL, strlen(name), cb, data, destroy};
  int rc = 0;
  if (!methods->places || (methods->count + 1) * 2 > methods->mask + 1)
    rc = grow(methods);
  if (rc) {
    drop_data(&method);
    return rc;
  }
  uvow__method_t *place =
      place_of(methods->places, methods->mask, name, method.len);
  if (place->name) {
    method.name = place->name;
    drop_data(place);
  } else {
    method.name = uvow__strndup(methods->mem, name, method.len);
    if (!method.name) {
      drop_data(&method);
      return UVOW_ENOMEM;
    }
    methods->count++;
  }
  *place = method;
  return 0;
}

const uvow__method_t *uvow__methods_find(const uvow__methods_t *methods,
                                         uvow__slice_t name) {
  if (!methods->places)
    return NULL;
  const uvow__method_t *place =
      place_of(methods->places, methods->mask, name.ptr, name.len);
  return place->name ? place : NULL;
}
