/* What a script writes down. */
#include "script.h"

#include <stdio.h>

void script_log(script_t *s, const char *name, const char *what) {
  size_t len = strlen(s->log);
  assert_true(len + strlen(name) + strlen(what) + 2 < sizeof(s->log));
  snprintf(s->log + len, sizeof(s->log) - len, "%s%s%s", len ? " " : "", name,
           what);
}

void script_expect_at(script_t *s, const char *text, const char *file,
                      int line) {
  _assert_string_equal(s->log, text, file, line);
  s->log[0] = '\0';
}

void script_expect_unhandled(script_t *s, const char *text) {
  assert_string_equal(s->unhandled, text);
  s->unhandled[0] = '\0';
}

static void on_event(uvow_client_t *client, const uvow_event_t *event,
                     void *data) {
  char text[512];
  size_t len;
  const char *bytes = uvow_payload_bytes(event->payload, &len);
  (void)client;
  snprintf(text, sizeof(text), "%s%s%s(%.*s)", event->name,
           event->session ? "@" : "", event->session ? event->session : "",
           (int)len, bytes ? bytes : "");
  script_log((script_t *)data, "event:", text);
}

static void on_stray(uvow_client_t *client, uvow_stray_t stray,
                     const char *bytes, size_t len, void *data) {
  static const char *const names[] = {
      "", "late:", "duplicate:", "unknown:", "malformed:"};
  char text[512];
  (void)client;
  snprintf(text, sizeof(text), "%.*s", (int)len, bytes);
  script_log((script_t *)data, names[stray], text);
}

uvow_client_options_t script_options(script_t *s) {
  uvow_client_options_t options = {0};
  options.size = sizeof(options);
  options.url = "ws://127.0.0.1:1/";
  options.protocol = uvow_protocol_jsonrpc2();
  options.on_event = on_event;
  options.on_stray = on_stray;
  options.data = s;
  return options;
}

script_mark_t script_mark(script_t *s, const char *name) {
  script_mark_t mark = {0};
  mark.s = s;
  mark.name = name;
  return mark;
}

void script_describe(const uvow_error_t *error, char *text, size_t cap) {
  static const char *const outcomes[] = {"", ":NOT", ":MAYBE", ":ANSWERED"};
  const char *name = uvow_err_name(uvow_error_code(error));
  snprintf(text, cap, "%s%s", strncmp(name, "UVOW_", 5) == 0 ? name + 5 : name,
           outcomes[uvow_error_outcome(error)]);
}

void script_done(const uvow_result_t *result, void *data) {
  script_mark_t *mark = (script_mark_t *)data;
  char text[512];
  size_t len = 0;
  int64_t i64;
  const char *bytes = uvow_result_bytes(result, &len);
  text[0] = result->error ? '!' : '=';
  text[1] = '\0';
  if (result->error)
    script_describe(result->error, text + 1, sizeof(text) - 1);
  else if (uvow_value_get_int64(&result->value, &i64) == 0)
    snprintf(text + 1, sizeof(text) - 1, "%lld", (long long)i64);
  else if (bytes)
    snprintf(text + 1, sizeof(text) - 1, "%.*s", (int)len, bytes);
  mark->calls++;
  mark->done = 1;
  if (mark->name)
    script_log(mark->s, mark->name, text);
  if (mark->act)
    mark->act(mark);
}

void script_watch(uvow_future_t *f, script_mark_t *mark) {
  assert_non_null(f);
  assert_int_equal(uvow_future_done(f, script_done, mark), 0);
}

uvow_future_t *script_request(script_t *s, const char *method,
                              const char *params) {
  return uvow_client_request_bytes(s->client, method, params,
                                   params ? strlen(params) : 0, NULL);
}

void script_call(script_t *s, const char *method, script_mark_t *mark) {
  script_watch(script_request(s, method, NULL), mark);
}

uvow_client_stats_t script_stats(const script_t *s) {
  uvow_client_stats_t stats;
  stats.size = sizeof(stats);
  assert_int_equal(uvow_client_stats(s->client, &stats), 0);
  return stats;
}
