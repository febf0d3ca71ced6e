/* A server's peers: in groups, by subprotocol, idle or not, and what all of
 * them hold. */
#include "rpc/server.h"

#include "support/script.h"
#include "support/serve.h"

#include <stdio.h>

#define CLIENTS 3

/* A server, and clients of it that write down what they are told. */
typedef struct hall {
  script_t s;
  uvow_server_t *server;
  uvow_peer_t *clients[CLIENTS];
  uvow_peer_t *peers[CLIENTS + 1]; /* as they came, or what is left of them */
  int open;
  int closed;
  uvow_promise_t *promise; /* of `wait` */
  const char *told;        /* what a long event has to be */
} hall_t;

static void on_state(uvow_peer_t *peer, const uvow_peer_change_t *change,
                     void *data) {
  hall_t *x = (hall_t *)data;
  if (change->state == UVOW_PEER_OPEN && x->open <= CLIENTS)
    x->peers[x->open++] = uvow_peer_ref(peer);
  else
    x->closed++;
}

static uvow_next_t wait_cb(uvow_call_t *call, const uvow_result_t *params,
                           void *data) {
  (void)params;
  return uvow_next_future(
      uvow_promise_new(uvow_call_loop(call), &((hall_t *)data)->promise));
}

static uvow_next_t told_cb(uvow_call_t *call, const uvow_result_t *params,
                           void *data) {
  char text[64];
  uvow_slice_t bytes = uvow_result_bytes(params);
  if (strcmp(uvow_call_method(call), "wait") == 0)
    return wait_cb(call, params, data);
  snprintf(text, sizeof(text), ":%.*s", (int)bytes.len,
           bytes.len ? bytes.bytes : "");
  const char *told = ((hall_t *)data)->told;
  if (told && bytes.len == strlen(told) &&
      memcmp(bytes.bytes, told, bytes.len) == 0)
    snprintf(text, sizeof(text), ":as told");
  script_log(&((hall_t *)data)->s, uvow_call_method(call), text);
  return uvow_next_none();
}

static uvow_next_t echo_cb(uvow_call_t *call, const uvow_result_t *params,
                           void *data) {
  (void)call;
  (void)params;
  (void)data;
  return uvow_next_pass();
}

static void start(hall_t *x, test_serve_t *options) {
  memset(x, 0, sizeof(*x));
  script_init(&x->s);
  options->peer.on_state = on_state;
  options->peer.data = x;
  assert_int_equal(test_serve(x->s.loop, options, &x->server), 0);
  assert_int_equal(test_method(x->server, "wait", wait_cb, x), 0);
  assert_int_equal(test_method(x->server, "echo", echo_cb, x), 0);
}

static uvow_peer_t *connect_with(hall_t *x, const char *subprotocol,
                                 const uvow_deflate_options_t *deflate) {
  char url[64];
  uvow_peer_t *client = NULL;
  test_connect_t options =
      test_connect_options(uvow_protocol_by_name("jsonrpc2"));
  snprintf(url, sizeof(url), "ws://127.0.0.1:%u/room?a=1",
           (unsigned)uvow_server_port(x->server));
  options.url = url;
  options.on_event = told_cb;
  options.peer.data = x;
  options.websocket.subprotocols = &subprotocol;
  options.websocket.subprotocol_count = subprotocol ? 1 : 0;
  options.websocket.deflate = deflate;
  assert_int_equal(test_connect(x->s.loop, &options, &client), 0);
  return client;
}

static uvow_peer_t *connect_to(hall_t *x, const char *subprotocol) {
  return connect_with(x, subprotocol, NULL);
}

static void connect_all(hall_t *x) {
  for (int i = 0; i < CLIENTS; i++) {
    x->clients[i] = connect_to(x, NULL);
    while (x->open <= i)
      assert_true(uv_run(&x->s.uv, UV_RUN_ONCE));
  }
}

static void end(hall_t *x) {
  uvow_promise_drop(x->promise);
  uvow_server_free(x->server);
  for (int i = 0; i < CLIENTS; i++)
    uvow_peer_unref(x->clients[i]);
  for (int i = 0; i < x->open; i++)
    uvow_peer_unref(x->peers[i]);
  script_end(&x->s);
}

/* Until so much was written down. */
static void until_said(hall_t *x, const char *expected) {
  while (strlen(x->s.log) < strlen(expected))
    assert_true(uv_run(&x->s.uv, UV_RUN_ONCE));
  script_expect(&x->s, expected);
}

