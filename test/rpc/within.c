/* Peers within a session: what is asked, told and heard there, and its ends. */
#include "rpc/within.h"

#include "support/script.h"

#include <stdio.h>

typedef struct scene {
  script_t s;
  uvow_peer_t *a; /* in session "a", */
  uvow_peer_t *b; /* and "b" */
  uvow_methods_t *methods;
  int destroyed;
} scene_t;

static void start(scene_t *x) {
  memset(x, 0, sizeof(*x));
  script_init(&x->s);
  test_connect_t options = script_options(&x->s);
  options.peer.protocol = uvow_protocol_by_name("cdp");
  options.on_event = NULL;
  options.peer.on_stray = NULL;
  script_open_client(&x->s, &options);
  x->a = uvow_peer_within(x->s.client, "{s:s}", "sessionId", "a");
  x->b = uvow_peer_within(x->s.client, "{s:s}", "sessionId", "b\"");
  assert_non_null(x->a);
  assert_non_null(x->b);
}

static void end(scene_t *x) {
  uvow_peer_unref(x->a);
  uvow_peer_unref(x->b);
  uvow_peer_unref(x->s.client);
  x->s.client = NULL;
  script_end(&x->s);
}

static void ask(uvow_peer_t *peer, script_mark_t *mark) {
  script_watch(uvow_peer_request(peer, "m", uvow_value_none()), mark);
}

TEST_CASE(test_requests) {
  scene_t x;
  start(&x);
  script_mark_t a = script_mark(&x.s, "a");
  script_mark_t b = script_mark(&x.s, "b");
  script_mark_t c = script_mark(&x.s, "c");
  ask(x.a, &a);
  ask(x.b, &b);
  ask(x.s.client, &c);
  script_watch(uvow_peer_requestf(x.a, "n", "{s:i}", "x", 1), &a);
  assert_int_equal(uvow_peer_send(x.a, uvow_value_text("as it is")), 0);
  script_turns(&x.s);
  script_expect_sent(&x.s, "{\"id\":1,\"method\":\"m\",\"sessionId\":\"a\"}");
  script_expect_sent(&x.s,
                     "{\"id\":2,\"method\":\"m\",\"sessionId\":\"b\\\"\"}");
  script_expect_sent(&x.s, "{\"id\":3,\"method\":\"m\"}");
  script_expect_sent(
      &x.s,
      "{\"id\":4,\"method\":\"n\",\"params\":{\"x\":1},\"sessionId\":\"a\"}");
  script_expect_sent(&x.s, "as it is");
  assert_int_equal(uvow_peer_walk(x.a, NULL, NULL), 2);
  assert_int_equal(uvow_peer_walk(x.b, NULL, NULL), 1);
  assert_int_equal(uvow_peer_walk(x.s.client, NULL, NULL), 4);
  uvow_peer_stats_t stats = {.size = sizeof(stats)};
  assert_int_equal(uvow_peer_get_stats(x.a, &stats), 0);
  assert_int_equal(stats.requests, 4);
  script_text(&x.s, "{\"id\":2,\"result\":{},\"sessionId\":\"b\\\"\"}");
  script_text(&x.s, "{\"id\":1,\"result\":{},\"sessionId\":\"a\"}");
  script_text(&x.s, "{\"id\":4,\"result\":{},\"sessionId\":\"a\"}");
  script_text(&x.s, "{\"id\":3,\"result\":{}}");
  script_turns(&x.s);
  script_expect(&x.s, "b={} a={} a={} c={}");
  end(&x);
}

static uvow_next_t on_event(const uvow_result_t *item, void *data) {
  script_mark_t *mark = (script_mark_t *)data;
  script_log(mark->s, mark->name, uvow_result_event(item));
  return uvow_next_pass();
}

static void listen_to(uvow_peer_t *peer, const char *name,
                      script_mark_t *mark) {
  script_watch(uvow_stream_each(uvow_peer_events(peer, name), on_event, mark),
               mark);
}

