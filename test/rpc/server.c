#include "rpc/server.h"

#include "support/script.h"
#include "support/serve.h"

#include <math.h>
#include <stdio.h>

#include <jansson.h>

#include <uvow/combine.h>

/* A server, and a client of it, on real sockets in one loop. */
typedef struct fixture {
  script_t s;
  uvow_server_t *server;
  uvow_promise_t *promise; /* of `wait` */
  int canceled;
} fixture_t;

static test_serve_t server_options(void) {
  test_serve_t options = test_serve_options();
  return options;
}

static int new_client(fixture_t *x, uvow_peer_t **ret_client) {
  char url[64];
  test_connect_t options = script_options(&x->s);
  snprintf(url, sizeof(url), "ws://127.0.0.1:%u/",
           (unsigned)uvow_server_port(x->server));
  options.url = url;
  return test_connect(x->s.loop, &options, ret_client);
}

static uvow_next_t wait_cb(uvow_call_t *call, const uvow_result_t *params,
                           void *data);

static void start(fixture_t *x, const test_serve_t *options) {
  test_serve_t own = server_options();
  memset(x, 0, sizeof(*x));
  script_init(&x->s);
  assert_int_equal(test_serve(x->s.loop, options ? options : &own, &x->server),
                   0);
  assert_int_equal(test_method(x->server, "wait", wait_cb, x), 0);
  assert_int_equal(new_client(x, &x->s.client), 0);
}

static void end(fixture_t *x) {
  uvow_server_free(x->server);
  script_end(&x->s);
}

/* A request and how it ends. */
static void ask(fixture_t *x, const char *method, const char *params,
                const char *expected) {
  script_mark_t a = script_mark(&x->s, "");
  script_watch(script_request(&x->s, method, params), &a);
  script_until(&x->s, &a.done);
  script_expect(&x->s, expected);
}

/* Until the server has so many peers. */
static void until_peers(fixture_t *x, size_t peers) {
  while (test_peers(x->server) != peers)
    assert_true(uv_run(&x->s.uv, UV_RUN_ONCE));
}

/* The same, with those that it refuses. */
static void until_listed(fixture_t *x, size_t peers) {
  while (test_guests(x->server) != peers)
    assert_true(uv_run(&x->s.uv, UV_RUN_ONCE));
}

static void on_connected(uv_connect_t *connect, int status) {
  assert_int_equal(status, 0);
  ++*(int *)connect->data;
}

/* ---- what a method may return ---- */

static const uvow_type_t other = {sizeof(uvow_type_t), "other", NULL, NULL};

static uvow_next_t answer_cb(uvow_call_t *call, const uvow_result_t *params,
                             void *data) {
  const char *name = uvow_call_method(call);
  uvow_loop_t *loop = uvow_call_loop(call);
  assert_int_equal(uvow_call_wants_answer(call), 1);
  (void)params;
  (void)data;
  switch (name[0]) {
  case 'i':
    return uvow_next_value(uvow_value_int64(INT64_MIN));
  case 'd':
    return uvow_next_value(uvow_value_double(0.5));
  case 'D':
    return uvow_next_value(uvow_value_double((double)INFINITY));
  case 't':
    return uvow_next_value(uvow_value_text("a\"\n\xC3\xA9"));
  case 'T':
    return uvow_next_value(uvow_value_text("\xFF"));
  case 'n':
    return uvow_next_none();
  case 'j':
    return uvow_next_json(json_pack("[i]", 1));
  case 'J':
    return uvow_next_json(NULL);
  case 'b':
    return uvow_next_value(uvow_value_bytes(loop, "{\"x\": 1}", 8));
  case 'B':
    return uvow_next_value(uvow_value_bytes(loop, "[1", 2));
  case 'F':
    return uvow_next_value(uvow_value_bytes(loop, "1,\"id\":2", 8));
  case 'e':
    return uvow_next_error(uvow_error_new(loop, UVOW_ECANCELED, "in words"));
  case 'E':
    return uvow_next_error(NULL);
  case 'p':
    return uvow_next_error(uvow_error_new_peer(loop, 42, "mine", "[2]", 3));
  case 'Q':
    return uvow_next_error(uvow_error_new_peer(loop, 42, "mine", "[2", 2));
  case 'c':
    return uvow_next_code(UVOW_EOVERLOAD, NULL);
  case 'C':
    return uvow_next_code(5, "positive");
  case 'f':
    return uvow_next_future(uvow_future_fulfilled(loop, uvow_value_int64(7)));
  case 'r':
    return uvow_next_future(
        uvow_future_rejected(loop, uvow_error_new(loop, -77, "rejected")));
  case 'y':
    return uvow_next_future(uvow_future_delay(loop, 1));
  case 'N':
    return uvow_next_future(NULL);
  case 'o':
    return uvow_next_value(uvow_value_ptr(&other, data));
  default:
    return uvow_next_pass();
  }
}

