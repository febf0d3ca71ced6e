/* Both ends of a WebSocket do the same: a client answers what its server's
 * peers ask. */
#include "rpc/server.h"

#include "support/script.h"

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

static uvow_next_t wait_cb(const uvow_call_t *call, void *data) {
  fixture_t *x = (fixture_t *)data;
  uvow_future_t *f = uvow_promise_new(uvow_call_loop(call), &x->promise);
  uvow_promise_on_cancel(x->promise, on_cancel, x, NULL);
  return uvow_next_future(f);
}

static uvow_next_t echo_cb(const uvow_call_t *call, void *data) {
  (void)call;
  (void)data;
  return uvow_next_pass();
}

/* Asks its caller, whichever side that is. */
static uvow_next_t ask_cb(const uvow_call_t *call, void *data) {
  uvow_peer_t *peer = uvow_call_peer(call);
  (void)data;
  assert_int_equal(uvow_peer_state(peer), UVOW_PEER_OPEN);
  return uvow_next_future(uvow_peer_request(
      peer, "echo", uvow_value_bytes(uvow_call_loop(call), "[7]", 3)));
}

static uvow_next_t told_cb(const uvow_call_t *call, void *data) {
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
  uvow_server_options_t served = {.size = sizeof(served)};
  served.protocol = uvow_protocol_jsonrpc2();
  served.methods = x->methods;
  served.on_state = on_state;
  served.data = x;
  assert_int_equal(uvow_server_new(x->s.loop, &served, &x->server), 0);
  snprintf(url, sizeof(url), "ws://127.0.0.1:%u/room?a=1",
           (unsigned)uvow_server_port(x->server));
  uvow_client_options_t options = script_options(&x->s);
  options.url = url;
  options.methods = x->methods;
  assert_int_equal(uvow_client_new(x->s.loop, &options, &x->s.client), 0);
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

static void test_both_ways(void **state) {
  fixture_t x;
  (void)state;
  start(&x);
  assert_string_equal(uvow_peer_target(x.peer), "/room?a=1");
  assert_string_equal(uvow_peer_header(x.peer, "upgrade"), "websocket");
  assert_null(uvow_peer_header(x.peer, "Cookie"));
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
static void test_events(void **state) {
  fixture_t x;
  (void)state;
  start(&x);
  assert_int_equal(uvow_peer_notify(x.peer, "told", uvow_value_none()), 0);
  assert_int_equal(uvow_peer_notify(x.peer, "other", uvow_value_none()), 0);
  ask(&x, "echo", "told:told event:other() =[1]");
  assert_int_equal(script_stats(&x.s).events, 2);
  end(&x);
}

/* The server's request is given up: the client's method is canceled. */
static void test_cancel(void **state) {
  fixture_t x;
  (void)state;
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
static void test_close(void **state) {
  (void)state;
  for (int i = 0; i < 2; i++) {
    fixture_t x;
    start(&x);
    script_mark_t a = script_mark(&x.s, "a");
    script_mark_t closed = script_mark(&x.s, "closed");
    script_watch(uvow_peer_request(x.peer, "wait", uvow_value_none()), &a);
    while (!x.promise)
      assert_true(uv_run(&x.s.uv, UV_RUN_ONCE));
    script_watch(i ? uvow_peer_close(x.peer) : uvow_client_close(x.s.client),
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
static void test_kept(void **state) {
  fixture_t x;
  (void)state;
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
  assert_string_equal(uvow_peer_target(x.peer), "/room?a=1");
  end(&x);
}

/* The face of a client, which its methods see, outlives it too. */
static uvow_peer_t *face;

static uvow_next_t keep_cb(const uvow_call_t *call, void *data) {
  (void)data;
  face = uvow_peer_ref(uvow_call_peer(call));
  return uvow_next_none();
}

static void test_face(void **state) {
  fixture_t x;
  (void)state;
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
  assert_int_equal(uvow_client_state(x.s.client), UVOW_CLIENT_CLOSED);
  uvow_client_free(x.s.client);
  x.s.client = NULL;
  assert_int_equal(uvow_peer_state(face), UVOW_PEER_CLOSED);
  script_watch(uvow_peer_request(face, "m", uvow_value_none()), &a);
  script_turns(&x.s);
  script_expect(&x.s, "a!ECLOSED:NOT");
  uvow_peer_unref(face);
  end(&x);
}

/* A session of CDP that ends takes its requests with it, no others. */
static void test_session_end(void **state) {
  script_t s;
  (void)state;
  for (int said = 0; said < 2; said++) {
    script_init(&s);
    uvow_client_options_t options = script_options(&s);
    uvow_request_options_t in_a = {.size = sizeof(in_a), .session = "a"};
    uvow_request_options_t in_b = {.size = sizeof(in_b), .session = "b"};
    options.protocol = uvow_protocol_cdp();
    options.on_event = NULL;
    script_open_client(&s, &options);
    script_mark_t a = script_mark(&s, "a");
    script_mark_t b = script_mark(&s, "b");
    script_mark_t c = script_mark(&s, "c");
    script_watch(uvow_client_request_bytes(s.client, "m", NULL, 0, &in_a), &a);
    script_watch(uvow_client_request_bytes(s.client, "m", NULL, 0, &in_b), &b);
    script_watch(uvow_client_request_bytes(s.client, "m", NULL, 0, NULL), &c);
    script_turns(&s);
    if (said)
      script_text(&s,
                  "{\"method\":\"Target.detachedFromTarget\",\"params\":{"
                  "\"sessionId\":\"\\u0061\"}}");
    else
      assert_int_equal(uvow_client_end_session(s.client, "a"), 0);
    script_turns(&s);
    script_expect(&s, "a!ECLOSED:MAYBE");
    script_text(&s, "{\"method\":\"Target.detachedFromTarget\"}");
    assert_int_equal(uvow_client_end_session(s.client, "none"), 0);
    assert_int_equal(uvow_client_end_session(NULL, "a"), UVOW_EINVAL);
    assert_int_equal(uvow_client_end_session(s.client, NULL), UVOW_EINVAL);
    script_turns(&s);
    uvow_client_free(s.client);
    s.client = NULL;
    script_turns(&s);
    script_expect(&s, "b!ECLOSED:MAYBE c!ECLOSED:MAYBE");
    script_end(&s);
  }
}

TEST_MODULE(equal) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_both_ways),   cmocka_unit_test(test_events),
      cmocka_unit_test(test_cancel),      cmocka_unit_test(test_close),
      cmocka_unit_test(test_kept),        cmocka_unit_test(test_face),
      cmocka_unit_test(test_session_end),
  };
  return cmocka_run_group_tests_name("rpc/equal", tests, NULL, NULL);
}
