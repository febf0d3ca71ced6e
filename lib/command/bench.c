/*
 * uvow bench: connects, runs the load, closes, reports.
 *
 *   start -> on_ready -> (on_tick, on_idle)* -> on_end -> on_closed -> report_end
 *
 * The tick, ten times a second, ends a stretch of throughput; every tenth shows
 * progress. The idle handle runs only with --rate, while the next request is
 * nearer than libuv's timers can tell: then the loop spins.
 */
#include "base/deadline.h"
#include "commands.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "load.h"
#include "progress.h"
#include "report.h"

#define SPIN_NS (2 * UVOW__NS_PER_MS)

typedef struct bench {
  const args_t *args;
  uv_loop_t uv;
  uvow_loop_t *loop;
  uvow_peer_t **clients; /* owned: args->connections of them */
  uv_timer_t tick;
  uv_timer_t due;
  uv_idle_t spin;
  uv_signal_t interrupt;
  load_t load;
  measure_t measure;
  int started;
  int on_terminal;
  unsigned ticks;
  uint64_t shown_at;
  uint64_t shown_answered;
  int status;
} bench_t;

static void close_handles(bench_t *bench) {
  uv_close((uv_handle_t *)&bench->tick, NULL);
  uv_close((uv_handle_t *)&bench->due, NULL);
  uv_close((uv_handle_t *)&bench->spin, NULL);
  uv_close((uv_handle_t *)&bench->interrupt, NULL);
}

static void close_all(bench_t *bench) {
  for (uint64_t i = 0; bench->clients && i < bench->args->connections; i++)
    uvow_peer_unref(bench->clients[i]);
  close_handles(bench);
  uvow_loop_close(bench->loop, NULL, NULL);
}

static void on_closed(const uvow_result_t *result, void *data) {
  (void)result;
  close_all((bench_t *)data);
}

/* A future of all clients, of what fn gives for each. */
static uvow_future_t *each_client(bench_t *bench,
                                  uvow_future_t *(*fn)(uvow_peer_t *)) {
  size_t count = (size_t)bench->args->connections;
  uvow_future_t **futures = (uvow_future_t **)calloc(count, sizeof(*futures));
  uvow_future_t *all = NULL;
  if (!futures)
    return NULL;
  for (size_t i = 0; i < count; i++)
    futures[i] = fn(bench->clients[i]);
  all = uvow_future_all(bench->loop, futures, count);
  free(futures);
  return all;
}

static void on_end(load_t *load, void *data) {
  bench_t *bench = (bench_t *)data;
  (void)load;
  uv_timer_stop(&bench->tick);
  uv_timer_stop(&bench->due);
  uv_idle_stop(&bench->spin);
  if (uvow_future_done(each_client(bench, uvow_peer_close), on_closed, bench))
    close_all(bench);
}

/* Wakes in time for the next request of the schedule. */
static void on_due(uv_timer_t *timer);

static void arm(bench_t *bench) {
  uint64_t wait = load_wait(&bench->load, uv_hrtime());
  if (wait < SPIN_NS || bench->load.phase == LOAD_ENDED)
    return;
  uv_idle_stop(&bench->spin);
  if (wait != UINT64_MAX)
    uv_timer_start(&bench->due, on_due, wait / UVOW__NS_PER_MS - 1, 0);
}

static void on_spin(uv_idle_t *idle) {
  bench_t *bench = (bench_t *)idle->data;
  load_time(&bench->load, uv_hrtime());
  if (bench->load.phase < LOAD_DRAINS)
    arm(bench);
  else
    uv_idle_stop(idle);
}

static void on_due(uv_timer_t *timer) {
  bench_t *bench = (bench_t *)timer->data;
  uv_idle_start(&bench->spin, on_spin);
}

