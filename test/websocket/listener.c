/* Listening for WebSockets, and both ends of them on real sockets. */
#include "websocket/listener.h"

#include "support/faults.h"
#include "support/loop_bed.h"

#include <stdio.h>

#include "future/bytes.h"

typedef struct room {
  loop_bed_t bed;
  uvow_listener_t *listener;
  char url[128];
} room_t;

static void enter(room_t *room, const uvow_listener_options_t *options) {
  memset(room, 0, sizeof(*room));
  loop_bed_open(&room->bed);
  room->listener = uvow_listener_new(room->bed.loop, options);
  assert_non_null(room->listener);
  snprintf(room->url, sizeof(room->url), "ws://127.0.0.1:%u/chat?x=1",
           (unsigned)uvow_listener_port(room->listener));
}

static void leave(room_t *room) {
  uvow_listener_free(room->listener);
  loop_bed_close(&room->bed, "closed");
}

static uvow_websocket_t *join(room_t *room) {
  uvow_websocket_t *ws =
      uvow_websocket_connect(room->bed.loop, room->url, NULL);
  assert_non_null(ws);
  return ws;
}

/* The next one that is accepted: owned. */
static uvow_websocket_t *take(room_t *room, uvow_stream_t *accepted) {
  uvow_result_t result;
  assert_int_equal(
      loop_bed_wait(&room->bed, uvow_stream_next(accepted), &result), 0);
  uvow_websocket_t *ws = uvow_result_websocket(&result);
  assert_non_null(ws);
  return uvow_websocket_ref(ws);
}

static void expect_text(room_t *room, uvow_stream_t *messages,
                        const char *text) {
  uvow_result_t result;
  uvow__slice_t bytes;
  assert_int_equal(
      loop_bed_wait(&room->bed, uvow_stream_next(messages), &result), 0);
  assert_int_equal(uvow__value_slice(&result.value, &bytes), 0);
  assert_int_equal(bytes.len, strlen(text));
  assert_memory_equal(bytes.ptr, text, bytes.len);
}

static int wait_for(room_t *room, uvow_future_t *f) {
  return loop_bed_wait(&room->bed, f, NULL);
}

/* Turns without waiting: nothing that is to happen needs more. */
static void turns(room_t *room) {
  for (int i = 0; i < 50; i++)
    uv_run(&room->bed.uv, UV_RUN_NOWAIT);
}

TEST_CASE(test_both_ends) {
  room_t room;
  enter(&room, NULL);
  uvow_stream_t *accepted = uvow_listener_accept(room.listener);
  uvow_websocket_t *client = join(&room);
  assert_int_equal(uvow_websocket_send(client, uvow_value_text("early")), 0);
  uvow_websocket_t *server = take(&room, accepted);
  uvow_stream_t *in = uvow_websocket_messages(server);
  expect_text(&room, in, "early");
  assert_string_equal(uvow_websocket_target(server), "/chat?x=1");
  assert_non_null(uvow_websocket_header(server, "host"));
  assert_memory_equal(uvow_websocket_address(server), "127.0.0.1:", 10);
  assert_string_equal(strrchr(uvow_websocket_address(client), ':') + 1,
                      strrchr(uvow_websocket_header(server, "Host"), ':') + 1);
  assert_int_equal(wait_for(&room, uvow_websocket_ping(server)), 0);
  assert_int_equal(wait_for(&room, uvow_websocket_ping(client)), 0);
  assert_int_equal(uvow_websocket_send(server, uvow_value_text("back")), 0);
  uvow_stream_t *back = uvow_websocket_messages(client);
  expect_text(&room, back, "back");
  assert_int_equal(wait_for(&room, uvow_websocket_flushed(server)), 0);
  uvow_future_t *end = uvow_stream_next(back); /* or the close is held */
  assert_int_equal(wait_for(&room, uvow_websocket_close(server, 3000, "done")),
                   0);
  uvow_result_t result;
  assert_int_equal(loop_bed_wait(&room.bed, end, &result), UVOW_ECLOSED);
  assert_int_equal(uvow_error_status(result.error), 3000);
  uvow_stream_unref(in);
  uvow_stream_unref(back);
  uvow_stream_unref(accepted);
  uvow_websocket_unref(client);
  uvow_websocket_unref(server);
  leave(&room);
}

