/*
 * A service of topics: who subscribes to one hears what anybody publishes on it.
 * A group for each topic, an end for who doesn't keep up, and subscribers that
 * are there again after the service was restarted.
 *
 * So that this runs anywhere, its subscribers are on the same loop: a client, and
 * one that subscribes and then reads no more.
 */
#include <stdio.h>
#include <string.h>

#include <uv.h>
#include <uvow.h>

#define LARGE 100000

typedef struct app {
  uvow_loop_t *loop;
  uvow_server_t *server;
  uint16_t port;
  uvow_peer_t *client;
  uvow_websocket_t *idler; /* it doesn't read */
  uvow_stream_t *unread;
  int flooding;
  int restarted;
} app_t;

/* ---- the service ---- */

/* [topics] */
static uvow_next_t subscribe(uvow_call_t *call, const uvow_result_t *params,
                             void *data) {
  app_t *app = data;
  const char *topic;
  if (uvow_result_get_text(params, "/0", &topic))
    return uvow_next_code(UVOW_EINVAL, "the topic is missing");
  int rc = uvow_group_add(uvow_server_group(app->server, topic),
                          uvow_call_peer(call));
  if (rc)
    return uvow_next_code(rc, NULL);
  printf("service: one subscribes to %s\n", topic);
  return uvow_next_value(uvow_value_text(topic)); /* the key of its events */
}

static uvow_next_t unsubscribe(uvow_call_t *call, const uvow_result_t *params,
                               void *data) {
  app_t *app = data;
  const char *topic;
  if (uvow_result_get_text(params, "/0", &topic))
    return uvow_next_code(UVOW_EINVAL, "the topic is missing");
  uvow_group_remove(uvow_server_group(app->server, topic),
                    uvow_call_peer(call));
  printf("service: one leaves %s\n", topic);
  return uvow_next_none();
}

/* The answer is how many hear it. */
static uvow_next_t publish(uvow_call_t *call, const uvow_result_t *params,
                           void *data) {
  app_t *app = data;
  const char *topic;
  (void)call;
  if (uvow_result_get_text(params, "/topic", &topic))
    return uvow_next_code(UVOW_EINVAL, "the topic is missing");
  uvow_group_t *group = uvow_server_group(app->server, topic);
  int rc = uvow_group_notify(group, "message", uvow_result_keep(params));
  if (rc)
    return uvow_next_code(rc, NULL);
  return uvow_next_value(
      uvow_value_int64((int64_t)uvow_group_walk(group, NULL, NULL)));
}
/* [topics] */

static void on_peer(uvow_peer_t *peer, const uvow_peer_change_t *change,
                    void *data) {
  app_t *app = data;
  (void)peer;
  if (change->state == UVOW_PEER_CLOSED &&
      uvow_error_code(change->why) == UVOW_EOVERLOAD) {
    printf("service: one who didn't keep up is ended\n");
    app->flooding = 0;
  }
}

/* [serve] */
static int serve(app_t *app) {
  uvow_peer_options_t options = {.size = sizeof(options)};
  options.protocol = uvow_protocol_by_name("jsonrpc2");
  options.on_state = on_peer;
  options.data = app;
  options.methods = uvow_methods_new(app->loop);
  uvow_methods_add(options.methods, "subscribe", subscribe, app);
  uvow_methods_add(options.methods, "unsubscribe", unsubscribe, app);
  uvow_methods_add(options.methods, "publish", publish, app);
  /* So much may wait for one peer; more ends it, with 1013. */
  app->server = uvow_server_new(
      uvow_listener_new(app->loop, UVOW_WITH(listener, .port = app->port,
                                             .max_unsent_bytes = 1024 * 1024)),
      &options);
  uvow_methods_unref(options.methods);
  app->port = uvow_server_port(app->server);
  return app->server ? 0 : uvow_error_code(uvow_loop_error(app->loop));
}
/* [serve] */

/* ---- who subscribes ---- */

static void say(app_t *app, const char *topic, const char *text);
static void go_on(app_t *app, const char *text);

/* [hear] */
static uvow_next_t on_message(const uvow_result_t *message, void *data) {
  app_t *app = data;
  const char *topic, *text;
  if (uvow_result_getf(message, "{s:s,s:s}", "topic", &topic, "text", &text))
    return uvow_next_code(UVOW_ETYPE, "no message");
  if (strlen(text) == LARGE)
    return uvow_next_none();
  printf("%s: %s%s\n", topic, text,
         uvow_result_missed(message) ? " (some before may be missing)" : "");
  go_on(app, text);
  return strcmp(text, "bye") ? uvow_next_none()
                             : uvow_next_end(uvow_value_none());
}

