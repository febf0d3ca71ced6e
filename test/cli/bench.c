/* uvow bench against a server of the test's own, which may misbehave. */
#include "support/command.h"
#include "support/serve.h"

#include <signal.h>
#include <stdio.h>

#include <jansson.h>
#include <uv.h>

#include <args.h>

typedef struct service {
  void *command_state;
  command_t *command;
  uvow_loop_t *loop;
  uvow_server_t *server;
  uint64_t calls;
  uint64_t limit; /* the call at which `leave` and `interrupt` act */
} service_t;

static uvow_next_t echo(uvow_call_t *call, const uvow_result_t *params,
                        void *data) {
  (void)call;
  (void)params;
  ((service_t *)data)->calls++;
  return uvow_next_pass();
}

static uvow_next_t spelled(uvow_call_t *call, const uvow_result_t *params,
                           void *data) {
  (void)call;
  ((service_t *)data)->calls++;
  return uvow_next_json(
      json_pack("{s:O}", "x", json_object_get(uvow_result_json(params), "x")));
}

/* Every tenth answer is another's. */
static uvow_next_t wrong(uvow_call_t *call, const uvow_result_t *params,
                         void *data) {
  (void)params;
  if (++((service_t *)data)->calls % 10)
    return uvow_next_pass();
  return uvow_next_value(
      uvow_value_bytes(uvow_call_loop(call), "{\"x\":99}", 8));
}

static uvow_next_t silent(uvow_call_t *call, const uvow_result_t *params,
                          void *data) {
  (void)params;
  ((service_t *)data)->calls++;
  return uvow_next_future(uvow_future_delay(uvow_call_loop(call), 600000));
}

/* Answers after longer than the counted time. */
static uvow_next_t late(uvow_call_t *call, const uvow_result_t *params,
                        void *data) {
  (void)params;
  ((service_t *)data)->calls++;
  return uvow_next_future(uvow_future_delay(uvow_call_loop(call), 150));
}

/* The last call that it answers is the limit-th. */
static uvow_next_t leave(uvow_call_t *call, const uvow_result_t *params,
                         void *data) {
  service_t *service = (service_t *)data;
  (void)call;
  (void)params;
  if (++service->calls == service->limit) {
    uvow_server_free(service->server);
    service->server = NULL;
  }
  return uvow_next_pass();
}

static uvow_next_t interrupt(uvow_call_t *call, const uvow_result_t *params,
                             void *data) {
  service_t *service = (service_t *)data;
  (void)call;
  (void)params;
  if (++service->calls == service->limit)
    uv_process_kill(&service->command->program.handle, SIGINT);
  return uvow_next_pass();
}

static int service_setup(void **state) {
  service_t *service = (service_t *)calloc(1, sizeof(*service));
  *state = service;
  return service ? command_setup(&service->command_state) : -1;
}

static int service_teardown(void **state) {
  service_t *service = (service_t *)*state;
  uvow_server_free(service->server);
  if (service->loop)
    uvow_loop_close(service->loop, NULL, NULL);
  int rc = command_teardown(&service->command_state);
  free(service);
  return rc;
}

/* max_calls: of a connection at once; 0: any number. */
static service_t *serve(void **state, size_t max_calls) {
  static const struct {
    const char *name;
    uvow_method_cb cb;
  } methods[] = {{"echo", echo},          {"spelled", spelled},
                 {"wrong", wrong},        {"silent", silent},
                 {"leave", leave},        {"late", late},
                 {"interrupt", interrupt}};
  service_t *service = (service_t *)*state;
  test_serve_t options = test_serve_options();
  service->command = (command_t *)service->command_state;
  service->loop = uvow_loop_new(&service->command->uv, NULL);
  assert_non_null(service->loop);
  options.peer.max_calls = max_calls;
  assert_int_equal(test_serve(service->loop, &options, &service->server), 0);
  for (size_t i = 0; i < sizeof(methods) / sizeof(*methods); i++)
    assert_int_equal(
        test_method(service->server, methods[i].name, methods[i].cb, service),
        0);
  snprintf(service->command->url, sizeof(service->command->url),
           "ws://127.0.0.1:%u/", (unsigned)uvow_server_port(service->server));
  return service;
}

