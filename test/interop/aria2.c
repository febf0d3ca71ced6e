/*
 * A client of aria2c: JSON-RPC 2.0, with notifications.
 */
#include "support/interop.h"

#include <stdio.h>

static void run_aria2(interop_t *it, int port) {
  char listen[32];
  char watch[48];
  const char *args[] = {"aria2c",
                        "--enable-rpc",
                        "--no-conf",
                        "--no-netrc",
                        "--disable-ipv6",
                        "--enable-color=false",
                        "--summary-interval=0",
                        "--show-console-readout=false",
                        "--max-tries=1",
                        "--dry-run", /* it writes no file, whatever happens */
                        listen,
                        watch, /* it never outlives the test */
                        NULL};
  snprintf(listen, sizeof(listen), "--rpc-listen-port=%d", port);
  snprintf(watch, sizeof(watch), "--stop-with-process=%d", (int)uv_os_getpid());
  interop_run(it, args);
}

/* Starts aria2. */
static void start_aria2(interop_t *it, char *url, size_t size) {
  char *line = NULL;
  for (int tries = 0; !line; tries++) {
    int port = interop_free_port(it);
    snprintf(url, size, "ws://127.0.0.1:%d/jsonrpc", port);
    run_aria2(it, port);
    line = interop_line(it, "IPv4 RPC: listening on TCP port ");
    /* Another program may have been faster to take it: that alone is no
     * reason to fail. */
    if (!line && (tries == 10 || !strstr(it->log, "failed to bind TCP port")))
      fail_msg("aria2c ended: %s", it->log);
  }
  free(line);
}

/* Starts aria2 and connects. */
static interop_t *aria2(void **state) {
  interop_t *it = (interop_t *)*state;
  char url[64];
  start_aria2(it, url, sizeof(url));
  interop_connect(it, url, uvow_protocol_by_name("jsonrpc2"));
  return it;
}

/* Asks for the status of a download that isn't there: the refusal names it. */
static answer_t *ask_status(interop_t *it, unsigned number) {
  char gid[20];
  snprintf(gid, sizeof(gid), "%016x", number);
  return interop_ask(it, "aria2.tellStatus", json_pack("[s]", gid));
}

static void assert_no_status(answer_t *answer, unsigned number) {
  char message[64];
  snprintf(message, sizeof(message), "GID %016x is not found", number);
  assert_rejected(answer, UVOW_EREMOTE, UVOW_ANSWERED);
  assert_int_equal(uvow_error_peer_code(answer->error), 1);
  assert_string_equal(uvow_error_peer_message(answer->error), message);
}

static void it_tells_its_version_and_methods(void **state) {
  interop_t *it = aria2(state);
  answer_t *version = interop_ask(it, "aria2.getVersion", NULL);
  answer_t *methods = interop_ask(it, "system.listMethods", NULL);
  interop_wait(version);
  interop_wait(methods);
  assert_int_equal(version->code, 0);
  assert_true(json_is_string(json_object_get(version->json, "version")));
  assert_int_equal(methods->code, 0);
  size_t i;
  json_t *name;
  int found = 0;
  json_array_foreach(methods->json, i, name) found +=
      strcmp(json_string_value(name), "aria2.addUri") == 0;
  assert_int_equal(found, 1);
  assert_int_equal(interop_stats(it).answered, 2);
  interop_finish(it);
}

static void a_refusal_rejects(void **state) {
  interop_t *it = aria2(state);
  answer_t *unknown = interop_ask(it, "aria2.noSuch", NULL);
  answer_t *missing = interop_ask(it, "aria2.tellStatus", NULL);
  assert_rejected(unknown, UVOW_EREMOTE, UVOW_ANSWERED);
  assert_int_equal(uvow_error_peer_code(unknown->error), 1);
  assert_string_equal(uvow_error_peer_message(unknown->error),
                      "No such method: aria2.noSuch");
  assert_rejected(missing, UVOW_EREMOTE, UVOW_ANSWERED);
  assert_int_equal(uvow_error_peer_code(missing->error), 1);
  assert_string_equal(uvow_error_message(missing->error),
                      "The parameter at 0 is required but missing.");
  assert_no_status(ask_status(it, 7), 7);
  assert_int_equal(interop_stats(it).answered, 3);
  interop_finish(it);
}

