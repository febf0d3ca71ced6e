/* A fiber that reads like a script: each line waits for what it does. */
#include <stdio.h>

#include <uv.h>

#include <uvow.h>
#include <uvow/fiber.h>
#include <uvow/uv.h>

#define PATH "uvow-script.tmp"

/* Runs on another thread: may take its time. */
static uvow_value_t add_up(void *data) {
  int64_t sum = 0;
  for (int64_t i = 1; i <= *(int64_t *)data; i++)
    sum += i;
  return uvow_value_int64(sum);
}

/* [script] */
static uvow_next_t script(uvow_loop_t *loop, void *data) {
  int64_t n = 1000, sum = 0;
  uvow_result_t r;
  size_t len;
  int rc;
  (void)data;

  if ((rc = uvow_await(uvow_work(loop, add_up, &n), &r)))
    return uvow_next_code(rc, "adding up");
  uvow_value_get_int64(&r.value, &sum);
  printf("sum %d\n", (int)sum);

  if ((rc = uvow_await(uvow_fs_write_file(loop, PATH, uvow_value_text("hello")),
                       &r)))
    return uvow_next_error(uvow_error_ref(r.error));
  if ((rc = uvow_await(uvow_fs_read_file(loop, PATH, 100), &r)))
    return uvow_next_error(uvow_error_ref(r.error));
  const char *bytes = uvow_result_bytes(&r, &len);
  printf("read %.*s\n", (int)len, bytes);
  uvow_await(uvow_fs_unlink(loop, PATH), NULL);

  rc = uvow_await(uvow_future_timeout(uvow_future_delay(loop, 100000), 10), &r);
  printf("%s\n", uvow_err_name(rc));
  return uvow_next_none();
}
/* [script] */

int main(void) {
  return uvow_fiber_main(script, NULL);
}
