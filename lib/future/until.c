/*
 * until: a future that another one may end.
 *
 * 1. Both are watched by the tail of a root; whichever is settled first decides,
 *    and the other is given up.
 */
#include <uvow/combine.h>

#include "future.h"

typedef struct until {
  uvow__task_t settled;
  uvow__task_t stopped;
  uvow_future_t *f;    /* owned; NULL: it's over */
  uvow_future_t *stop; /* owned */
} until_t;

_Static_assert(sizeof(until_t) <= UVOW__BLOCK_TAIL, "a tail holds it");

static until_t *until_of(uvow_future_t *root) {
  return (until_t *)(void *)(root + 1);
}

/* Neither is watched any more. Returns the root, with one reference. */
static uvow_future_t *unwatch(until_t *until) {
  uvow__task_cancel(&until->settled);
  uvow__task_cancel(&until->stopped);
  return (uvow_future_t *)(void *)until - 1;
}

static void reject(uvow_future_t *root, int code) {
  until_t *until = until_of(root);
  (void)unwatch(until);
  uvow__future_reject_code(root, code);
  uvow__future_drop(until->f);
  uvow__future_drop(until->stop);
  uvow_future_unref(root);
}

static void run_settled(uvow__task_t *task) {
  until_t *until = UVOW__CONTAINER(task, until_t, settled);
  uvow_future_t *root = unwatch(until);
  uvow__future_forward(root, until->f);
  uvow_future_unref(until->f);
  uvow__future_drop(until->stop);
  uvow_future_unref(root);
}

static void run_stopped(uvow__task_t *task) {
  until_t *until = UVOW__CONTAINER(task, until_t, stopped);
  uvow_future_t *root = unwatch(until);
  uvow__error_spec_t spec = {0};
  spec.code = UVOW_ECANCELED;
  if (until->stop->state == UVOW_REJECTED)
    spec.cause = until->stop->u.error;
  uvow__future_reject(root, uvow__error_make(&root->rt->mem, &spec));
  uvow_future_unref(until->stop);
  uvow__future_drop(until->f);
  uvow_future_unref(root);
}

uvow_future_t *uvow_future_until(uvow_future_t *f, uvow_future_t *stop) {
  uvow_future_t *root = NULL;
  if (f)
    root =
        uvow__future_new(f->rt, 2, UVOW__BLOCK | UVOW__PROMISE | UVOW__OWNED);
  if (!root) {
    uvow_future_unref(f);
    uvow_future_unref(stop);
    return NULL;
  }
  root->cb.reject = reject;
  if (!stop || stop->rt != f->rt) {
    uvow__future_reject_code(root, stop ? UVOW_EINVAL : UVOW_ENOMEM);
    uvow_future_unref(f);
    uvow_future_unref(stop);
    uvow_future_unref(root);
    return root;
  }
  until_t *until = until_of(root);
  uvow__task_init(&until->settled, run_settled);
  uvow__task_init(&until->stopped, run_stopped);
  until->f = f;
  until->stop = stop;
  uvow__future_watch(f, &until->settled);
  uvow__future_watch(stop, &until->stopped);
  return root;
}
