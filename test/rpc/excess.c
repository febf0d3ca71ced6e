/* An answer over max_message_bytes: its request says so, the others are lost with
 * the connection. */
#include "rpc/peer.h"

#include "support/link.h"
#include "support/parts.h"

#include <stdio.h>

#define LIMIT 1000
#define LENGTH 1500

#define ANSWER "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":\""
#define CALL "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"m\",\"params\":[\""
#define TEXT(id, params)                                                       \
  "{\"jsonrpc\":\"2.0\",\"id\":" #id ",\"method\":\"m\"" params "}"
#define OF_ITS_OWN "b!ETOOBIG:ANSWERED a!ELOST:MAYBE c!ELOST:MAYBE"
#define OF_ALL "a!ETOOBIG:MAYBE b!ETOOBIG:MAYBE c!ETOOBIG:MAYBE"

/* How a message of LENGTH bytes begins, and what is told of three requests. */
typedef struct excess_case {
  const char *begin;
  const char *end;
  const char *told;
} excess_case_t;

static const excess_case_t cases[] = {
    {ANSWER, "\"}", OF_ITS_OWN},
    {"{\"result\":[{\"id\":1},\"", "\"],\"id\":2}", OF_ALL}, /* too late */
    {"{\"id\":2,\"jsonrpc\":\"2.0\",\"result\":{\"id\":1,\"a\":[\"", "\"]}}",
     OF_ITS_OWN},
    {"{\"jsonrpc\":\"2.0\",\"id\":2,\"error\":{\"code\":1,\"message\":\"",
     "\"}}", OF_ITS_OWN},
    {"{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":1}  ", "  ", OF_ITS_OWN},
    {"{\"jsonrpc\":\"2.0\",\"id\":99,\"result\":\"", "\"}", OF_ALL},
    {"{\"jsonrpc\":\"2.0\",\"id\":\"2\",\"result\":\"", "\"}", OF_ALL},
    {"{\"jsonrpc\":\"2.0\",\"id\":2,\"x\":\"", "\"}", OF_ALL},
    {CALL, "\"]}", OF_ALL},
    {"{\"jsonrpc\":\"2.0\",\"id\":2,\"params\":[\"", "\"],\"method\":\"m\"}",
     OF_ALL},
    {"{\"jsonrpc\":\"2.0\",\"method\":\"event\",\"params\":[\"", "\"]}",
     OF_ALL},
    {"[{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":\"", "\"}]", OF_ALL},
    {"", "", OF_ALL},
};

static void write_message(char text[LENGTH], const excess_case_t *c) {
  size_t end = strlen(c->end);
  memset(text, c->end[0] == ' ' ? ' ' : 'x', LENGTH);
  memcpy(text, c->begin, strlen(c->begin));
  memcpy(text + LENGTH - end, c->end, end);
}

/* Whole, in fragments, or compressed (RFC 7692 7.2.3.3: stored). */
static size_t write_frames(uint8_t *to, const char *text, int how) {
  size_t at = how == 1 ? 30 : how == 2 ? LIMIT : how == 3 ? LENGTH - 1 : 0;
  if (how == 4) {
    uint8_t packed[LENGTH + 6] = {0, LENGTH & 0xFF, LENGTH >> 8, ~LENGTH & 0xFF,
                                  ~LENGTH >> 8 & 0xFF};
    memcpy(packed + 5, text, LENGTH);
    return script_put_frame(to, 0xC1, packed, sizeof(packed));
  }
  size_t len = at ? script_put_frame(to, 0x01, text, at) : 0;
  return len +
         script_put_frame(to + len, at ? 0x80 : 0x81, text + at, LENGTH - at);
}

static void start(script_t *s, test_connect_t *options,
                  uvow_deflate_options_t *deflate, int how) {
  char text[512];
  memset(deflate, 0, sizeof(*deflate));
  deflate->size = sizeof(*deflate);
  options->websocket.max_message_bytes = LIMIT;
  if (how == 4)
    options->websocket.deflate = deflate;
  assert_int_equal(script_client(s, options), 0);
  script_connected(s);
  size_t len = script_accept_text(s, text, sizeof(text));
  if (how == 4)
    snprintf(text + len - 2, sizeof(text) - len + 2,
             "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n");
  script_feed(s, text, strlen(text));
}

