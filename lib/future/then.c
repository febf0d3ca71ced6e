/*
 * Continuations: then, catch, finally, done.
 *
 * 1. Whoever attaches gives its future to the new link, which is queued when
 *    that future is settled: at once if it is already, but it never runs before
 *    the call that attached it has returned.
 * 2. A callback's data is destroyed once: as the last act of the task that ran
 *    the callback, when its link is settled and all else released; or, where
 * the callback never runs, by an entry of its own. Nothing is touched after it.
 * 3. A `finally` link runs its callback also when it is canceled, by the task
 *    that it would have run by: see cancel.c.
 */
#include "fail.h"
#include "gate.h"
#include "misuse.h"
#include "stream.h"
#include "tell.h"

#include <string.h>

static uvow_future_t *link_of(uvow__task_t *task) {
  return UVOW__CONTAINER(task, uvow_future_t, task);
}

/* Of a link that was canceled from within its callback. Takes all. */
static void run_canceled(uvow_future_t *f, const uvow_next_t *next,
                         uvow_future_t *source, uvow_destroy_cb destroy,
                         void *data) {
  uvow_value_t value = uvow__next_left(next);
  uvow__future_unref(f);
  uvow__future_unref(source);
  uvow__tell_rest(value, destroy, data);
}

/* What a callback answered to source. Takes all. */
static void settle(uvow_future_t *f, const uvow_next_t *next,
                   uvow_future_t *source, uvow_destroy_cb destroy, void *data) {
  if (f->state != UVOW_PENDING) {
    run_canceled(f, next, source, destroy, data);
    return;
  }
  uvow__future_next(f, next, source);
  uvow__future_unref(source);
  if (destroy)
    destroy(data);
}

UVOW__APART static void settle_slowly(uvow_future_t *f, const uvow_next_t *next,
                                      uvow_future_t *source) {
  settle(f, next, source, NULL, NULL);
}

/* Of any link: after a rejection, with data to destroy, without a callback. */
UVOW__APART static void run_then_slowly(uvow_future_t *f) {
  uvow_then_cb on_error = f->u.wait.u.on_error;
  uvow_future_t *source = uvow__future_unwait(f);
  uvow_then_cb cb = source->state == UVOW_FULFILLED ? f->cb.then : on_error;
  uvow_result_t result;
  uvow__future_result(source, &result);
  uvow_destroy_cb destroy = uvow__tell_take(f);
  void *data = f->data;
  uvow__lend(&result);
  uvow_next_t next = cb ? cb(&result, data) : uvow_next_pass();
  uvow__check_lent(&result, &next);
  settle(f, &next, source, destroy, data);
}

/* Of most links. What is kept over the callback is f and source, in registers
 * that are saved for it. A link has no tail, so no deadline. */
static void run_then(uvow__task_t *task) {
  uvow_future_t *f = link_of(task);
  uvow_future_t *source = f->u.wait.source;
  uvow_result_t result;
  if (source->state != UVOW_FULFILLED || !f->cb.then || f->end.destroy) {
    run_then_slowly(f);
    return;
  }
  f->flags &= (uint16_t)~UVOW__WAITS;
  uvow__future_result(source, &result);
  uvow__lend(&result);
  uvow_next_t next = f->cb.then(&result, f->data);
  uvow__check_lent(&result, &next);
  if (f->state != UVOW_PENDING) {
    settle_slowly(f, &next, source);
  } else if (next.kind == UVOW_NEXT_PASS && uvow__future_is_plain(source)) {
    f->state = UVOW_FULFILLED;
    uvow__value_copy(&f->u.value, &source->u.value);
    uvow__future_announce_alone(f);
    uvow__future_unref_plain(f);
    uvow__future_unref_plain(source);
  } else if (next.kind == UVOW_NEXT_VALUE &&
             (!next.u.value.type ||
              next.u.value.type->size == sizeof(uvow_type_t))) {
    f->state = UVOW_FULFILLED;
    uvow__value_copy(&f->u.value, &next.u.value);
    uvow__future_announce_alone(f);
    uvow__future_unref(f);
    uvow__future_unref(source);
  } else {
    settle_slowly(f, &next, source);
  }
}

/* A cleanup is over, and passes on what came in; a cancel otherwise. Borrows
 * source: NULL where the cancel began at f. */
static void pass_on(uvow_future_t *f, uvow_future_t *source) {
  if ((f->flags & UVOW__CANCELED) &&
      (!source || source->state == UVOW_FULFILLED))
    uvow__future_reject_code(f, UVOW_ECANCELED);
  else
    uvow__future_forward(f, source);
}

