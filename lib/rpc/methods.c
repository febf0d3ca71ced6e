/*
 * Methods by name: open addressing, at most half full, FNV-1a.
 *
 * 1. A method is a block of its own, out of the table before its data is
 *    released; and that is done by a task that lies in it. So a destructor may
 *    do anything with the table, and needs no memory to be called.
 * 2. A call that is being answered holds the table, with all that it owns.
 */
#include "methods.h"

#include <string.h>

#include "base/text.h"
#include "future/fail.h"
#include "future/tell.h"

#define PLACES_MIN 16

/* Where a name is, or would be. */
static uvow__method_t **place_of(uvow__method_t **places, size_t mask,
                                 const char *name, size_t len) {
  size_t at = uvow__text_hash(name, len) & mask;
  while (places[at] &&
         (places[at]->len != len || memcmp(places[at]->name, name, len) != 0))
    at = (at + 1) & mask;
  return &places[at];
}

static void run_release(uvow__task_t *task) {
  uvow__method_t *method = UVOW__CONTAINER(task, uvow__method_t, task);
  uvow_loop_t *loop = method->loop;
  uvow_destroy_cb destroy = method->destroy;
  void *data = method->data;
  uvow__free(uvow__loop_mem(loop), method);
  uvow__loop_unpin(loop);
  if (destroy)
    destroy(data);
}

/* Of one that is in no table any more. Accepts NULL. */
static void release(uvow__method_t *method) {
  if (method && method->destroy)
    uvow__tell(&method->loop->rt, &method->task);
  else if (method)
    run_release(&method->task);
}

/* NULL: no memory; then data is released. */
static uvow__method_t *new_method(uvow_methods_t *methods, const char *name,
                                  void *data, uvow_destroy_cb destroy) {
  size_t len = name ? strlen(name) : 0;
  size_t size;
  uvow__method_t *method = NULL;
  if (!uvow__size_add(sizeof(*method) + 1, len, &size))
    method =
        (uvow__method_t *)uvow__calloc(uvow__loop_mem(methods->loop), size);
  if (!method) {
    if (destroy)
      destroy(data);
    return NULL;
  }
  uvow__task_init(&method->task, run_release);
  method->loop = methods->loop;
  method->data = data;
  method->destroy = destroy;
  method->len = len;
  if (len)
    memcpy(method->name, name, len);
  methods->loop->rt.pins++;
  return method;
}

static int grow(uvow_methods_t *methods) {
  size_t count = methods->places ? (methods->mask + 1) * 2 : PLACES_MIN;
  size_t size;
  if (uvow__size_mul(count, sizeof(uvow__method_t *), &size))
    return UVOW_ENOMEM;
  uvow__method_t **places =
      (uvow__method_t **)uvow__calloc(uvow__loop_mem(methods->loop), size);
  if (!places)
    return UVOW_ENOMEM;
  for (size_t i = 0; methods->places && i <= methods->mask; i++) {
    uvow__method_t *old = methods->places[i];
    if (old)
      *place_of(places, count - 1, old->name, old->len) = old;
  }
  uvow__free(uvow__loop_mem(methods->loop), methods->places);
  methods->places = places;
  methods->mask = count - 1;
  return 0;
}

int uvow__methods_set(uvow_methods_t *methods, const char *name,
                      uvow_method_cb cb, void *data, uvow_destroy_cb destroy) {
  uvow__method_t **place = &methods->other;
  uvow__method_t *method = new_method(methods, name, data, destroy);
  if (!method)
    return UVOW_ENOMEM;
  method->cb = cb;
  if (name && (methods->count + 1) * 2 > methods->mask + 1 && grow(methods)) {
    run_release(&method->task);
    return UVOW_ENOMEM;
  }
  if (name) {
    place = place_of(methods->places, methods->mask, name, method->len);
    methods->count += *place == NULL;
  }
  uvow__method_t *old = *place;
  *place = method;
  release(old);
  return 0;
}

const uvow__method_t *uvow__methods_find(const uvow_methods_t *methods,
                                         uvow__slice_t name) {
  if (!methods)
    return NULL;
  const uvow__method_t *method =
      methods->places
          ? *place_of(methods->places, methods->mask, name.ptr, name.len)
          : NULL;
  return method ? method : methods->other;
}

uvow_methods_t *uvow_methods_new(uvow_loop_t *loop) {
  if (!loop || loop->rt.closed)
    return NULL;
  uvow_methods_t *methods =
      (uvow_methods_t *)uvow__calloc(uvow__loop_mem(loop), sizeof(*methods));
  if (!methods)
    return NULL;
  methods->loop = loop;
  methods->refs = 1;
  loop->rt.pins++;
  return methods;
}

int uvow_methods_add(uvow_methods_t *methods, const char *name,
                     uvow_method_cb cb, void *data) {
  if (!methods || !cb)
    return uvow__fail(methods ? methods->loop : NULL, UVOW_EINVAL,
                      methods ? "cb" : "methods", uvow__fail_null);
  return uvow__methods_set(methods, name, cb, data, NULL);
}

int uvow_methods_own(uvow_methods_t *methods, void *data,
                     uvow_destroy_cb destroy) {
  if (!methods || !destroy) {
    if (destroy)
      destroy(data);
    return uvow__fail(methods ? methods->loop : NULL, UVOW_EINVAL,
                      methods ? "destroy" : "methods", uvow__fail_null);
  }
  uvow__method_t *own = new_method(methods, NULL, data, destroy);
  if (!own)
    return UVOW_ENOMEM;
  own->next = methods->owned;
  methods->owned = own;
  return 0;
}

uvow_methods_t *uvow_methods_ref(uvow_methods_t *methods) {
  if (methods)
    methods->refs++;
  return methods;
}

void uvow_methods_unref(uvow_methods_t *methods) {
  if (!methods || --methods->refs)
    return;
  uvow_loop_t *loop = methods->loop;
  uvow__method_t *owned = methods->owned;
  uvow__method_t *other = methods->other;
  uvow__method_t **places = methods->places;
  size_t count = places ? methods->mask + 1 : 0;
  if (methods->calls.mem)
    uvow__pool_done(&methods->calls);
  uvow__free(uvow__loop_mem(methods->loop), methods);
  for (size_t i = 0; i < count; i++)
    release(places[i]);
  uvow__free(uvow__loop_mem(loop), places);
  release(other);
  for (uvow__method_t *next; owned; owned = next) {
    next = owned->next;
    release(owned);
  }
  uvow__loop_unpin(loop);
}
