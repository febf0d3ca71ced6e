/* Scopes: canceled together, awaited together. */
#include "support/turn.h"

#include <uvow/scope.h>

typedef struct scene {
  turn_t turn;
  uvow_promise_t *p[3];
  uvow_future_t *f[3]; /* members */
  turn_mark_t owner;
  turn_mark_t idle;
} scene_t;

static void scene_init(scene_t *scene, uvow_scope_t **ret_scope,
                       test_alloc_t *alloc) {
  if (alloc)
    turn_init_with(&scene->turn, alloc);
  else
    turn_init(&scene->turn);
  scene->owner = turn_mark(&scene->turn, "owner");
  scene->idle = turn_mark(&scene->turn, "idle");
  *ret_scope = uvow_scope_new(scene->turn.loop);
}

static void add(scene_t *scene, size_t i, uvow_scope_t *scope) {
  uvow_future_t *f = uvow_promise_new(scene->turn.loop, &scene->p[i]);
  uvow_promise_on_cancel(scene->p[i], turn_cancel, &scene->owner, NULL);
  scene->f[i] = uvow_scope_add(scope, f);
}

static void later(turn_t *turn, uint64_t ms) {
  turn->now_ns += ms * 1000000;
  uvow__runtime_enter(&turn->rt);
  uvow__runtime_expire(&turn->rt);
  uvow__runtime_leave(&turn->rt);
  turn_run(turn);
}

/* A member that is given up is canceled only where nobody else waits for what
 * it was made of, or has it: a link, another scope, a handle. */
TEST_CASE(a_member_is_not_its_source) {
  for (int how = 0; how < 4; how++) {
    scene_t scene;
    uvow_scope_t *scope;
    uvow_promise_t *p;
    scene_init(&scene, &scope, NULL);
    uvow_scope_t *other = uvow_scope_new(scene.turn.loop);
    turn_mark_t a = turn_mark(&scene.turn, "a");
    uvow_future_t *f = uvow_promise_new(scene.turn.loop, &p);
    uvow_promise_on_cancel(p, turn_cancel, &scene.owner, NULL);
    if (how == 1)
      uvow_future_done(uvow_future_ref(f), turn_done, &a);
    else if (how == 2)
      uvow_future_done(uvow_scope_add(other, uvow_future_ref(f)), turn_done,
                       &a);
    uvow_future_t *kept = how == 3 ? uvow_future_ref(f) : NULL;
    uvow_future_t *member = uvow_scope_add(scope, f);
    assert_int_equal(uvow_future_cancel(member), 0);
    turn_run(&scene.turn);
    turn_expect(&scene.turn, how ? "" : "owner^");
    uvow_promise_fulfill(p, uvow_value_int64(5));
    turn_run(&scene.turn);
    turn_expect(&scene.turn, how == 1 || how == 2 ? "a+5" : "");
    if (kept)
      assert_string_equal(turn_result(&scene.turn, kept), "+5");
    uvow_future_unref(kept);
    uvow_future_unref(member);
    uvow_scope_free(scope);
    uvow_scope_free(other);
    turn_end(&scene.turn);
  }
}

/* Of several times the first to come ends it. */
TEST_CASE(the_earliest_time_counts) {
  static const uint64_t times[][2] = {{100, 50}, {50, 100}, {50, 50}};
  for (int i = 0; i < 3; i++) {
    scene_t scene;
    uvow_scope_t *scope;
    scene_init(&scene, &scope, NULL);
    add(&scene, 0, scope);
    for (int k = 0; k < 2; k++)
      assert_int_equal(uvow_scope_timeout(scope, times[i][k]), 0);
    turn_run(&scene.turn);
    later(&scene.turn, 49);
    assert_int_equal(uvow_future_state(scene.f[0]), UVOW_PENDING);
    later(&scene.turn, 2);
    turn_expect(&scene.turn, "owner^");
    assert_string_equal(turn_result(&scene.turn, scene.f[0]), "!ETIMEDOUT");
    uvow_promise_free(scene.p[0]);
    uvow_future_unref(scene.f[0]);
    uvow_scope_free(scope);
    turn_run(&scene.turn);
    turn_end(&scene.turn);
  }
}

TEST_CASE(idle_waits_for_all) {
  scene_t scene;
  uvow_scope_t *scope;
  scene_init(&scene, &scope, NULL);
  uvow_future_done(uvow_scope_idle(scope), turn_done, &scene.idle);
  turn_run(&scene.turn);
  turn_expect(&scene.turn, "idle+");
  uvow_scope_t *inner = uvow_scope_nest(scope);
  add(&scene, 0, scope);
  add(&scene, 1, inner);
  uvow_future_done(uvow_scope_idle(scope), turn_done, &scene.idle);
  uvow_promise_fulfill(scene.p[0], uvow_value_int64(3));
  turn_run(&scene.turn);
  assert_string_equal(turn_result(&scene.turn, scene.f[0]), "+3");
  turn_expect(&scene.turn, "");
  uvow_promise_reject_code(scene.p[1], UVOW_EURL, NULL);
  turn_run(&scene.turn);
  assert_string_equal(turn_result(&scene.turn, scene.f[1]), "!EURL");
  turn_expect(&scene.turn, "idle+");
  turn_expect_unhandled(&scene.turn, "EURL");
  uvow_scope_free(scope);
  uvow_scope_free(inner);
  uvow_future_unref(scene.f[0]);
  uvow_future_unref(scene.f[1]);
  turn_end(&scene.turn);
}

