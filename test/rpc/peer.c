/* Peers in memory: what each may ask of the other, and how they end. */
#include "rpc/peer.h"

#include "support/script.h"

#include <uvow/combine.h>

typedef struct pair {
  script_t s;
  uvow_methods_t *methods;
  uvow_peer_t *a;
  uvow_peer_t *b;
  uvow_promise_t *promise; /* of `wait` */
  int canceled;
  int destroyed;
} pair_t;

static void on_cancel(void *data) {
  pair_t *x = (pair_t *)data;
  uvow_promise_t *promise = x->promise;
  x->promise = NULL;
  x->canceled++;
  uvow_promise_drop(promise);
}

static uvow_next_t wait_cb(uvow_call_t *call, const uvow_result_t *params,
                           void *data) {
  pair_t *x = (pair_t *)data;
  uvow_future_t *f = uvow_promise_new(uvow_call_loop(call), &x->promise);
  (void)params;
  uvow_promise_on_cancel(x->promise, on_cancel, x, NULL);
  return uvow_next_future(f);
}

static uvow_next_t echo_cb(uvow_call_t *call, const uvow_result_t *params,
                           void *data) {
  pair_t *x = (pair_t *)data;
  (void)params;
  if (!uvow_call_wants_answer(call))
    script_log(&x->s, "told:", uvow_call_method(call));
  return uvow_next_pass();
}

/* Asks its caller, and answers what that answers. */
static uvow_next_t ask_cb(uvow_call_t *call, const uvow_result_t *params,
                          void *data) {
  (void)params;
  (void)data;
  return uvow_next_future(
      uvow_peer_request(uvow_call_peer(call), "echo",
                        uvow_value_bytes(uvow_call_loop(call), "[9]", 3)));
}

static void on_state(uvow_peer_t *peer, const uvow_peer_change_t *change,
                     void *data) {
  pair_t *x = (pair_t *)data;
  assert_int_equal(change->size, sizeof(*change));
  assert_int_equal(uvow_peer_state(peer), peer->life.state);
  script_log(&x->s, uvow_peer_state_name(change->state),
             change->why ? uvow_err_name(uvow_error_code(change->why)) : "");
}

static uvow_peer_options_t default_options(pair_t *x) {
  uvow_peer_options_t options = {0};
  options.size = sizeof(options);
  options.protocol = uvow_protocol_by_name("jsonrpc2");
  options.methods = x->methods;
  return options;
}

static void prepare(pair_t *x) {
  memset(x, 0, sizeof(*x));
  script_init(&x->s);
  script_drive_clock(&x->s);
  x->methods = uvow_methods_new(x->s.loop);
  assert_int_equal(uvow_methods_add(x->methods, "wait", wait_cb, x), 0);
  assert_int_equal(uvow_methods_add(x->methods, "ask", ask_cb, x), 0);
  assert_int_equal(uvow_methods_add(x->methods, NULL, echo_cb, x), 0);
}

static void start_with(pair_t *x, const uvow_peer_options_t *a,
                       const uvow_peer_options_t *b) {
  assert_int_equal(uvow_peer_pair(x->s.loop, a, b, &x->a, &x->b), 0);
}

static void start(pair_t *x) {
  prepare(x);
  uvow_peer_options_t options = default_options(x);
  start_with(x, &options, &options);
}

static void end(pair_t *x) {
  uvow_methods_unref(x->methods);
  uvow_peer_unref(x->a);
  uvow_peer_unref(x->b);
  script_end(&x->s);
}

static void ask(pair_t *x, uvow_peer_t *peer, const char *method,
                script_mark_t *mark) {
  script_watch(
      uvow_peer_request(peer, method, uvow_value_bytes(x->s.loop, "[1]", 3)),
      mark);
}

