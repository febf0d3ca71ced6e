/*
 * What an end agrees on in its handshake, over TLS: compression, and whom a
 * server lets in.
 */
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
  void (*act)(struct door *door, uvow_handshake_t *handshake);
} door_t;

static uvow_next_t echo(const uvow_call_t *call, void *data) {
  (void)call;
  (void)data;
  return uvow_next_pass();
}

static void on_handshake(uvow_handshake_t *handshake, void *data) {
  door_t *door = (door_t *)data;
  door->asked++;
  if (door->act)
    door->act(door, handshake);
}

static uvow_tls_t *make_tls(door_t *door, int is_server) {
  uvow_tls_options_t options = tls_options(is_server);
  uvow_tls_t *tls = NULL;
  assert_int_equal(uvow_tls_new(door->s.loop, &options, &tls, NULL), 0);
  return tls;
}

static void serve(door_t *door, const uvow_deflate_options_t *deflate) {
  static const char *const subprotocols[] = {"one", "two"};
  uvow_server_options_t options = {0};
  memset(door, 0, sizeof(*door));
  script_init(&door->s);
  door->ours = make_tls(door, 0);
  door->theirs = make_tls(door, 1);
  options.size = sizeof(options);
  options.protocol = uvow_protocol_jsonrpc2();
  options.tls = door->theirs;
  options.deflate = deflate;
  options.subprotocols = subprotocols;
  options.subprotocol_count = 2;
  options.on_handshake = on_handshake;
  options.data = door;
  assert_int_equal(uvow_server_new(door->s.loop, &options, &door->server), 0);
  assert_int_equal(uvow_server_method(door->server, "echo", echo, NULL, NULL),
                   0);
}

static uvow_client_options_t options_for(door_t *door) {
  uvow_client_options_t options = script_options(&door->s);
  snprintf(door->url, sizeof(door->url), "wss://localhost:%u/chat?room=1",
           (unsigned)uvow_server_port(door->server));
  options.url = door->url;
  options.tls = door->ours;
  return options;
}

static void connect_to(door_t *door, const uvow_client_options_t *options) {
  assert_int_equal(uvow_client_new(door->s.loop, options, &door->s.client), 0);
}

static void end(door_t *door) {
  uvow_server_free(door->server);
  uvow_tls_unref(door->ours);
  uvow_tls_unref(door->theirs);
  script_end(&door->s);
}

static void expect_ready(door_t *door, const char *expected) {
  script_mark_t a = script_mark(&door->s, "");
  script_watch(uvow_client_ready(door->s.client), &a);
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
  size_t len = 0;
  const char *bytes = uvow_result_bytes(result, &len);
  assert_non_null(bytes);
  assert_int_equal(len, BIG);
  assert_memory_equal(bytes, reply->text, BIG);
  reply->done = 1;
}

static void expect_echo(door_t *door, const char *text) {
  reply_t reply = {text, 0};
  assert_int_equal(
      uvow_future_done(
          uvow_client_request_bytes(door->s.client, "echo", text, BIG, NULL),
          on_reply, &reply),
      0);
  script_until(&door->s, &reply.done);
}

/* What one end's compression is: it remembers where it keeps its context. */
static void expect_terms(const uvow__connection_t *c, int own_forgets,
                         int peer_forgets) {
  assert_true(c->terms.terms.on);
  assert_int_equal(c->deflate.own_forgets, own_forgets);
  assert_int_equal(c->deflate.peer_forgets, peer_forgets);
  assert_int_equal(c->deflate.packer == NULL, own_forgets);
  assert_int_equal(c->deflate.unpacker == NULL, peer_forgets);
}

static void deflate_keeps_what_was_agreed_on(void **state) {
  char *text = (char *)malloc(BIG);
  (void)state;
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
    uvow_client_options_t options = options_for(&door);
    deflate.server_no_context_takeover = i & 1;
    deflate.client_no_context_takeover = i >> 1;
    options.deflate = &deflate;
    connect_to(&door, &options);
    for (int n = 0; n < 3; n++)
      expect_echo(&door, text);
    expect_terms(door.s.client->connection, i >> 1, i & 1);
    end(&door);
  }
  free(text);
}

