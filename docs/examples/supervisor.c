/* Keeps a program running: starts it again when it fails, with longer and
 * longer pauses, and gives up in the end; then ends one that would run for
 * ever. */
#include <stdio.h>

#include <uv.h>

#include <uvow.h>
#include <uvow/fiber.h>
#include <uvow/uv.h>

/* [supervise] */
/* Returns its exit status, or an error. */
static int run_once(uvow_loop_t *loop, const char *script) {
  const char *args[] = {"sh", "-c", script, NULL};
  uvow_process_options_t options = {.size = sizeof options, .args = args};
  uvow_process_t *process = uvow_spawn(loop, &options);
  uvow_result_t r;
  int64_t status = 0;
  if (!process)
    return uvow_error_code(uvow_loop_error(loop));
  int rc = uvow_await(uvow_process_exit(process), &r);
  if (rc == UVOW_ECANCELED) /* ours: then it ends too, without us */
    uvow_future_detach(uvow_process_close(process));
  else
    uvow_value_get_int64(&r.value, &status);
  uvow_process_unref(process);
  return rc ? rc : (int)status;
}

static uvow_next_t supervise(uvow_loop_t *loop, void *script) {
  for (int i = 0; i < 4; i++) {
    int status = run_once(loop, script);
    printf("exit status %d\n", status);
    if (status <= 0)
      return status ? uvow_next_code(status, NULL) : uvow_next_none();
    if (uvow_await_delay(loop, 1u << i))
      return uvow_next_code(UVOW_ECANCELED, NULL);
  }
  return uvow_next_code(UVOW_EOVERLOAD, "it fails again and again");
}
/* [supervise] */

static uvow_next_t run(uvow_loop_t *loop, void *data) {
  const char *args[] = {"sleep", "1000", NULL};
  uvow_process_options_t options = {.size = sizeof options, .args = args};
  uvow_result_t r;
  int64_t status = 0;
  (void)data;
  if (uvow_await(uvow_fiber_spawn(loop, supervise, "exit 3"), &r))
    printf("given up: %s\n", uvow_error_message(r.error));
  uvow_await(uvow_fiber_spawn(loop, supervise, "exit 0"), NULL);
  uvow_process_t *process = uvow_spawn(loop, &options);
  if (!process)
    return uvow_next_failed(loop);
  uvow_await(uvow_process_close(process), &r);
  uvow_value_get_int64(&r.value, &status);
  printf("asked to go: %d\n", (int)status); /* 128 + SIGTERM */
  uvow_process_unref(process);
  return uvow_next_none();
}

int main(void) {
  return uvow_fiber_main(run, NULL);
}
