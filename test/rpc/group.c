/* Groups of peers in memory. */
#include "rpc/peer.h"

#include "support/parts.h"

enum { PAIRS = 3 };

typedef struct crowd {
  script_t s;
  uvow_methods_t *methods;
  uvow_peer_t *ours[PAIRS];
  uvow_peer_t *theirs[PAIRS];
  uvow_group_t *group;
  int walked;
} crowd_t;

static uvow_next_t note_cb(uvow_call_t *call, const uvow_result_t *params,
                           void *data) {
  crowd_t *x = (crowd_t *)data;
  (void)params;
  static const char *const names[PAIRS] = {"0:", "1:", "2:"};
  for (int i = 0; i < PAIRS; i++)
    if (uvow_call_peer(call) == x->theirs[i])
      script_log(&x->s, names[i], uvow_call_method(call));
  return uvow_next_none();
}

static void start_with(crowd_t *x, size_t max_unsent) {
  uvow_peer_options_t options = {0};
  memset(x, 0, sizeof(*x));
  script_init(&x->s);
  x->methods = uvow_methods_new(x->s.loop);
  assert_int_equal(uvow_methods_add(x->methods, NULL, note_cb, x), 0);
  options.size = sizeof(options);
  options.protocol = uvow_protocol_by_name("jsonrpc2");
  options.methods = x->methods;
  options.max_unsent_bytes = max_unsent;
  x->group = uvow_group_new(x->s.loop);
  for (int i = 0; i < PAIRS; i++) {
    assert_int_equal(uvow_peer_pair(x->s.loop, &options, &options, &x->ours[i],
                                    &x->theirs[i]),
                     0);
    assert_int_equal(uvow_group_add(x->group, x->ours[i]), 0);
  }
}

static void start(crowd_t *x) {
  start_with(x, 0);
}

static void end(crowd_t *x) {
  uvow_group_free(x->group);
  uvow_methods_unref(x->methods);
  for (int i = 0; i < PAIRS; i++) {
    uvow_peer_unref(x->ours[i]);
    uvow_peer_unref(x->theirs[i]);
  }
  script_end(&x->s);
}

TEST_CASE(test_notify) {
  crowd_t x;
  start(&x);
  assert_int_equal(uvow_group_add(x.group, x.ours[0]), 0); /* once */
  assert_int_equal(uvow_group_notify(x.group, "a", uvow_value_none()), 0);
  script_turns(&x.s);
  script_expect(&x.s, "0:a 1:a 2:a");
  assert_int_equal(uvow_group_remove(x.group, x.ours[1]), 0);
  assert_int_equal(uvow_group_remove(x.group, x.ours[1]), UVOW_EINVAL);
  assert_int_equal(
      uvow_group_notify(x.group, "b", uvow_value_bytes(x.s.loop, "[1]", 3)), 0);
  script_turns(&x.s);
  script_expect(&x.s, "0:b 2:b");
  uvow_peer_end(x.ours[0]);
  assert_int_equal(uvow_group_walk(x.group, NULL, NULL), 1);
  assert_int_equal(uvow_group_add(x.group, x.ours[0]), UVOW_ECLOSED);
  assert_int_equal(uvow_group_notify(x.group, "c", uvow_value_none()), 0);
  script_turns(&x.s);
  script_expect(&x.s, "2:c");
  end(&x);
}

TEST_CASE(test_format) {
  crowd_t x;
  start(&x);
  script_mark_t a = script_mark(&x.s, "a");
  parts_read(uvow_peer_events(x.theirs[1], "f"), &a);
  assert_int_equal(uvow_group_notifyf(x.group, "f", "{s:i}", "x", 1), 0);
  script_turns(&x.s);
  script_expect(&x.s, "0:f a:{\"x\":1} 1:f 2:f");
  assert_int_equal(uvow_group_notifyf(x.group, "f", "{s", "x"), UVOW_EINVAL);
  assert_int_equal(uvow_group_notifyf(x.group, "f", NULL), 0);
  assert_int_equal(uvow_group_notifyf(NULL, "f", "{s:i}", "x", 1), UVOW_EINVAL);
  script_turns(&x.s);
  x.s.log[0] = '\0';
  uvow_peer_end(x.theirs[1]);
  script_turns(&x.s);
  script_expect(&x.s, "a=");
  end(&x);
}