TEST_CASE(test_all_are_told) {
  hall_t x;
  test_serve_t options = test_serve_options();
  start(&x, &options);
  connect_all(&x);
  uvow_group_t *all = uvow_server_peers(x.server);
  assert_int_equal(uvow_group_walk(all, NULL, NULL), CLIENTS);
  assert_int_equal(uvow_group_notifyf(all, "e", "[i]", 7), 0);
  until_said(&x, "e:[7] e:[7] e:[7]");
  assert_int_equal(uvow_group_notifyf(all, "n", NULL), 0);
  until_said(&x, "n: n: n:");
  assert_int_equal(uvow_group_notifyf(all, NULL, "[i]", 7), UVOW_EINVAL);
  assert_int_equal(uvow_group_notifyf(NULL, "e", "[i]", 7), UVOW_EINVAL);
  assert_int_equal(uvow_group_notifyf(all, "e", "[?]"), UVOW_EINVAL);
  uvow_peer_end(x.peers[0]);
  assert_int_equal(uvow_group_walk(all, NULL, NULL), CLIENTS - 1);
  uvow_group_free(all); /* the server's: it stays */
  assert_int_equal(uvow_group_walk(all, NULL, NULL), CLIENTS - 1);
  end(&x);
}

/* Each as it was agreed on: without a history, with one, uncompressed. */
TEST_CASE(test_compressed) {
  static char texts[2][2000];
  hall_t x;
  test_serve_t options = test_serve_options();
  uvow_deflate_options_t server = {.size = sizeof(server)};
  uvow_deflate_options_t flat = {.size = sizeof(flat)};
  options.listener.deflate = &server;
  flat.server_no_context_takeover = 1;
  start(&x, &options);
  for (int i = 0; i < 2; i++)
    for (size_t at = 0; at + 20 < sizeof(texts[0]);)
      at += (size_t)sprintf(texts[i] + at, "%c%zu", at ? ',' : '[',
                            at * at + (size_t)i);
  for (int i = 0; i < 2; i++)
    strcat(texts[i], "]");
  for (int i = 0; i < CLIENTS; i++) {
    x.clients[i] = connect_with(&x, NULL,
                                i == 0   ? &flat
                                : i == 1 ? &server
                                         : NULL);
    while (x.open <= i)
      assert_true(uv_run(&x.s.uv, UV_RUN_ONCE));
  }
  for (int i = 0; i < 4; i++) {
    x.told = texts[i % 2];
    assert_int_equal(uvow_group_notify(uvow_server_peers(x.server), "e",
                                       uvow_value_raw(x.told)),
                     0);
    until_said(&x, "e:as told e:as told e:as told");
  }
  assert_int_equal(uvow_group_notifyf(uvow_server_peers(x.server), "e", "[i]",
                                      1), /* too short to compress */
                   0);
  until_said(&x, "e:[1] e:[1] e:[1]");
  end(&x);
}

TEST_CASE(test_groups_by_name) {
  hall_t x;
  test_serve_t options = test_serve_options();
  start(&x, &options);
  connect_all(&x);
  uvow_group_t *red = uvow_server_group(x.server, "red");
  assert_int_equal(uvow_group_add(red, x.peers[0]), 0);
  assert_int_equal(uvow_group_add(red, x.peers[1]), 0);
  assert_int_equal(
      uvow_group_add(uvow_server_group(x.server, "blue"), x.peers[2]), 0);
  script_turns(&x.s);
  assert_ptr_equal(uvow_server_group(x.server, "red"), red);
  assert_int_equal(uvow_group_notifyf(red, "e", "[i]", 1), 0);
  until_said(&x, "e:[1] e:[1]");
  uvow_group_free(red); /* the server's: it stays */
  assert_int_equal(uvow_group_walk(red, NULL, NULL), 2);
  assert_int_equal(x.server->groups.table.count, 2);
  uvow_peer_end(x.peers[2]); /* blue is empty */
  script_turns(&x.s);
  assert_int_equal(x.server->groups.table.count, 1);
  assert_int_equal(uvow_group_remove(red, x.peers[0]), 0);
  assert_int_equal(uvow_group_remove(red, x.peers[1]), 0);
  assert_int_equal(uvow_group_add(red, x.peers[1]), 0); /* within the turn */
  script_turns(&x.s);
  assert_ptr_equal(uvow_server_group(x.server, "red"), red);
  assert_int_equal(x.server->groups.table.count, 1);
  assert_null(uvow_server_group(x.server, NULL));
  assert_null(uvow_server_group(NULL, "red"));
  end(&x);
}

