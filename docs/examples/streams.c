/*
 * Streams: a producer that is faster than its consumer, and waits for it; a
 * pipeline of stages; a display that wants the newest only, and learns how many
 * it has missed.
 */
#include <stdio.h>

#include <uv.h>
#include <uvow.h>

typedef struct app {
  uvow_loop_t *loop;
  uvow_sink_t *readings; /* NULL: ended */
  int64_t next;
} app_t;

/* The producer: pushes until the stream is full, then waits for room. */

static void on_room(const uvow_result_t *result, void *data);

/* [produce] */
static void produce(app_t *app) {
  while (app->next <= 10) {
    int rc = uvow_sink_push(app->readings, uvow_value_int64(app->next));
    if (rc < 0)
      break; /* nobody reads any more */
    app->next++;
    if (rc == 1) { /* taken, and now it's full */
      uvow_future_done(uvow_sink_room(app->readings), on_room, app);
      return;
    }
  }
  uvow_sink_end_value(app->readings, uvow_value_int64(app->next - 1));
  app->readings = NULL;
}

static void on_room(const uvow_result_t *result, void *data) {
  app_t *app = data;
  if (result->error) {
    uvow_sink_drop(app->readings);
    app->readings = NULL;
    return;
  }
  printf("(room again)\n");
  produce(app);
}
/* [produce] */

/* The consumer: each item takes 5 ms; the next one waits for that. */

static int is_even(const uvow_result_t *item, void *data) {
  int64_t n = 0;
  (void)data;
  (void)uvow_value_get_int64(&item->value, &n);
  return n % 2 == 0;
}

static uvow_next_t times_ten(const uvow_result_t *item, void *data) {
  int64_t n = 0;
  (void)data;
  if (uvow_value_get_int64(&item->value, &n))
    return uvow_next_code(UVOW_ETYPE, "not a number");
  return uvow_next_value(uvow_value_int64(n * 10));
}

/* [item] */
static uvow_next_t on_item(const uvow_result_t *item, void *data) {
  app_t *app = data;
  int64_t n = 0;
  (void)uvow_value_get_int64(&item->value, &n);
  printf("item %lld\n", (long long)n);
  return uvow_next_future(uvow_future_delay(app->loop, 5));
}
/* [item] */

/* [stages] */
static uvow_future_t *consume(app_t *app, uvow_stream_t *s) {
  s = uvow_stream_filter(s, is_even, NULL);
  s = uvow_stream_map(s, times_ten, NULL);
  return uvow_stream_each(s, on_item, app);
}
/* [stages] */

/* The display. */

static uvow_next_t show(const uvow_result_t *item, void *data) {
  int64_t n = 0;
  (void)data;
  (void)uvow_value_get_int64(&item->value, &n);
  printf("display: %lld, %llu missed\n", (long long)n,
         (unsigned long long)uvow_result_missed(item));
  return uvow_next_none();
}

/* [newest] */
static uvow_future_t *show_newest(app_t *app) {
  uvow_stream_options_t newest = {sizeof(newest), 0, 0, UVOW_FULL_LATEST, 0};
  uvow_sink_t *sink;
  uvow_stream_t *s = uvow_stream_new(app->loop, &newest, &sink);
  for (int64_t i = 1; i <= 100; i++)
    (void)uvow_sink_push(sink, uvow_value_int64(i)); /* nobody shows them */
  uvow_sink_end(sink);
  return uvow_stream_each(s, show, NULL);
}
/* [newest] */

static uvow_next_t then_display(const uvow_result_t *end, void *data) {
  int64_t n = 0;
  (void)uvow_value_get_int64(&end->value, &n);
  printf("%lld were made\n", (long long)n);
  return uvow_next_future(show_newest(data));
}

static void finished(const uvow_result_t *result, void *data) {
  int *failed = data;
  *failed = result->error != NULL;
  if (result->error)
    printf("%s\n", uvow_error_message(result->error));
  uvow_loop_close(result->loop, NULL, NULL);
}

int main(void) {
  uv_loop_t *uv = uv_default_loop();
  uvow_stream_options_t options = {sizeof(options), 4, 0, UVOW_FULL_WAIT, 0};
  app_t app = {NULL, NULL, 1};
  int failed = 1;
  app.loop = uvow_loop_new(uv, NULL);
  int rc = app.loop ? 0 : UVOW_ENOMEM;
  if (rc) {
    fprintf(stderr, "streams: %s\n", uvow_strerror(rc));
    return 1;
  }
  uvow_stream_t *s = uvow_stream_new(app.loop, &options, &app.readings);
  if (s)
    produce(&app);
  uvow_future_t *f = consume(&app, s);
  f = uvow_future_then(f, then_display, &app);
  if (uvow_future_done(f, finished, &failed))
    uvow_loop_close(app.loop, NULL, NULL); /* no memory */
  uv_run(uv, UV_RUN_DEFAULT);
  if (uv_loop_close(uv))
    failed = 1;
  return failed;
}
