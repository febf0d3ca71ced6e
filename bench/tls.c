/*
 * What does wss cost, against ws?
 *
 * A client asks a server in the same process, over loopback, to echo a message
 * of so many bytes, through the public API: futures, ids, frames, masks and
 * all. "alone": one request at a time, so a whole round trip each; "16": so
 * many in flight. Rounds of ws and wss take turns.
 *
 * How to read it: us is per request, MB/s counts the message once in each
 * direction, and the ratio is what TLS costs: both ends' encryption, on one
 * core. Then handshakes, and memory: what the process grows by with a pair of
 * idle connections, both ends together.
 */
#include <signal.h>
#include <string.h>

#include <uvow.h>

#include "../test/support/certs.h"
#include "measure.h"

enum { ROUNDS = 7, IDLE = 300, SHAKES = 50 };

typedef struct bench {
  uv_loop_t uv;
  uvow_loop_t *loop;
  uvow_tls_t *client_tls;
  uvow_tls_t *server_tls;
  uvow_server_t *servers[2]; /* ws, wss */
  uvow_peer_t *clients[2];
  uvow_peer_t *client; /* the one that asks */
  char *text;
  size_t len;
  size_t left; /* requests to send */
  size_t waiting;
} bench_t;

static uvow_next_t echo(uvow_call_t *call, const uvow_result_t *params,
                        void *data) {
  (void)call;
  (void)params;
  (void)data;
  return uvow_next_pass();
}

static uvow_tls_t *new_tls(bench_t *b, const uvow_tls_options_t *options) {
  uvow_tls_t *tls;
  MEASURE_CHECK(uvow_tls_new(b->loop, options, &tls, NULL) == 0);
  return tls;
}

static uvow_server_t *new_server(bench_t *b, int secure) {
  uvow_listener_options_t listener = {.size = sizeof(listener)};
  uvow_peer_options_t options = {.size = sizeof(options)};
  uvow_server_t *server;
  options.protocol = uvow_protocol_by_name("jsonrpc2");
  options.methods = uvow_methods_new(b->loop);
  listener.tls = secure ? b->server_tls : NULL;
  MEASURE_CHECK(uvow_methods_add(options.methods, "echo", echo, NULL) == 0);
  server = uvow_server_new(uvow_listener_new(b->loop, &listener), &options);
  MEASURE_CHECK(server);
  uvow_methods_unref(options.methods);
  return server;
}

static uvow_peer_t *new_client(bench_t *b, int secure) {
  char url[64];
  uvow_peer_options_t options = {.size = sizeof(options)};
  uvow_websocket_options_t websocket = {.size = sizeof(websocket)};
  uvow_peer_t *client;
  snprintf(url, sizeof(url), "%s://127.0.0.1:%u/", secure ? "wss" : "ws",
           (unsigned)uvow_server_port(b->servers[secure]));
  options.websocket = &websocket;
  options.protocol = uvow_protocol_by_name("jsonrpc2");
  websocket.tls = b->client_tls;
  client = uvow_peer_connect(b->loop, url, &options);
  MEASURE_CHECK(client);
  return client;
}

static void ask(bench_t *b);

static void answered(const uvow_result_t *result, void *data) {
  bench_t *b = (bench_t *)data;
  if (result->error) {
    fprintf(stderr, "%s\n", uvow_error_message(result->error));
    exit(1);
  }
  MEASURE_CHECK(uvow_result_bytes(result).len == b->len);
  b->waiting--;
  if (b->left)
    ask(b);
}

static void ask(bench_t *b) {
  b->left--;
  b->waiting++;
  uvow_future_t *f = uvow_peer_request(
      b->client, "echo", uvow_value_slice(&(uvow_slice_t){b->text, b->len}));
  MEASURE_CHECK(uvow_future_done(f, answered, b) == 0);
}

/* ns a request. */
static double run(bench_t *b, int secure, size_t count, size_t at_once) {
  uint64_t start = uv_hrtime();
  b->client = b->clients[secure];
  b->left = count;
  for (size_t i = 0; i < at_once; i++)
    ask(b);
  while (b->waiting)
    uv_run(&b->uv, UV_RUN_ONCE);
  return measure_ns_since(start, (double)count);
}

