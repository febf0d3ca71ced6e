/* Messages as a stream: not reading them pauses the socket (S4). */
#include "support/loop_bed.h"
#include "support/ws_end.h"

#include "websocket/listener.h"

#include <stdio.h>

#include "future/bytes.h"

TEST_CASE(test_a_full_stream_pauses) {
  script_t s;
  uint8_t frames[200 * 4];
  size_t len = 0;
  script_init(&s);
  uvow_websocket_t *ws = ws_open(&s, NULL);
  for (int i = 0; i < 150; i++) {
    char text[8];
    snprintf(text, sizeof(text), "%02d", i % 100);
    len += script_put_frame(frames + len, 0x81, text, 2);
  }
  script_feed(&s, frames, len);
  script_turns(&s);
  uvow_stream_t *messages = uvow_websocket_messages(ws);
  assert_int_equal(uvow_stream_waiting(messages), 64);
  assert_int_equal(s.paused, 1);
  for (int i = 0; i < 150; i++) {
    char text[8];
    snprintf(text, sizeof(text), "%02d", i % 100);
    ws_log_next(&s, messages);
    script_turns(&s);
    script_expect(&s, text);
  }
  assert_int_equal(s.paused, 0);
  uvow_stream_unref(messages);
  uvow_websocket_unref(ws);
  script_end(&s);
}

/* Bytes count too: a megabyte waits, and no more. */
TEST_CASE(test_bytes_pause) {
  enum { SIZE = 60000, COUNT = 18 };
  script_t s;
  char *big = (char *)malloc(SIZE);
  uint8_t *frame = (uint8_t *)malloc(SIZE + 14);
  assert_true(big && frame);
  memset(big, 'x', SIZE);
  script_init(&s);
  uvow_websocket_t *ws = ws_open(&s, NULL);
  uvow_stream_t *messages = uvow_websocket_messages(ws);
  size_t len = script_put_frame(frame, 0x82, big, SIZE);
  for (int i = 0; i < COUNT; i++) {
    script_turns(&s);
    assert_int_equal(s.paused, 0);
    script_feed(&s, frame, len);
  }
  assert_int_equal(s.paused, 1);
  assert_int_equal(uvow_stream_waiting(messages), COUNT);
  uvow_future_drop(uvow_stream_next(messages));
  script_turns(&s);
  assert_int_equal(s.paused, 0);
  uvow_stream_unref(messages);
  uvow_websocket_unref(ws);
  script_end(&s);
  free(big);
  free(frame);
}

/* Text and binary, empty ones, and one in fragments. */
TEST_CASE(test_kinds) {
  script_t s;
  script_init(&s);
  uvow_websocket_t *ws = ws_open(&s, NULL);
  ws_log_all(&s, uvow_websocket_messages(ws));
  script_text(&s, "text");
  script_frame(&s, 0x82, "b", 1);
  script_frame(&s, 0x82, NULL, 0);
  script_frame(&s, 0x01, "fr", 2);
  script_frame(&s, 0x80, "ag", 2);
  script_turns(&s);
  script_expect(&s, "text binary:b binary: frag");
  script_hang_up(&s, 0);
  script_turns(&s);
  script_expect(&s, "end!ELOST");
  uvow_websocket_unref(ws);
  script_end(&s);
}

/* What waits when it ends is still there to be read. */
TEST_CASE(test_what_waits_outlives_it) {
  script_t s;
  script_init(&s);
  uvow_websocket_t *ws = ws_open(&s, NULL);
  script_text(&s, "a");
  script_text(&s, "b");
  script_close_frame(&s, 1000);
  script_hang_up(&s, 0);
  script_turns(&s);
  assert_true(script_gone(&s));
  uvow_stream_t *messages = uvow_websocket_messages(ws);
  uvow_websocket_unref(ws);
  ws_log_all(&s, messages);
  script_turns(&s);
  script_expect(&s, "a b end");
  script_end(&s);
}

