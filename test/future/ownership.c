/*
 * F1: data is destroyed exactly once, on every path; and a seeded random test
 * of everything at once: each callback at most once, each destructor and each
 * value exactly once, and nothing is left.
 */
#include "support/turn.h"

TEST_CASE(f1_data_is_destroyed_after_the_callback) {
  for (int reject = 0; reject < 2; reject++) {
    turn_t turn;
    turn_init(&turn);
    turn_mark_t a = turn_mark(&turn, "a");
    uvow_promise_t *p;
    uvow_future_t *f = turn_chain(uvow_promise_new(turn.loop, &p), &a);
    if (reject)
      uvow_promise_drop(p);
    else
      uvow_promise_fulfill(p, uvow_value_none());
    turn_expect(&turn, "");
    turn_run(&turn);
    turn_expect(&turn, reject ? "a!EBROKEN a." : "a+ a.");
    uvow_future_unref(uvow_future_catch(f, NULL, NULL));
    turn_run(&turn);
    turn_expect_unhandled(&turn, reject ? "EBROKEN EBROKEN" : "");
    turn_end(&turn);
  }
}

TEST_CASE(f1_data_is_destroyed_where_no_callback_runs) {
  turn_t turn;
  turn_init(&turn);
  turn_mark_t a = turn_mark(&turn, "a");
  uvow_chain_options_t options = {sizeof(options), NULL, turn_then, &a,
                                  turn_destroy};
  uvow_future_t *f = uvow_future_fulfilled(turn.loop, uvow_value_none());
  uvow_future_detach(uvow_future_chain(f, &options));
  turn_run(&turn);
  turn_expect(&turn, "a.");
  turn_end(&turn);
}

TEST_CASE(f1_data_is_destroyed_by_a_cancel) {
  turn_t turn;
  turn_init(&turn);
  turn_mark_t a = turn_mark(&turn, "a");
  uvow_promise_t *p;
  uvow_future_t *f = turn_chain(uvow_promise_new(turn.loop, &p), &a);
  uvow_future_cancel(f);
  turn_expect(&turn, "");
  turn_run(&turn);
  turn_expect(&turn, "a.");
  uvow_future_unref(f);
  uvow_promise_drop(p);
  turn_end(&turn);
}

TEST_CASE(f1_data_is_destroyed_by_close) {
  turn_t turn;
  turn_init(&turn);
  turn_mark_t a = turn_mark(&turn, "a");
  turn_mark_t b = turn_mark(&turn, "b");
  uvow_promise_t *p;
  uvow_future_t *f = turn_chain(uvow_promise_new(turn.loop, &p), &a);
  turn_close(&turn);
  turn_expect(&turn, "a!ECLOSED a.");
  assert_null(turn_chain(f, &b));
  turn_expect(&turn, "b.");
  assert_int_equal(turn.releases, 0);
  uvow_promise_drop(p);
  turn_assert_released(&turn);
}

TEST_CASE(f1_data_is_destroyed_without_memory) {
  turn_t turn;
  turn_init(&turn);
  turn_mark_t a = turn_mark(&turn, "a");
  uvow_future_t *f = uvow_future_fulfilled(turn.loop, uvow_value_none());
  uvow_future_t *more[200];
  size_t n = 0;
  turn.alloc->fail_at = 1;
  turn.alloc->fail_all_after = 1;
  while ((more[n] = uvow_future_fulfilled(turn.loop, uvow_value_none())))
    n++;
  assert_null(turn_chain(f, &a));
  turn_expect(&turn, "a.");
  while (n)
    uvow_future_unref(more[--n]);
  turn_end(&turn);
}

static void unrefs_future(void *data) {
  turn_mark_t *mark = (turn_mark_t *)data;
  turn_destroy(mark);
  uvow_future_cancel(mark->future);
  uvow_future_unref(mark->future);
}

TEST_CASE(f1_a_destructor_may_cancel_and_let_go_of_its_link) {
  for (int cancel = 0; cancel < 2; cancel++) {
    turn_t turn;
    turn_init(&turn);
    turn_mark_t a = turn_mark(&turn, "a");
    uvow_chain_options_t options = {sizeof(options), turn_then, NULL, &a,
                                    unrefs_future};
    uvow_promise_t *p;
    a.future = uvow_future_chain(uvow_promise_new(turn.loop, &p), &options);
    if (cancel) {
      assert_int_equal(uvow_future_cancel(a.future), 0);
      turn_run(&turn);
      turn_expect(&turn, "a.");
    }
    uvow_promise_fulfill(p, uvow_value_none());
    turn_run(&turn);
    turn_expect(&turn, cancel ? "" : "a+ a.");
    turn_end(&turn);
  }
}

/* ---- random graphs ----------------------------------------------------- */