typedef struct answer_case {
  const char *method;
  const char *value;   /* what is answered, or NULL: an error */
  int64_t code;        /* the peer's */
  const char *message; /* part of it */
} answer_case_t;

static const answer_case_t answer_cases[] = {
    {"int", "-9223372036854775808", 0, NULL},
    {"double", "0.5", 0, NULL},
    {"Double", NULL, -32603, ""},
    {"text", "\"a\\\"\\n\xC3\xA9\"", 0, NULL},
    {"Text", NULL, -32603, ""},
    {"none", "null", 0, NULL},
    {"json", "[1]", 0, NULL},
    {"Json", NULL, -32603, "not valid JSON"},
    {"bytes", "{\"x\": 1}", 0, NULL},
    {"Bytes", NULL, -32603, ""},
    {"Forged", NULL, -32603, ""},
    {"Pass", "[5]", 0, NULL},
    {"error", NULL, -32603, "in words"},
    {"Error", NULL, -32603, "invalid argument"},
    {"peer", NULL, 42, "mine"},
    {"Q (bad data)", NULL, -32603, ""},
    {"code", NULL, -32603, "a limit is reached"},
    {"Code", NULL, -32603, ""},
    {"future", "7", 0, NULL},
    {"rejected", NULL, -32603, "rejected"},
    {"yield", "null", 0, NULL},
    {"Null", NULL, -32603, "out of memory"},
    {"other", NULL, -32603, "another type"},
    {"unknown method", NULL, -32601, "Method not found"},
};

TEST_CASE(test_answers) {
  fixture_t x;
  start(&x, NULL);
  for (size_t i = 0; i < sizeof(answer_cases) / sizeof(*answer_cases); i++) {
    const answer_case_t *c = &answer_cases[i];
    uvow_result_t result;
    script_mark_t a = script_mark(&x.s, NULL);
    if (c->method[0] != 'u')
      assert_int_equal(test_method(x.server, c->method, answer_cb, NULL), 0);
    uvow_future_t *f = script_request(&x.s, c->method, "[5]");
    script_watch(uvow_future_ref(f), &a);
    script_until(&x.s, &a.done);
    assert_int_equal(uvow_future_peek(f, &result), 0);
    if (c->value) {
      assert_null(result.error);
      uvow_slice_t got = uvow_result_bytes(&result);
      assert_int_equal(got.len, strlen(c->value));
      assert_memory_equal(got.bytes, c->value, got.len);
    } else {
      assert_non_null(result.error);
      assert_int_equal(uvow_error_code(result.error), UVOW_EREMOTE);
      assert_int_equal(uvow_error_peer_code(result.error), c->code);
      if (!strstr(uvow_error_message(result.error), c->message))
        fail_msg("%s: %s", c->method, uvow_error_message(result.error));
      size_t len;
      (void)uvow_error_data(result.error, &len);
      assert_int_equal(len, c->code == 42 ? 3 : 0);
    }
    uvow_future_unref(f);
  }
  end(&x);
}

/* ---- calls ---- */

static void on_cancel(void *data) {
  fixture_t *x = (fixture_t *)data;
  uvow_promise_t *promise = x->promise;
  x->promise = NULL;
  x->canceled++;
  uvow_promise_drop(promise);
}

static uvow_next_t wait_cb(uvow_call_t *call, const uvow_result_t *params,
                           void *data) {
  fixture_t *x = (fixture_t *)data;
  uvow_future_t *f = uvow_promise_new(uvow_call_loop(call), &x->promise);
  (void)params;
  uvow_promise_on_cancel(x->promise, on_cancel, x, NULL);
  return uvow_next_future(f);
}

