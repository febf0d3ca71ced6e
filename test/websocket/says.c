/* Who the other end is, over TLS and on a Unix domain socket. */
#include "websocket/listener.h"

#include "support/folder.h"
#include "support/loop_bed.h"
#include "support/tls_peer.h"

#include <stdio.h>

typedef struct pair {
  loop_bed_t bed;
  uvow_listener_t *listener;
  uvow_stream_t *accepted;
  uvow_websocket_t *client;
  uvow_websocket_t *server;
} pair_t;

static void meet(pair_t *pair, const char *url,
                 const uvow_websocket_options_t *options) {
  uvow_result_t result;
  pair->accepted = uvow_listener_accept(pair->listener);
  pair->client = uvow_websocket_connect(pair->bed.loop, url, options);
  assert_non_null(pair->client);
  assert_int_equal(
      loop_bed_wait(&pair->bed, uvow_stream_next(pair->accepted), &result), 0);
  pair->server = uvow_websocket_ref(uvow_result_websocket(&result));
  assert_int_equal(
      loop_bed_wait(&pair->bed, uvow_websocket_ping(pair->client), NULL), 0);
  assert_int_equal(
      loop_bed_wait(&pair->bed, uvow_websocket_ping(pair->server), NULL), 0);
}

static void part(pair_t *pair) {
  uvow_stream_unref(pair->accepted);
  uvow_websocket_unref(pair->client);
  uvow_websocket_unref(pair->server);
  uvow_listener_free(pair->listener);
  loop_bed_close(&pair->bed, "closed");
}

TEST_CASE(test_tls) {
  uvow_tls_options_t ours = tls_options(0);
  uvow_tls_options_t theirs = tls_options(1);
  uvow_listener_options_t listen = {.size = sizeof(listen)};
  uvow_websocket_options_t options = {.size = sizeof(options)};
  char url[64];
  pair_t pair = {0};
  ours.cert_pem = tls_certs()->user->pem;
  ours.key_pem = tls_certs()->user->key_pem;
  theirs.ca_pem = tls_certs()->ca->pem;
  theirs.client_certs = UVOW_TLS_CLIENT_CERT_REQUIRED;
  loop_bed_open(&pair.bed);
  assert_int_equal(uvow_tls_new(pair.bed.loop, &theirs, &listen.tls, NULL), 0);
  assert_int_equal(uvow_tls_new(pair.bed.loop, &ours, &options.tls, NULL), 0);
  pair.listener = uvow_listener_new(pair.bed.loop, &listen);
  assert_non_null(pair.listener);
  uvow_tls_unref(listen.tls); /* it is kept */
  snprintf(url, sizeof(url), "wss://localhost:%u/",
           (unsigned)uvow_listener_port(pair.listener));
  meet(&pair, url, &options);
  uvow_tls_unref(options.tls);
  assert_string_equal(uvow_websocket_certificate(pair.server), "CN=user");
  assert_string_equal(uvow_websocket_certificate(pair.client), "CN=localhost");
  assert_non_null(strchr(uvow_websocket_address(pair.server), ':'));
  char text[64];
  int len = uvow_websocket_tls(pair.client, text, sizeof(text));
  assert_int_equal(len, strlen(text));
  assert_memory_equal(text, "TLSv1.3 TLS_", 12);
  assert_int_equal(uvow_websocket_tls(pair.server, text, 8), len);
  assert_string_equal(text, "TLSv1.3");
  assert_int_equal(uvow_websocket_tls(pair.client, NULL, 0), len);
  pair.bed.alloc->fail_at = pair.bed.alloc->calls + 1;
  assert_int_equal(uvow_websocket_tls(pair.client, text, sizeof(text)),
                   UVOW_ENOMEM);
  assert_string_equal(text, "");
  part(&pair);
}

/* Above max_peers nothing of TLS is begun. */
TEST_CASE(test_no_room_for_tls) {
  uvow_tls_options_t ours = tls_options(0);
  uvow_tls_options_t theirs = tls_options(1);
  uvow_listener_options_t listen = {.size = sizeof(listen), .max_peers = 1};
  uvow_websocket_options_t options = {.size = sizeof(options)};
  uvow_tls_stats_t stats = {.size = sizeof(stats)};
  char url[64];
  pair_t pair = {0};
  loop_bed_open(&pair.bed);
  assert_int_equal(uvow_tls_new(pair.bed.loop, &theirs, &listen.tls, NULL), 0);
  assert_int_equal(uvow_tls_new(pair.bed.loop, &ours, &options.tls, NULL), 0);
  pair.listener = uvow_listener_new(pair.bed.loop, &listen);
  assert_non_null(pair.listener);
  snprintf(url, sizeof(url), "wss://localhost:%u/",
           (unsigned)uvow_listener_port(pair.listener));
  meet(&pair, url, &options);
  uvow_websocket_t *second =
      uvow_websocket_connect(pair.bed.loop, url, &options);
  assert_true(loop_bed_wait(&pair.bed, uvow_websocket_ready(second), NULL) < 0);
  assert_int_equal(uvow_tls_get_stats(listen.tls, &stats), 0);
  assert_int_equal(stats.handshakes + stats.failed, 1);
  uvow_websocket_unref(second);
  uvow_tls_unref(listen.tls);
  uvow_tls_unref(options.tls);
  part(&pair);
}

TEST_CASE(test_unix_domain_socket) {
  uvow_listener_options_t listen = {.size = sizeof(listen)};
  char path[FOLDER_PATH];
  char url[FOLDER_PATH + 16];
  folder_t folder;
  pair_t pair = {0};
  folder_make(&folder);
  listen.socket_path = folder_file(&folder, "s", NULL, path);
  loop_bed_open(&pair.bed);
  pair.listener = uvow_listener_new(pair.bed.loop, &listen);
  assert_non_null(pair.listener);
  assert_int_equal(uvow_listener_port(pair.listener), 0);
  snprintf(url, sizeof(url), "ws+unix://%s", path);
  meet(&pair, url, NULL);
  assert_string_equal(uvow_websocket_address(pair.server), "");
  assert_null(uvow_websocket_certificate(pair.server));
  part(&pair);
  folder_remove(&folder);
}

TEST_MODULE(says) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_tls),
      cmocka_unit_test(test_no_room_for_tls),
      cmocka_unit_test(test_unix_domain_socket),
  };
  return cmocka_run_group_tests_name("websocket/says", tests, tls_setup,
                                     tls_teardown);
}
