/*
 * Giving up: an operation of one's own that can be canceled, what is freed when,
 * a cancel that goes through a connection, and an answer that comes too late.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>
#include <uvow.h>

typedef struct app {
  uv_loop_t *uv;
  uvow_loop_t *loop;
  uvow_methods_t *methods;
  uvow_peer_t *server; /* as its caller sees it */
  uvow_peer_t *caller;
  uvow_future_t *asked;
} app_t;

/* [operation] */
/* An operation: some steps, one a millisecond. It owns itself. */
typedef struct search {
  uv_timer_t timer;
  uvow_promise_t *promise;
  const char *name;
  int steps; /* to go */
} search_t;

static void on_closed(uv_handle_t *timer) {
  free(timer->data);
}

/* Uses up the promise: on_cancel can't be called any more. */
static void on_step(uv_timer_t *timer) {
  search_t *search = timer->data;
  if (--search->steps > 0)
    return;
  uvow_promise_fulfill(search->promise, uvow_value_text("found"));
  uv_close((uv_handle_t *)timer, on_closed);
}

/* Called once, when nobody wants the result any more. */
static void on_cancel(void *data) {
  search_t *search = data;
  printf("%s: stops\n", search->name);
  uvow_promise_drop(search->promise);
  uv_close((uv_handle_t *)&search->timer, on_closed);
}

static uvow_future_t *search(app_t *app, const char *name, int steps) {
  search_t *search = calloc(1, sizeof(*search));
  if (!search)
    return NULL;
  uvow_future_t *f = uvow_promise_new(app->loop, &search->promise);
  if (!f) {
    free(search);
    return NULL;
  }
  search->name = name;
  search->steps = steps;
  uv_timer_init(app->uv, &search->timer);
  search->timer.data = search;
  uv_timer_start(&search->timer, on_step, 1, 1);
  uvow_promise_on_cancel(search->promise, on_cancel, search, NULL);
  return f;
}
/* [operation] */

/* [data] */
/* What the callbacks of one chain share. */
typedef struct job {
  char name[16];
} job_t;

static void free_job(void *data) {
  job_t *job = data;
  printf("%s: its job is freed\n", job->name);
  free(job);
}

static uvow_next_t on_found(const uvow_result_t *result, void *data) {
  job_t *job = data;
  void *text;
  if (uvow_value_get_ptr(&result->value, &uvow_type_text, &text) == 0)
    printf("%s: %s\n", job->name, (char *)text);
  return uvow_next_pass();
}

static uvow_next_t clean_up(void *data) {
  job_t *job = data;
  printf("%s: cleans up\n", job->name);
  return uvow_next_none();
}

static void on_end(const uvow_result_t *result, void *data) {
  job_t *job = data;
  int code = result->error ? uvow_error_code(result->error) : 0;
  printf("%s: %s\n", job->name, code ? uvow_err_name(code) : "done");
}

/* Returns new: to cancel it by. However it ends, job is freed after on_end. */
static uvow_future_t *look_for(app_t *app, const char *name) {
  job_t *job = calloc(1, sizeof(*job));
  if (!job)
    return NULL;
  snprintf(job->name, sizeof(job->name), "%s", name);
  uvow_future_t *f = search(app, name, 3);
  f = uvow_future_then(f, on_found, job);
  f = uvow_future_finally(f, clean_up, job);
  f = uvow_future_own(f, job, free_job); /* last: behind all that use it */
  uvow_future_done(uvow_future_ref(f), on_end, job);
  return f;
}
/* [data] */

/* [giveup] */
static void give_up(app_t *app) {
  uvow_future_t *a = look_for(app, "a");
  uvow_future_t *b = look_for(app, "b");
  uvow_future_unref(a);  /* goes on: on_end waits for it */
  uvow_future_cancel(b); /* tells the search, cleans up, ends; */
  uvow_future_unref(b);  /* and what we own of it is still ours to release */
  uvow_future_drop(search(app, "c", 3)); /* both, where nothing waits for it */
}
/* [giveup] */

/* [remote] */
/* A method whose call is canceled when its caller gives up. */
static uvow_next_t on_search(uvow_call_t *call, const uvow_result_t *params,
                             void *data) {
  (void)call;
  (void)params;
  return uvow_next_future(search(data, "the server's", 60000));
}

static void finish(app_t *app) {
  uvow_peer_unref(app->caller);
  uvow_peer_unref(app->server);
  uvow_methods_unref(app->methods);
}

static void on_answer(const uvow_result_t *result, void *data) {
  printf("request: %s\n", uvow_err_name(uvow_error_code(result->error)));
  if (uvow_error_outcome(result->error) == UVOW_MAYBE_EXECUTED)
    printf("the server may have begun\n");
  finish(data);
}

static void request(app_t *app) {
  uvow_request_options_t options = {.size = sizeof(options)};
  options.timeout_ms = 20; /* uvow_future_cancel would do the same at once */
  uvow_future_done(uvow_peer_request_with(app->server, "search",
                                          uvow_value_none(), &options),
                   on_answer, app);
}
/* [remote] */

/* [late] */
/* What no request waits for. Returns 0: it's counted, too. */
static int on_stray(uvow_peer_t *peer, uvow_stray_t stray, uvow_slice_t message,
                    const uvow_error_t *error, void *data) {
  uvow_peer_stats_t stats = {.size = sizeof(stats)};
  (void)error;
  if (stray == UVOW_STRAY_LATE)
    printf("too late: %.*s\n", (int)message.len, message.bytes);
  uvow_peer_get_stats(peer, &stats);
  printf("given up: %d, late: %d\n", (int)stats.canceled, (int)stats.late);
  finish(data);
  return 0;
}

/* The request has begun: whoever asked loses interest. */
static uvow_next_t on_soon(uvow_call_t *call, const uvow_result_t *params,
                           void *data) {
  app_t *app = data;
  (void)call;
  (void)params;
  uvow_future_cancel(app->asked);
  uvow_future_unref(app->asked);
  return uvow_next_future(search(app, "the server's", 2));
}

static void request_and_leave(app_t *app) {
  app->asked = uvow_peer_request(app->server, "soon", uvow_value_none());
}
/* [late] */

static int start(app_t *app, int no_cancel) {
  uvow_peer_options_t options = {.size = sizeof(options)};
  options.protocol = uvow_protocol_by_name("jsonrpc2");
  app->methods = uvow_methods_new(app->loop);
  uvow_methods_add(app->methods, "search", on_search, app);
  uvow_methods_add(app->methods, "soon", on_soon, app);
  options.methods = app->methods;
  options.no_cancel = no_cancel;
  options.on_stray = on_stray;
  options.data = app;
  return uvow_peer_pair(app->loop, &options, &options, &app->server,
                        &app->caller);
}

int main(void) {
  app_t app = {.uv = uv_default_loop()};
  app.loop = uvow_loop_new(app.uv, NULL);
  if (!app.loop)
    return 1;
  give_up(&app);
  uv_run(app.uv, UV_RUN_DEFAULT);
  if (start(&app, 0))
    return 1;
  request(&app);
  uv_run(app.uv, UV_RUN_DEFAULT);
  if (start(&app, 1))
    return 1;
  request_and_leave(&app);
  uv_run(app.uv, UV_RUN_DEFAULT);
  uvow_loop_close(app.loop, NULL, NULL);
  uv_run(app.uv, UV_RUN_DEFAULT);
  return uv_loop_close(app.uv) ? 1 : 0;
}
