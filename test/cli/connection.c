/*
 * The command's options for a connection: what a server sees of them.
 */
#include "support/command.h"

#include <stdio.h>

#include <args.h>

#include "support/certs.h"
#include "support/folder.h"
#include "support/serve.h"

/* What a handshake had to show, in a server of the test's own. */
typedef struct seen {
  uvow_loop_t *loop;
  uvow_server_t *server;
  char url[64];
  char text[512];
  int refuses;
} seen_t;

static void add(seen_t *seen, const uvow_websocket_t *ws, const char *name) {
  const char *value = uvow_websocket_header(ws, name);
  size_t len = strlen(seen->text);
  snprintf(seen->text + len, sizeof(seen->text) - len, "%s|",
           value ? value : "");
}

static uvow_next_t on_handshake(uvow_websocket_t *ws, void *data) {
  seen_t *seen = (seen_t *)data;
  seen->text[0] = '\0';
  add(seen, ws, "Authorization");
  add(seen, ws, "Origin");
  add(seen, ws, "X-Tenant");
  add(seen, ws, "Sec-WebSocket-Protocol");
  const char *extensions =
      uvow_websocket_header(ws, "Sec-WebSocket-Extensions");
  if (extensions && strstr(extensions, "permessage-deflate"))
    strcat(seen->text, "deflate");
  if (seen->refuses) {
    uvow_websocket_refuse(ws, 401, "who\nare \033 you?");
    return uvow_next_code(UVOW_EINVAL, NULL);
  }
  return uvow_next_none();
}

static uvow_next_t echo(uvow_call_t *call, const uvow_result_t *params,
                        void *data) {
  (void)call;
  (void)params;
  (void)data;
  return uvow_next_pass();
}

static void look(seen_t *seen, command_t *command) {
  static const char *const any[] = {"*"};
  test_serve_t options = test_serve_options();
  options.listener.origins = any;
  options.listener.origin_count = 1;
  options.listener.on_handshake = on_handshake;
  options.listener.data = options.peer.data = seen;
  seen->text[0] = '\0';
  seen->loop = uvow_loop_new(&command->uv, NULL);
  assert_non_null(seen->loop);
  assert_int_equal(test_serve(seen->loop, &options, &seen->server), 0);
  test_method(seen->server, "echo", echo, NULL);
  snprintf(seen->url, sizeof(seen->url), "ws://127.0.0.1:%u/",
           (unsigned)uvow_server_port(seen->server));
}

static void look_away(seen_t *seen, command_t *command) {
  uvow_server_free(seen->server);
  uvow_loop_close(seen->loop, NULL, NULL);
  uv_run(&command->uv, UV_RUN_DEFAULT);
}

static void the_handshake_has_what_was_asked_for(void **state) {
  command_t *command = (command_t *)*state;
  seen_t seen = {0};
  look(&seen, command);
  assert_int_equal(COMMAND_RUN(command, "call", "--url", seen.url, "echo"),
                   EXIT_OK);
  assert_string_equal(seen.text, "||||");
  assert_int_equal(COMMAND_RUN(command, "call", "--url", seen.url,
                               "--oauth2-bearer", "s3cret", "--origin",
                               "https://example.org", "-H", "X-Tenant: 7",
                               "--subprotocol", "a", "--subprotocol", "b",
                               "--deflate", "echo"),
                   EXIT_OK);
  assert_string_equal(seen.text,
                      "Bearer s3cret|https://example.org|7|a, b|deflate");
  assert_int_equal(COMMAND_RUN(command, "bench", "--url", seen.url,
                               "--oauth2-bearer", "t", "--origin", "o",
                               "--header", "X-Tenant: 8", "--deflate",
                               "--no-deflate", "--requests", "5", "--line"),
                   EXIT_OK);
  assert_string_equal(seen.text, "Bearer t|o|8||");
  look_away(&seen, command);
}

