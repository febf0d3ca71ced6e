/*
 * Cancel: a rejection that begins at the top (F7).
 *
 *   cancel --up, for as long as nobody else waits or holds--> the top
 *   the top --go down--> link, link, ... --> a cleanup, or f
 *   a cleanup --run_finally, and what it waits for--> its link, and on
 *
 * 1. On the way up each future is marked as canceled, and each link so that its
 *    callbacks are passed by. Only the one that is canceled has reactions of
 *    others. A canceled future that is met on the way comes down by itself.
 * 2. The top is a root, whose owner is told; or a link whose source somebody
 *    else waits for or holds, or is settled: it leaves that source.
 * 3. On the way down links are rejected at once. The first cleanup is queued,
 *    and what hangs on it is pending until it has ended.
 * 4. Groups on the way up are put on a list, and each child is canceled in its
 *    turn: no recursion, and no memory (F6). A group comes down when the last
 *    child has.
 * 5. A loser has no marked reaction: it comes down alone, and nobody waits.
 * 6. Nothing here runs user code.
 */
#include "loose.h"
#include "tell.h"

uvow_future_t *uvow__task_target(const uvow__task_t *task) {
  if (uvow__task_is_adopt(task) || uvow__task_is_link(task))
    return UVOW__CONTAINER(task, uvow_future_t, task);
  uvow_future_t *f = uvow__group_of(task);
  return f ? f : uvow__retry_of(task);
}

/* The reaction to f that is canceled too: then it is the only one. */
static uvow__task_t *marked_reaction(const uvow_future_t *f) {
  uvow__list_t *only = f->reactions.next;
  if (only == &f->reactions || only->next != &f->reactions)
    return NULL;
  uvow__task_t *task = UVOW__CONTAINER(only, uvow__task_t, link);
  const uvow_future_t *target = uvow__task_target(task);
  return target && (target->flags & UVOW__CANCELED) ? task : NULL;
}

/* A root's owner is told, and it is rejected. */
static void reject_root(uvow_future_t *f, int code) {
  f->flags |= UVOW__CANCELED | UVOW__OBSERVED;
  if (f->flags & (UVOW__INNER | UVOW__OWNED)) {
    f->cb.reject(f, code);
    return;
  }
  if ((f->flags & UVOW__PROMISE) && f->cb.cancel)
    uvow__tell_cancel(f);
  uvow__future_reject_code(f, code);
}

static int is_root(const uvow_future_t *f) {
  return f->flags & (UVOW__PROMISE | UVOW__INNER | UVOW__OWNED);
}

/* What `task` waited for is rejected, and out of its way. Returns the future to
 * be rejected next, with a reference; NULL: a cleanup comes first, or others.
 */
static uvow_future_t *below(uvow__task_t *task) {
  if (uvow__group_of(task))
    return uvow__group_lost(task);
  if (uvow__retry_of(task))
    return uvow__retry_lost(task);
  uvow_future_t *f = UVOW__CONTAINER(task, uvow_future_t, task);
  if (f->flags & UVOW__FINALLY) {
    uvow__runtime_push(f->rt, task);
    return NULL;
  }
  uvow_future_unref(uvow__future_unwait(f));
  return f;
}

/* Takes a reference of f, but a root's. */
static void reject_one(uvow_future_t *f, const uvow_error_t *error) {
  if (is_root(f)) {
    reject_root(f, UVOW_ECANCELED);
    return;
  }
  f->flags |= UVOW__OBSERVED; /* it isn't reported (F8): its task is free */
  uvow__tell_end(f);          /* before its reactions, as if its callback ran */
  if (error)
    uvow__future_reject(f, uvow_error_ref(error));
  else
    uvow__future_reject_code(f, UVOW_ECANCELED);
}

void uvow__cancel_go_down(uvow_future_t *f) {
  uvow_error_t *error = NULL;
  while (f) {
    uvow__task_t *task = marked_reaction(f);
    uvow_error_t *above = error;
    if (task)
      uvow__task_cancel(task);
    f->refs++;
    reject_one(f, error);
    error = uvow_error_ref(f->u.error);
    uvow_error_unref(above);
    uvow_future_unref(f);
    f = task ? below(task) : NULL;
  }
  uvow_error_unref(error);
}

