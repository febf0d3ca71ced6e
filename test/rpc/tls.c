/* wss: a client and a server of ours on loopback, through the public API. */
#include "support/serve.h"
#include "support/tls_peer.h"

#include <stdio.h>

#include <uvow/server.h>

#define BIG ((size_t)8 * 1024 * 1024)

typedef struct both {
  script_t s; /* its loop; the client is s.client */
  uvow_server_t *server;
  uvow_tls_t *ours;   /* the client's */
  uvow_tls_t *theirs; /* the server's */
  char url[64];
} both_t;

static uvow_next_t echo(uvow_call_t *call, const uvow_result_t *params,
                        void *data) {
  (void)call;
  (void)params;
  (void)data;
  return uvow_next_pass();
}

static uvow_tls_t *make_tls(both_t *both, const uvow_tls_options_t *options) {
  uvow_tls_t *tls = NULL;
  assert_int_equal(uvow_tls_new(both->s.loop, options, &tls, NULL), 0);
  return tls;
}

/* theirs: NULL: plain ws. */
static void serve(both_t *both, const uvow_tls_options_t *theirs) {
  test_serve_t options = test_serve_options();
  script_init(&both->s);
  both->server = NULL;
  both->ours = NULL;
  both->theirs = theirs ? make_tls(both, theirs) : NULL;
  options.listener.tls = both->theirs;
  assert_int_equal(test_serve(both->s.loop, &options, &both->server), 0);
  assert_int_equal(test_method(both->server, "echo", echo, NULL), 0);
}

static test_connect_t options_for(both_t *both, const char *scheme) {
  test_connect_t options = script_options(&both->s);
  snprintf(both->url, sizeof(both->url), "%s://127.0.0.1:%u/", scheme,
           (unsigned)uvow_server_port(both->server));
  options.url = both->url;
  options.websocket.tls = both->ours;
  return options;
}

static void connect_to(both_t *both, const char *scheme) {
  test_connect_t options = options_for(both, scheme);
  assert_int_equal(test_connect(both->s.loop, &options, &both->s.client), 0);
}

static void start(both_t *both) {
  uvow_tls_options_t theirs = tls_options(1);
  uvow_tls_options_t ours = tls_options(0);
  serve(both, &theirs);
  both->ours = make_tls(both, &ours);
  connect_to(both, "wss");
}

static void end(both_t *both) {
  uvow_server_free(both->server);
  uvow_tls_unref(both->ours);
  uvow_tls_unref(both->theirs);
  script_end(&both->s);
}

/* A request, and what becomes of it. */
static void expect_echo(both_t *both, const char *text) {
  script_mark_t a = script_mark(&both->s, "");
  char expected[64];
  snprintf(expected, sizeof(expected), "=%s", text);
  script_watch(uvow_peer_request(both->s.client, "echo", uvow_value_raw(text)),
               &a);
  script_until(&both->s, &a.done);
  script_expect(&both->s, expected);
}

/* The error says this word. */
static void look_for(const uvow_result_t *result, void *data) {
  const char *word = (const char *)data;
  const char *text = uvow_error_message(result->error);
  if (!strstr(text, word))
    fail_msg("'%s' is not in: %s", word, text);
}

/* The connection fails so: the future of ready, and a request. */
static void expect_refused(both_t *both, int code, const char *word) {
  script_mark_t a = script_mark(&both->s, "");
  char expected[64];
  snprintf(expected, sizeof(expected), "!%s:NOT", uvow_err_name(code) + 5);
  script_watch(uvow_peer_request(both->s.client, "echo", uvow_value_raw("[]")),
               &a);
  script_until(&both->s, &a.done);
  script_expect(&both->s, expected);
  uvow_future_t *ready = uvow_peer_ready(both->s.client);
  assert_int_equal(uvow_future_done(ready, look_for, (void *)(uintptr_t)word),
                   0);
  script_turns(&both->s);
}

static uvow_tls_stats_t stats_of(const uvow_tls_t *tls) {
  uvow_tls_stats_t stats = {0};
  stats.size = sizeof(stats);
  assert_int_equal(uvow_tls_get_stats(tls, &stats), 0);
  return stats;
}

TEST_CASE(a_request_is_answered) {
  both_t both;
  start(&both);
  expect_echo(&both, "[1,2]");
  expect_echo(&both, "[3]");
  assert_int_equal(stats_of(both.ours).handshakes, 1);
  assert_int_equal(stats_of(both.theirs).handshakes, 1);
  end(&both);
}

