/*
 * The server's process, and the clients' side of it.
 *
 *   bed_start -> (bed_client -> bed_await -> bed_run*)* -> bed_stop
 *        |
 *        `---> PROGRAM serve: bed_serve says its ports, one line, on stdout;
 *              ends with its stdin, that is, with this process
 */
#include "bed.h"

#include <string.h>

#include <jansson.h>

#include "bare.h"

enum { LIMIT = 1 << 30, ENDS = 64 };

/* The server's process. */

typedef struct serving {
  uv_loop_t *uv;
  uvow_loop_t *loop;
  counter_t counter;
  const bed_serve_options_t *options;
  char input[16];
} serving_t;

static uvow_next_t echo(uvow_call_t *call, const uvow_result_t *params,
                        void *data) {
  (void)call;
  (void)params;
  (void)data;
  return uvow_next_pass();
}

static uvow_next_t now(uvow_call_t *call, const uvow_result_t *params,
                       void *data) {
  (void)call;
  (void)params;
  (void)data;
  return uvow_next_none();
}

static void drop(void *data) {
  uvow_promise_drop((uvow_promise_t *)data);
}

/* Until its peer is gone. */
static uvow_next_t never(uvow_call_t *call, const uvow_result_t *params,
                         void *data) {
  uvow_promise_t *promise;
  uvow_future_t *f = uvow_promise_new(uvow_call_loop(call), &promise);
  (void)params;
  (void)data;
  uvow_promise_on_cancel(promise, drop, promise, NULL);
  return uvow_next_future(f);
}