TEST_CASE(test_events) {
  scene_t x;
  start(&x);
  script_mark_t a = script_mark(&x.s, "a");
  script_mark_t b = script_mark(&x.s, "b");
  script_mark_t all = script_mark(&x.s, "all");
  listen_to(x.a, "E", &a);
  listen_to(x.a, NULL, &a);
  listen_to(x.b, "E", &b);
  listen_to(x.s.client, NULL, &all);
  script_text(&x.s, "{\"method\":\"E\",\"sessionId\":\"a\"}");
  script_text(&x.s, "{\"method\":\"E\",\"sessionId\":\"b\\u0022\"}");
  script_text(&x.s, "{\"method\":\"F\",\"sessionId\":\"a\"}");
  script_text(&x.s, "{\"method\":\"E\",\"sessionId\":\"other\"}");
  script_text(&x.s, "{\"method\":\"E\"}");
  script_turns(&x.s);
  script_expect(&x.s, "allE aE aE allE bE allF aF allE allE");
  uvow_peer_end(x.a);
  script_turns(&x.s);
  script_expect(&x.s, "a= a=");
  script_text(&x.s, "{\"method\":\"E\",\"sessionId\":\"a\"}");
  script_text(&x.s,
              "{\"method\":\"Target.detachedFromTarget\",\"params\":{"
              "\"sessionId\":\"b\\\"\"}}");
  script_turns(&x.s);
  script_expect(&x.s, "allE allTarget.detachedFromTarget b=");
  uvow_peer_unref(x.s.client);
  x.s.client = NULL;
  script_turns(&x.s);
  script_expect(&x.s, "all=");
  end(&x);
}

/* It ends: what is pending in it rejects, nothing else does, and nothing can be
 * asked of it any more. */
TEST_CASE(test_ends) {
  for (int how = 0; how < 4; how++) {
    scene_t x;
    start(&x);
    script_mark_t a = script_mark(&x.s, "a");
    script_mark_t b = script_mark(&x.s, "b");
    script_mark_t c = script_mark(&x.s, "c");
    ask(x.a, &a);
    ask(x.b, &b);
    ask(x.s.client, &c);
    script_turns(&x.s);
    if (how == 0)
      uvow_peer_end(x.a);
    else if (how == 1)
      uvow_future_detach(uvow_peer_close(x.a));
    else if (how == 2)
      script_text(&x.s,
                  "{\"method\":\"Target.detachedFromTarget\",\"params\":{"
                  "\"sessionId\":\"\\u0061\"}}");
    else
      uvow_peer_unref(x.a);
    script_turns(&x.s);
    script_expect(&x.s, "a!ECLOSED:MAYBE");
    if (how < 3) {
      assert_int_equal(uvow_peer_state(x.a), UVOW_PEER_CLOSED);
      assert_int_equal(uvow_peer_walk(x.a, NULL, NULL), 0);
      assert_int_equal(uvow_peer_notify(x.a, "n", uvow_value_none()),
                       UVOW_ECLOSED);
      assert_int_equal(uvow_peer_send(x.a, uvow_value_text("x")), UVOW_ECLOSED);
      ask(x.a, &a);
      script_watch(uvow_peer_ready(x.a), &a);
      script_watch(uvow_peer_room(x.a), &a);
      uvow_peer_end(x.a);
      script_turns(&x.s);
      script_expect(&x.s, "a!ECLOSED:NOT a!ECLOSED a!ECLOSED");
    } else {
      x.a = NULL;
    }
    assert_int_equal(uvow_peer_state(x.b), UVOW_PEER_OPEN);
    script_text(&x.s, "{\"id\":2,\"result\":{},\"sessionId\":\"b\\\"\"}");
    script_text(&x.s, "{\"id\":3,\"result\":{}}");
    script_turns(&x.s);
    script_expect(&x.s, "b={} c={}");
    end(&x);
  }
}

