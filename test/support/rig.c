#include "rig.h"

#include <uvow/combine.h>

#include <stdio.h>

#include "base/error.h"
#include "future/bytes.h"
#include "future/stream_items.h"

static void thing_destroy(void *ptr) {
  ((thing_t *)ptr)->destroyed++;
}

static const uvow_type_t thing_type = {sizeof(uvow_type_t), "thing", NULL,
                                       thing_destroy};

static void put(rig_t *rig, const char *text) {
  size_t len = strlen(rig->log);
  assert_true(len + strlen(text) + 2 < sizeof(rig->log));
  (void)snprintf(rig->log + len, sizeof(rig->log) - len, "%s%s", len ? " " : "",
                 text);
}

static void put_number(rig_t *rig, int number) {
  char text[16];
  (void)snprintf(text, sizeof(text), "%d", number);
  put(rig, text);
}

static void on_owner(void *data) {
  ((rig_t *)data)->told++;
}

/* A callback of the stage's (where 0), or the reader's, has its item. */
static void seen(rig_t *rig, int where) {
  if (++rig->seen[where] != 2 || !rig->act || where == rig->acts_in_stage)
    return;
  rig->acted = rig->pushed;
  rig->act(rig);
}

static int number_of(const uvow_value_t *value) {
  uvow__slice_t text;
  const uvow_results_t *results;
  uvow_result_t first;
  void *thing;
  if (uvow_value_get_ptr(value, &thing_type, &thing) == 0)
    return ((const thing_t *)thing)->number;
  if (uvow_value_get_results(value, &results) == 0) {
    assert_int_equal(uvow_results_get(results, 0, &first), 0);
    return number_of(&first.value);
  }
  assert_int_equal(uvow__value_slice(value, &text), 0);
  return text.ptr[0] - '0';
}

static void see_value(rig_t *rig, const uvow_result_t *item) {
  const uvow_results_t *results;
  uvow_result_t one;
  if (item->error) {
    put(rig, "!");
    return;
  }
  if (uvow_value_get_results(&item->value, &results)) {
    put_number(rig, number_of(&item->value));
    return;
  }
  for (size_t i = 0; i < uvow_results_count(results); i++) {
    assert_int_equal(uvow_results_get(results, i, &one), 0);
    see_value(rig, &one);
  }
}

static void add_missed(rig_t *rig, const uvow_result_t *item) {
  rig->missed = uvow__missed_add(rig->missed, uvow_result_missed(item));
}

static void see_item(rig_t *rig, const uvow_result_t *item) {
  add_missed(rig, item);
  if (item->error || item->value.type)
    see_value(rig, item);
  else
    rig->gaps++;
  seen(rig, 1);
}

static void see_end(rig_t *rig, const uvow_result_t *end) {
  char text[32] = "end";
  int64_t n;
  rig->ends++;
  add_missed(rig, end);
  if (end->error)
    (void)snprintf(text, sizeof(text), "end!%s",
                   uvow__error_name(uvow_error_code(end->error)) + 5);
  else if (uvow_value_get_int64(&end->value, &n) == 0)
    (void)snprintf(text, sizeof(text), "end=%d", (int)n);
  put(rig, text);
}

/* ---- readers ---- */

static uvow_next_t on_item(const uvow_result_t *item, void *data) {
  see_item((rig_t *)data, item);
  return uvow_next_none();
}

static void on_end(const uvow_result_t *end, void *data) {
  see_end((rig_t *)data, end);
}

static uvow_future_t *read_each(rig_t *rig, uvow_stream_t *s) {
  return uvow_stream_each(s, on_item, rig);
}

static uvow_next_t on_kept(const uvow_result_t *item, void *data) {
  rig_t *rig = (rig_t *)data;
  uvow_value_t kept = uvow_result_keep(item); /* the cell isn't used again */
  see_item(rig, item);
  return uvow_next_value(kept);
}

static uvow_future_t *read_keeping(rig_t *rig, uvow_stream_t *s) {
  return uvow_stream_each(s, on_kept, rig);
}

static uvow_next_t on_one(const uvow_result_t *item, void *data) {
  rig_t *rig = (rig_t *)data;
  if (uvow_result_is_end(item))
    return uvow_next_pass();
  uvow_stream_t *s = uvow_stream_ref(rig->out);
  see_item(rig, item);
  uvow_future_t *f = uvow_stream_next(s);
  uvow_stream_unref(s);
  return uvow_next_future(uvow_future_then(f, on_one, rig));
}

