/*
 * Loose futures.
 *
 *   promise_free -> let_go: each link below gives up its wait's reference
 *   unref, the last -> hangs: it gives back the reference of its source
 *   the root's last -> freed, with all that hangs on it
 *   cancel, close -> take_back, tighten: waits and promise count again
 *
 * 1. A loose future's references are its handles, and one for each link that
 *    waits for it and has references itself. A link without any hangs: it
 *    counts for nothing, and stays for as long as the root does, so that a
 *    `done` is told when the loop closes.
 * 2. What waits but isn't a plain link (a group, a timeout, a fiber) is a handle
 *    like another, and keeps what it waits for until the loop closes.
 * 3. Trees are walked by their own pointers, from the deepest first: no
 *    recursion and no memory (F6).
 */
#include "loose.h"

#include "tell.h"

/* Whether the task is of a link that hangs on what it waits for. */
static int is_weak(const uvow__task_t *task) {
  if (!uvow__task_is_adopt(task) && !uvow__task_is_link(task))
    return 0;
  const uvow_future_t *f = UVOW__CONTAINER(task, uvow_future_t, task);
  return !(f->flags & (UVOW__TIMED | UVOW__INNER | UVOW__OWNED));
}

/* The first such link of f's reactions from `at` on, or NULL. */
static uvow_future_t *weak_from(const uvow_future_t *f, uvow__list_t *at) {
  for (; at != &f->reactions; at = at->next) {
    uvow__task_t *task = UVOW__CONTAINER(at, uvow__task_t, link);
    if (is_weak(task))
      return UVOW__CONTAINER(task, uvow_future_t, task);
  }
  return NULL;
}

static uvow_future_t *deepest(uvow_future_t *f) {
  uvow_future_t *below;
  while ((below = weak_from(f, f->reactions.next)) != NULL)
    f = below;
  return f;
}

/* Visits all links below `top`, each after those below it. It may free them. */
static void each_below(uvow_future_t *top, void (*visit)(uvow_future_t *f)) {
  uvow_future_t *f = deepest(top);
  while (f != top) {
    uvow_future_t *source = f->u.wait.source;
    uvow_future_t *next = weak_from(source, f->task.link.next);
    visit(f);
    f = next ? deepest(next) : source;
  }
}

static void loosen(uvow_future_t *f) {
  f->flags |= UVOW__LOOSE;
  uvow__future_unref(f);
}

void uvow__loose_let_go(uvow_future_t *f) {
  each_below(f, loosen);
  loosen(f);
}

void uvow__loose_join(uvow__task_t *task) {
  if (is_weak(task))
    uvow__loose_let_go(UVOW__CONTAINER(task, uvow_future_t, task));
}

/* It settles with nothing that anybody could see: its data is destroyed. */
static void release(uvow_future_t *f) {
  if (f->flags & UVOW__WAITS) {
    uvow__task_cancel(&f->task);
    uvow_future_unref(uvow__link_origin(f));
  }
  f->flags &= (uint16_t) ~(UVOW__LOOSE | UVOW__WAITS);
  f->state = UVOW_FULFILLED;
  f->u.value = uvow_value_none();
  if (f->end.destroy) {
    f->flags |= UVOW__OWNS;
    uvow__tell_freed(f);
  } else {
    uvow__future_give_back(f);
  }
}

void uvow__loose_unref(uvow_future_t *f) {
  while (f->flags & UVOW__WAITS) {
    f->spare = 1; /* it hangs */
    f = f->u.wait.source;
    if (--f->refs)
      return;
  }
  each_below(f, release);
  release(f);
}

void uvow__loose_tighten(uvow_future_t *f) {
  if (f->spare)
    f->u.wait.source->refs++;
  f->spare = 0;
  f->refs++;
  f->flags &= (uint16_t)~UVOW__LOOSE;
}

uvow_future_t *uvow__loose_take_back(uvow_future_t *f) {
  while (f->flags & UVOW__WAITS)
    f = f->u.wait.source;
  each_below(f, uvow__loose_tighten);
  f->refs++;
  f->flags &= (uint16_t)~UVOW__LOOSE;
  return f;
}