/* close; free; free of the outer one with the inner one left. */
TEST_CASE(ending_cancels_all) {
  for (int how = 0; how < 3; how++) {
    scene_t scene;
    uvow_scope_t *scope;
    scene_init(&scene, &scope, NULL);
    uvow_scope_t *inner = uvow_scope_nest(scope);
    add(&scene, 0, scope);
    add(&scene, 1, inner);
    if (how == 0)
      uvow_future_done(uvow_scope_close(scope), turn_done, &scene.idle);
    else
      uvow_scope_free(scope);
    turn_run(&scene.turn);
    turn_expect(&scene.turn, how ? "owner^ owner^" : "owner^ owner^ idle+");
    add(&scene, 2, inner); /* too late */
    turn_run(&scene.turn);
    turn_expect(&scene.turn, "owner^");
    for (size_t i = 0; i < 3; i++) {
      assert_string_equal(turn_result(&scene.turn, scene.f[i]), "!ECANCELED");
      uvow_future_unref(scene.f[i]);
      uvow_promise_drop(scene.p[i]);
    }
    if (how == 0)
      uvow_scope_free(scope);
    uvow_scope_free(inner);
    turn_end(&scene.turn);
  }
}

TEST_CASE(a_deadline_for_all) {
  scene_t scene;
  uvow_scope_t *scope;
  scene_init(&scene, &scope, NULL);
  assert_int_equal(uvow_scope_timeout(scope, 10), 0);
  assert_int_equal(uvow_scope_timeout(scope, 50), 0); /* the earlier holds */
  assert_int_equal(uvow_scope_timeout(NULL, 50), UVOW_EINVAL);
  assert_int_equal(scene.turn.rt.holds, 0); /* nothing to wait for */
  add(&scene, 0, scope);
  assert_int_equal(scene.turn.rt.holds, 1);
  turn_run(&scene.turn);
  later(&scene.turn, 10);
  turn_expect(&scene.turn, "owner^");
  assert_string_equal(turn_result(&scene.turn, scene.f[0]), "!ETIMEDOUT");
  assert_int_equal(scene.turn.rt.holds, 0);
  add(&scene, 1, scope);
  turn_run(&scene.turn);
  turn_expect(&scene.turn, "owner^");
  assert_string_equal(turn_result(&scene.turn, scene.f[1]), "!ETIMEDOUT");
  for (size_t i = 0; i < 2; i++) {
    uvow_future_unref(scene.f[i]);
    uvow_promise_drop(scene.p[i]);
  }
  scene.turn.unhandled[0] = '\0';
  uvow_scope_free(scope);
  turn_end(&scene.turn);
}

TEST_CASE(a_member_is_canceled) {
  scene_t scene;
  uvow_scope_t *scope;
  scene_init(&scene, &scope, NULL);
  add(&scene, 0, scope);
  assert_int_equal(uvow_future_cancel(scene.f[0]), 0);
  uvow_future_done(uvow_scope_idle(scope), turn_done, &scene.idle);
  turn_run(&scene.turn);
  turn_expect(&scene.turn, "owner^ idle+");
  uvow_future_unref(scene.f[0]);
  uvow_promise_drop(scene.p[0]);
  assert_null(uvow_scope_add(scope, NULL));
  uvow_scope_free(scope);
  uvow_scope_free(NULL);
  turn_end(&scene.turn);
}

TEST_CASE(closing_the_loop_ends_it) {
  scene_t scene;
  uvow_scope_t *scope;
  scene_init(&scene, &scope, NULL);
  uvow_scope_timeout(scope, 10);
  add(&scene, 0, scope);
  turn_close(&scene.turn);
  assert_string_equal(turn_result(&scene.turn, scene.f[0]), "!ECLOSED");
  turn_expect(&scene.turn, "owner^");
  uvow_promise_drop(scene.p[0]);
  uvow_future_unref(scene.f[0]);
  assert_int_equal(scene.turn.releases, 0);
  uvow_scope_free(scope);
  turn_assert_released(&scene.turn);
}

static void sweep(test_alloc_t *alloc, void *data) {
  scene_t scene;
  uvow_scope_t *scope;
  (void)data;
  scene_init(&scene, &scope, alloc);
  uvow_scope_t *inner = uvow_scope_nest(scope);
  add(&scene, 0, scope);
  add(&scene, 1, inner);
  uvow_future_unref(scene.f[0]);
  uvow_future_unref(scene.f[1]);
  uvow_future_detach(uvow_scope_close(scope));
  turn_run(&scene.turn);
  uvow_promise_drop(scene.p[0]);
  uvow_promise_drop(scene.p[1]);
  uvow_scope_free(inner);
  uvow_scope_free(scope);
  turn_run(&scene.turn);
  scene.turn.log[0] = scene.turn.unhandled[0] = '\0';
  turn_end(&scene.turn);
}

TEST_CASE(every_allocation_fails) {
  test_alloc_sweep(sweep, NULL);
}

TEST_MODULE(scope) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_member_is_not_its_source),
      cmocka_unit_test(the_earliest_time_counts),
      cmocka_unit_test(idle_waits_for_all),
      cmocka_unit_test(ending_cancels_all),
      cmocka_unit_test(a_deadline_for_all),
      cmocka_unit_test(a_member_is_canceled),
      cmocka_unit_test(closing_the_loop_ends_it),
      cmocka_unit_test(every_allocation_fails),
  };
  return cmocka_run_group_tests_name("future/scope", tests, NULL, NULL);
}
