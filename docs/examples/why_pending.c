/*
 * A future that never settles: how one finds out what it waits for.
 */
#include <stdio.h>

#include <uv.h>
#include <uvow.h>

static uvow_next_t twice(const uvow_result_t *result, void *data) {
  int64_t n = 0;
  (void)data;
  uvow_value_get_int64(&result->value, &n);
  return uvow_next_value(uvow_value_int64(2 * n));
}

/* [walk] */
static void print(const uvow_future_info_t *info, void *data) {
  (*(int *)data)++;
  printf("  pending: %s%s%s\n", info->kind, info->name ? ", " : "",
         info->name ? info->name : "");
}
/* [walk] */

/* [await] */
static int wait_for(uvow_loop_t *loop, uvow_future_t *f) {
  int count = 0;
  int rc = uvow_loop_await(loop, f, NULL);
  if (rc == UVOW_EBROKEN) { /* the loop has nothing left to do */
    printf("it never comes. All that is pending:\n");
    uvow_loop_walk(loop, print, &count);
  }
  return rc;
}
/* [await] */

int main(void) {
  uv_loop_t uv;
  uvow_promise_t *forgotten;
  if (uv_loop_init(&uv))
    return 1;
  uvow_loop_t *loop = uvow_loop_new(&uv, NULL);
  uvow_future_t *f = uvow_promise_new(loop, &forgotten);
  f = uvow_future_then(f, twice, NULL);
  int rc = wait_for(loop, uvow_future_ref(f));
  uvow_promise_fulfill(forgotten, uvow_value_int64(21));
  printf("once somebody fulfills it: %s\n", uvow_strerror(wait_for(loop, f)));
  uvow_loop_close(loop, NULL, NULL);
  uv_run(&uv, UV_RUN_DEFAULT);
  return uv_loop_close(&uv) || rc != UVOW_EBROKEN ? 1 : 0;
}
