/*
 * timeout and delay: futures with a deadline in their tail.
 *
 * 1. A future is TIMED from when its deadline is armed until it is settled,
 *    which disarms it; all that time it holds the loop.
 * 2. A timeout is an ordinary link that adopts what it waits for.
 * 3. What has settled before the deadline is looked at wins, even if the news
 *    has yet to come down the queue.
 * 4. A delay is a root: one of its references belongs to the deadline.
 */
#include <uvow/combine.h>

#include <stdio.h>
#include <string.h>

#include "future.h"

struct timed {
  uvow__deadline_t deadline; /* first: settling finds it here */
  uint64_t ms;
};

_Static_assert(offsetof(uvow__block_t, tail) == sizeof(uvow_future_t),
               "the tail follows the future");
_Static_assert(sizeof(struct timed) <= UVOW__BLOCK_TAIL, "the tail is enough");

static struct timed *timed_of(uvow_future_t *f) {
  return (struct timed *)(void *)(f + 1);
}

static uvow_future_t *future_of(uvow__deadline_t *deadline) {
  return (uvow_future_t *)(void *)deadline - 1;
}

/* Pending and armed, with two owners; NULL: no memory, or closed. */
static uvow_future_t *timed_new(uvow__runtime_t *rt, unsigned flags,
                                uint64_t ms,
                                void (*expire)(uvow__deadline_t *deadline)) {
  uvow_future_t *f = uvow__future_new(rt, 2, flags | UVOW__BLOCK);
  if (!f)
    return NULL;
  struct timed *timed = timed_of(f);
  uvow__deadline_init(&timed->deadline, expire);
  timed->ms = ms;
  f->flags |= UVOW__TIMED;
  uvow__runtime_hold(rt, &timed->deadline, ms);
  return f;
}

static uvow_error_t *timed_out(uvow_future_t *f) {
  char text[64];
  uvow__error_spec_t spec = {0};
  int len = snprintf(text, sizeof(text), "not settled within %llu ms",
                     (unsigned long long)timed_of(f)->ms);
  spec.code = UVOW_ETIMEDOUT;
  spec.detail.ptr = text;
  spec.detail.len = (size_t)len;
  return uvow__error_make(&f->rt->mem, &spec);
}

static void expire_timeout(uvow__deadline_t *deadline) {
  uvow_future_t *f = future_of(deadline);
  if (f->u.wait.source->state != UVOW_PENDING)
    return; /* (3) */
  uvow__task_cancel(&f->task);
  uvow_future_t *source = uvow__future_unwait(f);
  uvow__future_reject(f, timed_out(f));
  uvow_future_unref(f);
  uvow__future_drop(source);
}

uvow_future_t *uvow_future_timeout(uvow_future_t *f, uint64_t timeout_ms) {
  uvow_future_t *timeout =
      f ? timed_new(f->rt, 0, timeout_ms, expire_timeout) : NULL;
  if (timeout)
    uvow__future_adopt(timeout, f);
  else
    uvow_future_unref(f);
  return timeout;
}

static void expire_delay(uvow__deadline_t *deadline) {
  uvow_future_t *f = future_of(deadline);
  f->flags &= (uint16_t)~UVOW__PROMISE;
  uvow__future_fulfill(f, uvow_value_none());
  uvow_future_unref(f);
}

static void reject_delay(uvow_future_t *f, int code) {
  f->flags &= (uint16_t)~UVOW__PROMISE;
  f->flags |= UVOW__OBSERVED;
  uvow__future_reject_code(f, code);
  uvow_future_unref(f);
}

uvow_future_t *uvow_future_delay(uvow_loop_t *loop, uint64_t delay_ms) {
  uvow_future_t *f =
      loop ? timed_new(uvow__runtime_of(loop), UVOW__PROMISE | UVOW__INNER,
                       delay_ms, expire_delay)
           : NULL;
  if (f)
    f->cb.reject = reject_delay;
  return f;
}