/* More of them than a table has places at first; those that are empty go. */
TEST_CASE(test_many_groups) {
  enum { MANY = 100 };
  hall_t x;
  test_serve_t options = test_serve_options();
  uvow_group_t *groups[MANY];
  char name[16];
  start(&x, &options);
  connect_all(&x);
  for (int i = 0; i < MANY; i++) {
    snprintf(name, sizeof(name), "g%d", i);
    groups[i] = uvow_server_group(x.server, name);
    if (i % 2)
      assert_int_equal(uvow_group_add(groups[i], x.peers[0]), 0);
  }
  script_turns(&x.s);
  assert_int_equal(x.server->groups.table.count, MANY / 2);
  for (int i = 1; i < MANY; i += 2) {
    snprintf(name, sizeof(name), "g%d", i);
    assert_ptr_equal(uvow_server_group(x.server, name), groups[i]);
  }
  (void)uvow_server_group(x.server, "g0"); /* empty, as the server goes */
  end(&x);
}

/* Who agrees on another subprotocol is another kind of peer. */
TEST_CASE(test_subprotocols) {
  hall_t x;
  test_serve_t options = test_serve_options();
  uvow_peer_options_t other = {.size = sizeof(other)};
  start(&x, &options);
  other.protocol = uvow_protocol_by_name("jsonrpc2");
  other.methods = uvow_methods_new(x.s.loop);
  other.on_state = on_state;
  other.data = &x;
  assert_int_equal(uvow_methods_add(other.methods, "other", echo_cb, &x), 0);
  assert_int_equal(uvow_server_add(x.server, "v2", &other), 0);
  assert_int_equal(uvow_server_add(NULL, "v2", &other), UVOW_EINVAL);
  assert_int_equal(uvow_server_add(x.server, NULL, &other), UVOW_EINVAL);
  uvow_methods_unref(other.methods);
  other.size = 0;
  assert_int_equal(uvow_server_add(x.server, "v3", &other), UVOW_EINVAL);
  x.clients[0] = connect_to(&x, "v2");
  x.clients[1] = connect_to(&x, "v3");
  x.clients[2] = connect_to(&x, NULL);
  for (int i = 0; i < CLIENTS; i++) {
    script_mark_t a = script_mark(&x.s, "");
    script_watch(
        uvow_peer_request(x.clients[i], "other", uvow_value_raw("[1]")), &a);
    script_until(&x.s, &a.done);
    script_expect(&x.s, i ? "!EREMOTE:ANSWERED" : "=[1]");
  }
  for (int i = 0; i < CLIENTS; i++) {
    const char *agreed =
        uvow_websocket_subprotocol(uvow_peer_websocket(x.peers[i]));
    assert_true(!agreed || strcmp(agreed, "v2") == 0);
  }
  end(&x);
}

/* What a peer said is there as long as the peer, connected or not. */
TEST_CASE(test_what_it_said) {
  hall_t x;
  test_serve_t options = test_serve_options();
  start(&x, &options);
  connect_all(&x);
  uvow_peer_end(x.peers[0]);
  script_turns(&x.s);
  uvow_websocket_t *ws = uvow_peer_websocket(x.peers[0]);
  assert_string_equal(uvow_websocket_target(ws), "/room?a=1");
  assert_string_equal(uvow_websocket_header(ws, "upgrade"), "websocket");
  assert_memory_equal(uvow_websocket_address(ws), "127.0.0.1:", 10);
  assert_null(uvow_websocket_certificate(ws));
  ws = uvow_peer_websocket(x.clients[0]); /* the same, as the client sees it */
  assert_string_equal(uvow_websocket_target(ws), "/room?a=1");
  assert_string_equal(uvow_websocket_header(ws, "Upgrade"), "websocket");
  assert_memory_equal(uvow_websocket_address(ws), "127.0.0.1:", 10);
  assert_null(uvow_peer_websocket(NULL));
  end(&x);
}

/* A call under way, and a request of ours, keep a peer from being idle. */
TEST_CASE(test_idle) {
  for (int i = 0; i < 3; i++) {
    hall_t x;
    test_serve_t options = test_serve_options();
    options.listener.idle_ms = 1000;
    start(&x, &options);
    script_drive_clock(&x.s);
    x.clients[0] = connect_to(&x, NULL);
    while (!x.open)
      assert_true(uv_run(&x.s.uv, UV_RUN_NOWAIT));
    script_mark_t a = script_mark(&x.s, NULL);
    if (i)
      script_watch(uvow_peer_request(i == 1 ? x.clients[0] : x.peers[0], "wait",
                                     uvow_value_none()),
                   &a);
    while (i && !x.promise)
      assert_true(uv_run(&x.s.uv, UV_RUN_NOWAIT));
    for (int second = 0; second < (i ? 2 : 1); second++) {
      for (int look = 0; look < 4; look++) /* nobody is idle before a second */
        script_advance(&x.s, look % 2 ? 100 : 1100);
      assert_int_equal(test_peers(x.server), i && !second);
      uvow_promise_t *promise = x.promise;
      x.promise = NULL;
      uvow_promise_fulfill(promise, uvow_value_none());
      script_turns(&x.s);
    }
    end(&x);
  }
}

