/* Handshakes that no client of uvow's says: a listener's guests, played byte by
 * byte on a transport without sockets. */
#include "support/script.h"
#include "support/wires.h"
#include "websocket/listener.h"

#include <stdio.h>
#include <stdlib.h>

#define HOST_AT "Host: "
#define REST                                                                   \
  "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"                          \
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"                            \
  "Sec-WebSocket-Version: 13\r\n\r\n"

typedef struct room {
  script_t s;
  wires_t wires;
  uvow_listener_t *listener;
  uvow_stream_t *accepted;
  int asked;
} room_t;

/* One that knocks: an io of its own. */
typedef struct guest {
  uvow__io_t *io;
  wires_link_t *link;
  char heard[512];
  int ended;
} guest_t;

static void on_open(void *ctx) {
  (void)ctx;
}
static void on_read(void *ctx, const uint8_t *bytes, size_t len) {
  guest_t *guest = (guest_t *)ctx;
  size_t at = strlen(guest->heard);
  assert_true(at + len < sizeof(guest->heard));
  memcpy(guest->heard + at, bytes, len);
}
static void on_end(void *ctx, uvow_error_t *error) {
  ((guest_t *)ctx)->ended++;
  uvow_error_unref(error);
}
static const uvow__io_callbacks_t callbacks = {on_open, on_read, on_open,
                                               on_end, on_open};

static void enter(room_t *room, uvow_listener_options_t *options) {
  memset(room, 0, sizeof(*room));
  script_init(&room->s);
  script_drive_clock(&room->s);
  wires_init(&room->wires);
  options->size = sizeof(*options);
  options->data = room;
  assert_int_equal(uvow__listener_new(room->s.loop, options,
                                      &room->wires.transport, &room->listener),
                   0);
  room->accepted = uvow_listener_accept(room->listener);
}

static void leave(room_t *room) {
  uvow_stream_unref(room->accepted);
  uvow_listener_free(room->listener);
  script_end(&room->s);
  wires_done(&room->wires);
}

/* Says `text` in one write, which is read in one. */
static void knock(room_t *room, guest_t *guest, const char *text, size_t len) {
  uvow__endpoint_t endpoint = {0};
  uvow__buf_t out;
  memset(guest, 0, sizeof(*guest));
  endpoint.host = "127.0.0.1";
  endpoint.port = 1;
  assert_int_equal(room->wires.transport.connect(&room->wires.transport,
                                                 room->s.loop, &endpoint,
                                                 &callbacks, guest, &guest->io),
                   0);
  wires_connect(&room->wires);
  guest->link = wires_last(&room->wires);
  uvow__buf_init(&out, uvow__loop_mem(room->s.loop), SIZE_MAX);
  assert_int_equal(uvow__buf_append(&out, text, len), 0);
  assert_int_equal(guest->io->ops->write(guest->io, &out), 0);
  uvow__buf_done(&out);
  (void)wires_move(guest->link, 0, SIZE_MAX);
  script_turns(&room->s);
  (void)wires_move(guest->link, 1, SIZE_MAX);
}

static void go(room_t *room, guest_t *guest) {
  guest->io->ops->close(guest->io);
  (void)wires_move(guest->link, 0, SIZE_MAX);
  script_turns(&room->s);
}

/* The status that it answers this Host with. */
static int status_for(room_t *room, const char *host) {
  char text[512];
  guest_t guest;
  int status = 0;
  int len = snprintf(text, sizeof(text), "GET / HTTP/1.1\r\n" HOST_AT "%s" REST,
                     host);
  knock(room, &guest, text, (size_t)len);
  assert_int_equal(sscanf(guest.heard, "HTTP/1.1 %d ", &status), 1);
  go(room, &guest);
  return status;
}

/* On a loopback address: no name of another's, whatever it looks like. */
TEST_CASE(test_hosts_of_a_loopback) {
  static const struct {
    const char *host;
    int status;
  } cases[] = {{"127.0.0.1", 101},    {"127.0.0.1:80", 101},
               {"10.1.2.3", 101},     {"[::1]", 101},
               {"[::1]:80", 101},     {"localhost", 101},
               {"LocalHost:1", 101},  {"2130706433", 101},
               {"evil.test", 403},    {"1.evil.test", 403},
               {"evil.test:80", 403}, {"localhost.", 403},
               {":80", 403},          {"", 400}};
  uvow_listener_options_t options = {0};
  room_t room;
  enter(&room, &options);
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    int status = status_for(&room, cases[i].host);
    if (status != cases[i].status)
      fail_msg("%s: %d, not %d", cases[i].host, status, cases[i].status);
  }
  leave(&room);
}

