/*
 * WAMP with autobahn at the other end, behind two routers: fox-wamp, of npm's,
 * which leaves out how calls are canceled and what errors say, and the test's
 * own, which doesn't. Either end calls and is called. fox-wamp is killed, and
 * comes again.
 */
#include "support/interop.h"

#include <uvow/stream.h>
#include <uvow/subscription.h>

static const char fox_wamp[] = "fox_wamp";
static const char dealer[] = "wamp_dealer";

static void run_router(interop_t *it, const char *router, char *url,
                       size_t size) {
  interop_run_npm(it, "npm_servers.js", router, NULL);
  interop_listening(it, "/", url, size);
}

/* ---- what is called here ---- */

static uvow_next_t echo(uvow_call_t *call, const uvow_result_t *params,
                        void *data) {
  (void)call, (void)params, (void)data;
  return uvow_next_pass();
}

static uvow_next_t deny(uvow_call_t *call, const uvow_result_t *params,
                        void *data) {
  (void)params, (void)data;
  return uvow_next_error(uvow_error_new_peer_text(
      uvow_call_loop(call), "com.error.denied", "not you", "{\"hint\":1}", 10));
}

static uvow_next_t parts(uvow_call_t *call, const uvow_result_t *params,
                         void *data) {
  uvow_sink_t *sink;
  uvow_stream_t *stream = uvow_stream_new(uvow_call_loop(call), NULL, &sink);
  (void)params, (void)data;
  assert_non_null(stream);
  uvow_sink_push(sink, uvow_value_int64(1));
  uvow_sink_push(sink, uvow_value_int64(2));
  uvow_sink_end_value(sink, uvow_value_raw("\"done\""));
  return uvow_next_stream(stream);
}

/* One part, and no end. */
typedef struct held {
  uvow_sink_t *sink;
  uvow_promise_t *promise; /* that it's told that nobody waits */
} held_t;

static void on_cancel(void *data) {
  held_t *held = (held_t *)data;
  uvow_sink_t *sink = held->sink;
  held->sink = NULL;
  uvow_promise_fulfill(held->promise, uvow_value_none());
  held->promise = NULL;
  uvow_sink_drop(sink);
}

static uvow_next_t hold(uvow_call_t *call, const uvow_result_t *params,
                        void *data) {
  held_t *held = (held_t *)data;
  uvow_stream_t *stream =
      uvow_stream_new(uvow_call_loop(call), NULL, &held->sink);
  (void)params;
  assert_non_null(stream);
  uvow_sink_on_cancel(held->sink, on_cancel, held, NULL);
  uvow_sink_push(held->sink, uvow_value_int64(1));
  return uvow_next_stream(stream);
}

/* ---- ends ---- */

/* vars are the session's; held may be NULL. */
static interop_t *start(void **state, const char *router, const char *vars,
                        held_t *held) {
  interop_t *it = (interop_t *)*state;
  uvow_reconnect_options_t reconnect = {0};
  char url[64];
  run_router(it, router, url, sizeof(url));
  test_connect_t options =
      interop_options(it, url, uvow_protocol_by_name("wamp2"));
  reconnect.size = sizeof(reconnect);
  reconnect.base_ms = 1;
  options.peer.reconnect = &reconnect;
  options.peer.renew = interop_renew;
  options.peer.vars = vars;
  options.peer.no_cancel = 0;
  options.peer.methods = uvow_methods_new(it->loop);
  assert_int_equal(
      uvow_methods_add(options.peer.methods, "uvow.echo", echo, NULL), 0);
  assert_int_equal(
      uvow_methods_add(options.peer.methods, "uvow.deny", deny, NULL), 0);
  assert_int_equal(
      uvow_methods_add(options.peer.methods, "uvow.parts", parts, NULL), 0);
  assert_int_equal(
      uvow_methods_add(options.peer.methods, "uvow.hold", hold, held), 0);
  assert_int_equal(
      uvow_methods_add(options.peer.methods, NULL, options.on_event, it), 0);
  interop_connect_with(it, &options);
  uvow_methods_unref(options.peer.methods);
  return it;
}

