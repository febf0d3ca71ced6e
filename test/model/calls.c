/* What the library is given: values, answers, callbacks, destructors. Each of
 * the last two acts at random, and is counted. */
#include "model.h"

/* Counts a callback that runs. */
void model_enter(model_cookie_t *cookie, const char *what) {
  model_t *m = cookie->model;
  model_note(m, "%s %zu runs", what, (size_t)(cookie - m->cookies));
  if (m->in_call && !(m->streaming && model_is_done(m)))
    model_fail(m, "%s ran within a call", what);
  if (!cookie->attached)
    model_fail(m, "%s ran before the call that attached it returned", what);
  if (cookie->destroyed > 0)
    model_fail(m, "%s ran after its data was destroyed", what);
  if (cookie->kind != MODEL_RETRY && cookie->kind != MODEL_EACH &&
      cookie->calls++)
    model_fail(m, "%s ran twice", what);
}

/* A reaction runs in its turn, and sees what became of its source. */
static void check_reaction(model_cookie_t *cookie,
                           const uvow_result_t *result) {
  model_t *m = cookie->model;
  const model_fate_t *fate = &m->fates[cookie->source];
  int code = uvow_error_code(result->error);
  int64_t number = 0;
  if (cookie->source == 0)
    return;
  if (cookie->order <= m->told[cookie->source])
    model_fail(m, "a reaction ran before one that was attached earlier");
  m->told[cookie->source] = cookie->order;
  (void)uvow_value_get_int64(&result->value, &number);
  if (m->failing && code == UVOW_ENOMEM)
    return; /* there was none for the error */
  if (fate->known && (fate->code != code || fate->number != number))
    model_fail(m, "a reaction saw %d and %lld, not %d and %lld", code,
               (long long)number, fate->code, (long long)fate->number);
}

static void item_ref(void *ptr) {
  ((model_item_t *)ptr)->item.owners++;
}

static void item_destroy(void *ptr) {
  model_item_t *item = (model_item_t *)ptr;
  model_t *m = item->model;
  if (item->item.owners <= 0)
    model_fail(m, "a value was destroyed twice");
  m->sync += m->in_call != 0;
  if (--item->item.owners)
    return;
  item->item.destroyed++;
  model_acts(m);
}

static const uvow_type_t counted = {sizeof(uvow_type_t), "counted", item_ref,
                                    item_destroy};
static const uvow_type_t unique = {sizeof(uvow_type_t), "unique", NULL,
                                   item_destroy};

uvow_value_t model_value(model_t *m) {
  switch (sim_below(&m->random, 5)) {
  case 0:
    return uvow_value_none();
  case 1:
    return uvow_value_text("text");
  case 2:
  case 3:
    if (m->item_count < MODEL_ITEMS) {
      model_item_t *item = &m->items[m->item_count++];
      item->model = m;
      item->item.owners = 1;
      return uvow_value_ptr(sim_one_in(&m->random, 2) ? &counted : &unique,
                            item);
    }
    return uvow_value_none();
  default:
    return uvow_value_int64((int64_t)sim_below(&m->random, 1000) + 1);
  }
}

/* A future to follow: one that is held, or a new one that is. */
static uvow_future_t *inner(model_t *m) {
  model_handle_t *handle = &m->handles[sim_below(&m->random, MODEL_HANDLES)];
  return uvow_future_ref(handle->f);
}

uvow_next_t model_next(model_t *m, const uvow_result_t *result) {
  uvow_next_t next;
  switch (sim_below(&m->random, 8)) {
  case 0:
    return uvow_next_value(model_value(m));
  case 1:
    return uvow_next_none();
  case 2:
    return uvow_next_code(UVOW_EREMOTE, "a code");
  case 3: {
    unsigned before = model_call(m);
    next =
        uvow_next_error(sim_one_in(&m->random, 2)
                            ? uvow_error_new(m->turn.loop, UVOW_ECLOSED, "new")
                            : uvow_error_new_value(m->turn.loop, UVOW_ECLOSED,
                                                   "new", model_value(m)));
    model_return(m, before, "error_new", 1);
    return next;
  }
  case 4:
  case 5:
    return uvow_next_future(inner(m));
  case 6:
    if (result) {
      unsigned before = model_call(m);
      next = uvow_next_value(uvow_result_keep(result));
      model_return(m, before, "result_keep", 0);
      return next;
    }
    return uvow_next_pass();
  default:
    return uvow_next_pass();
  }
}

model_cookie_t *model_cookie(model_t *m, model_kind_t kind, model_handle_t of) {
  unsigned source = of.id;
  if (m->cookie_count == MODEL_COOKIES)
    return NULL;
  model_cookie_t *cookie = &m->cookies[m->cookie_count++];
  memset(cookie, 0, sizeof(*cookie));
  cookie->model = m;
  cookie->kind = kind;
  cookie->destroyed = -1;
  cookie->source = source;
  if (source)
    cookie->order = ++m->attached[source];
  return cookie;
}

uvow_next_t model_then(const uvow_result_t *result, void *data) {
  model_cookie_t *cookie = (model_cookie_t *)data;
  model_enter(cookie, "a continuation");
  check_reaction(cookie, result);
  model_acts(cookie->model);
  return model_next(cookie->model, result);
}

uvow_next_t model_finally(void *data) {
  model_cookie_t *cookie = (model_cookie_t *)data;
  model_enter(cookie, "a cleanup");
  model_acts(cookie->model);
  return model_next(cookie->model, NULL);
}

void model_done(const uvow_result_t *result, void *data) {
  model_cookie_t *cookie = (model_cookie_t *)data;
  model_enter(cookie, "a done");
  check_reaction(cookie, result);
  model_acts(cookie->model);
}

void model_cancel(void *data) {
  model_cookie_t *cookie = (model_cookie_t *)data;
  model_enter(cookie, "an on_cancel");
  if (cookie->withdrawn)
    model_fail(cookie->model, "an on_cancel ran after its promise was used up");
  model_acts(cookie->model);
}

uvow_future_t *model_retry(uint32_t attempt, void *data) {
  model_cookie_t *cookie = (model_cookie_t *)data;
  (void)attempt;
  model_enter(cookie, "an attempt");
  cookie->calls++;
  model_acts(cookie->model);
  return inner(cookie->model);
}

void model_destroy(void *data) {
  model_cookie_t *cookie = (model_cookie_t *)data;
  model_t *m = cookie->model;
  model_note(m, "destroy of %zu", (size_t)(cookie - m->cookies));
  m->sync += m->in_call != 0;
  if (cookie->destroyed)
    model_fail(m, "data was destroyed twice, or has no destructor");
  cookie->destroyed = 1;
  model_acts(m);
}

void model_check_all(model_t *m) {
  for (size_t i = 0; i < m->cookie_count; i++) {
    const model_cookie_t *cookie = &m->cookies[i];
    int always = cookie->kind == MODEL_FINALLY || cookie->kind == MODEL_DONE;
    if (cookie->destroyed == 0)
      model_fail(m, "data %zu was never destroyed", i);
    if (cookie->attached && always && !cookie->calls && !m->loose)
      model_fail(m, "a cleanup or a done never ran: %zu", i);
  }
  for (size_t i = 0; i < m->item_count; i++)
    if (m->items[i].item.destroyed != 1 || m->items[i].item.owners)
      model_fail(m, "value %zu: destroyed %d times, %d owners", i,
                 m->items[i].item.destroyed, m->items[i].item.owners);
}