static uvow_next_t note_cb(uvow_call_t *call, const uvow_result_t *params,
                           void *data) {
  fixture_t *x = (fixture_t *)data;
  (void)params;
  script_log(&x->s, "called:", uvow_call_method(call));
  if (uvow_call_wants_answer(call))
    script_log(&x->s, "wants", "");
  switch (uvow_call_method(call)[0]) {
  case 'f':
    return uvow_next_future(NULL);
  case 'e':
    return uvow_next_code(UVOW_EINVAL, NULL);
  case 'r':
    return uvow_next_future(uvow_future_rejected(
        uvow_call_loop(call), uvow_error_new(uvow_call_loop(call), -1, "x")));
  default:
    return uvow_next_value(uvow_value_int64(1));
  }
}

/* A notification has no answer, whatever its method returns. */
TEST_CASE(test_notification) {
  static const char *const names[] = {"v", "f", "e", "r", "unknown"};
  fixture_t x;
  start(&x, NULL);
  for (int i = 0; i < 4; i++)
    assert_int_equal(test_method(x.server, names[i], note_cb, &x), 0);
  for (int i = 0; i < 5; i++)
    assert_int_equal(uvow_peer_notify(x.s.client, names[i], uvow_value_none()),
                     0);
  ask(&x, "v", NULL, "called:v called:f called:e called:r called:v wants =1");
  script_turns(&x.s);
  end(&x);
}

/* An answer comes when the future does, in any order. */
TEST_CASE(test_pending) {
  fixture_t x;
  start(&x, NULL);
  assert_int_equal(test_method(x.server, "v", note_cb, &x), 0);
  script_mark_t a = script_mark(&x.s, "a");
  script_call(&x.s, "wait", &a);
  ask(&x, "v", NULL, "called:v wants =1");
  assert_int_equal(a.calls, 0);
  uvow_promise_fulfill(x.promise, uvow_value_int64(5));
  script_until(&x.s, &a.done);
  script_expect(&x.s, "a=5");
  assert_int_equal(x.canceled, 0);
  end(&x);
}

/* A peer goes while its call is being answered: that future is canceled. */
TEST_CASE(test_peer_gone) {
  fixture_t x;
  start(&x, NULL);
  script_mark_t a = script_mark(&x.s, "a");
  script_call(&x.s, "wait", &a);
  while (!x.promise)
    uv_run(&x.s.uv, UV_RUN_ONCE);
  uvow_peer_unref(x.s.client);
  x.s.client = NULL;
  until_peers(&x, 0);
  assert_int_equal(x.canceled, 1);
  assert_null(x.promise);
  script_expect(&x.s, "a!ECLOSED:MAYBE");
  end(&x);
}

/* Names, ids and params that don't fit into a call are kept outside of it. */
static uvow_next_t echo_cb(uvow_call_t *call, const uvow_result_t *params,
                           void *data) {
  fixture_t *x = (fixture_t *)data;
  char text[64];
  size_t len = uvow_result_bytes(params).len;
  snprintf(text, sizeof(text), "%zu/%zu", strlen(uvow_call_method(call)), len);
  script_log(&x->s, "", text);
  return uvow_next_pass();
}

TEST_CASE(test_long_names) {
  fixture_t x;
  char name[201];
  start(&x, NULL);
  static const size_t lengths[] = {1, 62, 63, 64, 65, 200};
  for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
    char expected[64];
    memset(name, 'n', sizeof(name));
    name[lengths[i]] = '\0';
    assert_int_equal(test_method(x.server, name, echo_cb, &x), 0);
    snprintf(expected, sizeof(expected), "%zu/3 =[1]", lengths[i]);
    ask(&x, name, "[1]", expected);
  }
  assert_int_equal(test_method(x.server, "a\"\n", echo_cb, &x), 0);
  ask(&x, "a\"\n", NULL, "3/0 =null");
  end(&x);
}

/* Methods may come, and be replaced, while it serves. */
TEST_CASE(test_methods) {
  fixture_t x;
  start(&x, NULL);
  ask(&x, "m", NULL, "!EREMOTE:ANSWERED");
  assert_int_equal(test_method(x.server, "m", answer_cb, &x), 0);
  assert_int_equal(test_method(x.server, "m", note_cb, &x), 0);
  ask(&x, "m", NULL, "called:m wants =1");
  end(&x);
}

TEST_CASE(test_close_without_peers) {
  fixture_t x;
  start(&x, NULL);
  uvow_peer_unref(x.s.client);
  x.s.client = NULL;
  script_mark_t closed = script_mark(&x.s, "closed");
  script_watch(uvow_server_close(x.server), &closed);
  script_until(&x.s, &closed.done);
  script_expect(&x.s, "closed=");
  assert_null(uvow_server_close(NULL));
  uvow_server_free(NULL);
  assert_int_equal(uvow_server_port(NULL), 0);
  assert_null(uvow_server_peers(NULL));
  end(&x);
}

