/* Fibers used in ways that can't work: each has its error, or its message. */
#include "support/loop_bed.h"

typedef struct scene {
  loop_bed_t bed;
  loop_bed_t other;
  uvow_future_t *future;
  int code;
  int ends_after;
} scene_t;

static uvow_future_t *settled(uvow_loop_t *loop) {
  return uvow_future_fulfilled(loop, uvow_value_none());
}

/* What the last call on the loop said. */
static void expect_said(uvow_loop_t *loop, int code, const char *text) {
  const uvow_error_t *error = uvow_loop_error(loop);
  assert_int_equal(uvow_error_code(error), code);
  assert_string_equal(uvow_error_message(error), text);
}

static void expect_outside(uvow_loop_t *loop) {
  expect_said(loop, UVOW_EFIBER,
              "uvow_await must be called within a fiber: a continuation, a "
              "cleanup and a destructor are none");
}

static uvow_next_t await_in_then(const uvow_result_t *result, void *data) {
  scene_t *s = data;
  s->code = uvow_await(settled(result->loop), NULL);
  expect_outside(result->loop);
  return uvow_next_pass();
}

static void await_in_destroy(void *data) {
  scene_t *s = data;
  s->code = uvow_await(settled(s->bed.loop), NULL);
  expect_outside(s->bed.loop);
}

static uvow_next_t keeps_busy(uvow_loop_t *loop, void *data) {
  scene_t *s = data;
  uvow_chain_options_t options = {
      .size = sizeof(options), .on_value = await_in_then, .data = s};
  /* Their stack is the loop's, though a fiber caused them. */
  uvow_await(uvow_future_chain(settled(loop), &options), NULL);
  assert_int_equal(s->code, UVOW_EFIBER);
  s->code = 0;
  options.on_value = NULL;
  options.destroy = await_in_destroy;
  uvow_await(uvow_future_chain(settled(loop), &options), NULL);
  return uvow_next_pass();
}

TEST_CASE(an_await_outside_of_fibers) {
  scene_t s;
  memset(&s, 0, sizeof(s));
  loop_bed_open(&s.bed);
  assert_int_equal(uvow_await(NULL, NULL), UVOW_EFIBER);
  assert_int_equal(uvow_await(settled(s.bed.loop), NULL), UVOW_EFIBER);
  assert_int_equal(uvow_await_delay(s.bed.loop, 0), UVOW_EFIBER);
  uvow_future_detach(uvow_fiber_spawn(s.bed.loop, keeps_busy, &s));
  loop_bed_run(&s.bed);
  assert_int_equal(s.code, UVOW_EFIBER);
  loop_bed_close(&s.bed, "closed");
}

static uvow_next_t awaits_badly(uvow_loop_t *loop, void *data) {
  scene_t *s = data;
  assert_int_equal(uvow_await(NULL, NULL), UVOW_ENOMEM);
  assert_int_equal(uvow_await(settled(s->other.loop), NULL), UVOW_EINVAL);
  expect_said(loop, UVOW_EINVAL, "f must be a future of the fiber's own loop");
  assert_int_equal(uvow_await(uvow_future_ref(s->future), NULL), UVOW_ECYCLE);
  expect_said(loop, UVOW_ECYCLE, "f must not be the fiber's own future");
  assert_int_equal(uvow_await_delay(loop, 0), 0);
  s->code = 1;
  return uvow_next_pass();
}

TEST_CASE(futures_that_cannot_be_awaited) {
  scene_t s;
  memset(&s, 0, sizeof(s));
  loop_bed_open(&s.bed);
  loop_bed_open(&s.other);
  s.future = uvow_fiber_spawn(s.bed.loop, awaits_badly, &s);
  loop_bed_run(&s.bed);
  assert_int_equal(s.code, 1);
  uvow_future_unref(s.future);
  loop_bed_close(&s.other, "closed");
  loop_bed_close(&s.bed, "closed");
}

static uvow_next_t never_returns(uvow_loop_t *loop, void *data) {
  scene_t *s = data;
  while (s->code < s->ends_after)
    if (uvow_await_delay(loop, 0))
      s->code++;
  return uvow_next_pass();
}

TEST_CASE(a_fiber_that_ignores_its_cancel) {
  uvow_fiber_options_t options = {.size = sizeof(options), .name = "ticker"};
  scene_t s;
  memset(&s, 0, sizeof(s));
  loop_bed_open(&s.bed);
  s.ends_after = 100001;
  uvow_future_t *f =
      uvow_fiber_spawn_with(s.bed.loop, never_returns, &s, &options);
  uvow_future_cancel(f);
  uvow_future_unref(f);
  loop_bed_run(&s.bed);
  assert_string_equal(s.bed.unhandled,
                      "the fiber ticker was canceled and awaits again and "
                      "again: it must return");
  s.bed.unhandled[0] = '\0';
  s.code = 0;
  s.ends_after = 99999;
  uvow_future_detach(uvow_fiber_spawn(s.bed.loop, never_returns, &s));
  loop_bed_close(&s.bed, "closed");
  assert_string_equal(s.bed.unhandled, "");
}

/* As the loop closes; with UVOW_SITES its line is known. */
TEST_CASE(a_fiber_that_never_ends_is_named) {
  scene_t s;
  memset(&s, 0, sizeof(s));
  loop_bed_open(&s.bed);
  s.ends_after = 100001;
  uvow_future_detach(
      uvow_fiber_spawn_at(s.bed.loop, never_returns, &s, NULL, "tick.c:42"));
  loop_bed_close(&s.bed, "closed");
  assert_string_equal(s.bed.unhandled,
                      "the fiber (no name), spawned at tick.c:42 was canceled "
                      "and awaits again and again: it must return");
}

TEST_CASE(spawns_that_cannot_be) {
  uvow_fiber_options_t options = {.size = sizeof(options)};
  scene_t s;
  memset(&s, 0, sizeof(s));
  loop_bed_open(&s.bed);
  assert_null(uvow_fiber_spawn(NULL, never_returns, &s));
  assert_null(uvow_fiber_spawn(s.bed.loop, NULL, &s));
  expect_said(s.bed.loop, UVOW_EINVAL, "fn must not be NULL");
  options.size = 0;
  assert_null(uvow_fiber_spawn_with(s.bed.loop, never_returns, &s, &options));
  options.size = sizeof(options);
  options.stack_bytes = 1;
  assert_null(uvow_fiber_spawn_with(s.bed.loop, never_returns, &s, &options));
  expect_said(s.bed.loop, UVOW_EINVAL,
              "stack_bytes must be from 16 KiB to 1 GiB");
  options.stack_bytes = SIZE_MAX;
  assert_null(uvow_fiber_spawn_with(s.bed.loop, never_returns, &s, &options));
  assert_null(uvow_fiber_spawn_at(NULL, never_returns, &s, NULL, "here"));
  loop_bed_close(&s.bed, "closed");
}

TEST_MODULE(misuse) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_await_outside_of_fibers),
      cmocka_unit_test(futures_that_cannot_be_awaited),
      cmocka_unit_test(a_fiber_that_ignores_its_cancel),
      cmocka_unit_test(a_fiber_that_never_ends_is_named),
      cmocka_unit_test(spawns_that_cannot_be),
  };
  return cmocka_run_group_tests_name("fiber/misuse", tests, NULL, NULL);
}
