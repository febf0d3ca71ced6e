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
    on_open, on_message, on_peer_close, on_writable, on_end};

static void on_incoming(void *ctx, uvow__listener_t *listener) {
  bed_t *bed = (bed_t *)ctx;
  assert_int_equal(uvow__connection_accept(bed->loop, listener, &bed->config,
                                           &callbacks, bed, &bed->connection),
                   0);
}

static void on_listener_closed(void *ctx) {
  (void)ctx;
}

static const uvow__listener_callbacks_t listener_callbacks = {
    on_incoming, on_listener_closed};

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
  assert_int_equal(uvow_loop_new(&bed->uv, &options, &bed->loop), 0);
  bed->is_client = is_client;
  bed->config.max_message = 16 * mib;
  bed->config.max_unsent = 256 * mib;
  bed->config.close_ms = 600000; /* no time limit decides a test */
  bed->config.transport = &uvow__tcp_transport;
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
  bed->config.transport = &bed->tls_transport.transport;
  return peer;
}

void bed_open(bed_t *bed) {
  uint16_t port;
  char url[64];
  if (bed->is_client) {
    snprintf(url, sizeof(url), "%s://127.0.0.1:%d/", bed->tls ? "wss" : "ws",
             peer_listen(&bed->peer, &bed->uv));
    assert_int_equal(
        uvow__url_parse(&bed->alloc.allocator, url, strlen(url), &bed->url), 0);
    bed->config.url = &bed->url;
    assert_int_equal(uvow__connection_open(bed->loop, &bed->config, &callbacks,
                                           bed, &bed->connection),
                     0);
  } else {
    assert_int_equal(uvow__tcp_listen(bed->loop, "127.0.0.1", 0,
                                      &listener_callbacks, bed, &bed->listener),
                     0);
    assert_int_equal(uvow__tcp_port(bed->listener, &port), 0);
    peer_connect(&bed->peer, &bed->uv, port);
  }
  while (!bed->ended && !(bed->peer.open && bed->connection &&
                          uvow__connection_is_open(bed->connection)))
    uv_run(&bed->uv, UV_RUN_ONCE);
}

/* RFC 6455 7.1.1: of two ends that are done, the server closes first. */
void bed_play(bed_t *bed, unsigned cut, size_t piece) {
  peer_send(&bed->peer, cut, piece);
  while (!bed->peer.ended && !peer_got_close(&bed->peer))
    uv_run(&bed->uv, UV_RUN_ONCE);
  if (bed->is_client && bed->connection)
    peer_close(&bed->peer);
  while (!bed->ended || !(bed->peer.ended || bed->is_client))
    uv_run(&bed->uv, UV_RUN_ONCE);
}

void bed_done(bed_t *bed) {
  if (bed->listener)
    uvow__tcp_unlisten(bed->listener);
  if (bed->connection)
    uvow__connection_abandon(bed->connection);
  peer_done(&bed->peer);
  uvow__url_done(&bed->url);
  uvow_tls_unref(bed->tls);
  uvow_loop_close(bed->loop, NULL, NULL);
  uv_run(&bed->uv, UV_RUN_DEFAULT);
  assert_int_equal(uv_loop_close(&bed->uv), 0);
  assert_int_equal(bed->alloc.live, 0);
}

/* Without what stands before the first frame, where a macro joined texts. */
static const char *trimmed(const char *text) {
  return *text == ' ' ? text + 1 : text;
}

static void run_one(const bed_case_t *one, int is_client, int tls, unsigned cut,
                    size_t piece) {
  bed_t bed;
  bed_init(&bed, is_client);
  if (tls)
    (void)bed_use_tls(&bed);
  bed_open(&bed);
  peer_put(&bed.peer, one->send);
  bed_play(&bed, cut, piece);
  char *came = peer_text(&bed.peer);
  if (strcmp(came, trimmed(one->expect)) != 0 || bed.code != one->code ||
      bed.status != one->status)
    fail_msg(
        "%s, as a %s, cut %u%s\nsent     %.300s\nexpected %.300s\n"
        "came     %.300s\nended    %s %d",
        one->name, is_client ? "client" : "server", cut, tls ? ", TLS" : "",
        one->send, trimmed(one->expect), came, uvow_err_name(bed.code),
        bed.status);
  assert_int_equal(bed.ended, 1);
  free(came);
  bed_done(&bed);
}

void bed_run_one(const bed_case_t *one, int is_client, unsigned cut,
                 size_t piece) {
  run_one(one, is_client, 0, cut, piece);
}

void bed_run_one_tls(const bed_case_t *one, int is_client, unsigned cut,
                     size_t piece) {
  run_one(one, is_client, 1, cut, piece);
}

void bed_run(const bed_case_t *cases, size_t count) {
  for (size_t i = 0; i < count; i++)
    for (int is_client = 0; is_client < 2; is_client++)
      for (unsigned cut = 0; cut < 4; cut++)
        bed_run_one(&cases[i], is_client, cut, 7);
}

void bed_run_tls(const bed_case_t *cases, size_t count) {
  for (size_t i = 0; i < count; i++)
    for (int is_client = 0; is_client < 2; is_client++)
      for (unsigned cut = 0; cut < 3; cut++)
        run_one(&cases[i], is_client, 1, cut, 7);
}