TEST_CASE(test_both_ways) {
  pair_t x;
  start(&x);
  script_mark_t a = script_mark(&x.s, "a");
  script_mark_t b = script_mark(&x.s, "b");
  script_mark_t c = script_mark(&x.s, "c");
  ask(&x, x.a, "echo", &a);
  ask(&x, x.b, "echo", &b);
  ask(&x, x.a, "ask", &c);
  script_expect(&x.s, "");
  script_turns(&x.s);
  script_expect(&x.s, "a=[1] b=[1] c=[9]");
  end(&x);
}

TEST_CASE(test_params) {
  pair_t x;
  start(&x);
  script_mark_t a = script_mark(&x.s, "a");
  uvow_loop_t *loop = x.s.loop;
  script_watch(uvow_peer_request(x.a, "m", uvow_value_none()), &a);
  script_watch(uvow_peer_request(x.a, "m", uvow_value_bytes(loop, "[1]", 3)),
               &a);
  script_watch(uvow_peer_request(x.a, "m", uvow_value_int64(5)), &a);
  script_watch(uvow_peer_request(x.a, "m", uvow_value_bytes(loop, "[1", 2)),
               &a);
  script_watch(uvow_peer_request(x.a, NULL, uvow_value_none()), &a);
  script_turns(&x.s);
  script_expect(&x.s, "a!EINVAL:NOT a!EINVAL:NOT a!EINVAL:NOT a=null a=[1]");
  assert_int_equal(uvow_peer_notify(x.b, "n", uvow_value_none()), 0);
  assert_int_equal(uvow_peer_notify(x.b, NULL, uvow_value_none()), UVOW_EINVAL);
  script_turns(&x.s);
  script_expect(&x.s, "told:n");
  assert_null(uvow_peer_request(NULL, "m", uvow_value_none()));
  assert_int_equal(uvow_peer_notify(NULL, "m", uvow_value_none()), UVOW_EINVAL);
  end(&x);
}

/* A request that is given up is canceled at the peer, unless it is told not to
 * be; its answer then is late. */
TEST_CASE(test_cancel) {
  for (int quiet = 0; quiet < 2; quiet++) {
    pair_t x;
    prepare(&x);
    uvow_peer_options_t options = default_options(&x);
    options.no_cancel = quiet;
    start_with(&x, &options, &options);
    uvow_future_t *f = uvow_peer_request(x.a, "wait", uvow_value_none());
    script_turns(&x.s);
    assert_non_null(x.promise);
    assert_int_equal(uvow_future_cancel(f), 0);
    uvow_future_unref(f);
    assert_int_equal(x.canceled, 0);
    script_turns(&x.s);
    assert_int_equal(x.canceled, !quiet);
    if (quiet)
      uvow_promise_fulfill(x.promise, uvow_value_none());
    script_turns(&x.s);
    uvow_peer_stats_t stats = {.size = sizeof(stats)};
    assert_int_equal(uvow_peer_get_stats(x.a, &stats), 0);
    assert_int_equal(stats.late, 1);
    assert_int_equal(stats.canceled, 1);
    assert_int_equal(uvow_peer_get_stats(x.b, &stats), 0);
    assert_int_equal(stats.calls, 1);
    assert_int_equal(stats.calls_under_way, 0);
    assert_int_equal(stats.call_bytes, 0);
    end(&x);
  }
}

TEST_CASE(test_deadline) {
  pair_t x;
  prepare(&x);
  uvow_peer_options_t options = default_options(&x);
  options.timeout_ms = 50;
  start_with(&x, &options, &options);
  script_mark_t a = script_mark(&x.s, "a");
  script_mark_t b = script_mark(&x.s, "b");
  uvow_request_options_t longer = {0};
  longer.size = sizeof(longer);
  longer.timeout_ms = 80;
  ask(&x, x.a, "wait", &a);
  script_turns(&x.s);
  script_advance(&x.s, 51);
  script_expect(&x.s, "a!ETIMEDOUT:MAYBE");
  script_turns(&x.s);
  script_watch(uvow_peer_request_with(x.b, "wait", uvow_value_none(), &longer),
               &b);
  script_turns(&x.s);
  script_advance(&x.s, 51);
  script_expect(&x.s, "");
  script_advance(&x.s, 30);
  script_expect(&x.s, "b!ETIMEDOUT:MAYBE");
  script_turns(&x.s);
  assert_int_equal(x.canceled, 2);
  end(&x);
}

