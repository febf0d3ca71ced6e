/*
 * F12: a scenario that uses everything, with each of its allocations failing.
 * A chain that couldn't be made is NULL all the way, `done` says so, and what
 * was given away is released nevertheless.
 */
#include "support/turn.h"

#define MARKS 40

/* Each callback counts; each link's data is destroyed once. */
typedef struct part {
  int calls;
  int destroyed;
  uvow_next_t next;
} part_t;

typedef struct scene {
  turn_t turn;
  part_t parts[MARKS];
  size_t n_parts;
  turn_item_t items[MARKS];
  size_t n_items;
} scene_t;

static uvow_next_t on_then(const uvow_result_t *result, void *data) {
  part_t *part = (part_t *)data;
  uvow_next_t next = part->next;
  (void)result;
  part->calls++;
  part->next = uvow_next_pass();
  return next;
}

static uvow_next_t on_keep(const uvow_result_t *result, void *data) {
  part_t *part = (part_t *)data;
  part->calls++;
  if (result->error)
    return uvow_next_pass();
  return uvow_next_value(uvow_result_keep(result));
}

static uvow_next_t on_finally(void *data) {
  return on_then(NULL, data);
}

static void on_done(const uvow_result_t *result, void *data) {
  part_t *part = (part_t *)data;
  part->calls++;
  if (result->error)
    assert_true(uvow_error_code(result->error) < 0);
}

static void on_destroy(void *data) {
  ((part_t *)data)->destroyed++;
}

static void on_cancel(void *data) {
  ((part_t *)data)->calls++;
}

static part_t *part_new(scene_t *s) {
  assert_true(s->n_parts < MARKS);
  part_t *part = &s->parts[s->n_parts++];
  part->next = uvow_next_pass();
  return part;
}

static uvow_value_t item_new(scene_t *s, const uvow_type_t *type) {
  assert_true(s->n_items < MARKS);
  return turn_item(type, &s->items[s->n_items++]);
}

static uvow_future_t *chain(scene_t *s, uvow_future_t *f,
                            uvow_then_cb on_value) {
  part_t *part = part_new(s);
  uvow_chain_options_t options = {sizeof(options), on_value, on_then, part,
                                  on_destroy};
  uvow_future_t *link = uvow_future_chain(f, &options);
  assert_true(link || part->destroyed == 1);
  return link;
}

/* Ends a chain; returns whether it was there. */
static void end(scene_t *s, uvow_future_t *f) {
  part_t *part = part_new(s);
  int was_null = f == NULL;
  int code = uvow_future_done(f, on_done, part);
  assert_true(code == 0 || code == UVOW_ENOMEM);
  if (was_null)
    assert_int_equal(code, UVOW_ENOMEM);
  turn_run(&s->turn);
  if (code)
    assert_int_equal(part->calls, 0);
}

static void values_and_branches(scene_t *s) {
  uvow_promise_t *p;
  uvow_future_t *f = uvow_promise_new(s->turn.loop, &p);
  uvow_future_t *branch = chain(s, uvow_future_ref(f), on_keep);
  f = chain(s, f, on_keep);
  f = uvow_future_finally(f, on_finally, part_new(s));
  uvow_promise_fulfill(p, item_new(s, &turn_type_unique));
  end(s, f);
  part_t *part = part_new(s);
  part->next = uvow_next_value(item_new(s, &turn_type_counted));
  uvow_future_t *link = uvow_future_then(branch, on_then, part);
  end(s, link);
  if (!part->calls) /* the answer was never given */
    uvow_value_clear(&part->next.u.value);
}

static void errors(scene_t *s) {
  uvow_future_t *f = uvow_future_rejected(
      s->turn.loop, uvow_error_new(s->turn.loop, UVOW_EURL, "detail"));
  part_t *part = part_new(s);
  part->next = uvow_next_code(UVOW_EPROTO, "again");
  f = uvow_future_catch(f, on_then, part);
  f = chain(s, f, NULL);
  uvow_future_detach(uvow_future_ref(f)); /* one branch goes unhandled */
  end(s, f);
  uvow_promise_t *p;
  uvow_future_detach(uvow_promise_new(s->turn.loop, &p));
  uvow_promise_reject_code(p, UVOW_EURL, "detail");
  uvow_future_detach(uvow_promise_new(s->turn.loop, &p));
  uvow_promise_drop(p);
  turn_run(&s->turn);
}

static void adoption(scene_t *s) {
  uvow_promise_t *outer, *inner;
  uvow_future_t *f = uvow_promise_new(s->turn.loop, &outer);
  f = chain(s, f, on_then);
  uvow_future_t *followed = uvow_promise_new(s->turn.loop, &inner);
  uvow_promise_follow(outer, chain(s, followed, on_then));
  turn_run(&s->turn);
  uvow_promise_fulfill(inner, item_new(s, &turn_type_unique));
  end(s, f);
}

static void cleanup_that_waits(scene_t *s) {
  uvow_promise_t *p;
  part_t *part = part_new(s);
  uvow_future_t *f =
      uvow_future_fulfilled(s->turn.loop, item_new(s, &turn_type_unique));
  f = uvow_future_finally(f, on_finally, part);
  uvow_future_t *inner = uvow_promise_new(s->turn.loop, &p);
  if (f)
    part->next = uvow_next_future(inner);
  else
    uvow_future_unref(inner);
  uvow_future_t *held = uvow_future_ref(f);
  turn_run(&s->turn);
  uvow_promise_fulfill(p, uvow_value_none());
  end(s, f);
  uvow_future_unref(held);
}