static uvow_future_t *read_nexts(rig_t *rig, uvow_stream_t *s) {
  uvow_future_t *f = uvow_future_then(uvow_stream_next(s), on_one, rig);
  uvow_stream_unref(s);
  return f;
}

static uvow_future_t *read_all(rig_t *rig, uvow_stream_t *s) {
  (void)rig;
  return uvow_stream_collect(s, 100);
}

static uvow_future_t *read_piped(rig_t *rig, uvow_stream_t *s) {
  uvow_sink_t *sink;
  uvow_stream_t *to = uvow_stream_new(rig->turn.loop, NULL, &sink);
  uvow_future_detach(uvow_stream_pipe(s, sink));
  return uvow_stream_each(to, on_item, rig);
}

static const reader_t readers[] = {
    {"each", read_each, 0},  {"each that keeps", read_keeping, 0},
    {"next", read_nexts, 0}, {"collect", read_all, 1},
    {"pipe", read_piped, 0},
};

/* ---- stages ---- */

static uvow_next_t on_map(const uvow_result_t *item, void *data) {
  rig_t *rig = (rig_t *)data;
  assert_true(item->value.type != NULL); /* no gap */
  seen(rig, 0);
  if (number_of(&item->value) == rig->fails_at)
    return uvow_next_code(UVOW_EPROTO, NULL);
  return uvow_next_pass();
}

static void on_later_gone(void *data) {
  rig_t *rig = (rig_t *)data;
  uvow_promise_t *p = rig->later;
  rig->later = NULL;
  uvow_value_clear(&rig->kept);
  uvow_promise_drop(p);
}

static uvow_next_t on_wait(const uvow_result_t *item, void *data) {
  rig_t *rig = (rig_t *)data;
  uvow_next_t next = on_map(item, data);
  if (next.kind != UVOW_NEXT_PASS)
    return next;
  uvow_future_t *f = uvow_promise_new(item->loop, &rig->later);
  if (!f)
    return uvow_next_code(UVOW_ENOMEM, NULL);
  rig->kept = uvow_result_keep(item);
  uvow_promise_on_cancel(rig->later, on_later_gone, rig, NULL);
  return uvow_next_future(f);
}

static int on_filter(const uvow_result_t *item, void *data) {
  rig_t *rig = (rig_t *)data;
  assert_true(item->value.type != NULL);
  seen(rig, 0);
  return !(rig->stage->is & DROPS_EVEN) || number_of(&item->value) % 2;
}

static uvow_stream_t *as_it_is(rig_t *rig, uvow_stream_t *s) {
  (void)rig;
  return s;
}

static uvow_stream_t *mapped(rig_t *rig, uvow_stream_t *s) {
  return uvow_stream_map(s, on_map, rig);
}

static uvow_stream_t *mapped_later(rig_t *rig, uvow_stream_t *s) {
  return uvow_stream_map(s, on_wait, rig);
}

static uvow_stream_t *filtered(rig_t *rig, uvow_stream_t *s) {
  return uvow_stream_filter(s, on_filter, rig);
}

static uvow_stream_t *taken(rig_t *rig, uvow_stream_t *s) {
  (void)rig;
  return uvow_stream_take(s, 100);
}

static uvow_stream_t *until(rig_t *rig, uvow_stream_t *s) {
  return uvow_stream_until(s, uvow_future_delay(rig->turn.loop, NEVER_MS));
}

static uvow_stream_t *in_time(rig_t *rig, uvow_stream_t *s) {
  (void)rig;
  return uvow_stream_timeout(s, NEVER_MS);
}

static uvow_stream_t *batched(rig_t *rig, uvow_stream_t *s) {
  (void)rig;
  return uvow_stream_batch(s, 3, MS);
}

static uvow_stream_t *debounced(rig_t *rig, uvow_stream_t *s) {
  (void)rig;
  return uvow_stream_debounce(s, MS);
}

static uvow_stream_t *throttled(rig_t *rig, uvow_stream_t *s) {
  (void)rig;
  return uvow_stream_throttle(s, MS);
}

static uvow_stream_t *lines(rig_t *rig, uvow_stream_t *s) {
  (void)rig;
  return uvow_stream_lines(s, 100);
}

