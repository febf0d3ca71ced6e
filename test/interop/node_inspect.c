/*
 * A client of node's inspector: the Chrome DevTools Protocol, as node speaks
 * it.
 */
#include "support/interop.h"

#include <signal.h>
#include <stdio.h>

/* Ends when its input does, so that it never outlives the test. */
#define IDLE                                                                   \
  "process.stdin.on('end', () => process.exit()).resume();"                    \
  "process.stdout.write('ready\\n')"

/* Starts node. Returns the inspector's URL, to be freed. */
static char *run_node(interop_t *it) {
  const char *args[] = {"node", "--inspect=127.0.0.1:0", "-e", IDLE, NULL};
  interop_run(it, args);
  /* Before, its context is still being made, and may go away again. */
  free(interop_expect_line(it, "ready"));
  return interop_expect_line(it, "Debugger listening on ");
}

/* Starts node and connects. */
static interop_t *inspect(void **state) {
  interop_t *it = (interop_t *)*state;
  char *url = run_node(it);
  interop_connect(it, url, uvow_protocol_by_name("cdp"));
  free(url);
  return it;
}

static answer_t *evaluate(interop_t *it, const char *expression) {
  return interop_ask(
      it, "Runtime.evaluate",
      json_pack("{s:s, s:b}", "expression", expression, "returnByValue", 1));
}

/* One that is answered when the promise it makes is resolved. */
static answer_t *evaluate_promise(interop_t *it, const char *expression) {
  return interop_ask(it, "Runtime.evaluate",
                     json_pack("{s:s, s:b, s:b}", "expression", expression,
                               "returnByValue", 1, "awaitPromise", 1));
}

/* The value of an evaluation, borrowed. */
static json_t *value_of(answer_t *answer) {
  interop_wait(answer);
  assert_int_equal(answer->code, 0);
  json_t *value =
      json_object_get(json_object_get(answer->json, "result"), "value");
  assert_non_null(value);
  return value;
}

static void each_gets_its_own_value(void **state) {
  enum { COUNT = 200 };
  interop_t *it = inspect(state);
  answer_t *answers[COUNT];
  char expression[32];
  for (int i = 0; i < COUNT; i++) {
    snprintf(expression, sizeof(expression), "%d * %d", i, i);
    answers[i] = evaluate(it, expression);
  }
  for (int i = 0; i < COUNT; i++)
    assert_int_equal(json_integer_value(value_of(answers[i])), i * i);
  assert_int_equal(interop_stats(it).answered, COUNT);
  interop_finish(it);
}

static void a_throw_is_in_the_result(void **state) {
  interop_t *it = inspect(state);
  answer_t *before = evaluate(it, "'before'");
  answer_t *thrown = evaluate(it, "throw new TypeError('no such thing')");
  answer_t *after = evaluate(it, "'after'");
  assert_string_equal(json_string_value(value_of(before)), "before");
  assert_string_equal(json_string_value(value_of(after)), "after");
  interop_wait(thrown);
  assert_int_equal(thrown->code, 0);
  json_t *exception = json_object_get(
      json_object_get(thrown->json, "exceptionDetails"), "exception");
  assert_string_equal(
      json_string_value(json_object_get(exception, "className")), "TypeError");
  interop_finish(it);
}

static void an_unknown_method_rejects(void **state) {
  interop_t *it = inspect(state);
  answer_t *unknown = interop_ask(it, "No.such", NULL);
  answer_t *invalid = interop_ask(it, "Runtime.evaluate", NULL);
  assert_rejected(unknown, UVOW_EREMOTE, UVOW_ANSWERED);
  assert_int_equal(uvow_error_peer_code(unknown->error), -32601);
  assert_string_equal(uvow_error_peer_message(unknown->error),
                      "'No.such' wasn't found");
  assert_string_equal(uvow_error_message(unknown->error),
                      "'No.such' wasn't found");
  assert_rejected(invalid, UVOW_EREMOTE, UVOW_ANSWERED);
  assert_int_equal(uvow_error_peer_code(invalid->error), -32602);
  size_t len;
  assert_non_null(uvow_error_data(invalid->error, &len)); /* what is missing */
  assert_true(len > 2);
  assert_int_equal(interop_stats(it).answered, 2);
  interop_finish(it);
}

