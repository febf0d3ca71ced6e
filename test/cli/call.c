/* uvow call, serve, and what the command says of itself. */
#include "support/certs.h"
#include "support/command.h"

#include <stdio.h>

#include <uv.h>
#include <uvow.h>

#include <args.h>

static command_t *serving(void **state) {
  command_t *command = (command_t *)*state;
  const char *const none[] = {NULL};
  command_serve(command, none);
  return command;
}

static void a_result_is_printed_as_it_came(void **state) {
  command_t *command = serving(state);
  assert_int_equal(COMMAND_RUN(command, "call", "--url", "URL", "echo",
                               "{\"b\": 1e2, \"a\":\"\xc3\xa9\"}"),
                   EXIT_OK);
  assert_string_equal(command->out, "{\"b\": 1e2, \"a\":\"\xc3\xa9\"}\n");
  assert_string_equal(command->err, "");
  assert_int_equal(COMMAND_RUN(command, "call", "--url", "URL", "echo",
                               "[1,{\"a\":2}]", "--pretty"),
                   EXIT_OK);
  assert_string_equal(command->out, "[\n  1,\n  {\n    \"a\": 2\n  }\n]\n");
  assert_int_equal(command_stop(command), 0);
}

static void words_and_files_say_what_is_called(void **state) {
  command_t *command = serving(state);
  assert_int_equal(COMMAND_RUN(command, "call", "URL", "echo", "[1]"), EXIT_OK);
  assert_string_equal(command->out, "[1]\n");
  assert_int_equal(COMMAND_RUN(command, "call", "URL", "echo", "@/nowhere"),
                   EXIT_USAGE);
  assert_string_equal(command->err,
                      "uvow: the params can't be read from @/nowhere\n"
                      "See uvow call --help.\n");
  assert_int_equal(command_stop(command), 0);
}

static void a_notification_waits_for_no_answer(void **state) {
  command_t *command = serving(state);
  assert_int_equal(COMMAND_RUN(command, "call", "URL", "--notify", "error"),
                   EXIT_OK);
  assert_string_equal(command->out, "");
  assert_string_equal(command->err, "");
  assert_int_equal(command_stop(command), 0);
  assert_int_equal(
      COMMAND_RUN(command, "call", "ws://127.0.0.1:1/", "--notify", "error"),
      EXIT_NOT_SENT);
}

static void programs_get_json(void **state) {
  command_t *command = serving(state);
  assert_int_equal(COMMAND_RUN(command, "call", "URL", "--json", "echo", "[1]"),
                   EXIT_OK);
  assert_int_equal(
      strncmp(command->out, "{\"outcome\":\"answered\",\"ms\":", 27), 0);
  assert_non_null(strstr(command->out, ",\"result\":[1]}\n"));
  assert_int_equal(COMMAND_RUN(command, "call", "URL", "--json", "error",
                               "{\"code\":4,\"data\":[2]}"),
                   EXIT_ANSWERED);
  assert_non_null(strstr(command->out,
                         "\"error\":{\"name\":\"UVOW_EREMOTE\","
                         "\"message\":\"you asked for an "
                         "error\",\"code\":4,\"data\":[2]}}\n"));
  assert_string_equal(command->err, "");
  assert_int_equal(command_stop(command), 0);
}

/* Each option of --help is completed, and is in the manual page. */
static void shells_and_man_know_the_options(void **state) {
  static const char *const all[] = {"bash", "zsh", "fish", "man"};
  command_t *command = (command_t *)*state;
  for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
    assert_int_equal(COMMAND_RUN(command, "completion", all[i]), EXIT_OK);
    assert_non_null(strstr(command->out, "inflight"));
    assert_non_null(strstr(command->out, "notify"));
    assert_non_null(
        strstr(command->out, i == 3 ? "unix\\-socket" : "unix-socket"));
  }
  assert_int_equal(COMMAND_RUN(command, "completion", "ksh"), EXIT_USAGE);
}

