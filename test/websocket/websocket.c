/* The life of a public WebSocket, and what its owners see of it. */
#include "support/ws_end.h"

#include <stdio.h>

TEST_CASE(test_open_and_close) {
  script_t s;
  script_init(&s);
  uvow_websocket_t *ws = ws_connect(&s, NULL);
  WS_WATCH(&s, ready, uvow_websocket_ready(ws));
  assert_string_equal(uvow_websocket_target(ws), "/p?q");
  assert_null(uvow_websocket_header(ws, "Upgrade"));
  script_connected(&s);
  script_turns(&s);
  script_expect(&s, "");
  script_accept(&s);
  script_expect(&s, "ready=");
  assert_string_equal(uvow_websocket_header(ws, "upgrade"), "websocket");
  assert_null(uvow_websocket_header(ws, "X"));
  const char *name = NULL, *value = NULL;
  assert_int_equal(uvow_websocket_header_at(ws, 0, &name, &value), 0);
  assert_string_equal(name, "Upgrade");
  assert_string_equal(value, "websocket");
  assert_int_equal(uvow_websocket_header_at(ws, 1, &name, &value), 0);
  assert_string_equal(value, uvow_websocket_header(ws, name));
  assert_int_equal(uvow_websocket_header_at(ws, 99, &name, &value),
                   UVOW_EINVAL);
  assert_int_equal(uvow_websocket_tls(ws, NULL, 0), 0);
  assert_null(uvow_websocket_subprotocol(ws));
  assert_null(uvow_websocket_certificate(ws));
  assert_string_equal(uvow_websocket_target(ws), "/p?q");
  WS_WATCH(&s, again, uvow_websocket_ready(ws));
  WS_WATCH(&s, gone, uvow_websocket_close(ws, 4000, "bye"));
  ws_log_all(&s, uvow_websocket_messages(ws));
  script_turns(&s);
  script_expect(&s, "again=");
  script_expect_sent(&s, "close:4000bye");
  script_close_frame(&s, 4000);
  script_expect(&s, "");
  script_hang_up(&s, 0);
  script_expect(&s, "gone= end");
  WS_WATCH(&s, later, uvow_websocket_close(ws, 1000, NULL));
  WS_WATCH(&s, never, uvow_websocket_ready(ws));
  script_turns(&s);
  script_expect(&s, "later= never!ECLOSED");
  assert_int_equal(uvow_websocket_send(ws, uvow_value_text("x")), UVOW_ECLOSED);
  uvow_websocket_unref(ws);
  script_end(&s);
}

/* Each asker has its own future (F15). */
TEST_CASE(test_one_reader_is_not_another) {
  script_t s;
  script_init(&s);
  uvow_websocket_t *ws = ws_connect(&s, NULL);
  uvow_future_drop(uvow_websocket_ready(ws));
  WS_WATCH(&s, ready, uvow_websocket_ready(ws));
  script_connected(&s);
  script_accept(&s);
  script_expect(&s, "ready=");
  uvow_websocket_unref(ws);
  script_end(&s);
}

/* Whatever is wrong, is said by ready and by the messages. */
TEST_CASE(test_what_is_wrong) {
  uvow_websocket_options_t bad = {.size = sizeof(bad),
                                  .tcp_keepalive_s = 99999};
  uvow_websocket_options_t shy = {.size = sizeof(shy), .bearer = "\n"};
  const struct {
    const char *url;
    const uvow_websocket_options_t *options;
    const char *log;
  } cases[] = {{"ws//h", NULL, "ready!EURL end!EURL"},
               {"http://h/", NULL, "ready!ESCHEME end!ESCHEME"},
               {NULL, NULL, "ready!EINVAL end!EINVAL"},
               {"ws://h/", &bad, "ready!EINVAL end!EINVAL"},
               {"ws://h/", &shy, "ready!EINVAL end!EINVAL"}};
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    script_t s;
    script_init(&s);
    uvow_websocket_t *ws = uvow__websocket_connect(
        s.loop, cases[i].url, cases[i].options, &s.transport);
    assert_non_null(ws);
    WS_WATCH(&s, ready, uvow_websocket_ready(ws));
    ws_log_all(&s, uvow_websocket_messages(ws));
    script_turns(&s);
    script_expect(&s, cases[i].log);
    uvow_websocket_unref(ws);
    script_end(&s);
  }
}

