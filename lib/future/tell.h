#ifndef UVOW__TELL_H
#define UVOW__TELL_H

#include "base/own.h"
#include "future.h"

/*
 * The door: everything of the application's that runs later than the call that
 * causes it, on_cancel and each destroy. Continuations are tasks of their own
 * and come through the same queue.
 */

/* Runs the task when nothing of uvow's is on the stack; once the loop is
 * closed, before it returns. The last that its caller does. */
static inline void uvow__tell(uvow__runtime_t *rt, uvow__task_t *task) {
  uvow__runtime_push(rt, task);
  if (rt->closed == UVOW__RUNTIME_DONE)
    uvow__runtime_drain_closed(rt);
}

/* f has no owner, and a value with a destroy of the application's, or data: its
 * block becomes the entry. */
void uvow__tell_freed(uvow_future_t *f);
/* f's promise is used up, or its link settled: its data is destroyed. Takes a
 * reference of f. */
void uvow__tell_data(uvow_future_t *f);
/* The same where f may have none. */
static inline void uvow__tell_end(uvow_future_t *f) {
  if (f->end.destroy && !(f->flags & (UVOW__OWNED | UVOW__OWNS)))
    uvow__tell_data(f);
  else
    uvow__future_unref(f);
}
/* f, a root whose promise is out, is canceled: on_cancel. */
void uvow__tell_cancel(uvow_future_t *f);
/* The promise is used up, or has another on_cancel: this one isn't told any
 * more. */
static inline void uvow__tell_withdraw(uvow_future_t *f) {
  if (f->flags & UVOW__TELLS)
    uvow__task_cancel(&f->task);
  f->flags &= (uint16_t)~UVOW__TELLS;
}

/* What an entry releases as the last that it does: a value that nobody took,
 * then a callback's data. */
static inline void uvow__tell_rest(uvow_value_t value, uvow_destroy_cb destroy,
                                   void *data) {
  if (value.type && value.type->destroy)
    value.type->destroy(value.as.ptr);
  if (destroy)
    destroy(data);
}

/* Takes the destructor of a link's data: the caller runs it, last. */
static inline uvow_destroy_cb uvow__tell_take(uvow_future_t *f) {
  uvow_destroy_cb destroy = f->end.destroy;
  f->end.destroy = NULL;
  return destroy;
}

#endif