/* On another, any Host is welcome; one that is named, only itself. */
TEST_CASE(test_hosts_of_others) {
  static const char *const names[] = {"app.example"};
  uvow_listener_options_t any = {.host = "0.0.0.0"};
  uvow_listener_options_t named = {
      .host = "0.0.0.0", .hosts = names, .host_count = 1};
  uvow_listener_options_t v6 = {.host = "::1"};
  room_t room;
  enter(&room, &any);
  assert_int_equal(status_for(&room, "any.test"), 101);
  leave(&room);
  enter(&room, &named);
  assert_int_equal(status_for(&room, "any.test"), 403);
  assert_int_equal(status_for(&room, "app.example:81"), 101);
  leave(&room);
  enter(&room, &v6);
  assert_int_equal(status_for(&room, "any.test"), 403);
  assert_int_equal(status_for(&room, "[::1]:1"), 101);
  leave(&room);
}

static uvow_next_t on_handshake(uvow_websocket_t *ws, void *data) {
  ((room_t *)data)->asked++;
  (void)ws;
  return uvow_next_pass();
}

/* One that says too much before it is answered is ended: in the same read as its
 * handshake, too, and then nobody is asked. */
TEST_CASE(test_too_much_before_the_answer) {
  static const char head[] = "GET / HTTP/1.1\r\n" HOST_AT "localhost" REST;
  uvow_listener_options_t options = {.on_handshake = on_handshake};
  size_t len = sizeof(head) - 1 + UVOW__EARLY_MAX + 1;
  char *text = (char *)calloc(1, len);
  guest_t guest;
  room_t room;
  assert_non_null(text);
  memcpy(text, head, sizeof(head) - 1);
  enter(&room, &options);
  knock(&room, &guest, text, len);
  assert_int_equal(room.asked, 0);
  assert_string_equal(guest.heard, "");
  assert_int_equal(room.listener->count, 0);
  go(&room, &guest);
  /* As much as there is room for is kept, and read once it is open. */
  knock(&room, &guest, text, sizeof(head) - 1);
  assert_int_equal(room.asked, 1);
  assert_memory_equal(guest.heard, "HTTP/1.1 101 ", 13);
  go(&room, &guest);
  free(text);
  leave(&room);
}

/* One that is being closed isn't idle: it has close_timeout_ms. */
TEST_CASE(test_no_idle_in_the_close) {
  static const char head[] = "GET / HTTP/1.1\r\n" HOST_AT "localhost" REST;
  uvow_listener_options_t options = {.idle_ms = 1000, .close_timeout_ms = 9000};
  guest_t guest;
  room_t room;
  enter(&room, &options);
  knock(&room, &guest, head, sizeof(head) - 1);
  script_mark_t closed = script_mark(&room.s, "closed");
  uvow_result_t result;
  uvow_future_t *next = uvow_stream_next(room.accepted);
  script_turns(&room.s);
  assert_int_equal(uvow_future_peek(next, &result), 0);
  uvow_websocket_t *ws = uvow_websocket_ref(uvow_result_websocket(&result));
  uvow_future_unref(next);
  script_watch(uvow_websocket_close(ws, 1000, ""), &closed);
  for (int i = 0; i < 4; i++)
    script_advance(&room.s, 1100);
  script_expect(&room.s, "");
  for (int i = 0; i < 2; i++) /* again: its frame has left since */
    script_advance(&room.s, 9100);
  script_turns(&room.s);
  script_expect(&room.s, "closed=");
  assert_int_equal(uvow_error_code(ws->ended), UVOW_ECLOSED);
  uvow_websocket_unref(ws);
  go(&room, &guest);
  leave(&room);
}

/* Above max_peers_per_address each is told so, but no more than 64 at once: the
 * next one is closed before a byte is read. */
TEST_CASE(test_a_crowd_from_one_address) {
  enum { CROWD = 68 };
  uvow_listener_options_t options = {.max_peers_per_address = 1};
  guest_t guests[CROWD];
  room_t room;
  enter(&room, &options);
  for (int i = 0; i < CROWD; i++)
    knock(&room, &guests[i], "G", 1);
  assert_int_equal(room.listener->surplus, 64);
  assert_int_equal(room.listener->count, 65);
  for (int i = 0; i < CROWD; i++)
    assert_int_equal(guests[i].ended, i > 64);
  for (int i = 0; i < CROWD; i++)
    go(&room, &guests[i]);
  assert_int_equal(room.listener->count, 0);
  assert_int_equal(status_for(&room, "localhost"), 101);
  leave(&room);
}

TEST_MODULE(knocks) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_hosts_of_a_loopback),
      cmocka_unit_test(test_hosts_of_others),
      cmocka_unit_test(test_too_much_before_the_answer),
      cmocka_unit_test(test_no_idle_in_the_close),
      cmocka_unit_test(test_a_crowd_from_one_address),
  };
  return cmocka_run_group_tests_name("websocket/knocks", tests, NULL, NULL);
}
