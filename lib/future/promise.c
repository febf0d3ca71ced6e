/*
 * The write side. A promise is its future's address, and one reference of it.
 *
 * 1. The flag says that it is out: a promise that was given away is recognised
 *    for as long as somebody else owns the future, and using it again does
 *    nothing.
 * 2. What is settled from outside of a drain is a root of its own (F5).
 * 3. A value that is refused is released by the call that brought it, as the
 *    last that it does.
 */
#include "fail.h"
#include "loose.h"
#include "misuse.h"
#include "tell.h"

#include <string.h>

static uvow_future_t *future_of(uvow_promise_t *promise) {
  uvow_future_t *f = uvow__promise_future(promise);
  return f && (f->flags & UVOW__PROMISE) ? f : NULL;
}

uvow_future_t *uvow_promise_new(uvow_loop_t *loop,
                                uvow_promise_t **ret_promise) {
  if (!loop || !uvow__runtime_of(loop)->links.free)
    return uvow__promise_new_slowly(loop, ret_promise);
  uvow_future_t *f = uvow__future_new(uvow__runtime_of(loop), 2, UVOW__PROMISE);
  *ret_promise = uvow__promise_of(f);
  return f;
}

/* The promise is used up, and nothing was canceled. */
static inline void end_uncanceled(uvow_future_t *f) {
  f->flags &= (uint16_t)~UVOW__PROMISE;
  if (f->end.destroy)
    uvow__tell_data(f);
  else
    uvow__future_unref(f);
}

/* The promise is used up. */
static void end(uvow_future_t *f) {
  uvow__tell_withdraw(f);
  end_uncanceled(f);
}

int uvow_promise_try_fulfill(uvow_promise_t *promise, uvow_value_t value) {
  uvow_future_t *f = future_of(promise);
  if (f && f->state == UVOW_PENDING) {
    uvow__runtime_root(f->rt);
    uvow__future_fulfill_checked(f, value);
    return 0;
  }
  uvow_value_clear(&value);
  return f ? UVOW_EALREADY : UVOW_EINVAL;
}

int uvow_promise_try_reject(uvow_promise_t *promise, uvow_error_t *error) {
  uvow_future_t *f = future_of(promise);
  if (f && f->state == UVOW_PENDING) {
    uvow__runtime_root(f->rt);
    if (error)
      uvow__future_reject(f, error);
    else
      uvow__future_reject_code(f, UVOW_EINVAL);
    return 0;
  }
  uvow_error_unref(error);
  return f ? UVOW_EALREADY : UVOW_EINVAL;
}

/* Where it can't, or more is to be done than to settle it. */
UVOW__APART static void fulfill_slowly(uvow_promise_t *promise,
                                       uvow_value_t value) {
  uvow_future_t *f = future_of(promise);
  if (f && f->state == UVOW_PENDING) {
    uvow__runtime_root(f->rt);
    uvow__future_fulfill_checked(f, value);
    end_uncanceled(f);
    return;
  }
  if (f)
    end(f);
  uvow_value_clear(&value);
}

/* f has one more owner, so it marks no place in the queue, and nothing is to be
 * told: the promise's reference can go before f is settled, so that f isn't
 * needed afterwards. */
void uvow_promise_fulfill(uvow_promise_t *promise, uvow_value_t value) {
  uvow_future_t *f = uvow__promise_future(promise);
  if (!f || (f->flags & (UVOW__PROMISE | UVOW__TIMED)) != UVOW__PROMISE ||
      f->state != UVOW_PENDING || f->refs != 2 || f->end.destroy ||
      (value.type && value.type->size != sizeof(uvow_type_t))) {
    fulfill_slowly(promise, value);
    return;
  }
  uvow__runtime_root(f->rt);
  f->flags &= (uint16_t)~UVOW__PROMISE;
  f->refs = 1;
  f->state = UVOW_FULFILLED;
  uvow__value_copy(&f->u.value, &value);
  uvow__future_announce_alone(f);
}