/* The same of as many as there is room for: nothing is left to go on. */
TEST_CASE(test_what_waits_when_full) {
  script_t s;
  script_init(&s);
  uvow_websocket_t *ws = ws_open(&s, NULL);
  for (int i = 0; i < 64; i++)
    script_text(&s, "m");
  assert_int_equal(s.paused, 1);
  uvow__websocket_end(ws, UVOW_EOVERLOAD, 1013, "too much");
  script_turns(&s);
  assert_int_equal(ws->state, UVOW__WS_CLOSED);
  uvow_stream_t *messages = uvow_websocket_messages(ws);
  for (int i = 0; i < 64; i++) {
    ws_log_next(&s, messages);
    script_turns(&s);
    script_expect(&s, "m");
  }
  ws_log_next(&s, messages);
  script_turns(&s);
  script_expect(&s, "end!EOVERLOAD");
  uvow_stream_unref(messages);
  uvow_websocket_unref(ws);
  script_end(&s);
}

/* Behind our own close frame the peer's has to be found: what comes before it
 * and finds no room is dropped, the rest isn't. */
TEST_CASE(test_closing_reads_on) {
  script_t s;
  script_init(&s);
  uvow_websocket_t *ws = ws_open(&s, NULL);
  for (int i = 0; i < 64; i++)
    script_text(&s, "m");
  assert_int_equal(s.paused, 1);
  WS_WATCH(&s, gone, uvow_websocket_close(ws, 1000, NULL));
  script_turns(&s);
  assert_int_equal(s.paused, 0);
  script_text(&s, "too much");
  script_close_frame(&s, 1000);
  script_hang_up(&s, 0);
  script_turns(&s);
  script_expect(&s, "gone=");
  uvow_stream_t *messages = uvow_websocket_messages(ws);
  assert_int_equal(uvow_stream_waiting(messages), 64);
  uvow_stream_unref(messages);
  uvow_websocket_unref(ws);
  script_end(&s);
}

/* An answer to the last message before a close frame still leaves. */
static uvow_next_t on_echo(const uvow_result_t *result, void *data) {
  uvow_websocket_t *ws = (uvow_websocket_t *)data;
  assert_int_equal(uvow_websocket_send(ws, uvow_result_keep(result)), 0);
  return uvow_next_none();
}

TEST_CASE(test_a_close_waits_for_the_reader) {
  for (int pipe = 0; pipe < 2; pipe++) {
    uint8_t bytes[64];
    script_t s;
    script_init(&s);
    uvow_websocket_t *ws = ws_open(&s, NULL);
    if (pipe) {
      uvow_channel_t channel = uvow_websocket_channel(ws);
      uvow_future_detach(uvow_stream_pipe(channel.in, channel.out));
    } else {
      uvow_future_detach(
          uvow_stream_each(uvow_websocket_messages(ws), on_echo, ws));
    }
    size_t len = script_put_frame(bytes, 0x81, "a", 1);
    len += script_put_frame(bytes + len, 0x81, "b", 1);
    len += script_put_frame(bytes + len, 0x88, "\x03\xE8", 2);
    script_feed(&s, bytes, len);
    script_turns(&s);
    script_expect_sent(&s, "a");
    script_expect_sent(&s, "b");
    script_expect_sent(&s, "close:1000");
    script_hang_up(&s, 0);
    uvow_websocket_unref(ws);
    script_end(&s);
  }
}

/* It is asked for one by one: the close is answered when one more is asked for
 * than there are, however often. */
TEST_CASE(test_a_close_waits_for_each) {
  script_t s;
  script_init(&s);
  uvow_websocket_t *ws = ws_open(&s, NULL);
  uvow_stream_t *messages = uvow_websocket_messages(ws);
  for (int i = 0; i < 3; i++)
    script_text(&s, "m");
  script_close_frame(&s, 1000);
  for (int i = 0; i < 3; i++) {
    script_turns(&s);
    script_expect_sent(&s, "");
    ws_log_next(&s, messages);
    script_turns(&s);
    script_expect(&s, "m");
  }
  ws_log_next(&s, messages);
  ws_log_next(&s, messages);
  script_turns(&s);
  script_expect_sent(&s, "close:1000");
  script_hang_up(&s, 0);
  script_turns(&s);
  script_expect(&s, "end end");
  uvow_stream_unref(messages);
  uvow_websocket_unref(ws);
  script_end(&s);
}

