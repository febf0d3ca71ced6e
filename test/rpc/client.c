#include "rpc/peer.h"

#include "support/script.h"

#include <stdio.h>

#include <jansson.h>

#define NONE uvow_value_none()
#define ARRAY uvow_value_json(json_array())

/* Requests made before the connection is open leave in order, when it opens;
 * R1, P1: in one write. */
TEST_CASE(test_queue_before_open) {
  script_t s;
  script_init(&s);
  assert_int_equal(script_client(&s, NULL), 0);
  script_mark_t a = script_mark(&s, "a");
  script_mark_t b = script_mark(&s, "b");
  script_mark_t c = script_mark(&s, "c");
  script_mark_t ready = script_mark(&s, "ready");
  script_watch(uvow_peer_ready(s.client), &ready);
  script_watch(script_request(&s, "one", "[1]"), &a);
  assert_int_equal(uvow_peer_notify(s.client, "note", NONE), 0);
  script_watch(uvow_peer_requestf(s.client, "two", "{s:i}", "x", 2), &b);
  assert_int_equal(script_stats(&s).queued, 2);
  script_connected(&s);
  script_call(&s, "three", &c);
  script_turns(&s);
  assert_int_equal(s.writes, 1); /* the handshake */
  script_accept(&s);
  assert_int_equal(s.writes, 2);
  script_expect_sent(
      &s, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"one\",\"params\":[1]}");
  script_expect_sent(&s, "{\"jsonrpc\":\"2.0\",\"method\":\"note\"}");
  script_expect_sent(&s,
                     "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"two\","
                     "\"params\":{\"x\":2}}");
  script_expect_sent(&s, "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"three\"}");
  script_expect_sent(&s, "");
  assert_int_equal(script_stats(&s).queued, 0);
  script_expect(&s, "ready=");
  script_text(&s, "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"x\":2}}");
  script_text(&s,
              "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":7,"
              "\"message\":\"no\"}}");
  script_text(&s, "{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":null}");
  script_expect(&s, "b={\"x\":2} a!EREMOTE:ANSWERED c=null");
  assert_int_equal(script_stats(&s).answered, 3);
  assert_int_equal(script_stats(&s).pending, 0);
  script_end(&s);
}

/* The server's own error, with all that it said. */
TEST_CASE(test_remote_error) {
  script_t s;
  uvow_result_t result;
  size_t len;
  script_init(&s);
  script_open_client(&s, NULL);
  uvow_future_t *f = script_request(&s, "m", NULL);
  script_mark_t a = script_mark(&s, "a");
  script_watch(uvow_future_ref(f), &a);
  script_text(&s,
              "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32601,"
              "\"message\":\"no \\u00e9\",\"data\":[1]}}");
  script_expect(&s, "a!EREMOTE:ANSWERED");
  assert_int_equal(uvow_future_peek(f, &result), 0);
  assert_int_equal(uvow_error_peer_code(result.error), -32601);
  assert_string_equal(uvow_error_peer_message(result.error), "no \xC3\xA9");
  assert_string_equal(uvow_error_message(result.error), "no \xC3\xA9");
  assert_null(uvow_error_peer_code_text(result.error));
  assert_memory_equal(uvow_error_data(result.error, &len), "[1]", 3);
  assert_int_equal(len, 3);
  uvow_future_unref(f);
  f = script_request(&s, "m", NULL);
  script_watch(uvow_future_ref(f), &a);
  script_text(&s,
              "{\"jsonrpc\":\"2.0\",\"id\":2,\"error\":{\"code\":"
              "\"e_\\n\",\"message\":5}}");
  script_expect(&s, "a!EREMOTE:ANSWERED");
  assert_int_equal(uvow_future_peek(f, &result), 0);
  assert_int_equal(uvow_error_peer_code(result.error), 0);
  assert_string_equal(uvow_error_peer_code_text(result.error), "e_\n");
  uvow_future_unref(f);
  script_end(&s);
}