/* A call that would have all peers hold too much is refused, and not the peer. */
TEST_CASE(test_calls_count_for_all) {
  static char params[3000];
  hall_t x;
  test_serve_t options = test_serve_options();
  memset(params, '1', sizeof(params) - 1);
  params[0] = '[';
  params[sizeof(params) - 2] = ']';
  options.listener.server_max_bytes = 9000;
  start(&x, &options);
  connect_all(&x);
  script_mark_t a = script_mark(&x.s, "a");
  script_watch(uvow_peer_request(x.clients[0], "wait", uvow_value_raw(params)),
               &a);
  while (!x.promise)
    assert_true(uv_run(&x.s.uv, UV_RUN_ONCE));
  const uvow__quota_t *quota = &x.server->listener->config->quota;
  assert_true(quota->used > 3000);
  uvow_promise_t *first = x.promise;
  x.promise = NULL;
  script_mark_t b = script_mark(&x.s, "b");
  script_watch(uvow_peer_request(x.clients[1], "wait", uvow_value_raw(params)),
               &b);
  while (!x.promise)
    assert_true(uv_run(&x.s.uv, UV_RUN_ONCE));
  script_mark_t c = script_mark(&x.s, "c");
  script_watch(uvow_peer_request(x.clients[2], "wait", uvow_value_raw(params)),
               &c);
  script_until(&x.s, &c.done);
  script_expect(&x.s, "c!EREMOTE:ANSWERED");
  assert_int_equal(test_peers(x.server), CLIENTS);
  uvow_promise_fulfill(first, uvow_value_none());
  script_until(&x.s, &a.done);
  uvow_promise_t *other = x.promise;
  x.promise = NULL;
  script_mark_t d = script_mark(&x.s, "d");
  script_watch(uvow_peer_request(x.clients[2], "wait", uvow_value_raw("[1]")),
               &d);
  script_turns(&x.s);
  uvow_promise_drop(x.promise);
  x.promise = NULL;
  script_until(&x.s, &d.done);
  script_expect(&x.s, "a=null d!EREMOTE:ANSWERED");
  uvow_server_free(x.server);
  x.server = NULL;
  script_until(&x.s, &b.done);
  script_expect(&x.s, "b!ELOST:MAYBE");
  uvow_promise_drop(other);
  end(&x);
}

static void sweep(test_alloc_t *alloc, void *data) {
  script_t s;
  uvow_peer_options_t other = {.size = sizeof(other),
                               .protocol = uvow_protocol_by_name("jsonrpc2")};
  (void)data;
  script_init_with(&s, alloc);
  uvow_server_t *server =
      s.loop ? uvow_server_new(uvow_listener_new(s.loop, NULL), &other) : NULL;
  if (server) {
    (void)uvow_server_add(server, "v2", &other);
    (void)uvow_server_add_path(server, "/v3", &other);
    uvow_group_t *group = uvow_server_group(server, "g");
    (void)uvow_group_notifyf(group, "e", "[i]", 1);
  }
  uvow_server_free(server);
  script_end(&s);
}

TEST_CASE(test_oom) {
  test_alloc_sweep(sweep, NULL);
}

static void make_server(test_alloc_t *alloc, void *data) {
  script_t s;
  uvow_server_t *server = NULL;
  test_serve_t options = test_serve_options();
  script_init_with(&s, alloc);
  options.peer.protocol = uvow_protocol_by_name((const char *)data);
  if (s.loop && test_serve(s.loop, &options, &server) == 0) {
    uvow_peer_options_t peer = {.size = sizeof(peer)};
    peer.protocol = uvow_protocol_by_name("wamp2");
    (void)uvow_server_add(server, NULL, &peer);
    (void)uvow_server_add_path(server, "/p", &options.peer);
  }
  uvow_server_free(server);
  script_quit(&s);
}

/* A server of a protocol with a subprotocol is made, or nothing of it is. */
TEST_CASE(made_without_memory) {
  char name[] = "graphql_transport_ws";
  test_alloc_sweep(make_server, name);
}

TEST_MODULE(server_peers) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(made_without_memory),
      cmocka_unit_test(test_all_are_told),
      cmocka_unit_test(test_compressed),
      cmocka_unit_test(test_groups_by_name),
      cmocka_unit_test(test_many_groups),
      cmocka_unit_test(test_subprotocols),
      cmocka_unit_test(test_what_it_said),
      cmocka_unit_test(test_idle),
      cmocka_unit_test(test_calls_count_for_all),
      cmocka_unit_test(test_oom),
  };
  return cmocka_run_group_tests_name("rpc/server_peers", tests, NULL, NULL);
}
