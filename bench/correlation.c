/*
 * How many requests a second does one connection answer, with N in flight?
 *
 * A server of uvow's, in a process of its own, echoes the params of JSON-RPC
 * requests; the client keeps N of them in flight, each {"x":<its number>}, and
 * checks every answer against its own request. "bytes" leaves the payload as
 * text, "json" makes a json_t for each request and for each answer.
 *
 * How to read it: requests/s is the median of the rounds; p50 and p99 are from
 * the request's call to its continuation, of all rounds. CPU is what the
 * client's process spent on a request, user and system. "bare" is what libuv
 * alone does on this machine, in turns with the rounds: a uv_tcp that sends as
 * many bytes as a request has on the wire to a plain echo, with the same number
 * in flight, and only counts what comes back. Compare the ratio and the CPU
 * between versions and machines; requests/s itself depends on both.
 *
 * At 1 in flight all is latency of the system: the ratio should be near 1. With
 * many in flight one write carries many requests, and the ratio is what it
 * costs to frame, correlate and settle; bare TCP then moves bytes and no more.
 */
#include "measure.h"

#include <string.h>

#include <jansson.h>
#include <uvow.h>

enum { FLIGHT_MAX = 1024, ROUNDS = 3, TEXT_MAX = 32, READ_SIZE = 65536 };

/* No further round begins after this. */
#define TIME_LIMIT_NS 12000000000u

/* What is measured: a line of the table. */
typedef struct load {
  unsigned in_flight;
  int json;
  uint32_t requests; /* a round */
} load_t;

static const load_t loads[] = {
    {1, 0, 20000}, {64, 0, 200000}, {1024, 0, 200000}, {1024, 1, 100000}};

typedef struct bench bench_t;

/* A request in flight. */
typedef struct slot {
  bench_t *bench;
  uint64_t start; /* ns */
  uint32_t number;
  uint32_t len;
  char params[TEXT_MAX];
} slot_t;

struct bench {
  uv_loop_t *uv;
  uvow_loop_t *loop;
  uvow_client_t *client;
  uv_process_t server;
  uv_pipe_t to_server;
  uv_pipe_t from_server;
  char line[64];
  size_t line_len;
  uv_tcp_t tcp; /* bare */
  uv_connect_t connect;
  size_t unit; /* bytes of a bare message */
  size_t unanswered;
  size_t odd; /* bytes of a message that isn't whole yet */
  const load_t *load;
  uint32_t sent;
  uint32_t answered;
  uint32_t *latencies; /* ns; of all rounds of a load */
  size_t latency_count;
  slot_t slots[FLIGHT_MAX];
};

/* The server's process. */

static uvow_next_t echo(const uvow_call_t *call, void *data) {
  (void)call;
  (void)data;
  return uvow_next_pass();
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf) {
  (void)handle;
  (void)suggested;
  *buf = uv_buf_init((char *)malloc(READ_SIZE), READ_SIZE);
  MEASURE_CHECK(buf->base);
}

/* A write that couldn't leave at once. */
typedef struct rest {
  uv_write_t req;
  char *bytes;
} rest_t;

static void on_rest_written(uv_write_t *req, int status) {
  rest_t *rest = (rest_t *)req->data;
  (void)status;
  free(rest->bytes);
  free(rest);
}

/* Takes `bytes`, a block of malloc's. */
static void send_all(uv_stream_t *stream, char *bytes, size_t len) {
  uv_buf_t buf = uv_buf_init(bytes, (unsigned)len);
  int sent =
      stream->write_queue_size ? UV_EAGAIN : uv_try_write(stream, &buf, 1);
  if (sent == (int)len) {
    free(bytes);
    return;
  }
  size_t off = sent > 0 ? (size_t)sent : 0;
  rest_t *rest = (rest_t *)malloc(sizeof(*rest));
  MEASURE_CHECK(rest);
  rest->bytes = bytes;
  rest->req.data = rest;
  buf = uv_buf_init(bytes + off, (unsigned)(len - off));
  MEASURE_CHECK(uv_write(&rest->req, stream, &buf, 1, on_rest_written) == 0);
}

static void on_freed(uv_handle_t *handle) {
  free(handle);
}

static void on_echo_read(uv_stream_t *stream, ssize_t len,
                         const uv_buf_t *buf) {
  if (len > 0) {
    send_all(stream, buf->base, (size_t)len);
    return;
  }
  free(buf->base);
  if (len < 0)
    uv_close((uv_handle_t *)stream, on_freed);
}

