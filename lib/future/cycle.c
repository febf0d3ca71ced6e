/*
 * The look for a cycle: whether a future would wait for itself (F18).
 *
 * 1. It looks from both ends, at up to LOOK futures each: at what `inner` waits
 *    for, and at what waits for f; through links, groups and retries. So it
 *    costs O(1), also in a serial queue of a million. A future that nothing
 *    waits for can be in no cycle: then it looks at nothing.
 * 2. An end that is looked at to its last future decides. Where neither is, the
 *    cycle is longer than both: its futures stay pending, and the walk over
 *    futures shows them.
 */
#include "future.h"

#define LOOK 64

/* Futures in the order in which they were found. */
typedef struct found {
  const uvow_future_t *f[LOOK];
  size_t count;
  size_t looks; /* settled ones, and what is no future, too */
  int more;     /* there were more */
} found_t;

static void add(found_t *found, const uvow_future_t *f) {
  int pending = f && f->state == UVOW_PENDING;
  if (++found->looks > 2 * LOOK || (pending && found->count == LOOK))
    found->more = 1;
  else if (pending)
    found->f[found->count++] = f;
}

static void add_sources(found_t *found, const uvow_future_t *f) {
  const uvow_future_t *source;
  if (f->flags & UVOW__WAITS)
    add(found, f->u.wait.source);
  add(found, uvow__retry_attempt(f));
  if (!uvow__is_group(f))
    return;
  for (size_t i = 0; !found->more && uvow__group_source(f, i, &source); i++)
    add(found, source);
}

static void add_followers(found_t *found, const uvow_future_t *f) {
  const uvow__list_t *at = f->reactions.next;
  for (; !found->more && at != &f->reactions; at = at->next)
    add(found, uvow__task_target(UVOW__CONTAINER(at, uvow__task_t, link)));
}

/* 1: `from` leads to `to`; 0: it doesn't; -1: nobody knows. */
static int leads(const uvow_future_t *from, const uvow_future_t *to,
                 void (*add_next)(found_t *found, const uvow_future_t *f)) {
  found_t found;
  found.count = found.looks = 0;
  found.more = 0;
  add(&found, from);
  for (size_t i = 0; i < found.count; i++) {
    if (found.f[i] == to)
      return 1;
    add_next(&found, found.f[i]);
  }
  return found.more ? -1 : 0;
}

int uvow__future_is_cycle(const uvow_future_t *f, const uvow_future_t *inner) {
  if (uvow__list_empty(&f->reactions)) /* nothing waits for it: most often */
    return inner == f;
  int up = leads(inner, f, add_sources);
  return (up < 0 ? leads(f, inner, add_followers) : up) > 0;
}