static void deflate_that_only_one_wants_is_off(void **state) {
  (void)state;
  for (int wanted_by_server = 0; wanted_by_server < 2; wanted_by_server++) {
    uvow_deflate_options_t deflate = {0};
    door_t door;
    deflate.size = sizeof(deflate);
    serve(&door, wanted_by_server ? &deflate : NULL);
    uvow_client_options_t options = options_for(&door);
    options.deflate = wanted_by_server ? NULL : &deflate;
    connect_to(&door, &options);
    expect_ready(&door, "=");
    assert_false(door.s.client->connection->terms.terms.on);
    end(&door);
  }
}

/* The server's word. */

static void see_and_choose(door_t *door, uvow_handshake_t *handshake) {
  (void)door;
  assert_string_equal(uvow_handshake_target(handshake), "/chat?room=1");
  assert_string_equal(uvow_handshake_header(handshake, "authorization"),
                      "Bearer t0ken");
  assert_true(uvow_handshake_offers(handshake, "two"));
  assert_false(uvow_handshake_offers(handshake, "three"));
  assert_int_equal(uvow_handshake_choose(handshake, "two"), 0);
}

static void the_user_is_asked_and_accepts(void **state) {
  static const char *const offered[] = {"one", "two"};
  door_t door;
  (void)state;
  serve(&door, NULL);
  door.act = see_and_choose;
  uvow_client_options_t options = options_for(&door);
  options.bearer = "t0ken";
  options.subprotocols = offered;
  options.subprotocol_count = 2;
  connect_to(&door, &options);
  expect_ready(&door, "=");
  assert_int_equal(door.asked, 1);
  assert_int_equal(uvow_server_peers(door.server), 1);
  end(&door);
}

static void refuse(door_t *door, uvow_handshake_t *handshake) {
  (void)door;
  assert_int_equal(
      uvow_handshake_refuse(handshake, 401, "no such token as yours"), 0);
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

static void the_user_refuses_and_the_client_hears_why(void **state) {
  int looked = 0;
  door_t door;
  (void)state;
  serve(&door, NULL);
  door.act = refuse;
  uvow_client_options_t options = options_for(&door);
  connect_to(&door, &options);
  assert_int_equal(uvow_future_done(uvow_client_ready(door.s.client),
                                    look_at_refusal, &looked),
                   0);
  script_mark_t a = script_mark(&door.s, "a");
  script_watch(script_request(&door.s, "echo", "[1]"), &a);
  script_until(&door.s, &a.done);
  assert_int_equal(looked, 1);
  script_expect(&door.s, "a!EHANDSHAKE:NOT");
  assert_int_equal(door.asked, 1);
  while (uvow_server_peers(door.server))
    uv_run(&door.s.uv, UV_RUN_ONCE);
  end(&door);
}

static void let_go(door_t *door, uvow_handshake_t *handshake) {
  uvow_server_free(door->server);
  door->server = NULL;
  assert_string_equal(uvow_handshake_target(handshake), "");
}

static void the_server_may_be_freed_while_it_is_asked(void **state) {
  door_t door;
  (void)state;
  serve(&door, NULL);
  door.act = let_go;
  uvow_client_options_t options = options_for(&door);
  connect_to(&door, &options);
  expect_ready(&door, "!ELOST");
  assert_int_equal(door.asked, 1);
  end(&door);
}

static void nobody_is_asked_about_who_distrusts_the_server(void **state) {
  uvow_tls_options_t other = {0};
  door_t door;
  (void)state;
  serve(&door, NULL);
  uvow_tls_unref(door.ours);
  other.size = sizeof(other);
  other.ca_pem = tls_certs()->user->pem; /* not the server's issuer */
  assert_int_equal(uvow_tls_new(door.s.loop, &other, &door.ours, NULL), 0);
  uvow_client_options_t options = options_for(&door);
  connect_to(&door, &options);
  expect_ready(&door, "!ECERT");
  while (uvow_server_peers(door.server))
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
static void who_finds_no_room_costs_no_handshake(void **state) {
  uvow_tls_stats_t stats = {0};
  uvow_client_t *first;
  int refused = 0;
  door_t door;
  (void)state;
  serve(&door, NULL);
  door.server->max_peers = 1;
  uvow_client_options_t options = options_for(&door);
  connect_to(&door, &options);
  expect_ready(&door, "=");
  first = door.s.client;
  connect_to(&door, &options);
  assert_int_equal(
      uvow_future_done(uvow_client_ready(door.s.client), on_no_room, &refused),
      0);
  script_until(&door.s, &refused);
  uvow_client_free(first);
  stats.size = sizeof(stats);
  assert_int_equal(uvow_tls_stats(door.theirs, &stats), 0);
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
