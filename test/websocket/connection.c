#include "websocket/connection.h"

#include "support/script.h"

#include <stdio.h>

static const char hello[] = "{\"jsonrpc\":\"2.0\",\"method\":\"hello\"}";

/* Pings are answered, with their bytes; pongs are only heard. */
TEST_CASE(test_ping) {
  script_t s;
  char big[125];
  script_init(&s);
  script_open_client(&s, NULL);
  script_frame(&s, 0x89, "abc", 3);
  script_expect_sent(&s, "pong:abc");
  script_frame(&s, 0x89, NULL, 0);
  script_expect_sent(&s, "pong:");
  script_frame(&s, 0x8A, "x", 1);
  memset(big, 'y', sizeof(big));
  script_frame(&s, 0x89, big, sizeof(big));
  assert_int_equal(strlen(script_next(&s)), 5 + 125);
  script_expect_sent(&s, "");
  /* In the close handshake none is due. */
  uvow_future_detach(uvow_peer_close(s.client));
  script_frame(&s, 0x89, "abc", 3);
  script_expect_sent(&s, "close:1000");
  script_expect_sent(&s, "");
  script_end(&s);
}

/* R14: a peer that pings and never reads has one pong that waits, the last. */
TEST_CASE(test_ping_flood) {
  script_t s;
  script_init(&s);
  test_connect_t options = script_options(&s);
  options.websocket.max_unsent_bytes = 400;
  script_open_client(&s, &options);
  s.block = 1;
  for (int i = 0; i < 1000; i++)
    script_frame(&s, 0x89, "0123456789", 10);
  script_frame(&s, 0x89, "last", 4);
  assert_int_equal(s.writes, 2); /* the handshake, and a pong */
  assert_true(script_stats(&s).unsent_bytes < 20);
  s.block = 0;
  script_unblock(&s);
  script_expect_sent(&s, "pong:0123456789");
  script_expect_sent(&s, "pong:last");
  script_expect_sent(&s, "");
  script_text(&s, hello);
  script_expect(&s, "event:hello()");
  script_end(&s);
}

/* A pong that waits has the ping's bytes, none too; without memory for it there
 * is none, and the connection goes on. */
TEST_CASE(test_a_pong_that_waits) {
  script_t s;
  script_init(&s);
  script_open_client(&s, NULL);
  s.block = 1;
  script_frame(&s, 0x89, "a", 1);
  s.alloc->fail_at = s.alloc->calls + 1;
  s.alloc->fail_all_after = 1;
  script_frame(&s, 0x89, "lost", 4);
  s.alloc->fail_at = 0;
  s.alloc->fail_all_after = 0;
  script_unblock(&s);
  script_turns(&s);
  script_expect_sent(&s, "pong:a");
  script_expect_sent(&s, "");
  script_frame(&s, 0x89, "b", 1);
  script_frame(&s, 0x89, "c", 1);
  script_frame(&s, 0x89, NULL, 0);
  s.block = 0;
  script_unblock(&s);
  script_turns(&s);
  script_expect_sent(&s, "pong:b");
  script_expect_sent(&s, "pong:");
  script_expect_sent(&s, "");
  script_text(&s, hello);
  script_expect(&s, "event:hello()");
  script_end(&s);
}

/* What the io ends with in the handshake is the connection's own error where it
 * is a refusal, and a cause otherwise. */
TEST_CASE(test_lost_in_the_handshake) {
  static const struct {
    int code;
    const char *log;
  } cases[] = {{UVOW_ETLS, "ready!ETLS"},
               {UVOW_ECERT, "ready!ECERT"},
               {UV_ECONNRESET, "ready!ELOST"},
               {0, "ready!ELOST"}};
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    script_t s;
    script_init(&s);
    assert_int_equal(script_client(&s, NULL), 0);
    script_mark_t ready = script_mark(&s, "ready");
    script_watch(uvow_peer_ready(s.client), &ready);
    script_connected(&s);
    script_hang_up(&s, cases[i].code);
    script_turns(&s);
    script_expect(&s, cases[i].log);
    script_end(&s);
  }
}

