#ifndef UVOW__METHODS_H
#define UVOW__METHODS_H

#include <uvow/methods.h>

#include "base/buf.h"
#include "base/pool.h"
#include "net/loop.h"

/* A method, or data that a table owns. */
typedef struct uvow__method {
  uvow__task_t task;         /* releases data, once it is in no table */
  struct uvow__method *next; /* owned by the same table */
  uvow_loop_t *loop;
  uvow_method_cb cb; /* NULL: data only */
  void *data;
  uvow_destroy_cb destroy; /* NULL: nothing to release */
  size_t len;
  char name[];
} uvow__method_t;

struct uvow_methods {
  uvow_loop_t *loop;
  size_t refs;
  uvow__method_t **places; /* NULL: a free place */
  size_t mask;
  size_t count;
  uvow__method_t *other; /* for all other names; or NULL */
  uvow__method_t *owned; /* data */
  uvow__pool_t calls;    /* of uvow_call_t: each holds a reference */
};

/* As uvow_methods_add, with a destructor for data: when the method is replaced
 * or the table freed, later; on error, at once. */
int uvow__methods_set(uvow_methods_t *methods, const char *name,
                      uvow_method_cb cb, void *data, uvow_destroy_cb destroy);
/* The method for a name: borrowed until the next set, or NULL. Accepts NULL. */
const uvow__method_t *uvow__methods_find(const uvow_methods_t *methods,
                                         uvow__slice_t name);

#endif
