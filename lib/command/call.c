/*
 * uvow call: one request or notification, from a shell, and the events that
 * were asked for with it.
 *
 * The params are sent as they were typed, and the result is printed as it came,
 * unless --pretty asks for another layout.
 *
 *   request ---------------> on_settled \
 *   --events: each event --> on_event    +-> both over: client_close
 *             the last one > on_events  /
 */
#include "commands.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <uvow/subscription.h>

#include "client.h"
#include "verdict.h"

typedef struct call {
  client_t client;
  uvow_slice_t params;
  int open; /* what isn't over yet: the request, the events */
} call_t;

static void end_one(call_t *call) {
  if (--call->open == 0)
    client_close(&call->client);
}

static void fail(call_t *call, int status) {
  call->client.status = verdict_worse(call->client.status, status);
}

/* --pretty: what can't be read as a tree is printed as it came. */
static void print_pretty(const screen_t *out, json_t *json, uvow_slice_t got) {
  char *text = json_dumps(json, JSON_INDENT(2) | JSON_ENCODE_ANY);
  screen_json(out, text ? text : got.bytes, text ? strlen(text) : got.len);
  free(text);
}

static int print_result(const call_t *call, const uvow_result_t *result) {
  const client_t *client = &call->client;
  uvow_slice_t got = uvow_result_bytes(result);
  uvow_slice_t all;
  if (got.len && uvow_result_get_slice(result, "", &all) == UVOW_EPAYLOAD) {
    fprintf(stderr, "uvow: UVOW_EPAYLOAD, answered: the result isn't JSON: ");
    screen_peer(&client->err, got.bytes, got.len);
    fputc('\n', stderr);
    return EXIT_ANSWERED;
  }
  if (!got.len)
    fputs("null", stdout);
  else if (client->args->pretty)
    print_pretty(&client->out, uvow_result_json(result), got);
  else
    screen_json(&client->out, got.bytes, got.len);
  fputc('\n', stdout);
  return EXIT_OK;
}

/* --json: {"outcome":...,"ms":...,"error":{...}} or "result" as it came. */
static void print_json(const call_t *call, const uvow_result_t *result) {
  const client_t *client = &call->client;
  uvow_slice_t got =
      result->error ? (uvow_slice_t){NULL, 0} : uvow_result_bytes(result);
  printf("{\"outcome\":\"%s\",\"ms\":%.3f",
         verdict_text(result->error ? uvow_error_outcome(result->error)
                                    : UVOW_ANSWERED),
         client_ms(client));
  if (client->opened)
    printf(",\"open_ms\":%.3f",
           (double)(client->opened - client->started) / 1e6);
  if (result->error) {
    json_t *error = verdict_json(result->error);
    fputs(",\"error\":", stdout);
    json_dumpf(error, stdout, JSON_COMPACT);
    json_decref(error);
  } else {
    fputs(",\"result\":", stdout);
    if (got.len)
      screen_json(&client->out, got.bytes, got.len);
    else
      fputs("null", stdout);
  }
  puts("}");
}

static void on_settled(const uvow_result_t *result, void *data) {
  call_t *call = (call_t *)data;
  const args_t *args = call->client.args;
  if (result->error)
    fail(call, verdict_status(uvow_error_outcome(result->error)));
  if (args->json)
    print_json(call, result);
  else if (result->error)
    verdict_print(&call->client.err, result->error);
  else if (!args->notify)
    fail(call, print_result(call, result));
  fflush(stdout);
  if (result->error && !call->client.opened)
    call->open = 1; /* no event comes */
  end_one(call);
}

static uvow_next_t on_event(const uvow_result_t *event, void *data) {
  call_t *call = (call_t *)data;
  event_print(&call->client, event, NULL);
  return uvow_next_pass();
}

static void on_events(const uvow_result_t *result, void *data) {
  call_t *call = (call_t *)data;
  if (call->client.closing)
    return;
  if (result->error) {
    fprintf(stderr, "uvow: not all of %llu events came: %s\n",
            (unsigned long long)call->client.args->events,
            uvow_error_message(result->error));
    fail(call, EXIT_MAYBE);
  }
  end_one(call);
}

/* The connection is open; what is told now leaves before it's closed. */
static uvow_next_t notify(const uvow_result_t *result, void *data) {
  call_t *call = (call_t *)data;
  (void)result;
  int rc = uvow_peer_notify(call->client.peer, call->client.args->method,
                            uvow_value_slice(&call->params));
  return rc ? uvow_next_code(rc, NULL) : uvow_next_pass();
}

static int await_events(call_t *call) {
  const args_t *args = call->client.args;
  uvow_stream_t *events = uvow_stream_take(
      uvow_peer_events(call->client.peer, NULL), (size_t)args->events);
  return uvow_future_done(
      uvow_future_timeout(uvow_stream_each(events, on_event, call),
                          args->timeout_ms),
      on_events, call);
}

static int start(call_t *call) {
  const args_t *args = call->client.args;
  uvow_future_t *f;
  int rc = 0;
  call->open = args->events ? 2 : 1;
  call->client.status = EXIT_OK;
  if (args->events)
    rc = await_events(call);
  if (rc)
    return rc;
  if (args->notify)
    f = uvow_future_then(uvow_peer_ready(call->client.peer), notify, call);
  else
    f = uvow_peer_request(call->client.peer, args->method,
                          uvow_value_slice(&call->params));
  return uvow_future_done(f, on_settled, call);
}

int call_main(const args_t *args) {
  call_t call = {0};
  if (strcmp(args->method, "-") == 0)
    return calls_main(args);
  int status = client_init(&call.client, args);
  if (status)
    return status;
  call.params.bytes = args->params;
  call.params.len = args->params ? strlen(args->params) : 0;
  if (client_connect(&call.client, NULL, NULL) == 0) {
    int rc = start(&call);
    if (rc) {
      call.client.status = args_refused(rc);
      client_close(&call.client);
    }
  }
  return client_run(&call.client);
}
