/* Streams in a world: made, pushed to, read, joined, let go of. */
#include "model.h"

static model_stream_t *any_stream(model_t *m) {
  return &m->streams[sim_below(&m->random, MODEL_STREAMS)];
}

static model_sink_t *any_sink(model_t *m) {
  return &m->sinks[sim_below(&m->random, MODEL_SINKS)];
}

/* Keeps a new stream where an old one was. */
static void hold_stream(model_t *m, uvow_stream_t *s, unsigned origin) {
  model_stream_t *at = any_stream(m);
  uvow_stream_t *old = at->s;
  at->s = s;
  at->origin = s ? origin : 0;
  unsigned before = model_call(m);
  uvow_stream_unref(old);
  model_return(m, before, "stream_unref", m->closed);
}

static model_stream_t take_stream(model_t *m) {
  model_stream_t *at = any_stream(m);
  model_stream_t taken = *at;
  at->s = NULL;
  at->origin = 0;
  return taken;
}

static void make_stream(model_t *m) {
  model_sink_t *sink = any_sink(m);
  uvow_stream_options_t options = {.size = sizeof(options)};
  if (sink->sink)
    return;
  options.max_items = 1 + sim_below(&m->random, 4);
  options.full = (uvow_full_t)sim_below(&m->random, UVOW_FULL_FAIL + 1);
  options.tell_gaps = (int)sim_below(&m->random, 2);
  unsigned before = model_call(m);
  uvow_stream_t *s = uvow_stream_new(m->turn.loop, &options, &sink->sink);
  model_return(m, before, "stream_new", !s);
  sink->origin = s ? ++m->origins : 0;
  sink->pushed = 0;
  sink->cookie = NULL;
  hold_stream(m, s, sink->origin);
}

/* A number that says whose it is and which, or any value. */
static uvow_value_t item(model_t *m, model_sink_t *sink) {
  if (sim_one_in(&m->random, 3))
    return model_value(m);
  return uvow_value_int64((int64_t)sink->origin << 32 | ++sink->pushed);
}

static void push(model_t *m) {
  model_sink_t *sink = any_sink(m);
  for (uint32_t n = 1 + sim_below(&m->random, 4); n && sink->sink; n--) {
    uvow_value_t value = item(m, sink);
    unsigned before = model_call(m);
    int rc = uvow_sink_push(sink->sink, value);
    model_return(m, before, "push", 1);
    if (rc == UVOW_EINVAL || rc == UVOW_ETYPE || rc > 1)
      model_fail(m, "a push said %d", rc);
  }
}

static uvow_sink_t *use_up_sink(model_sink_t *sink) {
  uvow_sink_t *taken = sink->sink;
  if (sink->cookie)
    sink->cookie->withdrawn = 1;
  sink->sink = NULL;
  sink->cookie = NULL;
  return taken;
}

static void end_sink(model_t *m) {
  model_sink_t *at = any_sink(m);
  if (!at->sink)
    return;
  uvow_sink_t *sink = use_up_sink(at);
  uint32_t how = sim_below(&m->random, 4);
  uvow_value_t value = how == 0 ? model_value(m) : uvow_value_none();
  unsigned before = model_call(m);
  if (how == 0)
    uvow_sink_end_value(sink, value);
  else if (how == 1)
    uvow_sink_fail(sink, uvow_error_new(m->turn.loop, UVOW_EREMOTE, "failed"));
  else if (how == 2)
    uvow_sink_drop(sink);
  else
    uvow_sink_end(sink);
  model_return(m, before, "sink_end", 1);
}

static void watch_sink(model_t *m) {
  model_sink_t *sink = any_sink(m);
  static const model_handle_t none;
  model_cookie_t *cookie =
      sink->sink ? model_cookie(m, MODEL_CANCEL, none) : NULL;
  if (!cookie)
    return;
  if (sink->cookie)
    sink->cookie->withdrawn = 1;
  sink->cookie = cookie;
  cookie->destroyed = 0;
  cookie->attached = 1;
  unsigned before = model_call(m);
  uvow_sink_on_cancel(sink->sink, model_cancel, cookie, model_destroy);
  model_return(m, before, "sink_on_cancel", 1);
}

static void ask_sink(model_t *m) {
  model_sink_t *sink = any_sink(m);
  if (!sink->sink)
    return;
  unsigned before = model_call(m);
  uvow_future_t *f = sim_one_in(&m->random, 2) ? uvow_sink_room(sink->sink)
                                               : uvow_sink_flushed(sink->sink);
  model_return(m, before, "sink_room", !f);
  model_hold(m, f);
}