static void on_echo_peer(uv_stream_t *listener, int status) {
  uv_tcp_t *peer = (uv_tcp_t *)malloc(sizeof(*peer));
  MEASURE_CHECK(status == 0 && peer);
  MEASURE_CHECK(uv_tcp_init(listener->loop, peer) == 0);
  MEASURE_CHECK(uv_accept(listener, (uv_stream_t *)peer) == 0);
  uv_tcp_nodelay(peer, 1);
  uv_read_start((uv_stream_t *)peer, on_alloc, on_echo_read);
}

static int listen_bare(uv_loop_t *uv, uv_tcp_t *tcp) {
  struct sockaddr_in address;
  int len = sizeof(address);
  uv_ip4_addr("127.0.0.1", 0, &address);
  MEASURE_CHECK(uv_tcp_init(uv, tcp) == 0);
  MEASURE_CHECK(uv_tcp_bind(tcp, (const struct sockaddr *)&address, 0) == 0);
  MEASURE_CHECK(uv_listen((uv_stream_t *)tcp, 16, on_echo_peer) == 0);
  MEASURE_CHECK(uv_tcp_getsockname(tcp, (struct sockaddr *)&address, &len) ==
                0);
  const unsigned char *port = (const unsigned char *)&address.sin_port;
  return port[0] << 8 | port[1];
}

/* The client's process has ended, or wants us to. */
static void on_end_of_input(uv_stream_t *stream, ssize_t len,
                            const uv_buf_t *buf) {
  free(buf->base);
  if (len < 0)
    uv_stop(stream->loop);
}

/* Says its ports, serves until stdin ends; the system cleans up. */
static int serve(void) {
  uv_loop_t *uv = uv_default_loop();
  uvow_loop_t *loop;
  uvow_server_t *server;
  uv_tcp_t bare;
  uv_pipe_t input;
  uvow_server_options_t options = {.size = sizeof(options)};
  options.protocol = uvow_protocol_jsonrpc2();
  MEASURE_CHECK(uvow_loop_new(uv, NULL, &loop) == 0);
  MEASURE_CHECK(uvow_server_new(loop, &options, &server) == 0);
  MEASURE_CHECK(uvow_server_method(server, "echo", echo, NULL, NULL) == 0);
  printf("%u %d\n", (unsigned)uvow_server_port(server), listen_bare(uv, &bare));
  fflush(stdout);
  MEASURE_CHECK(uv_pipe_init(uv, &input, 0) == 0);
  MEASURE_CHECK(uv_pipe_open(&input, 0) == 0);
  uv_read_start((uv_stream_t *)&input, on_alloc, on_end_of_input);
  uv_run(uv, UV_RUN_DEFAULT);
  return 0;
}

/* Starting it. */

static void on_server_line(uv_stream_t *stream, ssize_t len,
                           const uv_buf_t *buf) {
  bench_t *bench = (bench_t *)stream->data;
  size_t room = sizeof(bench->line) - 1 - bench->line_len;
  MEASURE_CHECK(len >= 0 && (size_t)len <= room);
  memcpy(bench->line + bench->line_len, buf->base, (size_t)len);
  bench->line_len += (size_t)len;
  free(buf->base);
  if (memchr(bench->line, '\n', bench->line_len))
    uv_stop(bench->uv);
}

static void on_server_exit(uv_process_t *process, int64_t status, int signal) {
  (void)status;
  (void)signal;
  uv_close((uv_handle_t *)process, NULL);
}

/* Its ports. */
static void start_server(bench_t *bench, unsigned *ret_port,
                         unsigned *ret_bare) {
  char path[4096];
  size_t size = sizeof(path);
  char *args[] = {path, (char *)(uintptr_t) "serve", NULL};
  uv_process_options_t options = {0};
  uv_stdio_container_t stdio[3];
  MEASURE_CHECK(uv_exepath(path, &size) == 0);
  uv_pipe_init(bench->uv, &bench->to_server, 0);
  uv_pipe_init(bench->uv, &bench->from_server, 0);
  stdio[0].flags = UV_CREATE_PIPE | UV_READABLE_PIPE;
  stdio[0].data.stream = (uv_stream_t *)&bench->to_server;
  stdio[1].flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE;
  stdio[1].data.stream = (uv_stream_t *)&bench->from_server;
  stdio[2].flags = UV_INHERIT_FD;
  stdio[2].data.fd = 2;
  options.file = path;
  options.args = args;
  options.exit_cb = on_server_exit;
  options.stdio = stdio;
  options.stdio_count = 3;
  MEASURE_CHECK(uv_spawn(bench->uv, &bench->server, &options) == 0);
  bench->from_server.data = bench;
  uv_read_start((uv_stream_t *)&bench->from_server, on_alloc, on_server_line);
  uv_run(bench->uv, UV_RUN_DEFAULT);
  uv_close((uv_handle_t *)&bench->from_server, NULL);
  MEASURE_CHECK(sscanf(bench->line, "%u %u", ret_port, ret_bare) == 2);
}