static const char plain[] = "{\"realm\":\"realm1\"}";

static void finish(interop_t *it) {
  interop_wait_all(it);
  interop_finish(it);
}

/* The only one of the args that an answer has. Borrowed. */
static json_t *only_arg(answer_t *answer) {
  interop_wait(answer);
  if (answer->error)
    fail_msg("%s", uvow_error_message(answer->error));
  assert_int_equal(json_array_size(answer->json), 1);
  return json_array_get(answer->json, 0);
}

static void procedures_are_called(void **state) {
  enum { COUNT = 200 };
  interop_t *it = start(state, fox_wamp, plain, NULL);
  answer_t *sums[COUNT];
  for (int i = 0; i < COUNT; i++)
    sums[i] = interop_ask(it, "com.add", json_pack("[ii]", i, i));
  for (int i = 0; i < COUNT; i++)
    assert_int_equal(json_integer_value(only_arg(sums[i])), 2 * i);
  answer_t *failed = interop_ask(it, "com.fail", NULL);
  answer_t *unknown = interop_ask(it, "com.none", NULL);
  assert_rejected(failed, UVOW_EREMOTE, UVOW_ANSWERED);
  assert_rejected(unknown, UVOW_EREMOTE, UVOW_ANSWERED);
  assert_string_equal(uvow_error_peer_code_text(unknown->error),
                      "wamp.error.no_such_procedure");
  interop_finish(it);
}

/* Of an event of ours the key is its second element, its args the fifth. */
static uvow_stream_t *news(interop_t *it) {
  uvow_stream_t *stream = uvow_peer_subscribe(
      it->client, "com.news", uvow_value_none(),
      UVOW_WITH(subscription, .event = "event", .key = "/1", .item = "/4/0"));
  assert_non_null(stream);
  return stream;
}

static void topics_come_back(void **state) {
  interop_t *it = start(state, fox_wamp, plain, NULL);
  uvow_stream_t *stream = news(it);
  char url[64];
  interop_ask(it, "com.shout", json_pack("[s]", "one"));
  assert_text(interop_next(it, stream), "one");
  interop_down(it);
  run_router(it, fox_wamp, url, sizeof(url));
  interop_up(it, url);
  interop_ask(it, "com.shout", json_pack("[s]", "two"));
  answer_t *again = interop_next(it, stream);
  assert_text(again, "two");
  assert_true(again->missed == UVOW_MISSED_UNKNOWN);
  interop_wait_all(it);
  assert_int_equal(interop_stats(it).connected, 2);
  uvow_stream_unref(stream);
  interop_finish(it);
}

/* ---- autobahn's procedures ---- */

/* What is settled, as JSON. Sorted. */
static void expect_json(answer_t *answer, const char *text) {
  interop_wait(answer);
  if (answer->error)
    fail_msg("%s", uvow_error_message(answer->error));
  char *got =
      json_dumps(answer->json, JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS);
  assert_string_equal(got, text);
  free(got);
}

static void args_and_kwargs(void **state, const char *router) {
  interop_t *it = start(state, router, plain, NULL);
  expect_json(
      interop_ask(it, "com.both",
                  json_pack("{s:[i],s:{s:i}}", "args", 1, "kwargs", "a", 2)),
      "{\"args\":[1],\"kwargs\":{\"a\":2}}");
  expect_json(interop_ask(it, "com.both", json_pack("{s:i}", "a", 2)),
              "{\"a\":2}");
  finish(it);
}