static const char *phase_text(const bench_t *bench, uint64_t now, char *text,
                              size_t size) {
  const load_t *load = &bench->load;
  const args_t *args = bench->args;
  if (load->phase == LOAD_WARM)
    return "warming up";
  if (load->phase == LOAD_DRAINS)
    snprintf(text, size, "waiting for %" PRIu64 " answers", load->outstanding);
  else if (args->requests)
    snprintf(text, size, "%" PRIu64 " of %" PRIu64, bench->measure.answered,
             args->requests);
  else
    snprintf(text, size, "%.0f of %g s", (double)(now - load->begin) / 1e9,
             args->seconds);
  return text;
}

static void show(bench_t *bench, uint64_t now) {
  char text[64];
  uint64_t answered = bench->measure.answered;
  if (bench->shown_at < bench->load.begin && now > bench->load.begin)
    bench->shown_at = bench->load.begin;
  progress_show(stderr, phase_text(bench, now, text, sizeof(text)),
                &bench->measure, answered - bench->shown_answered,
                (double)(now - bench->shown_at) / 1e9);
  bench->shown_answered = answered;
  bench->shown_at = now;
}

static void on_tick(uv_timer_t *timer) {
  bench_t *bench = (bench_t *)timer->data;
  uint64_t now = uv_hrtime();
  load_time(&bench->load, now);
  if (bench->load.phase == LOAD_COUNTS && now > bench->load.begin)
    measure_tick(&bench->measure, now - bench->load.begin);
  if (++bench->ticks % 10)
    return;
  if (bench->on_terminal && bench->load.phase < LOAD_ENDED)
    show(bench, now);
  measure_merge(&bench->measure);
}

static void on_interrupt(uv_signal_t *handle, int number) {
  bench_t *bench = (bench_t *)handle->data;
  if (!bench->started || bench->load.phase >= LOAD_DRAINS)
    exit(128 + number);
  load_stop(&bench->load, uv_hrtime());
  load_time(&bench->load, uv_hrtime());
}

static void on_ready(const uvow_result_t *result, void *data) {
  bench_t *bench = (bench_t *)data;
  if (result->error) {
    fprintf(stderr, "uvow: no connection to %s: %s\n", bench->args->url,
            uvow_error_message(result->error));
    bench->status = EXIT_NOT_SENT;
    close_all(bench);
    return;
  }
  bench->started = 1;
  bench->shown_at = uv_hrtime();
  uv_timer_start(&bench->tick, on_tick, MEASURE_TICK_MS, MEASURE_TICK_MS);
  if (bench->args->rate > 0)
    uv_idle_start(&bench->spin, on_spin);
  load_start(&bench->load);
}

static int connect_all(bench_t *bench) {
  const args_t *args = bench->args;
  uvow_peer_options_t options = {.size = sizeof(options)};
  uvow_websocket_options_t websocket = {.size = sizeof(websocket)};
  size_t text =
      strlen(args->method) + (args->params ? strlen(args->params) : 0);
  args_to_client(args, &options, &websocket);
  options.close_timeout_ms = 1000;
  /* All may be sent in one turn. */
  options.max_pending = (size_t)args->inflight + 1;
  websocket.max_unsent_bytes =
      ((size_t)64 << 20) + (size_t)args->inflight * (text + 256);
  int rc = args_to_tls(args, bench->loop, &websocket.tls);
  for (uint64_t i = 0; rc == 0 && i < args->connections; i++)
    rc = args_connect(args->urls[i % args->url_count], bench->loop, &options,
                      &bench->clients[i]);
  uvow_tls_unref(websocket.tls);
  return rc;
}

static int start(bench_t *bench) {
  const args_t *args = bench->args;
  bench->clients = (uvow_peer_t **)calloc((size_t)args->connections,
                                          sizeof(*bench->clients));
  if (!bench->clients)
    return UVOW_ENOMEM;
  int rc = connect_all(bench);
  if (rc == 0)
    rc = load_init(&bench->load, args, &bench->measure, bench->clients, on_end,
                   bench);
  if (rc)
    return rc;
  return uvow_future_done(each_client(bench, uvow_peer_ready), on_ready, bench);
}

