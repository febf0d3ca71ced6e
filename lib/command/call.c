/*
 * uvow call: one request, from a shell.
 *
 * The params are sent as they were typed, and the result is printed as it came,
 * unless --pretty asks for another layout.
 */
#include "commands.h"

#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>
#include <string.h>
#include <uv.h>

typedef struct call {
  const args_t *args;
  uvow_loop_t *loop;
  uvow_client_t *client;
  int status;
} call_t;

static const char *outcome_text(uvow_outcome_t outcome) {
  switch (outcome) {
  case UVOW_ANSWERED:
    return "answered";
  case UVOW_MAYBE_EXECUTED:
    return "sent, may have been executed";
  case UVOW_NOT_SENT:
  case UVOW_OUTCOME_NONE:
    break;
  }
  return "not sent";
}

static int status_of(uvow_outcome_t outcome) {
  if (outcome == UVOW_ANSWERED)
    return EXIT_ANSWERED;
  return outcome == UVOW_MAYBE_EXECUTED ? EXIT_MAYBE : EXIT_NOT_SENT;
}

/* uvow: UVOW_EREMOTE, answered: no such customer (code 404, data {"id":9}) */
static void print_error(const uvow_error_t *error) {
  const char *message = uvow_error_peer_message(error);
  const char *code_text = uvow_error_peer_code_text(error);
  size_t len;
  const char *data = uvow_error_data(error, &len);
  fprintf(stderr, "uvow: %s, %s: %s", uvow_err_name(uvow_error_code(error)),
          outcome_text(uvow_error_outcome(error)),
          message ? message : uvow_error_message(error));
  if (code_text)
    fprintf(stderr, " (code %s)", code_text);
  else if (uvow_error_code(error) == UVOW_EREMOTE)
    fprintf(stderr, " (code %lld)", (long long)uvow_error_peer_code(error));
  if (data && len) {
    fputs(": ", stderr);
    fwrite(data, 1, len, stderr);
  }
  fputc('\n', stderr);
}

static int print_result(const call_t *call, const uvow_result_t *result) {
  size_t len;
  const char *bytes = uvow_result_bytes(result, &len);
  json_t *json = uvow_result_json(result);
  if (len && !json) {
    fprintf(stderr, "uvow: UVOW_EPAYLOAD, answered: the result isn't JSON: ");
    fwrite(bytes, 1, len, stderr);
    fputc('\n', stderr);
    return EXIT_ANSWERED;
  }
  if (!len)
    fputs("null", stdout);
  else if (call->args->pretty)
    json_dumpf(json, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY);
  else
    fwrite(bytes, 1, len, stdout);
  fputc('\n', stdout);
  return EXIT_OK;
}

static void on_closed(const uvow_result_t *result, void *data) {
  call_t *call = (call_t *)data;
  (void)result;
  uvow_client_free(call->client);
  uvow_loop_close(call->loop, NULL, NULL);
}

static void on_settled(const uvow_result_t *result, void *data) {
  call_t *call = (call_t *)data;
  if (result->error) {
    print_error(result->error);
    call->status = status_of(uvow_error_outcome(result->error));
  } else {
    call->status = print_result(call, result);
  }
  if (uvow_future_done(uvow_client_close(call->client), on_closed, call))
    on_closed(result, call);
}

static int start(call_t *call) {
  const args_t *args = call->args;
  const char *params = args->params;
  uvow_client_options_t options = {.size = sizeof(options)};
  args_to_client(args, &options);
  options.connect_timeout_ms = options.timeout_ms;
  options.close_timeout_ms = 1000;
  int rc = args_to_tls(args, call->loop, &options.tls);
  if (rc)
    return rc;
  rc = uvow_client_new(call->loop, &options, &call->client);
  uvow_tls_unref(options.tls);
  if (rc)
    return rc;
  return uvow_future_done(
      uvow_client_request_bytes(call->client, args->method, params,
                                params ? strlen(params) : 0, NULL),
      on_settled, call);
}

int call_main(const args_t *args) {
  call_t call = {.args = args, .status = EXIT_NOT_SENT};
  uv_loop_t uv;
  int rc = uv_loop_init(&uv);
  if (rc == 0)
    rc = uvow_loop_new(&uv, NULL, &call.loop);
  if (rc) {
    fprintf(stderr, "uvow: %s\n", uvow_strerror(rc));
    return EXIT_NOT_SENT;
  }
  rc = start(&call);
  if (rc < 0)
    call.status = args_refused(rc);
  if (rc) {
    uvow_client_free(call.client);
    uvow_loop_close(call.loop, NULL, NULL);
  }
  uv_run(&uv, UV_RUN_DEFAULT);
  uv_loop_close(&uv);
  return call.status;
}
