/* How a server ends: freed and closed, from everywhere, and in order. */
#include "rpc/server.h"

#include "support/script.h"
#include "support/serve.h"

#include <stdio.h>

#include <uvow/combine.h>

/* A server, and a client of it, on real sockets in one loop. */
typedef struct fixture {
  script_t s;
  uvow_server_t *server;
  uvow_promise_t *promise; /* of `wait` */
  int canceled;
  int destroyed;
  int late; /* calls that came after the close */
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

static void until_waiting(fixture_t *x) {
  while (!x->promise)
    assert_true(uv_run(&x->s.uv, UV_RUN_ONCE));
}

/* Freed, or its loop closed, within one of its methods. */
static uvow_next_t free_cb(uvow_call_t *call, const uvow_result_t *params,
                           void *data) {
  fixture_t *x = (fixture_t *)data;
  uvow_server_t *server = x->server;
  x->server = NULL;
  uvow_server_free(server);
  assert_string_equal(uvow_call_method(call), "free");
  assert_int_equal(uvow_result_bytes(params).len, 0);
  return uvow_next_value(uvow_value_bytes(uvow_call_loop(call), "1", 1));
}

TEST_CASE(test_freed_within) {
  fixture_t x;
  for (int i = 0; i < 2; i++) {
    start(&x, NULL);
    assert_int_equal(test_method(x.server, "free", free_cb, &x), 0);
    script_mark_t a = script_mark(&x.s, "a");
    script_mark_t b = script_mark(&x.s, "b");
    script_call(&x.s, "wait", &a);
    script_call(&x.s, "free", &b);
    script_until(&x.s, &b.done);
    script_expect(&x.s, "a!ELOST:MAYBE b!ELOST:MAYBE");
    assert_int_equal(x.canceled, 1);
    end(&x);
  }
}

/* Freed by who is told of the cancel, when its peer goes. */
static void free_on_cancel(void *data) {
  fixture_t *x = (fixture_t *)data;
  uvow_server_t *server = x->server;
  x->server = NULL;
  uvow_server_free(server);
  on_cancel(x);
}

TEST_CASE(test_freed_on_cancel) {
  for (int how = 0; how < 4; how++) {
    fixture_t x;
    uvow_peer_t *second = NULL;
    test_serve_t options = server_options();
    options.listener.close_timeout_ms = options.peer.close_timeout_ms = 1;
    start(&x, &options);
    assert_int_equal(new_client(&x, &second), 0);
    script_mark_t a = script_mark(&x.s, NULL);
    script_call(&x.s, "wait", &a);
    while (!x.promise || test_peers(x.server) < 2)
      uv_run(&x.s.uv, UV_RUN_ONCE);
    uvow_promise_on_cancel(x.promise, free_on_cancel, &x, NULL);
    if (how == 0) {
      uvow_peer_unref(x.s.client);
      x.s.client = NULL;
    } else if (how == 1) {
      uvow_future_detach(uvow_server_close(x.server));
    } else if (how == 2) {
      uvow_server_t *server = x.server;
      x.server = NULL;
      uvow_promise_on_cancel(x.promise, on_cancel, &x, NULL);
      uvow_server_free(server);
    } else {
      uvow_loop_close(x.s.loop, NULL, NULL);
      assert_int_equal(x.canceled, 1);
    }
    while (!x.canceled)
      uv_run(&x.s.uv, UV_RUN_ONCE);
    uvow_peer_unref(second);
    if (how == 3) {
      uvow_peer_unref(x.s.client);
      x.s.client = NULL;
      x.s.loop = NULL;
    }
    script_turns(&x.s);
    assert_null(x.server);
    end(&x);
  }
}

/* Freed, its loop closed, or the client gone, by the destroy of what a method
 * returned, at once or later. */
typedef enum way { FREE_SERVER, CLOSE_LOOP, FREE_CLIENT, WAYS } way_t;
typedef struct mine {
  fixture_t *x;
  way_t way;
} mine_t;

static void destroy_mine(void *ptr) {
  const mine_t *mine = (const mine_t *)ptr;
  fixture_t *x = mine->x;
  uvow_server_t *server = x->server;
  uvow_peer_t *client = x->s.client;
  x->destroyed++;
  switch (mine->way) {
  case FREE_SERVER:
    x->server = NULL;
    uvow_server_free(server);
    break;
  case CLOSE_LOOP:
    uvow_loop_close(x->s.loop, NULL, NULL);
    break;
  default:
    x->s.client = NULL;
    uvow_peer_unref(client);
    break;
  }
}

static const uvow_type_t mine_type = {sizeof(uvow_type_t), "mine", NULL,
                                      destroy_mine};

static uvow_next_t mine_cb(uvow_call_t *call, const uvow_result_t *params,
                           void *data) {
  uvow_value_t value = uvow_value_ptr(&mine_type, data);
  (void)params;
  if (uvow_call_method(call)[0] == 'v')
    return uvow_next_value(value);
  return uvow_next_future(uvow_future_fulfilled(uvow_call_loop(call), value));
}

TEST_CASE(test_freed_in_destroy) {
  for (int i = 0; i < 2 * WAYS; i++) {
    fixture_t x;
    mine_t mine = {&x, (way_t)(i / 2)};
    start(&x, NULL);
    assert_int_equal(
        test_method(x.server, i % 2 ? "value" : "future", mine_cb, &mine), 0);
    script_mark_t a = script_mark(&x.s, NULL);
    script_call(&x.s, i % 2 ? "value" : "future", &a);
    script_until(&x.s, &a.done);
    while (!x.destroyed)
      assert_true(uv_run(&x.s.uv, UV_RUN_ONCE));
    assert_int_equal(x.destroyed, 1);
    uvow_server_free(x.server);
    uvow_peer_unref(x.s.client);
    x.server = NULL;
    x.s.client = NULL;
    if (mine.way == CLOSE_LOOP)
      x.s.loop = NULL;
    script_end(&x.s);
  }
}

static uvow_next_t late_cb(uvow_call_t *call, const uvow_result_t *params,
                           void *data) {
  (void)call;
  (void)params;
  ((fixture_t *)data)->late++;
  return uvow_next_none();
}

/* What is under way is answered; what comes now is refused; then each peer gets
 * 1001. Whoever asked has a future of its own. */
TEST_CASE(test_close) {
  fixture_t x;
  start(&x, NULL);
  assert_int_equal(test_method(x.server, "late", late_cb, &x), 0);
  script_mark_t a = script_mark(&x.s, "a");
  script_mark_t late = script_mark(&x.s, "late");
  script_mark_t closed = script_mark(&x.s, "closed");
  script_call(&x.s, "wait", &a);
  until_waiting(&x);
  uvow_future_t *first = uvow_server_close(x.server);
  script_watch(uvow_server_close(x.server), &closed);
  assert_int_equal(uvow_future_cancel(first), 0);
  uvow_future_unref(first);
  assert_int_equal(uvow_server_port(x.server), 0);
  script_call(&x.s, "late", &late);
  script_until(&x.s, &late.done);
  script_expect(&x.s, "late!EREMOTE:ANSWERED");
  assert_int_equal(x.late, 0);
  assert_int_equal(closed.calls, 0);
  uvow_promise_fulfill(x.promise, uvow_value_int64(7));
  script_until(&x.s, &closed.done);
  script_expect(&x.s, "a=7 closed=");
  assert_int_equal(test_peers(x.server), 0);
  assert_int_equal(x.canceled, 0);
  end(&x);
}

/* What isn't answered in time is given up. */
TEST_CASE(test_close_late) {
  fixture_t x;
  uvow_result_t result;
  test_serve_t options = server_options();
  options.listener.close_timeout_ms = options.peer.close_timeout_ms = 1;
  start(&x, &options);
  script_mark_t closed = script_mark(&x.s, "closed");
  uvow_future_t *f = script_request(&x.s, "wait", NULL);
  until_waiting(&x);
  script_watch(uvow_server_close(x.server), &closed);
  script_until(&x.s, &closed.done);
  script_expect(&x.s, "closed=");
  assert_int_equal(x.canceled, 1);
  while (uvow_future_peek(f, &result))
    assert_true(uv_run(&x.s.uv, UV_RUN_ONCE));
  assert_int_equal(uvow_error_status(result.error), 1001);
  uvow_future_unref(f);
  x.s.unhandled[0] = '\0';
  end(&x);
}

TEST_MODULE(server_end) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_freed_within),
      cmocka_unit_test(test_freed_on_cancel),
      cmocka_unit_test(test_freed_in_destroy),
      cmocka_unit_test(test_close),
      cmocka_unit_test(test_close_late),
  };
  return cmocka_run_group_tests_name("rpc/server_end", tests, NULL, NULL);
}
