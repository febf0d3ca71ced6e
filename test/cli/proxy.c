/*
 * The command through a proxy: tinyproxy, in front of `uvow serve`.
 */
#include "support/command.h"

#include <stdio.h>

#include <args.h>

#include "support/certs.h"
#include "support/folder.h"
#include "support/tinyproxy.h"

/* The command, and beside it a proxy, on a loop of its own. */
typedef struct scene {
  command_t *command;
  interop_t *it;
  char proxy[96];
  char in_vain[96]; /* the same with a wrong password */
} scene_t;

static const char *const variables[] = {
    "http_proxy",  "https_proxy", "all_proxy",      "no_proxy",
    "HTTPS_PROXY", "ALL_PROXY",   "REQUEST_METHOD", "NO_PROXY"};

static int setup(void **state) {
  scene_t *x = (scene_t *)calloc(1, sizeof(*x));
  void *command;
  void *it;
  if (!x || command_setup(&command) || interop_setup(&it))
    return -1;
  for (size_t i = 0; i < sizeof(variables) / sizeof(*variables); i++)
    uv_os_unsetenv(variables[i]);
  x->command = (command_t *)command;
  x->it = (interop_t *)it;
  *state = x;
  return 0;
}

static int teardown(void **state) {
  scene_t *x = (scene_t *)*state;
  void *command = x->command;
  void *it = x->it;
  int rc = interop_teardown(&it);
  rc = command_teardown(&command) || rc;
  for (size_t i = 0; i < sizeof(variables) / sizeof(*variables); i++)
    uv_os_unsetenv(variables[i]);
  free(x);
  return rc;
}

/* The server, and the proxy, which wants to know who asks. */
static void meet(scene_t *x, const char *const *options) {
  command_serve(x->command, options);
  const char *colon = strrchr(x->command->url, ':');
  const unsigned ports[2] = {(unsigned)strtoul(colon + 1, NULL, 10), 0};
  int port = tinyproxy_run(x->it, ports, "BasicAuth user pa55\n");
  snprintf(x->proxy, sizeof(x->proxy), "http://user:pa55@127.0.0.1:%d", port);
  snprintf(x->in_vain, sizeof(x->in_vain), "http://user:s3cret@127.0.0.1:%d",
           port);
}

static void ws_goes_through(void **state) {
  static const char *const options[] = {NULL};
  scene_t *x = (scene_t *)*state;
  meet(x, options);
  assert_int_equal(COMMAND_RUN(x->command, "call", "--url", "URL", "-x",
                               x->proxy, "echo", "[1]"),
                   EXIT_OK);
  assert_string_equal(x->command->out, "[1]\n");
  free(interop_expect_line(x->it, "CONNECT 127.0.0.1:"));
  assert_int_equal(COMMAND_RUN(x->command, "bench", "--url", "URL", "--proxy",
                               x->proxy, "--connections", "2", "--requests",
                               "50", "--verify", "--line"),
                   EXIT_OK);
}

static void wss_goes_through(void **state) {
  scene_t *x = (scene_t *)*state;
  cert_t *cert = cert_new_localhost(NULL);
  char *both = cert_join(cert->pem, cert->key_pem);
  folder_t folder;
  char path[FOLDER_PATH];
  folder_make(&folder);
  folder_file(&folder, "both.pem", both, path);
  const char *const options[] = {"--cert", path, NULL};
  meet(x, options);
  assert_int_equal(COMMAND_RUN(x->command, "call", "--url", "URL", "--proxy",
                               x->proxy, "--cacert", path, "echo", "[1]"),
                   EXIT_OK);
  assert_int_equal(uv_os_setenv("https_proxy", x->proxy), 0);
  assert_int_equal(COMMAND_RUN(x->command, "call", "--url", "URL",
                               "--proxy-env", "--cacert", path, "echo", "[1]"),
                   EXIT_OK);
  folder_remove(&folder);
  free(both);
  cert_free(cert);
}

static void a_refusal_is_not_sent_and_tells_no_password(void **state) {
  static const char *const options[] = {NULL};
  scene_t *x = (scene_t *)*state;
  meet(x, options);
  assert_int_equal(COMMAND_RUN(x->command, "call", "--url", "URL", "--proxy",
                               x->in_vain, "echo", "[1]"),
                   EXIT_NOT_SENT);
  assert_non_null(
      strstr(x->command->err,
             "UVOW_EPROXY, not sent: there is no connection: the proxy "));
  assert_non_null(strstr(x->command->err, "HTTP 401"));
  assert_null(strstr(x->command->err, "s3cret"));
}

/* Only when told to; and then NO_PROXY counts too. */
static void the_environment_is_asked(void **state) {
  static const char *const options[] = {NULL};
  scene_t *x = (scene_t *)*state;
  meet(x, options);
  assert_int_equal(uv_os_setenv("http_proxy", x->in_vain), 0);
  assert_int_equal(
      COMMAND_RUN(x->command, "call", "--url", "URL", "echo", "[1]"), EXIT_OK);
  assert_int_equal(COMMAND_RUN(x->command, "call", "--url", "URL",
                               "--proxy-env", "echo", "[1]"),
                   EXIT_NOT_SENT);
  assert_non_null(strstr(x->command->err, "HTTP 401"));
  assert_int_equal(uv_os_setenv("http_proxy", x->proxy), 0);
  assert_int_equal(COMMAND_RUN(x->command, "bench", "--url", "URL",
                               "--proxy-env", "--requests", "9", "--line"),
                   EXIT_OK);
  assert_int_equal(uv_os_setenv("http_proxy", x->in_vain), 0);
  assert_int_equal(uv_os_setenv("no_proxy", "127.0.0.0/8"), 0);
  assert_int_equal(COMMAND_RUN(x->command, "call", "--url", "URL",
                               "--proxy-env", "echo", "[1]"),
                   EXIT_OK);
}

TEST_MODULE(proxy) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
  const struct CMUnitTest tests[] = {
      CASE(ws_goes_through),
      CASE(wss_goes_through),
      CASE(a_refusal_is_not_sent_and_tells_no_password),
      CASE(the_environment_is_asked),
  };
  return cmocka_run_group_tests_name("cli/proxy", tests, NULL, NULL);
}