/* Nobody reads: nobody is accepted, however many come; then all are. */
TEST_CASE(test_while_none_is_read_none_is_accepted) {
  enum { COUNT = 80 };
  room_t room;
  uvow_websocket_t *clients[COUNT];
  enter(&room, NULL);
  for (int i = 0; i < COUNT; i++)
    clients[i] = join(&room);
  turns(&room);
  assert_int_equal(room.listener->count, 0);
  uvow_stream_t *accepted = uvow_listener_accept(room.listener);
  while (uvow_stream_waiting(accepted) < 64)
    uv_run(&room.bed.uv, UV_RUN_ONCE);
  turns(&room); /* who had begun may end his handshake */
  size_t count = room.listener->count;
  uvow_websocket_t *late = join(&room);
  turns(&room);
  assert_int_equal(room.listener->count, count);
  assert_int_equal(uvow_stream_waiting(accepted), 64);
  for (int i = 0; i < COUNT + 1; i++)
    uvow_websocket_unref(take(&room, accepted));
  for (int i = 0; i < COUNT; i++)
    uvow_websocket_unref(clients[i]);
  uvow_websocket_unref(late);
  uvow_stream_unref(accepted);
  leave(&room);
}

/* Letting go of them closes the listener. */
TEST_CASE(test_letting_go_closes) {
  room_t room;
  enter(&room, NULL);
  uvow_stream_t *accepted = uvow_listener_accept(room.listener);
  uvow_websocket_t *client = join(&room);
  assert_int_equal(wait_for(&room, uvow_websocket_ready(client)), 0);
  turns(&room);
  uvow_stream_unref(accepted);
  turns(&room);
  assert_int_equal(uvow_listener_port(room.listener), 0);
  uvow_stream_t *in = uvow_websocket_messages(client);
  assert_int_equal(wait_for(&room, uvow_stream_next(in)),
                   0); /* 1001: the end */
  uvow_stream_unref(in);
  uvow_websocket_unref(client);
  leave(&room);
}

/* Who is open goes on; who isn't, is ended; the stream ends behind who waits. */
TEST_CASE(test_close) {
  room_t room;
  uvow_result_t result;
  enter(&room, NULL);
  uvow_stream_t *accepted = uvow_listener_accept(room.listener);
  uvow_websocket_t *client = join(&room);
  assert_int_equal(wait_for(&room, uvow_websocket_ready(client)), 0);
  uvow_future_t *closed = uvow_listener_close(room.listener);
  assert_int_equal(uvow_listener_port(room.listener), 0);
  assert_int_equal(wait_for(&room, closed), 0);
  assert_int_equal(wait_for(&room, uvow_listener_close(room.listener)), 0);
  uvow_websocket_t *late = join(&room);
  assert_int_equal(wait_for(&room, uvow_websocket_ready(late)),
                   UV_ECONNREFUSED);
  uvow_websocket_t *server = take(&room, accepted);
  assert_int_equal(
      loop_bed_wait(&room.bed, uvow_stream_next(accepted), &result), 0);
  assert_true(uvow_result_is_end(&result));
  assert_int_equal(wait_for(&room, uvow_websocket_ping(server)), 0);
  uvow_listener_free(room.listener);
  room.listener = NULL;
  assert_int_equal(wait_for(&room, uvow_websocket_ping(client)), 0);
  uvow_websocket_unref(late);
  uvow_websocket_unref(client);
  uvow_websocket_unref(server);
  uvow_stream_unref(accepted);
  leave(&room);
}

/* Freed with guests in all states. */
TEST_CASE(test_freed) {
  room_t room;
  enter(&room, NULL);
  uvow_stream_t *accepted = uvow_listener_accept(room.listener);
  uvow_websocket_t *one = join(&room);
  uvow_websocket_t *server = take(&room, accepted);
  uvow_websocket_t *two = join(&room);
  assert_int_equal(wait_for(&room, uvow_websocket_ready(two)), 0);
  turns(&room);
  uvow_websocket_t *three = join(&room);
  while (room.listener->count < 3)
    uv_run(&room.bed.uv, UV_RUN_ONCE);
  uvow_listener_free(room.listener);
  room.listener = NULL;
  assert_int_equal(wait_for(&room, uvow_websocket_ping(one)), 0);
  assert_true(wait_for(&room, uvow_websocket_ready(three)) < 0);
  uvow_websocket_unref(one);
  uvow_websocket_unref(two);
  uvow_websocket_unref(three);
  uvow_websocket_unref(server);
  uvow_stream_unref(accepted);
  leave(&room);
}

