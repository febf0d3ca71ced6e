/*
 * The ends of a connection to a node-ws server: in order, in the middle of
 * something, and because one side breaks a rule. Every future that waits is
 * rejected with the cause, at once.
 */
#include "support/interop.h"

#include <stdio.h>

/* The server's URL with this path, to be freed. */
static char *run_server(interop_t *it, const char *path) {
  char path_of[1024];
  const char *args[] = {
      "node", process_script("node_ws_server.js", path_of, sizeof(path_of)),
      NULL};
  interop_run(it, args);
  interop_check_script(it);
  char *port = interop_expect_line(it, "port ");
  char *url = (char *)malloc(128);
  assert_non_null(url);
  snprintf(url, 128, "ws://127.0.0.1:%s%s", port, path);
  free(port);
  return url;
}

static interop_t *node_ws(void **state) {
  interop_t *it = (interop_t *)*state;
  char *url = run_server(it, "/");
  interop_connect(it, url, uvow_protocol_by_name("callback_id"));
  free(url);
  return it;
}

static answer_t *hold(interop_t *it) {
  return interop_ask(it, "hold", json_pack("{s:s}", "value", "held"));
}

/* The server saw the connection close with this code. */
static void assert_server_saw(interop_t *it, const char *code) {
  char *said = interop_expect_line(it, "closed ");
  assert_string_equal(said, code);
  free(said);
}

static void the_handshake_says_what_was_asked(void **state) {
  static const char *const subprotocols[] = {"first", "second"};
  static const uvow_header_t headers[] = {
      {sizeof(uvow_header_t), "X-Token", "t0k3n"},
      {sizeof(uvow_header_t), "Origin", "http://example.com"}};
  interop_t *it = (interop_t *)*state;
  char *url = run_server(it, "/path/to?a=1&b=%20");
  test_connect_t options =
      interop_options(it, url, uvow_protocol_by_name("callback_id"));
  options.websocket.subprotocols = subprotocols;
  options.websocket.subprotocol_count = 2;
  options.websocket.headers = headers;
  options.websocket.header_count = 2;
  interop_connect_with(it, &options);
  answer_t *answer = interop_ask(it, "handshake", NULL);
  interop_wait(answer);
  assert_int_equal(answer->code, 0);
  json_t *sent = json_object_get(answer->json, "headers");
  assert_string_equal(
      json_string_value(json_object_get(answer->json, "protocol")), "second");
  assert_string_equal(json_string_value(json_object_get(answer->json, "url")),
                      "/path/to?a=1&b=%20");
  assert_string_equal(json_string_value(json_object_get(sent, "x-token")),
                      "t0k3n");
  assert_string_equal(json_string_value(json_object_get(sent, "origin")),
                      "http://example.com");
  const char *host = json_string_value(json_object_get(sent, "host"));
  assert_int_equal(strncmp(url + strlen("ws://"), host, strlen(host)), 0);
  free(url);
  interop_finish(it);
}

static void close_waits_for_the_answers(void **state) {
  interop_t *it = node_ws(state);
  answer_t *held = hold(it);
  answer_t *release = interop_ask(it, "release", NULL);
  answer_t *closed = interop_watch(it, uvow_peer_close(it->client));
  answer_t *after = hold(it);
  assert_rejected(after, UVOW_ECLOSED, UVOW_NOT_SENT);
  interop_wait(closed);
  assert_int_equal(closed->code, 0);
  assert_text(held, "held");
  assert_int_equal(release->code, 0);
  assert_true(held->turn < closed->turn);
  assert_true(release->turn < closed->turn);
  assert_server_saw(it, "1000");
  interop_finish(it);
}

static void free_rejects_what_is_pending(void **state) {
  interop_t *it = node_ws(state);
  answer_t *early = hold(it); /* not even connected */
  uvow_peer_unref(it->client);
  it->client = NULL;
  assert_rejected(early, UVOW_ECLOSED, UVOW_NOT_SENT);
  char *port = interop_expect_line(it, "port ");
  char url[64];
  snprintf(url, sizeof(url), "ws://127.0.0.1:%s/", port);
  free(port);
  interop_connect(it, url, uvow_protocol_by_name("callback_id"));
  interop_wait(interop_watch(it, uvow_peer_ready(it->client)));
  answer_t *sent = hold(it);
  uvow_peer_unref(it->client);
  it->client = NULL;
  assert_rejected(sent, UVOW_ECLOSED, UVOW_MAYBE_EXECUTED);
  assert_server_saw(it, "1001");
  interop_finish(it);
}

static void a_restart_rejects_with_its_code(void **state) {
  interop_t *it = node_ws(state);
  answer_t *held = hold(it);
  answer_t *restart = interop_ask(
      it, "close", json_pack("{s:i, s:s}", "code", 1012, "reason", "restart"));
  assert_rejected(held, UVOW_ELOST, UVOW_MAYBE_EXECUTED);
  assert_rejected(restart, UVOW_ELOST, UVOW_MAYBE_EXECUTED);
  assert_int_equal(uvow_error_status(held->error), 1012);
  assert_rejected(hold(it), UVOW_ELOST, UVOW_NOT_SENT);
  assert_server_saw(it, "1012"); /* echoed */
  interop_stats(it);
  interop_finish(it);
}

static void an_end_without_a_close_frame_rejects(void **state) {
  interop_t *it = node_ws(state);
  answer_t *held[3];
  for (int i = 0; i < 3; i++)
    held[i] = hold(it);
  answer_t *vanish = interop_ask(it, "vanish", NULL);
  for (int i = 0; i < 3; i++)
    assert_rejected(held[i], UVOW_ELOST, UVOW_MAYBE_EXECUTED);
  assert_rejected(vanish, UVOW_ELOST, UVOW_MAYBE_EXECUTED);
  assert_int_equal(uvow_error_status(vanish->error), 1006);
  assert_int_equal(interop_stats(it).failed, 4);
  interop_finish(it);
}

