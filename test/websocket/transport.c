/* A transport of its own, as the page says that one is added: nothing of the
 * library but net/io.h, and both ends of a WebSocket run on it. */
#include "net/io.h"

#include <uvow/websocket.h>

#include "support/script.h"
#include "support/wires.h"
#include "websocket/listener.h"

typedef struct room {
  script_t s;
  wires_t wires;
  uvow_listener_t *listener;
  uvow_stream_t *accepted;
  uvow_websocket_t *client;
} room_t;

static void enter(room_t *room) {
  uvow_listener_options_t options = {.size = sizeof(options)};
  memset(room, 0, sizeof(*room));
  script_init(&room->s);
  script_drive_clock(&room->s);
  wires_init(&room->wires);
  assert_int_equal(uvow__listener_new(room->s.loop, &options,
                                      &room->wires.transport, &room->listener),
                   0);
  room->accepted = uvow_listener_accept(room->listener);
  room->client = uvow__websocket_connect(room->s.loop, "ws://127.0.0.1:1/x",
                                         NULL, &room->wires.transport);
  assert_non_null(room->client);
}

static void leave(room_t *room) {
  uvow_stream_unref(room->accepted);
  uvow_websocket_unref(room->client);
  uvow_listener_free(room->listener);
  script_end(&room->s);
  wires_done(&room->wires);
}

/* All that was said is read, byte by byte, until nobody says any more. */
static void play(room_t *room) {
  wires_link_t *link = wires_last(&room->wires);
  wires_connect(&room->wires);
  for (int quiet = 0; quiet < 2;) {
    size_t moved = wires_move(link, 0, 1) + wires_move(link, 1, 1);
    wires_drain(link, 0);
    wires_drain(link, 1);
    script_turns(&room->s);
    quiet = moved ? 0 : quiet + 1;
  }
}

/* The next item of a stream, in `log` as a mark. */
static void expect_next(room_t *room, uvow_stream_t *stream,
                        const char *expected) {
  script_mark_t mark = script_mark(&room->s, "got");
  script_watch(uvow_stream_next(stream), &mark);
  play(room);
  script_expect(&room->s, expected);
}

static void keep(const uvow_result_t *result, void *data) {
  *(uvow_websocket_t **)data =
      uvow_websocket_ref(uvow_result_websocket(result));
}

/* The server's end, owned. */
static uvow_websocket_t *accept_one(room_t *room) {
  uvow_websocket_t *ws = NULL;
  assert_int_equal(
      uvow_future_done(uvow_stream_next(room->accepted), keep, &ws), 0);
  play(room);
  assert_non_null(ws);
  return ws;
}

TEST_CASE(messages_go_both_ways) {
  room_t room;
  enter(&room);
  uvow_websocket_t *server = accept_one(&room);
  assert_string_equal(uvow_websocket_target(server), "/x");
  assert_string_equal(uvow_websocket_address(server), "127.0.0.1:1");
  assert_int_equal(uvow_listener_port(room.listener), 1);
  uvow_stream_t *to_server = uvow_websocket_messages(server);
  uvow_stream_t *to_client = uvow_websocket_messages(room.client);
  room.wires.block = 1; /* what is written leaves later */
  assert_int_equal(uvow_websocket_send(room.client, uvow_value_text("up")), 0);
  assert_int_equal(uvow_websocket_send(server, uvow_value_text("down")), 0);
  expect_next(&room, to_server, "got=up");
  expect_next(&room, to_client, "got=down");
  room.wires.block = 0;
  uvow_stream_unref(to_server);
  uvow_stream_unref(to_client);
  uvow_websocket_unref(server);
  play(&room);
  leave(&room);
}

TEST_CASE(a_close_is_heard_at_the_other_end) {
  room_t room;
  enter(&room);
  script_mark_t closed = script_mark(&room.s, "closed");
  uvow_websocket_t *server = accept_one(&room);
  script_watch(uvow_websocket_close(server, 4001, "done"), &closed);
  play(&room);
  script_expect(&room.s, "closed=");
  assert_false(wires_is_there(wires_last(&room.wires), 0));
  assert_false(wires_is_there(wires_last(&room.wires), 1));
  assert_int_equal(room.client->state, UVOW__WS_CLOSED);
  assert_int_equal(uvow_error_status(room.client->ended), 4001);
  uvow_websocket_unref(server);
  leave(&room);
}

TEST_CASE(a_break_is_the_transports_error) {
  room_t room;
  enter(&room);
  uvow_websocket_t *server = accept_one(&room);
  wires_cut(wires_last(&room.wires), UV_ECONNRESET);
  script_turns(&room.s);
  assert_int_equal(uvow_error_code(room.client->ended), UVOW_ELOST);
  assert_int_equal(uvow_error_code(uvow_error_cause(room.client->ended)),
                   UV_ECONNRESET);
  assert_int_equal(server->state, UVOW__WS_CLOSED);
  uvow_websocket_unref(server);
  leave(&room);
}

TEST_CASE(nobody_listens) {
  room_t room;
  enter(&room);
  uvow_future_detach(uvow_listener_close(room.listener));
  script_turns(&room.s);
  play(&room);
  assert_int_equal(uvow_error_code(room.client->ended), UV_ECONNREFUSED);
  leave(&room);
}

/* A close through a proxy is given more time as long as the peer reads. */
TEST_CASE(a_close_through_a_proxy_takes_its_time) {
  static const char answer[] = "HTTP/1.1 200 OK\r\n\r\n";
  uvow_websocket_options_t options = {.size = sizeof(options),
                                      .proxy = "http://p.test:3128",
                                      .close_timeout_ms = 1000};
  script_t s;
  script_init(&s);
  script_drive_clock(&s);
  uvow_websocket_t *ws = uvow__websocket_connect(s.loop, "ws://h.test:81/",
                                                 &options, &s.transport);
  assert_non_null(ws);
  script_connected(&s);
  script_feed(&s, answer, sizeof(answer) - 1);
  script_accept(&s);
  s.unsent = 1000;
  uvow_future_detach(uvow_websocket_close(ws, 1000, NULL));
  for (int i = 0; i < 5; i++) { /* less than before: it reads */
    script_advance(&s, 999);
    s.unsent -= 10;
    script_advance(&s, 10);
    assert_int_equal(ws->state, UVOW__WS_CLOSING);
  }
  script_advance(&s, 1010);
  script_advance(&s, 1010);
  assert_int_equal(ws->state, UVOW__WS_CLOSED);
  uvow_websocket_unref(ws);
  script_end(&s);
}

TEST_MODULE(transport) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(messages_go_both_ways),
      cmocka_unit_test(a_close_is_heard_at_the_other_end),
      cmocka_unit_test(a_break_is_the_transports_error),
      cmocka_unit_test(nobody_listens),
      cmocka_unit_test(a_close_through_a_proxy_takes_its_time),
  };
  return cmocka_run_group_tests_name("websocket/transport", tests, NULL, NULL);
}
