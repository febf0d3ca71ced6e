/*
 * S7, point by point: every stage and every reader of streams, in order, with
 * items owned once, canceled from its callbacks, by its source and by its
 * reader, rejected from the middle, without memory, with its loop closed, and
 * with gaps that pass through.
 */
#include "support/rig.h"

#include "future/stream.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

/* ---- order ---- */

static void order(const stage_t *stage, const reader_t *reader) {
  for (int fast = 0; fast < 2; fast++) {
    rig_t rig;
    if (fast && (stage->is & DROPS_FAST))
      continue;
    rig_begin(&rig, stage, reader);
    if (fast)
      rig_push_fast(&rig, THINGS);
    else
      rig_push_slowly(&rig, THINGS);
    if (rig.sink)
      rig_end(&rig);
    rig_run(&rig);
    rig_expect(&rig, THINGS, "end=9");
    rig_expect_told(&rig, 0);
    assert_int_equal(rig.missed, 0);
    rig_done(&rig);
  }
}

TEST_CASE(items_pass_in_order_and_are_owned_once) {
  rig_at_all(order);
}

/* ---- from callbacks ---- */

static void act_cancel(rig_t *rig) {
  rig_let_go(rig);
  (void)uvow_future_cancel(rig->reading);
}

static void act_close(rig_t *rig) {
  uvow_stream_t *out = rig->out;
  rig->out = NULL;
  uvow_future_detach(uvow_stream_close(out));
}

/* All that somebody owns goes at once. */
static void act_free(rig_t *rig) {
  (void)uvow_future_cancel(rig->reading);
  rig_free(rig);
  memset(rig->promises, 0, sizeof(rig->promises));
}

typedef struct act {
  void (*act)(rig_t *rig);
  const char *end;
  int told;    /* -1: that's open */
  int goes_on; /* items that come later pass */
  int cuts;    /* the item that a stage's callback looks at doesn't pass */
} act_t;

static const act_t acts[] = {
    {act_cancel, "end!ECANCELED", 1, 0, 1},
    {act_close, "end!ECANCELED", 1, 0, 1},
    {act_free, "end!ECANCELED", -1, 0, 1},
    {rig_fail, "end!EURL", 0, 0, 0},
    {rig_end, "end=9", 0, 0, 0},
    {rig_push, "end=9", 0, 1, 0},
};

static void act_at(const stage_t *stage, const reader_t *reader,
                   const act_t *act, int in_stage) {
  rig_t rig;
  rig_start(&rig, stage, reader);
  rig.act = act->act;
  rig.acts_in_stage = in_stage;
  rig_make(&rig, NULL, 0);
  rig_read(&rig);
  rig_push_slowly(&rig, 3);
  int seen = rig.acted - (in_stage && act->cuts);
  rig_push_slowly(&rig, THINGS);
  if (rig.sink)
    rig_end(&rig);
  rig_run(&rig);
  rig_expect(&rig, act->goes_on ? THINGS : seen, act->end);
  if (act->told >= 0)
    rig_expect_told(&rig, act->told);
  rig_done(&rig);
}

static void acts_at(const stage_t *stage, const reader_t *reader) {
  for (size_t i = 0; i < COUNT(acts); i++) {
    int of_source = acts[i].act == rig_fail || acts[i].act == rig_end;
    if (of_source && (stage->is & OF_FUTURES))
      continue; /* its end is the last future's */
    if (acts[i].goes_on && (stage->is & DROPS_FAST))
      continue;
    if (!reader->gathers)
      act_at(stage, reader, &acts[i], 0);
    if (stage->is & HAS_CALL)
      act_at(stage, reader, &acts[i], 1);
  }
}

TEST_CASE(a_callback_may_do_anything) {
  rig_at_all(acts_at);
}

/* ---- by the source ---- */

static void ends_by_source(const stage_t *stage, const reader_t *reader) {
  for (int how = 0; how < 4 && !(stage->is & OF_FUTURES); how++) {
    rig_t rig;
    rig_begin(&rig, stage, reader);
    rig_push_slowly(&rig, 2);
    uvow_sink_t *sink = rig.sink;
    if (how % 2) { /* what waits comes before the end */
      rig_push(&rig);
      if (how == 3)
        turn_run(&rig.turn);
    }
    if (how == 0) {
      rig.sink = NULL;
      uvow_sink_drop(sink);
    } else {
      rig_fail(&rig);
    }
    rig_run(&rig);
    rig_expect(&rig, how % 2 ? 3 : 2, how ? "end!EURL" : "end!EBROKEN");
    rig_expect_told(&rig, 0);
    rig_done(&rig);
  }
}

