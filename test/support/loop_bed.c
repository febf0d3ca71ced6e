#include "loop_bed.h"

#include <stdio.h>

static void on_unhandled(uvow_loop_t *loop, const uvow_error_t *error,
                         void *data) {
  loop_bed_t *bed = (loop_bed_t *)data;
  (void)loop;
  snprintf(bed->unhandled, sizeof(bed->unhandled), "%s",
           uvow_error_message(error));
}

static void on_leak(const uvow_future_info_t *info, void *data) {
  (void)info;
  ((loop_bed_t *)data)->leaks++;
}

static void on_closed(void *data) {
  loop_bed_t *bed = (loop_bed_t *)data;
  bed->closed = 1;
  loop_bed_log(bed, "closed");
}

int loop_bed_open_with(loop_bed_t *bed, test_alloc_t *alloc) {
  uvow_loop_options_t options = {.size = sizeof(options)};
  memset(bed, 0, sizeof(*bed));
  bed->alloc = alloc;
  options.allocator = &alloc->allocator;
  options.on_unhandled = on_unhandled;
  options.on_leak = on_leak;
  options.data = bed;
  assert_int_equal(uv_loop_init(&bed->uv), 0);
  bed->loop = uvow_loop_new(&bed->uv, &options);
  return bed->loop ? 0 : UVOW_ENOMEM;
}

void loop_bed_open(loop_bed_t *bed) {
  memset(bed, 0, sizeof(*bed));
  test_alloc_t *alloc = &bed->own_alloc;
  uvow_loop_options_t options = {.size = sizeof(options)};
  test_alloc_init(alloc);
  bed->alloc = alloc;
  options.allocator = &alloc->allocator;
  options.on_unhandled = on_unhandled;
  options.on_leak = on_leak;
  options.data = bed;
  assert_int_equal(uv_loop_init(&bed->uv), 0);
  bed->loop = uvow_loop_new(&bed->uv, &options);
  assert_non_null(bed->loop);
}

void loop_bed_run(loop_bed_t *bed) {
  uv_run(&bed->uv, UV_RUN_DEFAULT);
}

int loop_bed_wait(loop_bed_t *bed, uvow_future_t *f,
                  uvow_result_t *ret_result) {
  uvow_result_t result;
  uvow_future_unref(bed->waited);
  bed->waited = f;
  assert_non_null(f);
  while (uvow_future_state(f) == UVOW_PENDING)
    assert_true(uv_run(&bed->uv, UV_RUN_ONCE) ||
                uvow_future_state(f) != UVOW_PENDING);
  assert_int_equal(uvow_future_peek(f, &result), 0);
  if (ret_result)
    *ret_result = result;
  return result.error ? uvow_error_code(result.error) : 0;
}

void loop_bed_close(loop_bed_t *bed, const char *log) {
  uvow_future_unref(bed->waited);
  bed->waited = NULL;
  if (bed->loop)
    uvow_loop_close(bed->loop, on_closed, bed);
  uv_run(&bed->uv, UV_RUN_DEFAULT);
  assert_int_equal(uv_loop_close(&bed->uv), 0);
  assert_string_equal(bed->log, log);
  if (bed->alloc == &bed->own_alloc)
    assert_int_equal(bed->alloc->live, 0);
}

void loop_bed_log(loop_bed_t *bed, const char *word) {
  size_t len = strlen(bed->log);
  assert_true(len + strlen(word) + 2 < sizeof(bed->log));
  snprintf(bed->log + len, sizeof(bed->log) - len, "%s%s", len ? " " : "",
           word);
}

void loop_bed_log_number(loop_bed_t *bed, const char *word, int number) {
  char text[64];
  snprintf(text, sizeof(text), "%s%d", word, number);
  loop_bed_log(bed, text);
}

int loop_bed_many(int wanted) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return wanted / 30;
#else
  return getenv("LD_PRELOAD") && strstr(getenv("LD_PRELOAD"), "vgpreload")
             ? wanted / 30
             : wanted;
#endif
}
