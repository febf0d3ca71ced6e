/* Children: their end, and how they are ended. */
#include <signal.h>
#include <unistd.h>

#include <uvow/uv.h>

#include "support/loop_bed.h"

static uvow_process_t *spawn(loop_bed_t *bed, const char *script,
                             uint32_t grace_ms) {
  const char *args[] = {"sh", "-c", script, NULL};
  uvow_process_options_t options = {.size = sizeof(options)};
  options.args = args;
  options.grace_ms = grace_ms;
  uvow_process_t *process = uvow_spawn(bed->loop, &options);
  assert_non_null(process);
  return process;
}

static int64_t wait(loop_bed_t *bed, uvow_future_t *f) {
  uvow_result_t r;
  int64_t status = -1;
  assert_int_equal(loop_bed_wait(bed, f, &r), 0);
  assert_int_equal(uvow_value_get_int64(&r.value, &status), 0);
  return status;
}

TEST_CASE(its_status_is_known) {
  loop_bed_t bed;
  loop_bed_open(&bed);
  uvow_process_t *process = spawn(&bed, "exit 7", 0);
  assert_true(uvow_process_pid(process) > 0);
  uvow_future_t *other = uvow_process_exit(process);
  uvow_future_t *canceled = uvow_process_exit(process);
  assert_int_equal(uvow_future_cancel(canceled), 0);
  uvow_future_unref(canceled);
  assert_int_equal(wait(&bed, uvow_process_exit(process)), 7);
  assert_int_equal(wait(&bed, other), 7);
  loop_bed_run(&bed);
  assert_int_equal(wait(&bed, uvow_process_exit(process)), 7);
  assert_int_equal(wait(&bed, uvow_process_close(process)), 7);
  assert_int_equal(uvow_process_kill(process, SIGTERM), UV_ESRCH);
  assert_int_equal(uvow_process_pid(process), 0);
  uvow_process_unref(process);
  loop_bed_close(&bed, "closed");
}

TEST_CASE(a_signal_is_128_and_more) {
  loop_bed_t bed;
  loop_bed_open(&bed);
  uvow_process_t *process = spawn(&bed, "exec sleep 1000", 0);
  assert_int_equal(uvow_process_kill(process, SIGINT), 0);
  assert_int_equal(wait(&bed, uvow_process_exit(process)), 128 + SIGINT);
  uvow_process_unref(process);
  loop_bed_close(&bed, "closed");
}

TEST_CASE(close_asks_first) {
  loop_bed_t bed;
  loop_bed_open(&bed);
  uvow_process_t *process = spawn(&bed, "exec sleep 1000", 0);
  uvow_future_t *f = uvow_process_close(process);
  uvow_future_detach(uvow_process_close(process));
  assert_int_equal(wait(&bed, f), 128 + SIGTERM);
  uvow_process_unref(process);
  loop_bed_close(&bed, "closed");
}

static void on_ready(uv_signal_t *signal, int signum) {
  (void)signum;
  signal->data = signal;
}

/* The child says when it ignores the signal. */
TEST_CASE(close_kills_what_does_not_go) {
  loop_bed_t bed;
  loop_bed_open(&bed);
  uv_signal_t ready;
  uv_signal_init(&bed.uv, &ready);
  assert_int_equal(uv_signal_start(&ready, on_ready, SIGUSR1), 0);
  ready.data = NULL;
  uvow_process_t *process =
      spawn(&bed, "trap '' TERM; kill -USR1 $PPID; exec sleep 1000", 10);
  while (!ready.data)
    uv_run(&bed.uv, UV_RUN_ONCE);
  uv_close((uv_handle_t *)&ready, NULL);
  assert_int_equal(wait(&bed, uvow_process_close(process)), 128 + SIGKILL);
  uvow_process_unref(process);
  loop_bed_close(&bed, "closed");
}

TEST_CASE(the_last_owner_lets_it_run) {
  loop_bed_t bed;
  loop_bed_open(&bed);
  uvow_process_t *process = uvow_process_ref(spawn(&bed, "exit 3", 0));
  uvow_process_unref(process);
  uvow_future_t *f = uvow_process_exit(process);
  uvow_process_unref(process);
  assert_int_equal(wait(&bed, f), 3);
  loop_bed_close(&bed, "closed");
}

TEST_CASE(the_loop_closes_meanwhile) {
  loop_bed_t bed;
  loop_bed_open(&bed);
  uvow_process_t *process = spawn(&bed, "exec sleep 1000", 100000);
  int pid = uvow_process_pid(process);
  uvow_future_detach(uvow_process_close(process));
  bed.alloc = NULL;
  loop_bed_close(&bed, "closed");
  assert_null(uvow_process_exit(process));
  assert_int_equal(uvow_process_kill(process, SIGKILL), UV_ESRCH);
  uvow_process_unref(process);
  assert_int_equal(bed.own_alloc.live, 0);
  (void)uv_kill(pid, SIGKILL);
}