static uvow_future_t *hear(app_t *app, const char *topic) {
  uvow_stream_t *stream = uvow_peer_subscribe(
      app->client, "subscribe", uvow_value_jsonf(app->loop, "[s]", topic),
      UVOW_WITH(subscription, .event = "message", .key = "/topic",
                .unsubscribe = "unsubscribe"));
  return uvow_stream_each(stream, on_message, app);
}
/* [hear] */

static void on_unread(const uvow_result_t *result, void *data) {
  app_t *app = data;
  (void)result;
  say(app, "news", NULL);
}

/* It subscribes, and reads the answer and nothing more. */
static void idle(app_t *app) {
  char url[64];
  snprintf(url, sizeof(url), "ws://127.0.0.1:%u/", app->port);
  app->idler = uvow_websocket_connect(app->loop, url, NULL);
  uvow_websocket_send(
      app->idler,
      uvow_value_text("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"subscribe\","
                      "\"params\":[\"news\"]}"));
  app->unread = uvow_websocket_messages(app->idler);
  app->flooding = 1;
  uvow_future_done(uvow_stream_next(app->unread), on_unread, app);
}

/* ---- what happens ---- */

static void on_said(const uvow_result_t *result, void *data) {
  app_t *app = data;
  if (result->error)
    printf("not published: %s\n", uvow_error_message(result->error));
  else if (app->flooding)
    say(app, "news", NULL); /* until one of them doesn't keep up */
  else if (app->idler) {
    uvow_websocket_unref(app->idler);
    uvow_stream_unref(app->unread);
    app->idler = NULL;
    printf("service: restarts\n");
    uvow_server_free(app->server);
    app->restarted = 1;
    serve(app);
  }
}

/* text NULL: a large one. */
static void say(app_t *app, const char *topic, const char *text) {
  static char large[LARGE + 1];
  memset(large, 'x', LARGE);
  uvow_future_done(uvow_peer_requestf(app->client, "publish", "{s:s,s:s}",
                                      "topic", topic, "text",
                                      text ? text : large),
                   on_said, app);
}

/* After each message: the next one. */
static void go_on(app_t *app, const char *text) {
  if (strcmp(text, "rain") == 0)
    say(app, "sport", "2 to 1");
  else if (strcmp(text, "2 to 1") == 0)
    idle(app);
  else if (strcmp(text, "all is well again") == 0) {
    say(app, "sport", "bye");
    say(app, "news", "bye");
  }
}

/* It connects again, and its subscriptions come before anything else. */
static void on_client(uvow_peer_t *client, const uvow_peer_change_t *change,
                      void *data) {
  app_t *app = data;
  (void)client;
  if (change->state == UVOW_PEER_OPEN && app->restarted)
    say(app, "news", "all is well again");
}

static uvow_next_t on_left(const uvow_result_t *result, void *data) {
  app_t *app = data;
  (void)result;
  return uvow_next_future(uvow_peer_close(app->client));
}

static void on_end(const uvow_result_t *result, void *data) {
  app_t *app = data;
  if (result->error)
    printf("ended: %s\n", uvow_error_message(result->error));
  uvow_peer_unref(app->client);
  uvow_server_free(app->server);
  uvow_loop_close(app->loop, NULL, NULL);
}

int main(void) {
  app_t app = {0};
  char url[64];
  app.loop = uvow_loop_new(uv_default_loop(), NULL);
  if (!app.loop || serve(&app)) {
    fprintf(stderr, "topics: no service\n");
    return 1;
  }
  snprintf(url, sizeof(url), "ws://127.0.0.1:%u/", app.port);
  app.client = uvow_peer_connect(
      app.loop, url,
      UVOW_WITH(peer, .protocol = uvow_protocol_by_name("jsonrpc2"),
                .on_state = on_client, .data = &app,
                .reconnect = UVOW_WITH(reconnect, .base_ms = 10)));
  uvow_future_t *both[2] = {hear(&app, "news"), hear(&app, "sport")};
  say(&app, "news", "rain"); /* behind the subscriptions: all is in order */
  uvow_future_t *f = uvow_future_all(app.loop, both, 2);
  f = uvow_future_then(f, on_left, &app);
  if (uvow_future_done(f, on_end, &app))
    return 1;
  uv_run(uv_default_loop(), UV_RUN_DEFAULT);
  return uv_loop_close(uv_default_loop()) != 0;
}