static void compare(bench_t *b, size_t len, size_t count, size_t at_once) {
  measure_t times[2] = {{0}, {0}};
  b->len = len;
  b->text = (char *)malloc(len);
  MEASURE_CHECK(b->text);
  memset(b->text, 'x', len);
  memcpy(b->text, "[\"", 2);
  memcpy(b->text + len - 2, "\"]", 2);
  for (int round = -1; round < ROUNDS; round++) {
    for (int secure = 0; secure < 2; secure++) {
      double ns = run(b, secure, count, at_once);
      if (round >= 0) /* the first warms up */
        measure_add(&times[secure], ns);
    }
  }
  double ws = measure_median(&times[0]);
  double wss = measure_median(&times[1]);
  printf(
      "%8zu B %3zu in flight: ws %9.2f us %8.1f MB/s   wss %9.2f us %8.1f "
      "MB/s   wss/ws %5.2f\n",
      len, at_once, ws / 1e3, (double)len * 1e3 / ws, wss / 1e3,
      (double)len * 1e3 / wss, wss / ws);
  free(b->text);
}

static void await_open(bench_t *b, uvow_peer_t *client) {
  while (uvow_peer_state(client) == UVOW_PEER_CONNECTING)
    uv_run(&b->uv, UV_RUN_ONCE);
  MEASURE_CHECK(uvow_peer_state(client) == UVOW_PEER_OPEN);
}

/* us a connection, from new to open, with what it says first. */
static double shake(bench_t *b, int secure) {
  uint64_t start = uv_hrtime();
  for (int i = 0; i < SHAKES; i++) {
    uvow_peer_t *client = new_client(b, secure);
    await_open(b, client);
    uvow_peer_unref(client);
  }
  return measure_ns_since(start, SHAKES * 1e3);
}

static void handshakes(bench_t *b, const char *ca_pem) {
  uvow_tls_t *resuming = b->client_tls;
  uvow_tls_options_t options = {0};
  double ws = shake(b, 0);
  double resumed = shake(b, 1);
  options.size = sizeof(options);
  options.ca_pem = ca_pem;
  options.no_resumption = 1;
  b->client_tls = new_tls(b, &options);
  double whole = shake(b, 1);
  uvow_tls_unref(b->client_tls);
  b->client_tls = resuming;
  printf("to open: ws %.0f us, wss resumed %.0f us, wss whole %.0f us\n", ws,
         resumed, whole);
}

static void idle_memory(bench_t *b) {
  uvow_peer_t *clients[IDLE];
  double grown[2];
  for (int secure = 0; secure < 2; secure++) {
    size_t before, after;
    MEASURE_CHECK(uv_resident_set_memory(&before) == 0);
    for (int i = 0; i < IDLE; i++) {
      clients[i] = new_client(b, secure);
      await_open(b, clients[i]);
    }
    for (int i = 0; i < 20; i++)
      uv_run(&b->uv, UV_RUN_NOWAIT);
    MEASURE_CHECK(uv_resident_set_memory(&after) == 0);
    grown[secure] = ((double)after - (double)before) / IDLE / 1024;
    for (int i = 0; i < IDLE; i++)
      uvow_peer_unref(clients[i]);
    for (int i = 0; i < 20; i++)
      uv_run(&b->uv, UV_RUN_NOWAIT);
  }
  printf("idle, both ends: ws %.1f KiB, wss %.1f KiB a connection\n", grown[0],
         grown[1]);
}

int main(void) {
  static const struct {
    size_t len, count;
  } cases[] = {{64, 5000}, {1024, 5000}, {65536, 300}, {1048576, 20}};
  static bench_t bench;
  bench_t *b = &bench;
  uvow_tls_options_t options = {0};
  cert_t *ca = cert_new_ca("bench CA");
  cert_t *cert = cert_new_localhost(ca);
  signal(SIGPIPE, SIG_IGN); /* libuv writes to sockets that are gone */
  MEASURE_CHECK(uv_loop_init(&b->uv) == 0);
  b->loop = uvow_loop_new(&b->uv, NULL);
  MEASURE_CHECK(b->loop);
  options.size = sizeof(options);
  options.ca_pem = ca->pem;
  b->client_tls = new_tls(b, &options);
  memset(&options, 0, sizeof(options));
  options.size = sizeof(options);
  options.is_server = 1;
  options.cert_pem = cert->pem;
  options.key_pem = cert->key_pem;
  b->server_tls = new_tls(b, &options);
  for (int secure = 0; secure < 2; secure++)
    b->servers[secure] = new_server(b, secure);
  idle_memory(b);
  handshakes(b, ca->pem);
  for (int secure = 0; secure < 2; secure++)
    b->clients[secure] = new_client(b, secure);
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
    for (size_t at_once = 1; at_once <= 16; at_once *= 16)
      compare(b, cases[i].len, cases[i].count, at_once);
  for (int secure = 0; secure < 2; secure++) {
    uvow_peer_unref(b->clients[secure]);
    uvow_server_free(b->servers[secure]);
  }
  uvow_tls_unref(b->client_tls);
  uvow_tls_unref(b->server_tls);
  cert_free(cert);
  cert_free(ca);
  measure_close(&b->uv, b->loop);
  return 0;
}