/* What is wrong with an argument is said in words. */
TEST_CASE(test_says_which_argument) {
  uvow_header_t nameless = {sizeof(nameless), NULL, "x"};
  uvow_websocket_options_t options[] = {
      {.size = sizeof(*options), .headers = &nameless, .header_count = 1},
      {.size = sizeof(*options), .proxy = "ftp://x"},
      {.size = sizeof(*options), .origin = "\n"},
      {.size = 1}};
  static const char *const names[] = {"options.headers", "options.proxy",
                                      "origin", "options"};
  for (size_t i = 0; i < 4; i++) {
    uvow_result_t result;
    script_t s;
    script_init(&s);
    uvow_websocket_t *ws = ws_connect(&s, &options[i]);
    uvow_future_t *ready = uvow_websocket_ready(ws);
    script_turns(&s);
    assert_int_equal(uvow_future_peek(ready, &result), 0);
    assert_int_equal(uvow_error_code(result.error), UVOW_EINVAL);
    assert_non_null(strstr(uvow_error_message(result.error), names[i]));
    uvow_future_unref(ready);
    uvow_websocket_unref(ws);
    script_end(&s);
  }
}

TEST_CASE(test_refused) {
  static const char no[] = "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n";
  script_t s;
  script_init(&s);
  uvow_websocket_t *ws = ws_connect(&s, NULL);
  WS_WATCH(&s, ready, uvow_websocket_ready(ws));
  script_connected(&s);
  script_feed(&s, no, sizeof(no) - 1);
  script_turns(&s);
  script_expect(&s, "ready!EHANDSHAKE");
  uvow_websocket_unref(ws);
  script_end(&s);
}

/* How the other end's close ends the messages. */
TEST_CASE(test_ends) {
  static const struct {
    int code; /* 0: a close frame without one; -1: none, the io ends */
    const char *log;
  } cases[] = {{1000, "end"},         {1001, "end"},         {0, "end"},
               {1011, "end!ECLOSED"}, {4001, "end!ECLOSED"}, {-1, "end!ELOST"}};
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    script_t s;
    script_init(&s);
    uvow_websocket_t *ws = ws_open(&s, NULL);
    ws_log_all(&s, uvow_websocket_messages(ws));
    WS_WATCH(&s, ready, uvow_websocket_ready(ws));
    script_turns(&s);
    script_expect(&s, "ready=");
    if (cases[i].code > 0)
      script_close_frame(&s, cases[i].code);
    else if (cases[i].code == 0)
      script_frame(&s, 0x88, NULL, 0);
    script_hang_up(&s, 0);
    script_turns(&s);
    script_expect(&s, cases[i].log);
    uvow_websocket_unref(ws);
    script_end(&s);
  }
}

/* Readers and sinks are owners; the last one's leaving ends it, and what was
 * sent leaves first. */
TEST_CASE(test_the_last_owner_ends_it) {
  script_t s;
  script_init(&s);
  uvow_websocket_t *ws = ws_open(&s, NULL);
  uvow_stream_t *messages = uvow_websocket_messages(ws);
  uvow_stream_unref(uvow_websocket_messages(ws));
  assert_ptr_equal(uvow_websocket_ref(ws), ws);
  uvow_websocket_unref(ws);
  assert_int_equal(uvow_websocket_send(ws, uvow_value_text("a")), 0);
  uvow_websocket_unref(ws);
  script_turns(&s);
  script_expect_sent(&s, "a");
  script_expect_sent(&s, "");
  assert_false(script_gone(&s));
  uvow_stream_unref(messages);
  script_turns(&s);
  script_expect_sent(&s, "close:1001");
  script_end(&s);
}

TEST_CASE(test_a_sink_is_an_owner) {
  script_t s;
  script_init(&s);
  uvow_websocket_t *ws = ws_open(&s, NULL);
  uvow_channel_t channel = uvow_websocket_channel(ws);
  uvow_websocket_unref(ws);
  uvow_stream_unref(channel.in);
  script_turns(&s);
  script_text(&s, "read and dropped");
  assert_int_equal(uvow_sink_push(channel.out, uvow_value_text("a")), 0);
  uvow_sink_end(channel.out);
  script_turns(&s);
  script_expect_sent(&s, "a");
  script_expect_sent(&s, "close:1000");
  script_close_frame(&s, 1000);
  script_hang_up(&s, 0);
  assert_true(script_gone(&s));
  script_end(&s);
}

