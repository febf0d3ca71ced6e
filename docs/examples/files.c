/* Work on another thread, a file written, read and removed, and a deadline: a
 * chain of what libuv does. */
#include <stdio.h>

#include <uv.h>

#include <uvow.h>
#include <uvow/uv.h>

#define PATH "uvow-files.tmp"

/* Runs on another thread: may take its time. */
static uvow_value_t add_up(void *data) {
  int64_t sum = 0;
  for (int64_t i = 1; i <= *(int64_t *)data; i++)
    sum += i;
  return uvow_value_int64(sum);
}

/* [files] */
static uvow_next_t on_sum(const uvow_result_t *r, void *data) {
  int64_t sum = 0;
  (void)data;
  uvow_value_get_int64(&r->value, &sum);
  printf("sum %d\n", (int)sum);
  return uvow_next_future(
      uvow_fs_write_file(r->loop, PATH, uvow_value_text("hello")));
}

static uvow_next_t on_written(const uvow_result_t *r, void *data) {
  (void)data;
  return uvow_next_future(uvow_fs_read_file(r->loop, PATH, 100));
}

static uvow_next_t on_read(const uvow_result_t *r, void *data) {
  uvow_slice_t got = uvow_result_bytes(r);
  (void)data;
  printf("read %.*s\n", (int)got.len, got.bytes);
  return uvow_next_future(uvow_fs_unlink(r->loop, PATH));
}

static uvow_next_t on_removed(const uvow_result_t *r, void *data) {
  (void)data;
  return uvow_next_future(
      uvow_future_timeout(uvow_future_delay(r->loop, 100000), 10));
}

static void on_end(const uvow_result_t *r, void *data) {
  uvow_loop_t *loop = data;
  printf("%s\n", r->error ? uvow_err_name(uvow_error_code(r->error)) : "ok");
  uvow_loop_close(loop, NULL, NULL);
}

static int script(uvow_loop_t *loop, int64_t *n) {
  uvow_future_t *f = uvow_work(loop, add_up, n);
  f = uvow_future_then(f, on_sum, NULL);
  f = uvow_future_then(f, on_written, NULL);
  f = uvow_future_then(f, on_read, NULL);
  f = uvow_future_then(f, on_removed, NULL);
  return uvow_future_done(f, on_end, loop);
}
/* [files] */

int main(void) {
  int64_t n = 1000;
  uvow_loop_t *loop;
  loop = uvow_loop_new(uv_default_loop(), NULL);
  if (!loop || script(loop, &n))
    return 1;
  uv_run(uv_default_loop(), UV_RUN_DEFAULT);
  return uv_loop_close(uv_default_loop()) != 0;
}
