/* How a server ends: freed and closed, from everywhere, and in order. */
#include "rpc/server.h"

#include "support/script.h"

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

static uvow_server_options_t server_options(void) {
  uvow_server_options_t options = {0};
  options.size = sizeof(options);
  options.protocol = uvow_protocol_jsonrpc2();
  return options;
}

static int new_client(fixture_t *x, uvow_client_t **ret_client) {
  char url[64];
  uvow_client_options_t options = script_options(&x->s);
  snprintf(url, sizeof(url), "ws://127.0.0.1:%u/",
           (unsigned)uvow_server_port(x->server));
  options.url = url;
  return uvow_client_new(x->s.loop, &options, ret_client);
}

static uvow_next_t wait_cb(const uvow_call_t *call, void *data);

static void start(fixture_t *x, const uvow_server_options_t *options) {
  uvow_server_options_t own = server_options();
  memset(x, 0, sizeof(*x));
  script_init(&x->s);
  assert_int_equal(
      uvow_server_new(x->s.loop, options ? options : &own, &x->server), 0);
  assert_int_equal(uvow_server_method(x->server, "wait", wait_cb, x, NULL), 0);
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

static uvow_next_t wait_cb(const uvow_call_t *call, void *data) {
  fixture_t *x = (fixture_t *)data;
  uvow_future_t *f = uvow_promise_new(uvow_call_loop(call), &x->promise);
  uvow_promise_on_cancel(x->promise, on_cancel, x, NULL);
  return uvow_next_future(f);
}

static void until_waiting(fixture_t *x) {
  while (!x->promise)
    assert_true(uv_run(&x->s.uv, UV_RUN_ONCE));
}

/* Freed, or its loop closed, within one of its methods. */
static uvow_next_t free_cb(const uvow_call_t *call, void *data) {
  fixture_t *x = (fixture_t *)data;
  uvow_server_t *server = x->server;
  x->server = NULL;
  uvow_server_free(server);
  assert_string_equal(uvow_call_method(call), "free");
  uvow_payload_bytes(uvow_call_params(call), NULL);
  return uvow_next_bytes(uvow_call_loop(call), "1", 1);
}

static void test_freed_within(void **state) {
  fixture_t x;
  (void)state;
  for (int i = 0; i < 2; i++) {
    start(&x, NULL);
    assert_int_equal(uvow_server_method(x.server, "free", free_cb, &x, NULL),
                     0);
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

static void test_freed_on_cancel(void **state) {
  (void)state;
  for (int how = 0; how < 4; how++) {
    fixture_t x;
    uvow_client_t *second = NULL;
    uvow_server_options_t options = server_options();
    options.close_timeout_ms = 1;
    start(&x, &options);
    assert_int_equal(new_client(&x, &second), 0);
    script_mark_t a = script_mark(&x.s, NULL);
    script_call(&x.s, "wait", &a);
    while (!x.promise || uvow_server_peers(x.server) < 2)
      uv_run(&x.s.uv, UV_RUN_ONCE);
    uvow_promise_on_cancel(x.promise, free_on_cancel, &x, NULL);
    if (how == 0) {
      uvow_client_free(x.s.client);
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
    uvow_client_free(second);
    if (how == 3) {
      uvow_client_free(x.s.client);
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
  uvow_client_t *client = x->s.client;
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
    uvow_client_free(client);
    break;
  }
}

static const uvow_type_t mine_type = {sizeof(uvow_type_t), "mine", NULL,
                                      destroy_mine};

static uvow_next_t mine_cb(const uvow_call_t *call, void *data) {
  uvow_value_t value = uvow_value_ptr(&mine_type, data);
  if (uvow_call_method(call)[0] == 'v')
    return uvow_next_value(value);
  return uvow_next_future(uvow_future_fulfilled(uvow_call_loop(call), value));
}

static void test_freed_in_destroy(void **state) {
  (void)state;
  for (int i = 0; i < 2 * WAYS; i++) {
    fixture_t x;
    mine_t mine = {&x, (way_t)(i / 2)};
    start(&x, NULL);
    assert_int_equal(uvow_server_method(x.server, i % 2 ? "value" : "future",
                                        mine_cb, &mine, NULL),
                     0);
    script_mark_t a = script_mark(&x.s, NULL);
    script_call(&x.s, i % 2 ? "value" : "future", &a);
    script_until(&x.s, &a.done);
    while (!x.destroyed)
      assert_true(uv_run(&x.s.uv, UV_RUN_ONCE));
    assert_int_equal(x.destroyed, 1);
    uvow_server_free(x.server);
    uvow_client_free(x.s.client);
    x.server = NULL;
    x.s.client = NULL;
    if (mine.way == CLOSE_LOOP)
      x.s.loop = NULL;
    script_end(&x.s);
  }
}

static uvow_next_t late_cb(const uvow_call_t *call, void *data) {
  (void)call;
  ((fixture_t *)data)->late++;
  return uvow_next_none();
}

/* What is under way is answered; what comes now is refused; then each peer gets
 * 1001. Whoever asked has a future of its own. */
static void test_close(void **state) {
  fixture_t x;
  (void)state;
  start(&x, NULL);
  assert_int_equal(uvow_server_method(x.server, "late", late_cb, &x, NULL), 0);
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
  assert_int_equal(uvow_server_peers(x.server), 0);
  assert_int_equal(x.canceled, 0);
  end(&x);
}

/* What isn't answered in time is given up. */
static void test_close_late(void **state) {
  fixture_t x;
  uvow_result_t result;
  (void)state;
  uvow_server_options_t options = server_options();
  options.close_timeout_ms = 1;
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