static void what_a_refusal_says_is_shown(void **state) {
  command_t *command = (command_t *)*state;
  seen_t seen = {.refuses = 1};
  look(&seen, command);
  assert_int_equal(COMMAND_RUN(command, "call", seen.url, "echo"),
                   EXIT_NOT_SENT);
  assert_non_null(strstr(command->err, "UVOW_EHANDSHAKE, not sent: "));
  assert_non_null(strstr(command->err, "401"));
  assert_non_null(strstr(command->err, "\n  who\n  are \033 you?\n"));
  assert_int_equal(COMMAND_RUN(command, "call", seen.url, "echo", "--json"),
                   EXIT_NOT_SENT);
  assert_non_null(strstr(command->out, "\"body\":\"who\\nare "));
  assert_non_null(strstr(command->out, "\"status\":401}}"));
  assert_int_equal(COMMAND_RUN(command, "listen", seen.url), EXIT_NOT_SENT);
  assert_non_null(strstr(command->err, "\n  who\n"));
  assert_int_equal(COMMAND_RUN(command, "ping", seen.url), EXIT_NOT_SENT);
  assert_non_null(strstr(command->err, "\n  who\n"));
  look_away(&seen, command);
}

static void what_can_not_be_sent_is_wrong_usage(void **state) {
  command_t *command = (command_t *)*state;
  static const char *const wrong[][2] = {{"--oauth2-bearer", "a b"},
                                         {"--origin", "a\nb"},
                                         {"--header", "A: b\r\nC: d"},
                                         {"--subprotocol", "a b"},
                                         {"--proxy", "http://"}};
  for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
    assert_int_equal(COMMAND_RUN(command, "call", "--url", "ws://127.0.0.1:1/",
                                 wrong[i][0], wrong[i][1], "echo"),
                     EXIT_USAGE);
    assert_non_null(strstr(command->err, wrong[i][0]));
    assert_int_equal(COMMAND_RUN(command, "bench", "--url", "ws://127.0.0.1:1/",
                                 wrong[i][0], wrong[i][1]),
                     EXIT_USAGE);
    assert_non_null(strstr(command->err, wrong[i][0]));
  }
}

static void a_server_agrees_on_its_subprotocols(void **state) {
  command_t *command = (command_t *)*state;
  static const char *const options[] = {"--subprotocol", "v2", NULL};
  command_serve(command, options);
  assert_int_equal(COMMAND_RUN(command, "call", "--url", "URL", "--subprotocol",
                               "v3", "--subprotocol", "v2", "echo", "[1]"),
                   EXIT_OK);
  assert_int_equal(command_stop(command), 0);
}

/* Certificates, in files. */
typedef struct files {
  folder_t folder;
  char ca[FOLDER_PATH];
  char cert[FOLDER_PATH];
  char key[FOLDER_PATH];
  char both[FOLDER_PATH];
  char locked[FOLDER_PATH];
} files_t;

static void write_files(files_t *files) {
  cert_t *ca = cert_new_ca("CA");
  cert_t *cert = cert_new_localhost(ca);
  char *both = cert_join(cert->pem, cert->key_pem);
  char *locked = cert_locked_key(cert, "pa55");
  folder_make(&files->folder);
  folder_file(&files->folder, "ca.pem", ca->pem, files->ca);
  folder_file(&files->folder, "cert.pem", cert->pem, files->cert);
  folder_file(&files->folder, "key.pem", cert->key_pem, files->key);
  folder_file(&files->folder, "both.pem", both, files->both);
  folder_file(&files->folder, "locked.pem", locked, files->locked);
  free(locked);
  free(both);
  cert_free(cert);
  cert_free(ca);
}

static void a_server_may_ask_for_a_certificate(void **state) {
  command_t *command = (command_t *)*state;
  files_t files;
  write_files(&files);
  const char *const options[] = {"--cert", files.both, "--cacert", files.ca,
                                 NULL};
  command_serve(command, options);
  assert_int_equal(COMMAND_RUN(command, "call", "--url", "URL", "--cacert",
                               files.ca, "echo", "[1]"),
                   EXIT_NOT_SENT);
  assert_non_null(strstr(command->err, "alert 116"));
  assert_int_equal(COMMAND_RUN(command, "call", "--url", "URL", "--cacert",
                               files.ca, "--cert", files.cert, "--key",
                               files.key, "echo", "[1]"),
                   EXIT_OK);
  assert_string_equal(command->out, "[1]\n");
  assert_string_equal(command->err, "");
  assert_int_equal(COMMAND_RUN(command, "bench", "--url", "URL", "--cacert",
                               files.ca, "-E", files.both, "--requests", "20",
                               "--line"),
                   EXIT_OK);
  assert_int_equal(command_stop(command), 0);
  folder_remove(&files.folder);
}

