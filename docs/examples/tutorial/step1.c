/* The tutorial, step 1: a loop, a future, what follows it. */
#include <stdio.h>

#include <uv.h>
#include <uvow.h>

/* [then] */
static uvow_next_t count(const uvow_result_t *result, void *data) {
  (void)result;
  (void)data;
  printf("a little later\n");
  return uvow_next_value(uvow_value_int64(42));
}

static void finish(const uvow_result_t *result, void *data) {
  uvow_loop_t *loop = data;
  int64_t number = 0;
  uvow_value_get_int64(&result->value, &number);
  printf("and then %d\n", (int)number);
  uvow_loop_close(loop, NULL, NULL);
}
/* [then] */

/* [main] */
int main(void) {
  uv_loop_t uv;
  if (uv_loop_init(&uv))
    return 1;
  uvow_loop_t *loop = uvow_loop_new(&uv, NULL);
  uvow_future_t *f = uvow_future_delay(loop, 10); /* ms */
  f = uvow_future_then(f, count, NULL);
  uvow_future_done(f, finish, loop);
  printf("nothing has run yet\n");
  uv_run(&uv, UV_RUN_DEFAULT);
  return uv_loop_close(&uv) ? 1 : 0;
}
/* [main] */
