/*
 * retry: tries until it succeeds, with pauses between.
 *
 *   new -> QUEUED --run_attempt--> the attempt --run_settled--> succeeded: end
 *            ^                                       |
 *            |                                       +--> gives up: end
 *            +-- expire_pause <-- PAUSED <-----------+
 *   on_reject and expire_overall: end, from anywhere
 *
 * 1. While it goes on it owns one reference of its future, as its promise
 *    would. The end settles that, then gives up the rest: see end.
 * 2. The task is in one list at most: the queue, or the attempt's reactions.
 * 3. The end may come while the user's function runs: its task is the entry
 * that destroys data and frees it, once that has returned.
 * 4. Each armed deadline holds the loop.
 */
#include <uvow/combine.h>

#include <stdio.h>
#include <string.h>

#include "backoff.h"
#include "fail.h"
#include "tell.h"

#define DEFAULT_ATTEMPTS 3
#define DEFAULT_BASE_MS 100
#define DEFAULT_MAX_MS 10000

struct retry {
  uvow__mem_t mem;
  uvow_future_t *future;
  uvow__task_t task;
  uvow__deadline_t pause;
  uvow__deadline_t overall;
  uvow_future_t *attempt; /* owned; NULL: none under way */
  uvow_error_t *last;     /* owned: of the last attempt that failed */
  uvow_retry_cb fn;
  void *data;
  uvow_retry_options_t options;
  uvow__backoff_t backoff;
  uint32_t attempts;
};

static void run_attempt(uvow__task_t *task);

static void run_end(uvow__task_t *task) {
  struct retry *retry = UVOW__CONTAINER(task, struct retry, task);
  uvow_future_t *f = retry->future;
  uvow__mem_t mem = retry->mem;
  uvow_destroy_cb destroy = retry->options.destroy;
  void *data = retry->data;
  uvow_error_unref(retry->last);
  uvow__free(&mem, retry);
  uvow_future_unref(f);
  if (destroy)
    destroy(data);
}

static void disarm(struct retry *retry, uvow__deadline_t *deadline) {
  if (uvow__deadline_armed(deadline))
    uvow__runtime_unhold(retry->future->rt, deadline);
}

/* The future is settled: nothing of this runs any more. */
static void end(struct retry *retry) {
  uvow_future_t *attempt = retry->attempt;
  retry->attempt = NULL;
  retry->future->flags &= (uint16_t) ~(UVOW__PROMISE | UVOW__INNER);
  disarm(retry, &retry->pause);
  disarm(retry, &retry->overall);
  uvow__task_cancel(&retry->task);
  retry->task.run = run_end;
  uvow__runtime_push(retry->future->rt, &retry->task);
  uvow__future_drop(attempt);
}

static void on_reject(uvow_future_t *f, int code) {
  f->flags |= UVOW__OBSERVED;
  uvow__future_reject_code(f, code);
  end((struct retry *)f->data);
}

/* Takes the error. */
static void give_up(struct retry *retry, uvow_error_t *error) {
  uvow__future_reject(retry->future, error);
  end(retry);
}

static uint64_t next_pause(struct retry *retry) {
  const uvow_retry_options_t *options = &retry->options;
  uvow__runtime_t *rt = retry->future->rt;
  const char *before = uvow__ask(rt, "a retry's random");
  uint64_t random =
      options->random ? options->random(retry->data) : uvow__runtime_random(rt);
  uvow__answered(rt, before);
  return uvow__backoff_next(&retry->backoff, random);
}

/* The attempt failed. Takes its error. */
static void failed(struct retry *retry, uvow_error_t *error) {
  const uvow_retry_options_t *options = &retry->options;
  uint32_t n = retry->attempts;
  int again = uvow_error_code(error) != UVOW_ECANCELED;
  uvow_error_unref(retry->last);
  retry->last = error;
  if (options->max_attempts != UVOW_RETRY_NO_LIMIT &&
      n >= options->max_attempts) {
    give_up(retry, uvow_error_ref(error));
    return;
  }
  uint64_t ms = 0;
  if (options->retry_if) {
    const char *before = uvow__ask(retry->future->rt, "retry_if");
    again = options->retry_if(error, n, retry->data);
    uvow__answered(retry->future->rt, before);
  }
  if (again && retry->future->state == UVOW_PENDING)
    ms = next_pause(retry);
  if (retry->future->state != UVOW_PENDING)
    return; /* one of the two ended it, though that isn't theirs to do */
  if (again)
    uvow__runtime_hold(retry->future->rt, &retry->pause, ms);
  else
    give_up(retry, uvow_error_ref(error));
}

/* The attempt of one that is canceled has ended. Returns its future, with a
 * reference. */
static uvow_future_t *end_canceled(struct retry *retry) {
  uvow_future_t *f = uvow_future_ref(retry->future);
  uvow_future_unref(retry->attempt);
  retry->attempt = NULL;
  end(retry);
  return f;
}

static void run_settled(uvow__task_t *task) {
  struct retry *retry = UVOW__CONTAINER(task, struct retry, task);
  uvow_future_t *attempt = retry->attempt;
  if (retry->future->flags & UVOW__CANCELED) {
    uvow__cancel_go_down(end_canceled(retry));
    return;
  }
  retry->attempt = NULL;
  if (attempt->state == UVOW_FULFILLED) {
    uvow__future_forward(retry->future, attempt);
    end(retry);
  } else {
    failed(retry, uvow_error_ref(attempt->u.error));
  }
  uvow_future_unref(attempt);
}

