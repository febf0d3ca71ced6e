#include "bed.h"

#include <stdio.h>

#include <signal.h>

static void on_open(void *ctx) {
  (void)ctx;
}

static void on_message(void *ctx, int opcode, const uint8_t *bytes, size_t len,
                       uvow__buf_t *whole) {
  bed_t *bed = (bed_t *)ctx;
  (void)whole;
  bed->messages++;
  if (bed->quiet)
    return;
  assert_int_equal(uvow__connection_send(bed->connection, opcode, bytes, len),
                   0);
}

static void on_peer_close(void *ctx, const uvow_error_t *why) {
  (void)ctx;
  (void)why;
}

static void on_writable(void *ctx) {
  (void)ctx;
}

static void on_end(void *ctx, uvow_error_t *error) {
  bed_t *bed = (bed_t *)ctx;
  bed->connection = NULL;
  bed->ended++;
  bed->code = uvow_error_code(error);
  bed->status = uvow_error_status(error);
  uvow_error_unref(error);
}

static const uvow__connection_callbacks_t callbacks = {
    on_open, on_message, on_peer_close, on_writable, on_end,
    NULL,    NULL,       NULL,          NULL,        NULL};

static void on_incoming(void *ctx, uvow__listener_t *listener) {
  bed_t *bed = (bed_t *)ctx;
  assert_int_equal(uvow__connection_accept(&bed->config, listener,
                                           bed->transport, &callbacks, bed,
                                           &bed->connection),
                   0);
}

static void on_listener_closed(void *ctx) {
  (void)ctx;
}

static const uvow__listener_callbacks_t listener_callbacks = {
    on_incoming, on_listener_closed};

/* The public form: an echo, message by message. */

static uvow_next_t on_public_message(const uvow_result_t *result, void *data) {
  bed_t *bed = (bed_t *)data;
  bed->messages++;
  int rc = uvow_websocket_send(bed->ws, uvow_result_keep(result));
  assert_true(rc >= 0 || rc == UVOW_ECLOSED); /* a violation was behind it */
  return uvow_next_none();
}

static void on_public_end(const uvow_result_t *result, void *data) {
  bed_t *bed = (bed_t *)data;
  (void)result;
  bed->ended++;
  bed->code = uvow_error_code(bed->ws->ended);
  bed->status = uvow_error_status(bed->ws->ended);
}

static void take_public(bed_t *bed, uvow_websocket_t *ws) {
  assert_non_null(ws);
  bed->ws = ws;
  assert_int_equal(
      uvow_future_done(
          uvow_stream_each(uvow_websocket_messages(ws), on_public_message, bed),
          on_public_end, bed),
      0);
}

static void on_accepted(const uvow_result_t *result, void *data) {
  take_public((bed_t *)data, uvow_websocket_ref(uvow_result_websocket(result)));
}

static void connect_public(bed_t *bed, const char *url) {
  uvow_websocket_options_t options = {.size = sizeof(options)};
  options.max_unsent_bytes = bed->config.max_unsent;
  options.close_timeout_ms = 600000;
  take_public(bed, uvow_websocket_connect(bed->loop, url, &options));
}

static void listen_public(bed_t *bed) {
  uvow_listener_options_t options = {.size = sizeof(options)};
  static const char *const any[] = {"*"};
  options.max_unsent_bytes = bed->config.max_unsent;
  options.close_timeout_ms = 600000;
  options.hosts = any;
  options.host_count = 1;
  bed->doors = uvow_listener_new(bed->loop, &options);
  assert_non_null(bed->doors);
  assert_int_equal(
      uvow_future_done(uvow_stream_first(uvow_listener_accept(bed->doors)),
                       on_accepted, bed),
      0);
}

static int is_open(const bed_t *bed) {
  return bed->is_public
             ? bed->ws && bed->ws->state == UVOW__WS_OPEN
             : bed->connection && uvow__connection_is_open(bed->connection);
}

static int is_there(const bed_t *bed) {
  return bed->is_public ? bed->ws && bed->ws->connection
                        : bed->connection != NULL;
}

static void init(bed_t *bed, int is_client, int sized) {
  const size_t mib = (size_t)1024 * 1024;
  uvow_loop_options_t options = {0};
  memset(bed, 0, sizeof(*bed));
  (void)signal(SIGPIPE, SIG_IGN); /* the peer writes to ends that are gone */
  test_alloc_init(&bed->alloc);
  bed->alloc.sized = sized;
  assert_int_equal(uv_loop_init(&bed->uv), 0);
  options.size = sizeof(options);
  options.allocator = &bed->alloc.allocator;
  bed->loop = uvow_loop_new(&bed->uv, &options);
  assert_non_null(bed->loop);
  bed->is_client = is_client;
  bed->config.loop = bed->loop;
  bed->config.refs = 1;
  bed->config.max_message = 16 * mib;
  bed->config.max_unsent = 256 * mib;
  bed->config.close_ms = 600000; /* no time limit decides a test */
  bed->transport = &uvow__tcp_transport;
  bed->peer.mask = 1;
}

void bed_init(bed_t *bed, int is_client) {
  init(bed, is_client, 0);
}

void bed_init_sized(bed_t *bed, int is_client) {
  init(bed, is_client, 1);
}

SSL_CTX *bed_use_tls(bed_t *bed) {
  uvow_tls_options_t options = tls_options(!bed->is_client);
  const cert_t *cert = tls_certs()->good;
  SSL_CTX *peer = SSL_CTX_new(TLS_method());
  assert_non_null(peer);
  if (bed->is_client) {
    assert_int_equal(SSL_CTX_use_certificate(peer, cert->x509), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(peer, cert->key), 1);
  }
  assert_int_equal(uvow_tls_new(bed->loop, &options, &bed->tls, NULL), 0);
  bed->peer.tls = peer;
  uvow__tls_transport_init(&bed->tls_transport, &uvow__tcp_transport, bed->tls);
  bed->transport = &bed->tls_transport.transport;
  return peer;
}