void uvow_promise_reject(uvow_promise_t *promise, uvow_error_t *error) {
  uvow_future_t *f = future_of(promise);
  uvow_promise_try_reject(promise, error);
  if (f)
    end(f);
}

void uvow_promise_reject_code(uvow_promise_t *promise, int code,
                              const char *detail) {
  uvow_future_t *f = future_of(promise);
  if (!f)
    return;
  uvow_promise_reject(promise,
                      uvow_error_new(uvow__runtime_loop(f->rt), code, detail));
}

void uvow_promise_follow(uvow_promise_t *promise, uvow_future_t *future) {
  uvow_future_t *f = future_of(promise);
  if (f && f->state == UVOW_PENDING) {
    f->flags &= (uint16_t)~UVOW__PROMISE;
    f->cb.cancel = NULL; /* its data is destroyed once it has followed */
    uvow__runtime_root(f->rt);
    uvow__future_adopt(f, future);
    return;
  }
  uvow__future_drop(future);
  if (f)
    end(f);
}

void uvow_promise_drop(uvow_promise_t *promise) {
  uvow_future_t *f = future_of(promise);
  if (!f)
    return;
  if (f->state == UVOW_PENDING) {
    uvow__runtime_root(f->rt);
    uvow__future_reject_code(f, UVOW_EBROKEN);
  }
  end(f);
}

void uvow_promise_free(uvow_promise_t *promise) {
  uvow_future_t *f = future_of(promise);
  if (!f)
    return;
  if (f->state != UVOW_PENDING) {
    end(f);
    return;
  }
  f->flags &= (uint16_t)~UVOW__PROMISE;
  f->cb.cancel = NULL;
  uvow__loose_let_go(f);
}

void uvow_promise_on_cancel(uvow_promise_t *promise, uvow_cancel_cb cb,
                            void *data, uvow_destroy_cb destroy) {
  uvow_future_t *f = future_of(promise);
  uvow_destroy_cb old = f ? f->end.destroy : destroy;
  void *old_data = f ? f->data : data;
  if (f) {
    uvow__tell_withdraw(f);
    f->cb.cancel = cb;
    f->data = data;
    f->end.destroy = destroy;
    if (cb && (f->flags & UVOW__CANCELED))
      uvow__tell_cancel(f);
  }
  if (old)
    old(old_data);
}

uvow_future_t *uvow_future_fulfilled(uvow_loop_t *loop, uvow_value_t value) {
  uvow_promise_t *promise;
  uvow_future_t *f = uvow_promise_new(loop, &promise);
  uvow_promise_fulfill(promise, value);
  return f;
}

uvow_future_t *uvow_future_rejected(uvow_loop_t *loop, uvow_error_t *error) {
  uvow_promise_t *promise;
  uvow_future_t *f = uvow_promise_new(loop, &promise);
  uvow_promise_reject(promise, error);
  return f;
}

uvow_state_t uvow_future_state(const uvow_future_t *f) {
  return f ? (uvow_state_t)f->state : (uvow_state_t)0;
}

int uvow_future_peek(uvow_future_t *f, uvow_result_t *ret_result) {
  if (f && !ret_result)
    return uvow__fail(uvow__runtime_loop(f->rt), UVOW_EINVAL, "ret_result",
                      uvow__fail_null);
  if (!f || f->state == UVOW_PENDING)
    return UVOW_EINVAL;
  uvow__future_result(f, ret_result);
  return 0;
}

uvow_future_t *uvow_future_name(uvow_future_t *f, const char *name) {
#ifdef UVOW_DEBUG
  if (f)
    f->name = name;
#else
  (void)name;
#endif
  return f;
}

const char *uvow__future_name(const uvow_future_t *f) {
#ifdef UVOW_DEBUG
  return f->name;
#else
  (void)f;
  return NULL;
#endif
}