static uvow_next_t again(const uvow_result_t *result, void *data) {
  script_t *s = (script_t *)data;
  (void)result;
  return uvow_next_future(script_request(s, "again", NULL));
}

static uvow_next_t pass_on(const uvow_result_t *result, void *data) {
  (void)result;
  (void)data;
  return uvow_next_pass();
}

#define BURST 50

/* P1: a burst of answers whose continuations ask again makes one write. */
TEST_CASE(test_one_write_a_burst) {
  script_t s;
  uint8_t burst[BURST * 64];
  script_mark_t marks[BURST];
  size_t len = 0;
  char text[64];
  script_init(&s);
  script_open_client(&s, NULL);
  for (int i = 0; i < BURST; i++) {
    marks[i] = script_mark(&s, NULL);
    script_watch(uvow_future_then(script_request(&s, "m", NULL), again, &s),
                 &marks[i]);
    int n =
        snprintf(text, sizeof(text),
                 "{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":%d}", BURST - i, i);
    len += script_put_frame(burst + len, 0x81, text, (size_t)n);
  }
  script_turns(&s);
  assert_int_equal(s.writes, 2); /* the handshake, and all of these */
  script_feed(&s, burst, len);
  assert_int_equal(s.writes, 3); /* within the read's own turn (P4) */
  assert_int_equal(script_stats(&s).pending, BURST);
  for (int i = 0; i < BURST; i++) {
    snprintf(text, sizeof(text), "{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":1}",
             BURST + 1 + i);
    assert_int_equal(marks[BURST - 1 - i].calls, 0);
    script_text(&s, text);
    assert_int_equal(marks[BURST - 1 - i].calls, 1);
  }
  for (int i = 0; i < BURST; i++)
    assert_int_equal(marks[i].calls, 1);
  script_end(&s);
}

/* P1: however long the chains are to those that ask: what has just become ready
 * runs before the write. */
TEST_CASE(test_one_write_though_chains_differ) {
  script_t s;
  uint8_t burst[BURST * 64];
  size_t len = 0;
  char text[64];
  script_init(&s);
  script_open_client(&s, NULL);
  script_mark_t mark = script_mark(&s, NULL);
  for (int i = 0; i < BURST; i++) {
    uvow_future_t *f = script_request(&s, "m", NULL);
    for (int links = 0; links < i % 5; links++)
      f = uvow_future_then(f, pass_on, NULL);
    script_watch(uvow_future_then(f, again, &s), &mark);
    int n = snprintf(text, sizeof(text),
                     "{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":1}", i + 1);
    len += script_put_frame(burst + len, 0x81, text, (size_t)n);
  }
  script_turns(&s);
  s.writes = 0;
  script_feed(&s, burst, len);
  assert_int_equal(s.writes, 1);
  assert_int_equal(script_stats(&s).pending, BURST);
  uvow_peer_unref(s.client);
  s.client = NULL;
  script_turns(&s);
  assert_int_equal(mark.calls, BURST);
  script_end(&s);
}

#define LONG_BURST 600

/* What a long burst causes leaves in parts of 16 KiB, in order: the server
 * works on one while the client writes the next. */
TEST_CASE(test_a_long_burst_leaves_in_parts) {
  static uint8_t burst[LONG_BURST * 64];
  script_t s;
  size_t len = 0;
  char text[64];
  script_init(&s);
  script_open_client(&s, NULL);
  script_mark_t mark = script_mark(&s, NULL);
  for (int i = 0; i < LONG_BURST; i++) {
    script_watch(uvow_future_then(script_request(&s, "m", NULL), again, &s),
                 &mark);
    int n = snprintf(text, sizeof(text),
                     "{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":1}", i + 1);
    len += script_put_frame(burst + len, 0x81, text, (size_t)n);
  }
  script_turns(&s);
  s.sent_at = s.sent_len;
  s.writes = 0;
  script_feed(&s, burst, len);
  size_t bytes = s.sent_len - s.sent_at;
  assert_true(bytes > 20000);
  assert_int_equal(s.writes, bytes / 16384 + 1);
  for (int i = 0; i < LONG_BURST; i++) {
    snprintf(text, sizeof(text),
             "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"again\"}",
             LONG_BURST + 1 + i);
    script_expect_sent(&s, text);
  }
  script_expect_sent(&s, "");
  uvow_peer_unref(s.client);
  s.client = NULL;
  script_turns(&s);
  assert_int_equal(mark.calls, LONG_BURST);
  script_end(&s);
}

