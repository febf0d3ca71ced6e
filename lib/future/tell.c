/*
 * The door for user code.
 *
 *   a value's last owner goes  -> the dying future's block -> run_freed
 *   a link's data, a promise's -> the future's task        -> run_data
 *   a cancel                   -> the root's task          -> run_cancel
 *
 * 1. An entry is the task of the future that it is about, which is free then:
 *    telling takes no memory and can't fail. Where the task stands in the list
 *    of unhandled rejections, the report tells what is left: see runtime.c.
 * 2. An entry gives back all that it holds before it calls; after the call it
 *    touches nothing. So the callback may release, cancel and close anything.
 * 3. Using up a promise takes its on_cancel out of the queue again.
 */
#include "tell.h"

static uvow_future_t *future_of(uvow__task_t *task) {
  return UVOW__CONTAINER(task, uvow_future_t, task);
}

static void run_freed(uvow__task_t *task) {
  uvow_future_t *f = future_of(task);
  uvow_value_t value = uvow_value_none();
  uvow_destroy_cb destroy = NULL;
  void *data = f->data;
  if (f->state == UVOW_FULFILLED)
    uvow__value_copy(&value, &f->u.value);
  else
    uvow_error_unref(f->u.error);
  if (f->flags & UVOW__OWNS)
    destroy = f->end.destroy;
  uvow__future_give_back(f);
  uvow__tell_rest(value, destroy, data);
}

void uvow__tell_freed(uvow_future_t *f) {
  f->task.run = run_freed;
  uvow__tell(f->rt, &f->task);
}

static void run_data(uvow__task_t *task) {
  uvow_future_t *f = future_of(task);
  void *data = f->data;
  uvow_destroy_cb destroy = uvow__tell_take(f);
  uvow__future_unref(f);
  destroy(data);
}

void uvow__tell_data(uvow_future_t *f) {
  if (f->flags & UVOW__REPORTS) { /* it tells this too, and has a reference */
    uvow__future_unref(f);
    return;
  }
  f->task.run = run_data;
  uvow__tell(f->rt, &f->task);
}

static void run_cancel(uvow__task_t *task) {
  uvow_future_t *f = future_of(task);
  uvow_cancel_cb cb = f->cb.cancel;
  void *data = f->data;
  uvow_destroy_cb destroy = uvow__tell_take(f);
  f->flags &= (uint16_t)~UVOW__TELLS;
  f->cb.cancel = NULL;
  cb(data);
  if (destroy)
    destroy(data);
}

void uvow__tell_cancel(uvow_future_t *f) {
  f->flags |= UVOW__TELLS | UVOW__OBSERVED;
  f->task.run = run_cancel;
  uvow__runtime_push(f->rt, &f->task);
}
