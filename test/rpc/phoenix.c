/* Phoenix' payloads of bytes, from a client to a server and back: a request, its
 * answer, an error, what is pushed, and a queue that isn't connected yet. */
#include "rpc/peer.h"

#include "support/serve.h"
#include "support/script.h"

#include <stdio.h>

#define FILE_JSON "{\"$binary\":\"AAH/aGk=\"}"

typedef struct scene {
  script_t s; /* first */
  uvow_server_t *server;
  uvow_peer_t *client;
  uvow_peer_t *room;
  script_mark_t heard;
} scene_t;

static void log_bytes(scene_t *x, const char *name,
                      const uvow_result_t *params) {
  char line[64];
  uvow_slice_t base64;
  assert_int_equal(uvow_result_get_slice(params, "/$binary", &base64), 0);
  snprintf(line, sizeof(line), "%.*s", (int)base64.len, base64.bytes);
  script_log(&x->s, name, line);
}

static uvow_next_t on_file(uvow_call_t *call, const uvow_result_t *params,
                           void *data) {
  scene_t *x = (scene_t *)data;
  script_log(&x->s, "session:", uvow_call_session(call));
  log_bytes(x, "file:", params);
  assert_int_equal(
      uvow_peer_notify(uvow_call_peer(call), "got", uvow_value_raw(FILE_JSON)),
      0);
  return uvow_next_pass();
}

static uvow_next_t on_bad(uvow_call_t *call, const uvow_result_t *params,
                          void *data) {
  (void)params, (void)data;
  return uvow_next_error(uvow_error_new_peer(uvow_call_loop(call), 1, "no",
                                             FILE_JSON, strlen(FILE_JSON)));
}

static uvow_next_t on_event(uvow_call_t *call, const uvow_result_t *params,
                            void *data) {
  scene_t *x = (scene_t *)data;
  log_bytes(x, uvow_call_method(call), params);
  x->heard.done = 1;
  return uvow_next_none();
}

static void start(scene_t *x) {
  char url[64];
  memset(x, 0, sizeof(*x));
  script_init(&x->s);
  test_serve_t options = test_serve_options();
  options.peer.protocol = uvow_protocol_by_name("phoenix2");
  options.peer.methods = uvow_methods_new(x->s.loop);
  assert_int_equal(uvow_methods_add(options.peer.methods, "file", on_file, x),
                   0);
  assert_int_equal(uvow_methods_add(options.peer.methods, "bad", on_bad, x), 0);
  assert_int_equal(test_serve(x->s.loop, &options, &x->server), 0);
  uvow_methods_unref(options.peer.methods);
  test_connect_t client = test_connect_options(options.peer.protocol);
  snprintf(url, sizeof(url), "ws://127.0.0.1:%u/",
           (unsigned)uvow_server_port(x->server));
  client.url = url;
  client.peer.methods = uvow_methods_new(x->s.loop);
  assert_int_equal(uvow_methods_add(client.peer.methods, "got", on_event, x),
                   0);
  assert_int_equal(test_connect(x->s.loop, &client, &x->client), 0);
  uvow_methods_unref(client.peer.methods);
  x->room = uvow_peer_within(x->client, "{s:s,s:s}", "topic", "room:1",
                             "join_ref", "1");
  assert_non_null(x->room);
}

static void end(scene_t *x) {
  uvow_peer_unref(x->room);
  uvow_peer_unref(x->client);
  uvow_server_free(x->server);
  script_end(&x->s);
}

TEST_CASE(test_bytes) {
  scene_t x;
  start(&x);
  script_mark_t file = script_mark(&x.s, "file");
  script_watch(uvow_peer_request(x.room, "file", uvow_value_raw(FILE_JSON)),
               &file);
  script_until(&x.s, &file.done);
  script_until(&x.s, &x.heard.done);
  script_expect(&x.s,
                "session:{\"join_ref\":\"1\",\"topic\":\"room:1\"} "
                "file:\"AAH/aGk=\" got\"AAH/aGk=\" file=" FILE_JSON);
  script_mark_t bad = script_mark(&x.s, "bad");
  script_watch(uvow_peer_request(x.room, "bad", uvow_value_raw(FILE_JSON)),
               &bad);
  script_until(&x.s, &bad.done);
  script_expect(&x.s, "bad!EREMOTE:ANSWERED");
  end(&x);
}

/* Bytes that aren't base64 are the caller's own fault. */
TEST_CASE(test_no_bytes) {
  scene_t x;
  start(&x);
  script_mark_t file = script_mark(&x.s, "file");
  script_watch(
      uvow_peer_request(x.room, "file", uvow_value_raw("{\"$binary\":\"*\"}")),
      &file);
  script_until(&x.s, &file.done);
  script_expect(&x.s, "file!EINVAL:NOT");
  end(&x);
}

TEST_MODULE(phoenix) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_bytes),
      cmocka_unit_test(test_no_bytes),
  };
  return cmocka_run_group_tests_name("rpc/phoenix", tests, NULL, NULL);
}
