/* The application's own opening step: what it asks goes before all that waits,
 * and how it ends is how the peer begins. */
#include "rpc/peer.h"

#include "support/link.h"
#include "support/serve.h"

#include <stdio.h>

#include <uvow/combine.h>

#define ASK(id, method)                                                        \
  "{\"jsonrpc\":\"2.0\",\"id\":" #id ",\"method\":\"" method "\"}"
#define OK(id, value)                                                          \
  "{\"jsonrpc\":\"2.0\",\"id\":" #id ",\"result\":" value "}"

typedef enum how {
  ASKS,    /* logs in, and is done when that is answered */
  IS_DONE, /* at once */
  FAILS,   /* at once */
  ENDS,    /* the peer */
  WAITS,   /* for ever */
  TELLS    /* and listens */
} how_t;

typedef struct step {
  script_t s; /* first: its log is told of events */
  how_t how;
  int calls;
  int canceled;
  char why[200];
  uvow_promise_t *promise;
  uvow_stream_t *events;
} step_t;

static void on_cancel(void *data) {
  ++*(int *)data;
}

static uvow_next_t wait_for_ever(step_t *x) {
  uvow_future_t *f = uvow_promise_new(x->s.loop, &x->promise);
  uvow_promise_on_cancel(x->promise, on_cancel, &x->canceled, NULL);
  return uvow_next_future(f);
}

static uvow_next_t opening(uvow_peer_t *first, void *data) {
  step_t *x = (step_t *)data;
  x->calls++;
  switch (x->how) {
  case ASKS:
    return uvow_next_future(
        uvow_peer_request(first, "login", uvow_value_none()));
  case FAILS:
    return uvow_next_error(uvow_error_new(x->s.loop, -7, "no \"entry\""));
  case ENDS:
    uvow_peer_end(x->s.client);
    return uvow_next_future(uvow_future_delay(x->s.loop, 10));
  case WAITS:
    return wait_for_ever(x);
  case TELLS:
    assert_int_equal(uvow_peer_state(first), UVOW_PEER_OPENING);
    assert_int_equal(uvow_peer_notify(first, "hello", uvow_value_none()), 0);
    assert_int_equal(uvow_peer_send(first, uvow_value_text("raw")), 0);
    x->events = uvow_peer_events(first, "e");
    uvow_stream_unref(
        uvow_peer_subscribe(first, "s", uvow_value_none(), NULL)); /* none */
    return uvow_next_none();
  default:
    return uvow_next_pass();
  }
}

static void start(step_t *x, how_t how, const char *protocol) {
  memset(x, 0, sizeof(*x));
  script_init(&x->s);
  script_drive_clock(&x->s);
  x->how = how;
  test_connect_t options = script_options(&x->s);
  options.peer.protocol = uvow_protocol_by_name(protocol);
  options.peer.vars = "{\"initialize\":{}}";
  options.peer.opening = opening;
  options.peer.data = x;
  options.peer.on_stray = NULL;
  assert_int_equal(script_client(&x->s, &options), 0);
  script_connected(&x->s);
  script_accept(&x->s);
}

TEST_CASE(test_it_goes_first) {
  step_t x;
  start(&x, ASKS, "jsonrpc2");
  script_mark_t a = script_mark(&x.s, "a");
  script_call(&x.s, "m", &a);
  script_turns(&x.s);
  assert_int_equal(uvow_peer_state(x.s.client), UVOW_PEER_OPENING);
  script_expect_sent(&x.s, ASK(1, "login"));
  script_expect_sent(&x.s, "");
  script_text(&x.s, OK(1, "true"));
  script_turns(&x.s);
  assert_int_equal(uvow_peer_state(x.s.client), UVOW_PEER_OPEN);
  script_expect_sent(&x.s, ASK(2, "m"));
  script_text(&x.s, OK(2, "1"));
  script_turns(&x.s);
  script_expect(&x.s, "a=1");
  assert_int_equal(x.calls, 1);
  script_end(&x.s);
}