static int refused_with(room_t *room, uvow_websocket_t *ws, int *ret_status) {
  uvow_result_t result;
  int rc = loop_bed_wait(&room->bed, uvow_websocket_ready(ws), &result);
  *ret_status = result.error ? uvow_error_status(result.error) : 101;
  return rc;
}

/* Above max_peers, or max_peers_per_address: 503; there is room again once one
 * has gone. */
TEST_CASE(test_limits_in_number) {
  for (int by_address = 0; by_address < 2; by_address++) {
    uvow_listener_options_t options = {.size = sizeof(options)};
    room_t room;
    int status;
    options.max_peers = by_address ? 100 : 2;
    options.max_peers_per_address = by_address ? 2 : 0;
    enter(&room, &options);
    uvow_stream_t *accepted = uvow_listener_accept(room.listener);
    uvow_websocket_t *a = join(&room);
    uvow_websocket_t *b = join(&room);
    uvow_websocket_t *server = take(&room, accepted);
    uvow_websocket_unref(take(&room, accepted)); /* the second of them */
    uvow_websocket_t *c = join(&room);
    (void)refused_with(&room, c, &status);
    (void)status; /* either one had gone already, or not */
    uvow_websocket_t *d = join(&room);
    uvow_websocket_t *e = join(&room);
    (void)refused_with(&room, d, &status);
    assert_int_equal(refused_with(&room, e, &status), UVOW_EHANDSHAKE);
    assert_int_equal(status, 503);
    assert_true(uvow__listener_count(room.listener) <= 2);
    uvow_websocket_unref(a);
    uvow_websocket_unref(b);
    uvow_websocket_unref(c);
    uvow_websocket_unref(d);
    uvow_websocket_unref(e);
    uvow_websocket_unref(server);
    uvow_stream_unref(accepted);
    leave(&room);
  }
}

/* A server claims what is accepted, before any stream. */
typedef struct owner {
  uvow_websocket_t *ws;
  int opened;
  int ended;
  char text[16];
  int take;
} owner_t;

static void owner_on_open(void *ctx) {
  (void)ctx;
}
static void owner_on_message(void *ctx, int opcode, const uint8_t *bytes,
                             size_t len, uvow__buf_t *whole) {
  owner_t *owner = (owner_t *)ctx;
  uvow__splice_t echo = {{(const char *)bytes, len}, {NULL, 0}, 0, NULL};
  uvow__channel_t *channel = uvow__websocket_channel(owner->ws);
  (void)whole;
  snprintf(owner->text, sizeof(owner->text), "%.*s", (int)len,
           (const char *)bytes);
  assert_int_equal(uvow__channel_send(channel, opcode, &echo), 0);
}
static void owner_on_peer_close(void *ctx, const uvow_error_t *why) {
  (void)ctx;
  (void)why;
}
static void owner_on_writable(void *ctx) {
  (void)ctx;
}
static void owner_on_end(void *ctx, uvow_error_t *error) {
  ((owner_t *)ctx)->ended++;
  uvow_error_unref(error);
}
static const uvow__channel_callbacks_t owner_callbacks = {
    owner_on_open,     owner_on_message, owner_on_peer_close,
    owner_on_writable, owner_on_end,     NULL};

static void on_claimed(void *ctx, uvow_websocket_t *ws) {
  owner_t *owner = (owner_t *)ctx;
  owner->opened++;
  if (!owner->take)
    return;
  owner->ws = uvow_websocket_ref(ws);
  uvow__channel_tell(uvow__websocket_channel(ws), &owner_callbacks, owner);
}