static void a_multicall_answers_for_each(void **state) {
  interop_t *it = aria2(state);
  answer_t *answer =
      interop_ask(it, "system.multicall",
                  json_pack("[[{s:s}, {s:s, s:[s]}]]", "methodName",
                            "aria2.getVersion", "methodName",
                            "aria2.tellStatus", "params", "0000000000000007"));
  interop_wait(answer);
  assert_int_equal(answer->code, 0);
  assert_int_equal(json_array_size(answer->json), 2);
  json_t *version = json_array_get(json_array_get(answer->json, 0), 0);
  assert_true(json_is_string(json_object_get(version, "version")));
  json_t *refused = json_array_get(answer->json, 1);
  assert_string_equal(json_string_value(json_object_get(refused, "message")),
                      "GID 0000000000000007 is not found");
  interop_finish(it);
}

static void a_thousand_get_their_own_answers(void **state) {
  enum { COUNT = 1000 };
  interop_t *it = aria2(state);
  answer_t *answers[COUNT];
  for (unsigned i = 0; i < COUNT; i++)
    answers[i] = i % 10 == 0 ? interop_ask(it, "aria2.getVersion", NULL)
                             : ask_status(it, i);
  for (unsigned i = 0; i < COUNT; i++)
    if (i % 10 == 0)
      interop_wait(answers[i]);
    else
      assert_no_status(answers[i], i);
  for (unsigned i = 0; i < COUNT; i += 10)
    assert_true(json_is_string(json_object_get(answers[i]->json, "version")));
  assert_int_equal(interop_stats(it).answered, COUNT);
  interop_finish(it);
}

/* aria2 takes a call without an id for a mistake, and says so to nobody. */
static void a_refused_notification_is_a_stray(void **state) {
  interop_t *it = aria2(state);
  interop_wait(interop_watch(it, uvow_peer_ready(it->client)));
  assert_int_equal(
      uvow_peer_notify(it->client, "aria2.getVersion", uvow_value_none()), 0);
  answer_t *after = interop_ask(it, "aria2.getVersion", NULL);
  interop_wait(after);
  assert_int_equal(after->code, 0);
  assert_int_equal(interop_stats(it).malformed, 1);
  assert_int_equal(interop_count(it, UVOW_STRAY_FAULT), 1);
  assert_non_null(strstr(it->heard->text, "\"id\":null"));
  interop_finish(it);
}

static void downloads_send_events(void **state) {
  interop_t *it = aria2(state);
  answer_t *add = interop_ask(it, "aria2.addUri",
                              json_pack("[[s]]", "http://127.0.0.1:1/none"));
  interop_wait(add);
  assert_int_equal(add->code, 0);
  interop_wait_heard(it, 2);
  const heard_t *start = interop_event(it, "aria2.onDownloadStart");
  const heard_t *error = interop_event(it, "aria2.onDownloadError");
  assert_non_null(start);
  assert_non_null(error);
  json_t *params = json_loads(error->text, 0, NULL);
  json_t *gid = json_object_get(json_array_get(params, 0), "gid");
  assert_string_equal(json_string_value(gid), json_string_value(add->json));
  json_decref(params);
  assert_int_equal(interop_stats(it).events, 2);
  interop_finish(it);
}

/* Its start, of this download alone: told before the answer that names it. */
static uvow_stream_t *follow_download(interop_t *it) {
  uvow_stream_t *stream = uvow_peer_subscribe(
      it->client, "aria2.addUri",
      uvow_value_raw("[[\"http://127.0.0.1:1/none\"]]"),
      UVOW_WITH(subscription, .event = "aria2.onDownloadStart", .key = "/0/gid",
                .item = "/0/gid"));
  assert_non_null(stream);
  return stream;
}

static void assert_gid(answer_t *item, char gid[20], uint64_t missed) {
  interop_wait(item);
  assert_int_equal(item->code, 0);
  assert_true(item->missed == missed);
  snprintf(gid, 20, "%s", json_string_value(item->json));
}

