/*
 * nginx and haproxy as reverse proxies in front of uvow's server: requests go
 * through each, and when nobody is behind it, the error says so.
 *
 * Each runs as a child in the foreground, as the user of the test, with all its
 * files in a folder of the test's own, and listens on a Unix domain socket
 * there: a port that was free a moment ago could be somebody else's by now.
 */
#include "support/interop.h"

#include <stdio.h>

#include "support/folder.h"

static uvow_next_t echo(const uvow_call_t *call, void *data) {
  (void)call;
  (void)data;
  return uvow_next_pass();
}

/* Says what the proxy asked for. */
static void look(uvow_handshake_t *handshake, void *data) {
  const char *by = uvow_handshake_header(handshake, "X-Forwarded-By");
  (void)data;
  if (strcmp(uvow_handshake_target(handshake), "/chat?room=1") != 0 || !by)
    uvow_handshake_refuse(handshake, 400, "not as it was sent");
  else if (uvow_handshake_header(handshake, "X-Unwelcome"))
    uvow_handshake_refuse(handshake, 403, "unwelcome");
}

static uvow_server_t *serve(interop_t *it) {
  uvow_server_t *server;
  uvow_server_options_t options = {0};
  options.size = sizeof(options);
  options.protocol = uvow_protocol_jsonrpc2();
  options.on_handshake = look;
  assert_int_equal(uvow_server_new(it->loop, &options, &server), 0);
  assert_int_equal(uvow_server_method(server, "echo", echo, NULL, NULL), 0);
  return server;
}

static const char nginx_config[] =
    "daemon off;\nmaster_process off;\npid nginx.pid;\n"
    "error_log stderr notice;\n"
    "events { worker_connections 64; }\n"
    "http {\n"
    "  access_log off;\n"
    "  client_body_temp_path body; proxy_temp_path proxy;\n"
    "  fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi;\n"
    "  scgi_temp_path scgi;\n"
    "  server {\n"
    "    listen unix:%s/front;\n"
    "    location / {\n"
    "      proxy_pass http://127.0.0.1:%u;\n"
    "      proxy_http_version 1.1;\n"
    "      proxy_set_header Upgrade $http_upgrade;\n"
    "      proxy_set_header Connection \"upgrade\";\n"
    "      proxy_set_header Host $host;\n"
    "      proxy_set_header X-Forwarded-By nginx;\n"
    "    }\n"
    "  }\n"
    "}\n";

static const char haproxy_config[] =
    "global\n"
    "  log stderr format raw local0 info\n"
    "defaults\n"
    "  mode http\n"
    "  timeout connect 5s\n  timeout client 60s\n  timeout server 60s\n"
    "  timeout tunnel 60s\n  retries 0\n"
    "frontend front\n"
    "  bind unix@%s/front\n"
    "  default_backend back\n"
    "backend back\n"
    "  http-request set-header X-Forwarded-By haproxy\n"
    "  server one 127.0.0.1:%u\n";

/* A proxy: how it's run, and what a vanished upstream looks like through it. */
typedef struct proxy {
  const char *program;
  const char *config;
  int gone; /* the status when nobody is behind it */
} proxy_t;

static const proxy_t nginx = {"/usr/sbin/nginx", nginx_config, 502};
static const proxy_t haproxy = {"/usr/sbin/haproxy", haproxy_config, 503};

/* Until something listens on the socket: it is there. */
static void await_socket(interop_t *it, const char *path) {
  uv_fs_t request;
  int rc;
  do {
    uv_run(&it->uv, UV_RUN_NOWAIT);
    rc = uv_fs_stat(NULL, &request, path, NULL);
    uv_fs_req_cleanup(&request);
  } while (rc && !it->process.exited);
  if (rc)
    fail_msg("the proxy ended:\n%s", it->log ? it->log : "");
}

static void run_proxy(interop_t *it, const folder_t *folder,
                      const proxy_t *proxy, unsigned port) {
  char text[2048];
  char path[FOLDER_PATH];
  char front[FOLDER_PATH];
  snprintf(text, sizeof(text), proxy->config, folder->path, port);
  folder_file(folder, "config", text, path);
  const char *as_nginx[] = {proxy->program, "-p", folder->path, "-e",
                            "stderr",       "-c", path,         NULL};
  const char *as_haproxy[] = {proxy->program, "-db", "-f", path, NULL};
  interop_run(it, proxy == &nginx ? as_nginx : as_haproxy);
  await_socket(it, folder_file(folder, "front", NULL, front));
}

static void connect_through(interop_t *it, const folder_t *folder,
                            const uvow_header_t *headers, size_t count) {
  char url[FOLDER_PATH];
  snprintf(url, sizeof(url), "ws+unix://%s/front:/chat?room=1", folder->path);
  uvow_client_options_t options =
      interop_options(it, url, uvow_protocol_jsonrpc2());
  options.headers = headers;
  options.header_count = count;
  uvow_client_free(it->client);
  interop_connect_with(it, &options);
}

static void expect_refused(interop_t *it, int status, const char *body) {
  answer_t *ready = interop_watch(it, uvow_client_ready(it->client));
  assert_rejected(interop_ask(it, "echo", json_pack("[i]", 1)), UVOW_EHANDSHAKE,
                  UVOW_NOT_SENT);
  interop_wait(ready);
  assert_int_equal(ready->code, UVOW_EHANDSHAKE);
  assert_int_equal(uvow_error_status(ready->error), status);
  const char *data = uvow_error_data(ready->error, NULL);
  if (!data || !strstr(data, body))
    fail_msg("\"%s\" isn't in \"%s\"", body, data ? data : "nothing");
}

static void go_through(interop_t *it, const proxy_t *proxy) {
  static const uvow_header_t unwelcome = {"X-Unwelcome", "1"};
  folder_t folder;
  folder_make(&folder);
  uvow_server_t *server = serve(it);
  run_proxy(it, &folder, proxy, uvow_server_port(server));
  connect_through(it, &folder, NULL, 0);
  for (int i = 0; i < 50; i++)
    interop_ask(it, "echo", json_pack("[i]", i));
  interop_wait_all(it);
  for (answer_t *at = it->answers; at; at = at->next)
    assert_int_equal(at->code, 0);
  answer_t *closed = interop_watch(it, uvow_client_close(it->client));
  interop_wait(closed);
  assert_int_equal(closed->code, 0);
  connect_through(it, &folder, &unwelcome, 1);
  expect_refused(it, 403, "unwelcome");
  /* It goes while a client talks to it, and then it's gone. */
  connect_through(it, &folder, NULL, 0);
  interop_wait(interop_watch(it, uvow_client_ready(it->client)));
  uvow_server_free(server);
  answer_t *lost = interop_ask(it, "echo", json_pack("[i]", 1));
  interop_wait(lost);
  assert_int_equal(lost->code, UVOW_ELOST);
  connect_through(it, &folder, NULL, 0);
  expect_refused(it, proxy->gone, proxy == &nginx ? "nginx" : "<h1>503");
  interop_finish(it);
  folder_remove(&folder);
}

static void nginx_is_gone_through(void **state) {
  go_through((interop_t *)*state, &nginx);
}

static void haproxy_is_gone_through(void **state) {
  go_through((interop_t *)*state, &haproxy);
}

#define TEST(name)                                                             \
  cmocka_unit_test_setup_teardown(name, interop_setup, interop_teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(nginx_is_gone_through),
      TEST(haproxy_is_gone_through),
  };
  return cmocka_run_group_tests_name("interop/reverse_proxy", tests, NULL,
                                     NULL);
}
