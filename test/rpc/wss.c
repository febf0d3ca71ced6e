/*
 * What an end agrees on in its handshake, over TLS: compression, and whom a
 * server lets in.
 */
#include "support/serve.h"
#include "support/tls_peer.h"

#include <stdio.h>

#include <uvow/server.h>

#include "rpc/server.h"
#include "websocket/connection_private.h"

#define BIG 60000 /* bytes of a message: more than a record holds */

typedef struct door {
  script_t s; /* its loop; the client is s.client */
  uvow_server_t *server;
  uvow_tls_t *ours;   /* the client's */
  uvow_tls_t *theirs; /* the server's */
  char url[64];
  int asked;
  uvow_next_t (*act)(struct door *door, uvow_websocket_t *ws);
} door_t;

static uvow_next_t echo(uvow_call_t *call, const uvow_result_t *params,
                        void *data) {
  (void)call;
  (void)params;
  (void)data;
  return uvow_next_pass();
}

static uvow_next_t on_handshake(uvow_websocket_t *ws, void *data) {
  door_t *door = (door_t *)data;
  door->asked++;
  return door->act ? door->act(door, ws) : uvow_next_none();
}

static uvow_tls_t *make_tls(door_t *door, int is_server) {
  uvow_tls_options_t options = tls_options(is_server);
  uvow_tls_t *tls = NULL;
  assert_int_equal(uvow_tls_new(door->s.loop, &options, &tls, NULL), 0);
  return tls;
}

static void serve(door_t *door, const uvow_deflate_options_t *deflate) {
  static const char *const subprotocols[] = {"one", "two"};
  test_serve_t options = test_serve_options();
  memset(door, 0, sizeof(*door));
  script_init(&door->s);
  door->ours = make_tls(door, 0);
  door->theirs = make_tls(door, 1);
  options.listener.tls = door->theirs;
  options.listener.deflate = deflate;
  options.listener.subprotocols = subprotocols;
  options.listener.subprotocol_count = 2;
  options.listener.on_handshake = on_handshake;
  options.listener.data = options.peer.data = door;
  assert_int_equal(test_serve(door->s.loop, &options, &door->server), 0);
  assert_int_equal(test_method(door->server, "echo", echo, NULL), 0);
}

static test_connect_t options_for(door_t *door) {
  test_connect_t options = script_options(&door->s);
  snprintf(door->url, sizeof(door->url), "wss://localhost:%u/chat?room=1",
           (unsigned)uvow_server_port(door->server));
  options.url = door->url;
  options.websocket.tls = door->ours;
  return options;
}

static void connect_to(door_t *door, const test_connect_t *options) {
  assert_int_equal(test_connect(door->s.loop, options, &door->s.client), 0);
}

static void end(door_t *door) {
  uvow_server_free(door->server);
  uvow_tls_unref(door->ours);
  uvow_tls_unref(door->theirs);
  script_end(&door->s);
}

static void expect_ready(door_t *door, const char *expected) {
  script_mark_t a = script_mark(&door->s, "");
  script_watch(uvow_peer_ready(door->s.client), &a);
  script_until(&door->s, &a.done);
  script_expect(&door->s, expected);
}

/* Compression. */

typedef struct reply {
  const char *text;
  int done;
} reply_t;

static void on_reply(const uvow_result_t *result, void *data) {
  reply_t *reply = (reply_t *)data;
  uvow_slice_t got = uvow_result_bytes(result);
  assert_non_null(got.bytes);
  assert_int_equal(got.len, BIG);
  assert_memory_equal(got.bytes, reply->text, BIG);
  reply->done = 1;
}

static void expect_echo(door_t *door, const char *text) {
  reply_t reply = {text, 0};
  assert_int_equal(
      uvow_future_done(
          uvow_peer_request(door->s.client, "echo",
                            uvow_value_slice(&(uvow_slice_t){text, BIG})),
          on_reply, &reply),
      0);
  script_until(&door->s, &reply.done);
}

