/* What a world does: one random call of the public API at a time. */
#include "model.h"

static const model_handle_t none; /* nothing is known of it */

static model_handle_t *any_handle(model_t *m) {
  return &m->handles[sim_below(&m->random, MODEL_HANDLES)];
}

static model_promise_t *any_promise(model_t *m) {
  return &m->promises[sim_below(&m->random, MODEL_PROMISES)];
}

static unsigned new_id(model_t *m) {
  return m->id_count + 1 < MODEL_IDS ? ++m->id_count : 0;
}

static void unref(model_t *m, uvow_future_t *f) {
  unsigned before = model_call(m);
  uvow_future_unref(f);
  model_return(m, before, "unref", m->closed);
}

/* Keeps a new future where an old one was. */
void model_hold(model_t *m, uvow_future_t *f) {
  model_handle_t *handle = any_handle(m);
  uvow_future_t *old = handle->f;
  handle->f = f;
  handle->id = f ? new_id(m) : 0;
  unref(m, old);
}

/* Takes a future out of its handle. */
static model_handle_t take(model_t *m) {
  model_handle_t *handle = any_handle(m);
  model_handle_t taken = *handle;
  handle->f = NULL;
  handle->id = 0;
  return taken;
}

uvow_future_t *model_take(model_t *m) {
  return take(m).f;
}

static void set_fate(model_t *m, unsigned id, int code, int64_t number) {
  if (id == 0 || m->fates[id].known)
    return;
  m->fates[id].known = 1;
  m->fates[id].code = code;
  m->fates[id].number = number;
}

/* The promise is used up. */
static uvow_promise_t *use_up(model_promise_t *promise) {
  uvow_promise_t *p = promise->p;
  if (promise->cookie)
    promise->cookie->withdrawn = 1;
  promise->p = NULL;
  promise->cookie = NULL;
  return p;
}

static void make_promise(model_t *m) {
  model_promise_t *promise = any_promise(m);
  if (promise->p)
    return;
  unsigned before = model_call(m);
  uvow_future_t *f = uvow_promise_new(m->turn.loop, &promise->p);
  model_return(m, before, "promise_new", !f);
  if (!f)
    return;
  model_handle_t *handle = any_handle(m);
  uvow_future_t *old = handle->f;
  promise->id = new_id(m);
  handle->f = f;
  handle->id = promise->id;
  unref(m, old);
}

/* A promise is only pending for its owner while nobody has canceled it. */
static int is_pending(const model_t *m, const model_promise_t *promise) {
  return !promise->id || !m->fates[promise->id].known;
}

static void fulfill(model_t *m) {
  model_promise_t *promise = any_promise(m);
  int try = sim_one_in(&m->random, 4);
  int64_t number = 0;
  if (!promise->p)
    return;
  uvow_value_t value = model_value(m);
  (void)uvow_value_get_int64(&value, &number);
  int pending = is_pending(m, promise);
  unsigned id = promise->id;
  unsigned before = model_call(m);
  int rc = 0;
  if (try)
    rc = uvow_promise_try_fulfill(promise->p, value);
  else
    uvow_promise_fulfill(use_up(promise), value);
  if (rc == 0 && pending && !m->closing)
    set_fate(m, id, 0, number);
  model_return(m, before, "fulfill", 1); /* it may be refused */
}

static void reject(model_t *m) {
  model_promise_t *promise = any_promise(m);
  unsigned id = promise->id;
  if (!promise->p)
    return;
  int pending = is_pending(m, promise);
  unsigned before = model_call(m);
  if (sim_one_in(&m->random, 2)) {
    uvow_promise_reject_code(use_up(promise), UVOW_EREMOTE, NULL);
    if (pending && !m->closing)
      set_fate(m, id, UVOW_EREMOTE, 0);
  } else {
    uvow_promise_drop(use_up(promise));
    if (pending && !m->closing)
      set_fate(m, id, UVOW_EBROKEN, 0);
  }
  model_return(m, before, "reject", m->closed);
}

static void let_go(model_t *m) {
  model_promise_t *promise = any_promise(m);
  if (!promise->p || !m->loose)
    return;
  unsigned before = model_call(m);
  uvow_promise_free(use_up(promise));
  model_return(m, before, "promise_free", m->closed);
}

