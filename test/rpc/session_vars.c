/* Sessions that have names: topics, handles. What is asked within one says so,
 * its events are its own, and answers repeat what their calls said. */
#include "rpc/session_vars.h"

#include "rpc/peer.h"
#include "support/script.h"

#include <stdio.h>

#include <uvow/subscription.h>

static void start(script_t *s, const char *protocol) {
  script_init(s);
  test_connect_t options = script_options(s);
  options.peer.protocol = uvow_protocol_by_name(protocol);
  options.peer.on_stray = NULL;
  options.on_event = NULL;
  script_open_client(s, &options);
}

TEST_CASE(test_topics) {
  script_t s;
  start(&s, "phoenix2");
  uvow_peer_t *room = uvow_peer_within(s.client, "{s:s,s:s}", "topic", "room:1",
                                       "join_ref", "1");
  uvow_peer_t *other = uvow_peer_within(s.client, "{s:s}", "topic", "room:2");
  assert_non_null(room);
  assert_non_null(other);
  script_mark_t a = script_mark(&s, "a");
  script_mark_t b = script_mark(&s, "b");
  script_mark_t e = script_mark(&s, "e");
  script_mark_t o = script_mark(&s, "o");
  script_watch(uvow_peer_requestf(room, "phx_join", NULL), &a);
  script_watch(uvow_peer_requestf(other, "new_msg", "{s:i}", "x", 1), &b);
  uvow_stream_t *events = uvow_peer_events(room, "new_msg");
  uvow_stream_t *others = uvow_peer_events(other, "new_msg");
  script_watch(uvow_stream_next(events), &e);
  script_watch(uvow_stream_next(others), &o);
  script_turns(&s);
  script_expect_sent(&s, "[\"1\",\"1\",\"room:1\",\"phx_join\",{}]");
  script_expect_sent(&s, "[null,\"2\",\"room:2\",\"new_msg\",{\"x\":1}]");
  script_text(&s,
              "[\"1\",\"1\",\"room:1\",\"phx_reply\",{\"status\":\"ok\","
              "\"response\":{}}]");
  script_text(&s, "[\"1\",null,\"room:\\u0031\",\"new_msg\",{\"body\":1}]");
  script_text(&s, "[\"9\",null,\"room:1\",\"new_msg\",{\"body\":2}]");
  script_text(&s, "[null,null,\"room:2\",\"new_msg\",{\"body\":3}]");
  script_turns(&s);
  script_expect(&s, "a={} e={\"body\":1} o={\"body\":3}");
  uvow_peer_end(other); /* what is pending in it ends with it */
  script_turns(&s);
  script_expect(&s, "b!ECLOSED:MAYBE");
  uvow_stream_unref(events);
  uvow_stream_unref(others);
  uvow_peer_unref(room);
  uvow_peer_unref(other);
  assert_null(uvow_peer_within(s.client, "{}"));
  assert_null(uvow_peer_within(s.client, "[]"));
  script_end(&s);
}

#define SERVER                                                                 \
  "{\"name\":\"phoenix2_server\",\"base\":\"phoenix2\",\"reply\":["            \
  "\"$join_ref\",\"$id\",\"$topic\",\"phx_reply\",{\"status\":\"ok\","         \
  "\"response\":\"$value\"}],\"reply_error\":[\"$join_ref\",\"$id\","          \
  "\"$topic\",\"phx_reply\",{\"status\":\"error\",\"response\":{\"reason\":"   \
  "\"$message\"}}],\"event\":[null,null,\"$topic\",\"$method\",\"$object\"],"  \
  "\"rules\":[{\"when\":{\"/1\":{\"type\":\"string\"},\"/3\":{\"type\":"       \
  "\"string\"}},\"is\":\"call\",\"id\":\"/1\",\"name\":\"/3\",\"value\":"      \
  "\"/4\",\"session\":{\"join_ref\":\"/0\",\"topic\":\"/2\"}}]}"

