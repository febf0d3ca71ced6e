#include "rpc/peer.h"

#include "support/script.h"

#include <stdio.h>

static void watch_close(script_t *s, script_mark_t *mark) {
  script_watch(uvow_peer_close(s->client), mark);
}

/* R8: what is in flight finishes; then the close handshake; then the future. */
TEST_CASE(test_drains) {
  script_t s;
  script_init(&s);
  script_open_client(&s, NULL);
  script_mark_t a = script_mark(&s, "a");
  script_mark_t b = script_mark(&s, "b");
  script_mark_t closed = script_mark(&s, "closed");
  script_call(&s, "m", &a);
  watch_close(&s, &closed);
  watch_close(&s, &closed);
  script_call(&s, "late", &b);
  assert_int_equal(uvow_peer_notify(s.client, "n", uvow_value_none()),
                   UVOW_ECLOSED);
  script_turns(&s);
  script_expect(&s, "b!ECLOSED:NOT");
  script_expect_sent(&s, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\"}");
  script_expect_sent(&s, "");
  script_text(&s, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":1}");
  script_expect(&s, "a=1");
  script_expect_sent(&s, "close:1000");
  script_close_frame(&s, 1000);
  assert_false(script_gone(&s)); /* a client waits for the server's end */
  script_expect(&s, "");
  script_hang_up(&s, 0);
  script_expect(&s, "closed= closed=");
  assert_true(script_gone(&s));
  script_expect_sent(&s, "");
  watch_close(&s, &closed);
  script_turns(&s);
  script_expect(&s, "closed=");
  script_end(&s);
}

/* The drain has a deadline, and so has the handshake that follows it. */
TEST_CASE(test_deadlines) {
  script_t s;
  script_init(&s);
  script_drive_clock(&s);
  test_connect_t options = script_options(&s);
  options.peer.close_timeout_ms = 2000;
  options.websocket.close_timeout_ms = 2000;
  script_open_client(&s, &options);
  script_mark_t a = script_mark(&s, "a");
  script_mark_t closed = script_mark(&s, "closed");
  script_call(&s, "m", &a);
  watch_close(&s, &closed);
  script_turns(&s);
  script_next(&s);
  script_advance(&s, 1999);
  script_expect(&s, "");
  script_expect_sent(&s, "");
  script_advance(&s, 2);
  script_expect(&s, "a!ECLOSED:MAYBE");
  script_expect_sent(&s, "close:1000");
  /* An answer that comes now is late, no duplicate. */
  script_text(&s, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":1}");
  script_expect(&s, "late:{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":1}");
  script_advance(&s, 1999);
  script_expect(&s, "");
  script_advance(&s, 2);
  script_expect(&s, "closed=");
  assert_true(script_gone(&s));
  script_end(&s);
}

/* A cancel, or a timeout, of the last in flight ends the drain. */
TEST_CASE(test_drained_by_cancel) {
  script_t s;
  script_init(&s);
  script_open_client(&s, NULL);
  script_mark_t closed = script_mark(&s, "closed");
  uvow_future_t *f = script_request(&s, "m", NULL);
  script_turns(&s);
  script_next(&s);
  watch_close(&s, &closed);
  assert_int_equal(uvow_future_cancel(f), 0);
  uvow_future_unref(f);
  script_turns(&s);
  script_expect_sent(&s, "close:1000");
  script_close_frame(&s, 0);
  script_hang_up(&s, UV_ECONNRESET);
  script_expect(&s, "closed=");
  script_end(&s);
}

/* Before it's open: at once with nothing to send, else when that was sent. */
TEST_CASE(test_before_open) {
  for (int connected = 0; connected < 2; connected++) {
    script_t s;
    script_init(&s);
    assert_int_equal(script_client(&s, NULL), 0);
    script_mark_t ready = script_mark(&s, "ready");
    script_mark_t closed = script_mark(&s, "closed");
    script_watch(uvow_peer_ready(s.client), &ready);
    if (connected)
      script_connected(&s);
    watch_close(&s, &closed);
    assert_true(script_gone(&s));
    script_turns(&s);
    script_expect(&s, "ready!ECLOSED closed=");
    script_watch(uvow_peer_ready(s.client), &ready);
    script_turns(&s);
    script_expect(&s, "ready!ECLOSED");
    script_end(&s);
  }
}