TEST_CASE(test_publish) {
  fixture_t x;
  start(&x, NULL);
  assert_int_equal(test_method(x.server, "v", note_cb, &x), 0);
  assert_int_equal(
      uvow_group_notify(uvow_server_peers(x.server), "e", uvow_value_none()),
      0);
  ask(&x, "v", NULL, "called:v wants =1");
  assert_int_equal(uvow_group_notify(uvow_server_peers(x.server), "e",
                                     uvow_value_raw("[1]")),
                   0);
  assert_int_equal(
      uvow_group_notify(uvow_server_peers(x.server), "e", uvow_value_raw("1]")),
      UVOW_EINVAL);
  assert_int_equal(uvow_group_notify(uvow_server_peers(x.server), NULL,
                                     uvow_value_raw("[1]")),
                   UVOW_EINVAL);
  assert_int_equal(
      uvow_group_notify(uvow_server_peers(NULL), "e", uvow_value_raw("[1]")),
      UVOW_EINVAL);
  while (script_stats(&x.s).events == 0)
    uv_run(&x.s.uv, UV_RUN_ONCE);
  script_turns(&x.s);
  script_expect(&x.s, "event:e([1])");
  end(&x);
}

/* ---- limits ---- */

TEST_CASE(test_max_calls) {
  fixture_t x;
  test_serve_t options = server_options();
  options.peer.max_calls = 1;
  start(&x, &options);
  script_mark_t a = script_mark(&x.s, "a");
  script_call(&x.s, "wait", &a);
  uvow_result_t result;
  script_mark_t b = script_mark(&x.s, NULL);
  uvow_future_t *f = script_request(&x.s, "wait", NULL);
  script_watch(uvow_future_ref(f), &b);
  script_until(&x.s, &b.done);
  assert_int_equal(uvow_future_peek(f, &result), 0);
  assert_int_equal(uvow_error_peer_code(result.error), -32000);
  uvow_future_unref(f);
  uvow_promise_fulfill(x.promise, uvow_value_none());
  script_until(&x.s, &a.done);
  script_expect(&x.s, "a=null");
  end(&x);
}

typedef struct fullness {
  int done;
  int status;
  char retry_after[8];
} fullness_t;

static void see_full(const uvow_result_t *result, void *data) {
  fullness_t *seen = (fullness_t *)data;
  size_t len = 0;
  assert_non_null(result->error);
  const char *after = uvow_error_header(result->error, "Retry-After", &len);
  seen->status = uvow_error_status(result->error);
  if (after && len < sizeof(seen->retry_after))
    memcpy(seen->retry_after, after, len);
  seen->done = 1;
}

TEST_CASE(test_max_peers) {
  fixture_t x;
  uvow_peer_t *second;
  test_serve_t options = server_options();
  options.listener.max_peers = 1;
  start(&x, &options);
  assert_int_equal(test_method(x.server, "v", note_cb, &x), 0);
  ask(&x, "v", NULL, "called:v wants =1");
  assert_int_equal(new_client(&x, &second), 0);
  fullness_t seen = {0};
  assert_int_equal(uvow_future_done(uvow_peer_ready(second), see_full, &seen),
                   0);
  script_until(&x.s, &seen.done);
  assert_int_equal(seen.status, 503);
  assert_string_equal(seen.retry_after, "5");
  assert_int_equal(test_peers(x.server), 1);
  uvow_peer_unref(second);
  ask(&x, "v", NULL, "called:v wants =1");
  until_listed(&x, 1);
  end(&x);
}

/* Who says nothing is refused too: the ones above a bound are closed at once,
 * and when the others are gone there is room again. */