/* What --line prints. */
typedef struct line {
  unsigned long inflight;
  unsigned long requests;
  double seconds;
  double rps;
  double p50;
  double p99;
  double cpu;
  unsigned long rss;
} line_t;

static line_t line_of(const command_t *command) {
  line_t line;
  int end_at = 0;
  assert_int_equal(command->lines, 1);
  assert_int_equal(sscanf(command->out,
                          "client=uvow inflight=%lu requests=%lu seconds=%lf "
                          "rps=%lf p50_us=%lf p99_us=%lf cpu_s=%lf "
                          "maxrss_kb=%lu%n",
                          &line.inflight, &line.requests, &line.seconds,
                          &line.rps, &line.p50, &line.p99, &line.cpu, &line.rss,
                          &end_at),
                   8);
  assert_string_equal(command->out + end_at, "\n");
  return line;
}

static void so_many_requests_are_made_and_no_more(void **state) {
  service_t *service = serve(state, 0);
  assert_int_equal(COMMAND_RUN(service->command, "bench", "--url", "URL",
                               "--requests", "1000", "--inflight", "7",
                               "--line"),
                   EXIT_OK);
  line_t line = line_of(service->command);
  assert_int_equal(service->calls, 1000);
  assert_int_equal(line.requests, 1000);
  assert_int_equal(line.inflight, 7);
  assert_true(line.seconds > 0 && line.cpu > 0 && line.rss > 0);
  assert_true(line.p50 > 0 && line.p99 >= line.p50);
  assert_true(line.rps >= 1000 / (line.seconds + 0.001));
  assert_string_equal(service->command->err, "");
}

static void fewer_requests_than_slots_end_too(void **state) {
  service_t *service = serve(state, 0);
  assert_int_equal(COMMAND_RUN(service->command, "bench", "--url", "URL",
                               "--requests", "3", "--line"),
                   EXIT_OK);
  assert_int_equal(line_of(service->command).requests, 3);
  assert_int_equal(service->calls, 3);
}

static void the_warmup_is_not_counted(void **state) {
  service_t *service = serve(state, 0);
  assert_int_equal(COMMAND_RUN(service->command, "bench", "--url", "URL",
                               "--requests", "5", "--inflight", "1", "--warmup",
                               "0.01", "--line"),
                   EXIT_OK);
  assert_int_equal(line_of(service->command).requests, 5);
  assert_true(service->calls > 5);
  assert_int_equal(COMMAND_RUN(service->command, "bench", "--url", "URL",
                               "--seconds", "0.05", "--warmup", "0.05",
                               "--line"),
                   EXIT_OK);
  assert_true(line_of(service->command).requests > 0);
  assert_true(line_of(service->command).seconds == 0.05);
}

/* Nothing here depends on who is faster: the first service never answers, and
 * the second is waited for. */
static void what_comes_after_the_time_counts_only_on_a_schedule(void **state) {
  service_t *service = serve(state, 0);
  assert_int_equal(COMMAND_RUN(service->command, "bench", "--url", "URL",
                               "--method", "silent", "--seconds", "0.05",
                               "--warmup", "0", "--inflight", "2", "--line"),
                   EXIT_ANSWERED);
  assert_int_equal(line_of(service->command).requests, 0);
  service->calls = 0; /* both, or less: nobody waited for them */
  assert_int_equal(COMMAND_RUN(service->command, "bench", "--url", "URL",
                               "--method", "late", "--seconds", "0.05",
                               "--warmup", "0", "--rate", "100", "--line"),
                   EXIT_OK);
  assert_int_equal(line_of(service->command).requests, 5);
  assert_int_equal(service->calls, 5);
  assert_true(line_of(service->command).p50 >= 149000);
}

static void several_connections_share_the_slots(void **state) {
  service_t *service = serve(state, 0);
  assert_int_equal(COMMAND_RUN(service->command, "bench", "--url", "URL",
                               "--requests", "500", "--inflight", "5",
                               "--connections", "3", "--verify"),
                   EXIT_OK);
  assert_int_equal(service->calls, 500);
  assert_non_null(strstr(service->command->out,
                         "5 in flight on 3 connections\nanswered   500 in "));
}

