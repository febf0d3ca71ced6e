/*
 * nginx and haproxy as reverse proxies in front of uvow's server: requests go
 * through each, and when nobody is behind it, the error says so.
 */
#include "support/front.h"
#include "support/serve.h"

#include <stdio.h>

static uvow_next_t echo(uvow_call_t *call, const uvow_result_t *params,
                        void *data) {
  (void)call;
  (void)params;
  (void)data;
  return uvow_next_pass();
}

/* Says what the proxy asked for. */
static uvow_next_t look(uvow_websocket_t *ws, void *data) {
  const char *by = uvow_websocket_header(ws, "X-Forwarded-By");
  (void)data;
  if (strcmp(uvow_websocket_target(ws), "/chat?room=1") != 0 || !by)
    uvow_websocket_refuse(ws, 400, "not as it was sent");
  else if (uvow_websocket_header(ws, "X-Unwelcome"))
    uvow_websocket_refuse(ws, 403, "unwelcome");
  else
    return uvow_next_none();
  return uvow_next_code(UVOW_EINVAL, NULL);
}

static uvow_server_t *serve(interop_t *it) {
  uvow_server_t *server;
  test_serve_t options = test_serve_options();
  options.listener.on_handshake = look;
  assert_int_equal(test_serve(it->loop, &options, &server), 0);
  assert_int_equal(test_method(server, "echo", echo, NULL), 0);
  return server;
}

static void connect_through(interop_t *it, const front_t *front,
                            const uvow_header_t *headers, size_t count) {
  char url[64];
  snprintf(url, sizeof(url), "ws://127.0.0.1:%u/chat?room=1", front->port);
  test_connect_t options =
      interop_options(it, url, uvow_protocol_by_name("jsonrpc2"));
  options.websocket.headers = headers;
  options.websocket.header_count = count;
  uvow_peer_unref(it->client);
  interop_connect_with(it, &options);
}

static void expect_refused(interop_t *it, int status, const char *body) {
  answer_t *ready = interop_watch(it, uvow_peer_ready(it->client));
  assert_rejected(interop_ask(it, "echo", json_pack("[i]", 1)), UVOW_EHANDSHAKE,
                  UVOW_NOT_SENT);
  interop_wait(ready);
  assert_int_equal(ready->code, UVOW_EHANDSHAKE);
  assert_int_equal(uvow_error_status(ready->error), status);
  const char *data = uvow_error_data(ready->error, NULL);
  if (!data || !strstr(data, body))
    fail_msg("\"%s\" isn't in \"%s\"", body, data ? data : "nothing");
}

static void go_through(interop_t *it, const front_program_t *program) {
  static const uvow_header_t unwelcome = {sizeof(uvow_header_t), "X-Unwelcome",
                                          "1"};
  uvow_server_t *server = serve(it);
  front_options_t options = {program, uvow_server_port(server), NULL, NULL, 0,
                             0};
  front_t front;
  front_run(&front, it, &options);
  connect_through(it, &front, NULL, 0);
  for (int i = 0; i < 50; i++)
    interop_ask(it, "echo", json_pack("[i]", i));
  interop_wait_all(it);
  for (answer_t *at = it->answers; at; at = at->next)
    assert_int_equal(at->code, 0);
  answer_t *closed = interop_watch(it, uvow_peer_close(it->client));
  interop_wait(closed);
  assert_int_equal(closed->code, 0);
  connect_through(it, &front, &unwelcome, 1);
  expect_refused(it, 403, "unwelcome");
  /* It goes while a client talks to it, and then it's gone. */
  connect_through(it, &front, NULL, 0);
  interop_wait(interop_watch(it, uvow_peer_ready(it->client)));
  uvow_server_free(server);
  answer_t *lost = interop_ask(it, "echo", json_pack("[i]", 1));
  interop_wait(lost);
  assert_int_equal(lost->code, UVOW_ELOST);
  connect_through(it, &front, NULL, 0);
  expect_refused(it, program->gone, program->is_nginx ? "nginx" : "<h1>503");
  interop_finish(it);
  front_done(&front);
}

static void nginx_is_gone_through(void **state) {
  go_through((interop_t *)*state, &front_nginx);
}

static void haproxy_is_gone_through(void **state) {
  go_through((interop_t *)*state, &front_haproxy);
}

/* With the how-to's configuration. */
static void go_as_documented(interop_t *it, const front_program_t *program) {
  uvow_server_t *server;
  front_t front;
  char url[64];
  test_serve_t serve = test_serve_options();
  assert_int_equal(test_serve(it->loop, &serve, &server), 0);
  assert_int_equal(test_method(server, "echo", echo, NULL), 0);
  front_options_t options = {
      .program = program, .backend = uvow_server_port(server), .howto = 1};
  front_run(&front, it, &options);
  snprintf(url, sizeof(url), "ws://127.0.0.1:%u/rpc", front.port);
  interop_connect(it, url, uvow_protocol_by_name("jsonrpc2"));
  answer_t *answer = interop_ask(it, "echo", json_pack("[i]", 5));
  interop_wait(answer);
  assert_int_equal(answer->code, 0);
  uvow_server_free(server);
  interop_finish(it);
  front_done(&front);
}

static void nginx_is_as_documented(void **state) {
  go_as_documented((interop_t *)*state, &front_nginx);
}

static void haproxy_is_as_documented(void **state) {
  go_as_documented((interop_t *)*state, &front_haproxy);
}

#define TEST(name)                                                             \
  cmocka_unit_test_setup_teardown(name, interop_setup, interop_teardown)

TEST_MODULE(reverse_proxy) {
  const struct CMUnitTest tests[] = {
      TEST(nginx_is_gone_through),
      TEST(haproxy_is_gone_through),
      TEST(nginx_is_as_documented),
      TEST(haproxy_is_as_documented),
  };
  return cmocka_run_group_tests_name("interop/reverse_proxy", tests, NULL,
                                     NULL);
}