double bed_cpu_us(void) {
  uv_rusage_t usage;
  MEASURE_CHECK(uv_getrusage(&usage) == 0);
  return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
         (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static bed_stats_t stats_of(const counter_t *counter) {
  bed_stats_t stats = {0};
  size_t rss;
  MEASURE_CHECK(uv_resident_set_memory(&rss) == 0);
  stats.live_bytes = (long long)counter->live;
  stats.calls = (long long)counter->calls;
  stats.rss = (long long)rss;
  stats.cpu_us = (long long)bed_cpu_us();
  return stats;
}

static uvow_next_t say_stats(uvow_call_t *call, const uvow_result_t *params,
                             void *data) {
  const serving_t *serving = (const serving_t *)data;
  bed_stats_t stats = stats_of(&serving->counter);
  char text[160];
  (void)params;
  if (serving->options->mallocs)
    stats.mallocs = (long long)serving->options->mallocs();
  int len = snprintf(text, sizeof(text), "[%lld,%lld,%lld,%lld,%lld]",
                     stats.live_bytes, stats.calls, stats.mallocs, stats.rss,
                     stats.cpu_us);
  return uvow_next_value(
      uvow_value_bytes(uvow_call_loop(call), text, (size_t)len));
}

static int64_t count_of(const uvow_result_t *params) {
  int64_t count;
  MEASURE_CHECK(uvow_result_get_int64(params, "/0", &count) == 0);
  return count;
}

static uvow_next_t tell(uvow_call_t *call, const uvow_result_t *params,
                        void *data) {
  uvow_slice_t tick = {BED_TICK, sizeof(BED_TICK) - 1};
  (void)data;
  for (int64_t left = count_of(params); left > 0; left--)
    MEASURE_CHECK(uvow_peer_notify(uvow_call_peer(call), "tick",
                                   uvow_value_slice(&tick)) == 0);
  return uvow_next_pass();
}

static uvow_next_t publish(uvow_call_t *call, const uvow_result_t *params,
                           void *data) {
  uvow_slice_t tick = {BED_TICK, sizeof(BED_TICK) - 1};
  (void)call;
  for (int64_t left = count_of(params); left > 0; left--)
    MEASURE_CHECK(uvow_group_notify(uvow_server_peers(data), "tick",
                                    uvow_value_slice(&tick)) == 0);
  return uvow_next_pass();
}

/* The same with prices, 1 KiB of them, that aren't those of the last one. */
static uvow_next_t publish_long(uvow_call_t *call, const uvow_result_t *params,
                                void *data) {
  static unsigned number;
  char text[1200];
  (void)call;
  for (int64_t left = count_of(params); left > 0; left--) {
    size_t at = (size_t)snprintf(text, sizeof(text), "[");
    for (; at < 1024; number++)
      at += (size_t)snprintf(text + at, sizeof(text) - at,
                             "{\"symbol\":\"S%02u\",\"price\":%u},",
                             number % 50, number * 2654435761u % 100000);
    text[at - 1] = ']';
    uvow_slice_t prices = {text, at};
    MEASURE_CHECK(uvow_group_notify(uvow_server_peers(data), "tick",
                                    uvow_value_slice(&prices)) == 0);
  }
  return uvow_next_pass();
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf) {
  serving_t *serving = (serving_t *)handle->data;
  (void)suggested;
  *buf = uv_buf_init(serving->input, sizeof(serving->input));
}

/* The clients' process has ended, or wants us to. */
static void on_end_of_input(uv_stream_t *stream, ssize_t len,
                            const uv_buf_t *buf) {
  (void)buf;
  if (len < 0)
    uv_stop(stream->loop);
}

static void add(uvow_methods_t *methods, const char *name, uvow_method_cb cb,
                void *data) {
  MEASURE_CHECK(uvow_methods_add(methods, name, cb, data) == 0);
}

static unsigned new_server(serving_t *serving, bed_kind_t kind) {
  static const uvow_deflate_options_t deflate = {.size = sizeof(deflate)};
  uvow_listener_options_t listener = {.size = sizeof(listener)};
  uvow_peer_options_t options = {.size = sizeof(options)};
  uvow_tls_options_t tls = {.size = sizeof(tls)};
  uvow_server_t *server;
  options.protocol = uvow_protocol_by_name("jsonrpc2");
  listener.deflate = kind == BED_DEFLATE ? &deflate : NULL;
  listener.max_peers = LIMIT;
  options.max_calls = LIMIT;
  options.max_call_bytes = LIMIT;
  listener.max_unsent_bytes = LIMIT;
  listener.ping_ms = listener.dead_ms = UVOW_NO_TIMEOUT;
  tls.is_server = 1;
  tls.cert_pem = serving->options->cert_pem;
  tls.key_pem = serving->options->key_pem;
  if (kind == BED_SECURE && !tls.cert_pem)
    return 0;
  if (kind == BED_SECURE)
    MEASURE_CHECK(uvow_tls_new(serving->loop, &tls, &listener.tls, NULL) == 0);
  options.methods = uvow_methods_new(serving->loop);
  server =
      uvow_server_new(uvow_listener_new(serving->loop, &listener), &options);
  MEASURE_CHECK(server);
  uvow_tls_unref(listener.tls);
  add(options.methods, "echo", echo, NULL);
  add(options.methods, "now", now, NULL);
  add(options.methods, "never", never, NULL);
  add(options.methods, "tell", tell, NULL);
  add(options.methods, "publish", publish, server);
  add(options.methods, "publish_long", publish_long, server);
  add(options.methods, "stats", say_stats, serving);
  uvow_methods_unref(options.methods);
  return uvow_server_port(server);
}

int bed_is_server(int argc, char **argv) {
  return argc == 2 && strcmp(argv[1], "serve") == 0;
}

/* The system cleans up. */
int bed_serve(const bed_serve_options_t *options) {
  static serving_t serving;
  unsigned ports[BED_KINDS];
  uv_tcp_t bare;
  uv_pipe_t input;
  serving.uv = uv_default_loop();
  serving.loop = counter_loop(&serving.counter, serving.uv);
  serving.options = options;
  for (int kind = 0; kind < BED_KINDS; kind++)
    ports[kind] = new_server(&serving, (bed_kind_t)kind);
  printf("%u %u %u %u\n", ports[0], ports[1], ports[2],
         bare_listen(serving.uv, &bare));
  fflush(stdout);
  MEASURE_CHECK(uv_pipe_init(serving.uv, &input, 0) == 0);
  MEASURE_CHECK(uv_pipe_open(&input, 0) == 0);
  input.data = &serving;
  uv_read_start((uv_stream_t *)&input, on_alloc, on_end_of_input);
  uv_run(serving.uv, UV_RUN_DEFAULT);
  return 0;
}

/* Starting it. */

static void on_line_alloc(uv_handle_t *handle, size_t suggested,
                          uv_buf_t *buf) {
  bed_t *bed = (bed_t *)handle->data;
  (void)suggested;
  *buf = uv_buf_init(bed->line + bed->line_len,
                     (unsigned)(sizeof(bed->line) - 1 - bed->line_len));
}

static void on_line(uv_stream_t *stream, ssize_t len, const uv_buf_t *buf) {
  bed_t *bed = (bed_t *)stream->data;
  (void)buf;
  MEASURE_CHECK(len >= 0);
  bed->line_len += (size_t)len;
  if (memchr(bed->line, '\n', bed->line_len))
    uv_stop(&bed->uv);
}

static void on_exit(uv_process_t *process, int64_t status, int signal) {
  (void)status;
  (void)signal;
  uv_close((uv_handle_t *)process, NULL);
}

static void spawn(bed_t *bed) {
  char path[4096];
  size_t size = sizeof(path);
  char *args[] = {path, (char *)(uintptr_t) "serve", NULL};
  uv_process_options_t options = {0};
  uv_stdio_container_t stdio[3];
  MEASURE_CHECK(uv_exepath(path, &size) == 0);
  stdio[0].flags = UV_CREATE_PIPE | UV_READABLE_PIPE;
  stdio[0].data.stream = (uv_stream_t *)&bed->to_server;
  stdio[1].flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE;
  stdio[1].data.stream = (uv_stream_t *)&bed->from_server;
  stdio[2].flags = UV_INHERIT_FD;
  stdio[2].data.fd = 2;
  options.file = path;
  options.args = args;
  options.exit_cb = on_exit;
  options.stdio = stdio;
  options.stdio_count = 3;
  MEASURE_CHECK(uv_spawn(&bed->uv, &bed->server, &options) == 0);
}

void bed_start(bed_t *bed) {
  memset(bed, 0, sizeof(*bed));
  MEASURE_CHECK(uv_loop_init(&bed->uv) == 0);
  bed->loop = counter_loop(&bed->counter, &bed->uv);
  uv_pipe_init(&bed->uv, &bed->to_server, 0);
  uv_pipe_init(&bed->uv, &bed->from_server, 0);
  spawn(bed);
  bed->from_server.data = bed;
  uv_read_start((uv_stream_t *)&bed->from_server, on_line_alloc, on_line);
  uv_run(&bed->uv, UV_RUN_DEFAULT);
  uv_close((uv_handle_t *)&bed->from_server, NULL);
  MEASURE_CHECK(sscanf(bed->line, "%u %u %u %u", &bed->ports[0], &bed->ports[1],
                       &bed->ports[2], &bed->bare_port) == 4);
}

void bed_stop(bed_t *bed) {
  uvow_tls_unref(bed->tls);
  uv_close((uv_handle_t *)&bed->to_server, NULL); /* so that it ends */
  measure_close(&bed->uv, bed->loop);
}

/* Clients. */

static void need_tls(bed_t *bed) {
  uvow_tls_options_t options = {.size = sizeof(options)};
  options.insecure_no_verify = 1; /* it's a child of ours */
  if (!bed->tls)
    MEASURE_CHECK(uvow_tls_new(bed->loop, &options, &bed->tls, NULL) == 0);
}

uvow_peer_t *bed_client(bed_t *bed, bed_kind_t kind) {
  static const uvow_deflate_options_t deflate = {.size = sizeof(deflate)};
  char url[64];
  uvow_peer_options_t options = {.size = sizeof(options)};
  uvow_websocket_options_t websocket = {.size = sizeof(websocket)};
  uvow_peer_t *client;
  MEASURE_CHECK(bed->ports[kind]);
  snprintf(url, sizeof(url), "%s://127.0.0.1:%u/",
           kind == BED_SECURE ? "wss" : "ws", bed->ports[kind]);
  if (kind == BED_SECURE)
    need_tls(bed);
  options.websocket = &websocket;
  options.protocol = uvow_protocol_by_name("jsonrpc2");
  websocket.deflate = kind == BED_DEFLATE ? &deflate : NULL;
  websocket.tls = kind == BED_SECURE ? bed->tls : NULL;
  websocket.max_unsent_bytes = LIMIT;
  client = uvow_peer_connect(bed->loop, url, &options);
  MEASURE_CHECK(client);
  return client;
}

static void on_ready(const uvow_result_t *result, void *data) {
  MEASURE_CHECK(!result->error);
  uv_stop((uv_loop_t *)data);
}

void bed_await(bed_t *bed, uvow_peer_t *client) {
  MEASURE_CHECK(uvow_future_done(uvow_peer_ready(client), on_ready, &bed->uv) ==
                0);
  uv_run(&bed->uv, UV_RUN_DEFAULT);
}

/* A run. */

typedef struct run {
  const bed_load_t *load;
  uv_loop_t *uv;
  size_t sent;
  size_t answered;
  uint64_t start; /* ns, of the one in flight */
} run_t;

/* A client's part of it. */
typedef struct lane {
  run_t *run;
  uvow_peer_t *client;
} lane_t;

static void on_answer(const uvow_result_t *result, void *data);

static void send_next(lane_t *lane) {
  const bed_load_t *load = lane->run->load;
  uvow_future_t *f =
      load->json
          ? uvow_peer_request_with(lane->client, load->method,
                                   uvow_value_json(json_deep_copy(load->json)),
                                   load->options)
          : uvow_peer_request_with(
                lane->client, load->method,
                uvow_value_slice(&(uvow_slice_t){load->params, load->len}),
                load->options);
  lane->run->sent++;
  MEASURE_CHECK(uvow_future_done(f, on_answer, lane) == 0);
}

/* Long ones at their ends only: it's not this that is measured. */
static int is_same(const bed_load_t *load, const uvow_result_t *result) {
  size_t ends = load->len < ENDS ? load->len : ENDS;
  if (load->json)
    return json_object_size(uvow_result_json(result)) ==
           json_object_size(load->json);
  uvow_slice_t got = uvow_result_bytes(result);
  return got.len == load->len && memcmp(got.bytes, load->params, ends) == 0 &&
         memcmp(got.bytes + got.len - ends, load->params + got.len - ends,
                ends) == 0;
}

static void on_answer(const uvow_result_t *result, void *data) {
  lane_t *lane = (lane_t *)data;
  run_t *run = lane->run;
  const bed_load_t *load = run->load;
  MEASURE_CHECK(!result->error && is_same(load, result));
  if (load->latencies) {
    uint64_t at = uv_hrtime();
    load->latencies[run->answered] = (uint32_t)(at - run->start);
    run->start = at;
  }
  run->answered++;
  if (run->sent < load->requests)
    send_next(lane);
  else if (run->answered == load->requests)
    uv_stop(run->uv);
}

void bed_run(bed_t *bed, const bed_load_t *load) {
  run_t run = {load, &bed->uv, 0, 0, uv_hrtime()};
  lane_t *lanes = (lane_t *)malloc(load->client_count * sizeof(*lanes));
  MEASURE_CHECK(lanes);
  for (size_t i = 0; i < load->client_count; i++) {
    lanes[i].run = &run;
    lanes[i].client = load->clients[i];
  }
  for (size_t i = 0; i < load->in_flight && i < load->requests; i++)
    send_next(&lanes[i % load->client_count]);
  uv_run(&bed->uv, UV_RUN_DEFAULT);
  MEASURE_CHECK(run.answered == load->requests);
  free(lanes);
}

/* What was used. */

typedef struct stats_call {
  uv_loop_t *uv;
  bed_stats_t stats;
} stats_call_t;

static void on_stats(const uvow_result_t *result, void *data) {
  stats_call_t *call = (stats_call_t *)data;
  char text[160] = "";
  uvow_slice_t got = uvow_result_bytes(result);
  MEASURE_CHECK(got.bytes && got.len < sizeof(text));
  memcpy(text, got.bytes, got.len);
  MEASURE_CHECK(sscanf(text, "[%lld,%lld,%lld,%lld,%lld]",
                       &call->stats.live_bytes, &call->stats.calls,
                       &call->stats.mallocs, &call->stats.rss,
                       &call->stats.cpu_us) == 5);
  uv_stop(call->uv);
}

bed_stats_t bed_stats(bed_t *bed, uvow_peer_t *client) {
  stats_call_t call;
  memset(&call, 0, sizeof(call));
  call.uv = &bed->uv;
  MEASURE_CHECK(
      uvow_future_done(uvow_peer_request(client, "stats", uvow_value_none()),
                       on_stats, &call) == 0);
  uv_run(&bed->uv, UV_RUN_DEFAULT);
  return call.stats;
}

bed_stats_t bed_own_stats(const bed_t *bed) {
  return stats_of(&bed->counter);
}
