/*
 * How many answers a second does the embedded server give?
 *
 * A server of uvow's, in a process of its own, has a method that returns at
 * once; "echo" returns its params. The load is cheaper than any client: here,
 * with libuv's TCP alone, it sends frames that were made before, each masked
 * and with an id of its own, and of what comes back it only counts the bytes,
 * which are known, and compares the last answer of each read. So the server is
 * what is measured: its connection, frames, envelopes, futures, writes.
 *
 * How to read it: answers/s is the median of the rounds. CPU is what the
 * server's process spent on an answer, user and system, and what this one did:
 * its must be the lesser, or it's the load that is measured. 1e9 / CPU is what
 * a CPU of the server's own would give at most.
 *
 * usage: bench_server [answers a round]
 */
#include <string.h>

#include "bed.h"

enum { FLIGHT_MAX = 1024, ROUNDS = 5, UNIT_MAX = 128, READ_SIZE = 65536 };

#define FIRST_ID 1000000 /* all ids have as many digits */

typedef struct row {
  const char *method;
  const char *params;
  const char *result;
  size_t in_flight;
} row_t;

#define PARAMS "{\"x\":81}"

static const row_t rows[] = {{"now", PARAMS, "null", 1},
                             {"now", PARAMS, "null", 64},
                             {"now", PARAMS, "null", 1024},
                             {"echo", PARAMS, PARAMS, 64},
                             {"echo", PARAMS, PARAMS, 1024}};

typedef struct load {
  bed_t bed;
  uvow_peer_t *client; /* for the server's stats */
  const row_t *row;
  uv_tcp_t tcp;
  uv_connect_t connect;
  uv_write_t write;
  int writing;
  size_t waiting; /* requests to be sent when that is written */
  char requests[FLIGHT_MAX * UNIT_MAX];
  size_t request_len;
  char answer[UNIT_MAX]; /* the first one */
  size_t answer_len;
  size_t id_at; /* in an answer */
  char in[READ_SIZE + UNIT_MAX];
  size_t in_len;
  size_t sent;
  size_t answered;
  size_t count;
} load_t;

/* What is sent, and what must come back: ids are used again and again. */
static void compose(load_t *load) {
  const row_t *row = load->row;
  char text[UNIT_MAX];
  for (size_t i = 0; i < row->in_flight; i++) {
    static const unsigned char key[4] = {0x5a, 0xc3, 0x81, 0x3c};
    size_t len = (size_t)snprintf(
        text, sizeof(text),
        "{\"jsonrpc\":\"2.0\",\"id\":%u,\"method\":\"%s\",\"params\":%s}",
        FIRST_ID + (unsigned)i, row->method, row->params);
    char *frame = load->requests + i * (len + 6);
    MEASURE_CHECK(len < UNIT_MAX - 6 && len < 126);
    load->request_len = len + 6;
    frame[0] = (char)0x81;
    frame[1] = (char)(0x80 | len);
    memcpy(frame + 2, key, 4);
    for (size_t at = 0; at < len; at++)
      frame[6 + at] = (char)(text[at] ^ key[at % 4]);
  }
  int len = snprintf(load->answer + 2, sizeof(load->answer) - 2,
                     "{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":%s}", FIRST_ID,
                     row->result);
  load->answer[0] = (char)0x81;
  load->answer[1] = (char)len;
  load->answer_len = (size_t)len + 2;
  load->id_at = 2 + strlen("{\"jsonrpc\":\"2.0\",\"id\":");
}

static void send_more(load_t *load, size_t count);

static void on_written(uv_write_t *req, int status) {
  load_t *load = (load_t *)req->data;
  size_t waiting = load->waiting;
  MEASURE_CHECK(status == 0);
  load->writing = 0;
  load->waiting = 0;
  send_more(load, waiting);
}

/* From where it stopped in the ring of requests, at most to the ring's end. */
static size_t send_slice(load_t *load, size_t count) {
  size_t ring = load->row->in_flight;
  size_t at = load->sent % ring;
  size_t slice = count < ring - at ? count : ring - at;
  char *bytes = load->requests + at * load->request_len;
  size_t len = slice * load->request_len;
  uv_buf_t buf = uv_buf_init(bytes, (unsigned)len);
  int rc = uv_try_write((uv_stream_t *)&load->tcp, &buf, 1);
  size_t off = rc > 0 ? (size_t)rc : 0;
  load->sent += slice;
  if (off == len)
    return slice;
  buf = uv_buf_init(bytes + off, (unsigned)(len - off));
  load->write.data = load;
  load->writing = 1;
  MEASURE_CHECK(uv_write(&load->write, (uv_stream_t *)&load->tcp, &buf, 1,
                         on_written) == 0);
  return slice;
}

static void send_more(load_t *load, size_t count) {
  size_t left = load->count - load->sent;
  count = count < left ? count : left;
  while (count && !load->writing)
    count -= send_slice(load, count);
  load->waiting += count;
}

