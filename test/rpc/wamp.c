/* WAMP as a router would speak it: a callee registers, is invoked, answers in
 * parts and is interrupted; what is published and subscribed by name. */
#include "rpc/peer.h"

#include "support/script.h"

#include <stdio.h>

#include <uvow/stream.h>

typedef struct callee {
  script_t s; /* first */
  uvow_promise_t *promise;
} callee_t;

/* Params as JSON text. */
static void log_params(callee_t *x, const uvow_call_t *call,
                       const uvow_result_t *params) {
  char line[300];
  uvow_slice_t bytes = uvow_result_bytes(params);
  snprintf(line, sizeof(line), "(%.*s)", (int)bytes.len,
           bytes.len ? bytes.bytes : "");
  script_log(&x->s, uvow_call_method(call), line);
}

static uvow_next_t add(uvow_call_t *call, const uvow_result_t *params,
                       void *data) {
  int64_t a = 0;
  log_params((callee_t *)data, call, params);
  (void)uvow_result_get_int64(params, "/0", &a);
  return uvow_next_value(uvow_value_int64(a + 1));
}

static uvow_next_t echo(uvow_call_t *call, const uvow_result_t *params,
                        void *data) {
  log_params((callee_t *)data, call, params);
  return uvow_next_pass();
}

static uvow_next_t deny(uvow_call_t *call, const uvow_result_t *params,
                        void *data) {
  const char *why = NULL;
  (void)data;
  (void)uvow_result_get_text(params, "/0", &why);
  return uvow_next_error(
      uvow_error_new_peer_text(uvow_call_loop(call), "com.error.denied",
                               "no such thing", why, why ? strlen(why) : 0));
}

static uvow_next_t refuse(uvow_call_t *call, const uvow_result_t *params,
                          void *data) {
  (void)params, (void)data;
  return uvow_next_error(
      uvow_error_new_peer(uvow_call_loop(call), 1, "no such thing", NULL, 0));
}

static uvow_next_t wait_for(uvow_call_t *call, const uvow_result_t *params,
                            void *data) {
  callee_t *x = (callee_t *)data;
  (void)params, (void)call;
  return uvow_next_future(uvow_promise_new(x->s.loop, &x->promise));
}

static uvow_next_t parts(uvow_call_t *call, const uvow_result_t *params,
                         void *data) {
  uvow_sink_t *sink;
  (void)params, (void)data;
  uvow_stream_t *stream = uvow_stream_new(uvow_call_loop(call), NULL, &sink);
  (void)uvow_sink_push(sink, uvow_value_int64(1));
  (void)uvow_sink_push(sink,
                       uvow_value_raw("{\"args\":[2],\"kwargs\":{\"a\":1}}"));
  uvow_sink_end_value(sink, uvow_value_int64(3));
  return uvow_next_stream(stream);
}

static const struct {
  const char *name;
  uvow_method_cb cb;
} procedures[] = {
    {"com.add", add},     {"com.echo", echo},     {"com.deny", deny},
    {"com.fail", refuse}, {"com.wait", wait_for}, {"com.parts", parts},
    {"invocation", echo}, {"com.x.any", echo},
};

static void start(callee_t *x) {
  memset(x, 0, sizeof(*x));
  script_init(&x->s);
  test_connect_t options = script_options(&x->s);
  uvow_methods_t *methods = uvow_methods_new(x->s.loop);
  for (size_t i = 0; i < sizeof(procedures) / sizeof(*procedures); i++)
    assert_int_equal(
        uvow_methods_add(methods, procedures[i].name, procedures[i].cb, x), 0);
  options.peer.protocol = uvow_protocol_by_name("wamp2");
  options.peer.vars = "{\"realm\":\"r\",\"cancel_mode\":\"kill\"}";
  options.peer.methods = methods;
  options.peer.no_cancel = 0;
  options.peer.on_stray = NULL;
  options.on_event = NULL;
  assert_int_equal(script_client(&x->s, &options), 0);
  uvow_methods_unref(methods);
  script_connected(&x->s);
  script_accept(&x->s);
  (void)script_next(&x->s);
  script_text(&x->s, "[2,1,{\"roles\":{}}]");
  script_turns(&x->s);
}

static void ask(callee_t *x, const char *method, const char *params,
                const char *sent, const char *answer, const char *log) {
  script_mark_t m = script_mark(&x->s, "a");
  script_watch(script_request(&x->s, method, params), &m);
  script_turns(&x->s);
  script_expect_sent(&x->s, sent);
  script_text(&x->s, answer);
  script_turns(&x->s);
  script_expect(&x->s, log);
}

