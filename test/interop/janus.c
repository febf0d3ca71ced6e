/*
 * A client of Janus, a WebRTC server: ids that are text, an acknowledgement
 * before the answer, or as the answer.
 */
#include "support/interop.h"

#include <stdio.h>

/* Of its plugins and transports, the two that are needed. */
static char *run_on(interop_t *it, int port) {
  char path[FOLDER_PATH];
  char text[1024];
  const folder_t *folder = interop_folder(it);
  const char *args[] = {"janus", "-F", folder->path, NULL};
  snprintf(text, sizeof(text),
           "general: { configs_folder = \"%s\"; debug_colors = false }\n"
           "plugins: { disable = \"libjanus_audiobridge.so,"
           "libjanus_recordplay.so,libjanus_sip.so,libjanus_nosip.so,"
           "libjanus_streaming.so,libjanus_textroom.so,libjanus_videocall.so,"
           "libjanus_videoroom.so,libjanus_voicemail.so,libjanus_lua.so,"
           "libjanus_duktape.so\" }\n"
           "transports: { disable = \"libjanus_http.so,libjanus_mqtt.so,"
           "libjanus_nanomsg.so,libjanus_pfunix.so,libjanus_rabbitmq.so\" }\n",
           folder->path);
  folder_file(folder, "janus.jcfg", text, path);
  snprintf(text, sizeof(text),
           "general: { json = \"compact\"; ws = true; ws_ip = \"127.0.0.1\"; "
           "ws_port = %d }\nadmin: { admin_ws = false }\n",
           port);
  folder_file(folder, "janus.transport.websockets.jcfg", text, path);
  interop_run(it, args);
  return interop_line(it, "Websockets server started ");
}

static interop_t *start(void **state) {
  static const char *const subprotocol = "janus-protocol";
  interop_t *it = (interop_t *)*state;
  char url[64];
  char *line = NULL;
  interop_need("janus");
  uvow_protocol_t *protocol = interop_described("janus");
  for (int tries = 0; !line; tries++) {
    int port = interop_free_port(it);
    snprintf(url, sizeof(url), "ws://127.0.0.1:%d/", port);
    line = run_on(it, port);
    if (!line && tries == 10)
      fail_msg("janus ended: %s", it->log);
  }
  free(line);
  test_connect_t options = interop_options(it, url, protocol);
  options.websocket.subprotocols = &subprotocol;
  options.websocket.subprotocol_count = 1;
  interop_connect_with(it, &options);
  uvow_protocol_unref(protocol);
  return it;
}

static json_int_t id_in(answer_t *answer) {
  interop_wait(answer);
  assert_int_equal(answer->code, 0);
  json_t *data = json_object_get(answer->json, "data");
  json_int_t id = json_integer_value(json_object_get(data, "id"));
  assert_true(id > 0);
  return id;
}

static json_int_t attach(interop_t *it, json_int_t session) {
  return id_in(interop_ask(it, "attach",
                           json_pack("{sI, ss}", "session_id", session,
                                     "plugin", "janus.plugin.echotest")));
}

static json_t *echo_of(json_int_t session, json_int_t handle, int audio) {
  return json_pack("{sI, sI, s{sb}}", "session_id", session, "handle_id",
                   handle, "body", "audio", audio);
}

static void count_partials(const uvow_result_t *partial, void *data) {
  const char *kind = "";
  uvow_result_get_text(partial, "/janus", &kind);
  assert_string_equal(kind, "ack");
  ++*(int *)data;
}

/* An acknowledgement, and later the answer, which is an event. */
static void a_plugin_answers_later(void **state) {
  enum { COUNT = 20 };
  interop_t *it = start(state);
  uvow_request_options_t options = {0};
  answer_t *answers[COUNT];
  int acks = 0;
  json_int_t session = id_in(interop_ask(it, "create", json_object()));
  json_int_t handle = attach(it, session);
  options.size = sizeof(options);
  options.on_partial = count_partials;
  options.partial_data = &acks;
  for (int i = 0; i < COUNT; i++)
    answers[i] = interop_ask_with(it, "message",
                                  echo_of(session, handle, i % 2), &options);
  for (int i = 0; i < COUNT; i++) {
    interop_wait(answers[i]);
    assert_int_equal(answers[i]->code, 0);
    json_t *data = json_object_get(answers[i]->json, "data");
    assert_string_equal(json_string_value(json_object_get(data, "result")),
                        "ok");
  }
  assert_in_range(acks, 1, COUNT); /* some come behind their answers */
  interop_finish(it);
}

/* A keepalive is only ever acknowledged. */
static void an_acknowledgement_is_an_answer(void **state) {
  interop_t *it = start(state);
  uvow_request_options_t options = {0};
  options.size = sizeof(options);
  options.first_is_last = 1;
  json_int_t session = id_in(interop_ask(it, "create", json_object()));
  answer_t *alive = interop_ask_with(
      it, "keepalive", json_pack("{sI}", "session_id", session), &options);
  interop_wait(alive);
  assert_int_equal(alive->code, 0);
  assert_string_equal(json_string_value(json_object_get(alive->json, "janus")),
                      "ack");
  interop_stats(it);
  interop_finish(it);
}

static void errors_and_events(void **state) {
  interop_t *it = start(state);
  json_int_t session = id_in(interop_ask(it, "create", json_object()));
  answer_t *refused =
      interop_ask(it, "attach",
                  json_pack("{sI, ss}", "session_id", session, "plugin", "no"));
  assert_rejected(refused, UVOW_EREMOTE, UVOW_ANSWERED);
  assert_int_equal(uvow_error_peer_code(refused->error), 460);
  uvow_stream_t *detached = uvow_peer_events(it->client, "detached");
  json_int_t handle = attach(it, session);
  answer_t *gone = interop_ask(
      it, "detach",
      json_pack("{sI, sI}", "session_id", session, "handle_id", handle));
  answer_t *event = interop_next(it, detached);
  interop_wait(event);
  interop_wait(gone);
  assert_int_equal(gone->code, 0);
  assert_true(json_integer_value(json_object_get(event->json, "sender")) ==
              handle);
  uvow_stream_unref(detached);
  interop_finish(it);
}

#define TEST(name)                                                             \
  cmocka_unit_test_setup_teardown(name, interop_setup, interop_teardown)

TEST_MODULE(janus) {
  const struct CMUnitTest tests[] = {
      TEST(a_plugin_answers_later),
      TEST(an_acknowledgement_is_an_answer),
      TEST(errors_and_events),
  };
  return cmocka_run_group_tests_name("interop/janus", tests, NULL, NULL);
}