/* What one end's compression is: it remembers where it keeps its context. */
static void expect_terms(const uvow__connection_t *c, int own_no_takeover,
                         int peer_no_takeover) {
  assert_true(c->terms.terms.on);
  assert_int_equal(c->deflate.own_no_takeover, own_no_takeover);
  assert_int_equal(c->deflate.peer_no_takeover, peer_no_takeover);
  assert_int_equal(c->deflate.packer == NULL, own_no_takeover);
  assert_int_equal(c->deflate.unpacker == NULL, peer_no_takeover);
}

TEST_CASE(deflate_keeps_what_was_agreed_on) {
  char *text = (char *)malloc(BIG);
  assert_non_null(text);
  for (size_t i = 0; i < BIG; i++)
    text[i] = (char)('a' + (i * i / 100) % 26);
  memcpy(text, "[\"", 2);
  memcpy(text + BIG - 2, "\"]", 2);
  for (int i = 0; i < 4; i++) {
    uvow_deflate_options_t deflate = {0};
    door_t door;
    deflate.size = sizeof(deflate);
    serve(&door, &deflate);
    test_connect_t options = options_for(&door);
    deflate.server_no_context_takeover = i & 1;
    deflate.client_no_context_takeover = i >> 1;
    options.websocket.deflate = &deflate;
    connect_to(&door, &options);
    for (int n = 0; n < 3; n++)
      expect_echo(&door, text);
    expect_terms(uvow__peer_connection(door.s.client), i >> 1, i & 1);
    end(&door);
  }
  free(text);
}

TEST_CASE(deflate_that_only_one_wants_is_off) {
  for (int wanted_by_server = 0; wanted_by_server < 2; wanted_by_server++) {
    uvow_deflate_options_t deflate = {0};
    door_t door;
    deflate.size = sizeof(deflate);
    serve(&door, wanted_by_server ? &deflate : NULL);
    test_connect_t options = options_for(&door);
    options.websocket.deflate = wanted_by_server ? NULL : &deflate;
    connect_to(&door, &options);
    expect_ready(&door, "=");
    assert_false(uvow__peer_connection(door.s.client)->terms.terms.on);
    end(&door);
  }
}

/* The server's word. */

static uvow_next_t see_and_choose(door_t *door, uvow_websocket_t *ws) {
  (void)door;
  assert_string_equal(uvow_websocket_target(ws), "/chat?room=1");
  assert_string_equal(uvow_websocket_header(ws, "authorization"),
                      "Bearer t0ken");
  assert_int_equal(uvow_websocket_choose(ws, "three"), UVOW_EINVAL);
  assert_int_equal(uvow_websocket_choose(ws, "two"), 0);
  return uvow_next_none();
}

TEST_CASE(the_user_is_asked_and_accepts) {
  static const char *const offered[] = {"one", "two"};
  door_t door;
  serve(&door, NULL);
  door.act = see_and_choose;
  test_connect_t options = options_for(&door);
  options.websocket.bearer = "t0ken";
  options.websocket.subprotocols = offered;
  options.websocket.subprotocol_count = 2;
  connect_to(&door, &options);
  expect_ready(&door, "=");
  assert_int_equal(door.asked, 1);
  assert_int_equal(test_peers(door.server), 1);
  end(&door);
}

static uvow_next_t refuse(door_t *door, uvow_websocket_t *ws) {
  (void)door;
  assert_int_equal(uvow_websocket_refuse(ws, 401, "no such token as yours"), 0);
  return uvow_next_code(UVOW_EINVAL, NULL);
}

static void look_at_refusal(const uvow_result_t *result, void *data) {
  size_t len = 0;
  const uvow_error_t *error = result->error;
  assert_int_equal(uvow_error_code(error), UVOW_EHANDSHAKE);
  assert_int_equal(uvow_error_status(error), 401);
  assert_int_equal(uvow_error_outcome(error), UVOW_OUTCOME_NONE);
  const char *bytes = uvow_error_data(error, &len);
  assert_int_equal(len, 23);
  assert_memory_equal(bytes, "no such token as yours\n", len);
  bytes = uvow_error_header(error, "content-type", &len);
  assert_int_equal(len, 25);
  assert_memory_equal(bytes, "text/plain; charset=utf-8", len);
  assert_null(uvow_error_header(error, "X-None", &len));
  *(int *)data = 1;
}

