/*
 * libuv's TCP alone: what the benchmarks are compared with.
 *
 * The echo writes what it has read as soon as it has read it, be it whole
 * messages or not. What can't leave at once waits in a uv_write; so does then
 * what comes after it.
 */
#include "bare.h"

#include <string.h>

/* BACKLOG: a connection that finds it full begins again a second later. */
enum { READ_SIZE = 65536, BACKLOG = 1024 };

/* A write that couldn't leave at once. */
typedef struct rest {
  uv_write_t req;
  char *bytes; /* owned, or NULL: somebody else's */
} rest_t;

static void on_rest_written(uv_write_t *req, int status) {
  rest_t *rest = (rest_t *)req->data;
  (void)status;
  free(rest->bytes);
  free(rest);
}

/* owned: a block of malloc's, or NULL: bytes stay. */
static void send_all(uv_stream_t *stream, char *bytes, size_t len,
                     char *owned) {
  uv_buf_t buf = uv_buf_init(bytes, (unsigned)len);
  int sent =
      stream->write_queue_size ? UV_EAGAIN : uv_try_write(stream, &buf, 1);
  if (sent == (int)len) {
    free(owned);
    return;
  }
  size_t off = sent > 0 ? (size_t)sent : 0;
  rest_t *rest = (rest_t *)malloc(sizeof(*rest));
  MEASURE_CHECK(rest);
  rest->bytes = owned;
  rest->req.data = rest;
  buf = uv_buf_init(bytes + off, (unsigned)(len - off));
  MEASURE_CHECK(uv_write(&rest->req, stream, &buf, 1, on_rest_written) == 0);
}

/* The echo. */

static void on_echo_alloc(uv_handle_t *handle, size_t suggested,
                          uv_buf_t *buf) {
  (void)handle;
  (void)suggested;
  *buf = uv_buf_init((char *)malloc(READ_SIZE), READ_SIZE);
  MEASURE_CHECK(buf->base);
}

static void on_freed(uv_handle_t *handle) {
  free(handle);
}

static void on_echo_read(uv_stream_t *stream, ssize_t len,
                         const uv_buf_t *buf) {
  if (len > 0) {
    send_all(stream, buf->base, (size_t)len, buf->base);
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
  uv_read_start((uv_stream_t *)peer, on_echo_alloc, on_echo_read);
}

unsigned bare_listen(uv_loop_t *uv, uv_tcp_t *listener) {
  struct sockaddr_in address;
  int len = sizeof(address);
  uv_ip4_addr("127.0.0.1", 0, &address);
  MEASURE_CHECK(uv_tcp_init(uv, listener) == 0);
  MEASURE_CHECK(uv_tcp_bind(listener, (const struct sockaddr *)&address, 0) ==
                0);
  MEASURE_CHECK(uv_listen((uv_stream_t *)listener, BACKLOG, on_echo_peer) == 0);
  MEASURE_CHECK(
      uv_tcp_getsockname(listener, (struct sockaddr *)&address, &len) == 0);
  const unsigned char *port = (const unsigned char *)&address.sin_port;
  return (unsigned)(port[0] << 8 | port[1]);
}

/* Who asks it. */

struct bare_run {
  const bare_load_t *load;
  char *batch; /* in_flight messages */
  size_t sent;
  size_t answered;
  uint64_t start; /* of the one in flight, ns */
};

/* Nobody looks at what comes. */
static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf) {
  static char in[READ_SIZE];
  (void)handle;
  (void)suggested;
  *buf = uv_buf_init(in, READ_SIZE);
}

static void send_messages(bare_t *bare, size_t messages) {
  bare_run_t *run = bare->run;
  size_t left = run->load->messages - run->sent;
  size_t count = messages < left ? messages : left;
  run->sent += count;
  if (count)
    send_all((uv_stream_t *)&bare->tcp, run->batch, count * run->load->unit,
             NULL);
}

static void on_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buf) {
  bare_t *bare = (bare_t *)stream->data;
  (void)buf;
  MEASURE_CHECK(len >= 0);
  bare_run_t *run = bare->run;
  const bare_load_t *load = run->load;
  bare->odd += (size_t)len;
  size_t whole = bare->odd / load->unit;
  bare->odd %= load->unit;
  if (load->latencies && whole) {
    uint64_t now = uv_hrtime();
    load->latencies[run->answered] = (uint32_t)(now - run->start);
    run->start = now;
  }
  run->answered += whole;
  send_messages(bare, whole);
  if (run->answered == load->messages)
    uv_stop(stream->loop);
}

static void on_connected(uv_connect_t *req, int status) {
  bare_t *bare = (bare_t *)req->data;
  MEASURE_CHECK(status == 0);
  uv_tcp_nodelay(&bare->tcp, 1);
  uv_read_start((uv_stream_t *)&bare->tcp, on_alloc, on_read);
  uv_stop(bare->tcp.loop);
}

void bare_connect(bare_t *bare, uv_loop_t *uv, unsigned port) {
  struct sockaddr_in address;
  uv_ip4_addr("127.0.0.1", (int)port, &address);
  MEASURE_CHECK(uv_tcp_init(uv, &bare->tcp) == 0);
  bare->connect.data = bare->tcp.data = bare;
  MEASURE_CHECK(uv_tcp_connect(&bare->connect, &bare->tcp,
                               (const struct sockaddr *)&address,
                               on_connected) == 0);
  uv_run(uv, UV_RUN_DEFAULT);
}

void bare_run(bare_t *bares, size_t count, const bare_load_t *load) {
  bare_run_t run = {load, NULL, 0, 0, 0};
  size_t share = load->in_flight / count;
  size_t more = load->in_flight % count; /* have one more */
  run.batch = (char *)malloc(load->in_flight * load->unit);
  MEASURE_CHECK(run.batch);
  memset(run.batch, 'x', load->in_flight * load->unit);
  run.start = uv_hrtime();
  for (size_t i = 0; i < count; i++) {
    bares[i].run = &run;
    send_messages(&bares[i], share + (i < more));
  }
  uv_run(bares[0].tcp.loop, UV_RUN_DEFAULT);
  free(run.batch);
}

void bare_close(bare_t *bare) {
  uv_close((uv_handle_t *)&bare->tcp, NULL);
}