static uvow_next_t join_cb(uvow_call_t *call, const uvow_result_t *params,
                           void *data) {
  (void)params;
  script_log((script_t *)data, "session:", uvow_call_session(call));
  return uvow_next_pass();
}

/* A server of it: replies are in the session of their calls. */
TEST_CASE(test_answers) {
  uvow_protocol_t *protocol = uvow_protocol_parse(SERVER, strlen(SERVER), NULL);
  uvow_peer_options_t client = {.size = sizeof(client)};
  uvow_peer_options_t server = {.size = sizeof(server)};
  uvow_peer_t *peer;
  script_t s;
  assert_non_null(protocol);
  script_init(&s);
  client.protocol = uvow_protocol_by_name("phoenix2");
  server.protocol = protocol;
  server.methods = uvow_methods_new(s.loop);
  assert_int_equal(uvow_methods_add(server.methods, "phx_join", join_cb, &s),
                   0);
  assert_int_equal(uvow_peer_pair(s.loop, &client, &server, &s.client, &peer),
                   0);
  uvow_methods_unref(server.methods);
  uvow_peer_t *room = uvow_peer_within(s.client, "{s:s,s:s}", "topic", "room:1",
                                       "join_ref", "1");
  script_mark_t a = script_mark(&s, "a");
  script_mark_t b = script_mark(&s, "b");
  script_mark_t e = script_mark(&s, "e");
  script_watch(uvow_peer_requestf(room, "phx_join", "{s:i}", "x", 1), &a);
  script_watch(uvow_peer_requestf(room, "odd", NULL), &b);
  script_turns(&s);
  script_expect(&s,
                "session:{\"join_ref\":\"1\",\"topic\":\"room:1\"} "
                "a={\"x\":1} b!EREMOTE:ANSWERED");
  uvow_peer_t *theirs = uvow_peer_within(peer, "{s:s}", "topic", "room:1");
  uvow_stream_t *events = uvow_peer_events(s.client, "new_msg");
  script_watch(uvow_stream_next(events), &e);
  assert_int_equal(uvow_peer_notifyf(theirs, "new_msg", "{s:i}", "y", 2), 0);
  script_turns(&s);
  script_expect(&s, "e={\"y\":2}");
  uvow_stream_unref(events);
  uvow_peer_unref(theirs);
  uvow_peer_unref(room);
  uvow_peer_unref(peer);
  uvow_protocol_unref(protocol);
  script_end(&s);
}

static void sweep(test_alloc_t *alloc, void *data) {
  uvow_protocol_t *protocol = (uvow_protocol_t *)data;
  uvow_peer_options_t client = {.size = sizeof(client)};
  uvow_peer_options_t server = {.size = sizeof(server)};
  uvow_peer_t *peer = NULL;
  script_t s;
  script_mark_t a;
  script_init_with(&s, alloc);
  client.protocol = uvow_protocol_by_name("phoenix2");
  server.protocol = protocol;
  server.methods = s.loop ? uvow_methods_new(s.loop) : NULL;
  (void)uvow_methods_add(server.methods, "phx_join", join_cb, &s);
  if (s.loop &&
      uvow_peer_pair(s.loop, &client, &server, &s.client, &peer) == 0) {
    uvow_peer_t *room = uvow_peer_within(s.client, "{s:s}", "topic", "r");
    uvow_future_t *f = uvow_peer_requestf(room, "phx_join", NULL);
    a = script_mark(&s, "a");
    if (f)
      (void)uvow_future_done(f, script_done, &a);
    script_turns(&s);
    uvow_peer_unref(room);
  }
  uvow_methods_unref(server.methods);
  uvow_peer_unref(peer);
  script_quit(&s);
}

TEST_CASE(survives_no_memory) {
  uvow_protocol_t *protocol = uvow_protocol_parse(SERVER, strlen(SERVER), NULL);
  test_alloc_sweep(sweep, protocol);
  uvow_protocol_unref(protocol);
}

