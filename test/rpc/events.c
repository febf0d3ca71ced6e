/* Events as streams: over the scripted connection, and in memory. */
#include "rpc/events.h"

#include "future/stream.h"

#include "support/link.h"
#include "support/parts.h"

#include <uvow/combine.h>

static void start(script_t *s) {
  script_init(s);
  script_drive_clock(s);
  test_connect_t options = script_options(s);
  options.on_event = NULL;
  script_open_client(s, &options);
}

static void feed(script_t *s, const char *name, int value) {
  char text[128];
  snprintf(text, sizeof(text),
           "{\"jsonrpc\":\"2.0\",\"method\":\"%s\",\"params\":[%d]}", name,
           value);
  script_text(s, text);
}

static void listen_to(script_t *s, const char *name, script_mark_t *mark) {
  parts_read(uvow_peer_events(s->client, name), mark);
}

TEST_CASE(test_by_name) {
  script_t s;
  start(&s);
  script_mark_t a = script_mark(&s, "a");
  script_mark_t b = script_mark(&s, "b");
  script_mark_t all = script_mark(&s, "all");
  feed(&s, "a", 0);
  listen_to(&s, "a", &a);
  listen_to(&s, "b", &b);
  listen_to(&s, NULL, &all);
  feed(&s, "a", 1);
  feed(&s, "c", 2);
  feed(&s, "b", 3);
  feed(&s, "\\u0061", 4); /* the same name */
  script_expect(&s,
                "event?{\"jsonrpc\":\"2.0\",\"method\":\"a\",\"params\":[0]}"
                " a:[1] all:[1] all:[2] b:[3] all:[3] a:[4] all:[4]");
  script_expect_sent(&s, "");
  uvow_peer_end(s.client);
  script_turns(&s);
  script_expect(&s, "a= b= all=");
  script_end(&s);
}

/* Each of several has all. */
TEST_CASE(test_several) {
  script_t s;
  start(&s);
  script_mark_t a = script_mark(&s, "a");
  script_mark_t b = script_mark(&s, "b");
  uvow_stream_t *other = uvow_peer_events(s.client, "n");
  listen_to(&s, "n", &a);
  listen_to(&s, "n", &b);
  feed(&s, "n", 1);
  script_expect(&s, "a:[1] b:[1]");
  assert_int_equal(uvow_stream_waiting(other), 1);
  uvow_stream_unref(other);
  script_turns(&s);
  feed(&s, "n", 2);
  script_expect(&s, "a:[2] b:[2]");
  uvow_peer_end(s.client);
  script_turns(&s);
  script_expect(&s, "a= b=");
  script_end(&s);
}

static uvow_next_t on_name(const uvow_result_t *item, void *data) {
  script_log((script_t *)data, "name:", uvow_result_event(item));
  return uvow_next_pass();
}

/* An item says the name of its event, however long and however it was read. */
TEST_CASE(test_names) {
  script_t s;
  char name[300];
  start(&s);
  memset(name, 'n', sizeof(name) - 1);
  name[sizeof(name) - 1] = '\0';
  uvow_stream_t *stream = uvow_peer_events(s.client, NULL);
  uvow_stream_t *copy = uvow_stream_tee(stream, NULL);
  char text[1024];
  snprintf(text, sizeof(text), "{\"jsonrpc\":\"2.0\",\"method\":\"%s\"}", name);
  script_text(&s, text);
  feed(&s, "b", 1);
  feed(&s, "", 1);
  uvow_future_detach(uvow_future_then(uvow_stream_next(copy), on_name, &s));
  uvow_stream_unref(copy);
  uvow_future_detach(uvow_stream_each(stream, on_name, &s));
  script_turns(&s);
  snprintf(text, sizeof(text), "name:%s name:%s name:b name:", name, name);
  script_expect(&s, text);
  uvow_result_t none = {0};
  assert_null(uvow_result_event(&none));
  assert_null(uvow_result_event(NULL));
  script_end(&s);
}

static uvow_next_t on_call(uvow_call_t *call, const uvow_result_t *params,
                           void *data) {
  (void)params;
  script_log((script_t *)data, "method:", uvow_call_method(call));
  return uvow_next_pass();
}