static uvow_stream_t *merged(rig_t *rig, uvow_stream_t *s) {
  uvow_sink_t *sink;
  uvow_stream_t *both[2];
  both[0] = uvow_stream_new(rig->turn.loop, NULL, &sink);
  uvow_sink_end(sink);
  both[1] = s;
  return uvow_stream_merge(rig->turn.loop, both, 2);
}

/* The copy is read. */
static uvow_stream_t *copied(rig_t *rig, uvow_stream_t *s) {
  uvow_stream_t *copy = uvow_stream_tee(s, NULL);
  (void)rig;
  uvow_stream_unref(s);
  return copy;
}

/* The stream is read, and has a copy that isn't. */
static uvow_stream_t *teed(rig_t *rig, uvow_stream_t *s) {
  uvow_stream_options_t latest = {sizeof(latest), 0, 0, UVOW_FULL_LATEST, 0};
  rig->aside = uvow_stream_tee(s, &latest);
  return s;
}

/* Instead of the stream. */
static uvow_stream_t *settling(rig_t *rig, uvow_stream_t *s) {
  uvow_future_t *futures[THINGS];
  uvow_stream_unref(s);
  uvow_sink_end(rig->sink);
  rig->sink = NULL;
  for (int i = 0; i < THINGS; i++) {
    futures[i] = uvow_promise_new(rig->turn.loop, &rig->promises[i]);
    if (i == THINGS - 1)
      uvow_promise_on_cancel(rig->promises[i], on_owner, rig, NULL);
  }
  return uvow_stream_of_futures(rig->turn.loop, futures, THINGS);
}

static const stage_t stages[] = {
    {"none", as_it_is, 0},
    {"map", mapped, HAS_CALL},
    {"map to a future", mapped_later, HAS_CALL},
    {"filter", filtered, HAS_CALL},
    {"filter of odd ones", filtered, HAS_CALL | DROPS_EVEN},
    {"take", taken, 0},
    {"until", until, 0},
    {"timeout", in_time, 0},
    {"batch", batched, 0},
    {"debounce", debounced, DROPS_FAST},
    {"throttle", throttled, DROPS_FAST},
    {"lines", lines, OF_BYTES},
    {"merge", merged, ENDS_BARE},
    {"tee, the copy", copied, IS_COPY},
    {"tee, the stream", teed, 0},
    {"futures", settling, OF_FUTURES | ENDS_BARE},
};

/* ---- a run ---- */

static void settle_later(rig_t *rig) {
  uvow_promise_t *p = rig->later;
  uvow_value_t value = rig->kept;
  rig->later = NULL;
  rig->kept = uvow_value_none();
  uvow_promise_fulfill(p, value);
}

static void turn_pass(turn_t *turn, uint64_t ms) {
  turn->now_ns += ms * 1000000;
  uvow__runtime_enter(&turn->rt);
  uvow__runtime_expire(&turn->rt);
  uvow__runtime_leave(&turn->rt);
  turn_run(turn);
}

void rig_run(rig_t *rig) {
  turn_run(&rig->turn);
  turn_pass(&rig->turn, MS + 1);
  while (rig->later) {
    settle_later(rig);
    turn_run(&rig->turn);
  }
}

static uvow_stream_t *rig_fails(rig_t *rig, uvow_stream_t *s) {
  return rig->fails_at ? uvow_stream_map(s, on_map, rig) : s;
}

void rig_make(rig_t *rig, const uvow_stream_options_t *bounds,
              int fails_above) {
  rig->s = uvow_stream_new(rig->turn.loop, bounds, &rig->sink);
  uvow_sink_on_cancel(rig->sink, on_owner, rig, NULL);
  uvow_stream_t *s = fails_above ? rig_fails(rig, rig->s) : rig->s;
  s = rig->stage->make(rig, s);
  rig->out = uvow_stream_ref(fails_above ? s : rig_fails(rig, s));
}

/* The end of what gathers is all items. */
static void on_gathered(const uvow_result_t *result, void *data) {
  rig_t *rig = (rig_t *)data;
  uvow_result_t bare = *result;
  if (!result->error) {
    see_value(rig, result);
    bare.value = uvow_value_none();
  }
  see_end(rig, &bare);
}

void rig_read(rig_t *rig) {
  rig->reading = rig->reader->read(rig, rig->out);
  rig->unheard =
      uvow_future_done(uvow_future_ref(rig->reading),
                       rig->reader->gathers ? on_gathered : on_end, rig) != 0;
  turn_run(&rig->turn);
}