/* What the error of the request says, that is 2nd of three. */
static void check_why(uvow_future_t *f, int how) {
  static const char *const known[] = {" 1500 bytes", " 1500 bytes",
                                      " 1500 bytes", " 1499 bytes",
                                      " at least 1001 bytes"};
  uvow_result_t result;
  assert_int_equal(uvow_future_peek(f, &result), 0);
  const char *why = uvow_error_message(result.error);
  assert_non_null(strstr(why, known[how]));
  assert_non_null(strstr(why, "max_message_bytes is 1000"));
  assert_non_null(strstr(why, "over the limit"));
}

static void one_case(const excess_case_t *c, int how, unsigned cut) {
  script_t s;
  char text[LENGTH];
  uint8_t frames[LENGTH + 64];
  uvow_deflate_options_t deflate;
  script_init(&s);
  test_connect_t options = script_options(&s);
  start(&s, &options, &deflate, how);
  script_mark_t a = script_mark(&s, "a");
  script_mark_t b = script_mark(&s, "b");
  script_mark_t d = script_mark(&s, "c");
  script_call(&s, "m", &a);
  uvow_future_t *f = script_request(&s, "m", "[]");
  script_watch(uvow_future_ref(f), &b);
  script_call(&s, "m", &d);
  script_turns(&s);
  write_message(text, c);
  size_t len = write_frames(frames, text, how);
  s.cut = cut;
  script_feed(&s, frames, len);
  script_expect(&s, c->told);
  check_why(f, how);
  uvow_future_unref(f);
  script_expect_sent(&s, TEXT(1, ""));
  script_expect_sent(&s, TEXT(2, ",\"params\":[]"));
  script_expect_sent(&s, TEXT(3, ""));
  script_expect_sent(&s, "close:1009");
  script_end(&s);
}

TEST_CASE(test_whose_it_is) {
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
    for (int how = 0; how < 5; how++)
      for (unsigned cut = 0; cut < 3; cut++)
        one_case(&cases[i], how, cut);
}

/* Idempotent ones are sent again, but for the one that had the answer; where it
 * isn't known whose that was, none is. */
TEST_CASE(test_what_is_sent_again) {
  for (int known = 0; known < 2; known++) {
    script_t s;
    char text[LENGTH];
    uvow_reconnect_options_t reconnect;
    script_init(&s);
    script_drive_clock(&s);
    test_connect_t options = link_options(&s, &reconnect);
    options.peer.on_state = NULL;
    options.websocket.max_message_bytes = LIMIT;
    link_open(&s, &options);
    script_mark_t a = script_mark(&s, "a");
    script_mark_t b = script_mark(&s, "b");
    link_call_idempotent(&s, "a", &a);
    link_call_idempotent(&s, "b", &b);
    script_turns(&s);
    write_message(text, &cases[known ? 0 : 1]);
    script_frame(&s, 0x81, text, LENGTH);
    script_turns(&s);
    script_expect(&s, known ? "b!ETOOBIG:ANSWERED"
                            : "a!ETOOBIG:MAYBE b!ETOOBIG:MAYBE");
    link_again(&s);
    script_expect_sent(
        &s, known ? "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\"}" : "");
    script_expect_sent(&s, "");
    if (known)
      link_answer(&s, 1);
    script_expect(&s, known ? "a=1" : "");
    script_end(&s);
  }
}

/* Whose it is, whatever it is: an end, an error, a part that is cut off. What is
 * whole but for spaces is known as a part, which answers nothing; what would
 * answer a request that wasn't sent is nobody's. */
TEST_CASE(test_kinds_of_answers) {
  static const struct {
    const char *begin;
    int is_its_own;
  } all[] = {
      {"{\"id\":1,\"end\":true,\"x\":\"", 1},
      {"{\"id\":1,\"end\":true}", 1},
      {"{\"id\":1,\"error\":{\"code\":1,\"message\":\"", 1},
      {"{\"id\":1,\"error\":{\"code\":1,\"message\":\"m\"}}", 1},
      {"{\"id\":1,\"part\":\"", 1},
      {"{\"id\":1,\"part\":1}", 0},
      {"{\"id\":2,\"ok\":\"", 0},
      {"{\"id\":3,\"ok\":\"", 0},
      {"{\"event\":\"e\",\"params\":\"", 0},
  };
  for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
    script_t s;
    char text[LENGTH];
    uvow_protocol_t *protocol = parts_protocol();
    script_init(&s);
    test_connect_t options = script_options(&s);
    options.peer.protocol = protocol;
    options.peer.max_in_flight = 1;
    options.websocket.max_message_bytes = LIMIT;
    script_open_client(&s, &options);
    uvow_protocol_unref(protocol);
    script_mark_t a = script_mark(&s, "a"), b = script_mark(&s, "b");
    script_call(&s, "m", &a);
    script_call(&s, "m", &b);
    script_turns(&s);
    int is_whole = all[i].begin[strlen(all[i].begin) - 1] == '}';
    memset(text, is_whole ? ' ' : 'x', LENGTH);
    memcpy(text, all[i].begin, strlen(all[i].begin));
    script_frame(&s, 0x81, text, LENGTH);
    script_turns(&s);
    script_expect(&s, all[i].is_its_own ? "a!ETOOBIG:ANSWERED b!ELOST:NOT"
                                        : "a!ETOOBIG:MAYBE b!ETOOBIG:NOT");
    script_end(&s);
  }
}

