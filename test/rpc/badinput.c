#include "rpc/peer.h"

#include "support/script.h"

#include <stdio.h>

/* A client, open or not, with a request that waits. */
typedef struct waiting {
  script_t s;
  uvow_future_t *f;
} waiting_t;

static void start(waiting_t *w, int open) {
  script_init(&w->s);
  script_drive_clock(&w->s);
  if (open)
    script_open_client(&w->s, NULL);
  else
    assert_int_equal(script_client(&w->s, NULL), 0);
  w->f = script_request(&w->s, "m", NULL);
  assert_non_null(w->f);
  script_turns(&w->s);
  if (open)
    script_next(&w->s);
}

/* It was rejected, with this code and outcome, and a message that says why. */
static void expect(waiting_t *w, int code, uvow_outcome_t outcome,
                   const char *why) {
  uvow_result_t result;
  assert_int_equal(uvow_future_peek(w->f, &result), 0);
  assert_non_null(result.error);
  assert_string_equal(uvow_err_name(uvow_error_code(result.error)),
                      uvow_err_name(code));
  assert_int_equal(uvow_error_outcome(result.error), outcome);
  if (!strstr(uvow_error_message(result.error), why))
    fail_msg("\"%s\" isn't in \"%s\"", why, uvow_error_message(result.error));
  assert_true(script_gone(&w->s));
  uvow_future_unref(w->f);
  w->s.unhandled[0] = '\0';
  assert_int_equal(script_stats(&w->s).pending, 0);
  assert_int_equal(script_stats(&w->s).failed, 1);
  script_end(&w->s);
}

TEST_CASE(test_refused) {
  waiting_t w;
  start(&w, 0);
  script_hang_up(&w.s, UV_ECONNREFUSED);
  expect(&w, UV_ECONNREFUSED, UVOW_NOT_SENT, "connection refused");
}

TEST_CASE(test_url) {
  static const struct {
    const char *url;
    int code;
  } cases[] = {{"", UVOW_EURL},
               {"ws://", UVOW_EURL},
               {"ws://h:99999/", UVOW_EURL},
               {"ws://h/#f", UVOW_EURL},
               {"http://h/", UVOW_ESCHEME}};
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    script_t s;
    char expected[64];
    script_init(&s);
    test_connect_t options = script_options(&s);
    options.url = cases[i].url;
    assert_int_equal(script_client(&s, &options), 0);
    script_mark_t a = script_mark(&s, "");
    script_call(&s, "m", &a);
    script_watch(uvow_peer_ready(s.client), &a);
    script_watch(uvow_peer_close(s.client), &a);
    script_turns(&s);
    snprintf(expected, sizeof(expected),
             "!%s:NOT !%s =", uvow_err_name(cases[i].code) + 5,
             uvow_err_name(cases[i].code) + 5);
    script_expect(&s, expected);
    assert_int_equal(s.connects, 0);
    script_end(&s);
  }
}

/* Whatever the server says instead of a 101 is named. */
TEST_CASE(test_handshake) {
  static const struct {
    const char *text;
    int code;
    const char *why;
  } cases[] = {
      {"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", UVOW_EHANDSHAKE,
       "HTTP 404 Not Found"},
      {"HTTP/1.1 503\r\n\r\n", UVOW_EHANDSHAKE, "HTTP 503"},
      {"HTTP/1.1 200 OK\r\n\r\n", UVOW_EHANDSHAKE, "HTTP 200"},
      {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 401 No\r\n\r\n", UVOW_EHANDSHAKE,
       "HTTP 401 No"},
      {"HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
       "Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n",
       UVOW_EACCEPT, ""},
      {"HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
       UVOW_EACCEPT, ""},
      {"HTTP/1.1 101 S\r\nConnection: Upgrade\r\n\r\n", UVOW_EHTTP, ""},
      {"SSH-2.0-OpenSSH_9.2\r\n", UVOW_EHTTP, ""},
      {"\x15\x03\x01\x02\x02", UVOW_EHTTP, ""},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    for (unsigned cut = 0; cut < 5; cut++) {
      waiting_t w;
      start(&w, 0);
      script_connected(&w.s);
      w.s.cut = cut;
      script_feed(&w.s, cases[i].text, strlen(cases[i].text));
      if (!script_gone(&w.s)) /* a refusal's body may end with this */
        script_hang_up(&w.s, 0);
      expect(&w, cases[i].code, UVOW_NOT_SENT, cases[i].why);
    }
  }
}

/* A head without end is not kept without end. */
TEST_CASE(test_endless_head) {
  waiting_t w;
  char junk[1024];
  start(&w, 0);
  script_connected(&w.s);
  script_feed(&w.s, "HTTP/1.1 101 S\r\nX: ", 19);
  memset(junk, 'x', sizeof(junk));
  int fed = 0;
  while (!script_gone(&w.s) && ++fed < 1000)
    script_feed(&w.s, junk, sizeof(junk));
  assert_true(fed < 100);
  expect(&w, UVOW_ETOOBIG, UVOW_NOT_SENT, "");
}