/* A method of that name still runs, and one that isn't there is no stray. */
TEST_CASE(test_methods_too) {
  script_t s;
  script_init(&s);
  script_drive_clock(&s);
  test_connect_t options = script_options(&s);
  options.on_event = NULL;
  options.peer.methods = uvow_methods_new(s.loop);
  assert_int_equal(uvow_methods_add(options.peer.methods, "a", on_call, &s), 0);
  script_open_client(&s, &options);
  uvow_methods_unref(options.peer.methods);
  script_mark_t a = script_mark(&s, "s");
  script_mark_t b = script_mark(&s, "s");
  listen_to(&s, "a", &a);
  listen_to(&s, "b", &b);
  feed(&s, "a", 1);
  feed(&s, "b", 2);
  feed(&s, "c", 3);
  script_expect(&s,
                "s:[1] method:a s:[2] "
                "event?{\"jsonrpc\":\"2.0\",\"method\":\"c\",\"params\":[3]}");
  assert_int_equal(s.client->session.callee.count, 0);
  uvow_peer_end(s.client);
  script_turns(&s);
  script_expect(&s, "s= s=");
  script_end(&s);
}

/* Letting go costs the peer nothing; what comes then is a stray again. */
TEST_CASE(test_let_go) {
  script_t s;
  start(&s);
  script_mark_t a = script_mark(&s, "a");
  uvow_stream_t *stream = uvow_peer_events(s.client, "n");
  uvow_stream_t *other = uvow_peer_events(s.client, NULL);
  uvow_stream_unref(stream);
  script_watch(uvow_stream_close(other), &a);
  script_turns(&s);
  script_expect(&s, "a=");
  assert_int_equal(s.client->session.listeners.names.count, 0);
  feed(&s, "n", 1);
  script_expect(&s,
                "event?{\"jsonrpc\":\"2.0\",\"method\":\"n\",\"params\":[1]}");
  script_watch(uvow_stream_first(uvow_peer_events(s.client, "n")), &a);
  feed(&s, "n", 2);
  script_expect(&s, "a=[2]");
  feed(&s, "n", 3);
  script_expect(&s,
                "event?{\"jsonrpc\":\"2.0\",\"method\":\"n\",\"params\":[3]}");
  script_end(&s);
}

/* Only one event is waited for: so the end is what lets go. */
TEST_CASE(test_first_of_none) {
  script_t s;
  start(&s);
  script_mark_t a = script_mark(&s, "a");
  script_watch(uvow_stream_first(uvow_peer_events(s.client, "n")), &a);
  script_watch(uvow_stream_first(uvow_peer_events(s.client, NULL)), &a);
  uvow_peer_end(s.client);
  script_turns(&s);
  script_expect(&s, "a!ECLOSED a!ECLOSED");
  script_end(&s);
}

static uvow_stream_t *with(script_t *s, size_t max_items, uvow_full_t full) {
  uvow_stream_options_t options = {.size = sizeof(options)};
  options.max_items = max_items;
  options.full = full;
  return uvow_peer_events_with(s->client, "n", &options);
}

/* Who is too slow fails, or misses what the policy says. */
TEST_CASE(test_full) {
  static const struct {
    uvow_full_t full;
    const char *log;
  } cases[] = {
      {UVOW_FULL_DEFAULT, "a:[1] a:[2] a!EOVERLOAD"},
      {UVOW_FULL_FAIL, "a:[1] a:[2] a!EOVERLOAD"},
      {UVOW_FULL_DROP_OLDEST, "a:[3](+2) a:[4] a="},
      {UVOW_FULL_DROP_NEWEST, "a:[1] a:[2] a="},
      {UVOW_FULL_LATEST, "a:[4](+3) a="},
      {UVOW_FULL_WAIT, "a!EINVAL"},
      {(uvow_full_t)9, "a!EINVAL"},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    script_t s;
    start(&s);
    script_mark_t a = script_mark(&s, "a");
    uvow_stream_t *stream = with(&s, 2, cases[i].full);
    for (int n = 1; n <= 4; n++)
      feed(&s, "n", n);
    s.log[0] = '\0'; /* of strays, where it has failed */
    parts_read(stream, &a);
    uvow_peer_end(s.client);
    script_turns(&s);
    script_expect(&s, cases[i].log);
    script_end(&s);
  }
}

TEST_CASE(test_default_bound) {
  script_t s;
  start(&s);
  uvow_stream_t *stream = uvow_peer_events(s.client, "n");
  for (int i = 0; i < 1024; i++)
    feed(&s, "n", i);
  assert_int_equal(uvow_stream_waiting(stream), 1024);
  assert_false(uvow__stream_ended(stream));
  feed(&s, "n", 1024);
  assert_true(uvow__stream_ended(stream));
  uvow_stream_unref(stream);
  script_end(&s);
}