static void spawn_late(const uvow_result_t *result, void *data) {
  const char *args[] = {"sh", "-c", "exit 0", NULL};
  uvow_process_options_t options = {.size = sizeof(options), .args = args};
  loop_bed_t *bed = (loop_bed_t *)data;
  assert_int_equal(uvow_error_code(result->error), UVOW_ECLOSED);
  assert_null(uvow_spawn(bed->loop, &options));
  assert_int_equal(uvow_error_code(uvow_loop_error(bed->loop)), UVOW_ECLOSED);
  loop_bed_log(bed, "late");
}

/* Who is told of the close makes no children any more. */
TEST_CASE(none_as_the_loop_closes) {
  assert_null(uvow_process_ref(NULL));
  assert_int_equal(uvow_process_pid(NULL), 0);
  loop_bed_t bed;
  loop_bed_open(&bed);
  uvow_future_done(uvow_future_delay(bed.loop, 100000), spawn_late, &bed);
  loop_bed_close(&bed, "late closed");
}

/* A session of its own; another user, which only root may make. */
TEST_CASE(libuvs_flags) {
  const char *args[] = {"sh", "-c", "exec sleep 1000", NULL};
  uvow_process_options_t options = {.size = sizeof(options)};
  loop_bed_t bed;
  loop_bed_open(&bed);
  options.args = args;
  uvow_process_t *process = uvow_spawn(bed.loop, &options);
  assert_int_equal(getpgid(uvow_process_pid(process)), getpgid(0));
  assert_int_equal(wait(&bed, uvow_process_close(process)), 128 + SIGTERM);
  uvow_process_unref(process);
  options.flags = UV_PROCESS_DETACHED;
  process = uvow_spawn(bed.loop, &options);
  int pid = uvow_process_pid(process);
  assert_int_equal(getpgid(pid), pid);
  assert_int_equal(wait(&bed, uvow_process_close(process)), 128 + SIGTERM);
  uvow_process_unref(process);
  args[2] = "test `id -u` -eq 65534 && test `id -g` -eq 65534";
  options.flags = UV_PROCESS_SETUID | UV_PROCESS_SETGID;
  options.uid = options.gid = 65534;
  process = uvow_spawn(bed.loop, &options);
  if (getuid() == 0)
    assert_int_equal(wait(&bed, uvow_process_exit(process)), 0);
  else
    assert_int_equal(uvow_error_code(uvow_loop_error(bed.loop)), UV_EPERM);
  uvow_process_unref(process);
  loop_bed_close(&bed, "closed");
}

static void expect_refusal(loop_bed_t *bed,
                           const uvow_process_options_t *options, int code,
                           const char *text) {
  assert_null(uvow_spawn(bed->loop, options));
  const uvow_error_t *error = uvow_loop_error(bed->loop);
  assert_int_equal(uvow_error_code(error), code);
  assert_non_null(strstr(uvow_error_message(error), text));
}

TEST_CASE(spawns_that_cannot_be) {
  const char *args[] = {"/no/such/program", NULL};
  const char *none[] = {NULL};
  uvow_process_options_t options = {.size = sizeof(options)};
  loop_bed_t bed;
  loop_bed_open(&bed);
  expect_refusal(&bed, &options, UVOW_EINVAL, "args must name a program");
  options.args = none;
  expect_refusal(&bed, &options, UVOW_EINVAL, "args must name a program");
  expect_refusal(&bed, NULL, UVOW_EINVAL, "options must not be NULL");
  options.args = args;
  assert_null(uvow_spawn(NULL, &options));
  expect_refusal(&bed, &options, UV_ENOENT, "spawn /no/such/program: ");
  options.size = 0;
  expect_refusal(&bed, &options, UVOW_EINVAL, "options");
  assert_null(uvow_process_exit(NULL));
  assert_null(uvow_process_close(NULL));
  assert_int_equal(uvow_process_kill(NULL, SIGTERM), UVOW_EINVAL);
  uvow_process_unref(NULL);
  loop_bed_close(&bed, "closed");
}

TEST_MODULE(process) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(its_status_is_known),
      cmocka_unit_test(a_signal_is_128_and_more),
      cmocka_unit_test(close_asks_first),
      cmocka_unit_test(close_kills_what_does_not_go),
      cmocka_unit_test(the_last_owner_lets_it_run),
      cmocka_unit_test(the_loop_closes_meanwhile),
      cmocka_unit_test(none_as_the_loop_closes),
      cmocka_unit_test(libuvs_flags),
      cmocka_unit_test(spawns_that_cannot_be),
  };
  return cmocka_run_group_tests_name("uv/process", tests, NULL, NULL);
}
