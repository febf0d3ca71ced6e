/* Both ends of a WebSocket do the same: a client answers what its server's
 * peers ask. */
#include "rpc/server.h"

#include "support/script.h"
#include "support/serve.h"

#include <stdio.h>

typedef struct fixture {
  script_t s;
  uvow_methods_t *methods; /* of both */
  uvow_server_t *server;
  uvow_peer_t *peer; /* the server's, kept; NULL: none yet */
  uvow_promise_t *promise;
  int canceled;
  int closed;
} fixture_t;

static void on_cancel(void *data) {
  ((fixture_t *)data)->canceled++;
}

static uvow_next_t wait_cb(uvow_call_t *call, const uvow_result_t *params,
                           void *data) {
  fixture_t *x = (fixture_t *)data;
  uvow_future_t *f = uvow_promise_new(uvow_call_loop(call), &x->promise);
  (void)params;
  uvow_promise_on_cancel(x->promise, on_cancel, x, NULL);
  return uvow_next_future(f);
}

static uvow_next_t echo_cb(uvow_call_t *call, const uvow_result_t *params,
                           void *data) {
  (void)call;
  (void)params;
  (void)data;
  return uvow_next_pass();
}

/* Asks its caller, whichever side that is. */
static uvow_next_t ask_cb(uvow_call_t *call, const uvow_result_t *params,
                          void *data) {
  uvow_peer_t *peer = uvow_call_peer(call);
  (void)params;
  (void)data;
  assert_int_equal(uvow_peer_state(peer), UVOW_PEER_OPEN);
  return uvow_next_future(uvow_peer_request(
      peer, "echo", uvow_value_bytes(uvow_call_loop(call), "[7]", 3)));
}

static uvow_next_t told_cb(uvow_call_t *call, const uvow_result_t *params,
                           void *data) {
  (void)params;
  script_log(&((fixture_t *)data)->s, "told:", uvow_call_method(call));
  return uvow_next_none();
}

static void on_state(uvow_peer_t *peer, const uvow_peer_change_t *change,
                     void *data) {
  fixture_t *x = (fixture_t *)data;
  if (change->state == UVOW_PEER_OPEN)
    x->peer = uvow_peer_ref(peer);
  else
    x->closed++;
}

static void start(fixture_t *x) {
  char url[64];
  memset(x, 0, sizeof(*x));
  script_init(&x->s);
  x->methods = uvow_methods_new(x->s.loop);
  assert_int_equal(uvow_methods_add(x->methods, "wait", wait_cb, x), 0);
  assert_int_equal(uvow_methods_add(x->methods, "echo", echo_cb, x), 0);
  assert_int_equal(uvow_methods_add(x->methods, "ask", ask_cb, x), 0);
  assert_int_equal(uvow_methods_add(x->methods, "told", told_cb, x), 0);
  test_serve_t served = test_serve_options();
  served.peer.methods = x->methods;
  served.peer.on_state = on_state;
  served.peer.data = x;
  assert_int_equal(test_serve(x->s.loop, &served, &x->server), 0);
  snprintf(url, sizeof(url), "ws://127.0.0.1:%u/room?a=1",
           (unsigned)uvow_server_port(x->server));
  test_connect_t options = script_options(&x->s);
  options.url = url;
  options.peer.methods = x->methods;
  assert_int_equal(test_connect(x->s.loop, &options, &x->s.client), 0);
  while (!x->peer)
    assert_true(uv_run(&x->s.uv, UV_RUN_ONCE));
}

static void end(fixture_t *x) {
  uvow_methods_unref(x->methods);
  uvow_server_free(x->server);
  uvow_peer_unref(x->peer);
  script_end(&x->s);
}

static void ask(fixture_t *x, const char *method, const char *expected) {
  script_mark_t a = script_mark(&x->s, "");
  script_watch(
      uvow_peer_request(x->peer, method, uvow_value_bytes(x->s.loop, "[1]", 3)),
      &a);
  script_until(&x->s, &a.done);
  script_expect(&x->s, expected);
}

TEST_CASE(test_both_ways) {
  fixture_t x;
  start(&x);
  assert_string_equal(uvow_websocket_target(uvow_peer_websocket(x.peer)),
                      "/room?a=1");
  assert_string_equal(
      uvow_websocket_header(uvow_peer_websocket(x.peer), "upgrade"),
      "websocket");
  assert_null(uvow_websocket_header(uvow_peer_websocket(x.peer), "Cookie"));
  ask(&x, "echo", "=[1]");
  ask(&x, "ask", "=[7]"); /* the client's method asks the server's */
  ask(&x, "none", "!EREMOTE:ANSWERED");
  script_mark_t a = script_mark(&x.s, "a");
  script_watch(script_request(&x.s, "ask", "[]"), &a);
  script_until(&x.s, &a.done);
  script_expect(&x.s, "a=[7]");
  end(&x);
}

