/*
 * Many jobs, a few at a time: map, results as they come, a limit that several
 * parts of a program share, and a scope with a deadline for all.
 */
#include <stdio.h>

#include <uv.h>
#include <uvow.h>

typedef struct app {
  uvow_loop_t *loop;
  uvow_limit_t *limit;
  uvow_scope_t *scope;
  int running;
  int most;
} app_t;

/* A job: it takes a while; of seven, number 3 fails. */

static uvow_next_t job_done(void *data) {
  ((app_t *)data)->running--;
  return uvow_next_pass();
}

static uvow_next_t number(const uvow_result_t *result, void *data) {
  (void)result;
  (void)data;
  return uvow_next_value(uvow_value_int64(1));
}

static uvow_next_t fail(const uvow_result_t *result, void *data) {
  (void)result;
  (void)data;
  return uvow_next_code(UVOW_EREMOTE, "job 3 can't be done");
}

static uvow_future_t *start(size_t i, void *data) {
  app_t *app = data;
  if (++app->running > app->most)
    app->most = app->running;
  uvow_future_t *f = uvow_future_delay(app->loop, 1);
  f = uvow_future_then(f, i == 3 ? fail : number, NULL);
  return uvow_future_finally(f, job_done, app);
}

/* All of them, two at a time. */

static uvow_next_t count(const uvow_result_t *all, void *data) {
  app_t *app = data;
  const uvow_results_t *results;
  uvow_result_t one;
  size_t good = 0;
  if (uvow_value_get_results(&all->value, &results))
    return uvow_next_pass();
  for (size_t i = 0; uvow_results_get(results, i, &one) == 0; i++) {
    if (one.error)
      printf("%s\n", uvow_error_message(one.error));
    else
      good++;
  }
  printf("%zu of %zu, %d at a time\n", good, uvow_results_count(results),
         app->most);
  return uvow_next_none();
}

/* As they come: the quickest first. */

static uvow_next_t on_result(const uvow_result_t *item, void *data) {
  int64_t n = 0;
  (void)data;
  if (uvow_value_get_int64(&item->value, &n) == 0)
    printf("came: %lld\n", (long long)n);
  return uvow_next_none();
}

static uvow_next_t after(const uvow_result_t *result, void *data) {
  (void)result;
  return uvow_next_value(uvow_value_int64((int64_t)(intptr_t)data));
}

static uvow_next_t in_any_order(const uvow_result_t *result, void *data) {
  app_t *app = data;
  uvow_future_t *futures[3];
  static const int64_t ms[3] = {40, 1, 20};
  (void)result;
  for (size_t i = 0; i < 3; i++)
    futures[i] = uvow_future_then(uvow_future_delay(app->loop, (uint64_t)ms[i]),
                                  after, (void *)(intptr_t)ms[i]);
  uvow_stream_t *s = uvow_stream_of_futures(app->loop, futures, 3);
  return uvow_next_future(uvow_stream_each(s, on_result, NULL));
}

/* One at a time, whoever asks. */

static uvow_future_t *start_one(void *data) {
  return start(0, data);
}

static uvow_next_t one_at_a_time(const uvow_result_t *result, void *data) {
  app_t *app = data;
  uvow_future_t *futures[3];
  (void)result;
  app->most = 0;
  for (size_t i = 0; i < 3; i++)
    futures[i] = uvow_limit_run(app->limit, start_one, app);
  return uvow_next_future(uvow_future_all(app->loop, futures, 3));
}

/* What lives as long as something else: a window, a session. */

static uvow_next_t too_late(const uvow_result_t *result, void *data) {
  (void)data;
  printf("%s\n", uvow_err_name(uvow_error_code(result->error)));
  return uvow_next_none();
}

static uvow_next_t with_a_deadline(const uvow_result_t *result, void *data) {
  app_t *app = data;
  (void)result;
  printf("%d at a time\n", app->most);
  uvow_future_t *f = uvow_future_delay(app->loop, 60000);
  uvow_scope_timeout(app->scope, 10);
  f = uvow_scope_add(app->scope, f);
  return uvow_next_future(uvow_future_catch(f, too_late, NULL));
}

static void finished(const uvow_result_t *result, void *data) {
  app_t *app = data;
  if (result->error)
    printf("%s\n", uvow_error_message(result->error));
  uvow_limit_unref(app->limit);
  uvow_scope_free(app->scope);
  uvow_loop_close(app->loop, NULL, NULL);
}

int main(void) {
  uv_loop_t *uv = uv_default_loop();
  app_t app = {NULL, NULL, NULL, 0, 0};
  app.loop = uvow_loop_new(uv, NULL);
  int rc = app.loop ? 0 : UVOW_ENOMEM;
  if (rc) {
    fprintf(stderr, "parallel: %s\n", uvow_strerror(rc));
    return 1;
  }
  app.limit = uvow_limit_new(app.loop, 1);
  app.scope = uvow_scope_new(app.loop);
  uvow_future_t *f = uvow_future_map_settled(app.loop, 7, 2, start, &app);
  f = uvow_future_then(f, count, &app);
  f = uvow_future_then(f, in_any_order, &app);
  f = uvow_future_then(f, one_at_a_time, &app);
  f = uvow_future_then(f, with_a_deadline, &app);
  if (uvow_future_done(f, finished, &app))
    uvow_loop_close(app.loop, NULL, NULL); /* no memory */
  uv_run(uv, UV_RUN_DEFAULT);
  return uv_loop_close(uv) != 0;
}