/* States are told, each once, to who was there when it came about. */
TEST_CASE(test_states) {
  pair_t x;
  prepare(&x);
  uvow_peer_options_t options = default_options(&x);
  uvow_peer_options_t quiet = options;
  options.on_state = on_state;
  options.data = &x;
  start_with(&x, &options, &quiet);
  assert_int_equal(uvow_peer_state(x.a), UVOW_PEER_OPEN);
  assert_int_equal(uvow_peer_state(NULL), UVOW_PEER_CLOSED);
  assert_string_equal(uvow_peer_state_name((uvow_peer_state_t)99), "unknown");
  script_turns(&x.s);
  script_expect(&x.s, "open");
  uvow_peer_end(x.b);
  script_expect(&x.s, "");
  script_turns(&x.s);
  script_expect(&x.s, "closedUVOW_ELOST");
  uvow_peer_end(x.a);
  uvow_peer_end(NULL);
  script_turns(&x.s);
  script_expect(&x.s, "");
  end(&x);
}

/* Closing: what is under way, both ways, is answered; what is new, refused;
 * whoever asks has a future of its own. */
TEST_CASE(test_close) {
  pair_t x;
  start(&x);
  script_mark_t a = script_mark(&x.s, "a");
  script_mark_t b = script_mark(&x.s, "b");
  script_mark_t closed = script_mark(&x.s, "closed");
  ask(&x, x.a, "wait", &a);
  script_turns(&x.s);
  uvow_future_t *first = uvow_peer_close(x.b);
  script_watch(uvow_peer_close(x.b), &closed);
  assert_int_equal(uvow_peer_state(x.b), UVOW_PEER_CLOSING);
  assert_int_equal(uvow_future_cancel(first), 0);
  uvow_future_unref(first);
  ask(&x, x.a, "echo", &b);
  ask(&x, x.b, "echo", &b);
  assert_int_equal(uvow_peer_notify(x.b, "n", uvow_value_none()), UVOW_ECLOSED);
  script_turns(&x.s);
  script_expect(&x.s, "b!ECLOSED:NOT b!EREMOTE:ANSWERED");
  uvow_promise_fulfill(x.promise, uvow_value_int64(3));
  script_turns(&x.s);
  script_expect(&x.s, "a=3 closed=");
  assert_int_equal(uvow_peer_state(x.a), UVOW_PEER_CLOSED);
  script_watch(uvow_peer_close(x.b), &closed);
  script_turns(&x.s);
  script_expect(&x.s, "closed=");
  assert_null(uvow_peer_close(NULL));
  end(&x);
}

/* What isn't answered in time is given up, on both sides. */
TEST_CASE(test_close_late) {
  pair_t x;
  start(&x);
  script_mark_t a = script_mark(&x.s, "a");
  script_mark_t closed = script_mark(&x.s, "closed");
  ask(&x, x.a, "wait", &a);
  script_turns(&x.s);
  script_watch(uvow_peer_close(x.b), &closed);
  script_turns(&x.s);
  script_advance(&x.s, 4990);
  script_turns(&x.s);
  script_expect(&x.s, "");
  script_advance(&x.s, 20);
  script_turns(&x.s);
  script_expect(&x.s, "a!ELOST:MAYBE closed=");
  assert_int_equal(x.canceled, 1);
  end(&x);
}

/* The last owner's release ends it, without a word; within its own method too.
 */