static void cancels(scene_t *s) {
  uvow_promise_t *p;
  uvow_future_t *f = uvow_promise_new(s->turn.loop, &p);
  part_t *told = part_new(s);
  uvow_promise_on_cancel(p, on_cancel, told, NULL);
  f = chain(s, f, on_then);
  part_t *cleanup = part_new(s);
  f = uvow_future_finally(f, on_finally, cleanup);
  f = chain(s, f, on_then);
  uvow_future_t *held = uvow_future_ref(f);
  if (f)
    assert_int_equal(uvow_future_cancel(f), 0);
  end(s, f);
  if (held) {
    assert_int_equal(told->calls, 1);
    assert_int_equal(cleanup->calls, 1);
    assert_int_equal(uvow_future_state(held), UVOW_REJECTED);
  }
  uvow_future_unref(held);
  uvow_promise_drop(p);
}

static void cycle(scene_t *s) {
  part_t *part = part_new(s);
  uvow_future_t *f = uvow_future_fulfilled(s->turn.loop, uvow_value_none());
  f = uvow_future_then(f, on_then, part);
  if (f)
    part->next = uvow_next_future(uvow_future_ref(f));
  end(s, f);
}

static void body(test_alloc_t *alloc, void *data) {
  scene_t s;
  (void)data;
  memset(&s, 0, sizeof(s));
  turn_init_with(&s.turn, alloc);
  s.turn.rt.on_unhandled = NULL;
  /* Held to the end: the pool has to grow in the middle of the scenario. */
  uvow_future_t *ballast[64];
  size_t n = 0;
  while (n < 28 &&
         (ballast[n] = uvow_future_fulfilled(s.turn.loop, uvow_value_none())))
    n++;
  values_and_branches(&s);
  errors(&s);
  for (; n < 40; n++)
    if (!(ballast[n] = uvow_future_fulfilled(s.turn.loop, uvow_value_none())))
      break;
  adoption(&s);
  cleanup_that_waits(&s);
  cancels(&s);
  cycle(&s);
  uvow_promise_t *open; /* left for the close */
  uvow_future_t *f = uvow_promise_new(s.turn.loop, &open);
  f = chain(&s, f, on_then);
  part_t *last = part_new(&s);
  int code = uvow_future_done(f, on_done, last);
  turn_close(&s.turn);
  assert_int_equal(last->calls, code == 0);
  uvow_promise_drop(open);
  while (n)
    uvow_future_unref(ballast[--n]);
  turn_assert_released(&s.turn);
  for (size_t i = 0; i < s.n_items; i++)
    assert_int_equal(s.items[i].destroyed, 1);
  for (size_t i = 0; i < s.n_parts; i++) {
    assert_true(s.parts[i].destroyed <= 1);
    assert_true(s.parts[i].calls <= 1);
  }
}

TEST_CASE(f12_every_allocation_may_fail) {
  test_alloc_sweep(body, NULL);
}

/* The n-th link can't be made: of every kind, for every source. */
TEST_CASE(f12_a_link_without_memory_takes_its_source) {
  for (int kind = 0; kind < 5; kind++) {
    turn_t turn;
    turn_init(&turn);
    turn_item_t item;
    turn_mark_t a = turn_mark(&turn, "a");
    uvow_future_t *f =
        uvow_future_fulfilled(turn.loop, turn_item(&turn_type_unique, &item));
    uvow_future_t *filler[200];
    size_t n = 0;
    turn.alloc->fail_at = turn.alloc->calls + 1;
    turn.alloc->fail_all_after = 1;
    while ((filler[n] = uvow_future_fulfilled(turn.loop, uvow_value_none())))
      n++;
    if (kind == 0)
      assert_null(uvow_future_then(f, turn_then, &a));
    else if (kind == 1)
      assert_null(uvow_future_catch(f, turn_then, &a));
    else if (kind == 2)
      assert_null(uvow_future_finally(f, turn_finally, &a));
    else if (kind == 3)
      assert_null(turn_chain(f, &a));
    else
      assert_int_equal(uvow_future_done(f, turn_done, &a), UVOW_ENOMEM);
    turn_run(&turn);
    assert_int_equal(item.destroyed, 1);
    turn_expect(&turn, kind == 3 ? "a." : "");
    while (n)
      uvow_future_unref(filler[--n]);
    turn_end(&turn);
  }
}

TEST_CASE(f12_an_error_without_memory_is_no_memory) {
  turn_t turn;
  turn_init(&turn);
  uvow_promise_t *p;
  uvow_future_t *f = uvow_promise_new(turn.loop, &p);
  turn.alloc->fail_at = turn.alloc->calls + 1;
  turn.alloc->fail_all_after = 1;
  uvow_promise_reject_code(p, UVOW_EURL, "detail");
  assert_string_equal(turn_result(&turn, f), "!ENOMEM");
  uvow_future_unref(f);
  turn_run(&turn);
  turn_expect_unhandled(&turn, "ENOMEM");
  turn_end(&turn);
}

TEST_MODULE(oom) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(f12_every_allocation_may_fail),
      cmocka_unit_test(f12_a_link_without_memory_takes_its_source),
      cmocka_unit_test(f12_an_error_without_memory_is_no_memory),
  };
  return cmocka_run_group_tests_name("future/oom", tests, NULL, NULL);
}
