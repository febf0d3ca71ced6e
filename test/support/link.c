#include "link.h"

#include <stdio.h>

static void on_state(uvow_peer_t *client, const uvow_peer_change_t *change,
                     void *data) {
  static const char *const names[] = {
      "", "CONNECTING", "OPENING", "OPEN", "WAITING", "CLOSING", "CLOSED"};
  char text[128];
  char error[64] = "";
  assert_int_equal(change->size, sizeof(*change));
  if (change->why)
    script_describe(change->why, error, sizeof(error));
  snprintf(text, sizeof(text), "%s%s%s", names[change->state],
           change->why ? "!" : "", error);
  script_log((script_t *)data, "state:", text);
  assert_true(client == ((script_t *)data)->client);
}

test_connect_t link_options(script_t *s, uvow_reconnect_options_t *reconnect) {
  test_connect_t options = script_options(s);
  memset(reconnect, 0, sizeof(*reconnect));
  reconnect->size = sizeof(*reconnect);
  reconnect->max_ms = 100;
  options.peer.reconnect = reconnect;
  options.peer.on_state = on_state;
  return options;
}

void link_open(script_t *s, const test_connect_t *options) {
  assert_int_equal(script_client(s, options), 0);
  script_turns(s); /* renew comes first */
  link_up(s);
  script_turns(s);
  s->log[0] = '\0';
}

void link_up(script_t *s) {
  assert_non_null(s->stream);
  s->sent_len = s->sent_at = 0;
  script_connected(s);
  script_accept(s);
}

void link_wait(script_t *s) {
  assert_null(s->stream);
  script_turns(s);
  for (int ms = 0; ms < 101 && !s->stream; ms++)
    script_advance(s, 1);
  assert_non_null(s->stream);
}

void link_again(script_t *s) {
  link_wait(s);
  link_up(s);
}

void link_answer(script_t *s, int id) {
  char text[80];
  snprintf(text, sizeof(text), "{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":%d}",
           id, id);
  script_text(s, text);
}

void link_prove(script_t *s) {
  script_mark_t a = script_mark(s, "a");
  script_call(s, "m", &a);
  script_turns(s);
  link_answer(s, (int)(s->client->dispatcher.next_id - 1));
  script_turns(s);
  assert_int_equal(a.calls, 1);
  s->sent_at = s->sent_len;
  s->log[0] = '\0';
}

void link_call_idempotent(script_t *s, const char *method,
                          script_mark_t *mark) {
  uvow_request_options_t options = {.size = sizeof(options), .idempotent = 1};
  script_watch(
      uvow_peer_request_with(s->client, method, uvow_value_none(), &options),
      mark);
}

void link_check_stats(const script_t *s) {
  uvow_peer_stats_t stats = script_stats(s);
  assert_int_equal(stats.requests, stats.answered + stats.timed_out +
                                       stats.canceled + stats.failed +
                                       stats.pending);
  assert_int_equal(stats.pending, stats.in_flight + stats.queued);
  assert_int_equal(stats.pending, uvow_peer_walk(s->client, NULL, NULL));
  assert_true(stats.connected >= stats.lost);
}