static uvow_next_t unref_cb(uvow_call_t *call, const uvow_result_t *params,
                            void *data) {
  pair_t *x = (pair_t *)data;
  uvow_peer_t *b = x->b;
  (void)params;
  assert_ptr_equal(uvow_call_peer(call), b);
  x->b = NULL;
  uvow_peer_unref(b);
  assert_null(uvow_call_peer(call));
  assert_string_equal(uvow_call_method(call), "unref");
  return uvow_next_pass();
}

TEST_CASE(test_unref) {
  pair_t x;
  start(&x);
  script_mark_t a = script_mark(&x.s, "a");
  script_mark_t b = script_mark(&x.s, "b");
  assert_int_equal(uvow_methods_add(x.methods, "unref", unref_cb, &x), 0);
  assert_ptr_equal(uvow_peer_ref(x.a), x.a);
  uvow_peer_unref(x.a);
  uvow_peer_unref(NULL);
  assert_null(uvow_peer_ref(NULL));
  ask(&x, x.a, "wait", &a);
  ask(&x, x.a, "unref", &b);
  script_turns(&x.s);
  script_expect(&x.s, "a!ELOST:MAYBE b!ELOST:MAYBE");
  assert_int_equal(x.canceled, 1);
  end(&x);
}

static void count_destroy(void *data) {
  ((pair_t *)data)->destroyed++;
}

TEST_CASE(test_data) {
  pair_t x;
  start(&x);
  assert_null(uvow_peer_data(x.a));
  assert_null(uvow_peer_data(NULL));
  uvow_peer_set_data(x.a, &x, count_destroy);
  assert_ptr_equal(uvow_peer_data(x.a), &x);
  uvow_peer_set_data(x.a, &x, count_destroy);
  assert_int_equal(x.destroyed, 1);
  uvow_peer_set_data(NULL, &x, count_destroy);
  assert_int_equal(x.destroyed, 2);
  uvow_peer_unref(x.a);
  x.a = NULL;
  assert_int_equal(x.destroyed, 2); /* later */
  script_turns(&x.s);
  assert_int_equal(x.destroyed, 3);
  assert_string_equal(uvow_websocket_target(uvow_peer_websocket(x.b)), "");
  assert_null(uvow_websocket_header(uvow_peer_websocket(x.b), "Host"));
  end(&x);
}

/* A peer outlives its loop. */
TEST_CASE(test_loop_close) {
  pair_t x;
  start(&x);
  script_mark_t a = script_mark(&x.s, "a");
  ask(&x, x.a, "wait", &a);
  script_turns(&x.s);
  uvow_peer_set_data(x.a, &x, count_destroy);
  uvow_methods_unref(x.methods);
  uvow_loop_close(x.s.loop, NULL, NULL);
  script_turns(&x.s);
  script_expect(&x.s, "a!ECLOSED:MAYBE");
  assert_int_equal(uvow_peer_state(x.a), UVOW_PEER_CLOSED);
  assert_int_equal(uvow_peer_notify(x.a, "n", uvow_value_none()), UVOW_ECLOSED);
  uvow_peer_unref(x.a);
  uvow_peer_unref(x.b);
  assert_int_equal(x.destroyed, 1);
  x.s.loop = NULL;
  script_end(&x.s);
}

static void log_pending(const uvow_pending_t *pending, void *data) {
  assert_int_equal(pending->in_flight, 1);
  assert_int_equal(pending->outcome, UVOW_MAYBE_EXECUTED);
  script_log((script_t *)data, "pending:", pending->method);
}