static void next(model_t *m) {
  uvow_stream_t *s = any_stream(m)->s;
  if (!s)
    return;
  unsigned before = model_call(m);
  uvow_future_t *f = uvow_stream_next(s);
  model_return(m, before, "next", !f);
  model_hold(m, f);
}

/* ---- each ---- */

static void let_inner_go(model_cookie_t *cookie) {
  uvow_future_t *inner = cookie->inner;
  cookie->inner = NULL;
  unsigned before = model_call(cookie->model);
  uvow_future_unref(inner);
  model_return(cookie->model, before, "unref", cookie->model->closed);
}

/* Items of one sink come in its order, to whoever reads it alone. */
static void check_order(model_cookie_t *cookie, const uvow_result_t *result) {
  int64_t number = 0;
  if (!cookie->source || uvow_value_get_int64(&result->value, &number) ||
      number >> 32 != cookie->source)
    return;
  if ((unsigned)number <= cookie->order)
    model_fail(cookie->model, "item %u came behind item %u", (unsigned)number,
               cookie->order);
  cookie->order = (unsigned)number;
}

static uvow_next_t on_item(const uvow_result_t *result, void *data) {
  model_cookie_t *cookie = (model_cookie_t *)data;
  model_t *m = cookie->model;
  model_enter(cookie, "an item's callback");
  if (cookie->over)
    model_fail(m, "an item came behind the end");
  if (cookie->inner && uvow_future_state(cookie->inner) == UVOW_PENDING)
    model_fail(m, "an item didn't wait for what the last one's callback said");
  let_inner_go(cookie);
  check_order(cookie, result);
  cookie->calls++;
  model_acts(m);
  uvow_next_t answer = model_next(m, result);
  if (answer.kind == UVOW_NEXT_FUTURE && sim_one_in(&m->random, 2))
    cookie->inner = uvow_future_ref(answer.u.future);
  return answer;
}

static void on_end(const uvow_result_t *result, void *data) {
  model_cookie_t *cookie = (model_cookie_t *)data;
  (void)result;
  if (cookie->over)
    model_fail(cookie->model, "a stream's end came twice");
  cookie->over = 1;
  let_inner_go(cookie);
  model_acts(cookie->model);
}

static void each(model_t *m) {
  static const model_handle_t none;
  model_cookie_t *cookie = model_cookie(m, MODEL_EACH, none);
  if (!cookie)
    return;
  model_stream_t taken = take_stream(m);
  cookie->source = taken.origin;
  unsigned before = model_call(m);
  uvow_future_t *f = uvow_stream_each(taken.s, on_item, cookie);
  cookie->attached = f != NULL;
  if (f && uvow_future_done(uvow_future_ref(f), on_end, cookie))
    cookie->over = -1; /* nobody will say so */
  model_return(m, before, "each", !f);
  model_hold(m, f);
}

/* What the callback of a map says is an item. */
static uvow_next_t on_map(const uvow_result_t *result, void *data) {
  model_cookie_t *cookie = (model_cookie_t *)data;
  model_enter(cookie, "a map's callback");
  cookie->calls++;
  model_acts(cookie->model);
  return model_next(cookie->model, result);
}

static int on_filter(const uvow_result_t *result, void *data) {
  (void)result;
  return sim_one_in(&((model_t *)data)->random, 2);
}

/* ---- streams of streams ---- */

static uvow_stream_t *map(model_t *m, uvow_stream_t *s) {
  static const model_handle_t none;
  model_cookie_t *cookie = model_cookie(m, MODEL_EACH, none);
  if (!cookie)
    return s;
  uvow_stream_t *mapped = uvow_stream_map(s, on_map, cookie);
  cookie->attached = mapped != NULL;
  return mapped;
}

static uvow_stream_t *staged(model_t *m, uvow_stream_t *s, int *ret_in_order) {
  uint64_t ms = sim_below(&m->random, 30);
  *ret_in_order = 1;
  switch (sim_below(&m->random, 7)) {
  case 0:
    return uvow_stream_filter(s, on_filter, m);
  case 1:
    return uvow_stream_take(s, sim_below(&m->random, 5));
  case 2:
    return uvow_stream_timeout(s, ms + 1);
  case 3:
    return uvow_stream_debounce(s, ms);
  case 4:
    return uvow_stream_throttle(s, ms + 1);
  case 5:
    *ret_in_order = 0;
    return uvow_stream_batch(s, 1 + sim_below(&m->random, 3), ms);
  default:
    *ret_in_order = 0;
    return map(m, s);
  }
}