/* What f waits for, if nobody else does. */
static uvow_future_t *above(uvow_future_t *f) {
  uvow_future_t *attempt = uvow__retry_attempt(f);
  if (attempt) {
    uvow__task_t *task =
        UVOW__CONTAINER(attempt->reactions.next, uvow__task_t, link);
    if (attempt->reactions.next == &attempt->reactions ||
        uvow__retry_of(task) != f || !uvow__only_waits(attempt, task))
      return NULL;
    uvow__retry_cancel(f);
    return attempt;
  }
  if (!(f->flags & UVOW__WAITS) ||
      !uvow__only_waits(f->u.wait.source, &f->task))
    return NULL;
  uvow__link_pass_by(f);
  return f->u.wait.source;
}

/* A cancel can go no higher. */
static void begin_at(uvow_future_t *f, uvow__list_t *groups) {
  if (uvow__is_group(f)) {
    uvow__group_enlist(f, groups);
  } else if (f->flags & UVOW__WAITS) {
    uvow__task_cancel(&f->task);
    uvow_future_t *source = uvow__future_unwait(f);
    if (f->flags & UVOW__FINALLY)
      uvow__link_begin_cleanup(f);
    else
      uvow__cancel_go_down(f);
    uvow_future_unref(source); /* what it owns is destroyed after the cleanup */
  } else {
    if (!is_root(f)) /* its callback runs: who runs it has that reference */
      f->refs++;
    uvow__cancel_go_down(f);
  }
}

/* f is pending. */
static void cancel_up(uvow_future_t *f, uvow__list_t *groups) {
  uvow_future_t *next = f;
  while (next) {
    f = next;
    if (f->flags & UVOW__CANCELED)
      return;
    f->flags |= UVOW__CANCELED;
    if (uvow__link_cleans(f))
      return;
    next = above(f);
  }
  begin_at(f, groups);
}

static void cancel(uvow_future_t *f) {
  uvow__list_t groups;
  uvow__list_init(&groups);
  cancel_up(f, &groups);
  while (!uvow__list_empty(&groups))
    uvow__group_cancel(UVOW__CONTAINER(groups.next, uvow__task_t, link),
                       cancel_up, &groups);
}

/* The same where f may be loose. */
static void cancel_any(uvow_future_t *f) {
  if (!(f->flags & UVOW__LOOSE)) {
    cancel(f);
    return;
  }
  uvow_future_t *root = uvow__loose_take_back(f);
  cancel(f);
  if (root->state == UVOW_PENDING)
    uvow__loose_let_go(root);
  else
    uvow_future_unref(root);
}

int uvow_future_cancel(uvow_future_t *f) {
  if (!f)
    return UVOW_EINVAL;
  if (f->state != UVOW_PENDING || (f->flags & UVOW__CANCELED))
    return UVOW_EALREADY;
  uvow__runtime_root(f->rt);
  f->refs++;
  cancel_any(f);
  uvow_future_unref(f);
  return 0;
}

void uvow__future_drop(uvow_future_t *f) {
  if (f && f->state == UVOW_PENDING && uvow__list_empty(&f->reactions) &&
      f->refs == (f->flags & UVOW__LOOSE ? 1 : 2))
    cancel_any(f);
  uvow_future_unref(f);
}

void uvow_future_drop(uvow_future_t *f) {
  if (f && f->refs <= 2 && uvow__list_empty(&f->reactions))
    f->flags |= UVOW__OBSERVED;
  uvow__future_drop(f);
}

void uvow__future_leave(uvow_future_t *f, int code) {
  uvow__task_cancel(&f->task);
  uvow_future_t *source = uvow__future_unwait(f);
  uvow__future_reject_code(f, code);
  uvow__tell_end(f);
  uvow_future_unref(source);
}

void uvow__future_close(uvow_future_t *f) {
  if ((f->flags & UVOW__WAITS) || (!is_root(f) && uvow__link_cleans(f)))
    return;
  int loose = f->flags & UVOW__LOOSE;
  f->flags &= (uint16_t)~UVOW__LOOSE;
  f->refs += loose ? 2 : 1;
  reject_root(f, UVOW_ECLOSED);
  if (loose)
    uvow__tell_end(f);
  uvow_future_unref(f);
}