static void the_server_adds(void **state) {
  static const struct {
    const char *params;
    const char *sum;
  } cases[] = {
      {"{\"a\":1,\"b\":2}", "3\n"},
      {"[1,2,3]", "6\n"},
      {"[]", "0\n"},
      {"[0.5,2]", "2.5\n"},
      {"[9007199254740992,9007199254740992]", "18014398509481984.0\n"}};
  command_t *command = serving(state);
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    assert_int_equal(
        COMMAND_RUN(command, "call", "--url", "URL", "add", cases[i].params),
        EXIT_OK);
    assert_string_equal(command->out, cases[i].sum);
  }
  assert_int_equal(
      COMMAND_RUN(command, "call", "--url", "URL", "add", "{\"a\":1}"),
      EXIT_ANSWERED);
  assert_non_null(strstr(command->err, "-32602"));
  assert_int_equal(command_stop(command), 0);
}

static void sleep_answers_null(void **state) {
  command_t *command = serving(state);
  assert_int_equal(
      COMMAND_RUN(command, "call", "--url", "URL", "sleep", "{\"ms\":1}"),
      EXIT_OK);
  assert_string_equal(command->out, "null\n");
  assert_int_equal(
      COMMAND_RUN(command, "call", "--url", "URL", "sleep", "[-1]"),
      EXIT_ANSWERED);
  assert_int_equal(command_stop(command), 0);
}

static void an_error_of_the_peer_is_1(void **state) {
  command_t *command = serving(state);
  assert_int_equal(COMMAND_RUN(command, "call", "--url", "URL", "error",
                               "{\"code\":404,\"message\":\"no such thing\","
                               "\"data\":{\"id\":9}}"),
                   EXIT_ANSWERED);
  assert_string_equal(command->out, "");
  assert_string_equal(command->err,
                      "uvow: UVOW_EREMOTE, answered: no such thing (code 404): "
                      "{\"id\":9}\n");
  assert_int_equal(COMMAND_RUN(command, "call", "--url", "URL", "nope"),
                   EXIT_ANSWERED);
  assert_non_null(strstr(command->err, "(code -32601)"));
  assert_int_equal(command_stop(command), 0);
}

static void not_sent_is_2(void **state) {
  command_t *command = serving(state);
  /* JSON-RPC has no such params. */
  assert_int_equal(COMMAND_RUN(command, "call", "--url", "URL", "echo", "5"),
                   EXIT_NOT_SENT);
  assert_non_null(strstr(command->err, "UVOW_EINVAL, not sent"));
  assert_int_equal(command_stop(command), 0);
  /* Its port is closed now. */
  assert_int_equal(COMMAND_RUN(command, "call", "--url", "URL", "echo"),
                   EXIT_NOT_SENT);
  assert_non_null(strstr(command->err, "ECONNREFUSED, not sent"));
  assert_int_equal(COMMAND_RUN(command, "call", "--url", "nonsense", "echo"),
                   EXIT_NOT_SENT);
  assert_string_equal(command->out, "");
}

static void maybe_executed_is_3(void **state) {
  command_t *command = serving(state);
  assert_int_equal(COMMAND_RUN(command, "call", "--url", "URL", "--timeout",
                               "500", "sleep", "[600000]"),
                   EXIT_MAYBE);
  assert_non_null(
      strstr(command->err, "UVOW_ETIMEDOUT, sent, may have been executed"));
  assert_string_equal(command->out, "");
  assert_int_equal(command_stop(command), 0);
}

static void wrong_usage_is_64(void **state) {
  command_t *command = (command_t *)*state;
  assert_int_equal(COMMAND_RUN(command, "call", "--nope"), EXIT_USAGE);
  assert_string_equal(command->out, "");
  assert_string_equal(command->err,
                      "uvow: unknown option --nope\n"
                      "See uvow call --help.\n");
  assert_int_equal(COMMAND_RUN(command, "nope"), EXIT_USAGE);
  assert_string_equal(command->err,
                      "uvow: unknown command nope\n"
                      "See uvow --help.\n");
  assert_int_equal(COMMAND_RUN(command, NULL), EXIT_USAGE);
  assert_non_null(strstr(command->err, "usage: uvow call"));
}

