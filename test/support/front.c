#include "front.h"

#include <stdio.h>

const front_program_t front_nginx = {"/usr/sbin/nginx", 1, 502};
const front_program_t front_haproxy = {"/usr/sbin/haproxy", 0, 503};

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
    "    listen 127.0.0.1:%u%s;\n"
    "    location / {\n"
    "      proxy_pass http%s://127.0.0.1:%u;\n"
    "      proxy_http_version 1.1;\n"
    "      proxy_set_header Upgrade $http_upgrade;\n"
    "      proxy_set_header Connection \"upgrade\";\n"
    "      proxy_set_header Host $host;\n"
    "      proxy_set_header X-Forwarded-By nginx;\n"
    "      proxy_set_header X-Forwarded-Proto $scheme;\n"
    "      proxy_read_timeout %ums;\n"
    "    }\n"
    "  }\n"
    "}\n";

static const char nginx_front[] =
    " ssl;\n    ssl_certificate front.pem;\n    ssl_certificate_key front.pem";

/* It stands behind "http". */
static const char nginx_behind[] = "s";
static const char nginx_trust[] =
    "proxy_ssl_verify on;\nproxy_ssl_trusted_certificate ca.pem;\n"
    "proxy_ssl_name localhost;\nproxy_ssl_server_name on;\n";

static const char haproxy_config[] =
    "global\n"
    "  log stderr format raw local0 info\n"
    "  nbthread 1\n"
    "defaults\n"
    "  mode http\n"
    "  timeout connect 5s\n  timeout client 60s\n  timeout server %ums\n"
    "  timeout tunnel 60s\n  retries 0\n"
    "frontend front\n"
    "  bind fd@3%s\n"
    "  default_backend back\n"
    "backend back\n"
    "  http-request set-header X-Forwarded-By haproxy\n"
    "  http-request set-header X-Forwarded-Proto %s\n"
    "  server one 127.0.0.1:%u%s\n";

/* Around what the how-to has: where to listen, what to write on stderr. */
static const char nginx_around[] =
    "daemon off;\nmaster_process off;\npid nginx.pid;\n"
    "error_log stderr notice;\nevents { worker_connections 64; }\n"
    "http {\n  access_log off;\n  client_body_temp_path body;\n"
    "  proxy_temp_path proxy; fastcgi_temp_path fastcgi;\n"
    "  uwsgi_temp_path uwsgi; scgi_temp_path scgi;\n"
    "  server {\n    listen 127.0.0.1:%u;\n%s  }\n}\n";
static const char haproxy_around[] =
    "global\n  log stderr format raw local0 info\n  nbthread 1\n%s"
    "frontend front\n  bind fd@3\n  default_backend rpc\n";

/* The how-to's block for a program, with the backend's port for its own. */
static void read_howto(const front_options_t *options, char *ret, size_t size) {
  static const char address[] = "127.0.0.1:9000";
  const char *root = getenv("TEST_ROOT");
  const char *mark =
      options->program->is_nginx ? "\nnginx:\n\n```\n" : "\nhaproxy:\n\n```\n";
  char path[1024], page[8192];
  snprintf(path, sizeof(path), "%s/docs/howto/behind-a-proxy.md",
           root ? root : "../..");
  FILE *file = fopen(path, "r");
  assert_non_null(file);
  page[fread(page, 1, sizeof(page) - 1, file)] = '\0';
  fclose(file);
  char *block = strstr(page, mark);
  assert_non_null(block);
  block += strlen(mark);
  *strstr(block, "```") = '\0';
  char *at = strstr(block, address);
  assert_non_null(at);
  snprintf(ret, size, "%.*s127.0.0.1:%u%s", (int)(at - block), block,
           options->backend, at + strlen(address));
}

static void write_howto(const front_t *front, const front_options_t *options,
                        char path[FOLDER_PATH]) {
  char block[4096], text[6144];
  read_howto(options, block, sizeof(block));
  if (options->program->is_nginx)
    snprintf(text, sizeof(text), nginx_around, front->port, block);
  else
    snprintf(text, sizeof(text), haproxy_around, block);
  folder_file(&front->folder, "config", text, path);
}

static unsigned silence_of(const front_options_t *options) {
  return options->silence_ms ? options->silence_ms : 60000;
}