static void follow(model_t *m) {
  model_promise_t *promise = any_promise(m);
  if (!promise->p)
    return;
  model_handle_t inner = take(m);
  unsigned before = model_call(m);
  uvow_promise_follow(use_up(promise), inner.f);
  model_return(m, before, "follow", m->closed);
}

static void set_on_cancel(model_t *m) {
  model_promise_t *promise = any_promise(m);
  if (!promise->p)
    return;
  model_cookie_t *cookie = model_cookie(m, MODEL_CANCEL, none);
  if (!cookie)
    return;
  if (promise->cookie)
    promise->cookie->withdrawn = 1;
  promise->cookie = cookie;
  if (sim_one_in(&m->random, 2))
    cookie->destroyed = 0;
  cookie->attached = 1; /* a cancel that has been may be told now */
  uvow_promise_t *p = promise->p;
  unsigned before = model_call(m);
  uvow_promise_on_cancel(p, model_cancel, cookie,
                         cookie->destroyed ? NULL : model_destroy);
  model_return(m, before, "on_cancel", 1); /* replaces what was set */
}

static void attach_chain(model_t *m) {
  model_handle_t source = take(m);
  model_cookie_t *cookie = model_cookie(m, MODEL_THEN, source);
  uvow_chain_options_t options = {sizeof(options), model_then, model_then,
                                  cookie, model_destroy};
  if (!cookie) {
    unref(m, source.f);
    return;
  }
  cookie->destroyed = 0;
  unsigned before = model_call(m);
  uvow_future_t *f = uvow_future_chain(source.f, &options);
  cookie->attached = f != NULL;
  model_return(m, before, "chain", !f);
  model_hold(m, f);
}

static void attach(model_t *m) {
  static const model_kind_t kinds[] = {MODEL_THEN, MODEL_THEN, MODEL_FINALLY};
  uint32_t which = sim_below(&m->random, 3);
  model_handle_t source = take(m);
  model_cookie_t *cookie = model_cookie(
      m, kinds[which], kinds[which] == MODEL_FINALLY ? none : source);
  if (!cookie) {
    unref(m, source.f);
    return;
  }
  unsigned before = model_call(m);
  uvow_future_t *f = source.f;
  if (which == 0)
    f = uvow_future_then(f, model_then, cookie);
  else if (which == 1)
    f = uvow_future_catch(f, model_then, cookie);
  else
    f = uvow_future_finally(f, model_finally, cookie);
  cookie->attached = f != NULL;
  model_return(m, before, "attach", !f);
  model_hold(m, f);
}

static void own(model_t *m) {
  model_handle_t source = take(m);
  model_cookie_t *cookie = model_cookie(m, MODEL_OWN, none);
  if (!cookie) {
    unref(m, source.f);
    return;
  }
  cookie->destroyed = 0;
  unsigned before = model_call(m);
  uvow_future_t *f = uvow_future_own(source.f, cookie, model_destroy);
  model_return(m, before, "own", !f);
  model_hold(m, f);
}

static void attach_done(model_t *m) {
  model_handle_t source = take(m);
  model_cookie_t *cookie = model_cookie(m, MODEL_DONE, source);
  if (!cookie) {
    unref(m, source.f);
    return;
  }
  unsigned before = model_call(m);
  int rc = uvow_future_done(source.f, model_done, cookie);
  cookie->attached = rc == 0;
  model_return(m, before, "done", rc);
}

static void fork(model_t *m) {
  uvow_future_t *f = uvow_future_ref(any_handle(m)->f);
  unsigned id = 0;
  for (size_t i = 0; f && i < MODEL_HANDLES; i++)
    if (m->handles[i].f == f)
      id = m->handles[i].id;
  model_handle_t *handle = any_handle(m);
  uvow_future_t *old = handle->f;
  handle->f = f;
  handle->id = id;
  unref(m, old);
}

static void cancel(model_t *m) {
  model_handle_t *handle = any_handle(m);
  unsigned id = handle->id;
  if (!handle->f)
    return;
  uvow_future_t *f = uvow_future_ref(handle->f);
  unsigned before = model_call(m);
  int rc = uvow_future_cancel(f);
  model_return(m, before, "cancel", m->closed);
  if (rc == 0 && uvow_future_state(f) == UVOW_REJECTED)
    set_fate(m, id, UVOW_ECANCELED, 0);
  unref(m, f);
}

static void drop(model_t *m) {
  model_handle_t taken = take(m);
  unsigned before = model_call(m);
  uvow_future_drop(taken.f);
  model_return(m, before, "drop", m->closed);
}

