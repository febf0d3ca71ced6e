/*
 * An hour's worth of disconnects, one a second, in a row: through a proxy that
 * cuts connections at random. Every request must settle once, truthfully; what
 * isn't idempotent may not be executed twice; memory must be flat.
 */
#include "load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proxy.h"

#define IN_FLIGHT 64 /* requests that are kept going */
#define PARTS 10     /* of the run, to compare their memory */

typedef struct cuts {
  load_app_t app;
  proxy_t proxy;
  uvow_server_t *server;
  uvow_peer_t *client;
  uint8_t *executed; /* how often, by the request's number; up to 255 */
  size_t cap;
  size_t made;
  size_t settled;
  size_t outcomes[4]; /* of errors */
  size_t fulfilled;
  size_t twice; /* executed more than once: idempotent ones */
  size_t wanted;
  int stop;
  int done;
} cuts_t;

typedef struct ask {
  cuts_t *cuts;
  size_t number;
  int idempotent;
  int settled;
} ask_t;

static void make_one(cuts_t *cuts);

static uvow_next_t execute(uvow_call_t *call, const uvow_result_t *params,
                           void *data) {
  cuts_t *cuts = (cuts_t *)data;
  size_t number = 0;
  (void)call;
  uvow_slice_t text = uvow_result_bytes(params);
  for (size_t i = 1; text.bytes && i + 1 < text.len; i++)
    number = number * 10 + (size_t)(text.bytes[i] - '0');
  if (number < cuts->cap && cuts->executed[number] < 255)
    cuts->executed[number]++;
  else
    cuts->app.wrong++;
  return uvow_next_value(uvow_value_int64((int64_t)number));
}

/* Whether what the future says is what happened. */
static int is_truthful(const ask_t *ask, const uvow_result_t *result) {
  unsigned executed = ask->cuts->executed[ask->number];
  char expected[24];
  if (!ask->idempotent && executed > 1)
    return 0;
  if (result->error)
    return uvow_error_outcome(result->error) != UVOW_NOT_SENT || executed == 0;
  uvow_slice_t text = uvow_result_bytes(result);
  snprintf(expected, sizeof(expected), "%zu", ask->number);
  return executed > 0 && text.bytes && text.len == strlen(expected) &&
         memcmp(text.bytes, expected, text.len) == 0;
}

static void on_settled(const uvow_result_t *result, void *data) {
  ask_t *ask = (ask_t *)data;
  cuts_t *cuts = ask->cuts;
  cuts->app.wrong += !is_truthful(ask, result);
  cuts->app.wrong += ask->settled++ != 0;
  cuts->settled++;
  cuts->twice += cuts->executed[ask->number] > 1;
  if (result->error)
    cuts->outcomes[uvow_error_outcome(result->error)]++;
  else
    cuts->fulfilled++;
  free(ask);
  cuts->stop |= cuts->proxy.cuts >= cuts->wanted || cuts->made >= cuts->cap;
  if (!cuts->stop)
    make_one(cuts);
  cuts->done = cuts->settled == cuts->made;
}

static void make_one(cuts_t *cuts) {
  uvow_request_options_t options = {.size = sizeof(options)};
  char params[32];
  ask_t *ask = (ask_t *)calloc(1, sizeof(*ask));
  load_must(ask ? 0 : UVOW_ENOMEM, "request");
  ask->cuts = cuts;
  ask->number = cuts->made++;
  ask->idempotent = options.idempotent = ask->number % 2 == 0;
  options.timeout_ms = ask->number % 7 == 0 ? 5 : 5000;
  int len = snprintf(params, sizeof(params), "[%zu]", ask->number);
  cuts->app.wrong +=
      uvow_future_done(
          uvow_peer_request_with(
              cuts->client, "execute",
              uvow_value_slice(&(uvow_slice_t){params, (size_t)len}), &options),
          on_settled, ask) != 0;
}

