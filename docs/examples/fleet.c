/*
 * Calls from the server: devices connect, and from then on it is the server that
 * asks. It asks who they are as they come, then all of them at once, and does
 * without those that don't answer in time.
 *
 * So that this runs anywhere, the devices are clients on the same loop.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>
#include <uvow.h>

#define DEVICES 3

typedef struct app {
  uvow_loop_t *loop;
  uvow_server_t *server;
  uvow_peer_t *devices[DEVICES]; /* as devices see it: the server */
  int known;
} app_t;

/* The devices: what the server may call. Each has its name as data. */

static uvow_next_t who(uvow_call_t *call, const uvow_result_t *params,
                       void *data) {
  const char *name = uvow_peer_data(uvow_call_peer(call));
  (void)params;
  (void)data;
  return uvow_next_jsonf(uvow_call_loop(call), "s", name);
}

static uvow_next_t temperature(uvow_call_t *call, const uvow_result_t *params,
                               void *data) {
  const char *name = uvow_peer_data(uvow_call_peer(call));
  (void)params;
  (void)data;
  if (strcmp(name, "attic") == 0) /* too slow */
    return uvow_next_future(uvow_future_delay(uvow_call_loop(call), 60000));
  return uvow_next_value(uvow_value_int64((int64_t)strlen(name)));
}

/* [all] */
typedef struct round {
  app_t *app;
  uvow_future_t *asked[DEVICES];
  size_t count;
} round_t;

static void ask_one(uvow_peer_t *peer, void *data) {
  round_t *round = data;
  if (uvow_peer_state(peer) == UVOW_PEER_OPEN && round->count < DEVICES)
    round->asked[round->count++] =
        uvow_peer_request_with(peer, "temperature", uvow_value_none(),
                               UVOW_WITH(request, .timeout_ms = 500));
}

/* A future of all answers and failures, in no order of the peers. */
static uvow_future_t *ask_all(app_t *app) {
  round_t round = {.app = app};
  uvow_group_walk(uvow_server_peers(app->server), ask_one, &round);
  return uvow_future_all_settled(app->loop, round.asked, round.count);
}

static uvow_next_t add_up(const uvow_result_t *all, void *data) {
  const uvow_results_t *results;
  uvow_result_t one;
  int64_t degrees, sum = 0;
  int silent = 0;
  (void)data;
  if (uvow_value_get_results(&all->value, &results))
    return uvow_next_pass();
  for (size_t i = 0; uvow_results_get(results, i, &one) == 0; i++) {
    if (uvow_result_get_int64(&one, "", &degrees) == 0)
      sum += degrees;
    else
      silent++;
  }
  printf("sum %d, silent %d\n", (int)sum, silent);
  return uvow_next_none();
}
/* [all] */

static void on_end(const uvow_result_t *result, void *data) {
  app_t *app = data;
  if (result->error)
    fprintf(stderr, "%s\n", uvow_error_message(result->error));
  for (int i = 0; i < DEVICES; i++)
    uvow_peer_unref(app->devices[i]);
  uvow_server_free(app->server);
  uvow_loop_close(app->loop, NULL, NULL);
}

/* [come] */
/* What the server knows of a peer: the peer's data. */
typedef struct device {
  app_t *app;
  char name[16];
} device_t;

static uvow_next_t on_name(const uvow_result_t *result, void *data) {
  device_t *device = data;
  app_t *app = device->app;
  const char *name = "?";
  (void)uvow_result_get_text(result, "", &name);
  snprintf(device->name, sizeof(device->name), "%s", name);
  if (++app->known == DEVICES)
    uvow_future_done(uvow_future_then(ask_all(app), add_up, NULL), on_end, app);
  return uvow_next_none();
}

/* Called before the peer's first call, and after its last. */
static void on_state(uvow_peer_t *peer, const uvow_peer_change_t *change,
                     void *data) {
  if (change->state != UVOW_PEER_OPEN)
    return;
  device_t *device = calloc(1, sizeof(*device));
  if (!device) {
    uvow_peer_end(peer);
    return;
  }
  device->app = data;
  uvow_peer_set_data(peer, device, free);
  uvow_future_t *f = uvow_peer_request(peer, "who", uvow_value_none());
  uvow_future_detach(uvow_future_then(f, on_name, device));
}
/* [come] */

static int listen_for_devices(app_t *app) {
  app->server = uvow_server_new(
      uvow_listener_new(app->loop, NULL),
      UVOW_WITH(peer, .protocol = uvow_protocol_by_name("jsonrpc2"),
                .on_state = on_state, .data = app));
  return app->server ? 0 : UVOW_ENOMEM;
}

static void connect_devices(app_t *app, uvow_methods_t *methods) {
  static char names[DEVICES][8] = {"hall", "attic", "cellar"};
  char url[64];
  snprintf(url, sizeof(url), "ws://127.0.0.1:%u/",
           (unsigned)uvow_server_port(app->server));
  for (int i = 0; i < DEVICES; i++) {
    app->devices[i] = uvow_peer_connect(
        app->loop, url,
        UVOW_WITH(peer, .protocol = uvow_protocol_by_name("jsonrpc2"),
                  .methods = methods));
    uvow_peer_set_data(app->devices[i], names[i], NULL);
  }
}

int main(void) {
  uv_loop_t uv;
  app_t app = {0};
  signal(SIGPIPE, SIG_IGN); /* as every libuv program that writes to sockets */
  if (uv_loop_init(&uv))
    return 1;
  app.loop = uvow_loop_new(&uv, NULL);
  uvow_methods_t *methods = uvow_methods_new(app.loop);
  uvow_methods_add(methods, "who", who, NULL);
  uvow_methods_add(methods, "temperature", temperature, NULL);
  if (listen_for_devices(&app))
    return 1;
  connect_devices(&app, methods);
  uvow_methods_unref(methods);
  uv_run(&uv, UV_RUN_DEFAULT);
  return uv_loop_close(&uv) ? 1 : 0;
}