/* A message in fragments, with control frames between them. */
TEST_CASE(test_fragments) {
  script_t s;
  script_init(&s);
  script_open_client(&s, NULL);
  script_mark_t a = script_mark(&s, "a");
  script_call(&s, "m", &a);
  script_turns(&s);
  script_next(&s);
  script_frame(&s, 0x01, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":\"\xC3", 35);
  script_frame(&s, 0x89, "p", 1);
  script_frame(&s, 0x00, NULL, 0);
  script_frame(&s, 0x00, "\xA9\"", 2);
  script_expect(&s, "");
  script_frame(&s, 0x80, "}", 1);
  script_expect(&s, "a=\"\xC3\xA9\"");
  script_expect_sent(&s, "pong:p");
  script_end(&s);
}

/* Frames that come in the same bytes as the 101, and an interim answer. */
TEST_CASE(test_behind_the_handshake) {
  script_t s;
  char text[512];
  uint8_t bytes[1024];
  static const char interim[] = "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n";
  script_init(&s);
  assert_int_equal(script_client(&s, NULL), 0);
  script_connected(&s);
  size_t len = sizeof(interim) - 1;
  memcpy(bytes, interim, len);
  size_t more = script_accept_text(&s, text, sizeof(text));
  memcpy(bytes + len, text, more);
  len += more;
  len += script_put_frame(bytes + len, 0x81, hello, sizeof(hello) - 1);
  script_feed(&s, bytes, len);
  script_expect(&s, "event:hello()");
  script_end(&s);
}

/* What a client says first: all of it in one write, as soon as it's connected.
 */
TEST_CASE(test_request) {
  script_t s;
  const char *subprotocols[] = {"a", "b"};
  uvow_header_t headers[] = {{sizeof(uvow_header_t), "X-Token", "t"},
                             {sizeof(uvow_header_t), "Origin", "http://o"}};
  script_init(&s);
  test_connect_t options = script_options(&s);
  options.url = "ws://us%65r:p@example.org:81/p?q=1";
  options.websocket.subprotocols = subprotocols;
  options.websocket.subprotocol_count = 2;
  options.websocket.headers = headers;
  options.websocket.header_count = 2;
  assert_int_equal(script_client(&s, &options), 0);
  assert_int_equal(s.writes, 0);
  script_connected(&s);
  assert_int_equal(s.writes, 1);
  s.sent = (uint8_t *)realloc(s.sent, s.sent_len + 1);
  s.sent[s.sent_len] = '\0';
  const char *sent = (const char *)s.sent;
  assert_memory_equal(sent, "GET /p?q=1 HTTP/1.1\r\n", 21);
  assert_non_null(strstr(sent, "\r\nHost: example.org:81\r\n"));
  assert_non_null(strstr(sent, "\r\nX-Token: t\r\n"));
  assert_non_null(strstr(sent, "\r\nOrigin: http://o\r\n"));
  assert_non_null(strstr(sent, "\r\nSec-WebSocket-Protocol: a, b\r\n"));
  assert_non_null(strstr(sent, "\r\nAuthorization: Basic dXNlcjpw\r\n"));
  script_accept(&s);
  script_mark_t ready = script_mark(&s, "ready");
  script_watch(uvow_peer_ready(s.client), &ready);
  script_turns(&s);
  script_expect(&s, "ready=");
  script_end(&s);
}

/* No two handshakes and no two masks are the same. */
TEST_CASE(test_randomness) {
  script_t s;
  uint8_t keys[300][4];
  script_init(&s);
  script_open_client(&s, NULL);
  for (int i = 0; i < 300; i++) {
    size_t at = s.sent_len;
    assert_int_equal(uvow_peer_notify(s.client, "n", uvow_value_none()), 0);
    script_turns(&s);
    memcpy(keys[i], s.sent + at + 2, 4);
    for (int k = 0; k < i; k++)
      assert_memory_not_equal(keys[i], keys[k], 4);
  }
  script_end(&s);
}

/* ---- a whole session, however its bytes are cut ---- */

#define ANSWER(id, result)                                                     \
  "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"result\":" result "}"