static void stage(model_t *m) {
  model_stream_t taken = take_stream(m);
  int in_order;
  unsigned before = model_call(m);
  uvow_stream_t *s = staged(m, taken.s, &in_order);
  model_return(m, before, "stage", 1);
  hold_stream(m, s, in_order ? taken.origin : 0);
}

static void until(model_t *m) {
  model_stream_t taken = take_stream(m);
  uvow_future_t *f = model_take(m);
  unsigned before = model_call(m);
  uvow_stream_t *s = uvow_stream_until(taken.s, f);
  model_return(m, before, "until", 1);
  hold_stream(m, s, taken.origin);
}

static void tee(model_t *m) {
  model_stream_t *of = any_stream(m);
  uvow_stream_options_t options = {.size = sizeof(options)};
  if (!of->s)
    return;
  options.max_items = 1 + sim_below(&m->random, 4);
  options.full = (uvow_full_t)sim_below(&m->random, UVOW_FULL_FAIL + 1);
  unsigned origin = of->origin;
  unsigned before = model_call(m);
  uvow_stream_t *s = uvow_stream_tee(of->s, &options);
  model_return(m, before, "tee", !s);
  hold_stream(m, s, origin);
}

static void join(model_t *m) {
  uvow_stream_t *streams[3];
  uvow_future_t *futures[3];
  size_t count = sim_below(&m->random, 4);
  int of_futures = sim_one_in(&m->random, 2);
  for (size_t i = 0; i < count; i++) {
    if (of_futures)
      futures[i] = model_take(m);
    else
      streams[i] = take_stream(m).s;
  }
  unsigned before = model_call(m);
  uvow_stream_t *s = of_futures
                         ? uvow_stream_of_futures(m->turn.loop, futures, count)
                         : uvow_stream_merge(m->turn.loop, streams, count);
  model_return(m, before, "join", !s);
  hold_stream(m, s, 0);
}

/* ---- to the end ---- */

/* Others' items come in between, and perhaps its own again. */
static void mix(model_t *m, unsigned origin) {
  for (size_t i = 0; i < MODEL_STREAMS; i++)
    if (m->streams[i].origin == origin)
      m->streams[i].origin = 0;
  for (size_t i = 0; i < m->cookie_count; i++)
    if (m->cookies[i].kind == MODEL_EACH && m->cookies[i].source == origin)
      m->cookies[i].source = 0;
}

static void read_all(model_t *m) {
  model_stream_t taken = take_stream(m);
  model_sink_t *to = any_sink(m);
  uvow_future_t *f;
  unsigned before = model_call(m);
  switch (sim_below(&m->random, 4)) {
  case 0:
    f = uvow_stream_collect(taken.s, sim_below(&m->random, 4));
    break;
  case 1:
    f = uvow_stream_first(taken.s);
    break;
  case 2:
    mix(m, to->origin);
    f = uvow_stream_pipe(taken.s, use_up_sink(to));
    break;
  default:
    f = uvow_stream_close(taken.s);
    break;
  }
  model_return(m, before, "read_all", 1);
  model_hold(m, f);
}

static void share(model_t *m) {
  model_stream_t *of = any_stream(m);
  hold_stream(m, uvow_stream_ref(of->s), of->origin);
}

static void drop_stream(model_t *m) {
  hold_stream(m, NULL, 0);
}

static void (*const acts[])(model_t *m) = {
    make_stream, make_stream, make_stream, push,        push,       push,
    push,        push,        end_sink,    ask_sink,    next,       next,
    each,        each,        each,        stage,       join,       tee,
    until,       read_all,    share,       drop_stream, watch_sink,
};

void model_act_on_streams(model_t *m) {
  size_t which = sim_below(&m->random, sizeof(acts) / sizeof(*acts));
  model_note(m, "stream act %zu", which);
  acts[which](m);
}

void model_drop_streams(model_t *m) {
  for (size_t i = 0; i < MODEL_SINKS; i++) {
    unsigned before = model_call(m);
    uvow_sink_drop(use_up_sink(&m->sinks[i]));
    model_return(m, before, "last sink_drop", m->closed);
  }
  for (size_t i = 0; i < MODEL_STREAMS; i++) {
    uvow_stream_t *s = m->streams[i].s;
    m->streams[i].s = NULL;
    unsigned before = model_call(m);
    uvow_stream_unref(s);
    model_return(m, before, "last stream_unref", m->closed);
  }
  for (size_t i = 0; i < m->cookie_count; i++)
    let_inner_go(&m->cookies[i]);
}