TEST_CASE(test_connect_deadlines) {
  for (int connected = 0; connected < 2; connected++) {
    waiting_t w;
    start(&w, 0);
    if (connected)
      script_connected(&w.s);
    script_advance(&w.s, 9999);
    assert_int_equal(uvow_future_state(w.f), UVOW_PENDING);
    script_advance(&w.s, 2);
    expect(&w, UVOW_ETIMEDOUT, UVOW_NOT_SENT,
           connected ? "handshake took too long" : "connecting took too long");
  }
}

/* The server goes: in the handshake, and with a request on the wire. */
TEST_CASE(test_lost) {
  for (int open = 0; open < 2; open++) {
    for (int code = 0; code < 2; code++) {
      waiting_t w;
      start(&w, open);
      if (!open)
        script_connected(&w.s);
      if (!open)
        script_feed(&w.s, "HTTP/1.1 1", 10);
      else
        script_feed(&w.s, "\x81\x7E", 2);
      script_hang_up(&w.s, code ? UV_ECONNRESET : 0);
      expect(&w, UVOW_ELOST, open ? UVOW_MAYBE_EXECUTED : UVOW_NOT_SENT,
             !open  ? "handshake"
             : code ? "reset"
                    : "without a close frame");
    }
  }
}

/* Frames that break the rules, as the first thing behind the handshake. */
typedef struct frame_case {
  const char *bytes;
  size_t len;
  int code;
  const char *why;
  const char *close; /* what the server is told */
} frame_case_t;

#define FRAME(bytes, code, why, close)                                         \
  { bytes, sizeof(bytes) - 1, code, why, close }

static const frame_case_t frame_cases[] = {
    FRAME("\x81\x81"
          "abcdX",
          UVOW_EPROTO, "masked frame from a server", "close:1002"),
    FRAME("\x82\x7F\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF", UVOW_ETOOBIG,
          "message over the limit: 9223372036854775807 bytes, and "
          "max_message_bytes is 16777216",
          "close:1009"),
    FRAME("\x82\x7F\x00\x00\x00\x00\x01\x00\x00\x01", UVOW_ETOOBIG,
          "message over the limit: 16777217 bytes, and max_message_bytes is "
          "16777216",
          "close:1009"),
    FRAME("\x02\x01"
          "a\x80\x7F\x00\x00\x00\x00\x01\x00\x00\x00",
          UVOW_ETOOBIG,
          "message over the limit: 16777217 bytes, and max_message_bytes is "
          "16777216",
          "close:1009"),
    FRAME("\x82\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", UVOW_EPROTO, "63 bits",
          "close:1002"),
    FRAME("\x81\x01\xFF", UVOW_EUTF8, "UTF-8", "close:1007"),
    FRAME("\x81\x02\xC3\x28", UVOW_EUTF8, "UTF-8", "close:1007"),
    FRAME("\x83\x00", UVOW_EPROTO, "opcode", "close:1002"),
    FRAME("\xC1\x00", UVOW_EPROTO, "without an extension", "close:1002"),
    FRAME("\x80\x00", UVOW_EPROTO, "continuation", "close:1002"),
    FRAME("\x09\x00", UVOW_EPROTO, "fragments", "close:1002"),
    FRAME("\x88\x02\x03\xED", UVOW_EPROTO, "close code", "close:1002"),
    FRAME("\x88\x01\x03", UVOW_EPROTO, "half a code", "close:1002"),
    FRAME("\x88\x03\x03\xE8\xFF", UVOW_EUTF8, "reason", "close:1007"),
};

TEST_CASE(test_frames) {
  static const char beginning[512];
  for (size_t i = 0; i < sizeof(frame_cases) / sizeof(*frame_cases); i++) {
    const frame_case_t *c = &frame_cases[i];
    for (unsigned mode = 0; mode < 4; mode++) {
      waiting_t w;
      start(&w, 1);
      w.s.cut = mode & 1;
      if (mode & 2)
        w.s.write_error = UV_EPIPE; /* the cause is still the violation */
      script_feed(&w.s, c->bytes, c->len);
      if (c->code == UVOW_ETOOBIG) /* it's read until its id is there */
        script_feed(&w.s, beginning, sizeof(beginning));
      assert_true(script_gone(&w.s));
      script_expect_sent(&w.s, mode & 2 ? "" : c->close);
      script_expect_sent(&w.s, "");
      expect(&w, c->code, UVOW_MAYBE_EXECUTED, c->why);
    }
  }
}