uvow_future_t *uvow__retry_of(const uvow__task_t *task) {
  if (task->run != run_settled)
    return NULL;
  return UVOW__CONTAINER(task, struct retry, task)->future;
}

uvow_future_t *uvow__retry_attempt(const uvow_future_t *f) {
  if (!(f->flags & UVOW__INNER) || f->cb.reject != on_reject)
    return NULL;
  return ((struct retry *)f->data)->attempt;
}

void uvow__retry_cancel(uvow_future_t *f) {
  struct retry *retry = (struct retry *)f->data;
  disarm(retry, &retry->overall);
}

uvow_future_t *uvow__retry_lost(uvow__task_t *task) {
  return end_canceled(UVOW__CONTAINER(task, struct retry, task));
}

static void run_attempt(uvow__task_t *task) {
  struct retry *retry = UVOW__CONTAINER(task, struct retry, task);
  uvow__mem_t *mem = &retry->mem;
  if (retry->attempts < UINT32_MAX)
    retry->attempts++;
  uvow_future_t *attempt = retry->fn(retry->attempts, retry->data);
  if (retry->future->state != UVOW_PENDING) { /* the end came meanwhile */
    if (attempt && attempt->rt == retry->future->rt)
      uvow__future_drop(attempt);
    else
      uvow_future_unref(attempt);
    return;
  }
  int code = uvow__future_adoptable(retry->future, attempt);
  if (code == 0) {
    retry->attempt = attempt;
    retry->task.run = run_settled;
    uvow__future_watch(attempt, &retry->task);
  } else if (code == UVOW_ENOMEM) {
    failed(retry, uvow__error_nomem());
  } else {
    give_up(retry, uvow__error_code(mem, code, UVOW_OUTCOME_NONE));
    uvow_future_unref(attempt);
  }
}

static void expire_pause(uvow__deadline_t *deadline) {
  struct retry *retry = UVOW__CONTAINER(deadline, struct retry, pause);
  uvow__runtime_unhold(retry->future->rt, deadline);
  retry->task.run = run_attempt;
  uvow__runtime_push(retry->future->rt, &retry->task);
}

static uvow_error_t *timed_out(struct retry *retry) {
  char text[96];
  uvow__error_spec_t spec = {0};
  int len =
      snprintf(text, sizeof(text), "no success within %llu ms (%lu attempts)",
               (unsigned long long)retry->options.deadline_ms,
               (unsigned long)retry->attempts);
  spec.code = UVOW_ETIMEDOUT;
  spec.detail.ptr = text;
  spec.detail.len = (size_t)len;
  spec.cause = retry->last;
  if (retry->attempt && retry->attempt->state == UVOW_REJECTED)
    spec.cause = retry->attempt->u.error;
  return uvow__error_make(&retry->mem, &spec);
}

static void expire_overall(uvow__deadline_t *deadline) {
  struct retry *retry = UVOW__CONTAINER(deadline, struct retry, overall);
  uvow__runtime_unhold(retry->future->rt, deadline);
  if (retry->attempt && retry->attempt->state == UVOW_FULFILLED)
    return; /* it's on its way */
  give_up(retry, timed_out(retry));
}

static void set_options(struct retry *retry,
                        const uvow_retry_options_t *options) {
  uvow_retry_options_t *own = &retry->options;
  *own = *options;
  if (own->max_attempts == 0)
    own->max_attempts = DEFAULT_ATTEMPTS;
  if (own->base_ms == 0)
    own->base_ms = DEFAULT_BASE_MS;
  if (own->max_ms == 0)
    own->max_ms = DEFAULT_MAX_MS;
  uvow__backoff_init(&retry->backoff, own->base_ms, own->max_ms);
}

/* Queued, or NULL: no memory, or closed. */
static struct retry *retry_new(uvow__runtime_t *rt) {
  struct retry *retry = (struct retry *)uvow__calloc(&rt->mem, sizeof(*retry));
  if (!retry)
    return NULL;
  retry->future = uvow__future_new(rt, 2, UVOW__PROMISE | UVOW__INNER);
  if (!retry->future) {
    uvow__free(&rt->mem, retry);
    return NULL;
  }
  retry->future->cb.reject = on_reject;
  retry->future->data = retry;
  retry->mem = rt->mem;
  uvow__task_init(&retry->task, run_attempt);
  uvow__deadline_init(&retry->pause, expire_pause);
  uvow__deadline_init(&retry->overall, expire_overall);
  return retry;
}

uvow_future_t *uvow_future_retry(uvow_loop_t *loop, uvow_retry_cb fn,
                                 void *data,
                                 const uvow_retry_options_t *options) {
  uvow_retry_options_t own;
  options = UVOW__OPTIONS(loop, options, &own, uvow_retry_options_t);
  if (!options)
    return NULL;
  struct retry *retry = loop ? retry_new(uvow__runtime_of(loop)) : NULL;
  if (!retry) {
    if (options->destroy)
      uvow__fail_destroy(loop, options->destroy, data);
    return NULL;
  }
  uvow_future_t *f = retry->future;
  retry->fn = fn;
  retry->data = data;
  set_options(retry, options);
  if (!fn) {
    give_up(retry, uvow__invalid(f->rt, "fn", uvow__fail_null));
    return f;
  }
  if (retry->options.deadline_ms)
    uvow__runtime_hold(f->rt, &retry->overall, retry->options.deadline_ms);
  uvow__runtime_push(f->rt, &retry->task);
  return f;
}