/* After the protocol's own steps. */
TEST_CASE(test_after_the_protocols) {
  step_t x;
  start(&x, TELLS, "lsp");
  script_expect_sent(&x.s,
                     "{\"jsonrpc\":\"2.0\",\"id\":\"uvow-initialize\","
                     "\"method\":\"initialize\",\"params\":{}}");
  script_turns(&x.s);
  assert_int_equal(x.calls, 0);
  script_text(&x.s,
              "{\"jsonrpc\":\"2.0\",\"id\":\"uvow-initialize\",\"result\":{}}");
  script_turns(&x.s);
  script_expect_sent(&x.s,
                     "{\"jsonrpc\":\"2.0\",\"method\":\"initialized\","
                     "\"params\":{}}");
  script_expect_sent(&x.s, "{\"jsonrpc\":\"2.0\",\"method\":\"hello\"}");
  script_expect_sent(&x.s, "raw");
  assert_int_equal(x.calls, 1);
  assert_int_equal(uvow_peer_state(x.s.client), UVOW_PEER_OPEN);
  script_mark_t e = script_mark(&x.s, "e");
  script_watch(uvow_stream_next(x.events), &e);
  script_text(&x.s, "{\"jsonrpc\":\"2.0\",\"method\":\"e\",\"params\":[5]}");
  script_turns(&x.s);
  script_expect(&x.s, "e=[5] event:e([5])");
  uvow_stream_unref(x.events);
  script_end(&x.s);
}

static void note(const uvow_result_t *result, void *data) {
  step_t *x = (step_t *)data;
  assert_int_equal(uvow_error_outcome(result->error), UVOW_NOT_SENT);
  snprintf(x->why, sizeof(x->why), "%s", uvow_error_message(result->error));
}

static void expect_failure(how_t how, const char *text, const char *login) {
  step_t x;
  start(&x, how, "jsonrpc2");
  assert_int_equal(uvow_future_done(script_request(&x.s, "m", NULL), note, &x),
                   0);
  script_turns(&x.s);
  if (login)
    script_text(&x.s, login);
  script_advance(&x.s, 10001);
  script_turns(&x.s);
  const char *found = strstr(x.why, text); /* behind what became of it */
  assert_non_null(found);
  assert_string_equal(found, text);
  assert_true(script_gone(&x.s));
  uvow_promise_drop(x.promise);
  script_end(&x.s);
}

TEST_CASE(test_failures) {
  expect_failure(FAILS,
                 "opening step 1 of 1 of jsonrpc2 (options.opening) failed: no "
                 "\"entry\"",
                 NULL);
  expect_failure(WAITS,
                 "opening step 1 of 1 of jsonrpc2 (options.opening) waits for "
                 "what doesn't come",
                 NULL);
  expect_failure(ASKS,
                 "opening step 1 of 1 of jsonrpc2 (options.opening) failed: "
                 "who?",
                 "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":1,"
                 "\"message\":\"who?\"}}");
}

TEST_CASE(test_at_once) {
  step_t x;
  start(&x, IS_DONE, "jsonrpc2");
  script_turns(&x.s);
  assert_int_equal(uvow_peer_state(x.s.client), UVOW_PEER_OPEN);
  script_end(&x.s);
}

/* Within it the peer may go; and it may go while it waits. */
TEST_CASE(test_the_peer_goes) {
  step_t x;
  start(&x, ENDS, "jsonrpc2");
  script_turns(&x.s);
  assert_int_equal(uvow_peer_state(x.s.client), UVOW_PEER_CLOSED);
  script_advance(&x.s, 11);
  script_end(&x.s);
  start(&x, WAITS, "jsonrpc2");
  script_turns(&x.s);
  uvow_peer_unref(x.s.client);
  x.s.client = NULL;
  script_turns(&x.s);
  assert_int_equal(x.canceled, 1);
  uvow_promise_drop(x.promise);
  script_end(&x.s);
  start(&x, WAITS, "jsonrpc2");
  script_turns(&x.s);
  script_hang_up(&x.s, UV_ECONNRESET);
  script_turns(&x.s);
  uvow_promise_drop(x.promise);
  script_end(&x.s);
}