static void events_come_between_answers(void **state) {
  interop_t *it = inspect(state);
  answer_t *enable = interop_ask(it, "Runtime.enable", NULL);
  answer_t *log = evaluate(it, "console.log('s\\u00e9l', 7); 'logged'");
  answer_t *after = evaluate(it, "8");
  assert_string_equal(json_string_value(value_of(log)), "logged");
  assert_int_equal(json_integer_value(value_of(after)), 8);
  assert_int_equal(enable->code, 0);
  const heard_t *context = interop_event(it, "Runtime.executionContextCreated");
  const heard_t *called = interop_event(it, "Runtime.consoleAPICalled");
  assert_non_null(context);
  assert_non_null(called);
  /* Each was told before the answer that came behind it. */
  assert_true(context->turn < enable->turn);
  assert_true(called->turn < log->turn);
  json_t *params = json_loads(called->text, 0, NULL);
  json_t *arg = json_array_get(json_object_get(params, "args"), 0);
  assert_string_equal(json_string_value(json_object_get(arg, "value")),
                      "s\xC3\xA9l");
  json_decref(params);
  interop_stats(it);
  interop_finish(it);
}

static void a_big_result_comes_whole(void **state) {
  enum { LEN = 1024 * 1024 };
  interop_t *it = inspect(state);
  answer_t *big =
      evaluate(it,
               "Array.from({length: 1 << 17}, (_, i) => "
               "(i & 0xFFFFFF).toString(16).padStart(8, '0')).join('')");
  answer_t *small = evaluate(it, "9");
  json_t *value = value_of(big);
  assert_int_equal(json_string_length(value), LEN);
  const char *text = json_string_value(value);
  char expected[9];
  for (unsigned i = 0; i < LEN / 8; i++) {
    snprintf(expected, sizeof(expected), "%08x", i);
    if (memcmp(text + 8 * i, expected, 8) != 0)
      fail_msg("other bytes from %u", 8 * i);
  }
  assert_int_equal(json_integer_value(value_of(small)), 9);
  interop_finish(it);
}

static void a_big_request_leaves_whole(void **state) {
  enum { LEN = 1024 * 1024 };
  interop_t *it = inspect(state);
  char *expression = (char *)malloc(LEN + 16);
  assert_non_null(expression);
  memset(expression, 'a', LEN + 16);
  expression[0] = '\'';
  memcpy(expression + LEN + 1, "'.length", 9);
  answer_t *answer = evaluate(it, expression);
  free(expression);
  assert_int_equal(json_integer_value(value_of(answer)), LEN);
  interop_finish(it);
}

static void promises_answer_out_of_order(void **state) {
  interop_t *it = inspect(state);
  answer_t *first = evaluate_promise(it, "new Promise(r => {first = r})");
  answer_t *second = evaluate_promise(it, "new Promise(r => {second = r})");
  answer_t *third = evaluate(
      it, "setImmediate(() => { second('2nd'); first('1st') }); '3rd'");
  assert_string_equal(json_string_value(value_of(first)), "1st");
  assert_string_equal(json_string_value(value_of(second)), "2nd");
  assert_string_equal(json_string_value(value_of(third)), "3rd");
  assert_int_equal(third->turn, 1);
  assert_int_equal(second->turn, 2);
  assert_int_equal(first->turn, 3);
  interop_finish(it);
}

/* The answer to the first request is the second one's argument. */
static uvow_next_t ask_again(const uvow_result_t *result, void *data) {
  interop_t *it = (interop_t *)data;
  char expression[64];
  json_t *value = json_object_get(
      json_object_get(uvow_result_json(result), "result"), "value");
  snprintf(expression, sizeof(expression), "%d + 1",
           (int)json_integer_value(value));
  return uvow_next_future(uvow_peer_request(
      it->client, "Runtime.evaluate",
      uvow_value_json(json_pack("{s:s, s:b}", "expression", expression,
                                "returnByValue", 1))));
}

static void requests_chain(void **state) {
  interop_t *it = inspect(state);
  uvow_future_t *f =
      uvow_peer_request(it->client, "Runtime.evaluate",
                        uvow_value_json(json_pack("{s:s, s:b}", "expression",
                                                  "1", "returnByValue", 1)));
  for (int i = 0; i < 20; i++)
    f = uvow_future_then(f, ask_again, it);
  assert_int_equal(json_integer_value(value_of(interop_watch(it, f))), 21);
  interop_finish(it);
}