TEST_CASE(both_close_in_order) {
  both_t both;
  start(&both);
  script_mark_t a = script_mark(&both.s, "client");
  script_mark_t b = script_mark(&both.s, "server");
  expect_echo(&both, "[1]");
  script_watch(uvow_peer_close(both.s.client), &a);
  script_until(&both.s, &a.done);
  script_watch(uvow_server_close(both.server), &b);
  script_until(&both.s, &b.done);
  script_expect(&both.s, "client= server=");
  end(&both);
}

TEST_CASE(the_server_may_close_first) {
  both_t both;
  start(&both);
  script_mark_t b = script_mark(&both.s, "server");
  expect_echo(&both, "[1]");
  script_watch(uvow_server_close(both.server), &b);
  script_until(&both.s, &b.done);
  script_expect(&both.s, "server=");
  end(&both);
}

TEST_CASE(the_second_connection_resumes) {
  both_t both;
  start(&both);
  for (int i = 0; i < 3; i++) {
    expect_echo(&both, "[1]");
    assert_int_equal(stats_of(both.ours).resumed, i);
    assert_int_equal(stats_of(both.theirs).resumed, i);
    uvow_peer_unref(both.s.client);
    both.s.client = NULL;
    if (i < 2)
      connect_to(&both, "wss");
  }
  assert_int_equal(stats_of(both.ours).handshakes, 3);
  end(&both);
}

typedef struct sum {
  const char *text;
  int done;
} sum_t;

static void compare(const uvow_result_t *result, void *data) {
  sum_t *sum = (sum_t *)data;
  uvow_slice_t got = uvow_result_bytes(result);
  assert_int_equal(got.len, BIG);
  assert_memory_equal(got.bytes, sum->text, BIG);
  sum->done = 1;
}

TEST_CASE(much_goes_to_and_fro) {
  char *text = (char *)malloc(BIG);
  both_t both;
  assert_non_null(text);
  for (size_t i = 0; i < BIG; i++)
    text[i] = (char)('a' + i * 7 % 26);
  memcpy(text, "[\"", 2);
  memcpy(text + BIG - 2, "\"]", 2);
  start(&both);
  sum_t sum = {text, 0};
  assert_int_equal(
      uvow_future_done(
          uvow_peer_request(both.s.client, "echo",
                            uvow_value_slice(&(uvow_slice_t){text, BIG})),
          compare, &sum),
      0);
  script_until(&both.s, &sum.done);
  free(text);
  end(&both);
}

TEST_CASE(verification_is_on_by_default) {
  uvow_tls_options_t theirs = tls_options(1);
  both_t both;
  serve(&both, &theirs);
  connect_to(&both, "wss");
  expect_refused(&both, UVOW_ECERT, "unknown issuer: /CN=Test CA");
  end(&both);
}

TEST_CASE(clients_without_a_context_share_one) {
  uvow_tls_options_t theirs = tls_options(1);
  uvow_peer_t *other = NULL;
  both_t both;
  serve(&both, &theirs);
  connect_to(&both, "wss");
  test_connect_t options = options_for(&both, "wss");
  assert_int_equal(test_connect(both.s.loop, &options, &other), 0);
  assert_non_null(both.s.client->link->config->tls);
  assert_ptr_equal(other->link->config->tls, both.s.client->link->config->tls);
  uvow_peer_unref(other);
  end(&both);
}

TEST_CASE(ws_takes_no_context) {
  both_t both;
  serve(&both, NULL);
  connect_to(&both, "ws");
  expect_echo(&both, "[1]");
  assert_null(both.s.client->link->config->tls);
  end(&both);
}

TEST_CASE(a_plain_server_is_named) {
  uvow_tls_options_t ours = tls_options(0);
  both_t both;
  serve(&both, NULL);
  both.ours = make_tls(&both, &ours);
  connect_to(&both, "wss");
  expect_refused(&both, UVOW_ETLS, "plain HTTP");
  end(&both);
}

TEST_CASE(a_plain_client_is_refused) {
  uvow_tls_options_t theirs = tls_options(1);
  both_t both;
  serve(&both, &theirs);
  connect_to(&both, "ws");
  expect_refused(&both, UVOW_ELOST, "");
  assert_int_equal(stats_of(both.theirs).failed, 1);
  end(&both);
}

