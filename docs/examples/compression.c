/*
 * permessage-deflate, at three prices: as much memory as it takes, less, and
 * none between messages.
 *
 * So that this runs anywhere, server and client are on the same loop. What the
 * client offers is printed by the server.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <uv.h>
#include <uvow.h>

typedef struct app {
  uvow_loop_t *loop;
  uvow_server_t *server;
  uvow_peer_t *client;
  size_t at; /* in terms */
  char text[4096];
} app_t;

/* [terms] */
/* All defaults: the smallest messages, the most memory. */
static const uvow_deflate_options_t most = {.size = sizeof(most)};

/* Windows of 2 KiB: a tenth of the memory. */
static const uvow_deflate_options_t less = {.size = sizeof(less),
                                            .server_max_window_bits = 11,
                                            .client_max_window_bits = 11};

/* Nothing is kept between messages: for many connections that say little. */
static const uvow_deflate_options_t none = {.size = sizeof(none),
                                            .server_no_context_takeover = 1,
                                            .client_no_context_takeover = 1,
                                            .threshold_bytes = 1024,
                                            .level = 1};
/* [terms] */

static const uvow_deflate_options_t *const terms[] = {&most, &less, &none};

static uvow_next_t on_handshake(uvow_websocket_t *ws, void *data) {
  const char *offer = uvow_websocket_header(ws, "Sec-WebSocket-Extensions");
  (void)data;
  printf("%s\n", offer ? offer : "no offer");
  return uvow_next_none();
}

static uvow_next_t echo(uvow_call_t *call, const uvow_result_t *params,
                        void *data) {
  (void)call;
  (void)params;
  (void)data;
  return uvow_next_pass();
}

/* [server] */
static int start_server(app_t *app) {
  uvow_listener_options_t listener = {.size = sizeof(listener)};
  uvow_peer_options_t options = {.size = sizeof(options)};
  listener.deflate = &most;             /* agrees to what a client offers */
  listener.max_message_bytes = 1 << 20; /* of what comes out of inflating */
  listener.on_handshake = on_handshake;
  options.protocol = uvow_protocol_by_name("jsonrpc2");
  options.methods = uvow_methods_new(app->loop);
  uvow_methods_add(options.methods, "echo", echo, NULL);
  app->server =
      uvow_server_new(uvow_listener_new(app->loop, &listener), &options);
  uvow_methods_unref(options.methods);
  return app->server ? 0 : uvow_error_code(uvow_loop_error(app->loop));
}
/* [server] */

static int ask(app_t *app);

static void answered(const uvow_result_t *result, void *data) {
  app_t *app = data;
  uvow_slice_t text = uvow_result_bytes(result);
  int same = text.bytes && text.len == strlen(app->text) &&
             !memcmp(text.bytes, app->text, text.len);
  printf("%s\n", result->error ? uvow_error_message(result->error)
                 : same        ? "came back as it was"
                               : "came back as something else");
  uvow_peer_unref(app->client);
  app->client = NULL;
  if (++app->at < sizeof(terms) / sizeof(*terms) && ask(app) == 0)
    return;
  uvow_server_free(app->server);
  uvow_loop_close(app->loop, NULL, NULL);
}

/* [client] */
static int start_client(app_t *app, const uvow_deflate_options_t *deflate) {
  char url[64];
  uvow_peer_options_t options = {.size = sizeof(options)};
  uvow_websocket_options_t websocket = {.size = sizeof(websocket)};
  snprintf(url, sizeof(url), "ws://127.0.0.1:%u/",
           (unsigned)uvow_server_port(app->server));
  options.websocket = &websocket;
  options.protocol = uvow_protocol_by_name("jsonrpc2");
  websocket.deflate = deflate; /* NULL: none is offered */
  app->client = uvow_peer_connect(app->loop, url, &options);
  return app->client ? 0 : UVOW_ENOMEM;
}
/* [client] */

static int ask(app_t *app) {
  int rc = start_client(app, terms[app->at]);
  if (rc)
    return rc;
  return uvow_future_done(
      uvow_peer_request(app->client, "echo", uvow_value_raw(app->text)),
      answered, app);
}

int main(void) {
  app_t app = {0};
  uv_loop_t *uv = uv_default_loop();
  signal(SIGPIPE, SIG_IGN); /* as every libuv program that writes to sockets */
  memset(app.text, 'x', sizeof(app.text) - 1);
  memcpy(app.text, "[\"", 2);
  memcpy(app.text + sizeof(app.text) - 3, "\"]", 2);
  app.loop = uvow_loop_new(uv, NULL);
  int rc = app.loop ? 0 : UVOW_ENOMEM;
  if (rc == 0)
    rc = start_server(&app);
  if (rc == 0)
    rc = ask(&app);
  if (rc) {
    fprintf(stderr, "compression: %s\n", uvow_strerror(rc));
    return 1;
  }
  uv_run(uv, UV_RUN_DEFAULT);
  return uv_loop_close(uv) != 0;
}
