/* Protocols whose client and server are both ours: each end opens with its own
 * steps, asks, answers and tells; whatever one writes the other reads. */
#include "rpc/peer.h"

#include "support/script.h"

#include <stdio.h>

#include <uvow/channel.h>
#include <uvow/stream.h>
#include <uvow/subscription.h>

typedef struct ends {
  script_t s;
  uvow_peer_t *server;
} ends_t;

static uvow_next_t echo_cb(uvow_call_t *call, const uvow_result_t *params,
                           void *data) {
  (void)call, (void)params, (void)data;
  return uvow_next_pass();
}

static uvow_next_t no_cb(uvow_call_t *call, const uvow_result_t *params,
                         void *data) {
  (void)params, (void)data;
  return uvow_next_error(
      uvow_error_new_peer(uvow_call_loop(call), 204, "no", NULL, 0));
}

static uvow_next_t count_cb(uvow_call_t *call, const uvow_result_t *params,
                            void *data) {
  uvow_sink_t *sink;
  uvow_stream_t *stream = uvow_stream_new(uvow_call_loop(call), NULL, &sink);
  (void)params, (void)data;
  for (int i = 1; i <= 2; i++)
    (void)uvow_sink_push(sink, uvow_value_int64(i));
  uvow_sink_end(sink);
  return uvow_next_stream(stream);
}

static void start(ends_t *x, const char *protocol, const char *client_vars,
                  const char *server_vars) {
  uvow_peer_options_t client = {.size = sizeof(client)};
  uvow_peer_options_t server = {.size = sizeof(server)};
  memset(x, 0, sizeof(*x));
  script_init(&x->s);
  script_drive_clock(&x->s);
  client.protocol = server.protocol = uvow_protocol_by_name(protocol);
  client.vars = client_vars;
  server.vars = server_vars;
  server.methods = uvow_methods_new(x->s.loop);
  assert_int_equal(uvow_methods_add(server.methods, "echo", echo_cb, NULL), 0);
  assert_int_equal(uvow_methods_add(server.methods, "no", no_cb, NULL), 0);
  assert_int_equal(uvow_methods_add(server.methods, "count", count_cb, NULL),
                   0);
  assert_int_equal(
      uvow_peer_pair(x->s.loop, &client, &server, &x->s.client, &x->server), 0);
  uvow_methods_unref(server.methods);
}

static void ask(ends_t *x, const char *method, const char *params,
                const char *log) {
  script_mark_t m = script_mark(&x->s, method);
  script_watch(script_request(&x->s, method, params), &m);
  script_turns(&x->s);
  script_expect(&x->s, log);
}

static void end(ends_t *x) {
  uvow_peer_unref(x->server);
  uvow_peer_unref(x->s.client);
  x->s.client = NULL;
  script_turns(&x->s);
  x->s.log[0] = '\0';
  script_end(&x->s);
}

TEST_CASE(test_home_assistant) {
  ends_t x;
  start(&x, "home_assistant", "{\"token\":\"T\"}",
        "{\"token\":\"T\",\"ha_version\":\"2024.1\"}");
  ask(&x, "echo", "{\"a\":1}", "echo={\"id\":1,\"type\":\"echo\",\"a\":1}");
  assert_int_equal(uvow_peer_state(x.server), UVOW_PEER_OPEN);
  ask(&x, "no", NULL, "no!EREMOTE:ANSWERED");
  ask(&x, "ping", NULL, "ping=");
  /* answered at once; the items are events of that id */
  uvow_stream_t *counts =
      uvow_peer_subscribe(x.s.client, "count", uvow_value_none(), NULL);
  script_mark_t m = script_mark(&x.s, "");
  script_watch(uvow_stream_next(counts), &m);
  script_watch(uvow_stream_next(counts), &m);
  script_turns(&x.s);
  script_expect(&x.s, "=1 =2");
  uvow_stream_unref(counts);
  end(&x);
}

/* Another token: it's told so, and not let in. */
TEST_CASE(test_the_wrong_token) {
  ends_t x;
  start(&x, "home_assistant", "{\"token\":\"U\"}", "{\"token\":\"T\"}");
  ask(&x, "echo", NULL, "echo!EREMOTE:NOT");
  assert_int_equal(uvow_peer_state(x.server), UVOW_PEER_CLOSED);
  end(&x);
}

TEST_CASE(test_obs5) {
  ends_t x;
  start(&x, "obs5", NULL, NULL);
  ask(&x, "echo", "{\"a\":1}", "echo={\"a\":1}");
  ask(&x, "no", NULL, "no!EREMOTE:ANSWERED");
  uvow_stream_t *events = uvow_peer_events(x.s.client, "Changed");
  script_mark_t m = script_mark(&x.s, "");
  script_watch(uvow_stream_next(events), &m);
  assert_int_equal(uvow_peer_notifyf(x.server, "Changed", "{s:i}", "b", 2), 0);
  script_turns(&x.s);
  script_expect(&x.s, "={\"b\":2}");
  uvow_stream_unref(events);
  end(&x);
}

/* Both know the password; the client doesn't; it has another one. */
TEST_CASE(test_obs5_password) {
  ends_t x;
  start(&x, "obs5", "{\"password\":\"p\"}", "{\"password\":\"p\"}");
  ask(&x, "echo", "{\"a\":1}", "echo={\"a\":1}");
  end(&x);
  start(&x, "obs5", "{\"password\":\"q\"}", "{\"password\":\"p\"}");
  ask(&x, "echo", NULL, "echo!ECLOSED:NOT");
  assert_int_equal(uvow_peer_state(x.server), UVOW_PEER_CLOSED);
  end(&x);
  start(&x, "obs5", NULL, "{\"password\":\"p\"}");
  ask(&x, "echo", NULL, "echo!EINVAL:NOT");
  end(&x);
  start(&x, "obs5", "{\"password\":\"p\"}", NULL);
  ask(&x, "echo", "{}", "echo={}");
  end(&x);
}