static void combine(model_t *m) {
  uvow_future_t *futures[4];
  size_t count = sim_below(&m->random, 5);
  for (size_t i = 0; i < count; i++)
    futures[i] = uvow_future_ref(any_handle(m)->f);
  unsigned before = model_call(m);
  uvow_future_t *f;
  switch (sim_below(&m->random, 4)) {
  case 0:
    f = uvow_future_all(m->turn.loop, futures, count);
    break;
  case 1:
    f = uvow_future_all_settled(m->turn.loop, futures, count);
    break;
  case 2:
    f = uvow_future_any(m->turn.loop, futures, count);
    break;
  default:
    f = uvow_future_race(m->turn.loop, futures, count);
    break;
  }
  model_return(m, before, "combine", !f);
  model_hold(m, f);
}

static void time_it(model_t *m) {
  unsigned before = model_call(m);
  uint64_t ms = sim_below(&m->random, 20);
  uvow_future_t *f = sim_one_in(&m->random, 2)
                         ? uvow_future_delay(m->turn.loop, ms)
                         : uvow_future_timeout(take(m).f, ms);
  model_return(m, before, "timed", !f);
  model_hold(m, f);
}

static void retry(model_t *m) {
  model_cookie_t *cookie = model_cookie(m, MODEL_RETRY, none);
  uvow_retry_options_t options;
  memset(&options, 0, sizeof(options));
  if (!cookie)
    return;
  cookie->destroyed = 0;
  options.size = sizeof(options);
  options.destroy = model_destroy;
  options.base_ms = 1 + sim_below(&m->random, 5);
  options.deadline_ms = sim_below(&m->random, 40);
  unsigned before = model_call(m);
  uvow_future_t *f =
      uvow_future_retry(m->turn.loop, model_retry, cookie, &options);
  cookie->attached = f != NULL;
  model_return(m, before, "retry", !f);
  model_hold(m, f);
}

static void keep(model_t *m) {
  uvow_value_t *kept = &m->kept[sim_below(&m->random, MODEL_KEPT)];
  uvow_result_t result;
  uvow_value_t old = *kept;
  *kept = uvow_value_none();
  if (uvow_future_peek(any_handle(m)->f, &result) == 0)
    *kept = uvow_result_keep(&result);
  unsigned before = model_call(m);
  uvow_value_clear(&old);
  model_return(m, before, "clear", 1);
}

/* The next allocations fail, some time from now. */
static void starve(model_t *m) {
  if (m->failing)
    m->alloc.fail_at = m->alloc.calls + 1 + sim_below(&m->random, 8);
}

static void (*const acts[])(model_t *m) = {
    make_promise, make_promise, make_promise,  fulfill,     fulfill,
    reject,       follow,       attach,        attach,      attach,
    attach_chain, attach_done,  fork,          fork,        cancel,
    cancel,       drop,         combine,       time_it,     retry,
    keep,         starve,       set_on_cancel, attach_done, own,
    let_go,
};

void model_act(model_t *m) {
  size_t which = sim_below(&m->random, sizeof(acts) / sizeof(*acts));
  if (m->closed)
    return;
  if (m->depth && sim_one_in(&m->random, 400)) {
    model_close(m);
    return;
  }
  if (m->streaming && sim_one_in(&m->random, 2)) {
    model_act_on_streams(m);
    return;
  }
  model_note(m, "act %zu", which);
  acts[which](m);
}

void model_acts(model_t *m) {
  if (m->depth >= 3 || m->closed)
    return;
  m->depth++;
  for (uint32_t n = sim_below(&m->random, 4); n && m->steps_left; n--) {
    m->steps_left--;
    model_act(m);
  }
  m->depth--;
}

void model_drop_all(model_t *m) {
  model_drop_streams(m);
  for (size_t i = 0; i < MODEL_PROMISES; i++) {
    unsigned before = model_call(m);
    uvow_promise_drop(use_up(&m->promises[i]));
    model_return(m, before, "last drop", m->closed);
  }
  for (size_t i = 0; i < MODEL_HANDLES; i++) {
    uvow_future_t *f = m->handles[i].f;
    m->handles[i].f = NULL;
    unref(m, f);
  }
  for (size_t i = 0; i < MODEL_KEPT; i++) {
    uvow_value_t old = m->kept[i];
    m->kept[i] = uvow_value_none();
    uvow_value_clear(&old);
  }
}
