#ifndef UVOW_TEST_SUBS_H
#define UVOW_TEST_SUBS_H

#include "link.h"
#include "parts.h"

/* A scripted client that reconnects, and subscriptions as eth_subscribe has
 * them: events "ev" whose /subscription is the answer, items /result. */

static inline void subs_start(script_t *s) {
  uvow_reconnect_options_t reconnect;
  script_init(s);
  script_drive_clock(s);
  test_connect_t options = link_options(s, &reconnect);
  options.on_event = NULL;
  options.peer.on_state = NULL;
  options.peer.no_cancel = 0;
  link_open(s, &options);
}

static inline uvow_subscription_options_t subs_options(void) {
  uvow_subscription_options_t options = {.size = sizeof(options)};
  options.event = "ev";
  options.key = "/subscription";
  options.item = "/result";
  options.unsubscribe = "unsub";
  return options;
}

static inline uvow_stream_t *
subs_with(script_t *s, const uvow_subscription_options_t *options) {
  uvow_stream_t *stream =
      uvow_peer_subscribe(s->client, "sub", uvow_value_raw("[\"x\"]"), options);
  assert_non_null(stream);
  script_turns(s);
  return stream;
}

static inline uvow_stream_t *subs_make(script_t *s) {
  uvow_subscription_options_t options = subs_options();
  return subs_with(s, &options);
}

/* The peer answers request `id` with a key, JSON. */
static inline void subs_answer(script_t *s, int id, const char *key) {
  char text[256];
  snprintf(text, sizeof(text), "{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":%s}",
           id, key);
  script_text(s, text);
}

/* The peer sends an event for a key. */
static inline void subs_event(script_t *s, const char *key, int value) {
  char text[512];
  snprintf(text, sizeof(text),
           "{\"jsonrpc\":\"2.0\",\"method\":\"ev\",\"params\":"
           "{\"subscription\":%s,\"result\":%d}}",
           key, value);
  script_text(s, text);
}

/* Drops what was logged as stray events; returns how many there were. */
static inline int subs_strays(script_t *s) {
  int count = 0;
  for (const char *at = s->log; (at = strstr(at, "event?")) != NULL; at++)
    count++;
  s->log[0] = '\0';
  return count;
}

/* The end of a test whose streams needn't have ended. */
static inline void subs_end(script_t *s) {
  uvow_peer_end(s->client);
  script_turns(s);
  s->log[0] = '\0';
  script_end(s);
}

/* The next message is that request. */
#define subs_expect_sent(s, id, method, params)                                \
  script_expect_sent(s, "{\"jsonrpc\":\"2.0\",\"id\":" #id                     \
                        ",\"method\":\"" method "\",\"params\":" params "}")

#endif