/* Each connection has its own, and what it asked is of that one only. */
TEST_CASE(test_again) {
  uvow_reconnect_options_t reconnect;
  step_t x;
  memset(&x, 0, sizeof(x));
  script_init(&x.s);
  script_drive_clock(&x.s);
  test_connect_t options = link_options(&x.s, &reconnect);
  options.peer.on_state = NULL;
  options.peer.on_stray = NULL;
  options.peer.opening = opening;
  options.peer.data = &x;
  assert_int_equal(script_client(&x.s, &options), 0);
  link_up(&x.s);
  script_turns(&x.s);
  script_expect_sent(&x.s, ASK(1, "login"));
  script_hang_up(&x.s, UV_ECONNRESET);
  link_again(&x.s);
  script_turns(&x.s);
  script_expect_sent(&x.s, ASK(2, "login"));
  script_text(&x.s, OK(2, "1"));
  script_turns(&x.s);
  assert_int_equal(uvow_peer_state(x.s.client), UVOW_PEER_OPEN);
  assert_int_equal(x.calls, 2);
  script_end(&x.s);
}

/* ---- who was accepted ---- */

static uvow_next_t echo_cb(uvow_call_t *call, const uvow_result_t *params,
                           void *data) {
  (void)call, (void)params, (void)data;
  return uvow_next_pass();
}

/* The pair's second end lets the first one in. */
static void pair(step_t *x, how_t how, uvow_peer_t **ret) {
  uvow_peer_options_t a = {.size = sizeof(a)};
  uvow_peer_options_t b = {.size = sizeof(b)};
  memset(x, 0, sizeof(*x));
  script_init(&x->s);
  script_drive_clock(&x->s);
  x->how = how;
  a.protocol = b.protocol = uvow_protocol_by_name("jsonrpc2");
  a.methods = b.methods = uvow_methods_new(x->s.loop);
  assert_int_equal(uvow_methods_add(a.methods, "login", echo_cb, NULL), 0);
  b.opening = opening;
  b.data = x;
  assert_int_equal(uvow_peer_pair(x->s.loop, &a, &b, &x->s.client, ret), 0);
  uvow_methods_unref(a.methods);
}

TEST_CASE(test_who_is_let_in) {
  uvow_peer_t *server;
  step_t x;
  pair(&x, WAITS, &server);
  script_mark_t a = script_mark(&x.s, "a");
  script_mark_t b = script_mark(&x.s, "b");
  script_mark_t c = script_mark(&x.s, "c");
  script_call(&x.s, "login", &a);
  script_watch(uvow_peer_request(server, "login", uvow_value_none()), &b);
  script_turns(&x.s);
  script_expect(&x.s, "a!EREMOTE:ANSWERED"); /* -32000, not open yet */
  uvow_promise_fulfill(x.promise, uvow_value_none());
  script_call(&x.s, "login", &c);
  script_turns(&x.s);
  script_expect(&x.s, "c=null b=null");
  assert_int_equal(uvow_peer_state(server), UVOW_PEER_OPEN);
  uvow_peer_unref(server);
  script_end(&x.s);
  pair(&x, FAILS, &server);
  script_turns(&x.s);
  assert_int_equal(uvow_peer_state(server), UVOW_PEER_CLOSED);
  assert_int_equal(uvow_peer_state(x.s.client), UVOW_PEER_CLOSED);
  uvow_peer_unref(server);
  script_end(&x.s);
}

/* Closed before it is open, it takes its step all the same: what the other end
 * is owed is answered; then it closes, and was never ready. */
TEST_CASE(test_closed_meanwhile) {
  uvow_peer_t *server;
  step_t x;
  pair(&x, WAITS, &server);
  script_mark_t r = script_mark(&x.s, "r");
  script_mark_t z = script_mark(&x.s, "z");
  script_watch(uvow_peer_ready(server), &r);
  script_turns(&x.s);
  assert_int_equal(uvow_peer_state(server), UVOW_PEER_OPENING);
  script_watch(uvow_peer_request(server, "login", uvow_value_none()), &r);
  script_watch(uvow_peer_close(server), &z);
  script_turns(&x.s);
  assert_int_equal(uvow_peer_state(server), UVOW_PEER_CLOSING);
  script_expect(&x.s, "");
  uvow_promise_fulfill(x.promise, uvow_value_none());
  script_turns(&x.s);
  script_expect(&x.s, "r=null r!ECLOSED z=");
  assert_int_equal(uvow_peer_state(server), UVOW_PEER_CLOSED);
  uvow_peer_unref(server);
  script_end(&x.s);
  pair(&x, WAITS, &server); /* or when its time is over */
  z = script_mark(&x.s, "z");
  script_turns(&x.s);
  script_watch(uvow_peer_close(server), &z);
  script_advance(&x.s, 60001);
  script_turns(&x.s);
  script_expect(&x.s, "z=");
  uvow_promise_drop(x.promise);
  uvow_peer_unref(server);
  script_end(&x.s);
}