TEST_CASE(test_wrong) {
  script_t s;
  start(&s);
  script_mark_t a = script_mark(&s, "a");
  uvow_stream_options_t options = {0};
  parts_read(uvow_peer_events_with(s.client, "n", &options), &a);
  assert_null(uvow_peer_events(NULL, "n"));
  script_turns(&s);
  script_expect(&s, "a!EINVAL");
  uvow_peer_end(s.client);
  parts_read(uvow_peer_events(s.client, "n"), &a);
  script_turns(&s);
  script_expect(&s, "a=");
  script_end(&s);
}

/* It goes on over reconnects. */
TEST_CASE(test_reconnects) {
  script_t s;
  uvow_reconnect_options_t reconnect = {0};
  script_init(&s);
  script_drive_clock(&s);
  test_connect_t options = link_options(&s, &reconnect);
  options.on_event = NULL;
  options.peer.on_state = NULL;
  link_open(&s, &options);
  script_mark_t a = script_mark(&s, "a");
  listen_to(&s, "n", &a);
  feed(&s, "n", 1);
  script_hang_up(&s, UV_ECONNRESET);
  link_again(&s);
  feed(&s, "n", 2);
  script_expect(&s, "a:[1] a:[2]");
  uvow_peer_end(s.client);
  script_turns(&s);
  script_expect(&s, "a=");
  script_end(&s);
}

/* It ends with the peer: why is said, but for a close in order. */
TEST_CASE(test_ends) {
  for (int closed = 0; closed < 2; closed++) {
    script_t s;
    start(&s);
    script_mark_t a = script_mark(&s, "a");
    listen_to(&s, "n", &a);
    feed(&s, "n", 1);
    if (closed) {
      script_close_frame(&s, 1000);
      script_hang_up(&s, 0);
    } else {
      script_hang_up(&s, UV_ECONNRESET);
    }
    script_expect(&s, closed ? "a:[1] a=" : "a:[1] a!ELOST");
    parts_read(uvow_peer_events(s.client, "n"), &a);
    script_turns(&s);
    script_expect(&s, closed ? "a=" : "a!ELOST");
    script_end(&s);
  }
}

/* ---- in memory ---- */

typedef struct pair {
  script_t s;
  uvow_peer_t *a;
  uvow_peer_t *b;
  unsigned seen;
  unsigned answered;
} pair_t;

static uvow_next_t on_echo(uvow_call_t *call, const uvow_result_t *params,
                           void *data) {
  (void)call;
  (void)params;
  (void)data;
  return uvow_next_pass();
}

static void start_pair(pair_t *x) {
  uvow_peer_options_t options = {.size = sizeof(options)};
  memset(x, 0, sizeof(*x));
  script_init(&x->s);
  options.protocol = uvow_protocol_by_name("jsonrpc2");
  options.methods = uvow_methods_new(x->s.loop);
  assert_int_equal(uvow_methods_add(options.methods, "echo", on_echo, x), 0);
  assert_int_equal(uvow_peer_pair(x->s.loop, &options, &options, &x->a, &x->b),
                   0);
  uvow_methods_unref(options.methods);
}

static void end_pair(pair_t *x) {
  uvow_peer_unref(x->a);
  uvow_peer_unref(x->b);
  script_end(&x->s);
}

TEST_CASE(test_pair) {
  pair_t x;
  start_pair(&x);
  script_mark_t a = script_mark(&x.s, "a");
  script_mark_t b = script_mark(&x.s, "b");
  parts_read(uvow_peer_events(x.a, "n"), &a);
  parts_read(uvow_peer_events(x.b, "n"), &b);
  assert_int_equal(uvow_peer_notify(x.b, "n", uvow_value_raw("[1]")), 0);
  assert_int_equal(uvow_peer_notify(x.a, "n", uvow_value_raw("[2]")), 0);
  script_turns(&x.s);
  script_expect(&x.s, "a:[1] b:[2]");
  uvow_peer_unref(x.a);
  x.a = NULL;
  script_turns(&x.s);
  script_expect(&x.s, "b!ELOST a=");
  end_pair(&x);
}

#define MANY 100000