static void open_client(bed_t *bed) {
  char url[64];
  snprintf(url, sizeof(url), "%s://127.0.0.1:%d/", bed->tls ? "wss" : "ws",
           peer_listen(&bed->peer, &bed->uv));
  if (bed->is_public) {
    connect_public(bed, url);
    return;
  }
  assert_int_equal(
      uvow__target_init(&bed->target, &bed->alloc.allocator, url, NULL, 0), 0);
  assert_int_equal(uvow__connection_open(&bed->config, &bed->target,
                                         bed->transport, &callbacks, bed,
                                         &bed->connection),
                   0);
}

static void open_server(bed_t *bed) {
  uint16_t port;
  if (bed->is_public) {
    listen_public(bed);
    port = uvow_listener_port(bed->doors);
  } else {
    assert_int_equal(uvow__tcp_listen(bed->loop, "127.0.0.1", 0,
                                      &listener_callbacks, bed, &bed->listener),
                     0);
    assert_int_equal(uvow__listens_at(bed->listener, &port), 0);
  }
  peer_connect(&bed->peer, &bed->uv, port);
}

void bed_open(bed_t *bed) {
  if (bed->is_client)
    open_client(bed);
  else
    open_server(bed);
  while (!bed->ended && !(bed->peer.open && is_open(bed)))
    uv_run(&bed->uv, UV_RUN_ONCE);
}

/* RFC 6455 7.1.1: of two ends that are done, the server closes first. */
void bed_play(bed_t *bed, unsigned cut, size_t piece) {
  peer_send(&bed->peer, cut, piece);
  while (!bed->peer.ended && !peer_got_close(&bed->peer))
    uv_run(&bed->uv, UV_RUN_ONCE);
  if (bed->is_client && is_there(bed))
    peer_close(&bed->peer);
  while (!bed->ended || !(bed->peer.ended || bed->is_client))
    uv_run(&bed->uv, UV_RUN_ONCE);
}

void bed_done(bed_t *bed) {
  if (bed->listener)
    uvow__unlisten(bed->listener);
  if (bed->connection)
    uvow__connection_drop(bed->connection);
  uvow_listener_free(bed->doors);
  uvow_websocket_unref(bed->ws);
  peer_done(&bed->peer);
  uvow__target_done(&bed->target, &bed->alloc.allocator);
  uvow_tls_unref(bed->tls);
  uvow_loop_close(bed->loop, NULL, NULL);
  uv_run(&bed->uv, UV_RUN_DEFAULT);
  assert_int_equal(uv_loop_close(&bed->uv), 0);
  assert_int_equal(bed->config.refs, 1);
  assert_int_equal(bed->alloc.live, 0);
}

/* Without what stands before the first frame, where a macro joined texts. */
static const char *trimmed(const char *text) {
  return *text == ' ' ? text + 1 : text;
}

static const char *last_of(const char *text) {
  const char *blank = strrchr(text, ' ');
  return blank ? blank + 1 : text;
}

/* The public form answers a message when its task runs: by then a pong has been
 * sent, and what broke a rule behind it has been told. */
static int is_as_expected(const bed_t *bed, const bed_case_t *one,
                          const char *came) {
  const char *expect = trimmed(one->expect);
  if (bed->code != one->code || bed->status != one->status)
    return 0;
  if (bed->is_public && (one->code != UVOW_ECLOSED || strstr(expect, "8a")))
    return strcmp(last_of(came), last_of(expect)) == 0;
  return strcmp(came, expect) == 0;
}

static void run_one(const bed_case_t *one, int is_client, int tls,
                    int is_public, unsigned cut, size_t piece) {
  bed_t bed;
  bed_init(&bed, is_client);
  bed.is_public = is_public;
  if (tls)
    (void)bed_use_tls(&bed);
  bed_open(&bed);
  peer_put(&bed.peer, one->send);
  bed_play(&bed, cut, piece);
  char *came = peer_text(&bed.peer);
  if (!is_as_expected(&bed, one, came))
    fail_msg(
        "%s, as a %s%s, cut %u%s\nsent     %.300s\nexpected %.300s\n"
        "came     %.300s\nended    %s %d",
        one->name, is_public ? "public " : "", is_client ? "client" : "server",
        cut, tls ? ", TLS" : "", one->send, trimmed(one->expect), came,
        uvow_err_name(bed.code), bed.status);
  assert_int_equal(bed.ended, 1);
  free(came);
  bed_done(&bed);
}

void bed_run_one(const bed_case_t *one, int is_client, unsigned cut,
                 size_t piece) {
  run_one(one, is_client, 0, 0, cut, piece);
}

void bed_run_one_tls(const bed_case_t *one, int is_client, unsigned cut,
                     size_t piece) {
  run_one(one, is_client, 1, 0, cut, piece);
}

void bed_run(const bed_case_t *cases, size_t count) {
  for (size_t i = 0; i < count; i++)
    for (int is_client = 0; is_client < 2; is_client++) {
      for (unsigned cut = 0; cut < 4; cut++)
        bed_run_one(&cases[i], is_client, cut, 7);
      run_one(&cases[i], is_client, 0, 1, (unsigned)i, 7);
    }
}

void bed_run_tls(const bed_case_t *cases, size_t count) {
  for (size_t i = 0; i < count; i++)
    for (int is_client = 0; is_client < 2; is_client++)
      for (unsigned cut = 0; cut < 3; cut++)
        run_one(&cases[i], is_client, 1, 0, cut, 7);
}