/* What a cleanup waited for is settled. */
static void run_finally_wait(uvow__task_t *task) {
  uvow_future_t *f = link_of(task);
  uvow_future_t *origin = f->u.wait.u.origin;
  uvow_future_t *inner = uvow__future_unwait(f);
  if (inner->state == UVOW_REJECTED)
    uvow__future_forward(f, inner);
  else
    pass_on(f, origin);
  uvow_future_unref(inner);
  uvow_future_unref(origin);
  uvow_future_unref(f);
}

/* The cleanup gave a future. Takes inner, source and one reference of f. */
static void finally_future(uvow_future_t *f, uvow_future_t *inner,
                           uvow_future_t *source) {
  int code = uvow__future_adoptable(f, inner);
  if (code) {
    uvow__future_reject_code(f, code);
    uvow_future_unref(inner);
    uvow_future_unref(source);
    uvow_future_unref(f);
    return;
  }
  f->u.wait.u.origin = source;
  uvow__future_wait(f, inner, run_finally_wait);
}

static void run_finally(uvow__task_t *task) {
  uvow_future_t *f = link_of(task);
  uvow_future_t *source = uvow__future_unwait(f);
  uvow_next_t next = f->cb.finally(f->data);
  uvow_value_t value = uvow_value_none();
  uvow__next_plain(&next);
  if (next.kind == UVOW_NEXT_FUTURE) {
    finally_future(f, next.u.future, source);
    return;
  }
  if (next.kind == UVOW_NEXT_VALUE || next.kind == UVOW_NEXT_END) {
    value = next.u.value; /* nobody takes it */
    next = uvow_next_pass();
  }
  if (next.kind == UVOW_NEXT_PASS) {
    pass_on(f, source);
    uvow__future_unref(f);
  } else {
    uvow__future_next(f, &next, source);
  }
  uvow_future_unref(source);
  uvow__tell_rest(value, NULL, NULL);
}

void uvow__link_begin_cleanup(uvow_future_t *f) {
  f->u.wait.source = NULL;
  f->task.run = run_finally;
  uvow__runtime_push(f->rt, &f->task);
}

/* A canceled link is passed by. */
static void run_passed(uvow__task_t *task) {
  uvow_future_t *f = link_of(task);
  uvow_future_t *source = uvow__future_unwait(f);
  pass_on(f, source);
  uvow__future_unref(source);
  uvow__tell_end(f);
}

void uvow__link_pass_by(uvow_future_t *f) {
  if (f->task.run == run_then)
    f->task.run = run_passed;
}

int uvow__link_cleans(const uvow_future_t *f) {
  return (f->flags & UVOW__FINALLY) &&
         (f->task.run == run_finally_wait || !(f->flags & UVOW__WAITS));
}

uvow_future_t *uvow__link_origin(const uvow_future_t *f) {
  return f->task.run == run_finally_wait ? f->u.wait.u.origin : NULL;
}

static void run_done(uvow__task_t *task) {
  uvow_future_t *f = link_of(task);
  uvow_future_t *source = uvow__future_unwait(f);
  uvow_result_t result;
  uvow__future_result(source, &result);
  /* First: its callback may close the loop, which settles what is pending. */
  uvow__future_fulfill(f, uvow_value_none());
  uvow__lend(&result);
  f->cb.done(&result, f->data);
  uvow__lend(NULL);
  uvow_future_unref(source);
  uvow_future_unref(f);
}

/* The end of a request, in the request itself. */
static void run_end(uvow__task_t *task) {
  uvow_future_t *f = link_of(task);
  uvow_result_t result;
  uvow__future_result(f, &result);
  uvow__lend(&result);
  f->end.done(&result, f->data);
  uvow__lend(NULL);
  uvow__future_unref(f);
}

uvow_future_t *uvow_future_chain(uvow_future_t *f,
                                 const uvow_chain_options_t *options) {
  uvow_future_t *link = NULL;
  uvow_chain_options_t own;
  uvow_loop_t *loop = f ? uvow__runtime_loop(f->rt) : NULL;
  if (options)
    options = UVOW__OPTIONS(loop, options, &own, uvow_chain_options_t);
  else
    uvow__fail(loop, UVOW_EINVAL, "options", uvow__fail_null);
  if (f && options)
    link = uvow__future_new(f->rt, 2, 0);
  if (!link) {
    if (options && options->destroy)
      uvow__fail_destroy(loop, options->destroy, options->data);
    uvow_future_unref(f);
    return NULL;
  }
  link->cb.then = options->on_value;
  link->u.wait.u.on_error = options->on_error;
  link->data = options->data;
  link->end.destroy = options->destroy;
  uvow__future_wait(link, f, run_then);
  return link;
}

