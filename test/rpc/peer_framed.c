/* Peers over lines and Content-Length headers: every split, and bytes that are
 * no messages. */
#include <uvow/channel.h>

#include "support/script.h"

#include <stdio.h>

typedef struct framed {
  script_t s;
  uvow_methods_t *methods;
  uvow_peer_t *peer;
  uvow_channel_t other; /* the end that the test plays: bytes */
} framed_t;

static uvow_next_t echo_cb(uvow_call_t *call, const uvow_result_t *params,
                           void *data) {
  (void)call, (void)params, (void)data;
  return uvow_next_pass();
}

enum { LINES, HEADERS };

static void start(framed_t *x, int framing) {
  uvow_peer_options_t options = {0};
  uvow_channel_t a;
  memset(x, 0, sizeof(*x));
  script_init(&x->s);
  x->methods = uvow_methods_new(x->s.loop);
  assert_int_equal(uvow_methods_add(x->methods, NULL, echo_cb, x), 0);
  options.size = sizeof(options);
  options.protocol = uvow_protocol_by_name("jsonrpc2");
  options.methods = x->methods;
  assert_int_equal(uvow_channel_pair(x->s.loop, &a, &x->other), 0);
  a = framing == LINES ? uvow_channel_lines(a, 100)
                       : uvow_channel_content_length(a, 100);
  x->peer = uvow_peer_new(x->s.loop, a, &options);
  assert_non_null(x->peer);
}

static void end(framed_t *x) {
  uvow_methods_unref(x->methods);
  uvow_peer_unref(x->peer);
  uvow_stream_unref(x->other.in);
  uvow_sink_drop(x->other.out);
  script_end(&x->s);
}

static uvow_future_t *ask(framed_t *x, const char *method) {
  return uvow_peer_request(x->peer, method,
                           uvow_value_bytes(x->s.loop, "[1]", 3));
}

static void say_bytes(framed_t *x, const char *bytes, size_t len) {
  int rc =
      uvow_sink_push(x->other.out, uvow_value_bytes(x->s.loop, bytes, len));
  assert_true(rc == 0 || rc == 1);
}

static void say(framed_t *x, const char *text) {
  say_bytes(x, text, strlen(text));
  script_turns(&x->s);
}

/* What the peer has said: one item of the other end. */
static void hear(framed_t *x, const char *expected) {
  script_mark_t mark = script_mark(&x->s, "");
  char text[256];
  script_watch(uvow_stream_next(x->other.in), &mark);
  script_turns(&x->s);
  snprintf(text, sizeof(text), "=%s", expected);
  script_expect(&x->s, text);
}

/* An answer and a call, in two pieces, cut at each byte, and in single ones. */
static void split(int framing, const char *text, const char *reply) {
  size_t len = strlen(text);
  for (size_t at = 0; at <= len; at++) {
    framed_t x;
    start(&x, framing);
    script_mark_t m = script_mark(&x.s, "a");
    script_watch(ask(&x, "m"), &m);
    hear(&x, framing == LINES
                 ? "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\",\"params\":"
                   "[1]}\n"
                 : "Content-Length: 50\r\n\r\n{\"jsonrpc\":\"2.0\",\"id\":1,"
                   "\"method\":\"m\",\"params\":[1]}");
    if (at == len) {
      for (size_t i = 0; i < len; i++) {
        say_bytes(&x, text + i, 1);
        script_turns(&x.s);
      }
    } else {
      say_bytes(&x, text, at);
      script_turns(&x.s);
      say_bytes(&x, text + at, len - at);
      script_turns(&x.s);
    }
    script_expect(&x.s, "a=[7]");
    hear(&x, reply);
    end(&x);
  }
}

TEST_CASE(test_lines_split) {
  split(LINES,
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":[7]}\n"
        "{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"method\":\"e\"}\r\n",
        "{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"result\":null}\n");
}

TEST_CASE(test_headers_split) {
  split(
      HEADERS,
      "Content-Length: 37\r\n\r\n{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":[7]}"
      "Content-Type: x\r\ncontent-length:41\r\n\r\n"
      "{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"method\":\"e\"}  ",
      "Content-Length: 40\r\n\r\n{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"result\":"
      "null}");
}

/* What a framing can't read ends the peer: which requests learn. */
TEST_CASE(test_bad_framing) {
  static const struct {
    int framing;
    const char *text; /* NULL: one that doesn't end */
    const char *log;
  } cases[] = {
      {LINES, NULL, "a!ETOOBIG:MAYBE b!ECLOSED:NOT"},
      {HEADERS, NULL, "a!ETOOBIG:MAYBE b!ECLOSED:NOT"},
      {HEADERS, "Content-Length: 101\r\n\r\n", "a!ETOOBIG:MAYBE b!ECLOSED:NOT"},
      {HEADERS, "Content-Length: -1\r\n\r\n", "a!EPROTO:MAYBE b!ECLOSED:NOT"},
      {HEADERS, "Length: 3\r\n\r\n123", "a!EPROTO:MAYBE b!ECLOSED:NOT"},
      {HEADERS, "{\"jsonrpc\":\"2.0\"}\r\n\r\n",
       "a!EPROTO:MAYBE b!ECLOSED:NOT"},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    framed_t x;
    start(&x, cases[i].framing);
    script_mark_t a = script_mark(&x.s, "a");
    script_mark_t b = script_mark(&x.s, "b");
    script_watch(ask(&x, "m"), &a);
    if (cases[i].text)
      say(&x, cases[i].text);
    for (int n = 0; !cases[i].text && n < 100; n++)
      if (uvow_peer_state(x.peer) == UVOW_PEER_OPEN)
        say(&x, "Endless: Endless: Endless: Endless: Endless: Endless: ");
    script_watch(ask(&x, "m"), &b);
    script_turns(&x.s);
    script_expect(&x.s, cases[i].log);
    end(&x);
  }
}

TEST_MODULE(peer_framed) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_lines_split),
      cmocka_unit_test(test_headers_split),
      cmocka_unit_test(test_bad_framing),
  };
  return cmocka_run_group_tests_name("rpc/peer_framed", tests, NULL, NULL);
}