TEST_CASE(test_unref_while_connecting) {
  script_t s;
  script_init(&s);
  uvow_websocket_t *ws = ws_connect(&s, NULL);
  uvow_stream_t *messages = uvow_websocket_messages(ws);
  uvow_websocket_unref(ws);
  script_turns(&s);
  assert_false(script_gone(&s));
  uvow_stream_unref(messages);
  script_turns(&s);
  assert_true(script_gone(&s));
  script_end(&s);
}

/* The loop closes under it. */
TEST_CASE(test_the_loop_closes) {
  for (int open = 0; open < 2; open++) {
    script_t s;
    script_init(&s);
    uvow_websocket_t *ws = open ? ws_open(&s, NULL) : ws_connect(&s, NULL);
    uvow_channel_t channel = uvow_websocket_channel(ws);
    WS_WATCH(&s, flushed, uvow_websocket_flushed(ws));
    WS_WATCH(&s, pong, uvow_websocket_ping(ws));
    ws_log_all(&s, channel.in);
    assert_int_equal(uvow_sink_push(channel.out, uvow_value_text("x")), 0);
    if (!open)
      assert_int_equal(uvow_websocket_send(ws, uvow_value_text("y")), 0);
    uvow_loop_close(s.loop, NULL, NULL);
    assert_int_not_equal(strlen(s.log), 0);
    s.log[0] = '\0';
    assert_true(uvow_sink_push(channel.out, uvow_value_text("x")) < 0);
    uvow_sink_drop(channel.out);
    uvow_websocket_unref(ws);
    s.loop = NULL;
    script_quit(&s);
    assert_int_equal(s.alloc->live, 0);
    free(s.own_alloc.allocator.data);
  }
}

TEST_CASE(test_wrong_codes) {
  char text[130];
  script_t s;
  script_init(&s);
  uvow_websocket_t *ws = ws_open(&s, NULL);
  memset(text, 'x', sizeof(text));
  text[124] = '\0';
  WS_WATCH(&s, a, uvow_websocket_close(ws, 1005, NULL));
  WS_WATCH(&s, b, uvow_websocket_close(ws, 1002, NULL));
  WS_WATCH(&s, c, uvow_websocket_close(ws, 5000, NULL));
  WS_WATCH(&s, d, uvow_websocket_close(ws, 1000, text));
  WS_WATCH(&s, e, uvow_websocket_close(ws, 1000, "\xFF"));
  script_turns(&s);
  script_expect(&s, "a!EINVAL b!EINVAL c!EINVAL d!EINVAL e!EINVAL");
  assert_int_equal(uvow_websocket_send(ws, uvow_value_text("on")), 0);
  script_turns(&s);
  script_expect_sent(&s, "on");
  uvow_websocket_unref(ws);
  script_end(&s);
}

/* NULL is no WebSocket, and crashes nothing. */
TEST_CASE(test_null) {
  assert_null(uvow_websocket_connect(NULL, "ws://h/", NULL));
  assert_null(uvow_websocket_ready(NULL));
  assert_null(uvow_websocket_messages(NULL));
  assert_null(uvow_websocket_room(NULL));
  assert_null(uvow_websocket_flushed(NULL));
  assert_null(uvow_websocket_ping(NULL));
  assert_null(uvow_websocket_close(NULL, 1000, NULL));
  assert_null(uvow_websocket_channel(NULL).in);
  assert_string_equal(uvow_websocket_target(NULL), "");
  assert_null(uvow_websocket_header(NULL, "x"));
  assert_int_equal(uvow_websocket_header_at(NULL, 0, NULL, NULL), UVOW_EINVAL);
  assert_int_equal(uvow_websocket_tls(NULL, NULL, 0), 0);
  assert_null(uvow_websocket_subprotocol(NULL));
  assert_string_equal(uvow_websocket_address(NULL), "");
  assert_null(uvow_websocket_certificate(NULL));
  assert_null(uvow_websocket_ref(NULL));
  uvow_websocket_unref(NULL);
  assert_int_equal(uvow_websocket_send(NULL, uvow_value_text("x")),
                   UVOW_EINVAL);
  assert_int_equal(uvow_websocket_choose(NULL, NULL), UVOW_EINVAL);
  assert_int_equal(uvow_websocket_refuse(NULL, 403, NULL), UVOW_EINVAL);
  assert_null(uvow_result_websocket(NULL));
  assert_int_equal(uvow_result_is_binary(NULL), 0);
}