/* A session's end that doesn't say whose ends none. */
TEST_CASE(test_no_end) {
  static const char *const params[] = {"", ",\"params\":{}",
                                       ",\"params\":{\"sessionId\":\"c\"}",
                                       ",\"params\":{\"sessionId\":1}"};
  scene_t x;
  start(&x);
  for (size_t i = 0; i < UVOW__COUNT(params); i++) {
    char text[128];
    snprintf(text, sizeof(text), "{\"method\":\"Target.detachedFromTarget\"%s}",
             params[i]);
    script_text(&x.s, text);
    script_turns(&x.s);
    assert_int_equal(uvow_peer_state(x.a), UVOW_PEER_OPEN);
    assert_int_equal(uvow_peer_state(x.b), UVOW_PEER_OPEN);
  }
  end(&x);
}

/* Several within one session end with it, and no other. */
TEST_CASE(test_ends_of_several) {
  for (int how = 0; how < 2; how++) {
    scene_t x;
    uvow_peer_t *more[2];
    start(&x);
    script_mark_t a = script_mark(&x.s, "a");
    script_mark_t b = script_mark(&x.s, "b");
    for (size_t i = 0; i < 2; i++) {
      more[i] = uvow_peer_within(x.s.client, "{s:s}", "sessionId", "a");
      listen_to(more[i], "E", &a);
      ask(more[i], &a);
    }
    listen_to(x.a, "E", &a);
    listen_to(x.b, "E", &b);
    script_turns(&x.s);
    if (how == 0)
      script_text(&x.s,
                  "{\"method\":\"Target.detachedFromTarget\",\"params\":{"
                  "\"sessionId\":\"a\"}}");
    else
      uvow_peer_end(x.s.client);
    script_turns(&x.s);
    script_expect(&x.s, how == 0 ? "a!ECLOSED:MAYBE a!ECLOSED:MAYBE a= a= a="
                                 : "a!ECLOSED:MAYBE a!ECLOSED:MAYBE a= a= b= "
                                   "a=");
    assert_int_equal(uvow_peer_state(x.a), UVOW_PEER_CLOSED);
    assert_int_equal(uvow_peer_state(x.b),
                     how == 0 ? UVOW_PEER_OPEN : UVOW_PEER_CLOSED);
    for (size_t i = 0; i < 2; i++) {
      assert_int_equal(uvow_peer_state(more[i]), UVOW_PEER_CLOSED);
      assert_int_equal(uvow_peer_notify(more[i], "n", uvow_value_none()),
                       UVOW_ECLOSED);
      uvow_peer_unref(more[i]);
    }
    uvow_peer_end(x.s.client);
    script_turns(&x.s);
    x.s.log[0] = '\0';
    end(&x);
  }
}

/* The peer ends first, or its loop. */
TEST_CASE(test_whole_ends) {
  for (int how = 0; how < 2; how++) {
    scene_t x;
    start(&x);
    script_mark_t a = script_mark(&x.s, "a");
    ask(x.a, &a);
    script_turns(&x.s);
    if (how == 0) {
      uvow_peer_unref(x.s.client);
      x.s.client = NULL;
    } else {
      uvow_loop_close(x.s.loop, NULL, NULL);
    }
    script_turns(&x.s);
    script_expect(&x.s, "a!ECLOSED:MAYBE");
    assert_int_equal(uvow_peer_state(x.a), UVOW_PEER_CLOSED);
    if (how == 0) {
      ask(x.a, &a);
      script_turns(&x.s);
      script_expect(&x.s, "a!ECLOSED:NOT");
      end(&x);
      continue;
    }
    uvow_peer_unref(x.a);
    uvow_peer_unref(x.b);
    uvow_peer_unref(x.s.client);
    x.s.client = NULL;
    x.s.loop = NULL;
    script_end(&x.s);
  }
}

static void count(void *data) {
  ((scene_t *)data)->destroyed++;
}

