/*
 * What lives as long as something else: a window with two tabs, each with its
 * downloads. A tab that is closed takes its downloads with it, and waits until
 * they have cleaned up; the window has a deadline for all that is in it.
 */
#include <stdio.h>

#include <uv.h>
#include <uvow.h>

typedef struct app {
  uvow_loop_t *loop;
  uvow_scope_t *window;
  uvow_scope_t *news; /* tabs */
  uvow_scope_t *films;
} app_t;

/* A download: it takes a while, and says how it ended. */
typedef struct load {
  app_t *app;
  const char *what;
} load_t;

/* Runs however it ends, and is waited for: a file to remove, say. */
static uvow_next_t clean_up(void *data) {
  load_t *load = data;
  printf("%s: cleans up\n", load->what);
  return uvow_next_future(uvow_future_delay(load->app->loop, 1));
}

static void on_end(const uvow_result_t *result, void *data) {
  load_t *load = data;
  int code = result->error ? uvow_error_code(result->error) : 0;
  printf("%s: %s\n", load->what, code ? uvow_err_name(code) : "is there");
}

/* [add] */
/* Belongs to a tab from now on: nobody needs to hold what it returns. */
static uvow_future_t *begin(load_t *load, uvow_scope_t *tab, uint64_t ms) {
  uvow_future_t *f = uvow_future_delay(load->app->loop, ms);
  f = uvow_scope_add(tab, uvow_future_finally(f, clean_up, load));
  uvow_future_done(uvow_future_ref(f), on_end, load);
  return f;
}
/* [add] */

/* [tabs] */
static int open_window(app_t *app) {
  app->window = uvow_scope_new(app->loop);
  app->news = uvow_scope_nest(app->window);
  app->films = uvow_scope_nest(app->window);
  return app->window && app->news && app->films ? 0 : UVOW_ENOMEM;
}

/* Closing a tab waits for the cleanups of what it cancels. */
static int close_tab(app_t *app, uvow_scope_t *tab) {
  return uvow_loop_await(app->loop, uvow_scope_close(tab), NULL);
}

/* The window ends by itself, with all tabs that are open still. */
static int last_call(app_t *app) {
  int rc = uvow_scope_timeout(app->window, 20);
  if (rc)
    return rc;
  return uvow_loop_await(app->loop, uvow_scope_idle(app->window), NULL);
}
/* [tabs] */

static int run(app_t *app) {
  load_t text = {app, "text"}, picture = {app, "picture"}, film = {app, "film"};
  load_t late = {app, "late"};
  int rc = open_window(app);
  if (rc)
    return rc;
  uvow_future_unref(begin(&picture, app->news, 60000));
  uvow_future_unref(begin(&film, app->films, 60000));
  rc = uvow_loop_await(app->loop, begin(&text, app->news, 1), NULL);
  if (rc == 0)
    rc = close_tab(app, app->news);
  printf("the tab is closed\n");
  uvow_future_unref(begin(&late, app->news, 1)); /* at once UVOW_ECANCELED */
  if (rc == 0)
    rc = last_call(app);
  printf("the window is empty\n");
  return rc;
}

int main(void) {
  uv_loop_t uv;
  app_t app = {NULL, NULL, NULL, NULL};
  if (uv_loop_init(&uv))
    return 1;
  app.loop = uvow_loop_new(&uv, NULL);
  int rc = app.loop ? run(&app) : UVOW_ENOMEM;
  uvow_scope_free(app.news);
  uvow_scope_free(app.films);
  uvow_scope_free(app.window);
  uvow_loop_close(app.loop, NULL, NULL);
  uv_run(&uv, UV_RUN_DEFAULT);
  return uv_loop_close(&uv) || rc ? 1 : 0;
}