static void the_slots_are_dealt_to_the_connections(void **state) {
  service_t *service = serve(state, 1);
  assert_int_equal(COMMAND_RUN(service->command, "bench", "--url", "URL",
                               "--requests", "3", "--inflight", "3",
                               "--connections", "3", "--method", "late"),
                   EXIT_OK);
  assert_int_equal(service->calls, 3);
}

static void verify_compares_each_answer(void **state) {
  service_t *service = serve(state, 0);
  assert_int_equal(COMMAND_RUN(service->command, "bench", "--url", "URL",
                               "--requests", "200", "--verify", "--line"),
                   EXIT_OK);
  assert_int_equal(COMMAND_RUN(service->command, "bench", "--url", "URL",
                               "--requests", "200", "--verify", "--method",
                               "spelled", "--line"),
                   EXIT_OK);
  assert_int_equal(COMMAND_RUN(service->command, "bench", "--url", "URL",
                               "--requests", "200", "--verify", "--json-values",
                               "--line"),
                   EXIT_OK);
  assert_int_equal(line_of(service->command).requests, 200);
}

static void a_mismatch_names_both(void **state) {
  service_t *service = serve(state, 0);
  assert_int_equal(COMMAND_RUN(service->command, "bench", "--url", "URL",
                               "--requests", "200", "--inflight", "1",
                               "--verify", "--method", "wrong"),
                   EXIT_ANSWERED);
  assert_non_null(strstr(service->command->out, "answered   180 in "));
  assert_non_null(strstr(service->command->out,
                         "failed     20\n           20 mismatch: sent "
                         "{\"x\":10}, got {\"x\":99}\n"));
  assert_int_equal(COMMAND_RUN(service->command, "bench", "--url", "URL",
                               "--requests", "10", "--inflight", "1",
                               "--verify", "--json-values", "--method", "wrong",
                               "--line"),
                   EXIT_ANSWERED);
  assert_int_equal(line_of(service->command).requests, 9);
  assert_non_null(
      strstr(service->command->err,
             "1 failed, the first: sent {\"x\":10}, got {\"x\":99}"));
}

static void failures_are_told_by_their_code(void **state) {
  service_t *service = serve(state, 0);
  assert_int_equal(COMMAND_RUN(service->command, "bench", "--url", "URL",
                               "--requests", "20", "--method", "nope"),
                   EXIT_ANSWERED);
  assert_non_null(strstr(service->command->out, "answered   0 in "));
  assert_non_null(strstr(service->command->out,
                         "20 UVOW_EREMOTE -32601: Method not found\n"));
  assert_int_equal(COMMAND_RUN(service->command, "bench", "--url", "URL",
                               "--requests", "3", "--method", "silent",
                               "--timeout", "50"),
                   EXIT_ANSWERED);
  assert_non_null(strstr(service->command->out, "3 UVOW_ETIMEDOUT: "));
}

static void a_lost_connection_ends_it(void **state) {
  service_t *service = serve(state, 0);
  service->limit = 100;
  assert_int_equal(COMMAND_RUN(service->command, "bench", "--url", "URL",
                               "--seconds", "600", "--warmup", "0", "--method",
                               "leave", "--inflight", "4"),
                   EXIT_ANSWERED);
  assert_non_null(strstr(service->command->out, "UVOW_ELOST: "));
}

static void no_connection_is_2(void **state) {
  service_t *service = serve(state, 0);
  uvow_server_free(service->server);
  service->server = NULL;
  assert_int_equal(
      COMMAND_RUN(service->command, "bench", "--url", "URL", "--line"),
      EXIT_NOT_SENT);
  assert_string_equal(service->command->out, "");
  assert_non_null(
      strstr(service->command->err, "uvow: no connection to ws://"));
  assert_non_null(strstr(service->command->err, "connection refused"));
}

static void an_interrupt_ends_it_with_results(void **state) {
  service_t *service = serve(state, 0);
  service->limit = 1000;
  assert_int_equal(COMMAND_RUN(service->command, "bench", "--url", "URL",
                               "--seconds", "600", "--warmup", "0", "--method",
                               "interrupt", "--line"),
                   EXIT_OK);
  assert_true(line_of(service->command).requests >= 1);
  assert_true(line_of(service->command).seconds < 600);
}