TEST_CASE(test_data) {
  scene_t x;
  start(&x);
  uvow_peer_set_data(x.a, &x, count);
  assert_ptr_equal(uvow_peer_data(x.a), &x);
  assert_null(uvow_peer_data(x.s.client));
  assert_ptr_equal(uvow_peer_ref(x.a), x.a);
  uvow_peer_unref(x.a);
  uvow_peer_unref(x.a);
  x.a = NULL;
  assert_int_equal(x.destroyed, 0);
  script_turns(&x.s);
  assert_int_equal(x.destroyed, 1);
  end(&x);
}

/* A description's sessions are of any kind, and may have two variables. */
TEST_CASE(test_kinds) {
  static const char text[] =
      "{\"name\":\"gate\",\"call\":{\"id\":\"$id\",\"m\":\"$method\","
      "\"s\":\"$s\",\"of\":\"$of\"},\"rules\":["
      "{\"when\":{\"/ok\":true},\"is\":\"ok\",\"id\":\"/ok\",\"value\":\"\"},"
      "{\"when\":{\"/e\":true},\"is\":\"event\",\"name\":\"/e\","
      "\"session\":{\"s\":\"/s\",\"of\":\"/of\"}}]}";
  script_t s;
  script_init(&s);
  test_connect_t options = script_options(&s);
  uvow_protocol_t *protocol = uvow_protocol_parse(text, sizeof(text) - 1, NULL);
  assert_non_null(protocol);
  options.peer.protocol = protocol;
  options.on_event = NULL;
  options.peer.on_stray = NULL;
  script_open_client(&s, &options);
  uvow_protocol_unref(protocol);
  uvow_peer_t *one = uvow_peer_within(s.client, "{s:i}", "s", 7);
  uvow_peer_t *two = uvow_peer_within(s.client, "{s:[i],s:i}", "of", 1, "s", 7);
  assert_non_null(one);
  assert_non_null(two);
  assert_null(uvow_peer_within(s.client, "{}"));
  script_mark_t a = script_mark(&s, "a");
  script_mark_t b = script_mark(&s, "b");
  ask(one, &a);
  ask(two, &b);
  listen_to(one, NULL, &a);
  listen_to(two, NULL, &b);
  script_turns(&s);
  script_expect_sent(&s, "{\"id\":1,\"m\":\"m\",\"s\":7}");
  script_expect_sent(&s, "{\"id\":2,\"m\":\"m\",\"s\":7,\"of\":[1]}");
  script_text(&s, "{\"e\":\"E\",\"s\":7,\"of\":[1]}");
  script_text(&s, "{\"e\":\"F\",\"s\":7}");
  script_text(&s, "{\"e\":\"G\",\"s\":\"7\",\"of\":[1]}");
  script_text(&s, "{\"e\":\"H\",\"of\":[1]}");
  script_text(&s, "{\"e\":\"I\",\"s\":70,\"of\":[1,2]}");
  script_turns(&s);
  script_expect(&s, "bE aE aF");
  uvow_peer_unref(one);
  uvow_peer_unref(two);
  script_turns(&s);
  script_expect(&s, "a!ECLOSED:MAYBE b!ECLOSED:MAYBE a= b=");
  script_end(&s);
}

/* It subscribes in its session, and again after a reconnect; what is of another
 * session is none of its items. */
