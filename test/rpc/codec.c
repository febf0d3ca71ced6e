/* Protocols in code, on a loop: their states, their destructors, and what waits.
 */
#include "rpc/peer.h"

#include "support/script.h"
#include "support/serve.h"

#include <stdio.h>

#include <uvow/server.h>

typedef struct speech {
  script_t s;
  uvow_methods_t *methods;
  uvow_peer_t *a;
  uvow_peer_t *b;
} speech_t;

static uvow_next_t echo_cb(uvow_call_t *call, const uvow_result_t *params,
                           void *data) {
  (void)call;
  (void)params;
  (void)data;
  return uvow_next_pass();
}

static void prepare(speech_t *x) {
  memset(x, 0, sizeof(*x));
  script_init(&x->s);
  x->methods = uvow_methods_new(x->s.loop);
  assert_int_equal(uvow_methods_add(x->methods, NULL, echo_cb, x), 0);
}

static void finish(speech_t *x) {
  uvow_methods_unref(x->methods);
  uvow_peer_unref(x->a);
  uvow_peer_unref(x->b);
  script_end(&x->s);
}

static void ask(speech_t *x, script_mark_t *mark) {
  script_watch(
      uvow_peer_request(x->a, "echo", uvow_value_bytes(x->s.loop, "[1]", 3)),
      mark);
}

/* Calls "c id name params", answers "a id value", both with how many messages
 * their connection has written before. */

typedef struct coder {
  script_t *s;
  int states;
  int binary;
  int refuses; /* so many that are told, next */
  int poor;    /* there is no memory for a state */
} coder_t;

typedef struct state {
  coder_t *coder;
  int written;
} state_t;

static void *make_state(void *data) {
  coder_t *coder = (coder_t *)data;
  if (coder->poor)
    return NULL;
  state_t *state = (state_t *)calloc(1, sizeof(*state));
  assert_non_null(state);
  state->coder = coder;
  state->coder->states++;
  return state;
}

static void free_state(void *data) {
  state_t *state = (state_t *)data;
  state->coder->states--;
  free(state);
}

static void on_destroy(void *data) {
  script_log(((coder_t *)data)->s, "destroyed", "");
}

static int write_words(void *data, const uvow_operation_t *op,
                       uvow_writer_t *out) {
  state_t *state = (state_t *)data;
  int is_call = op->kind == UVOW_WRITE_CALL || op->kind == UVOW_WRITE_EVENT ||
                op->kind == UVOW_WRITE_NOTIFY;
  char text[200];
  if (is_call && state->coder->refuses && state->coder->refuses--)
    return UVOW_EINVAL;
  if (!is_call && op->kind != UVOW_WRITE_REPLY)
    return UVOW_EINVAL;
  int len =
      snprintf(text, sizeof(text), "%s %d %.*s %.*s%s%.*s", is_call ? "c" : "a",
               state->written++, (int)op->id.len, op->id.bytes,
               is_call ? (int)op->method.len : 0, op->method.bytes,
               is_call ? " " : "", (int)op->value.len, op->value.bytes);
  if (state->coder->binary)
    uvow_writer_set_binary(out);
  return uvow_writer_add(out, text, (size_t)len);
}

static uvow_slice_t word(uvow_slice_t *rest) {
  uvow_slice_t w = *rest;
  const char *stop = w.len ? (const char *)memchr(w.bytes, ' ', w.len) : NULL;
  if (stop)
    w.len = (size_t)(stop - w.bytes);
  rest->bytes += w.len + (stop != NULL);
  rest->len -= w.len + (stop != NULL);
  return w;
}

static int read_words(void *data, uvow_slice_t message, int is_binary,
                      uvow_reader_t *out) {
  uvow_meaning_t m = {0};
  (void)is_binary;
  assert_non_null(data);
  m.size = sizeof(m);
  uvow_slice_t what = word(&message);
  (void)word(&message);
  m.id = word(&message);
  m.kind = UVOW_READ_OK;
  if (what.len && *what.bytes == 'c') {
    m.kind = m.id.len ? UVOW_READ_CALL : UVOW_READ_EVENT;
    m.name = word(&message);
  }
  m.value = message;
  return uvow_reader_emit(out, &m);
}

static uvow_protocol_t *code(speech_t *x, coder_t *coder) {
  uvow_codec_t codec = {0};
  codec.size = sizeof(codec);
  codec.name = "words";
  codec.write = write_words;
  codec.read = read_words;
  codec.make_state = make_state;
  codec.free_state = free_state;
  codec.data = coder;
  codec.destroy = on_destroy;
  coder->s = &x->s;
  uvow_protocol_t *made = uvow_protocol_new(x->s.loop, &codec);
  assert_non_null(made);
  return made;
}

