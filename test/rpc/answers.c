/* Whose an answer is, where that isn't plain: of what waits to be sent, of part
 * of an array, of nobody, of a connection that is being lost. */
#include "rpc/peer.h"

#include "support/link.h"
#include "support/subs.h"

#define FAULT                                                                  \
  "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32600,\"message\":"   \
  "\"which\"}}"

static void open_with(script_t *s, size_t max_in_flight, size_t max_batch) {
  uvow_reconnect_options_t reconnect;
  script_init(s);
  script_drive_clock(s);
  test_connect_t options = link_options(s, &reconnect);
  options.peer.on_state = NULL;
  options.peer.max_in_flight = max_in_flight;
  options.peer.max_batch = max_batch;
  options.peer.timeout_ms = 60000;
  options.on_event = NULL;
  link_open(s, &options);
}

/* Many that look alike are read in a shorter way, by the same rules. */
static void look_alike(script_t *s) {
  script_mark_t a = script_mark(s, NULL);
  for (int id = 1; id <= 40; id++) {
    script_call(s, "m", &a);
    script_turns(s);
    link_answer(s, id);
    script_turns(s);
    (void)script_next(s);
  }
  assert_int_equal(a.calls, 40);
  s->log[0] = '\0';
}

/* An answer to what was never sent is nobody's, and the request goes on. */
TEST_CASE(of_what_waits) {
  for (int alike = 0; alike < 2; alike++) {
    script_t s;
    open_with(&s, 1, 0);
    if (alike)
      look_alike(&s);
    int id = alike ? 41 : 1;
    script_mark_t a = script_mark(&s, "a"), b = script_mark(&s, "b");
    script_call(&s, "m", &a);
    script_call(&s, "m", &b);
    script_turns(&s);
    link_answer(&s, id + 1);
    script_turns(&s);
    assert_int_equal(script_stats(&s).unknown, 1);
    s.log[0] = '\0';
    link_answer(&s, id);
    script_turns(&s);
    link_answer(&s, id + 1);
    script_turns(&s);
    script_expect(&s, alike ? "a=41 b=42" : "a=1 b=2");
    script_end(&s);
  }
}

/* An error about a whole array means those of it that still wait. */
TEST_CASE(of_the_rest_of_an_array) {
  script_t s;
  open_with(&s, 0, 3);
  script_mark_t m[3];
  for (int i = 0; i < 3; i++) {
    static const char *const names[] = {"a", "b", "c"};
    m[i] = script_mark(&s, names[i]);
    script_call(&s, "m", &m[i]);
  }
  script_turns(&s);
  link_answer(&s, 2);
  script_text(&s, FAULT);
  script_turns(&s);
  script_expect(&s, "b=2 a!EREMOTE:MAYBE c!EREMOTE:MAYBE");
  script_end(&s);
}

/* An error of the peer's that may be why an answer is missing is the cause of
 * what times out, but not once its connection is being lost: then that is. */
TEST_CASE(a_fault_before_a_loss) {
  script_t s;
  open_with(&s, 0, 0);
  script_mark_t a = script_mark(&s, "a"), b = script_mark(&s, "b");
  script_call(&s, "m", &a);
  script_call(&s, "m", &b);
  script_turns(&s);
  script_text(&s, FAULT);
  script_turns(&s);
  s.log[0] = '\0';
  assert_int_equal(uvow_error_code(s.client->dispatcher.cause), UVOW_EREMOTE);
  script_close_frame(&s, 1001);
  script_turns(&s);
  script_expect(&s, "a!ELOST:MAYBE b!ELOST:MAYBE");
  assert_int_equal(uvow_error_status(s.client->dispatcher.cause), 1001);
  script_hang_up(&s, 0);
  script_turns(&s);
  assert_int_equal(uvow_error_status(s.client->dispatcher.cause), 1001);
  link_again(&s);
  assert_null(s.client->dispatcher.cause);
  script_end(&s);
}

/* ---- two peers ---- */

typedef struct two {
  script_t s; /* first */
  uvow_peer_t *other;
} two_t;

static int on_stray(uvow_peer_t *peer, uvow_stray_t stray, uvow_slice_t message,
                    const uvow_error_t *error, void *data) {
  char text[200];
  (void)peer, (void)stray, (void)error;
  snprintf(text, sizeof(text), "%.*s", (int)message.len, message.bytes);
  script_log((script_t *)data, "stray:", text);
  return 0;
}