/* But not for ever; and not for one who doesn't read any more. */
TEST_CASE(test_a_close_does_not_wait_for_ever) {
  for (int how = 0; how < 3; how++) {
    script_t s;
    script_init(&s);
    script_drive_clock(&s);
    uvow_websocket_t *ws = ws_open(&s, NULL);
    uvow_stream_t *messages = uvow_websocket_messages(ws);
    script_text(&s, "unread");
    script_close_frame(&s, 1000);
    script_turns(&s);
    script_expect_sent(&s, "");
    if (how == 0) {
      script_advance(&s, 4990);
      script_expect_sent(&s, "");
      script_advance(&s, 20);
    } else if (how == 1) {
      uvow_stream_unref(messages);
      messages = NULL;
      script_turns(&s);
    } else { /* the first of them, and one more, is all that is wanted */
      ws_log_next(&s, messages);
      ws_log_next(&s, messages);
      script_turns(&s);
      script_expect(&s, "unread");
    }
    script_expect_sent(&s, "close:1000");
    script_hang_up(&s, 0);
    script_turns(&s);
    if (how == 2)
      script_expect(&s, "end");
    uvow_stream_unref(messages);
    uvow_websocket_unref(ws);
    script_end(&s);
  }
}

/* No memory for one: it ends, and says so. */
TEST_CASE(test_no_memory_for_a_message) {
  script_t s;
  script_init(&s);
  uvow_websocket_t *ws = ws_open(&s, NULL);
  ws_log_all(&s, uvow_websocket_messages(ws));
  script_turns(&s);
  s.alloc->fail_at = s.alloc->calls + 1;
  s.alloc->fail_all_after = 1;
  script_text(&s, "a");
  s.alloc->fail_at = 0;
  s.alloc->fail_all_after = 0;
  script_turns(&s);
  assert_true(s.log[0] != '\0');
  s.log[0] = '\0';
  uvow_websocket_unref(ws);
  script_end(&s);
}

/* ---- on real sockets, by counts ---- */

#define TEXT 16384

typedef struct flow {
  loop_bed_t bed;
  uvow_listener_t *listener;
  uvow_websocket_t *client;
  uvow_websocket_t *server;
  uvow_websocket_t *from; /* one of them sends to the other */
  uvow_websocket_t *to;
  size_t sent;
} flow_t;

static void flow_open(flow_t *flow) {
  uvow_listener_options_t options = {.size = sizeof(options)};
  char url[64];
  uvow_result_t result;
  memset(flow, 0, sizeof(*flow));
  loop_bed_open(&flow->bed);
  flow->listener = uvow_listener_new(flow->bed.loop, &options);
  assert_non_null(flow->listener);
  snprintf(url, sizeof(url), "ws://127.0.0.1:%u/",
           (unsigned)uvow_listener_port(flow->listener));
  uvow_stream_t *accepted = uvow_listener_accept(flow->listener);
  flow->client = uvow_websocket_connect(flow->bed.loop, url, NULL);
  assert_int_equal(
      loop_bed_wait(&flow->bed, uvow_stream_next(accepted), &result), 0);
  flow->from = flow->server =
      uvow_websocket_ref(uvow_result_websocket(&result));
  flow->to = flow->client;
  uvow_future_unref(flow->bed.waited);
  flow->bed.waited = NULL;
  uvow_stream_unref(accepted);
}

static void flow_close(flow_t *flow) {
  uvow_websocket_unref(flow->client);
  uvow_websocket_unref(flow->server);
  uvow_listener_free(flow->listener);
  loop_bed_close(&flow->bed, "closed");
}

/* A numbered message. */
static uvow_value_t numbered(uvow_loop_t *loop, size_t number) {
  static char text[TEXT];
  memset(text, 'x', sizeof(text));
  snprintf(text, 16, "%zu", number);
  return uvow_value_binary(loop, text, sizeof(text));
}

/* Sends until it says that there's no room, for as long as anything moves: in so
 * many turns nothing has left. */
static void fill(flow_t *flow) {
  int still = 0;
  while (still < 200) {
    size_t before = uvow__out_unsent(flow->from);
    int rc = 0;
    while (!uvow__out_is_full(flow->from) && rc == 0) {
      rc =
          uvow_websocket_send(flow->from, numbered(flow->bed.loop, flow->sent));
      assert_true(rc >= 0);
      flow->sent++;
    }
    uv_run(&flow->bed.uv, UV_RUN_NOWAIT);
    still = uvow__out_unsent(flow->from) == before ? still + 1 : 0;
  }
}

