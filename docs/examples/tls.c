/*
 * wss with a CA of one's own: a server with a certificate, which asks its
 * clients for theirs, and what becomes of those that are wrong.
 *
 *   tls [FOLDER]    with ca.pem, server.pem, server.key, client.pem,
 *                   client.key, expired.pem, expired.key, other.pem, other.key
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
  uvow_tls_t *tls; /* the client's */
  const char *folder;
  size_t visit;
} app_t;

/* A file's path, in one of a few buffers. */
static const char *file(const app_t *app, const char *name) {
  static char paths[4][512];
  static unsigned next;
  char *path = paths[next++ % 4];
  snprintf(path, sizeof(paths[0]), "%s/%s", app->folder, name);
  return path;
}

static uvow_next_t echo(uvow_call_t *call, const uvow_result_t *params,
                        void *data) {
  (void)call;
  (void)params;
  (void)data;
  return uvow_next_pass();
}

/* [context] */
/* Says which file or option is wrong, and how. */
static int make_tls(app_t *app, const uvow_tls_options_t *options,
                    uvow_tls_t **ret_tls) {
  uvow_error_t *error = NULL;
  int rc = uvow_tls_new(app->loop, options, ret_tls, &error);
  if (rc)
    fprintf(stderr, "tls: %s\n", uvow_error_message(error));
  uvow_error_unref(error);
  return rc;
}
/* [context] */

/* [server] */
static int start_server(app_t *app, const char *cert, const char *key) {
  uvow_tls_options_t tls = {.size = sizeof(tls), .is_server = 1};
  uvow_listener_options_t listener = {.size = sizeof(listener)};
  uvow_peer_options_t options = {.size = sizeof(options)};
  tls.cert_file = file(app, cert); /* the chain to its CA behind it */
  tls.key_file = file(app, key);
  tls.ca_file = file(app, "ca.pem"); /* whose client certificates we take */
  tls.client_certs = UVOW_TLS_CLIENT_CERT_REQUIRED;
  options.protocol = uvow_protocol_by_name("jsonrpc2");
  options.methods = uvow_methods_new(app->loop);
  uvow_methods_add(options.methods, "echo", echo, NULL);
  int rc = make_tls(app, &tls, &listener.tls);
  if (rc == 0)
    app->server =
        uvow_server_new(uvow_listener_new(app->loop, &listener), &options);
  uvow_tls_unref(listener.tls); /* the server has its own references */
  uvow_methods_unref(options.methods);
  if (rc == 0 && !app->server)
    rc = uvow_error_code(uvow_loop_error(app->loop));
  return rc;
}
/* [server] */

/* [client] */
static int start_client(app_t *app) {
  char url[64];
  uvow_peer_options_t options = {.size = sizeof(options)};
  uvow_websocket_options_t websocket = {.size = sizeof(websocket)};
  snprintf(url, sizeof(url), "wss://127.0.0.1:%u/",
           (unsigned)uvow_server_port(app->server));
  options.websocket = &websocket;
  options.protocol = uvow_protocol_by_name("jsonrpc2");
  websocket.tls = app->tls; /* for as many clients of the loop as you like */
  app->client = uvow_peer_connect(app->loop, url, &options);
  return app->client ? 0 : UVOW_ENOMEM;
}

static int make_client_tls(app_t *app, const char *ca, const char *cert,
                           const char *key) {
  uvow_tls_options_t tls = {.size = sizeof(tls)};
  tls.ca_file = file(app, ca); /* instead of the system's CAs */
  if (cert) {
    tls.cert_file = file(app, cert);
    tls.key_file = file(app, key);
  }
  return make_tls(app, &tls, &app->tls);
}
/* [client] */

static const struct {
  const char *what;
  const char *server; /* NULL: the one of the visit before, and its TLS */
  const char *server_key;
  const char *ca;
  const char *cert; /* NULL: shows none */
  const char *key;
} visits[] = {
    {"all is well", "server.pem", "server.key", "ca.pem", "client.pem",
     "client.key"},
    {"and again", NULL, NULL, NULL, NULL, NULL},
    {"another CA", "server.pem", "server.key", "other.pem", "client.pem",
     "client.key"},
    {"another host", "other.pem", "other.key", "other.pem", "client.pem",
     "client.key"},
    {"too old", "expired.pem", "expired.key", "ca.pem", "client.pem",
     "client.key"},
    {"no certificate", "server.pem", "server.key", "ca.pem", NULL, NULL},
    {"a stranger's", "server.pem", "server.key", "ca.pem", "other.pem",
     "other.key"},
};

static int visit(app_t *app);

/* [failure] */
static void print(const uvow_result_t *result) {
  const uvow_error_t *error = result->error;
  uvow_slice_t text = uvow_result_bytes(result);
  if (!error) {
    printf("%.*s\n", (int)text.len, text.bytes);
    return;
  }
  /* "the server 127.0.0.1 port 40000: ...": without its beginning here, as the
   * port is another one each time. */
  const char *message = strstr(uvow_error_message(error), " port ") + 6;
  message += strspn(message, "0123456789: ");
  printf("%s %d: %s\n", uvow_err_name(uvow_error_code(error)),
         uvow_error_status(error), message);
}
/* [failure] */

/* [resumed] */
static void print_resumed(const app_t *app) {
  uvow_tls_stats_t stats = {.size = sizeof(stats)};
  if (uvow_tls_get_stats(app->tls, &stats) == 0)
    printf("%d handshakes, %d resumed\n", (int)stats.handshakes,
           (int)stats.resumed);
}
/* [resumed] */

static void leave(app_t *app) {
  uvow_server_free(app->server);
  uvow_tls_unref(app->tls);
  app->server = NULL;
  app->tls = NULL;
}

static void answered(const uvow_result_t *result, void *data) {
  app_t *app = data;
  const size_t count = sizeof(visits) / sizeof(*visits);
  printf("%s: ", visits[app->visit].what);
  print(result);
  uvow_peer_unref(app->client);
  app->client = NULL;
  if (!visits[app->visit++].server)
    print_resumed(app);
  if (app->visit == count || visits[app->visit].server)
    leave(app);
  if (app->visit < count && visit(app) == 0)
    return;
  leave(app);
  uvow_loop_close(app->loop, NULL, NULL);
}

static int visit(app_t *app) {
  int rc = 0;
  if (visits[app->visit].server) {
    rc = start_server(app, visits[app->visit].server,
                      visits[app->visit].server_key);
    if (rc == 0)
      rc = make_client_tls(app, visits[app->visit].ca, visits[app->visit].cert,
                           visits[app->visit].key);
  }
  if (rc == 0)
    rc = start_client(app);
  if (rc)
    return rc;
  return uvow_future_done(
      uvow_peer_request(app->client, "echo", uvow_value_raw("[1]")), answered,
      app);
}

int main(int argc, char **argv) {
  app_t app = {.folder = argc > 1 ? argv[1] : "."};
  uv_loop_t *uv = uv_default_loop();
  signal(SIGPIPE, SIG_IGN); /* as every libuv program that writes to sockets */
  app.loop = uvow_loop_new(uv, NULL);
  int rc = app.loop ? 0 : UVOW_ENOMEM;
  if (rc == 0)
    rc = visit(&app);
  if (rc) {
    fprintf(stderr, "tls: %s\n", uvow_strerror(rc));
    return 1;
  }
  uv_run(uv, UV_RUN_DEFAULT);
  return uv_loop_close(uv) != 0;
}
