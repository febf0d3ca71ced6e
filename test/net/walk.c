/* What a loop can tell of its futures: unsettled ones, and leaks. */
#define UVOW_SITES

#include <stdio.h>

#include <uv.h>

#include <uvow.h>

#include "support/support.h"

typedef struct seen {
  size_t total;
  size_t promises;
  size_t thens;
  size_t timers;
  size_t others;
  size_t owners; /* of the last one */
  uvow_state_t state;
  char name[200];
} seen_t;

static void look(const uvow_future_info_t *info, void *data) {
  seen_t *seen = data;
  seen->total++;
  if (strcmp(info->kind, "promise") == 0)
    seen->promises++;
  else if (strcmp(info->kind, "then") == 0)
    seen->thens++;
  else if (strcmp(info->kind, "timer") == 0)
    seen->timers++;
  else
    seen->others++;
  seen->owners = info->owners;
  seen->state = info->state;
  snprintf(seen->name, sizeof(seen->name), "%s", info->name ? info->name : "");
}

static uvow_next_t pass(const uvow_result_t *result, void *data) {
  (void)result;
  (void)data;
  return uvow_next_pass();
}

static void close_loop(uvow_loop_t *loop, uv_loop_t *uv) {
  uvow_loop_close(loop, NULL, NULL);
  uv_run(uv, UV_RUN_DEFAULT);
  assert_int_equal(uv_loop_close(uv), 0);
}

TEST_CASE(the_walk_shows_what_is_unsettled) {
  uv_loop_t uv;
  uvow_loop_t *loop;
  uvow_promise_t *p;
  seen_t seen = {0};
  uv_loop_init(&uv);
  loop = uvow_loop_new(&uv, NULL);
  assert_non_null(loop);
  assert_int_equal(uvow_loop_walk(loop, NULL, NULL), 0);
  uvow_future_t *f = uvow_promise_new(loop, &p);
  f = uvow_future_then(f, pass, NULL);
  f = uvow_future_then(f, pass, NULL);
  uvow_future_t *settled = uvow_future_fulfilled(loop, uvow_value_none());
  uvow_future_t *timer = uvow_future_delay(loop, 1000000);
  assert_int_equal(uvow_loop_walk(loop, NULL, NULL), 4); /* counted only */
  assert_int_equal(uvow_loop_walk(loop, look, &seen), 4);
  assert_int_equal(seen.total, 4);
  assert_int_equal(seen.promises, 1);
  assert_int_equal(seen.thens, 2);
  assert_int_equal(seen.timers, 1);
  uvow_future_cancel(timer);
  uvow_promise_fulfill(p, uvow_value_none());
  uv_run(&uv, UV_RUN_DEFAULT);
  assert_int_equal(uvow_loop_walk(loop, NULL, NULL), 0);
  uvow_future_unref(f);
  uvow_future_unref(settled);
  uvow_future_unref(timer);
  close_loop(loop, &uv);
}

TEST_CASE(what_is_owned_after_close_is_reported) {
  uvow_loop_options_t options = {.size = sizeof(options)};
  uv_loop_t uv;
  uvow_loop_t *loop;
  uvow_promise_t *p;
  seen_t leaks = {0};
  char expected[200];
  options.on_leak = look;
  options.data = &leaks;
  uv_loop_init(&uv);
  loop = uvow_loop_new(&uv, &options);
  assert_non_null(loop);
  uvow_future_unref(uvow_future_fulfilled(loop, uvow_value_none()));
  uvow_future_t *leak = uvow_promise_new(loop, &p);
  int line = __LINE__ - 1;
  uvow_promise_fulfill(p, uvow_value_none());
  assert_ptr_equal(uvow_future_ref(leak), leak);
  close_loop(loop, &uv);
  assert_int_equal(leaks.total, 1);
  assert_int_equal(leaks.owners, 2);
  assert_int_equal(leaks.state, UVOW_FULFILLED);
#ifdef UVOW_DEBUG
  snprintf(expected, sizeof(expected), "%s:%d", __FILE__, line);
#else
  snprintf(expected, sizeof(expected), "%.*s", 0 * line, "");
#endif
  assert_string_equal(leaks.name, expected);
  uvow_future_unref(leak);
  uvow_future_unref(leak);
}

TEST_CASE(nothing_leaks_nothing_is_reported) {
  uvow_loop_options_t options = {.size = sizeof(options)};
  uv_loop_t uv;
  uvow_loop_t *loop;
  uvow_promise_t *p;
  seen_t leaks = {0};
  options.on_leak = look;
  options.data = &leaks;
  uv_loop_init(&uv);
  loop = uvow_loop_new(&uv, &options);
  assert_non_null(loop);
  uvow_future_t *f = uvow_promise_new(loop, &p);
  uvow_future_detach(uvow_future_then(f, pass, NULL));
  uvow_promise_fulfill(p, uvow_value_none());
  close_loop(loop, &uv);
  assert_int_equal(leaks.total, 0);
}

TEST_MODULE(walk) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_walk_shows_what_is_unsettled),
      cmocka_unit_test(what_is_owned_after_close_is_reported),
      cmocka_unit_test(nothing_leaks_nothing_is_reported),
  };
  return cmocka_run_group_tests_name("net/walk", tests, NULL, NULL);
}