static void init_handles(bench_t *bench) {
  uv_timer_init(&bench->uv, &bench->tick);
  uv_timer_init(&bench->uv, &bench->due);
  uv_idle_init(&bench->uv, &bench->spin);
  uv_signal_init(&bench->uv, &bench->interrupt);
  bench->tick.data = bench->due.data = bench->spin.data =
      bench->interrupt.data = bench;
  uv_signal_start(&bench->interrupt, on_interrupt, SIGINT);
  uv_unref((uv_handle_t *)&bench->interrupt);
}

static int cant_write(const args_t *args) {
  fprintf(stderr, "uvow: %s can't be written\n", args->report);
  return EXIT_IO;
}

/* Better known before the run than after it. Leaves an old report alone. */
static int check_report(const args_t *args) {
  FILE *file = args->report ? fopen(args->report, "ab") : NULL;
  if (!file)
    return args->report ? cant_write(args) : 0;
  fseek(file, 0, SEEK_END);
  int is_new = ftell(file) == 0;
  fclose(file);
  if (is_new)
    remove(args->report);
  return 0;
}

static int write_report(const bench_t *bench) {
  char when[32] = "";
  time_t now = time(NULL);
  struct tm *utc = gmtime(&now);
  report_t report = {bench->args, &bench->measure, when};
  if (utc)
    strftime(when, sizeof(when), "%Y-%m-%d %H:%M UTC", utc);
  FILE *out = fopen(bench->args->report, "wb");
  if (!out)
    return cant_write(bench->args);
  if (bench->args->report_kind == REPORT_HTML)
    report_html(out, &report);
  else if (bench->args->report_kind == REPORT_SVG)
    report_svg(out, &report);
  else
    report_json(out, &report);
  int bad = ferror(out);
  if (fclose(out) || bad)
    return cant_write(bench->args);
  return 0;
}

static void print(const bench_t *bench) {
  const measure_t *m = &bench->measure;
  if (!bench->args->line) {
    progress_print(stdout, bench->args, m);
    return;
  }
  progress_print_line(stdout, bench->args, m);
  if (m->failed)
    fprintf(stderr, "uvow: %" PRIu64 " failed, the first: %s\n", m->failed,
            m->faults[0].text);
}

/* What is left to do when the loop has ended. */
static void report_end(bench_t *bench) {
  measure_t *m = &bench->measure;
  measure_merge(m);
  if (bench->on_terminal)
    progress_end(stderr);
  if (bench->started) {
    bench->status = m->failed || m->answered == 0 ? EXIT_ANSWERED : EXIT_OK;
    print(bench);
    int rc = bench->args->report ? write_report(bench) : 0;
    bench->status = rc ? rc : bench->status;
  }
  load_done(&bench->load);
  measure_done(m);
  free(bench->clients);
}

static int run(bench_t *bench) {
  int rc = uv_loop_init(&bench->uv);
  if (rc)
    return rc;
  bench->loop = uvow_loop_new(&bench->uv, NULL);
  rc = bench->loop ? 0 : UVOW_ENOMEM;
  if (rc)
    return rc;
  init_handles(bench);
  rc = start(bench);
  if (rc)
    close_all(bench);
  uv_run(&bench->uv, UV_RUN_DEFAULT);
  uv_loop_close(&bench->uv);
  return rc;
}

int bench_main(const args_t *args) {
  bench_t bench;
  int rc = check_report(args);
  if (rc)
    return rc;
  memset(&bench, 0, sizeof(bench));
  bench.args = args;
  bench.on_terminal = uv_guess_handle(2) == UV_TTY;
  measure_init(&bench.measure);
  rc = run(&bench);
  if (rc)
    bench.status = rc < 0 ? args_refused(rc) : EXIT_NOT_SENT;
  report_end(&bench);
  return bench.status;
}