#define FUTURES 24
#define ROOTS 12
#define LINKS 120
#define STEPS 160
#define ITEMS 400

typedef struct world world_t;

/* The data of one callback. */
typedef struct part {
  world_t *world;
  int has_destroy;
  int is_finally;
  int is_done;
  int called;
  int destroyed;
} part_t;

struct world {
  turn_t turn;
  uint64_t random;
  uvow_future_t *futures[FUTURES];
  uvow_promise_t *roots[ROOTS];
  int told[ROOTS]; /* on_cancel calls */
  part_t parts[LINKS];
  size_t n_parts;
  turn_item_t items[ITEMS];
  size_t n_items;
};

static unsigned rnd(world_t *w, unsigned below) {
  w->random = w->random * UINT64_C(6364136223846793005) + 1442695040888963407u;
  return (unsigned)(w->random >> 33) % below;
}

static uvow_value_t rnd_value(world_t *w) {
  if (w->n_items == ITEMS || rnd(w, 3) == 0)
    return uvow_value_int64(1);
  const uvow_type_t *type = rnd(w, 2) ? &turn_type_unique : &turn_type_counted;
  return turn_item(type, &w->items[w->n_items++]);
}

static uvow_error_t *rnd_error(world_t *w) {
  return rnd(w, 4) ? uvow_error_new(w->turn.loop, UVOW_EURL, "random") : NULL;
}

/* A reference to a random future of the world, or NULL. */
static uvow_future_t *rnd_future(world_t *w) {
  return uvow_future_ref(w->futures[rnd(w, FUTURES)]);
}

static void step(world_t *w);

/* Values are made when the callback runs: it owns nothing before. */
static uvow_next_t rnd_next(world_t *w) {
  switch (rnd(w, 6)) {
  case 0:
    return uvow_next_value(rnd_value(w));
  case 1:
    return uvow_next_error(rnd_error(w));
  case 2:
    return uvow_next_code(UVOW_EPROTO, "text");
  case 3:
  case 4:
    return uvow_next_future(rnd_future(w));
  default:
    return uvow_next_pass();
  }
}

static void part_called(part_t *part) {
  world_t *w = part->world;
  assert_int_equal(part->called, 0);
  assert_int_equal(part->destroyed, 0);
  part->called = 1;
  if (rnd(w, 3) == 0)
    step(w);
}

static uvow_next_t part_then(const uvow_result_t *result, void *data) {
  part_t *part = (part_t *)data;
  part_called(part);
  if (!result->error && rnd(part->world, 4) == 0)
    return uvow_next_value(uvow_result_keep(result));
  return rnd_next(part->world);
}

static uvow_next_t part_finally(void *data) {
  part_t *part = (part_t *)data;
  part_called(part);
  return rnd_next(part->world);
}

static void part_done(const uvow_result_t *result, void *data) {
  (void)result;
  part_called((part_t *)data);
}

static void part_destroy(void *data) {
  part_t *part = (part_t *)data;
  assert_int_equal(part->destroyed, 0);
  part->destroyed = 1;
}

static void part_cancel(void *data) {
  int *told = (int *)data;
  assert_int_equal(*told, 0);
  *told = 1;
}

/* Stores a handle in a random place; lets go of what was there. */
static void put(world_t *w, uvow_future_t *f) {
  unsigned at = rnd(w, FUTURES);
  uvow_future_t *old = w->futures[at];
  w->futures[at] = f;
  uvow_future_unref(old);
}

static void attach(world_t *w) {
  uvow_future_t *f = rnd_future(w);
  if (!f || w->n_parts == LINKS) {
    uvow_future_unref(f);
    return;
  }
  part_t *part = &w->parts[w->n_parts++];
  uvow_chain_options_t options = {sizeof(options), part_then, part_then, part,
                                  part_destroy};
  part->world = w;
  switch (rnd(w, 5)) {
  case 0:
    put(w, uvow_future_then(f, part_then, part));
    break;
  case 1:
    put(w, uvow_future_catch(f, part_then, part));
    break;
  case 2:
    part->is_finally = !w->turn.rt.closed;
    put(w, uvow_future_finally(f, part_finally, part));
    break;
  case 3:
    part->is_done = uvow_future_done(f, part_done, part) == 0;
    assert_true(part->is_done || w->turn.rt.closed);
    break;
  default:
    part->has_destroy = 1;
    put(w, uvow_future_chain(f, &options));
    break;
  }
}

static void new_root(world_t *w, unsigned at) {
  uvow_promise_drop(w->roots[at]);
  uvow_future_t *f = uvow_promise_new(w->turn.loop, &w->roots[at]);
  w->told[at] = 0;
  uvow_promise_on_cancel(w->roots[at], part_cancel, &w->told[at], NULL);
  put(w, f);
}