static void it_says_what_it_can(void **state) {
  command_t *command = (command_t *)*state;
  assert_int_equal(COMMAND_RUN(command, "--version"), EXIT_OK);
  assert_string_equal(command->out, "uvow " UVOW_VERSION_STRING "\n");
  assert_int_equal(COMMAND_RUN(command, "--help"), EXIT_OK);
  assert_non_null(strstr(command->out, "uvow serve"));
  assert_int_equal(COMMAND_RUN(command, "bench", "--help"), EXIT_OK);
  assert_non_null(strstr(command->out, "--inflight"));
  assert_string_equal(command->err, "");
}

static void other_protocols_are_spoken(void **state) {
  static const char *const protocols[] = {"callback_id", "cdp"};
  command_t *command = (command_t *)*state;
  for (size_t i = 0; i < sizeof(protocols) / sizeof(*protocols); i++) {
    const char *const options[] = {"--protocol", protocols[i], NULL};
    command_serve(command, options);
    assert_int_equal(COMMAND_RUN(command, "call", "--url", "URL", "--protocol",
                                 protocols[i], "add", "{\"a\":1,\"b\":2}"),
                     EXIT_OK);
    assert_string_equal(command->out, "3\n");
    assert_int_equal(COMMAND_RUN(command, "call", "--url", "URL", "--protocol",
                                 protocols[i], "error"),
                     EXIT_ANSWERED);
    assert_int_equal(command_stop(command), 0);
  }
}

/* A directory of the test's own, with one file in it. */
typedef struct place {
  char dir[600];
  char file[640];
} place_t;

static void put(place_t *place, const char *name, const char *text) {
  snprintf(place->file, sizeof(place->file), "%s/%s", place->dir, name);
  FILE *file = fopen(place->file, "wb");
  assert_non_null(file);
  assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
  assert_int_equal(fclose(file), 0);
}

static void make_dir(place_t *place) {
  char template[500];
  size_t size = sizeof(template) - 32;
  uv_fs_t made;
  assert_int_equal(uv_os_tmpdir(template, &size), 0);
  snprintf(template + size, sizeof(template) - size, "/uvow-call-XXXXXX");
  assert_int_equal(uv_fs_mkdtemp(NULL, &made, template, NULL), 0);
  snprintf(place->dir, sizeof(place->dir), "%s", made.path);
  uv_fs_req_cleanup(&made);
}

static void remove_all(place_t *place) {
  uv_fs_t done;
  remove(place->file);
  uv_fs_rmdir(NULL, &done, place->dir, NULL);
  uv_fs_req_cleanup(&done);
}

static void wss_is_spoken_with_those_who_are_trusted(void **state) {
  command_t *command = (command_t *)*state;
  cert_t *cert = cert_new_localhost(NULL);
  char *both = cert_join(cert->pem, cert->key_pem);
  place_t place;
  make_dir(&place);
  put(&place, "both.pem", both);
  const char *const options[] = {"--cert",   place.file,  "--key",
                                 place.file, "--deflate", NULL};
  command_serve(command, options);
  assert_int_equal(strncmp(command->url, "wss://127.0.0.1:", 16), 0);
  assert_int_equal(COMMAND_RUN(command, "call", "--url", "URL", "echo", "[1]"),
                   EXIT_NOT_SENT);
  assert_non_null(strstr(command->err, "not sent"));
  assert_int_equal(COMMAND_RUN(command, "call", "--url", "URL", "--cacert",
                               place.file, "echo", "[1]"),
                   EXIT_OK);
  assert_string_equal(command->out, "[1]\n");
  assert_int_equal(COMMAND_RUN(command, "call", "--url", "URL", "--insecure",
                               "--deflate", "echo", "[2]"),
                   EXIT_OK);
  assert_string_equal(command->out, "[2]\n");
  assert_int_equal(COMMAND_RUN(command, "bench", "--url", "URL", "--insecure",
                               "--requests", "100", "--verify", "--line"),
                   EXIT_OK);
  assert_int_equal(COMMAND_RUN(command, "call", "--url", "URL", "--cacert",
                               place.dir, "echo"),
                   EXIT_NOT_SENT);
  assert_int_equal(strncmp(command->err, "uvow: ca_file ", 14), 0);
  assert_int_equal(strcspn(command->err, "\n") + 1, strlen(command->err));
  assert_int_equal(command_stop(command), 0);
  remove_all(&place);
  free(both);
  cert_free(cert);
}