static void a_key_may_have_a_password(void **state) {
  command_t *command = (command_t *)*state;
  files_t files;
  write_files(&files);
  const char *const options[] = {"--cert", files.cert, "--key", files.locked,
                                 "--pass", "pa55",     NULL};
  command_serve(command, options);
  assert_int_equal(COMMAND_RUN(command, "call", "--url", "URL", "--cacert",
                               files.ca, "echo", "[1]"),
                   EXIT_OK);
  assert_int_equal(command_stop(command), 0);
  assert_int_equal(COMMAND_RUN(command, "serve", "--cert", files.cert, "--key",
                               files.locked, "--pass", "other"),
                   EXIT_NOT_SENT);
  assert_non_null(strstr(command->err, "key_file"));
  assert_int_equal(COMMAND_RUN(command, "serve", "--cert", files.cert),
                   EXIT_NOT_SENT); /* no key in it */
  assert_non_null(strstr(command->err, "key_file"));
  folder_remove(&files.folder);
}

static void insecure_says_so(void **state) {
  command_t *command = (command_t *)*state;
  static const char *const plain[] = {NULL};
  files_t files;
  write_files(&files);
  const char *const options[] = {"--cert", files.both, NULL};
  command_serve(command, options);
  assert_int_equal(
      COMMAND_RUN(command, "call", "--url", "URL", "-k", "echo", "[1]"),
      EXIT_OK);
  assert_string_equal(command->out, "[1]\n");
  assert_non_null(strstr(command->err, "certificate is not checked"));
  assert_int_equal(COMMAND_RUN(command, "bench", "--url", "URL", "--insecure",
                               "--connections", "3", "--requests", "9",
                               "--line"),
                   EXIT_OK);
  assert_non_null(strstr(command->err, "certificate is not checked"));
  assert_int_equal(command_stop(command), 0);
  command_serve(command, plain); /* ws: there's none to check */
  assert_int_equal(
      COMMAND_RUN(command, "call", "--url", "URL", "-k", "echo", "[1]"),
      EXIT_OK);
  assert_string_equal(command->err, "");
  assert_int_equal(command_stop(command), 0);
  folder_remove(&files.folder);
}

static void a_unix_domain_socket_will_do(void **state) {
  command_t *command = (command_t *)*state;
  folder_t folder;
  char path[FOLDER_PATH];
  folder_make(&folder);
  folder_file(&folder, "a socket: yes?", NULL, path);
  const char *const options[] = {"--unix-socket", path, NULL};
  command_serve(command, options);
  assert_int_equal(strncmp(command->url, "ws+unix:///", 11), 0);
  assert_int_equal(COMMAND_RUN(command, "call", "--url", "URL", "echo", "[1]"),
                   EXIT_OK);
  assert_string_equal(command->out, "[1]\n");
  assert_int_equal(COMMAND_RUN(command, "serve", "--unix-socket", path),
                   EXIT_NOT_SENT); /* it's in use */
  assert_non_null(strstr(command->err, path));
  assert_int_equal(COMMAND_RUN(command, "call", "--url", "URL", "echo", "[2]"),
                   EXIT_OK);
  assert_int_equal(command_stop(command), 0);
  folder_remove(&folder);
}

static void a_killed_servers_socket_is_taken_over(void **state) {
  command_t *command = (command_t *)*state;
  folder_t folder;
  char path[FOLDER_PATH];
  folder_make(&folder);
  folder_file(&folder, "socket", NULL, path);
  const char *const options[] = {"--unix-socket", path, NULL};
  command_serve(command, options);
  process_kill(&command->server);
  assert_int_equal(COMMAND_RUN(command, "call", "--url", "URL", "echo", "[1]"),
                   EXIT_NOT_SENT);
  command_serve(command, options);
  assert_int_equal(COMMAND_RUN(command, "call", "--url", "URL", "echo", "[1]"),
                   EXIT_OK);
  assert_int_equal(command_stop(command), 0);
  folder_remove(&folder);
}

TEST_MODULE(connection) {
#define CASE(name)                                                             \
  cmocka_unit_test_setup_teardown(name, command_setup, command_teardown)
  const struct CMUnitTest tests[] = {
      CASE(the_handshake_has_what_was_asked_for),
      CASE(what_a_refusal_says_is_shown),
      CASE(what_can_not_be_sent_is_wrong_usage),
      CASE(a_server_agrees_on_its_subprotocols),
      CASE(a_server_may_ask_for_a_certificate),
      CASE(a_key_may_have_a_password),
      CASE(insecure_says_so),
      CASE(a_unix_domain_socket_will_do),
      CASE(a_killed_servers_socket_is_taken_over),
  };
  return cmocka_run_group_tests_name("cli/connection", tests, NULL, NULL);
}