TEST_CASE(test_subscribes) {
  scene_t x;
  uvow_subscription_options_t options = {.size = sizeof(options)};
  start(&x);
  script_mark_t a = script_mark(&x.s, "a");
  options.event = "E";
  options.key = "/on";
  options.answer_key = "";
  options.unsubscribe = "stop";
  uvow_stream_t *stream =
      uvow_peer_subscribe(x.a, "start", uvow_value_none(), &options);
  script_watch(uvow_stream_each(stream, on_event, &a), &a);
  script_turns(&x.s);
  script_expect_sent(&x.s,
                     "{\"id\":1,\"method\":\"start\",\"sessionId\":\"a\"}");
  script_text(&x.s, "{\"id\":1,\"result\":5,\"sessionId\":\"a\"}");
  script_text(&x.s,
              "{\"method\":\"E\",\"params\":{\"on\":5},\"sessionId\":\"a\"}");
  script_text(
      &x.s, "{\"method\":\"E\",\"params\":{\"on\":5},\"sessionId\":\"b\\\"\"}");
  script_text(&x.s, "{\"method\":\"E\",\"params\":{\"on\":5}}");
  script_text(&x.s,
              "{\"method\":\"E\",\"params\":{\"on\":6},\"sessionId\":\"a\"}");
  script_turns(&x.s);
  script_expect(&x.s, "aE");
  stream = uvow_peer_subscribe(x.b, "start", uvow_value_none(), &options);
  uvow_stream_unref(stream);
  script_turns(&x.s);
  uvow_peer_end(x.a);
  script_turns(&x.s);
  script_expect(&x.s, "a=");
  assert_null(uvow_result_event(NULL));
  stream = uvow_peer_subscribe(x.a, "start", uvow_value_none(), &options);
  script_watch(uvow_stream_first(stream), &a);
  script_turns(&x.s);
  script_expect(&x.s, "a!ECLOSED");
  end(&x);
}

static uvow_next_t on_question(uvow_call_t *call, const uvow_result_t *params,
                               void *data) {
  (void)call;
  (void)params;
  (void)data;
  return uvow_next_value(uvow_value_raw("{}"));
}

/* The answer to a call is in the call's session, and so is a refusal. */
TEST_CASE(test_answers) {
  scene_t x;
  memset(&x, 0, sizeof(x));
  script_init(&x.s);
  test_connect_t options = script_options(&x.s);
  x.methods = uvow_methods_new(x.s.loop);
  assert_int_equal(uvow_methods_add(x.methods, "q", on_question, NULL), 0);
  options.peer.protocol = uvow_protocol_by_name("cdp");
  options.peer.methods = x.methods;
  options.on_event = NULL;
  script_open_client(&x.s, &options);
  script_text(&x.s, "{\"id\":1,\"method\":\"q\",\"sessionId\":\"a\\u0022\"}");
  script_text(&x.s, "{\"id\":2,\"method\":\"other\",\"sessionId\":\"a\"}");
  script_text(&x.s, "{\"id\":3,\"method\":\"q\"}");
  script_turns(&x.s);
  script_expect_sent(&x.s, "{\"id\":1,\"result\":{},\"sessionId\":\"a\\\"\"}");
  script_expect_sent(&x.s,
                     "{\"id\":2,\"error\":{\"code\":-32601,\"message\":"
                     "\"Method not found\"},\"sessionId\":\"a\"}");
  script_expect_sent(&x.s, "{\"id\":3,\"result\":{}}");
  uvow_methods_unref(x.methods);
  end(&x);
}

/* Who calls within a session is the peer within it. */
static uvow_next_t on_call(uvow_call_t *call, const uvow_result_t *params,
                           void *data) {
  scene_t *x = (scene_t *)data;
  uvow_peer_t *peer = uvow_call_peer(call);
  (void)params;
  script_log(&x->s, uvow_call_method(call),
             peer == x->a          ? ":a"
             : peer == x->s.client ? ":whole"
                                   : ":?");
  if (peer == x->a && strcmp(uvow_call_method(call), "free") == 0) {
    x->a = NULL;
    uvow_peer_unref(peer);
  }
  return uvow_next_none();
}

