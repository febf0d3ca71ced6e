/* A million requests in flight on one connection: what each costs, in time and
 * memory, and that nothing of it stays. */
#include "load.h"

#include <stdio.h>
#include <string.h>

#define BATCH 10000 /* requests a turn */
#define FEW 1000    /* the same with so many, to compare */
#define RUNS 3

typedef struct flight {
  load_app_t app;
  uvow_peer_t *client;
  size_t wanted;
  size_t sent;
  size_t answered;
  int all_answered;
  int told; /* the server has said a number */
  int64_t number;
} flight_t;

static void send_some(flight_t *flight);

static void on_answer(const uvow_result_t *result, void *data) {
  flight_t *flight = (flight_t *)data;
  flight->app.wrong += result->error != NULL;
  flight->all_answered = ++flight->answered == flight->wanted;
}

static void on_drained(const uvow_result_t *result, void *data) {
  flight_t *flight = (flight_t *)data;
  flight->app.wrong += result->error != NULL;
  if (!result->error)
    send_some(flight);
}

static void on_number(const uvow_result_t *result, void *data) {
  flight_t *flight = (flight_t *)data;
  uvow_slice_t text = uvow_result_bytes(result);
  flight->told = 1;
  flight->number = 0;
  flight->app.wrong += text.bytes == NULL;
  for (size_t i = 0; text.bytes && i < text.len && text.bytes[i] >= '0' &&
                     text.bytes[i] <= '9';
       i++)
    flight->number = flight->number * 10 + (text.bytes[i] - '0');
}

static int64_t ask_number(flight_t *flight, const char *method) {
  flight->told = 0;
  flight->app.wrong +=
      uvow_future_done(
          uvow_peer_request(flight->client, method, uvow_value_none()),
          on_number, flight) != 0;
  load_run_until(&flight->app, &flight->told);
  return flight->number;
}

static void send_some(flight_t *flight) {
  size_t end = flight->sent + BATCH;
  for (; flight->sent < end && flight->sent < flight->wanted; flight->sent++)
    flight->app.wrong +=
        uvow_future_done(
            uvow_peer_request(flight->client, "hold", uvow_value_none()),
            on_answer, flight) != 0;
  if (flight->sent < flight->wanted)
    uvow_future_done(uvow_peer_room(flight->client), on_drained, flight);
}

typedef struct cost {
  double send_us;
  double answer_us;
  size_t client_bytes;
  size_t server_bytes;
  size_t peak;
} cost_t;

/* Sends so many, waits until the server holds all, lets it answer. */
static void measure(flight_t *flight, size_t wanted, cost_t *ret) {
  size_t before = flight->app.memory.bytes;
  int64_t server_before = ask_number(flight, "memory");
  uvow_peer_stats_t stats = {.size = sizeof(stats)};
  uint64_t start = uv_hrtime();
  flight->wanted = wanted;
  flight->sent = flight->answered = 0;
  flight->all_answered = 0;
  flight->app.memory.peak = 0;
  send_some(flight);
  while (flight->sent < wanted && !flight->app.wrong)
    uv_run(&flight->app.uv, UV_RUN_ONCE);
  flight->app.wrong += ask_number(flight, "held") != (int64_t)wanted;
  ret->send_us = (double)(uv_hrtime() - start) / 1e3 / (double)wanted;
  uvow_peer_get_stats(flight->client, &stats);
  flight->app.wrong += stats.in_flight != wanted;
  ret->client_bytes = (flight->app.memory.bytes - before) / wanted;
  ret->server_bytes =
      (size_t)(ask_number(flight, "memory") - server_before) / wanted;
  start = uv_hrtime();
  uvow_peer_notify(flight->client, "release", uvow_value_none());
  load_run_until(&flight->app, &flight->all_answered);
  ret->answer_us = (double)(uv_hrtime() - start) / 1e3 / (double)wanted;
  ret->peak = flight->app.memory.peak;
  uvow_peer_get_stats(flight->client, &stats);
  flight->app.wrong += stats.pending + stats.failed + stats.late +
                       stats.unknown + stats.duplicate + stats.malformed;
}

static void say(const char *what, size_t wanted, const cost_t *cost) {
  load_say(
      "%s: %zu in flight: %.2f us a request to send, %.2f us to be "
      "answered; %zu bytes each here, %zu at the server",
      what, wanted, cost->send_us, cost->answer_us, cost->client_bytes,
      cost->server_bytes);
}

void load_flight(const load_options_t *options) {
  static flight_t flight;
  load_peer_t peer;
  char url[64];
  cost_t few;
  cost_t costs[RUNS];
  size_t kept[RUNS];
  uvow_peer_options_t client = {.size = sizeof(client)};
  load_peer_start(&peer);
  load_app_init(&flight.app);
  snprintf(url, sizeof(url), "ws://127.0.0.1:%u/", peer.port);
  client.protocol = uvow_protocol_by_name("jsonrpc2");
  client.timeout_ms = 600000; /* so each has a deadline */
  flight.client = uvow_peer_connect(flight.app.loop, url, &client);
  load_must(flight.client ? 0 : UVOW_ENOMEM, "client");
  measure(&flight, FEW, &few);
  measure(&flight, FEW, &few); /* warm */
  for (int i = 0; i < RUNS; i++) {
    measure(&flight, options->in_flight, &costs[i]);
    kept[i] = flight.app.memory.bytes;
  }
  say("warm", FEW, &few);
  for (int i = 0; i < RUNS; i++) {
    say(i ? "again" : "first", options->in_flight, &costs[i]);
    load_say("  peak %zu KiB, kept %zu KiB", costs[i].peak / 1024,
             kept[i] / 1024);
  }
  /* What it took once is used again: memory is flat. */
  flight.app.wrong += kept[RUNS - 1] > kept[0] + kept[0] / 50 + 65536;
  flight.app.wrong += costs[RUNS - 1].peak > costs[1].peak + costs[1].peak / 10;
  uvow_peer_unref(flight.client);
  load_app_done(&flight.app);
  load_peer_stop(&peer);
  load_case("requests in flight", flight.app.wrong);
}