TEST_CASE(test_before_open_with_work) {
  for (int request = 0; request < 2; request++) {
    script_t s;
    script_init(&s);
    assert_int_equal(script_client(&s, NULL), 0);
    script_mark_t a = script_mark(&s, "a");
    script_mark_t closed = script_mark(&s, "closed");
    if (request)
      script_call(&s, "m", &a);
    else
      assert_int_equal(uvow_peer_notify(s.client, "n", uvow_value_none()), 0);
    watch_close(&s, &closed);
    script_connected(&s);
    script_accept(&s);
    script_expect_sent(&s, request ? "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":"
                                     "\"m\"}"
                                   : "{\"jsonrpc\":\"2.0\",\"method\":\"n\"}");
    if (request) {
      script_expect_sent(&s, "");
      script_text(&s, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":1}");
    }
    script_expect_sent(&s, "close:1000");
    script_close_frame(&s, 1000);
    script_hang_up(&s, 0);
    script_expect(&s, request ? "a=1 closed=" : "closed=");
    script_end(&s);
  }
}

/* A drain deadline before the connection is open: nothing was sent. */
TEST_CASE(test_never_opens) {
  script_t s;
  script_init(&s);
  script_drive_clock(&s);
  assert_int_equal(script_client(&s, NULL), 0);
  script_mark_t a = script_mark(&s, "a");
  script_mark_t closed = script_mark(&s, "closed");
  script_call(&s, "m", &a);
  assert_int_equal(uvow_peer_notify(s.client, "n", uvow_value_none()), 0);
  watch_close(&s, &closed);
  script_turns(&s);
  script_advance(&s, 5001);
  script_expect(&s, "a!ECLOSED:NOT closed=");
  script_end(&s);
}

/* Closing what is lost already is fulfilled: it's gone. */
TEST_CASE(test_after_lost) {
  script_t s;
  script_init(&s);
  script_open_client(&s, NULL);
  script_mark_t a = script_mark(&s, "a");
  script_mark_t closed = script_mark(&s, "closed");
  script_mark_t ready = script_mark(&s, "ready");
  script_hang_up(&s, UV_ECONNRESET);
  watch_close(&s, &closed);
  script_call(&s, "m", &a);
  script_watch(uvow_peer_ready(s.client), &ready);
  script_turns(&s);
  script_expect(&s, "closed= a!ELOST:NOT ready!ELOST");
  assert_int_equal(uvow_peer_notify(s.client, "n", uvow_value_none()),
                   UVOW_ELOST);
  script_end(&s);
}

/* The server closes, with any code: echoed, and what is pending rejects with
 * that code at once, also while the stream is still there (R2). */
TEST_CASE(test_by_server) {
  static const int codes[] = {0,    1000, 1001, 1002, 1003, 1007,
                              1008, 1009, 1010, 1011, 1012, 1013,
                              1014, 3000, 3999, 4000, 4999};
  for (size_t i = 0; i < sizeof(codes) / sizeof(*codes); i++) {
    script_t s;
    uvow_result_t result;
    char echo[32];
    script_init(&s);
    script_open_client(&s, NULL);
    script_mark_t a = script_mark(&s, "a");
    uvow_future_t *f = script_request(&s, "m", NULL);
    script_turns(&s);
    script_next(&s);
    script_close_frame(&s, codes[i]);
    snprintf(echo, sizeof(echo), codes[i] ? "close:%d" : "close:", codes[i]);
    script_expect_sent(&s, echo);
    assert_int_equal(uvow_future_peek(f, &result), 0);
    assert_int_equal(uvow_error_code(result.error), UVOW_ELOST);
    assert_int_equal(uvow_error_outcome(result.error), UVOW_MAYBE_EXECUTED);
    assert_int_equal(uvow_error_status(result.error),
                     codes[i] ? codes[i] : 1005);
    uvow_future_unref(f);
    script_expect_unhandled(&s, "UVOW_ELOST");
    script_call(&s, "m", &a);
    script_turns(&s);
    script_expect(&s, "a!ELOST:NOT");
    assert_int_equal(uvow_peer_notify(s.client, "n", uvow_value_none()),
                     UVOW_ELOST);
    script_text(&s, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":1}");
    assert_false(script_gone(&s));
    script_hang_up(&s, 0);
    assert_true(script_gone(&s));
    script_call(&s, "m", &a);
    script_turns(&s);
    script_expect(&s, "a!ELOST:NOT");
    script_expect_sent(&s, "");
    script_end(&s);
  }
}

/* A server that closes its half and never the stream: for close_timeout_ms. */
TEST_CASE(test_server_lingers) {
  script_t s;
  script_init(&s);
  script_drive_clock(&s);
  script_open_client(&s, NULL);
  script_close_frame(&s, 1001);
  script_turns(&s);
  script_advance(&s, 4999);
  assert_false(script_gone(&s));
  script_advance(&s, 2);
  assert_true(script_gone(&s));
  script_end(&s);
}

