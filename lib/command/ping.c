/*
 * uvow ping: how long a WebSocket's own ping takes, there and back.
 *
 *   connect -> (ping -> pong -> pause)* -> close -> a summary
 */
#include "commands.h"

#include <signal.h>
#include <string.h>

#include <uvow/uv.h>

#include "client.h"
#include "measure.h"
#include "verdict.h"

typedef struct pings {
  client_t client;
  uvow_websocket_t *ws;
  uvow__histogram_t times; /* ns */
  uint64_t sent;
  uint64_t answered;
  uvow_future_t *stop; /* Ctrl-C; owned */
} pings_t;

/* Waits for f, or for Ctrl-C, which is UVOW_ECANCELED. Takes f. */
static int await(pings_t *pings, uvow_future_t *f, uvow_result_t *ret) {
  return uvow_loop_await(pings->client.loop,
                         uvow_future_until(f, uvow_future_ref(pings->stop)),
                         ret);
}

static void show_connected(const pings_t *pings) {
  char age[24];
  const char *address = uvow_websocket_address(pings->ws);
  const client_t *client = &pings->client;
  if (client->args->json)
    printf("{\"open_ms\":%.3f,\"address\":\"%s\"}\n", client_ms(client),
           address);
  else
    printf("connected to %s in %s\n", *address ? address : client->args->url,
           client_age(client, age, sizeof(age)));
  fflush(stdout);
}

/* -v */
static void show_handshake(const pings_t *pings) {
  const client_t *client = &pings->client;
  const uvow_websocket_t *ws = pings->ws;
  const char *name, *value;
  char tls[128];
  if (!client->args->verbose)
    return;
  (void)uvow_websocket_tls(ws, tls, sizeof(tls));
  verbose_connected(client, uvow_websocket_address(ws), tls,
                    uvow_websocket_certificate(ws));
  for (size_t i = 0; uvow_websocket_header_at(ws, i, &name, &value) == 0; i++)
    verbose_header(client, name, value);
  verbose_subprotocol(client, uvow_websocket_subprotocol(ws));
  verbose_state(client, UVOW_PEER_OPEN);
}

static void show_pong(const pings_t *pings, uint64_t ns) {
  char text[24];
  if (pings->client.args->json)
    printf("{\"ping\":%llu,\"ms\":%.3f}\n", (unsigned long long)pings->sent,
           (double)ns / 1e6);
  else
    printf("pong %llu  %s\n", (unsigned long long)pings->sent,
           measure_format_ns((double)ns, text, sizeof(text)));
  fflush(stdout);
}

static void show_sum(const pings_t *pings) {
  static const char *const names[] = {"min", "p50", "p99", "max"};
  static const double shares[] = {0, 0.5, 0.99, 1};
  int json = pings->client.args->json;
  char text[24];
  printf(json ? "{\"sent\":%llu,\"answered\":%llu" : "%llu sent, %llu answered",
         (unsigned long long)pings->sent, (unsigned long long)pings->answered);
  for (size_t i = 0; pings->answered && i < 4; i++) {
    double ns = i ? (double)uvow__histogram_at(&pings->times, shares[i])
                  : (double)pings->times.min;
    if (json)
      printf(",\"%s_ms\":%.3f", names[i], ns / 1e6);
    else
      printf("%s %s %s", i ? "," : ":", names[i],
             measure_format_ns(ns, text, sizeof(text)));
  }
  puts(json ? "}" : "");
}

/* One ping. Returns 0, or why it wasn't answered. */
static int ping(pings_t *pings) {
  uvow_result_t result;
  uint64_t began = uv_hrtime();
  pings->sent++;
  int rc = await(pings,
                 uvow_future_timeout(uvow_websocket_ping(pings->ws),
                                     pings->client.args->timeout_ms),
                 &result);
  if (rc == UVOW_ECANCELED) {
    pings->sent--;
    return rc;
  }
  if (rc) {
    verdict_print(&pings->client.err, uvow_loop_error(pings->client.loop));
    return rc;
  }
  uint64_t ns = uv_hrtime() - began;
  pings->answered++;
  uvow__histogram_add(&pings->times, ns, 1);
  show_pong(pings, ns);
  return 0;
}

static int connect_now(pings_t *pings) {
  const args_t *args = pings->client.args;
  uvow_peer_options_t options = {.size = sizeof(options)};
  uvow_websocket_options_t websocket = {.size = sizeof(websocket)};
  args_to_client(args, &options, &websocket);
  websocket.connect_timeout_ms = (uint32_t)args->timeout_ms;
  websocket.close_timeout_ms = 1000;
  int rc = args_to_tls(args, pings->client.loop, &websocket.tls);
  if (rc)
    return rc;
  pings->ws = uvow_websocket_connect(pings->client.loop, args->url, &websocket);
  uvow_tls_unref(websocket.tls);
  rc = await(pings, uvow_websocket_ready(pings->ws), NULL);
  if (rc && rc != UVOW_ECANCELED)
    verdict_print(&pings->client.err, uvow_loop_error(pings->client.loop));
  return rc;
}

static int run(pings_t *pings) {
  const args_t *args = pings->client.args;
  uvow_loop_t *loop = pings->client.loop;
  if (args->verbose)
    verbose_state(&pings->client, UVOW_PEER_CONNECTING);
  pings->stop = uvow_stream_first(uvow_signal(loop, SIGINT));
  int rc = connect_now(pings);
  if (rc)
    return EXIT_NOT_SENT;
  show_handshake(pings);
  show_connected(pings);
  /* What the server says otherwise is read, or no pong would be. */
  uvow_stream_unref(uvow_websocket_messages(pings->ws));
  rc = ping(pings);
  while (rc == 0 && (args->count == 0 || pings->sent < args->count)) {
    rc = await(pings, uvow_future_delay(loop, args->interval), NULL);
    if (rc == 0)
      rc = ping(pings);
  }
  show_sum(pings);
  (void)uvow_loop_await(loop, uvow_websocket_close(pings->ws, 1000, NULL),
                        NULL);
  if (args->verbose)
    verbose_state(&pings->client, UVOW_PEER_CLOSED);
  return pings->sent == pings->answered ? EXIT_OK : EXIT_MAYBE;
}

int ping_main(const args_t *args) {
  pings_t pings = {0};
  int status = client_init(&pings.client, args);
  if (status)
    return status;
  uvow__histogram_init(&pings.times, &uvow__mem_default, 8);
  pings.client.status = run(&pings);
  uvow_future_unref(pings.stop);
  uvow_websocket_unref(pings.ws);
  client_close(&pings.client);
  uvow__histogram_done(&pings.times);
  return client_run(&pings.client);
}
