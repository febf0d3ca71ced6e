/* A whole program in a fiber: its loops, its end. */
#include <uv.h>

#include <uvow/fiber.h>

/* Runs the loop until f is settled, or nothing can settle it any more. */
static void run_until(uv_loop_t *uv, uvow_future_t *f) {
  while (uvow_future_state(f) == UVOW_PENDING && uv_run(uv, UV_RUN_ONCE)) {
  }
}

int uvow_fiber_main(uvow_fiber_cb fn, void *data) {
  uv_loop_t uv;
  uvow_loop_t *loop;
  if (uv_loop_init(&uv))
    return 1;
  loop = uvow_loop_new(&uv, NULL);
  if (!loop) {
    (void)uv_loop_close(&uv);
    return 1;
  }
  uvow_future_t *f = uvow_fiber_spawn(loop, fn, data);
  uvow_future_detach(uvow_future_ref(f)); /* a rejection is reported */
  run_until(&uv, f);
  int failed = uvow_future_state(f) != UVOW_FULFILLED;
  uvow_future_unref(f);
  uvow_loop_close(loop, NULL, NULL);
  (void)uv_run(&uv, UV_RUN_DEFAULT);
  (void)uv_loop_close(&uv);
  return failed;
}