TEST_CASE(test_codec_of_peers) {
  coder_t coder = {0};
  speech_t x;
  prepare(&x);
  uvow_protocol_t *protocol = code(&x, &coder);
  uvow_peer_options_t options = {0};
  options.size = sizeof(options);
  options.protocol = protocol;
  options.methods = x.methods;
  assert_int_equal(uvow_peer_pair(x.s.loop, &options, &options, &x.a, &x.b), 0);
  uvow_protocol_unref(protocol);
  script_mark_t mark = script_mark(&x.s, "a");
  ask(&x, &mark);
  ask(&x, &mark);
  script_turns(&x.s);
  script_expect(&x.s, "a=[1] a=[1]");
  assert_int_equal(coder.states, 2); /* one for each end */
  uvow_peer_unref(x.a);
  uvow_peer_unref(x.b);
  x.a = x.b = NULL;
  script_turns(&x.s);
  assert_int_equal(coder.states, 0);
  script_expect(&x.s, "destroyed");
  finish(&x);
}

/* Without a state nothing is written; it's made as soon as it can be. */
TEST_CASE(test_no_state) {
  coder_t coder = {0};
  speech_t x;
  prepare(&x);
  uvow_protocol_t *protocol = code(&x, &coder);
  uvow_peer_options_t options = {.size = sizeof(options)};
  options.protocol = protocol;
  options.methods = x.methods;
  assert_int_equal(uvow_peer_pair(x.s.loop, &options, &options, &x.a, &x.b), 0);
  uvow_protocol_unref(protocol);
  script_mark_t mark = script_mark(&x.s, "a");
  coder.poor = 1;
  ask(&x, &mark);
  script_turns(&x.s);
  script_expect(&x.s, "a!ENOMEM:NOT");
  assert_int_equal(coder.states, 0);
  coder.poor = 0;
  ask(&x, &mark);
  script_turns(&x.s);
  script_expect(&x.s, "a=[1]");
  uvow_peer_unref(x.a);
  uvow_peer_unref(x.b);
  x.a = x.b = NULL;
  script_turns(&x.s);
  script_expect(&x.s, "destroyed");
  finish(&x);
}

/* Who can't read a call for want of one ends the connection: its caller would
 * wait in vain. */
TEST_CASE(test_no_state_to_read) {
  coder_t coder = {0};
  speech_t x;
  prepare(&x);
  uvow_protocol_t *protocol = code(&x, &coder);
  uvow_peer_options_t options = {.size = sizeof(options)};
  options.protocol = protocol;
  options.methods = x.methods;
  assert_int_equal(uvow_peer_pair(x.s.loop, &options, &options, &x.a, &x.b), 0);
  uvow_protocol_unref(protocol);
  script_mark_t mark = script_mark(&x.s, "a");
  ask(&x, &mark); /* it's written */
  coder.poor = 1;
  script_turns(&x.s);
  script_expect(&x.s, "a!ELOST:MAYBE");
  assert_int_equal(uvow_peer_state(x.b), UVOW_PEER_CLOSED);
  uvow_peer_unref(x.a);
  uvow_peer_unref(x.b);
  x.a = x.b = NULL;
  script_turns(&x.s);
  script_expect(&x.s, "destroyed");
  finish(&x);
}

static void on_over(const uvow_result_t *result, void *data) {
  (void)result;
  ++*(int *)data;
}

/* Each allocation fails once. */
static void live(test_alloc_t *alloc, void *data) {
  coder_t coder = {0};
  uvow_codec_t codec = {0};
  uvow_peer_t *a = NULL, *b = NULL;
  script_t s;
  int promised = 0;
  int over = 0;
  (void)data;
  script_init_with(&s, alloc);
  coder.s = &s;
  codec.size = sizeof(codec);
  codec.name = "words";
  codec.write = write_words;
  codec.read = read_words;
  codec.make_state = make_state;
  codec.free_state = free_state;
  codec.data = &coder;
  uvow_peer_options_t options = {.size = sizeof(options)};
  uvow_protocol_t *protocol = uvow_protocol_new(s.loop, &codec);
  options.protocol = protocol;
  options.methods = uvow_methods_new(s.loop);
  if (protocol && options.methods &&
      uvow_methods_add(options.methods, NULL, echo_cb, NULL) == 0 &&
      uvow_peer_pair(s.loop, &options, &options, &a, &b) == 0)
    for (int i = 0; i < 3; i++) {
      uvow_future_t *f = uvow_peer_request(a, "m", uvow_value_raw("[1]"));
      promised += f && uvow_future_done(f, on_over, &over) == 0;
      (void)uvow_peer_notify(b, "n", uvow_value_raw("[1]"));
      script_turns(&s);
    }
  uvow_protocol_unref(protocol);
  uvow_methods_unref(options.methods);
  uvow_peer_unref(a);
  uvow_peer_unref(b);
  script_quit(&s);
  assert_int_equal(over, promised);
  assert_int_equal(coder.states, 0);
}

