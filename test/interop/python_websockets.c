/* python3-websockets, of Debian's python3: as our server, and as our client. */
#include "support/interop.h"
#include "support/serve.h"

#include <stdio.h>

#define PYTHON "/usr/bin/python3"

static uvow_next_t echo(uvow_call_t *call, const uvow_result_t *params,
                        void *data) {
  (void)call;
  (void)params;
  (void)data;
  return uvow_next_pass();
}

static void run_peer(interop_t *it, const char *role, const char *url) {
  char path[1024];
  const char *args[] = {
      PYTHON, "-B", process_script("websockets_peer.py", path, sizeof(path)),
      role,   url,  NULL};
  interop_run(it, args);
  interop_check_script(it);
}

/* A client of it, with this token. */
static void meet(interop_t *it, const char *bearer, int compressed) {
  char url[64];
  uvow_deflate_options_t deflate = {0};
  run_peer(it, "server", NULL);
  char *port = interop_expect_line(it, "port ");
  snprintf(url, sizeof(url), "ws://127.0.0.1:%s/", port);
  test_connect_t options =
      interop_options(it, url, uvow_protocol_by_name("callback_id"));
  options.websocket.bearer = bearer;
  deflate.size = sizeof(deflate);
  options.websocket.deflate = compressed ? &deflate : NULL;
  interop_connect_with(it, &options);
  free(port);
}

static void its_server_answers(void **state) {
  interop_t *it = (interop_t *)*state;
  for (int compressed = 0; compressed < 2; compressed++) {
    meet(it, "good", compressed);
    assert_text(
        interop_ask(it, "echo", json_pack("{s:s}", "text", "h\xc3\xa9")),
        "h\xc3\xa9");
    assert_text(
        interop_ask(it, "fragments", json_pack("{s:s}", "text", "in pieces")),
        "in pieces");
    answer_t *big =
        interop_ask(it, "big", json_pack("{s:i}", "size", 4 * 1024 * 1024));
    interop_wait(big);
    assert_int_equal(big->code, 0);
    assert_int_equal(json_string_length(big->json), 4 * 1024 * 1024);
    answer_t *closed = interop_watch(it, uvow_peer_close(it->client));
    interop_wait(closed);
    assert_int_equal(closed->code, 0);
    uvow_peer_unref(it->client);
    it->client = NULL;
    process_kill(&it->process);
  }
  interop_finish(it);
}

static void its_server_closes(void **state) {
  interop_t *it = (interop_t *)*state;
  meet(it, "good", 0);
  answer_t *answer = interop_ask(it, "close", json_pack("{s:i}", "code", 4001));
  assert_rejected(answer, UVOW_ELOST, UVOW_MAYBE_EXECUTED);
  assert_int_equal(uvow_error_status(answer->error), 4001);
  interop_finish(it);
}

static void its_server_refuses(void **state) {
  interop_t *it = (interop_t *)*state;
  size_t len;
  meet(it, "bad", 0);
  answer_t *ready = interop_watch(it, uvow_peer_ready(it->client));
  interop_wait(ready);
  assert_int_equal(ready->code, UVOW_EHANDSHAKE);
  assert_int_equal(uvow_error_status(ready->error), 401);
  const char *why = uvow_error_header(ready->error, "X-Why", &len);
  assert_non_null(why);
  assert_int_equal(len, 5);
  assert_memory_equal(why, "token", 5);
  assert_string_equal(uvow_error_data(ready->error, &len),
                      "a good token, please\n");
  interop_finish(it);
}

static void its_client_is_answered(void **state) {
  static const char *const subprotocols[] = {"one", "two"};
  static const char *const origins[] = {"http://here"};
  interop_t *it = (interop_t *)*state;
  for (int compressed = 0; compressed < 2; compressed++) {
    test_serve_t options = test_serve_options();
    uvow_deflate_options_t deflate = {0};
    uvow_server_t *server;
    char url[64];
    options.listener.subprotocols = subprotocols;
    options.listener.subprotocol_count = 2;
    options.listener.origins = origins;
    options.listener.origin_count = 1;
    deflate.size = sizeof(deflate);
    options.listener.deflate = compressed ? &deflate : NULL;
    assert_int_equal(test_serve(it->loop, &options, &server), 0);
    assert_int_equal(test_method(server, "echo", echo, NULL), 0);
    snprintf(url, sizeof(url), "ws://127.0.0.1:%u/",
             (unsigned)uvow_server_port(server));
    run_peer(it, "client", url);
    free(interop_expect_line(it, "passed"));
    process_wait(&it->process);
    uvow_server_free(server);
  }
  interop_finish(it);
}

#define TEST(name)                                                             \
  cmocka_unit_test_setup_teardown(name, interop_setup, interop_teardown)

TEST_MODULE(python_websockets) {
  const struct CMUnitTest tests[] = {
      TEST(its_server_answers),
      TEST(its_server_closes),
      TEST(its_server_refuses),
      TEST(its_client_is_answered),
  };
  return cmocka_run_group_tests_name("interop/python_websockets", tests, NULL,
                                     NULL);
}
