/* Two peers in one loop, which both may call and tell: what becomes of work that
 * nobody waits for, of what is canceled twice, and of groups that both are in. */
#include "rpc/peer.h"

#include "support/parts.h"

#include <uvow/group.h>
#include <uvow/stream.h>

typedef struct two {
  script_t s; /* first */
  uvow_peer_t *other;
  uvow_methods_t *methods;
  uvow_loop_t *elsewhere;
  int canceled;
} two_t;

static void on_cancel(void *data) {
  ((two_t *)data)->canceled++;
}

/* Never answers by itself. */
static uvow_next_t never(uvow_call_t *call, const uvow_result_t *params,
                         void *data) {
  two_t *x = (two_t *)data;
  uvow_promise_t *promise;
  uvow_future_t *f = uvow_promise_new(uvow_call_loop(call), &promise);
  (void)params;
  uvow_promise_on_cancel(promise, on_cancel, x, NULL);
  x->s.extra = promise;
  return uvow_next_future(f);
}

static uvow_next_t log_it(uvow_call_t *call, const uvow_result_t *params,
                          void *data) {
  two_t *x = (two_t *)data;
  (void)params;
  script_log(&x->s, uvow_call_peer(call) == x->other ? "other:" : "one:",
             uvow_call_method(call));
  return uvow_next_none();
}

/* What can't be waited for: no future, or another loop's. */
static uvow_next_t nothing(uvow_call_t *call, const uvow_result_t *params,
                           void *data) {
  two_t *x = (two_t *)data;
  (void)call, (void)params;
  return uvow_next_future(
      x->elsewhere ? uvow_future_fulfilled(x->elsewhere, uvow_value_none())
                   : NULL);
}

static uvow_next_t items(uvow_call_t *call, const uvow_result_t *params,
                         void *data) {
  two_t *x = (two_t *)data;
  uvow_sink_t *sink;
  if (uvow_call_peer(call) != x->other)
    return log_it(call, params, data);
  uvow_stream_t *stream = uvow_stream_new(uvow_call_loop(call), NULL, &sink);
  assert_int_equal(uvow_sink_push(sink, uvow_value_raw("[1]")), 0);
  uvow_sink_end_value(sink, uvow_value_none());
  return uvow_next_stream(stream);
}

static uvow_next_t trace(uvow_call_t *call, const uvow_result_t *params,
                         void *data) {
  const char *parent = uvow_call_traceparent(call);
  (void)params;
  script_log(&((two_t *)data)->s, "parent:", parent ? parent : "none");
  return uvow_next_none();
}

static void start(two_t *x, const uvow_protocol_t *protocol) {
  uvow_peer_options_t options = {.size = sizeof(options)};
  memset(x, 0, sizeof(*x));
  script_init(&x->s);
  script_drive_clock(&x->s);
  x->methods = uvow_methods_new(x->s.loop);
  assert_int_equal(uvow_methods_add(x->methods, "never", never, x), 0);
  assert_int_equal(uvow_methods_add(x->methods, "nothing", nothing, x), 0);
  assert_int_equal(uvow_methods_add(x->methods, "items", items, x), 0);
  assert_int_equal(uvow_methods_add(x->methods, "trace", trace, x), 0);
  assert_int_equal(uvow_methods_add(x->methods, NULL, log_it, x), 0);
  options.protocol = protocol;
  options.methods = x->methods;
  assert_int_equal(
      uvow_peer_pair(x->s.loop, &options, &options, &x->s.client, &x->other),
      0);
  script_turns(&x->s);
}

static void end(two_t *x) {
  uvow_methods_unref(x->methods);
  uvow_peer_unref(x->other);
  uvow_peer_unref(x->s.client);
  x->s.client = NULL;
  script_end(&x->s);
}

static const uvow_protocol_t *jsonrpc2(void) {
  return uvow_protocol_by_name("jsonrpc2");
}

static void tell(two_t *x, const char *method) {
  assert_int_equal(uvow_peer_notify(x->s.client, method, uvow_value_none()), 0);
}

static void say(two_t *x, const char *text) {
  assert_int_equal(uvow_peer_send(x->s.client, uvow_value_text(text)), 0);
}

/* What an event's method waits for is given up with the peer; a method that has
 * yet to hear of its event does, all the same. */
TEST_CASE(work_that_nobody_waits_for) {
  two_t x;
  start(&x, jsonrpc2());
  tell(&x, "never");
  script_turns(&x.s);
  assert_int_equal(x.canceled, 0);
  uvow__runtime_enter(&x.s.loop->rt);
  tell(&x, "last");
  uvow_peer_end(x.s.client);
  uvow__runtime_leave(&x.s.loop->rt);
  script_turns(&x.s);
  assert_int_equal(x.canceled, 1);
  script_expect(&x.s, "other:last");
  uvow_promise_drop((uvow_promise_t *)x.s.extra);
  end(&x);
}

/* A method that returns nothing to wait for has failed: who called is told, and
 * who only told isn't. */
TEST_CASE(nothing_to_wait_for) {
  two_t x;
  script_t elsewhere;
  script_init(&elsewhere);
  start(&x, jsonrpc2());
  script_mark_t a = script_mark(&x.s, "a");
  for (int i = 0; i < 2; i++) {
    x.elsewhere = i ? elsewhere.loop : NULL;
    tell(&x, "nothing");
    script_turns(&x.s);
    script_call(&x.s, "nothing", &a);
    script_turns(&x.s);
    script_expect(&x.s, "a!EREMOTE:ANSWERED");
    assert_int_equal(x.other->session.callee.count, 0);
  }
  script_end(&elsewhere);
  end(&x);
}