/* One that is what the server's is, one that isn't, and no one. */
TEST_CASE(test_graphql_secret) {
  ends_t x;
  start(&x, "graphql_transport_ws", "{\"secret\":{\"token\":\"T\"}}",
        "{\"secret\":{\"token\":\"T\"}}");
  script_turns(&x.s);
  assert_int_equal(uvow_peer_state(x.s.client), UVOW_PEER_OPEN);
  end(&x);
  start(&x, "graphql_transport_ws", "{\"secret\":{\"token\":\"U\"}}",
        "{\"secret\":{\"token\":\"T\"}}");
  script_turns(&x.s);
  assert_int_equal(uvow_peer_state(x.server), UVOW_PEER_CLOSED);
  end(&x);
  start(&x, "graphql_transport_ws", NULL, "{\"secret\":\"T\"}");
  script_turns(&x.s);
  assert_int_equal(uvow_peer_state(x.server), UVOW_PEER_CLOSED);
  end(&x);
}

TEST_CASE(test_graphql) {
  ends_t x;
  start(&x, "graphql_transport_ws", NULL, NULL);
  script_turns(&x.s);
  assert_int_equal(uvow_peer_state(x.s.client), UVOW_PEER_OPEN);
  end(&x);
}

/* What a server says wrongly ends nothing: codes are for who is connected to. */
TEST_CASE(test_graphql_client_goes_on) {
  static const char *const texts[] = {
      "{\"type\":\"connection_ack\"}", "nonsense", "{}",
      "{\"type\":\"connection_ack\"}", "{\"type\":\"connection_init\"}"};
  script_t s;
  uvow_channel_t a, b;
  uvow_peer_stats_t stats = {.size = sizeof(stats)};
  uvow_peer_options_t options = {.size = sizeof(options)};
  script_init(&s);
  options.protocol = uvow_protocol_by_name("graphql_transport_ws");
  assert_int_equal(uvow_channel_pair(s.loop, &a, &b), 0);
  uvow_peer_t *peer = uvow_peer_new(s.loop, a, &options);
  for (size_t i = 0; i < UVOW__COUNT(texts); i++)
    assert_int_equal(uvow_sink_push(b.out, uvow_value_text(texts[i])), 0);
  script_turns(&s);
  assert_int_equal(uvow_peer_state(peer), UVOW_PEER_OPEN);
  assert_int_equal(uvow_peer_get_stats(peer, &stats), 0);
  assert_int_equal(stats.malformed, 4);
  uvow_peer_unref(peer);
  uvow_stream_unref(b.in);
  uvow_sink_drop(b.out);
  script_end(&s);
}

/* The id of its only request, as it is written. */
static void written_id(script_t *s, const uvow_protocol_t *protocol, char *id,
                       size_t cap) {
  uvow_channel_t a, b;
  uvow_result_t result;
  const char *text;
  uvow_peer_options_t options = {.size = sizeof(options), .protocol = protocol};
  assert_int_equal(uvow_channel_pair(s->loop, &a, &b), 0);
  uvow_peer_t *peer = uvow_peer_new(s->loop, a, &options);
  script_mark_t m = script_mark(s, "");
  script_watch(uvow_peer_request(peer, "m", uvow_value_none()), &m);
  uvow_future_t *f = uvow_stream_next(b.in);
  script_turns(s);
  assert_int_equal(uvow_future_peek(f, &result), 0);
  assert_int_equal(uvow_result_get_text(&result, "/id", &text), 0);
  snprintf(id, cap, "%s", text);
  uvow_future_unref(f);
  uvow_peer_unref(peer);
  uvow_stream_unref(b.in);
  uvow_sink_drop(b.out);
  script_turns(s);
  script_expect(s, "!ECLOSED:MAYBE");
}

/* Clients that see each other's answers have ids of their own. */
TEST_CASE(test_random_ids) {
  static const char text[] =
      "{\"name\":\"r\",\"ids\":\"random\",\"call\":{\"id\":\"$id\"},"
      "\"rules\":[{\"is\":\"ok\",\"id\":\"/id\"}]}";
  uvow_protocol_t *protocol = uvow_protocol_parse(text, sizeof(text) - 1, NULL);
  script_t s;
  char ids[2][64];
  script_init(&s);
  for (size_t i = 0; i < 2; i++) {
    written_id(&s, protocol, ids[i], sizeof(ids[i]));
    assert_string_equal(ids[i] + strlen(ids[i]) - 2, "-1");
  }
  assert_string_not_equal(ids[0], ids[1]);
  uvow_protocol_unref(protocol);
  script_end(&s);
}

TEST_MODULE(both_roles) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_home_assistant),
      cmocka_unit_test(test_the_wrong_token),
      cmocka_unit_test(test_obs5),
      cmocka_unit_test(test_obs5_password),
      cmocka_unit_test(test_graphql),
      cmocka_unit_test(test_graphql_secret),
      cmocka_unit_test(test_graphql_client_goes_on),
      cmocka_unit_test(test_random_ids),
  };
  return cmocka_run_group_tests_name("rpc/both_roles", tests, NULL, NULL);
}