TEST_CASE(test_surplus_is_bounded) {
  enum { COUNT = 70, BOUND = 64 };
  fixture_t x;
  uv_tcp_t tcp[COUNT];
  uv_connect_t connects[COUNT];
  struct sockaddr_in address;
  int connected = 0;
  test_serve_t options = server_options();
  options.listener.max_peers = 1;
  start(&x, &options);
  until_peers(&x, 1);
  uv_ip4_addr("127.0.0.1", uvow_server_port(x.server), &address);
  for (int i = 0; i < COUNT; i++) {
    assert_int_equal(uv_tcp_init(&x.s.uv, &tcp[i]), 0);
    connects[i].data = &connected;
    assert_int_equal(uv_tcp_connect(&connects[i], &tcp[i],
                                    (struct sockaddr *)&address, on_connected),
                     0);
  }
  while (connected < COUNT || x.server->listener->surplus < BOUND)
    assert_true(uv_run(&x.s.uv, UV_RUN_ONCE));
  for (int i = 0; i < 4; i++) {
    uv_run(&x.s.uv, UV_RUN_NOWAIT);
    assert_int_equal(test_guests(x.server), 1 + BOUND);
    assert_int_equal(test_peers(x.server), 1);
  }
  for (int i = 0; i < COUNT; i++)
    uv_close((uv_handle_t *)&tcp[i], NULL);
  until_listed(&x, 1);
  assert_int_equal(x.server->listener->surplus, 0);
  end(&x);
}

/* It listens where it was told to, once. */
TEST_CASE(test_listen) {
  script_t s;
  uvow_server_t *server = NULL;
  uvow_server_t *second = NULL;
  script_init(&s);
  test_serve_t options = server_options();
  assert_null(uvow_server_new(NULL, &options.peer));
  assert_null(
      uvow_server_new(uvow_listener_new(s.loop, &options.listener), NULL));
  assert_int_equal(uvow_error_code(uvow_loop_error(s.loop)), UVOW_EINVAL);
  options.listener.host = "localhost";
  assert_int_equal(test_serve(s.loop, &options, &server), UVOW_EINVAL);
  options.listener.host = "127.0.0.1";
  options.listener.subprotocol_count = 1;
  assert_int_equal(test_serve(s.loop, &options, &server), UVOW_EINVAL);
  options.listener.subprotocol_count = 0;
  options.peer.protocol = NULL;
  assert_int_equal(test_serve(s.loop, &options, &server), UVOW_EINVAL);
  options.peer.protocol = uvow_protocol_by_name("jsonrpc2");
  options.peer.size = 0;
  assert_int_equal(test_serve(s.loop, &options, &server), UVOW_EINVAL);
  options.peer.size = sizeof(options.peer);
  options.listener.size = 0;
  assert_int_equal(test_serve(s.loop, &options, &server), UVOW_EINVAL);
  options.listener.size = sizeof(options.listener);
  assert_int_equal(test_serve(s.loop, &options, &server), 0);
  options.listener.port = uvow_server_port(server);
  assert_true(options.listener.port > 0);
  assert_int_equal(test_serve(s.loop, &options, &second), UV_EADDRINUSE);
  assert_null(second);
  uvow_server_free(server);
  script_end(&s);
}

/* The loop is closed with a server that has peers and calls; freed after. */
TEST_CASE(test_loop_close) {
  for (int within = 0; within < 2; within++) {
    fixture_t x;
    start(&x, NULL);
    script_mark_t a = script_mark(&x.s, NULL);
    script_call(&x.s, "wait", &a);
    while (!x.promise)
      uv_run(&x.s.uv, UV_RUN_ONCE);
    uvow_loop_t *loop = x.s.loop;
    uvow_loop_close(loop, NULL, NULL);
    x.s.loop = NULL;
    assert_int_equal(x.canceled, 1);
    assert_int_equal(a.calls, 1);
    if (within)
      script_turns(&x.s);
    assert_int_equal(test_peers(x.server), 0);
    assert_null(uvow_server_close(x.server));
    uvow_server_free(x.server);
    uvow_peer_unref(x.s.client);
    x.server = NULL;
    x.s.client = NULL;
    script_end(&x.s);
  }
}

TEST_MODULE(server) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_answers),
      cmocka_unit_test(test_notification),
      cmocka_unit_test(test_pending),
      cmocka_unit_test(test_peer_gone),
      cmocka_unit_test(test_long_names),
      cmocka_unit_test(test_methods),
      cmocka_unit_test(test_close_without_peers),
      cmocka_unit_test(test_publish),
      cmocka_unit_test(test_max_calls),
      cmocka_unit_test(test_max_peers),
      cmocka_unit_test(test_surplus_is_bounded),
      cmocka_unit_test(test_listen),
      cmocka_unit_test(test_loop_close),
  };
  return cmocka_run_group_tests_name("rpc/server", tests, NULL, NULL);
}