static void a_schedule_sends_what_it_says(void **state) {
  service_t *service = serve(state, 0);
  assert_int_equal(COMMAND_RUN(service->command, "bench", "--url", "URL",
                               "--rate", "2000", "--requests", "100",
                               "--verify", "--line"),
                   EXIT_OK);
  assert_int_equal(line_of(service->command).requests, 100);
  assert_int_equal(service->calls, 100);
  /* The last can't have started before. */
  assert_true(line_of(service->command).seconds >= 0.049);
}

static void a_schedule_waits_for_a_free_slot(void **state) {
  service_t *service = serve(state, 2); /* a third at once is refused */
  assert_int_equal(COMMAND_RUN(service->command, "bench", "--url", "URL",
                               "--rate", "1000000", "--requests", "200",
                               "--inflight", "2", "--verify", "--line"),
                   EXIT_OK);
  assert_int_equal(line_of(service->command).requests, 200);
}

/* Of a file that --report wrote. */
static json_t *report_of(const char *path) {
  json_error_t error;
  json_t *json = json_load_file(path, 0, &error);
  if (!json)
    fail_msg("%s: %s", path, error.text);
  return json;
}

/* Runs a bench of one in flight that isn't answered before the time is up, a
 * thousand a second for 0.1 s. Returns the report, new. */
static json_t *run_overdue(service_t *service, const char *warmup) {
  char dir[512];
  char file[600];
  size_t size = sizeof(dir) - 32;
  uv_fs_t made;
  uv_fs_t removed;
  assert_int_equal(uv_os_tmpdir(dir, &size), 0);
  snprintf(dir + size, sizeof(dir) - size, "/uvow-bench-XXXXXX");
  assert_int_equal(uv_fs_mkdtemp(NULL, &made, dir, NULL), 0);
  snprintf(file, sizeof(file), "%s/report.json", made.path);
  assert_int_equal(COMMAND_RUN(service->command, "bench", "--url", "URL",
                               "--rate", "1000", "--seconds", "0.1", "--warmup",
                               warmup, "--inflight", "1", "--method", "silent",
                               "--timeout", "400", "--report", file),
                   EXIT_ANSWERED);
  json_t *json = report_of(file);
  remove(file);
  uv_fs_rmdir(NULL, &removed, made.path, NULL);
  uv_fs_req_cleanup(&removed);
  uv_fs_req_cleanup(&made);
  assert_int_equal(json_integer_value(json_object_get(json, "requests")), 0);
  assert_int_equal(json_integer_value(json_object_get(json, "failed")), 1);
  return json;
}

static void what_is_overdue_counts_with_its_age(void **state) {
  service_t *service = serve(state, 0);
  json_t *json = run_overdue(service, "0");
  assert_int_equal(json_integer_value(json_object_get(json, "overdue")), 99);
  /* 1 to 99 ms, however slow the run was. */
  json_t *latency = json_object_get(json, "latency_us");
  assert_in_range(json_real_value(json_object_get(latency, "p50")), 49000,
                  51000);
  assert_in_range(json_real_value(json_object_get(latency, "max")), 98000,
                  100000);
  json_decref(json);
  /* Now the one that was sent belongs to the warm-up. */
  json = run_overdue(service, "0.05");
  assert_int_equal(json_integer_value(json_object_get(json, "overdue")), 100);
  json_decref(json);
}

TEST_MODULE(bench) {
#define CASE(name)                                                             \
  cmocka_unit_test_setup_teardown(name, service_setup, service_teardown)
  const struct CMUnitTest tests[] = {
      CASE(so_many_requests_are_made_and_no_more),
      CASE(fewer_requests_than_slots_end_too),
      CASE(the_warmup_is_not_counted),
      CASE(what_comes_after_the_time_counts_only_on_a_schedule),
      CASE(several_connections_share_the_slots),
      CASE(the_slots_are_dealt_to_the_connections),
      CASE(verify_compares_each_answer),
      CASE(a_mismatch_names_both),
      CASE(failures_are_told_by_their_code),
      CASE(a_lost_connection_ends_it),
      CASE(no_connection_is_2),
      CASE(an_interrupt_ends_it_with_results),
      CASE(a_schedule_sends_what_it_says),
      CASE(a_schedule_waits_for_a_free_slot),
      CASE(what_is_overdue_counts_with_its_age),
  };
  return cmocka_run_group_tests_name("cli/bench", tests, NULL, NULL);
}
