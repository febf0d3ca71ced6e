/* A bounded fan-out with progress and a deadline: at most 8 of 50 names are
 * looked up at once; who waits, 20 seconds at the most, sees how far it is. */
#include <stdio.h>

#include <uv.h>

#include <uvow.h>
#include <uvow/fiber.h>
#include <uvow/uv.h>

enum { NAMES = 50, AT_ONCE = 8, DEADLINE_MS = 20000 };

typedef struct app {
  int begun, done, found;
} app_t;

/* [fanout] */
static uvow_next_t look_up(uvow_loop_t *loop, void *data) {
  app_t *app = data;
  char name[32];
  while (app->begun < NAMES) {
    snprintf(name, sizeof name, "127.0.0.%d", ++app->begun);
    int rc = uvow_await(uvow_resolve(loop, name), NULL);
    if (rc == UVOW_ECANCELED) /* the deadline's */
      return uvow_next_code(rc, NULL);
    app->found += rc == 0;
    app->done++;
  }
  return uvow_next_none();
}

static uvow_next_t show(uvow_loop_t *loop, void *data) {
  app_t *app = data;
  while (uvow_await_delay(loop, 100) == 0)
    fprintf(stderr, "%d of %d\n", app->done, NAMES);
  return uvow_next_none();
}

static uvow_next_t run(uvow_loop_t *loop, void *data) {
  app_t *app = data;
  uvow_future_t *all[AT_ONCE];
  uvow_future_t *progress = uvow_fiber_spawn(loop, show, app);
  for (int i = 0; i < AT_ONCE; i++)
    all[i] = uvow_fiber_spawn(loop, look_up, app);
  int rc = uvow_await(uvow_future_timeout(uvow_future_all(loop, all, AT_ONCE),
                                          DEADLINE_MS), /* cancels them */
                      NULL);
  uvow_future_drop(progress);
  printf("%s: %d of %d found\n", rc ? uvow_strerror(rc) : "done", app->found,
         NAMES);
  return uvow_next_none();
}
/* [fanout] */

int main(void) {
  app_t app = {0, 0, 0};
  return uvow_fiber_main(run, &app);
}
