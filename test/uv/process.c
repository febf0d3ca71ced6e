/* Children: their end, and how they are ended. */
#include <signal.h>

#include <uvow/uv.h>

#include "support/loop_bed.h"

static uvow_process_t *spawn(loop_bed_t *bed, const char *script,
                             uint32_t grace_ms) {
  const char *args[] = {"sh", "-c", script, NULL};
  uvow_process_options_t options = {.size = sizeof(options)};
  uvow_process_t *process = NULL;
  options.args = args;
  options.grace_ms = grace_ms;
  assert_int_equal(uvow_spawn(bed->loop, &options, &process), 0);
  return process;
}

static int64_t wait(loop_bed_t *bed, uvow_future_t *f) {
  uvow_result_t r;
  int64_t status = -1;
  assert_int_equal(loop_bed_wait(bed, f, &r), 0);
  assert_int_equal(uvow_value_get_int64(&r.value, &status), 0);
  return status;
}

static void its_status_is_known(void **state) {
  loop_bed_t bed;
  (void)state;
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

static void a_signal_is_128_and_more(void **state) {
  loop_bed_t bed;
  (void)state;
  loop_bed_open(&bed);
  uvow_process_t *process = spawn(&bed, "exec sleep 1000", 0);
  assert_int_equal(uvow_process_kill(process, SIGINT), 0);
  assert_int_equal(wait(&bed, uvow_process_exit(process)), 128 + SIGINT);
  uvow_process_unref(process);
  loop_bed_close(&bed, "closed");
}

static void close_asks_first(void **state) {
  loop_bed_t bed;
  (void)state;
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
static void close_kills_what_does_not_go(void **state) {
  loop_bed_t bed;
  (void)state;
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

static void the_last_owner_lets_it_run(void **state) {
  loop_bed_t bed;
  (void)state;
  loop_bed_open(&bed);
  uvow_process_t *process = uvow_process_ref(spawn(&bed, "exit 3", 0));
  uvow_process_unref(process);
  uvow_future_t *f = uvow_process_exit(process);
  uvow_process_unref(process);
  assert_int_equal(wait(&bed, f), 3);
  loop_bed_close(&bed, "closed");
}

static void the_loop_closes_meanwhile(void **state) {
  loop_bed_t bed;
  (void)state;
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

static void spawns_that_cannot_be(void **state) {
  const char *args[] = {"/no/such/program", NULL};
  const char *none[] = {NULL};
  uvow_process_options_t options = {.size = sizeof(options)};
  uvow_process_t *process = NULL;
  loop_bed_t bed;
  (void)state;
  loop_bed_open(&bed);
  assert_int_equal(uvow_spawn(bed.loop, &options, &process), UVOW_EINVAL);
  options.args = none;
  assert_int_equal(uvow_spawn(bed.loop, &options, &process), UVOW_EINVAL);
  options.args = args;
  assert_int_equal(uvow_spawn(NULL, &options, &process), UVOW_EINVAL);
  assert_int_equal(uvow_spawn(bed.loop, &options, NULL), UVOW_EINVAL);
  assert_int_equal(uvow_spawn(bed.loop, &options, &process), UV_ENOENT);
  options.size--;
  assert_int_equal(uvow_spawn(bed.loop, &options, &process), UVOW_EINVAL);
  assert_null(process);
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
      cmocka_unit_test(spawns_that_cannot_be),
  };
  return cmocka_run_group_tests_name("uv/process", tests, NULL, NULL);
}