static uvow_next_t subscribing(uvow_peer_t *first, void *data) {
  step_t *x = (step_t *)data;
  static script_mark_t a;
  a = script_mark(&x->s, "a");
  uvow_stream_t *s = uvow_peer_subscribe(first, "s", uvow_value_none(), NULL);
  script_watch(uvow_stream_next(s), &a);
  uvow_stream_unref(s);
  return uvow_next_future(uvow_promise_new(x->s.loop, &x->promise));
}

/* Nothing is subscribed within it: that would end with the step. An event of a
 * session is none of its own. */
TEST_CASE(test_no_subscriptions) {
  step_t x;
  memset(&x, 0, sizeof(x));
  script_init(&x.s);
  script_drive_clock(&x.s);
  test_connect_t options = script_options(&x.s);
  options.peer.protocol = uvow_protocol_by_name("cdp");
  options.peer.opening = subscribing;
  options.peer.data = &x;
  options.peer.on_stray = NULL;
  options.on_event = NULL;
  script_open_client(&x.s, &options);
  script_turns(&x.s);
  script_expect(&x.s, "a!EINVAL");
  script_text(&x.s, "{\"method\":\"E\",\"sessionId\":\"a\"}");
  script_text(&x.s,
              "{\"method\":\"Target.detachedFromTarget\",\"params\":{"
              "\"sessionId\":\"a\"}}");
  uvow_promise_fulfill(x.promise, uvow_value_none());
  script_turns(&x.s);
  assert_int_equal(uvow_peer_state(x.s.client), UVOW_PEER_OPEN);
  script_end(&x.s);
}

/* Nobody is open whose step wasn't taken. */
static void sweep(test_alloc_t *alloc, void *data) {
  uvow_peer_options_t options = {.size = sizeof(options)};
  uvow_peer_t *server = NULL;
  step_t x;
  memset(&x, 0, sizeof(x));
  script_init_with(&x.s, alloc);
  x.how = *(const how_t *)data;
  options.protocol = uvow_protocol_by_name("jsonrpc2");
  options.opening = opening;
  options.data = &x;
  if (x.s.loop)
    (void)uvow_peer_pair(x.s.loop, &options, &options, &x.s.client, &server);
  script_turns(&x.s);
  int open = uvow_peer_state(x.s.client) == UVOW_PEER_OPEN;
  open += uvow_peer_state(server) == UVOW_PEER_OPEN;
  assert_true(x.calls >= open);
  if (!alloc->failed)
    assert_int_equal(open, x.how == IS_DONE ? 2 : 0);
  uvow_peer_unref(server);
  script_quit(&x.s);
}

TEST_CASE(survives_no_memory) {
  how_t how = ASKS;
  test_alloc_sweep(sweep, &how);
  how = IS_DONE;
  test_alloc_sweep(sweep, &how);
}

TEST_MODULE(own_step) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_it_goes_first),
      cmocka_unit_test(test_after_the_protocols),
      cmocka_unit_test(test_failures),
      cmocka_unit_test(test_at_once),
      cmocka_unit_test(test_the_peer_goes),
      cmocka_unit_test(test_again),
      cmocka_unit_test(test_who_is_let_in),
      cmocka_unit_test(test_closed_meanwhile),
      cmocka_unit_test(test_no_subscriptions),
      cmocka_unit_test(survives_no_memory),
  };
  return cmocka_run_group_tests_name("rpc/own_step", tests, NULL, NULL);
}