/* A large answer, in pieces, that isn't JSON after all: its error has all of
 * it, though the answer had taken the message's memory. */
static void on_large_garbage(const uvow_result_t *result, void *data) {
  size_t len;
  assert_int_equal(uvow_error_code(result->error), UVOW_EPAYLOAD);
  const char *bytes = uvow_error_data(result->error, &len);
  assert_int_equal(len, 50000);
  for (size_t i = 1; i < len - 1; i++)
    assert_int_equal(bytes[i], ',');
  *(int *)data = 1;
}

TEST_CASE(test_large_garbage_is_told_whole) {
  static char text[50100];
  script_t s;
  int told = 0;
  script_init(&s);
  script_open_client(&s, NULL);
  for (unsigned cut = 0; cut < 5000; cut += 1667) {
    int head =
        snprintf(text, sizeof(text),
                 "{\"jsonrpc\":\"2.0\",\"id\":%u,\"result\":", 1 + cut / 1667);
    memset(text + head, ',', 50000);
    text[head] = '[';
    memcpy(text + head + 49999, "]}", 3);
    s.cut = cut;
    assert_int_equal(uvow_future_done(uvow_peer_request(s.client, "m", ARRAY),
                                      on_large_garbage, &told),
                     0);
    script_turns(&s);
    script_text(&s, text);
    script_turns(&s);
    assert_int_equal(told, 1);
    told = 0;
  }
  script_end(&s);
}

/* While a write is under way nothing is written; then all of it, at once. */
TEST_CASE(test_backpressure) {
  script_t s;
  script_init(&s);
  script_open_client(&s, NULL);
  script_mark_t a = script_mark(&s, "a");
  s.block = 1;
  script_call(&s, "one", &a);
  script_turns(&s);
  assert_int_equal(s.writes, 2);
  script_call(&s, "two", &a);
  script_turns(&s);
  script_call(&s, "three", &a);
  script_turns(&s);
  assert_int_equal(s.writes, 2);
  s.block = 0;
  script_unblock(&s);
  assert_int_equal(s.writes, 3);
  script_next(&s);
  script_expect_sent(&s, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"two\"}");
  script_expect_sent(&s, "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"three\"}");
  s.write_error = UV_EPIPE;
  script_call(&s, "four", &a);
  script_turns(&s);
  script_expect(&s, "a!ELOST:MAYBE a!ELOST:MAYBE a!ELOST:MAYBE a!ELOST:MAYBE");
  script_end(&s);
}

/* Above the limits a request is refused at once. */
TEST_CASE(test_limits) {
  script_t s;
  char big[600];
  script_init(&s);
  test_connect_t options = script_options(&s);
  options.peer.max_pending = 2;
  options.websocket.max_unsent_bytes = 500;
  memset(big, '1', sizeof(big));
  big[0] = '[';
  big[sizeof(big) - 2] = ']';
  big[sizeof(big) - 1] = '\0';
  assert_int_equal(script_client(&s, &options), 0);
  for (int i = 0; i < 2; i++) { /* before open, and after */
    script_mark_t a = script_mark(&s, "a");
    script_mark_t b = script_mark(&s, "b");
    script_watch(script_request(&s, "m", big), &b);
    uvow_value_t params = uvow_value_slice(&(uvow_slice_t){big, 599});
    assert_int_equal(uvow_peer_notify(s.client, "m", params), UVOW_EOVERLOAD);
    script_call(&s, "m", &a);
    script_call(&s, "m", &a);
    script_call(&s, "m", &b);
    script_turns(&s);
    script_expect(&s, "b!EOVERLOAD:NOT b!EOVERLOAD:NOT");
    if (i == 0) {
      script_connected(&s);
      script_accept(&s);
    }
    for (int k = 0; k < 2; k++)
      script_text(&s, i   ? k ? "{\"jsonrpc\":\"2.0\",\"id\":6,\"result\":1}"
                              : "{\"jsonrpc\":\"2.0\",\"id\":5,\"result\":1}"
                      : k ? "{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":1}"
                          : "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":1}");
    script_expect(&s, "a=1 a=1");
  }
  script_end(&s);
}

