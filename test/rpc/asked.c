/* What a peer asks on the spot may not call uvow: a debug build says who did. */
#include "rpc/peer.h"

#include "support/script.h"

#ifdef UVOW_DEBUG
#include "support/die.h"

#include <signal.h>

#define SIZE 4096

static uvow_loop_t *the_loop; /* of the child that acts */

static void call_uvow(void) {
  uvow_future_unref(uvow_future_fulfilled(the_loop, uvow_value_none()));
}

/* One of these is a child's only one that calls. */
static const char *caller;

static void asked(const char *name) {
  if (strcmp(name, caller) == 0)
    call_uvow();
}

static int write_cb(void *state, const uvow_operation_t *op,
                    uvow_writer_t *out) {
  (void)state;
  (void)op;
  (void)out;
  asked("a codec's write");
  return 1;
}

static int read_cb(void *state, uvow_slice_t message, int is_binary,
                   uvow_reader_t *out) {
  (void)state;
  (void)message;
  (void)is_binary;
  (void)out;
  asked("a codec's read");
  return 1;
}

static void *make_state_cb(void *data) {
  asked("a codec's make_state");
  return data;
}

static void on_sent(const uvow_peer_t *peer, uint64_t id, const char *method,
                    void *data) {
  (void)peer;
  (void)id;
  (void)method;
  (void)data;
  asked("a trace hook");
}

/* Of what is sent. */
static void on_message(const uvow_peer_t *peer, uvow_slice_t message, int sent,
                       void *data) {
  (void)peer;
  (void)message;
  (void)data;
  if (sent && strcmp(caller, "a trace hook of messages") == 0)
    call_uvow();
}

static void on_pending(const uvow_pending_t *pending, void *data) {
  (void)pending;
  (void)data;
  asked("a walk over requests");
}

static uvow_next_t echo_cb(uvow_call_t *call, const uvow_result_t *params,
                           void *data) {
  (void)call;
  (void)params;
  (void)data;
  return uvow_next_pass();
}

/* A request and its answer, with all that is asked of it. */
static void act(void) {
  static int state;
  script_t s;
  uvow_peer_t *ends[2];
  uvow_codec_t codec = {.size = sizeof(codec), .name = "asked"};
  uvow_trace_t trace = {
      .size = sizeof(trace), .on_sent = on_sent, .on_message = on_message};
  uvow_peer_options_t options = {.size = sizeof(options), .trace = &trace};
  script_init(&s);
  the_loop = s.loop;
  codec.write = write_cb;
  codec.read = read_cb;
  codec.make_state = make_state_cb;
  codec.data = &state;
  codec.base = (uvow_protocol_t *)(uintptr_t)uvow_protocol_by_name("jsonrpc2");
  options.protocol = uvow_protocol_new(s.loop, &codec);
  options.methods = uvow_methods_new(s.loop);
  assert_int_equal(uvow_methods_add(options.methods, NULL, echo_cb, NULL), 0);
  assert_int_equal(
      uvow_peer_pair(s.loop, &options, &options, &ends[0], &ends[1]), 0);
  uvow_future_t *f = uvow_peer_request(ends[0], "m", uvow_value_none());
  (void)uvow_peer_walk(ends[0], on_pending, NULL);
  script_turns(&s);
  assert_int_equal(uvow_future_state(f), UVOW_FULFILLED);
}

TEST_CASE(who_is_asked_may_not_call) {
  static const char *const callers[] = {
      "a codec's write", "a codec's read",       "a codec's make_state",
      "a trace hook",    "a walk over requests", "a trace hook of messages"};
  char text[SIZE];
  char expected[128];
  caller = "nobody";
  assert_int_equal(die_of(act, text, sizeof(text)), 0);
  for (size_t i = 0; i < UVOW__COUNT(callers); i++) {
    caller = callers[i];
    snprintf(expected, sizeof(expected), "uvow: %s calls uvow",
             strcmp(caller, "a trace hook of messages") ? caller
                                                        : "a trace hook");
    assert_int_equal(die_of(act, text, sizeof(text)), SIGABRT);
    assert_non_null(strstr(text, expected));
  }
}

TEST_MODULE(asked) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(who_is_asked_may_not_call),
  };
  return cmocka_run_group_tests_name("rpc/asked", tests, NULL, NULL);
}
#else
TEST_CASE(only_in_debug_builds) {
  print_message("# skip: UVOW_DEBUG is off\n");
  skip();
}

TEST_MODULE(asked) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(only_in_debug_builds)};
  return cmocka_run_group_tests_name("rpc/asked", tests, NULL, NULL);
}
#endif
