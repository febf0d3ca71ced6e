/* Ten thousand connections on one loop: what each costs, and that all are
 * served. */
#include "load.h"

#include <stdio.h>
#include <stdlib.h>

#define AT_ONCE 100 /* handshakes */
#define ROUNDS 5    /* requests on each connection, all at the same time */

typedef struct crowd {
  load_app_t app;
  uvow_peer_t **clients;
  char url[64];
  size_t wanted;
  size_t begun;
  size_t open;
  size_t answered;
  int done;
} crowd_t;

static void begin_some(crowd_t *crowd);

static void on_ready(const uvow_result_t *result, void *data) {
  crowd_t *crowd = (crowd_t *)data;
  if (result->error && crowd->app.wrong++ == 0)
    load_say("%s", uvow_error_message(result->error));
  crowd->done = ++crowd->open == crowd->wanted;
  begin_some(crowd);
}

static void begin_some(crowd_t *crowd) {
  uvow_peer_options_t options = {.size = sizeof(options)};
  uvow_websocket_options_t websocket = {.size = sizeof(websocket)};
  options.websocket = &websocket;
  options.protocol = uvow_protocol_by_name("jsonrpc2");
  websocket.connect_timeout_ms = 60000;
  while (crowd->begun < crowd->wanted && crowd->begun < crowd->open + AT_ONCE) {
    uvow_peer_t **client = &crowd->clients[crowd->begun++];
    *client = uvow_peer_connect(crowd->app.loop, crowd->url, &options);
    load_must(*client ? 0 : UVOW_ENOMEM, "client");
    crowd->app.wrong +=
        uvow_future_done(uvow_peer_ready(*client), on_ready, crowd) != 0;
  }
}

static void on_answer(const uvow_result_t *result, void *data) {
  crowd_t *crowd = (crowd_t *)data;
  crowd->app.wrong += result->error != NULL;
  crowd->done = ++crowd->answered == crowd->wanted;
}

static void ask_all(crowd_t *crowd) {
  crowd->answered = 0;
  crowd->done = 0;
  for (size_t i = 0; i < crowd->wanted; i++)
    crowd->app.wrong +=
        uvow_future_done(
            uvow_peer_request(crowd->clients[i], "echo", uvow_value_raw("[1]")),
            on_answer, crowd) != 0;
  load_run_until(&crowd->app, &crowd->done);
}

static void run(crowd_t *crowd) {
  size_t before = crowd->app.memory.bytes;
  uint64_t start = uv_hrtime();
  begin_some(crowd);
  load_run_until(&crowd->app, &crowd->done);
  uint64_t open_ms = load_ms(start);
  ask_all(crowd); /* warm: buffers are there */
  size_t bytes = (crowd->app.memory.bytes - before) / crowd->wanted;
  start = uv_hrtime();
  for (int i = 0; i < ROUNDS; i++)
    ask_all(crowd);
  uint64_t asked_ms = load_ms(start);
  load_say(
      "%zu connections: open after %llu ms; %zu bytes each; %d requests "
      "on each, all at once: %.2f us a request",
      crowd->wanted, (unsigned long long)open_ms, bytes, ROUNDS,
      (double)asked_ms * 1e3 / (double)crowd->wanted / ROUNDS);
}

void load_crowd(const load_options_t *options) {
  static crowd_t crowd;
  load_peer_t peer;
  size_t files = load_raise_files();
  if (files < options->connections + 64) {
    load_skip("connections on one loop",
              "the system allows this process too few open files");
    return;
  }
  load_peer_start(&peer);
  load_app_init(&crowd.app);
  crowd.wanted = options->connections;
  crowd.clients = (uvow_peer_t **)calloc(crowd.wanted, sizeof(void *));
  load_must(crowd.clients ? 0 : UVOW_ENOMEM, "clients");
  snprintf(crowd.url, sizeof(crowd.url), "ws://127.0.0.1:%u/", peer.port);
  run(&crowd);
  for (size_t i = 0; i < crowd.begun; i++)
    uvow_peer_unref(crowd.clients[i]);
  load_app_done(&crowd.app);
  free(crowd.clients);
  load_peer_stop(&peer);
  load_case("connections on one loop", crowd.app.wrong);
}