static void partial_results(void **state, const char *router) {
  static const char *const items[] = {"{\"args\":[1],\"kwargs\":{\"of\":2}}",
                                      "{\"args\":[2],\"kwargs\":{\"of\":2}}"};
  interop_t *it = start(state, router, plain, NULL);
  uvow_stream_t *stream =
      uvow_peer_request_stream(it->client, "com.parts", uvow_value_raw("[2]"));
  for (size_t i = 0; i < 2; i++)
    expect_json(interop_next(it, stream), items[i]);
  answer_t *end = interop_next(it, stream);
  expect_json(end, "[\"done\"]");
  assert_true(end->is_end);
  uvow_stream_unref(stream);
  finish(it);
}

static void errors(void **state) {
  size_t len;
  interop_t *it = start(state, dealer, plain, NULL);
  answer_t *answer = interop_ask(
      it, "com.deny",
      json_pack("{s:[s],s:{s:i}}", "args", "not you", "kwargs", "a", 2));
  interop_wait(answer);
  assert_rejected(answer, UVOW_EREMOTE, UVOW_ANSWERED);
  assert_string_equal(uvow_error_peer_code_text(answer->error),
                      "com.error.denied");
  assert_string_equal(uvow_error_peer_message(answer->error), "not you");
  const char *data = uvow_error_data(answer->error, &len);
  static const char expected[] =
      "{\"args\":[\"not you\"],\"kwargs\":{\"a\":2}}";
  assert_int_equal(len, strlen(expected));
  assert_memory_equal(data, expected, len);
  finish(it);
}

/* What is let go of is said so, and how: the router's word on it is late. */
static void we_cancel(void **state, const char *vars, const char *said) {
  interop_t *it = start(state, dealer, vars, NULL);
  uvow_future_t *f =
      uvow_peer_request(it->client, "com.hold", uvow_value_none());
  answer_t *answer = interop_watch(it, uvow_future_ref(f));
  interop_wait(interop_ask(it, "com.add", json_pack("[ii]", 1, 2)));
  assert_int_equal(uvow_future_cancel(f), 0);
  uvow_future_unref(f);
  assert_rejected(answer, UVOW_ECANCELED, UVOW_MAYBE_EXECUTED);
  char *line = interop_expect_line(it, "cancel ");
  assert_string_equal(line, said);
  free(line);
  interop_wait(interop_ask(it, "com.add", json_pack("[ii]", 1, 2)));
  assert_int_equal(interop_count(it, UVOW_STRAY_LATE), 1);
  finish(it);
}

/* ---- procedures of ours, which autobahn calls ---- */

static void offer(interop_t *it, const char *uri) {
  answer_t *answer = interop_ask(it, "REGISTER", json_pack("[{}s]", uri));
  interop_wait(answer);
  assert_int_equal(answer->code, 0);
}

/* What comes of it, as autobahn has it. mode: how it is canceled, or "". */
static void expect_relayed(interop_t *it, const char *uri, const char *mode,
                           const char *text) {
  expect_json(
      interop_ask(it, "com.relay",
                  json_pack("{s:[ss],s:{s:[i],s:{s:i}}}", "args", uri, mode,
                            "kwargs", "args", 1, "kwargs", "a", 2)),
      text);
}

static void autobahn_calls(void **state, const char *router) {
  interop_t *it = start(state, router, plain, NULL);
  offer(it, "uvow.echo");
  offer(it, "uvow.parts");
  expect_relayed(it, "uvow.echo", "",
                 "[{\"parts\":[],\"result\":{\"args\":[1],\"kwargs\":{\"a\":2}"
                 "}}]");
  expect_relayed(it, "uvow.parts", "",
                 "[{\"parts\":[1,2],\"result\":\"done\"}]");
  finish(it);
}

static void autobahn_is_refused(void **state) {
  interop_t *it = start(state, dealer, plain, NULL);
  offer(it, "uvow.deny");
  expect_relayed(it, "uvow.deny", "",
                 "[{\"args\":[\"not you\"],\"error\":\"com.error.denied\","
                 "\"kwargs\":{\"hint\":1},\"parts\":[]}]");
  answer_t *twice =
      interop_ask(it, "REGISTER", json_pack("[{}s]", "uvow.deny"));
  assert_rejected(twice, UVOW_EREMOTE, UVOW_ANSWERED);
  assert_string_equal(uvow_error_peer_code_text(twice->error),
                      "wamp.error.procedure_already_exists");
  finish(it);
}

