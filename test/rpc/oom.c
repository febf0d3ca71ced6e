#include "rpc/peer.h"

#include "rpc/server.h"
#include "support/serve.h"
#include "support/tls_peer.h"
#include "support/faults.h"

#include <stdio.h>

#include <jansson.h>

/* A client and its server in one loop, and an allocation or a call of libuv's
 * that fails: whatever was promised is settled, nothing hangs and nothing is
 * left. */

#define TURNS 3000

/* How the two talk, and how often a whole session was had. */
typedef struct way {
  int tls;
  const uvow_deflate_options_t *deflate; /* of both, or NULL */
  int calls; /* those of libuv's fail, and not the allocations */
  int whole;
} way_t;

typedef struct session {
  script_t s;
  const way_t *way;
  uvow_tls_t *ours;   /* the client's, or NULL */
  uvow_tls_t *theirs; /* the server's, or NULL */
  uvow_server_t *server;
  int promised; /* done was accepted */
  int settled;
  int rejected;
} session_t;

static uvow_next_t later(const uvow_result_t *result, void *data) {
  (void)result;
  (void)data;
  return uvow_next_value(uvow_value_int64(1));
}

static uvow_next_t wait_cb(uvow_call_t *call, const uvow_result_t *params,
                           void *data) {
  uvow_loop_t *loop = uvow_call_loop(call);
  (void)params;
  (void)data;
  return uvow_next_future(uvow_future_then(
      uvow_future_fulfilled(loop, uvow_value_none()), later, NULL));
}

static uvow_next_t pass_cb(uvow_call_t *call, const uvow_result_t *params,
                           void *data) {
  (void)call;
  (void)data;
  (void)uvow_result_json(params);
  return uvow_next_pass();
}

static uvow_next_t fail_cb(uvow_call_t *call, const uvow_result_t *params,
                           void *data) {
  (void)params;
  (void)data;
  return uvow_next_error(
      uvow_error_new_peer(uvow_call_loop(call), 5, "no \xC3\xA9", "[1]", 3));
}

/* The end of a future; an error is one that tells something. */
static void on_done(const uvow_result_t *result, void *data) {
  session_t *x = (session_t *)data;
  if (result->error) {
    assert_true(uvow_error_code(result->error) < 0);
    assert_string_not_equal(uvow_err_name(uvow_error_code(result->error)),
                            "UNKNOWN");
    assert_string_not_equal(uvow_error_message(result->error), "");
  }
  x->settled++;
  x->rejected += result->error != NULL;
}

static void expect(session_t *x, uvow_future_t *f) {
  if (f && uvow_future_done(f, on_done, x) == 0)
    x->promised++;
}

static uvow_next_t ask_again(const uvow_result_t *result, void *data) {
  session_t *x = (session_t *)data;
  (void)result;
  return uvow_next_future(uvow_peer_request(
      x->s.client, "pass",
      uvow_value_json(json_pack("[s]",
                                "a text of some length, so that "
                                "it needs memory of its own"))));
}

/* Until all that was promised is settled: it may take turns, not time. */
static void run(session_t *x) {
  int turns = 0;
  while (x->settled < x->promised && turns++ < TURNS)
    if (!uv_run(&x->s.uv, UV_RUN_NOWAIT))
      break;
  if (x->settled != x->promised)
    uv_run(&x->s.uv, UV_RUN_ONCE); /* a resolver's thread may be slow */
}

/* Without memory, it says so. */
static int make_tls(session_t *x, int is_server, uvow_tls_t **ret) {
  uvow_tls_options_t options = tls_options(is_server);
  uvow_error_t *error = NULL;
  int rc = uvow_tls_new(x->s.loop, &options, ret, &error);
  assert_int_equal(uvow_error_code(error), rc);
  if (rc)
    assert_int_equal(rc, UVOW_ENOMEM);
  uvow_error_unref(error);
  return rc;
}

static int prepare(session_t *x) {
  int rc = x->way->tls ? make_tls(x, 0, &x->ours) : 0;
  if (rc == 0 && x->way->tls)
    rc = make_tls(x, 1, &x->theirs);
  return rc;
}

static int listen_here(session_t *x) {
  const char *subprotocols[] = {"a"};
  test_serve_t options = test_serve_options();
  options.listener.tls = x->theirs;
  options.listener.deflate = x->way->deflate;
  options.listener.subprotocols = subprotocols;
  options.listener.subprotocol_count = 1;
  int rc = test_serve(x->s.loop, &options, &x->server);
  assert_int_equal(rc == 0, x->server != NULL); /* what fails is said */
  if (rc == 0)
    rc = test_method(x->server, "pass", pass_cb, x);
  if (rc == 0)
    rc = test_method(x->server, "wait", wait_cb, x);
  if (rc == 0)
    rc = test_method(x->server, "fail", fail_cb, x);
  return rc;
}

static int connect_here(session_t *x) {
  const char *subprotocols[] = {"a", "b"};
  uvow_header_t header = {sizeof(uvow_header_t), "X-A", "b"};
  char url[64];
  test_connect_t options = script_options(&x->s);
  snprintf(url, sizeof(url), "%s://127.0.0.1:%u/", x->way->tls ? "wss" : "ws",
           (unsigned)uvow_server_port(x->server));
  options.websocket.tls = x->ours;
  options.websocket.deflate = x->way->deflate;
  options.url = url;
  options.websocket.subprotocols = subprotocols;
  options.websocket.subprotocol_count = 2;
  options.websocket.headers = &header;
  options.websocket.header_count = 1;
  return test_connect(x->s.loop, &options, &x->s.client);
}