#define CANCEL                                                                 \
  "{\"jsonrpc\":\"2.0\",\"method\":\"$/cancelRequest\",\"params\":{"           \
  "\"id\":\"q\"}}"

/* One that is canceled twice, before either was looked at, is answered once. */
TEST_CASE(canceled_twice) {
  two_t x;
  start(&x, jsonrpc2());
  say(&x, "{\"jsonrpc\":\"2.0\",\"id\":\"q\",\"method\":\"never\"}");
  script_turns(&x.s);
  say(&x, "[" CANCEL "," CANCEL "]");
  script_turns(&x.s);
  assert_int_equal(x.canceled, 1);
  uvow_peer_stats_t stats = {.size = sizeof(stats)};
  assert_int_equal(uvow_peer_get_stats(x.s.client, &stats), 0);
  assert_int_equal(stats.unknown + stats.malformed, 1);
  uvow_promise_drop((uvow_promise_t *)x.s.extra);
  end(&x);
}

/* Each end says it as its side does: the one is told by an event, the other by a
 * notification. One that closes is told no more. */
TEST_CASE(both_in_one_group) {
  two_t x;
  uvow_protocol_t *protocol = parts_protocol();
  start(&x, protocol);
  uvow_protocol_unref(protocol);
  uvow_group_t *group = uvow_group_new(x.s.loop);
  assert_int_equal(uvow_group_add(group, x.s.client), 0);
  assert_int_equal(uvow_group_add(group, x.other), 0);
  assert_int_equal(uvow_group_notify(group, "news", uvow_value_none()), 0);
  script_turns(&x.s);
  script_expect(&x.s, "other:news one:news");
  script_mark_t a = script_mark(&x.s, "a");
  script_call(&x.s, "never", &a);
  script_turns(&x.s);
  uvow_future_detach(uvow_peer_close(x.other));
  script_turns(&x.s);
  assert_int_equal(uvow_peer_state(x.other), UVOW_PEER_CLOSING);
  assert_int_equal(uvow_group_notify(group, "more", uvow_value_none()), 0);
  script_turns(&x.s);
  script_expect(&x.s, "other:more");
  uvow_promise_fulfill((uvow_promise_t *)x.s.extra, uvow_value_none());
  script_turns(&x.s);
  script_expect(&x.s, "a=null");
  uvow_group_free(group);
  end(&x);
}

/* Nothing of a pair waits for the system: holding its loop or not, it goes on. */
TEST_CASE(held_or_not) {
  two_t x;
  start(&x, jsonrpc2());
  for (int hold = 0; hold < 2; hold++) {
    uvow_peer_hold_loop(x.s.client, hold);
    tell(&x, "go");
    script_turns(&x.s);
    script_expect(&x.s, "other:go");
  }
  uvow_peer_end(x.s.client);
  uvow_peer_hold_loop(x.s.client, 0); /* it has no channel any more */
  end(&x);
}

/* Progress is told with the caller's token if that is one: a string or a number.
 * Else items are events of the method's name. */
TEST_CASE(tokens_that_are_none) {
  static const struct {
    const char *token;
    const char *told;
  } all[] = {{"7", "one:$/progress"},     {"-7", "one:$/progress"},
             {"\"t\"", "one:$/progress"}, {"true", "one:items"},
             {"null", "one:items"},       {"{\"t\":1}", "one:items"}};
  for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
    char text[200];
    two_t x;
    start(&x, jsonrpc2());
    snprintf(text, sizeof(text),
             "{\"jsonrpc\":\"2.0\",\"id\":\"q\",\"method\":\"items\","
             "\"params\":{\"partialResultToken\":%s}}",
             all[i].token);
    say(&x, text);
    script_turns(&x.s);
    script_expect(&x.s, all[i].told);
    end(&x);
  }
}

#define PARENT "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

/* What isn't as W3C Trace Context has it is as good as none. */
TEST_CASE(parents_that_are_none) {
  static const struct {
    const char *parent;
    const char *told;
  } all[] = {{"\"" PARENT "\"", "parent:" PARENT},
             {"\"\\u0030"
              "0-0af7651916cd43dd8448eb211c80319c-"
              "b7ad6b7169203331-01\"",
              "parent:none"},
             {"\"00-0\"", "parent:none"},
             {"5", "parent:none"},
             {"null", "parent:none"}};
  for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
    char text[200];
    two_t x;
    start(&x, jsonrpc2());
    snprintf(text, sizeof(text),
             "{\"jsonrpc\":\"2.0\",\"traceparent\":%s,\"method\":\"trace\"}",
             all[i].parent);
    say(&x, text);
    script_turns(&x.s);
    script_expect(&x.s, all[i].told);
    end(&x);
  }
}

TEST_MODULE(two) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(work_that_nobody_waits_for),
      cmocka_unit_test(nothing_to_wait_for),
      cmocka_unit_test(canceled_twice),
      cmocka_unit_test(both_in_one_group),
      cmocka_unit_test(held_or_not),
      cmocka_unit_test(tokens_that_are_none),
      cmocka_unit_test(parents_that_are_none),
  };
  return cmocka_run_group_tests_name("rpc/two", tests, NULL, NULL);
}