/* Both close at once. */
TEST_CASE(test_crossing) {
  script_t s;
  script_init(&s);
  script_open_client(&s, NULL);
  script_mark_t a = script_mark(&s, "a");
  script_mark_t closed = script_mark(&s, "closed");
  script_call(&s, "m", &a);
  watch_close(&s, &closed);
  script_turns(&s);
  script_next(&s);
  script_close_frame(&s, 1001);
  script_expect(&s, "a!ECLOSED:MAYBE");
  script_expect_sent(&s, "close:1001");
  script_expect_sent(&s, "");
  script_hang_up(&s, 0);
  script_expect(&s, "closed=");
  script_end(&s);
}

/* What was sent before a free still leaves, and then the goodbye. */
TEST_CASE(test_free_flushes) {
  for (int closing = 0; closing < 2; closing++) {
    script_t s;
    script_init(&s);
    script_open_client(&s, NULL);
    assert_int_equal(uvow_peer_notify(s.client, "n", uvow_value_none()), 0);
    if (closing)
      uvow_future_detach(uvow_peer_close(s.client));
    uvow_peer_unref(s.client);
    s.client = NULL;
    assert_true(script_gone(&s));
    script_expect_sent(&s, "{\"jsonrpc\":\"2.0\",\"method\":\"n\"}");
    script_expect_sent(&s, closing ? "close:1000" : "close:1001");
    script_expect_sent(&s, "");
    script_end(&s);
  }
}

/* Freed with all kinds pending: each settles once, with its outcome. */
TEST_CASE(test_free_pending) {
  for (int open = 0; open < 2; open++) {
    script_t s;
    script_init(&s);
    script_mark_t ready = script_mark(&s, "ready");
    script_mark_t a = script_mark(&s, "a");
    script_mark_t closed = script_mark(&s, "closed");
    assert_int_equal(script_client(&s, NULL), 0);
    script_watch(uvow_peer_ready(s.client), &ready);
    if (open) {
      script_connected(&s);
      script_accept(&s);
    }
    script_call(&s, "m", &a);
    watch_close(&s, &closed);
    uvow_peer_unref(s.client);
    s.client = NULL;
    script_turns(&s);
    script_expect(&s, open ? "ready= a!ECLOSED:MAYBE closed="
                           : "a!ECLOSED:NOT ready!ECLOSED closed=");
    script_end(&s);
  }
}

/* The loop closes with all kinds pending. */
TEST_CASE(test_loop_close_pending) {
  for (int open = 0; open < 3; open++) {
    script_t s;
    script_init(&s);
    script_mark_t ready = script_mark(&s, "ready");
    script_mark_t a = script_mark(&s, "a");
    script_mark_t closed = script_mark(&s, "closed");
    assert_int_equal(script_client(&s, NULL), 0);
    script_watch(uvow_peer_ready(s.client), &ready);
    if (open > 0)
      script_connected(&s);
    if (open > 1)
      script_accept(&s);
    script_call(&s, "m", &a);
    if (open != 1)
      watch_close(&s, &closed);
    script_quit(&s);
    script_expect(&s, open == 2   ? "ready= a!ECLOSED:MAYBE closed="
                      : open == 1 ? "a!ECLOSED:NOT ready!ECLOSED"
                                  : "a!ECLOSED:NOT ready!ECLOSED closed=");
    assert_int_equal(s.alloc->live, 0);
    free(s.own_alloc.allocator.data);
  }
}

/* Freed within whatever calls the user. */

static void act_free(script_mark_t *mark) {
  script_t *s = mark->s;
  uvow_peer_t *client = s->client;
  s->client = NULL;
  uvow_peer_unref(client);
}

static uvow_next_t free_on_event(uvow_call_t *call, const uvow_result_t *params,
                                 void *data) {
  script_t *s = (script_t *)data;
  uvow_peer_t *peer = s->client;
  (void)params;
  assert_ptr_equal(uvow_call_peer(call), peer);
  script_log(s, "event:", uvow_call_method(call));
  s->client = NULL;
  uvow_peer_unref(peer);
  assert_string_equal(uvow_call_method(call), "e");
  return uvow_next_none();
}

static int free_on_stray(uvow_peer_t *peer, uvow_stray_t stray,
                         uvow_slice_t message, const uvow_error_t *error,
                         void *data) {
  script_t *s = (script_t *)data;
  char text[16];
  (void)error;
  snprintf(text, sizeof(text), "%d:%.*s", stray, (int)message.len,
           message.bytes);
  s->client = NULL;
  uvow_peer_unref(peer);
  script_log(s, "stray:", text);
  return stray == UVOW_STRAY_MALFORMED;
}