TEST_CASE(the_source_ends_it) {
  rig_at_all(ends_by_source);
}

/* ---- by the reader ---- */

static void lets_go(const stage_t *stage, const reader_t *reader) {
  for (int when = 0; when < 4; when++) {
    rig_t rig;
    rig_start(&rig, stage, reader);
    rig_make(&rig, NULL, 0);
    if (when == 0) { /* nobody has asked */
      rig_push_fast(&rig, 2);
      turn_run(&rig.turn);
      uvow_stream_unref(rig.out);
    } else {
      rig_read(&rig);
    }
    if (when == 2)
      rig_push_fast(&rig, 3); /* they wait */
    if (when == 3)
      rig_push_slowly(&rig, 2);
    act_cancel(&rig);
    rig_run(&rig);
    rig_expect_told(&rig, 1);
    if (rig.sink)
      assert_int_equal(uvow_sink_push(rig.sink, uvow_value_none()),
                       UVOW_ECANCELED);
    if (when)
      rig_expect(&rig, when == 3 ? 2 : 0, "end!ECANCELED");
    rig_done(&rig);
  }
}

TEST_CASE(the_reader_lets_go) {
  rig_at_all(lets_go);
}

static void closes(const stage_t *stage, const reader_t *reader) {
  rig_t rig;
  rig_begin(&rig, stage, reader);
  rig_push_slowly(&rig, 2);
  uvow_future_t *closed = uvow_stream_close(rig.out);
  rig.out = NULL;
  rig_run(&rig);
  rig_expect(&rig, 2, "end!ECANCELED");
  rig_expect_told(&rig, 1);
  if (rig.sink) { /* it's over when the source is */
    assert_string_equal(turn_result(&rig.turn, closed), "?");
    rig_end(&rig);
  }
  rig_run(&rig);
  assert_string_equal(turn_result(&rig.turn, closed), "+");
  uvow_future_unref(closed);
  rig_done(&rig);
}

TEST_CASE(closing_waits_for_the_source) {
  rig_at_all(closes);
}

/* ---- from the middle ---- */

static void fails_in_the_middle(const stage_t *stage, const reader_t *reader) {
  for (int above = 0; above < 2; above++) {
    rig_t rig;
    if (above && (stage->is & OF_FUTURES))
      continue; /* it has nothing above it */
    rig_start(&rig, stage, reader);
    rig.fails_at = 3;
    rig_make(&rig, NULL, above);
    rig_read(&rig);
    rig_push_slowly(&rig, 2);
    if (rig.sink) /* before the item that is rejected */
      uvow__stream_gap(rig.s, 7);
    rig_push_slowly(&rig, THINGS - 3);
    rig_expect(&rig, 2, "end!EPROTO");
    assert_int_equal(rig.missed, stage->is & OF_FUTURES ? 0 : 7);
    rig_expect_told(&rig, above || !rig.aside); /* which is read still */
    rig_done(&rig);
  }
}

TEST_CASE(a_rejection_from_the_middle_goes_both_ways) {
  rig_at_all(fails_in_the_middle);
}

/* ---- the loop closes ---- */

static void act_close_loop(rig_t *rig) {
  uvow__runtime_close(&rig->turn.rt);
}

static void loop_closes(const stage_t *stage, const reader_t *reader) {
  for (int when = 0; when < 5; when++) {
    rig_t rig;
    rig_start(&rig, stage, reader);
    if (when == 4)
      rig.act = act_close_loop;
    rig.acts_in_stage = reader->gathers;
    rig_make(&rig, NULL, 0);
    if (when == 0)
      uvow_stream_unref(rig.out);
    else
      rig_read(&rig);
    if (when == 2)
      rig_push_fast(&rig, 2); /* nobody has seen them */
    if (when >= 3)
      rig_push_slowly(&rig, 3);
    if (when < 4 || (reader->gathers && !(stage->is & HAS_CALL)))
      uvow__runtime_close(&rig.turn.rt);
    uvow__runtime_done(&rig.turn.rt);
    assert_int_equal(rig.ends, when > 0);
    if (when)
      assert_non_null(strstr(rig.log, "end!ECLOSED"));
    if (!(stage->is & OF_FUTURES))
      rig_expect_told(&rig, 1);
    assert_int_equal(rig.turn.rt.holds, 0);
    rig.turn.unhandled[0] = '\0';
    rig_free(&rig);
    rig_check_items(&rig);
    turn_assert_released(&rig.turn);
  }
}