static void a_killed_server_rejects_all(void **state) {
  interop_t *it = inspect(state);
  answer_t *pending[2];
  for (int i = 0; i < 2; i++)
    pending[i] = evaluate_promise(it, "new Promise(() => {})");
  value_of(evaluate(it, "0")); /* so those two are there */
  uv_process_kill(&it->process.handle, SIGKILL);
  for (int i = 0; i < 2; i++)
    assert_rejected(pending[i], UVOW_ELOST, UVOW_MAYBE_EXECUTED);
  assert_rejected(evaluate(it, "1"), UVOW_ELOST, UVOW_NOT_SENT);
  assert_int_equal(interop_stats(it).failed, 2);
  interop_finish(it);
}

/* What the console says is only told while Runtime is enabled. */
static void events_come_back(void **state) {
  interop_t *it = (interop_t *)*state;
  char *url = run_node(it);
  interop_connect_again(it, url, uvow_protocol_by_name("cdp"));
  free(url);
  uvow_stream_t *logs = uvow_peer_subscribe(
      it->client, "Runtime.enable", uvow_value_none(),
      UVOW_WITH(subscription, .event = "Runtime.consoleAPICalled",
                .item = "/args/0/value", .unsubscribe = "Runtime.disable",
                .unsubscribe_params = "{}"));
  for (int i = 0; i < 3; i++) {
    answer_t *log = evaluate(it, i ? "console.log('again')" : "console.log(1)");
    answer_t *item = interop_next(it, logs);
    interop_wait(item);
    interop_wait(log);
    assert_true(item->missed == (i ? UVOW_MISSED_UNKNOWN : 0));
    if (i)
      assert_text(item, "again");
    else
      assert_number(item, 1);
    interop_down(it);
    url = run_node(it);
    interop_up(it, url);
    free(url);
  }
  answer_t *closed = interop_watch(it, uvow_stream_close(logs));
  interop_wait(evaluate(it, "console.log('to nobody')"));
  assert_int_equal(closed->calls, 1);
  assert_int_equal(closed->code, 0);
  interop_stats(it);
  interop_finish(it);
}

static void close_ends_what_is_never_answered(void **state) {
  interop_t *it = (interop_t *)*state;
  char *url = run_node(it);
  test_connect_t options =
      interop_options(it, url, uvow_protocol_by_name("cdp"));
  options.peer.close_timeout_ms = 1;
  interop_connect_with(it, &options);
  free(url);
  answer_t *promise = evaluate_promise(it, "new Promise(() => {})");
  answer_t *leave = evaluate(it, "process.exit()");
  /* node is leaving, and waits for its inspectors to go first. */
  assert_rejected(promise, UVOW_EREMOTE, UVOW_ANSWERED);
  assert_int_equal(leave->calls, 0);
  answer_t *closed = interop_watch(it, uvow_peer_close(it->client));
  assert_rejected(leave, UVOW_ECLOSED, UVOW_MAYBE_EXECUTED);
  interop_wait(closed);
  assert_int_equal(closed->code, 0);
  assert_int_equal(interop_stats(it).failed, 1);
  interop_finish(it);
}

static void a_wrong_path_is_refused(void **state) {
  interop_t *it = (interop_t *)*state;
  char *url = run_node(it);
  url[strlen(url) - 1] ^= 1; /* another hex digit, and no such target */
  interop_connect(it, url, uvow_protocol_by_name("cdp"));
  free(url);
  answer_t *ready = interop_watch(it, uvow_peer_ready(it->client));
  answer_t *answer = evaluate(it, "1");
  interop_wait(ready);
  assert_rejected(answer, UVOW_EHANDSHAKE, UVOW_NOT_SENT);
  assert_int_equal(uvow_error_status(answer->error), 400);
  assert_int_equal(ready->code, UVOW_EHANDSHAKE);
  interop_finish(it);
}

#define TEST(name)                                                             \
  cmocka_unit_test_setup_teardown(name, interop_setup, interop_teardown)

TEST_MODULE(node_inspect) {
  const struct CMUnitTest tests[] = {
      TEST(each_gets_its_own_value),
      TEST(a_throw_is_in_the_result),
      TEST(an_unknown_method_rejects),
      TEST(events_come_between_answers),
      TEST(a_big_result_comes_whole),
      TEST(a_big_request_leaves_whole),
      TEST(promises_answer_out_of_order),
      TEST(requests_chain),
      TEST(a_killed_server_rejects_all),
      TEST(events_come_back),
      TEST(close_ends_what_is_never_answered),
      TEST(a_wrong_path_is_refused),
  };
  return cmocka_run_group_tests_name("interop/node_inspect", tests, NULL, NULL);
}
