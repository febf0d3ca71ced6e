/*
 * F6: no recursion. A million links are built, settled, rejected through,
 * adopted, canceled, closed and freed on a thread with 64 KiB of stack.
 *
 * A scenario runs on that thread and answers NULL, or what went wrong: cmocka's
 * assertions belong to the main thread.
 */
#include "support/turn.h"

#include <uvow/stream.h>

#include <pthread.h>
#include <stdio.h>

#define LINKS 1000000
#define STACK_BYTES (64 * 1024)

typedef struct deep {
  turn_t turn;
  int64_t number; /* what the end of the chain was given */
  int code;
  long ends;
  long calls;
  turn_item_t item;
  uvow_future_t **held; /* LINKS handles */
  const char *(*scenario)(struct deep *deep);
  const char *wrong;
} deep_t;

#define CHECK(condition)                                                       \
  do {                                                                         \
    if (!(condition))                                                          \
      return #condition;                                                       \
  } while (0)

static uvow_next_t plus_one(const uvow_result_t *result, void *data) {
  int64_t n = 0;
  ((deep_t *)data)->calls++;
  (void)uvow_value_get_int64(&result->value, &n);
  return uvow_next_value(uvow_value_int64(n + 1));
}

static uvow_next_t plus_one_by_future(const uvow_result_t *result, void *data) {
  int64_t n = 0;
  ((deep_t *)data)->calls++;
  (void)uvow_value_get_int64(&result->value, &n);
  return uvow_next_future(
      uvow_future_fulfilled(result->loop, uvow_value_int64(n + 1)));
}

static uvow_next_t cleanup(void *data) {
  ((deep_t *)data)->calls++;
  return uvow_next_none();
}

static void at_end(const uvow_result_t *result, void *data) {
  deep_t *deep = (deep_t *)data;
  deep->ends++;
  deep->code = uvow_error_code(result->error);
  (void)uvow_value_get_int64(&result->value, &deep->number);
}

static void told(void *data) {
  ((deep_t *)data)->ends++;
}

/* LINKS links on f. */
static uvow_future_t *links(deep_t *deep, uvow_future_t *f, uvow_then_cb cb) {
  for (long i = 0; i < LINKS; i++)
    f = uvow_future_then(f, cb, deep);
  return f;
}

static const char *settle(deep_t *deep) {
  uvow_promise_t *p;
  uvow_future_t *f = uvow_promise_new(deep->turn.loop, &p);
  CHECK(uvow_future_done(links(deep, f, plus_one), at_end, deep) == 0);
  uvow_promise_fulfill(p, uvow_value_int64(0));
  turn_run(&deep->turn);
  CHECK(deep->ends == 1 && deep->number == LINKS);
  return NULL;
}

static const char *settle_by_futures(deep_t *deep) {
  uvow_promise_t *p;
  uvow_future_t *f = uvow_promise_new(deep->turn.loop, &p);
  f = links(deep, f, plus_one_by_future);
  CHECK(uvow_future_done(f, at_end, deep) == 0);
  uvow_promise_fulfill(p, uvow_value_int64(0));
  turn_run(&deep->turn);
  CHECK(deep->ends == 1 && deep->number == LINKS);
  return NULL;
}

static const char *reject(deep_t *deep) {
  uvow_promise_t *p;
  uvow_future_t *f = uvow_promise_new(deep->turn.loop, &p);
  CHECK(uvow_future_done(links(deep, f, plus_one), at_end, deep) == 0);
  uvow_promise_drop(p);
  turn_run(&deep->turn);
  CHECK(deep->ends == 1 && deep->code == UVOW_EBROKEN && deep->calls == 0);
  return NULL;
}

static const char *cancel(deep_t *deep) {
  uvow_promise_t *p;
  uvow_future_t *f = uvow_promise_new(deep->turn.loop, &p);
  uvow_promise_on_cancel(p, told, deep, NULL);
  f = links(deep, f, plus_one);
  CHECK(uvow_future_cancel(f) == 0);
  turn_run(&deep->turn);
  CHECK(deep->ends == 1);
  uvow_promise_drop(p);
  CHECK(deep->turn.rt.links.live == 1); /* the handle, nothing else */
  uvow_future_unref(f);
  turn_run(&deep->turn);
  CHECK(deep->calls == 0);
  return NULL;
}

static const char *cancel_cleanups(deep_t *deep) {
  uvow_promise_t *p;
  uvow_future_t *f = uvow_promise_new(deep->turn.loop, &p);
  for (long i = 0; i < LINKS; i++)
    f = uvow_future_finally(f, cleanup, deep);
  CHECK(uvow_future_cancel(f) == 0);
  uvow_future_unref(f);
  uvow_promise_drop(p);
  turn_run(&deep->turn);
  CHECK(deep->calls == LINKS);
  return NULL;
}