static uvow_next_t on_numbered(const uvow_result_t *result, void *data) {
  size_t *count = (size_t *)data;
  uvow__slice_t bytes;
  assert_int_equal(uvow__value_slice(&result->value, &bytes), 0);
  assert_int_equal(bytes.len, TEXT);
  assert_int_equal(strtoul(bytes.ptr, NULL, 10), *count);
  ++*count;
  return uvow_next_none();
}

/* A consumer that takes nothing until it's told: what is unsent stops growing
 * at the mark, and what lies between is the two systems' and one stream's. Then
 * it reads, and nothing is missing. */
static void backpressure(int to_server) {
  flow_t flow;
  size_t count = 0;
  flow_open(&flow);
  if (to_server) {
    flow.from = flow.client;
    flow.to = flow.server;
  }
  fill(&flow);
  size_t unsent = uvow__out_unsent(flow.from);
  assert_true(unsent > flow.from->out.full_at);
  assert_true(unsent <= flow.from->out.full_at + TEXT + 64);
  uvow_stream_t *messages = uvow_websocket_messages(flow.to);
  assert_true(uvow_stream_waiting(messages) <= 64);
  assert_true(uvow_stream_waiting(messages) > 0);
  uvow_future_t *room = uvow_websocket_room(flow.from);
  size_t sent = flow.sent;
  fill(&flow); /* for as long as we wait: no more */
  assert_int_equal(flow.sent, sent);
  assert_int_equal(uvow_future_state(room), UVOW_PENDING);
  uvow_future_t *end = uvow_stream_each(messages, on_numbered, &count);
  assert_int_equal(loop_bed_wait(&flow.bed, room, NULL), 0);
  assert_int_equal(loop_bed_wait(&flow.bed,
                                 uvow_websocket_close(flow.from, 1000, NULL),
                                 NULL),
                   0);
  assert_int_equal(loop_bed_wait(&flow.bed, end, NULL), 0);
  assert_int_equal(count, flow.sent);
  flow_close(&flow);
}

TEST_CASE(test_backpressure_on_sockets) {
  backpressure(0);
}

TEST_CASE(test_backpressure_of_a_listeners) {
  backpressure(1);
}

/* The same through an echo: a pipe from its messages to its sink. What isn't
 * read back isn't read. */
TEST_CASE(test_an_echo_is_paced) {
  flow_t flow;
  size_t count = 0;
  flow_open(&flow);
  uvow_channel_t echo = uvow_websocket_channel(flow.client);
  uvow_future_t *piped = uvow_stream_pipe(echo.in, echo.out);
  uvow_stream_t *back = uvow_websocket_messages(flow.server);
  fill(&flow);
  assert_true(uvow__out_is_full(flow.server));
  assert_true(uvow__out_unsent(flow.client) <=
              flow.client->out.full_at + TEXT + 64);
  assert_true(uvow_stream_waiting(back) <= 64);
  uvow_future_t *end = uvow_stream_each(back, on_numbered, &count);
  assert_int_equal(
      loop_bed_wait(&flow.bed, uvow_websocket_flushed(flow.server), NULL), 0);
  while (count < flow.sent)
    uv_run(&flow.bed.uv, UV_RUN_ONCE);
  assert_int_equal(loop_bed_wait(&flow.bed,
                                 uvow_websocket_close(flow.server, 1000, NULL),
                                 NULL),
                   0);
  assert_int_equal(loop_bed_wait(&flow.bed, end, NULL), 0);
  (void)loop_bed_wait(&flow.bed, piped, NULL);
  assert_int_equal(count, flow.sent);
  flow_close(&flow);
}

TEST_MODULE(messages) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_full_stream_pauses),
      cmocka_unit_test(test_bytes_pause),
      cmocka_unit_test(test_kinds),
      cmocka_unit_test(test_what_waits_outlives_it),
      cmocka_unit_test(test_what_waits_when_full),
      cmocka_unit_test(test_closing_reads_on),
      cmocka_unit_test(test_a_close_waits_for_the_reader),
      cmocka_unit_test(test_a_close_waits_for_each),
      cmocka_unit_test(test_a_close_does_not_wait_for_ever),
      cmocka_unit_test(test_no_memory_for_a_message),
      cmocka_unit_test(test_backpressure_on_sockets),
      cmocka_unit_test(test_backpressure_of_a_listeners),
      cmocka_unit_test(test_an_echo_is_paced),
  };
  return cmocka_run_group_tests_name("websocket/messages", tests, NULL, NULL);
}
