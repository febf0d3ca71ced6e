/*
 * Servers of protocols that are built in, or that a file of
 * docs/examples/protocols describes for their server's side, for the clients
 * that npm has for them: each case is one of npm_clients.js, which knows what
 * must come.
 */
#include "support/interop.h"
#include "support/serve.h"

#include <stdio.h>

#include <openssl/evp.h>

typedef struct house {
  uvow_peer_t *first;  /* who is let in, or not */
  uvow_sink_t *events; /* who subscribed to Home Assistant's */
} house_t;

/* ---- methods ---- */

static uvow_next_t echo(uvow_call_t *call, const uvow_result_t *params,
                        void *data) {
  (void)call;
  (void)params;
  (void)data;
  return uvow_next_pass();
}

static uvow_next_t refuse(uvow_call_t *call, const uvow_result_t *params,
                          void *data) {
  (void)params;
  (void)data;
  return uvow_next_error(uvow_error_new_peer(uvow_call_loop(call), 404,
                                             "no such \"field\"", NULL, 0));
}

/* Bytes 0, 1 and 255 are the reason. */
static uvow_next_t refuse_bytes(uvow_call_t *call, const uvow_result_t *params,
                                void *data) {
  static const char reason[] = "{\"$binary\":\"AAH/\"}";
  (void)params;
  (void)data;
  return uvow_next_error(uvow_error_new_peer(uvow_call_loop(call), 404, "no",
                                             reason, strlen(reason)));
}

static uvow_next_t agree(uvow_call_t *call, const uvow_result_t *params,
                         void *data) {
  (void)call;
  (void)params;
  (void)data;
  return uvow_next_value(uvow_value_raw("{}"));
}

/* ---- who is let in ---- */

static int says(const uvow_result_t *result, const char *pointer,
                const char *expected) {
  const char *text;
  return uvow_result_get_text(result, pointer, &text) == 0 &&
         strcmp(text, expected) == 0;
}

/* What obs-websocket's protocol makes of a password, a challenge and a salt. */
static void digest(const char *a, const char *b, char ret[64]) {
  unsigned char hash[EVP_MAX_MD_SIZE];
  unsigned len;
  char text[128];
  int text_len = snprintf(text, sizeof(text), "%s%s", a, b);
  assert_int_equal(
      EVP_Digest(text, (size_t)text_len, hash, &len, EVP_sha256(), NULL), 1);
  EVP_EncodeBlock((unsigned char *)ret, hash, (int)len);
}

static uvow_next_t look_at_password(const uvow_result_t *identify, void *data) {
  house_t *house = (house_t *)data;
  char secret[64];
  char expected[64];
  digest("secret", "SALT", secret);
  digest(secret, "CHALLENGE", expected);
  if (!says(identify, "/authentication", expected))
    return uvow_next_code(UVOW_EINVAL, "another password");
  uvow_peer_send(
      house->first,
      uvow_value_raw("{\"op\":2,\"d\":{\"negotiatedRpcVersion\":1}}"));
  return uvow_next_none();
}

static uvow_next_t ask_for_password(uvow_peer_t *first, void *data) {
  house_t *house = (house_t *)data;
  house->first = first;
  uvow_peer_send(
      first, uvow_value_raw("{\"op\":0,\"d\":{\"rpcVersion\":1,"
                            "\"authentication\":{\"challenge\":\"CHALLENGE\","
                            "\"salt\":\"SALT\"}}}"));
  return uvow_next_future(
      uvow_future_then(uvow_stream_first(uvow_peer_events(first, "identify")),
                       look_at_password, house));
}

/* ---- what is heard ---- */

static uvow_next_t shout(uvow_call_t *call, const uvow_result_t *params,
                         void *data) {
  assert_int_equal(uvow_peer_notify(uvow_call_peer(call), (const char *)data,
                                    uvow_result_keep(params)),
                   0);
  return uvow_next_value(uvow_value_raw("{}"));
}

/* Of Home Assistant: the answer comes first, then what the stream brings. */
static uvow_next_t subscribe_events(uvow_call_t *call,
                                    const uvow_result_t *params, void *data) {
  house_t *house = (house_t *)data;
  if (!says(params, "/event_type", "state_changed"))
    return uvow_next_code(UVOW_EINVAL, "which events?");
  uvow_stream_t *events =
      uvow_stream_new(uvow_call_loop(call), NULL, &house->events);
  return uvow_next_stream(events);
}

static uvow_next_t unsubscribe_events(uvow_call_t *call,
                                      const uvow_result_t *params, void *data) {
  house_t *house = (house_t *)data;
  (void)call;
  (void)params;
  uvow_sink_end(house->events);
  house->events = NULL;
  return uvow_next_none();
}

static uvow_next_t change_state(uvow_call_t *call, const uvow_result_t *params,
                                void *data) {
  const house_t *house = (const house_t *)data;
  const char *text = "";
  uvow_result_get_text(params, "/text", &text);
  uvow_sink_push(house->events,
                 uvow_value_jsonf(uvow_call_loop(call), "{s:s}", "text", text));
  return uvow_next_none();
}