TEST_CASE(test_bad_arguments) {
  crowd_t x;
  uvow_value_t none = uvow_value_none();
  start(&x);
  assert_null(uvow_group_new(NULL));
  assert_int_equal(uvow_group_add(NULL, x.ours[0]), UVOW_EINVAL);
  assert_int_equal(uvow_group_add(x.group, NULL), UVOW_EINVAL);
  assert_int_equal(uvow_group_remove(NULL, x.ours[0]), UVOW_EINVAL);
  assert_int_equal(uvow_group_notify(NULL, "m", none), UVOW_EINVAL);
  assert_int_equal(uvow_group_notify(x.group, NULL, none), UVOW_EINVAL);
  assert_int_equal(uvow_group_notify(x.group, "m", uvow_value_int64(1)),
                   UVOW_EINVAL); /* JSON-RPC has none such */
  assert_int_equal(uvow_group_walk(NULL, NULL, NULL), 0);
  uvow_group_free(NULL);
  end(&x);
}

/* A callback may do anything: end peers, remove them, free the group. */
static void end_all(uvow_peer_t *peer, void *data) {
  crowd_t *x = (crowd_t *)data;
  uvow_group_t *group = x->group;
  assert_int_equal(uvow_peer_state(peer), UVOW_PEER_OPEN);
  x->walked++;
  x->group = NULL;
  uvow_group_free(group);
  for (int i = 0; i < PAIRS; i++) {
    uvow_peer_unref(x->ours[i]);
    x->ours[i] = NULL;
    uvow_peer_end(peer);
    uvow_peer_unref(x->theirs[i]);
    x->theirs[i] = NULL;
  }
}

TEST_CASE(test_walk) {
  crowd_t x;
  start(&x);
  assert_int_equal(uvow_group_walk(x.group, end_all, &x), PAIRS);
  assert_int_equal(x.walked, PAIRS);
  end(&x);
}

/* One that doesn't read is ended; the others are told. */
TEST_CASE(test_slow) {
  crowd_t x;
  start_with(&x, 80);
  uvow__channel_t *slow = x.theirs[1]->session.callee.channel;
  slow->ops->pause(slow, 1);
  for (int i = 0; i < 3; i++) {
    assert_int_equal(uvow_group_notify(x.group, "n", uvow_value_none()), 0);
    script_turns(&x.s);
  }
  script_expect(&x.s, "0:n 2:n 0:n 2:n 0:n 2:n");
  assert_int_equal(uvow_peer_state(x.ours[1]), UVOW_PEER_CLOSED);
  assert_int_equal(uvow_group_walk(x.group, NULL, NULL), 2);
  slow->ops->pause(slow, 0);
  script_turns(&x.s);
  assert_int_equal(uvow_peer_state(x.theirs[1]), UVOW_PEER_CLOSED);
  assert_int_equal(uvow_error_status(x.theirs[1]->life.why), 1013);
  x.s.log[0] = '\0';
  end(&x);
}

/* Of peers that we connect to, it waits for the connection, in its bounds. */
TEST_CASE(test_waits) {
  char large[1000];
  script_t s;
  script_init(&s);
  memset(large, 'x', sizeof(large));
  large[sizeof(large) - 1] = '\0';
  test_connect_t options = script_options(&s);
  options.websocket.max_unsent_bytes = 600;
  assert_int_equal(script_client(&s, &options), 0);
  uvow_group_t *group = uvow_group_new(s.loop);
  assert_int_equal(uvow_group_add(group, s.client), 0);
  assert_int_equal(uvow_group_notifyf(group, "a", "[i]", 1), 0);
  assert_int_equal(uvow_group_notifyf(group, "b", "[s]", large),
                   UVOW_EOVERLOAD);
  assert_int_equal(uvow_peer_state(s.client), UVOW_PEER_CONNECTING);
  script_connected(&s);
  script_accept(&s);
  script_turns(&s);
  script_expect_sent(&s,
                     "{\"jsonrpc\":\"2.0\",\"method\":\"a\",\"params\":[1]}");
  script_expect_sent(&s, "");
  assert_int_equal(uvow_group_notifyf(group, "c", "[i]", 2), 0);
  script_turns(&s);
  script_expect_sent(&s,
                     "{\"jsonrpc\":\"2.0\",\"method\":\"c\",\"params\":[2]}");
  uvow_group_free(group);
  script_end(&s);
}

/* Without memory for the copy, nobody is told. */
static void count_peer(uvow_peer_t *peer, void *data) {
  (void)peer;
  ++*(int *)data;
}

