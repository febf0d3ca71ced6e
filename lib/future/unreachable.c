/*
 * Futures whose promise was freed: pending for ever, until nobody can reach
 * them.
 *
 *   uvow_promise_free -> root (UVOW__FREED) <- link <- link ...
 *   a handle goes, of one that hangs on such a root -> is any left? -> all freed
 *
 * 1. A tree is what hangs on such a root through links. Each owns its source,
 *    and is owned by its wait; whatever owns one of them beyond that is a handle.
 * 2. A timer, a group, a retry, a request's own end and what other rooms wait
 *    with may settle or give up what waits: these count as handles.
 * 3. The look goes down and up through the tree by its own pointers, and the
 *    tree is freed in a loop: no recursion, and no memory (F6).
 * 4. No callback runs, and each destructor is told.
 * 5. The look costs a walk over the tree. It's made only while a loop has such
 *    roots.
 */
#include "tell.h"

static uvow_future_t *link_at(const uvow__list_t *at) {
  uvow__task_t *task = UVOW__CONTAINER(at, uvow__task_t, link);
  if (!uvow__task_is_adopt(task) && !uvow__task_is_link(task))
    return NULL;
  return UVOW__CONTAINER(task, uvow_future_t, task);
}

/* Whether all that own f are its wait and the links that wait for it. */
static int is_owned_within(const uvow_future_t *f) {
  unsigned owners = f->flags & UVOW__WAITS ? 1 : 0;
  if (f->flags & UVOW__TIMED)
    return 0;
  for (const uvow__list_t *at = f->reactions.next; at != &f->reactions;
       at = at->next) {
    if (!link_at(at))
      return 0;
    owners++;
  }
  return f->refs == owners;
}

/* The one behind f in the tree below root; NULL: f is the last. */
static const uvow_future_t *next_in_tree(const uvow_future_t *root,
                                         const uvow_future_t *f) {
  if (!uvow__list_empty(&f->reactions))
    return link_at(f->reactions.next);
  while (f != root) {
    const uvow_future_t *source = f->u.wait.source;
    if (f->task.link.next != &source->reactions)
      return link_at(f->task.link.next);
    f = source;
  }
  return NULL;
}

static int is_unreachable(const uvow_future_t *root) {
  const uvow_future_t *f = root;
  while (f && is_owned_within(f))
    f = next_in_tree(root, f);
  return f == NULL;
}

/* f is in no list and nobody's. */
static void end_one(uvow_future_t *f) {
  if (f->flags & UVOW__WAITS && uvow__link_cleans(f))
    uvow_future_unref(f->u.wait.u.origin);
  if (f->flags & UVOW__FREED)
    f->rt->unpromised--;
  f->flags &= (uint16_t)~(UVOW__WAITS | UVOW__FREED);
  f->refs = 0;
  if (f->end.destroy)
    uvow__tell_freed(f);
  else
    uvow__future_give_back(f);
}

static void end_tree(uvow_future_t *root) {
  uvow__list_t dying;
  uvow__list_init(&dying);
  uvow_future_t *f = root;
  while (f) {
    uvow__list_splice(&dying, &f->reactions);
    end_one(f);
    if (uvow__list_empty(&dying))
      return;
    f = link_at(dying.next);
    uvow__list_remove(&f->task.link);
  }
}

void uvow__future_released(uvow_future_t *f) {
  uvow_future_t *root = f;
  while (root->flags & UVOW__WAITS && root->u.wait.source &&
         root->u.wait.source->state == UVOW_PENDING)
    root = root->u.wait.source;
  if ((root->flags & UVOW__FREED) && is_unreachable(root))
    end_tree(root);
}

void uvow__future_free_promise(uvow_future_t *f) {
  f->flags &= (uint16_t)~UVOW__PROMISE;
  f->flags |= UVOW__FREED;
  f->cb.cancel = NULL;
  f->task.run = NULL;
  f->rt->unpromised++;
  if (f->end.destroy)
    uvow__tell_data(f);
  else
    uvow_future_unref(f);
}