static void a_download_is_followed_over_a_restart(void **state) {
  interop_t *it = (interop_t *)*state;
  char url[64];
  char gids[4][20];
  start_aria2(it, url, sizeof(url));
  interop_connect_again(it, url, uvow_protocol_by_name("jsonrpc2"));
  uvow_stream_t *first = follow_download(it);
  uvow_stream_t *second = follow_download(it);
  assert_gid(interop_next(it, first), gids[0], 0);
  assert_gid(interop_next(it, second), gids[1], 0);
  interop_down(it);
  start_aria2(it, url, sizeof(url));
  interop_up(it, url);
  assert_gid(interop_next(it, second), gids[2], UVOW_MISSED_UNKNOWN);
  assert_gid(interop_next(it, first), gids[3], UVOW_MISSED_UNKNOWN);
  for (int i = 0; i < 4; i++)
    for (int j = 0; j < i; j++)
      assert_string_not_equal(gids[i], gids[j]);
  uvow_stream_unref(first);
  uvow_stream_unref(second);
  interop_finish(it);
}

/* Asks again as soon as it's answered, until it isn't. */
typedef struct pump {
  interop_t *it;
  size_t answered;
  uvow_error_t *error;
} pump_t;

static void pump(const uvow_result_t *result, void *data) {
  pump_t *p = (pump_t *)data;
  if (result->error) {
    p->error = uvow_error_ref(result->error);
    uv_stop(&p->it->uv);
    return;
  }
  p->answered++;
  (void)uvow_future_done(uvow_peer_request(p->it->client,
                                           "aria2.getSessionInfo",
                                           uvow_value_none()),
                         pump, p);
}

static void a_shutdown_rejects_what_is_pending(void **state) {
  interop_t *it = aria2(state);
  pump_t p = {it, 0, NULL};
  assert_text(interop_ask(it, "aria2.forceShutdown", NULL), "OK");
  uvow_future_t *f =
      uvow_peer_request(it->client, "aria2.getSessionInfo", uvow_value_none());
  assert_int_equal(uvow_future_done(f, pump, &p), 0);
  process_wait(&it->process);
  assert_int_equal(it->process.status, 0);
  while (!p.error && uv_run(&it->uv, UV_RUN_ONCE))
    ;
  assert_non_null(p.error);
  assert_int_equal(uvow_error_code(p.error), UVOW_ELOST);
  assert_int_equal(uvow_error_outcome(p.error), UVOW_MAYBE_EXECUTED);
  uvow_error_unref(p.error);
  uvow_peer_stats_t stats = interop_stats(it);
  assert_int_equal(stats.answered, p.answered + 1);
  assert_int_equal(stats.failed, 1);
  assert_rejected(ask_status(it, 1), UVOW_ELOST, UVOW_NOT_SENT);
  interop_finish(it);
}

static void no_other_path_is_a_websocket(void **state) {
  interop_t *it = aria2(state);
  char *port = interop_expect_line(it, "IPv4 RPC: listening on TCP port ");
  char url[64];
  snprintf(url, sizeof(url), "ws://127.0.0.1:%s/other", port);
  free(port);
  uvow_peer_unref(it->client);
  it->client = NULL;
  interop_connect(it, url, uvow_protocol_by_name("jsonrpc2"));
  answer_t *answer = interop_ask(it, "aria2.getVersion", NULL);
  assert_rejected(answer, UVOW_EHANDSHAKE, UVOW_NOT_SENT);
  assert_int_equal(uvow_error_status(answer->error), 404);
  interop_finish(it);
}

#define TEST(name)                                                             \
  cmocka_unit_test_setup_teardown(name, interop_setup, interop_teardown)

TEST_MODULE(aria2) {
  const struct CMUnitTest tests[] = {
      TEST(it_tells_its_version_and_methods),
      TEST(a_refusal_rejects),
      TEST(a_multicall_answers_for_each),
      TEST(a_thousand_get_their_own_answers),
      TEST(a_refused_notification_is_a_stray),
      TEST(downloads_send_events),
      TEST(a_download_is_followed_over_a_restart),
      TEST(a_shutdown_rejects_what_is_pending),
      TEST(no_other_path_is_a_websocket),
  };
  return cmocka_run_group_tests_name("interop/aria2", tests, NULL, NULL);
}