static uvow_next_t on_answer(const uvow_result_t *answer, void *data) {
  pair_t *x = (pair_t *)data;
  assert_null(answer->error);
  x->answered++;
  return uvow_next_pass();
}

/* Asks the same peer, and waits for that before the next event. */
static uvow_next_t on_event(const uvow_result_t *item, void *data) {
  pair_t *x = (pair_t *)data;
  x->seen += 1 + (unsigned)uvow_result_missed(item);
  return uvow_next_future(uvow_future_then(
      uvow_peer_request(x->a, "echo", uvow_value_raw("[1]")), on_answer, x));
}

/* No answer waits behind events, however many, and however small the stream is:
 * so who asks within each never waits for ever (S4). */
TEST_CASE(test_no_deadlock) {
  pair_t x;
  uvow_stream_options_t options = {.size = sizeof(options)};
  start_pair(&x);
  options.max_items = 1;
  options.full = UVOW_FULL_DROP_OLDEST;
  uvow_future_t *each =
      uvow_stream_each(uvow_peer_events_with(x.a, "n", &options), on_event, &x);
  for (unsigned i = 0; i < MANY; i++) {
    assert_int_equal(uvow_peer_notify(x.b, "n", uvow_value_raw("[1]")), 0);
    if (i % 100 == 0)
      uv_run(&x.s.uv, UV_RUN_NOWAIT);
  }
  for (int i = 0; i < 1000 && x.seen < MANY; i++)
    uv_run(&x.s.uv, UV_RUN_NOWAIT);
  assert_int_equal(x.seen, MANY); /* those that are missing are said to be */
  assert_true(x.answered > 100);
  uvow_future_detach(each);
  end_pair(&x);
}

/* ---- memory ---- */

static uvow_next_t pass(const uvow_result_t *item, void *data) {
  (void)item;
  ++*(unsigned *)data;
  return uvow_next_pass();
}

static void on_end(const uvow_result_t *result, void *data) {
  (void)result;
  ++*(unsigned *)data;
}

static void listen_all(test_alloc_t *alloc, void *data) {
  script_t s;
  unsigned promised = 0;
  unsigned ended = 0;
  unsigned items = 0;
  (void)data;
  script_init_with(&s, alloc);
  test_connect_t options = script_options(&s);
  options.on_event = NULL;
  if (script_client(&s, &options) == 0) {
    script_connected(&s);
    script_accept(&s);
    for (int i = 0; i < 3; i++) {
      uvow_future_t *f = uvow_stream_each(
          uvow_peer_events(s.client, i ? "n" : NULL), pass, &items);
      promised += f && uvow_future_done(f, on_end, &ended) == 0;
    }
    for (int i = 0; i < 20; i++)
      feed(&s, "n", i);
    uvow_peer_unref(s.client);
    s.client = NULL;
    script_turns(&s);
  }
  assert_int_equal(ended, promised);
  script_quit(&s);
}

TEST_CASE(test_without_memory) {
  test_alloc_sweep(listen_all, NULL);
}

/* An item takes no memory once warm, as many as wait and as long as it is. */
TEST_CASE(test_warm) {
  script_t s;
  unsigned items = 0;
  size_t calls = 0;
  start(&s);
  uvow_future_detach(
      uvow_stream_each(uvow_peer_events(s.client, "n"), pass, &items));
  uvow_future_detach(
      uvow_stream_each(uvow_peer_events(s.client, NULL), pass, &items));
  for (int i = 0; i < 300; i++) {
    if (i == 100)
      calls = s.alloc->calls;
    feed(&s, "n", i);
  }
  assert_int_equal(s.alloc->calls - calls, 0);
  assert_int_equal(items, 600);
  script_end(&s);
}

TEST_MODULE(events) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_by_name),     cmocka_unit_test(test_several),
      cmocka_unit_test(test_names),       cmocka_unit_test(test_methods_too),
      cmocka_unit_test(test_let_go),      cmocka_unit_test(test_first_of_none),
      cmocka_unit_test(test_full),        cmocka_unit_test(test_default_bound),
      cmocka_unit_test(test_wrong),       cmocka_unit_test(test_reconnects),
      cmocka_unit_test(test_ends),        cmocka_unit_test(test_pair),
      cmocka_unit_test(test_no_deadlock), cmocka_unit_test(test_without_memory),
      cmocka_unit_test(test_warm),
  };
  return cmocka_run_group_tests_name("rpc/events", tests, NULL, NULL);
}