TEST_CASE(a_client_without_its_certificate_hears_so) {
  uvow_tls_options_t theirs = tls_options(1);
  uvow_tls_options_t ours = tls_options(0);
  both_t both;
  theirs.ca_pem = tls_certs()->ca->pem;
  theirs.client_certs = UVOW_TLS_CLIENT_CERT_REQUIRED;
  for (int version = UVOW_TLS_1_2; version <= UVOW_TLS_1_3; version++) {
    ours = tls_options(0);
    ours.max_version = (uvow_tls_version_t)version;
    serve(&both, &theirs);
    both.ours = make_tls(&both, &ours);
    connect_to(&both, "wss");
    expect_refused(&both, UVOW_ETLS,
                   version == UVOW_TLS_1_2 ? "alert 40" : "alert 116");
    end(&both);
    ours.cert_pem = tls_certs()->user->pem;
    ours.key_pem = tls_certs()->user->key_pem;
    serve(&both, &theirs);
    both.ours = make_tls(&both, &ours);
    connect_to(&both, "wss");
    expect_echo(&both, "[1]");
    end(&both);
  }
}

TEST_CASE(contexts_of_another_role_or_loop_are_refused) {
  uvow_tls_options_t theirs = tls_options(1);
  uvow_tls_options_t ours = tls_options(0);
  uvow_peer_t *client = NULL;
  uvow_server_t *server = NULL;
  test_serve_t wrong = test_serve_options();
  both_t both;
  both_t other;
  serve(&both, &theirs);
  serve(&other, &theirs);
  both.ours = make_tls(&both, &ours);
  test_connect_t options = options_for(&both, "wss");
  options.websocket.tls = both.theirs;
  assert_int_equal(test_connect(both.s.loop, &options, &client), UVOW_EINVAL);
  options.websocket.tls = both.ours;
  assert_int_equal(test_connect(other.s.loop, &options, &client), UVOW_EINVAL);
  wrong.listener.tls = both.ours;
  assert_int_equal(test_serve(both.s.loop, &wrong, &server), UVOW_EINVAL);
  wrong.listener.tls = both.theirs;
  assert_int_equal(test_serve(other.s.loop, &wrong, &server), UVOW_EINVAL);
  end(&both);
  end(&other);
}

TEST_CASE(it_may_be_freed_in_the_handshake) {
  both_t both;
  for (int turns = 0; turns < 6; turns++) {
    start(&both);
    for (int i = 0; i < turns; i++)
      uv_run(&both.s.uv, UV_RUN_NOWAIT);
    uvow_peer_unref(both.s.client);
    both.s.client = NULL;
    end(&both);
  }
}

TEST_CASE(a_handshake_has_its_time) {
  uvow_tls_options_t ours = tls_options(0);
  script_t s;
  uvow_tls_t *tls = NULL;
  script_init(&s);
  script_drive_clock(&s);
  assert_int_equal(uvow_tls_new(s.loop, &ours, &tls, NULL), 0);
  test_connect_t options = script_options(&s);
  options.url = "wss://localhost/";
  options.websocket.tls = tls;
  assert_int_equal(script_client(&s, &options), 0);
  script_mark_t a = script_mark(&s, "");
  script_call(&s, "m", &a);
  script_connected(&s);
  assert_true(s.sent_len > 0 && s.sent[0] == 0x16);
  script_advance(&s, 9999);
  script_expect(&s, "");
  script_advance(&s, 2);
  script_expect(&s, "!ETIMEDOUT:NOT");
  assert_true(script_gone(&s));
  uvow_tls_unref(tls);
  script_end(&s);
}

TEST_MODULE(tls) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_request_is_answered),
      cmocka_unit_test(both_close_in_order),
      cmocka_unit_test(the_server_may_close_first),
      cmocka_unit_test(the_second_connection_resumes),
      cmocka_unit_test(much_goes_to_and_fro),
      cmocka_unit_test(verification_is_on_by_default),
      cmocka_unit_test(clients_without_a_context_share_one),
      cmocka_unit_test(ws_takes_no_context),
      cmocka_unit_test(a_plain_server_is_named),
      cmocka_unit_test(a_plain_client_is_refused),
      cmocka_unit_test(a_client_without_its_certificate_hears_so),
      cmocka_unit_test(contexts_of_another_role_or_loop_are_refused),
      cmocka_unit_test(it_may_be_freed_in_the_handshake),
      cmocka_unit_test(a_handshake_has_its_time),
  };
  return cmocka_run_group_tests_name("rpc/tls", tests, tls_setup, tls_teardown);
}
