#ifndef UVOW__METHODS_H
#define UVOW__METHODS_H

#include <uvow/server.h>

#include "base/buf.h"

/* A server's method. */
typedef struct uvow__method {
  char *name; /* NULL: a free place */
  size_t len;
  uvow_method_cb cb;
  void *data;
  uvow_destroy_cb destroy;
} uvow__method_t;

/* Methods by name. */
typedef struct uvow__methods {
  const uvow__mem_t *mem;
  uvow__method_t *places;
  size_t mask;
  size_t count;
} uvow__methods_t;

/* Takes no memory before the first method. */
void uvow__methods_init(uvow__methods_t *methods, const uvow__mem_t *mem);
void uvow__methods_done(uvow__methods_t *methods);
/* Takes data, also on error. UVOW_ENOMEM. */
int uvow__methods_set(uvow__methods_t *methods, const char *name,
                      uvow_method_cb cb, void *data, uvow_destroy_cb destroy);
/* Borrowed until the next set, or NULL. */
const uvow__method_t *uvow__methods_find(const uvow__methods_t *methods,
                                         uvow__slice_t name);

#endif