/* What isn't said yet, or never will be. */
TEST_CASE(test_nothing_is_said) {
  const char *name, *value;
  char text[8] = "x";
  script_t s;
  script_init(&s);
  uvow_websocket_t *wrong = uvow_websocket_connect(s.loop, "nothing", NULL);
  assert_string_equal(uvow_websocket_target(wrong), "");
  assert_null(uvow_websocket_header(wrong, "Host"));
  assert_int_equal(uvow_websocket_header_at(wrong, 0, &name, &value),
                   UVOW_EINVAL);
  assert_int_equal(uvow_websocket_tls(wrong, text, sizeof(text)), 0);
  assert_string_equal(text, "");
  uvow_websocket_unref(wrong);
  uvow_websocket_t *ws = ws_open(&s, NULL);
  assert_null(uvow_websocket_header(ws, ""));
  assert_null(uvow_websocket_header(ws, NULL));
  assert_int_equal(uvow_websocket_header_at(ws, 0, NULL, &value), UVOW_EINVAL);
  assert_int_equal(uvow_websocket_header_at(ws, 0, &name, NULL), UVOW_EINVAL);
  assert_int_equal(uvow_websocket_header_at(ws, 99, &name, &value),
                   UVOW_EINVAL);
  assert_int_equal(uvow_websocket_tls(ws, text, 0), 0);
  assert_int_equal(uvow_websocket_tls(ws, NULL, sizeof(text)), 0);
  uvow_websocket_unref(ws);
  script_end(&s);
}

static void sweep_body(test_alloc_t *alloc, void *data) {
  script_t s;
  int *whole = (int *)data;
  script_init_with(&s, alloc);
  uvow_websocket_t *ws =
      s.loop ? uvow__websocket_connect(s.loop, "ws://h/p", NULL, &s.transport)
             : NULL;
  if (ws) {
    script_connected(&s);
    if (s.sent_len)
      script_accept(&s);
    uvow_channel_t channel = uvow_websocket_channel(ws);
    (void)uvow_websocket_send(ws, ws_binary(&s, "b"));
    (void)uvow_websocket_send_part(ws, uvow_value_text("a"), 0);
    (void)uvow_websocket_send(ws, uvow_value_text("behind"));
    (void)uvow_websocket_send_part(ws, uvow_value_text("a"), 1);
    uvow_future_drop(uvow_websocket_ping(ws));
    uvow_future_drop(uvow_websocket_flushed(ws));
    if (channel.out)
      (void)uvow_sink_push(channel.out, uvow_value_text("x"));
    script_text(&s, "hello");
    script_turns(&s);
    *whole += !alloc->failed;
    uvow_sink_drop(channel.out);
    uvow_stream_unref(channel.in);
    uvow_future_drop(uvow_websocket_close(ws, 1000, NULL));
    uvow_websocket_unref(ws);
  }
  script_quit(&s);
}

TEST_CASE(test_no_memory) {
  int whole = 0;
  test_alloc_sweep(sweep_body, &whole);
  assert_true(whole >= 1);
}

TEST_MODULE(websocket) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_open_and_close),
      cmocka_unit_test(test_one_reader_is_not_another),
      cmocka_unit_test(test_what_is_wrong),
      cmocka_unit_test(test_says_which_argument),
      cmocka_unit_test(test_refused),
      cmocka_unit_test(test_ends),
      cmocka_unit_test(test_the_last_owner_ends_it),
      cmocka_unit_test(test_a_sink_is_an_owner),
      cmocka_unit_test(test_unref_while_connecting),
      cmocka_unit_test(test_the_loop_closes),
      cmocka_unit_test(test_wrong_codes),
      cmocka_unit_test(test_null),
      cmocka_unit_test(test_nothing_is_said),
      cmocka_unit_test(test_no_memory),
  };
  return cmocka_run_group_tests_name("websocket/websocket", tests, NULL, NULL);
}