/* uvow. */

static void on_answer(const uvow_result_t *result, void *data);

static void send_request(slot_t *slot, uint64_t now) {
  bench_t *bench = slot->bench;
  uvow_future_t *f;
  slot->number = bench->sent++;
  slot->start = now;
  if (bench->load->json) {
    f = uvow_client_request(bench->client, "echo",
                            json_pack("{s:I}", "x", (json_int_t)slot->number),
                            NULL);
  } else {
    slot->len = (uint32_t)snprintf(slot->params, sizeof(slot->params),
                                   "{\"x\":%u}", (unsigned)slot->number);
    f = uvow_client_request_bytes(bench->client, "echo", slot->params,
                                  slot->len, NULL);
  }
  MEASURE_CHECK(uvow_future_done(f, on_answer, slot) == 0);
}

static int is_own(const slot_t *slot, const uvow_result_t *result) {
  size_t len;
  if (slot->bench->load->json)
    return json_integer_value(json_object_get(uvow_result_json(result), "x")) ==
           (json_int_t)slot->number;
  const char *bytes = uvow_result_bytes(result, &len);
  return len == slot->len && memcmp(bytes, slot->params, len) == 0;
}

static void on_answer(const uvow_result_t *result, void *data) {
  slot_t *slot = (slot_t *)data;
  bench_t *bench = slot->bench;
  MEASURE_CHECK(!result->error && is_own(slot, result));
  uint64_t now = uv_hrtime();
  bench->latencies[bench->latency_count++] = (uint32_t)(now - slot->start);
  if (bench->sent < bench->load->requests)
    send_request(slot, now);
  if (++bench->answered == bench->load->requests)
    uv_stop(bench->uv);
}

static void run_uvow(bench_t *bench) {
  bench->sent = bench->answered = 0;
  for (unsigned i = 0; i < bench->load->in_flight; i++)
    send_request(&bench->slots[i], uv_hrtime());
  uv_run(bench->uv, UV_RUN_DEFAULT);
}

/* libuv alone. */

static void send_bare(bench_t *bench, size_t messages) {
  size_t left = bench->load->requests - bench->sent;
  size_t count = messages < left ? messages : left;
  size_t len = count * bench->unit;
  bench->sent += (uint32_t)count;
  if (count == 0)
    return;
  char *bytes = (char *)malloc(len);
  MEASURE_CHECK(bytes);
  memset(bytes, 'x', len);
  send_all((uv_stream_t *)&bench->tcp, bytes, len);
}

static void on_bare_read(uv_stream_t *stream, ssize_t len,
                         const uv_buf_t *buf) {
  bench_t *bench = (bench_t *)stream->data;
  free(buf->base);
  MEASURE_CHECK(len >= 0);
  bench->odd += (size_t)len;
  size_t whole = bench->odd / bench->unit;
  bench->odd %= bench->unit;
  bench->answered += (uint32_t)whole;
  send_bare(bench, whole);
  if (bench->answered == bench->load->requests)
    uv_stop(bench->uv);
}

static void run_bare(bench_t *bench) {
  bench->sent = bench->answered = 0;
  send_bare(bench, bench->load->in_flight);
  uv_run(bench->uv, UV_RUN_DEFAULT);
}

static void on_bare_connected(uv_connect_t *req, int status) {
  bench_t *bench = (bench_t *)req->data;
  MEASURE_CHECK(status == 0);
  uv_tcp_nodelay(&bench->tcp, 1);
  uv_read_start((uv_stream_t *)&bench->tcp, on_alloc, on_bare_read);
  uv_stop(bench->uv);
}

/* Measuring. */