TEST_CASE(closing_the_loop_ends_all) {
  rig_at_all(loop_closes);
}

/* ---- gaps ---- */

static int count_digits(const char *text) {
  int count = 0;
  for (; *text; text++)
    count += *text >= '0' && *text <= '9';
  return count;
}

/* All that doesn't come is missing, but what the stage leaves out. */
static void gap_is_told(const stage_t *stage, const reader_t *reader,
                        uvow_full_t full, int tell_gaps,
                        void (*end)(rig_t *rig)) {
  static const int missed[] = {0, 0, 3, 3, 4};
  uvow_stream_options_t bounds = {sizeof(bounds), 2, 0, full, tell_gaps};
  rig_t rig;
  rig_start(&rig, stage, reader);
  rig_make(&rig, &bounds, 0);
  rig_read(&rig);
  rig_push_fast(&rig, THINGS);
  if (full == UVOW_FULL_DROP_NEWEST) /* the end says it */
    end(&rig);
  rig_run(&rig);
  if (rig.sink)
    end(&rig);
  rig_run(&rig);
  int n = stage->is & (DROPS_FAST | DROPS_EVEN) ||
                  (reader->gathers && end == rig_fail)
              ? missed[full]
              : THINGS + (strchr(rig.log, '=') != NULL) - count_digits(rig.log);
  if (rig.missed != (uint64_t)n)
    print_error("%s, read by %s\n", stage->name, reader->name);
  assert_int_equal(rig.missed, n);
  assert_true(rig.gaps <= tell_gaps);
  rig_done(&rig);
}

static void unknown_gap(const stage_t *stage, const reader_t *reader,
                        int tell_gaps, void (*end)(rig_t *rig)) {
  uvow_stream_options_t bounds = {sizeof(bounds), 8, 0, UVOW_FULL_WAIT,
                                  tell_gaps};
  for (int at = 0; at <= THINGS; at++) {
    rig_t rig;
    rig_start(&rig, stage, reader);
    rig_make(&rig, &bounds, 0);
    rig_read(&rig);
    rig_push_slowly(&rig, at);
    uvow__stream_gap(rig.s, UVOW_MISSED_UNKNOWN);
    rig_push_slowly(&rig, THINGS - at);
    end(&rig);
    rig_run(&rig);
    rig_expect(&rig, THINGS, end == rig_end ? "end=9" : "end!EURL");
    if (rig.missed != UVOW_MISSED_UNKNOWN)
      print_error("%s, read by %s\n", stage->name, reader->name);
    assert_true(rig.missed == UVOW_MISSED_UNKNOWN);
    rig_done(&rig);
  }
}

static void gaps(const stage_t *stage, const reader_t *reader) {
  static void (*const ends[])(rig_t * rig) = {rig_end, rig_fail};
  for (int tell = 0; tell < 2 && !(stage->is & OF_FUTURES); tell++) {
    for (int full = UVOW_FULL_DROP_OLDEST; full <= UVOW_FULL_LATEST; full++)
      if (!(stage->is & IS_COPY))
        for (size_t i = 0; i < COUNT(ends); i++)
          gap_is_told(stage, reader, (uvow_full_t)full, tell, ends[i]);
    for (size_t i = 0; i < COUNT(ends); i++)
      unknown_gap(stage, reader, tell, ends[i]);
  }
}

TEST_CASE(a_gap_passes_all_stages) {
  rig_at_all(gaps);
}

/* A gap that is an item is none of the first n. */
static void take_counts_no_gap(const stage_t *stage, const reader_t *reader) {
  uvow_stream_options_t bounds = {sizeof(bounds), 8, 0, UVOW_FULL_WAIT, 1};
  rig_t rig;
  if (stage->is || reader->gathers)
    return;
  rig_start(&rig, stage, reader);
  rig_make(&rig, &bounds, 0);
  uvow_stream_unref(rig.out);
  rig.out = uvow_stream_ref(uvow_stream_take(rig.out, 2));
  rig_read(&rig);
  rig_push_slowly(&rig, 1);
  uvow__stream_gap(rig.s, 7);
  rig_push_slowly(&rig, 1);
  rig_expect(&rig, 2, "end");
  assert_int_equal(rig.missed, 7);
  rig_done(&rig);
}

