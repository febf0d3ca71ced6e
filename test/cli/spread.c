/* uvow bench over several URLs, with params by turns, growing, and what it says
 * of failures. */
#include "support/command.h"

#include <stdio.h>

#include <jansson.h>

#include <args.h>

#include "support/folder.h"

static command_t *serving(void **state) {
  command_t *command = (command_t *)*state;
  const char *const none[] = {NULL};
  command_serve(command, none);
  return command;
}

static void connections_go_to_urls_by_turns(void **state) {
  command_t *command = serving(state);
  assert_int_equal(COMMAND_RUN(command, "bench", "URL", "URL", "--requests",
                               "50", "--inflight", "4"),
                   EXIT_OK);
  assert_non_null(strstr(command->out, "4 in flight on 2 connections"));
  assert_non_null(strstr(command->out, "answered   50 "));
  /* One of them is nowhere. */
  assert_int_equal(COMMAND_RUN(command, "bench", "URL", "ws://127.0.0.1:1/",
                               "--requests", "5"),
                   EXIT_NOT_SENT);
  assert_int_equal(command_stop(command), 0);
}

static void params_come_from_a_file_by_turns(void **state) {
  command_t *command = serving(state);
  folder_t folder;
  char good[FOLDER_PATH];
  char bad[FOLDER_PATH];
  char empty[FOLDER_PATH];
  folder_make(&folder);
  folder_file(&folder, "good", "[1,2]\n\n{\"a\":1}\r\n[]", good);
  folder_file(&folder, "bad", "[1]\n[2\n", bad);
  folder_file(&folder, "empty", "\n", empty);
  /* add takes arrays: of each three, one is refused. */
  assert_int_equal(COMMAND_RUN(command, "bench", "URL", "--method", "add",
                               "--params-file", good, "--requests", "30"),
                   EXIT_ANSWERED);
  assert_non_null(strstr(command->out, "answered   20 "));
  assert_non_null(strstr(command->out, "failed     10\nafter      p50 "));
  assert_int_equal(COMMAND_RUN(command, "bench", "URL", "--params-file", bad),
                   EXIT_USAGE);
  assert_non_null(strstr(command->err, "--params-file: "));
  assert_int_equal(COMMAND_RUN(command, "bench", "URL", "--params-file", empty),
                   EXIT_USAGE);
  assert_non_null(strstr(command->err, "has no line"));
  assert_int_equal(
      COMMAND_RUN(command, "bench", "URL", "--params-file", "/nowhere"),
      EXIT_USAGE);
  folder_remove(&folder);
  assert_int_equal(command_stop(command), 0);
}

static json_t *report_of(command_t *command, const char *const *words,
                         const char *path) {
  assert_int_equal(command_run(command, words), EXIT_OK);
  json_t *json = json_load_file(path, 0, NULL);
  assert_non_null(json);
  return json;
}

/* It begins with little and ends with all of it. */
static void load_grows(void **state) {
  command_t *command = serving(state);
  folder_t folder;
  char path[FOLDER_PATH];
  folder_make(&folder);
  folder_file(&folder, "report.json", NULL, path);
  json_t *json = report_of(
      command,
      (const char *const[]){"bench", "URL", "--rate", "1000", "--seconds",
                            "0.6", "--ramp", "0.6", "--report", path, NULL},
      path);
  /* Half of 1000 a second in 0.6 s. */
  json_int_t made = json_integer_value(json_object_get(json, "requests")) +
                    json_integer_value(json_object_get(json, "overdue"));
  assert_in_range(made, 299, 301);
  json_t *first = json_array_get(json_object_get(json, "points"), 0);
  assert_non_null(json_object_get(first, "p50_us"));
  assert_true(json_real_value(json_object_get(first, "max_us")) >=
              json_real_value(json_object_get(first, "p50_us")));
  assert_true(json_is_null(json_object_get(json, "failures_us")));
  json_decref(json);
  assert_int_equal(COMMAND_RUN(command, "bench", "URL", "--inflight", "8",
                               "--ramp", "0.2", "--seconds", "0.4", "--method",
                               "sleep", "--params", "[1]"),
                   EXIT_OK);
  assert_null(strstr(command->out, "failed"));
  folder_remove(&folder);
  assert_int_equal(command_stop(command), 0);
}

TEST_MODULE(spread) {
#define CASE(name)                                                             \
  cmocka_unit_test_setup_teardown(name, command_setup, command_teardown)
  const struct CMUnitTest tests[] = {
      CASE(connections_go_to_urls_by_turns),
      CASE(params_come_from_a_file_by_turns),
      CASE(load_grows),
  };
  return cmocka_run_group_tests_name("cli/spread", tests, NULL, NULL);
}