static void talk(session_t *x) {
  uvow_peer_t *client = x->s.client;
  expect(x, uvow_peer_ready(client));
  expect(x, uvow_peer_request(client, "fail", uvow_value_json(json_array())));
  expect(x, uvow_future_then(
                uvow_peer_request(client, "pass", uvow_value_raw("[1]")),
                ask_again, x));
  (void)uvow_peer_notify(client, "pass", uvow_value_json(json_array()));
  while (x->settled < x->promised)
    if (!uv_run(&x->s.uv, UV_RUN_ONCE) && x->settled < x->promised)
      fail_msg("allocation %zu: nothing is left to happen",
               x->s.alloc->fail_at);
  expect(x, script_request(&x->s, "wait", NULL));
  uvow_future_t *f = script_request(&x->s, "wait", NULL);
  (void)uvow_group_notify(uvow_server_peers(x->server), "event",
                          uvow_value_raw("{}"));
  run(x);
  if (f)
    (void)uvow_future_cancel(f);
  uvow_future_unref(f);
  expect(x, uvow_peer_close(client));
  expect(x, uvow_server_close(x->server));
  while (x->settled < x->promised)
    if (!uv_run(&x->s.uv, UV_RUN_ONCE) && x->settled < x->promised)
      fail_msg("allocation %zu: nothing is left to happen",
               x->s.alloc->fail_at);
}

static void body(test_alloc_t *alloc, void *data) {
  way_t *way = (way_t *)data;
  session_t x;
  memset(&x, 0, sizeof(x));
  x.way = way;
  script_init_with(&x.s, alloc);
  if (x.s.loop && prepare(&x) == 0 && listen_here(&x) == 0 &&
      connect_here(&x) == 0)
    talk(&x);
  uvow_server_free(x.server);
  uvow_tls_unref(x.ours);
  uvow_tls_unref(x.theirs);
  script_quit(&x.s);
  assert_int_equal(x.settled, x.promised);
  int is_whole = x.promised == 6 && x.rejected == 1;
  if (alloc->failed == 0 && !way->calls)
    assert_true(is_whole);
  way->whole += is_whole;
}

static void body_of_calls(void *data) {
  test_alloc_t alloc;
  test_alloc_init(&alloc);
  body(&alloc, data);
  assert_int_equal(alloc.live, 0);
}

static void sweep(int tls, int with_deflate) {
  uvow_deflate_options_t deflate = {0};
  way_t way = {tls, with_deflate ? &deflate : NULL, 0, 0};
  deflate.size = sizeof(deflate);
  deflate.threshold_bytes = 1;
  test_alloc_sweep(body, &way);
  assert_true(way.whole >= 1); /* sockets: not every run allocates as often */
}

TEST_CASE(test_session) {
  sweep(0, 0);
}

TEST_CASE(test_deflate) {
  sweep(0, 1);
}

TEST_CASE(test_tls) {
  sweep(1, 0);
}

TEST_CASE(test_tls_and_deflate) {
  sweep(1, 1);
}

TEST_CASE(test_calls_of_libuvs) {
  for (int tls = 0; tls < 2; tls++) {
    way_t way = {tls, NULL, 1, 0};
    faults_sweep(UV_EBADF, body_of_calls, &way);
    assert_true(way.whole >= 2); /* the first and the last, at least */
  }
}

/* What can't be written at once is written later: that is no failure. */
TEST_CASE(test_writes_that_wait) {
  way_t way = {0, NULL, 0, 0};
  faults_sweep(UV_EAGAIN, body_of_calls, &way);
  assert_true(way.whole >= 3);
}

/* The same on the script: every allocation of a client alone. */
static void script_body(test_alloc_t *alloc, void *data) {
  script_t s;
  (void)data;
  script_init_with(&s, alloc);
  script_mark_t a = script_mark(&s, NULL);
  int promised = 0;
  if (s.loop && script_client(&s, NULL) == 0) {
    uvow_future_t *f = script_request(&s, "m", "[1]");
    promised += f && uvow_future_done(f, script_done, &a) == 0;
    script_connected(&s);
    if (s.sent)
      script_accept(&s);
    script_text(&s, "{\"jsonrpc\":\"2.0\",\"method\":\"e\\n\",\"params\":[]}");
    script_text(&s, "{");
    f = script_request(&s, "n", NULL);
    promised += f && uvow_future_done(f, script_done, &a) == 0;
    script_frame(&s, 0x01, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":", 34);
    script_frame(&s, 0x80, "[1]}", 4);
    script_text(&s,
                "{\"jsonrpc\":\"2.0\",\"id\":2,\"error\":{\"code\":\"x\\n\","
                "\"message\":\"\\t\"}}");
    script_frame(&s, 0x89, "p", 1);
    script_hang_up(&s, UV_ECONNRESET);
  }
  script_quit(&s);
  assert_int_equal(a.calls, promised);
}

TEST_CASE(test_client) {
  test_alloc_sweep(script_body, NULL);
}

TEST_MODULE(oom) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_session),
      cmocka_unit_test(test_deflate),
      cmocka_unit_test(test_tls),
      cmocka_unit_test(test_tls_and_deflate),
      cmocka_unit_test(test_calls_of_libuvs),
      cmocka_unit_test(test_writes_that_wait),
      cmocka_unit_test(test_client),
  };
  return cmocka_run_group_tests_name("rpc/oom", tests, tls_setup, tls_teardown);
}