TEST_CASE(take_counts_no_gaps) {
  rig_at_all(take_counts_no_gap);
}

/* ---- without memory ---- */

/* What has passed is as if nothing had happened, up to its end. */
static void expect_no_hole(const rig_t *rig) {
  static const char *const whole[] = {"1 2 3 4 5 end", "1 3 5 end"};
  const char *end = strchr(rig->log, 'e');
  size_t len = end ? (size_t)(end - rig->log) : strlen(rig->log);
  if (rig->refused || rig->missed || (rig->stage->is & OF_FUTURES))
    return; /* that was said; an item may be an error */
  if (memcmp(rig->log, whole[(rig->stage->is & DROPS_EVEN) != 0], len) != 0)
    print_error("%s, read by %s: %s\n", rig->stage->name, rig->reader->name,
                rig->log);
  assert_memory_equal(rig->log, whole[(rig->stage->is & DROPS_EVEN) != 0], len);
}

typedef struct place {
  const stage_t *stage;
  const reader_t *reader;
  void (*act)(rig_t *rig);
  const uvow_stream_options_t *bounds;
} place_t;

static void prepare(rig_t *rig, const place_t *place, test_alloc_t *alloc) {
  memset(rig, 0, sizeof(*rig));
  rig->stage = place->stage;
  rig->reader = place->reader;
  rig->act = place->act;
  turn_init_with(&rig->turn, alloc);
  rig->turn.rt.on_unhandled = NULL;
}

static void play(rig_t *rig, const place_t *place) {
  rig_make(rig, place->bounds, 0);
  rig_read(rig);
  rig_push_slowly(rig, 2);
  rig_push_fast(rig, place->stage->is & DROPS_FAST ? 1 : 2);
  rig_run(rig);
  rig_push_slowly(rig, THINGS);
  if (rig->sink)
    rig_end(rig);
  rig_run(rig);
  expect_no_hole(rig);
  if (!rig->act)
    assert_int_equal(rig->ends, rig->reading != NULL && !rig->unheard);
}

static void without_memory(test_alloc_t *alloc, void *data) {
  const place_t *place = (const place_t *)data;
  rig_t rig;
  prepare(&rig, place, alloc);
  play(&rig, place);
  rig_done(&rig);
}

/* Pools that don't grow, while all other memory is there: see dry. */
typedef struct dry {
  uvow__mem_t none;
  void *held[2][600];
  size_t count[2];
  size_t refused;
} dry_t;

static void *no_slab(size_t size, void *data) {
  (void)size;
  ((dry_t *)data)->refused++;
  return NULL;
}

static void hold_all_but(dry_t *dry, int which, uvow__pool_t *pool,
                         size_t left) {
  size_t n = 0;
  void *block = uvow__pool_take(pool); /* there's a slab now */
  assert_non_null(block);
  for (; block && n < 600; block = uvow__pool_take(pool)) {
    dry->held[which][n++] = block;
    pool->mem = &dry->none;
  }
  assert_null(block);
  for (; left > 0 && n > 0; left--)
    uvow__pool_give(pool, dry->held[which][--n]);
  dry->count[which] = n;
}

static void let_go(dry_t *dry, int which, uvow__pool_t *pool,
                   const uvow__mem_t *mem) {
  pool->mem = mem;
  while (dry->count[which] > 0)
    uvow__pool_give(pool, dry->held[which][--dry->count[which]]);
}

static void allocations_fail(const stage_t *stage, const reader_t *reader) {
  place_t place = {stage, reader, NULL, NULL};
  test_alloc_sweep(without_memory, &place);
  place.act = act_cancel;
  test_alloc_sweep(without_memory, &place);
}

TEST_CASE(every_allocation_may_fail) {
  rig_at_all(allocations_fail);
}

/* With so many futures as there is room for: each take from a pool may be the
 * one that fails, which an allocation of a whole slab seldom is. Returns whether
 * one did. */
static int play_dry(const place_t *place, size_t links, size_t blocks) {
  test_alloc_t alloc;
  static dry_t dry;
  rig_t rig;
  test_alloc_init(&alloc);
  prepare(&rig, place, &alloc);
  memset(&dry, 0, sizeof(dry));
  const uvow__mem_t *mem = rig.turn.rt.links.mem;
  dry.none = *mem;
  dry.none.malloc_cb = no_slab;
  dry.none.data = &dry;
  hold_all_but(&dry, 0, &rig.turn.rt.links, links);
  hold_all_but(&dry, 1, &rig.turn.rt.blocks, blocks);
  dry.refused = 0;
  play(&rig, place);
  let_go(&dry, 0, &rig.turn.rt.links, mem);
  let_go(&dry, 1, &rig.turn.rt.blocks, mem);
  rig_done(&rig);
  assert_int_equal(alloc.live, 0);
  return dry.refused > 0;
}