TEST_CASE(test_walk_without_memory) {
  crowd_t x;
  int told = 0;
  start(&x);
  x.s.alloc->fail_at = x.s.alloc->calls + 1;
  x.s.alloc->fail_all_after = 1;
  size_t walked = uvow_group_walk(x.group, count_peer, &told);
  x.s.alloc->fail_at = 0;
  assert_int_equal(walked, told);
  assert_int_equal(uvow_group_walk(x.group, count_peer, &told), PAIRS);
  end(&x);
}

static const char two_ways[] =
    "{\"name\":\"two\",\"call\":{\"id\":\"$id\"},\"notify\":{\"n\":\"$method\"}"
    ","
    "\"event\":{\"e\":\"$method\"},\"rules\":[{\"when\":{\"/e\":true},\"is\":"
    "\"event\",\"name\":\"/e\"},{\"when\":{\"/n\":true},\"is\":\"event\","
    "\"name\":\"/n\"},{\"is\":\"ok\",\"id\":\"/id\"}]}";

static void on_traced(const uvow_peer_t *peer, uvow_slice_t message,
                      int is_outgoing, void *data) {
  char text[64];
  (void)peer;
  if (!is_outgoing)
    return;
  snprintf(text, sizeof(text), "%.*s", (int)message.len, message.bytes);
  script_log((script_t *)data, text, "");
}

/* Both ends of a pair: a server's peer is told by an event, the other by a
 * notification. One that closes is told nothing any more. */
TEST_CASE(test_both_ends) {
  script_t s;
  uvow_peer_t *a, *b;
  uvow_peer_options_t options = {.size = sizeof(options)};
  uvow_trace_t trace = {.size = sizeof(trace), .on_message = on_traced};
  uvow_protocol_t *protocol =
      uvow_protocol_parse(two_ways, sizeof(two_ways) - 1, NULL);
  assert_non_null(protocol);
  script_init(&s);
  trace.data = &s;
  options.protocol = protocol;
  options.trace = &trace;
  assert_int_equal(uvow_peer_pair(s.loop, &options, &options, &a, &b), 0);
  uvow_group_t *group = uvow_group_new(s.loop);
  assert_int_equal(uvow_group_add(group, a), 0);
  assert_int_equal(uvow_group_add(group, b), 0);
  assert_int_equal(uvow_group_notify(group, "m", uvow_value_none()), 0);
  script_turns(&s);
  script_expect(&s, "{\"n\":\"m\"} {\"e\":\"m\"}");
  script_mark_t r = script_mark(&s, "r");
  script_mark_t c = script_mark(&s, "c");
  script_watch(uvow_peer_request(a, "wait", uvow_value_none()), &r);
  script_watch(uvow_peer_close(a), &c); /* once that is answered */
  script_expect(&s, "{\"id\":1}");
  assert_int_equal(uvow_group_notify(group, "m", uvow_value_none()), 0);
  script_expect(&s, "{\"e\":\"m\"}");
  uvow_peer_end(b);
  script_turns(&s);
  script_expect(&s, "r!ECLOSED:MAYBE c=");
  uvow_group_free(group);
  uvow_protocol_unref(protocol);
  uvow_peer_unref(a);
  uvow_peer_unref(b);
  script_end(&s);
}

static void body(test_alloc_t *alloc, void *data) {
  script_t s;
  uvow_peer_options_t options = {0};
  uvow_peer_t *a = NULL, *b = NULL;
  (void)data;
  script_init_with(&s, alloc);
  options.size = sizeof(options);
  options.protocol = uvow_protocol_by_name("jsonrpc2");
  uvow_group_t *group = s.loop ? uvow_group_new(s.loop) : NULL;
  if (group && uvow_peer_pair(s.loop, &options, &options, &a, &b) == 0) {
    size_t in = uvow_group_add(group, a) == 0;
    (void)uvow_group_notify(group, "m", uvow_value_none());
    assert_int_equal(uvow_group_walk(group, NULL, NULL), in);
    script_turns(&s);
  }
  uvow_peer_unref(a);
  uvow_peer_unref(b);
  uvow_group_free(group);
  script_quit(&s);
}

TEST_CASE(test_no_memory) {
  test_alloc_sweep(body, NULL);
}

TEST_MODULE(group) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_notify),
      cmocka_unit_test(test_format),
      cmocka_unit_test(test_bad_arguments),
      cmocka_unit_test(test_walk),
      cmocka_unit_test(test_slow),
      cmocka_unit_test(test_both_ends),
      cmocka_unit_test(test_no_memory),
      cmocka_unit_test(test_waits),
      cmocka_unit_test(test_walk_without_memory),
  };
  return cmocka_run_group_tests_name("rpc/group", tests, NULL, NULL);
}