TEST_CASE(test_claimed) {
  room_t room;
  owner_t owner = {.take = 1};
  enter(&room, NULL);
  uvow__listener_claim(room.listener, on_claimed, &owner);
  uvow_stream_t *none = uvow_listener_accept(room.listener);
  assert_int_equal(wait_for(&room, uvow_stream_next(none)), UVOW_EBUSY);
  uvow_stream_unref(none);
  uvow_websocket_t *client = join(&room);
  assert_int_equal(uvow_websocket_send(client, uvow_value_text("hi")), 0);
  uvow_stream_t *in = uvow_websocket_messages(client);
  expect_text(&room, in, "hi");
  assert_string_equal(owner.text, "hi");
  none = uvow_websocket_messages(owner.ws);
  assert_int_equal(wait_for(&room, uvow_stream_next(none)), UVOW_EBUSY);
  uvow_stream_unref(none);
  owner.take = 0; /* nobody wants the second one */
  uvow_websocket_t *second = join(&room);
  uvow_stream_t *end = uvow_websocket_messages(second);
  assert_int_equal(wait_for(&room, uvow_stream_next(end)), 0);
  assert_int_equal(owner.opened, 2);
  uvow_stream_unref(end);
  uvow_websocket_unref(second);
  uvow_websocket_unref(client);
  uvow_stream_unref(in);
  while (!owner.ended)
    uv_run(&room.bed.uv, UV_RUN_ONCE);
  uvow_websocket_unref(owner.ws);
  leave(&room);
}

/* The channel's owner gives it up: nobody is told. */
TEST_CASE(test_dropped) {
  room_t room;
  owner_t owner = {.take = 1};
  enter(&room, NULL);
  uvow__listener_claim(room.listener, on_claimed, &owner);
  uvow_websocket_t *client = join(&room);
  while (!owner.ws)
    uv_run(&room.bed.uv, UV_RUN_ONCE);
  uvow__websocket_channel(owner.ws)->ops->drop(
      uvow__websocket_channel(owner.ws));
  uvow_stream_t *in = uvow_websocket_messages(client);
  assert_int_equal(wait_for(&room, uvow_stream_next(in)), 0); /* 1001 */
  assert_int_equal(owner.ended, 0);
  assert_int_equal(room.listener->count, 0);
  uvow_websocket_unref(owner.ws);
  uvow_stream_unref(in);
  uvow_websocket_unref(client);
  leave(&room);
}

/* What is counted against server_max_bytes is there as long as who counts: a
 * listener that was freed while a peer is still being told that it's over. */
TEST_CASE(test_the_quota_outlives_the_listener) {
  uvow_listener_options_t options = {.size = sizeof(options)};
  room_t room;
  options.server_max_bytes = 1024 * 1024;
  options.max_message_bytes = 10;
  enter(&room, &options);
  uvow_stream_t *accepted = uvow_listener_accept(room.listener);
  uvow_websocket_t *client = join(&room);
  uvow_websocket_t *server = take(&room, accepted);
  char big[4096];
  memset(big, 'x', sizeof(big));
  big[sizeof(big) - 1] = '\0';
  assert_int_equal(uvow_websocket_send(client, uvow_value_text(big)), 0);
  uvow_stream_t *in = uvow_websocket_messages(server);
  uvow_stream_unref(accepted);
  assert_int_equal(wait_for(&room, uvow_stream_next(in)), UVOW_ETOOBIG);
  uvow_listener_free(room.listener);
  room.listener = NULL;
  uvow_stream_unref(in);
  uvow_websocket_unref(server);
  in = uvow_websocket_messages(client);
  uvow_result_t result;
  assert_int_equal(loop_bed_wait(&room.bed, uvow_stream_next(in), &result),
                   UVOW_ECLOSED);
  assert_int_equal(uvow_error_status(result.error), 1009);
  uvow_stream_unref(in);
  uvow_websocket_unref(client);
  leave(&room);
}

/* No message for idle_ms: 1001. Driven by the loop's own clock: it decides how
 * long this takes, not whether it passes. */