TEST_CASE(test_its_own_messages) {
  callee_t x;
  start(&x);
  ask(&x, "REGISTER", "[{}, \"com.add\"]", "[64,1,{}, \"com.add\"]", "[65,1,7]",
      "a=7");
  ask(&x, "PUBLISH", "[{\"acknowledge\":true},\"com.t\",[1]]",
      "[16,2,{\"acknowledge\":true},\"com.t\",[1]]", "[17,2,99]", "a=99");
  ask(&x, "SUBSCRIBE", "[{},\"com.t\"]", "[32,3,{},\"com.t\"]", "[33,3,5]",
      "a=5");
  ask(&x, "UNSUBSCRIBE", "[5]", "[34,4,5]", "[35,4]", "a=");
  ask(&x, "UNREGISTER", "[7]", "[66,5,7]", "[67,5]", "a=");
  ask(&x, "REGISTER", "[{},\"com.add\"]", "[64,6,{},\"com.add\"]",
      "[8,64,6,{},\"wamp.error.procedure_already_exists\"]",
      "a!EREMOTE:ANSWERED");
  ask(&x, "com.add", "[2]",
      "[48,7,{\"receive_progress\":true},\"com.add\",[2]]", "[50,7,{},[3]]",
      "a=[3]");
  script_mark_t m = script_mark(&x.s, "a");
  script_watch(script_request(&x.s, "REGISTER", "{}"), &m);
  script_watch(script_request(&x.s, "REGISTER", NULL), &m);
  script_turns(&x.s);
  script_expect(&x.s, "a!EINVAL:NOT a!EINVAL:NOT");
  script_end(&x.s);
}

static void registered(callee_t *x, unsigned id, const char *uri,
                       unsigned registration) {
  char params[100];
  char sent[100];
  char answer[100];
  char log[100];
  snprintf(params, sizeof(params), "[{},\"%s\"]", uri);
  snprintf(sent, sizeof(sent), "[64,%u,{},\"%s\"]", id, uri);
  snprintf(answer, sizeof(answer), "[65,%u,%u]", id, registration);
  snprintf(log, sizeof(log), "a=%u", registration);
  ask(x, "REGISTER", params, sent, answer, log);
}

/* What a router says, what is sent then (NULL: nothing), and logged. */
static void invoke(callee_t *x, const char *text, const char *sent,
                   const char *log) {
  script_text(&x->s, text);
  script_turns(&x->s);
  if (sent)
    script_expect_sent(&x->s, sent);
  script_expect(&x->s, log);
}

TEST_CASE(test_invocations) {
  callee_t x;
  start(&x);
  registered(&x, 1, "com.add", 7);
  registered(&x, 2, "com.echo", 8);
  registered(&x, 3, "com.deny", 9);
  registered(&x, 4, "com.fail", 10);
  registered(&x, 5, "com.wait", 11);
  registered(&x, 6, "com.none", 12);
  invoke(&x, "[68,100,7,{},[4]]", "[70,100,{},[5]]", "com.add([4])");
  invoke(&x, "[68,101,8,{}]", "[70,101,{},[null]]", "com.echo()");
  invoke(&x, "[68,102,8,{},[],{\"a\":1}]", "[70,102,{},[{\"a\":1}]]",
         "com.echo({\"a\":1})");
  invoke(&x, "[68,103,8,{},[1],{\"a\":1}]", "[70,103,{},[1],{\"a\":1}]",
         "com.echo({\"args\":[1],\"kwargs\":{\"a\":1}})");
  invoke(&x, "[68,104,8,{},[1],{}]", "[70,104,{},[[1]]]", "com.echo([1])");
  invoke(&x, "[68,105,9,{}]",
         "[8,68,105,{},\"com.error.denied\",[\"no such thing\"]]", "");
  invoke(&x, "[68,106,9,{},[\"{\\\"a\\\":1}\"]]",
         "[8,68,106,{},\"com.error.denied\",[\"no such thing\"],{\"a\":1}]",
         "");
  invoke(&x, "[68,107,9,{},[\"[1]\"]]",
         "[8,68,107,{},\"com.error.denied\",[1]]", "");
  invoke(&x, "[68,108,10,{}]",
         "[8,68,108,{},\"wamp.error.runtime_error\",[\"no such thing\"]]", "");
  invoke(&x, "[68,109,12,{}]",
         "[8,68,109,{},\"wamp.error.no_such_procedure\",[\"Method not "
         "found\"]]",
         "");
  invoke(&x, "[68,110,11,{}]", NULL, "");
  invoke(&x, "[69,110,{\"mode\":\"kill\"}]",
         "[8,68,110,{},\"wamp.error.canceled\",[\"Request canceled\"]]", "");
  /* A pattern names what it matched. */
  invoke(&x, "[68,111,8,{\"procedure\":\"com.x.any\"},[1]]",
         "[70,111,{},[[1]]]", "com.x.any([1])");
  /* Nobody knows the registration. */
  invoke(&x, "[68,112,99,{},[1]]", "[70,112,{},[[68,112,99,{},[1]]]]",
         "invocation([68,112,99,{},[1]])");
  uvow_promise_drop(x.promise);
  script_end(&x.s);
}

