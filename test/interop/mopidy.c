/*
 * A client of Mopidy, a music server: JSON-RPC 2.0, whose events are of another
 * shape, which one rule more reads.
 */
#include "support/interop.h"

#include <stdio.h>

static char *run_on(interop_t *it, int port) {
  char config[FOLDER_PATH];
  char options[4][FOLDER_PATH];
  static const char *const folders[] = {"core/data_dir", "core/cache_dir",
                                        "core/config_dir"};
  const folder_t *folder = interop_folder(it);
  const char *args[] = {"mopidy",
                        "--config",
                        folder_file(folder, "mopidy.conf", "", config),
                        "-o",
                        options[0],
                        "-o",
                        options[1],
                        "-o",
                        options[2],
                        "-o",
                        options[3],
                        "-o",
                        "http/hostname=127.0.0.1",
                        "-o",
                        "audio/output=fakesink",
                        "-o",
                        "file/enabled=false",
                        "-o",
                        "m3u/enabled=false",
                        "-o",
                        "stream/enabled=false",
                        NULL};
  for (int i = 0; i < 3; i++)
    snprintf(options[i], sizeof(options[i]), "%.60s=%.200s/%d", folders[i],
             folder->path, i);
  snprintf(options[3], sizeof(options[3]), "http/port=%d", port);
  interop_run(it, args);
  return interop_line(it, "HTTP server running at ");
}

static void run_mopidy(interop_t *it, char *url, size_t size) {
  char *line = NULL;
  for (int tries = 0; !line; tries++) {
    int port = interop_free_port(it);
    snprintf(url, size, "ws://127.0.0.1:%d/mopidy/ws", port);
    line = run_on(it, port);
    if (!line && tries == 10)
      fail_msg("mopidy ended: %s", it->log);
  }
  free(line);
}

static interop_t *start(void **state) {
  interop_t *it = (interop_t *)*state;
  char url[64];
  interop_need("mopidy");
  uvow_protocol_t *protocol = interop_described("mopidy");
  run_mopidy(it, url, sizeof(url));
  interop_connect_again(it, url, protocol);
  uvow_protocol_unref(protocol);
  return it;
}

static void set_volume(interop_t *it, int volume) {
  answer_t *set =
      interop_ask(it, "core.mixer.set_volume", json_pack("[i]", volume));
  interop_wait(set);
  assert_int_equal(set->code, 0);
}

static void it_answers(void **state) {
  interop_t *it = start(state);
  answer_t *all = interop_ask(it, "core.describe", NULL);
  set_volume(it, 30);
  assert_number(interop_ask(it, "core.mixer.get_volume", NULL), 30);
  assert_text(interop_ask(it, "core.playback.get_state", NULL), "stopped");
  answer_t *unknown = interop_ask(it, "core.none", NULL);
  assert_rejected(unknown, UVOW_EREMOTE, UVOW_ANSWERED);
  assert_int_equal(uvow_error_peer_code(unknown->error), -32601);
  interop_wait(all);
  assert_true(json_object_size(
                  json_object_get(all->json, "core.mixer.get_volume")) > 0);
  interop_finish(it);
}

static void assert_volume(answer_t *event, int volume) {
  interop_wait(event);
  assert_int_equal(event->code, 0);
  assert_int_equal(json_integer_value(json_object_get(event->json, "volume")),
                   volume);
}

/* Nothing is asked for: they come, on each connection. */
static void events_go_on_over_a_restart(void **state) {
  interop_t *it = start(state);
  char url[64];
  uvow_stream_t *volumes = uvow_peer_events(it->client, "volume_changed");
  set_volume(it, 40);
  assert_volume(interop_next(it, volumes), 40);
  interop_down(it);
  run_mopidy(it, url, sizeof(url));
  interop_up(it, url);
  set_volume(it, 41);
  assert_volume(interop_next(it, volumes), 41);
  assert_int_equal(interop_stats(it).connected, 2);
  uvow_stream_unref(volumes);
  interop_finish(it);
}

#define TEST(name)                                                             \
  cmocka_unit_test_setup_teardown(name, interop_setup, interop_teardown)

TEST_MODULE(mopidy) {
  const struct CMUnitTest tests[] = {
      TEST(it_answers),
      TEST(events_go_on_over_a_restart),
  };
  return cmocka_run_group_tests_name("interop/mopidy", tests, NULL, NULL);
}
