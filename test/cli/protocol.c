/* uvow protocol check, and uvow call --rules. */
#include "support/command.h"

#include <stdio.h>

#include <args.h>

#include "support/folder.h"

static const char *example(const char *name, char *path, size_t size) {
  const char *root = getenv("TEST_ROOT");
  int len = snprintf(path, size, "%s/docs/examples/protocols/%s",
                     root ? root : "../..", name);
  assert_true(len > 0 && (size_t)len < size);
  return path;
}

static void says_what_is_described(void **state) {
  command_t *command = (command_t *)*state;
  char path[1024];
  assert_int_equal(COMMAND_RUN(command, "protocol", "check",
                               example("mopidy.json", path, sizeof(path))),
                   EXIT_OK);
  assert_string_equal(command->err, "");
  assert_non_null(strstr(command->out, "mopidy: it can work\n"));
  assert_non_null(strstr(command->out, "  has     base        \"jsonrpc2\"\n"));
  assert_non_null(strstr(command->out,
                         "  reads   event       {\"/jsonrpc\":false}\n"
                         "          and         {\"name\":\"/event\","
                         "\"value\":\"\"}\n"));
}

/* Opening steps of both ends; each built-in protocol has a line. */
static void says_what_opens(void **state) {
  command_t *command = (command_t *)*state;
  char path[1024];
  assert_int_equal(
      COMMAND_RUN(command, "protocol", "check",
                  example("../../reference/protocols/home_assistant.json", path,
                          sizeof(path))),
      EXIT_OK);
  assert_non_null(strstr(command->out, "  wants   variable    token\n"));
  assert_non_null(strstr(command->out, "  wants   variable    ha_version?\n"));
  assert_null(strstr(command->out, "  wants   variable    id"));
  assert_non_null(strstr(command->out, "  opens   sends       {\"type\":"));
  assert_non_null(strstr(command->out, "  lets in waits for   {\"/type\":"));
  assert_non_null(strstr(
      command->out, "          and         {\"same\":{\"token\":\"/access"));
}

static void lists_all(void **state) {
  command_t *command = (command_t *)*state;
  char *save = NULL;
  int count = 0;
  assert_int_equal(COMMAND_RUN(command, "protocol", "list"), EXIT_OK);
  for (char *line = strtok_r(command->out, "\n", &save); line;
       line = strtok_r(NULL, "\n", &save)) {
    char name[64];
    assert_int_equal(sscanf(line, "%63s", name), 1);
    assert_non_null(uvow_protocol_by_name(name));
    count++;
  }
  assert_int_equal(count, 11);
  assert_int_equal(COMMAND_RUN(command, "protocol", "list", "x"), EXIT_USAGE);
}

static void says_what_cannot_work(void **state) {
  command_t *command = (command_t *)*state;
  assert_int_equal(
      COMMAND_RUN(command, "protocol", "check", "/nowhere/at/all.json"),
      EXIT_IO);
  assert_non_null(strstr(command->err, "/nowhere/at/all.json"));
  /* A program's own text is no description. */
  assert_int_equal(COMMAND_RUN(command, "protocol", "check", "/dev/null"),
                   EXIT_ANSWERED);
  assert_non_null(strstr(command->err, "line 1, column 1"));
  assert_string_equal(command->out, "");
}

static void wants_words(void **state) {
  command_t *command = (command_t *)*state;
  assert_int_equal(COMMAND_RUN(command, "protocol"), EXIT_USAGE);
  assert_int_equal(COMMAND_RUN(command, "protocol", "check"), EXIT_USAGE);
  assert_int_equal(COMMAND_RUN(command, "protocol", "chek", "x"), EXIT_USAGE);
  assert_int_equal(COMMAND_RUN(command, "protocol", "check", "x", "y"),
                   EXIT_USAGE);
  assert_int_equal(COMMAND_RUN(command, "protocol", "--help"), EXIT_OK);
  assert_non_null(strstr(command->out, "check FILE"));
}

static void calls_by_rules(void **state) {
  static const char *const none[] = {NULL};
  command_t *command = (command_t *)*state;
  char path[1024];
  command_serve(command, none);
  assert_int_equal(COMMAND_RUN(command, "call", "--url", "URL", "--rules",
                               example("mopidy.json", path, sizeof(path)),
                               "add", "[1,2]"),
                   EXIT_OK);
  assert_string_equal(command->out, "3\n");
  assert_int_equal(COMMAND_RUN(command, "bench", "URL", "--rules", path,
                               "--requests", "50", "--line"),
                   EXIT_OK);
  assert_non_null(strstr(command->out, " requests=50 "));
  assert_int_equal(COMMAND_RUN(command, "bench", "URL", "--rules", "/dev/null"),
                   EXIT_USAGE);
  assert_non_null(strstr(command->err, "/dev/null: line 1"));
  assert_int_equal(COMMAND_RUN(command, "call", "--url", "URL", "--rules",
                               "/dev/null", "add", "[1,2]"),
                   EXIT_USAGE);
  assert_non_null(strstr(command->err, "/dev/null: line 1"));
  assert_int_equal(command_stop(command), 0);
}