TEST_CASE(test_idle) {
  uvow_listener_options_t options = {.size = sizeof(options)};
  room_t room;
  uvow_result_t result;
  options.idle_ms = 20;
  enter(&room, &options);
  uvow_stream_t *accepted = uvow_listener_accept(room.listener);
  uvow_websocket_t *client = join(&room);
  uvow_websocket_t *server = take(&room, accepted);
  uvow_stream_t *in = uvow_websocket_messages(server);
  assert_int_equal(loop_bed_wait(&room.bed, uvow_stream_next(in), &result),
                   UVOW_ETIMEDOUT);
  assert_int_equal(uvow_error_status(result.error), 1001);
  uvow_stream_unref(in);
  in = uvow_websocket_messages(client);
  assert_int_equal(loop_bed_wait(&room.bed, uvow_stream_next(in), &result), 0);
  assert_true(uvow_result_is_end(&result));
  uvow_stream_unref(in);
  uvow_websocket_unref(client);
  uvow_websocket_unref(server);
  uvow_stream_unref(accepted);
  leave(&room);
}

/* More than the stream takes: they wait, and none is lost. All are read; or
 * nobody reads any more; or the listener goes; or the one in front leaves. */
static void crowd(int how) {
  enum { CROWD = 67, FIRST = 64 };
  room_t room;
  uvow_websocket_t *guests[CROWD];
  enter(&room, NULL);
  uvow_stream_t *accepted = uvow_listener_accept(room.listener);
  assert_ptr_equal(uvow_listener_accept(room.listener), accepted);
  uvow_stream_unref(accepted); /* one of its handles */
  for (int i = 0; i < CROWD; i++)
    guests[i] = join(&room);
  for (int i = 0; i < CROWD; i++)
    assert_int_equal(wait_for(&room, uvow_websocket_ready(guests[i])), 0);
  assert_int_equal(uvow_stream_waiting(accepted), FIRST);
  for (int i = 0; i < CROWD && how == 3; i++)
    assert_int_equal(wait_for(&room, uvow_websocket_close(guests[i], 1000, "")),
                     0);
  assert_int_equal(room.listener->count, how == 3 ? 0 : CROWD);
  if (how == 1) {
    uvow_stream_unref(accepted);
    turns(&room);
    assert_int_equal(room.listener->count, 0);
    assert_int_equal(uvow_listener_port(room.listener), 0);
  } else if (how == 2) {
    uvow_listener_free(room.listener);
    room.listener = NULL;
  }
  size_t read = how == 0 ? CROWD : how == 1 ? 0 : FIRST;
  for (size_t i = 0; i < read; i++)
    uvow_websocket_unref(take(&room, accepted));
  /* The last one is let go of. */
  (void)wait_for(&room, uvow_future_delay(room.bed.loop, 0));
  for (int i = 0; i < CROWD; i++) {
    while (guests[i]->state != UVOW__WS_CLOSED)
      assert_true(uv_run(&room.bed.uv, UV_RUN_ONCE) ||
                  guests[i]->state == UVOW__WS_CLOSED);
    uvow_websocket_unref(guests[i]);
  }
  if (how != 1)
    uvow_stream_unref(accepted);
  leave(&room);
}

TEST_CASE(test_a_crowd) {
  for (int how = 0; how < 4; how++)
    crowd(how);
}

/* The address of who came, as the system says it; "" where it can't. */
TEST_CASE(test_addresses) {
  for (int how = 0; how < 3; how++) {
    uvow_listener_options_t options = {.size = sizeof(options)};
    room_t room;
    options.host = how == 0 ? "::1" : "127.0.0.1";
    memset(&room, 0, sizeof(room));
    loop_bed_open(&room.bed);
    room.listener = uvow_listener_new(room.bed.loop, &options);
    if (!room.listener && how == 0) { /* a system without IPv6 */
      loop_bed_close(&room.bed, "closed");
      continue;
    }
    assert_non_null(room.listener);
    snprintf(room.url, sizeof(room.url), "ws://%s:%u/",
             how == 0 ? "[::1]" : "127.0.0.1",
             (unsigned)uvow_listener_port(room.listener));
    uvow_stream_t *accepted = uvow_listener_accept(room.listener);
    if (how == 2)
      faults_begin("uv_tcp_getpeername", UV_ENOTCONN, 1, SIZE_MAX);
    uvow_websocket_t *client = join(&room);
    uvow_websocket_t *server = take(&room, accepted);
    if (how == 2)
      assert_true(faults_end() > 0);
    static const char *const begins[] = {"[::1]:", "127.0.0.1:", ""};
    const char *address = uvow_websocket_address(server);
    assert_memory_equal(address, begins[how], strlen(begins[how]));
    assert_int_equal(address[0] == '\0', how == 2);
    uvow_stream_unref(accepted);
    uvow_websocket_unref(client);
    uvow_websocket_unref(server);
    leave(&room);
  }
}