static void end_root(world_t *w, unsigned at) {
  uvow_promise_t *p = w->roots[at];
  unsigned how = rnd(w, 5);
  w->roots[at] = NULL;
  if (how == 0)
    uvow_promise_fulfill(p, rnd_value(w));
  else if (how == 1)
    uvow_promise_reject(p, rnd_error(w));
  else if (how == 2)
    uvow_promise_drop(p);
  else
    uvow_promise_follow(p, rnd_future(w));
}

static void step(world_t *w) {
  unsigned at = rnd(w, ROOTS);
  switch (rnd(w, 10)) {
  case 0:
  case 1:
    new_root(w, at);
    break;
  case 2:
  case 3:
    end_root(w, at);
    break;
  case 4:
    uvow_promise_try_fulfill(w->roots[at], rnd_value(w));
    break;
  case 5:
    put(w, rnd(w, 2) ? NULL : rnd_future(w));
    break;
  case 6: {
    uvow_future_t *f = rnd_future(w);
    uvow_future_cancel(f);
    uvow_future_unref(f);
    break;
  }
  default:
    attach(w);
    break;
  }
}

static void check(const world_t *w) {
  for (size_t i = 0; i < w->n_parts; i++) {
    const part_t *part = &w->parts[i];
    assert_int_equal(part->destroyed, part->has_destroy);
    if (part->is_finally || part->is_done)
      assert_int_equal(part->called, 1);
  }
  for (size_t i = 0; i < w->n_items; i++) {
    assert_int_equal(w->items[i].owners, 0);
    assert_int_equal(w->items[i].destroyed, 1);
  }
}

/* Ends all that the world holds. Returns whether something may be left. */
static int let_go(world_t *w) {
  int found = !uvow__queue_empty(&w->turn.rt.queue);
  for (unsigned i = 0; i < ROOTS; i++) {
    uvow_promise_t *p = w->roots[i];
    w->roots[i] = NULL;
    found |= p != NULL;
    uvow_promise_drop(p);
  }
  for (unsigned i = 0; i < FUTURES; i++) {
    uvow_future_t *f = w->futures[i];
    w->futures[i] = NULL;
    found |= f != NULL;
    uvow_future_unref(f);
  }
  return found;
}

static void play(uint64_t seed) {
  static world_t w;
  memset(&w, 0, sizeof(w));
  turn_init(&w.turn);
  w.turn.rt.on_unhandled = NULL;
  w.random = seed * UINT64_C(0x9E3779B97F4A7C15);
  int closes = rnd(&w, 4) == 0;
  unsigned steps = 10 + rnd(&w, STEPS - 10);
  for (unsigned i = 0; i < steps; i++) {
    step(&w);
    if (rnd(&w, 6) == 0)
      turn_once(&w.turn);
  }
  if (closes)
    turn_close(&w.turn);
  while (let_go(&w)) /* callbacks may open new ones */
    if (!closes)
      turn_run(&w.turn);
  if (closes)
    turn_assert_released(&w.turn);
  else
    turn_end(&w.turn);
  check(&w);
}

static uint64_t playing;

TEST_CASE(f1_f2_f7_random_graphs) {
  const char *only = getenv("UVOW_TEST_SEED");
  uint64_t from = only ? strtoull(only, NULL, 10) : 1;
  uint64_t to = only ? from : 4000;
  for (playing = from; playing <= to; playing++)
    play(playing);
  playing = 0;
}

static int say_seed(void **state) {
  (void)state;
  if (playing)
    print_message("# failed with UVOW_TEST_SEED=%llu\n",
                  (unsigned long long)playing);
  return 0;
}

/* Data of a future outlives all that is attached to it, and no more. */
TEST_CASE(a_future_owns_data) {
  turn_t turn;
  uvow_promise_t *p;
  turn_init(&turn);
  turn_mark_t data = turn_mark(&turn, "data"), a = turn_mark(&turn, "a");
  turn_mark_t b = turn_mark(&turn, "b");
  uvow_future_t *f = uvow_promise_new(turn.loop, &p);
  f = uvow_future_own(f, &data, turn_destroy);
  uvow_future_t *kept = uvow_future_ref(f);
  assert_int_equal(uvow_future_done(uvow_future_ref(f), turn_done, &a), 0);
  assert_int_equal(uvow_future_done(f, turn_done, &b), 0);
  uvow_promise_fulfill(p, uvow_value_int64(7));
  turn_run(&turn);
  turn_expect(&turn, "a+7 b+7");
  uvow_future_unref(kept);
  turn_expect(&turn, "");
  turn_run(&turn);
  turn_expect(&turn, "data.");
  turn_end(&turn);
}

