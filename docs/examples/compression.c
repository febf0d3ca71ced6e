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
  uvow_client_t *client;
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

static void on_handshake(uvow_handshake_t *handshake, void *data) {
  const char *offer =
      uvow_handshake_header(handshake, "Sec-WebSocket-Extensions");
  (void)data;
  printf("%s\n", offer ? offer : "no offer");
}

static uvow_next_t echo(const uvow_call_t *call, void *data) {
  (void)call;
  (void)data;
  return uvow_next_pass();
}

/* [server] */
static int start_server(app_t *app) {
  uvow_server_options_t options = {.size = sizeof(options)};
  options.protocol = uvow_protocol_jsonrpc2();
  options.deflate = &most;             /* agrees to what a client offers */
  options.max_message_bytes = 1 << 20; /* of what comes out of inflating */
  options.on_handshake = on_handshake;
  int rc = uvow_server_new(app->loop, &options, &app->server);
  return rc ? rc : uvow_server_method(app->server, "echo", echo, NULL, NULL);
}
/* [server] */

static int ask(app_t *app);

static void answered(const uvow_result_t *result, void *data) {
  app_t *app = data;
  size_t len = 0;
  const char *text = uvow_result_bytes(result, &len);
  int same = text && len == strlen(app->text) && !memcmp(text, app->text, len);
  printf("%s\n", result->error ? uvow_error_message(result->error)
                 : same        ? "came back as it was"
                               : "came back as something else");
  uvow_client_free(app->client);
  app->client = NULL;
  if (++app->at < sizeof(terms) / sizeof(*terms) && ask(app) == 0)
    return;
  uvow_server_free(app->server);
  uvow_loop_close(app->loop, NULL, NULL);
}

/* [client] */
static int start_client(app_t *app, const uvow_deflate_options_t *deflate) {
  char url[64];
  uvow_client_options_t options = {.size = sizeof(options)};
  snprintf(url, sizeof(url), "ws://127.0.0.1:%u/",
           (unsigned)uvow_server_port(app->server));
  options.url = url;
  options.protocol = uvow_protocol_jsonrpc2();
  options.deflate = deflate; /* NULL: none is offered */
  return uvow_client_new(app->loop, &options, &app->client);
}
/* [client] */

static int ask(app_t *app) {
  int rc = start_client(app, terms[app->at]);
  if (rc)
    return rc;
  return uvow_future_done(uvow_client_request_bytes(app->client, "echo",
                                                    app->text,
                                                    strlen(app->text), NULL),
                          answered, app);
}

int main(void) {
  app_t app = {0};
  uv_loop_t *uv = uv_default_loop();
  signal(SIGPIPE, SIG_IGN); /* as every libuv program that writes to sockets */
  memset(app.text, 'x', sizeof(app.text) - 1);
  memcpy(app.text, "[\"", 2);
  memcpy(app.text + sizeof(app.text) - 3, "\"]", 2);
  int rc = uvow_loop_new(uv, NULL, &app.loop);
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