/* What can't be sent rejects, and nothing of it is written. */
TEST_CASE(test_invalid) {
  script_t s;
  uvow_request_options_t small = {.size = 1};
  script_init(&s);
  script_open_client(&s, NULL);
  script_mark_t a = script_mark(&s, "a");
  script_watch(script_request(&s, NULL, NULL), &a);
  script_watch(script_request(&s, "m", "5"), &a);
  script_watch(script_request(&s, "m", "[1]],\"id\":2,\"x\":[1"), &a);
  script_watch(script_request(&s, "\xFF", NULL), &a);
  script_watch(uvow_peer_request(s.client, "m", uvow_value_int64(5)), &a);
  script_watch(uvow_peer_request_with(s.client, "m", ARRAY, &small), &a);
  assert_int_equal(uvow_peer_notify(s.client, NULL, ARRAY), UVOW_EINVAL);
  assert_int_equal(uvow_peer_notify(s.client, "m", uvow_value_raw("true")),
                   UVOW_EINVAL);
  assert_null(uvow_peer_request(NULL, "m", ARRAY));
  assert_int_equal(uvow_peer_notify(NULL, "m", ARRAY), UVOW_EINVAL);
  assert_null(uvow_peer_request(NULL, "m", NONE));
  assert_int_equal(uvow_peer_notify(NULL, "m", NONE), UVOW_EINVAL);
  assert_null(uvow_peer_ready(NULL));
  assert_null(uvow_peer_close(NULL));
  uvow_peer_unref(NULL);
  uvow_peer_hold_loop(NULL, 1);
  assert_int_equal(uvow_peer_get_stats(s.client, NULL), UVOW_EINVAL);
  script_turns(&s);
  script_expect_sent(&s, "");
  script_expect(&s,
                "a!EINVAL:NOT a!EINVAL:NOT a!EINVAL:NOT a!EINVAL:NOT "
                "a!EINVAL:NOT a!EINVAL:NOT");
  script_end(&s);
}

TEST_CASE(test_new_errors) {
  script_t s;
  const char *subprotocols[] = {"a b"};
  uvow_header_t header = {sizeof(uvow_header_t), "Host", "x"};
  script_init(&s);
  test_connect_t options = script_options(&s);
  assert_null(uvow_peer_connect(NULL, options.url, &options.peer));
  options.peer.size = 0;
  assert_int_equal(script_client(&s, &options), UVOW_EINVAL);
  options.peer.size = sizeof(options.peer);
  options.peer.protocol = NULL;
  assert_int_equal(script_client(&s, &options), UVOW_EINVAL);
  options = script_options(&s);
  options.url = NULL;
  assert_int_equal(script_client(&s, &options), UVOW_EINVAL);
  options = script_options(&s);
  options.websocket.subprotocols = subprotocols;
  options.websocket.subprotocol_count = 1;
  assert_int_equal(script_client(&s, &options), UVOW_EINVAL);
  options.websocket.subprotocol_count = SIZE_MAX;
  assert_int_equal(script_client(&s, &options), UVOW_EINVAL);
  options = script_options(&s);
  options.websocket.headers = &header;
  options.websocket.header_count = 1;
  assert_int_equal(script_client(&s, &options), UVOW_EINVAL);
  header.value = NULL;
  assert_int_equal(script_client(&s, &options), UVOW_EINVAL);
  options.websocket.headers = NULL;
  assert_int_equal(script_client(&s, &options), UVOW_EINVAL);
  assert_null(s.client);
  assert_int_equal(s.connects, 0);
  script_end(&s);
}

