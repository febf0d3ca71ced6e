/* Reads many files, at most 8 at once: 8 fibers take one after the other. */
#include <stdio.h>
#include <string.h>

#include <uv.h>

#include <uvow.h>
#include <uvow/fiber.h>
#include <uvow/uv.h>

enum { FILES = 40, AT_ONCE = 8 };

typedef struct app {
  char folder[1024];
  int next; /* the file that is read next */
  int reading, most;
  size_t bytes;
} app_t;

static const char *path_of(const app_t *app, int i, char path[1100]) {
  snprintf(path, 1100, "%s/%d", app->folder, i);
  return path;
}

/* [worker] */
static uvow_next_t worker(uvow_loop_t *loop, void *data) {
  app_t *app = data;
  char path[1100];
  uvow_result_t r;
  while (app->next < FILES) {
    path_of(app, app->next++, path);
    app->most = ++app->reading > app->most ? app->reading : app->most;
    int rc = uvow_await(uvow_fs_read_file(loop, path, 1 << 20), &r);
    app->reading--;
    if (rc)
      return uvow_next_error(uvow_error_ref(r.error));
    app->bytes += uvow_result_bytes(&r).len;
  }
  return uvow_next_none();
}

static int read_all(uvow_loop_t *loop, app_t *app) {
  uvow_future_t *workers[AT_ONCE];
  for (int i = 0; i < AT_ONCE; i++)
    workers[i] = uvow_fiber_spawn(loop, worker, app);
  return uvow_await(uvow_future_all(loop, workers, AT_ONCE), NULL);
}
/* [worker] */

static uvow_next_t run(uvow_loop_t *loop, void *data) {
  app_t *app = data;
  char path[1100];
  for (int i = 0; i < FILES; i++)
    uvow_await(uvow_fs_write_file(loop, path_of(app, i, path),
                                  uvow_value_text("some text\n")),
               NULL);
  int rc = read_all(loop, app);
  printf("%d files, %zu bytes, at most %d at once\n", FILES, app->bytes,
         app->most);
  for (int i = 0; i < FILES; i++)
    uvow_await(uvow_fs_unlink(loop, path_of(app, i, path)), NULL);
  uvow_await(uvow_fs_rmdir(loop, app->folder), NULL);
  return rc ? uvow_next_code(rc, NULL) : uvow_next_none();
}

int main(void) {
  app_t app = {0};
  size_t len = sizeof app.folder - sizeof "/uvow-XXXXXX";
  uv_fs_t req;
  if (uv_os_tmpdir(app.folder, &len))
    return 1;
  strcat(app.folder, "/uvow-XXXXXX");
  if (uv_fs_mkdtemp(NULL, &req, app.folder, NULL))
    return 1;
  snprintf(app.folder, sizeof app.folder, "%s", req.path);
  uv_fs_req_cleanup(&req);
  return uvow_fiber_main(run, &app);
}