TEST_CASE(test_calls) {
  scene_t x;
  memset(&x, 0, sizeof(x));
  script_init(&x.s);
  test_connect_t options = script_options(&x.s);
  x.methods = uvow_methods_new(x.s.loop);
  assert_int_equal(uvow_methods_add(x.methods, NULL, on_call, &x), 0);
  options.peer.protocol = uvow_protocol_by_name("cdp");
  options.peer.methods = x.methods;
  options.on_event = NULL;
  script_open_client(&x.s, &options);
  x.a = uvow_peer_within(x.s.client, "{s:s}", "sessionId", "a");
  script_text(&x.s, "{\"method\":\"E\",\"sessionId\":\"a\"}");
  script_text(&x.s, "{\"method\":\"E\",\"sessionId\":\"b\"}");
  script_text(&x.s, "{\"method\":\"E\"}");
  script_text(&x.s, "{\"method\":\"free\",\"sessionId\":\"a\"}");
  script_text(&x.s, "{\"method\":\"E\",\"sessionId\":\"a\"}");
  script_turns(&x.s);
  script_expect(&x.s, "E:a E:whole E:whole free:a E:whole");
  uvow_methods_unref(x.methods);
  end(&x);
}

/* So it is where a session has two variables. */
TEST_CASE(test_calls_of_kinds) {
  static const char text[] =
      "{\"name\":\"gate\",\"call\":{\"id\":\"$id\",\"s\":\"$s\","
      "\"of\":\"$of\"},\"rules\":[{\"is\":\"event\",\"name\":\"/e\","
      "\"session\":{\"s\":\"/s\",\"of\":\"/of\"}},"
      "{\"is\":\"ok\",\"id\":\"/ok\"}]}";
  scene_t x;
  memset(&x, 0, sizeof(x));
  script_init(&x.s);
  test_connect_t options = script_options(&x.s);
  uvow_protocol_t *protocol = uvow_protocol_parse(text, sizeof(text) - 1, NULL);
  assert_non_null(protocol);
  x.methods = uvow_methods_new(x.s.loop);
  assert_int_equal(uvow_methods_add(x.methods, NULL, on_call, &x), 0);
  options.peer.protocol = protocol;
  options.peer.methods = x.methods;
  options.on_event = NULL;
  script_open_client(&x.s, &options);
  uvow_protocol_unref(protocol);
  x.b = uvow_peer_within(x.s.client, "{s:i}", "s", 8);
  x.a = uvow_peer_within(x.s.client, "{s:i,s:[i]}", "s", 7, "of", 1);
  script_text(&x.s, "{\"e\":\"E\",\"s\":7,\"of\":[1]}");
  script_text(&x.s, "{\"e\":\"F\",\"s\":7,\"of\":[2]}");
  script_text(&x.s, "{\"e\":\"G\",\"s\":7}");
  script_text(&x.s, "{\"e\":\"H\"}");
  script_text(&x.s, "{\"e\":\"I\",\"of\":[1]}");
  script_turns(&x.s);
  script_expect(&x.s, "E:a F:whole G:whole H:whole I:whole");
  uvow_methods_unref(x.methods);
  end(&x);
}

TEST_CASE(test_bad_arguments) {
  scene_t x;
  start(&x);
  uvow_peer_t *whole = x.s.client;
  assert_null(uvow_peer_within(NULL, "{s:s}", "sessionId", "a"));
  assert_null(uvow_peer_within(whole, NULL));
  assert_null(uvow_peer_within(whole, "{s:i}", "sessionId", 1));
  assert_null(uvow_peer_within(whole, "{}"));
  assert_null(uvow_peer_within(whole, "[s]", "a"));
  assert_null(uvow_peer_within(whole, "{s:s}", "sessionId", ""));
  assert_null(uvow_peer_within(whole, "i", 1));
  assert_null(uvow_peer_within(whole, "{s:r}", "sessionId", " {} "));
  uvow_peer_t *c = uvow_peer_within(whole, "{s:r}", "i\"d\\", " \"c\\\\\" ");
  assert_string_equal(c->kin.within->text, "c\\");
  uvow_peer_unref(c);
  assert_null(uvow_peer_within(whole, "{s:s,s:s}", "a", "b", "c", "d"));
  assert_null(uvow_peer_within(x.a, "{s:s}", "sessionId", "a"));
  assert_int_equal(uvow_error_code(uvow_loop_error(x.s.loop)), UVOW_EINVAL);
  uvow_group_t *group = uvow_group_new(x.s.loop);
  assert_int_equal(uvow_group_add(group, x.a), UVOW_EINVAL);
  uvow_group_free(group);
  uvow_peer_end(whole);
  assert_null(uvow_peer_within(whole, "{s:s}", "sessionId", "a"));
  assert_int_equal(uvow_error_code(uvow_loop_error(x.s.loop)), UVOW_ECLOSED);
  end(&x);
}