static size_t put(uint8_t *to, unsigned first, const char *text) {
  return script_put_frame(to, first, text, strlen(text));
}

/* All that the server says. */
static size_t session(script_t *s, uint8_t *to) {
  char text[512];
  char big[400];
  size_t len = script_accept_text(s, text, sizeof(text));
  memcpy(to, text, len);
  memset(big, ' ', sizeof(big) - 1);
  big[sizeof(big) - 1] = '\0';
  memcpy(big, ANSWER("3", "[3]"), strlen(ANSWER("3", "[3]")));
  len += put(to + len, 0x81, ANSWER("2", "\"\xE2\x82\xAC\""));
  len += put(to + len, 0x89, "ping");
  len += put(to + len, 0x81, hello);
  len += put(to + len, 0x01, "{\"jsonrpc\":\"2.0\",\"id\":1,");
  len += put(to + len, 0x8A, "");
  len += put(to + len, 0x00, "");
  len += put(to + len, 0x80, "\"error\":{\"code\":1,\"message\":\"m\"}}");
  len += put(to + len, 0x81, ANSWER("2", "2"));
  len += put(to + len, 0x82, "\xFF");
  len += put(to + len, 0x81, big);
  len += put(to + len, 0x81, "{\"jsonrpc\":\"2.0\",\"id\":9,\"method\":\"c\"}");
  len += put(to + len, 0x88,
             "\x03\xF4"
             "bye");
  return len;
}

/* split: where; cut: see script_t. */
static void run_session(size_t split, unsigned cut, size_t *ret_len) {
  static const char *const sent[] = {
      "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"one\"}",
      "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"two\"}",
      "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"three\"}",
      "{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"four\"}",
      "pong:ping",
      "{\"jsonrpc\":\"2.0\",\"id\":9,\"error\":{\"code\":-32601,\"message\":"
      "\"Method not found\"}}",
      "close:1012",
      ""};
  script_t s;
  uint8_t bytes[2048];
  script_init(&s);
  script_mark_t marks[4];
  static const char *const names[] = {"one", "two", "three", "four"};
  test_connect_t options = script_options(&s);
  options.on_event = NULL; /* so the call is refused at once */
  assert_int_equal(script_client(&s, &options), 0);
  for (int i = 0; i < 4; i++) {
    marks[i] = script_mark(&s, names[i]);
    script_call(&s, names[i], &marks[i]);
  }
  script_connected(&s);
  size_t len = session(&s, bytes);
  *ret_len = len;
  s.cut = cut;
  if (split > len)
    split = len;
  script_feed(&s, bytes, split);
  script_feed(&s, bytes + split, len - split);
  for (size_t i = 0; i < sizeof(sent) / sizeof(*sent); i++)
    script_expect_sent(&s, sent[i]);
  script_hang_up(&s, 0);
  /* In one burst, an answer's continuation comes before the end of all. */
  script_expect(&s, "two=\"\xE2\x82\xAC\" "
                    "event?{\"jsonrpc\":\"2.0\",\"method\":\"hello\"} "
                    "one!EREMOTE:ANSWERED duplicate:" ANSWER("2", "2") " malformed:\xFF three=[3] "
                    "four!ELOST:MAYBE");
  for (int i = 0; i < 4; i++)
    assert_int_equal(marks[i].calls, 1);
  script_end(&s);
}

TEST_CASE(test_every_split) {
  size_t len = 1;
  for (size_t split = 0; split < len; split++)
    run_session(split, 0, &len);
  run_session(0, 1, &len);
  for (unsigned seed = 2; seed < 200; seed++)
    run_session(0, seed * 7919u, &len);
}

TEST_MODULE(connection) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_ping),
      cmocka_unit_test(test_ping_flood),
      cmocka_unit_test(test_a_pong_that_waits),
      cmocka_unit_test(test_lost_in_the_handshake),
      cmocka_unit_test(test_fragments),
      cmocka_unit_test(test_behind_the_handshake),
      cmocka_unit_test(test_request),
      cmocka_unit_test(test_randomness),
      cmocka_unit_test(test_every_split),
  };
  return cmocka_run_group_tests_name("websocket/connection", tests, NULL, NULL);
}
