/*
 * nginx and haproxy as reverse proxies in front of uvow's server: requests go
 * through each, and when nobody is behind it, the error says so.
 */
#include "support/front.h"

#include <stdio.h>

static uvow_next_t echo(const uvow_call_t *call, void *data) {
  (void)call;
  (void)data;
  return uvow_next_pass();
}

/* Says what the proxy asked for. */
static void look(uvow_handshake_t *handshake, void *data) {
  const char *by = uvow_handshake_header(handshake, "X-Forwarded-By");
  (void)data;
  if (strcmp(uvow_handshake_target(handshake), "/chat?room=1") != 0 || !by)
    uvow_handshake_refuse(handshake, 400, "not as it was sent");
  else if (uvow_handshake_header(handshake, "X-Unwelcome"))
    uvow_handshake_refuse(handshake, 403, "unwelcome");
}

static uvow_server_t *serve(interop_t *it) {
  uvow_server_t *server;
  uvow_server_options_t options = {0};
  options.size = sizeof(options);
  options.protocol = uvow_protocol_jsonrpc2();
  options.on_handshake = look;
  assert_int_equal(uvow_server_new(it->loop, &options, &server), 0);
  assert_int_equal(uvow_server_method(server, "echo", echo, NULL, NULL), 0);
  return server;
}

static void connect_through(interop_t *it, const front_t *front,
                            const uvow_header_t *headers, size_t count) {
  char url[64];
  snprintf(url, sizeof(url), "ws://127.0.0.1:%u/chat?room=1", front->port);
  uvow_client_options_t options =
      interop_options(it, url, uvow_protocol_jsonrpc2());
  options.headers = headers;
  options.header_count = count;
  uvow_client_free(it->client);
  interop_connect_with(it, &options);
}

static void expect_refused(interop_t *it, int status, const char *body) {
  answer_t *ready = interop_watch(it, uvow_client_ready(it->client));
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
  static const uvow_header_t unwelcome = {"X-Unwelcome", "1"};
  uvow_server_t *server = serve(it);
  front_options_t options = {program, uvow_server_port(server), NULL, NULL, 0};
  front_t front;
  front_run(&front, it, &options);
  connect_through(it, &front, NULL, 0);
  for (int i = 0; i < 50; i++)
    interop_ask(it, "echo", json_pack("[i]", i));
  interop_wait_all(it);
  for (answer_t *at = it->answers; at; at = at->next)
    assert_int_equal(at->code, 0);
  answer_t *closed = interop_watch(it, uvow_client_close(it->client));
  interop_wait(closed);
  assert_int_equal(closed->code, 0);
  connect_through(it, &front, &unwelcome, 1);
  expect_refused(it, 403, "unwelcome");
  /* It goes while a client talks to it, and then it's gone. */
  connect_through(it, &front, NULL, 0);
  interop_wait(interop_watch(it, uvow_client_ready(it->client)));
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

#define TEST(name)                                                             \
  cmocka_unit_test_setup_teardown(name, interop_setup, interop_teardown)

TEST_MODULE(reverse_proxy) {
  const struct CMUnitTest tests[] = {
      TEST(nginx_is_gone_through),
      TEST(haproxy_is_gone_through),
  };
  return cmocka_run_group_tests_name("interop/reverse_proxy", tests, NULL,
                                     NULL);
}