/* The outermost first: each new one is what the last follows. */
static const char *adopt_inwards(deep_t *deep, int hold) {
  uvow_promise_t *p, *next;
  uvow_future_t *f = uvow_promise_new(deep->turn.loop, &p);
  CHECK(uvow_future_done(f, at_end, deep) == 0);
  for (long i = 0; i < LINKS; i++) {
    f = uvow_promise_new(deep->turn.loop, &next);
    if (hold)
      deep->held[i] = uvow_future_ref(f);
    uvow_promise_follow(p, f);
    p = next;
  }
  uvow_promise_fulfill(p, turn_item(&turn_type_unique, &deep->item));
  turn_run(&deep->turn);
  CHECK(deep->ends == 1 && deep->code == 0);
  for (long i = 0; hold && i < LINKS; i++)
    uvow_future_unref(deep->held[i]);
  turn_run(&deep->turn);
  CHECK(deep->item.destroyed == 1);
  return NULL;
}

static const char *adopt_inwards_short(deep_t *deep) {
  return adopt_inwards(deep, 0);
}

static const char *adopt_inwards_held(deep_t *deep) {
  return adopt_inwards(deep, 1);
}

/* The innermost first. */
static const char *adopt_outwards(deep_t *deep, int hold, int drop) {
  uvow_promise_t *p, *root;
  uvow_future_t *f = uvow_promise_new(deep->turn.loop, &root);
  uvow_promise_on_cancel(root, told, deep, NULL);
  for (long i = 0; i < LINKS; i++) {
    uvow_future_t *inner = f;
    f = uvow_promise_new(deep->turn.loop, &p);
    if (hold)
      deep->held[i] = uvow_future_ref(f);
    uvow_promise_follow(p, inner);
  }
  if (drop) {
    CHECK(uvow_future_cancel(f) == 0);
    uvow_future_unref(f);
    turn_run(&deep->turn);
    uvow_promise_drop(root);
    CHECK(deep->ends == 1);
    return NULL;
  }
  CHECK(uvow_future_done(f, at_end, deep) == 0);
  uvow_promise_fulfill(root, turn_item(&turn_type_unique, &deep->item));
  turn_run(&deep->turn);
  CHECK(deep->ends == 1 && deep->code == 0);
  for (long i = LINKS; hold && i-- > 0;)
    uvow_future_unref(deep->held[i]);
  turn_run(&deep->turn);
  CHECK(deep->item.destroyed == 1);
  return NULL;
}

static const char *adopt_outwards_free(deep_t *deep) {
  return adopt_outwards(deep, 0, 0);
}

static const char *adopt_outwards_held(deep_t *deep) {
  return adopt_outwards(deep, 1, 0);
}

static const char *adopt_outwards_cancel(deep_t *deep) {
  return adopt_outwards(deep, 0, 1);
}

static const char *find_cycle(deep_t *deep) {
  uvow_promise_t *p;
  uvow_future_t *f = links(deep, uvow_promise_new(deep->turn.loop, &p), NULL);
  CHECK(uvow_future_done(uvow_future_ref(f), at_end, deep) == 0);
  uvow_promise_follow(p, f); /* a cycle that is too long to be found */
  turn_run(&deep->turn);
  CHECK(deep->ends == 0);
  uvow__runtime_close(&deep->turn.rt);
  CHECK(deep->ends == 1 && deep->code == UVOW_ECLOSED);
  return NULL;
}

/* A value without ref, and every link held: all keep the one future. */
static const char *share(deep_t *deep) {
  uvow_promise_t *p;
  uvow_future_t *f = uvow_promise_new(deep->turn.loop, &p);
  for (long i = 0; i < LINKS; i++) {
    deep->held[i] = uvow_future_ref(f);
    f = uvow_future_then(f, NULL, NULL);
  }
  uvow_promise_fulfill(p, turn_item(&turn_type_unique, &deep->item));
  turn_run(&deep->turn);
  for (long i = 0; i < LINKS; i++)
    uvow_future_unref(deep->held[i]);
  CHECK(deep->item.destroyed == 0);
  uvow_future_unref(f);
  turn_run(&deep->turn);
  CHECK(deep->item.destroyed == 1);
  return NULL;
}

static const char *close_pending(deep_t *deep) {
  uvow_promise_t *p;
  uvow_future_t *f = uvow_promise_new(deep->turn.loop, &p);
  CHECK(uvow_future_done(links(deep, f, NULL), at_end, deep) == 0);
  uvow__runtime_close(&deep->turn.rt);
  CHECK(deep->ends == 1 && deep->code == UVOW_ECLOSED);
  uvow_promise_drop(p);
  return NULL;
}

static const char *wide(deep_t *deep) {
  uvow_promise_t *p;
  uvow_future_t *f = uvow_promise_new(deep->turn.loop, &p);
  for (long i = 0; i < LINKS; i++)
    CHECK(uvow_future_done(uvow_future_ref(f), at_end, deep) == 0);
  uvow_future_unref(f);
  uvow_promise_fulfill(p, uvow_value_none());
  turn_run(&deep->turn);
  CHECK(deep->ends == LINKS);
  return NULL;
}

static uvow_next_t on_item(const uvow_result_t *result, void *data) {
  (void)result;
  ((deep_t *)data)->calls++;
  return uvow_next_none();
}