/* Progress is told to who asks for it. */
TEST_CASE(test_progress) {
  callee_t x;
  start(&x);
  registered(&x, 1, "com.parts", 7);
  invoke(&x, "[68,100,7,{\"receive_progress\":true}]",
         "[70,100,{\"progress\":true},[1]]", "");
  script_expect_sent(&x.s, "[70,100,{\"progress\":true},[2],{\"a\":1}]");
  script_expect_sent(&x.s, "[70,100,{},[3]]");
  invoke(&x, "[68,101,7,{}]", "[70,101,{},[3]]", "");
  invoke(&x, "[68,102,7,{\"receive_progress\":false}]", "[70,102,{},[3]]", "");
  script_expect_sent(&x.s, "");
  script_end(&x.s);
}

/* Args and kwargs of what is asked, and of what comes back. */
TEST_CASE(test_kwargs) {
  static const char both[] = "{\"args\":[1],\"kwargs\":{\"a\":2}}";
  callee_t x;
  start(&x);
  ask(&x, "f", both, "[48,1,{\"receive_progress\":true},\"f\",[1],{\"a\":2}]",
      "[50,1,{},[3],{\"b\":4}]", "a={\"args\":[3],\"kwargs\":{\"b\":4}}");
  ask(&x, "f", "{\"args\":[1],\"kwargs\":{},\"x\":1}",
      "[48,2,{\"receive_progress\":true},\"f\",[],{\"args\":[1],\"kwargs\":{}"
      ",\"x\":1}]",
      "[50,2,{},[],{\"b\":4}]", "a={\"b\":4}");
  ask(&x, "f", NULL, "[48,3,{\"receive_progress\":true},\"f\",[]]",
      " [ 50 , 3 , {} , [ 5 ] , { } ] ", "a=[ 5 ]");
  ask(&x, "f", NULL, "[48,4,{\"receive_progress\":true},\"f\",[]]",
      "[50,4,{},[5],[]]", "a=[5]");
  ask(&x, "f", NULL, "[48,5,{\"receive_progress\":true},\"f\",[]]",
      "[50,5,{},null,{\"b\":4}]", "a={\"b\":4}");
  script_end(&x.s);
}

static void note_error(const uvow_result_t *result, void *data) {
  script_t *s = (script_t *)data;
  char line[200];
  size_t len = 0;
  const char *bytes = uvow_error_data(result->error, &len);
  const char *why = uvow_error_peer_message(result->error);
  snprintf(line, sizeof(line), "%s|%s|%.*s",
           uvow_error_peer_code_text(result->error), why ? why : "", (int)len,
           bytes ? bytes : "");
  script_log(s, "error:", line);
}

static void expect_error(callee_t *x, const char *answer, const char *log) {
  uvow_future_t *f = script_request(&x->s, "f", NULL);
  assert_int_equal(uvow_future_done(f, note_error, &x->s), 0);
  script_turns(&x->s);
  (void)script_next(&x->s);
  script_text(&x->s, answer);
  script_turns(&x->s);
  script_expect(&x->s, log);
}

TEST_CASE(test_errors) {
  callee_t x;
  start(&x);
  expect_error(&x, "[8,48,1,{},\"com.e\"]", "error:com.e||");
  expect_error(&x, "[8,48,2,{},\"com.e\",[\"why\",5]]",
               "error:com.e|why|[\"why\",5]");
  expect_error(&x, "[8,48,3,{},\"com.e\",[\"w\"],{\"a\":1}]",
               "error:com.e|w|{\"args\":[\"w\"],\"kwargs\":{\"a\":1}}");
  expect_error(&x, "[8,48,4,{},\"com.e\",[5],{\"a\":1}]",
               "error:com.e||{\"args\":[5],\"kwargs\":{\"a\":1}}");
  script_end(&x.s);
}

/* How is said by a variable. */
TEST_CASE(test_cancel_mode) {
  callee_t x;
  start(&x);
  script_mark_t m = script_mark(&x.s, "a");
  uvow_future_t *f = script_request(&x.s, "f", NULL);
  script_watch(uvow_future_ref(f), &m);
  script_turns(&x.s);
  (void)script_next(&x.s);
  uvow_future_cancel(f);
  uvow_future_unref(f);
  script_turns(&x.s);
  script_expect_sent(&x.s, "[49,1,{\"mode\":\"kill\"}]");
  x.s.log[0] = '\0';
  script_end(&x.s);
}

TEST_MODULE(wamp) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_its_own_messages),
      cmocka_unit_test(test_invocations),
      cmocka_unit_test(test_progress),
      cmocka_unit_test(test_kwargs),
      cmocka_unit_test(test_errors),
      cmocka_unit_test(test_cancel_mode),
  };
  return cmocka_run_group_tests_name("rpc/wamp", tests, NULL, NULL);
}
