/* Fibers with each of their allocations failing. */
#include "support/loop_bed.h"

typedef struct scene {
  loop_bed_t bed;
  int spawned;
  int ran;
  int returned;
} scene_t;

static uvow_next_t child(uvow_loop_t *loop, void *data) {
  scene_t *s = data;
  s->ran++;
  (void)uvow_await_delay(loop, 0);
  s->returned++;
  return uvow_next_code(UVOW_EPROTO, "a detail that is copied");
}

static uvow_next_t parent(uvow_loop_t *loop, void *data) {
  uvow_fiber_options_t options = {.size = sizeof(options), .no_guard = 1};
  scene_t *s = data;
  s->ran++;
  for (int i = 0; i < 40; i++) {
    uvow_future_t *f = i % 2 ? uvow_fiber_spawn(loop, child, s)
                             : uvow_fiber_spawn_with(loop, child, s, &options);
    s->spawned += f != NULL;
    int rc = i % 3 ? uvow_await(f, NULL) : 0;
    assert_true(rc == 0 || rc == UVOW_EPROTO || rc == UVOW_ENOMEM);
    if (i % 3 == 0)
      uvow_future_detach(f);
  }
  s->returned++;
  return uvow_next_pass();
}

static void body(test_alloc_t *alloc, void *data) {
  scene_t s;
  (void)data;
  memset(&s, 0, sizeof(s));
  if (loop_bed_open_with(&s.bed, alloc)) {
    assert_int_equal(uv_loop_close(&s.bed.uv), 0);
    return;
  }
  uvow_future_t *f = uvow_fiber_spawn(s.bed.loop, parent, &s);
  s.spawned += f != NULL;
  uvow_future_detach(f);
  loop_bed_run(&s.bed);
  loop_bed_close(&s.bed, "closed");
  assert_int_equal(s.ran, s.spawned);
  assert_int_equal(s.returned, s.spawned);
}

TEST_CASE(every_allocation_may_fail) {
  test_alloc_sweep(body, NULL);
}

TEST_MODULE(oom) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_allocation_may_fail),
  };
  return cmocka_run_group_tests_name("fiber/oom", tests, NULL, NULL);
}