static void a_port_that_is_taken_is_said(void **state) {
  command_t *command = serving(state);
  char *port = strrchr(command->url, ':') + 1;
  char digits[8] = "";
  memcpy(digits, port, strspn(port, "0123456789"));
  assert_int_equal(COMMAND_RUN(command, "serve", "--port", digits),
                   EXIT_NOT_SENT);
  assert_non_null(strstr(command->err, "can't listen on 127.0.0.1"));
  assert_int_equal(COMMAND_RUN(command, "serve", "--host", "nowhere"),
                   EXIT_NOT_SENT);
  assert_int_equal(command_stop(command), 0);
}

static void on_lost(const uvow_result_t *result, void *data) {
  *(int *)data = result->error ? uvow_error_code(result->error) : 0;
}

static void a_call_that_it_answers_does_not_keep_the_server(void **state) {
  command_t *command = serving(state);
  uvow_peer_options_t options = {.size = sizeof(options)};
  uvow_loop_t *loop;
  uvow_peer_t *client;
  int code = 1;
  loop = uvow_loop_new(&command->uv, NULL);
  assert_non_null(loop);
  options.protocol = uvow_protocol_by_name("jsonrpc2");
  client = uvow_peer_connect(loop, command->url, &options);
  assert_int_equal(
      uvow_future_done(
          uvow_peer_request(client, "sleep", uvow_value_raw("[600000]")),
          on_lost, &code),
      0);
  /* When this one is answered, the server has the other. */
  uvow_future_t *f = uvow_peer_request(client, "echo", uvow_value_raw("[1]"));
  while (uvow_future_state(f) == UVOW_PENDING)
    uv_run(&command->uv, UV_RUN_ONCE);
  assert_int_equal(uvow_future_state(f), UVOW_FULFILLED);
  uvow_future_unref(f);
  assert_int_equal(code, 1);
  assert_int_equal(command_stop(command), 0);
  while (code == 1)
    uv_run(&command->uv, UV_RUN_ONCE);
  assert_int_equal(code, UVOW_ELOST);
  uvow_peer_unref(client);
  uvow_loop_close(loop, NULL, NULL);
}

TEST_MODULE(call) {
#define CASE(name)                                                             \
  cmocka_unit_test_setup_teardown(name, command_setup, command_teardown)
  const struct CMUnitTest tests[] = {
      CASE(a_result_is_printed_as_it_came),
      CASE(words_and_files_say_what_is_called),
      CASE(a_notification_waits_for_no_answer),
      CASE(programs_get_json),
      CASE(shells_and_man_know_the_options),
      CASE(the_server_adds),
      CASE(sleep_answers_null),
      CASE(an_error_of_the_peer_is_1),
      CASE(not_sent_is_2),
      CASE(maybe_executed_is_3),
      CASE(wrong_usage_is_64),
      CASE(it_says_what_it_can),
      CASE(other_protocols_are_spoken),
      CASE(wss_is_spoken_with_those_who_are_trusted),
      CASE(a_port_that_is_taken_is_said),
      CASE(a_call_that_it_answers_does_not_keep_the_server),
  };
  return cmocka_run_group_tests_name("cli/call", tests, NULL, NULL);
}