static uvow_next_t never(uvow_call_t *call, const uvow_result_t *params,
                         void *data) {
  (void)params, (void)data;
  return uvow_next_future(uvow_future_delay(uvow_call_loop(call), 600000));
}

static void start_two(two_t *x, const char *protocol,
                      uvow_peer_options_t options) {
  memset(x, 0, sizeof(*x));
  script_init(&x->s);
  script_drive_clock(&x->s);
  options.size = sizeof(options);
  options.protocol = uvow_protocol_by_name(protocol);
  options.methods = uvow_methods_new(x->s.loop);
  options.on_stray = on_stray;
  options.data = &x->s;
  assert_int_equal(uvow_methods_add(options.methods, "never", never, NULL), 0);
  assert_int_equal(
      uvow_peer_pair(x->s.loop, &options, &options, &x->s.client, &x->other),
      0);
  uvow_methods_unref(options.methods);
  script_turns(&x->s);
}

static void end_two(two_t *x) {
  uvow_peer_unref(x->other);
  uvow_peer_unref(x->s.client);
  x->s.client = NULL;
  script_turns(&x->s);
  x->s.log[0] = '\0';
  script_end(&x->s);
}

/* An answer that is none, of a request that nobody made, is refused as a call
 * that is none would be. */
TEST_CASE(that_is_none_is_refused) {
  static const char *const texts[] = {
      "{\"jsonrpc\":\"2.0\",\"id\":9,\"params\":[]}",
      "{\"jsonrpc\":\"2.0\",\"id\":9}"};
  for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
    two_t x;
    start_two(&x, "jsonrpc2", (uvow_peer_options_t){0});
    assert_int_equal(uvow_peer_send(x.s.client, uvow_value_text(texts[i])), 0);
    script_turns(&x.s);
    assert_non_null(strstr(x.s.log, texts[i]));
    assert_non_null(strstr(x.s.log, "Invalid Request"));
    end_two(&x);
  }
}

/* One that can't be meant as a call is nobody's, and not answered: two ends that
 * did so would never end. */
TEST_CASE(that_is_none_is_not_answered) {
  two_t x;
  start_two(&x, "jsonrpc2", (uvow_peer_options_t){0});
  assert_int_equal(
      uvow_peer_send(x.s.client,
                     uvow_value_text("{\"jsonrpc\":\"2.0\",\"id\":9,"
                                     "\"result\":1,\"error\":2}")),
      0);
  script_turns(&x.s);
  script_expect(&x.s,
                "stray:{\"jsonrpc\":\"2.0\",\"id\":9,\"result\":1,"
                "\"error\":2}");
  end_two(&x);
}

/* What was given up is owed, also where nothing ever waits for that. */
TEST_CASE(of_what_was_given_up) {
  two_t x;
  start_two(&x, "jsonrpc2",
            (uvow_peer_options_t){.count_unanswered = 1, .no_cancel = 1});
  script_mark_t a = script_mark(&x.s, "a");
  uvow_future_t *f = uvow_peer_request(x.s.client, "never", uvow_value_none());
  script_watch(uvow_future_ref(f), &a);
  script_turns(&x.s);
  assert_int_equal(uvow_future_cancel(f), 0);
  uvow_future_unref(f);
  script_turns(&x.s);
  script_expect(&x.s, "a!ECANCELED:MAYBE");
  assert_int_equal(x.s.client->dispatcher.owed, 1);
  assert_int_equal(
      uvow_peer_send(
          x.other,
          uvow_value_text("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":1}")),
      0);
  script_turns(&x.s);
  assert_int_equal(x.s.client->dispatcher.owed, 0);
  uvow_peer_stats_t stats = {.size = sizeof(stats)};
  assert_int_equal(uvow_peer_get_stats(x.s.client, &stats), 0);
  assert_int_equal(stats.late, 1);
  end_two(&x);
}

TEST_MODULE(answers) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(of_what_waits),
      cmocka_unit_test(of_the_rest_of_an_array),
      cmocka_unit_test(a_fault_before_a_loss),
      cmocka_unit_test(that_is_none_is_refused),
      cmocka_unit_test(that_is_none_is_not_answered),
      cmocka_unit_test(of_what_was_given_up),
  };
  return cmocka_run_group_tests_name("rpc/answers", tests, NULL, NULL);
}