static double cpu_us(void) {
  uv_rusage_t usage;
  uv_getrusage(&usage);
  return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
         (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

typedef struct rates {
  measure_t per_second;
  measure_t cpu_us;
} rates_t;

static void run_round(bench_t *bench, void (*run)(bench_t *bench),
                      rates_t *rates) {
  double cpu = cpu_us();
  uint64_t start = uv_hrtime();
  double count = bench->load->requests;
  run(bench);
  measure_add(&rates->per_second, 1e9 / measure_ns_since(start, count));
  measure_add(&rates->cpu_us, (cpu_us() - cpu) / count);
}

static int order(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a;
  uint32_t y = *(const uint32_t *)b;
  return (x > y) - (x < y);
}

static double percentile_us(const bench_t *bench, double share) {
  size_t at = (size_t)(share * (double)(bench->latency_count - 1));
  return bench->latencies[at] / 1e3;
}

static void run_load(bench_t *bench, const load_t *load, uint64_t began) {
  rates_t uvow = {0};
  rates_t bare = {0};
  load_t warm = {load->in_flight, load->json, load->requests / 20};
  bench->load = &warm;
  bench->latencies =
      (uint32_t *)malloc(sizeof(uint32_t) * ROUNDS * load->requests);
  MEASURE_CHECK(bench->latencies);
  bench->latency_count = 0;
  run_uvow(bench);
  run_bare(bench);
  bench->load = load;
  bench->latency_count = 0;
  for (int i = 0; i < ROUNDS; i++) {
    if (i && uv_hrtime() - began > TIME_LIMIT_NS)
      break;
    run_round(bench, run_uvow, &uvow);
    run_round(bench, run_bare, &bare);
  }
  qsort(bench->latencies, bench->latency_count, sizeof(uint32_t), order);
  double rate = measure_median(&uvow.per_second);
  double bare_rate = measure_median(&bare.per_second);
  printf("%9u  %-7s %10.0f %8.1f %8.1f %8.2f  %11.0f %8.2f  %6.2f\n",
         load->in_flight, load->json ? "json" : "bytes", rate,
         percentile_us(bench, 0.5), percentile_us(bench, 0.99),
         measure_median(&uvow.cpu_us), bare_rate, measure_median(&bare.cpu_us),
         rate / bare_rate);
  fflush(stdout);
  free(bench->latencies);
}

static void on_ready(const uvow_result_t *result, void *data) {
  bench_t *bench = (bench_t *)data;
  MEASURE_CHECK(!result->error);
  uv_stop(bench->uv);
}

static void connect_both(bench_t *bench, unsigned port, unsigned bare_port) {
  char url[64];
  struct sockaddr_in address;
  uvow_client_options_t options = {.size = sizeof(options)};
  snprintf(url, sizeof(url), "ws://127.0.0.1:%u/", port);
  options.url = url;
  options.protocol = uvow_protocol_jsonrpc2();
  MEASURE_CHECK(uvow_client_new(bench->loop, &options, &bench->client) == 0);
  MEASURE_CHECK(
      uvow_future_done(uvow_client_ready(bench->client), on_ready, bench) == 0);
  uv_run(bench->uv, UV_RUN_DEFAULT);
  uv_ip4_addr("127.0.0.1", (int)bare_port, &address);
  uv_tcp_init(bench->uv, &bench->tcp);
  bench->connect.data = bench->tcp.data = bench;
  MEASURE_CHECK(uv_tcp_connect(&bench->connect, &bench->tcp,
                               (const struct sockaddr *)&address,
                               on_bare_connected) == 0);
  uv_run(bench->uv, UV_RUN_DEFAULT);
  /* A header and its mask, and the text of a request. */
  bench->unit = 6 + strlen(
                        "{\"jsonrpc\":\"2.0\",\"id\":123456,"
                        "\"method\":\"echo\",\"params\":{\"x\":123456}}");
}

int main(int argc, char **argv) {
  static bench_t bench;
  unsigned port, bare_port;
  uint64_t began = uv_hrtime();
  if (argc > 1 && strcmp(argv[1], "serve") == 0)
    return serve();
  bench.uv = uv_default_loop();
  for (unsigned i = 0; i < FLIGHT_MAX; i++)
    bench.slots[i].bench = &bench;
  MEASURE_CHECK(uvow_loop_new(bench.uv, NULL, &bench.loop) == 0);
  start_server(&bench, &port, &bare_port);
  connect_both(&bench, port, bare_port);
  printf(
      "How many requests a second does one connection answer?\n"
      "                       uvow                               "
      "bare TCP              ratio\n"
      "in flight  payload requests/s   p50 us   p99 us   CPU us  "
      " messages/s   CPU us   of rates\n");
  for (size_t i = 0; i < sizeof(loads) / sizeof(*loads); i++)
    run_load(&bench, &loads[i], began);
  printf("Every answer was checked against its own request.\n");
  uvow_client_free(bench.client);
  uv_close((uv_handle_t *)&bench.tcp, NULL);
  uv_close((uv_handle_t *)&bench.to_server, NULL); /* so that it ends */
  measure_close(bench.uv, bench.loop);
  return 0;
}
