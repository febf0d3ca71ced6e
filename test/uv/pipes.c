/* A child's stdin, stdout and stderr. */
#include <signal.h>

#include <uvow/uv.h>

#include "support/loop_bed.h"

static uvow_process_t *spawn(loop_bed_t *bed, const char *script,
                             uint32_t pipes) {
  const char *args[] = {"sh", "-c", script, NULL};
  uvow_process_options_t options = {.size = sizeof(options)};
  signal(SIGPIPE, SIG_IGN);
  options.args = args;
  options.pipes = pipes;
  uvow_process_t *process = uvow_spawn(bed->loop, &options);
  assert_non_null(process);
  return process;
}

static void expect_line(loop_bed_t *bed, uvow_stream_t *lines,
                        const char *text) {
  uvow_result_t r;
  size_t len = 0;
  assert_int_equal(loop_bed_wait(bed, uvow_stream_next(lines), &r), 0);
  const char *bytes = uvow_result_bytes(&r).bytes;
  len = uvow_result_bytes(&r).len;
  assert_int_equal(len, strlen(text));
  assert_memory_equal(bytes, text, len);
}

static void expect_end(loop_bed_t *bed, uvow_stream_t *lines) {
  uvow_result_t r;
  assert_int_equal(loop_bed_wait(bed, uvow_stream_next(lines), &r), 0);
  assert_true(uvow_result_is_end(&r));
}

TEST_CASE(lines_both_ways) {
  loop_bed_t bed;
  loop_bed_open(&bed);
  uvow_process_t *process = spawn(&bed, "cat; echo done >&2", 7);
  uvow_channel_t lines = uvow_channel_lines(uvow_process_stdio(process), 1000);
  uvow_stream_t *errors = uvow_stream_lines(uvow_process_errors(process), 100);
  assert_null(uvow_process_stdio(process).in); /* once */
  assert_null(uvow_process_errors(process));
  assert_int_equal(uvow_sink_push(lines.out, uvow_value_text("one")), 0);
  expect_line(&bed, lines.in, "one");
  assert_int_equal(uvow_sink_push(lines.out, uvow_value_text("two")), 0);
  expect_line(&bed, lines.in, "two");
  uvow_sink_end(lines.out);
  expect_end(&bed, lines.in);
  expect_line(&bed, errors, "done");
  expect_end(&bed, errors);
  assert_int_equal(loop_bed_wait(&bed, uvow_process_exit(process), NULL), 0);
  uvow_stream_unref(lines.in);
  uvow_stream_unref(errors);
  uvow_process_unref(process);
  loop_bed_close(&bed, "closed");
}

TEST_CASE(what_it_wrote_is_read_after_its_end) {
  loop_bed_t bed;
  loop_bed_open(&bed);
  uvow_process_t *process = spawn(&bed, "echo last words", UVOW_STDOUT);
  assert_int_equal(loop_bed_wait(&bed, uvow_process_exit(process), NULL), 0);
  uvow_channel_t stdio = uvow_process_stdio(process);
  assert_null(stdio.out);
  uvow_stream_t *lines = uvow_stream_lines(stdio.in, 100);
  expect_line(&bed, lines, "last words");
  expect_end(&bed, lines);
  uvow_stream_unref(lines);
  uvow_process_unref(process);
  loop_bed_close(&bed, "closed");
}

/* More than a pipe holds: the child waits for us, and we for it. */
TEST_CASE(much_of_it) {
  loop_bed_t bed;
  uvow_result_t r;
  size_t came = 0;
  loop_bed_open(&bed);
  uvow_process_t *process =
      spawn(&bed, "head -c 3000000 /dev/zero", UVOW_STDOUT);
  uvow_channel_t stdio = uvow_process_stdio(process);
  do {
    assert_int_equal(loop_bed_wait(&bed, uvow_stream_next(stdio.in), &r), 0);
    came += uvow_result_bytes(&r).len;
  } while (!uvow_result_is_end(&r));
  assert_int_equal(came, 3000000);
  uvow_stream_unref(stdio.in);
  uvow_process_unref(process);
  loop_bed_close(&bed, "closed");
}

TEST_CASE(a_child_that_does_not_read) {
  loop_bed_t bed;
  loop_bed_open(&bed);
  uvow_process_t *process = spawn(&bed, "exec <&-; exit 0", UVOW_STDIN);
  uvow_channel_t stdio = uvow_process_stdio(process);
  uvow_future_t *flushed = uvow_sink_flushed(stdio.out);
  assert_int_equal(loop_bed_wait(&bed, uvow_process_exit(process), NULL), 0);
  assert_int_equal(uvow_sink_push(stdio.out, uvow_value_text("hello")), 0);
  assert_int_equal(loop_bed_wait(&bed, flushed, NULL), UV_EPIPE);
  assert_int_equal(uvow_sink_push(stdio.out, uvow_value_text("x")),
                   UVOW_ECLOSED);
  uvow_sink_drop(stdio.out);
  uvow_process_unref(process);
  loop_bed_close(&bed, "closed");
}

/* Nobody asked for its stdin: it ends with the last owner, and so does cat. */
TEST_CASE(pipes_that_nobody_wants) {
  loop_bed_t bed;
  loop_bed_open(&bed);
  uvow_process_t *process = spawn(&bed, "cat", 7);
  uvow_future_t *f = uvow_process_exit(process); /* is an owner, too */
  uvow_future_unref(f);
  uvow_process_unref(process);
  loop_bed_run(&bed);
  process = spawn(&bed, "exit 3", 7);
  loop_bed_run(&bed);
  uvow_process_unref(process); /* its handle is closed by now */
  uvow_process_unref(spawn(&bed, "cat", 7));
  process = spawn(&bed, "exec sleep 1000", 7);
  (void)uvow_process_kill(process, SIGKILL);
  bed.alloc = NULL;
  loop_bed_close(&bed, "closed");
  assert_null(uvow_process_stdio(process).in);
  uvow_process_unref(process);
  assert_int_equal(bed.own_alloc.live, 0);
}

TEST_CASE(a_program_that_is_not_there) {
  const char *args[] = {"/no/such/program", NULL};
  uvow_process_options_t options = {.size = sizeof(options), .args = args};
  loop_bed_t bed;
  loop_bed_open(&bed);
  options.pipes = 7;
  assert_null(uvow_spawn(bed.loop, &options));
  const uvow_error_t *error = uvow_loop_error(bed.loop);
  assert_int_equal(uvow_error_code(error), UV_ENOENT);
  assert_string_equal(uvow_error_message(error),
                      "spawn /no/such/program: no such file or directory");
  options.pipes = 8;
  assert_null(uvow_spawn(bed.loop, &options));
  assert_int_equal(uvow_error_code(uvow_loop_error(bed.loop)), UVOW_EINVAL);
  assert_null(uvow_process_stdio(NULL).in);
  assert_null(uvow_process_errors(NULL));
  loop_bed_close(&bed, "closed");
}

TEST_MODULE(pipes) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(lines_both_ways),
      cmocka_unit_test(what_it_wrote_is_read_after_its_end),
      cmocka_unit_test(much_of_it),
      cmocka_unit_test(a_child_that_does_not_read),
      cmocka_unit_test(pipes_that_nobody_wants),
      cmocka_unit_test(a_program_that_is_not_there),
  };
  return cmocka_run_group_tests_name("uv/pipes", tests, NULL, NULL);
}