TEST_CASE(survives_no_memory) {
  test_alloc_sweep(live, NULL);
}

/* Logs so many that have come. */
static void read_events(script_t *s, uvow_stream_t *events, script_mark_t *mark,
                        int count) {
  while (count--) {
    uvow_result_t r;
    uvow_future_t *f = uvow_stream_next(events);
    assert_int_equal(uvow_future_peek(f, &r), 0);
    script_log(s, mark->name, uvow_result_event(&r));
    uvow_future_unref(f);
  }
}

/* A group's message is written by each connection's own state; who can't write
 * it is told of, and the others are told all the same. */
TEST_CASE(test_codec_of_a_group) {
  coder_t coder = {0};
  speech_t x;
  uvow_peer_t *c, *d;
  prepare(&x);
  uvow_protocol_t *protocol = code(&x, &coder);
  uvow_peer_options_t options = {.size = sizeof(options)};
  options.protocol = protocol;
  assert_int_equal(uvow_peer_pair(x.s.loop, &options, &options, &x.a, &x.b), 0);
  assert_int_equal(uvow_peer_pair(x.s.loop, &options, &options, &c, &d), 0);
  uvow_protocol_unref(protocol);
  script_mark_t b = script_mark(&x.s, "b:");
  script_mark_t of_d = script_mark(&x.s, "d:");
  uvow_group_t *group = uvow_group_new(x.s.loop);
  assert_int_equal(uvow_group_add(group, x.a), 0);
  assert_int_equal(uvow_group_add(group, c), 0);
  uvow_stream_t *of_b = uvow_peer_events(x.b, NULL);
  uvow_stream_t *events_of_d = uvow_peer_events(d, NULL);
  assert_int_equal(uvow_group_notifyf(group, "tick", "[i]", 1), 0);
  assert_int_equal(uvow_group_notifyf(group, "tock", "[i]", 2), 0);
  script_turns(&x.s);
  read_events(&x.s, of_b, &b, 2);
  read_events(&x.s, events_of_d, &of_d, 2);
  script_expect(&x.s, "b:tick b:tock d:tick d:tock");
  coder.refuses = 1; /* the next one */
  assert_int_equal(uvow_group_notifyf(group, "tick", "[i]", 3), UVOW_EINVAL);
  script_turns(&x.s);
  assert_int_equal(uvow_stream_waiting(of_b) + uvow_stream_waiting(events_of_d),
                   1);
  uvow_stream_unref(of_b);
  uvow_stream_unref(events_of_d);
  uvow_group_free(group);
  uvow_peer_unref(c);
  uvow_peer_unref(d);
  uvow_peer_unref(x.a);
  uvow_peer_unref(x.b);
  x.a = x.b = NULL;
  script_turns(&x.s);
  script_expect(&x.s, "destroyed");
  finish(&x);
}

/* What waits for the connection is written, as binary too; a lost connection's
 * state goes, and the next one has its own. */
TEST_CASE(test_codec_of_client) {
  coder_t coder = {0};
  speech_t x;
  prepare(&x);
  coder.binary = 1;
  uvow_protocol_t *protocol = code(&x, &coder);
  test_connect_t options = script_options(&x.s);
  options.peer.protocol = protocol;
  assert_int_equal(script_client(&x.s, &options), 0);
  uvow_protocol_unref(protocol);
  script_mark_t mark = script_mark(&x.s, "a");
  script_watch(script_request(&x.s, "m", "[1]"), &mark);
  script_connected(&x.s);
  script_turns(&x.s);
  script_accept(&x.s);
  script_expect_sent(&x.s, "binary:c 0 1 m [1]");
  script_watch(script_request(&x.s, "n", "[]"), &mark);
  script_turns(&x.s);
  script_expect_sent(&x.s, "binary:c 1 2 n []");
  script_frame(&x.s, 0x82, "a 0 2 \"x\"", 9);
  script_text(&x.s, "a 0 1 7");
  script_text(&x.s, "c 0  news [7]");
  script_turns(&x.s);
  assert_int_equal(coder.states, 1);
  script_hang_up(&x.s, 0);
  script_turns(&x.s);
  assert_int_equal(coder.states, 0);
  script_expect(&x.s, "a=\"x\" a=7 event:news([7])");
  uvow_peer_unref(x.s.client);
  x.s.client = NULL;
  script_turns(&x.s);
  script_expect(&x.s, "destroyed");
  finish(&x);
}

