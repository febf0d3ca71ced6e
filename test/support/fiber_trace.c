/* A fiber with a few frames, for test/check/backtrace.py. */
#include <stdio.h>

#include <uvow.h>
#include <uvow/fiber.h>

int deepest(uvow_loop_t *loop, int depth);

int deepest(uvow_loop_t *loop, int depth) {
  volatile int rc = 0;
  if (depth > 0)
    rc = deepest(loop, depth - 1);
  else
    rc = uvow_await_delay(loop, 0);
  return rc + 0;
}

static uvow_next_t run(uvow_loop_t *loop, void *data) {
  (void)data;
  return deepest(loop, 3) ? uvow_next_pass() : uvow_next_none();
}

int main(void) {
  return uvow_fiber_main(run, NULL);
}