/* Asked for when it is over, the stream ends at once. */
TEST_CASE(test_accept_after_close) {
  uvow_result_t result;
  room_t room;
  enter(&room, NULL);
  assert_int_equal(wait_for(&room, uvow_listener_close(room.listener)), 0);
  uvow_stream_t *accepted = uvow_listener_accept(room.listener);
  assert_int_equal(
      loop_bed_wait(&room.bed, uvow_stream_next(accepted), &result), 0);
  assert_true(uvow_result_is_end(&result));
  uvow_stream_unref(accepted);
  leave(&room);
}

/* Its state as it is being told of the loop's end. */
static void on_closing(const uvow_result_t *result, void *data) {
  room_t *room = (room_t *)data;
  (void)result;
  assert_null(uvow_websocket_connect(room->bed.loop, room->url, NULL));
  assert_null(uvow_listener_new(room->bed.loop, NULL));
  assert_int_equal(uvow_error_code(uvow_loop_error(room->bed.loop)),
                   UVOW_ECLOSED);
  loop_bed_log(&room->bed, "refused");
}

TEST_CASE(test_none_on_a_closed_loop) {
  room_t room;
  enter(&room, NULL);
  uvow_stream_t *accepted = uvow_listener_accept(room.listener);
  assert_int_equal(
      uvow_future_done(uvow_stream_next(accepted), on_closing, &room), 0);
  uvow_loop_close(room.bed.loop, NULL, NULL);
  turns(&room);
  loop_bed_expect(&room.bed, "refused");
  uvow_stream_unref(accepted);
  uvow_listener_free(room.listener);
  room.bed.loop = NULL;
  loop_bed_close(&room.bed, "");
}

TEST_CASE(test_what_is_wrong) {
  uvow_listener_options_t options = {.size = sizeof(options)};
  loop_bed_t bed;
  uvow_listener_t *listener = NULL;
  loop_bed_open(&bed);
  options.host = "not an address";
  assert_int_equal(
      uvow__listener_new(bed.loop, &options, &uvow__tcp_transport, &listener),
      UVOW_EINVAL);
  assert_null(uvow_listener_new(bed.loop, &options));
  assert_non_null(
      strstr(uvow_error_message(uvow_loop_error(bed.loop)), "options.host"));
  options.host = NULL;
  options.tcp_keepalive_s = 40000;
  assert_null(uvow_listener_new(bed.loop, &options));
  assert_non_null(strstr(uvow_error_message(uvow_loop_error(bed.loop)),
                         "options.tcp_keepalive_s is 40000"));
  assert_null(uvow_listener_new(NULL, NULL));
  options.size = 1;
  assert_null(uvow_listener_new(bed.loop, &options));
  assert_null(uvow_listener_accept(NULL));
  assert_null(uvow_listener_close(NULL));
  assert_int_equal(uvow_listener_port(NULL), 0);
  uvow_listener_free(NULL);
  loop_bed_close(&bed, "closed");
}

TEST_MODULE(listener) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_both_ends),
      cmocka_unit_test(test_while_none_is_read_none_is_accepted),
      cmocka_unit_test(test_letting_go_closes),
      cmocka_unit_test(test_close),
      cmocka_unit_test(test_freed),
      cmocka_unit_test(test_limits_in_number),
      cmocka_unit_test(test_claimed),
      cmocka_unit_test(test_dropped),
      cmocka_unit_test(test_the_quota_outlives_the_listener),
      cmocka_unit_test(test_idle),
      cmocka_unit_test(test_a_crowd),
      cmocka_unit_test(test_addresses),
      cmocka_unit_test(test_accept_after_close),
      cmocka_unit_test(test_none_on_a_closed_loop),
      cmocka_unit_test(test_what_is_wrong),
  };
  return cmocka_run_group_tests_name("websocket/listener", tests, NULL, NULL);
}