/* R4, R5, R2: a request that is given up before the connection is open was
 * never sent, and never is. */
TEST_CASE(test_given_up_in_queue) {
  script_t s;
  uvow_request_options_t options = {.size = sizeof(options),
                                    .timeout_ms = 1000};
  script_init(&s);
  script_drive_clock(&s);
  assert_int_equal(script_client(&s, NULL), 0);
  script_mark_t a = script_mark(&s, "a");
  script_mark_t b = script_mark(&s, "b");
  script_mark_t c = script_mark(&s, "c");
  script_watch(uvow_peer_request_with(s.client, "slow", NONE, &options), &a);
  uvow_future_t *f = script_request(&s, "canceled", NULL);
  script_watch(uvow_future_ref(f), &b);
  script_call(&s, "kept", &c);
  script_turns(&s);
  assert_int_equal(uvow_future_cancel(f), 0);
  uvow_future_unref(f);
  script_advance(&s, 1001);
  script_expect(&s, "b!ECANCELED:NOT a!ETIMEDOUT:NOT");
  assert_int_equal(script_stats(&s).queued, 1);
  script_connected(&s);
  script_accept(&s);
  script_expect_sent(&s, "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"kept\"}");
  script_expect_sent(&s, "");
  script_text(&s, "{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":1}");
  script_expect(&s, "c=1");
  assert_int_equal(script_stats(&s).timed_out, 1);
  assert_int_equal(script_stats(&s).canceled, 1);
  script_end(&s);
}

/* R4, R5, R2: on the wire, it may have been executed. */
TEST_CASE(test_given_up_on_the_wire) {
  script_t s;
  uvow_request_options_t options = {.size = sizeof(options),
                                    .timeout_ms = 1000};
  uvow_request_options_t never = {.size = sizeof(options),
                                  .timeout_ms = UVOW_NO_TIMEOUT};
  script_init(&s);
  script_drive_clock(&s);
  script_open_client(&s, NULL);
  script_mark_t a = script_mark(&s, "a");
  script_mark_t b = script_mark(&s, "b");
  script_mark_t c = script_mark(&s, "c");
  script_mark_t d = script_mark(&s, "d");
  script_watch(uvow_peer_request_with(s.client, "slow", NONE, &options), &a);
  uvow_future_t *f = script_request(&s, "canceled", NULL);
  script_watch(uvow_future_ref(f), &b);
  script_call(&s, "default", &c);
  script_watch(uvow_peer_request_with(s.client, "never", NONE, &never), &d);
  script_turns(&s);
  assert_int_equal(uvow_future_cancel(f), 0);
  uvow_future_unref(f);
  script_advance(&s, 1001);
  script_expect(&s, "b!ECANCELED:MAYBE a!ETIMEDOUT:MAYBE");
  script_advance(&s, 28998);
  script_expect(&s, "");
  script_advance(&s, 2);
  script_expect(&s, "c!ETIMEDOUT:MAYBE");
  script_advance(&s, UINT32_MAX);
  script_expect(&s, "");
  script_text(&s, "{\"jsonrpc\":\"2.0\",\"id\":4,\"result\":1}");
  script_expect(&s, "d=1");
  script_end(&s);
}

/* F7, R5: whoever waits no longer, cancels; a reader that is left does not. */
TEST_CASE(test_cancel_through_a_chain) {
  script_t s;
  script_init(&s);
  script_open_client(&s, NULL);
  uvow_future_t *f = script_request(&s, "m", NULL);
  uvow_future_t *g = uvow_future_then(f, again, &s);
  assert_int_equal(uvow_future_cancel(g), 0);
  uvow_future_unref(g);
  assert_int_equal(script_stats(&s).pending, 0);
  assert_int_equal(script_stats(&s).canceled, 1);
  uvow_future_detach(script_request(&s, "m", NULL));
  script_turns(&s);
  assert_int_equal(script_stats(&s).pending, 1);
  script_text(&s, "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":1}");
  assert_int_equal(script_stats(&s).pending, 0);
  script_end(&s);
}

