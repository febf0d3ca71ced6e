#include "ws_end.h"

#include <stdio.h>

#include "future/bytes.h"

uvow_websocket_t *ws_connect(script_t *s,
                             const uvow_websocket_options_t *options) {
  return uvow__websocket_connect(s->loop, "ws://h/p?q", options, &s->transport);
}

uvow_websocket_t *ws_open(script_t *s,
                          const uvow_websocket_options_t *options) {
  uvow_websocket_t *ws = ws_connect(s, options);
  assert_non_null(ws);
  script_connected(s);
  script_accept(s);
  s->sent_at = s->sent_len;
  return ws;
}

static void log_end(script_t *s, const uvow_result_t *result) {
  char text[64];
  snprintf(text, sizeof(text), "%s%s", result->error ? "!" : "",
           result->error ? uvow_err_name(uvow_error_code(result->error)) + 5
                         : "");
  script_log(s, "end", text);
}

static void log_item(script_t *s, const uvow_result_t *result) {
  char text[256];
  uvow__slice_t bytes;
  assert_int_equal(uvow__value_slice(&result->value, &bytes), 0);
  snprintf(text, sizeof(text), "%.*s", (int)bytes.len, bytes.ptr);
  script_log(s, uvow_result_is_binary(result) ? "binary:" : "", text);
}

static uvow_next_t on_item(const uvow_result_t *result, void *data) {
  log_item((script_t *)data, result);
  return uvow_next_none();
}

static void on_end(const uvow_result_t *result, void *data) {
  log_end((script_t *)data, result);
}

void ws_log_all(script_t *s, uvow_stream_t *messages) {
  assert_int_equal(
      uvow_future_done(uvow_stream_each(messages, on_item, s), on_end, s), 0);
}

static void on_next(const uvow_result_t *result, void *data) {
  if (result->error || uvow_result_is_end(result))
    log_end((script_t *)data, result);
  else
    log_item((script_t *)data, result);
}

void ws_log_next(script_t *s, uvow_stream_t *messages) {
  assert_int_equal(uvow_future_done(uvow_stream_next(messages), on_next, s), 0);
}

uvow_value_t ws_binary(script_t *s, const char *text) {
  return uvow_value_binary(s->loop, text, strlen(text));
}