void rig_start(rig_t *rig, const stage_t *stage, const reader_t *reader) {
  memset(rig, 0, sizeof(*rig));
  rig->stage = stage;
  rig->reader = reader;
  turn_init(&rig->turn);
}

void rig_begin(rig_t *rig, const stage_t *stage, const reader_t *reader) {
  rig_start(rig, stage, reader);
  rig_make(rig, NULL, 0);
  rig_read(rig);
}

static uvow_value_t next_thing(rig_t *rig) {
  static const char *const texts[] = {"1\n", "2\n", "3\n", "4\n", "5\n"};
  int n = rig->pushed++;
  if (rig->stage->is & OF_BYTES)
    return uvow_value_raw(texts[n]);
  rig->things[n].number = n + 1;
  return uvow_value_ptr(&thing_type, &rig->things[n]);
}

void rig_push(rig_t *rig) {
  if (rig->pushed == THINGS)
    return;
  if (rig->stage->is & OF_FUTURES) {
    uvow_promise_t *p = rig->promises[rig->pushed];
    rig->promises[rig->pushed] = NULL;
    uvow_promise_fulfill(p, next_thing(rig));
  } else {
    rig->refused |= uvow_sink_push(rig->sink, next_thing(rig)) < 0;
  }
}

void rig_push_slowly(rig_t *rig, int n) {
  while (n--) {
    rig_push(rig);
    rig_run(rig);
  }
}

void rig_push_fast(rig_t *rig, int n) {
  while (n--)
    rig_push(rig);
}

void rig_end(rig_t *rig) {
  uvow_sink_t *sink = rig->sink;
  rig->sink = NULL;
  uvow_sink_end_value(sink, uvow_value_int64(9));
}

void rig_fail(rig_t *rig) {
  uvow_sink_t *sink = rig->sink;
  rig->sink = NULL;
  uvow_sink_fail(sink, uvow_error_new(rig->turn.loop, UVOW_EURL, NULL));
}

void rig_let_go(rig_t *rig) {
  uvow_stream_t *out = rig->out;
  uvow_stream_t *aside = rig->aside;
  rig->out = rig->aside = NULL;
  uvow_stream_unref(out);
  uvow_stream_unref(aside);
}

void rig_free(rig_t *rig) {
  uvow_future_t *reading = rig->reading;
  rig_let_go(rig);
  rig->reading = NULL;
  uvow_future_unref(reading);
  for (int i = 0; i < THINGS; i++)
    uvow_promise_drop(rig->promises[i]);
  if (rig->sink)
    rig_end(rig);
}

void rig_check_items(const rig_t *rig) {
  for (int i = 0; i < rig->pushed && !(rig->stage->is & OF_BYTES); i++)
    assert_int_equal(rig->things[i].destroyed, 1);
}

void rig_done(rig_t *rig) {
  rig_free(rig);
  rig_run(rig);
  turn_pass(&rig->turn, NEVER_MS); /* delays that nobody waits for */
  rig_check_items(rig);
  assert_true(rig->ends <= 1);
  assert_true(rig->told <= 1);
  assert_int_equal(rig->turn.rt.holds, 0);
  rig->turn.unhandled[0] = '\0';
  turn_end(&rig->turn);
}

void rig_expect(const rig_t *rig, int n, const char *end) {
  char text[64] = "";
  size_t len = 0;
  int step = rig->stage->is & DROPS_EVEN ? 2 : 1;
  int bare = rig->reader->gathers || (rig->stage->is & ENDS_BARE);
  if (rig->reader->gathers && strchr(end, '!'))
    n = 0;
  for (int i = 1; i <= n; i += step)
    len += (size_t)snprintf(text + len, sizeof(text) - len, "%d ", i);
  (void)snprintf(text + len, sizeof(text) - len, "%s",
                 bare && strcmp(end, "end=9") == 0 ? "end" : end);
  if (strcmp(rig->log, text) != 0)
    print_error("%s, read by %s\n", rig->stage->name, rig->reader->name);
  assert_string_equal(rig->log, text);
}

void rig_expect_told(const rig_t *rig, int told) {
  if (rig->told != told)
    print_error("%s, read by %s\n", rig->stage->name, rig->reader->name);
  assert_int_equal(rig->told, told);
}

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

void rig_at_all(void (*point)(const stage_t *stage, const reader_t *reader)) {
  for (size_t i = 0; i < COUNT(stages); i++)
    for (size_t k = 0; k < COUNT(readers); k++)
      point(&stages[i], &readers[k]);
}
