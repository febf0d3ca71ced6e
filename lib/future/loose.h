#ifndef UVOW__LOOSE_H
#define UVOW__LOOSE_H

#include "future.h"

/*
 * Loose futures: those whose promise was freed, and what waits for them. Nobody
 * settles them, so no wait keeps a link alive: handles do, and when the last one
 * of all that hangs on one root has gone, all of it is freed.
 */

/* f's promise is freed: f, a root that is pending, and its links are loose.
 * Takes the promise's reference. */
void uvow__loose_let_go(uvow_future_t *f);
/* The task, of a loose future's reactions, is a new one. */
void uvow__loose_join(uvow__task_t *task);
/* A loose one has no owner any more. */
void uvow__loose_unref(uvow_future_t *f);
/* All that hangs on the same root as f, which is loose, is as before: whoever
 * cancels relies on that. Returns the root: what its promise had is the
 * caller's. */
uvow_future_t *uvow__loose_take_back(uvow_future_t *f);
/* The loop closes: a loose link waits as others do. */
void uvow__loose_tighten(uvow_future_t *f);

#endif