TEST_CASE(the_user_refuses_and_the_client_hears_why) {
  int looked = 0;
  door_t door;
  serve(&door, NULL);
  door.act = refuse;
  test_connect_t options = options_for(&door);
  connect_to(&door, &options);
  assert_int_equal(uvow_future_done(uvow_peer_ready(door.s.client),
                                    look_at_refusal, &looked),
                   0);
  script_mark_t a = script_mark(&door.s, "a");
  script_watch(script_request(&door.s, "echo", "[1]"), &a);
  script_until(&door.s, &a.done);
  assert_int_equal(looked, 1);
  script_expect(&door.s, "a!EHANDSHAKE:NOT");
  assert_int_equal(door.asked, 1);
  while (test_guests(door.server))
    uv_run(&door.s.uv, UV_RUN_ONCE);
  end(&door);
}

static uvow_next_t let_go(door_t *door, uvow_websocket_t *ws) {
  uvow_server_free(door->server);
  door->server = NULL;
  assert_int_equal(uvow_websocket_refuse(ws, 404, NULL), UVOW_EINVAL);
  return uvow_next_none();
}

TEST_CASE(the_server_may_be_freed_while_it_is_asked) {
  door_t door;
  serve(&door, NULL);
  door.act = let_go;
  test_connect_t options = options_for(&door);
  connect_to(&door, &options);
  expect_ready(&door, "!ELOST");
  assert_int_equal(door.asked, 1);
  end(&door);
}

TEST_CASE(nobody_is_asked_about_who_distrusts_the_server) {
  uvow_tls_options_t other = {0};
  door_t door;
  serve(&door, NULL);
  uvow_tls_unref(door.ours);
  other.size = sizeof(other);
  other.ca_pem = tls_certs()->user->pem; /* not the server's issuer */
  assert_int_equal(uvow_tls_new(door.s.loop, &other, &door.ours, NULL), 0);
  test_connect_t options = options_for(&door);
  connect_to(&door, &options);
  expect_ready(&door, "!ECERT");
  while (test_guests(door.server))
    uv_run(&door.s.uv, UV_RUN_ONCE);
  assert_int_equal(door.asked, 0);
  end(&door);
}

/* Whether our hello was on its way already decides how the system says it. */
static void on_no_room(const uvow_result_t *result, void *data) {
  assert_non_null(result->error);
  assert_int_equal(uvow_error_status(result->error), 0);
  *(int *)data = 1;
}

/* Above max_peers no byte of TLS is read, or said. */
TEST_CASE(who_finds_no_room_costs_no_handshake) {
  uvow_tls_stats_t stats = {0};
  uvow_peer_t *first;
  int refused = 0;
  door_t door;
  serve(&door, NULL);
  door.server->listener->config->listen->max_peers = 1;
  test_connect_t options = options_for(&door);
  connect_to(&door, &options);
  expect_ready(&door, "=");
  first = door.s.client;
  connect_to(&door, &options);
  assert_int_equal(
      uvow_future_done(uvow_peer_ready(door.s.client), on_no_room, &refused),
      0);
  script_until(&door.s, &refused);
  uvow_peer_unref(first);
  stats.size = sizeof(stats);
  assert_int_equal(uvow_tls_get_stats(door.theirs, &stats), 0);
  assert_int_equal(stats.handshakes, 1);
  assert_int_equal(stats.failed, 0);
  assert_int_equal(door.asked, 1);
  end(&door);
}

TEST_MODULE(wss) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(deflate_keeps_what_was_agreed_on),
      cmocka_unit_test(deflate_that_only_one_wants_is_off),
      cmocka_unit_test(the_user_is_asked_and_accepts),
      cmocka_unit_test(the_user_refuses_and_the_client_hears_why),
      cmocka_unit_test(the_server_may_be_freed_while_it_is_asked),
      cmocka_unit_test(nobody_is_asked_about_who_distrusts_the_server),
      cmocka_unit_test(who_finds_no_room_costs_no_handshake),
  };
  return cmocka_run_group_tests_name("rpc/wss", tests, tls_setup, tls_teardown);
}
