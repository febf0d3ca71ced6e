/*
 * Home Assistant: what its lamps are, one that is switched on, and the change
 * that it tells of.
 *
 *   home_assistant URL TOKEN   ws://homeassistant.local:8123/api/websocket, and
 *                              a long-lived access token of one's profile
 *   home_assistant             a small one of its own: so it runs anywhere
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <uv.h>
#include <uvow.h>

/* A house with one lamp. */

typedef struct house {
  uvow_sink_t *changes; /* NULL: nobody asks for them */
  const char *lamp;
} house_t;

static uvow_next_t get_states(uvow_call_t *call, const uvow_result_t *params,
                              void *data) {
  house_t *house = data;
  (void)params;
  return uvow_next_jsonf(uvow_call_loop(call), "[{s:s,s:s},{s:s,s:s}]",
                         "entity_id", "sun.sun", "state", "below_horizon",
                         "entity_id", "light.hall", "state", house->lamp);
}

/* Answered at once; what the stream brings are its events. */
static uvow_next_t subscribe(uvow_call_t *call, const uvow_result_t *params,
                             void *data) {
  house_t *house = data;
  (void)params;
  uvow_sink_drop(house->changes);
  return uvow_next_stream(
      uvow_stream_new(uvow_call_loop(call), NULL, &house->changes));
}

static uvow_next_t call_service(uvow_call_t *call, const uvow_result_t *params,
                                void *data) {
  house_t *house = data;
  const char *id = "?";
  (void)uvow_result_get_text(params, "/target/entity_id", &id);
  house->lamp = "on";
  uvow_sink_push(house->changes,
                 uvow_value_jsonf(uvow_call_loop(call), "{s:s,s:{s:s,s:{s:s}}}",
                                  "event_type", "state_changed", "data",
                                  "entity_id", id, "new_state", "state",
                                  house->lamp));
  return uvow_next_none();
}

static uvow_server_t *make_house(uvow_loop_t *loop, house_t *house) {
  uvow_methods_t *methods = uvow_methods_new(loop);
  uvow_methods_add(methods, "get_states", get_states, house);
  uvow_methods_add(methods, "subscribe_events", subscribe, house);
  uvow_methods_add(methods, "call_service", call_service, house);
  uvow_server_t *server = uvow_server_new(
      uvow_listener_new(loop, NULL),
      UVOW_WITH(peer, .protocol = uvow_protocol_by_name("home_assistant"),
                .vars = "{\"token\":\"T\",\"ha_version\":\"2024.1.0\"}",
                .methods = methods));
  uvow_methods_unref(methods);
  return server;
}

/* [connect] */
/* The protocol sends the token, and waits until it's accepted. */
static uvow_peer_t *open_house(uvow_loop_t *loop, const char *url,
                               const char *token) {
  char vars[512];
  snprintf(vars, sizeof(vars), "{\"token\":\"%s\"}", token);
  return uvow_peer_connect(
      loop, url,
      UVOW_WITH(peer, .protocol = uvow_protocol_by_name("home_assistant"),
                .vars = vars, .reconnect = UVOW_DEFAULTS(reconnect)));
}
/* [connect] */

/* [states] */
static uvow_next_t show_lamps(const uvow_result_t *states, void *data) {
  uvow_json_walk_t walk = uvow_result_walk(states, "");
  uvow_result_t state;
  const char *id, *is;
  (void)data;
  while (uvow_json_walk_next(&walk, &state))
    if (uvow_result_getf(&state, "{s:s,s:s}", "entity_id", &id, "state", &is) ==
            0 &&
        strncmp(id, "light.", 6) == 0)
      printf("%s is %s\n", id, is);
  return uvow_next_none();
}
/* [states] */

/* [change] */
static uvow_next_t on_change(const uvow_result_t *event, void *data) {
  const char *id = "?", *is = "?";
  (void)data;
  if (uvow_result_missed(event)) /* a reconnect came between */
    printf("changes may be missing here: ask for the states\n");
  (void)uvow_result_getf(event, "{s:{s:s,s:{s:s}}}", "data", "entity_id", &id,
                         "new_state", "state", &is);
  printf("%s is %s now\n", id, is);
  return uvow_next_end(uvow_value_none()); /* one is enough */
}

static uvow_future_t *follow(uvow_peer_t *house) {
  return uvow_stream_each(
      uvow_peer_subscribe(house, "subscribe_events",
                          uvow_value_raw("{\"event_type\":\"state_changed\"}"),
                          NULL),
      on_change, NULL);
}

static uvow_future_t *switch_on(uvow_peer_t *house, const char *lamp) {
  return uvow_peer_requestf(house, "call_service", "{s:s,s:s,s:{s:s}}",
                            "domain", "light", "service", "turn_on", "target",
                            "entity_id", lamp);
}
/* [change] */

static int run(uvow_loop_t *loop, uvow_peer_t *house) {
  uvow_future_t *states =
      uvow_peer_request(house, "get_states", uvow_value_none());
  int rc =
      uvow_loop_await(loop, uvow_future_then(states, show_lamps, NULL), NULL);
  if (rc)
    return rc;
  uvow_future_t *change = follow(house);
  uvow_future_detach(switch_on(house, "light.hall"));
  return uvow_loop_await(loop, change, NULL);
}

int main(int argc, char **argv) {
  char url[64];
  house_t own = {NULL, "off"};
  uv_loop_t uv;
  signal(SIGPIPE, SIG_IGN); /* as every libuv program that writes to sockets */
  if (uv_loop_init(&uv))
    return 1;
  uvow_loop_t *loop = uvow_loop_new(&uv, NULL);
  uvow_server_t *server = argc == 3 ? NULL : make_house(loop, &own);
  snprintf(url, sizeof(url), "ws://127.0.0.1:%u/api/websocket",
           (unsigned)uvow_server_port(server));
  uvow_peer_t *house =
      open_house(loop, argc == 3 ? argv[1] : url, argc == 3 ? argv[2] : "T");
  int rc = run(loop, house);
  if (rc)
    fprintf(stderr, "%s\n", uvow_error_message(uvow_loop_error(loop)));
  (void)uvow_loop_await(loop, uvow_peer_close(house), NULL);
  uvow_peer_unref(house);
  uvow_server_free(server);
  uvow_sink_drop(own.changes);
  uvow_loop_close(loop, NULL, NULL);
  uv_run(&uv, UV_RUN_DEFAULT);
  return uv_loop_close(&uv) || rc ? 1 : 0;
}