/* autobahn takes the error behind a cancel of its own for a fault, but where it
 * kills, and ends: it's asked nothing more.
 *
 * A call of ours that autobahn cancels, and what it has of that. is_told: that
 * nobody waits is told to the method. */
static void autobahn_cancels(void **state, const char *mode, const char *text,
                             int is_told) {
  static held_t held; /* it outlives a test that fails */
  memset(&held, 0, sizeof(held));
  interop_t *it = start(state, dealer, plain, &held);
  answer_t *told = interop_watch(it, uvow_promise_new(it->loop, &held.promise));
  offer(it, "uvow.hold");
  expect_relayed(it, "uvow.hold", mode, text);
  if (is_told) {
    interop_wait(told);
  } else {
    offer(it, "uvow.echo"); /* the router has said all that it had to */
    assert_non_null(held.sink);
    on_cancel(&held);
  }
  assert_null(held.sink);
  finish(it);
}

/* ---- cases ---- */

static void args_and_kwargs_by_fox_wamp(void **state) {
  args_and_kwargs(state, fox_wamp);
}

static void args_and_kwargs_by_the_dealer(void **state) {
  args_and_kwargs(state, dealer);
}

static void partial_results_by_fox_wamp(void **state) {
  partial_results(state, fox_wamp);
}

static void partial_results_by_the_dealer(void **state) {
  partial_results(state, dealer);
}

static void autobahn_calls_by_fox_wamp(void **state) {
  autobahn_calls(state, fox_wamp);
}

static void autobahn_calls_by_the_dealer(void **state) {
  autobahn_calls(state, dealer);
}

static void we_skip(void **state) {
  we_cancel(state, "{\"realm\":\"realm1\",\"cancel_mode\":\"skip\"}", "skip");
}

static void we_kill(void **state) {
  we_cancel(state, "{\"realm\":\"realm1\",\"cancel_mode\":\"killnowait\"}",
            "killnowait");
}

static void autobahn_skips(void **state) {
  autobahn_cancels(
      state, "skip",
      "[{\"args\":[],\"error\":\"Cancelled\",\"kwargs\":{},\"parts\":[1]}]", 0);
}

static void autobahn_kills(void **state) {
  autobahn_cancels(state, "kill",
                   "[{\"args\":[\"Request canceled\"],\"error\":"
                   "\"wamp.error.canceled\",\"kwargs\":{},\"parts\":[1]}]",
                   1);
}

static void autobahn_kills_and_goes(void **state) {
  autobahn_cancels(
      state, "killnowait",
      "[{\"args\":[],\"error\":\"Cancelled\",\"kwargs\":{},\"parts\":[1]}]", 1);
}

#define TEST(name)                                                             \
  cmocka_unit_test_setup_teardown(name, interop_setup, interop_teardown)

TEST_MODULE(wamp_router) {
  const struct CMUnitTest tests[] = {
      TEST(procedures_are_called),
      TEST(topics_come_back),
      TEST(args_and_kwargs_by_fox_wamp),
      TEST(args_and_kwargs_by_the_dealer),
      TEST(partial_results_by_fox_wamp),
      TEST(partial_results_by_the_dealer),
      TEST(errors),
      TEST(we_skip),
      TEST(we_kill),
      TEST(autobahn_calls_by_fox_wamp),
      TEST(autobahn_calls_by_the_dealer),
      TEST(autobahn_is_refused),
      TEST(autobahn_skips),
      TEST(autobahn_kills),
      TEST(autobahn_kills_and_goes),
  };
  return cmocka_run_group_tests_name("interop/wamp_router", tests, NULL, NULL);
}