TEST_CASE(test_walk) {
  pair_t x;
  start(&x);
  script_mark_t a = script_mark(&x.s, "a");
  ask(&x, x.a, "wait", &a);
  ask(&x, x.a, "m", &a);
  assert_int_equal(uvow_peer_walk(x.a, log_pending, &x.s), 2);
  script_expect(&x.s, "pending:wait pending:m");
  assert_int_equal(uvow_peer_walk(x.b, NULL, NULL), 0);
  assert_int_equal(uvow_peer_walk(NULL, NULL, NULL), 0);
  assert_int_equal(uvow_peer_get_stats(x.a, NULL), UVOW_EINVAL);
  uvow_peer_end(x.a);
  script_turns(&x.s);
  script_expect(&x.s, "a!ECLOSED:MAYBE a!ECLOSED:MAYBE");
  end(&x);
}

TEST_CASE(test_bad_options) {
  pair_t x;
  prepare(&x);
  uvow_peer_options_t good = default_options(&x);
  uvow_peer_options_t bad = good;
  bad.protocol = NULL;
  uvow_loop_t *loop = x.s.loop;
  assert_int_equal(uvow_peer_pair(loop, &good, &bad, &x.a, &x.b), UVOW_EINVAL);
  assert_int_equal(uvow_peer_pair(loop, NULL, &good, &x.a, &x.b), UVOW_EINVAL);
  assert_int_equal(uvow_peer_pair(NULL, &good, &good, &x.a, &x.b), UVOW_EINVAL);
  assert_int_equal(uvow_peer_pair(loop, &good, &good, NULL, &x.b), UVOW_EINVAL);
  assert_null(x.a);
  end(&x);
}

/* Every allocation fails once: each request is settled, nothing is left. */
static void body(test_alloc_t *alloc, void *data) {
  pair_t x;
  int promised = 0;
  (void)data;
  memset(&x, 0, sizeof(x));
  script_init_with(&x.s, alloc);
  script_mark_t a = script_mark(&x.s, NULL);
  script_mark_t closed = script_mark(&x.s, NULL);
  x.methods = x.s.loop ? uvow_methods_new(x.s.loop) : NULL;
  uvow_peer_options_t options = default_options(&x);
  if (x.methods && uvow_methods_add(x.methods, "ask", ask_cb, &x) == 0 &&
      uvow_methods_add(x.methods, "echo", echo_cb, &x) == 0 &&
      uvow_peer_pair(x.s.loop, &options, &options, &x.a, &x.b) == 0) {
    for (int i = 0; i < 3; i++) {
      uvow_future_t *f =
          uvow_peer_request(i % 2 ? x.a : x.b, i ? "ask" : "echo",
                            uvow_value_bytes(x.s.loop, "[1]", 3));
      promised += f && uvow_future_done(f, script_done, &a) == 0;
    }
    script_turns(&x.s);
    uvow_future_t *f = uvow_peer_request(x.a, "none", uvow_value_none());
    if (f)
      (void)uvow_future_cancel(f);
    uvow_future_unref(f);
    f = uvow_peer_close(x.a);
    int asked = f && uvow_future_done(f, script_done, &closed) == 0;
    script_turns(&x.s);
    assert_int_equal(closed.calls, asked);
    assert_int_equal(a.calls, promised);
  }
  uvow_methods_unref(x.methods);
  uvow_peer_unref(x.a);
  uvow_peer_unref(x.b);
  script_quit(&x.s);
  assert_int_equal(a.calls, promised);
}

TEST_CASE(test_no_memory) {
  test_alloc_sweep(body, NULL);
}

TEST_MODULE(peer) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_both_ways),  cmocka_unit_test(test_params),
      cmocka_unit_test(test_cancel),     cmocka_unit_test(test_deadline),
      cmocka_unit_test(test_states),     cmocka_unit_test(test_close),
      cmocka_unit_test(test_close_late), cmocka_unit_test(test_unref),
      cmocka_unit_test(test_data),       cmocka_unit_test(test_loop_close),
      cmocka_unit_test(test_walk),       cmocka_unit_test(test_bad_options),
      cmocka_unit_test(test_no_memory),
  };
  return cmocka_run_group_tests_name("rpc/peer", tests, NULL, NULL);
}