/* On each way that a future can end. */
TEST_CASE(owned_data_is_destroyed_once) {
  for (int how = 0; how < 6; how++) {
    turn_t turn;
    uvow_promise_t *p;
    turn_init(&turn);
    turn_mark_t data = turn_mark(&turn, "data");
    uvow_future_t *f = uvow_promise_new(turn.loop, &p);
    if (how == 4) { /* settled before */
      uvow_promise_drop(p);
      p = NULL;
    }
    if (how == 5) { /* no future */
      uvow_promise_drop(p);
      p = NULL;
      uvow_future_drop(f);
      turn_run(&turn);
      f = NULL;
    }
    f = uvow_future_own(f, &data, turn_destroy);
    if (how == 0)
      uvow_promise_reject_code(p, UVOW_EURL, NULL);
    else if (how == 1)
      uvow_future_cancel(f);
    else if (how == 2)
      uvow_future_drop(uvow_future_ref(f));
    else if (how == 3)
      turn_close(&turn);
    if (how && how != 4)
      uvow_promise_drop(p);
    f = uvow_future_catch(f, turn_then, NULL == f ? NULL : &data);
    uvow_future_unref(f);
    if (how != 3) {
      turn_run(&turn);
      assert_non_null(strstr(turn.log, "data."));
      assert_null(strstr(strstr(turn.log, "data.") + 1, "data."));
      turn.log[0] = turn.unhandled[0] = '\0';
      turn_end(&turn);
    } else {
      turn_expect(&turn, "data.");
      turn_assert_released(&turn);
    }
  }
}

/* An error's value is told after its last owner. */
TEST_CASE(an_error_carries_a_value) {
  turn_t turn;
  turn_item_t item = {0, 0};
  void *ptr = NULL;
  turn_init(&turn);
  uvow_error_t *error =
      uvow_error_new_value(turn.loop, UVOW_EREMOTE, "with a value",
                           turn_item(&turn_type_unique, &item));
  assert_string_equal(uvow_error_message(error), "with a value");
  assert_int_equal(
      uvow_value_get_ptr(uvow_error_value(error), &turn_type_unique, &ptr), 0);
  assert_ptr_equal(ptr, &item);
  assert_null(uvow_error_value(NULL));
  uvow_future_t *f = uvow_future_rejected(turn.loop, error);
  uvow_future_drop(f);
  assert_int_equal(item.destroyed, 0);
  turn_run(&turn);
  assert_int_equal(item.destroyed, 1);
  turn_end(&turn);
}

/* It outlives the loop, whose memory it keeps. */
TEST_CASE(an_errors_value_outlives_the_loop) {
  turn_t turn;
  turn_item_t item = {0, 0};
  turn_init(&turn);
  uvow_error_t *error = uvow_error_new_value(
      turn.loop, 5, NULL, turn_item(&turn_type_unique, &item));
  assert_int_equal(uvow_error_code(error), UVOW_EINVAL);
  turn_close(&turn);
  assert_int_equal(item.destroyed, 0);
  uvow_error_unref(error);
  assert_int_equal(item.destroyed, 1);
  turn_assert_released(&turn);
}

static void error_value_body(test_alloc_t *alloc, void *data) {
  turn_t turn;
  turn_item_t item = {0, 0};
  (void)data;
  turn_init_with(&turn, alloc);
  uvow_error_t *error = uvow_error_new_value(
      turn.loop, UVOW_EREMOTE, "x", turn_item(&turn_type_unique, &item));
  if (!uvow_error_value(error))
    assert_int_equal(uvow_error_code(error), UVOW_ENOMEM);
  uvow_error_unref(error);
  turn_run(&turn);
  assert_int_equal(item.destroyed, 1);
  turn_close(&turn);
}

TEST_CASE(a_value_survives_every_failed_allocation) {
  test_alloc_sweep(error_value_body, NULL);
}

TEST_MODULE(ownership) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_future_owns_data),
      cmocka_unit_test(owned_data_is_destroyed_once),
      cmocka_unit_test(an_error_carries_a_value),
      cmocka_unit_test(an_errors_value_outlives_the_loop),
      cmocka_unit_test(a_value_survives_every_failed_allocation),
      cmocka_unit_test(f1_data_is_destroyed_after_the_callback),
      cmocka_unit_test(f1_data_is_destroyed_where_no_callback_runs),
      cmocka_unit_test(f1_data_is_destroyed_by_a_cancel),
      cmocka_unit_test(f1_data_is_destroyed_by_close),
      cmocka_unit_test(f1_data_is_destroyed_without_memory),
      cmocka_unit_test(f1_a_destructor_may_cancel_and_let_go_of_its_link),
      cmocka_unit_test_teardown(f1_f2_f7_random_graphs, say_seed),
  };
  return cmocka_run_group_tests_name("future/ownership", tests, NULL, NULL);
}
