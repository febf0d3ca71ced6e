/*
 * The future: settling, waiting, running.
 *
 *   new ----> PENDING --fulfill/reject/forward----> FULFILLED | REJECTED
 *                |  ^
 *   then, catch, |  | adopt (the callback gave a future, or a promise follows)
 *   finally,     v  |
 *   done       waits in source's list --source settles--> queue --run_*-->
 *
 * 1. A link owns the future that it waits for; that one's list points back
 *    without owning, and the wait itself is one reference of the link. So a
 *    pending chain lives exactly as long as its root's promise.
 * 2. Settling moves all reactions to the queue, in order, in O(1). Nothing runs
 *    on the settler's stack, and nothing recurses: the queue is the stack (F6).
 * 3. A future is settled before it's freed, and a settled one waits for
 *    nothing: freeing never goes down a chain. Loose ones: see loose.c.
 * 4. While a callback runs, its link is in no list and doesn't own its source
 *    (the runner does), so the callback may cancel or release the link.
 * 5. The reactions of one future run in the order in which they were attached.
 *    Those of one that is settled outside of a drain wait in the roots: what is
 *    attached meanwhile, from within a drain, goes right behind them. The empty
 *    list of reactions marks that place.
 * 6. A value is moved to the next link if nobody else can see it; else shared
 *    by its type's ref; else by keeping the future that holds it.
 */
#include "future.h"
#include "stream.h"

#include <assert.h>
#include <string.h>

#include "loose.h"
#include "tell.h"

static void shared_ref(void *ptr) {
  ((uvow_future_t *)ptr)->refs++;
}

static void shared_destroy(void *ptr) {
  uvow_future_unref((uvow_future_t *)ptr);
}

const uvow_type_t uvow__type_shared = {
    sizeof(uvow_type_t), uvow__own_names.shared, shared_ref, shared_destroy};

uvow_future_t *uvow__promise_new_slowly(uvow_loop_t *loop,
                                        uvow_promise_t **ret_promise) {
  if (loop && uvow__pool_grow(&uvow__runtime_of(loop)->links) == 0)
    return uvow_promise_new(loop, ret_promise);
  *ret_promise = NULL;
  return NULL;
}

uvow_future_t *uvow__future_then_slowly(uvow_future_t *f, uvow_then_cb on_value,
                                        void *data) {
  if (f && uvow__pool_grow(&f->rt->links) == 0)
    return uvow_future_then(f, on_value, data);
  uvow_future_unref(f);
  return NULL;
}

uvow_future_t *uvow_future_ref(uvow_future_t *f) {
  if (f)
    f->refs++;
  return f;
}

void uvow_future_unref(uvow_future_t *f) {
  if (!f)
    return;
  uvow__check_asked(f->rt);
  uvow__future_unref(f);
}

void uvow__future_give_back(uvow_future_t *f) {
  uvow__runtime_t *rt = f->rt;
  uvow__pool_t *pool = f->flags & UVOW__BLOCK ? &rt->blocks : &rt->links;
  int last = f->flags & UVOW__LAST;
  uvow__future_mark_free(f);
  uvow__pool_give(pool, f);
  if (last) {
    uvow__pool_seal(pool);
    uvow__runtime_maybe_release(rt);
  }
}

void uvow__future_free(uvow_future_t *f) {
  const uvow_type_t *type = f->u.value.type;
  int fulfilled = f->state == UVOW_FULFILLED;
  if (f->state == UVOW_PENDING) {
    assert(f->flags & UVOW__LOOSE);
    uvow__loose_unref(f);
    return;
  }
  if (f->flags & UVOW__MARKED)
    uvow__link_remove(&f->reactions);
  if ((f->flags & UVOW__OWNS) ||
      (fulfilled && type && uvow__type_is_foreign(type))) {
    uvow__tell_freed(f);
    return;
  }
  if (!fulfilled)
    uvow_error_unref(f->u.error);
  else if (type && type->destroy)
    type->destroy(f->u.value.as.ptr);
  uvow__future_give_back(f);
}