TEST_CASE(test_codec_of_server) {
  coder_t coder = {0};
  speech_t x;
  uvow_server_t *server;
  test_serve_t options = test_serve_options();
  prepare(&x);
  uvow_protocol_t *protocol = code(&x, &coder);
  options.peer.protocol = protocol;
  assert_int_equal(test_serve(x.s.loop, &options, &server), 0);
  uvow_protocol_unref(protocol);
  assert_int_equal(
      uvow_group_notify(uvow_server_peers(server), "m", uvow_value_raw("[]")),
      0);
  uvow_server_free(server);
  script_turns(&x.s);
  script_expect(&x.s, "destroyed");
  finish(&x);
}

static void *one_state(void *data) {
  static state_t state;
  state.coder = (coder_t *)data;
  state.written = 0;
  return &state;
}

/* A group tells who is connecting in its turn, and who closes nothing. */
TEST_CASE(test_group_of_a_client) {
  coder_t coder = {0};
  uvow_codec_t codec = {.size = sizeof(codec), .name = "words"};
  speech_t x;
  prepare(&x);
  coder.s = &x.s;
  codec.write = write_words;
  codec.read = read_words;
  codec.make_state = one_state;
  codec.data = &coder;
  uvow_protocol_t *protocol = uvow_protocol_new(x.s.loop, &codec);
  test_connect_t options = script_options(&x.s);
  options.peer.protocol = protocol;
  assert_int_equal(script_client(&x.s, &options), 0);
  uvow_protocol_unref(protocol);
  uvow_group_t *group = uvow_group_new(x.s.loop);
  assert_int_equal(uvow_group_add(group, x.s.client), 0);
  assert_int_equal(uvow_group_notify(group, "m", uvow_value_raw("[1]")), 0);
  script_connected(&x.s);
  script_turns(&x.s);
  script_accept(&x.s);
  script_turns(&x.s);
  script_expect_sent(&x.s, "c 0  m [1]");
  script_mark_t mark = script_mark(&x.s, "a");
  script_call(&x.s, "n", &mark);
  uvow_future_detach(uvow_peer_close(x.s.client));
  assert_int_equal(uvow_group_notify(group, "m", uvow_value_raw("[2]")), 0);
  script_turns(&x.s);
  script_expect_sent(&x.s, "c 1 1 n ");
  script_expect_sent(&x.s, "");
  script_text(&x.s, "a 0 1 7");
  script_turns(&x.s);
  script_expect(&x.s, "a=7");
  uvow_group_free(group);
  uvow_peer_unref(x.s.client);
  x.s.client = NULL;
  finish(&x);
}

TEST_CASE(test_no_codec) {
  coder_t coder = {0};
  uvow_codec_t codec = {0};
  speech_t x;
  prepare(&x);
  coder.s = &x.s;
  codec.size = sizeof(codec);
  codec.data = &coder;
  codec.destroy = on_destroy;
  assert_null(uvow_protocol_new(x.s.loop, &codec));
  script_expect(&x.s, "destroyed");
  assert_null(uvow_protocol_new(NULL, &codec));
  script_expect(&x.s, "destroyed");
  assert_null(uvow_protocol_new(x.s.loop, NULL));
  finish(&x);
}

TEST_MODULE(codec) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_codec_of_peers),
      cmocka_unit_test(test_no_state),
      cmocka_unit_test(test_no_state_to_read),
      cmocka_unit_test(survives_no_memory),
      cmocka_unit_test(test_codec_of_a_group),
      cmocka_unit_test(test_codec_of_client),
      cmocka_unit_test(test_codec_of_server),
      cmocka_unit_test(test_group_of_a_client),
      cmocka_unit_test(test_no_codec),
  };
  return cmocka_run_group_tests_name("rpc/codec", tests, NULL, NULL);
}