static void pools_are_dry(const stage_t *stage, const reader_t *reader) {
  static const uvow_stream_options_t narrow = {
      .size = sizeof(narrow), .max_items = 1, .full = UVOW_FULL_DROP_NEWEST};
  place_t place = {stage, reader, NULL, NULL};
  for (int how = 0; how < 6; how++) {
    place.act = how & 1 ? act_cancel : NULL;
    place.bounds = how & 4 ? &narrow : NULL; /* with gaps */
    for (size_t left = 0;
         play_dry(&place, how & 2 ? left : 500, how & 2 ? 500 : left); left++)
      assert_true(left < 500);
  }
}

TEST_CASE(every_future_may_be_one_too_many) {
  rig_at_all(pools_are_dry);
}

/* ---- ticks, which nobody pushes ---- */

typedef struct ticking {
  turn_t turn;
  uvow_future_t *reading;
  int ticks;
  int how;
} ticking_t;

static uvow_next_t on_tick(const uvow_result_t *item, void *data) {
  ticking_t *t = (ticking_t *)data;
  int64_t n = 0;
  assert_int_equal(uvow_value_get_int64(&item->value, &n), 0);
  t->ticks += (int)n;
  if (t->ticks == 2 && t->how == 0)
    (void)uvow_future_cancel(t->reading);
  if (t->ticks == 2 && t->how == 1)
    return uvow_next_code(UVOW_EPROTO, NULL);
  if (t->ticks == 2 && t->how == 2)
    return uvow_next_end(uvow_value_int64(7));
  if (t->ticks == 2 && t->how == 3)
    uvow__runtime_close(&t->turn.rt);
  return uvow_next_none();
}

static void tick(ticking_t *t, int n) {
  while (n--) {
    t->turn.now_ns += 10 * (uint64_t)1000000;
    uvow__runtime_enter(&t->turn.rt);
    uvow__runtime_expire(&t->turn.rt);
    uvow__runtime_leave(&t->turn.rt);
    turn_run(&t->turn);
  }
}

static void ticks_without_memory(test_alloc_t *alloc, void *data) {
  ticking_t t = {0};
  t.how = *(const int *)data;
  turn_init_with(&t.turn, alloc);
  t.turn.rt.on_unhandled = NULL;
  t.reading = uvow_stream_each(uvow_stream_ticks(t.turn.loop, 10), on_tick, &t);
  tick(&t, 4);
  if (t.reading) {
    static const char *const ends[] = {"!ECANCELED", "!EPROTO", "+7",
                                       "!ECLOSED", "?"};
    const char *end = turn_result(&t.turn, t.reading);
    assert_int_equal(t.ticks, alloc->failed ? t.ticks : t.how < 4 ? 2 : 4);
    if (alloc->failed == 0)
      assert_string_equal(end, ends[t.how]);
    (void)uvow_future_cancel(t.reading);
  }
  uvow_future_unref(t.reading);
  turn_run(&t.turn);
  assert_int_equal(t.turn.rt.holds, 0);
  turn_close(&t.turn);
  turn_assert_released(&t.turn);
}

TEST_CASE(ticks_end_at_any_point) {
  for (int how = 0; how < 5; how++)
    test_alloc_sweep(ticks_without_memory, &how);
}

TEST_MODULE(stream_points) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(items_pass_in_order_and_are_owned_once),
      cmocka_unit_test(a_callback_may_do_anything),
      cmocka_unit_test(the_source_ends_it),
      cmocka_unit_test(the_reader_lets_go),
      cmocka_unit_test(closing_waits_for_the_source),
      cmocka_unit_test(a_rejection_from_the_middle_goes_both_ways),
      cmocka_unit_test(closing_the_loop_ends_all),
      cmocka_unit_test(a_gap_passes_all_stages),
      cmocka_unit_test(take_counts_no_gaps),
      cmocka_unit_test(every_allocation_may_fail),
      cmocka_unit_test(every_future_may_be_one_too_many),
      cmocka_unit_test(ticks_end_at_any_point),
  };
  return cmocka_run_group_tests_name("future/stream_points", tests, NULL, NULL);
}