/* The last whole answer: that of the request which it stands for. */
static void compare(const load_t *load, const char *answer) {
  char id[16];
  size_t last = (load->answered - 1) % load->row->in_flight;
  int digits = snprintf(id, sizeof(id), "%u", FIRST_ID + (unsigned)last);
  size_t rest = load->id_at + (size_t)digits;
  MEASURE_CHECK(memcmp(answer, load->answer, load->id_at) == 0);
  MEASURE_CHECK(memcmp(answer + load->id_at, id, (size_t)digits) == 0);
  MEASURE_CHECK(
      memcmp(answer + rest, load->answer + rest, load->answer_len - rest) == 0);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf) {
  load_t *load = (load_t *)handle->data;
  (void)suggested;
  *buf = uv_buf_init(load->in + load->in_len, READ_SIZE);
}

static void on_answers(load_t *load) {
  size_t whole = load->in_len / load->answer_len;
  size_t end = whole * load->answer_len;
  load->answered += whole;
  if (whole)
    compare(load, load->in + end - load->answer_len);
  load->in_len -= end;
  memmove(load->in, load->in + end, load->in_len);
  send_more(load, whole);
  if (load->answered == load->count)
    uv_stop(&load->bed.uv);
}

/* The handshake's answer ends with an empty line, and nothing follows it. */
static void on_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buf) {
  load_t *load = (load_t *)stream->data;
  (void)buf;
  MEASURE_CHECK(len >= 0);
  load->in_len += (size_t)len;
  if (load->row) {
    on_answers(load);
    return;
  }
  if (load->in_len < 4 || memcmp(load->in + load->in_len - 4, "\r\n\r\n", 4))
    return;
  MEASURE_CHECK(memcmp(load->in, "HTTP/1.1 101 ", 13) == 0);
  load->in_len = 0;
  uv_stop(stream->loop);
}

static void on_connected(uv_connect_t *req, int status) {
  static char hello[] =
      "GET / HTTP/1.1\r\nHost: localhost\r\n"
      "Upgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
      "Sec-WebSocket-Version: 13\r\n\r\n";
  load_t *load = (load_t *)req->data;
  uv_buf_t buf = uv_buf_init(hello, sizeof(hello) - 1);
  MEASURE_CHECK(status == 0);
  uv_tcp_nodelay(&load->tcp, 1);
  uv_read_start((uv_stream_t *)&load->tcp, on_alloc, on_read);
  MEASURE_CHECK(uv_try_write((uv_stream_t *)&load->tcp, &buf, 1) ==
                (int)buf.len);
}

static void connect_load(load_t *load) {
  struct sockaddr_in address;
  uv_ip4_addr("127.0.0.1", (int)load->bed.ports[BED_PLAIN], &address);
  MEASURE_CHECK(uv_tcp_init(&load->bed.uv, &load->tcp) == 0);
  load->tcp.data = load->connect.data = load;
  MEASURE_CHECK(uv_tcp_connect(&load->connect, &load->tcp,
                               (const struct sockaddr *)&address,
                               on_connected) == 0);
  uv_run(&load->bed.uv, UV_RUN_DEFAULT);
}

static void run(load_t *load, size_t count) {
  load->count = count;
  load->sent = load->answered = 0;
  send_more(load, load->row->in_flight);
  uv_run(&load->bed.uv, UV_RUN_DEFAULT);
}

static void print_row(load_t *load, const row_t *row, size_t count) {
  measure_t rates = {0}, server = {0}, own = {0};
  load->row = row;
  if (row->in_flight == 1)
    count = count / 20 + 1;
  compose(load);
  run(load, count / 10 + 1);
  for (int round = 0; round < ROUNDS; round++) {
    bed_stats_t before = bed_stats(&load->bed, load->client);
    double cpu = bed_cpu_us();
    uint64_t start = uv_hrtime();
    run(load, count);
    measure_add(&rates, 1e9 / measure_ns_since(start, (double)count));
    measure_add(&own, (bed_cpu_us() - cpu) * 1e3 / (double)count);
    bed_stats_t after = bed_stats(&load->bed, load->client);
    measure_add(&server,
                (double)(after.cpu_us - before.cpu_us) * 1e3 / (double)count);
  }
  double ns = measure_median(&server);
  printf("%-8s %9zu %12.0f %14.0f %14.0f %18.0f\n", row->method, row->in_flight,
         measure_median(&rates), ns, measure_median(&own),
         ns > 0 ? 1e9 / ns : 0);
  fflush(stdout);
}

int main(int argc, char **argv) {
  static const bed_serve_options_t options = {0};
  static load_t load;
  if (bed_is_server(argc, argv))
    return bed_serve(&options);
  size_t count = argc > 1 ? strtoul(argv[1], NULL, 10) : 500000;
  MEASURE_CHECK(count > 0);
  bed_start(&load.bed);
  load.client = bed_client(&load.bed, BED_PLAIN);
  bed_await(&load.bed, load.client);
  connect_load(&load);
  printf("%-8s %9s %12s %14s %14s %18s\n", "method", "in flight", "answers/s",
         "server CPU ns", "load's CPU ns", "1 / server's CPU");
  for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
    print_row(&load, &rows[i], count);
  uv_close((uv_handle_t *)&load.tcp, NULL);
  uvow_peer_unref(load.client);
  bed_stop(&load.bed);
  return 0;
}