/* R1: in a continuation the slot is free, also at max_pending 1. */
TEST_CASE(test_reuse) {
  script_t s;
  script_init(&s);
  test_connect_t options = script_options(&s);
  options.peer.max_pending = 1;
  script_open_client(&s, &options);
  script_mark_t a = script_mark(&s, "a");
  script_watch(uvow_future_then(script_request(&s, "m", NULL), again, &s), &a);
  script_text(&s, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":1}");
  script_text(&s, "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":2}");
  script_expect(&s, "a=2");
  script_end(&s);
}

/* A call of the server is answered: there is no such method. */
TEST_CASE(test_server_calls) {
  script_t s;
  script_init(&s);
  script_open_client(&s, NULL);
  script_text(&s, "{\"jsonrpc\":\"2.0\",\"id\":\"x\\\"y\",\"method\":\"m\"}");
  script_expect_sent(&s,
                     "{\"jsonrpc\":\"2.0\",\"id\":\"x\\\"y\",\"error\":{"
                     "\"code\":-32601,\"message\":\"Method not found\"}}");
  script_text(&s, "{\"jsonrpc\":\"2.0\",\"method\":\"n\",\"params\":[1]}");
  script_text(&s, "{\"jsonrpc\":\"2.0\",\"method\":\"n\\u0041\"}");
  script_expect(&s, "event:n([1]) event:nA()");
  assert_int_equal(script_stats(&s).events, 2);
  script_end(&s);
}

/* E2: ref and unref before and after open reach the stream. */
TEST_CASE(test_hold) {
  script_t s;
  script_init(&s);
  assert_int_equal(script_client(&s, NULL), 0);
  uvow_peer_hold_loop(s.client, 0);
  assert_int_equal(s.held, -1);
  script_connected(&s);
  script_accept(&s);
  assert_int_equal(s.held, 0);
  uvow_peer_hold_loop(s.client, 1);
  assert_int_equal(s.held, 1);
  uvow_peer_hold_loop(s.client, 0);
  assert_int_equal(s.held, 0);
  script_turns(&s);
  assert_int_equal(uv_run(&s.uv, UV_RUN_DEFAULT), 0); /* nothing holds it */
  script_end(&s);
}

/* A server's error that the system has no name for: rejects, by its cause. */
TEST_CASE(test_connect_error) {
  script_t s;
  script_init(&s);
  s.connect_error = UV_EAI_NONAME;
  assert_int_equal(script_client(&s, NULL), 0);
  script_mark_t a = script_mark(&s, "a");
  script_call(&s, "m", &a);
  script_watch(uvow_peer_ready(s.client), &a);
  script_turns(&s);
  script_expect(&s, "a!EAI_NONAME:NOT a!EAI_NONAME");
  script_end(&s);
}

TEST_MODULE(client) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_queue_before_open),
      cmocka_unit_test(test_remote_error),
      cmocka_unit_test(test_one_write_a_burst),
      cmocka_unit_test(test_one_write_though_chains_differ),
      cmocka_unit_test(test_a_long_burst_leaves_in_parts),
      cmocka_unit_test(test_large_garbage_is_told_whole),
      cmocka_unit_test(test_backpressure),
      cmocka_unit_test(test_limits),
      cmocka_unit_test(test_invalid),
      cmocka_unit_test(test_new_errors),
      cmocka_unit_test(test_given_up_in_queue),
      cmocka_unit_test(test_given_up_on_the_wire),
      cmocka_unit_test(test_cancel_through_a_chain),
      cmocka_unit_test(test_reuse),
      cmocka_unit_test(test_server_calls),

      cmocka_unit_test(test_hold),
      cmocka_unit_test(test_connect_error),
  };
  return cmocka_run_group_tests_name("rpc/client", tests, NULL, NULL);
}