/* An answer in the same burst, before the violation, still counts. */
TEST_CASE(test_answer_then_violation) {
  script_t s;
  uint8_t bytes[256];
  static const char answer[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":1}";
  for (unsigned cut = 0; cut < 2; cut++) {
    script_init(&s);
    script_open_client(&s, NULL);
    script_mark_t a = script_mark(&s, "a");
    script_mark_t b = script_mark(&s, "b");
    script_call(&s, "m", &a);
    script_call(&s, "m", &b);
    script_turns(&s);
    size_t len = script_put_frame(bytes, 0x81, answer, sizeof(answer) - 1);
    bytes[len++] = 0xFF;
    bytes[len++] = 0xFF;
    s.cut = cut;
    script_feed(&s, bytes, len);
    script_expect(&s, "a=1 b!EPROTO:MAYBE");
    script_end(&s);
  }
}

/* The violation while a write is under way: its futures settle at once; that
 * leaves, and then the close frame. */
TEST_CASE(test_violation_while_writing) {
  waiting_t w;
  start(&w, 1);
  w.s.block = 1;
  assert_int_equal(uvow_peer_notify(w.s.client, "n", uvow_value_none()), 0);
  script_turns(&w.s);
  script_next(&w.s);
  script_feed(&w.s, "\xFF", 1);
  script_expect_sent(&w.s, "");
  assert_false(script_gone(&w.s));
  script_unblock(&w.s);
  script_expect_sent(&w.s, "close:1002");
  script_unblock(&w.s);
  expect(&w, UVOW_EPROTO, UVOW_MAYBE_EXECUTED, "opcode");
}

/* A message over max_message_bytes, also in fragments. */
TEST_CASE(test_too_big) {
  for (int fragments = 0; fragments < 2; fragments++) {
    script_t s;
    char text[101];
    script_init(&s);
    test_connect_t options = script_options(&s);
    options.websocket.max_message_bytes = 100;
    script_open_client(&s, &options);
    script_mark_t a = script_mark(&s, "a");
    script_call(&s, "m", &a);
    script_turns(&s);
    memset(text, ' ', sizeof(text));
    memcpy(text, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":1}", 35);
    if (fragments)
      script_frame(&s, 0x01, text, 99);
    script_frame(&s, fragments ? 0x80 : 0x81, text + (fragments ? 99 : 0),
                 fragments ? 1 : 100);
    script_expect(&s, "a=1");
    script_call(&s, "m", &a);
    script_turns(&s);
    if (fragments)
      script_frame(&s, 0x01, text, 99);
    script_frame(&s, fragments ? 0x80 : 0x81, text + (fragments ? 99 : 0),
                 fragments ? 2 : 101);
    script_expect(&s, "a!ETOOBIG:MAYBE");
    script_end(&s);
  }
}

static void expect_words(const uvow_result_t *result, void *data) {
  assert_int_equal(uvow_error_code(result->error), UVOW_EINVAL);
  assert_int_equal(uvow_error_outcome(result->error), UVOW_NOT_SENT);
  assert_string_equal(uvow_error_message(result->error), (const char *)data);
}

/* What can't be written says which part of it, and what is expected. */
TEST_CASE(test_unwritable) {
  static char params[] =
      "jsonrpc2's call can't be written: params: it's a "
      "number, where an object or an array is "
      "expected";
  static char token[] =
      "jsonrpc2's call can't be written: params: it's no "
      "JSON, where an object or an array is expected";
  uvow_request_options_t options = {.size = sizeof(options)};
  waiting_t w;
  start(&w, 1);
  uvow_future_t *f = uvow_peer_request(w.s.client, "m", uvow_value_int64(5));
  assert_int_equal(uvow_future_done(f, expect_words, params), 0);
  options.token = "partialResultToken";
  f = uvow_peer_request_with(w.s.client, "m", uvow_value_raw("{\"a\":"),
                             &options);
  assert_int_equal(uvow_future_done(f, expect_words, token), 0);
  script_turns(&w.s);
  assert_int_equal(uvow_peer_notify(w.s.client, "n", uvow_value_int64(5)),
                   UVOW_EINVAL);
  assert_string_equal(uvow_error_message(uvow_loop_error(w.s.loop)),
                      "jsonrpc2's notify can't be written: params: it's a "
                      "number, where an object or an array is "
                      "expected");
  uvow_future_drop(w.f);
  script_end(&w.s);
}

TEST_MODULE(badinput) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_refused),
      cmocka_unit_test(test_url),
      cmocka_unit_test(test_handshake),
      cmocka_unit_test(test_endless_head),
      cmocka_unit_test(test_connect_deadlines),
      cmocka_unit_test(test_lost),
      cmocka_unit_test(test_frames),
      cmocka_unit_test(test_answer_then_violation),
      cmocka_unit_test(test_violation_while_writing),
      cmocka_unit_test(test_too_big),
      cmocka_unit_test(test_unwritable),
  };
  return cmocka_run_group_tests_name("rpc/badinput", tests, NULL, NULL);
}
