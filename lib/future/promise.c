/*
 * The write side. A promise is its future's address, and one reference of it.
 *
 * The flag says that it is out: a promise that was given away is recognised for
 * as long as somebody else owns the future, and using it again does nothing.
 */
#include "future.h"

#include <string.h>

static uvow_future_t *future_of(uvow_promise_t *promise) {
  uvow_future_t *f = (uvow_future_t *)(void *)promise;
  return f && (f->flags & UVOW__PROMISE) ? f : NULL;
}

uvow_future_t *uvow_promise_new(uvow_loop_t *loop,
                                uvow_promise_t **ret_promise) {
  if (!loop || !uvow__runtime_of(loop)->links.free)
    return uvow__promise_new_slowly(loop, ret_promise);
  uvow_future_t *f = uvow__future_new(uvow__runtime_of(loop), 2, UVOW__PROMISE);
  *ret_promise = (uvow_promise_t *)(void *)f;
  return f;
}

/* The promise is used up. */
static void end(uvow_future_t *f) {
  f->flags &= (uint8_t)~UVOW__PROMISE;
  uvow__future_unref(f);
}

int uvow_promise_try_fulfill(uvow_promise_t *promise, uvow_value_t value) {
  uvow_future_t *f = future_of(promise);
  if (f && f->state == UVOW_PENDING) {
    uvow__future_fulfill_checked(f, value);
    return 0;
  }
  uvow_value_clear(&value);
  return f ? UVOW_EALREADY : UVOW_EINVAL;
}

int uvow_promise_try_reject(uvow_promise_t *promise, uvow_error_t *error) {
  uvow_future_t *f = future_of(promise);
  if (f && f->state == UVOW_PENDING) {
    if (error)
      uvow__future_reject(f, error);
    else
      uvow__future_reject_code(f, UVOW_EINVAL);
    return 0;
  }
  uvow_error_unref(error);
  return f ? UVOW_EALREADY : UVOW_EINVAL;
}

void uvow_promise_fulfill(uvow_promise_t *promise, uvow_value_t value) {
  uvow_future_t *f = future_of(promise);
  if (f && f->state == UVOW_PENDING)
    uvow__future_fulfill_checked(f, value);
  else
    (void)uvow_promise_try_fulfill(promise, value); /* refuses it */
  if (f)
    end(f);
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
    f->flags &= (uint8_t)~UVOW__PROMISE;
    f->cb.cancel = NULL;
    f->data = NULL;
    uvow__future_adopt(f, future);
    return;
  }
  uvow__future_abandon(future);
  if (f)
    end(f);
}

void uvow_promise_drop(uvow_promise_t *promise) {
  uvow_future_t *f = future_of(promise);
  if (!f)
    return;
  if (f->state == UVOW_PENDING)
    uvow__future_reject_code(f, UVOW_EBROKEN);
  end(f);
}

void uvow_promise_on_cancel(uvow_promise_t *promise, uvow_cancel_cb cb,
                            void *data) {
  uvow_future_t *f = future_of(promise);
  if (!f)
    return;
  f->cb.cancel = cb;
  f->data = data;
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