static void a_reset_rejects(void **state) {
  interop_t *it = node_ws(state);
  answer_t *held = hold(it);
  interop_ask(it, "reset", NULL);
  assert_rejected(held, UVOW_ELOST, UVOW_MAYBE_EXECUTED);
  assert_int_equal(uvow_error_status(held->error), 1006);
  interop_wait_all(it);
  interop_finish(it);
}

/* What the server sends, what the requests then end with, and the code that it
 * is told. */
typedef struct violation {
  const char *hex;
  int code;
  const char *close;
} violation_t;

static const violation_t violations[] = {
    {"818100000000"
     "61",
     UVOW_EPROTO, "1002"},                          /* masked */
    {"817f0000010000000000", UVOW_ETOOBIG, "1009"}, /* 1 TiB */
    {"817fffffffffffffffff", UVOW_EPROTO, "1002"},  /* the highest bit */
    {"8300", UVOW_EPROTO, "1002"},                  /* no such opcode */
    {"c10161", UVOW_EPROTO, "1002"},                /* RSV1 */
    {"a10161", UVOW_EPROTO, "1002"},                /* RSV2 */
    {"8102c328", UVOW_EUTF8, "1007"},               /* no UTF-8 */
    {"0101c3"
     "8001"
     "28",
     UVOW_EUTF8, "1007"},          /* in two frames */
    {"8000", UVOW_EPROTO, "1002"}, /* continues nothing */
    {"010161"
     "810161",
     UVOW_EPROTO, "1002"},             /* text within text */
    {"0900", UVOW_EPROTO, "1002"},     /* half a ping */
    {"897e007e", UVOW_EPROTO, "1002"}, /* a ping of 126 */
    {"880103", UVOW_EPROTO, "1002"},   /* half a close code */
    {"880203ed", UVOW_EPROTO, "1002"}, /* 1005 */
    {"817e0001"
     "61",
     UVOW_EPROTO, "1002"}, /* not the shortest */
};

static void violate(interop_t *it, const violation_t *violation) {
  answer_t *held = hold(it);
  answer_t *raw =
      interop_ask(it, "raw", json_pack("{s:s}", "hex", violation->hex));
  print_message("# %s\n", violation->hex);
  assert_rejected(held, violation->code, UVOW_MAYBE_EXECUTED);
  assert_rejected(raw, violation->code, UVOW_MAYBE_EXECUTED);
  assert_int_equal(uvow_error_status(held->error), atoi(violation->close));
}

/* Connects to the server that runs, again. A message that is announced, and
 * whose beginning doesn't come, is waited for so long. */
static void reconnect(interop_t *it, const char *url) {
  test_connect_t options =
      interop_options(it, url, uvow_protocol_by_name("callback_id"));
  options.websocket.message_timeout_ms = 500;
  uvow_peer_unref(it->client);
  it->client = NULL;
  interop_connect_with(it, &options);
}

static void violations_end_the_connection(void **state) {
  interop_t *it = (interop_t *)*state;
  char *url = run_server(it, "/");
  for (size_t i = 0; i < sizeof(violations) / sizeof(*violations); i++) {
    reconnect(it, url);
    violate(it, &violations[i]);
    assert_server_saw(it, violations[i].close);
    it->log[it->log_len = 0] = '\0';
  }
  free(url);
  interop_finish(it);
}

static void a_message_over_the_limit_rejects(void **state) {
  interop_t *it = (interop_t *)*state;
  char *url = run_server(it, "/");
  test_connect_t options =
      interop_options(it, url, uvow_protocol_by_name("callback_id"));
  options.websocket.max_message_bytes = 1000;
  interop_connect_with(it, &options);
  free(url);
  answer_t *fits = interop_ask(it, "big", json_pack("{s:i}", "size", 900));
  interop_wait(fits);
  assert_int_equal(fits->code, 0);
  answer_t *held = hold(it);
  answer_t *big = interop_ask(it, "big", json_pack("{s:i}", "size", 1000));
  assert_rejected(held, UVOW_ELOST, UVOW_MAYBE_EXECUTED);
  assert_rejected(big, UVOW_ETOOBIG, UVOW_ANSWERED);
  assert_server_saw(it, "1009");
  interop_finish(it);
}

static void nobody_listens_any_more(void **state) {
  interop_t *it = (interop_t *)*state;
  char *url = run_server(it, "/");
  process_kill(&it->process);
  interop_connect(it, url, uvow_protocol_by_name("callback_id"));
  answer_t *ready = interop_watch(it, uvow_peer_ready(it->client));
  assert_rejected(hold(it), UV_ECONNREFUSED, UVOW_NOT_SENT);
  interop_wait(ready);
  assert_int_equal(ready->code, UV_ECONNREFUSED);
  free(url);
  interop_finish(it);
}

#define TEST(name)                                                             \
  cmocka_unit_test_setup_teardown(name, interop_setup, interop_teardown)

TEST_MODULE(node_ws_end) {
  const struct CMUnitTest tests[] = {
      TEST(the_handshake_says_what_was_asked),
      TEST(close_waits_for_the_answers),
      TEST(free_rejects_what_is_pending),
      TEST(a_restart_rejects_with_its_code),
      TEST(an_end_without_a_close_frame_rejects),
      TEST(a_reset_rejects),
      TEST(violations_end_the_connection),
      TEST(a_message_over_the_limit_rejects),
      TEST(nobody_listens_any_more),
  };
  return cmocka_run_group_tests_name("interop/node_ws_end", tests, NULL, NULL);
}