static void write_nginx(const front_t *front, const front_options_t *options,
                        char path[FOLDER_PATH]) {
  char text[2048];
  char with_trust[2560];
  snprintf(text, sizeof(text), nginx_config, front->port,
           options->pem ? nginx_front : "", options->ca_pem ? nginx_behind : "",
           options->backend, silence_of(options));
  if (options->ca_pem) {
    char *http = strstr(text, "  server {");
    snprintf(with_trust, sizeof(with_trust), "%.*s%s%s", (int)(http - text),
             text, nginx_trust, http);
    folder_file(&front->folder, "config", with_trust, path);
  } else {
    folder_file(&front->folder, "config", text, path);
  }
}

static void write_haproxy(const front_t *front, const front_options_t *options,
                          char path[FOLDER_PATH]) {
  char text[3072];
  char before[FOLDER_PATH + 32] = "";
  char behind[FOLDER_PATH + 96] = "";
  if (options->pem)
    snprintf(before, sizeof(before), " ssl crt %s/front.pem",
             front->folder.path);
  if (options->ca_pem)
    snprintf(behind, sizeof(behind),
             " ssl verify required ca-file %s/ca.pem verifyhost localhost"
             " sni str(localhost)",
             front->folder.path);
  snprintf(text, sizeof(text), haproxy_config, silence_of(options), before,
           options->pem ? "https" : "http", options->backend, behind);
  folder_file(&front->folder, "config", text, path);
}

/* Never called: the program accepts, not we. */
static void on_incoming(uv_stream_t *socket, int status) {
  (void)socket;
  (void)status;
}

static unsigned listen_for_it(interop_t *it, uv_tcp_t *socket) {
  struct sockaddr_in address;
  int size = sizeof(address);
  assert_int_equal(uv_ip4_addr("127.0.0.1", 0, &address), 0);
  assert_int_equal(uv_tcp_init(&it->uv, socket), 0);
  assert_int_equal(uv_tcp_bind(socket, (struct sockaddr *)&address, 0), 0);
  assert_int_equal(uv_listen((uv_stream_t *)socket, 64, on_incoming), 0);
  assert_int_equal(
      uv_tcp_getsockname(socket, (struct sockaddr *)&address, &size), 0);
  return ntohs(address.sin_port);
}

static void on_closed(uv_handle_t *handle) {
  *(int *)handle->data = 1;
}

/* Before anything is open that a skipped test would leave behind. */
static void need_program(const char *path) {
  uv_fs_t request;
  int rc = uv_fs_stat(NULL, &request, path, NULL);
  uv_fs_req_cleanup(&request);
  if (rc)
    process_skip(path);
}

/* It inherits a socket that listens already: nobody else can have its port, and
 * who connects too early just waits. */
static void run_haproxy(front_t *front, interop_t *it,
                        const front_options_t *options) {
  char path[FOLDER_PATH];
  const char *args[] = {options->program->path, "-db", "-f", path, NULL};
  uv_tcp_t socket;
  int closed = 0;
  front->port = listen_for_it(it, &socket);
  if (options->howto)
    write_howto(front, options, path);
  else
    write_haproxy(front, options, path);
  interop_run_with(it, args, &socket);
  socket.data = &closed;
  uv_close((uv_handle_t *)&socket, on_closed);
  while (!closed)
    uv_run(&it->uv, UV_RUN_NOWAIT);
}

/* With its one process, nginx can't inherit a socket: it would crash. With two,
 * the second would outlive the test. So it's told a port that was free a moment
 * ago. */
static void run_nginx(front_t *front, interop_t *it,
                      const front_options_t *options) {
  char path[FOLDER_PATH];
  const char *args[] = {options->program->path,
                        "-p",
                        front->folder.path,
                        "-e",
                        "stderr",
                        "-c",
                        path,
                        NULL};
  char *line = NULL;
  for (int tries = 0; !line; tries++) {
    front->port = (unsigned)interop_free_port(it);
    if (options->howto)
      write_howto(front, options, path);
    else
      write_nginx(front, options, path);
    interop_run(it, args);
    line = interop_line(it, "getrlimit"); /* it listens by then */
    if (!line && tries == 10)
      fail_msg("nginx ended: %s", it->log);
  }
  free(line);
}

void front_run(front_t *front, interop_t *it, const front_options_t *options) {
  char path[FOLDER_PATH];
  need_program(options->program->path);
  folder_make(&front->folder);
  if (options->pem)
    folder_file(&front->folder, "front.pem", options->pem, path);
  if (options->ca_pem)
    folder_file(&front->folder, "ca.pem", options->ca_pem, path);
  if (options->program->is_nginx)
    run_nginx(front, it, options);
  else
    run_haproxy(front, it, options);
}

void front_done(front_t *front) {
  folder_remove(&front->folder);
}
