/*
 * A subcommand's connection.
 *
 * 1. What no request and no method was for is shown on stderr: what a server
 *    said isn't kept from the user.
 * 2. It is closed once, in order; the loop's close follows, and ends the run.
 */
#include "client.h"

#include <signal.h>
#include <string.h>

#include <uvow/uv.h>

#include "measure.h"
#include "verdict.h"

int client_init(client_t *client, const args_t *args) {
  memset(client, 0, sizeof(*client));
  client->args = args;
  client->status = EXIT_NOT_SENT;
  screen_init(&client->out, stdout, args->raw);
  screen_init(&client->err, stderr, args->raw);
  int rc = uv_loop_init(&client->uv);
  if (rc == 0) {
    client->loop = uvow_loop_new(&client->uv, NULL);
    rc = client->loop ? 0 : UVOW_ENOMEM;
  }
  client->started = uv_hrtime();
  if (rc)
    fprintf(stderr, "uvow: %s\n", uvow_strerror(rc));
  return rc ? EXIT_NOT_SENT : 0;
}

static void on_state(uvow_peer_t *peer, const uvow_peer_change_t *change,
                     void *data) {
  client_t *client = (client_t *)data;
  (void)peer;
  if (change->state == UVOW_PEER_OPEN)
    client->opened = uv_hrtime();
  if (client->on_state)
    client->on_state(client, change);
}

static const char *stray_text(uvow_stray_t stray) {
  switch (stray) {
  case UVOW_STRAY_LATE:
    return "an answer that came too late";
  case UVOW_STRAY_DUPLICATE:
    return "a second answer";
  case UVOW_STRAY_UNKNOWN:
    return "an answer to nothing";
  case UVOW_STRAY_MALFORMED:
    return "a message that the protocol doesn't know";
  case UVOW_STRAY_FAULT:
    return "an error for no request";
  case UVOW_STRAY_EVENT:
    break;
  }
  return "an event";
}

static int on_stray(uvow_peer_t *peer, uvow_stray_t stray, uvow_slice_t message,
                    const uvow_error_t *error, void *data) {
  client_t *client = (client_t *)data;
  (void)peer;
  (void)error;
  if (client->on_stray && client->on_stray(client, stray, message))
    return 1;
  fprintf(stderr, "uvow: there came %s: ", stray_text(stray));
  screen_peer(&client->err, message.bytes, message.len);
  fputc('\n', stderr);
  return 0;
}

static void on_closed(const uvow_result_t *result, void *data) {
  client_t *client = (client_t *)data;
  uvow_loop_t *loop = client->loop;
  (void)result;
  uvow_peer_unref(client->peer);
  client->peer = NULL;
  client->loop = NULL; /* closing settles all, also what comes back here */
  if (loop)
    uvow_loop_close(loop, NULL, NULL);
}

void client_close(client_t *client) {
  if (client->closing++)
    return;
  if (!client->peer ||
      uvow_future_done(uvow_peer_close(client->peer), on_closed, client))
    on_closed(NULL, client);
}

int client_connect(client_t *client, const uvow_reconnect_options_t *reconnect,
                   uvow_methods_t *methods) {
  const args_t *args = client->args;
  uvow_peer_options_t options = {.size = sizeof(options)};
  uvow_websocket_options_t websocket = {.size = sizeof(websocket)};
  uvow_trace_t trace = {.size = sizeof(trace)};
  args_to_client(args, &options, &websocket);
  websocket.connect_timeout_ms = options.timeout_ms;
  options.close_timeout_ms = websocket.close_timeout_ms = 1000;
  options.reconnect = reconnect;
  options.methods = methods;
  options.on_state = on_state;
  options.on_stray = on_stray;
  options.data = client;
  if (args->verbose || args->trace) {
    verbose_trace(client, &trace);
    options.trace = &trace;
  }
  int rc = args_to_tls(args, client->loop, &websocket.tls);
  int status = EXIT_NOT_SENT;
  if (rc == 0) {
    rc = args_connect(args->url, client->loop, &options, &client->peer);
    status = rc ? args_refused(rc) : 0;
  }
  uvow_tls_unref(websocket.tls);
  if (rc == 0)
    return 0;
  client->status = status;
  client->closing = 1;
  on_closed(NULL, client);
  return status;
}

typedef struct interrupt {
  client_t *client;
  void (*fn)(client_t *client);
} interrupt_t;

static uvow_next_t on_signal(const uvow_result_t *item, void *data) {
  interrupt_t *interrupt = (interrupt_t *)data;
  (void)item;
  interrupt->fn(interrupt->client);
  return uvow_next_pass();
}

void client_on_interrupt(client_t *client, void (*fn)(client_t *client)) {
  interrupt_t *interrupt = (interrupt_t *)malloc(sizeof(*interrupt));
  if (!interrupt)
    return;
  interrupt->client = client;
  interrupt->fn = fn;
  uvow_future_detach(uvow_future_own(
      uvow_stream_each(uvow_signal(client->loop, SIGINT), on_signal, interrupt),
      interrupt, free));
}

int client_run(client_t *client) {
  uv_run(&client->uv, UV_RUN_DEFAULT);
  uv_loop_close(&client->uv);
  return client->status;
}

double client_ms(const client_t *client) {
  return (double)(uv_hrtime() - client->started) / 1e6;
}

const char *client_age(const client_t *client, char *text, size_t size) {
  return measure_format_ns((double)(uv_hrtime() - client->started), text, size);
}
