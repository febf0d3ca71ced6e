/*
 * A client of a server of ours, through tinyproxy.
 */
#include "support/serve.h"
#include "support/tinyproxy.h"

#include <stdio.h>

#include "support/certs.h"

/* A server, and the proxy that may be asked for it. */
typedef struct scene {
  interop_t *it;
  uvow_server_t *server;
  uvow_tls_t *ours; /* NULL: it's plain ws */
  unsigned other;   /* the proxy may be asked for this port too */
  char proxy[96];
  char url[64];
} scene_t;

static uvow_next_t echo(uvow_call_t *call, const uvow_result_t *params,
                        void *data) {
  (void)call;
  (void)params;
  (void)data;
  return uvow_next_pass();
}

static void serve(scene_t *x, uvow_tls_t *theirs) {
  test_serve_t options = test_serve_options();
  options.listener.tls = theirs;
  assert_int_equal(test_serve(x->it->loop, &options, &x->server), 0);
  assert_int_equal(test_method(x->server, "echo", echo, NULL), 0);
  snprintf(x->url, sizeof(x->url), "%s://127.0.0.1:%u/", theirs ? "wss" : "ws",
           (unsigned)uvow_server_port(x->server));
}

/* A server, tinyproxy, and a client that goes through it as this user. */
static void meet(scene_t *x, void **state, uvow_tls_t *theirs, const char *more,
                 const char *user) {
  x->it = (interop_t *)*state;
  serve(x, theirs);
  const unsigned ports[2] = {uvow_server_port(x->server), x->other};
  snprintf(x->proxy, sizeof(x->proxy), "http://%s127.0.0.1:%d", user,
           tinyproxy_run(x->it, ports, more));
  test_connect_t options =
      interop_options(x->it, x->url, uvow_protocol_by_name("jsonrpc2"));
  options.websocket.proxy = x->proxy;
  options.websocket.tls = x->ours;
  interop_connect_with(x->it, &options);
}

static void end(scene_t *x) {
  uvow_peer_unref(x->it->client);
  x->it->client = NULL;
  uvow_server_free(x->server);
  uvow_tls_unref(x->ours);
  interop_finish(x->it);
}

static void expect_echo_of(scene_t *x, const char *text) {
  answer_t *answer = interop_ask(x->it, "echo", json_pack("[s]", text));
  interop_wait(answer);
  if (answer->error)
    fail_msg("rejected: %s", uvow_error_message(answer->error));
  assert_string_equal(json_string_value(json_array_get(answer->json, 0)), text);
}

static void expect_echo(scene_t *x) {
  for (int i = 0; i < 20; i++)
    expect_echo_of(x, "hello");
}

static void expect_refused(scene_t *x, int status) {
  answer_t *answer = interop_ask(x->it, "echo", NULL);
  assert_rejected(answer, UVOW_EPROXY, UVOW_NOT_SENT);
  if (uvow_error_status(answer->error) != status)
    fail_msg("not %d: %s", status, uvow_error_message(answer->error));
  end(x);
}

static void ws_goes_through(void **state) {
  scene_t x = {0};
  meet(&x, state, NULL, "", "");
  expect_echo(&x);
  free(interop_expect_line(x.it, "CONNECT 127.0.0.1:"));
  end(&x);
}

static void a_megabyte_goes_through(void **state) {
  enum { SIZE = 1 << 20 };
  scene_t x = {0};
  char *text = (char *)malloc(SIZE + 1);
  assert_non_null(text);
  memset(text, 'x', SIZE);
  text[SIZE] = '\0';
  meet(&x, state, NULL, "", "");
  expect_echo_of(&x, text);
  free(text);
  end(&x);
}

static void wss_goes_through(void **state) {
  scene_t x = {0};
  uvow_tls_options_t ours = {0};
  uvow_tls_options_t own = {0};
  uvow_tls_t *theirs;
  uvow_loop_t *loop = ((interop_t *)*state)->loop;
  cert_t *ca = cert_new_ca("CA");
  cert_t *cert = cert_new_localhost(ca);
  ours.size = own.size = sizeof(ours);
  ours.ca_pem = ca->pem;
  own.is_server = 1;
  own.cert_pem = cert->pem;
  own.key_pem = cert->key_pem;
  assert_int_equal(uvow_tls_new(loop, &ours, &x.ours, NULL), 0);
  assert_int_equal(uvow_tls_new(loop, &own, &theirs, NULL), 0);
  meet(&x, state, theirs, "", "");
  uvow_tls_unref(theirs);
  cert_free(cert);
  cert_free(ca);
  expect_echo(&x);
  end(&x);
}

static void the_right_password_is_taken(void **state) {
  scene_t x = {0};
  meet(&x, state, NULL, "BasicAuth user pa55\n", "user:pa55@");
  expect_echo(&x);
  end(&x);
}

static void a_wrong_password_is_refused(void **state) {
  scene_t x = {0};
  meet(&x, state, NULL, "BasicAuth user pa55\n", "user:wrong@");
  expect_refused(&x, 401); /* odd, but so it says */
}

static void no_password_is_refused(void **state) {
  scene_t x = {0};
  meet(&x, state, NULL, "BasicAuth user pa55\n", "");
  expect_refused(&x, 407);
}

static void another_port_is_refused(void **state) {
  scene_t x = {0};
  x.it = (interop_t *)*state;
  meet(&x, state, NULL, "", "");
  uvow_peer_unref(x.it->client);
  x.it->client = NULL;
  test_connect_t options = interop_options(x.it, "ws://127.0.0.1:2/",
                                           uvow_protocol_by_name("jsonrpc2"));
  options.websocket.proxy = x.proxy;
  interop_connect_with(x.it, &options);
  expect_refused(&x, 403);
}

/* On port 1 nobody listens: the proxy says so. */
static void a_server_that_is_not_there_is_the_proxys_error(void **state) {
  scene_t x = {0};
  x.other = 1;
  meet(&x, state, NULL, "", "");
  uvow_peer_unref(x.it->client);
  x.it->client = NULL;
  test_connect_t options = interop_options(x.it, "ws://127.0.0.1:1/",
                                           uvow_protocol_by_name("jsonrpc2"));
  options.websocket.proxy = x.proxy;
  interop_connect_with(x.it, &options);
  expect_refused(&x, 500);
}

#define TEST(name)                                                             \
  cmocka_unit_test_setup_teardown(name, interop_setup, interop_teardown)

TEST_MODULE(tinyproxy) {
  const struct CMUnitTest tests[] = {
      TEST(ws_goes_through),
      TEST(a_megabyte_goes_through),
      TEST(wss_goes_through),
      TEST(the_right_password_is_taken),
      TEST(a_wrong_password_is_refused),
      TEST(no_password_is_refused),
      TEST(another_port_is_refused),
      TEST(a_server_that_is_not_there_is_the_proxys_error),
  };
  return cmocka_run_group_tests_name("interop/tinyproxy", tests, NULL, NULL);
}
