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

static uvow_next_t on_event(uvow_call_t *call, const uvow_result_t *params,
                            void *data) {
  char text[512];
  const char *session = uvow_call_session(call);
  uvow_slice_t got = uvow_result_bytes(params);
  if (!uvow_call_wants_answer(call)) {
    snprintf(text, sizeof(text), "%s%s%s(%.*s)", uvow_call_method(call),
             session ? "@" : "", session ? session : "", (int)got.len,
             got.bytes ? got.bytes : "");
    script_log((script_t *)data, "event:", text);
  }
  return test_event_end(call);
}

static int on_stray(uvow_peer_t *peer, uvow_stray_t stray, uvow_slice_t message,
                    const uvow_error_t *error, void *data) {
  static const char *const names[] = {
      "", "late:", "duplicate:", "unknown:", "malformed:", "fault:", "event?"};
  char text[512];
  (void)peer;
  assert_int_equal(error != NULL, stray == UVOW_STRAY_FAULT);
  snprintf(text, sizeof(text), "%.*s", (int)message.len, message.bytes);
  script_log((script_t *)data, names[stray], text);
  return 0;
}

test_connect_t script_options(script_t *s) {
  test_connect_t options =
      test_connect_options(uvow_protocol_by_name("jsonrpc2"));
  options.url = "ws://127.0.0.1:1/";
  options.on_event = on_event;
  options.peer.on_stray = on_stray;
  options.peer.data = s;
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
  int64_t i64;
  uvow_slice_t got = uvow_result_bytes(result);
  text[0] = result->error ? '!' : '=';
  text[1] = '\0';
  for (const uvow_error_t *why = result->error; why;
       why = uvow_error_cause(why))
    assert_string_not_equal(uvow_error_message(why),
                            uvow_error_message(uvow_error_cause(why)));
  if (result->error)
    script_describe(result->error, text + 1, sizeof(text) - 1);
  else if (uvow_value_get_int64(&result->value, &i64) == 0)
    snprintf(text + 1, sizeof(text) - 1, "%lld", (long long)i64);
  else if (got.bytes)
    snprintf(text + 1, sizeof(text) - 1, "%.*s", (int)got.len, got.bytes);
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
  return uvow_peer_request(
      s->client, method,
      uvow_value_slice(&(uvow_slice_t){params, params ? strlen(params) : 0}));
}

void script_call(script_t *s, const char *method, script_mark_t *mark) {
  script_watch(script_request(s, method, NULL), mark);
}

uvow_peer_stats_t script_stats(const script_t *s) {
  uvow_peer_stats_t stats;
  stats.size = sizeof(stats);
  assert_int_equal(uvow_peer_get_stats(s->client, &stats), 0);
  return stats;
}