/* What has a method's name is its; the rest is on_event's. */
TEST_CASE(test_events) {
  fixture_t x;
  start(&x);
  assert_int_equal(uvow_peer_notify(x.peer, "told", uvow_value_none()), 0);
  assert_int_equal(uvow_peer_notify(x.peer, "other", uvow_value_none()), 0);
  ask(&x, "echo",
      "told:told "
      "event?{\"jsonrpc\":\"2.0\",\"method\":\"other\"} =[1]");
  assert_int_equal(script_stats(&x.s).events, 2);
  end(&x);
}

/* The server's request is given up: the client's method is canceled. */
TEST_CASE(test_cancel) {
  fixture_t x;
  start(&x);
  uvow_future_t *f = uvow_peer_request(x.peer, "wait", uvow_value_none());
  while (!x.promise)
    assert_true(uv_run(&x.s.uv, UV_RUN_ONCE));
  assert_int_equal(uvow_future_cancel(f), 0);
  uvow_future_unref(f);
  while (!x.canceled)
    assert_true(uv_run(&x.s.uv, UV_RUN_ONCE));
  uvow_promise_drop(x.promise);
  ask(&x, "echo", "=[1]");
  end(&x);
}

/* A client that closes answers what it was asked; a server's peer too. */
TEST_CASE(test_close) {
  for (int i = 0; i < 2; i++) {
    fixture_t x;
    start(&x);
    script_mark_t a = script_mark(&x.s, "a");
    script_mark_t closed = script_mark(&x.s, "closed");
    script_watch(uvow_peer_request(x.peer, "wait", uvow_value_none()), &a);
    while (!x.promise)
      assert_true(uv_run(&x.s.uv, UV_RUN_ONCE));
    script_watch(i ? uvow_peer_close(x.peer) : uvow_peer_close(x.s.client),
                 &closed);
    script_turns(&x.s);
    assert_int_equal(closed.calls, 0);
    uvow_promise_fulfill(x.promise, uvow_value_int64(5));
    script_until(&x.s, &closed.done);
    script_until(&x.s, &x.closed);
    script_expect(&x.s, "a=5 closed=");
    assert_int_equal(uvow_peer_state(x.peer), UVOW_PEER_CLOSED);
    end(&x);
  }
}

/* A peer that was kept outlives its server. */
TEST_CASE(test_kept) {
  fixture_t x;
  start(&x);
  script_mark_t a = script_mark(&x.s, "a");
  script_watch(uvow_peer_request(x.peer, "wait", uvow_value_none()), &a);
  while (!x.promise)
    assert_true(uv_run(&x.s.uv, UV_RUN_ONCE));
  uvow_server_free(x.server);
  x.server = NULL;
  script_until(&x.s, &a.done);
  script_expect(&x.s, "a!ECLOSED:MAYBE");
  script_until(&x.s, &x.canceled);
  assert_int_equal(x.closed, 0); /* no callback follows the free */
  uvow_promise_drop(x.promise);
  assert_int_equal(uvow_peer_notify(x.peer, "n", uvow_value_none()),
                   UVOW_ECLOSED);
  assert_string_equal(uvow_websocket_target(uvow_peer_websocket(x.peer)),
                      "/room?a=1");
  end(&x);
}

/* The face of a client, which its methods see, outlives it too. */
static uvow_peer_t *face;

static uvow_next_t keep_cb(uvow_call_t *call, const uvow_result_t *params,
                           void *data) {
  (void)params;
  (void)data;
  face = uvow_peer_ref(uvow_call_peer(call));
  return uvow_next_none();
}

TEST_CASE(test_face) {
  fixture_t x;
  start(&x);
  assert_int_equal(uvow_methods_add(x.methods, "keep", keep_cb, &x), 0);
  ask(&x, "keep", "=null");
  script_mark_t a = script_mark(&x.s, "a");
  script_watch(uvow_peer_request(face, "ask", uvow_value_none()), &a);
  script_until(&x.s, &a.done);
  script_expect(&x.s, "a=[7]");
  uvow_peer_stats_t stats = {.size = sizeof(stats)};
  assert_int_equal(uvow_peer_get_stats(face, &stats), 0);
  assert_int_equal(stats.calls, 2);
  assert_int_equal(stats.answered, 1);
  assert_int_equal(uvow_peer_walk(face, NULL, NULL), 0);
  assert_int_equal(uvow_peer_notify(face, "none", uvow_value_none()), 0);
  uvow_peer_end(face);
  assert_int_equal(uvow_peer_state(x.s.client), UVOW_PEER_CLOSED);
  uvow_peer_unref(x.s.client);
  x.s.client = NULL;
  assert_int_equal(uvow_peer_state(face), UVOW_PEER_CLOSED);
  script_watch(uvow_peer_request(face, "m", uvow_value_none()), &a);
  script_turns(&x.s);
  script_expect(&x.s, "a!ECLOSED:NOT");
  uvow_peer_unref(face);
  end(&x);
}

TEST_MODULE(equal) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_both_ways), cmocka_unit_test(test_events),
      cmocka_unit_test(test_cancel),    cmocka_unit_test(test_close),
      cmocka_unit_test(test_kept),      cmocka_unit_test(test_face),
  };
  return cmocka_run_group_tests_name("rpc/equal", tests, NULL, NULL);
}
