/*
 * uvow call URL -: a call for each line of stdin.
 *
 *   a line -> begin -> on_answer -> print, in order or as they come
 *
 * 1. Each line that holds a call has exactly one line of output, with its
 *    number: an answer is found by it, whatever the order.
 * 2. At most --inflight calls are without an answer, or are answered and wait
 *    for those before them: stdin isn't read meanwhile.
 */
#include "commands.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <uvow/subscription.h>
#include <uvow/uv.h>

#include "client.h"
#include "line.h"
#include "verdict.h"

#define LINE_MAX_BYTES ((size_t)16 << 20)

typedef struct calls calls_t;

typedef struct one {
  calls_t *calls;
  struct one *next; /* a later line's */
  line_t line;
  uvow_slice_t params;
  uint64_t number; /* of its line */
  uint64_t started;
  double ms;
  int settled;
  uvow_outcome_t outcome;
  json_t *error; /* owned; NULL: it was answered with value */
  uvow_value_t value;
} one_t;

struct calls {
  client_t client;
  one_t *first; /* those that aren't printed, by their lines */
  one_t **last;
  uint64_t numbers;
  uint64_t count;
  uvow_promise_t *room; /* who reads stdin waits for it; or NULL */
  int ended;            /* stdin has */
};

static void print_name(const one_t *one) {
  json_t *name = json_string(one->line.method);
  printf("{\"line\":%llu,\"method\":", (unsigned long long)one->number);
  json_dumpf(name ? name : json_null(), stdout, JSON_ENCODE_ANY);
  json_decref(name);
}

static void print(const calls_t *calls, one_t *one) {
  print_name(one);
  printf(",\"outcome\":\"%s\",\"ms\":%.3f", verdict_text(one->outcome),
         one->ms);
  if (one->error) {
    fputs(",\"error\":", stdout);
    json_dumpf(one->error, stdout, JSON_COMPACT);
  } else {
    uvow_result_t result = {0};
    result.loop = calls->client.loop;
    result.value = one->value;
    uvow_slice_t got = uvow_result_bytes(&result);
    fputs(",\"result\":", stdout);
    if (got.len)
      screen_json(&calls->client.out, got.bytes, got.len);
    else
      fputs("null", stdout);
  }
  puts("}");
}

static void one_free(one_t *one) {
  json_decref(one->error);
  uvow_value_clear(&one->value);
  line_done(&one->line);
  free(one);
}

/* Takes it out of the list, wherever it is. */
static void take_out(calls_t *calls, one_t *one) {
  one_t **at = &calls->first;
  while (*at != one)
    at = &(*at)->next;
  *at = one->next;
  if (calls->last == &one->next)
    calls->last = at;
  calls->count--;
  print(calls, one);
  one_free(one);
}

static void print_settled(calls_t *calls, one_t *settled) {
  if (calls->client.args->unordered)
    take_out(calls, settled);
  else
    while (calls->first && calls->first->settled)
      take_out(calls, calls->first);
  fflush(stdout);
  if (calls->room && calls->count < calls->client.args->inflight) {
    uvow_promise_t *room = calls->room;
    calls->room = NULL;
    uvow_promise_fulfill(room, uvow_value_none());
  }
  if (calls->ended && calls->count == 0)
    client_close(&calls->client);
}

static void note_status(calls_t *calls, const one_t *one) {
  int status = one->error ? verdict_status(one->outcome) : EXIT_OK;
  calls->client.status = verdict_worse(calls->client.status, status);
}

static void on_answer(const uvow_result_t *result, void *data) {
  one_t *one = (one_t *)data;
  one->settled = 1;
  one->ms = (double)(uv_hrtime() - one->started) / 1e6;
  one->outcome =
      result->error ? uvow_error_outcome(result->error) : UVOW_ANSWERED;
  if (result->error)
    one->error = verdict_json(result->error);
  else
    one->value = uvow_result_keep(result);
  note_status(one->calls, one);
  print_settled(one->calls, one);
}

/* It can't be sent; why is known. */
static void refuse(one_t *one, const char *why) {
  one->settled = 1;
  one->outcome = UVOW_NOT_SENT;
  one->error = json_pack("{s:s,s:s}", "name", "UVOW_EINVAL", "message", why);
  note_status(one->calls, one);
  print_settled(one->calls, one);
}

static void begin(calls_t *calls, one_t *one) {
  one->calls = calls;
  one->number = calls->numbers;
  one->started = uv_hrtime();
  *calls->last = one;
  calls->last = &one->next;
  calls->count++;
  if (*one->line.error) {
    refuse(one, one->line.error);
    return;
  }
  one->params.bytes = one->line.params;
  one->params.len = one->line.params_len;
  int rc =
      uvow_future_done(uvow_peer_request(calls->client.peer, one->line.method,
                                         uvow_value_slice(&one->params)),
                       on_answer, one);
  if (rc)
    refuse(one, uvow_strerror(rc));
}

static uvow_next_t on_line(const uvow_result_t *item, void *data) {
  calls_t *calls = (calls_t *)data;
  uvow_slice_t text = uvow_result_bytes(item);
  one_t *one = (one_t *)calloc(1, sizeof(*one));
  calls->numbers++;
  if (!one || line_read(&one->line, text.bytes, text.len)) {
    free(one);
    return uvow_next_code(UVOW_ENOMEM, NULL);
  }
  if (one->line.method)
    begin(calls, one);
  else
    one_free(one);
  if (calls->count < calls->client.args->inflight)
    return uvow_next_pass();
  return uvow_next_future(uvow_promise_new(calls->client.loop, &calls->room));
}

static void on_end(const uvow_result_t *result, void *data) {
  calls_t *calls = (calls_t *)data;
  calls->ended = 1;
  if (result->error && !calls->client.closing) {
    fprintf(stderr, "uvow: stdin: %s\n", uvow_error_message(result->error));
    calls->client.status = verdict_worse(calls->client.status, EXIT_IO);
  }
  if (calls->count == 0)
    client_close(&calls->client);
}

int calls_main(const args_t *args) {
  calls_t calls = {0};
  int status = client_init(&calls.client, args);
  if (status)
    return status;
  calls.last = &calls.first;
  if (client_connect(&calls.client, NULL, NULL))
    return client_run(&calls.client);
  calls.client.status = EXIT_OK;
  uvow_stream_t *lines =
      uvow_stream_lines(uvow_stdin(calls.client.loop), LINE_MAX_BYTES);
  int rc = uvow_future_done(uvow_stream_each(lines, on_line, &calls), on_end,
                            &calls);
  if (rc) {
    calls.client.status = args_refused(rc);
    client_close(&calls.client);
  }
  status = client_run(&calls.client);
  uvow_promise_drop(calls.room);
  return status;
}