/* Of a protocol that has none, a session can't be said. */
TEST_CASE(test_no_sessions) {
  script_t s;
  script_init(&s);
  test_connect_t options = script_options(&s);
  script_open_client(&s, &options);
  uvow_peer_t *within = uvow_peer_within(s.client, "{s:s}", "s", "a");
  script_mark_t m = script_mark(&s, "m");
  ask(within, &m);
  script_turns(&s);
  script_expect(&s, "m!EINVAL:NOT");
  uvow_peer_unref(within);
  uvow_peer_unref(s.client);
  s.client = NULL;
  script_end(&s);
}

/* Every allocation fails once. */
static void body(test_alloc_t *alloc, void *data) {
  scene_t x;
  int promised = 0;
  (void)data;
  memset(&x, 0, sizeof(x));
  script_init_with(&x.s, alloc);
  script_mark_t m = script_mark(&x.s, NULL);
  uvow_peer_options_t options = {0};
  uvow_peer_t *other = NULL;
  options.size = sizeof(options);
  options.protocol = uvow_protocol_by_name("cdp");
  if (x.s.loop &&
      uvow_peer_pair(x.s.loop, &options, &options, &x.s.client, &other) == 0) {
    x.a = uvow_peer_within(x.s.client, "{s:s}", "sessionId", "a\"b");
    uvow_stream_t *events = uvow_peer_events(x.a, "E");
    for (int i = 0; i < 3; i++) {
      uvow_future_t *f = uvow_peer_request(x.a, "m", uvow_value_none());
      promised += f && uvow_future_done(f, script_done, &m) == 0;
    }
    (void)uvow_peer_send(other, uvow_value_text("{\"method\":\"E\","
                                                "\"sessionId\":\"a\\\"b\"}"));
    (void)uvow_peer_send(
        other, uvow_value_text("{\"method\":\"Target.detachedFromTarget\","
                               "\"params\":{\"sessionId\":\"a\\\"b\"}}"));
    uvow_subscription_options_t sub = {.size = sizeof(sub)};
    sub.event = "F";
    uvow_stream_t *items =
        uvow_peer_subscribe(x.a, "s", uvow_value_none(), &sub);
    script_turns(&x.s);
    uvow_stream_unref(items);
    uvow_stream_unref(events);
  }
  uvow_peer_unref(x.a);
  uvow_peer_unref(x.s.client);
  uvow_peer_unref(other);
  x.s.client = NULL;
  script_quit(&x.s);
  assert_int_equal(m.calls, promised);
}

TEST_CASE(test_no_memory) {
  test_alloc_sweep(body, NULL);
}

TEST_MODULE(within) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_requests),
      cmocka_unit_test(test_events),
      cmocka_unit_test(test_ends),
      cmocka_unit_test(test_ends_of_several),
      cmocka_unit_test(test_no_end),
      cmocka_unit_test(test_whole_ends),
      cmocka_unit_test(test_data),
      cmocka_unit_test(test_calls),
      cmocka_unit_test(test_calls_of_kinds),
      cmocka_unit_test(test_bad_arguments),
      cmocka_unit_test(test_no_sessions),
      cmocka_unit_test(test_no_memory),
      cmocka_unit_test(test_kinds),
      cmocka_unit_test(test_subscribes),
      cmocka_unit_test(test_answers),
  };
  return cmocka_run_group_tests_name("rpc/within", tests, NULL, NULL);
}
