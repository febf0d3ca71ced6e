/*
 * uvow listen: events as they come, or those of a subscription.
 *
 *   events, or subscribe -> on_item* -> on_end -> client_close
 *   Ctrl-C, or the last of --events: lets go, which unsubscribes
 */
#include "commands.h"

#include <string.h>

#include <uvow/subscription.h>

#include "client.h"
#include "measure.h"
#include "verdict.h"

typedef struct listening {
  client_t client;
  uvow_slice_t params;
  uvow_stream_t *stream; /* owned until it's let go of */
  uint64_t seen;
  int enough;
} listening_t;

static listening_t *of(client_t *client) {
  return (listening_t *)client->data;
}

static void on_gone(const uvow_result_t *result, void *data) {
  listening_t *listening = (listening_t *)data;
  (void)result;
  client_close(&listening->client);
}

/* Lets go, and waits for the unsubscription. The second time: at once. */
static void stop(client_t *client) {
  listening_t *listening = of(client);
  uvow_stream_t *stream = listening->stream;
  listening->stream = NULL;
  if (!listening->enough)
    client->status = client->opened ? EXIT_OK : EXIT_NOT_SENT;
  listening->enough = 1;
  if (!stream ||
      uvow_future_done(uvow_future_timeout(uvow_stream_close(stream), 1000),
                       on_gone, listening))
    client_close(client);
}

static uvow_next_t on_item(const uvow_result_t *item, void *data) {
  listening_t *listening = (listening_t *)data;
  uint64_t most = listening->client.args->events;
  if (listening->enough)
    return uvow_next_pass();
  event_print(&listening->client, item, NULL);
  if (++listening->seen == most)
    stop(&listening->client);
  return uvow_next_pass();
}

static void on_end(const uvow_result_t *result, void *data) {
  listening_t *listening = (listening_t *)data;
  client_t *client = &listening->client;
  if (listening->enough)
    return;
  client->status = EXIT_OK;
  if (result->error) {
    verdict_print(&client->err, result->error);
    client->status =
        uvow_error_outcome(result->error) == UVOW_OUTCOME_NONE && client->opened
            ? EXIT_MAYBE
            : verdict_status(uvow_error_outcome(result->error));
  } else if (uvow_result_bytes(result).len) { /* the answer, behind the parts */
    event_print(client, result, NULL);
  }
  client_close(client);
}

static void on_state(client_t *client, const uvow_peer_change_t *change) {
  char pause[24];
  if (change->state != UVOW_PEER_WAITING)
    return;
  fputs("uvow: ", stderr);
  screen_peer_text(&client->err, uvow_error_message(change->why));
  fprintf(
      stderr, "; again in %s\n",
      measure_format_ns((double)change->pause_ms * 1e6, pause, sizeof(pause)));
}

/* What comes once it was enough isn't wanted any more. */
static int on_stray(client_t *client, uvow_stray_t stray,
                    uvow_slice_t message) {
  (void)message;
  return stray == UVOW_STRAY_EVENT && of(client)->enough;
}

static uvow_stream_t *subscribe(listening_t *listening) {
  const args_t *args = listening->client.args;
  uvow_subscription_options_t options = {.size = sizeof(options)};
  options.event = args->event;
  options.key = args->event_key;
  options.answer_key = args->answer_key;
  options.item = args->item;
  options.unsubscribe = args->unsubscribe;
  listening->params.bytes = args->params;
  listening->params.len = args->params ? strlen(args->params) : 0;
  return uvow_peer_subscribe(listening->client.peer, args->method,
                             uvow_value_slice(&listening->params), &options);
}

static int start(listening_t *listening) {
  const args_t *args = listening->client.args;
  listening->stream =
      args->method ? subscribe(listening)
                   : uvow_peer_events(listening->client.peer, args->event);
  client_on_interrupt(&listening->client, stop);
  return uvow_future_done(
      uvow_stream_each(uvow_stream_ref(listening->stream), on_item, listening),
      on_end, listening);
}

int listen_main(const args_t *args) {
  static const uvow_reconnect_options_t reconnect = {.size = sizeof(reconnect)};
  listening_t listening = {0};
  int status = client_init(&listening.client, args);
  if (status)
    return status;
  listening.client.data = &listening;
  listening.client.on_state = on_state;
  listening.client.on_stray = on_stray;
  if (client_connect(&listening.client, args->reconnect ? &reconnect : NULL,
                     NULL) == 0 &&
      start(&listening))
    client_close(&listening.client);
  status = client_run(&listening.client);
  uvow_stream_unref(listening.stream);
  return status;
}