/* A broadcast of Phoenix's: to a topic, whoever has joined it. data: the event.
 */
static uvow_next_t shout_in_lobby(uvow_call_t *call,
                                  const uvow_result_t *params, void *data) {
  uvow_peer_t *lobby =
      uvow_peer_within(uvow_call_peer(call), "{s:s}", "topic", "room:lobby");
  assert_non_null(lobby);
  assert_int_equal(
      uvow_peer_notify(lobby, (const char *)data, uvow_result_keep(params)), 0);
  uvow_peer_unref(lobby);
  return uvow_next_value(uvow_value_raw("{}"));
}

/* Partial answers, then the last. */
static uvow_next_t count(uvow_call_t *call, const uvow_result_t *params,
                         void *data) {
  int64_t to = 0;
  uvow_sink_t *sink;
  uvow_loop_t *loop = uvow_call_loop(call);
  uvow_stream_t *stream = uvow_stream_new(loop, NULL, &sink);
  (void)data;
  assert_non_null(stream);
  uvow_result_get_int64(params, "/0", &to);
  for (int64_t i = 1; i <= to; i++)
    uvow_sink_push(sink, uvow_value_jsonf(loop, "[I]", i));
  uvow_sink_end_value(sink, uvow_value_raw("[\"done\"]"));
  return uvow_next_stream(stream);
}

/* ---- cases ---- */

typedef struct entry {
  const char *name;
  uvow_method_cb cb;
  void *data; /* NULL: the house */
} entry_t;

static void run_case(interop_t *it, const char *protocol,
                     const char *subprotocol, const char *name,
                     uvow_opening_cb opening, const entry_t *entries) {
  char url[64];
  house_t house = {0};
  uvow_server_t *server;
  test_serve_t options = test_serve_options();
  interop_need_npm();
  uvow_protocol_t *own = uvow_protocol_by_name(protocol);
  if (!own)
    own = interop_described(protocol);
  options.listener.subprotocols = &subprotocol;
  options.listener.subprotocol_count = subprotocol ? 1 : 0;
  options.peer.protocol = own;
  options.peer.data = &house;
  options.peer.opening = opening;
  options.peer.vars = "{\"token\":\"T\",\"ha_version\":\"2026.1.0\"}";
  assert_int_equal(test_serve(it->loop, &options, &server), 0);
  uvow_protocol_unref(own);
  assert_int_equal(test_method(server, "echo", echo, NULL), 0);
  assert_int_equal(test_method(server, "fail", refuse, NULL), 0);
  for (; entries->name; entries++)
    assert_int_equal(test_method(server, entries->name, entries->cb,
                                 entries->data ? entries->data : &house),
                     0);
  snprintf(url, sizeof(url), "ws://127.0.0.1:%d/", uvow_server_port(server));
  interop_run_npm(it, "npm_clients.js", url, name);
  free(interop_expect_line(it, "passed"));
  process_wait(&it->process);
  interop_wait(interop_watch(it, uvow_server_close(server)));
  uvow_server_free(server);
  interop_finish(it);
}

static void phoenix(void **state) {
  static char news[] = "news";
  static char bytes[] = "bytes";
  const entry_t entries[] = {
      {"phx_join", agree, NULL},
      {"phx_leave", agree, NULL},
      {"shout", shout_in_lobby, news},
      {"shout_bytes", shout_in_lobby, bytes},
      {"refuse_bytes", refuse_bytes, NULL},
      {NULL, NULL, NULL},
  };
  run_case((interop_t *)*state, "phoenix2", NULL, "phoenix", NULL, entries);
}

static void obs(void **state) {
  static char name[] = "SceneTransitionStarted";
  const entry_t entries[] = {{"shout", shout, name}, {NULL, NULL, NULL}};
  run_case((interop_t *)*state, "obs5_server", "obswebsocket.json", "obs",
           ask_for_password, entries);
}

static void home_assistant(void **state) {
  const entry_t entries[] = {
      {"supported_features", agree, NULL},
      {"subscribe_events", subscribe_events, NULL},
      {"unsubscribe_events", unsubscribe_events, NULL},
      {"shout", change_state, NULL},
      {NULL, NULL, NULL},
  };
  run_case((interop_t *)*state, "home_assistant", NULL, "home_assistant", NULL,
           entries);
}

static void autobahn(void **state) {
  static char name[] = "shout";
  const entry_t entries[] = {
      {"count", count, NULL}, {"shout", shout, name}, {NULL, NULL, NULL}};
  run_case((interop_t *)*state, "wamp2_server", "wamp.2.json", "autobahn", NULL,
           entries);
}

#define TEST(name)                                                             \
  cmocka_unit_test_setup_teardown(name, interop_setup, interop_teardown)

TEST_MODULE(npm_dialects) {
  const struct CMUnitTest tests[] = {
      TEST(phoenix),
      TEST(obs),
      TEST(home_assistant),
      TEST(autobahn),
  };
  return cmocka_run_group_tests_name("interop/npm_dialects", tests, NULL, NULL);
}