/* What then, catch, finally and done share: a link with `refs` owners. */
static inline uvow_future_t *attach(uvow_future_t *f, unsigned refs,
                                    unsigned flags, void *data) {
  uvow_future_t *link = f ? uvow__future_new(f->rt, refs, flags) : NULL;
  if (link) {
    link->u.wait.u.on_error = NULL;
    link->data = data;
  } else {
    uvow_future_unref(f);
  }
  return link;
}

uvow_future_t *uvow_future_then(uvow_future_t *f, uvow_then_cb on_value,
                                void *data) {
  if (!f || !f->rt->links.free)
    return uvow__future_then_slowly(f, on_value, data);
  uvow_future_t *link = attach(f, 2, 0, data);
  if (link) {
    link->cb.then = on_value;
    uvow__future_wait(link, f, run_then);
  }
  return link;
}

uvow_future_t *uvow_future_catch(uvow_future_t *f, uvow_then_cb on_error,
                                 void *data) {
  uvow_future_t *link = attach(f, 2, 0, data);
  if (link) {
    link->u.wait.u.on_error = on_error;
    uvow__future_wait(link, f, run_then);
  }
  return link;
}

uvow_future_t *uvow_future_finally(uvow_future_t *f, uvow_finally_cb cb,
                                   void *data) {
  uvow_future_t *link = attach(f, 2, cb ? UVOW__FINALLY : 0, data);
  if (link) {
    link->cb.finally = cb;
    uvow__future_wait(link, f, cb ? run_finally : run_then);
  }
  return link;
}

/* A pending request waits for nothing, so its task is free: it takes one
 * terminal callback without a link. Most requests have that and no more. A
 * fiber's future needs its task, to follow what the fiber returns. */
static inline int holds_its_end(const uvow_future_t *f) {
  return (f->flags & (UVOW__OWNED | UVOW__KINDS)) == UVOW__OWNED &&
         f->state == UVOW_PENDING && !f->end.done;
}

int uvow_future_done(uvow_future_t *f, uvow_done_cb cb, void *data) {
  int code = 0;
  if (!f)
    return UVOW_ENOMEM;
  uvow_loop_t *loop = uvow__runtime_loop(f->rt);
  if (!cb)
    code = uvow__fail(loop, UVOW_EINVAL, "cb", uvow__fail_null);
  else if (f->rt->closed)
    code = uvow__fail(loop, UVOW_ECLOSED, uvow__fail_closed, NULL);
  if (code) {
    uvow_future_unref(f);
    return code;
  }
  if (holds_its_end(f)) {
    f->end.done = cb;
    f->data = data;
    f->task.run = run_end;
    uvow__future_watch(f, &f->task);
    return 0;
  }
  uvow_future_t *link = attach(f, 1, 0, data);
  if (!link)
    return UVOW_ENOMEM;
  link->cb.done = cb;
  uvow__future_wait(link, f, run_done);
  return 0;
}

void uvow_future_detach(uvow_future_t *f) {
  uvow_future_unref(f);
}

uvow_future_t *uvow_future_own(uvow_future_t *f, void *data,
                               uvow_destroy_cb destroy) {
  uvow_future_t *owner =
      f ? uvow__future_new(f->rt, 2, destroy ? UVOW__OWNS : 0) : NULL;
  if (!owner) {
    if (destroy)
      uvow__fail_destroy(f ? uvow__runtime_loop(f->rt) : NULL, destroy, data);
    uvow_future_unref(f);
    return NULL;
  }
  owner->data = data;
  owner->end.destroy = destroy;
  uvow__future_adopt(owner, f);
  return owner;
}

int uvow__task_is_link(const uvow__task_t *task) {
  return task->run == run_then || task->run == run_passed ||
         task->run == run_finally || task->run == run_finally_wait ||
         task->run == run_done;
}

static const char *const owned_kinds[] = {"request", "fiber", "system",
                                          "stream"};

const char *uvow__future_kind(const uvow_future_t *f) {
  if (f->state != UVOW_PENDING)
    return "settled";
  if (f->flags & UVOW__OWNED)
    return uvow__gate_holds(f) ? "gate" : owned_kinds[uvow__future_kind_of(f)];
  if (f->flags & UVOW__TIMED)
    return "timer";
  if (!(f->flags & UVOW__WAITS))
    return f->flags & UVOW__LOOSE ? "freed promise" : "promise";
  if (f->task.run == run_then || f->task.run == run_passed)
    return "then";
  if (f->task.run == run_finally || f->task.run == run_finally_wait)
    return "finally";
  return f->task.run == run_done ? "done" : "adopted";
}