void uvow__future_disarm(uvow_future_t *f) {
  f->flags &= (uint16_t)~UVOW__TIMED;
  uvow__runtime_unhold(f->rt, (uvow__deadline_t *)(void *)(f + 1));
}

void uvow__future_mark(uvow_future_t *f) {
  f->flags |= UVOW__MARKED;
  uvow__queue_mark(&f->rt->queue, &f->reactions);
  uvow__runtime_poke(f->rt);
}

/* A root that used up its share may hold reactions to f, and marks nothing: all
 * goes behind it. */
void uvow__future_push_behind(uvow_future_t *f, uvow__task_t *task) {
  uvow__queue_t *queue = &f->rt->queue;
  if (f->state == UVOW_PENDING) {
    uvow__list_append(&f->reactions, &task->link);
    uvow__loose_join(task);
    return;
  }
  if (uvow__queue_is_outside(queue)) {
    uvow__queue_push(queue, task);
  } else if (!uvow__list_empty(&f->reactions)) {
    uvow__queue_push_before(&f->reactions, task);
    return;
  } else if (uvow__list_empty(&queue->torn)) {
    uvow__queue_push(queue, task);
    return;
  } else {
    uvow__list_t *in = uvow__queue_step_out(queue);
    uvow__queue_push(queue, task);
    uvow__queue_rejoin(queue, in);
  }
  if (f->refs > 1)
    uvow__future_mark(f);
  uvow__runtime_poke(f->rt);
}

void uvow__future_reject(uvow_future_t *f, uvow_error_t *error) {
  assert(f->state == UVOW_PENDING);
  f->state = UVOW_REJECTED;
  f->u.error = error;
  int awaited = !uvow__list_empty(&f->reactions);
  uvow__future_announce(f);
  if (!awaited && !(f->flags & UVOW__OBSERVED)) {
    f->flags |= UVOW__REPORTS;
    f->refs++;
    uvow__list_append(&f->rt->unhandled, &f->task.link);
    uvow__runtime_poke(f->rt);
  }
}

void uvow__future_reject_code(uvow_future_t *f, int code) {
  uvow__future_reject(f,
                      uvow__error_code(&f->rt->mem, code, UVOW_OUTCOME_NONE));
}

/* See (6). */
uvow_value_t uvow__future_share(uvow_future_t *f) {
  uvow_value_t value = f->u.value;
  if (!value.type || !value.type->destroy)
    return value;
  if (f->refs == 1 && !(f->flags & UVOW__BLOCK)) {
    f->u.value = uvow_value_none();
    return value;
  }
  if (value.type->ref) {
    uvow__value_ref(f->rt, &value);
    return value;
  }
  return uvow_value_ptr(&uvow__type_shared, uvow_future_ref(f));
}

void uvow__future_forward(uvow_future_t *f, uvow_future_t *source) {
  if (source->state == UVOW_FULFILLED)
    uvow__future_fulfill(f, uvow__future_is_plain(source)
                                ? source->u.value
                                : uvow__future_share(source));
  else
    uvow__future_reject(f, uvow_error_ref(source->u.error));
}

static void run_adopt(uvow__task_t *task) {
  uvow_future_t *f = UVOW__CONTAINER(task, uvow_future_t, task);
  uvow_future_t *source = uvow__future_unwait(f);
  uvow__future_forward(f, source);
  uvow_future_unref(source);
  uvow__tell_end(f);
}

int uvow__task_is_adopt(const uvow__task_t *task) {
  return task->run == run_adopt;
}

/*
 * A loop written as a chain ("try again" returning itself) would grow by a link
 * each round: the first waits for the second, that for the third. If f is only
 * what another follows, that one follows f's inner directly.
 */