static uvow__slice_t slice(const char *text) {
  return (uvow__slice_t){text, text ? strlen(text) : 0};
}

static uvow__session_vars_t *vars_of(const uvow_protocol_t *protocol,
                                     const char *join_ref, const char *topic) {
  uvow__msg_t msg = {0};
  msg.session = slice(join_ref);
  msg.session2 = slice(topic);
  uvow__session_vars_t *vars =
      uvow__session_vars_new(&uvow__mem_default, protocol, &msg);
  assert_non_null(vars);
  return vars;
}

/* What a message doesn't say is no member; the text is whole, or there is none. */
TEST_CASE(test_text) {
  static const struct {
    const char *join_ref;
    const char *topic;
    const char *text;
  } all[] = {{"\"1\"", "\"r\"", "{\"join_ref\":\"1\",\"topic\":\"r\"}"},
             {NULL, "[1, 2]", "{\"topic\":[1, 2]}"},
             {"null", NULL, "{\"join_ref\":null}"},
             {NULL, NULL, "{}"}};
  const uvow_protocol_t *protocol = uvow_protocol_by_name("phoenix2");
  for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
    uvow__session_vars_t *vars =
        vars_of(protocol, all[i].join_ref, all[i].topic);
    for (size_t max = 0; max < 50; max++) {
      uvow__buf_t out;
      uvow__buf_init(&out, &uvow__mem_default, max);
      int rc = uvow__session_vars_text(vars, &out);
      assert_int_equal(rc == 0, max >= strlen(all[i].text));
      if (rc == 0)
        assert_true(
            uvow__slice_is((uvow__slice_t){(const char *)uvow__buf_front(&out),
                                           uvow__buf_size(&out)},
                           all[i].text));
      uvow__buf_done(&out);
    }
    uvow__free(&uvow__mem_default, vars);
  }
}

/* By what texts mean; what isn't said may be anything, but one must be. */
TEST_CASE(test_match) {
  static const struct {
    const char *wanted;
    const char *join_ref;
    const char *topic;
    int matches;
  } all[] = {
      {"{\"topic\":\"ab\"}", "1", "\"ab\"", 1},
      {"{\"topic\":\"ab\"}", NULL, "\"a\\u0062\"", 1},
      {"{\"topic\":\"ab\"}", NULL, "\"a\\u0063\"", 0},
      {"{\"topic\":\"a\\u0062\"}", NULL, "\"a\\u0062\"", 1},
      {"{\"topic\":\"ab\"}", NULL, NULL, 0},
      {"{\"topic\":\"ab\"}", NULL, "12", 0},
      {"{\"topic\":12}", NULL, "\"12\"", 0},
      {"{\"topic\":12,\"join_ref\":null}", "null", "12", 1},
      {"{\"topic\":12,\"join_ref\":null}", "1", "12", 0},
      {"{\"other\":12}", "1", "12", 0},
      {"{\"other\":12,\"topic\":12}", "1", "12", 1},
  };
  const uvow_protocol_t *protocol = uvow_protocol_by_name("phoenix2");
  for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
    uvow__vars_t wanted;
    assert_int_equal(
        uvow__vars_init(&wanted, &uvow__mem_default, all[i].wanted), 0);
    int matches = uvow__session_vars_match(
        &wanted, protocol, slice(all[i].join_ref), slice(all[i].topic));
    if (matches != all[i].matches)
      fail_msg("%s: %s", all[i].wanted, all[i].topic);
    uvow__vars_done(&wanted);
  }
}

TEST_MODULE(session_vars) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_text),          cmocka_unit_test(test_match),
      cmocka_unit_test(test_topics),        cmocka_unit_test(test_answers),
      cmocka_unit_test(survives_no_memory),
  };
  return cmocka_run_group_tests_name("rpc/session_vars", tests, NULL, NULL);
}