static void start(cuts_t *cuts, const load_options_t *options) {
  uvow_listener_options_t listener = {.size = sizeof(listener)};
  uvow_peer_options_t server = {.size = sizeof(server)};
  uvow_peer_options_t client = {.size = sizeof(client)};
  uvow_websocket_options_t websocket = {.size = sizeof(websocket)};
  uvow_reconnect_options_t reconnect = {.size = sizeof(reconnect)};
  char url[64];
  load_app_init(&cuts->app);
  server.protocol = client.protocol = uvow_protocol_by_name("jsonrpc2");
  server.methods = uvow_methods_new(cuts->app.loop);
  load_must(uvow_methods_add(server.methods, "execute", execute, cuts),
            "method");
  cuts->server =
      uvow_server_new(uvow_listener_new(cuts->app.loop, &listener), &server);
  load_must(cuts->server ? 0 : UVOW_ENOMEM, "server");
  uvow_methods_unref(server.methods);
  load_must(proxy_start(&cuts->proxy, &cuts->app.uv,
                        uvow_server_port(cuts->server), options->seed),
            "proxy");
  snprintf(url, sizeof(url), "ws://127.0.0.1:%u/", cuts->proxy.port);
  reconnect.base_ms = 1;
  reconnect.max_ms = 10;
  client.websocket = &websocket;
  client.reconnect = &reconnect;
  websocket.ping_ms = 20;
  websocket.dead_ms = 60;
  client.max_in_flight = IN_FLIGHT / 2;
  cuts->client = uvow_peer_connect(cuts->app.loop, url, &client);
  load_must(cuts->client ? 0 : UVOW_ENOMEM, "client");
}

/* The most memory of each part of the run. */
static void run(cuts_t *cuts, size_t peaks[PARTS]) {
  size_t part = 0;
  cuts->app.memory.peak = 0;
  for (int i = 0; i < IN_FLIGHT; i++)
    make_one(cuts);
  while (!cuts->done) {
    if (!uv_run(&cuts->app.uv, UV_RUN_ONCE) && !cuts->done) {
      cuts->app.wrong++;
      return;
    }
    if (part < PARTS && cuts->proxy.cuts >= (part + 1) * cuts->wanted / PARTS) {
      peaks[part++] = cuts->app.memory.peak;
      cuts->app.memory.peak = cuts->app.memory.bytes;
    }
  }
}

static void report(cuts_t *cuts, const size_t peaks[PARTS], uint64_t ms) {
  uvow_peer_stats_t stats = {.size = sizeof(stats)};
  uvow_peer_get_stats(cuts->client, &stats);
  load_say(
      "%zu cuts in %llu ms: %zu requests; %zu answered, %zu not sent, %zu "
      "maybe executed, %zu refused by the server",
      cuts->proxy.cuts, (unsigned long long)ms, cuts->made, cuts->fulfilled,
      cuts->outcomes[UVOW_NOT_SENT], cuts->outcomes[UVOW_MAYBE_EXECUTED],
      cuts->outcomes[UVOW_ANSWERED]);
  load_say(
      "%llu connections, %llu lost; %llu sent again, of which %zu were "
      "executed twice or more: all idempotent",
      (unsigned long long)stats.connected, (unsigned long long)stats.lost,
      (unsigned long long)stats.resent, cuts->twice);
  load_say("memory at most: %zu KiB in the second tenth, %zu KiB in the last",
           peaks[1] / 1024, peaks[PARTS - 1] / 1024);
  cuts->app.wrong += stats.pending + cuts->outcomes[UVOW_ANSWERED];
  cuts->app.wrong += stats.requests != stats.answered + stats.timed_out +
                                           stats.canceled + stats.failed;
  cuts->app.wrong += cuts->made != cuts->settled;
  cuts->app.wrong +=
      peaks[PARTS - 1] > peaks[1] + peaks[1] / 4 + (size_t)64 * 1024;
}

void load_cuts(const load_options_t *options) {
  static cuts_t cuts;
  size_t peaks[PARTS] = {0};
  cuts.wanted = options->cuts;
  cuts.cap = 20000000;
  cuts.executed = (uint8_t *)calloc(cuts.cap, 1);
  load_must(cuts.executed ? 0 : UVOW_ENOMEM, "requests");
  start(&cuts, options);
  uint64_t begun = uv_hrtime();
  run(&cuts, peaks);
  report(&cuts, peaks, load_ms(begun));
  uvow_peer_unref(cuts.client);
  uvow_server_free(cuts.server);
  proxy_stop(&cuts.proxy);
  load_app_done(&cuts.app);
  cuts.app.wrong += cuts.proxy.open;
  free(cuts.executed);
  load_case("connections that are cut", cuts.app.wrong);
}