/* What both ends speak is in the file, and nothing else. */
static void serves_by_rules(void **state) {
  static const char rules[] =
      "{\"name\":\"asking\",\"call\":{\"ask\":\"$method\",\"n\":\"$id\","
      "\"with\":\"$params\"},\"reply\":{\"to\":\"$id\",\"is\":\"$value\"},"
      "\"reply_error\":{\"to\":\"$id\",\"no\":\"$message\"},\"rules\":["
      "{\"when\":{\"/no\":true},\"is\":\"error\",\"id\":\"/to\","
      "\"message\":\"/no\"},"
      "{\"when\":{\"/to\":true},\"is\":\"ok\",\"id\":\"/to\",\"value\":\"/"
      "is\"},"
      "{\"when\":{\"/ask\":true},\"is\":\"call\",\"id\":\"/n\",\"name\":\"/"
      "ask\","
      "\"value\":\"/with\"}]}";
  command_t *command = (command_t *)*state;
  folder_t folder;
  char path[FOLDER_PATH];
  const char *const options[] = {"--rules", path, NULL};
  folder_make(&folder);
  folder_file(&folder, "asking.json", rules, path);
  command_serve(command, options);
  assert_int_equal(COMMAND_RUN(command, "call", "URL", "--rules", path, "add",
                               "[1,2]", "--trace"),
                   EXIT_OK);
  assert_string_equal(command->out, "3\n");
  assert_string_equal(command->err,
                      "> {\"ask\":\"add\",\"n\":1,\"with\":[1,2]}\n"
                      "< {\"to\":1,\"is\":3}\n");
  assert_int_equal(COMMAND_RUN(command, "bench", "URL", "--rules", path,
                               "--requests", "50", "--line"),
                   EXIT_OK);
  assert_int_equal(COMMAND_RUN(command, "serve", "--rules", "/dev/null"),
                   EXIT_USAGE);
  assert_int_equal(command_stop(command), 0);
  folder_remove(&folder);
}

/* What an opening needs: both ends are told it. */
static void vars_open_a_protocol(void **state) {
  command_t *command = (command_t *)*state;
  folder_t folder;
  char file[FOLDER_PATH + 1] = "@";
  const char *const options[] = {"--protocol", "home_assistant", "--vars",
                                 "{\"token\":\"T\",\"ha_version\":\"1\"}",
                                 NULL};
  folder_make(&folder);
  folder_file(&folder, "vars", "{\"token\":\"T\"}", file + 1);
  command_serve(command, options);
  assert_int_equal(COMMAND_RUN(command, "call", "URL", "--protocol",
                               "home_assistant", "--vars", file, "echo",
                               "{\"a\":1}"),
                   EXIT_OK);
  assert_non_null(strstr(command->out, "\"a\":1"));
  assert_int_equal(COMMAND_RUN(command, "bench", "URL", "--protocol",
                               "home_assistant", "--vars", "{\"token\":\"T\"}",
                               "--requests", "5", "--line"),
                   EXIT_OK);
  assert_int_equal(COMMAND_RUN(command, "call", "URL", "--protocol",
                               "home_assistant", "--vars", "{\"token\":\"U\"}",
                               "echo"),
                   EXIT_NOT_SENT);
  assert_int_equal(COMMAND_RUN(command, "call", "URL", "--protocol",
                               "home_assistant", "echo"),
                   EXIT_USAGE);
  assert_non_null(strstr(command->err, "lacks \"token\""));
  assert_int_equal(command_stop(command), 0);
  folder_remove(&folder);
}

TEST_MODULE(protocol) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(says_what_is_described, command_setup,
                                      command_teardown),
      cmocka_unit_test_setup_teardown(says_what_opens, command_setup,
                                      command_teardown),
      cmocka_unit_test_setup_teardown(lists_all, command_setup,
                                      command_teardown),
      cmocka_unit_test_setup_teardown(says_what_cannot_work, command_setup,
                                      command_teardown),
      cmocka_unit_test_setup_teardown(wants_words, command_setup,
                                      command_teardown),
      cmocka_unit_test_setup_teardown(calls_by_rules, command_setup,
                                      command_teardown),
      cmocka_unit_test_setup_teardown(serves_by_rules, command_setup,
                                      command_teardown),
      cmocka_unit_test_setup_teardown(vars_open_a_protocol, command_setup,
                                      command_teardown),
  };
  return cmocka_run_group_tests_name("cli/protocol", tests, NULL, NULL);
}