static uvow_next_t free_in_finally(void *data) {
  act_free((script_mark_t *)data);
  return uvow_next_pass();
}

static const char burst[] = "{\"jsonrpc\":\"2.0\",\"method\":\"e\"}";

TEST_CASE(test_free_within) {
  for (int where = 0; where < 5; where++) {
    script_t s;
    uint8_t bytes[256];
    script_init(&s);
    test_connect_t options = script_options(&s);
    options.on_event = free_on_event;
    if (where == 1)
      options.on_event = NULL;
    options.peer.on_stray = free_on_stray;
    script_mark_t a = script_mark(&s, "a");
    script_mark_t b = script_mark(&s, "b");
    script_mark_t f = script_mark(&s, NULL);
    assert_int_equal(script_client(&s, &options), 0);
    script_connected(&s);
    b.act = where == 4 ? act_free : NULL;
    script_watch(uvow_peer_ready(s.client), &b);
    script_call(&s, "m", &a);
    if (where == 2)
      a.act = act_free;
    if (where == 3)
      uvow_future_detach(uvow_future_finally(script_request(&s, "m", NULL),
                                             free_in_finally, &a));
    script_call(&s, "never", &f);
    script_accept(&s);
    size_t len = 0;
    const char *texts[] = {burst,
                           "x",
                           "{\"jsonrpc\":\"2.0\",\"id\":1,"
                           "\"result\":1}",
                           "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":1}",
                           "y",
                           burst};
    for (size_t i = where == 4 ? 6 : (size_t)where; i < 6; i++)
      len += script_put_frame(bytes + len, 0x81, texts[i], strlen(texts[i]));
    script_feed(&s, bytes, len);
    assert_null(s.client);
    static const char *const expected[] = {
        "b= event:e a=1",     "b= stray:4:x a=1", "b= a=1", "b=",
        "b= a!ECLOSED:MAYBE",
    };
    if (where == 3)
      script_expect(&s, "b= a!ECLOSED:MAYBE");
    else
      script_expect(&s, expected[where]);
    assert_int_equal(f.calls, 1);
    script_turns(&s);
    s.unhandled[0] = '\0';
    script_end(&s);
  }
}

/* The same with the loop. */

static void act_close_loop(script_mark_t *mark) {
  script_t *s = mark->s;
  uvow_loop_t *loop = s->loop;
  s->loop = NULL;
  if (loop)
    uvow_loop_close(loop, NULL, NULL);
}

TEST_CASE(test_loop_close_within) {
  for (int nested = 0; nested < 2; nested++) {
    script_t s;
    script_init(&s);
    uvow_loop_t *loop = s.loop;
    script_mark_t a = script_mark(&s, "a");
    script_mark_t b = script_mark(&s, "b");
    script_open_client(&s, NULL);
    a.act = act_close_loop;
    script_call(&s, "m", &a);
    script_call(&s, "n", &b);
    uvow_future_t *kept = script_request(&s, "kept", NULL);
    script_turns(&s);
    if (nested)
      uvow__runtime_enter(&loop->rt);
    script_text(&s, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":1}");
    if (nested)
      uvow__runtime_leave(&loop->rt);
    script_expect(&s, "a=1 b!ECLOSED:MAYBE");
    assert_null(s.loop);
    s.loop = loop; /* for the stream's end */
    script_turns(&s);
    s.loop = NULL;
    assert_int_equal(uvow_future_state(kept), UVOW_REJECTED);
    assert_null(script_request(&s, "m", NULL));
    assert_null(uvow_peer_close(s.client));
    uvow_future_unref(kept);
    uvow_peer_unref(s.client);
    s.client = NULL;
    script_end(&s);
  }
}

TEST_MODULE(close) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_drains),
      cmocka_unit_test(test_deadlines),
      cmocka_unit_test(test_drained_by_cancel),
      cmocka_unit_test(test_before_open),
      cmocka_unit_test(test_before_open_with_work),
      cmocka_unit_test(test_never_opens),
      cmocka_unit_test(test_after_lost),
      cmocka_unit_test(test_by_server),
      cmocka_unit_test(test_server_lingers),
      cmocka_unit_test(test_crossing),
      cmocka_unit_test(test_free_flushes),
      cmocka_unit_test(test_free_pending),
      cmocka_unit_test(test_loop_close_pending),
      cmocka_unit_test(test_free_within),
      cmocka_unit_test(test_loop_close_within),
  };
  return cmocka_run_group_tests_name("rpc/close", tests, NULL, NULL);
}