static uvow_future_t *shorten(uvow_future_t *f) {
  uvow__list_t *only = f->reactions.next;
  if (f->refs != 2 || (f->flags & UVOW__TIMED) || f->end.destroy ||
      only == &f->reactions || only->next != &f->reactions)
    return f;
  uvow__task_t *task = UVOW__CONTAINER(only, uvow__task_t, link);
  if (task->run != run_adopt)
    return f;
  uvow_future_t *follower = UVOW__CONTAINER(task, uvow_future_t, task);
  uvow__task_cancel(task);
  /* f's own two references: the wait that it was to begin, and follower's. */
  uvow__future_fulfill(f, uvow_value_none());
  uvow_future_unref(f);
  uvow_future_unref(f);
  return follower;
}

int uvow__future_adoptable(uvow_future_t *f, uvow_future_t *inner) {
  if (!inner)
    return f->rt->closed ? UVOW_ECLOSED : UVOW_ENOMEM;
  if (inner->rt != f->rt)
    return UVOW_EINVAL;
  return uvow__future_is_cycle(f, inner) ? UVOW_ECYCLE : 0;
}

void uvow__future_adopt(uvow_future_t *f, uvow_future_t *inner) {
  int code = uvow__future_adoptable(f, inner);
  if (code == 0 && inner->state == UVOW_PENDING) {
    uvow__future_wait(shorten(f), inner, run_adopt);
    return;
  }
  if (code) {
    uvow__future_reject_code(f, code);
  } else {
    inner->flags |= UVOW__OBSERVED;
    uvow__future_forward(f, inner);
  }
  uvow_future_unref(inner);
  uvow__tell_end(f);
}

uvow_value_t uvow_result_keep(const uvow_result_t *result) {
  if (!result || result->error)
    return uvow_value_none();
  uvow_value_t value = result->value;
  if (!value.type || !value.type->destroy)
    return value;
  if (value.type->ref) {
    value.type->ref(value.as.ptr);
    return value;
  }
  if (!result->source) /* an event, borrowed for the call */
    return uvow_value_none();
  return uvow_value_ptr(&uvow__type_shared, uvow_future_ref(result->source));
}

void uvow__next_drop(uvow_next_t *next) {
  uvow_value_t value = uvow__next_left(next);
  uvow__tell_rest(value, NULL, NULL);
}

uvow_value_t uvow__next_left(const uvow_next_t *next) {
  if (next->kind == UVOW_NEXT_VALUE || next->kind == UVOW_NEXT_END)
    return next->u.value;
  if (next->kind == UVOW_NEXT_STREAM)
    uvow_stream_unref(next->u.stream);
  else if (next->kind == UVOW_NEXT_ERROR)
    uvow_error_unref(next->u.error);
  else if (next->kind == UVOW_NEXT_FUTURE)
    uvow__future_drop(next->u.future);
  return uvow_value_none();
}

uvow_error_t *uvow__next_error(uvow_future_t *f, const uvow_next_t *next) {
  uvow__error_spec_t spec = {0};
  if (next->kind == UVOW_NEXT_ERROR && next->u.error)
    return next->u.error;
  spec.code = UVOW_EINVAL;
  if (next->kind == UVOW_NEXT_CODE) {
    if (next->code < 0)
      spec.code = next->code;
    if (next->u.text)
      spec.detail = (uvow__slice_t){next->u.text, strlen(next->u.text)};
  }
  return uvow__error_make(&f->rt->mem, &spec);
}

void uvow__future_next(uvow_future_t *f, const uvow_next_t *next,
                       uvow_future_t *source) {
  if (next->kind == UVOW_NEXT_FUTURE) {
    uvow__future_adopt(f, next->u.future);
    return;
  }
  if (next->kind == UVOW_NEXT_STREAM) {
    uvow__future_adopt(f, uvow__stream_drain(next->u.stream));
    return;
  }
  if (next->kind == UVOW_NEXT_PASS)
    uvow__future_forward(f, source);
  else if (next->kind == UVOW_NEXT_VALUE || next->kind == UVOW_NEXT_END)
    uvow__future_fulfill_checked(f, next->u.value);
  else
    uvow__future_reject(f, uvow__next_error(f, next));
  uvow__future_unref(f);
}