/* A million items wait for an each; as many nexts wait for items. */
static const char *items(deep_t *deep) {
  uvow_stream_options_t options = {sizeof(options), LINKS, 0, UVOW_FULL_WAIT,
                                   0};
  uvow_sink_t *sink;
  uvow_stream_t *s = uvow_stream_new(deep->turn.loop, &options, &sink);
  for (long i = 0; i < LINKS; i++)
    CHECK(uvow_sink_push(sink, uvow_value_int64(i)) == (i == LINKS - 1));
  CHECK(uvow_future_done(uvow_stream_each(s, on_item, deep), at_end, deep) ==
        0);
  uvow_sink_end(sink);
  turn_run(&deep->turn);
  CHECK(deep->ends == 1 && deep->calls == LINKS);
  s = uvow_stream_new(deep->turn.loop, &options, &sink);
  for (long i = 0; i < LINKS; i++)
    CHECK(uvow_future_done(uvow_stream_next(s), at_end, deep) == 0);
  for (long i = 0; i < LINKS / 2; i++)
    CHECK(uvow_sink_push(sink, uvow_value_int64(i)) == 0);
  uvow_sink_end(sink);
  uvow_stream_unref(s);
  turn_run(&deep->turn);
  CHECK(deep->ends == LINKS + 1);
  return NULL;
}

/* A pipeline of many stages: asked, let go of. */
static const char *stages(deep_t *deep) {
  uvow_sink_t *sink;
  uvow_stream_t *s = uvow_stream_new(deep->turn.loop, NULL, &sink);
  for (long i = 0; i < LINKS / 10; i++)
    s = uvow_stream_take(s, 2);
  CHECK(uvow_future_done(uvow_stream_next(s), at_end, deep) == 0);
  CHECK(uvow_sink_push(sink, uvow_value_int64(7)) == 0);
  turn_run(&deep->turn);
  CHECK(deep->ends == 1 && deep->number == 7);
  uvow_sink_on_cancel(sink, told, deep, NULL);
  uvow_stream_unref(s);
  turn_run(&deep->turn);
  CHECK(deep->ends == 2);
  uvow_sink_end(sink);
  turn_run(&deep->turn);
  return NULL;
}

static void *on_thread(void *data) {
  deep_t *deep = (deep_t *)data;
  deep->wrong = deep->scenario(deep);
  return NULL;
}

/* Whether there could be such a thread. */
static int run_thread(deep_t *deep) {
  pthread_t thread;
  pthread_attr_t attr;
  int ran = 0;
  if (pthread_attr_init(&attr))
    return 0;
  if (pthread_attr_setstacksize(&attr, STACK_BYTES) == 0 &&
      pthread_create(&thread, &attr, on_thread, deep) == 0)
    ran = pthread_join(thread, NULL) == 0;
  pthread_attr_destroy(&attr);
  return ran;
}

static void run(const char *(*scenario)(deep_t *deep)) {
  deep_t deep;
  memset(&deep, 0, sizeof(deep));
  deep.scenario = scenario;
  deep.held = (uvow_future_t **)calloc(LINKS, sizeof(*deep.held));
  assert_non_null(deep.held);
  turn_init(&deep.turn);
  int ran = run_thread(&deep);
  free(deep.held);
  if (!ran) {
    printf("# skip: no thread may have a stack of 64 KiB here\n");
    skip();
  }
  if (deep.wrong)
    fail_msg("%s", deep.wrong);
  turn_end(&deep.turn);
}

#define DEEP(name)                                                             \
  TEST_CASE(f6_deep_##name) {                                                  \
    run(name);                                                                 \
  }

DEEP(settle)
DEEP(settle_by_futures)
DEEP(reject)
DEEP(cancel)
DEEP(cancel_cleanups)
DEEP(adopt_inwards_short)
DEEP(adopt_inwards_held)
DEEP(adopt_outwards_free)
DEEP(adopt_outwards_held)
DEEP(adopt_outwards_cancel)
DEEP(find_cycle)
DEEP(share)
DEEP(close_pending)
DEEP(wide)
DEEP(items)
DEEP(stages)

TEST_MODULE(deep) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(f6_deep_settle),
      cmocka_unit_test(f6_deep_settle_by_futures),
      cmocka_unit_test(f6_deep_reject),
      cmocka_unit_test(f6_deep_cancel),
      cmocka_unit_test(f6_deep_cancel_cleanups),
      cmocka_unit_test(f6_deep_adopt_inwards_short),
      cmocka_unit_test(f6_deep_adopt_inwards_held),
      cmocka_unit_test(f6_deep_adopt_outwards_free),
      cmocka_unit_test(f6_deep_adopt_outwards_held),
      cmocka_unit_test(f6_deep_adopt_outwards_cancel),
      cmocka_unit_test(f6_deep_find_cycle),
      cmocka_unit_test(f6_deep_share),
      cmocka_unit_test(f6_deep_close_pending),
      cmocka_unit_test(f6_deep_wide),
      cmocka_unit_test(f6_deep_items),
      cmocka_unit_test(f6_deep_stages),
  };
  return cmocka_run_group_tests_name("future/deep", tests, NULL, NULL);
}