/* Of a later connection nothing is known by that. */
TEST_CASE(test_another_connection) {
  script_t s;
  char text[LENGTH];
  uvow_reconnect_options_t reconnect;
  script_init(&s);
  script_drive_clock(&s);
  test_connect_t options = link_options(&s, &reconnect);
  options.peer.on_state = NULL;
  options.websocket.max_message_bytes = LIMIT;
  link_open(&s, &options);
  script_mark_t a = script_mark(&s, "a");
  script_mark_t b = script_mark(&s, "b");
  script_call(&s, "m", &a);
  script_call(&s, "m", &b);
  script_turns(&s);
  write_message(text, &cases[0]);
  script_frame(&s, 0x81, text, LENGTH);
  script_expect(&s, "b!ETOOBIG:ANSWERED a!ELOST:MAYBE");
  link_again(&s);
  script_call(&s, "m", &a);
  script_turns(&s);
  script_frame(&s, 0x81, "\xFF", 1);
  script_expect(&s, "a!EUTF8:MAYBE");
  script_end(&s);
}

/* Announces 1 TiB, and sends `len` bytes of it. */
static void announce(script_t *s, const char *text, size_t len) {
  static const uint8_t head[] = {0x81, 0x7F, 0, 0, 1, 0, 0, 0, 0, 0};
  uint8_t frame[64];
  memcpy(frame, head, sizeof(head));
  memcpy(frame + sizeof(head), text, len);
  script_feed(s, frame, sizeof(head) + len);
  script_turns(s);
}

/* Nothing is in flight: the header ends the connection. */
TEST_CASE(test_nobody_waits) {
  script_t s;
  script_init(&s);
  script_drive_clock(&s);
  test_connect_t options = script_options(&s);
  options.websocket.max_message_bytes = LIMIT;
  script_open_client(&s, &options);
  announce(&s, "", 0);
  script_expect_sent(&s, "close:1009");
  script_end(&s);
}

/* The beginning is waited for as long as a message may take, and is then what
 * has come of it. */
TEST_CASE(test_what_does_not_come) {
  for (int known = 0; known < 2; known++) {
    script_t s;
    script_init(&s);
    script_drive_clock(&s);
    test_connect_t options = script_options(&s);
    options.websocket.max_message_bytes = LIMIT;
    options.websocket.message_timeout_ms = 100;
    script_open_client(&s, &options);
    script_mark_t a = script_mark(&s, "a");
    script_mark_t b = script_mark(&s, "b");
    script_call(&s, "m", &a);
    script_call(&s, "m", &b);
    script_turns(&s);
    s.sent_at = s.sent_len;
    announce(&s, ANSWER, known ? strlen(ANSWER) : 9);
    script_advance(&s, 99);
    script_expect(&s, "");
    script_advance(&s, 2);
    script_expect(&s, known ? "b!ETOOBIG:ANSWERED a!ELOST:MAYBE"
                            : "a!ETOOBIG:MAYBE b!ETOOBIG:MAYBE");
    script_expect_sent(&s, "close:1009");
    script_end(&s);
  }
}

TEST_MODULE(excess) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_whose_it_is),
      cmocka_unit_test(test_kinds_of_answers),
      cmocka_unit_test(test_what_is_sent_again),
      cmocka_unit_test(test_another_connection),
      cmocka_unit_test(test_nobody_waits),
      cmocka_unit_test(test_what_does_not_come),
  };
  return cmocka_run_group_tests_name("rpc/excess", tests, NULL, NULL);
}
